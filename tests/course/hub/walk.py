"""A course on a JupyterHub; each step needs those above. `test_hub.py` runs this file, as root, in a world of its own.

A teacher with a course in the home folder; Ann, who works in the browser; Bob, who asks the server for the same without
one; Eve, who has a terminal.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

import pytest
from nbgrader.api import Gradebook

import pages
import problem_sets

ADDRESS = "http://127.0.0.1:8000"
EXCHANGE = Path("/srv/nbgrader/exchange")
COURSE_ID = "gradients-through-time"
COURSE = Path("/home/teacher/course")
TEXT = "ps1-missing-factor"  # the answer in words
LEFT = "ps1-two-paths"  # the question that Bob leaves
POINTS = {"ann": 3, "bob": 2}  # what the teacher gives for the words
MENU = ".lm-MenuBar-itemLabel"
MINUTE = 60_000  # of the browser, which counts in milliseconds

# What the administrator writes, for everybody.
FOR_ALL = f"""
c = get_config()
c.Exchange.root = "{EXCHANGE}"
c.ExchangeFactory.collect = "grading.exchange.Collect"
"""

# What the teacher writes: Formgrader starts in the home folder, not in that of the course.
FOR_TEACHER = f"""
c = get_config()
load_subconfig("{COURSE}/nbgrader_config.py")
"""


def until(condition, what, seconds=60):
    """Wait until `condition()` is true, and return what it is."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} seconds: {what}"
        time.sleep(0.2)
    return found


def types(user, command, fails=False):
    """What the command says that `user` types, in the course or the home folder."""
    home = Path("/home") / user
    become = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "env", f"HOME={home}", f"USER={user}"]
    done = subprocess.run(
        [*become, "sh", "-c", command],
        cwd=COURSE if user == "teacher" else home, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=180)
    print(f"{user}$ {command}\n{done.stdout}")
    assert (done.returncode != 0) == fails, f"{command}: {done.returncode}"
    return done.stdout


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def machine():
    """Accounts, homes, the exchange, and what is in /etc."""
    subprocess.run("cp -a /etc /run/etc && mount --bind /run/etc /etc", shell=True, check=True)
    for user in ("teacher", "ann", "bob", "eve"):
        subprocess.run(["useradd", "--create-home", "--key", "HOME_MODE=0700", user], check=True)
    EXCHANGE.mkdir(parents=True)
    EXCHANGE.chmod(0o1777)
    Path("/etc/jupyter").mkdir(exist_ok=True)
    Path("/etc/jupyter/nbgrader_config.py").write_text(FOR_ALL)

    COURSE.mkdir()
    shutil.copy(problem_sets.COURSE / "nbgrader_config.py", COURSE)
    shutil.copytree(problem_sets.COURSE / "source/ps1", COURSE / "source/ps1")
    config = Path("/home/teacher/.jupyter/nbgrader_config.py")
    config.parent.mkdir()
    config.write_text(FOR_TEACHER)
    subprocess.run(["chown", "-R", "teacher:teacher", "/home/teacher"], check=True)


@pytest.fixture(scope="module")
def hub(machine):
    folder = Path("/srv/jupyterhub")
    folder.mkdir(mode=0o700)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(["jupyterhub", "--config", Path(__file__).with_name("jupyterhub_config.py")],
                                   cwd=folder, stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: answers(f"{ADDRESS}/hub/api") or process.poll() is not None, "the hub answers")
        assert process.poll() is None, "the hub ended"
        yield
    finally:
        process.terminate()
        process.wait(60)
        print((folder / "log").read_text())


class User:
    """Somebody with a browser of their own."""

    def __init__(self, name, context):
        self.name, self.context, self.page = name, context, context.new_page()
        self.address = f"{ADDRESS}/user/{name}"
        context.set_default_timeout(MINUTE)
        pages.watch(self.page)

    def log_in(self, then):
        """As on the form of the hub; it starts the user's server and goes on to `then`, an address below the user's."""
        goal = quote(f"/hub/spawn/{self.name}?next={quote(f'/user/{self.name}/{then}', safe='')}", safe="")
        self.page.goto(f"{ADDRESS}/hub/login?next={goal}")
        self.page.fill("[name=username]", self.name)
        self.page.fill("[name=password]", "one for all")
        self.page.click("[type=submit]", no_wait_after=True)

    def asks(self, method, path, data=None):
        """What the user's server answers."""
        token, = (cookie["value"] for cookie in self.context.cookies(f"{self.address}/") if cookie["name"] == "_xsrf")
        reply = self.context.request.fetch(f"{self.address}/{path}", method=method, data=data, headers={"X-XSRFToken": token})
        assert reply.status == 200, (path, reply.status, reply.text())
        return reply.json()

    def presses(self, button):
        """Press a button of the list of assignments ("fetch", "submit", "fetch_feedback"); what it then lists, by status."""
        reply = self.asks("POST", f"assignments/{button}", {"course_id": COURSE_ID, "assignment_id": "ps1"})
        assert reply["success"], reply
        return {assignment["status"]: assignment for assignment in reply["value"]}

    def writes(self, cells):
        """Open the fetched notebook, write into some cells, and save it."""
        model = self.asks("GET", "api/contents/ps1/ps1.ipynb")
        for cell in model["content"]["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            if name in cells:
                cell["source"] = cells[name]
        self.asks("PUT", "api/contents/ps1/ps1.ipynb", {"type": "notebook", "content": model["content"]})


@pytest.fixture(scope="module")
def users(hub, browser):
    found = {name: User(name, browser.new_context(viewport={"width": 1280, "height": 900})) for name in ("teacher", "ann", "bob")}
    yield found
    for user in found.values():
        user.context.close()


@pytest.fixture
def teacher(users):
    return users["teacher"]


@pytest.fixture
def ann(users):
    return users["ann"]


@pytest.fixture
def bob(users):
    return users["bob"]


def right_answers():
    """By cell: the solutions, and an answer in words."""
    nb = problem_sets.source("ps1")
    solutions = {problem_sets.grade_id(cell): cell.source for cell in nb.cells
                 if cell.metadata.get("nbgrader", {}).get("solution")}
    return solutions | {TEXT: "The slopes of the first layer: they are *missing*."}


def mode(path):
    return path.stat().st_mode & 0o7777


def handed_in(user):
    return list((EXCHANGE / COURSE_ID / "inbound").glob(f"{user}+ps1+*"))


def button(page, part, label):
    """A button in one part of the list of assignments."""
    return page.locator(f"#{part}_assignments_list button", has_text=label)


def manual(student):
    """The points and the comment that the gradebook has for the answer in words."""
    with Gradebook(f"sqlite:///{COURSE / 'gradebook.db'}") as gradebook:
        where = TEXT, "ps1", "ps1", student
        return gradebook.find_grade(*where).manual_score, gradebook.find_comment(*where).manual_comment


def test_three_people_log_in(teacher, ann, bob):
    bob.log_in("files/nothing")  # a page that costs nothing
    teacher.log_in("formgrader/")
    ann.log_in("lab")
    bob.page.wait_for_url(f"{bob.address}/files/nothing")
    teacher.page.wait_for_url(f"{teacher.address}/formgrader/manage_assignments")
    ann.page.locator(MENU, has_text="Nbgrader").wait_for()
    teacher.page.locator("tr", has_text="ps1").wait_for()


def test_the_teacher_releases():
    types("teacher", "nbgrader generate_assignment ps1")
    types("teacher", "nbgrader release_assignment ps1")
    assert (EXCHANGE / COURSE_ID / "outbound/ps1/ps1.ipynb").exists()
    assert {folder.name: mode(folder) for folder in (EXCHANGE / COURSE_ID).iterdir()} == {"outbound": 0o755, "inbound": 0o2733}


def test_ann_fetches_and_submits_in_the_browser(ann):
    page = ann.page
    page.locator(MENU, has_text="Nbgrader").click()
    page.locator(".lm-Menu-itemLabel", has_text="Assignment List").click()
    button(page, "released", "Fetch").click()
    button(page, "fetched", "Submit").click()
    button(page, "submitted", "Fetch Feedback").wait_for()
    assert (Path("/home/ann/ps1/ps1.ipynb").owner(), len(handed_in("ann"))) == ("ann", 1)


def test_bob_fetches_works_and_submits(bob):
    assert bob.presses("fetch")["fetched"]["assignment_id"] == "ps1"
    bob.writes({name: text for name, text in right_answers().items() if name != LEFT})
    assert len(bob.presses("submit")["submitted"]["submissions"]) == 1
    assert len(handed_in("bob")) == 1


def test_the_teacher_collects_and_collects_what_came_anew(ann):
    assert "changed later" not in types("teacher", "nbgrader collect ps1")
    assert sorted(path.name for path in COURSE.glob("submitted/*")) == ["ann", "bob"]

    ann.writes(right_answers())
    assert len(ann.presses("submit")["submitted"]["submissions"]) == 2
    assert "Submission already exists, use --update to update: ann ps1" in types("teacher", "nbgrader collect ps1")
    assert "are *missing*" not in (COURSE / "submitted/ann/ps1/ps1.ipynb").read_text()
    said = types("teacher", "nbgrader collect ps1 --update")
    assert "Updating submission: ann ps1" in said and "No newer submission to collect: bob ps1" in said
    assert "are *missing*" in (COURSE / "submitted/ann/ps1/ps1.ipynb").read_text()


def test_the_teacher_grades():
    types("teacher", "python -m grading ps1")
    full = problem_sets.points_of(problem_sets.source("ps1"))
    found = {student: {name: score for name, score in marks.items() if name in full}
             for student, marks in problem_sets.scores(COURSE, "ps1").items()}
    assert found == {"ann": full, "bob": full | {f"{LEFT}-test": 0}}


def test_the_teacher_grades_an_answer_in_formgrader(teacher):
    page = teacher.page
    for student, points in POINTS.items():
        page.goto(f"{teacher.address}/formgrader/gradebook/ps1/ps1")
        row = page.locator("tr", has=page.get_by_role("link", name=student, exact=True, include_hidden=True))
        row.locator(".name-hidden.glyphicon").click()
        row.get_by_role("link", name=student, exact=True).click()
        page.get_by_text("The slopes of the first layer").wait_for()
        # Not page.wait_for_function, which the page's policy stops where it looks a second time.
        until(lambda: page.evaluate("formgrader.grades?.loaded && formgrader.comments?.loaded"), "the points have come")
        page.locator(f"input#{TEXT}").fill(str(points))
        page.locator(f"textarea#{TEXT}-comment").fill(f"{student}: look at (b) again.")
        page.keyboard.press("Tab")
        until(lambda: manual(student) == (points, f"{student}: look at (b) again."), f"{student}'s points are in the gradebook")


def test_the_teacher_releases_feedback():
    types("teacher", "nbgrader generate_feedback ps1")
    types("teacher", "nbgrader release_feedback ps1")
    assert mode(EXCHANGE / COURSE_ID / "feedback") == 0o711
    assert len(list((EXCHANGE / COURSE_ID / "feedback").iterdir())) == 2


def test_ann_opens_her_feedback_in_the_browser(ann):
    page = ann.page
    assert not [message for message in page.messages if message.kind in ("error", "pageerror")]
    page.locator("#refresh_assignments_list").click()
    button(page, "submitted", "Fetch Feedback").click()
    page.get_by_text("view feedback").click()
    page.locator(".jp-DirListing-item", has_text="ps1.html").dblclick()
    inside = page.frame_locator(".jp-HTMLViewer iframe")
    inside.get_by_text("Score: 19.0 / 20.0").wait_for()
    assert inside.get_by_text("ann: look at (b) again.").is_visible()


def test_bob_sees_his_own_and_nothing_else(ann, bob):
    bob.presses("fetch_feedback")
    page, = Path("/home/bob/ps1/feedback").glob("*/ps1.html")
    assert "Score: 12.0 / 20.0" in page.read_text() and "ann: look" not in page.read_text()
    for place in (COURSE, "/home/teacher", "/home/ann", EXCHANGE / COURSE_ID / "inbound", EXCHANGE / COURSE_ID / "feedback"):
        assert "Permission denied" in types("bob", f"ls {place}", fails=True)
    assert "not permitted" in types("bob", f"mv {EXCHANGE / COURSE_ID} {EXCHANGE}/gone", fails=True)
    for user, path in (("ann", "files/ps1/ps1.ipynb"), ("ann", "lab"), ("teacher", "formgrader")):
        assert bob.context.request.get(f"{ADDRESS}/user/{user}/{path}").status == 403


def test_what_eve_puts_into_the_exchange_is_hers_and_no_more(hub):
    before = (COURSE / "submitted/ann/ps1/ps1.ipynb").read_text()
    link, own, others = (f"{user}+ps1+{datetime.now(timezone.utc) + timedelta(hours=hour):%Y-%m-%d %H:%M:%S} UTC"
                         for user, hour in (("eve", 2), ("eve", 1), ("ann", 3)))
    types("eve", f"""cd {EXCHANGE / COURSE_ID}/inbound && mkdir eve+ps1+never && ln -s {COURSE}/source/ps1 "{link}"
        mkdir "{own}" "{others}" && truncate --size=60M "{own}/1" "{own}/2"
        cd "{others}" && echo mine > ps1.ipynb && mkfifo pipe && truncate --size=6G big.bin
        mkdir shut && touch unreadable && chmod 0 shut unreadable
        ln -s {COURSE}/source/ps1/ps1.ipynb link.ipynb && ln -s {COURSE}/source folder
        mkdir -p {"d/" * 1500}""")
    of_nobody = EXCHANGE / COURSE_ID / "inbound" / f"ann+ps1+{datetime.now(timezone.utc) + timedelta(hours=4):%Y-%m-%d %H:%M:%S} UTC"
    of_nobody.mkdir()
    os.chown(of_nobody, 100001, 100001)  # as a user namespace makes it
    (EXCHANGE / "roots").write_text("not eve's")
    os.link(EXCHANGE / "roots", EXCHANGE / COURSE_ID / "inbound" / others / "hard.ipynb")  # Linux may be set to let users do that
    said = types("teacher", "nbgrader collect ps1 --update", fails=True)
    assert (COURSE / "submitted/ann/ps1/ps1.ipynb").read_text() == before
    eves = COURSE / "submitted/eve/ps1"
    assert {path.name for path in eves.iterdir()} == {"ps1.ipynb", "timestamp.txt", "submission_secret.txt", "d"}
    assert (eves / "ps1.ipynb").read_text() == "mine\n"
    for words in ("counted as eve's", "made by number 100001, which is no account", "a link: ", "no plain file: ", "no folder: ", "its name has no time: ", "Permission denied: ",
                  "too many folders in each other: ", "6442450944 bytes, where 100000000 is most: ",
                  "Not collected from eve, more than 99999000 bytes: "):
        assert words in said
