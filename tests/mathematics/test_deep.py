import re
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradients.activations import NAMES, activation
from gradients.check import central_differences, gradient_check
from gradients.deep import (
    DeepNet, Gradients, Trace, backward, deep_net, forward, gradient_norms, jacobian_bound,
    jacobian_products, jacobians,
)
from gradients.losses import squared_error
from nets import assert_close, assert_right, torch_phi

KINKED = ("relu", "leaky_relu", "elu")


@st.composite
def problems(draw, weight_scales=(0.5, 1.0, 1.5)):
    """A net, its input and its target."""
    name = draw(st.sampled_from(NAMES))
    parameters = {"leaky_relu": {"slope": draw(st.sampled_from([0.1, 0.5]))}, "elu": {"alpha": draw(st.sampled_from([1.0, 1.7]))}}
    output = draw(st.sampled_from([None, *NAMES]))
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = deep_net(sizes, activation(name, **parameters.get(name, {})), rng=rng, output=output,
                   weight_scale=draw(st.sampled_from(weight_scales)), bias_scale=draw(st.sampled_from([0.3, 1.0])))
    batch = draw(st.integers(1, 4))
    return net, rng.normal(size=(batch, sizes[0])), rng.normal(size=(batch, sizes[-1]))


def away_from_kinks(net, trace):
    return all(np.abs(trace.z[l]).min() > 1e-3 for l in net.phi if net.phi[l].name in KINKED)


def away_from_saturation(net, trace):
    """PyTorch's derivatives 1 - tanh^2 and sigma (1 - sigma) cancel for large z; ours don't."""
    return all(np.abs(trace.z[l]).max() < 6 for l in net.phi if net.phi[l].name in ("sigmoid", "tanh"))


def parameters_of(net, x):
    return {"x": x} | {f"W[{l}]": net.W[l] for l in net.W} | {f"b[{l}]": net.b[l] for l in net.b}


def gradients_of(gradients):
    dW, db = gradients.dW, gradients.db
    return {"x": gradients.dx} | {f"W[{l}]": dW[l] for l in dW} | {f"b[{l}]": db[l] for l in db}


def net_from(parameters, phi):
    return DeepNet({l: parameters[f"W[{l}]"] for l in phi}, {l: parameters[f"b[{l}]"] for l in phi}, phi)


def torch_net(torch, net):
    def run(h, W, b, first=1):
        for l in range(first, net.depth + 1):
            h = torch_phi(torch, net.phi[l])(h @ W[l].T + b[l])
        return h
    return run


def relu_net(*scales):
    """One unit a layer, h^(l) = relu(scale h^(l-1))."""
    layers = range(1, len(scales) + 1)
    return DeepNet({l: np.array([[scale]]) for l, scale in zip(layers, scales)}, {l: np.zeros(1) for l in layers},
                   {l: activation("relu") for l in layers})


def worked_example():
    """Chapter 1: two inputs, two hidden units, two outputs, all sigmoid."""
    net = DeepNet(
        W={1: np.array([[0.15, 0.20], [0.25, 0.30]]), 2: np.array([[0.40, 0.45], [0.50, 0.55]])},
        b={1: np.array([0.35, 0.35]), 2: np.array([0.60, 0.60])},
        phi={1: activation("sigmoid"), 2: activation("sigmoid")},
    )
    return net, np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])


def test_worked_example_of_chapter_1():
    net, x, target = worked_example()
    trace = forward(net, x)
    loss, dh = squared_error(trace.h[2], target)
    gradients = backward(net, trace, dh)
    np.testing.assert_allclose(trace.h[2], [[0.75136507, 0.772928465]], rtol=0, atol=5e-9)
    assert loss == pytest.approx(0.298371109, abs=5e-10)
    assert gradients.dW[2][0, 0] == pytest.approx(0.082167041, abs=5e-10)
    for l in net.W:
        net.W[l] -= 0.5 * gradients.dW[l]
    assert squared_error(forward(net, x).h[2], target)[0] == pytest.approx(0.291027774, abs=5e-10)


def test_worked_example_by_the_two_paths_of_w1():
    net, x, target = worked_example()
    trace = forward(net, x)
    h1, (o1, o2) = trace.h[1][0, 0], trace.h[2][0]
    through = [(o - y) * o * (1 - o) * w * h1 * (1 - h1) * 0.05 for o, y, w in ((o1, 0.01, 0.40), (o2, 0.99, 0.50))]
    dW = backward(net, trace, squared_error(trace.h[2], target)[1]).dW
    assert dW[1][0, 0] == pytest.approx(sum(through), rel=1e-12)


@settings(deadline=None)
@given(problems())
def test_backward_against_central_differences(problem):
    net, x, target = problem
    trace = forward(net, x)
    assume(away_from_kinks(net, trace))

    def loss(parameters):
        return squared_error(forward(net_from(parameters, net.phi), parameters["x"]).h[net.depth], target)[0]

    gradients = gradients_of(backward(net, trace, squared_error(trace.h[net.depth], target)[1]))
    check = gradient_check(loss, parameters_of(net, x), gradients)
    assert_right(check, gradients)


@settings(deadline=None)
@given(problems(weight_scales=(0.5, 1.0, 2.0)))
def test_forward_and_backward_against_torch(torch, problem):
    net, x, target = problem
    trace = forward(net, x)
    assume(away_from_saturation(net, trace))
    output = trace.h[net.depth]
    loss, dh = squared_error(output, target)
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in parameters_of(net, x).items()}
    W, b = ({l: tensors[f"{kind}[{l}]"] for l in net.W} for kind in "Wb")
    torch_output = torch_net(torch, net)(tensors["x"], W, b)
    torch_loss = 0.5 * ((torch.tensor(target) - torch_output) ** 2).sum()
    torch_loss.backward()
    assert_close(output, torch_output.detach().numpy(), 1e-12)
    assert loss == pytest.approx(torch_loss.item(), rel=1e-12)
    for name, gradient in gradients_of(backward(net, trace, dh)).items():
        assert_close(gradient, tensors[name].grad.numpy(), 1e-10)


@settings(deadline=None)
@given(problems())
def test_jacobians_against_central_differences(problem):
    net, x, _ = problem
    trace = forward(net, x)
    assume(away_from_kinks(net, trace))
    J = jacobians(net, trace)
    assert list(J) == list(range(1, net.depth + 1))
    for l in J:
        numeric = np.empty_like(J[l])
        for k, i in np.ndindex(J[l].shape[:2]):
            unit = lambda h: net.phi[l].function(net.W[l][i] @ h + net.b[l][i])
            numeric[k, i] = central_differences(unit, trace.h[l - 1][k])
        np.testing.assert_allclose(J[l], numeric, rtol=1e-7, atol=2e-9)


@settings(deadline=None, max_examples=50)
@given(problems(weight_scales=(0.5, 1.0, 2.0)))
def test_jacobian_products_against_torch(torch, problem):
    net, x, _ = problem
    trace = forward(net, x)
    assume(away_from_saturation(net, trace))
    products = jacobian_products(net, trace)
    assert list(products) == list(range(net.depth + 1))
    run = torch_net(torch, net)
    W, b = ({l: torch.tensor(array) for l, array in arrays.items()} for arrays in (net.W, net.b))
    for l in products:
        for k in range(len(x)):
            rest = lambda h: run(h, W, b, first=l + 1)
            exact = torch.autograd.functional.jacobian(rest, torch.tensor(trace.h[l][k])).numpy()
            assert_close(products[l][k], exact, 1e-10)


@settings(deadline=None)
@given(problems())
def test_jacobian_products_are_products_of_jacobians(problem):
    net, x, _ = problem
    trace = forward(net, x)
    J, products = jacobians(net, trace), jacobian_products(net, trace)
    np.testing.assert_array_equal(products[net.depth], np.broadcast_to(np.eye(net.sizes[-1]), products[net.depth].shape))
    for l in J:
        np.testing.assert_allclose(products[l - 1], products[l] @ J[l], rtol=1e-12, atol=1e-14)


@settings(deadline=None)
@given(problems(weight_scales=(0.5, 1.0, 2.0, 5.0)))
def test_delta_is_a_jacobian_product(problem):
    net, x, target = problem
    trace = forward(net, x)
    dh = squared_error(trace.h[net.depth], target)[1]
    gradients, products = backward(net, trace, dh), jacobian_products(net, trace)
    for l in net.W:
        through = np.einsum("bi,bij->bj", dh, products[l])
        assert_close(gradients.delta[l], through * net.phi[l].derivative(trace.z[l]), 1e-12)
    assert_close(gradients.dx, np.einsum("bi,bij->bj", dh, products[0]), 1e-12)


@settings(deadline=None)
@given(problems(weight_scales=(0.5, 1.0, 2.0, 5.0)))
def test_the_bound_holds(problem):
    net, x, _ = problem
    bound = jacobian_bound(net)
    assert bound.shape == (net.depth + 1,)
    for l, product in jacobian_products(net, forward(net, x)).items():
        assert (np.linalg.norm(product, 2, axis=(1, 2)) <= bound[l] * (1 + 1e-12)).all()


def test_the_bound_is_reached_by_orthogonal_linear_layers():
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    layers = range(1, 11)
    net = DeepNet({l: 0.5 * Q for l in layers}, {l: np.zeros(4) for l in layers}, {l: "identity" for l in layers})
    np.testing.assert_allclose(jacobian_bound(net), 0.5 ** np.arange(10, -1, -1), rtol=1e-12)
    products = jacobian_products(net, forward(net, np.ones((1, 4))))
    for l, product in products.items():
        assert np.linalg.norm(product[0], 2) == pytest.approx(0.5 ** (10 - l), rel=1e-12)


def typical_factor(s, width, depth=20):
    """By how much a layer of a random sigmoid net multiplies an error signal; median of seven nets."""
    factors = []
    for seed in range(7):
        rng = np.random.default_rng(seed)
        net = deep_net([width] * (depth + 1), "sigmoid", rng=rng, weight_scale=s)
        trace = forward(net, rng.normal(size=(1, width)))
        delta = backward(net, trace, rng.normal(size=(1, width))).delta
        factors.append((np.linalg.norm(delta[1]) / np.linalg.norm(delta[depth])) ** (1 / (depth - 1)))
    return np.median(factors)


def test_a_sigmoid_layer_amplifies_by_the_root_of_the_scale_only_if_it_is_wide():
    """The mean squared slope is 1/6 (the integral of sigma'^2) times the density sqrt(2) / (sqrt(2 pi) s) of z at 0."""
    law = {s: np.sqrt(s / 6 / np.sqrt(np.pi)) for s in (16, 64, 512)}
    for s in (16, 64):
        np.testing.assert_allclose(typical_factor(s, width=512), law[s], rtol=0.1)
    assert typical_factor(64, width=64) > 1.5 and typical_factor(512, width=64) < 0.3 < law[512]


@settings(deadline=None)
@given(problems())
def test_gradient_norms_are_frobenius_norms(problem):
    net, x, target = problem
    trace = forward(net, x)
    gradients = backward(net, trace, target)
    np.testing.assert_allclose(gradient_norms(gradients), [np.linalg.norm(gradients.dW[l]) for l in net.W], rtol=1e-12)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_gradient_norms_neither_underflow_nor_overflow(size):
    gradients = Gradients({1: size * np.array([[3.0, 4.0]]), 2: np.zeros((2, 2))}, {}, {}, np.zeros((1, 2)))
    np.testing.assert_allclose(gradient_norms(gradients), [5 * size, 0], rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_kept(name):
    net = deep_net([3, 4, 2], name, rng=np.random.default_rng(0), bias_scale=0.5, dtype=np.float32)
    trace = forward(net, np.ones((5, 3)))
    _, dh = squared_error(trace.h[2], np.zeros((5, 2)))
    gradients = backward(net, trace, dh)
    dicts = (net.W, net.b, trace.z, trace.h, gradients.dW, gradients.db, gradients.delta,
             jacobians(net, trace), jacobian_products(net, trace))
    arrays = [array for each in dicts for array in each.values()]
    arrays += [dh, gradients.dx, gradient_norms(gradients), jacobian_bound(net)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}


def test_shapes_and_summing_over_the_batch():
    net = deep_net([3, 4, 2], "tanh", rng=np.random.default_rng(0))
    x, dh = np.random.default_rng(1).normal(size=(5, 3)), np.ones((5, 2))
    whole = backward(net, forward(net, x), dh)
    assert (net.depth, net.sizes, net.dtype) == (2, (3, 4, 2), np.float64)
    assert {l: d.shape for l, d in whole.delta.items()} == {1: (5, 4), 2: (5, 2)}
    parts = [backward(net, forward(net, x[k:k + 1]), dh[k:k + 1]) for k in range(5)]
    for l in net.W:
        np.testing.assert_allclose(whole.dW[l], sum(part.dW[l] for part in parts), rtol=1e-12)
        np.testing.assert_allclose(whole.db[l], sum(part.db[l] for part in parts), rtol=1e-12)


def test_deep_net_draws_what_it_says():
    net = deep_net([400, 500, 300], "relu", rng=np.random.default_rng(0), weight_scale=3, bias_scale=2, output="identity")
    for l, n_in in ((1, 400), (2, 500)):
        assert net.W[l].std() == pytest.approx(3 / np.sqrt(n_in), rel=0.01)
        assert net.W[l].mean() == pytest.approx(0, abs=0.01)
        assert net.b[l].std() == pytest.approx(2, rel=0.15)
    assert [net.phi[l].name for l in (1, 2)] == ["relu", "identity"]


def test_scale_depth_and_dtype_vary_with_all_else_equal():
    draw = lambda sizes, **options: deep_net(sizes, rng=np.random.default_rng(7), **options)
    base = draw([3, 4, 2])
    np.testing.assert_allclose(draw([3, 4, 2], weight_scale=2, bias_scale=1).W[2], 2 * base.W[2], rtol=1e-15)
    np.testing.assert_array_equal(draw([3, 4, 2, 5]).W[2], base.W[2])
    np.testing.assert_array_equal(draw([3, 4, 2], dtype=np.float32).W[2], base.W[2].astype(np.float32))
    assert not np.signbit(base.b[1]).any() and not base.b[1].any()


def test_overflow_is_inf_without_a_warning():
    net = relu_net(*[1e100] * 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = forward(net, [[1.0]])
        gradients = backward(net, trace, [[1.0]])
        products = jacobian_products(net, trace)
        loss, _ = squared_error(trace.h[5], [[0.0]])
        norms, bound = gradient_norms(gradients), jacobian_bound(net)
    assert trace.h[5] == products[0] == gradients.dx == loss == norms[0] == bound[0] == np.inf
    assert trace.h[3] == pytest.approx(1e300) and products[2] == pytest.approx(1e300)


def test_nan_is_announced_with_the_layer_where_it_appears():
    """inf after two layers by one product alone; inf - inf in the third, whatever the order of adding."""
    W = dict(enumerate([1e200 * np.eye(2), 1e200 * np.eye(2), np.array([[1.0, -1.0], [1.0, 1.0]]), np.eye(2)], 1))
    net = DeepNet(W, {l: np.zeros(2) for l in W}, {l: "identity" for l in W})
    with pytest.warns(RuntimeWarning, match=r"^z\[3\] contains NaN") as record:
        forward(net, [[1.0, 0.5]])
    assert len(record) == 1 and record[0].filename == __file__


def test_nan_in_gradients_is_announced():
    net = relu_net(-1.0, 1e200, 1e200)
    with pytest.warns(RuntimeWarning, match=r"^dW\[3\] contains NaN"):
        gradients = backward(net, Trace({1: np.ones((1, 1)), 2: np.ones((1, 1)), 3: np.ones((1, 1))},
                                        {0: np.ones((1, 1)), 1: np.ones((1, 1)), 2: np.zeros((1, 1)), 3: np.ones((1, 1))}),
                             [[np.inf]])
    assert np.isnan(gradients.dW[3])
    net = DeepNet({1: [[1e4]], 2: [[1e200]], 3: [[1e200]]}, {l: [0.0] for l in (1, 2, 3)}, {1: "sigmoid", 2: "identity", 3: "identity"})
    with pytest.warns(RuntimeWarning, match=r"^delta\[1\] contains NaN"):
        backward(net, forward(net, [[-1.0]]), [[1.0]])
    with pytest.warns(RuntimeWarning, match=r"^dh\[3\]/dh\[0\] contains NaN"):
        jacobian_products(net, forward(net, [[-1.0]]))


def test_nan_in_a_jacobian_is_announced():
    trace = Trace({1: np.full((1, 1), np.nan)}, {0: np.ones((1, 1)), 1: np.ones((1, 1))})
    with pytest.warns(RuntimeWarning, match=r"^J\[1\] contains NaN"):
        jacobians(DeepNet({1: [[1.0]]}, {1: [0.0]}, {1: "tanh"}), trace)


def test_a_zero_layer_makes_the_bound_zero_even_where_the_others_overflow():
    assert jacobian_bound(relu_net(0.0, 1e200, 1e200))[0] == 0


def test_nothing_given_is_modified():
    net, x, target = worked_example()
    before = {name: array.copy() for name, array in parameters_of(net, x).items()}
    trace = forward(net, x)
    loss, dh = squared_error(trace.h[2], target)
    kept = [array.copy() for array in (*trace.z.values(), *trace.h.values(), dh)]
    backward(net, trace, dh), jacobians(net, trace), jacobian_products(net, trace), jacobian_bound(net)
    for array, copy in zip((*trace.z.values(), *trace.h.values(), dh), kept):
        np.testing.assert_array_equal(array, copy)
    for name, array in parameters_of(net, x).items():
        np.testing.assert_array_equal(array, before[name])


def net_with(**changes):
    arguments = {"W": {1: np.ones((3, 2)), 2: np.ones((4, 3))}, "b": {1: np.zeros(3), 2: np.zeros(4)}, "phi": {1: "tanh", 2: "tanh"}}
    for name, change in changes.items():
        arguments[name] = {**arguments[name], **change} if isinstance(change, dict) else change
    return DeepNet(**arguments)


def draw(sizes=(2, 3), activation="tanh", **options):
    return deep_net(sizes, activation, **{"rng": np.random.default_rng(0), **options})


NET = net_with()
TRACE = forward(NET, np.ones((5, 2)))


@pytest.mark.parametrize("call, argument", [
    (lambda: net_with(W={2: np.ones((4, 2))}), "W[2]"),
    (lambda: net_with(W={2: np.ones(3)}), "W[2]"),
    (lambda: net_with(W={1: np.full((3, 2), np.nan)}), "W[1]"),
    (lambda: net_with(W={1: np.ones((0, 2))}), "W[1]"),
    (lambda: net_with(W={2: np.ones((4, 3), dtype=np.float32)}), "W[2]"),
    (lambda: net_with(W={2: np.ones((4, 3), dtype=complex)}), "W[2]"),
    (lambda: net_with(W={2: [[1, 2, 3], [1]]}), "W[2]"),
    (lambda: net_with(W={4: np.ones((4, 3))}), "W"),
    (lambda: net_with(W=[np.ones((3, 2))]), "W"),
    (lambda: DeepNet({}, {}, {}), "W"),
    (lambda: net_with(b={1: np.zeros(2)}), "b[1]"),
    (lambda: net_with(b={2: np.array([0, 0, 0, np.inf])}), "b[2]"),
    (lambda: net_with(b={2: np.zeros(4, dtype=np.float32)}), "b[2]"),
    (lambda: net_with(b={3: np.zeros(4)}), "b"),
    (lambda: net_with(phi={2: "unheard_of"}), "phi[2]"),
    (lambda: net_with(phi={0: "tanh"}), "phi"),
    (lambda: draw(sizes=(3,)), "sizes"),
    (lambda: draw(sizes=(3, 0)), "sizes"),
    (lambda: draw(sizes=(3, 2.5)), "sizes"),
    (lambda: draw(sizes=3), "sizes"),
    (lambda: draw(activation="unheard_of"), "activation"),
    (lambda: draw(output="unheard_of"), "output"),
    (lambda: draw(weight_scale=-1), "weight_scale"),
    (lambda: draw(weight_scale=np.nan), "weight_scale"),
    (lambda: draw(bias_scale=np.inf), "bias_scale"),
    (lambda: draw(bias_scale="big"), "bias_scale"),
    (lambda: draw(rng=0), "rng"),
    (lambda: draw(rng=np.random), "rng"),
    (lambda: draw(dtype=np.float16), "dtype"),
    (lambda: draw(dtype="text"), "dtype"),
    (lambda: forward(NET, np.ones(2)), "x"),
    (lambda: forward(NET, np.ones((5, 3))), "x"),
    (lambda: forward(NET, np.ones((0, 2))), "x"),
    (lambda: forward(NET, [[1.0, np.nan]]), "x"),
    (lambda: forward(NET, [["a", "b"]]), "x"),
    (lambda: backward(NET, TRACE, np.ones((5, 3))), "dh"),
    (lambda: backward(NET, TRACE, np.ones((4, 4))), "dh"),
    (lambda: backward(draw(), TRACE, np.ones((5, 4))), "trace"),
    (lambda: jacobians(draw(), TRACE), "trace"),
    (lambda: jacobian_products(draw(), TRACE), "trace"),
    (lambda: squared_error(np.ones((5, 2)), np.ones((5, 1))), "target"),
    (lambda: squared_error(np.ones((5, 2)), np.full((5, 2), np.nan)), "target"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        call()
