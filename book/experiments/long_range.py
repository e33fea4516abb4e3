"""Which nets learn to remember, how far back, and at which learning rates? The experiment of chapter 11.

    python book/experiments/long_range.py

writes book/data/long_range.jsonl, or finishes it. About half an hour on two cores. On a Dask cluster:
--scheduler tcp://host:port.

Every run draws its own net and its own sequences. All nets have the same number of units, the same optimiser, Adam, and
the same budget of steps, but for two arms with five times as many; all are clipped at the same norm. Rates and seeds
are those of protocol.py. A run ends when two looks in a row find it right, when its steps are used up, or at NaN or inf.
"""

from functools import partial
from pathlib import Path

import numpy as np
from protocol import run_protocol, seeds, train
from sweep import rounded

from gradients import gru, initialisers, lstm, rnn, tasks
from gradients.losses import softmax_cross_entropy, squared_error
from gradients.optimisers import Adam
from gradients.training import Recurrent, accuracy, averaged

PATH = Path(__file__).parent.parent / "data" / "long_range.jsonl"
SETTINGS = {"hidden": 32, "inputs": 0.5, "batch": 32, "look": 100, "test": 256, "clip": 1,
            "forget_bias": 1, "near": 0.08, "right": 0.95, "detours": 8, "tuning": 3, "fresh": 10}
MODELS = "tanh", "ReLU", "IRNN", "GRU", "LSTM", "LSTM bias 4"
DEFAULTS = "tanh as PyTorch", "ReLU as PyTorch", "GRU as PyTorch", "LSTM as PyTorch", "LSTM as PyTorch bias 3"


def _arms(task, lengths, models, budget=1500):
    return [dict(task=task, length=length, model=model, budget=budget) for length in lengths for model in models]


ARMS = [
    *_arms("adding", [50], ["tanh"], 7500),
    *_arms("order", [50], ["tanh"], 7500),
    *_arms("adding", [100], MODELS[3:]),
    *_arms("order", [100], MODELS[3:]),
    *_arms("adding 1997", [100], ["LSTM"]),
    *_arms("agreement", [60], MODELS[3:]),
    *_arms("adding", (50, 20), MODELS),
    *_arms("adding 1997", [50], ["tanh", "GRU", "LSTM"]),
    *_arms("order", (50, 20), MODELS),
    *_arms("agreement", (30, 10), MODELS),
    *_arms("agreement", [10], DEFAULTS),
    *_arms("copying", [5], ["GRU", "LSTM"]),
]


def grid(arm):
    """The k of the first rates: 0.001, 0.003, 0.009, 0.027."""
    return range(4)


class Task:
    """A task of `gradients.tasks` at one length: batches, the loss, and the share of right answers.

    An answer is right if it is the right class; in "adding" if it is off by less than "near", which is the 0.04 of
    Hochreiter & Schmidhuber 1997 on their scale. Answers are wanted after the last step, in "copying" in the last ten.
    """

    def __init__(self, name, length):
        self.name, self.length = name, length
        self.adding = name.startswith("adding")
        self.draw = {"adding": tasks.adding, "adding 1997": partial(tasks.adding, form="1997"), "order": tasks.temporal_order,
                     "agreement": tasks.agreement, "copying": tasks.copying}[name]
        self.inputs, self.outputs = {"order": (8, 4), "agreement": 2 * (len(tasks.VOCABULARY),),
                                     "copying": (10, 9)}.get(name, (2, 1))
        self.last_loss = partial(squared_error if self.adding else softmax_cross_entropy, last=True)

    def batch(self, sequences, rng):
        """x and y; y of the last step alone in "agreement"."""
        drawn = self.draw(self.length, sequences, rng=rng)
        return drawn.x, drawn.y[-1] if self.name == "agreement" else drawn.y

    def batches(self, rng):
        while True:
            yield self.batch(SETTINGS["batch"], rng)

    def loss(self, o, y):
        """Per sequence; per sequence and step in "copying", where every step counts."""
        if self.name != "copying":
            return averaged(self.last_loss, axis=1)(o, y)
        value, do = averaged(softmax_cross_entropy, axis=1)(o, y)
        return value / len(o), do / len(o)

    def right(self, o, y):
        if self.adding:
            return float((np.abs(o[-1] - y) < SETTINGS["near"]).mean())
        if self.name == "copying":
            return accuracy(o[-tasks.COPIED:], y[-tasks.COPIED:])
        return accuracy(o[-1], y)

    def do_of_last_answer(self, o, y):
        return self.last_loss(o, y[-1] if self.name == "copying" else y)[1]


def first_net(model, inputs, outputs, rng):
    """A net. A step's input to a unit has the standard deviation "inputs" for a one-hot x.

    "as PyTorch" has all parameters, two biases for one of ours, uniform between -1/sqrt(H) and 1/sqrt(H).
    """
    H, scale = SETTINGS["hidden"], SETTINGS["inputs"] * inputs**0.5
    options = dict(rng=rng, w_hx_scale=scale, dtype=np.float32)
    if model.startswith("LSTM"):
        net = lstm.lstm(inputs, H, outputs, forget_bias=4 if model == "LSTM bias 4" else SETTINGS["forget_bias"], **options)
    elif model.startswith("GRU"):
        net = gru.gru(inputs, H, outputs, **options)
    else:
        net = rnn.rnn(inputs, H, outputs, "tanh" if model.startswith("tanh") else "relu", **options)
    if model == "IRNN":
        net.W_hh[:] = initialisers.identity(H, H)
    if "as PyTorch" in model:
        for name, parameter in net.parameters.items():
            draws = 2 if name == "b_h" else 1
            parameter[:] = rng.uniform(-H**-0.5, H**-0.5, (draws, *parameter.shape)).sum(axis=0)
    if model.endswith("bias 3"):
        net.b_h[H:2 * H] = 3
    return net


def look(net, task):
    """The loss and the share of right answers in new sequences, the same at every look."""
    x, y = task.batch(SETTINGS["test"], np.random.default_rng(99))
    o = Recurrent(net).forward(x)
    return (task.loss(o, y)[0] if np.isfinite(o).all() else np.inf), task.right(o, y)


def lags(steps):
    """At most 26 lags from 0 to steps - 1, evenly spread."""
    return np.unique(np.linspace(0, steps - 1, 26).round().astype(int))


def signals(net, task):
    """The norm of dl_T/da_t at the `lags` T - t, divided by that of lag 0, l_T being the loss of the last step."""
    model, (x, y) = Recurrent(net), task.batch(SETTINGS["test"], np.random.default_rng(98))
    o = model.forward(x)
    if not np.isfinite(o[-1]).all():
        return None
    model.backward(task.do_of_last_answer(o, y))
    norms = np.linalg.norm(model.all_gradients.delta.astype(float), axis=(1, 2))[::-1]
    return [rounded(norms[lag] / norms[0], 2) if norms[0] else None for lag in lags(len(norms))]


def far(by_lag):
    return by_lag and by_lag[-1]


def split(net, task):
    """The share of dl_T/dc_1 that comes on paths with 0, 1, ..., "detours" detours, and with more.

    Of a part, the share is that of its component along the whole: the shares add up to 1. None where the whole is 0.
    """
    x, y = task.batch(SETTINGS["test"], np.random.default_rng(98))
    trace = lstm.forward(net, x)
    do = task.do_of_last_answer(trace.o, y)
    parts = lstm.detour_split(net, trace, do[-1] @ net.W_qh, SETTINGS["detours"])[0][:, 1].astype(float)
    whole = parts.sum(axis=0)
    square = np.sum(whole**2)
    return [rounded(np.sum(part * whole) / square, 2) for part in parts] if square else None


def run(task, length, model, budget, part, rate):
    """Train a net for each seed.

    solved, steps, stopped, cost  see `protocol.train`
    right          share of right answers at the end; of fresh seeds, after 0, 100, 200, ... steps
    before, after  the error signal at the largest lag, before and after training, that of lag 0 being 1; of fresh seeds,
                   at all `lags`; None after a stop
    paths          of fresh seeds of an LSTM: `split`, before and after training
    """
    numbers, task = seeds(part, SETTINGS), Task(task, length)
    rngs = [np.random.default_rng(seed) for seed in numbers]
    nets = [first_net(model, task.inputs, task.outputs, rng) for rng in rngs]
    fresh, gates = part == "fresh", part == "fresh" and model.startswith("LSTM")
    before, first_paths = [signals(net, task) for net in nets], [split(net, task) if gates else None for net in nets]
    results = train(nets, [task.batches(rng) for rng in rngs], task.loss, [Adam(rate) for _ in nets], partial(look, task=task),
                    steps=budget, every=SETTINGS["look"], right=SETTINGS["right"], clip=SETTINGS["clip"])
    runs = []
    for n, (net, result) in enumerate(zip(nets, results)):
        right, after = [rounded(right, 3) for _, right in result["looks"]], None if result["stopped"] else signals(net, task)
        runs.append({
            "seed": numbers[n], **{name: result[name] for name in ("solved", "steps", "stopped", "cost")},
            "right": right if fresh else right[-1],
            "before": before[n] if fresh else far(before[n]), "after": after if fresh else far(after),
        } | ({"paths": [first_paths[n], None if result["stopped"] else split(net, task)]} if gates else {}))
    return {"runs": runs}


if __name__ == "__main__":
    run_protocol(PATH, run, ARMS, grid, SETTINGS, __doc__)
