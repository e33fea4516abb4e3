"""Compare what a student's function returns with what is right, and say in words what was expected of which quantity."""

from __future__ import annotations

import builtins
import contextlib
import os
import reprlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from .values import Other, as_real

__all__ = ["Marks", "NotAsExpected", "SEED", "StudentError", "check", "checks", "difference", "number", "one_seed", "own", "shown", "varies"]

SEED = "GRADING_SEED"  # the environment variable that says which inputs to draw
LONGEST = 1000  # characters of what is said of one item
TOLERANCE = 1e-4  # of the largest entry: float32 passes, and any order of summation


def one_seed(course: Path) -> str:
    """The seed of all inputs in a course: GRADING_SEED, or else that in its file `grading_seed.txt`, drawn the first time.

    ValueError: there is no number in the file.
    """
    if seed := os.environ.get(SEED):
        return seed
    file = course / "grading_seed.txt"
    if not file.exists():
        new = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        new.write_text(f"{secrets.randbelow(10**6)}\n")
        try:
            os.link(new, file)  # with the number in it, or not at all
        except FileExistsError:  # another process was the first
            pass
        except OSError:  # a disk that has no links
            os.replace(new, file)
        new.unlink(missing_ok=True)
    seed = file.read_text().strip()
    if not seed.isdecimal():
        raise ValueError(f"{file}: got {seed!r:.60}, want a whole number; without the file another one is drawn")
    return seed


class StudentError(Exception):
    """What a student's code raised in another process, or that it was stopped; `name` is the exception's class there."""

    def __init__(self, name: str, message: str, traceback: str = ""):
        super().__init__(f"{name}: {message}" if message else name)
        self.name, self.traceback = name, traceback

    __str__ = Exception.__str__  # KeyError has another one

    @classmethod
    def like(cls, kind: str, *args: str) -> StudentError:
        """One that is also an exception of Python's own kind, so that `except ValueError` catches what was one."""
        built_in = getattr(builtins, kind, None)
        if isinstance(built_in, type) and issubclass(built_in, (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)):
            with contextlib.suppress(TypeError):  # some ask for other arguments
                return type(cls.__name__, (cls, built_in), {})(*args)
        return cls(*args)

    def _render_traceback_(self):  # IPython shows this
        return (self.traceback or str(self)).rstrip().split("\n")


def difference(name: str, got: Any, want: Any, tolerance: float = TOLERANCE) -> str | None:
    """What is wrong with `got`, in words; None if it agrees with `want`.

    Numbers and arrays agree if they have the same shape and no entry is further off than `tolerance` times the largest
    entry of `want`; dictionaries and sequences if all their entries do. A number may come as an array with one entry.
    """
    if isinstance(want, Mapping):
        if not isinstance(got, Mapping):
            return f"{name}: expected a dictionary with {_listed(want)}, got {_kind(got)}"
        missing = [key for key in want if key not in got]
        if missing:
            return f"{name}: expected an entry {missing[0]!r}, got only {_listed(got)}"
        return next(filter(None, (difference(f"{name}[{key!r}]", got[key], want[key], tolerance) for key in want)), None)
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple, np.ndarray)) or len(got) != len(want):
            size = f" of {len(got)}" if isinstance(got, (list, tuple)) else ""
            return f"{name}: expected {len(want)} values, got {_kind(got)}{size}"
        pairs = enumerate(zip(got, want))
        return next(filter(None, (difference(f"{name}[{i}]", g, w, tolerance) for i, (g, w) in pairs)), None)
    if want is None or isinstance(want, (str, bool)):
        plain = got is None or isinstance(got, (str, bool, np.bool_))
        return None if plain and got == want else f"{name}: expected {want!r}, got {got!r:.60}"
    return _numbers(name, got, want, tolerance)


def _numbers(name, got, want, tolerance):
    want = np.asarray(want)
    if not np.isfinite(want).all():  # it follows from a student's own numbers, and anything would agree with it
        return f"{name}: expected nothing, got {_kind(got)}"
    try:
        array = np.asarray(as_real(got))
        if array.dtype.kind not in "biuf":
            raise TypeError
    except (TypeError, ValueError):
        return f"{name}: expected {_sort(want)}, got {_kind(got)}"
    if array.shape != want.shape and not (want.ndim == 0 and array.size == 1):
        return f"{name}: expected the shape {want.shape}, got {array.shape}"
    array = array.reshape(want.shape).astype(float)
    if not np.isfinite(array).all():
        return f"{name}: expected finite numbers, got {array[~np.isfinite(array)].flat[0]}"
    off = np.abs(array - want)
    if (off <= tolerance * np.abs(want).max(initial=0) + 1e-12).all():
        return None
    at = np.unravel_index(off.argmax(), off.shape)
    where = f"[{', '.join(str(i) for i in at)}]" if want.ndim else ""
    return f"{name}{where}: expected {want[at]:.6g}, got {array[at]:.6g}"


def number(value: Any) -> Any:
    """A student's number, for the tests to put beside others: an array with one entry becomes that entry; all else stays."""
    return value.reshape(())[()] if isinstance(value, np.ndarray) and value.size == 1 else value


def _line(words):
    """On one line, and not too long, whatever a student's exception says: no message may look like a line of the tests' own."""
    words = words if len(words) <= LONGEST else words[:LONGEST] + " …"
    return "".join(each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode() for each in words)


def _sort(want):
    return "a number" if want.ndim == 0 else f"an array of shape {want.shape}"


def _listed(names):
    return ", ".join(map(reprlib.repr, islice(names, 20))) or "nothing"


def _kind(value):
    if isinstance(value, Other):
        return f"a {value.kind}"
    return "None (is there a return?)" if value is None else f"a {type(value).__name__}"


class NotAsExpected(AssertionError):
    """Public checks that failed, in words, one to a line."""

    def _render_traceback_(self):  # IPython shows this, and `nbgrader validate`
        return str(self).split("\n")


def _say(words):
    """Raise them. In grading, where a public check counts for nothing, print them: the rest of its cell is to run."""
    if os.environ.get("NBGRADER_EXECUTION") == "autograde":
        print(words)
    else:
        raise NotAsExpected(words)


changes: set[tuple[str, str]] = set()  # (function, argument): what students' functions have changed of what they were given
_failed: list[str] | None = None  # in a `checks` block, what is wrong so far


def check(name: str, got: Any, want: Any, tolerance: float = TOLERANCE) -> None:
    """A public check: print that `got` is as expected. NotAsExpected: it is not; in a `checks` block, at its end."""
    words = difference(name, got, want, tolerance)
    if not words:
        print(f"{name}: as expected")
    elif _failed is None:
        _say(_line(words))
    else:
        _failed.append(_line(words))


@contextlib.contextmanager
def checks() -> Iterator[None]:
    """Several public checks, each of which is made, whatever the others find. NotAsExpected: what the failed ones say.

    Where the code between them raises an error, that error is the one raised, and what has failed before is printed.
    """
    global _failed
    _failed = failed = []
    try:
        yield
    except BaseException:
        print("".join(f"{words}\n" for words in failed), end="")
        raise
    finally:
        _failed = None
    if failed:
        _say("\n".join(failed))


def varies(value: Any, elsewhere: Sequence[Callable[[], Any]]) -> bool:
    """Whether a student's numbers are others, by a hundredth of their size, with each of the other inputs.

    elsewhere  functions that give the same result with other inputs, those that it must depend on
    """
    value = np.asarray(value, dtype=float)

    def is_other(found):
        return found.shape == value.shape and np.isfinite(found).all() and np.abs(found - value).max() > 1e-2 * np.abs(value).max()

    return all(is_other(np.asarray(found(), dtype=float)) for found in elsewhere)


def own(got: Callable[[], Any], right: Any, given: Sequence[Any] = (), elsewhere: Sequence[Callable[[], Any]] = ()) -> np.ndarray:
    """A student's own result, for the tests to go on from: so a mistake costs the step where it was made, and no other.

    It is `right` where the student's own would prove nothing, as what follows from it follows from anything: no numbers
    of that shape, all of one value, 0, not finite, not within a factor of 1000 of what is right, one of the arrays
    `given` to the student, or the same with other inputs, `elsewhere` as in `varies`.
    """
    right = np.asarray(right, dtype=float)
    try:
        value = np.asarray(got(), dtype=float)
        if right.ndim == 0 and value.size == 1:
            value = value.reshape(())
        if value.shape != right.shape or not _in_range(value, right):
            return right
        handed_back = any(np.shape(each) == value.shape and np.allclose(each, value) for each in given)
        return right if handed_back or not varies(value, elsewhere) else value
    except Exception:  # whatever a student's code raises
        return right


def _in_range(value, right):
    """Of a size that may be, and not all of one value."""
    size, wanted = np.abs(value).max(initial=0), np.abs(right).max(initial=0)
    smallest, largest = (wanted / 1000, wanted * 1000) if wanted else (1e-6, 1e9)
    return smallest < size < largest and (value.size == 1 or np.ptp(value) > TOLERANCE * size)


def shown(want: Any, *without: Any) -> list:
    """[want], for `Marks.follows`, if it shows each step of the way; [] if a student's own numbers make one of them vanish.

    without  what follows from the same numbers with a step left out, one for each step. It must be off by ten tolerances
    """
    return [] if any(difference("", each, want, 10 * TOLERANCE) is None for each in without) else [want]


class Marks:
    """The marks of one graded cell: a sum of items, each of which is earned or not.

    points  that the cell is worth
    rng     a generator for fresh inputs. Its seed is the environment variable GRADING_SEED, 0 without it

    An item that raises is not earned; the others count. The last line of the cell is `marks.score()`.
    """

    def __init__(self, points: float):
        seed = os.environ.get(SEED, "0")
        if not seed.isdecimal():
            raise ValueError(f"{SEED}: got {seed!r}, want a whole number, 0 or larger")
        self.points, self.rng = points, np.random.default_rng(int(seed))
        self._offered = self._earned = 0
        self._slipped = False  # whether an item since the last whole was not earned
        print(f"Inputs drawn with {SEED}={seed}")

    def close(self, points: float, name: str, got: Callable[[], Any], want: Any, tolerance: float = TOLERANCE) -> bool:
        """An item worth `points`: `got()` agrees with `want`, see `difference`. Whether it was earned."""
        return self._item(points, name, lambda: difference(name, got(), want, tolerance))

    def follows(self, points: float, name: str, got: Callable[[], Any], *wants: Any) -> bool:
        """An item worth `points`: `got()` agrees with one of `wants`, of which the last is right.

        The others are what follows from the student's own results, see `own`. Whether it was earned.
        """
        return self._item(points, name, lambda: self._follows(name, got, wants))

    def true(self, points: float, name: str, fact: Callable[[], bool], wanted: str) -> bool:
        """An item worth `points`: `fact()` is true. If it isn't, say that `wanted` was. Whether it was earned."""
        return self._item(points, name, lambda: None if fact() else f"{name}: expected {wanted}")

    @staticmethod
    def _follows(name, got, wants):
        value = got()
        words = [difference(name, value, want) for want in wants]
        return None if None in words else words[-1]

    @staticmethod
    def _problem(name, problem):
        try:
            return problem()
        except NameError as error:
            return f"{name}: {error}; was it renamed?"
        except StudentError as error:
            return f"{name}: {error}"
        except Exception as error:  # whatever a student's code raises
            return f"{name}: {type(error).__name__}: {error}"

    def _item(self, points, name, problem):
        words = self._problem(name, problem)
        self._offered += points
        self._earned += 0 if words else points
        self._slipped = self._slipped or bool(words)
        print(f"0 of {points}  {_line(words)}" if words else f"{points} of {points}  {name}")
        return not words

    def whole(self, points: float, name: str, got: Callable[[], Any], *wants: Any) -> None:
        """After the steps of a function, the function as it is: `got()` agrees with one of `wants`, as in `follows`.

        If not, though all items since the last whole were earned, that costs `points`: no step has shown the mistake.
        So does a change of what it was given: the tests pass copies, and no step shows it.
        Where a step has lost its points, the whole costs nothing more.
        """
        steps_right, self._slipped = not self._slipped, False
        changes.clear()  # those of other functions, which the steps have called, cost elsewhere
        words = self._problem(name, lambda: self._follows(name, got, wants) or self._unchanged(name))
        if steps_right and words:
            self._earned -= points
            print(f"-{points}  {_line(words)}, though each step seems right")

    @staticmethod
    def _unchanged(name):
        changed = [f"{function} has changed {argument}" for function, argument in sorted(changes)]
        return f"{name}: expected arguments that stay as they are; {', '.join(changed)}" if changed else None

    @property
    def earned(self) -> float:
        """The points so far: an item that alone proves little can ask for some."""
        return self._earned

    def score(self) -> float:
        """The points earned. ValueError if the items don't add up to the points of the cell."""
        if self._offered != self.points:
            raise ValueError(f"points: the items add up to {self._offered}, want {self.points}")
        return self._earned
