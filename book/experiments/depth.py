"""Deep nets, plain, normalised and residual, trained on handwritten digits: the experiment of chapter 8.

    python book/experiments/depth.py

writes book/data/depth.jsonl, or finishes it. About ten minutes on two cores.
"""

import argparse
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sweep import sweep

from gradients.layers import deep_stack
from gradients.losses import softmax_cross_entropy
from gradients.optimisers import SGD
from gradients.training import accuracy, averaged, fit, minibatches

PATH = Path(__file__).parent.parent / "data" / "depth.jsonl"
SETTINGS = {"width": 32, "batch": 64, "steps": 300, "momentum": 0.9, "train": 1200, "losses": 10}
DEPTHS, RATES, SEEDS = (10, 20, 50, 100), (0.001, 0.01, 0.1), range(5)
BLOCKS, NORMS = ("plain", "residual", "scaled"), (None, "batch", "layer")
CASES = [
    dict(depth=depth, block=block, norm=norm, rate=rate, seed=seed)
    for depth, block, norm, rate, seed in product(DEPTHS, BLOCKS, NORMS, RATES, SEEDS)
]


def digits():
    """Images in [-1/2, 1/2] and labels: 1200 to train with, 597 to test with, the same for all runs."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x, y = data.data[order] / 16 - 0.5, data.target[order]
    n = SETTINGS["train"]
    return x[:n], y[:n], x[n:], y[n:]


def net(depth, block, norm, rng):
    """The net of one case. A "scaled" block is residual, and its weights are divided by sqrt(depth)."""
    gain = np.sqrt(2 / depth) if block == "scaled" else np.sqrt(2)
    return deep_stack(depth, SETTINGS["width"], 64, 10, "relu", rng=rng, norm=norm, residual=block != "plain", gain=gain)


def run(depth, block, norm, rate, seed):
    """Train one net: its training loss (means over tenths of the run, None once it has stopped), and its accuracy."""
    rng = np.random.default_rng(seed)
    model = net(depth, block, norm, rng)
    x, y, x_new, y_new = digits()
    batches = minibatches(x, y, SETTINGS["batch"], rng=rng)
    optimiser = SGD(rate, SETTINGS["momentum"])
    history = fit(model, batches, averaged(softmax_cross_entropy), optimiser, steps=SETTINGS["steps"])
    loss = np.full(SETTINGS["steps"], np.nan)
    loss[:len(history.loss)] = history.loss
    parts = [part.mean() for part in np.split(loss, SETTINGS["losses"])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # `accuracy` counts NaN as a wrong answer
        share = accuracy(model.forward(x_new), y_new)
    return {
        "loss": [float(f"{part:.4g}") if np.isfinite(part) else None for part in parts],
        "accuracy": round(share, 4),
        "stopped": history.stopped is not None,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--jobs", type=int, default=-1, help="processes; -1: one for each core")
    sweep(PATH, run, CASES, command="python book/experiments/depth.py", settings=SETTINGS, jobs=parser.parse_args().jobs)
