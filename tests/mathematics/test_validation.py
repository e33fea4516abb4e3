"""Arguments from elsewhere: tensors, masked arrays, tables, strings. Each is taken right, or refused by name."""

import numpy as np
import pytest

from gradients import clipping, deep, layers, losses, optimisers, regularisers, rnn, training
from gradients.activations import activation
from gradients.validation import as_array

MASKED = np.ma.masked_array([1.0, 2.0], [False, True])
REFUSED = {
    "masked": MASKED, "list of masked": [MASKED, MASKED], "nested": [[1.0], (MASKED[:1], MASKED[1:])],
    "objects": np.array([1.0, None]), "complex": np.ones(2, complex), "strings": ["1.5", "2.5"], "bytes": np.array([b"1"]),
    "ragged": [[1.0], [1.0, 2.0]], "dates": np.array(["2020-01-01"], "M8[D]"), "None": None, "object": object(), "dict": {"a": 1},
    "record": np.zeros(2, [("a", float)]),
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_refused(value):
    calls = {
        "x": lambda: as_array("x", value), "z": lambda: activation("tanh").function(value),
        "o": lambda: losses.softmax(value), "output": lambda: losses.squared_error(value, value),
        "gradients['a']": lambda: clipping.clip_by_norm({"a": value}, 1.0), "parameters['a']": lambda: regularisers.l2({"a": value}, 1.0),
    }
    for argument, call in calls.items():
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value).startswith(f"{argument}: got ") and "want" in str(error.value)


def test_a_mask_that_hides_nothing_is_no_loss():
    whole = np.ma.masked_array([1.0, 2.0], [False, False])
    np.testing.assert_array_equal(as_array("x", whole), [1, 2])
    assert type(as_array("x", whole)) is np.ndarray


def test_masks_elsewhere():
    integers = np.ma.masked_array([0, 1], [False, True])
    for argument, call in {
        "y": lambda: losses.softmax_cross_entropy(np.ones((2, 2)), integers),
        "parameters['a']": lambda: optimisers.SGD(0.1).step({"a": MASKED}, {"a": np.ones(2)}),
        "gradients['a']": lambda: optimisers.SGD(0.1).step({"a": np.ones(2)}, {"a": MASKED}),
        "mask": lambda: losses.squared_error(np.ones((2, 2)), np.ones((2, 2)), mask=np.ma.masked_array([True, True], [True, False])),
    }.items():
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value).startswith(f"{argument}: got ")
    for argument, (x, y) in {"x": (MASKED, np.ones(2)), "y": (np.ones(2), integers)}.items():
        with pytest.raises(ValueError, match=f"^{argument}: got a masked array"):
            training.minibatches(x, y, 1, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="^y: got a masked array"):
        training.accuracy(np.ones((2, 2)), integers)


@pytest.mark.parametrize("kind", ["requires_grad", "bfloat16"])
def test_tensors_that_numpy_cannot_read(torch, kind):
    def tensor(*shape):
        made = torch.ones(shape)
        return made.requires_grad_() if kind == "requires_grad" else made.bfloat16()
    net = rnn.rnn(2, 3, 2, rng=np.random.default_rng(0))
    trace = rnn.forward(net, np.ones((4, 1, 2)))
    state = rnn.to_torch(net)
    layer = layers.Linear(np.ones((2, 2)))
    for argument, call in {
        "x": lambda: rnn.forward(net, tensor(4, 1, 2)), "h_0": lambda: rnn.forward(net, np.ones((4, 1, 2)), tensor(1, 3)),
        "do": lambda: rnn.backward(net, trace, tensor(4, 1, 2)),
        "dh": lambda: deep.backward(deep.deep_net([2, 2], rng=np.random.default_rng(0)), deep.Trace({1: np.ones((1, 2))}, {0: np.ones((1, 2)), 1: np.ones((1, 2))}), tensor(1, 2)),
        "W": lambda: layers.Linear(tensor(2, 2)), "x ": lambda: layer.forward(tensor(1, 2)),
        "z": lambda: activation("relu").derivative(tensor(2)),
        "o": lambda: losses.softmax_cross_entropy(tensor(1, 2), [0]),
        "target": lambda: losses.squared_error(np.ones((1, 2)), tensor(1, 2)),
        "y": lambda: losses.softmax_cross_entropy(np.ones((1, 2)), tensor(1)),
        "gradients": lambda: clipping.global_norm(tensor(2)), "gradients['a']": lambda: clipping.clip_by_value({"a": tensor(2)}, 1.0),
        "state['weight_hh_l0']": lambda: rnn.from_torch(state | {"weight_hh_l0": tensor(3, 3)}),
        "W_qh": lambda: rnn.from_torch(state, tensor(2, 3)), "b_q": lambda: rnn.from_torch(state, np.ones((2, 3)), tensor(2)),
        "W_hx": lambda: rnn.RNN(tensor(3, 2), *list(net.parameters.values())[1:], "tanh"),
    }.items():
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value).startswith(f"{argument.strip()}: got a "), argument
        assert "want" in str(error.value) and ("detach" in str(error.value) or kind == "bfloat16")


def test_tensors_that_numpy_can_read(torch):
    for dtype, want in ((torch.float32, np.float32), (torch.float64, np.float64), (torch.float16, np.float64), (torch.int64, np.float64)):
        array = as_array("x", torch.tensor([1, 2], dtype=dtype))
        assert array.dtype == want and array.tolist() == [1, 2]


def test_gradients_that_are_not_a_dict():
    net = rnn.rnn(2, 3, 2, rng=np.random.default_rng(0))
    gradients = rnn.backward(net, rnn.forward(net, np.ones((4, 1, 2))), np.ones((4, 1, 2)))
    of_deep = deep.deep_net([2, 2], rng=np.random.default_rng(0))
    of_deep = deep.backward(of_deep, deep.forward(of_deep, [[1, 2]]), [[1, 2]])
    for function in (lambda g: clipping.clip_by_norm(g, 1.0), lambda g: clipping.clip_by_value(g, 1.0), clipping.global_norm):
        with pytest.raises(ValueError, match=r"^gradients: got Gradients, want a dict name -> array, such as gradients.parameters"):
            function(gradients)
        with pytest.raises(ValueError, match=r"^gradients: got Gradients, want a dict name -> array, such as gradients.dW"):
            function(of_deep)
        with pytest.raises(ValueError, match=r"^gradients: got rows of unequal length"):
            function([np.ones(2), np.ones(3)])
        function(gradients.parameters), function(of_deep.dW)
    with pytest.raises(ValueError, match="^parameters: got RNN, want a dict"):
        optimisers.SGD(0.1).step(net, gradients)
    with pytest.raises(ValueError, match="^gradients: got Gradients, want a dict"):
        optimisers.SGD(0.1).step(net.parameters, gradients)
