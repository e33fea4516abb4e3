"""A course on a JupyterHub, end to end. The walk itself is hub/walk.py; here is the machine that it runs on.

It needs root and real accounts. Both exist only in a world of its own, made by bubblewrap: the disk is read-only there,
homes, /etc and temporary folders are copies in memory, the network is a loopback of its own, and with the first process
all others end.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import chapters
from grading.exchange import copy_plain_files

IN_CI = os.environ.get("CI") == "true"
EMPTIED = {Path(name) for name in ("/tmp", "/run", "/srv", "/home", "/root")}
SECONDS = 400


def lacking() -> str | None:
    """What this machine lacks, and how to get it."""
    if sys.platform != "linux":
        return "needs Linux"
    if importlib.util.find_spec("jupyterhub") is None or shutil.which("configurable-http-proxy") is None:
        return "NOT EXECUTED: JupyterHub is missing; see requirements-hub.txt"
    if shutil.which("bwrap") is None:
        return "NOT EXECUTED: bubblewrap is missing; apt-get install bubblewrap"
    if os.getuid() and not (IN_CI and shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"]).returncode == 0):
        return "NOT EXECUTED: accounts for the test need root; in CI, root or sudo without a password"
    return None


def is_private(folder: Path) -> bool:
    return folder.is_dir() and folder.stat().st_mode & 0o5 != 0o5


def for_every_user(*needed: Path) -> list[str | Path]:
    """Options of bwrap: all users reach what is `needed`; private folders on the way there hold nothing else."""
    needed = {path for name in needed for path in (name, name.resolve())}
    empty = EMPTIED | {folder for path in needed for folder in (path, *path.parents) if is_private(folder)}
    shown = sorted({part for path in needed for part in (path.iterdir() if is_private(path) else [path])})
    ways = sorted({folder for path in shown for folder in path.parents if not empty.isdisjoint(folder.parents)})
    outermost = sorted(folder for folder in empty if empty.isdisjoint(folder.parents))
    return [
        word for folder in outermost for word in ("--perms", "1777" if folder.name == "tmp" else "0755", "--tmpfs", folder)] + [
        word for folder in ways for word in ("--perms", "0755", "--dir", folder)] + [
        word for path in shown for word in ("--ro-bind", path.resolve(), path)]


def test_release_fetch_submit_collect_grade_and_feedback():
    if missing := lacking():
        pytest.fail(missing, pytrace=False) if IN_CI else pytest.skip(missing)
    browsers = Path.home() / ".cache/ms-playwright"
    needed = [Path(sys.prefix), Path(sys.base_prefix), chapters.ROOT, *[browsers] * browsers.exists(),
              *[Path(shutil.which(name)).parents[1] for name in ("configurable-http-proxy", "node")]]
    variables = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "PYTHONPATH": chapters.BOOK, "HOME": "/root", "LANG": "C.UTF-8",
                 "OMP_NUM_THREADS": "1", "PLAYWRIGHT_BROWSERS_PATH": browsers,
                 **{name: os.environ[name] for name in ("CI", "CHROMIUM") if name in os.environ}}
    command = [
        *["sudo", "-n"] * (os.getuid() != 0), "timeout", "--signal=KILL", SECONDS,
        "bwrap", "--die-with-parent", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--cap-add", "ALL",
        "--ro-bind", "/", "/", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm",
        *for_every_user(*needed), "--chdir", chapters.ROOT,
        "--clearenv", *[word for pair in variables.items() for word in ("--setenv", *pair)],
        "sh", "-c", 'mount -t proc proc /proc && exec "$@"', "sh",
        sys.executable, "-m", "pytest", "tests/course/hub/walk.py", "-n0", "-x", "-v", "--durations=0", "--durations-min=0.5",
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(done.stdout)
    assert done.returncode == 0, "the walk failed; see above"


def test_plain_files_are_copied_and_nothing_else(tmp_path):
    src, dest = tmp_path / "src", tmp_path / "dest"
    (src / "data").mkdir(parents=True)
    (src / "data/a.txt").write_text("a")
    (src / "data/loop").symlink_to(src)
    (src / "b.txt").symlink_to(src / "data/a.txt")
    os.mkfifo(src / "pipe")
    assert set(copy_plain_files(str(src), dest)) == {
        (f"{src}/data/loop", "a link"), (f"{src}/b.txt", "a link"), (f"{src}/pipe", "no plain file")}
    assert [path.relative_to(dest).as_posix() for path in sorted(dest.rglob("*"))] == ["data", "data/a.txt"]
    assert (dest / "data/a.txt").read_text() == "a"
