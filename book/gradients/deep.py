"""A fully connected net and its gradients, layer by layer (chapters 1 and 2).

    z^(l) = W^(l) h^(l-1) + b^(l),   h^(l) = phi^(l)(z^(l)),   h^(0) = x,   l = 1, ..., n

Whatever belongs to a layer is a dict keyed by the layer's number, so that W[l] in the code is W^(l) in
the equations. Layer l has n_l units. Inputs are batches, one example a row: x is (B, n_0), h[l] (B, n_l).
Everything is computed in the dtype of the weights, float64 or float32.

In an exploding net numbers overflow. That is what this book is about, hence no error: an overflow is
kept as inf, without a warning, for inf is an answer ("too large to write down"). NaN is not: it appears
when an inf meets its opposite or a zero, and what the true number was is lost. Therefore NaN in a forward
pass, a backward pass or a Jacobian gives one RuntimeWarning that says where it first appeared. A processor adds in an order of
its own: where terms of one sum overflow with opposite signs, one may get inf and another NaN, and so a step earlier.
What vanishes below the smallest float becomes 0.

One zero is no loss: the slope of a dead ReLU is 0 exactly. Such a unit passes nothing, and inf times its slope is 0, not NaN,
as in PyTorch and JAX (`activations.Activation.dead`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gradients.activations import Activation, times_slope
from gradients.validation import (
    OVERFLOW_IS_INF, as_activation, as_array, as_scale, check_dtype, check_dtypes, check_generator, check_kind, report_nan,
)

__all__ = [
    "DeepNet", "Gradients", "Trace", "backward", "deep_net", "forward", "gradient_norms",
    "jacobian_bound", "jacobian_products", "jacobians",
]


@dataclass(eq=False)
class DeepNet:
    """The parameters of a net of n layers (chapter 2, z^(l) = W^(l) h^(l-1) + b^(l)).

    W    dict l -> (n_l, n_{l-1}), l = 1..n
    b    dict l -> (n_l,)
    phi  dict l -> Activation (or the name of one)

    Arrays are used as they are, not copied: `net.W[l] -= rate * gradients.dW[l]` is a step of descent.
    All have the same dtype, float64 or float32; integers become float64.
    ValueError: keys that aren't 1..n, shapes that don't fit, mixed dtypes, NaN or inf, unknown activation.
    """

    W: dict[int, np.ndarray]
    b: dict[int, np.ndarray]
    phi: dict[int, Activation]

    def __post_init__(self):
        for argument, value in (("W", self.W), ("b", self.b), ("phi", self.phi)):
            if not isinstance(value, dict):
                raise ValueError(f"{argument}: got {type(value).__name__}, want a dict keyed by layer")
            wanted = range(1, max(1, len(self.W)) + 1)
            if set(value) != set(wanted):
                raise ValueError(f"{argument}: got layers {list(value)}, want {list(wanted)}")
        W, b, phi = {}, {}, {}
        for l in wanted:
            W[l] = as_array(f"W[{l}]", self.W[l], (None, W[l - 1].shape[0] if l > 1 else None))
            b[l] = as_array(f"b[{l}]", self.b[l], (W[l].shape[0],))
            check_dtypes({"W[1]": W[1], f"W[{l}]": W[l], f"b[{l}]": b[l]})
            phi[l] = as_activation(f"phi[{l}]", self.phi[l])
        self.W, self.b, self.phi = W, b, phi

    @property
    def depth(self) -> int:
        """n, the number of layers of weights."""
        return len(self.W)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(n_0, n_1, ..., n_n)."""
        return (self.W[1].shape[1], *(W.shape[0] for W in self.W.values()))

    @property
    def dtype(self) -> np.dtype:
        """float64 or float32, the same for all parameters."""
        return self.W[1].dtype


def deep_net(
    sizes: Sequence[int],
    activation: str | Activation = "sigmoid",
    *,
    rng: np.random.Generator,
    weight_scale: float = 1.0,
    bias_scale: float = 0.0,
    output: str | Activation | None = None,
    dtype: type = np.float64,
) -> DeepNet:
    """A random net: W^(l)_ij ~ N(0, weight_scale^2 / n_{l-1}) and b^(l)_i ~ N(0, bias_scale^2) (chapter 2).

    sizes       (n_0, ..., n_n): n layers of weights
    activation  of every layer; `output` replaces it in layer n
    dtype       float64 or float32; float32 weights are the float64 ones, rounded

    The same seed draws the same numbers at every scale, and a deeper net begins with the layers of a
    shallower one: a scale or a depth can be varied with all else equal.
    ValueError: sizes that aren't two or more positive integers, a negative or non-finite scale,
    an rng that isn't a numpy.random.Generator, an unknown activation, another dtype.
    """
    sizes_given = sizes
    sizes = list(sizes) if isinstance(sizes, Sequence | np.ndarray) else []
    if len(sizes) < 2 or not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise ValueError(f"sizes: got {sizes_given!r}, want two or more positive integers")
    check_generator(rng)
    check_dtype(dtype)
    weight_scale, bias_scale = as_scale("weight_scale", weight_scale), as_scale("bias_scale", bias_scale)
    hidden = as_activation("activation", activation)
    last = hidden if output is None else as_activation("output", output)
    W, b, phi = {}, {}, {}
    for l, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), start=1):
        W[l] = (weight_scale / np.sqrt(n_in) * rng.standard_normal((n_out, n_in))).astype(dtype, copy=False)
        b[l] = (0.0 + bias_scale * rng.standard_normal(n_out)).astype(dtype, copy=False)
        phi[l] = hidden if l < len(sizes) - 1 else last
    return DeepNet(W, b, phi)


@dataclass(eq=False)
class Trace:
    """What a forward pass leaves behind: z[l] (B, n_l) for l = 1..n and h[l] (B, n_l) for l = 0..n."""

    z: dict[int, np.ndarray]
    h: dict[int, np.ndarray]


@np.errstate(**OVERFLOW_IS_INF)
def forward(net: DeepNet, x: np.ndarray) -> Trace:
    """The forward pass z^(l) = W^(l) h^(l-1) + b^(l), h^(l) = phi(z^(l)) (chapters 1 and 2).

    x  (B, n_0), finite; h[0] of the trace is x in the dtype of the net, without a copy if it has it already

    ValueError: x isn't a finite (B, n_0) array. RuntimeWarning: the output contains NaN (see the module).
    """
    check_kind("net", net, DeepNet)
    h = {0: as_array("x", x, (None, net.sizes[0]), dtype=net.dtype)}
    z = {}
    for l in net.W:
        z[l] = h[l - 1] @ net.W[l].T
        z[l] += net.b[l]
        h[l] = net.phi[l].function(z[l])
    if np.isnan(h[net.depth]).any():
        report_nan((f"z[{l}]", z[l]) for l in z)
    return Trace(z, h)


def _check_trace(net, trace):
    check_kind("net", net, DeepNet)
    check_kind("trace", trace, Trace)
    for argument, arrays, first in (("z", trace.z, 1), ("h", trace.h, 0)):
        shapes = {l: array.shape for l, array in arrays.items()}
        batch = len(trace.h[0]) if 0 in trace.h else 0
        wanted = {l: (batch, size) for l, size in enumerate(net.sizes) if l >= first}
        if shapes != wanted:
            raise ValueError(f"trace: got {argument} with shapes {shapes}, want {wanted}: the trace of another net")


@dataclass(eq=False)
class Gradients:
    """Derivatives of a loss L summed over the batch, as in chapter 1.

    dW     dict l -> (n_l, n_{l-1}), dL/dW^(l), l = 1..n
    db     dict l -> (n_l,), dL/db^(l)
    delta  dict l -> (B, n_l), delta^(l) = dL/dz^(l)
    dx     (B, n_0), dL/dx
    """

    dW: dict[int, np.ndarray]
    db: dict[int, np.ndarray]
    delta: dict[int, np.ndarray]
    dx: np.ndarray


@np.errstate(**OVERFLOW_IS_INF)
def backward(net: DeepNet, trace: Trace, dh: np.ndarray) -> Gradients:
    """Backpropagation in matrix form (chapter 1; Rumelhart, Hinton & Williams 1986).

        delta^(n) = dh * phi'(z^(n))
        delta^(l) = (W^(l+1)^T delta^(l+1)) * phi'(z^(l))
        dL/dW^(l) = sum over the batch of delta^(l) h^(l-1)^T,   dL/db^(l) = sum of delta^(l)
        dL/dx     = W^(1)^T delta^(1)

    dh  (B, n_n), dL/dh^(n); inf and NaN are let through, since the loss of an exploding net has them

    ValueError: a trace of another net, dh of another shape. RuntimeWarning: NaN in a gradient (see the module).
    """
    _check_trace(net, trace)
    n = net.depth
    dW, db, delta = {}, {}, {}
    dh = as_array("dh", dh, trace.h[n].shape, dtype=net.dtype, finite=False)
    for l in range(n, 0, -1):
        delta[l] = times_slope(net.phi[l], dh, net.phi[l].derivative(trace.z[l]))
        dW[l] = delta[l].T @ trace.h[l - 1]
        db[l] = delta[l].sum(axis=0)
        dh = delta[l] @ net.W[l]
    report_nan([*((f"delta[{l}]", delta[l]) for l in delta), *((f"dW[{l}]", dW[l]) for l in dW),
                 *((f"db[{l}]", db[l]) for l in db), ("dx", dh)])
    dW, db, delta = (dict(sorted(layers.items())) for layers in (dW, db, delta))
    return Gradients(dW, db, delta, dx=dh)


@np.errstate(**OVERFLOW_IS_INF)
def jacobians(net: DeepNet, trace: Trace) -> dict[int, np.ndarray]:
    """J^(l) = dh^(l)/dh^(l-1) = diag(phi'(z^(l))) W^(l) (chapter 2), a dict l -> (B, n_l, n_{l-1}), l = 1..n.

    ValueError: a trace of another net. RuntimeWarning: a Jacobian contains NaN (see the module).
    """
    _check_trace(net, trace)
    J = {l: net.phi[l].derivative(trace.z[l])[:, :, None] * net.W[l] for l in net.W}
    report_nan((f"J[{l}]", J[l]) for l in J)
    return J


@np.errstate(**OVERFLOW_IS_INF)
def jacobian_products(net: DeepNet, trace: Trace) -> dict[int, np.ndarray]:
    """dh^(n)/dh^(l) = J^(n) J^(n-1) ... J^(l+1) (chapter 2), a dict l -> (B, n_n, n_l), l = 0..n; the identity at l = n.

    ValueError: a trace of another net. RuntimeWarning: the product contains NaN (see the module).
    """
    _check_trace(net, trace)
    n = net.depth
    batch, n_n = trace.h[n].shape
    product = {n: np.tile(np.eye(n_n, dtype=net.dtype), (batch, 1, 1))}
    for l in range(n, 0, -1):
        scaled = times_slope(net.phi[l], product[l], net.phi[l].derivative(trace.z[l])[:, None, :])
        product[l - 1] = (scaled.reshape(batch * n_n, -1) @ net.W[l]).reshape(batch, n_n, -1)
    report_nan((f"dh[{n}]/dh[{l}]", product[l]) for l in product)
    return dict(sorted(product.items()))


def _frobenius_norm(array):
    """Scaled by the largest entry, since the square of 1e-200 would be 0 and that of 1e200 inf."""
    largest = np.abs(array).max()
    if largest == 0 or not np.isfinite(largest):
        return largest
    return largest * np.linalg.norm(array / largest)


@np.errstate(**OVERFLOW_IS_INF)
def gradient_norms(gradients: Gradients) -> np.ndarray:
    """The Frobenius norms ||dL/dW^(l)||_F, l = 1..n, an array (n,): what vanishes or explodes in chapter 2.

    ValueError: other gradients than those of `backward`.
    """
    check_kind("gradients", gradients, Gradients)
    return np.array([_frobenius_norm(gradients.dW[l]) for l in sorted(gradients.dW)])


@np.errstate(**OVERFLOW_IS_INF)
def jacobian_bound(net: DeepNet) -> np.ndarray:
    """A bound on ||dh^(n)/dh^(l)||_2 for every input (chapter 2), an array (n+1,), l = 0..n.

    The product over j > l of sup|phi^(j)'| sigma_max(W^(j)), since ||A B||_2 <= ||A||_2 ||B||_2.
    ValueError: another kind of net.
    """
    check_kind("net", net, DeepNet)
    bound = np.ones(net.depth + 1, dtype=net.dtype)
    for l in range(net.depth, 0, -1):
        factor = net.phi[l].sup * np.linalg.norm(net.W[l], 2)
        bound[l - 1] = bound[l] * factor if factor > 0 else 0
    return bound
