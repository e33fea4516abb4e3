"""What is in an archive or a folder, with no trust in it: nothing is unpacked to where a name points, no link is followed.

Sizes, depth, number and time are limited: for all of it, and for each student's part, with the archives in that and the look into
the notebooks, so that nobody takes the others' share. What is not read is still listed, with the reason, or counted.
"""

from __future__ import annotations

import bisect
import bz2
import gzip
import lzma
import math
import os
import re
import stat
import struct
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import monotonic

__all__ = ["Entry", "entries"]

LARGEST = 20 * 2**20  # bytes of a notebook
LARGEST_ARCHIVE = 200 * 2**20  # bytes of an archive in an archive
MOST_BYTES, MOST_SECONDS = 10 * 2**30, 1800  # of the outermost archive itself
MOST_ENTRIES = 20_000  # of a student in the outermost archive
MOST_ENTRIES_IN_ALL = 500_000
# Of a student's archives in it, with those in these: a notebook and some pictures. The seconds are for all files of a student.
MOST_BYTES_WITHIN, MOST_SECONDS_WITHIN, MOST_ENTRIES_WITHIN = 200 * 2**20, 30, 2_000  # folders are entries, too
MOST_STUDENTS, MOST_SECONDS_OF_ALL = 500, 3600  # for what all students' parts may take together
MOST_ROWS = 50  # of an archive in an archive, beside those of notebooks
SHARES = 5  # of a folder at the top, each of whose folders has one: it may be a section of a course with a name of its own
LARGEST_DIRECTORY, LARGEST_DIRECTORY_WITHIN = 64 * 2**20, 2**20  # bytes of the list at the end of a zip
LARGEST_HEADER = 2**16  # bytes that a tar says of a file: a search in the standard library takes the square of it
BLOCK = 2**16
EARLIEST = datetime(2000, 1, 1, tzinfo=timezone.utc)  # time of a hand-in; the latest is now
DEEPEST = 3  # archives in archives
DEEPEST_SECTION = 5  # folders, the last of which may be a section
LONGEST = 1000  # characters of a path

ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
OTHER_ARCHIVE = re.compile(r"\.(7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE)
NOTEBOOK = re.compile(r"\.ipynb|\.(json|txt)$|^[^.]+$", re.IGNORECASE)  # browsers add .txt and .json
OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")  # as a notebook begins, whatever it is called
EMPTY_FOLDER = "an empty folder"
# The folder of a section of a course, or of a team
GROUP = re.compile(r"(?:section|sektion|group|gruppe|groupe|grupo|gruppo|class|classe|klasse|course|cours|kurs|lab|tutorial|tutorium|seminar"
                   r"|cohort|übung|班|组)s?(?:[-_. ]+\w{1,4}|\d{0,3})", re.IGNORECASE)


@dataclass(eq=False)
class Entry:
    """A file of an archive.

    place    as it is shown to the teacher
    parts    its folders and its name; an archive in an archive counts as a folder; no name that leads out of it
    time     of its last change, as the outermost archive says; for a file of an archive in it, that of this archive, since the
             times inside are those of whoever made it
    content  where its bytes are, if it may be the notebook
    refused  why it was not read
    outside  of a file of an archive in an archive, how many of its parts the outermost one gives; whoever made the inner one
             has chosen the others
    """

    place: str
    parts: tuple[str, ...]
    time: datetime | None = None
    content: Path | None = None
    refused: str = ""
    outside: int | None = None

    @property
    def name(self) -> str:
        return self.parts[-1] if self.parts else ""


def entries(path: Path, spool: Path, whose: Callable[[str], str] = lambda name: "", keep: Callable[[Entry], bool] = lambda entry: True) -> list[Entry]:
    """All files of a folder or an archive, or the file itself; copies of what may be the notebook come to `spool`.

    whose  what stands for the student in the name of a file or a folder, where a platform has given that; else ""
    keep   looks into a file that may be a notebook, and says whether its copy is kept; the time that it takes is the student's
    """
    reader = _Reader(spool, whose, keep)
    if path.is_dir():
        reader.folder(path)
    elif reader.is_archive(path):
        reader.archive(path, (), "", None, 0)
    else:
        reader.file(path)
    return reader.found


class _Budget:
    """What may still be read: of an archive, or of a student's, which is taken from a `wider` one as well."""

    def __init__(self, most_bytes, seconds, most_entries, largest_directory, wider=None, whose=""):
        self.bytes, self.seconds, self.entries, self.largest_directory = most_bytes, seconds, most_entries, largest_directory
        self._most, self._wider, self._whose = (most_bytes, seconds, most_entries), wider, whose
        self.begin()

    def begin(self):
        """From now on its time runs."""
        self._since = monotonic()

    def charge(self, size=0, entries=0):
        now = monotonic()
        seconds, self._since = now - self._since, now
        budget = self
        while budget:
            budget.bytes, budget.seconds, budget.entries = budget.bytes - size, budget.seconds - seconds, budget.entries - entries
            budget = budget._wider

    def spend(self, size=0, entries=0):
        self.charge(size, entries)
        budget = self
        while budget:
            most_bytes, seconds, most_entries = budget._most
            if budget.bytes < 0:
                raise ValueError(f"the archive holds more than {most_bytes / 2**20:g} MB{budget._whose}")
            if budget.entries < 0:
                raise ValueError(f"more than {most_entries} files and folders{budget._whose}")
            if budget.seconds < 0:
                raise ValueError(f"it takes more than {seconds} seconds{budget._whose}")
            budget = budget._wider


class _Timed:
    """A file of which little is read at once, and nothing when time is up: what the decompressors and `zipfile` read from."""

    def __init__(self, file, budget):
        self._file, self._budget, self._size = file, budget, os.fstat(file.fileno()).st_size
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size=-1):
        self._budget.spend()
        largest, rest = self._budget.largest_directory, self._size - self._file.tell()
        if size is None or size < 0:
            size = largest + 1
        if size > largest + 1 or len(data := self._file.read(min(size, max(rest, 0)))) > largest:  # it takes the memory that it is asked for
            raise ValueError(f"its list of files is larger than {largest / 2**20:g} MB")
        return data


class _Tape:
    """The unpacked bytes of a tar, for `tarfile`: forward only. Those of headers count, and those of what is passed over."""

    OPEN = {b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file), b"BZ": bz2.BZ2File, b"\xfd7": lzma.LZMAFile}

    def __init__(self, file, budget):
        self._budget, self._position = budget, 0
        self._packed = self.OPEN.get(file.read(2))
        file.seek(0)
        self._file = self._packed(_Timed(file, budget)) if self._packed else file
        self.header = LARGEST_HEADER  # bytes that it may still have; None in the contents of a file
        self.last = b""

    def tell(self):
        return self._position

    def seekable(self):
        return True

    def seek(self, position, _=0):
        if position < self._position:
            raise ValueError("it leads back to what was read")  # without end, perhaps
        if not self._packed:
            self._position = self._file.seek(position)
        while self._position < position and (block := self._file.read(min(BLOCK, position - self._position))):
            self._position += len(block)
            self._budget.spend(len(block))

    def read(self, size):
        if self.header is not None:
            if size > self.header:
                raise ValueError(f"a header of more than {LARGEST_HEADER // 2**10} KB")
            self.header -= size
            self._budget.spend(size)
        self.last = self._file.read(size)
        self._position += len(self.last)
        return self.last


class _Shares:
    """What each student has taken of the outermost archive, as far as folders, or the names that a platform gave, tell.

    A student's is a folder at its top, below the folders that hold all of it (`common` of them); or, in `sections` of a course, a
    folder in such a one, which itself is no student's and has no limit. If the names don't tell sections, both have one.
    """

    def __init__(self, whose):
        self.whose, self.common, self.sections = whose, 0, frozenset()
        self._entries, self._bytes, self._budgets = Counter(), Counter(), {}
        self._all = _Budget(MOST_STUDENTS * MOST_BYTES_WITHIN, MOST_SECONDS_OF_ALL, MOST_ENTRIES_IN_ALL, LARGEST_DIRECTORY_WITHIN,
                            whose=" in all archives of all students")
        self._refused = {}  # share -> the first entry that had no room in it, how many had none

    def room(self, entry):
        """Whether there is room for one more entry."""
        full = next((share for share, shares in self._of(entry.parts).items()
                     if self._entries[share] >= shares * MOST_ENTRIES or self._bytes[share] >= shares * MOST_BYTES_WITHIN
                     or share in self._budgets and self._budgets[share].seconds < 0), None)
        if full is not None:
            first, number = self._refused.get(full, (entry, 0))
            self._refused[full] = first, number + 1
            limit = self._of(entry.parts)[full]
            first.refused = (f"{number + 1} files from this one on, since the same student's before it are {limit * MOST_ENTRIES}, "
                             f"hold {limit * MOST_BYTES_WITHIN / 2**20:g} MB or take {limit * MOST_SECONDS_WITHIN} seconds")
        return full is None

    def budget(self, parts):
        """What the student's archives may still hold, and the seconds that all of the student's files may still take."""
        budget = self._all
        for share, shares in self._of(parts).items():
            if share not in self._budgets:
                self._budgets[share] = _Budget(shares * MOST_BYTES_WITHIN, shares * MOST_SECONDS_WITHIN, shares * MOST_ENTRIES_WITHIN,
                                               LARGEST_DIRECTORY_WITHIN, budget, ", with all of the student's")
            budget = self._budgets[share]
        budget.begin()
        return budget

    def took(self, parts, found):
        """Count entries; for those of an archive in an archive this is a folder."""
        size = sum(entry.content.stat().st_size for entry in found if entry.content)
        for share in self._of(parts):
            self._entries[share] += len(found)
            self._bytes[share] += size

    def refused(self):
        """An entry for each share that was full, which counts all that had no room in it."""
        return [first for first, _ in self._refused.values()]

    def _of(self, parts):
        """What a file counts for, the wider first, and how many shares of the limits each of these has."""
        folders, name = parts[self.common:-1], parts[-1] if parts else ""
        section, folders = (folders[:1], folders[1:]) if folders and folders[0] in self.sections else ((), folders)
        first, second = [*((self.whose(folder), folder) for folder in folders[:2]), (self.whose(name), "" if folders else name), ("", "")][:2]
        if folders and first[0]:
            return {(*section, first[0]): 1}
        first, second = first[0] or first[1], second[0] or second[1]
        return {(*section, first): SHARES, (*section, first, second): 1}


def _shape(names: Iterable[str], whose: Callable[[str], str]) -> tuple[int, frozenset[str]]:
    """How many folders hold all these files, but for those that macOS adds; and which folders, directly below these, are sections.

    As far as they were read, if the names end in an error.
    """
    common, levels = None, [_Level(whose) for _ in range(DEEPEST_SECTION)]
    with suppress(Exception):  # who reads on says what is wrong
        for name in names:
            *folders, file = _parts(name)
            if "__MACOSX" in folders:
                continue
            common = folders if common is None else os.path.commonprefix([common, folders])
            for depth in range(min(len(folders), len(common) + 1, DEEPEST_SECTION)):
                levels[depth].add(folders[depth], folders[depth + 1] if len(folders) > depth + 1 else "", file)
    depth = len(common or ())
    return depth, levels[depth].sections() if depth < DEEPEST_SECTION else frozenset()


class _Level:
    """The folders of one depth: whether all are sections of a course, with each student in one of them."""

    def __init__(self, whose):
        self._whose, self._below, self._fits = whose, {}, True  # name in a folder -> the folder

    def add(self, folder, inner, file):
        """A file in a folder, and in which one in that, if it is in one."""
        name = inner or (file if ARCHIVE.search(file) or self._whose(file) else "")
        if not (self._fits and GROUP.fullmatch(folder)) or not name and re.search(r"\.ipynb", file, re.IGNORECASE):
            self._fits = False
        elif name and self._below.setdefault(name, folder) != folder and not self._whose(name):
            self._fits = False

    def sections(self):
        return frozenset(self._below.values()) if self._fits else frozenset()


def _parts(name):
    return [sys.intern(part) for part in name.replace("\\", "/").split("/") if part not in ("", ".")]  # 500 in a path, of 20,000 paths


class _Reader:
    def __init__(self, spool, whose, keep):
        self.spool, self.found, self._shares, self._keep = spool, [], _Shares(whose), keep
        self._budget = _Budget(MOST_BYTES, MOST_SECONDS, math.inf, LARGEST_DIRECTORY)
        self._student = self._budget  # whose time runs as well

    def is_archive(self, path):
        return self._is_zip(path) or self._is_tar(path)

    def _is_zip(self, path):
        """Whether it begins as a zip, or ends as one and is no tar, the last file of which may be a zip."""
        with open(path, "rb") as file:
            if file.read(4) in (b"PK\3\4", b"PK\5\6"):
                return True
        return not self._is_tar(path) and zipfile.is_zipfile(path)

    def _is_tar(self, path):
        try:
            with open(path, "rb") as file:
                block = _Tape(file, self._budget).read(tarfile.BLOCKSIZE)
            return block == bytes(tarfile.BLOCKSIZE) or bool(tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape"))
        except Exception:  # it is none, whatever is wrong; who opens it hears the reason
            return False

    def folder(self, path):
        def unreadable(error):
            self.found.append(Entry(os.path.relpath(error.filename, path), (), refused=f"can't be read: {error.strerror}"))

        # Without what can't be read: that is said below.
        names = (os.path.join(folder, name) for folder, _, files in os.walk(path) for name in files)
        self._shares.common, self._shares.sections = _shape((os.path.relpath(name, path) for name in names), self._shares.whose)
        for folder, folders, files in os.walk(path, onerror=unreadable):
            folders.sort()
            inside = Path(folder).relative_to(path)
            for name in sorted(files) + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
                place, state = str(inside / name), os.lstat(os.path.join(folder, name))
                kind = state.st_mode
                refused = "a link; links are not followed" if stat.S_ISLNK(kind) else "" if stat.S_ISREG(kind) else "no ordinary file"
                self._list(place, place, (), _utc(state.st_mtime), 0, refused, lambda at=(folder, name): open(os.path.join(*at), "rb"))
            if not folders and not files and inside.parts:
                self._list(str(inside), str(inside), (), None, 0, EMPTY_FOLDER, None)
        self.found += self._shares.refused()

    def archive(self, path, parts, place, time, depth):
        """List an archive that lies at `path`; `parts`, `place` and `time` are its own, if it was in another one."""
        before = len(self.found)
        try:
            read = self._zip if self._is_zip(path) else self._tar
            if not depth:
                left = self._budget.bytes
                with open(path, "rb") as file:
                    self._shares.common, self._shares.sections = _shape((name for name, *_ in read(file)), self._shares.whose)
                self._budget.bytes = left
            with open(path, "rb") as file:
                for name, when, refused, opened in read(file):
                    if not depth and len(self.found) >= MOST_ENTRIES_IN_ALL:
                        raise ValueError(f"more than {MOST_ENTRIES_IN_ALL} files")
                    self._list(f"{place} > {name}" if place else name, name, parts, time if depth else when, depth, refused, opened)
        except Exception as error:  # whatever a file made for it leads a library to, MemoryError as well
            rest = "" if len(self.found) == before else "the rest of it "
            self.found.append(Entry(place or path.name, parts, time, refused=f"an archive; {rest}can't be opened: {_words(error)}"))
        if not depth:
            self.found += self._shares.refused()

    def _zip(self, file):
        archive = zipfile.ZipFile(_Timed(file, self._budget))
        infos = archive.infolist()
        names = [_decoded(info) for info in infos]
        ordered = sorted(names)
        for info, name in zip(infos, names):
            self._budget.spend(entries=1)
            refused = ""
            if info.is_dir():
                after = bisect.bisect(ordered, name)
                if after < len(ordered) and ordered[after].startswith(name):
                    continue
                refused = EMPTY_FOLDER
            elif stat.S_ISLNK(info.external_attr >> 16):
                refused = "a link; links are not followed"
            elif info.flag_bits & 1:
                refused = "locked with a password"
            elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # zipfile unpacks the others without a limit
                refused = "packed in a way that can't be opened here"
            yield name, _zip_time(info), refused, lambda info=info: archive.open(info)

    def _tar(self, file):
        tape = _Tape(file, self._budget)
        archive = tarfile.TarFile(fileobj=tape)
        while member := archive.next():
            tape.header = None
            archive.members.clear()  # they, and what is said of all files, would pile up
            archive.pax_headers.clear()
            self._budget.spend(entries=1)
            refused = "a link; links are not followed" if member.issym() or member.islnk() else ""
            if not member.isfile() or member.issparse():
                refused = refused or "no ordinary file"
            if not member.isdir():
                yield member.name, _utc(member.mtime), refused, lambda member=member: archive.extractfile(member)
            tape.header = LARGEST_HEADER
        if tape.last.strip(b"\0"):  # here tarfile says nothing
            raise ValueError("it is damaged")

    def _list(self, place, name, outer, time, depth, refused, opened):
        """An entry, or those of the archive that it is; `opened` gives its bytes."""
        inner = _parts(name)
        parts = (*outer, *inner)
        if len(name) > LONGEST:
            place = f"{place[:len(place) - len(name)]}{name[:100]}…{name[-60:]}"
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in inner or not inner:
            refused, parts = "its path leads out of the archive", outer
        elif len(name) > LONGEST:
            refused, parts = f"its path has more than {LONGEST} characters", outer
        if time and not EARLIEST < time < datetime.now(timezone.utc) + timedelta(days=1):
            time = None  # nobody handed in then
        entry = Entry(place, parts, time, refused=refused)
        if depth:
            self._read(entry, name, depth, opened)
        elif self._shares.room(entry):
            self._read_of_student(entry, name, opened)

    def _read_of_student(self, entry, name, opened):
        """As `_read`, for an entry of the outermost archive: whatever happens, the others' are read."""
        whole, left, before = self._budget, self._budget.bytes, len(self.found)
        self._student = self._shares.budget(entry.parts)
        try:
            self._read(entry, name, 0, opened)
        except (MemoryError, OSError, ValueError) as error:
            for kept in {entry, *self.found[before:]}:
                if kept.content:
                    kept.content.unlink(missing_ok=True)
            entry.content, entry.refused = None, f"can't be read: {_words(error)}"
            self.found[before:] = [entry]
        self._student.charge()
        self._budget = self._student = whole
        whole.begin()
        itself = self.found[-1] is entry
        self._shares.took(entry.parts if itself else (*entry.parts, ""), self.found[before:])
        if not (entry.content and itself):
            whole.bytes = left  # of many students' files only those that are kept count: one could use up the others' share

    def _read(self, entry, name, depth, opened):
        """Add an entry, or those of the archive that it is; look into what may be a notebook."""
        if entry.refused:
            self.found.append(entry)
        elif ARCHIVE.search(name):
            self._open(entry, depth, opened)
        elif OTHER_ARCHIVE.search(name):
            entry.refused = "an archive of a kind that can't be opened here"
            self.found.append(entry)
        else:
            self.found.append(entry)
            entry.content, entry.refused = self._copy(opened, LARGEST, None if NOTEBOOK.search(entry.name) else OBJECT)
            if entry.content and not self._keep(entry):
                entry.content.unlink()
                entry.content = None
            if depth:
                self._budget.spend()

    def _open(self, entry, depth, opened):
        """Add the entries of an archive in an archive, or why there are none."""
        before = len(self.found)
        if depth >= DEEPEST:
            entry.refused = f"an archive, {DEEPEST} archives deep"
        else:
            copy, entry.refused = self._copy(opened, LARGEST_ARCHIVE)
        if entry.refused:
            self.found.append(entry)
            return
        whole, self._budget = self._budget, self._student
        try:
            self.archive(copy, entry.parts, entry.place, entry.time, depth + 1)
        finally:
            copy.unlink()
        if not depth:
            self.found[before:] = _condensed(self.found[before:], entry)
        self._budget = whole
        for within in self.found[before:]:
            within.outside = len(entry.parts)
        if len(self.found) == before:
            entry.refused = "an empty archive"
            self.found.append(entry)

    def file(self, path):
        self._list(path.name, path.name, (), _utc(path.stat().st_mtime), 0, "", lambda: open(path, "rb"))

    def _copy(self, opened, largest, begin=None) -> tuple[Path | None, str]:
        """Where a copy of the bytes is, or why there is none; neither, if they do not begin so."""
        path, size = None, 0
        try:
            number, path = tempfile.mkstemp(dir=self.spool)
            with os.fdopen(number, "wb") as copy, opened() as stream:
                while block := stream.read(BLOCK):
                    if begin and not size and not begin.match(block):
                        os.unlink(path)
                        return None, ""
                    size += len(block)
                    self._budget.spend(len(block))
                    self._student.spend()
                    if size > largest:
                        raise ValueError(f"larger than {largest // 2**20} MB")
                    copy.write(block)
        except Exception as error:  # as in `archive`
            if path:
                os.unlink(path)
            return None, f"can't be read: {_words(error)}"
        return Path(path), ""


def _condensed(found: list[Entry], archive: Entry) -> list[Entry]:
    """The entries of an archive, but of the many that are no notebooks one, which counts them."""
    end = found[-1:] if found and found[-1].place == archive.place else []  # why the rest can't be read
    rest = [entry for entry in found[:len(found) - len(end)] if not entry.content]
    if len(rest) <= MOST_ROWS:
        return found
    left_out = set(rest[MOST_ROWS:])
    count = Entry(f"{archive.place} > …", (*archive.parts, "…"), archive.time, refused=f"{len(left_out)} more files, of which none can be the notebook")
    return [*(entry for entry in found[:len(found) - len(end)] if entry not in left_out), count, *end]


def _words(error):
    return " ".join(str(error).split())[:200] or type(error).__name__


def _decoded(info: zipfile.ZipInfo) -> str:
    """The name in an archive. One that is not marked as UTF-8 often is, all the same (macOS); else it is cp437."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _zip_time(info: zipfile.ZipInfo) -> datetime | None:
    """When the file was changed. Few archives have it in UTC; else it has no time zone, and we take this machine's."""
    extra = info.extra
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        if kind == 0x5455 and size >= 5 and len(extra) >= 9 and extra[4] & 1:  # Info-ZIP's extended timestamp
            return _utc(struct.unpack("<i", extra[5:9])[0])
        extra = extra[4 + size:]
    if info.date_time <= (1980, 1, 1, 23, 59, 59):  # nobody has set it
        return None
    try:
        return datetime(*info.date_time).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def _utc(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
