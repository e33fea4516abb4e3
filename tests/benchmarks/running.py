"""Measures the cells that run on the page: ``python tests/benchmarks/running.py``, after ``jupyter-book build .``.

Sizes of what a page loads before Run and after, compressed as servers do; then chapter 4 in Chromium: from the press on Run at its
explorable to the figure, all cells above included, and from a move of its slider to the redrawn figure. Python is that in the
folder that PYODIDE names (see `python -m runnable.pyodide`); without it CPython answers, which is faster, and the line says so.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import sys
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "runnable"), str(ROOT / "book")]

import pages
from conftest import serve
from editions.browser import FLAGS, HOW_TO_GET_ONE, find_chromium
from relay import relay
from test_chapters import FOLDER, open_chapter, redraws, run_to

SITE, STATIC = ROOT / "_build" / "html", ROOT / "book" / "runnable" / "static"
FIGURE = "fig-w-hh-scale"


def kilobytes(*paths: Path) -> str:
    return f"{len(gzip.compress(b''.join(path.read_bytes() for path in paths), 9)) / 1000:.1f} KB"


def main() -> None:
    if not (SITE / "book" / "04_what_vanishes.html").exists():
        sys.exit(f"{SITE}: no built book; jupyter-book build . makes it")
    print("before Run: script and style", kilobytes(STATIC / "runnable.js", STATIC / "runnable.css"))
    print("after Run:  worker", kilobytes(STATIC / "worker.js"), " the book's own Python",
          *(f"{path.stat().st_size / 1000:.0f} KB" for path in SITE.rglob("book.zip")))
    with contextlib.ExitStack() as stack:
        playwright = stack.enter_context(sync_playwright())
        executable = find_chromium(playwright) or sys.exit(HOW_TO_GET_ONE)
        if FOLDER:
            servers = stack.enter_context(contextlib.closing(serve.__wrapped__()))  # the fixture's own function
            address = next(servers)(SITE)
        else:
            address = stack.enter_context(relay(SITE)).address
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page()
        open_chapter(page, address, "04_what_vanishes")
        place = int(page.locator("[data-runnable]", has=page.locator(f"#{FIGURE}")).get_attribute("data-runnable"))
        began = time.perf_counter()
        run_to(page, place, 600)
        pages.ready(page, FIGURE)
        took = np.array(redraws(page)) * 1000
        print(f"chapter 4, {'Pyodide in ' + os.path.abspath(FOLDER) if FOLDER else 'CPython'}: {time.perf_counter() - began - took.sum() / 1000:.1f} s to the figure,"
              f" redraw {np.median(took):.0f} ms (median), {np.percentile(took, 95):.0f} ms (p95)")
        browser.close()


if __name__ == "__main__":
    main()
