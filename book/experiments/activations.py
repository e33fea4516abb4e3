"""Nets with five activations, with outputs off centre and with units that die: the experiments of chapter 6.

    python book/experiments/activations.py

writes book/data/activations.jsonl, or finishes it. About two minutes on one core.

Inputs are random, and the target is the sine of their sum. Every run draws its own net and its own examples, and
descends with all examples at once. Rates and seeds are those of protocol.py.
"""

from pathlib import Path

import numpy as np
from protocol import run_protocol, seeds
from sweep import rounded

from gradients import deep
from gradients.activations import Activation, activation
from gradients.losses import squared_error

PATH = Path(__file__).parent.parent / "data" / "activations.jsonl"
SETTINGS = {"inputs": 10, "exploded": 1e6, "tuning": 3, "fresh": 20,
            "scale": {"hidden": 10, "width": 32, "examples": 100, "steps": 200},
            "centre": {"hidden": 2, "width": 32, "examples": 200, "steps": 300},
            "dying": {"hidden": 2, "width": 64, "examples": 100, "steps": 200}}
ARMS = [
    *(dict(experiment="scale", activation=name, scale=scale, shift=0, balance=0) for name, scales in [
        ("sigmoid", (1, 11)), ("tanh", (1, 1.2, 1.4, 1.7, 2)), ("relu", (1, 1.4)), ("leaky_relu", (1, 1.4)), ("elu", (1, 1.25)),
    ] for scale in scales),
    dict(experiment="scale", activation="sigmoid", scale=6.5, shift=0, balance=0.5),
    *(dict(experiment="centre", activation="tanh", scale=1, shift=shift, balance=shift) for shift in (0, 0.5, 1)),
    *(dict(experiment="dying", activation=name, scale=1.4, shift=0, balance=0) for name in ("relu", "leaky_relu")),
]


def grid(arm):
    """The k of the first rates: 0.009 to 0.243, or three times these."""
    return range(3, 7) if arm["experiment"] == "centre" else range(2, 6)


def shifted(name, shift):
    """An activation moved up by `shift`; its slopes stay."""
    phi = activation(name)
    return Activation(f"{name} + {shift}", lambda z: phi.function(z) + shift, phi.derivative, phi.sup)


def train(experiment, activation, scale, shift, balance, rate, seed):
    """Train one net; see `run`."""
    settings = SETTINGS[experiment]
    rng, B, D = np.random.default_rng(seed), settings["examples"], SETTINGS["inputs"]
    x = rng.standard_normal((B, D))
    y = np.sin(x.sum(axis=1, keepdims=True))
    sizes = [D, *[settings["width"]] * settings["hidden"], 1]
    net = deep.deep_net(sizes, shifted(activation, shift), rng=rng, weight_scale=scale, output="identity")
    for l in range(2, net.depth + 1):  # as if every output had so much taken off at the start
        net.b[l] -= net.W[l].sum(axis=1) * balance
    for _ in range(settings["steps"]):
        trace = deep.forward(net, x)
        loss, dh = squared_error(trace.h[net.depth], y)
        if not loss < SETTINGS["exploded"]:
            return {"cost": None, "dead": None}
        gradients = deep.backward(net, trace, dh / B)
        for l in net.W:
            net.W[l] -= rate * gradients.dW[l]
            net.b[l] -= rate * gradients.db[l]
    last = net.depth - 1
    dead = (net.phi[last].derivative(trace.z[last]) == 0).all(axis=0).mean()
    return {"cost": rounded(loss / B), "dead": rounded(dead)}


def run(experiment, activation, scale, shift, balance, part, rate):
    """Train a net for each seed.

    cost  its last loss per example, None if that passed 10^6 or there was NaN
    dead  share of the units of the last hidden layer that no example switches on
    """
    return {"runs": [{"seed": seed, "solved": False} | train(experiment, activation, scale, shift, balance, rate, seed)
                     for seed in seeds(part, SETTINGS)]}


if __name__ == "__main__":
    run_protocol(PATH, run, ARMS, grid, SETTINGS, __doc__)
