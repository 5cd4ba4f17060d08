"""Random parts: what they drop together, that the mean stays, and that nothing happens in use."""

import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.nn.dense import DenseStack
from ganglion.nn.noise import DROPOUTS, Dropout, DropPath, GaussianNoise, SpatialDropout

N = 20_000


@pytest.mark.parametrize("make", [Dropout, SpatialDropout, DropPath, GaussianNoise, nn.AlphaDropout])
def test_nothing_happens_in_use_nor_at_strength_zero(make):
    x = torch.randn(4, 3, 5)
    assert torch.equal(make(0.5).eval()(x), x)
    assert torch.equal(make(0.0)(x), x)


@pytest.mark.parametrize(
    ("make", "together"), [(Dropout, ()), (SpatialDropout, (2,)), (DropPath, (1, 2))], ids=lambda p: str(p)
)
@pytest.mark.parametrize("p", [0.2, 0.5])
def test_what_is_dropped_together(make, together, p):
    """Zero or 1 / (1 - p), the same over the axes that go together, and drawn anew for the others."""
    out = make(p)(torch.ones(N // 8, 4, 2))
    kept = out != 0
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - p)))
    for axis in together:
        assert (kept == kept.narrow(axis, 0, 1)).all()
    for axis in {1, 2} - set(together):
        assert (kept != kept.narrow(axis, 0, 1)).any()
    draws = kept.select(2, 0) if 2 in together else kept
    draws = draws.select(1, 0) if 1 in together else draws
    assert abs(draws.double().mean() - (1 - p)) < 4 * (p * (1 - p) / draws.numel()) ** 0.5


def test_alpha_dropout_keeps_mean_and_variance():
    """Of the normal numbers that SELU aims at; plain dropout widens them by 1 / (1 - p)."""
    x = torch.randn(N * 10)
    found = {kind: DROPOUTS[kind](0.3)(x) for kind in ("alpha", "units")}
    assert abs(found["alpha"].mean()) < 0.02
    assert found["alpha"].var() == pytest.approx(1, abs=0.03)
    assert found["units"].var() == pytest.approx(1 / 0.7, abs=0.05)


def test_gaussian_noise():
    added = GaussianNoise(0.3)(torch.full((N,), 5.0)) - 5
    assert abs(added.mean()) < 4 * 0.3 / N**0.5
    assert added.std() == pytest.approx(0.3, rel=0.03)


def test_branches_are_dropped_more_often_further_up():
    stack = DenseStack([4, *[6] * 5, 2], residual=True, drop_path=0.4)
    assert [s.path.p for s in stack.shortcuts.values()] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_an_example_skips_whole_branches():
    stack = DenseStack([6, 6, 6], "identity", residual=True, drop_path=0.5).double()
    x = torch.randn(400, 6, dtype=torch.float64)
    nn.init.eye_(stack.linears[1].weight)
    nn.init.zeros_(stack.linears[1].bias)
    moved = (stack(x) - x).abs().amax(1)
    assert (moved == 0).double().mean() == pytest.approx(0.5, abs=0.1)
    assert (stack.eval()(x) != x).any(1).all()


def test_a_dense_stack_has_no_positions():
    with pytest.raises(ParameterError, match=r"spatial dropout .* dropout_kind='units'"):
        DenseStack([3, 4, 2], dropout=0.1, dropout_kind="spatial")
