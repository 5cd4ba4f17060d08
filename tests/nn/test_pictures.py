"""The first layer of a network for pictures: standardised channels, whitened patches."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.nn import pictures as module
from ganglion.nn.pictures import Standardise, whiten_


def test_bytes_and_floats_are_learned_as_numpy_has_it(rng, monkeypatch):
    """In parts of one picture, as in one part; 8-bit numbers are divided by 255."""
    eight = rng.integers(0, 256, (9, 3, 5, 4), dtype=np.uint8)
    for array in (eight, eight / 255, (eight / 255).astype(np.float32)):
        for at_once in (2**22, 70):
            monkeypatch.setattr(module, "AT_ONCE", at_once)
            layer = Standardise.from_pictures(torch.as_tensor(array))
            np.testing.assert_allclose(layer.mean.flatten(), (eight / 255).mean((0, 2, 3)), rtol=2e-7)
            np.testing.assert_allclose(layer.std.flatten(), (eight / 255).std((0, 2, 3)), rtol=2e-7)
    out = layer(torch.as_tensor(eight).float() / 255)
    np.testing.assert_allclose(out.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(out.std((0, 2, 3), correction=0), 1, atol=1e-5)


def test_a_constant_channel_becomes_zero():
    x = torch.full((7, 2, 3, 3), 0.1)
    x[:, 1] = torch.rand(7, 3, 3)
    layer = Standardise.from_pictures(x)
    assert layer.std[0] == 1
    assert layer(x)[:, 0].abs().max() < 1e-7


def test_no_float_copy_of_all_pictures(monkeypatch):
    """What is held in double precision at a time is bounded."""
    sizes = []
    real = torch.Tensor.double
    monkeypatch.setattr(torch.Tensor, "double", lambda x: sizes.append(x.numel()) or real(x))
    Standardise.from_pictures(torch.zeros(20_000, 1, 28, 28, dtype=torch.uint8))
    assert max(sizes) <= module.AT_ONCE < 20_000 * 28 * 28


def test_it_is_saved_with_the_module_and_keeps_channels_last():
    layer = Standardise([0.1, 0.2, 0.3], [1.0, 2.0, 0.0])
    assert {name: tuple(b.shape) for name, b in layer.state_dict().items()} == {
        "mean": (3, 1, 1), "std": (3, 1, 1)
    }  # fmt: skip
    x = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
    assert layer(x).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Standardise([0.0], [1.0, 1.0]), "for each channel"),
        (lambda: Standardise([0.0], [-1.0]), "std 0 or more"),
        (lambda: Standardise([float("nan")], [1.0]), "finite"),
        (lambda: Standardise([0.0], [1.0])(torch.zeros(1, 3, 2, 2)), "1 channels are expected"),
        (lambda: Standardise.from_pictures(torch.zeros(3, 2, 2)), r"\(n, c, h, w\)"),
        (lambda: Standardise.from_pictures(torch.zeros(0, 1, 2, 2)), r"\(n, c, h, w\)"),
        (lambda: whiten_(nn.Conv2d(1, 2, 3), torch.zeros(4, 1, 2, 2)), "patches"),
        (lambda: whiten_(nn.Conv2d(1, 2, 3), torch.zeros(4, 1, 5, 5), eps=0), "eps"),
    ],
)
def test_what_does_not_fit_is_refused(make, words):
    with pytest.raises((DataError, ParameterError), match=words):
        make()


def smooth(rng, n=300):
    """Pictures whose neighbours are alike, channels too."""
    x = rng.normal(size=(n, 2, 9, 9)).cumsum(2).cumsum(3) / 5 + 1
    x[:, 1] += 0.8 * x[:, 0]
    return x


def test_whitened_outputs_are_uncorrelated_with_spread_one(rng):
    """Against NumPy: covariance of all patches, gathered by a loop; outputs of mean 0, covariance l / (l + eps)."""
    x, eps = smooth(rng), 0.01
    layer = whiten_(nn.Conv2d(2, 17, 2), torch.as_tensor(x), eps)
    patches = np.stack([x[:, c, i : i + 8, j : j + 8].ravel()
                        for c in range(2) for i in range(2) for j in range(2)])  # fmt: skip
    values = np.linalg.eigvalsh(np.cov(patches))[::-1]
    out = layer(torch.as_tensor(x).float()).detach().double().transpose(0, 1).flatten(1).numpy()
    np.testing.assert_allclose(np.cov(out[:8]), np.diag(values / (values + eps)), atol=2e-4)
    np.testing.assert_allclose(out[:8].mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(out[8:16], -out[:8], atol=1e-4)


def test_a_narrow_layer_takes_the_largest_directions(rng):
    x = torch.as_tensor(smooth(rng, 50))
    wide, narrow = (whiten_(nn.Conv2d(2, n, 2), x).weight for n in (16, 6))
    assert torch.equal(narrow[:3], wide[:3])
    assert torch.equal(narrow[3:], -narrow[:3])
