import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

from gradients.check import gradient_check
from gradients.losses import softmax, softmax_cross_entropy, squared_error


@st.composite
def problems(draw, scales=(1.0, 10.0)):
    """Outputs, a target, classes, and whether only the last step counts."""
    last = draw(st.booleans())
    shape = draw(array_shapes(min_dims=3, max_dims=3, max_side=5) if last else array_shapes(max_dims=3, max_side=5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    o = draw(st.sampled_from(scales)) * rng.normal(size=shape)
    counted = shape[1:] if last else shape
    return o, rng.normal(size=counted), rng.integers(0, shape[-1], size=counted[:-1]), last


@settings(deadline=None)
@given(problems(scales=(1.0, 3.0)))
def test_gradients_against_central_differences(problem):
    o, target, y, last = problem
    for loss in (lambda o: squared_error(o, target, last=last), lambda o: softmax_cross_entropy(o, y, last=last)):
        check = gradient_check(lambda o: loss(o)[0], o, loss(o)[1])
        assert check, str(check)


@settings(deadline=None)
@given(problems())
def test_losses_against_torch(torch, problem):
    o, target, y, last = problem
    step = -1 if last else slice(None)
    for (loss, do), torch_loss in (
        (squared_error(o, target, last=last), lambda o: 0.5 * ((o - torch.tensor(target)) ** 2).sum()),
        (softmax_cross_entropy(o, y, last=last), lambda o: torch.nn.functional.cross_entropy(
            o.reshape(-1, o.shape[-1]), torch.tensor(y).reshape(-1), reduction="sum")),
    ):
        tensor = torch.tensor(o, requires_grad=True)
        value = torch_loss(tensor[step])
        value.backward()
        assert type(loss) is float
        assert loss == pytest.approx(value.item(), rel=1e-12, abs=1e-14)
        np.testing.assert_allclose(do, tensor.grad.numpy(), rtol=1e-12, atol=1e-14 * max(1, np.abs(do).max()))


@settings(deadline=None)
@given(problems(scales=(1.0, 1000.0)))
def test_softmax_is_a_distribution_that_a_shift_does_not_change(problem):
    o, *_ = problem
    p = softmax(o)
    assert p.shape == o.shape and (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=-1), 1, rtol=1e-14)
    np.testing.assert_allclose(softmax(o + 64.0), p, rtol=1e-10, atol=1e-300)


def test_a_hand_computed_case():
    o = np.log([[[1.0, 3.0], [2.0, 2.0]], [[1.0, 1.0], [1.0, 7.0]]])
    np.testing.assert_allclose(softmax(o), [[[0.25, 0.75], [0.5, 0.5]], [[0.5, 0.5], [0.125, 0.875]]], rtol=1e-15)
    loss, do = softmax_cross_entropy(o, [[1, 0], [0, 1]])
    assert loss == pytest.approx(-np.log(0.75 * 0.5 * 0.5 * 0.875), rel=1e-14)
    np.testing.assert_allclose(do, [[[0.25, -0.25], [-0.5, 0.5]], [[-0.5, 0.5], [0.125, -0.125]]], rtol=1e-14)
    loss, do = softmax_cross_entropy(o, [0, 1], last=True)
    assert loss == pytest.approx(-np.log(0.5 * 0.875), rel=1e-14)
    np.testing.assert_allclose(do, [[[0, 0], [0, 0]], [[-0.5, 0.5], [0.125, -0.125]]], rtol=1e-14)


def test_squared_error_by_hand():
    output = np.array([[[1.0, 2.0]], [[3.0, 5.0]]])
    loss, do = squared_error(output, [[[0.0, 0.0]], [[0.0, 1.0]]])
    assert loss == 0.5 * (1 + 4 + 9 + 16)
    np.testing.assert_array_equal(do, [[[1, 2]], [[3, 4]]])
    loss, do = squared_error(output, [[0.0, 1.0]], last=True)
    assert loss == 12.5
    np.testing.assert_array_equal(do, [[[0, 0]], [[3, 4]]])


def test_nothing_is_lost_where_the_net_is_nearly_certain():
    loss, do = softmax_cross_entropy([[0.0, 100.0, 0.0]], [1])
    assert loss == pytest.approx(2 * np.exp(-100), rel=1e-12, abs=0)
    np.testing.assert_allclose(do, [[np.exp(-100), -2 * np.exp(-100), np.exp(-100)]], rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturated_outputs_do_not_overflow(dtype):
    largest = np.finfo(dtype).max / 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, do = softmax_cross_entropy(np.array([[largest, -largest], [1e4, -1e4], [-1e4, 0]], dtype), [0, 1, 1])
        assert loss == pytest.approx(2e4, rel=1e-7)
        np.testing.assert_array_equal(do, [[0, 0], [1, -1], [0, 0]])
        np.testing.assert_array_equal(softmax(np.array([largest, -largest], dtype)), [1, 0])


def test_outputs_that_exploded():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loss, do = squared_error([[np.inf, 0.0]], [[1.0, 1.0]])
        assert loss == np.inf
        np.testing.assert_array_equal(do, [[np.inf, -1]])
        for o, y, want, gradient in (
            ([np.inf, 0.0, 0.0], 1, np.inf, [1, -1, 0]),
            ([np.inf, 0.0, -np.inf], 0, 0, [0, 0, 0]),
            ([-np.inf, 0.0, 0.0], 0, np.inf, [-1, 0.5, 0.5]),
            ([-np.inf, 0.0, -np.inf], 1, 0, [0, 0, 0]),
            ([np.inf, np.inf, 0.0], 0, np.nan, [np.nan, np.nan, 0]),
            ([-np.inf, -np.inf], 0, np.nan, [np.nan, np.nan]),
            ([np.nan, 0.0], 1, np.nan, [np.nan, np.nan]),
        ):
            loss, do = softmax_cross_entropy([o], [y])
            np.testing.assert_equal(loss, want)
            np.testing.assert_equal(do[np.isfinite(do)], np.array([gradient])[np.isfinite(do)])
            assert np.isfinite(do).all() == np.isfinite(gradient).all()
        np.testing.assert_array_equal(softmax([np.inf, 0.0]), [1, 0])
        assert np.isnan(softmax([np.inf, np.inf])).all()


def test_one_row_that_exploded_leaves_the_others_alone():
    _, do = softmax_cross_entropy([[np.inf, 0.0], [np.inf, np.inf], [0.0, 0.0]], [0, 0, 0])
    np.testing.assert_array_equal(do[[0, 2]], [[0, 0], [-0.5, 0.5]])
    assert np.isnan(do[1]).all()


def test_float32_is_kept_and_integers_become_float64():
    for last in (False, True):
        for dtype, want in ((np.float32, np.float32), (np.float64, np.float64), (int, np.float64)):
            o = np.ones((3, 2, 4), dtype)
            y = np.zeros((2, 4) if last else (3, 2, 4))
            classes = np.zeros(y.shape[:-1], np.uint8)
            assert softmax(o).dtype == want
            for loss, do in (squared_error(o, y, last=last), softmax_cross_entropy(o, classes, last=last)):
                assert type(loss) is float and do.dtype == want and do.shape == o.shape


def test_nothing_given_is_modified():
    o, y = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([0, 1])
    softmax(o), softmax_cross_entropy(o, y), squared_error(o, np.ones((2, 2)))
    np.testing.assert_array_equal(o, [[0, 1], [2, 3]])
    np.testing.assert_array_equal(y, [0, 1])


O = np.ones((3, 2, 4))


@pytest.mark.parametrize("call, argument", [
    (lambda: squared_error(np.ones((5, 2)), np.ones((5, 1))), "target"),
    (lambda: squared_error(np.ones((5, 2)), np.full((5, 2), np.nan)), "target"),
    (lambda: squared_error(O, np.full((3, 2, 4), np.inf)), "target"),
    (lambda: squared_error(O, np.ones((2, 4))), "target"),
    (lambda: squared_error(O, O, last=True), "target"),
    (lambda: squared_error(O[0], O[0, 0], last=True), "output"),
    (lambda: squared_error([[1.0], [1.0, 2.0]], O), "output"),
    (lambda: squared_error(["a"], ["b"]), "output"),
    (lambda: softmax(1.0), "o"),
    (lambda: softmax(["a"]), "o"),
    (lambda: softmax(np.ones((2, 0))), "o"),
    (lambda: softmax_cross_entropy(1.0, 0), "o"),
    (lambda: softmax_cross_entropy(O.astype(complex), np.zeros((3, 2), int)), "o"),
    (lambda: softmax_cross_entropy(O[0], [0, 0], last=True), "o"),
    (lambda: softmax_cross_entropy(O, np.zeros((3, 2))), "y"),
    (lambda: softmax_cross_entropy(O, np.full((3, 2), np.nan)), "y"),
    (lambda: softmax_cross_entropy(O, np.ones((3, 2), bool)), "y"),
    (lambda: softmax_cross_entropy(O, np.zeros((3, 2, 4), int)), "y"),
    (lambda: softmax_cross_entropy(O, np.zeros(2, int)), "y"),
    (lambda: softmax_cross_entropy(O, np.zeros((3, 2), int), last=True), "y"),
    (lambda: softmax_cross_entropy(O, [[0, 1], [2, 3], [4, 0]]), "y"),
    (lambda: softmax_cross_entropy(O, [[0, 1], [2, 3], [-1, 0]]), "y"),
    (lambda: softmax_cross_entropy(O, [[0, 1], [2]]), "y"),
])
def test_bad_input_is_named(call, argument):
    with pytest.raises(ValueError, match=rf"^{re.escape(argument)}: .*got .*want"):
        call()


def test_a_wrong_class_is_shown():
    with pytest.raises(ValueError, match=r"^y: got class 4, want 0 to 3$"):
        softmax_cross_entropy(O, [[0, 1], [2, 3], [4, 0]])


# Masks: padded sequences


def padded(seed=0, T=5, B=4, Q=3):
    """Outputs, targets, classes, and a mask of sequences of 2 to T steps; what is padded is nonsense, and far off."""
    rng = np.random.default_rng(seed)
    mask = np.arange(T)[:, None] < np.array([2, T, 3, 1])[:B]
    o, target, y = rng.normal(size=(T, B, Q)), rng.normal(size=(T, B, Q)), rng.integers(0, Q, (T, B))
    target[~mask], y[~mask] = np.nan, -100
    return o, target, y, mask


def both(o, target, y, mask, **last):
    return squared_error(o, target, mask=mask, **last), softmax_cross_entropy(o, y, mask=mask, **last)


def test_masked_steps_count_for_nothing():
    o, target, y, mask = padded()
    for got, want in zip(both(o, target, y, mask), (squared_error(o[mask], target[mask]), softmax_cross_entropy(o[mask], y[mask]))):
        assert got[0] == pytest.approx(want[0], rel=1e-14)
        np.testing.assert_array_equal(got[1][mask], want[1])
        assert got[1].shape == o.shape and not got[1][~mask].any()
    for nonsense in (np.nan, np.inf, -np.inf, 1e300):
        wild = o.copy()
        wild[~mask] = nonsense
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for got, want in zip(both(wild, target, y, mask), both(o, target, y, mask)):
                assert got[0] == want[0]
                np.testing.assert_array_equal(got[1], want[1])


def test_a_mask_of_true_changes_nothing():
    o, target, y, _ = padded()
    target, y = np.nan_to_num(target), np.abs(y) % 3
    for got, want in zip(both(o, target, y, np.ones(y.shape, bool)), both(o, target, y, None)):
        assert got[0] == want[0]
        np.testing.assert_array_equal(got[1], want[1])


def test_a_mask_of_the_last_step():
    o, target, y, mask = padded()
    mask = mask[2]
    target, y = np.where(mask[:, None], np.ones((4, 3)), np.nan), np.where(mask, 1, -100)
    for (loss, gradient), (want, of_last) in zip(both(o, target, y, mask, last=True), both(o[-1], target, y, mask)):
        assert loss == want
        np.testing.assert_array_equal(gradient[-1], of_last)
        assert not gradient[:-1].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masked_gradients_against_central_differences(dtype):
    o, target, y, mask = padded()
    assert all(gradient.dtype == dtype for _, gradient in both(o.astype(dtype), target, y, mask))
    for loss in (lambda o: squared_error(o, target, mask=mask), lambda o: softmax_cross_entropy(o, y, mask=mask)):
        check = gradient_check(lambda o: loss(o)[0], o, loss(o)[1])
        assert check, check


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_masks_against_torch(torch, reduction):
    from gradients.training import averaged
    o, target, y, mask = padded()
    ours = [squared_error, softmax_cross_entropy] if reduction == "sum" else [averaged(squared_error), averaged(softmax_cross_entropy)]
    theirs = torch.tensor(o, requires_grad=True)
    squares = 0.5 * torch.nn.functional.mse_loss(theirs[mask], torch.tensor(target[mask]), reduction="sum")
    if reduction == "mean":
        squares = squares / mask.sum()  # its mean is over the units, too
    entropy = torch.nn.CrossEntropyLoss(ignore_index=-100, reduction=reduction)(theirs.reshape(-1, 3), torch.tensor(y).reshape(-1))
    for (loss, gradient), want in zip((ours[0](o, target, mask=mask), ours[1](o, y, mask=mask)), (squares, entropy)):
        assert loss == pytest.approx(want.item(), rel=1e-13)
        np.testing.assert_allclose(gradient, torch.autograd.grad(want, theirs)[0].numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("mask, got", [
    (np.zeros((5, 4), bool), "no True"), (np.ones((5, 4)), "dtype float64"), (np.ones((5, 4), int), "dtype int64"),
    (np.ones((4, 5), bool), r"shape \(4, 5\)"), (np.ones((5, 4, 3), bool), "shape"), (np.ones(4, bool), "shape"), (True, "shape"),
    ([[True], [True, False]], "rows"), ("yes", "dtype"),
])
def test_bad_masks(mask, got):
    o, target, y, _ = padded()
    for call in (lambda: squared_error(o, target, mask=mask), lambda: softmax_cross_entropy(o, y, mask=mask)):
        with pytest.raises(ValueError, match=f"^mask: got {got}.*want"):
            call()


def test_what_isnt_masked_is_checked():
    o, target, y, mask = padded()
    target[0, 0], y[0, 0] = np.nan, 3
    with pytest.raises(ValueError, match="^target: got NaN or inf"):
        squared_error(o, target, mask=mask)
    with pytest.raises(ValueError, match="^y: got class 3, want 0 to 2"):
        softmax_cross_entropy(o, y, mask=mask)
