"""The experiments on a real Dask cluster: the file is that of a run without one, and a kill loses nothing."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import dask
import depth
import distributed
import pytest
from protocol import first_cases
from sweep import main, read, sweep

# Every run notes the case and its process in the file RUNS, and whether that process could have imported `sweep`.
SCRIPT = f'''"""Slow squares."""
import importlib.util, os, signal, sys, time
from pathlib import Path
sys.path.insert(0, {str(Path(depth.__file__).parent)!r})
import numpy as np
from sweep import main, rounded
from gradients.initialisers import orthogonal
PATH, RUNS, DEADLY = (os.environ.get(name) for name in ("DATA", "RUNS", "DEADLY"))
CASES = [dict(n=n, name="ä" * (n % 3)) for n in range(40)]
def noise(n):
    return orthogonal(3, 3, rng=np.random.default_rng(n))[0].sum()
def run(n, name):
    known = importlib.util.find_spec("sweep") is not None
    with open(RUNS, "a") as file:
        file.write(f"{{n}} {{os.getpid()}} {{known}}\\n")
    if n == 30 and DEADLY and not os.path.exists(DEADLY):
        open(DEADLY, "w").close()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return {{"square": n * n, "noise": rounded(noise(n)), "nothing": rounded(float("nan")), "pair": (1, name)}}
if __name__ == "__main__":
    main(Path(PATH), run, CASES, {{"steps": 3}}, __doc__)
'''
EVERY = range(40)


class Cluster:
    """A scheduler on a port of its own choice, in a folder without any code, and the workers one asks for."""

    def __init__(self, folder):
        self.folder, self.workers = folder, []
        found = folder / "scheduler.json"
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--dashboard-address", "127.0.0.1:0",
            "--scheduler-file", str(found), "--idle-timeout", "120s")

        def address():  # the file is there before all of it is written
            return found.exists() and re.search(r'"address": "(tcp://[^"]+)"', found.read_text())

        until(address, "the scheduler never started", self.scheduler)
        self.address = address()[1]

    def add(self, workers=1):
        for _ in range(workers):
            self.workers.append(self._start(
                "worker", self.address, "--host", "127.0.0.1", "--nthreads", "1", "--no-nanny", "--no-dashboard",
                "--memory-limit", "0", "--local-directory", str(self.folder), "--death-timeout", "10"))
        with distributed.Client(self.address) as client:
            client.wait_for_workers(sum(worker.poll() is None for worker in self.workers), timeout=20)

    def _start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments], cwd=self.folder, env=environment(), start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.add(workers=2)
        yield cluster


@pytest.fixture
def script(tmp_path):
    """Start the script with its results in tmp_path / `data` and its notes in tmp_path / `runs`."""
    file, processes = tmp_path / "slow.py", []
    file.write_text(SCRIPT, encoding="utf-8")

    def start(data, runs, *arguments, deadly=""):
        names = dict(DATA=data, RUNS=runs, DEADLY=deadly)
        env = environment(**{key: name and str(tmp_path / name) for key, name in names.items()})
        processes.append(subprocess.Popen(
            [sys.executable, str(file), *arguments], env=env, text=True, stderr=subprocess.PIPE,
            start_new_session=True))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def environment(**more):
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "OPENBLAS_NUM_THREADS": "1", "PYTHONUTF8": "1"} | more


def until(condition, message, process, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None and time.monotonic() < end, message
        time.sleep(0.01)


def finish(process):
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    return errors


def lines(path):
    return path.read_text().count("\n") if path.exists() else 0


def ran(path):
    """How often each case ran, and in which processes."""
    notes = [line.split() for line in path.read_text().splitlines()]
    assert {known for *_, known in notes} == {"False"}, "a worker could import sweep, or no worker ran them"
    return Counter(int(n) for n, *_ in notes), {int(pid) for _, pid, _ in notes}


def undated(path):
    text, dates = re.subn(rb'"date": "\d{4}-\d\d-\d\d"', b"", path.read_bytes())
    assert dates == 1
    return text


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The file of a run without a cluster, but for the date."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "slow.py").write_text(SCRIPT.replace("time.sleep(0.1)", "pass"), encoding="utf-8")
    subprocess.run([sys.executable, "slow.py", "--jobs", "1"], cwd=folder, check=True, capture_output=True, timeout=30,
                   env=environment(DATA="slow.jsonl", RUNS="runs.txt"))
    return undated(folder / "slow.jsonl")


def test_the_file_is_that_of_a_run_without_a_cluster(cluster, script, local, tmp_path):
    progress = finish(script("slow.jsonl", "runs", "--scheduler", cluster.address))
    assert undated(tmp_path / "slow.jsonl") == local
    counts, processes = ran(tmp_path / "runs")
    assert counts == Counter(EVERY)
    assert processes == {worker.pid for worker in cluster.workers if worker.poll() is None}
    assert "40/40" in progress


def test_a_killed_run_goes_on(cluster, script, local, tmp_path):
    path = tmp_path / "slow.jsonl"
    process = script(path.name, "before", "--scheduler", cluster.address)
    until(lambda: lines(path) > 10, "it was done before it could be killed, or never began", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = [row["n"] for row in read(path)[1]]
    assert 10 <= len(kept) < 30
    finish(script(path.name, "after", "--scheduler", cluster.address))
    assert undated(path) == local
    assert ran(tmp_path / "after")[0] == Counter(set(EVERY) - set(kept))
    assert ran(tmp_path / "before")[0].total() <= len(kept) + 8, "the cluster went on without the killed run"


def test_a_worker_that_dies_loses_nothing(cluster, script, local, tmp_path):
    cluster.add()
    finish(script("slow.jsonl", "runs", "--scheduler", cluster.address, deadly="died"))
    assert undated(tmp_path / "slow.jsonl") == local
    assert [worker.poll() for worker in cluster.workers].count(-signal.SIGKILL) == 1
    counts, processes = ran(tmp_path / "runs")
    assert counts[30] == 2 and set(counts) == set(EVERY)
    assert counts.total() <= len(EVERY) + 3, "what was written ran again"
    assert len(processes) == 3


def test_a_scheduler_that_dies_ends_the_run(script, local, tmp_path, cluster):
    path = tmp_path / "slow.jsonl"
    with Cluster(tmp_path) as other:
        other.add()
        process = script(path.name, "before", "--scheduler", other.address)
        until(lambda: lines(path) > 5, "it never began", process)
        other.scheduler.kill()
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 1 and "lost the connection to the scheduler" in errors
    assert len(read(path)[1]) >= 5
    finish(script(path.name, "after", "--scheduler", cluster.address))
    assert undated(path) == local


# In this process -------------------------------------------------------------

CASES = [dict(n=n) for n in range(6)]
HOW = dict(command="", settings={})


def test_an_experiment_beside_sweep_runs_there(cluster, tmp_path):
    # A module that imports another one in its folder, and a result that needs `gradients`.
    cases = [case for case in first_cases(depth.ARMS, depth.grid) if case["depth"] == 10 and case["rate"] == 0.009][:2]
    for name, where in [("here", dict(jobs=1)), ("there", dict(scheduler=cluster.address))]:
        sweep(tmp_path / name, depth.run, cases, **HOW, **where)
    assert undated(tmp_path / "there") == undated(tmp_path / "here")


def test_a_run_that_fails_keeps_what_is_done(cluster, tmp_path):
    def fails_at(n, bad):
        time.sleep(0.1)
        if n == bad:
            raise ArithmeticError(f"ran {n}")
        return {"square": n * n}

    path = tmp_path / "squares.jsonl"
    with pytest.raises(ArithmeticError, match="ran 5"):
        sweep(path, partial(fails_at, bad=5), CASES, **HOW, scheduler=cluster.address)
    assert {1, 2, 3} <= {row["n"] for row in read(path)[1]} <= {0, 1, 2, 3, 4}
    sweep(path, partial(fails_at, bad=None), CASES, **HOW, scheduler=cluster.address)
    assert read(path)[1] == [dict(n=n, square=n * n) for n in range(6)]


def test_a_whole_file_needs_no_cluster(tmp_path):
    path = tmp_path / "squares.jsonl"
    sweep(path, lambda n: {"square": n * n}, CASES, **HOW, jobs=1)
    before = path.read_bytes()
    sweep(path, None, CASES, **HOW, scheduler="tcp://127.0.0.1:1")
    assert path.read_bytes() == before


@pytest.mark.parametrize("address", [
    "", "127.0.0.1:8786", "localhost", "tls://127.0.0.1:8786", "http://127.0.0.1:8786", "tcp://127.0.0.1",
    "tcp://:8786", "tcp://127.0.0.1:port", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:8786/", " tcp://127.0.0.1:8786"])
def test_what_is_no_address_is_refused(tmp_path, address):
    path = tmp_path / "squares.jsonl"
    with pytest.raises(ValueError, match=f"^scheduler: got {re.escape(repr(address))}, want .*tcp://host:"):
        sweep(path, None, CASES, **HOW, scheduler=address)
    assert not path.exists()


def test_an_address_where_nothing_answers(tmp_path):
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        with pytest.raises(OSError, match="tcp://127.0.0.1:1 "):
            sweep(tmp_path / "squares.jsonl", abs, CASES, **HOW, scheduler="tcp://127.0.0.1:1")


def test_without_distributed_it_says_what_to_install(tmp_path, monkeypatch):
    path = tmp_path / "squares.jsonl"
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match="^scheduler: .*pip install distributed"):
        sweep(path, None, CASES, **HOW, scheduler="tcp://127.0.0.1:8786")
    assert not path.exists()
    sweep(path, lambda n: {"square": n * n}, CASES, **HOW, jobs=1)


def test_jobs_and_a_scheduler_exclude_each_other(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["squares.py", "--jobs", "2", "--scheduler", "tcp://127.0.0.1:8786"])
    with pytest.raises(SystemExit):
        main(tmp_path / "squares.jsonl", None, CASES, {}, "Squares.")
    assert "not allowed with argument --jobs" in capsys.readouterr().err
