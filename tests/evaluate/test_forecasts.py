"""Baselines of forecasting by hand, against scikit-learn's ridge, and on ETTh1 beside the literature."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.series import read_series
from ganglion.data.windows import split_starts, window_starts
from ganglion.evaluate.forecasts import (
    drift,
    fit_linear,
    forecast_baselines,
    last_value,
    scaled,
    seasonal_naive,
)

DATA = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_by_hand():
    past = np.array([[[1.0, 10], [2, 20], [4, 10]], [[0, 0], [5, 5], [6, 7]]])
    assert last_value(past, 2).tolist() == [[[4, 10], [4, 10]], [[6, 7], [6, 7]]]
    assert seasonal_naive(past, 3, 2).tolist() == [[[2, 20], [4, 10], [2, 20]], [[5, 5], [6, 7], [5, 5]]]
    assert drift(past, 2).tolist() == [[[5.5, 10], [7, 10]], [[9, 10.5], [12, 14]]]
    assert (drift(past[:, :1], 2) == last_value(past[:, :1], 2)).all()


@pytest.mark.parametrize(("L", "H", "season"), [(5, 7, 1), (5, 7, 3), (5, 2, 5)])
def test_the_season_by_its_definition(L, H, season, rng):
    past = rng.normal(size=(4, L, 2))
    found = seasonal_naive(past, H, season)
    for h in range(H):
        source = L + h
        while source >= L:
            source -= season
        assert (found[:, h] == past[:, source]).all()


def test_the_linear_model_is_scikit_learns_ridge(rng):
    values = rng.normal(size=(120, 2)) * [1, 50] + [3, -100] + np.sin(np.arange(120))[:, None]
    L, H, alpha = 6, 3, 0.05
    starts = rng.permutation(np.arange(0, 100, 3))
    model = fit_linear(values, starts, L, H, alpha)
    seen = values[starts.min() : starts.max() + L + H]
    z = (values - seen.mean(0)) / seen.std(0)
    windows = np.stack([z[s : s + L + H, c] for c in (0, 1) for s in starts])
    windows -= windows[:, :L].mean(1, keepdims=True)
    x, y = windows[:, :L], windows[:, L:]
    penalty = alpha * np.trace((x - x.mean(0)).T @ (x - x.mean(0))) / L
    ridge = Ridge(penalty).fit(x, y)
    np.testing.assert_allclose(model.weights, ridge.coef_.T, atol=1e-9)
    np.testing.assert_allclose(model.bias, ridge.intercept_, atol=1e-9)
    past = np.stack([values[s : s + L] for s in range(9)])
    for c in (0, 1):
        own = (past[:, :, c] - seen.mean(0)[c]) / seen.std(0)[c]
        level = own.mean(1, keepdims=True)
        expected = (ridge.predict(own - level) + level) * seen.std(0)[c] + seen.mean(0)[c]
        np.testing.assert_allclose(model.predict(past)[:, :, c], expected, atol=1e-8)


def test_a_linear_recurrence_is_found(rng):
    values = np.zeros((300, 1))
    values[:2] = rng.normal(size=(2, 1))
    for t in range(2, 300):
        values[t] = 1.9 * values[t - 1] - 0.999 * values[t - 2]
    found = forecast_baselines(values, np.arange(200), np.arange(220, 280), 8, 5, season=19, alpha=1e-10)
    assert list(found) == ["last value", "drift", "linear"]  # a season does not fit into 8
    assert found["linear"].scores["mse"] < 1e-6 * found["last value"].scores["mse"]


def test_scores_and_predictions_are_of_the_judged_windows(rng):
    values = rng.normal(size=(60, 2))
    judged = np.array([30, 41, 33])
    found = forecast_baselines(values, np.arange(20), judged, 7, 4, season=3)
    for one in found.values():
        assert one.prediction.shape == (3, 4, 2)
        gap = one.prediction - np.stack([values[s + 7 : s + 11] for s in judged])
        assert one.scores == {"mse": pytest.approx((gap**2).mean()), "mae": pytest.approx(np.abs(gap).mean())}
    assert (found["last value"].prediction[1, 2] == values[47].astype(np.float32)).all()
    later = values.copy()
    later[27:] = 0  # what the linear model may not have seen
    again = fit_linear(later, np.arange(17), 7, 4)
    np.testing.assert_array_equal(fit_linear(values, np.arange(17), 7, 4).weights, again.weights)


def test_many_windows_are_laid_out_in_parts(rng, monkeypatch):
    values = rng.normal(size=(80, 3))
    whole = fit_linear(values, window_starts(80, 5, 2), 5, 2)
    monkeypatch.setattr("ganglion.evaluate.forecasts.AT_ONCE", 70)
    parts = fit_linear(values, window_starts(80, 5, 2), 5, 2)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-12)
    found = forecast_baselines(values, window_starts(80, 5, 2), np.arange(0, 70, 7), 5, 2)["linear"]
    expected = whole.predict(np.stack([values[s : s + 5] for s in range(0, 70, 7)]))
    np.testing.assert_allclose(found.prediction, expected, rtol=1e-5)


def test_constant_and_huge_columns():
    values = np.column_stack([np.full(50, 7.0), 1e12 + np.arange(50.0)])
    found = forecast_baselines(values, np.arange(20), np.arange(25, 40), 5, 3)
    assert (found["linear"].prediction[..., 0] == 7).all()
    assert np.isfinite(found["linear"].scores["mse"])
    constant = forecast_baselines(np.ones(40), np.arange(10), np.arange(20, 30), 5, 3)
    assert {name: one.scores["mse"] for name, one in constant.items()} == {
        "last value": 0,
        "drift": 0,
        "linear": 0,
    }


def test_gaps_elsewhere_do_not_matter(rng):
    values = rng.normal(size=(60, 1))
    values[25] = np.nan
    assert np.isfinite(fit_linear(values, [0, 1, 2, 30, 31], 5, 2).weights).all()
    with pytest.raises(DataError, match="1 of 2 have some"):
        fit_linear(values, [0, 20], 5, 2)
    with pytest.raises(DataError, match="1 of 1 have some"):
        forecast_baselines(values, [0], [20], 5, 2)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: last_value([1.0, 2.0], 2), DataError, r"windows \(n, L, k\)"),
        (lambda: last_value(np.zeros((1, 0, 1)), 2), DataError, r"windows \(n, L, k\)"),
        (lambda: drift(np.zeros((1, 2, 1)), 0), ParameterError, "forecast's H"),
        (lambda: seasonal_naive(np.zeros((1, 2, 1)), 2, 3), DataError, "longer lookback"),
        (lambda: seasonal_naive(np.zeros((1, 2, 1)), 2, 0), ParameterError, "season"),
        (lambda: fit_linear(np.zeros(9), [], 2, 2), DataError, r"starts \(n,\)"),
        (lambda: fit_linear(np.zeros(9), [0.5], 2, 2), DataError, "float32"),
        (lambda: fit_linear(np.zeros(9), [6], 2, 2), DataError, "starts from 0 to 5"),
        (lambda: fit_linear(np.zeros(9), [0], 2, 2, alpha=0), ParameterError, "alpha"),
        (lambda: fit_linear(np.zeros(9), [0], 2, 2).predict(np.zeros((1, 3, 1))), DataError, r"\(n, 2, 1\)"),
        (lambda: scaled(np.zeros((3, 1)), 0), ParameterError, "from 1 to 3"),
        (lambda: scaled(np.zeros((3, 1)), 4), ParameterError, "from 1 to 3"),
    ],
)
def test_what_does_not_fit(call, kind, words):
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.slow
def test_etth1_as_in_the_literature():
    """Horizon 96 after 336 hours, all 7 columns: DLinear has 0.375 (Zeng et al. 2023); the closed form 0.370."""
    path = DATA / "ett" / "ETTh1.csv.gz"
    if not path.exists():
        pytest.skip(f"{path.name} is not here: set GANGLION_DATA to the folder of the measuring data")
    values = scaled(read_series(path).values, 8640)
    split = split_starts(len(values), 336, 96, (8640, 11520, 14400))
    found = forecast_baselines(values, split.train, split.test, 336, 96, season=24)
    mse = {name: one.scores["mse"] for name, one in found.items()}
    assert mse["linear"] == pytest.approx(0.370, abs=0.001)
    assert found["linear"].scores["mae"] == pytest.approx(0.3915, abs=0.001)
    assert mse["seasonal naive"] == pytest.approx(0.512, abs=0.002)
    assert mse["last value"] == pytest.approx(1.294, abs=0.003)
