"""Pages with cells, made here as `runnable.sphinx_ext` makes those of a book."""

from __future__ import annotations

import json
import shutil
from html import escape
from pathlib import Path

import explorable
import runnable

LIGHT = "--pst-color-background:#fff;--pst-color-text-base:#14181e;--pst-color-text-muted:#48566b;--pst-color-surface:#f3f4f5;" \
        "--pst-color-primary:#0a58ca"
DARK = "--pst-color-background:#14181e;--pst-color-text-base:#ced6dd;--pst-color-text-muted:#9ca4af;--pst-color-surface:#29313d;" \
       "--pst-color-primary:#8ab4ff"
STATIC = [Path(package.__path__[0]) / "static" for package in (explorable, runnable)]


def code(source: str, stored: str = "", seconds: float | None = 0.1, binds=(), needs=(), answer: bool = False, tag: str = "",
         shown: bool = True, **more) -> dict:
    """A code cell; `stored` is the HTML of its output. Cells that are not `shown` the page drops."""
    return {"source": source, "seconds": seconds, "binds": list(binds), "needs": list(needs), "answer": answer, "text": False,
            "stored": stored, "tag": tag, "shown": shown, **more}


def answer_in_words() -> dict:
    """A Markdown cell in which a student answers."""
    return {"source": "YOUR ANSWER HERE", "answer": True, "text": True, "shown": True}


def _element(place: int, cell: dict) -> str:
    if not cell["shown"]:
        return ""
    if cell["text"]:
        return f'<div class="docutils container" data-runnable="{place}"><p>YOUR ANSWER HERE</p></div>'
    stored = f'<div class="cell_output docutils container">{cell["stored"]}</div>' if cell["stored"] else ""
    return (f'<div class="cell {cell["tag"]} docutils container" data-runnable="{place}"><div class="cell_input docutils container">'
            f'<div class="highlight-ipython3 notranslate"><div class="highlight"><pre>{escape(cell["source"])}</pre></div></div></div>{stored}</div>')


def write_page(folder: Path, cells: list[dict], name: str = "page.html", *, pyodide: dict | None = None, notebook: str | None = None,
               theme: str = "light", body: str = "", policy: str = "") -> None:
    """Write a page with `cells` into `folder`, and beside it, in _static, the scripts and styles."""
    for static in STATIC:
        shutil.copytree(static, folder / "_static", dirs_exist_ok=True)
    (folder / "favicon.ico").write_bytes(b"")
    told = {
        "cells": [{key: value for key, value in {"index": place, **cell}.items() if key not in ("stored", "tag", "shown")}
                  for place, cell in enumerate(cells)],
        "notebook": notebook, "worker": "_static/worker.js", "modules": {name: f"_static/{name}.js" for name in ("live", "notebook", "edits")},
        "pyodide": {"version": "0", "local": "pyodide/", "cdn": "https://cdn.example/pyodide/", "packages": [], "megabytes": 19, "archives": [], "cwd": "/home/pyodide/book"}
        | (pyodide or {}),
    }
    data = json.dumps(told).replace("<", "\\u003c")
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    (folder / name).write_text(
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8">{meta}<title>Test</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="_static/explorable.css">'
        f'<link rel="stylesheet" href="_static/runnable.css"><style>:root{{{DARK if theme == "dark" else LIGHT}}}'
        'body{font-family:sans-serif;color:var(--pst-color-text-base);background:var(--pst-color-background);max-width:46rem;margin:auto;padding:0 1rem}'
        '.highlight pre{padding:.75rem;border:1px solid;overflow:auto;font-size:.8em}</style>'
        '<script defer src="_static/explorable.js"></script><script defer src="_static/runnable.js"></script></head>'
        f'<body><main><h1>Test</h1>{body}{"".join(_element(place, cell) for place, cell in enumerate(cells))}'
        f'<script type="application/json" id="runnable">{data}</script></main></body></html>', encoding="utf-8")
