"""First weights and penalties in an RNN that must remember its first word: the experiments of chapter 7.

    python book/experiments/recurrent.py

writes book/data/recurrent.jsonl, or finishes it. About a minute on two cores.

The task is `gradients.tasks.agreement`, the loss that of the last word. Every run draws its own net and its own
sentences.
"""

from functools import partial
from pathlib import Path

import numpy as np
from sweep import main, rounded

from gradients import initialisers, rnn, tasks
from gradients.losses import softmax_cross_entropy
from gradients.optimisers import SGD
from gradients.regularisers import l1, l2, vanishing_penalty
from gradients.training import Recurrent, accuracy, averaged, fit

PATH = Path(__file__).parent.parent / "data" / "recurrent.jsonl"
SETTINGS = {"hidden": 32, "inputs": 0.5, "batch": 16, "rate": 0.1, "steps": 300, "test": 256}
SEEDS = range(10)
STARTS = {
    "Xavier": initialisers.xavier_normal,
    "Xavier, gain 1.5": partial(initialisers.xavier_normal, gain=1.5),
    "Kaiming": initialisers.kaiming_normal,
    "orthogonal": initialisers.orthogonal,
    "orthogonal, gain 1.5": partial(initialisers.orthogonal, gain=1.5),
    "identity": lambda n_out, n_in, rng: initialisers.identity(n_out, n_in),
}


def _cases(start, activation, filler=20, clip=None, penalty=None, strengths=(0,)):
    return [
        dict(start=start, activation=activation, filler=filler, clip=clip, penalty=penalty, strength=strength, seed=seed)
        for strength in strengths for seed in SEEDS
    ]


CASES = [
    *(case for filler in (20, 40) for start, activation in [
        ("Xavier", "tanh"), ("orthogonal", "tanh"), ("Xavier, gain 1.5", "tanh"), ("orthogonal, gain 1.5", "tanh"),
        ("Kaiming", "relu"), ("orthogonal", "relu"), ("identity", "relu"),
    ] for case in _cases(start, activation, filler, clip=1)),
    *_cases("Xavier, gain 1.5", "tanh", penalty="l2", strengths=(0, 0.01, 0.03, 0.1, 0.3)),
    *_cases("Xavier, gain 1.5", "tanh", penalty="l1", strengths=(0.001, 0.01, 0.03)),
    *_cases("Xavier, gain 1.5", "relu", penalty="l2", strengths=(0, 0.1, 1)),
    *_cases("Xavier, gain 1.5", "relu", clip=1),
    *_cases("Xavier", "tanh", 30, clip=1, penalty="vanishing", strengths=(0, 0.1, 1, 4)),
]


def first_net(start, activation, rng):
    """An RNN with W_hh as `start` draws it; a word's input to a unit has the standard deviation "inputs"."""
    V, H = len(tasks.VOCABULARY), SETTINGS["hidden"]
    net = rnn.rnn(V, H, V, activation, rng=rng, w_hx_scale=SETTINGS["inputs"] * V**0.5)
    net.W_hh[:] = STARTS[start](H, H, rng=rng)
    return net


def sentences(filler, rng):
    """Endless batches: the words, and the last word."""
    while True:
        batch = tasks.agreement(filler, SETTINGS["batch"], rng=rng)
        yield batch.x, batch.y[-1]


def penalty_of(kind, strength):
    """The penalty as `fit` wants it; on W_hh alone."""
    if kind is None or strength == 0:
        return None
    if kind == "vanishing":
        def penalty(model):
            value, dW_hh = vanishing_penalty(model.net, model.trace, model.do, gradients=model.all_gradients)
            return strength * value, {"W_hh": strength * dW_hh}
        return penalty
    return lambda model: {"l1": l1, "l2": l2}[kind]({"W_hh": model.net.W_hh}, strength)


def look(net, filler):
    """The share of right verbs in new sentences, and the norm of the error signal by lag, that of lag 0 being 1."""
    batch = tasks.agreement(filler, SETTINGS["test"], rng=np.random.default_rng(99))
    trace = rnn.forward(net, batch.x)
    _, do = softmax_cross_entropy(trace.o, batch.y[-1], last=True)
    norms = np.linalg.norm(rnn.backward(net, trace, do).delta, axis=(1, 2))[::-1]
    return accuracy(trace.o[-1], batch.y[-1]), norms / norms[0] if norms[0] else norms


def run(start, activation, filler, clip, penalty, strength, seed):
    """Train one net.

    right         share of right verbs in new sentences at the end; None if the run stopped at NaN or inf
    signal        the error signal at the first word, divided by that at the last, at the end
    stretch       sigma_max(W_hh) at the end
    largest_norm  of the whole gradient, over all steps; None if infinite
    stopped       whether NaN or inf ended the run
    looks         with the penalty "vanishing": (right, signals by lag) after 0, 50, ..., 300 steps
    """
    rng = np.random.default_rng(seed)
    net = first_net(start, activation, rng)
    loss = averaged(partial(softmax_cross_entropy, last=True), axis=1)
    parts, looks, largest, stopped = (6 if penalty == "vanishing" else 1), [look(net, filler)], 0.0, False
    for _ in range(parts):
        history = fit(Recurrent(net), sentences(filler, rng), loss, SGD(SETTINGS["rate"]), clip=clip,
                      steps=SETTINGS["steps"] // parts, penalty=penalty_of(penalty, strength))
        largest, stopped = max(largest, np.nanmax(history.norm)), history.stopped is not None
        if stopped:
            break
        looks.append(look(net, filler))
    right, signals = (None, [np.nan]) if stopped else looks[-1]
    result = {"right": right, "signal": rounded(signals[-1]), "stretch": rounded(np.linalg.norm(net.W_hh, 2)),
              "largest_norm": rounded(largest), "stopped": stopped}
    if penalty == "vanishing":
        result["looks"] = [[share, [rounded(value, 2) for value in signals]] for share, signals in looks]
    return result


if __name__ == "__main__":
    main(PATH, run, CASES, SETTINGS, __doc__)
