"""Sphinx extension: record explorables while a book is built.

Add ``explorable.sphinx_ext`` to the extensions of a book made with myst-nb
(``sphinx: extra_extensions`` of a Jupyter Book). It

* tells the kernels of the build, and no others, to record;
* adds the script and the style to the site;
* shows the stored outputs of a notebook whose optional package is missing, and does not run it:
  ``explorable_needs: {book/12_pytorch.ipynb: torch}`` among the settings of Sphinx;
* runs a notebook again when a local module that it imports, or a data file that
  it names, has changed, which the notebook cache, keyed on the cells alone,
  would not notice.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

from sphinx.util import logging

from explorable.figure import RECORD

_STATIC = Path(__file__).parent / "static"
_IMPORT = re.compile(r"""\b(?:import|from)\s+([^\n"'#;\\(]+)""")  # "numpy as np, figures", in a notebook's JSON, too
_DATA = re.compile(r"\b(?:data|assignments)/[\w./-]*\w")


def setup(app):
    os.environ[RECORD] = "1"
    if sys.stderr.isatty() and hasattr(os, "ttyname"):
        os.environ["EXPLORABLE_TERMINAL"] = os.ttyname(sys.stderr.fileno())
    app.add_config_value("explorable_needs", {}, "env")
    app.connect("config-inited", _leave_out_what_cannot_run)
    app.connect("builder-inited", _add_static_path)
    app.connect("env-get-outdated", _outdated_notebooks)
    app.add_css_file("explorable.css")
    app.add_js_file("explorable.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def lacking(needs: dict[str, str]) -> dict[str, str]:
    """Of a dict notebook -> the package that it needs, those whose package is not installed."""
    return {notebook: package for notebook, package in needs.items() if importlib.util.find_spec(package) is None}


def _leave_out_what_cannot_run(app, config):
    missing = lacking(config.explorable_needs)
    for notebook, package in missing.items():
        logging.getLogger(__name__).info("%s is not run: %s is missing; the page shows its stored outputs", notebook, package)
    config.nb_execution_excludepatterns = [*config.nb_execution_excludepatterns, *missing]


def _add_static_path(app):
    app.config.html_static_path.append(str(_STATIC))


def _outdated_notebooks(app, env, added, changed, removed):
    """Name the documents whose local modules changed, and forget their cached outputs.

    A document that failed is named, too: Sphinx itself would not read it again,
    and the next build would pass.
    """
    runs = getattr(env, "nb_metadata", {})
    failed = {name for name in env.found_docs if (runs.get(name, {}).get("exec_data") or {}).get("succeeded") is False}
    if app.config.nb_execution_mode != "cache":
        return sorted(failed)
    store = Path(app.config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")
    record = store / "local_modules.json"
    before = json.loads(record.read_text()) if record.exists() else {}
    now = {}
    for name in sorted(env.found_docs):
        fingerprint = local_fingerprint(Path(env.doc2path(name)))
        if fingerprint:
            now[name] = fingerprint
    stale = [name for name in now if now[name] != before.get(name)]
    if stale:
        _forget(store, [env.doc2path(name) for name in stale])
        store.mkdir(parents=True, exist_ok=True)
    if store.exists():
        record.write_text(json.dumps(now, indent=1))
    return sorted(failed.union(stale))


def local_fingerprint(document: Path) -> str:
    """A hash of the local modules that `document` imports, directly or not, and of its data; "" if none.

    Local means: a package or module beside the document. Matplotlib style
    files beside it count, too. Data are the files and folders that it names,
    such as "data/depth.jsonl", in the folders data and assignments beside it.
    """
    folder = document.parent
    pending, files = [document], set()
    named = {folder / name for name in _DATA.findall(document.read_text(encoding="utf-8"))}
    data = named.union(*(path.rglob("*") for path in named))
    while pending:
        imports = _IMPORT.findall(pending.pop().read_text(encoding="utf-8"))
        for name in {name for line in imports for name in re.findall(r"(?:^|,)\s*(\w+)", line)}:
            package = folder / name
            found = set(package.rglob("*.*")) if package.is_dir() else {folder / f"{name}.py"}
            found = {path for path in found if path.is_file() and path.suffix in (".py", ".js", ".css", ".mplstyle")}
            pending += [path for path in found - files if path.suffix == ".py"]
            files |= found
    if files:
        files |= set(folder.glob("*.mplstyle"))
    files |= {path for path in data if path.is_file()}
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return digest.hexdigest() if files else ""


def _forget(store: Path, paths: list[str]) -> None:
    if not store.exists():
        return
    from jupyter_cache import get_cache

    cache = get_cache(store)
    wanted = {str(Path(path)) for path in paths}
    for record in cache.list_cache_records():
        if str(Path(record.uri)) in wanted:
            cache.remove_cache(record.pk)
