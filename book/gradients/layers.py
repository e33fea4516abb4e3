"""Nets built from layers that compose: normalisation, dropout and residual blocks (chapter 8).

A layer maps a batch x (B, n_in), one example a row, to y (B, n_out), and has

    forward(x, training=False)  y
    backward(dy)                dL/dx from dL/dy, after a forward; and dL/d(each parameter) in `gradients`
    parameters                  dict name -> array, used in place: `layer.parameters["W"] -= step` changes the layer
    gradients                   dict with the same names; empty before the first backward. A backward replaces
                                what the one before left (PyTorch would add to it)
    n_in, n_out                 the sizes; both None if any number of units goes in and as many come out

A loss is summed over the batch, as in chapter 1. Everything is computed in the dtype of the parameters, float64 or
float32; a layer without parameters keeps that of x. Overflow is inf without a warning, NaN gives one
RuntimeWarning that says where it first appeared, both as in `gradients.deep`.

Errors of every layer's forward and backward

    ValueError    x that isn't a finite (B, n_in) array; dy of another shape than y (inf and NaN are let through)
    RuntimeError  a backward without a forward of its own: what a forward leaves behind serves one backward
"""

import copy

import numpy as np

from gradients import initialisers
from gradients.activations import Activation, times_slope
from gradients.validation import (
    OVERFLOW_IS_INF, as_activation, as_array, as_integer, as_scale, check_dtype, check_dtypes, check_generator, report_nan,
)

__all__ = [
    "Activate", "BatchNorm", "Dropout", "Layer", "LayerNorm", "Linear", "RMSNorm", "Residual", "Sequential",
    "deep_stack", "jacobian",
]


class Layer:
    """What all layers share. A layer of your own defines `_forward(x, training)` and `_backward(dy)`.

    `_forward` returns y and keeps what `_backward` needs; `_backward` fills `gradients` and returns dx. If it has an
    `__init__`, that calls `super().__init__()` first.
    """

    n_in = n_out = None

    def __init__(self):
        self.parameters, self.gradients = {}, {}
        self._output = None  # shape and dtype of the last forward's y, until a backward has used it

    @property
    def dtype(self) -> np.dtype | None:
        """float64 or float32, the same for all parameters; None without parameters."""
        return next((array.dtype for array in self.parameters.values()), None)

    @np.errstate(**OVERFLOW_IS_INF)
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """y (B, n_out) for x (B, n_in), finite. Only BatchNorm and Dropout ask about `training`. Errors: see the module."""
        y = self._run(as_array("x", x, (None, self.n_in), dtype=self.dtype), training)
        if np.isnan(y).any():
            report_nan(self._passed(y))
        return y

    @np.errstate(**OVERFLOW_IS_INF)
    def backward(self, dy: np.ndarray) -> np.ndarray:
        """dL/dx (B, n_in) for dy = dL/dy (B, n_out); fills `gradients`. Errors: see the module."""
        if self._output is not None:
            shape, dtype = self._output
            dy = as_array("dy", dy, shape, dtype=dtype, finite=False)
        dx = self._run_back(dy)
        gradients = ((f"gradients[{name!r}]", array) for name, array in self.gradients.items())
        report_nan([*self._passed_back(dx), *gradients])
        return dx

    def _run(self, x, training):
        self._output = None
        y = self._forward(x, training)
        self._output = y.shape, y.dtype
        return y

    def _run_back(self, dy):
        if self._output is None:
            name = type(self).__name__
            raise RuntimeError(f"{name}.backward: got no forward to go back through, want one before every backward")
        self._output = None
        return self._backward(dy)

    def _passed(self, y):
        """What a forward passed through, first to last, with names for `report_nan`."""
        return [("y", y)]

    def _passed_back(self, dx):
        return [("dx", dx)]

    def _members(self):
        """This layer and all within it."""
        return [self]


class Linear(Layer):
    """y = W x + b for every row x.

    W  (n_out, n_in)
    b  (n_out,); None: no bias

    Arrays are used as they are, not copied; integers become float64.
    ValueError: shapes that don't fit, another dtype in b than in W, NaN or inf.
    """

    def __init__(self, W: np.ndarray, b: np.ndarray | None = None):
        super().__init__()
        self.parameters["W"] = W = as_array("W", W, (None, None))
        self.n_out, self.n_in = W.shape
        if b is not None:
            self.parameters["b"] = as_array("b", b, (self.n_out,))
            check_dtypes(self.parameters)

    def _forward(self, x, training):
        self._x = x
        y = x @ self.parameters["W"].T
        if "b" in self.parameters:
            y += self.parameters["b"]
        return y

    def _backward(self, dy):
        self.gradients["W"] = dy.T @ self._x
        if "b" in self.parameters:
            self.gradients["b"] = dy.sum(axis=0)
        return dy @ self.parameters["W"]


class Activate(Layer):
    """y = phi(x), elementwise; phi is an Activation or the name of one.

    A dead unit, ReLU's for x <= 0, passes nothing back, not even inf. ValueError: an unknown name.
    """

    def __init__(self, phi: str | Activation):
        super().__init__()
        self.phi = as_activation("phi", phi)

    def _forward(self, x, training):
        self._x = x
        return self.phi.function(x)

    def _backward(self, dy):
        return times_slope(self.phi, dy, self.phi.derivative(self._x))


class _Scaled(Layer):
    """y = gamma * x_hat, with an eps > 0 in the root that x_hat is divided by."""

    def __init__(self, n, eps, dtype):
        super().__init__()
        self.n_in = self.n_out = n = as_integer("n", n, 1)
        self.eps = as_scale("eps", eps)
        if self.eps == 0:
            raise ValueError(f"eps: got {eps!r}, want a finite number > 0")
        check_dtype(dtype)
        self.parameters["gamma"] = np.ones(n, dtype)


class _Norm(_Scaled):
    """y = gamma * x_hat + beta with x_hat = (x - mean) / sqrt(variance + eps)."""

    def __init__(self, n, eps, dtype):
        super().__init__(n, eps, dtype)
        self.parameters["beta"] = np.zeros(self.n_in, dtype)

    def _normalise(self, x, mean, variance):
        self._deviation = np.sqrt(variance + self.eps)
        self._x_hat = (x - mean) / self._deviation
        return self.parameters["gamma"] * self._x_hat + self.parameters["beta"]

    def _backward_affine(self, dy):
        """dL/dgamma and dL/dbeta, and dL/dx_hat."""
        self.gradients.update(gamma=(dy * self._x_hat).sum(axis=0), beta=dy.sum(axis=0))
        return dy * self.parameters["gamma"]

    def _backward_normalise(self, dx_hat, axis):
        """dL/dx: a change of x along 1 or along x_hat is taken out again by the mean and by the variance."""
        along_one = dx_hat.mean(axis=axis, keepdims=True)
        along_x_hat = self._x_hat * (dx_hat * self._x_hat).mean(axis=axis, keepdims=True)
        return (dx_hat - along_one - along_x_hat) / self._deviation


class BatchNorm(_Norm):
    """Every unit normalised over the batch (Ioffe & Szegedy 2015, algorithms 1 and 2).

        x_hat = (x - mean) / sqrt(variance + eps),   y = gamma * x_hat + beta

    with the mean and variance over the B examples of the batch, one for each of n units. In training the gradient
    goes through both (their section 3, multiplied out), with means over the batch:

        dL/dx = (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat)) / sqrt(variance + eps),   dx_hat = gamma * dy

    In evaluation mean and variance are running_mean and running_var, constants. Each forward in training makes them
    (1 - momentum) times themselves plus momentum times the batch's, the variance with B - 1 for B, as in PyTorch.

    n                          units
    eps                        > 0
    momentum                   0 to 1
    gamma, beta                parameters, (n,), at first ones and zeros
    running_mean, running_var  attributes, (n,), at first zeros and ones
    dtype                      float64 or float32

    Where x is so large that x^2 overflows, y is beta, as in PyTorch.
    ValueError: arguments that aren't as above; a forward in training of a batch of one, which is its own mean.
    """

    def __init__(self, n: int, eps: float = 1e-5, momentum: float = 0.1, *, dtype: type = np.float64):
        super().__init__(n, eps, dtype)
        self.momentum = as_scale("momentum", momentum)
        if self.momentum > 1:
            raise ValueError(f"momentum: got {momentum!r}, want a number from 0 to 1")
        self.running_mean, self.running_var = np.zeros(n, dtype), np.ones(n, dtype)

    def _forward(self, x, training):
        self._training = training
        if not training:
            return self._normalise(x, self.running_mean, self.running_var)
        B = len(x)
        if B == 1:
            raise ValueError("x: got a batch of 1 example in training, want 2 or more: BatchNorm would make it zero")
        mean, variance, m = x.mean(axis=0), x.var(axis=0), self.momentum
        self.running_mean = (1 - m) * self.running_mean + m * mean
        self.running_var = (1 - m) * self.running_var + m * variance * B / (B - 1)
        return self._normalise(x, mean, variance)

    def _backward(self, dy):
        dx_hat = self._backward_affine(dy)
        return self._backward_normalise(dx_hat, axis=0) if self._training else dx_hat / self._deviation


class LayerNorm(_Norm):
    """Every example normalised over its n units (Ba, Kiros & Hinton 2016, equation 3).

        x_hat = (x - mean) / sqrt(variance + eps),   y = gamma * x_hat + beta

    with one mean and one variance for each of the B examples. No example sees another, and training and evaluation
    are the same. The gradient is BatchNorm's with means over the units instead of the batch.

    n            units; with n = 1, y is beta
    eps          > 0
    gamma, beta  parameters, (n,), at first ones and zeros
    dtype        float64 or float32

    Where x is so large that x^2 overflows, y is beta, as in PyTorch.
    ValueError: arguments that aren't as above.
    """

    def __init__(self, n: int, eps: float = 1e-5, *, dtype: type = np.float64):
        super().__init__(n, eps, dtype)

    def _forward(self, x, training):
        return self._normalise(x, x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True))

    def _backward(self, dy):
        return self._backward_normalise(self._backward_affine(dy), axis=1)


class RMSNorm(_Scaled):
    """Every example divided by its root mean square (Zhang & Sennrich 2019): LayerNorm without mean and beta.

        x_hat = x / sqrt(mean(x^2) + eps),   y = gamma * x_hat

    with means over the n units of an example. No example sees another, and training and evaluation are the same. Only
    the part along x_hat is taken out of the gradient, not its mean:

        dL/dx = (dx_hat - x_hat * mean(dx_hat * x_hat)) / sqrt(mean(x^2) + eps),   dx_hat = gamma * dy

    n      units; with n = 1 and eps near 0, y is gamma times the sign of x
    eps    > 0 (theirs has none; PyTorch's default is the smallest step from 1 in the dtype of x)
    gamma  parameter, (n,), at first ones
    dtype  float64 or float32

    Where x is so large that x^2 overflows, y is 0, as in PyTorch.
    ValueError: arguments that aren't as above.
    """

    def __init__(self, n: int, eps: float = 1e-5, *, dtype: type = np.float64):
        super().__init__(n, eps, dtype)

    def _forward(self, x, training):
        self._size = np.sqrt((x**2).mean(axis=1, keepdims=True) + self.eps)
        self._x_hat = x / self._size
        return self.parameters["gamma"] * self._x_hat

    def _backward(self, dy):
        self.gradients["gamma"] = (dy * self._x_hat).sum(axis=0)
        dx_hat = dy * self.parameters["gamma"]
        return (dx_hat - self._x_hat * (dx_hat * self._x_hat).mean(axis=1, keepdims=True)) / self._size


class Dropout(Layer):
    """In training an entry of x is set to 0 with probability p, else divided by 1 - p (Srivastava et al. 2014).

    The division ("inverted dropout") keeps the mean, so that in evaluation nothing is left to do: y = x. What is dropped
    is 0 whatever it was, and passes nothing back, not even inf.

    p    0 <= p < 1, the probability to drop (theirs is that to keep)
    rng  a numpy.random.Generator, drawn from at every forward in training

    `mask` (B, n), 0 or 1 / (1 - p), is that of the last forward in training; 1 after one in evaluation.
    ValueError: p or rng aren't as above.
    """

    def __init__(self, p: float, rng: np.random.Generator):
        super().__init__()
        check_generator(rng)
        self.p, self.rng, self.mask = as_scale("p", p), rng, 1
        if self.p >= 1:
            raise ValueError(f"p: got {p!r}, want a number >= 0 and < 1")

    def _forward(self, x, training):
        self.mask = ((self.rng.random(x.shape) >= self.p) / (1 - self.p)).astype(x.dtype) if training else 1
        return self._kept(x)

    def _backward(self, dy):
        return self._kept(dy)

    def _kept(self, array):
        return np.where(self.mask, array * self.mask, array.dtype.type(0))


class Sequential(Layer):
    """One layer after the other, l = 0, ..., n-1.

    layers                 a tuple
    x                      list of n+1 arrays (B, .): at the last forward x[l] went into layer l, and x[n] came out
    dx                     list of n+1 arrays, dx[l] = dL/dx[l] of the last backward
    parameters, gradients  those of all layers, named by the layer's number: "3.W", or "2.0.gamma" within a
                           Residual or Sequential. The dict is made anew each time, the arrays are the layers' own:
                           change them in place

    ValueError: no layers, what isn't a Layer, sizes that don't fit, mixed dtypes, the same layer twice
    (it would have to keep what two forwards leave).
    """

    def __init__(self, *layers: Layer):
        self.layers, self.x, self.dx, self._output = layers, [], [], None
        if not layers:
            raise ValueError("layers: got none, want at least one")
        dtype = None
        for l, layer in enumerate(layers):
            if not isinstance(layer, Layer):
                raise ValueError(f"layers[{l}]: got {type(layer).__name__}, want a Layer")
            if layer.dtype is not None:
                dtype = dtype or layer.dtype
                if layer.dtype != dtype:
                    raise ValueError(f"layers[{l}]: got dtype {layer.dtype}, want {dtype} as in the layers before")
            if layer.n_in is None:
                continue
            if self.n_in is None:
                self.n_in = layer.n_in
            elif layer.n_in != self.n_out:
                raise ValueError(f"layers[{l}]: got {layer.n_in} inputs, want {self.n_out}, the outputs of the layer before")
            self.n_out = layer.n_out
        members = self._members()
        if len(set(map(id, members))) < len(members):
            raise ValueError("layers: got a layer that stands in two places, want each layer once")

    def _members(self):
        return [self, *(member for layer in self.layers for member in layer._members())]

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return {f"{l}.{name}": array for l, layer in enumerate(self.layers) for name, array in layer.parameters.items()}

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        return {f"{l}.{name}": array for l, layer in enumerate(self.layers) for name, array in layer.gradients.items()}

    def _forward(self, x, training):
        self.x = [x]
        for layer in self.layers:
            self.x.append(layer._run(self.x[-1], training))
        return self.x[-1]

    def _backward(self, dy):
        self.dx = [dy]
        for layer in reversed(self.layers):
            self.dx.insert(0, layer._run_back(self.dx[0]))
        return self.dx[0]

    def _passed(self, y):
        return [(f"x[{l}]", x) for l, x in enumerate(self.x)]

    def _passed_back(self, dx):
        return [*((f"dx[{l}]", self.dx[l]) for l in range(len(self.dx) - 1, -1, -1)), ("dx", dx)]


class Residual(Sequential):
    """y = x + F(x), where F is the layers one after the other (He et al. 2016a, equation 1).

        dL/dx = dL/dy + (dF/dx)^T dL/dy

    As a Sequential, but x and dx belong to F: x[n] is F(x), and dx[0] is the part of dL/dx that came back through F.

    ValueError: as Sequential; F has other sizes of input and output.
    """

    def __init__(self, *layers: Layer):
        super().__init__(*layers)
        if self.n_in != self.n_out:
            raise ValueError(f"layers: got {self.n_in} inputs and {self.n_out} outputs, want as many, to add x and F(x)")

    def _forward(self, x, training):
        return x + super()._forward(x, training)

    def _backward(self, dy):
        return dy + super()._backward(dy)


def deep_stack(
    depth: int,
    width: int,
    n_in: int,
    n_out: int,
    activation: str | Activation = "relu",
    *,
    rng: np.random.Generator,
    norm: str | None = None,
    residual: bool = False,
    gain: float | None = None,
    dtype: type = np.float64,
) -> Sequential:
    """The four deep nets of chapter 8, plain or residual, normalised or not: a Sequential of depth + 2 layers.

        x_1     = W_in x + b_in                                          layers[0], n_in -> width
        x_{l+1} = F_l(x_l)         or, if residual, x_l + F_l(x_l)       layers[l], l = 1, ..., depth
        F_l(x)  = W_l phi(x) + b_l or, if norm, W_l phi(norm(x)) + b_l
        y       = W_out phi(x_{depth+1}) + b_out, or with norm           layers[depth+1], width -> n_out

    so that the net's x[l] is x_l, and dx[l] is dL/dx_l. The plain net is `gradients.deep`'s with depth + 1 hidden layers, in
    which x_l is z^(l), and the normalised one has the norm between the weights and the activation, as in Ioffe & Szegedy
    2015. A residual block is that of He et al. 2016b ("Identity mappings", equations 1-5: norm and activation come
    first), for nothing stands in the way from x_l to x_m:

        dx_m/dx_l = I + d/dx_l (F_l(x_l) + ... + F_{m-1}(x_{m-1}))       exactly

    norm   None, "batch", "layer" or "rms"
    gain   W_l ~ N(0, gain^2 / width); None: `gradients.initialisers.gain(activation)`. W_in and W_out have gain 1.
    dtype  float64 or float32; float32 weights are the float64 ones, rounded

    Biases are zeros. The same seed draws the same weights for every norm, residual, activation and gain,
    and a deeper net has the weights of a shallower one and more.
    ValueError: depth below 0, other sizes below 1, an unknown activation or norm, a negative or non-finite gain,
    an rng that isn't a numpy.random.Generator, another dtype.
    """
    depth, width = as_integer("depth", depth, 0), as_integer("width", width, 1)
    n_in, n_out = as_integer("n_in", n_in, 1), as_integer("n_out", n_out, 1)
    phi = as_activation("activation", activation)
    norms = {None: None, "batch": BatchNorm, "layer": LayerNorm, "rms": RMSNorm}
    if not (norm is None or isinstance(norm, str)) or norm not in norms:
        raise ValueError(f"norm: got {norm!r}, want None, 'batch', 'layer' or 'rms'")
    gain = initialisers.gain(phi) if gain is None else as_scale("gain", gain)

    def linear(n_out, n_in, gain):
        W = initialisers.kaiming_normal(n_out, n_in, rng=rng, gain=gain, dtype=dtype)
        return Linear(W, np.zeros(n_out, dtype))

    def after_norm_and_phi(linear):
        return [*([norms[norm](width, dtype=dtype)] if norm else []), Activate(phi), linear]

    first, last = linear(width, n_in, 1.0), linear(n_out, width, 1.0)
    block = Residual if residual else Sequential
    blocks = [block(*after_norm_and_phi(linear(width, width, gain))) for _ in range(depth)]
    return Sequential(first, *blocks, Sequential(*after_norm_and_phi(last)))


@np.errstate(**OVERFLOW_IS_INF)
def jacobian(layer: Layer, x: np.ndarray) -> np.ndarray:
    """dy/dx of a layer or net in evaluation, for every example of x (B, n_in): an array (B, n_out, n_in).

    In evaluation no example sees another. So a batch that has every example n_out times needs one backward, with a
    unit vector of dL/dy for each row of the Jacobian. Done on a copy: layer, its gradients and statistics stay as they are.

    ValueError: what isn't a Layer; x isn't a finite (B, n_in) array. RuntimeWarning: NaN in the Jacobian.
    """
    if not isinstance(layer, Layer):
        raise ValueError(f"layer: got {type(layer).__name__}, want a Layer")
    x = as_array("x", x, (None, layer.n_in), dtype=layer.dtype)
    layer, (B, n_in) = copy.deepcopy(layer), x.shape
    n_out = n_in if layer.n_out is None else layer.n_out
    layer._run(np.repeat(x, n_out, axis=0), training=False)
    J = layer._run_back(np.tile(np.eye(n_out, dtype=x.dtype), (B, 1))).reshape(B, n_out, n_in)
    report_nan([("J", J)])
    return J
