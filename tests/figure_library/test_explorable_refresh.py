"""Refreshing a notebook: outputs are stored, and nothing that changes from run to run."""

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

from explorable.refresh import refresh

SOURCE = """\
import matplotlib.pyplot as plt
from ipywidgets import FloatSlider
from explorable import explore
fig, ax = plt.subplots(figsize=(2, 2))
line, = ax.plot([0, 1])
def update(a):
    line.set_ydata([0, a])
    return line,
explore(fig, update, a=FloatSlider(min=0, max=1, step=0.5), id="fig-a", alt="A.", caption="A.")"""


def write(path, *sources, **metadata):
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources], metadata=metadata)
    nbformat.write(notebook, path)
    return path


def test_refreshing_twice_changes_nothing_and_leaves_no_widgets(tmp_path):
    path = write(tmp_path / "a.ipynb", SOURCE, "print(1 + 1)", kernelspec={"name": "no-such-kernel", "display_name": "x"},
                 widgets={"application/vnd.jupyter.widget-state+json": {"state": {}}})
    refresh(path)
    first = path.read_bytes()
    refresh(path)
    assert path.read_bytes() == first
    for word in (b"widget-view", b"widget-state", b"model_id", b"text/html", b"no-such-kernel", b"iopub"):
        assert word not in first
    explored, printed = nbformat.read(path, as_version=4).cells
    assert set(explored.outputs[0].data) == {"image/png", "text/plain"}
    assert explored.outputs[0].data["text/plain"] == "<Explorable fig-a: 1 control, 3 states>"
    assert printed.outputs[0].text == "2\n" and (explored.execution_count, printed.execution_count) == (1, 2)
    assert first.endswith(b"}\n") and not first.endswith(b"\n\n")


def test_a_notebook_runs_in_its_own_folder(tmp_path):
    (tmp_path / "beside.py").write_text("value = 42\n")
    path = write(tmp_path / "a.ipynb", "from beside import value\nprint(value)")
    refresh(path)
    assert nbformat.read(path, as_version=4).cells[0].outputs[0].text == "42\n"


def test_a_notebook_that_raises_is_left_untouched(tmp_path):
    path = write(tmp_path / "a.ipynb", "print(1)", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        refresh(path)
    assert path.read_bytes() == before
