"""Sphinx extension: the search finds what readers type.

Add ``finding.sphinx_ext`` to the extensions of a book made with myst-nb. Sphinx's own search looks for words in whole pages;
before what it finds come the sections that are known to answer:

* a term of the glossary leads to the section that its entry links to, if it does, and to the entry;
* a letter of the notation page, by its name or as it is, and a name in the code lead to the table that explains it;
* whatever else readers type stands in words.yml.

They are read from the written pages, so that a page is as it would be without. What static/finding.js does with them it says.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path, PurePosixPath

import yaml
from bs4 import BeautifulSoup
from sphinx.errors import ExtensionError

_HERE = Path(__file__).parent
GLOSSARY, NOTATION = "book/glossary", "book/notation"
_OTHERS = "#the-letters-of-our-sources"  # of the notation page: not our letters
_GREEK = dict(zip("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega".split(),
                  "αβγδεζηθικλμνξοπρστυφχψω"))


def setup(app):
    app.connect("builder-inited", _add_static_path)
    app.connect("env-updated", _changed)
    app.connect("html-collect-pages", _write)
    app.connect("html-page-context", _add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def _add_static_path(app):
    app.config.html_static_path.append(str(_HERE / "static"))


def _changed(app, env):
    """One page to be written again if the words or the script have changed: where no page has, Sphinx writes nothing at all."""
    parts = [_HERE / "words.yml", Path(__file__), *sorted((_HERE / "static").iterdir())]
    version = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    changed = version != getattr(env, "finding_version", None)
    env.finding_version = version
    return [GLOSSARY] if changed and _can(app) else []


def _can(app) -> bool:
    """Whether the book has the pages to read from; one of a few pages, for a test or a beginning, has not."""
    return {GLOSSARY, NOTATION} <= set(app.env.all_docs)


def _add_scripts(app, pagename, templatename, context, doctree):
    if pagename == "search" and _can(app):  # after Sphinx's own scripts, before they begin
        app.add_js_file("words.js", loading_method="defer")
        app.add_js_file("finding.js", loading_method="defer")


def _write(app):
    """Once the pages are written and before the page of the search is."""
    if not _can(app):
        return []
    words = yaml.safe_load((_HERE / "words.yml").read_text(encoding="utf-8"))
    pages = {name: BeautifulSoup(Path(app.outdir, f"{name}.html").read_text(encoding="utf-8"), "html.parser")
             for name in sorted({GLOSSARY, NOTATION, *(target.partition("#")[0] for target in words["pages"])} & set(app.env.all_docs))}
    try:
        entries = find(words, pages)
    except ValueError as error:
        raise ExtensionError(f"words.yml: {error}", modname="finding") from error
    content = f"const FINDING = {json.dumps({'entries': entries, 'spellings': words['spellings']}, ensure_ascii=False)};\n"
    Path(app.outdir, "_static", "words.js").write_text(content, encoding="utf-8")
    return []


def find(words: dict, pages: dict) -> list[dict]:
    """Where what a reader types leads to, the best first; `pages` are parsed HTML by name.

    Raises
    ------
    ValueError : `words` names a term, a page or a section that is not there.
    """
    found = []
    for target, typed in words["pages"].items():
        name, _, anchor = target.partition("#")
        if name not in pages or (anchor and not pages[name].find(id=anchor)):
            raise ValueError(f"no {target}")
        found.append(_entry(name, typed, anchor=anchor))
    return terms(pages[GLOSSARY], words["terms"]) + found + letters(pages[NOTATION])


def _entry(page: str, words: list[str], anchor: str = "", title: str = "", text: str = "") -> dict:
    """`title`: where it leads, if that is no heading of the page; `text`: what it says there."""
    return {"page": page, "anchor": f"#{anchor}" if anchor else "", "title": title, "text": text, "words": words}


def terms(page, others: dict) -> list[dict]:
    """Of each term of the glossary the section where it is explained, and its entry."""
    explained, entries, left = [], [], set(others)
    for term in page.select("dl.glossary > dt"):
        name = term.find(string=True).strip()
        spoken = re.fullmatch(r"(.+?) \((.+)\)", name)
        typed = [name, *(spoken.groups() if spoken else ()), *others.get(name, ())]
        left.discard(name)
        meaning = term.find_next_sibling("dd")
        link = meaning.select_one("a.reference.internal")
        if link:  # not every term has a section of its own
            file, _, anchor = link["href"].partition("#")
            explained.append(_entry(str(PurePosixPath(GLOSSARY).with_name(file).with_suffix("")), typed, anchor=anchor))
        entries.append(_entry(GLOSSARY, typed, anchor=term["id"], title=name, text=_said(meaning)))
    if left:
        raise ValueError(f"no terms of the glossary: {', '.join(sorted(left))}")
    return explained + entries


def letters(page) -> list[dict]:
    """Of each row of the tables of letters: the letters, their names, and their names in the code."""
    found = []
    for row in page.select("table tbody tr"):
        section = row.find_parent("section")
        if row.find_parent(id=_OTHERS[1:]):
            continue
        symbols, meaning, *_, code = row.find_all("td")
        typed, shown = [], []
        for formula in symbols.select(".math"):
            for letter in re.split(r",|=|\\(?:ge|dots)\b", formula.get_text()[2:-2]):
                name = _plain(letter)
                if name:
                    base, _, below = name.partition("_")
                    greek = _GREEK.get(base, _GREEK.get(base.lower(), "").upper())
                    typed += [name, base, base + below, *([greek, name.replace(base, greek)] if greek else [])]
                    mark = {r"\hat": "\u0302", r"\tilde": "\u0303"}.get(letter.strip().partition("{")[0].partition(" ")[0], "")
                    shown.append((greek or base) + mark + (f"_{below}" if below else ""))
        typed += [word for word in (piece.get_text() for piece in code.select("code")) if re.fullmatch(r"\w*_\w*", word)]
        if typed:
            found.append(_entry(NOTATION, sorted(set(typed)), anchor=section["id"], title=", ".join(dict.fromkeys(shown)) or typed[0], text=_said(meaning)))
    return found


def _said(meaning) -> str:
    """The first words of a meaning: up to the end of the sentence or the first formula."""
    return re.split(r"[,;:(]? ?\\\(|[.;](?=\s|$)", meaning.get_text())[0].strip(" :")


def _plain(latex: str) -> str | None:
    r"""The name of a letter as one types it: ``W_{hh}^{(l)}`` is W_hh, ``\hat{y}_t`` y_t; None if it is more than a letter."""
    name = re.sub(r"\^(\{[^{}]*\}|\\?\w)|\\(hat|tilde|bar|lvert|rvert|lVert|rVert|max|min|left|right)\b ?|'", lambda m: m[2] if m[2] in ("max", "min") else "", latex)
    name = re.sub(r"\\var(?=\w)|\\", "", name)
    name = re.sub(r"[{}\s]|\((A|x|v|h|l)\)", "", name)
    return name if re.fullmatch(r"[A-Za-z]+(_\w+)?", name) and (len(name.partition("_")[0]) == 1 or name.partition("_")[0].lower() in _GREEK) else None
