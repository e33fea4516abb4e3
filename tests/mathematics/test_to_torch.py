"""The weights of PyTorch's LSTM and GRU as ours, and back."""

import re

import numpy as np
import pytest

from gradients import gru, lstm
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
