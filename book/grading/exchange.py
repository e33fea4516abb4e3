"""Collect from nbgrader's exchange, a folder that every student can write to, and give feedback back by it:
`c.ExchangeFactory.collect` and `release_feedback` in nbgrader's settings.

nbgrader 0.9.6 believes what it finds there. A folder made by hand could take another student's place, a link in it was
followed with the teacher's rights (to the solutions, say), and a name without a time ended the collection for all. The
time of a hand-in is in the name of its folder as well, for the student to choose. And it knows no hand-in that came another way.
"""

from __future__ import annotations

import glob
import os
import pwd
import re
import secrets
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from nbgrader.exchange.default import ExchangeCollect, ExchangeReleaseFeedback

from .collect import choose_in, collected_of, given, keep, newest_replaced, remembered
from .terminal import printable

MOST = 10_000  # files and folders in a hand-in
DEEPEST, LONGEST = 20, 1000  # folders in each other; bytes in the name of a file, with its folders
MOST_OF_OWNER = 20_000  # in all hand-ins of one, with these themselves; beyond that none is looked at
SAID = 20  # errors of one owner; of more the number is said
NAMED = 10  # of those that are left out, as many are named
BLOCK = 1 << 20  # bytes
EARLIEST, AHEAD = datetime(2000, 1, 1), timedelta(days=1)  # times beyond are no times of hand-ins
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: ?(?:[A-Za-z]{1,6}|[-+]\d\d:?\d\d))?", re.ASCII)  # as nbgrader writes it
HANDING_IN = timedelta(minutes=10)  # from the time in the name to the last file, and what two clocks may differ by


def below(folder: int, within: str = "", depth: int = 1) -> Iterator[tuple[str, int, os.stat_result | None, str]]:
    """What is below an open folder: its name, and a descriptor (open until the next one is asked for) with its status,
    or -1, None and why there is none.

    A file is looked at again after it was opened: nobody can put a link in its place in between.
    """
    with os.scandir(folder) as found:
        for entry in found:
            name = os.path.join(within, entry.name)
            try:
                kind = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISLNK(kind) or not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                    yield name, -1, None, "a link" if stat.S_ISLNK(kind) else "no plain file"
                    continue
                if depth > DEEPEST or len(os.fsencode(name)) > LONGEST:
                    yield name, -1, None, "too many folders in each other" if depth > DEEPEST else "its name is too long"
                    continue
                file = os.open(entry.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
                try:
                    status = os.fstat(file)
                    yield name, file, status, ""
                    if stat.S_ISDIR(status.st_mode):
                        yield from below(file, name, depth + 1)
                finally:
                    os.close(file)
            except OSError as error:
                yield name, -1, None, error.strerror


def take(src: str, dest: Path | None, largest_file: int, largest: int, looked: Counter | None = None) -> tuple[float, list[tuple[str, str]]]:
    """Copy the folders and plain files below `src` to a new folder `dest`, if there is one; sizes are in bytes.

    Returns when the last of them was changed (seconds since 1970, by the clock of the system, which users can't set), and
    what else is there with why it stays there; in `looked[src]` is how much was looked at, whatever happens. Raises ValueError for what is too large, OSError for what can't be read.
    """
    size, left_out, looked = 0, [], Counter() if looked is None else looked
    looked[src] = 1
    top = os.open(src, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        status = os.fstat(top)
        owner, changed = status.st_uid, status.st_ctime
        if dest:
            dest.mkdir()
        for name, file, status, why in below(top):
            looked[src] += 1
            if looked[src] > MOST + 1:
                raise ValueError(f"more than {MOST} files and folders")
            if status and stat.S_ISREG(status.st_mode):
                if status.st_nlink > 1 and status.st_uid != owner:
                    why = "a link"  # a hard one, to a file of somebody else
                elif status.st_size > largest_file:
                    why = f"{status.st_size} bytes, where {largest_file} is most"
            elif status and not stat.S_ISDIR(status.st_mode):
                why = "no plain file"
            if why:
                left_out.append((name, why))
                continue
            changed = max(changed, status.st_ctime)
            if stat.S_ISDIR(status.st_mode):
                if dest:
                    (dest / name).mkdir()
                continue
            if size + status.st_size > largest:
                raise ValueError(f"more than {largest} bytes")
            size += copied(file, dest / name, largest - size) if dest else status.st_size
            changed = max(changed, os.fstat(file).st_ctime)  # while it was copied
    finally:
        os.close(top)
    return changed, left_out


def copied(file: int, target: Path, most: int) -> int:
    """Copy an open file, which may grow; its size in bytes. Raises ValueError if that is more than `most`."""
    size = 0
    with target.open("wb") as copy:
        while block := os.read(file, BLOCK):
            size += copy.write(block)
            if size > most:
                raise ValueError("it grew too large while it was copied")
    return size


class Collect(ExchangeCollect):
    """As nbgrader's, but a hand-in is its owner's, links stay where they are, no hand-in stops the others, and none
    that was changed later counts as in time.

    What is not collected, left out or not under its owner's name is told, and after all have been looked at the command fails.
    """

    errors = 0

    def __init__(self, **settings):
        super().__init__(**settings)
        self.errors_of = Counter()  # owner -> errors

    def init_src(self):
        super().init_src()
        self.src_records = [record for record in self.src_records if record["username"]]

    def _path_to_record(self, path):
        """Whose hand-in this is, and of what time; of nobody's, if it is none."""
        try:
            return self.record(path)
        except (OSError, ValueError) as error:
            self.not_collected(error, path)
            return {"username": "", "filename": os.path.basename(path), "timestamp": EARLIEST, "right_name": False}

    def not_collected(self, error, path, whose=""):
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.error(whose or self.owner(path), "Not collected%s, %s: %s", whose and f" from {printable(whose)}", printable(why), printable(path))

    def error(self, whose, *message):
        self.errors += 1
        self.errors_of[whose] += 1
        if self.errors_of[whose] <= SAID:
            self.log.error(*message)

    def owner(self, path):
        """Who made it, as far as that can be told: all without an account are one."""
        try:
            return pwd.getpwuid(os.lstat(path).st_uid).pw_name if self.check_owner else os.path.basename(path).rsplit("+", 3)[0]
        except (OSError, KeyError):
            return "nobody known"

    @property
    def limits(self) -> tuple[int, int]:
        """Bytes: of a file, of a hand-in, which leave room for the two files that `collect` adds. nbgrader's are in kB."""
        return 1000 * (self.coursedir.max_file_size or self.coursedir.max_dir_size), 1000 * (self.coursedir.max_dir_size - 1)

    def record(self, path):
        """nbgrader's record of a hand-in, with `claimed`, the time in its name, and whether it is under the `right_name`.

        Raises ValueError or OSError if it is none.
        """
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            raise ValueError("no folder")
        try:
            record = super()._path_to_record(path)
            self.check_time(record["filename"].rsplit("+", 3)[2])
        except (ValueError, ArithmeticError):  # dateutil's words for numbers that are too large: the latter
            raise ValueError("its name has no time") from None
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        if not EARLIEST <= record["timestamp"] <= now + AHEAD:
            raise ValueError(f"its name has a time that can't be, {record['timestamp']}")

        record["right_name"] = True
        if self.check_owner:
            try:
                owner = pwd.getpwuid(status.st_uid).pw_name
            except KeyError:
                raise ValueError(f"made by number {status.st_uid}, which is no account, so that it may be anybody's") from None
            if owner != record["username"]:
                self.error(owner, "Handed in by %s under another name, and counted as %s's if there is no other: %s", owner, owner, printable(path))
                record |= {"username": owner, "right_name": False}
        if not record["username"].isprintable() or record["username"].startswith("."):
            raise ValueError("its name has no student")
        return record | {"path": path, "claimed": record["timestamp"], "timestamp": self.counts_as_of(record["timestamp"], status.st_ctime)}

    def check_time(self, text):
        """Raises ValueError if it has no date, or is written otherwise than nbgrader does, with its `timestamp_format`."""
        if not TIME.fullmatch(text):
            datetime.strptime(text, self.timestamp_format)

    def _sort_by_timestamp(self, records):
        """Those of one student that can be collected: the newest first, but none under another name before those that are under
        their owner's. nbgrader takes the first one.
        """
        key = lambda record: (record["right_name"], record["timestamp"])  # noqa: E731
        looked, found = Counter(), []
        records = sorted(records, key=key, reverse=True)
        for number, record in enumerate(records):
            if not record["username"]:
                break
            if looked.total() >= MOST_OF_OWNER:
                self.errors += 1
                self.log.error("Not looked at, %s's %d hand-ins before %s, since the later ones hold %d files and folders",  # said in any case
                               record["username"], len(records) - number, records[number - 1]["timestamp"], looked.total())
                break
            try:
                changed, _ = take(record["path"], None, *self.limits, looked)
            except (OSError, ValueError) as error:
                self.not_collected(error, record["path"], record["username"])
                continue
            found.append(record | {"timestamp": self.counts_as_of(record["claimed"], changed)})
        return sorted(found, key=key, reverse=True) or [{"username": "", "timestamp": EARLIEST}]

    @staticmethod
    def counts_as_of(claimed, changed):
        """The time in the name; or when it was changed (seconds since 1970), if that was later than handing in takes."""
        changed = datetime.fromtimestamp(changed, timezone.utc).replace(tzinfo=None)
        return changed if changed - claimed > HANDING_IN else claimed

    def copy_files(self):
        self.collect_all()
        for whose, number in self.errors_of.items():
            if number > SAID:
                self.log.error("%d more errors with what %s handed in", number - SAID, printable(whose))
        if self.errors:
            self.fail(f"{self.errors} error{'s' * (self.errors != 1)}, see above; all that has none is collected")

    def collect_all(self):
        if not self.src_records:
            return super().copy_files()  # which says so
        self.log.info("Processing %d submissions of '%s' for course '%s'",
                      len(self.src_records), self.coursedir.assignment_id, self.coursedir.course_id)
        self.memory = remembered(self.course)
        for record in self.src_records:
            path = os.path.join(self.inbound_path, record["filename"])
            try:
                self.collect(path, record)
            except (OSError, ValueError, RuntimeError) as error:  # nbgrader's word for a folder that is too large: RuntimeError
                self.not_collected(error, path, record["username"])

    @property
    def course(self):
        return Path(self.coursedir.root)

    def time_of_collected(self, student, dest):
        """The time of what was collected before, or None, and whether it is a guess: it may have come by mail. A student may have
        written it, if nbgrader's own collect was in use.
        """
        try:
            time, guess = collected_of(self.course, self.coursedir.assignment_id, student, self.memory)
        except (ValueError, ArithmeticError):
            self.log.warning("No time, and older than any: %s/timestamp.txt", dest)
            return None, False
        return time and time.astimezone(timezone.utc).replace(tzinfo=None), guess

    def takes_the_place(self, student, time, dest):
        """Whether a hand-in of that time does of what was collected before; if not, it is said."""
        assignment = self.coursedir.assignment_id
        before, guess = self.time_of_collected(student, dest)
        if self.before_duedate and time != before and not (before and time < before and (not self.duedate or before <= self.duedate)):
            return True
        replaced = newest_replaced(assignment, student, self.memory)
        known = guess and replaced and time <= replaced.astimezone(timezone.utc).replace(tzinfo=None)
        if self.update and not known and (before is None or time > before):
            return True
        if self.update and not known and guess:
            raise ValueError(f"its time, {time:%Y-%m-%d %H:%M:%S} UTC, is before that of the file which was collected another way, "
                             f"{before:%Y-%m-%d %H:%M:%S} UTC, and that one stays; look which of them is the newer one")
        self.log.info("No newer submission to collect: %s %s%s" if self.update else
                      "Submission already exists, use --update to update: %s %s%s", student, assignment,
                      ", and what took its place stays" if self.update and known else "")
        return False

    def changed_later(self, student, claimed, time, path):
        self.log.error("%s's hand-in of %s UTC was changed later, at %s UTC, and counts as of then: %s",
                   student, claimed, f"{time:%Y-%m-%d %H:%M:%S}", printable(path))

    def collect(self, path, record):
        """As a turn of the loop in nbgrader's `copy_files`, but what was collected before stays until the new one is safe."""
        student, assignment, time = record["username"], self.coursedir.assignment_id, record["timestamp"]
        if time != record["claimed"]:
            self.changed_later(student, record["claimed"], time, path)
        dest = self.coursedir.format_path(self.coursedir.submitted_directory, student, assignment)
        exists = os.path.isdir(dest)
        if exists:
            if not self.takes_the_place(student, time, dest):
                return
            if not record["right_name"]:
                raise ValueError("under another name, and so it takes no other's place")
        self.log.info("Updating submission: %s %s" if exists else "Collecting submission: %s %s", student, assignment)

        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder, "copy")
            changed, left_out = take(path, copy, *self.limits)
            if (now := self.counts_as_of(record["claimed"], changed)) != time:
                time = now
                self.changed_later(student, record["claimed"], time, path)
            for name, why in left_out[:NAMED]:
                self.error(student, "Left out, %s: %s", why, printable(os.path.join(path, name)))
            if len(left_out) > NAMED:
                self.error(student, "Left out, %d more: %s", len(left_out) - NAMED, printable(path))
            for name in ("timestamp.txt", "submission_secret.txt", f"{assignment}.ipynb"):  # files that grading needs
                if (copy / name).is_dir():
                    shutil.rmtree(copy / name)
                    self.error(student, "Left out, a folder where a file must be: %s", printable(os.path.join(path, name)))
            self.choose(student, copy, path)
            # By these two files nbgrader sends the feedback back; `nbgrader submit` makes them.
            (copy / "timestamp.txt").write_text(
                record["filename"].rsplit("+", 3)[2] if time == record["claimed"] else f"{time:%Y-%m-%d %H:%M:%S.%f} UTC")
            secret = copy / "submission_secret.txt"
            if not (secret.is_file() and re.fullmatch(rb"[0-9a-f]{128}", secret.read_bytes())):
                secret.write_text(secrets.token_hex(64))

            new = f"{dest}.new"  # half of it would be taken for all
            shutil.rmtree(new, ignore_errors=True)  # of a run that was ended
            try:
                os.makedirs(os.path.dirname(dest), exist_ok=True)
                self.do_copy(copy, new)
                if exists:
                    self.keep(student, dest)
                    shutil.rmtree(dest)
                os.rename(new, dest)
            except BaseException:
                shutil.rmtree(new, ignore_errors=True)
                raise

    def keep(self, student, dest):
        """In `replaced`, as what `python -m grading.collect` replaces."""
        before, _ = self.time_of_collected(student, dest)
        moment = before.replace(tzinfo=timezone.utc) if before else datetime.fromtimestamp(os.stat(dest).st_mtime, timezone.utc)
        if kept := keep(self.course, self.coursedir.assignment_id, student, self.memory, moment):
            self.log.info("What was collected before is kept: %s", kept.relative_to(self.course))

    def choose(self, student, copy, path):
        """nbgrader grades the notebook with the problem set's name: if another one was worked on in its stead, it gets that name."""
        name = self.coursedir.assignment_id
        try:
            taken, others = choose_in(copy, given(Path(self.coursedir.root), name))
        except FileNotFoundError:  # a course that was released elsewhere
            return
        if taken and taken.entry.content != (target := copy / f"{name}.ipynb"):
            self.error(student, "Taken for %s's %s, which %s: %s", student, target.name,
                       "was not worked on" if target.exists() else "is not there", printable(os.path.join(path, taken.entry.place)))
            shutil.copyfile(taken.entry.content, target)
        for file in others[:NAMED]:
            self.error(student, "Left out, %s: %s", "worked on as well" if file.kind == "work" else file.note, printable(os.path.join(path, file.entry.place)))


class ReleaseFeedback(ExchangeReleaseFeedback):
    """As nbgrader's, but a student whose hand-in did not come through the exchange keeps nobody from their feedback: it is named."""

    def copy_files(self):
        assignment, without = self.coursedir.assignment_id, self.coursedir.student_id_exclude
        others = set()
        for folder in {Path(page).parent for page in glob.glob(os.path.join(self.src_path, "*.html"))}:
            if not all((folder / name).is_file() for name in ("timestamp.txt", "submission_secret.txt")):
                others.add(folder.parent.name)
        for student in sorted(others - {*(without or "").split(",")}):
            self.log.warning("Not released, since what was graded did not come through the exchange: %s %s; send it yourself: %s",
                             printable(student), assignment, printable(os.path.join("feedback", student, assignment)))
        self.coursedir.student_id_exclude = ",".join([*[without] * bool(without), *sorted(others)])
        try:
            super().copy_files()
        finally:
            self.coursedir.student_id_exclude = without
