"""The book as an e-book: EPUB 3.3, with formulas in MathML and figures in SVG.

The package is small enough to be written here: the well-kept library for it, EbookLib, is under the AGPL, and its parser
of pages writes the attributes of an SVG in lower case.
"""

from __future__ import annotations

import datetime
import io
import uuid
import zipfile
from html import escape
from pathlib import Path

from editions.browser import HOST, Failed, empty_page
from editions.gathering import gather
from editions.pdf import cover
from editions.site import Site

_STATIC = Path(__file__).parent / "static"
_COVER_SIZE = {"width": 1200, "height": 1600}


def book(browser, site: Site, date: datetime.datetime) -> bytes:
    """The whole book; `date` (UTC) is when it was last changed.

    Raises
    ------
    Failed : if a page cannot be read, or a formula not written in MathML; the message names the page.
    """
    with empty_page(browser, {"/": site.html, "/editions/": _STATIC}, site.language) as tab:
        gather(tab, site, site.pages)
        tab.evaluate("() => { window.MathJax = { startup: { typeset: false } }; }")
        tab.add_script_tag(url=f"{HOST}/_static/mathjax/tex-chtml.js")
        tab.add_script_tag(url=f"{HOST}/editions/shelf.js")
        wrong = tab.evaluate("async () => { await MathJax.startup.promise; return formulas(); }")
        if wrong:
            raise Failed(f"formulas that MathJax does not know: {'; '.join(wrong)}")
        texts = {page.slug: tab.evaluate("slug => chapter(slug)", page.slug) for page in site.pages}
        headings = {page.slug: tab.evaluate("slug => headings(slug)", page.slug) if page.is_chapter else [] for page in site.pages}
    return _pack(site, date, texts, headings, _picture(browser, site))


def _picture(browser, site: Site) -> bytes:
    """The cover as a PNG."""
    with empty_page(browser, {"/": site.html, "/editions/": _STATIC}, site.language) as tab:
        tab.set_viewport_size(_COVER_SIZE)
        tab.evaluate("html => { document.body.innerHTML = html; }", cover(site))
        tab.add_style_tag(url=f"{HOST}/editions/cover.css")
        tab.add_style_tag(content=f"body {{ margin: 0; }} .cover {{ --unit: {_COVER_SIZE['width'] / 210}px; height: {_COVER_SIZE['height']}px; }}")
        return tab.screenshot()


def _pack(site: Site, date: datetime.datetime, texts: dict[str, str], headings: dict[str, list], picture: bytes) -> bytes:
    style = (_STATIC / "shelf.css").read_text(encoding="utf-8") + "\n" + (site.html / "_static/pygments.css").read_text(encoding="utf-8")
    files = {
        "META-INF/container.xml": _CONTAINER,
        "EPUB/package.opf": _package(site, date, texts),
        "EPUB/contents.xhtml": _document(site, "Contents", _contents(site, headings), epub=True),
        "EPUB/cover.xhtml": _document(site, site.title, '<section epub:type="cover"><img src="cover.png" alt="Cover"/></section>', epub=True),
        "EPUB/style.css": style,
        "EPUB/cover.png": picture,
        **{f"EPUB/{page.slug}.xhtml": _document(site, page.title, texts[page.slug]) for page in site.pages},
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "mimetype", "application/epub+zip", date, zipfile.ZIP_STORED)  # first, and not compressed: EPUB OCF 3.3, 4.2
        for name, content in files.items():
            _add(archive, name, content, date)
    return stream.getvalue()


def _add(archive, name, content, date, compress=zipfile.ZIP_DEFLATED):
    info = zipfile.ZipInfo(name, date_time=date.timetuple()[:6])
    info.compress_type = compress
    archive.writestr(info, content)


_CONTAINER = """<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/></rootfiles>
</container>
"""


def _package(site: Site, date: datetime.datetime, texts: dict[str, str]) -> str:
    what = {"mathml": "<math", "svg": "<svg"}
    items, spine = [], []
    for page in site.pages:
        properties = " ".join(name for name, mark in what.items() if mark in texts[page.slug])
        said = f' properties="{properties}"' if properties else ""
        items.append(f'<item id="p-{page.slug}" href="{page.slug}.xhtml" media-type="application/xhtml+xml"{said}/>')
        spine.append(f'<itemref idref="p-{page.slug}"/>')
    name = uuid.uuid5(uuid.NAMESPACE_URL, site.address or f"urn:book:{site.title}")
    address = f"<dc:source>{escape(site.address)}</dc:source>\n" if site.address else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="name" xml:lang="{site.language}">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="name">urn:uuid:{name}</dc:identifier>
<dc:title>{escape(site.title)}</dc:title>
<dc:language>{site.language}</dc:language>
<dc:creator>{escape(site.author)}</dc:creator>
<dc:rights>Text and figures: CC BY 4.0. Code: BSD 3-Clause.</dc:rights>
<dc:description>Version {site.version}</dc:description>
{address}<meta property="dcterms:modified">{date:%Y-%m-%dT%H:%M:%SZ}</meta>
<meta property="schema:accessMode">textual</meta>
<meta property="schema:accessMode">visual</meta>
<meta property="schema:accessModeSufficient">textual</meta>
<meta property="schema:accessibilityFeature">alternativeText</meta>
<meta property="schema:accessibilityFeature">MathML</meta>
<meta property="schema:accessibilityFeature">tableOfContents</meta>
<meta property="schema:accessibilityFeature">readingOrder</meta>
<meta property="schema:accessibilityHazard">none</meta>
<meta property="schema:accessibilitySummary">Figures have text alternatives, formulas are MathML, and the reading order is that of the text.</meta>
</metadata>
<manifest>
<item id="contents" href="contents.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="cover" href="cover.xhtml" media-type="application/xhtml+xml"/>
<item id="cover-picture" href="cover.png" media-type="image/png" properties="cover-image"/>
<item id="style" href="style.css" media-type="text/css"/>
{chr(10).join(items)}
</manifest>
<spine><itemref idref="cover"/><itemref idref="contents"/>
{chr(10).join(spine)}
</spine>
</package>
"""


def _document(site: Site, title: str, body: str, epub: bool = False) -> str:
    space = ' xmlns:epub="http://www.idpf.org/2007/ops"' if epub else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml"{space} lang="{site.language}" xml:lang="{site.language}">
<head><meta charset="utf-8"/><title>{escape(title)}</title><link rel="stylesheet" href="style.css"/></head>
<body>{body}</body>
</html>
"""


def _contents(site: Site, headings: dict[str, list]) -> str:
    """The e-book's navigation: parts, pages, and the sections of chapters."""
    parts: list[tuple[str, list[str]]] = []
    for page in site.pages:
        sections = "".join(f'<li><a href="{page.slug}.xhtml#{place}">{escape(text)}</a></li>' for place, text in headings[page.slug])
        line = f'<li><a href="{page.slug}.xhtml">{escape(page.title)}</a>{f"<ol>{sections}</ol>" if sections else ""}</li>'
        if not parts or parts[-1][0] != page.part:
            parts.append((page.part, []))
        parts[-1][1].append(line)
    lines = "\n".join(f"<li><span>{escape(part)}</span><ol>{''.join(pages)}</ol></li>" if part else "".join(pages) for part, pages in parts)
    return f'<nav epub:type="toc" id="toc" role="doc-toc"><h1>Contents</h1><ol>{lines}</ol></nav>'
