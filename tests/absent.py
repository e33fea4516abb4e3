"""What a test does where something that it needs is missing."""

from __future__ import annotations

import os

import pytest


def without(what: str) -> None:
    """Skip, or fail where what is missing would hide a broken book."""
    if os.environ.get("CI") == "true":
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
