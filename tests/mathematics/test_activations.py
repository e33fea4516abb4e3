import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradients.activations import NAMES, SMOOTH, Activation, activation
from nets import torch_phi

VARIANTS = [(name, {}) for name in NAMES + SMOOTH] + [
    ("leaky_relu", {"slope": 0.0}), ("leaky_relu", {"slope": 3.0}),
    ("elu", {"alpha": 0.0}), ("elu", {"alpha": 0.5}), ("elu", {"alpha": 2.0}),
]
each_variant = pytest.mark.parametrize("name, parameters", VARIANTS)
KINKED = ("relu", "leaky_relu", "elu")


def test_there_are_six_and_two_more():
    assert NAMES == ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu")
    assert SMOOTH == ("gelu", "silu")


def test_literal_values():
    z = np.array([-2.0, 3.0])
    expected = {
        "identity": [-2, 3], "sigmoid": [0.11920292202211755, 0.9525741268224334],
        "tanh": [-0.9640275800758169, 0.9950547536867305], "relu": [0, 3],
        "leaky_relu": [-0.2, 3], "elu": [-0.8646647167633873, 3],
        "gelu": [-0.04550026389635842, 2.99595030590511], "silu": [-0.23840584404423515, 2.8577223804673],
    }
    for name in NAMES + SMOOTH:
        np.testing.assert_allclose(activation(name).function(z), expected[name], rtol=1e-14)


@each_variant
def test_derivative_against_central_differences(name, parameters):
    phi = activation(name, **parameters)
    z = np.linspace(-6, 6, 2001)
    if name in KINKED:
        z = z[np.abs(z) > 1e-3]
    step = 1e-5
    slope = (phi.function(z + step) - phi.function(z - step)) / (2 * step)
    np.testing.assert_allclose(phi.derivative(z), slope, rtol=1e-7, atol=1e-9)


@each_variant
def test_values_and_derivatives_against_torch(torch, name, parameters):
    z = np.concatenate([np.linspace(-30, 30, 601), [0.0, -0.0, 1e-300, -1e-300, 700, -700, 1e4, -1e4]])
    phi = activation(name, **parameters)
    t = torch.tensor(z, requires_grad=True)
    value = torch_phi(torch, phi)(t)
    value.sum().backward()
    np.testing.assert_allclose(phi.function(z), value.detach().numpy(), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(phi.derivative(z), t.grad.numpy(), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name, parameters, at_zero", [
    ("relu", {}, 0), ("leaky_relu", {}, 0.1), ("leaky_relu", {"slope": 3.0}, 3), ("elu", {}, 1), ("elu", {"alpha": 2.0}, 2),
])
def test_derivative_at_the_kink(name, parameters, at_zero):
    assert activation(name, **parameters).derivative(np.array([0.0]))[0] == at_zero


@each_variant
def test_sup_is_reached_on_a_dense_grid(name, parameters):
    phi = activation(name, **parameters)
    largest = np.abs(phi.derivative(np.linspace(-10, 10, 200_001))).max()
    assert largest <= phi.sup
    assert largest == pytest.approx(phi.sup, rel=1e-8)


def test_sup_values():
    sups = {name: activation(name).sup for name in NAMES}
    assert sups == {"identity": 1, "sigmoid": 0.25, "tanh": 1, "relu": 1, "leaky_relu": 1, "elu": 1}
    assert activation("leaky_relu", slope=3).sup == 3
    assert activation("elu", alpha=2).sup == 2
    assert activation("gelu").sup == pytest.approx(1.1289041451851548, rel=1e-14)
    assert activation("silu").sup == pytest.approx(1.0998393201288668, rel=1e-14)


@pytest.mark.parametrize("name", SMOOTH)
def test_two_opposite_slopes_add_up_to_one(name):
    """phi(z) = z F(z) with F(-z) = 1 - F(z): the steepest slope is as far above 1 as the smallest is below 0."""
    z = np.linspace(-40, 40, 8001)
    slope = activation(name).derivative(z)
    np.testing.assert_allclose(slope + slope[::-1], 1, rtol=0, atol=1e-15 * 40)
    assert slope.min() == pytest.approx(1 - activation(name).sup, rel=1e-4)


@pytest.mark.parametrize("name", SMOOTH)
def test_far_left_digits_and_limits(name):
    """Against the tails z^-2 normal density (1 - 3 / z^2 ...), and exp(z) (1 + z)."""
    z = np.array([-36.0, -np.inf, np.inf, 1e200, -1e200])
    value, slope = activation(name).function(z), activation(name).derivative(z)
    assert list(value[1:]) == [0, np.inf, 1e200, 0] and list(slope[1:]) == [0, 1, 1, 0]
    density = math.exp(-(36.0**2) / 2) / math.sqrt(2 * math.pi)
    tail = {"gelu": (-density, -36 * density), "silu": (-36 * math.exp(-36), -35 * math.exp(-36))}[name]
    assert (value[0], slope[0]) == pytest.approx(tail, rel=1e-3 if name == "gelu" else 1e-14)


def test_saturated_units_keep_their_digits():
    z = np.array([-300.0, -40.0, -20.0])
    sigmoid, tanh = activation("sigmoid"), activation("tanh")
    np.testing.assert_allclose(sigmoid.function(z), [math.exp(v) / (1 + math.exp(v)) for v in z], rtol=1e-14)
    for sign in (1, -1):
        np.testing.assert_allclose(sigmoid.derivative(sign * z), [math.exp(v) / (1 + math.exp(v)) ** 2 for v in z], rtol=1e-14)
        np.testing.assert_allclose(tanh.derivative(sign * z), [1 / math.cosh(v) ** 2 for v in z], rtol=1e-13)


@each_variant
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_shape_and_no_warning_far_out(name, parameters, dtype):
    phi = activation(name, **parameters)
    z = np.array([[-1e4, -100, -1, 0], [1e-3, 1, 100, 1e4]], dtype=dtype)
    before = z.copy()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        outputs = phi.function(z), phi.derivative(z)
    for output in outputs:
        assert output.dtype == dtype and output.shape == z.shape and np.isfinite(output).all()
        assert not np.shares_memory(output, z)
    np.testing.assert_array_equal(z, before)


@each_variant
def test_nan_stays_nan(name, parameters):
    phi = activation(name, **parameters)
    assert np.isnan(phi.function(np.array([np.nan]))).all()
    if name != "identity":
        assert np.isnan(phi.derivative(np.array([np.nan]))).all()


@settings(deadline=None)
@given(st.sampled_from(NAMES), st.lists(st.floats(-50, 50), min_size=2, max_size=20))
def test_every_activation_is_increasing_with_slope_at_most_sup(name, z):
    phi = activation(name)
    z = np.sort(z)
    rise, run = np.diff(phi.function(z)), np.diff(z)
    assert (rise >= -1e-15).all()
    assert (rise <= phi.sup * run + 1e-13).all()


def test_integers_are_computed_in_float64():
    for name in NAMES + SMOOTH:
        assert activation(name).function([1, 2]).dtype == np.float64


def test_an_activation_is_returned_unchanged():
    phi = activation("elu", alpha=0.7)
    assert isinstance(phi, Activation)
    assert activation(phi) is phi


@pytest.mark.parametrize("name, parameters, argument", [
    ("sigmoidal", {}, "name"), (None, {}, "name"), (["relu"], {}, "name"),
    ("tanh", {"slope": 0.1}, "slope"), ("elu", {"slope": 0.1}, "slope"), ("leaky_relu", {"alpha": 1.0}, "alpha"),
    ("leaky_relu", {"slope": -0.1}, "slope"), ("leaky_relu", {"slope": np.nan}, "slope"),
    ("elu", {"alpha": np.inf}, "alpha"), ("elu", {"alpha": "one"}, "alpha"), (activation("elu"), {"alpha": 2.0}, "alpha"),
])
def test_bad_input_is_named(name, parameters, argument):
    with pytest.raises(ValueError, match=f"^{argument}: got .*want"):
        activation(name, **parameters)


def test_leaky_relu_without_slope_at_minus_infinity():
    assert activation("leaky_relu", slope=0).function(np.array([-np.inf]))[0] == 0
