"""Is this gradient right? Analytic gradients against central differences (chapter 1).

A central difference (f(x + s) - f(x - s)) / 2s has two errors: the truncated Taylor series, of order s^2,
and the rounding of f, of order eps |f| / s. Their sum is smallest near s = cbrt(eps), 6e-6 in float64
(Nocedal & Wright, Numerical Optimization, 2nd ed., section 8.1).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gradients.validation import as_array

__all__ = ["GradientCheck", "central_differences", "gradient_check"]


def _positive(argument, value):
    if not (np.isscalar(value) and np.isreal(value) and np.isfinite(value) and value > 0):
        raise ValueError(f"{argument}: got {value!r}, want a finite number > 0")


def _loss(f, x):
    value = np.asarray(f(x))
    if value.shape != () or value.dtype.kind not in "fiu" or not np.isfinite(value):
        raise ValueError(f"f: got {value!r}, want one finite number")
    return float(value)


def central_differences(
    f: Callable[[np.ndarray], float], x: np.ndarray, step: float | None = None
) -> np.ndarray:
    """df/dx entry by entry, (f(x + s) - f(x - s)) / 2s: an array like x (chapter 1).

    f     takes an array like x (a copy, changed in place between calls), returns a finite number
    x     any shape, finite, never modified; float32 is kept, integers become float64
    step  s for every entry; None: cbrt(eps) max(1, |x_i|), with the eps of x's dtype

    2 x.size calls of f.
    ValueError: x or a value of f isn't finite, f doesn't return a number, step isn't positive.
    """
    x = as_array("x", x)
    if step is not None:
        _positive("step", step)
    return _differences(f, x, _default_steps(x) if step is None else np.full_like(x, step))


def _default_steps(x):
    return np.cbrt(np.finfo(x.dtype).eps) * np.maximum(1, np.abs(x))


def _differences(f, x, steps):
    point, slope = x.copy(), np.empty_like(x)
    for i in np.ndindex(x.shape):
        above, below = x[i] + steps[i], x[i] - steps[i]
        if above == below:
            raise ValueError(f"step: got {steps[i]:.3g}, want one that changes x{list(i)} = {x[i]:.3g}")
        point[i] = above
        f_above = _loss(f, point)
        point[i] = below
        f_below = _loss(f, point)
        point[i] = x[i]
        slope[i] = (f_above - f_below) / float(above - below)
    return slope


def _power_of_ten(bound):
    """Rounded up, so that what is printed doesn't depend on how a processor rounds."""
    return f"1e{math.ceil(round(math.log10(bound), 6))}"


@dataclass
class GradientCheck:
    """The outcome of `gradient_check`; true if the gradient passed.

    ok              whether every array passed
    relative_error  the error at the worst entry, relative to the largest entry of its array
    worst           the name of the array where the error is largest compared with what is allowed there
    index           where in that array
    analytic        the given gradient there
    numeric         the central difference there
    tolerance       the relative error allowed: in that array if it failed, else in the array where most was
                    allowed. 1 or more says that some gradient is so small that the check can't see it.
    """

    ok: bool
    relative_error: float
    worst: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    tolerance: float

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if not self.ok:
            where = f"{self.worst}[{', '.join(map(str, self.index))}]" if self.index else self.worst
            return (f"gradient check failed at {where}: analytic {self.analytic:.3g}, central difference {self.numeric:.3g}\n"
                    f"relative error {self.relative_error:.3g}, allowed {_power_of_ten(self.tolerance)}")
        if self.tolerance >= 1:
            return "gradient check passed, but some gradient is too small to be told from the rounding of f"
        return f"gradient check passed: relative error < {_power_of_ten(self.tolerance)}"


def _compare(name, analytic, numeric, rtol, noise):
    error = np.abs(analytic - numeric)
    index = tuple(map(int, np.unravel_index(error.argmax(), error.shape)))
    largest = float(max(np.abs(analytic).max(), np.abs(numeric).max())) or 1.0
    relative_error = float(error[index]) / largest
    tolerance = float(max(rtol, noise / largest))
    return GradientCheck(relative_error <= tolerance, relative_error, str(name), index,
                         float(analytic[index]), float(numeric[index]), tolerance)


def gradient_check(
    f: Callable[..., float],
    parameters: Mapping[str, np.ndarray] | np.ndarray,
    gradients: Mapping[str, np.ndarray] | np.ndarray,
    *,
    rtol: float = 1e-7,
) -> GradientCheck:
    """Compare `gradients` with central differences of f at `parameters` (chapter 1).

    f           takes what `parameters` is, a dict of arrays or one array; returns the loss, a finite number
    parameters  dict name -> array of any shape, or one array; never modified
    gradients   dict with the same names and shapes, or one array: what is to be checked

    Errors are relative to the largest entry of their array, whose small entries a central difference can't
    resolve. An array passes if no error exceeds rtol or, where that is more, one rounding of f,
    eps |f| / cbrt(eps), divided by the largest entry.
    An array that fails is looked at more closely before it is blamed. Extrapolation from two steps,
    (4 D(s) - D(2s)) / 3, cancels the error s^2 of a strongly curved f; what is left is mostly rounding inside f,
    and ten times the change of the extrapolated values when s is doubled is allowed for it.
    For float32, use rtol=1e-2. Calls f once, and twice for every entry; six times in an array that fails.

    ValueError: names or shapes of `gradients` that differ from those of `parameters`, NaN or inf in
    either or in a value of f, rtol that isn't positive.
    """
    _positive("rtol", rtol)
    bare = not isinstance(parameters, Mapping)
    if bare == isinstance(gradients, Mapping):
        kinds = ("an array", "a dict") if bare else ("a dict", "an array")
        raise ValueError(f"gradients: got {kinds[1]}, want {kinds[0]} as parameters is")
    if bare:
        values = {"parameters": as_array("parameters", parameters)}
        analytic = {"parameters": as_array("gradients", gradients)}
    else:
        if not parameters:
            raise ValueError("parameters: got an empty dict, want at least one array")
        if set(parameters) != set(gradients):
            raise ValueError(f"gradients: got names {list(gradients)}, want {list(parameters)}")
        values = {name: as_array(f"parameters[{name!r}]", parameters[name]) for name in parameters}
        analytic = {name: as_array(f"gradients[{name!r}]", gradients[name]) for name in parameters}
    for name, x in values.items():
        if analytic[name].shape != x.shape:
            argument = "gradients" if bare else f"gradients[{name!r}]"
            raise ValueError(f"{argument}: got shape {analytic[name].shape}, want {x.shape}")

    def loss(values):
        return _loss(f, values["parameters"] if bare else values)

    def differences(name, factor):
        x = values[name]
        return _differences(lambda x: loss({**values, name: x}), x, factor * _default_steps(x))

    size_of_f = abs(loss(values))
    checks = []
    for name, x in values.items():
        eps = float(np.finfo(x.dtype).eps)
        noise = eps * size_of_f / np.cbrt(eps)
        numeric = differences(name, 1)
        check = _compare(name, analytic[name], numeric, rtol, noise)
        if not check.ok:
            twice = differences(name, 2)
            extrapolated, coarser = (4 * numeric - twice) / 3, (4 * twice - differences(name, 4)) / 3
            noise = max(noise, 10 * np.abs(extrapolated - coarser).max())
            check = _compare(name, analytic[name], extrapolated, rtol, noise)
        checks.append(check)
    worst = max(checks, key=lambda check: check.relative_error / check.tolerance)
    if worst.ok:
        worst.tolerance = max(check.tolerance for check in checks)
    return worst
