import inspect
import itertools
import re
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradients import deep, gru, lstm, rnn, tasks
from gradients.clipping import clip_by_norm, global_norm
from gradients.layers import Activate, Linear, Sequential
from gradients.losses import softmax_cross_entropy, squared_error
from gradients.optimisers import SGD, Adam
from gradients.pretraining import Autoencoder
from gradients.regularisers import l2, vanishing_penalty
from gradients.training import Deep, Recurrent, accuracy, averaged, fit, minibatches


def recurrent(seed=0, activation="tanh", **scales):
    return rnn.rnn(2, 5, 3, activation, rng=np.random.default_rng(seed), **scales)


def sequences(seed=0, T=6, B=4):
    rng = np.random.default_rng(seed)
    while True:
        yield rng.normal(size=(T, B, 2)), rng.normal(size=(T, B, 3))


def deep_net(seed=0, activation="tanh"):
    return deep.deep_net([3, 6, 2], activation, rng=np.random.default_rng(seed), output="identity")


def examples(seed=0, B=4):
    rng = np.random.default_rng(seed)
    while True:
        yield rng.normal(size=(B, 3)), rng.normal(size=(B, 2))


def layers_of(net):
    layers = []
    for l in net.W:
        layers += [Linear(net.W[l].copy(), net.b[l].copy()), Activate(net.phi[l])]
    return Sequential(*layers)


def assert_same_parameters(net, other, rtol=0.0):
    for array, want in zip(net.parameters.values(), other.parameters.values(), strict=True):
        np.testing.assert_allclose(array, want, rtol=rtol)


def strength(net):
    """L2 on one matrix."""
    name = "W_hh" if "W_hh" in net.parameters else "W[1]"
    return l2({name: net.parameters[name]}, 0.1)


@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("penalty", [None, strength])
def test_a_recurrent_net_step_by_step(clip, penalty):
    net, other, batches = recurrent(), recurrent(), sequences()
    history = fit(Recurrent(net), sequences(), squared_error, SGD(0.01, 0.9), steps=8, clip=clip, penalty=penalty)
    optimiser = SGD(0.01, 0.9)
    for i in range(8):
        x, y = next(batches)
        trace = rnn.forward(other, x)
        loss, do = squared_error(trace.o, y)
        gradients = rnn.backward(other, trace, do).parameters
        value = 0.0
        if penalty:
            value, more = penalty(other)
            gradients["W_hh"] = gradients["W_hh"] + more["W_hh"]
        assert (history.loss[i], history.penalty[i], history.norm[i]) == (loss, value, global_norm(gradients))
        if clip:
            gradients, _ = clip_by_norm(gradients, clip)
        optimiser.step(other.parameters, gradients)
    assert history.stopped is None and len(history.loss) == len(history.penalty) == len(history.norm) == 8
    assert_same_parameters(net, other)
    assert (history.norm > 0.5).all()


@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_deep_net_and_the_same_in_layers(clip):
    net = deep_net()
    layers = layers_of(net)
    histories = [fit(it, examples(), averaged(squared_error), Adam(0.01), steps=20, clip=clip) for it in (Deep(net), layers)]
    np.testing.assert_allclose(histories[0].loss, histories[1].loss, rtol=1e-12)
    np.testing.assert_allclose(histories[0].norm, histories[1].norm, rtol=1e-10)
    for l in net.W:
        np.testing.assert_allclose(layers.layers[2 * l - 2].parameters["W"], net.W[l], rtol=1e-10)
        np.testing.assert_allclose(layers.layers[2 * l - 2].parameters["b"], net.b[l], rtol=1e-10)


@pytest.mark.parametrize("penalty", [False, True])
def test_a_deep_net_against_torch(torch, penalty):
    net = deep_net()
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in Deep(net).parameters.items()}
    history = fit(Deep(net), examples(), averaged(squared_error), Adam(0.05), steps=20, clip=1.0,
                  penalty=strength if penalty else None)
    optimiser = torch.optim.Adam(tensors.values(), lr=0.05)
    for (x, y), loss in zip(examples(), history.loss):
        x, y = torch.tensor(x), torch.tensor(y)
        output = torch.tanh(x @ tensors["W[1]"].T + tensors["b[1]"]) @ tensors["W[2]"].T + tensors["b[2]"]
        theirs = 0.5 * ((output - y) ** 2).sum() / len(x)
        assert loss == pytest.approx(theirs.item(), rel=1e-10)
        optimiser.zero_grad()
        (theirs + (0.05 * (tensors["W[1]"] ** 2).sum() if penalty else 0)).backward()
        norm = torch.nn.utils.get_total_norm([tensor.grad for tensor in tensors.values()])
        for tensor in tensors.values():
            tensor.grad *= min(1, 1 / norm)
        optimiser.step()
    for name, array in Deep(net).parameters.items():
        np.testing.assert_allclose(array, tensors[name].detach().numpy(), rtol=0, atol=1e-10)


def test_training_mode_is_on():
    class Watched(Deep):
        def forward(self, x, training=False):
            seen.append(training)
            return super().forward(x)
    seen = []
    fit(Watched(deep_net()), examples(), squared_error, SGD(0.01), steps=2)
    assert seen == [True, True]


def test_it_learns_and_is_deterministic():
    V, histories = len(tasks.VOCABULARY), []
    for _ in range(2):
        rng = np.random.default_rng(0)
        net = Recurrent(rnn.rnn(V, 16, V, rng=rng))
        batches = ((batch.x, batch.y[-1]) for batch in (tasks.agreement(2, 16, rng=rng) for _ in itertools.count()))
        loss = averaged(partial(softmax_cross_entropy, last=True), axis=1)
        histories.append((fit(net, batches, loss, Adam(0.01), steps=100, clip=5), net))
    (first, net), (second, _) = histories
    assert first.loss[-1] < 0.1 < 2 < first.loss[0] and np.isfinite(first.norm).all()
    for one, other in zip(vars(first).values(), vars(second).values()):
        np.testing.assert_array_equal(one, other)
    test = tasks.agreement(2, 100, rng=np.random.default_rng(1))
    assert accuracy(net.forward(test.x, training=False)[-1], test.y[-1]) == 1


@pytest.mark.parametrize("draw", [rnn.rnn, lstm.lstm, gru.gru])
def test_every_kind_of_recurrent_net_has_its_forward_and_backward(draw):
    module = {rnn.rnn: rnn, lstm.lstm: lstm, gru.gru: gru}[draw]
    net, ((x, y),) = draw(2, 5, 3, rng=np.random.default_rng(0)), itertools.islice(sequences(), 1)
    model = Recurrent(net)
    o = model.forward(x)
    model.backward(o - y)
    trace = module.forward(net, x)
    gradients = module.backward(net, trace, o - y)
    np.testing.assert_array_equal(o, trace.o)
    assert list(model.gradients) == list(model.parameters) == list(net.parameters)
    for name, gradient in model.gradients.items():
        np.testing.assert_array_equal(gradient, gradients.parameters[name])
        assert model.parameters[name] is net.parameters[name]
    np.testing.assert_array_equal(model.all_gradients.dh, gradients.dh)


@pytest.mark.parametrize("model", [
    Recurrent(recurrent()), Deep(deep_net()), layers_of(deep_net()), Autoencoder(np.ones((2, 3)), np.ones(2), np.ones(3)),
])
def test_forward_is_evaluation_unless_told(model):
    assert inspect.signature(model.forward).parameters["training"].default is False


def test_any_backward():
    nets = [recurrent() for _ in range(3)]
    for net, backward in zip(nets, (rnn.backward, partial(rnn.truncated_backward, tau=99), partial(rnn.chunked_backward, steps=1))):
        fit(Recurrent(net, backward), sequences(), squared_error, SGD(0.01), steps=3)
    assert_same_parameters(nets[0], nets[1], rtol=1e-12)
    assert np.abs(nets[0].W_hh - nets[2].W_hh).max() > 1e-4


def test_the_vanishing_penalty_in_the_loop():
    net, other = recurrent(), recurrent()

    def penalty(r):
        omega, dW_hh = vanishing_penalty(r.net, r.trace, r.do, gradients=r.all_gradients)
        return 2 * omega, {"W_hh": 2 * dW_hh}
    history = fit(Recurrent(net), sequences(), squared_error, SGD(0.01), steps=1, penalty=penalty)
    (x, y), = itertools.islice(sequences(), 1)
    trace = rnn.forward(other, x)
    do = trace.o - y
    omega, dW_hh = vanishing_penalty(other, trace, do)
    assert history.penalty == pytest.approx([2 * omega])
    np.testing.assert_allclose(net.W_hh, other.W_hh - 0.01 * (rnn.backward(other, trace, do).dW_hh + 2 * dW_hh), rtol=1e-13)


def test_progress_wraps_the_steps():
    shown = []

    def progress(steps):
        assert len(steps) == 3
        for step in steps:
            shown.append(step)
            yield step
    history = fit(Recurrent(recurrent()), sequences(), squared_error, SGD(0.01), steps=3, progress=progress)
    silent = fit(Recurrent(recurrent()), sequences(), squared_error, SGD(0.01), steps=3)
    assert shown == [0, 1, 2] and (history.loss == silent.loss).all()


@pytest.mark.parametrize("clip", [None, 5.0])
def test_nan_ends_a_run(clip):
    """The run of chapter 5, which explodes unclipped."""
    V, rng = len(tasks.VOCABULARY), np.random.default_rng(0)
    net = rnn.rnn(V, 32, V, "relu", rng=rng, w_hh_scale=1.5, w_hx_scale=V**0.5 / 2)
    batches = ((batch.x, batch.y[-1]) for batch in (tasks.agreement(12, 16, rng=rng) for _ in itertools.count()))
    loss = averaged(partial(softmax_cross_entropy, last=True), axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(Recurrent(net), batches, loss, SGD(0.1), steps=40, clip=clip)
    if clip:
        assert history.stopped is None and np.isfinite(history.loss).all() and len(history.norm) == 40
        return
    n = len(history.loss)
    assert n < 40 and re.match(rf"step {n}: o\[\d+\] contains NaN", history.stopped)
    assert np.isfinite([history.loss[:-1], history.norm[:-1]]).all()
    assert np.isnan([history.loss[-1], history.norm[-1]]).all() and not history.penalty.any()
    assert all(np.isfinite(array).all() for array in net.parameters.values())


def spoilt(value, at, what):
    """A loss that is `value` at call `at`, or whose gradient has it."""
    calls = itertools.count(1)

    def loss(output, y):
        value_now, gradient = squared_error(output, y)
        if next(calls) == at:
            if what == "loss":
                return value, gradient
            gradient[0, 0] = value
        return value_now, gradient
    return loss


@pytest.mark.parametrize(("value", "what", "message"), [
    (np.nan, "loss", "step 3: the loss is nan"), (np.inf, "loss", "step 3: the loss is inf"),
    (np.nan, "gradient", "step 3: delta[2] contains NaN"), (np.inf, "gradient", "step 3: dx contains NaN"),
])
@pytest.mark.parametrize("clip", [None, 1.0])
def test_where_a_run_ended(value, what, message, clip):
    net, spared = deep_net(), deep_net()
    history = fit(Deep(net), examples(), spoilt(value, 3, what), SGD(0.01), steps=10, clip=clip)
    assert history.stopped.startswith(message)
    assert len(history.loss) == len(history.norm) == len(history.penalty) == 3
    assert np.isfinite(history.norm[:2]).all() and np.isnan(history.norm[2])
    fit(Deep(spared), examples(), squared_error, SGD(0.01), steps=2, clip=clip)
    assert_same_parameters(Deep(net), Deep(spared))


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_with_inf_ends_a_run(clip):
    class Broken:
        parameters, gradients = {"w": np.ones(3)}, {"w": np.array([1, np.inf, np.inf])}

        def forward(self, x, training):
            return x

        def backward(self, dy):
            pass
    net = Broken()
    history = fit(net, examples(), lambda output, y: (1.0, output), SGD(0.01), steps=2, clip=clip)
    assert history.stopped == "step 1: gradients['w']: got 0 NaN and 2 inf in 3 entries, want finite numbers"
    assert history.loss.tolist() == [1] and history.norm.tolist() == [np.inf] and net.parameters["w"].tolist() == [1, 1, 1]


def test_a_penalty_that_is_not_finite_ends_a_run():
    net = deep_net()
    before = {name: array.copy() for name, array in Deep(net).parameters.items()}
    history = fit(Deep(net), examples(), squared_error, SGD(0.01), steps=3, penalty=lambda net: (np.inf, {}))
    assert history.stopped == "step 1: the penalty is inf" and history.penalty.tolist() == [np.inf]
    for name, array in Deep(net).parameters.items():
        np.testing.assert_array_equal(array, before[name])


def test_warnings_are_as_before():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(Deep(deep_net()), examples(), spoilt(np.nan, 1, "gradient"), SGD(0.01), steps=2)
        warnings.warn("x contains NaN", RuntimeWarning)
    assert [str(warning.message) for warning in caught] == ["x contains NaN"]


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0, 1]))
def test_averaged(T, B, Q, axis):
    rng = np.random.default_rng(T + B)
    o, y = rng.normal(size=(T, B, Q)), rng.normal(size=(T, B, Q))
    loss, gradient = squared_error(o, y)
    mean, mean_gradient = averaged(squared_error, axis)(o, y)
    assert mean == loss / (T, B)[axis]
    np.testing.assert_array_equal(mean_gradient, gradient / (T, B)[axis])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_minibatches(N, B, seed):
    B = min(N, B)
    x, y, rounds = np.arange(2 * N).reshape(N, 2), np.arange(N), N // B
    batches = list(itertools.islice(minibatches(x, y, B, rng=np.random.default_rng(seed)), 3 * rounds))
    for some_x, some_y in batches:
        assert some_x.shape == (B, 2) and some_y.shape == (B,) and (some_x[:, 0] == 2 * some_y).all()
    for i in range(3):
        drawn = np.concatenate([some_y for _, some_y in batches[i * rounds:(i + 1) * rounds]])
        assert len(set(drawn)) == len(drawn) == rounds * B
    again = list(itertools.islice(minibatches(x, y, B, rng=np.random.default_rng(seed)), 3 * rounds))
    assert all((one[1] == other[1]).all() for one, other in zip(batches, again))


def test_minibatches_come_in_another_order_each_round():
    batches = minibatches(np.arange(50), np.arange(50), 50, rng=np.random.default_rng(0))
    first, second = (next(batches)[0].tolist() for _ in range(2))
    assert first != second != sorted(second) and sorted(first) == sorted(second)


def test_accuracy():
    outputs = np.array([[1, 2, 0], [3, 3, 1], [0, 0, 5], [np.nan, 1, 0.5], [-np.inf, np.inf, 0]])
    assert accuracy(outputs, [1, 0, 0, 0, 1]) == 0.6
    assert accuracy(outputs, [1, 1, 2, 1, 2]) == 0.4
    assert accuracy(outputs[:3].reshape(3, 1, 3), [[1], [0], [2]]) == 1
    assert type(accuracy(outputs, [0] * 5)) is float


@settings(max_examples=30)
@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 99))
def test_accuracy_counts(B, Q, seed):
    rng = np.random.default_rng(seed)
    outputs, y = rng.normal(size=(B, Q)), rng.integers(0, Q, B)
    assert accuracy(outputs, y) == pytest.approx(sum(int(np.argmax(o)) == c for o, c in zip(outputs, y)) / B)


def run(net=None, batches=None, loss=squared_error, **options):
    return fit(net or Deep(deep_net()), batches or examples(), loss, SGD(0.01), **{"steps": 2} | options)


X = np.zeros((4, 3))


@pytest.mark.parametrize(("call", "argument"), [
    (lambda: run(deep_net()), "net"),
    (lambda: run(recurrent()), "net"),
    (lambda: Recurrent(deep_net()), "net"),
    (lambda: Recurrent(None), "net"),
    *((lambda steps=steps: run(steps=steps), "steps") for steps in (0, 2.0, None)),
    *((lambda clip=clip: run(clip=clip), "clip") for clip in (0, -1, np.nan, "5", True)),
    (lambda: run(batches=list(itertools.islice(examples(), 1))), "batches"),
    (lambda: run(penalty=lambda net: (0.0, {"W": np.zeros(1)})), "penalty"),
    (lambda: run(batches=sequences()), "x"),
    (lambda: minibatches(X, X[1:], 2, rng=np.random.default_rng()), "y"),
    (lambda: minibatches(X, X, 5, rng=np.random.default_rng()), "B"),
    (lambda: minibatches(X, X, 0, rng=np.random.default_rng()), "B"),
    (lambda: minibatches(X, X, 2, rng=0), "rng"),
    (lambda: accuracy(X, [0, 1, 2]), "y"),
    (lambda: accuracy(X, [0.0] * 4), "y"),
    (lambda: accuracy(X, [0, 1, 2, 3]), "y"),
    (lambda: accuracy(X, [0, 1, 2, -1]), "y"),
    (lambda: accuracy(np.zeros(()), 0), "y"),
    (lambda: accuracy([["a"]], [0]), "outputs"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=f"^{argument}: .*got .*want|^{argument}: got .*want"):
        call()


def test_batches_that_end_are_counted():
    with pytest.raises(ValueError, match="^batches: got 2, want 5, one a step$"):
        run(batches=list(itertools.islice(examples(), 2)), steps=5)


def test_the_mean_over_steps_that_arent_padding():
    """A batch (x, (y, mask)) as `averaged` says: padding of any length gives the same training, to rounding."""
    rng = np.random.default_rng(0)
    x, y, lengths = rng.normal(size=(6, 4, 2)), rng.integers(0, 3, (6, 4)), np.array([2, 6, 3, 1])
    mean = averaged(softmax_cross_entropy)
    runs = []
    for padding in (0, 3):
        net, pad = recurrent(), ((0, padding), (0, 0))
        long, classes = np.pad(x, (*pad, (0, 0)), constant_values=7), np.pad(y, pad, constant_values=-100)
        mask = np.arange(len(long))[:, None] < lengths
        history = fit(Recurrent(net), itertools.repeat((long, (classes, mask))),
                      lambda o, y_and_mask: mean(o, y_and_mask[0], mask=y_and_mask[1]), SGD(0.5), steps=20)
        runs.append(history.loss)
    np.testing.assert_allclose(runs[0], runs[1], rtol=1e-12)
    first = softmax_cross_entropy(Recurrent(recurrent()).forward(x), y, mask=np.arange(6)[:, None] < lengths)[0]
    assert runs[0][0] == pytest.approx(first / 12, rel=1e-13) and runs[0][-1] < runs[0][0]
