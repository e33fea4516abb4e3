"""How to cite the book and its chapters: as text, and for BibTeX."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml

NAME = "gradients-through-time"  # begins each key of BibTeX


class Book(NamedTuple):
    title: str
    authors: str
    version: str
    released: str  # "2026-11-27"


def book(root: Path) -> Book:
    """What CITATION.cff says."""
    told = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    return Book(told["title"], " and ".join(author["name"] for author in told["authors"]), told["version"], str(told["date-released"]))


def text(book: Book, address: str, title: str = "", number: int = 0) -> str:
    """One line that cites the book, or with `title` and `number` a chapter of it."""
    year = book.released[:4]
    chapter = f"{title}. Chapter {number} of " if title else ""
    return f"{book.authors} ({year}). {chapter}{book.title}, version {book.version}.{' ' + address if address else ''}"


def bibtex(book: Book, address: str, title: str = "", number: int = 0) -> str:
    """The same as an entry for BibTeX."""
    fields = {"author": f"{{{_tex(book.authors)}}}"}  # in two pairs of braces, a name is not taken apart
    if title:
        kind, key = "incollection", f"{NAME}-{number}"
        fields |= {"title": _tex(title), "booktitle": _tex(book.title), "chapter": str(number)}
    else:
        kind, key = "book", NAME
        fields |= {"title": _tex(book.title)}
    fields |= {"year": book.released[:4], "version": book.version} | ({"url": address} if address else {})
    lines = "".join(f",\n  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key}{lines}\n}}"


def _tex(words: str) -> str:
    words = re.sub(r"([&%$#_])", r"\\\1", words.replace("’", "'"))
    return re.sub(r"\b\w*[A-Z]\w*[A-Z]\w*\b", r"{\g<0>}", words)  # RNN stays in capitals
