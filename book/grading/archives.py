"""What is in an archive or a folder, with no trust in it: nothing is unpacked to where a name points, no link is followed.

Sizes, depth, number and time are limited: for an archive, for each archive in it and for each folder at its top, so that none of
these takes the others' share. What is not read is still listed, with the reason.
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
LARGEST_ARCHIVE = 1000 * 2**20  # bytes of an archive in an archive
MOST_BYTES = 10 * 2**30  # that are unpacked of an archive
MOST_BYTES_WITHIN = 2**30  # of an archive in an archive, with those in it
MOST_SECONDS, MOST_SECONDS_WITHIN = 1800, 60
MOST_ENTRIES = 20_000  # of an archive in an archive, with those in it (folders count), and of a share of the outermost one
MOST_ENTRIES_IN_ALL = 500_000
SHARES = 5  # of a folder at the top: where that is a section of a course, each of its folders has a share
LARGEST_DIRECTORY, LARGEST_DIRECTORY_WITHIN = 64 * 2**20, 8 * 2**20  # bytes of the list at the end of a zip
LARGEST_HEADER = 2**16  # bytes that a tar says of a file: a search in the standard library takes the square of it
BLOCK = 2**16
EARLIEST = datetime(2000, 1, 1, tzinfo=timezone.utc)  # time of a hand-in; the latest is now
DEEPEST = 3  # archives in archives
LONGEST = 1000  # characters of a path

ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
OTHER_ARCHIVE = re.compile(r"\.(7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE)
NOTEBOOK = re.compile(r"\.ipynb|\.(json|txt)$|^[^.]+$", re.IGNORECASE)  # browsers add .txt and .json
OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")  # as a notebook begins, whatever it is called
EMPTY_FOLDER = "an empty folder"


@dataclass(eq=False)
class Entry:
    """A file of an archive.

    place    as it is shown to the teacher
    parts    its folders and its name; an archive in an archive counts as a folder; no name that leads out of it
    time     of its last change, as the outermost archive says; for a file of an archive in it, that of this archive, since the
             times inside are those of whoever made it
    content  where its bytes are, if it may be a notebook
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


def entries(path: Path, spool: Path, whose: Callable[[str], str] = lambda name: "") -> list[Entry]:
    """All files of a folder or an archive, or the file itself; copies of what may be a notebook come to `spool`.

    whose  what stands for the student in a file's name, where a platform has put all files into one folder; else ""
    """
    reader = _Reader(spool, whose)
    if path.is_dir():
        reader.folder(path)
    elif reader.is_archive(path):
        reader.archive(path, (), "", None, 0)
    else:
        reader.file(path)
    return reader.found


class _Budget:
    """What may still be read of an archive."""

    def __init__(self, most_bytes, seconds, most_entries, largest_directory):
        self.bytes, self.entries, self.end = most_bytes, most_entries, monotonic() + seconds
        self.largest_directory = largest_directory
        self._most_bytes, self._seconds, self._most_entries = most_bytes, seconds, most_entries

    def spend(self, size=0, entries=0):
        self.bytes -= size
        self.entries -= entries
        if self.bytes < 0:
            raise ValueError(f"the archive holds more than {self._most_bytes / 2**30:g} GB")
        if self.entries < 0:
            raise ValueError(f"more than {self._most_entries} files and folders")
        if monotonic() > self.end:
            raise ValueError(f"it takes more than {self._seconds} seconds")


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

    A student's is a folder at its top, below the folders that hold all of it (`common` of them); or, in sections of a course, a
    folder in such a one. Neither can be told from the other here, so both have a limit.
    """

    def __init__(self, whose):
        self._whose, self.common = whose, 0
        self._entries, self._bytes = Counter(), Counter()
        self._refused = {}  # share -> the first entry that had no room in it, how many had none

    def room(self, entry):
        """Whether there is room for one more entry."""
        full = next((share for share, shares in self._of(entry.parts).items()
                     if self._entries[share] >= shares * MOST_ENTRIES or self._bytes[share] >= shares * MOST_BYTES_WITHIN), None)
        if full is not None:
            first, number = self._refused.get(full, (entry, 0))
            self._refused[full] = first, number + 1
            limit = self._of(entry.parts)[full]
            first.refused = (f"{number + 1} files from this one on, since the same student's before it are {limit * MOST_ENTRIES}, "
                             f"or hold {limit * MOST_BYTES_WITHIN / 2**30:g} GB")
        return full is None

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
        """What a file counts for, and how many shares of the limits each of these has."""
        folders, name = parts[self.common:-1], parts[-1] if parts else ""
        path = (*folders, self._whose(name)) if folders else (self._whose(name) or name,)
        return {path[:1]: SHARES, (*path, "")[:2]: 1}


def _common(names: Iterable[str]) -> int:
    """How many folders hold all these files, but for those that macOS adds; as many as there were if the names end in an error."""
    common = None
    with suppress(Exception):  # who reads on says what is wrong
        for name in names:
            folders = _parts(name)[:-1]
            if "__MACOSX" not in folders:
                common = folders if common is None else os.path.commonprefix([common, folders])
    return len(common or ())


def _parts(name):
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]


class _Reader:
    def __init__(self, spool, whose):
        self.spool, self.found, self._shares = spool, [], _Shares(whose)
        self._budget = _Budget(MOST_BYTES, MOST_SECONDS, math.inf, LARGEST_DIRECTORY)

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
        self._shares.common = _common(os.path.relpath(name, path) for name in names)
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
                    self._shares.common = _common(name for name, *_ in read(file))
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
        budget, left, before = self._budget, self._budget.bytes, len(self.found)
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in inner or not inner:
            refused, parts = "its path leads out of the archive", outer
        elif len(name) > LONGEST:
            refused, parts = f"its path has more than {LONGEST} characters", outer
        if time and not EARLIEST < time < datetime.now(timezone.utc) + timedelta(days=1):
            time = None  # nobody handed in then
        entry = Entry(place, parts, time, refused=refused)
        if not depth and not self._shares.room(entry):
            return
        if refused:
            self.found.append(entry)
        elif ARCHIVE.search(name):
            if depth >= DEEPEST:
                entry.refused = f"an archive, {DEEPEST} archives deep"
            else:
                entry.content, entry.refused = self._copy(opened, LARGEST_ARCHIVE)
            if entry.refused:
                self.found.append(entry)
            else:
                start = monotonic()
                if not depth:
                    self._budget = _Budget(MOST_BYTES_WITHIN, MOST_SECONDS_WITHIN, MOST_ENTRIES, LARGEST_DIRECTORY_WITHIN)
                self.archive(entry.content, parts, place, time, depth + 1)
                entry.content.unlink()
                if not depth:
                    self._budget = budget
                    budget.end += monotonic() - start
                for within in self.found[before:]:
                    within.outside = len(parts)
                if len(self.found) == before:
                    entry.content, entry.refused = None, "an empty archive"
                    self.found.append(entry)
        elif OTHER_ARCHIVE.search(name):
            entry.refused = "an archive of a kind that can't be opened here"
            self.found.append(entry)
        else:
            entry.content, entry.refused = self._copy(opened, LARGEST, None if NOTEBOOK.search(inner[-1]) else OBJECT)
            self.found.append(entry)
        if not depth:
            itself = self.found[-1] is entry
            self._shares.took(parts if itself else (*parts, ""), self.found[before:])
            if not (entry.content and itself):
                budget.bytes = left  # of many students' files only those that are kept count: one could use up the others' share

    def file(self, path):
        self._list(path.name, path.name, (), _utc(path.stat().st_mtime), 0, "", lambda: open(path, "rb"))

    def _copy(self, opened, largest, begin=None) -> tuple[Path | None, str]:
        """Where a copy of the bytes is, or why there is none; neither, if they do not begin so."""
        number, path = tempfile.mkstemp(dir=self.spool)
        size = 0
        try:
            with os.fdopen(number, "wb") as copy, opened() as stream:
                while block := stream.read(BLOCK):
                    if begin and not size and not begin.match(block):
                        os.unlink(path)
                        return None, ""
                    size += len(block)
                    self._budget.spend(len(block))
                    if size > largest:
                        raise ValueError(f"larger than {largest // 2**20} MB")
                    copy.write(block)
        except Exception as error:  # as in `archive`
            os.unlink(path)
            return None, f"can't be read: {_words(error)}"
        return Path(path), ""


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
