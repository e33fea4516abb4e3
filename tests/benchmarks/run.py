"""Measures `explorable` and the built book against their budgets: ``python tests/benchmarks/run.py [--quick]``.

Needs Chromium (see tests/conftest.py). The pages measured are those in
_build/html; without them only a made-up explorable is: 5 curves of 100 points,
1,000 states. ``--quick`` leaves out the builds.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "figure_library"), str(ROOT / "book")]

import matplotlib.pyplot as plt
import nbformat
import numpy as np
from ipywidgets import FloatSlider, IntSlider
from playwright.sync_api import sync_playwright

import chapters
import pages
from conftest import serve
from editions.browser import FLAGS, HOW_TO_GET_ONE, find_chromium
from explorable import explore
from explorable.figure import RECORD
from explorable.recording import _deflate, _pack
from test_explorable_browser import html
from test_explorable_recording import decode

SITE = ROOT / "_build" / "html"
MOVES = 500  # slider moves timed on each explorable

# Puts every control at a random value, then times one input event: its script, and script and layout.
TIME_MOVES = """
(figure, moves) => {
  let seed = 1;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  const fields = [...figure.querySelectorAll(".explorable-controls input, .explorable-controls select")];
  const svg = figure.querySelector("svg"), script = [], layout = [];
  for (let move = 0; move < moves + 20; move++) {
    for (const field of fields) {
      if (field.type === "range")
        field.value = Number(field.min) + field.step * random(Math.round((field.max - field.min) / field.step) + 1);
      else if (field.tagName === "SELECT") field.selectedIndex = random(field.options.length);
      else field.checked = random(2) === 1 || (field.type === "radio" && field.checked);
    }
    const start = performance.now();
    fields[0].dispatchEvent(new Event("input", { bubbles: true }));
    const scripted = performance.now();
    svg.getBBox();
    if (move < 20) continue; // warm up
    script.push(scripted - start);
    layout.push(performance.now() - start);
  }
  return [script, layout];
}
"""


class Table:
    """Rows of: what was measured, the number, its budget, and whether it is kept."""

    def __init__(self):
        self.rows = []

    def add(self, what: str, value: float, unit: str, budget: float | None = None) -> None:
        kept = "" if budget is None else "ok" if value <= budget else "OVER"
        self.rows.append((what, f"{value:.3g} {unit}", "" if budget is None else f"{budget:g} {unit}", kept))

    def __str__(self) -> str:
        rows = [("measured", "value", "budget", ""), *self.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def synthetic():
    """5 curves x 100 points x 1,000 states."""
    fig, ax = plt.subplots(figsize=(6, 4))
    x = np.linspace(0, 10, 100)
    curves = [ax.plot(x, x)[0] for _ in range(5)]
    ax.set_ylim(-5, 5)

    def update(rate, phase):
        for k, curve in enumerate(curves):
            curve.set_ydata((1 + k) * np.exp(-rate * x) * np.cos((1 + k / 4) * x + phase / 5))
        return curves

    controls = dict(rate=FloatSlider(min=0, max=0.98, step=0.02, value=0), phase=IntSlider(min=0, max=19, value=0))
    return fig, update, dict(id="fig-synthetic", alt="Five damped waves.", caption="Five damped waves.", **controls)


def recorded() -> tuple[str, float]:
    """The synthetic explorable as HTML, and how long recording a state took, in ms."""
    fig, update, options = synthetic()
    os.environ[RECORD] = "1"
    start = time.perf_counter()
    explorable = explore(fig, update, **options)
    seconds = time.perf_counter() - start
    del os.environ[RECORD]
    return explorable._html, seconds * 1000 / explorable.grid.size


def live_move() -> float:
    """What the kernel does when a reader moves a slider: median ms over 30 moves."""
    fig, update, options = synthetic()
    explorable = explore(fig, update, **options)
    explorable._repr_mimebundle_()
    slider, times = options["phase"], []
    for move in range(30):
        start = time.perf_counter()
        slider.value = (slider.value + 7) % 20
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def add_size(table: Table, name: str, figure_html: str) -> None:
    """KB of a recorded figure, and bytes of its curves for each 100 points and state."""
    table.add(f"{name}: all of it in the page", len(figure_html) / 1000, "KB")
    found = re.search(r'class="explorable-recording">([^<]+)<', figure_html)
    data = base64.b64decode(found[1])
    table.add(f"{name}: recording, deflated", len(data) / 1000, "KB", 150)
    size = vertices = 0
    for track in decode(data)["tracks"]:
        if track["tag"] == "path" and track["counts"].max() >= 50:  # a curve, no marker or arrow
            size += len(_deflate(b"".join(_pack(track[xy])[1] for xy in "xy")))
            vertices += track["counts"][0][track["shape"][0]][track["style"][0] > 0].sum()
    if vertices:
        table.add(f"{name}: curves, deflated, per 100 points and state", size * 100 / vertices, "B", 25)


def add_latency(table: Table, name: str, figure) -> None:
    script, layout = figure.evaluate(TIME_MOVES, MOVES)
    for what, times, budget in (("script", script, 2), ("script + layout", layout, None)):
        table.add(f"{name}: slider, {what}, p50", np.percentile(times, 50), "ms")
        table.add(f"{name}: slider, {what}, p95", np.percentile(times, 95), "ms", budget)


def page_weight(requests: list[str]) -> float:
    """MB of the files that a page asked for, gzipped, without MathJax."""
    total = 0
    for path in {unquote(urlsplit(url).path) for url in requests if "mathjax" not in url.lower()}:
        file = SITE / path.lstrip("/")
        if file.is_file():
            total += len(gzip.compress(file.read_bytes(), 6))
    return total / 1e6


def measure_pages(table: Table, browser, folder: Path, start_server) -> None:
    (folder / "synthetic.html").write_text(html(recorded()[0]), encoding="utf-8")
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    page.goto(f"{start_server(folder)}/synthetic.html")
    add_latency(table, "synthetic", pages.ready(page, "fig-synthetic"))
    if not SITE.exists():
        print("no _build/html: only the synthetic explorable is measured", file=sys.stderr)
        return
    address = start_server(SITE)
    for built in sorted((SITE / "book").glob("*.html")):
        page = context.new_page()
        pages.watch(page)
        page.goto(f"{address}/book/{built.name}", wait_until="networkidle")
        table.add(f"{built.stem}: page, gzipped", page_weight(page.requests), "MB", 1)
        for figure in page.locator("figure.explorable:has(form)").all():
            name = figure.get_attribute("id")
            add_latency(table, name, pages.ready(page, name))
            source = built.read_text(encoding="utf-8")
            start = source.index(f'<figure class="explorable" id="{name}">')
            add_size(table, name, source[start : source.index("</figure>", start)])
        page.close()


def add_builds(table: Table) -> None:
    """`jupyter-book build` of a copy: everything, nothing new, after an edit of a chapter's prose, and of one of its cells."""
    def edit(cell_type, more):
        path = copy / "book" / "10_gru.ipynb"
        notebook = nbformat.read(path, as_version=4)
        [cell for cell in notebook.cells if cell.cell_type == cell_type][-1].source += more
        nbformat.write(notebook, path)

    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns("_build", ".*", "venv", "__pycache__"))
        command = [*chapters.BUILD, str(copy)]
        environment = os.environ | {"PYTHONPATH": str(copy / "book")}
        for what, *change in (("cold",), ("nothing new",), ("a sentence of chapter 10", "markdown", "\n\nMore."),
                              ("a cell of chapter 10", "code", "\n# more")):
            if change:
                edit(*change)
            start = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            if done.returncode:
                sys.exit(done.stdout + done.stderr)
            table.add(f"build, {what}", time.perf_counter() - start, "s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out the builds")
    quick = parser.parse_args().quick
    table = Table()
    figure_html, per_state = recorded()
    table.add("synthetic: recording a state", per_state, "ms", 10)
    add_size(table, "synthetic", figure_html)
    table.add("synthetic: a live slider move in the kernel", live_move(), "ms")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        executable = find_chromium(playwright) or sys.exit(HOW_TO_GET_ONE)
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        servers = serve.__wrapped__()  # the fixture's own function
        measure_pages(table, browser, Path(folder), next(servers))
        servers.close()
        browser.close()
    if not quick:
        add_builds(table)
    print(table)


if __name__ == "__main__":
    main()
