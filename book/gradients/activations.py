"""Elementwise activation functions, their derivatives, and how large those derivatives can be.

Every function takes an array of any shape and returns a new array of that shape; float32 and float64
are kept, anything else is computed in float64. An infinite input gives the limit, NaN stays NaN (but the
identity's derivative is 1 everywhere).
At a kink the derivative follows PyTorch: at z = 0 it is 0 for ReLU, the slope for leaky ReLU and
alpha for ELU, that is, always the derivative from the left.

Where sigma is near 1, or tanh near 1 or -1, the textbook forms sigma (1 - sigma) and 1 - tanh^2 lose all digits
(tanh'(20) = 1.7e-17 would come out as 0). In terms of e = exp(-|z|) nothing cancels and nothing
overflows, so a gradient that vanishes through saturated units can still be measured.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from gradients import validation

__all__ = ["NAMES", "SMOOTH", "Activation", "activation", "times_slope"]


@dataclass(frozen=True)
class Activation:
    """An elementwise function phi (chapter 1) with what the chain rule needs of it (chapter 2).

    name        as given to `activation`
    function    z -> phi(z), any shape
    derivative  z -> phi'(z), any shape; a function of the pre-activation z, not of phi(z)
    sup         the supremum of |phi'(z)| over all z
    dead        whether a unit can be dead: phi'(z) = 0 exactly, as ReLU's for z <= 0. It then passes nothing back, not even
                inf or NaN (as in PyTorch and JAX). Elsewhere a slope of 0 is one that vanished, and inf times it is NaN
    """

    name: str
    function: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]
    sup: float
    dead: bool = False


def _floating(z):
    if type(z) is np.ndarray and z.dtype in (np.float32, np.float64):
        return z  # at once: an RNN comes here at every step
    return validation.real_numbers("z", z)


def _identity(z):
    return +_floating(z)


def _identity_derivative(z):
    return np.ones_like(_floating(z))


def _sigmoid(z):
    z = _floating(z)
    e = np.exp(-np.abs(z))
    return np.where(z < 0, e, z.dtype.type(1)) / (1 + e)


def _sigmoid_derivative(z):
    e = np.exp(-np.abs(_floating(z)))
    return e / (1 + e) ** 2


def _tanh(z):
    return np.tanh(_floating(z))


def _tanh_derivative(z):
    e = np.exp(-2 * np.abs(_floating(z)))
    return 4 * e / (1 + e) ** 2


def _relu(z):
    return np.maximum(_floating(z), 0)


def _relu_derivative(z):
    return np.heaviside(_floating(z), 0)


def _leaky_relu(z, slope):
    z = _floating(z)
    return np.maximum(z, 0) + (slope * np.minimum(z, 0) if slope else 0)  # 0 times inf would be NaN


def _leaky_relu_derivative(z, slope):
    z = _floating(z)
    return np.where(z > 0, z.dtype.type(1), np.where(np.isnan(z), z, z.dtype.type(slope)))


def _elu(z, alpha):
    z = _floating(z)
    return np.maximum(z, 0) + alpha * np.expm1(np.minimum(z, 0))


def _elu_derivative(z, alpha):
    z = _floating(z)
    return np.where(z > 0, z.dtype.type(1), alpha * np.exp(np.minimum(z, 0)))


_erfc = np.vectorize(math.erfc, otypes=[np.float64])  # NumPy has none


def _normal_distribution(z):
    return (_erfc(z / -math.sqrt(2)) / 2).astype(z.dtype)  # keeps its digits where it is near 0


def _times(z, share):
    """z * share, with its limit 0 where z is -inf and the share is 0."""
    return np.where(share == 0, share, z) * share


def _gelu(z):
    z = _floating(z)
    return _times(z, _normal_distribution(z))


def _gelu_derivative(z):
    z = _floating(z)
    with np.errstate(over="ignore"):
        density = np.exp(-(z * z) / 2) / z.dtype.type(math.sqrt(2 * math.pi))
    return _normal_distribution(z) + _times(z, density)


def _silu(z):
    z = _floating(z)
    return _times(z, _sigmoid(z))


def _silu_derivative(z):
    z = _floating(z)
    return _sigmoid(z) + _times(z, _sigmoid_derivative(z))


# name -> (function, derivative, sup as a function of the parameters, parameters with their defaults)
_TABLE = {
    "identity": (_identity, _identity_derivative, lambda: 1.0, {}),
    "sigmoid": (_sigmoid, _sigmoid_derivative, lambda: 0.25, {}),
    "tanh": (_tanh, _tanh_derivative, lambda: 1.0, {}),
    "relu": (_relu, _relu_derivative, lambda: 1.0, {}),
    "leaky_relu": (_leaky_relu, _leaky_relu_derivative, lambda slope: max(1.0, slope), {"slope": 0.1}),
    "elu": (_elu, _elu_derivative, lambda alpha: max(1.0, alpha), {"alpha": 1.0}),
}

NAMES = tuple(_TABLE)

# Two that are not increasing, and steeper than 1 in places; in chapter 6 alone
_GELU_SUP = 0.5 * math.erfc(-1) + math.exp(-1) / math.sqrt(math.pi)  # at z = sqrt(2)
_SILU_SUP = 0.5 + 2.3993572805154675 / 4  # at the z for which z tanh(z / 2) = 2
_SMOOTH_TABLE = {
    "gelu": (_gelu, _gelu_derivative, lambda: _GELU_SUP, {}),
    "silu": (_silu, _silu_derivative, lambda: _SILU_SUP, {}),
}

SMOOTH = tuple(_SMOOTH_TABLE)


def _parameter(name, value):
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not (np.isfinite(number) and number >= 0):
        raise ValueError(f"{name}: got {value!r}, want a finite number >= 0")
    return number


def activation(name: str | Activation, **parameters: float) -> Activation:
    """The activation called `name`; an `Activation` is returned unchanged.

    name         "identity"    z
                 "sigmoid"     1 / (1 + exp(-z))                                    (source 3, section 2)
                 "tanh"        tanh(z)
                 "relu"        max(z, 0)                                            (Nair & Hinton 2010)
                 "leaky_relu"  z for z > 0, slope z otherwise;  slope=0.1           (Maas et al. 2013)
                 "elu"         z for z > 0, alpha (exp(z) - 1) otherwise;  alpha=1  (Clevert et al. 2016)
                 "gelu"        z Phi(z), Phi the normal distribution function       (Hendrycks & Gimpel 2016)
                 "silu"        z / (1 + exp(-z))                                    (Hendrycks & Gimpel 2016)
    parameters   slope of "leaky_relu", alpha of "elu": finite and >= 0

    ValueError: unknown name, unknown parameter, or a parameter that is negative or not finite.
    """
    if isinstance(name, Activation):
        if parameters:
            raise ValueError(f"{', '.join(parameters)}: got a parameter for an Activation that is already made, want none")
        return name
    table = _TABLE | _SMOOTH_TABLE
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"name: got {name!r}, want one of {', '.join(table)}, or an Activation")
    function, derivative, sup, defaults = table[name]
    for parameter in parameters:
        if parameter not in defaults:
            wanted = f"only {', '.join(defaults)}" if defaults else "no parameter"
            raise ValueError(f"{parameter}: got a parameter that {name} does not have, want {wanted}")
    values = {parameter: _parameter(parameter, value) for parameter, value in (defaults | parameters).items()}
    if values:
        function, derivative = partial(function, **values), partial(derivative, **values)
    dead = name == "relu" or 0 in (values.get("slope"), values.get("alpha"))
    return Activation(name, function, derivative, sup(**values), dead)


def times_slope(phi: Activation, signal: np.ndarray, slope: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """dL/dz = dL/dphi(z) * phi'(z), with 0 where a dead unit has slope 0, also for a signal that is inf or NaN.

    signal  dL/dphi(z), of any shape that `slope`, phi'(z), fits
    out     where the result is put; not `slope`
    """
    with np.errstate(**validation.OVERFLOW_IS_INF):
        product = np.multiply(signal, slope, out=out)
    if phi.dead and np.isnan(product).any():
        np.copyto(product, 0, where=slope == 0)
    return product
