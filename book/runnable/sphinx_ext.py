"""Sphinx extension: the code cells of a page run in the reader's browser.

Add ``runnable.sphinx_ext`` after ``explorable.sphinx_ext`` to the extensions of a book made with myst-nb. It

* marks every code cell of a page with its place, ``<div class="cell" data-runnable="3">``, and every Markdown cell of a
  problem set that a student answers in;
* writes at the end of the page, as JSON, what the script needs to run them: the cells as they stand in the notebook, how long
  each took when the book was built, the names that it binds and needs, and where Python comes from;
* adds the script and the style to these pages and no others;
* puts the archive of the book's own code into the site, and a Content-Security-Policy into every page.

``runnable_exclude: [book/12_pytorch]`` among the settings of Sphinx names the pages whose cells cannot run in a browser.
"""

from __future__ import annotations

import ast
import fnmatch
import hashlib
import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.osutil import relative_uri

import explorable
from explorable.sphinx_ext import read_notebook, store_of
from runnable import site
from runnable.cells import names
from runnable.pyodide import CDN, VERSION, megabytes

_STATIC = Path(__file__).parent / "static"
_ARCHIVE = "book.zip"
_ANSWER = "YOUR ANSWER HERE"  # what stands in a Markdown cell of a problem set until a student writes there
_WARNING = re.compile(r"RuntimeWarning: (overflow|underflow|invalid value|divide by zero) encountered")  # as NumPy writes it


def setup(app):
    app.add_config_value("runnable_exclude", [], "env")
    app.connect("builder-inited", _add_static_path)
    app.connect("doctree-read", _mark)
    app.connect("env-updated", _make_archive)
    app.connect("html-page-context", _add_data)
    app.connect("build-finished", _finish)
    app.add_node(nodes.container, override=True, html=(_visit_container, _depart_container))
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def _add_static_path(app):
    app.config.html_static_path.append(str(_STATIC))


def _make_archive(app, env):
    """Make the archive for the pages of the book; the pages to be written again, if it or the worker has changed."""
    if app.builder.format != "html":
        return []
    pages = {name: env.metadata[name]["runnable"] for name in sorted(env.all_docs) if "runnable" in env.metadata[name]}
    content = site.archive({path: file for data in pages.values() for path, file in data.items()})
    scripts = [*(_STATIC / f"{name}.js" for name in ("worker", "notebook", "edits")), Path(explorable.__path__[0], "static", "live.js")]
    versions = {_ARCHIVE: _version(content)} | {script.name: _version(script.read_bytes()) for script in scripts}
    path = Path(app.outdir, "_static", _ARCHIVE)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    changed = versions != getattr(env, "runnable_versions", None)
    env.runnable_versions = versions
    return list(pages) if changed else []


def _version(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]


def _visit_container(self, node):
    place = node.get("runnable")
    marked = {} if place is None else {"data-runnable": place}
    self.body.append(self.starttag(node, "div", CLASS="docutils container", **marked))


def _depart_container(self, node):
    self.body.append("</div>\n")


def _mark(app, doctree):
    """Mark the cells of a page, and keep with it what `_add_data` writes."""
    name = app.env.docname
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in app.config.runnable_exclude):
        return
    document, notebook = read_notebook(app.env, name)
    if notebook is None or not any(cell.cell_type == "code" for cell in notebook.cells):
        return
    store = store_of(app)
    try:
        cells = entries(notebook, store and store.seconds(notebook))
        sources = [cell["source"] for cell in cells if not cell["text"]]
        packages = site.packages(sources)
    except (SyntaxError, LookupError) as error:
        raise ExtensionError(f"{name} cannot run in a browser: {error}; name it in runnable_exclude if it is not to",
                             modname="runnable") from error
    places = {cell["index"]: place for place, cell in enumerate(cells)}
    for node in doctree.findall(nodes.container):
        if node.get("nb_element") == "cell_code":
            place = places[node["cell_index"]]
            if cells[place]["answer"] or ast.parse(cells[place]["source"]).body:  # not where hidden tests will stand
                node["runnable"] = place
    _mark_answers(name, doctree, cells)
    app.env.metadata[name]["runnable"] = site.data(document.parent, sources)
    doctree["runnable"] = {"cells": cells, "set": any(cell["answer"] for cell in cells), "packages": packages}


def _mark_answers(name, doctree, cells):
    """Put a container around what a page shows of each Markdown cell that a student answers in."""
    answers = [place for place, cell in enumerate(cells) if cell["text"]]
    shown = [node for node in doctree.findall(nodes.paragraph) if node.astext() == _ANSWER]
    if len(shown) != len(answers):
        raise ExtensionError(f"{name}: {len(answers)} Markdown cells to answer in, but {len(shown)} paragraphs {_ANSWER!r}; "
                             "wanted one in each of them and nothing else", modname="runnable")
    for place, node in zip(answers, shown):
        container = nodes.container("", runnable=place)
        node.replace_self(container)
        container.append(node)


def entries(notebook, seconds: list[float | None] | None) -> list[dict]:
    """What the page knows of each cell: its code cells, and the Markdown cells that a student answers in.

    seconds : how long each code cell took, in the order of the notebook; None: not known.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    bound = dict(zip(map(id, code), names([cell.source for cell in code]), strict=True))
    took = dict(zip(map(id, code), seconds or [None] * len(code), strict=True))
    is_set = any("nbgrader" in cell.metadata for cell in notebook.cells)
    found = []
    for index, cell in enumerate(notebook.cells):
        mark = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code":
            binds, needs = bound[id(cell)]
            found.append({"index": index, "source": cell.source, "seconds": took[id(cell)], "binds": binds, "needs": needs,
                          "answer": bool(is_set and not mark.get("locked")), "text": False, "warns": warns(cell)})
        elif cell.cell_type == "markdown" and mark.get("solution"):
            found.append({"index": index, "source": cell.source, "answer": True, "text": True})
    return found


def warns(cell) -> bool:
    """Whether a code cell shows, or catches, one of NumPy's warnings of an overflow or of a NaN, which a browser's never gives."""
    said = "".join(output.get("text", "") for output in cell.outputs if output.output_type == "stream")
    caught = {node.id for handler in ast.walk(ast.parse(cell.source)) if isinstance(handler, ast.ExceptHandler) and handler.type
              for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return "RuntimeWarning" in caught or bool(_WARNING.search(said))


def _add_data(app, pagename, templatename, context, doctree):
    data = doctree.get("runnable") if doctree is not None else None
    if data is None:
        return

    def here(path):
        return relative_uri(app.builder.get_target_uri(pagename), path)

    def static(path):
        return f"{here(f'_static/{path}')}?v={app.env.runnable_versions[path]}"  # no browser takes an old one for it

    told = {
        "cells": data["cells"],
        "notebook": here(f"_sources/{context['sourcename']}") if data["set"] else None,
        "worker": static("worker.js"),
        "modules": {name: static(f"{name}.js") for name in ("live", "notebook", "edits")},
        "pyodide": {"version": VERSION, "local": here("pyodide/"), "cdn": CDN, "packages": data["packages"],
                    "megabytes": megabytes(data["packages"]), "archives": [static(_ARCHIVE)], "cwd": "/home/pyodide/book"},
    }
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")  # no "</script>" in it
    context["body"] += f'<script type="application/json" id="runnable">{text}</script>\n'
    app.builder.add_css_file("runnable.css")
    app.builder.add_js_file("runnable.js", defer="defer")


def _finish(app, exception):
    if exception is None and app.builder.format == "html":
        site.secure(Path(app.outdir))
