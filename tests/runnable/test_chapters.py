"""Every chapter's cells in a browser, against the stored outputs: with a full copy of Pyodide, the folder that PYODIDE names."""

import gzip
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest

import chapters
import pages
from runnable import pyodide

FOLDER = os.environ.get("PYODIDE")
EVERY = [path.stem for path in chapters.NOTEBOOKS if path.stem != "12_pytorch"]
SETTLED = '.runnable-bar[data-state="yours"]'

pytestmark = [
    pytest.mark.skipif(not FOLDER, reason="set PYODIDE to a full copy of Pyodide, as `python -m runnable.pyodide FOLDER` or tests/runnable/from_pypi.py makes it"),
    pytest.mark.timeout(3600),  # seconds; chapters 5 and 6 take minutes in a browser
]


def open_chapter(page, address: str, name: str) -> None:
    """Open a chapter of the built book at `address`, with Pyodide from FOLDER, if there is one."""
    if FOLDER:
        page.route("**/pyodide/**", lambda route: route.fulfill(path=os.path.join(FOLDER, route.request.url.rsplit("/", 1)[1])))
    page.goto(f"{address}/book/{name}.html")
    page.locator(".runnable-bar").first.wait_for()
    page.locator(".toggle-hidden").evaluate_all("(all) => all.forEach((one) => one.classList.remove('toggle-hidden'))")  # solutions


def run_to(page, place: int, seconds: float) -> None:
    """Run the cell at a place, and all above it that have not run."""
    cell = page.locator(f'[data-runnable="{place}"]')
    cell.get_by_role("button", name=re.compile("^Run cell")).click()
    for answer in (re.compile("^Load Python"), re.compile("^Run all above")):
        choice = cell.get_by_role("button", name=answer)
        choice.or_(cell.locator(".runnable-bar:not([data-state=stored])")).first.wait_for()
        if choice.count():
            choice.click()
    trouble = page.locator(".runnable-note:not([hidden])")
    cell.locator(SETTLED).or_(trouble).first.wait_for(timeout=1000 * seconds)
    assert trouble.all_text_contents() == []


def stored_texts(cell: dict) -> list[str]:
    """What a cell of a notebook printed, and the texts of its values that are neither pictures nor HTML."""
    texts = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if output["output_type"] == "stream" and output["name"] == "stdout":
            texts.append("".join(output["text"]))
        elif data.keys() == {"text/plain"}:
            texts.append("".join(data["text/plain"]))
    return [_comparable(text) for text in texts]


def _comparable(text: str) -> str:
    return re.sub(r"\b0x[0-9a-f]{6,16}\b", "MEMORY_ADDRESS", text)


def compare(page, name: str, seconds: float = 3000) -> int:
    """Run a chapter that is open, compare what it prints with its notebook, and tell how many cells printed."""
    notebook = json.loads((chapters.BOOK / f"{name}.ipynb").read_text())
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    on_page = [place for place in range(len(cells)) if page.locator(f'[data-runnable="{place}"]').count()]
    run_to(page, on_page[-1], seconds)
    for place in on_page:
        shown = page.locator(f'[data-runnable="{place}"] .runnable-yours > pre:not(.runnable-stderr)').all_text_contents()
        assert list(map(_comparable, shown)) == stored_texts(cells[place]), f"cell {place + 1}"
    assert pages.foreign_requests(page.requests) == []
    return sum(bool(stored_texts(cells[place])) for place in on_page)


@pytest.mark.parametrize("name", EVERY)
def test_a_chapter_prints_what_is_stored(page, address, name):
    open_chapter(page, address, name)
    assert compare(page, name) > 0


def test_the_figure_of_chapter_4_follows_the_hand(page, address):
    """A redraw takes at most 150 ms, 95 times of 100; other work on the machine may disturb two tries of three."""
    open_chapter(page, address, "04_what_vanishes")
    place = int(page.locator("[data-runnable]", has=page.locator("#fig-w-hh-scale")).get_attribute("data-runnable"))
    run_to(page, place, 600)
    pages.ready(page, "fig-w-hh-scale")
    assert any(np.percentile(redraws(page), 95) <= 0.15 for _ in range(3))


@pytest.mark.parametrize("packages", [["numpy"], ["matplotlib", "numpy", "pillow", "traitlets"], sorted(set(pyodide.PACKAGES.values()))])
def test_what_the_cdn_sends_is_about_what_is_said(packages):
    manifest = json.loads(Path(FOLDER, "manifest.json").read_text())
    files = {*pyodide.CORE, *(file for name in packages for file in manifest["packages"][name])}
    contents = [Path(FOLDER, file).read_bytes() for file in files]
    assert sum(min(len(content), len(gzip.compress(content))) for content in contents) / 1e6 == pytest.approx(pyodide.megabytes(packages), abs=0.7)


def redraws(page) -> list[float]:
    """Seconds from each of 40 moves of the slider of chapter 4's figure, which is live on `page`, to the figure redrawn."""
    text = page.locator("#fig-w-hh-scale .explorable-slot > text").first
    took = []
    for value in np.tile([0.75, 0.8], 20):
        before, began = text.text_content(), time.perf_counter()
        pages.set_control(page, "fig-w-hh-scale", "w_hh_scale", float(value))
        page.wait_for_function("(before) => document.querySelector('#fig-w-hh-scale .explorable-slot > text').textContent !== before", arg=before)
        took.append(time.perf_counter() - began)
    return took
