"""The archives to take along: unpacked in an empty folder, the site is alive and a chapter runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile

import nbclient
import nbformat
import pytest
from bs4 import BeautifulSoup

import chapters
import pages
import problem_sets
from editions.zips import NOTEBOOKS, SITE, notebooks_zip, site_zip

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def site_archive(site, tmp_path_factory):
    target = tmp_path_factory.mktemp("site") / "deep" / "site.zip"
    site_zip(site, target)
    return target


@pytest.fixture(scope="module")
def notebooks_archive(tmp_path_factory):
    target = tmp_path_factory.mktemp("notebooks") / "notebooks.zip"
    notebooks_zip(chapters.ROOT, target)
    return target


def unpacked(archive, folder):
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    only, = folder.iterdir()
    return only


def names(archive):
    with zipfile.ZipFile(archive) as packed:
        return packed.namelist()


def test_the_site_is_alive_where_it_is_unpacked(site_archive, tmp_path, page):
    root = unpacked(site_archive, tmp_path)
    page.goto((root / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    pages.ready(page, "fig-product")
    pages.assert_moves(page, "fig-product", "factor")
    page.goto((root / "book" / "02_vanishing_in_depth.html").as_uri())
    pages.ready(page, "fig-activation")
    page.evaluate("window.MathJax?.startup.promise")
    assert page.locator("mjx-container").count() > 10
    assert pages.foreign_requests(page.requests) == []
    assert pages.console_errors(page.messages) == []


def test_every_file_that_a_page_of_the_archive_names_is_in_it(site_archive, tmp_path):
    root = unpacked(site_archive, tmp_path)
    for path in root.rglob("*.html"):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        for tag, key in (("a", "href"), ("link", "href"), ("script", "src"), ("img", "src")):
            for element in page.find_all(tag, attrs={key: True}):
                address = element[key].split("#")[0].split("?")[0]
                if address and ":" not in address and not address.startswith("//"):
                    assert (path.parent / address).exists(), f"{path.relative_to(root)}: {element[key]}"


def test_the_site_comes_without_what_only_a_server_or_a_builder_needs(site, site_archive, tmp_path):
    copy = tmp_path / "html"
    for name in ("index.html", "search.html", "searchindex.js", "objects.inv", ".buildinfo", "book/index.html", "_sources/book/index.md",
                 ".doctrees/environment.pickle", "404.html", "pyodide/python_stdlib.zip", "editions/gradients-through-time.pdf",
                 "_static/book.css", "_static/webpack-macros.html", "_static/scripts/bootstrap.js.map"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("x")
    site_zip(copy, tmp_path / "small.zip")
    assert names(tmp_path / "small.zip") == sorted(f"{SITE}/{name}" for name in ("index.html", "search.html", "searchindex.js", "book/index.html", "_static/book.css"))
    assert site_archive.stat().st_size < 20 * MEGABYTE
    pages = [path.relative_to(site) for path in site.rglob("*.html")]
    kept = {f"{SITE}/{page.as_posix()}" for page in pages if page.parts[0] not in ("_static", "404.html")}
    assert {name for name in names(site_archive) if name.endswith(".html")} == kept


def test_a_source_that_a_page_links_to_stays(tmp_path):
    copy = tmp_path / "html"
    for name in ("index.html", "search.html", "searchindex.js", "_sources/book/index.ipynb", "_sources/book/other.ipynb", "book/index.html"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text('<a href="../_sources/book/index.ipynb?x=1#y">' if name == "book/index.html" else "x")
    site_zip(copy, tmp_path / "small.zip")
    assert [name for name in names(tmp_path / "small.zip") if "_sources" in name] == [f"{SITE}/_sources/book/index.ipynb"]


@pytest.mark.parametrize("chapter", ["01_backpropagation", "09_lstm_paths"])  # the second reads figures.py and book/data
def test_a_chapter_runs_where_it_is_unpacked(chapter, notebooks_archive, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    book = unpacked(notebooks_archive, tmp_path) / "book"
    notebook = nbformat.read(book / f"{chapter}.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("import explorable, figures, gradients\nprint(explorable.__file__, figures.__file__, gradients.__file__)"))
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(book)}}).execute()
    files = notebook.cells[-1].outputs[0].text.split()
    assert len(files) == 3 and all(file.startswith(f"{book}{os.sep}") for file in files), files


def test_the_notebooks_come_with_what_they_need_and_no_more(notebooks_archive):
    inside = {name.removeprefix(f"{NOTEBOOKS}/") for name in names(notebooks_archive)}
    tracked = set(subprocess.run(["git", "ls-files", "-z"], cwd=chapters.ROOT, capture_output=True, text=True, check=True).stdout.split("\0"))
    assert inside <= tracked
    assert {f"book/{page.name}" for page in chapters.NOTEBOOKS} <= inside
    assert {f"book/assignments/release/{name}/{name}.ipynb" for name in problem_sets.SETS} <= inside
    assert {"LICENSE", "README.md", "requirements.txt", "pyproject.toml", "book/gradients/rnn.py", "book/data/long_range.jsonl"} <= inside
    assert not [name for name in inside if name.startswith(("tests", "_", ".", "book/assignments/source", "book/runnable"))]
    assert notebooks_archive.stat().st_size < 8 * MEGABYTE


def test_no_hidden_test_and_no_path_of_this_machine(site_archive, notebooks_archive, tmp_path):
    shown = "\n".join(cell for page in chapters.NOTEBOOKS for cell in chapters.code_cells(page))
    lines = {line for name in problem_sets.SETS for line in problem_sets.teachers_lines(name) if len(line) > 20 and line not in shown}
    assert len(lines) > 500
    for archive in (site_archive, notebooks_archive):
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                content = packed.read(name)
                assert str(chapters.ROOT).encode() not in content and str(tmp_path).encode() not in content, name
                if archive == notebooks_archive and name.endswith(".ipynb"):
                    text = content.decode().replace('\\"', '"')
                    assert not [line for line in lines if line in text], name
                assert not name.startswith("/") and ".." not in name.split("/")


def test_the_package_of_the_notebooks_can_be_built(notebooks_archive, tmp_path):
    """As `-e .` in its requirements wants: all that pyproject.toml names by file is there."""
    root = unpacked(notebooks_archive, tmp_path)
    assert "pip install -r requirements.txt\n" in (root / "README.md").read_text() and "jupyter lab book\n" in (root / "README.md").read_text()
    for module in ("figures.py", "results.py", "gradients/__init__.py", "explorable/static/explorable.js", "grading/__init__.py"):
        assert (root / "book" / module).exists(), module


def test_the_same_files_make_the_same_bytes(notebooks_archive, tmp_path):
    later = tmp_path / "copy"
    unpacked(notebooks_archive, tmp_path / "there")
    shutil.copytree(tmp_path / "there" / NOTEBOOKS, later)
    notebooks_zip(later, tmp_path / "again.zip")  # no git there
    assert (tmp_path / "again.zip").read_bytes() == notebooks_archive.read_bytes()
    with zipfile.ZipFile(notebooks_archive) as packed:
        assert packed.namelist() == sorted(packed.namelist())
        assert {entry.external_attr >> 16 for entry in packed.infolist()} == {0o100644}


def test_what_tools_leave_stays_out(notebooks_archive, tmp_path):
    root = unpacked(notebooks_archive, tmp_path / "there")
    for name in ("book/gradients/__pycache__/rnn.cpython-311.pyc", "book/explorable/build/lib/figure.py", "book/explorable/x.egg-info/PKG-INFO",
                 "book/assignments/source/ps1/ps1.ipynb", "book/assignments/submitted/ann/ps1/ps1.ipynb", "book/data/half.jsonl.part"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    notebooks_zip(root, tmp_path / "again.zip")
    assert names(tmp_path / "again.zip") == names(notebooks_archive)


def test_an_archive_is_whole_or_not_there(notebooks_archive, tmp_path, monkeypatch):
    target = tmp_path / "notebooks.zip"
    target.write_bytes(b"the one before")

    def full(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="no space left"):
        notebooks_zip(chapters.ROOT, target)
    assert target.read_bytes() == b"the one before" and list(tmp_path.iterdir()) == [target]


def test_what_is_missing_is_named(notebooks_archive, tmp_path):
    with pytest.raises(ValueError, match="no built site: .*index.html is missing"):
        site_zip(tmp_path, tmp_path / "site.zip")
    root = unpacked(notebooks_archive, tmp_path / "there")
    (root / "book" / "figures.mplstyle").unlink()
    with pytest.raises(ValueError, match="lacks book/figures.mplstyle"):
        notebooks_zip(root, tmp_path / "notebooks.zip")
    assert not (tmp_path / "site.zip").exists() and not (tmp_path / "notebooks.zip").exists()
