"""Where the book is published, as the environment of the build says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]  # of the repository
COLAB_BRANCH = "colab"  # holds the notebooks that `python -m publishing.colab` makes


class Settings(NamedTuple):
    """What is not given is ""."""

    repository: str  # "https://github.com/owner/name"
    branch: str
    url: str  # "https://owner.github.io/name/"


def read(environment: Mapping[str, str]) -> Settings:
    """The settings BOOK_REPOSITORY, BOOK_BRANCH (else "main") and BOOK_URL; an empty one counts as none.

    Raises
    ------
    ValueError : one that cannot be right; the message begins with its name.
    """
    repository, branch, url = (environment.get(f"BOOK_{name}", "") for name in ("REPOSITORY", "BRANCH", "URL"))
    if repository and not re.fullmatch(r"https://github\.com/[\w-]+/[\w.-]*[\w-](?<!\.git)", repository, re.ASCII):
        raise ValueError(f"BOOK_REPOSITORY is {repository!r}; wanted an address on GitHub such as https://github.com/owner/name, "
                         "with nothing after the name")
    if branch and not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", branch, re.ASCII):
        raise ValueError(f"BOOK_BRANCH is {branch!r}; wanted the name of a branch such as main")
    if url and not _is_folder(url):
        raise ValueError(f"BOOK_URL is {url!r}; wanted the address of the book such as https://owner.github.io/name/, "
                         "with a slash at its end")
    return Settings(repository, branch or "main", url)


def _is_folder(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # raises if it is no number
    except ValueError:
        return False
    return (bool(re.fullmatch(r"[!-~]+", url)) and not set('"<>\\^`{|}') & set(url) and parts.scheme in ("http", "https")
            and bool(host) and parts.path.endswith("/") and "?" not in url and "#" not in url)


def on_colab(page: str, source: Path) -> bool:
    """Whether a page has a copy for Colab: notebooks beside the book's code have, problem sets and Markdown have none."""
    return bool(re.fullmatch(r"book/\w+", page)) and source.suffix == ".ipynb"
