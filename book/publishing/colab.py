"""Copies of the book's notebooks for Colab: ``python -m publishing.colab`` writes them into _build/editions/colab/book.

A notebook that is opened from GitHub comes alone. Each copy begins with a cell that fetches the book's files, at the commit that
the copies were made of, goes into their folder, and installs what is missing, in the version of requirements.txt. The stored
outputs stay. The problem sets have no copies: one that is handed in must not begin with such a cell.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell

from publishing import settings

FOLDER = "gradients-through-time"  # where the first cell puts the book
_PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn"}  # module -> package, where the names differ
_FIRST = """\
# For Colab: fetches the book's files and installs what is missing. It may run again.
import importlib.util
import os
import subprocess
import sys

if not os.path.exists("figures.mplstyle"):  # not in the book's folder yet
    for command in (["init", "--quiet"], ["fetch", "--quiet", "--depth=1", {repository!r}, {commit!r}],
                    ["checkout", "--quiet", "--detach", "FETCH_HEAD"]):
        os.makedirs({folder!r}, exist_ok=True)
        subprocess.run(["git", *command], cwd={folder!r}, check=True)
    os.chdir({place!r})
sys.path[:0] = {{os.getcwd()}} - set(sys.path)
needed = {needs!r}
missing = [package for module, package in needed.items() if importlib.util.find_spec(module) is None]
if missing:
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *missing], check=True)
    importlib.invalidate_caches()
"""


def make(target: Path, repository: str, commit: str, root: Path = settings.ROOT) -> list[Path]:
    """Write the copies into `target`, emptied before, at the same paths as in the repository.

    Parameters
    ----------
    repository, commit : what the first cell fetches.
    """
    pins = _pins(root)
    if target.exists():
        shutil.rmtree(target)
    made = []
    for path in sorted((root / "book").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        needs = {module: pins[_PACKAGES.get(module, module)] for module in modules(notebook, root / "book")}
        source = _FIRST.format(repository=repository, commit=commit, folder=FOLDER, place=f"{FOLDER}/book", needs=needs)
        cell = new_code_cell(source.rstrip("\n"), id="fetch-the-book")
        if notebook.nbformat_minor < 5:  # cells have no names yet
            del cell["id"]
        notebook.cells.insert(0, cell)
        nbformat.validate(notebook)
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, copy)
        made.append(copy)
    return made


def _pins(root: Path) -> dict[str, str]:
    """Package -> "package==version", as the files of requirements have it."""
    lines = [line for name in ("requirements.txt", "requirements-torch.txt") for line in (root / name).read_text(encoding="utf-8").splitlines()]
    return {pin[1]: pin[0] for line in lines if (pin := re.match(r"([\w-]+)==[\w.]+", line))}


def modules(notebook, house: Path) -> list[str]:
    """The modules that a notebook imports, itself or through the book's own code in `house`, and that Python does not have."""
    pending = {name for cell in notebook.cells if cell.cell_type == "code" for name in _imported(cell.source)}
    seen, found = set(), set()
    while pending:
        name = pending.pop()
        if name in seen or name in sys.stdlib_module_names:
            continue
        seen.add(name)
        own = [path for path in (house / f"{name}.py", *(house / name).glob("*.py")) if path.exists()]
        if not own:
            found.add(name)
        for path in own:
            if path.stem not in ("execution", "refresh", "sphinx_ext"):  # of explorable: these build the book
                pending |= _imported(path.read_text(encoding="utf-8"))
    return sorted(found)


def _imported(source: str) -> set[str]:
    statements = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in statements if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}


def main() -> None:
    target = settings.ROOT / "_build" / "editions" / "colab"
    try:
        given = settings.read(os.environ)
        if not given.repository:
            raise ValueError("BOOK_REPOSITORY is not set: the copies could not fetch the book's files")
    except ValueError as error:
        sys.exit(str(error))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=settings.ROOT, check=True, capture_output=True, text=True).stdout.strip()
    made = make(target, given.repository, commit)
    print(f"{len(made)} notebooks in {target}")


if __name__ == "__main__":
    main()
