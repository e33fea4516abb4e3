"""Times `training.fit_many` against `fit` of one net after the other: ``python tests/benchmarks/many.py [--quick]``.

H = B = 32, as in a sweep; two inputs, one output, Adam, clipped by norm. First on one processor, in microseconds of its
time for one step of one net: the cases take turns, and the median of the rounds is shown; `floor` is what the products
and exp and tanh alone take, 16 nets at a time. Then in seconds on the clock, a group of nets on each of two
processors, in processes and in threads. ``--quick`` leaves out float64.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import repeat

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is loaded

import numpy as np

from gradients.gru import gru
from gradients.losses import squared_error
from gradients.lstm import lstm
from gradients.optimisers import Adam
from gradients.rnn import rnn
from gradients.training import Recurrent, averaged, fit, fit_many

H = B = 32
D, Q, STEPS = 2, 1, 10
LOSS = averaged(partial(squared_error, last=True), axis=1)
SIDE_BY_SIDE = 1, 8, 16, 32


def problem(draw, N, T, dtype):
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(N):
        x = rng.standard_normal((T, B, D)).astype(dtype)
        batches.append((x, x[0, :, :1].copy()))
    return [draw(D, H, Q, rng=rng, dtype=dtype) for _ in range(N)], batches, [Adam(1e-3) for _ in range(N)]


def one_at_a_time(draw, N, T, dtype, steps=STEPS):
    for net, batch, optimiser in zip(*problem(draw, N, T, dtype)):
        fit(Recurrent(net), repeat(batch), LOSS, optimiser, steps=steps, clip=1.0)


def side_by_side(draw, N, T, dtype, steps=STEPS):
    nets, batches, optimisers = problem(draw, N, T, dtype)
    fit_many(nets, [repeat(batch) for batch in batches], LOSS, optimisers, steps=steps, clip=1.0)


def floor(draw, N, T, dtype):
    """The products and the functions of one step of N nets, with nothing between them."""
    blocks, exps, tanhs = {rnn: (1, 1, 1), lstm: (4, 3, 2), gru: (3, 2, 1)}[draw]  # exp of an RNN: in the slope of tanh
    rng = np.random.default_rng(0)
    W, passed, seen, W_T = (rng.standard_normal((N, *shape)).astype(dtype) for shape in (
        (blocks * H, H + D + 1), (blocks * H + Q, B), (H + D + 1, B), (H, blocks * H + Q)))
    a, small = np.empty((N, blocks * H, B), dtype), rng.standard_normal((N, H, B)).astype(dtype)
    out = np.empty_like(small)
    for _ in range(T):
        np.matmul(W, seen, out=a)
        np.matmul(W_T, passed, out=out)
        np.matmul(passed, seen.mT)
        for function in exps * [np.exp] + tanhs * [np.tanh]:
            function(small, out=out)


def processor_time(*cases, rounds=7):
    """The median of each (call, by what to divide), in microseconds. They take turns."""
    seconds = [[] for _ in cases]
    for _ in range(rounds):
        for mine, (call, divisor) in zip(seconds, cases):
            begin = time.thread_time()
            call()
            mine.append((time.thread_time() - begin) / divisor)
    return [1e6 * np.median(mine) for mine in seconds]


def on_one_processor(dtypes):
    print(f"{'':4} {'':7}  {'T':>3}  {'floor':>6}  {'fit':>6}  "
          + "  ".join(f"{f'fit_many, N = {N}':>19}" for N in SIDE_BY_SIDE))
    for draw in (rnn, lstm, gru):
        for dtype in dtypes:
            for T in (20, 50):
                least, alone, *many = processor_time(
                    (partial(floor, draw, 16, T, dtype), 16), (partial(one_at_a_time, draw, 4, T, dtype), 4 * STEPS),
                    *((partial(side_by_side, draw, N, T, dtype), N * STEPS) for N in SIDE_BY_SIDE))
                print(f"{draw.__name__:4} {dtype.__name__:7}  {T:3}  {least:6.0f}  {alone:6.0f}  "
                      + "  ".join(f"{f'{each:.0f} ({alone / each:.1f} times)':>19}" for each in many), flush=True)


def clock(call, rounds=5):
    seconds = []
    for _ in range(rounds):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return np.median(seconds)


def on_two_processors(dtypes, N=16, T=20, steps=50):
    print(f"\nOn the clock, {2 * N} nets, T = {T}, {steps} steps: fit, one at a time; fit_many; and {N} nets on each of two processors")
    with ProcessPoolExecutor(2) as processes, ThreadPoolExecutor(2) as threads:
        for draw in (rnn, lstm, gru):
            for dtype in dtypes:
                half = partial(side_by_side, draw, N, T, dtype, steps)
                alone = clock(partial(one_at_a_time, draw, 2 * N, T, dtype, steps), rounds=3)
                others = {"fit_many": clock(partial(side_by_side, draw, 2 * N, T, dtype, steps))} | {
                    name: clock(lambda: [each.result() for each in [pool.submit(half) for _ in range(2)]])
                    for name, pool in (("processes", processes), ("threads", threads))}
                print(f"{draw.__name__:4} {dtype.__name__:7}  {alone:6.2f} s  " + "  ".join(
                    f"{name} {each:.2f} s ({alone / each:.1f} times)" for name, each in others.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out float64")
    dtypes = (np.float32,) if parser.parse_args().quick else (np.float32, np.float64)
    print(f"NumPy {np.__version__}\n")
    on_one_processor(dtypes)
    on_two_processors(dtypes)


if __name__ == "__main__":
    main()
