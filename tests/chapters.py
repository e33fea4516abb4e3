"""The book's pages and their code, for the tests of the notebooks and of the built site."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import nbformat
import yaml
from myst_nb.core.read import read_myst_markdown_notebook

ROOT = Path(__file__).parent.parent
BOOK = ROOT / "book"
BUILD = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]  # jupyter-book, of this Python
NOTEBOOKS = sorted(BOOK.glob("*.ipynb"))
UNNUMBERED = {"pretraining": 7, "prerequisites": 0}  # the chapter that each belongs to; 0 stands before all


def number(page: Path) -> int:
    """The number of the chapter that a page is, or belongs to."""
    return UNNUMBERED[page.stem] if page.stem in UNNUMBERED else int(page.stem[:2])


def names() -> list[str]:
    """Every page of the table of contents, as in _toc.yml: "book/index", …"""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def cells(page: Path) -> list:
    """The cells of a page: a notebook, or Markdown with code cells."""
    if page.suffix == ".ipynb":
        return nbformat.read(page, as_version=4).cells
    return read_myst_markdown_notebook(page.read_text(encoding="utf-8")).cells


def code_cells(page: Path) -> list[str]:
    """The code of a page."""
    return [cell.source for cell in cells(page) if cell.cell_type == "code"]


def explore_sources(code: str) -> list[ast.Call]:
    """The calls of `explore` in a piece of code."""
    return [
        node for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "explore"
    ]
