"""Times our RNN, LSTM and GRU against PyTorch, and keeps the times for chapter 12: ``python tests/benchmarks/speed.py [--quick]``.

The work and the way of timing are those of rnn.py and gates.py; PyTorch is timed without dL/dx. A row is printed
when it is done, and book/data/speed.jsonl is written at the end: its first line says how, every other is one row.
Run it on a machine that has nothing else to do. ``--quick`` takes shorter turns; ``--threads 1`` gives each library
one thread instead of those that it takes by default.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import gates
import rnn
from gradients import gru, lstm

FILE = Path(__file__).resolve().parents[2] / "book" / "data" / "speed.jsonl"
NETS = {
    "RNN": (rnn.in_numpy, rnn.in_torch),
    "LSTM": (partial(gates.in_numpy, lstm), partial(gates.in_torch, lstm)),
    "GRU": (partial(gates.in_numpy, gru), partial(gates.in_torch, gru)),
}
CASES = [(H, 100, B) for B in (64, 1) for H in (32, 64, 128)]


def blas_threads() -> int:
    """Of the library that computes NumPy's products."""
    return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="shorter turns")
    parser.add_argument("--threads", type=int, metavar="N", help="for each of the two libraries")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
        threadpool_limits(options.threads, user_api="blas")
    head = {
        "command": " ".join(["python tests/benchmarks/speed.py", *sys.argv[1:]]), "date": date.today().isoformat(),
        "settings": {"numpy": np.__version__, "torch": torch.__version__, "numpy_threads": blas_threads(),
                     "torch_threads": torch.get_num_threads(), "cores": os.cpu_count(), "inputs": rnn.UNITS, "outputs": rnn.UNITS,
                     "time": "forward and backward, ms, the fastest of many runs"},
    }
    rows = []
    for name, (in_numpy, in_torch) in NETS.items():
        for dtype in (np.float64, np.float32):
            for H, T, B in CASES:
                ours, theirs = rnn.milliseconds(
                    in_numpy(H, T, B, dtype), in_torch(H, T, B, dtype), seconds=0.1 if options.quick else 0.5)
                rows.append({"module": name, "dtype": dtype.__name__, "H": H, "T": T, "B": B,
                             "numpy_ms": round(ours, 3), "torch_ms": round(theirs, 3)})
                print(rows[-1], flush=True)
    FILE.write_text("".join(json.dumps(line) + "\n" for line in (head, *rows)), encoding="utf-8")


if __name__ == "__main__":
    main()
