"""The book and each of its chapters as a PDF, printed by Chromium from one document."""

from __future__ import annotations

import json
from html import escape
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import pikepdf

from editions.browser import HOST, Failed, empty_page
from editions.gathering import gather
from editions.site import Page, Site

_STATIC = Path(__file__).parent / "static"
_MATHJAX_SETTINGS = {
    "options": {"enableMenu": False, "processHtmlClass": "math", "ignoreHtmlClass": "page|front"},
    "chtml": {"adaptiveCSS": False, "matchFontHeight": False},  # with all its styles from the start, or letters are missing in print
    "startup": {"typeset": False},
}


def book(browser, site: Site) -> bytes:
    """The whole book: cover, contents with page numbers, all pages.

    Raises
    ------
    Failed : if a page cannot be read, a formula not typeset or the document not printed; the message names the page.
    """
    return _print(browser, site, site.pages, site.title, cover(site))


def chapter(browser, site: Site, page: Page) -> bytes:
    """One page of the book, with its contents; its links to other pages lead to the published book, if there is one.  Raises as `book`."""
    head = f'<p class="colophon">From <em>{escape(site.title)}</em>, {_edition(site)}.</p>'
    return _print(browser, site, [page], f"{page.title} – {site.title}", "", head)


def _edition(site: Site) -> str:
    at = f', <a href="{site.address}">{escape(site.address)}</a>' if site.address else ""
    return f"version {site.version}{at}"


def cover(site: Site) -> str:
    """The cover, in HTML: what a factor below and above 1 leaves of a gradient of 1 in fifty steps."""
    steps = np.arange(51)
    lines = []
    for factor, colour in ((0.90, "#56b4e9"), (0.95, "#56b4e9"), (1.0, "#ffffff"), (1.015, "#e69f00"), (1.03, "#e69f00")):
        points = " ".join(f"{6 * step:.0f},{160 - 36 * size:.1f}" for step, size in zip(steps, factor**steps, strict=True))
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.2"/>')
    picture = f'<svg viewBox="0 0 304 166" role="img" aria-label="Curves that fall towards zero, stay, or grow.">{"".join(lines)}</svg>'
    return (f'<section class="cover"><p class="title">{escape(site.title)}</p>'
            '<p class="subtitle">Why gradients vanish and explode, from backpropagation by hand to the gates of an LSTM</p>'
            f'{picture}<p class="author">{escape(site.author)}<br>Version {site.version}</p></section>')


_NOTES = """
<p>This is the book as it stands online, on paper. A figure with controls shows its first setting; the line below it says which.
Code that a page folds away, mostly that of drawings, is left out; it stands in the notebooks.
The answers to the questions and the solutions to the exercises are at the end of each chapter.</p>
"""


def _print(browser, site: Site, pages: list[Page], title: str, cover: str, head: str = "") -> bytes:
    fonts = Path(matplotlib.get_data_path(), "fonts", "ttf")
    folders = {"/": site.html, "/fonts/": fonts, "/editions/": _STATIC}
    with empty_page(browser, folders, site.language) as tab:
        gather(tab, site, pages)
        tab.add_script_tag(url=f"{HOST}/editions/print.js")
        for style in ("/_static/pygments.css", "/editions/print.css", "/editions/cover.css"):
            tab.add_style_tag(url=HOST + style)
        tab.add_style_tag(content="\n".join(map(_running_head, pages)))
        front = (f'{cover}<section class="front"><div class="colophon">{head or _colophon(site)}{_NOTES}</div>'
                 '<h1>Contents</h1><div class="contents"></div></section>')
        tab.evaluate("([title, front]) => begin(title, front)", [title, front])
        listed = [[page.slug, page.title, page.is_chapter, part] for page, part in zip(pages, _parts(pages), strict=True)]
        entries = tab.evaluate("pages => contents(pages)", listed)
        _typeset(tab, site)
        numbers = _numbers(tab.pdf(**_PAPER), entries)  # once to learn on which page each entry falls
        tab.evaluate("numbers => number(numbers)", numbers)
        printed = tab.pdf(**_PAPER)
    if _numbers(printed, entries) != numbers:
        raise Failed(f"{title}: the contents' page numbers moved the pages")
    return _described(printed, site, title)


_PAPER = {"prefer_css_page_size": True, "print_background": True, "tagged": True, "outline": True}


def _running_head(page: Page) -> str:
    """The rule that writes the title of `page` above each of its sheets."""
    sheet = f"p-{page.slug}"
    return f'@page {sheet} {{ @top-left {{ content: {json.dumps(page.title, ensure_ascii=False)}; }} }} [id="{page.slug}"] {{ page: {sheet}; }}'


def _colophon(site: Site) -> str:
    return (f"<p><strong>{escape(site.title)}</strong>, {_edition(site)}<br>© {escape(site.copyright)} {escape(site.author)}.<br>"
            "Text and figures: CC BY 4.0. Code: BSD 3-Clause.</p>")


def _parts(pages: list[Page]) -> list[str]:
    """For each page the part that begins with it, or ""."""
    return [page.part if before is None or before.part != page.part else "" for before, page in zip([None, *pages], pages)]


_TEXT = {"width": 582, "height": 933}  # the text on a page of print.css, in pixels of 1/96 inch: 154 mm x 247 mm


def _typeset(tab, site: Site) -> None:
    tab.evaluate("settings => { window.MathJax = settings; }", _MATHJAX_SETTINGS)
    tab.add_script_tag(url=f"{HOST}/_static/mathjax/tex-chtml.js")
    wrong = tab.evaluate("typeset()")
    if wrong:
        raise Failed(f"formulas that MathJax does not know: {'; '.join(wrong)}")
    tab.emulate_media(media="print")
    tab.set_viewport_size(_TEXT)
    wide = tab.evaluate("width => fit(width)", _TEXT["width"])  # or Chromium would make all pages smaller
    if wide:
        raise Failed(f"wider than the page: {'; '.join(wide)}")


def _numbers(printed: bytes, entries: list[str]) -> list[int]:
    """The page, from 1, of each entry of the contents."""
    with pikepdf.open(BytesIO(printed)) as document:
        places = document.Root.get("/Dests", {})
        numbers = {page.obj.objgen: number for number, page in enumerate(document.pages, 1)}
        lost = [entry for entry in entries if f"/{entry}" not in places]
        if lost:
            raise Failed(f"the printed contents lead nowhere: {', '.join(lost)}")
        return [numbers[places[f"/{entry}"][0].objgen] for entry in entries]


def _described(printed: bytes, site: Site, title: str) -> bytes:
    """`printed` with its metadata, packed more tightly than Chromium does, and so that it can be read while it loads."""
    with pikepdf.open(BytesIO(printed)) as document:
        with document.open_metadata() as data:
            data["dc:title"], data["dc:creator"], data["dc:language"] = title, [site.author], [site.language]
            data["dc:description"], data["dc:rights"] = f"Version {site.version}", "Text and figures: CC BY 4.0. Code: BSD 3-Clause."
        document.docinfo["/Title"], document.docinfo["/Author"] = title, site.author
        document.Root.ViewerPreferences = pikepdf.Dictionary(DisplayDocTitle=True)
        document.Root.PageMode = pikepdf.Name.UseOutlines
        out = BytesIO()
        document.save(out, object_stream_mode=pikepdf.ObjectStreamMode.generate, linearize=True)
    return out.getvalue()
