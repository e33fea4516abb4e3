"""A file that is written whole or not at all, also when the program is killed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole(path: Path, new: Path | None = None) -> Iterator[Path]:
    """Where to write what shall be at `path`, beside it or at `new`: at the end of the block it takes its place."""
    new = new or path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # of a run that was ended, and perhaps not to be written to
    yield new
    os.replace(new, path)
