import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gradients
from gradients.check import GradientCheck, central_differences, gradient_check


def quadratic(p):
    """0.5 |A x - y|^2 with A, x, y from p."""
    return 0.5 * float(np.sum((p["A"] @ p["x"] - p["y"]) ** 2))


def quadratic_problem(seed, m, n):
    rng = np.random.default_rng(seed)
    p = {"A": rng.normal(size=(m, n)), "x": rng.normal(size=n), "y": rng.normal(size=m)}
    error = p["A"] @ p["x"] - p["y"]
    return p, {"A": np.outer(error, p["x"]), "x": p["A"].T @ error, "y": -error}


def test_central_differences_of_known_functions():
    np.testing.assert_allclose(central_differences(lambda x: x[0] ** 3 + x[0] * x[1], np.array([2.0, 5.0])), [17, 2], rtol=1e-9)
    np.testing.assert_allclose(central_differences(lambda x: np.exp(x[0]), np.array([0.5])), [np.exp(0.5)], rtol=1e-9)
    assert central_differences(lambda x: 3 * x, np.array(2.0)) == pytest.approx(3, rel=1e-9)
    np.testing.assert_allclose(central_differences(lambda x: float(x @ x), [1, 2]), [2, 4], rtol=1e-9)


def test_step_is_cbrt_eps_times_the_size_of_the_entry():
    seen = []
    central_differences(lambda x: seen.append(x.copy()) or 0.0, np.array([0.1, -1000.0]))
    cbrt = np.cbrt(np.finfo(float).eps)
    np.testing.assert_allclose(seen[0], [0.1 + cbrt, -1000])
    np.testing.assert_allclose([point[0] - 0.1 for point in seen], [cbrt, -cbrt, 0, 0], rtol=1e-9, atol=0)
    np.testing.assert_allclose([point[1] + 1000 for point in seen], [0, 0, 1000 * cbrt, -1000 * cbrt], rtol=1e-9, atol=0)


def test_a_given_step_is_used():
    slope = central_differences(lambda x: float(x[0] ** 3), np.array([1.0]), step=0.5)
    np.testing.assert_allclose(slope, [3.25], rtol=1e-14)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 5))
def test_central_differences_are_exact_for_quadratics_and_leave_x_alone(seed, m, n):
    p, g = quadratic_problem(seed, m, n)
    before = p["A"].copy()
    numeric = central_differences(lambda A: quadratic({**p, "A": A}), p["A"])
    np.testing.assert_array_equal(p["A"], before)
    np.testing.assert_allclose(numeric, g["A"], rtol=1e-8, atol=1e-9 * max(1, quadratic(p)))


def test_float32_is_kept():
    x = np.array([1.0, 2.0], dtype=np.float32)
    seen = set()
    slope = central_differences(lambda x: seen.add(x.dtype) or x @ x, x)
    assert slope.dtype == np.float32 and seen == {np.dtype(np.float32)}
    np.testing.assert_allclose(slope, [2, 4], rtol=1e-3)
    assert gradient_check(lambda x: x @ x, x, 2 * x, rtol=1e-2)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 5))
def test_a_right_gradient_passes(seed, m, n):
    p, g = quadratic_problem(seed, m, n)
    before = {name: array.copy() for name, array in p.items()}
    check = gradient_check(quadratic, p, g)
    assert check and check.ok, str(check)
    for name in p:
        np.testing.assert_array_equal(p[name], before[name])


@settings(deadline=None, max_examples=200)
@given(st.data(), st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1e-5, 1e-2, 1.0, 1e3]))
def test_a_planted_error_is_found_where_it_is(data, seed, m, n, size):
    p, g = quadratic_problem(seed, m, n)
    name = data.draw(st.sampled_from(sorted(g)))
    index = tuple(data.draw(st.integers(0, length - 1)) for length in g[name].shape)
    right = g[name][index]
    g[name][index] += size * max(1, np.abs(g[name]).max())
    check = gradient_check(quadratic, p, g)
    assert not check and not check.ok
    assert (check.worst, check.index) == (name, index)
    assert check.analytic == g[name][index]
    assert check.numeric == pytest.approx(right, abs=1e-8 * max(1, quadratic(p)))
    assert check.relative_error > check.tolerance


def test_messages():
    p, g = quadratic_problem(0, 2, 2)
    assert str(gradient_check(quadratic, p, g)) == "gradient check passed: relative error < 1e-7"
    p, g = {"W": np.array([[1.0, 2.0]]), "b": np.array(1.0)}, {"W": np.array([[2.0, 4.5]]), "b": np.array(2.0)}
    assert str(gradient_check(lambda p: np.sum(p["W"] ** 2) + p["b"] ** 2, p, g)) == (
        "gradient check failed at W[0, 1]: analytic 4.5, central difference 4\nrelative error 0.111, allowed 1e-7")
    g = {"W": np.array([[2.0, 4.0]]), "b": np.array(0.0)}
    assert str(gradient_check(lambda p: np.sum(p["W"] ** 2) + p["b"] ** 2, p, g)).startswith(
        "gradient check failed at b: analytic 0, central difference 2\n")
    assert str(GradientCheck(True, 0.0, "x", (0,), 0.0, 0.0, 3e-6)) == "gradient check passed: relative error < 1e-5"


def test_bare_arrays():
    x = np.array([1.0, 2.0])
    assert gradient_check(lambda x: float(x @ x), x, 2 * x)
    check = gradient_check(lambda x: float(x @ x), x, np.array([2.0, 5.0]))
    assert not check and check.index == (1,)


def test_errors_are_relative_to_the_largest_entry_of_the_same_array():
    p = {"big": np.array([1e3, 1.0]), "small": np.array([1.0])}
    f = lambda p: float(1e3 * p["big"][0] + p["big"][1] + 1e-3 * p["small"][0])
    g = {"big": np.array([1e3, 1.0]), "small": np.array([1e-3])}
    assert gradient_check(f, p, {**g, "big": np.array([1e3, 1.0 + 5e-5])})
    assert not gradient_check(f, p, {**g, "big": np.array([1e3, 1.0 + 5e-3])})
    assert not gradient_check(f, p, {**g, "small": np.array([2e-3])})


def test_rounding_noise_is_allowed_for_and_said():
    f = lambda x: 1e6 + 1e-5 * float(np.sum(np.sin(x)))
    x = np.array([0.3, 0.4])
    check = gradient_check(f, x, 1e-5 * np.cos(x))
    assert check and check.tolerance >= 1
    assert "too small" in str(check)
    assert not gradient_check(f, x, np.ones(2))


def test_a_strongly_curved_function_passes_and_a_wrong_slope_of_it_does_not():
    f = lambda x: float(np.sin(300 * x[0]))
    x = np.array([0.5])
    slope = 300 * np.cos(300 * x)
    assert abs(central_differences(f, x) / slope - 1) > 1e-7
    assert gradient_check(f, x, slope)
    assert not gradient_check(f, x, slope * (1 + 1e-6))


def test_rounding_inside_f_is_not_blamed_on_the_gradient():
    """f is a small difference of larger numbers, so its rounding exceeds eps |f| by far."""
    output = lambda x: 1 + 1e-5 * np.sin(x)
    x = np.linspace(0.1, 0.8, 8)
    target = output(x) - 1e-3
    f = lambda x: 0.5 * float(np.sum((output(x) - target) ** 2))
    slope = 1e-3 * 1e-5 * np.cos(x)
    assert np.abs(central_differences(f, x) - slope).max() > 1e-7 * np.abs(slope).max()
    check = gradient_check(f, x, slope)
    assert check and 1e-7 < check.tolerance < 1e-2
    assert not gradient_check(f, x, 1.01 * slope)


ONE = {"w": np.ones(2)}
total = lambda p: float(np.sum(p["w"]))


@pytest.mark.parametrize("call, argument", [
    (lambda: central_differences(np.sum, [1.0, np.nan]), "x"),
    (lambda: central_differences(np.sum, []), "x"),
    (lambda: central_differences(np.sum, [1j]), "x"),
    (lambda: central_differences(np.sum, [[1.0], [1.0, 2.0]]), "x"),
    (lambda: central_differences(np.sum, [1.0], step=0), "step"),
    (lambda: central_differences(np.sum, [1.0], step=np.nan), "step"),
    (lambda: central_differences(np.sum, [1.0], step=1e-30), "step"),
    (lambda: central_differences(lambda x: np.nan, [1.0]), "f"),
    (lambda: central_differences(lambda x: x, [1.0]), "f"),
    (lambda: central_differences(lambda x: None, [1.0]), "f"),
    (lambda: gradient_check(total, ONE, {}), "gradients"),
    (lambda: gradient_check(total, ONE, {"w": np.ones(2), "v": np.ones(2)}), "gradients"),
    (lambda: gradient_check(total, ONE, {"w": np.ones(3)}), "gradients['w']"),
    (lambda: gradient_check(total, ONE, {"w": np.array([1, np.nan])}), "gradients['w']"),
    (lambda: gradient_check(total, {"w": np.array([1, np.inf])}, ONE), "parameters['w']"),
    (lambda: gradient_check(total, {}, {}), "parameters"),
    (lambda: gradient_check(total, ONE, np.ones(2)), "gradients"),
    (lambda: gradient_check(np.sum, np.ones(2), ONE), "gradients"),
    (lambda: gradient_check(np.sum, np.ones(2), np.ones(3)), "gradients"),
    (lambda: gradient_check(lambda p: np.inf, ONE, ONE), "f"),
    (lambda: gradient_check(total, ONE, ONE, rtol=0), "rtol"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: got .*want"):
        call()


def test_the_package_imports_neither_plots_nor_widgets():
    modules = ["gradients"] + [f"gradients.{module.name}" for module in pkgutil.iter_modules(gradients.__path__)]
    assert {"gradients.activations", "gradients.deep", "gradients.check"} <= set(modules)
    code = (f"import sys; sys.path.insert(0, {str(Path(gradients.__file__).parents[1])!r}); import {', '.join(modules)}; "
            "print(*{'matplotlib', 'ipywidgets', 'torch', 'IPython'} & set(sys.modules))")
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []
