"""Plain values as JSON, so that a process can take them from one that it does not trust.

None, booleans, numbers, text, NumPy arrays of numbers, lists, tuples and dictionaries. Nothing that runs when it is read.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["decode", "encode"]

LARGEST = 50_000_000  # bytes in one array


def encode(value: Any, function: Callable[[Callable], Any] | None = None) -> Any:
    """`value` as JSON has it; `function` says what stands for a function. TypeError: anything else, named."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufc" or value.nbytes > LARGEST:
            raise TypeError(f"an array of {value.nbytes:,} bytes of {value.dtype} can't be graded, want numbers and at most {LARGEST:,} bytes")
        return {"array": base64.b64encode(np.ascontiguousarray(value).tobytes()).decode(), "shape": value.shape, "dtype": value.dtype.str}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__ if type(value) in (list, tuple) else "tuple": [encode(each, function) for each in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(each, function)] for key, each in value.items()]}
    if callable(value) and function:
        return {"function": function(value)}
    raise TypeError(f"a {type(value).__name__} can't be graded, want numbers, arrays, lists, tuples, dictionaries")


def decode(value: Any, function: Callable[[Any], Callable] | None = None) -> Any:
    """The value that `encode` took; `function` makes one of what stands for it. ValueError: no such text."""
    if not isinstance(value, dict):
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
    else:
        match value:
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
