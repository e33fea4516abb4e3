import re
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gradients.activations import NAMES
from gradients.check import gradient_check
from gradients.regularisers import l1, l2, vanishing_penalty
from gradients.rnn import RNN, backward, forward, jacobians, rnn
from nets import torch_phi


@st.composite
def parameters(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {f"W_{i}": rng.standard_normal((draw(st.integers(1, 4)), draw(st.integers(1, 4)))) for i in range(draw(st.integers(1, 3)))}


@st.composite
def problems(draw):
    """A net, its trace and dL/do; with a loss at the last step alone, early signals are small."""
    T, B, D, H, Q = draw(st.integers(1, 6)), draw(st.integers(1, 3)), 2, draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    net = rnn(D, H, Q, draw(st.sampled_from(NAMES)), rng=rng, w_hh_scale=draw(st.sampled_from([0.3, 1.0, 1.7])), bias_scale=0.5)
    do = rng.normal(size=(T, B, Q))
    if draw(st.booleans()):
        do[:-1] = 0
    return net, forward(net, rng.normal(size=(T, B, D)), rng.normal(size=(B, H))), do


def signals(net, trace, do):
    """g_t = dL/dh_t, (T, B, H), each from the losses at t and later through products of Jacobians."""
    J, g = jacobians(net, trace), np.zeros_like(trace.a)
    for t in range(len(g)):
        path = np.broadcast_to(np.eye(g.shape[-1]), J[0].shape)
        for later in range(t, len(g)):
            path = J[later] @ path if later > t else path
            g[t] += np.einsum("bq,qh,bhi->bi", do[later], net.W_qh, path)
    return g


def omega_of(W_hh, slopes, g):
    """The definition, with slopes and signals held fixed."""
    J = slopes[..., None] * W_hh
    sizes = np.linalg.norm(g, axis=-1)
    changes = np.linalg.norm(np.einsum("tbi,tbij->tbj", g, J), axis=-1)
    kept = sizes > 0
    return ((changes[kept] / sizes[kept] - 1) ** 2).sum() / g.shape[1]


@settings(deadline=None)
@given(parameters(), st.sampled_from([0.0, 1e-3, 0.7]))
def test_l2_and_l1_against_central_differences(W, strength):
    assume(all(np.abs(array).min() > 1e-3 for array in W.values()))
    for regulariser in (l2, l1):
        check = gradient_check(lambda W: regulariser(W, strength)[0], W, regulariser(W, strength)[1])
        assert check, str(check)


@settings(deadline=None, max_examples=20)
@given(parameters(), st.sampled_from([1e-3, 0.7]))
def test_l2_and_l1_against_torch(torch, W, strength):
    W["W_0"][0, 0] = 0
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in W.items()}
    for regulariser, theirs in ((l2, lambda w: 0.5 * (w**2).sum()), (l1, lambda w: w.abs().sum())):
        total = strength * sum(theirs(tensor) for tensor in tensors.values())
        penalty, gradients = regulariser(W, strength)
        assert type(penalty) is float and penalty == pytest.approx(total.item(), rel=1e-14)
        assert list(gradients) == list(W)
        for gradient, want in zip(gradients.values(), torch.autograd.grad(total, list(tensors.values()))):
            np.testing.assert_allclose(gradient, want.numpy(), rtol=1e-14)


def test_l2_and_l1_by_hand():
    W = {"W": np.array([[3.0, -4.0]]), "U": np.array([0.0])}
    assert l2(W, 0.1)[0] == pytest.approx(0.05 * 25)
    assert l1(W, 0.1)[0] == pytest.approx(0.1 * 7)
    assert l2(W, 0.5)[1]["W"].tolist() == [[1.5, -2]]
    assert l1(W, 0.5)[1]["W"].tolist() == [[0.5, -0.5]] and l1(W, 0.5)[1]["U"].tolist() == [0]


def test_l2_and_l1_keep_dtypes_and_are_new_arrays():
    W = {"small": np.full(2, 1e30, np.float32), "integers": np.array([1, 2])}
    for regulariser in (l2, l1):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            penalty, gradients = regulariser(W, 1)
            assert regulariser({"W": np.array([np.inf])}, 1)[0] == np.inf
        assert np.isfinite(penalty)
        assert [gradient.dtype for gradient in gradients.values()] == [np.float32, np.float64]
        assert not np.shares_memory(gradients["small"], W["small"])


@settings(deadline=None)
@given(problems())
def test_omega_is_its_definition(problem):
    net, trace, do = problem
    omega, dW_hh = vanishing_penalty(net, trace, do)
    want = omega_of(net.W_hh, net.phi.derivative(trace.a), signals(net, trace, do))
    assert type(omega) is float and omega == pytest.approx(want, rel=1e-11)
    assert dW_hh.shape == net.W_hh.shape


@settings(deadline=None)
@given(problems())
def test_its_gradient_against_central_differences(problem):
    net, trace, do = problem
    slopes, g = net.phi.derivative(trace.a), signals(net, trace, do)
    u = (g * slopes) @ net.W_hh
    sizes = np.linalg.norm(g, axis=-1)
    assume((np.linalg.norm(u, axis=-1)[sizes > 0] > 1e-2 * sizes[sizes > 0]).all())  # the norm has a kink at 0
    check = gradient_check(lambda W_hh: omega_of(W_hh, slopes, g), net.W_hh, vanishing_penalty(net, trace, do)[1])
    assert check, str(check)


@settings(deadline=None)
@given(problems())
def test_against_torch_with_what_is_held_fixed_detached(torch, problem):
    net, trace, do = problem
    assume(np.abs(trace.a).max() < 6)
    W = {name: torch.tensor(array, requires_grad=True) for name, array in net.parameters.items()}
    phi = torch_phi(torch, net.phi)
    h, a = [torch.tensor(trace.h[0])], []
    for x in torch.tensor(trace.x):
        a.append(x @ W["W_hx"].T + h[-1] @ W["W_hh"].T + W["b_h"])
        h.append(phi(a[-1]))
    loss = sum(((h_t @ W["W_qh"].T + W["b_q"]) * torch.tensor(do_t)).sum() for h_t, do_t in zip(h[1:], do))
    g = torch.autograd.grad(loss, h[1:], retain_graph=True)
    omega = torch.zeros(())
    for a_t, g_t in zip(a, g):
        slope, = torch.autograd.grad(phi(a_t).sum(), a_t, retain_graph=True)
        g_t, size = g_t.detach(), g_t.detach().norm(dim=-1)
        J_t = slope.detach()[..., None] * W["W_hh"]
        new_size = torch.einsum("bi,bij->bj", g_t, J_t).norm(dim=-1)
        omega = omega + ((new_size[size > 0] / size[size > 0] - 1) ** 2).sum() / len(g_t)
    ours, dW_hh = vanishing_penalty(net, trace, do)
    assert ours == pytest.approx(omega.item(), rel=1e-11)
    if omega.requires_grad:
        want = torch.autograd.grad(omega, W["W_hh"])[0].numpy()
        np.testing.assert_allclose(dW_hh, want, rtol=0, atol=1e-11 * max(1, np.abs(want).max()))


def ring(scale, T=4):
    """A linear net whose W_hh is `scale` times a permutation, with a loss at the last step."""
    net = RNN(np.ones((3, 1)), scale * np.roll(np.eye(3), 1, axis=0), np.zeros(3), np.eye(3), np.zeros(3), "identity")
    do = np.zeros((T, 2, 3))
    do[-1] = [[1, 2, 3], [0, 1, 0]]
    return net, forward(net, np.ones((T, 2, 1))), do


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_a_linear_net_that_scales_every_signal(scale):
    net, trace, do = ring(scale)
    omega, dW_hh = vanishing_penalty(net, trace, do)
    assert omega == pytest.approx(4 * (scale - 1) ** 2, rel=1e-14)
    # along W_hh itself the penalty is 4 (s - 1)^2
    assert np.vdot(dW_hh, net.W_hh / scale) == pytest.approx(8 * (scale - 1), rel=1e-14)


def test_a_step_against_the_gradient_keeps_more_of_a_signal():
    rng = np.random.default_rng(0)
    net = rnn(2, 8, 2, "tanh", rng=rng, w_hh_scale=0.3)
    x, do = rng.normal(size=(20, 4, 2)), np.zeros((20, 4, 2))
    do[-1] = 1
    first = last = forward(net, x)
    before, sizes = vanishing_penalty(net, first, do)[0], []
    for _ in range(100):
        net.W_hh -= 0.02 * vanishing_penalty(net, last, do)[1]
        last = forward(net, x)
        sizes.append(np.linalg.norm(backward(net, last, do).dh[0]))
    assert vanishing_penalty(net, last, do)[0] < 0.25 * before
    assert sizes[-1] > 1e4 * sizes[0]


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-30, 1e150])
def test_the_size_of_a_signal_does_not_matter(size):
    net, trace, do = ring(0.5)
    want = vanishing_penalty(net, trace, do)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        omega, dW_hh = vanishing_penalty(net, trace, size * do)
    assert omega == pytest.approx(want[0], rel=1e-12)
    np.testing.assert_allclose(dW_hh, want[1], rtol=1e-12)


def test_vanished_signals_are_left_out():
    net, trace, do = ring(0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        omega, dW_hh = vanishing_penalty(net, trace, 0 * do)
        assert omega == 0 and not dW_hh.any()
        do[-1, 1] = 0  # the second sequence has no signal at all
        assert vanishing_penalty(net, trace, do)[0] == pytest.approx(4 * 0.25 / 2)
        dead = RNN(net.W_hx, net.W_hh, np.full(3, -9.0), net.W_qh, net.b_q, "relu")
        omega, dW_hh = vanishing_penalty(dead, forward(dead, trace.x), do)
    assert omega == 1 / 2 and not dW_hh.any()  # the last step's signal arrives at dead units: r = 0; no other has one


def test_bound():
    net, trace, do = ring(0.5)  # signals of size sqrt(14) / 2^lag and 1 / 2^lag
    sizes = np.array([np.sqrt(14), 1]) * 0.5 ** np.arange(4)[:, None]
    for bound in (0.2, 0.9, 3.0, 4.0):
        assert vanishing_penalty(net, trace, do, bound=bound)[0] == pytest.approx(0.25 / 2 * (sizes > bound).sum())


@settings(deadline=None, max_examples=10)
@given(problems())
def test_gradients_may_be_given(problem):
    net, trace, do = problem
    omega, dW_hh = vanishing_penalty(net, trace, do)
    again, dW_again = vanishing_penalty(net, trace, do, gradients=backward(net, trace, do))
    assert omega == again and (dW_hh == dW_again).all()


def test_the_program_of_the_authors_squares_the_ratio():
    """Its h_{t-1} W is our W_hh h_{t-1}; see the docstring."""
    rng = np.random.default_rng(3)
    net = rnn(2, 4, 2, "tanh", rng=rng)
    trace = forward(net, rng.normal(size=(5, 1, 2)))
    do = rng.normal(size=(5, 1, 2))
    g = signals(net, trace, do)
    x = (g * (1 - trace.h[1:] ** 2)) @ net.W_hh
    ratio = (x**2).sum(2) / (g**2).sum(2)
    assert vanishing_penalty(net, trace, do)[0] == pytest.approx(((np.sqrt(ratio) - 1) ** 2).sum(), rel=1e-11)


def test_float32_is_kept():
    rng = np.random.default_rng(0)
    net = rnn(2, 5, 2, rng=rng, dtype=np.float32)
    trace, do = forward(net, rng.normal(size=(6, 3, 2))), rng.normal(size=(6, 3, 2))
    wide = RNN(*(array.astype(np.float64) for array in net.parameters.values()), net.phi)
    omega, dW_hh = vanishing_penalty(net, trace, do)
    want, dW_want = vanishing_penalty(wide, forward(wide, trace.x), do)
    assert dW_hh.dtype == np.float32
    assert omega == pytest.approx(want, rel=1e-4)
    np.testing.assert_allclose(dW_hh, dW_want, rtol=0, atol=1e-4 * np.abs(dW_want).max())


def test_a_signal_that_exploded_gives_nan_and_a_warning():
    net, _, do = ring(1)
    net.W_hh *= 1e200
    trace = forward(net, np.zeros((4, 2, 1)))
    with pytest.warns(RuntimeWarning, match="contains NaN"):
        assert np.isnan(vanishing_penalty(net, trace, do)[0])


NET, TRACE, DO = ring(0.5)


@pytest.mark.parametrize(("call", "argument"), [
    *((lambda r=r: r([np.ones(2)], 1), "parameters") for r in (l1, l2)),
    *((lambda r=r: r({"W": []}, 1), "parameters['W']") for r in (l1, l2)),
    *((lambda r=r: r({"W": ["a"]}, 1), "parameters['W']") for r in (l1, l2)),
    *((lambda r=r, s=s: r({"W": np.ones(2)}, s), "strength") for r in (l1, l2) for s in (-1, np.nan, None)),
    (lambda: vanishing_penalty(NET, TRACE, DO[1:]), "do"),
    (lambda: vanishing_penalty(NET, TRACE, DO[1:], gradients=backward(NET, TRACE, DO)), "do"),
    (lambda: vanishing_penalty(rnn(1, 2, 3, rng=np.random.default_rng(0)), TRACE, DO), "trace"),
    (lambda: vanishing_penalty(NET, TRACE, DO, bound=-1), "bound"),
    (lambda: vanishing_penalty(NET, TRACE, DO, bound=np.inf), "bound"),
    (lambda: vanishing_penalty(NET, forward(NET, np.ones((3, 2, 1))), DO[1:], gradients=backward(NET, TRACE, DO)), "gradients"),
    (lambda: vanishing_penalty(NET, TRACE, DO, gradients=SimpleNamespace(delta=np.ones((4, 2, 2)), dh=np.ones((5, 2, 2)))), "gradients"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want|^{re.escape(argument)}: got .*want"):
        call()
