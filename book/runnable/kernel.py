"""Runs the cells of a page, one after the other, and moves its live figures: in the browser, and in plain Python alike."""

from __future__ import annotations

import __future__
import ast
import base64
import builtins
import io
import linecache
import logging
import os
import struct
import sys
import warnings
from contextlib import contextmanager
from time import perf_counter  # a cell may bind time.perf_counter to something else
from types import ModuleType
from typing import Any, Callable

from runnable.errors import described, in_one_text
from runnable.outputs import NoInput, Outputs, Stream
from runnable.standins import stand_in

_FUTURES = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})
_PIXELS = 2  # of a picture for one CSS pixel
_kernel: Kernel | None = None  # the one that runs a cell now


def running() -> Kernel:
    """The kernel that runs a cell now.

    Raises
    ------
    RuntimeError : none does.
    """
    if _kernel is None:
        raise RuntimeError("no cell is running; figures are shown by a cell")
    return _kernel


class Kernel:
    """Python behind a page: one namespace, in which cells run, and the live figures that they gave.

    Parameters
    ----------
    send : takes each message to the page, a dictionary that JSON can hold.
    cwd : the folder in which cells run, and from which they import.
    """

    def __init__(self, send: Callable[[dict], None], cwd: str | None = None):
        self._send = send
        self._module = ModuleType("__main__")
        self._builtins = {name: value for name, value in vars(builtins).items() if name != "_"}
        self._flags = 0  # of `from __future__ import …` in the cells so far
        self._runs: dict[int, int] = {}  # cell -> how often it ran
        self._figures: dict[str, tuple] = {}  # name -> the live figure, the outputs of the cell that made it
        self._streams = {"stdin": NoInput(), "stdout": Stream("stdout"), "stderr": Stream("stderr")}
        self._recursion = sys.getrecursionlimit()
        if cwd is not None:
            os.chdir(cwd)
            sys.path.insert(0, os.getcwd())
        os.environ["MPLBACKEND"] = "module://runnable.inline"  # Agg, with a show() that shows
        logging.getLogger("matplotlib.font_manager").addFilter(_is_not_about_a_cache)
        warnings.filterwarnings("ignore", "tqdm:disabling monitor support")  # a browser has no threads
        stand_in(display)

    # What the page asks for -------------------------------------------------

    def run(self, id: int, cell: int, source: str) -> None:
        """Run the source of a cell; `id` numbers the run, `cell` is its place among the page's cells.

        Sends its outputs and ``{"type": "done", "id", "ok", "seconds"}``.
        """
        began = perf_counter()
        outputs = Outputs(self._send, id)
        self._runs[cell] = self._runs.get(cell, 0) + 1
        again = f", run {self._runs[cell]}" if self._runs[cell] > 1 else ""
        filename = f"<cell {cell + 1}{again}>"
        with self._stage(outputs):
            failures = [self._attempt(self._evaluate, source, filename), self._attempt(self.show_figures)]
            failures = [described(error, filename) for error in failures if error]
        for failure in failures:
            outputs.show(failure)
        self._send({"type": "done", "id": id, "ok": not failures, "seconds": round(perf_counter() - began, 3)})

    def set(self, figure: str, ticket: int, values: dict[str, int], settled: bool = False) -> None:
        """Move the controls of a live figure: name -> the number of its value.

        Sends ``{"type": "state", "figure", "ticket", "slots"}``, or "error" instead of "slots"; "clips", a dictionary
        id -> SVG content, comes along where the figure needs one that its HTML lacks. With `settled`, the parts of the
        figure that stand still are looked at, too.
        """
        answer = {"type": "state", "figure": figure, "ticket": ticket}
        if figure not in self._figures:
            self._send(answer | {"error": f"Python does not know the figure {figure!r} any more; run its cell again"})
            return
        live, outputs = self._figures[figure]
        with self._stage(outputs):
            try:
                answer["slots"] = live.state(values, check=settled)
                if clips := live.new_clips():
                    answer["clips"] = clips
            except BaseException as error:
                answer["error"] = in_one_text(error)
        self._send(answer)

    def forget(self, figure: str) -> None:
        """Drop a live figure, if it is there."""
        self._figures.pop(figure, None)

    # What a cell asks for ---------------------------------------------------

    def display(self, *values: Any) -> None:
        """Show values below the cell that runs, as the last value of a cell is shown."""
        for value in values:
            self._outputs.show(self._output(value))

    def show_figures(self) -> None:
        """Show the figures that pyplot holds open, and close them."""
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is None:
            return
        try:
            for number in pyplot.get_fignums():
                figure = pyplot.figure(number)
                if (figure.axes or figure.lines) and figure not in self._shown:  # as Jupyter, no empty ones
                    self._outputs.show(_picture(figure))
        finally:
            pyplot.close("all")

    # How it is done ---------------------------------------------------------

    @contextmanager
    def _stage(self, outputs: Outputs):
        """Python as a cell expects it, and all of it put back afterwards, whatever the cell does."""
        global _kernel
        before = _kernel, {name: getattr(sys, name) for name in self._streams}, sys.modules["__main__"]
        _kernel, self._outputs, self._shown = self, outputs, []
        self._streams["stdout"].outputs = self._streams["stderr"].outputs = outputs
        vars(sys).update(self._streams)
        sys.modules["__main__"] = self._module
        vars(self._module).update(__name__="__main__", __builtins__=builtins)
        builtins.display = self.display
        if tqdm := sys.modules.get("tqdm"):
            tqdm.tqdm.monitor_interval = 0
        try:
            yield
        finally:
            vars(builtins).pop("display", None)
            vars(builtins).update(self._builtins)
            sys.setrecursionlimit(max(sys.getrecursionlimit(), self._recursion))
            _kernel, streams, sys.modules["__main__"] = before
            vars(sys).update(streams)
            outputs.flush()

    def _attempt(self, action: Callable, *arguments) -> BaseException | None:
        """What `action` raised; None if all was well."""
        try:
            action(*arguments)
        except BaseException as error:  # SystemExit and KeyboardInterrupt, too: the page stays
            return error
        return None

    def _evaluate(self, source: str, filename: str) -> None:
        lines = source.splitlines(keepends=True)
        linecache.cache[filename] = len(source), None, lines, filename  # for tracebacks and warnings
        namespace = vars(self._module)
        namespace.pop("__warningregistry__", None)  # every cell warns once a line, not all of them together
        tree = compile(source, filename, "exec", self._flags | ast.PyCF_ONLY_AST, dont_inherit=True)
        last = tree.body[-1] if tree.body else None
        shown = isinstance(last, ast.Expr) and not _ends_with_semicolon(last, source)
        if shown:
            tree.body.pop()
        code = compile(tree, filename, "exec", self._flags, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURES
        value = compile(ast.Expression(last.value), filename, "eval", self._flags, dont_inherit=True) if shown else None
        exec(code, namespace)
        if shown:
            value = eval(value, namespace)
            if value is not None:
                self.display(value)

    def _output(self, value: Any) -> dict:
        """A value as an output, in the richest way that it knows."""
        if _is_a("explorable.figure", "Explorable", value):
            live = value.live()
            self._figures[live.id] = live, self._outputs
            return {"kind": "figure", "figure": live.id, "html": live.html()}
        if _is_a("matplotlib.figure", "Figure", value):
            self._shown.append(value)
            return _picture(value)
        bundle = _bundle(value)
        for mime in ("text/html", "image/svg+xml"):
            if data := bundle.get(mime):
                return {"kind": "html", "html": data}
        if data := bundle.get("image/png"):
            png = base64.b64decode(data) if isinstance(data, str) else data
            return _image(png, 1, repr(value))
        for mime in ("text/markdown", "text/latex", "text/plain"):
            if data := bundle.get(mime):
                return {"kind": "text", "text": data}
        return {"kind": "text", "text": repr(value)}


def display(*values: Any) -> None:
    """Show values below the cell that runs."""
    running().display(*values)


def _is_not_about_a_cache(record: logging.LogRecord) -> bool:
    return "font cache" not in record.getMessage()


def _ends_with_semicolon(last: ast.Expr, source: str) -> bool:
    lines = source.encode().splitlines(keepends=True)[last.end_lineno - 1:]
    return b"".join(lines)[last.end_col_offset:].lstrip().startswith(b";")


def _is_a(module: str, name: str, value: Any) -> bool:
    """Whether a value is of a class of a module that is imported by now, if it is one of that."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def _bundle(value: Any) -> dict[str, Any]:
    """What a value says of itself for a notebook: MIME type -> data."""
    methods = {"text/html": "_repr_html_", "image/svg+xml": "_repr_svg_", "image/png": "_repr_png_",
               "text/markdown": "_repr_markdown_", "text/latex": "_repr_latex_"}
    if method := getattr(type(value), "_repr_mimebundle_", None):
        return _without_metadata(method(value)) or {}
    found = {mime: getattr(type(value), name) for mime, name in methods.items() if hasattr(type(value), name)}
    return {mime: _without_metadata(method(value)) for mime, method in found.items()}


def _without_metadata(data: Any) -> Any:
    return data[0] if isinstance(data, tuple) else data


def _picture(figure) -> dict:
    """A Matplotlib figure as Jupyter's inline backend shows it, with two pixels for one of the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_PIXELS * figure.dpi, bbox_inches="tight",
                   facecolor=figure.get_facecolor(), edgecolor=figure.get_edgecolor())
    return _image(buffer.getvalue(), _PIXELS, _alt(figure))


def _image(png: bytes, scale: int, alt: str) -> dict:
    width, height = struct.unpack(">II", png[16:24])
    data = base64.b64encode(png).decode("ascii")
    return {"kind": "image", "png": data, "width": width / scale, "height": height / scale, "alt": alt[:1000]}


def _alt(figure) -> str:
    """The titles and labels of a figure, for readers who cannot see it."""
    said = [figure.get_suptitle()]
    for ax in figure.axes:
        titles = [title for title in map(ax.get_title, ("center", "left", "right")) if title]
        labels = [f"{axis}: {label}" for axis in "xyz" if (label := getattr(ax, f"get_{axis}label", str)())]
        said.append(", ".join(titles + labels))
    return "A figure. " + "; ".join(filter(None, said)) if any(said) else "A figure"
