"""Fixtures for the tests that need PyTorch, a browser or a web server; chapters that cannot run here are skipped."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import matplotlib
import pytest
import yaml

import pages
from explorable.sphinx_ext import lacking

matplotlib.use("agg")

ROOT = Path(__file__).parent.parent
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]
HOW_TO_GET_ONE = (
    "no Chromium: set CHROMIUM to its path, or `apt-get install chromium`, or `playwright install chromium`"
)


def pytest_collection_modifyitems(config, items):
    """Skip a chapter whose package is missing, but not in CI: there its first cell fails."""
    if os.environ.get("CI") == "true":
        return
    needs = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["explorable_needs"]
    missing = {ROOT / notebook: package for notebook, package in lacking(needs).items()}
    for item in items:
        if item.path in missing:
            item.add_marker(pytest.mark.skip(
                reason=f"NOT EXECUTED: {missing[item.path]} is missing; pip install -r requirements-{missing[item.path]}.txt"))


def find_chromium(playwright) -> str | None:
    """$CHROMIUM, one on PATH, or Playwright's own, in this order."""
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        found = name and shutil.which(name)
        if found:
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def without_chromium() -> None:
    """Skip, or fail where a missing browser would hide a broken book."""
    if os.environ.get("CI") == "true":
        pytest.fail(HOW_TO_GET_ONE, pytrace=False)
    pytest.skip(HOW_TO_GET_ONE)


@pytest.fixture(scope="session")
def torch():
    """PyTorch, for comparison; without it skip, but not in CI."""
    if os.environ.get("CI") == "true":
        import torch
        return torch
    return pytest.importorskip("torch", reason="PyTorch is missing: pip install -r requirements-torch.txt to compare with its autograd")


@pytest.fixture(scope="session")
def browser():
    """Chromium, driven by Playwright."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            without_chromium()
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def new_page(browser):
    """Makes a page in a context of its own; arguments as for `Browser.new_context`."""
    contexts = []

    def make(**options):
        options.setdefault("viewport", {"width": 1000, "height": 900})
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        pages.watch(page)
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def page(new_page):
    """A fresh page; see `pages.watch` for what it keeps."""
    return new_page()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def serve():
    """Serves a folder on loopback: ``serve(folder)`` is its address, without a final slash."""
    servers = []

    def start(folder):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
