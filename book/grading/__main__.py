"""Autograde all that was handed in, on all cores: `python -m grading ps1 [ps2 …]`, in the folder of the course.

Each submission is graded by `nbgrader autograde` in a process of its own; a line says so as soon as it is done. Start
the same command again after a kill, and it goes on with what is missing; what was handed in anew is graded anew. All get
the same inputs, now and later: their seed is kept in `grading_seed.txt`.
"""

from __future__ import annotations

import argparse
import glob
import json
import os
import shlex
import sys
import time
from pathlib import Path

from joblib import Parallel, delayed
from tqdm import tqdm

from . import isolation
from .links import irregular
from .marks import SEED, one_seed
from .orphans import end_with
from .terminal import printable, printable_lines
from .withdrawn import forget, withdrawn


def submissions(course: Path, assignment: str) -> list[str]:
    """The students who handed it in."""
    folders = (student / assignment for student in course.glob("submitted/*"))
    return sorted(folder.parent.name for folder in folders if folder.is_dir() or folder.is_symlink())


def graded(course: Path, student: str, assignment: str) -> bool:
    """Whether nbgrader has come to its end with the submission that is there now.

    Its last step takes away the permission to write. A folder without that was left by a kill.
    """
    from .nbgrader_cells import DIGEST, digest_of

    handed_in, done = (course / kind / student / assignment for kind in ("submitted", "autograded"))
    done = list(done.glob("*.ipynb"))
    if not done or any(notebook.stat().st_mode & 0o222 for notebook in done):
        return False
    changed = max(path.stat().st_ctime for path in (*handed_in.glob("*.ipynb"), *handed_in.glob("timestamp.txt")))
    if changed > min(notebook.stat().st_ctime for notebook in done):
        return False
    # It may have been replaced while the one before was graded.
    return all(json.loads(notebook.read_bytes())["metadata"].get(DIGEST) == digest_of(handed_in / notebook.name) for notebook in done)


def lacking(course: Path, student: str, assignment: str) -> list[str]:
    """The notebooks of the assignment that the student has not handed in under their names."""
    wanted = (path.name for path in (course / "source" / assignment).glob("*.ipynb"))
    return [name for name in wanted if not (course / "submitted" / student / assignment / name).is_file()]


def unread(course: Path, student: str, assignment: str) -> list[str]:
    """Why a submission got no points as a whole, whatever is in it: for each of its graded notebooks, if so."""
    from .nbgrader_cells import lost

    return [reason for notebook in (course / "autograded" / student / assignment).glob("*.ipynb") if (reason := lost(notebook))]


def misnamed(course: Path, student: str, assignment: str) -> str | None:
    """What of the notebooks would be lost: of these nbgrader grades those with the assignment's names alone."""
    from .collect import choose_in, given

    folder = course / "submitted" / student / assignment
    names = [path.name for path in folder.glob("*.ipynb")]
    if unwritable := [name for name in names if name != name.encode(errors="replace").decode()]:
        return f"nbgrader can't write down the name {unwritable[0]!r}; rename it, or take it away"
    if len(list(folder.rglob("*.ipynb"))) < 2:
        return None
    try:
        taken, _ = choose_in(folder, given(course, assignment))
    except FileNotFoundError:  # as it was given out is nowhere
        return None
    if taken and taken.kind in ("work", "saved") and taken.entry.place != f"{assignment}.ipynb":
        return f"{assignment}.ipynb was worked on less than {taken.entry.place}; give that its name"
    return None


def refused(course: Path, student: str, assignment: str) -> str | None:
    """Why this submission is not to be graded, if so."""
    from nbgrader.utils import parse_utc

    if glob.escape(student) != student:
        return "nbgrader takes *, ? and [ in the name of a folder for a pattern; rename it"
    if links := irregular(course, student, assignment):
        return f"links are not followed: {'; '.join(links)}"
    if names := lacking(course, student, assignment):
        return f"no {' and no '.join(names)} in submitted/{student}/{assignment}"
    if reason := misnamed(course, student, assignment):
        return reason
    stamp = course / "submitted" / student / assignment / "timestamp.txt"
    if stamp.exists() and (text := stamp.read_text(errors="replace").strip()):
        try:
            parse_utc(text)
        except (ValueError, OverflowError):
            return f"no time can be read in {stamp.relative_to(course)}, got {text!r:.60}"
    return None


def autograde(course: Path, student: str, assignment: str, parent: int) -> dict:
    """Grade one submission, whatever an earlier attempt left. What nbgrader says: "success", "error", "log"."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.apps.baseapp import NbGrader

    if os.getpid() != parent:  # with one process joblib makes no other
        end_with(parent)
    os.chdir(course)
    app = NbGrader()
    app.load_config_file()
    begin = time.perf_counter()
    result = NbGraderAPI(config=app.config).autograde(assignment, student, force=True, create=True)
    return result | {"student": student, "seconds": time.perf_counter() - begin}


def _gradebook():
    from nbgrader.api import Gradebook
    from nbgrader.apps.baseapp import NbGrader
    from nbgrader.coursedir import CourseDirectory

    app = NbGrader()
    app.load_config_file()
    return Gradebook(CourseDirectory(config=app.config).db_url)


def _forget(course, assignments, student):
    """Forget the student's marks for these; what to say. ValueError: there are none, or the hand-in is there."""
    with _gradebook() as gradebook:
        found = [assignment for assignment in assignments if student in withdrawn(gradebook, course, assignment)]
        if not found:
            there = [assignment for assignment in assignments if (course / "submitted" / student / assignment).exists()]
            raise ValueError(f"{student!r} has {f'a hand-in in submitted/{student}/{there[0]}' if there else 'no marks'}, want marks without a hand-in")
        for assignment in found:
            forget(gradebook, course, assignment, student)
    return printable(f"{student}: marks and feedback of {' and '.join(found)} were taken away")


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 if a submission could not be graded, got no points since it could not be read, or is no longer there."""
    parser = argparse.ArgumentParser(prog="python -m grading", description=__doc__.split("\n")[0])
    parser.add_argument("assignment", nargs="+", help="ps1, ps2, …")
    parser.add_argument("--jobs", type=int, default=-1, metavar="N", help="processes; -1: one for each core")
    parser.add_argument("--again", action="store_true", help="also what has been graded")
    parser.add_argument("--forget", metavar="NAME", help="take away NAME's marks and feedback, first, of what is no longer in submitted")
    parser.add_argument("--no-isolation", action="store_true", help="run students' code with your rights, where bubblewrap can't run")
    options = parser.parse_args(arguments)
    course = Path.cwd()
    if not (course / "nbgrader_config.py").exists():
        parser.error(f"no nbgrader_config.py in {course}; change to the folder of the course")
    for assignment in options.assignment:
        if not (course / "source" / assignment).is_dir():
            known = ", ".join(sorted(path.name for path in course.glob("source/*") if path.is_dir()))
            parser.error(f"no problem set {assignment!r} in {course / 'source'}, which has {known or 'none'}")
    if options.forget:
        try:
            print(_forget(course, options.assignment, options.forget))
        except ValueError as error:
            parser.error(f"--forget: {error}")
    if options.no_isolation:
        os.environ[isolation.ISOLATION] = "off"
    if isolation.wanted() and (reason := isolation.lacking()):
        print(isolation.refusal(reason), file=sys.stderr)
        return 1
    print(f"{SEED}={one_seed(course)}")
    failed = 0
    for assignment in options.assignment:
        students = submissions(course, assignment)
        for student in list(students):
            if reason := refused(course, student, assignment):
                print(printable(f"{student}: not graded, {reason}"))
                students.remove(student)
                failed += 1
        todo = [student for student in students if options.again or not graded(course, student, assignment)]
        print(f"{assignment}: {len(students)} handed in, {len(todo)} to grade")
        work = Parallel(n_jobs=options.jobs, return_as="generator_unordered")(
            delayed(autograde)(course, student, assignment, os.getpid()) for student in todo)
        seconds = []
        for result in tqdm(work, total=len(todo), unit="submission", disable=not todo):
            seconds.append(result["seconds"])
            if not result["success"]:
                failed += 1
                tqdm.write(printable_lines(f"{result['student']}: not graded\n{result['log'] or ''}{result['error'] or ''}"))
        for student in students:
            for reason in unread(course, student, assignment):
                print(printable(f"{student}: no points, look at it: {reason}"))
                failed += 1
        with _gradebook() as gradebook:
            for student in withdrawn(gradebook, course, assignment):
                print(printable(f"{student}: has marks or feedback, and no hand-in in submitted/{student}/{assignment}; to take them away type "
                                f"python -m grading {assignment} --forget {shlex.quote(student)}"))
                failed += 1
        if todo:
            print(f"{assignment}: {sum(seconds) / len(todo):.1f} seconds a submission")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
