"""The page that corrects the sources: every row can be followed, and every quotation read."""

from __future__ import annotations

import re

import nbformat
import pytest

import chapters

PAGE = (chapters.BOOK / "sources.md").read_text(encoding="utf-8")
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith(("| {cite", "| many"))]
KNOWN = set(re.findall(r"^@\w+\{(\w+),", (chapters.BOOK / "references.bib").read_text(encoding="utf-8"), flags=re.M))


def anchors(name):
    """The anchors of a chapter's headings, as MyST makes them: lower case, dashes, no punctuation."""
    cells = nbformat.read(chapters.BOOK / name, as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    titles = re.findall(r"^#{1,3} (.+)$", prose, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_a_row_names_its_source_and_leads_to_its_section(row):
    source, _, _, shown = row
    assert source == "many texts" or set(re.findall(r"\{cite:t\}`(\w+)`", source)) <= KNOWN
    chapter, notebook, anchor = re.fullmatch(r"\[chapter (\d+)\]\(([\w.]+)#([\w-]+)\)", shown).groups()
    assert int(notebook[:2]) == int(chapter)
    assert anchor in anchors(notebook)


def test_all_five_sources_have_rows():
    assert {f"source{number}" for number in range(5)} <= set(re.findall(r"\w+(?=`)", " ".join(row[0] for row in ROWS)))


def test_a_translation_follows_every_chinese_quotation():
    """And the language is marked, for screen readers and for the choice of the font."""
    marked = re.findall(r'<span lang="zh">.+?</span>(.{3})', PAGE)
    assert marked and set(marked) == {' ("'}
    assert not re.search(r"[\u4e00-\u9fff]", re.sub(r'<span lang="zh">.+?</span>', "", PAGE))
