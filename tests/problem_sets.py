"""The problem sets: their notebooks, wrong answers to them, and what nbgrader makes of a submission."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

import chapters
from grading.sandbox import Sandbox

COURSE = chapters.BOOK / "assignments"
SETS = sorted(path.name for path in (COURSE / "source").iterdir())


def read(path: Path):
    return nbformat.read(path, as_version=4)


def source(name: str):
    return read(COURSE / "source" / name / f"{name}.ipynb")


def grade_id(cell) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def cell(nb, name: str):
    found, = (cell for cell in nb.cells if grade_id(cell) == name)
    return found


def points_of(nb) -> dict[str, float]:
    """The points of the cells with hidden tests."""
    cells = (cell.metadata.get("nbgrader", {}) for cell in nb.cells if cell.cell_type == "code")
    return {own["grade_id"]: own["points"] for own in cells if own.get("points")}


def edited(code: str, edits: dict[str, str]) -> str:
    """The code with each old text, which must be there once, in the place of a new one."""
    for old, new in edits.items():
        if code.count(old) != 1:
            raise ValueError(f"edits: found {old!r} {code.count(old)} times, want once, in\n{code}")
        code = code.replace(old, new)
    return code


def wrong_answers(name: str, kind: str = "WRONG") -> dict[str, tuple[dict[str, str], dict[str, float]]]:
    """By title: the cells, and the marks of the tests that don't get full marks; what a fair teacher would give.

    submissions/{name}.py has them under `kind`, WRONG or IGNORES, and says for each cell what is wrong in it:
    {old: new, ...}, edits of its solution; None, it was left as it is released; or a text, if the answer is another program.
    """
    solution, release = source(name), read(COURSE / "release" / name / f"{name}.ipynb")

    def text(key, wrong):
        if wrong is None:
            return cell(release, key).source
        return wrong if isinstance(wrong, str) else edited(cell(solution, key).source, wrong)

    return {title: ({key: text(key, wrong) for key, wrong in cells.items()}, marks)
            for title, (cells, marks) in getattr(importlib.import_module(f"submissions.{name}"), kind).items()}


WORTHLESS = {
    "zeros": "_like(right, lambda a: 0 * a)",
    "ones": "_like(right, lambda a: 0 * a + 1)",
    "random numbers": "_like(right, lambda a: np.random.default_rng().standard_normal(a.shape))",
    "the same numbers at every call": "_like(right, lambda a: np.random.default_rng(1).standard_normal(a.shape))",
    "what the public check wants": "_first.setdefault(NAME, right)",
    "an argument, handed back": "_like(right, lambda a: next((each for each in _arrays([args, options]) if each.shape == a.shape), 0 * a))",
    "nothing": "None",
}
_WORTHLESS_TOOLS = """
_first = globals().get("_first", {})


def _like(value, change):
    if isinstance(value, dict):
        return {key: _like(each, change) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_like(each, change) for each in value)
    return "vanishes" if isinstance(value, str) else change(np.asarray(value, float))


def _arrays(value):
    if isinstance(value, (dict, list, tuple)):
        return [array for each in (value.values() if isinstance(value, dict) else value) for array in _arrays(each)]
    return [] if callable(value) else [np.asarray(value)]
"""


def worthless(code: str, kind: str) -> str:
    """A solution's functions, each of which returns something of the right form that proves nothing: see WORTHLESS."""
    wraps = [f"_{name} = {name}\n\n\ndef {name}(*args, **options):\n    right = _{name}(*args, **options)\n"
             f"    return {WORTHLESS[kind].replace('NAME', repr(name))}\n" for name in re.findall(r"^def (\w+)", code, re.MULTILINE)]
    return "\n\n".join([_WORTHLESS_TOOLS, code, *wraps])


def teachers_lines(name: str) -> set[str]:
    """Lines that only a solution, a hidden test or a model answer has."""
    nb = source(name)
    kept = "\n".join(c.source for c in read(COURSE / "release" / name / f"{name}.ipynb").cells)
    lines = {line.strip() for c in nb.cells if c.metadata.get("nbgrader", {}).get("solution") or c.metadata.get("nbgrader", {}).get("grade")
             for line in c.source.splitlines()}
    return {line for line in lines if len(line) > 12 and line not in kept and not line.startswith("###")}


def earned(name: str, cells: dict[str, str], only: str | None = None) -> dict[str, float]:
    """The points that the hidden tests, or the one named `only`, give to the solution with other `cells`.

    As `grading.nbgrader_cells.ExecuteApart`: the tests here, the student's code in a process apart; but no kernel.
    """
    space, found = {}, {}
    sandbox = Sandbox(space)
    for c in source(name).cells:
        own, label = c.metadata.get("nbgrader", {}), f"<{grade_id(c)}>"
        if c.cell_type != "code":
            continue
        with contextlib.suppress(Exception), contextlib.redirect_stdout(io.StringIO()):  # whatever a cell raises, the next one runs
            if not own or own["solution"]:
                sandbox.run(cells.get(grade_id(c), c.source), label)
                continue
            if own.get("points") and only not in (None, grade_id(c)):
                continue
            if not own.get("points"):
                sandbox.give(c.source, label, own["grade"])
            exec(c.source, space)
            if own.get("points"):
                found[grade_id(c)] = space["marks"].score()
    sandbox.close()
    return found


def hand_in(course: Path, student: str, name: str, nb) -> None:
    folder = course / "submitted" / student / name
    folder.mkdir(parents=True)
    if isinstance(nb, str):
        (folder / f"{name}.ipynb").write_text(nb)
    else:
        nbformat.write(nb, folder / f"{name}.ipynb")


def scores(course: Path, name: str) -> dict[str, dict[str, float]]:
    """By student and cell: the points that the tests gave."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {submission.student.id: {
            grade.name: grade.auto_score for notebook in submission.notebooks for grade in notebook.grades
        } for submission in gradebook.assignment_submissions(name)}
