"""A class of simulated students, through nbgrader: ``python tests/benchmarks/course.py [--students N] [SET…]``.

Each hands in the solution of a problem set with changes: a cell left empty, a wrong answer of tests/submissions, or a
random slip in the code (another operator, a number off by one, a transpose forgotten, an argument exchanged). Then
generate_assignment, autograde, generate_feedback and export run, and the times are printed. It fails if a submission
is lost: no marks for one of its tests, no feedback, no row in the table, or less than full marks without a change.
"""

from __future__ import annotations

import argparse
import ast
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import problem_sets  # noqa: E402

OPERATORS = ast.Add, ast.Sub, ast.Mult, ast.Div


class Slip(ast.NodeTransformer):
    """Changes one place of a piece of code, chosen at random."""

    def __init__(self, place: int, rng: np.random.Generator):
        self.place, self.rng, self.seen = place, rng, 0

    def here(self) -> bool:
        self.seen += 1
        return self.seen - 1 == self.place

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, OPERATORS) and self.here():
            node.op = self.rng.choice([operator for operator in OPERATORS if operator is not type(node.op)])()
        return node

    def visit_Constant(self, node):
        if isinstance(node.value, (int, float)) and not isinstance(node.value, bool) and self.here():
            node.value = node.value + int(self.rng.choice([-1, 1]))
        return node

    def visit_Attribute(self, node):
        self.generic_visit(node)
        return node.value if node.attr == "T" and self.here() else node

    def visit_Call(self, node):
        self.generic_visit(node)
        if len(node.args) > 1 and self.here():
            node.args[0], node.args[1] = node.args[1], node.args[0]
        return node


def slip(code: str, rng: np.random.Generator) -> str:
    counter = Slip(-1, rng)
    counter.visit(ast.parse(code))
    tree = Slip(int(rng.integers(max(counter.seen, 1))), rng).visit(ast.parse(code))
    return ast.unparse(ast.fix_missing_locations(tree))


def simulated(name: str, rng: np.random.Generator) -> tuple[nbformat.NotebookNode, int]:
    """A submission, and how many of its cells were changed."""
    nb, changed = problem_sets.source(name), 0
    wrong = list(problem_sets.wrong_answers(name).values())
    for cell in nb.cells:
        if cell.cell_type != "code" or not cell.metadata.get("nbgrader", {}).get("solution"):
            continue
        kind = rng.choice(["right", "slip", "wrong", "empty"], p=[0.5, 0.3, 0.1, 0.1])
        if kind == "slip":
            cell.source = slip(cell.source, rng)
        elif kind == "wrong":
            cell.source = wrong[rng.integers(len(wrong))][0].get(problem_sets.grade_id(cell), cell.source)
        elif kind == "empty":
            cell.source = ""
        changed += kind != "right"
    return nb, changed


def typed(course: Path, *command: str) -> float:
    """Run a command of a teacher's in the course; the seconds it takes."""
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *command], cwd=course, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=problem_sets.SETS, metavar="SET", help="ps1, ps2, …; all, if none is named")
    parser.add_argument("--students", type=int, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        course = Path(folder)
        shutil.copy(problem_sets.COURSE / "nbgrader_config.py", course)
        for name in options.sets:
            shutil.copytree(problem_sets.COURSE / "source" / name, course / "source" / name)
            seconds = {"generate_assignment": typed(course, "nbgrader", "generate_assignment", name)}
            changes = {}
            for number in range(options.students):
                nb, changes[f"student-{number:03}"] = simulated(name, rng)
                problem_sets.hand_in(course, f"student-{number:03}", name, nb)
            seconds["autograde"] = typed(course, "grading", name)
            seconds["generate_feedback"] = typed(course, "nbgrader", "generate_feedback", name)
            seconds["export"] = typed(course, "nbgrader", "export")
            full = problem_sets.points_of(problem_sets.source(name))
            found = {student: {key: by_cell.get(key) for key in full} for student, by_cell in problem_sets.scores(course, name).items()}
            lost = missing(course, name, changes, found, full)
            marks = [sum(by_cell.values()) for student, by_cell in found.items() if student not in lost]
            print(f"{name}: {options.students} submissions, {os.cpu_count()} cores, {sum(map(bool, changes.values()))} of them changed;"
                  f" autograde {seconds['autograde'] / options.students:.2f} s a submission,"
                  f" feedback {seconds['generate_feedback'] / options.students:.2f} s;"
                  f" marks from {min(marks):g} to {max(marks):g}, mean {np.mean(marks):.1f}; lost {len(lost)}", flush=True)
            if lost:
                raise SystemExit(f"lost: {lost}")


def missing(course: Path, name: str, changes: dict[str, int], found: dict[str, dict], full: dict[str, float]) -> list[str]:
    """The students whose marks, feedback or row are not there, or are not what an unchanged solution earns."""
    with open(course / "grades.csv", newline="") as table:
        rows = {row["student_id"] for row in csv.DictReader(table) if row["assignment"] == name}
    return [student for student, changed in changes.items() if not (
        student in found and student in rows and (course / "feedback" / student / name / f"{name}.html").exists()
        and None not in found[student].values() and (changed or found[student] == full))]


if __name__ == "__main__":
    main()
