"""Gradient clipping, between the backward pass over the whole batch and the optimiser's step (chapter 5).

Gradients are a dict name -> array, all the parameters of a net, or one array. To clip, they are taken
as one long vector g. What comes back are new arrays, in a dict if a dict was given, with the shapes and
dtypes they had (float64 or float32; integers become float64). Nothing given is modified.

Clipping refuses NaN and inf with a FloatingPointError. Scaling can't repair them (inf * 0 is NaN), and
one step with them would destroy every weight they reach; who catches the error can skip the step or lower the rate.
torch.nn.utils.clip_grad_norm_ passes them on silently unless told error_if_nonfinite=True.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from numbers import Real

import numpy as np

from gradients.validation import as_array, check_finite

__all__ = ["clip_adaptively", "clip_by_norm", "clip_by_value", "global_norm"]


def _arrays(gradients):
    """Name in error messages -> array, in the order of `gradients`."""
    if is_dataclass(gradients):
        raise ValueError(f"gradients: got {type(gradients).__name__}, want a dict name -> array, such as "
                         f"{'gradients.parameters' if hasattr(gradients, 'parameters') else 'gradients.dW'}, or one array")
    if not isinstance(gradients, Mapping):
        return {"gradients": as_array("gradients", gradients, finite=False)}
    if not gradients:
        raise ValueError("gradients: got an empty dict, want at least one array")
    names = {name: f"gradients[{name!r}]" for name in gradients}
    return {names[name]: as_array(names[name], gradients[name], finite=False) for name in gradients}


def _finite_arrays(gradients):
    arrays = _arrays(gradients)
    for argument, array in arrays.items():
        check_finite(argument, array)
    return arrays


def _like(gradients, arrays):
    return dict(zip(gradients, arrays)) if isinstance(gradients, Mapping) else arrays[0]


def _threshold(value):
    if not (isinstance(value, Real) and not isinstance(value, bool) and value > 0):
        raise ValueError(f"threshold: got {value!r}, want a number > 0, or inf for no clipping")
    return float(value)


def _largest_and_ratio(arrays):
    """The largest |g_i| and ||g|| / that: two numbers, since their product may overflow though no entry does."""
    largest = float(np.max([np.abs(array).max() for array in arrays.values()]))
    if largest == 0 or not np.isfinite(largest):
        return largest, 1.0
    return largest, float(np.sqrt(sum(np.sum(_divide(array, largest) ** 2) for array in arrays.values())))


def _divide(array, number):
    return np.divide(array, number, dtype=np.float64)


def global_norm(gradients: Mapping[str, np.ndarray] | np.ndarray) -> float:
    """||g|| = sqrt(sum_i g_i^2) over the entries of all arrays, computed in float64 (chapter 5; source 2).

    gradients  dict name -> array of any shape, or one array

    The norm of entries as large as 1e200 or as small as 1e-200 is right: they are scaled before they are squared.
    To measure isn't to clip: inf among the entries gives inf, NaN gives NaN.
    ValueError: an empty dict, an array without entries or not of real numbers.
    """
    largest, ratio = _largest_and_ratio(_arrays(gradients))
    return largest * ratio


def clip_by_norm(
    gradients: Mapping[str, np.ndarray] | np.ndarray, threshold: float
) -> tuple[dict[str, np.ndarray] | np.ndarray, float]:
    """g <- c g / ||g|| if ||g|| > c, else g itself; and ||g|| before (Pascanu et al. 2013, algorithm 1).

    gradients  dict name -> array of any shape, or one array; the norm is that of all arrays together
    threshold  c > 0; inf: no clipping, but the copies, the norm and the check for NaN and inf all the same

    Returns (clipped, norm): copies if norm <= c; otherwise the direction is kept and the norm is c, to rounding.
    torch.nn.utils.clip_grad_norm_ multiplies by min(1, c / (||g|| + 1e-6)), so that its norm is c ||g|| / (||g|| + 1e-6): a
    little below c where ||g|| is far above 1e-6, a thousandth of c at ||g|| = 1e-9. And if c is below 1e-6, every gradient,
    however small, is made smaller, also where ||g|| < c.
    ValueError: a threshold that isn't a number > 0, gradients that `global_norm` refuses.
    FloatingPointError: NaN or inf in a gradient; names the first such array and counts them (see the module).
    """
    c, arrays = _threshold(threshold), _finite_arrays(gradients)
    largest, ratio = _largest_and_ratio(arrays)
    norm = largest * ratio
    if norm <= c:
        return _like(gradients, [array.copy() for array in arrays.values()]), norm
    # c g / ||g||, where ||g|| itself may have overflowed to inf
    clipped = [np.asarray(_divide(array, largest) * (c / ratio), dtype=array.dtype) for array in arrays.values()]
    return _like(gradients, clipped), norm


@np.errstate(over="ignore")  # a threshold above the largest float32 clips nothing there
def clip_by_value(
    gradients: Mapping[str, np.ndarray] | np.ndarray, threshold: float
) -> tuple[dict[str, np.ndarray] | np.ndarray, float]:
    """g_i <- max(-c, min(g_i, c)) for every entry; and ||g|| before (chapter 5; source 2).

    gradients  dict name -> array of any shape, or one array
    threshold  c > 0, in the dtype of each array; inf as in `clip_by_norm`

    Returns (clipped, norm). The direction changes when some entries are clipped and others aren't.
    ValueError, FloatingPointError: as `clip_by_norm`.
    """
    c, arrays = _threshold(threshold), _finite_arrays(gradients)
    clipped = [np.asarray(np.clip(array, -c, c), dtype=array.dtype) for array in arrays.values()]
    largest, ratio = _largest_and_ratio(arrays)
    return _like(gradients, clipped), largest * ratio


_SHORTEST = 1e-3


def clip_adaptively(
    parameters: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], threshold: float
) -> tuple[dict[str, np.ndarray], float]:
    """For each unit, with weights w and gradient g: g <- c max(||w||, 1e-3) / ||g|| g where that is shorter; and the norm of all before.

    parameters  dict name -> array. A unit is a row of a matrix, the weights that lead to it. A vector, such as the biases
                of a layer, counts as one unit, and so does a number
    gradients   dict name -> array, with the names and shapes of `parameters`
    threshold   c > 0, the largest ratio ||g|| / ||w|| that is let through; inf as in `clip_by_norm`

    Returns (clipped, norm). The gradient of each unit keeps its direction; that of the whole changes when some units are
    clipped and others aren't. Adaptive gradient clipping, Brock et al. 2021, who leave out the last layer. Their 1e-3 lets
    weights that are 0 move at all.
    ValueError: other names or shapes than those of `parameters`, an array of more than two axes, a threshold that
    isn't a number > 0. FloatingPointError: NaN or inf in a gradient or a parameter.
    """
    for argument, value in (("parameters", parameters), ("gradients", gradients)):
        if not isinstance(value, Mapping):
            raise ValueError(f"{argument}: got {type(value).__name__}, want a dict name -> array")
    if set(parameters) != set(gradients):
        raise ValueError(f"gradients: got names {list(gradients)}, want {list(parameters)}")
    c, (_, norm) = _threshold(threshold), clip_by_norm(gradients, np.inf)
    return {name: _unit_by_unit(name, parameters[name], gradients[name], c) for name in gradients}, norm


def _unit_by_unit(name, weights, gradient, c):
    gradient = as_array(f"gradients[{name!r}]", gradient, finite=False)
    weights = as_array(f"parameters[{name!r}]", weights, gradient.shape, finite=False)
    check_finite(f"parameters[{name!r}]", weights)
    if gradient.ndim > 2:
        raise ValueError(f"gradients[{name!r}]: got shape {gradient.shape}, want at most two axes")
    units = gradient if gradient.ndim == 2 else gradient.reshape(1, -1)
    clipped = [clip_by_norm(g, c * max(global_norm(w), _SHORTEST))[0] for g, w in zip(units, weights.reshape(units.shape))]
    return np.reshape(clipped, gradient.shape)
