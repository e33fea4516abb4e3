"""Checks of arguments, and what to do about overflow and NaN: what the modules of this package share."""

import warnings

import numpy as np

from gradients import activations

__all__ = ["OVERFLOW_IS_INF", "as_activation", "as_array", "as_integer", "as_scale", "check_dtype", "check_dtypes",
           "check_finite", "check_generator", "check_kind", "read", "real_numbers", "report_nan"]

OVERFLOW_IS_INF = dict(over="ignore", invalid="ignore")  # for numpy.errstate; see gradients.deep


def _has_mask(value):
    if isinstance(value, np.ma.MaskedArray):
        return np.ma.is_masked(value)
    return isinstance(value, list | tuple) and any(map(_has_mask, value))


def read(argument, value):
    """`value` as an array of any dtype. ValueError: ragged rows, masked entries, a tensor that NumPy can't read."""
    if _has_mask(value):
        raise ValueError(f"{argument}: got a masked array, want one without masked entries: its mask would be lost")
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{argument}: got rows of unequal length, want an array") from None
    except (RuntimeError, TypeError) as error:  # PyTorch's, which says what to do
        raise ValueError(f"{argument}: got a {type(value).__name__} that NumPy can't read ({error}), want an array") from None


def real_numbers(argument, value):
    """`value` as an array: float32 and float64 are kept, all else becomes float64. ValueError: no real numbers, as `read`."""
    array = read(argument, value)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "fiub":
        got = f" (of type {type(value).__name__})" if array.ndim == 0 else ""
        raise ValueError(f"{argument}: got dtype {array.dtype}{got}, want real numbers")
    return array.astype(np.float64)


def as_array(argument, value, shape=None, *, dtype=None, finite=True):
    """`value` as an array of real numbers.

    argument  its name in error messages
    shape     what it must be, None for any length; None altogether: any shape
    dtype     what it is converted to; None: float32 and float64 are kept, all else becomes float64
    finite    whether NaN and inf are refused

    ValueError: as `read`, no real numbers, another shape, no entries, NaN or inf.
    """
    array = real_numbers(argument, value)
    if dtype is not None:
        array = array.astype(dtype, copy=False)
    if shape is not None and (
        array.ndim != len(shape) or any(want not in (None, got) for got, want in zip(array.shape, shape))
    ):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{argument}: got shape {array.shape}, want ({wanted}{',' * (len(shape) == 1)})")
    if array.size == 0:
        raise ValueError(f"{argument}: got an empty array of shape {array.shape}, want at least one entry")
    if finite and not np.isfinite(array).all():
        raise ValueError(f"{argument}: got NaN or inf, want finite {array.dtype} numbers")
    return array


def as_integer(argument, value, least, most=None):
    """`value` as an int from `least` to `most` (None: any larger). ValueError: it isn't one; True and False aren't."""
    if not (isinstance(value, int | np.integer) and not isinstance(value, bool)
            and least <= value and (most is None or value <= most)):
        upper = "" if most is None else f" and <= {most}"
        raise ValueError(f"{argument}: got {value!r}, want an integer >= {least}{upper}")
    return int(value)


def as_scale(argument, value):
    """`value` as a float. ValueError: it isn't a finite number >= 0."""
    if not (np.isscalar(value) and np.isreal(value) and np.isfinite(value) and value >= 0):
        raise ValueError(f"{argument}: got {value!r}, want a finite number >= 0")
    return float(value)


def as_activation(argument, value):
    """The Activation `value` or of that name. ValueError: there is none."""
    try:
        return activations.activation(value)
    except ValueError as error:
        raise ValueError(f"{argument}: {error}") from None


def check_kind(argument, value, kind):
    """ValueError: `value` isn't of this class."""
    if not isinstance(value, kind):
        got = type(value)
        raise ValueError(f"{argument}: got {got.__module__}.{got.__qualname__}, want {kind.__module__}.{kind.__qualname__}")


def check_dtype(dtype):
    """ValueError: `dtype` is neither float64 nor float32."""
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"dtype: got {dtype!r}, want numpy.float64 or numpy.float32")


def check_dtypes(arrays):
    """ValueError: an array of the dict name -> array has another dtype than the first."""
    (first, wanted), *_ = arrays.items()
    for name, array in arrays.items():
        if array.dtype != wanted.dtype:
            raise ValueError(f"{name}: got dtype {array.dtype}, want {wanted.dtype} as in {first}")


def check_finite(argument, array):
    """FloatingPointError: NaN or inf in `array`; counts them."""
    if not np.isfinite(array).all():
        found = f"{np.isnan(array).sum()} NaN and {np.isinf(array).sum()} inf in {array.size} entries"
        raise FloatingPointError(f"{argument}: got {found}, want finite numbers")


def check_generator(rng):
    """ValueError: `rng` isn't a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng: got {type(rng).__name__}, want a numpy.random.Generator")


def report_nan(named_arrays):
    """One RuntimeWarning for the first of the (name, array) pairs that contains NaN.

    Called from functions decorated by numpy.errstate, whose frame the fourth stack level skips.
    """
    for name, array in named_arrays:
        if np.isnan(array).any():
            warnings.warn(f"{name} contains NaN: numbers overflowed to inf and met inf - inf or 0 * inf",
                          RuntimeWarning, stacklevel=4)
            return
