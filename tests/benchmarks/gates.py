"""Times forward and backward of `gradients.lstm` and `gradients.gru` against PyTorch: ``python tests/benchmarks/gates.py``.

The same work: the outputs, then the gradients of all parameters, given dL/do; D = Q = 16; the GRU in PyTorch's form,
and in brackets that of Cho et al. ("inside"), which PyTorch lacks. NumPy always computes dL/dx as well; PyTorch is
timed without it and, in brackets, with it. Both use the threads they take by default. They take turns, so that what
else the machine does hits all; the minimum of the runs is shown. ``--quick``: T = 100 and B = 64 alone.
``--floor``: what an LSTM in NumPy cannot leave out, each part alone: the matrix products, exp and tanh, the other passes
over the arrays of a step. OMP_NUM_THREADS=1 gives each library one thread.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from gradients import gru, lstm
from gradients.recurrent import blocks_backwards
from rnn import UNITS, milliseconds, with_read_out


def problem(module, H, T, B, dtype, **options):
    rng = np.random.default_rng(0)
    net = {lstm: lstm.lstm, gru: gru.gru}[module](UNITS, H, UNITS, rng=rng, dtype=dtype, **options)
    return net, *(rng.standard_normal((T, B, UNITS)).astype(dtype) for _ in "xo")


def in_numpy(module, *case, **options):
    net, x, do = problem(module, *case, **options)
    return lambda: module.backward(net, module.forward(net, x), do)


def in_torch(module, *case, dx=False):
    net, x, do = problem(module, *case)
    recurrent = {lstm: torch.nn.LSTM, gru: torch.nn.GRU}[module](UNITS, net.sizes[1])
    return with_read_out(recurrent, module.to_torch(net), net, x, do, dx)


def difference(module, *case):
    """The largest difference between the two, relative to the largest entry of each gradient."""
    ours = in_numpy(module, *case)()
    W_hx, W_hh, b_ih, _, W_qh, b_q, dx = (g.numpy() for g in in_torch(module, *case, dx=True)())
    pairs = (ours.dW_hx, W_hx), (ours.dW_hh, W_hh), (ours.db_h, b_ih), (ours.dW_qh, W_qh), (ours.db_q, b_q), (ours.dx, dx)
    return max(np.abs(got - want).max() / np.abs(want).max() for got, want in pairs)


def parts(H, T, B, dtype):
    """Calls that do one part of the work of `in_numpy(lstm, ...)` each, in the shapes that it has there."""
    net, x, do = problem(lstm, H, T, B, dtype)
    trace = lstm.forward(net, x)
    filled = lambda *shape: np.full(shape, 0.5, dtype)
    W, seen, columns, h_columns = filled(4 * H, H + UNITS + 1), filled(H + UNITS + 1, B), filled(4 * H, T * B), filled(H, T * B)
    a, g, u, v, w, one = *filled(2, 4 * H, B), *filled(3, H, B), filled()
    of_a, of_g = (each.reshape(4, H, B)[:3] for each in (a, g))

    def products():
        for _ in range(T):
            np.dot(W, seen, out=g)
            np.dot(net.W_hh.T, a, out=w)
        trace.h[1:] @ net.W_qh.T, do @ net.W_qh, columns.T @ net.W_hx
        columns @ x.reshape(-1, UNITS), columns @ h_columns.T, do.reshape(-1, UNITS).T @ h_columns.T

    def exp_and_tanh():
        for _ in range(T):
            np.exp(a, out=g)
            np.tanh(u, out=w)
            np.tanh(v, out=w)

    def others():
        for _ in range(T):
            np.add(a, one, out=g)
            np.divide(one, a, out=g)
            for _ in range(6):  # f c, i c~, o tanh(c); backwards dc f, dh E, and dh by the slope of o
                np.multiply(u, v, out=w)
            for _ in range(3):  # to c, dc and dh
                np.add(u, v, out=w)
            np.multiply(of_a, u, out=of_g)
        for steps in blocks_backwards(trace.gates, 2**18 // net.dtype.itemsize):
            lstm._slopes(trace, steps)

    return products, exp_and_tanh, others


def floor(cases):
    print(f"LSTM      {'H':>4} {'T':>4} {'B':>4}  {'NumPy':>9}  {'products':>9}  {'exp, tanh':>9}  {'others':>9}  {'their sum':>9}  "
          f"{'PyTorch':>9}  sum / PyTorch")
    for dtype in (np.float32, np.float64):
        for H, T, B in cases:
            ours, torchs, *alone = milliseconds(
                in_numpy(lstm, H, T, B, dtype), in_torch(lstm, H, T, B, dtype), *parts(H, T, B, dtype))
            times = "  ".join(f"{each:6.2f} ms" for each in (ours, *alone, sum(alone), torchs))
            print(f"{dtype.__name__}   {H:4} {T:4} {B:4}  {times}  {sum(alone) / torchs:13.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="T = 100 and B = 64 alone")
    parser.add_argument("--floor", action="store_true", help="the parts of the LSTM alone")
    options = parser.parse_args()
    cases = [(H, 100, 64) for H in (32, 64, 128)]
    if not options.quick:
        cases += [(H, 100, B) for H in (32, 64, 128) for B in (1, 16)] + [(64, 20, 64), (64, 500, 64), (256, 100, 64)]
    print(f"NumPy {np.__version__}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n")
    if options.floor:
        floor(cases)
        return
    print(f"{'':4}  {'':8}  {'H':>4} {'T':>4} {'B':>4}  {'NumPy':>8}  {'(inside)':>8}  {'PyTorch':>8}  {'(dx)':>8}  "
          f"{'times as fast':>13}  {'(dx)':>6}  {'differ by':>9}")
    for module in (lstm, gru):
        for dtype in (np.float32, np.float64):
            for case in ((*sizes, dtype) for sizes in cases):
                calls = [in_numpy(module, *case), in_torch(module, *case), in_torch(module, *case, dx=True)]
                if module is gru:
                    calls.append(in_numpy(module, *case, candidate="inside"))
                ours, torchs, with_dx, *inside = milliseconds(*calls)
                H, T, B, _ = case
                print(f"{module.__name__.split('.')[-1]:4}  {dtype.__name__:8}  {H:4} {T:4} {B:4}  {ours:5.2f} ms  "
                      f"{''.join(f'({each:.2f})' for each in inside):>8}  {torchs:5.2f} ms  {f'({with_dx:.2f})':>8}  "
                      f"{torchs / ours:13.1f}  {f'({with_dx / ours:.1f})':>6}  {difference(module, *case):9.0e}", flush=True)


if __name__ == "__main__":
    main()
