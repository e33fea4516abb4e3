"""Many nets side by side: forward and backward of N nets of one kind and shape at once, as a sweep needs them.

The equations are those of `gradients.rnn`, `lstm` and `gru`, in the same order, with an axis of nets: W_hh is
(N, H, H), and `W_hh @ h` is N products. With H and B near 32 a call of NumPy takes as long as what it computes; N nets
share the calls. Their numbers are those of each net alone, to rounding.

In memory a sequence is (T, N, n, B), n units, gates, inputs or outputs: with the batch last, W h_{t-1} reads as in the
equations, and each gate of a step is one piece. Things that meet the same weights stand in one column, so that there
is one product a step and direction, and one for the gradients:

    seen_t = (h_t, x_{t+1}, 1),           a_{t+1} = (W_hh, W_hx, b_h) seen_t
    passed_t = (delta_{t+1}, dL/do_t),    dL/dh_t = (W_hh^T, W_qh^T) passed_t
    sum of passed_t seen_t^T              has dL/dW_hh, dL/dW_hx, dL/db_h, dL/dW_qh and dL/db_q

Nothing is checked here but the kind of nets and trace, and no NaN is reported: what overflows is inf or NaN in the numbers of its own
net, and `training.fit_many` looks there. dL/dx and dL/dh_0, which training doesn't need, aren't computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from gradients import gru, lstm, rnn
from gradients.activations import times_slope
from gradients.recurrent import largest_odds, tanh_slope, tanh_slope_of_exp
from gradients.validation import OVERFLOW_IS_INF, check_kind

__all__ = ["Nets", "Trace", "backward", "forward"]

_SETTINGS = {rnn.RNN: ["phi"], lstm.LSTM: ["forget_gate"], gru.GRU: ["candidate", "keep"]}


def _kind(net):
    """What nets must have in common."""
    shapes = {name: array.shape for name, array in net.parameters.items()}
    return type(net).__name__, str(net.dtype), shapes, *(getattr(net, name) for name in _SETTINGS[type(net)])


class Nets:
    """Copies of N nets of one kind and shape, in one array.

    rows        (N, P), row n has all the parameters of net n
    parameters  dict name -> (N, ...), views of `rows`: W_hh (N, H, H), b_h (N, H), ... of RNNs

    nets  one or more RNNs, LSTMs or GRUs, all with the same sizes, dtype and activation, forget_gate, candidate, keep

    `forward` and `backward` use the same memory each time: a trace lasts until the next forward pass.
    ValueError: no nets, other kinds of nets, nets that differ in more than their parameters' numbers.
    """

    def __init__(self, nets: Sequence[rnn.RNN | lstm.LSTM | gru.GRU]):
        if not nets:
            raise ValueError("nets: got none, want one or more")
        for n, net in enumerate(nets):
            if type(net) not in _SETTINGS:
                raise ValueError(f"nets[{n}]: got {type(net).__name__}, want an RNN, an LSTM or a GRU")
            if _kind(net) != _kind(nets[0]):
                raise ValueError(f"nets[{n}]: got {_kind(net)}, want {_kind(nets[0])} as nets[0]")
        self.first, self.dtype, self._memory = nets[0], nets[0].dtype, {}
        self.rows = np.stack([np.concatenate([array.ravel() for array in net.parameters.values()]) for net in nets])
        self.parameters = self.named(self.rows)

    def named(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Views of rows (.., P), parameters or their gradients: dict name -> (.., the shape of one net's)."""
        arrays, end = {}, 0
        for name, array in self.first.parameters.items():
            begin, end = end, end + array.size
            arrays[name] = rows[..., begin:end].reshape(*rows.shape[:-1], *array.shape)
        return arrays

    def keep(self, which: np.ndarray) -> None:
        """Go on with some of the nets, an index of `rows`."""
        self.rows, self._memory = self.rows[which], {}
        self.parameters = self.named(self.rows)

    def memory(self, name, *shape):
        """An array of this shape, the same each time: new memory costs as much as what is computed in it."""
        if name not in self._memory or self._memory[name].shape != shape:
            self._memory[name] = np.empty(shape, self.dtype)
        return self._memory[name]


@dataclass(eq=False)
class Trace:
    """What a forward pass leaves behind, T steps of B sequences in each of N nets.

    seen   (T+1, N, H+D+1, B), seen[t] = (h_t, x_{t+1}, 1), with zeros for x_{T+1}
    o      (T, N, Q, B), o[t-1] = o_t
    inner  a (T, N, H, B) of RNNs; gates (T, N, 4, H, B), tanh_c, c, odds of LSTMs; gates (T, N, 3, H, B), u,
           complement (T, N, 2, H, B), a_n of GRUs
    kind   of the nets, rnn.RNN, lstm.LSTM or gru.GRU
    """

    seen: np.ndarray
    o: np.ndarray
    inner: tuple
    kind: type


def _joined(*arrays):
    """Weights with the same rows, as one matrix (N, rows, ..)."""
    return np.concatenate([array if array.ndim == 3 else array[..., None] for array in arrays], axis=-1)


def _reach(seen, H):
    """For `largest_odds`, of h_{t-1} within -1 and 1, and x_t, 1."""
    rest = np.abs(seen[:, :, H:]).max(axis=0).max(axis=-1)
    return np.concatenate([np.ones((len(rest), H), rest.dtype), rest], axis=1)


class _Back:
    """passed_t = (delta_{t+1}, dL/do_t), one step after the other from t = T to 0, and what becomes of it.

    W_hh   those that meet h_{t-1}, (N, n, H)
    delta  (N, n, B), to be filled with delta_t after `dh` was asked for dL/dh_t
    """

    def __init__(self, nets, trace, do, W_hh):
        (N, n, H), (_, _, width, B), Q = W_hh.shape, trace.seen.shape, do.shape[2]
        self.W_T = _joined(W_hh.mT, nets.parameters["W_qh"].mT)
        self.seen, self.do = trace.seen, do
        self.passed, self.dh_t = nets.memory("passed", N, n + Q, B), nets.memory("dh_t", N, H, B)
        self.delta = self.passed[:, :n]
        self.delta[...] = 0
        self.sums, self.term = np.zeros((2, N, n + Q, width), nets.dtype)

    def _add(self, t):
        """Every step used the same weights: the sum of passed_t seen_t^T."""
        self.passed[:, self.delta.shape[1]:] = self.do[t - 1] if t else 0
        self.sums += np.matmul(self.passed, self.seen[t].mT, out=self.term)

    def dh(self, t):
        """dL/dh_t = W_hh^T delta_{t+1} + W_qh^T dL/do_t."""
        self._add(t)
        return np.matmul(self.W_T, self.passed, out=self.dh_t)

    def gradients(self, nets, rows=slice(None)):
        """After delta_1: the gradients (N, P) of `nets.rows`. `rows` of delta meet x_t and have b_h, the first n, h_{t-1}."""
        self._add(0)
        n, H = nets.parameters["W_hh"].shape[1:]
        delta, do = np.split(self.sums, [self.delta.shape[1]], axis=1)
        gradients = np.empty_like(nets.rows)
        named = nets.named(gradients)
        named["W_hh"][...], named["W_hx"][...], named["b_h"][...] = delta[:, :n, :H], delta[:, rows, H:-1], delta[:, rows, -1]
        named["W_qh"][...], named["b_q"][...] = do[..., :H], do[..., -1]
        return gradients, named


def _rnn_forward(nets, seen, h):
    W_hx, W_hh, b_h, _, _ = nets.parameters.values()
    W, phi = _joined(W_hh, W_hx, b_h), nets.first.phi.function
    a = nets.memory("a", *h[1:].shape)
    for a_t, seen_before, h_t in zip(a, seen, h[1:]):
        np.matmul(W, seen_before, out=a_t)
        h_t[...] = phi(a_t)
    return a,


def _rnn_backward(nets, trace, do, multiply=np.multiply):
    (a,), back, slope = trace.inner, _Back(nets, trace, do, nets.parameters["W_hh"]), nets.first.phi.derivative
    for t in range(len(a), 0, -1):
        multiply(back.dh(t), slope(a[t - 1]), out=back.delta)
    gradients = back.gradients(nets)[0]
    if nets.first.phi.dead and multiply is np.multiply and np.isnan(gradients).any():  # perhaps of inf at a dead unit
        return _rnn_backward(nets, trace, do, partial(times_slope, nets.first.phi))
    return gradients


def _lstm_forward(nets, seen, h):
    W_hx, W_hh, b_h, _, _ = nets.parameters.values()
    T, N, H, B = h[1:].shape
    sign = np.repeat(np.array([-1, -1, 1, -1], nets.dtype), H)  # -a_t for the gates: sigma(a) = 1 / (1 + exp(-a))
    W, one = _joined(W_hh, W_hx, b_h) * sign[:, None], np.ones((), nets.dtype)
    odds, gates, tanh_c, c = (nets.memory(name, *shape, H, B) for name, shape in (
        ("odds", (T, N, 4)), ("gates", (T, N, 4)), ("tanh_c", (T, N)), ("c", (T + 1, N))))
    a, written = nets.memory("a", N, 4 * H, B), nets.memory("written", N, H, B)
    c[0] = 0
    for odds_t, g, seen_before, c_before, c_t, tanh_c_t, h_t in zip(odds, gates, seen, c, c[1:], tanh_c, h[1:]):
        i, f, c_tilde, o_gate = g.swapaxes(0, 1)
        np.matmul(W, seen_before, out=a)
        np.exp(a.reshape(g.shape), out=odds_t)  # of all rows at once, since the candidate's slope takes it, too
        np.add(odds_t, one, out=g)
        np.divide(one, g, out=g)
        np.tanh(a[:, 2 * H:3 * H], out=c_tilde)
        if not nets.first.forget_gate:
            f[...] = 1
        np.multiply(f, c_before, out=c_t)
        c_t += np.multiply(i, c_tilde, out=written)
        np.tanh(c_t, out=tanh_c_t)
        np.multiply(o_gate, tanh_c_t, out=h_t)
    if not nets.first.forget_gate:
        odds[:, :, 1] = 0
    largest = largest_odds(W, _reach(seen, H))
    if largest is not None:
        np.minimum(odds, largest, out=odds)
    return gates, tanh_c, c, odds


def _lstm_backward(nets, trace, do):
    (gates, tanh_c, c, odds), back = trace.inner, _Back(nets, trace, do, nets.parameters["W_hh"])
    T, N, _, H, B = gates.shape
    K, E, w = (nets.memory(name, N, *n, H, B) for name, n in (("K", (4,)), ("E", ()), ("w", ())))
    dc_t = np.zeros((N, H, B), nets.dtype)
    K_i, K_f, K_c, K_o = K.swapaxes(0, 1)
    for t in range(T, 0, -1):
        dh_t, (i, f, c_tilde, o_gate), tanh_c_t = back.dh(t), gates[t - 1].swapaxes(0, 1), tanh_c[t - 1]
        np.multiply(odds[t - 1], gates[t - 1], out=K)  # 1 - g, where g is a gate
        K_o *= np.multiply(o_gate, tanh_c_t, out=w)  # tanh(c) o (1 - o)
        tanh_slope(c[t], tanh_c_t, out=E)
        E *= o_gate                           # o (1 - tanh^2(c))
        dc_t += np.multiply(E, dh_t, out=E)
        K_i *= np.multiply(i, c_tilde, out=w)  # c~ i (1 - i)
        np.multiply(tanh_slope_of_exp(odds[t - 1, :, 2], out=K_c), i, out=K_c)  # i (1 - c~^2)
        K_f *= np.multiply(f, c[t - 1], out=w)  # c_{t-1} f (1 - f)
        delta = back.delta.reshape(N, 4, H, B)
        np.multiply(K[:, :3], dc_t[:, None], out=delta[:, :3])
        np.multiply(K_o, dh_t, out=delta[:, 3])
        dc_t *= f
    return back.gradients(nets)[0]


def _gru_forward(nets, seen, h):
    W_hx, W_hh, b_h, _, _, b_hn = nets.parameters.values()
    T, N, H, B = h[1:].shape
    inside, keep_z, one = nets.first.candidate == "inside", nets.first.keep == "z", np.ones((), nets.dtype)
    W_n, b_hn = W_hh[:, 2 * H:], b_hn[..., None]
    # Rows: -a_t for r and z, since sigma(a) = 1 / (1 + exp(-a)); W_hx^n x_t + b_h^n; and with "outside" W_hh^n h_{t-1} + b_hn
    W = np.zeros((N, (3 if inside else 4) * H, seen.shape[2]), nets.dtype)
    W[:, :2 * H] = -_joined(W_hh, W_hx, b_h)[:, :2 * H]
    W[:, 2 * H:3 * H, H:] = _joined(W_hx, b_h)[:, 2 * H:]
    if not inside:
        W[:, 3 * H:, :H], W[:, 3 * H:, -1:] = W_n, b_hn
    gates, complement, u, a_n = (nets.memory(name, T, N, *n, H, B) for name, n in (
        ("gates", (3,)), ("complement", (2,)), ("u", ()), ("a_n", ())))
    largest = largest_odds(W[:, :2 * H], _reach(seen, H))
    a, scratch = nets.memory("a", N, W.shape[1] // H, H, B), nets.memory("scratch", N, H, B)
    for g, odds, u_t, a_n_t, seen_before, h_before, h_t in zip(gates, complement, u, a_n, seen, h, h[1:]):
        r, z, h_tilde = g.swapaxes(0, 1)
        np.matmul(W, seen_before, out=a.reshape(N, -1, B))
        np.exp(a[:, :2], out=odds)
        if largest is not None:
            np.minimum(odds, largest, out=odds)
        np.add(odds, one, out=g[:, :2])
        odds /= g[:, :2]  # now 1 - r, 1 - z
        np.divide(one, g[:, :2], out=g[:, :2])
        if inside:
            np.multiply(r, h_before, out=u_t)
            np.matmul(W_n, u_t, out=scratch)
        else:
            u_t[...] = a[:, 3]
            np.multiply(r, u_t, out=scratch)
        np.tanh(np.add(a[:, 2], scratch, out=a_n_t), out=h_tilde)
        kept, new = (z, odds[:, 1]) if keep_z else (odds[:, 1], z)
        np.multiply(kept, h_before, out=h_t)
        h_t += np.multiply(new, h_tilde, out=scratch)
    return gates, u, complement, a_n


def _gru_backward(nets, trace, do):
    W_hh, (gates, u, complement, a_n) = nets.parameters["W_hh"], trace.inner
    inside, keep_z = nets.first.candidate == "inside", nets.first.keep == "z"
    T, N, _, H, B = gates.shape
    # With "inside" the rows n of W_hh don't meet h_{t-1} itself; with "outside" they pass on dL/du_t, and delta^n comes last.
    W_n, none = W_hh[:, 2 * H:], np.zeros((N, H, H), nets.dtype)
    back = _Back(nets, trace, do, np.concatenate([W_hh[:, :2 * H], none] if inside else [W_hh, none], axis=1))
    delta_r, delta_z, *outside, delta_n = back.delta.reshape(N, -1, H, B).swapaxes(0, 1)
    past_weights, w, dW_n = np.zeros((N, H, B), nets.dtype), nets.memory("w", N, H, B), np.zeros_like(W_n)
    for t in range(T, 0, -1):
        dh_t, (r, z, h_tilde), h_before, u_t = back.dh(t), gates[t - 1].swapaxes(0, 1), trace.seen[t - 1, :, :H], u[t - 1]
        dh_t += past_weights
        at_1, at_0 = (h_before, h_tilde) if keep_z else (h_tilde, h_before)
        not_r, not_z = complement[t - 1].swapaxes(0, 1)
        kept, new = (z, not_z) if keep_z else (not_z, z)
        np.subtract(at_1, at_0, out=delta_z)
        delta_z *= z
        delta_z *= not_z
        delta_z *= dh_t                       # dL/dh_t * (h_{t-1} - h~_t) z_t (1 - z_t), with "z"
        np.multiply(tanh_slope(a_n[t - 1], h_tilde, out=w), new, out=delta_n)
        delta_n *= dh_t                       # dL/dh_t * (1 - z_t) (1 - h~_t^2), with "z"
        np.multiply(dh_t, kept, out=past_weights)
        np.multiply(not_r, u_t, out=delta_r)
        if inside:
            d_u = np.matmul(W_n.mT, delta_n, out=w)
            dW_n += delta_n @ u_t.mT
            delta_r *= d_u                    # dL/du_t * h_{t-1} r_t (1 - r_t), u_t = r_t * h_{t-1}
            past_weights += np.multiply(d_u, r, out=w)
        else:
            d_u = np.multiply(delta_n, r, out=outside[0])
            delta_r *= d_u                    # delta^n_t * u_t r_t (1 - r_t)
    gradients, named = back.gradients(nets, np.r_[:2 * H, back.delta.shape[1] - H:back.delta.shape[1]])
    if inside:
        named["W_hh"][:, 2 * H:] = dW_n
    named["b_hn"][...] = 0 if inside else back.sums[:, 2 * H:3 * H, -1]
    return gradients


_PASSES = {rnn.RNN: (_rnn_forward, _rnn_backward), lstm.LSTM: (_lstm_forward, _lstm_backward),
           gru.GRU: (_gru_forward, _gru_backward)}


@np.errstate(**OVERFLOW_IS_INF)
def forward(nets: Nets, x: np.ndarray) -> Trace:
    """The forward pass of every net, from h_0 = 0 (and c_0 = 0).

    x  (T, N, D, B), net n's own sequences x[:, n], or (T, 1, D, B), the same for all

    ValueError: other nets than `Nets`.
    """
    check_kind("nets", nets, Nets)
    (T, _, D, B), (N, _, H) = x.shape, nets.parameters["W_qh"].shape
    seen = nets.memory("seen", T + 1, N, H + D + 1, B)
    h = seen[:, :, :H]
    h[0], seen[:-1, :, H:-1], seen[-1, :, H:-1], seen[:, :, -1] = 0, x, 0, 1
    inner = _PASSES[type(nets.first)][0](nets, seen, h)
    W_qh, b_q = nets.parameters["W_qh"], nets.parameters["b_q"]
    o = W_qh @ h[1:]
    o += b_q[..., None]
    return Trace(seen, o, inner, type(nets.first))


@np.errstate(**OVERFLOW_IS_INF)
def backward(nets: Nets, trace: Trace, do: np.ndarray) -> np.ndarray:
    """Backpropagation through time: the gradients (N, P) of `nets.rows`; `nets.named` has them by name.

    do  (T, N, Q, B), do[t-1] = dL/do_t; L is the sum of the nets' losses

    ValueError: other nets than `Nets`, a trace of another kind of nets.
    """
    check_kind("nets", nets, Nets)
    check_kind("trace", trace, Trace)
    if trace.kind is not type(nets.first):
        raise ValueError(f"trace: got that of {trace.kind.__name__}s, want {type(nets.first).__name__}s")
    return _PASSES[type(nets.first)][1](nets, trace, do)
