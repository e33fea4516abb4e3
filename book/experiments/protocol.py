"""How the arms of a comparison are tuned and tried: the protocol of chapter 7, "A fair comparison".

An arm is one of the ways that are compared: a model, a start, a threshold. Every arm gets the same number of steps.

1. Tuning: a few seeds at every rate of a grid, each rate three times the one before. As long as the best rate is at an
   edge of the grid, the grid grows there.
2. Then fresh seeds, used for nothing else, at the best rate.

A row of a result file is one arm at one rate, with a run for each seed:

    {"start": "Xavier", ..., "part": "tuning", "rate": 0.081, "runs": [{"seed": 0, "solved": true, ...}, ...]}
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from sweep import main, rounded

from gradients.training import Recurrent, fit, fit_many

__all__ = ["MOST", "best", "first_cases", "further_cases", "rate", "run_protocol", "seeds", "train"]

MOST = 5  # rates that a grid may grow at either side


def rate(k: int) -> float:
    """0.001 times three to the power k."""
    return rounded(0.001 * 3.0**k)


def seeds(part: str, settings: dict) -> list[int]:
    """Those of the "tuning", 0, 1, ..., or the "fresh" ones, 1000, 1001, ...; `settings` says how many."""
    first = {"tuning": 0, "fresh": 1000}[part]
    return [*range(first, first + settings[part])]


def first_cases(arms: Sequence[dict], grid: Callable[[dict], Sequence[int]]) -> list[dict]:
    """Every arm at every rate(k) of its first grid, three or more successive k."""
    return [arm | {"part": "tuning", "rate": rate(k)} for arm in arms for k in grid(arm)]


def best(tried: dict[float, list[dict]]) -> tuple[float, int]:
    """The best of the rates of one arm, and 0, or -1 or 1 if it is the smallest or the largest of them.

    tried  rate -> its runs, each with "solved" (bool) and "cost", the smaller the better: a number >= 0, or None if
           the run broke down. Three rates or more

    The best rate solves most; of those that solve equally many it has the smallest mean cost. A rate at the edge
    counts as better than those inside only if it solves more, or if its cost is smaller by 2% or more: where nothing
    is learned at any rate all are equal to rounding and luck.
    """
    def merit(rate):
        costs = [run["cost"] for run in tried[rate]]
        return sum(run["solved"] for run in tried[rate]), -fmean(float("inf") if cost is None else cost for cost in costs)

    smallest, *inside, largest = sorted(tried)
    chosen = max(inside, key=merit)
    solved, less = merit(chosen)
    side, edge = max((-1, smallest), (1, largest), key=lambda each: merit(each[1]))
    if merit(edge) > (solved, 0.98 * less):
        return edge, side
    return chosen, 0


def _arms(rows):
    """Arm, as a tuple -> rate -> runs, of the tuning."""
    arms = {}
    for row in rows:
        if row["part"] == "tuning":
            arm = tuple((name, value) for name, value in row.items() if name not in ("part", "rate", "runs"))
            arms.setdefault(arm, {})[row["rate"]] = row["runs"]
    return arms


def further_cases(rows: list[dict], first: Callable[[dict], Sequence[int]]) -> list[dict]:
    """What follows from the tuning so far: more rates where the best is at an edge, fresh seeds for the other arms.

    first  the first grid of an arm, as in `first_cases`: it grows by `MOST` rates at either side
    """
    cases = []
    for arm, tried in _arms(rows).items():
        chosen, side = best(tried)
        k = {rate(k): k for k in range(min(first(dict(arm))) - MOST, max(first(dict(arm))) + MOST + 1)}
        beyond = side and next((other for other in k if k[other] == k[chosen] + side), None)
        if side and beyond is not None:
            cases.append(dict(arm) | {"part": "tuning", "rate": beyond})
        else:
            cases.append(dict(arm) | {"part": "fresh", "rate": chosen})
    return cases


def run_protocol(path: Path, run: Callable[..., dict], arms: Sequence[dict], grid: Callable[[dict], Sequence[int]],
                 settings: dict, description: str) -> None:
    """The command line of an experiment; exits with 1, after all is done, if an arm's best rate is at the edge."""
    rows = main(path, run, first_cases(arms, grid), settings, description, more=lambda rows: further_cases(rows, grid))
    at_the_edge = [f"{dict(arm)}: the best of the rates is {chosen}, at the edge of {min(tried)} to {max(tried)}"
                   for arm, tried in _arms(rows).items() for chosen, side in [best(tried)] if side]
    if at_the_edge:
        sys.exit("\n".join([*at_the_edge, "Begin these grids elsewhere, and delete their rows."]))


def train(nets, streams, loss, optimisers, look, *, steps, every, right, clip=None, penalty=None) -> list[dict]:
    """Train recurrent nets, each until two looks in a row found it right: a dict for each.

    nets, streams, loss, optimisers, clip  as for `fit_many`
    look     net -> (loss, share of right answers) in new sequences; called before the first step and every `every`
    right    the share wanted
    penalty  as for `fit`; then the nets are trained one after the other

    solved   whether two looks in a row found that share
    steps    made when the run ended
    stopped  whether NaN or inf ended it
    looks    what they found
    cost     steps as a share of those allowed if it solved the task, else 1 + its last loss over its first, at most 2
    """
    def fit_these(numbers):
        if penalty is None:
            return fit_many([nets[n] for n in numbers], [streams[n] for n in numbers], loss, [optimisers[n] for n in numbers],
                            steps=every, clip=clip)
        return [fit(Recurrent(nets[n]), streams[n], loss, optimisers[n], steps=every, clip=clip, penalty=penalty)
                for n in numbers]

    results = [{"solved": False, "steps": 0, "stopped": False, "looks": [look(net)]} for net in nets]
    going_on = [*range(len(nets))]
    for _ in range(0, steps, every):
        if not going_on:
            break
        for n, history in zip(going_on, fit_these(going_on)):
            result = results[n]
            result["steps"] += len(history.loss)
            result["stopped"] = history.stopped is not None
            if not result["stopped"]:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", RuntimeWarning)  # about NaN, which `look` counts as wrong
                    result["looks"].append(look(nets[n]))
                result["solved"] = all(share >= right for _, share in result["looks"][-2:])
        going_on = [n for n in going_on if not (results[n]["solved"] or results[n]["stopped"])]
    for result in results:
        (first, _), (last, _) = result["looks"][0], result["looks"][-1]
        fallen = last / first if last < first and not result["stopped"] else 1
        result["cost"] = rounded(result["steps"] / steps if result["solved"] else 1 + fallen)
    return results
