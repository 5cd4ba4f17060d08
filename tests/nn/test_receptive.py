"""Receptive fields against the support of the gradient, on random stacks."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganglion.base.errors import DataError
from ganglion.diagnose.tracing.slopes import SLOPES
from ganglion.nn.convolution import Up, conv, separable
from ganglion.nn.pooling import Blur, pool_named
from ganglion.nn.receptive import (
    ENTRYWISE,
    effective_size,
    gradient_map,
    receptive_fields,
    window_of,
)


def random_layer(rng):
    """A convolution or pooling of random size, stride, dilation and padding."""
    kind = rng.integers(6)
    k, s, d = int(rng.integers(1, 5)), int(rng.integers(1, 3)), int(rng.integers(1, 4))
    if kind == 0:
        return pool_named(f"average({k}, {s})")
    if kind == 1:
        return Blur(s, 3, str(rng.choice(["replicate", "reflect"])))
    if kind == 2:
        return separable(1, 1, k, s, "same", d)
    if kind == 3:
        return nn.Sequential(conv(1, 1, (k, 3), (1, s), "valid", (d, 1)), nn.BatchNorm2d(1))
    padding = [0, "same", int(rng.integers(0, 3))][rng.integers(3)]
    return conv(1, 1, k, s, padding or "valid", d)


def positive(module):
    """All weights positive, so that nothing cancels."""
    for p in module.double().parameters():
        nn.init.constant_(p, 0.3)
    return module


@pytest.mark.parametrize("seed", range(60))
def test_the_field_is_the_support_of_the_gradient(seed):
    """Size, jump and start, for the middle output and for its neighbour."""
    rng = np.random.default_rng(seed)
    module = positive(nn.Sequential(*[random_layer(rng) for _ in range(rng.integers(1, 6))]))
    size = (int(rng.integers(150, 170)), int(rng.integers(150, 170)))
    last = receptive_fields(module, size)[-1]
    x = torch.ones(1, 1, *size, dtype=torch.float64)
    high, wide = (n // 2 for n in last.shape[1:])
    for at in ((high, wide), (high + 1, wide - 1)):
        reached = gradient_map(module, x, at).nonzero()
        expected = [a + i * j for a, i, j in zip(last.field.start, at, last.field.jump)]
        assert reached.min(0).values.tolist() == expected
        assert (reached.max(0).values - reached.min(0).values + 1).tolist() == list(last.field.size)
        middle = [c + i * j for c, i, j in zip(last.field.centre, at, last.field.jump)]
        assert ((reached.max(0).values + reached.min(0).values) / 2).tolist() == middle


class Residual(nn.Module):
    """Two paths of one stride, activations as functions."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(2, 2, 3, stride), nn.BatchNorm2d(2), nn.ReLU(True), conv(2, 2, 3))
        self.skip = conv(2, 2, 1, stride)

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


def test_branches_are_united_and_layers_listed_once():
    module = nn.Sequential(conv(2, 2, 3), Residual(2), Residual())
    found = receptive_fields(module, (40, 40))
    assert [seen.name for seen in found] == [
        "0", "1.body.0", "1.body.1", "1.body.2", "1.body.3", "1.skip", "1",
        "2.body.0", "2.body.1", "2.body.2", "2.body.3", "2.skip", "2",
    ]  # fmt: skip
    by_name = {seen.name: seen for seen in found}
    assert by_name["1"].field.size == (9, 9)  # 3, then 3 + 2 = 5, then 5 + 2 * 2 = 9
    assert by_name["1.skip"].field.size == (3, 3)
    assert by_name["2"].field.size == (17, 17)
    assert by_name["2"].shape == (2, 20, 20)
    reached = gradient_map(positive(module), torch.ones(1, 2, 40, 40).double(), (10, 10)).nonzero()
    assert (reached.max(0).values - reached.min(0).values + 1).tolist() == [17, 17]


class Beside(nn.Module):
    """Two maps side by side."""

    def forward(self, x):
        return torch.cat([x, x], dim=3)


class Written(nn.Module):
    """A map that is written into."""

    def forward(self, x):
        out = torch.zeros(x.shape)
        out[:, :, 1:] = x[:, :, :-1]
        return x + out


@pytest.mark.parametrize(
    "layer",
    [nn.AdaptiveAvgPool2d(1), nn.Flatten(), Beside(), Written(), nn.GroupNorm(1, 2), nn.Softmax2d(), Up(2, 2, 2),
     pool_named("global_max")],
    ids=lambda layer: type(layer).__name__,
)  # fmt: skip
def test_what_mixes_places_has_no_field(layer):
    assert receptive_fields(nn.Sequential(conv(2, 2, 3), layer), (8, 8))[-1].field is None


def test_series_have_fields_too():
    layers = nn.Sequential(nn.Conv1d(2, 3, 3, dilation=2), nn.MaxPool1d(2), nn.Conv1d(3, 3, 2))
    assert [seen.field.size for seen in receptive_fields(layers, (30,))] == [(5,), (6,), (8,)]


def test_the_module_is_left_as_it_was():
    module = nn.Sequential(conv(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    module[2].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    receptive_fields(module, (9, 9))
    gradient_map(module, torch.randn(2, 1, 9, 9))
    assert [layer.training for layer in module] == [True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(layer._forward_hooks for layer in module)
    assert all(p.grad is None for p in module.parameters())


def test_activations_of_the_trace_are_known_here():
    assert set(SLOPES) <= ENTRYWISE


def test_the_effective_field_is_smaller_and_grows_as_the_root_of_the_depth():
    """Kernels of ones: n layers give a binomial of variance 2 n / 3, cut at 4.55 % of its middle."""
    for depth in (4, 16):
        module = positive(nn.Sequential(*[conv(1, 1, 3, bias=False) for _ in range(depth)]))
        found = gradient_map(module, torch.ones(1, 1, 71, 71).double())
        row = np.ones(1)
        for _ in range(depth):
            row = np.convolve(row, np.ones(3))
        around = 35 - depth
        expected = np.outer(row, row) * 0.3**depth
        np.testing.assert_allclose(found[around:-around, around:-around], expected, rtol=1e-10)
        share = np.outer(row, row) / row.max() ** 2
        assert effective_size(found) == pytest.approx((share > 0.0455).sum() ** 0.5)
        assert effective_size(found) < (2 * depth + 1) * (0.9 if depth == 4 else 0.5)


def test_functions_without_a_window():
    assert window_of("relu", (), {}) is None
    assert window_of("conv_transpose2d", (), {}) is None
    assert window_of("pad", (None, (1, 2, 3, 4)), {}).around == ((3, 4), (1, 2))


def test_a_place_outside_the_map_is_refused():
    for at, module in (((9, 0), conv(1, 1, 3)), (None, nn.Flatten())):
        with pytest.raises(DataError, match="must be a map"):
            gradient_map(module, torch.zeros(1, 1, 9, 9), at)
