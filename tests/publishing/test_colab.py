"""Copies for Colab: what is in them, and that one that comes alone runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import chapters
from publishing import colab


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A repository of the book as it is now; its address and its commit."""
    root = tmp_path_factory.mktemp("origin")
    shutil.copytree(chapters.BOOK, root / "book", ignore=shutil.ignore_patterns("__pycache__", "assignments", ".ipynb_checkpoints"))
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, check=True, capture_output=True, text=True).stdout.strip()
    return root.as_uri(), commit


@pytest.fixture(scope="module")
def copies(origin, tmp_path_factory):
    target = tmp_path_factory.mktemp("copies")
    (target / "left_over.ipynb").write_text("{}")
    colab.make(target, *origin)
    return target


def test_every_notebook_has_a_copy_with_one_more_cell_and_its_outputs(copies, origin):
    assert sorted(path.relative_to(copies).as_posix() for path in copies.rglob("*.*")) == [f"book/{path.name}" for path in chapters.NOTEBOOKS]
    for original in chapters.NOTEBOOKS:
        copy = nbformat.read(copies / "book" / original.name, as_version=nbformat.NO_CONVERT)
        nbformat.validate(copy)
        first, *rest = copy.cells
        assert rest == nbformat.read(original, as_version=nbformat.NO_CONVERT).cells
        assert first.cell_type == "code" and first.outputs == [] and all(repr(word) in first.source for word in origin)
        compile(first.source, original.name, "exec")


def needed(path) -> dict:
    line, = (line for line in nbformat.read(path, as_version=4).cells[0].source.splitlines() if line.startswith("needed = "))
    return eval(line.removeprefix("needed = "))


def test_a_copy_needs_what_it_imports_itself_or_through_the_books_code(copies):
    pins = (chapters.ROOT / "requirements.txt").read_text() + (chapters.ROOT / "requirements-torch.txt").read_text()
    for path in copies.rglob("*.ipynb"):
        assert {"numpy"} <= needed(path).keys() <= {"numpy", "matplotlib", "ipywidgets", "PIL", "scipy", "torch"}
        assert all(f"\n{package}" in f"\n{pins}" for package in needed(path).values())
    assert "torch" in needed(copies / "book" / "12_pytorch.ipynb") and "torch" not in needed(copies / "book" / "13_today.ipynb")
    assert needed(copies / "book" / "01_backpropagation.ipynb").keys() == {"numpy", "matplotlib", "ipywidgets", "PIL"}
    assert "scipy" in needed(copies / "book" / "05_exploding_and_clipping.ipynb")


def test_the_first_cell_installs_what_is_missing_and_nothing_else(copies, tmp_path):
    """In an environment with nothing in it but a pip that says what it was asked for; see also the next test."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    house = next((tmp_path / "venv").glob("**/site-packages"))
    (house / "numpy").mkdir()
    (house / "numpy" / "__init__.py").write_text("")
    (house / "pip.py").write_text("import pathlib, sys\npathlib.Path(sys.argv[-1] + '.asked').write_text(' '.join(sys.argv[1:]))\n")
    source = nbformat.read(copies / "book" / "05_exploding_and_clipping.ipynb", as_version=4).cells[0].source
    (tmp_path / "alone").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    script = f"{source}\nprint(os.getcwd())\n{source}\nprint(os.getcwd(), sys.path.count(os.getcwd()))"
    done = subprocess.run([next((tmp_path / "venv").glob("bin/python")), "-c", script], cwd=tmp_path / "alone", env=environment,
                          check=True, capture_output=True, text=True)
    book = tmp_path / "alone" / colab.FOLDER / "book"
    assert done.stdout.splitlines() == [str(book), f"{book} 1"], "it may run again"
    asked, = book.glob("*.asked")
    pins = needed(copies / "book" / "05_exploding_and_clipping.ipynb")
    assert asked.read_text().split() == ["install", "--quiet", *(pin for module, pin in pins.items() if module != "numpy")]


def test_a_copy_that_comes_alone_runs(copies, tmp_path, monkeypatch):
    """With the packages of this environment, and the book's own code from the repository that the cell fetched."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = nbformat.read(copies / "book" / "01_backpropagation.ipynb", as_version=4)
    live = next(index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code" and "Slider(" in cell.source)
    notebook.cells = notebook.cells[:live + 1]
    notebook.cells.append(nbformat.v4.new_code_cell("import explorable, gradients, figures\n[m.__file__ for m in (explorable, gradients, figures)]"))
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.data for output in notebook.cells[live].outputs if "data" in output]
    assert any({"image/png", "application/vnd.jupyter.widget-view+json"} <= data.keys() for data in shown), "a figure with live sliders"
    files = eval(notebook.cells[-1].outputs[0].data["text/plain"])
    assert all(Path(file).is_relative_to(tmp_path / colab.FOLDER / "book") for file in files)
    assert sorted(path.name for path in tmp_path.iterdir()) == [colab.FOLDER]


def test_the_command_needs_a_repository(tmp_path):
    environment = os.environ | {"BOOK_REPOSITORY": ""}
    done = subprocess.run([sys.executable, "-m", "publishing.colab"], capture_output=True, text=True, env=environment)
    assert done.returncode != 0 and "BOOK_REPOSITORY" in done.stderr and "Traceback" not in done.stderr
    done = subprocess.run([sys.executable, "-m", "publishing.colab"], capture_output=True, text=True, env=environment | {"BOOK_REPOSITORY": "owner/name"})
    assert done.returncode != 0 and "BOOK_REPOSITORY is 'owner/name'" in done.stderr and "Traceback" not in done.stderr
