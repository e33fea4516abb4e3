"""What the editions read from the built site: its pages in reading order, and where it is published."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import yaml
from bs4 import BeautifulSoup

_ROOT = "book/index.html"


@dataclass(frozen=True)
class Page:
    path: str  # in the site, "book/04_what_vanishes.html"
    title: str  # with its number, "4. What vanishes in an RNN"
    part: str  # the caption above it in the contents, "Part II: time"; "" for the first page

    @property
    def slug(self) -> str:
        """Names the page in links and files, "04_what_vanishes"."""
        return self.path.rsplit("/", 1)[-1].removesuffix(".html")

    @property
    def is_chapter(self) -> bool:
        return re.match(r"\d+\. ", self.title) is not None


@dataclass(frozen=True)
class Site:
    html: Path  # the folder
    title: str
    author: str
    version: str
    copyright: str
    language: str  # as in <html lang>
    address: str  # where it is published, with a slash at its end; "" if that is not known
    pages: list[Page]


def read(html: Path, root: Path) -> Site:
    """The site in the folder `html`, built from the repository `root`.

    Raises
    ------
    ValueError : if the folder holds no built book, or a page that the contents name is missing.
    """
    start = html / _ROOT
    if not start.is_file():
        raise ValueError(f"html: {html} holds no built book ({_ROOT} is missing); run `jupyter-book build .` first")
    soup = BeautifulSoup(start.read_text(encoding="utf-8"), "html.parser")
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    canonical = soup.select_one('link[rel="canonical"]')
    address = canonical["href"].removesuffix(_ROOT) if canonical else ""
    pages = [Page(_ROOT, "About this book", ""), *_contents(soup)]
    missing = [page.path for page in pages if not (html / page.path).is_file()]
    if missing:
        raise ValueError(f"html: {html} lacks {', '.join(missing)}; run `jupyter-book build .` again")
    return Site(html, settings["title"], settings["author"], _version(root), str(settings["copyright"]), soup.html["lang"], address, pages)


def _version(root: Path) -> str:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]


def _contents(soup: BeautifulSoup) -> list[Page]:
    pages, part = [], ""
    for node in soup.select("nav.bd-links p.caption, nav.bd-links li > a"):
        if node.name == "p":
            part = node.get_text(strip=True)
        elif not node["href"].startswith(("http", "#")):
            pages.append(Page(_inside(node["href"]), " ".join(node.get_text().split()), part))
    return pages


def _inside(href: str) -> str:
    """`href`, a link on the first page, as a path in the site."""
    path = Path(_ROOT).parent
    for step in href.split("#")[0].split("/"):
        path = path.parent if step == ".." else path / step
    return path.as_posix()
