"""Grade on Gradescope: `python -m grading.gradescope ps1`, in the folder of the course, makes `gradescope/ps1.zip`.

Upload that archive as the autograder of a programming assignment. It holds the problem set, nbgrader's settings and
the packages that grade; on Gradescope every hand-in is then graded as `python -m grading` does, and the student sees the
marks and what the tests said. What a reader must mark, the answers in words, has no points there.

Where bubblewrap can't run in Gradescope's container, students' code runs there as a user who can't read the course; it can
still use the network, such as to send the inputs of the tests, or its own notebook, to another machine.

The form of the archive, of the folders and of results.json is Gradescope's:
https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from . import collect, isolation
from .__main__ import autograde
from .terminal import printable
from .writing import whole

__all__ = ["archive", "grade", "results"]

STUDENT = "student"  # Gradescope knows who it is
OTHER_USER = "61183"  # no account's

PACKAGES = Path(__file__).parents[1]
# What the packages below and the problem sets import.
NEEDED = ("beautifulsoup4", "ipykernel", "jinja2", "joblib", "jsonschema", "jupyter_client", "latex2mathml", "markupsafe", "matplotlib",
          "mistune", "nbclient", "nbconvert", "nbformat", "nbgrader", "nh3", "numpy", "psutil", "pygments", "sqlalchemy", "tqdm", "traitlets")

SETUP = """\
#!/usr/bin/env bash
# Gradescope runs this once, as root, when it makes the image.
set -euo pipefail
source=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$source")
apt-get update
apt-get install -y python3 python3-venv bubblewrap
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$(python3 --version) is too old, Python 3.11 is wanted: choose a newer base image" >&2
    exit 1
fi
python3 -m venv "$root/python"
"$root/python/bin/pip" install -r "$source/requirements.txt"
mkdir "$root/course"
cp -r "$source/source" "$source/nbgrader_config.py" "$root/course"
chmod 711 "$source"
chmod 700 "$source/source" "$source/packages/gradients" "$root/course"
cd "$root/course"
PYTHONPATH="$source/packages" "$root/python/bin/python" -m nbgrader generate_assignment {assignment}
"""

RUN = """\
#!/usr/bin/env bash
# Gradescope runs this for every hand-in.
set -euo pipefail
root=$(cd "$(dirname "$0")" && pwd)
cd "$root/course"
export GRADING_SEED=$RANDOM$RANDOM  # other inputs for each: students see what the tests say, and can hand in again
PYTHONPATH="$root/source/packages" "$root/python/bin/python" -m grading.gradescope {assignment} --grade "$root"
"""


def archive(course: Path, assignment: str) -> Path:
    """Make the archive for a problem set of the course; its path. FileNotFoundError: no such problem set, no settings."""
    source, settings = course / "source" / assignment, course / "nbgrader_config.py"
    for path in (source, settings):
        if not path.exists():
            raise FileNotFoundError(f"assignment: no {path.relative_to(course)} in {course}, want the folder of a course that has it")
    made = course / "gradescope" / f"{assignment}.zip"
    made.parent.mkdir(exist_ok=True)
    texts = {"setup.sh": SETUP.format(assignment=assignment), "run_autograder": RUN.format(assignment=assignment),
             "requirements.txt": "".join(f"{name}=={version(name)}\n" for name in NEEDED)}
    folders = {f"source/{assignment}": source, **{f"packages/{name}": PACKAGES / name for name in ("grading", "gradients")}}
    with whole(made) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in texts.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16  # programs
            file.writestr(entry, text)
        file.write(settings, settings.name)
        for name, folder in folders.items():
            for path in sorted(folder.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts:
                    file.write(path, f"{name}/{path.relative_to(folder)}")
    return made


def results(course: Path, student: str, assignment: str) -> dict:
    """What results.json says of a graded hand-in: for each graded cell the points and what its tests printed."""
    nb = nbformat.read(course / "autograded" / student / assignment / f"{assignment}.ipynb", as_version=4)
    cells = {cell.metadata.nbgrader.grade_id: cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("grade")}
    tests = []
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for name, cell in cells.items():
            grade = gradebook.find_grade(name, assignment, assignment, student)
            if not grade.max_score:  # a public check: the student has seen what it says
                continue
            test = {"name": name, "name_format": "text", "output_format": "text"}
            if cell.cell_type == "code":
                test |= {"score": grade.auto_score or 0.0, "max_score": grade.max_score, "output": _said(cell)}
            else:
                test |= {"output": f"Your teacher reads this answer, for {grade.max_score:g} points."}
            tests.append(test)
    return {"score": sum(test.get("score", 0.0) for test in tests), "output_format": "text", "visibility": "visible", "tests": tests,
            "output": "The points of the tests. Answers in words are read by your teacher and have no points here."}


def _said(cell):
    """What a graded cell printed, and the error that ended it."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type == "error":
            texts.append(f"{output.ename}: {output.evalue}")
    return "\n".join(text.strip() for text in texts)


def _which(files):
    """Which of the notebooks was graded: the student may have meant another one."""
    taken = [file for file in files if file.fate.startswith("collected")]
    others = [file for file in files if file not in taken and (file.kind or file.entry.name.casefold().endswith(".ipynb"))]
    lines = [f"Graded: {' '.join(printable(file.entry.place) for file in taken) or 'none of your files'}",
             *(f"Not graded: {printable(file.entry.place)}" for file in others)]
    return "\n".join(lines)


def grade(root: Path, assignment: str) -> dict:
    """What results.json says of what lies in `root`/submission; graded in the course `root`/course, the present folder.

    RuntimeError: it could not be graded, for a reason that is not the student's.
    """
    begin, course = time.perf_counter(), root / "course"
    files, table = collect.run([assignment, str(root / "submission"), "--student", STUDENT])
    collect.finish(course)
    if (course / "submitted" / STUDENT / assignment).exists():
        done = autograde(course, STUDENT, assignment, os.getpid())
        if not done["success"]:
            raise RuntimeError(f"not graded\n{done['log'] or ''}{done['error'] or ''}")
        found = results(course, STUDENT, assignment)
    else:
        found = {"score": 0.0, "tests": []}
    said = (found.get("output", ""), _which(files), "What became of your files:", "\n".join(table))
    return found | {"output": "\n\n".join(filter(None, said)), "execution_time": round(time.perf_counter() - begin)}


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m grading.gradescope", description=__doc__.split("\n")[0])
    parser.add_argument("assignment", help="ps1, ps2, …")
    parser.add_argument("--grade", type=Path, metavar="FOLDER", help="there, on Gradescope: grade FOLDER/submission")
    options = parser.parse_args(arguments)
    if not options.grade:
        try:
            print(archive(Path.cwd(), options.assignment).relative_to(Path.cwd()))
        except FileNotFoundError as error:
            parser.error(str(error))
        return 0
    folder = options.grade / "results"
    folder.mkdir(exist_ok=True)
    for private in (folder, options.grade / "submission"):
        private.chmod(0o700)
    if reason := isolation.lacking():
        print(f"Students' code runs as another user of this container, {OTHER_USER}, and not apart from it: {reason}")
        os.environ |= {isolation.ISOLATION: "off", isolation.USER: OTHER_USER}
    found = grade(options.grade, options.assignment)
    (folder / "results.json").write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
