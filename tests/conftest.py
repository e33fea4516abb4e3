"""The order of the tests and who runs which; fixtures for those that need PyTorch, a browser or the built book."""

from __future__ import annotations

import functools
import http.server
import os
import re
import subprocess
import threading
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one worker and one kernel a processor: more threads only wait for each other

import matplotlib
import pytest
import yaml
from filelock import FileLock
from xdist.scheduler import LoadScopeScheduling

import chapters
import harvest
import pages
from absent import without
from explorable.sphinx_ext import lacking

matplotlib.use("agg")

ROOT = Path(__file__).parent.parent


# In this order the workers never wait for each other: the chapters run first; long tests follow, while the last of them
# ends; then one worker builds the book, from what the chapters left, while the others do the mathematics.
ROOMS = ["book", "tests/course", "tests/built_book/test_builds.py", "tests/built_book/test_small_books.py", "tests/experiments",
         "tests/figure_library", "tests/mathematics", "tests/predictions", "tests/publishing", "tests/editions", "tests/runnable", "tests/built_book"]


def pytest_configure(config):
    config.pluginmanager.register(harvest.Harvest())
    config.pluginmanager.register(harvest.Proving())


class _Together(LoadScopeScheduling):
    """Tests of one file stay with one worker; those of the built pages, tests of one page."""

    def _split_scope(self, nodeid):
        return _together(nodeid)


def pytest_xdist_make_scheduler(config, log):
    return _Together(config, log)


def _together(nodeid: str) -> str:
    file, _, test = nodeid.partition("::")
    page = re.search(r"\[(book/.*)\]", test) if file.endswith("test_site.py") else None
    return f"{file} {page[1]}" if page else file


def pytest_collection_modifyitems(config, items):
    """Sort by room and file; skip chapters whose package is missing (in CI their first cell fails)."""
    needs = yaml.safe_load((ROOT / "_config.yml").read_text())["sphinx"]["config"]["explorable_needs"]
    missing = {} if os.environ.get("CI") == "true" else {ROOT / page: package for page, package in lacking(needs).items()}
    for item in items:
        if item.path in missing:
            item.add_marker(pytest.mark.skip(
                reason=f"NOT EXECUTED: {missing[item.path]} is missing; pip install -r requirements-{missing[item.path]}.txt"))
    items.sort(key=lambda item: (_room(item.path), _together(item.nodeid)))


def _room(path: Path) -> int:
    """The place in `ROOMS` of the most particular room that `path` is in."""
    name = path.relative_to(ROOT).as_posix()
    return ROOMS.index(max((room for room in ROOMS if name.startswith(room)), key=len, default="book"))


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
    from editions.browser import FLAGS, HOW_TO_GET_ONE, find_chromium
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            without(HOW_TO_GET_ONE)
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
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


@pytest.fixture(scope="session")
def site(browser, testrun_uid):
    """The folder of the strictly built book, built once in a run of the tests, by the worker that comes first."""
    built = ROOT / "_build" / "tested"
    built.parent.mkdir(exist_ok=True)
    with FileLock(ROOT / "_build" / "tested.lock"):
        if not built.exists() or built.read_text() != testrun_uid:
            command = [*chapters.BUILD, str(ROOT), "-W", "-n", "--keep-going"]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
            built.write_text(testrun_uid)
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def address(site, serve):
    """Where the built book is served, without a final slash."""
    return serve(site)
