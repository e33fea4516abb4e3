"""The course, for nbgrader: run its commands in this folder. The page "Teach with this book" shows them."""

import os
import sys
import warnings

from grading.inert import guard_feedback, guard_formgrader
from grading.whole import make_whole
from nbgrader.converters import GenerateAssignment
from sqlalchemy.exc import SAWarning

c = get_config()  # noqa: F821  nbgrader puts it there

here = os.path.dirname(os.path.abspath(__file__))
c.CourseDirectory.course_id = "gradients-through-time"
c.CourseDirectory.root = here
# Another database is an address as in SQLAlchemy: "postgresql://user:password@host/gradebook"
# SQLite waits for other processes for up to a minute.
c.CourseDirectory.db_url = f"sqlite:///{here}/gradebook.db?timeout=60"

# nbgrader starts another program of this Python's, alembic, when it makes the database.
os.environ["PATH"] = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]

# After a kill the same command makes what is not whole anew: see grading/whole.py in the book.
make_whole()

# Every version that was given out is kept, see grading/releases.py in the book.
c.GenerateAssignment.preprocessors = [*GenerateAssignment.class_traits()["preprocessors"].default(), "grading.releases.Keep"]

# Whatever a submission contains, it gets a grade and a message: see grading/nbgrader_cells.py in the book.
c.Autograde.exporter_class = "grading.nbgrader_cells.ReadAnything"
c.Autograde.sanitize_preprocessors = [
    "grading.nbgrader_cells.OwnFiles",
    "nbgrader.preprocessors.ClearOutput",
    "grading.nbgrader_cells.Rebuild",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "grading.nbgrader_cells.ExecuteApart",
    "nbgrader.preprocessors.LimitOutput",
    "grading.saving.SaveGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
]

# What a student wrote runs nowhere where it is shown: see grading/inert.py.
c.GenerateFeedback.exporter_class = "grading.inert.Feedback"
guard_feedback()
guard_formgrader()

# On a hub: feedback for all whose work came through the exchange, see grading/exchange.py in the book.
c.ExchangeFactory.release_feedback = "grading.exchange.ReleaseFeedback"

# nbgrader 0.9.6 makes SQLAlchemy 2.1 warn at every submission, of nothing that matters.
warnings.filterwarnings("ignore", category=SAWarning)

# Feedback and the table of marks say which answers have not been graded yet: see grading/ungraded.py in the book.
c.GenerateFeedback.preprocessors = ["grading.ungraded.Grades", "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor"]
c.ExportApp.plugin_class = "grading.ungraded.Export"
