"""What a student wrote in a notebook, and where: which copy of a cell counts, and answers that stand in other cells."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from dataclasses import dataclass, field
from textwrap import dedent
from urllib.parse import quote

__all__ = ["Quote", "Submission", "answer"]

# Characters. To parse takes some 600 bytes for each; nobody reads an answer to the end that is longer than what is quoted.
LONGEST = {"parsed": 20_000, "quoted": 50_000}
MORE = "… more in the notebook"
COPY = "another copy of this cell"
PROSE = 8  # words of a text in code, from which on it may be an answer
DATA = re.compile(r"data:[\w.+/;=-]{0,100},[A-Za-z0-9+/=%]{200,}")  # such as a picture within a text; of that nothing is read
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
    """

    def __init__(self, cells, released: dict[str, set[str]], teachers: list[str], solutions: set[str]):
        self.cells, self.solutions = cells, solutions
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

        To an answer that was left, or is missing, belongs whatever the student has written: words anywhere, sentences
        in the strings of code as well, and code in a cell right beside it. With several such answers it is the one right
        above, or else the next. To one that was written belong its further copies.
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
            elif open_at and (name not in self.solutions or self.cells[at].cell_type == "code"):
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
        """The strings and comments in a cell's code that hold several words and were not given out, as they are written there.

        Of what is no Python, or too long to be parsed, the lines with several words.
        """
        whole = source
        try:
            source, tree = _python(source) if len(source) <= LONGEST["parsed"] else (source, None)
            texts = list(_texts(tree)) if tree else []
            comments = _comments(source) if tree else []
        except (RecursionError, tokenize.TokenError, SyntaxError):
            tree = None
        if tree is None:
            return [line for line in whole.splitlines() if line.strip() not in self._lines and _many_words(line)]
        lines, found = re.split("\r\n|\r|\n", source), []
        for text in texts:
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            given = all(line.strip() in self._lines for line in lines[text.lineno - 1:text.end_lineno])
            if not given and _many_words(" ".join(part.value for part in parts if isinstance(part, ast.Constant))):
                found.append((text.lineno, ast.get_source_segment(source, text)))
        for first, block in comments:
            own = [comment for at, comment in enumerate(block, first - 1) if lines[at].strip() not in self._lines]
            if _many_words("\n".join(own)):
                found.append((first, "\n".join(own)))
        return [text for _, text in sorted(found)]

    def _quote(self, at, text, where, beside):
        cell = self.cells[at]
        solution = self.names[at] in self.solutions
        if text and cell.cell_type == "code" and (solution and where != COPY or not beside and has_code(cell.source)):
            parts = self._sentences(cell.source)
            if self.names[at] is not None and not solution:  # in a given cell the shortest comment counts
                said = "\n".join(parts)
                parts = [*(line for line in text.splitlines() if line.lstrip().startswith("#") and line.strip() not in said), *parts]
            text = "\n".join(parts)
        return Quote(where, text, cell.cell_type, cell.get("attachments", {}))


def _python(source):
    """A cell without IPython's magic, of as many lines, and its tree; None if it is no Python."""
    source = re.sub(r"^([ \t]*)%{1,2}[a-z].*$", r"\1pass", dedent(source), flags=re.MULTILINE)
    try:
        with warnings.catch_warnings(action="ignore"):
            return source, ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return source, None


def _many_words(text):
    return len(WORD.findall(text)) >= PROSE


def _comments(source):
    """The comments in Python: (number of the line, lines), where those that stand alone on adjacent lines are one."""
    found, alone = [], -1  # the line up to which the last ones go on
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            at = token.start[0]
            if not token.line[:token.start[1]].strip():
                if alone == at - 1:
                    found[-1][1].append(token.string)
                else:
                    found.append((at, [token.string]))
                alone = at
            else:
                found.append((at, [token.string]))
    return found


def _texts(node):
    """The strings below a node, but for docstrings and the messages of errors."""
    if isinstance(node, ast.JoinedStr) or isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node
    elif not isinstance(node, (ast.Raise, ast.Assert)):
        parts = list(ast.iter_child_nodes(node))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and ast.get_docstring(node, clean=False) is not None:
            parts.remove(node.body[0])
        for part in parts:
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
