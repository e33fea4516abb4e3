"""Marks of hand-ins that are no longer in `submitted`, such as those that were collected under a wrong name.

nbgrader keeps such marks, exports them and writes feedback for them. `python -m grading ps1` names them, and so does the table of
marks; `python -m grading ps1 --forget NAME` takes them away.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from nbgrader.api import Gradebook

__all__ = ["forget", "withdrawn"]


def withdrawn(gradebook: Gradebook, course: Path, assignment: str) -> list[str]:
    """The students who have points for it in the gradebook, or a graded notebook, and no hand-in."""
    marked = {each.student_id for each in gradebook.assignment_submissions(assignment) if _has_points(each)}
    graded = {folder.parent.name for folder in course.glob(f"autograded/*/{assignment}")}
    return sorted(student for student in marked | graded if not (course / "submitted" / student / assignment).exists())


def _has_points(submission):
    """One without is but an extension that was granted."""
    grades = (grade for notebook in submission.notebooks for grade in notebook.grades)
    return any(grade.auto_score is not None or grade.manual_score is not None for grade in grades)


def forget(gradebook: Gradebook, course: Path, assignment: str, student: str) -> None:
    """Take away a student's marks for it, the graded notebook and the feedback; an extension stays.

    Whenever it is ended, `withdrawn` names the student until all is done: the graded notebook goes last.
    """
    graded, feedback = (course / kind / student / assignment for kind in ("autograded", "feedback"))
    for folder in (graded, feedback):
        if folder.parent.is_symlink() or folder.is_symlink():
            raise ValueError(f"{folder.relative_to(course)}: a link, want a folder")
    if feedback.exists():
        shutil.rmtree(feedback)
    submissions = [each for each in gradebook.assignment_submissions(assignment) if each.student_id == student]
    extension = submissions[0].extension if submissions else None
    for submission in submissions:  # as nbgrader's remove_submission, which commits at each step
        for notebook in list(submission.notebooks):
            for each in (*notebook.grades, *notebook.comments, notebook):
                gradebook.db.delete(each)
        gradebook.db.delete(submission)
        gradebook.db.flush()
    if extension:
        gradebook.add_submission(assignment, student, extension=extension)  # which commits
    else:
        gradebook.db.commit()
    if graded.exists():
        shutil.rmtree(graded)
