import re
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradients.activations import NAMES, activation
from gradients.check import central_differences, gradient_check
from gradients.losses import softmax_cross_entropy, squared_error
from gradients.rnn import (
    RNN, Trace, backward, chunked_backward, forward, from_torch, jacobian_bound, jacobian_products, jacobians, lag_terms, rnn,
    to_torch, truncated_backward,
)
from nets import assert_close, assert_right, column, peak_memory, torch_gradients, torch_phi

KINKED = ("relu", "leaky_relu", "elu")
TERMS = ("dW_hx", "dW_hh", "db_h")


@dataclass
class Problem:
    """A net, its input, its first state and a loss."""

    net: RNN
    x: np.ndarray
    h_0: np.ndarray | None
    y: np.ndarray
    classes: bool
    last: bool

    def loss(self, o):
        return (softmax_cross_entropy if self.classes else squared_error)(o, self.y, last=self.last)

    def run(self):
        trace = forward(self.net, self.x, self.h_0)
        return trace, self.loss(trace.o)[1]


@st.composite
def problems(draw, names=NAMES, scales=(0.5, 1.0, 1.5), steps=7, last=None):
    name = draw(st.sampled_from(names))
    parameters = {"leaky_relu": {"slope": draw(st.sampled_from([0.1, 0.5]))}, "elu": {"alpha": draw(st.sampled_from([1.0, 1.7]))}}
    T, B, D, H, Q = (draw(st.integers(1, most)) for most in (steps, 3, 3, 5, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = rnn(D, H, Q, activation(name, **parameters.get(name, {})), rng=rng, w_hh_scale=draw(st.sampled_from(scales)),
              w_hx_scale=draw(st.sampled_from([0.5, 1.0])), bias_scale=draw(st.sampled_from([0.0, 0.3, 1.0])))
    h_0 = draw(st.sampled_from([None, rng.normal(size=(B, H))]))
    classes, last = draw(st.booleans()), draw(st.booleans()) if last is None else last
    shape = (B,) if last else (T, B)
    y = rng.integers(0, Q, size=shape) if classes else rng.normal(size=(*shape, Q))
    return Problem(net, rng.normal(size=(T, B, D)), h_0, y, classes, last)


def away_from_kinks(net, trace):
    return net.phi.name not in KINKED or np.abs(trace.a).min() > 1e-3


def away_from_saturation(net, trace):
    """PyTorch's derivatives 1 - tanh^2 and sigma (1 - sigma) cancel for large a; ours don't."""
    return net.phi.name not in ("sigmoid", "tanh") or np.abs(trace.a).max() < 6


def inputs_of(problem, trace):
    return {**problem.net.parameters, "x": problem.x, "h_0": trace.h[0]}


def gradients_of(gradients):
    return {**gradients.parameters, "x": gradients.dx, "h_0": gradients.dh[0]}


class InTorch:
    """The same problem in PyTorch; `h` and `a` are lists of steps."""

    def __init__(self, torch, problem, trace):
        self.torch, self.problem = torch, problem
        self.inputs = {name: torch.tensor(array, requires_grad=True) for name, array in inputs_of(problem, trace).items()}
        self.phi = torch_phi(torch, problem.net.phi)

    def run(self, h, first=1, last=None, detach=()):
        """Steps first to last from the state h; states in `detach` are cut off."""
        p, a, states = self.inputs, [], [h]
        for t in range(first, (last or len(p["x"])) + 1):
            h = states[-1].detach() if t - 1 in detach else states[-1]
            a.append(p["x"][t - 1] @ p["W_hx"].T + h @ p["W_hh"].T + p["b_h"])
            states.append(self.phi(a[-1]))
        return a, states

    def output(self, h):
        return h @ self.inputs["W_qh"].T + self.inputs["b_q"]

    def loss(self, o, y):
        """PyTorch's own cross-entropy cancels where the net is nearly certain; this form doesn't."""
        y = self.torch.tensor(y)
        if self.problem.classes:
            right, others = o.gather(-1, y[..., None])[..., 0], o.scatter(-1, y[..., None], -1e6).logsumexp(-1)
            return self.torch.nn.functional.softplus(others - right, threshold=50).sum()
        return 0.5 * ((o - y) ** 2).sum()

    def losses(self, states):
        """step -> l_t, where there is a loss."""
        T, y = len(self.problem.x), self.problem.y
        if self.problem.last:
            return {T: self.loss(self.output(states[T]), y)}
        return {t: self.loss(self.output(states[t]), y[t - 1]) for t in range(1, T + 1)}

    def gradients(self, loss, *more):
        return torch_gradients(self.torch, loss, [*self.inputs.values(), *more])


def assert_gradients(gradients, exact, rtol=1e-10):
    for (name, gradient), want in zip(gradients_of(gradients).items(), exact):
        assert_close(gradient, want, rtol, err_msg=name)


def assert_steps(gradients, other, loss, a, states):
    """All gradients, step by step."""
    exact, T = other.gradients(loss, *a, *states), len(a)
    assert_gradients(gradients, exact)
    assert_close(gradients.delta, np.array(exact[-2 * T - 1:-T - 1]))
    assert_close(gradients.dh, np.array(exact[-T - 1:]))


@settings(deadline=None, max_examples=60)
@given(problems(steps=5))
def test_backward_against_central_differences(problem):
    trace, do = problem.run()
    assume(away_from_kinks(problem.net, trace))

    def loss(inputs):
        *parameters, x, h_0 = inputs.values()
        return problem.loss(forward(RNN(*parameters, problem.net.phi), x, h_0).o)[0]

    gradients = gradients_of(backward(problem.net, trace, do))
    assert_right(gradient_check(loss, inputs_of(problem, trace), gradients), gradients)


def run_both(torch, problem):
    """The trace and dL/do of a problem, and the same problem in PyTorch."""
    trace, do = problem.run()
    assume(away_from_saturation(problem.net, trace))
    return trace, do, InTorch(torch, problem, trace)


@settings(deadline=None)
@given(problems(scales=(0.5, 1.0, 2.0)))
def test_forward_and_backward_against_torch(torch, problem):
    trace, do, other = run_both(torch, problem)
    a, states = other.run(other.inputs["h_0"])
    loss = sum(other.losses(states).values())
    assert_close(trace.a, torch.stack(a).detach().numpy(), 1e-12)
    assert_close(trace.h, torch.stack(states).detach().numpy(), 1e-12)
    assert_close(trace.o, torch.stack([other.output(h) for h in states[1:]]).detach().numpy(), 1e-12)
    assert problem.loss(trace.o)[0] == pytest.approx(loss.item(), rel=1e-12)
    assert_steps(backward(problem.net, trace, do), other, loss, a, states)


@settings(deadline=None)
@given(problems(scales=(0.5, 1.0, 2.0)), st.integers(0, 9))
def test_truncated_backward_against_detached_states(torch, problem, tau):
    trace, do, other = run_both(torch, problem)
    total = 0
    for t in range(1, len(trace.x) + 1):
        if problem.last and t < len(trace.x):
            continue
        # the last state that l_t may not be followed into, or h_0 if l_t reaches it
        first = t - tau - 1
        h = torch.tensor(trace.h[first]) if first >= 0 else other.inputs["h_0"]
        _, states = other.run(h, first=max(first, 0) + 1, last=t)
        total = total + other.loss(other.output(states[-1]), problem.y if problem.last else problem.y[t - 1])
    assert_gradients(truncated_backward(problem.net, trace, do, tau), other.gradients(total))


@settings(deadline=None)
@given(problems(scales=(0.5, 1.0, 2.0)), st.integers(1, 9))
def test_chunked_backward_against_detached_states(torch, problem, steps):
    trace, do, other = run_both(torch, problem)
    a, states = other.run(other.inputs["h_0"], detach=range(steps, len(trace.x), steps))
    gradients = chunked_backward(problem.net, trace, do, steps)
    assert_steps(gradients, other, sum(other.losses(states).values()), a, states)


@settings(deadline=None, max_examples=50)
@given(problems())
def test_truncation_that_cuts_nothing(problem):
    trace, do = problem.run()
    T, full = len(trace.x), backward(problem.net, trace, do)
    for gradients in (
        truncated_backward(problem.net, trace, do, T), truncated_backward(problem.net, trace, do, T + 3),
        chunked_backward(problem.net, trace, do, T), chunked_backward(problem.net, trace, do, T + 3),
    ):
        assert_gradients(gradients, gradients_of(full).values(), 1e-12)
        assert_close(gradients.delta, full.delta, 1e-12)
        assert_close(gradients.dh, full.dh, 1e-12)
    all_but_the_path_to_h_0 = truncated_backward(problem.net, trace, do, T - 1)
    assert_gradients(all_but_the_path_to_h_0, [*gradients_of(full).values()][:-1], 1e-12)


@settings(deadline=None)
@given(problems(scales=(0.5, 1.0, 2.0)))
def test_lag_terms_add_up(problem):
    trace, do = problem.run()
    terms, full = lag_terms(problem.net, trace, do), backward(problem.net, trace, do)
    truncated = [truncated_backward(problem.net, trace, do, tau) for tau in range(len(trace.x))]
    for name in TERMS:
        term = getattr(terms, name)
        allowed = dict(rtol=0, atol=1e-12 * np.abs(term).max())  # the sum of terms of opposite sign may be smaller
        np.testing.assert_allclose(term.sum(axis=0), getattr(full, name), **allowed)
        for tau in range(len(trace.x)):
            np.testing.assert_allclose(term[:tau + 1].sum(axis=0), getattr(truncated[tau], name), **allowed)


@settings(deadline=None, max_examples=50)
@given(problems())
def test_lag_terms_are_the_sums_of_their_definition(problem):
    trace, do = problem.run()
    terms = lag_terms(problem.net, trace, do)
    want = {name: np.zeros_like(getattr(terms, name)) for name in TERMS}
    slope = problem.net.phi.derivative(trace.a)
    for t in range(1, len(trace.x) + 1):
        products = jacobian_products(problem.net, trace, t)
        for k in range(1, t + 1):
            da = np.einsum("bq,qh,bhi->bi", do[t - 1], problem.net.W_qh, products[k]) * slope[k - 1]
            want["dW_hx"][t - k] += da.T @ trace.x[k - 1]
            want["dW_hh"][t - k] += da.T @ trace.h[k - 1]
            want["db_h"][t - k] += da.sum(axis=0)
    for name in TERMS:
        assert_close(getattr(terms, name), want[name], 1e-12)


@settings(deadline=None, max_examples=50)
@given(problems())
def test_jacobians_against_central_differences(problem):
    net, (trace, _) = problem.net, problem.run()
    assume(away_from_kinks(net, trace))
    J = jacobians(net, trace)
    for t, b, i in np.ndindex(J.shape[:3]):
        unit = lambda h: net.phi.function(net.W_hx[i] @ trace.x[t, b] + net.W_hh[i] @ h + net.b_h[i])
        np.testing.assert_allclose(J[t, b, i], central_differences(unit, trace.h[t, b]), rtol=1e-7, atol=2e-9)


@settings(deadline=None, max_examples=50)
@given(problems(scales=(0.5, 1.0, 2.0)), st.data())
def test_jacobian_products_against_torch(torch, problem, data):
    net, (trace, _) = problem.net, problem.run()
    assume(away_from_saturation(net, trace))
    t = data.draw(st.sampled_from([None, *range(len(trace.x) + 1)]))
    products = jacobian_products(net, trace, t)
    t = len(trace.x) if t is None else t
    assert products.shape == (t + 1, trace.x.shape[1], net.sizes[1], net.sizes[1])
    other = InTorch(torch, problem, trace)
    _, states = other.run(other.inputs["h_0"], last=t) if t else ([], [other.inputs["h_0"]])
    for i in range(net.sizes[1]):
        rows = torch.autograd.grad(states[t][:, i].sum(), states, allow_unused=True, retain_graph=True)
        for k, row in enumerate(rows):
            if k < t:  # what torch returns for h_t itself includes nothing but the identity
                assert_close(products[k][:, i], row.numpy(), 1e-10)
    np.testing.assert_array_equal(products[t], np.broadcast_to(np.eye(net.sizes[1]), products[t].shape))


@settings(deadline=None, max_examples=50)
@given(problems(scales=(0.5, 2.0)))
def test_jacobian_products_are_products_of_jacobians(problem):
    trace, _ = problem.run()
    J, T = jacobians(problem.net, trace), len(trace.x)
    for t in range(1, T + 1):
        products = jacobian_products(problem.net, trace, t)
        for k in range(t):
            assert_close(products[k], products[k + 1] @ J[k], 1e-12)


@settings(deadline=None, max_examples=50)
@given(problems(scales=(0.5, 2.0), last=True))
def test_delta_of_a_last_loss_is_a_jacobian_product(problem):
    trace, do = problem.run()
    gradients, products = backward(problem.net, trace, do), jacobian_products(problem.net, trace)
    through = np.einsum("bq,qh,tbhi->tbi", do[-1], problem.net.W_qh, products)
    assert_close(gradients.delta, through[1:] * problem.net.phi.derivative(trace.a), 1e-12)
    assert_close(gradients.dh, through, 1e-12)


@settings(deadline=None)
@given(problems(scales=(0.5, 1.0, 2.0, 5.0)))
def test_the_bound_holds(problem):
    trace, _ = problem.run()
    T = len(trace.x)
    bound = jacobian_bound(problem.net, T)
    assert bound.shape == (T + 1,)
    norms = np.linalg.norm(jacobian_products(problem.net, trace), 2, axis=(2, 3)).max(axis=1)
    assert (norms <= bound[::-1] * (1 + 1e-12)).all()


@pytest.mark.parametrize("name, sup", [("tanh", 1.0), ("sigmoid", 0.25), ("identity", 1.0)])
def test_the_bound_by_hand(name, sup):
    net = RNN([[1.0]], [[-1.5]], [0.0], [[1.0]], [0.0], name)
    np.testing.assert_allclose(jacobian_bound(net, 4), (1.5 * sup) ** np.arange(5), rtol=1e-14)
    np.testing.assert_array_equal(jacobian_bound(net, 0), [1])


@pytest.mark.parametrize("name, sup", [("tanh", 1.0), ("sigmoid", 0.25)])
def test_the_bound_is_reached_where_the_units_are_at_zero(name, sup):
    W_hh = np.diag([3.0, 1.0])
    h = activation(name).function(np.zeros(2))
    net = RNN(np.zeros((2, 1)), W_hh, -W_hh @ h, np.eye(2), np.zeros(2), name)
    products = jacobian_products(net, forward(net, np.zeros((6, 1, 1)), h[None]))
    np.testing.assert_allclose(np.linalg.norm(products, 2, axis=(2, 3))[::-1, 0], jacobian_bound(net, 6), rtol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 8), st.integers(1, 60), st.sampled_from([0.5, 0.9, 1.0, 1.1, 2.0]), st.integers(0, 2**32))
def test_an_orthogonal_linear_net_scales_by_s_a_step(H, T, s, seed):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(H, H)))[0]
    net = RNN(rng.normal(size=(H, 2)), s * Q, np.zeros(H), rng.normal(size=(1, H)), np.zeros(1), "identity")
    products = jacobian_products(net, forward(net, rng.normal(size=(T, 2, 2))))
    want = np.broadcast_to(s ** np.arange(T, -1.0, -1)[:, None], products.shape[:2])
    np.testing.assert_allclose(np.linalg.norm(products, 2, axis=(2, 3)), want, rtol=1e-12)
    np.testing.assert_allclose(jacobian_bound(net, T), want[::-1, 0], rtol=1e-12)


def one_unit(w=0.5, activation="identity"):
    """a_t = 2 x_t + w h_{t-1} + 1, o_t = 3 h_t - 1."""
    return RNN([[2.0]], [[w]], [1.0], [[3.0]], [-1.0], activation)


def test_a_linear_net_of_three_steps_by_hand():
    net, do = one_unit(), column(1, 10, 100)
    trace = forward(net, column(1, 2, 3), [[4.0]])
    np.testing.assert_array_equal(trace.h, column(4, 5, 7.5, 10.75))
    np.testing.assert_array_equal(trace.a, trace.h[1:])
    np.testing.assert_array_equal(trace.o, column(14, 21.5, 31.25))
    gradients = backward(net, trace, do)
    np.testing.assert_array_equal(gradients.delta, column(3 + 15 + 75, 30 + 150, 300))
    assert gradients.dW_hx == 93 * 1 + 180 * 2 + 300 * 3
    assert gradients.dW_hh == 93 * 4 + 180 * 5 + 300 * 7.5
    assert gradients.dW_qh == 1 * 5 + 10 * 7.5 + 100 * 10.75
    assert gradients.db_h == 93 + 180 + 300
    assert gradients.db_q == 111
    np.testing.assert_array_equal(gradients.dx, column(186, 360, 600))
    np.testing.assert_array_equal(gradients.dh, column(46.5, 93, 180, 300))


def test_truncation_of_the_three_steps_by_hand():
    net, do = one_unit(), column(1, 10, 100)
    trace = forward(net, column(1, 2, 3), [[4.0]])
    for tau, delta, dh_0 in ((0, (3, 30, 300), 0), (1, (18, 180, 300), 1.5), (2, (93, 180, 300), 9), (3, (93, 180, 300), 46.5)):
        gradients = truncated_backward(net, trace, do, tau)
        np.testing.assert_array_equal(gradients.delta, column(*delta))
        np.testing.assert_array_equal(gradients.dh, column(dh_0, *delta))
        assert gradients.dW_hh == np.vdot(delta, (4, 5, 7.5))
        assert gradients.dW_qh == 1155
    for steps, delta in ((1, (3, 30, 300)), (2, (18, 30, 300)), (3, (93, 180, 300))):
        gradients = chunked_backward(net, trace, do, steps)
        np.testing.assert_array_equal(gradients.delta, column(*delta))
        np.testing.assert_array_equal(gradients.dh, column(delta[0] / 2, *delta))
    terms = lag_terms(net, trace, do)
    np.testing.assert_array_equal(terms.db_h, [[333], [165], [75]])
    np.testing.assert_array_equal(terms.dW_hh, column(3 * 4 + 30 * 5 + 300 * 7.5, 15 * 4 + 150 * 5, 75 * 4))
    np.testing.assert_array_equal(terms.dW_hx, column(3 * 1 + 30 * 2 + 300 * 3, 15 * 1 + 150 * 2, 75 * 1))


def test_two_steps_of_tanh_by_hand():
    net = RNN([[1.0]], [[0.5]], [0.0], [[1.0]], [0.0], "tanh")
    trace = forward(net, column(1, -1))
    h_1 = np.tanh(1.0)
    h_2 = np.tanh(h_1 / 2 - 1)
    np.testing.assert_allclose(trace.h, column(0, h_1, h_2), rtol=1e-15)
    gradients = backward(net, trace, column(0, 1))
    assert gradients.dW_hh == pytest.approx((1 - h_2**2) * h_1, rel=1e-14)
    assert gradients.dW_hx == pytest.approx((1 - h_2**2) * (-1 + 0.5 * (1 - h_1**2)), rel=1e-14)
    assert jacobian_products(net, trace)[0] == pytest.approx((1 - h_2**2) * 0.25 * (1 - h_1**2), rel=1e-14)


def test_a_sequence_longer_than_a_block_of_slopes():
    rng = np.random.default_rng(0)
    T, B, H = 70, 10, 100  # a block has 2**15 entries, 32 steps
    net, x, do = rnn(2, H, 2, rng=rng), rng.normal(size=(T, B, 2)), rng.normal(size=(T, B, 2))
    trace = forward(net, x)
    assert_close(backward(net, trace, do).delta, truncated_backward(net, trace, do, T).delta, 1e-12)


def test_what_vanishes_through_saturated_units_is_still_measured():
    net = RNN([[20.0]], [[1.0]], [0.0], [[1.0]], [0.0], "tanh")
    trace = forward(net, column(1, 1, 1))
    slope = 4 * np.exp(-2 * trace.a) / (1 + np.exp(-2 * trace.a)) ** 2
    np.testing.assert_allclose(backward(net, trace, column(0, 0, 1)).delta[0], slope.prod(), rtol=1e-12)


def test_the_weights_of_an_input_that_is_read_once_have_one_term_and_vanish():
    """Chapter 4: the column of W_hx for the word at step 1, while the other columns and W_hh live on."""
    rng, lengths = np.random.default_rng(0), {}
    net = rnn(3, 32, 2, rng=rng, w_hh_scale=0.8)
    for T in (5, 60):
        x = np.eye(3)[np.concatenate([[0], rng.integers(1, 3, size=T - 1)])][:, None]
        trace = forward(net, x)
        gradients = backward(net, trace, squared_error(trace.o, np.ones((1, 2)), last=True)[1])
        assert_close(gradients.dW_hx[:, 0], gradients.delta[0, 0], 1e-12)
        lengths[T] = [np.linalg.norm(part) for part in (*gradients.dW_hx.T, gradients.dW_hh)]
    first, *others = np.divide(lengths[60], lengths[5])
    assert first < 1e-6 and min(others) > 0.1


@pytest.mark.parametrize("name, s", [("tanh", 0.8), ("tanh", 1.5), ("tanh", 2.0), ("sigmoid", 2.0), ("relu", 2.0)])
def test_a_step_multiplies_by_about_the_scale_times_the_root_mean_square_slope(name, s):
    norms, slopes = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        net = rnn(4, 32, 2, name, rng=rng, w_hh_scale=s, w_hx_scale=0.5)
        trace = forward(net, rng.normal(size=(50, 1, 4)), rng.normal(size=(1, 32)) / 2)
        norms.append(np.linalg.norm(jacobian_products(net, trace)[0, 0], 2))
        slopes.append(np.sqrt(np.mean(activation(name).derivative(trace.a) ** 2)))
    np.testing.assert_allclose(np.median(norms) ** (1 / 50), s * np.median(slopes), rtol=0.1)


def test_the_parameters_are_the_arrays():
    arrays = np.ones((4, 3)), np.ones((4, 4)), np.ones(4), np.ones((2, 4)), np.ones(2)
    net = RNN(*arrays, "relu")
    assert list(net.parameters) == ["W_hx", "W_hh", "b_h", "W_qh", "b_q"]
    assert all(ours is given for ours, given in zip(net.parameters.values(), arrays))
    assert (net.sizes, net.dtype) == ((3, 4, 2), np.float64)
    net.parameters["W_hh"] -= 0.5
    assert (net.W_hh == 0.5).all() and net.W_hh is arrays[1]
    gradients = backward(net, forward(net, np.ones((2, 1, 3))), np.ones((2, 1, 2)))
    assert list(gradients.parameters) == list(net.parameters)
    for name, gradient in gradients.parameters.items():
        assert gradient is getattr(gradients, f"d{name}") and gradient.shape == net.parameters[name].shape


def test_a_step_of_descent_lowers_the_loss():
    rng = np.random.default_rng(0)
    net, x, y = rnn(2, 8, 3, rng=rng), rng.normal(size=(10, 4, 2)), rng.integers(0, 3, size=4)
    losses = []
    for _ in range(20):
        trace = forward(net, x)
        loss, do = softmax_cross_entropy(trace.o, y, last=True)
        losses.append(loss)
        for name, gradient in backward(net, trace, do).parameters.items():
            net.parameters[name] -= 0.05 * gradient
    assert (np.diff(losses) < 0).all() and losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", NAMES)
def test_float32_is_kept(name):
    net = rnn(3, 4, 2, name, rng=np.random.default_rng(0), bias_scale=0.5, dtype=np.float32)
    trace = forward(net, np.ones((5, 2, 3)), np.ones((2, 4)))
    do = np.ones((5, 2, 2))
    results = [net.parameters, vars(trace), vars(lag_terms(net, trace, do))]
    results += [vars(gradients) for gradients in (
        backward(net, trace, do), truncated_backward(net, trace, do, 2), chunked_backward(net, trace, do, 2))]
    arrays = [array for each in results for array in each.values()]
    arrays += [jacobians(net, trace), jacobian_products(net, trace), jacobian_bound(net, 5)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    exact = rnn(3, 4, 2, name, rng=np.random.default_rng(0), bias_scale=0.5)
    exact_trace = forward(exact, np.ones((5, 2, 3)), np.ones((2, 4)))
    assert_close(trace.o, exact_trace.o, 1e-5)
    for ours, want in zip(backward(net, trace, do).parameters.values(), backward(exact, exact_trace, do).parameters.values()):
        assert_close(ours, want, 1e-4)


def test_sequences_side_by_side_are_added():
    rng = np.random.default_rng(0)
    net, x, h_0, do = rnn(3, 4, 2, rng=rng), rng.normal(size=(6, 5, 3)), rng.normal(size=(5, 4)), rng.normal(size=(6, 5, 2))
    for run in (backward, lambda *given: truncated_backward(*given, 2), lambda *given: chunked_backward(*given, 2)):
        whole = run(net, forward(net, x, h_0), do)
        parts = [run(net, forward(net, x[:, [b]], h_0[[b]]), do[:, [b]]) for b in range(5)]
        for name in net.parameters:
            assert_close(whole.parameters[name], sum(part.parameters[name] for part in parts), 1e-12)
        assert_close(whole.delta, np.concatenate([part.delta for part in parts], axis=1), 1e-12)
        assert_close(whole.dx, np.concatenate([part.dx for part in parts], axis=1), 1e-12)
        assert_close(whole.dh, np.concatenate([part.dh for part in parts], axis=1), 1e-12)


def test_rnn_draws_what_it_says():
    net = rnn(300, 500, 400, "relu", rng=np.random.default_rng(0), w_hh_scale=3, w_hx_scale=5, bias_scale=2)
    assert net.sizes == (300, 500, 400) and net.phi.name == "relu"
    for W, scale in ((net.W_hx, 5 / np.sqrt(300)), (net.W_hh, 3 / np.sqrt(500)), (net.W_qh, 1 / np.sqrt(500))):
        assert W.std() == pytest.approx(scale, rel=0.01) and W.mean() == pytest.approx(0, abs=0.01 * scale)
    assert net.b_h.std() == pytest.approx(2, rel=0.15) and net.b_q.std() == pytest.approx(2, rel=0.15)
    assert np.abs(np.linalg.eigvals(net.W_hh)).max() == pytest.approx(3, rel=0.1)
    assert np.linalg.norm(net.W_hh, 2) == pytest.approx(6, rel=0.1)


def test_scales_activations_and_dtypes_vary_with_all_else_equal():
    draw = lambda *activation, **options: rnn(3, 4, 2, *activation, rng=np.random.default_rng(7), **options)
    base, other = draw(bias_scale=1.0).parameters, draw("relu", w_hh_scale=2, w_hx_scale=0.5, bias_scale=3).parameters
    for name, factor in dict(W_hx=0.5, W_hh=2, W_qh=1, b_h=3, b_q=3).items():
        np.testing.assert_allclose(other[name], factor * base[name], rtol=1e-15)
        np.testing.assert_array_equal(draw(bias_scale=1.0, dtype=np.float32).parameters[name], base[name].astype(np.float32))
    without = draw()
    assert not without.b_h.any() and not np.signbit(without.b_h).any()
    assert without.phi.name == "tanh"


@pytest.mark.parametrize("phi", ["tanh", "relu"])
def test_to_torch_and_back(torch, phi):
    module = torch.nn.RNN(3, 5, nonlinearity=phi, dtype=torch.float64)
    W_qh, b_q = np.ones((2, 5)), np.zeros(2)
    net = from_torch(module.state_dict(), W_qh, b_q, phi)
    x, do = np.random.default_rng(0).normal(size=(7, 4, 3)), np.random.default_rng(1).normal(size=(7, 4, 2))
    h, _ = module(torch.tensor(x))
    assert net.phi.name == phi
    assert_close(forward(net, x).h[1:], h.detach().numpy(), 1e-12)
    exact = torch.autograd.grad(h @ torch.tensor(W_qh.T), [*module.parameters()], torch.tensor(do))
    gradients = backward(net, forward(net, x), do)
    for got, want in zip((gradients.dW_hx, gradients.dW_hh, gradients.db_h, gradients.db_h), exact, strict=True):
        assert_close(got, want.numpy())
    assert net.W_qh is not W_qh and net.b_q is not b_q and (net.W_qh == 1).all() and (net.b_q == 0).all()
    state = to_torch(net)
    assert list(state) == list(module.state_dict()) and not state["bias_hh_l0"].any()
    module.load_state_dict({name: torch.tensor(array) for name, array in state.items()})
    assert_close(module(torch.tensor(x))[0].detach().numpy(), h.detach().numpy(), 1e-12)
    for array in (*state.values(), *net.parameters.values()):
        assert not any(np.shares_memory(array, weights.numpy()) for weights in module.state_dict().values())
    assert not any(np.shares_memory(array, ours) for array in state.values() for ours in net.parameters.values())
    again = from_torch(state, net.W_qh, net.b_q, net.phi)
    for name, array in net.parameters.items():
        np.testing.assert_array_equal(again.parameters[name], array)
    assert from_torch(state, W_qh, b_q).phi.name == "tanh"  # as torch.nn.RNN


def test_overflow_is_inf_without_a_warning():
    net = one_unit(1e100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = forward(net, column(1, 1, 1, 1), [[1.0]])
        loss, _ = squared_error(trace.o, column(0, 0, 0, 0))
        _, do = squared_error(trace.o, [[0.0]], last=True)
        gradients, products = backward(net, trace, do), jacobian_products(net, trace)
        from_ones = [backward(net, trace, np.ones((4, 1, 1))), truncated_backward(net, trace, np.ones((4, 1, 1)), 4)]
        chunked_backward(net, trace, do, 2), truncated_backward(net, trace, do, 2)
        terms, J, bound = lag_terms(net, trace, do), jacobians(net, trace), jacobian_bound(net, 4)
    assert trace.h[4] == trace.o[3] == loss == gradients.dW_hh == gradients.delta[0] == products[0] == bound[4] == np.inf
    assert trace.h[3] == products[1] == bound[3] == pytest.approx(1e300) and (J == 1e100).all()
    assert (terms.dW_hh == np.inf).all()
    for gradients in from_ones:
        np.testing.assert_allclose(gradients.delta, column(3e300, 3e200, 3e100, 3), rtol=1e-12)
        assert gradients.dh[0] == np.inf and gradients.dW_hh == pytest.approx(1.2e301)


def test_nan_is_announced_with_the_step_where_it_appears():
    net = RNN(np.eye(2), 1e200 * np.eye(2), np.zeros(2), np.array([[1.0, 1.0]]), np.zeros(1), "identity")
    x = np.zeros((5, 2, 2))
    x[0] = [1.0, 0.5]
    with pytest.warns(RuntimeWarning, match=r"^a\[3\] contains NaN") as record:
        forward(net, x)
    assert len(record) == 1 and record[0].filename == __file__
    net = RNN(np.eye(2), 1e200 * np.eye(2), np.zeros(2), np.array([[1.0, -1.0]]), np.zeros(1), "identity")
    with pytest.warns(RuntimeWarning, match=r"^o\[2\] contains NaN") as record:
        forward(net, x)
    assert len(record) == 1


def exploding():
    """h = 1 at every step, slope 1; what goes back is multiplied by 1e200, and is inf after two steps, NaN after three."""
    net = RNN(np.ones((2, 1)), 1e200 * np.eye(2), np.zeros(2), np.eye(2), np.zeros(2), "identity")
    T = 5
    return net, Trace(np.ones((T, 1, 1)), np.ones((T, 1, 2)), np.ones((T + 1, 1, 2)), np.ones((T, 1, 2)))


@pytest.mark.parametrize("call, where", [
    (lambda net, trace, do: backward(net, trace, do), "delta[1]"),
    (lambda net, trace, do: chunked_backward(net, trace, do, 5), "delta[1]"),
    (lambda net, trace, do: truncated_backward(net, trace, do, 4), "delta[1]"),
    (lambda net, trace, do: lag_terms(net, trace, do), "dW_hx[3]"),
    (lambda net, trace, do: jacobian_products(net, trace), "dh[5]/dh[2]"),
])
def test_nan_in_gradients_is_announced_once(call, where):
    net, trace = exploding()
    do = np.zeros((5, 1, 2))
    do[-1] = [1.0, 0.5]
    with pytest.warns(RuntimeWarning, match=rf"^{re.escape(where)} contains NaN") as record:
        call(net, trace, do)
    assert len(record) == 1 and record[0].filename == __file__


def test_nan_that_appears_outside_delta_is_announced():
    net = one_unit()
    trace = Trace(column(0, 1), column(1, 1), column(1, 0, 1), column(1, 1))
    for do, where in ((column(np.inf, 0), "dW_hx"), (column(0, np.nan), "delta[1]"), (column(np.inf, -np.inf), "delta[0]")):
        with pytest.warns(RuntimeWarning, match=rf"^{re.escape(where)} contains NaN") as record:
            backward(net, trace, do)
        assert len(record) == 1
    trace = Trace(column(1), column(1), column(1, 1), column(1))
    for w_hx, w_hh, where in ((1.0, 0.0, "dh[0]"), (0.0, 1.0, "dx")):
        net = RNN([[w_hx]], [[w_hh]], [0.0], [[1.0]], [0.0], "tanh")
        with pytest.warns(RuntimeWarning, match=rf"^{re.escape(where)} contains NaN") as record:
            backward(net, trace, column(np.inf))
        assert len(record) == 1
    trace.a[0] = np.nan
    with pytest.warns(RuntimeWarning, match=r"^J\[0\] contains NaN") as record:
        jacobians(net, trace)
    assert len(record) == 1


def test_a_zero_net_has_the_bound_zero():
    np.testing.assert_array_equal(jacobian_bound(one_unit(0.0), 3), [1, 0, 0, 0])


def test_nothing_given_is_modified():
    rng = np.random.default_rng(0)
    net, x, h_0, do = rnn(2, 3, 2, rng=rng), rng.normal(size=(4, 2, 2)), rng.normal(size=(2, 3)), rng.normal(size=(4, 2, 2))
    trace = forward(net, x, h_0)
    given = [*net.parameters.values(), *vars(trace).values(), x, h_0, do]
    before = [array.copy() for array in given]
    backward(net, trace, do), truncated_backward(net, trace, do, 2), chunked_backward(net, trace, do, 2)
    jacobians(net, trace), jacobian_products(net, trace), lag_terms(net, trace, do), jacobian_bound(net, 4)
    for array, copy in zip(given, before):
        np.testing.assert_array_equal(array, copy)
    assert trace.x is x


@pytest.mark.parametrize("run", [
    backward, lambda *given: chunked_backward(*given, 7), lambda *given: truncated_backward(*given, 7),
    lambda net, trace, do: forward(net, trace.x),
])
def test_memory_grows_with_the_length_and_no_faster(run):
    peaks = []
    for T in (200, 400, 800):
        net = rnn(4, 32, 4, rng=np.random.default_rng(0))
        trace = forward(net, np.ones((T, 8, 4)))
        peaks.append(peak_memory(lambda: run(net, trace, np.ones((T, 8, 4)))))
        assert peaks[-1] < 7 * trace.a.nbytes
    assert peaks[1] < 2.1 * peaks[0] and peaks[2] < 2.1 * peaks[1]


def rows_multiplied(monkeypatch, call):
    """How many rows went through np.matmul."""
    matmul, rows = np.matmul, []

    def counting(a, b, **options):
        rows.append(len(a))
        return matmul(a, b, **options)

    with monkeypatch.context() as patch:
        patch.setattr(np, "matmul", counting)
        call()
    return sum(rows)


def test_a_loss_at_the_last_step_costs_lag_terms_one_product_a_step(monkeypatch):
    T, B, H = 30, 3, 4
    net = rnn(2, H, 2, rng=np.random.default_rng(0))
    trace = forward(net, np.ones((T, B, 2)))
    everywhere = np.ones((T, B, 2))
    last, late = np.zeros_like(everywhere), np.zeros_like(everywhere)
    last[-1], late[-3:] = 1, 1
    weights = 2 * H * T  # rows of the transposed deltas in the products for dW_hx and dW_hh
    lag = lambda do: rows_multiplied(monkeypatch, lambda: lag_terms(net, trace, do)) - weights
    assert lag(last) == B * (T - 1)
    assert lag(late) == B * (3 * (T - 3) + 2 + 1)
    assert lag(everywhere) == B * T * (T - 1) // 2
    truncated = lambda tau: rows_multiplied(monkeypatch, lambda: truncated_backward(net, trace, everywhere, tau))
    assert truncated(0) == 0 and truncated(2) == B * (T - 1 + T - 2)


def net_with(**changes):
    arguments = dict(W_hx=np.ones((3, 2)), W_hh=np.ones((3, 3)), b_h=np.zeros(3), W_qh=np.ones((4, 3)), b_q=np.zeros(4), phi="tanh")
    return RNN(**{**arguments, **changes})


def draw(D=2, H=3, Q=4, activation="tanh", **options):
    return rnn(D, H, Q, activation, **{"rng": np.random.default_rng(0), **options})


NET, X, DO = net_with(), np.ones((6, 5, 2)), np.ones((6, 5, 4))
TRACE = forward(NET, X)
SHORT = Trace(TRACE.x, TRACE.a, TRACE.h[1:], TRACE.o)


@pytest.mark.parametrize("call, argument", [
    (lambda: net_with(W_hx=np.ones(3)), "W_hx"),
    (lambda: net_with(W_hx=np.ones((3, 0))), "W_hx"),
    (lambda: net_with(W_hx=[[1, 2], [1]]), "W_hx"),
    (lambda: net_with(W_hx=np.ones((3, 2), dtype=np.float32)), "W_hh"),
    (lambda: net_with(W_hh=np.ones((3, 2))), "W_hh"),
    (lambda: net_with(W_hh=np.full((3, 3), np.nan)), "W_hh"),
    (lambda: net_with(W_hh=np.ones((3, 3), dtype=complex)), "W_hh"),
    (lambda: net_with(W_qh=np.ones((4, 2))), "W_qh"),
    (lambda: net_with(W_qh=np.ones((4, 3), dtype=np.float32)), "W_qh"),
    (lambda: net_with(b_h=np.zeros(4)), "b_h"),
    (lambda: net_with(b_h=np.zeros((3, 1))), "b_h"),
    (lambda: net_with(b_h=np.zeros(3, dtype=np.float32)), "b_h"),
    (lambda: net_with(b_q=np.zeros(3)), "b_q"),
    (lambda: net_with(b_q=[0, 0, 0, np.inf]), "b_q"),
    (lambda: net_with(b_q=np.zeros(4, dtype=np.float32)), "b_q"),
    (lambda: net_with(phi="unheard_of"), "phi"),
    (lambda: draw(D=0), "D"),
    (lambda: draw(D=2.0), "D"),
    (lambda: draw(H=-1), "H"),
    (lambda: draw(H="3"), "H"),
    (lambda: draw(Q=0), "Q"),
    (lambda: draw(Q=None), "Q"),
    (lambda: draw(activation="unheard_of"), "activation"),
    (lambda: draw(w_hh_scale=-1), "w_hh_scale"),
    (lambda: draw(w_hx_scale=np.nan), "w_hx_scale"),
    (lambda: draw(bias_scale=np.inf), "bias_scale"),
    (lambda: draw(rng=0), "rng"),
    (lambda: draw(dtype=np.float16), "dtype"),
    (lambda: from_torch({}, np.ones((4, 3)), np.ones(4)), "state"),
    (lambda: from_torch(to_torch(NET), np.ones((4, 2)), np.ones(4)), "W_qh"),
    (lambda: from_torch(to_torch(NET), np.ones((4, 3)), np.ones(4), "sigmoid"), "phi"),
    (lambda: from_torch(to_torch(NET), np.ones((4, 3)), np.ones(4), "unheard_of"), "phi"),
    (lambda: to_torch(net_with(phi="elu")), "net"),
    (lambda: forward(NET, np.ones((6, 2))), "x"),
    (lambda: forward(NET, np.ones((6, 5, 3))), "x"),
    (lambda: forward(NET, np.ones((0, 5, 2))), "x"),
    (lambda: forward(NET, np.ones((6, 0, 2))), "x"),
    (lambda: forward(NET, np.full((6, 5, 2), np.nan)), "x"),
    (lambda: forward(NET, [[["a", "b"]]]), "x"),
    (lambda: forward(NET, X, np.ones(3)), "h_0"),
    (lambda: forward(NET, X, np.ones((4, 3))), "h_0"),
    (lambda: forward(NET, X, np.full((5, 3), np.inf)), "h_0"),
    *((lambda call=call: call(NET, TRACE, DO[1:]), "do") for call in (backward, lag_terms)),
    *((lambda call=call: call(NET, TRACE, DO[..., :1]), "do") for call in (backward, lag_terms)),
    *((lambda call=call: call(NET, TRACE, DO[0], 2), "do") for call in (truncated_backward, chunked_backward)),
    *((lambda call=call: call(draw(H=4), TRACE, DO), "trace") for call in (backward, lag_terms)),
    *((lambda call=call: call(NET, SHORT, DO, 2), "trace") for call in (truncated_backward, chunked_backward)),
    (lambda: jacobians(NET, SHORT), "trace"),
    (lambda: jacobian_products(draw(H=4), TRACE), "trace"),
    (lambda: truncated_backward(NET, TRACE, DO, -1), "tau"),
    (lambda: truncated_backward(NET, TRACE, DO, 1.5), "tau"),
    (lambda: truncated_backward(NET, TRACE, DO, None), "tau"),
    (lambda: chunked_backward(NET, TRACE, DO, 0), "steps"),
    (lambda: chunked_backward(NET, TRACE, DO, 2.0), "steps"),
    (lambda: jacobian_products(NET, TRACE, 7), "t"),
    (lambda: jacobian_products(NET, TRACE, -1), "t"),
    (lambda: jacobian_products(NET, TRACE, 1.0), "t"),
    (lambda: jacobian_bound(NET, -1), "T"),
    (lambda: jacobian_bound(NET, 2.5), "T"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        call()


def test_a_bad_lag_is_shown():
    with pytest.raises(ValueError, match=r"^tau: got -1, want an integer >= 0$"):
        truncated_backward(NET, TRACE, DO, -1)
    with pytest.raises(ValueError, match=r"^t: got 7, want an integer >= 0 and <= 6$"):
        jacobian_products(NET, TRACE, 7)
