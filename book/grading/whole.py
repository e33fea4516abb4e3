"""A command of nbgrader's that was killed is mended by the same command: what it has made is whole, or is made anew.

nbgrader takes a folder that is there for one that is done. But a kill leaves folders without their page or notebook, or with half
of it. `nbgrader_config.py` calls `make_whole`.
"""

from __future__ import annotations

import os
from pathlib import Path

from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import BaseConverter
from nbgrader.utils import rmtree

from .writing import whole

__all__ = ["make_whole"]

init_destination = BaseConverter.init_destination


def make_whole() -> None:
    """For generate_assignment, autograde and generate_feedback."""
    BaseConverter.init_destination = _init_destination
    BaseConverter.write_single_notebook = _write


def _init_destination(converter, assignment, student):
    if init_destination(converter, assignment, student):
        return True
    if student in (converter.coursedir.student_id_exclude or "").split(","):
        return False
    folder = Path(converter._format_dest(assignment, student))
    if not (reason := _lacks(converter, Path(converter._format_source(assignment, student)), folder)):
        return False
    converter.log.warning("%s: made anew, %s", os.path.relpath(folder), reason)
    if folder.exists() and converter.coursedir.notebook_id == "*":
        rmtree(str(folder))
    return True


def _lacks(converter, source, folder):
    """What a run that was ended has left undone, or ""."""
    if isinstance(converter, Autograde):
        made = [*folder.glob("*.ipynb")]
        open_to_all = int(str(converter.permissions), 8) & 0o222  # else the last step takes away the permission to write
        if not made or not open_to_all and any(notebook.stat().st_mode & 0o222 for notebook in made):
            return "its grading had not come to an end"
        return ""
    for notebook in converter.notebooks:
        made = folder / f"{Path(notebook).stem}{converter.exporter.file_extension}"
        if not made.is_file() or not made.stat().st_size:
            return f"it had no {made.name}"
    if isinstance(converter, GenerateFeedback):
        stamps = [stamp.read_bytes() if stamp.is_file() else b"" for stamp in (source / "timestamp.txt", folder / "timestamp.txt")]
        if stamps[0] != stamps[1]:
            return "it was another hand-in's"
    return ""


def _write(converter, output, resources):
    """All of it or nothing."""
    names = resources["nbgrader"]
    converter.writer.build_directory = converter._format_dest(names["assignment"], names["student"])  # the converter looks there
    made = Path(converter.writer.build_directory) / f"{resources['unique_key']}{resources['output_extension']}"
    made.parent.mkdir(parents=True, exist_ok=True)
    with whole(made) as new:
        new.write_text(output, encoding="utf-8")
