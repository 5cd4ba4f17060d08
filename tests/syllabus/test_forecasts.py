"""Series forecast from their past."""

import numpy as np
import pandas as pd
import pytest

from ganglion import Forecaster


def test_forecasts_do_not_see_what_comes_after_their_origin():
    """Other values behind an origin change nothing that is forecast from it."""
    wave = np.sin(np.arange(150) * 2 * np.pi / 12)
    other = wave.copy()
    other[100:] += 5
    model = Forecaster(network="linear", horizon=6, max_epochs=3, random_state=0).fit(wave[:100])
    found = [model.backtest(one, start=100, refit=0).forecasts["Forecaster"][0] for one in (wave, other)]
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_time_series_forecasting(measuring):
    """Better than the last season again (MASE) on passengers and on sunspots, from origins that roll on."""
    for name, season in (("airline-passengers.csv", 12), ("monthly-sunspots.csv", 132)):
        values = pd.read_csv(measuring("small_series", name)).iloc[:, 1].to_numpy(float)
        tried = Forecaster(network="linear", horizon=12, season=season, random_state=0).backtest(
            values, stride=3
        )
        own, naive = (tried.scores[who]["mase"] for who in ("Forecaster", "seasonal naive"))
        assert own < 1
        assert own < naive


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_stock_price_prediction():
    """Of a hundred random walks at most ten in which the network is said to beat the last value, by p below 0.05."""
    gains = 0
    for seed in range(100):
        prices = 5 + np.cumsum(np.random.default_rng(seed).normal(0, 0.02, 400))
        model = Forecaster(network="linear", horizon=5, lookback=20, max_epochs=5, random_state=0)
        tried = model.fit(prices[:300]).backtest(prices, start=300, stride=5, refit=0)
        assert "last value" in tried.scores
        assert tried.verdict in str(tried)
        found = tried.against_last["Forecaster"]
        assert ("Forecaster" in tried.beats_last_value) == (found.statistic < 0 and found.p_value < 0.05)
        gains += "Forecaster" in tried.beats_last_value
    assert gains <= 10, gains
