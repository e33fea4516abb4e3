"""A course on a JupyterHub, end to end. The walk itself is hub/walk.py; here is the machine that it runs on.

It needs root and real accounts. Both exist only in a world of its own, made by bubblewrap: the disk is read-only there,
homes, /etc and temporary folders are copies in memory, the network is a loopback of its own, and with the first process
all others end.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeError
from nbgrader.utils import parse_utc

import chapters
from absent import without
from grading import collect, exchange

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
        without(missing)
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
    (src / "large").write_text("0123456789")
    os.mkfifo(src / "pipe")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(os.path.relpath(src / "socket"))  # a long path would not do
    (src / os.fsdecode(b"\xff.txt")).write_text("b")
    changed, left_out = exchange.take(str(src), dest, largest_file=9, largest=10)
    assert set(left_out) == {("data/loop", "a link"), ("b.txt", "a link"), ("pipe", "no plain file"), ("socket", "no plain file"),
                             ("large", "10 bytes, where 9 is most")}
    assert {os.fsencode(path.relative_to(dest)) for path in dest.rglob("*")} == {b"data", b"data/a.txt", b"\xff.txt"}
    assert (dest / "data/a.txt").read_text() == "a"
    assert changed == max(path.lstat().st_ctime for path in (src, src / "data", src / "data/a.txt", src / os.fsdecode(b"\xff.txt")))


def test_a_file_that_is_changed_later_tells_the_time(tmp_path):
    (tmp_path / "src/data").mkdir(parents=True)
    path = tmp_path / "src/data/a.txt"
    path.write_text("a")
    while os.stat(tmp_path / "src").st_ctime == path.stat().st_ctime:
        path.write_text("b")
    os.utime(path, (0, 0))
    assert exchange.take(str(tmp_path / "src"), None, 9, 9) == (path.stat().st_ctime, [])


class Exchange:
    """An exchange in a folder, and a course. All of it is one account's: whose a hand-in is, is read from its name."""

    def __init__(self, folder: Path, caplog):
        self.inbound, self.course, self.caplog = folder / "exchange/course/inbound", folder / "course", caplog
        self.inbound.mkdir(parents=True)
        self.course.mkdir()

    def hand_in(self, student: str, text: str = "", time: datetime | str | None = None) -> Path:
        """A new folder with a notebook."""
        time = time or datetime.now(timezone.utc)
        folder = self.inbound / f"{student}+ps1+{time if isinstance(time, str) else f'{time:%Y-%m-%d %H:%M:%S.%f} UTC'}"
        folder.mkdir()
        (folder / "ps1.ipynb").write_text(text or student)
        return folder

    def collector(self, **settings) -> exchange.Collect:
        course = CourseDirectory(root=str(self.course), course_id="course", assignment_id="ps1",
                                 db_url=f"sqlite:///{self.course}/gradebook.db")
        logger = logging.getLogger("exchange")
        logger.setLevel("INFO")
        return exchange.Collect(coursedir=course, root=str(self.inbound.parents[1]), log=logger, **{"check_owner": False} | settings)

    def collect(self, fails: bool = False, **settings) -> str:
        """What the command says."""
        self.caplog.clear()
        with pytest.raises(ExchangeError) if fails else nullcontext():
            self.collector(**settings).start()
        return self.caplog.text

    def collected(self) -> dict[str, str]:
        return {path.parts[-3]: path.read_text() for path in self.course.glob("submitted/*/ps1/ps1.ipynb")}

    def time(self, student: str) -> str:
        return (self.course / "submitted" / student / "ps1/timestamp.txt").read_text()


@pytest.fixture
def hub_exchange(tmp_path, caplog, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    caplog.set_level("INFO")
    yield Exchange(tmp_path, caplog)
    subprocess.run(["rm", "-rf", tmp_path / "exchange"], check=True)  # shutil.rmtree can't, if folders are too deep
    assert not list((tmp_path / "temporary").iterdir())  # whatever happened


def nest(folder: Path, levels: int) -> None:
    """Folders in each other; their path may be too long for a system call."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=here)
        here, above = os.open("d", os.O_RDONLY, dir_fd=here), here
        os.close(above)
    os.close(here)


def test_no_hand_in_stops_the_others(hub_exchange, monkeypatch):
    """Each odd one is named; none of its many or large files is copied."""
    names = []
    copied = exchange.copied
    monkeypatch.setattr(exchange, "copied", lambda file, target, most: names.append(target.name) or copied(file, target, most))
    for student in ("ann", "zoe"):
        hub_exchange.hand_in(student)
    deep = hub_exchange.hand_in("deep")
    nest(deep, 1500)
    many = hub_exchange.hand_in("many")
    for number in range(exchange.MOST):
        (many / f"{number}").touch()
    with (hub_exchange.hand_in("huge") / "big.bin").open("wb") as file:
        file.truncate(6 * 10**9)
    large = hub_exchange.hand_in("large")
    for number in range(2):
        with (large / f"half{number}").open("wb") as file:
            file.truncate(60 * 10**6)
    links = hub_exchange.hand_in("links")
    for number in range(30):
        (links / f"link\n{number}").symlink_to("/etc/passwd")
    (hub_exchange.hand_in("own") / "timestamp.txt").mkdir()
    hub_exchange.hand_in(os.fsdecode(b"\xff"), "text")
    hub_exchange.hand_in("..")
    said = hub_exchange.collect(fails=True)
    assert set(hub_exchange.collected()) == {"ann", "zoe", "deep", "huge", "links", "own"}
    for words in (f"too many folders in each other: {deep}/d/d", "Not collected from many, more than 10000 files and folders: ",
                  "Left out, 6000000000 bytes, where 100000000 is most: ", "Not collected from large, more than 99999000 bytes: ",
                  "/link\\n", "Left out, 20 more: ", "Left out, a folder where a file must be: ", "no student: "):
        assert words in said, words
    assert "big.bin" not in names and "half0" not in names and "0" not in names
    assert {path.name for path in (hub_exchange.course / "submitted").iterdir()} == set(hub_exchange.collected())


def test_the_notebook_that_was_worked_on_is_collected_and_it_is_said(hub_exchange):
    """Whatever it is called: nbgrader grades the one with the problem set's name."""
    untouched = (chapters.BOOK / "assignments/release/ps1/ps1.ipynb").read_text()
    solved, older = (untouched.replace("YOUR ANSWER HERE", words) for words in ("solved", "older"))
    release = hub_exchange.course / "release/ps1/ps1.ipynb"
    release.parent.mkdir(parents=True)
    release.write_text(untouched)
    files = {"copy": {"ps1.ipynb": untouched, "ps1-Copy1.ipynb": solved}, "lone": {"homework.ipynb": solved}, "both": {"ps1.ipynb": solved, "ps1-Copy1.ipynb": older},
             "plain": {"ps1.ipynb": solved, "notes.ipynb": '{"cells": []}', "again.ipynb": solved}, "broken": {"ps1.ipynb": "{", "a/b.ipynb": solved},
             "notes": {"homework.ipynb": solved, "ps1-notes.ipynb": '{"cells": []}'}, "emptied": {"ps1.ipynb": '{"cells": []}', "old.ipynb": solved},
             "untouched": {"ps1.ipynb": untouched}}
    for student, own in files.items():
        folder = hub_exchange.hand_in(student)
        (folder / "ps1.ipynb").unlink()
        for name, text in own.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
    said = hub_exchange.collect(fails=True)
    assert hub_exchange.collected() == {student: untouched if student == "untouched" else solved for student in files}
    for words in ("Taken for copy's ps1.ipynb, which was not worked on: ", "Taken for lone's ps1.ipynb, which is not there: ", "/a/b.ipynb",
                  "Left out, worked on as well: ", "/homework.ipynb", "/old.ipynb", "Left out, no cell of ps1 is in it: ", "8 errors, see above"):
        assert words in said, said


def test_a_folder_where_a_file_must_be_is_left_out(hub_exchange):
    for student, name in [("ann", "timestamp.txt"), ("ben", "submission_secret.txt")]:
        (hub_exchange.hand_in(student) / name).mkdir()
    folder = hub_exchange.hand_in("cleo")
    (folder / "ps1.ipynb").unlink()
    (folder / "ps1.ipynb").mkdir()
    said = hub_exchange.collect(fails=True)
    assert said.count("Left out, a folder where a file must be") == 3
    assert hub_exchange.collected() == {"ann": "ann", "ben": "ben"} and hub_exchange.time("ann").endswith("UTC")


def test_the_exit_status_tells_whether_the_teacher_should_look(hub_exchange, tmp_path):
    course, root = hub_exchange.course, hub_exchange.inbound.parents[1]
    (course / "nbgrader_config.py").write_text(
        f"c = get_config()\nc.CourseDirectory.course_id = 'course'\nc.Exchange.root = {str(root)!r}\n"
        "c.ExchangeCollect.check_owner = False\nc.ExchangeFactory.collect = 'grading.exchange.Collect'\n")
    root.chmod(0o777)

    def status(*options):
        done = subprocess.run([sys.executable, "-m", "nbgrader", "collect", "ps1", *options], cwd=course, capture_output=True, text=True)
        return done.returncode, done.stderr

    hub_exchange.hand_in("ann")
    assert status()[0] == 0
    (hub_exchange.hand_in("bob") / "link").symlink_to("/etc/passwd")
    code, said = status()
    assert code == 1 and "Left out, a link: " in said and "1 error, see above; all that has none is collected" in said
    assert status()[0] == 0
    hub_exchange.hand_in("eve", time="never")
    hub_exchange.hand_in("zoe")
    code, said = status("--update")
    assert code == 1 and "its name has no time: " in said and set(hub_exchange.collected()) == {"ann", "bob", "zoe"}


def test_a_folder_that_goes_while_others_are_collected(hub_exchange):
    gone = hub_exchange.hand_in("eve")
    hub_exchange.hand_in("zoe")
    collector = hub_exchange.collector()
    collector.init_src()
    shutil.rmtree(gone)
    with pytest.raises(ExchangeError, match="1 error, see above; all that has none is collected"):
        collector.copy_files()
    assert set(hub_exchange.collected()) == {"zoe"}
    assert "Not collected from eve, No such file or directory: " in hub_exchange.caplog.text


def test_what_was_collected_stays_until_the_new_one_is_safe(hub_exchange, monkeypatch):
    hub_exchange.hand_in("ann", "old")
    hub_exchange.hand_in("zoe", "old")
    hub_exchange.collect()
    hub_exchange.hand_in("zoe", "new")
    path = hub_exchange.hand_in("ann", "new") / "grows"
    path.touch()
    read = os.read

    def while_it_grows(file, most):
        if os.fstat(file).st_ino == path.stat().st_ino:
            os.truncate(path, path.stat().st_size + most)
        return read(file, most)

    with monkeypatch.context() as patched:
        patched.setattr(os, "read", while_it_grows)
        said = hub_exchange.collect(update=True, fails=True)
    assert "Not collected from ann, it grew too large while it was copied: " in said
    assert hub_exchange.collected() == {"ann": "old", "zoe": "new"}

    os.truncate(path, 10**8)  # now it is seen beforehand, and the one before it counts
    assert "Not collected from ann, more than 99999000 bytes: " in hub_exchange.collect(update=True, fails=True)
    assert hub_exchange.collected() == {"ann": "old", "zoe": "new"}
    (hub_exchange.course / "submitted/ann/ps1/timestamp.txt").write_text("when?")  # as nbgrader's own collect left it
    path.unlink()
    assert "No time, and older than any: " in hub_exchange.collect(update=True)
    assert hub_exchange.collected() == {"ann": "new", "zoe": "new"}


@pytest.fixture
def hub_course(hub_exchange, monkeypatch):
    """With a problem set, so that hand-ins can come by mail as well: what puts one there."""
    course = hub_exchange.course
    (course / "release/ps1").mkdir(parents=True)
    shutil.copy(chapters.BOOK / "assignments/release/ps1/ps1.ipynb", course / "release/ps1")
    (course / "nbgrader_config.py").write_text("")
    with Gradebook(f"sqlite:///{course}/gradebook.db") as gradebook:
        gradebook.add_assignment("ps1")
    monkeypatch.chdir(course)

    def mail(student, text, time):
        path = course.parent / "mail.ipynb"
        path.write_text(text)
        os.utime(path, (time.timestamp(),) * 2)
        monkeypatch.setattr(NbGrader, "load_config_file", lambda app: app.config.merge({"CourseDirectory": {"db_url": f"sqlite:///{course}/gradebook.db"}}))
        return collect.main(["ps1", str(path), "--student", student])
    return mail


def solved(words):
    return (chapters.BOOK / "assignments/release/ps1/ps1.ipynb").read_text().replace("YOUR ANSWER HERE", words)


def kept_of(hub_exchange, student):
    """What is in `replaced`, with its time."""
    stamps = {path: path.with_suffix(".timestamp.txt") for path in sorted(hub_exchange.course.glob(f"replaced/{student}/ps1/*.ipynb"))}
    return [(path.read_text(), stamp.exists()) for path, stamp in stamps.items()]


def test_newer_work_that_came_by_mail_stays_and_what_is_replaced_is_kept(hub_exchange, hub_course):
    now = datetime.now(timezone.utc)
    minutes = lambda number: now + timedelta(minutes=number)  # noqa: E731
    hub_exchange.hand_in("ann", solved("hub 1"), time=minutes(-9))
    hub_exchange.collect()
    assert hub_course("ann", solved("mail 1"), minutes(-6)) == 1  # it had a time, and has none now
    for _ in range(2):
        said = hub_exchange.collect(update=True)
        assert hub_exchange.collected() == {"ann": solved("mail 1")} and "No newer submission to collect: ann ps1, and what took its place stays" in said
    # Neither was replaced, and one of the two times is a guess.
    hub_exchange.hand_in("ann", solved("hub 2"), time=minutes(-7))
    assert "Not collected from ann, its time, " in hub_exchange.collect(update=True, fails=True) and hub_exchange.collected() == {"ann": solved("mail 1")}
    # A newer one takes the place of what came by mail.
    hub_exchange.hand_in("ann", solved("hub 3"), time=minutes(-3))
    said = hub_exchange.collect(update=True)
    assert hub_exchange.collected() == {"ann": solved("hub 3")} and "What was collected before is kept: replaced/ann/ps1/" in said
    assert kept_of(hub_exchange, "ann") == [(solved("hub 1"), True), (solved("mail 1"), False)]
    # Which came before, and was replaced.
    assert hub_course("ann", solved("mail 1"), minutes(0)) == 1 and hub_exchange.collected() == {"ann": solved("hub 3")}
    hub_exchange.hand_in("ann", solved("hub 4"), time=minutes(-1))
    hub_exchange.collect(update=True)
    assert hub_exchange.collected() == {"ann": solved("hub 4")} and kept_of(hub_exchange, "ann")[-1] == (solved("hub 3"), True)


def test_a_notebook_that_lies_there_without_a_time_has_that_of_its_file(hub_exchange):
    folder = hub_exchange.course / "submitted/ann/ps1"
    folder.mkdir(parents=True)
    (folder / "ps1.ipynb").write_text("by hand")
    hub_exchange.hand_in("ann", "older", time=datetime.now(timezone.utc) - timedelta(minutes=5))
    assert "Not collected from ann, " in hub_exchange.collect(update=True, fails=True) and hub_exchange.collected() == {"ann": "by hand"}
    os.utime(folder / "ps1.ipynb", (0, 0))
    hub_exchange.collect(update=True)
    assert hub_exchange.collected() == {"ann": "older"} and kept_of(hub_exchange, "ann") == [("by hand", False)]


def test_late_work_that_gave_way_to_the_deadline_comes_back(hub_exchange):
    now = datetime.now(timezone.utc)
    with Gradebook(f"sqlite:///{hub_exchange.course}/gradebook.db") as gradebook:
        gradebook.update_or_create_assignment("ps1", duedate=(now - timedelta(minutes=6)).replace(tzinfo=None))
    for minutes, text in {9: "in time", 3: "late"}.items():
        hub_exchange.hand_in("ann", text, time=now - timedelta(minutes=minutes))
    for how, text in ({"update": True}, "late"), ({"before_duedate": True}, "in time"), ({"update": True}, "late"):
        hub_exchange.collect(**how)
        assert hub_exchange.collected() == {"ann": text}


@pytest.mark.parametrize("due, stays", [(-4, True), (-6, False), (None, True)])
def test_before_the_deadline_the_newest_counts_however_it_came(hub_exchange, hub_course, due, stays):
    now = datetime.now(timezone.utc)
    hub_exchange.hand_in("ann", solved("hub"), time=now - timedelta(minutes=9))
    hub_exchange.collect()
    hub_course("ann", solved("mail"), now - timedelta(minutes=5))
    with Gradebook(f"sqlite:///{hub_exchange.course}/gradebook.db") as gradebook:
        gradebook.update_or_create_assignment("ps1", duedate=due and (now + timedelta(minutes=due)).replace(tzinfo=None))
    hub_exchange.collect(before_duedate=True)
    assert hub_exchange.collected() == {"ann": solved("mail" if stays else "hub")}
    assert (solved("hub" if stays else "mail"), stays) in kept_of(hub_exchange, "ann")


def test_wherever_collecting_is_ended_what_is_replaced_is_kept_once(hub_exchange, hub_course, monkeypatch):
    now = datetime.now(timezone.utc)
    hub_course("ann", solved("mail"), now - timedelta(minutes=9))
    hub_exchange.hand_in("ann", solved("hub"), time=now - timedelta(minutes=5))
    start = shutil.copytree(hub_exchange.course, hub_exchange.course.parent / "start")
    for point in range(1, 20):
        subprocess.run(["rm", "-rf", hub_exchange.course], check=True)
        shutil.copytree(start, hub_exchange.course)
        steps = []
        with monkeypatch.context() as during:
            for module, name in ((os, "replace"), (os, "rename"), (shutil, "copy2"), (shutil, "rmtree"), (Path, "write_text")):
                def step(*arguments, function=getattr(module, name), **named):
                    steps.append(1)
                    if len(steps) == point:
                        raise KeyboardInterrupt
                    return function(*arguments, **named)
                during.setattr(module, name, step)
            try:
                hub_exchange.collect(update=True)
                break
            except KeyboardInterrupt:
                pass
        hub_exchange.collect(update=True)
        assert hub_exchange.collected() == {"ann": solved("hub")} and kept_of(hub_exchange, "ann") == [(solved("mail"), False)], point
        for left in (hub_exchange.course.parent / "temporary").iterdir():
            shutil.rmtree(left)
    assert 8 < point < 19


def test_feedback_of_what_came_by_mail_keeps_nobody_from_theirs(hub_exchange):
    root = hub_exchange.inbound.parents[1]
    root.chmod(0o777)
    for student, names in {"aaron": [], "ann": ["timestamp.txt", "submission_secret.txt"], "ben": ["submission_secret.txt"],
                           "cem": ["timestamp.txt"], "zoe": ["timestamp.txt", "submission_secret.txt"]}.items():
        folder = hub_exchange.course / "feedback" / student / "ps1"
        folder.mkdir(parents=True)
        for name in ("ps1.html", *names):
            (folder / name).write_text(student)
    settings = (chapters.BOOK / "assignments/nbgrader_config.py").read_text()
    (hub_exchange.course / "nbgrader_config.py").write_text(f"{settings}\nc.CourseDirectory.course_id = 'course'\nc.Exchange.root = {str(root)!r}\n")
    done = subprocess.run([sys.executable, "-m", "nbgrader", "release_feedback", "ps1"], cwd=hub_exchange.course, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(path.read_text() for path in (root / "course/feedback").glob("*.html")) == ["ann", "zoe"]
    for student in ("aaron", "ben", "cem"):
        assert f"did not come through the exchange: {student} ps1; send it yourself: feedback/{student}/ps1" in done.stderr


def test_a_time_that_the_student_made_up_does_not_count(hub_exchange):
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    for student, time in {"ann": now, "zoe": now - timedelta(minutes=9), "eve": "2020-01-01 00:00:00 UTC"}.items():
        hub_exchange.hand_in(student, time=time)
    for time in ("0001-01-01 00:00:00 UTC", "1999-01-01 00:00:00 UTC", "9999-01-01 00:00:00 UTC", f"{now + timedelta(days=2)} UTC"):
        hub_exchange.hand_in("odd", time=time)
    for time in ("never", "9" * 40 + "m", "9" * 40 + " UTC", "2026-11-20 10:00:00 " + "9" * 40):
        hub_exchange.hand_in("odd", time=time)
    said = hub_exchange.collect(fails=True)
    assert set(hub_exchange.collected()) == {"ann", "zoe", "eve"}
    assert parse_utc(hub_exchange.time("ann")) == now
    assert parse_utc(hub_exchange.time("zoe")) == now - timedelta(minutes=9)
    assert timedelta(0) <= parse_utc(hub_exchange.time("eve")) - now < timedelta(minutes=1)
    assert "eve's hand-in of 2020-01-01 00:00:00 UTC was changed later, at " in said
    assert said.count("its name has a time that can't be, ") == said.count("its name has no time: ") == 4
    assert "ann's" not in said and "zoe's" not in said

    hub_exchange.hand_in("eve", "again", time="2020-01-02 00:00:00 UTC")  # is the newer one, since it was made later
    assert "Updating submission: eve ps1" in hub_exchange.collect(update=True, fails=True)
    assert hub_exchange.collected()["eve"] == "again"
    assert "No newer submission to collect: eve ps1" in hub_exchange.collect(update=True, fails=True)


@pytest.mark.parametrize("moment", ["after it was looked at", "while it is copied"])
def test_a_file_that_is_changed_while_all_are_collected_tells_its_time(hub_exchange, monkeypatch, moment):
    """As late work in a folder that was handed in in time."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    path = hub_exchange.hand_in("eve", "early", time=now - timedelta(hours=1)) / "ps1.ipynb"
    hub_exchange.hand_in("zoe")
    # As if an hour ago: nobody can set the time at which a file was changed.
    status, changes, read = os.fstat, [], os.read
    early = (now - timedelta(hours=1)).replace(tzinfo=timezone.utc).timestamp()
    hour_old = lambda found: os.stat_result([*found], {"st_ctime": early})  # noqa: E731
    monkeypatch.setattr(os, "fstat", lambda file: status(file) if changes else hour_old(status(file)))

    def write_and_read(file, most):
        if not changes and os.readlink(f"/proc/self/fd/{file}") == str(path):
            path.write_text("late!")
            changes.append(1)
        return read(file, most)

    collector = hub_exchange.collector()
    collector.init_src()
    if moment == "while it is copied":
        monkeypatch.setattr(os, "read", write_and_read)
    else:
        path.write_text("late!")
        changes.append(1)
    collector.copy_files()
    assert hub_exchange.collected() == {"eve": "late!", "zoe": "zoe"}
    assert timedelta(0) <= parse_utc(hub_exchange.time("eve")) - now < timedelta(minutes=1)
    assert hub_exchange.caplog.text.count("eve's hand-in of ") == 1 and "zoe's" not in hub_exchange.caplog.text


def test_who_is_not_the_named_student_takes_nobodys_place(hub_exchange, monkeypatch):
    """Neither a number without an account, which any student can get in a user namespace, nor another account."""
    now, accounts = datetime.now(timezone.utc), {"ann": 5001, "eve": 5002, "zoe": 5003}
    monkeypatch.setattr(exchange.pwd, "getpwuid", lambda number: type("", (), {"pw_name": {n: a for a, n in accounts.items()}[number]}))
    owners, status = {}, os.lstat
    monkeypatch.setattr(exchange.os, "lstat", lambda path, **options: os.stat_result(
        [*(found := status(path, **options))[:4], owners.get(path, 0), *found[5:]]))

    def hand_in(name, text, number, minutes):
        owners[str(hub_exchange.hand_in(name, text, time=now - timedelta(minutes=minutes)))] = number

    hand_in("ann", "ann's", 5001, 9)
    hand_in("ann", "nobody's", 100001, 5)
    hand_in("ann", "eve's, as ann", 5002, 4)
    hand_in("eve", "eve's", 5002, 8)
    hand_in("ann", "zoe's, as ann", 5003, 3)
    said = hub_exchange.collect(check_owner=True, fails=True)
    want = {"ann": "ann's", "eve": "eve's", "zoe": "zoe's, as ann"}
    assert hub_exchange.collected() == want
    assert "Not collected, made by number 100001, which is no account" in said and "Handed in by eve under another name" in said
    hand_in("ann", "zoe's, as ann again", 5003, 2)
    said = hub_exchange.collect(check_owner=True, update=True, fails=True)
    assert hub_exchange.collected() == want
    assert "Not collected from zoe, under another name, and so it takes no other's place: " in said


def test_one_who_hands_in_without_end_takes_little_time_and_few_lines(hub_exchange, monkeypatch):
    monkeypatch.setattr(exchange, "MOST", 50)
    monkeypatch.setattr(exchange, "MOST_OF_OWNER", 100)
    looked = []
    below = exchange.below
    monkeypatch.setattr(exchange, "below", lambda *a: (looked.append(1) or found for found in below(*a)))
    now = datetime.now(timezone.utc)
    for minute in range(9):
        folder = hub_exchange.hand_in("eve", f"{minute}", time=now - timedelta(minutes=minute))
        for number in range(38):
            (folder / f"{number}").touch()
    for student in ("ann", "zoe"):
        hub_exchange.hand_in(student, "older", time=now - timedelta(minutes=5))
        hub_exchange.hand_in(student, time=now)
    for number in range(300):
        (hub_exchange.inbound / f"eve+ps1+never{number}").mkdir()
    said = hub_exchange.collect(fails=True)
    assert hub_exchange.collected() == {"eve": "0", "ann": "ann", "zoe": "zoe"}
    assert len(looked) < 9 * 39 and said.count("Not looked at, eve's 6 hand-ins before ") == 1
    assert said.count("its name has no time") == exchange.SAID
    assert said.count(f"{300 - exchange.SAID} more errors with what eve handed in") == 1


@pytest.mark.parametrize("time", ["22:00", "Friday", "20", "10 h", "2026", "11-20 10:00:00", "2026-11-20", "today 10:00:00 UTC"])
def test_a_time_without_a_date_is_none(hub_exchange, time):
    (hub_exchange.inbound / f"sys+ps1+{time}+q").mkdir()
    (hub_exchange.inbound / f"sys+ps1+{time}+q/ps1.ipynb").write_text("x")
    hub_exchange.hand_in("zoe")
    said = hub_exchange.collect(fails=True)
    assert set(hub_exchange.collected()) == {"zoe"} and "its name has no time: " in said
