import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from gradients.clipping import clip_adaptively, clip_by_norm, clip_by_value, global_norm
from gradients.optimisers import SGD, Adam

CLIPS = (clip_by_norm, clip_by_value)


@st.composite
def gradients(draw, exponents=st.floats(-3, 3), dtype=np.float64):
    """A dict of one to four arrays, or one array; each array of another size."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shapes = draw(st.lists(array_shapes(min_dims=0, max_dims=3, max_side=4), min_size=1, max_size=4))
    arrays = [np.asarray(10 ** draw(exponents) * rng.standard_normal(shape), dtype=dtype) for shape in shapes]
    return {f"dW_{i}": array for i, array in enumerate(arrays)} if draw(st.booleans()) else arrays[0]


thresholds = st.floats(-3, 3).map(lambda exponent: 10**exponent)


def arrays_of(gradients):
    return list(gradients.values()) if isinstance(gradients, dict) else [gradients]


def vector(gradients):
    return np.concatenate([np.ravel(array) for array in arrays_of(gradients)]).astype(np.float64)


def angle(u, v):
    return np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v)))


def torch_parameters(torch, gradients):
    parameters = [torch.nn.Parameter(torch.zeros(array.shape, dtype=torch.float64)) for array in arrays_of(gradients)]
    for parameter, array in zip(parameters, arrays_of(gradients)):
        parameter.grad = torch.tensor(array)
    return parameters


def test_the_example_of_source_2():
    g = np.array([10, 0.1])
    (by_norm, norm), (by_value, norm_too) = clip_by_norm(g, 1), clip_by_value(g, 1)
    assert [f"{entry:.5g}" for entry in by_norm] == ["0.99995", "0.0099995"]
    assert by_value.tolist() == [1, 0.1]
    assert norm == norm_too == pytest.approx(np.sqrt(100.01), rel=1e-15)
    assert angle(by_norm, by_value) == pytest.approx(5.1, abs=0.05)


def test_the_norm_is_that_of_all_arrays_together():
    g = {"W": np.array([[2.0, 4.0], [4.0, 0.0]]), "b": np.array([8.0])}
    assert global_norm(g) == 10
    clipped, norm = clip_by_norm(g, 5)
    assert norm == 10
    np.testing.assert_allclose(clipped["W"], [[1, 2], [2, 0]], rtol=1e-15)
    np.testing.assert_allclose(clipped["b"], [4], rtol=1e-15)


@given(gradients())
def test_global_norm_is_the_length_of_one_long_vector(g):
    norm = global_norm(g)
    assert type(norm) is float
    assert norm == pytest.approx(np.linalg.norm(vector(g)), rel=1e-14)
    assert [clip(g, 1)[1] for clip in CLIPS] == [norm, norm]


@given(gradients(), thresholds)
def test_by_norm_keeps_the_direction_and_bounds_the_norm(g, c):
    clipped, norm = clip_by_norm(g, c)
    assert global_norm(clipped) == pytest.approx(min(norm, c), rel=1e-14)
    np.testing.assert_allclose(vector(clipped), vector(g) * min(1, c / norm), rtol=1e-14)
    assert vector(clipped) @ vector(g) == pytest.approx(global_norm(clipped) * norm, rel=1e-14)
    again, _ = clip_by_norm(clipped, c)
    np.testing.assert_allclose(vector(again), vector(clipped), rtol=1e-14)


@given(gradients(), thresholds)
def test_by_value_bounds_every_entry(g, c):
    clipped, _ = clip_by_value(g, c)
    want = [max(-c, min(entry, c)) for entry in vector(g)]
    np.testing.assert_array_equal(vector(clipped), want)
    np.testing.assert_array_equal(vector(clip_by_value(clipped, c)[0]), want)


@settings(deadline=None)
@given(gradients(), thresholds)
def test_by_norm_against_torch(torch, g, c):
    parameters = torch_parameters(torch, g)
    torch_norm = torch.nn.utils.clip_grad_norm_(parameters, c).item()
    clipped, norm = clip_by_norm(g, c)
    assert norm == pytest.approx(torch_norm, rel=1e-13)
    theirs_over_ours = min(1, c / (norm + 1e-6)) / min(1, c / norm)
    for array, parameter in zip(arrays_of(clipped), parameters):
        np.testing.assert_allclose(parameter.grad.numpy(), array * theirs_over_ours, rtol=1e-13)


@settings(deadline=None)
@given(gradients(), thresholds)
def test_by_value_against_torch(torch, g, c):
    parameters = torch_parameters(torch, g)
    torch.nn.utils.clip_grad_value_(parameters, c)
    for array, parameter in zip(arrays_of(clip_by_value(g, c)[0]), parameters):
        np.testing.assert_array_equal(array, parameter.grad.numpy())


@pytest.mark.parametrize("clip", CLIPS)
@given(gradients(), st.sampled_from([1e-3, 1e9, np.inf]))
def test_clipping_returns_new_arrays_of_the_same_kind(clip, g, c):
    before = vector(g)
    clipped, _ = clip(g, c)
    assert type(clipped) is type(g)
    if isinstance(g, dict):
        assert list(clipped) == list(g)
    for new, old in zip(arrays_of(clipped), arrays_of(g), strict=True):
        assert isinstance(new, np.ndarray) and (new.shape, new.dtype) == (old.shape, old.dtype)
        assert not np.shares_memory(new, old)
    np.testing.assert_array_equal(vector(g), before)
    if c > 1e6:
        np.testing.assert_array_equal(vector(clipped), before)


@pytest.mark.parametrize("clip", CLIPS)
def test_dtypes_are_kept_and_the_norm_is_float64(clip):
    g = {"small": np.array([0.1, 0.2], np.float32), "wide": np.array([3.0]), "integers": np.array([4, -4])}
    for c in (1, 100):
        clipped, norm = clip(g, c)
        assert [array.dtype for array in clipped.values()] == [np.float32, np.float64, np.float64]
        assert norm == pytest.approx(np.linalg.norm(vector(g)), rel=1e-15)


@given(gradients(dtype=np.float32), thresholds)
def test_by_norm_in_float32(g, c):
    clipped, norm = clip_by_norm(g, c)
    assert norm == pytest.approx(np.linalg.norm(vector(g)), rel=1e-14)
    assert global_norm(clipped) == pytest.approx(min(norm, c), rel=1e-6)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e200, 2.0**1021])
def test_the_norm_neither_underflows_nor_overflows(size):
    g = {"W": size * np.array([[3.0, 0.0]]), "b": size * np.array([-4.0])}
    assert global_norm(g) == pytest.approx(5 * size, rel=1e-3 if size < 1e-300 else 1e-14)
    assert vector(clip_by_norm(g, size)[0]) == pytest.approx(size * np.array([0.6, 0, -0.8]), rel=1e-3 if size < 1e-300 else 1e-14)


def test_a_norm_too_large_to_write_down_is_clipped_all_the_same():
    g = {"W": np.full((2, 2), 1.5e308), "b": np.ones(1, np.float32)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clipped, norm = clip_by_norm(g, 1)
        assert clip_by_norm(g, np.inf)[0]["W"][0, 0] == 1.5e308
    assert norm == global_norm(g) == np.inf
    np.testing.assert_allclose(clipped["W"], 0.5, rtol=1e-15)


def test_float32_beside_float64_of_another_size():
    tiny = {"wide": np.array([3e-200, 4e-200]), "small": np.zeros(1, np.float32)}
    np.testing.assert_allclose(vector(clip_by_norm(tiny, 1e-200)[0]), [6e-201, 8e-201, 0], rtol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clipped, norm = clip_by_value(np.array([3e38, -3e38], np.float32), 1e300)
    assert clipped.tolist() == np.array([3e38, -3e38], np.float32).tolist()
    assert norm == pytest.approx(np.sqrt(2) * 3e38, rel=1e-6)


def test_zero_stays_zero():
    assert global_norm(np.zeros((2, 3))) == 0
    for clip in CLIPS:
        clipped, norm = clip({"W": np.zeros((2, 3))}, 1e-3)
        assert norm == 0 and not clipped["W"].any()


def test_a_norm_at_the_threshold_is_not_clipped():
    g = np.array([0.1, 0.2, 0.7])
    np.testing.assert_array_equal(clip_by_norm(g, global_norm(g))[0], g)


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("threshold", [1, np.inf])
@pytest.mark.parametrize(("entries", "count"), [([1, np.nan, np.nan], "2 NaN and 0 inf"), ([-np.inf, 1, 1], "0 NaN and 1 inf"),
                                                ([np.inf, np.nan, -np.inf], "1 NaN and 2 inf")])
def test_clipping_refuses_nan_and_inf(clip, threshold, entries, count):
    with pytest.raises(FloatingPointError, match=rf"^gradients\['W_hh'\]: got {count} in 3 entries, want finite"):
        clip({"b_h": np.ones(2), "W_hh": np.array(entries), "W_qh": np.full(5, np.nan)}, threshold)
    with pytest.raises(FloatingPointError, match=f"^gradients: got {count} in 3 entries"):
        clip(np.array(entries), threshold)


def test_global_norm_measures_nan_and_inf():
    assert global_norm({"W": [1.0, -np.inf], "b": [1.0]}) == np.inf
    for g in ({"W": [np.inf], "b": [np.nan]}, {"b": [np.nan], "W": [np.inf]}, np.array([1, np.nan])):
        assert np.isnan(global_norm(g))


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("threshold", [0, -1, np.nan, -np.inf, None, "1", True, 1j, [1], np.ones(1)])
def test_bad_thresholds(clip, threshold):
    with pytest.raises(ValueError, match="^threshold: got .*, want a number > 0"):
        clip(np.ones(2), threshold)


@pytest.mark.parametrize("threshold", [2, np.int64(2), np.float32(2), np.float64(2)])
def test_any_kind_of_number_is_a_threshold(threshold):
    assert clip_by_value(np.array([3.0, 1.0], np.float32), threshold)[0].tolist() == [2, 1]
    np.testing.assert_allclose(clip_by_norm(np.array([3.0, 4.0]), threshold)[0], [1.2, 1.6], rtol=1e-15)


@pytest.mark.parametrize("call", [global_norm, *(lambda g, clip=clip: clip(g, 1) for clip in CLIPS)])
@pytest.mark.parametrize(("bad", "message"), [
    ({}, "gradients: got an empty dict"),
    (np.zeros(0), "gradients: got an empty array"),
    (None, "gradients: got dtype object"),
    ([1 + 1j], "gradients: got dtype complex128"),
    ([[1], [2, 3]], "gradients: got rows of unequal length"),
    ({"b": [1.0], "W": np.zeros((0, 2))}, r"gradients\['W'\]: got an empty array"),
    ({"b": [1.0], 2: ["a"]}, r"gradients\[2\]: got dtype <U1"),
])
def test_bad_gradients(call, bad, message):
    with pytest.raises(ValueError, match="^" + message):
        call(bad)


def test_what_the_docstring_says_of_torch(torch):
    """Its norm is c ||g|| / (||g|| + 1e-6), a thousandth of c at ||g|| = 1e-9, and below c = 1e-6 nothing is left as it is."""
    for norm, c, factor in ((100.0, 1.0, 1.0), (2e-9, 1e-9, 2e-3), (1e-9, 0.999e-9, 1e-3), (1e-12, 5e-7, 0.5e6)):
        g = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
        g.grad = torch.tensor([0.6, 0.8], dtype=torch.float64) * norm
        torch.nn.utils.clip_grad_norm_([g], c)
        got = float(g.grad.norm())
        assert got == pytest.approx(c * norm / (norm + 1e-6), rel=1e-9) if c < norm + 1e-6 else got == norm
        if norm > 1e-11:
            assert got == pytest.approx(factor * c, rel=2e-3)
        else:
            assert got < norm < c
    assert global_norm(clip_by_norm(np.array([1.2e-9, 1.6e-9]), 1e-9)[0]) == pytest.approx(1e-9, rel=1e-14)
    assert "c ||g|| / (||g|| + 1e-6)" in clip_by_norm.__doc__ and "a thousandth of c at ||g|| = 1e-9" in clip_by_norm.__doc__


@given(gradients(), thresholds, st.integers(0, 2**32))
def test_both_clips_give_the_nearest_point(g, c, seed):
    """By norm that of the ball, by value that of the cube: no other point of either is nearer to the gradient."""
    rng = np.random.default_rng(seed)
    for clip, length in ((clip_by_norm, np.linalg.norm), (clip_by_value, lambda x: np.abs(x).max())):
        clipped = vector(clip(g, c)[0])
        distance = np.linalg.norm(vector(g) - clipped)
        for size in (1e-6, 1.0):
            other = clipped + size * c * rng.standard_normal(clipped.shape)
            other *= min(1, c / length(other))
            assert distance <= np.linalg.norm(vector(g) - other) * (1 + 1e-14)


@pytest.mark.parametrize("clip", CLIPS)
@given(gradients(), thresholds, st.integers(0, 2**32))
def test_clipping_never_moves_two_gradients_apart(clip, g, c, seed):
    rng = np.random.default_rng(seed)
    other = vector(g) + rng.standard_normal(vector(g).shape)
    apart = np.linalg.norm(vector(g) - other)
    assert np.linalg.norm(clip(vector(g), c)[0] - clip(other, c)[0]) <= apart * (1 + 1e-12)


def way(optimiser, gradients):
    weights = {"w": np.zeros_like(gradients[0])}
    for g in gradients:
        optimiser.step(weights, {"w": g})
    return weights["w"]


def test_adam_does_not_see_by_how_much_every_gradient_is_scaled():
    gradients = np.random.default_rng(0).standard_normal((30, 5)) + 0.1
    tiny = 1e-300  # eps must not be 0, and this is as good
    for scale in (1e-3, 7.0):
        np.testing.assert_allclose(way(Adam(0.1, eps=tiny), scale * gradients), way(Adam(0.1, eps=tiny), gradients), rtol=1e-12)
        np.testing.assert_allclose(way(SGD(0.1), scale * gradients), scale * way(SGD(0.1), gradients), rtol=1e-12)
    by_clip = [way(Adam(0.1, eps=tiny), [clip_by_norm(g, c)[0] for g in gradients]) for c in (1e-3, 1e-5)]
    np.testing.assert_allclose(*by_clip, rtol=1e-12)
    assert np.abs(by_clip[0] / way(Adam(0.1, eps=tiny), gradients) - 1).max() > 1e-3


def test_adaptive_clipping_by_hand():
    weights = {"W": np.array([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0]]), "b": np.array([0.0, 2.0])}
    g = {"W": np.array([[0.0, 10.0], [3.0, 4.0], [0.3, 0.4]]), "b": np.array([6.0, 8.0])}
    clipped, norm = clip_adaptively(weights, g, 0.1)
    assert norm == global_norm(g)
    np.testing.assert_allclose(clipped["W"], [[0, 0.5], [6e-5, 8e-5], [0.3, 0.4]], rtol=1e-14)
    np.testing.assert_allclose(clipped["b"], [0.12, 0.16], rtol=1e-14)


@given(st.integers(0, 2**32), thresholds)
def test_adaptive_clipping_bounds_each_unit_and_keeps_its_direction(seed, c):
    rng = np.random.default_rng(seed)
    weights = {"W": rng.standard_normal((3, 4)), "b": np.zeros(3), "scale": np.array(2.0)}
    g = {name: 10 ** rng.uniform(-3, 3) * rng.standard_normal(w.shape) for name, w in weights.items()}
    clipped, _ = clip_adaptively(weights, g, c)
    for name in g:
        assert clipped[name].shape == g[name].shape
        units, w = g[name].reshape(-1, 4) if name == "W" else g[name].reshape(1, -1), weights[name]
        for before, after, limit in zip(units, clipped[name].reshape(units.shape), w.reshape(units.shape)):
            allowed = c * max(np.linalg.norm(limit), 1e-3)
            np.testing.assert_allclose(after, before * min(1, allowed / np.linalg.norm(before)), rtol=1e-13)


def test_adaptive_clipping_of_a_large_threshold_copies():
    weights, g = {"W": np.ones((2, 2), np.float32)}, {"W": np.full((2, 2), 5, np.float32)}
    clipped, _ = clip_adaptively(weights, g, np.inf)
    assert clipped["W"].dtype == np.float32 and not np.shares_memory(clipped["W"], g["W"])
    np.testing.assert_array_equal(clipped["W"], g["W"])


@pytest.mark.parametrize(("weights", "g", "error", "message"), [
    (np.ones(2), {"W": np.ones(2)}, ValueError, "parameters: got ndarray"),
    ({"W": np.ones(2)}, np.ones(2), ValueError, "gradients: got ndarray"),
    ({"W": np.ones(2)}, {"V": np.ones(2)}, ValueError, r"gradients: got names \['V'\], want \['W'\]"),
    ({"W": np.ones(3)}, {"W": np.ones(2)}, ValueError, r"parameters\['W'\]: got shape \(3,\)"),
    ({"W": np.ones((1, 1, 1))}, {"W": np.ones((1, 1, 1))}, ValueError, r"gradients\['W'\]: got shape \(1, 1, 1\), want at most two axes"),
    ({"W": np.array([np.nan])}, {"W": np.ones(1)}, FloatingPointError, r"parameters\['W'\]: got 1 NaN"),
    ({"W": np.ones(1)}, {"W": np.array([np.inf])}, FloatingPointError, r"gradients\['W'\]: got 0 NaN and 1 inf"),
])
def test_adaptive_clipping_refuses(weights, g, error, message):
    with pytest.raises(error, match="^" + message):
        clip_adaptively(weights, g, 1)
    with pytest.raises(ValueError, match="^threshold: got 0"):
        clip_adaptively({"W": np.ones(1)}, {"W": np.ones(1)}, 0)
