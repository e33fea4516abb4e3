"""What the experiments found: how chapters read the files in data that the scripts in experiments wrote."""

import json
from collections.abc import Sequence
from statistics import median

import numpy as np
from scipy.stats import fisher_exact, permutation_test

__all__ = ["best_rate", "medians", "p_of_seeds", "p_value", "pick", "rates", "solved", "stored", "windows"]


def stored(path: str) -> list[dict]:
    """The runs in a file of lines of JSON; the first line, how the file was made, is left out.

    Where a line has a list "runs", each of them is a run, with the other entries of its line.
    """
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][1:]
    return [row | run for row in rows for run in row.pop("runs", [{}])]


def pick(runs: list[dict], **wanted) -> list[dict]:
    """Those of `runs` that have all these entries; there may be none."""
    return [run for run in runs if wanted.items() <= run.items()]


def solved(runs: list[dict]) -> int:
    """How many of the runs solved their task."""
    return sum(run["solved"] for run in runs)


def rates(runs: list[dict]) -> list[float]:
    """The learning rates of the runs, each once, the smallest first."""
    return sorted({run["rate"] for run in runs})


def best_rate(runs: list[dict]) -> float:
    """The rate at which the fresh runs of one arm were made. ValueError: runs of several arms, or no fresh ones."""
    found = rates(pick(runs, part="fresh"))
    if len(found) != 1:
        raise ValueError(f"runs: got fresh ones at {len(found)} rates, want those of one arm, at one rate")
    return found[0]


def medians(runs: list[dict], *names: str) -> list[float]:
    """The median of each of these entries over the runs; None, a signal that is exactly 0 or was lost, counts as 0."""
    return [median(run[name] or 0 for run in runs) for name in names]


def p_value(some: list[dict], others: list[dict], comparisons: int = 1) -> float:
    """How surprising two such counts of solved runs would be if both kinds were equally good, from 0 to 1.

    Fisher's exact test, two-sided, times the number of comparisons made (Bonferroni's correction), at most 1.
    """
    table = [[solved(runs), len(runs) - solved(runs)] for runs in (some, others)]
    return min(1.0, float(comparisons * fisher_exact(table).pvalue))


def p_of_seeds(some: list[dict], others: list[dict], comparisons: int = 1) -> float:
    """As `p_value`, for runs at several rates: those of one seed are alike, so whole seeds are shuffled.

    Permutation test, two-sided, of the mean number of solved runs a seed; exact where there are few seeds.
    """
    def totals(runs):
        return [solved(pick(runs, seed=seed)) for seed in sorted({run["seed"] for run in runs})]

    def apart(a, b, axis):
        return np.mean(a, axis=axis) - np.mean(b, axis=axis)

    test = permutation_test((totals(some), totals(others)), apart, vectorized=True, rng=np.random.default_rng(0))
    return min(1.0, comparisons * float(test.pvalue))


def windows(
    runs: list[dict], rows: Sequence[dict], columns: Sequence[float], steps: bool = False
) -> dict[tuple[int, int], tuple[float, str]]:
    """Which rates work for whom, in tuning: the cells of `figures.fill_windows`.

    rows     what the runs of each row have in common, as for `pick`
    columns  learning rates
    steps    write the median number of steps of the runs that solved their task, instead of their number

    Returns (row, column) -> (share of solved runs, text); nothing for rates that a row didn't try.
    """
    cells = {}
    for i, row in enumerate(rows):
        for j, rate in enumerate(columns):
            tried = pick(runs, part="tuning", rate=rate, **row)
            if tried:
                made = [run["steps"] for run in tried if run["solved"]]
                cells[i, j] = len(made) / len(tried), f"{median(made):.0f}" if made and steps else "" if steps else str(len(made))
    return cells
