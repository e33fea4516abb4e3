"""Slices of the experiments of chapters 6 to 8: the committed results are those of the code."""

import activations
import depth
import depth_longer
import digits
import numpy as np
import pytest
from sweep import read

from gradients.losses import softmax_cross_entropy
from gradients.optimisers import SGD
from gradients.training import averaged, fit, minibatches


def again(module, monkeypatch, seeds=1, **case):
    """The stored and the new runs of the first seeds of a case."""
    row, = [row for row in read(module.PATH)[1] if case.items() <= row.items()]
    names = [*module.ARMS[0], "part", "rate"]
    monkeypatch.setitem(module.SETTINGS, row["part"], seeds)
    return zip(row["runs"][:seeds], module.run(**{name: row[name] for name in names})["runs"], strict=True)


# Cases that rounding can't change much: no threshold is near, and the training is not chaotic.

@pytest.mark.parametrize("case", [
    dict(activation="sigmoid", scale=11, balance=0, rate=0.009),
    dict(activation="sigmoid", scale=6.5, balance=0.5, rate=0.009),
    dict(activation="tanh", scale=1.7, rate=0.009),
    dict(activation="elu", scale=1, rate=0.027),
    dict(activation="leaky_relu", scale=1.4, rate=0.009),
    dict(experiment="centre", shift=0.5, rate=0.027),
    dict(experiment="centre", shift=1, rate=0.009),
    dict(experiment="dying", activation="relu", rate=0.027),
    dict(experiment="dying", activation="leaky_relu", rate=0.243),
], ids=lambda case: "-".join(map(str, case.values())))
def test_a_slice_of_activations(case, monkeypatch):
    case = {"experiment": "scale"} | case
    for want, got in again(activations, monkeypatch, seeds=2, part="tuning", **case):
        assert (got["cost"] is None) == (want["cost"] is None)
        if want["cost"] is not None:
            assert got["cost"] == pytest.approx(want["cost"], rel=0.001)  # four digits are stored
            assert got["dead"] == pytest.approx(want["dead"], abs=0.02)


@pytest.mark.parametrize("norm", depth.NORMS)
@pytest.mark.parametrize("block", depth.BLOCKS)
def test_a_slice_of_depth(block, norm, monkeypatch):
    for want, got in again(depth, monkeypatch, depth=10, block=block, norm=norm, part="tuning", rate=0.001):
        assert got["cost"] == pytest.approx(want["cost"], rel=0.05)


@pytest.mark.parametrize("norm", [None, "layer"])  # with batch normalisation the gradient explodes: rounding changes even the beginning
def test_the_beginning_of_a_longer_run(norm):
    """Its first tenth; what follows is too long for a test, and rounding can change it."""
    row, = [row for row in read(depth_longer.PATH)[1] if row["part"] == "fresh" and row["norm"] == norm]
    settings = depth_longer.SETTINGS | {"steps": 300, "losses": 1, "fresh": 1}
    got, = depth.run(50, "plain", norm, "fresh", row["rate"], settings)["runs"]
    assert got["losses"][0] == pytest.approx(row["runs"][0]["losses"][0], rel=0.01)


@pytest.mark.parametrize("norm", depth.NORMS)
@pytest.mark.parametrize("block", depth.BLOCKS)
def test_nets_side_by_side_are_those_of_deep_stack(block, norm, monkeypatch):
    """The losses and the error of each are those of the layers of chapter 8, trained alone."""
    monkeypatch.setitem(depth.SETTINGS, "steps", 20)
    monkeypatch.setitem(depth.SETTINGS, "fresh", 2)
    got = depth.run(5, block, norm, "fresh", 0.009)["runs"]
    (x, y), n = digits.digits(), depth.SETTINGS["train"]
    x = x - 0.5
    for run in got:
        rng = np.random.default_rng(run["seed"])
        net = depth.net(5, block, norm, rng, np.float64)
        batches = minibatches(x[:n], y[:n], depth.SETTINGS["batch"], rng=rng)
        history = fit(net, batches, averaged(softmax_cross_entropy), SGD(0.009, depth.SETTINGS["momentum"]), steps=20)
        assert run["losses"] == pytest.approx(history.loss.reshape(10, 2).mean(axis=1), rel=0.006)  # three digits are stored
        assert run["cost"] == pytest.approx(history.loss[-2:].mean(), rel=0.001)
        wrong = (net.forward(x[n:]).argmax(axis=1) != y[n:]).mean()
        assert run["error"] == pytest.approx(wrong, abs=0.005)


def test_a_net_that_breaks_down_stands_alone(monkeypatch):
    """At a rate at which every plain net breaks down, costs are None and nothing is right."""
    monkeypatch.setitem(depth.SETTINGS, "steps", 20)
    monkeypatch.setitem(depth.SETTINGS, "fresh", 2)
    for run in depth.run(5, "residual", None, "fresh", 1e6)["runs"]:
        assert run["cost"] is None and run["error"] == 1 and run["losses"][-1] is None


@pytest.mark.parametrize("way", ["nothing", "dropout 0.5", "L2 0.03", "L1 0.003"])
def test_a_slice_of_overfitting(way, monkeypatch):
    for want, got in again(digits, monkeypatch, experiment="overfitting", way=way, part="tuning", rate=0.003):
        for name in ("cost", "known", "new"):
            assert got[name] == pytest.approx(want[name], abs=0.02)


@pytest.mark.parametrize(("way", "rate"), [
    ("sigmoid, random", 0.081), ("sigmoid, pre-trained", 0.243), ("sigmoid, shuffled", 0.081), ("sigmoid, scale 6", 0.081),
    ("tanh, random", 0.009),
])
def test_a_slice_of_pre_training(way, rate, monkeypatch):
    for want, got in again(digits, monkeypatch, experiment="pre-training", way=way, part="tuning", rate=rate):
        assert got["before"] == pytest.approx(want["before"], rel=0.05)
        assert got["new"] == pytest.approx(want["new"], abs=0.05)


def test_shuffled_weights_are_the_pre_trained_ones_in_other_places(monkeypatch):
    """Before the first step of fine-tuning."""
    nets = {}
    monkeypatch.setitem(digits.SETTINGS, "pre-training", digits.SETTINGS["pre-training"] | {"steps": 26, "steps_a_layer": 5})
    monkeypatch.setattr(digits, "fit", lambda net, batches, loss, optimiser, steps: nets.update({way: (net.net, steps)})
                        or type("", (), {"stopped": None}))
    for way in ("sigmoid, pre-trained", "sigmoid, shuffled", "sigmoid, random"):
        digits.pretraining(way, 0.1, 0)
    (whole, left), (mixed, also_left), (_, all_steps) = nets.values()
    assert left == also_left == 1 and all_steps == 26
    for l in range(1, 6):
        for ours, theirs in ((whole.W[l], mixed.W[l]), (whole.b[l], mixed.b[l])):
            assert sorted(ours.ravel()) == sorted(theirs.ravel()) and not np.array_equal(ours, theirs)
