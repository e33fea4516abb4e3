import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradients import deep
from gradients.activations import NAMES, Activation, activation
from gradients.check import central_differences, gradient_check
from gradients.initialisers import gain
from gradients.layers import (
    Activate, BatchNorm, Dropout, Layer, LayerNorm, Linear, Residual, RMSNorm, Sequential, deep_stack, jacobian,
)
from nets import assert_close, assert_right, torch_phi

SMOOTH = ("identity", "sigmoid", "tanh")
NORMS = (None, "batch", "layer", "rms")
NORM_KINDS = {"batch": BatchNorm, "layer": LayerNorm, "rms": RMSNorm}
sizes, seeds = st.integers(1, 6), st.integers(0, 2**32)


@pytest.fixture(scope="module")
def torch(torch):
    """On one thread: nets as small as these spend more time on waiting for the others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


def assert_gradients(got, want, rtol=1e-10, cancelled=1e-12):
    """Dicts of arrays. What cancels, as the gradient of a bias before a BatchNorm does, leaves rounding of the largest."""
    assert got.keys() == want.keys()
    largest = max(np.abs(array).max() for array in want.values())
    for name in want:
        assert_close(got[name], want[name], rtol, cancelled * largest, err_msg=name)


def random_linear(n_out, n_in, rng, bias=True):
    return Linear(rng.normal(size=(n_out, n_in)) / np.sqrt(n_in), rng.normal(size=n_out) if bias else None)


def random_norm(kind, n, rng, **options):
    norm = kind(n, **options)
    for array in norm.parameters.values():
        array[:] = rng.normal(size=n)
    if kind is BatchNorm:
        norm.running_mean, norm.running_var = rng.normal(size=n), rng.uniform(0.5, 2, size=n)
    return norm


@st.composite
def nets(draw, names=NAMES, kinds=("linear", "activate", *NORM_KINDS, "dropout", "residual", "sequential")):
    """A Sequential of up to five layers, with its input and dL/dy."""
    rng, width = np.random.default_rng(draw(seeds)), draw(st.integers(3, 6))

    def layers(n, most, keep, nested):
        """Up to `most` layers on n units, and on how many they end; the last is Linear if the end is to be n."""
        made, now = [], n
        for _ in range(draw(st.integers(1, most))):
            kind = draw(st.sampled_from([kind for kind in kinds if nested or kind not in ("residual", "sequential")]))
            if kind == "linear":
                n_in, now = now, draw(st.integers(3, 6))
                made.append(random_linear(now, n_in, rng, bias=draw(st.booleans())))
            elif kind == "activate":
                made.append(Activate(draw(st.sampled_from(names))))
            elif kind in NORM_KINDS:
                made.append(random_norm(NORM_KINDS[kind], now, rng))
            elif kind == "dropout":
                made.append(Dropout(draw(st.sampled_from([0.0, 0.3])), np.random.default_rng(draw(seeds))))
            else:
                inner, now = layers(now, 3, kind == "residual", False)
                made.append({"residual": Residual, "sequential": Sequential}[kind](*inner))
        if keep and now != n:
            made.append(random_linear(n, now, rng))
            now = n
        return made, now

    made, n_out = layers(width, 5, False, True)
    B = draw(st.integers(4, 7))
    return Sequential(*made), rng.normal(size=(B, width)), rng.normal(size=(B, n_out))


def members(net, kind):
    return [layer for layer in net._members() if isinstance(layer, kind)]


def seed_dropouts(net):
    for k, dropout in enumerate(members(net, Dropout)):
        dropout.rng = np.random.default_rng(k)


class InTorch:
    """PyTorch's counterpart of a layer: `module`, and its parameters under our names.

    Dropouts multiply by the mask of the layer's last forward.
    """

    def __init__(self, torch, layer):
        self.torch, self.parameters, self.norms = torch, {}, []
        self.module = self.made_of(layer, "")

    def made_of(self, layer, prefix):
        nn, torch = self.torch.nn, self.torch
        if isinstance(layer, Sequential):
            inner = nn.Sequential(*(self.made_of(each, f"{prefix}{l}.") for l, each in enumerate(layer.layers)))
            return self.function(lambda x: x + inner(x), inner) if isinstance(layer, Residual) else inner
        if isinstance(layer, Activate):
            return self.function(torch_phi(torch, layer.phi))
        if isinstance(layer, Dropout):
            return self.function(lambda x: x * torch.tensor(layer.mask))
        p = layer.parameters
        if isinstance(layer, Linear):
            module, names = nn.Linear(layer.n_in, layer.n_out, bias="b" in p), {"W": "weight", "b": "bias"}
        else:
            names = {"gamma": "weight", "beta": "bias"}
            module = {BatchNorm: lambda: nn.BatchNorm1d(layer.n_in, eps=layer.eps, momentum=layer.momentum),
                      LayerNorm: lambda: nn.LayerNorm(layer.n_in, eps=layer.eps),
                      RMSNorm: lambda: nn.RMSNorm(layer.n_in, eps=layer.eps)}[type(layer)]()
        module = module.to(getattr(torch, str(layer.dtype)))
        if isinstance(layer, BatchNorm):
            module.running_mean[:], module.running_var[:] = torch.tensor(layer.running_mean), torch.tensor(layer.running_var)
            self.norms.append((layer, module))
        for name, array in p.items():
            parameter = getattr(module, names[name])
            parameter.data = torch.tensor(array)
            self.parameters[prefix + name] = parameter
        return module

    def function(self, function, inner=None):
        class Function(self.torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return function(x)
        return Function()

    def run(self, x, dy, training):
        """y and {"x": dL/dx, parameter: its gradient}."""
        x = self.torch.tensor(x, requires_grad=True)
        y = self.module.train(training)(x)
        self.module.zero_grad()
        y.backward(self.torch.tensor(dy))
        return y.detach().numpy(), {"x": x.grad.numpy(), **{name: p.grad.numpy() for name, p in self.parameters.items()}}


def assert_as_in_torch(torch, layer, x, dy, training):
    other = InTorch(torch, layer)
    y = layer.forward(x, training)
    gradients = {"x": layer.backward(dy), **layer.gradients}
    exact_y, exact = other.run(x, dy, training)
    assert_close(y, exact_y, 1e-12)
    assert layer.gradients.keys() == layer.parameters.keys()
    assert_gradients(gradients, exact)
    for layer, norm in other.norms:
        assert_close(layer.running_mean, norm.running_mean.numpy(), 1e-12)
        assert_close(layer.running_var, norm.running_var.numpy(), 1e-12)


def check_by_differences(net, x, target, training):
    """The gradients of 0.5 ||y - target||^2."""
    def run(x):
        seed_dropouts(net)
        return net.forward(x, training)

    def loss(inputs):
        for name, array in net.parameters.items():
            array[...] = inputs[name]
        return 0.5 * ((run(inputs["x"]) - target) ** 2).sum()

    parameters = {"x": x, **{name: array.copy() for name, array in net.parameters.items()}}
    dx = net.backward(run(x) - target)
    gradients = {"x": dx, **net.gradients}
    check = gradient_check(loss, parameters, gradients)
    assert_right(check, gradients)


# --- every layer against PyTorch and central differences

@settings(deadline=None, max_examples=30)
@given(n_out=sizes, n_in=sizes, B=sizes, bias=st.booleans(), seed=seeds)
def test_linear_against_torch(torch, n_out, n_in, B, bias, seed):
    rng = np.random.default_rng(seed)
    assert_as_in_torch(torch, random_linear(n_out, n_in, rng, bias), rng.normal(size=(B, n_in)), rng.normal(size=(B, n_out)), True)


@pytest.mark.parametrize("name", NAMES)
def test_activate_against_torch(torch, name):
    x, dy = np.random.default_rng(0).normal(size=(2, 5, 3))
    x[0] = 0  # the kink
    assert_as_in_torch(torch, Activate(name), x, dy, True)


@settings(deadline=None, max_examples=50)
@given(n=sizes, B=st.integers(2, 7), seed=seeds, scale=st.sampled_from([0.01, 1.0, 100.0]),
       eps=st.sampled_from([1e-5, 1e-3, 1.0]), momentum=st.sampled_from([0.0, 0.1, 1.0]))
def test_batch_norm_against_torch_over_several_steps(torch, n, B, seed, scale, eps, momentum):
    rng = np.random.default_rng(seed)
    norm = random_norm(BatchNorm, n, rng, eps=eps, momentum=momentum)
    other = InTorch(torch, norm)
    for training in (True, True, False, True, False):
        x, dy = scale * rng.normal(size=(B, n)) + rng.normal(size=n), rng.normal(size=(B, n))
        exact_y, exact = other.run(x, dy, training)
        assert_close(norm.forward(x, training), exact_y, 1e-12)
        assert_gradients({"x": norm.backward(dy), **norm.gradients}, exact)
        assert_close(norm.running_mean, other.norms[0][1].running_mean.numpy(), 1e-12)
        assert_close(norm.running_var, other.norms[0][1].running_var.numpy(), 1e-12)


@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm])
@settings(deadline=None, max_examples=50)
@given(n=st.integers(2, 7), B=sizes, seed=seeds, scale=st.sampled_from([0.1, 1.0, 10.0]),
       eps=st.sampled_from([1e-5, 1e-3, 1.0]), training=st.booleans())
def test_norms_of_one_example_against_torch(torch, kind, n, B, seed, scale, eps, training):
    rng = np.random.default_rng(seed)
    norm = random_norm(kind, n, rng, eps=eps)
    x, dy = scale * rng.normal(size=(B, n)) + rng.normal(), rng.normal(size=(B, n))
    assert_as_in_torch(torch, norm, x, dy, training)


@settings(deadline=None, max_examples=30)
@given(n=sizes, B=sizes, seed=seeds, p=st.sampled_from([0.0, 0.3, 0.9]), training=st.booleans())
def test_dropout_against_torch_with_the_same_mask(torch, n, B, seed, p, training):
    rng = np.random.default_rng(seed)
    dropout, x, dy = Dropout(p, rng), rng.normal(size=(B, n)), rng.normal(size=(B, n))
    y = dropout.forward(x, training)
    kept = set(torch.nn.functional.dropout(torch.ones(200, dtype=torch.float64), p, training).numpy()) - {0.0}
    assert set(np.ravel(dropout.mask)) <= {0.0, *kept}
    tensor = torch.tensor(x, requires_grad=True)
    (tensor * torch.tensor(dropout.mask)).backward(torch.tensor(dy))
    np.testing.assert_array_equal(y, x * dropout.mask)
    np.testing.assert_array_equal(dropout.backward(dy), tensor.grad.numpy())


@pytest.mark.parametrize("kind", NORM_KINDS.values())
@settings(deadline=None, max_examples=20)
@given(n=st.integers(2, 5), B=st.integers(3, 6), seed=seeds, training=st.booleans())
def test_norms_against_central_differences(kind, n, B, seed, training):
    rng = np.random.default_rng(seed)
    check_by_differences(random_norm(kind, n, rng, eps=0.1), rng.normal(size=(B, n)), rng.normal(size=(B, n)), training)


# --- compositions

@settings(deadline=None, max_examples=60)
@given(nets(), st.booleans())
def test_compositions_against_torch(torch, problem, training):
    net, x, dy = problem
    for step in range(2):
        assert_as_in_torch(torch, net, x + step, dy, training)


@settings(deadline=None, max_examples=40)
@given(nets(names=SMOOTH), st.booleans())
def test_compositions_against_central_differences(problem, training):
    net, x, target = problem
    for norm in members(net, tuple(NORM_KINDS.values())):
        norm.eps = 0.1  # less curvature
    check_by_differences(net, x, target, training)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("name", ["relu", "tanh"])
def test_deep_stacks_against_torch(torch, norm, residual, name):
    rng = np.random.default_rng(0)
    net = deep_stack(12, 8, 3, 2, name, rng=rng, norm=norm, residual=residual)
    for training in (True, True, False):
        assert_as_in_torch(torch, net, rng.normal(size=(16, 3)), rng.normal(size=(16, 2)), training)


# --- what the layers are for

def test_batch_norm_by_hand():
    norm = BatchNorm(1, eps=3.0)
    y = norm.forward([[1.0], [3.0]], training=True)  # mean 2, variance 1, sqrt(1 + 3) = 2
    np.testing.assert_allclose(y, [[-0.5], [0.5]], rtol=1e-15)
    np.testing.assert_allclose([norm.running_mean, norm.running_var], [[0.2], [0.9 + 0.1 * 2]], rtol=1e-15)
    # mean(dy) = 0.5, mean(dy x_hat) = 0.25: dx = (dy - 0.5 - 0.25 x_hat) / 2
    np.testing.assert_allclose(norm.backward([[0.0], [1.0]]), [[-0.1875], [0.1875]], rtol=1e-15)
    np.testing.assert_allclose([norm.gradients["gamma"], norm.gradients["beta"]], [[0.5], [1.0]], rtol=1e-15)


def test_layer_norm_is_batch_norm_across():
    x, dy = np.random.default_rng(0).normal(size=(2, 5, 5))
    layer, batch = LayerNorm(5), BatchNorm(5)
    np.testing.assert_allclose(layer.forward(x), batch.forward(x.T, training=True).T, rtol=1e-12)
    np.testing.assert_allclose(layer.backward(dy), batch.backward(dy.T).T, rtol=1e-12, atol=1e-14)


def test_layer_norm_of_one_unit_is_beta():
    norm = random_norm(LayerNorm, 1, np.random.default_rng(0))
    np.testing.assert_array_equal(norm.forward([[3.0], [-500.0]]), np.tile(norm.parameters["beta"], (2, 1)))
    np.testing.assert_array_equal(norm.backward([[1.0], [2.0]]), 0)
    assert norm.gradients["gamma"] == 0 and norm.gradients["beta"] == 3


def test_rms_norm_by_hand():
    norm = RMSNorm(2, eps=3.5)
    y = norm.forward([[1.0, -2.0]])  # mean square 2.5, sqrt(2.5 + 3.5) = sqrt(6)
    np.testing.assert_allclose(y, np.array([[1, -2]]) / np.sqrt(6), rtol=1e-15)
    # x_hat = (1, -2) / sqrt(6), mean(dy x_hat) = 0.5 / sqrt(6): dx = (dy - (1, -2) / 12) / sqrt(6)
    np.testing.assert_allclose(norm.backward([[1.0, 0.0]]), np.array([[11, 2]]) / 12 / np.sqrt(6), rtol=1e-15)
    np.testing.assert_allclose(norm.gradients["gamma"], [1 / np.sqrt(6), 0], rtol=1e-15)


def test_rms_norm_is_layer_norm_where_the_mean_is_0():
    x, dy = np.random.default_rng(0).normal(size=(2, 5, 4))
    x -= x.mean(axis=1, keepdims=True)
    rms, layer = RMSNorm(4), LayerNorm(4)
    np.testing.assert_allclose(rms.forward(x), layer.forward(x), rtol=1e-12)
    dx = rms.backward(dy)
    np.testing.assert_allclose(dx - dx.mean(axis=1, keepdims=True), layer.backward(dy), rtol=1e-12, atol=1e-14)


def test_norms_make_mean_0_and_variance_1():
    x = 7 + 3 * np.random.default_rng(0).normal(size=(50, 40))
    for norm, axis in ((BatchNorm(40), 0), (LayerNorm(40), 1)):
        y = norm.forward(x, training=True)
        np.testing.assert_allclose(y.mean(axis=axis), 0, atol=1e-13)
        np.testing.assert_allclose(y.var(axis=axis), 1, rtol=1e-4)


def test_running_statistics_approach_those_of_the_data_and_only_in_training():
    rng, norm = np.random.default_rng(0), BatchNorm(2)
    for _ in range(300):
        norm.forward([5, -1] + [2, 0.5] * rng.normal(size=(64, 2)), training=True)
    np.testing.assert_allclose(norm.running_mean, [5, -1], rtol=0.05)
    np.testing.assert_allclose(norm.running_var, [4, 0.25], rtol=0.1)
    before = norm.running_mean.copy(), norm.running_var.copy()
    norm.forward(np.ones((3, 2)))
    np.testing.assert_array_equal([norm.running_mean, norm.running_var], before)


def test_batch_norm_refuses_a_batch_of_one_in_training_only():
    norm = BatchNorm(3)
    assert norm.forward(np.ones((1, 3))).shape == (1, 3)
    with pytest.raises(ValueError, match=r"^x: got a batch of 1 .*want 2 or more"):
        norm.forward(np.ones((1, 3)), training=True)
    with pytest.raises(RuntimeError, match="no forward"):  # nor is a refused forward one to go back through
        norm.backward(np.ones((1, 3)))


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_dropout_keeps_the_mean_and_drops_p(p):
    dropout = Dropout(p, np.random.default_rng(0))
    y = dropout.forward(np.full((400, 500), 3.0), training=True)
    assert y.mean() == pytest.approx(3, rel=0.03)
    assert (y == 0).mean() == pytest.approx(p, abs=0.005)
    assert set(np.unique(dropout.mask)) <= {0.0, 1 / (1 - p)}


def test_dropout_is_the_identity_in_evaluation_and_new_each_time_in_training():
    x = np.random.default_rng(1).normal(size=(20, 30))
    dropout = Dropout(0.5, np.random.default_rng(0))
    first, second = dropout.forward(x, training=True), dropout.forward(x, training=True)
    assert (first != second).any()
    np.testing.assert_array_equal(dropout.backward(x), x * dropout.mask)
    state = dropout.rng.bit_generator.state
    y = dropout.forward(x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(dropout.backward(x), x)
    assert dropout.rng.bit_generator.state == state and not np.shares_memory(x, y)


@settings(deadline=None, max_examples=50)
@given(nets(kinds=("linear", "activate", *NORM_KINDS, "sequential")), seeds)
def test_residual_adds_the_identity(problem, seed):
    net, x, dy = problem
    F = Sequential(net, random_linear(x.shape[1], dy.shape[1], np.random.default_rng(seed)))
    y, dy = F.forward(x), np.ones_like(x)
    dx, gradients = F.backward(dy), F.gradients
    residual = Residual(*F.layers)
    np.testing.assert_array_equal(residual.forward(x), x + y)
    np.testing.assert_array_equal(residual.backward(dy), dy + dx)
    assert residual.gradients.keys() == gradients.keys() == residual.parameters.keys()
    for name in gradients:
        np.testing.assert_array_equal(residual.gradients[name], gradients[name])


@settings(deadline=None, max_examples=15)
@given(depth=st.integers(1, 4), width=st.integers(2, 4), norm=st.sampled_from(NORMS), name=st.sampled_from(SMOOTH), seed=seeds)
def test_the_derivative_of_a_residual_stack_is_the_identity_and_that_of_a_sum(depth, width, norm, name, seed):
    """dx_L/dx_l = I + d/dx_l sum F (He et al. 2016b, equations 4 and 5)."""
    rng = np.random.default_rng(seed)
    net = deep_stack(depth, width, 3, 2, name, rng=rng, norm=norm, residual=True)
    for each in members(net, (LayerNorm, RMSNorm)):
        each.eps = 0.1
    net.forward(rng.normal(size=(2, 3)))
    blocks = Sequential(*net.layers[1:-1])
    J = jacobian(blocks, net.x[1])

    def sum_of_F(x_1):
        blocks.forward(x_1[None])
        return sum(block.x[-1][0] for block in blocks.layers)

    for k, i in np.ndindex(2, width):
        slope = central_differences(lambda x: sum_of_F(x)[i], net.x[1][k])
        np.testing.assert_allclose(J[k, i], np.eye(width)[i] + slope, rtol=1e-6, atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(nets())
def test_jacobian_against_backward_and_changes_nothing(problem):
    net, x, dy = problem
    net.forward(x)
    dx, gradients, inputs = net.backward(dy), net.gradients, net.x
    before = {name: array.copy() for name, array in (gradients | net.parameters).items()}
    J = jacobian(net, x)
    assert J.shape == (len(x), dy.shape[1], x.shape[1])
    assert_close(np.einsum("bi,bij->bj", dy, J), dx, 1e-10)
    assert net.x is inputs and all(net.gradients[name] is gradients[name] for name in gradients)
    for name, array in (net.gradients | net.parameters).items():
        np.testing.assert_array_equal(array, before[name])


def test_jacobian_of_single_layers():
    W = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(jacobian(Linear(W), np.ones((4, 3))), np.tile(W, (4, 1, 1)))
    np.testing.assert_array_equal(jacobian(Activate("relu"), [[1.0, -1.0, 2.0]]), [np.diag([1, 0, 1])])
    np.testing.assert_array_equal(jacobian(Dropout(0.5, np.random.default_rng(0)), np.ones((1, 2))), [np.eye(2)])


# --- Sequential

def test_parameters_and_gradients_are_named_views():
    rng = np.random.default_rng(0)
    inner = Sequential(Activate("tanh"), random_linear(3, 3, rng))
    net = Sequential(random_linear(3, 2, rng), Residual(LayerNorm(3), inner), BatchNorm(3))
    assert list(net.parameters) == ["0.W", "0.b", "1.0.gamma", "1.0.beta", "1.1.1.W", "1.1.1.b", "2.gamma", "2.beta"]
    assert (net.n_in, net.n_out, net.dtype) == (2, 3, np.float64)
    assert net.gradients == {}
    x = rng.normal(size=(4, 2))
    y = net.forward(x, training=True)
    net.backward(y)
    assert net.gradients.keys() == net.parameters.keys()
    assert net.parameters["1.0.gamma"] is net.layers[1].layers[0].parameters["gamma"]
    assert net.gradients["0.W"] is net.layers[0].gradients["W"]
    for array in net.parameters.values():
        array *= 2
    assert (net.forward(x, training=True) != y).any()


def test_steps_of_descent_through_the_flat_dict_lower_the_loss():
    rng = np.random.default_rng(0)
    net = deep_stack(4, 8, 3, 1, "tanh", rng=rng, norm="batch", residual=True)
    x = rng.normal(size=(32, 3))
    target, losses = np.sin(x[:, :1]), []
    for _ in range(100):
        error = net.forward(x, training=True) - target
        losses.append((error**2).mean())
        net.backward(2 * error / len(x))
        for name, array in net.parameters.items():
            array -= 0.05 * net.gradients[name]
    assert losses[-1] < 0.1 * losses[0]


def test_what_passed_between_the_layers():
    rng = np.random.default_rng(0)
    net = Sequential(random_linear(3, 2, rng), Activate("tanh"), random_linear(4, 3, rng))
    x, dy = rng.normal(size=(5, 2)), rng.normal(size=(5, 4))
    y, dx = net.forward(x), net.backward(dy)
    assert [each.shape for each in net.x] == [each.shape for each in net.dx] == [(5, 2), (5, 3), (5, 3), (5, 4)]
    assert net.x[-1] is y and net.dx[0] is dx
    np.testing.assert_array_equal(net.x[2], np.tanh(net.x[1]))
    np.testing.assert_array_equal(net.dx[3], dy)
    np.testing.assert_array_equal(net.dx[2], dy @ net.layers[2].parameters["W"])


def test_a_layer_of_ones_own():
    class Twice(Layer):
        def _forward(self, x, training):
            return 2 * x

        def _backward(self, dy):
            return 2 * dy

    net = Sequential(Twice(), Residual(Twice()))
    np.testing.assert_array_equal(net.forward([[1.0, 2.0]]), [[6, 12]])
    np.testing.assert_array_equal(net.backward([[1.0, 0.0]]), [[6, 0]])


# --- deep_stack

def weights(net):
    return [array for name, array in net.parameters.items() if name.endswith("W")]


@settings(deadline=None, max_examples=30)
@given(depth=st.integers(0, 5), width=sizes, n_in=sizes, n_out=sizes, name=st.sampled_from(NAMES), seed=seeds)
def test_the_plain_stack_is_the_net_of_chapter_2(depth, width, n_in, n_out, name, seed):
    rng = np.random.default_rng(seed)
    stack = deep_stack(depth, width, n_in, n_out, name, rng=rng)
    layers = range(1, depth + 3)
    net = deep.DeepNet(dict(zip(layers, weights(stack))), {l: np.zeros(len(W)) for l, W in zip(layers, weights(stack))},
                       {l: name if l < depth + 2 else "identity" for l in layers})
    x, dy = rng.normal(size=(4, n_in)), rng.normal(size=(4, n_out))
    trace = deep.forward(net, x)
    gradients = deep.backward(net, trace, dy)
    y, dx = stack.forward(x), stack.backward(dy)
    np.testing.assert_allclose(y, trace.h[depth + 2], rtol=1e-12, atol=1e-14)
    assert_close(dx, gradients.dx, 1e-12)
    assert len(stack.layers) == depth + 2
    for l in range(1, depth + 2):
        assert_close(stack.x[l], trace.z[l], 1e-12)
        assert_close(stack.dx[l], gradients.delta[l], 1e-12)


def test_the_four_nets_have_the_same_weights_and_depth_gain_and_dtype_vary_with_all_else_equal():
    def draw(depth=3, activation="relu", **options):
        return deep_stack(depth, 5, 4, 2, activation, rng=np.random.default_rng(7), **options)

    base = weights(draw())
    assert [W.shape for W in base] == [(5, 4), (5, 5), (5, 5), (5, 5), (2, 5)]
    for norm in NORMS:
        for residual in (False, True):
            net = draw(norm=norm, residual=residual)
            for W, want in zip(weights(net), base, strict=True):
                np.testing.assert_array_equal(W, want)
            kinds = [type(layer) for layer in net.layers]
            assert kinds == [Linear, *[Residual if residual else Sequential] * 3, Sequential]
            norms = [NORM_KINDS[norm]] if norm else []
            for block in net.layers[1:]:
                assert [type(layer) for layer in block.layers] == [*norms, Activate, Linear]
    for W, want in zip(weights(draw(depth=5)), [*base[:4], None, None, base[4]], strict=True):
        assert want is None or np.array_equal(W, want)
    for W, want in zip(weights(draw(gain=3, dtype=np.float32)), base, strict=True):
        hidden = want.shape == (5, 5)
        np.testing.assert_allclose(W, want * (3 / np.sqrt(2) if hidden else 1), rtol=1e-6)
        assert W.dtype == np.float32
    np.testing.assert_allclose(weights(draw(activation="tanh"))[1], base[1] * gain("tanh") / gain("relu"), rtol=1e-14)


def test_deep_stack_draws_what_it_says():
    net = deep_stack(1, 300, 200, 100, "relu", rng=np.random.default_rng(0), gain=2)
    assert [W.std() for W in weights(net)] == pytest.approx([200**-0.5, 2 * 300**-0.5, 300**-0.5], rel=0.02)
    assert not any(array.any() for name, array in net.parameters.items() if name.endswith("b"))


def test_a_residual_stack_lets_the_gradient_through_where_a_plain_one_does_not():
    def norms(**options):
        net = deep_stack(50, 16, 4, 2, "tanh", rng=np.random.default_rng(0), gain=0.5, **options)
        net.forward(np.random.default_rng(1).normal(size=(8, 4)))
        net.backward(np.ones((8, 2)))
        return np.linalg.norm(net.dx[1]) / np.linalg.norm(net.dx[51])

    assert norms() < 1e-12
    assert 0.1 < norms(residual=True, norm="layer") < 100


# --- dtype, overflow, order of calls, bad input

@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("residual", [False, True])
def test_float32_is_kept(norm, residual):
    net = deep_stack(3, 5, 4, 2, rng=np.random.default_rng(0), norm=norm, residual=residual, dtype=np.float32)
    net = Sequential(*net.layers, Dropout(0.2, np.random.default_rng(0)), Activate("sigmoid"))
    for training in (True, False):
        y = net.forward(np.ones((6, 4)), training)
        net.backward(np.ones((6, 2)))
        arrays = [y, *net.x, *net.dx, *net.parameters.values(), *net.gradients.values(), jacobian(net, np.ones((1, 4)))]
        arrays += [array for each in members(net, BatchNorm) for array in (each.running_mean, each.running_var)]
        assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    x = np.ones((2, 3), np.float32)
    for layer in (Activate("tanh"), Dropout(0.5, np.random.default_rng(0))):
        assert {layer.forward(x, True).dtype, layer.backward(np.ones((2, 3))).dtype} == {np.dtype(np.float32)}


@pytest.mark.parametrize("norm", NORMS)
def test_float32_agrees_with_float64(norm):
    x, dy = np.random.default_rng(1).normal(size=(2, 8, 4))
    nets = [deep_stack(3, 6, 4, 4, "tanh", rng=np.random.default_rng(0), norm=norm, residual=True, dtype=dtype)
            for dtype in (np.float32, np.float64)]
    for net in nets:
        net.forward(x, training=True), net.backward(dy)
    for name in nets[1].gradients:  # a bias in front of a BatchNorm has no effect: its gradient is rounding
        if np.abs(nets[1].gradients[name]).max() > 1e-10:
            assert_close(nets[0].gradients[name], nets[1].gradients[name], 1e-4, err_msg=name)


def test_overflow_is_inf_without_a_warning():
    net = Sequential(*(Linear([[1e100]]) for _ in range(5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, dx = net.forward([[1.0]]), net.backward([[1.0]])
        J = jacobian(net, [[1.0]])
        norm = BatchNorm(1)
        np.testing.assert_array_equal(norm.forward([[1e200], [2e200]], training=True), 0)
        norm.forward([[1.0], [2.0]], training=True)
        np.testing.assert_array_equal(RMSNorm(2).forward([[1e200, 2e200]]), 0)
    assert y == dx == J == norm.running_var == np.inf and net.x[3] == pytest.approx(1e300)


def test_nan_is_announced_with_where_it_appears():
    """inf after two layers by one product alone; inf - inf in the third, whatever the order of adding."""
    larger, meet = 1e200 * np.eye(2), np.array([[1.0, -1.0], [1.0, 1.0]])

    def net(*weights):
        return Sequential(*(Linear(W) for W in weights))

    with pytest.warns(RuntimeWarning, match=r"^x\[3\] contains NaN") as record:
        net(larger, larger, meet, larger).forward([[1.0, 0.5]])
    assert len(record) == 1 and record[0].filename == __file__
    back = net(larger, meet, larger, larger)
    back.forward([[0.0, 0.0]])
    with pytest.warns(RuntimeWarning, match=r"^dx\[1\] contains NaN") as record:
        back.backward([[1.0, 0.5]])
    assert len(record) == 1 and record[0].filename == __file__
    residual = Residual(Linear([[-1.0]]))
    residual.forward([[1.0]])
    with pytest.warns(RuntimeWarning, match=r"^dx contains NaN"):
        residual.backward([[np.inf]])
    layer = Linear([[1.0]])
    layer.forward([[0.0]])
    with pytest.warns(RuntimeWarning, match=r"^gradients\['W'\] contains NaN"):
        layer.backward([[np.inf]])
    with pytest.warns(RuntimeWarning, match=r"^J contains NaN") as record:
        jacobian(net(meet, larger, larger, meet), [[0.0, 0.0]])
    assert len(record) == 1 and record[0].filename == __file__


def every_layer():
    rng = np.random.default_rng(0)
    return [random_linear(3, 3, rng), Activate("tanh"), BatchNorm(3), LayerNorm(3), RMSNorm(3), Dropout(0.5, rng),
            Sequential(random_linear(3, 3, rng)), Residual(random_linear(3, 3, rng))]


@pytest.mark.parametrize("layer", every_layer(), ids=lambda layer: type(layer).__name__)
def test_every_backward_needs_a_forward_of_its_own(layer):
    x = np.random.default_rng(0).normal(size=(4, 3))
    with pytest.raises(RuntimeError, match=r"^\w+\.backward: got no forward .*want"):
        layer.backward(x)
    layer.forward(x, training=True)
    with pytest.raises(ValueError, match=r"^dy: got"):
        layer.backward(x[:3])
    layer.backward(x)
    with pytest.raises(RuntimeError, match=r"^\w+\.backward: got no forward .*want"):
        layer.backward(x)
    layer.forward(x, training=True)
    layer.forward(x[:2], training=True)
    assert layer.backward(x[:2]).shape == (2, 3)


def test_a_forward_that_fails_half_way_leaves_nothing_to_go_back_through():
    net = Sequential(Activate("tanh"), BatchNorm(3))
    net.forward(np.ones((2, 3)), training=True)
    with pytest.raises(ValueError, match="batch of 1"):
        net.forward(np.ones((1, 3)), training=True)
    with pytest.raises(RuntimeError):
        net.backward(np.ones((2, 3)))


@settings(deadline=None, max_examples=30)
@given(nets(), st.booleans())
def test_nothing_given_is_modified_and_the_same_again_is_the_same(problem, training):
    net, x, dy = problem
    given_x, given_dy = x.copy(), dy.copy()
    before = {name: array.copy() for name, array in net.parameters.items()}

    def run():
        seed_dropouts(net)
        return [net.forward(x, training), net.backward(dy), *net.gradients.values()]

    statistics = [(norm, norm.running_mean, norm.running_var) for norm in members(net, BatchNorm)]
    first = [array.copy() for array in run()]
    for norm, mean, variance in statistics:
        norm.running_mean, norm.running_var = mean, variance
    for array, want in zip(run(), first, strict=True):  # gradients are replaced, not added to
        np.testing.assert_array_equal(array, want)
    np.testing.assert_array_equal(x, given_x)
    np.testing.assert_array_equal(dy, given_dy)
    for name, array in net.parameters.items():
        np.testing.assert_array_equal(array, before[name])


def test_evaluation_and_norms_of_one_example_treat_examples_one_by_one():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5, 4))
    for norm, training in (("batch", False), ("layer", False), ("layer", True), ("rms", True)):
        net = deep_stack(3, 6, 4, 2, rng=np.random.default_rng(0), norm=norm, residual=True)
        whole = net.forward(x, training)
        parts = [net.forward(x[k:k + 1], training) for k in range(5)]
        np.testing.assert_allclose(whole, np.concatenate(parts), rtol=1e-12, atol=1e-14)


def stack(*sizes, **options):
    return deep_stack(*(sizes or (2, 3, 4, 5)), **{"rng": np.random.default_rng(0), **options})


def ran(layer, x):
    layer.forward(x)
    return layer


LINEAR = Linear(np.ones((2, 3)), np.zeros(2))


@pytest.mark.parametrize("call, argument", [
    (lambda: Linear(np.ones(3)), "W"),
    (lambda: Linear(np.full((2, 3), np.nan)), "W"),
    (lambda: Linear(np.ones((0, 3))), "W"),
    (lambda: Linear([["a"]]), "W"),
    (lambda: Linear(np.ones((2, 3)), np.zeros(3)), "b"),
    (lambda: Linear(np.ones((2, 3)), [0, np.inf]), "b"),
    (lambda: Linear(np.ones((2, 3)), np.zeros(2, np.float32)), "b"),
    (lambda: Activate("unheard_of"), "phi"),
    (lambda: BatchNorm(0), "n"),
    (lambda: BatchNorm(2.0), "n"),
    (lambda: BatchNorm(2, eps=0), "eps"),
    (lambda: BatchNorm(2, eps=-1), "eps"),
    (lambda: BatchNorm(2, momentum=1.1), "momentum"),
    (lambda: BatchNorm(2, momentum=-0.1), "momentum"),
    (lambda: BatchNorm(2, momentum=None), "momentum"),
    (lambda: BatchNorm(2, dtype=int), "dtype"),
    (lambda: LayerNorm(-1), "n"),
    (lambda: LayerNorm(2, eps=np.nan), "eps"),
    (lambda: LayerNorm(2, dtype=np.float16), "dtype"),
    (lambda: RMSNorm(0), "n"),
    (lambda: RMSNorm(2, eps=0), "eps"),
    (lambda: RMSNorm(2, dtype=int), "dtype"),
    (lambda: Dropout(1, np.random.default_rng(0)), "p"),
    (lambda: Dropout(-0.1, np.random.default_rng(0)), "p"),
    (lambda: Dropout("half", np.random.default_rng(0)), "p"),
    (lambda: Dropout(0.5, 0), "rng"),
    (lambda: Sequential(), "layers"),
    (lambda: Residual(), "layers"),
    (lambda: Sequential(LINEAR, "tanh"), "layers[1]"),
    (lambda: Sequential([LINEAR]), "layers[0]"),
    (lambda: Sequential(LINEAR, Activate("tanh"), BatchNorm(3)), "layers[2]"),
    (lambda: Sequential(Activate("tanh"), LINEAR, Residual(LayerNorm(3))), "layers[2]"),
    (lambda: Sequential(LINEAR, BatchNorm(2, dtype=np.float32)), "layers[1]"),
    (lambda: Sequential(Activate("tanh"), LayerNorm(3, dtype=np.float32), LINEAR), "layers[2]"),
    (lambda: Sequential(*[Activate("tanh")] * 2), "layers"),
    (lambda: Sequential(*[Sequential(each, Activate("tanh")) for each in [LayerNorm(2)] * 2]), "layers"),
    (lambda: Residual(LINEAR), "layers"),
    (lambda: Residual(Activate("tanh"), LINEAR, Activate("tanh")), "layers"),
    (lambda: LINEAR.forward(np.ones(3)), "x"),
    (lambda: LINEAR.forward(np.ones((4, 2))), "x"),
    (lambda: LINEAR.forward(np.ones((0, 3))), "x"),
    (lambda: LINEAR.forward([[1, 2, np.nan]]), "x"),
    (lambda: LINEAR.forward([[1, 2, np.inf]]), "x"),
    (lambda: Activate("tanh").forward(np.ones((2, 2, 2))), "x"),
    (lambda: Sequential(Activate("tanh"), LINEAR).forward(np.ones((4, 2))), "x"),
    (lambda: ran(LINEAR, np.ones((4, 3))).backward(np.ones((4, 3))), "dy"),
    (lambda: ran(LINEAR, np.ones((4, 3))).backward(np.ones((1, 2))), "dy"),
    (lambda: ran(stack(), np.ones((4, 4))).backward(np.ones((4, 4))), "dy"),
    (lambda: stack(-1, 3, 4, 5), "depth"),
    (lambda: stack(2, 0, 4, 5), "width"),
    (lambda: stack(2, 3, 1.5, 5), "n_in"),
    (lambda: stack(2, 3, 4, True), "n_out"),
    (lambda: stack(activation="unheard_of"), "activation"),
    (lambda: stack(activation=Activation("square", np.square, lambda z: 2 * z, np.inf)), "activation"),
    (lambda: stack(norm="group"), "norm"),
    (lambda: stack(norm=BatchNorm), "norm"),
    (lambda: stack(norm=["batch"]), "norm"),
    (lambda: stack(gain=-1), "gain"),
    (lambda: stack(gain="relu"), "gain"),
    (lambda: stack(rng=0), "rng"),
    (lambda: stack(dtype=np.float16), "dtype"),
    (lambda: jacobian(np.ones((2, 2)), np.ones((4, 3))), "layer"),
    (lambda: jacobian(LINEAR, np.ones((4, 2))), "x"),
    (lambda: jacobian(LINEAR, [[1, 2, np.nan]]), "x"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        call()


def test_an_activation_of_ones_own_works_with_a_gain_of_ones_own():
    square = Activation("square", np.square, lambda z: 2 * z, np.inf)
    net = stack(activation=square, gain=0.5)
    assert net.forward(np.ones((1, 4))).shape == (1, 5)
    np.testing.assert_array_equal(jacobian(Activate(square), [[3.0]]), [[[6.0]]])
    assert jacobian(Sequential(Activate(activation("elu", alpha=2)), LINEAR), np.ones((1, 3))).shape == (1, 2, 3)
