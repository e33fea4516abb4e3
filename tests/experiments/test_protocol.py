"""The protocol: which rate is the best, when a grid grows, which seeds are fresh, and how nets train side by side."""

from functools import partial

import numpy as np
import protocol
import pytest
from protocol import best, first_cases, further_cases, rate, run_protocol, seeds, train
from sweep import read

from gradients import rnn, tasks
from gradients.losses import softmax_cross_entropy
from gradients.optimisers import SGD
from gradients.training import Recurrent, accuracy, averaged, fit


def runs(solved, cost, of=3):
    return [{"solved": n < solved, "cost": cost} for n in range(of)]


def test_rates_are_powers_of_three():
    assert [rate(k) for k in range(4)] == [0.001, 0.003, 0.009, 0.027] and rate(7) == 2.187
    assert all(rate(k + 1) / rate(k) == pytest.approx(3, rel=1e-3) for k in range(-5, 10))


@pytest.mark.parametrize(("tried", "wanted"), [
    ({1: runs(1, 1.0), 2: runs(3, 0.9), 3: runs(2, 0.1)}, (2, 0)),    # what solves most
    ({1: runs(3, 0.5), 2: runs(3, 0.4), 3: runs(3, 0.45)}, (2, 0)),   # of equals the cheapest
    ({1: runs(3, 0.5), 2: runs(2, 0.4), 3: runs(2, 0.4)}, (1, -1)),
    ({3: runs(3, 0.2), 1: runs(1, 0.5), 2: runs(3, 0.4)}, (3, 1)),    # in any order
    ({1: runs(3, 0.2), 2: runs(0, 1.0), 3: runs(3, 0.1)}, (3, 1)),    # the better edge
    ({1: runs(0, 1.99), 2: runs(0, 2.0), 3: runs(0, 1.97)}, (2, 0)),  # nothing learned anywhere: within 2%
    ({1: runs(0, 1.9), 2: runs(0, 2.0), 3: runs(0, 2.0)}, (1, -1)),
    ({1: runs(0, 1.9), 2: runs(0, 1.9), 3: runs(0, None)}, (2, 0)),   # broke down
    ({1: runs(0, None), 2: runs(0, None), 3: runs(0, None)}, (2, 0)),
    ({1: runs(0, 0.5), 2: runs(0, None), 3: runs(0, None)}, (1, -1)),
])
def test_the_best_rate(tried, wanted):
    assert best(tried) == wanted


SETTINGS = {"tuning": 2, "fresh": 3}
ARMS = [dict(model="even", at=2), dict(model="odd", at=9)]


def grid(arm):
    return range(3)


def run(model, at, part, rate):
    """Solved where the rate is that of k = at, and nearly so beside it."""
    distance = abs(np.log(rate / 0.001) / np.log(3) - at)
    return {"runs": [{"seed": seed, "solved": bool(distance < 0.5), "cost": round(float(distance), 3)}
                     for seed in seeds(part, SETTINGS)]}


def test_a_grid_grows_until_the_best_is_inside_and_fresh_seeds_follow(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["run.py", "--jobs", "1"])
    path = tmp_path / "run.jsonl"
    with pytest.raises(SystemExit) as stop:  # k = 9 is out of reach of 0, 1, 2 and five more
        run_protocol(path, run, ARMS, grid, SETTINGS, __doc__)
    assert stop.value.code not in (0, None) and "'odd', 'at': 9" in str(stop.value) and "'even'" not in str(stop.value)
    assert str(rate(7)) in str(stop.value)
    rows = read(path)[1]
    tuned = {arm["model"]: [row["rate"] for row in rows if arm.items() <= row.items() and row["part"] == "tuning"] for arm in ARMS}
    assert tuned == {"even": [rate(k) for k in range(4)], "odd": [rate(k) for k in range(8)]}
    fresh = {row["model"]: row for row in rows if row["part"] == "fresh"}
    assert fresh["even"]["rate"] == rate(2) and fresh["odd"]["rate"] == rate(7)
    assert [each["seed"] for each in fresh["even"]["runs"]] == [1000, 1001, 1002]
    assert not {*seeds("tuning", SETTINGS)} & {*seeds("fresh", SETTINGS)}

    monkeypatch.setattr(protocol, "MOST", 8)
    path.unlink()
    run_protocol(path, run, ARMS, grid, SETTINGS, __doc__)  # now it ends well
    assert [row["rate"] for row in read(path)[1] if row["part"] == "fresh"] == [rate(2), rate(9)]


def test_cases_of_an_arm_are_those_of_its_grid():
    assert first_cases(ARMS[:1], grid) == [ARMS[0] | {"part": "tuning", "rate": rate(k)} for k in range(3)]
    rows = [case | run(**case) for case in first_cases(ARMS[:1], grid)]
    assert further_cases(rows, grid) == [ARMS[0] | {"part": "tuning", "rate": rate(3)}]


# Training side by side --------------------------------------------------------

V = len(tasks.VOCABULARY)
loss = averaged(partial(softmax_cross_entropy, last=True), axis=1)


def nets_and_streams(activation="tanh"):
    def stream(rng):
        while True:
            batch = tasks.agreement(2, 8, rng=rng)
            yield batch.x, batch.y[-1]

    rngs = [np.random.default_rng(seed) for seed in range(3)]
    return [rnn.rnn(V, 12, V, activation, rng=rng, w_hx_scale=2) for rng in rngs], [stream(rng) for rng in rngs]


def look(net):
    batch = tasks.agreement(2, 64, rng=np.random.default_rng(9))
    o = rnn.forward(net, batch.x).o
    return loss(o, batch.y[-1])[0], accuracy(o[-1], batch.y[-1])


RATES = 0.9, 0.001, 0.3


def alone(net, stream, rate, penalty=None):
    """What `train` promises, of one net: its looks."""
    looks, optimiser = [look(net)], SGD(rate)
    for _ in range(10):
        fit(Recurrent(net), stream, loss, optimiser, steps=20, clip=1, penalty=penalty)
        looks.append(look(net))
        if min(share for _, share in looks[-2:]) >= 0.95:
            break
    return looks


def no_penalty(model):
    return 0.0, {}


@pytest.mark.parametrize("penalty", [None, no_penalty])
def test_each_net_trains_as_alone_and_stops_when_it_has_solved_the_task(penalty):
    nets, streams = nets_and_streams()
    results = train(nets, streams, loss, [SGD(rate) for rate in RATES], look, steps=200, every=20, right=0.95, clip=1, penalty=penalty)
    wanted = [alone(*each) for each in zip(*nets_and_streams(), RATES)]
    for result, looks in zip(results, wanted):
        assert np.array(result["looks"]) == pytest.approx(np.array(looks), rel=1e-6)
        assert result["steps"] == 20 * (len(looks) - 1) and not result["stopped"]
    assert [result["solved"] for result in results] == [True, False, True]
    assert results[0]["cost"] == pytest.approx(results[0]["steps"] / 200, rel=1e-3) and results[0]["cost"] < 1
    first, last = wanted[1][0][0], wanted[1][-1][0]
    assert results[1]["cost"] == pytest.approx(1 + last / first, rel=1e-3) and 1 < results[1]["cost"] < 2


def test_a_net_that_breaks_down_costs_most():
    nets, streams = nets_and_streams("relu")
    results = train(nets, streams, loss, [SGD(rate) for rate in (0.1, 1e300, 0.1)], look, steps=40, every=20, right=0.95)
    assert [result["stopped"] for result in results] == [False, True, False]
    assert results[1]["cost"] == 2 and results[1]["steps"] < 20 and len(results[1]["looks"]) == 1
