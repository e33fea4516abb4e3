"""Pre-training a deep net one layer at a time, without labels (chapter 7).

Each layer is trained as an autoencoder: from its code h of an input x, a decoder must reconstruct x,

    h = phi(W x + b),   r = W^T h + c,   L = 1/2 ||r - x||^2

Then the decoder is thrown away, and the codes are what the next layer is trained on. So no gradient has to pass more
than one layer. What comes of it is where fine-tuning begins, backpropagation through the whole net with labels.

Hinton & Salakhutdinov (2006) pre-train with restricted Boltzmann machines; autoencoders (Bengio et al. 2007) need
nothing but backpropagation. Two choices here:

- The decoder has the encoder's weights, transposed ("tied"), as those machines have one matrix for both directions.
  With weights of its own, a decoder can make up for an encoder with small weights, whose units stay where they
  are nearly linear and say little.
- The reconstruction is linear and the error squared, so that inputs and codes may be of any size and sign.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from gradients.activations import Activation, times_slope
from gradients.deep import deep_net
from gradients.losses import squared_error
from gradients.optimisers import Adam
from gradients.training import History, averaged, fit, minibatches
from gradients.validation import OVERFLOW_IS_INF, as_activation, as_array, as_integer, check_dtypes, report_nan

__all__ = ["Autoencoder", "pretrain"]


class Autoencoder:
    """One layer and its way back, h = phi(W x + b), r = W^T h + c, as `training.fit` wants a net (chapter 7).

    W    (n_out, n_in), of encoder and decoder
    b    (n_out,)
    c    (n_in,)
    phi  Activation (or the name of one), of the code

    Arrays are used as they are, not copied; all have the same dtype, float64 or float32.
    ValueError: shapes that don't fit, mixed dtypes, NaN or inf, unknown activation.
    """

    def __init__(self, W: np.ndarray, b: np.ndarray, c: np.ndarray, phi: str | Activation = "sigmoid"):
        W = as_array("W", W, (None, None))
        self.parameters = {"W": W, "b": as_array("b", b, W.shape[:1]), "c": as_array("c", c, W.shape[1:])}
        check_dtypes(self.parameters)
        self.phi, self.gradients, self._trace = as_activation("phi", phi), {}, None

    @np.errstate(**OVERFLOW_IS_INF)
    def _encode(self, x):
        W, b = self.parameters["W"], self.parameters["b"]
        x = as_array("x", x, (None, W.shape[1]), dtype=W.dtype)
        z = x @ W.T + b
        return x, z, self.phi.function(z)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The codes h (B, n_out) of x (B, n_in). ValueError: x isn't a finite (B, n_in) array."""
        return self._encode(x)[-1]

    @np.errstate(**OVERFLOW_IS_INF)
    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """The reconstruction r (B, n_in) of x (B, n_in); training or not is the same.

        ValueError: x isn't a finite (B, n_in) array. RuntimeWarning: NaN in r, since numbers overflowed.
        """
        self._trace = self._encode(x)
        r = self._trace[-1] @ self.parameters["W"] + self.parameters["c"]
        report_nan([("r", r)])
        return r

    @np.errstate(**OVERFLOW_IS_INF)
    def backward(self, dr: np.ndarray) -> None:
        """From dr = dL/dr (B, n_in) to `gradients`; W is used twice, so its gradient is a sum.

            delta = (W dr) * phi'(z)
            dL/dW = sum of delta x^T + h dr^T,   dL/db = sum of delta,   dL/dc = sum of dr     over the batch

        A target that is x itself takes no part: it is held fixed, as any target.
        ValueError: dr isn't a (B, n_in) array. RuntimeWarning: NaN in a gradient.
        """
        x, z, h = self._trace
        W = self.parameters["W"]
        dr = as_array("dr", dr, x.shape, dtype=W.dtype, finite=False)
        delta = times_slope(self.phi, dr @ W.T, self.phi.derivative(z))
        self.gradients = {"W": delta.T @ x + h.T @ dr, "b": delta.sum(axis=0), "c": dr.sum(axis=0)}
        report_nan((f"d{name}", gradient) for name, gradient in self.gradients.items())


def pretrain(
    sizes: Sequence[int],
    x: np.ndarray,
    *,
    rng: np.random.Generator,
    activation: str | Activation = "sigmoid",
    steps: int = 1000,
    rate: float = 1e-3,
    batch: int = 32,
    weight_scale: float = 1.0,
    progress: Callable[[Iterable], Iterable] | None = None,
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], dict[int, History]]:
    """Greedy layer-wise pre-training by autoencoders (chapter 7; Bengio et al. 2007).

    sizes         (n_0, ..., n_n): n layers, all of them pre-trained; the output layer of a classifier isn't among them
    x             (N, n_0), finite; its dtype, float64 or float32, is that of the result
    activation    of every code
    steps         of Adam for each layer, with this rate and this many examples a batch, at most N
    weight_scale  of the first weights, which are those of deep_net(sizes, ..., rng=rng); decoders begin with c = 0
    progress      as in `training.fit`, once for each layer

    Returns (W, b, histories), dicts keyed by layer l = 1..n: W[l] (n_l, n_{l-1}) and b[l] (n_l,) as in a DeepNet, and
    the loss of each layer's autoencoder, 1/2 ||r - x||^2 averaged over the batch, step by step.
    A net to be fine-tuned has an output layer more; copy the others into it:

        net = deep_net([*sizes, 10], "sigmoid", output="identity", rng=rng)
        for l in W:
            net.W[l][...], net.b[l][...] = W[l], b[l]

    The same seed gives the same result.
    ValueError: x that isn't such an array, batch or steps that aren't such integers, and what `deep_net` and `Adam` refuse.
    FloatingPointError: numbers overflowed; names the layer and the step.
    """
    x = as_array("x", x, (None, None))
    batch = as_integer("batch", batch, 1, len(x))
    net = deep_net(sizes, activation, rng=rng, weight_scale=weight_scale, dtype=x.dtype.type)
    if x.shape[1] != net.sizes[0]:
        raise ValueError(f"x: got shape {x.shape}, want (any, {net.sizes[0]}) as sizes begins with {net.sizes[0]}")
    histories = {}
    for l in net.W:
        layer = Autoencoder(net.W[l], net.b[l], np.zeros_like(x[0]), net.phi[l])
        histories[l] = fit(layer, minibatches(x, x, batch, rng=rng), averaged(squared_error), Adam(rate),
                           steps=steps, progress=progress)
        if histories[l].stopped:
            raise FloatingPointError(f"layer {l}, {histories[l].stopped}")
        x = layer.encode(x)
    return net.W, net.b, histories
