"""Marks for the problem sets: what a graded cell compares, and what it says.

marks    what the cells of a problem set use: `Marks` and `own` in a graded cell, `check` and `checks` in a public one
values   numbers and arrays as text that a process can send to another without trusting it
sandbox  a student's code in a process of its own, with time limits
isolation  the place of that process: no network, no sight of the course
worker   that process
links    what is handed in and must not be followed
saving   marks go into the gradebook; what was graded by hand is not asked for again
orphans  ends it when the tests are gone
nbgrader_cells  the steps of nbgrader that put all this to work (`nbgrader_config.py` names them)
releases  every version of a problem set that was given out
answers  answers that stand in another cell than theirs
archives  what is in an archive, with no trust in it
collect  from archives to `submitted`: `python -m grading.collect ps1 ARCHIVE`
ungraded  feedback and the table of marks say what is not graded yet
withdrawn  marks of hand-ins that are no longer there
inert    pages that show what a student wrote, in which nothing of it runs
exchange  collects from the exchange of a hub, which every student can write to
gradescope  the archive that Gradescope wants: `python -m grading.gradescope ps1`

`python -m grading ps1` autogrades all that was handed in, on all cores.
"""

from .marks import Marks, check, checks, own

__all__ = ["Marks", "check", "checks", "own"]
