"""Students' words in a terminal: they can't move the cursor, change colours, or draw a row that is none."""

from __future__ import annotations

import re

__all__ = ["printable", "printable_lines"]

LOOKS_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # though they count as printable


def printable(text: str) -> str:
    """On one line: what can't be printed, or can't be seen, as its code, and of several blanks one."""
    text = re.sub(" {2,}", " ", text)
    return "".join(c if c.isprintable() and c not in LOOKS_BLANK else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """As `printable`, for a text of several lines, whose indents stay."""
    lines = (re.fullmatch("( *)(.*)", line, re.DOTALL).groups() for line in text.split("\n"))
    return "\n".join(indent + printable(words) for indent, words in lines)
