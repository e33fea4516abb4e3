"""Collect from nbgrader's exchange, a folder that every student can write to: `c.ExchangeFactory.collect` in nbgrader's settings.

nbgrader 0.9.6 believes what it finds there. A folder made by hand could take another student's place, a link in it was
followed with the teacher's rights (to the solutions, say), and a name without a time ended the collection for all.
"""

from __future__ import annotations

import errno
import os
import pwd
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import parse_utc


def copy_plain_files(src: str, dest: Path) -> Iterator[tuple[str, str]]:
    """Copy the folders and plain files below `src`; what else is there, and why it stays there.

    Each file is opened before it is looked at, so that nobody can put a link in its place in between.
    """
    for folder, folders, files, descriptor in os.fwalk(src):
        here = dest / os.path.relpath(folder, src)
        here.mkdir(parents=True, exist_ok=True)
        for name in folders + files:
            try:
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
            except OSError as error:
                yield os.path.join(folder, name), "a link" if error.errno == errno.ELOOP else error.strerror
                continue
            try:
                kind = os.fstat(file).st_mode
                if stat.S_ISREG(kind):
                    with open(file, "rb", closefd=False) as source, (here / name).open("wb") as target:
                        shutil.copyfileobj(source, target)
                elif not stat.S_ISDIR(kind):
                    yield os.path.join(folder, name), "no plain file"
            finally:
                os.close(file)


class Collect(ExchangeCollect):
    """As nbgrader's, but a hand-in is its owner's, links stay where they are, and no hand-in stops the others."""

    def init_src(self):
        super().init_src()
        self.src_records = [record for record in self.src_records if record["username"]]

    def _path_to_record(self, path):
        """Whose hand-in this is, and of what time; of nobody's, if it is none."""
        nobody = {"username": "", "filename": os.path.basename(path), "timestamp": parse_utc("1970-01-01 00:00:00 UTC")}
        if os.path.islink(path) or not os.path.isdir(path):
            self.log.error("Not collected, no folder: %s", path)
            return nobody
        try:
            record = super()._path_to_record(path)
        except (ValueError, OverflowError):
            self.log.error("Not collected, its name has no time: %s", path)
            return nobody
        try:
            owner = pwd.getpwuid(os.lstat(path).st_uid).pw_name
        except KeyError:  # an account that is gone; nbgrader warns
            return record
        if self.check_owner and owner != record["username"]:
            self.log.error("Handed in by %s under another name, and counted as %s's: %s", owner, owner, path)
            record["username"] = owner
        return record

    def do_copy(self, src, dest, log=None):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "copy")
            try:
                for name, why in copy_plain_files(src, copy):
                    self.log.error("Left out, %s: %s", why, name)
                # By these two files nbgrader sends the feedback back; `nbgrader submit` makes them.
                (copy / "timestamp.txt").write_text(os.path.basename(src).rsplit("+", 3)[2])
                secret = copy / "submission_secret.txt"
                if not (secret.is_file() and re.fullmatch(rb"[0-9a-f]{128}", secret.read_bytes())):
                    secret.write_text(secrets.token_hex(64))
                super().do_copy(copy, dest, log)
            except (OSError, RuntimeError) as error:  # nbgrader's word for a folder that is too large: RuntimeError
                self.log.error("Not collected: %s: %s", src, error)
