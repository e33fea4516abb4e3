"""What the Sphinx extension runs again, and what it cannot run; tests/built_book/test_small_books.py builds with it."""

import os
from unittest import mock

import docutils.core
import nbformat
import pytest
from nbformat.v4 import new_output

from explorable.execution import local_fingerprint
from explorable.sphinx_ext import lacking, namesakes
from samples import write


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


def test_only_missing_packages_are_lacking():
    needs = {"a.ipynb": "numpy", "b.ipynb": "rarely_installed"}
    assert lacking(needs) == {"b.ipynb": "rarely_installed"} and lacking({}) == {}


def page(*names, heading="Title"):
    """A page with a heading, and one raw output for each name."""
    outputs = (f'.. raw:: html\n\n   <figure class="explorable" id="{name}" data-tall><svg></svg></figure>\n' for name in names)
    return docutils.core.publish_doctree("\n".join([heading, "=" * len(heading), "", "Text.", "", *outputs]))


@pytest.mark.parametrize("names, heading, same", [
    (["fig-a", "fig-b"], "Title", []),
    (["fig-a", "fig-b", "fig-a"], "Title", ["fig-a"]),
    (["fig-a", "fig-b", "fig-b", "fig-b", "fig-a"], "Title", ["fig-a", "fig-b"]),
    (["fig-a"], "Fig A", ["fig-a"]),
])
def test_two_with_one_id_in_a_page_are_found(names, heading, same):
    assert namesakes(page(*names, heading=heading)) == same


def test_a_build_with_one_id_in_two_cells_fails(tmp_path):
    """Whether or not warnings are errors."""
    from sphinx.application import Sphinx
    from sphinx.errors import ExtensionError

    (tmp_path / "conf.py").write_text("extensions = ['myst_nb', 'explorable.sphinx_ext']\nnb_execution_mode = 'off'\n")
    write(tmp_path / "index.ipynb", "first", "second")
    notebook = nbformat.read(tmp_path / "index.ipynb", as_version=4)
    for cell in notebook.cells[1:]:
        cell.outputs = [new_output("display_data", {"text/html": '<figure class="explorable" id="fig-a"></figure>'})]
    nbformat.write(notebook, tmp_path / "index.ipynb")
    with mock.patch.dict(os.environ), pytest.raises(ExtensionError, match="index: the id 'fig-a' stands in the page more than once"):
        Sphinx(tmp_path, tmp_path, tmp_path / "out", tmp_path / "trees", "html", status=None, warning=None).build()
