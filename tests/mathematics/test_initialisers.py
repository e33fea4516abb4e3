import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradients import initialisers
from gradients.activations import NAMES, Activation, activation
from gradients.initialisers import (
    gain, identity, kaiming_normal, kaiming_uniform, orthogonal, xavier_normal, xavier_uniform,
)

SCALED = (xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal)
RANDOM = (*SCALED, orthogonal)
ALL = (*RANDOM, identity)
GAINS = {"identity": "linear", "sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu"}
sizes, seeds = st.integers(1, 9), st.integers(0, 2**32)
gains = st.sampled_from([0.0, 0.3, 1.0, math.sqrt(2), 5.0])


def draw(initialiser, n_out=4, n_in=3, seed=0, **options):
    if initialiser is not identity:
        options = {"rng": np.random.default_rng(seed), **options}
    return initialiser(n_out, n_in, **options)


def scale_of(initialiser, n_out, n_in, seed, **options):
    """The bound or standard deviation: what the uniform or normal draws of the same seed were multiplied by."""
    rng = np.random.default_rng(seed)
    base = rng.uniform(-1, 1, (n_out, n_in)) if "uniform" in initialiser.__name__ else rng.standard_normal((n_out, n_in))
    ratios = draw(initialiser, n_out, n_in, seed, **options) / base
    np.testing.assert_allclose(ratios, ratios[0, 0], rtol=1e-14)
    return ratios[0, 0]


def scale_of_torchs(torch, initialiser, n_out, n_in, seed, gain):
    base, W = torch.empty(n_out, n_in, dtype=torch.float64), torch.empty(n_out, n_in, dtype=torch.float64)
    torch.manual_seed(seed)
    base.uniform_(-1, 1) if "uniform" in initialiser.__name__ else base.normal_()
    torch.manual_seed(seed)
    init = getattr(torch.nn.init, initialiser.__name__ + "_")
    init(W, gain=gain) if "xavier" in initialiser.__name__ else init(W, nonlinearity="relu")
    return (W / base)[0, 0].item()


@pytest.mark.parametrize("initialiser", SCALED)
@settings(deadline=None, max_examples=30)
@given(n_out=sizes, n_in=sizes, seed=seeds, own=gains)
def test_bounds_and_deviations_are_torchs(torch, initialiser, n_out, n_in, seed, own):
    if "kaiming" in initialiser.__name__:  # PyTorch's has no gain, it has the activation's
        relus = scale_of(initialiser, n_out, n_in, seed)
        assert scale_of(initialiser, n_out, n_in, seed, gain=own) == pytest.approx(own / math.sqrt(2) * relus, rel=1e-13)
        own = math.sqrt(2)
    want = scale_of_torchs(torch, initialiser, n_out, n_in, seed, own)
    assert scale_of(initialiser, n_out, n_in, seed, gain=own) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("initialiser, variance", [
    (xavier_uniform, 2 / 700), (xavier_normal, 2 / 700), (kaiming_uniform, 2 / 400), (kaiming_normal, 2 / 400),
])
def test_draws_have_the_mean_variance_and_shape_of_their_law(initialiser, variance):
    W = draw(initialiser, 300, 400)
    assert W.shape == (300, 400) and W.mean() == pytest.approx(0, abs=5 * math.sqrt(variance / W.size))
    assert W.var() == pytest.approx(variance, rel=0.02)
    fourth = (W**4).mean() / variance**2
    if "uniform" in initialiser.__name__:
        assert np.abs(W).max() <= math.sqrt(3 * variance) and fourth == pytest.approx(9 / 5, rel=0.03)
    else:
        assert fourth == pytest.approx(3, rel=0.05)


def test_gains_of_one_and_of_relu_are_the_defaults():
    for initialiser, default in ((xavier_uniform, 1), (xavier_normal, 1), (orthogonal, 1), (identity, 1),
                                 (kaiming_uniform, math.sqrt(2)), (kaiming_normal, math.sqrt(2))):
        np.testing.assert_array_equal(draw(initialiser), draw(initialiser, gain=default))


@settings(deadline=None)
@given(n_out=sizes, n_in=sizes, seed=seeds, own=gains)
def test_orthogonal_has_orthonormal_rows_or_columns(n_out, n_in, seed, own):
    W = draw(orthogonal, n_out, n_in, seed, gain=own)
    assert W.shape == (n_out, n_in)
    small = W @ W.T if n_out <= n_in else W.T @ W
    np.testing.assert_allclose(small, own**2 * np.eye(len(small)), rtol=0, atol=1e-13 * (1 + own**2))


@settings(deadline=None)
@given(n_out=sizes, n_in=sizes, seed=seeds)
def test_orthogonal_is_the_q_of_a_normal_matrix_with_positive_r(n_out, n_in, seed):
    """Which makes it unique, and Haar distributed (Mezzadri 2007)."""
    W = draw(orthogonal, n_out, n_in, seed)
    A = np.random.default_rng(seed).standard_normal((max(n_out, n_in), min(n_out, n_in)))
    R = (W if n_out >= n_in else W.T).T @ A
    assert (np.diag(R) > 0).all()
    np.testing.assert_allclose(np.tril(R, -1), 0, atol=1e-13 * np.abs(A).max() * len(A))


def test_orthogonal_is_haar_distributed():
    """E[trace Q] = 0 and E[(trace Q)^2] = 1; without the signs LAPACK's Q has a mean trace of about -1."""
    rng = np.random.default_rng(0)
    traces = np.array([np.trace(orthogonal(4, 4, rng=rng)) for _ in range(4000)])
    assert traces.mean() == pytest.approx(0, abs=0.08)
    assert (traces**2).mean() == pytest.approx(1, abs=0.12)


def test_identity():
    np.testing.assert_array_equal(identity(3, 3, gain=2), 2 * np.eye(3))
    np.testing.assert_array_equal(identity(2, 3), [[1, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("name", GAINS)
def test_gains_are_torchs(torch, name):
    want = torch.nn.init.calculate_gain(GAINS[name])
    assert gain(name) == gain(activation(name)) == pytest.approx(want, rel=1e-15)
    assert isinstance(gain(name), float)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.1, 1.0, 3.0])
def test_gain_of_leaky_relu_is_torchs(torch, slope):
    want = torch.nn.init.calculate_gain("leaky_relu", slope)
    assert gain(activation("leaky_relu", slope=slope)) == pytest.approx(want, rel=1e-15)
    assert gain("leaky_relu") == gain(activation("leaky_relu", slope=0.1))


def mean_square(phi):
    """E[phi(z)^2] for z ~ N(0, 1)."""
    z, step = np.linspace(-12, 12, 240_001, retstep=True)
    return (activation(phi).function(z) ** 2 * np.exp(-z**2 / 2)).sum() * step / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("phi", ["identity", "relu", activation("leaky_relu", slope=0.3), "elu",
                                 activation("elu", alpha=1.7), activation("elu", alpha=0)])
def test_gain_keeps_the_mean_square(phi):
    assert gain(phi) ** 2 * mean_square(phi) == pytest.approx(1, rel=1e-6)


def test_numbers_in_the_docstring_of_gain():
    assert mean_square("sigmoid") ** -0.5 == pytest.approx(1.85, abs=0.005)
    assert mean_square("tanh") ** -0.5 == pytest.approx(1.59, abs=0.005)
    assert gain("elu") == pytest.approx(1.245, abs=0.0005)


def test_every_activation_of_the_package_has_a_gain():
    assert all(gain(name) > 0 for name in NAMES)


@pytest.mark.parametrize("initialiser", ALL)
@settings(deadline=None, max_examples=20)
@given(n_out=sizes, n_in=sizes, seed=seeds, own=gains)
def test_same_seed_same_numbers_at_every_gain_and_dtype(initialiser, n_out, n_in, seed, own):
    one = draw(initialiser, n_out, n_in, seed, gain=1)
    W = draw(initialiser, n_out, n_in, seed, gain=own)
    np.testing.assert_allclose(W, own * one, rtol=1e-14)
    assert W.dtype == np.float64
    single = draw(initialiser, n_out, n_in, seed, gain=own, dtype=np.float32)
    np.testing.assert_array_equal(single, W.astype(np.float32))
    assert single.dtype == np.float32


@pytest.mark.parametrize("initialiser", ALL)
def test_a_new_matrix_each_time_and_overflow_is_inf(initialiser):
    rng = np.random.default_rng(0)
    options = {} if initialiser is identity else {"rng": rng}
    first, second = initialiser(3, 3, **options), initialiser(3, 3, **options)
    assert not np.shares_memory(first, second) and first.flags.writeable
    assert np.array_equal(first, second) == (initialiser is identity)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(initialiser(3, 3, gain=1e300, dtype=np.float32, **options)).any()


@pytest.mark.parametrize("initialiser", ALL)
@pytest.mark.parametrize("options, argument", [
    ({"n_out": 0}, "n_out"), ({"n_out": 2.0}, "n_out"),
    ({"n_in": -1}, "n_in"), ({"n_in": True}, "n_in"), ({"n_in": "3"}, "n_in"),
    ({"gain": -1}, "gain"), ({"gain": np.nan}, "gain"), ({"gain": "relu"}, "gain"),
    ({"dtype": np.float16}, "dtype"), ({"dtype": "text"}, "dtype"),
])
def test_bad_input_is_named(initialiser, options, argument):
    with pytest.raises(ValueError, match=rf"^{argument}: got .*want"):
        draw(initialiser, **options)


@pytest.mark.parametrize("initialiser", RANDOM)
@pytest.mark.parametrize("rng", [0, np.random, None])
def test_bad_rng_is_named(initialiser, rng):
    with pytest.raises(ValueError, match=r"^rng: got .*want"):
        draw(initialiser, rng=rng)


@pytest.mark.parametrize("phi", ["unheard_of", 3, Activation("square", np.square, lambda z: 2 * z, np.inf)])
def test_an_activation_without_a_gain_is_named(phi):
    with pytest.raises(ValueError, match=r"^activation: .*got .*want"):
        gain(phi)


def test_all_is_complete():
    assert set(initialisers.__all__) == {"gain", *(each.__name__ for each in ALL)}
