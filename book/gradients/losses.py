"""Losses and their gradients with respect to the outputs of a net (all chapters).

A loss is a sum over whatever the outputs have besides units: examples, steps. An output of a recurrent net
is (T, B, Q), step t at index t - 1. With `last=True` only the last step has a loss, as in a task that is
judged by its final answer: L = l_T.

Padded sequences have a mask, True where a step counts: the losses are sums over these alone. For their mean see
`training.averaged`.

Outputs may have overflowed: inf and NaN are let through, without a warning, for the net has given one.
"""

import numpy as np

from gradients.validation import OVERFLOW_IS_INF, as_array, read

__all__ = ["softmax", "softmax_cross_entropy", "squared_error"]


def _outputs(argument, value, last):
    """All outputs, and those that have a loss."""
    outputs = as_array(argument, value, (None, None, None) if last else None, finite=False)
    return outputs, outputs[-1] if last else outputs


def _mask(mask, shape):
    """`mask` as an array, or True. ValueError: no booleans, another shape, all False."""
    if mask is None:
        return np.True_
    mask = read("mask", mask)
    if mask.dtype != bool:
        raise ValueError(f"mask: got dtype {mask.dtype}, want bool, True where a step counts")
    if mask.shape != shape:
        raise ValueError(f"mask: got shape {mask.shape}, want {shape}, that of the outputs that count without their units")
    if not mask.any():
        raise ValueError("mask: got no True, want at least one step that counts")
    return mask


def _of_all(gradient, outputs, last):
    """The gradient with respect to all outputs, of which those without a loss have none."""
    if not last:
        return gradient
    gradients = np.zeros_like(outputs)
    gradients[-1] = gradient
    return gradients


@np.errstate(**OVERFLOW_IS_INF)
def squared_error(
    output: np.ndarray, target: np.ndarray, *, last: bool = False, mask: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """L = 1/2 sum (target - output)^2 over batch and units, and dL/doutput = output - target (chapter 1).

    output  (B, n_n), (T, B, Q) or any other shape
    target  the shape of `output`; finite
    last    only the last step counts: `output` is (T, B, Q), `target` (B, Q)
    mask    booleans of the shape of `target` without its last axis, (B,) or (T, B): False where nothing counts, whatever
            output and target are there, even NaN. The loss is summed over True, the gradient is 0 at False

    The gradient has the shape and the dtype of `output`, with last=True zeros at all steps but the last.
    ValueError: shapes that differ, a target with NaN or inf, a mask that isn't such an array or is False everywhere.
    An output that exploded gives the loss inf.
    """
    output, counted = _outputs("output", output, last)
    target = as_array("target", target, counted.shape, dtype=output.dtype, finite=mask is None)
    if mask is None:
        error = counted - target
    else:
        mask = _mask(mask, counted.shape[:-1])
        as_array("target", target[mask])
        error = np.zeros_like(counted)
        error[mask] = counted[mask] - target[mask]
    return 0.5 * float(np.vdot(error, error)), _of_all(error, output, last)


def _exponentials(o):
    """exp(o - max o), which can't overflow, and o - max o.

    Beside an output that is inf all others are nothing, unless there are two: how they compare is lost, NaN.
    """
    largest = o.max(axis=-1, keepdims=True)
    shifted = o - largest
    if np.isposinf(largest).any():
        infinite = np.isposinf(o)
        shifted[infinite & (infinite.sum(axis=-1, keepdims=True) == 1)] = 0
    return np.exp(shifted), shifted


@np.errstate(**OVERFLOW_IS_INF)
def softmax(o: np.ndarray) -> np.ndarray:
    """The probabilities exp(o_i) / sum_j exp(o_j) along the last axis (chapter 3); o (..., Q), so is what is returned.

    ValueError: o has no axis, or no real numbers. One output that is inf has probability 1; two give NaN.
    """
    o = as_array("o", o, finite=False)
    if o.ndim == 0:
        raise ValueError("o: got shape (), want (..., Q)")
    e, _ = _exponentials(o)
    return e / e.sum(axis=-1, keepdims=True)


def _classes(y, shape, Q, mask):
    """The numbers of the right classes, 0 where the mask is False."""
    classes = read("y", y)
    if classes.dtype.kind not in "iu":
        raise ValueError(f"y: got dtype {classes.dtype}, want integers, the numbers of classes")
    if classes.shape != shape:
        raise ValueError(f"y: got shape {classes.shape}, want {shape}")
    classes = np.where(mask, classes, 0)
    if classes.min() < 0 or classes.max() >= Q:
        wrong = classes[(classes < 0) | (classes >= Q)][0]
        raise ValueError(f"y: got class {wrong}, want 0 to {Q - 1}")
    return classes.astype(np.intp)


@np.errstate(**OVERFLOW_IS_INF)
def softmax_cross_entropy(
    o: np.ndarray, y: np.ndarray, *, last: bool = False, mask: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """L = - sum log softmax(o)_y and dL/do = softmax(o) - y, y one-hot (chapter 3; source 1).

    o     (..., Q), outputs before the softmax
    y     (...), the number of the right class, an integer from 0 to Q-1
    last  only the last step counts: o is (T, B, Q), y (B,)
    mask  booleans of the shape of y: False where nothing counts, whatever o and y are there, such as class -100. The loss is
          summed over True, the gradient is 0 at False. PyTorch's ignore_index is mask = (y != ignore_index)

    The gradient has the shape and the dtype of `o`, with last=True zeros at all steps but the last.
    Neither the loss nor the gradient loses digits where the net is nearly certain of the right class: no 1 - 1 is taken.
    ValueError: shapes that don't fit, classes that aren't integers from 0 to Q-1, a mask that isn't such an array or is False
    everywhere.
    An output that exploded gives the limit: loss inf if it is a wrong class, 0 if it is the right one; two give NaN.
    """
    o, counted = _outputs("o", o, last)
    if o.ndim == 0:
        raise ValueError("o: got shape (), want (..., Q)")
    Q, mask = counted.shape[-1], _mask(mask, counted.shape[:-1])
    padded = not mask.all()
    if padded:
        counted = np.where(mask[..., None], counted, 0)
    right = np.arange(Q) == _classes(y, counted.shape[:-1], Q, mask)[..., None]  # y, one-hot
    e, shifted = _exponentials(counted)
    total = e.sum(axis=-1)
    e_right = e[right].reshape(total.shape)
    e[right] = 0
    wrong = e.sum(axis=-1)
    # log total, where all but one of its terms may be tiny: total = 1 + (total - 1)
    loss = np.where(e_right == 1, np.log1p(wrong), np.log(total)) - shifted[right].reshape(total.shape)
    e /= total[..., None]
    e[right] = (-wrong / total).ravel()
    if padded:
        loss, e[~mask] = loss[mask], 0
    return float(loss.sum()), _of_all(e, o, last)
