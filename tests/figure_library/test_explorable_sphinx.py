"""The Sphinx extension: what is run again, when, and that failures stop a build."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from explorable.execution import local_fingerprint
from explorable.figure import RECORD
from explorable.sphinx_ext import lacking

# Local modules ---------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "direct.py").write_text("import deeper\n")
    (tmp_path / "deeper.py").write_text("x = 1\n")
    (tmp_path / "second.py").write_text("y = 1\n")
    (tmp_path / "unrelated.py").write_text("z = 1\n")
    package = tmp_path / "package"
    (package / "static").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("from . import other\n")
    (package / "other.py").write_text("")
    (package / "static" / "script.js").write_text("")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "part.pyc").write_text("")
    write(tmp_path / "a.ipynb", "import numpy as np, direct, second\nfrom package.part import f")
    return tmp_path


def write(path, *sources):
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Title"), *map(new_code_cell, sources)]), path)


@pytest.mark.parametrize("name, counts", [
    ("direct.py", True), ("deeper.py", True), ("second.py", True), ("package/other.py", True), ("package/__init__.py", True),
    ("package/static/script.js", True), ("package/__pycache__/part.pyc", False), ("unrelated.py", False),
    ("style.mplstyle", True)])
def test_the_fingerprint_follows_imports(folder, name, counts):
    before = local_fingerprint(folder / "a.ipynb")
    assert before and local_fingerprint(folder / "a.ipynb") == before
    (folder / name).write_text("changed = 2\n")
    assert (local_fingerprint(folder / "a.ipynb") != before) == counts


def test_a_document_that_imports_nothing_local_has_none(folder):
    write(folder / "b.ipynb", "import numpy\nimport nothing_here")
    assert local_fingerprint(folder / "b.ipynb") == ""


def test_the_fingerprint_follows_the_data_that_a_document_names(folder):
    (folder / "data").mkdir()
    write(folder / "b.ipynb", 'rows = [json.loads(line) for line in open("data/runs.jsonl")]')
    for name in ("runs.jsonl", "other.jsonl"):
        (folder / "data" / name).write_text("1\n")
    before = local_fingerprint(folder / "b.ipynb")
    assert before
    (folder / "data" / "other.jsonl").write_text("2\n")
    assert local_fingerprint(folder / "b.ipynb") == before
    (folder / "data" / "runs.jsonl").write_text("2\n")
    assert local_fingerprint(folder / "b.ipynb") != before


def test_a_folder_that_a_document_names_counts_with_all_that_is_in_it(folder):
    inside = folder / "assignments" / "source" / "ps1" / "ps1.ipynb"
    inside.parent.mkdir(parents=True)
    inside.write_text("1")
    write(folder / "b.ipynb", 'shutil.copytree("assignments/source/ps1", course)')
    before = local_fingerprint(folder / "b.ipynb")
    inside.write_text("2")
    assert before and local_fingerprint(folder / "b.ipynb") != before


def test_modules_that_import_each_other(folder):
    (folder / "deeper.py").write_text("import direct\n")
    assert local_fingerprint(folder / "a.ipynb")


# A small book ----------------------------------------------------------------

EXPLORED = """\
import matplotlib.pyplot as plt
from ipywidgets import IntSlider
from explorable import explore
import wave_
open("runs.txt", "a").write("moving ")
fig, ax = plt.subplots(figsize=(2, 2))
line, = ax.plot([0, 1])
def update(n):
    line.set_ydata([0, wave_.height(n)])
    return line,
explore(fig, update, n=IntSlider(min=0, max=3), id="fig-wave", alt="A wave.", caption="A wave.")"""


def build(book, *path):
    environment = {name: value for name, value in os.environ.items() if name != RECORD}
    environment["PYTHONPATH"] = os.pathsep.join([*map(str, path), str(Path(__file__).parents[2] / "book"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html", str(book), str(book / "_build" / "html")],
        capture_output=True, text=True, env=environment, timeout=300)
    return done.returncode, done.stdout + done.stderr


def runs(book):
    """Which notebooks have run since the last call."""
    log = book / "runs.txt"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(names)


def test_a_notebook_whose_package_is_missing_shows_its_stored_outputs(tmp_path):
    """No slider of it is recorded, nothing is run, and nothing warns; once the package is there, it is run."""
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'explorable.sphinx_ext']\n"
        "exclude_patterns = ['_build']\n"
        "nb_execution_mode = 'cache'\n"
        "nb_ipywidgets_js = {}\n"
        "explorable_needs = {'part/needy.ipynb': 'rarely_installed', 'plain.ipynb': 'numpy'}\n")
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\npart/needy\nplain\n```\n")
    (tmp_path / "part").mkdir()
    write(tmp_path / "plain.ipynb", "print('fresh', 'plain')")
    write(tmp_path / "part" / "needy.ipynb", "import rarely_installed\nprint('fresh', rarely_installed.x)")
    stored = nbformat.read(tmp_path / "part" / "needy.ipynb", as_version=4)
    stored.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    stored.cells[1].outputs = [new_output("stream", text="stored outcome\n")]
    nbformat.write(stored, tmp_path / "part" / "needy.ipynb")
    page = tmp_path / "_build" / "html" / "part" / "needy.html"

    code, output = build(tmp_path)
    assert code == 0, output
    assert "part/needy.ipynb is not run: rarely_installed is missing" in output and "numpy is missing" not in output
    assert "stored outcome" in page.read_text()
    assert "fresh plain" in (page.parents[1] / "plain.html").read_text()

    (tmp_path / "part" / "rarely_installed.py").write_text("x = 5\n")
    code, output = build(tmp_path, tmp_path / "part")
    assert code == 0 and "is missing" not in output, output
    assert "fresh 5" in page.read_text() and "stored outcome" not in page.read_text()

    code, output = build(tmp_path)
    assert code == 0 and "stored outcome" in page.read_text(), output


def test_only_missing_packages_are_lacking():
    needs = {"a.ipynb": "numpy", "b.ipynb": "rarely_installed"}
    assert lacking(needs) == {"b.ipynb": "rarely_installed"} and lacking({}) == {}


def test_a_book_is_built_again_only_where_it_changed_and_fails_where_update_fails(tmp_path):
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'explorable.sphinx_ext']\n"
        "exclude_patterns = ['_build']\n"
        "nb_execution_mode = 'cache'\n"
        "nb_execution_show_tb = True\n"
        "nb_ipywidgets_js = {}\n"
        "nb_mime_priority_overrides = [['html', 'text/html', 1]]\n")
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\nmoving\nstill\n```\n")
    (tmp_path / "wave_.py").write_text("def height(n):\n    return n / 3\n")
    write(tmp_path / "moving.ipynb", EXPLORED)
    write(tmp_path / "still.ipynb", 'open("runs.txt", "a").write("still ");')
    page = tmp_path / "_build" / "html" / "moving.html"

    code, output = build(tmp_path)
    assert code == 0, output
    assert runs(tmp_path) == ["moving", "still"]
    html = page.read_text()
    assert '<figure class="explorable" id="fig-wave">' in html and "explorable-recording" in html
    assert "explorable.js" in html and "explorable.css" in html and "widget-view" not in html
    for name in ("explorable.js", "explorable.css"):
        assert (page.parent / "_static" / name).exists()

    code, output = build(tmp_path)
    assert code == 0 and runs(tmp_path) == [], output

    (tmp_path / "wave_.py").write_text("def height(n):\n    return 1 - n / 3\n")
    code, output = build(tmp_path)
    assert code == 0 and runs(tmp_path) == ["moving"], output
    assert page.read_text() != html

    (tmp_path / "wave_.py").write_text("def height(n):\n    return 1 / (2 - n)\n")
    for attempt in (1, 2):  # a failure is not forgotten by the next build
        code, output = build(tmp_path)
        assert code != 0, f"attempt {attempt}: {output}"
        assert "update raised ZeroDivisionError at n=2" in output
        assert runs(tmp_path) == ["moving"]
