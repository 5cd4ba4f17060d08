"""Networks that forecast: their naive rules by loops, their own scale, and what they must not see."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.models.forecast import NAIVES, NETWORKS, Decomposed, ForecastNet, naive_forecast

SMALL = {"patch": 4, "units": 8, "layers": 1, "heads": 2}


def awake(net):
    """A network none of whose last weights are zero."""
    torch.manual_seed(0)
    for m in net.modules():
        if isinstance(m, torch.nn.Linear) and not m.weight.any():
            torch.nn.init.normal_(m.weight, std=0.1)
    return net.double().eval()


@pytest.mark.parametrize("season", [1, 3, 4])
def test_naive_rules_by_a_loop(season):
    past = torch.randn(2, 11, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = {kind: naive_forecast(past, 7, kind, season) for kind in NAIVES}
    whole = past.shape[1] // season
    for n in range(2):
        for k in range(3):
            x = past[n, :, k].numpy()
            rows = [
                x[len(x) - (i + 1) * season : len(x) - i * season] for i in range(whole)
            ]  # the latest first
            for h in range(7):
                shape = np.mean([row[h % season] - row.mean() for row in rows])
                right = (x.mean(), x[-1], rows[0][h % season], rows[0].mean() + shape)
                assert [float(found[kind][n, h, k]) for kind in NAIVES] == pytest.approx(right, abs=1e-12)


def test_decomposition_is_a_moving_mean_and_the_rest():
    net = awake(Decomposed(30, 1, 4))
    x = torch.randn(2, 30, 1, dtype=torch.float64)
    around = np.pad(x[..., 0].numpy(), ((0, 0), (12, 12)), mode="edge")
    trend = np.stack([around[:, i : i + 25].mean(1) for i in range(30)], 1)
    right = (
        trend @ net.trend.weight.detach().numpy().T
        + (x[..., 0].numpy() - trend) @ net.rest.weight.detach().numpy().T
    )
    assert np.allclose(net(x).detach().numpy(), right, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_untrained_it_tells_the_naive_forecast(network):
    net = ForecastNet(network, 9, 5, targets=2, outputs=3, naive="season", season=4, **SMALL).double().eval()
    x = torch.randn(4, 9, 2, dtype=torch.float64)
    assert torch.allclose(
        net(x), naive_forecast(x, 5, "season", 4)[..., None].expand(-1, -1, -1, 3), atol=1e-12
    )


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("mixed", [False, True])
def test_level_and_unit_of_a_window_go_through(network, mixed):
    net = awake(ForecastNet(network, 9, 5, targets=2, outputs=2, mixed=mixed, **SMALL))
    x = 100 * torch.randn(4, 9, 2, dtype=torch.float64)
    other = torch.tensor([3.0, 0.5]) * x + torch.tensor([-70.0, 40.0])
    right = torch.tensor([3.0, 0.5])[:, None] * net(x) + torch.tensor([-70.0, 40.0])[:, None]
    assert torch.allclose(net(other), right, rtol=1e-4)


@pytest.mark.parametrize("network", NETWORKS)
def test_targets_are_independent_unless_mixed(network):
    x = torch.randn(4, 9, 2, dtype=torch.float64)
    changed = x.clone()
    changed[..., 1] = torch.randn(4, 9)
    alone, mixed = (awake(ForecastNet(network, 9, 5, targets=2, mixed=m, **SMALL)) for m in (False, True))
    assert torch.equal(alone(x)[:, :, 0], alone(changed)[:, :, 0])
    assert torch.allclose(alone(x)[:, :, 1], alone(x.flip(2))[:, :, 0], atol=1e-12)
    assert not torch.allclose(mixed(x)[:, :, 0], mixed(changed)[:, :, 0])


@pytest.mark.parametrize("network", NETWORKS)
def test_the_future_of_targets_and_of_lagged_covariates_is_not_seen(network):
    net = awake(ForecastNet(network, 9, 5, targets=2, known=1, lagged=1, **SMALL))
    x = torch.randn(4, 14, 4, dtype=torch.float64, requires_grad=True)
    net(x).square().sum().backward()
    assert not x.grad[:, 9:, [0, 1, 3]].any()
    assert x.grad[:, 9:, 2].all()
    assert (x.grad[:, :9].abs().sum((0, 1)) > 0).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ParameterError, match="network"):
        ForecastNet("dlinear", 9, 5)
    with pytest.raises(ParameterError, match="naive"):
        ForecastNet("linear", 9, 5, naive="none")
    with pytest.raises(ParameterError, match="season must be at most lookback=9, got 12"):
        ForecastNet("linear", 9, 5, naive="season", season=12)
