import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from gradients.optimisers import SGD, Adam

OPTIMISERS = [
    (SGD, dict(rate=0.1)),
    (SGD, dict(rate=0.1, weight_decay=0.3)),
    (SGD, dict(rate=0.1, momentum=0.9)),
    (SGD, dict(rate=0.1, momentum=0.9, nesterov=True)),
    (SGD, dict(rate=0.1, momentum=0.5, nesterov=True, weight_decay=0.3)),
    (Adam, dict()),
    (Adam, dict(rate=0.1, beta1=0.5, beta2=0.9, eps=1e-3)),
    (Adam, dict(rate=0.1, beta1=0.0, beta2=0.0, weight_decay=0.3)),
]
KINDS = (lambda: SGD(0.1), lambda: SGD(0.1, 0.9), lambda: SGD(0.1, 0.9, True), Adam)


@st.composite
def runs(draw, steps=10, dtype=np.float64):
    """Parameters, and a dict of gradients for each step."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shapes = draw(st.lists(array_shapes(min_dims=0, max_dims=3, max_side=3), min_size=1, max_size=3))

    def arrays(exponent):
        return {f"W_{i}": np.asarray(10**exponent * rng.standard_normal(shape), dtype) for i, shape in enumerate(shapes)}
    return arrays(0), [arrays(draw(st.floats(-4, 4))) for _ in range(steps)]


def copies(arrays):
    return {name: array.copy() for name, array in arrays.items()}


def torch_optimiser(torch, kind, options, tensors):
    options = dict(options)
    if kind is SGD:
        return torch.optim.SGD(tensors, lr=options.pop("rate"), **options)
    betas = options.pop("beta1", 0.9), options.pop("beta2", 0.999)
    return torch.optim.Adam(tensors, lr=options.pop("rate", 1e-3), betas=betas, **options)


@pytest.mark.parametrize(("kind", "options"), OPTIMISERS)
@settings(deadline=None, max_examples=20)
@given(runs())
def test_ten_steps_against_torch(torch, kind, options, run):
    parameters, gradients = run
    tensors = {name: torch.tensor(array, requires_grad=True) for name, array in parameters.items()}
    ours, theirs = kind(**options), torch_optimiser(torch, kind, options, list(tensors.values()))
    for g in gradients:
        ours.step(parameters, g)
        for name, tensor in tensors.items():
            tensor.grad = torch.tensor(g[name])
        theirs.step()
        for name, tensor in tensors.items():
            want = tensor.detach().numpy()
            np.testing.assert_allclose(parameters[name], want, rtol=0, atol=1e-12 * np.abs(want).max())


@pytest.mark.parametrize(("kind", "options"), OPTIMISERS)
def test_float32_against_torch(torch, kind, options):
    rng = np.random.default_rng(0)
    parameters = {"W": rng.standard_normal((3, 2)).astype(np.float32)}
    tensor = torch.tensor(parameters["W"], requires_grad=True)
    ours, theirs = kind(**options), torch_optimiser(torch, kind, options, [tensor])
    for _ in range(10):
        g = rng.standard_normal((3, 2))
        ours.step(parameters, {"W": g})
        tensor.grad = torch.tensor(g.astype(np.float32))
        theirs.step()
    assert parameters["W"].dtype == np.float32
    np.testing.assert_allclose(parameters["W"], tensor.detach().numpy(), rtol=1e-5, atol=1e-5)


def test_momentum_by_hand():
    g = {"w": np.array([1.0])}
    plain, looking_ahead = ({"w": np.array([0.0])} for _ in range(2))
    v, nesterov = SGD(0.5, 0.5), SGD(0.5, 0.5, True)
    path = []
    for _ in range(3):
        v.step(plain, g)
        nesterov.step(looking_ahead, g)
        path.append((plain["w"][0], looking_ahead["w"][0]))
    assert path == [(-0.5, -0.75), (-1.25, -1.625), (-2.125, -2.5625)]


@pytest.mark.parametrize("size", [1e-5, 1.0, 1e9])
def test_the_first_steps_of_adam_have_the_size_of_the_rate(size):
    parameters, adam = {"w": np.zeros(2)}, Adam(0.01, eps=1e-15)
    for steps in (1, 2, 3):
        adam.step(parameters, {"w": size * np.array([1.0, -2.0])})
        np.testing.assert_allclose(parameters["w"], 0.01 * steps * np.array([-1, 1]), rtol=1e-9)


def test_a_gradient_of_zero_moves_nothing():
    for make in KINDS:
        parameters, optimiser = {"w": np.ones(2)}, make()
        optimiser.step(parameters, {"w": np.zeros(2)})
        assert parameters["w"].tolist() == [1, 1]


def test_what_is_remembered_belongs_to_its_name():
    rng = np.random.default_rng(0)
    steps = [{name: rng.standard_normal(2) for name in "ab"} for _ in range(5)]
    for make in KINDS:
        both, alone, optimiser = {"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2), "b": np.ones(2)}, make()
        separate = {"a": make(), "b": make()}
        for i, g in enumerate(steps):
            order = "ab" if i % 2 else "ba"  # the order of a dict says nothing
            optimiser.step({name: both[name] for name in order}, g)
            for name in "ab":
                separate[name].step({name: alone[name]}, {name: g[name]})
        for name in "ab":
            np.testing.assert_array_equal(both[name], alone[name])


def test_the_rate_may_change():
    parameters, sgd = {"w": np.zeros(1)}, SGD(1.0)
    sgd.step(parameters, {"w": np.ones(1)})
    sgd.rate = 0.25
    sgd.step(parameters, {"w": np.ones(1)})
    assert parameters["w"].tolist() == [-1.25]


@pytest.mark.parametrize(("kind", "options"), OPTIMISERS)
@settings(deadline=None, max_examples=10)
@given(runs(steps=3))
def test_parameters_change_in_place_and_gradients_stay(kind, options, run):
    parameters, gradients = run
    arrays, before = dict(parameters), [copies(g) for g in gradients]
    optimiser = kind(**options)
    for g in gradients:
        optimiser.step(parameters, g)
    assert all(parameters[name] is arrays[name] for name in arrays)
    for g, old in zip(gradients, before):
        for name in g:
            np.testing.assert_array_equal(g[name], old[name])


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(("entries", "count"), [([1, np.nan, np.nan], "2 NaN and 0 inf"), ([-np.inf, 1, 1], "0 NaN and 1 inf")])
def test_nan_and_inf_are_refused_before_anything_changes(make, entries, count):
    good = {"b_h": np.ones(2), "W_hh": np.array([1.0, 2.0, 3.0])}
    parameters, spared, optimiser, other = copies(good), copies(good), make(), make()
    for _ in range(2):
        with pytest.raises(FloatingPointError, match=rf"^gradients\['W_hh'\]: got {count} in 3 entries, want finite"):
            optimiser.step(parameters, good | {"W_hh": np.array(entries)})
        optimiser.step(parameters, good)
        other.step(spared, good)
    for name in good:
        np.testing.assert_array_equal(parameters[name], spared[name])


def test_a_gradient_too_large_for_float32_is_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FloatingPointError, match=r"^gradients\['w'\]: got 0 NaN and 1 inf"):
            SGD(0.1).step({"w": np.ones(2, np.float32)}, {"w": np.array([1.0, 1e300])})


def test_an_overflow_in_a_step_is_inf_without_a_warning():
    sgd, adam = {"w": np.array([-1e308, 1.0])}, {"w": np.ones(2)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SGD(10).step(sgd, {"w": np.array([1e308, 1.0])})
        Adam(0.1).step(adam, {"w": np.array([1e200, 1.0])})
    assert sgd["w"].tolist() == [-np.inf, -9]
    assert adam["w"] == pytest.approx([1, 0.9])


def read_only():
    array = np.ones(2)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize(("parameters", "gradients", "message"), [
    (None, {}, "parameters: got NoneType"),
    (np.ones(2), np.ones(2), "parameters: got ndarray"),
    ({"a": np.ones(2)}, np.ones(2), "gradients: got ndarray"),
    ({"a": [1.0, 2.0]}, {"a": [1.0, 2.0]}, r"parameters['a']: got list"),
    ({"a": np.ones(2, int)}, {"a": np.ones(2)}, r"parameters['a']: got dtype int64"),
    ({"b": np.ones(2), "a": read_only()}, {"a": np.ones(2), "b": np.ones(2)}, r"parameters['a']: got a read-only array"),
    ({"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2)}, "gradients: got names ['a'], want ['a', 'b']"),
    ({"a": np.ones(2)}, {"a": np.ones(2), "b": np.ones(2)}, "gradients: got names ['a', 'b'], want ['a']"),
    ({"b": np.ones(2), "a": np.ones(2)}, {"b": np.ones(2), "a": np.ones(3)}, "gradients['a']: got shape (3,), want (2,)"),
    ({"a": np.ones(2)}, {"a": np.ones(())}, "gradients['a']: got shape (), want (2,)"),
    ({"a": np.ones(2)}, {"a": ["x", "y"]}, "gradients['a']: got dtype"),
])
def test_bad_arrays_are_named_and_nothing_changes(make, parameters, gradients, message):
    optimiser = make()
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        optimiser.step(parameters, gradients)
    if isinstance(parameters, dict):
        assert all(list(array) in ([1, 1], [1, 2]) for array in parameters.values())


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("later", [
    {"a": np.ones(2)}, {"a": np.ones(2), "c": np.ones(3)}, {"a": np.ones(2), "b": np.ones(2)},
    {"a": np.ones(2), "b": np.ones(3, np.float32)}, {"a": np.ones(2), "b": np.ones(3), "c": np.ones(1)},
])
def test_names_and_shapes_stay_those_of_the_first_step(make, later):
    optimiser, first = make(), {"a": np.ones(2), "b": np.ones(3)}
    optimiser.step(first, copies(first))
    with pytest.raises(ValueError, match="^parameters: got .*, want .* as in the first step"):
        optimiser.step(later, copies(later))
    assert all((array == 1).all() for array in later.values())


@pytest.mark.parametrize(("make", "argument"), [
    (lambda: SGD(-0.1), "rate"), (lambda: SGD(np.nan), "rate"), (lambda: SGD("0.1"), "rate"), (lambda: Adam(np.inf), "rate"),
    (lambda: SGD(0.1, 1.0), "momentum"), (lambda: SGD(0.1, -0.1), "momentum"), (lambda: SGD(0.1, nesterov=True), "momentum"),
    (lambda: SGD(0.1, weight_decay=-1), "weight_decay"), (lambda: Adam(weight_decay=None), "weight_decay"),
    (lambda: Adam(beta1=1), "beta1"), (lambda: Adam(beta2=1.1), "beta2"), (lambda: Adam(beta2=np.nan), "beta2"),
    (lambda: Adam(eps=0), "eps"), (lambda: Adam(eps=-1e-8), "eps"),
])
def test_bad_settings_are_named(make, argument):
    with pytest.raises(ValueError, match=f"^{argument}: got .*, want"):
        make()


# State: saved, loaded, and on


def some_gradients(seed, steps, dtype):
    rng = np.random.default_rng(seed)
    return [{"W[1]": rng.normal(size=(3, 2)).astype(dtype), "0.b": rng.normal(size=2).astype(dtype)} for _ in range(steps)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind, settings", OPTIMISERS)
def test_a_reload_changes_no_bit(tmp_path, kind, settings, dtype):
    gradients, (parameters,) = some_gradients(0, 9, dtype), some_gradients(1, 1, dtype)
    at_once = {name: array.copy() for name, array in parameters.items()}
    optimiser, other = kind(**settings), kind(**settings)
    for i, g in enumerate(gradients):
        optimiser.rate *= 0.9
        optimiser.step(at_once, g)
    for i, g in enumerate(gradients):
        if i in (0, 4, 5):  # before any step, too
            np.savez(tmp_path / "state.npz", **other.state_dict())
            other.step({name: array.copy() for name, array in parameters.items()}, g)  # has no part in what is saved
            other = kind(**{name: 0.25 if name in ("rate", "beta1", "momentum") else value for name, value in settings.items()})
            with np.load(tmp_path / "state.npz") as state:
                other.load_state_dict(state)
        other.rate *= 0.9
        other.step(parameters, g)
    for name, array in parameters.items():
        assert array.tobytes() == at_once[name].tobytes()
    assert {name: value.tolist() for name, value in other.state_dict().items()} == {
        name: value.tolist() for name, value in optimiser.state_dict().items()}


@pytest.mark.parametrize("kind, settings", OPTIMISERS)
def test_the_state_is_plain_and_a_copy(kind, settings):
    (parameters,), (g,) = some_gradients(0, 1, float), some_gradients(1, 1, float)
    optimiser = kind(**settings)
    optimiser.step(parameters, g)
    state = optimiser.state_dict()
    assert all(type(array) is np.ndarray and array.dtype.kind in "fiUb" for array in state.values())
    before = {name: array.copy() for name, array in state.items()}
    again = kind(**settings)
    again.load_state_dict(state)
    for each in (optimiser, again):
        each.step(parameters, g)
    for name, array in before.items():
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize("make", KINDS)
def test_another_nets_state(make):
    (parameters,), (g,) = some_gradients(0, 1, float), some_gradients(1, 1, float)
    optimiser = make()
    optimiser.step(parameters, g)
    state = optimiser.state_dict()
    for others in ({"W[1]": np.ones((2, 3)), "0.b": np.ones(2)}, {"W[1]": np.ones((3, 2))}, {"W": np.ones((3, 2)), "0.b": np.ones(2)},
                   {"W[1]": np.ones((3, 2), np.float32), "0.b": np.ones(2, np.float32)}):
        stepped = make()
        stepped.step(others, others)
        had = stepped.state_dict()
        with pytest.raises(ValueError, match="^state: got that for .*want one for"):
            stepped.load_state_dict(state)
        assert {name: value.tolist() for name, value in had.items()} == {name: value.tolist() for name, value in stepped.state_dict().items()}
        fresh = make()
        fresh.load_state_dict(state)
        with pytest.raises(ValueError, match="^parameters: got .*want"):
            fresh.step(others, others)


@pytest.mark.parametrize("change, match", [
    (lambda state: None, "^state: got NoneType, want a dict"), (lambda state: {}, "^state: got that of none, want Adam"),
    (lambda state: SGD(0.1, 0.9).state_dict(), "^state: got that of SGD, want Adam"),
    (lambda state: {name: value for name, value in state.items() if name != "rate"}, "^state: got no 'rate'"),
    (lambda state: {name: value for name, value in state.items() if name != "v.0.b"}, "^state: got no 'v.0.b'"),
    (lambda state: {name: value for name, value in state.items() if name != "dtype.0.b"}, "^state: got no 'dtype.0.b'"),
    (lambda state: state | {"m.other": np.ones(2)}, "^state: got m.other, which Adam doesn't have"),
    (lambda state: state | {"m.0.b": np.ones(3)}, r"^state\['m.0.b'\]: got float64 of shape \(3,\), want float64 of shape \(2,\)"),
    (lambda state: state | {"m.0.b": np.ones(2, np.float32)}, r"^state\['m.0.b'\]: got float32"),
    (lambda state: state | {"beta1": np.array(2.0)}, "^beta1: got 2.0, want"), (lambda state: state | {"steps": np.array(-1)}, r"^state\['steps'\]: got -1, want"),
    (lambda state: state | {"rate": np.ones(2)}, "^state"), (lambda state: state | {"shape.0.b": np.array("x")}, "^state"),
    (lambda state: state | {"dtype.0.b": np.array("int")}, "^state"), (lambda state: state | {"dtype.0.b": np.array("no")}, "^state"),
])
def test_bad_states_change_nothing(change, match):
    (parameters,), (g,) = some_gradients(0, 1, float), some_gradients(1, 1, float)
    optimiser = Adam()
    optimiser.step(parameters, g)
    before = {name: value.tolist() for name, value in optimiser.state_dict().items()}
    with pytest.raises(ValueError, match=match):
        optimiser.load_state_dict(change(optimiser.state_dict()))
    assert before == {name: value.tolist() for name, value in optimiser.state_dict().items()}
