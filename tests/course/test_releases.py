"""A text of a problem set is mended after it was given out: nobody's hand-in changes by that."""

import shutil
import zipfile

import nbformat
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Gradebook

from problem_sets import COURSE, cell, hand_in, read
from test_collect import ANSWER, NBGRADER, WORDS, command

OLD, NEW = "Derive the derivative of $L$", "Find the derivative of $L$"


def test_the_old_wording_is_not_the_students(tmp_path):
    course = tmp_path / "course"
    shutil.copytree(COURSE / "source/ps1", course / "source/ps1")
    shutil.copy(COURSE / "nbgrader_config.py", course)
    command(course, "-c", NBGRADER, "generate", "ps1")
    nb = read(course / "release/ps1/ps1.ipynb")
    hand_in(course, "empty", "ps1", nb)
    untouched = nbformat.writes(nb)
    nb.cells.insert(nb.cells.index(cell(nb, ANSWER)) + 1, new_markdown_cell(WORDS))
    hand_in(course, "elsewhere", "ps1", nb)

    mended, path = read(course / "source/ps1/ps1.ipynb"), course / "source/ps1/ps1.ipynb"
    question, = (each for each in mended.cells if OLD in each.source)
    question.source = question.source.replace(OLD, NEW)
    answer = cell(mended, ANSWER)
    answer.source = f"YOUR ANSWER HERE, in three sentences\n\n{answer.source}"
    nbformat.write(mended, path)
    command(course, "-m", "nbgrader", "generate_assignment", "ps1", "--force")
    assert len(list((course / "given_out/ps1/ps1").iterdir())) == 2

    command(course, "-c", NBGRADER, "autograde")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        waits = {student: gradebook.find_grade(ANSWER, "ps1", "ps1", student).needs_manual_grade for student in ("empty", "elsewhere")}
    assert waits == {"empty": False, "elsewhere": True}
    shown = cell(read(course / "autograded/elsewhere/ps1/ps1.ipynb"), ANSWER).source
    assert WORDS in shown and OLD not in shown

    cell(nb, "ps1-depth").source = "def backpropagate(W, b, x, y):\n    return 0, {}, {}"
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("Gus/ps1-Copy1.ipynb", nbformat.writes(nb))
        archive.writestr("Gus/ps1.ipynb", untouched)
        archive.writestr("Hal/ps1.ipynb", untouched)
    said = command(course, "-m", "grading.collect", "ps1", "../all.zip", status=1)  # Hal's needs an eye
    fates = {name: next(line for line in said.splitlines() if name in line) for name in ("Gus/ps1.ipynb", "ps1-Copy1", "Hal/ps1")}
    assert "as it was given out" in fates["Gus/ps1.ipynb"] and "left out" not in fates["ps1-Copy1"]
    assert fates["Hal/ps1"].startswith("!")
