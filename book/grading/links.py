"""What is handed in consists of folders and files of its own. A link to something else is refused, never followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["irregular"]


def irregular(course: Path, student: str, assignment: str) -> list[str]:
    """What of a submission is a link, a device or the like: each with its path in the course and the reason."""
    folder = course / "submitted" / student
    return [f"{path.relative_to(course)} {reason}" for path in _all(folder, folder / assignment) if (reason := _reason(path))]


def _all(student: Path, assignment: Path) -> Iterator[Path]:
    yield student
    yield assignment
    if not (student.is_symlink() or assignment.is_symlink()):
        for folder, folders, files in os.walk(assignment):
            yield from (Path(folder) / name for name in sorted(folders + files))


def _reason(path):
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return "is a link"
    if stat.S_ISREG(info.st_mode) and info.st_nlink > 1:
        return "is the same file as another one (a hard link)"
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        return "is neither a file nor a folder"
    return None
