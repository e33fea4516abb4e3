"""A net or trace of another kind, in every public function that takes one: a ValueError that names the argument."""

import inspect
import re

import numpy as np
import pytest

from gradients import deep, gru, lstm, many, regularisers, rnn, training

RNG = np.random.default_rng(0)
NETS = {rnn: rnn.rnn(2, 3, 2, rng=RNG), lstm: lstm.lstm(2, 3, 2, rng=RNG), gru: gru.gru(2, 3, 2, rng=RNG),
        deep: deep.deep_net([2, 3, 2], rng=RNG)}
X = {module: np.ones((4, 2) if module is deep else (5, 4, 2)) for module in NETS}
TRACES = {module: module.forward(net, X[module]) for module, net in NETS.items()}
GRADIENTS = {module: module.backward(net, TRACES[module], X[module]) for module, net in NETS.items()}
MORE = dict(h_0=None, c_0=None, t=None, steps=2, tau=2, T=3, detours=1, dh_t=np.ones((4, 3)), gradients=None)


def arguments(module, function):
    """Right ones, by name."""
    names = {"net": NETS[module], "trace": TRACES[module], "x": X[module], "do": X[module], "dh": X[module], **MORE}
    if module is deep and function.__name__ == "gradient_norms":
        names["gradients"] = GRADIENTS[deep]
    wanted = inspect.signature(function).parameters
    return {name: names[name] for name in wanted if name in names and (name in ("net", "trace") or
                                                                      wanted[name].default is inspect.Parameter.empty)}


FUNCTIONS = [(module, getattr(module, name)) for module in NETS for name in module.__all__
             if inspect.isfunction(getattr(module, name)) and {"net", "trace", "gradients"} & set(inspect.signature(getattr(module, name)).parameters)]
FUNCTIONS.append((rnn, regularisers.vanishing_penalty))


def test_all_of_them_are_here():
    names = {f"{module.__name__.removeprefix('gradients.')}.{function.__name__}" for module, function in FUNCTIONS}
    assert {"rnn.backward", "rnn.lag_terms", "rnn.jacobian_bound", "lstm.gate_split", "lstm.to_torch", "gru.highway",
            "deep.jacobian_bound", "deep.gradient_norms", "rnn.vanishing_penalty"} <= names
    assert len(names) == len(FUNCTIONS) == 31


@pytest.mark.parametrize("module, function", FUNCTIONS, ids=lambda each: each.__name__)
def test_another_kind_of_net_or_trace(module, function):
    right = arguments(module, function)
    function(**right)
    for argument, others in (("net", NETS), ("trace", TRACES), ("gradients", GRADIENTS)):
        if argument not in right:
            continue
        wrong = [*(others[other] for other in NETS if other is not module), None, "net", np.ones(3), module, NETS]
        wrong += [TRACES[module]] if argument == "net" else [NETS[module]]
        for value in wrong:
            with pytest.raises(ValueError, match=rf"^{argument}: got .*{re.escape(type(value).__name__)}, want gradients\.{module.__name__[10:]}\."):
                function(**right | {argument: value})


@pytest.mark.parametrize("gradients", [GRADIENTS[lstm], GRADIENTS[deep], NETS[rnn], {}])
def test_penalty_with_gradients_of_another_kind(gradients):
    if gradients is GRADIENTS[lstm]:  # a kind of recurrent.Gradients, but of other shapes
        match = "^gradients: got delta of shape"
    else:
        match = "^gradients: got .*want gradients.recurrent.Gradients"
    with pytest.raises(ValueError, match=match):
        regularisers.vanishing_penalty(NETS[rnn], TRACES[rnn], X[rnn], gradients=gradients)


@pytest.mark.parametrize("wrap, right", [(training.Recurrent, (rnn, lstm, gru)), (training.Deep, (deep,))])
def test_what_is_wrapped_for_training(wrap, right):
    for module, net in NETS.items():
        if module in right:
            assert wrap(net).net is net
        else:
            with pytest.raises(ValueError, match="^net: got .*want"):
                wrap(net)
    for value in (None, TRACES[rnn], wrap(NETS[right[0]])):
        with pytest.raises(ValueError, match="^net: got .*want"):
            wrap(value)


@pytest.mark.parametrize("module", [rnn, lstm, gru])
@pytest.mark.parametrize("other", [rnn, lstm, gru])
def test_another_nets_backward_in_training(module, other):
    wrapped = training.Recurrent(NETS[module], other.backward)
    wrapped.forward(X[module])
    if module is other:
        wrapped.backward(X[module])
    else:
        with pytest.raises(ValueError, match="^net: got gradients.*want gradients"):
            wrapped.backward(X[module])


def test_a_backward_before_a_forward():
    for wrapped in (training.Recurrent(NETS[rnn]), training.Deep(NETS[deep])):
        with pytest.raises(ValueError, match="^trace: got .*NoneType, want"):
            wrapped.backward(X[rnn])


@pytest.mark.parametrize("module", [rnn, lstm, gru])
def test_many(module):
    nets = many.Nets([NETS[module]])
    x = np.ones((5, 1, 2, 4))
    trace = many.forward(nets, x)
    for value in (None, NETS[module], [NETS[module]]):
        with pytest.raises(ValueError, match="^nets: got .*want gradients.many.Nets"):
            many.forward(value, x)
        with pytest.raises(ValueError, match="^nets: got .*want gradients.many.Nets"):
            many.backward(value, trace, x)
    with pytest.raises(ValueError, match="^trace: got gradients.*want gradients.many.Trace"):
        many.backward(nets, TRACES[module], x)
    for other in {rnn, lstm, gru} - {module}:
        of_others = many.forward(many.Nets([NETS[other]]), x)
        with pytest.raises(ValueError, match="^trace: got that of .*want"):
            many.backward(nets, of_others, x)
    with pytest.raises(ValueError, match=r"^nets\[0\]: got .*want"):
        many.Nets([NETS[deep]])
