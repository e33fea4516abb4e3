"""nbval's run of a chapter serves the built site and the questions, too: no chapter is executed twice in a run of the tests.

Where tests of the built site will follow, the kernels of nbval record, and once all cells of a chapter have passed

* its outputs go where the build looks for them (`explorable.execution.Store`);
* its kernel says what its explorables should show (`truth`), by their own `update`.

Where the proofs of the questions (`proofs`) will be tested, each is evaluated in nbval's kernel, after the cell that it follows.
"""

from __future__ import annotations

import copy
import hashlib
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
from nbval.plugin import IPyNbCell, coalesce_streams

import chapters
import proofs
from explorable.execution import Store, local_fingerprint
from explorable.figure import RECORD

STORE = chapters.ROOT / "_build" / ".jupyter_cache"
COLLECT, PROVE = Path(__file__).with_name("truth.py"), Path(__file__).with_name("proofs.py")


def truth_key(page: Path) -> str:
    """A hash of all that the truth about a page depends on."""
    parts = *chapters.code_cells(page), local_fingerprint(page), COLLECT.read_text()
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def truth_path(page: Path) -> Path:
    return chapters.ROOT / "_build" / "truth" / f"{page.stem}.pickle"


def truth_about(page: Path) -> list[dict]:
    """One `truth.of_explorable` for each explorable with controls; from the page's own run, or from one made for it."""
    path, key = truth_path(page), truth_key(page)
    if not path.exists() or pickle.loads(path.read_bytes())[0] != key:
        subprocess.run([sys.executable, COLLECT, page, path, key], check=True)
    return pickle.loads(path.read_bytes())[1]


def proof_key(page: Path) -> str:
    """A hash of all that the values of a page's proofs depend on."""
    cells = chapters.cells(page)
    parts = *(cell.source for cell in cells if cell.cell_type == "code"), repr(proofs.in_cells(cells)), local_fingerprint(page), PROVE.read_text()
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def proof_path(page: Path) -> Path:
    return chapters.ROOT / "_build" / "proofs" / f"{page.stem}.pickle"


def proved(page: Path) -> dict[str, object]:
    """Label -> value of the proof; from the page's own run, or from one made for it."""
    path, key = proof_path(page), proof_key(page)
    if not path.exists() or pickle.loads(path.read_bytes())[0] != key:
        subprocess.run([sys.executable, PROVE, page, path, key], check=True)
    return pickle.loads(path.read_bytes())[1]


def run(item, code: str) -> None:
    """Run code in the kernel of a chapter, where it leaves no name."""
    kernel = item.parent.kernel
    message = kernel.execute_cell_input(code, allow_stdin=False)
    kernel.await_reply(message, timeout=120)
    kernel.await_idle(message, timeout=120)


def from_tests(module: str) -> str:
    """An expression for a module of this folder, in a kernel."""
    return f"(__import__('sys').path.append({str(COLLECT.parent)!r}), __import__({module!r}))[1]"


class Harvest:
    """A plugin of pytest; one in every process that runs tests."""

    def __init__(self):
        self.wanted, self.started = False, {}
        self.pages = {chapters.ROOT / f"{name}.ipynb" for name in chapters.names()}

    def pytest_collection_finish(self, session):
        self.wanted = any("site" in getattr(item, "fixturenames", ()) for item in session.items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item):
        """A chapter's first cell starts its kernel."""
        if not (self.wanted and isinstance(item, IPyNbCell) and item.path in self.pages):
            return (yield)
        if item.path not in self.started:
            self.started[item.path] = time.time(), local_fingerprint(item.path), truth_key(item.path)
            item.parent.skip_compare += ("text/html",)  # the recording, which no stored output has
        with mock.patch.dict(os.environ, {RECORD: "1"}):
            result = yield
        if item.parent.kernel is not None and not item.cell_num:
            run(item, f"{from_tests('truth')}.watch()")
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        if call.excinfo and call.when != "teardown" and item.path in self.started:
            self.started[item.path] = None  # nothing of it will be kept

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item, nextitem):
        """After the last cell, while its kernel is alive."""
        if not self.started.get(item.path) or (nextitem is not None and nextitem.path == item.path):
            return
        start, fingerprint, key = self.started[item.path]
        notebook = copy.deepcopy(item.parent.nb)
        ran = {cell.cell_num: cell.test_outputs for cell in item.session.items if cell.path == item.path}
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        if len(ran) < len(cells) or any(outputs is None for outputs in ran.values()):
            return
        for number, cell in enumerate(cells):
            cell.execution_count, cell.outputs = number + 1, coalesce_streams(ran[number])
        Store(STORE).keep(item.path, notebook, fingerprint, time.time() - start)
        run(item, f"__import__('truth').collect(__import__('pathlib').Path({str(truth_path(item.path))!r}), {key!r})")


class Proving:
    """A plugin of pytest; one in every process that runs tests."""

    def __init__(self):
        self.proofs, self.started = {}, {}

    def pytest_collection_finish(self, session):
        if any(item.path.name == "test_proofs.py" for item in session.items):
            found = {page: proofs.in_cells(chapters.cells(page)) for page in chapters.NOTEBOOKS}
            self.proofs = {page: here for page, here in found.items() if here}

    def pytest_runtest_setup(self, item):
        if item.path in self.proofs and item.path not in self.started:
            self.started[item.path] = proof_key(item.path), []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item, call):
        if call.excinfo and call.when != "teardown":
            self.proofs.pop(item.path, None)  # nothing of it will be kept

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item, nextitem):
        """After a cell, while its kernel is alive."""
        if item.path not in self.proofs:
            return
        key, ran = self.started[item.path]
        ran.append(item.cell_num)
        for proof in self.proofs[item.path]:
            if proof.after == item.cell_num + 1:
                run(item, f"{from_tests('proofs')}.evaluate({proof.label!r}, {proof.expression!r}, globals())")
        if len(ran) == len(chapters.code_cells(item.path)):
            run(item, f"{from_tests('proofs')}.save(__import__('pathlib').Path({str(proof_path(item.path))!r}), {key!r})")
