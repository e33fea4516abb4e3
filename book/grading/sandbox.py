"""A student's code in a process of its own: it can neither stop the tests nor change what they compare with.

The tests run in one process, the code in another; what goes between them is plain values (`values`). So nothing that
the code does to NumPy, to its own process or by never coming to an end reaches the tests. Nor does it reach anything
else of the computer: see `isolation`.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import os
import reprlib
import secrets
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import isolation
from .isolation import Unavailable
from .marks import StudentError, changes
from .values import ENTRIES, LARGEST, as_real, decode, encode, size_of
from .watch import Watch, end_all_of

__all__ = ["Sandbox"]

LONGEST = 2 * LARGEST  # bytes in one answer
KEPT = 4 * LARGEST  # bytes of all that the tests keep of what cells have set
NAMED = 1000  # bytes that a name takes beside its value, a function that stands for the student's included
SHOWN = 21_000  # characters of what a request printed, and of a traceback
MEMORY = 4 * 2**30  # bytes of all processes of a student's together
FILES = 20_000  # in its folders in memory, each of which costs a kilobyte or more that no other limit counts
MOST = 100  # arguments that an answer may say were changed
NAME = 50  # characters of such an argument's name
START = 60  # seconds in which a process must be ready, on a busy machine
OWN = "<your own cell>"  # the label of all cells that a student has added
SHORTENED = " (other code had to be stopped, and of your own cells that take long only the definitions were run again)"
SHORT = 1  # seconds that such a cell still gets when their share is used up: enough to define a function


class Sandbox:
    """Runs cells in another process, and stands in for the functions that they define.

    space     the namespace of the tests. What a cell sets appears there: numbers and arrays as copies, functions as
              functions that call the student's. Names that the tests' own code has set stay as they are
    seconds   that a cell, and a call, may take: by the clock, less what it waited for a processor that others used; and of
              the processors, with all processes that were started
    patience  such seconds of each of three shares: the student's own cells; the cells to be filled in and the calls; and
              repeats, of a process and of cells after a stop, and of the teacher's cells. So all takes at most three times as long. Own
              cells beyond their share get SHORT seconds of the second; when that or repeats are used up, nothing more runs
    isolated  whether the process is kept from all else; by default it is, unless GRADING_ISOLATION is "off"

    A process that ends, or does not come to an end in time, is replaced by a fresh one, in which the cells before run
    again; of own cells that take long only the imports, functions, classes and short assignments, once half the repeats are used.
    A function, or a cell of the same text, that was stopped twice isn't run any more. `isolation.Unavailable`: none can be
    started.
    """

    def __init__(self, space: dict[str, Any], seconds: float = 10, patience: float = 120, isolated: bool | None = None):
        self.space, self.seconds, self.patience = space, seconds, patience
        self._brief = min(SHORT, seconds / 2)
        self._left = dict.fromkeys(("own", "graded", "repeats"), patience)
        self.isolated = isolation.wanted() if isolated is None else isolated
        self._ran: list[tuple[dict, float]] = []  # and how long it took
        self._theirs: dict[str, Any] = {}
        self._sizes: Counter[str] = Counter()
        self._stopped: Counter[str] = Counter()
        self._process, self._started, self._shortened = None, False, False

    def run(self, code: str, label: str) -> None:
        """Run a student's cell. StudentError: what it raised, or that it did not end; the names set until then stay."""
        share, seconds = ("own", self.seconds) if label == OWN else ("graded", self.seconds)
        if share == "own" and self._left["own"] <= 0:
            share, seconds = "graded", min(SHORT, self.seconds)
        request = {"run": code, "label": label}
        try:
            answer = self._ran_now(request, share=share, seconds=seconds)
        except StudentError:
            if label == OWN:
                self._define(request)
            raise
        with self._charged(share):
            self._adopt(answer["names"], answer["gone"])
        self._raise(answer)

    def give(self, code: str, label: str, check: bool = False) -> None:
        """Run a cell of the teacher's, which the tests have run, too: what it sets is here already.

        check  whether it is a public check, which leaves the student's own names as they are
        """
        many = 1 if self._stopped else 6  # it may call many functions; but not again one that does not end
        self._ran_now({"run": code, "label": label, "by": "check" if check else "teacher"}, quiet=True, seconds=many * self.seconds, share="repeats")

    def _ran_now(self, request, **options):
        """The answer to a cell, which from now on belongs to what a fresh process needs."""
        only = request.get("definitions")
        answer = self._ask(request, f"the cell {request['label']}", (request["run"], only), **options)
        self._shortened |= only is not None
        self._ran.append((request, self._took))
        return answer

    def _define(self, request):
        """Of a cell that was stopped, what takes no time: other cells need its functions."""
        for seconds in (self._brief, 0):  # the second time without calls in assignments: within a library they can't be interrupted
            with contextlib.suppress(StudentError):  # what stopped it has been said
                answer = self._ran_now(request | {"definitions": seconds}, quiet=True, share="repeats")
                with self._charged("repeats"):
                    self._adopt(answer["names"], answer["gone"])
                return

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function that a cell has defined; what it prints is left out.

        StudentError: what it raised, or that it did not end.
        """
        functions: list[Callable] = []

        def number(function):
            functions.append(function)
            return len(functions) - 1

        request = {"call": name, "args": encode(args, number), "kwargs": encode(kwargs, number)}
        return self._value(request, f"{name}(…)", name, functions)

    def _value(self, request, what, key, functions):
        answer = self._ask(request, what, key, quiet=True, functions=functions)
        self._raise(answer)
        changes.update([(key, self._text(name)[:NAME]) for name in answer.get("changed", ())][:MOST - len(changes)])
        process = self._process

        def item(number, wanted):
            if self._process is not process:
                raise StudentError("Stopped", f"what {what} returned is gone, since other code had to be stopped")
            return self._value({"item": number, "key": encode(wanted)}, f"{what}[…]", f"{key}[…]", functions)

        with self._charged("graded"):
            return self._decoded(answer["value"], item=item)

    def close(self) -> None:
        """End the process."""
        if self._process:
            self._kill()

    @contextlib.contextmanager
    def _charged(self, share):
        """What an answer takes to be read counts, too."""
        begin = time.monotonic()
        yield
        self._left[share] -= time.monotonic() - begin

    def _adopt(self, names, gone):
        for name in gone:
            if self._is_theirs(name):
                self._drop(name)
        room = KEPT - self._sizes.total()
        for name, value in names.items():
            if self._is_theirs(name) or not (name in self.space or hasattr(builtins, name)):
                value = self._decoded(value, lambda _, name=name: self._stand_in(name))
                room += self._drop(name)
                size = NAMED + size_of([name, value])
                if size <= room:  # or else it is left out, as what is too large for one answer
                    self._theirs[name] = self.space[name] = value
                    self._sizes[name] = size
                    room -= size

    def _drop(self, name):
        """Forget a name of the student's; the bytes that it took."""
        self.space.pop(name, None)
        self._theirs.pop(name, None)
        return self._sizes.pop(name, 0)

    def _is_theirs(self, name):
        return name in self._theirs and self.space.get(name) is self._theirs[name]

    def _stand_in(self, name):
        def function(*args, **kwargs):
            return self.call(name, *args, **kwargs)
        function.__name__ = name
        return function

    @staticmethod
    def _decoded(value, function=None, item=None):
        try:
            return as_real(decode(value, function, item))
        except Exception as error:
            raise StudentError("TypeError", f"returned what can't be graded ({error})") from None

    def _raise(self, answer):
        if error := answer.get("error"):
            name, message, trace = (self._text(error.get(key, "")) for key in ("name", "message", "traceback"))
            raise StudentError.like(error.get("kind", ""), name, message + SHORTENED * self._shortened, trace)

    def _start(self):
        self._folder, begin = None, time.monotonic()
        if self.isolated:
            command, environment = isolation.arguments(), isolation.environment(isolation.TEMP)
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True)
            command = [sys.executable, "-m", "grading.worker", "--no-isolation"]
            environment = isolation.environment(Path(self._folder.name), isolated=False)
            for name in ("HOME", "MPLCONFIGDIR"):
                os.mkdir(environment[name])
            if (user := isolation.user()) is not None:
                command.append(str(user))
                for folder in (self._folder.name, environment["HOME"], environment["MPLCONFIGDIR"]):
                    os.chown(folder, user, user)
        try:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                             cwd=environment["HOME"] if self._folder else "/", env=environment, start_new_session=True)
            self._unread = bytearray()
            self._watch = Watch(self._process.pid, self.isolated, self.seconds, MEMORY, FILES)
            if self._line(lambda: begin + START - time.monotonic()) != b"ready":
                raise EOFError
            self._watch.start()
        except (OSError, EOFError) as error:
            reason = isolation.lacking() if self.isolated else None
            self.close()
            raise Unavailable(f"the process for students' code does not start: {reason or repr(error)}") from None
        if self._started:
            self._left["repeats"] -= time.monotonic() - begin
        self._started = True
        ran, self._ran = self._ran, []
        self._shortened = False
        for request, took in ran:
            if request["label"] == OWN and took > SHORT and self._left["repeats"] < self.patience / 2:
                request = request | {"definitions": self._brief}
            try:
                self._ran_now(request, quiet=True, share="repeats")
            except StudentError:  # it came to an end the first time
                if request["label"] == OWN and request.get("definitions") != 0:
                    self._ran.append((request | {"definitions": 0}, 0.0))

    def _kill(self):
        self._watch.end()
        self._process.wait()
        if not self.isolated and (user := isolation.user()) is not None:
            end_all_of(user)
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                pipe.close()
            except OSError:
                pass  # what was still to be written has no reader
        self._process = None
        if self._folder:
            self._folder.cleanup()

    def _ask(self, request, what, key, quiet=False, functions=(), seconds=None, share="graded"):
        """Send a request and wait for the answer; answer what the code asks meanwhile.

        key  counts how often it was stopped
        """
        if min(self._left[share], self._left["graded"], self._left["repeats"]) <= 0 or self._stopped[key] >= 2:
            raise StudentError("TimeoutError", f"{what} was not run, since too much of the code did not come to an end")
        while self._process is None:
            self._start()
        seconds = seconds or self.seconds
        number = secrets.randbelow(2**48)  # an answer without it was not the worker's
        self._watch.begin(seconds)
        try:
            self._send(request | {"number": number})
            while True:
                answer = self._checked(self._parsed(self._line(self._watch.left)), request, number)
                if "ask" not in answer:
                    break
                try:
                    args, kwargs = decode(answer["args"]), decode(answer["kwargs"])
                    self._send({"result": encode(functions[answer["ask"]](*args, **kwargs))})
                except Exception as error:  # the argument that the student's code passed may be anything
                    self._send({"raised": f"{type(error).__name__}: {error}"})
        except BaseException as error:
            self._kill()
            late = isinstance(error, TimeoutError) or self._watch.stopped in ("time", "processors")
            if late and isinstance(error, (EOFError, OSError)):
                self._stopped[key] += 1
                of_all = " of the processors, with all processes that the code started" * (self._watch.stopped == "processors")
                raise StudentError("TimeoutError", f"{what} did not come to an end within {seconds:g} second{'s' * (seconds != 1)}{of_all}") from None
            if isinstance(error, (EOFError, OSError)):
                raise StudentError("Stopped", f"{what} ended Python, or used more memory than there is") from None
            if isinstance(error, (ValueError, RecursionError)):
                raise StudentError("Stopped", f"{what} disturbed the grading") from None
            raise
        finally:
            self._took = self._watch.count()
            self._left[share] -= self._took
        if not quiet:
            print(self._text(answer["printed"]), end="")
        return answer

    @staticmethod
    def _text(text):
        """Not too long, and such that it can be written down: Python's strings may have halves of characters."""
        return text[:SHOWN].encode("utf-8", "replace").decode()

    @staticmethod
    def _parsed(line):
        """What the line of JSON says. ValueError: it has so many parts that they would fill the memory."""
        if line.count(b",") + line.count(b"[") + line.count(b"{") > 10 * ENTRIES:
            raise ValueError("answer: too many parts")
        return json.loads(line)

    @staticmethod
    def _checked(answer, request, number):
        """The answer, if it has the form that the worker gives it. ValueError: the student's code has forged it."""
        def has(**kinds):
            return all(isinstance(answer.get(key), kind) for key, kind in kinds.items())

        if isinstance(answer, dict) and answer.get("number") == number:
            if "run" not in request and has(ask=int) and "args" in answer and "kwargs" in answer:
                return answer
            error = answer.get("error", {})
            sound = isinstance(error, dict) and all(isinstance(error.get(key, ""), str) for key in ("name", "kind", "message", "traceback"))
            if "run" not in request:
                changed = answer.get("changed", [])
                complete = ("value" in answer or error) and isinstance(changed, list) and len(changed) <= MOST and all(isinstance(name, str) for name in changed)
            else:
                complete = has(names=dict, gone=list) and all(
                    isinstance(name, str) and not name.startswith("_") for name in [*answer["names"], *answer["gone"]])
            if has(printed=str) and sound and complete:
                return answer
        raise ValueError(f"answer: got {reprlib.repr(answer)}")

    def _send(self, message):
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _line(self, left):
        """The next line of the answers, for which there are `left()` seconds. TimeoutError, EOFError; ValueError: a line that is too long."""
        searched = 0
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while (end := self._unread.find(b"\n", searched)) < 0:
                searched, seconds = len(self._unread), left()
                if searched > LONGEST:
                    raise ValueError(f"answer: got more than {LONGEST:,} bytes")
                if seconds <= 0:
                    raise TimeoutError
                if selector.select(seconds):
                    some = os.read(self._process.stdout.fileno(), 2**20)
                    if not some:
                        raise EOFError
                    self._unread += some
        line = bytes(self._unread[:end])
        del self._unread[:end + 1]
        return line
