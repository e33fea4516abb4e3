"""How chapters read the results of the experiments."""

import pytest
from results import pick, stored

RUNS = [dict(depth=10, norm=None, loss=[1, 2]), dict(depth=20, norm=None, loss=[3]), dict(depth=20, norm="batch", loss=[])]


def test_the_first_line_is_no_run(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"command": "…"}\n{"depth": 10, "norm": null}\n{"depth": 20, "norm": "batch"}\n', encoding="utf-8")
    assert stored(path) == [dict(depth=10, norm=None), dict(depth=20, norm="batch")]


def test_a_path_without_a_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.jsonl"):
        stored(tmp_path / "nowhere.jsonl")


def test_picked_runs_have_all_entries_wanted():
    assert pick(RUNS, depth=20) == RUNS[1:]
    assert pick(RUNS, depth=20, norm=None) == RUNS[1:2]
    assert pick(RUNS) == RUNS
    assert pick(RUNS, depth=50) == [] == pick(RUNS, depth=10, norm="batch") == pick(RUNS, width=None)
