"""What a cell prints and shows, in messages to the page: not one a character, and no more than a page can hold."""

from __future__ import annotations

import io
from time import monotonic
from typing import Callable

TEXT = 200_000  # characters that a cell may print
PICTURES = 20_000_000  # characters of the pictures and the HTML that it may show
_PAUSE = 0.1  # seconds between two pieces of a long output
_AT_ONCE = 20  # lines that are sent without a pause


class Outputs:
    """The outputs of one run of a cell.

    Parameters
    ----------
    send : takes each message, a dictionary.
    run : the number of the run, the "id" of its messages.
    """

    def __init__(self, send: Callable[[dict], None], run: int):
        self._send, self._run = send, run
        self._left = {"text": TEXT, "pictures": PICTURES}
        self._said: set[str] = set()
        self._pieces: list[str] = []
        self._name = "stdout"
        self._at_once = _AT_ONCE
        self._began = self._sent = 0.0  # when the oldest of the pieces was printed, and others were sent

    def write(self, name: str, text: str) -> bool:
        """Print on a stream, "stdout" or "stderr"; it is sent at the end of a line, or later if there are many.

        Returns whether there is room for more.
        """
        if name != self._name:
            self.flush()
            self._name = name
        kept = self._keep(text)
        if kept:
            if not self._pieces:
                self._began = monotonic()
            self._pieces.append(kept)
            self.offer(ends=kept.endswith("\n"))
        return "text" not in self._said

    def offer(self, ends: bool) -> None:
        """Send what was printed, if its beginning is a while ago, or if a line `ends` and not many have before."""
        now = monotonic()
        if ends and now - self._sent >= _PAUSE:
            self._at_once = min(self._at_once + 1, _AT_ONCE)
        elif ends and self._at_once:
            self._at_once -= 1
        elif now - self._began < _PAUSE:
            return
        self.flush()

    def flush(self) -> None:
        """Send what was printed."""
        pieces, self._pieces = self._pieces, []
        if pieces:
            self._sent = monotonic()
            self._output({"kind": "stream", "name": self._name, "text": clean("".join(pieces))})

    def show(self, output: dict) -> None:
        """Send an output other than a stream."""
        self.flush()
        kind = output["kind"]
        if kind == "text":
            output["text"] = self._keep(clean(output["text"]))
            if not output["text"]:
                return
        elif kind in ("html", "image"):
            size = len(output["html" if kind == "html" else "png"])
            if size > self._left["pictures"]:
                return self._say("pictures", f"[left out: a cell shows at most {PICTURES // 1_000_000} MB of pictures]")
            self._left["pictures"] -= size
        self._output(output)

    def _keep(self, text: str) -> str:
        """The part of a text that may still be shown; what is cut off is said once."""
        left = self._left["text"]
        self._left["text"] -= min(len(text), left)
        if len(text) <= left:
            return text
        if "text" in self._said:
            return ""
        self._said.add("text")
        return f"{text[:left]}\n[cut here: a cell shows at most {TEXT // 1000} KB of text, and what comes after is left out]\n"

    def _say(self, what: str, sentence: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._output({"kind": "text", "text": sentence})

    def _output(self, output: dict) -> None:
        self._send({"type": "output", "id": self._run, "output": output})


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of all cells of a page; `outputs` are those of the cell that runs."""

    encoding = "utf-8"

    def __init__(self, name: str):
        self.name, self.outputs = name, None

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.outputs and text and not self.outputs.write(self.name, text):
            self.outputs = None  # quick, for megabytes that nobody will see
        return len(text)

    def flush(self) -> None:
        if self.outputs:
            self.outputs.offer(ends=True)

    def close(self) -> None:
        """Stay open: later cells print, too."""


class NoInput(io.TextIOBase):
    """``sys.stdin``: there is no keyboard behind it."""

    def readable(self) -> bool:
        return True

    def readline(self, size: int = -1) -> str:
        raise EOFError("input() cannot ask on this page; write the answer into the cell")

    def read(self, size: int = -1) -> str:
        return self.readline()

    def close(self) -> None:
        """Stay open, though ``exit()`` closes it."""


def clean(text: str) -> str:
    """The text, with what no UTF-8 has (half of a surrogate pair) written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
