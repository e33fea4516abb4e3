"""Deep nets, plain, normalised and residual, trained on handwritten digits: the experiment of chapter 8.

    python book/experiments/depth.py

writes book/data/depth.jsonl, or finishes it. Ten minutes on one core; depths of 20 are left out for that.

Every net gets the same number of steps; rates and seeds are those of protocol.py. A rate is chosen by the training loss,
on seeds of its own, so that neither the test digits nor the seeds that are reported take part. Nets of one arm are trained
side by side: `Abreast` is the computation of `gradients.layers.deep_stack`, with an axis for the nets in front.
"""

from itertools import product
from pathlib import Path

import numpy as np
from digits import digits
from protocol import run_protocol, seeds
from sweep import rounded

from gradients.layers import deep_stack
from gradients.training import minibatches

PATH = Path(__file__).parent.parent / "data" / "depth.jsonl"
SETTINGS = {"width": 32, "batch": 64, "steps": 300, "momentum": 0.9, "train": 1200, "losses": 10, "tuning": 3, "fresh": 10}
DEPTHS, BLOCKS, NORMS = (10, 50, 100), ("plain", "residual", "scaled"), (None, "batch", "layer")
ARMS = [dict(depth=depth, block=block, norm=norm) for depth, block, norm in product(DEPTHS, BLOCKS, NORMS)]


def grid(arm):
    """The k of the first rates: 0.001 to 0.243; much smaller where every block doubles what goes through."""
    first = {10: -1, 50: -12, 100: -27}[arm["depth"]] if arm["block"] == "residual" and arm["norm"] is None else 0
    return range(first, first + 6)


def net(depth, block, norm, rng, dtype=np.float32):
    """The net of one arm. A "scaled" block is residual, and its weights are divided by sqrt(depth)."""
    gain = np.sqrt(2 / depth) if block == "scaled" else np.sqrt(2)
    return deep_stack(depth, SETTINGS["width"], 64, 10, "relu", rng=rng, norm=norm, residual=block != "plain", gain=gain, dtype=dtype)


class Abreast:
    """Nets of one arm, side by side: x is (nets, B, n). Where one has NaN, the others go on.

    layers     for each layer a dict: W (nets, n_out, n_in), b (nets, 1, n_out), and where a norm stands before it, gamma and beta
    gradients  the same, after `backward`
    """

    def __init__(self, nets, block, norm):
        self.axis, self.residual = {None: None, "batch": 1, "layer": 2}[norm], block != "plain"
        self.layers = [{} for _ in nets[0].layers]
        for name in nets[0].parameters:  # as "3.0.gamma"
            number, *_, letter = name.split(".")
            stacked = np.stack([net.parameters[name] for net in nets])
            self.layers[int(number)][letter] = stacked if letter == "W" else stacked[:, None]
        self.running = {l: (np.zeros_like(p["gamma"]), np.ones_like(p["gamma"])) for l, p in enumerate(self.layers) if "gamma" in p}

    def _normalise(self, x, l, training):
        if self.axis == 1 and not training:
            mean, variance = self.running[l]
            z_hat = x - mean
        else:
            mean = x.mean(axis=self.axis, keepdims=True)
            z_hat = x - mean
            variance = np.square(z_hat).mean(axis=self.axis, keepdims=True)
            if self.axis == 1:
                B = x.shape[1]
                self.running[l] = tuple(0.9 * old + 0.1 * new for old, new in zip(self.running[l], (mean, variance * B / (B - 1))))
        r = np.sqrt(variance + 1e-5)
        z_hat /= r
        return z_hat, r

    def forward(self, x, training=False):
        self.x, self.kept, last = x, [], len(self.layers) - 1
        x = x @ self.layers[0]["W"].swapaxes(1, 2) + self.layers[0]["b"]
        for l, p in enumerate(self.layers[1:], start=1):
            z, z_hat, r = x, None, None
            if self.axis:
                z_hat, r = self._normalise(x, l, training)
                z = p["gamma"] * z_hat + p["beta"]
            h = np.maximum(z, 0)
            y = h @ p["W"].swapaxes(1, 2)
            y += p["b"]
            self.kept.append((z_hat, r, h))
            x = x + y if self.residual and l < last else y
        return x

    def backward(self, dy):
        self.gradients, last = [None] * len(self.layers), len(self.layers) - 1
        for l in range(last, 0, -1):
            p, (z_hat, r, h) = self.layers[l], self.kept[l - 1]
            gradient = self.gradients[l] = {"W": dy.swapaxes(1, 2) @ h, "b": dy.sum(axis=1, keepdims=True)}
            d = dy @ p["W"]
            d *= h > 0
            if self.axis:
                gradient["gamma"], gradient["beta"] = (d * z_hat).sum(axis=1, keepdims=True), d.sum(axis=1, keepdims=True)
                d *= p["gamma"]
                along_z_hat = z_hat * (d * z_hat).mean(axis=self.axis, keepdims=True)
                d = (d - d.mean(axis=self.axis, keepdims=True) - along_z_hat) / r
            dy = dy + d if self.residual and l < last else d
        self.gradients[0] = {"W": dy.swapaxes(1, 2) @ self.x, "b": dy.sum(axis=1, keepdims=True)}


def cross_entropy(o, y):
    """The mean loss of each net, and its gradient, as `softmax_cross_entropy`: o (nets, B, 10), y (nets, B)."""
    o = o - o.max(axis=2, keepdims=True)
    p = np.exp(o)
    total = p.sum(axis=2, keepdims=True)
    right = y[:, :, None]
    loss = (np.log(total) - np.take_along_axis(o, right, axis=2)).mean(axis=(1, 2))
    p /= total
    np.put_along_axis(p, right, np.take_along_axis(p, right, axis=2) - 1, axis=2)
    return loss, p / y.shape[1]


def run(depth, block, norm, part, rate, settings=SETTINGS):
    """Train a net for each seed.

    cost    the training loss in the last tenth of the run, None if the run ended in NaN
    error   share of the test digits for which the net is wrong; of fresh seeds
    losses  the training loss, means over tenths of the run; of fresh seeds
    """
    (x, y), n, steps = digits(), settings["train"], settings["steps"]
    x = (x - 0.5).astype(np.float32)
    numbers = seeds(part, settings)
    rngs = [np.random.default_rng(seed) for seed in numbers]
    nets = Abreast([net(depth, block, norm, rng) for rng in rngs], block, norm)
    streams = [minibatches(x[:n], y[:n], settings["batch"], rng=rng) for rng in rngs]
    velocity = [{name: np.zeros_like(value) for name, value in p.items()} for p in nets.layers]
    losses = np.empty((steps, len(numbers)))
    with np.errstate(over="ignore", invalid="ignore", under="ignore", divide="ignore"):
        for step in range(steps):
            batches = [next(stream) for stream in streams]
            losses[step], do = cross_entropy(nets.forward(np.stack([x for x, _ in batches]), training=True),
                                             np.stack([y for _, y in batches]))
            nets.backward(do)
            for p, v, g in zip(nets.layers, velocity, nets.gradients):
                for name in p:
                    v[name] *= settings["momentum"]
                    v[name] += g[name]
                    p[name] -= np.float32(rate) * v[name]
        wrong = np.array([(o.argmax(axis=1) != y[n:]).mean() if np.isfinite(o).all() else 1.0
                          for o in nets.forward(np.stack([x[n:]] * len(numbers)))])
    tenths = losses.reshape(settings["losses"], -1, len(numbers)).mean(axis=1)
    return {"runs": [{"seed": seed, "solved": False, "cost": rounded(course[-1])}
                     | ({"error": rounded(share), "losses": [rounded(loss, 3) for loss in course]} if part == "fresh" else {})
                     for seed, course, share in zip(numbers, tenths.T, wrong)]}


if __name__ == "__main__":
    run_protocol(PATH, run, ARMS, grid, SETTINGS, __doc__)
