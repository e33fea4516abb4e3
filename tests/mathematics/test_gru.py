import re
import warnings
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradients.activations import activation
from gradients.check import central_differences, gradient_check
from gradients.gru import (
    GRU, Trace, backward, forward, gru, highway, jacobian_products, jacobians, to_torch,
)
from gradients.losses import squared_error
from gradients.optimisers import Adam
from gradients.training import Recurrent, fit
from nets import assert_close, assert_right, column, torch_gradients

GATES = ("r", "z", "h_tilde")
PARAMETERS = ["W_hx", "W_hh", "b_h", "W_qh", "b_q", "b_hn"]
VARIANTS = [(candidate, keep) for candidate in ("outside", "inside") for keep in ("z", "1-z")]


@dataclass
class Problem:
    """A net, its input, its first state and dL/do."""

    net: GRU
    x: np.ndarray
    h_0: np.ndarray | None
    do: np.ndarray

    def run(self):
        return forward(self.net, self.x, self.h_0)


@st.composite
def problems(draw, steps=7, units=4, variants=VARIANTS):
    T, B, D, H, Q = (draw(st.integers(1, most)) for most in (steps, 3, 3, units, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    candidate, keep = draw(st.sampled_from(variants))
    net = gru(D, H, Q, rng=rng, w_hh_scale=draw(st.sampled_from([0.5, 1.0, 2.0])), candidate=candidate, keep=keep)
    for b in (net.b_h, net.b_hn, net.b_q):
        b += rng.normal(size=b.shape)
    h_0 = draw(st.sampled_from([None, rng.normal(size=(B, H))]))
    return Problem(net, rng.normal(size=(T, B, D)), h_0, rng.normal(size=(T, B, Q)))


def inputs_of(problem, trace):
    return {**problem.net.parameters, "x": problem.x, "h_0": trace.h[0]}


def gradients_of(gradients):
    return {**gradients.parameters, "x": gradients.dx, "h_0": gradients.dh[0]}


class InTorch:
    """The same net in PyTorch, one operation at a time; a, gates, h, o are lists of steps."""

    def __init__(self, torch, problem, trace):
        self.torch, self.net = torch, problem.net
        self.inputs = {name: torch.tensor(array, requires_grad=True) for name, array in inputs_of(problem, trace).items()}

    def run(self, h, first=1, last=None):
        p, a, gates, hs = self.inputs, [], [], [h]
        W_r, W_z, W_n = p["W_hh"].chunk(3)
        for t in range(first, (last or len(p["x"])) + 1):
            h = hs[-1]
            a_r, a_z, a_n = (p["x"][t - 1] @ p["W_hx"].T + p["b_h"]).chunk(3, dim=-1)
            a_r, a_z = a_r + h @ W_r.T, a_z + h @ W_z.T
            r, z = self.torch.sigmoid(a_r), self.torch.sigmoid(a_z)
            a_n = a_n + ((r * h) @ W_n.T if self.net.candidate == "inside" else r * (h @ W_n.T + p["b_hn"]))
            new = self.torch.tanh(a_n)
            a.append((a_r, a_z, a_n))
            gates.append(self.torch.cat([r, z, new], dim=-1))
            hs.append(z * h + (1 - z) * new if self.net.keep == "z" else (1 - z) * h + z * new)
        return a, gates, hs, [h @ p["W_qh"].T + p["b_q"] for h in hs[1:]]

    def grad(self, value, wanted):
        return torch_gradients(self.torch, value, wanted)


def saturated(a):
    """Where PyTorch's slopes lose digits, and so do ours, but others."""
    return max(each.detach().abs().max().item() for step in a for each in step) > 6


@settings(deadline=None, max_examples=80)
@given(problems(steps=5))
def test_backward_against_central_differences(problem):
    trace, net = problem.run(), problem.net

    def loss(inputs):
        *parameters, x, h_0 = inputs.values()
        return (forward(GRU(*parameters, net.candidate, net.keep), x, h_0).o * problem.do).sum()

    gradients = gradients_of(backward(net, trace, problem.do))
    assert_right(gradient_check(loss, inputs_of(problem, trace), gradients), gradients)


@settings(deadline=None, max_examples=150)
@given(problems())
def test_every_step_against_torch(torch, problem):
    trace = problem.run()
    other = InTorch(torch, problem, trace)
    a, gates, h, o = other.run(other.inputs["h_0"])
    for got, want in ((trace.gates, gates), (trace.h, h), (trace.o, o)):
        assert_close(got, torch.stack(want).detach().numpy(), 1e-12)
    gradients = backward(problem.net, trace, problem.do)
    assume(not saturated(a))
    loss = sum((o_t * torch.tensor(do_t)).sum() for o_t, do_t in zip(o, problem.do))
    for (name, got), want in zip(gradients_of(gradients).items(), other.grad(loss, [*other.inputs.values()])):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * np.abs(want).max(), err_msg=name)
    assert_close(gradients.dh, np.array(other.grad(loss, h)))
    assert_close(gradients.delta, np.array([np.concatenate(other.grad(loss, step), axis=-1) for step in a]))


@settings(deadline=None, max_examples=50)
@given(problems(steps=12, units=9, variants=[("outside", "z")]))
def test_against_the_gru_of_torch(torch, problem):
    net, trace = problem.net, problem.run()
    D, H, Q = net.sizes
    recurrent, linear = torch.nn.GRU(D, H, dtype=torch.float64), torch.nn.Linear(H, Q, dtype=torch.float64)
    recurrent.load_state_dict({name: torch.tensor(array) for name, array in to_torch(net).items()})
    linear.load_state_dict({"weight": torch.tensor(net.W_qh), "bias": torch.tensor(net.b_q)})
    x, h_0 = (torch.tensor(array, requires_grad=True) for array in (problem.x, trace.h[0]))
    h, _ = recurrent(x, h_0[None])
    o = linear(h)
    assert_close(trace.o, o.detach().numpy())
    assert_close(trace.h[1:], h.detach().numpy())
    wanted = [*recurrent.parameters(), *linear.parameters(), x, h_0]
    W_hx, W_hh, b_ih, b_hh, W_qh, b_q, *others = torch.autograd.grad(o, wanted, torch.tensor(problem.do))
    exact = W_hx, W_hh, b_ih, W_qh, b_q, b_hh[2 * H:], *others
    for got, want in zip(gradients_of(backward(net, trace, problem.do)).values(), exact, strict=True):
        assert_close(got, want.numpy())


@settings(deadline=None, max_examples=60)
@given(problems(steps=4))
def test_jacobians_against_central_differences(problem):
    net, trace = problem.net, problem.run()
    J = jacobians(net, trace)
    for t, b, row in np.ndindex(J.shape[:3]):
        unit = lambda h: forward(net, trace.x[t:t + 1, b:b + 1], h[None]).h[1, 0, row]
        np.testing.assert_allclose(J[t, b, row], central_differences(unit, trace.h[t, b]), rtol=1e-7, atol=2e-9)


@settings(deadline=None, max_examples=60)
@given(problems(), st.data())
def test_jacobian_products_against_torch(torch, problem, data):
    net, trace = problem.net, problem.run()
    t = data.draw(st.sampled_from([None, *range(len(trace.x) + 1)]))
    products = jacobian_products(net, trace, t)
    t, (_, B, H) = len(trace.x) if t is None else t, trace.h.shape
    assert products.shape == (t + 1, B, H, H)
    np.testing.assert_array_equal(products[t], np.broadcast_to(np.eye(H), products[t].shape))
    other = InTorch(torch, problem, trace)
    for k in range(t):
        h_k = torch.tensor(trace.h[k], requires_grad=True)
        a, _, h, _ = other.run(h_k, first=k + 1, last=t)
        assume(not saturated(a))
        for row, unit in enumerate(h[-1].T):
            assert_close(products[k][:, row], other.grad(unit.sum(), [h_k])[0])


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_the_highway_is_all_there_is_without_recurrent_weights(candidate, keep):
    rng = np.random.default_rng(0)
    net = gru(2, 3, 1, rng=rng, w_hh_scale=0, candidate=candidate, keep=keep)
    net.b_h[3:6] = 1.0 if keep == "z" else -1.0
    trace = forward(net, rng.normal(size=(20, 2, 2)), rng.normal(size=(2, 3)))
    for t in (None, 0, 1, 7):
        on_h, products = highway(net, trace, t), jacobian_products(net, trace, t)
        assert on_h.shape == (21 if t is None else t + 1, 2, 3) and (on_h[-1] == 1).all()
        np.testing.assert_allclose(on_h[..., None] * np.eye(3), products, rtol=1e-12)
    kept = trace.z if keep == "z" else 1 - trace.z
    np.testing.assert_allclose(highway(net, trace)[17], kept[19] * kept[18] * kept[17], rtol=1e-14)
    assert kept.mean() > 0.6


def test_the_two_conventions_of_z_are_one_net():
    rng = np.random.default_rng(0)
    x, h_0, do = rng.normal(size=(6, 4, 2)), rng.normal(size=(4, 3)), rng.normal(size=(6, 4, 1))
    for candidate in ("inside", "outside"):
        net = gru(2, 3, 1, rng=rng, candidate=candidate)
        flip = np.repeat([1, -1, 1], 3)
        other = GRU(net.W_hx * flip[:, None], net.W_hh * flip[:, None], net.b_h * flip, net.W_qh, net.b_q, net.b_hn, candidate, "1-z")
        trace, other_trace = forward(net, x, h_0), forward(other, x, h_0)
        assert_close(trace.h, other_trace.h, 1e-13)
        assert_close(trace.z, 1 - other_trace.z, 1e-13)
        assert_close(highway(net, trace), highway(other, other_trace), 1e-13)
        assert_close(backward(net, trace, do).dW_hh, backward(other, other_trace, do).dW_hh * flip[:, None], 1e-12)


def test_the_bias_of_the_other_candidate_takes_no_part():
    net = gru(2, 3, 1, rng=np.random.default_rng(0), candidate="inside")
    trace = forward(net, np.ones((5, 2, 2)), np.ones((2, 3)))
    gradients = backward(net, trace, np.ones((5, 2, 1)))
    assert gradients.db_hn.shape == (3,) and not gradients.db_hn.any()
    np.testing.assert_array_equal(forward(replace(net, b_hn=np.ones(3)), trace.x, trace.h[0]).o, trace.o)
    np.testing.assert_array_equal(trace.u, trace.r * trace.h[:-1])
    net = replace(net, candidate="outside", b_hn=np.arange(3.0))
    trace = forward(net, trace.x, trace.h[0])
    assert_close(trace.u, trace.h[:-1] @ net.W_hh[6:].T + np.arange(3.0), 1e-13)


def one_unit(w_hh=(0.5, -0.3, 0.8), **options):
    return GRU(column(0.4, 0.1, 1.0)[..., 0], np.array(w_hh)[:, None], [0.1, 1.0, 0.0], [[2.0]], [-1.0], [0.7], **options)


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_a_step_of_one_unit_by_hand(candidate, keep):
    sigma = activation("sigmoid").function
    h_0 = 3.0
    r, z = sigma(0.4 + 0.5 * h_0 + 0.1), sigma(0.1 - 0.3 * h_0 + 1)
    n = np.tanh(1 + 0.8 * r * h_0) if candidate == "inside" else np.tanh(1 + r * (0.8 * h_0 + 0.7))
    kept, new, sign = (z, 1 - z, 1) if keep == "z" else (1 - z, z, -1)
    net = one_unit(candidate=candidate, keep=keep)
    trace = forward(net, column(1), [[h_0]])
    for name, gate in zip(GATES, (r, z, n)):
        assert getattr(trace, name) == pytest.approx(gate, rel=1e-14)
    assert trace.h[1] == pytest.approx(kept * h_0 + new * n, rel=1e-14)
    gradients = backward(net, trace, column(0.5))
    d_n, d_z = new * (1 - n**2), sign * (h_0 - n) * z * (1 - z)
    d_r = d_n * r * (1 - r) * (0.8 * h_0 if candidate == "inside" else 0.8 * h_0 + 0.7)
    np.testing.assert_allclose(gradients.delta[0, 0], [d_r, d_z, d_n], rtol=1e-13)
    np.testing.assert_allclose(gradients.dh[0], kept + 0.5 * d_r - 0.3 * d_z + 0.8 * r * d_n, rtol=1e-13)
    np.testing.assert_allclose(gradients.dW_hh[:, 0], [d_r * h_0, d_z * h_0, d_n * r * h_0], rtol=1e-13)


def test_a_closed_gate_keeps_its_digits():
    net = GRU(np.zeros((3, 1)), np.zeros((3, 1)), [-700.0, -300, 0], [[1.0]], [0.0], [0.0])
    trace = forward(net, np.zeros((2, 1, 1)), [[1.0]])
    assert trace.r[0] == pytest.approx(np.exp(-700), rel=1e-14)
    np.testing.assert_allclose(highway(net, trace)[:, 0, 0], np.exp([-600.0, -300, 0]), rtol=1e-14)
    np.testing.assert_allclose(backward(net, trace, column(0, 1)).dh[:, 0, 0], np.exp([-600.0, -300, 0]), rtol=1e-12)


def test_gates_are_read_only_views():
    trace = forward(one_unit(), column(1, 2))
    for j, name in enumerate(GATES):
        view = getattr(trace, name)
        assert np.shares_memory(view, trace.gates)
        np.testing.assert_array_equal(view, trace.gates[..., j:j + 1])
        with pytest.raises(ValueError):
            view[...] = 0
    assert trace.gates.flags.writeable


def test_the_parameters_are_the_arrays():
    arrays = np.ones((9, 2)), np.ones((9, 3)), np.ones(9), np.ones((4, 3)), np.ones(4), np.ones(3)
    net = GRU(*arrays)
    assert list(net.parameters) == PARAMETERS and (net.candidate, net.keep) == ("outside", "z")
    assert all(ours is given for ours, given in zip(net.parameters.values(), arrays))
    assert (net.sizes, net.dtype) == ((2, 3, 4), np.float64)
    net.parameters["W_hh"] -= 0.5
    assert (net.W_hh == 0.5).all() and net.W_hh is arrays[1]
    gradients = backward(net, forward(net, np.ones((2, 1, 2))), np.ones((2, 1, 4)))
    assert list(gradients.parameters) == PARAMETERS
    for name, gradient in gradients.parameters.items():
        assert gradient is getattr(gradients, f"d{name}") and gradient.shape == net.parameters[name].shape


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_it_trains(candidate, keep):
    """To say at the last step what it saw at the first."""
    rng = np.random.default_rng(0)
    net = Recurrent(gru(1, 8, 1, rng=rng, candidate=candidate, keep=keep))
    x = rng.normal(size=(6, 32, 1))
    history = fit(net, repeat((x, x[0])), lambda o, y: squared_error(o, y, last=True), Adam(0.03), steps=200)
    assert history.stopped is None and history.loss[-1] < 0.1 * history.loss[0]


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_float32_is_kept(candidate, keep):
    draw = lambda dtype: gru(3, 4, 2, rng=np.random.default_rng(0), candidate=candidate, keep=keep, dtype=dtype)
    net, exact, do = draw(np.float32), draw(np.float64), np.ones((5, 2, 2))
    trace, exact_trace = (forward(each, np.ones((5, 2, 3)), np.ones((2, 4))) for each in (net, exact))
    gradients = backward(net, trace, do)
    arrays = [array for each in (net.parameters, vars(trace), vars(gradients), to_torch(replace(net, candidate="outside", keep="z"))) for array in each.values()]
    arrays += [jacobians(net, trace), jacobian_products(net, trace), highway(net, trace)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert_close(trace.o, exact_trace.o, 1e-5)
    for got, want in zip(gradients.parameters.values(), backward(exact, exact_trace, do).parameters.values()):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_sequences_side_by_side_are_added(candidate, keep):
    rng = np.random.default_rng(0)
    net, x, do, h_0 = gru(3, 4, 2, rng=rng, candidate=candidate, keep=keep), rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 5, 2)), rng.normal(size=(5, 4))
    whole = backward(net, forward(net, x, h_0), do)
    parts = [backward(net, forward(net, x[:, [b]], h_0[[b]]), do[:, [b]]) for b in range(5)]
    for name in PARAMETERS:
        total = sum(part.parameters[name] for part in parts)
        np.testing.assert_allclose(whole.parameters[name], total, rtol=0, atol=1e-12 * np.abs(total).max())
    for name in ("delta", "dh", "dx"):
        assert_close(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts], axis=1), 1e-12)


def test_a_sequence_longer_than_a_block_of_slopes(torch):
    rng = np.random.default_rng(0)
    T, B, H = 40, 10, 70  # a block has 2**15 entries, 15 steps
    problem = Problem(gru(2, H, 2, rng=rng), rng.normal(size=(T, B, 2)), None, rng.normal(size=(T, B, 2)))
    trace = problem.run()
    other = InTorch(torch, problem, trace)
    _, _, h, o = other.run(other.inputs["h_0"])
    assert_close(backward(problem.net, trace, problem.do).dh, np.array(other.grad((torch.stack(o) * torch.tensor(problem.do)).sum(), h)))


def test_gru_draws_what_it_says():
    net = gru(300, 250, 400, rng=np.random.default_rng(0), w_hh_scale=3, w_hx_scale=5)
    assert net.sizes == (300, 250, 400) and (net.candidate, net.keep) == ("outside", "z")
    for W, scale in ((net.W_hx, 5 / np.sqrt(300)), (net.W_hh, 3 / np.sqrt(250)), (net.W_qh, 1 / np.sqrt(250))):
        assert W.std() == pytest.approx(scale, rel=0.01) and W.mean() == pytest.approx(0, abs=0.01 * scale)
    assert not net.b_h.any() and not net.b_hn.any() and not net.b_q.any()
    draw = lambda **options: gru(3, 4, 2, rng=np.random.default_rng(7), **options)
    base, other = draw(), draw(w_hh_scale=2, w_hx_scale=0.5, candidate="inside", keep="1-z")
    assert (other.candidate, other.keep) == ("inside", "1-z")
    for name, factor in dict(W_hx=0.5, W_hh=2, W_qh=1).items():
        np.testing.assert_allclose(other.parameters[name], factor * base.parameters[name], rtol=1e-15)
        np.testing.assert_array_equal(draw(dtype=np.float32).parameters[name], base.parameters[name].astype(np.float32))


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_overflow_saturates_without_a_warning(candidate, keep):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # the reset gate stays open: r = 0 would meet an inf
        net = one_unit((0.0, -1e308, 1e308), candidate=candidate, keep=keep)
        trace = forward(net, column(1e300, 1e10, 1e300, 1), [[1.0]])
        assert np.isfinite(trace.gates).all() and np.isfinite(trace.h).all()
        small = gru(1, 2, 1, rng=np.random.default_rng(0), candidate=candidate, keep=keep, dtype=np.float32)
        assert np.isfinite(forward(small, np.full((3, 1, 1), 1e38)).o).all()


def exploding(candidate, keep):
    """Gates half open, h = 1: what goes back is multiplied by about 1e200."""
    w = 1e100 if candidate == "inside" else 1e200  # inside, a path goes through W_hh twice in a step
    net = GRU(np.ones((6, 1)), np.full((6, 2), w), np.zeros(6), np.eye(2), np.zeros(2), np.zeros(2), candidate, keep)
    if keep == "1-z":
        net.W_hx[2:4] *= -1
        net.W_hh[2:4] *= -1
    T = 5
    return net, Trace(np.ones((T, 1, 1)), np.full((T, 1, 6), 0.5), np.ones((T, 1, 2)), np.ones((T + 1, 1, 2)), np.ones((T, 1, 2)),
                      np.ones((T, 1, 4)), np.full((T, 1, 2), np.arctanh(0.5)))


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_exploding_gradients_are_inf_or_announced_once(candidate, keep):
    net, trace = exploding(candidate, keep)
    do = np.zeros((5, 1, 2))
    do[-1] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradients, products = backward(net, trace, do), jacobian_products(net, trace)
    assert (gradients.dh[0] == np.inf).all() and (products[0] == np.inf).all()
    net.W_hh *= np.tile(np.eye(2), (3, 1))
    with pytest.warns(RuntimeWarning, match=r"^delta\[\d\] contains NaN") as record:
        backward(net, trace, do)
    assert len(record) == 1 and record[0].filename == __file__
    with pytest.warns(RuntimeWarning, match=r"^dh\[5\]/dh\[\d\] contains NaN") as record:
        jacobian_products(net, trace)
    assert len(record) == 1 and record[0].filename == __file__


def test_nan_is_announced_with_the_step_where_it_appears():
    net = GRU(np.full((9, 1), 1e308), np.full((9, 3), -1.7e308), np.zeros(9), np.ones((1, 3)), np.zeros(1), np.zeros(3), "outside", "1-z")
    with pytest.warns(RuntimeWarning, match=r"^gates\[1\] contains NaN") as record:
        trace = forward(net, column(1e10, 1e10, 1e10))  # W_hx x_2 = inf, W_hh h_1 = -inf
    assert len(record) == 1 and record[0].filename == __file__
    with pytest.warns(RuntimeWarning, match=r"^J\[1\] contains NaN") as record:
        jacobians(net, trace)
    assert len(record) == 1 and record[0].filename == __file__
    net = one_unit()
    net.W_qh[:], net.b_q[:] = np.inf, -np.inf
    with pytest.warns(RuntimeWarning, match=r"^o\[0\] contains NaN") as record:
        forward(net, column(1, 1))
    assert len(record) == 1


@pytest.mark.parametrize("candidate, keep", VARIANTS)
def test_what_is_given_stays_as_it_is(candidate, keep):
    rng = np.random.default_rng(0)
    net, x, do, h_0 = gru(2, 3, 2, rng=rng, candidate=candidate, keep=keep), rng.normal(size=(6, 4, 2)), rng.normal(size=(6, 4, 2)), rng.normal(size=(4, 3))
    trace = forward(net, x, h_0)
    given = [*net.parameters.values(), *vars(trace).values(), x, do, h_0]
    before = [array.copy() for array in given]
    backward(net, trace, do), jacobians(net, trace), jacobian_products(net, trace, 3), highway(net, trace)
    for array, copy in zip(given, before):
        np.testing.assert_array_equal(array, copy)
    assert trace.x is x


def net_with(**changes):
    arguments = dict(W_hx=np.ones((9, 2)), W_hh=np.ones((9, 3)), b_h=np.zeros(9), W_qh=np.ones((4, 3)), b_q=np.zeros(4), b_hn=np.zeros(3))
    return GRU(**{**arguments, **changes})


def draw(D=2, H=3, Q=4, **options):
    return gru(D, H, Q, **{"rng": np.random.default_rng(0), **options})


NET, X, DO = net_with(), np.ones((6, 5, 2)), np.ones((6, 5, 4))
TRACE = forward(NET, X)
SHORT = replace(TRACE, h=TRACE.h[1:])


@pytest.mark.parametrize("call, argument", [
    (lambda: net_with(W_hx=np.ones(3)), "W_hx"),
    (lambda: net_with(W_hx=np.ones((9, 0))), "W_hx"),
    (lambda: net_with(W_hx=np.ones((3, 2))), "W_hx"),
    (lambda: net_with(W_hx=np.ones((9, 2), dtype=np.float32)), "W_hh"),
    (lambda: net_with(W_hh=np.ones((3, 3))), "W_hh"),
    (lambda: net_with(W_hh=np.ones(3)), "W_hh"),
    (lambda: net_with(W_hh=np.full((9, 3), np.nan)), "W_hh"),
    (lambda: net_with(b_h=np.zeros(3)), "b_h"),
    (lambda: net_with(b_hn=np.zeros(9)), "b_hn"),
    (lambda: net_with(b_hn=np.zeros(3, dtype=np.float32)), "b_hn"),
    (lambda: net_with(W_qh=np.ones((4, 2))), "W_qh"),
    (lambda: net_with(b_q=np.zeros(3)), "b_q"),
    (lambda: net_with(b_q=[0, 0, 0, np.inf]), "b_q"),
    (lambda: net_with(candidate="between"), "candidate"),
    (lambda: net_with(candidate=None), "candidate"),
    (lambda: net_with(keep="r"), "keep"),
    (lambda: draw(D=0), "D"),
    (lambda: draw(H=2.0), "H"),
    (lambda: draw(Q=None), "Q"),
    (lambda: draw(w_hh_scale=-1), "w_hh_scale"),
    (lambda: draw(w_hx_scale=np.nan), "w_hx_scale"),
    (lambda: draw(candidate="between"), "candidate"),
    (lambda: draw(keep="r"), "keep"),
    (lambda: draw(rng=0), "rng"),
    (lambda: draw(dtype=np.float16), "dtype"),
    (lambda: to_torch(net_with(candidate="inside")), "net"),
    (lambda: to_torch(net_with(keep="1-z")), "net"),
    (lambda: forward(NET, np.ones((6, 2))), "x"),
    (lambda: forward(NET, np.ones((6, 5, 3))), "x"),
    (lambda: forward(NET, np.ones((0, 5, 2))), "x"),
    (lambda: forward(NET, np.full((6, 5, 2), np.nan)), "x"),
    (lambda: forward(NET, X, np.ones(3)), "h_0"),
    (lambda: forward(NET, X, np.full((5, 3), np.inf)), "h_0"),
    (lambda: backward(NET, TRACE, DO[1:]), "do"),
    (lambda: backward(NET, TRACE, DO[..., :1]), "do"),
    *((lambda call=call, net=net, trace=trace: call(net, trace), "trace")
      for call in (lambda *given: backward(*given, DO), jacobians, jacobian_products, highway)
      for net, trace in ((draw(H=4), TRACE), (NET, SHORT))),
    *((lambda call=call, t=t: call(NET, TRACE, t), "t") for call in (jacobian_products, highway) for t in (7, -1, 1.0)),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        call()
