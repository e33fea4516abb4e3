"""The book to take along, made from the built pages: what is in the PDF and the e-book, and what happens when one cannot be made."""

import contextlib
import datetime
import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pikepdf
import pypdfium2
import pytest

from absent import without
from editions import __main__ as command
from editions import epub, pdf, site as sites
from editions.browser import Failed

ROOT = Path(__file__).parents[2]
DATE = datetime.datetime(2026, 1, 2, 3, 4, 6, tzinfo=datetime.UTC)
XHTML, MATHML, SVG = ("{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/1998/Math/MathML}", "{http://www.w3.org/2000/svg}")


@pytest.fixture(scope="module")
def book(site):
    return sites.read(site, ROOT)


def page_of(book, slug):
    return next(page for page in book.pages if page.slug == slug)


class Printed:
    """A PDF, opened: its bytes, its text page by page, its structure."""

    def __init__(self, content):
        self.content = content
        self.document = pikepdf.open(io.BytesIO(content))
        drawn = pypdfium2.PdfDocument(content)
        self.texts = [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in drawn]
        self.widths = {round(page.get_size()[0]) for page in drawn}
        self.dark = [page.render(scale=0.5).to_numpy().min() < 128 for page in drawn]  # something is on it
        self.outline = [(mark.level, mark.get_title()) for mark in drawn.get_toc()]

    def links(self):
        """(page, where to): a name in the document or an address."""
        for number, page in enumerate(self.document.pages):
            for mark in page.get("/Annots", []):
                if mark.get("/Subtype") == "/Link":
                    yield number, str(mark.A.URI) if "/A" in mark and "/URI" in mark.A else str(mark.get("/Dest", ""))

    def tags(self):
        """(kind, text alternative) of all tagged parts."""
        todo = [self.document.Root.StructTreeRoot]
        while todo:
            node = todo.pop()
            if isinstance(node, pikepdf.Array):
                todo += list(node)
            elif isinstance(node, pikepdf.Dictionary):
                if "/S" in node:
                    yield str(node.S), str(node.get("/Alt", ""))
                if "/K" in node:
                    todo.append(node.K)


@pytest.fixture(scope="module")
def whole(browser, book):
    return Printed(pdf.book(browser, book))


@pytest.fixture(scope="module")
def alone(browser, book):
    return Printed(pdf.chapter(browser, book, page_of(book, "10_gru")))


@pytest.fixture(scope="module")
def shelf(browser, book):
    return epub.book(browser, book, DATE)


@pytest.fixture(scope="module")
def files(shelf):
    """The files of the e-book: {name: content}."""
    with zipfile.ZipFile(io.BytesIO(shelf)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def plain(text):
    """`text` without what a printer may change: spaces, ligatures, hyphens."""
    return re.sub(r"[\s\u00ad\u2010-\u2014’‘“”'\"-]+", "", text)


# --- the PDF

def test_the_contents_name_the_page_on_which_each_page_of_the_book_begins(whole, book):
    """Its number is the first at which the running head has changed to its title."""
    heads = [plain(text.split("\n")[0]) for text in whole.texts]
    contents = plain("".join(whole.texts[1:heads.index(plain(book.pages[0].title))]))
    for page in book.pages:
        first = heads.index(plain(page.title)) + 1
        assert plain(page.title) + str(first) in contents, (page.title, first)


def test_no_page_is_empty_and_all_are_one_size(whole):
    assert all(whole.dark)
    assert whole.widths == {595}
    assert len(whole.content) <= 25e6


def test_every_chapter_is_in_the_outline_with_its_sections(whole, book):
    titles = [plain(title) for _, title in whole.outline]
    chapters = [plain(page.title) for page in book.pages if page.is_chapter]
    assert [title for title in titles if title in chapters] == chapters
    assert sum(level > 0 for level, _ in whole.outline) > 100


def test_links_between_chapters_stay_in_the_book(whole):
    names = {name.removeprefix("/") for name in whole.document.Root.Dests.keys()}
    inside = [to.removeprefix("/") for _, to in whole.links() if not to.startswith("http")]
    assert len(inside) > 1000
    assert set(inside) <= names
    assert not [to for _, to in whole.links() if "book.invalid" in to]


def test_it_is_tagged_and_says_its_language_and_title(whole, book):
    root = whole.document.Root
    assert bool(root.MarkInfo.Marked) and str(root.Lang) == "en" and bool(root.ViewerPreferences.DisplayDocTitle)
    assert whole.document.docinfo["/Title"] == book.title
    tags = list(whole.tags())
    kinds = {kind for kind, _ in tags}
    assert {"/H1", "/H2", "/P", "/L", "/LI", "/Table", "/TR", "/TD", "/TH", "/Figure", "/Link"} <= kinds
    nameless = [kind for kind, alternative in tags if kind == "/Figure" and not alternative]
    assert not nameless


def test_its_fonts_are_embedded(alone):
    for page in alone.document.pages:
        for font in page.Resources.get("/Font", {}).values():
            if font.Subtype != "/Type3":  # drawn in the document itself
                assert "/FontFile2" in font.DescendantFonts[0].FontDescriptor


def test_a_figure_says_its_setting_and_answers_come_at_the_end(alone):
    text = "\n".join(alone.texts)
    assert re.search(r"Shown: .*\d", text)
    assert "code cell source" not in text and "Click to show" not in text and "\\(" not in text
    ends = plain(text)
    order = [ends.rindex(plain(heading)) for heading in ("Summary", "Answers to the questions", "Solutions to the exercises", "Solution to Exercise 10.1")]
    assert order == sorted(order)
    assert "✓ Right" in text[text.index("Answers to the questions", len(alone.texts[0])):]


def test_where_the_book_is_published_figures_and_other_chapters_are_linked(browser, book):
    published = sites.Site(**{**vars(book), "address": "https://example.org/book/"})
    printed = Printed(pdf.chapter(browser, published, page_of(book, "10_gru")))
    assert plain("It moves at https://example.org/book/book/10_gru.html#fig-") in plain("".join(printed.texts))
    to = {to for _, to in printed.links()}
    assert any(re.fullmatch(r"https://example\.org/book/book/10_gru\.html#fig-.*", address) for address in to)
    assert any(address.startswith("https://example.org/book/book/09_lstm_paths.html") for address in to)


# --- the e-book

def test_epubcheck_has_nothing_to_say(shelf, tmp_path):
    checker = shutil.which("epubcheck")
    if checker is None:
        without("no epubcheck: `apt-get install epubcheck`")
    (tmp_path / "book.epub").write_bytes(shelf)
    done = subprocess.run(["java", "-jar", checker, "--failonwarnings", str(tmp_path / "book.epub")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_formulas_are_mathml_and_its_figures_svg_with_alternatives(files, book):
    formulas = figures = 0
    for page in book.pages:
        root = ElementTree.fromstring(files[f"EPUB/{page.slug}.xhtml"])
        formulas += len(root.findall(f".//{MATHML}math"))
        drawn = root.findall(f".//{XHTML}figure/{SVG}svg")
        figures += len(drawn)
        assert all(svg.get("aria-label") and svg.get("viewBox") for svg in drawn)
        assert all(image.get("alt") for image in root.iter(f"{XHTML}img"))
        text = "".join(root.itertext())
        assert "\\(" not in text and "\\[" not in text and "code cell source" not in text
        assert not root.findall(f".//{XHTML}script") and not root.findall(f".//{XHTML}button") and not root.findall(f".//{XHTML}input")
    assert formulas > 2000 and figures > 50


def test_its_figures_need_no_variables(files):
    for name, content in files.items():
        if name.endswith(".xhtml"):
            assert b"--explorable" not in content, name


def test_its_contents_lead_to_every_page(files, book):
    root = ElementTree.fromstring(files["EPUB/contents.xhtml"])
    to = [link.get("href") for link in root.iter(f"{XHTML}a")]
    assert [href for href in to if "#" not in href] == [f"{page.slug}.xhtml" for page in book.pages]
    for href in to:
        file, _, place = href.partition("#")
        assert not place or f'id="{place}"'.encode() in files[f"EPUB/{file}"], href


def test_the_same_book_is_the_same_file(shelf, browser, book):
    assert epub.book(browser, book, DATE) == shelf


def test_on_a_phone_its_pages_are_no_wider_than_the_screen(shelf, new_page, serve, tmp_path):
    with zipfile.ZipFile(io.BytesIO(shelf)) as archive:
        archive.extractall(tmp_path)
    address = serve(tmp_path)
    page = new_page(viewport={"width": 360, "height": 640})
    for slug in ("02_vanishing_in_depth", "09_lstm_paths", "notation"):
        page.goto(f"{address}/EPUB/{slug}.xhtml")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, slug


# --- the command

def test_the_first_page_offers_what_it_makes(book):
    offered = set(re.findall(r"\.\./editions/([\w.-]+)", (ROOT / "book" / "index.md").read_text()))
    name = command.base(book.title)
    assert offered == {f"{name}.pdf", f"{name}.epub", f"{name}-site.zip", f"{name}-notebooks.zip"}


@pytest.fixture
def small(tmp_path, monkeypatch, browser):
    """A site of two pages, and the repository around it; the command runs there."""
    html = tmp_path / "_build" / "html"
    (html / "book").mkdir(parents=True)
    (html / "_static" / "mathjax").mkdir(parents=True)
    nav = '<nav class="bd-links"><p class="caption">Part I</p><ul><li><a href="one.html">1. One</a></li></ul></nav>'
    for name, text in (("index", "<h1>Book</h1><p>A <a href='one.html#more'>way</a>.</p>"), ("one", "<h1>1. One</h1><section id='more'><h2>More</h2></section>")):
        (html / "book" / f"{name}.html").write_text(
            f'<html lang="en"><head></head><body>{nav}<article class="bd-article"><section id="top">{text}</section></article></body></html>')
    (html / "_static" / "pygments.css").write_text("")
    (html / "_static" / "mathjax" / "tex-chtml.js").write_text(
        "window.MathJax = {startup: {promise: Promise.resolve(), document: {math: []}}, typesetPromise: async () => {}};")
    (tmp_path / "_config.yml").write_text("title: A Book\nauthor: Ann\ncopyright: '2026'\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nversion = '1.2'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "chromium", lambda: contextlib.nullcontext(browser))  # Playwright starts once in a process
    return tmp_path


def made(folder):
    out = folder / "_build" / "editions"
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def run(folder, *arguments, **environment):
    return subprocess.run([sys.executable, "-m", "editions", *arguments], cwd=folder, capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PYTHONPATH": str(ROOT / "book"), **environment})


def test_it_makes_what_is_asked(small):
    done = run(small, "pdf", "chapters", "epub")
    assert done.returncode == 0, done.stderr
    assert made(small) == ["a-book.epub", "a-book.pdf", "chapters/index.pdf", "chapters/one.pdf"]
    assert all(re.search(rf"{name}  \d+\.\d MB, \d+ s", done.stdout) for name in made(small))


def test_a_page_that_cannot_be_printed_is_named_and_nothing_is_left(small, capsys):
    (small / "_build/html/book/one.html").write_text("<html lang='en'><body>nothing</body></html>")
    assert command.main(["pdf", "chapters"]) == 1
    assert made(small) == ["chapters/index.pdf"]
    said = capsys.readouterr().err
    assert "a-book.pdf: not made." in said and "book/one.html" in said and "chapters/one.pdf: not made." in said


def test_a_link_that_leads_nowhere_is_named(small, capsys):
    page = small / "_build/html/book/one.html"
    page.write_text(page.read_text().replace("<h2>More</h2>", "<h2>More</h2><a href='#gone'>x</a>"))
    assert command.main(["pdf", "epub"]) == 1
    said = capsys.readouterr().err
    assert said.count("one: a link to one--gone, which is nowhere") == 2
    assert made(small) == []


def test_a_picture_that_is_missing_is_named(small, capsys):
    page = small / "_build/html/book/one.html"
    page.write_text(page.read_text().replace("<h2>More</h2>", "<h2>More</h2><img src='../_images/gone.png' alt='x'>"))
    assert command.main(["pdf"]) == 1
    assert "/_images/gone.png" in capsys.readouterr().err
    assert made(small) == []


def test_an_old_file_stays_when_a_new_one_cannot_be_made(small):
    assert command.main(["pdf"]) == 0
    before = (small / "_build/editions/a-book.pdf").read_bytes()
    (small / "_build/html/book/one.html").write_text("<html lang='en'><body>nothing</body></html>")
    assert command.main(["pdf"]) == 1
    assert (small / "_build/editions/a-book.pdf").read_bytes() == before


def test_without_chromium_it_says_how_to_get_one_and_makes_the_rest(small, tmp_path):
    for name in ("index.html", "search.html", "searchindex.js"):
        (small / "_build" / "html" / name).write_text("")
    done = run(small, CHROMIUM="", PATH=str(Path(sys.executable).parent), PLAYWRIGHT_BROWSERS_PATH=str(tmp_path))
    assert done.returncode == 1
    assert "a-book-site.zip" in made(small) and not [name for name in made(small) if name.endswith(("pdf", "epub"))]
    assert "`apt-get install chromium`" in done.stderr


@pytest.mark.parametrize("arguments, said", [
    (["pfd"], "KIND is one of pdf, chapters, epub, zips, not pfd"),
    (["--html", "nowhere", "pdf"], "html: nowhere holds no built book"),
])
def test_what_it_cannot_use_is_named(small, arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_is_no_book_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        command.main(["pdf"])
    assert "_build/html holds no built book" in capsys.readouterr().err


def test_a_page_of_the_contents_that_is_missing_is_named(small):
    (small / "_build/html/book/one.html").unlink()
    with pytest.raises(ValueError, match=r"lacks book/one\.html"):
        sites.read(small / "_build" / "html", small)
