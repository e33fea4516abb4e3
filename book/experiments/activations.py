"""Deep nets with five activations, and with outputs off centre, trained on a small task: the experiments of chapter 6.

    python book/experiments/activations.py

writes book/data/activations.jsonl, or finishes it. About a minute on two cores.

Inputs are random, and the target is the sine of their sum. Every run draws its own net and its own examples, and
descends with all examples at once.
"""

from itertools import product
from pathlib import Path

import numpy as np
from sweep import main, rounded

from gradients import deep
from gradients.activations import Activation, activation
from gradients.losses import squared_error

PATH = Path(__file__).parent.parent / "data" / "activations.jsonl"
SETTINGS = {"inputs": 10, "width": 32, "exploded": 1e6,
            "scale": {"hidden": 10, "examples": 100, "steps": 200}, "centre": {"hidden": 2, "examples": 200, "steps": 300}}
OWN_SCALES = {"sigmoid": 10, "tanh": 1.2, "relu": 1.41, "leaky_relu": 1.41, "elu": 1.18}
CASES = [
    *(dict(experiment="scale", activation=name, scale=scale, shift=0, rate=rate, seed=seed)
      for name, own in OWN_SCALES.items() for scale in (1, own, 1.5)[:3 if name == "tanh" else 2]
      for rate, seed in product((0.01, 0.03, 0.1, 0.3), range(5))),
    *(dict(experiment="centre", activation="tanh", scale=1, shift=shift, rate=rate, seed=seed)
      for shift, rate, seed in product((0, 0.5, 1), (0.03, 0.1, 0.3, 1), range(5))),
]


def shifted(name, shift):
    """An activation moved up by `shift`; its slopes stay."""
    phi = activation(name)
    return Activation(f"{name} + {shift}", lambda z: phi.function(z) + shift, phi.derivative, phi.sup)


def run(experiment, activation, scale, shift, rate, seed):
    """Train one net: its last loss per example, None if that passed 10^6 or there was NaN."""
    settings = SETTINGS[experiment]
    rng, B, D = np.random.default_rng(seed), settings["examples"], SETTINGS["inputs"]
    x = rng.standard_normal((B, D))
    y = np.sin(x.sum(axis=1, keepdims=True))
    sizes = [D, *[SETTINGS["width"]] * settings["hidden"], 1]
    net = deep.deep_net(sizes, shifted(activation, shift), rng=rng, weight_scale=scale, output="identity")
    for l in range(2, net.depth + 1):  # the net starts as the same function whatever the shift
        net.b[l] -= net.W[l].sum(axis=1) * shift
    for _ in range(settings["steps"]):
        trace = deep.forward(net, x)
        loss, dh = squared_error(trace.h[net.depth], y)
        if not loss < SETTINGS["exploded"]:
            return {"loss": None}
        gradients = deep.backward(net, trace, dh / B)
        for l in net.W:
            net.W[l] -= rate * gradients.dW[l]
            net.b[l] -= rate * gradients.db[l]
    return {"loss": rounded(loss / B)}


if __name__ == "__main__":
    main(PATH, run, CASES, SETTINGS, __doc__)
