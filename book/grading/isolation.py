"""A place apart for a student's code: `bubblewrap`, on Linux.

There is no network in it, and no process but its own; all of them end with the one that started them. Python and the
system's libraries can be read and not written; home and temporary folder are empty, and of limited size. The course, the
solutions, the gradebook and what others have handed in are not there.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .values import ANSWERING

__all__ = ["ISOLATION", "USER", "Unavailable", "arguments", "environment", "lacking", "refusal", "user", "wanted"]

ISOLATION = "GRADING_ISOLATION"  # the environment variable; "off": students' code runs with the teacher's rights
USER = "GRADING_USER"  # with "off", as root: the number of the user who runs students' code, one grading at a time
TEMPORARY = 256 * 2**20  # bytes that all files together may have
SHARED = 64 * 2**20  # bytes of shared memory
USERS = range(61184, 65520)  # numbers that no account has (systemd's dynamic users)
OF_PYTHON = "pyvenv.cfg", "bin", "lib", "lib32", "lib64"  # of a folder such as /usr, a virtual environment or one of conda's
OF_SYSTEM = (
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr/bin", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/local/lib",
    "/usr/share/fonts", "/usr/local/share/fonts", "/usr/share/fontconfig", "/usr/share/zoneinfo",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts", "/etc/localtime",
)
GRADING = Path(__file__).parent
PLACE = Path("/grading")  # there the worker finds this package; nothing else of the book
OF_GRADING = "__init__.py", "marks.py", "values.py", "worker.py"
TEMP = Path("/tmp")


class Unavailable(BaseException):
    """No process for students' code can be started. No `Exception`: tests must not take it for a student's mistake."""


def wanted() -> bool:
    """Whether to isolate: yes, unless GRADING_ISOLATION is "off"."""
    value = os.environ.get(ISOLATION, "on")
    if value not in ("on", "off"):
        raise ValueError(f"{ISOLATION}: got {value!r}, want 'on' or 'off'")
    return value == "on"


def user() -> int | None:
    """Who runs students' code where it is not isolated; None: the teacher. ValueError, PermissionError: no such user, no right to."""
    value = os.environ.get(USER)
    if value is None:
        return None
    if not value.isdecimal() or int(value) == 0:
        raise ValueError(f"{USER}: got {value!r}, want the number of a user other than root")
    if os.geteuid():
        raise PermissionError(f"{USER}: got {value}, but only root can run code as another user")
    return int(value)


@functools.cache
def lacking() -> str | None:
    """What keeps students' code from being isolated here, in words; None: it can be."""
    if not sys.platform.startswith("linux"):
        return f"bubblewrap exists for Linux, and this is {sys.platform}"
    if not shutil.which("bwrap"):
        return "the program bwrap is not installed (Debian, Ubuntu, Fedora: the package bubblewrap)"
    done = subprocess.run(arguments(), stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(TEMP), timeout=60)
    if done.returncode == 0 and done.stdout == "ready\n":
        return None
    said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    return f"bwrap does not run here: {said}"


def refusal(reason: str) -> str:
    """What it means that students' code can't be isolated."""
    return (
        f"Nothing was graded. Students' code can't be kept apart from this computer: {reason}.\n"
        "Without that it has your rights: it can read the solutions and what others have handed in, change files and marks, "
        "and use the network.\nTo grade nevertheless, because you trust what was handed in: python -m grading … --no-isolation,\n"
        f"or {ISOLATION}=off nbgrader autograde …")


def arguments() -> list[str]:
    """The command line that starts `grading.worker` in a place apart."""
    options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "apart"]
    user = []
    if os.geteuid():
        options += ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    else:  # root would keep its rights over files, and has no limit of processes: the worker becomes another user
        user = [str(secrets.choice(USERS))]
    options += ["--die-with-parent", "--new-session"]
    options += ["--proc", "/proc", "--dev", "/dev", "--size", str(SHARED), "--perms", "1777", "--tmpfs", "/dev/shm",
                "--ro-bind", os.devnull, "/dev/zero",  # it would give shared memory that no limit counts
                "--remount-ro", "/dev",
                "--size", str(TEMPORARY), "--perms", "1777", "--tmpfs", str(TEMP)]  # first: Python itself may be in /tmp
    for folder in _parents([*_seen(), str(PLACE / GRADING.name / "worker.py")]):
        options += ["--perms", "0755", "--dir", folder]
    for path in _seen():
        options += ["--symlink", os.readlink(path), path] if os.path.islink(path) else ["--ro-bind", path, path]
    for place in _hidden():
        options += ["--tmpfs", place]
    for name in OF_GRADING:
        options += ["--ro-bind", str(GRADING / name), str(PLACE / GRADING.name / name)]
    for folder in ("home", "matplotlib"):
        options += ["--perms", "0777", "--dir", str(TEMP / folder)]
    for fonts in _fonts():  # the list of all fonts, which takes seconds to make
        options += ["--ro-bind", str(fonts), str(TEMP / "matplotlib" / fonts.name)]
    options += ["--remount-ro", "/", "--chdir", str(TEMP / "home")]
    return [shutil.which("bwrap") or "bwrap", *options, "--", sys.executable, "-m", "grading.worker", *user]


def environment(folder: Path, isolated: bool = True) -> dict[str, str]:
    """The environment variables of students' code, whose own folders are in `folder`; none of the teacher's."""
    packages = [str(PLACE if isolated else GRADING.parent), *_more_packages()]
    return {
        "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "student", "HOME": str(folder / "home"), "TMPDIR": str(folder),
        "PYTHONPATH": os.pathsep.join(packages), "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "agg", "MPLCONFIGDIR": str(folder / "matplotlib"),
        **{f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")},
    }


def _more_packages() -> list[str]:
    """The folders of packages that Python finds by other ways: `pip install --user`, PYTHONPATH."""
    own = tuple(prefix + os.sep for prefix in (sys.prefix, sys.base_prefix))
    return [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages") and not path.startswith(own)]


def _homes() -> Iterator[Path]:
    """The folders of this Python: of the environment, of the Python it was made from, and of all links on the way."""
    yield from map(Path, (sys.prefix, sys.base_prefix))
    executable = Path(sys.executable)
    while executable.is_symlink():
        yield executable.parent.parent
        executable = Path(os.path.normpath(executable.parent / executable.readlink()))
    yield executable.parent.parent


@functools.cache
def _seen() -> list[str]:
    """What can be read there, under the same path as here."""
    homes = {home: None for each in _homes() for home in (each, each.resolve()) if home != Path("/")}
    paths = [*OF_SYSTEM, *(str(home / name) for home in homes for name in OF_PYTHON), *_more_packages()]
    return [path for path in dict.fromkeys(paths) if os.path.lexists(path)]


def _parents(places: list[str]) -> list[str]:
    """The folders that must be made for these places, from the root on."""
    parents = {str(parent) for place in places for parent in Path(place).parents} - {"/"}
    return sorted(parents - set(places))


@functools.cache
def _hidden() -> list[str]:
    """What would answer the questions, wherever it lies among the packages of this Python and of others that can be seen."""
    found = [spec for package in ANSWERING if (spec := importlib.util.find_spec(package))]
    folders = {Path(folder).resolve() for spec in found for folder in spec.submodule_search_locations or []}
    for path in map(Path, _seen()):
        for packages in [path, *path.glob("*/site-packages"), *path.glob("*/dist-packages")]:
            folders |= {(packages / package).resolve() for package in ANSWERING if (packages / package).is_dir()}
    hidden = []
    for path in _seen():
        for folder in sorted(folders):
            if not os.path.islink(path) and folder.is_relative_to(real := Path(path).resolve()):
                hidden.append(str(Path(path) / folder.relative_to(real)))
    return hidden


def _fonts() -> list[Path]:
    """The lists of fonts that matplotlib has made for the teacher."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return list(Path(os.environ.get("MPLCONFIGDIR") or Path(cache) / "matplotlib").glob("fontlist-*.json"))
