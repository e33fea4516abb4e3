"""A browser that sees the folder of the built site and nothing else: no server, no network, and of scripts only MathJax."""

from __future__ import annotations

import contextlib
import mimetypes
import os
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import Error, sync_playwright

HOST = "http://book.invalid"  # no such host can exist: RFC 2606
HOW_TO_GET_ONE = "no Chromium: set CHROMIUM to its path, or `apt-get install chromium`, or `playwright install chromium`"
FLAGS = [  # without its sandbox it also runs for root, in a container; it opens our own pages only
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]


class NoBrowser(RuntimeError):
    """There is no Chromium on this machine."""


class Failed(RuntimeError):
    """An edition could not be made; the message names the page."""


def find_chromium(playwright) -> str | None:
    """$CHROMIUM, one on PATH, or Playwright's own, in this order."""
    for name in (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"):
        found = name and shutil.which(name)
        if found:
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@contextlib.contextmanager
def chromium():
    """A running Chromium (Playwright's `Browser`).

    Raises
    ------
    NoBrowser : if there is none on this machine.
    """
    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            raise NoBrowser(HOW_TO_GET_ONE)
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def empty_page(browser, folders: dict[str, Path], language: str):
    """An empty page on whose host the files of some folders lie, each under its name: {"/": site, "/fonts/": fonts}.
    What it asks for and does not find is an error.

    Raises
    ------
    Failed : at the end, if it asked for a file that is not there, or for another host.
    """
    missing = []

    def answer(route):
        url = urlsplit(route.request.url)
        name = max((name for name in folders if url.path.startswith(name)), key=len)
        folder = folders[name].resolve()
        path = (folder / unquote(url.path.removeprefix(name))).resolve()
        if f"{url.scheme}://{url.netloc}" != HOST:
            missing.append(route.request.url)
            route.abort()
        elif url.path == "/":
            route.fulfill(content_type="text/html", body=f'<!DOCTYPE html><html lang="{language}"><meta charset="utf-8"><body></body></html>')
        elif path.is_relative_to(folder) and path.is_file():
            route.fulfill(content_type=mimetypes.guess_type(path.name)[0] or "application/octet-stream", body=path.read_bytes())
        else:
            missing.append(url.path)
            route.fulfill(status=404, body="")

    context = browser.new_context(viewport={"width": 800, "height": 1000})
    try:
        page = context.new_page()
        page.set_default_timeout(600_000)  # one document has hundreds of pages
        page.route("**/*", answer)
        page.goto(HOST + "/")
        yield page
    except Error as error:
        raise Failed(f"{error.message}{_names(missing)}") from error
    finally:
        context.close()
    if missing:
        raise Failed(f"asked for what is not there{_names(missing)}")


def _names(missing: list[str]) -> str:
    return f": {', '.join(dict.fromkeys(missing))}" if missing else ""
