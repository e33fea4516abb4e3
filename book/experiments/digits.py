"""Handwritten digits: what dropout and penalties do for a small net, and pre-training for a deep one (chapter 7).

    python book/experiments/digits.py

writes book/data/digits.jsonl, or finishes it. About a minute on two cores.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sweep import main, rounded

from gradients import deep
from gradients.initialisers import kaiming_normal, xavier_normal
from gradients.layers import Activate, Dropout, Linear, Sequential
from gradients.losses import softmax_cross_entropy
from gradients.optimisers import SGD
from gradients.pretraining import pretrain
from gradients.regularisers import l1, l2
from gradients.training import Deep, accuracy, averaged, fit, minibatches

PATH = Path(__file__).parent.parent / "data" / "digits.jsonl"
SETTINGS = {"few": 300, "wrong": 0.2, "few_rate": 0.05, "train": 1200, "steps": 1000, "pretraining_steps": 500,
            "pretraining_rate": 0.01, "rates": {"sigmoid": 0.3, "tanh": 0.1}, "momentum": 0.9}
CASES = [
    dict(experiment=experiment, way=way, seed=seed)
    for experiment, ways in [
        ("overfitting", ["nothing", "dropout 0.2", "dropout 0.5", "L2 0.01", "L2 0.03", "L1 0.003", "L1 0.01"]),
        ("pre-training", ["sigmoid, random", "sigmoid, pre-trained", "sigmoid, scale 6", "tanh, random"]),
    ] for way in ways for seed in range(10)
]


def digits():
    """Images in [0, 1] and labels in an order that is the same for all runs."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.data[order] / 16, data.target[order]


def small_net(p, rng):
    """64-64-64-10 with ReLU, and dropout after both hidden layers."""
    layers = []
    for _ in range(2):
        layers += [Linear(kaiming_normal(64, 64, rng=rng), np.zeros(64)), Activate("relu"), Dropout(p, rng)]
    return Sequential(*layers, Linear(xavier_normal(10, 64, rng=rng), np.zeros(10)))


def overfitting(way, seed):
    """Train with a few digits, some of them with a wrong label.

    known  share of these for which the net says their label, right or wrong
    new    share of all others for which it is right
    """
    kind, strength = way.split() if " " in way else (way, "0")
    strength, rng, (x, y) = float(strength), np.random.default_rng(seed), digits()
    x, few = x - 0.5, SETTINGS["few"]
    labels = np.where(rng.random(few) < SETTINGS["wrong"], rng.integers(0, 10, few), y[:few])
    net, loss = small_net(strength if kind == "dropout" else 0, rng), averaged(softmax_cross_entropy)
    penalty = None
    if kind in ("L1", "L2"):
        def penalty(net):
            weights = {name: W for name, W in net.parameters.items() if name.endswith("W")}
            return {"L1": l1, "L2": l2}[kind](weights, strength)
    fit(net, minibatches(x[:few], labels, 50, rng=rng), loss, SGD(SETTINGS["few_rate"], SETTINGS["momentum"]),
        steps=SETTINGS["steps"], penalty=penalty)
    return {"known": round(accuracy(net.forward(x[:few]), labels), 4),
            "new": round(accuracy(net.forward(x[few:]), y[few:]), 4)}


def pretraining(way, seed):
    """Train a net of five layers with 32 units.

    before, after  the error signal of layer 1 over that of layer 6, before and after training (or fine-tuning)
    moved          how far W^(1) was moved, relative to its norm before
    new            share of new digits for which the net is right
    """
    rng, (x, y), n = np.random.default_rng(seed), digits(), SETTINGS["train"]
    activation, start = way.split(", ")
    sizes, loss = [64] + [32] * 5, averaged(softmax_cross_entropy)
    scale = 6 if start == "scale 6" else 1
    net = deep.deep_net([*sizes, 10], activation, rng=rng, weight_scale=scale, output="identity")
    if start == "pre-trained":
        W, b, _ = pretrain(sizes, x[:n], activation=activation, rng=rng, steps=SETTINGS["pretraining_steps"],
                           rate=SETTINGS["pretraining_rate"])
        for l in W:
            net.W[l][:], net.b[l][:] = W[l], b[l]

    def signal():
        trace = deep.forward(net, x[:n])
        delta = deep.backward(net, trace, loss(trace.h[6], y[:n])[1]).delta
        return rounded(np.linalg.norm(delta[1]) / np.linalg.norm(delta[6]))

    before, first = signal(), net.W[1].copy()
    optimiser = SGD(SETTINGS["rates"][activation], SETTINGS["momentum"])
    fit(Deep(net), minibatches(x[:n], y[:n], 64, rng=rng), loss, optimiser, steps=SETTINGS["steps"])
    return {"before": before, "after": signal(),
            "moved": rounded(np.linalg.norm(net.W[1] - first) / np.linalg.norm(first)),
            "new": round(accuracy(deep.forward(net, x[n:]).h[6], y[n:]), 4)}


def run(experiment, way, seed):
    """One case: see `overfitting` and `pretraining`."""
    return {"overfitting": overfitting, "pre-training": pretraining}[experiment](way, seed)


if __name__ == "__main__":
    main(PATH, run, CASES, SETTINGS, __doc__)
