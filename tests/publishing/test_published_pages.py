"""What a published book has around its pages, on a small book: with nothing in the environment, and with all of it."""

import base64
import functools
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import chapters
import pages
from explorable.figure import RECORD
from publishing import citing, describing

REPOSITORY, URL = "https://github.com/owner/name", "https://owner.example/name/"
ALL = {"BOOK_REPOSITORY": REPOSITORY, "BOOK_BRANCH": "drafts", "BOOK_URL": URL}
FIRST = "First words, with <em> & \"quotes\". The second sentence. It has $x^{59}$ in it. A last one."
TOC = """\
format: jb-book
root: book/index
parts:
  - caption: One
    numbered: 1
    chapters:
      - file: book/01_first
      - file: book/02_second
  - caption: Rest
    chapters:
      - file: book/plain
      - file: book/course
      - file: book/assignments/release/ps1/ps1
      - file: book/cite
"""


def png(size, colour) -> str:
    buffer = io.BytesIO()
    Image.new("RGBA", size, colour).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def write_notebook(path, words, picture=None):
    code = new_code_cell("1 + 1")
    code.outputs = [new_output("execute_result", data={"text/plain": "2"} | ({"image/png": picture} if picture else {}), execution_count=1)]
    notebook = new_notebook(cells=[new_markdown_cell(words), code])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    notebook.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    for name in ("_static", "_templates", "_config.yml"):
        (shutil.copytree if (chapters.ROOT / name).is_dir() else shutil.copy)(chapters.ROOT / name, root / name)
    (root / "_toc.yml").write_text(TOC)
    write_notebook(root / "book" / "01_first.ipynb", f"# A first </script> chapter\n\n{FIRST}", png((200, 200), (0, 0, 0, 0)))
    write_notebook(root / "book" / "02_second.ipynb", "# The RNN’s second\n\nWords.", png((10, 90), (255, 0, 0, 255)))
    write_notebook(root / "book" / "assignments" / "release" / "ps1" / "ps1.ipynb", "# A set\n\nTo do.")
    (root / "book" / "index.md").write_text("# Small\n\nWelcome. [One](01_first.ipynb)\n")
    (root / "book" / "plain.md").write_text("# Plain\n\n## Nothing here\n")
    (root / "book" / "course.md").write_text(
        "# Course\n\n| chapter | after it a student can | needs |\n|---|---|---|\n"
        "| [1](01_first.ipynb) | say $x'$; use `a_b`, and </script> |  |\n| [2](02_second.ipynb) | nothing | 1 |\n")
    shutil.copy(chapters.BOOK / "cite.md", root / "book")
    shutil.copy(chapters.BOOK / "references.bib", root / "book")
    return root


def build(root, settings=(), warnings="-W"):
    environment = {name: value for name, value in os.environ.items() if name != RECORD and not name.startswith("BOOK_")}
    done = subprocess.run([*chapters.BUILD, str(root), warnings, "-n", "--keep-going"], capture_output=True, text=True, env=environment | dict(settings), timeout=300)
    return done.returncode, done.stdout + done.stderr


def commit(root, day):
    environment = os.environ | dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), f"{day}T12:00:00")
    subprocess.run(["git", "add", "book"], cwd=root, check=True)
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "x"], cwd=root, check=True, env=environment)


@pytest.fixture(scope="module")
def unpublished(source):
    """Built without Git and with nothing in the environment."""
    code, output = build(source)
    assert code == 0, output
    return source / "_build" / "html"


@pytest.fixture(scope="module")
def published(source, unpublished):
    """The same, built again where it was, from two commits, with everything in the environment."""
    subprocess.run(["git", "init", "-q"], cwd=source, check=True)
    (source / "book" / "02_second.ipynb").rename(source / "02_second")
    commit(source, "2021-02-03")
    (source / "02_second").rename(source / "book" / "02_second.ipynb")
    commit(source, "2022-03-04")
    code, output = build(source, ALL)
    assert code == 0, output
    return source / "_build" / "html"


def soup(site, name):
    return BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def meta(page) -> dict:
    return {tag.get("property") or tag.get("name"): tag["content"] for tag in page.select("meta[content]")}


def buttons(page, group) -> dict:
    return {" ".join(link.get_text().split()): link["href"] for link in page.select(f".dropdown-{group}-buttons a")}


# With nothing in the environment: the tests of this part come first, `published` builds in the same folder ---------------


def test_without_an_address_there_is_no_button_and_nothing_absolute(unpublished):
    for path in unpublished.rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        assert not page.select(".dropdown-launch-buttons, .dropdown-source-buttons, link[rel=canonical]")
        assert not {"og:url", "og:image"} & meta(page).keys()
        assert not re.search(r"executablebooks/jupyter-book|mybinder|colab\.research|codespaces", path.read_text(encoding="utf-8"))
    assert not (unpublished / "sitemap.xml").exists() and not (unpublished / "robots.txt").exists()
    assert not (unpublished / "_static" / "pictures").exists()


def test_without_git_a_page_has_a_version_and_no_date(unpublished):
    version = citing.book(chapters.ROOT).version
    for name in ("book/index", "book/01_first", "search", "404"):
        footer = soup(unpublished, name).select_one("footer .edition")
        assert footer.get_text() == f"Version {version}" and not footer.select("time")
    assert "article:modified_time" not in meta(soup(unpublished, "book/01_first"))


def test_title_and_description_are_there_all_the_same(unpublished):
    told = meta(soup(unpublished, "book/01_first"))
    assert told["og:title"] == "A first </script> chapter" and told["og:site_name"] == "Gradients Through Time"
    assert told["og:description"] == told["description"] == "First words, with <em> & “quotes”. The second sentence.", "none with a formula"
    assert "description" not in meta(soup(unpublished, "book/plain"))


def test_without_an_address_citations_have_none(unpublished):
    shown = soup(unpublished, "book/cite").select_one("article").get_text()
    assert "http" not in shown and "A first" in shown


@pytest.mark.parametrize("name, value", [("BOOK_REPOSITORY", "owner/name"), ("BOOK_BRANCH", "a b"), ("BOOK_URL", "https://owner.example/name")])
def test_a_bad_value_fails_the_build_and_is_named(source, name, value):
    code, output = build(source, {name: value})
    assert code != 0 and f"{name} is {value!r}; wanted" in " ".join(output.split())


# With all of it --------------------------------------------------------------------------------------------------------


def test_a_chapter_can_be_edited_and_launched(published):
    page = soup(published, "book/02_second")
    assert buttons(page, "launch") == {
        "Binder": "https://mybinder.org/v2/gh/owner/name/drafts?urlpath=lab/tree/book/02_second.ipynb",
        "Colab": "https://colab.research.google.com/github/owner/name/blob/colab/book/02_second.ipynb",
        "Codespaces": "https://codespaces.new/owner/name/tree/drafts?quickstart=1"}
    source = buttons(page, "source")
    assert source["Repository"] == REPOSITORY and source["Suggest edit"] == f"{REPOSITORY}/edit/drafts/book/02_second.ipynb"
    assert source["Open issue"].startswith(f"{REPOSITORY}/issues/new?title=") and "book/02_second" in source["Open issue"]


def test_markdown_and_problem_sets_are_not_on_colab(published):
    assert list(buttons(soup(published, "book/assignments/release/ps1/ps1"), "launch")) == ["Binder", "Codespaces"]
    for name in ("book/index", "book/plain", "book/cite"):
        assert "Colab" not in buttons(soup(published, name), "launch")
        assert "Suggest edit" in buttons(soup(published, name), "source")


def test_every_page_has_its_address_and_its_picture(published):
    for name in ("book/index", "book/01_first", "book/02_second", "book/plain"):
        page, told = soup(published, name), meta(soup(published, name))
        address, = page.select("link[rel=canonical]")
        assert address["href"] == told["og:url"] == f"{URL}{name}.html"
        assert told["twitter:card"] == "summary_large_image"
        path = told["og:image"].removeprefix(URL)
        picture = Image.open(published / path)
        assert picture.size == (1200, 630) == (int(told["og:image:width"]), int(told["og:image:height"])) and picture.mode == "RGB"
        assert picture.getpixel((0, 0)) == picture.getpixel((1199, 629)) == (255, 255, 255)
        assert not page.select(f"[src*='{Path(path).name}']"), "the page itself does not load it"
    assert Image.open(published / "_static/pictures/book-01_first.png").getcolors() == [(1200 * 630, (255, 255, 255))], "transparent is white"
    red = Image.open(published / "_static/pictures/book-02_second.png")
    assert red.getpixel((600, 315)) == red.getpixel((600, 40)) == (255, 0, 0), "as high as it can be"


def test_a_description_is_whole_sentences_or_ends_in_an_ellipsis():
    from docutils import nodes

    def described(*words):
        document = nodes.section("", nodes.title("", "T"), nodes.paragraph("", *[nodes.Text(word) if isinstance(word, str) else word for word in words]))
        return describing.description(document)

    assert described("A " + "long " * 60 + "one.").endswith(" …") and len(described("A " + "long " * 60 + "one.")) <= 200
    assert described("Short. " + "A " + "long " * 60 + "one.") == "Short."
    assert described("Short. Then move this:") == "Short." and described("Move this:") == "Move this"
    assert described("With ", nodes.math("", "x"), " in it. Not this.") == "With x in it. Not this."


def linked(page) -> dict:
    script, = page.select("script[type='application/ld+json']")
    return json.loads(script.string)


def test_a_chapter_tells_search_engines_what_it_teaches(published):
    told = linked(soup(published, "book/01_first"))
    assert told == {
        "@context": "https://schema.org", "@type": "LearningResource", "name": "A first </script> chapter",
        "description": "First words, with <em> & “quotes”. The second sentence.", "inLanguage": "en", "educationalLevel": "undergraduate",
        "teaches": ["say x'", "use a_b, and </script>"], "isPartOf": {"@type": "Book", "name": "Gradients Through Time", "url": URL},
        "author": {"@type": "Organization", "name": "The Gradients Through Time authors"},
        "license": "https://creativecommons.org/licenses/by/4.0/", "version": citing.book(chapters.ROOT).version, "url": f"{URL}book/01_first.html"}
    for name in ("book/index", "book/plain", "book/assignments/release/ps1/ps1"):
        assert not soup(published, name).select("script[type='application/ld+json']")


def test_every_chapter_of_the_book_has_goals():
    told = describing.goals(chapters.BOOK / "course.md")
    numbered = [path.stem for path in chapters.NOTEBOOKS if path.stem[:2].isdigit()]
    assert list(told) == numbered
    assert all(len(goals) >= 2 and all(goals) and not re.search(r"[$`]", " ".join(goals)) for goals in told.values())


def test_a_page_has_the_date_of_its_own_last_commit(published):
    assert [soup(published, name).select_one("footer time")["datetime"] for name in ("book/01_first", "book/02_second")] == ["2021-02-03", "2022-03-04"]
    assert meta(soup(published, "book/02_second"))["article:modified_time"] == "2022-03-04"


def test_search_engines_find_every_page_once_and_no_other(published):
    sitemap = ElementTree.parse(published / "sitemap.xml").getroot()
    found = {url.findtext("{*}loc"): url.findtext("{*}lastmod") for url in sitemap}
    names = re.findall(r"(?:file|root): (\S+)", TOC)
    assert sorted(found) == sorted(f"{URL}{name}.html" for name in names) and len(sitemap) == len(names)
    assert found[f"{URL}book/02_second.html"] == "2022-03-04"
    assert f"Sitemap: {URL}sitemap.xml" in (published / "robots.txt").read_text().splitlines()
    assert meta(soup(published, "404"))["robots"] == meta(soup(published, "search"))["robots"] == "noindex"


def test_a_chapter_leads_to_how_to_cite_it(published):
    cite = soup(published, "book/cite")
    for name, title, number in (("01_first", "A first </script> chapter", 1), ("02_second", "The RNN’s second", 2)):
        link, printed = soup(published, f"book/{name}").select("article p.cite-this-page a")
        assert printed["href"] == f"../editions/chapters/{name}.pdf"
        page, _, anchor = link["href"].partition("#")
        assert page == "cite.html"
        heading = cite.find(id=anchor)
        assert title in heading.get_text() and f"Chapter {number}" in heading.get_text()
        text, bibtex = heading.find_all_next("div", class_="cite-this-book")[:2]
        address = f"{URL}book/{name}.html"
        assert text.get_text().strip() == citing.text(citing.book(chapters.ROOT), address, title, number)
        assert bibtex.get_text().strip() == citing.bibtex(citing.book(chapters.ROOT), address, title, number)
    whole = cite.select("div.cite-this-book")[:2]
    assert f"{URL}book/index.html" in whole[0].get_text() and whole[1].get_text().strip().startswith("@book{")
    assert not soup(published, "book/plain").select(".cite-this-page")


# In a browser ------------------------------------------------------------------------------------------------------------


class _Pages(http.server.SimpleHTTPRequestHandler):
    """As GitHub Pages serve a site under /name/: what is not there is answered with 404.html."""

    def send_error(self, code, message=None, explain=None):
        content = Path(self.directory, "name", "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def address(published, tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    (root / "name").symlink_to(published)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Pages, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/name"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("lost", ["gone.html", "book/gone.html", "book/a/b/c/"])
def test_an_address_that_leads_nowhere_leads_to_the_search_and_home(address, new_page, lost):
    page = new_page()
    answers = {}
    page.on("response", lambda response: answers.update({response.url: response.status}))
    page.goto(f"{address}/{lost}", wait_until="networkidle")
    assert {url for url, status in answers.items() if status >= 400} - {f"{address.removesuffix('/name')}/favicon.ico"} == {f"{address}/{lost}"}
    assert page.locator("article h1").inner_text() == "There is no such page"
    assert pages.foreign_requests(page.requests) == []
    links = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.href)")
    inside = [link for link in links if link.startswith(address.removesuffix("/name")) and not link.startswith(f"{address}/{lost}")]
    assert len(inside) > 5 and all((page.request.get(link)).status == 200 for link in set(inside)), inside
    page.get_by_label("Search for").fill("sentence")
    page.locator("article").get_by_role("button", name="Search").click()
    page.wait_for_url(f"{address}/search.html?q=sentence")
    page.locator("#search-results a", has_text="A first").wait_for()


def test_a_page_with_all_buttons_is_quiet_and_alone(address, new_page):
    page = new_page()
    for name in ("book/01_first", "book/cite", "book/index"):
        page.goto(f"{address}/{name}.html", wait_until="networkidle")
        assert pages.foreign_requests(page.requests) == []
        assert pages.console_errors(page.messages) == [], "the policy of the page lets the linked data be"
    page.goto(f"{address}/book/01_first.html")
    page.get_by_label("Launch interactive content").click()
    page.get_by_role("link", name="Colab").wait_for()
