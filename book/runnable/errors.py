"""What went wrong in a cell, in a few lines: where in the cells, where in a library, and why."""

from __future__ import annotations

import linecache
import traceback
from pathlib import PurePath
from types import TracebackType

from runnable.outputs import clean

_OWN = str(PurePath(__file__).parent)
_LONGEST = 10_000  # characters of a message
_LINE = 300  # characters of a line of code
_MOST = 8  # frames of one error
_KEPT = 3  # frames at each end where there are more
_COMMANDS = ("%", "!", "?")


def described(error: BaseException, cell: str) -> dict:
    """An error as an output: ``{"kind": "error", "name", "message", "lines": [[line of the cell or None, text], ...]}``.

    Parameters
    ----------
    cell : the file name of the code that was run; lines of it are numbered, others say where they are.
    """
    try:
        return _described(error, cell)
    except Exception as another:  # raised by methods of the reader's own class
        return _output(type(error).__name__, f"(what it says raises {type(another).__name__})", _frames(error.__traceback__, cell))


def _described(error: BaseException, cell: str) -> dict:
    name, message = type(error).__name__, _message(error)
    rendered = getattr(type(error), "_render_traceback_", None)  # as IPython does, for errors that say all themselves
    if rendered:
        return _output(name, "\n".join(map(str, rendered(error))), [])
    if isinstance(error, SystemExit):
        code = "" if error.code in (None, 0) else f" with {error.code!r}"
        message = f"the cell ended itself{code}. Python is still there, and so are all names"
    elif isinstance(error, KeyboardInterrupt):
        message = message or "the cell was stopped. All names are still there"
    return _output(name, message, _lines(error, cell))


def _output(name: str, message: str, lines: list) -> dict:
    message = message if len(message) <= _LONGEST else message[:_LONGEST] + " …"
    return {"kind": "error", "name": clean(name), "message": clean(message), "lines": [[line, clean(text)] for line, text in lines]}


def in_one_text(error: BaseException) -> str:
    """The error of a figure, which says most itself, and the lines of cells that it came from."""
    output = described(error, cell="")
    name = "" if isinstance(error, (RuntimeError, TypeError, ValueError)) else f"{output['name']}: "
    return "\n".join([name + output["message"], *(text for _, text in output["lines"] if text.startswith("cell "))])


def _message(error: BaseException) -> str:
    """What it says, with Python's own guess at what was meant, and its notes."""
    if isinstance(error, SyntaxError):
        message = str(error.msg)
        if (error.text or "").lstrip().startswith(_COMMANDS):
            message += " (lines that begin with %, ! or ? are commands of IPython, which do not work on this page)"
        return message
    if isinstance(error, ModuleNotFoundError):
        return f"{error} (a page has Python's own modules, and what its cells as the book has them import)"
    said = traceback.TracebackException(type(error), error, error.__traceback__, limit=0, compact=True)
    return "\n".join([str(said), *map(str, getattr(error, "__notes__", None) or ())])


def _lines(error: BaseException, cell: str, seen: tuple = ()) -> list[list]:
    """Lines of the errors that led to this one, and of this one, the last call last."""
    lines = []
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and before not in seen:
        lines += _lines(before, cell, (*seen, error))
        lines.append([None, f"{type(before).__name__}: {_message(before)}"[:_LINE]])
        lines.append([None, "and so:" if before is error.__cause__ else "and then:"])
    lines += _frames(error.__traceback__, cell)
    if isinstance(error, SyntaxError) and error.filename:
        lines.append(_place(error.filename, error.lineno, "", error.text, cell))
    if isinstance(error, BaseExceptionGroup):
        lines += [[None, f"{type(each).__name__}: {_message(each)}"[:_LINE]] for each in error.exceptions[:_MOST]]
    return lines


def _frames(tb: TracebackType | None, cell: str) -> list[list]:
    """Frames in cells, and the last one if it is in a library."""
    frames = []
    for frame, line in traceback.walk_tb(tb):
        file = frame.f_code.co_filename
        if not file.startswith(("<frozen ", _OWN)):
            frames.append((file, line, frame.f_code.co_name))
    kept = [frame for frame in frames[:-1] if is_cell(frame[0])] + frames[-1:]
    lines = [_place(file, line, name, None, cell) for file, line, name in _ends(kept)]
    if len(kept) > _MOST:
        lines.insert(_KEPT, [None, f"… {len(kept) - 2 * _KEPT:,} calls more …"])
    return lines


def _ends(frames: list) -> list:
    return frames if len(frames) <= _MOST else frames[:_KEPT] + frames[-_KEPT:]


def _place(file: str, line: int | None, function: str, text: str | None, cell: str) -> list:
    """A line, [its number if it is of the `cell`, else None, what stands there and where]."""
    text = (linecache.getline(file, line or 0) if text is None else text).strip()[:_LINE]
    within = f"in {function}" if function not in ("", "<module>") else ""
    if file == cell:
        return [line, f"{within}: {text}" if within else text]
    where = file.strip("<>") if is_cell(file) else "/".join(PurePath(file).parts[-2:])
    return [None, f"{', '.join(filter(None, (where, f'line {line}', within)))}: {text}"]


def is_cell(file: str) -> bool:
    """Whether a file name is that of a cell."""
    return file.startswith("<cell ")
