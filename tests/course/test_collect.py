"""What is handed in reaches the teacher: archives of learning platforms, and answers wherever they stand in a notebook."""

from __future__ import annotations

import bz2
import copy
import csv
import functools
import gzip
import io
import itertools
import json
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import tracemalloc
import warnings
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from nbgrader.api import Gradebook

import grading.__main__
from grading import archives, collect, isolation, nbgrader_cells
from grading.answers import LONGEST, MORE, Submission, answer, has_code
from grading.collect import File, main, name_students, plain
from grading.nbgrader_cells import ReadAnything
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
    """The release, with words at the end of the cell of this name, or that contains this text."""
    nb = release()
    found, = (c for c in nb.cells if grade_id(c) == text or text in c.source)
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
    "said-far-away": (lambda: insert(new_code_cell(f"x = 1\nprint('{WORDS}', x)"), "ps1-depth"),
                         f"*Written in a cell after `ps1-depth`:*\n\n```\n'{WORDS}'\n```"),
    "said-in-a-test": (lambda: typed_into("ps1-differences-test", f"print('{WORDS}')"), f"```\n'{WORDS}'\n```"),
    "said-in-a-solution": (lambda: changed("ps1-two-paths", source=f"def by_hand(*a):\n    return {{}}\n\n\nprint(f'{WORDS} {{1}}')"),
                              f"*Written in the cell `ps1-two-paths`:*\n\n```\nf'{WORDS} {{1}}'\n```"),
    "string-in-a-solution": (lambda: typed_into("ps1-two-paths", f'"""\n{WORDS}\n"""'), f'```\n"""\n{WORDS}\n"""\n```'),
    "added-in-a-docstrings-place": (lambda: changed("ps1-two-paths", source=f'"""{WORDS}"""\ndef by_hand(*a):\n    return {{}}'), WORDS),
    "at-the-end": (lambda: insert(new_markdown_cell(WORDS), after=2), WORDS),
    "at-the-top": (lambda: insert(new_markdown_cell(WORDS), "ps1-imports", 0), WORDS),
    "far-away": (lambda: insert(new_markdown_cell(f"$$\n1\n$$\n{WORDS}"), "ps1-two-paths"),
                 f"*Written in a cell after `ps1-two-paths`:*\n\n$$\n1\n$$\n{WORDS}"),
    "in-the-question": (lambda: typed_into(QUESTION, WORDS), WORDS),
    "in-a-test": (lambda: typed_into("ps1-differences-test", f"# {WORDS}"), f"# {WORDS}"),
    "in-a-test-as-text": (lambda: typed_into("ps1-differences-test", WORDS, "markdown"), WORDS),
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
    "nothing-but-code": (lambda: insert(new_code_cell("net = 3\nprint(net)"), "ps1-depth"), None),
    "few-words-beside-code": (lambda: insert(new_code_cell("# a net\nprint(1)"), "ps1-depth"), "# a net"),
    "own-docstring-and-message": (lambda: changed("ps1-two-paths", source=f'''
def by_hand(*a):
    """{WORDS}"""
    if not a:
        raise ValueError("{WORDS}")
    assert a, "{WORDS}"
    print("loss", a, "and the slopes of it:")
    return {{}}'''), f'"""{WORDS}"""\n"{WORDS}"\n"and the slopes of it:"'),
    "short-message": (lambda: changed("ps1-two-paths", source="def by_hand(*a):\n    print('loss', a, 'and the slopes of it:')\n    return {}"), None),
    "solution-as-text": (lambda: changed("ps1-two-paths", cell_type="markdown", source=WORDS), WORDS),
    "messages-of-the-release": (lambda: typed_into("ps1-differences-test", "print(1)"), None),
    "only-emptied": (lambda: changed(source="\n"), None),
    "copied-alone": (lambda: copied(KEPT, KEPT), None),
}


def test_an_answer_comes_before_the_teacher_wherever_it_stands(course):
    for student, (make, _) in ELSEWHERE.items():
        hand_in(course, student, "ps1", make())
    empty, worked = cell(release(), "ps1-two-paths").source, "def by_hand(*a):\n    return {}"
    hand_in(course, "code-second", "ps1", copied(empty, worked, key="ps1-two-paths"))
    hand_in(course, "code-both", "ps1", copied(worked, empty, worked + "  # 2", key="ps1-two-paths"))
    nb = release()
    cell(nb, "ps1-two-paths").update(cell_type="raw", source=worked)
    del cell(nb, "ps1-two-paths")["outputs"], cell(nb, "ps1-two-paths")["execution_count"]
    hand_in(course, "code-as-text", "ps1", nb)
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
    for student, texts in (("code-second", [worked]), ("code-both", [worked, worked + "  # 2"]), ("code-as-text", [worked])):
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
    assert sorted(pages) == shown_to and "not recognized" not in said
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
    released = {"a": {"?"}, "locked": {"x = 1"}, "b": {"?"}, "c": {"?"}}
    submission = Submission(cells, released, ["A question", "B question", "D question"], {"a", "b", "c"})
    found = submission.quotes(["a", "b", "c"])
    assert {name: [part.text for part in parts] for name, parts in found.items()} == {
        "a": ["to a", "to a as well"], "b": ["to b", "to b in the end"], "c": []}


@pytest.mark.parametrize("code, does", [
    ("# a\n\n# b", False), ("'a'", False), ("The slope", False), ("", False), ("%matplotlib inline", True), ("x = 1", True),
    ("for i in a:\n    %time f(i)", True),
    ("    x = 1", True), ("\0", False), ("(" * 500, False), ("!Note: the slope?", False),
])
def test_words_and_code(code, does):
    assert has_code(code) == does


@given(st.text())
def test_whatever_stands_in_a_cell_it_is_words_or_code(text):
    assert has_code(text) in (True, False)


def test_a_very_long_cell_is_not_parsed():
    source = "x=1\n" + "a," * 4_000_000
    tracemalloc.start()
    assert has_code(source)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def handed_in_with(cells):
    """The quotes for an answer that was left, with these cells above it."""
    left = new_markdown_cell("?", metadata={"nbgrader": {"grade_id": "a"}})
    return Submission([*cells, left], {"a": {"?"}}, [], {"a"}).quotes(["a"])["a"]


def test_many_cells_take_no_square_of_time(monkeypatch):
    looked = []
    own = Submission._own
    monkeypatch.setattr(Submission, "_own", lambda *a: looked.append(1) or own(*a))
    parts = handed_in_with([new_markdown_cell(str(number)) for number in range(2_000)])
    assert [part.text for part in parts] == [str(number) for number in range(2_000)] and len(looked) <= 2 * 2_001


@pytest.mark.parametrize("cells", [[new_markdown_cell(f"first {'a' * 10**6}")], [new_markdown_cell(f"first {'a' * 1_000}")] * 500])
def test_only_so_much_is_quoted(cells):
    text, _ = answer("?", {}, handed_in_with(cells))
    assert "first a" in text and text.endswith(MORE) and len(text) < LONGEST["quoted"] + 2_000


@pytest.mark.parametrize("limit, content", [
    ("characters", " " * 9_000), ("values", "[" + "{}," * 5_000), ("cells", nbformat.writes(nbformat.v4.new_notebook(cells=[new_markdown_cell() for _ in range(40)]))),
    ("text", nbformat.writes(insert(new_markdown_cell("a" * 50_000)))),
    ("pictures", nbformat.writes(insert(new_markdown_cell("a", attachments=dict.fromkeys(map(str, range(40)), PICTURE["image.png"]))))),
])
def test_a_file_far_too_large_is_a_message(monkeypatch, limit, content):
    fine, _ = ReadAnything().from_file(io.StringIO(EMPTY))
    assert "could not be read" not in fine
    monkeypatch.setitem(nbgrader_cells.LARGEST, limit, {"characters": 8_999, "values": 5_000, "text": 50_000}.get(limit, 39))
    message, = nbformat.reads(ReadAnything().from_file(io.StringIO(content))[0], as_version=4).cells
    assert f"could not be read as a notebook: too large ({limit}: got " in message.source


def test_an_unreadable_file_waits_and_a_changed_answer_does(course):
    hand_in(course, "broken", "ps1", '{"cells": [')
    for student, code in (("changed", '"""right"""'), ("comment", "# right"), ("same", "# right")):
        nb = insert(new_code_cell(code))
        cell(nb, ANSWER).source = "See the cell below."
        hand_in(course, student, "ps1", nb)
    run = NBGRADER.replace("nbgrader.preprocessors.SaveAutoGrades", "grading.saving.SaveGrades").replace("api = ", "app.config.Autograde.force = True\napi = ")
    command(course, "-c", run, "autograde")
    students = ("changed", "comment", "same")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        broken = gradebook.find_grade(ANSWER, "ps1", "ps1", "broken")
        assert broken.needs_manual_grade and broken.score == 0
        for student in students:
            grade = gradebook.find_grade(ANSWER, "ps1", "ps1", student)
            grade.manual_score, grade.needs_manual_grade = 4, False
        gradebook.db.commit()
    graded = read(course / "autograded" / "broken" / "ps1" / "ps1.ipynb")
    assert cell(graded, ANSWER).source == nbgrader_cells.WAITS and "could not be read as a notebook" in graded.cells[0].source
    for student in ("changed", "comment"):
        path = course / "submitted" / student / "ps1" / "ps1.ipynb"
        path.write_text(path.read_text().replace("right", "WRONG"))
    command(course, "-c", run, "autograde")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        waits = {student: gradebook.find_grade(ANSWER, "ps1", "ps1", student).needs_manual_grade for student in students}
    assert waits == {"changed": True, "comment": True, "same": False}


# --- archives

def worked(words: str) -> str:
    """The release with an answer."""
    return nbformat.writes(changed(source=words))


EMPTY, SET_2 = nbformat.writes(release()), nbformat.writes(release("ps2"))
NOON = (2026, 11, 20, 12, 0, 0)


def pack(path: Path, files: dict[str, str | bytes], times: dict[str, tuple] = {}) -> Path:
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w") as archive:  # a name may come twice
        for name, content in files.items() if isinstance(files, dict) else files:
            archive.writestr(name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, times.get(name, NOON)), content)
    return path


def packed(files) -> bytes:
    content = io.BytesIO()
    pack(content, files)
    return content.getvalue()


def words_of(notebook: Path) -> str:
    """The answer; of what is no notebook, what it is."""
    try:
        return cell(read(notebook), ANSWER).source
    except (ValueError, nbformat.reader.NotJSONError):
        return notebook.read_text()


def collected(course: Path) -> dict[str, str]:
    """Student -> answer."""
    found = {path.parent.parent.name: path for path in course.glob("submitted/*/ps1/ps1.ipynb")}
    assert len(found) == len([path for path in course.glob("submitted/**/*") if path.is_file() and path.name != "timestamp.txt"])
    return {student: words_of(path) for student, path in found.items()}


@pytest.fixture
def run(course, monkeypatch, capsys):
    """Collect from archives: the exit status, and the table, place -> the rest of its row."""
    def run(*archives):
        monkeypatch.chdir(course)
        capsys.readouterr()
        status = main(["ps1", *map(str, archives)])
        lines = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"   file +student +handed in +what became of it", lines[0])
        rows = {}
        for line in lines[1:lines.index("")]:
            found = re.fullmatch(r"(.)  (.+?)(?:   *)(.*)", line)
            rows.setdefault(found[2], []).append(found[1].strip() + found[3])
        assert status == any(row.startswith("!") for each in rows.values() for row in each)
        return status, {place: each[0] if len(each) == 1 else each for place, each in rows.items()}
    return run


LONG = "Wolfeschlegelsteinhausenbergerdorff " * 4
# What is in an archive, and the students whose answer it is
FORMS = {
    "Moodle": {
        "Ann Abt_101_assignsubmission_file_/ps1.ipynb": "Ann-Abt", "Zoë Müller_102_assignsubmission_file/PS1.ipynb": "Zoe-Muller",
        "Jean-Luc d'Arc_103_assignsubmission_file_ps1.ipynb": "Jean-Luc-d-Arc",
        "Gruppe Ä-Bo Ek_104_assignsubmission_file_/a/b/ps1.ipynb": "Gruppe-A-Bo-Ek",
        "Default group_assignsubmission_file/ps1.ipynb": "Default-group",
        "Group 7_17_assignsubmission_file/homework.ipynb": "Group-7",
        "王小明_105_assignsubmission_file_/ps1.ipynb": "student-acf979cc", "[Dan]_106_assignsubmission_file/ps1 (1).ipynb": "Dan",
        "Łukasz Øst_107_assignsubmission_file_/ps1.ipynb.txt": "Lukasz-Ost",
        f"{LONG}_108_assignsubmission_file/ps1.ipynb": plain(LONG),
        "Фёдор Ann_109_assignsubmission_file/ps1.json": plain("Фёдор Ann"),
        "<img onerror=x>_110_assignsubmission_file/ps1.ipynb": "img-onerror-x"},
    "Canvas": {
        "abtann_12345_67890_ps1.ipynb": "abtann-12345", "bellbob_LATE_12346_67891_ps1-1.ipynb": "bellbob-12346",
        "anon_Ab1cD_67892_ps1.ipynb": "anon_Ab1cD",
        "LATE_anon_Xy9zQ_67893_work.ipynb": "anon_Xy9zQ", "müllerzoë_12347_67894_PS1.IPYNB": "mullerzoe-12347"},
    "folders": {"Ann Abt/ps1.ipynb": "Ann-Abt", "Bob/ps1/ps1.ipynb": "Bob", "Cem/x/y/ps1.ipynb": "Cem", "Dan\\ps1.ipynb": "Dan"},
    "one folder": {"Ann Abt/ps1.ipynb": "Ann-Abt"},
    "folders in a folder": {"class/Ann/ps1.ipynb": "Ann", "class/Bob/ps1.ipynb": "Bob"},
    "nbgrader's": {"submitted/Ann/ps1/ps1.ipynb": "Ann"},
    "flat": {"Ann Abt_ps1.ipynb": "Ann-Abt", "ps1-Bob.ipynb": "Bob", "Cem_ps1 (1).ipynb": "Cem", "Dan PS1-Copy1.ipynb": "Dan", "Eve_ps1_final.ipynb": "Eve",
             "ps1_Fay_final-v2.ipynb": "Fay", "solution_ps1_Gus.ipynb": "Gus", "Hal_Final_ps1.ipynb": "Hal", "Anna V_ps1.ipynb": "Anna-V", "12345_ps1.ipynb": "12345", "ps1_team 7_v1.2 (3).ipynb": "team-7", "ps1_Kim (2).ipynb": "Kim"},
    "nbgrader's exchange": {"ann+ps1+2026-11-20 10:00:00.123456 UTC/ps1.ipynb": "ann", "bob+b@x.org+ps1+2026-11-20 11:00:00 UTC/ps1.ipynb": "bob-b-x.org"},
    "Blackboard": {"ps1_annab_attempt_2026-11-20-10-00-00_ps1.ipynb": "annab", "Problem Set 1_bell_attempt_2026-11-20-10-00-00_work.ipynb": "bell"},
    "Brightspace": {"12-345 - Ann Abt - Nov 20, 2026 1000 AM/ps1.ipynb": "Ann-Abt", "13-345 - Bob - 20 November, 2026 22_01/x.ipynb": "Bob"},
    "folders with times": {"Ann Abt 2026-11-20 10-00-00/ps1.ipynb": "Ann-Abt", "Bob_20261120_1000/ps1.ipynb": "Bob"},
    "Moodle in a folder": {f"week 1/{name}_{at}_assignsubmission_file_/ps1.ipynb": name for at, name in enumerate(("Ann", "Bob"))},
    "flat in a folder": {"class/Ann_ps1.ipynb": "Ann", "class/Bob_ps1.ipynb": "Bob"},
}


@pytest.mark.parametrize("unpacked", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_an_archive_is_known(run, course, tmp_path, form, unpacked):
    names = FORMS[form]
    path = pack(tmp_path / "all.zip", {name: worked(name) for name in names})
    if unpacked:
        zipfile.ZipFile(path).extractall(tmp_path / "all")
        path = tmp_path / "all"
    status, rows = run(path)
    assert status == 0 and list(rows) and set(rows) == set(names)
    assert collected(course) == {student: name for name, student in names.items()}
    assert all("collected" in row for row in rows.values())
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in course.glob("submitted/*/ps1/*")}
    status, rows = run(path)
    assert status == 0 and all("collected before" in row for row in rows.values())
    assert before == {path: (path.stat().st_mtime_ns, path.stat().st_ctime_ns) for path in course.glob("submitted/*/ps1/*")}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student in gradebook.students:
            assert not re.search("[<>&\"=]", f"{student.first_name}{student.last_name}")


def test_of_several_files_the_right_one_is_taken_and_each_is_named(run, course, tmp_path):
    files = {
        "Ann/ps1.ipynb": (EMPTY, "left out: as it was given out"), "Ann/ps1-Copy1.ipynb": (worked("Ann"), "collected"),
        "Ann/report.pdf": ("x", "!not collected: not a notebook"),
        "Ann/.DS_Store": ("x", "left out: not the student's, but the computer's"),
        "Ann/.ipynb_checkpoints/ps1-checkpoint.ipynb": (worked("early"), "left out: a checkpoint"),
        "__MACOSX/Ann/._ps1.ipynb": ("x", "left out: not the student's, but the computer's"),
        "Bob/ps1.ipynb": ("", "!left out: an empty file"), "Bob/copy.ipynb": (worked("Bob"), "left out: the same as"),
        "Bob/ps1 (1).ipynb": (worked("Bob"), "collected"),
        "Cem/ps1.ipynb": ("", "!collected; an empty file"),
        "Dan/ps1.ipynb": ('{"cells": [', "!collected; can't be read as a notebook: JSONDecodeError"),
        "Eve/ps1.ipynb": (SET_2, "!not collected: it is ps2"), "Fay/ps1.ipynb": (EMPTY, "!collected; as it was given out"),
        "Gus/.ipynb_checkpoints/ps1-checkpoint.ipynb": (worked("Gus"), "!collected; a checkpoint of Jupyter's"),
        "Gus/ps1.ipynb": (EMPTY, "left out: as it was given out"),
        "Hal/ps1.py": ("x", "!not collected: not a notebook"),
        "Ida/other.ipynb": (nbformat.writes(nbformat.v4.new_notebook()), "!not collected: a notebook with no cell"),
        "Jim/ps1.ipynb": (nbformat.writes(nbformat.v4.new_notebook()), "!collected; no cell of ps1 is in it"),
        "Kim/homework.ipynb": (nbformat.writes(without_metadata()), "collected"),
        "Lea/work.zip": (packed({"x/ps1.ipynb": worked("Lea")}), "collected"),
        "Mia/old.ipynb": (worked("old"), "!left out: older than new.ipynb"), "Mia/new.ipynb": (worked("new"), "collected"),
        "Ned/a.ipynb": (worked("a"), "!left out: another than b.ipynb, and no time tells"),
        "Ned/b.ipynb": (worked("b"), "collected"),
        "Ora/": (b"", "!refused: an empty folder"), "Pam/ps1.7z": ("x", "!refused: an archive of a kind"),
        "Qin/x.zip": ("x", "!refused: an archive; can't be opened"),
        "Rex/x.zip": (packed({}), "!refused: an empty archive"),
        "ps1.ipynb": (worked("?"), "!refused: no folder and no name says whose it is"),
        "read me.txt": ("x", "!not collected: not a notebook"),
    }
    status, rows = run(pack(tmp_path / "all.zip", {name: content for name, (content, _) in files.items()}, {"Mia/old.ipynb": (2026, 11, 20, 11, 59, 0)}))
    assert status == 1
    for name, (_, fate) in files.items():
        row = rows[{"Lea/work.zip": "Lea/work.zip > x/ps1.ipynb"}.get(name, name)]
        assert row.startswith("!") == fate.startswith("!") and fate.strip("!") in row, (name, row)
    assert len(rows) == len(files)
    found = collected(course)
    assert found == {"Ann": "Ann", "Bob": "Bob", "Cem": "", "Dan": '{"cells": [', "Fay": KEPT, "Gus": "Gus", "Jim": found["Jim"], "Kim": found["Kim"], "Lea": "Lea",
                     "Mia": "new", "Ned": "b"}


def test_archives_of_several_kinds_at_once(run, course, tmp_path):
    inner = packed({"work/ps1.ipynb": worked("Ann")})
    pack(tmp_path / "1.zip", {"abtann_1_2_ps1.zip": packed({"ps1.ipynb": worked("canvas")}), "notes_3_4_ps1.pdf": "x"})
    pack(tmp_path / "2.zip", {"mails/Ann Abt_ps1.zip": inner, "mails/ps1 Bob.zip": packed({"ps1/PS1.ipynb": worked("Bob")}), "mails/Cem.zip": inner})
    with tarfile.open(tmp_path / "3.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("Dan/ps1.ipynb")
        member.size = len(worked("Dan").encode())
        tar.addfile(member, io.BytesIO(worked("Dan").encode()))
    (tmp_path / "Eve_ps1.ipynb").write_text(worked("Eve"))
    status, rows = run(*(tmp_path / name for name in ("1.zip", "2.zip", "3.tar.gz", "Eve_ps1.ipynb")))
    assert status == 1 and rows["1.zip: notes_3_4_ps1.pdf"].startswith("!") and len(rows) == 7
    assert collected(course) == {"abtann-1": "canvas", "Ann-Abt": "Ann", "Bob": "Bob", "Cem": "Ann", "Dan": "Dan", "Eve": "Eve"}


def test_nobody_hands_in_for_somebody_else(run, course, tmp_path):
    as_bob = "Bob Bell_2_assignsubmission_file_/ps1.ipynb"
    run(pack(tmp_path / "1.zip", {as_bob: worked("Bob"), "Eve Ek_3_assignsubmission_file_/x.zip": packed({as_bob: worked("Eve")})}))
    run(pack(tmp_path / "2.zip", {"ek_1_2_x.zip": packed({as_bob: worked("Eve")}), "abt_4_5_ps1.ipynb": worked("Ann")}))
    run(pack(tmp_path / "3.zip", {f"Fay/{as_bob}": worked("Fay"), "Gus/bellbob_1_2_ps1.ipynb": worked("Gus")}))
    assert collected(course) == {"Bob-Bell": "Bob", "Eve-Ek": "Eve", "ek-1": "Eve", "abt-4": "Ann", "Fay": "Fay", "Gus": "Gus"}
    status, rows = run(pack(tmp_path / "4.zip", {f"Hal/{as_bob}": worked("Hal")}))
    assert status == 1 and "since nothing else is in Hal" in rows[f"Hal/{as_bob}"]


def test_what_is_dangerous_is_refused_and_named(run, course, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST", 200_000)
    link = zipfile.ZipInfo("Ann/ps1.ipynb", NOON)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    links = io.BytesIO()
    with tarfile.open(fileobj=links, mode="w:gz") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"{kind.decode()}.ipynb")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    deep = packed({"ps1.ipynb": worked("deep")})
    for _ in range(archives.DEEPEST + 1):
        deep = packed({"in.zip": deep})
    content = bytearray(packed({"ps1.ipynb": worked("secret")}))
    content[content.index(b"PK\1\2") + 8] |= 1  # locked
    damaged = bytearray(packed({"ps1.ipynb": worked("damaged")}))
    damaged[300] ^= 255
    path = pack(tmp_path / "all.zip", [
        (link, "../../../gradebook.db"), ("../../gradebook.db", "x"), ("/etc/ps1.ipynb", worked("x")),
        ("C:\\ps1.ipynb", worked("x")), ("..\\ps1.ipynb", worked("x")),
        ("Bob/links.tar.gz", links.getvalue()), ("Cem/bomb.ipynb", " " * 10**6),
        ("Cem/bomb.zip", packed({"ps1.ipynb": " " * 10**6})),
        ("Dan/deep.zip", deep), ("Eve/locked.zip", bytes(content)),
        ("Fay/out.zip", packed({"../../../gradebook.db": "x", "../ps1.ipynb": worked("x")})),
        ("Gus/damaged.zip", bytes(damaged)), ("Hal/ps1.ipynb", worked("Hal")), ("Hal/ps1.ipynb", worked("Hal, again")),
        ("Ida\x1b[2J/ps1.ipynb", worked("Ida")),
        (" " * 60_000 + "ps1.ipynb", worked("x")),
    ])
    status, rows = run(path)
    assert status == 1 and collected(course) == {"Hal": "Hal, again", "Ida-2J": "Ida"}
    assert (course / "gradebook.db").read_bytes()[:6] == b"SQLite" and sorted(path.name for path in tmp_path.iterdir()) == ["all.zip", "course"]
    for place, words in {
        "Ann/ps1.ipynb": "links are not followed", "../../gradebook.db": "leads out", "/etc/ps1.ipynb": "leads out",
        "C:\\ps1.ipynb": "leads out", "..\\ps1.ipynb": "leads out",
        "Bob/links.tar.gz > 2.ipynb": "links are not followed", "Bob/links.tar.gz > 1.ipynb": "links are not followed",
        "Bob/links.tar.gz > 6.ipynb": "no ordinary file",
        "Cem/bomb.ipynb": "larger than", "Cem/bomb.zip > ps1.ipynb": "larger than",
        "Dan/deep.zip" + " > in.zip" * archives.DEEPEST: "archives deep",
        "Eve/locked.zip > ps1.ipynb": "locked with a password", "Fay/out.zip > ../../../gradebook.db": "leads out",
        "Fay/out.zip > ../ps1.ipynb": "leads out",
        "Gus/damaged.zip > ps1.ipynb": "can't be read",
    }.items():
        assert rows[place].startswith("!") and "refused: " in rows[place] and words in rows[place], (place, rows[place])
    assert ["left out: another than" in row for row in sorted(rows["Hal/ps1.ipynb"])] == [True, False]
    assert "Ida\\x1b[2J/ps1.ipynb" in rows and len(rows) == 18


def taped(*members, end=bytes(1024)) -> bytes:
    """A tar: of each member its name, type, size as it is claimed, contents, and pax headers."""
    tape = b""
    for name, kind, size, content, pax in members:
        info = tarfile.TarInfo(name)
        info.type, info.pax_headers = kind, pax
        info.size = max(size, 0)
        head = info.tobuf(tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT)
        if size < 0:
            block = bytearray(head[-512:])
            block[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
            block[148:156] = b" " * 8
            block[148:156] = b"%06o\0 " % sum(block)
            head = head[:-512] + bytes(block)
        tape += head + content + bytes(-len(content) % 512)
    return tape + end


def many_entries(number: int) -> bytes:
    return packed([(f"{n:03}/{'a/' * 400}", b"") for n in range(number)])


def sized(kind: int) -> bytes:
    """A zip with another kind of compression, of 10 MB in few bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", kind) as archive:
        archive.writestr("ps1.ipynb", bytes(10**7))
    return content.getvalue()


def deflated(files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return content.getvalue()


NULLS, REG = bytes(2**20), tarfile.REGTYPE
WORK = worked("given in a tar").encode()
MIB = 2**20
SPARSE = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "s", "GNU.sparse.realsize": "1000000000"}
# An archive that is handed in, and what its row says; far larger ones are made in the same way
BOMBS = {
    "pax.tar.bz2": (bz2.compress(taped(("x", b"x", 4 * MIB, NULLS * 4, {}))), "a header of more than"),
    "global.tar.gz": (gzip.compress(taped(("x", b"g", 4 * MIB, NULLS * 4, {}))), "a header of more than"),
    "name.tar.xz": (lzma.compress(taped(("x", b"L", 4 * MIB, NULLS * 4, {}))), "a header of more than"),
    "link.tar": (taped(("x", b"K", 2**40, b"", {})), "a header of more than"),
    "many.tar": (taped(*[("x", b"L", 512, b"a" * 512, {})] * 200), "a header of more than"),
    "digits.tar": (taped(("x", b"x", MIB, b"1" * MIB, {})), "a header of more than"),
    "unknown.tar.bz2": (bz2.compress(taped(("x", b"Z", 40 * MIB, b"", {}), end=NULLS * 40)), "the archive holds more than"),
    "folder.tar.gz": (gzip.compress(taped(("x.pdf", REG, 40 * MIB, NULLS * 40, {}))), "the archive holds more than"),
    "back.tar": (taped(*[("d", tarfile.DIRTYPE, 0, b"", {})] * 2, ("x", b"Z", -1024, b"", {})), "it leads back"),
    "back.pax.tar": (taped(("d", tarfile.DIRTYPE, 0, b"", {}), ("x", REG, 0, b"", {"size": "-4096"})), "it leads back"),
    "start.tar": (taped(("x", b"Z", -512, b"", {})), "it is damaged"),
    "huge.tar": (taped(("x", b"Z", 2**80, b"", {})), "can't be opened"),
    "less.tar": (taped(("x.txt", REG, 100, b"{" * 5000, {}), ("ps1.ipynb", REG, 2, b"{}", {})), "it is damaged"),
    "more.tar": (taped(("ps1.ipynb", REG, 10**6, b"{}", {}), end=b""), "unexpected end of data"),
    "cut.tar": (taped(("x", tarfile.DIRTYPE, 0, b"", {}), ("ps1.ipynb", REG, 2, b"{}", {}))[:700], "it is damaged"),
    "sparse.tar": (taped(("ps1.ipynb", REG, 512, b"1\n0\n1\n".ljust(512, b"\0"), SPARSE)), "no ordinary file"),
    "sparse-map.tar.gz": (gzip.compress(taped(("ps1.ipynb", REG, 4 * MIB, b"999999\n" + b"1\n" * 2 * MIB, SPARSE))), "a header of more than"),
    "sparse-old.tar": (taped(("x", b"S", 0, b"", {}), end=b"")[:482] + b"\1", "can't be opened"),
    "folders.tar.gz": (gzip.compress(taped(*[("d", tarfile.DIRTYPE, 0, b"", {})] * 2000)), "files and folders"),
    "folders.zip": (packed([(f"{n}/", b"") for n in range(2000)]), "files and folders"),
    "nested.zip": (packed([(f"{n}.zip", packed([(f"{m}.txt", b"{}") for m in range(90)])) for n in range(20)]), "files and folders"),
    "deep.zip": (many_entries(100), "an empty folder"),
    "list.zip": (many_entries(1000), "its list of files is larger than"),
    "long.zip": (packed([("0/" + "a/" * 32_000, b"")]), "its path has more than"),
    "bzip2.zip": (sized(zipfile.ZIP_BZIP2), "packed in a way that can't be opened here"),
    "lzma.zip": (sized(zipfile.ZIP_LZMA), "packed in a way that can't be opened here"),
    "zip64.zip": (packed({"a": b""})[:-22] + b"PK\6\6" + (44).to_bytes(8, "little") + bytes(12) + bytes(16) + (2**40).to_bytes(8, "little") + bytes(8)
                  + b"PK\6\7" + bytes(4) + bytes(8) + bytes(4) + packed({})[-22:], "can't be opened"),
    "bombs.zip": (packed([(f"{n}.ipynb.gz.tar", bytes(1024) + NULLS * 8) for n in range(3)]), "the archive holds more than"),
}


def test_an_archive_made_to_stop_the_collection_is_refused_alone(run, course, tmp_path, monkeypatch):
    for name, value in (("MOST_BYTES", 26 * MIB), ("MOST_BYTES_WITHIN", 16 * MIB), ("MOST_ENTRIES_WITHIN", 1000), ("LARGEST_DIRECTORY_WITHIN", 2**18)):
        monkeypatch.setattr(archives, name, value)
    files = [("Ann/ps1.ipynb", worked("Ann")), *((f"Eve {name}/{name}", content) for name, (content, _) in BOMBS.items()), ("Zed/ps1.zip", packed({"ps1.ipynb": worked("Zed")}))]
    tracemalloc.start()
    status, rows = run(pack(tmp_path / "all.zip", files))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert status == 1 and collected(course) == {"Ann": "Ann", "Zed": "Zed"} and peak < 40 * MIB
    for name, (_, words) in BOMBS.items():
        own = [row for place, each in rows.items() if place.startswith(f"Eve {name}/{name}") for row in ([each] if isinstance(each, str) else each)]
        assert any(words in row for row in own), (name, own[-3:])


def as_tar(path, files):
    path.write_bytes(taped(*((name, REG, len(content.encode()), content.encode(), {}) for name, content in files.items())))


def as_folder(path, files):
    pack(path, files)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        path.unlink()
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(files[name])


@pytest.mark.parametrize("make", [pack, as_tar, as_folder])
@pytest.mark.parametrize("form, owner", [
    ("{}/{}", "Ann"), ("{}/data/{}", "Ann"), ("{}_1_assignsubmission_file_{}", "Ann"), ("{}_1_assignsubmission_file_/{}", "Ann"), ("class/{}/{}", "Ann"),
    ("class/{}_1_assignsubmission_file_{}", "Ann"), ("ann{}_1234_5678_{}", "annAnn-1234"),
])
def test_many_files_of_one_student_keep_nobody_elses_out(run, course, tmp_path, monkeypatch, make, form, owner):
    monkeypatch.setattr(archives, "MOST_ENTRIES", 10)
    names = [form.format("Ann", f"{number:02}.csv") for number in range(25)]
    later = {form.replace("_1_", "_2_").replace("_1234_", "_1235_").format(name, "ps1.ipynb"): worked(name) for name in ("Bob", "Cem")}
    make(tmp_path / "all", dict.fromkeys(names, "x") | later)
    status, rows = run(tmp_path / "all")
    assert sorted(collected(course).values()) == ["Bob", "Cem"] and status == 1
    assert len(rows) == 10 + 1 + 2 and rows[names[10]].startswith(f"!{owner} ") and "refused: 15 files from this one on" in rows[names[10]], rows


def test_many_files_in_a_section_keep_none_of_the_others_in_it_out(run, course, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_ENTRIES", 10)
    files = {f"Section A/Ann/{place}/{number}.csv": "x" for place in range(3) for number in range(9)}
    others = {f"Section {name}/ps1.ipynb": worked(name) for name in ("A/Bob", "A/Cem", "B/Dan")}
    run(pack(tmp_path / "all.zip", files | others))
    assert set(collected(course)) == {"Bob", "Cem", "Dan"}


@pytest.mark.parametrize("make, form", [
    (pack, "Section 1/{0:02}/{1}"), (as_tar, "class/Section 1/{0:02}/{1}"), (as_folder, "Section 1/Ann_{0}_assignsubmission_file_/{1}"), (pack, "Section 1/S{0:02}.zip"),
])
def test_a_section_is_no_student_with_a_limit(run, course, tmp_path, monkeypatch, make, form):
    monkeypatch.setattr(archives, "MOST_ENTRIES", 10)
    monkeypatch.setattr(archives, "MOST_ENTRIES_WITHIN", 10)
    inner = packed({**{f"{number}.csv": "x" for number in range(8)}, "ps1.ipynb": WORK})
    loose = {name: "x" for at in range(12) for number in range(8) if (name := form.format(at, f"{number}.csv")).endswith("csv")}
    files = loose | {form.format(at, "ps1.ipynb"): worked(str(at)) for at in range(12) if loose} | {form.format(at, "w.zip"): inner for at in range(12) if not loose}
    other = form.replace("Section 1", "Section 2").format(90, "ps1.ipynb")
    status, rows = run(make(tmp_path / "all", files | {other: inner if not loose else worked("90")}) or tmp_path / "all")
    assert len(collected(course)) == 13, rows
    assert not any("files from this one on" in row for row in rows.values())


def test_many_archives_and_many_folders_of_one_student_have_a_limit(run, course, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_ENTRIES", 10)
    monkeypatch.setattr(archives, "MOST_BYTES_WITHIN", 3 * MIB)
    full, large = packed({f"{number}.csv": "x" for number in range(10)}), worked("large").encode().ljust(MIB)
    files = {**{f"Ann/{number:02}.zip": full for number in range(9)}, **{f"Bob/{number:02}/{name}.csv": "x" for number in range(9) for name in range(9)},
             **{f"Cem/{number}.ipynb": large + b" " * number for number in range(9)}, "Dan/ps1.ipynb": worked("Dan")}
    status, rows = run(pack(tmp_path / "all.zip", files))
    assert status == 1 and set(collected(course)) == {"Cem", "Dan"}
    said = {place: row for place, row in rows.items() if "files from this one on" in row}
    assert set(said) == {"Ann/05.zip", "Bob/05/5.csv", "Cem/3.ipynb"}
    assert "4 files" in said["Ann/05.zip"] and "31 files" in said["Bob/05/5.csv"] and "6 files" in said["Cem/3.ipynb"]


@pytest.mark.parametrize("form", ["{}_1_assignsubmission_file_/{}", "{}_1_assignsubmission_file_{}", "{}_1234_5678_f{}", "{}/{}",
                                  "ps1_{}_attempt_2026-11-20-10-00-00_{}"])
def test_the_archives_of_one_student_have_one_limit_and_few_rows(run, course, tmp_path, monkeypatch, form):
    for name, value in (("MOST_ENTRIES_WITHIN", 30), ("MOST_ROWS", 5)):
        monkeypatch.setattr(archives, name, value)
    tape = gzip.compress(taped(*((f"{number}.png", REG, 0, b"", {}) for number in range(19)), ("x/ps1.ipynb", REG, len(WORK), WORK, {})))
    names = {who: form.format(who, "1.tar.gz").replace("_1_", f"_{number}_").replace("_1234_", f"_{1233 + number}_") for number, who in enumerate(("ann", "bob", "cem"), 1)}
    files = {name.replace("1.tar", f"{part}.tar"): tape for name in names.values() for part in ((1, 2, 3) if "bob" in name else (1,))}
    status, rows = run(pack(tmp_path / "all.zip", files))
    assert status == 1 and set(collected(course).values()) == {"given in a tar"} and len(collected(course)) == 3
    for who, name in names.items():
        assert len([place for place in rows if place.startswith(f"{name} > ")]) == 7
        assert "14 more files, of which none can be the notebook" in rows[f"{name} > …"] and f"{name} > x/ps1.ipynb" in rows
    for part in (2, 3):
        assert "more than 30 files and folders, with all of the student's" in rows[names["bob"].replace("1.tar", f"{part}.tar")]


def test_what_is_no_notebook_takes_no_disk_and_little_time(course, tmp_path, monkeypatch):
    """The disk has room for the largest file of all, but not for two of them."""
    spaces, lists = b'{"x": "' + b" " * 3 * MIB + b'"}', b'{"x": [' + b"[[[[[[[[[]]]]]]]]]," * 210_000 + b"1]}"
    kept, given = [], collect.Given("ps1", *collect.given_out(course / "release" / "ps1" / "ps1.ipynb"), {})
    real = tempfile.mkstemp
    monkeypatch.setattr(archives.tempfile, "mkstemp", lambda dir: (kept.append(sum(path.stat().st_size for path in Path(dir).iterdir())), real(dir=dir))[1])
    files = {"Ann/ps1.ipynb": WORK, **{f"Bob/{part}.zip": deflated({f"{number}.json": body for number in range(9)}) for part, body in enumerate((spaces, lists))},
             **{f"Cem/{number}.json": lists for number in range(3)}, "Dan/ps1.zip": packed({"ps1.ipynb": WORK})}
    (tmp_path / "spool").mkdir()
    loads, parsed = collect.json.loads, []
    monkeypatch.setattr(collect.json, "loads", lambda text: (parsed.append(len(text)), loads(text))[1])
    path = pack(tmp_path / "all.zip", files)
    found = collect._files(course, "ps1", [path], given, set(), "", tmp_path / "spool")
    assert max(kept) < MIB and {file.who for file in found if file.kind == "work"} == {"Ann", "Dan"} and len(found) == 1 + 18 + 3 + 1
    assert len([size for size in parsed if size > 3 * MIB]) == 9  # of spaces alone: what has too many values is not parsed
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) == 2 * len(WORK)
    nb = changed(source="with a long output")
    nb.cells.append(new_code_cell("print(x)", outputs=[nbformat.v4.new_output("stream", text='["' + "[1, 2]," * 10**6)]))
    monkeypatch.undo()
    assert collect.cells_of(nbformat.writes(nb).encode())[-1][0] == "print(x)"


@pytest.mark.parametrize("string", [b'"', b'"' + b'\\"' * 10**6, b'"' * (10**6 + 1), b'"' + b"\\" * 10**6])
def test_a_string_without_an_end_takes_no_square_of_time(string):
    with pytest.raises(ValueError):
        collect.cells_of(b'{"cells": [' + b"[" * collect.MOST_LISTS + string)


def test_the_look_into_the_notebooks_takes_the_students_time(course, tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(archives, "monotonic", lambda: clock[0])
    (tmp_path / "spool").mkdir()

    def slow(entry):
        clock[0] += 11 if entry.parts[0] == "Bob" else 1
        return True

    files = {"Ann/ps1.ipynb": WORK, "Bob/1.zip": packed({f"{number}.ipynb": WORK for number in range(9)}), "Bob/2.ipynb": WORK, "Bob/3.zip": packed({}),
             "Cem/ps1.zip": packed({"ps1.ipynb": WORK})}
    found = archives.entries(pack(tmp_path / "all.zip", files), tmp_path / "spool", keep=slow)
    assert {entry.place: bool(entry.content) for entry in found} == {
        "Ann/ps1.ipynb": True, **{f"Bob/1.zip > {number}.ipynb": True for number in range(3)}, "Bob/1.zip": False, "Bob/2.ipynb": False, "Cem/ps1.zip > ps1.ipynb": True}
    assert {entry.place: entry.refused for entry in found if entry.refused} == {
        "Bob/1.zip": "an archive; the rest of it can't be opened: it takes more than 30 seconds, with all of the student's",
        "Bob/2.ipynb": "2 files from this one on, since the same student's before it are 20000, hold 200 MB or take 30 seconds"}


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device")])
def test_where_there_is_no_room_for_one_the_others_are_collected(run, course, tmp_path, monkeypatch, error):
    def fail(name, real):
        def failing(*a, **b):
            if fails.pop(name, None):
                raise error
            return real(*a, **b)
        return failing

    def at(entry):
        if entry.parts[0] == "Bob":
            fails[entry.name] = True

    monkeypatch.chdir(course)
    fails, real_room = {}, archives._Shares.room
    monkeypatch.setattr(archives._Shares, "room", lambda self, entry: (at(entry), real_room(self, entry))[1])
    for owner, name, key in ((archives.tempfile, "mkstemp", "1.ipynb"), (collect, "look_into", "2.ipynb"), (Path, "read_bytes", "3.ipynb"),
                             (archives, "_condensed", "4.zip")):
        monkeypatch.setattr(owner, name, fail(key, getattr(owner, name)))
    files = [f"{who}/{number}.{'zip' if number == 4 else 'ipynb'}" for who in ("Ann", "Bob", "Cem") for number in range(1, 5)]
    content = {name: packed({"ps1.ipynb": worked(name)}) if name.endswith("zip") else worked(name) for name in files}
    status, rows = run(pack(tmp_path / "all.zip", content))
    assert status == 1 and set(collected(course)) == {"Ann", "Cem"} and not fails
    words = str(error) or "MemoryError"
    assert {place: row for place, row in rows.items() if place.startswith("Bob/") and f"refused: can't be read: {words}" not in row} == {} and len(rows) == 12


def test_of_an_archive_only_so_many_files_are_listed(run, course, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_ENTRIES_IN_ALL", 3)
    status, rows = run(pack(tmp_path / "all.zip", {f"{number}/ps1.ipynb": worked("x") for number in range(1, 6)}))
    assert status == 1 and "the rest of it can't be opened: more than 3 files" in rows["all.zip"] and len(rows) == 4


def test_an_archive_that_takes_too_long_takes_nobody_elses_time(monkeypatch, tmp_path):
    (tmp_path / "spool").mkdir()
    (tmp_path / "all").mkdir()
    empty = bz2.compress(b"") * 400_000 + bz2.compress(bytes(1024))
    name_without_end = b"\x1f\x8b\x08\x08" + bytes(6) + b"a" * 6_000_000
    slow = {"1.tar.bz2": empty, "2.tar.gz": name_without_end, "3.tbz": empty, "4.tgz": name_without_end}
    for name, content in (slow | {"5.zip": packed({"ps1.ipynb": EMPTY})}).items():
        (tmp_path / "all" / name).write_bytes(content)
    clock = itertools.count()
    monkeypatch.setattr(archives, "monotonic", lambda: next(clock))  # as slow on every machine
    monkeypatch.setattr(archives, "BLOCK", 2**24)
    monkeypatch.setattr(archives, "MOST_SECONDS", 60)
    monkeypatch.setattr(archives, "MOST_SECONDS_WITHIN", 30)
    found = archives.entries(tmp_path / "all", tmp_path / "spool")
    assert [entry.place for entry in found] == [*slow, "5.zip > ps1.ipynb"] and found[-1].content
    assert all("it takes more than 30 seconds" in entry.refused for entry in found[:-1]), found


def test_a_tar_whose_last_file_is_a_zip_is_no_zip(tmp_path):
    last = packed({"ps1.ipynb": EMPTY})
    (tmp_path / "all.tar").write_bytes(taped(("Ann/ps1.ipynb", REG, 2, b"{}", {}), ("Bob.zip", REG, len(last), last, {})))
    (tmp_path / "spool").mkdir()
    assert [entry.place for entry in archives.entries(tmp_path / "all.tar", tmp_path / "spool")] == ["Ann/ps1.ipynb", "Bob.zip > ps1.ipynb"]


def test_links_in_a_folder_are_not_followed(run, course, tmp_path):
    (tmp_path / "all" / "Ann").mkdir(parents=True)
    (tmp_path / "all" / "Ann" / "ps1.ipynb").symlink_to(course / "gradebook.db")
    (tmp_path / "all" / "Bob").symlink_to(course / "source")
    (tmp_path / "all" / "Cem").mkdir()
    (tmp_path / "all" / "Cem" / "ps1.ipynb").write_text(worked("Cem"))
    (course / "submitted" / "Cem").mkdir(parents=True)
    (course / "submitted" / "Cem" / "ps1").symlink_to(tmp_path)
    status, rows = run(tmp_path / "all")
    assert status == 1 and "links are not followed" in rows["Ann/ps1.ipynb"] and "links are not followed" in rows["Bob"]
    assert "a link is in the way" in rows["Cem/ps1.ipynb"] and not (tmp_path / "ps1.ipynb").exists()


def test_students_who_can_be_confused_are_told_apart_or_refused(run, course, tmp_path):
    moodle = "{}_assignsubmission_file_/ps1.ipynb".format
    status, rows = run(pack(tmp_path / "1.zip", {
        moodle("Ann Abt_1"): worked("1"), moodle("Ann Abt_2"): worked("2"), moodle("Bo Ek_3"): worked("3"), moodle("Bo-Ek_4"): worked("4"),
        moodle("Cem_5"): worked("5"), moodle("CEM_6"): worked("6"), moodle("Dan Du_7"): worked("7"), moodle("Eva_8"): worked("8"), moodle("Eva_8") + "x": worked("8")}))
    assert status == 1
    assert collected(course) == {"Ann-Abt-1": "1", "Ann-Abt-2": "2", "Dan-Du": "7", "Eva": "8"}
    assert "not the only Ann Abt" in rows[moodle("Ann Abt_1")] and "Bo Ek and Bo-Ek would both be Bo-Ek" in rows[moodle("Bo Ek_3")]
    assert "CEM and Cem would both be CEM" in rows[moodle("CEM_6")]
    # Later: one of two with the same name again, a third one, a new namesake, a new collision.
    status, rows = run(pack(tmp_path / "2.zip", {
        moodle("Ann Abt_2"): worked("2, later"), moodle("Ann Abt_9"): worked("9"), moodle("Dan Du_10"): worked("10"), moodle("dan du_11"): worked("11"),
        moodle("Dan-Du_12"): worked("12")}, dict.fromkeys([moodle("Ann Abt_2")], NOON)))
    assert status == 1
    assert collected(course) == {"Ann-Abt-1": "1", "Ann-Abt-2": "2, later", "Ann-Abt-9": "9", "Dan-Du": "7", "Dan-Du-10": "10", "Eva": "8"}
    assert "would both be" in rows[moodle("dan du_11")] and "would both be" in rows[moodle("Dan-Du_12")]
    # In the next set the numbers are others, and the names the same.
    status, _ = run(pack(tmp_path / "3.zip", {moodle("Dan Du_7"): worked("7")}))
    assert status == 0


def test_a_namesake_in_the_next_set_is_nobody_known(tmp_path):
    entry = archives.Entry("ps2.ipynb", ("ps2.ipynb",))
    memory = {"students": {"Ann-Abt-1": "Ann Abt", "Ann-Abt-2": "Ann Abt", "Bob": "Bob"}, "numbers": {"ps1": {"1": "Ann-Abt-1", "2": "Ann-Abt-2"}}}
    numbered, plainly, other = (File(entry, 0, kind="work", who=who, number=number) for who, number in (("Ann Abt", "3"), ("Ann Abt", ""), ("Bob", "4")))
    name_students([numbered, other], "ps2", memory, tmp_path)
    assert numbered.student == "Ann-Abt-3" and numbered.look and other.student == "Bob" and not other.look
    name_students([plainly], "ps2", memory, tmp_path)
    assert plainly.student == "" and "several students are called Ann Abt" in plainly.fate and plainly.look


@pytest.mark.parametrize("seconds", [253402300799, 0, -62135596800])  # the years 9999, 1970 and 1
def test_a_time_at_which_nobody_hands_in_is_none(seconds, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    with tarfile.open(tmp_path / "all.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, when in (("Ann/ps1.ipynb", seconds), ("Bob/ps1.ipynb", 1795000000)):
            info = tarfile.TarInfo(name)
            info.mtime = when
            archive.addfile(info)
    (tmp_path / "spool").mkdir()
    times = {entry.place: entry.time for entry in archives.entries(tmp_path / "all.tar", tmp_path / "spool")}
    assert times["Ann/ps1.ipynb"] is None and times["Bob/ps1.ipynb"].year == 2026


def test_later_hand_ins_replace_what_they_are_newer_than(run, course, tmp_path):
    day = {name: (2026, 11, number, 12, 0, 0) for name, number in (("Ann/ps1.ipynb", 18), ("Bob/ps1.ipynb", 19), ("Cem/ps1.ipynb", 20))}
    run(pack(tmp_path / "1.zip", {name: worked(f"{name[:3]} 1") for name in day}, day))
    stamp = lambda student: (course / "submitted" / student / "ps1" / "timestamp.txt").read_text().strip()  # noqa: E731
    assert stamp("Ann") == f"{datetime(2026, 11, 18, 12).astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    before = {student: (course / "submitted" / student / "ps1" / "ps1.ipynb").stat() for student in ("Ann", "Bob")}
    second = {"Ann/ps1.ipynb": worked("Ann 1"), "Bob/ps1.ipynb": worked("Bob 0"), "Cem/ps1.ipynb": worked("Cem 2"), "Dan/ps1.ipynb": worked("Dan 2")}
    path = pack(tmp_path / "2.zip", second, {"Ann/ps1.ipynb": (2026, 11, 21, 0, 0, 0), "Bob/ps1.ipynb": (2026, 11, 1, 0, 0, 0),
                                             "Cem/ps1.ipynb": (2026, 11, 22, 0, 0, 0), "Dan/ps1.ipynb": (2026, 11, 22, 0, 0, 0)})
    status, rows = run(path)
    assert status == 1 and [place for place, row in rows.items() if row.startswith("!")] == ["Bob/ps1.ipynb"]
    assert collected(course) == {"Ann": "Ann 1", "Bob": "Bob 1", "Cem": "Cem 2", "Dan": "Dan 2"}
    kept, = (course / "replaced" / "Cem" / "ps1").glob("*.ipynb")
    assert words_of(kept) == "Cem 1" and f"collected; before it: replaced/Cem/ps1/{kept.name}" in rows["Cem/ps1.ipynb"]
    assert "collected before" in rows["Ann/ps1.ipynb"] and "older than what was collected" in rows["Bob/ps1.ipynb"]
    for student, state in before.items():
        now = (course / "submitted" / student / "ps1" / "ps1.ipynb").stat()
        assert (now.st_ctime_ns, now.st_mtime_ns) == (state.st_ctime_ns, state.st_mtime_ns)
    assert stamp("Ann").startswith("2026-11-18") and stamp("Cem").startswith("2026-11-2")
    # What is empty, or broken, takes nobody's work away.
    status, rows = run(pack(tmp_path / "3.zip", {"Ann/ps1.ipynb": EMPTY, "Cem/ps1.ipynb": ""}, dict.fromkeys(second, (2026, 11, 25, 0, 0, 0))))
    assert status == 1 and collected(course)["Ann"] == "Ann 1" and collected(course)["Cem"] == "Cem 2"
    assert all("the one of before stays" in row for row in rows.values())


def test_late_or_in_time(run, course, tmp_path):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment("ps1", duedate="2026-11-20 18:00 UTC")
    moodle = "{}_assignsubmission_file_/ps1.ipynb".format
    names = [moodle("Ann Abt_1"), moodle("Bob Bell_2")]
    path = pack(tmp_path / "1.zip", {name: worked(name) for name in names}, {names[0]: (2026, 11, 18, 12, 0, 0), names[1]: (2026, 11, 22, 12, 0, 0)})
    _, rows = run(path)
    assert "2026-11-18 12:00 in time" in rows[names[0]] and "2026-11-22 12:00 late" in rows[names[1]]
    # Times of the download tell nothing.
    names = [moodle("Cem Can_3"), moodle("Dan Du_4")]
    _, rows = run(pack(tmp_path / "2.zip", {name: worked(name) for name in names}, dict.fromkeys(names, (2026, 11, 25, 12, 0, 0))))
    assert not any("late" in row or "in time" in row or "2026-11-25" in row for row in rows.values())
    assert len(list(course.glob("submitted/*/ps1/timestamp.txt"))) == 2
    _, rows = run(pack(tmp_path / "3.zip", {"abtann_LATE_1_2_ps1.ipynb": worked("a"), "bellbob_2_4_ps1.ipynb": worked("b"), "bellbob_2_3_ps1-1.ipynb": worked("c"),
                                            "cancem_3_text.html": "x"}))
    assert "late" in rows["abtann_LATE_1_2_ps1.ipynb"] and "older than bellbob_2_4" in rows["bellbob_2_3_ps1-1.ipynb"]
    assert "typed into Canvas" in rows["cancem_3_text.html"]


def test_names_in_an_archive_that_does_not_say_how_they_are_written(run, course, tmp_path):
    path = pack(tmp_path / "all.zip", {"Zo__/ps1.ipynb": worked("utf-8"), "Fran_ois/ps1.ipynb": worked("cp437"), "Jose__/ps1.ipynb": worked("two marks")})
    content = path.read_bytes()
    for blank, name in ((b"Zo__", "Zoë".encode()), (b"Fran_ois", "François".encode("cp437")), (b"Jose__", "Jose\u0301".encode())):
        assert content.count(blank) == 2 and len(blank) == len(name)
        content = content.replace(blank, name)
    path.write_bytes(content)
    status, rows = run(path)
    assert status == 0 and set(rows) == {"Zoë/ps1.ipynb", "François/ps1.ipynb", "Jose\u0301/ps1.ipynb"}
    assert collected(course) == {"Zoe": "utf-8", "Francois": "cp437", "Jose": "two marks"}


names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.lists(names, min_size=1, max_size=3).map("/".join), st.sampled_from([worked("a"), worked("b"), "", EMPTY, SET_2]),
                       min_size=1, max_size=5), st.booleans())
def test_every_entry_is_in_the_table_and_nothing_is_written_elsewhere(generated, tmp_path, monkeypatch, capsys, files, notebooks):
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        course = Path(folder, "course")
        (course / "release" / "ps1").mkdir(parents=True)
        for name in ("nbgrader_config.py", "release/ps1/ps1.ipynb", "gradebook.db"):
            shutil.copy(generated / name, course / name)
        path = pack(Path(folder, "all.zip"), {f"{name}/ps1.ipynb" if notebooks else name: content for name, content in files.items()})
        listed = [info for info in zipfile.ZipFile(path).infolist()]
        monkeypatch.chdir(course)
        capsys.readouterr()
        main(["ps1", str(path)])
        lines = capsys.readouterr().out.splitlines()
        assert lines[-2].startswith(f"files: {len(listed)};") and len(lines) == len(listed) + 4
        written = {path.relative_to(folder).parts[:2] for path in Path(folder).rglob("*") if path.is_file()}
        assert written <= {("all.zip",), *(("course", name) for name in ("nbgrader_config.py", "release", "gradebook.db", "submitted", "collected.json"))}
        for path in course.glob("submitted/*"):
            assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", path.name)


# --- what an attacker, or a name, could do

def test_folders_with_others_names_in_ones_own_take_nobodys_work_away_unseen(run, course, tmp_path):
    names = ("Ann", "Bob", "Cem")
    run(pack(tmp_path / "all.zip", {f"{name}/ps1.ipynb": worked(name) for name in names}))
    forms = {"{}/ps1.ipynb", "{}_ps1.ipynb", "{}_1_assignsubmission_file_/ps1.ipynb"}
    later = {"time": (2026, 12, 1, 0, 0, 0)}
    for number, form in enumerate(sorted(forms)):
        both = {form.format(name): worked(f"{name}, forged {number}") for name in ("Ann", "Bob")}
        for files in ({f"Bob/{name}": text for name, text in both.items()}, {"Bob.zip": packed(both)}, {"Bob/x.zip": packed(both)}):
            status, rows = run(pack(tmp_path / "bob.zip", files, dict.fromkeys(files, later["time"])))
            assert status == 1 and all(row.lstrip("!").startswith("Bob ") for row in rows.values()), rows
            assert collected(course)["Ann"] == "Ann" and collected(course)["Cem"] == "Cem"
        # Nobody knows Zed yet.
        files = {f"Zed/{form.format(name)}": worked(f"{name}, by Zed {number}") for name in ("Ann", "Bob")}
        status, rows = run(pack(tmp_path / "zed.zip", files, dict.fromkeys(files, (2026, 12, 2, 0, number, 0))))
        assert status == 1 and all(row.startswith("!") and "could be Zed's" in row for row in rows.values()), rows
        run(pack(tmp_path / "ann.zip", {"Ann/ps1.ipynb": worked("Ann")}, {"Ann/ps1.ipynb": (2026, 12, 2, 0, number, 30)}))
    # Nobody knows anybody, and both archives come at once.
    shutil.rmtree(course / "submitted")
    (course / "collected.json").unlink()
    twice = {f"Zed/{name}/ps1.ipynb": worked("forged") for name in ("Ann", "Bob")}
    for path, files in (("own", {f"Bob/{name}/ps1.ipynb": worked("forged") for name in ("Ann", "Bob")}), ("zed", twice)):
        pack(tmp_path / f"{path}.zip", files, dict.fromkeys(files, (2026, 12, 5, 0, 0, 0)))
    status, rows = run(tmp_path / "own.zip")
    assert status == 1 and set(collected(course)) == {"Bob"}
    status, rows = run(tmp_path / "zed.zip", tmp_path / "all.zip")
    assert status == 1 and rows["zed.zip: Zed/Ann/ps1.ipynb"].startswith("!")


def test_all_of_it_is_the_named_students(course, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(course)
    for number, names in enumerate((["2026_11_26_ps1.ipynb"], ["annab_12_34_ps1.ipynb"], ["Bob_101_assignsubmission_file/ps1.ipynb"], ["Bob/ps1.ipynb"],
                                    ["a/ps1.ipynb", "b/notes.ipynb"], ["ps1.ipynb"], ["Bob.zip"])):
        folder = tmp_path / f"mail {number}"
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            content = packed({"Bob/ps1.ipynb": worked(f"{number}")}) if name.endswith("zip") else worked(f"{number}").encode()
            (folder / name).write_bytes(content)
            os.utime(folder / name, (1_800_000_000 + number,) * 2)
        assert main(["ps1", str(folder), "--student", "Ann Abt"]) == 0, capsys.readouterr().out
        assert collected(course) == {"Ann-Abt": f"{number}"}
    assert not list(course.glob("submitted/*/ps1/timestamp.txt"))
    with pytest.raises(SystemExit):
        main(["ps1", str(folder), "--student", " "])
    (course / "gradebook.db").unlink()
    with pytest.raises(SystemExit):
        main(["ps1", str(folder)])
    assert "assignment: the gradebook has no ps1; run nbgrader generate_assignment ps1" in capsys.readouterr().err


@pytest.mark.parametrize("files, students", [
    ({"2026_11_26_ann_ps1.ipynb": "a", "2026_11_27_bob_ps1.ipynb": "b", "2026_11_28_cem_ps1.ipynb": "c"}, {"ann": "a", "bob": "b", "cem": "c"}),
    ({"Ann/2026_11_26_ps1.ipynb": "a"}, {"Ann": "a"}),
    ({"Ann/20261126_1200_ps1.ipynb": "a"}, {"Ann": "a"}),
    ({"ann_2026_11_26_ps1.ipynb": "a", "bob_26_11_2026_ps1.ipynb": "b", "cem_20261126_1200_ps1.ipynb": "c", "dan_26_11_26_ps1.ipynb": "d"},
     {"ann": "a", "bob": "b", "cem": "c", "dan": "d"}),
    ({"2026-11-26 ann ps1.ipynb": "a", "ps1_bob_2026.11.27.ipynb": "b"}, {"ann": "a", "bob": "b"}),
    ({"Ann/annab_12_34_ps1.ipynb": "a"}, {"Ann": "a"}),
    ({"submissions/annab_12_34_ps1.ipynb": "a"}, {"annab-12": "a"}),
    ({"week 1/annab_12_34_ps1.ipynb": "a", "week 1/bell_13_35_ps1.ipynb": "b"}, {"annab-12": "a", "bell-13": "b"}),
])
def test_dates_are_nobodys_name_and_folders_tell_more_than_files(run, course, tmp_path, files, students):
    status, rows = run(pack(tmp_path / "all.zip", {name: worked(text) for name, text in files.items()}))
    assert status == 0 and collected(course) == students, rows


@pytest.mark.parametrize("files, students", [
    (["Section A/Ann", "Section A/Bob", "Section B/Cem"], {"Ann", "Bob", "Cem"}),
    (["Section A/Ann", "Section B/Cem"], {"Ann", "Cem"}),
    (["Gruppe 1/Ann", "Gruppe 2/Bob/x"], {"Ann", "Bob"}),
    (["Mr Smith/Ann", "Mr Smith/Bob", "Mrs Wu/Cem"], {"Mr-Smith", "Mrs-Wu"}),  # who knows? said in each row
    (["Section 1/Ann"], {"Ann"}),
    (["Section 1/Ann Abt_101_assignsubmission_file_", "Section 2/Bo Ek_102_assignsubmission_file_"], {"Ann-Abt", "Bo-Ek"}),
    (["bob", "labib", "labib/Ann_101_assignsubmission_file_"], {"bob", "labib"}),  # whose name begins as that of a group
    (["Group 1/code", "Group 2/code"], {"Group-1", "Group-2"}),
    (["Group 1", "Group 2"], {"Group-1", "Group-2"}),
    (["Ann/old", "Ann/new", "Bob"], {"Ann", "Bob"}),
])
def test_sections_of_a_course_are_no_students_or_it_is_said(run, course, tmp_path, files, students):
    path = pack(tmp_path / "all.zip", {f"{folder}/ps1.ipynb": worked(folder) for folder in files})
    status, rows = run(path)
    assert set(collected(course)) == students
    sure = all(name.startswith("Group") for name in files) or files[-1] == "Bob" or files[0] == "bob"
    assert sure or all(row.startswith("!") and "do not tell for sure" in row for row in rows.values())
    if {*students} in ({"Ann", "Bob", "Cem"}, {"Ann"}):  # known by now
        assert run(path)[0] == 0


@pytest.mark.parametrize("files, marked", [
    (["Section 1/Ann", "Section 2/Ann"], True), (["Section 1/Ann", "Section 2/Ann", "Section 3/Cem"], True), (["2024/Ann", "2025/Bob"], True),
    (["Monday/Ann", "Tuesday/Bob"], True), (["Team 1/Ann", "Team 2/Bob"], True), (["all/Team 1/Ann", "all/Team 2/Bob"], True),
    (["Ann/code", "Bob/src"], False), (["Ann/Ann", "Bob/bob"], False), (["Ann/final", "Bob/my homework"], False), (["Ann/x", "Bob"], False), (["Ann/ps1", "Bob/ps1"], False),
    (["12-345 - Ann - Nov 20, 2026 1000 AM/a", "13-345 - Bob - Nov 20, 2026 1000 AM/b"], False),
])
def test_folders_with_one_student_each_are_marked(run, course, tmp_path, files, marked):
    status, rows = run(pack(tmp_path / "all.zip", {f"{folder}/ps1.ipynb": worked(folder) for folder in files}))
    assert status == marked, rows
    for place, row in rows.items():
        *_, outer, inner, _ = ["", *place.split("/")]
        assert not marked or row.startswith("!") and f"taken for {outer}'s; the name may be one below it: {inner}" in row, row


@pytest.mark.parametrize("files, marked", [
    (["late/Ann/ps1", "Bob/ps1"], {"late": "Ann"}), (["Monday/Ann/ps1", "Tuesday/ps1"], {"Monday": "Ann"}), (["late/Ann/ps1", "Bob_ps1"], {"late": "Ann"}),
    (["2024/Ann_ps1", "2025/Bob_ps1"], {"2024": "Ann", "2025": "Bob"}), (["Monday/ps1_Ann", "Tuesday/ps1_Bob"], {"Monday": "Ann", "Tuesday": "Bob"}),
    (["late/Ann/ps1", "late/Dan/ps1", "Bob/ps1", "Cem/ps1"], {"late": "Ann or Dan"}),
    (["Ann Abt/annab_ps1", "Bob/ps1_bob", "Cem/code/ps1", "Dan/ps1"], {}),
])
def test_a_folder_that_may_be_no_student_is_marked(run, course, tmp_path, files, marked):
    status, rows = run(pack(tmp_path / "all.zip", {f"{place}.ipynb": worked(place) for place in files}))
    assert status == bool(marked), rows
    for place, row in rows.items():
        outer = place.split("/")[0]
        assert row.startswith("!") == (outer in marked) and (outer not in marked or f"the name may be one below it: {marked[outer]}" in row), row


def test_a_folder_with_a_known_students_in_it_is_marked(run, course, tmp_path):
    assert run(pack(tmp_path / "0.zip", {f"{who}/ps1.ipynb": worked(who) for who in ("Ann", "Bob", "late")}))[0] == 0
    files = {"late/Ann/ps1.ipynb": worked("Ann 2"), "late/notes/ps1.ipynb": worked("notes"), "Bob/ps1.ipynb": worked("Bob")}
    status, rows = run(pack(tmp_path / "1.zip", files, dict.fromkeys(files, LATER)))
    assert status == 1 and "the name may be one below it: Ann" in rows["late/Ann/ps1.ipynb"] + rows["late/notes/ps1.ipynb"], rows
    assert not rows["Bob/ps1.ipynb"].startswith("!")


def test_what_may_hold_answers_in_words_is_marked(run, course, tmp_path):
    files = {f"Ann/{name}": "?" for name in ("answers.pdf", "photo.JPG", "words.md", "answers.txt", "p.png", "data.csv", "util.py")}
    status, rows = run(pack(tmp_path / "all.zip", {"Ann/ps1.ipynb": worked("a")} | files))
    assert {place for place, row in rows.items() if row.startswith("!")} == {*files} - {"Ann/data.csv", "Ann/util.py"} and status == 1


@pytest.mark.parametrize("stem", ["ps1_final", "ps1-v2", "PS1 solution", "final_ps1", "ps1_new (1)", "my homework ps1", "ps1_submission_final_fixed", "ps1.last",
                                  "ps1_corrected-2", "ps1_2026-11-20_final", "ps1_Lösung", "ps1_copy", "ps1 final version 3", "ps1_v1.2", "ps1 (1) final"])
def test_a_word_beside_the_assignment_is_nobodys_name(run, course, tmp_path, stem):
    name = f"{stem}.ipynb"
    status, rows = run(pack(tmp_path / "all.zip", {name: worked("x"), f"submission_456/{name}": worked("y")}))
    assert status == 1 and collected(course) == {}
    assert all(row.startswith("!") and "no folder and no name says whose it is" in row for row in rows.values()) and len(rows) == 2


@pytest.mark.parametrize("stem, student", [
    ("ps1_final_Dana", "Dana"), ("ps1-v2-Dana", "Dana"), ("final_Dana_ps1", "Dana"), ("ps1_my final version Dana", "Dana"), ("ps1_final_v2_Dana Doe", "Dana-Doe"),
    ("ps1_Final Finley", "Finley"), ("Ida New_ps1", "Ida-New"), ("ps1_new_Dana", "new_Dana"), ("Dana_new_ps1", "Dana_new"), ("finalDana_ps1", "finalDana"),
    ("DanaFinal_ps1", "DanaFinal"), ("ps1_2_Dana", "2_Dana"), ("ps1_Ann_final_Bob", "Ann_final_Bob"), ("Ann_ps1_Bob", "Ann"), ("ps1_abgabe_Dana", "abgabe_Dana"),
])
def test_a_word_that_may_belong_to_a_name_is_said(run, course, tmp_path, stem, student):
    for name in (f"{stem}.ipynb", f"{stem}/work.ipynb"):
        shutil.rmtree(course / "submitted", ignore_errors=True)
        (course / "collected.json").unlink(missing_ok=True)
        other = "Zed_ps1.ipynb" if name == f"{stem}.ipynb" else "Zed/ps1.ipynb"
        path = pack(tmp_path / "all.zip", {name: worked("x"), other: worked("z")})
        status, rows = run(path)
        assert status == 1 and collected(course) == {student: "x", "Zed": "z"}, rows
        assert rows[name].startswith("!") and "which the name does not tell for sure" in rows[name] and not rows[other].startswith("!")
        assert run(path)[0] == 0  # who is known is no guess


@pytest.mark.parametrize("form", ["ann+ps1+2026-11-{:02} 10-00-00/ps1.ipynb", "12-345 - ann - Nov {}, 2026 1000 AM/ps1.ipynb", "ann 2026-11-{:02} 10-00-00/ps1.ipynb",
                                  "ps1_ann_attempt_2026-11-{:02}-10-00-00_ps1.ipynb", "submissions/ann+ps1+2026-11-{:02}T10:00:00Z/ps1.ipynb"])
def test_each_hand_in_is_of_the_same_student(run, course, tmp_path, form):
    first, second = form.format(9), form.format(20)
    status, rows = run(pack(tmp_path / "1.zip", {first: worked("first"), first.replace("ann", "bob"): worked("bob")}))
    assert collected(course)["ann"] == "first"
    status, rows = run(pack(tmp_path / "2.zip", {second: worked("second"), first: worked("first")}, {second: (2026, 11, 21, 0, 0, 0)}))
    assert set(collected(course)) == {"ann", "bob"} and collected(course)["ann"] == "second", rows
    assert status == 1 and rows[first].startswith("!") and "older than" in rows[first]


def test_a_name_draws_nothing_in_the_table(run, course, tmp_path, capsys):
    false_row = "   Ann Abt_101_assignsubmission_file/ps1.ipynb             Ann-Abt (Ann Abt)               refused: empty"
    own = changed(source="own")
    cell(own, "ps1-depth").metadata.nbgrader["grade_id"] = "\x1b[31mred"
    for c in own.cells:
        c.metadata.get("nbgrader", {})["grade_id"] = "\x1b[31mred"
    inner = packed({f"x.txt{' ' * 60}{false_row}": "x", "y\u2800\u2800\u3164\u202e\u3000\x9b2J\r\n.txt": "x", "ps1.ipynb": nbformat.writes(own)})
    path = pack(tmp_path / "all.zip", {f"{who}_10{at}_assignsubmission_file/{name}": content for at, (who, name, content) in enumerate((
        ("Ann Abt", "ps1.ipynb", worked("Ann")), ("Bob  Bell\x1b[1A", "b.zip", inner)), 1)})
    status, rows = run(path)
    main(["ps1", str(path)])
    lines = capsys.readouterr().out.splitlines()
    assert status == 1 and len(rows) == 4 and all(line.isprintable() for line in lines)
    begin = "Bob Bell\\x1b[1A_102_assignsubmission_file/b.zip > "
    assert {place for place in rows if place.startswith("Bob")} == {
        f"{begin}x.txt {' '.join(false_row.split())}", f"{begin}y\\u2800\\u2800\\u3164\\u202e\\u3000\\x9b2J\\r\\n.txt", f"{begin}ps1.ipynb"}
    assert "\\x1b[31mred" in rows[f"{begin}ps1.ipynb"]


@pytest.mark.parametrize("names, said", [
    ({"ps1.ipynb": "", "ps1-Copy1.ipynb": "mine"}, "ps1.ipynb was worked on less than ps1-Copy1.ipynb; give that its name"),
    ({"ps1.ipynb": "", "old/ps1.ipynb": "mine"}, "ps1.ipynb was worked on less than old/ps1.ipynb; give that its name"),
    ({"ps1.ipynb": "mine", "ps1-Copy1.ipynb": "older"}, None), ({"ps1.ipynb": "", "ps1-Copy1.ipynb": ""}, None), ({"ps1.ipynb": "", "notes.txt": "x"}, None),
    ({"ps1.ipynb": "mine", os.fsdecode(b"\xff.ipynb"): "x"}, "nbgrader can't write down the name '\\udcff.ipynb'; rename it, or take it away"),
])
def test_a_notebook_that_would_not_be_graded_is_named(course, names, said):
    for name, words in names.items():
        path = course / "submitted" / "Ann" / "ps1" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(worked(words) if words else EMPTY)
    assert grading.__main__.refused(course, "Ann", "ps1") == said


def test_what_is_said_of_a_submission_that_is_not_graded_draws_nothing(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    monkeypatch.setenv(isolation.ISOLATION, "off")  # nothing is executed
    said = "[AutogradeApp | ERROR] Notebook JSON is invalid\n    \x1b[2J\x1b[1mHACK  all\r fine\n"
    (course / "submitted" / "Ann").mkdir(parents=True)
    hand_in(course, "Ann", "ps1", release())
    (course / "submitted" / "Bob\x1bc" / "ps1").mkdir(parents=True)
    monkeypatch.setattr(grading.__main__, "autograde", lambda course, student, *_: {"student": student, "success": False, "seconds": 1, "log": said, "error": "\x1b[1A"})
    assert grading.__main__.main(["ps1", "--jobs=1"]) == 1
    shown = capsys.readouterr().out
    assert "Bob\\x1bc: not graded, no ps1.ipynb" in shown and "\n    \\x1b[2J\\x1b[1mHACK all\\r fine\n\\x1b[1A\n" in shown
    assert all(line.isprintable() for line in shown.split("\n"))


@pytest.mark.parametrize("form, inner", [
    ("Problem Set 1_{}_attempt_2026-11-{:02}-10-00-00_{}.ipynb", "mine_ann_attempt_2026-11-21-10-00-00_w"),
    ("ps1_{}_attempt_2026-11-{:02}-10-00-00_{}.ipynb", "x_ann_attempt_2026-11-21-10-00-00_w"),
    ("ps1_{}_attempt_2026-11-{:02}-10-00-00_{}.ipynb", "_attempt_2026-11-21-10-00-00_ann"),
    ("{}_1{}_assignsubmission_file_{}.ipynb", "ann_120_assignsubmission_file_w"), ("{}_1{}_assignsubmission_file_{}/ps1.ipynb", "ann_120_assignsubmission_file_"),
    ("{}_222_678{}_{}.ipynb", "ann_222_67899_w"), ("{}_222_678{}_{}.ipynb", "LATE_anon_ann_67899_w"),
    ("{}+ps1+2026-11-{:02} 10:00:00 UTC{}/ps1.ipynb", "+ann+ps1+2026-11-21 10:00:00 UTC"),
    ("12-345 - {} - Nov {}, 2026 1000 AM{}/ps1.ipynb", " - ann - Nov 21, 2026 1000 AM"), ("{}_ps1_{}_{}.ipynb", "ann_ps1_w"), ("ps1_{}_{}_{}.ipynb", "ps1_ann"),
])
def test_what_the_platform_wrote_decides_and_a_name_that_fits_twice_is_marked(run, course, tmp_path, form, inner):
    names = {"ann": form.format("ann", 20, ""), "mallory": form.format("mallory", 21, inner), "bob": form.format("bob", 20, "")}
    times = {names["mallory"]: (2026, 11, 21, 10, 0, 0)}
    status, rows = run(pack(tmp_path / "all.zip", {name: worked(who) for who, name in names.items()}, times))
    found = {re.split(r"[-_]\d", student)[0]: words for student, words in collected(course).items()}
    assert found == {who: who for who in names}, rows
    assert status == 1 and [place for place, row in rows.items() if row.startswith("!")] == [names["mallory"]], rows


@pytest.mark.parametrize("hers, anothers, others", [
    ("annabt_12345_67890_ps1.ipynb", "annabt_12345_222_67891_ps1.ipynb", "annabt_12345-222"),  # "annabt_12345", user 222
    ("annabt_12345_67890_ps1.ipynb", "annabt_12345_LATE_222_67891_ps1.ipynb", "annabt_12345-222"),
    ("annabt_12345_67890_ps1.ipynb", "annabt_12345_67891_x_222_67892_ps1.ipynb", "annabt_12345_67891_x-222"),
    ("annabt_12345_67890_ps1.ipynb", "annabt_12345_2026_11_20_222_67891_ps1.ipynb", "annabt_12345_2026_11_20-222"),
    ("anon_Ab1cD_67890_ps1.ipynb", "anon_Ab1cD_222_67891_ps1.ipynb", "anon_Ab1cD-222"),
    ("Section 1/annabt_12345_67890_ps1.ipynb", "Section 1/annabt_12345_222_67891_ps1.ipynb", "annabt_12345-222"),
])
def test_a_user_of_canvas_whose_name_ends_in_a_number_takes_nobodys_place(run, course, tmp_path, hers, anothers, others):
    ann = re.sub(r"(?:.*/)?(.+?)_(\d+)_.*", r"\1-\2", hers) if "anon" not in hers else "anon_Ab1cD"
    files = {anothers: worked("other"), hers: worked("Ann")}
    status, rows = run(pack(tmp_path / "all.zip", files, {anothers: (2026, 11, 21, 12, 0, 0)}))
    assert collected(course) == {ann: "Ann", others: "other"}, rows
    assert status == 1 and rows[anothers].startswith("!") and f"could be {ann}'s" in rows[anothers] and not rows[hers].startswith("!")
    shutil.rmtree(course / "submitted")
    (course / "collected.json").unlink()
    for number, name in enumerate(files):  # one after the other
        run(pack(tmp_path / f"{number}.zip", {name: files[name], "Section 1/bob_3_4_ps1.ipynb" if "/" in name else "bob_3_4_ps1.ipynb": worked("Bob")}))
    assert collected(course) == {ann: "Ann", others: "other", "bob-3": "Bob"}


@pytest.mark.parametrize("form", ["{} - Ann Abt - Nov 20, 2026 1000 AM/ps1.ipynb", "Section {0}/Ann Abt_{0}_assignsubmission_file_/ps1.ipynb"])
def test_two_numbers_of_one_name_are_two_students(run, course, tmp_path, form):
    first, second = (form.format(number) for number in (("12-345", "13-345") if "Nov" in form else (1, 2)))
    status, rows = run(pack(tmp_path / "all.zip", {first: worked("one"), second: worked("two"), form.replace("Ann Abt", "Bob").format("14-345" if "Nov" in form else 3): worked("Bob")}))
    assert len(collected(course)) == 3 and set(collected(course).values()) == {"one", "two", "Bob"}, rows
    assert status == 1 and all(rows[name].startswith("!") and "not the only Ann Abt" in rows[name] for name in (first, second)), rows


def test_where_a_name_of_blackboards_begins_is_not_sure(run, course, tmp_path):
    name = "Homework_1_ann_abt_attempt_2026-11-20-10-00-00_work.ipynb"
    status, rows = run(pack(tmp_path / "all.zip", {name: worked("x")}))
    assert status == 1 and rows[name].startswith("!") and "which the name does not tell for sure" in rows[name]


def test_notebooks_are_not_kept_in_memory_and_large_ones_are_named(run, course, tmp_path):
    large = worked("large").encode() + b" " * archives.LARGEST
    padded = worked("padded").encode().ljust(8 * 2**20)
    names = [f"Student {number}" for number in range(12)]
    path = pack(tmp_path / "all.zip", {"Ann/ps1.ipynb": large, **{f"{name}/ps1.ipynb": padded for name in names}})
    tracemalloc.start()
    status, rows = run(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * len(padded)  # bytes, text and what is made of it, of one
    assert status == 1 and set(collected(course)) == {plain(name) for name in names} and rows["Ann/ps1.ipynb"].startswith("!")
    assert f"larger than {archives.LARGEST // 2**20} MB" in rows["Ann/ps1.ipynb"]
    alone = tmp_path / "Fay_ps1.ipynb"
    alone.write_bytes(large)
    status, rows = run(alone)
    assert status == 1 and "larger than" in rows["Fay_ps1.ipynb"]
    # Placed by hand, it stays.
    placed = course / "submitted" / "Student-1" / "ps1" / "ps1.ipynb"
    placed.write_bytes(large)
    name = "Student 1/ps1.ipynb"
    status, rows = run(pack(tmp_path / "empty.zip", {name: EMPTY}, {name: (2026, 12, 24, 0, 0, 0)}))
    assert "the one of before stays" in rows[name] and placed.stat().st_size == len(large)


@pytest.mark.parametrize("inner", ["dora_77_99999_ps1.ipynb", "ann_12345_99999_ps1.ipynb", "Ann/ps1.ipynb"])
@pytest.mark.parametrize("around", ["", "download/"])
def test_what_a_student_named_in_an_archive_that_was_unpacked_takes_nobodys_place(run, course, tmp_path, inner, around):
    files = {"ann_12345_6_ps1.ipynb": worked("Ann"), "cem_4_5_ps1.ipynb": worked("Cem"), f"bob_3_67_x/{inner}": worked("Bob")}
    status, rows = run(pack(tmp_path / "all.zip", {around + name: text for name, text in files.items()}))
    assert set(collected(course)) == {"ann-12345", "bob-3", "cem-4"} and status == 0
    assert "Ann" in collected(course)["ann-12345"]


def test_names_of_canvas_in_one_folder_that_may_be_a_hand_in_are_marked(run, course, tmp_path):
    files = {"bob_3_68_x/dana_9_99999_ps1.ipynb": worked("Bob"), "bob_3_68_x/cem_4_99999_ps1.ipynb": worked("Bob")}
    status, rows = run(pack(tmp_path / "all.zip", files))
    assert status == 1 and all(row.startswith("!") and "bob_3_68_x may be another's" in row for row in map(rows.get, files)), rows


def test_a_folder_beside_files_that_moodle_has_named_is_marked(run, course, tmp_path):
    files = {"Ann Abt_1_assignsubmission_file_ps1.ipynb": worked("Ann"), "Cem_3_assignsubmission_file_ps1.ipynb": worked("Cem"),
             "x/Ann Abt_1_assignsubmission_file_ps1.ipynb": worked("Bob")}
    status, rows = run(pack(tmp_path / "all.zip", files))
    assert status and [place for place, row in rows.items() if row.startswith("!")] == [list(files)[2]]
    assert set(collected(course)) == {"Ann-Abt", "Cem", "x"}


def test_a_student_of_whom_nothing_is_collected_is_marked(run, course, tmp_path):
    files = {"Ann/._ps1.ipynb": "x", "Bob/__MACOSX/ps1.ipynb": worked("Bob"), "Cem/": b"", "Dan_1_assignsubmission_file_/": b"",
             "Eve/ps1.ipynb": worked("Eve"), "Eve/._ps1.ipynb": "x", "__MACOSX/Eve/._ps1.ipynb": "x", "Eve/data/": b"", "__MACOSX/._Eve": "x"}
    status, rows = run(pack(tmp_path / "all.zip", files))
    assert {place for place, row in rows.items() if row.startswith("!")} == set(list(files)[:4]) and set(collected(course)) == {"Eve"}
    moodle = "Fay_1_assignsubmission_file_/ps1.ipynb"
    status, rows = run(pack(tmp_path / "mac.zip", {moodle: worked("Fay"), "__MACOSX/Fay_1_assignsubmission_file_/._ps1.ipynb": "x",
                                                   "abt_1_2_ps1.ipynb": worked("Abt"), "__MACOSX/._abt_1_2_ps1.ipynb": "x"}))
    assert status == 0 and set(collected(course)) == {"Eve", "Fay", "abt-1"}


def test_a_notebook_is_known_by_what_is_in_it(run, course, tmp_path):
    files = {"Ann/ps1.ipynb": worked("old"), "Ann/final.v2": worked("new"), "Bob/ps1.bak": worked("Bob")[:-20], "Cem/x.csv": "{", "Cem/ps1.ipynb": worked("Cem")}
    status, rows = run(pack(tmp_path / "all.zip", files, {"Ann/final.v2": (2026, 11, 21, 0, 0, 0)}))
    found = collected(course)
    assert status == 1 and (found["Ann"], found["Cem"]) == ("new", "Cem") and "older than final.v2" in rows["Ann/ps1.ipynb"]
    assert rows["Bob/ps1.bak"].startswith("!") and "can't be read as a notebook" in rows["Bob/ps1.bak"] and "Bob" in found


def test_times_that_a_student_could_have_written_do_not_count(run, course, tmp_path):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment("ps1", duedate="2026-11-20 18:00 UTC")
    early = (2026, 11, 1, 12, 0, 0)
    inner = io.BytesIO()
    pack(inner, {"ps1.ipynb": worked("Cem")}, {"ps1.ipynb": early})
    alone = {"Bob.zip": inner.getvalue()}, {"Ann/ps1.ipynb": worked("Ann"), "Ann/data.csv": "x"}
    for files in alone:
        _, rows = run(pack(tmp_path / "own.zip", files, {"Ann/ps1.ipynb": early, "Bob.zip": early}))
        assert not any("in time" in row or "2026-11-01" in row for row in rows.values()), rows
    blank = (1980, 1, 1, 0, 0, 0)
    files = {"Cem.zip": inner.getvalue(), "Dan/ps1.ipynb": worked("Dan"), "Eve/ps1.ipynb": worked("Eve")}
    _, rows = run(pack(tmp_path / "all.zip", files, {"Cem.zip": blank, "Dan/ps1.ipynb": (2026, 11, 21, 12, 0, 0), "Eve/ps1.ipynb": NOON}))
    assert "late" in rows["Dan/ps1.ipynb"] and "in time" in rows["Eve/ps1.ipynb"]
    assert "in time" not in rows["Cem.zip > ps1.ipynb"] and "2026" not in rows["Cem.zip > ps1.ipynb"]
    assert sorted(path.parts[-3] for path in course.glob("submitted/*/ps1/timestamp.txt")) == ["Dan", "Eve"]


def test_a_timestamp_that_is_none_is_named(run, course, tmp_path):
    run(pack(tmp_path / "1.zip", {f"{name}/ps1.ipynb": worked(name) for name in ("Ann", "Bob")}))
    for student, said in (("Ann", b"soon"), ("Bob", b"\xff")):
        (course / "submitted" / student / "ps1" / "timestamp.txt").write_bytes(said)
    new = {"Ann/ps1.ipynb": worked("Ann 2"), "Bob/ps1.ipynb": worked("Bob")}
    status, rows = run(pack(tmp_path / "2.zip", new, {"Ann/ps1.ipynb": (2026, 12, 24, 0, 0, 0)}))
    assert status == 1 and collected(course) == {"Ann": "Ann 2", "Bob": "Bob"}
    for student in ("Ann", "Bob"):
        row = rows[f"{student}/ps1.ipynb"]
        assert row.startswith("!") and f"no time can be read in submitted/{student}/ps1/timestamp.txt" in row


# --- what is less than the work, whose it is by a guess, and of when

NOTES = nbformat.writes(nbformat.v4.new_notebook(cells=[new_markdown_cell("My answers in words.")]))
LATER = (2026, 11, 21, 12, 0, 0)


def with_a_question():
    """Notes that quote a question."""
    return nbformat.writes(nbformat.v4.new_notebook(cells=[copy.deepcopy(cell(release(), ANSWER)), new_markdown_cell("My answer in words.")]))


def stamp_of(course, student):
    path = course / "submitted" / student / "ps1" / "timestamp.txt"
    return path.read_text().strip() if path.exists() else None


@pytest.mark.parametrize("name", ["ps1-notes.ipynb", "ps1-answers.ipynb", ".ipynb_checkpoints/ps1-checkpoint.ipynb"])
@pytest.mark.parametrize("make", [lambda: NOTES, with_a_question, lambda: "{"])
def test_notes_take_no_place_of_the_work(run, course, tmp_path, name, make):
    notes, solved = f"Ann/{name}", "Ann/ps1.ipynb"
    status, rows = run(pack(tmp_path / "1.zip", {solved: worked("Ann"), notes: make()}, {notes: LATER}))
    assert collected(course) == {"Ann": "Ann"}, rows
    assert "collected" in rows[solved] and "left out" in rows[notes] and (rows[notes].startswith("!") or "checkpoint" in name), rows
    status, rows = run(pack(tmp_path / "2.zip", {notes: make()}, {notes: LATER}))
    assert collected(course) == {"Ann": "Ann"} and status == 1
    assert "the one of before stays" in rows[notes] or "older" in rows[notes] and "checkpoint" in name, rows


@functools.cache  # a new cell has another id each time
def solved(*, alone: bool = False, below: bool = False, nameless: bool = False) -> str:
    """Set 1 with all answers: `alone`, without all else; `below`, each in a cell under its own; `nameless`, without metadata."""
    nb, answers = release(), {grade_id(c): c.source for c in source("ps1").cells if c.metadata.get("nbgrader", {}).get("solution")}
    if alone:
        nb.cells = [c for c in nb.cells if grade_id(c) in answers]
    for key, text in answers.items():
        if below:
            nb.cells.insert(place(nb, key) + 1, new_code_cell(text) if cell(nb, key).cell_type == "code" else new_markdown_cell(text))
        else:
            cell(nb, key).source = text
    for c in nb.cells * nameless:
        c.metadata = nbformat.NotebookNode()
    return nbformat.writes(nb)


@functools.cache
def scratch() -> str:
    return nbformat.writes(insert(new_code_cell("1+1"), "ps1-depth"))


SOLVED = {"whole": solved, "alone": lambda: solved(alone=True), "below": lambda: solved(below=True), "nameless": lambda: solved(nameless=True)}


@pytest.mark.parametrize("newer", [scratch, lambda: worked("One answer.")])
@pytest.mark.parametrize("how", SOLVED)
def test_a_copy_that_was_hardly_touched_takes_no_place_of_the_work(run, course, tmp_path, how, newer):
    one, two, three = "Ann/ps1.ipynb", "Ann/scratch.ipynb", "Ann/ps1-v2.ipynb"
    status, rows = run(pack(tmp_path / "1.zip", {one: SOLVED[how](), two: newer()}, {two: LATER}))
    at = course / "submitted/Ann/ps1/ps1.ipynb"
    assert at.read_text() == SOLVED[how]() and rows[two].startswith("!") and "worked on, and 4 in ps1.ipynb" in rows[two], rows
    status, rows = run(pack(tmp_path / "2.zip", {two: newer()}, {two: LATER}))
    assert at.read_text() == SOLVED[how]() and "the one of before stays" in rows[two] and status == 1, rows
    for other in SOLVED:  # the newest of equals, whatever their form
        run(pack(tmp_path / "3.zip", {one: SOLVED[how](), three: SOLVED[other]()}, {three: LATER}))
        assert at.read_text() == SOLVED[other]()
        shutil.rmtree(course / "submitted/Ann")


@pytest.mark.parametrize("both", [True, False])
def test_what_was_worked_on_less_and_is_older_is_older(run, course, tmp_path, both):
    first, last = (pack(tmp_path / f"{day}.zip", {"Ann/ps1.ipynb": make(), "Bob/ps1.ipynb": worked("Bob")}, {"Ann/ps1.ipynb": (2026, 11, day, 12, 0, 0)})
                   for day, make in ((18, lambda: worked("One answer.")), (19, solved)))
    status, rows = run(first, last) if both else (run(first), run(last))[1]
    assert (course / "submitted/Ann/ps1/ps1.ipynb").read_text() == solved() and status == 0, rows


def test_of_what_is_no_work_the_best_is_collected(run, course, tmp_path):
    files = {"Ann/ps1.ipynb": EMPTY, "Ann/ps1-notes.ipynb": NOTES, "Bob/ps1-notes.ipynb": NOTES, "Bob/ps1.ipynb": "{", "Cem/ps1.ipynb": EMPTY, "Cem/x.ipynb": "{",
             "Dan/ps1.ipynb": EMPTY, "Dan/words.ipynb": with_a_question()}
    status, rows = run(pack(tmp_path / "1.zip", files, dict.fromkeys(["Ann/ps1-notes.ipynb", "Bob/ps1.ipynb", "Cem/x.ipynb"], LATER)))
    taken = {place for place, row in rows.items() if " collected" in row}
    assert taken == {"Ann/ps1.ipynb", "Bob/ps1-notes.ipynb", "Cem/ps1.ipynb", "Dan/words.ipynb"}, rows
    assert all(row.startswith("!") for place, row in rows.items() if place not in ("Dan/words.ipynb", "Dan/ps1.ipynb")), rows


BLACKBOARD = "{}_attempt_2026-11-{:02}-10-00-00_{}.ipynb".format


@pytest.mark.parametrize("title", ["PS 1", "ps1", "ps1 Backprop", "Homework ps1"])
def test_an_account_of_blackboards_with_an_underscore_is_told_from_the_title(run, course, tmp_path, title):
    first = {BLACKBOARD(f"{title}_{who}", 20, "ps1"): worked(who) for who in ("a_bell", "a_bell_jr", "cem")}
    status, rows = run(pack(tmp_path / "1.zip", first))
    assert status == 0 and collected(course) == {who: who for who in ("a_bell", "a_bell_jr", "cem")}, rows
    status, rows = run(pack(tmp_path / "2.zip", {BLACKBOARD(f"{title}_{who}", 21, "ps1"): worked(who) for who in ("bell", "dan")}))
    assert status == 0 and collected(course) == {who: who for who in ("a_bell", "a_bell_jr", "cem", "bell", "dan")}, rows


@pytest.mark.parametrize("accounts", [["a_bell"], ["a_bell", "a_cox"], ["a_bell", "cem"]])
def test_an_account_of_blackboards_that_the_course_knows_decides(run, course, tmp_path, accounts):
    run(pack(tmp_path / "1.zip", {BLACKBOARD(f"PS 1_{who}", 20, "ps1"): worked(who) for who in ("a_bell", "bell", "dan")}))
    files = {BLACKBOARD(f"PS 1_{who}", 22, "ps1"): worked(f"{who} again") for who in accounts}
    status, rows = run(pack(tmp_path / "2.zip", files))
    assert not any("taken for" in row for row in rows.values()) and status == (len(accounts) == 1)  # one student's times are not believed
    assert collected(course) == {"a_bell": "a_bell", "bell": "bell", "dan": "dan"} | {who: f"{who} again" for who in accounts}, rows


def test_a_guess_takes_no_place_of_what_is_sure(run, course, tmp_path):
    run(pack(tmp_path / "1.zip", {BLACKBOARD(f"PS 1_{who}", 20, "ps1"): worked(who) for who in ("bell", "dan")}))
    guess = BLACKBOARD("PS 1_a_bell", 22, "ps1")
    status, rows = run(pack(tmp_path / "2.zip", {guess: worked("a_bell")}))
    assert status == 1 and collected(course) == {"bell": "bell", "dan": "dan"}, rows
    assert rows[guess].startswith("!") and "by a guess" in rows[guess] and "collect it with --student" in rows[guess], rows
    assert main(["ps1", str(tmp_path / "2.zip"), "--student", "a_bell"]) == 0
    assert collected(course) == {"bell": "bell", "dan": "dan", "a_bell": "a_bell"}
    status, rows = run(pack(tmp_path / "3.zip", {guess.replace("-22-", "-23-"): worked("a_bell again")}))
    assert status == 1 and collected(course) == {"bell": "bell", "dan": "dan", "a_bell": "a_bell again"}, rows
    assert "by a guess" not in "".join(rows.values()) and "nothing tells that it is newer" in "".join(rows.values()), rows


@pytest.mark.parametrize("title", ["PS 1", "ps1", "Problem_Set"])
def test_an_archive_that_was_handed_in_on_blackboard_is_the_accounts(run, course, tmp_path, title):
    inner = {who: packed({"x/ps1.ipynb": worked(who), "y_bob_attempt_2026-11-23-10-00-00_ps1.ipynb": worked(who)}) for who in ("ann", "bell")}
    files = {f"{title}_{who}_attempt_2026-11-{day}-10-00-00_work.zip": inner[who] for who, day in (("ann", 20), ("bell", 21))}
    status, rows = run(pack(tmp_path / "all.zip", {BLACKBOARD(f"{title}_cem", 20, "w"): worked("cem")} | files))
    assert collected(course) == {"ann": "ann", "bell": "bell", "cem": "cem"}, rows
    assert status == ("_" in title) and stamp_of(course, "bell")[:10] == "2026-11-21"  # where the account begins in Problem_Set_ann, who knows?


@pytest.mark.parametrize("guess, sure, student", [
    ([BLACKBOARD("PS 1_a_bell", 20, "ps1")], [BLACKBOARD(f"PS 1_{who}", 21, "ps1") for who in ("bell", "dan")], "bell"),
    (["ps1_final_Dana.ipynb", "Zed_ps1.ipynb"], ["Dana_ps1.ipynb", "Bob_ps1.ipynb"], "Dana"),
])
def test_a_guess_and_what_is_sure_replace_each_other_in_sight_alone(run, course, tmp_path, guess, sure, student):
    for number, names in enumerate((guess, sure, guess)):
        files = {name: worked(f"{name} {number}") for name in names}
        status, rows = run(pack(tmp_path / f"{number}.zip", files, dict.fromkeys(files, (2026, 11, 21, 12 + number, 0, 0))))
        if number == 1:
            assert collected(course)[student] == f"{names[0]} 1"
            assert status == 1 and rows[names[0]].startswith("!") and "what it replaces was taken for" in rows[names[0]], rows
        elif number == 2:
            assert collected(course)[student] == f"{sure[0]} 1", rows
            assert rows[names[0]].startswith("!") and "taken for" in rows[names[0]] and "replaced/" not in rows[names[0]], rows
    again = tmp_path / "1.zip"
    run(again)
    assert list((course / "replaced" / student / "ps1").glob("*.ipynb"))


def test_a_guess_beside_what_is_sure_in_another_archive_is_marked(run, course, tmp_path):
    run(pack(tmp_path / "0.zip", {"Dana_ps1.ipynb": worked("0"), "Zed_ps1.ipynb": worked("z")}))  # known
    shutil.rmtree(course / "submitted" / "Dana")
    sure = pack(tmp_path / "1.zip", {"Dana_ps1.ipynb": worked("sure"), "Zed_ps1.ipynb": worked("z")})
    guess = pack(tmp_path / "2.zip", {"ps1_final_Dana.ipynb": worked("guess"), "Zed_ps1.ipynb": worked("z")}, {"ps1_final_Dana.ipynb": (2026, 11, 20, 12, 1, 0)})
    status, rows = run(sure, guess)
    assert collected(course)["Dana"] == "sure" and status == 1 and rows["2.zip: ps1_final_Dana.ipynb"].startswith("!"), rows


def test_what_was_a_guess_and_is_sure_now_is_no_guess(run, course, tmp_path):
    run(pack(tmp_path / "1.zip", {"ps1_final_Dana.ipynb": worked("1"), "Zed_ps1.ipynb": worked("z")}))
    run(pack(tmp_path / "2.zip", {"Dana_ps1.ipynb": worked("1"), "Zed_ps1.ipynb": worked("z")}))
    status, rows = run(pack(tmp_path / "3.zip", {"Dana_ps1.ipynb": worked("2"), "Zed_ps1.ipynb": worked("z")}, {"Dana_ps1.ipynb": (2026, 11, 20, 12, 5, 0)}))
    assert status == 0 and collected(course)["Dana"] == "2", rows


TIMED = {
    "Blackboard": "PS 1_{}_attempt_2026-11-{:02}-10-00-00_ps1.ipynb", "exchange": "{}+ps1+2026-11-{:02} 10:00:00.123456 UTC/ps1.ipynb",
    "exchange, unpacked": "{}+ps1+2026-11-{:02}T10_00_00Z/ps1.ipynb", "Brightspace": "12-345 - {} - Nov {}, 2026 1000 AM/ps1.ipynb",
    "Brightspace, long": "12-345 - {} - {} November, 2026 10_00/ps1.ipynb", "folder": "class/{} 2026-11-{:02} 10-00-00/ps1.ipynb",
    "offset": "{}+ps1+2026-11-{:02} 12:30:00 +0230/ps1.ipynb",
}


@pytest.mark.parametrize("form", TIMED)
@pytest.mark.parametrize("at_once", [True, False])
def test_the_time_in_a_platforms_name_counts(run, course, tmp_path, form, at_once):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment("ps1", duedate="2026-11-20 18:00 UTC")
    new, old, bob = (TIMED[form].format(who, day) for who, day in (("ann", 22), ("ann", 9), ("bob", 10)))
    files = {new: worked("new"), bob: worked("bob"), old: worked("old")}  # the older one later in it
    if at_once:
        status, rows = run(pack(tmp_path / "all.zip", files))
        assert "older than" in rows[old]
    else:
        run(pack(tmp_path / "new.zip", {name: files[name] for name in (new, bob)}))
        status, rows = run(pack(tmp_path / "old.zip", {name: files[name] for name in (old, bob)}, {old: LATER, bob: LATER}))
        assert "older than what was collected" in rows[old]
    assert collected(course) == {"ann": "new", "bob": "bob"}, rows
    here = "UTC" in form or "exchange" in form or form == "offset"
    local = datetime(2026, 11, 22, 10, tzinfo=timezone.utc if here else None).astimezone(timezone.utc)
    assert stamp_of(course, "ann") == f"{local:%Y-%m-%d %H:%M:%S} UTC"
    assert "in time" in rows[bob] and (not at_once or "late" in rows[new] and "in time" in rows[old])


@pytest.mark.parametrize("text, hour", [("Nov 21, 2026 1205 AM", 0), ("Nov. 21, 2026 12:05 PM", 12), ("November 21, 2026 905 PM", 21), ("21 Nov, 2026 09_05", 9),
                                        ("Nov 31, 2026 905 PM", None), ("Nov 21, 2026 2505", None), ("Now 21, 2026 905 PM", None), ("2026-11-21", None)])
def test_what_is_read_as_a_time(text, hour):
    found, zone = collect._moment(f" - {text}")
    assert not zone and found == (None if hour is None else datetime(2026, 11, 21, hour, 5).astimezone(timezone.utc))


@pytest.mark.parametrize("zone, hour", [("UTC", 10), ("GMT", 10), ("+0545", 4), ("-03", 13), ("+02:00", 8), ("CET", 9), ("CEST", None), ("CST", None)])
def test_a_time_zone_is_read_or_named(run, course, tmp_path, monkeypatch, zone, hour):
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        names = {who: f"{who}+ps1+2026-11-{day} 10:00:00.123456 {given}/ps1.ipynb" for who, day, given in (("ann", 20, zone), ("bob", 21, "UTC"))}
        again = f"ann+ps1+2026-11-22 10:00:00.123456 {zone}/ps1.ipynb"
        status, rows = run(pack(tmp_path / "all.zip", {again: worked("new"), names["bob"]: worked("bob"), names["ann"]: worked("old")}))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert collected(course) == {"ann": "new", "bob": "bob"} and stamp_of(course, "bob") == "2026-11-21 10:00:00 UTC", rows
    if hour is None:
        assert rows[again].startswith("!") and f"time zone is not read: {zone}" in rows[again] and stamp_of(course, "ann") is None, rows
    else:
        assert stamp_of(course, "ann")[:13] == f"2026-11-22 {hour:02}" and not rows[again].startswith("!"), rows


def test_a_time_that_a_student_wrote_into_a_name_does_not_count(run, course, tmp_path):
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.update_or_create_assignment("ps1", duedate="2026-11-15 18:00 UTC")
    forged = ["Ann/Ann+ps1+2026-11-01 10:00:00 UTC/ps1.ipynb", "Ann_ps1_Ann_attempt_2026-11-01-10-00-00_w.ipynb", "Ann+ps1+2026-11-01 10:00:00 UTC/ps1.ipynb",
              "Ann_1_assignsubmission_file/ps1_Ann_attempt_2026-11-01-10-00-00_w.ipynb"]
    for number, name in enumerate(forged):
        files = {name: worked(f"{number}"), "Bob/ps1.ipynb": worked("Bob")}
        _, rows = run(pack(tmp_path / f"{number}.zip", files, {name: (2026, 11, 18, 12, 0, number * 10)}))
        assert not re.search(r"in time|2026-11-01 \d\d:\d\d ", rows[name]), rows
    assert "2026-11-01" not in (stamp_of(course, "Ann") or "")
    _, rows = run(pack(tmp_path / "alone.zip", {forged[2].replace("Ann", "Eve"): worked("Eve")}))
    assert "in time" not in "".join(rows.values()) and stamp_of(course, "Eve") is None


@pytest.mark.parametrize("first", ["Copy of", "Kopie von", "Copie de", "Copia di", "Copia de", "Cópia de", "Kopie van", "Kopia av", "Копия", "Copy of Copy of"])
def test_copy_of_is_no_name(run, course, tmp_path, first):
    files = {f"{first} ps1 - Cem.ipynb": "Cem", f"{first} ps1 - Dan Du.ipynb": "Dan-Du", f"{first} Eve_ps1.ipynb": "Eve", f"{first} ps1_Fay.ipynb": "Fay"}
    status, rows = run(pack(tmp_path / "all.zip", {name: worked(who) for name, who in files.items()}))
    assert status == 0 and collected(course) == {who: who for who in files.values()}, rows
    nobodys = f"{first} ps1.ipynb"
    status, rows = run(pack(tmp_path / "one.zip", {nobodys: worked("?")}))
    assert status == 1 and "no folder and no name says whose it is" in rows[nobodys]


def stop_at(monkeypatch, point):
    """End the command at the n-th step that changes a file; what counts the steps."""
    steps = []

    def counted(function):
        def step(*arguments, **named):
            steps.append(function)
            if len(steps) == point:
                raise KeyboardInterrupt
            return function(*arguments, **named)
        return step
    for module, name in ((os, "replace"), (shutil, "copyfile"), (shutil, "copy2"), (Path, "write_text"), (Path, "unlink"), (collect, "_introduce")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))


@pytest.mark.parametrize("dated", [True, False])
def test_wherever_it_is_stopped_older_work_takes_no_newer_ones_place(run, course, generated, tmp_path, monkeypatch, dated):
    def archive(number):
        name = "{}_10{}_assignsubmission_file/ps1.ipynb"
        files = {name.format(who, at): worked(f"{who} {number}") for at, who in enumerate(("Ann", "Bob"))}
        path = pack(tmp_path / f"{number}.zip", files, {place: (2026, 11, 10 + number, 10 + at * dated, 0, 0) for at, place in enumerate(files)})
        return path
    one, two = archive(1), archive(2)
    for point in itertools.count(1):
        with monkeypatch.context() as during:
            for name in ("submitted", "replaced"):
                shutil.rmtree(course / name, ignore_errors=True)
            (course / "collected.json").unlink(missing_ok=True)
            run(one)
            stop_at(during, point)
            try:
                run(two)
                break
            except KeyboardInterrupt:
                pass
        for rerun in (False, True):
            if rerun:
                run(two)
            before = collected(course)
            stamps = {who: stamp_of(course, who) for who in before}
            _, rows = run(one)
            assert collected(course) == before, (point, rerun, rows)
        assert before == {"Ann": "Ann 2", "Bob": "Bob 2"}, point
        assert [bool(stamp) and stamp[:10] for stamp in stamps.values()] == ["2026-11-12" if dated else False] * 2, point
    assert point > 6


def state_of(course):
    """What a run leaves: the files, and what is remembered."""
    files = {str(path.relative_to(course)): path.read_bytes() for name in ("submitted", "replaced") for path in course.glob(f"{name}/**/*") if path.is_file()}
    memory = json.loads((course / "collected.json").read_text()) if (course / "collected.json").exists() else {}
    return files, memory


def moodle(students: str, dates: list[int]) -> dict:
    """The names of an archive, as "Ann_101 Bob_102", and the time of each."""
    return {f"{name}_assignsubmission_file/ps1.ipynb": (2026, 11, day, 12, 0, 0) for name, day in zip(students.split(), dates, strict=True)}


# What was collected before (or lies there), and what is collected by the run that is ended: names and their times
ENDED = {
    "a guess": ([], [dict.fromkeys(("ps1_final_Dana.ipynb", "ps1_Bob.ipynb"), NOON)]),
    "a guess replaced": ([dict.fromkeys(("ps1_final_Dana.ipynb", "ps1_Bob.ipynb"), NOON)], [dict.fromkeys(("Dana/ps1.ipynb", "Bob/ps1.ipynb"), LATER)]),
    "a namesake": ([moodle("Ann_101 Cem_103", [10, 11])], [moodle("Ann_105 Cem_103 Dan_104", [12, 13, 14])]),
    "a time": ([moodle("Ann_101 Bob_102", [10, 10])], [moodle("Ann_101 Bob_102", [10, 14])]),
    "newer": ([moodle("Ann_101 Bob_102", [10, 11])], [moodle("Ann_101 Bob_102", [12, 13])]),
    "a time lost": ([moodle("Ann_101 Bob_102", [10, 11])], [moodle("Ann_101 Bob_102", [12, 12])]),
    "by hand": ([], [moodle("Eve_101 Bob_102", [12, 13])]),
    "what was replaced": ([moodle("Ann_101 Bob_102", [10, 10]), moodle("Ann_101 Cem_103", [11, 11])], [moodle("Ann_101 Dan_104", [12, 12]), moodle("Ann_101 Dan_104", [13, 13])]),
    "left out": ([moodle("Ann_101 Bob_102", [10, 10])], [moodle("Ann_101 Bob_102", [11, 11]) | {"Ann_101_assignsubmission_file/ps1-Copy1.ipynb": (2026, 11, 11, 12, 0, 0)}]),
    "Canvas": ([{"abtann_111_444_ps1.ipynb": NOON, "bob_112_445_ps1.ipynb": NOON}], [{"abtann_111_601_ps1-1.ipynb": NOON, "bob_112_602_ps1-1.ipynb": NOON}]),
}


@pytest.mark.parametrize("kind", ENDED)
def test_wherever_it_is_ended_the_same_command_says_and_does_what_it_would_have(run, course, tmp_path, monkeypatch, kind):
    before, archives = ENDED[kind]
    (course / "submitted/Eve/ps1").mkdir(parents=True)
    (course / "submitted/Eve/ps1/ps1.ipynb").write_text(worked("by hand"))
    os.utime(course / "submitted/Eve/ps1/ps1.ipynb", (10**9, 10**9))
    (course / "submitted/Eve/ps1/timestamp.txt").write_text("2026-11-01 10:00:00 UTC\n")
    for number, files in enumerate(before):
        same = kind == "a time"
        run(pack(tmp_path / f"before{number}.zip", {name: worked(name if same and "Ann" in name else f"{name} before") for name in files}, files))
    paths = [pack(tmp_path / f"{number}.zip", {name: worked(name) for name in files}, files) for number, files in enumerate(archives)]
    start = shutil.copytree(course, tmp_path / "start")

    def begin():
        shutil.rmtree(course)
        shutil.copytree(start, course)

    begin()
    want = run(*paths), state_of(course)
    for point in itertools.count(1):
        begin()
        ended = []
        for at in (point, 1 + point % 5)[:1 + point % 2]:  # half of them are ended a second time
            with monkeypatch.context() as during:
                stop_at(during, at)
                try:
                    run(*paths)
                except KeyboardInterrupt:
                    ended.append(at)
        if ended[:1] != [point]:
            break
        assert (run(*paths), state_of(course)) == want, point
    assert point > 12
    # What it replaced is there once.
    assert len({*want[1][0].values()}) >= len([name for name in want[1][0] if name.endswith(".ipynb")])


def test_after_an_ended_run_another_command_knows_what_was_done(run, course, tmp_path, monkeypatch):
    first = pack(tmp_path / "1.zip", {"ps1_final_Dana.ipynb": worked("guess"), "ps1_Bob.ipynb": worked("Bob")})
    second = pack(tmp_path / "2.zip", {"Dana/ps1.ipynb": worked("Dana"), "Bob/ps1.ipynb": worked("Bob")}, dict.fromkeys(("Dana/ps1.ipynb", "Bob/ps1.ipynb"), LATER))
    with monkeypatch.context() as during:
        during.setattr(collect, "_introduce", lambda gradebook, student, name: 1 / (student != "Dana"))
        with pytest.raises(ZeroDivisionError):
            run(first)
    assert collected(course)["Dana"] == "guess"
    status, rows = run(second)
    assert status == 1 and "what it replaces was taken for Dana's by a guess, from ps1_final_Dana.ipynb" in rows["Dana/ps1.ipynb"], rows


def test_the_numbers_of_canvas_tell_what_is_newer(run, course, tmp_path):
    old, new = "abtann_111_444_ps1.ipynb", "abtann_111_601_ps1-1.ipynb"
    one, two = pack(tmp_path / "1.zip", {old: worked("1")}), pack(tmp_path / "2.zip", {new: worked("2")})
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    (unpacked / old).write_text(worked("1"))  # now: its time is that of the unpacking
    run(one)
    status, _ = run(two)
    assert status == 0 and collected(course) == {"abtann-111": "2"}
    status, rows = run(unpacked)
    assert status == 1 and "older than what was collected, Canvas's file 601" in rows[old] and collected(course) == {"abtann-111": "2"}
    status, rows = run(unpacked, two)
    assert any("older than abtann_111_601" in row for row in rows.values()) and collected(course) == {"abtann-111": "2"}
    status, rows = run(pack(tmp_path / "3.zip", {"abtann_111_700_ps1-2.ipynb": worked("3")}, {"abtann_111_700_ps1-2.ipynb": (2020, 1, 1, 0, 0, 0)}))
    assert collected(course) == {"abtann-111": "3"}, rows


def by_mail(course, folder: Path, student: str, words: str, day: int) -> int:
    """Collect a notebook that came by mail on that day of November; the exit status."""
    path = folder / f"{words}.ipynb"
    path.write_text(worked(words))
    os.utime(path, (datetime(2026, 11, day, 12).timestamp(),) * 2)
    return main(["ps1", str(path), "--student", student])


def made_on(path: Path, day: int) -> Path:
    os.utime(path, (datetime(2026, 11, day, 12).timestamp(),) * 2)
    return path


@pytest.mark.parametrize("ann, bob, name", [
    ("Ann Abt_101_assignsubmission_file/ps1.ipynb", "Bob_102_assignsubmission_file/ps1.ipynb", "Ann Abt"),
    ("abtann_1_900_ps1.ipynb", "bob_2_901_ps1.ipynb", "abtann-1")])
def test_what_was_replaced_stays_out_when_the_next_archive_still_has_it(run, course, tmp_path, ann, bob, name):
    """Archives without times: they have that of the download."""
    def archive(number, words, **more):
        files = {ann: worked(words), bob: worked("Bob"), **{place: worked("Cem") for place in more.values()}}
        return pack(tmp_path / f"{number}.zip", files, dict.fromkeys(files, (2026, 11, 20 + number, 12, 0, 0)))

    student = plain(name)
    assert run(archive(0, "first"))[0] == 0
    assert by_mail(course, tmp_path, name, "by mail", 21) == 0 and collected(course)[student] == "by mail"
    for number in (2, 3):
        status, rows = run(archive(number, "first", cem=ann.replace("A", "C").replace("abtann_1_900", "cem_3_950")))
        assert collected(course)[student] == "by mail" and len(collected(course)) == 3
        assert status == 1 and rows[ann].startswith("!") and "collected before, and replaced since" in rows[ann]
        assert not rows[bob].startswith("!")
    # Another one takes its place, and then both stay out.
    assert by_mail(course, tmp_path, name, "by mail again", 24) == 0
    assert run(archive(5, "first"))[0] == run(archive(6, "by mail"))[0] == 1 and collected(course)[student] == "by mail again"
    status, rows = run(archive(7, "new"))
    assert status == 1 and rows[ann].startswith("!") and collected(course)[student] == "new"  # from before the mail, or after it?


@pytest.mark.parametrize("beside", ["ps1-Copy1.ipynb", "old/ps1.ipynb", ".ipynb_checkpoints/ps1-checkpoint.ipynb"])
def test_what_was_left_out_beside_what_was_replaced_stays_out(run, course, tmp_path, capsys, beside):
    """Archives without times, which still have both."""
    folder, both = "Ann_101_assignsubmission_file", tmp_path / "both.zip"
    pack(both, {f"{folder}/ps1.ipynb": worked("first"), f"{folder}/{beside}": worked("another")})
    made_on(both, 20)
    _, first = run(both)
    left, = [words for words in ("first", "another") if words not in collected(course).values()]
    by_mail(course, tmp_path, "Ann", "by mail", 21)
    for day in (22, 23):
        status, rows = run(made_on(both, day))
        assert status == 1 and collected(course) == {"Ann": "by mail"}, rows
        assert any("seen before" in row for row in rows.values()) and all(row.startswith("!") for row in rows.values()), rows
    # What the teacher collects by name counts, and is marked; so does what was handed in again, as its time says.
    capsys.readouterr()
    assert by_mail(course, tmp_path, "Ann", left, 24) == 1 and collected(course) == {"Ann": left} and "it was seen before" in capsys.readouterr().out
    again = {"Ann/ps1.ipynb": worked("by mail"), "Bob/ps1.ipynb": worked("Bob")}
    status, rows = run(pack(tmp_path / "dated.zip", again, {"Ann/ps1.ipynb": (2026, 11, 25, 12, 0, 0)}))
    assert collected(course)["Ann"] == "by mail" and rows["Ann/ps1.ipynb"].startswith("!") and "it was seen before" in rows["Ann/ps1.ipynb"]


def test_what_was_left_out_stays_out_after_a_run_that_was_ended(run, course, tmp_path, monkeypatch):
    folder = "Ann_101_assignsubmission_file"
    both = pack(tmp_path / "both.zip", {f"{folder}/ps1.ipynb": worked("first"), f"{folder}/ps1-Copy1.ipynb": worked("another")})
    for point in itertools.count(1):
        for name in ("submitted", "replaced"):
            shutil.rmtree(course / name, ignore_errors=True)
        (course / "collected.json").unlink(missing_ok=True)
        with monkeypatch.context() as during:
            stop_at(during, point)
            try:
                run(made_on(both, 20))
                break
            except KeyboardInterrupt:
                pass
        if there := collected(course):
            by_mail(course, tmp_path, "Ann", "by mail", 21)
            _, rows = run(made_on(both, 22))
            assert collected(course) == {"Ann": "by mail"}, (point, there, rows)
    assert point > 4


# What lies there, and what comes after it; and whether anything tells that this is newer
PAIRS = {
    "archive, archive": True, "mail, mail": True, "archive, mail": True, "mail, archive": False, "hand, archive": False, "hand, mail": True,
    "archive, time": True, "mail, time": True, "time, time": True, "time, archive": False, "time, mail": False,
    "number, number": True, "number, mail": True, "mail, number": False, "mail, same archive, archive": True,
}


@pytest.mark.parametrize("pair", PAIRS)
def test_where_nothing_tells_that_it_is_newer_what_takes_a_place_is_marked(run, course, tmp_path, monkeypatch, capsys, pair):
    monkeypatch.chdir(course)
    who, number = ("abtann-1", "abtann_1_{}_ps1.ipynb") if "number" in pair else ("Ann", "Ann_101_assignsubmission_file/ps1.ipynb")
    *_, before, last = [f"{at}" for at in range(len(pair.split(", ")))]
    for at, kind in enumerate(pair.split(", ")):
        words, day = "0" if kind == "same archive" else f"{at}", 20 + at
        capsys.readouterr()
        if kind == "hand":
            (course / f"submitted/{who}/ps1").mkdir(parents=True)
            (course / f"submitted/{who}/ps1/ps1.ipynb").write_text(worked(words))
            made_on(course / f"submitted/{who}/ps1/ps1.ipynb", day)
        elif kind == "mail":
            status = by_mail(course, tmp_path, who, words, day)
            said = capsys.readouterr().out
        else:
            files = {number.format(900 + at): worked(words), "Bob_102_assignsubmission_file/ps1.ipynb": worked("Bob")}
            times = {name: (2026, 11, day, 12 * (here and kind == "time"), 0, 0) for here, name in enumerate(files)}
            status, rows = run(made_on(pack(tmp_path / f"{at}.zip", files, times), day))
            said = rows[number.format(900 + at)]
    before = "0" if "same" in pair else before
    assert collected(course)[who] == last and [words_of(path) for path in (course / f"replaced/{who}/ps1").glob("*.ipynb")] == [before]
    assert status == (not PAIRS[pair]) and ("nothing tells that it is newer" in said) == (not PAIRS[pair]), said


def test_a_time_that_lies_beside_another_notebook_is_not_its_time(run, course, tmp_path):
    def hand_in(words, day):
        files = {"Ann_101_assignsubmission_file/ps1.ipynb": worked(words), "Bob_102_assignsubmission_file/ps1.ipynb": worked("Bob")}
        times = {name: (2026, 11, day if "Ann" in name else 19, 12, 0, 0) for name in files}
        return run(made_on(pack(tmp_path / f"{day}.zip", files, times), 28))
    hand_in("first", 20)
    placed = course / "submitted/Ann/ps1/ps1.ipynb"
    assert placed.with_name("timestamp.txt").exists()
    placed.write_text(worked("by hand"))
    made_on(placed, 24)
    status, rows = hand_in("second", 22)
    assert status == 1 and collected(course)["Ann"] == "by hand" and "older than what was collected" in "".join(rows.values())
    status, rows = hand_in("third", 26)
    assert collected(course)["Ann"] == "third"


def test_what_an_ended_run_left_is_not_written_into(run, course, tmp_path):
    """It could be read-only, or as here be another file as well."""
    (tmp_path / "other").write_text("other")
    (course / "collected.new").hardlink_to(tmp_path / "other")
    run(pack(tmp_path / "1.zip", {"Ann_101_assignsubmission_file/ps1.ipynb": worked("first")}))
    assert collected(course) == {"Ann": "first"} and (tmp_path / "other").read_text() == "other"


def test_the_number_of_students_is_that_of_those_who_have_one(run, course, tmp_path, capsys):
    archive = pack(tmp_path / "1.zip", {"Ann_101_assignsubmission_file/ps1.ipynb": worked("first")})
    run(made_on(archive, 20))
    by_mail(course, tmp_path, "Ann", "by mail", 21)
    capsys.readouterr()
    assert main(["ps1", str(made_on(archive, 22))]) == 1 and "students with a notebook now in submitted: 1;" in capsys.readouterr().out


def test_what_was_replaced_is_collected_if_it_was_handed_in_again(run, course, tmp_path):
    ann, bob = "Ann/ps1.ipynb", "Bob/ps1.ipynb"
    for number, words in enumerate(("first", "second", "first", "second")):
        run(pack(tmp_path / f"{number}.zip", {ann: worked(words), bob: worked("Bob")}, {ann: (2026, 11, 21 + number, 12, 0, 0)}))
        assert collected(course)["Ann"] == words
    status, rows = run(tmp_path / "1.zip", tmp_path / "2.zip")
    assert collected(course)["Ann"] == "second" and status == 0 and "collected before, and replaced since" in rows[f"2.zip: {ann}"]
    # Or if the teacher has taken away what replaced it.
    shutil.rmtree(course / "submitted/Ann")
    run(tmp_path / "2.zip")
    assert collected(course)["Ann"] == "first"
    canvas = "abtann_1_{}_ps1.ipynb"
    for number, words in ((900, "first"), (901, "second"), (902, "first")):
        run(pack(tmp_path / "canvas.zip", {canvas.format(number): worked(words)}))
        assert collected(course)["abtann-1"] == words


def test_the_largest_number_of_canvas_outlives_a_mail(run, course, tmp_path):
    for number, words, day in ((900, "first", 20), (901, "second", 21)):
        run(pack(tmp_path / "canvas.zip", {f"abtann_1_{number}_ps1.ipynb": worked(words)}, {f"abtann_1_{number}_ps1.ipynb": (2026, 11, day, 0, 0, 0)}))
    by_mail(course, tmp_path, "abtann-1", "by mail", 22)
    for number, day, want in ((850, 23, "by mail"), (902, 24, "902")):
        place = f"abtann_1_{number}_ps1.ipynb"
        _, rows = run(pack(tmp_path / "canvas.zip", {place: worked(f"{number}")}, {place: (2026, 11, day, 0, 0, 0)}))
        assert collected(course)["abtann-1"] == want, rows


def test_only_so_many_that_were_replaced_are_remembered(course, tmp_path, monkeypatch):
    monkeypatch.chdir(course)
    monkeypatch.setattr(collect, "MOST_SEEN", 3)
    for day in range(10, 16):
        by_mail(course, tmp_path, "Ann", f"{day}", day)
    assert len(json.loads((course / "collected.json").read_text())["replaced"]["ps1"]["Ann"]) == 3


def test_a_hand_in_gets_its_time_when_it_is_known(run, course, tmp_path):
    ann, bob = "Ann Abt_101_assignsubmission_file/ps1.ipynb", "Bob_102_assignsubmission_file/ps1.ipynb"
    run(pack(tmp_path / "1.zip", {ann: worked("Ann")}))
    assert stamp_of(course, "Ann-Abt") is None
    both = pack(tmp_path / "2.zip", {ann: worked("Ann"), bob: worked("Bob")}, {bob: LATER})
    _, rows = run(both)
    assert "collected before, and has its time now" in rows[ann]
    assert stamp_of(course, "Ann-Abt") == f"{datetime(*NOON).astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC" and stamp_of(course, "Bob")
    _, rows = run(both)
    assert "now" not in rows[ann]
    # Its time is that of the hand-in, no longer that of the download.
    _, rows = run(pack(tmp_path / "3.zip", {ann: worked("Ann 2"), bob: worked("Bob")}, {ann: (2026, 11, 20, 13, 0, 0), bob: LATER}))
    assert collected(course)["Ann-Abt"] == "Ann 2"


def test_a_time_that_gets_lost_is_said(run, course, tmp_path):
    files = {"Ann/ps1.ipynb": worked("1"), "Bob/ps1.ipynb": worked("Bob")}
    run(pack(tmp_path / "1.zip", files, {"Ann/ps1.ipynb": (2026, 11, 18, 12, 0, 0)}))
    assert stamp_of(course, "Ann")
    status, rows = run(pack(tmp_path / "2.zip", {"Ann/ps1.ipynb": worked("2")}, {"Ann/ps1.ipynb": LATER}))
    assert collected(course)["Ann"] == "2" and stamp_of(course, "Ann") is None
    assert status == 1 and rows["Ann/ps1.ipynb"].startswith("!") and "when it was handed in is not known" in rows["Ann/ps1.ipynb"]


@pytest.mark.parametrize("around", ["assignment_1_export/", "x/assignment_98_export/", "handed in/"])
def test_gradescopes_export_names_nobody(run, course, tmp_path, around):
    files = {f"{around}submission_{number}/ps1.ipynb": worked(f"{number}") for number in (1, 2)}
    status, rows = run(pack(tmp_path / "all.zip", files))
    assert status == 1 and all(row.startswith("!") for row in rows.values()), rows
    if around.startswith("assignment"):
        assert collected(course) == {} and all("no folder and no name says whose it is" in row for row in rows.values())
    run(pack(tmp_path / "bob.zip", {"Bob/ps1.ipynb": worked("Bob"), "Cem/ps1.ipynb": worked("Cem")}))
    for name in ("Bob_ps1.ipynb", "Bob/ps1.ipynb", "Cem_3_assignsubmission_file/ps1.ipynb"):  # which the student has given
        forged = f"{around}submission_3/{name}"
        status, rows = run(pack(tmp_path / "again.zip", files | {forged: worked(name)}, {forged: LATER}))
        assert rows[forged].startswith("!"), rows


def test_what_a_platform_wrote_itself_is_not_marked(run, course, tmp_path):
    files = {"ps1_ann_attempt_2026-11-20-10-00-00_ps1.ipynb": worked("a"), "ps1_ann_attempt_2026-11-20-10-00-00.txt": "x"}
    assert run(pack(tmp_path / "1.zip", files))[0] == 0
    files = {"bob+ps1+2026-11-20 10:00:00 UTC/ps1.ipynb": worked("b"), "bob+ps1+2026-11-20 10:00:00 UTC/timestamp.txt": "x"}
    assert run(pack(tmp_path / "2.zip", files))[0] == 0
    files = {"Cem/ps1.ipynb": worked("c"), "Cem/answers_attempt_1.txt": "x"}
    assert run(pack(tmp_path / "3.zip", files))[0] == 1


def test_a_wrong_names_marks_are_named_and_taken_away(course, tmp_path):
    """As the page "Teach with this book" says."""
    grade = ("-m", "grading", "ps1", "--no-isolation", "--jobs=1")
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / "ps1.ipynb").write_text(solved())

    def marks():
        said = command(course, "-m", "nbgrader", "export")
        return said, {row["student_id"]: float(row["score"]) for row in csv.DictReader((course / "grades.csv").open()) if row["assignment"] == "ps1"}

    for who in ("Bob", "Ann"):
        command(course, "-m", "grading.collect", "ps1", str(mail), "--student", who)
    command(course, *grade)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.grant_extension("ps1", "Bob", days=2)
        gradebook.update_or_create_student("Eve")
        gradebook.add_submission("ps1", "Eve")
        gradebook.grant_extension("ps1", "Eve", days=1)
    command(course, "-m", "nbgrader", "generate_feedback", "ps1")
    said = command(course, *grade, "--forget", "Bob", status=2)
    assert "a hand-in in submitted/Bob/ps1" in said and marks()[1]["Bob"] == 16
    assert "no marks" in command(course, *grade, "--forget", "../Ann", status=2)

    shutil.rmtree(course / "submitted/Bob")
    command(course, "-m", "grading.collect", "ps1", str(mail), "--student", "Zoe")
    said = command(course, *grade, status=1)
    assert "Bob: has marks" in said and "python -m grading ps1 --forget Bob" in said and "Ann: " not in said and "Eve" not in said
    said, found = marks()
    assert "ps1, Bob: has marks" in said and "Eve: has" not in said and found == {"Ann": 16, "Bob": 16, "Eve": 0, "Zoe": 16}
    said = command(course, *grade, "--forget", "Bob")
    assert "Bob: marks and feedback of ps1 were taken away" in said
    command(course, "-m", "nbgrader", "generate_feedback", "ps1", "--force")
    assert {path.parts[-3] for path in course.glob("feedback/*/ps1/ps1.html")} == {"Ann", "Zoe"}
    said, found = marks()
    assert "has marks" not in said and found == {"Ann": 16, "Bob": 0, "Eve": 0, "Zoe": 16}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        assert gradebook.find_submission("ps1", "Bob").extension.days == 2
