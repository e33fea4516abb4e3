"""Marks and messages, values between processes, and the process in which a student's code runs."""

from __future__ import annotations

import importlib
import io
import json
import subprocess
import sys
import time
from collections import OrderedDict, deque

import numpy as np
import psutil
import problem_sets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grading.marks import SEED, Marks, NotAsExpected, StudentError, changes, check, checks, difference, number, own
from grading.nbgrader_cells import ReadAnything
from grading.sandbox import Sandbox
from grading.values import Items, Other, decode, encode, name_of

A = np.array([[1.0, -2.0], [0.5, 4.0]])


# --- marks

@pytest.mark.parametrize("got", [A, A.astype(np.float32), A.tolist(), A + 3e-4, A.astype("f2")])
def test_what_agrees(got):
    assert difference("dW", got, A) is None


@pytest.mark.parametrize("got, words", [
    (A.T, "dW[0, 1]: expected -2, got 0.5"),
    (A * [[1, 1], [1, 1.001]], "dW[1, 1]: expected 4, got 4.004"),
    (A[0], "dW: expected the shape (2, 2), got (2,)"),
    (A[..., None], "dW: expected the shape (2, 2), got (2, 2, 1)"),
    (1.0, "dW: expected the shape (2, 2), got ()"),
    (np.where(A < 0, np.nan, A), "dW: expected finite numbers, got nan"),
    (np.where(A < 0, np.inf, A), "dW: expected finite numbers, got inf"),
    (None, "dW: expected an array of shape (2, 2), got None (is there a return?)"),
    ("text", "dW: expected an array of shape (2, 2), got a str"),
    ([[1], [1, 2]], "dW: expected an array of shape (2, 2), got a list"),
    (A + 1j, "dW: expected an array of shape (2, 2), got a ndarray"),
    ({"W": A}, "dW: expected an array of shape (2, 2), got a dict"),
])
def test_what_differs_is_named_with_what_was_expected(got, words):
    assert difference("dW", got, A) == words


@pytest.mark.parametrize("got, want, words", [
    (np.array([2.0]), 2.0, None),
    ({"a": 1.0, "b": A, "more": 0}, {"a": 1, "b": A}, None),
    ({"a": 1.0}, {"a": 1, "b": A}, "g: expected an entry 'b', got only 'a'"),
    ([1.0], {"a": 1}, "g: expected a dictionary with 'a', got a list"),
    ({"a": A}, {"a": 2 * A}, "g['a'][1, 1]: expected 8, got 4"),
    ((1.0, A), (1.0, A), None),
    ([1.0, A], (1.0, A), None),
    (A, (1.0, A), "g[0]: expected the shape (), got (2,)"),
    ((1.0,), (1.0, A), "g: expected 2 values, got a tuple of 1"),
    (3.0, (1.0, A), "g: expected 2 values, got a float"),
    (None, (1.0, A), "g: expected 2 values, got None (is there a return?)"),
    ("yes", "yes", None),
    ("no", "yes", "g: expected 'yes', got 'no'"),
    (np.True_, True, None),
    (A, True, "g: expected True, got array([[ 1. , -2. ],\n       [ 0.5,  4. ]])"),
    (1e-14, 0.0, None),
    (1e-3, 0.0, "g: expected 0, got 0.001"),
])
def test_numbers_dictionaries_sequences_and_words(got, want, words):
    assert difference("g", got, want) == words


def test_marks_add_up_item_by_item(capsys, monkeypatch):
    monkeypatch.setenv(SEED, "7")
    marks = Marks(4)
    assert marks.rng.random() == np.random.default_rng(7).random()
    marks.close(1, "right", lambda: 2.0, 2.0)
    marks.close(0.5, "wrong", lambda: 3.0, 2.0)
    marks.close(0.5, "raises", lambda: 1 / 0, 2.0)
    marks.close(1, "missing", lambda: backward(), 2.0)  # noqa: F821
    marks.true(0.5, "fact", lambda: True, "a fact")
    marks.true(0.5, "no fact", lambda: False, "a fact")
    assert marks.score() == 1.5
    assert capsys.readouterr().out.splitlines() == [
        "Inputs drawn with GRADING_SEED=7", "1 of 1  right", "0 of 0.5  wrong: expected 2, got 3",
        "0 of 0.5  raises: ZeroDivisionError: division by zero",
        "0 of 1  missing: name 'backward' is not defined; was it renamed?",
        "0.5 of 0.5  fact", "0 of 0.5  no fact: expected a fact"]


def test_the_whole_costs_only_what_no_step_has_shown(capsys):
    marks = Marks(4)
    marks.close(1, "a step", lambda: 2.0, 2.0)
    marks.whole(0.5, "f", lambda: 3.0, 1.0, 3.0)
    marks.close(1, "a step of g", lambda: 2.0, 2.0)
    marks.whole(0.5, "g", lambda: 3.0, 2.0)
    marks.close(1, "a step of h", lambda: 1.0, 2.0)
    marks.whole(0.5, "h", lambda: 3.0, 2.0)
    marks.close(1, "a step of k", lambda: 2.0, 2.0)
    marks.whole(0.5, "k", lambda: 1 / 0, 2.0)
    assert marks.score() == 2.0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "1 of 1  a step", "1 of 1  a step of g", "-0.5  g: expected 2, got 3, though each step seems right",
        "0 of 1  a step of h: expected 2, got 1", "1 of 1  a step of k",
        "-0.5  k: ZeroDivisionError: division by zero, though each step seems right"]


def test_a_message_is_one_line(capsys):
    """So that an exception can't look like an item that was earned."""
    def forge():
        raise ValueError("x\n1 of 1  dL/db2\r\x1b[1A\u2028ü")

    Marks(1).close(1, "dL/db1", forge, 2.0)
    with pytest.raises(NotAsExpected, match=r"^a: expected 'yes', got array\(\[\[1, 2\],\\n"):
        check("a", np.array([[1, 2], [3, 4]]), "yes")
    assert capsys.readouterr().out.splitlines()[1:] == ["0 of 1  dL/db1: ValueError: x\\n1 of 1  dL/db2\\r\\x1b[1A\\u2028ü"]


@pytest.mark.parametrize("value, number_of_it", [(np.array([3.0]), 3.0), (np.array([[3.0]]), 3.0), (np.array(3.0), 3.0), (3.0, 3.0)])
def test_a_number_may_come_as_an_array_with_one_entry(value, number_of_it):
    assert np.shape(number(value)) == () and number(value) == number_of_it
    assert own(lambda: value, 7.0).shape == () and own(lambda: value, 7.0) == 3.0
    assert number(A) is A and number(None) is None


@pytest.mark.parametrize("name", ["ps1", "ps2", "ps4"])
def test_right_answers_in_another_style_get_all_points(name):
    cells = importlib.import_module(f"submissions.{name}").RIGHT
    solution = problem_sets.source(name)
    wanted = problem_sets.points_of(solution)
    for title, edits in cells.items():
        texts = {key: problem_sets.edited(problem_sets.cell(solution, key).source, edit) for key, edit in edits.items()}
        assert problem_sets.earned(name, texts) == wanted, title


def test_items_that_do_not_add_up_are_a_mistake_of_the_teacher():
    marks = Marks(2)
    marks.true(1, "fact", lambda: True, "a fact")
    with pytest.raises(ValueError, match="points: the items add up to 1, want 2"):
        marks.score()


def test_a_seed_that_is_no_number(monkeypatch):
    monkeypatch.setenv(SEED, "-1")
    with pytest.raises(ValueError, match="GRADING_SEED: got '-1', want a whole number"):
        Marks(1)


def test_a_public_check_says_what_it_finds(capsys):
    check("dW", A, A)
    with pytest.raises(NotAsExpected, match=r"^dW\[0, 1\]: expected 0.5, got -2$"):
        check("dW", A, A.T)
    assert capsys.readouterr().out == "dW: as expected\n"


def test_in_grading_a_public_check_prints(capsys, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    check("b", 1, 2)
    with checks():
        check("c", 1, 3)
        check("dW", A, A)
    assert capsys.readouterr().out == "b: expected 2, got 1\ndW: as expected\nc: expected 3, got 1\n"


def test_checks_hide_none_of_them(capsys):
    with pytest.raises(NotAsExpected) as raised:
        with checks():
            check("b", 1, 2)
            check("dW", A, A)
            check("c", 1, 3)
    assert raised.value._render_traceback_() == ["b: expected 2, got 1", "c: expected 3, got 1"]
    assert capsys.readouterr().out == "dW: as expected\n"
    with pytest.raises(ZeroDivisionError), checks():
        check("b", 1, 2)
        1 / 0
    assert capsys.readouterr().out == "b: expected 2, got 1\n"
    with checks():
        check("dW", A, A)


@pytest.mark.parametrize("got", [
    lambda: 1 / 0, lambda: None, lambda: "text", lambda: 0 * A, lambda: 0 * A + 7, lambda: A[:, :1], lambda: A * np.nan, lambda: 1e12 * A, lambda: A.T],
    ids=["raises", "None", "text", "zeros", "constant", "shape", "NaN", "huge", "handed back"])
def test_own_numbers_that_prove_nothing_are_not_gone_on_from(got):
    assert own(got, A, [A.T]) is not None and np.array_equal(own(got, A, [A.T]), A)
    assert np.array_equal(own(lambda: 2 * A, A, [A.T]), 2 * A)


@pytest.mark.parametrize("elsewhere, counts", [
    ([], True), ([lambda: 3 * A], True), ([lambda: 2.01 * A], False), ([lambda: 3 * A, lambda: 2 * A], False), ([lambda: A * np.nan], False),
    ([lambda: 1 / 0], False), ([lambda: A[0]], False), ([lambda: None], False),
], ids=["none", "others", "hardly others", "the same once", "NaN", "raises", "shape", "None"])
def test_own_numbers_that_are_the_same_with_other_inputs_are_not_gone_on_from(elsewhere, counts):
    assert np.array_equal(own(lambda: 2 * A, A, elsewhere=elsewhere), 2 * A if counts else A)


def test_what_follows_from_own_numbers_counts(capsys):
    marks = Marks(3)
    assert marks.follows(1, "own", lambda: 2 * A, 2 * A, A) and marks.follows(1, "right", lambda: A, 2 * A, A)
    assert not marks.follows(1, "neither", lambda: 3 * A, 2 * A, A)
    assert marks.score() == 2 and "0 of 1  neither[1, 1]: expected 4, got 12" in capsys.readouterr().out


# --- values

arrays = st.lists(st.floats(allow_nan=False), max_size=4).map(np.array)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | arrays,
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.integers() | st.text(), inner, max_size=3))


def same(one, other):
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return type(other) is dict and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    return np.array_equal(one, other, equal_nan=isinstance(one, float))


@given(plain)
def test_values_come_back_as_they_were(value):
    assert same(value, decode(json.loads(json.dumps(encode(value)))))


@pytest.mark.parametrize("array", [A.astype(np.float32), np.arange(6).reshape(2, 3).T, np.zeros((0, 3)), np.array(True), np.array(1j)])
def test_arrays_keep_their_shape_and_kind(array):
    back = decode(json.loads(json.dumps(encode(array))))
    assert back.dtype == array.dtype and back.shape == array.shape and (back == array).all()


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([object()]), np.array(["text"]), np.zeros(10**7), len, np, pytest.param(10**5000, id="huge")])
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(TypeError, match="can't be graded"):
        encode([value])


@pytest.mark.parametrize("text", [
    {"array": "", "shape": [1], "dtype": "O"}, {"array": "AAAA", "shape": [10**9], "dtype": "<f8"}, {"function": 0},
    {"pickle": "x"}, [1, 2], {"array": "!", "shape": [1], "dtype": "<f8"}, {"array": "", "shape": [0], "dtype": "f8," * 10**6},
    {"array": "", "shape": [0], "dtype": "<f1000000000"}, {"dict": [[k * (2**61 - 1), 0] for k in range(2000)]},
])
def test_text_that_encode_does_not_make_is_refused(text):
    with pytest.raises(ValueError):
        decode(text)


@pytest.mark.parametrize("value, back", [
    (deque([1, 2]), [1, 2]), (range(3), [0, 1, 2]), ({"a": 1}.values(), [1]), (OrderedDict(a=1), {"a": 1}),
    (map(float, "12"), [1.0, 2.0]), ((n * n for n in range(3)), [0, 1, 4]), (zip("ab", [1, 2]), [("a", 1), ("b", 2)]), (1 + 2j, 1 + 2j),
    (np.array([1.5, 2], dtype=object), [1.5, 2]), (np.longdouble(2), 2.0), (np.ma.array([1.0, 2]), np.array([1.0, 2])),
])
def test_what_is_like_a_list_an_array_or_a_dictionary_passes(value, back):
    assert same(decode(json.loads(json.dumps(encode(value)))), back)


@pytest.mark.parametrize("scalar", [np.int64(3), np.float64(0.1), np.float32(0.1), np.True_])
def test_a_scalar_of_numpy_stays_one(scalar):
    back = decode(json.loads(json.dumps(encode({scalar: scalar}))))
    assert list(back) == [scalar] and type(back[scalar]) is type(scalar)


# --- the process apart

@pytest.fixture
def sandbox():
    sandbox = Sandbox({"np": np, "given": 5}, seconds=30, patience=60)
    yield sandbox
    sandbox.close()


@pytest.fixture
def hasty():
    """For what does not come to an end; a process must be able to start in this time on a busy machine."""
    sandbox = Sandbox({}, seconds=4, patience=40)
    yield sandbox
    sandbox.close()


def test_cells_set_names_and_functions_are_called(sandbox, capsys):
    sandbox.run("import numpy as np\nx = np.arange(3)\ndef double(v, by=2):\n    print('called')\n    return {'v': by * v}\nx", "<cell>")
    assert (sandbox.space["x"] == np.arange(3)).all()
    assert (sandbox.space["double"](A, by=3)["v"] == 3 * A).all()
    assert capsys.readouterr().out == "array([0, 1, 2])\n", "what a function prints would stand between the marks"


def test_a_function_as_an_argument_calls_back(sandbox):
    sandbox.run("def slope(f, x):\n    return f(x + 1) - f(x)", "<cell>")
    assert sandbox.space["slope"](lambda v: float(v**2), 3.0) == 7
    with pytest.raises(StudentError, match="RuntimeError: ZeroDivisionError"):
        sandbox.space["slope"](lambda v: 1 / 0, 3.0)


def test_what_a_function_changes_of_its_arguments_costs_it_alone(sandbox, capsys):
    sandbox.run("def scale(a):\n    a *= 2\n    return a\n"
                "def nested(lists, more=()):\n    lists[0]['b'].append(1)\n    more.pop()\n    return 1.0\n"
                "def careful(a, d):\n    a += 0.1\n    a -= 0.1\n    d['kept'] = 1\n    return a.sum()", "<cell>")
    call, marks = sandbox.space, Marks(1)
    a = np.array([0.3, 1 / 3])
    marks.close(1, "scale", lambda: call["scale"](a), 2 * a)
    marks.whole(0.25, "careful", lambda: call["careful"](a, {"a": a}), a.sum())
    marks.whole(0.25, "scale", lambda: call["scale"](a), 2 * a)
    marks.whole(0.25, "nested", lambda: call["nested"]([{"b": [1.0]}], more=[a]), 1.0)
    assert marks.score() == 0.5 and (a == [0.3, 1 / 3]).all()
    assert capsys.readouterr().out.splitlines()[2:] == [
        "-0.25  scale: expected arguments that stay as they are; scale has changed a, though each step seems right",
        "-0.25  nested: expected arguments that stay as they are; nested has changed lists, nested has changed more, though each step seems right"]


@pytest.mark.parametrize("value, change, is_change", [
    ([5.0], "x[0] = 1.0", True), ({"a": 5}, "x['a'] = 1", True), ([(9,)], "x[0] = (1,)", True), ({"a": 1.0}, "x['a'] = None", True),
    ([1.0], "x[0] += 1e-12", False), (["a"], "x[0] = 'b'", True), (["a"], "x[0] = 'a'", False), ([float("nan")], "x[0] = np.nan", False),
    ({"f": abs}, "x['f'](3)", False), ([np.zeros(2)], "x[0] = np.zeros(2)", False), ([np.zeros(2)], "x[0] = np.zeros(3)", True)])
def test_which_changes_are_seen(sandbox, value, change, is_change):
    sandbox.run(f"import numpy as np\ndef f(x):\n    {change}\n    return 1.0", "<cell>")
    changes.clear()
    sandbox.space["f"](value)
    assert changes == ({("f", "x")} if is_change else set())


def test_a_forged_list_of_changes_is_refused(sandbox):
    sandbox.run("import sys\ndef f():\n    worker = sys._getframe(1).f_locals['self']\n"
                "    worker.call = lambda call, args, kwargs: {'value': 1.0, 'changed': [str(k) for k in range(1000)]}\n    return 1.0", "<cell>")
    changes.clear()
    sandbox.space["f"]()
    with pytest.raises(StudentError, match="disturbed the grading"):
        sandbox.space["f"]()
    assert not changes


def test_a_public_check_leaves_the_students_names_as_they_are(sandbox):
    """What other cells of the teacher's set counts, as in the notebook; and what a check sets anew."""
    sandbox.run("def step(x):\n    return x + 1\ndata = 1\ndef f(x):\n    return step(x), data", "<cell>")
    sandbox.give("for step in range(3):\n    pass\nnew = 5", "<check>", True)
    sandbox.give("data = 2", "<given>")
    sandbox.give("data = 3", "<check>", True)
    sandbox.run("def g():\n    return new, data", "<cell>")
    assert sandbox.space["f"](1) == (2, 3) and sandbox.space["g"]() == (5, 3)
    sandbox.give("table = [1, 2]", "<check>", True)
    sandbox.run("def h():\n    return table", "<cell>")  # it is still the teacher's
    sandbox.give("table = [3]", "<check>", True)
    assert sandbox.space["h"]() == [3]


@pytest.mark.parametrize("code, kind", [
    ("raise FloatingPointError('x')", FloatingPointError), ("class E(FloatingPointError): pass\nraise E('x')", FloatingPointError),
    ("{}['x']", KeyError), ("float('x')", ValueError), ("raise StopIteration('x')", StudentError), ("exit('x')", StudentError),
    ("type('x', (ValueError,), {'__module__': 1})\nclass M(type):\n    def __getattribute__(c, n): 1 / 0\n"
     "class E(ValueError, metaclass=M): pass\nraise E('x')", ValueError)])
def test_an_error_keeps_its_kind(sandbox, code, kind):
    with pytest.raises(kind) as raised:
        sandbox.run(code, "<cell>")
    assert isinstance(raised.value, StudentError) and str(raised.value).count("'") in (0, 2)


def test_messages_have_an_end(capsys):
    marks = Marks(3)
    kind = type("k" * 10**6, (), {})
    marks.close(1, "a", lambda: Other(name_of(kind)), 1.0)
    marks.close(1, "b", lambda: {"\x01" * 10**6 * k: k for k in range(1, 4)}, {"c": 1})
    marks.close(1, "c", lambda: 1 / 0 if "x" * 10**6 else 0, 1)
    assert len(capsys.readouterr().out) < 30_000


def test_threads_may_call_back_at_once(sandbox):
    sandbox.run("from concurrent.futures import ThreadPoolExecutor\ndef g(f):\n    with ThreadPoolExecutor(4) as pool:\n"
                "        return list(pool.map(f, range(40)))", "<cell>")
    assert sandbox.space["g"](lambda n: n * n) == [n * n for n in range(40)]


def test_a_notebooks_ways_work_as_in_a_notebook(sandbox):
    """Annotations of the future hold for the cells that follow; IPython's shell can be imported."""
    sandbox.run("from __future__ import annotations", "<own>")
    sandbox.run("from IPython import get_ipython\nget_ipython().run_line_magic('matplotlib', 'inline')\n"
                "def f(x: Nothing) -> Nothing:\n    return x", "<cell>")
    assert sandbox.space["f"](2) == 2
    sandbox.run("%matplotlib inline\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\ndrawn = True", "<cell>")
    assert sandbox.space["drawn"]


# What has the entries a, an array, and b, a dictionary with 1; as a value that a public check reads by value["a"].
BY_NAME = {
    "a dataclass": "@dataclass\nclass C:\n    a: object\n    b: object\n    def __getitem__(self, key): return getattr(self, key)\nmake = C",
    "a class": "class C:\n    def __init__(self, a, b): self._all = {'a': a, 'b': b}\n    def __getitem__(self, key): return self._all[key]\nmake = C",
    "with keys": "class C:\n    def __init__(self, a, b): self.all = {'a': a, 'b': b}\n    def keys(self): return self.all\n"
                 "    def __getitem__(self, key): return self.all[key]\nmake = C",
    "any key": "class C:\n    def __init__(self, a, b): self.all = {'a': a, 'b': b}\n    def __getitem__(self, key): return self.all.get(key, 0)\nmake = C",
    "named": "from typing import NamedTuple\nclass C(NamedTuple):\n    a: object\n    b: object\n"
             "    def __getitem__(self, key): return getattr(self, key) if isinstance(key, str) else tuple(self)[key]\nmake = C",
    "a dictionary of its own": "class C(dict):\n    def __getitem__(self, key): return dict.__getitem__(self, key.upper())\n"
                               "make = lambda a, b: C(A=a, B=b)",
    "a record": "def make(a, b):\n    r = np.zeros((), [('a', float, np.shape(a)), ('b', object)])\n    r['a'], r['b'] = a, b\n    return r[()]",
    "an array of a record": "def make(a, b):\n    r = np.zeros((), [('a', float, np.shape(a)), ('b', object)])\n    r['a'], r['b'] = a, b\n    return r",
}
# As one that it reads by `a, b = value`.
IN_A_ROW = {
    "a dataclass": "@dataclass\nclass C:\n    a: object\n    b: object\n    def __iter__(self): return iter((self.a, self.b))\nmake = C",
    "with names as well": "@dataclass\nclass C:\n    a: object\n    b: object\n    def __iter__(self): yield from (self.a, self.b)\n"
                          "    def __getitem__(self, key): return getattr(self, key)\nmake = C",
    "as before iterators": "class C:\n    def __init__(self, *all): self.all = all\n    def __getitem__(self, k): return self.all[k]\nmake = C",
    "a record": BY_NAME["a record"],
}


def test_objects_are_read_as_a_public_check_reads_them(sandbox):
    begin = "import numpy as np\nfrom dataclasses import dataclass\n"
    for title, code in BY_NAME.items():
        sandbox.run(f"{begin}{code}\ndef f(a):\n    return make(a, {{1: 2.0}})\ndef g(a):\n    return {{1: make(a, 3.0)}}", "<cell>")
        found = sandbox.space["f"](A)
        assert np.array_equal(found["a"], A) and difference("b", found["b"], {1: 2.0}) is None, title
        assert difference("f", found, {"a": A, "b": {1: 2.0}}) is None and difference("g", sandbox.space["g"](A), {1: {"a": A, "b": 3.0}}) is None, title
    sandbox.run("class Layers(list):\n    def __getitem__(self, l): return list.__getitem__(self, l - 1)\ndef f():\n    return 0.0, Layers([1.0, 2.0])", "<cell>")
    assert difference("f", sandbox.space["f"](), (0, {1: 1, 2: 2})) is None
    for title, code in IN_A_ROW.items():
        sandbox.run(f"{begin}{code}\ndef f(a):\n    return make(a, {{1: 2.0}})", "<cell>")
        one, two = found = sandbox.space["f"](A)
        assert difference("f", [one, two, found[0], found[1], found[1:], found[-1]], [A, {1: 2.0}, A, {1: 2.0}, [{1: 2.0}], {1: 2.0}]) is None, title


def test_what_numpy_makes_an_array_of_is_one(sandbox):
    """In `check`, and so in grading."""
    sandbox.run("import numpy as np\nclass C:\n    def __init__(self, a): self.a = a\n    def __array__(self, *_, **__): return self.a\n"
                "class D(C):\n    def keys(self): return ['a']\n    def __getitem__(self, key): return self.a\n"
                "def f(a, kind):\n    return (C if kind == 'C' else D)(a)", "<cell>")
    for kind in "CD":
        assert difference("f", sandbox.space["f"](A, kind), A) is None
    assert isinstance(sandbox.space["f"](A, "D"), Items)


def test_objects_pass_to_a_function_of_the_tests(sandbox):
    sandbox.run(f"from dataclasses import dataclass\nimport numpy as np\n{BY_NAME['with keys']}\ndef f(g):\n    return g(make(1.0, 2.0))", "<cell>")
    assert sandbox.space["f"](lambda value: value["a"] + 2 * value["b"]) == 5
    sandbox.run(f"{IN_A_ROW['a dataclass']}", "<cell>")
    assert sandbox.space["f"](lambda value: value[0] + 2 * value[1]) == 5


@pytest.mark.parametrize("body, words", [
    ("def __getitem__(self, key):\n        while True: pass", r"f\(…\) did not come to an end|f\(…\)\[…\] did not come to an end"),
    ("def __getitem__(self, key): return object()", "object can't be graded"),
    ("def __getitem__(self, key): raise KeyError('no such')", "no such"),
    ("def __getitem__(self, key):\n        import os; os._exit(0)", "ended Python"),
    ("def __iter__(self): return iter(int, 1)", "C can't be graded"),
    ("def __iter__(self): return 3", "C can't be graded"),
])
def test_objects_that_do_not_answer_cost_no_other_call(hasty, body, words):
    hasty.run(f"class C:\n    {body}\ndef f():\n    return C()\ndef g():\n    return 3", "<cell>")
    with pytest.raises(StudentError, match=words):
        hasty.space["f"]()["a"]
    assert hasty.space["g"]() == 3


def test_an_object_of_a_process_that_ended_is_gone(sandbox):
    sandbox.run("import os\nclass C:\n    def __getitem__(self, key): return {'a': 1, 'b': 2}[key]\ndef f():\n    return C()\ndef g():\n    os._exit(0)", "<cell>")
    found = sandbox.space["f"]()
    with pytest.raises(StudentError, match="ended Python"):
        sandbox.space["g"]()
    with pytest.raises(StudentError, match="is gone"):
        found["a"]
    many = [sandbox.space["f"]() for _ in range(3)]
    assert [each["b"] for each in many] == [2] * 3 and "c" not in many[0]


def test_what_else_a_dictionary_holds_does_not_matter(sandbox):
    sandbox.run("def f():\n    return {'x': 1.0, 'seen': {1, 2}, 'help': f, 'file': open('/dev/null')}", "<cell>")
    found = sandbox.space["f"]()
    assert found["x"] == 1 and difference("seen", found["seen"], 1.0) == "seen: expected a number, got a set"


def test_keys_that_take_long_to_compare_are_refused():
    """2,900 equal numbers, and then one of the same hash: a thousand such keys would take half a minute."""
    keys = [{"tuple": [1000] * 2900 + [1000 + k * (2**61 - 1)]} for k in range(999)]
    begin = time.perf_counter()
    for text in ({"dict": [[key, 0] for key in keys]}, {"dict": [[{"tuple": [key]}, 0] for key in keys]}):
        with pytest.raises(TypeError, match="a key can't be graded"):
            decode(text)
    with pytest.raises(TypeError, match="a key can't be graded"):
        encode({(1,) * 9: 0})
    assert decode(encode({(1, "a"): 2.0})) == {(1, "a"): 2.0} and time.perf_counter() - begin < 2


def test_reading_an_answer_counts(sandbox, monkeypatch):
    sandbox.run("def f():\n    return 1", "<cell>")
    before = sandbox._left["graded"]
    monkeypatch.setattr("grading.sandbox.decode", lambda *_: time.sleep(2))
    sandbox.space["f"]()
    assert sandbox._left["graded"] < before - 2


@pytest.mark.parametrize("value", ["numpy.zeros(50_000) + {}", "[[{}] for _ in range(3_000)]", "'{}' * 400_000"], ids=["array", "list", "text"])
def test_what_cells_set_does_not_fill_the_memory_of_the_tests(sandbox, monkeypatch, value):
    """Each of a hundred cells may send as much as one answer holds."""
    monkeypatch.setattr("grading.sandbox.KEPT", 10**6)
    for number in range(4):
        sandbox.run(f"import numpy\nx{number} = {value.format(number)}\ndef f{number}():\n    return 1", "<cell>")
    assert [f"x{number}" in sandbox.space for number in range(4)] == [True, True, False, False] and sandbox.space["f3"]() == 1
    for number in range(4):
        sandbox.run(f"x1 = {value.format(number + 1)}", "<the same name again>")
    assert str(sandbox.space["x1"][-1]).strip("[]") in ("4", "4.0")
    sandbox.run(f"del x0\nx2 = {value.format(1)}", "<cell>")
    assert "x2" in sandbox.space and "x0" not in sandbox.space


def test_many_names_do_not_fill_the_memory_of_the_tests(sandbox, monkeypatch):
    monkeypatch.setattr("grading.sandbox.KEPT", 10**6)
    sandbox.run("f = int\nfor k in range(5_000): globals()[f'g{k}'] = f", "<cell>")
    assert 100 < sum(name.startswith("g") for name in sandbox.space) < 2_000


def test_names_of_the_tests_stay_theirs(sandbox):
    sandbox.run("given = 6\nabs = lambda x: 0\ndef print(*a): pass\nimport numpy as np\nnp.allclose = lambda *a: True\nown = 1", "<cell>")
    assert sandbox.space["given"] == 5 and sandbox.space["np"] is np and sandbox.space["own"] == 1
    assert not {"abs", "print"} & set(sandbox.space) and not np.allclose(1, 2)


def test_a_given_cell_is_there_for_the_student(sandbox):
    sandbox.space["helper"] = "the test's"
    sandbox.give("import numpy as np\ndef helper(x):\n    return x + 1", "<given>")
    sandbox.run("def f(x):\n    return helper(x) * np.ones(2)", "<cell>")
    assert (sandbox.space["f"](1.0) == [2, 2]).all() and sandbox.space["helper"] == "the test's"


@pytest.mark.parametrize("code, words", [
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("def f(:", "SyntaxError"),
    ("exit()", "SystemExit: the code ended Python"),
    ("import sys; sys.exit(3)", "SystemExit"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("input()", "EOFError"),
    ("x = [0] * 10**12", "MemoryError"),
    ("from gradients import rnn; rnn.forward(1)", "gradients.rnn.forward has the solutions; here the code must be your own"),
    ("import importlib; importlib.import_module('gradients.lstm').step()", "gradients.lstm.step has the solutions"),
    ("import torch.nn.functional as F; F.relu(1)", "torch.nn.functional.relu is not there when your work is graded; use NumPy alone"),
    ("from jax import grad; grad(f)", "jax.grad is not there when your work is graded"),
    ("import os; os._exit(0)", "Stopped: the cell <cell> ended Python"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "Stopped: the cell <cell> ended Python"),
    ("import time\nwhile True:\n    try:\n        while True: time.sleep(0.01)\n    except BaseException: pass", "did not come to an end within 4 seconds"),
    ("import time; time.sleep(60)", "did not come to an end within 4 seconds"),
    ("10**10**9", "did not come to an end within 4 seconds"),
    ("class E(Exception):\n    def __str__(self): 1 / 0\nraise E", "its message can't be shown"),
])
def test_whatever_a_cell_does_the_next_one_runs(hasty, code, words):
    hasty.run("before = 1\ndef f(x):\n    return x + before", "<before>")
    with pytest.raises(StudentError, match=words):
        hasty.run(code, "<cell>")
    hasty.run("after = before + 1", "<after>")
    assert hasty.space["after"] == 2 and hasty.space["f"](1) == 2


@pytest.mark.parametrize("body, words", [
    ("return y", "NameError: name 'y' is not defined"),
    ("import time\n    while True: time.sleep(0.01)", "TimeoutError: f(…) did not come to an end"),
    ("import os; os._exit(1)", "Stopped: f(…) ended Python"),
    ("return object()", "object can't be graded"),
    ("return f(x)", "RecursionError"),
])
def test_whatever_a_function_does_the_others_answer(hasty, body, words):
    hasty.run(f"def f(x):\n    {body}\ndef g(x):\n    return x", "<cell>")
    with pytest.raises(StudentError) as error:
        hasty.space["f"](1)
    assert words in str(error.value) and hasty.space["g"](3) == 3


def test_what_would_answer_costs_nothing_where_it_is_not_called(hasty):
    hasty.run("import torch, sympy\nimport torch.nn.functional as F\nfrom jax import grad\nfrom gradients import rnn\nimport numpy as np\n"
              "from scipy.special import softmax\nprint(torch.__version__)\n"
              "class Net(torch.nn.Module):\n    size: torch.Tensor | None = None\n"
              "def f(x):\n    return softmax(np.zeros(2)) if not isinstance(x, torch.Tensor) else x\n"
              "def g(x):\n    return grad(f)(x)\ndef h(x):\n    return Net()\ndef k(x):\n    return torch.Tensor", "<cell>")
    assert (hasty.space["f"](0.0) == 0.5).all()
    for name, words in {"g": "jax.grad is not there", "h": "torch.nn.Module is not there", "k": "can't be graded"}.items():
        with pytest.raises(StudentError, match=words):
            hasty.space[name](0.0)


def test_a_cell_that_does_not_run_a_second_time_is_left_out(tmp_path):
    sandbox = Sandbox({}, seconds=30, isolated=False)  # apart, nothing would be left of the first time
    sandbox.run("import os\ndef f():\n    os._exit(1)\ndef g():\n    return 1", "<cell>")
    sandbox.run(f"import os, pathlib\np = pathlib.Path({str(tmp_path / 'been here')!r})\nif p.exists(): os._exit(1)\np.touch()", "<once>")
    with pytest.raises(StudentError):
        sandbox.space["f"]()
    assert sandbox.space["g"]() == 1
    sandbox.close()


def test_a_function_that_was_stopped_twice_is_not_called_again(hasty):
    hasty.run("import time\ndef f(x):\n    while x: time.sleep(0.01)\n    return 1", "<cell>")
    for _ in range(2):
        with pytest.raises(StudentError, match="within 4 seconds"):
            hasty.space["f"](1)
    begin = time.perf_counter()
    with pytest.raises(StudentError, match="was not run, since"):
        hasty.space["f"](0)
    assert time.perf_counter() - begin < 1


def test_the_patience_with_a_notebook_has_an_end():
    sandbox = Sandbox({}, seconds=0.5, patience=0.9)
    for number in range(2):
        with pytest.raises(StudentError, match="did not come to an end"):
            sandbox.run("while True: pass", f"<{number}>")
    with pytest.raises(StudentError, match="was not run, since"):
        sandbox.run("x = 1", "<2>")
    sandbox.close()


OWN = "<your own cell>"


def test_own_cells_that_were_stopped_cost_no_other_cell():
    """They all have one label; only a cell of the same text is not run a third time."""
    sandbox = Sandbox({}, seconds=0.5)
    for _ in range(2):
        with pytest.raises(StudentError, match="did not come to an end"):
            sandbox.run("while True: pass", OWN)
    with pytest.raises(StudentError, match="was not run, since"):
        sandbox.run("while True: pass", OWN)
    sandbox.run("def helper(x):\n    return x + 1", OWN)
    sandbox.run("def f(x):\n    return helper(x)", "<cell>")
    assert sandbox.space["f"](1) == 2
    sandbox.close()


def test_own_cells_that_take_long_leave_patience_for_the_others(monkeypatch):
    """As do their repeats, when a function does not come to an end."""
    monkeypatch.setattr("grading.sandbox.SHORT", 0.3)
    sandbox = Sandbox({}, seconds=1, patience=4)
    for number in range(5):
        sandbox.run(f"import time\ntime.sleep(0.85)  # {number}", OWN)
    with pytest.raises(StudentError, match="did not come to an end within 0.3 seconds"):
        sandbox.run("time.sleep(0.6)", OWN)  # beyond their share
    sandbox.run("def helper():\n    return 1", OWN)
    sandbox.run("def f():\n    while True: pass\ndef g():\n    return helper()", "<cell>")
    with pytest.raises(StudentError, match="did not come to an end within 1 second"):
        sandbox.space["f"]()
    begin = time.perf_counter()
    assert sandbox.space["g"]() == 1 and time.perf_counter() - begin < 5
    sandbox.close()


def test_after_a_stop_long_cells_still_define_their_functions(monkeypatch):
    """And where a name is missing then, the message says why."""
    monkeypatch.setattr("grading.sandbox.SHORT", 0.3)
    sandbox = Sandbox({}, seconds=2, patience=20)
    sandbox.run("import time\nSTEP = 2\nnothing = missing = time.sleep(0.4)\nx = missing\n%matplotlib inline\n"
                "def helper(v):\n    return v + STEP\ntime.sleep(0.4)\nfrom math import pi", OWN)
    sandbox.run("def f():\n    while True: pass\ndef g(v):\n    return helper(v)\ndef h():\n    return missing", "<cell>")
    sandbox._left["repeats"] = 9
    with pytest.raises(StudentError, match="did not come to an end"):
        sandbox.space["f"]()
    assert sandbox.space["g"](1) == 3
    with pytest.raises(StudentError, match="name 'missing' is not defined.*of your own cells that take long only the definitions"):
        sandbox.space["h"]()
    sandbox.close()


def test_a_stopped_cell_leaves_what_its_short_assignments_call():
    """Loops, and what stands alone, are left out; where a library computes without end, all that calls something is."""
    sandbox = Sandbox({}, seconds=3)
    begin = "import numpy as np\nimport time\nONE = np.array(1.0)\nact = np.vectorize(np.tanh)\nTABLE = {n: n * n for n in range(4)}\n"
    then = "late = 5\ndef helper(v):\n    return v + ONE\nended = exit()\nlist(iter(int, 1))"
    with pytest.raises(StudentError, match="did not come to an end"):
        sandbox.run(f"{begin}slow = [time.sleep(0.1) for _ in range(100)]\nnone = np.array(2)\n{then}", OWN)
    sandbox.run("def f(v):\n    return [helper(v), act(0.0), TABLE[2], late]\ndef g():\n    return none", "<cell>")
    assert sandbox.space["f"](1) == [2, 0, 4, 5]
    with pytest.raises(StudentError, match="name 'none' is not defined"):
        sandbox.space["g"]()
    sandbox.close()
    sandbox = Sandbox({}, seconds=2)
    with pytest.raises(StudentError, match="did not come to an end"):
        sandbox.run(f"LARGE = pow(3, 10**10)\n{begin}{then}", OWN)
    sandbox.run("def f():\n    return late", "<cell>")
    assert sandbox.space["f"]() == 5
    sandbox.close()


def test_repeats_have_an_end():
    sandbox = Sandbox({}, seconds=3, patience=2)
    sandbox.run("import os, time\ntime.sleep(0.8)\ndef f():\n    os._exit(0)", "<cell>")
    begin = time.perf_counter()
    for _ in range(20):
        with pytest.raises(StudentError):
            sandbox.space["f"]()
    with pytest.raises(StudentError, match="was not run, since"):
        sandbox.space["f"]()
    assert time.perf_counter() - begin < 6
    sandbox.close()


def test_a_teachers_cell_that_calls_what_does_not_end_gets_no_extra_time():
    sandbox = Sandbox({}, seconds=1)
    sandbox.run("def f():\n    while True: pass", "<cell>")
    with pytest.raises(StudentError):
        sandbox.space["f"]()
    with pytest.raises(StudentError, match="did not come to an end within 1 second"):
        sandbox.give("f()", "<check>")
    sandbox.close()


def test_a_file_that_a_cell_writes_can_be_imported(sandbox):
    sandbox.run("%%writefile helper_of_mine.py\ndef g(x):\n    return x + 1", OWN)
    sandbox.run("%%writefile -a helper_of_mine.py\n\nk = 3", OWN)
    sandbox.run("%run helper_of_mine.py", OWN)
    assert sandbox.space["k"] == 3 and sandbox.space["g"](1) == 2
    sandbox.run("from helper_of_mine import g, k\ndef f(x):\n    return g(x) + k", "<cell>")
    assert sandbox.space["f"](1) == 5


def test_much_output_is_cut(sandbox, capsys):
    sandbox.run("for i in range(10**5): print(i)", "<cell>")
    out = capsys.readouterr().out
    assert len(out) < 25_000 and "more was printed" in out


@pytest.mark.parametrize("code", [
    "%matplotlib inline\n!ls\nx = (7\n     % 4)", "%%time\nx = 3", "%time x = 3", "x = 3\nnp.einsum?", "y = !ls\nx = 3",
    "x = 3\ndisplay(x, display_id=True)", "get_ipython().run_line_magic('matplotlib', 'inline')\nx = 3",
])
def test_lines_for_ipython_do_no_harm(sandbox, code):
    sandbox.run(code, "<cell>")
    assert sandbox.space["x"] == 3


def test_what_students_do_in_good_faith(sandbox):
    sandbox.run("import sys\nsys.stdout.close()\ntape = []\ntape.append(tape)\nbig = [0.0] * 10**6\nimport numpy as np\n"
                "huge = np.zeros(10**7)\nclass C: pass\nimport pickle\npickle.dumps(C())\nprint('still here')\n"
                "def f(g, n):\n    return {n: g(x=[1.0, 2.0])}", "<cell>")
    assert sandbox.space["f"](lambda x: sum(x), np.int64(2)) == {2: 3.0}


HANG = "while True: pass"
STRANGE = [
    "import numpy as np\ndtype = np.float64", "from numpy import ndarray", "from numpy import *", "import numpy, math, json as J", "r = range(10**8)",
    "g = (i for i in iter(int, 1))", "arrays = [np.zeros(10**7) for _ in range(5)]", "broad = np.broadcast_to(1.0, (10**5, 10**5))",
    "cycle = []\ncycle.append(cycle)", "deep = []\nfor _ in range(10**5): deep = [deep]", "wide = [0]\nfor _ in range(40): wide = [wide, wide]",
    f"class Liar:\n    @property\n    def __class__(self):\n        {HANG}\nliar = Liar()",
    f"class Asked:\n    def __getattr__(self, name):\n        {HANG}\nasked = Asked()",
    f"class Long(list):\n    def __len__(self): return 10**12\n    def __iter__(self):\n        {HANG}\nlong_list = Long([1])",
    f"class Pairs(dict):\n    def items(self):\n        {HANG}\n    __iter__ = __len__ = keys = items\npairs = Pairs(a=1)",
    f"class Text(str):\n    def __str__(self):\n        {HANG}\n    __len__ = __str__\nword = Text('a')",
    f"class Whole(int):\n    def bit_length(self):\n        {HANG}\n    __int__ = __index__ = bit_length\nwhole = Whole(3)",
    f"class Real(np.float64):\n    @property\n    def dtype(self):\n        {HANG}\n    nbytes = dtype\nreal = Real(3)",
    f"class Sub(np.ndarray):\n    @property\n    def dtype(self):\n        {HANG}\n    nbytes = shape = dtype\nsub = np.zeros(3).view(Sub)",
    f"class Meta(type):\n    def __hash__(cls):\n        {HANG}\n    __eq__ = __instancecheck__ = __subclasscheck__ = lambda cls, other: cls.__hash__()\n"
    "class Odd(metaclass=Meta): pass\nodd = Odd()",
    "class Key:\n    def __hash__(self): return 1\n    def __eq__(self, other): return 1 / 0\nkeyed = {Key(): 1}",
    "masked = np.ma.masked_array([1.0, 2], [0, 1])", "objects = np.array([object(), None])", "own = np.empty(1, object)\nown[0] = own",
    "records = np.zeros(3, 'f8,i4')", "huge_set = set(range(10**6))", "power = 10**20000", "text = 'x' * 10**7", "globals()[3] = 4", "half = '\\ud800'",
    "for i in range(20_000): globals()[f'v{i}'] = i", "keys = dict.fromkeys(range(10**5))",
    f"import types\nclass Lazy(types.ModuleType):\n    def __getattr__(self, name):\n        {HANG}\nlazy = Lazy('lazy')",
    "from unittest.mock import MagicMock\nmock = MagicMock()", "import sys\nspace = globals()",
    "import threading\ndef grow():\n    for i in range(10**5): globals()[f't{i}'] = i\nthreading.Thread(target=grow).start()",
]


FRESH = ("for name in [name for name in globals() if name not in ('__builtins__', 'display', 'get_ipython')]: del globals()[name]\n"
         "import numpy as np")


@pytest.fixture(scope="module")
def patient():
    sandbox = Sandbox({}, seconds=30, patience=600)
    yield sandbox
    sandbox.close()


@given(st.lists(st.sampled_from(STRANGE), min_size=1, max_size=5, unique=True), st.integers(0, 5))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_stands_in_a_namespace_its_functions_stay_gradable(patient, strange, at):
    begin = psutil.Process().memory_info().rss
    strange.insert(at, "def f(x):\n    return x + 1\nanswer = 42")
    patient.run(FRESH, "<new>")
    assert not {"f", "answer"} & set(patient.space)
    patient.run("\n".join(strange), "<cell>")
    assert patient.space["f"](1) == 2 and patient.space["answer"] == 42
    assert psutil.Process().memory_info().rss - begin < 300 * 2**20


def test_each_strange_value_on_its_own(patient):
    """hypothesis may not come to all of them."""
    for code in STRANGE:
        patient.run(FRESH, "<new>")
        patient.run(f"import numpy as np\n{code}\ndef f(x):\n    return {code!r}", "<cell>")
        assert patient.space["f"](1) == code


GOOD_FAITH = [
    "len = 3\nprint = None\nsum = max = list = dict = type = None", "import builtins\nbuiltins.print = None", "import sys\nsys.stdout = None",
    "import sys\nsys.setrecursionlimit(60)", "import warnings\nwarnings.simplefilter('error')", "import numpy as np\nnp.seterr(all='raise')",
    "import os, tempfile, shutil\nd = tempfile.mkdtemp()\nos.chdir(d)\nshutil.rmtree(d)", "import atexit\natexit.register(lambda: 1 / 0)",
    "import threading, time\nthreading.Thread(target=lambda: [print('x') or time.sleep(0.001) for _ in range(10**5)], daemon=True).start()",
    "import signal\nsignal.signal(signal.SIGALRM, lambda *_: 1 / 0)\nsignal.setitimer(signal.ITIMER_REAL, 0.1)", "import signal\nsignal.alarm(1)",
    "import asyncio\nawait asyncio.sleep(0)", "async def g():\n    return 3\nx = await g()\nawait g()", "__name__ = 'mine'", "del __builtins__",
    "print('\\ud800')", "import sys\nfor name in ('json', 'base64', 'traceback'): sys.modules.pop(name, None)", "import gc\ngc.disable()",
    "%timeit -n 2 -r 1 1 + 1", "%timeit 1 + 1", "get_ipython().magic('matplotlib inline')", "%config InlineBackend.figure_format = 'retina'",
    "import matplotlib.pyplot as plt\nplt.plot([1])\nplt.title('t')\nplt.show()", "import sys\nsys.stdout.seek(10**9)", "%load_ext autoreload\n%autoreload 2",
    "from dataclasses import dataclass\n@dataclass\nclass C:\n    x: int = 3\nassert C.__annotations__ == {'x': int}", "!pip install numpy",
]


def test_what_a_cell_does_in_good_faith_costs_nothing():
    for code in GOOD_FAITH:
        sandbox = Sandbox({}, seconds=30)
        sandbox.run(f"{code}\ndef f(x):\n    return {{'v': x + 1}}", "<cell>")
        if "signal" in code:
            time.sleep(1.2)
        sandbox.run("after = f(1)['v']", "<after>")
        assert sandbox.space["f"](1) == {"v": 2} and sandbox.space["after"] == 2, code
        sandbox.close()


def test_half_a_character_can_be_printed(sandbox, capsys):
    sandbox.run("print('\\ud800')\ndef f():\n    raise ValueError('\\ud800')", "<cell>")
    assert capsys.readouterr().out == "?\n"
    with pytest.raises(StudentError) as error:
        sandbox.space["f"]()
    assert str(error.value) == "ValueError: ?"


@pytest.mark.parametrize("code, seen", [
    ("%%capture\nx = 3", {"x": 3}), ("%%bash\nls ~", {}), ("%%html\n<b>x</b>", {}), ("x = 1\ndel x", {}), ("x = np.zeros(10**7)", {}),
])
def test_what_a_cell_sets_or_takes_away_is_seen(sandbox, code, seen):
    sandbox.run("import numpy as np\nx = 5\nkept = [1]", "<before>")
    sandbox.run("kept.append(2)\n" + code if "%" not in code else code, "<cell>")
    assert {name: sandbox.space[name] for name in ("x",) if name in sandbox.space} == ({"x": 5} | seen if "%" in code else seen)
    assert sandbox.space["kept"] == ([1] if "%" in code else [1, 2])


def test_code_that_does_not_read_what_it_asked_for_is_stopped(hasty):
    hasty.run("import gc, time\nfrom grading.values import encode\nimport numpy as np\ndef f(g):\n"
              "    worker, = [o for o in gc.get_objects() if type(o).__name__ == 'Worker']\n"
              "    worker.send(ask=0, args=encode((np.zeros(10**6),)), kwargs=encode({}))\n    time.sleep(60)", "<cell>")
    begin = time.perf_counter()
    with pytest.raises(StudentError):
        hasty.space["f"](lambda x: x)
    assert time.perf_counter() - begin < 10


@pytest.mark.parametrize("isolated", [True, False])
def test_a_worker_ends_with_its_parent(isolated):
    script = (f"from grading.sandbox import Sandbox\ns = Sandbox({{}}, seconds=30, isolated={isolated})\ns.run('x = 1', '<a>')\n"
              "print(s._process.pid, flush=True)\ns.run('10**10**9', '<b>')")
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    first = psutil.Process(int(parent.stdout.readline()))
    workers = [first, *first.children(recursive=True)]
    time.sleep(1)
    parent.kill()
    parent.wait()
    end = time.monotonic() + 20
    while any(map(alive, workers)):
        assert time.monotonic() < end
        time.sleep(0.1)


def alive(process):
    """And not only waiting for somebody to take note of its end."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_the_traceback_shows_the_students_lines_alone(sandbox):
    with pytest.raises(StudentError) as error:
        sandbox.run("def f():\n    return 1 / 0\nf()", "<ps1-depth>")
    shown = "\n".join(error.value._render_traceback_())
    assert "return 1 / 0" in shown and "<ps1-depth>" in shown and "worker.py" not in shown
    with pytest.raises(StudentError) as error:
        sandbox.run("x = 1\ndef f(:", "<ps1-depth>")
    shown = "\n".join(error.value._render_traceback_())
    assert "def f(:" in shown and "SyntaxError" in shown and "ast.py" not in shown


@pytest.mark.parametrize("line", [
    "not json", "[]", "5", '{"number": NUMBER, "printed": "", "names": 3, "gone": []}', '{"number": 1, "printed": "", "names": {}, "gone": []}',
    '{"number": NUMBER, "printed": "", "names": {"_sandbox": 0}, "gone": []}', '{"number": NUMBER, "printed": "", "names": {}, "gone": [[]]}',
    '{"number": NUMBER, "printed": "", "names": {"x": ' + "1" * 10**6 + '}, "gone": []}', "[" + "[]," * 2 * 10**6,
    '{"number": NUMBER, "ask": -1, "args": 1, "kwargs": 1}', "[" * 10**5, '{"number": NUMBER, "printed": "", "value": {"array": "", "shape": [1], "dtype": "O"}}',
])
def test_a_forged_answer_is_noticed(sandbox, line):
    """Even if the code finds the number of the request."""
    sandbox.run("def f(x):\n    return x", "<before>")
    forge = ("import gc\nfrom grading.worker import Worker\nimport sys\n"
             "worker, = [o for o in gc.get_objects() if type(o).__name__ == 'Worker']\n")
    with pytest.raises(StudentError, match="disturbed the grading"):
        sandbox.run(forge + f"worker.answers.write({line!r}.replace('NUMBER', str(worker.number)) + chr(10))\nworker.answers.flush()", "<cell>")
        sandbox.space["f"](3)
    assert sandbox.space["f"](3) == 3


def test_an_answer_without_end_is_noticed(sandbox, monkeypatch):
    monkeypatch.setattr("grading.sandbox.LONGEST", 10**6)
    sandbox.run("import gc\ndef f():\n    worker, = [o for o in gc.get_objects() if type(o).__name__ == 'Worker']\n"
                "    while True: worker.answers.write('x' * 10**5)\ndef g():\n    return 3", "<cell>")
    with pytest.raises(StudentError, match="disturbed the grading"):
        sandbox.space["f"]()
    assert sandbox.space["g"]() == 3


def test_what_ends_python_again_and_again_comes_to_an_end():
    sandbox = Sandbox({}, seconds=5, patience=1.5)
    said = []
    for number in range(200):
        with pytest.raises(StudentError) as error:
            sandbox.run(f"import os\nos._exit({number})", OWN)
        said.append(str(error.value))
    sandbox.close()
    assert "ended Python" in said[0] and "was not run" in said[-1]


# --- what is handed in

def notebook(number: int, before: str = "", after: str = "") -> str:
    """JSON with so many cells that have one id."""
    cells = ",".join(['{"cell_type": "markdown", "metadata": {}, "source": "", "id": "a"}'] * number)
    return f'{{{before}"cells": [{cells}]{after}, "metadata": {{}}, "nbformat": 4, "nbformat_minor": 5}}'


@pytest.mark.parametrize("text", [
    notebook(100_000), notebook(50_000, '"worksheets": [{', "}]").replace('"nbformat": 4', '"nbformat": 3'),
    notebook(1, '"worksheets": [' + '{"cells": [{}]},' * 100_000 + "{", "}]").replace('"nbformat": 4', '"nbformat": 2'),
], ids=["version 4", "version 3", "sheets"])
def test_cells_are_counted_before_they_are_looked_at(text, recwarn):
    begin = time.process_time()
    nb, _ = ReadAnything().from_file(io.StringIO(text))
    assert time.process_time() - begin < 8 and "too large (cells: got " in nb  # 1 to 2
    assert not recwarn.list


def test_cells_with_one_id_are_read_without_a_word(recwarn, capfd):
    nb, _ = ReadAnything().from_file(io.StringIO(notebook(2_000)))
    assert len(json.loads(nb)["cells"]) == 2_000
    assert not recwarn.list and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("text", ["", "[]", "3", '{"cells": 3}', '{"worksheets": 3}', '{"worksheets": [3]}', "[" * 50_000, '{"cells": {"a": 1}, "nbformat": 4}'])
def test_what_is_no_notebook_is_called_so(text):
    nb, _ = ReadAnything().from_file(io.StringIO(text))
    assert "The file could not be read as a notebook: " in nb
