"""From a gradient to a step: stochastic gradient descent, with momentum, and Adam (chapters 7, 8 and 11).

An optimiser changes parameters in place. Parameters and gradients are dicts with the same names, as in
`RNN.parameters` and `rnn.Gradients.parameters`. What the optimiser remembers of earlier gradients it keeps by name,
in the dtype of the parameter. So each net needs an optimiser of its own; a name or a shape that changes between
steps is an error. The attribute `rate` may be changed between steps, as in a schedule. `state_dict` and `load_state_dict`
save and load what an optimiser remembers, so that training may be continued in another session.

`weight_decay` adds weight_decay * parameter to each gradient, biases included, as in torch.optim.SGD and Adam.
In SGD that is the L2 penalty of `regularisers.l2`; Adam rescales it as it does the rest of the gradient
(Loshchilov & Hutter 2019).

NaN or inf in a gradient is refused with a FloatingPointError, as in `gradients.clipping`, before anything is changed.
An overflow in the step itself is kept as inf, without a warning, as in `gradients.deep`.
"""

import copy
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gradients.validation import OVERFLOW_IS_INF, as_array, as_integer, as_scale, check_finite

__all__ = ["SGD", "Adam", "abreast"]


def _fraction(argument, value):
    """`value` as a float. ValueError: it isn't a number >= 0 and < 1."""
    if not (np.isscalar(value) and np.isreal(value) and 0 <= value < 1):
        raise ValueError(f"{argument}: got {value!r}, want a number >= 0 and < 1")
    return float(value)


def _check_parameter(argument, parameter):
    if not isinstance(parameter, np.ndarray) or isinstance(parameter, np.ma.MaskedArray):
        got = type(parameter).__name__
    elif parameter.dtype not in (np.float32, np.float64):
        got = f"dtype {parameter.dtype}"
    elif not parameter.flags.writeable:
        got = "a read-only array"
    else:
        return
    raise ValueError(f"{argument}: got {got}, want a float64 or float32 array, to change it in place")


def _gradient(name, gradient, parameter):
    """`gradient` in the shape and the dtype of `parameter`, finite."""
    argument = f"gradients[{name!r}]"
    with np.errstate(**OVERFLOW_IS_INF):
        gradient = as_array(argument, gradient, parameter.shape, dtype=parameter.dtype, finite=False)
    check_finite(argument, gradient)
    return gradient


def _kinds(parameters):
    return {name: (parameter.shape, parameter.dtype) for name, parameter in parameters.items()}


def _shown(kinds):
    return {name: (shape, str(dtype)) for name, (shape, dtype) in kinds.items()}


class _Optimiser:
    """`step`, from the `_direction` that an optimiser gives for each name; `_MEMORY` names what it remembers by name, `_SETTINGS` its arguments."""

    def __init__(self, rate, weight_decay):
        self.rate = as_scale("rate", rate)
        self.weight_decay = as_scale("weight_decay", weight_decay)
        self.steps = 0
        self._kinds = None

    def step(self, parameters: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray]) -> None:
        """One step of descent: every array of `parameters` is changed in place.

        parameters  dict name -> array of any shape, float64 or float32; the same names, shapes and dtypes at every step
        gradients   dict name -> array, with the names and shapes of `parameters`; never modified

        ValueError: a gradient that is missing, superfluous or of another shape, a parameter that isn't such an array,
        names, shapes or dtypes that aren't those of the first step.
        FloatingPointError: NaN or inf in a gradient; names the first such array and counts them.
        Whatever the error, nothing has been changed.
        """
        gradients = self._checked(parameters, gradients)
        self.steps += 1
        with np.errstate(**OVERFLOW_IS_INF):
            for name, parameter in parameters.items():
                g = gradients[name]
                if self.weight_decay:
                    g = g + self.weight_decay * parameter
                parameter -= self.rate * self._direction(name, g)

    def _checked(self, parameters, gradients):
        for argument, value in (("parameters", parameters), ("gradients", gradients)):
            if not isinstance(value, Mapping):
                raise ValueError(f"{argument}: got {type(value).__name__}, want a dict name -> array")
        for name, parameter in parameters.items():
            _check_parameter(f"parameters[{name!r}]", parameter)
        kinds = _kinds(parameters)
        if self._kinds not in (None, kinds):
            raise ValueError(f"parameters: got {_shown(kinds)}, want {_shown(self._kinds)} as in the first step")
        if set(parameters) != set(gradients):
            raise ValueError(f"gradients: got names {list(gradients)}, want {list(parameters)}")
        gradients = {name: _gradient(name, gradients[name], parameter) for name, parameter in parameters.items()}
        if self._kinds is None:
            self._kinds = kinds
            self._remember_nothing(parameters)
        return gradients


    def state_dict(self) -> dict[str, np.ndarray]:
        """All that the next steps depend on, as copies: a dict name -> array, as np.savez(file, **state) takes it.

        optimiser, steps       "SGD" or "Adam", the number of steps made
        rate, momentum, ...    the settings, by the names of the arguments
        shape.W_hh             of each parameter, here W_hh, and dtype.W_hh, its name; none before the first step
        v.W_hh, m.W_hh         what is remembered of its gradients, by the letter in the equations
        """
        state = {"optimiser": type(self).__name__, "steps": self.steps} | {name: getattr(self, name) for name in self._SETTINGS}
        for name, (shape, dtype) in (self._kinds or {}).items():
            state |= {f"shape.{name}": np.array(shape, int), f"dtype.{name}": str(dtype)}
            state |= {f"{memory[1:]}.{name}": getattr(self, memory)[name] for memory in self._MEMORY if getattr(self, memory)}
        return {name: np.array(value) for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, np.ndarray]) -> None:
        """Goes on from a `state_dict`, or the file that np.savez made of it, bit for bit; copies.

        Settings, the rate among them, become those of the state. A step then wants the parameters that it is of.

        ValueError: no such dict, that of another kind of optimiser, of parameters of other names, shapes or dtypes than
        those of earlier steps of this optimiser. Then nothing has been changed.
        """
        if not isinstance(state, Mapping):
            raise ValueError(f"state: got {type(state).__name__}, want a dict name -> array, as of state_dict()")
        state = {name: np.array(value) for name, value in state.items()}
        kind = str(state.get("optimiser", "none"))
        if kind != type(self).__name__:
            raise ValueError(f"state: got that of {kind}, want {type(self).__name__}")
        loaded = type(self)(**{name: _number(state, name) for name in self._SETTINGS})
        loaded.steps = as_integer("state['steps']", _number(state, "steps"), 0)
        kinds = {name.removeprefix("shape."): _kind(state, name) for name in state if name.startswith("shape.")}
        if kinds:
            if self._kinds not in (None, kinds):
                raise ValueError(f"state: got that for {_shown(kinds)}, want one for {_shown(self._kinds)}")
            loaded._kinds = kinds
            loaded._remember_nothing({name: np.empty(*kind) for name, kind in kinds.items()})
            for memory in loaded._MEMORY:
                for name, array in getattr(loaded, memory).items():
                    array[...] = _remembered(state, f"{memory[1:]}.{name}", array)
        names = loaded.state_dict()
        if set(state) != set(names):
            raise ValueError(f"state: got {', '.join(sorted(set(state) - set(names)))}, which {kind} doesn't have")
        vars(self).update(vars(loaded))


def _entry(state, name):
    if name not in state:
        raise ValueError(f"state: got no {name!r}, want all that state_dict() gave")
    return state[name]


def _number(state, name):
    value = _entry(state, name)
    if value.ndim:
        raise ValueError(f"state[{name!r}]: got shape {value.shape}, want one number")
    return value.item()


def _kind(state, name):
    """(shape, dtype) of a parameter, from the entry shape.W_hh and that of its dtype."""
    shape, dtype = state[name], str(_entry(state, f"dtype.{name.removeprefix('shape.')}"))
    if shape.ndim != 1 or shape.dtype.kind not in "iu":
        raise ValueError(f"state[{name!r}]: got {shape!r}, want a shape, integers")
    if dtype not in ("float32", "float64"):
        raise ValueError(f"state[{'dtype.' + name.removeprefix('shape.')!r}]: got {dtype!r}, want 'float32' or 'float64'")
    return tuple(map(int, shape)), np.dtype(dtype)


def _remembered(state, name, like):
    got = _entry(state, name)
    if (got.shape, got.dtype) != (like.shape, like.dtype):
        raise ValueError(f"state[{name!r}]: got {got.dtype} of shape {got.shape}, want {like.dtype} of shape {like.shape}")
    return got


class SGD(_Optimiser):
    """Gradient descent, theta <- theta - rate * g, or with momentum mu (Polyak 1964; Sutskever et al. 2013).

        v <- mu v + g,   theta <- theta - rate * v
        nesterov:        theta <- theta - rate * (g + mu v)

    rate          >= 0
    momentum      mu, 0 <= mu < 1
    nesterov      look ahead; needs momentum > 0
    weight_decay  >= 0, see the module

    As torch.optim.SGD. ValueError: arguments that aren't such numbers.
    """

    def __init__(self, rate: float, momentum: float = 0.0, nesterov: bool = False, *, weight_decay: float = 0.0):
        super().__init__(rate, weight_decay)
        self.momentum, self.nesterov = _fraction("momentum", momentum), nesterov
        if nesterov and not momentum:
            raise ValueError("momentum: got 0, want a number > 0 when nesterov is true")

    _MEMORY, _SETTINGS = ("_v",), ("rate", "momentum", "nesterov", "weight_decay")

    def _remember_nothing(self, parameters):
        self._v = {name: np.zeros_like(parameter) for name, parameter in parameters.items()} if self.momentum else {}

    def _direction(self, name, g):
        if not self.momentum:
            return g
        v = self._v[name]
        v *= self.momentum
        v += g
        return g + self.momentum * v if self.nesterov else v


class Adam(_Optimiser):
    """Adam, steps of about `rate` in every entry, whatever the size of its gradient (Kingma & Ba 2015, algorithm 1).

        m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g^2          m = v = 0 before the first step
        theta <- theta - rate * m_hat / (sqrt(v_hat) + eps)
        m_hat = m / (1 - beta1^t),      v_hat = v / (1 - beta2^t)               at step t = 1, 2, ...

    rate          >= 0
    beta1, beta2  0 <= beta < 1
    eps           > 0, so that a gradient that is 0 makes no step instead of NaN
    weight_decay  >= 0, see the module

    As torch.optim.Adam. Where g^2 overflows, v stays inf and the entry never moves again: clip before.
    ValueError: arguments that aren't such numbers.
    """

    def __init__(
        self, rate: float = 1e-3, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, *, weight_decay: float = 0.0
    ):
        super().__init__(rate, weight_decay)
        self.beta1, self.beta2 = _fraction("beta1", beta1), _fraction("beta2", beta2)
        self.eps = as_scale("eps", eps)
        if not self.eps:
            raise ValueError(f"eps: got {eps!r}, want a number > 0")

    _MEMORY, _SETTINGS = ("_m", "_v"), ("rate", "beta1", "beta2", "eps", "weight_decay")

    def _remember_nothing(self, parameters):
        self._m, self._v = ({name: np.zeros_like(parameter) for name, parameter in parameters.items()} for _ in range(2))

    def _direction(self, name, g):
        m, v = self._m[name], self._v[name]
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * g**2
        m_hat, v_hat = m / (1 - self.beta1**self.steps), v / (1 - self.beta2**self.steps)
        return m_hat / (np.sqrt(v_hat) + self.eps)


def abreast(optimisers: Sequence[SGD | Adam], parameters: Sequence[Mapping[str, np.ndarray]], named: Callable) -> SGD | Adam:
    """One optimiser that makes the steps of N, for {"rows": (N, P)}: row n has all the parameters of net n.

    optimisers  all SGD or all Adam, which differ in their rates alone
    parameters  dict name -> array for each, as in `step`
    named       row (P,) -> dict name -> view, with the names and shapes of `parameters`

    What the N remember is then that of the one, views of its rows, and lasts as long as they do; only their `steps`
    aren't counted. ValueError: other optimisers, parameters that aren't those of earlier steps.
    """
    for n, (optimiser, own) in enumerate(zip(optimisers, parameters)):
        if not isinstance(optimiser, _Optimiser):
            raise ValueError(f"optimisers[{n}]: got {type(optimiser).__name__}, want SGD or Adam")
        if _settings(optimiser) != _settings(optimisers[0]):
            raise ValueError(f"optimisers[{n}]: got {_settings(optimiser)}, want {_settings(optimisers[0])} as optimisers[0]")
        if optimiser._kinds is None:
            optimiser._kinds = _kinds(own)
            optimiser._remember_nothing(own)
        if optimiser._kinds != _kinds(own):
            raise ValueError(f"optimisers[{n}]: got one for {_shown(optimiser._kinds)}, want one for {_shown(_kinds(own))}")
    one, dtype = copy.copy(optimisers[0]), next(iter(parameters[0].values())).dtype
    one.rate = np.array([[optimiser.rate] for optimiser in optimisers], dtype)
    one._kinds = {"rows": ((len(optimisers), sum(array.size for array in parameters[0].values())), dtype)}
    for memory in one._MEMORY:
        if getattr(one, memory):
            rows = np.stack([np.concatenate([array.ravel() for array in getattr(optimiser, memory).values()])
                             for optimiser in optimisers])
            setattr(one, memory, {"rows": rows})
            for optimiser, row in zip(optimisers, rows):
                setattr(optimiser, memory, named(row))
    return one


def _settings(optimiser):
    """What optimisers abreast have in common."""
    own = {name: value for name, value in vars(optimiser).items() if name not in ("rate", "_kinds", *optimiser._MEMORY)}
    return type(optimiser).__name__, own
