"""Backtests: the scores are those of the metrics, and luck is not taken for skill."""

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.evaluate.backtest import judged
from ganglion.metrics.forecast import diebold_mariano, mase


@pytest.fixture
def said():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 4, 2)) * [1, 100]
    forecasts = {"mine": truth + rng.normal(size=truth.shape) * [0.5, 50], "last value": truth[::-1]}
    return forecasts, truth, rng.normal(size=(90, 2)) * [1, 100]


def test_scores_and_comparisons_are_the_metrics(said):
    forecasts, truth, history = said
    found = judged(forecasts, truth, np.arange(60), history, season=3, stride=2)
    gap = {name: (one - truth) / history.std(0) for name, one in forecasts.items()}
    assert found.scores["mine"]["mse"] == pytest.approx((gap["mine"] ** 2).mean())
    right = np.mean([mase(truth[..., j], forecasts["mine"][..., j], history[:, j], 3) for j in (0, 1)])
    assert found.scores["mine"]["mase"] == pytest.approx(right)
    losses = [np.sqrt((gap[name] ** 2).mean((1, 2))) for name in forecasts]
    assert found.comparisons["last value"] == diebold_mariano(*losses, horizon=2)
    assert found.beats_last_value == ["mine"]
    assert "mine" in found.verdict
    assert str(found).count("\n") >= 5


def test_quantiles_are_scored(said):
    forecasts, truth, history = said
    ends = np.stack([truth - 1, truth, truth + 1], -1)
    ends[:30, ..., 0] = ends[:30, ..., 1] = truth[:30] + 0.5
    found = judged(forecasts, truth, np.arange(60), history, quantiles=ends, levels=(0.1, 0.5, 0.9))
    assert found.scores["mine"]["coverage"] == 0.5
    assert "coverage" not in found.scores["last value"]


def test_nothing_beats_luck():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(60):
        walk = np.cumsum(rng.normal(size=400))
        last = np.stack([walk[i : i + 5].repeat(1) * 0 + walk[i - 1] for i in range(100, 395)])[..., None]
        truth = np.stack([walk[i : i + 5] for i in range(100, 395)])[..., None]
        drift = last + rng.normal(0, 0.01) * np.arange(1, 6)[:, None]
        found = judged({"drift": drift, "last value": last}, truth, np.arange(100, 395), walk[:100, None])
        wrong += bool(found.beats_last_value)
    assert wrong <= 8  # by one side of 5 %, 1.5 are expected; overlapping windows make it more


def test_too_few_origins_conclude_nothing(said):
    forecasts, truth, history = said
    few = {name: one[:3] for name, one in forecasts.items()}
    assert "nothing can be concluded" in judged(few, truth[:3], np.arange(3), history).verdict


def test_shapes_that_do_not_fit_are_refused(said):
    forecasts, truth, history = said
    with pytest.raises(DataError, match="one shape"):
        judged(forecasts, truth[:, :2], np.arange(60), history)
