"""What is in an archive or a folder, with no trust in it: nothing is unpacked to where a name points, no link is followed.

Sizes, depth and number are limited. What is not read is still listed, with the reason.
"""

from __future__ import annotations

import os
import re
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from lzma import LZMAError
from pathlib import Path, PurePosixPath

__all__ = ["Entry", "entries", "is_archive"]

LARGEST = 20 * 2**20  # bytes of a notebook
LARGEST_ARCHIVE = 1000 * 2**20  # bytes of an archive in an archive
MOST_BYTES = 10 * 2**30  # that an archive may hold, unpacked
MOST_ENTRIES = 20_000
EARLIEST = datetime(2000, 1, 1, tzinfo=timezone.utc)  # time of a hand-in; the latest is now
DEEPEST = 3  # archives in archives
LONGEST = 1000  # characters of a path

ARCHIVE = re.compile(r"\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))$", re.IGNORECASE)
OTHER_ARCHIVE = re.compile(r"\.(7z|rar|gz|bz2|xz|zst)$", re.IGNORECASE)
NOTEBOOK = re.compile(r"\.ipynb|\.(json|txt)$|^[^.]+$", re.IGNORECASE)  # browsers add .txt and .json
OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")  # as a notebook begins, whatever it is called
EMPTY_FOLDER = "an empty folder"
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, OSError, RuntimeError, NotImplementedError, ValueError,
          struct.error)


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


def is_archive(path: Path) -> bool:
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


def entries(path: Path, spool: Path) -> list[Entry]:
    """All files of a folder or an archive, or the file itself; copies of what may be a notebook come to `spool`."""
    reader = _Reader(spool)
    if path.is_dir():
        reader.folder(path)
    elif is_archive(path):
        reader.archive(path, (), "", None, 0)
    else:
        reader.file(path)
    return reader.found


class _Reader:
    def __init__(self, spool):
        self.spool, self.found, self._bytes = spool, [], 0

    def folder(self, path):
        def unreadable(error):
            self.found.append(Entry(os.path.relpath(error.filename, path), (), refused=f"can't be read: {error.strerror}"))

        for folder, folders, files in os.walk(path, onerror=unreadable):
            folders.sort()
            inside = Path(folder).relative_to(path)
            for name in sorted(files) + [name for name in folders if os.path.islink(os.path.join(folder, name))]:
                place, state = str(inside / name), os.lstat(os.path.join(folder, name))
                kind = state.st_mode
                refused = "a link; links are not followed" if stat.S_ISLNK(kind) else "" if stat.S_ISREG(kind) else "no ordinary file"
                self._list(place, place, (), _utc(state.st_mtime), 0, refused, lambda at=(folder, name): open(os.path.join(*at), "rb"))
            if not folders and not files and inside.parts:
                self.found.append(Entry(str(inside), inside.parts, refused=EMPTY_FOLDER))

    def archive(self, path, parts, place, time, depth):
        """List an archive that lies at `path`; `parts`, `place` and `time` are its own, if it was in another one."""
        before = len(self.found)
        try:
            with zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path) as archive:
                for name, when, refused, opened in (self._zip if isinstance(archive, zipfile.ZipFile) else self._tar)(archive):
                    if len(self.found) >= MOST_ENTRIES:
                        raise ValueError(f"more than {MOST_ENTRIES} files")
                    self._list(f"{place} > {name}" if place else name, name, parts, time if depth else when, depth, refused, opened)
        except BROKEN as error:
            rest = "" if len(self.found) == before else "the rest of it "
            self.found.append(Entry(place or path.name, parts, time, refused=f"an archive; {rest}can't be opened: {_words(error)}"))

    @staticmethod
    def _zip(archive):
        infos = archive.infolist()
        names = [_decoded(info) for info in infos]
        folders = {str(parent) for name in names for parent in PurePosixPath(name.rstrip("/")).parents}
        for info, name in zip(infos, names):
            refused = ""
            if info.is_dir():
                if name.rstrip("/") in folders:
                    continue
                refused = EMPTY_FOLDER
            elif stat.S_ISLNK(info.external_attr >> 16):
                refused = "a link; links are not followed"
            elif info.flag_bits & 1:
                refused = "locked with a password"
            yield name, _zip_time(info), refused, lambda info=info: archive.open(info)

    @staticmethod
    def _tar(archive):
        for member in archive:
            refused = "a link; links are not followed" if member.issym() or member.islnk() else "" if member.isfile() else "no ordinary file"
            if not member.isdir():
                yield member.name, _utc(member.mtime), refused, lambda member=member: archive.extractfile(member)

    def _list(self, place, name, outer, time, depth, refused, opened):
        """An entry, or those of the archive that it is; `opened` gives its bytes."""
        inner = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
        parts = (*outer, *inner)
        if re.match(r"[/\\]|[A-Za-z]:", name) or ".." in inner or not inner:
            refused, parts = "its path leads out of the archive", outer
        elif len(name) > LONGEST:
            refused, parts = f"its path has more than {LONGEST} characters", outer
        if time and not EARLIEST < time < datetime.now(timezone.utc) + timedelta(days=1):
            time = None  # nobody handed in then
        entry = Entry(place, parts, time, refused=refused)
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
                before = len(self.found)
                self.archive(entry.content, parts, place, time, depth + 1)
                entry.content.unlink()
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

    def file(self, path):
        self._list(path.name, path.name, (), _utc(path.stat().st_mtime), 0, "", lambda: open(path, "rb"))

    def _copy(self, opened, largest, begin=None) -> tuple[Path | None, str]:
        """Where a copy of the bytes is, or why there is none; neither, if they do not begin so."""
        number, path = tempfile.mkstemp(dir=self.spool)
        size = 0
        try:
            with os.fdopen(number, "wb") as copy, opened() as stream:
                while block := stream.read(2**20):
                    if begin and not size and not begin.match(block):
                        os.unlink(path)
                        return None, ""
                    size += len(block)
                    self._bytes += len(block)
                    if size > largest:
                        raise ValueError(f"larger than {largest // 2**20} MB")
                    if self._bytes > MOST_BYTES:
                        raise ValueError(f"the archive holds more than {MOST_BYTES // 2**30} GB")
                    copy.write(block)
        except BROKEN as error:
            os.unlink(path)
            return None, f"can't be read: {_words(error)}"
        return Path(path), ""


def _words(error):
    return " ".join(str(error).split())[:200]


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
