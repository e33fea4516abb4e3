import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradients import deep, gru, lstm, many, rnn
from gradients.losses import squared_error
from gradients.optimisers import SGD, Adam
from gradients.training import Recurrent, averaged, fit, fit_many
from nets import assert_close

DRAW = {
    "tanh": rnn.rnn, "relu": partial(rnn.rnn, activation="relu"),
    "LSTM": lstm.lstm, "LSTM, no forget gate": partial(lstm.lstm, forget_gate=False),
} | {f"GRU, {candidate}, {keep}": partial(gru.gru, candidate=candidate, keep=keep)
     for candidate in ("inside", "outside") for keep in ("z", "1-z")}
MODULE = {rnn.RNN: rnn, lstm.LSTM: lstm, gru.GRU: gru}
each_kind = pytest.mark.parametrize("kind", DRAW)


def draw(kind, N, *, D=2, H=5, Q=3, seed=0, dtype=np.float64):
    """Nets whose parameters are all random, biases too."""
    rng = np.random.default_rng(seed)
    nets = [DRAW[kind](D, H, Q, rng=rng, dtype=dtype) for _ in range(N)]
    for net in nets:
        for array in net.parameters.values():
            array += (0.1 * rng.standard_normal(array.shape)).astype(dtype)
    return nets


def sequences(T, N, n, B, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((T, N, n, B)).astype(dtype)


@each_kind
@settings(max_examples=20, deadline=None)
@given(N=st.integers(1, 4), T=st.integers(1, 6), B=st.integers(1, 4), D=st.integers(1, 3), H=st.integers(1, 5),
       Q=st.integers(1, 3), dtype=st.sampled_from([np.float64, np.float32]), seed=st.integers(0, 99))
def test_each_net_is_as_alone(kind, N, T, B, D, H, Q, dtype, seed):
    nets = draw(kind, N, D=D, H=H, Q=Q, seed=seed, dtype=dtype)
    x, do = sequences(T, N, D, B, seed, dtype), sequences(T, N, Q, B, seed + 1, dtype)
    together = many.Nets(nets)
    trace = many.forward(together, x)
    gradients = together.named(many.backward(together, trace, do))
    close = partial(assert_close, **dict(rtol=1e-12, rounding=1e-15) if dtype is np.float64 else dict(rtol=1e-4, rounding=1e-5))
    for n, net in enumerate(nets):
        module = MODULE[type(net)]
        alone = module.forward(net, x[:, n].swapaxes(1, 2))
        close(trace.o[:, n].swapaxes(1, 2), alone.o)
        for name, want in module.backward(net, alone, do[:, n].swapaxes(1, 2)).parameters.items():
            close(gradients[name][n], want, err_msg=name)
            assert gradients[name].dtype == dtype


@each_kind
def test_gradients_are_central_differences(kind):
    together, x, y = many.Nets(draw(kind, 3)), sequences(4, 3, 2, 2), sequences(4, 3, 3, 2, seed=1)

    def losses():
        return 0.5 * ((many.forward(together, x).o - y) ** 2).sum(axis=(0, 2, 3))
    trace = many.forward(together, x)
    gradients, step = many.backward(together, trace, trace.o - y), 1e-5
    found = np.empty_like(gradients)
    for p in range(gradients.shape[1]):
        kept = together.rows[:, p].copy()
        together.rows[:, p] = kept + step
        above = losses()
        together.rows[:, p] = kept - step
        found[:, p] = (above - losses()) / (2 * step)
        together.rows[:, p] = kept
    assert_close(gradients, found, rtol=1e-7)


def test_sequences_that_all_nets_share():
    together, x, do = many.Nets(draw("LSTM", 3)), sequences(4, 1, 2, 2), sequences(4, 3, 3, 2)
    shared = many.backward(together, many.forward(together, x), do)
    np.testing.assert_array_equal(shared, many.backward(together, many.forward(together, x.repeat(3, axis=1)), do))


def batches(n, T=6, B=4):
    rng = np.random.default_rng(n)
    while True:
        yield rng.normal(size=(T, B, 2)), rng.normal(size=(T, B, 3))


LOSS = averaged(squared_error, axis=1)
OPTIMISERS = {"SGD": SGD, "momentum": partial(SGD, momentum=0.9), "nesterov": partial(SGD, momentum=0.9, nesterov=True),
              "decay": partial(Adam, weight_decay=0.1), "Adam": Adam}


def one_by_one(nets, streams, loss, optimisers, **options):
    return [fit(Recurrent(net), stream, loss, optimiser, **options)
            for net, stream, optimiser in zip(nets, streams, optimisers, strict=True)]


def assert_same(nets, others, histories, wanted, rtol=1e-9):
    for net, other in zip(nets, others, strict=True):
        for name, want in other.parameters.items():
            assert_close(net.parameters[name], want, rtol, err_msg=name)
    for history, want in zip(histories, wanted, strict=True):
        assert history.stopped == want.stopped
        for name in ("loss", "penalty", "norm"):
            np.testing.assert_allclose(getattr(history, name), getattr(want, name), rtol)


def rates(N):
    """None so high that a rounding error grows within 20 steps."""
    return [10.0 ** -(2 + n % 3) for n in range(N)]


@each_kind
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_each_net_learns_as_alone(kind, optimiser, clip):
    """In two calls: the second goes on with what the optimisers remember."""
    N, (nets, others) = 3, (draw(kind, 3) for _ in range(2))
    optimisers, theirs = ([OPTIMISERS[optimiser](rate) for rate in rates(N)] for _ in range(2))
    streams, their_streams = ([batches(n) for n in range(N)] for _ in range(2))
    for steps in (12, 8):
        histories = fit_many(nets, streams, LOSS, optimisers, steps=steps, clip=clip)
        assert_same(nets, others, histories, one_by_one(others, their_streams, LOSS, theirs, steps=steps, clip=clip))
    assert (histories[0].norm > 0.5).any() and all(len(history.loss) == 8 for history in histories)


def test_alone_after_together():
    nets, others = draw("GRU, outside, z", 2), draw("GRU, outside, z", 2)
    optimisers, theirs = ([Adam(rate) for rate in rates(2)] for _ in range(2))
    streams, their_streams = ([batches(n) for n in range(2)] for _ in range(2))
    fit_many(nets, streams, LOSS, optimisers, steps=5)
    one_by_one(others, their_streams, LOSS, theirs, steps=5)
    assert_same(nets, others, *(one_by_one(each, stream, LOSS, optimiser, steps=5) for each, stream, optimiser in (
        (nets, streams, optimisers), (others, their_streams, theirs))))


def test_one_stream_for_more_nets_than_one_group():
    nets, others, N = draw("tanh", 37), draw("tanh", 37), 37
    histories = fit_many(nets, batches(0), LOSS, [Adam(rate) for rate in rates(N)], steps=4, clip=1.0)
    assert_same(nets, others, histories, one_by_one(
        others, [batches(0) for _ in nets], LOSS, [Adam(rate) for rate in rates(N)], steps=4, clip=1.0))


def test_float32_is_kept():
    nets, others = draw("tanh", 2, dtype=np.float32), draw("tanh", 2, dtype=np.float32)
    histories = fit_many(nets, batches(0), LOSS, [Adam(rate) for rate in rates(2)], steps=5, clip=1.0)
    assert_same(nets, others, histories, one_by_one(
        others, [batches(0) for _ in nets], LOSS, [Adam(rate) for rate in rates(2)], steps=5, clip=1.0), rtol=1e-4)
    assert all(array.dtype == np.float32 for net in nets for array in net.parameters.values())


@pytest.mark.parametrize("clip", [None, 1e200])
def test_a_net_that_explodes_stops_alone(clip):
    """ReLU nets at two rates at which they explode, at different steps, between rates at which they learn."""
    their_rates = [0.001, 3.0, 0.01, 1e3, 0.003]
    nets, others = draw("relu", 5), draw("relu", 5)
    histories = fit_many(nets, [batches(n) for n in range(5)], LOSS, [SGD(rate, 0.9) for rate in their_rates], steps=20, clip=clip)
    wanted = one_by_one(others, [batches(n) for n in range(5)], LOSS, [SGD(rate, 0.9) for rate in their_rates], steps=20, clip=clip)
    assert [history.stopped is None for history in wanted] == [True, False, True, False, True]
    lengths = [len(history.loss) for history in wanted]
    assert lengths[1] != lengths[3] and 1 < min(lengths)
    assert_same(nets, others, histories, wanted)


def test_outputs_with_nan_stop_a_net_before_its_loss():
    """As in `fit`: 0 times a state that overflowed."""
    nets, others = draw("relu", 2), draw("relu", 2)
    for net in nets[1], others[1]:
        net.W_hx[...], net.b_h[...], net.W_qh[...] = 1e308, 1e308, 0

    def loss(o, y):
        assert not np.isnan(o).any()
        return LOSS(o, y)
    histories = fit_many(nets, batches(0), loss, [SGD(0.01), SGD(0.02)], steps=2)
    assert_same(nets, others, histories, one_by_one(others, [batches(0) for _ in nets], loss, [SGD(0.01), SGD(0.02)], steps=2))
    assert histories[0].stopped is None and "contains NaN" in histories[1].stopped


def spoilt(at, net, value, what):
    """A loss that is `value`, or whose gradient has it, when y is that of `net` at step `at`, as often as it is asked."""
    stream = batches(net)
    wrong = next(itertools.islice(stream, at - 1, None))[1]

    def loss(o, y):
        found, gradient = LOSS(o, y)
        if (y == wrong).all():
            if what == "loss":
                return value, gradient
            gradient[0, 0] = value
        return found, gradient
    return loss


@each_kind
@pytest.mark.parametrize(("value", "what"), [*itertools.product([np.nan, np.inf], ["loss", "gradient"])])
def test_why_a_net_stopped(kind, value, what):
    nets, others = draw(kind, 3), draw(kind, 3)
    loss = spoilt(3, 1, value, what)
    histories = fit_many(nets, [batches(n) for n in range(3)], loss, [Adam(rate) for rate in rates(3)], steps=6)
    wanted = one_by_one(others, [batches(n) for n in range(3)], loss, [Adam(rate) for rate in rates(3)], steps=6)
    assert [len(history.loss) for history in wanted] == [6, 3, 6] and wanted[1].stopped.startswith("step 3: ")
    assert_same(nets, others, histories, wanted)


def test_when_all_have_stopped_no_more_is_asked_for():
    asked = []

    def stream():
        for batch in batches(0):
            asked.append(batch)
            yield batch
    histories = fit_many(draw("tanh", 2), stream(), lambda o, y: (np.nan, o), [SGD(0.1), SGD(0.2)], steps=9)
    assert [history.stopped for history in histories] == 2 * ["step 1: the loss is nan"] and len(asked) == 1


def test_a_gradient_that_vanishes_has_its_norm():
    nets, others = draw("tanh", 2), draw("tanh", 2)

    def loss(o, y):
        return 1.0, 1e-190 * y
    histories = fit_many(nets, batches(0), loss, [SGD(0.1), SGD(0.2)], steps=2, clip=1e-191)
    assert_same(nets, others, histories, one_by_one(others, [batches(0) for _ in nets], loss, [SGD(0.1), SGD(0.2)], steps=2, clip=1e-191))
    assert (histories[0].norm > 1e-191).all()


def test_progress_wraps_the_steps():
    shown = []

    def progress(steps):
        for step in steps:
            shown.append(step)
            yield step
    fit_many(draw("tanh", 2), batches(0), LOSS, [SGD(0.1), SGD(0.2)], steps=3, progress=progress)
    assert shown == [0, 1, 2]


def test_parameters_are_those_of_the_last_step_when_batches_end():
    nets, others = draw("tanh", 2), draw("tanh", 2)
    with pytest.raises(ValueError, match=r"^batches\[1\]: got 3, want 5, one a step$"):
        fit_many(nets, [batches(0), itertools.islice(batches(1), 3)], LOSS, [SGD(0.1), SGD(0.2)], steps=5)
    fit_many(others, [batches(0), batches(1)], LOSS, [SGD(0.1), SGD(0.2)], steps=3)
    assert_same(nets, others, [], [])


def run(nets=None, streams=None, loss=LOSS, optimisers=None, **options):
    nets = draw("tanh", 2) if nets is None else nets
    optimisers = [SGD(0.1) for _ in nets] if optimisers is None else optimisers
    return fit_many(nets, batches(0) if streams is None else streams, loss, optimisers, **{"steps": 2} | options)


TWICE = draw("tanh", 1) * 2
USED = SGD(0.1)
USED.step({"w": np.ones(3)}, {"w": np.ones(3)})


@pytest.mark.parametrize(("call", "argument"), [
    (lambda: run([]), "nets"),
    (lambda: run(TWICE), "nets"),
    (lambda: run(draw("tanh", 1) + draw("relu", 1)), r"nets\[1\]"),
    (lambda: run(draw("tanh", 1) + draw("LSTM", 1)), r"nets\[1\]"),
    (lambda: run(draw("tanh", 1) + draw("tanh", 1, H=6)), r"nets\[1\]"),
    (lambda: run(draw("tanh", 1) + draw("tanh", 1, dtype=np.float32)), r"nets\[1\]"),
    (lambda: run(draw("GRU, inside, z", 1) + draw("GRU, inside, 1-z", 1)), r"nets\[1\]"),
    (lambda: run([Recurrent(net) for net in draw("tanh", 2)]), r"nets\[0\]"),
    (lambda: run([deep.deep_net([2, 3], "tanh", rng=np.random.default_rng(0))]), r"nets\[0\]"),
    (lambda: run(optimisers=[SGD(0.1)]), "optimisers"),
    (lambda: run(optimisers=[SGD(0.1)] * 2), "optimisers"),
    (lambda: run(optimisers=[SGD(0.1), Adam(0.1)]), r"optimisers\[1\]"),
    (lambda: run(optimisers=[SGD(0.1), SGD(0.1, 0.9)]), r"optimisers\[1\]"),
    (lambda: run(optimisers=[0.1, 0.2]), r"optimisers\[0\]"),
    (lambda: run(optimisers=[SGD(0.1), USED]), r"optimisers\[1\]"),
    (lambda: run(draw("tanh", 1), optimisers=[USED]), r"optimisers\[0\]"),
    (lambda: run(streams=[batches(0)]), "batches"),
    (lambda: run(streams=itertools.islice(batches(0), 1)), "batches"),
    (lambda: run(streams=[batches(0), batches(1, T=5)]), "x"),
    (lambda: run(streams=[batches(0), batches(1, B=1)]), "x"),
    (lambda: run(streams=iter([(np.zeros((6, 4, 3)), 0)])), "x"),
    (lambda: run(streams=iter([(np.full((6, 4, 2), np.nan), 0)])), "x"),
    (lambda: run(streams=iter([(0, 0)])), "x"),
    (lambda: run(loss=lambda o, y: (1.0, o[0])), "do"),
    *((lambda steps=steps: run(steps=steps), "steps") for steps in (0, 2.0)),
    *((lambda clip=clip: run(clip=clip), "clip") for clip in (0, -1, np.nan)),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=f"^{argument}: got .*want"):
        call()
