"""`explorable` without this book: its wheel, in an empty environment, and the book of two pages that its README shows.

    python tests/figure_library/standalone.py [--picture book/explorable/moving.gif]

Installs packages from the network, and takes a minute or two, so it is a step of `.ci/run` and no test of pytest's. Exit
status 1, with what was wrong: the wheel can't be built or installed, the book has a warning, its page is dead or wrong, or
asks another host for something.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "book" / "explorable"
sys.path.insert(0, str(ROOT / "tests"))

import pages  # noqa: E402
from editions.browser import FLAGS, find_chromium  # noqa: E402

WIDE, SECONDS = 480, 6  # pixels and time of the moving picture


def files_of_readme() -> dict[str, str]:
    """The files that the README shows: name -> content."""
    return {name: text for _, name, text in re.findall(r"^(`{3,})\w+ (\S+)\n(.*?)^\1$", (LIBRARY / "README.md").read_text(), re.S | re.M)}


def build(folder: Path) -> Path:
    """The book of the README, built where nothing but the wheel and Jupyter Book is installed; the folder of its pages."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}

    def run(*command):
        done = subprocess.run([str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done.stdout

    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    run(python, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, LIBRARY)
    wheel, = folder.glob("*.whl")
    run(python, "-m", "pip", "install", "--quiet", f"{wheel}[book]")
    place = Path(run(python, "-c", "import explorable; print(explorable.__file__)").strip())
    assert place.is_relative_to(folder / "venv"), f"explorable came from {place}"
    book = folder / "book"
    book.mkdir()
    for name, text in files_of_readme().items():
        (book / name).write_text(text)
    run(python.with_name("jupyter-book"), "build", book, "-W", "--keep-going")
    return book / "_build" / "html"


def look(page, html: Path) -> list[bytes]:
    """Check the page of the wave; pictures of it, from the least frequency to the largest and back."""
    pages.watch(page)
    page.goto((html / "waves.html").as_uri())
    figure = pages.ready(page, "fig-wave")
    values = pages.control_values(page, "fig-wave", "frequency")
    assert len(values) == 41, values
    curve, shots = figure.locator(".explorable-slot > path").first, []
    for value in values:
        pages.set_control(page, "fig-wave", "frequency", value)
        points = np.concatenate(pages.parse_path(curve.get_attribute("d")))
        x, y = np.linspace(0, 2 * np.pi, 200), points[:, 1]
        expected = np.sin(float(value) * x)
        scale, offset = np.polyfit(expected, y, 1)
        assert len(points) == 200 and scale < 0 and np.abs(scale * expected + offset - y).max() < 0.1, f"a wrong wave at {value}"
        shots.append(figure.screenshot())
    assert not pages.foreign_requests(page.requests), pages.foreign_requests(page.requests)
    errors = [error for error in pages.console_errors(page.messages) if "THEBE_JS_URL" not in error]  # Jupyter Book's own
    assert not errors, errors
    return shots + shots[-2:0:-1]


def moving(shots: list[bytes], path: Path) -> None:
    """Save them as one moving picture."""
    frames = [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots[::3]]
    frames = [frame.resize((WIDE, round(WIDE * frame.height / frame.width))).quantize(16) for frame in frames]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=1000 * SECONDS // len(frames), loop=0, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--picture", type=Path, help="save the README's moving picture there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        html = build(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_chromium(playwright), args=FLAGS)
        shots = look(browser.new_page(viewport={"width": 800, "height": 700}), html)
        if options.picture:
            moving(shots, options.picture)
    print("explorable stands alone: its wheel made a book of two pages, whose figure moves")


if __name__ == "__main__":
    main()
