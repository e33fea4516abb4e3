"""Penalties that are added to a loss, and their gradients (chapter 7).

l2, l1             large weights cost: L2 holds explosion back, and feeds vanishing
vanishing_penalty  a gradient costs that changes its size on the way back through time (Pascanu et al. 2013)

Each returns (penalty, gradients): add the one to the loss, the other to the gradients of the loss.
Weights that overflowed give a penalty that is inf, without a warning, as in `gradients.losses`.
"""

from collections.abc import Mapping

import numpy as np

from gradients.rnn import RNN, Gradients, Trace, backward
from gradients.validation import OVERFLOW_IS_INF, as_array, as_scale, check_kind, report_nan

__all__ = ["l1", "l2", "vanishing_penalty"]


def _arrays(parameters):
    if not isinstance(parameters, Mapping):
        raise ValueError(f"parameters: got {type(parameters).__name__}, want a dict name -> array")
    return {name: as_array(f"parameters[{name!r}]", parameters[name], finite=False) for name in parameters}


@np.errstate(**OVERFLOW_IS_INF)
def l2(parameters: Mapping[str, np.ndarray], strength: float) -> tuple[float, dict[str, np.ndarray]]:
    """strength/2 * sum W^2 over the entries of all arrays, and its gradient strength * W (chapter 7; Krogh & Hertz 1992).

    parameters  dict name -> array of any shape: those that are to be small; leave out the biases if they aren't
    strength    >= 0

    The penalty is summed in float64, the gradients are new arrays like the parameters.
    ValueError: no dict, an array without entries or not of real numbers, a strength that is negative or not finite.
    """
    strength, arrays = as_scale("strength", strength), _arrays(parameters)
    total = sum(np.sum(np.square(W, dtype=np.float64)) for W in arrays.values())
    return 0.5 * strength * float(total), {name: strength * W for name, W in arrays.items()}


@np.errstate(**OVERFLOW_IS_INF)
def l1(parameters: Mapping[str, np.ndarray], strength: float) -> tuple[float, dict[str, np.ndarray]]:
    """strength * sum |W| over the entries of all arrays, and its gradient strength * sign(W) (chapter 7; Tibshirani 1996).

    Where W = 0 there is a kink, and the gradient is 0, as PyTorch's.
    Arguments, what is returned, ValueError: as `l2`.
    """
    strength, arrays = as_scale("strength", strength), _arrays(parameters)
    total = sum(np.sum(np.abs(W), dtype=np.float64) for W in arrays.values())
    return strength * float(total), {name: strength * np.sign(W) for name, W in arrays.items()}


def _divide(signal, size):
    """signal / size, 0 where the size is."""
    return np.divide(signal, size, out=np.zeros_like(signal), where=size != 0)


@np.errstate(**OVERFLOW_IS_INF)
def vanishing_penalty(
    net: RNN, trace: Trace, do: np.ndarray, *, gradients: Gradients | None = None, bound: float = 0.0
) -> tuple[float, np.ndarray]:
    """How far every step is from keeping the size of the gradient (chapter 7; Pascanu et al. 2013, section 3.3, eq. 9 and 10).

        Omega = mean over the sequences of sum over t of (||J_t^T g_t|| / ||g_t|| - 1)^2,   t = 1, ..., T
        g_t   = dL/dh_t, all of it: what l_t says of h_t and what comes from later
        J_t   = dh_t/dh_{t-1} = diag(phi'(a_t)) W_hh,   hence   J_t^T g_t = W_hh^T delta_t

    and its gradient with respect to W_hh, in which only this W_hh varies:

        dOmega/dW_hh = mean of sum of 2 (||u_t|| / ||g_t|| - 1) / ||g_t|| * delta_t u_t^T / ||u_t||,   u_t = W_hh^T delta_t

    Held fixed are the signals g_t and the slopes phi'(a_t), hence delta_t. The paper holds its states and signals
    fixed and takes the immediate derivative. Its state is our a_t, so its Jacobian W_hh diag(phi'(a_{t-1})) has the
    slope of the state before, which that fixes too. Ours has the slope of h_t, where W_hh would also act
    through a_t: to fix it, too, is the same choice. The authors' own program does so, with our h_t.

    do         (T, B, Q), do[t-1] = dL/do_t
    gradients  backward(net, trace, do), if you have it already; None: computed here
    bound      >= 0; a signal with ||g_t|| <= bound is left out, so that a vanished one, 0, never makes 0/0

    Returns (omega, dW_hh (H, H)). With bound = 0 both are the same for do and 2 do: the size of a signal doesn't matter.
    Where u_t = 0 but g_t isn't, the term is 1 and its gradient is taken as 0.
    Equation 10 and the program (github.com/pascanur/trainingRNNs) have squared norms in the ratio; the program leaves out ||g_t||^2 < 1e-20,
    and divides by the mean number of steps that are left.
    ValueError: another kind of net, trace or gradients, a trace of another net, do of another shape, gradients of another trace, a negative or non-finite bound.
    RuntimeWarning: NaN, since a signal overflowed.
    """
    bound = as_scale("bound", bound)
    check_kind("net", net, RNN)
    check_kind("trace", trace, Trace)
    gradients = backward(net, trace, do) if gradients is None else gradients
    check_kind("gradients", gradients, Gradients)
    as_array("do", do, trace.o.shape, finite=False)  # it plays no part if there are gradients, but it's checked
    g, delta = gradients.dh[1:], gradients.delta
    if delta.shape != trace.a.shape:
        raise ValueError(f"gradients: got delta of shape {delta.shape}, want {trace.a.shape} as in the trace")
    T, B, H = delta.shape
    # what is left of a signal may be 1e-200, whose square would be 0: all is divided by its largest entry
    size = np.abs(g).max(axis=-1, keepdims=True)
    g, delta = _divide(g, size), _divide(delta, size)
    u = delta @ net.W_hh
    g_norm, u_norm = (np.linalg.norm(signal, axis=-1, keepdims=True) for signal in (g, u))
    kept = ~(size * g_norm <= bound)
    change = np.where(kept, _divide(u_norm, g_norm) - 1, 0)
    factor = 2 / B * _divide(change, g_norm)
    dW_hh = (factor * delta).reshape(-1, H).T @ _divide(u, u_norm).reshape(-1, H)
    omega = float(np.sum(change**2, dtype=np.float64) / B)
    report_nan([("omega", omega), ("dW_hh", dW_hh)])
    return omega, dW_hh
