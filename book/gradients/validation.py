"""Checks of arguments that the modules of this package share."""

import numpy as np

__all__ = ["as_array"]


def as_array(argument, value, shape=None, *, dtype=None, finite=True):
    """`value` as an array of real numbers.

    argument  its name in error messages
    shape     what it must be, None for any length; None altogether: any shape
    dtype     what it is converted to; None: float32 and float64 are kept, all else becomes float64
    finite    whether NaN and inf are refused

    ValueError: ragged rows, no real numbers, another shape, no entries, NaN or inf.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{argument}: got rows of unequal length, want an array") from None
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "fiub":
            raise ValueError(f"{argument}: got dtype {array.dtype}, want real numbers")
        array = array.astype(np.float64)
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
