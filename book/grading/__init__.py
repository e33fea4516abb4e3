"""Marks for the problem sets: what a graded cell compares, and what it says.

marks    what the cells of a problem set use: `Marks` and `own` in a graded cell, `check` and `checks` in a public one
values   numbers and arrays as text that a process can send to another without trusting it
sandbox  a student's code in a process of its own, with time limits
worker   that process
orphans  ends it when the tests are gone
nbgrader_cells  the steps of nbgrader that put all this to work (`nbgrader_config.py` names them)

`python -m grading ps1` autogrades all that was handed in, on all cores.
"""

from .marks import Marks, check, checks, own

__all__ = ["Marks", "check", "checks", "own"]
