"""Runs the notebooks of a book side by side, and keeps what they made until something that they use changes.

myst-nb runs one notebook after the other, each when its page is read, and its cache (jupyter-cache) is keyed on
the code of the cells alone. Here what a notebook imports and the data that it names count, too.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import ExecutionResult, single_nb_execution
from nbformat import NotebookNode

from explorable.figure import SECONDS

_IMPORT = re.compile(r"""\b(?:import|from)\s+([^\n"'#;\\(]+)""")  # "numpy as np, figures", in a notebook's JSON, too
_DATA = re.compile(r"\b(?:data|assignments)/[\w./-]*\w")


def local_fingerprint(document: Path) -> str:
    """A hash of the local modules that `document` imports, directly or not, and of its data; "" if none.

    Local means: a package or module beside the document. Matplotlib style
    files beside it count, too. Data are the files and folders that it names,
    such as "data/depth.jsonl", in the folders data and assignments beside it.
    """
    folder = document.parent
    pending, files = [document], set()
    named = {folder / name for name in _DATA.findall(document.read_text(encoding="utf-8"))}
    data = named.union(*(path.rglob("*") for path in named))
    while pending:
        imports = _IMPORT.findall(pending.pop().read_text(encoding="utf-8"))
        for name in {name for line in imports for name in re.findall(r"(?:^|,)\s*(\w+)", line)}:
            package = folder / name
            found = set(package.rglob("*.*")) if package.is_dir() else {folder / f"{name}.py"}
            found = {path for path in found if path.is_file() and path.suffix in (".py", ".js", ".css", ".mplstyle")}
            pending += [path for path in found - files if path.suffix == ".py"]
            files |= found
    if files:
        files |= set(folder.glob("*.mplstyle"))
    files |= {path for path in data if path.is_file()}
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest() if files else ""


class Store:
    """Executed notebooks in a folder, as myst-nb keeps them, each with the fingerprint that it had when it ran."""

    def __init__(self, folder: Path):
        self.folder, self._cache = Path(folder), get_cache(folder)

    def find(self, document: Path, notebook: NotebookNode) -> float | None:
        """When `notebook`, read from `document`, was executed as it is now (seconds since 1970); None: never."""
        with suppress(KeyError):
            record = self._cache.match_cache_notebook(notebook)
            if record.data.get("fingerprint") == local_fingerprint(document):
                return record.created.timestamp()
        return None

    def keep(self, document: Path, executed: NotebookNode, fingerprint: str, seconds: float) -> None:
        """Keep an executed notebook; `fingerprint` is from before it ran, lest a change while it ran is overlooked."""
        took = [_seconds(cell) for cell in executed.cells if cell.cell_type == "code"]
        for cell in executed.cells:
            cell.metadata.pop("execution", None)  # the key of the cache contains the metadata
        data = {"execution_seconds": seconds, "fingerprint": fingerprint, "cell_seconds": took}
        self._cache.cache_notebook_bundle(CacheBundleIn(executed, str(document), data=data), check_validity=False, overwrite=True)

    def seconds(self, notebook: NotebookNode) -> list[float | None] | None:
        """How long each code cell took when `notebook` was executed last; None: it was not, or that was not noted."""
        with suppress(KeyError):
            return self._cache.match_cache_notebook(notebook).data.get("cell_seconds")
        return None

    def forget(self, notebook: NotebookNode) -> None:
        """Drop what was kept of `notebook`, if anything."""
        with suppress(KeyError):
            self._cache.remove_cache(self._cache.match_cache_notebook(notebook).pk)


def _seconds(cell: NotebookNode) -> float | None:
    """How long an executed cell took, from what nbclient noted with it, without the recording of its figures."""
    times = cell.metadata.get("execution", {})
    if not {"iopub.execute_input", "iopub.status.idle"} <= times.keys():
        return None
    start, end = (datetime.fromisoformat(times[name]) for name in ("iopub.execute_input", "iopub.status.idle"))
    recording = sum(output.get("metadata", {}).get("text/html", {}).get(SECONDS, 0) for output in cell.outputs)
    return round(max((end - start).total_seconds() - recording, 0), 2)


class Runs:
    """Notebooks that run side by side, one a processor; each has one result, which can be waited for."""

    def __init__(self, timeout: float):
        self._timeout, self._pool, self._runs = timeout, ThreadPoolExecutor(os.cpu_count()), {}

    def start(self, name: str, document: Path, notebook: NotebookNode) -> None:
        """Run `notebook` in the folder of `document` as soon as a processor is free."""
        self._runs[name] = self._pool.submit(
            single_nb_execution, notebook, cwd=str(document.parent), timeout=self._timeout, allow_errors=False,
            record_timing=True, coalesce_streams=True)  # a kernel sends what is printed in pieces, and myst-nb would put each on a line of its own

    def result(self, name: str) -> ExecutionResult | None:
        """What came out, once it has ended; None if `name` was not started or has been asked for before."""
        run: Future | None = self._runs.pop(name, None)
        return run and run.result()

    def stop(self) -> None:
        """Start no more of them, and wait for those that run."""
        self._pool.shutdown(cancel_futures=True)
