"""Pages of the built site as one document in a browser's tab: static/gather.js does the work."""

from __future__ import annotations

from playwright.sync_api import Error

from editions.browser import HOST, Failed
from editions.site import Page, Site


def gather(tab, site: Site, pages: list[Page]) -> None:
    """Append `pages` to the empty document in `tab`, each a <section class="page"> named by its slug.

    Raises
    ------
    Failed : if a page has no text, its text is not built as expected, or a link of it leads nowhere; the message names the page.
    """
    tab.add_script_tag(url=f"{HOST}/editions/gather.js")
    slugs = {page.path: page.slug for page in pages}
    for page in pages:
        try:
            tab.evaluate("async ([path, slug, pages, address]) => { document.body.append(await gather(path, slug, pages, address)); }",
                         [page.path, page.slug, slugs, site.address])
        except Error as error:
            raise Failed(f"{page.path}: {error.message}") from error
    lost = tab.evaluate("lost()")
    if lost:
        raise Failed("; ".join(lost))
