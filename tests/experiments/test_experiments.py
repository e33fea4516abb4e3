"""The experiments: a run that is killed goes on, and the committed results are those of the code."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import activations
import depth
import depth_longer
import digits
import long_range
import numpy as np
import pytest
import recurrent
from protocol import best, first_cases, further_cases, seeds
from sweep import read, sweep

from gradients import rnn, tasks

CASES = [dict(n=n, letter=letter) for n in (1, 2, 3) for letter in "ab"]
HOW = dict(command="python here.py", settings={"steps": 3})


def square(n, letter):
    return {"square": n * n, "text": letter * n}


def never(n, letter):
    raise AssertionError(f"ran {n}{letter}")


def results(path):
    return [(row["n"], row["letter"], row["square"]) for row in read(path)[1]]


WHOLE = [(n, letter, n * n) for n in (1, 2, 3) for letter in "ab"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_file_has_a_head_and_every_case_in_order(tmp_path, jobs):
    path = tmp_path / "data" / "squares.jsonl"
    sweep(path, square, CASES, **HOW, jobs=jobs)
    head, rows = read(path)
    assert set(head) == {"command", "date", "settings"} and head["settings"] == {"steps": 3}
    assert rows == [case | square(**case) for case in CASES]
    before = path.read_bytes()
    sweep(path, never, CASES, **HOW, jobs=1)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["squares.jsonl"]


def test_it_goes_on_where_it_was_stopped(tmp_path):
    path = tmp_path / "squares.jsonl"
    sweep(path, square, CASES, **HOW, jobs=1)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[5], lines[2], lines[3][:9]]))  # out of order, the last one cut off
    ran = []
    sweep(path, lambda n, letter: ran.append((n, letter)) or square(n, letter), CASES, **HOW, jobs=1)
    assert path.read_bytes() == whole
    assert ran == [(1, "a"), (2, "a"), (2, "b"), (3, "b")]


def test_a_run_that_fails_keeps_what_is_done(tmp_path):
    def fails_at_two(n, letter):
        return never(n, letter) if n == 2 else square(n, letter)

    path = tmp_path / "squares.jsonl"
    with pytest.raises(AssertionError, match="ran 2a"):
        sweep(path, fails_at_two, CASES, **HOW, jobs=1)
    assert results(path) == WHOLE[:2]
    sweep(path, square, CASES, **HOW, jobs=1)
    assert results(path) == WHOLE


def test_a_killed_process_loses_no_line(tmp_path):
    script, path, log = tmp_path / "slow.py", tmp_path / "slow.jsonl", tmp_path / "log.txt"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(Path(depth.__file__).parent)!r})\n"
        "from sweep import sweep\n"
        "def run(n):\n"
        f"    open({str(log)!r}, 'a').write(f'{{n}} ')\n"
        "    time.sleep(0.05)\n"
        "    return {'square': n * n}\n"
        "if __name__ == '__main__':\n"
        f"    sweep({str(path)!r}, run, [dict(n=n) for n in range(60)], command='', settings={{}}, jobs=2)\n")
    process = subprocess.Popen([sys.executable, str(script)], start_new_session=True, stderr=subprocess.DEVNULL)
    while not (path.exists() and path.read_text().count("\n") > 10):
        assert process.poll() is None, "it was done before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {row["n"] for row in read(path)[1]}
    assert 10 <= len(kept) < 60
    log.write_text("")
    subprocess.run([sys.executable, str(script)], check=True, capture_output=True)
    assert [row["square"] for row in read(path)[1]] == [n * n for n in range(60)]
    assert sorted(map(int, log.read_text().split())) == sorted(set(range(60)) - kept)


@pytest.mark.parametrize(("change", "argument"), [
    (dict(settings={"steps": 4}), "settings"), (dict(cases=CASES[:3]), "cases"), (dict(cases=CASES + CASES[:1]), "cases")])
def test_what_does_not_fit_the_file_is_refused(tmp_path, change, argument):
    path = tmp_path / "squares.jsonl"
    sweep(path, square, CASES, **HOW, jobs=1)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"^{argument}: "):
        sweep(path, square, **{"cases": CASES, **HOW, **change}, jobs=1)
    assert path.read_bytes() == before


def after(rows):
    """Doubles of what is there, up to 8: they depend on rows that came from here, too."""
    return [dict(n=2 * row["n"], letter=row["letter"]) for row in rows if row["n"] < 8]


def test_cases_can_follow_from_rows(tmp_path):
    path, ran = tmp_path / "squares.jsonl", []
    run = lambda n, letter: ran.append((n, letter)) or square(n, letter)  # noqa: E731
    rows = sweep(path, run, CASES, **HOW, more=after, jobs=1)
    assert [row["n"] for row in rows] == [1, 1, 2, 2, 3, 3, 4, 4, 6, 6, 8, 8, 12, 12] and rows == read(path)[1]
    assert len(ran) == len(rows)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for kept in (14, 11, 5):  # stopped in each of the phases
        path.write_bytes(b"".join(lines[:kept]))
        ran.clear()
        sweep(path, run, CASES, **HOW, more=after, jobs=1)
        assert path.read_bytes() == whole and len(ran) == 15 - kept
    with pytest.raises(ValueError, match=r"^cases: .*'n': (4|6|8|12)\b"):
        sweep(path, never, CASES, **HOW, jobs=1)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["", '{"settings": {}', '{"settings": {}}\nnonsense\n{"n": 1}\n'])
def test_what_is_no_result_file_is_refused(tmp_path, text):
    path = tmp_path / "squares.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match="^path: "):
        read(path)


# The committed results --------------------------------------------------------

EXPERIMENTS = [activations, depth, depth_longer, recurrent, digits, long_range]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda module: module.__name__)
def test_the_results_are_those_of_these_settings_and_of_all_that_follows(experiment):
    head, rows = read(experiment.PATH)
    assert head["command"] == f"python book/experiments/{experiment.__name__}.py"
    assert head["settings"] == json.loads(json.dumps(experiment.SETTINGS))
    names = [*experiment.ARMS[0], "part", "rate"]
    cases, whole = [{name: row[name] for name in names} for row in rows], first_cases(experiment.ARMS, experiment.grid)
    assert cases[:len(whole)] == whole
    known = [json.dumps(case) for case in cases]
    assert len({*known}) == len(known)
    assert all(json.dumps(case) in known for case in further_cases(rows, experiment.grid))
    assert len(rows) == len(sweep_again(rows, experiment))


def sweep_again(rows, experiment):
    """The cases that follow from the rows, each taken from the rows: none is missing, none is there for nothing."""
    names = [*experiment.ARMS[0], "part", "rate"]
    known = {json.dumps([row[name] for name in names]): row for row in rows}
    cases = first_cases(experiment.ARMS, experiment.grid)
    while True:
        done = [known[json.dumps([case[name] for name in names])] for case in cases]
        new = [case for case in further_cases(done, experiment.grid) if case not in cases]
        if not new:
            return cases
        cases += new


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda module: module.__name__)
def test_every_arm_has_its_seeds_and_a_best_rate_inside_its_grid(experiment):
    rows = read(experiment.PATH)[1]
    for row in rows:
        assert [run["seed"] for run in row["runs"]] == seeds(row["part"], experiment.SETTINGS)
    for arm in experiment.ARMS:
        mine = [row for row in rows if arm.items() <= row.items()]
        tried = {row["rate"]: row["runs"] for row in mine if row["part"] == "tuning"}
        fresh = [row["rate"] for row in mine if row["part"] == "fresh"]
        assert len(tried) > 2 and [(best(tried))] == [(rate, 0) for rate in fresh]
        rates = sorted(tried)
        assert all(b / a < 3.01 for a, b in zip(rates, rates[1:]))


def stored(module, **wanted):
    row, = [row for row in read(module.PATH)[1] if wanted.items() <= row.items()]
    return row


def again(module, case, monkeypatch, seeds=2):
    """The stored and the new runs of the first seeds of a case."""
    want = stored(module, **case)["runs"][:seeds]
    monkeypatch.setitem(module.SETTINGS, case["part"], seeds)
    return zip(want, module.run(**case)["runs"])


# Cases that rounding can't change much: no threshold is near, and the training is not chaotic.

RECURRENT = dict(clip=1, penalty=None, strength=0, part="tuning")


@pytest.mark.parametrize("case", [
    dict(experiment="clipping", start="Xavier, gain 0.5", activation="tanh", filler=3, clip=5, rate=0.081),
    dict(experiment="start", start="orthogonal", activation="tanh", filler=20, rate=0.027),
    dict(experiment="start", start="identity", activation="relu", filler=20, rate=0.027),
    dict(experiment="size", start="Xavier, gain 1.5", activation="tanh", filler=20, clip=None, penalty="l2", strength=0.3, rate=0.243),
    dict(experiment="size", start="Xavier, gain 1.5", activation="tanh", filler=20, clip=None, penalty="l1", strength=0.03, rate=0.243),
    dict(experiment="vanishing", start="Xavier", activation="tanh", filler=30, penalty="vanishing", strength=1, rate=0.081, part="fresh"),
], ids=lambda case: f"{case['experiment']}-{case['start']}-{case['activation']}")
def test_a_slice_of_recurrent(case, monkeypatch):
    case = RECURRENT | case
    for want, got in again(recurrent, case, monkeypatch):
        assert (got["seed"], got["solved"], got["stopped"]) == (want["seed"], want["solved"], want["stopped"])
        assert got["before"] == pytest.approx(want["before"], rel=0.02)  # two digits are stored
        assert got["steps"] == pytest.approx(want["steps"], abs=100)
        if "course" in want:
            for (_, one), (_, other) in zip(got["course"][:1], want["course"][:1]):
                assert one == pytest.approx(other, rel=0.02)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_nets_of_a_start_are_those_that_chapter_5_trains(activation):
    """"Xavier, gain 1.5" draws what `rnn` does with w_hh_scale=1.5: the chapter's own runs and the stored ones are of one kind."""
    V = len(tasks.VOCABULARY)
    own = rnn.rnn(V, 32, V, activation, rng=np.random.default_rng(3), w_hh_scale=1.5, w_hx_scale=V**0.5 / 2)
    net = recurrent.first_net("Xavier, gain 1.5", activation, np.random.default_rng(3))
    for drawn in (net, own):
        assert np.std(drawn.W_hh) == pytest.approx(1.5 / 32**0.5, rel=0.05)
    assert np.array_equal(net.W_hx, own.W_hx)


@pytest.mark.parametrize("case", [
    dict(task="adding", length=20, model="GRU", rate=0.009),
    dict(task="adding 1997", length=50, model="GRU", rate=0.027),
    dict(task="order", length=20, model="IRNN", rate=0.003),
    dict(task="order", length=20, model="LSTM", rate=0.009),
    dict(task="agreement", length=10, model="tanh", rate=0.009),
    dict(task="agreement", length=10, model="ReLU as PyTorch", rate=0.003),
    dict(task="agreement", length=10, model="LSTM as PyTorch bias 3", rate=0.009),
    dict(task="agreement", length=60, model="LSTM bias 4", rate=0.009),
], ids=lambda case: "-".join(map(str, case.values())))
def test_a_slice_of_long_range(case, monkeypatch):
    for want, got in again(long_range, case | dict(budget=1500, part="tuning"), monkeypatch, seeds=1):
        assert got["before"] == pytest.approx(want["before"], rel=0.02)  # two digits are stored
        assert (got["seed"], got["solved"], got["stopped"]) == (want["seed"], want["solved"], want["stopped"])
        assert got["steps"] == pytest.approx(want["steps"], abs=200)


def test_the_paths_of_a_slice_of_long_range(monkeypatch):
    case = dict(task="agreement", length=10, model="LSTM bias 4", budget=1500, part="fresh")
    rate, = [row["rate"] for row in read(long_range.PATH)[1] if case.items() <= row.items()]
    for want, got in again(long_range, case | dict(rate=rate), monkeypatch, seeds=1):
        assert got["paths"][0] == pytest.approx(want["paths"][0], rel=0.02, abs=1e-3)
        for paths in got["paths"]:
            assert len(paths) == long_range.SETTINGS["detours"] + 2 and sum(paths) == pytest.approx(1, abs=0.02)
        assert got["before"] == pytest.approx(want["before"], rel=0.02)
        assert got["right"][0] == pytest.approx(want["right"][0], abs=0.02)


def test_a_slice_of_long_range_that_is_out_of_reach(monkeypatch):
    """The beginning of such a run: fewer steps, the rest as stored."""
    case = dict(task="copying", length=5, model="LSTM", budget=1500, part="tuning", rate=0.003)
    row = stored(long_range, **case)
    monkeypatch.setitem(long_range.SETTINGS, "tuning", 1)
    run, = long_range.run(**{name: value for name, value in case.items() if name != "budget"} | {"budget": 100})["runs"]
    assert run["before"] == pytest.approx(row["runs"][0]["before"], rel=0.02) and run["steps"] == 100 and not run["solved"]


def test_the_lags_of_stored_signals():
    assert list(long_range.lags(5)) == [0, 1, 2, 3, 4]
    assert list(long_range.lags(1)) == [0]
    lags = long_range.lags(100)
    assert len(lags) == 26 and lags[0] == 0 and lags[-1] == 99 and max(np.diff(lags)) == 4


def test_nets_that_start_as_those_of_pytorch(torch):
    """All parameters uniform within 1/sqrt(H), two biases for one of ours; the forget bias alone is set."""
    task, bound = long_range.Task("agreement", 10), 32**-0.5
    for model, kind in (("tanh", torch.nn.RNN), ("GRU", torch.nn.GRU), ("LSTM", torch.nn.LSTM)):
        net = long_range.first_net(f"{model} as PyTorch", task.inputs, task.outputs, np.random.default_rng(0))
        theirs = kind(task.inputs, 32)
        for ours, name in ((net.W_hx, "weight_ih_l0"), (net.W_hh, "weight_hh_l0")):
            other = getattr(theirs, name).detach().numpy()
            assert ours.shape == other.shape and np.abs(ours).max() <= bound
            for drawn in (ours, other):
                assert drawn.std() == pytest.approx(bound / 3**0.5, rel=0.1)
        assert net.b_h.std() == pytest.approx(bound * (2 / 3) ** 0.5, rel=0.35)
    net = long_range.first_net("LSTM as PyTorch bias 3", task.inputs, task.outputs, np.random.default_rng(0))
    assert (net.b_h[32:64] == 3).all() and np.abs(net.b_h[:32]).max() < 1
