"""When each file was last changed, as Git knows it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def of_files(root: Path) -> dict[str, str]:
    """Path from `root` -> date of its last commit, "2026-11-27"; empty where there is no Git.

    In a shallow clone the oldest commit seems to have made every file: what it alone names has no date.
    """
    try:
        shallow = _git(root, "rev-parse", "--is-shallow-repository").strip() == "true"
        log = _git(root, "-c", "core.quotePath=false", "log", "--relative", "--no-renames", "--name-only", "--format=%x00%cs %P")
    except (OSError, subprocess.CalledProcessError):
        return {}
    found: dict[str, str] = {}
    for commit in log.split("\0")[1:]:
        head, *names = commit.splitlines()
        date, _, parents = head.partition(" ")
        known = parents or not shallow
        for name in filter(None, names):
            found.setdefault(name, date if known else "")
    return {name: date for name, date in found.items() if date}


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, encoding="utf-8").stdout
