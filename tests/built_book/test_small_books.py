"""Small books of two notebooks: what is built again, when, and that failures stop a build."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_output

from explorable.figure import RECORD
from samples import write

EXPLORED = """\
import matplotlib.pyplot as plt
from ipywidgets import IntSlider
from explorable import explore
import wave_
open("runs.txt", "a").write("moving ")
fig, ax = plt.subplots(figsize=(2, 2))
line, = ax.plot([0, 1])
def update(n):
    line.set_ydata([0, wave_.height(n)])
    return line,
explore(fig, update, n=IntSlider(min=0, max=3), id="fig-wave", alt="A wave.", caption="A wave of $n$.")"""


def build(book, *path):
    environment = {name: value for name, value in os.environ.items() if name != RECORD}
    environment["PYTHONPATH"] = os.pathsep.join([*map(str, path), str(Path(__file__).parents[2] / "book"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html", str(book), str(book / "_build" / "html")],
        capture_output=True, text=True, env=environment, timeout=300)
    return done.returncode, done.stdout + done.stderr


def runs(book):
    """Which notebooks have run since the last call."""
    log = book / "runs.txt"
    names = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return sorted(names)


def test_a_notebook_whose_package_is_missing_shows_its_stored_outputs(tmp_path):
    """No slider of it is recorded, nothing is run, and nothing warns; once the package is there, it is run."""
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'explorable.sphinx_ext']\n"
        "exclude_patterns = ['_build']\n"
        "nb_execution_mode = 'cache'\n"
        "nb_ipywidgets_js = {}\n"
        "explorable_needs = {'part/needy.ipynb': 'rarely_installed', 'plain.ipynb': 'numpy'}\n")
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\npart/needy\nplain\n```\n")
    (tmp_path / "part").mkdir()
    write(tmp_path / "plain.ipynb", "print('fresh', 'plain')")
    write(tmp_path / "part" / "needy.ipynb", "import rarely_installed\nprint('fresh', rarely_installed.x)")
    stored = nbformat.read(tmp_path / "part" / "needy.ipynb", as_version=4)
    stored.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    stored.cells[1].outputs = [new_output("stream", text="stored outcome\n")]
    nbformat.write(stored, tmp_path / "part" / "needy.ipynb")
    page = tmp_path / "_build" / "html" / "part" / "needy.html"

    code, output = build(tmp_path)
    assert code == 0, output
    assert "part/needy.ipynb is not run: rarely_installed is missing" in output and "numpy is missing" not in output
    assert "stored outcome" in page.read_text()
    assert "fresh plain" in (page.parents[1] / "plain.html").read_text()

    (tmp_path / "part" / "rarely_installed.py").write_text("x = 5\n")
    code, output = build(tmp_path, tmp_path / "part")
    assert code == 0 and "is missing" not in output, output
    assert "fresh 5" in page.read_text() and "stored outcome" not in page.read_text()

    code, output = build(tmp_path)
    assert code == 0 and "stored outcome" in page.read_text(), output


def test_a_book_is_built_again_only_where_it_changed_and_fails_where_update_fails(tmp_path):
    (tmp_path / "conf.py").write_text(
        "extensions = ['myst_nb', 'explorable.sphinx_ext']\n"
        "exclude_patterns = ['_build']\n"
        "nb_execution_mode = 'cache'\n"
        "nb_execution_show_tb = True\n")
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\nmoving\nstill\nwidget\n```\n")
    (tmp_path / "wave_.py").write_text("def height(n):\n    return n / 3\n")
    write(tmp_path / "moving.ipynb", EXPLORED)
    write(tmp_path / "still.ipynb", 'open("runs.txt", "a").write("still ");')
    write(tmp_path / "widget.ipynb", "import ipywidgets\nipywidgets.IntSlider()")
    page = tmp_path / "_build" / "html" / "moving.html"

    code, output = build(tmp_path)
    assert code == 0, output
    assert runs(tmp_path) == ["moving", "still"]
    html = page.read_text()
    assert '<figure class="explorable" id="fig-wave">' in html and "explorable-recording" in html
    assert "mathjax" in html.lower(), "for the formula in the caption"
    assert "explorable.js" in html and "explorable.css" in html and not re.search("widget-view|widget-state|require|embed", html)
    assert re.search("embed-amd.*widget-view", (page.parent / "widget.html").read_text(), re.DOTALL), "what shows a widget needs them"
    for name in ("explorable.js", "explorable.css"):
        assert (page.parent / "_static" / name).exists()

    code, output = build(tmp_path)
    assert code == 0 and runs(tmp_path) == [], output

    (tmp_path / "wave_.py").write_text("def height(n):\n    return 1 - n / 3\n")
    code, output = build(tmp_path)
    assert code == 0 and runs(tmp_path) == ["moving"], output
    assert page.read_text() != html

    (tmp_path / "wave_.py").write_text("def height(n):\n    return 1 / (2 - n)\n")
    for attempt in (1, 2):  # a failure is not forgotten by the next build
        code, output = build(tmp_path)
        assert code != 0, f"attempt {attempt}: {output}"
        assert "update raised ZeroDivisionError at n=2" in output
        assert runs(tmp_path) == ["moving"]
