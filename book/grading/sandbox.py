"""A student's code in a process of its own: it can neither stop the tests nor change what they compare with.

The tests run in one process, the code in another; what goes between them is plain values (`values`). So nothing that
the code does to NumPy, to its own process or by never coming to an end reaches the tests.
"""

from __future__ import annotations

import builtins
import json
import os
import secrets
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from .marks import SEED, StudentError
from .values import decode, encode

__all__ = ["Sandbox"]

LONGEST = 200_000_000  # bytes in one answer


class Sandbox:
    """Runs cells in another process, and stands in for the functions that they define.

    space     the namespace of the tests. What a cell sets appears there: numbers and arrays as copies, functions as
              functions that call the student's. Names that the tests' own code has set stay as they are
    seconds   that a cell, and a call, may take
    patience  seconds that all cells and calls may take together; then no more of the code is run

    A process that ends, or does not come to an end in time, is replaced by a fresh one, in which the cells before run
    again. A function that was stopped twice isn't called any more.
    """

    def __init__(self, space: dict[str, Any], seconds: float = 10, patience: float = 120):
        self.space, self.seconds, self.patience = space, seconds, patience
        self._ran: list[dict] = []
        self._theirs: dict[str, Any] = {}
        self._stopped: Counter[str] = Counter()
        self._process = None

    def run(self, code: str, label: str) -> None:
        """Run a student's cell. StudentError: what it raised, or that it did not end; the names set until then stay."""
        request = {"run": code, "label": label}
        answer = self._ask(request, f"the cell {label}")
        self._ran.append(request)
        self._adopt(answer["names"])
        self._raise(answer)

    def give(self, code: str, label: str) -> None:
        """Run a cell of the teacher's, which the tests have run, too: what it sets is here already."""
        request = {"run": code, "label": label}
        self._ask(request, f"the cell {label}", quiet=True, seconds=6 * self.seconds)  # it may call many functions
        self._ran.append(request)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function that a cell has defined; what it prints is left out.

        StudentError: what it raised, or that it did not end.
        """
        functions: list[Callable] = []

        def number(function):
            functions.append(function)
            return len(functions) - 1

        request = {"call": name, "args": encode(args, number), "kwargs": encode(kwargs, number)}
        answer = self._ask(request, f"{name}(…)", quiet=True, functions=functions)
        self._raise(answer)
        return self._decoded(answer["value"])

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._kill()

    def _adopt(self, names):
        for name, value in names.items():
            theirs = name in self._theirs and self.space.get(name) is self._theirs[name]
            if theirs or not (name in self.space or hasattr(builtins, name)):
                self._theirs[name] = self.space[name] = self._decoded(value, lambda _, name=name: self._stand_in(name))

    def _stand_in(self, name):
        def function(*args, **kwargs):
            return self.call(name, *args, **kwargs)
        function.__name__ = name
        return function

    @staticmethod
    def _decoded(value, function=None):
        try:
            return decode(value, function)
        except Exception as error:
            raise StudentError("TypeError", f"returned what can't be graded ({error})") from None

    @staticmethod
    def _raise(answer):
        if error := answer.get("error"):
            raise StudentError(error.get("name", "Error"), error.get("message", ""), error.get("traceback", ""))

    def _start(self):
        self._folder = tempfile.TemporaryDirectory(prefix="grading-")
        environment = os.environ | {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
        environment["MPLBACKEND"] = "agg"
        environment.pop(SEED, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "grading.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, cwd=self._folder.name, env=environment, start_new_session=True)
        self._unread = bytearray()
        ran, self._ran = self._ran, []
        for request in ran:
            try:
                self._ask(request, request["label"], quiet=True)
                self._ran.append(request)
            except StudentError:
                pass  # it came to an end the first time

    @staticmethod
    def _signal(pid):
        try:
            os.killpg(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass

    def _kill(self):
        self._signal(self._process.pid)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # what was still to be written has no reader
        self._process = None
        self._folder.cleanup()

    def _ask(self, request, what, quiet=False, functions=(), seconds=None):
        """Send a request and wait for the answer; answer what the code asks meanwhile."""
        if self.patience <= 0 or self._stopped[what] >= 2:
            raise StudentError("TimeoutError", f"{what} was not run, since too much of the code did not come to an end")
        while self._process is None:
            self._start()
        seconds, begin = seconds or self.seconds, time.monotonic()
        number = secrets.randbelow(2**48)  # an answer without it was not the worker's
        alarm = threading.Timer(seconds + 1, self._signal, [self._process.pid])  # if it doesn't read what it asked for
        alarm.start()
        try:
            self._send(request | {"number": number})
            while True:
                answer = self._checked(json.loads(self._line(begin + seconds)), request, number)
                if "ask" not in answer:
                    break
                try:
                    args, kwargs = decode(answer["args"]), decode(answer["kwargs"])
                    self._send({"result": encode(functions[answer["ask"]](*args, **kwargs))})
                except Exception as error:  # the argument that the student's code passed may be anything
                    self._send({"raised": f"{type(error).__name__}: {error}"})
        except BaseException as error:
            self._kill()
            if isinstance(error, TimeoutError):
                self._stopped[what] += 1
                raise StudentError("TimeoutError", f"{what} did not come to an end within {seconds:g} seconds") from None
            if isinstance(error, (EOFError, OSError)):
                raise StudentError("Stopped", f"{what} ended Python, or used more memory than there is") from None
            if isinstance(error, (ValueError, RecursionError)):
                raise StudentError("Stopped", f"{what} disturbed the grading") from None
            raise
        finally:
            alarm.cancel()
            self.patience -= time.monotonic() - begin
        if not quiet:
            print(answer["printed"], end="")
        return answer

    @staticmethod
    def _checked(answer, request, number):
        """The answer, if it has the form that the worker gives it. ValueError: the student's code has forged it."""
        def has(**kinds):
            return all(isinstance(answer.get(key), kind) for key, kind in kinds.items())

        if isinstance(answer, dict) and answer.get("number") == number:
            if "call" in request and has(ask=int) and "args" in answer and "kwargs" in answer:
                return answer
            error = answer.get("error", {})
            sound = isinstance(error, dict) and all(isinstance(error.get(key, ""), str) for key in ("name", "message", "traceback"))
            if has(printed=str) and sound and (has(names=dict) if "run" in request else "value" in answer or error):
                return answer
        raise ValueError(f"answer: got {answer!r:.60}")

    def _send(self, message):
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _line(self, deadline):
        """The next line of the answers. TimeoutError, EOFError; ValueError: a line that is too long."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            searched = 0
            while (end := self._unread.find(b"\n", searched)) < 0:
                searched, left = len(self._unread), deadline - time.monotonic()
                if searched > LONGEST:
                    raise ValueError(f"answer: got more than {LONGEST:,} bytes")
                if left <= 0 or not selector.select(left):
                    raise TimeoutError
                some = os.read(self._process.stdout.fileno(), 2**20)
                if not some:
                    raise EOFError
                self._unread += some
        line = bytes(self._unread[:end])
        del self._unread[:end + 1]
        return line
