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
from gradients.losses import squared_error
from gradients.lstm import (
    LSTM, Trace, backward, detour_split, detour_terms, forward, gate_split, highway, jacobian_products,
    jacobians, lstm, to_torch,
)
from gradients.optimisers import Adam
from gradients.training import Recurrent, fit
from nets import assert_close, assert_right, column, peak_memory, torch_gradients

GATES = ("i", "f", "c_tilde", "o_gate")
PARAMETERS = ["W_hx", "W_hh", "b_h", "W_qh", "b_q"]


@dataclass
class Problem:
    """A net, its input, its first states and dL/do."""

    net: LSTM
    x: np.ndarray
    h_0: np.ndarray | None
    c_0: np.ndarray | None
    do: np.ndarray

    def run(self):
        return forward(self.net, self.x, self.h_0, self.c_0)


@st.composite
def problems(draw, steps=7, units=4, forget_gate=None):
    T, B, D, H, Q = (draw(st.integers(1, most)) for most in (steps, 3, 3, units, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = lstm(D, H, Q, rng=rng, w_hh_scale=draw(st.sampled_from([0.5, 1.0, 2.0])), forget_bias=draw(st.sampled_from([-1, 0, 2])),
               forget_gate=draw(st.booleans()) if forget_gate is None else forget_gate)
    net.b_h += rng.normal(size=4 * H)
    net.b_q += rng.normal(size=Q)
    h_0, c_0 = (draw(st.sampled_from([None, rng.normal(size=(B, H))])) for _ in "hc")
    return Problem(net, rng.normal(size=(T, B, D)), h_0, c_0, rng.normal(size=(T, B, Q)))


def inputs_of(problem, trace):
    return {**problem.net.parameters, "x": problem.x, "h_0": trace.h[0], "c_0": trace.c[0]}


def gradients_of(gradients):
    return {**gradients.parameters, "x": gradients.dx, "h_0": gradients.dh[0], "c_0": gradients.dc[0]}


class InTorch:
    """The same net in PyTorch, one operation at a time; a, c, h, o are lists of steps."""

    def __init__(self, torch, problem, trace):
        self.torch, self.forget_gate = torch, problem.net.forget_gate
        self.inputs = {name: torch.tensor(array, requires_grad=True) for name, array in inputs_of(problem, trace).items()}

    def pre_activations(self, x_t, h):
        return x_t @ self.inputs["W_hx"].T + h @ self.inputs["W_hh"].T + self.inputs["b_h"]

    def cell(self, a_i, a_f, a_c, c):
        f = self.torch.sigmoid(a_f) if self.forget_gate else 1
        return f * c + self.torch.sigmoid(a_i) * self.torch.tanh(a_c)

    def run(self, c, h, first=1, last=None):
        a, cs, hs = [], [c], [h]
        for t in range(first, (last or len(self.inputs["x"])) + 1):
            a.append(self.pre_activations(self.inputs["x"][t - 1], hs[-1]))
            *a_ifc, a_o = a[-1].chunk(4, dim=-1)
            cs.append(self.cell(*a_ifc, cs[-1]))
            hs.append(self.torch.sigmoid(a_o) * self.torch.tanh(cs[-1]))
        return a, cs, hs, [h @ self.inputs["W_qh"].T + self.inputs["b_q"] for h in hs[1:]]

    def grad(self, value, wanted):
        return torch_gradients(self.torch, value, wanted)

    def edges(self, c, h, t, b):
        """The four edges of step t in sequence b, that from h to c gate by gate: (H, H) each."""
        c, h = self.torch.tensor(c), self.torch.tensor(h)
        a = lambda h: self.pre_activations(self.inputs["x"][t - 1, b], h).chunk(4)
        given = a(h)
        through = lambda j: lambda h: self.cell(*(a(h)[n] if n == j else given[n] for n in range(3)), c)
        c_t = self.cell(*given[:3], c)
        maps = {
            "F": (lambda c: self.cell(*given[:3], c), c), "i": (through(0), h), "f": (through(1), h), "c": (through(2), h),
            "E": (lambda c: self.torch.sigmoid(given[3]) * self.torch.tanh(c), c_t),
            "O": (lambda h: self.torch.sigmoid(a(h)[3]) * self.torch.tanh(c_t), h),
        }
        return {name: self.torch.autograd.functional.jacobian(f, at).detach().numpy() for name, (f, at) in maps.items()}


@settings(deadline=None, max_examples=60)
@given(problems(steps=5))
def test_backward_against_central_differences(problem):
    trace = problem.run()

    def loss(inputs):
        *parameters, x, h_0, c_0 = inputs.values()
        return (forward(LSTM(*parameters, problem.net.forget_gate), x, h_0, c_0).o * problem.do).sum()

    gradients = gradients_of(backward(problem.net, trace, problem.do))
    assert_right(gradient_check(loss, inputs_of(problem, trace), gradients), gradients)


@settings(deadline=None)
@given(problems())
def test_every_step_against_torch(torch, problem):
    trace = problem.run()
    other = InTorch(torch, problem, trace)
    a, c, h, o = other.run(other.inputs["c_0"], other.inputs["h_0"])
    numbers = lambda tensors: torch.stack(tensors).detach().numpy()
    for got, want in ((trace.c, c), (trace.h, h), (trace.o, o)):
        assert_close(got, numbers(want), 1e-12)
    assert_close(trace.tanh_c, np.tanh(numbers(c)[1:]), 1e-12)
    gates = np.where(np.repeat([1, 1, 0, 1], problem.net.sizes[1]), 1 / (1 + np.exp(-numbers(a))), np.tanh(numbers(a)))
    if not problem.net.forget_gate:
        np.split(gates, 4, axis=-1)[1][...] = 1
    assert_close(trace.gates, gates, 1e-12)
    gradients = backward(problem.net, trace, problem.do)
    assume(np.abs(numbers(a)).max() < 6)  # where PyTorch's slopes lose digits, and so do ours, but others
    loss = sum((o_t * torch.tensor(do_t)).sum() for o_t, do_t in zip(o, problem.do))
    for (name, got), want in zip(gradients_of(gradients).items(), other.grad(loss, [*other.inputs.values()])):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-10 * np.abs(want).max(), err_msg=name)
    for got, states in ((gradients.delta, a), (gradients.dc, c), (gradients.dh, h)):
        assert_close(got, np.array(other.grad(loss, states)))


@settings(deadline=None, max_examples=50)
@given(problems(steps=12, units=9, forget_gate=True))
def test_against_the_lstm_of_torch(torch, problem):
    net, trace = problem.net, problem.run()
    D, H, Q = net.sizes
    recurrent, linear = torch.nn.LSTM(D, H, dtype=torch.float64), torch.nn.Linear(H, Q, dtype=torch.float64)
    recurrent.load_state_dict({name: torch.tensor(array) for name, array in to_torch(net).items()})
    linear.load_state_dict({"weight": torch.tensor(net.W_qh), "bias": torch.tensor(net.b_q)})
    x, h_0, c_0 = (torch.tensor(array, requires_grad=True) for array in (problem.x, trace.h[0], trace.c[0]))
    h, (_, c_T) = recurrent(x, (h_0[None], c_0[None]))
    o = linear(h)
    for got, want in ((trace.o, o), (trace.h[1:], h), (trace.c[-1], c_T[0])):
        assert_close(got, want.detach().numpy())
    wanted = [*recurrent.parameters(), *linear.parameters(), x, h_0, c_0]
    W_hx, W_hh, b_ih, _, *others = torch.autograd.grad(o, wanted, torch.tensor(problem.do))
    for got, want in zip(gradients_of(backward(net, trace, problem.do)).values(), (W_hx, W_hh, b_ih, *others), strict=True):
        assert_close(got, want.numpy())


@settings(deadline=None, max_examples=50)
@given(problems(steps=4))
def test_jacobians_against_central_differences(problem):
    net, trace = problem.net, problem.run()
    J, H = jacobians(net, trace), net.sizes[1]
    for t, b, row in np.ndindex(J.shape[:3]):
        def entry(state):
            c, h = state.reshape(2, 1, H)
            step = forward(net, trace.x[t:t + 1, b:b + 1], h, c)
            return np.concatenate([step.c[1, 0], step.h[1, 0]])[row]
        state = np.concatenate([trace.c[t, b], trace.h[t, b]])
        np.testing.assert_allclose(J[t, b, row], central_differences(entry, state), rtol=1e-7, atol=2e-9)


@settings(deadline=None, max_examples=50)
@given(problems(), st.data())
def test_jacobian_products_against_torch(torch, problem, data):
    net, trace = problem.net, problem.run()
    assume(np.abs(problem.x @ net.W_hx.T + trace.h[:-1] @ net.W_hh.T + net.b_h).max() < 6)
    t = data.draw(st.sampled_from([None, *range(len(trace.x) + 1)]))
    products = jacobian_products(net, trace, t)
    t, (_, B, H) = len(trace.x) if t is None else t, trace.c.shape
    assert products.shape == (t + 1, B, 2 * H, 2 * H)
    np.testing.assert_array_equal(products[t], np.broadcast_to(np.eye(2 * H), products[t].shape))
    other = InTorch(torch, problem, trace)
    for k in range(t):
        c_k, h_k = (torch.tensor(states[k], requires_grad=True) for states in (trace.c, trace.h))
        _, c, h, _ = other.run(c_k, h_k, first=k + 1, last=t)
        for row, unit in enumerate([*c[-1].T, *h[-1].T]):
            assert_close(products[k][:, row], np.concatenate(other.grad(unit.sum(), [c_k, h_k]), axis=1))


def paths(edges, node, s, t, at_once, so_far, used):
    """All paths from `node` at step s to step t, one edge at a time: (end, names of the edges, their product)."""
    if s == t and (node == "h" or not at_once):
        yield node, used, so_far
    if node == "c" and at_once and s > 0:
        yield from paths(edges, "h", s, t, True, edges[s]["E"] @ so_far, used + "E")
        if s == t:
            yield node, used, so_far
    if s < t:
        for name, end in (("F", "c"),) if node == "c" else (("i", "c"), ("f", "c"), ("c", "c"), ("O", "h")):
            yield from paths(edges, end, s + 1, t, True, edges[s + 1][name] @ so_far, used + name)


def detours_of(used):
    return sum(used.count(gate) for gate in "ifc")


@settings(deadline=None, max_examples=25)
@given(problems(steps=4, units=2), st.integers(0, 4), st.data())
def test_decompositions_against_every_single_path(torch, problem, detours, data):
    net, trace = problem.net, problem.run()
    t = data.draw(st.integers(0, len(trace.x)))
    _, B, H = trace.c.shape
    rows, other = dict(c=slice(H), h=slice(H, None)), InTorch(torch, problem, trace)
    dh_t = np.random.default_rng(0).normal(size=(B, H))
    terms, by_gate = np.zeros((detours + 2, t + 1, B, 2 * H, 2 * H)), np.zeros((4, t + 1, B, H, H))
    split = {name: np.zeros((detours + 2, t + 1, B, H)) for name in "ch"}
    for b in range(B):
        edges = {s: other.edges(trace.c[s - 1, b], trace.h[s - 1, b], s, b) for s in range(1, t + 1)}
        for k in range(t + 1):
            for start in "ch":
                # first as the Jacobians count, with h_k held fixed, then also those that go from c_k to h_k at once
                for end, used, product in paths(edges, start, k, t, False, np.eye(H), ""):
                    found = detours_of(used)
                    terms[min(found, detours + 1), k, b, rows[end], rows[start]] += product
                    if (start, end, found) == ("c", "c", 1):
                        came_back = 3 if "O" in used else next(j for j, gate in enumerate("ifc") if gate in used)
                        by_gate[came_back, k, b] += product
                for end, used, product in paths(edges, start, k, t, True, np.eye(H), ""):
                    if end == "h":
                        split[start][min(detours_of(used), detours + 1), k, b] += dh_t[b] @ product
    got = detour_terms(net, trace, detours, t)
    np.testing.assert_allclose(got, terms, rtol=0, atol=1e-12 * np.abs(terms).max())
    np.testing.assert_allclose(gate_split(net, trace, t), by_gate, rtol=0, atol=1e-12 * max(np.abs(by_gate).max(), 1e-3))
    for got, want in zip(detour_split(net, trace, dh_t, detours, t), split.values(), strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12 * np.abs(dh_t).max() * max(1, np.abs(terms).max()))
    on_c = np.zeros((t + 1, B, H, H))
    on_c[..., range(H), range(H)] = highway(net, trace, t)
    np.testing.assert_allclose(on_c, terms[0, ..., :H, :H], rtol=1e-12, atol=0)


@settings(deadline=None, max_examples=50)
@given(problems(steps=15), st.integers(0, 20), st.data())
def test_decompositions_add_up(problem, detours, data):
    net, trace = problem.net, problem.run()
    H, t = net.sizes[1], data.draw(st.sampled_from([None, *range(len(trace.x) + 1)]))
    terms = detour_terms(net, trace, detours, t)
    products, allowed = jacobian_products(net, trace, t), dict(rtol=0, atol=1e-12 * np.abs(terms).max())
    np.testing.assert_allclose(terms.sum(axis=0), products, **allowed)
    if detours >= len(trace.x):
        assert not terms[-1].any()
    split = gate_split(net, trace, t).sum(axis=0)
    np.testing.assert_allclose(split, detour_terms(net, trace, 1, t)[1, ..., :H, :H], rtol=0, atol=1e-12 * max(1e-3, np.abs(split).max()))
    do = np.zeros_like(problem.do)
    last = len(trace.x) if t is None else t
    if last:
        do[last - 1] = problem.do[last - 1]
        gradients, dh_t = backward(net, trace, do), do[last - 1] @ net.W_qh
        for got, want in zip(detour_split(net, trace, dh_t, detours, t), (gradients.dc, gradients.dh)):
            np.testing.assert_allclose(got.sum(axis=0), want[:last + 1], rtol=0, atol=1e-12 * np.abs(got).max())
            assert not want[last + 1:].any()


def test_without_forget_gate_the_highway_is_the_identity():
    rng = np.random.default_rng(0)
    net = lstm(2, 3, 1, rng=rng, forget_gate=False)
    net.W_hh[:9] = 0  # G = 0
    trace = forward(net, rng.normal(size=(50, 2, 2)))
    assert (trace.f == 1).all() and (highway(net, trace) == 1).all()
    products = jacobian_products(net, trace)
    np.testing.assert_array_equal(products[..., :3, :3], np.broadcast_to(np.eye(3), (51, 2, 3, 3)))
    assert not products[..., :3, 3:].any() and not detour_terms(net, trace, 0)[1].any()
    net = lstm(2, 3, 1, rng=rng, forget_gate=False)
    trace = forward(net, rng.normal(size=(50, 2, 2)))
    gradients = backward(net, trace, np.ones((50, 2, 1)))
    f = slice(3, 6)
    for gradient in (gradients.dW_hx[f], gradients.dW_hh[f], gradients.db_h[f], gradients.delta[..., f], gate_split(net, trace)[1]):
        assert not gradient.any()
    assert gradients.dW_hx[:3].any() and gate_split(net, trace)[2].any()
    changed = replace(net, W_hx=net.W_hx.copy())
    changed.W_hx[f] = 7
    np.testing.assert_array_equal(forward(changed, trace.x).o, trace.o)


def one_unit(w_hh=(0.5, -0.3, 0.8, 0.2), **options):
    return LSTM(column(0.4, 0.1, 1.0, -0.6)[..., 0], np.array(w_hh)[:, None], np.array([0.1, 1.0, 0.0, 0.3]), [[2.0]], [-1.0], **options)


def test_two_steps_of_one_unit_by_hand():
    sigma = activation("sigmoid").function
    i, f, o = sigma(0.4 + 0.1), sigma(0.1 + 1.0), sigma(-0.6 + 0.3)
    c_1 = f * 3.0 + i * np.tanh(1.0)
    h_1 = o * np.tanh(c_1)
    i_2, f_2, g_2, o_2 = sigma(-0.8 + 0.5 * h_1 + 0.1), sigma(-0.2 - 0.3 * h_1 + 1), np.tanh(-2 + 0.8 * h_1), sigma(1.2 + 0.2 * h_1 + 0.3)
    c_2 = f_2 * c_1 + i_2 * g_2
    h_2 = o_2 * np.tanh(c_2)
    net = one_unit()
    trace = forward(net, column(1, -2), c_0=[[3.0]])
    np.testing.assert_allclose(trace.c, column(3, c_1, c_2), rtol=1e-14)
    np.testing.assert_allclose(trace.h, column(0, h_1, h_2), rtol=1e-14)
    np.testing.assert_allclose(trace.o, 2 * column(h_1, h_2) - 1, rtol=1e-14)
    for name, gate in zip(GATES, ((i, i_2), (f, f_2), (np.tanh(1.0), g_2), (o, o_2))):
        np.testing.assert_allclose(getattr(trace, name), column(*gate), rtol=1e-14)
    gradients = backward(net, trace, column(0, 0.5))
    d_c2 = o_2 * (1 - np.tanh(c_2) ** 2)
    d_h1 = d_c2 * (0.5 * i_2 * (1 - i_2) * g_2 - 0.3 * f_2 * (1 - f_2) * c_1 + 0.8 * i_2 * (1 - g_2**2)) + 0.2 * np.tanh(c_2) * o_2 * (1 - o_2)
    d_c1 = d_c2 * f_2 + d_h1 * o * (1 - np.tanh(c_1) ** 2)
    np.testing.assert_allclose(gradients.dh[1:], column(d_h1, 1), rtol=1e-13)
    np.testing.assert_allclose(gradients.dc, column(d_c1 * f, d_c1, d_c2), rtol=1e-13)
    np.testing.assert_allclose(gradients.dW_hh[3], np.tanh(c_2) * o_2 * (1 - o_2) * h_1, rtol=1e-13)
    np.testing.assert_allclose(highway(net, trace)[:, 0, 0], [f * f_2, f_2, 1], rtol=1e-14)


def test_a_closed_gate_keeps_its_digits():
    net = LSTM(np.zeros((4, 1)), np.zeros((4, 1)), [-700.0, -300, 0, -400], [[1.0]], [0.0])
    trace = forward(net, np.zeros((2, 1, 1)), c_0=[[1.0]])
    np.testing.assert_allclose(highway(net, trace)[:, 0, 0], np.exp([-600.0, -300, 0]), rtol=1e-14)
    np.testing.assert_allclose([trace.i[0, 0, 0], trace.o_gate[0, 0, 0]], np.exp([-700.0, -400]), rtol=1e-14)
    gradients = backward(net, trace, column(1, 0))
    np.testing.assert_allclose(gradients.dc[:, 0, 0], [np.exp(-700), np.exp(-400), 0], rtol=1e-12)
    small = LSTM(np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32), np.array([0, -40, 0, 0], np.float32),
                 np.ones((1, 1), np.float32), np.zeros(1, np.float32))
    np.testing.assert_allclose(forward(small, np.zeros((1, 1, 1))).f, np.exp(-40), rtol=1e-6)


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
    arrays = np.ones((12, 2)), np.ones((12, 3)), np.ones(12), np.ones((4, 3)), np.ones(4)
    net = LSTM(*arrays)
    assert list(net.parameters) == PARAMETERS and net.forget_gate is True
    assert all(ours is given for ours, given in zip(net.parameters.values(), arrays))
    assert (net.sizes, net.dtype) == ((2, 3, 4), np.float64)
    net.parameters["W_hh"] -= 0.5
    assert (net.W_hh == 0.5).all() and net.W_hh is arrays[1]
    gradients = backward(net, forward(net, np.ones((2, 1, 2))), np.ones((2, 1, 4)))
    assert list(gradients.parameters) == PARAMETERS
    for name, gradient in gradients.parameters.items():
        assert gradient is getattr(gradients, f"d{name}") and gradient.shape == net.parameters[name].shape


@pytest.mark.parametrize("forget_gate", [True, False])
def test_it_trains(forget_gate):
    """To say at the last step what it saw at the first."""
    rng = np.random.default_rng(0)
    net = Recurrent(lstm(1, 8, 1, rng=rng, forget_bias=1, forget_gate=forget_gate))
    x = rng.normal(size=(6, 32, 1))
    history = fit(net, repeat((x, x[0])), lambda o, y: squared_error(o, y, last=True), Adam(0.03), steps=200)
    assert history.stopped is None and history.loss[-1] < 0.1 * history.loss[0]


@pytest.mark.parametrize("forget_gate", [True, False])
def test_float32_is_kept(forget_gate):
    draw = lambda dtype: lstm(3, 4, 2, rng=np.random.default_rng(0), forget_bias=1, forget_gate=forget_gate, dtype=dtype)
    net, exact, do = draw(np.float32), draw(np.float64), np.ones((5, 2, 2))
    trace, exact_trace = (forward(each, np.ones((5, 2, 3)), np.ones((2, 4)), np.ones((2, 4))) for each in (net, exact))
    gradients = backward(net, trace, do)
    arrays = [array for each in (net.parameters, vars(trace), vars(gradients), to_torch(draw(np.float32)) if forget_gate else {}) for array in each.values()]
    arrays += [jacobians(net, trace), jacobian_products(net, trace), highway(net, trace), detour_terms(net, trace, 1)]
    arrays += [*detour_split(net, trace, np.ones((2, 4)), 1), gate_split(net, trace)]
    assert {array.dtype for array in arrays} == {np.dtype(np.float32)}
    assert_close(trace.o, exact_trace.o, 1e-5)
    for got, want in zip(gradients.parameters.values(), backward(exact, exact_trace, do).parameters.values()):
        assert_close(got, want, 1e-4)


def test_sequences_side_by_side_are_added():
    rng = np.random.default_rng(0)
    net, x, do = lstm(3, 4, 2, rng=rng), rng.normal(size=(6, 5, 3)), rng.normal(size=(6, 5, 2))
    h_0, c_0 = rng.normal(size=(2, 5, 4))
    whole = backward(net, forward(net, x, h_0, c_0), do)
    parts = [backward(net, forward(net, x[:, [b]], h_0[[b]], c_0[[b]]), do[:, [b]]) for b in range(5)]
    for name in PARAMETERS:
        assert_close(whole.parameters[name], sum(part.parameters[name] for part in parts), 1e-12)
    for name in ("delta", "dh", "dc", "dx"):
        assert_close(getattr(whole, name), np.concatenate([getattr(part, name) for part in parts], axis=1), 1e-12)


def test_a_sequence_longer_than_a_block_of_slopes(torch):
    rng = np.random.default_rng(0)
    T, B, H = 40, 10, 50  # a block has 2**15 entries, 16 steps
    problem = Problem(lstm(2, H, 2, rng=rng), rng.normal(size=(T, B, 2)), None, None, rng.normal(size=(T, B, 2)))
    trace = problem.run()
    other = InTorch(torch, problem, trace)
    a, _, _, o = other.run(other.inputs["c_0"], other.inputs["h_0"])
    assert_close(backward(problem.net, trace, problem.do).delta, np.array(other.grad((torch.stack(o) * torch.tensor(problem.do)).sum(), a)))


def test_lstm_draws_what_it_says():
    net = lstm(300, 250, 400, rng=np.random.default_rng(0), w_hh_scale=3, w_hx_scale=5, forget_bias=-2)
    assert net.sizes == (300, 250, 400) and net.forget_gate is True
    for W, scale in ((net.W_hx, 5 / np.sqrt(300)), (net.W_hh, 3 / np.sqrt(250)), (net.W_qh, 1 / np.sqrt(250))):
        assert W.std() == pytest.approx(scale, rel=0.01) and W.mean() == pytest.approx(0, abs=0.01 * scale)
    np.testing.assert_array_equal(net.b_h, np.repeat([0, -2, 0, 0], 250))
    assert not net.b_q.any()
    draw = lambda **options: lstm(3, 4, 2, rng=np.random.default_rng(7), **options)
    base, other = draw(), draw(w_hh_scale=2, w_hx_scale=0.5, forget_gate=False)
    assert not base.b_h.any() and other.forget_gate is False
    for name, factor in dict(W_hx=0.5, W_hh=2, W_qh=1).items():
        np.testing.assert_allclose(other.parameters[name], factor * base.parameters[name], rtol=1e-15)
        np.testing.assert_array_equal(draw(dtype=np.float32).parameters[name], base.parameters[name].astype(np.float32))


def test_overflow_saturates_without_a_warning():
    net = one_unit((1e308, -1e308, 1e308, 1e308))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = forward(net, column(1e308, -1e308, 1e300, 1), c_0=[[1.0]])
        forward(one_unit(), column(-1e308, 1e308))
        np.testing.assert_array_equal(np.isfinite(trace.gates).all(), True)
        backward(net, trace, column(1, 1, 1, 1))
        small = lstm(1, 2, 1, rng=np.random.default_rng(0), dtype=np.float32)
        assert np.isfinite(forward(small, np.full((3, 1, 1), 1e38)).o).all()


def exploding():
    """Gates half open, h = 1: what goes back is multiplied by about 1e200."""
    net = LSTM(np.ones((8, 1)), np.full((8, 2), 1e200), np.zeros(8), np.eye(2), np.zeros(2))
    T = 5
    return net, Trace(np.ones((T, 1, 1)), np.full((T, 1, 8), 0.5), np.ones((T + 1, 1, 2)), np.full((T, 1, 2), 0.5),
                      np.ones((T + 1, 1, 2)), np.ones((T, 1, 2)), np.ones((T, 1, 8)))


def test_exploding_gradients_are_inf_without_a_warning():
    net, trace = exploding()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        do = np.zeros((5, 1, 2))
        do[2] = 1
        gradients = backward(net, trace, do)
        dc, dh = detour_split(net, trace, np.ones((1, 2)), 2, 3)
        terms, products = detour_terms(net, trace, 2), jacobian_products(net, trace)
        gate_split(net, trace)
    for array in (gradients.dh, gradients.dc, dh.sum(axis=0), dc.sum(axis=0)):
        assert (array[0] == np.inf).all() and np.isfinite(array[2]).all() and (array[2] > 1e199).all()
    assert (products[0, :, :, 2:] == np.inf).all() and (terms[2, 0, :, :, 2:] == np.inf).all()


@pytest.mark.parametrize("call, where", [
    (lambda net, trace, do: backward(net, trace, do), "delta[1]"),
    (lambda net, trace, do: jacobian_products(net, trace), "d(c, h)[5]/d(c, h)[2]"),
    (lambda net, trace, do: detour_terms(net, trace, 3), "terms[0]"),
    (lambda net, trace, do: detour_split(net, trace, do[-1], 3), "dh[0]"),
    (lambda net, trace, do: gate_split(net, trace), "split[3]"),
])
def test_nan_in_gradients_is_announced_once(call, where):
    net, trace = exploding()
    do = np.zeros((5, 1, 2))
    do[-1] = [1, 0.5]
    net.W_hh *= np.tile(np.eye(2), (4, 1))  # inf after two steps, which meets a 0 with the third
    with pytest.warns(RuntimeWarning, match="contains NaN") as record:
        call(net, trace, do)
    assert len(record) == 1 and record[0].filename == __file__
    assert str(record[0].message).startswith(f"{where} contains NaN")


def test_nan_in_jacobians_and_in_the_forward_pass():
    net, trace = exploding()
    trace.c[2] = np.inf
    trace.gates[2, :, 2:4], trace.odds[2, :, 2:4] = 1, 0
    with pytest.warns(RuntimeWarning, match=r"^J\[2\] contains NaN") as record:
        jacobians(net, trace)
    assert len(record) == 1 and record[0].filename == __file__
    net = LSTM(np.full((12, 1), 1e308), np.full((12, 3), -1.7e308), np.zeros(12), np.ones((1, 3)), np.zeros(1))
    with pytest.warns(RuntimeWarning, match=r"^gates\[1\] contains NaN") as record:
        forward(net, column(1e10, 1e10, 1e10))  # W_hx x_2 = inf, W_hh h_1 = -inf
    assert len(record) == 1 and record[0].filename == __file__
    net = one_unit()
    net.b_h[:], net.b_q[:] = 700, -np.inf
    net.W_qh[:] = np.inf
    with pytest.warns(RuntimeWarning, match=r"^o\[0\] contains NaN") as record:
        forward(net, column(1, 1))
    assert len(record) == 1


def test_what_is_given_stays_as_it_is():
    rng = np.random.default_rng(0)
    net, x, do = lstm(2, 3, 2, rng=rng), rng.normal(size=(6, 4, 2)), rng.normal(size=(6, 4, 2))
    h_0, c_0 = rng.normal(size=(2, 4, 3))
    trace = forward(net, x, h_0, c_0)
    given = [*net.parameters.values(), *vars(trace).values(), x, do, h_0, c_0]
    before = [array.copy() for array in given]
    backward(net, trace, do), jacobians(net, trace), jacobian_products(net, trace, 3), highway(net, trace)
    detour_terms(net, trace, 2), detour_split(net, trace, h_0, 2), gate_split(net, trace), to_torch(net)
    for array, copy in zip(given, before):
        np.testing.assert_array_equal(array, copy)
    assert trace.x is x


@pytest.mark.parametrize("run", [backward, lambda net, trace, do: forward(net, trace.x)])
def test_memory_grows_with_the_length_and_no_faster(run):
    peaks = []
    for T in (200, 400, 800):
        net = lstm(4, 32, 4, rng=np.random.default_rng(0))
        trace = forward(net, np.ones((T, 8, 4)))
        peaks.append(peak_memory(lambda: run(net, trace, np.ones((T, 8, 4)))))
        assert peaks[-1] < 2.5 * trace.gates.nbytes + trace.odds.nbytes
    assert peaks[1] < 2.1 * peaks[0] and peaks[2] < 2.1 * peaks[1]


def net_with(**changes):
    arguments = dict(W_hx=np.ones((12, 2)), W_hh=np.ones((12, 3)), b_h=np.zeros(12), W_qh=np.ones((4, 3)), b_q=np.zeros(4))
    return LSTM(**{**arguments, **changes})


def draw(D=2, H=3, Q=4, **options):
    return lstm(D, H, Q, **{"rng": np.random.default_rng(0), **options})


NET, X, DO = net_with(), np.ones((6, 5, 2)), np.ones((6, 5, 4))
TRACE = forward(NET, X)
SHORT, DH = replace(TRACE, h=TRACE.h[1:]), np.ones((5, 3))
ON_TRACES = {
    "backward": lambda *given: backward(*given, DO), "jacobians": jacobians, "jacobian_products": jacobian_products,
    "detour_terms": lambda *given: detour_terms(*given, 1), "detour_split": lambda *given: detour_split(*given, DH, 1),
    "gate_split": gate_split, "highway": highway,
}
TO_T = {
    "jacobian_products": lambda t: jacobian_products(NET, TRACE, t), "highway": lambda t: highway(NET, TRACE, t),
    "detour_terms": lambda t: detour_terms(NET, TRACE, 1, t), "detour_split": lambda t: detour_split(NET, TRACE, DH, 1, t),
    "gate_split": lambda t: gate_split(NET, TRACE, t),
}


@pytest.mark.parametrize("call, argument", [
    (lambda: net_with(W_hx=np.ones(3)), "W_hx"),
    (lambda: net_with(W_hx=np.ones((12, 0))), "W_hx"),
    (lambda: net_with(W_hx=np.ones((3, 2))), "W_hx"),
    (lambda: net_with(W_hx=np.ones((12, 2), dtype=np.float32)), "W_hh"),
    (lambda: net_with(W_hh=np.ones((3, 3))), "W_hh"),
    (lambda: net_with(W_hh=np.ones(3)), "W_hh"),
    (lambda: net_with(W_hh=np.full((12, 3), np.nan)), "W_hh"),
    (lambda: net_with(b_h=np.zeros(3)), "b_h"),
    (lambda: net_with(b_h=np.zeros(12, dtype=np.float32)), "b_h"),
    (lambda: net_with(W_qh=np.ones((4, 2))), "W_qh"),
    (lambda: net_with(b_q=np.zeros(3)), "b_q"),
    (lambda: net_with(b_q=[0, 0, 0, np.inf]), "b_q"),
    (lambda: net_with(forget_gate=None), "forget_gate"),
    (lambda: net_with(forget_gate="no"), "forget_gate"),
    (lambda: draw(D=0), "D"),
    (lambda: draw(H=2.0), "H"),
    (lambda: draw(Q=None), "Q"),
    (lambda: draw(w_hh_scale=-1), "w_hh_scale"),
    (lambda: draw(w_hx_scale=np.nan), "w_hx_scale"),
    (lambda: draw(forget_bias=np.inf), "forget_bias"),
    (lambda: draw(forget_bias=[1, 2, 3]), "forget_bias"),
    (lambda: draw(forget_bias="1"), "forget_bias"),
    (lambda: draw(forget_gate=1), "forget_gate"),
    (lambda: draw(rng=0), "rng"),
    (lambda: draw(dtype=np.float16), "dtype"),
    (lambda: to_torch(net_with(forget_gate=False)), "net"),
    (lambda: forward(NET, np.ones((6, 2))), "x"),
    (lambda: forward(NET, np.ones((6, 5, 3))), "x"),
    (lambda: forward(NET, np.ones((0, 5, 2))), "x"),
    (lambda: forward(NET, np.full((6, 5, 2), np.nan)), "x"),
    (lambda: forward(NET, X, np.ones(3)), "h_0"),
    (lambda: forward(NET, X, np.full((5, 3), np.inf)), "h_0"),
    (lambda: forward(NET, X, None, np.ones((4, 3))), "c_0"),
    (lambda: forward(NET, X, None, np.full((5, 3), np.nan)), "c_0"),
    (lambda: backward(NET, TRACE, DO[1:]), "do"),
    (lambda: backward(NET, TRACE, DO[..., :1]), "do"),
    (lambda: detour_split(NET, TRACE, DH[0], 1), "dh_t"),
    *((lambda call=call, net=net, trace=trace: call(net, trace), "trace")
      for call in ON_TRACES.values() for net, trace in ((draw(H=4), TRACE), (NET, SHORT))),
    *((lambda call=call, t=t: call(t), "t") for call in TO_T.values() for t in (7, -1, 1.0)),
    (lambda: detour_terms(NET, TRACE, -1), "detours"),
    (lambda: detour_split(NET, TRACE, DH, 1.5), "detours"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        call()
