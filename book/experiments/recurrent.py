"""First weights, clipping and penalties in an RNN that must remember its first word: the experiments of chapters 5 and 7.

    python book/experiments/recurrent.py

writes book/data/recurrent.jsonl, or finishes it. About fifteen minutes on two cores.

The task is `gradients.tasks.agreement`, the loss that of the last word. Every run draws its own net and its own
sentences. Rates and seeds are those of protocol.py.
"""

from functools import partial
from pathlib import Path

import numpy as np
from protocol import run_protocol, seeds, train
from sweep import rounded

from gradients import initialisers, rnn, tasks
from gradients.losses import softmax_cross_entropy
from gradients.optimisers import SGD
from gradients.regularisers import l1, l2, vanishing_penalty
from gradients.training import accuracy, averaged

PATH = Path(__file__).parent.parent / "data" / "recurrent.jsonl"
SETTINGS = {"hidden": 32, "inputs": 0.5, "batch": 16, "steps": 1000, "look": 50, "test": 256, "right": 0.95,
            "tuning": 5, "fresh": 10}
STARTS = {
    "Xavier": initialisers.xavier_normal,
    "Xavier, gain 0.5": partial(initialisers.xavier_normal, gain=0.5),
    "Xavier, gain 1.5": partial(initialisers.xavier_normal, gain=1.5),
    "Kaiming": initialisers.kaiming_normal,
    "orthogonal": initialisers.orthogonal,
    "orthogonal, gain 1.5": partial(initialisers.orthogonal, gain=1.5),
    "identity": lambda n_out, n_in, rng: initialisers.identity(n_out, n_in),
}


def _arms(experiment, start, activation, filler, clips=(1,), penalty=None, strengths=(0,)):
    return [dict(experiment=experiment, start=start, activation=activation, filler=filler, clip=clip, penalty=penalty,
                 strength=strength) for clip in clips for strength in strengths]


ARMS = [
    *_arms("clipping", "Xavier, gain 1.5", "relu", 12, (None, 50, 5, 1)),
    *_arms("clipping", "Xavier, gain 0.5", "tanh", 3, (None, 5, 1)),
    *_arms("clipping", "Xavier, gain 0.5", "tanh", 24, (None, 5, 1)),
    *(arm for filler in (20, 40, 80) for start, activation in [
        ("Xavier", "tanh"), ("orthogonal", "tanh"), ("Xavier, gain 1.5", "tanh"), ("orthogonal, gain 1.5", "tanh"),
        ("Kaiming", "relu"), ("orthogonal", "relu"), ("identity", "relu"),
    ] for arm in _arms("start", start, activation, filler)),
    *_arms("size", "Xavier, gain 1.5", "tanh", 20, (None,), "l2", (0, 0.01, 0.03, 0.1, 0.3)),
    *_arms("size", "Xavier, gain 1.5", "tanh", 20, (None,), "l1", (0.001, 0.01, 0.03)),
    *_arms("size", "Xavier, gain 1.5", "relu", 20, (None,), "l2", (0, 0.1, 1)),
    *_arms("size", "Xavier, gain 1.5", "relu", 20, (1,)),
    *_arms("vanishing", "Xavier", "tanh", 30, penalty="vanishing", strengths=(0, 0.1, 1)),
]


def grid(arm):
    """The k of the first rates, up to 0.729: from 0.027 on, for ReLU nets from 0.003, from 0.001 if they aren't clipped."""
    return range(3 if arm["activation"] == "tanh" else 1 if arm["clip"] else 0, 7)


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


loss = averaged(partial(softmax_cross_entropy, last=True), axis=1)


def look(net, filler):
    """The loss and the share of right verbs in new sentences, the same at every look."""
    batch = tasks.agreement(filler, SETTINGS["test"], rng=np.random.default_rng(99))
    o = rnn.forward(net, batch.x).o
    return (loss(o, batch.y[-1])[0] if np.isfinite(o[-1]).all() else np.inf), accuracy(o[-1], batch.y[-1])


def signals(net, filler):
    """The norm of the error signal by lag, from the last word to the first, that at the last being 1; None if that is 0."""
    batch = tasks.agreement(filler, SETTINGS["test"], rng=np.random.default_rng(99))
    trace = rnn.forward(net, batch.x)
    if not np.isfinite(trace.o[-1]).all():
        return None
    _, do = softmax_cross_entropy(trace.o, batch.y[-1], last=True)
    norms = np.linalg.norm(rnn.backward(net, trace, do).delta, axis=(1, 2))[::-1]
    return [rounded(norm / norms[0], 2) for norm in norms] if norms[0] else None


def first_word(by_lag):
    return by_lag and by_lag[-1]


def run(experiment, start, activation, filler, clip, penalty, strength, part, rate):
    """Train a net for each seed.

    solved, steps, stopped, cost  see `protocol.train`
    right    share of right verbs in new sentences at the end
    before   the error signal at the first word, divided by that at the last, at the start
    after    the same at the end; None after a stop
    stretch  sigma_max(W_hh) at the end
    course   of fresh seeds in the experiment "vanishing": (share of right verbs, signal by lag) at every second look
    """
    numbers = seeds(part, SETTINGS)
    rngs = [np.random.default_rng(seed) for seed in numbers]
    nets = [first_net(start, activation, rng) for rng in rngs]
    before, courses = [first_word(signals(net, filler)) for net in nets], [[] for _ in nets]

    def look_and_note(net):
        found = look(net, filler)
        if experiment == "vanishing" and part == "fresh":
            courses[nets.index(net)].append((rounded(found[1], 3), signals(net, filler)))
        return found

    results = train(nets, [sentences(filler, rng) for rng in rngs], loss, [SGD(rate) for _ in nets], look_and_note,
                    steps=SETTINGS["steps"], every=SETTINGS["look"], right=SETTINGS["right"], clip=clip,
                    penalty=penalty_of(penalty, strength))
    return {"runs": [{
        "seed": seed, "solved": result["solved"], "steps": result["steps"], "stopped": result["stopped"], "cost": result["cost"],
        "right": rounded(result["looks"][-1][1], 3), "before": first,
        "after": None if result["stopped"] else first_word(signals(net, filler)),
        "stretch": rounded(np.linalg.norm(net.W_hh, 2), 3),
    } | ({"course": course[::2]} if course else {})
        for seed, net, first, result, course in zip(numbers, nets, before, results, courses)]}


if __name__ == "__main__":
    run_protocol(PATH, run, ARMS, grid, SETTINGS, __doc__)
