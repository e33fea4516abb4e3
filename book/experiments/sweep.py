"""Run one function for many cases: in parallel, with a progress bar, and so that a kill loses nothing.

The result is a file of lines, each a JSON object. The first says how the file came about, every other is one case
with its result:

    {"command": "python book/experiments/depth.py", "date": "2026-11-21", "settings": {"steps": 300}}
    {"depth": 10, "seed": 0, "accuracy": 0.951}

A case is written as soon as it is done. Start the same command again after a kill, and it goes on with the cases
that are missing. When none is missing, the lines are put in the order of the cases: the same cases and settings give
the same file, but for the date, whatever the number of processes.

The cases can also run on a Dask cluster, on as many machines as there are:

    dask scheduler                                               # on one machine; it says tcp://host:8786
    dask worker tcp://host:8786 --nworkers -1 --nthreads 1       # on every machine: one process for each core
    python book/experiments/depth.py --scheduler tcp://host:8786

The workers need the Python of the script and the packages of requirements.txt, `gradients` among them; the code in
this folder is sent to them. A worker may come or die at any time: its cases run elsewhere. Machines that compute
alike give the same file as a run without a cluster.
"""

import argparse
import json
import math
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from joblib import Parallel, delayed
from tqdm import tqdm

__all__ = ["main", "read", "rounded", "sweep"]


def read(path: str | Path) -> tuple[dict, list[dict]]:
    """The first line of a result file, and the others.

    A last line that a kill cut off is left out. ValueError: another line that isn't JSON, or a file without lines.
    """
    *lines, rest = Path(path).read_text(encoding="utf-8").split("\n")  # rest is "", or what was cut off
    if not lines:
        raise ValueError(f"path: got {path} without a whole line, want a result file; delete it to begin anew")
    try:
        head, *rows = [json.loads(line) for line in lines]
    except json.JSONDecodeError as error:
        raise ValueError(f"path: got {path} with a line that isn't JSON ({error}), want a result file") from None
    return head, rows


def sweep(
    path: str | Path, run: Callable[..., dict], cases: Sequence[dict], *, command: str, settings: dict,
    more: Callable[[list[dict]], Sequence[dict]] = lambda rows: [], jobs: int = -1, scheduler: str | None = None,
) -> list[dict]:
    """Write `run(**case)` for every case to the file `path`, or finish such a file; returns its rows.

    run        returns a dict of what JSON has; a function at the top level of a module, for it runs in other processes
    cases      dicts of what JSON has, all different and with the same names, the arguments of `run`
    command    how to make this file, for its first line
    settings   what else the results depend on: a file with other settings isn't gone on with
    more       the rows of all cases so far, in order -> what to run next, cases among those so far left out; called
               again and again, until nothing is new. For cases that depend on results; the same rows must give the same
    jobs       processes, as in joblib: -1 is one for each core
    scheduler  "tcp://host:port" of a Dask cluster that runs the cases, instead of processes here; without workers, it
               waits for them

    ValueError: two equal cases, a file with other settings or with a case that isn't wanted, no such address.
    ModuleNotFoundError: a scheduler, but no distributed. OSError: nothing answers there.
    """
    if scheduler is not None:
        _check(scheduler)
    path, cases, names = Path(path), list(cases), list(cases[0])
    if len({_key(case, names) for case in cases}) < len(cases):
        raise ValueError(f"cases: got {len(cases)} with one of them repeated, want each once")
    head, rows = {"command": command, "date": date.today().isoformat(), "settings": settings}, []
    if path.exists():
        head, rows = read(path)
        if head["settings"] != settings:
            raise ValueError(f"settings: got {settings}, want {head['settings']} as in {path}; delete it to begin anew")
    done = {_key(row, names): row for row in rows}
    missing = _missing(cases, done, names, more)
    unknown = done.keys() - {_key(case, names) for case in cases}
    if unknown:
        raise ValueError(f"cases: {path} has {done[min(unknown)]}, which isn't among them; delete it to begin anew")
    _replace(path, [head, *rows])
    while missing:
        if scheduler is None:
            work = Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(_one)(run, case) for case in missing)
        else:
            work = _on_cluster(scheduler, run, missing)
        with open(path, "a", encoding="utf-8") as file:
            for row in tqdm(work, total=len(cases), initial=len(done), unit="run", smoothing=0):
                file.write(_line(row))
                file.flush()
                os.fsync(file.fileno())
                done[_key(row, names)] = row
        missing = _missing(cases, done, names, more)
    rows = [done[_key(case, names)] for case in cases]
    _replace(path, [head, *rows])
    return rows


def _missing(cases, done, names, more):
    """Which of the cases aren't done; when all are, `cases` is lengthened by what comes next."""
    while True:
        missing = [case for case in cases if _key(case, names) not in done]
        if missing:
            return missing
        known = {_key(case, names) for case in cases}
        new = [case for case in more([done[_key(case, names)] for case in cases]) if _key(case, names) not in known]
        if not new:
            return []
        cases += new


def main(path: Path, run: Callable[..., dict], cases: Sequence[dict], settings: dict, description: str, **options) -> list[dict]:
    """The command line of a script whose results are in book/data, under the script's own name: see `sweep`."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--jobs", type=int, default=-1, help="processes; -1: one for each core")
    where.add_argument("--scheduler", metavar="tcp://host:port", help="run on this Dask cluster instead")
    command = f"python book/experiments/{path.stem}.py"
    return sweep(path, run, cases, command=command, settings=settings, **options, **vars(parser.parse_args()))


def rounded(value: float, digits: int = 4) -> float | None:
    """`value` with so many significant digits, as a file of results has it; None for NaN and inf, which JSON lacks."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None


def _one(run, case):
    return case | run(**case)


def _check(scheduler):
    """ValueError if it's no address of a scheduler; ModuleNotFoundError if there is no Dask to reach it with."""
    try:
        parts = urlsplit(scheduler)
        fits = parts.scheme == "tcp" and parts.hostname and parts.port and scheduler == f"tcp://{parts.netloc}"
    except ValueError:  # a port that is no port
        fits = False
    if not fits:
        raise ValueError(f"scheduler: got {scheduler!r}, want an address as in 'tcp://host:8786'")
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise ModuleNotFoundError(
            "scheduler: needs the package distributed; pip install distributed, or -r requirements.txt") from None


def _on_cluster(scheduler, run, cases):
    """Yield the row of every case as soon as a worker has it."""
    if not cases:
        return
    import cloudpickle
    from distributed import Client, as_completed

    # Pickle has functions by name, but workers can't import what is in this folder: send those themselves.
    here = Path(__file__).parent
    for module in list(sys.modules.values()):
        if Path(getattr(module, "__file__", None) or "/").parent == here:
            cloudpickle.register_pickle_by_value(module)
    packed = cloudpickle.dumps(partial(_one, run))
    with Client(scheduler) as client:
        # Still packed inside a lambda, for the scheduler would pickle the function again, and without knowing this.
        # Hold no list of the futures: a worker that dies would make Dask run again what has been yielded.
        for future in as_completed(client.map(lambda case: pickle.loads(packed)(case), cases, pure=False)):
            yield future.result()


def _key(row, names):
    return json.dumps([row.get(name) for name in names])


def _line(row):
    return json.dumps(row, ensure_ascii=False) + "\n"


def _replace(path, rows):
    """Write the whole file, so that at any time there is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text("".join(map(_line, rows)), encoding="utf-8")
    os.replace(fresh, path)
