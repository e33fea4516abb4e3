"""Sphinx extension: what a published book has around its pages.

Add ``publishing.sphinx_ext`` to the extensions of a Jupyter Book. Every page gets

* a title, a description and, in its footer, the version of the book and the date of its own last commit;
* if it is a chapter, that is, has a number: what it teaches, for search engines, and "Cite this page".

``{cite-this-book}`` lists how to cite the book and each chapter. A page 404.html offers the search. With
BOOK_REPOSITORY (and BOOK_BRANCH) in the environment of the build there are buttons to edit a page, to open an issue, and to run a
notebook on Colab, Binder and Codespaces; with BOOK_URL a canonical address and a picture for each page, a sitemap and robots.txt.
"""

from __future__ import annotations

import os
import tomllib
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx.errors import ConfigError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.osutil import relative_uri

from publishing import citing, dates, describing, settings

_FOOTER = "author.html, copyright.html, edition.html, extra-footer.html"
_COURSE = "book/course.md"
_PICTURES = "_static/pictures"
_EDITIONS = "editions/chapters"  # beside the published pages, by `python -m editions`
_COLAB, _BINDER, _CODESPACES = "https://colab.research.google.com", "https://mybinder.org", "https://codespaces.new"
_MISSING = """\
<h1>There is no such page</h1>
<p>The address may have a slip in it, or the page may have moved. Search the book, or go to <a href="{home}">its first page</a>.</p>
<form action="{search}" method="get" role="search">
<label for="missing-search">Search for</label>
<input id="missing-search" type="search" name="q" required>
<button type="submit">Search</button>
</form>
"""


def setup(app):
    for name in ("repository", "branch", "url", "version"):
        app.add_config_value(f"publishing_{name}", "", "html")  # from outside: a change of one has all pages written again
    app.setup_extension("notfound.extension")
    app.add_directive("cite-this-book", CiteThisBook)
    app.add_node(cite_this_book)
    app.connect("config-inited", _configure, priority=400)  # before the theme reads its options
    app.connect("env-get-updated", _note, priority=900)  # when the chapters have their numbers
    app.connect("doctree-resolved", _list_citations)
    app.connect("html-page-context", _describe)
    app.connect("html-page-context", _correct_buttons, priority=600)  # when the theme has made them
    app.connect("build-finished", _finish, priority=400)  # before the pages get their policy
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def _configure(app, config):
    try:
        given = settings.read(os.environ)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    config.publishing_repository, config.publishing_branch, config.publishing_url = given
    config.publishing_version = tomllib.loads((settings.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    config.templates_path.append(str(Path(__file__).parent / "templates"))
    config.html_theme_options["footer_content_items"] = _FOOTER
    if given.repository:
        config.html_theme_options |= {
            "repository_url": given.repository, "repository_branch": given.branch,
            "use_repository_button": True, "use_edit_page_button": True, "use_issues_button": True,
            "launch_buttons": {"colab_url": _COLAB, "binderhub_url": _BINDER, "notebook_interface": "jupyterlab"}}
    config.html_baseurl = given.url
    if given.url:
        app.tags.add("published")  # for {only}: what is beside the published pages alone
    prefix = urlsplit(given.url).path or "/"
    config.notfound_urls_prefix = prefix
    config.notfound_context = {"title": "No such page", "body": _MISSING.format(
        home=f"{escape(prefix)}{config.root_doc}.html", search=f"{escape(prefix)}search.html")}


# What is known when all pages are read -----------------------------------------


def _chapters(env) -> dict[str, int]:
    """The pages with a number of their own, in the order of the numbers."""
    numbers = {page: sections.get("") for page, sections in env.toc_secnumbers.items()}
    return dict(sorted(((page, number[0]) for page, number in numbers.items() if number and len(number) == 1), key=lambda pair: pair[1]))


def _note(app, env):
    """Keep what pages show of others and of Git; the pages for which that has changed."""
    changed_on = dates.of_files(Path(app.srcdir))
    chapters = _chapters(env)
    cites = [page for page in env.found_docs if "cites" in env.metadata[page]]
    titles = [(page, number, env.titles[page].astext()) for page, number in chapters.items()]
    noted = {page: (changed_on.get(str(env.doc2path(page, base=False)), ""), chapters.get(page), cites, titles if page in cites else None)
             for page in env.found_docs}
    before = getattr(env, "publishing_noted", {})
    env.publishing_noted = noted
    return sorted(page for page in noted if before.get(page) != noted[page])


# How to cite -------------------------------------------------------------------


class cite_this_book(nodes.Element):
    """Stands where the citations will, until all titles are known."""


class CiteThisBook(SphinxDirective):
    """``{cite-this-book}``: with the argument "book" how to cite the whole, with "chapters" how to cite each chapter."""

    required_arguments = 1

    def run(self):
        if self.arguments[0] not in ("book", "chapters"):
            raise self.error(f"cite-this-book takes book or chapters, not {self.arguments[0]!r}")
        if self.arguments[0] == "chapters":
            self.env.metadata[self.env.docname]["cites"] = True
        return [cite_this_book(what=self.arguments[0])]


def _list_citations(app, doctree, name):
    book = citing.book(settings.ROOT)
    for node in list(doctree.findall(cite_this_book)):
        if node["what"] == "book":
            made = _blocks(book, _address(app, app.config.root_doc))
        else:
            made = []
            for page, number in _chapters(app.env).items():
                title = app.env.titles[page].astext()
                heading = nodes.paragraph("", "", nodes.strong("", f"Chapter {number}: {title}"), ids=[_anchor(page)])
                made += [heading, *_blocks(book, _address(app, page), title, number)]
        node.replace_self(made)


def _blocks(book, *what):
    return [nodes.literal_block(text, text, language=language, classes=["cite-this-book"], **options) for text, language, options in (
        (citing.text(book, *what), "text", {}), (citing.bibtex(book, *what), "bibtex", {}))]


def _anchor(page: str) -> str:
    return nodes.make_id(f"cite-{page.rpartition('/')[2]}")


def _address(app, page: str) -> str:
    """Where a page will be; else where the book is developed, if that is known."""
    config = app.config
    return config.publishing_url + app.builder.get_target_uri(page) if config.publishing_url else config.publishing_repository


# What a page says of itself ----------------------------------------------------


def _describe(app, pagename, templatename, context, doctree):
    config, env = app.config, app.env
    context["book_version"] = config.publishing_version
    if doctree is None:
        context["metatags"] = context.get("metatags", "") + describing.tags({"robots": "noindex"})
        return
    changed, number, cites, _ = env.publishing_noted[pagename]
    context["page_date"] = changed
    title, about = env.titles[pagename].astext(), describing.description(doctree)
    address = config.publishing_url and config.publishing_url + app.builder.get_target_uri(pagename)
    picture = {}
    if address:
        image = f"{config.publishing_url}{_picture(app, pagename)}"
        width, height = map(str, describing.SIZE)
        picture = {"og:url": address, "og:image": image, "og:image:width": width, "og:image:height": height, "twitter:card": "summary_large_image"}
    context["metatags"] += describing.tags({
        "description": about, "og:type": "website" if number is None else "article", "og:site_name": config.html_title, "og:title": title,
        "og:description": about, "article:modified_time": changed, **picture})
    if number is None:
        return
    teaches = describing.goals(Path(app.srcdir, _COURSE)).get(pagename.rpartition("/")[2], [])
    context["metatags"] += describing.linked_data(
        title=title, about=about, teaches=teaches, book=config.html_title, author=config.author, version=config.publishing_version,
        language=config.language, address=address, home=config.publishing_url)
    for page in cites:
        there = relative_uri(app.builder.get_target_uri(pagename), app.builder.get_target_uri(page))
        printed = relative_uri(app.builder.get_target_uri(pagename), f"{_EDITIONS}/{pagename.rpartition('/')[2]}.pdf")
        also = f' · <a href="{printed}">This chapter as a PDF</a>' if config.publishing_url else ""
        context["body"] += f'<p class="cite-this-page"><a class="reference internal" href="{there}#{_anchor(pagename)}">Cite this page</a>{also}</p>\n'


def _picture(app, page: str) -> str:
    """Write the picture of a page into the site, where the page does not load it; its path there."""
    png = describing.stored_picture(Path(app.env.doc2path(page))) or (settings.ROOT / "_static" / "picture.png").read_bytes()
    path = f"{_PICTURES}/{page.replace('/', '-')}.png"
    file = Path(app.outdir, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(describing.card(png))
    return path


def _correct_buttons(app, pagename, templatename, context, doctree):
    """The theme's Colab button leads to the branch with copies, and only where there is one; Codespaces it does not know."""
    config = app.config
    for group in context.get("header_buttons", ()):
        if group.get("label") != "launch-buttons":
            continue
        buttons = group["buttons"]
        for button in [button for button in buttons if button["text"] == "Colab"]:
            if settings.on_colab(pagename, Path(app.env.doc2path(pagename))):
                button["url"] = button["url"].replace(f"/blob/{config.publishing_branch}/", f"/blob/{settings.COLAB_BRANCH}/", 1)
            else:
                buttons.remove(button)
        repository = config.publishing_repository.removeprefix("https://github.com/")
        buttons.append({"type": "link", "text": "Codespaces", "tooltip": "Launch on Codespaces", "icon": "fab fa-github",
                        "url": f"{_CODESPACES}/{repository}/tree/{config.publishing_branch}?quickstart=1"})


def _finish(app, exception):
    """The list of pages for search engines; sphinx-sitemap would name only those written now."""
    if exception is not None or app.builder.format != "html":
        return
    sitemap, robots = Path(app.outdir, "sitemap.xml"), Path(app.outdir, "robots.txt")
    home = app.config.publishing_url
    if not home:
        sitemap.unlink(missing_ok=True)  # of a build before
        robots.unlink(missing_ok=True)
        return
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">']
    for page, (changed, *_) in sorted(app.env.publishing_noted.items()):
        date = f"<lastmod>{changed}</lastmod>" if changed else ""
        lines.append(f"<url><loc>{escape(home + app.builder.get_target_uri(page))}</loc>{date}</url>")
    sitemap.write_text("\n".join([*lines, "</urlset>\n"]), encoding="utf-8")
    robots.write_text(f"User-agent: *\nAllow: /\nSitemap: {home}sitemap.xml\n", encoding="utf-8")
