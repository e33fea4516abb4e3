"""Times forward and backward of `gradients.rnn` against PyTorch: ``python tests/benchmarks/rnn.py [--quick]``.

The same work: the outputs, then the gradients of all parameters, given dL/do; a tanh net, D = Q = 16. NumPy always
computes dL/dx as well; PyTorch is timed without it and, in brackets, with it. Both use the threads they take by
default. The two take turns, so that what else the machine does hits both; the minimum of the runs is shown.
``--quick`` leaves out the long sequences.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch

from gradients.rnn import backward, forward, lag_terms, rnn, to_torch, truncated_backward

UNITS = 16  # D and Q


def problem(H, T, B, dtype):
    rng = np.random.default_rng(0)
    net = rnn(UNITS, H, UNITS, rng=rng, bias_scale=0.1, dtype=dtype)
    return net, *(rng.standard_normal((T, B, UNITS)).astype(dtype) for _ in "xo")


def in_numpy(H, T, B, dtype):
    net, x, do = problem(H, T, B, dtype)
    return lambda: backward(net, forward(net, x), do)


def with_read_out(recurrent, state, net, x, do, dx):
    """A recurrent module of PyTorch with the weights `state`, and a `torch.nn.Linear` with those of the net."""
    linear = torch.nn.Linear(*net.W_qh.shape[::-1])
    x, do = torch.from_numpy(x).requires_grad_(dx), torch.from_numpy(do)
    recurrent.to(x.dtype), linear.to(x.dtype)
    recurrent.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    linear.load_state_dict({"weight": torch.from_numpy(net.W_qh), "bias": torch.from_numpy(net.b_q)})
    wanted = [*recurrent.parameters(), *linear.parameters()] + dx * [x]
    return lambda: torch.autograd.grad(linear(recurrent(x)[0]), wanted, do)


def in_torch(H, T, B, dtype, dx=False):
    net, x, do = problem(H, T, B, dtype)
    return with_read_out(torch.nn.RNN(UNITS, H), to_torch(net), net, x, do, dx)


def same_gradients(H, T, B, dtype):
    """The largest difference between the two, relative to the largest entry of each gradient."""
    ours = in_numpy(H, T, B, dtype)()
    W_hx, W_hh, b_h, _, W_qh, b_q, dx = (g.numpy() for g in in_torch(H, T, B, dtype, dx=True)())
    pairs = zip([*ours.parameters.values(), ours.dx], (W_hx, W_hh, b_h, W_qh, b_q, dx))
    return max(np.abs(got - want).max() / np.abs(want).max() for got, want in pairs)


def milliseconds(*calls, rounds=3, seconds=0.3):
    """The minimum of each. They take turns, a turn lasts long enough for the other library's threads to fall asleep."""
    fastest = [np.inf] * len(calls)
    for _ in range(rounds):
        for i, call in enumerate(calls):
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                begin = time.perf_counter()
                call()
                fastest[i] = min(fastest[i], time.perf_counter() - begin)
    return [1000 * each for each in fastest]


def against_torch(cases):
    print(f"{'':8}  {'':>4} {'':>4} {'':>4}  {'NumPy':>8}  {'PyTorch':>8}  {'(dx)':>9}  {'times as fast':>13}  {'(dx)':>6}  {'differ by':>9}")
    for dtype in (np.float32, np.float64):
        for H, T, B in cases:
            ours, torchs, with_dx = milliseconds(
                in_numpy(H, T, B, dtype), in_torch(H, T, B, dtype), in_torch(H, T, B, dtype, dx=True))
            print(f"{dtype.__name__:8}  {H:4} {T:4} {B:4}  {ours:5.2f} ms  {torchs:5.2f} ms  {f'({with_dx:.2f})':>9}  "
                  f"{torchs / ours:13.1f}  {f'({with_dx / ours:.1f})':>6}  {same_gradients(H, T, B, dtype):9.0e}", flush=True)


def growth():
    """How the time grows with the length; H = 64, B = 16, float64."""
    print(f"{'T':>5}  {'backward':>10}  {'tau = 10':>10}  {'lags, last':>10}  {'lags, all':>10}")
    for T in (50, 100, 200, 400):
        net, x, do = problem(64, T, 16, np.float64)
        last, trace = np.zeros_like(do), forward(net, x)
        last[-1] = do[-1]
        times = milliseconds(
            lambda: backward(net, trace, do), lambda: truncated_backward(net, trace, do, 10),
            lambda: lag_terms(net, trace, last), lambda: lag_terms(net, trace, do))
        print(f"{T:5}  " + "  ".join(f"{each:7.2f} ms" for each in times), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="leave out the long sequences")
    lengths = (20, 100) if parser.parse_args().quick else (20, 100, 500)
    print(f"NumPy {np.__version__}, PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n")
    against_torch([(H, T, 64) for H in (32, 64, 128, 256) for T in lengths] + [(H, 100, B) for H in (32, 128) for B in (1, 16)])
    print("\nforward done, how the time grows with the length; H = 64, B = 16, float64")
    growth()


if __name__ == "__main__":
    main()
