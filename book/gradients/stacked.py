"""A stack of recurrent layers, and its gradients through depth and time at once (chapter 3).

    a_t^(l) = W_hx^(l) h_t^(l-1) + W_hh^(l) h_{t-1}^(l) + b_h^(l),   h_t^(l) = phi(a_t^(l)),   h_t^(0) = x_t,
    o_t = W_qh h_t^(n) + b_q,   t = 1, ..., T,   l = 1, ..., n

It is torch.nn.RNN with num_layers = n. Whatever belongs to a layer is a dict keyed by the layer's number, as in
`gradients.deep`; what belongs to a step is an array, time first, as in `gradients.rnn`. Layer l has H_l units.
Everything is computed in the dtype of the weights. What overflows, NaN and dead units: see `gradients.deep`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradients.activations import Activation, times_slope
from gradients.initialisers import kaiming_normal
from gradients.recurrent import check_in_torch, flat, numbered, over_steps, read_out, torch_parameters
from gradients.validation import (
    OVERFLOW_IS_INF, as_activation, as_array, as_integer, as_scale, check_dtype, check_dtypes, check_generator, check_kind,
    report_nan,
)

__all__ = ["Gradients", "LagTerms", "StackedRNN", "Trace", "backward", "forward", "from_torch", "lag_terms", "stacked_rnn"]


@dataclass(eq=False)
class StackedRNN:
    """The parameters of a stack of n recurrent layers (see the module).

    W_hx  dict l -> (H_l, H_{l-1}), from the layer below; H_0 = D
    W_hh  dict l -> (H_l, H_l), from the step before
    b_h   dict l -> (H_l,)
    W_qh  (Q, H_n)
    b_q   (Q,)
    phi   Activation of all layers (or the name of one)

    Arrays are used as they are, not copied. All have the same dtype, float64 or float32; integers become float64.
    ValueError: keys that aren't 1..n, shapes that don't fit, mixed dtypes, NaN or inf, unknown activation.
    """

    W_hx: dict[int, np.ndarray]
    W_hh: dict[int, np.ndarray]
    b_h: dict[int, np.ndarray]
    W_qh: np.ndarray
    b_q: np.ndarray
    phi: Activation

    def __post_init__(self):
        for argument in ("W_hx", "W_hh", "b_h"):
            value = getattr(self, argument)
            if not isinstance(value, dict):
                raise ValueError(f"{argument}: got {type(value).__name__}, want a dict keyed by layer")
            layers = range(1, max(1, len(self.W_hx)) + 1)
            if set(value) != set(layers):
                raise ValueError(f"{argument}: got layers {list(value)}, want {list(layers)}")
        W_hx, W_hh, b_h = {}, {}, {}
        for l in layers:
            W_hx[l] = as_array(f"W_hx[{l}]", self.W_hx[l], (None, len(W_hx[l - 1]) if l > 1 else None))
            H = len(W_hx[l])
            W_hh[l] = as_array(f"W_hh[{l}]", self.W_hh[l], (H, H))
            b_h[l] = as_array(f"b_h[{l}]", self.b_h[l], (H,))
        self.W_hx, self.W_hh, self.b_h = W_hx, W_hh, b_h
        self.W_qh = as_array("W_qh", self.W_qh, (None, H))
        self.b_q = as_array("b_q", self.b_q, (len(self.W_qh),))
        self.phi = as_activation("phi", self.phi)
        check_dtypes(self.parameters)

    @property
    def depth(self) -> int:
        """n, the number of layers."""
        return len(self.W_hh)

    @property
    def dtype(self) -> np.dtype:
        """float64 or float32, the same for all parameters."""
        return self.W_qh.dtype

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """"W_hx[1]", ... -> the array itself."""
        return _by_name(self, "")


def _by_name(holder, d):
    """The arrays of a net (d = "") or of its gradients (d = "d") by the parameters' names."""
    layered = {f"{name}[{l}]": array for name in ("W_hx", "W_hh", "b_h") for l, array in getattr(holder, d + name).items()}
    return layered | {name: getattr(holder, d + name) for name in ("W_qh", "b_q")}


def stacked_rnn(
    D: int,
    H: int,
    Q: int,
    layers: int,
    activation: str | Activation = "tanh",
    *,
    rng: np.random.Generator,
    w_hh_scale: float = 1.0,
    w_hx_scale: float = 1.0,
    dtype: type = np.float64,
) -> StackedRNN:
    """A random net of `layers` layers of H units: every W_ij ~ N(0, scale^2 / number of columns), biases 0 (chapter 3).

    w_hx_scale is that of W_hx in every layer, w_hh_scale that of every W_hh; that of W_qh is 1.
    The same seed draws the same numbers at every scale.
    ValueError: sizes that aren't positive integers, a negative or non-finite scale, no Generator, an unknown activation, another dtype.
    """
    D, H, Q, layers = (as_integer(name, n, 1) for name, n in (("D", D), ("H", H), ("Q", Q), ("layers", layers)))
    phi = as_activation("activation", activation)
    check_generator(rng)
    check_dtype(dtype)
    up, on = as_scale("w_hx_scale", w_hx_scale), as_scale("w_hh_scale", w_hh_scale)
    W_hx, W_hh, b_h = {}, {}, {}
    for l in range(1, layers + 1):
        W_hx[l] = kaiming_normal(H, D if l == 1 else H, rng=rng, gain=up, dtype=dtype)
        W_hh[l] = kaiming_normal(H, H, rng=rng, gain=on, dtype=dtype)
        b_h[l] = np.zeros(H, dtype)
    return StackedRNN(W_hx, W_hh, b_h, kaiming_normal(Q, H, rng=rng, gain=1.0, dtype=dtype), np.zeros(Q, dtype), phi)


def from_torch(
    state: Mapping, W_qh: np.ndarray | None = None, b_q: np.ndarray | None = None, phi: str | Activation = "tanh"
) -> StackedRNN:
    """The net with the weights of a torch.nn.RNN of any number of layers, in one direction; see `rnn.from_torch`.

    ValueError: other names in `state` (a second direction, one bias alone), b_q alone, a phi other than tanh and ReLU.
    """
    phi = as_activation("phi", phi)
    check_in_torch("phi: got ", phi)
    if not isinstance(state, Mapping):
        raise ValueError(f"state: got {type(state).__name__}, want a dict name -> array, such as module.state_dict()")
    n = max(1, sum(str(name).startswith("weight_hh_l") for name in state))
    parts = [{name: name.removesuffix(f"_l{l}") + "_l0" for name in map(str, state) if name.endswith(f"_l{l}")} for l in range(n)]
    if strange := set(map(str, state)).difference(*parts):
        raise ValueError(f"state: got {', '.join(sorted(strange))}, want the names of {n} layers in one direction")
    W_hx, W_hh, b_h = {}, {}, {}
    for l, part in enumerate(parts, start=1):
        W_hx[l], W_hh[l], b_ih, b_hh = torch_parameters({short: state[name] for name, short in part.items()})
        b_h[l] = b_ih + b_hh
    return StackedRNN(W_hx, W_hh, b_h, *read_out(W_qh, b_q, W_hh[n]), phi)


@dataclass(eq=False)
class Trace:
    """What a forward pass leaves behind, T steps of B sequences.

    x  (T, B, D)
    a  dict l -> (T, B, H_l), a[l][t-1] = a_t^(l)
    h  dict l -> (T+1, B, H_l), h[l][t] = h_t^(l); the first, h_0, is zero
    o  (T, B, Q)
    """

    x: np.ndarray
    a: dict[int, np.ndarray]
    h: dict[int, np.ndarray]
    o: np.ndarray

    def below(self, l: int) -> np.ndarray:
        """What layer l reads, (T, B, H_{l-1}): the states of the layer below, x for the first."""
        return self.x if l == 1 else self.h[l - 1][1:]


@np.errstate(**OVERFLOW_IS_INF)
def forward(net: StackedRNN, x: np.ndarray) -> Trace:
    """The forward pass, layer by layer, each through all steps (see the module; chapter 3).

    x  (T, B, D), finite

    ValueError: another kind of net, x isn't a finite (T, B, D) array with T > 0. RuntimeWarning: NaN in the outputs.
    """
    check_kind("net", net, StackedRNN)
    trace = Trace(as_array("x", x, (None, None, net.W_hx[1].shape[1]), dtype=net.dtype), {}, {}, np.empty(0))
    T, B, _ = trace.x.shape
    for l in range(1, net.depth + 1):
        a = trace.a[l] = trace.below(l) @ net.W_hx[l].T + net.b_h[l]
        h = trace.h[l] = np.zeros((T + 1, B, len(net.W_hh[l])), net.dtype)
        for t in range(1, T + 1):
            a[t - 1] += h[t - 1] @ net.W_hh[l].T
            h[t] = net.phi.function(a[t - 1])
    trace.o = h[1:] @ net.W_qh.T + net.b_q
    report_nan([*((f"a[{l}]", trace.a[l]) for l in trace.a), ("o", trace.o)])
    return trace


def _check(net, trace, do):
    """`do` as an array in the dtype of the net; checks net and trace, too."""
    check_kind("net", net, StackedRNN)
    check_kind("trace", trace, Trace)
    T, B = trace.o.shape[:2]
    got = {"x": trace.x.shape, "o": trace.o.shape} | {l: h.shape for l, h in trace.h.items()}
    want = {"x": (T, B, net.W_hx[1].shape[1]), "o": (T, B, len(net.W_qh))} | {l: (T + 1, B, len(W)) for l, W in net.W_hh.items()}
    if got != want:
        raise ValueError(f"trace: got shapes {got}, want {want}: the trace of another net")
    return as_array("do", do, trace.o.shape, dtype=net.dtype, finite=False)


@dataclass(eq=False)
class Gradients:
    """Derivatives of L = sum over t of l_t, summed over the batch.

    dW_hx, dW_hh, db_h  dicts, as the parameters;  dW_qh, db_q  as the parameters
    delta  dict l -> (T, B, H_l), delta[l][t-1] = dL/da_t^(l)
    dh     dict l -> (T+1, B, H_l), dh[l][t] = dL/dh_t^(l), through all that follows: the layer above and the step after
    dx     (T, B, D), dx[t-1] = dL/dx_t
    """

    dW_hx: dict[int, np.ndarray]
    dW_hh: dict[int, np.ndarray]
    db_h: dict[int, np.ndarray]
    dW_qh: np.ndarray
    db_q: np.ndarray
    delta: dict[int, np.ndarray]
    dh: dict[int, np.ndarray]
    dx: np.ndarray

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """name of a parameter -> its gradient, with the names of the net's `parameters`."""
        return _by_name(self, "d")


@np.errstate(**OVERFLOW_IS_INF)
def backward(net: StackedRNN, trace: Trace, do: np.ndarray) -> Gradients:
    """Backpropagation through depth and time at once (chapter 3), in O(n T).

        dL/dh_t^(l)  = W_hx^(l+1)^T delta_t^(l+1) + W_hh^(l)^T delta_{t+1}^(l)     in the top layer W_qh^T dL/do_t, not the first
        delta_t^(l)  = dL/dh_t^(l) * phi'(a_t^(l))
        dL/dW_hh^(l) = sum of delta_t^(l) h_{t-1}^(l)^T,   dL/dW_hx^(l) = sum of delta_t^(l) h_t^(l-1)^T

    The sums are over steps and batch. What comes out of a layer below, dL/dx of that layer, goes into the next one down.

    do  (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through

    ValueError: a trace of another net, do of another shape. RuntimeWarning: NaN in a gradient.
    """
    do = _check(net, trace, do)
    n, T = net.depth, len(do)
    found = Gradients({}, {}, {}, flat(do).T @ flat(trace.h[n][1:]), over_steps(do), {}, {}, do @ net.W_qh)
    for l in range(n, 0, -1):
        delta, slope = np.empty_like(trace.a[l]), net.phi.derivative(trace.a[l])
        dh = np.concatenate([np.zeros_like(trace.h[l][:1]), found.dx])
        for t in range(T, 0, -1):
            delta[t - 1] = times_slope(net.phi, dh[t], slope[t - 1])
            dh[t - 1] += delta[t - 1] @ net.W_hh[l]
        found.delta[l], found.dh[l], found.db_h[l] = delta, dh, over_steps(delta)
        found.dW_hh[l], found.dW_hx[l] = flat(delta).T @ flat(trace.h[l][:-1]), flat(delta).T @ flat(trace.below(l))
        found.dx = delta @ net.W_hx[l]
    report_nan([*((f"delta[{l}]", delta) for l, delta in found.delta.items()), *found.parameters.items(), ("dx", found.dx)])
    return Gradients(**{name: dict(sorted(value.items())) if isinstance(value, dict) else value for name, value in vars(found).items()})


@dataclass(eq=False)
class LagTerms:
    """Gradients taken apart by layer and lag: entry j of layer l is what comes from losses j steps after the use.

    dW_hx  dict l -> (T, H_l, H_{l-1})
    dW_hh  dict l -> (T, H_l, H_l)
    db_h   dict l -> (T, H_l)
    """

    dW_hx: dict[int, np.ndarray]
    dW_hh: dict[int, np.ndarray]
    db_h: dict[int, np.ndarray]


@np.errstate(**OVERFLOW_IS_INF)
def lag_terms(net: StackedRNN, trace: Trace, do: np.ndarray) -> LagTerms:
    """The gradients as sums of one term for each layer l and lag j = 0, ..., T-1 (chapter 3).

        term j of dL/dW_hh^(l) = sum over t > j, and the batch, of dl_t/dh_{t-j}^(l) d+h_{t-j}^(l)/dW_hh^(l)

    where d+ is the immediate derivative. dl_t/dh_{t-j}^(l) sums over all paths that go n - l layers up and j steps on, in any
    order: (j + n - l)! / (j! (n - l)!) of them, each a product of j factors W_hh and n - l factors W_hx with their slopes.
    The terms of a layer add up to its gradients in `backward`.

    do  (T, B, Q), do[t-1] = dL/do_t; inf and NaN are let through

    O(n T^2). ValueError: a trace of another net, do of another shape. RuntimeWarning: NaN in a term.
    """
    do = _check(net, trace, do)
    n, T = net.depth, len(do)
    slope = {l: net.phi.derivative(a) for l, a in trace.a.items()}
    layered = {name: getattr(net, name) for name in ("W_hx", "W_hh", "b_h")}
    terms = LagTerms(*({l: np.empty((T, *array.shape), net.dtype) for l, array in layers.items()} for layers in layered.values()))
    delta = {}  # l -> dl_t/da_{t-j}^(l), for t = j+1, ..., T: all losses go back together
    for j in range(T):
        above = do @ net.W_qh if j == 0 else 0
        for l in range(n, 0, -1):
            dh = above + (delta[l][1:] @ net.W_hh[l] if j else 0)
            delta[l] = times_slope(net.phi, dh, slope[l][:T - j])
            above, rows = delta[l] @ net.W_hx[l], flat(delta[l])
            terms.dW_hx[l][j] = rows.T @ flat(trace.below(l)[:T - j])
            terms.dW_hh[l][j] = rows.T @ flat(trace.h[l][:T - j])
            terms.db_h[l][j] = rows.sum(axis=0)
    report_nan(pair for name, layers in vars(terms).items() for l, term in layers.items() for pair in numbered(f"{name}[{l}]", term))
    return terms
