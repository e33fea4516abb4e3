"""The archives to take along: the site to read without a network, and the notebooks to run.

    site_zip(Path("_build/html"), Path("_build/editions/gradients-through-time-site.zip"))
    notebooks_zip(Path("."), Path("_build/editions/gradients-through-time-notebooks.zip"))

The same files make the same bytes. An archive is written whole or not at all.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
from pathlib import Path

from editions.writing import whole

_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say: the bytes do not depend on when they were made
SITE, NOTEBOOKS = "gradients-through-time", "gradients-through-time-notebooks"  # the folder in each archive

# What the notebooks and whoever installs their packages need, relative to the root of the book. All else stays out: tests, how
# the site is built, and with book/assignments/source the hidden tests of the problem sets.
WANTED = ["LICENSE", "requirements.txt", "requirements-torch.txt", "pyproject.toml", "book/*.ipynb", "book/*.py", "book/figures.mplstyle",
          "book/notation.md", "book/data/*.jsonl", "book/experiments/*.py", "book/gradients/**/*.py", "book/grading/*.py",
          "book/explorable/**/*", "book/assignments/release/*/*.ipynb"]
_LEFT_BY_TOOLS = {"__pycache__", ".ipynb_checkpoints", "build", "dist", ".DS_Store"}

_README = """\
# Gradients Through Time: the notebooks

All chapters as notebooks, the code and the results that they read, and the problem sets.
With Python 3.11 or newer, in this folder:

    pip install -r requirements.txt
    jupyter lab book

Start with `book/01_backpropagation.ipynb`. Chapter 12 also needs `pip install -r requirements-torch.txt`.
The problem sets are in `book/assignments/release`.

Code: BSD 3-Clause. Text and figures: CC BY 4.0. See `LICENSE`.
"""


def site_zip(html: Path, target: Path) -> None:
    """Pack the built site `html` for reading offline: unpack it, and open ``index.html``.

    Without what only a server or a builder needs: the page 404; the pages' sources, unless a page links to them; .buildinfo; the
    table for other books' links; Python for the pages, which a browser does not load from a file; and the editions.

    Raises
    ------
    ValueError : `html` holds no built site, or a file that a page needs is missing in it.
    """
    html = Path(html)
    for name in ("index.html", "book/index.html", "search.html", "searchindex.js"):
        if not (html / name).is_file():
            raise ValueError(f"no built site: {html / name} is missing; jupyter-book build .")
    files = {path.relative_to(html).as_posix(): path for path in html.rglob("*") if path.is_file()}
    pages = {name: path.read_text(encoding="utf-8") for name, path in files.items() if name.endswith(".html")}
    linked = set()
    for name, text in pages.items():
        for link in re.findall(r"""\b(?:href|src)="([^"#?]+)""", text):
            if not re.match(r"\w+:|//", link):
                linked.add(os.path.normpath(os.path.join(os.path.dirname(name), link)))
    kept = {name: path.read_bytes() for name, path in files.items()
            if not name.startswith(("pyodide/", "editions/", ".")) and "/." not in name and name not in ("404.html", "objects.inv")
            and not (name.startswith("_static/") and name.endswith((".html", ".map")))  # templates of the theme; for debuggers
            and (not name.startswith("_sources/") or name in linked)}
    _write(target, SITE, kept)


def notebooks_zip(root: Path, target: Path) -> None:
    """Pack what the notebooks of the book in `root` need, with a README of its own. No git is asked.

    Raises
    ------
    ValueError : something that the notebooks need is missing.
    """
    root = Path(root)
    kept = {}
    for pattern in WANTED:
        found = [path for path in root.glob(pattern) if path.is_file() and not _left_by_tools(path.relative_to(root))]
        if not found:
            raise ValueError(f"{root} lacks {pattern}, which the notebooks need")
        kept.update((path.relative_to(root).as_posix(), path.read_bytes()) for path in found)
    kept["README.md"] = _README.encode()
    _write(target, NOTEBOOKS, kept)


def _left_by_tools(path: Path) -> bool:
    return bool(_LEFT_BY_TOOLS.intersection(path.parts)) or any(part.endswith((".egg-info", ".pyc")) for part in path.parts)


def _write(target: Path, folder: str, files: dict[str, bytes]) -> None:
    with whole(Path(target)) as beside, zipfile.ZipFile(beside, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16  # also where it is made on Windows
            archive.writestr(entry, files[name], compresslevel=9)
