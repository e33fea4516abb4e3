"""The process in which a student's code runs: `python -m grading.worker`, started by `sandbox.Sandbox`.

It reads requests from its standard input and writes answers to its standard output, each a line of JSON with the
"number" of the request:

    {"run": code, "label": text}                 run a cell; the answer has the "names" that it set
    {"call": name, "args": [...], "kwargs": {}}  call a function; the answer has its "value"
    {"result": value} or {"raised": text}        what a function of the caller's, passed as an argument, returned

Answers have "names" or "value", "error" if something was raised, and "printed". {"ask": k, "args": ..., "kwargs": ...} is
no answer yet but a call of function k, one that was passed as an argument.
"""

from __future__ import annotations

import ast
import ctypes
import io
import json
import linecache
import os
import signal
import sys
import traceback
import types

from .orphans import end_with
from .values import decode, encode

PRINTED = 20_000  # characters kept of what one request prints
SHOWN = 5_000_000  # bytes of an array that a cell sets, for the tests to see it
MEMORY = 4 * 2**30  # bytes


class Printed(io.StringIO):
    """Keeps the first PRINTED characters."""

    def write(self, text):
        left = PRINTED - self.tell()
        if left > 0:
            super().write(text if len(text) < left else text[:left] + "\n… (more was printed)\n")
        return len(text)

    def close(self):
        """Stays open, whatever the code does."""


class Locked:
    """Keeps the book's own solutions from being imported."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] == "gradients":
            raise ImportError(f"{name} has the solutions; here the code must be your own")


class Shell:
    """What lines for IPython alone ask for: `%time f()` and `%%time` run their code, all others do nothing."""

    def __init__(self, execute):
        self.execute = execute

    def run_line_magic(self, name, line, *_):
        return self.execute(line, f"<%{name}>") if name in ("time", "timeit") else None

    def run_cell_magic(self, name, line, body):
        self.execute(body, f"<%%{name}>")

    def system(self, *_):
        return None

    def getoutput(self, *_):
        return []


class Worker:
    def __init__(self, requests, answers):
        self.requests, self.answers = requests, answers
        sys.modules["__main__"] = types.ModuleType("__main__")  # for pickle
        self.space = sys.modules["__main__"].__dict__
        shell = Shell(self.execute)
        self.space.update(display=lambda *values, **_: print(*values), get_ipython=lambda: shell)

    def send(self, **answer):
        self.answers.write(json.dumps(answer | {"number": self.number}) + "\n")
        self.answers.flush()

    def receive(self):
        return json.loads(self.requests.readline() or "null")

    def serve(self):
        while request := self.receive():
            sys.stdout = sys.stderr = printed = Printed()
            try:
                self.number = request.pop("number")
                answer = self.run(**request) if "run" in request else self.call(**request)
            except BaseException as error:  # SystemExit and KeyboardInterrupt, too
                answer = {"error": described(error)}
            self.send(**answer, printed=printed.getvalue())

    def run(self, run, label):
        before, answer = dict(self.space), {}
        try:
            self.execute(run, label)
        except BaseException as error:  # SystemExit and KeyboardInterrupt, too
            answer["error"] = described(error)
        names = answer["names"] = {}
        for name, value in self.space.items():
            if not name.startswith("_") and value is not before.get(name, self) and getattr(value, "nbytes", 0) <= SHOWN:
                try:
                    names[name] = encode(value, lambda _: None)
                except Exception:
                    pass  # a module, an object, a circle of lists: the tests can't use it
        return answer

    def execute(self, run, label):
        linecache.cache[label] = (len(run), None, run.splitlines(keepends=True), label)  # for tracebacks
        try:
            tree = ast.parse(run, label)
        except SyntaxError:  # perhaps lines for IPython alone, such as %matplotlib inline
            from IPython.core.inputtransformer2 import TransformerManager
            tree = ast.parse(TransformerManager().transform_cell(run), label)
        shown = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, label, "exec"), self.space)
        if shown:
            value = eval(compile(ast.Expression(shown.value), label, "eval"), self.space)
            if value is not None:
                print(repr(value))

    def call(self, call, args, kwargs):
        if not callable(self.space.get(call)):
            raise NameError(f"name {call!r} is not defined")
        args, kwargs = (decode(each, self.stand_in) for each in (args, kwargs))
        return {"value": encode(self.space[call](*args, **kwargs))}

    def stand_in(self, k):
        """A function of the caller's: calling it asks the caller."""
        def ask(*args, **kwargs):
            self.send(ask=k, args=encode(args), kwargs=encode(kwargs))
            reply = self.receive()
            if "raised" in reply:
                raise RuntimeError(reply["raised"])
            return decode(reply["result"])
        return ask


def described(error):
    """Name, message and the part of the traceback that is the student's."""
    if isinstance(error, SystemExit):
        error = SystemExit("the code ended Python (exit, quit or sys.exit); leave that out").with_traceback(error.__traceback__)
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<") and frame.line]
    shown = traceback.format_list(own) + traceback.format_exception_only(error)
    try:
        message = str(error)[:500]
    except Exception:
        message = "its message can't be shown"
    return {"name": type(error).__name__, "message": message, "traceback": "".join(shown)[-PRINTED:]}


def main() -> None:
    end_with(os.getppid())
    try:  # Linux ends it even while a long computation keeps the thread of `end_with` from running
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (AttributeError, OSError):
        pass
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)  # for input(), and for what libraries print by themselves
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")
    try:
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except (ImportError, ValueError):  # Windows, or a system that sets a smaller limit itself
        pass
    sys.meta_path.insert(0, Locked)
    Worker(requests, answers).serve()


if __name__ == "__main__":
    main()
