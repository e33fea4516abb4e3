"""The workflows say what the rest of the repository says: files, Pythons, names; and every link within the built site leads somewhere."""

from __future__ import annotations

import re
import shlex
import tomllib
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

import chapters

FOLDER = chapters.ROOT / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader) for path in sorted(FOLDER.glob("*.yml"))}  # BaseLoader: `on` stays a word
STEPS = [(name, job, step) for name, workflow in WORKFLOWS.items() for job, content in workflow["jobs"].items() for step in content["steps"]]
RUNS = [(name, line) for name, _, step in STEPS for line in step.get("run", "").splitlines()]
PROJECT = tomllib.loads((chapters.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REQUIREMENTS = (chapters.ROOT / "requirements.txt").read_text(encoding="utf-8")

# What a command makes, or the machine has; all else that a command names is in the repository.
MADE = re.compile(r"_build/|requirements-newest\.txt$|requirements\*\.txt$")


def test_there_are_three():
    assert set(WORKFLOWS) == {"ci.yml", "weekly.yml", "release.yml"}
    assert set(WORKFLOWS["ci.yml"]["on"]) == {"push", "pull_request", "workflow_dispatch"}
    assert WORKFLOWS["release.yml"]["on"] == {"push": {"tags": ["v*"]}}
    schedule, = WORKFLOWS["weekly.yml"]["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", schedule["cron"])  # once a week


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_may_only_what_it_needs(name):
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    writes = {job: [what for what, how in content.get("permissions", {}).items() if how == "write"] for job, content in workflow["jobs"].items()}
    assert {job: what for job, what in writes.items() if what} == {
        "ci.yml": {"publish": ["pages", "id-token"], "colab": ["contents"]}, "weekly.yml": {}, "release.yml": {"release": ["contents"]}}[name]
    for content in workflow["jobs"].values():
        assert set(content.get("needs", "").split()) <= set(workflow["jobs"])


def test_actions_are_github_s_own_and_everywhere_the_same_version():
    used = {step["uses"] for _, _, step in STEPS if "uses" in step}
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in used)
    assert len({action.partition("@")[0] for action in used}) == len(used)


@pytest.mark.parametrize(("name", "line"), [(name, line) for name, line in RUNS if re.search(r"[\w-]+/[\w.-]|\.txt|\.md", line)])
def test_a_command_names_files_that_exist(name, line):
    words = shlex.split(line.replace("$PWD/", ""), comments=True)
    named = [word.partition("=")[2] if re.match(r"[A-Z]+=", word) else word for word in words]
    for word in named:
        if re.fullmatch(r"[\w./*-]+", word) and ("/" in word or word.endswith(".txt")) and not MADE.search(word) and "//" not in word:
            assert list(chapters.ROOT.glob(word.removeprefix("./"))), f"{name}: {word}"


MODULES = {word for _, line in RUNS for word in re.findall(r"python3? -m ([\w.]+)", line)}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_command_runs_a_module_of_the_book(module):
    path = chapters.BOOK / module.replace(".", "/")
    assert path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def test_programs_are_required():
    programs = {shlex.split(line, comments=True)[0] for _, line in RUNS if shlex.split(line, comments=True)}
    for program, requirement in {"jupyter-book": "jupyter-book==", "pytest": "pytest=="}.items():
        assert program in programs and requirement in REQUIREMENTS


def test_every_python_that_the_project_promises_is_tested():
    lowest = tuple(map(int, re.fullmatch(r">=(\d+)\.(\d+)", PROJECT["project"]["requires-python"]).groups()))
    matrix = WORKFLOWS["ci.yml"]["jobs"]["elsewhere"]["strategy"]["matrix"]
    versions = [tuple(map(int, version.split("."))) for version in matrix["python"]]
    assert versions == [(3, minor) for minor in range(lowest[1], versions[-1][1] + 1)] and versions[0] == lowest
    others = {(pair["machine"], pair["python"]) for pair in matrix["include"]}
    ends = {matrix["python"][0], matrix["python"][-1]}
    assert others == {(machine, version) for machine in ("macos-latest", "windows-latest") for version in ends}
    listed = [version for version in PROJECT["project"].get("classifiers", []) if re.search(r"Python :: 3\.\d+", version)]
    assert not listed or [version.rpartition(" ")[2] for version in listed] == matrix["python"]
    used = {step["with"]["python-version"] for _, _, step in STEPS if "setup-python" in step.get("uses", "")} - {"${{ matrix.python }}"}
    assert used <= ends


def test_what_runs_on_every_system_asks_for_no_browser_and_no_linux():
    """Without a browser a test fails in CI; bubblewrap, apt and bash are Linux's."""
    command, = (step["run"] for name, job, step in STEPS if job == "elsewhere" and "pytest" in step.get("run", ""))
    paths = [chapters.ROOT / word for word in command.split()[1:]]
    files = [file for path in paths for file in (path.glob("test_*.py") if path.is_dir() else [path]) if file.suffix == ".py"]
    assert len(files) > 20
    for file in files:
        text = file.read_text(encoding="utf-8")
        asked = {name.split(":")[0].split("=")[0].strip() for names in re.findall(r"^def test_\w+\((.*)\):", text, flags=re.M) for name in names.split(",")}
        assert not asked & {"page", "new_page", "browser", "site", "address", "desk"}, file
        assert not re.search(r"bwrap|apt-get|[\"']bash[\"']|grading\.", text), file


def test_what_limits_the_newest_versions_is_required():
    lines = [line.split("#") for line in (chapters.ROOT / ".ci" / "newest.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    for limit, reason in lines:
        assert reason.strip() and f"\n{limit.split('<')[0]}==" in REQUIREMENTS, limit


def test_a_release_has_what_the_editions_are():
    command, = (step["run"] for name, _, step in STEPS if name == "release.yml" and "gh release" in step.get("run", ""))
    assert re.findall(r"gradients-through-time\S*", command) == [f"gradients-through-time{end}" for end in (".pdf", ".epub", "-site.zip", "-notebooks.zip")]


def test_every_link_within_the_site_leads_somewhere(site):
    """To a file that is there and, on a page, to an anchor. A link to the setting of a figure is `#fig-id?name=value`."""
    parsed = {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in site.rglob("*.html")
              if path.relative_to(site).parts[0] not in ("_static", "pyodide", "editions")}
    anchors = {path: {element[key] for key in ("id", "name") for element in page.find_all(attrs={key: True})} for path, page in parsed.items()}
    followed, broken = 0, []
    for path, page in parsed.items():
        for link in page.select("a[href], area[href]"):
            href = urlsplit(link["href"])
            if href.scheme or href.netloc:
                continue
            where = site if href.path.startswith("/") else path.parent  # 404.html is the answer to any address
            target = (where / unquote(href.path).lstrip("/")).resolve() if href.path else path
            anchor = unquote(href.fragment).split("?")[0]
            followed += 1
            if not target.is_file() or (anchor and target in anchors and anchor not in anchors[target]):
                broken.append(f"{path.relative_to(site)}: {link['href']}")
    assert followed > 3000 and broken == []
