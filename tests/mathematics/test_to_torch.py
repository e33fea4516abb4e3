"""The weights of PyTorch's RNN, LSTM and GRU as ours, and back."""

import re
from functools import partial

import numpy as np
import pytest

from gradients import gru, lstm, rnn
from nets import assert_close

each_net = pytest.mark.parametrize("name, module", [("LSTM", lstm), ("GRU", gru)])


@each_net
def test_there_and_back(torch, name, module):
    theirs = getattr(torch.nn, name)(3, 5, dtype=torch.float64)
    W_qh, b_q = np.ones((2, 5)), np.zeros(2)
    before = {key: weights.clone() for key, weights in theirs.state_dict().items()}
    net = module.from_torch(theirs.state_dict(), W_qh, b_q)
    assert all((before[key] == weights).all() for key, weights in theirs.state_dict().items())
    x = np.random.default_rng(0).normal(size=(7, 4, 3))
    assert_close(module.forward(net, x).h[1:], theirs(torch.tensor(x))[0].detach().numpy(), 1e-12)
    assert net.W_qh is not W_qh and net.b_q is not b_q and (net.W_qh == 1).all() and (net.b_q == 0).all()
    state = module.to_torch(net)
    zeros = {"LSTM": 20, "GRU": 10}[name]  # a GRU's b_hn stands apart, within the reach of the reset gate
    assert list(state) == list(theirs.state_dict()) and not state["bias_hh_l0"][:zeros].any()
    for array in (*state.values(), *net.parameters.values()):
        assert not any(np.shares_memory(array, weights.numpy()) for weights in theirs.state_dict().values())
    assert not any(np.shares_memory(array, ours) for array in state.values() for ours in net.parameters.values())
    again = module.from_torch(state, net.W_qh, net.b_q)
    for key, array in net.parameters.items():
        np.testing.assert_array_equal(again.parameters[key], array)
    single = {key: array.astype(np.float32) for key, array in state.items()}
    assert module.from_torch(single, W_qh.astype(np.float32), b_q.astype(np.float32)).dtype == np.float32


@each_net
@pytest.mark.parametrize("changes, outputs, argument", [
    (None, ((4, 3), 4), "state"),
    (dict(weight_ih_l1=np.ones((9, 2))), ((4, 3), 4), "state"),
    (dict(weight_hh_l0=np.full((9, 3), np.nan)), ((4, 3), 4), "state['weight_hh_l0']"),
    (dict(bias_hh_l0=np.ones(1)), ((4, 3), 4), "state['bias_hh_l0']"),
    (dict(weight_hh_l0=np.ones((3, 3))), ((4, 3), 4), "W_hh"),
    ({}, ((4, 2), 4), "W_qh"),
    ({}, ((4, 3), 3), "b_q"),
])
def test_bad_weights_are_named(name, module, changes, outputs, argument):
    draw = {"LSTM": lstm.lstm, "GRU": gru.gru}[name]
    state = {} if changes is None else module.to_torch(draw(2, 3, 4, rng=np.random.default_rng(0))) | changes
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        module.from_torch(state, *map(np.ones, outputs))


MODULES = {"RNN": rnn, "LSTM": lstm, "GRU": gru}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MODULES)
def test_without_a_read_out_and_with_or_without_biases(torch, name, dtype, bias):
    """There and back, loaded strictly; the net's outputs are the states."""
    make = partial(getattr(torch.nn, name), 3, 5, bias=bias, dtype=getattr(torch, dtype))
    module, theirs, other = MODULES[name], make(), make()
    net = module.from_torch(theirs.state_dict())
    assert net.dtype == dtype and net.sizes == (3, 5, 5)
    x = np.random.default_rng(0).normal(size=(7, 4, 3)).astype(dtype)
    trace, want = module.forward(net, x), theirs(torch.tensor(x))[0].detach().numpy()
    assert_close(trace.o, want, 1e-12 if dtype == "float64" else 1e-5)
    np.testing.assert_array_equal(trace.o, trace.h[1:])
    other.load_state_dict(module.to_torch(net, bias=bias, tensor=torch.from_numpy), strict=True)
    assert_close(other(torch.tensor(x))[0].detach().numpy(), want, 1e-12 if dtype == "float64" else 1e-5)
    other.load_state_dict({key: torch.from_numpy(array) for key, array in module.to_torch(net, bias=bias).items()}, strict=True)
    again = module.from_torch(other.state_dict())
    for key, array in net.parameters.items():
        np.testing.assert_array_equal(again.parameters[key], array)
    if not bias:
        assert not any(array.any() for key, array in net.parameters.items() if key.startswith("b_"))
        assert set(module.to_torch(net)) == set(make(bias=True).state_dict())  # zeros, for a module with biases
    trained = module.from_torch(theirs.state_dict(), np.ones((2, 5), dtype))
    assert trained.sizes == (3, 5, 2) and trained.b_q.dtype == dtype and not trained.b_q.any()


@pytest.mark.parametrize("name", MODULES)
def test_what_has_no_place_there(torch, name):
    module = MODULES[name]
    theirs = getattr(torch.nn, name)(3, 5)
    net = module.from_torch(theirs.state_dict())
    with pytest.raises(ValueError, match="^bias: got False for a net with biases that aren't 0, want True"):
        module.to_torch(net, bias=False)
    with pytest.raises(ValueError, match="^bias: got None, want True or False"):
        module.to_torch(net, bias=None)
    with pytest.raises(ValueError, match="^W_qh: got None with a b_q"):
        module.from_torch(theirs.state_dict(), None, np.ones(2))
    with pytest.raises(ValueError, match=f"^state: got {name}, want a dict .*state_dict"):
        module.from_torch(theirs)
    state = dict(theirs.state_dict())
    del state["bias_hh_l0"]
    for wrong in (state, {}, getattr(torch.nn, name)(3, 5, 2, bias=False).state_dict(), getattr(torch.nn, name)(3, 5, bidirectional=True).state_dict()):
        with pytest.raises(ValueError, match="^state: got .*want weight_ih_l0"):
            module.from_torch(wrong)
