"""Deep nets, plain, normalised and residual, trained on handwritten digits: the experiment of chapter 8.

    python book/experiments/depth.py

writes book/data/depth.jsonl, or finishes it. About ten minutes on two cores.
"""

import warnings
from itertools import product
from pathlib import Path

import numpy as np
from digits import digits
from sweep import main, rounded

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


def net(depth, block, norm, rng):
    """The net of one case. A "scaled" block is residual, and its weights are divided by sqrt(depth)."""
    gain = np.sqrt(2 / depth) if block == "scaled" else np.sqrt(2)
    return deep_stack(depth, SETTINGS["width"], 64, 10, "relu", rng=rng, norm=norm, residual=block != "plain", gain=gain)


def run(depth, block, norm, rate, seed):
    """Train one net: its training loss (means over tenths of the run, None once it has stopped), and its accuracy."""
    rng = np.random.default_rng(seed)
    model = net(depth, block, norm, rng)
    (x, y), n = digits(), SETTINGS["train"]
    x = x - 0.5
    batches = minibatches(x[:n], y[:n], SETTINGS["batch"], rng=rng)
    optimiser = SGD(rate, SETTINGS["momentum"])
    history = fit(model, batches, averaged(softmax_cross_entropy), optimiser, steps=SETTINGS["steps"])
    loss = np.full(SETTINGS["steps"], np.nan)
    loss[:len(history.loss)] = history.loss
    parts = [part.mean() for part in np.split(loss, SETTINGS["losses"])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # `accuracy` counts NaN as a wrong answer
        share = accuracy(model.forward(x[n:]), y[n:])
    return {
        "loss": [rounded(part) for part in parts],
        "accuracy": round(share, 4),
        "stopped": history.stopped is not None,
    }


if __name__ == "__main__":
    main(PATH, run, CASES, SETTINGS, __doc__)
