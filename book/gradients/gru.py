"""A net of gated recurrent units, and its gradients through time (chapter 10).

    r_t = sigma(a_t^r), z_t = sigma(a_t^z), h~_t = tanh(a_t^n);   W_hx, W_hh, b_h have 3H rows, those of r, z, n
    a_t^r = W_hx^r x_t + W_hh^r h_{t-1} + b_h^r, and a_t^z likewise
    a_t^n = W_hx^n x_t + b_h^n + W_hh^n (r_t * h_{t-1})              candidate="inside"    (Cho et al. 2014, eq. 8)
          = W_hx^n x_t + b_h^n + r_t * (W_hh^n h_{t-1} + b_hn)       candidate="outside"   (PyTorch, cuDNN)
    h_t   = z_t * h_{t-1} + (1 - z_t) * h~_t                         keep="z"              (Cho et al. 2014, eq. 7; PyTorch)
          = (1 - z_t) * h_{t-1} + z_t * h~_t                         keep="1-z"            (Chung et al. 2014, section 3.2)
    o_t   = W_qh h_t + b_q,   t = 1, ..., T

h~ is the candidate, PyTorch's n. Sequences are time-major and indices are those of `gradients.rnn`: x[t-1] and
gates[t-1] belong to step t, h[t] is h_t. Everything is computed in the dtype of the weights, float64 or float32.

A sigmoid near 0 keeps all its digits, and so do 1 - z and all slopes, also those of units so saturated that they round to 1
or -1: 1 - sigma(a) = exp(-a) / (1 + exp(-a)) is kept in the trace. (PyTorch forms slopes from rounded gates.) inf
times a slope that vanished to 0 is NaN, since what it was isn't known. Overflow and NaN are treated as in `gradients.rnn`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gradients import recurrent
from gradients.recurrent import (
    Net, blocks, check_trace, first_state, flat, from_last_step, gate, in_one_piece, largest_odds, last_step, numbered, outputs, over_steps,
    random_weights, reach_of, read_out, running_products, suspects, suspects_forward, tanh_slope, torch_parameters,
    torch_state, weight_gradients,
)
from gradients.validation import OVERFLOW_IS_INF, as_array, check_kind, report_nan

__all__ = [
    "GRU", "Gradients", "Trace", "backward", "forward", "from_torch", "gru", "highway", "jacobian_products",
    "jacobians", "to_torch",
]


@dataclass(eq=False)
class GRU(Net):
    """The parameters of a GRU (chapter 10; Cho et al. 2014), with H rows for each of r, z, n.

    W_hx       (3H, D), input to gates
    W_hh       (3H, H), hidden to gates
    b_h        (3H,)
    W_qh       (Q, H), hidden to output
    b_q        (Q,)
    b_hn       (H,), the bias that r multiplies, with candidate="outside". With "inside" it takes no part and gets
               gradient 0.
    candidate  "outside" or "inside": whether r multiplies what W_hh makes of h_{t-1}, or what it takes (see the module)
    keep       "z" or "1-z": the share of h_{t-1} in h_t

    Arrays are used as they are, not copied: `net.W_hh -= rate * gradients.dW_hh` is a step of descent.
    All have the same dtype, float64 or float32; integers become float64.
    ValueError: shapes that don't fit, mixed dtypes, NaN or inf, another candidate or keep.
    """

    b_hn: np.ndarray
    candidate: str = "outside"
    keep: str = "z"

    def __post_init__(self):
        self._check_parameters(rows=3, biases=["b_hn"])
        for name, choices in (("candidate", ("outside", "inside")), ("keep", ("z", "1-z"))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}: got {getattr(self, name)!r}, want {' or '.join(map(repr, choices))}")


def gru(
    D: int,
    H: int,
    Q: int,
    *,
    rng: np.random.Generator,
    w_hh_scale: float = 1.0,
    w_hx_scale: float = 1.0,
    candidate: str = "outside",
    keep: str = "z",
    dtype: type = np.float64,
) -> GRU:
    """A random net: every W_ij ~ N(0, scale^2 / number of columns), all biases 0 (chapter 10).

    D, H, Q          the numbers of inputs, hidden units and outputs
    w_hh_scale       of W_hh, both gates and the candidate
    w_hx_scale       of W_hx; that of W_qh is 1
    candidate, keep  as in `GRU`
    dtype            float64 or float32; float32 weights are the float64 ones, rounded

    The same seed draws the same numbers at every scale.
    ValueError: sizes that aren't positive integers, a negative or non-finite scale, another candidate or keep,
    an rng that isn't a numpy.random.Generator, another dtype.
    """
    W_hx, W_hh, W_qh = random_weights(
        D, H, Q, rows=3, rng=rng, w_hx_scale=w_hx_scale, w_hh_scale=w_hh_scale, dtype=dtype)
    b_h, b_q, b_hn = (np.zeros(n, dtype) for n in (3 * H, Q, H))
    return GRU(W_hx, W_hh, b_h, W_qh, b_q, b_hn, candidate, keep)


def from_torch(state: Mapping, W_qh: np.ndarray | None = None, b_q: np.ndarray | None = None) -> GRU:
    """The net with the weights of a torch.nn.GRU of one layer and one direction, `state = module.state_dict()`.

    state      weight_ih_l0 (3H, D), weight_hh_l0 (3H, H), bias_ih_l0 and bias_hh_l0 (3H,): arrays or tensors on the
               CPU, which are copied; b_h is the sum of the two biases for r and z, the first for n; b_hn the second;
               zeros for a module with bias=False
    W_qh, b_q  (Q, H), (Q,), the read-out, which is a layer of its own there; copied, too. b_q=None: zeros;
               both None, no read-out: o_t = h_t, with the identity and zeros

    ValueError: other names in `state` (more layers, one bias alone), b_q alone, and as `GRU`.
    """
    W_hx, W_hh, b_ih, b_hh = torch_parameters(state)
    gates = len(b_ih) // 3 * 2
    b_ih[:gates] += b_hh[:gates]
    return GRU(W_hx, W_hh, b_ih, *read_out(W_qh, b_q, W_hh), b_hh[gates:])


def to_torch(net: GRU, *, bias: bool = True, tensor: Callable | None = None) -> dict[str, np.ndarray]:
    """`from_torch` undone: copies of the weights by PyTorch's names, b_h as bias_ih_l0, zeros and b_hn as bias_hh_l0.

    bias, tensor  as in `rnn.to_torch`

    ValueError: a net with candidate="inside" or keep="1-z", which PyTorch doesn't have; bias=False for one with biases.
    """
    check_kind("net", net, GRU)
    if (net.candidate, net.keep) != ("outside", "z"):
        raise ValueError(f"net: got candidate={net.candidate!r}, keep={net.keep!r}, want 'outside', 'z', the GRU of PyTorch")
    return torch_state(net, np.concatenate([np.zeros(2 * len(net.b_hn), net.dtype), net.b_hn]), bias, tensor)


@dataclass(eq=False)
class Trace:
    """What a forward pass leaves behind, T steps of B sequences.

    x           (T, B, D), x[t-1] = x_t
    gates       (T, B, 3H), gates[t-1] = r_t, z_t, h~_t; `r`, `z`, `h_tilde` are read-only views, (T, B, H)
    u           (T, B, H), u[t-1] = r_t * h_{t-1} with candidate="inside", W_hh^n h_{t-1} + b_hn with "outside"
    h           (T+1, B, H), h[t] = h_t, the first of them h_0
    o           (T, B, Q), o[t-1] = o_t
    complement  (T, B, 2H), complement[t-1] = 1 - r_t, 1 - z_t, with all digits where a gate rounds to 1
    a_n         (T, B, H), a_n[t-1] = a_t^n
    """

    x: np.ndarray
    gates: np.ndarray
    u: np.ndarray
    h: np.ndarray
    o: np.ndarray
    complement: np.ndarray
    a_n: np.ndarray

    r = gate(0, 3, "The reset gate, (T, B, H).")
    z = gate(1, 3, "The update gate, (T, B, H).")
    h_tilde = gate(2, 3, "The candidate h~, (T, B, H).")


@np.errstate(**OVERFLOW_IS_INF)
def forward(net: GRU, x: np.ndarray, h_0: np.ndarray | None = None) -> Trace:
    """The forward pass, the equations of the module (chapter 10).

    x    (T, B, D), finite; the trace has x in the dtype of the net, without a copy if it has it already
    h_0  (B, H), finite; None: zeros

    ValueError: x isn't a finite (T, B, D) array with T > 0, h_0 isn't a finite (B, H) array.
    RuntimeWarning: the outputs contain NaN (see the module).
    """
    check_kind("net", net, GRU)
    D, H, Q = net.sizes
    x = as_array("x", x, (None, None, D), dtype=net.dtype)
    T, B, _ = x.shape
    gates, complement, u, a_n, h = in_one_piece(
        net.dtype, *((T, B, n) for n in (3 * H, 2 * H, H, H)), (T + 1, B, H))
    h[0] = first_state("h_0", h_0, B, net)
    sign = np.repeat(np.array([-1, -1, 1], net.dtype), H)  # -a_t for the gates: sigma(a) = 1 / (1 + exp(-a))
    np.matmul(flat(x), net.W_hx.T * sign, out=flat(gates))
    gates += net.b_h * sign
    inside = net.candidate == "inside"
    rows = 2 * H if inside else 3 * H  # of W_hh that read h_{t-1} itself
    W_hh_T, W_n_T = (net.W_hh.T * sign)[:, :rows].copy(), net.W_hh[2 * H:].T.copy()
    largest = largest_odds(np.hstack([net.W_hh, net.W_hx, net.b_h[:, None]])[:2 * H], reach_of(h[0], x))
    from_before, scratch, one = np.empty((B, rows), net.dtype), np.empty((B, H), net.dtype), np.ones((), net.dtype)
    to_r_and_z, to_n = from_before[:, :2 * H], from_before[:, 2 * H:]
    kept, new = blocks(gates, 3)[1], complement[..., H:]
    if net.keep == "1-z":
        kept, new = new, kept
    for r_and_z, odds, a_n_t, r, h_tilde, kept_t, new_t, u_t, h_before, h_t in zip(
            gates[..., :2 * H], complement, a_n, gates[..., :H], gates[..., 2 * H:], kept, new, u, h, h[1:]):
        np.matmul(h_before, W_hh_T, from_before)  # the last argument takes the result: quicker by its place than by its name
        np.add(r_and_z, to_r_and_z, odds)
        np.exp(odds, odds)
        if largest is not None:
            np.minimum(odds, largest, out=odds)
        np.add(odds, one, r_and_z)
        odds /= r_and_z  # exp(-a) / (1 + exp(-a)) = 1 - sigma(a)
        np.divide(one, r_and_z, r_and_z)
        if inside:
            np.multiply(r, h_before, u_t)
            np.matmul(u_t, W_n_T, scratch)
        else:
            np.add(to_n, net.b_hn, u_t)
            np.multiply(r, u_t, scratch)
        np.add(h_tilde, scratch, a_n_t)
        np.tanh(a_n_t, h_tilde)
        np.multiply(kept_t, h_before, h_t)
        h_t += np.multiply(new_t, h_tilde, scratch)
    o = outputs(net, h)
    report_nan(suspects_forward("gates", gates, o))
    return Trace(x, gates, u, h, o, complement, a_n)


def _check_trace(net, trace):
    check_trace(net, GRU, trace, Trace, gates=3, u=1, complement=2, a_n=1)


@dataclass(eq=False)
class Gradients(recurrent.Gradients):
    """`recurrent.Gradients`, with delta (T, B, 3H), and

    db_hn  (H,)
    """

    db_hn: np.ndarray


def _slopes(net, trace, steps=slice(None), out=None):
    """The diagonal derivatives of one step, K (.., B, 3H), and the share of h_{t-1} in h_t (.., B, H).

    K for the rows of z and n is dh_t/da_t. For those of r it is the derivative by a_t^r of u_t ("inside") or of
    r_t * u_t ("outside").
    """
    gates, u, h_before = trace.gates[steps], trace.u[steps], trace.h[:-1][steps]
    r, z, h_tilde = blocks(gates, 3)
    not_r, not_z = blocks(trace.complement[steps], 2)
    K = np.empty_like(gates) if out is None else out
    K_r, K_z, K_n = blocks(K, 3)
    np.multiply(not_r, u, out=K_r)
    if net.candidate == "outside":
        K_r *= r
    np.subtract(*((h_before, h_tilde) if net.keep == "z" else (h_tilde, h_before)), out=K_z)
    K_z *= z
    K_z *= not_z
    kept, new = (z, not_z) if net.keep == "z" else (not_z, z)
    np.multiply(tanh_slope(trace.a_n[steps], h_tilde), new, out=K_n)
    return K, kept


@np.errstate(**OVERFLOW_IS_INF)
def backward(net: GRU, trace: Trace, do: np.ndarray) -> Gradients:
    """Backpropagation through time, in O(T) (chapter 10). With keep="z" and candidate="inside":

        dL/dh_t     = W_qh^T dL/do_t + z_{t+1} * dL/dh_{t+1} + r_{t+1} * dL/du_{t+1}
                      + W_hh^r^T delta^r_{t+1} + W_hh^z^T delta^z_{t+1}             nothing comes from step T + 1
        delta^n_t   = dL/dh_t * (1 - z_t) (1 - h~_t^2)
        delta^z_t   = dL/dh_t * (h_{t-1} - h~_t) z_t (1 - z_t)
        dL/du_t     = W_hh^n^T delta^n_t,   u_t = r_t * h_{t-1}
        delta^r_t   = dL/du_t * h_{t-1} r_t (1 - r_t)

    With "outside", dL/du_t = r_t * delta^n_t, u_t = W_hh^n h_{t-1} + b_hn, delta^r_t = delta^n_t * u_t r_t (1 - r_t),
    and h_{t-1} gets W_hh^n^T dL/du_t. With keep="1-z", z and 1 - z change places.
    Gradients of weights are sums of delta_t (of dL/du_t for "outside" and the rows n of W_hh, and for b_hn) times
    what they multiplied, over steps and batch.

    do  (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through

    ValueError: a trace of another net, do of another shape. RuntimeWarning: NaN in a gradient (see the module).
    """
    _check_trace(net, trace)
    do = as_array("do", do, trace.o.shape, dtype=net.dtype, finite=False)
    inside = net.candidate == "inside"
    T, B, H = trace.u.shape
    delta, dh = in_one_piece(net.dtype, trace.gates.shape, trace.h.shape)
    d_u = None if inside else np.empty_like(trace.u)
    W_r_z, W_n, all_r = net.W_hh[:2 * H], net.W_hh[2 * H:], blocks(trace.gates, 3)[0]
    np.matmul(flat(do), net.W_qh, out=flat(dh[1:]))
    dh[0] = 0
    scratch, from_later = np.empty((2, B, H), net.dtype)
    slopes = from_last_step(delta, lambda steps: _slopes(net, trace, steps, delta[steps]))
    for t, r, (delta_t, kept) in zip(range(T, 0, -1), all_r[::-1], slopes):
        by_gate = delta_t.reshape(B, 3, H)  # delta_t is K_t, until it is multiplied by what comes back
        dh_t, dh_before = dh[t], dh[t - 1]
        by_gate[:, 1:] *= dh_t[:, None]
        d_n = np.matmul(by_gate[:, 2], W_n, scratch) if inside else by_gate[:, 2]
        by_gate[:, 0] *= d_n
        if inside:
            d_n *= r
            dh_before += d_n
        else:
            dh_before += np.matmul(np.multiply(d_n, r, d_u[t - 1]), W_n, from_later)
        dh_before += np.matmul(delta_t[:, :2 * H], W_r_z, from_later)
        dh_before += np.multiply(dh_t, kept, from_later)
    db_hn = np.zeros_like(net.b_hn) if inside else over_steps(d_u)
    gradients = Gradients(db_hn=db_hn, delta=delta, dh=dh, **weight_gradients(net, trace, do, delta))
    to_n, seen_by_n = (flat(delta)[:, 2 * H:], trace.u) if inside else (flat(d_u), trace.h[:-1])
    np.matmul(to_n.T, flat(seen_by_n), out=gradients.dW_hh[2 * H:])  # these rows of W_hh met something else than h_{t-1}, or passed it on to r
    report_nan(suspects(gradients))
    return gradients


def _jacobians(net, trace):
    K, kept = _slopes(net, trace)
    K_r, K_z, K_n = (each[..., None] for each in blocks(K, 3))
    W_r, W_z, W_n = np.split(net.W_hh, 3)
    J = K_z * W_z
    J += kept[..., None] * np.eye(len(W_r))
    if net.candidate == "inside":
        J += K_n * (W_n * trace.r[..., None, :] + W_n @ (K_r * W_r))
    else:
        J += K_n * (trace.r[..., None] * W_n + K_r * W_r)
    return J


@np.errstate(**OVERFLOW_IS_INF)
def jacobians(net: GRU, trace: Trace) -> np.ndarray:
    """J_t = dh_t/dh_{t-1} (chapter 10), an array (T, B, H, H): J[t-1] = J_t. With keep="z":

        J_t = diag(z_t) + diag((h_{t-1} - h~_t) z_t (1 - z_t)) W_hh^z + diag((1 - z_t) (1 - h~_t^2)) M_t
        M_t = W_hh^n (diag(r_t) + diag(h_{t-1} r_t (1 - r_t)) W_hh^r)                        candidate="inside"
        M_t = diag(r_t) W_hh^n + diag(u_t r_t (1 - r_t)) W_hh^r,  u_t = W_hh^n h_{t-1} + b_hn           "outside"

    With keep="1-z", z and 1 - z change places. ValueError: a trace of another net.
    RuntimeWarning: a Jacobian contains NaN (see the module).
    """
    _check_trace(net, trace)
    J = _jacobians(net, trace)
    report_nan(numbered("J", J))
    return J


@np.errstate(**OVERFLOW_IS_INF)
def jacobian_products(net: GRU, trace: Trace, t: int | None = None) -> np.ndarray:
    """dh_t/dh_k = J_t J_{t-1} ... J_{k+1} (chapter 10), an array (t+1, B, H, H), entry k = 0, ..., t.

    t, ValueError and RuntimeWarning as in `rnn.jacobian_products`.
    """
    _check_trace(net, trace)
    t, J = last_step(t, len(trace.x)), _jacobians(net, trace)
    product = np.empty((t + 1, *J.shape[1:]), net.dtype)
    product[t] = np.eye(J.shape[-1])
    for k in range(t, 0, -1):
        np.matmul(product[k], J[k - 1], out=product[k - 1])
    report_nan((f"dh[{t}]/dh[{k}]", product[k]) for k in range(t, -1, -1))
    return product


def highway(net: GRU, trace: Trace, t: int | None = None) -> np.ndarray:
    """The part of dh_t/dh_k that passes no gate and no candidate (chapter 10), an array (t+1, B, H).

    z_t z_{t-1} ... z_{k+1} with keep="z", (1 - z_t) ... (1 - z_{k+1}) with "1-z": a diagonal. Entry k = 0, ..., t;
    ones at k = t.

    t  0 to T; None: T. ValueError: a trace of another net, t that isn't an integer from 0 to T.
    """
    _check_trace(net, trace)
    t = last_step(t, len(trace.x))
    return running_products(trace.z[:t] if net.keep == "z" else blocks(trace.complement, 2)[1][:t])
