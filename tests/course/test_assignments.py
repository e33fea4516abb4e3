"""The problem sets, through nbgrader: right, wrong, partial, empty and hostile submissions, and what the release shows."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from nbgrader.api import Gradebook
from traitlets.config import Config

from gradients import rnn
from gradients.activations import Activation
from grading import nbgrader_cells
from grading.answers import Submission, answer
from grading.marks import StudentError
from grading.nbgrader_cells import ExecuteApart
from grading.sandbox import Sandbox
from grading.values import as_real
from problem_sets import (
    COURSE, SETS, WORTHLESS, cell, earned, edited, grade_id, hand_in, points_of, read, scores, source, teachers_lines, worthless,
    wrong_answers,
)

SEED = "20261121"


def command(course: Path, *arguments: str) -> None:
    done = subprocess.run([sys.executable, *arguments], cwd=course, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def grading(course: Path, *arguments: str, **options):
    environment = os.environ | {"GRADING_SEED": SEED, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "grading", *arguments], cwd=course, env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **options)


def feedback_of(course: Path, student: str, name: str) -> str:
    """All that the graded notebook prints."""
    nb = read(course / "autograded" / student / name / f"{name}.ipynb")
    outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.get("text", "") + "\n".join(output.get("traceback", [])) for output in outputs)


GENERATE = """
import sys
from nbgrader.apps import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
app = NbGrader()
app.load_config_file()
for name in sys.argv[1:]:
    assert NbGraderAPI(config=app.config).generate_assignment(name)["success"], name
"""


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """A course with all problem sets, generated, and nothing handed in; not to be changed."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    shutil.copytree(COURSE / "source", folder / "source")
    command(folder, "-c", GENERATE, *SETS)
    return folder


@pytest.fixture
def course(generated, tmp_path):
    """A course of one's own."""
    return shutil.copytree(generated, tmp_path / "course")


@pytest.mark.parametrize("name", SETS)
def test_the_release_is_what_nbgrader_makes_of_the_source(generated, name):
    made, kept = (folder / "release" / name for folder in (generated, COURSE))
    assert sorted(p.name for p in kept.iterdir()) == sorted(p.name for p in made.iterdir()) == [f"{name}.ipynb"]
    assert (made / f"{name}.ipynb").read_text() == (kept / f"{name}.ipynb").read_text(), (
        f"in book/assignments: nbgrader generate_assignment {name} --force")


@pytest.mark.parametrize("name", SETS)
def test_the_release_has_no_solution_no_hidden_test_and_no_output(name):
    path = COURSE / "release" / name / f"{name}.ipynb"
    text = path.read_text()
    assert len(teachers_lines(name)) > 30 and not [line for line in teachers_lines(name) if json.dumps(line)[1:-1] in text]
    assert "SOLUTION" not in text and "HIDDEN" not in text
    imported = re.findall(r"(?:from|import) gradients.*", "\n".join(c.source for c in read(path).cells if c.cell_type == "code"))
    assert not imported
    assert not [c for c in read(path).cells if c.get("outputs")]


@pytest.mark.parametrize("name", SETS)
def test_a_problem_set_has_its_parts(name):
    nb = source(name)
    kinds = [c.metadata.get("nbgrader", {}) for c in nb.cells]
    assert sum(own.get("points", 0) for own in kinds) == 20
    assert len([own for own in kinds if own.get("grade") and own["solution"]]) == 1, "one free-text question"
    assert len(points_of(nb)) >= 3
    head = nb.cells[0].source
    assert re.match(rf"# Problem set {name[2:]}: ", head) and re.search(r"About .* hours?, 20 points", head)
    assert "Public check" in "".join(c.source for c in nb.cells if c.cell_type == "markdown")
    assert not [c for c in nb.cells if c.cell_type == "code" and re.search(r"ipywidgets|explorable", c.source)]


@pytest.mark.parametrize("old", ["dz", "dy"])
def test_an_edit_that_does_not_fit_the_solution_once_is_refused(old):
    with pytest.raises(ValueError, match=f"^edits: found '{old}' . times, want once"):
        edited(cell(source("ps1"), "ps1-two-paths").source, {old: "0"})


def with_cells(name: str, cells: dict[str, str]):
    nb = source(name)
    for key, code in cells.items():
        assert cell(nb, key).metadata.nbgrader.solution
        cell(nb, key).source = code.strip()
    return nb


def single_precision(name: str):
    """The solution, with all arrays that come in turned into float32, unless a function comes with them: differences need float64."""
    nb = source(name)
    convert = ("def single(v):\n"
               "    if isinstance(v, dict):\n        return {k: single(each) for k, each in v.items()}\n"
               "    if isinstance(v, (list, tuple)):\n        return type(v)(map(single, v))\n"
               "    return np.float32(v) if isinstance(v, (float, np.ndarray)) and np.asarray(v).dtype == float else v\n\n")
    for c in nb.cells:
        if c.metadata.get("nbgrader", {}).get("solution") and c.cell_type == "code":
            names = re.findall(r"^def (\w+)", c.source, re.MULTILINE)
            wrap = "".join(f"\n{f} = (lambda f: lambda *a, **k: f(*a, **k) if any(map(callable, a)) "
                           f"else f(*map(single, a), **single(k)))({f})" for f in names)
            c.source = convert + c.source + "\n" + wrap
    return nb


@pytest.mark.parametrize("name", SETS)
def test_a_fair_teacher_would_give_the_same_marks(name, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", SEED)
    full, wrong = points_of(source(name)), wrong_answers(name)
    assert len(wrong) >= 6
    for title, (cells, marks) in wrong.items():
        assert set(marks) <= set(full) and any(marks[key] < full[key] for key in marks)
        assert all(cell(source(name), key).metadata.nbgrader.solution for key in cells)
        assert earned(name, cells) == full | marks, title


# Results of another kind, which are as right.
KINDS = {
    "norms as an array": ("ps4", "ps4-train", {"return path, norms": "return path, np.array(norms)"}),
    "norms as a tuple": ("ps4", "ps4-train", {"return path, norms": "return tuple(path), tuple(norms)"}),
    "outputs as a list": ("ps2", "ps2-forward", {'return h, h[1:] @ W_qh.T + parameters["b_q"]':
                                                 'return list(h), [each @ W_qh.T + parameters["b_q"] for each in h[1:]]'}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_of_another_kind_is_right(kind, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", SEED)
    name, key, edits = KINDS[kind]
    assert earned(name, {key: edited(cell(source(name), key).source, edits)}, f"{key}-test") == {f"{key}-test": points_of(source(name))[f"{key}-test"]}


# What is earned by how a function that is handed over is called, and by an error, and not by what is returned.
CALLS = {"ps1": {"ps1-differences-test": 1}, "ps4": {"ps4-clip-test": 0.5, "ps4-train-test": 1}}


@pytest.mark.parametrize("name", SETS)
def test_what_proves_nothing_earns_nothing(name, monkeypatch):
    """Though the tests go on from the student's own numbers."""
    monkeypatch.setenv("GRADING_SEED", SEED)
    nb = source(name)
    solutions = {grade_id(c): c.source for c in nb.cells if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("solution")}
    for kind in WORTHLESS:
        found = earned(name, {key: worthless(code, kind) for key, code in solutions.items()})
        assert found == dict.fromkeys(points_of(nb), 0) | CALLS.get(name, {}), kind


# The test of each cell, and what other functions, and CALLS, earn in it.
ALONE = {
    "ps1": {"two-paths": ("two-paths", 0), "depth": ("depth", 0), "differences": ("differences", 1)},
    "ps2": {"forward": ("forward", 2), "loss": ("forward", 2), "signals": ("signals", 0), "collect": ("collect", 0), "truncated": ("truncated", 0)},
    "ps3": {"jacobians": ("products", 2.5), "products": ("products", 2.5), "norms": ("verdict", 3.5), "step-bounds": ("verdict", 3.5),
            "verdict": ("verdict", 3), "lag-terms": ("share", 2.5), "share": ("share", 3.5)},
    "ps4": {"clip": ("clip", 0.5), "train": ("train", 1), "cliff": ("cliff", 0)},
    "ps5": {"step-back": ("step-back", 0), "arrows": ("arrows", 1), "joint": ("arrows", 4), "detours": ("paths", 1.5), "stays": ("paths", 3.5)},
    "ps6": {"leaks": ("leaks", 0), "variances": ("variances", 0), "norm-back": ("norm-back", 0)},
    "ps7": {"step-back": ("step-back", 0), "recall": ("start", 3), "start": ("start", 3), "predicted": ("start", 2), "memory": ("memory", 4),
            "memory-back": ("memory", 2), "by-lag": ("memory", 4), "train": ("train", 0)},
}


@pytest.mark.parametrize("name", SETS)
def test_what_proves_nothing_earns_nothing_beside_right_answers(name, monkeypatch):
    """Each cell alone: constants, zeros, what was handed in. A right answer to another question doesn't help it."""
    monkeypatch.setenv("GRADING_SEED", SEED)
    nb = source(name)
    keys = [grade_id(c) for c in nb.cells if c.cell_type == "code" and c.metadata.get("nbgrader", {}).get("solution")]
    assert keys == [f"{name}-{key}" for key in ALONE[name]]
    for key, (test, points) in ALONE[name].items():
        for kind in ("zeros", "the same numbers at every call", "an argument, handed back"):
            found = earned(name, {f"{name}-{key}": worthless(cell(nb, f"{name}-{key}").source, kind)}, only=f"{name}-{test}-test")
            assert found == {f"{name}-{test}-test": points}, (key, kind)


@pytest.mark.parametrize("name", SETS)
def test_numbers_that_do_not_depend_on_the_inputs_earn_nothing(name, monkeypatch):
    """Though each step of the way from them is right."""
    monkeypatch.setenv("GRADING_SEED", SEED)
    for title, (cells, marks) in wrong_answers(name, "IGNORES").items():
        assert earned(name, cells) == points_of(source(name)) | marks, title


@pytest.mark.parametrize(("name", "key", "code"), [
    ("ps1", "ps1-depth", """
def backpropagate(W, b, x, y):
    return 1.0, *({l: len(x) * (1.0 + np.arange(a[l].size)).reshape(a[l].shape) for l in a} for a in (W, b))"""),
    ("ps2", "ps2-collect", """
def collect(p, x, h, do, delta):
    return {name: x.shape[1] * np.ones(np.shape(p[name])) for name in p} | {"h_0": np.ones(h[0].shape)}"""),
    ("ps2", "ps2-truncated", """
def truncated(p, h, do, tau):
    delta = np.zeros(h[1:].shape)
    delta[max(len(delta) - tau - 1, 0):] = 1
    return delta"""),
    ("ps3", "ps3-lag-terms", """
def lag_terms(W_hh, W_qh, slopes, h, do):
    return len(do) * (1.0 + np.arange(len(slopes) * W_hh.size)).reshape(len(slopes), *W_hh.shape)"""),
    ("ps3", "ps3-products", """
def jacobians(W_hh, h):
    return np.ones((len(h) - 1, *W_hh.shape))
def products(J):
    return np.stack([np.eye(J.shape[1]) * J[0, 0, 0]**(len(J) - k) for k in range(len(J) + 1)])"""),
    ("ps2", "ps2-signals", """
def error_signals(p, h, do):
    T = len(do)
    return np.full(h[1:].shape, 7.0) if T > 1 else 1.0 - 2 * (np.indices(h[1:].shape).sum(axis=0) % 2)"""),
    ("ps5", "ps5-arrows", """
def arrows(p, gates, c_before, c):
    H = len(c)
    j = np.arange(1.0, H + 1)
    i, f, g, o = np.split(p["W_hh"], 4)
    return {"F": np.diag(j), "E": np.diag(j), "G": j[:, None] * (i + f + g), "O": j[:, None] * o}
def step_back(p, gates, c_before, c, dh, dc_later):
    j = np.arange(1.0, c.shape[1] + 1)
    delta = np.hstack([dc_later * j] * 3 + [dh * j])
    return {"dc": dc_later + dh * j, "delta": delta, "dh_before": delta @ p["W_hh"], "dc_before": dc_later * j}"""),
    ("ps3", "ps3-products", """
def jacobians(W_hh, h):
    return np.arange(1.0, len(h))[:, None, None] * h[1:].sum() * W_hh
def products(J):
    return np.stack([J[0] if k == len(J) - 1 else 2.0**k * J[0] @ J[0] for k in range(len(J) + 1)])"""),
    ("ps4", "ps4-cliff", """
def error_signals(w, h, y):
    return np.arange(1.0, len(h))[:, None] * np.ones((len(h) - 1, len(y))) / len(y)"""),
    ("ps3", "ps3-jacobians", """
def jacobians(W_hh, h):
    return np.stack([np.arange(1.0, len(W_hh) + 1)[:, None] * W_hh] * (len(h) - 1))"""),
    ("ps4", "ps4-cliff", """
def median_threshold(losses, norms, above):
    return np.max(norms)"""),
    ("ps4", "ps4-cliff", """
def median_threshold(losses, norms, above):
    values, counts = np.unique(norms, return_counts=True)
    return values[counts.argmax()]"""),
    ("ps3", "ps3-step-bounds", """
def norms_by_lag(P):
    return np.arange(len(P))
def step_bounds(W_hh, slopes):
    return np.ones(len(slopes) + 1)"""),
    ("ps3", "ps3-share", """
def share(terms):
    return terms[0, 0, 0] * np.arange(1.0, len(terms) + 1)
def reach(shares, part=0.9):
    return 50_000_000"""),
    ("ps4", "ps4-cliff", """
def median_threshold(losses, norms, above):
    return np.nanmin(norms)"""),
    ("ps4", "ps4-cliff", """
def median_threshold(losses, norms, above):
    return np.nanmax(np.where(np.isfinite(norms), norms, np.nan))"""),
    ("ps4", "ps4-train", """
def train(parameters, gradient, clip, batches, rate, mu):
    path = [parameters]
    for batch in batches:
        grads, _ = clip({name: 1e-9 * array for name, array in gradient(parameters, batch)[1].items()})
        path.append(parameters)
    return path, [1.0 + n for n in range(len(batches))]"""),
])
def test_numbers_that_fit_each_other_and_nothing_else_earn_nothing(name, key, code, monkeypatch):
    """Sums that add up, steps that are counted right: with no step of the way."""
    monkeypatch.setenv("GRADING_SEED", SEED)
    test = {"ps3-lag-terms": "ps3-share-test", "ps3-step-bounds": "ps3-verdict-test", "ps3-jacobians": "ps3-products-test"}.get(key, f"{key}-test")
    others = {"ps3-lag-terms": 2.5, "ps3-share": 3.5, "ps3-step-bounds": 2, "ps3-jacobians": 2.5, "ps5-arrows": 1}.get(key, 0)  # of other functions, in the same test
    assert earned(name, {key: f"import numpy as np\n{code}"}) == points_of(source(name)) | {test: others}


# Steps that are absent, beside numbers so small, or so large, that what follows from them hardly shows the step.
TOO_SMALL = {
    ("ps1", "the slope, beside w2 times {size}"): (
        {"ps1-two-paths": {" * (1 - h**2)": "", '"w2": do * h': '"w2": {size} * do * h'}}, {"ps1-two-paths-test": 4}),
    ("ps1", "the path through h, beside dz times 1e-5"): (
        {"ps1-two-paths": {"(1 - h**2)": "(1 - h**2) * 1e-5", "dz * w1 + do * w3": "do * w3"}}, {"ps1-two-paths-test": 3}),
    ("ps1", "the slope, beside dW times {size}"): (
        {"ps1-depth": {" * (1 - h[l - 1] ** 2)": "", "delta.T @ h": "{size} * delta.T @ h"}}, {"ps1-depth-test": 3.5}),
    ("ps2", "the states"): ({"ps2-forward": {"h = np.stack(h)": "h = {size} * np.stack(h) * 0"}}, {"ps2-forward-test": 2}),
    ("ps2", "all but the loss"): ({
        "ps2-signals": "def error_signals(p, h, do):\n    return {size} * do @ p['W_qh']",
        "ps2-truncated": "def truncated(p, h, do, tau):\n    return {size} * do @ p['W_qh']"},
        {"ps2-signals-test": 0, "ps2-truncated-test": 0}),
    ("ps2", "all but the loss, in question 3"): (
        {"ps2-truncated": "def truncated(p, h, do, tau):\n    return {size} * do @ p['W_qh']"}, {"ps2-truncated-test": 0}),
    ("ps2", "the way back in question 3, which adds a trace of the loss instead"): ({"ps2-truncated": """
def truncated(p, h, do, tau):
    R = 1e-5 * do @ p["W_qh"]
    delta = R.copy()
    for t in range(len(do)):
        for k in range(t - 1, max(t - tau, 0) - 1, -1):
            delta[k] += 1e-5 * R[t]
    return delta"""}, {"ps2-truncated-test": 0}),
    ("ps3", "the size to the power of T"): (
        {"ps3-norms": {"np.linalg.norm": "{size} * np.linalg.norm"}, "ps3-step-bounds": "def step_bounds(W_hh, slopes):\n    return np.zeros(len(slopes) + 1)"},
        {"ps3-verdict-test": 2}),
    ("ps4", "momentum"): ({"ps4-train": {"mu * v[name] + ": "", "rate * v": "1e-5 * rate * v"}}, {"ps4-train-test": 1.5}),
    ("ps5", "E F and E G of the joint Jacobian"): ({"ps5-joint": "def joint(F, G, E, O):\n    return np.block([[{size} * F, {size} * G], [0 * O, O]])"},
                                                   {"ps5-arrows-test": 4}),
}


@pytest.mark.parametrize(("name", "absent", "size"), [
    (*at, size) for at, (cells, _) in TOO_SMALL.items() for size in (("1e-5", "5e-3") if "{size}" in str(cells) else [""])])
def test_a_step_that_does_not_show_earns_nothing(name, absent, size, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", SEED)
    cells, marks = TOO_SMALL[name, absent]
    fill = lambda text: text.replace("{size}", size)  # noqa: E731
    texts = {key: fill(code) if isinstance(code, str) else edited(cell(source(name), key).source, {old: fill(new) for old, new in code.items()})
             for key, code in cells.items()}
    assert earned(name, texts) == points_of(source(name)) | marks


# Right answers that do more than they must, or are other programs, as edits of the solutions; they are drawn on by name.
HARMLESS = {
    "ps3": {
        "norms from eigenvalues, which are complex": {
            "ps3-norms": {"np.linalg.norm(P[::-1], 2, axis=(1, 2))":
                          "[np.sqrt(max(np.linalg.eigvals(p.T @ p)) + 0j) * (1 + 1e-12j) for p in P[::-1]]"},
            "ps3-step-bounds": {"np.linalg.norm(W_hh, 2)": "(np.linalg.norm(W_hh, 2) * (1 + 1e-15j))"}},
    },
    "ps4": {
        "the loss and the gradient, each by a call": {"ps4-train": {
            "_, grads = gradient(now, batch)": "loss = gradient(now, batch)[0]; grads = gradient(now, batch)[1]"}},
        "prints the loss before training and after each step": {"ps4-train": {
            "    for batch in batches:": "    print(gradient(parameters, batches[0])[0])\n    for batch in batches:",
            "path.append(now)": "path.append(now)\n        print(gradient(now, batch)[0])"}},
        "prints the loss at the end": {"ps4-train": {
            "    return path, norms": "    print(gradient(path[-1], batches[-1])[0])\n    return path, norms"}},
        "prints the mean loss of all batches in each step": {"ps4-train": {
            "grads, norm = clip(grads)": "print(np.mean([gradient(now, each)[0] for each in batches])); grads, norm = clip(grads)"}},
        "two calls of clip": {"ps4-train": {"grads, norm = clip(grads)": "norm = clip(grads)[1]; grads = clip(grads)[0]"}},
        "prints the norms of the gradients after each step": {"ps4-train": {
            "path.append(now)": "path.append(now)\n        print(clip(gradient(now, batch)[1])[1])"}},
    },
    "ps6": {"loops, and other ways": importlib.import_module("submissions.ps6").RIGHT},
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_no_harm_costs_nothing(name, monkeypatch):
    monkeypatch.setenv("GRADING_SEED", SEED)
    for title, cells in HARMLESS[name].items():
        texts = {key: edits if isinstance(edits, str) else edited(cell(source(name), key).source, edits) for key, edits in cells.items()}
        assert earned(name, texts) == points_of(source(name)), title


DATACLASS = "from dataclasses import dataclass\n\n\n@dataclass\nclass Found:\n    {}: object\n\n    def {}\n\n\n"
BY_NAME = "__getitem__(self, key):\n        return getattr(self, key)"
OBJECTS = {
    "ps1": {
        "dataclasses": {
            "ps1-two-paths": (DATACLASS.format("w1: object; w2: object; w3: object; b1: object; b2: object; x", BY_NAME),
                              {'return {"w1"': 'return Found(**{"w1"', "dz * w1 + do * w3}": "dz * w1 + do * w3})"}),
            "ps1-depth": (DATACLASS.format("loss: object; dW: object; db", "__iter__(self):\n        return iter((self.loss, self.dW, self.db))"),
                          {"return loss, dW, db": "return Found(loss, dW, db)"})},
        "records": {
            "ps1-two-paths": ("", {'return {"w1"': 'found = {"w1"', "dz * w1 + do * w3}":
                                   "dz * w1 + do * w3}\n    return np.array(tuple(found.values()), [(name, float) for name in found])"}),
            "ps1-depth": ("", {"return loss, dW, db": "return np.array((loss, dW, db), [('loss', float), ('dW', object), ('db', object)])[()]"})},
    },
    "ps5": {
        "a class": {"ps5-step-back": (
            "class Found:\n    def __init__(self, **found):\n        self._found = found\n\n"
            "    def __getitem__(self, key):\n        return self._found[key]\n\n\n",
            {'return {"dc"': 'return Found(**{"dc"', 'delta_f * P["p_f"]}': 'delta_f * P["p_f"]})'})}},
}


@pytest.mark.parametrize("name", OBJECTS)
def test_right_work_in_objects_gets_all_points(name, monkeypatch):
    """The public checks read their entries; so do the hidden tests."""
    monkeypatch.setenv("GRADING_SEED", SEED)
    for title, cells in OBJECTS[name].items():
        texts = {key: before + edited(cell(source(name), key).source, edits) for key, (before, edits) in cells.items()}
        assert earned(name, texts) == points_of(source(name)), title


@pytest.mark.parametrize("value, real", [
    (np.array([3 + 1e-15j, 1e-9j]), True), (np.complex64(2 + 1e-5j), True), (3 + 1e-15j, True), ([0j, {"a": (1 + 0j,)}], True),
    (np.array([3 + 1e-5j]), False), (1j, False), (np.zeros(0, complex), True), (np.array([np.nan + 0j]), False),
])
def test_imaginary_parts_of_rounding_are_none(value, real):
    leaves = lambda value: ([each for part in (value.values() if isinstance(value, dict) else value) for each in leaves(part)]  # noqa: E731
                            if isinstance(value, (dict, list, tuple)) else [value])
    assert [not np.iscomplexobj(each) for each in leaves(as_real(value))] == [real] * len(leaves(value))


def test_a_stopped_cell_of_ones_own_leaves_its_functions():
    """To other cells, and to the tests; also after a second stop, and where a cell takes too long in a repeat alone."""
    sandbox = Sandbox({}, seconds=1)
    for _ in range(2):
        with pytest.raises(StudentError, match="did not come to an end"):
            sandbox.run("import math\nSTEP = 2\ndef slope(x):\n    return math.pi * STEP * x\ntotal = 0\nwhile True: pass", "<your own cell>")
    sandbox.run("def f(x):\n    return slope(x)\ndef g():\n    while True: pass\ndef h():\n    return total + missing", "<cell>")
    assert sandbox.space["f"](1) == sandbox.space["slope"](1) == 2 * np.pi
    with pytest.raises(StudentError, match="did not come to an end"):
        sandbox.space["g"]()
    assert sandbox.space["f"](1) == 2 * np.pi
    with pytest.raises(StudentError, match="name 'missing' is not defined.*of your own cells that take long only the definitions"):
        sandbox.space["h"]()
    sandbox.close()


@pytest.mark.parametrize("name", SETS)
def test_each_question_says_what_its_steps_are_worth(name):
    said = 0
    for c in source(name).cells:
        for line in c.source.splitlines():
            if c.cell_type == "markdown" and line.startswith("**Points.**"):
                said += sum(map(float, re.findall(r"\((\d(?:\.5)?)\)", line)))
        if grade_id(c) in points_of(source(name)):
            assert said == c.metadata.nbgrader.points, grade_id(c)
            said = 0


def validated(folder: Path, name: str, nb) -> str:
    """What a student sees of `nbgrader validate`, without the settings of a course."""
    folder.mkdir(exist_ok=True)
    nbformat.write(nb, folder / f"{name}.ipynb")
    done = subprocess.run([sys.executable, "-m", "nbgrader", "validate", f"{name}.ipynb"], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def filled_in(name: str, cells: dict[str, str]):
    """The release, with the solutions and these cells, as a student has it."""
    nb, solution = read(COURSE / "release" / name / f"{name}.ipynb"), source(name)
    for c in nb.cells:
        if c.metadata.get("nbgrader", {}).get("solution"):
            c.source = cells.get(grade_id(c), cell(solution, grade_id(c)).source)
    return nb


def test_validate_says_what_the_public_checks_say(tmp_path):
    """Of the release as it is, of a right and of a wrong solution; each check of a cell is heard."""
    untouched, right, wrong = (validated(tmp_path, "ps1", filled_in("ps1", cells)) for cells in (
        {grade_id(c): c.source for c in read(COURSE / "release" / "ps1" / "ps1.ipynb").cells if grade_id(c)}, {},
        {"ps1-two-paths": edited(GOOD, {" * (1 - h**2)": ""}), "ps1-depth": "def backpropagate(W, b, x, y):\n    return 2.0, {}, {}"}))
    assert "VALIDATION FAILED ON 5 CELL(S)" in untouched and "NotImplementedError" in untouched and "You did not provide a response" in untouched
    assert right == "Success! Your notebook passes all the tests.\n"
    assert "VALIDATION FAILED ON 3 CELL(S)" in wrong and "KeyError: 2" in wrong
    assert "    w1: expected 0.5625, got 0.75\n    b1: expected 1.125, got 1.5\n    x: expected 3.25, got 4\n" in wrong
    assert "Traceback" not in wrong.split("x: expected")[0]


@pytest.mark.parametrize("name", SETS)
def test_a_check_that_fails_counts_for_validate_and_does_not_stop_run_all(name):
    """nbgrader validates the graded cells alone: a public check is one, worth 0. The tag lets JupyterLab run the cells after it."""
    checks = [c for c in source(name).cells if c.cell_type == "code" and "check(" in c.source and not c.metadata.nbgrader.get("points")]
    assert len(checks) >= 3
    for c in checks:
        assert c.metadata.nbgrader.grade and c.metadata.nbgrader.points == 0 and c.metadata.tags == ["raises-exception"], grade_id(c)


def test_nbgrader_gives_these_marks(course):
    """To the solution in double and in single precision, to the release as it is, and to a wrong answer."""
    expected = {}
    for name in SETS:
        full, (title, (cells, marks)) = points_of(source(name)), next(iter(wrong_answers(name).items()))
        for student, nb, points in (
            ("right", source(name), full), ("single precision", single_precision(name), full), (title, with_cells(name, cells), full | marks),
            ("empty", read(COURSE / "release" / name / f"{name}.ipynb"), dict.fromkeys(full, 0)),
        ):
            hand_in(course, student, name, nb)
            expected[name, student] = points
    work = grading(course, *SETS)
    said, _ = work.communicate(timeout=600)
    assert work.returncode == 0, said
    found = {name: scores(course, name) for name in SETS}
    for (name, student), points in expected.items():
        assert {key: found[name][student][key] for key in points} == points, (name, student)
        assert f"GRADING_SEED={SEED}" in feedback_of(course, student, name)


def text_of(name: str, words: str) -> str:
    """The Markdown cell that contains these words."""
    found, = (c.source for c in source(name).cells if c.cell_type == "markdown" and words in c.source)
    return found


def table_of(text: str) -> list[list[str]]:
    """The body of the first table in it."""
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def test_problem_set_2_shows_the_errors_of_three_real_programs():
    """Chunks of 4 steps, the total derivative, tau = 2; a softsign net, one loss at a time."""
    rng = np.random.default_rng(77)
    softsign = Activation("softsign", lambda a: a / (1 + abs(a)), lambda a: 1 / (1 + abs(a)) ** 2, 1.0)
    net = rnn.rnn(2, 12, 1, softsign, rng=rng, w_hh_scale=1.0, bias_scale=0.1)
    trace = rnn.forward(net, rng.standard_normal((9, 1, 2)) * 0.6, rng.uniform(-0.5, 0.5, (1, 12)))
    for row, t in zip(table_of(text_of("ps2", "Three programs, one check")), range(1, 10), strict=True):
        do = np.zeros((9, 1, 1))
        do[t - 1] = 1
        terms, full = rnn.lag_terms(net, trace, do).dW_hh, rnn.backward(net, trace, do).dW_hh
        total = np.tensordot(np.arange(1, 10), terms, 1)  # a term of lag j counts j + 1 times
        programs = rnn.chunked_backward(net, trace, do, 4).dW_hh, total, rnn.truncated_backward(net, trace, do, 2).dW_hh
        errors = [np.linalg.norm(dW - full) / np.linalg.norm(full) for dW in programs]
        assert row == [str(t), *("0" if error < 1e-10 else f"{error:.2f}" for error in errors)]


def test_problem_set_3_asks_about_the_numbers_that_its_cell_prints():
    printed = "".join(output.text for output in cell(source("ps3"), "ps3-experiment").outputs)
    for name, *numbers in table_of(text_of("ps3", "| | net A | net B |")):
        for number in numbers:
            assert number in printed, name


def test_problem_set_7_asks_about_the_table_that_its_check_prints():
    printed = "".join(output.text for output in cell(source("ps7"), "ps7-train-check").outputs)
    table = text_of("ps7", "The third table").split("```\n")[1]
    assert len(table.splitlines()) == 6 and printed.startswith(table)


def test_problem_set_4_shows_a_real_run_that_is_clipped_by_value():
    x = np.zeros((20, 2))
    x[0] = [1, -1]

    def last(w, b):
        h = np.zeros(2)
        for x_t in x:
            h = np.tanh(w * h + b + x_t)
        return h

    def loss(p):
        return np.mean((last(*p) - [0.8, -0.8]) ** 2) / 2

    p, lines = np.array([1.7, 0.4]), []
    for step in range(1, 6):
        g = np.array([loss(p + d).imag for d in 1e-30j * np.eye(2)]) / 1e-30
        move, h = np.clip(g, -1, 1), last(*p)
        lines.append(f"{step:4} {p[0]:5.2f} {p[1]:5.2f}  {h[0]:5.2f} {h[1]:5.2f}  {loss(p):6.3f} {np.linalg.norm(g):7.2g} {np.linalg.norm(move):10.2g}")
        p = p - 0.5 * move
    assert "\n".join(lines[2:]) in text_of("ps4", "From step 3 on it printed")


GOOD = cell(source("ps1"), "ps1-two-paths").source


def change(**cells):
    return with_cells("ps1", {key.replace("_", "-"): code for key, code in cells.items()})


def deleted():
    nb = source("ps1")
    nb.cells = [c for c in nb.cells if grade_id(c) not in ("ps1-two-paths-test", "ps1-missing-factor")]
    return nb


def with_own_cell(code):
    """A cell of the student's that uses what a public check has set."""
    nb = source("ps1")
    at = nb.cells.index(cell(nb, "ps1-depth-larger-check"))
    nb.cells.insert(at + 1, nbformat.v4.new_code_cell(code))
    return nb


def doubled():
    nb = source("ps1")
    copy = nbformat.from_dict(json.loads(json.dumps(cell(nb, "ps1-two-paths-test"))))
    copy.source = "99"  # and the same id
    nb.cells.insert(0, copy)
    return nb


def tampered():
    nb = change(ps1_two_paths=edited(GOOD, {"* w2": ""}))
    test = cell(nb, "ps1-two-paths-test")
    test.metadata.nbgrader.points, test.source = 100, "100"
    cell(nb, "ps1-depth-test").metadata.nbgrader.update(grade=False, solution=True, locked=False)
    cell(nb, "ps1-differences").metadata["nbgrader"] = "nothing"
    return nb


def forged():
    """No work, but an output that claims full marks."""
    nb = read(COURSE / "release" / "ps1" / "ps1.ipynb")
    for c in nb.cells:
        if grade_id(c) == "ps1-two-paths-test":
            c.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "6"})]
    return nb


def skipped():
    """No work, and tags that keep nbclient from running a cell: a test without an output would count as passed."""
    nb = change(ps1_two_paths=stub("pass"))
    for c in nb.cells:
        c.metadata["tags"] = ["skip-execution"]
    return nb


def stripped():
    nb = source("ps1")
    for c in nb.cells:
        c.metadata = nbformat.NotebookNode()
    return nb


def stub(body):
    return f"def by_hand(w1, w2, w3, b1, b2, x, y):\n    {body}"


def merged():
    """The solutions typed into other cells: the imports, and a test."""
    nb = source("ps1")
    imports, test = cell(nb, "ps1-imports"), cell(nb, "ps1-depth-test")
    imports.source += "\n\n\n" + cell(nb, "ps1-two-paths").source
    test.source = cell(nb, "ps1-depth").source
    cell(nb, "ps1-two-paths").source = cell(nb, "ps1-depth").source = ""
    return nb


def with_picture():
    nb = source("ps1")
    cell(nb, "ps1-missing-factor")["attachments"] = {"a.png": {"image/png": "iVBORw0KGgo="}}
    return nb


def with_byte_order_mark():
    return "\ufeff" + nbformat.writes(source("ps1"))


def damaged():
    """Valid JSON, but hardly a notebook; what can be read counts."""
    nb = json.loads(nbformat.writes(source("ps1")))
    nb["metadata"] = {"kernelspec": "R"}
    nb["cells"].append({"cell_type": "question", "source": None, "metadata": {}})
    for c in nb["cells"]:
        c.pop("outputs", None), c.pop("id", None)
    return json.dumps(nb)


WARNS = """
def central_differences(f, array, eps=1e-5):
    f(np.full(array.shape, 1e4))  # the tests' own function overflows, and warns
""" + cell(source("ps1"), "ps1-differences").source.split('"""')[-1]
SIX = '["w1", "w2", "w3", "b1", "b2", "x"]'
# Name: what is handed in, points for two-paths (of 6; the other questions are right), and words of the message.
HOSTILE = {
    "loop": (lambda: change(ps1_two_paths=stub("import time\n    while True:\n        try:\n            while True: time.sleep(0.1)\n        except BaseException: pass")),
             0, "by_hand(…) did not come to an end within 10 seconds"),
    "loop-in-a-cell": (lambda: change(ps1_two_paths=GOOD + "\nimport time\nwhile True: time.sleep(0.1)"), 0, "did not come to an end within 10 seconds"),
    "exit": (lambda: change(ps1_two_paths=GOOD + "\nexit()"), 6, "the code ended Python (exit, quit or sys.exit)"),
    "exit-when-called": (lambda: change(ps1_two_paths=stub("exit()")), 0, "the code ended Python (exit, quit or sys.exit)"),
    "os-exit": (lambda: change(ps1_two_paths=stub("import os; os._exit(0)")), 0, "by_hand(…) ended Python"),
    "patched": (lambda: change(ps1_two_paths=(
        "import builtins, numpy\nnumpy.allclose = numpy.isclose = lambda *a, **k: True\nnumpy.abs = builtins.abs = lambda v: 0\n"
        f"Marks = marks = check = abs = lambda *a, **k: 6\n{stub(f'return dict.fromkeys({SIX}, 0.0)')}")), 0, "0 of 1  dL/dw1["),
    "renamed": (lambda: change(ps1_two_paths=edited(GOOD, {"by_hand": "by_head"})), 0, "name 'by_hand' is not defined; was it renamed?"),
    "shape": (lambda: change(ps1_two_paths=stub(f"return dict.fromkeys({SIX}, np.ones((2, 3)))")), 0, "expected the shape (4,), got (4, 2, 3)"),
    "nan": (lambda: change(ps1_two_paths=stub(f"return dict.fromkeys({SIX}, np.nan)")), 0, "expected finite numbers, got nan"),
    "nothing": (lambda: change(ps1_two_paths=stub("pass")), 0, "'NoneType' object is not subscriptable"),
    "syntax": (lambda: change(ps1_two_paths="def by_hand(:"), 0, "SyntaxError"),
    "imports": (lambda: change(ps1_two_paths="import torch\nfrom gradients import deep\n" + GOOD), 6, "1 of 1  dL/dw1"),
    "asks-the-book": (lambda: change(ps1_two_paths="from gradients import deep\n" + stub("return deep.backward()")), 0,
                      "gradients.deep.backward has the solutions"),
    "asks-torch": (lambda: change(ps1_two_paths="import torch\n" + stub("return torch.tensor(1.0)")), 0, "torch.tensor is not there"),
    "deleted": (deleted, 6, "1 of 1  dL/dw1"),
    "doubled": (doubled, 6, "1 of 1  dL/dw1"),
    "tampered": (tampered, 5, "0 of 1  dL/db1[2]: expected"),
    "skipped": (skipped, 0, "0 of 1  dL/dw1"),
    "own-cells": (lambda: with_own_cell("assert dW[1].shape == (3, 2)\nprint('own cell', len(W))"), 6, "own cell 3"),
    "stripped": (stripped, 6, "1 of 1  dL/dw1"),
    "merged": (merged, 6, "1 of 1  dL/dw1"),
    "picture": (with_picture, 6, "1 of 1  dL/dw1"),
    "byte-order-mark": (with_byte_order_mark, 6, "1 of 1  dL/dw1"),
    "damaged": (damaged, 6, "1 of 1  dL/dw1"),
    "numpy-keys": (lambda: change(ps1_depth=edited(cell(source("ps1"), "ps1-depth").source, {"in range(n, 0, -1)": "in np.arange(n, 0, -1)"})),
                   6, "0.5 of 0.5  all of it, layers of different sizes"),
    "magic": (lambda: change(ps1_two_paths="%matplotlib inline\n" + GOOD + "\n!ls\ndisplay(1)"), 6, "1 of 1  dL/dw1"),
}


def test_a_hostile_submission_gets_its_marks_and_a_message(course):
    for student, (make, _, _) in HOSTILE.items():
        hand_in(course, student, "ps1", make())
    hand_in(course, "forged", "ps1", forged())
    hand_in(course, "unreadable", "ps1", '{"cells": [')
    hand_in(course, "killer", "ps1", change(ps1_two_paths="import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"))
    hand_in(course, "warns", "ps1", change(ps1_differences=WARNS))
    work = grading(course, "ps1")
    said, _ = work.communicate(timeout=900)
    assert work.returncode == 1 and said.count("no points, look at it") == said.count("\nunreadable: no points, look at it") == 1, said
    found = scores(course, "ps1")
    marks = {student: {key: by_cell[key] for key in ("ps1-two-paths-test", "ps1-depth-test", "ps1-differences-test")}
             for student, by_cell in found.items()}
    assert marks.pop("forged") == marks.pop("unreadable") == dict.fromkeys(marks["loop"], 0)
    assert marks.pop("killer") == marks["loop"]  # it meets no process but its own
    # One item is lost, since f has met more than one changed entry; the warning costs nothing.
    assert marks.pop("warns") == {"ps1-two-paths-test": 6, "ps1-depth-test": 6, "ps1-differences-test": 3}
    picture, = (c for c in read(course / "autograded" / "picture" / "ps1" / "ps1.ipynb").cells if grade_id(c) == "ps1-missing-factor")
    assert picture.attachments == {"a.png": {"image/png": "iVBORw0KGgo="}}
    assert marks == {student: {"ps1-two-paths-test": points, "ps1-depth-test": 6, "ps1-differences-test": 4}
                     for student, (_, points, _) in HOSTILE.items()}
    for student, (_, _, words) in HOSTILE.items():
        assert words in feedback_of(course, student, "ps1"), student
    # A public check that fails takes nothing away, and its words are shown.
    assert "w1: expected 0.5625, got 0.1875" in feedback_of(course, "tampered", "ps1")
    shown = (course / "autograded" / "unreadable" / "ps1" / "ps1.ipynb").read_text()
    assert "could not be read as a notebook" in shown


WHERE = """
import os
from pathlib import Path
from ipykernel import get_connection_info
own = get_connection_info(unpack=True)
folder = Path(own["ip"]).parent
print(own["transport"], oct(folder.stat().st_mode & 0o777), *sorted(path.name for path in folder.glob("*ipc*")), folder, sep="|")
"""


@pytest.mark.parametrize("temporary", ["usual", "with a long name"])
def test_nobody_else_can_listen_to_the_tests_kernel(tmp_path, monkeypatch, temporary):
    monkeypatch.chdir(tmp_path)
    if temporary != "usual":
        (tmp_path / (folder := "x" * 100)).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / folder))
    teachers = new_code_cell(WHERE)
    teachers.metadata["nbgrader"] = {"grade_id": "where", "grade": False, "solution": False, "locked": True, "schema_version": 3}
    step = ExecuteApart(isolation=False, config=Config({"ConnectionFileMixin": {"transport": "tcp"}}))
    nb, _ = step.preprocess(new_notebook(cells=[teachers]), {})
    transport, mode, *sockets, folder = nb.cells[0].outputs[0].text.strip().split("|")
    assert (transport, mode) == ("ipc", "0o700") and len(sockets) == 5
    assert not os.path.exists(folder)


def test_where_there_can_be_no_sockets_it_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def bind(*_):
        raise OSError("Operation not supported")

    monkeypatch.setattr(nbgrader_cells, "socket", SimpleNamespace(
        AF_UNIX=0, socket=lambda _: contextlib.nullcontext(SimpleNamespace(bind=bind))))
    with pytest.raises(RuntimeError, match="Nothing was graded. The tests' kernel talks over sockets, and in .* Operation not supported"):
        ExecuteApart(isolation=False).preprocess(new_notebook(cells=[new_code_cell("1")]), {})


def test_a_kill_loses_nothing_and_nothing_is_graded_twice(course):
    for number in range(6):
        hand_in(course, f"student-{number}", "ps1", source("ps1"))
    done = lambda: {path: path.stat().st_mtime_ns for path in course.glob("autograded/student-*/ps1/ps1.ipynb")  # noqa: E731
                    if not path.stat().st_mode & 0o222}
    work = grading(course, "ps1", "--jobs", "2")
    while len(done()) < 2:
        assert work.poll() is None
        time.sleep(0.05)
    work.kill()  # this process alone: its workers must end by themselves
    work.communicate()
    time.sleep(2)
    before = done()
    assert 2 <= len(before) < 6
    work = grading(course, "ps1", "--jobs", "2")
    said, _ = work.communicate(timeout=300)
    assert work.returncode == 0 and f"{6 - len(before)} to grade" in said
    after = done()
    assert len(after) == 6 and {path: after[path] for path in before} == before
    marks = scores(course, "ps1")
    assert all(marks[f"student-{number}"]["ps1-depth-test"] == 6 for number in range(6))
    (course / "autograded" / "student-0" / "ps1" / "ps1.ipynb").chmod(0o644)  # as a kill leaves it
    work = grading(course, "ps1", "--jobs", "1")
    assert "1 to grade" in work.communicate(timeout=60)[0] and work.returncode == 0
    work = grading(course, "ps1")
    assert "0 to grade" in work.communicate(timeout=60)[0]
    notebook = course / "submitted" / "student-0" / "ps1" / "ps1.ipynb"
    notebook.write_text(notebook.read_text() + "\n")  # as if it had been replaced while its grading went on
    (course / "autograded" / "student-0" / "ps1" / "ps1.ipynb").chmod(0o444)
    work = grading(course, "ps1")
    assert "1 to grade" in work.communicate(timeout=60)[0]


def test_handed_in_anew_it_is_graded_anew_and_the_same_seed_gives_the_same_inputs(course):
    hand_in(course, "tampered", "ps1", tampered())
    seen = []
    for _ in range(2):
        handed_in = course / "submitted" / "tampered" / "ps1" / "ps1.ipynb"
        handed_in.write_text(handed_in.read_text())
        work = grading(course, "ps1")
        assert "1 to grade" in work.communicate(timeout=300)[0] and work.returncode == 0
        seen.append(feedback_of(course, "tampered", "ps1"))
    assert seen[0] == seen[1] and "expected" in seen[0]
    command(course, "-m", "nbgrader", "generate_feedback", "ps1", "--student", "tampered")
    page = (course / "feedback" / "tampered" / "ps1" / "ps1.html").read_text()
    assert "expected" in page and SEED in page
    command(course, "-m", "nbgrader", "export")
    assert "ps1,,,tampered," in (course / "grades.csv").read_text()


def test_a_notebook_with_another_name_and_a_time_that_is_none_are_named(course):
    hand_in(course, "other-name", "ps1", source("ps1"))
    folder = course / "submitted" / "other-name" / "ps1"
    (folder / "ps1.ipynb").rename(folder / "Problem set 1.ipynb")
    hand_in(course, "no-time", "ps1", source("ps1"))
    (course / "submitted/no-time/ps1/timestamp.txt").write_text("on time")
    hand_in(course, "folder", "ps1", source("ps1"))
    (course / "submitted/folder/ps1/ps1.ipynb").unlink()
    (course / "submitted/folder/ps1/ps1.ipynb").mkdir()
    work = grading(course, "ps1")
    said, _ = work.communicate(timeout=60)
    assert "folder: not graded, no ps1.ipynb in submitted/folder/ps1" in said
    assert work.returncode == 1 and "other-name: not graded, no ps1.ipynb in submitted/other-name/ps1" in said
    assert "no-time: not graded, no time can be read in submitted/no-time/ps1/timestamp.txt, got 'on time'" in said


PHOTO = f"data:image/jpeg;base64,{'A' * 2_100_000}"
PROSE = "The slope of the first hidden layer was forgotten in it."
WRAPPED = "# The slope of the\n# first hidden layer\n# was forgotten in it."


def with_photo():
    nb = source("ps1")
    cell(nb, "ps1-missing-factor").source = f"Before it.\n\n![on paper]({PHOTO})\n\nAfter it."
    return nb


def with_outputs():
    nb = source("ps1")
    nb.metadata["widgets"] = {"state": [[0] * 1_000] * 1_200}
    nb.cells.append(new_code_cell("1", outputs=[new_output("display_data", {"application/json": {"[x\\\"": [[0] * 1_000] * 1_200}})]))
    return nb


def nested():
    return nbformat.writes(source("ps1")).replace('"nbformat":', f'"deep": {"[" * 100_000}{"]" * 100_000}, "nbformat":')


def test_pictures_and_outputs_cost_no_points_and_what_can_not_be_read_waits(course):
    hand_in(course, "photo", "ps1", with_photo())
    hand_in(course, "outputs", "ps1", with_outputs())
    hand_in(course, "nested", "ps1", nested())
    hand_in(course, "many", "ps1", nbformat.writes(new_notebook(cells=[new_markdown_cell() for _ in range(2_001)])))
    work = grading(course, "ps1")
    said, _ = work.communicate(timeout=300)
    assert work.returncode == 1 and said.count("no points, look at it") == 2
    for student in ("nested", "many"):
        assert f"{student}: no points, look at it: The file could not be read as a notebook: " in said
    again, _ = (work := grading(course, "ps1")).communicate(timeout=60)
    assert work.returncode == 1 and "0 to grade" in again and again.count("no points, look at it") == 2
    found, full = scores(course, "ps1"), points_of(source("ps1"))
    for student in ("photo", "outputs"):
        assert {key: found[student][key] for key in full} == full, student
    shown = cell(read(course / "autograded/photo/ps1/ps1.ipynb"), "ps1-missing-factor").source
    assert f"Before it.\n\n![on paper]({PHOTO})\n\nAfter it." in shown
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student in ("nested", "many"):
            assert gradebook.find_grade("ps1-missing-factor", "ps1", "ps1", student).needs_manual_grade
            path = course / "autograded" / student / "ps1" / "ps1.ipynb"
            assert cell(read(path), "ps1-missing-factor").source == nbgrader_cells.WAITS
            assert nbgrader_cells.lost(path).startswith("The file could not be read as a notebook: ")
    assert nbgrader_cells.lost(course / "autograded/photo/ps1/ps1.ipynb") is None


json_values = st.recursive(st.text('[]{}"\\\\x') | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
    st.sampled_from(["outputs", "widgets", "source", '"outputs": [']), inner, max_size=3), max_leaves=20)


@given(json_values)
def test_what_was_put_out_is_not_counted(value):
    def rid(value):
        if isinstance(value, dict):
            return {key: type(each)() if key in ("outputs", "widgets") and isinstance(each, (dict, list)) else rid(each) for key, each in value.items()}
        return [rid(each) for each in value] if isinstance(value, list) else value

    for indent in (None, 1):
        assert json.loads(nbgrader_cells.without_outputs(json.dumps(value, indent=indent))) == rid(value)


def test_what_was_put_out_has_an_end(monkeypatch):
    assert nbgrader_cells.without_outputs('{"outputs": [[') == '{"outputs": [['
    monkeypatch.setattr(nbgrader_cells, "BRACKETS", 9)
    with pytest.raises(ValueError, match="too large"):
        nbgrader_cells.without_outputs('{"outputs": [[[[[[[[[[')


def test_pictures_too_large_become_a_sentence(monkeypatch):
    monkeypatch.setattr(nbgrader_cells, "IN_TEXTS", 3_000_000)
    handed_in = nbformat.writes(new_notebook(cells=[new_markdown_cell(f"First. ![a]({PHOTO}) Second. ![b]({PHOTO}) Third.")]))
    text = nbformat.reads(nbgrader_cells.ReadAnything().from_file(io.StringIO(handed_in))[0], as_version=4).cells[0].source
    assert text.startswith(f"First. ![a]({PHOTO}) Second. ![b]((a picture of 2 MB was here, ") and text.endswith("handed in)) Third.")


# Where the words of an answer stand, and the parts of them that the teacher sees; None: nothing.
HIDDEN = {
    "comments below code": (lambda: new_code_cell(f"x = f(3)\n# 4. {PROSE[:28]}\n# {PROSE[28:]}\n"), [f"# 4. {PROSE[:28]}\n# {PROSE[28:]}"]),
    "a comment beside code": (lambda: new_code_cell(f"x = f(3)  # {PROSE}\n"), [f"# {PROSE}"]),
    "a string": (lambda: new_code_cell(f'answer = """\n{PROSE}\n"""'), [PROSE]),
    "a comment in a solution": (lambda: solution(f"def f():\n    # {PROSE}\n    return 3"), [f"# {PROSE}"]),
    "words in a solution, which is no Python": (lambda: solution(f"def f():\n    return 3\n{PROSE}"), [PROSE]),
    "much prose in a string": (lambda: new_code_cell('x = """\n' + f"{PROSE}\n" * 1_000 + '"""\ny = 1'), [PROSE]),
    "much prose in comments": (lambda: solution(f"# {PROSE}\n" * 1_000 + "y = 1"), [f"# {PROSE}"]),
    "a raw cell with a picture": (lambda: new_raw_cell(PROSE, attachments={"a b.png": {"image/png": "AAAA"}}),
                                  [f"```\n{PROSE}\n```\n\n![](<attachment:cell-1-picture-1>)"]),
    "a picture that its text does not show": (lambda: new_markdown_cell(PROSE, attachments={"a": {"image/png": "AAAA"}}),
                                              [PROSE, "![](<attachment:cell-1-picture-1>)"]),
    "a photo in a text": (lambda: new_markdown_cell(f"First. ![a]({PHOTO}) {PROSE}"), [f"First. ![a]({PHOTO}) {PROSE}"]),
    "a docstring of one's own function": (lambda: new_code_cell(f'def g(x):\n    """{PROSE}"""\n    return x'), [PROSE]),
    "a docstring of the solution": (lambda: solution(f'def f():\n    """{PROSE}"""\n    return 3'), [PROSE]),
    "a docstring of a class": (lambda: new_code_cell(f'class G:\n    """{PROSE}"""\n    x = 3'), [PROSE]),
    "a docstring of the release, with more": (lambda: solution(f'def f():\n    """Three, as a\n    number.\n\n    {PROSE}\n    """\n    return 3'), [PROSE]),
    "a message": (lambda: solution(f'def f():\n    assert f, "{PROSE}"\n    return 3'), [PROSE]),
    "an error": (lambda: solution(f'def f():\n    raise ValueError("{PROSE}")'), [PROSE]),
    "a solution as Markdown": (lambda: solution(PROSE, new_markdown_cell), [PROSE]),
    "a few words in a solution as Markdown": (lambda: solution("A chunks 4, B the total, C 2", new_markdown_cell), ["A chunks 4"]),
    "a solution as raw text": (lambda: solution(PROSE, new_raw_cell), [PROSE]),
    "comments of a solution as raw text": (lambda: solution(f"def f():\n    # {PROSE}\n    return 3", new_raw_cell), [PROSE]),
    "a picture in a solution as Markdown": (lambda: solution("See:", new_markdown_cell, attachments={"a": {"image/png": "AAAA"}}), ["![](<attachment:"]),
    "short lines": (lambda: solution(f"x = 1\n{WRAPPED}"), [WRAPPED]),
    "short lines and a command": (lambda: solution(f"!pip install numpy\n{WRAPPED}\ny = !ls\nx = 3"), [WRAPPED]),
    "short lines and a slip": (lambda: solution(f"def f(:\n{WRAPPED}"), [WRAPPED]),
    "short lines and much code": (lambda: new_code_cell(f"{WRAPPED}\n" + "x = f(3)\n" * 3_000), [WRAPPED]),
    "short lines that are no comment": (lambda: solution("def f():\n    return 3\n" + WRAPPED.replace("# ", "")), WRAPPED.replace("# ", "").split("\n")),
    "two strings": (lambda: new_code_cell(f'x = "{PROSE[:28]}" + "{PROSE[28:]}"'), [PROSE[:28], PROSE[28:]]),
    "short strings": (lambda: new_code_cell("x = {1: 'the slope is', 2: 'missing, so that', 3: 'all was too large'}"), ["'missing, so that'"]),
    "short comments apart": (lambda: solution("x = 1  # the slope is\n\ny = 2  # missing, so that\n\nz = 3  # all was too large"), ["# missing, so that"]),
    "within a string": (lambda: new_code_cell(f"x = 1\nprint(f'{{\"{PROSE}\"}}')"), [PROSE]),
    "a command": (lambda: solution(f"!echo {PROSE}\nx = 1"), [PROSE]),
    "Japanese": (lambda: new_code_cell("x = 3  # 傾きが抜けている。"), ["# 傾きが抜けている。"]),
    "names and a few words": (lambda: solution("def f(p):\n    # forward, then backward\n    return {k: p[k] for k in ('dc', 'delta', 'dh_before', 'dW', 'db', 'e', 'f')}"), None),
    "the release's docstring, elsewhere": (lambda: new_code_cell('def g():\n    """Three, as a number, which is to be returned from here."""\n    return 4'), None),
    "a solution as raw code": (lambda: solution("def f(x):\n    for a in x:\n        a = g(a) + h(a) * x\n    return a", new_raw_cell), None),
    "code with a slip": (lambda: solution("from numpy import tanh, dot\nfor x in range(10):\n    y = dot(x, W) + b\nif x not in y: pass\ndef f(:\n    x = ["), None),
    "the solution's comment": (lambda: new_code_cell("def g():\n    return 3  # counted from zero, as the entries of the arrays are"), None),
    "short comments and much code": (lambda: solution("# a net\n" + "x = f(3)  # once more\n" * 2_000), None),
    "a short comment": (lambda: new_code_cell("x = f(3)\n# vanishes"), ["# vanishes"]),
    "a list of words": (lambda: new_code_cell("print(*['slope', 'is', 'missing'])"), ["'missing'"]),
    "bytes": (lambda: new_code_cell("print(b'the slope is missing')"), ["b'the slope is missing'"]),
    "Thai": (lambda: new_code_cell("print('ความชันหายไป')"), ["ความชันหายไป"]),
    "a word for the system": (lambda: new_code_cell("!echo tanh slopes"), ["!echo tanh slopes"]),
    "a cell in another language": (lambda: new_code_cell("%%latex\nslope"), ["%%latex\nslope"]),
    "code that says nothing": (lambda: new_code_cell("%matplotlib inline\n!pip install numpy\ny = g(3)\nprint(y)"), None),
    "the release's own": (lambda: solution("def f():\n    # what is to be done here, said in several words\n    return 3"), None),
}


def solution(code, make=new_code_cell, **more):
    return make(code, metadata={"nbgrader": {"grade_id": "f"}}, **more)


@pytest.mark.parametrize("place", HIDDEN)
def test_an_answer_that_stands_elsewhere_is_quoted(place):
    make, shown = HIDDEN[place]
    left, test = (new_markdown_cell("?", metadata={"nbgrader": {"grade_id": name}}) for name in ("a", "test"))
    released = {"f": {"def f():\n    # what is to be done here, said in several words\n"}, "test": {"?"}, "a": {"?"}}
    given = 'def h():\n    """Three, as a number, which is to be returned from here."""'
    model = "def f():\n    return 3  # counted from zero, as the entries of the arrays are"
    quotes = Submission([make(), test, left], released, [given], {"f", "a"}, [model]).quotes(["a"])["a"]
    text, attachments = answer("?", {}, quotes)
    assert bool(quotes) == (shown is not None) and all(words in text for words in shown or [])
    assert all(f"attachment:{name}" in text for name in attachments)


def test_thousands_of_strings_are_quoted_at_once():
    begin = time.perf_counter()
    code = "x = [" + "'ä b', " * 2_500 + "]\r\ny = '''so\r\n it was'''"
    quotes = Submission([new_code_cell(code), new_markdown_cell("?", metadata={"nbgrader": {"grade_id": "a"}})], {"a": {"?"}}, [], {"a"}).quotes(["a"])
    assert "'ä b'" in quotes["a"][0].text and time.perf_counter() - begin < 3


@pytest.mark.parametrize("name", SETS)
def test_code_without_an_answer_does_not_look_like_one(name):
    """Neither our solutions nor the wrong ones say anything that is not theirs to say."""
    solved, release = source(name), read(COURSE / "release" / name / f"{name}.ipynb")
    known = {grade_id(c): c for c in release.cells if grade_id(c)}
    to_fill_in = {key for key, c in known.items() if c.metadata.nbgrader.solution}
    answers = [key for key in to_fill_in if known[key].metadata.nbgrader.grade]
    models = {key: cell(solved, key).source for key in to_fill_in - set(answers)}
    for title, (cells, _) in [("right", ({}, {})), *wrong_answers(name).items()]:
        handed_in = json.loads(json.dumps(release.cells))
        handed_in = [nbformat.from_dict(c) for c in handed_in]
        for c in handed_in:
            c.source = (models | cells).get(grade_id(c), c.source)
        teachers = [c.source for c in release.cells if not grade_id(c)]
        submission = Submission(handed_in, {key: {c.source} for key, c in known.items()}, teachers, to_fill_in, list(models.values()))
        assert submission.quotes(answers) == {key: [] for key in answers}, title


def test_outside_a_course_the_command_says_where_to_go(tmp_path):
    work = grading(tmp_path, "ps1")
    said, _ = work.communicate(timeout=60)
    assert work.returncode == 2 and "no nbgrader_config.py" in said
