"""An explorable in a real JupyterLab: the widgets show, and the keyboard moves the figure."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import servers

CELL = """
import matplotlib.pyplot as plt
from ipywidgets import IntSlider
from explorable import explore

fig, ax = plt.subplots()
line, = ax.plot([0, 1], [0, 0])

def update(height):
    line.set_ydata([0, height])
    return line,

explore(fig, update, height=IntSlider(min=0, max=5, value=1), id="fig-lab", alt="A line.", caption="A line $y$.")
"""


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab in a folder with one notebook."""
    notebook = new_notebook(cells=[new_code_cell(CELL)])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, str(tmp_path / "live.ipynb"))
    environment = {name: value for name, value in os.environ.items() if name != "EXPLORABLE_RECORD"}
    with servers.jupyter("jupyterlab", tmp_path, "--IdentityProvider.token=", environment=environment) as address:
        yield address


def test_the_keyboard_moves_a_live_figure(lab, new_page):
    page = new_page(viewport={"width": 1300, "height": 1000})
    # What JupyterLab asks on a slow machine, such as for a kernel.
    page.add_locator_handler(page.locator("dialog.jp-Dialog"), lambda dialog: dialog.locator("button.jp-mod-accept").click())
    page.goto(f"{lab}/lab/tree/live.ipynb")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=60_000)
    picture = page.locator("img.widget-image")
    for _ in range(10):  # what is run before the kernel has connected is lost without a word
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(3000)
        if page.locator(".widget-readout").count():
            break
    picture.wait_for(timeout=5000)
    assert page.locator(".jp-OutputArea-output img").count() == 1, "the figure is there once"
    before = picture.get_attribute("src")
    page.locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("before => document.querySelector('img.widget-image').src !== before", arg=before)
    assert page.locator(".widget-readout").inner_text() == "2"
