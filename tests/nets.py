"""What the tests of the nets share."""

import tracemalloc

import numpy as np


def assert_close(got, want, rtol=1e-10, rounding=0.0, err_msg=""):
    """Relative to the largest entry of the array; `rounding` is allowed on top."""
    assert np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=0, atol=rtol * np.abs(want).max() + rounding, err_msg=err_msg)


def column(*numbers):
    """(T, 1, 1)"""
    return np.array(numbers, float)[:, None, None]


def peak_memory(call):
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def torch_gradients(torch, value, wanted):
    """Arrays of d(value)/d(each tensor), zeros where it plays no part."""
    found = torch.autograd.grad(value, wanted, allow_unused=True, retain_graph=True)
    return [np.zeros(tuple(tensor.shape)) if g is None else g.numpy() for g, tensor in zip(found, wanted)]


def torch_phi(torch, phi):
    """PyTorch's function that is our Activation."""
    F = torch.nn.functional
    return {
        "identity": lambda z: z, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu,
        "leaky_relu": lambda z: F.leaky_relu(z, phi.function.keywords["slope"]),
        "elu": lambda z: F.elu(z, phi.function.keywords["alpha"]), "gelu": F.gelu, "silu": F.silu,
    }[phi.name]


def assert_right(check, gradients):
    """A `GradientCheck` found nothing wrong; what it could not see is 0, or as good as: behind a unit that is off or saturated."""
    unseen = [gradients[name][place] for name, place in check.too_small]
    largest = max(np.abs(array).max() for array in gradients.values())
    assert not (check.wrong or check.kinks or check.not_finite), str(check)
    assert np.abs(unseen).max(initial=0) <= 1e-6 * largest, str(check)
