"""A recurrent net of one layer, and its gradients through time (chapters 3, 4 and 5).

    a_t = W_hx x_t + W_hh h_{t-1} + b_h,   h_t = phi(a_t),   o_t = W_qh h_t + b_q,   t = 1, ..., T

Sequences are time-major: x is (T, B, D), B sequences side by side. An index counts from 0, a step from 1:
x[t-1], a[t-1] and o[t-1] belong to step t. The states have one more, h_0, so that h[t] is h_t.
Everything is computed in the dtype of the weights, float64 or float32.

An overflow is kept as inf without a warning, NaN gives one RuntimeWarning that says where it first appeared, and
what vanishes below the smallest float becomes 0, all as in `gradients.deep`.
"""

from dataclasses import dataclass

import numpy as np

from gradients.activations import Activation
from gradients.initialisers import kaiming_normal
from gradients.sequences import check_dtypes, check_trace, flat, last_step, over_steps, slices_backwards, suspects
from gradients.validation import (
    OVERFLOW_IS_INF, as_activation, as_array, as_integer, as_scale, check_dtype, check_generator, report_nan,
)

__all__ = [
    "RNN", "Gradients", "LagTerms", "Trace", "backward", "chunked_backward", "forward", "jacobian_bound",
    "jacobian_products", "jacobians", "lag_terms", "rnn", "truncated_backward",
]


_REPORTED = "dW_hx", "dW_hh", "dW_qh", "db_h", "db_q", "dx", "dh_0"  # gradients, in the order of `report_nan`


@dataclass(eq=False)
class RNN:
    """The parameters of a recurrent net (chapter 3, a_t = W_hx x_t + W_hh h_{t-1} + b_h, o_t = W_qh h_t + b_q).

    W_hx  (H, D), input to hidden
    W_hh  (H, H), hidden to hidden
    W_qh  (Q, H), hidden to output
    b_h   (H,)
    b_q   (Q,)
    phi   Activation (or the name of one)

    Arrays are used as they are, not copied: `net.W_hh -= rate * gradients.dW_hh` is a step of descent.
    All have the same dtype, float64 or float32; integers become float64.
    ValueError: shapes that don't fit, mixed dtypes, NaN or inf, unknown activation.
    """

    W_hx: np.ndarray
    W_hh: np.ndarray
    W_qh: np.ndarray
    b_h: np.ndarray
    b_q: np.ndarray
    phi: Activation

    def __post_init__(self):
        self.W_hx = as_array("W_hx", self.W_hx, (None, None))
        H = len(self.W_hx)
        self.W_hh = as_array("W_hh", self.W_hh, (H, H))
        self.W_qh = as_array("W_qh", self.W_qh, (None, H))
        self.b_h = as_array("b_h", self.b_h, (H,))
        self.b_q = as_array("b_q", self.b_q, (len(self.W_qh),))
        check_dtypes(self.parameters, self.dtype)
        self.phi = as_activation("phi", self.phi)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(D, H, Q), the numbers of inputs, hidden units and outputs."""
        return self.W_hx.shape[1], self.W_hx.shape[0], self.W_qh.shape[0]

    @property
    def dtype(self) -> np.dtype:
        """float64 or float32, the same for all parameters."""
        return self.W_hx.dtype

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """name -> the array itself: `net.parameters["W_hh"] -= step` changes the net."""
        return {"W_hx": self.W_hx, "W_hh": self.W_hh, "W_qh": self.W_qh, "b_h": self.b_h, "b_q": self.b_q}


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
    D, H, Q = as_integer("D", D, 1), as_integer("H", H, 1), as_integer("Q", Q, 1)
    check_generator(rng)
    check_dtype(dtype)
    phi, bias_scale = as_activation("activation", activation), as_scale("bias_scale", bias_scale)

    def weights(rows, columns, scale):
        return kaiming_normal(rows, columns, rng=rng, gain=scale, dtype=dtype)

    def biases(n):
        return (0.0 + bias_scale * rng.standard_normal(n)).astype(dtype, copy=False)

    W_hx = weights(H, D, as_scale("w_hx_scale", w_hx_scale))
    W_hh = weights(H, H, as_scale("w_hh_scale", w_hh_scale))
    return RNN(W_hx, W_hh, weights(Q, H, 1.0), biases(H), biases(Q), phi)


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
    D, H, Q = net.sizes
    x = as_array("x", x, (None, None, D), dtype=net.dtype)
    T, B, _ = x.shape
    a, h = np.empty((T, B, H), net.dtype), np.empty((T + 1, B, H), net.dtype)
    h[0] = 0 if h_0 is None else as_array("h_0", h_0, (B, H), dtype=net.dtype)
    np.matmul(flat(x), net.W_hx.T, out=flat(a))
    a += net.b_h
    W_hh_T, from_before = np.ascontiguousarray(net.W_hh.T), np.empty((B, H), net.dtype)
    for a_t, h_before, h_t in zip(a, h, h[1:]):
        a_t += np.matmul(h_before, W_hh_T, out=from_before)
        h_t[...] = net.phi.function(a_t)
    o = (flat(h[1:]) @ net.W_qh.T).reshape(T, B, Q)
    o += net.b_q
    if np.isnan(o).any():
        report_nan((f"{name}[{i}]", array[i]) for i in range(T) for name, array in (("a", a), ("o", o)))
    return Trace(x, a, h, o)


def _check_trace(net, trace):
    T, B = trace.a.shape[:2] if trace.a.ndim == 3 else (0, 0)
    D, H, Q = net.sizes
    check_trace(trace, {"x": (T, B, D), "a": (T, B, H), "h": (T + 1, B, H), "o": (T, B, Q)})


def _check(net, trace, do):
    """`do` as an array in the dtype of the net; checks the trace, too."""
    _check_trace(net, trace)
    return as_array("do", do, trace.o.shape, dtype=net.dtype, finite=False)


@dataclass(eq=False)
class Gradients:
    """Derivatives of L = sum over t of l_t, summed over the batch.

    dW_hx  (H, D)
    dW_hh  (H, H)
    dW_qh  (Q, H)
    db_h   (H,)
    db_q   (Q,)
    delta  (T, B, H), delta[t-1] = dL/da_t
    dx     (T, B, D), dx[t-1] = dL/dx_t
    dh_0   (B, H)
    """

    dW_hx: np.ndarray
    dW_hh: np.ndarray
    dW_qh: np.ndarray
    db_h: np.ndarray
    db_q: np.ndarray
    delta: np.ndarray
    dx: np.ndarray
    dh_0: np.ndarray

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """name of a parameter -> its gradient, with the names of `RNN.parameters`."""
        return {"W_hx": self.dW_hx, "W_hh": self.dW_hh, "W_qh": self.dW_qh, "b_h": self.db_h, "b_q": self.db_q}


def _gradients(net, trace, do, delta, dh_0):
    """Each step used the same weights: dL/dW_hh = sum of delta_t h_{t-1}^T over steps and batch, and so on."""
    rows = flat(delta)
    return Gradients(
        dW_hx=rows.T @ flat(trace.x),
        dW_hh=rows.T @ flat(trace.h[:-1]),
        dW_qh=flat(do).T @ flat(trace.h[1:]),
        db_h=over_steps(delta),
        db_q=over_steps(do),
        delta=delta,
        dx=(rows @ net.W_hx).reshape(trace.x.shape),
        dh_0=dh_0,
    )


def _losses_alone(net, trace, do):
    """dl_t/dh_t = W_qh^T dl_t/do_t for all steps, (T, B, H): what each loss says of the state it reads."""
    return (flat(do) @ net.W_qh).reshape(trace.a.shape)


def _slopes_backwards(net, a):
    """phi'(a_t) for t = T, ..., 1."""
    for steps in slices_backwards(a):
        yield from net.phi.derivative(a[steps])[::-1]


def _back_through_time(net, trace, do, steps):
    delta = _losses_alone(net, trace, do)
    T, B, H = delta.shape
    from_later = np.empty((B, H), net.dtype)
    for t, slope in zip(range(T, 0, -1), _slopes_backwards(net, trace.a)):
        delta_t = delta[t - 1]
        if t < T and t % steps:
            delta_t += np.matmul(delta[t], net.W_hh, out=from_later)
        delta_t *= slope
    return _gradients(net, trace, do, delta, dh_0=delta[0] @ net.W_hh)


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
    report_nan(suspects(gradients, _REPORTED))
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
    report_nan(suspects(gradients, _REPORTED))
    return gradients


def _deltas_by_lag(net, trace, do, lags):
    """For lag j = 0, ..., lags-1: j, a slice of step indices i, and dl_t/da_{t-j} for t-j-1 in it, (length, B, H).

    All losses go back together, one product a lag. A loss whose path has reached step 1 is done, and leading
    steps without a loss are left out. The array yielded is overwritten by the next but one.
    """
    T = len(do)
    first = next((i for i in range(T) if do[i].any()), T - 1)
    slope = net.phi.derivative(trace.a)
    delta = _losses_alone(net, trace, do)[first:]
    delta *= slope[first:]
    spare = np.empty_like(delta)
    for j in range(lags):
        if j > 0:
            later = delta[1:] if j > first else delta
            delta, spare = spare[:len(later)], delta
            np.matmul(flat(later), net.W_hh, out=flat(delta))
            delta *= slope[max(first - j, 0):T - j]
        yield j, slice(max(first - j, 0), T - j), delta


@np.errstate(**OVERFLOW_IS_INF)
def truncated_backward(net: RNN, trace: Trace, do: np.ndarray, tau: int) -> Gradients:
    """Backpropagation through time in which every loss is followed back through at most tau steps (chapter 3; source 1).

        dL/dW_hh ~ sum over t, and over k from max(1, t - tau) to t, of dl_t/dh_t dh_t/dh_k d+h_k/dW_hh

    and likewise for the other parameters: the lags t - k = 0, ..., tau are kept. The path from l_t to h_0 has t
    steps, hence counts in dh_0 if t <= tau. So tau = T - 1 gives all of `backward` but dh_0, tau = T that, too.

    do   (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through
    tau  0 or more; 0 stays within the step of the loss

    O(T min(tau, T)) in time: each lag is a product over all losses. `delta` is the sum over the kept lags.
    ValueError: as `backward`, and tau that isn't an integer >= 0. RuntimeWarning: as `backward`.
    """
    do = _check(net, trace, do)
    tau = as_integer("tau", tau, 0)
    delta, dh_0 = np.zeros_like(trace.a), np.zeros_like(trace.h[0])
    for j, steps, part in _deltas_by_lag(net, trace, do, lags=min(tau + 1, len(do))):
        delta[steps] += part
        if steps.start == 0 and j < tau:
            dh_0 += part[0] @ net.W_hh
    gradients = _gradients(net, trace, do, delta, dh_0)
    report_nan(suspects(gradients, _REPORTED))
    return gradients


@np.errstate(**OVERFLOW_IS_INF)
def jacobians(net: RNN, trace: Trace) -> np.ndarray:
    """J_t = dh_t/dh_{t-1} = diag(phi'(a_t)) W_hh (chapter 4), an array (T, B, H, H): J[t-1] = J_t.

    ValueError: a trace of another net. RuntimeWarning: a Jacobian contains NaN (see the module).
    """
    _check_trace(net, trace)
    J = net.phi.derivative(trace.a)[..., None] * net.W_hh
    report_nan((f"J[{i}]", J[i]) for i in range(len(J)))
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
        scaled = product[k] * slope[k - 1][:, None, :]
        np.matmul(flat(scaled), net.W_hh, out=flat(product[k - 1]))
    report_nan((f"dh[{t}]/dh[{k}]", product[k]) for k in range(t, -1, -1))
    return product


@np.errstate(**OVERFLOW_IS_INF)
def jacobian_bound(net: RNN, T: int) -> np.ndarray:
    """A bound on ||dh_t/dh_k||_2 for every input, by lag t - k (chapter 4; Pascanu et al. 2013, eq. 6 and 7).

    (sup|phi'| sigma_max(W_hh))^lag for lag = 0, ..., T, an array (T+1,).

    ValueError: T isn't an integer >= 0.
    """
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
    for j, steps, delta in _deltas_by_lag(net, trace, do, lags=T):
        rows = flat(delta)
        np.matmul(rows.T, flat(trace.x[steps]), out=terms.dW_hx[j])
        np.matmul(rows.T, flat(trace.h[steps]), out=terms.dW_hh[j])
        terms.db_h[j] = rows.sum(axis=0)
    report_nan((f"{name}[{j}]", term[j]) for j in range(T) for name, term in vars(terms).items())
    return terms
