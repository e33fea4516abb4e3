import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradients.activations import NAMES, activation
from gradients.check import gradient_check
from gradients.deep import DeepNet, deep_net, forward
from gradients.losses import squared_error
from gradients.pretraining import Autoencoder, pretrain
from nets import torch_phi


@pytest.fixture(scope="module")
def digits():
    """1,797 handwritten digits, (1797, 64), from 0 to 1."""
    from sklearn.datasets import load_digits
    return load_digits().data / 16


@st.composite
def problems(draw):
    """An autoencoder, its input and a target."""
    n_in, n_out, B = (draw(st.integers(1, 5)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = Autoencoder(rng.normal(size=(n_out, n_in)), rng.normal(size=n_out), rng.normal(size=n_in), draw(st.sampled_from(NAMES)))
    x = rng.normal(size=(B, n_in))
    return net, x, x if draw(st.booleans()) else rng.normal(size=(B, n_in))


@settings(deadline=None)
@given(problems())
def test_gradients_against_central_differences(problem):
    net, x, y = problem
    assume(net.phi.name not in ("relu", "leaky_relu", "elu")
           or np.abs(x @ net.parameters["W"].T + net.parameters["b"]).min() > 1e-3)
    net.backward(squared_error(net.forward(x), y)[1])
    check = gradient_check(lambda p: squared_error(Autoencoder(**p, phi=net.phi).forward(x), y)[0], net.parameters, net.gradients)
    assert check, str(check)


@settings(deadline=None)
@given(problems())
def test_gradients_against_torch(torch, problem):
    net, x, y = problem
    p = {name: torch.tensor(array, requires_grad=True) for name, array in net.parameters.items()}
    phi = torch_phi(torch, net.phi)
    z = torch.tensor(x) @ p["W"].T + p["b"]
    assume(z.abs().max() < 6)
    r = phi(z) @ p["W"] + p["c"]
    loss, dr = squared_error(net.forward(x), y)
    theirs = 0.5 * ((r - torch.tensor(y)) ** 2).sum()
    assert loss == pytest.approx(theirs.item(), rel=1e-12)
    np.testing.assert_allclose(net.encode(x), phi(z).detach().numpy(), rtol=1e-12, atol=1e-12)
    net.backward(dr)
    for name, want in zip(p, torch.autograd.grad(theirs, list(p.values()))):
        want = want.numpy()
        np.testing.assert_allclose(net.gradients[name], want, rtol=0, atol=1e-11 * max(1e-3, np.abs(want).max()))


def test_the_error_falls_on_the_digits(digits):
    sizes = (64, 24, 12)
    W, b, histories = pretrain(sizes, digits, rng=np.random.default_rng(0), steps=300, rate=1e-2)
    assert [(W[l].shape, b[l].shape) for l in W] == [((24, 64), (24,)), ((12, 24), (12,))]
    assert list(W) == list(b) == list(histories) == [1, 2]
    spread = 0.5 * np.sum((digits - digits.mean(axis=0)) ** 2) / len(digits)  # of a reconstruction that is always the mean
    for l in histories:
        assert histories[l].stopped is None and len(histories[l].loss) == 300
    assert np.mean(histories[1].loss[-20:]) < 0.25 * spread < spread < histories[1].loss[0]
    net = DeepNet(W, b, {1: "sigmoid", 2: "sigmoid"})
    codes = forward(net, digits).h
    spread = 0.5 * np.sum((codes[1] - codes[1].mean(axis=0)) ** 2) / len(digits)
    assert np.mean(histories[2].loss[-20:]) < 0.35 * spread < spread < histories[2].loss[0]


def test_each_layer_begins_as_in_deep_net_on_the_codes_of_the_trained_one_below():
    x = np.random.default_rng(5).random((40, 6))
    W, b, histories = pretrain((6, 4, 3), x, rng=np.random.default_rng(1), activation="tanh", steps=30, rate=1e-2,
                               batch=40, weight_scale=0.7)
    start = deep_net((6, 4, 3), "tanh", rng=np.random.default_rng(1), weight_scale=0.7)
    code = np.tanh(x @ W[1].T + b[1])
    for l, inputs in ((1, x), (2, code)):
        layer = Autoencoder(start.W[l], start.b[l], np.zeros(inputs.shape[1]), "tanh")
        assert histories[l].loss[0] == pytest.approx(squared_error(layer.forward(inputs), inputs)[0] / 40, rel=1e-12)
        assert np.abs(W[l] - start.W[l]).max() > 0.01


def test_a_linear_autoencoder_finds_the_principal_components():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 0.01 * rng.normal(size=(200, 6)) + 1
    W, _, histories = pretrain((6, 2), x, rng=rng, activation="identity", steps=1500, rate=1e-2, batch=200)
    centred = x - x.mean(axis=0)
    components = np.linalg.svd(centred, full_matrices=False)[2][:2]
    left = 0.5 * np.sum((centred - centred @ components.T @ components) ** 2) / 200
    assert histories[1].loss[-1] == pytest.approx(left, rel=0.01)
    cosines = np.linalg.svd(np.linalg.qr(W[1].T)[0].T @ components.T, compute_uv=False)
    assert cosines.min() > 0.9999


def test_the_same_seed_and_dtype(digits):
    for dtype in (np.float64, np.float32):
        x = digits[:100].astype(dtype)
        before = x.copy()
        runs = [pretrain((64, 5, 4), x, rng=np.random.default_rng(3), steps=5) for _ in range(2)]
        for l in (1, 2):
            assert runs[0][0][l].dtype == runs[0][1][l].dtype == dtype
            np.testing.assert_array_equal(runs[0][0][l], runs[1][0][l])
            np.testing.assert_array_equal(runs[0][2][l].loss, runs[1][2][l].loss)
        np.testing.assert_array_equal(x, before)


def test_progress_and_activation_objects(digits):
    lengths = []
    pretrain((64, 3, 2), digits, rng=np.random.default_rng(0), steps=4, activation=activation("leaky_relu", slope=0.1),
             progress=lambda steps: lengths.append(len(steps)) or steps)
    assert lengths == [4, 4]


def test_an_overflow_names_layer_and_step():
    x = np.random.default_rng(0).random((40, 3))
    with pytest.raises(FloatingPointError, match=r"^layer 1, step \d+: "):
        pretrain((3, 2), 1e160 * x, rng=np.random.default_rng(0), activation="identity", batch=40)


def test_gradients_needs_no_scikit_learn():
    code = "import sys, gradients.pretraining; print([m for m in ('sklearn', 'scipy', 'tqdm', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


X = np.zeros((5, 3))
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("call", "argument"), [
    (lambda: pretrain((3, 2), X[0], rng=RNG), "x"),
    (lambda: pretrain((3, 2), X + np.nan, rng=RNG, batch=5), "x"),
    (lambda: pretrain((4, 2), X, rng=RNG, batch=5), "x"),
    (lambda: pretrain((3,), X, rng=RNG, batch=5), "sizes"),
    (lambda: pretrain((3, 2), X, rng=0, batch=5), "rng"),
    (lambda: pretrain((3, 2), X, rng=RNG, batch=6), "batch"),
    (lambda: pretrain((3, 2), X, rng=RNG, batch=0), "batch"),
    (lambda: pretrain((3, 2), X, rng=RNG, batch=5, steps=0), "steps"),
    (lambda: pretrain((3, 2), X, rng=RNG, batch=5, rate=-1), "rate"),
    (lambda: pretrain((3, 2), X, rng=RNG, batch=5, weight_scale=-1), "weight_scale"),
    (lambda: pretrain((3, 2), X, rng=RNG, batch=5, activation="step"), "activation"),
    (lambda: Autoencoder(X[0], X[0], X[0]), "W"),
    (lambda: Autoencoder(X, X[0], X[0]), "b"),
    (lambda: Autoencoder(X, np.zeros(5), np.zeros(5)), "c"),
    (lambda: Autoencoder(X, np.zeros(5, np.float32), X[0]), "b"),
    (lambda: Autoencoder(X, np.zeros(5), X[0], "step"), "phi"),
    (lambda: Autoencoder(X, np.zeros(5), X[0]).encode(X[0]), "x"),
    (lambda: Autoencoder(X, np.zeros(5), X[0]).forward(X[:, 1:]), "x"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want|^{re.escape(argument)}: got .*want"):
        call()


def test_backward_wants_the_shape_of_the_input():
    net = Autoencoder(np.zeros((2, 3)), np.zeros(2), np.zeros(3))
    net.forward(X)
    with pytest.raises(ValueError, match="^dr: got .*, want"):
        net.backward(X[1:])
