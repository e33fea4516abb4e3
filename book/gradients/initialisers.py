"""First weights of a layer, and the gain that an activation asks for (chapter 7).

Every function returns a matrix W of shape (n_out, n_in), as in z = W h + b. All are proportional to `gain`:
the same seed draws the same numbers at every gain. float32 weights are the float64 ones, rounded.

Arguments of all of them

    n_out, n_in  the numbers of outputs and inputs, integers >= 1
    rng          a numpy.random.Generator, by keyword; `identity` has none
    gain         a finite number >= 0
    dtype        float64 or float32

ValueError: an argument that isn't as above.
"""

import math

import numpy as np

from gradients.activations import Activation
from gradients.validation import OVERFLOW_IS_INF, as_activation, as_integer, as_scale, check_dtype, check_generator

__all__ = [
    "gain", "identity", "kaiming_normal", "kaiming_uniform", "orthogonal", "xavier_normal", "xavier_uniform",
]


def gain(activation: str | Activation) -> float:
    """What the weights before phi are multiplied by, so that a deep net keeps the size of its signals (chapter 7).

    activation  an Activation or the name of one

    identity           1
    sigmoid            1
    tanh               5/3
    relu               sqrt(2)
    leaky_relu, slope  sqrt(2 / (1 + slope^2))
    elu, alpha         1 / sqrt(1/2 + alpha^2 (e^2 Phi(-2) - 2 sqrt(e) Phi(-1) + 1/2)), 1.245 for alpha = 1;
                       Phi is the normal distribution function

    These are the numbers of torch.nn.init.calculate_gain, and for "elu", which PyTorch lacks, what the rule of
    ReLU and leaky ReLU gives: E[(gain phi(z))^2] = 1 for z ~ N(0, 1), so that the mean square is the same in every
    layer (He et al. 2015, equations 10 and 15). sigmoid and tanh don't follow it, for they would need 1.85 and 1.59:
    5/3 and 1 are customs. Mind that leaky_relu's slope is 0.1 here unless you say otherwise, in PyTorch 0.01.

    ValueError: an unknown name, an Activation that isn't one of gradients.activations.NAMES.
    """
    phi = as_activation("activation", activation)
    parameters = getattr(phi.function, "keywords", {})
    if phi.name in ("identity", "sigmoid"):
        return 1.0
    if phi.name == "tanh":
        return 5 / 3
    if phi.name == "relu":
        return math.sqrt(2)
    if phi.name == "leaky_relu":
        return math.sqrt(2 / (1 + parameters["slope"] ** 2))
    if phi.name == "elu":
        below_zero = math.e**2 * _normal_distribution(-2) - 2 * math.sqrt(math.e) * _normal_distribution(-1) + 0.5
        return 1 / math.sqrt(0.5 + parameters["alpha"] ** 2 * below_zero)
    raise ValueError(f"activation: got {phi.name!r}, want one whose gain is known, or a gain of your own")


def _normal_distribution(z):
    return math.erfc(-z / math.sqrt(2)) / 2


def _check(n_out, n_in, gain, dtype):
    as_integer("n_out", n_out, 1), as_integer("n_in", n_in, 1), as_scale("gain", gain)
    check_dtype(dtype)


@np.errstate(**OVERFLOW_IS_INF)
def _uniform(bound, n_out, n_in, rng, dtype):
    check_generator(rng)
    return (bound * rng.uniform(-1, 1, (n_out, n_in))).astype(dtype, copy=False)


@np.errstate(**OVERFLOW_IS_INF)
def _normal(deviation, n_out, n_in, rng, dtype):
    check_generator(rng)
    return (deviation * rng.standard_normal((n_out, n_in))).astype(dtype, copy=False)


def xavier_uniform(
    n_out: int, n_in: int, *, rng: np.random.Generator, gain: float = 1.0, dtype: type = np.float64
) -> np.ndarray:
    """W_ij uniform within +- gain sqrt(6 / (n_in + n_out)) (Glorot & Bengio 2010, equation 16); W is (n_out, n_in).

    Its variance 2 gain^2 / (n_in + n_out) is a compromise: 1 / n_in keeps the size of what goes forward,
    1 / n_out that of what comes back. Errors: see the module.
    """
    _check(n_out, n_in, gain, dtype)
    return _uniform(gain * math.sqrt(6 / (n_in + n_out)), n_out, n_in, rng, dtype)


def xavier_normal(
    n_out: int, n_in: int, *, rng: np.random.Generator, gain: float = 1.0, dtype: type = np.float64
) -> np.ndarray:
    """W_ij ~ N(0, 2 gain^2 / (n_in + n_out)) (Glorot & Bengio 2010, equation 12); W is (n_out, n_in).

    Errors: see the module.
    """
    _check(n_out, n_in, gain, dtype)
    return _normal(gain * math.sqrt(2 / (n_in + n_out)), n_out, n_in, rng, dtype)


def kaiming_uniform(
    n_out: int, n_in: int, *, rng: np.random.Generator, gain: float = math.sqrt(2), dtype: type = np.float64
) -> np.ndarray:
    """W_ij uniform within +- gain sqrt(3 / n_in): the variance of `kaiming_normal`; W is (n_out, n_in).

    Errors: see the module.
    """
    _check(n_out, n_in, gain, dtype)
    return _uniform(gain * math.sqrt(3 / n_in), n_out, n_in, rng, dtype)


def kaiming_normal(
    n_out: int, n_in: int, *, rng: np.random.Generator, gain: float = math.sqrt(2), dtype: type = np.float64
) -> np.ndarray:
    """W_ij ~ N(0, gain^2 / n_in) (He et al. 2015, equation 10); W is (n_out, n_in).

    The gain sqrt(2) is ReLU's, which loses half of the mean square. Errors: see the module.
    """
    _check(n_out, n_in, gain, dtype)
    return _normal(gain / math.sqrt(n_in), n_out, n_in, rng, dtype)


@np.errstate(**OVERFLOW_IS_INF)
def orthogonal(
    n_out: int, n_in: int, *, rng: np.random.Generator, gain: float = 1.0, dtype: type = np.float64
) -> np.ndarray:
    """W = gain Q with orthonormal columns if n_out >= n_in, orthonormal rows if n_out <= n_in (Saxe et al. 2014).

    All singular values of W, (n_out, n_in), are equal to gain. Q comes from A = Q R with A_ij ~ N(0, 1); with the
    signs chosen so that R_ii > 0, no direction is preferred: Q is Haar distributed (Mezzadri 2007).
    Errors: see the module.
    """
    _check(n_out, n_in, gain, dtype)
    check_generator(rng)
    Q, R = np.linalg.qr(rng.standard_normal((max(n_out, n_in), min(n_out, n_in))))
    Q *= np.where(np.diag(R) < 0, -1, 1)
    return (gain * (Q if n_out >= n_in else Q.T)).astype(dtype)


@np.errstate(**OVERFLOW_IS_INF)
def identity(n_out: int, n_in: int, *, gain: float = 1.0, dtype: type = np.float64) -> np.ndarray:
    """W_ij = gain where i = j, else 0: an IRNN begins with W_hh = I (Le, Jaitly & Hinton 2015); W is (n_out, n_in).

    Errors: see the module.
    """
    _check(n_out, n_in, gain, dtype)
    return (gain * np.eye(n_out, n_in)).astype(dtype, copy=False)
