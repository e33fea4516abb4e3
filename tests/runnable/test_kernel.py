"""Cells of a page run as they run in a notebook, whatever is in them, and the page gets what they print and show."""

import base64
import dataclasses
import io
import itertools
import json
import subprocess
import sys
import sysconfig
import textwrap
import time
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image

from chapters import BOOK
from explorable import Explorable
from explorable.controls import Grid
from explorable.figure import RECORD
from runnable.kernel import Kernel
from runnable.outputs import TEXT
from states import assert_drawn_as_recorded

QUICK = ["01_backpropagation", "03_backpropagation_through_time", "04_what_vanishes", "13_today"]
EXPLORE = """
import matplotlib.pyplot as plt
from ipywidgets import IntSlider
from explorable import explore
fig, ax = plt.subplots()
line, = ax.plot([0, 1], [0, 1])
def update(n):
    line.set_ydata([0, n])
    BODY
    return line,
explore(fig, update, id="fig-a", alt="A line.", caption="A line.", n=IntSlider(min=0, max=9, value=1))
"""


class Page:
    """A page that keeps what its kernel sends."""

    def __init__(self, **options):
        self.messages, self.kernel, self.runs = [], Kernel(self._keep, **options), 0

    def _keep(self, message):
        self.messages.append(json.loads(json.dumps(message, allow_nan=False)))

    def run(self, source, cell=0):
        """The outputs of a cell; `ok` and `seconds` are those of the last one."""
        self.runs += 1
        start = len(self.messages)
        self.kernel.run(self.runs, cell, textwrap.dedent(source))
        *outputs, done = self.messages[start:]
        assert done.keys() == {"type", "id", "ok", "seconds"} and done["type"] == "done" and done["seconds"] >= 0
        assert all(message["type"] == "output" for message in outputs) and {m["id"] for m in self.messages[start:]} == {self.runs}
        self.ok = done["ok"]
        outputs = [message["output"] for message in outputs]
        assert self.ok != any(output["kind"] == "error" for output in outputs)
        return outputs

    def text(self, source, cell=0, name="stdout"):
        """What a cell prints."""
        return "".join(output["text"] for output in self.run(source, cell) if output["kind"] == "stream" and output["name"] == name)

    def value(self, source):
        """What a cell that shows one thing shows."""
        output, = self.run(source)
        return output

    def error(self, source, cell=0):
        output = self.run(source, cell)[-1]
        assert output["kind"] == "error"
        return output["name"], output["message"], output["lines"]

    def state(self, values, figure="fig-a", settled=False):
        """The answer to one question, and what came before it."""
        start = len(self.messages)
        self.kernel.set(figure, 7, values, settled)
        *before, answer = self.messages[start:]
        assert answer["type"] == "state" and (answer["figure"], answer["ticket"]) == (figure, 7)
        return answer, before


def show_warning(message, category, filename, lineno, file=None, line=None):
    """As Python does where pytest doesn't collect them."""
    sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))


@pytest.fixture
def make(monkeypatch, tmp_path):
    monkeypatch.delenv(RECORD, raising=False)
    monkeypatch.setenv("MPLBACKEND", "agg")  # the kernel sets it
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", show_warning)
    for name in ("perf_counter", "monotonic"):
        monkeypatch.setattr(time, name, getattr(time, name))  # put back what a test breaks
    with warnings.catch_warnings(), matplotlib.rc_context(), np.errstate():
        warnings.resetwarnings()  # as Python has them
        warnings.simplefilter("default")
        yield Page
    plt.close("all")


@pytest.fixture
def page(make):
    return make()


# What is shown


def test_the_last_value_is_shown(page):
    assert page.value("x = 2\nx + 1") == {"kind": "text", "text": "3"}
    for nothing in ("x + 1;", "x + 1 ; # said", "x = 1", "None", "", "# a comment", "if x:\n    x"):
        assert page.run(nothing) == []
    assert page.value("'ü;'  # ;") == {"kind": "text", "text": "'ü;'"}
    assert page.value("(x,\n x)") == {"kind": "text", "text": "(1, 1)"}
    assert page.run("print(1); 2") == [{"kind": "stream", "name": "stdout", "text": "1\n"}, {"kind": "text", "text": "2"}]


def test_display_shows_what_it_is_given(page):
    assert [output["text"] for output in page.run("for i in range(2): display(i, str(i))\n3")] == ["0", "'0'", "1", "'1'", "3"]


def test_names_and_futures_stay(page):
    page.run("from __future__ import annotations\nx = 1")
    assert page.value("def f(a: nowhere): return x\nf(0)")["text"] == "1"
    assert page.value("__name__")["text"] == "'__main__'"
    assert page.value("import __main__\n__main__.x")["text"] == "1"
    assert page.value("from dataclasses import dataclass\n@dataclass\nclass A:\n    b: 'int'\nimport pickle\npickle.loads(pickle.dumps(A(2)))"
                      )["text"] == "A(b=2)"


@pytest.mark.parametrize("methods, output", [
    ("_repr_html_ = lambda self: '<b>x</b>'", {"kind": "html", "html": "<b>x</b>"}),
    ("_repr_svg_ = lambda self: '<svg/>'", {"kind": "html", "html": "<svg/>"}),
    ("_repr_markdown_ = lambda self: '*x*'", {"kind": "text", "text": "*x*"}),
    ("_repr_html_ = lambda self: None", {"kind": "text", "text": "A!"}),
    ("_repr_html_ = lambda self: ('<b>x</b>', {})", {"kind": "html", "html": "<b>x</b>"}),
    ("_repr_mimebundle_ = lambda self, include=None, exclude=None: {'text/plain': 'p', 'text/html': 'h'}", {"kind": "html", "html": "h"}),
    ("_repr_mimebundle_ = lambda self, include=None, exclude=None: {'text/plain': 'p'}", {"kind": "text", "text": "p"}),
    ("__getattr__ = lambda self, name: print", {"kind": "text", "text": "A!"}),
])
def test_rich_values(page, methods, output):
    assert page.value(f"class A:\n    __repr__ = lambda self: 'A!'\n    {methods}\nA()") == output


def test_a_class_is_no_rich_value(page):
    assert page.value("class A:\n    def _repr_html_(self): return 'x'\nA")["text"] == "<class '__main__.A'>"


def test_a_picture_of_another_library(page):
    output = page.value("from PIL import Image\nImage.new('RGB', (30, 20))")
    assert (output["kind"], output["width"], output["height"]) == ("image", 30, 20) and "PIL.Image" in output["alt"]


# Streams


def test_streams_keep_their_order(page):
    outputs = page.run("import sys\nprint(1)\nprint(2, file=sys.stderr)\nprint(3)\nsys.stderr.write('4');")
    assert [(output["name"], output["text"]) for output in outputs] == [("stdout", "1\n"), ("stderr", "2\n"), ("stdout", "3\n"), ("stderr", "4")]


def test_lines_are_sent_while_a_cell_runs(make):
    """A few at once, many in pieces, and a progress bar when it asks."""
    page = make()
    page.run("import time, sys")
    arrivals = []
    keep = page._keep
    page.kernel._send = lambda message: (arrivals.append(time.monotonic()), keep(message))
    began = time.monotonic()
    page.run("print('a', 'b')\ntime.sleep(0.3)")
    assert len(arrivals) == 2 and arrivals[0] - began < 0.25 < arrivals[1] - began
    assert [output["text"] for output in page.run("print('half', end='', flush=True)\ntime.sleep(0.01)\nprint('\\rwhole')")][0] == "half"
    many = page.run("for i in range(2000): print(i, 'and', i)")
    assert len(many) < 40 and "".join(output["text"] for output in many) == "".join(f"{i} and {i}\n" for i in range(2000))
    letters = page.run("for i in range(20):\n    print('x', end='')\n    time.sleep(0.02)")
    assert 2 <= len(letters) <= 5 and "".join(output["text"] for output in letters) == "x" * 20


def test_megabytes_are_cut_and_the_page_says_so(page):
    began = time.perf_counter()
    outputs = page.run("for i in range(10**5): print('x' * 99)\nraise ValueError('seen')")  # 10 MB
    assert time.perf_counter() - began < 5
    text = "".join(output["text"] for output in outputs[:-1])
    assert text.startswith("x" * 99 + "\n") and len(text) < TEXT + 200 and len(outputs) < 100
    assert text.endswith("\n[cut here: a cell shows at most 200 KB of text, and what comes after is left out]\n")
    assert outputs[-1]["message"] == "seen"
    assert page.text("print('x' * 10**7)") == "x" * TEXT + text[text.index("\n[cut"):]
    assert len(page.value("'x' * 10**7")["text"]) < TEXT + 200
    assert page.text("print('again')") == "again\n"
    exact = page.text(f"print('x' * {TEXT - 1})")
    assert exact == "x" * (TEXT - 1) + "\n"


def test_too_many_pictures_are_left_out_and_the_page_says_so(page):
    outputs = page.run("class A:\n    def _repr_html_(self): return 'x' * 6_000_000\nfor _ in range(5): display(A())")
    assert [output["kind"] for output in outputs] == ["html"] * 3 + ["text"]
    assert outputs[-1]["text"] == "[left out: a cell shows at most 20 MB of pictures]"


def test_what_no_utf8_has_is_written_out(page):
    assert page.text("print('\\ud800')") == "\\ud800\n"
    assert page.error("raise ValueError('\\ud800')")[1] == "\\ud800"


def test_warnings_are_shown_once_a_place(page):
    source = "import warnings\nfor i in range(3):\n    warnings.warn('careful')\n"
    assert page.text(source, cell=3, name="stderr") == "<cell 4>:3: UserWarning: careful\n  warnings.warn('careful')\n"
    assert page.text(source, cell=4, name="stderr").startswith("<cell 5>:3:")  # the same line of another cell
    assert page.text(source, cell=3, name="stderr").startswith("<cell 4, run 2>:3:")
    page.run("warnings.simplefilter('ignore')")
    assert page.text(source, name="stderr") == ""
    page.run("warnings.simplefilter('error')")
    assert page.error(source)[:2] == ("UserWarning", "careful")
    assert page.text("warnings.simplefilter('always')\n" + source, name="stderr").count("careful\n  ") == 3


def test_there_is_no_keyboard(page):
    name, message, lines = page.error("x = input('name? ')")
    assert (name, message, lines) == ("EOFError", "input() cannot ask on this page; write the answer into the cell", [[1, "x = input('name? ')"]])


# Errors


def test_a_traceback_is_short(page):
    page.run("import numpy as np\n\ndef f(x):\n    return np.linalg.inv(x)\n", cell=2)
    name, message, lines = page.error("def g():\n    f(np.zeros((2, 2)))\n\ng()", cell=5)
    assert (name, message) == ("LinAlgError", "Singular matrix")
    assert lines[:3] == [[4, "g()"], [2, "in g: f(np.zeros((2, 2)))"], [None, "cell 3, line 4, in f: return np.linalg.inv(x)"]]
    (place, text), = lines[3:]
    assert place is None and text.startswith("linalg/_linalg.py, line ") and "Singular matrix" in text


def test_the_lines_are_those_that_ran(page):
    page.run("def f():\n    return 1 / 0", cell=1)
    assert page.error("# new\ndef g():\n    pass\nf()", cell=1)[2] == [
        [4, "f()"], [None, "cell 2, line 2, in f: return 1 / 0"]]


@pytest.mark.parametrize("source, line", [
    ("x = 1\nfor i in", [2, "for i in"]), ("def f(:", [1, "def f(:"]), ("print('a", [1, "print('a"]), ("  x = 1\n y = 2", None),
    ("x = (1,\n", [1, "x = (1,"]), ("'''", None), ("return 1", [1, "return 1"]), ("x = 1\n\0", None), ("await x", [1, "await x"]),
    ("if True:\n", None), ("(" * 500, None), ("nonlocal x", [1, "nonlocal x"]),
])
def test_a_half_typed_cell_is_the_readers_error(page, source, line):
    output = page.run("print('before')\n" + source if source.startswith("return") else source)[-1]
    assert output["kind"] == "error" and output["name"] in ("SyntaxError", "IndentationError", "ValueError", "MemoryError"), output
    if line and not source.startswith("return"):
        assert output["lines"] == [line]
    assert page.value("1")["text"] == "1"


def test_a_command_of_ipython_is_named(page):
    assert "commands of IPython, which do not work on this page" in page.error("x = 1\n%timeit x")[1]
    assert "commands of IPython" in page.error("!pip install x")[1]
    assert "commands of IPython" not in page.error("x = % 3")[1]


def test_a_module_that_a_page_lacks_is_named(page):
    assert page.error("import not_here")[1] == \
        "No module named 'not_here' (a page has Python's own modules, and what its cells as the book has them import)"


def test_recursion_is_short(page):
    name, message, lines = page.error("def f(n):\n    return f(n + 1)\nf(0)")
    assert name == "RecursionError" and len(lines) == 7
    assert lines[0] == [3, "f(0)"] and lines[1] == lines[-1] == [2, "in f: return f(n + 1)"]
    assert "calls more" in lines[3][1]


@pytest.mark.parametrize("source, said", [
    ("import sys\nsys.exit()", "the cell ended itself. Python is still there"),
    ("import sys\nsys.exit('bad')", "the cell ended itself with 'bad'. Python is still there"),
    ("exit()", "the cell ended itself. Python is still there"),
    ("raise KeyboardInterrupt", "the cell was stopped"),
])
def test_a_cell_that_ends_itself_does_not_end_python(page, source, said):
    page.run("x = 5")
    _, message, lines = page.error(source)
    assert message.startswith(said) and lines[0][0]
    assert page.value("x")["text"] == "5"
    page.error("input()")


def test_what_led_to_an_error_is_said(page):
    source = "def f():\n    1 / 0\ntry:\n    f()\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') "
    assert page.error(source + "from e")[2] == [
        [4, "f()"], [2, "in f: 1 / 0"], [None, "ZeroDivisionError: division by zero"], [None, "and so:"], [6, "raise ValueError('bad') from e"]]
    assert [None, "and then:"] in page.error(source)[2]
    assert page.error(source + "from None")[2] == [[6, "raise ValueError('bad') from None"]]
    assert page.error("try:\n    raise ValueError(1)\nexcept ValueError as e:\n    e.__cause__ = e\n    raise")[1] == "1"


def test_errors_with_methods_that_fail(page):
    for broken in ("__str__ = 3", "__repr__ = __str__ = lambda self: 1 / 0", "_render_traceback_ = lambda self: 1 / 0", "__notes__ = 3"):
        name, message, lines = page.error(f"class E(Exception):\n    {broken}\nraise E")
        assert name == "E" and lines == [[3, "raise E"]], broken
    assert page.error("class A:\n    __repr__ = lambda self: 1 / 0\nA()")[0] == "ZeroDivisionError"
    assert len(page.error("raise ValueError('x' * 10**6)")[1]) < 11_000
    assert page.error("e = ValueError('a')\ne.add_note('and b')\nraise e")[1] == "a\nand b"
    assert [None, "KeyError: 'b'"] in page.error("raise ExceptionGroup('two', [ValueError('a'), KeyError('b')])")[2]


def test_public_checks_say_it_in_their_own_words(page):
    assert page.error("from grading import check, checks\nwith checks():\n    check('a', 1, 2)\n    check('b', 3, 4)") == (
        "NotAsExpected", "a: expected 2, got 1\nb: expected 4, got 3", [])
    assert page.text("check('a', 2, 2)") == "a: as expected\n"


# Names


@pytest.mark.parametrize("harm", [
    "print = display = len = str = sys = 3", "del f", "globals().clear()", "__builtins__ = None", "import sys\nsys.stdout = sys.stderr = None",
    "import sys\nsys.stdout.close()\nsys.stdin.close()", "import builtins\nbuiltins.len = builtins.isinstance = builtins.print = None",
    "import builtins\ndel builtins.len, builtins.Exception", "import sys\nsys.modules.pop('__main__')", "import sys\nsys.setrecursionlimit(50)",
    "import os\nos.chdir('/')", "import linecache\nlinecache.clearcache()", "import warnings\nwarnings.showwarning = None",
    "import time\ntime.perf_counter = time.monotonic = None",
])
def test_what_a_cell_breaks_does_not_break_the_kernel(page, harm):
    page.run("f = 1")
    page.run(harm)
    page.run("for name in ('print', 'display', 'len', 'str', 'sys'): globals().pop(name, None)")
    assert page.text("import sys\nprint(len([1]), sys.getrecursionlimit() > 500)\ndisplay(1)") == "1 True\n"
    assert page.error("1 / 0")[2] == [[1, "1 / 0"]]
    assert sys.stdout is not None and "display" not in vars(__import__("builtins"))


def test_python_is_as_it_was_between_cells(page):
    before = sys.stdin, sys.stdout, sys.stderr, sys.modules["__main__"]
    page.run("import sys\nsys.stdout = 3\n1 / 0")
    assert (sys.stdin, sys.stdout, sys.stderr, sys.modules["__main__"]) == before


def test_the_folder_of_the_cells(make, tmp_path):
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "beside_the_page.py").write_text("x = 7")
    page = make(cwd=str(tmp_path / "course"))
    assert page.value("import beside_the_page, pathlib\npathlib.Path('beside_the_page.py').read_text(), beside_the_page.x")["text"] == "('x = 7', 7)"


# Figures of Matplotlib


def test_open_figures_are_shown_and_closed(page):
    outputs = page.run("import matplotlib.pyplot as plt\nfor k in range(2):\n    plt.figure(figsize=(3, 2), dpi=50)\n    plt.plot([k, 1])\nprint('drawn')")
    assert [output["kind"] for output in outputs] == ["stream", "image", "image"]
    assert page.run("plt.get_fignums()") == [{"kind": "text", "text": "[]"}]
    assert page.run("plt.figure();") == []  # empty, as in Jupyter
    assert page.run("fig, ax = plt.subplots()\nplt.close(fig)") == []


def test_a_figure_is_as_large_as_in_jupyter(page):
    output = page.value("import matplotlib.pyplot as plt\nfig, ax = plt.subplots(figsize=(3, 2), dpi=50, facecolor='#ffcc00')\nax.plot([1, 2]);")
    picture = Image.open(io.BytesIO(base64.b64decode(output["png"])))
    assert picture.size == (2 * output["width"], 2 * output["height"])
    assert picture.convert("RGB").getpixel((1, 1)) == (255, 204, 0)
    tight = io.BytesIO()
    fig, ax = plt.subplots(figsize=(3, 2), dpi=50)
    ax.plot([1, 2])
    fig.savefig(tight, bbox_inches="tight", dpi=100)
    assert picture.size == Image.open(tight).size and picture.size != (300, 200)


def test_the_alt_text_says_titles_and_labels(page):
    output = page.value("import matplotlib.pyplot as plt\nfig, axs = plt.subplots(1, 2)\nfig.suptitle('Both')\n"
                        "axs[0].set(title='One', xlabel='t', ylabel='y')\naxs[1].set_title('Two', loc='left');")
    assert output["alt"] == "A figure. Both; One, x: t, y: y; Two"
    assert page.value("plt.plot([1]);")["alt"] == "A figure"


def test_a_figure_that_is_the_last_value_is_shown_once(page):
    assert page.value("import matplotlib.pyplot as plt\nfig, ax = plt.subplots()\nax.plot([1])\nfig")["kind"] == "image"
    assert page.value("fig")["kind"] == "image"  # closed, but there


def test_a_figure_that_cannot_be_drawn_is_the_readers_error(page):
    name, message, _ = page.error(r"import matplotlib.pyplot as plt" "\n" r"plt.title(r'$\nothing$');plt.plot([1]);")
    assert name == "ValueError" and "nothing" in message
    assert page.value("plt.get_fignums()")["text"] == "[]"
    outputs = page.run("plt.plot([1])\n1 / 0")
    assert [output["kind"] for output in outputs] == ["image", "error"]  # what was drawn before it


# Live figures


def explored(page, body="pass", cell=0):
    return page.run(EXPLORE.replace("BODY", body), cell)


def test_explore_gives_a_live_figure(page):
    output, = explored(page)
    assert (output["kind"], output["figure"]) == ("figure", "fig-a") and "explorable-live" in output["html"]
    answer, before = page.state({"n": 4})
    (tag, _, body, points), = answer["slots"][0]
    assert not before and tag == "path" and body.startswith("codes:") and all(isinstance(number, int) for number in points)
    assert page.state({"n": 4})[0]["slots"] == [None]


def test_an_update_that_raises_says_where(page):
    explored(page, "1 / (n - 3)", cell=4)
    assert page.state({"n": 3})[0]["error"] == (
        "fig-a: update raised ZeroDivisionError at n=3: division by zero\ncell 5, line 9, in update: 1 / (n - 3)")
    assert page.state({"n": 2})[0]["slots"]
    explored(page, "exit() if n == 3 else None", cell=4)
    assert page.state({"n": 3})[0]["error"].startswith("SystemExit: the cell ended itself")


def test_what_update_prints_belongs_to_its_cell(page):
    explored(page, "print(n)")
    _, before = page.state({"n": 4})
    assert before == [{"type": "output", "id": page.runs, "output": {"kind": "stream", "name": "stdout", "text": "4\n"}}]


def test_a_second_run_replaces_the_figure(page):
    explored(page)
    page.state({"n": 4})
    explored(page, "line.set_ydata([0, 9 - n])")
    first = page.state({"n": 9})[0]["slots"][0][0][3]
    explored(page)
    assert page.state({"n": 0})[0]["slots"][0][0][3] == first


def test_the_still_parts_are_looked_at_when_the_page_has_settled(page):
    explored(page, "ax.set_title(n > 3)")
    assert "error" not in page.state({"n": 5})[0]
    assert "does not return it" in page.state({"n": 5}, settled=True)[0]["error"]


def test_a_figure_that_is_forgotten(page):
    explored(page)
    page.kernel.forget("fig-a")
    page.kernel.forget("fig-a")
    assert page.state({"n": 5})[0]["error"] == "Python does not know the figure 'fig-a' any more; run its cell again"
    explored(page)
    assert "values 0 to 9; got 10" in page.state({"n": 10})[0]["error"]


def test_a_figure_that_cannot_be_live_says_why(page):
    output = page.run("import matplotlib.pyplot as plt\nfrom explorable import explore\nfig, ax = plt.subplots()\n"
                      "bars = ax.bar([1], [1], hatch='/')\nexplore(fig, lambda: bars, id='fig-b', alt='A.', caption='A.')")[-1]
    assert output["kind"] == "error" and "hatch" in output["message"]


# Whole chapters


@pytest.mark.parametrize("chapter", QUICK)
def test_a_chapter_prints_what_its_notebook_holds(make, monkeypatch, chapter):
    """The others do, too; they take minutes. Their first figure is drawn as it is recorded."""
    page, explorables = make(cwd=str(BOOK)), []
    live = Explorable.live
    monkeypatch.setattr(Explorable, "live", lambda self: (explorables.append(self), live(self))[1])
    cells = [cell for cell in nbformat.read(BOOK / f"{chapter}.ipynb", as_version=4).cells if cell.cell_type == "code"]
    for place, cell in enumerate(cells):
        stored = "".join(output.text for output in cell.outputs if output.output_type == "stream" and output.name == "stdout")
        assert page.text(cell.source, place) == stored and page.ok, cell.source
    explorable = next(explorable for explorable in explorables if explorable.grid.controls)
    explorable.grid = Grid([with_few_values(control) for control in explorable.grid.controls])
    sizes = {control.name: len(control.values) for control in explorable.grid.controls}
    assert_drawn_as_recorded(explorable, [dict(zip(sizes, indices)) for indices in itertools.product(*map(range, sizes.values()))][::-1])


def with_few_values(control):
    """Its first value, its last and one between: a recording of all takes minutes."""
    few = sorted({0, len(control.values) // 2, len(control.values) - 1})
    parts = {part: tuple(getattr(control, part)[index] for index in few) for part in ("values", "labels", "keys")}
    return dataclasses.replace(control, initial=1, **parts)


@pytest.mark.parametrize("problem_set", sorted((BOOK / "assignments" / "release").glob("*/*.ipynb")), ids=lambda path: path.stem)
def test_the_given_cells_of_a_problem_set_run(make, problem_set):
    """An answer that is not there yet is the only error."""
    page = make(cwd=str(BOOK))
    for place, cell in enumerate(cell for cell in nbformat.read(problem_set, as_version=4).cells if cell.cell_type == "code"):
        errors = [output["name"] for output in page.run(cell.source, place) if output["kind"] == "error"]
        assert errors in ([], ["NotImplementedError"], ["NameError"]), (cell.source, errors)


# Without IPython, as in the browser


@pytest.fixture(scope="module")
def without_ipython(tmp_path_factory):
    """Runs code in a Python that has neither IPython nor nbgrader; what it prints."""
    packages = tmp_path_factory.mktemp("packages")
    absent = ("IPython", "ipykernel", "matplotlib_inline", "nbgrader", "nbclient")
    for folder in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for package in Path(folder).iterdir():
            if not package.name.startswith(absent) and package.suffix != ".pth":
                (packages / package.name).symlink_to(package)

    def run(code):
        begin = f"import sys\nsys.path[:0] = [{str(BOOK)!r}, {str(packages)!r}]\n"
        done = subprocess.run([sys.executable, "-S", "-I", "-c", begin + textwrap.dedent(code)], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run


def test_stand_ins_for_ipython(without_ipython):
    out = without_ipython("""
        import json
        from runnable.kernel import Kernel
        kernel = Kernel(lambda message: print(json.dumps(message)[:150], file=sys.__stdout__))
        kernel.run(1, 0, "import ipywidgets, matplotlib.pyplot as plt\\nfrom explorable import explore\\nfrom grading import Marks, check, checks, own")
        kernel.run(2, 0, "from IPython.display import display, clear_output, HTML\\ndisplay(3, HTML('<b>'))\\nclear_output(wait=True)")
        kernel.run(3, 0, "ipywidgets.FloatSlider(), ipywidgets.Output()")
        kernel.run(4, 0, "plt.plot([1])\\nplt.show()\\nprint('between')\\nplt.plot([2])\\nplt.show(block=False)")
        kernel.run(5, 0, "from tqdm.auto import tqdm\\nfor _ in tqdm(range(2), disable=True): pass\\nimport tqdm as t")
        kernel.run(6, 0, "t.tqdm.monitor_interval")
        kernel.run(7, 0, "import importlib.util\\nimportlib.util.find_spec('IPython').name")
    """)
    messages = [json.loads(line) if line.endswith("}") else line for line in out]
    assert [m["output"].get("text", m["output"].get("html")) for m in messages if not isinstance(m, str) and m["type"] == "output"] == [
        "3", "<b>", "(FloatSlider(value=0.0), Output())", "between\n", "0", "'IPython'"]
    kinds = [m if isinstance(m, str) else m.get("output", {}).get("kind", m["type"]) for m in messages]
    assert [kind if "png" not in kind else "image" for kind in kinds] == [
        "done", "text", "html", "done", "text", "done", "image", "stream", "image", "done", "done", "text", "done", "text", "done"]
    assert all(m["ok"] for m in messages if not isinstance(m, str) and m["type"] == "done")


def test_ipython_is_left_alone_where_it_is():
    code = "from runnable.kernel import Kernel\nKernel(print)\nimport IPython\nprint(IPython.__file__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=BOOK, check=True)
    assert done.stdout.strip().endswith("__init__.py")


def test_the_font_list_is_made_in_silence(without_ipython, tmp_path):
    out = without_ipython(f"""
        import os
        os.environ["MPLCONFIGDIR"] = {str(tmp_path)!r}
        from runnable.kernel import Kernel
        kernel = Kernel(lambda message: print(message, file=sys.__stdout__))
        kernel.run(1, 0, "import logging, matplotlib.font_manager\\n"
                         "logging.getLogger('matplotlib.font_manager').warning('Matplotlib is building the font cache; this may take a moment.')\\n"
                         "logging.getLogger('matplotlib.font_manager').warning('Another.')")
    """)
    assert len(out) == 2 and "Another." in out[0]
