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
from gradients import rnn as recurrent
from gradients.check import GradientCheck, central_differences, gradient_check
from gradients.deep import DeepNet, backward, forward
from gradients.losses import squared_error


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
    np.testing.assert_array_equal(seen.pop(1), seen[0])  # the first again
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


def test_slopes_below_the_rounding_of_f_are_neither_right_nor_wrong():
    f = lambda x: 1e6 + 1e-5 * float(np.sum(np.sin(x)))
    x = np.array([0.3, 0.4])
    check = gradient_check(f, x, 1e-5 * np.cos(x))
    assert not check and check.checked == 0 and check.too_small == (("parameters", (0,)), ("parameters", (1,)))
    assert str(check) == ("gradient check impossible: none of 2 entries could be checked\n"
                          "not checked: 2 too small to be told from the rounding of f, the first parameters[0]")
    assert gradient_check(f, x, np.ones(2)).wrong == check.too_small
    assert gradient_check(f, x, np.zeros(2)).wrong == check.too_small


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


def outcome(check):
    """How many entries agree, are wrong, at a kink, too small, and where f isn't finite."""
    counts = [len(places) for places in (check.wrong, check.kinks, check.too_small, check.not_finite)]
    assert check.checked == check.entries - sum(counts[1:])
    assert bool(check) == check.ok == (sum(counts) == 0)
    return check.entries - sum(counts), *counts


# --- an f that isn't a function

def with_dropout(rng, p=0.5):
    return lambda x: float(np.sum(x**2 * (rng.random(x.shape) >= p)))


def test_a_random_f_is_named():
    for seed in range(50):
        with pytest.raises(ValueError, match="^f: got .* at the same point, want the same number each time\n.*dropout"):
            gradient_check(with_dropout(np.random.default_rng(seed)), np.ones(4), 1e4 * np.ones(4))
    with pytest.raises(ValueError, match="^f: got .* at the same point"):
        central_differences(with_dropout(np.random.default_rng(0)), np.arange(1.0, 5))


def test_an_f_that_remembers_is_named():
    def counting(x, calls=[]):
        calls.append(x)
        return float(x @ x) + 1e-9 * len(calls)

    def late(x, before=[np.ones(2)]):
        before.append(x)
        return float(before[-2] @ before[-2])

    def from_the_fifth_call_on(x, calls=[]):
        calls.append(x)
        return float(x @ x) + (len(calls) > 5)

    for f in (counting, late, from_the_fifth_call_on):
        with pytest.raises(ValueError, match="^f: got .* at the same point"):
            gradient_check(f, np.ones(2), 2 * np.ones(2))


def test_a_drawn_mask_that_is_drawn_again_is_a_function():
    f = lambda x: with_dropout(np.random.default_rng(0))(x)
    x = np.linspace(0.5, 2, 6)
    mask = np.random.default_rng(0).random(6) >= 0.5
    assert outcome(gradient_check(f, x, 2 * x * mask)) == (6, 0, 0, 0, 0)
    assert outcome(gradient_check(f, x, 2 * x)) == (mask.sum(), (~mask).sum(), 0, 0, 0)


def doubles(x):
    x *= 2
    return float(np.sum(x**2))


def moves_b(p):
    p["b"] += 1
    return float(np.sum(p["W"] ** 2) + np.sum(p["b"] ** 2))


def test_an_f_that_changes_its_argument_is_named_and_x_is_not_changed():
    x = np.ones(2)
    for call in (lambda: gradient_check(doubles, x, np.array([77.0, 77])), lambda: central_differences(doubles, x)):
        with pytest.raises(ValueError, match="^f: got its argument changed in place, want it left alone"):
            call()
        np.testing.assert_array_equal(x, np.ones(2))
    p = {"W": np.ones((2, 2)), "b": np.ones(2)}
    with pytest.raises(ValueError, match="^f: got its b changed in place"):
        gradient_check(moves_b, p, p)
    np.testing.assert_array_equal(p["b"], np.ones(2))
    rebinds = lambda p: float(np.sum(p.pop("W") ** 2))  # its own dict: no harm
    assert gradient_check(rebinds, {"W": x}, {"W": 2 * x})


def test_an_f_that_loads_its_argument_into_the_callers_own_arrays():
    own = np.array([1.0, 2, 3])

    def f(x):
        own[...] = x
        return float(np.sum(own**3))

    check = gradient_check(f, own, 3 * own**2)
    assert check, str(check)
    np.testing.assert_array_equal(own, [1, 2, 3])


# --- kinks

HINGE = np.r_[10.0, 1, 1]
hinge = lambda x: float(np.sum(HINGE * np.maximum(x, 0)))


def test_a_kink_within_the_first_step_is_left_out_by_a_smaller_one():
    for distance in (1e-5, 6.1e-6, 6e-6, 3e-6, 1e-6, 1e-8, 1e-10):
        x = np.r_[distance, 1, 2]
        right = gradient_check(hinge, x, HINGE)
        assert right, str(right)
        for wrong in (0.0, 5.0, 9.99, 10.01, -10.0):
            check = gradient_check(hinge, x, np.r_[wrong, 1, 1])
            assert outcome(check) == (2, 1, 0, 0, 0) and check.index == (0,), (distance, wrong)
            assert check.numeric == pytest.approx(10, rel=1e-4)
        assert gradient_check(hinge, -x, 0 * x)
    check = gradient_check(hinge, np.r_[1e-6, 1, 2], np.r_[10.0, 0, 0])
    assert outcome(check) == (1, 2, 0, 0, 0) and check.wrong == (("parameters", (1,)), ("parameters", (2,)))


@pytest.mark.parametrize("at", [0, 1e-14, -1e-14])
def test_a_kink_that_no_step_leaves_out_is_named(at):
    for given in (0.0, 2.0, 5.0, 10.0):
        check = gradient_check(hinge, np.r_[at, 1, 2], np.r_[given, 1, 1])
        assert outcome(check) == (2, 0, 1, 0, 0) and check.kinks == (("parameters", (0,)),)
        assert str(check) == ("gradient check incomplete: 2 of 3 entries checked, and they agree\n"
                              "not checked: 1 at a kink or a jump of f, the first parameters[0]")
    for given in (-1.0, 11.0, 1e4):  # not between the slopes on its two sides
        assert outcome(gradient_check(hinge, np.r_[at, 1, 2], np.r_[given, 1, 1])) == (2, 1, 0, 0, 0)
    check = gradient_check(hinge, np.r_[at, 1, 2], np.r_[0, 1.01, 1])
    assert outcome(check) == (1, 1, 1, 0, 0)
    assert str(check).endswith("\nnot checked: 1 at a kink or a jump of f, the first parameters[0]")


@pytest.mark.parametrize("f, gradient", [
    (np.abs, 0.0), (lambda x: np.sqrt(np.abs(x)), 0.0), (np.sign, 0.0), (lambda x: np.maximum(x, 0) + np.sin(x), 1.0),
    (lambda x: np.where(x > 0, x + 1, x), 1.0), (lambda x: 1e8 * np.abs(x), 0.0), (lambda x: 3 + 1e-3 * np.abs(x), 0.0),
])
def test_kinks_and_jumps_of_other_kinds(f, gradient):
    check = gradient_check(lambda x: float(f(x)), np.array(0.0), np.array(gradient))
    assert outcome(check) == (0, 0, 1, 0, 0) and check.kinks == (("parameters", ()),)


@pytest.mark.parametrize("f, x, gradient", [
    (lambda x: x**2, 0.0, 0.0), (lambda x: 1 + (x - 0.3) ** 2, 0.3, 0.0),
    (lambda x: 3.0, 0.3, 0.0), (np.cos, 0.0, 0.0), (lambda x: np.abs(x) ** 3, 0.0, 0.0), (lambda x: np.maximum(x, 0), -0.1, 0.0),
])
def test_where_the_slope_is_zero(f, x, gradient):
    assert gradient_check(lambda x: float(f(x)), np.array(x), np.array(gradient))
    assert gradient_check(lambda x: float(f(x)), np.array(x), np.array(1e-3)).wrong


# --- one rough entry, and the others

def test_each_entry_has_its_own_allowance():
    """Rounding, a kink, a jump or much curvature at one entry let nothing pass at another."""
    rough = {"smooth": lambda x: x, "kink": lambda x: abs(x - 2), "jump": lambda x: x > 2, "curved": lambda x: np.sin(1e4 * x),
             "rounded": lambda x: np.float32(1e3) * np.float32(x), "rounded to 0.01": lambda x: np.round(x, 2)}
    slopes = {"curved": 1e4 * np.cos(2e4), "rounded": 1e3, "smooth": 1.0}
    for name, part in rough.items():
        f = lambda x: float(np.sin(x[0]) + part(x[1]) + 1e-2 * x[2])
        x, g = np.r_[0.5, 2, 0.1], np.r_[np.cos(0.5), slopes.get(name, 0), 1e-2]
        assert not {("parameters", (0,)), ("parameters", (2,))} & {*gradient_check(f, x, g).wrong}, name
        for i in (0, 2):
            wrong = g.copy()
            wrong[i] *= 1.001
            check = gradient_check(f, x, wrong)
            assert ("parameters", (i,)) in check.wrong + check.too_small and not check, (name, i)
            assert name == "rounded" or ("parameters", (i,)) in check.wrong, (name, i)


# --- wide nets with large batches: many kinks

def wide_net(seed, sizes, B=1000):
    """f of W1, b1 and the last layer's weights; their gradients; a list that grows by one at each call."""
    rng = np.random.default_rng(seed)
    n = len(sizes) - 1
    W = {l: np.sqrt(2 / sizes[l - 1]) * rng.normal(size=(sizes[l], sizes[l - 1])) for l in range(1, n + 1)}
    b = {l: 0.1 * rng.normal(size=sizes[l]) for l in W}
    x, y, calls = rng.normal(size=(B, sizes[0])), rng.normal(size=(B, sizes[-1])), []
    phi = {l: "relu" if l < n else "identity" for l in W}

    def net(p):
        return DeepNet({**W, 1: p["W1"], n: p["W2"]}, {**b, 1: p["b1"]}, phi)

    def f(p):
        calls.append(1)
        return squared_error(forward(net(p), x).h[n], y)[0] / B

    parameters = {"W1": W[1], "b1": b[1], "W2": W[n]}
    trace = forward(net(parameters), x)
    gradients = backward(net(parameters), trace, squared_error(trace.h[n], y)[1] / B)
    return f, parameters, {"W1": gradients.dW[1], "b1": gradients.db[1], "W2": gradients.dW[n]}, calls


@pytest.mark.parametrize("sizes, seeds", [((3, 50, 1), 1), ((1, 50, 50, 1), 1)])
def test_no_wrong_entry_of_a_wide_relu_net_gets_through_and_no_right_one_is_refused(sizes, seeds):
    for seed in range(seeds):
        f, p, g, calls = wide_net(seed, sizes)
        size = sum(array.size for array in g.values())
        right = gradient_check(f, p, g)
        assert outcome(right) == (size, 0, 0, 0, 0), str(right)
        assert len(calls) < 2 * size * 1.3
        for factor in (1.001, 1.01, -1):  # planted in all entries at once: each has its own allowance
            check = gradient_check(f, p, {name: factor * array for name, array in g.items()})
            assert outcome(check) == (np.sum([np.sum(array == 0) for array in g.values()]), len(check.wrong), 0, 0, 0)


def test_a_single_wrong_entry_of_a_wide_relu_net_is_the_one_that_is_named():
    f, p, g, _ = wide_net(7, (2, 50, 1))
    rng = np.random.default_rng(0)
    for factor in (1.001, 1.01, -1):
        name = ("W1", "b1", "W2")[rng.integers(3)]
        index = tuple(map(int, rng.integers(g[name].shape)))
        planted = {key: array.copy() for key, array in g.items()}
        planted[name][index] *= factor
        check = gradient_check(f, p, planted)
        assert check.wrong == ((name, index),) and (check.worst, check.index) == (name, index)
        assert check.relative_error == pytest.approx(abs(factor - 1) / max(1, abs(factor)), rel=0.1)


def test_a_wide_recurrent_relu_net():
    rng = np.random.default_rng(0)
    net = recurrent.rnn(1, 20, 1, "relu", rng=rng)
    x, y = rng.normal(size=(5, 200, 1)), rng.normal(size=(5, 200, 1))
    f = lambda p: squared_error(recurrent.forward(recurrent.RNN(**p, phi=net.phi), x).o, y)[0]
    trace = recurrent.forward(net, x)
    g = recurrent.backward(net, trace, squared_error(trace.o, y)[1]).parameters
    few = {name: g[name] for name in ("W_hx", "b_h", "W_qh")}
    at = lambda p: f({**net.parameters, **p})
    p = {name: net.parameters[name] for name in few}
    assert gradient_check(at, p, few), str(gradient_check(at, p, few))
    for factor in (1.001, -1):
        check = gradient_check(at, p, {name: factor * array for name, array in few.items()})
        assert outcome(check) == (np.sum([np.sum(array == 0) for array in few.values()]), len(check.wrong), 0, 0, 0)


# --- rounding inside f, and steps of f

def one(f, x, gradient, rtol=1e-7):
    """"agrees", "wrong" or "not checked"."""
    check = gradient_check(lambda x: float(f(x[0])), np.array([x]), np.array([gradient]), rtol=rtol)
    return "agrees" if check else "wrong" if check.wrong else "not checked"


ROUNDED_INSIDE = {
    "1 - cos": (lambda x: 1 - np.cos(x), np.sin, (1e-8, 3)),
    "sqrt(1 + x^2) - 1": (lambda x: np.sqrt(1 + x**2) - 1, lambda x: x / np.sqrt(1 + x**2), (1e-8, 3)),
    "log cosh": (lambda x: np.log(np.cosh(x)), np.tanh, (1e-8, 3)),
    "exp(x) - 1 - x": (lambda x: np.exp(x) - 1 - x, np.expm1, (1e-8, 3)),
    "-log sigmoid": (lambda x: -np.log(1 / (1 + np.exp(-x))), lambda x: -1 / (1 + np.exp(x)), (0.1, 40)),
    "(tanh - 1)^2": (lambda x: (np.tanh(x) - 1) ** 2, lambda x: -4 / (np.exp(2 * x) + 1) / np.cosh(x) ** 2, (0.1, 18)),
    "float16": (lambda x: np.float16(np.sin(x)), np.cos, (1e-3, 3)),
    "float32": (lambda x: np.float32(np.sin(x)), np.cos, (1e-3, 3)),
    "six digits": (lambda x: np.round(np.sin(x), 6), np.cos, (1e-3, 3)),
}


@pytest.mark.parametrize("name", ROUNDED_INSIDE)
def test_rounding_inside_f_refuses_no_right_gradient_and_lets_no_wrong_one_through(name):
    f, slope, ends = ROUNDED_INSIDE[name]
    points = np.exp(np.random.default_rng(0).uniform(*np.log(ends), 60))
    right = [one(f, x, slope(x)) for x in points]
    assert "wrong" not in right
    assert name.startswith(("float", "six")) or right.count("agrees") > 25
    for factor in (0, 1.001, -1):
        assert "agrees" not in [one(f, x, factor * slope(x)) for x in points]


def test_small_differences_and_losses_of_sure_classes_by_name():
    assert one(lambda x: 1 - np.cos(x), 1e-3, np.sin(1e-3)) == "agrees"
    assert one(lambda x: -np.log(1 / (1 + np.exp(-x))), 40.0, -np.exp(-40)) == "not checked"
    z = np.array([30.0, 0, -2])
    p = np.exp(z) / np.exp(z).sum()
    check = gradient_check(lambda z: float(-np.log(np.exp(z[0]) / np.exp(z).sum())), z, np.r_[-p[1] - p[2], p[1:]])
    assert not check.wrong and check.too_small


def test_a_small_slope_claimed_to_be_zero_is_seen_or_named():
    assert one(lambda x: np.sin(x) + 1e14, np.pi / 2 + 1e-3, 0.0) == "not checked"
    assert one(lambda x: np.sin(x) + 1e10, np.pi / 2 + 1e-6, 0.0) == "not checked"
    assert one(lambda x: -np.log(1 / (1 + np.exp(-x))), 39.0, 0.0) == "not checked"
    x = np.zeros(3, np.float32)
    for slope in (1e-5, 1e-6, 1e-7):
        check = gradient_check(lambda x: np.float32(1) + np.float32(slope) * x.sum(), x, 0 * x, rtol=1e-2)
        assert not check and not check.wrong
    assert gradient_check(lambda x: np.float32(1) + np.maximum(x - 1, 0).sum(), x, 0 * x, rtol=1e-2)  # flat, up to a kink


@pytest.mark.parametrize("width", [1e-4, 1e-7, 1e-9])
def test_a_staircase_is_not_passed_and_the_slope_of_its_steps_is_not_refused(width):
    for x in np.random.default_rng(0).uniform(-2, 2, 20):
        stairs = lambda x: np.floor(x / width) * width
        assert one(stairs, x, 0.0) == one(stairs, x, 1.0) == "not checked"
        assert one(stairs, x, 5.0) != "agrees"


@pytest.mark.parametrize("offset", [0, 5])
def test_a_narrow_plateau_is_no_rounding(offset):
    for width in (1e-3, 1e-6, 1e-8, 1e-9):
        for x in (0, 0.5 * width):
            shrink = lambda x: offset + np.sign(x) * np.maximum(np.abs(x) - width, 0)
            assert one(shrink, x, 1.0) != "agrees" and one(shrink, x, 0.5) != "agrees"
            assert one(shrink, x, 0.0) == "agrees" if offset == 0 else one(shrink, x, 0.0) != "wrong"


def test_waves_much_shorter_than_the_step_are_not_blamed_on_the_gradient():
    for k, x in ((100, -1e8), (1e6, 1e5), (1e8, 1e3)):
        assert one(lambda x: np.sin(k * x), x, k * np.cos(k * x)) != "wrong"
    assert one(lambda x: x + 1e-9 * np.sin(1e7 * x), 30.0, 1 + 1e-2 * np.cos(3e8)) != "wrong"


def test_right_float32_relu_nets_are_not_refused():
    for seed in range(3):
        f, p, g, _ = wide_net(seed, (3, 20, 3), 200)
        p, g = ({name: array.astype(np.float32) for name, array in arrays.items()} for arrays in (p, g))
        rounded = lambda p: np.float32(f({name: array.astype(float) for name, array in p.items()}))
        assert not gradient_check(rounded, p, g, rtol=1e-2).wrong
        name = ("W1", "b1", "W2")[seed]
        i = np.unravel_index(np.abs(g[name]).argmax(), g[name].shape)
        g[name][i] *= -1
        assert gradient_check(rounded, p, g, rtol=1e-2).wrong == ((name, tuple(map(int, i))),)


# --- noise, dtypes and sizes of numbers

@pytest.mark.parametrize("noise", [1e-16, 1e-14, 1e-12, 1e-10])
@pytest.mark.parametrize("size", [1, 1e-3, 1e-6])
def test_noise_of_f_refuses_no_right_entry_and_lets_no_wrong_one_through(noise, size):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x, c = rng.normal(size=(2, 30))

        def f(x):
            rounding = np.random.default_rng(np.frombuffer(x.tobytes(), np.uint32)).normal()
            return 1 + size * float(np.sum(c * np.sin(x))) + noise * rounding

        right = gradient_check(f, x, size * c * np.cos(x))
        assert not right.wrong and (right.ok or noise > 1e-16 or size < 1e-3), str(right)
        check = gradient_check(f, x, 1.001 * size * c * np.cos(x))
        assert len(check.wrong) == check.checked


def test_luck_is_not_agreement_where_f_is_noisy():
    approved = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x, c = rng.normal(size=(2, 30))

        def f(x):
            return float(np.sum(c * np.sin(x))) + 5e-7 * np.random.default_rng(np.frombuffer(x.tobytes(), np.uint32)).normal()

        gradient = c * np.cos(x)
        check = gradient_check(f, x, 1.05 * gradient, rtol=1e-2)
        small = np.abs(0.05 * gradient) < 1.2e-2 * np.abs(gradient).max()
        approved += sum(not small[i] for i in range(30) if ("parameters", (i,)) not in check.wrong + check.kinks + check.too_small)
    assert approved == 0


def test_float32():
    rng = np.random.default_rng(0)
    x = rng.normal(size=20).astype(np.float32)
    f, seen = lambda x: np.sum(np.tanh(x)), []
    g = (1 - np.tanh(x) ** 2).astype(np.float32)
    assert gradient_check(f, x, g, rtol=1e-2)
    assert outcome(gradient_check(f, x, 1.05 * g, rtol=1e-2))[1] > 15
    assert outcome(gradient_check(f, x, -g, rtol=1e-2))[1] > 15
    far = gradient_check(lambda x: seen.append(x.copy()) or f(x), x, 0 * g, rtol=1e-2)
    assert not far and np.abs(np.array(seen) - x).max() <= 0.05 * max(1, np.abs(x).max()) and len(seen) > 100
    unseen = gradient_check(f, x, g)
    assert not unseen and not unseen.wrong and len(unseen.too_small) > 10
    inside = lambda x: np.sum(np.tanh(x.astype(np.float32)))  # float64 in, float32 out
    assert gradient_check(inside, x.astype(float), g.astype(float), rtol=1e-2)
    calls = []
    assert gradient_check(lambda x: calls.append(x.max() - 0.5) or inside(x), np.full(9, 0.5), np.full(9, 1 - np.tanh(0.5) ** 2), rtol=1e-2)
    assert len(calls) == 2 * 9 + 3 and max(calls) == pytest.approx(np.cbrt(2.0**-23))  # the step is that of float32
    hidden = lambda x: float(inside(x))
    check = gradient_check(hidden, x.astype(float), g.astype(float), rtol=1e-2)
    assert not check.wrong
    for factor in (-1, 0, 2):
        assert outcome(gradient_check(hidden, x.astype(float), factor * g.astype(float), rtol=1e-2))[0] == 0


@pytest.mark.parametrize("size", [1e-8, 1e8])
def test_huge_and_tiny_numbers(size):
    x = np.r_[1.0, 2, -0.5]
    cases = [(lambda u: float(np.sum(u**2)), size * x, 2 * size * x),
             (lambda u: float(size * np.sum(np.tanh(u))), x, size / np.cosh(x) ** 2),
             (lambda u: float(np.sum(np.tanh(u / size))), size * x, 1 / np.cosh(x) ** 2 / size)]
    for f, at, gradient in cases:
        check = gradient_check(f, at, gradient)
        assert check, str(check)
        for factor in (1.001, -1):
            assert outcome(gradient_check(f, at, factor * gradient)) == (0, 3, 0, 0, 0)
    far = np.array([1e8, 2e8])
    assert gradient_check(lambda u: float(np.sum(np.sin(u))), far, np.cos(far))


def test_numbers_out_of_reach_of_every_step_are_not_blamed_on_the_gradient():
    tiny = 1e-150 * np.r_[1.0, 2]
    check = gradient_check(lambda u: float(np.sum(np.tanh(u / 1e-150))), tiny, 1e150 / np.cosh([1, 2]) ** 2)
    assert not check and check.checked == 0
    check = gradient_check(lambda u: float(np.sum(u**2)), tiny, 2 * tiny)
    assert outcome(check) == (0, 0, 0, 2, 0)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_where_f_is_not_finite_next_to_x():
    root = lambda u: float(np.sqrt(u[0]) + u[1])
    check = gradient_check(root, np.r_[0.0, 1], np.r_[0.0, 1])
    assert outcome(check) == (1, 0, 0, 0, 1) and check.not_finite == (("parameters", (0,)),)
    assert str(check).endswith("not checked: 1 where f is not finite nearby, the first parameters[0]")
    assert gradient_check(root, np.r_[1e-7, 1], np.r_[0.5 / np.sqrt(1e-7), 1])  # a smaller step stays inside
    exp = lambda u: float(np.exp(u[0]))
    assert gradient_check(exp, np.r_[709.78], np.exp(np.r_[709.78]))
    largest, seen = np.r_[np.finfo(float).max], []
    f = lambda u: seen.append(u[0]) or float(u[0] / 1e300)
    assert outcome(gradient_check(f, largest, np.r_[1e-300])) == (0, 0, 0, 0, 1) and np.isfinite(seen).all()


def test_zero_dimensions_and_no_entries():
    f = lambda p: float(p["a"] ** 2 + p["b"].sum())
    p = {"a": np.array(3.0), "b": np.ones((1, 1, 2))}
    assert outcome(gradient_check(f, p, {"a": np.array(6.0), "b": np.ones((1, 1, 2))})) == (3, 0, 0, 0, 0)
    assert gradient_check(f, p, {"a": np.array(5.0), "b": np.ones((1, 1, 2))}).wrong == (("a", ()),)
    with pytest.raises(ValueError, match=r"^parameters\['b'\]: got an empty array of shape \(0,\), want"):
        gradient_check(f, {**p, "b": np.ones(0)}, {"a": np.array(6.0), "b": np.ones(0)})


def test_few_calls_on_a_smooth_f():
    calls = []
    p, g = quadratic_problem(0, 4, 5)
    assert gradient_check(lambda p: calls.append(1) or quadratic(p), p, g)
    assert len(calls) == 2 * (20 + 5 + 4) + 3


# --- bad input

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
