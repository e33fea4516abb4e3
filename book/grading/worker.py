"""The process in which a student's code runs: `python -m grading.worker`, started by `sandbox.Sandbox`.

It says "ready", reads requests from its standard input and writes answers to its standard output, each a line of JSON
with the "number" of the request:

    {"run": code, "label": text}                 run a cell; the answer has the "names" that it set. With "definitions": s
                                                 only its imports, functions, classes and assignments, of which those that
                                                 call something get s seconds together; with "by": "teacher" it is no
                                                 student's, with "check" it leaves the student's names as they are
    {"call": name, "args": [...], "kwargs": {}}  call a function; the answer has its "value", and the names of arguments
                                                 that it has "changed"
    {"item": k, "key": key}                      the "value" of an entry of `values.Items`, the k-th that a value had
    {"result": value} or {"raised": text}        what a function of the caller's, passed as an argument, returned

Answers have "names" or "value", "error" if something was raised, and "printed". {"ask": k, "args": ..., "kwargs": ...} is
no answer yet but a call of function k, one that was passed as an argument.

What a student's code leaves behind may be anything. So the names are shown without a look at what their values say about
themselves (see `values.encode`), those that are too large or not plain are left out, and functions come first.
"""

from __future__ import annotations

import __future__
import ast
import builtins
import contextlib
import ctypes
import errno
import functools
import importlib.machinery
import inspect
import io
import json
import linecache
import operator
import os
import platform
import re
import signal
import struct
import sys
import threading
import time
import traceback
import types

import numpy as np

from .values import ANSWERING, ENTRIES, LARGEST, Room, decode, encode, name_of

PRINTED = 20_000  # characters kept of what one request prints
SHOWN = 5_000_000  # bytes of a value that a cell sets, for the tests to see it
SHOWN_ENTRIES = 100_000  # of a list or a dictionary
MEMORY = 4 * 2**30  # bytes of one process
FILE = 64 * 2**20  # bytes of one file
FILES = 128  # open at once
PROCESSES = 32  # and threads
COMPUTING = 600  # seconds of a processor, for one process
REFUSED = (
    "memfd_create", "memfd_secret", "shmget", "msgget", "semget", "mq_open", "vmsplice", "io_uring_setup", "io_setup", "userfaultfd",
    "bpf", "perf_event_open", "fanotify_init", "add_key", "request_key", "keyctl", "unshare", "setns", "setsockopt",
    "inotify_init", "inotify_init1",
)
CALLS = {  # of the system: their numbers, and that of the machine in AUDIT_ARCH_…
    "x86_64": {"machine": 0xC000003E, "mmap": 9, "socket": 41, "socketpair": 53, "clone": 56, "clone3": 435,
               **dict(zip(REFUSED, (319, 447, 29, 68, 64, 240, 278, 425, 206, 323, 321, 298, 300, 248, 249, 250, 272, 308, 54, 253, 294),
                          strict=True))},
    "aarch64": {"machine": 0xC00000B7, "mmap": 222, "socket": 198, "socketpair": 199, "clone": 220, "clone3": 435,
                **dict(zip(REFUSED, (279, 447, 194, 186, 190, 180, 75, 425, 0, 282, 280, 241, 262, 217, 218, 219, 97, 268, 208, 26, 26),
                           strict=True))},  # it has inotify_init1 alone
}
SHARED_OF_NO_FILE = 0x21  # MAP_SHARED and MAP_ANONYMOUS
HUGE = 0x40000  # MAP_HUGETLB
NEW_USER = 0x10000000  # CLONE_NEWUSER
FUTURE = functools.reduce(operator.or_, (getattr(__future__, name).compiler_flag for name in __future__.all_feature_names))
UNIX, STREAM, KIND = 1, 1, 0xF  # AF_UNIX and SOCK_STREAM: of the sockets that a process may have; which bits of the kind are not flags
DEPTH = 1000  # calls in calls, that the worker's own code needs at most
ASSIGNMENTS = ast.Assign, ast.AnnAssign
DEFINITIONS = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom
WORK = ast.Call, ast.comprehension  # what may take long in an assignment
KEPT = 1000  # values that are `Items`
PLAIN = bool, int, float, str, np.generic, type(None)
CHANGEABLE = list, dict, np.ndarray  # may have changed, though the name stands for the same one


class Late(BaseException):
    """The time for what a cell calls in its assignments is up."""


class Printed(io.StringIO):
    """Keeps the first PRINTED characters."""

    def write(self, text):
        left = PRINTED - self.tell()
        if left > 0:
            super().write(text if len(text) < left else text[:left] + "\n… (more was printed)\n")
        return len(text)

    def close(self):
        """Stays open, whatever the code does."""


class Withheld(type):
    """Stands for a class or a function that would answer the questions: it can be named and derived from, and not called."""

    def __getattr__(cls, name):
        return _withheld(cls, name)

    def __call__(cls, *args, **kwargs):
        name = cls.__mro__[-2].__name__  # of a class that a student derives from it, the name of the class it is derived from
        if name.partition(".")[0] == "gradients":
            raise ImportError(f"{name} has the solutions; here the code must be your own")
        raise ImportError(f"{name} is not there when your work is graded; use NumPy alone: the derivatives must be your own")


class WithheldModule(types.ModuleType):
    """Stands for a module that would answer the questions: whatever is in it is `Withheld`."""

    __version__ = "0"

    def __getattr__(self, name):
        return _withheld(self, name)


def _withheld(parent, name: str) -> Withheld:
    if name.startswith("__"):
        raise AttributeError(f"{parent.__name__} has no {name}")
    return Withheld(f"{parent.__name__}.{name}", (), {})


class Withholding:
    """Finds such a module in place of the book's own solutions and of packages that differentiate."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, cls, is_package=True) if name.partition(".")[0] in ANSWERING else None

    @staticmethod
    def create_module(spec):
        return WithheldModule(spec.name)

    @staticmethod
    def exec_module(module):
        """There is nothing to run."""


class Shell:
    """What lines for IPython alone ask for, all others do nothing.

    `%time f()`, `%%time` and `%%capture` run their code; `%%writefile helper.py` writes a file, to be imported, and
    `%run helper.py` runs it.
    """

    def __init__(self, execute):
        self.execute = execute

    def run_line_magic(self, name, line, *_):
        if name == "run":
            with open(line.strip().strip("\"'"), encoding="utf-8") as file:
                return self.execute(file.read(), f"<{line.strip()}>")
        code = re.sub(r"^(-\w+(\s+\d+)?\s+)*", "", line + " ")  # the options
        return self.execute(code, f"<%{name}>") if name in ("time", "timeit", "prun") else None

    def run_cell_magic(self, name, line, body):
        if name in ("time", "timeit", "prun", "capture"):
            self.execute(body, f"<%%{name}>")
        elif name in ("writefile", "file"):
            *options, path = line.split()
            with open(path.strip("\"'"), "a" if options else "w", encoding="utf-8") as file:  # the one option: -a
                file.write(body)
            importlib.invalidate_caches()

    def getoutput(self, *_):
        return []

    def __getattr__(self, name):
        return NOTHING


class Nothing:
    """May be called, and asked for anything: `get_ipython().events.register(…)`."""

    def __call__(self, *_, **__):
        return None

    def __getattr__(self, name):
        return self


NOTHING = Nothing()


class Worker:
    def __init__(self, requests, answers):
        self.requests, self.answers = requests, answers
        self.main = sys.modules["__main__"] = types.ModuleType("__main__")  # for pickle
        self.space = self.main.__dict__
        shell = Shell(self.execute)
        self.space.update(display=lambda *values, **_: print(*values), get_ipython=lambda: shell)
        found = sys.modules["IPython.core.getipython"] = types.ModuleType("IPython.core.getipython")  # for `from IPython import get_ipython`
        found.get_ipython = self.space["get_ipython"]
        self.own = set()  # the names that the student's cells have set, and no cell of the teacher's after that
        self.loop = None  # for `await` in a cell
        self.future = 0  # the flags of `from __future__ import …`, which hold for all cells that follow, as in IPython
        self.asking = threading.Lock()
        self.objects, self.kept = {}, 0  # the last values that are `Items`, by number

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
                answer = (self.run if "run" in request else self.call if "call" in request else self.item)(**request)
            except BaseException as error:  # SystemExit and KeyboardInterrupt, too
                self.calm()
                answer = {"error": described(error)}
            self.send(**answer, printed=Printed.getvalue(printed))

    @staticmethod
    def calm(limit=sys.setrecursionlimit, alarm=signal.setitimer):
        """Room for the worker's own calls, and no alarm in them."""
        alarm(signal.ITIMER_REAL, 0)
        limit(max(DEPTH, sys.getrecursionlimit()))

    def run(self, run, label, definitions=None, by="student"):
        before, answer = dict(self.space), {}
        try:
            self.execute(run, label, definitions)
        except BaseException as error:  # SystemExit and KeyboardInterrupt, too
            self.calm()
            answer["error"] = described(error)
        self.calm()
        if by == "check":
            self.space.update({name: before[name] for name in self.own if name in before})
        after = dict(self.space)
        public = {name: value for name, value in after.items() if type(name) is str and not name.startswith("_")}
        made = {name for name, value in public.items() if value is not before.get(name, self)}
        changed = {name: value for name, value in public.items() if name in made or issubclass(type(value), CHANGEABLE)}
        if by == "student":
            self.own |= made
        elif by == "teacher":
            self.own -= made
        answer["names"] = shown(changed)
        answer["gone"] = [name for name in changed if name not in answer["names"]]
        answer["gone"] += [name for name in before if type(name) is str and not name.startswith("_") and name not in after]
        return answer

    def execute(self, run, label, definitions=None):
        linecache.cache[label] = (len(run), None, run.splitlines(keepends=True), label)  # for tracebacks
        try:
            tree = ast.parse(run, label)
        except SyntaxError:  # perhaps lines for IPython alone, such as %matplotlib inline
            from IPython.core.inputtransformer2 import TransformerManager
            tree = ast.parse(TransformerManager().transform_cell(run), label)
        if definitions is not None:
            return self.define(tree, label, definitions)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        self.evaluate(tree, label, "exec")
        if last:
            value = self.evaluate(ast.Expression(last.value), label, "eval")
            if value is not None:
                print(repr(value))

    def define(self, tree, label, seconds, clock=time.monotonic):
        """No loops, and nothing that stands alone; what needs a result of the rest is left out.

        seconds  for all assignments in which something is called: `ONE = np.array(1.0)` takes no time, others may
        """
        for each in tree.body:
            work = isinstance(each, ASSIGNMENTS) and any(isinstance(part, WORK) for part in ast.walk(each))
            if isinstance(each, (*ASSIGNMENTS, *DEFINITIONS)) and (seconds > 0 or not work):
                begin = clock()
                with contextlib.suppress(BaseException), self.at_most(seconds) if work else contextlib.nullcontext():
                    self.evaluate(ast.Module([each], []), label, "exec")
                seconds -= (clock() - begin) * work

    @staticmethod
    @contextlib.contextmanager
    def at_most(seconds, handle=signal.signal, alarm=signal.setitimer):
        """Late: the code takes longer. What computes within a library goes on to its end."""
        def stop(*_):
            raise Late

        before = handle(signal.SIGALRM, stop)
        try:
            alarm(signal.ITIMER_REAL, seconds)
            yield
        finally:
            alarm(signal.ITIMER_REAL, 0)
            handle(signal.SIGALRM, before)

    def evaluate(self, tree, label, mode):
        code = compile(tree, label, mode, self.future | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        self.future |= code.co_flags & FUTURE
        value = eval(code, self.space)
        if code.co_flags & inspect.CO_COROUTINE:
            import asyncio
            self.loop = self.loop or asyncio.new_event_loop()
            return self.loop.run_until_complete(value)
        return value

    def call(self, call, args, kwargs):
        if not callable(self.space.get(call)):
            raise NameError(f"name {call!r} is not defined")
        function, given = self.space[call], [decode(each, self.stand_in) for each in (args, kwargs)]
        value = function(*given[0], **given[1])
        self.calm()
        before = [decode(each, lambda _: None) for each in (args, kwargs)]
        changed = [k for k, pair in enumerate(zip(given[0], before[0])) if not same(*pair)]
        changed = [*names_of(function, changed), *(name for name in before[1] if not same(given[1][name], before[1][name]))]
        return {"value": encode(value, items=self.keep), "changed": changed}

    def item(self, item, key):
        if item not in self.objects:
            raise RuntimeError("too many other values have been made since; return dictionaries, tuples and arrays")
        value = self.objects[item][decode(key)]
        self.calm()
        return {"value": encode(value, items=self.keep)}

    def keep(self, value):
        self.kept += 1
        self.objects[self.kept] = value
        self.objects.pop(self.kept - KEPT, None)
        return self.kept

    def stand_in(self, k):
        """A function of the caller's: calling it asks the caller."""
        def ask(*args, **kwargs):
            request = {"ask": k, "args": encode(args), "kwargs": encode(kwargs)}
            with self.asking:  # threads of the student's may ask at once
                self.send(**request)
                reply = self.receive()
            if "raised" in reply:
                raise RuntimeError(reply["raised"])
            return decode(reply["result"])
        return ask


def same(value, before):
    """Whether an argument is as it was; rounding does not matter, such as that of a number that was moved and put back."""
    try:
        if isinstance(before, np.ndarray):
            return value.shape == before.shape and np.allclose(value, before, 1e-6, 1e-9, equal_nan=True)
        if isinstance(before, dict):
            return all(same(value[key], before[key]) for key in before)  # more entries are no harm
        if isinstance(before, (list, tuple)):
            return len(value) == len(before) and all(map(same, value, before))
        if before is None:  # it was nothing, or a function of the caller's
            return value is None or callable(value)
        return bool(value == before or np.isclose(value, before, 1e-6, 1e-9, equal_nan=True))
    except Exception:  # something else stands there now
        return False


def names_of(function, positions):
    """Of parameters."""
    try:
        names = list(inspect.signature(function).parameters)
    except Exception:  # whatever stands for a function here
        names = []
    return [names[k] if k < len(names) else f"number {k + 1}" for k in positions]


def shown(values):
    """What of the `values` the tests get to see: functions first, then single values, then what is larger."""
    names, entries, size = {}, ENTRIES, LARGEST
    for name in sorted(values, key=lambda name: 0 if callable(values[name]) else 1 if issubclass(type(values[name]), PLAIN) else 2):
        room = Room(min(entries, SHOWN_ENTRIES), min(size, SHOWN))
        before = room.entries, room.size
        try:
            room.take(1, len(name))
            names[name] = encode(values[name], lambda _: None, room, exact=True)
        except Exception:
            pass  # a module, an object, a circle of lists: the tests can't use it
        else:
            size -= before[1] - room.size
        entries -= min(before[0], before[0] - room.entries)
    return names


def described(error):
    """Name, message and the part of the traceback that is the student's."""
    if isinstance(error, SystemExit):
        error = SystemExit("the code ended Python (exit, quit or sys.exit); leave that out").with_traceback(error.__traceback__)
    try:
        message = str(error)[:500]
    except BaseException:
        message = "its message can't be shown"
    try:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<") and frame.line]
        lines = "".join(traceback.format_list(own) + traceback.format_exception_only(error))[-PRINTED:]
    except BaseException:
        lines = ""
    kind = next(each for each in type.mro(type(error)) if any(each is known for known in vars(builtins).values()))
    return {"name": name_of(type(error)), "kind": name_of(kind), "message": message, "traceback": lines}


def become(user: int) -> None:
    """Give up root's rights for those of another user."""
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)


def unconfined(user: int | None) -> None:
    """Without isolation: end with the parent, and leave memory for others. As root, become `user` first, if one is named."""
    import resource

    from .orphans import end_with

    if user is not None:
        become(user)
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
    end_with(os.getppid())
    try:  # Linux ends it even while a long computation keeps the thread of `end_with` from running
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (AttributeError, OSError):
        pass
    try:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    except ValueError:  # a system that sets a smaller limit itself
        pass


def refuse(calls: dict[str, int]) -> None:
    """Refuse the calls that get memory which no limit counts: files in memory, shared memory that stays when its pages are given
    back, System V's and POSIX's memory and queues, huge pages (also in pipes), larger buffers of sockets, what waits in inotify,
    rings, keys, new namespaces. And all sockets but streams of AF_UNIX, which hold little (`watch.IN_SOCKET`): a connection of
    TCP to oneself may hold 32 MB, and AF_VSOCK leads out of every namespace of the network.

    By a filter of seccomp, for this process and all that it starts. OSError: the system has none.
    """
    def line(code, k, yes=0, no=0):
        return struct.pack("HBBI", code, yes, no, k)

    load, equal, at_least, any_of, both, end = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06  # BPF_LD, BPF_JMP, BPF_ALU | BPF_AND, BPF_RET
    refused = line(end, 0x00050000 | errno.EPERM)
    number, machine, first_argument, second_argument, fourth_argument = 0, 4, 16, 24, 40  # in struct seccomp_data
    program = [line(load, machine), line(equal, calls["machine"], 1), refused,
               line(load, number), line(at_least, 0x40000000, 0, 1), refused]  # x86's calls of other kinds
    for name in REFUSED:
        program += [line(equal, calls[name], 0, 1), refused]
    for name in ("socket", "socketpair"):
        program += [line(equal, calls[name], 0, 8), line(load, first_argument), line(equal, UNIX, 1), refused,
                    line(load, second_argument), line(both, KIND), line(equal, STREAM, 1), refused, line(load, number)]
    program += [line(equal, calls["mmap"], 0, 7), line(load, fourth_argument), line(any_of, HUGE, 0, 1), refused,
                line(both, SHARED_OF_NO_FILE), line(equal, SHARED_OF_NO_FILE, 0, 1), refused, line(load, number)]
    program += [line(equal, calls["clone3"], 0, 1), line(end, 0x00050000 | errno.ENOSYS),  # its flags can't be seen; clone is used
                line(equal, calls["clone"], 0, 3), line(load, first_argument), line(any_of, NEW_USER, 0, 1), refused,
                line(end, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(program))
    whole = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, whole):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP with SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp: no filter can be set")


def confined(user: int | None) -> None:
    """What this process and those that it starts may use. As root, become `user` first."""
    import resource

    if user is not None:
        become(user)
        os.listdir(os.path.dirname(os.path.dirname(np.__file__)))  # PermissionError: Python's packages are for root alone
    if calls := CALLS.get(platform.machine()):
        ctypes.CDLL(None).syscall(calls["keyctl"], 1, None)  # a keyring of its own: keyctl(KEYCTL_JOIN_SESSION_KEYRING)
        refuse(calls)
    for kind, most in (("AS", MEMORY), ("FSIZE", FILE), ("NOFILE", FILES), ("NPROC", PROCESSES), ("CPU", COMPUTING), ("CORE", 0)):
        resource.setrlimit(getattr(resource, f"RLIMIT_{kind}"), (most, most))


def main() -> None:
    free, users = "--no-isolation" in sys.argv, [int(word) for word in sys.argv[1:] if word.isdecimal()]
    (unconfined if free else confined)(users[0] if users else None)
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)  # for input(), and for what libraries print by themselves
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    sys.stdin = open(os.devnull, encoding="utf-8")
    sys.argv = [""]
    sys.meta_path.insert(0, Withholding)
    answers.write("ready\n")
    answers.flush()
    Worker(requests, answers).serve()


if __name__ == "__main__":
    main()
