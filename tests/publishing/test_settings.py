"""Where the book is published: what the environment may say; when each file was last changed; how to cite."""

import json
import os
import re
import subprocess

import pytest
import tomllib
import yaml
from pybtex.database import parse_string

import chapters
from publishing import citing, dates, settings

GOOD = {"BOOK_REPOSITORY": "https://github.com/owner/a-name", "BOOK_BRANCH": "drafts/one", "BOOK_URL": "https://owner.github.io/a-name/"}


def test_what_is_given_is_taken_and_what_is_not_is_empty():
    assert settings.read(GOOD) == tuple(GOOD.values())
    assert settings.read({}) == settings.read(dict.fromkeys(GOOD, "")) == ("", "main", "")
    assert settings.read({"BOOK_URL": "http://localhost:8000/"}).url == "http://localhost:8000/"


@pytest.mark.parametrize("name, value", [
    *(("BOOK_REPOSITORY", value) for value in (
        "owner/name", "github.com/owner/name", "http://github.com/owner/name", "https://github.com/owner", "https://github.com/owner/name/",
        "https://github.com/owner/name.git", "https://github.com/owner/name/tree/main", "https://example.org/owner/name",
        "https://github.com/owner/na me", "https://github.com/owner/name\n", "https://github.com/owner/name.", ' "https://github.com/owner/name')),
    *(("BOOK_BRANCH", value) for value in ("/main", "main/", "a b", "a//b", 'a"b', "a?b")),
    *(("BOOK_URL", value) for value in (
        "owner.github.io/name/", "https://owner.github.io/name", "https://owner.github.io", "//owner.github.io/name/", "ftp://owner.github.io/",
        "https:///name/", "https://owner.github.io/na me/", "https://owner.github.io/?a=/", "https://owner.github.io/#/", 'https://o.io/"/',
        "https://[o/", "https://o.io:x/", "https://o.io/\n")),
])
def test_a_value_that_cannot_be_right_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"^{name} is .*; wanted "):
        settings.read({name: value})


def test_notebooks_beside_the_code_are_on_colab_and_others_are_not():
    root = chapters.ROOT
    there = {name for name in chapters.names() if settings.on_colab(name, next(root.glob(f"{name}.*")))}
    assert there == {f"book/{path.stem}" for path in chapters.NOTEBOOKS}


# Dates ---------------------------------------------------------------------------


def git(root, *arguments, date="2021-02-03T12:00:00"):
    environment = os.environ | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments], cwd=root, check=True, capture_output=True, env=environment)


@pytest.fixture
def repository(tmp_path):
    """Three commits: of two files, of one of them, and of a third."""
    root = tmp_path / "whole"
    (root / "book").mkdir(parents=True)
    git(root, "init", "-q")
    for day, names in (("2021-02-03", ["book/ä.md", "b.md"]), ("2022-03-04", ["b.md"]), ("2023-04-05", ["c.md"])):
        for name in names:
            (root / name).write_text(day)
        git(root, "add", "-A")
        git(root, "commit", "-qm", "x", date=f"{day}T12:00:00")
    (root / "new.md").write_text("not committed")
    return root


def test_each_file_has_the_date_of_its_own_last_commit(repository):
    assert dates.of_files(repository) == {"book/ä.md": "2021-02-03", "b.md": "2022-03-04", "c.md": "2023-04-05"}
    assert dates.of_files(repository / "book") == {"ä.md": "2021-02-03"}, "in a folder of a larger repository"


def test_a_shallow_clone_gives_no_wrong_date(repository, tmp_path):
    for depth, known in ((1, {}), (2, {"c.md": "2023-04-05"})):
        git(tmp_path, "clone", "-q", "--depth", str(depth), repository.as_uri(), str(depth))
        assert dates.of_files(tmp_path / str(depth)) == known
    git(tmp_path, "clone", "-q", repository.as_uri(), "all")
    assert dates.of_files(tmp_path / "all") == dates.of_files(repository)


def test_without_git_there_is_no_date(tmp_path, monkeypatch, repository):
    assert dates.of_files(tmp_path) == {}, "no repository"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dates.of_files(repository) == {}, "no program"


# How to cite ---------------------------------------------------------------------


def test_the_citation_file_is_complete_and_of_this_version():
    told = yaml.safe_load((chapters.ROOT / "CITATION.cff").read_text())
    assert {"cff-version", "message", "title", "authors", "version", "date-released", "license", "type"} <= told.keys()
    assert told["cff-version"] == "1.2.0" and told["type"] in ("software", "dataset")
    version = tomllib.loads((chapters.ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert told["version"] == version
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", str(told["date-released"]))
    assert told["title"] == yaml.safe_load((chapters.ROOT / "_config.yml").read_text())["title"]


def test_the_changelog_has_this_version_and_its_date():
    book = citing.book(chapters.ROOT)
    headings = re.findall(r"^## (.*)$", (chapters.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert headings[1] == f"[{book.version}] - {book.released}"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
    kinds = set(re.findall(r"^### (.*)$", (chapters.ROOT / "CHANGELOG.md").read_text(), re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_bibtex_can_be_read_and_keeps_names_and_capitals():
    book = citing.Book("Gradients & Time", "The Authors of It", "1.2.3", "2025-01-02")
    whole, = parse_string(citing.bibtex(book, "https://example.org/a_b/"), "bibtex").entries.values()
    assert whole.type == "book" and [str(person) for person in whole.persons["author"]] == ["{The Authors of It}"]
    assert dict(whole.fields) == {"title": r"Gradients \& Time", "year": "2025", "version": "1.2.3", "url": "https://example.org/a_b/"}
    part, = parse_string(citing.bibtex(book, "", "The LSTM’s paths", 9), "bibtex").entries.values()
    assert part.type == "incollection" and part.key != whole.key and "url" not in part.fields
    assert part.fields["title"] == "The {LSTM}'s paths" and part.fields["chapter"] == "9" and part.fields["booktitle"] == r"Gradients \& Time"
    assert citing.text(book, "https://example.org/", "The LSTM’s paths", 9) == (
        "The Authors of It (2025). The LSTM’s paths. Chapter 9 of Gradients & Time, version 1.2.3. https://example.org/")
    assert citing.text(book, "") == "The Authors of It (2025). Gradients & Time, version 1.2.3."


# The other places where the book runs ----------------------------------------------


def test_binder_and_the_container_name_files_that_exist():
    root = chapters.ROOT
    for name in (".binder/postBuild", ".devcontainer/setup", ".devcontainer/check"):
        text = (root / name).read_text()
        assert os.access(root / name, os.X_OK), name
        subprocess.run(["bash", "-n", str(root / name)], check=True)
        for file in re.findall(r"(?:cp|-r) (\S+)", text):
            assert (root / file).exists(), f"{name}: {file}"
    asked = re.findall(r"^-r (\S+)", (root / ".binder/requirements.txt").read_text(), re.MULTILINE)
    assert asked and all((root / ".binder" / file).exists() for file in asked)
    json.loads((root / ".binder/overrides.json").read_text())
    container = json.loads((root / ".devcontainer/devcontainer.json").read_text())
    for command in ("onCreateCommand", "postCreateCommand"):
        program, script = container[command].split()
        assert program == "bash" and (root / script).exists()
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    lowest = tuple(map(int, project["requires-python"].removeprefix(">=").split(".")))
    for version in (re.search(r"python:([\d.]+)", container["image"])[1], (root / ".binder/runtime.txt").read_text().strip().removeprefix("python-")):
        assert tuple(map(int, version.split("."))) >= lowest
    for option in ("seccomp", "apparmor", "systempaths"):
        assert f"--security-opt={option}=unconfined" in container["runArgs"] and option in (root / ".devcontainer/README.md").read_text()
