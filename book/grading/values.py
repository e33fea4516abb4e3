"""Plain values as JSON, so that a process can take them from one that it does not trust.

None, booleans, numbers, text, NumPy arrays of numbers, lists, tuples and dictionaries. Nothing that runs when it is read.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, KeysView, Mapping, Sequence, ValuesView
from typing import Any

import numpy as np

__all__ = ["decode", "encode"]

LARGEST = 50_000_000  # bytes in one array
DIGITS = 10_000  # binary, of a whole number


def encode(value: Any, function: Callable[[Callable], Any] | None = None) -> Any:
    """`value` as JSON has it; `function` says what stands for a function. TypeError: anything else, named."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.tolist()
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc" and value.nbytes <= LARGEST:
        if value.dtype.itemsize > 16 or value.dtype == np.longdouble:
            value = value.astype(float)
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        kind = "scalar" if isinstance(value, np.generic) else "array"
        return {kind: data, "shape": value.shape, "dtype": value.dtype.str}
    if value is None or isinstance(value, (bool, float)) or isinstance(value, int) and value.bit_length() < DIGITS:
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {"dict": [[encode(key), encode(each, function)] for key, each in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [encode(each, function) for each in value]}
    if isinstance(value, (Sequence, KeysView, ValuesView)):
        return {"list": [encode(each, function) for each in value]}
    if callable(value) and function:
        return {"function": function(value)}
    raise TypeError(f"{type(value).__name__} can't be graded, want numbers, arrays of numbers, lists, tuples, dictionaries, not too large")


def decode(value: Any, function: Callable[[Any], Callable] | None = None) -> Any:
    """The value that `encode` took; `function` makes one of what stands for it. ValueError: no such text."""
    if not isinstance(value, dict):
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
    else:
        match value:
            case {"scalar": str(text), "dtype": str(dtype)} if np.dtype(dtype).kind in "biufc":
                return np.frombuffer(base64.b64decode(text), dtype)[0]
            case {"array": str(text), "shape": list(shape), "dtype": str(dtype)} if np.dtype(dtype).kind in "biufc":
                return np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy()
            case {"list": list(parts)}:
                return [decode(each, function) for each in parts]
            case {"tuple": list(parts)}:
                return tuple(decode(each, function) for each in parts)
            case {"dict": list(pairs)}:
                return {decode(key): decode(each, function) for key, each in pairs}
            case {"function": known} if function:
                return function(known)
    raise ValueError(f"value: got {value!r:.60}, want what encode makes")
