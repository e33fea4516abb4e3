import re
import warnings
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradients import rnn
from gradients.activations import NAMES
from gradients.check import gradient_check
from gradients.stacked import StackedRNN, Trace, backward, forward, from_torch, lag_terms, stacked_rnn
from nets import assert_close, assert_right, column

KINKED = ("relu", "leaky_relu", "elu")
LAYERED = ("dW_hx", "dW_hh", "db_h")


@st.composite
def problems(draw):
    """A net, an input, and dL/do: the loss is the sum of do * o."""
    T, B, D, H, Q, n = (draw(st.integers(1, most)) for most in (5, 2, 3, 4, 3, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = stacked_rnn(D, H, Q, n, draw(st.sampled_from(NAMES)), rng=rng, w_hh_scale=draw(st.sampled_from([0.5, 1.0, 1.5])))
    for b in net.b_h.values():
        b += 0.3 * rng.normal(size=H)
    return net, rng.normal(size=(T, B, D)), rng.normal(size=(T, B, Q))


def rebuilt(net, parameters):
    layered = ({l: parameters[f"{name}[{l}]"] for l in net.W_hh} for name in ("W_hx", "W_hh", "b_h"))
    return StackedRNN(*layered, parameters["W_qh"], parameters["b_q"], net.phi)


@settings(deadline=None, max_examples=40)
@given(problems())
def test_backward_against_central_differences(problem):
    net, x, do = problem
    trace = forward(net, x)
    assume(net.phi.name not in KINKED or min(np.abs(a).min() for a in trace.a.values()) > 1e-3)
    gradients = backward(net, trace, do)
    found = {**gradients.parameters, "x": gradients.dx}

    def loss(p):
        return (do * forward(rebuilt(net, p), p["x"]).o).sum()

    assert_right(gradient_check(loss, {**net.parameters, "x": x}, found), found)


@pytest.mark.parametrize("phi", ["tanh", "relu"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_against_torch(torch, phi, bias, layers):
    torch.manual_seed(layers)
    module = torch.nn.RNN(3, 5, num_layers=layers, nonlinearity=phi, bias=bias, dtype=torch.float64)
    W_qh, b_q = np.random.default_rng(2).normal(size=(2, 5)), np.ones(2)
    net = from_torch(module.state_dict(), W_qh, b_q, phi)
    x, do = np.random.default_rng(0).normal(size=(7, 4, 3)), np.random.default_rng(1).normal(size=(7, 4, 2))
    x_there = torch.tensor(x, requires_grad=True)
    h, last = module(x_there)
    trace = forward(net, x)
    assert_close(trace.h[layers][1:], h.detach().numpy(), 1e-12)
    for l in range(1, layers + 1):
        assert_close(trace.h[l][-1], last[l - 1].detach().numpy(), 1e-12)
    names = [*dict(module.named_parameters())]
    exact = torch.autograd.grad(h @ torch.tensor(W_qh.T) + 1, [*module.parameters(), x_there], torch.tensor(do))
    gradients = backward(net, trace, do)
    ours = {"weight_ih": gradients.dW_hx, "weight_hh": gradients.dW_hh, "bias_ih": gradients.db_h, "bias_hh": gradients.db_h}
    for name, want in zip(names, exact):
        kind, l = name.rsplit("_l", 1)
        assert_close(ours[kind][int(l) + 1], want.numpy(), err_msg=name)
    assert_close(gradients.dx, exact[-1].numpy())
    assert not any(np.shares_memory(array, weights.numpy()) for array in net.parameters.values() for weights in module.state_dict().values())


@settings(deadline=None, max_examples=30)
@given(problems())
def test_a_stack_is_layers_that_read_each_other(problem):
    """Layer by layer with `gradients.rnn`: dx of a layer is what the layer below is told; one layer is an RNN."""
    net, x, do = problem
    trace, gradients = forward(net, x), backward(net, forward(net, x), do)
    eye = np.eye(len(net.b_h[1]))
    singles = {l: rnn.RNN(net.W_hx[l], net.W_hh[l], net.b_h[l], *((net.W_qh, net.b_q) if l == net.depth else (eye, 0 * eye[0])), net.phi)
               for l in net.W_hh}
    traces = {}
    for l, single in singles.items():
        traces[l] = rnn.forward(single, x if l == 1 else traces[l - 1].o)
        assert_close(trace.h[l], traces[l].h, 1e-13)
    assert_close(trace.o, traces[net.depth].o, 1e-13)
    for l in range(net.depth, 0, -1):
        want = rnn.backward(singles[l], traces[l], do)
        for name in (*LAYERED, "delta", "dh"):
            assert_close(getattr(gradients, name)[l], getattr(want, name), 1e-12, rounding=1e-15)
        do = want.dx
    assert_close(gradients.dx, do, 1e-12, rounding=1e-15)


@settings(deadline=None, max_examples=40)
@given(problems())
def test_lag_terms_add_up(problem):
    net, x, do = problem
    trace = forward(net, x)
    terms, full = lag_terms(net, trace, do), backward(net, trace, do)
    for name in LAYERED:
        for l, term in getattr(terms, name).items():
            np.testing.assert_allclose(term.sum(axis=0), getattr(full, name)[l], rtol=0, atol=1e-12 * max(1e-3, np.abs(term).max()))


def test_lag_terms_of_one_layer_are_those_of_an_rnn():
    rng = np.random.default_rng(0)
    net = stacked_rnn(2, 4, 3, 1, rng=rng)
    x, do = rng.normal(size=(6, 2, 2)), rng.normal(size=(6, 2, 3))
    single = rnn.RNN(net.W_hx[1], net.W_hh[1], net.b_h[1], net.W_qh, net.b_q, "tanh")
    terms, want = lag_terms(net, forward(net, x), do), rnn.lag_terms(single, rnn.forward(single, x), do)
    for name in LAYERED:
        assert_close(getattr(terms, name)[1], getattr(want, name), 1e-12)


def test_a_term_is_the_sum_over_its_paths():
    """Every order of j steps on and n - l layers up, each path multiplied out by itself."""
    rng = np.random.default_rng(3)
    n, H, T = 3, 2, 4
    net = stacked_rnn(1, H, 1, n, rng=rng)
    x, do = rng.normal(size=(T, 1, 1)), np.zeros((T, 1, 1))
    do[-1] = 1  # one loss, at the last step
    trace = forward(net, x)
    terms = lag_terms(net, trace, do)
    J = {l: net.phi.derivative(a[:, 0]) for l, a in trace.a.items()}
    for l in (1, 2, 3):
        for j in range(T):
            k, up, paths, total = T - j, n - l, 0, np.zeros(H)
            for climbs in combinations(range(j + up), up):
                layer, step, product = l, k, np.eye(H)
                for move in range(j + up):
                    if move in climbs:
                        layer += 1
                        product = J[layer][step - 1][:, None] * net.W_hx[layer] @ product
                    else:
                        step += 1
                        product = J[layer][step - 1][:, None] * net.W_hh[layer] @ product
                assert (layer, step) == (n, T)
                total, paths = total + net.W_qh[0] @ product, paths + 1
            assert paths == comb(j + up, up)
            want = np.outer(total * J[l][k - 1], trace.h[l][k - 1, 0])
            assert_close(terms.dW_hh[l][j], want, 1e-12, rounding=1e-17)


def test_two_linear_layers_by_hand():
    """One unit each, all weights to the side w, all weights up u: lag j has j + 1 paths into the layer below."""
    w, u = 0.5, 3.0
    net = StackedRNN({1: column(1.0)[0], 2: column(u)[0]}, {1: column(w)[0], 2: column(w)[0]}, {1: np.zeros(1), 2: np.zeros(1)},
                     column(1.0)[0], np.zeros(1), "identity")
    x, do = column(1, 0, 0, 0), column(0, 0, 0, 1)
    trace = forward(net, x)
    np.testing.assert_allclose(trace.h[2].ravel(), [0, u, 2 * u * w, 3 * u * w**2, 4 * u * w**3])
    np.testing.assert_allclose(backward(net, trace, do).dx.ravel(), [4 * u * w**3, 3 * u * w**2, 2 * u * w, u])
    np.testing.assert_allclose(lag_terms(net, trace, do).db_h[1].ravel(), [u, 2 * u * w, 3 * u * w**2, 4 * u * w**3])
    np.testing.assert_allclose(lag_terms(net, trace, do).db_h[2].ravel(), [1, w, w**2, w**3])


def test_layers_of_different_widths():
    rng = np.random.default_rng(0)
    net = StackedRNN({1: rng.normal(size=(3, 2)), 2: rng.normal(size=(5, 3))}, {1: np.eye(3), 2: np.eye(5)},
                     {1: np.zeros(3), 2: np.zeros(5)}, rng.normal(size=(1, 5)), np.zeros(1), "tanh")
    x, do = rng.normal(size=(4, 2, 2)), np.ones((4, 2, 1))
    gradients = backward(net, forward(net, x), do)
    assert {name: array.shape for name, array in gradients.parameters.items()} == {name: array.shape for name, array in net.parameters.items()}
    assert lag_terms(net, forward(net, x), do).dW_hx[2].shape == (4, 5, 3)


def test_float32_is_kept():
    net = stacked_rnn(2, 3, 2, 2, rng=np.random.default_rng(0), dtype=np.float32)
    trace = forward(net, np.ones((4, 2, 2)))
    gradients, terms = backward(net, trace, np.ones((4, 2, 2))), lag_terms(net, trace, np.ones((4, 2, 2)))
    for array in (*net.parameters.values(), trace.x, trace.o, *trace.a.values(), *trace.h.values(), *gradients.parameters.values(),
                  gradients.dx, *gradients.delta.values(), *gradients.dh.values(), *terms.dW_hx.values(), *terms.db_h.values()):
        assert array.dtype == np.float32
    double = stacked_rnn(2, 3, 2, 2, rng=np.random.default_rng(0))
    assert_close(net.W_hh[2], double.W_hh[2].astype(np.float32), 0)


def test_scales_vary_with_all_else_equal():
    one, two = (stacked_rnn(2, 3, 2, 2, rng=np.random.default_rng(0), w_hh_scale=s, w_hx_scale=2 * s) for s in (1, 2))
    for l in (1, 2):
        assert_close(2 * one.W_hh[l], two.W_hh[l], 1e-15)
        assert_close(2 * one.W_hx[l], two.W_hx[l], 1e-15)
    assert_close(one.W_qh, two.W_qh, 0)


def test_overflow_is_inf_and_nan_is_announced():
    big = {1: np.full((1, 1), 1e200), 2: np.full((1, 1), 1e200)}
    net = StackedRNN(dict(big), {1: np.ones((1, 1)), 2: np.ones((1, 1))}, {1: np.zeros(1), 2: np.zeros(1)}, np.ones((1, 1)), np.zeros(1), "relu")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trace = forward(net, np.ones((3, 1, 1)))
        assert np.isinf(trace.o).all()
    with pytest.warns(RuntimeWarning, match=r"^a\[2\] contains NaN") as found:
        forward(StackedRNN(big, {1: np.ones((1, 1)), 2: np.array([[-1.0]])}, net.b_h, net.W_qh, net.b_q, "identity"), np.ones((3, 1, 1)))
    assert found[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="contains NaN") as found:
        backward(net, trace, np.full((3, 1, 1), np.nan))
    assert found[0].filename == __file__


def test_nothing_given_is_modified():
    rng = np.random.default_rng(0)
    net, x, do = stacked_rnn(2, 3, 2, 2, rng=rng), rng.normal(size=(4, 2, 2)), rng.normal(size=(4, 2, 2))
    trace = forward(net, x)
    given_ = [*net.parameters.values(), *trace.a.values(), *trace.h.values(), trace.o, x, do]
    before = [array.copy() for array in given_]
    backward(net, trace, do), lag_terms(net, trace, do)
    for array, copy in zip(given_, before):
        np.testing.assert_array_equal(array, copy)


def net_with(**changes):
    arguments = dict(W_hx={1: np.ones((3, 2)), 2: np.ones((3, 3))}, W_hh={1: np.ones((3, 3)), 2: np.ones((3, 3))},
                     b_h={1: np.zeros(3), 2: np.zeros(3)}, W_qh=np.ones((4, 3)), b_q=np.zeros(4), phi="tanh")
    return StackedRNN(**{**arguments, **changes})


def draw(D=2, H=3, Q=4, layers=2, activation="tanh", **options):
    return stacked_rnn(D, H, Q, layers, activation, **{"rng": np.random.default_rng(0), **options})


NET, X, DO = net_with(), np.ones((6, 5, 2)), np.ones((6, 5, 4))
TRACE = forward(NET, X)
STATE = {f"{name}_l{l}": np.ones((3, 2 if (name, l) == ("weight_ih", 0) else 3) if name[0] == "w" else 3)
         for l in (0, 1) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
SINGLE = rnn.rnn(2, 3, 4, rng=np.random.default_rng(0))


@pytest.mark.parametrize("call, argument", [
    (lambda: net_with(W_hx=[np.ones((3, 2))]), "W_hx"),
    (lambda: net_with(W_hx={0: np.ones((3, 2)), 1: np.ones((3, 3))}), "W_hx"),
    (lambda: net_with(W_hx={}), "W_hx"),
    (lambda: net_with(W_hh={1: np.ones((3, 3))}), "W_hh"),
    (lambda: net_with(W_hx={1: np.ones((3, 2)), 2: np.ones((3, 2))}), "W_hx[2]"),
    (lambda: net_with(W_hh={1: np.ones((3, 3)), 2: np.ones((3, 2))}), "W_hh[2]"),
    (lambda: net_with(W_hh={1: np.ones((3, 3)), 2: np.full((3, 3), np.nan)}), "W_hh[2]"),
    (lambda: net_with(b_h={1: np.zeros(3), 2: np.zeros(4)}), "b_h[2]"),
    (lambda: net_with(b_h={1: np.zeros(3), 2: np.zeros(3, np.float32)}), "b_h[2]"),
    (lambda: net_with(W_qh=np.ones((4, 2))), "W_qh"),
    (lambda: net_with(b_q=np.zeros(3)), "b_q"),
    (lambda: net_with(phi="unheard_of"), "phi"),
    (lambda: draw(D=0), "D"),
    (lambda: draw(H=2.0), "H"),
    (lambda: draw(Q=None), "Q"),
    (lambda: draw(layers=0), "layers"),
    (lambda: draw(activation="unheard_of"), "activation"),
    (lambda: draw(w_hh_scale=-1), "w_hh_scale"),
    (lambda: draw(w_hx_scale=np.nan), "w_hx_scale"),
    (lambda: draw(rng=0), "rng"),
    (lambda: draw(dtype=np.float16), "dtype"),
    (lambda: from_torch(None), "state"),
    (lambda: from_torch({}), "state"),
    (lambda: from_torch({**STATE, "weight_ih_l0_reverse": np.ones((3, 2))}), "state"),
    (lambda: from_torch({name: array for name, array in STATE.items() if name != "bias_ih_l1"}), "state"),
    (lambda: from_torch({name: array for name, array in STATE.items() if name != "weight_hh_l0"}), "state"),
    (lambda: from_torch(STATE, np.ones((4, 2)), np.ones(4)), "W_qh"),
    (lambda: from_torch(STATE, None, np.ones(4)), "W_qh"),
    (lambda: from_torch(STATE, phi="sigmoid"), "phi"),
    (lambda: forward(SINGLE, X), "net"),
    (lambda: forward(NET, X[0]), "x"),
    (lambda: forward(NET, np.full((6, 5, 2), np.nan)), "x"),
    (lambda: forward(NET, np.ones((0, 5, 2))), "x"),
    *((lambda call=call: call(SINGLE, TRACE, DO), "net") for call in (backward, lag_terms)),
    *((lambda call=call: call(NET, rnn.forward(SINGLE, X), DO), "trace") for call in (backward, lag_terms)),
    *((lambda call=call: call(draw(H=4), TRACE, DO), "trace") for call in (backward, lag_terms)),
    *((lambda call=call: call(draw(layers=3), TRACE, DO), "trace") for call in (backward, lag_terms)),
    *((lambda call=call: call(NET, Trace(X[1:], TRACE.a, TRACE.h, TRACE.o), DO), "trace") for call in (backward, lag_terms)),
    *((lambda call=call: call(NET, TRACE, DO[1:]), "do") for call in (backward, lag_terms)),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        call()
