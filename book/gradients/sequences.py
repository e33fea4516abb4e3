"""What the recurrent nets share: sequences as rows of one matrix, and steps counted back.

Sequences are time-major, (T, B, n): `rnn`, `lstm` and `gru` say what is in them.
"""

import numpy as np

from gradients.validation import as_array, as_integer

__all__ = ["blocks", "check_dtypes", "check_trace", "flat", "last_step", "over_steps", "slices_backwards", "suspects",
           "torch_state", "TORCH"]

TORCH = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"  # names in PyTorch, of one layer in one direction


def check_dtypes(parameters, dtype):
    """ValueError: an array of the dict has another dtype than W_hx, `dtype`."""
    for name, array in parameters.items():
        if array.dtype != dtype:
            raise ValueError(f"{name}: got dtype {array.dtype}, want {dtype} as in W_hx")


def check_trace(trace, wanted):
    """ValueError: the arrays of the trace haven't the shapes in the dict `wanted`."""
    shapes = {name: array.shape for name, array in vars(trace).items()}
    if shapes != wanted:
        raise ValueError(f"trace: got shapes {shapes}, want {wanted}: the trace of another net")


def flat(sequence):
    """(T, B, n) as (T B, n): a view, so that one product does all steps."""
    return sequence.reshape(-1, sequence.shape[-1])


def blocks(array, n):
    """Views of n equal parts of the last axis: what belongs to each of n gates."""
    H = array.shape[-1] // n
    return tuple(array[..., j * H:(j + 1) * H] for j in range(n))


def over_steps(sequence):
    """The sum over steps and batch, (n,): faster than over both axes at once."""
    return sequence.sum(axis=0).sum(axis=0)


def last_step(t, T):
    """t, an integer from 0 to T, or T for None. ValueError: another t."""
    return T if t is None else as_integer("t", t, 0, T)


def slices_backwards(sequence, entries=2**15):
    """Slices of the steps, the last first, each of as many steps as fit the processor's cache."""
    few = max(1, entries // sequence[0].size)
    for end in range(len(sequence), 0, -few):
        yield slice(max(0, end - few), end)


def suspects(gradients, names):
    """What `report_nan` looks at, in the order of computation. NaN in any delta is NaN in their sum db_h."""
    if np.isnan(gradients.db_h).any():
        for i in reversed(range(len(gradients.delta))):
            yield f"delta[{i}]", gradients.delta[i]
    for name in names:
        yield name, getattr(gradients, name)


def torch_state(state):
    """Copies of the four arrays of a state_dict of PyTorch, in the order of `TORCH`.

    ValueError: other names (more layers, no biases), no arrays, biases of different shapes.
    """
    if set(state) != set(TORCH):
        raise ValueError(f"state: got {', '.join(state)}, want {', '.join(TORCH)}")
    W_hx, W_hh, b_ih, b_hh = (as_array(f"state[{name!r}]", state[name]).copy() for name in TORCH)
    if b_ih.shape != b_hh.shape:
        raise ValueError(f"state['bias_hh_l0']: got shape {b_hh.shape}, want {b_ih.shape} as bias_ih_l0")
    return W_hx, W_hh, b_ih, b_hh
