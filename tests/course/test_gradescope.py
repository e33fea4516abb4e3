"""The archive for Gradescope, unpacked and run as Gradescope does, and what comes out against the format it documents."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import jsonschema
import nbformat
import psutil
import pytest
import zmq
from nbgrader.api import Gradebook

import problem_sets
from grading import gradescope

# https://gradescope-autograders.readthedocs.io/en/latest/specs/, "Output format"
VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
TEST = {
    "type": "object", "additionalProperties": False,
    "properties": {
        "score": {"type": "number"}, "max_score": {"type": "number"}, "status": {"enum": ["passed", "failed"]},
        "name": {"type": "string"}, "name_format": FORMAT, "number": {"type": "string"}, "output": {"type": "string"},
        "output_format": FORMAT, "tags": {"type": "array", "items": {"type": "string"}}, "visibility": VISIBILITY,
        "extra_data": {"type": "object"}}}
RESULTS = {
    "type": "object", "additionalProperties": False, "required": ["tests"],
    "properties": {
        "score": {"type": "number"}, "execution_time": {"type": "integer"}, "output": {"type": "string"}, "output_format": FORMAT,
        "test_output_format": FORMAT, "test_name_format": FORMAT, "visibility": VISIBILITY, "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"}, "tests": {"type": "array", "items": TEST},
        "leaderboard": {"type": "array"}},
    "anyOf": [{"required": ["score"]}, {"properties": {"tests": {"items": {"required": ["score"]}}}}]}


FIFO, LINK = object(), object()  # in the place of a text


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The archive for problem set 1, made in a fresh course."""
    course = tmp_path_factory.mktemp("course")
    shutil.copy(problem_sets.COURSE / "nbgrader_config.py", course)
    shutil.copytree(problem_sets.COURSE / "source/ps1", course / "source/ps1")
    return gradescope.archive(course, "ps1")


@pytest.fixture(scope="module")
def image(made, tmp_path_factory):
    """The folder /autograder after Gradescope has unpacked the archive and run setup.sh; without a download."""
    root, programs = tmp_path_factory.mktemp("autograder"), tmp_path_factory.mktemp("programs")
    with zipfile.ZipFile(made) as file:
        file.extractall(root / "source")
    shutil.copy(root / "source/run_autograder", root)
    # In the place of apt-get, of `python3 -m venv` and of the pip in it: this environment, which has what is wanted.
    (programs / "apt-get").write_text("#!/bin/sh\n")
    (programs / "python3").write_text(
        f"#!/bin/sh\nif [ \"$1 $2\" = '-m venv' ]; then mkdir -p \"$3/bin\"; ln -s {programs}/python3 \"$3/bin/python\"; "
        f"ln -s {programs}/pip \"$3/bin/pip\"; else exec {sys.executable} \"$@\"; fi\n")
    (programs / "pip").write_text(f"#!/bin/sh\nexec {sys.executable} -m pip \"$@\" --no-index --quiet\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    run("setup.sh", root, root / "source", PATH=f"{programs}:{os.environ['PATH']}")
    return root


def run(program, root, folder, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GRADING_SEED")}
    done = subprocess.run(["bash", folder / program], cwd=root, env=kept | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def graded(image, folder, files, **environment):
    """results.json for these files handed in; every hand-in has a fresh copy of the image."""
    root = shutil.copytree(image, folder / "autograder", symlinks=True)
    (root / "submission").mkdir()
    for name, text in files.items():
        path = root / "submission" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text is FIFO:
            os.mkfifo(path)
        elif text is LINK:
            path.symlink_to("/etc/passwd")
        else:
            path.write_text(text)
    run("run_autograder", root, root, **environment)
    found = json.loads((root / "results/results.json").read_text())
    jsonschema.validate(found, RESULTS)
    return found


def test_the_archive_has_what_gradescope_wants_at_its_root_and_no_more_of_the_course(made):
    with zipfile.ZipFile(made) as file:
        entries = {entry.filename: entry for entry in file.infolist()}
    for program in ("setup.sh", "run_autograder"):
        assert entries[program].external_attr >> 16 & 0o111
    assert {name.split("/")[0] for name in entries} == {
        "setup.sh", "run_autograder", "requirements.txt", "nbgrader_config.py", "source", "packages"}
    assert not [name for name in entries if "submitted" in name or "gradebook" in name or "__pycache__" in name]


def test_a_hand_in_gets_the_marks_that_grading_gives(image, tmp_path):
    nb = problem_sets.source("ps1")
    cells, marks = problem_sets.wrong_answers("ps1")["forgets the slope of tanh"]
    for name, text in cells.items():
        problem_sets.cell(nb, name).source = text
    # All of it is one student's, whatever the names say.
    found = graded(image, tmp_path, {"Ann Abt_101_assignsubmission_file/annab_12_34_ps1.ipynb": nbformat.writes(nb), "notes.txt": "?",
                                     "b/2026_11_26_ps1.ipynb": (problem_sets.COURSE / "release/ps1/ps1.ipynb").read_text(),
                                     "pipe.ipynb": FIFO, "link.ipynb": LINK})
    wanted = {name: marks.get(name, most) for name, most in problem_sets.points_of(nb).items() if most}
    assert {test["name"]: test["score"] for test in found["tests"] if "score" in test} == wanted
    assert found["score"] == sum(wanted.values())
    by_name = {test["name"]: test for test in found["tests"]}
    assert "expected" in by_name["ps1-two-paths-test"]["output"]
    assert "score" not in by_name["ps1-missing-factor"] and "4 points" in by_name["ps1-missing-factor"]["output"]
    assert "Graded: Ann Abt_101_assignsubmission_file/annab_12_34_ps1.ipynb" in found["output"].splitlines()
    table = found["output"].partition("What became of your files:")[2].splitlines()
    said = lambda name: next(line for line in table if name in line)  # noqa: E731
    assert " collected" in said("annab_12_34_ps1.ipynb") and "as it was given out" in said("2026_11_26_ps1.ipynb")
    assert "no ordinary file" in said("pipe.ipynb") and "links are not followed" in said("link.ipynb") and "notes.txt" in found["output"]


def test_of_several_notebooks_the_work_is_graded_and_the_student_reads_which(image, tmp_path):
    """Notes that are newer, and have the problem set's name, cost no points."""
    notes = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("My answers in words.")])
    question = nbformat.v4.new_notebook(cells=[problem_sets.cell(problem_sets.source("ps1"), "ps1-missing-factor"), *notes.cells])
    found = graded(image, tmp_path, {"ps1.ipynb": nbformat.writes(problem_sets.source("ps1")), "ps1-notes.ipynb": nbformat.writes(notes),
                                     "ps1-answers.ipynb": nbformat.writes(question), "readme.txt": "?"})
    assert found["score"] == sum(test["max_score"] for test in found["tests"] if "score" in test) > 0
    lines = found["output"].splitlines()
    assert "Graded: ps1.ipynb" in lines and {line for line in lines if line.startswith("Not")} == {"Not graded: ps1-notes.ipynb", "Not graded: ps1-answers.ipynb"}
    assert any(line.startswith("!  ps1-notes.ipynb") and "left out: no cell of ps1 is in it" in line for line in lines)
    assert any(line.startswith("!  ps1-answers.ipynb") and "left out: 1 answer was worked on, and 4 in ps1.ipynb" in line for line in lines)


def test_answers_alone_are_graded_rather_than_a_whole_set_that_was_hardly_touched(image, tmp_path):
    alone, scratch = problem_sets.source("ps1"), problem_sets.read(problem_sets.COURSE / "release/ps1/ps1.ipynb")
    alone.cells = [cell for cell in alone.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    scratch.cells.append(nbformat.v4.new_code_cell("1+1"))
    found = graded(image, tmp_path, {"ps1.ipynb": nbformat.writes(alone), "scratch.ipynb": nbformat.writes(scratch)})
    assert "Graded: ps1.ipynb" in found["output"].splitlines() and "0 answers were worked on, and 4 in ps1.ipynb" in found["output"]
    assert found["score"] == sum(test["max_score"] for test in found["tests"] if "score" in test) > 0


@pytest.mark.parametrize("names", [["2026_11_26_ps1.ipynb"], ["annab_12_34_ps1.ipynb"], ["Ann Abt_101_assignsubmission_file/ps1.ipynb"],
                                   ["a/ps1.ipynb", "b/notes.ipynb"]])
def test_whatever_the_files_are_called_they_are_the_students(made, tmp_path, monkeypatch, names):
    course = shutil.copytree(made.parents[1], tmp_path / "course")
    shutil.copytree(problem_sets.COURSE / "release/ps1", course / "release/ps1")
    for name in names:
        (tmp_path / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "submission" / name).write_text(nbformat.writes(problem_sets.source("ps1")))
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        gradebook.add_assignment("ps1")
    graded = []
    monkeypatch.chdir(course)
    monkeypatch.setattr(gradescope, "autograde", lambda course, student, *rest: graded.append(student) or {"success": True})
    monkeypatch.setattr(gradescope, "results", lambda *of: {"score": 1.0})
    assert gradescope.grade(tmp_path, "ps1")["score"] == 1.0 and graded == [gradescope.STUDENT]


def test_what_is_no_notebook_gets_no_points_and_is_named(image, tmp_path):
    found = graded(image, tmp_path, {"essay.txt": "I could not do it."})
    assert found["score"] == 0 and found["tests"] == [] and "essay.txt" in found["output"]
    assert "Graded: none of your files" in found["output"].splitlines()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run code as another user, and on Gradescope it is root")
def test_where_bubblewrap_can_not_run_another_user_runs_the_code(image, tmp_path):
    """It reads no solution, changes no result, hears nothing of the tests, and leaves no process."""
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs/bwrap").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "programs/bwrap").chmod(0o755)
    root = tmp_path / "autograder"
    for folder in root.parents:  # of this test alone
        if folder.stat().st_uid == 0 and tmp_path.is_relative_to(folder) and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o711)
    nb = problem_sets.source("ps1")
    problem_sets.cell(nb, "ps1-depth").source = ATTACK.format(root=root)
    with heard() as messages:
        found = graded(image, tmp_path, {"ps1.ipynb": nbformat.writes(nb)}, PATH=f"{tmp_path}/programs:{os.environ['PATH']}")
    assert not messages
    said = next(test["output"] for test in found["tests"] if test["name"].startswith("ps1-depth"))
    most = sum(problem_sets.points_of(nb).values())
    assert 0 < found["score"] < most, said
    left = [process for process in psutil.process_iter(["uids", "status"]) if process.info["uids"].real == int(gradescope.OTHER_USER)]
    assert {process.info["status"] for process in left} <= {psutil.STATUS_ZOMBIE}  # ended, and nobody has taken note yet
    outputs = json.loads((root / f"course/autograded/{gradescope.STUDENT}/ps1/ps1.ipynb").read_text())["cells"]
    printed = "".join("".join(output.get("text", "")) for cell in outputs for output in cell.get("outputs", []))
    assert printed.count("refused: ") == 5 and "reached: " not in printed, printed


@contextlib.contextmanager
def heard():
    """What the processes that are started meanwhile tell every user of the computer who connects to their ports, without a key."""
    messages, ended = [], threading.Event()

    def listen():
        with zmq.Context() as context, context.socket(zmq.SUB) as ear:
            ear.subscribe("")
            ports = set()
            while not ended.is_set():
                for process in psutil.Process().children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        now = {each.laddr.port for each in process.net_connections("tcp") if each.status == psutil.CONN_LISTEN}
                        for port in now - ports:
                            ear.connect(f"tcp://127.0.0.1:{port}")
                        ports |= now
                while ear.poll(50):
                    messages.append(ear.recv())

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield messages
    finally:
        ended.set()
        listener.join()


ATTACK = """
import os  # modules that are not loaded yet may be out of this user's reach
for path, how in [("{root}/source/source/ps1/ps1.ipynb", "r"), ("{root}/course/gradebook.db", "r"), ("{root}/course/grading_seed.txt", "r"),
                  ("{root}/results/results.json", "w"), ("{root}/submission/ps1.ipynb", "w")]:
    try:
        open(path, how)
        print("reached:", path)
    except PermissionError:
        print("refused:", path)
if os.fork() == 0:
    os.setsid()
    os.kill(os.getpid(), 19)  # stop, and stay
"""


def test_without_the_problem_set_there_is_no_archive(made, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(made.parents[1])
    with pytest.raises(SystemExit):
        gradescope.main(["ps9"])
    assert "assignment: no source/ps9" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        gradescope.main(["ps1"])
    assert "assignment: no source/ps1" in capsys.readouterr().err
