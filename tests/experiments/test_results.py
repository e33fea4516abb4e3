"""How chapters read the results of the experiments."""

import pytest
from scipy.special import comb

from results import best_rate, medians, p_of_seeds, p_value, pick, rates, solved, stored, windows

RUNS = [dict(depth=10, norm=None, loss=[1, 2]), dict(depth=20, norm=None, loss=[3]), dict(depth=20, norm="batch", loss=[])]


def test_the_first_line_is_no_run(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{"command": "…"}\n{"depth": 10, "norm": null}\n{"depth": 20, "norm": "batch"}\n', encoding="utf-8")
    assert stored(path) == [dict(depth=10, norm=None), dict(depth=20, norm="batch")]


def test_a_line_may_have_many_runs(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text('{}\n{"rate": 1, "runs": [{"seed": 0}, {"seed": 1}]}\n{"rate": 3, "runs": []}\n', encoding="utf-8")
    assert stored(path) == [dict(rate=1, seed=0), dict(rate=1, seed=1)]


def test_a_path_without_a_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.jsonl"):
        stored(tmp_path / "nowhere.jsonl")


def test_picked_runs_have_all_entries_wanted():
    assert pick(RUNS, depth=20) == RUNS[1:]
    assert pick(RUNS, depth=20, norm=None) == RUNS[1:2]
    assert pick(RUNS) == RUNS
    assert pick(RUNS, depth=50) == [] == pick(RUNS, depth=10, norm="batch") == pick(RUNS, width=None)


def made(model, part, rate, *steps):
    """Runs that solved their task after so many steps; None: not solved."""
    return [dict(model=model, part=part, rate=rate, solved=each is not None, steps=each or 2000) for each in steps]


TRIED = [*made("tanh", "tuning", 0.1, 100, None, 300), *made("tanh", "tuning", 0.3, None, None, None),
         *made("LSTM", "tuning", 0.1, 50, 70, 90), *made("tanh", "fresh", 0.1, 10, 20)]


def test_the_windows_show_what_tuning_found():
    rows = [dict(model="LSTM"), dict(model="tanh"), dict(model="GRU")]
    assert rates(TRIED) == [0.1, 0.3] and solved(TRIED) == 7
    assert windows(TRIED, rows, [0.1, 0.3]) == {(0, 0): (1, "3"), (1, 0): (2 / 3, "2"), (1, 1): (0, "0")}
    assert windows(TRIED, rows, [0.3, 0.1], steps=True) == {(0, 1): (1, "70"), (1, 1): (2 / 3, "200"), (1, 0): (0, "")}


def test_the_best_rate_is_that_of_the_fresh_runs():
    assert best_rate(TRIED) == 0.1
    for runs in (made("tanh", "tuning", 0.1, 1), [*TRIED, *made("LSTM", "fresh", 0.3, 1)]):
        with pytest.raises(ValueError, match="^runs: "):
            best_rate(runs)


def test_p_values_against_a_count_of_all_ways_to_share_out():
    """4 of 5 against 1 of 5: of the 252 ways to give five of ten runs to the first kind, those as uneven or more."""
    some, others = made("a", "fresh", 1, 1, 1, 1, 1, None), made("b", "fresh", 1, 1, None, None, None, None)
    ways = {k: comb(5, k) * comb(5, 5 - k) for k in range(6)}
    assert p_value(some, others) == pytest.approx(sum(ways[k] for k in (0, 1, 4, 5)) / 252)
    assert p_value(some, others) == p_value(others, some)
    assert p_value(some, others, 3) == pytest.approx(3 * p_value(some, others)) and p_value(some, others, 100) == 1
    assert p_value(some, some) == 1


def test_medians_count_what_is_missing_as_0():
    assert medians([dict(a=1, b=5), dict(a=None, b=7), dict(a=3, b=9)], "a", "b") == [1, 7]


def test_p_values_of_seeds_against_a_count_of_all_ways_to_share_them_out():
    """Seeds that solve 0, 0, 1 of three rates against 3, 3, 3: two of the 20 ways to share out six seeds are as uneven."""
    def at_three_rates(*totals):
        return [dict(seed=seed, rate=rate, solved=rate < total) for seed, total in enumerate(totals) for rate in range(3)]

    some, others = at_three_rates(0, 0, 1), at_three_rates(3, 3, 3)
    assert p_of_seeds(some, others) == pytest.approx(2 / 20) == p_of_seeds(others, some)
    assert p_of_seeds(some, others, 4) == pytest.approx(0.4) and p_of_seeds(some, others, 50) == 1
    assert p_of_seeds(some, some) == 1
