"""Whenever a command is killed, the same command once more does what is left: no file is half there, and nothing is lost."""

import json
import os
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbgrader.api import Gradebook
from test_collect import command, course, generated, worked  # noqa: F401  fixtures

from grading import gradescope, marks, releases, withdrawn

# Ends a command of nbgrader's at each step that changes a file in a folder, and types it once more; what is there then.
KILLS = """
import json, os, shutil, sys
from pathlib import Path
from nbgrader.apps import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
command, folder = sys.argv[1:]
app = NbGrader()
app.load_config_file()
app.config.Autograde.autograde_preprocessors = ["nbgrader.preprocessors.SaveAutoGrades"]
app.config.Application.log_level = 40
here, WRITES = Path.cwd(), os.O_WRONLY | os.O_RDWR
NAMES = {"open", "os.rename", "os.remove", "os.chmod", "os.mkdir", "os.rmdir"}

def run(point=None):
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    steps = []
    def hook(event, what):
        if event in NAMES and isinstance(what[0], (str, Path)) and Path(os.path.abspath(what[0])).is_relative_to(here / folder):
            if event != "open" or isinstance(what[2], int) and what[2] & WRITES:
                steps.append(event)
                if len(steps) == point:
                    os._exit(9)
    sys.addaudithook(hook)
    result = getattr(NbGraderAPI(config=app.config), command)("ps1", force=False, **({"student_id": "*"} if command == "autograde" else {}))
    os._exit(0 if result["success"] else 1)

def begin():
    for name in (folder, "gradebook.db"):
        shutil.rmtree(here / name, ignore_errors=True)
        if (here.parent / "start" / name).is_dir():
            shutil.copytree(here.parent / "start" / name, here / name)
        elif (here.parent / "start" / name).exists():
            shutil.copy2(here.parent / "start" / name, here / name)

def content(path):
    if path.suffix == ".ipynb":  # the names of new cells are drawn
        return [[cell["metadata"], cell["source"]] for cell in json.loads(path.read_text())["cells"]]
    return path.read_text()

def state():
    open_to_all = lambda path: 0o222 if folder == "autograded" and path.suffix == ".ipynb" else 0
    return {str(path.relative_to(here)): [path.stat().st_mode & open_to_all(path), content(path)] for path in sorted((here / folder).rglob("*")) if path.is_file()}

begin()
assert run() == 0
want, differ, point = state(), {}, 1
while True:
    begin()
    if run(point) != 9:
        break
    assert run() == 0
    if (got := state()) != want:
        differ[point] = [name for name in {*want, *got} if want.get(name) != got.get(name)]
    point += 1
print(json.dumps({"points": point - 1, "files": [*want], "differ": differ}))
"""
NBGRADER = "-m", "nbgrader"


def hand_in(course, student, words, stamp):
    folder = course / "submitted" / student / "ps1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ps1.ipynb").write_text(worked(words))
    (folder / "timestamp.txt").write_text(f"{stamp}\n")


@pytest.mark.parametrize("name, folder", [("generate_assignment", "release"), ("autograde", "autograded"), ("generate_feedback", "feedback")])
def test_a_command_of_nbgraders_that_was_killed_is_mended_by_the_same_command(course, name, folder):  # noqa: F811
    def nbgrader(what, *words):
        command(course, *(("-c", NO_EXECUTION) if what == "autograde" else (*NBGRADER, what, "ps1", *words)))

    if name == "generate_assignment":
        shutil.rmtree(course / "release" / "ps1")
    else:
        for student in ("Ann", "Bob"):
            hand_in(course, student, "1", "2026-11-20 10:00:00 UTC")
    if name == "generate_feedback":
        nbgrader("autograde")
        nbgrader("generate_feedback", "--student=Ann")
    if name != "generate_assignment":  # newer work of Ann's, of which an older state is there
        if name == "autograde":
            command(course, "-c", NO_EXECUTION, "Ann")
        hand_in(course, "Ann", "2", "2026-11-21 10:00:00 UTC")
    if name == "generate_feedback":
        nbgrader("autograde")
    shutil.copytree(course, course.parent / "start")
    found = json.loads(command(course, "-W", "ignore", "-c", KILLS, name, folder).strip().splitlines()[-1])
    assert found["points"] > 2 and found["files"] and not found["differ"], found


NO_EXECUTION = """
import sys
from nbgrader.apps import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
app = NbGrader()
app.load_config_file()
app.config.Autograde.autograde_preprocessors = ["nbgrader.preprocessors.SaveAutoGrades"]
assert NbGraderAPI(config=app.config).autograde("ps1", *sys.argv[1:] or "*")["success"]
"""


def test_what_is_whole_is_not_made_anew(course):  # noqa: F811
    hand_in(course, "Ann", "1", "2026-11-20 10:00:00 UTC")
    command(course, "-c", NO_EXECUTION)
    command(course, *NBGRADER, "generate_feedback", "ps1")
    made = [course / "release/ps1/ps1.ipynb", course / "autograded/Ann/ps1/ps1.ipynb", course / "feedback/Ann/ps1/ps1.html"]
    before = [path.stat().st_mtime_ns for path in made]
    for name in ("generate_assignment", "autograde", "generate_feedback"):
        assert "made anew" not in command(course, *NBGRADER, name, "ps1")
    assert [path.stat().st_mtime_ns for path in made] == before
    made[2].unlink()
    assert "feedback/Ann/ps1: made anew, it had no ps1.html" in command(course, *NBGRADER, "generate_feedback", "ps1", "--log-level=WARN")
    assert made[2].exists()


def test_marks_that_are_taken_away_leave_the_extension_wherever_it_is_ended(course, monkeypatch):  # noqa: F811
    def at(point):
        """The number of steps, and how it was ended; each step may end it before and after."""
        steps = []

        def counted(function):
            def step(*arguments, **named):
                for act in (lambda: None, lambda: function(*arguments, **named)):
                    act()
                    steps.append(function)
                    if len(steps) == point:
                        raise KeyboardInterrupt
            return step
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook, monkeypatch.context() as during:
            during.setattr(shutil, "rmtree", counted(shutil.rmtree))
            during.setattr(gradebook.db, "commit", counted(gradebook.db.commit), raising=False)
            named = "Bob" in withdrawn.withdrawn(gradebook, course, "ps1")
            try:
                if named:
                    withdrawn.forget(gradebook, course, "ps1", "Bob")
            except KeyboardInterrupt:
                return True
        return False

    ended, point = True, 0
    while ended:
        point += 1
        for kind in ("autograded", "feedback"):
            (course / kind / "Bob/ps1").mkdir(parents=True, exist_ok=True)
            (course / kind / "Bob/ps1/x").write_text("x")
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            gradebook.update_or_create_student("Bob")
            gradebook.update_or_create_submission("ps1", "Bob")
            gradebook.grant_extension("ps1", "Bob", days=2)
            gradebook.find_grade("ps1-missing-factor", "ps1", "ps1", "Bob").manual_score = 3
            gradebook.db.commit()
        ended = at(point)
        at(None)
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            assert withdrawn.withdrawn(gradebook, course, "ps1") == [], point
            assert gradebook.find_submission("ps1", "Bob").extension.days == 2, point
        assert not (course / "feedback/Bob/ps1").exists() and not (course / "autograded/Bob/ps1").exists(), point
    assert point > 4


class Killed(BaseException):
    pass


@pytest.fixture
def half(monkeypatch):
    """Every text that is written is half written, and then all ends."""
    def write(path, text, *arguments, **named):
        with open(path, "w") as file:
            file.write(text[:len(text) // 2])
        raise Killed

    with monkeypatch.context() as during:
        during.setattr(Path, "write_text", write)
        yield during


def test_the_seed_is_there_or_not(tmp_path, half, monkeypatch):
    monkeypatch.delenv(marks.SEED, raising=False)
    half.setattr(marks.secrets, "randbelow", lambda most: 1 / 0)
    with pytest.raises((Killed, ZeroDivisionError)):
        marks.one_seed(tmp_path)
    half.undo()
    assert marks.one_seed(tmp_path).isdecimal()


def test_a_version_that_was_given_out_is_there_or_not(tmp_path, half):
    keep = SimpleNamespace(parent=SimpleNamespace(parent=SimpleNamespace(coursedir=SimpleNamespace(root=str(tmp_path)))))
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("a text")])
    names = {"nbgrader": {"assignment": "ps1", "notebook": "ps1"}}
    with pytest.raises(Killed):
        releases.Keep.preprocess(keep, nb, names)
    assert releases.versions(tmp_path, "ps1", "ps1") == []
    half.undo()
    releases.Keep.preprocess(keep, nb, names)
    assert releases.versions(tmp_path, "ps1", "ps1") == [[(None, "a text")]]
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


def test_an_archive_for_gradescope_is_there_or_not(course, monkeypatch):  # noqa: F811
    with monkeypatch.context() as during:
        during.setattr(zipfile.ZipFile, "write", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gradescope.archive(course, "ps1")
    assert not list(course.glob("gradescope/*.zip"))
    with zipfile.ZipFile(gradescope.archive(course, "ps1")) as archive:
        assert "run_autograder" in archive.namelist()
    assert os.listdir(course / "gradescope") == ["ps1.zip"]
