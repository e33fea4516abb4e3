"""A net of long short-term memory, its gradients, and the paths they take (chapter 9).

    a_t = W_hx x_t + W_hh h_{t-1} + b_h                   4H rows: those of i, f, c~, o, in this order
    i_t = sigma(a_t^i), f_t = sigma(a_t^f), c~_t = tanh(a_t^c), o_t = sigma(a_t^o)
    c_t = f_t * c_{t-1} + i_t * c~_t,   h_t = o_t * tanh(c_t),   the net's output: W_qh h_t + b_q,   t = 1, ..., T

The cell of Gers et al. 2000, in the layout of PyTorch, or without the forget gate, f_t = 1, that of Hochreiter &
Schmidhuber 1997. The output gate's array is called `o_gate`, the net's output `o`. Sequences are time-major and
indices are those of `gradients.rnn`: x[t-1] and gates[t-1] belong to step t, c[t] is c_t, h[t] is h_t.
Everything is computed in the dtype of the weights, float64 or float32.

c_{t-1} acts on c_t by f_t alone: the highway. A path through the net leaves it where c goes to h and may come back
through a gate, h_{t-1} to c_t: one detour. The functions `highway`, `detour_terms`, `detour_split` and `gate_split`
take the gradient apart by detours.

A sigmoid near 0 keeps all its digits, and so do all slopes, also those of units so saturated that they round to 1 or -1:
1 - sigma(a) = exp(-a) sigma(a), and exp(-a_t) is kept in the trace. (PyTorch forms slopes from rounded gates.) inf times
a slope that vanished to 0 is NaN, since what it was isn't known. Overflow and NaN are treated as in `gradients.rnn`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gradients import recurrent
from gradients.recurrent import (
    InputGradients, Net, blocks, blocks_backwards, check_trace, first_state, flat, gate, in_one_piece, largest_odds, last_step,
    numbered, output_gradients, outputs, random_weights, reach_of, read_out, running_products, suspects, suspects_forward,
    tanh_slope, tanh_slope_of_exp, torch_parameters, torch_state,
)
from gradients.validation import OVERFLOW_IS_INF, as_array, as_integer, check_kind, report_nan

__all__ = [
    "LSTM", "Gradients", "Trace", "backward", "detour_split", "detour_terms", "forward", "from_torch", "gate_split",
    "highway", "jacobian_products", "jacobians", "lstm", "to_torch",
]


@dataclass(eq=False)
class LSTM(Net):
    """The parameters of an LSTM (chapter 9; Gers et al. 2000), with H rows for each of i, f, c~, o.

    W_hx         (4H, D), input to gates
    W_hh         (4H, H), hidden to gates
    b_h          (4H,)
    W_qh         (Q, H), hidden to output
    b_q          (Q,)
    forget_gate  False: f_t = 1 (Hochreiter & Schmidhuber 1997). The rows of f then take no part and get gradient 0.

    Arrays are used as they are, not copied: `net.W_hh -= rate * gradients.dW_hh` is a step of descent.
    All have the same dtype, float64 or float32; integers become float64.
    ValueError: shapes that don't fit, mixed dtypes, NaN or inf, a forget_gate that isn't True or False.
    """

    forget_gate: bool = True

    def __post_init__(self):
        self._check_parameters(rows=4)
        if not isinstance(self.forget_gate, bool):
            raise ValueError(f"forget_gate: got {self.forget_gate!r}, want True or False")


def lstm(
    D: int,
    H: int,
    Q: int,
    *,
    rng: np.random.Generator,
    w_hh_scale: float = 1.0,
    w_hx_scale: float = 1.0,
    forget_bias: float = 0.0,
    forget_gate: bool = True,
    dtype: type = np.float64,
) -> LSTM:
    """A random net: every W_ij ~ N(0, scale^2 / number of columns), biases 0 but for the forget gate's (chapter 9).

    D, H, Q      the numbers of inputs, hidden units and outputs
    w_hh_scale   of W_hh, all four gates
    w_hx_scale   of W_hx; that of W_qh is 1
    forget_bias  b_h of the forget gate: f starts near sigma(forget_bias) (Jozefowicz et al. 2015, who advise 1)
    forget_gate  as in `LSTM`
    dtype        float64 or float32; float32 weights are the float64 ones, rounded

    The same seed draws the same numbers at every scale.
    ValueError: sizes that aren't positive integers, a negative or non-finite scale, a forget_bias that isn't a
    finite number, a forget_gate that isn't True or False, an rng that isn't a numpy.random.Generator, another dtype.
    """
    W_hx, W_hh, W_qh = random_weights(
        D, H, Q, rows=4, rng=rng, w_hx_scale=w_hx_scale, w_hh_scale=w_hh_scale, dtype=dtype)
    b_h, b_q = np.zeros(4 * H, dtype), np.zeros(Q, dtype)
    b_h[H:2 * H] = as_array("forget_bias", forget_bias, (), dtype=dtype)
    return LSTM(W_hx, W_hh, b_h, W_qh, b_q, forget_gate)


def from_torch(state: Mapping, W_qh: np.ndarray | None = None, b_q: np.ndarray | None = None) -> LSTM:
    """The net with the weights of a torch.nn.LSTM of one layer and one direction, `state = module.state_dict()`.

    state      weight_ih_l0 (4H, D), weight_hh_l0 (4H, H), bias_ih_l0 and bias_hh_l0 (4H,): arrays or tensors on the
               CPU, which are copied; b_h is the sum of the two biases, zeros for a module with bias=False
    W_qh, b_q  (Q, H), (Q,), the read-out, which is a layer of its own there; copied, too. b_q=None: zeros;
               both None, no read-out: the output is h_t, with the identity and zeros

    ValueError: other names in `state` (more layers, one bias alone), b_q alone, and as `LSTM`.
    """
    W_hx, W_hh, b_ih, b_hh = torch_parameters(state)
    return LSTM(W_hx, W_hh, b_ih + b_hh, *read_out(W_qh, b_q, W_hh))


def to_torch(net: LSTM, *, bias: bool = True, tensor: Callable | None = None) -> dict[str, np.ndarray]:
    """`from_torch` undone: copies of the weights by PyTorch's names, b_h as bias_ih_l0, zeros as bias_hh_l0.

    bias, tensor  as in `rnn.to_torch`

    ValueError: a net without forget gate, which PyTorch doesn't have; bias=False for a net with biases.
    """
    check_kind("net", net, LSTM)
    if not net.forget_gate:
        raise ValueError("net: got forget_gate=False, want True, the LSTM of PyTorch")
    return torch_state(net, np.zeros_like(net.b_h), bias, tensor)


@dataclass(eq=False)
class Trace:
    """What a forward pass leaves behind, T steps of B sequences.

    x       (T, B, D), x[t-1] = x_t
    gates   (T, B, 4H), gates[t-1] = i_t, f_t, c~_t, o_t; `i`, `f`, `c_tilde`, `o_gate` are read-only views, (T, B, H)
    c       (T+1, B, H), c[t] = c_t, the first of them c_0
    tanh_c  (T, B, H), tanh_c[t-1] = tanh(c_t)
    h       (T+1, B, H), h[t] = h_t, the first of them h_0
    o       (T, B, Q), o[t-1] is the net's output at step t
    odds    (T, B, 4H), odds[t-1] = exp(-a_t) = (1 - g) / g against each gate g, with digits where g rounds to 1, and the
            largest number where that overflows; exp(a_t) in the rows of c~; 0 for a forget gate that isn't there
    """

    x: np.ndarray
    gates: np.ndarray
    c: np.ndarray
    tanh_c: np.ndarray
    h: np.ndarray
    o: np.ndarray
    odds: np.ndarray

    i = gate(0, 4, "The input gate, (T, B, H).")
    f = gate(1, 4, "The forget gate, (T, B, H); ones if there is none.")
    c_tilde = gate(2, 4, "The candidate c~, (T, B, H).")
    o_gate = gate(3, 4, "The output gate, (T, B, H).")


@np.errstate(**OVERFLOW_IS_INF)
def forward(net: LSTM, x: np.ndarray, h_0: np.ndarray | None = None, c_0: np.ndarray | None = None) -> Trace:
    """The forward pass, the equations of the module (chapter 9; Gers et al. 2000).

    x         (T, B, D), finite; the trace has x in the dtype of the net, without a copy if it has it already
    h_0, c_0  (B, H), finite; None: zeros

    ValueError: x isn't a finite (T, B, D) array with T > 0, h_0 or c_0 isn't a finite (B, H) array.
    RuntimeWarning: the outputs contain NaN (see the module).
    """
    check_kind("net", net, LSTM)
    D, H, Q = net.sizes
    x = as_array("x", x, (None, None, D), dtype=net.dtype)
    T, B, _ = x.shape
    # In memory the batch comes last, (T, n, B): each gate of a step is one piece. The trace has views, (T, B, n).
    odds, gates, tanh_c, c = in_one_piece(net.dtype, (T, 4 * H, B), (T, 4 * H, B), (T, H, B), (T + 1, H, B))
    seen = np.empty((T + 1, H + D + 1, B), net.dtype)  # h_{t-1}, x_t and 1 in one column: one product makes a_t
    h = seen[:, :H]
    h[0], c[0] = first_state("h_0", h_0, B, net).T, first_state("c_0", c_0, B, net).T
    seen[:-1, H:-1], seen[:-1, -1] = x.swapaxes(1, 2), 1
    sign = np.repeat(np.array([-1, -1, 1, -1], net.dtype), H)  # -a_t for the gates: sigma(a) = 1 / (1 + exp(-a))
    W = (np.vstack([net.W_hh.T, net.W_hx.T, net.b_h]) * sign).T
    a, written, one = np.empty((4 * H, B), net.dtype), np.empty((H, B), net.dtype), np.ones((), net.dtype)
    a_candidate = a[2 * H:3 * H]
    product = np.dot if B == 1 else np.matmul  # each where it is the quicker one, and with W in the order that suits it
    if B > 1:
        W = W.copy()
    for odds_t, g, i, f, c_tilde, o_gate, c_before, c_t, tanh_c_t, seen_t, h_t in zip(
            odds, gates, *np.split(gates, 4, axis=1), c, c[1:], tanh_c, seen, h[1:]):
        product(W, seen_t, a)  # here and below the last argument takes the result: by its place, since a name costs time
        np.exp(a, odds_t)  # of all rows at once, since the candidate's slope takes it, too
        np.add(odds_t, one, g)
        np.divide(one, g, g)
        np.tanh(a_candidate, c_tilde)
        if not net.forget_gate:
            f[...] = 1
        np.multiply(f, c_before, c_t)
        c_t += np.multiply(i, c_tilde, written)
        np.tanh(c_t, tanh_c_t)
        np.multiply(o_gate, tanh_c_t, h_t)
    if not net.forget_gate:
        odds[:, H:2 * H] = 0
    largest = largest_odds(W, reach_of(h[0].T, x))
    if largest is not None:
        np.minimum(odds, largest, out=odds)
    gates, c, tanh_c, h, odds = (each.swapaxes(1, 2) for each in (gates, c, tanh_c, h, odds))
    o = outputs(net, h)
    report_nan(suspects_forward("gates", gates, o))
    return Trace(x, gates, c, tanh_c, h, o, odds)


def _check_trace(net, trace):
    check_trace(net, LSTM, trace, Trace, gates=4, c=1, tanh_c=1, odds=4)


@dataclass(eq=False)
class Gradients(recurrent.Gradients):
    """`recurrent.Gradients`, with delta (T, B, 4H) and dh[t] through all four gates of step t+1, and

    dc  (T+1, B, H), dc[t] = dL/dc_t: along the highway to c_{t+1} and through h_t, in which c_t is seen; h_0 is given,
        so dc[0] is what goes along the highway alone
    """

    dc: np.ndarray


def _slopes(trace, steps=slice(None), out=None):
    """The derivatives of one step, all of them diagonal: K (.., B, 4H) and E (.., B, H).

    K  dc_t/da_t for the rows of i, f, c~ at fixed c_{t-1}, and dh_t/da_t for those of o at fixed c_t
    E  dh_t/dc_t = o_t (1 - tanh^2(c_t)) at a fixed gate
    """
    gates, odds, tanh_c = trace.gates[steps], trace.odds[steps], trace.tanh_c[steps]
    i, f, c_tilde, o_gate = blocks(gates, 4)
    K = np.multiply(odds, gates, out=out)  # 1 - g, where g is a gate
    K_i, K_f, K_c, K_o = blocks(K, 4)
    K_i *= i * c_tilde                # c~ i (1 - i)
    K_f *= f * trace.c[:-1][steps]    # c_{t-1} f (1 - f)
    K_o *= trace.h[1:][steps]         # tanh(c) o (1 - o)
    tanh_slope_of_exp(blocks(odds, 4)[2], out=K_c)
    K_c *= i                          # i (1 - c~^2)
    E = tanh_slope(trace.c[1:][steps], tanh_c)
    E *= o_gate                       # o (1 - tanh^2(c))
    return K, E


@np.errstate(**OVERFLOW_IS_INF)
def backward(net: LSTM, trace: Trace, do: np.ndarray) -> Gradients:
    """Backpropagation through time, in O(T) (chapter 9).

        dL/dh_t   = W_qh^T dL/d(output)_t + W_hh^T delta_{t+1}                  delta_{T+1} = 0
        dL/dc_t   = f_{t+1} * dL/dc_{t+1} + o_t (1 - tanh^2(c_t)) * dL/dh_t     dL/dc_{T+1} = 0
        delta_t   = dL/dc_t * (c~_t i_t (1 - i_t),  c_{t-1} f_t (1 - f_t),  i_t (1 - c~_t^2))  for the rows of i, f, c~,
                    dL/dh_t * tanh(c_t) o_t (1 - o_t)                                          for those of o
        dL/dW_hx  = sum of delta_t x_t^T                                        over steps and batch, as are all sums
        dL/dW_hh  = sum of delta_t h_{t-1}^T,  dL/db_h = sum of delta_t
        dL/dx_t   = W_hx^T delta_t

    do  (T, B, Q), do[t-1] = dL/d(output of step t); inf and NaN are let through

    ValueError: a trace of another net, do of another shape. RuntimeWarning: NaN in a gradient (see the module).
    """
    _check_trace(net, trace)
    do = as_array("do", do, trace.o.shape, dtype=net.dtype, finite=False)
    T, B, H = trace.tanh_c.shape
    # In memory the batch comes last, as in `forward`.
    delta, dh, dc = in_one_piece(net.dtype, (T, 4 * H, B), (T + 1, H, B), (T + 1, H, B))
    by_input = InputGradients(net, trace)
    np.matmul(net.W_qh.T, do.swapaxes(1, 2), out=dh[1:])
    dh[0] = dc[T] = 0
    W_hh_T, from_later, f = net.W_hh.T.copy(), np.empty((H, B), net.dtype), trace.f.swapaxes(1, 2)
    few = max(2**18 // net.dtype.itemsize, 256 * 4 * H)  # 256 columns or more: with fewer, adding up the products takes too long
    for before in blocks_backwards(delta, few):
        now = slice(before.start + 1, before.stop + 1)
        K = delta[before]
        _, E = _slopes(trace, before, K.swapaxes(1, 2))
        by_gate = K.reshape(-1, 4, H, B)
        for K_t, K_ifc, K_o, E_t, f_t, dh_t, dc_t, dh_before, dc_before in zip(*(each[::-1] for each in (
                K, by_gate[:, :3], by_gate[:, 3], E.swapaxes(1, 2), f[before], dh[now], dc[now], dh[before], dc[before]))):
            E_t *= dh_t
            dc_t += E_t
            K_ifc *= dc_t
            K_o *= dh_t  # K_t is now delta_t
            np.multiply(dc_t, f_t, dc_before)
            dh_before += np.dot(W_hh_T, K_t, from_later)
        by_input.add(before, K.swapaxes(0, 1).reshape(4 * H, -1).T)
    delta, dh, dc = (each.swapaxes(1, 2) for each in (delta, dh, dc))
    gradients = Gradients(delta=delta, dh=dh, dc=dc, **by_input.result(), **output_gradients(trace, do))
    report_nan(suspects(gradients))
    return gradients


@np.errstate(**OVERFLOW_IS_INF)
def jacobians(net: LSTM, trace: Trace) -> np.ndarray:
    """J_t = d(c_t, h_t)/d(c_{t-1}, h_{t-1}) (chapter 9), an array (T, B, 2H, 2H): J[t-1] = J_t.

        J_t = ( F_t      G_t           )    F_t = diag(f_t),  E_t = diag(o_t (1 - tanh^2(c_t)))
              ( E_t F_t  E_t G_t + O_t )    G_t, O_t: what h_{t-1} does to c_t, and to h_t at fixed c_t, through the gates

    The first H rows and columns are those of c. c_{t-1} is varied with h_{t-1} held fixed.
    ValueError: a trace of another net. RuntimeWarning: a Jacobian contains NaN (see the module).
    """
    _check_trace(net, trace)
    T, B, H = trace.tanh_c.shape
    K, E = _slopes(trace)
    by_gate = K.reshape(T, B, 4, H, 1) * net.W_hh.reshape(4, H, H)
    J = np.empty((T, B, 2 * H, 2 * H), net.dtype)
    c_by_c, c_by_h, h_by_c, h_by_h = J[..., :H, :H], J[..., :H, H:], J[..., H:, :H], J[..., H:, H:]
    c_by_c[...] = trace.f[..., None] * np.eye(H, dtype=net.dtype)
    np.sum(by_gate[:, :, :3], axis=2, out=c_by_h)
    np.multiply(E[..., None], c_by_c, out=h_by_c)
    np.multiply(E[..., None], c_by_h, out=h_by_h)
    h_by_h += by_gate[:, :, 3]
    report_nan(numbered("J", J))
    return J


def _through_gates(net, K, c, h):
    """Rows dc_t, dh_t (.., B, R, H) by c_t and by h_t at fixed c_t, taken back to h_{t-1}; K (B, 4H) is that of step t."""
    K_i, K_f, K_c, K_o = blocks(K[:, None], 4)
    delta = np.concatenate([c * K_i, c * K_f, c * K_c, h * K_o], axis=-1)
    return (flat(delta) @ net.W_hh).reshape(h.shape)


@np.errstate(**OVERFLOW_IS_INF)
def jacobian_products(net: LSTM, trace: Trace, t: int | None = None) -> np.ndarray:
    """d(c_t, h_t)/d(c_k, h_k) = J_t J_{t-1} ... J_{k+1} (chapter 9), an array (t+1, B, 2H, 2H).

    Entry k is that by (c_k, h_k), k = 0, ..., t; the identity at k = t. Rows and columns as in `jacobians`.

    t  0 to T; None: T

    ValueError: a trace of another net, t that isn't an integer from 0 to T.
    RuntimeWarning: a product contains NaN (see the module).
    """
    _check_trace(net, trace)
    t, (_, B, H) = last_step(t, len(trace.x)), trace.c.shape
    K, E = _slopes(trace, slice(t))
    product = np.empty((t + 1, B, 2 * H, 2 * H), net.dtype)
    product[t] = np.eye(2 * H)
    for k in range(t, 0, -1):
        c, h = product[k, ..., :H], product[k, ..., H:]
        on_highway = c + h * E[k - 1][:, None]
        np.multiply(on_highway, trace.f[k - 1][:, None], out=product[k - 1, ..., :H])
        product[k - 1, ..., H:] = _through_gates(net, K[k - 1], on_highway, h)
    report_nan((f"d(c, h)[{t}]/d(c, h)[{k}]", product[k]) for k in range(t, -1, -1))
    return product


def highway(net: LSTM, trace: Trace, t: int | None = None) -> np.ndarray:
    """f_t f_{t-1} ... f_{k+1}, the diagonal of dc_t/dc_k along c alone (chapter 9), an array (t+1, B, H).

    Entry k = 0, ..., t; ones at k = t, and everywhere if there is no forget gate.

    t  0 to T; None: T. ValueError: a trace of another net, t that isn't an integer from 0 to T.
    """
    _check_trace(net, trace)
    return running_products(trace.f[:last_step(t, len(trace.x))])


def _by_detours(net, trace, c, h, detours, t):
    """Rows dc, dh (B, R, H) at step t, taken back to all k <= t: C, M (detours+2, t+1, B, R, H) by number of detours.

    C holds h_k fixed, as the Jacobians do.
    """
    K, E = _slopes(trace, slice(t))
    B, R, H = c.shape
    C, M = np.zeros((2, detours + 2, t + 1, B, R, H), net.dtype)
    C[0, t], M[0, t] = c, h
    came_back = np.zeros((detours + 2, B, R, H), net.dtype)
    for k in range(t, 0, -1):
        on_highway = C[:, k] + M[:, k] * E[k - 1][:, None]
        np.multiply(on_highway, trace.f[k - 1][:, None], out=C[:, k - 1])
        came_back[1:] = on_highway[:-1]  # by one detour more
        came_back[-1] += on_highway[-1]
        M[:, k - 1] = _through_gates(net, K[k - 1], came_back, M[:, k])
    return C, M, E


@np.errstate(**OVERFLOW_IS_INF)
def detour_terms(net: LSTM, trace: Trace, detours: int, t: int | None = None) -> np.ndarray:
    """`jacobian_products` as a sum over paths, by the number of their detours (chapter 9).

    The net is a graph of nodes c_t, h_t with edges c_{t-1} -> c_t (F_t), h_{t-1} -> c_t (G_t), c_t -> h_t (E_t) and
    h_{t-1} -> h_t (O_t), as in `jacobians`. A path is the product of its edges, and has a detour for each h -> c.
    So the terms are the coefficients of z^0, z^1, ... in the product of

        J_t(z) = ( F_t      z G_t           )
                 ( E_t F_t  z E_t G_t + O_t )

    detours  0 or more
    t        0 to T; None: T

    Returns (detours+2, t+1, B, 2H, 2H): entries 0, ..., detours have so many detours, the last has more. They add up
    to `jacobian_products`. O(t detours) products of (2 B H, 4H) with (4H, H).
    ValueError: a trace of another net, detours or t that aren't such integers.
    RuntimeWarning: a term contains NaN (see the module).
    """
    _check_trace(net, trace)
    detours, t = as_integer("detours", detours, 0), last_step(t, len(trace.x))
    _, B, H = trace.c.shape
    c, h = (np.broadcast_to(half, (B, 2 * H, H)) for half in np.split(np.eye(2 * H), 2, axis=1))
    terms = np.concatenate(_by_detours(net, trace, c, h, detours, t)[:2], axis=-1)
    report_nan(numbered("terms", terms))
    return terms


@np.errstate(**OVERFLOW_IS_INF)
def detour_split(
    net: LSTM, trace: Trace, dh_t: np.ndarray, detours: int, t: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """dc and dh of a loss that reads h_t alone, as sums over paths by the number of their detours (chapter 9).

    dh_t     (B, H), dL/dh_t; W_qh^T dL/d(output) for a loss at step t
    detours  0 or more; what a detour is, `detour_terms` says
    t        0 to T; None: T

    Returns dc, dh (detours+2, t+1, B, H): entry [d, k] is what paths with d detours bring to dL/dc_k and dL/dh_k,
    the last entry those with more. They add up to `Gradients.dc` and `Gradients.dh` of this loss, which counts every
    path that begins at c_k, also those that leave it for h_k at once.
    O(t detours) products of (B, 4H) with (4H, H).
    ValueError: a trace of another net, dh_t of another shape, detours or t that aren't such integers.
    RuntimeWarning: a term contains NaN (see the module).
    """
    _check_trace(net, trace)
    dh_t = as_array("dh_t", dh_t, trace.h[0].shape, dtype=net.dtype, finite=False)[:, None]
    detours, t = as_integer("detours", detours, 0), last_step(t, len(trace.x))
    dc, dh, E = _by_detours(net, trace, np.zeros_like(dh_t), dh_t, detours, t)
    dc, dh = dc[:, :, :, 0], dh[:, :, :, 0]
    dc[:, 1:] += dh[:, 1:] * E
    report_nan((f"d{name}[{d}]", term) for d in range(detours + 2) for name, term in (("h", dh[d]), ("c", dc[d])))
    return dc, dh


@np.errstate(**OVERFLOW_IS_INF)
def gate_split(net: LSTM, trace: Trace, t: int | None = None) -> np.ndarray:
    """The paths from c_k to c_t with one detour, by the gate that brings them back (chapter 9).

    t  0 to T; None: T

    Returns (4, t+1, B, H, H): entries 0, 1, 2 leave by c -> h and come back with the next step, through the input
    gate, the forget gate, the candidate; entry 3 stays on h for one or more steps, through the output gate, before it
    comes back. They add up to the block dc_t/dc_k of `detour_terms` with one detour, which holds h_k fixed, so the
    shortest are over two steps.
    ValueError: a trace of another net, t that isn't an integer from 0 to T.
    RuntimeWarning: a term contains NaN (see the module).
    """
    _check_trace(net, trace)
    t = last_step(t, len(trace.x))
    _, B, H = trace.c.shape
    K, E = _slopes(trace, slice(t))
    on_highway = running_products(trace.f[:t])
    split = np.zeros((4, t + 1, B, H, H), net.dtype)
    at_h = np.zeros((4, B, H, H), net.dtype)  # dc_t/dh_k with one return, at once or later
    W = net.W_hh.reshape(4, 1, H, H)
    for k in range(t, 0, -1):
        K_k = np.moveaxis(K[k - 1].reshape(B, 4, H), 1, 0)
        np.multiply(split[:, k] + at_h * E[k - 1][:, None], trace.f[k - 1][:, None], out=split[:, k - 1])
        at_h[3] = at_h.sum(axis=0) * K_k[3][:, None] @ net.W_hh[3 * H:]
        at_h[:3] = (on_highway[k] * K_k[:3])[..., None] * W[:3]
    report_nan(numbered("split", split))
    return split
