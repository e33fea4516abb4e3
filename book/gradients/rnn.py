"""A recurrent net of one layer, and its gradients through time (chapters 3, 4 and 5).

    a_t = W_hx x_t + W_hh h_{t-1} + b_h,   h_t = phi(a_t),   o_t = W_qh h_t + b_q,   t = 1, ..., T

Sequences are time-major: x is (T, B, D), B sequences side by side. An index counts from 0, a step from 1:
x[t-1], a[t-1] and o[t-1] belong to step t. The states have one more, h_0, so that h[t] is h_t.
Everything is computed in the dtype of the weights, float64 or float32.

An overflow is kept as inf without a warning, NaN gives one RuntimeWarning that says where it first appeared, and
what vanishes below the smallest float becomes 0, and a dead unit passes nothing, not even inf, all as in `gradients.deep`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from dataclasses import dataclass

import numpy as np

from gradients.activations import Activation, times_slope
from gradients.recurrent import (
    Gradients, Net, blocks_backwards, check_in_torch, check_trace, first_state, flat, last_step, numbered, outputs, random_weights,
    read_out, suspects, suspects_forward, torch_parameters, torch_state, weight_gradients,
)
from gradients.validation import OVERFLOW_IS_INF, as_activation, as_array, as_integer, as_scale, check_kind, report_nan

__all__ = [
    "RNN", "Gradients", "LagTerms", "Trace", "backward", "chunked_backward", "forward", "from_torch", "jacobian_bound",
    "jacobian_products", "jacobians", "lag_terms", "rnn", "to_torch", "truncated_backward",
]


@dataclass(eq=False)
class RNN(Net):
    """The parameters of a recurrent net (chapter 3, a_t = W_hx x_t + W_hh h_{t-1} + b_h, o_t = W_qh h_t + b_q).

    W_hx  (H, D), input to hidden
    W_hh  (H, H), hidden to hidden
    b_h   (H,)
    W_qh  (Q, H), hidden to output
    b_q   (Q,)
    phi   Activation (or the name of one)

    Arrays are used as they are, not copied: `net.W_hh -= rate * gradients.dW_hh` is a step of descent.
    All have the same dtype, float64 or float32; integers become float64.
    ValueError: shapes that don't fit, mixed dtypes, NaN or inf, unknown activation.
    """

    phi: Activation

    def __post_init__(self):
        self._check_parameters(rows=1)
        self.phi = as_activation("phi", self.phi)


def rnn(
    D: int,
    H: int,
    Q: int,
    activation: str | Activation = "tanh",
    *,
    rng: np.random.Generator,
    w_hh_scale: float = 1.0,
    w_hx_scale: float = 1.0,
    bias_scale: float = 0.0,
    dtype: type = np.float64,
) -> RNN:
    """A random net: every W_ij ~ N(0, scale^2 / number of columns), every b_i ~ N(0, bias_scale^2) (chapter 4).

    D, H, Q     the numbers of inputs, hidden units and outputs
    w_hh_scale  of W_hh: its spectral radius in a wide net, while sigma_max(W_hh) is near 2 w_hh_scale
    w_hx_scale  of W_hx; that of W_qh is 1
    dtype       float64 or float32; float32 weights are the float64 ones, rounded

    The same seed draws the same numbers at every scale and for every activation.
    ValueError: sizes that aren't positive integers, a negative or non-finite scale,
    an rng that isn't a numpy.random.Generator, an unknown activation, another dtype.
    """
    phi, bias_scale = as_activation("activation", activation), as_scale("bias_scale", bias_scale)
    W_hx, W_hh, W_qh = random_weights(
        D, H, Q, rows=1, rng=rng, w_hx_scale=w_hx_scale, w_hh_scale=w_hh_scale, dtype=dtype)
    b_h, b_q = ((0.0 + bias_scale * rng.standard_normal(n)).astype(dtype, copy=False) for n in (H, Q))
    return RNN(W_hx, W_hh, b_h, W_qh, b_q, phi)


def from_torch(
    state: Mapping, W_qh: np.ndarray | None = None, b_q: np.ndarray | None = None, phi: str | Activation = "tanh"
) -> RNN:
    """The net with the weights of a torch.nn.RNN of one layer and one direction, `state = module.state_dict()`.

    state      weight_ih_l0 (H, D), weight_hh_l0 (H, H), bias_ih_l0 and bias_hh_l0 (H,): arrays or tensors on the CPU,
               which are copied; b_h is the sum of the two biases, zeros for a module with bias=False
    W_qh, b_q  (Q, H), (Q,), the read-out, which is a layer of its own there; copied, too. b_q=None: zeros;
               both None, no read-out: o_t = h_t, with the identity and zeros
    phi        "tanh" or "relu", the module's `nonlinearity`, which isn't in its state

    ValueError: other names in `state` (more layers, one bias alone), b_q alone, another phi, and as `RNN`.
    """
    phi = as_activation("phi", phi)
    check_in_torch("phi: got ", phi)
    W_hx, W_hh, b_ih, b_hh = torch_parameters(state)
    return RNN(W_hx, W_hh, b_ih + b_hh, *read_out(W_qh, b_q, W_hh), phi)


def to_torch(net: RNN, *, bias: bool = True, tensor: Callable | None = None) -> dict[str, np.ndarray]:
    """`from_torch` undone: copies of the weights by PyTorch's names, b_h as bias_ih_l0, zeros as bias_hh_l0.

    bias    False: without the biases, which must be 0, as a module with bias=False wants it
    tensor  called for each array. `load_state_dict` takes tensors alone, and this package needs no PyTorch, hence
            module.load_state_dict(to_torch(net, tensor=torch.from_numpy))

    For torch.nn.RNN(D, H, nonlinearity=net.phi.name).
    ValueError: another activation than tanh and ReLU; bias=False for a net with biases.
    """
    check_kind("net", net, RNN)
    check_in_torch("net: got phi=", net.phi)
    return torch_state(net, np.zeros_like(net.b_h), bias, tensor)


@dataclass(eq=False)
class Trace:
    """What a forward pass leaves behind, T steps of B sequences.

    x  (T, B, D), x[t-1] = x_t
    a  (T, B, H), a[t-1] = a_t
    h  (T+1, B, H), h[t] = h_t, the first of them h_0
    o  (T, B, Q), o[t-1] = o_t
    """

    x: np.ndarray
    a: np.ndarray
    h: np.ndarray
    o: np.ndarray


@np.errstate(**OVERFLOW_IS_INF)
def forward(net: RNN, x: np.ndarray, h_0: np.ndarray | None = None) -> Trace:
    """The forward pass a_t = W_hx x_t + W_hh h_{t-1} + b_h, h_t = phi(a_t), o_t = W_qh h_t + b_q (chapter 3).

    x    (T, B, D), finite; the trace has x in the dtype of the net, without a copy if it has it already
    h_0  (B, H), finite; None: zeros

    ValueError: x isn't a finite (T, B, D) array with T > 0, h_0 isn't a finite (B, H) array.
    RuntimeWarning: the outputs contain NaN (see the module).
    """
    check_kind("net", net, RNN)
    D, H, Q = net.sizes
    x = as_array("x", x, (None, None, D), dtype=net.dtype)
    T, B, _ = x.shape
    a, h = np.empty((T, B, H), net.dtype), np.empty((T + 1, B, H), net.dtype)
    h[0] = first_state("h_0", h_0, B, net)
    np.matmul(flat(x), net.W_hx.T, out=flat(a))
    a += net.b_h
    phi, W_hh_T, from_before = net.phi.function, np.ascontiguousarray(net.W_hh.T), np.empty((B, H), net.dtype)
    for a_t, h_before, h_t in zip(a, h, h[1:]):
        a_t += np.matmul(h_before, W_hh_T, out=from_before)
        h_t[...] = phi(a_t)
    o = outputs(net, h)
    report_nan(suspects_forward("a", a, o))
    return Trace(x, a, h, o)


def _check_trace(net, trace):
    check_trace(net, RNN, trace, Trace, a=1)


def _check(net, trace, do):
    """`do` as an array in the dtype of the net; checks net and trace, too."""
    _check_trace(net, trace)
    return as_array("do", do, trace.o.shape, dtype=net.dtype, finite=False)


def _gradients(net, trace, do, delta, dh):
    """Each step used the same weights: dL/dW_hh = sum of delta_t h_{t-1}^T over steps and batch, and so on."""
    return Gradients(delta=delta, dh=dh, **weight_gradients(net, trace, do, delta))


def _back_through_time(net, trace, do, steps, multiply=np.multiply):
    delta, dh = np.empty_like(trace.a), np.empty_like(trace.h)
    np.matmul(flat(do), net.W_qh, out=flat(dh[1:]))
    dh[0] = 0
    W_hh, dh_t, from_later = net.W_hh, dh[-1], np.empty_like(dh[0])
    slopes = (slope for block in blocks_backwards(trace.a) for slope in net.phi.derivative(trace.a[block])[::-1])
    for t, slope, delta_t, dh_before in zip(range(len(delta), 0, -1), slopes, delta[::-1], dh[-2::-1]):
        multiply(dh_t, slope, out=delta_t)
        if t == 1 or (t - 1) % steps:  # else h_{t-1} is given, the first state of a chunk
            dh_before += np.matmul(delta_t, W_hh, out=from_later)
        dh_t = dh_before
    gradients = _gradients(net, trace, do, delta, dh)
    if net.phi.dead and multiply is np.multiply and np.isnan(gradients.db_h).any():  # perhaps of inf at a dead unit
        return _back_through_time(net, trace, do, steps, partial(times_slope, net.phi))
    return gradients


@np.errstate(**OVERFLOW_IS_INF)
def backward(net: RNN, trace: Trace, do: np.ndarray) -> Gradients:
    """Backpropagation through time, in O(T) (chapter 3; Werbos 1990).

        dL/dh_t   = W_qh^T dL/do_t + W_hh^T delta_{t+1}     delta_{T+1} = 0
        delta_t   = dL/dh_t * phi'(a_t)
        dL/dW_hx  = sum of delta_t x_t^T                    over steps and batch, as are all sums
        dL/dW_hh  = sum of delta_t h_{t-1}^T
        dL/dW_qh  = sum of dL/do_t h_t^T
        dL/db_h   = sum of delta_t,   dL/db_q = sum of dL/do_t
        dL/dx_t   = W_hx^T delta_t,   dL/dh_0 = W_hh^T delta_1

    do  (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through, since the loss of an exploding net has them

    ValueError: a trace of another net, do of another shape. RuntimeWarning: NaN in a gradient (see the module).
    """
    do = _check(net, trace, do)
    gradients = _back_through_time(net, trace, do, steps=len(do))
    report_nan(suspects(gradients))
    return gradients


@np.errstate(**OVERFLOW_IS_INF)
def chunked_backward(net: RNN, trace: Trace, do: np.ndarray, steps: int) -> Gradients:
    """Truncation as it is practised: no gradient crosses from one chunk of `steps` steps into the one before (chapter 3).

    A chunk is steps c + 1 to c + `steps`, c = 0, `steps`, 2 `steps`, ...; the last may be shorter. Its first state
    is taken as given ("detached"), so a loss late in its chunk is followed further back than an early one.

    do     (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through
    steps  1 or more; T or more is `backward`

    O(T). ValueError: as `backward`, and steps that isn't a positive integer. RuntimeWarning: as `backward`.
    """
    do = _check(net, trace, do)
    gradients = _back_through_time(net, trace, do, as_integer("steps", steps, 1))
    report_nan(suspects(gradients))
    return gradients


def _by_lag(net, do, slope, lags):
    """For lag j = 0, ..., lags-1: j, a slice of step indices i, and for t-j-1 in it dl_t/dh_{t-j} and dl_t/da_{t-j}.

    All losses go back together, one product a lag. A loss whose path has reached step 1 is done, and leading
    steps without a loss are left out. The arrays yielded, (length, B, H), are overwritten by the next.
    """
    T = len(do)
    first = next((i for i in range(T) if do[i].any()), T - 1)
    dh = (flat(do[first:]) @ net.W_qh).reshape(slope[first:].shape)  # dl_t/dh_t = W_qh^T dl_t/do_t
    delta = times_slope(net.phi, dh, slope[first:])
    for j in range(lags):
        steps = slice(max(first - j, 0), T - j)
        if j > 0:
            later = delta[1:] if j > first else delta
            dh, delta = dh[:len(later)], delta[:len(later)]
            np.matmul(flat(later), net.W_hh, out=flat(dh))
            times_slope(net.phi, dh, slope[steps], out=delta)
        yield j, steps, dh, delta


@np.errstate(**OVERFLOW_IS_INF)
def truncated_backward(net: RNN, trace: Trace, do: np.ndarray, tau: int) -> Gradients:
    """Backpropagation through time in which every loss is followed back through at most tau steps (chapter 3; source 1).

        dL/dW_hh ~ sum over t, and over k from max(1, t - tau) to t, of dl_t/dh_t dh_t/dh_k d+h_k/dW_hh

    and likewise for the other parameters: the lags t - k = 0, ..., tau are kept. The path from l_t to h_0 has t
    steps, hence counts in dh[0] if t <= tau. So tau = T - 1 gives all of `backward` but dh[0], tau = T that, too.

    do   (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through
    tau  0 or more; 0 stays within the step of the loss

    O(T min(tau, T)) in time: each lag is a product over all losses. `delta` and `dh` are sums over the kept lags.
    ValueError: as `backward`, and tau that isn't an integer >= 0. RuntimeWarning: as `backward`.
    """
    do = _check(net, trace, do)
    tau = as_integer("tau", tau, 0)
    dh, slope = np.zeros_like(trace.h), net.phi.derivative(trace.a)
    for j, steps, dh_j, delta_j in _by_lag(net, do, slope, lags=min(tau + 1, len(do))):
        dh[1:][steps] += dh_j
        if steps.start == 0 and j < tau:
            dh[0] += delta_j[0] @ net.W_hh
    gradients = _gradients(net, trace, do, times_slope(net.phi, dh[1:], slope), dh)
    report_nan(suspects(gradients))
    return gradients


@np.errstate(**OVERFLOW_IS_INF)
def jacobians(net: RNN, trace: Trace) -> np.ndarray:
    """J_t = dh_t/dh_{t-1} = diag(phi'(a_t)) W_hh (chapter 4), an array (T, B, H, H): J[t-1] = J_t.

    ValueError: a trace of another net. RuntimeWarning: a Jacobian contains NaN (see the module).
    """
    _check_trace(net, trace)
    J = net.phi.derivative(trace.a)[..., None] * net.W_hh
    report_nan(numbered("J", J))
    return J


@np.errstate(**OVERFLOW_IS_INF)
def jacobian_products(net: RNN, trace: Trace, t: int | None = None) -> np.ndarray:
    """dh_t/dh_k = J_t J_{t-1} ... J_{k+1} (chapter 4; Pascanu et al. 2013, eq. 5, transposed), an array (t+1, B, H, H).

    Entry k is dh_t/dh_k, k = 0, ..., t; the identity at k = t.

    t  0 to T; None: T

    ValueError: a trace of another net, t that isn't an integer from 0 to T.
    RuntimeWarning: a product contains NaN (see the module).
    """
    _check_trace(net, trace)
    T, B, H = trace.a.shape
    t = last_step(t, T)
    slope = net.phi.derivative(trace.a[:t])
    product = np.empty((t + 1, B, H, H), net.dtype)
    product[t] = np.eye(H)
    for k in range(t, 0, -1):
        scaled = times_slope(net.phi, product[k], slope[k - 1][:, None, :])
        np.matmul(flat(scaled), net.W_hh, out=flat(product[k - 1]))
    report_nan((f"dh[{t}]/dh[{k}]", product[k]) for k in range(t, -1, -1))
    return product


@np.errstate(**OVERFLOW_IS_INF)
def jacobian_bound(net: RNN, T: int) -> np.ndarray:
    """A bound on ||dh_t/dh_k||_2 for every input, by lag t - k (chapter 4; Pascanu et al. 2013, eq. 6 and 7).

    (sup|phi'| sigma_max(W_hh))^lag for lag = 0, ..., T, an array (T+1,).

    ValueError: another kind of net, T isn't an integer >= 0.
    """
    check_kind("net", net, RNN)
    factor = net.dtype.type(net.phi.sup * np.linalg.norm(net.W_hh, 2))
    return factor ** np.arange(as_integer("T", T, 0) + 1, dtype=net.dtype)


@dataclass(eq=False)
class LagTerms:
    """Gradients taken apart by lag: entry j is what comes from losses j steps after the use of the weights.

    dW_hx  (T, H, D)
    dW_hh  (T, H, H)
    db_h   (T, H)
    """

    dW_hx: np.ndarray
    dW_hh: np.ndarray
    db_h: np.ndarray


@np.errstate(**OVERFLOW_IS_INF)
def lag_terms(net: RNN, trace: Trace, do: np.ndarray) -> LagTerms:
    """The gradient as a sum of one term for each lag j = 0, ..., T-1 (chapter 4; Pascanu et al. 2013, eq. 3 to 5).

        term j of dL/dW_hh = sum over t > j, and the batch, of dl_t/dh_t dh_t/dh_{t-j} d+h_{t-j}/dW_hh

    where d+ is the immediate derivative: h_{t-j-1} is held fixed. Likewise for W_hx and b_h. The terms add up to the
    gradients of `backward`, the first tau + 1 of them to those of `truncated_backward`.

    do  (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through

    O(T) products of (B, H) with (H, H) for a loss at the last step, O(T^2) for a loss at every step.
    ValueError: a trace of another net, do of another shape. RuntimeWarning: NaN in a term (see the module).
    """
    do = _check(net, trace, do)
    D, H, _ = net.sizes
    T = len(do)
    terms = LagTerms(*(np.empty((T, *shape), net.dtype) for shape in ((H, D), (H, H), (H,))))
    for j, steps, _, delta in _by_lag(net, do, net.phi.derivative(trace.a), lags=T):
        rows = flat(delta)
        np.matmul(rows.T, flat(trace.x[steps]), out=terms.dW_hx[j])
        np.matmul(rows.T, flat(trace.h[steps]), out=terms.dW_hh[j])
        terms.db_h[j] = rows.sum(axis=0)
    report_nan((f"{name}[{j}]", term[j]) for j in range(T) for name, term in vars(terms).items())
    return terms
