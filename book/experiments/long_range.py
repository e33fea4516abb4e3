"""Which nets learn to remember, and how far back? The experiment of chapter 11.

    python book/experiments/long_range.py

writes book/data/long_range.jsonl, or finishes it. On a Dask cluster: --scheduler tcp://host:port.

Every run draws its own net and its own sequences. All nets have the same number of units and the same optimiser.
A run ends when two looks in a row find it right, when its steps are used up, or at NaN or inf.
"""

from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from sweep import main, rounded

from gradients import gru, initialisers, lstm, rnn, tasks
from gradients.losses import softmax_cross_entropy, squared_error
from gradients.optimisers import Adam
from gradients.training import Recurrent, accuracy, averaged, fit

PATH = Path(__file__).parent.parent / "data" / "long_range.jsonl"
SETTINGS = {"hidden": 32, "inputs": 0.5, "batch": 32, "rate": 0.01, "steps": 2000, "look": 100, "test": 256,
            "clip": 1, "forget_bias": 1, "near": 0.08, "right": 0.95}
SEEDS = range(5)
LENGTHS = {"adding": (20, 50, 100), "order": (20, 50, 100), "agreement": (10, 30, 60), "copying": (5, 10, 20)}
MODELS = "tanh", "tanh clipped", "ReLU", "IRNN", "GRU", "LSTM", "LSTM bias 4"
CASES = [
    dict(task=task, length=length, model=model, seed=seed)
    for task, lengths in LENGTHS.items() for length, model, seed in product(lengths, MODELS, SEEDS)
]


class Task:
    """A task of `gradients.tasks` at one length: batches, the loss, and the share of right answers.

    An answer is right if it is the right class; in "adding" if it is off by less than "near", which is the 0.04 of
    Hochreiter & Schmidhuber 1997 on their scale. Answers are wanted after the last step, in "copying" in the last ten.
    """

    def __init__(self, name, length):
        self.name, self.length = name, length
        self.draw = {"adding": tasks.adding, "order": tasks.temporal_order, "agreement": tasks.agreement,
                     "copying": tasks.copying}[name]
        self.inputs, self.outputs = {"adding": (2, 1), "order": (8, 4), "agreement": 2 * (len(tasks.VOCABULARY),),
                                     "copying": (10, 9)}[name]
        self.last_loss = partial(squared_error if name == "adding" else softmax_cross_entropy, last=True)

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
        if self.name == "adding":
            return float((np.abs(o[-1] - y) < SETTINGS["near"]).mean())
        if self.name == "copying":
            return accuracy(o[-tasks.COPIED:], y[-tasks.COPIED:])
        return accuracy(o[-1], y)

    def do_of_last_answer(self, o, y):
        return self.last_loss(o, y[-1] if self.name == "copying" else y)[1]


def first_net(model, inputs, outputs, rng):
    """The net as `fit` wants it. A step's input to a unit has the standard deviation "inputs" for a one-hot x."""
    H, scale = SETTINGS["hidden"], SETTINGS["inputs"] * inputs**0.5
    options = dict(rng=rng, w_hx_scale=scale, dtype=np.float32)
    if model.startswith("LSTM"):
        bias = 4 if model == "LSTM bias 4" else SETTINGS["forget_bias"]
        return Recurrent(lstm.lstm(inputs, H, outputs, forget_bias=bias, **options))
    if model == "GRU":
        return Recurrent(gru.gru(inputs, H, outputs, **options))
    net = rnn.rnn(inputs, H, outputs, "tanh" if model.startswith("tanh") else "relu", **options)
    if model == "IRNN":
        net.W_hh[:] = initialisers.identity(H, H)
    return Recurrent(net)


def has_solved(looks):
    """Whether the last two of the looks, pairs of loss and share, found the net right."""
    return len(looks) > 1 and all(right >= SETTINGS["right"] for _, right in looks[-2:])


def look(model, task):
    """The loss and the share of right answers in new sequences, the same at every look."""
    x, y = task.batch(SETTINGS["test"], np.random.default_rng(99))
    o = model.forward(x)
    return task.loss(o, y)[0], task.right(o, y)


def lags(steps):
    """At most 26 lags from 0 to steps - 1, evenly spread."""
    return np.unique(np.linspace(0, steps - 1, 26).round().astype(int))


def signals(model, task):
    """The norm of dl_T/da_t at the `lags` T - t, divided by that of lag 0, l_T being the loss of the last step."""
    x, y = task.batch(SETTINGS["test"], np.random.default_rng(98))
    model.backward(task.do_of_last_answer(model.forward(x), y))
    norms = np.linalg.norm(model.all_gradients.delta.astype(float), axis=(1, 2))[::-1]
    return [rounded(norms[lag] / norms[0], 2) if norms[0] else None for lag in lags(len(norms))]


def run(task, length, model, seed):
    """Train one net.

    solved         whether two looks in a row found at least the share "right" of the answers right
    steps          made when the run ended
    stopped        whether NaN or inf ended it
    right          share of right answers after 0, 100, 200, ... steps
    losses         loss in new sequences at the same times; None if not finite
    before, after  the error signal by lag before and after training, that of lag 0 being 1; None after a stop
    """
    rng = np.random.default_rng(seed)
    task = Task(task, length)
    net, optimiser = first_net(model, task.inputs, task.outputs, rng), Adam(SETTINGS["rate"])
    clip = None if model in ("tanh", "ReLU") else SETTINGS["clip"]
    before, looks, steps, stopped = signals(net, task), [look(net, task)], 0, False
    while steps < SETTINGS["steps"] and not stopped and not has_solved(looks):
        history = fit(net, task.batches(rng), task.loss, optimiser, steps=SETTINGS["look"], clip=clip)
        steps, stopped = steps + len(history.loss), history.stopped is not None
        if not stopped:
            looks.append(look(net, task))
    return {
        "solved": not stopped and has_solved(looks), "steps": steps,
        "stopped": stopped, "right": [rounded(right, 3) for _, right in looks],
        "losses": [rounded(loss, 3) for loss, _ in looks], "before": before,
        "after": None if stopped else signals(net, task),
    }


if __name__ == "__main__":
    main(PATH, run, CASES, SETTINGS, __doc__)
