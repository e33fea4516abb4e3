"""Every question's right answer is proved by the chapter that asks: its proof, evaluated where it stands, says the same."""

import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell

import chapters
import harvest
import proofs

NEEDS = yaml.safe_load((chapters.ROOT / "_config.yml").read_text())["sphinx"]["config"]["explorable_needs"]


def faults(name, found, values) -> list[str]:
    """What is wrong in the page `name`, by the values of its proofs."""
    said = {proof.label: proof.fault(values[proof.label]) for proof in found}
    return [f"{name}, {label}: {fault}" for label, fault in said.items() if fault]


@pytest.mark.parametrize("name", chapters.names())
def test_every_right_answer_is_proved(name, request):
    path = next(path for suffix in (".ipynb", ".md") if (path := chapters.ROOT / f"{name}{suffix}").exists())
    cells = chapters.cells(path)
    found = proofs.in_cells(cells)
    assert len(found) == sum(cell.source.count("{predicted}") for cell in cells if cell.cell_type == "markdown"), "one cannot be read"
    if not found:
        return
    package = NEEDS.get(path.relative_to(chapters.ROOT).as_posix())
    if package:
        request.getfixturevalue(package)
    assert faults(name, found, harvest.proved(path)) == []


def predicted(label, *options):
    return f":::{{predicted}} {label}\n" + "".join(f":{option}\n" for option in options) + "\n1. One.\n2. Two.\n3. Three.\n:::"


CELLS = [
    new_markdown_cell("# Title\n\n:::{predict} predict-a\nWhat?\n\n1. a\n2. b\n3. c\n:::"),
    new_code_cell("share = 0.95"),
    new_markdown_cell(f"{predicted('predict-a', 'right: 3', 'proof: share > 0.9')}\n\nText.\n\n"
                      + predicted("predict-b", "right: 1", "proof: share > 0.99").replace(":::", "```")),
    new_code_cell("share = 0.5\nsteps = 66.3"),
    new_markdown_cell(predicted("predict-c", "right: 66", "within: 1.5", "proof: steps")),
]


def test_proofs_are_found_with_the_cells_above_them():
    assert proofs.in_cells(CELLS) == [
        ("predict-a", "3", "share > 0.9", False, 1), ("predict-b", "1", "share > 0.99", False, 1), ("predict-c", "66", "steps", True, 2)]


def test_a_proof_is_evaluated_at_its_place(tmp_path, monkeypatch):
    import nbformat

    nbformat.write(nbformat.v4.new_notebook(cells=CELLS), tmp_path / "page.ipynb")
    monkeypatch.setattr(chapters, "ROOT", tmp_path)
    values = harvest.proved(tmp_path / "page.ipynb")
    assert values == {"predict-a": True, "predict-b": False, "predict-c": 66.3}
    assert faults("page", proofs.in_cells(CELLS), values) == ["page, predict-b: share > 0.99 is False; wanted True"]


@pytest.mark.parametrize("expression, value", [
    ("x > 1", True), ("np.bool_(x > 1)", True), ("x > 2", False), ("x", 1.5), ("3", 3.0), ("[x]", "[1.5]"), ("y", "NameError: name 'y' is not defined"),
    ("np.array([True])", "array([ True])"), ("'True'", "True")])
def test_a_value_is_a_truth_a_number_or_words(expression, value, monkeypatch):
    import numpy as np

    monkeypatch.setattr(proofs, "_values", {})
    proofs.evaluate("predict-a", expression, {"x": 1.5, "np": np})
    assert proofs._values == {"predict-a": value}


@pytest.mark.parametrize("right, is_number, value, proved", [
    ("3", False, True, True), ("3", False, False, False), ("3", False, 1.0, False), ("3", False, "True", False), ("1", True, True, False),
    ("66", True, 66.4, True), ("66", True, 66.6, False), ("66", True, "NameError", False), ("0.37", True, 0.3749, True), ("0.37", True, 0.376, False),
    ("1.2e3", True, 1240.0, True), ("1.2e3", True, 1260.0, False), ("1200", True, 1201.0, False), ("-0.50", True, -0.502, True)])
def test_a_number_is_compared_in_the_digits_of_right(right, is_number, value, proved):
    assert (proofs.Proof("predict-a", right, "x", is_number, 1).fault(value) is None) == proved
