"""Collect what was handed in: `python -m grading.collect ps1 ARCHIVE …`, in the folder of the course.

An archive is what a learning platform gives (zip, or tar), or a folder with what was in it:

Moodle   `Ann Abt_101_assignsubmission_file/ps1.ipynb`, until 2022 `Ann Abt_101_assignsubmission_file_/ps1.ipynb`, or flat
         `Ann Abt_101_assignsubmission_file_ps1.ipynb` (mod/assign/classes/downloader.php, before it mod/assign/locallib.php).
         101 is the number of a hand-in, another one in each problem set. A team has the name of its group; in blind
         marking all are called Participant.
Canvas   `abtann_12345_67890_ps1.ipynb`, `abtann_LATE_12345_67890_ps1-1.ipynb`, without names
         `anon_Ab1cD_67890_ps1.ipynb` (lib/content_zipper.rb). 12345 is the user, 67890 the file: the larger, the newer.
others   `NAME+ps1+TIME/ps1.ipynb` (nbgrader's exchange), `ps1_NAME_attempt_TIME_ps1.ipynb` (Blackboard),
         `12-345 - NAME - Nov 20, 2026 1000 AM/ps1.ipynb` (Brightspace)
plain    `NAME/ps1.ipynb`, `NAME/ps1/ps1.ipynb`, `NAME_ps1.ipynb`. A date is no name, nor is "final" or "v2"; where such a word
         may belong to a name, as in `ps1_final_Dana.ipynb`, the table says so.

With `--student NAME` all of it is NAME's, whatever the names say: for what came by e-mail.

Who is who: the name, as the archive has it, in plain letters, `Ann-Abt`. Canvas adds the number of the user, and Moodle (or
Brightspace) that of the hand-in where two have the same name. An archive in an archive is one student's, who has chosen the names in it. A notebook is
known by its cells, whatever its file is called. Of several the newest that was worked on is collected, to
`submitted/Ann-Abt/ps1/ps1.ipynb`; one with few answers that were worked on, or none, takes no other's place. What it replaces goes to
`replaced/Ann-Abt/ps1`, since all that lies in `submitted` is graded; where nothing tells that it is newer (`_is_told`), that is said.
What is there already stays untouched. `collected.json` remembers who is who, whose work was collected by a guess, and what was
replaced or left out: that stays out if it comes again. It is written
before each notebook is put into its place, with what is to be said of that: after a kill the same command goes on, and says what it
would have said.

A student can write any time into an archive. So only those of an archive that has several students' work count as the times of
the hand-ins, and go to `timestamp.txt`; in one student's they only tell which of two notebooks is the newer. Where the platform
writes the time into the name, as Blackboard, Brightspace and nbgrader's exchange do, that is the time, on the clock of this
computer if no other is named; with a zone that can't be read, such as CST, it only tells which of two is the newer.

The last thing is a table of every file, whose it is, and what became of it. `nbgrader zip_collect`, which this takes the place
of, knows a file by its name alone, and says of none that it leaves out.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc

from .archives import ARCHIVE, EMPTY_FOLDER, GROUP, LARGEST, Entry, entries
from .releases import versions
from .terminal import printable
from .writing import whole

__all__ = ["finish", "main", "run"]

MOODLE = re.compile(r"(?P<name>.+?)(?:_(?P<number>\d+))?_assignsubmission_(?P<kind>[a-z]+)(?:_.*)?", re.DOTALL)
# 2026_11_26, 26_11_26, 20261126_1200: no numbers of Canvas's
DATE_NUMBERS = r"(?:\d{1,4}_\d{1,2}_\d{1,4}|20\d\d[01]\d[0-3]\d_(?:\d{4}|\d{6}))(?!\d)"
CANVAS = re.compile(rf"(?:(?P<name>(?!LATE_|anon_)(?=\d*[^\W\d_])(?:(?!_{DATE_NUMBERS})\w)+?)_(?P<late>LATE_)?"
                    rf"(?P<number>(?!{DATE_NUMBERS})\d+)|"
                    r"(?P<anonymous_late>LATE_)?(?P<anonymous>anon_[^_]+))_(?:(?P<file>\d+)_.+|text\.html|link\.html)", re.DOTALL)
# The last numbers that may be Canvas's: a user's own name may end in some, and that of the file begin with some
CANVAS_LAST = re.compile(r"(?P<name>\w*[^\W\d_]\w*)(?<!_LATE)_(?P<late>LATE_)?(?P<number>\d+)_(?:(?P<file>\d+)_.+|text\.html|link\.html)", re.DOTALL)
DATE = re.compile(r"(?<!\d)(?:(?:19|20)\d\d([-_.]?)[01]?\d\1[0-3]?\d(?:[-_. T]\d\d[-_.:h]?\d\d(?:[-_.:]?\d\d)?)?"
                  r"|[0-3]?\d([-_.])[0-3]?\d\2(?:(?:19|20)\d\d|\d\d))(?!\d)")
HAND_IN = re.compile(r"(?P<exchange>.+?)\+[^+]+\+\d{4}-\d\d-\d\d.*|(?P<number>\d+-\d+) - (?P<brightspace>.+?) - .*\b20\d\d\b.*"
                     r"|(?P<timed>.*[^-_. ])[-_. ]+20\d\d([-_.]?)[01]\d\5[0-3]\d[-_. T]\d\d[-_.:h]?\d\d(?:[-_.:]?\d\d)?", re.DOTALL)
BLACKBOARD = re.compile(r"(?P<named>.+?)_attempt_20\d\d(?:-\d\d){5}(?:_.*|\.txt)", re.DOTALL)
# What these write into a name: 2026-11-20 10:00:00.123456 UTC, 2026-11-20-10-00-00; Nov 20, 2026 1000 AM, 20 November, 2026 22_01
MOMENT = re.compile(r"(?P<year>20\d\d)[-_.]?(?P<month>[01]\d)[-_.]?(?P<day>[0-3]\d)[-_. T](?P<hour>\d\d)[-_.:h]?(?P<minute>\d\d)"
                    r"(?:[-_.:]?(?P<second>\d\d))?(?:\.\d+)? ?(?P<zone>Z|[A-Z]{2,5}|[+-]\d\d(?::?\d\d)?)?(?![^\W_])")
MOMENT_IN_WORDS = re.compile(r"(?:(?P<month>[A-Z][a-z]{2})[a-z]*\.? (?P<day>\d\d?)|(?P<Day>\d\d?) (?P<Month>[A-Z][a-z]{2})[a-z]*\.?),? (?P<year>20\d\d),? "
                             r"(?P<hour>\d\d?)[ _:.-]?(?P<minute>\d\d)(?:[_:.-]?(?P<second>\d\d))?(?: ?(?P<half>[AP])M)?(?![^\W_])")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# What a platform writes comes first, and the name of the student's own file behind it
TWICE = re.compile(r".*_assignsubmission_[a-z]+.*_assignsubmission_[a-z]+.*|(?:.*_attempt_20\d\d(?:-\d\d){5}){2}.*"
                   r"|(?:.*\+\d{4}-\d\d-\d\d.*){2}|\d+-\d+(?: - .*?){3}", re.DOTALL)
ADDED = re.compile(r"final|finished|done|draft|v\d+|version\d*|solutions?|lösung(?:en)?|submission|submitted|homework|hw|fixed|corrected|updated")
WORDS = re.compile(rf"{ADDED.pattern}|v|new|neu|last|latest|old|alt|my|the|by|from|real|late|ready|answers?|copy\d*|kopie|copie|backup"
                   r"|complete|completed|revised|revision|rev\d*|resubmission|attempt\d*|try\d*|assignment|abgabe")  # some are surnames as well
SYSTEM = re.compile(r"\._.*|\.DS_Store|Thumbs\.db|desktop\.ini", re.IGNORECASE)
WRAPPERS = {"submissions", "submission", "submitted", "handins", "hand-ins", "downloaded", "downloads", "archive", "extracted"}
FOLDERS = re.compile(r"code|src|source|notebooks?|files?|data|work|project|python|jupyter", re.IGNORECASE)  # which many have inside of their own
DOCUMENT = re.compile(r"\.(?:pdf|docx?|odt|rtf|pages|txt|md|tex|html?|jpe?g|heic|png|gif|bmp|tiff?|webp|svg)", re.IGNORECASE)  # which may have answers
WRITTEN = re.compile(r"timestamp\.txt|.+_attempt_20\d\d(?:-\d\d){5}\.txt|submission_metadata\..+", re.DOTALL)  # by nbgrader, Blackboard, Gradescope
GRADESCOPE = re.compile(r"submission[-_ ]?\d+", re.IGNORECASE)  # a hand-in, in its export
EXPORT = re.compile(r"assignment[-_ ]?\d+[-_ ]export", re.IGNORECASE)
RANKS = ("work", "part", "saved", "untouched", "other", "broken")  # of a student's notebooks the best counts
MOST_LISTS = 1_000_000  # and objects, in a file that is looked into: with more it takes seconds, and hundreds of MB
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # JSON's
COPY_OF = re.compile(r"(?:(?:copy of|kopie (?:von|van)|copie de|c[oó]pia d[ei]|kopi[ae]? a[vf]|копия|копія)[-_. ]+)+", re.IGNORECASE)  # Google's
COPY = re.compile(r"[-_. ]*(?:copy|kopie|copie|\(?)\s*\d*\)?", re.IGNORECASE)
MOST_SEEN = 100  # notebooks of a student that were replaced, and that were left out, are remembered, of each problem set
MAKING = timedelta(minutes=10)  # times that lie closer are those of the making of the archive
LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "Oe", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
                         "ı": "i", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "’": "-", "'": "-"})


@dataclass(eq=False)
class File:
    """A row of the table: an entry of an archive, whose it is, and what became of it."""

    entry: Entry
    archive: int  # its place on the command line
    kind: str = ""  # of a notebook of this problem set: "work", "saved" (a checkpoint of Jupyter's), "broken", "untouched", "other" (by its name alone)
    cells: int = 0  # how many of the problem set's are in it
    worked: int = 0  # how many answers were worked on
    digest: bytes = b""  # of its bytes, which are at entry.content
    who: str = ""  # the name in the archive
    by_hand: bool = False  # whether the teacher gave it: --student
    platform: bool = False  # whether a platform has named it
    number: str = ""  # of the hand-in, as Moodle gives it
    order: int = 0  # as Canvas gives it
    late: bool | None = None
    moment: datetime | None = None  # when it was handed in, or else the best guess, which is good to compare
    dated: bool = False  # whether it is no guess
    said: datetime | None = None  # the time in the name that the platform has made
    zone: str = ""  # of that time, if it could not be read
    unsure: bool = False  # whether `who` is a guess
    student: str = ""  # nbgrader's name
    within: str = ""  # the folder, which no student is known to have, that holds all students'
    seen: bool = False  # whether it was replaced, or left out, before
    note: str = ""
    fate: str = ""
    look: bool = False  # whether the teacher should

    def becomes(self, fate: str, look: bool = False) -> None:
        self.fate, self.look = fate, look or self.look

    def say(self, note: str) -> None:
        """To the teacher, who should look."""
        self.note, self.look = f"{self.note}; {note}" if self.note else note, True

    def displaces(self) -> None:
        """It takes the place of another one: a student could have put folders with others' names into an own folder."""
        if self.within:
            self.note, self.look = self.note or f"taken for {self.who}'s, and could be {self.within}'s", True


# --- whose a file is

def plain(name: str) -> str:
    """A name in the letters A-Z, a-z, 0-9, dot, hyphen and underscore: safe in a path, a pattern and a page.

    What can't be written in these leaves a mark that only this name gives.
    """
    name = unicodedata.normalize("NFC", name)
    flat = "".join(c for c in unicodedata.normalize("NFKD", name.translate(LETTERS)) if not unicodedata.combining(c))
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", flat).strip("-._")
    if len(kept) > 60 or any(c.isalpha() and c > "\x7f" for c in flat) or not kept:
        mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        kept = f"{kept[:60].strip('-._') or 'student'}-{mark}"
    return kept


def _beside(stem: str, assignment: str) -> str:
    """What a file's name says beside the assignment's: `Ann Abt_ps1 (1)` -> `Ann Abt`; "" if it does not name that.

    A date is no name, nor is a word such as "final".
    """
    return _said(stem, assignment)[0]


def _said(stem, assignment):
    """As `_beside`, and whether that is a guess: a word such as "final" may belong to the name, or there are two names."""
    before, *after = re.split(rf"(?:^|[-_. ]){re.escape(assignment)}(?=$|[-_. (])", _original(stem), flags=re.IGNORECASE)
    if not after:
        return "", False
    after = ["" if COPY.fullmatch(part) else re.sub(r"\(\d+\)$", "", part) for part in after]
    (name, guess), *others = [found for part in (before, *after) if (found := _name(DATE.sub("", part)))[0]] or [("", False)]
    return name, guess or any(re.search(r"[^\W\d_]", other) for other, _ in others)


def _name(text):
    """Without words such as "final" at its ends; "" if it has no others. And whether such a word is before it or in it."""
    pieces = re.split(r"([-_. ()]+)", unicodedata.normalize("NFC", text).strip("-_. "))
    words = [word.casefold() for word in pieces[::2]]
    small = [re.fullmatch(r"\d{0,2}", word) for word in words]
    if any(map(WORDS.fullmatch, words)) and all(few or WORDS.fullmatch(word) for word, few in zip(words, small)):
        return "", False
    end = len(words)
    while end and (small[end - 1] or ADDED.fullmatch(words[end - 1])):
        end -= 1
    while end < len(words) and small[end]:  # a number belongs to what it follows
        end += 1
    before = next((at for at, word in enumerate(words) if not small[at] and not WORDS.fullmatch(word)), 0)
    begin = before if any(map(ADDED.fullmatch, words[:before])) else 0
    joined = [word.casefold() for piece in pieces[:2 * end:2] for word in re.split(r"(?<=[a-z0-9])(?=[A-Z])", piece)]  # finalDana
    guess = any(map(WORDS.fullmatch, {*joined, *words[:end]} - {"v"})) or any(words[:before])
    return "".join(pieces[2 * begin:2 * end - 1]), guess


def _original(name):
    """Of the name of a copy that of the original, as far as the beginning tells: `Copy of ps1 - Cem`."""
    name = unicodedata.normalize("NFC", name)
    copy = COPY_OF.match(name)
    return name[copy.end():] if copy else name


def _stem(name):
    return re.sub(r"\.ipynb.*$|\.[A-Za-z]{1,5}$", "", name, flags=re.IGNORECASE | re.DOTALL)


def find_owners(files: list[File], assignment: str, known: set[str]) -> None:
    """Say of each file of one archive whose it is, as far as the names tell; `known` are students, as `_key` gives them."""
    files = [file for file in files if file.entry.parts]
    places = [_place(file.entry) for file in files if _tells(file.entry)]
    outer = tuple(os.path.commonprefix([folders for folders, name in places if folders or MOODLE.fullmatch(name) or CANVAS.fullmatch(name)]))
    users = {_canvas(_place(file.entry)[1]) for file in files} - {""}
    flat = any(folders == outer and CANVAS.fullmatch(name) for folders, name in places)
    rest = [(file, *_place(file.entry)) for file in files if not _platform(file, outer, known, len(users) > 1, flat)]
    rest = [(file, _without(assignment, folders), name) for file, folders, name in rest]
    told = [(file, folders, name) for file, folders, name in rest if _tells(file.entry)]
    titles = _Titles({found["named"] for file, _, name in told if file.kind and (found := BLACKBOARD.fullmatch(name))}, assignment, known)
    inside = os.path.commonprefix([folders for _, folders, _ in told]) or []
    here = [_named(name, assignment, titles) for file, folders, name in told if file.kind and folders == inside and name]
    below = [(folders[len(inside)], bool(file.kind)) for file, folders, _ in told if len(folders) > len(inside)]
    students, notebooks = {name for name, _ in below}, {name for name, kind in below if kind}
    many = len(notebooks) > 1 or len({*here} - {""}) > 1 or len(students) > 1 and not here
    groups = {at for at, folder in enumerate(inside[:-1]) if GROUP.fullmatch(folder)}  # with one section alone
    first = next((at for at, folder in enumerate(inside) if folder.casefold() not in WRAPPERS and at not in groups), len(inside))
    theirs = known | {_key(name) for name in (*students, *here) if name}
    claimed = next((at for at in range(first, len(inside)) if many and _key(inside[at]) in theirs), None)
    root = len(inside) if many and claimed is None else first if claimed is None else claimed
    doubt = claimed is not None or (len(notebooks) < 2 and not here if many else len(inside) - root > 1 or bool(groups) and _key(inside[root]) not in known)
    below_folders = _below([folders[root:] for file, folders, _ in told if file.kind]) if many else {}
    below_that = _below([(*folders[root:root + 2], _named(name, assignment, titles)) for file, folders, name in told
                         if file.kind and len(folders) > root and (many or here and root == len(inside))])
    exports = {folder for file, *_ in told if file.kind for folder in _place(file.entry)[0] if GRADESCOPE.fullmatch(folder)}
    doubt = doubt or len(exports) > 1 and not many  # the folder around the hand-ins of all, or of one
    numbered = all(any(map(_numbers, _place(file.entry)[0])) for file, *_ in told if file.kind)
    if _are_groups(below_folders, numbered):
        root, doubt = root + 1, not {_key(name) for names in below_folders.values() for name in names} <= known
    elif any(len(names) > 1 for names in below_folders.values()) and all(map(all, below_folders.values())):
        doubt = True
    deep = {} if doubt else _names_below(below_that, [folder for file, *_ in told if file.kind for folder in _place(file.entry)[0]], known)
    others = any(file.platform and file.kind for file in files)  # are named by a platform
    for file, folders, name in rest:
        file.who = folders[root] if len(folders) > root else _named(name, assignment, titles)
        file.number = _number(file, assignment)
        file.within = folders[root - 1] if first < root <= len(folders) else ""
        by_name = len(folders) <= root
        file.said, file.zone = _said_time(file, assignment, by_name)
        unsure = doubt or file.who in deep and not by_name or by_name and titles.user(name)[1] or _is_in_an_export(file, assignment)
        guessed = others or _guessed(file, assignment)
        file.unsure = bool(unsure or guessed)
        if (unsure or guessed and _key(file.who) not in known) and file.who and file.kind:
            file.note, file.look = f"taken for {file.who}'s, which the {'folders do' if doubt or others and folders else 'name does'} not tell for sure", True
            if file.who in deep and not by_name:
                file.note = f"taken for {file.who}'s; the name may be one below it: {deep[file.who]}"
    for file in files:
        folders, name = _place(file.entry)
        first = {_canvas_first(part) for part in (*folders, name) if file.who and _canvas(part) == file.who}
        if file.kind and first and (first != {file.who} or re.search(r"_\d+-\d+$", file.who)):
            other = min({*first, re.sub(r"_(\d+)-\d+$", r"-\1", file.who)} - {file.who})
            file.unsure, file.note, file.look = True, f"taken for {file.who}'s, and could be {other}'s: where the name of the user ends is not sure", True
        elif file.kind and file.who and any(map(_twice, (*folders, name))):
            file.unsure, file.note, file.look = True, f"taken for {file.who}'s, who stands first in a name that could be another one's as well", True


def _twice(name):
    """Whether what a platform writes into a name is in it twice: one of the two is the student's."""
    canvas = CANVAS.fullmatch(name)
    return TWICE.fullmatch(name) is not None or bool(canvas and canvas["file"]) and CANVAS.fullmatch(name[canvas.end("file") + 1:]) is not None


def _is_in_an_export(file, assignment):
    """Whether what names the student is in a hand-in of Gradescope's, where the student has given all names."""
    folders, _ = _place(file.entry)
    export = next((at for at, folder in enumerate(folders) if GRADESCOPE.fullmatch(folder)), None)
    return export is not None and file.who not in _without(assignment, folders[:export])


def _guessed(file, assignment):
    """Whether the name that a folder or the file has beside the assignment's is that of `file.who` by a guess alone."""
    folders, name = _place(file.entry)
    blackboard = BLACKBOARD.fullmatch(name)
    parts = (*(_hand_in(ARCHIVE.sub("", folder)) for folder in folders), blackboard["named"] if blackboard else _stem(name))
    return any(_said(part, assignment) == (file.who, True) for part in parts)


def _below(places):
    """The names of the folders in each outermost folder, "" where a notebook lies in that itself."""
    below = defaultdict(set)
    for folders in places:
        if folders:
            below[folders[0]].add(folders[1] if len(folders) > 1 else "")
    return below


def _are_groups(below, numbered):
    """Whether the outermost folders are the sections of a course, and the students' folders lie in them; those of namesakes if
    a platform has `numbered` them.
    """
    names = [name for names in below.values() for name in names]
    return bool(below) and all(map(GROUP.fullmatch, below)) and all(names) and (numbered or len(set(names)) == len(names))


def _names_below(below, folders, known):
    """Outermost folders that may not be a student's, and the names below each that may be: those of folders, or of files, as in
    `Monday/Ann` or `2024/Ann_ps1`. A name that the course knows, or else all below one that it does not know. Not where a platform
    has named the outermost, or what is below says nothing (`Ann/code`), or has a part of its name (`Ann Abt/annab_ps1`).
    """
    by_platform = {_hand_in(named) for folder in folders if _hand_in(named := ARCHIVE.sub("", folder)) != named}
    found = {}
    for outer, names in below.items():
        words = [word for word in re.split("[^a-z0-9]+", _key(outer)) if len(word) > 1]
        own = {name for name in names if not name or len(name) < 2 or not _name(name)[0] or FOLDERS.fullmatch(name) or any(word in _key(name) for word in words)}
        others = {name for name in names - own if _key(name) in known} or (names if not own and _key(outer) not in known else ())
        if others and outer not in by_platform:
            found[outer] = " or ".join(sorted(others)[:3])
    return found


def _tells(entry):
    """Whether it says how the folders are made."""
    return entry.refused != EMPTY_FOLDER and not _of_the_system(entry)


def _key(name):
    return plain(name).casefold()


def _place(entry):
    """The folders and the name that say whose it is. An archive in an archive is a folder, and nothing in it says so; but one that
    Blackboard has named says it as a file does.

    What the computer has added is the student's whose file it came with.
    """
    if entry.outside is not None or entry.refused == EMPTY_FOLDER:
        folders = tuple(part for part in entry.parts[:entry.outside] if part != "__MACOSX")
        named = entry.outside is not None and folders and BLACKBOARD.fullmatch(folders[-1])
        return (folders[:-1], folders[-1]) if named else (folders, "")
    return tuple(part for part in entry.parts[:-1] if part != "__MACOSX"), entry.name.removeprefix("._")


def _named(name, assignment, titles):
    """The student that a file's name names, or ""."""
    return titles.user(name)[0] if BLACKBOARD.fullmatch(name) else _canvas(name) or _beside(_stem(name), assignment)


class _Titles:
    """Where in the names of Blackboard's of one archive the title of the assignment ends, and the account begins: either may have
    a "_". All have the same title, if they have one with a "_" at its end. Where they don't tell it, the longest account that is
    `known` does, if all have the title that is before it.
    """

    def __init__(self, names, assignment, known):
        self.known = re.compile(rf"(?:.*[-_. ])?{re.escape(assignment)}_.+", re.IGNORECASE | re.DOTALL)
        self.assignment = assignment
        self.title = re.sub("[^_]*$", "", os.path.commonprefix([*names])) if len(names) > 1 else ""
        if self.title.count("_") != 1:
            before = {self._before(name, known) for name in names} - {""}
            if len(before) == 1 and all(name.startswith(*before) for name in names):
                self.title, = before

    @staticmethod
    def _before(name, known):
        """What is before the longest known account at its end, or ""."""
        return next((name[:at.end()] for at in re.finditer("_", name) if _key(name[at.end():]) in known), "")

    def user(self, name):
        """The account, "" in a name that is not Blackboard's; and whether that is a guess."""
        if not (found := BLACKBOARD.fullmatch(name)):
            return "", False
        named = found["named"]
        if self.title.count("_") != 1 and self.known.fullmatch(named) and (account := _beside(named, self.assignment)):
            return account, False
        account = named.removeprefix(self.title) if self.title else named.rpartition("_")[2]
        return DATE.sub("", account), (self.title or named).count("_") > 1


def _said_time(file, assignment, by_name):
    """The time that the platform has written into the name that says whose it is, as `_moment`. In an inner one it is the student's."""
    folders, name = _place(file.entry)
    if by_name:
        found = BLACKBOARD.fullmatch(name)
        return _moment(name[found.end("named"):] if found else "")
    folder = next((ARCHIVE.sub("", folder) for folder in folders if _without(assignment, [folder]) == [file.who]), "")
    found = HAND_IN.fullmatch(folder)
    return _moment(folder[max(map(found.end, ("exchange", "brightspace", "timed"))):] if found else "")


def _moment(text):
    """The first time in it, or None; and its zone, if that could not be read: letters such as CST mean more than one. Those of this
    computer's own zone are read, and a time of which the zone is not known is read on the clock of this computer.
    """
    found = MOMENT.search(text) or MOMENT_IN_WORDS.search(text)
    if not found:
        return None, ""
    parts, name = found.groupdict(), found.groupdict().get("zone") or ""
    month, day = parts["month"] or parts["Month"], int(parts["day"] or parts["Day"])
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "second"))
    try:
        if parts.get("half"):
            hour = hour % 12 + 12 * (parts["half"] == "P")
        month = int(month) if month.isdigit() else 1 + MONTHS.index(month)
        when = datetime(int(parts["year"]), month, day, hour, minute, second)
        if name in ("UTC", "GMT", "Z"):
            when, name = when.replace(tzinfo=timezone.utc), ""
        elif name.startswith(("+", "-")):
            when, name = when.replace(tzinfo=datetime.strptime(f"{name}00"[:6 if ":" in name else 5], "%z").tzinfo), ""
        elif name:
            here = [each for fold in (0, 1) if (each := when.replace(fold=fold).astimezone()).tzname() == name]
            when, name = (here[0], "") if here else (when, name)
        when = when.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None, ""
    return (when, name) if when < datetime.now(timezone.utc) + timedelta(days=1) else (None, "")


def _canvas(name):
    """The user, if Canvas has given the name, or "".

    Where the name of a user ends, it may not tell: `abt_1_2_3_ps1.ipynb` is the file `3_ps1.ipynb` of user 1, or `ps1.ipynb` of
    user 2, whose name is abt_1. The last numbers count, since with the first ones user 2 could take the place of user 1.
    """
    first = _canvas_first(name)
    found = CANVAS_LAST.fullmatch(name) if first else None
    return f"{found['name']}-{found['number']}" if found else first


def _canvas_first(name):
    """As `_canvas`, by the first numbers: whatever a user calls a file, it is always the same."""
    found = CANVAS.fullmatch(name)
    return "-".join(filter(None, (found["name"], found["number"] or found["anonymous"]))) if found else ""


def _sender(name):
    """What in a name of Moodle's, Canvas's or Blackboard's stands for who handed it in, or ""."""
    if found := MOODLE.fullmatch(name):
        return f"{found['name']}_{found['number']}"
    found = BLACKBOARD.fullmatch(name)
    return found["named"] if found else _canvas_first(name)


def _without(assignment, folders):
    """Those that may have a student's name, without the assignment's."""
    return [own for folder in folders if (own := _own(folder, assignment))]


@lru_cache(10_000)  # many files lie in the same folders
def _own(folder, assignment):
    """What of a folder's name is not the assignment's, or ""."""
    part = _original(_hand_in(ARCHIVE.sub("", folder)))
    if GRADESCOPE.fullmatch(part) or EXPORT.fullmatch(part):
        return ""
    return _beside(part, assignment) if _beside(f"x {part}", assignment) != "" else part


def _hand_in(folder):
    """The student of a folder that a platform has made for one hand-in; else the folder."""
    if found := MOODLE.fullmatch(folder):  # in the folder of a section
        return found["name"]
    found = HAND_IN.fullmatch(folder)
    return folder if not found else next(filter(None, (found["exchange"], found["brightspace"], found["timed"])))


def _number(file, assignment):
    """The number that Moodle or Brightspace has given beside the name in the folder that is the student's, or ""."""
    folders, name = _place(file.entry)
    for part in (*folders, name):
        if (number := _numbers(part)) and _without(assignment, [part]) == [file.who]:
            return number
    return ""


def _numbers(folder):
    """The number that Moodle or Brightspace has given in the name of a folder, or ""."""
    plainly = ARCHIVE.sub("", folder)
    found = MOODLE.fullmatch(plainly) or HAND_IN.fullmatch(plainly)
    return found and found["number"] or ""


def _platform(file, outer, known, several, flat):
    """Whether Moodle or Canvas has named it, in the outermost folder that not all files share; a student may name the inner ones.

    Canvas makes no folders: in one, its names count only if there are those of `several` users. Beside files that it has named,
    `flat`, a folder with such a name is an archive that was unpacked.
    """
    folders, name = _place(file.entry)
    parts = (*folders, name) if name else folders
    for at, part in enumerate(parts):
        around = [folder for folder in parts[:at] if folder.casefold() not in WRAPPERS]
        if parts[:at] != outer[:at] or any(_key(ARCHIVE.sub("", folder)) in known for folder in around):
            return False
        if found := MOODLE.fullmatch(part):
            file.platform, file.who, file.number = True, found["name"], found["number"] or ""
            if found["kind"] == "onlinetext":
                file.becomes("not collected: text that was typed into Moodle", look=True)
        elif (at == len(parts) - 1 or ARCHIVE.search(part) or flat and at == len(outer)) and (several or not around) and (found := CANVAS.fullmatch(part)):
            file.platform, file.who = True, _canvas(part)
            last = CANVAS_LAST.fullmatch(part) or found
            file.order, file.late = int(last["file"] or 0), True if last["late"] or found["anonymous_late"] else None
            if not last["file"]:
                file.becomes("not collected: a text or a link that was typed into Canvas", look=True)
        if file.platform:
            file.within = around[-1] if around else ""
            if around and file.kind and CANVAS.fullmatch(around[-1]):
                file.unsure, file.note, file.look = True, f"taken for {file.who}'s, and {around[-1]} may be another's hand-in that was unpacked", True
            elif around and file.kind and len(outer) > at:
                file.unsure, file.note, file.look = True, f"taken for {file.who}'s, since nothing else is in {parts[at - 1]}", True
            return True
    return False


def name_students(files: list[File], assignment: str, memory: dict, submitted: Path) -> None:
    """Give each file the student's name in the course; refuse what would mix up two students."""
    known, numbers = memory["students"], memory["numbers"].setdefault(assignment, {})
    files = [file for file in files if file.who]
    found = defaultdict(set)  # name -> Moodle's numbers
    for file in files:
        file.who = unicodedata.normalize("NFC", file.who)
        found[file.who] |= {file.number} - {""}
    for number, student in numbers.items():
        if known[student] in found:
            found[known[student]].add(number)

    shared = {name for name, many in Counter(known.values()).items() if many > 1}  # by students of this course

    def student_of(name, number):
        if number in numbers and known[numbers[number]] == name:
            return numbers[number]
        return plain(name) if len(found[name]) < 2 and name not in shared else f"{plain(name)}-{number}" if number else ""

    names = defaultdict(set)
    for file in files:
        file.student = student_of(file.who, file.number)
        names[file.student.casefold()].add(file.who)
    there = {path.name.casefold(): path.name for path in submitted.iterdir()} if submitted.is_dir() else {}
    for file in files:
        others = names[file.student.casefold()] - {file.who}
        if known.get(file.student, file.who) != file.who and (file.number or file.who != file.student):
            others.add(known[file.student])
        if there.get(file.student.casefold(), file.student) != file.student:
            others.add(there[file.student.casefold()])
        if not file.student:
            file.becomes(f"refused: several students are called {file.who}", look=True)
        elif others:
            file.becomes(f"refused: {file.who} and {' and '.join(sorted(others))} would both be {file.student}; rename a folder", look=True)
            file.student = ""
        elif file.number and file.student != plain(file.who):
            file.note, file.look = f"not the only {file.who}: told apart by the platform's number, which is another in each problem set", True


# --- what a file is

@dataclass
class Given:
    """A problem set as it was given out: the grade_ids and the texts of its cells, the grade_ids of the answers, and those of the
    other sets.
    """

    name: str
    ids: set[str]
    texts: set[str]
    answers: set[str]
    others: dict[str, set[str]]


def cells_of(data: bytes) -> list[tuple[str, str | None, bool]]:
    """Of each cell of a notebook: its text, its grade_id, and whether it has pictures. ValueError if it is none."""
    try:
        if _lists(data) > MOST_LISTS and (number := _lists(STRING.sub(b"", data))) > MOST_LISTS:
            raise ValueError(f"got {number:,} lists and objects, want at most {MOST_LISTS:,}")
        notebook = json.loads(data.decode("utf-8-sig"))
        sheets = notebook.get("worksheets") or [notebook]  # format 3
        return [(_text(cell), _grade_id(cell), bool(cell.get("attachments"))) for sheet in sheets for cell in sheet["cells"]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{type(error).__name__}: {error!s:.80}") from None


def _lists(data):
    return data.count(b"[") + data.count(b"{")


def _text(cell):
    text = cell.get("source", cell.get("input")) or ""
    return (text if isinstance(text, str) else "".join(text)).strip()


def _grade_id(cell):
    own = (cell.get("metadata") or {}).get("nbgrader")
    name = own.get("grade_id") if isinstance(own, dict) else None
    return name if isinstance(name, str) else None


def given_out(path: Path) -> tuple[set[str], set[str], set[str]]:
    """The grade_ids and the texts of the cells of a notebook, and the grade_ids of those to be filled in."""
    data = path.read_bytes()
    cells = cells_of(data)
    known = [cell["metadata"].get("nbgrader", {}) for cell in json.loads(data)["cells"]]
    answers = {own["grade_id"] for own in known if own.get("solution")}
    return {name for _, name, _ in cells} - {None}, {text for text, _, _ in cells}, answers


def given(course: Path, name: str) -> Given:
    """A problem set of the course as it was given out, in all versions. FileNotFoundError: nbgrader has not generated it."""
    sets = {path.stem: given_out(path) for path in (course / "release").glob("*/*.ipynb")}
    if name not in sets:
        raise FileNotFoundError(f"there is no release/{name}/{name}.ipynb; first type nbgrader generate_assignment {name}")
    ids, texts, answers = sets[name]
    for version in versions(course, name, name):
        ids |= {own for own, _ in version} - {None}
        texts |= {text for _, text in version}
    return Given(name, ids, texts, answers, {other: ids for other, (ids, *_) in sets.items() if other != name})


def _of_the_system(entry):
    return "__MACOSX" in entry.parts or SYSTEM.fullmatch(entry.name) is not None


def look_into(file: File, given: Given) -> None:
    """Say which kind of notebook it is, or that it is none."""
    entry = file.entry
    if _of_the_system(entry):
        file.becomes("left out: not the student's, but the computer's")
    elif entry.refused:
        file.becomes(f"refused: {entry.refused}", look=entry.refused != EMPTY_FOLDER)
    elif entry.content:
        data = entry.content.read_bytes()
        file.digest = hashlib.sha256(data).digest()
        called = re.search(r"\.ipynb", entry.name, re.IGNORECASE) or re.match(rb"\s*\{\s*\"cells\"", data)
        try:
            cells = cells_of(data)
        except ValueError as error:
            if called:
                file.kind = "broken"
                file.note, file.look = "an empty file" if not data.strip() else f"can't be read as a notebook: {error}", True
            return
        ids, texts = {name for _, name, _ in cells} - {None}, {text for text, _, _ in cells}
        file.cells = len({name if name in given.ids else text for text, name, _ in cells if name in given.ids or len(text) > 40 and text in given.texts})
        file.worked = _worked(cells, file.cells, given)
        other = max(given.others, key=lambda name: len(given.others[name] & ids), default=None)
        if len(ids - given.ids) > len(ids & given.ids):
            other = other if other and given.others[other] & ids else f"no problem set of this course ({min(ids - given.ids):.30})"
            file.becomes(f"not collected: it is {other}", look=True)
        elif file.cells:
            same = texts <= given.texts | {""} and not any(pictures for _, _, pictures in cells)
            file.kind = "untouched" if same else "saved" if ".ipynb_checkpoints" in entry.parts else "work"
        elif _beside(f"x {_stem(entry.name)}", given.name):
            file.kind, file.note, file.look = "other", f"no cell of {given.name} is in it", True
        else:
            file.becomes(f"not collected: a notebook with no cell of {given.name}", look=True)


def _worked(cells, known, given):
    """How many answers were worked on. In a copy of the whole set, of which so many cells are `known`, cells of the student's own
    count as well, one for each answer that was left or has lost its name: it may stand there.
    """
    done = {name for text, name, pictures in cells if name in given.answers and (pictures or text not in given.texts | {""})}
    own = [text for text, name, pictures in cells if name not in given.ids and text not in given.texts and (pictures or len(text) > 40)]
    return len(done) + (min(len(own), len(given.answers - done)) if 2 * known >= len(given.ids) else 0)


# --- what becomes of it

def date(files: list[File], path: Path) -> None:
    """Say when each file of one archive was handed in, if several students' work is in it: one's own times can be forged.

    Most platforms write the time of the download into an archive: then all times lie close together, and tell nothing. Those in
    names count if the notebooks of all have one: or else it could be a student who has given the name.
    """
    times = [file.entry.time for file in files if file.entry.time]
    changed = datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)
    alone = len({file.who for file in files if file.kind and file.who}) < 2
    dated = bool(times) and not alone and max(times) - min(times) > MAKING
    named = not alone and all(file.said for file in files if file.kind and file.who)
    for file in files:
        if file.said and (named or not dated):
            file.dated, file.moment = named and not file.zone, file.said
            if file.zone and file.kind:
                file.say(f"the time in its name is not known, as its time zone is not read: {file.zone}")
            continue
        file.dated = dated and file.entry.time is not None
        file.moment = file.entry.time if file.entry.time and not (file.platform and not dated) else max(times, default=changed)


def choose(files: list[File], assignment: str) -> File | None:
    """The notebook of a student that counts; of the others, say why they don't."""
    notebooks = [file for file in files if file.kind and not file.fate]
    if not notebooks:
        return None
    if any(file.kind == "work" and not file.unsure for file in notebooks):
        for file in notebooks:
            if file.unsure:
                file.becomes(f"left out: {_by_a_guess(file)}", look=True)
        notebooks = [file for file in notebooks if not file.fate]
    newness, numbered = _newness(notebooks), all(file.order for file in notebooks)
    most = _most(notebooks)
    kind = min((_rank(file, most) for file in notebooks), key=RANKS.index)
    taken = sorted((file for file in notebooks if _rank(file, most) == kind),
                   key=lambda file: (*newness(file), bool(_beside(f"x {_stem(file.entry.name)}", assignment))))[-1]
    for file in notebooks:
        if file is taken:
            continue
        if file.digest == taken.digest:
            file.becomes(f"left out: the same as {taken.entry.name}")
        elif file.kind == "untouched":
            file.becomes("left out: as it was given out")
        elif _rank(file, most) == "part" and newness(file) >= newness(taken):
            file.becomes(f"left out: {_less(file, taken, taken.entry.name, assignment)}", look=True)
        elif file.kind not in (kind, "work"):
            file.becomes("left out: " + ("a checkpoint" if file.kind == "saved" else file.note))
        elif newness(file) == newness(taken) or not _is_told(taken, numbered, file.dated, True):
            file.becomes(f"left out: another than {taken.entry.name}, and no time tells which is newer", look=True)
        else:
            file.becomes(f"left out: older than {taken.entry.name}", look=file.archive == taken.archive or file.unsure or taken.unsure)
    if any(file.digest != taken.digest for file in notebooks):
        taken.displaces()
    if kind == "saved":
        taken.note, taken.look = "a checkpoint of Jupyter's, the only one that was worked on", True
    if kind == "untouched":
        taken.note, taken.look = "as it was given out", True
    return taken


def _newness(files):
    """What is larger for a newer one: Canvas's number first, if it has given each one."""
    numbered = all(file.order for file in files)
    return lambda file: (file.order if numbered else 0, file.moment, file.order, file.archive)


def _is_told(file, numbered, dated, from_archive):
    """Whether anything tells that it is newer than the one whose place it takes. Else it does so as well, and is marked.

    These tell it: Canvas's numbers, if both have one. A time of the platform's, later than that of the other; or than when the
    other was saved or downloaded, for then it was handed in already. If neither has a time: the teacher, who gives it with
    --student; or, of two archives, that it is in the later one.

    numbered      whether Canvas has numbered both
    dated         whether the other one has a time that is no guess
    from_archive  whether the other one came in an archive
    """
    return numbered or file.dated or not dated and (file.by_hand or from_archive)


def _by_a_guess(file):
    return f"taken for {file.who}'s by a guess, and there is work that surely is; if it is right, collect it with --student"


def _most(files):
    """The most answers that were worked on in one of them, and the most cells of the problem set's."""
    work = [file for file in files if file.kind == "work"]
    return max((file.worked for file in work), default=0), max((file.cells for file in work), default=0)


def _rank(file, most):
    """Its place among a student's, of which `most` says how much they have: it is not the work if it has less than half of that,
    be it notes with some of the questions or a copy that was hardly touched.
    """
    worked, cells = most
    part = 2 * file.worked < worked if worked else 2 * file.cells < cells
    return "part" if file.kind in ("work", "saved") and part else file.kind


def _less(file, other, name, assignment):
    """What `file` has less of than the other one."""
    if other.worked:
        return f"{file.worked} answer{'s were' if file.worked != 1 else ' was'} worked on, and {other.worked} in {name}"
    return f"it has {file.cells} cell{'s' * (file.cells != 1)} of {assignment}, and {name} has {other.cells}"


def choose_in(folder: Path, given: Given) -> tuple[File | None, list[File]]:
    """Of one student's folder the notebook that counts, and others that may be work: the one with the problem set's name, if it
    was worked on; or else as of those in an archive.
    """
    files = []
    for path in sorted(folder.rglob("*")):
        if re.search(r"\.ipynb", path.name, re.IGNORECASE) and path.is_file():
            status, inside = path.stat(), path.relative_to(folder)
            file = File(Entry(str(inside), inside.parts, datetime.fromtimestamp(status.st_mtime, timezone.utc), path), 0)
            if status.st_size > LARGEST:
                file.kind, file.note = "broken", f"{status.st_size} bytes, where {LARGEST} is most"
            else:
                look_into(file, given)
            file.moment = file.entry.time
            files.append(file)
    most = _most(files)
    named = next((file for file in files if file.entry.parts == (f"{given.name}.ipynb",) and _rank(file, most) == "work"), None)
    taken = named or choose(files, given.name)
    return taken, [file for file in files if taken and file.kind in ("work", "other") and file.digest != taken.digest]


def put(file: File, course: Path, given: Given, memory: dict) -> None:
    """Put a notebook into `submitted`; what was there goes to `replaced`, unless it stays.

    What it does is remembered first. Whenever it is ended, the same archives once more do what is left to be done, and say what they
    would have said.
    """
    folder, student, begun = course / "submitted" / file.student / given.name, file.student, memory["begun"]
    moments, digests, unsure, orders, by_hand = (memory.setdefault(what, {}).setdefault(given.name, {})
                                                 for what in ("moments", "digests", "unsure", "orders", "by_hand"))
    target, stamp = folder / f"{given.name}.ipynb", folder / "timestamp.txt"
    if any(path.is_symlink() for path in (folder.parent, folder, target, stamp)):
        return file.becomes(f"refused: a link is in the way in submitted/{student}", look=True)
    kept, stamped, digest, done = None, None, file.digest.hex(), begun["done"].get(student)
    plan = {"digest": digest, "who": file.who, "number": file.number, "order": file.order, "moment": file.moment.isoformat(),
            "unsure": file.entry.place if file.unsure else None, "dated": file.dated, "by_hand": file.by_hand, "kept": None, "replaces": None}
    has_stamp = stamp.exists() and bool(stamp.read_bytes().strip())
    try:
        stamped = _stamped(stamp)
    except (ValueError, OverflowError):
        place = f"submitted/{student}/{given.name}/timestamp.txt"
        file.note, file.look = f"no time can be read in {place}; nbgrader grades nothing with such a file", True
    if target.exists():
        old = File(Entry(given.name, (target.name,), content=target), 0)
        large = target.stat().st_size > LARGEST
        if not large:
            look_into(old, given)
        same = digests.get(student, old.digest.hex()) == old.digest.hex()  # else it is another one's
        if not same and stamped and stamped.isoformat() == moments.get(student):  # placed by hand; the time is that of the one before it
            stamped, has_stamp = None, False
        from_archive = same and student in digests and student not in by_hand
        if old.digest == file.digest:
            if done and done["digest"] == digest:  # before this command was ended
                file.fate, file.note, file.look = done["said"]
                return
            fate = "collected before" if student in begun["students"] else "there before"
            plan |= {"by_hand": file.by_hand and not from_archive, "unsure": file.unsure and unsure.get(student) or None,
                     "order": max(file.order, orders.get(student, 0) if same else 0)}
            if file.dated and not has_stamp:
                file.becomes(f"{fate}, and has its time now", file.look)
                _begin(file, course, memory, plan)
                _stamp(course, stamp, file.moment)
            else:
                if student in moments and same:
                    plan["moment"] = moments[student]
                elif stamped:  # placed by hand, or nothing could be remembered
                    plan["moment"] = stamped.isoformat()
                file.becomes(fate, file.look)
            return _remember(memory, given.name, student, plan)
        moment = stamped or datetime.fromtimestamp(target.stat().st_mtime, timezone.utc)
        if student in moments and same:
            moment = datetime.fromisoformat(moments[student])
        before, guessed = (orders.get(student, 0), unsure.get(student)) if same else (0, None)
        highest = max([before, *(each["order"] for each in _seen(memory, "replaced", given.name, student))])
        rank = _rank(file, _most([old]))
        if rank not in ("work", "saved") and (large or old.kind and RANKS.index(rank) > RANKS.index(old.kind)):
            why = _less(file, old, "the one of before", given.name) if rank == "part" else file.note
            return file.becomes(f"left out: {why}; the one of before stays", look=True)
        if file.unsure and old.kind == "work" and not guessed:
            return file.becomes(f"left out: {_by_a_guess(file)}", look=True)
        if file.order and file.order < highest:
            return file.becomes(f"left out: older than what was collected, Canvas's file {highest}", look=True)
        numbered = bool(file.order and before)
        if not numbered and file.moment < moment:
            return file.becomes(f"left out: older than what was collected ({_when(moment)})", look=True)
        kept = _free(course / "replaced" / student / given.name, moment)
        file.displaces()
        if file.unsure and not file.note:
            file.say(f"taken for {file.who}'s by a guess")
        if guessed:
            file.say(f"what it replaces was taken for {file.who}'s by a guess, from {guessed}")
        if has_stamp and not file.dated:
            file.say("when it was handed in is not known, and of the one before it was")
        if not numbered and file.moment == moment or not _is_told(file, numbered, has_stamp, from_archive):
            file.say("nothing tells that it is newer than the one before it; look which of them is")
        if file.seen:
            file.say("it was seen before, and replaced or left out")
        plan |= {"kept": f"{kept.relative_to(course)}", "replaces": _as_replaced(old.digest, before, stamped, _is_doubtful(file))}
    file.becomes(f"collected{'; before it: ' + plan['kept'] if kept else ''}")
    _begin(file, course, memory, plan)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with _whole(course, kept) as new:
            shutil.copy2(target, new)
        if stamp.exists():
            os.replace(stamp, kept.with_suffix(".timestamp.txt"))
    folder.mkdir(parents=True, exist_ok=True)
    with _whole(course, target) as new:
        shutil.copyfile(file.entry.content, new)
    if file.dated:
        _stamp(course, stamp, file.moment)
    _remember(memory, given.name, student, plan)


def _begin(file, course, memory, plan):
    """Write down what is about to be done for a student, and what is to be said of it."""
    memory["begun"]["done"][file.student] = plan | {"said": [file.fate, file.note, file.look]}
    _save(course, memory)


def _remember(memory, assignment, student, plan):
    """What is known of a hand-in that is in its place."""
    for what, value in (("moments", plan["moment"]), ("digests", plan["digest"]), ("unsure", plan["unsure"]), ("orders", plan["order"]),
                        ("by_hand", plan.get("by_hand"))):
        known = memory.setdefault(what, {}).setdefault(assignment, {})
        known.pop(student, None)
        if value:
            known[student] = value
    _remember_replaced(memory, assignment, student, plan.get("replaces"), plan["digest"])
    _remember_seen(memory, "left_out", assignment, student, [each for each in _seen(memory, "left_out", assignment, student) if each["digest"] != plan["digest"]])
    _know(memory, assignment, student, plan["who"], plan["number"])


def _as_replaced(digest, order, stamped, doubtful=False):
    return {"digest": digest.hex(), "order": order, "moment": stamped and stamped.isoformat(), "doubtful": doubtful}


def _is_doubtful(file):
    """Whether it could be another student's."""
    return bool(file.unsure or file.within)


def _seen(memory, what, assignment, student):
    """What was "replaced" or "left_out" of a student's: the digest of each, Canvas's number, and the time if that is no guess. Of what
    was replaced, whether what took its place could be another's; of what was left out, why, and whether it was marked.
    """
    return memory.get(what, {}).get(assignment, {}).get(student, [])


def _remember_seen(memory, what, assignment, student, known):
    if known := known[-MOST_SEEN:]:
        memory.setdefault(what, {}).setdefault(assignment, {})[student] = known
    else:
        memory.get(what, {}).get(assignment, {}).pop(student, None)


def _remember_replaced(memory, assignment, student, replaces, now=""):
    """`now` is the digest of what is in its place."""
    known = [each for each in _seen(memory, "replaced", assignment, student) if each["digest"] not in (now, replaces and replaces["digest"])]
    if replaces and not replaces["doubtful"]:
        known = [each | {"doubtful": False} for each in known]
    _remember_seen(memory, "replaced", assignment, student, [*known, *[replaces] * bool(replaces)])


def _remember_left_out(memory, assignment, student, files):
    """Not what could be another student's: that is marked if it takes a place later."""
    replaced = {each["digest"] for each in _seen(memory["begun"], "replaced", assignment, student)}
    new = {file.digest.hex(): {"digest": file.digest.hex(), "order": file.order, "moment": file.moment.isoformat() if file.dated else None,
                              "why": file.fate[:300], "look": file.look}
           for file in files if file.fate.startswith("left out") and file.kind != "untouched" and not _is_doubtful(file)}
    known = [each for each in _seen(memory, "left_out", assignment, student) if each["digest"] not in new]
    _remember_seen(memory, "left_out", assignment, student, [*known, *(each for digest, each in new.items() if digest not in replaced)])


def _look_back(file, course, assignment, memory):
    """Leave out what was seen before, and was replaced since or left out: the next archive still has it. Unless a time, Canvas's
    number or the teacher says that it was handed in again, or what is there could be another's.
    """
    replaced, left_out = (_seen(memory["begun"], what, assignment, file.student) for what in ("replaced", "left_out"))
    known = next((each for each in (*replaced, *left_out) if each["digest"] == file.digest.hex()), None)
    target = course / "submitted" / file.student / assignment / f"{assignment}.ipynb"
    if not known or known.get("doubtful") and not _is_doubtful(file) or not target.is_file() or target.is_symlink() or target.stat().st_size <= LARGEST and _digest(target) == known["digest"]:
        return
    highest = max(memory.get("orders", {}).get(assignment, {}).get(file.student, 0), known["order"], *(each["order"] for each in replaced))
    later = file.dated and (not known["moment"] or file.moment > datetime.fromisoformat(known["moment"]))
    if later or file.order not in (0, highest) or file.by_hand and known in left_out:  # of a smaller number it is said that it is smaller
        file.seen = True
    elif known in replaced:
        file.becomes("left out: collected before, and replaced since by what is there")
    else:
        file.becomes(f"{known['why']}; seen before, and the one of before stays", known["look"])


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# --- for whatever else puts a notebook into `submitted`

def collected_of(course: Path, assignment: str, student: str, memory: dict) -> tuple[datetime | None, bool]:
    """When that was handed in which lies there, None if it isn't known; and whether that is a guess. ValueError, OverflowError: it
    has a `timestamp.txt` that is no time.
    """
    folder = course / "submitted" / student / assignment
    target, stamp = folder / f"{assignment}.ipynb", folder / "timestamp.txt"
    moment = memory.get("moments", {}).get(assignment, {}).get(student)
    if moment and target.is_file() and memory.get("digests", {}).get(assignment, {}).get(student) == _digest(target):
        return datetime.fromisoformat(moment), not stamp.exists()
    if stamped := _stamped(stamp):
        return stamped, False
    return (datetime.fromtimestamp(target.stat().st_mtime, timezone.utc), True) if target.is_file() else (None, True)


def newest_replaced(assignment: str, student: str, memory: dict) -> datetime | None:
    """The latest time that what was replaced has, if any had one that is no guess."""
    return max((datetime.fromisoformat(each["moment"]) for each in _seen(memory, "replaced", assignment, student) if each["moment"]), default=None)


def keep(course: Path, assignment: str, student: str, memory: dict, moment: datetime) -> Path | None:
    """Copy the notebook that lies there, of that moment, and its time to `replaced`, and remember it; None if there is none.

    A second time, after a run that was ended, it is the same copy.
    """
    folder = course / "submitted" / student / assignment
    target, stamp = folder / f"{assignment}.ipynb", folder / "timestamp.txt"
    if not target.is_file() or target.is_symlink():
        return None
    data = target.read_bytes()
    digest = hashlib.sha256(data)
    place = course / "replaced" / student / assignment
    there = [path for path in place.glob(f"{moment:%Y-%m-%d-%H%M%S}*.ipynb") if path.read_bytes() == data]
    kept = there[0] if there else _free(place, moment)
    place.mkdir(parents=True, exist_ok=True)
    for source, copy in ((target, kept), (stamp, kept.with_suffix(".timestamp.txt"))):
        if source.is_file() and not source.is_symlink():
            with _whole(course, copy) as new:
                shutil.copy2(source, new)
    try:
        stamped = _stamped(stamp)
    except (ValueError, OverflowError):
        stamped = None
    same = memory.get("digests", {}).get(assignment, {}).get(student) == digest.hexdigest()
    order = memory.get("orders", {}).get(assignment, {}).get(student, 0) if same else 0
    _remember_replaced(memory, assignment, student, _as_replaced(digest.digest(), order, stamped))
    _save(course, memory)
    return kept


def remembered(course: Path) -> dict:
    """What `collected.json` has, after a run that was ended as after one that was not."""
    memory = _memory(course)
    _settle(course, memory)
    return memory


def _know(memory, assignment, student, who, number):
    memory["students"].setdefault(student, who)
    if number:
        memory["numbers"].setdefault(assignment, {})[number] = student


def _settle(course: Path, memory: dict) -> None:
    """After a run that was ended: what it had put into its place gets its time and is remembered; of the rest, nothing was begun."""
    begun = memory.get("begun")
    if not begun:
        return
    assignment = begun["command"][0]
    for student, plan in list(begun["done"].items()):
        folder = course / "submitted" / student / assignment
        target, stamp = folder / f"{assignment}.ipynb", folder / "timestamp.txt"
        there = target.read_bytes() if target.is_file() else b""
        if hashlib.sha256(there).hexdigest() == plan["digest"]:
            if plan["dated"]:
                _stamp(course, stamp, datetime.fromisoformat(plan["moment"]))
            _remember(memory, assignment, student, plan)
            continue
        kept = plan["kept"] and course / plan["kept"]
        if kept and kept.exists() and kept.read_bytes() == there:
            if (its := kept.with_suffix(".timestamp.txt")).exists():
                os.replace(its, stamp)
            kept.unlink()
        del begun["done"][student]


def _whole(course, path):
    """As `whole`, outside of the folders that are graded and kept."""
    return whole(path, course / "collected.new")


def _stamp(course, stamp, moment):
    with _whole(course, stamp) as new:
        new.write_text(f"{moment:%Y-%m-%d %H:%M:%S} UTC\n")


def _save(course, memory):
    with _whole(course, course / "collected.json") as new:
        new.write_text(json.dumps(memory, indent=1))


def _stamped(stamp):
    """The time in a `timestamp.txt`; None if there is none, or nothing in it. ValueError, OverflowError: it is no time."""
    text = stamp.read_text(encoding="utf-8").strip() if stamp.exists() else ""
    return parse_utc(text).replace(tzinfo=timezone.utc) if text else None


def _free(folder, moment):
    """A place for what is to be replaced."""
    number, name = 1, f"{moment:%Y-%m-%d-%H%M%S}"
    while (kept := folder / f"{name}{f'-{number}' if number > 1 else ''}.ipynb").exists():
        number += 1
    return kept


def _when(moment):
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"


# --- the table

def table(files: list[File], several: bool, archives: list[Path]) -> list[str]:
    """The lines: by student, the newest first."""
    rows = [(" ", "file", "student", "handed in", "what became of it")]
    for file in sorted(files, key=lambda file: (not file.student, file.student, -file.moment.timestamp(), -file.order)):
        when = (_when(file.moment) if file.dated else "") + {True: " late", False: " in time", None: ""}[file.late]
        place = f"{archives[file.archive].name}: {file.entry.place}" if several else file.entry.place
        who = file.student if file.student in (file.who, "") else f"{file.student} ({file.who})"
        fate = file.fate + (f"; {file.note}" if file.note and file.note not in file.fate else "")
        rows.append(tuple(map(printable, ("!" if file.look else "", place, who or file.who or "?", when.strip(), fate))))
    widths = [min(60, max(map(len, column))) for column in list(zip(*rows))[:-1]]
    return ["  ".join([*(f"{text:{width}}" for text, width in zip(row, widths)), row[-1]]).rstrip() for row in rows]


def collect(course: Path, assignment: str, archives: list[Path], given: Given, gradebook: Gradebook, student: str = "") -> list[File]:
    """Every file of the archives, with what became of it; all of them the student's, if one is named."""
    memory, submitted = _memory(course), course / "submitted"
    _settle(course, memory)
    command = [assignment, [[str(path.resolve()), path.stat().st_mtime_ns] for path in archives], student]
    if memory.get("begun", {}).get("command") != command:
        known = sorted({name.casefold() for name in (*memory["students"], *(path.name for path in submitted.glob("*")))})
        memory["begun"] = copy.deepcopy({"command": command, "known": known, "students": memory["students"], "numbers": memory["numbers"],
                                         "replaced": memory.get("replaced", {}), "left_out": memory.get("left_out", {}), "done": {}})
    with tempfile.TemporaryDirectory() as spool:
        files = _files(course, assignment, archives, given, memory["begun"]["known"], student, Path(spool))
        name_students(files, assignment, memory["begun"], submitted)
        by_student = defaultdict(list)
        for file in files:
            if file.kind and not file.fate and not file.student:
                file.becomes("refused: no folder and no name says whose it is", look=True)
            by_student[file.student].append(file)
        for name, own in by_student.items():
            _decide(name, own, course, given, gradebook, memory)
    _save(course, memory)
    return files


def _memory(course):
    remembers = course / "collected.json"
    return json.loads(remembers.read_text()) if remembers.exists() else {"students": {}, "numbers": {}, "moments": {}}


def finish(course: Path) -> None:
    """What was collected has been told; the same command once more is another one."""
    memory = _memory(course)
    del memory["begun"]
    _save(course, memory)


def _files(course, assignment, archives, given, known, student, spool):
    """Every file of the archives, what it is, whose and of when."""
    files, known = [], {*known}
    for number, path in enumerate(archives):
        looked = {}

        def keep(entry):
            file = File(entry, number, who=student, by_hand=bool(student))
            look_into(file, given)
            looked[entry] = file  # not if memory was too small for it
            return bool(file.kind)

        here = [looked.get(entry) or File(entry, number, who=student, by_hand=bool(student)) for entry in entries(path, spool, _sender, keep)]
        for file in here:
            if file.entry not in looked:
                look_into(file, given)
        if not student:
            find_owners(here, assignment, known)
        known |= {_key(file.who) for file in here if file.kind and file.who}
        date(here, path)
        files += here
    return files


def _decide(student, own, course, given, gradebook, memory):
    """Say what becomes of all files of a student, or, of "", of those that are nobody's; collect the notebook that counts."""
    for file in own:
        if student and file.kind and not file.fate:
            _look_back(file, course, given.name, memory)
    notebooks = [file for file in own if file.kind and not file.fate]
    taken = choose(own, given.name) if student else None
    due = _due(gradebook, given.name, student)
    for file in own:
        if file.dated and due and file.kind and file.late is None:
            file.late = file.moment > due
    if taken:
        _remember_left_out(memory, given.name, student, [file for file in notebooks if file.digest != taken.digest])
        put(taken, course, given, memory)
        _remember_left_out(memory, given.name, student, [taken])
        _know(memory, given.name, student, taken.who, taken.number)
        _introduce(gradebook, student, taken.who)
    for file in own:
        file.look = file.look or bool(student) and not taken
        if not file.fate:
            name = file.entry.name
            document = DOCUMENT.fullmatch(Path(name).suffix) and not WRITTEN.fullmatch(name)
            file.becomes("not collected: not a notebook", look=not taken or bool(document))


def _due(gradebook, assignment, student):
    """When the student had to hand it in; None if no date is set."""
    try:
        due = gradebook.find_submission(assignment, student).duedate  # with an extension
    except MissingEntry:
        due = gradebook.find_assignment(assignment).duedate
    return due and due.replace(tzinfo=timezone.utc)


def _introduce(gradebook, student, name):
    """Tell nbgrader the name, without what could mean something to a page or a spreadsheet; a name that is there stays."""
    try:
        gradebook.find_student(student)
    except MissingEntry:
        first, _, last = re.sub(r"[^\w .’'-]", "", name).strip(" -.'")[:100].rpartition(" ")
        gradebook.add_student(student, first_name=first, last_name=last)


def run(arguments: list[str] | None = None) -> tuple[list[File], list[str]]:
    """What the command line asks for: the files, and the lines of the table."""
    parser = argparse.ArgumentParser(prog="python -m grading.collect", description=__doc__.split("\n")[0])
    parser.add_argument("assignment", help="ps1, ps2, …")
    parser.add_argument("archive", nargs="+", type=Path, help="from Moodle or Canvas, or a folder")
    parser.add_argument("--student", metavar="NAME", help="all of it is NAME's, whatever the names in it say")
    options = parser.parse_args(arguments)
    course, name = Path.cwd(), options.assignment
    if not (course / "nbgrader_config.py").exists():
        parser.error(f"no nbgrader_config.py in {course}; change to the folder of the course")
    for path in options.archive:
        if not path.exists():
            parser.error(f"archive: there is no {path}")
        if not path.is_dir() and not path.is_file():
            parser.error(f"archive: {path} is no file and no folder")
    if options.student is not None and not options.student.strip():
        parser.error("--student: the name is empty")
    app = NbGrader()
    app.load_config_file()
    try:
        wanted = given(course, name)
    except FileNotFoundError as error:
        parser.error(f"assignment: {error}")
    with Gradebook(CourseDirectory(config=app.config).db_url) as gradebook:
        if name not in [each.name for each in gradebook.assignments]:
            parser.error(f"assignment: the gradebook has no {name}; run nbgrader generate_assignment {name} here first")
        files = collect(course, name, options.archive, wanted, gradebook, (options.student or "").strip())
    if lost := [file.entry.place for file in files if not file.fate]:
        raise RuntimeError(f"nothing was said of {lost}")
    look = sum(file.look for file in files)
    students = {file.student for file in files if file.student and (course / "submitted" / file.student / name / f"{name}.ipynb").is_file()}
    return files, [
        *table(files, len(options.archive) > 1, options.archive), "",
        f"files: {len(files)}; students with a notebook now in submitted: {len(students)}; to look at, marked with !: {look}",
        f"Times: as in the archive or in the names that the platform gave, time zone {datetime.now().astimezone():%Z}. "
        "Where there is none, the archive has that of its making alone."]


def main(arguments: list[str] | None = None) -> int:
    """The command line; 1 if the teacher should look at something."""
    files, lines = run(arguments)
    encoding = sys.stdout.encoding or "utf-8"
    print("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding), flush=True)
    finish(Path.cwd())
    return int(any(file.look for file in files))


if __name__ == "__main__":
    sys.exit(main())
