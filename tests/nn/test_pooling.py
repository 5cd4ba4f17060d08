"""Poolings against loops in NumPy (float64), and what a shift of the picture does to them."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.nn.pooling import POOLINGS, Blur, pool_named

TAKEN = {"max": np.max, "average": np.mean, "sum": np.sum}


def by_loop(x, take, size, stride):
    """One number out of every window that lies inside."""
    height, width = ((n - size) // stride + 1 for n in x.shape[2:])
    out = np.zeros((*x.shape[:2], height, width))
    for i, j in itertools.product(range(height), range(width)):
        window = x[:, :, i * stride : i * stride + size, j * stride : j * stride + size]
        out[:, :, i, j] = take(window, axis=(2, 3))
    return out


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("how", ["", "(3)", "(3, 2)", "(2, 3)", "(1, 2)"])
def test_windows_by_loop(rng, name, how):
    x = rng.normal(size=(2, 3, 8, 7))
    size, *stride = eval(f"({how.strip('()') or 2},)")
    expected = by_loop(x, TAKEN[name], size, stride[0] if stride else size)
    out = pool_named(name + how)(torch.as_tensor(x)).numpy()
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


def test_padding_of_the_maximum_is_never_chosen():
    x = -torch.ones(1, 1, 5, 5)
    assert torch.equal(pool_named("max(3, 2, 1)")(x), -torch.ones(1, 1, 3, 3))


def test_global_poolings(rng):
    x = rng.normal(size=(3, 4, 5, 6))
    mean, largest = x.mean((2, 3)), x.max((2, 3))
    expected = {"average": mean, "max": largest, "both": np.concatenate([mean, largest], 1)}
    for name, array in expected.items():
        pool = pool_named(f"global_{name}")
        np.testing.assert_allclose(pool(torch.as_tensor(x)), array, rtol=0, atol=1e-12)
        assert pool.times == array.shape[1] // 4


@pytest.mark.parametrize("edges", ["replicate", "reflect", "circular"])
@pytest.mark.parametrize(("taps", "row"), [(3, [1, 2, 1]), (5, [1, 4, 6, 4, 1])])
def test_a_blur_is_a_binomial_mean_of_every_other_place(rng, edges, taps, row):
    """Padded by NumPy, summed by a loop."""
    x = rng.normal(size=(2, 3, 7, 6))
    reach = taps // 2
    mode = {"replicate": "edge", "reflect": "reflect", "circular": "wrap"}[edges]
    wide = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode)
    weight = np.outer(row, row) / 4 ** (taps - 1)
    expected = np.zeros((2, 3, 4, 3))
    for i, j in np.ndindex(4, 3):
        expected[..., i, j] = (wide[..., 2 * i : 2 * i + taps, 2 * j : 2 * j + taps] * weight).sum((2, 3))
    out = Blur(2, taps, edges)(torch.as_tensor(x))
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


def test_max_blur_is_the_maximum_everywhere_and_then_a_blur(rng):
    x = torch.as_tensor(rng.normal(size=(1, 2, 8, 8)))
    assert torch.equal(pool_named("max_blur")(x), Blur(2)(torch.as_tensor(by_loop(x.numpy(), np.max, 2, 1))))


def change(layer, x) -> float:
    """How much a map changes under shifts by one place, where only the phase of the stride differs.

    Shifted maps are brought back as well as a whole number of places can: the smaller of both deviations, relative to
    the spread of the map.
    """
    here, moved = layer(x), layer(x.roll(1, 3))
    gap = min(float((moved - here.roll(k, 3)).square().mean()) for k in (0, 1))
    return (gap / float(here.var())) ** 0.5


def test_a_blur_minds_a_shift_less_than_a_plain_stride(rng):
    """On noise, which has all frequencies, circular so that nothing enters at the edge."""
    x = torch.as_tensor(rng.normal(size=(8, 3, 32, 32)))
    plain, blurred = nn.MaxPool2d(1, 2), Blur(2, 5, "circular")
    assert change(blurred, x) < 0.75 * change(plain, x)
    deviation = [float((layer(x.roll(2, 3)) - layer(x).roll(1, 3)).abs().max()) for layer in (plain, blurred)]
    assert max(deviation) < 1e-12  # a shift by the stride moves every map by one place


def test_no_pooling_has_parameters():
    assert not any(list(pool_named(name).parameters()) for name in POOLINGS)
    assert not pool_named("blur").state_dict()


def test_formats_and_precisions_are_kept():
    x = torch.randn(2, 3, 8, 8).to(memory_format=torch.channels_last)
    for name in ("max", "average", "sum", "blur", "max_blur"):
        assert pool_named(name)(x).is_contiguous(memory_format=torch.channels_last)
        assert pool_named(name)(x.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("averge", "did you mean 'average'"),
        ("max(0)", "size"),
        ("max(2, 2, 2)", "at most half"),
        ("average(2, 2, 1)", "takes"),
        ("blur(2, 4)", "take 5"),
        ("blur(0)", "stride"),
        ("blur(edges='mirrored')", "edges"),
    ],
)
def test_what_is_no_pooling_is_refused(text, words):
    with pytest.raises(ParameterError, match=words):
        pool_named(text)
