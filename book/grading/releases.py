"""Every version of a problem set that was given out: a text that the teacher has mended since is not the student's own.

`nbgrader_config.py` puts `Keep` at the end of the steps of `nbgrader generate_assignment`.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from nbgrader.preprocessors import NbGraderPreprocessor

from .writing import whole

__all__ = ["Keep", "versions"]


class Keep(NbGraderPreprocessor):
    """Keeps the cells of a release in `given_out`, each version in a file of its own."""

    def preprocess(self, nb, resources):
        names = resources["nbgrader"]
        cells = json.dumps([[cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source] for cell in nb.cells])
        folder = _folder(Path(self.parent.parent.coursedir.root), names["assignment"], names["notebook"])
        folder.mkdir(parents=True, exist_ok=True)
        version = folder / f"{hashlib.sha256(cells.encode()).hexdigest()[:16]}.json"
        with whole(version) as new:
            new.write_text(cells, encoding="utf-8")
        return nb, resources


def versions(course: Path, assignment: str, notebook: str) -> list[list[tuple[str | None, str]]]:
    """The grade_ids (None: nbgrader does not know the cell) and texts of the cells of each version; [] if none was kept."""
    files = sorted(_folder(course, assignment, notebook).glob("*.json"))
    return [[tuple(cell) for cell in json.loads(file.read_text(encoding="utf-8"))] for file in files]


def _folder(course, assignment, notebook):
    return course / "given_out" / assignment / notebook
