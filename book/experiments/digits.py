"""Handwritten digits: what dropout and penalties do for a small net, and pre-training for a deep one (chapter 7's appendix).

    python book/experiments/digits.py

writes book/data/digits.jsonl, or finishes it. Ten minutes on one core.

Rates and seeds are those of protocol.py. The digits that no net is trained with are halved: the error in one half
chooses the rate, the other half is what is reported.
"""

from pathlib import Path

import numpy as np
from protocol import run_protocol, seeds
from sklearn.datasets import load_digits
from sweep import rounded

from gradients import deep
from gradients.initialisers import kaiming_normal, xavier_normal
from gradients.layers import Activate, Dropout, Linear, Sequential
from gradients.losses import softmax_cross_entropy
from gradients.optimisers import SGD
from gradients.pretraining import pretrain
from gradients.regularisers import l1, l2
from gradients.training import Deep, accuracy, averaged, fit, minibatches

PATH = Path(__file__).parent.parent / "data" / "digits.jsonl"
SETTINGS = {"momentum": 0.9, "tuning": 3, "fresh": 15,
            "overfitting": {"train": 300, "wrong": 0.2, "batch": 50, "steps": 1000},
            "pre-training": {"train": 1200, "batch": 64, "steps": 3500, "steps_a_layer": 500, "adam_rate": 0.01}}
ARMS = [
    dict(experiment=experiment, way=way) for experiment, ways in [
        ("overfitting", ["nothing", "dropout 0.2", "dropout 0.5", "L2 0.01", "L2 0.03", "L2 0.1", "L1 0.003", "L1 0.01"]),
        ("pre-training", ["sigmoid, random", "sigmoid, pre-trained", "sigmoid, shuffled", "sigmoid, scale 6", "tanh, random"]),
    ] for way in ways
]


def grid(arm):
    """The k of the first rates: 0.009 to 0.243, for sigmoids 0.027 to 0.729, and to 6.561 for those that learn at none."""
    return range(3, 9 if arm["way"] in ("sigmoid, random", "sigmoid, shuffled") else 7) if "sigmoid" in arm["way"] else range(2, 6)


def digits():
    """Images in [0, 1] and labels in an order that is the same for all runs."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return data.data[order] / 16, data.target[order]


loss = averaged(softmax_cross_entropy)


def judged(outputs, x, y):
    """The error in one half of new digits, as the cost, and the share of right answers in the other half."""
    o, half = outputs(x), len(x) // 2
    return {"cost": rounded(1 - accuracy(o[:half], y[:half])), "new": rounded(accuracy(o[half:], y[half:]))}


def small_net(p, rng):
    """64-64-64-10 with ReLU, and dropout after both hidden layers."""
    layers = []
    for _ in range(2):
        layers += [Linear(kaiming_normal(64, 64, rng=rng), np.zeros(64)), Activate("relu"), Dropout(p, rng)]
    return Sequential(*layers, Linear(xavier_normal(10, 64, rng=rng), np.zeros(10)))


def overfitting(way, rate, seed):
    """Train with a few digits, some of them with a wrong label.

    known  share of these for which the net says their label, right or wrong
    """
    settings, (x, y), rng = SETTINGS["overfitting"], digits(), np.random.default_rng(seed)
    kind, strength = way.split() if " " in way else (way, "0")
    strength, x, few = float(strength), x - 0.5, settings["train"]
    labels = np.where(rng.random(few) < settings["wrong"], rng.integers(0, 10, few), y[:few])
    net = small_net(strength if kind == "dropout" else 0, rng)
    penalty = None
    if kind in ("L1", "L2"):
        def penalty(net):
            weights = {name: W for name, W in net.parameters.items() if name.endswith("W")}
            return {"L1": l1, "L2": l2}[kind](weights, strength)
    history = fit(net, minibatches(x[:few], labels, settings["batch"], rng=rng), loss, SGD(rate, SETTINGS["momentum"]),
                  steps=settings["steps"], penalty=penalty)
    if history.stopped:
        return {"cost": None, "known": 0, "new": 0}
    return judged(net.forward, x[few:], y[few:]) | {"known": rounded(accuracy(net.forward(x[:few]), labels))}


def pretraining(way, rate, seed):
    """Train a net of five layers with 32 units and an output layer. The steps of pre-training count.

    before, after  the error signal of layer 1 over that of layer 6, before and after training (or fine-tuning)
    """
    settings, (x, y), rng = SETTINGS["pre-training"], digits(), np.random.default_rng(seed)
    n, steps, (activation, start) = settings["train"], settings["steps"], way.split(", ")
    sizes = [64] + [32] * 5
    net = deep.deep_net([*sizes, 10], activation, rng=rng, weight_scale=6 if start == "scale 6" else 1, output="identity")
    if start in ("pre-trained", "shuffled"):
        W, b, _ = pretrain(sizes, x[:n], activation=activation, rng=rng, steps=settings["steps_a_layer"], rate=settings["adam_rate"])
        steps -= len(W) * settings["steps_a_layer"]
        for l in W:
            for ours, theirs in ((net.W[l], W[l]), (net.b[l], b[l])):
                ours[...] = theirs if start == "pre-trained" else rng.permuted(theirs.ravel()).reshape(theirs.shape)

    def outputs(x):
        return deep.forward(net, x).h[6]

    def signal():
        trace = deep.forward(net, x[:n])
        delta = deep.backward(net, trace, loss(trace.h[6], y[:n])[1]).delta
        return rounded(np.linalg.norm(delta[1]) / np.linalg.norm(delta[6]))

    before = signal()
    history = fit(Deep(net), minibatches(x[:n], y[:n], settings["batch"], rng=rng), loss, SGD(rate, SETTINGS["momentum"]), steps=steps)
    if history.stopped:
        return {"cost": None, "new": 0, "before": before, "after": None}
    return judged(outputs, x[n:], y[n:]) | {"before": before, "after": signal()}


def run(experiment, way, part, rate):
    """Train a net for each seed.

    cost  the error in one half of the digits that no net is trained with, None if training ended in NaN
    new   share of the other half for which the net is right
    More: see `overfitting` and `pretraining`.
    """
    train = {"overfitting": overfitting, "pre-training": pretraining}[experiment]
    return {"runs": [{"seed": seed, "solved": False} | train(way, rate, seed) for seed in seeds(part, SETTINGS)]}


if __name__ == "__main__":
    run_protocol(PATH, run, ARMS, grid, SETTINGS, __doc__)
