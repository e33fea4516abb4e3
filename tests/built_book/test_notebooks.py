"""The house rules of a chapter (nbval checks that it runs and prints what is stored)."""

from __future__ import annotations

import ast
import re
import statistics
import unicodedata

import nbformat
import pytest

import chapters
import gradients

pytestmark = pytest.mark.parametrize("path", chapters.NOTEBOOKS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def lines(cell):
    return [line for line in cell.source.splitlines() if line.strip()]


def test_cells_are_short_and_prose_comes_first(path):
    notebook = read(path)
    lengths = [len(lines(cell)) for cell in code(notebook)]
    assert statistics.median(lengths) <= 5
    assert max(lengths) <= 25
    assert len(prose(notebook).split()) >= 10 * sum(lengths)


def test_visible_lines_fit_the_page(path):
    long = [
        line for cell in code(read(path)) if "hide-input" not in cell.metadata.get("tags", [])
        for line in lines(cell) if len(line) > 84
    ]
    assert long == []


def test_stored_outputs_are_whole_and_clean(path):
    cells = code(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")
            assert "text/html" not in output.get("data", {}), "a recording does not belong in a stored notebook"


def modules_of_gradients(code):
    """Which modules of the package a piece of code imports."""
    nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
    inside = {node.module.removeprefix("gradients.") for node in nodes if node.module.startswith("gradients.")}
    return inside | {alias.name for node in nodes if node.module == "gradients" for alias in node.names}


def test_the_list_of_modules_says_where_they_are_used(path):
    """In `gradients.__doc__`: in the cells of a chapter or of its appendix, or in the experiment of the chapter."""
    number = chapters.number(path)
    rows = re.findall(r"^(\w+)  .*?  ([\d, ]+)$", gradients.__doc__, flags=re.M)
    listed = {module for module, places in rows if number in map(int, places.split(","))}
    scripts = [script.read_text(encoding="utf-8") for script in chapters.BOOK.glob("experiments/*.py")]
    pages = [page for page in chapters.NOTEBOOKS if chapters.number(page) == number]
    codes = [*(cell for page in pages for cell in chapters.code_cells(page)), *(code for code in scripts if re.search(rf"chapter {number}\b", code))]
    assert listed == set().union(*map(modules_of_gradients, codes))


def test_no_star_imports_and_no_global_seed(path):
    for cell in code(read(path)):
        assert "import *" not in cell.source
        assert not re.search(r"random\.seed\(|np\.random\.(rand|randn|normal|uniform)\b", cell.source)


def plain(text: str) -> str:
    """Lower case, with w₅, $w_5$ and w5 all the same."""
    text = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[${}_\\.]", "", text)


def test_every_control_is_in_what_to_try(path):
    """After each explorable the text says "What to try" and names every control in bold."""
    cells = read(path).cells
    for number, cell in enumerate(cells):
        if cell.cell_type != "code":
            continue
        for call in chapters.explore_sources(cell.source):
            controls = [k for k in call.keywords if k.arg not in ("id", "alt", "caption", "handles")]
            if not controls:
                continue
            after = "\n".join(c.source for c in cells[number + 1 :] if c.cell_type == "markdown")
            found = re.search(r"What to try\.?(?:\*\*)?(.*?)(?=^## |\Z)", after, re.S | re.M)
            assert found, "no text 'What to try' follows"
            bold = plain(" | ".join(re.findall(r"\*\*(.+?)\*\*", found[1])))
            for control in controls:
                description = next(k.value.value for k in control.value.keywords if k.arg == "description")
                assert plain(description) in bold, f"**{description}** is not under 'What to try'"


def test_numbers_in_the_text_are_printed(path):
    """A number with three or more decimals in the text stands in an output (solutions apart)."""
    notebook = read(path)
    printed = " ".join(
        output.get("text", "") for cell in code(notebook) for output in cell.outputs
    ) + " ".join(cell.source for cell in code(notebook))
    text = re.sub(r":::\{solution.*?^:::$", "", prose(notebook), flags=re.S | re.M)
    text = re.sub(r"href=\"[^\"]*\"", "", text)
    for number in re.findall(r"(?<![\d.])\d+\.\d{3,}(?![\d.]*\d)", text):
        assert number in printed or number == "0.0000351085", f"{number} is in the text, but no cell prints it"


def test_imports_are_used(path):
    """What a chapter imports, it uses."""
    source = "\n".join(cell.source for cell in code(read(path)))
    imported = {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.walk(ast.parse(source)) if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert imported <= used, f"never used: {imported - used}"


def bound(tree: ast.AST) -> set[str]:
    """The global names that a cell sets."""
    inside = {id(child) for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.comprehension))
              for child in ast.walk(node) if child is not node}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return functions | {node.id for node in ast.walk(tree)
                        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in inside}


def test_no_later_cell_takes_a_name_from_a_figure(path):
    """A slider runs its `update` long after the last cell: what it reads must still be there."""
    trees = [ast.parse(cell.source) for cell in code(read(path))]
    for number, tree in enumerate(trees):
        for update in (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "update"):
            read_there = {node.id for node in ast.walk(update) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
            own = {node.id for node in ast.walk(update) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
            own |= {argument.arg for argument in update.args.args}
            for later in trees[number + 1:]:
                assert not (read_there - own) & bound(later)
