"""What a student wrote in a notebook, and where: which copy of a cell counts, and answers that stand in other cells."""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from textwrap import dedent
from urllib.parse import quote

__all__ = ["Quote", "Submission", "answer"]

# Characters. To parse takes some 600 bytes for each; nobody reads an answer to the end that is longer than what is quoted.
LONGEST = {"parsed": 20_000, "quoted": 50_000}
MORE = "… more in the notebook"
COPY = "another copy of this cell"
PROSE = 8  # words of all texts in a cell of code, from which on they may be an answer
DATA = re.compile(r"data:[\w.+/;=-]{0,100},[A-Za-z0-9+/=%]{200,}")  # such as a picture within a text; of that nothing is read
COMMAND = re.compile(r"^([ \t]*)(?:%{1,2}|!)[a-z].*$", re.MULTILINE)  # IPython's magic, and those of the system
MARKS = " \t#'\""  # around the words of a comment or a string
QUOTED = re.compile(r"""#.*|'[^'\n]*'|"[^"\n]*\"""")
ROW = re.compile(r"(?<!\w)[^\W\d_]++(?:,? [^\W\d_]++){2}")  # three words
SPACE = re.compile(r"\S\s+\S|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+")  # the first are written without spaces


@dataclass
class Quote:
    """A text of the student's that stands elsewhere; `kind` is that of its cell: "markdown", "code" or "raw"."""

    where: str
    text: str
    kind: str
    attachments: dict = field(default_factory=dict)


class Submission:
    """The cells of a submission, beside what was given out.

    cells      as they were handed in; their nbgrader metadata is taken off
    released   grade_id -> texts, of each cell that nbgrader knows, in all versions that were given out
    teachers   the texts of all other cells that were given out
    solutions  the grade_ids of the cells to be filled in
    models     the code that the teacher would fill in, of which nothing is the student's words
    """

    def __init__(self, cells, released: dict[str, set[str]], teachers: list[str], solutions: set[str], models: Sequence[str] = ()):
        self.cells, self.solutions = cells, solutions
        self._sources = [*teachers, *set().union(*released.values()), *models]
        self.released = {name: {text.strip() for text in texts} for name, texts in released.items()}
        self.names = [self._name(cell) for cell in cells]
        self._lines = {line.strip() for text in [*teachers, *set().union(*released.values())] for line in text.splitlines()}
        self._counts = {}  # grade_id -> index: the first copy that was worked on, or else the first
        for at, name in enumerate(self.names):
            if name and (name not in self._counts or self._worked_on(at) and not self._worked_on(self._counts[name])):
                self._counts[name] = at

    def _name(self, cell):
        own = cell.metadata.pop("nbgrader", None)
        name = own.get("grade_id") if isinstance(own, dict) else None
        return name if isinstance(name, str) and name in self.released else None

    def _worked_on(self, at):
        cell = self.cells[at]
        return cell.source.strip() not in {"", *self.released[self.names[at]]} or bool(cell.get("attachments"))

    def cell(self, name: str):
        """The student's cell of this name; None if there is none."""
        return self.cells[self._counts[name]] if name in self._counts else None

    def left(self, name: str) -> bool:
        """Whether it was left as it was given out, or emptied."""
        return name in self._counts and not self._worked_on(self._counts[name])

    def added(self) -> dict[str | None, list]:
        """grade_id -> the student's cells that follow that cell; None -> those at the top.

        Among them are what was written into a teacher's cell, before it, and further copies that were worked on.
        """
        found, last, seen = {None: [], **{name: [] for name in self.released}}, None, set()
        for at, (cell, name) in enumerate(zip(self.cells, self.names)):
            if name is None:
                found[last].append(cell)
                continue
            changed = self._worked_on(at) if name in self.solutions else cell.source.strip() not in self.released[name]
            if changed and not (name in self.solutions and at == self._counts[name]):
                found[last].append(cell)
            if name not in seen:
                last = name
            seen.add(name)
        return found

    def quotes(self, answers: list[str]) -> dict[str, list[Quote]]:
        """grade_id -> what belongs to each of these answers in words, but stands elsewhere.

        To an answer that was left, or is missing, belongs whatever the student has written: words anywhere, code in a cell
        right beside it, and of code elsewhere its comments and strings, if they have many words; of an added cell all,
        if they have few. With several such answers it is the one right above, or else the next. To one that was written
        belong its further copies.
        """
        found = {name: [] for name in answers}
        open_at = {name: self._place(name) for name in answers if name not in self._counts or self.left(name)}
        in_order = sorted(open_at, key=open_at.get)
        own = [self._own(cell) for cell in self.cells]
        beside, where = self._beside(own, open_at), "a cell at the top"
        for at, name in enumerate(self.names):
            if name in found:
                if at != self._counts[name] and self._worked_on(at):
                    found[name].append(self._quote(at, own[at], COPY, True))
            elif open_at:
                part = self._quote(at, own[at], f"the cell `{name}`" if name else where, beside[at] is not None)
                if part.text or part.attachments:
                    later = next((each for each in in_order if open_at[each] > at), in_order[-1])
                    found[beside[at] or later].append(part)
            if name:
                where = f"a cell after `{name}`"
        return found

    def _place(self, name):
        if name in self._counts:
            return self._counts[name]
        order = list(self.released)
        before = (self._counts[each] for each in order[:order.index(name)] if each in self._counts)
        return max(before, default=-1) + 0.5

    def _beside(self, own, answers):
        """For each cell the answer that has but cells of the student's between itself and that; rather above than below."""
        found = [None] * len(self.cells)
        for order in (range(len(self.cells) - 1, -1, -1), range(len(self.cells))):
            near = None
            for at in order:
                found[at] = near or found[at]
                if self.names[at] or not own[at] and self.cells[at].source.strip():
                    near = self.names[at] if self.names[at] in answers else None
        return found

    def _own(self, cell):
        """What of a cell was not given out: all of it, or the lines that were added to a text that was."""
        lines = cell.source.splitlines()
        given = {line.strip() for line in lines} & self._lines
        added = "\n".join(line for line in lines if line.strip() not in given or not line.strip()).strip()
        return added if any(len(line) > 20 for line in given) or not added else cell.source.strip()

    def _sentences(self, source):
        """What a cell's code says in comments, strings and docstrings and was not given out, as it is written there.

        Nothing if it is but a few words in all. Of what is no Python, or too long to be parsed, what looks like words.
        """
        found = dict.fromkeys(filter(None, (self._own_lines(text) for text in _said(source))))
        return list(found) if _many_words("\n".join(found)) else []

    def _says(self, source):
        """Whether there is any word of the student's in the code's comments and strings."""
        return any(self._own_lines(text) for text in [*_said(source), *QUOTED.findall(source)])

    def _own_lines(self, text):
        """The lines of a text that neither the release nor a solution says; "" if there is no word in them."""
        own = "\n".join(line for line in text.splitlines() if not (bare := line.strip(MARKS)) or bare not in self._given)
        return own if WORD.search(own) else ""

    @cached_property
    def _given(self):
        texts = [text for source in self._sources for text in [source, *_said(source)]]
        return {line.strip(MARKS) for text in texts for line in text.splitlines()}

    def _quote(self, at, text, where, beside):
        cell = self.cells[at]
        solution = self.names[at] in self.solutions
        code = cell.cell_type == "code" or solution and has_code(cell.source)
        if text and solution and where != COPY and not code:  # it was turned to a text
            text = text if _many_words(text) or not has_code(text) else ""
        elif text and code and self.names[at] is None:
            if not beside and has_code(cell.source):
                text = "\n".join(self._sentences(cell.source)) or (text if self._says(cell.source) else "")
        elif text and code and (solution and where != COPY or not beside and has_code(cell.source)):
            parts = self._sentences(cell.source)
            if self.names[at] is not None and not solution:  # in a given cell the shortest comment counts
                said = "\n".join(parts)
                parts = [*(line for line in text.splitlines() if line.lstrip().startswith("#") and line.strip() not in said), *parts]
            text = "\n".join(parts)
        return Quote(where, text, cell.cell_type, cell.get("attachments", {}))


def _python(source):
    """A cell without IPython's magic and commands of the system, of as many lines, and its tree; None if it is no Python."""
    source = COMMAND.sub(r"\1pass", dedent(source))
    try:
        with warnings.catch_warnings(action="ignore"):
            return source, ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source, None


def _many_words(text):
    return len(WORD.findall(text)) >= PROSE


def _said(source):
    """The comments, strings and docstrings of a cell's code, as they are written there; names such as "dW" are none of them."""
    try:
        code, tree = _python(source) if len(source) <= LONGEST["parsed"] else (source, None)
        if tree:
            lines = [line.encode() for line in re.split("\r\n|\r|\n", code)]
            texts = [(text.lineno, text.col_offset, _segment(lines, text)) for text in _texts(tree)]
            commands = [found[0].strip() for found in COMMAND.finditer(dedent(source)) if _many_words(found[0])]
            return [*commands, *(text for *_, text in sorted([*texts, *_comments(code)]))]
    except (RecursionError, tokenize.TokenError, SyntaxError):
        pass
    return [said for line in source.splitlines() for said in _said_in(line)]


def _said_in(line):
    """The same of a line that could not be parsed; all of it, if it has words in a row as code has none."""
    row = ROW.search(line)
    if _many_words(line) or row and not keyword.iskeyword(row[0].split()[0]):
        return [line]
    return [part for part in QUOTED.findall(line) if part[0] == "#" or " " in part]


def _comments(source):
    """The comments in Python: (number of the line, column, text)."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [(*token.start, token.string) for token in tokens if token.type == tokenize.COMMENT]


def _segment(lines, node):
    """As `ast.get_source_segment`, which would take the code apart again for each of thousands of strings."""
    first, *rest = lines[node.lineno - 1:node.end_lineno]
    parts = [first[node.col_offset:], *rest[:-1], rest[-1][:node.end_col_offset]] if rest else [first[node.col_offset:node.end_col_offset]]
    return b"\n".join(parts).decode()


def _texts(tree):
    """The strings that have a space within, as words have."""
    parts = tree.values if isinstance(tree, ast.JoinedStr) else [tree]
    if any(isinstance(part, ast.Constant) and isinstance(part.value, str) and SPACE.search(part.value) for part in parts):
        yield tree
    else:
        for part in ast.iter_child_nodes(tree):
            yield from _texts(part)


def has_code(source: str) -> bool:
    """Whether it is Python that does something: not words alone, comments, or a string. What is very long is taken for it."""
    if len(source) > LONGEST["parsed"]:
        return True
    _, tree = _python(source)
    if tree is None:
        return False
    return any(not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)) for node in tree.body)


def answer(text: str, attachments: dict, quotes: list[Quote], comment: str = "") -> tuple[str, dict]:
    """The text of an answer, with all that belongs to it up to some length, and its attachments.

    comment  what begins each further line: "# " if the answer is code
    """
    attachments = dict(attachments)
    if unseen := _unseen(attachments, text):
        text += "\n\n" + _pictures(unseen)
    left = LONGEST["quoted"]
    for number, part in enumerate(quotes, 1):
        if left <= 0:
            return f"{text}\n\n{comment}{MORE}", attachments
        words, renamed = _shortened(part.text, left), {}
        for each, (name, picture) in enumerate(part.attachments.items(), 1):
            renamed[f"cell-{number}-picture-{each}"] = picture
            for written in {name, quote(name)}:
                words = words.replace(f"attachment:{written}", f"attachment:cell-{number}-picture-{each}")
        attachments |= renamed
        unseen = _unseen(renamed, words if part.kind == "markdown" else "")
        left -= len(DATA.sub("", words)) + 100 + sum(map(len, unseen))
        if part.kind != "markdown" and words:
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", words)), default=0))
            words = f"{fence}\n{words}\n{fence}"
        more = "\n\n".join(filter(None, [f"*Written in {part.where}:*", words, _pictures(unseen)]))
        text += "\n\n" + "\n".join(comment + line for line in more.splitlines())
    return text, attachments


def _shortened(text, length):
    """At most so many characters of it; pictures within it stay whole and do not count."""
    kept, begin = [], 0
    for picture in [*DATA.finditer(text), None]:
        end = picture.start() if picture else len(text)
        if end - begin > length:
            return "".join([*kept, text[begin:begin + length], "\n\n", MORE])
        kept += [text[begin:end], picture[0] if picture else ""]
        length -= end - begin
        begin = picture.end() if picture else end
    return text


def _unseen(attachments, text):
    """Of the attachments those that the text does not show."""
    return {name: picture for name, picture in attachments.items()
            if not any(f"attachment:{written}" in text for written in (name, quote(name)))}


def _pictures(attachments):
    return "\n".join(f"![](<attachment:{name}>)" for name in attachments)
