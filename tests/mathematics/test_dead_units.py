"""What comes back to a unit with slope 0 exactly, a dead ReLU: nothing, also if it is inf, as in PyTorch and JAX."""

import warnings

import numpy as np
import pytest

from gradients import deep, layers, many, pretraining, rnn
from gradients.activations import Activation, activation, times_slope

DEAD = [activation("relu"), activation("leaky_relu", slope=0), activation("elu", alpha=0),
        Activation("step", lambda z: np.clip(z, 0, 1), lambda z: ((z > 0) & (z < 1)).astype(float), 1.0, dead=True)]
ALIVE = [activation("identity"), activation("tanh"), activation("sigmoid"), activation("leaky_relu"), activation("elu")]
each_dead = pytest.mark.parametrize("phi", DEAD, ids=lambda phi: phi.name)


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_which_can_be_dead():
    assert all(phi.dead for phi in DEAD) and not any(phi.dead for phi in ALIVE)


def test_times_slope():
    signal, slope = np.array([np.inf, -np.inf, np.nan, 3.0, np.nan, np.inf]), np.array([0.0, 0, 0, 0, 1, 1])
    np.testing.assert_array_equal(times_slope(DEAD[0], signal, slope), [0, 0, 0, 0, np.nan, np.inf])
    out = np.ones((2, 6))
    assert times_slope(DEAD[0], np.stack([signal, signal]), slope, out=out) is out and (out[:, :4] == 0).all()
    np.testing.assert_array_equal(times_slope(ALIVE[1], signal, slope), [np.nan] * 3 + [0, np.nan, np.inf])


def dead_rnn(phi, T=4, B=2, H=3):
    """Unit 0 is dead at every step, the others are not; W_qh makes its signal inf."""
    net = rnn.rnn(2, H, 1, phi, rng=np.random.default_rng(0))
    net.W_hx[:], net.W_hh[:], net.b_h[:], net.W_qh[:] = 0, 0, (-1, 0.5, 0.5), (1e308, 1, 1)
    net.W_hh[1] = 1e308, 0, 0.5  # and so does unit 1, a step later
    return net, np.zeros((T, B, 2)), np.full((T, B, 1), 1e10)


@each_dead
@pytest.mark.parametrize("back", [
    rnn.backward,
    lambda net, trace, do: rnn.chunked_backward(net, trace, do, 2),
    lambda net, trace, do: rnn.truncated_backward(net, trace, do, 2),
])
def test_in_an_rnn(phi, back):
    net, x, do = dead_rnn(phi)
    gradients = back(net, rnn.forward(net, x), do)
    assert np.isinf(gradients.dh[1:, :, 0]).all() and (gradients.delta[:, :, 0] == 0).all()
    assert (gradients.delta[:, :, 1:] > 0).all() and (gradients.db_h[1:] > 1e10).all() and gradients.db_h[0] == 0


@each_dead
def test_lags_of_an_rnn(phi):
    net, x, do = dead_rnn(phi)
    trace = rnn.forward(net, x)
    terms = rnn.lag_terms(net, trace, do)
    assert (terms.db_h[:, 0] == 0).all()
    np.testing.assert_allclose(terms.dW_hh.sum(axis=0), rnn.backward(net, trace, do).dW_hh, rtol=1e-13)


def test_products_of_an_rnn():
    """A live unit's path overflows on the way back to a dead one."""
    net = rnn.RNN(np.zeros((2, 1)), np.array([[1e200, 1e200], [0, 0]]), np.array([1.0, -1.0]), np.ones((1, 2)), np.zeros(1), "relu")
    trace = rnn.Trace(np.zeros((3, 1, 1)), np.array([1.0, -1.0]) * np.ones((3, 1, 1)), np.zeros((4, 1, 2)), np.zeros((3, 1, 1)))
    product = rnn.jacobian_products(net, trace)
    np.testing.assert_array_equal(product[1, 0], [[np.inf, np.inf], [0, 0]])
    np.testing.assert_array_equal(product[0, 0, 1], [0, 0])  # entry [0, 1] of product[1] met slope 0, and passed nothing on


@each_dead
def test_many_rnns(phi):
    net, x, do = dead_rnn(phi)
    other = rnn.RNN(*(array.copy() for array in net.parameters.values()), phi)
    other.W_qh[:] = 1
    together = many.Nets([net, other])
    gradients = together.named(many.backward(together, many.forward(together, np.zeros((4, 2, 2, 2))), np.full((4, 2, 1, 2), 1e10)))
    for n, each in enumerate((net, other)):
        alone = rnn.backward(each, rnn.forward(each, x), do)
        for name, gradient in alone.parameters.items():
            np.testing.assert_allclose(gradients[name][n], gradient, rtol=1e-13)


@each_dead
def test_in_a_deep_net(phi):
    net = deep.DeepNet({1: [[1.0], [1.0]], 2: [[1e308, 1e308]]}, {1: [-1.0, 0.5], 2: [0.0]}, {1: phi, 2: "identity"})
    trace = deep.forward(net, [[0.25]])
    gradients = deep.backward(net, trace, [[1e10]])
    np.testing.assert_array_equal(gradients.delta[1], [[0, np.inf]])
    np.testing.assert_array_equal(gradients.dW[1], [[0], [np.inf]])
    net.W[2] = np.array([[np.inf, 1.0]])
    np.testing.assert_array_equal(deep.jacobian_products(net, trace)[0], [[[1]]])


@each_dead
def test_in_layers(phi):
    layer = layers.Activate(phi)
    layer.forward([[-1.0, 0.5]])
    np.testing.assert_array_equal(layer.backward([[np.inf, 2.0]]), [[0, 2]])
    net = layers.Residual(layers.Activate(phi))
    net.forward([[-1.0, 0.5]])
    np.testing.assert_array_equal(net.backward([[np.inf, 2.0]]), [[np.inf, 4]])


@each_dead
def test_in_an_autoencoder(phi):
    layer = pretraining.Autoencoder([[1.0], [1.0]], [-2.0, -0.5], [0.0], phi)
    layer.forward([[1.0]])
    layer.parameters["W"][...] = 1e308
    layer.backward([[1e10]])
    assert layer.gradients["b"][0] == 0 and layer.gradients["b"][1] == np.inf


def test_dropped_is_0_whatever_it_was():
    layer = layers.Dropout(0.5, np.random.default_rng(0))
    layer.forward(np.ones((4, 8)), training=True)
    dx = layer.backward(np.full((4, 8), np.inf))
    assert set(dx.ravel()) == {0.0, np.inf} and ((dx == 0) == (layer.mask == 0)).all()
    layer.forward(np.ones((1, 2)))
    np.testing.assert_array_equal(layer.backward([[np.inf, 1]]), [[np.inf, 1]])


def test_as_pytorch(torch):
    z = torch.tensor([-1.0, 0.0, 2.0], dtype=torch.float64, requires_grad=True)
    signal = torch.tensor([np.inf, np.nan, np.inf], dtype=torch.float64)
    (want,) = torch.autograd.grad(torch.relu(z), z, signal)
    phi = activation("relu")
    np.testing.assert_array_equal(times_slope(phi, signal.numpy(), phi.derivative(z.detach().numpy())), want.numpy())


def test_a_slope_that_vanished_isnt_a_dead_unit():
    """exp(-2000) is 0 in float64, and inf times what it stands for isn't known: NaN, as in PyTorch."""
    net = deep.DeepNet({1: [[1.0]]}, {1: [0.0]}, {1: "sigmoid"})
    with pytest.warns(RuntimeWarning, match=r"^delta\[1\] contains NaN"):
        deep.backward(net, deep.forward(net, [[-2000.0]]), [[np.inf]])
