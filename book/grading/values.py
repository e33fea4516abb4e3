"""Plain values as JSON, so that a process can take them from one that it does not trust.

None, booleans, numbers, text, NumPy arrays of numbers, lists, tuples and dictionaries. Nothing that runs when it is read.
"""

from __future__ import annotations

import base64
import re
import reprlib
import sys
from collections import deque
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence, Set, ValuesView
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

__all__ = ["ANSWERING", "Items", "Other", "Room", "TooLarge", "as_real", "decode", "encode", "name_of", "size_of"]

ANSWERING = "gradients", "torch", "tensorflow", "jax", "autograd", "sympy"  # packages that would answer the questions
LARGEST = 50_000_000  # bytes of all arrays and text in one value
ENTRIES = 300_000  # in all its lists, tuples and dictionaries
NAME = 100  # characters
IN_KEY = 8  # of a tuple that is a key
KEYS = 1000  # in one dictionary: keys with the same hash, chosen by a student, would take the square of it
DEEPEST = 50  # lists in lists
DIGITS = 2000  # binary, of a whole number; Python can be told to write no more than 640 decimal ones
DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|c8|c16)")
WANTED = "want numbers, arrays of numbers, lists, tuples, dictionaries"


class Other:
    """Stands in a dictionary for a value that is not plain; `kind` is the name of its class."""

    def __init__(self, kind: str):
        self.kind = kind


class Items(Other, Mapping):
    """Stands for an object with entries that is no dictionary, list or array, such as a dataclass with a `__getitem__`.

    get      asks the object for the entry of a key; it may raise anything
    entries  those that iteration gives; None if it gives none
    array    what NumPy makes of it, or None

    Entries in a row also have numbers and slices, since `loss, dW, db = value` takes them as well.
    """

    def __init__(self, kind: str, get: Callable[[Any], Any], entries: list | None, array: np.ndarray | None):
        super().__init__(kind)
        self.get, self.entries, self.array = get, entries, array

    def __getitem__(self, key):
        in_row = self.entries is not None and isinstance(key, (int, np.integer, slice))
        if isinstance(key, slice):
            if in_row:
                return self.entries[key]
            raise TypeError(f"a {self.kind} has no slices here")
        try:
            return self.get(key)
        except Exception:  # whatever a student's code raises
            if in_row and -len(self.entries) <= key < len(self.entries):
                return self.entries[key]
            raise

    def __iter__(self):
        return iter(self.entries or ())

    def __len__(self):
        return len(self.entries or ())

    def __array__(self, dtype=None, copy=None):
        if self.array is None and self.entries is None:
            raise TypeError(f"a {self.kind} is no array")
        return np.asarray(self.entries if self.array is None else self.array, dtype)


class TooLarge(TypeError):
    """A value for which there is no room."""


class Room:
    """How much may still be sent; counted before it is copied. A value inside itself ends here, too."""

    def __init__(self, entries: int = ENTRIES, size: int = LARGEST):
        self.entries, self.size = entries, size

    def take(self, entries: int, size: int = 0) -> None:
        """TooLarge: there is less room."""
        self.entries -= entries
        self.size -= size
        if self.entries < 0 or self.size < 0:
            raise TooLarge(f"a value can't be graded, {WANTED}, not too large")


def encode(value: Any, function: Callable[[Callable], Any] | None = None, room: Room | None = None, exact: bool = False, depth: int = 0,
           items: Callable[[Any], int] | None = None) -> Any:
    """`value` as JSON has it; `function` says what stands for a function. TypeError: anything else, named.

    With `exact` no code of the value's class runs: what it says about itself (`__class__`, `__len__`, `__iter__`) does
    not count. A dictionary may have values that are not plain; `Other` stands for them. Without `exact` any Mapping, Sequence
    and Iterator (of a generator, of `map`) passes as well, and what else has entries: as `Items`, for which `items` gives
    a number to ask for them; without it, as a dictionary or a list.
    """
    room, kind = room or Room(), type(value)  # a class derived from list is a list in C, whatever its methods say

    def inner(each, function=function):
        return encode(each, function, room, exact, depth + 1, items)

    room.take(1)
    if depth > DEEPEST:
        raise TooLarge(f"a value can't be graded, {WANTED}, not inside themselves and not nested deeper than {DEEPEST}")
    if value is None or kind is bool:
        return value
    if not exact and any(issubclass(kind, base) and kind.__getitem__ is not base.__getitem__ for base in (tuple, list, dict)):
        return _items(value, room, inner, items)  # layers counted from 1, say, or names for the entries
    if issubclass(kind, np.ndarray):
        array = np.ndarray.view(value, np.ndarray)
        if array.dtype.kind in "biufc":
            return _array(array, "array", room)
        if array.dtype == object:
            room.take(array.size)
            return inner(array.tolist())
    if issubclass(kind, np.generic):
        array = np.generic.__array__(value)
        if array.dtype.kind in "biufc":
            return _array(array, "scalar", room)
    if issubclass(kind, float):
        return float.__float__(value)
    if issubclass(kind, complex):
        return _array(np.array(complex.__complex__(value)), "scalar", room)
    if issubclass(kind, int):
        number = int.__int__(value)
        room.take(0, number.bit_length() // 3)
        if number.bit_length() < DIGITS:
            return number
    if issubclass(kind, str):
        room.take(0, str.__len__(value))
        return str.__str__(value)
    if issubclass(kind, dict):
        return _dictionary(dict.items(value), dict.__len__(value), inner)
    for base in (tuple, list, deque):
        if issubclass(kind, base):
            return {"tuple" if base is tuple else "list": _entries(base.__iter__(value), base.__len__(value), room, inner)}
    if any(kind is each for each in (range, type({}.keys()), type({}.values()))):  # `in` would ask a metaclass
        return {"list": _entries(value, len(value), room, inner)}
    if not exact:
        if isinstance(value, Mapping):
            return _dictionary(value.items(), len(value), inner)
        if isinstance(value, (Sequence, KeysView, ValuesView)):
            return {"list": _entries(value, len(value), room, inner)}
        if isinstance(value, Iterator):
            return {"list": [inner(each) for each in value]}
        if _has_entries(value):
            return _items(value, room, inner, items)
    if callable(value) and function:
        return {"function": function(value)}
    raise TypeError(f"{name_of(kind)} can't be graded, {WANTED}, not too large")


def name_of(kind: type) -> str:
    """The name of a class, which its metaclass can't change; of a long one, the beginning."""
    return type.__dict__["__name__"].__get__(kind)[:NAME]


def size_of(value: Any) -> int:
    """The bytes that a value which `decode` has made takes in memory, with all that is in it."""
    size, rest = 0, [value]
    while rest:
        each = rest.pop()
        if isinstance(each, np.ndarray) and each.base is not None:  # a view
            each = each.base
        size += sys.getsizeof(each)
        if isinstance(each, (list, tuple)):
            rest += each
        elif isinstance(each, dict):
            rest += [*each.keys(), *each.values()]
        elif isinstance(each, Items):
            rest += [each.entries, each.array]
    return size


def as_real(value: Any) -> Any:
    """`value`, with complex numbers and arrays as real ones where the imaginary parts are what rounding leaves.

    Rounding may leave half of the digits, as in the root of an eigenvalue that should be 0. The bound is relative to the
    largest entry of an array; as in `marks.difference`, 1e-12 counts as 0.
    """
    match value:
        case complex() | np.complexfloating() | np.ndarray() if np.iscomplexobj(value):
            bound = 4 * np.sqrt(np.finfo(np.asarray(value).dtype).eps) * np.abs(value).max(initial=0) if np.size(value) else 0
            return value.real if np.all(np.abs(np.imag(value)) <= bound + 1e-12) else value
        case dict():
            return {key: as_real(each) for key, each in value.items()}
        case list() | tuple():
            return type(value)(map(as_real, value))
    return value


def _has_entries(value):
    kind = type(value)
    if issubclass(kind, (np.ndarray, np.generic)):
        return value.dtype.names is not None  # records
    found = any(hasattr(kind, name) for name in ("__getitem__", "__iter__", "__array__"))
    return found and not isinstance(value, (type, Set))  # what a set gives is in no order


def _items(value, room, inner, items):
    """What is said of `Items`; or simply a list, an array, a dictionary, if that is all. TypeError: it has no entries."""
    kind, array = type(value), None
    if hasattr(kind, "__array__") and not issubclass(kind, (np.ndarray, np.generic)):
        numbers = np.asarray(value)
        array = _array(numbers, "array", room) if numbers.dtype.kind in "biufc" else None
    names = _names(value)
    if array and names is None:
        return array
    if items is None and names is not None:
        return _dictionary([(name, value[name]) for name in names], len(names), inner)
    entries = _in_a_row(value, inner)
    if items and hasattr(kind, "__getitem__"):
        return {"items": items(value), "kind": name_of(kind), "entries": entries, "array": array}
    if entries is None:
        raise TypeError(f"{name_of(kind)} can't be graded, {WANTED}, not too large")
    return {"list": entries}


def _names(value):
    """The keys of what is like a dictionary; None if nothing says what they are."""
    if issubclass(type(value), (np.ndarray, np.generic)):
        return list(value.dtype.names)
    if hasattr(type(value), "keys") and hasattr(type(value), "__getitem__"):
        return list(islice(value.keys(), KEYS))
    return None


def _in_a_row(value, inner):
    """What iteration gives; None if it raises, or gives more than is plain and small."""
    try:
        entries = list(islice(iter(value), KEYS + 1))
        return [inner(each) for each in entries] if len(entries) <= KEYS else None
    except Exception:  # whatever a student's code raises
        return None


def _array(array, name, room):
    room.take(0, array.nbytes)
    if array.dtype.itemsize > 16 or array.dtype == np.longdouble:
        with np.errstate(all="ignore"):
            array = array.astype(float)
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return {name: data, "shape": array.shape, "dtype": array.dtype.str}


def _entries(values, length, room, inner):
    if length > room.entries:
        room.take(length)
    return [inner(each) for each in islice(values, length)]


def _dictionary(items, length, inner):
    if length > KEYS:
        raise TooLarge(f"a dictionary with {length} keys can't be graded, want {KEYS} at most")

    def value(each):
        try:
            return inner(each)
        except TooLarge:
            raise
        except TypeError:
            return {"other": name_of(type(each))}

    return {"dict": [[_key(inner(key, None)), value(each)] for key, each in list(islice(items, length))]}


def _key(key):
    """The key of a dictionary, as JSON has it. TypeError: one that takes long to compare with others."""
    match key:
        case {"scalar": _}:
            return key
        case {"tuple": list(parts)} if len(parts) <= IN_KEY and not any(isinstance(part, dict) for part in parts):
            return key
        case dict():
            raise TypeError(f"a key can't be graded, want text, numbers, or tuples of {IN_KEY} of them at most")
    return key


def decode(value: Any, function: Callable[[Any], Callable] | None = None, item: Callable[[int, Any], Any] | None = None) -> Any:
    """The value that `encode` took; `function` makes one of what stands for it. ValueError: no such text.

    item  gives the entry of `Items` with this number for a key
    """
    if not isinstance(value, dict):
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
    else:
        match value:
            case {"scalar": str(text), "dtype": str(dtype)} if DTYPE.fullmatch(dtype):
                return np.frombuffer(base64.b64decode(text), dtype)[0]
            case {"array": str(text), "shape": list(shape), "dtype": str(dtype)} if DTYPE.fullmatch(dtype):
                return np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy()
            case {"list": list(parts)}:
                return [decode(each, function, item) for each in parts]
            case {"tuple": list(parts)}:
                return tuple(decode(each, function, item) for each in parts)
            case {"dict": list(pairs)} if len(pairs) <= KEYS:
                return {decode(_key(key)): decode(each, function, item) for key, each in pairs}
            case {"other": str(kind)}:
                return Other(kind[:NAME])
            case {"items": int(number), "kind": str(kind), "entries": list() | None as entries, "array": dict() | None as array} if item:
                entries = [decode(each, function, item) for each in entries] if entries is not None else None
                return Items(kind[:NAME], partial(item, number), entries, decode(array) if array else None)
            case {"function": known} if function:
                return function(known)
    raise ValueError(f"value: got {reprlib.repr(value)}, want what encode makes")
