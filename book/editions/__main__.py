"""``python -m editions``: the built book as PDF, e-book and archives, in ``_build/editions``.

Run it at the repository's root after ``jupyter-book build .``.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from editions import epub, pdf, site, zips
from editions.browser import Failed, NoBrowser, chromium
from editions.writing import whole

_KINDS = {"pdf": "the whole book, to print or to read", "chapters": "each page of the book as a PDF of its own",
          "epub": "an e-book", "zips": "the site to read offline, and the notebooks to run"}
Maker = tuple[str, Callable[[Path], None]]  # the name of a file, and what writes it whole or not at all


def main(arguments: list[str] | None = None) -> int:
    """Make the editions; returns the exit status: 0, or 1 if one could not be made."""
    parser = argparse.ArgumentParser(prog="python -m editions", description="Make the built book to take along.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="; ".join(f"{kind}: {what}" for kind, what in _KINDS.items()) + "; without one, all")
    parser.add_argument("--html", type=Path, default=Path("_build/html"), help="the built site (%(default)s)")
    parser.add_argument("--out", type=Path, default=Path("_build/editions"), help="where the files go (%(default)s)")
    asked = parser.parse_args(arguments)
    unknown = [kind for kind in asked.kinds if kind not in _KINDS]
    if unknown:
        parser.error(f"KIND is one of {', '.join(_KINDS)}, not {', '.join(unknown)}")
    kinds = asked.kinds or list(_KINDS)
    root = Path.cwd()
    try:
        book = site.read(asked.html, root)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))

    name = base(book.title)
    good = True
    if "zips" in kinds:
        good &= _make([(f"{name}-site.zip", lambda target: zips.site_zip(book.html, target)),
                       (f"{name}-notebooks.zip", lambda target: zips.notebooks_zip(root, target))], asked.out)
    if set(kinds) - {"zips"}:
        try:
            with chromium() as browser:
                good &= _make(_printed(browser, book, name, kinds), asked.out)
        except NoBrowser as error:
            print(f"No PDF and no e-book: {error}", file=sys.stderr)
            good = False
    return 0 if good else 1


def base(title: str) -> str:
    """What the names of all files begin with, "gradients-through-time"."""
    return "-".join(title.lower().split())


def _printed(browser, book: site.Site, name: str, kinds: list[str]) -> Iterator[Maker]:
    changed = max((book.html / page.path).stat().st_mtime for page in book.pages)
    date = datetime.datetime.fromtimestamp(changed, datetime.UTC)
    if "epub" in kinds:
        yield f"{name}.epub", lambda target: _put(target, epub.book(browser, book, date))
    if "pdf" in kinds:
        yield f"{name}.pdf", lambda target: _put(target, pdf.book(browser, book))
    if "chapters" in kinds:
        for page in book.pages:
            yield f"chapters/{page.slug}.pdf", lambda target, page=page: _put(target, pdf.chapter(browser, book, page))


def _put(target: Path, content: bytes) -> None:
    with whole(target) as beside:
        beside.write_bytes(content)


def _make(makers, out: Path) -> bool:
    """Write each file and say so; whether all could be written."""
    good = True
    for name, write in makers:
        target, begun = out / name, time.perf_counter()
        try:
            write(target)
        except (Failed, ValueError) as error:
            print(f"{name}: not made. {error}", file=sys.stderr)
            good = False
        else:
            print(f"{target}  {target.stat().st_size / 1e6:.1f} MB, {time.perf_counter() - begun:.0f} s", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
