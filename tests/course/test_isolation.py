"""A student's code reaches nothing but its own process: attacks on the computer, on other hand-ins and on the next run."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook

from grading import isolation
from grading.links import irregular
from grading.marks import SEED, StudentError, one_seed
from grading.nbgrader_cells import ExecuteApart
from grading.sandbox import Sandbox
from grading.watch import Watch
from problem_sets import COURSE, cell, hand_in, read, scores, source


@pytest.fixture(params=["as we are", "without root's rights"] if os.geteuid() == 0 else ["as we are"])
def user(request, monkeypatch):
    if request.param != "as we are":  # the way of an ordinary user, in a user namespace
        monkeypatch.setattr(isolation.os, "geteuid", lambda: 1000)


@pytest.fixture
def sandbox(user, monkeypatch):
    monkeypatch.setenv(SEED, "123456")
    monkeypatch.setenv("API_TOKEN", "secret")
    sandbox = Sandbox({}, seconds=60, patience=300)
    yield sandbox
    sandbox.close()


ATTEMPTS = '''
import glob, os, pathlib, signal, socket, subprocess, sys

def seen(path):
    return os.path.lexists(path) or False

def write(path):
    with open(path, "w") as file:
        file.write("x")
    return path

def everywhere():
    return [os.path.join(folder, name) for folder, _, names in os.walk("/", onerror=lambda _: None) if not folder.startswith("/proc")
            for name in names if name in ("ps1.ipynb", "problem_sets.md", "activations.py", "clipping.py")]

def processes():
    return [p for p in glob.glob("/proc/[0-9]*/cmdline") if b"worker" not in open(p, "rb").read()]

def of_others():
    return [text for p in glob.glob("/proc/[0-9]*/environ") for text in [open(p, "rb").read()] if b"GRADING_SEED" in text or b"secret" in text]

def killed():
    os.kill(1, signal.SIGKILL)  # from inside it has no effect
    os.kill(os.getppid(), signal.SIGKILL)
    return []

def mounted():
    import ctypes
    return ctypes.CDLL(None).mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0

def network():
    return socket.create_connection(("127.0.0.1", PORT), timeout=2)

def tried(attempt):
    try:
        return attempt()
    except Exception:
        return []

def gained():
    attempts = {
        "course": lambda: seen(COURSE), "book": lambda: seen(BOOK), "solutions": lambda: seen(os.path.join(BOOK, "gradients")),
        "home": lambda: seen(HOME), "sources": everywhere, "network": network, "processes": processes, "others": of_others,
        "environment": lambda: [n for n in os.environ if n in ("GRADING_SEED", "API_TOKEN")], "kill": killed,
        "python": lambda: write(os.path.join(sys.prefix, "lib", "x")),
        "packages": lambda: write(os.path.join(os.path.dirname(os.__file__), "x.py")),
        "worker": lambda: write(sys.modules["grading"].__file__), "usr": lambda: write("/usr/x"), "etc": lambda: write("/etc/x"),
        "root": lambda: write("/x"), "dev": lambda: write("/dev/x"), "sys": lambda: seen("/sys"),
        "disks": lambda: [p for p in glob.glob("/dev/*") if pathlib.Path(p).is_block_device()],
        "capabilities": lambda: [line for line in open("/proc/self/status")
                                 if line.startswith(("CapEff", "CapPrm")) and int(line.split()[1], 16)],
        "mount": mounted, "root again": lambda: os.setuid(0) or os.geteuid() == 0 and open("/etc/shadow").read(),
    }
    return [name for name, attempt in attempts.items() if tried(attempt)]
'''


def test_nothing_but_its_own_process_is_there(sandbox):
    with socket.create_server(("127.0.0.1", 0)) as server:
        names = {"PORT": server.getsockname()[1], "COURSE": str(COURSE), "BOOK": str(COURSE.parent), "HOME": str(Path.home() / ".bashrc")}
        sandbox.run("\n".join(f"{name} = {value!r}" for name, value in names.items()) + ATTEMPTS, "<cell>")
        assert sandbox.space["gained"]() == []


@pytest.mark.parametrize("code, words", [
    ("open('x', 'wb').write(bytes(10**8))", "File too large"),
    ("for i in range(9): open(f'{i}', 'wb').write(bytes(6 * 10**7))", "No space left on device"),
    ("for i in range(9): open(f'/dev/shm/{i}', 'wb').write(bytes(6 * 10**7))", "No space left on device"),
    ("files = [open(os.devnull) for _ in range(1000)]", "Too many open files"),
])
def test_files_have_limits(sandbox, code, words):
    with pytest.raises(StudentError, match=words):
        sandbox.run(f"import os, time\n{code}", "<cell>")


@pytest.mark.parametrize("code, words", [
    ("while os.fork(): pass\ntime.sleep(60)", "Resource temporarily unavailable"),
    ("import threading\nfor _ in range(100): threading.Thread(target=time.sleep, args=[60]).start()", "can't start new thread"),
])
def test_processes_and_threads_have_a_limit(code, words):
    sandbox = Sandbox({}, seconds=60)
    with pytest.raises(StudentError, match=words):
        sandbox.run(f"import os, time\n{code}", "<cell>")
    sandbox.close()


def test_no_process_can_make_a_namespace(sandbox):
    """In which it could mount what it likes, without a limit of size."""
    sandbox.run("import ctypes, platform\nlibc, clone = ctypes.CDLL(None), {'x86_64': 56, 'aarch64': 220}[platform.machine()]\n"
                "made = [libc.unshare(0x10000000), libc.syscall(clone, 0x10000011, 0, 0, 0, 0)]  # CLONE_NEWUSER", "<cell>")
    assert sandbox.space["made"] == [-1, -1]


def test_no_memory_is_had_beside_the_limits(sandbox):
    """Files in memory, System V's shared memory and what waits in a socket belong to no process, so no limit counts them."""
    sandbox.run("import ctypes, os\nlibc = ctypes.CDLL(None)\ngot = [libc.memfd_create(b'x', 0), libc.shmget(0, 2**20, 0o1600),\n"
                "       libc.syscall(447, 0)]  # memfd_secret", "<cell>")
    assert sandbox.space["got"] == [-1, -1, -1]
    sandbox.run("import socket\na, b = socket.socketpair()\ntry:\n    a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**24)\n"
                "except PermissionError:\n    refused = True", "<cell>")
    assert sandbox.space["refused"]
    sandbox.run("import subprocess, threading\nthread = threading.Thread(target=print)\nthread.start()\nthread.join()\n"
                "said = subprocess.run(['echo', 'x'], capture_output=True, text=True).stdout", "<cell>")
    assert sandbox.space["said"] == "x\n"


SOCKETS = """
import socket
made = []
for family in (1, 2, 10, 16, 40, 38, 17, 30, 31):
    for kind in (1, 2, 3, 5):
        for make in (socket.socket, socket.socketpair):
            try:
                make(family, kind)
            except PermissionError:
                continue
            except OSError as error:
                made.append([family, kind, str(error)])
            else:
                made.append([family, kind])
"""


def test_only_sockets_of_this_computer_are_had(sandbox):
    """What waits in a connection to oneself is memory that belongs to no process, up to 32 MB in each.

    And AF_VSOCK (40) goes to the host of a virtual machine, whatever namespace of the network it is in; AF_ALG (38) is the kernel's own.
    """
    sandbox.run(SOCKETS, "<cell>")
    assert sandbox.space["made"] == [[1, 1], [1, 1]]


def test_no_folder_is_looked_at(sandbox):
    """What waits to be read in inotify belongs to no process."""
    sandbox.run("import ctypes\nlibc = ctypes.CDLL(None)\ngot = [libc.inotify_init(), libc.inotify_init1(0)]", "<cell>")
    assert sandbox.space["got"] == [-1, -1]


HOARD = """
import os, socket
def hoard(listeners):
    kept = []
    for k in range(listeners):
        at = socket.socket(socket.AF_UNIX)
        at.bind(f"{k}")
        at.listen(4096)
        kept.append(at)
        for _ in range(1000):
            to = socket.socket(socket.AF_UNIX)
            to.setblocking(False)
            try:
                to.connect(f"{k}")
                while True:
                    to.send(bytes(2**16))
            except BlockingIOError:
                to.close()
    return kept
"""


def test_what_waits_in_sockets_counts(sandbox, monkeypatch):
    """It stays while nobody has accepted the connection, though the one who sent it has gone."""
    monkeypatch.setattr("grading.sandbox.MEMORY", 300 * 2**20)
    sandbox.run(HOARD + "pairs = [socket.socketpair() for _ in range(50)]", "<cell>")
    with pytest.raises(StudentError, match="used more memory than there is"):
        sandbox.run("import time\nkept = hoard(3)\ntime.sleep(20)", "<cell>")


def test_what_needs_no_network_works(sandbox):
    sandbox.run("import asyncio, matplotlib.pyplot, multiprocessing, subprocess\nasync def one():\n    await asyncio.sleep(0)\n"
                "    process = await asyncio.create_subprocess_exec('echo', 'x', stdout=-1)\n    return (await process.communicate())[0].decode()\n"
                "got = [asyncio.run(one()), subprocess.run(['echo', 'x'], capture_output=True, text=True).stdout]\n"
                "def with_pool(x):\n    with multiprocessing.get_context('fork').Pool(2) as pool:\n        return pool.map(abs, x)", "<cell>")
    assert sandbox.space["got"] == ["x\n", "x\n"]
    assert sandbox.space["with_pool"]([-1, -2]) == [1, 2]


def test_all_processes_together_have_a_limit_of_memory(sandbox, monkeypatch):
    monkeypatch.setattr("grading.sandbox.MEMORY", 400 * 2**20)
    alive, children = [], lambda: psutil.Process(sandbox._process.pid).children()
    sandbox.run("def f():\n    return 1", "<before>")
    with pytest.raises(StudentError, match="used more memory than there is"):
        sandbox.run("import os, time\nfor _ in range(6):\n    if not os.fork(): break\nheld = bytearray(b'x') * 10**8\ntime.sleep(60)", "<cell>")
    assert sandbox.space["f"]() == 1
    sandbox.run("def g(of_the_tests):\n    for _ in range(6):\n        if not os.fork():\n            held = bytearray(b'x') * 10**8\n"
                "            time.sleep(60)\n    of_the_tests()\nimport os, time", "<cell>")
    begin = time.monotonic()
    with pytest.raises(StudentError, match="used more memory than there is"):  # also while the tests' own function runs
        sandbox.space["g"](lambda: time.sleep(5) or alive.append(bool(children())))
    assert alive == [False] and time.monotonic() - begin < 15


def test_shared_memory_counts_by_its_size(monkeypatch):
    """It stays when the pages are given back, and then belongs to no process. Apart no such memory is had at all; here the watch sees it."""
    monkeypatch.setattr("grading.sandbox.MEMORY", 300 * 2**20)
    hold = ("import mmap, os, time\ndef hold(size, file):\n    held = mmap.mmap(file, size)\n    held[::4096] = b'x' * (size // 4096)\n"
            "    held.madvise(mmap.MADV_DONTNEED)\n    return held\n")
    for file in ("-1", "os.open('/dev/zero', os.O_RDWR)"):
        sandbox = Sandbox({}, seconds=60, isolated=False)
        sandbox.run(hold + f"held = hold(40 * 2**20, {file})\nfor _ in range(4):\n    if not os.fork(): time.sleep(3)", "<one for all>")
        with pytest.raises(StudentError, match="used more memory than there is"):
            sandbox.run(f"for _ in range(4):\n    if not os.fork(): break\nheld = hold(60 * 2**20, {file})\ntime.sleep(20)", "<each its own>")
        sandbox.close()


def test_what_was_swapped_out_counts(monkeypatch):
    status = b"Name:\tpython\nVmRSS:\t    3000 kB\nRssAnon:\t    1000 kB\nRssShmem:\t    2000 kB\nVmSwap:\t    5000 kB\n"
    watch = Watch(os.getpid(), False, 1, 1, 1)
    monkeypatch.setattr("grading.watch.Path.read_bytes", lambda path: status if path.name == "status" else b"")
    assert watch.held() == 6000 * 1024


CALLS_FOR_MEMORY = """
import ctypes, mmap, os, platform
libc = ctypes.CDLL(None, use_errno=True)
numbers = {
    "x86_64": dict(vmsplice=278, shmget=29, msgget=68, semget=64, mq_open=240, io_uring_setup=425, io_setup=206, userfaultfd=323, bpf=321,
                   perf_event_open=298, fanotify_init=300, add_key=248, request_key=249, keyctl=250),
    "aarch64": dict(vmsplice=75, shmget=194, msgget=186, semget=190, mq_open=180, io_uring_setup=425, io_setup=0, userfaultfd=282, bpf=280,
                    perf_event_open=241, fanotify_init=262, add_key=217, request_key=218, keyctl=219),
}[platform.machine()]
def error(number):
    ctypes.set_errno(0)
    libc.syscall(number, 0, 0, 0, 0, 0)
    return ctypes.get_errno()
got = [name for name, number in numbers.items() if error(number) != 1]  # EPERM
def mapped(flags):
    try:
        return len(mmap.mmap(-1, 4096, flags=flags))
    except OSError as error:
        return error.errno
sizes = [mapped(mmap.MAP_ANONYMOUS | flags) for flags in (mmap.MAP_PRIVATE, mmap.MAP_SHARED, 3, 0x40000 | mmap.MAP_PRIVATE)]  # 3: MAP_SHARED_VALIDATE
try:
    got.append(os.open("/dev/zero", os.O_RDONLY))
except OSError:
    pass
with open("file", "w+b") as file:
    file.write(b"x" * 4096)
    file.flush()
    sizes.append(len(mmap.mmap(file.fileno(), 4096)))
import multiprocessing
with multiprocessing.Pool(2) as pool:
    mapped_by_others = pool.map(abs, [-1, multiprocessing.Value("i", -2).value])
"""


def test_no_call_gets_memory_beside_the_limits(sandbox):
    """Whatever the rights: root's worker has become a user without any."""
    sandbox.run(CALLS_FOR_MEMORY, "<cell>")
    assert sandbox.space["got"] == [] and sandbox.space["sizes"] == [4096, 1, 1, 1, 4096]
    assert sandbox.space["mapped_by_others"] == [1, 2]


# --- the time

BURN = "import os, signal, time\ndef burn(seconds=60):\n    while time.process_time() < seconds: pass\n    os._exit(0)\n"


@pytest.mark.parametrize("code", [
    "for _ in range(6):\n    if not os.fork():\n        os.setsid()\n        burn()",
    # short ones, of which nothing is left; some of them without a parent that waits
    "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\nif not os.fork():\n    while True:\n        for _ in range(4):\n"
    "            if not os.fork(): burn(0.05)\n        time.sleep(0.1)",
    "if not os.fork():\n    while True:\n        if not os.fork(): burn(0.05)\n        os.wait()",
])
def test_processes_that_were_started_use_the_time_of_the_hand_in(code):
    """Here while the worker itself has nothing to do."""
    sandbox = Sandbox({}, seconds=30, patience=2)
    sandbox.run(BURN + code, "<cell>")
    end = time.monotonic() + 30
    with pytest.raises(StudentError, match="was not run, since too much"):
        while time.monotonic() < end:
            time.sleep(0.3)
            sandbox.run("x = 1", "<next>")
    sandbox.close()


def test_many_processes_use_the_time_of_a_call_sooner_than_one():
    sandbox = Sandbox({}, seconds=5)
    sandbox.run(BURN + "def f():\n    for _ in range(6):\n        if not os.fork():\n            os.setsid()\n            burn()\n    time.sleep(4.9)", "<cell>")
    with pytest.raises(StudentError, match="did not come to an end within 5 seconds of the processors, with all processes that"):
        sandbox.space["f"]()
    sandbox.close()


def test_processes_that_go_on_between_two_calls_are_stopped():
    sandbox = Sandbox({}, seconds=1)
    sandbox.run(BURN + "def f():\n    if not os.fork(): burn()\ndef g():\n    return 1", "<cell>")
    sandbox.space["f"]()
    children, end = psutil.Process(sandbox._process.pid).children(recursive=True), time.monotonic() + 20
    while any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children):
        assert time.monotonic() < end
        time.sleep(0.1)
    with pytest.raises(StudentError, match="within 1 second of the processors"):
        sandbox.space["g"]()
    assert sandbox.space["g"]() == 1
    sandbox.close()


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="needs Linux that tells how long a process has waited")
def test_what_others_use_of_the_processor_costs_no_time():
    sandbox, all_of_them = Sandbox({}, seconds=1), os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        sandbox.run("import time\ndef f(seconds):\n    end = time.process_time() + seconds\n    while time.process_time() < end: pass\n"
                    "    return seconds", "<cell>")
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) for _ in range(3)]
        try:
            begin, left = time.monotonic(), sandbox._left["graded"]
            assert sandbox.space["f"](0.7) == 0.7
            assert time.monotonic() - begin > 1.5 and left - sandbox._left["graded"] < 1
            with pytest.raises(StudentError, match="within 1 second"):
                sandbox.space["f"](60)
        finally:
            for other in others:
                other.kill()
                other.wait()
    finally:
        os.sched_setaffinity(0, all_of_them)
        sandbox.close()


def test_files_in_memory_have_a_limit(sandbox, monkeypatch):
    """Each takes a kilobyte of the computer's memory, though it is empty and belongs to no process."""
    monkeypatch.setattr("grading.sandbox.FILES", 2_000)
    for folder in ("/tmp", "/dev/shm"):
        with pytest.raises(StudentError, match="used more memory than there is"):
            sandbox.run(f"import time\nfor k in range(5_000):\n    open(f'{folder}/{{k}}', 'w').close()\ntime.sleep(20)", "<cell>")


def test_no_process_survives(sandbox):
    mark = f"8765{os.getpid()}"
    sandbox.run("import os, subprocess\nfor _ in range(10):\n    if not os.fork():\n        os.setsid()\n        if os.fork(): os._exit(0)\n"
                f"        os.execv('/usr/bin/sleep', ['sleep', '{mark}'])", "<cell>")

    def sleeping():
        return [process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] and mark in process.info["cmdline"]]

    end = time.monotonic() + 10
    while len(sleeping()) < 10:
        assert time.monotonic() < end
    sandbox.close()
    while sleeping():
        assert time.monotonic() < end
    assert not sleeping()


def test_nothing_is_left_for_the_next_one(sandbox):
    sandbox.run("import os, pathlib\nstartup = pathlib.Path.home() / '.ipython/profile_default/startup'\nstartup.mkdir(parents=True)\n"
                "(startup / 'x.py').write_text('')\nopen('/tmp/x', 'w').close()\n"
                "def left():\n    return os.listdir('/tmp'), os.listdir(pathlib.Path.home())", "<cell>")
    assert "x" in sandbox.space["left"]()[0]
    fresh = Sandbox({}, seconds=60)
    fresh.run("import os, pathlib\ndef left():\n    return os.listdir('/tmp'), os.listdir(pathlib.Path.home())", "<cell>")
    temporary, home = fresh.space["left"]()
    assert "x" not in temporary and home == []
    fresh.close()


@pytest.mark.parametrize("package", ["gradients", "torch", "jax"])
def test_what_would_answer_among_pythons_packages_is_hidden(package, monkeypatch):
    places = {package: str(Path(sys.prefix).resolve() / "lib" / package)}
    monkeypatch.setattr(isolation, "_seen", lambda: [str(Path(sys.prefix) / "lib")])
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))
    monkeypatch.setattr(isolation.importlib.util, "find_spec", lambda name: places.get(name) and SimpleNamespace(submodule_search_locations=[places[name]]))
    isolation._hidden.cache_clear()
    assert isolation._hidden() == [str(Path(sys.prefix) / "lib" / package)]
    isolation._hidden.cache_clear()


def test_what_would_answer_is_hidden_among_the_packages_of_every_python(monkeypatch, tmp_path):
    for folder in ("lib/python3/dist-packages/sympy", "lib/python3.9/site-packages/jax", "more/site-packages/torch", "lib/python3/dist-packages/numpy"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.setattr(isolation, "_seen", lambda: [str(tmp_path / "lib"), str(tmp_path / "more/site-packages")])
    monkeypatch.setattr(isolation.importlib.util, "find_spec", lambda name: None)
    isolation._hidden.cache_clear()
    assert sorted(isolation._hidden()) == [str(tmp_path / folder) for folder in (
        "lib/python3.9/site-packages/jax", "lib/python3/dist-packages/sympy", "more/site-packages/torch")]
    isolation._hidden.cache_clear()


def test_a_package_that_differentiates_is_not_there(sandbox, torch):
    """Not even for code that takes away what forbids the import."""
    sandbox.run("import sys\nsys.meta_path[:] = [found for found in sys.meta_path if getattr(found, '__name__', '') != 'Withholding']\nimport torch\n"
                "def has():\n    return hasattr(torch, 'tensor')", "<cell>")
    assert sandbox.space["has"]() is False


# --- where it can't be had

@pytest.fixture
def without(monkeypatch, tmp_path):
    """Says what bwrap does on a computer that forbids it."""
    probe = isolation.lacking

    def broken(script):
        program = tmp_path / "bin" / "bwrap"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        probe.cache_clear()
    yield broken
    probe.cache_clear()


FORBIDDEN = "echo 'bwrap: No permissions to create new namespace' >&2; exit 1"


def test_a_bubblewrap_that_does_not_run_is_found_out(without):
    without(FORBIDDEN)
    assert isolation.lacking() == "bwrap does not run here: bwrap: No permissions to create new namespace"
    with pytest.raises(isolation.Unavailable, match="does not start: bwrap does not run here"):
        Sandbox({}).run("x = 1", "<cell>")


def test_a_submission_is_not_graded_if_no_process_starts_for_it(without, monkeypatch, tmp_path):
    """Rather than with 0 points."""
    monkeypatch.chdir(tmp_path)  # as the folder of a course
    without(FORBIDDEN)
    code = new_code_cell("def f(): return 1")
    with pytest.raises(RuntimeError, match="Nothing was graded. .*No permissions to create"):
        ExecuteApart().preprocess(new_notebook(cells=[code]), {})
    monkeypatch.setattr(isolation, "lacking", lambda: None)  # as if it had run a moment ago
    with pytest.raises(RuntimeError, match="the process for students' code does not start"):
        ExecuteApart().preprocess(new_notebook(cells=[code]), {})


def test_no_bubblewrap_and_no_linux(monkeypatch):
    isolation.lacking.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    assert "bwrap is not installed" in isolation.lacking()
    isolation.lacking.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isolation.lacking() == "bubblewrap exists for Linux, and this is darwin"
    isolation.lacking.cache_clear()


def grading(course: Path, *arguments: str, **environment: str):
    return subprocess.run([sys.executable, "-m", *arguments], cwd=course, capture_output=True, text=True, timeout=300,
                          env={name: value for name, value in os.environ.items() if name != SEED} | environment)


def test_the_command_says_so_and_goes_on_only_when_told_to(without, tmp_path):
    without(FORBIDDEN)
    shutil.copy(COURSE / "nbgrader_config.py", tmp_path)
    (tmp_path / "source/ps1").mkdir(parents=True)
    done = grading(tmp_path, "grading", "ps1")
    assert done.returncode == 1 and "Nothing was graded" in done.stderr and "No permissions to create" in done.stderr
    assert "it can read the solutions and what others have handed in" in done.stderr and "--no-isolation" in done.stderr
    done = grading(tmp_path, "grading", "ps1", "--no-isolation")
    assert done.returncode == 0 and "0 handed in" in done.stdout


def test_a_problem_set_that_is_not_there_is_named(tmp_path):
    shutil.copy(COURSE / "nbgrader_config.py", tmp_path)
    (tmp_path / "source/ps1").mkdir(parents=True)
    done = grading(tmp_path, "grading", "ps1", "ps9", "--no-isolation")
    assert done.returncode == 2 and "no problem set 'ps9'" in done.stderr and "which has ps1" in done.stderr


def test_another_value_than_on_and_off_is_refused(monkeypatch):
    monkeypatch.setenv(isolation.ISOLATION, "no")
    with pytest.raises(ValueError, match="GRADING_ISOLATION: got 'no', want 'on' or 'off'"):
        Sandbox({})


# --- links

@pytest.fixture
def links(tmp_path):
    """A course in which much is handed in that isn't a file."""
    course = tmp_path / "course"
    for student in ("notebook", "hard", "pipe", "inside", "folder", "good"):
        (course / "submitted" / student).mkdir(parents=True)
        if student != "folder":
            (course / "submitted" / student / "ps1").mkdir()
    (course / "source/ps1").mkdir(parents=True)
    solution = course / "source/ps1/ps1.ipynb"
    shutil.copy(COURSE / "source/ps1/ps1.ipynb", solution)
    handed_in = course / "submitted"
    (handed_in / "notebook/ps1/ps1.ipynb").symlink_to(solution)
    (handed_in / "hard/ps1/ps1.ipynb").hardlink_to(solution)
    os.mkfifo(handed_in / "pipe/ps1/ps1.ipynb")
    for student in ("inside", "good"):
        shutil.copy(solution, handed_in / student / "ps1/ps1.ipynb")
    (handed_in / "inside/ps1/data").mkdir()
    (handed_in / "inside/ps1/data/passwords").symlink_to("/etc/passwd")
    (handed_in / "folder/ps1").symlink_to(solution.parent)
    (handed_in / "whole").symlink_to(handed_in / "good")
    (handed_in / "broken").mkdir()
    (handed_in / "broken/ps1").symlink_to("/nowhere")
    return course


FOUND = {
    "notebook": "submitted/notebook/ps1/ps1.ipynb is a link", "hard": "submitted/hard/ps1/ps1.ipynb is the same file as another one (a hard link)",
    "pipe": "submitted/pipe/ps1/ps1.ipynb is neither a file nor a folder", "inside": "submitted/inside/ps1/data/passwords is a link",
    "folder": "submitted/folder/ps1 is a link", "whole": "submitted/whole is a link", "broken": "submitted/broken/ps1 is a link",
}


def test_links_are_found(links):
    assert {student: irregular(links, student, "ps1") for student in FOUND} == {student: [words] for student, words in FOUND.items()}
    assert irregular(links, "good", "ps1") == []


# --- through nbgrader

def settle(course: Path, points: dict[str, float]) -> None:
    """Grade the text answers by hand, and give all points of a test."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        for student, score in points.items():
            grade = gradebook.find_grade("ps1-missing-factor", "ps1", "ps1", student)
            grade.manual_score, grade.needs_manual_grade = score, False
            grade = gradebook.find_grade("ps1-depth-test", "ps1", "ps1", student)  # and raise the points of a test
            grade.manual_score, grade.needs_manual_grade = 6, False
        gradebook.db.commit()


def asked_for(course: Path) -> set[str]:
    """The students with a text answer that waits for a mark."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        return {submission.student.id for submission in gradebook.assignment_submissions("ps1") if submission.needs_manual_grade}


def seeds(course: Path, student: str) -> set[str]:
    """What the tests of a submission have drawn with."""
    text = (course / "autograded" / student / "ps1/ps1.ipynb").read_text()
    return set(re.findall(rf"{SEED}=(\d+)", text))


def test_a_class_with_attackers_is_graded_and_graded_again(links, tmp_path):
    """A profile, packages and a seed that would change the marks; then links; then the same again."""
    course, home = links, tmp_path / "home"
    shutil.copy(COURSE / "nbgrader_config.py", course)
    startup = home / ".ipython/profile_default/startup"
    startup.mkdir(parents=True)
    patch = "import grading.marks\ngrading.marks.Marks.score = lambda self: self.points\n"
    (startup / "x.py").write_text(patch)
    (home / "startup.py").write_text(patch)
    environment = {"HOME": str(home), "PYTHONSTARTUP": str(home / "startup.py")}
    release = read(COURSE / "release/ps1/ps1.ipynb")
    cell(release, "ps1-missing-factor").source = "Because."
    hand_in(course, "packages", "ps1", release)
    for name in ("numpy", "grading", "sitecustomize", "json"):
        (course / "submitted/packages/ps1" / f"{name}.py").write_text(patch + "raise SystemExit")
    hand_in(course, "[brackets]", "ps1", source("ps1"))
    done = grading(course, "nbgrader", "generate_assignment", "ps1")
    assert done.returncode == 0, done.stderr

    done = grading(course, "grading", "ps1", **environment)
    assert done.returncode == 1 and "2 handed in, 2 to grade" in done.stdout, done.stdout
    for student, words in FOUND.items():
        assert f"{student}: not graded, links are not followed: {words}" in done.stdout
    assert "[brackets]: not graded, nbgrader takes *, ? and [ in the name of a folder for a pattern" in done.stdout
    marks = scores(course, "ps1")
    assert set(marks) == {"good", "packages"}
    tests = "ps1-two-paths-test", "ps1-depth-test", "ps1-differences-test"
    assert [[marks[student][test] for test in tests] for student in ("good", "packages")] == [[6, 6, 4], [0, 0, 0]]
    drawn = (course / "grading_seed.txt").read_text().strip()
    assert seeds(course, "packages") == {drawn}

    for student in [*FOUND, "[brackets]"]:
        path = course / "submitted" / student
        path.unlink() if path.is_symlink() else shutil.rmtree(path)
    shutil.copytree(course / "submitted/good", course / "submitted/link")
    (course / "submitted/link/ps1/more").symlink_to("/etc/passwd")
    killer = source("ps1")
    cell(killer, "ps1-two-paths").source = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)"
    hand_in(course, "killer", "ps1", killer)
    done = grading(course, "nbgrader", "autograde", "ps1", "--ExecuteApart.isolation=False")
    assert done.returncode == 1 and "submitted/link/ps1/more is a link" in done.stderr and not (course / "autograded/link/ps1").exists()
    assert "nothing could be graded" in (course / "autograded/killer/ps1/ps1.ipynb").read_text()  # without isolation it ends the tests
    shutil.rmtree(course / "submitted/link")

    assert asked_for(course) - {"link"} == {"good", "packages", "killer"}
    settle(course, {"good": 4, "packages": 1, "killer": 2})
    # killer: isolated, it no longer ends the tests, so a test whose points were raised gives others now.
    changed = course / "submitted/packages/ps1/ps1.ipynb"
    changed.write_text(changed.read_text().replace("Because.", "Because of the product."))
    done = grading(course, "grading", "ps1", "--again")
    assert [scores(course, "ps1")["killer"][test] for test in tests] == [0, 6, 4]
    assert done.returncode == 0 and asked_for(course) - {"link"} == {"packages", "killer"}, done.stdout
    assert seeds(course, "packages") == {drawn}


def test_a_seed_is_kept_with_the_course(tmp_path, monkeypatch):
    monkeypatch.delenv(SEED, raising=False)
    seed = one_seed(tmp_path)
    assert seed.isdecimal() and one_seed(tmp_path) == seed
    monkeypatch.setenv(SEED, "4711")
    assert one_seed(tmp_path) == "4711"
    monkeypatch.delenv(SEED)
    (tmp_path / "grading_seed.txt").write_text("x")
    with pytest.raises(ValueError, match="grading_seed.txt: got 'x', want a whole number"):
        one_seed(tmp_path)
