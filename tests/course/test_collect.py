"""What is handed in reaches the teacher: archives of learning platforms, and answers wherever they stand in a notebook."""

from __future__ import annotations

import copy
import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from nbgrader.api import Gradebook

from grading.answers import Submission, has_code
from problem_sets import COURSE, cell, grade_id, hand_in, read, source

# nbgrader with our settings; but nothing is executed.
NBGRADER = """
import sys
from nbgrader.apps import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
from nbgrader.converters import Autograde
app = NbGrader()
app.load_config_file()
app.config.Autograde.autograde_preprocessors = ["nbgrader.preprocessors.SaveAutoGrades"]
api = NbGraderAPI(config=app.config)
if sys.argv[1] == "generate":
    for name in sys.argv[2:]:
        assert api.generate_assignment(name)["success"], name
else:
    result = api.autograde("ps1", "*")
    assert result["success"], result
"""


def command(course: Path, *arguments: str, status: int = 0) -> str:
    """What it says."""
    done = subprocess.run([sys.executable, *arguments], cwd=course, capture_output=True, text=True, env=os.environ | {"TZ": "UTC"})
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A course with two problem sets, generated, and nothing handed in; not to be changed."""
    folder = tmp_path_factory.mktemp("course")
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    for name in ("ps1", "ps2"):
        shutil.copytree(COURSE / "source" / name, folder / "source" / name)
    command(folder, "-c", NBGRADER, "generate", "ps1", "ps2")
    return folder


@pytest.fixture
def course(generated, tmp_path):
    """A course of one's own."""
    return shutil.copytree(generated, tmp_path / "course")


def release(name: str = "ps1"):
    return read(COURSE / "release" / name / f"{name}.ipynb")


# --- answers that stand elsewhere

ANSWER, WORDS = "ps1-missing-factor", "The slope of the first hidden layer was forgotten."
PICTURE = {"image.png": {"image/png": "iVBORw0KGgo="}}


def place(nb, key: str) -> int:
    return nb.cells.index(cell(nb, key))


def insert(new, key=ANSWER, after=1):
    """The release, and a cell after that one (before it: 0)."""
    nb = release()
    nb.cells.insert(place(nb, key) + after, new)
    return nb


def typed_into(text, words, kind=None):
    """The release, with words at the end of the cell that contains this text."""
    nb = release()
    found, = (c for c in nb.cells if text in c.source)
    found.source += f"\n\n{words}"
    if kind:
        found.cell_type = kind
        del found["outputs"], found["execution_count"]
    return nb


def copied(first, *others, key=ANSWER):
    """Copies of a cell, of which the first stands in its place and the others at the end."""
    nb = release()
    original = cell(nb, key)
    original.source = first
    nb.cells += [nbformat.from_dict({**copy.deepcopy(original), "source": text, "id": f"copy-{number}"}) for number, text in enumerate(others)]
    return nb


def changed(key=ANSWER, **what):
    nb = release()
    cell(nb, key).update(what)
    return nb


def deleted(*keys):
    nb = release()
    nb.cells = [c for c in nb.cells if grade_id(c) not in keys]
    return nb


def without_metadata():
    nb = insert(new_markdown_cell(WORDS))
    for c in nb.cells:
        c.metadata = nbformat.NotebookNode()
    return nb


KEPT = release().cells[place(release(), ANSWER)].source
QUESTION = "## 4. Which factor is missing?"
# Handed in, and what the teacher sees in the answer cell; None: nothing is there to be graded.
ELSEWHERE = {
    "below": (lambda: insert(new_markdown_cell(WORDS)), WORDS),
    "above": (lambda: insert(new_markdown_cell(WORDS), after=0), WORDS),
    "raw": (lambda: insert(new_raw_cell(f"``` {WORDS}")), f"````\n``` {WORDS}\n````"),
    "as-code": (lambda: insert(new_code_cell(WORDS)), f"```\n{WORDS}\n```"),
    "as-a-comment": (lambda: insert(new_code_cell(f"# {WORDS}")), f"# {WORDS}"),
    "printed": (lambda: insert(new_code_cell(f"print('{WORDS}')")), WORDS),
    "at-the-end": (lambda: insert(new_markdown_cell(WORDS), after=2), WORDS),
    "at-the-top": (lambda: insert(new_markdown_cell(WORDS), "ps1-imports", 0), WORDS),
    "far-away": (lambda: insert(new_markdown_cell(f"$$\n1\n$$\n{WORDS}"), "ps1-two-paths"), f"*Written in a cell after `ps1-two-paths`:*\n\n$$\n1\n$$\n{WORDS}"),
    "in-the-question": (lambda: typed_into(QUESTION, WORDS), WORDS),
    "in-a-test": (lambda: typed_into("# Hidden tests, one point each: a vector", f"# {WORDS}"), f"# {WORDS}"),
    "in-a-test-as-text": (lambda: typed_into("# Hidden tests, one point each: a vector", WORDS, "markdown"), WORDS),
    "in-a-given-cell": (lambda: typed_into("def cubes(v):", f"# {WORDS}"), f"*Written in the cell `ps1-differences-check`:*\n\n```\n# {WORDS}\n```"),
    "second-copy": (lambda: copied(KEPT, WORDS), WORDS),
    "first-copy": (lambda: copied(WORDS, KEPT), WORDS),
    "both-copies": (lambda: copied("This.", WORDS), f"This.\n\n*Written in another copy of this cell:*\n\n{WORDS}"),
    "turned-to-code": (lambda: changed(cell_type="code", source=WORDS, outputs=[], execution_count=None), WORDS),
    "turned-to-raw": (lambda: changed(cell_type="raw", source=WORDS), WORDS),
    "added-to": (lambda: changed(source=f"{KEPT}\n\n{WORDS}"), WORDS),
    "picture": (lambda: changed(attachments=PICTURE), "![](<attachment:image.png>)"),
    "picture-below": (lambda: insert(new_markdown_cell("![](attachment:image.png)", attachments=PICTURE)), "![](attachment:cell-1-picture-1)"),
    "emptied": (lambda: copied(" \n", WORDS), WORDS),
    "no-metadata": (without_metadata, WORDS),
    "deleted": (lambda: deleted(ANSWER), "This cell was missing."),
    "plain": (release, None),
    "nothing-but-code": (lambda: insert(new_code_cell("# a net\nprint(1)"), "ps1-depth"), None),
    "only-emptied": (lambda: changed(source="\n"), None),
    "copied-alone": (lambda: copied(KEPT, KEPT), None),
}


def test_an_answer_comes_before_the_teacher_wherever_it_stands(course):
    for student, (make, _) in ELSEWHERE.items():
        hand_in(course, student, "ps1", make())
    empty, worked = cell(release(), "ps1-two-paths").source, "def by_hand(*a):\n    return {}"
    hand_in(course, "code-second", "ps1", copied(empty, worked, key="ps1-two-paths"))
    hand_in(course, "code-both", "ps1", copied(worked, empty, worked + "  # 2", key="ps1-two-paths"))
    command(course, "-c", NBGRADER, "autograde")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        waits = {student: gradebook.find_grade(ANSWER, "ps1", "ps1", student).needs_manual_grade for student in ELSEWHERE}
        assert waits == {student: shown is not None for student, (_, shown) in ELSEWHERE.items()}
    for student, (_, shown) in ELSEWHERE.items():
        graded = cell(read(course / "autograded" / student / "ps1" / "ps1.ipynb"), ANSWER)
        assert (shown or KEPT) in graded.source, student
        assert graded.cell_type == "markdown" and (shown is not None or graded.source == KEPT)
        for name in graded.get("attachments", {}):
            assert f"attachment:{name}" in graded.source
    for student, texts in (("code-second", [worked]), ("code-both", [worked, worked + "  # 2"])):
        nb = read(course / "autograded" / student / "ps1" / "ps1.ipynb")
        assert [c.source for c in nb.cells if "def by_hand" in c.source] == texts and cell(nb, "ps1-two-paths").source == worked

    shown_to = ["picture", "picture-below", "plain", "printed"]
    said = command(course, "-m", "nbgrader", "generate_feedback", "ps1", "--log-level=WARN", "--student=p*")
    table = command(course, "-m", "nbgrader", "export", "--log-level=WARN")
    rows = {row["student_id"]: row for row in csv.DictReader((course / "grades.csv").open()) if row["assignment"] == "ps1"}
    for student, (_, shown) in ELSEWHERE.items():
        warned = shown is not None
        assert (f"ps1, {student}: {ANSWER} waits to be graded by hand" in table) == warned
        assert rows[student]["ungraded"] == (ANSWER if warned else "")
    pages = {path.parent.parent.name: path.read_text() for path in (course / "feedback").glob("*/ps1/ps1.html")}
    assert sorted(pages) == shown_to
    for student, page in pages.items():
        warned = ELSEWHERE[student][1] is not None
        assert said.count(f"{student}: {ANSWER} waits to be graded by hand") == warned
        assert page.count("This answer waits to be graded.") == warned


def test_with_several_answers_each_gets_the_words_that_stand_by_it():
    def known(name, text="?"):
        return new_markdown_cell(text, metadata={"nbgrader": {"grade_id": name}})

    cells = [new_markdown_cell("to a"), new_markdown_cell("A question"), known("a"), new_markdown_cell("to a as well"),
             new_markdown_cell("B question"), new_markdown_cell("to b"), known("locked", "x = 1"), known("b"), known("c", "written"),
             new_markdown_cell("D question"), new_markdown_cell("to b in the end")]
    released = {"a": "?", "locked": "x = 1", "b": "?", "c": "?"}
    submission = Submission(cells, released, {"a", "b", "c"}, ["A question", "B question", "D question"])
    found = submission.quotes(["a", "b", "c"])
    assert {name: [part.text for part in parts] for name, parts in found.items()} == {
        "a": ["to a", "to a as well"], "b": ["to b", "to b in the end"], "c": []}


@pytest.mark.parametrize("code, does", [
    ("# a\n\n# b", False), ("'a'", False), ("The slope", False), ("", False), ("%matplotlib inline", True), ("x = 1", True), ("!ls", True),
    ("    x = 1", True), ("\0", False), ("(" * 500, False),
])
def test_words_and_code(code, does):
    assert has_code(code) == does


@given(st.text())
def test_whatever_stands_in_a_cell_it_is_words_or_code(text):
    assert has_code(text) in (True, False)
