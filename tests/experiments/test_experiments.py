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
import digits
import long_range
import numpy as np
import pytest
import recurrent
from sweep import read, sweep

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


@pytest.mark.parametrize("text", ["", '{"settings": {}', '{"settings": {}}\nnonsense\n{"n": 1}\n'])
def test_what_is_no_result_file_is_refused(tmp_path, text):
    path = tmp_path / "squares.jsonl"
    path.write_text(text)
    with pytest.raises(ValueError, match="^path: "):
        read(path)


# The committed results --------------------------------------------------------

EXPERIMENTS = [activations, depth, recurrent, digits, long_range]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda module: module.__name__)
def test_the_results_are_those_of_all_cases_and_these_settings(experiment):
    head, rows = read(experiment.PATH)
    assert head["command"] == f"python book/experiments/{experiment.__name__}.py"
    assert head["settings"] == json.loads(json.dumps(experiment.SETTINGS))
    assert [{name: row[name] for name in experiment.CASES[0]} for row in rows] == experiment.CASES


def stored(module, **wanted):
    row, = [row for row in read(module.PATH)[1] if wanted.items() <= row.items()]
    return row


# Cases that rounding can't change much: no threshold is near, and the training is not chaotic.

@pytest.mark.parametrize("case", [
    dict(experiment="scale", activation="sigmoid", scale=10, shift=0, rate=0.03, seed=1),
    dict(experiment="scale", activation="tanh", scale=1.5, shift=0, rate=0.01, seed=1),
    dict(experiment="scale", activation="elu", scale=1, shift=0, rate=0.03, seed=1),
    dict(experiment="scale", activation="leaky_relu", scale=1.41, shift=0, rate=0.01, seed=1),
    dict(experiment="centre", activation="tanh", scale=1, shift=0.5, rate=0.03, seed=1),
    dict(experiment="centre", activation="tanh", scale=1, shift=1, rate=1, seed=1),
], ids=lambda case: f"{case['experiment']}-{case['activation']}-{case['shift']}-{case['rate']}")
def test_a_slice_of_activations(case):
    want, got = stored(activations, **case)["loss"], activations.run(**case)["loss"]
    assert got == (want and pytest.approx(want, rel=0.001))  # four digits are stored


@pytest.mark.parametrize("norm", depth.NORMS)
@pytest.mark.parametrize("block", depth.BLOCKS)
def test_a_slice_of_depth(block, norm):
    case = dict(depth=10, block=block, norm=norm, rate=0.001, seed=1)
    want, got = stored(depth, **case), depth.run(**case)
    assert got["stopped"] == want["stopped"]
    if not got["stopped"]:
        assert got["loss"] == pytest.approx(want["loss"], rel=0.02)
        assert got["accuracy"] == pytest.approx(want["accuracy"], abs=0.02)


@pytest.mark.parametrize("case", [
    dict(start="Xavier", activation="tanh", filler=20, clip=1, penalty=None, strength=0, seed=1),
    dict(start="identity", activation="relu", filler=20, clip=1, penalty=None, strength=0, seed=1),
    dict(start="Xavier, gain 1.5", activation="tanh", filler=20, clip=None, penalty="l2", strength=0.3, seed=1),
    dict(start="Xavier, gain 1.5", activation="tanh", filler=20, clip=None, penalty="l1", strength=0.03, seed=1),
    dict(start="Xavier, gain 1.5", activation="relu", filler=20, clip=None, penalty="l2", strength=0.1, seed=1),
    dict(start="Xavier", activation="tanh", filler=30, clip=1, penalty="vanishing", strength=1, seed=1),
], ids=lambda case: f"{case['start']}-{case['activation']}-{case['penalty']}")
def test_a_slice_of_recurrent(case):
    want, got = stored(recurrent, **case), recurrent.run(**case)
    assert got["stopped"] == want["stopped"]
    if not got["stopped"]:
        assert got["right"] == pytest.approx(want["right"], abs=0.1)
        assert got["stretch"] == pytest.approx(want["stretch"], rel=0.1)


@pytest.mark.parametrize("way", ["nothing", "dropout 0.5", "L2 0.03", "L1 0.003"])
def test_a_slice_of_overfitting(way):
    case = dict(experiment="overfitting", way=way, seed=1)
    want, got = stored(digits, **case), digits.run(**case)
    for name in ("known", "new"):
        assert got[name] == pytest.approx(want[name], abs=0.05)


@pytest.mark.parametrize("way", ["sigmoid, random", "sigmoid, pre-trained", "sigmoid, scale 6", "tanh, random"])
def test_a_slice_of_pre_training(way):
    case = dict(experiment="pre-training", way=way, seed=1)
    want, got = stored(digits, **case), digits.run(**case)
    assert got["before"] == pytest.approx(want["before"], rel=0.05)
    assert got["new"] == pytest.approx(want["new"], abs=0.05)


@pytest.mark.parametrize("case", [
    dict(task="adding", length=20, model="GRU", seed=1),
    dict(task="order", length=20, model="tanh", seed=1),
    dict(task="order", length=20, model="tanh clipped", seed=1),
    dict(task="order", length=20, model="LSTM", seed=1),
    dict(task="order", length=20, model="IRNN", seed=1),
    dict(task="order", length=50, model="tanh clipped", seed=1),
    dict(task="agreement", length=30, model="LSTM bias 4", seed=1),
    dict(task="agreement", length=60, model="GRU", seed=1),
], ids=lambda case: "-".join(map(str, case.values())))
def test_a_slice_of_long_range(case):
    want, got = stored(long_range, **case), long_range.run(**case)
    assert got["before"] == pytest.approx(want["before"], rel=0.02)  # two digits are stored
    assert got["losses"][0] == pytest.approx(want["losses"][0], rel=0.02)
    assert (got["solved"], got["stopped"]) == (want["solved"], want["stopped"])
    assert got["steps"] == pytest.approx(want["steps"], abs=200)


@pytest.mark.parametrize("model", ["ReLU", "IRNN"])
def test_a_slice_of_long_range_that_is_out_of_reach(model, monkeypatch):
    """The beginning of such a run: the settings of the whole but for fewer steps."""
    monkeypatch.setitem(long_range.SETTINGS, "steps", 100)
    for task, length in (("adding", 100), ("copying", 20)):
        case = dict(task=task, length=length, model=model, seed=4)
        want, got = stored(long_range, **case), long_range.run(**case)
        assert got["before"] == pytest.approx(want["before"], rel=0.02)
        assert got["right"] == pytest.approx(want["right"][:2], abs=0.1)


def test_the_lags_of_stored_signals():
    assert list(long_range.lags(5)) == [0, 1, 2, 3, 4]
    assert list(long_range.lags(1)) == [0]
    lags = long_range.lags(100)
    assert len(lags) == 26 and lags[0] == 0 and lags[-1] == 99 and max(np.diff(lags)) == 4
