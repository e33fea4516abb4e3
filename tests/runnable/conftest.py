"""Pyodide's core for the tests of the pages."""

import os
from pathlib import Path

import pytest

from absent import without
from runnable import pyodide


@pytest.fixture(scope="session")
def core(tmp_path_factory):
    """A folder with Pyodide's core: $PYODIDE_CORE, or what npm gives."""
    if os.environ.get("PYODIDE_CORE"):
        return Path(os.environ["PYODIDE_CORE"])
    folder = tmp_path_factory.mktemp("pyodide") / "core"
    try:
        pyodide.take_core(folder)
    except pyodide.Failed as problem:
        without(f"no core of Pyodide: {problem}; or set PYODIDE_CORE to a folder with it")
    return folder
