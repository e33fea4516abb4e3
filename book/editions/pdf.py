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
_MATHJAX = "_static/mathjax/tex-chtml.js"


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
        tab.evaluate("""title => {
          document.title = title;
          document.querySelectorAll("figure").forEach((node) => node.setAttribute("role", "group"));  // the drawing in it has the text alternative
        }""", title)
        for style in ("/_static/pygments.css", "/editions/print.css"):
            tab.add_style_tag(url=HOST + style)
        tab.add_style_tag(content="".join(
            f'@page {_named(page)} {{ @top-left {{ content: {_quoted(page.title)}; }} }} #{_css(page.slug)} {{ page: {_named(page)}; }}\n' for page in pages))
        about = f'{head or _colophon(site)}{_NOTES}'
        tab.evaluate("front => document.body.insertAdjacentHTML('afterbegin', front)",
                     f'{cover}<section class="front"><div class="colophon">{about}</div><h1>Contents</h1><div class="contents"></div></section>')
        entries = tab.evaluate(_ENTRIES, [[(page.slug, page.title, page.is_chapter, part) for page, part in zip(pages, _parts(pages), strict=True)], len(pages) == 1])
        _typeset(tab, site)
        numbers = _numbers(tab.pdf(**_PAPER), entries)  # once to learn on which page each entry falls
        tab.evaluate("numbers => document.querySelectorAll('.contents a').forEach((link, k) => { link.dataset.number = numbers[k]; })", numbers)
        printed = tab.pdf(**_PAPER)
    if _numbers(printed, entries) != numbers:
        raise Failed(f"{title}: the contents' page numbers moved the pages")
    return _described(printed, site, title)


_PAPER = {"prefer_css_page_size": True, "print_background": True, "tagged": True, "outline": True}


def _named(page: Page) -> str:
    return f"p-{page.slug}".replace(".", "-")


def _css(slug: str) -> str:
    return f"\\3{slug[0]} {slug[1:]}" if slug[0].isdigit() else slug


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _colophon(site: Site) -> str:
    return (f"<p><strong>{escape(site.title)}</strong>, {_edition(site)}<br>© {escape(site.copyright)} {escape(site.author)}.<br>"
            "Text and figures: CC BY 4.0. Code: BSD 3-Clause.</p>")


def _parts(pages: list[Page]) -> list[str]:
    """For each page the part that begins with it, or ""."""
    return [page.part if before is None or before.part != page.part else "" for before, page in zip([None, *pages], pages)]


# Writes the contents and gives the id of each entry: the pages, and the sections of chapters; of one page alone its sections.
_ENTRIES = """([pages, alone]) => {
  const contents = document.querySelector(".contents"), entries = [];
  const add = (id, className, ...words) => {
    const line = make("p", className), link = make("a", "", make("span", "", ...words));
    link.href = "#" + id;
    link.dataset.number = "000";
    line.append(link);
    contents.append(line);
    entries.push(id);
  };
  for (const [slug, title, chapter, part] of pages) {
    if (part && !alone) contents.append(make("p", "part", part));
    if (!alone) add(slug, "first", title);
    if (!alone && !chapter) continue;
    for (const heading of document.getElementById(slug).querySelectorAll("h2")) {
      add(heading.closest("section[id]").id, alone ? "first" : "second", ...heading.cloneNode(true).childNodes);
    }
  }
  return entries;
}"""


_TEXT = {"width": 582, "height": 933}  # the text on a page of print.css, in pixels of 1/96 inch: 154 mm x 247 mm
# Formulas and tables that are wider than the page become smaller; gives what is wider still.
_FIT = """(width) => {
  const over = (node) => node.getBoundingClientRect().right - width > 1;
  for (const node of document.querySelectorAll("div.math mjx-math, table")) {
    if (over(node)) node.style.fontSize = `${Math.floor(97 * node.parentElement.clientWidth / node.getBoundingClientRect().width)}%`;
  }
  return [...document.querySelectorAll("section.page *")].filter((node) => over(node) && !node.closest("svg") && !node.parentElement.closest("mjx-math"))
    .map((node) => `${node.closest("section.page").id}: ${node.textContent.slice(0, 60)}`);
}"""


def _typeset(tab, site: Site) -> None:
    tab.evaluate("""() => { window.MathJax = {
      options: { enableMenu: false, processHtmlClass: "math", ignoreHtmlClass: "page|front" },
      chtml: { adaptiveCSS: false, matchFontHeight: false },
      startup: { typeset: false },
    }; }""")
    tab.add_script_tag(url=f"{HOST}/{_MATHJAX}")
    wrong = tab.evaluate("""async () => {
      const real = (glyph) => {  // MathJax draws letters as ::before, which is never tagged
        const drawn = getComputedStyle(glyph, "::before"), letter = document.createElement("span");
        letter.textContent = drawn.content.slice(1, -1).replace(/^\\\\/, "");
        for (const name of ["display", "width", "padding", "margin", "transform", "position", "top", "left"]) {
          letter.style[name] = drawn[name].replace(/([\\d.e-]+)px/g, (_, pixels) => `${pixels / parseFloat(drawn.fontSize)}em`);
        }
        glyph.append(letter);
        glyph.classList.add("real");
      };
      await MathJax.startup.promise;
      await MathJax.typesetPromise();
      for (const item of MathJax.startup.document.math) {  // a reader of the screen hears the source, as in a text book for the ear
        const node = item.typesetRoot;
        node.querySelectorAll("mjx-assistive-mml").forEach((part) => part.remove());
        node.querySelectorAll("[aria-hidden]").forEach((part) => part.removeAttribute("aria-hidden"));  // or it is tagged as decoration
        node.querySelectorAll("mjx-c").forEach(real);
        node.setAttribute("role", "img");
        node.setAttribute("aria-label", item.math.trim());
      }
      await Promise.all([...document.fonts].map((font) => font.load()));
      return [...document.querySelectorAll("mjx-merror, mjx-container [data-mjx-error]")].map((node) =>
        `${node.closest("section.page")?.id}: ${node.getAttribute("data-mjx-error")}`);
    }""")
    if wrong:
        raise Failed(f"formulas that MathJax does not know: {'; '.join(wrong)}")
    tab.emulate_media(media="print")
    tab.set_viewport_size(_TEXT)
    wide = tab.evaluate(_FIT, _TEXT["width"])  # or Chromium would make all pages smaller
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
