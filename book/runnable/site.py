"""What a site holds so that its pages can compute: the archive with the book's own code, and a Content-Security-Policy."""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from importlib.metadata import distribution
from pathlib import Path

from runnable.pyodide import CDN, PACKAGES

_HOUSE = Path(__file__).parents[1]  # the folder with the book's packages
# The book's packages -> the modules of each that a page never imports: they build the book, grade, or serve it.
_OWN = {
    "gradients": set(),
    "explorable": {"execution", "refresh", "sphinx_ext"},
    "runnable": {"cells", "pyodide", "site", "sphinx_ext"},
    "grading": {path.stem for path in (_HOUSE / "grading").glob("*.py")} - {"__init__", "marks", "values"},
}
_MODULES = ["figures.py", "results.py", "figures.mplstyle"]
# Pure Python, and not among Pyodide's packages -> what of those they need.
_BUNDLED = {"ipywidgets": ["traitlets"], "comm": []}
_DATA = re.compile(r"\bdata/[\w./-]*\w")
_POLICY = "Content-Security-Policy"
_META = re.compile(rf'<meta http-equiv="{_POLICY}"[^>]*>')
_CHARSET = re.compile(r"<meta charset=[^>]*>", re.IGNORECASE)


def data(folder: Path, sources: Iterable[str]) -> dict[str, Path]:
    """The data files in `folder` that cells name: path in the archive, such as "data/depth.jsonl" -> file."""
    named = {name for source in sources for name in _DATA.findall(source)}
    return {name: folder / name for name in sorted(named) if (folder / name).is_file()}


def packages(sources: Iterable[str]) -> list[str]:
    """The packages of Pyodide that cells need, directly or through the book's own modules, and that the kernel needs.

    Raises
    ------
    LookupError : a module that the reader's browser will not have.
    """
    trees = [ast.parse(source) for source in sources]
    pending = {name for tree in trees for node in ast.walk(tree) for name in _imported(node)} | {"runnable.kernel"}
    seen, found = set(), set()
    while pending:
        module = pending.pop()
        top = module.partition(".")[0]
        if module in seen or top in sys.stdlib_module_names:
            continue
        seen.add(module)
        if top in _OWN or f"{top}.py" in _MODULES:
            path = _file(module)
            if path is not None:  # not so for a name in a module
                package = module if path.name == "__init__.py" else module.rpartition(".")[0]
                pending |= {name for node in ast.parse(path.read_text(encoding="utf-8")).body for name in _imported(node, package)}
        elif top in _BUNDLED:
            found |= set(_BUNDLED[top])
        elif top in PACKAGES:
            found.add(PACKAGES[top])
        else:
            raise LookupError(f"no module {top!r} in the reader's browser: it is none of Pyodide's packages that the book "
                              "takes, and not among the book's own modules")
    return sorted(found)


def _imported(node: ast.AST, package: str = "") -> list[str]:
    """The modules that a statement may import: "a", "a.b" and "a.b.c" for `from a.b import c`."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = package.split(".")[:len(package.split(".")) - node.level + 1] if node.level else []
        origin = ".".join([*above, *filter(None, [node.module])])
        names = [f"{origin}.{alias.name}" for alias in node.names]
    else:
        names = []
    parts = [name.split(".") for name in names]
    return [".".join(name[:end]) for name in parts for end in range(1, len(name) + 1)]


def _file(module: str) -> Path | None:
    """The file of one of the book's own modules; None for what is no module."""
    path = _HOUSE.joinpath(*module.split("."))
    for candidate in (path / "__init__.py", path.with_suffix(".py")):
        if candidate.exists():
            return candidate
    return None


def _bundled_files(package: str) -> Iterator[tuple[str, Path]]:
    """Path in the archive and file of all Python files of an installed package, and of its licence."""
    for file in distribution(package).files:
        parts = file.parts
        if parts[0] == package and file.suffix == ".py" and "tests" not in parts:
            yield str(file), Path(file.locate())
        elif parts[0].endswith(".dist-info") and ("LICEN" in file.name.upper() or file.name == "METADATA"):
            yield str(file), Path(file.locate())


def archive(data: dict[str, Path]) -> bytes:
    """A zip file of the book's own code, of what Pyodide lacks, and of `data`; the same bytes for the same content."""
    files = {str(path.relative_to(_HOUSE)): path for package, others in _OWN.items()
             for path in (_HOUSE / package).glob("*.py") if path.stem not in others}
    files |= {name: _HOUSE / name for name in _MODULES} | data
    for package in _BUNDLED:
        files |= _bundled_files(package)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for name, path in sorted(files.items()):
            made.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()


class _Scripts(HTMLParser):
    """Finds what a page runs from its own text: scripts without an address, and attributes such as onclick."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=False)
        self.scripts, self.handlers, self.runnable, self._open = set(), set(), False, False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        kind = (given.get("type") or "").lower()
        self._open = tag == "script" and "src" not in given and kind in ("", "module", "text/javascript", "application/javascript")
        self.runnable |= tag == "script" and given.get("id") == "runnable"
        self.handlers |= {value for name, value in attributes if name.startswith("on") and value}

    def handle_data(self, text):
        if self._open:
            self.scripts.add(text)

    def handle_endtag(self, tag):
        self._open = False


def _hashes(texts: set[str]) -> list[str]:
    return sorted(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in texts)


def _policy(page: _Scripts, handlers: set[str]) -> str:
    """The Content-Security-Policy of a page: nothing from elsewhere, and no script in it but those that it has now.

    A page with cells to run may also load the files of one version of Pyodide from its CDN.
    """
    scripts, connect, worker = ["'self'", *_hashes(page.scripts)], ["'self'"], ["'self'"]
    if handlers:
        scripts += ["'unsafe-hashes'", *_hashes(handlers)]  # browsers call hashes of attributes so
    if page.runnable:
        scripts += ["'wasm-unsafe-eval'", CDN]  # WebAssembly, and no eval of JavaScript
        connect.append(CDN)
        worker.append("blob:")  # such a worker is under its page's policy, so that what runs in it reaches no other host, either
    return "; ".join([
        "default-src 'self'", f"script-src {' '.join(scripts)}", "style-src 'self' 'unsafe-inline'", "img-src 'self' data:",
        f"worker-src {' '.join(worker)}", f"connect-src {' '.join(connect)}", "object-src 'none'", "base-uri 'self'", "form-action 'self'",
    ])


def secure(folder: Path) -> None:
    """Put its Content-Security-Policy into every page of a built site.

    Attributes such as onclick of one page are allowed on all: the search reads the pages that it has found.
    """
    paths = [path for path in folder.rglob("*.html") if path.relative_to(folder).parts[0] not in ("_static", "pyodide")]
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    pages = {path: _Scripts(text) for path, text in texts.items()}
    handlers = set().union(*(page.handlers for page in pages.values()))
    for path, old in texts.items():
        html = _META.sub("", old)
        charset = _CHARSET.search(html)  # browsers want it first; a page without it is Jupyter Book's redirection, a <meta> and no more
        place = charset.end() if charset else 0
        new = f'{html[:place]}<meta http-equiv="{_POLICY}" content="{_policy(pages[path], handlers)}">{html[place:]}'
        if new != old:
            path.write_text(new, encoding="utf-8")
