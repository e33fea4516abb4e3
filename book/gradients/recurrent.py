"""What the recurrent nets share: their parameters and gradients, sequences as rows of one matrix, steps counted back.

Sequences are time-major, (T, B, n): `rnn`, `lstm` and `gru` say what is in them, and have the equations. For each
hidden unit W_hx, W_hh and b_h have one row in an RNN, 4 in an LSTM, 3 in a GRU.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gradients.initialisers import kaiming_normal
from gradients.validation import as_array, as_integer, as_scale, check_dtype, check_dtypes, check_generator, check_kind

__all__ = [
    "Gradients", "InputGradients", "Net", "blocks", "blocks_backwards", "check_in_torch", "check_trace", "first_state", "flat", "from_last_step", "gate",
    "in_one_piece", "largest_odds", "last_step", "numbered", "output_gradients", "outputs", "over_steps", "random_weights", "reach_of", "read_out",
    "running_products", "suspects", "suspects_forward", "tanh_slope", "tanh_slope_of_exp", "torch_parameters", "torch_state", "weight_gradients",
]

TORCH = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"  # names in PyTorch, of one layer in one direction


@dataclass(eq=False)
class Net:
    """What RNN, LSTM and GRU share; each says its shapes, and has parameters of its own after these."""

    W_hx: np.ndarray
    W_hh: np.ndarray
    b_h: np.ndarray
    W_qh: np.ndarray
    b_q: np.ndarray

    def _check_parameters(self, rows, biases=()):
        """Makes them arrays; W_hx, W_hh, b_h have `rows` a unit, more `biases` one. ValueError: they don't fit."""
        self.W_hh = as_array("W_hh", self.W_hh, (None, None))
        H = self.W_hh.shape[1]
        self.W_hh = as_array("W_hh", self.W_hh, (rows * H, H))
        self.W_hx = as_array("W_hx", self.W_hx, (rows * H, None))
        self.b_h = as_array("b_h", self.b_h, (rows * H,))
        self.W_qh = as_array("W_qh", self.W_qh, (None, H))
        self.b_q = as_array("b_q", self.b_q, (len(self.W_qh),))
        for name in biases:
            setattr(self, name, as_array(name, getattr(self, name), (H,)))
        check_dtypes(self.parameters)

    @property
    def sizes(self) -> tuple[int, int, int]:
        """(D, H, Q), the numbers of inputs, hidden units and outputs."""
        return self.W_hx.shape[1], self.W_hh.shape[1], self.W_qh.shape[0]

    @property
    def dtype(self) -> np.dtype:
        """float64 or float32, the same for all parameters."""
        return self.W_hx.dtype

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """name -> the array itself: `net.parameters["W_hh"] -= step` changes the net."""
        return {name: array for name, array in vars(self).items() if name.startswith(("W_", "b_"))}


@dataclass(eq=False)
class Gradients:
    """Derivatives of L = sum over t of l_t, summed over the batch. An LSTM has dc, too, a GRU db_hn.

    dW_hx, dW_hh, db_h, dW_qh, db_q  as the parameters
    delta  (T, B, n) with the n of b_h, delta[t-1] = dL/da_t
    dh     (T+1, B, H), dh[t] = dL/dh_t: through the output of step t and through all that step t+1 makes of h_t
    dx     (T, B, D), dx[t-1] = dL/dx_t
    """

    dW_hx: np.ndarray
    dW_hh: np.ndarray
    db_h: np.ndarray
    dW_qh: np.ndarray
    db_q: np.ndarray
    delta: np.ndarray
    dh: np.ndarray
    dx: np.ndarray

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """name of a parameter -> its gradient, with the names of the net's `parameters`."""
        return {name[1:]: array for name, array in vars(self).items() if name.startswith(("dW_", "db_"))}


def random_weights(D, H, Q, rows, *, rng, w_hx_scale, w_hh_scale, dtype):
    """W_hx, W_hh and W_qh, drawn in this order: W_ij ~ N(0, scale^2 / number of columns), the scale of W_qh is 1.

    ValueError: sizes that aren't positive integers, negative or non-finite scales, no Generator, another dtype.
    """
    D, H, Q = as_integer("D", D, 1), as_integer("H", H, 1), as_integer("Q", Q, 1)
    check_generator(rng)
    check_dtype(dtype)
    w_hx_scale, w_hh_scale = as_scale("w_hx_scale", w_hx_scale), as_scale("w_hh_scale", w_hh_scale)
    shapes = (rows * H, D, w_hx_scale), (rows * H, H, w_hh_scale), (Q, H, 1.0)
    return tuple(kaiming_normal(n_out, n_in, rng=rng, gain=scale, dtype=dtype) for n_out, n_in, scale in shapes)


def torch_parameters(state):
    """Copies of the four arrays of a state_dict of PyTorch, in the order of `TORCH`; zeros for biases that it lacks.

    ValueError: no dict, other names (more layers, one bias alone), no arrays, biases of different shapes.
    """
    if not isinstance(state, Mapping):
        raise ValueError(f"state: got {type(state).__name__}, want a dict name -> array, such as module.state_dict()")
    if set(state) not in (set(TORCH), set(TORCH[:2])):
        raise ValueError(f"state: got {', '.join(map(str, state)) or 'nothing'}, want {', '.join(TORCH)}, or the first two")
    W_hx, W_hh, *b = (as_array(f"state[{name!r}]", state[name]).copy() for name in TORCH if name in state)
    b_ih, b_hh = b or np.zeros((2, *W_hx.shape[:1]), W_hx.dtype)
    if b_ih.shape != b_hh.shape:
        raise ValueError(f"state['bias_hh_l0']: got shape {b_hh.shape}, want {b_ih.shape} as bias_ih_l0")
    return W_hx, W_hh, b_ih, b_hh


def check_in_torch(got, phi):
    """ValueError, which begins with `got`: an Activation that torch.nn.RNN doesn't have."""
    if phi.name not in ("tanh", "relu"):
        raise ValueError(f"{got}{phi.name!r}, want 'tanh' or 'relu': torch.nn.RNN has no other")


def read_out(W_qh, b_q, W_hh):
    """Copies of W_qh and b_q; for None those of a net whose output is h_t: W_qh the identity, b_q zeros.

    ValueError: b_q alone, no arrays.
    """
    if W_qh is None and b_q is not None:
        raise ValueError("W_qh: got None with a b_q, want both, W_qh alone, or neither")
    W_qh = np.eye(W_hh.shape[-1], dtype=W_hh.dtype) if W_qh is None else as_array("W_qh", W_qh).copy()
    return W_qh, np.zeros(W_qh.shape[:1], W_qh.dtype) if b_q is None else as_array("b_q", b_q).copy()


def torch_state(net, b_hh, bias, tensor):
    """Copies of a net's weights by the names `TORCH`, with the array `b_hh` as the second bias; see `rnn.to_torch`."""
    arrays = dict(zip(TORCH, (net.W_hx.copy(), net.W_hh.copy(), net.b_h.copy(), b_hh)))
    if not isinstance(bias, bool):
        raise ValueError(f"bias: got {bias!r}, want True or False")
    if not bias:
        for name in TORCH[2:]:
            if arrays.pop(name).any():
                raise ValueError("bias: got False for a net with biases that aren't 0, want True")
    return arrays if tensor is None else {name: tensor(array) for name, array in arrays.items()}


def flat(sequence):
    """(T, B, n) as (T B, n): a view, so that one product does all steps."""
    return sequence.reshape(-1, sequence.shape[-1])


def blocks(array, n):
    """Views of n equal parts of the last axis: what belongs to each of n gates."""
    H = array.shape[-1] // n
    return tuple(array[..., j * H:(j + 1) * H] for j in range(n))


def gate(j, n, meaning):
    """A property of a trace: its gate j of n, as a read-only view."""
    def view(trace):
        part = blocks(trace.gates, n)[j]
        part.flags.writeable = False
        return part
    return property(view, doc=meaning)


def largest_odds(W, reach):
    """None if no exp(-a_t) = (1 - g) / g of a gate g can overflow, else the largest number: inf * g would be NaN, not 1 - g.

    W      (.., n, m), of a_t = W (h_{t-1}, x_t, 1); signs of rows don't matter
    reach  (.., m), how large |(h_{t-1}, x_t, 1)| can be
    """
    largest, furthest = np.finfo(W.dtype).max, np.abs(W) @ reach[..., None]
    return None if furthest.max() < np.log(largest) - 1 else largest


def reach_of(h_0, x):
    """For `largest_odds`, from h_0 (B, H) and x (T, B, D): states after h_0 stay within -1 and 1."""
    return np.concatenate([np.maximum(np.abs(h_0).max(axis=0), 1), np.abs(x).max(axis=0).max(axis=0), np.ones(1, x.dtype)])


def tanh_slope(z, tanh_z, out=None):
    """1 - tanh^2(z) from both: of tanh(z), which is there; where digits are lost that way, of z, which takes longer.

    All lie in memory in the same order, without gaps.
    """
    slope = np.multiply(tanh_z, tanh_z, out=out)
    np.subtract(1, slope, out=slope)
    if slope.min(initial=1) < 1 / 16:
        lost = np.flatnonzero((slope < 1 / 16).ravel("K"))
        e = np.exp(-np.abs(z.ravel("K")[lost]))
        slope.ravel("K")[lost] = np.square(2 * e / (1 + e * e))  # 1 / cosh^2(z): NumPy's cosh takes longer
    return slope


def tanh_slope_of_exp(exp_z, out):
    """1 - tanh^2(z) = 1 / cosh^2(z) with all digits, from exp(z) or exp(-z), which may be 0 or inf."""
    with np.errstate(divide="ignore"):
        np.divide(1, exp_z, out=out)
    out += exp_z
    np.divide(2, out, out=out)
    return np.multiply(out, out, out=out)


def over_steps(sequence):
    """The sum over steps and batch, (n,): faster than over both axes at once."""
    return sequence.sum(axis=0).sum(axis=0)


def last_step(t, T):
    """t, an integer from 0 to T, or T for None. ValueError: another t."""
    return T if t is None else as_integer("t", t, 0, T)


def in_one_piece(dtype, *shapes):
    """New arrays in one piece of memory: a piece of 4 MB or more comes in large pages, which cost less to get than small ones."""
    piece, arrays, end = np.empty(sum(map(math.prod, shapes)), dtype), [], 0
    for shape in shapes:
        begin, end = end, end + math.prod(shape)
        arrays.append(piece[begin:end].reshape(shape))
    return arrays


def first_state(argument, value, B, net):
    """A first state: `value`, (B, H), finite, in the dtype of the net; zeros for None."""
    H = net.sizes[1]
    return np.zeros((B, H), net.dtype) if value is None else as_array(argument, value, (B, H), dtype=net.dtype)


def outputs(net, h):
    """o_t = W_qh h_t + b_q for t = 1, ..., T, (T, B, Q)."""
    o = (flat(h[1:]) @ net.W_qh.T).reshape(*h[1:].shape[:-1], -1)
    o += net.b_q
    return o


def check_trace(net, kind, trace, trace_kind, **widths):
    """ValueError: a net or a trace of another kind, the trace of another net.

    Its other arrays than x, h and o have so many entries a step, as multiples of H.
    """
    check_kind("net", net, kind)
    check_kind("trace", trace, trace_kind)
    D, H, Q = net.sizes
    wanted_widths = {"x": D, "h": H, "o": Q} | {name: n * H for name, n in widths.items()}
    T, B = trace.x.shape[:2] if trace.x.ndim == 3 else (0, 0)
    shapes = {name: array.shape for name, array in vars(trace).items()}
    wanted = {name: (T + (name in ("h", "c")), B, width) for name, width in wanted_widths.items()}
    if shapes != wanted:
        raise ValueError(f"trace: got shapes {shapes}, want {wanted}: the trace of another net")


def blocks_backwards(sequence, entries=2**15):
    """Slices of the steps, the last first, each of as many steps as fit the processor's cache."""
    few = max(1, entries // sequence[0].size)
    for end in range(len(sequence), 0, -few):
        yield slice(max(0, end - few), end)


def from_last_step(sequence, of_block):
    """What `of_block` computes for each of the `blocks_backwards`, a tuple of arrays, step by step, the last first."""
    for block in blocks_backwards(sequence, 2**18 // sequence.itemsize):
        yield from zip(*(array[::-1] for array in of_block(block)))


def weight_gradients(net, trace, do, delta):
    """Every step used the same weights, so gradients are sums over steps and batch: a dict, with dx.

        dL/dW_hh = sum of delta_t h_{t-1}^T,   dL/dW_hx = sum of delta_t x_t^T,   dL/db_h = sum of delta_t
        dL/dW_qh = sum of dL/do_t h_t^T,       dL/db_q = sum of dL/do_t,          dL/dx_t = W_hx^T delta_t
    """
    rows = flat(delta)
    return dict(
        dW_hh=rows.T @ flat(trace.h[:-1]), dW_hx=rows.T @ flat(trace.x), db_h=over_steps(delta),
        dx=(rows @ net.W_hx).reshape(trace.x.shape), **output_gradients(trace, do),
    )


def output_gradients(trace, do):
    """dW_qh and db_q, as in `weight_gradients`."""
    return dict(dW_qh=flat(do).T @ flat(trace.h[1:]), db_q=over_steps(do))


class InputGradients:
    """What else `weight_gradients` gives, block by block: while a block of delta is in the processor's cache."""

    def __init__(self, net, trace):
        self._net, self._trace, self.dx = net, trace, np.empty(trace.x.shape, net.dtype)
        self._dW = np.zeros((len(net.b_h), sum(net.sizes[:2]) + 1), net.dtype)

    def add(self, steps, rows):
        """`rows` (n, 4H) are delta_t of a slice of steps and of all sequences."""
        h_before, x = self._trace.h[:-1][steps], self._trace.x[steps]
        seen = flat(np.concatenate([h_before, x, np.ones((*x.shape[:2], 1), x.dtype)], axis=-1))
        self._dW += rows.T @ seen  # one product takes less time than three
        np.matmul(rows, self._net.W_hx, out=flat(self.dx[steps]))

    def result(self):
        D, H, _ = self._net.sizes
        dW_hh, dW_hx, db_h = (part.copy() for part in np.split(self._dW, [H, H + D], axis=1))
        return dict(dW_hh=dW_hh, dW_hx=dW_hx, db_h=db_h.ravel(), dx=self.dx)


def running_products(factors):
    """Entry k of (t+1, ...) is factors[t-1] factors[t-2] ... factors[k], k = 0, ..., t; ones at k = t."""
    products = np.ones((len(factors) + 1, *factors.shape[1:]), factors.dtype)
    np.cumprod(factors[::-1], axis=0, out=products[:-1][::-1])
    return products


def numbered(name, arrays):
    """(name[0], arrays[0]), (name[1], arrays[1]), ...: what `report_nan` looks at."""
    return ((f"{name}[{i}]", array) for i, array in enumerate(arrays))


def suspects_forward(name, passed, o):
    """What `report_nan` looks at after a forward pass, step by step: nothing if there is no NaN in the outputs."""
    if np.isnan(o).any():
        for i in range(len(o)):
            yield f"{name}[{i}]", passed[i]
            yield f"o[{i}]", o[i]


def suspects(gradients):
    """What `report_nan` looks at after a backward pass: NaN in dh_t or dc_t is NaN in delta_t, and so in the sum db_h."""
    if np.isnan(gradients.db_h).any():
        yield from reversed([*numbered("delta", gradients.delta)])
    for name, array in vars(gradients).items():
        if name in ("dh", "dc"):
            yield f"{name}[0]", array[0]
        elif name != "delta":
            yield name, array
