"""Sphinx extension: record explorables while a book is built.

Add ``explorable.sphinx_ext`` to the extensions of a book made with myst-nb
(``sphinx: extra_extensions`` of a Jupyter Book). It

* tells the kernels of the build, and no others, to record;
* adds the script and the style to the site;
* leaves out of a page that shows no widget the state of widgets and the scripts from elsewhere that would show them: the
  controls of a recorded figure are widgets that were made in the kernel, and no more;
* has the formulas of a caption typeset where the page has no others;
* fails the build where two explorables of a page, or an explorable and anything else in it, have the same id;
* shows the stored outputs of a notebook whose optional package is missing, and does not run it:
  ``explorable_needs: {book/12_pytorch.ipynb: torch}`` among the settings of Sphinx;
* in myst-nb's execution mode "cache", runs the notebooks side by side, and runs one again when a local module
  that it imports, or a data file that it names, has changed, which the cache, keyed on the cells alone, would not notice.
"""

from __future__ import annotations

import importlib.util
import os
import re
from glob import escape
from pathlib import Path

from docutils import nodes
from myst_nb.core.read import create_nb_reader
from sphinx.errors import ExtensionError
from sphinx.util import logging
from tqdm import tqdm

from explorable.execution import Runs, Store, local_fingerprint
from explorable.figure import RECORD

_STATIC = Path(__file__).parent / "static"
_FIGURE = re.compile(r'<figure class="explorable" id="([^"]+)"')
_FORMULA = '<span class="math'  # as `svg.caption_html` writes it
_WIDGET = "application/vnd.jupyter.widget-view+json"
logger = logging.getLogger(__name__)


def setup(app):
    os.environ[RECORD] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a notebook a processor: more threads would only wait for each other
    app.add_config_value("explorable_needs", {}, "env")
    app.connect("config-inited", _leave_out_what_cannot_run)
    app.connect("builder-inited", _add_static_path)
    app.connect("builder-inited", _Notebooks)
    app.connect("doctree-read", _refuse_namesakes)
    app.connect("doctree-read", _leave_out_unseen_widgets)
    app.connect("doctree-read", _typeset_captions)
    app.add_css_file("explorable.css")
    app.add_js_file("explorable.js", loading_method="defer")
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def lacking(needs: dict[str, str]) -> dict[str, str]:
    """Of a dict notebook -> the package that it needs, those whose package is not installed."""
    return {notebook: package for notebook, package in needs.items() if importlib.util.find_spec(package) is None}


def _leave_out_what_cannot_run(app, config):
    missing = lacking(config.explorable_needs)
    for notebook, package in missing.items():
        logger.info("%s is not run: %s is missing; the page shows its stored outputs", notebook, package)
    config.nb_execution_excludepatterns = [*config.nb_execution_excludepatterns, *missing]


def _add_static_path(app):
    app.config.html_static_path.append(str(_STATIC))


def namesakes(doctree) -> list[str]:
    """The ids of explorables in a page that something else in it has, too: a cell's second figure, a heading, a label."""
    figures = [name for raw in doctree.findall(nodes.raw) for name in _FIGURE.findall(raw.astext())]
    others = {name for node in doctree.findall(nodes.Element) for name in node.get("ids", ())}
    return sorted({name for name in figures if figures.count(name) > 1 or name in others})


def _refuse_namesakes(app, doctree):
    same = namesakes(doctree)
    if same:
        raise ExtensionError(f"{app.env.docname}: the id {', '.join(map(repr, same))} stands in the page more than once; "
                             "give every explorable an id of its own, which no heading and no label has", modname="explorable")


def _leave_out_unseen_widgets(app, doctree):
    if any(node.get("mime_type") == _WIDGET for node in doctree.findall(nodes.Element)):
        return
    scripts = getattr(app.env, "nb_metadata", {}).get(app.env.docname, {}).get("js_files", {})
    for name in [name for name in scripts if name.startswith("ipywidgets")]:  # myst-nb's names
        del scripts[name]


def _typeset_captions(app, doctree):
    """Sphinx loads MathJax where a page itself has formulas; a caption alone may have some, too."""
    if any(_FIGURE.search(text) and _FORMULA in text for text in map(nodes.raw.astext, doctree.findall(nodes.raw))):
        app.env.get_domain("math").data["has_equations"][app.env.docname] = True


def read_notebook(env, name: str):
    """Path and notebook of a document, as myst-nb reads it; None for the notebook if the document has no code."""
    document = Path(env.doc2path(name))
    text = document.read_text(encoding="utf-8")
    reader = create_nb_reader(str(document), env.myst_config, env.mystnb_config, text)
    if reader is None:
        return document, None
    notebook = reader.read(text)
    kernel = notebook.metadata.get("kernelspec", {})  # under the name that myst-nb gives it, which its key contains
    for pattern, name in env.mystnb_config.kernel_rgx_aliases.items():
        if re.fullmatch(pattern, kernel.get("name", "")):
            kernel["name"] = name
            break
    return document, notebook


def store_of(app) -> Store | None:
    """Where a build keeps its executed notebooks; None if it isn't in myst-nb's execution mode "cache"."""
    if app.config.nb_execution_mode != "cache":
        return None
    return Store(app.config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")


class _Notebooks:
    """The notebooks of one build: those that have to run are started before the first page is read.

    When a page is read, its notebook is in the cache, where myst-nb looks for it. One that failed is a warning,
    and its page shows the stored outputs; since it isn't kept, the next build runs it again.
    """

    def __init__(self, app):
        self._app, self._store = app, store_of(app)
        if self._store is None:
            return
        self._runs, self._started, self._bar = Runs(app.config.nb_execution_timeout), {}, None
        app.connect("env-get-outdated", self._start)
        app.connect("source-read", self._finish)
        app.connect("build-finished", self._stop)

    def _read(self, name):
        """Path and notebook of a document; None for the notebook if it has no code or isn't to be run."""
        env = self._app.env
        document = Path(env.doc2path(name))
        if any(document.match(pattern) for pattern in env.mystnb_config.execution_excludepatterns):
            return document, None
        return read_notebook(env, name)

    def _start(self, app, env, added, changed, removed):
        """Start what has to run; name the documents whose page shows another run than the last."""
        shown = {name: (data.get("exec_data") or {}).get("mtime") for name, data in getattr(env, "nb_metadata", {}).items()}
        outdated = []
        for name in sorted(env.found_docs):
            document, notebook = self._read(name)
            if notebook is None:
                continue
            when = self._store.find(document, notebook)
            if when is None:
                self._started[name] = document, notebook, local_fingerprint(document)
                self._runs.start(name, document, notebook)
            if when is None or when != shown.get(name):
                outdated.append(name)
        if self._started:
            self._bar = tqdm(total=len(self._started), desc="running notebooks", unit="notebook", disable=None)
        return outdated

    def _finish(self, app, name, content):
        """Wait for the notebook of the page that is about to be read."""
        result = self._runs.result(name)
        if result is None:
            return
        document, notebook, fingerprint = self._started[name]
        self._bar.set_postfix_str(name)
        self._bar.update()
        if result.err is None:
            self._store.keep(document, notebook, fingerprint, result.time)
            return
        logger.warning("Executing notebook failed: %s\n%s", type(result.err).__name__, result.exc_string, location=name)
        self._store.forget(notebook)
        config = app.env.mystnb_config
        app.env.mystnb_config = config.copy(execution_excludepatterns=[*config.execution_excludepatterns, escape(str(document))])

    def _stop(self, app, exception):
        self._runs.stop()
        if self._bar:
            self._bar.close()
