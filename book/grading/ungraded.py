"""What still waits for the teacher: said when feedback is written and marks are exported, and seen in both.

`nbgrader_config.py` puts `Grades` in the place of nbgrader's GetGrades, and `Export` in that of its exporter.
"""

from __future__ import annotations

import csv
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import CsvExportPlugin
from nbgrader.preprocessors import GetGrades
from nbgrader.utils import is_grade

from .withdrawn import withdrawn

__all__ = ["Export", "Grades", "ungraded"]

FIELDS = ["assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email", "raw_score",
          "late_submission_penalty", "score", "max_score", "ungraded"]
WAITS = "This answer waits to be graded."


def ungraded(submission) -> list[str]:
    """The cells of a submission (nbgrader's SubmittedAssignment) that need points by hand."""
    return [grade.name for notebook in submission.notebooks for grade in notebook.grades if grade.needs_manual_grade]


class Grades(GetGrades):
    """Says in the log, and in a comment to the answer, that it waits to be graded."""

    def preprocess(self, nb, resources):
        nb, resources = super().preprocess(nb, resources)
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            waiting = ungraded(gradebook.find_submission(names["assignment"], names["student"]))
        for cell in nb.cells:
            if is_grade(cell) and cell.metadata.nbgrader["grade_id"] in waiting:
                said = cell.metadata.nbgrader.get("comment")
                cell.metadata.nbgrader["comment"] = f"{said}\n\n{WAITS}" if said else WAITS
        if waiting:
            self.log.warning("%s: %s waits to be graded by hand, and the feedback says so", names["student"], " and ".join(waiting))
        return nb, resources


class Export(CsvExportPlugin):
    """nbgrader's table, one row a student and problem set, and a last column with the answers that wait to be graded.

    `score` has 0 points for these, or those that an earlier hand-in got.
    """

    def export(self, gradebook: Gradebook) -> None:
        with open(self.to or "grades.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, FIELDS, lineterminator="\n")
            table.writeheader()
            course = Path(CourseDirectory(config=self.config).root)
            for assignment in gradebook.assignments:
                for student in withdrawn(gradebook, course, assignment.name):
                    self.log.warning("%s, %s: has marks or feedback, and no hand-in in submitted", assignment.name, student)
                for student in gradebook.students:
                    if assignment.name in (self.assignment or [assignment.name]) and student.id in (self.student or [student.id]):
                        table.writerow(self._row(gradebook, assignment, student))

    def _row(self, gradebook, assignment, student):
        row = {"assignment": assignment.name, "duedate": assignment.duedate, "student_id": student.id, "last_name": student.last_name,
               "first_name": student.first_name, "email": student.email, "max_score": assignment.max_score}
        try:
            submission = gradebook.find_submission(assignment.name, student.id)
        except MissingEntry:
            return row | {"raw_score": 0.0, "late_submission_penalty": 0.0, "score": 0.0}
        penalty, waiting = submission.late_submission_penalty, ungraded(submission)
        if waiting:
            self.log.warning("%s, %s: %s waits to be graded by hand", assignment.name, student.id, " and ".join(waiting))
        return row | {"timestamp": submission.timestamp, "raw_score": submission.score, "late_submission_penalty": penalty,
                      "score": max(0.0, submission.score - penalty), "ungraded": " ".join(waiting)}
