"""Saves the marks of `nbgrader autograde`, and does not ask for a mark again that a teacher has given to the same answer."""

from __future__ import annotations

import hashlib
import json

from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import is_grade, is_solution
from sqlalchemy import Column, MetaData, String, Table, delete, insert, inspect, select
from sqlalchemy.schema import CreateTable

__all__ = ["SaveGrades"]

# A table of our own in the gradebook: what each grade was given for.
ANSWERS = Table("grading_answers", MetaData(), Column("grade_id", String(128), primary_key=True), Column("digest", String(64)))


class SaveGrades(SaveAutoGrades):
    """As nbgrader's, which marks every grade that was given by hand "needs manual grade" at each run.

    Here it stays settled if the answer is the same: of a text, the cell and all cells that are the student's own;
    of a test, whose points a teacher has changed, all code and the points that the test gives.
    """

    def preprocess(self, nb, resources):
        self._nb = nb
        return super().preprocess(nb, resources)

    def _add_score(self, cell, resources):
        where = cell.metadata.nbgrader.grade_id, self.notebook_id, self.assignment_id, self.student_id
        grade, session = self.gradebook.find_grade(*where), self.gradebook.db
        settled = grade.manual_score is not None and not grade.needs_manual_grade
        super()._add_score(cell, resources)
        if not inspect(session.get_bind()).has_table(ANSWERS.name):
            session.execute(CreateTable(ANSWERS, if_not_exists=True))
        digest = self._digest(cell, grade.auto_score)
        before = session.execute(select(ANSWERS.c.digest).where(ANSWERS.c.grade_id == grade.id)).scalar()
        if settled and digest == before:
            grade.needs_manual_grade = False
        session.execute(delete(ANSWERS).where(ANSWERS.c.grade_id == grade.id))
        session.execute(insert(ANSWERS).values(grade_id=grade.id, digest=digest))
        session.commit()

    def _digest(self, cell, auto_score):
        if is_solution(cell):
            own = [each for each in self._nb.cells if "nbgrader" not in each.metadata or is_solution(each) and not is_grade(each)]
            answer = [[each.cell_type, each.source, each.get("attachments")] for each in [cell, *own]]
        else:
            answer = [auto_score] + [each.source for each in self._nb.cells if each.cell_type == "code"]
        return hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest()
