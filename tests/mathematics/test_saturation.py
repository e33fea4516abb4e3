"""Gates that round to 1: their slopes, and 1 - z of a GRU, keep all digits in gradients and Jacobians."""

import numpy as np
import pytest

from gradients import gru, lstm, many, rnn
from gradients.activations import activation
from nets import assert_close

SIGMOID, TANH = activation("sigmoid"), activation("tanh")
both_dtypes = pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-14), (np.float32, 2e-6)])
FAR = 0.0, 0.5, -3.0, 3.0, 16.0, -16.0, 38.0, -38.0, 80.0, -80.0, 500.0, -500.0, 5000.0, -5000.0  # exp of the last overflows


def close(got, want, tolerance):
    """Relative to each entry, down to the smallest normal number."""
    got = np.asarray(got)
    np.testing.assert_allclose(got, np.broadcast_to(want, got.shape), rtol=tolerance, atol=4 * np.finfo(got.dtype).tiny)


@both_dtypes
@pytest.mark.parametrize("forget_gate", [True, False])
def test_slopes_of_an_lstm(dtype, tolerance, forget_gate):
    """One step of units without weights, whose gates are where the biases put them: the formulas, term by term."""
    a_i, a_f, a_c, a_o = np.array(np.meshgrid(FAR, FAR, [-20.0, 0.25, 12.0], [0.5, 38.0]), dtype).reshape(4, -1)
    H = len(a_i)
    net = lstm.LSTM(np.zeros((4 * H, 1), dtype), np.zeros((4 * H, H), dtype), np.concatenate([a_i, a_f, a_c, a_o]),
                    np.ones((1, H), dtype), np.zeros(1, dtype), forget_gate)
    c_0 = np.linspace(-9, 9, H, dtype=dtype)
    trace = lstm.forward(net, np.ones((1, 1, 1)), c_0=c_0[None])
    gradients = lstm.backward(net, trace, np.ones((1, 1, 1)))
    i, o, c = SIGMOID.function(a_i), SIGMOID.function(a_o), trace.c[1, 0]
    dc = o * TANH.derivative(c)
    close(gradients.dc[1, 0], dc, tolerance)
    got = np.split(gradients.delta[0, 0], 4)
    close(got[0], dc * TANH.function(a_c) * SIGMOID.derivative(a_i), tolerance)
    close(got[1], dc * c_0 * SIGMOID.derivative(a_f) * forget_gate, tolerance)
    close(got[2], dc * i * TANH.derivative(a_c), tolerance)
    close(got[3], np.tanh(c) * SIGMOID.derivative(a_o), tolerance)


@both_dtypes
@pytest.mark.parametrize("candidate", ["inside", "outside"])
@pytest.mark.parametrize("keep", ["z", "1-z"])
def test_slopes_of_a_gru(dtype, tolerance, candidate, keep):
    a_r, a_z, a_n = np.array(np.meshgrid(FAR, FAR, [-20.0, 0.25, 12.0]), dtype).reshape(3, -1)
    H, w = len(a_r), 0.75
    W_hh = np.zeros((3 * H, H), dtype)
    h_0, b_hn = np.linspace(-0.9, 0.9, H, dtype=dtype), np.linspace(1, 2, H, dtype=dtype)
    if candidate == "inside":
        W_hh[2 * H:] = w * np.eye(H)  # then a_n has w r h_0, too
    net = gru.GRU(np.zeros((3 * H, 1), dtype), W_hh, np.concatenate([a_r, a_z, a_n]), np.ones((1, H), dtype), np.zeros(1, dtype),
                  b_hn, candidate, keep)
    trace = gru.forward(net, np.ones((1, 1, 1)), h_0=h_0[None])
    gradients = gru.backward(net, trace, np.ones((1, 1, 1)))
    r, z, not_z = SIGMOID.function(a_r), SIGMOID.function(a_z), SIGMOID.function(-a_z)
    kept, new = (z, not_z) if keep == "z" else (not_z, z)
    a_n = a_n + (w * (r * h_0) if candidate == "inside" else r * b_hn)
    d_r, d_z, d_n = np.split(gradients.delta[0, 0], 3)
    near = 20 * tolerance  # a_n is rounded, which its slope repeats twenty times
    close(d_n, new * TANH.derivative(a_n), near)
    close(d_z, (h_0 - np.tanh(a_n)) * SIGMOID.derivative(a_z) * (1 if keep == "z" else -1), near)
    close(d_r, d_n * SIGMOID.derivative(a_r) * (w * h_0 if candidate == "inside" else b_hn), tolerance)
    close(gru.highway(net, trace)[0, 0], kept, tolerance)


def draw(module, dtype, bias, **options):
    """A net with float32's weights and the gates biased, that of an LSTM with cells that leave the tanh's middle."""
    make = {lstm: lstm.lstm, gru: gru.gru}[module]
    net = make(3, 5, 2, rng=np.random.default_rng(1), dtype=np.float32, **options)
    net.b_h[:10] = bias  # the gates i and f, or r and z
    return type(net)(*(array.astype(dtype) for array in net.parameters.values()), **{name: getattr(net, name) for name in options})


CASES = [(lstm, {}), *((gru, dict(candidate=candidate, keep=keep)) for candidate in ("inside", "outside") for keep in ("z", "1-z"))]


@pytest.mark.parametrize("bias", [4, 16, 24])
@pytest.mark.parametrize("module, options", CASES)
def test_float32_has_the_gradients_of_float64(module, options, bias):
    """Issue: 7% off for a GRU, 56% for an LSTM at bias 16. Now what is left is rounding in the forward pass."""
    rng = np.random.default_rng(0)
    x, do = (rng.normal(size=(8, 4, n)).astype(np.float32) for n in (3, 2))
    single, double = (draw(module, dtype, bias, **options) for dtype in (np.float32, np.float64))
    traces = [module.forward(net, x) for net in (single, double)]
    got, want = (module.backward(net, trace, do) for net, trace in zip((single, double), traces))
    for name, gradient in want.parameters.items():
        if not (name == "b_hn" and options["candidate"] == "inside"):
            rows = np.split(np.abs(gradient), 4 if module is lstm else 3) if len(gradient) > 10 else [np.abs(gradient)]
            sizes = np.concatenate([np.full_like(part, part.max()) for part in rows])
            assert (np.abs(got.parameters[name] - gradient) <= 3e-5 * sizes).all()  # of the largest of its gate
    got, want = (module.jacobian_products(net, trace) for net, trace in zip((single, double), traces))
    assert_close(got, want, 3e-5)


@pytest.mark.parametrize("bias", [-800, 16, 40, 800])
@pytest.mark.parametrize("module, options", CASES)
def test_many_nets_keep_them_too(module, options, bias):
    rng = np.random.default_rng(0)
    nets = [draw(module, np.float64, bias + n, **options) for n in range(3)]
    x, do = rng.normal(size=(6, 3, 3, 4)), rng.normal(size=(6, 3, 2, 4))
    together = many.Nets(nets)
    gradients = together.named(many.backward(together, many.forward(together, x), do))
    for n, net in enumerate(nets):
        trace = module.forward(net, x[:, n].swapaxes(1, 2))
        alone = module.backward(net, trace, do[:, n].swapaxes(1, 2))
        for name, want in alone.parameters.items():
            close(gradients[name][n], want, 1e-9)


@pytest.mark.parametrize("bias", [16, 40])
def test_paths_of_a_saturated_lstm_add_up(bias):
    net = draw(lstm, np.float64, bias)
    rng = np.random.default_rng(0)
    trace = lstm.forward(net, rng.normal(size=(6, 2, 3)))
    terms, products = lstm.detour_terms(net, trace, 2), lstm.jacobian_products(net, trace)
    assert_close(terms.sum(axis=0), products, 1e-13)
    np.testing.assert_allclose(lstm.gate_split(net, trace).sum(axis=0), terms[1][..., :5, :5], rtol=1e-10, atol=0)
    step = lstm.jacobians(net, trace)
    product = np.eye(10)
    for J in step:
        product = J @ product
    assert_close(products[0], product, 1e-13)


@both_dtypes
def test_an_rnn_had_them_before(dtype, tolerance):
    a = np.array(FAR, dtype)
    net = rnn.RNN(np.zeros((len(a), 1), dtype), np.zeros((len(a), len(a)), dtype), a, np.ones((1, len(a)), dtype), np.zeros(1, dtype), "tanh")
    close(rnn.backward(net, rnn.forward(net, np.ones((1, 1, 1))), np.ones((1, 1, 1))).db_h, TANH.derivative(a), tolerance)
