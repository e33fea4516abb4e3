"""A training loop (chapters 7, 8 and 11): forward, loss, backward, penalty, clipping, step.

A net that `fit` can train has

    forward(x, training=False)  the outputs; `fit` calls it with training=True
    backward(dy)                from dL/d(outputs) to `gradients`
    parameters                  dict name -> the array itself
    gradients                   dict name -> its gradient, after `backward`

A `layers.Sequential` has them. The nets of `gradients.deep`, `rnn`, `lstm` and `gru` are parameters and functions; to
train one, wrap it: `Deep(net)`, `Recurrent(net)`. The wrapped net is changed in place.

Nothing is drawn or printed here: the same batches give the same history. A progress bar is passed in,
`fit(..., progress=tqdm)`, so that this package needs NumPy alone and a notebook's output has no bar.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real

import numpy as np

from gradients import deep, gru, lstm, many, rnn
from gradients.clipping import clip_by_norm, global_norm
from gradients.optimisers import abreast
from gradients.validation import as_array, as_integer, check_finite, check_generator, check_kind, read

__all__ = ["Deep", "History", "Recurrent", "accuracy", "averaged", "fit", "fit_many", "minibatches"]


_MODULES = {rnn.RNN: rnn, lstm.LSTM: lstm, gru.GRU: gru}  # kind of net -> where its forward and backward are


class Recurrent:
    """A recurrent net as `fit` wants it: x (T, B, D), outputs o (T, B, Q).

    net       an RNN, LSTM or GRU
    backward  (net, trace, do) -> gradients with the dict `parameters`; for truncation, for instance,
              partial(rnn.truncated_backward, tau=10). None: that of the net's module

    After a forward pass it has the `trace`, after a backward pass `do` and `all_gradients`, which is what `backward`
    returned. A penalty may need them: vanishing_penalty(r.net, r.trace, r.do, gradients=r.all_gradients).
    ValueError: another kind of net.
    """

    def __init__(self, net: rnn.RNN | lstm.LSTM | gru.GRU, backward: Callable | None = None):
        if type(net) not in _MODULES:
            raise ValueError(f"net: got {type(net).__name__}, want an RNN, an LSTM or a GRU")
        module = _MODULES[type(net)]
        self.net, self._forward, self._backward = net, module.forward, backward or module.backward
        self.trace = self.do = self.all_gradients = None

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return self.net.parameters

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        return self.all_gradients.parameters

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """The outputs; training or not is the same."""
        self.trace = self._forward(self.net, x)
        return self.trace.o

    def backward(self, do: np.ndarray) -> None:
        self.do, self.all_gradients = do, self._backward(self.net, self.trace, do)


class Deep:
    """A deep.DeepNet as `fit` wants it: x (B, n_0), outputs h^(n) (B, n_n). Parameters are named "W[1]", "b[1]", ...

    ValueError: another kind of net.
    """

    def __init__(self, net: deep.DeepNet):
        check_kind("net", net, deep.DeepNet)
        self.net = net
        self.trace = self.all_gradients = None

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        return _flat(self.net.W, self.net.b)

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        return _flat(self.all_gradients.dW, self.all_gradients.db)

    def forward(self, x: np.ndarray, training: bool = False) -> np.ndarray:
        """h^(n); training or not is the same."""
        self.trace = deep.forward(self.net, x)
        return self.trace.h[self.net.depth]

    def backward(self, dh: np.ndarray) -> None:
        self.all_gradients = deep.backward(self.net, self.trace, dh)


def _flat(W, b):
    return {f"W[{l}]": W[l] for l in W} | {f"b[{l}]": b[l] for l in b}


def averaged(loss: Callable, axis: int = 0) -> Callable:
    """The loss divided by the number of examples, so that a rate suits batches of any size; its gradient likewise.

    loss  (outputs, y) -> (L, dL/d(outputs)), summed over the batch as those of `gradients.losses`
    axis  of the outputs, whose length is the number of examples: 0 for (B, Q), 1 for (T, B, Q)

    What is returned takes a mask, too, and then divides by the number of its True: the mean over the steps that aren't
    padding, of all sequences, as torch.nn.CrossEntropyLoss with ignore_index. `fit` passes y on as it is, so that a batch
    (x, (y, mask)) goes with

        mean = averaged(softmax_cross_entropy)
        loss = lambda outputs, y_and_mask: mean(outputs, y_and_mask[0], mask=y_and_mask[1])
    """
    def mean(outputs, y, *, mask=None):
        if mask is None:
            value, gradient = loss(outputs, y)
            examples = np.shape(outputs)[axis]
        else:
            value, gradient = loss(outputs, y, mask=mask)
            examples = np.count_nonzero(mask)
        return value / examples, gradient / examples
    return mean


def minibatches(
    x: np.ndarray, y: np.ndarray, B: int, *, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches (x, y) of B examples: every example once, in random order, then all again in another order.

    x, y  arrays of any shape with one example a row
    B     1 to len(x); examples left over at the end of a round, fewer than B, are left out of it

    ValueError: lengths that differ, masked arrays (the mask would be lost), B that isn't such an integer, an rng that isn't a numpy.random.Generator.
    """
    x, y = read("x", x), read("y", y)
    if len(x) != len(y):
        raise ValueError(f"y: got {len(y)} examples, want {len(x)} as in x")
    B = as_integer("B", B, 1, len(x))
    check_generator(rng)

    def rounds():
        while True:
            order = rng.permutation(len(x))
            for first in range(0, len(x) - B + 1, B):
                chosen = order[first:first + B]
                yield x[chosen], y[chosen]
    return rounds()


@dataclass(eq=False)
class History:
    """What `fit` saw, one entry a step; step 1 is at index 0.

    loss     (n,), without the penalty, before the step is made
    penalty  (n,), zeros if there is none
    norm     (n,), of the whole gradient, penalty included, before clipping
    stopped  None, or why the run ended early: "step 12: ..."; the last entries are then that step's, NaN for
             what was not reached, and the parameters are those before it
    """

    loss: np.ndarray
    penalty: np.ndarray
    norm: np.ndarray
    stopped: str | None = None


def _check_net(net):
    missing = [name for name in ("forward", "backward", "parameters") if not hasattr(net, name)]
    if missing:
        raise ValueError(f"net: got {type(net).__name__} without {', '.join(missing)}, "
                         "want one that fit can train, such as Recurrent(net) or Deep(net)")


def _with_penalty(gradients, more):
    unknown = [name for name in more if name not in gradients]
    if unknown:
        raise ValueError(f"penalty: got gradients of {unknown}, want some of {list(gradients)}")
    return {name: g + more[name] if name in more else g for name, g in gradients.items()}


def _finite(name, value):
    if not np.isfinite(value):
        raise FloatingPointError(f"the {name} is {value}")


def _check_clip(clip):
    if not (clip is None or isinstance(clip, Real) and not isinstance(clip, bool) and clip > 0):
        raise ValueError(f"clip: got {clip!r}, want a number > 0, or None for no clipping")


def _next_batch(argument, batches, i, steps):
    try:
        return next(batches)
    except StopIteration:
        raise ValueError(f"{argument}: got {i}, want {steps}, one a step") from None


@contextmanager
def _nan_is_an_error():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".* contains NaN", RuntimeWarning)
        yield


_NUMBERS = FloatingPointError, RuntimeWarning  # what NaN and inf raise in a step


def _clipped_gradients(net, x, y, loss, clip, penalty, seen):
    """What the optimiser gets in one step; `seen` (3,) takes loss, penalty and norm as they become known."""
    seen[:] = np.nan, 0 if penalty is None else np.nan, np.nan
    seen[0], dy = loss(net.forward(x, training=True), y)
    _finite("loss", seen[0])
    net.backward(dy)
    gradients = net.gradients
    if penalty is not None:
        seen[1], more = penalty(net)
        _finite("penalty", seen[1])
        gradients = _with_penalty(gradients, more)
    if clip is None:
        seen[2] = global_norm(gradients)
        return gradients
    try:
        gradients, seen[2] = clip_by_norm(gradients, clip)
    except FloatingPointError:
        seen[2] = global_norm(gradients)
        raise
    return gradients


def fit(
    net,
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]],
    optimiser,
    *,
    steps: int,
    clip: float | None = None,
    penalty: Callable[..., tuple[float, Mapping[str, np.ndarray]]] | None = None,
    progress: Callable[[Iterable], Iterable] | None = None,
) -> History:
    """Train `net` for `steps` steps, one batch each; its parameters are changed in place (chapters 7, 8 and 11).

    net        see the module: a layers.Sequential, Recurrent(net), Deep(net)
    batches    (x, y), one a step: a generator, `minibatches`, itertools.repeat((x, y)), ...
    loss       (outputs, y) -> (L, dL/d(outputs)), as in `gradients.losses`; see `averaged`
    optimiser  with step(parameters, gradients), as in `gradients.optimisers`
    steps      1 or more
    clip       threshold of `clip_by_norm`, > 0; None: no clipping
    penalty    net -> (value, dict name -> gradient), called after the backward pass; of some or all parameters.
               lambda net: l2({"W_hh": net.parameters["W_hh"]}, 1e-3)
    progress   wraps the steps, as tqdm does: `progress=tqdm`, or partial(tqdm, desc="tanh"); None: silent

    The penalty's gradient is added before the norm is taken and clipped.
    A loss, penalty or gradient with NaN or inf ends the run before it reaches the parameters; `History.stopped` says
    at which step and where, and the RuntimeWarning about NaN isn't shown. Deterministic.
    ValueError: a net without these methods, steps or clip that aren't such numbers, batches that end before
    `steps`, a penalty with gradients of other names, and what the net, the loss and the optimiser refuse.
    """
    _check_net(net)
    steps = as_integer("steps", steps, 1)
    _check_clip(clip)
    seen, stopped, batches = np.full((3, steps), np.nan), None, iter(batches)
    with _nan_is_an_error():
        for i in (progress or iter)(range(steps)):
            x, y = _next_batch("batches", batches, i, steps)
            try:
                optimiser.step(net.parameters, _clipped_gradients(net, x, y, loss, clip, penalty, seen[:, i]))
            except _NUMBERS as error:
                stopped = f"step {i + 1}: {error}"
                seen = seen[:, :i + 1]
                break
    return History(*seen, stopped)


_ABREAST = 16  # nets in one set of arrays: more of them leave the processor's cache, fewer share each call less


class _Group:
    """Some of the nets of `fit_many`, in one set of arrays, until each has stopped."""

    def __init__(self, numbers, nets, optimisers, seen):
        self.numbers, self.nets, self.optimisers, self.seen = [*numbers], nets, optimisers, seen
        self.stopped, self.together = {}, many.Nets([nets[n] for n in self.numbers])
        self._bind()

    def _bind(self):
        mine = self.numbers
        self.optimiser = abreast([self.optimisers[n] for n in mine], [self.nets[n].parameters for n in mine], self.together.named)

    def write_back(self, row):
        for name, array in self.nets[self.numbers[row]].parameters.items():
            array[...] = self.together.named(self.together.rows[row])[name]

    def step(self, i, batches, loss, clip):
        """Step i of all; batches is a list (x, y), one for each net of the group."""
        together, n = self.together, len(self.numbers)
        losses, norms = np.full((2, n), np.nan)
        trace = many.forward(together, self._inputs(batches))
        in_doubt = np.isnan(trace.o).any(axis=(0, 2, 3))
        do = together.memory("do", *trace.o.shape)
        do[:, in_doubt] = 0
        for row in np.flatnonzero(~in_doubt):
            o = trace.o[:, row].swapaxes(1, 2)
            try:
                losses[row], d = loss(o, batches[row][1])
            except _NUMBERS:
                d = np.zeros_like(o)
            do[:, row] = as_array("do", d, o.shape, dtype=together.dtype, finite=False).swapaxes(1, 2)
        gradients = many.backward(together, trace, do)
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            squares = np.square(gradients, dtype=np.float64).sum(axis=1)
        in_doubt = ~(np.isfinite(losses) & np.isfinite(squares) & (squares > 1e-200))
        norms = np.sqrt(squares)
        self.seen[self.numbers, :, i] = np.stack([losses, np.zeros(n), norms], axis=1)
        if clip is not None:
            factors = np.where(norms > clip, clip / np.where(norms > clip, norms, 1), 1.0)
            np.multiply(gradients, factors[:, None], out=gradients, casting="same_kind")
        for row in np.flatnonzero(in_doubt):
            self._alone(i, row, batches[row], loss, clip, together.named(gradients[row]))
        live = np.array([number not in self.stopped for number in self.numbers])
        if not live.all():
            gradients = gradients[live]
            together.keep(live)
            self.numbers = [number for number, lives in zip(self.numbers, live) if lives]
            if not self.numbers:
                return
            self._bind()
        self.optimiser.step({"rows": together.rows}, {"rows": gradients})
        for number in self.numbers:
            self.optimisers[number].steps = self.optimiser.steps

    def _inputs(self, batches):
        D, H, Q = self.together.first.sizes
        shape = np.shape(batches[0][0])
        if len(shape) != 3:
            shape = (None, None, D)  # as_array says it
        for row, (x, _) in enumerate(batches):
            x = as_array("x", x, (*shape[:2], D), dtype=self.together.dtype)
            if row == 0:
                inputs = self.together.memory("x", x.shape[0], len(batches), D, x.shape[1])
            inputs[:, row] = x.swapaxes(1, 2)
        return inputs

    def _alone(self, i, row, batch, loss, clip, gradients):
        """The step of one net as `fit` makes it, which says what is wrong with it."""
        number = self.numbers[row]
        self.write_back(row)
        try:
            found = _clipped_gradients(Recurrent(self.nets[number]), *batch, loss, clip, None, self.seen[number, :, i])
            for name, gradient in found.items():
                check_finite(f"gradients[{name!r}]", gradient)
                gradients[name][...] = gradient
        except _NUMBERS as error:
            self.stopped[number] = i + 1, f"step {i + 1}: {error}"


def fit_many(
    nets: Sequence[rnn.RNN | lstm.LSTM | gru.GRU],
    batches: Iterable[tuple[np.ndarray, np.ndarray]] | list[Iterable[tuple[np.ndarray, np.ndarray]]],
    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]],
    optimisers: Sequence,
    *,
    steps: int,
    clip: float | None = None,
    progress: Callable[[Iterable], Iterable] | None = None,
) -> list[History]:
    """`fit` of many small nets side by side, such as one for each seed and rate: one History each.

    nets        RNNs, LSTMs or GRUs, not wrapped, of one kind, shape and dtype; their parameters are changed in place
    batches     a list: one stream of batches for each net; anything else: one stream, whose batches all nets get.
                At each step the x of all have one shape.
    loss        (outputs, y) -> (L, dL/d(outputs)), called for each net, with outputs (T, B, Q)
    optimisers  one for each net, all SGD or all Adam, alike but for their rates; another call with them goes on
    steps, clip, progress  as in `fit`; each net is clipped by its own norm

    Each net learns what `fit` would teach it alone, to rounding, and stops alone. `gradients.many` has the equations.
    ValueError: as `fit`; nets or optimisers that differ or come twice, numbers of them that don't fit.
    """
    steps = as_integer("steps", steps, 1)
    _check_clip(clip)
    N, own = len(nets), isinstance(batches, list)
    for argument, each in (("optimisers", optimisers), ("batches", batches if own else optimisers)):
        if len(each) != N:
            raise ValueError(f"{argument}: got {len(each)}, want {N}, one a net")
    for argument, each in (("nets", nets), ("optimisers", optimisers)):
        if len({*map(id, each)}) != N:
            raise ValueError(f"{argument}: got one of them twice, want {N} different ones")
    seen = np.full((N, 3, steps), np.nan)
    _Group(range(N), nets, optimisers, seen)  # of all, to check them
    groups = [_Group(range(N)[first:first + _ABREAST], nets, optimisers, seen) for first in range(0, N, _ABREAST)]
    streams = [iter(each) for each in batches] if own else [iter(batches)]
    with _nan_is_an_error():
        try:
            for i in (progress or iter)(range(steps)):
                going_on = [group for group in groups if group.numbers]
                if not going_on:
                    break
                if not own:
                    batch = _next_batch("batches", streams[0], i, steps)
                for group in going_on:
                    group.step(i, [_next_batch(f"batches[{n}]", streams[n], i, steps) if own else batch
                                   for n in group.numbers], loss, clip)
        finally:
            for group in groups:
                for row in range(len(group.numbers)):
                    group.write_back(row)
    ends = {number: end for group in groups for number, end in group.stopped.items()}
    return [History(*seen[n, :, :ends[n][0]], ends[n][1]) if n in ends else History(*seen[n]) for n in range(N)]


def accuracy(outputs: np.ndarray, y: np.ndarray) -> float:
    """The share of examples whose largest output is that of the right class, from 0 to 1.

    outputs  (..., Q); of equal outputs the first counts, and an example with NaN counts as wrong
    y        (...), the number of the right class, an integer from 0 to Q-1

    For the last step of a recurrent net, accuracy(o[-1], y).
    ValueError: no outputs, shapes that don't fit, classes that aren't integers from 0 to Q-1.
    """
    outputs = as_array("outputs", outputs, finite=False)
    y, Q = read("y", y), outputs.shape[-1] if outputs.ndim else 0
    if y.dtype.kind not in "iu" or y.shape != outputs.shape[:-1]:
        raise ValueError(f"y: got {y.dtype} of shape {y.shape}, want integers of shape {outputs.shape[:-1]}")
    if y.size and not (0 <= y.min() and y.max() < Q):
        raise ValueError(f"y: got classes {y.min()} to {y.max()}, want 0 to {Q - 1}")
    right = (outputs.argmax(axis=-1) == y) & ~np.isnan(outputs).any(axis=-1)
    return float(right.mean())
