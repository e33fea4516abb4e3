"""A Jupyter server for a test."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def jupyter(module: str, folder: Path, *options: str, environment: dict[str, str]) -> Iterator[str]:
    """Start `python -m module` in a folder, with its log in the file `log` there; its address, without a final slash."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, "--no-browser", f"--port={port}", "--allow-root", f"--ServerApp.root_dir={folder}", *options]
    with open(folder / "log", "w") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail("the server did not start:\n" + (folder / "log").read_text())
        yield address
    finally:
        server.terminate()
        server.wait(30)
