"""Forecasters: which windows choose, the same answers by hand, covariates, intervals, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm, t

from ganglion import Forecaster, load
from ganglion.base.errors import DataError, GanglionError, ParameterError
from ganglion.data.series import read_series
from ganglion.data.window_batches import WindowBatches
from ganglion.data.windows import gather
from ganglion.estimators.sequences.windowed import apart, from_few, lookback_of, parts, widths

T = 160
QUICK = {"network": "linear", "horizon": 5, "lookback": 12, "max_epochs": 6, "batch_size": 64, "watch": "off"}


def wave(T=T, noise=0.1, seed=0):
    return 5 + np.sin(np.arange(T) * 2 * np.pi / 12) + np.random.default_rng(seed).normal(0, noise, T)


@pytest.fixture(scope="module")
def model():
    return Forecaster(**QUICK).fit(wave())


# --- windows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "steps"), [(1, 5), (3, 5), (2, 1)])
def test_what_chooses_is_the_latest_part_and_never_trained_on(n, steps):
    T, L, H = 60, 8, 5
    times = torch.arange(n * T) % T
    train, valid = parts(torch.zeros(n * T, 1), n, L, H, steps, 0.25, 1)
    seen = {int(times[s + i]) for s in train for i in range(L + steps)}
    chosen = {int(times[s + L + i]) for s in valid for i in range(H)}
    assert seen == set(range(45))
    assert chosen == set(range(45, 60))
    for starts, length in ((train, L + steps), (valid, L + H)):
        assert (starts // T == (starts + length - 1) // T).all()  # inside one series


def test_gaps_leave_windows_out_and_short_series_have_no_choice():
    columns = torch.zeros(60, 1)
    columns[20] = torch.nan
    train, _ = parts(columns, 1, 8, 5, 5, 0.25, 1)
    assert not any(s <= 20 < s + 13 for s in train.tolist())
    train, valid = parts(torch.zeros(16, 1), 1, 8, 5, 5, 0.25, 1)
    assert (len(train), len(valid)) == (4, 0)
    with pytest.raises(DataError, match="needs 13 times, got 12"):
        parts(torch.zeros(12, 1), 1, 8, 5, 5, 0.25, 1)


def test_batches_hold_each_window_once_and_no_future():
    values = torch.randn(40, 3)
    starts = torch.arange(25)
    batches = WindowBatches(values, starts, 6, 4, 2, True, 8)
    found = list(batches.epoch(0, 0))
    x, y = (torch.cat([b[name] for b in found]) for name in ("x", "y"))
    past, future = gather(values, starts, 6, 4)
    order = [int((past == row[:6]).all((1, 2)).nonzero()) for row in x]
    assert sorted(order) == list(range(25))
    assert torch.equal(y, future[order][..., :2])
    assert torch.equal(x[:, 6:, 2], future[order][..., 2])
    assert not x[:, 6:, :2].any()


@pytest.mark.parametrize("T", [3, 20, 100, 11520])
def test_lookback_always_leaves_a_window(T):
    for H, season in ((1, 1), (1, 12), (T // 3, 24)):
        L = lookback_of("auto", T, max(H, 1), season)
        assert 1 <= L <= T - max(H, 1)


# --- answers ------------------------------------------------------------------------------------------------


def test_a_wave_is_continued(model):
    right = wave(T + 5, noise=0)[T:]
    assert model.season_ == 12
    assert np.abs(model.predict() - right).max() < 0.3
    assert model.score(wave(seed=3)) > 0.05  # against the last season again
    assert (np.diff(model.predict_quantiles(), axis=1) >= 0).all()


def test_the_end_of_training_is_a_history_like_others(model):
    X = wave()
    assert (model.predict() == model.predict(X)).all()
    assert (model.predict() == model.predict(X[-12:])).all()
    many = np.stack([X[i : i + 30] for i in range(8)])[..., None]
    assert np.allclose(model.predict(many)[3, :, 0], model.predict(X[3:33]), atol=1e-5)
    assert model.predict(X[:, None]).shape == (5, 1)
    assert model.predict_quantiles(many).shape == (8, 5, 1, 3)
    assert (model.predict(horizon=3) == model.predict()[:3]).all()


def test_further_times_go_on_from_those_before(model):
    X = wave()
    first = model.predict(X)
    assert np.allclose(model.predict(X, horizon=10)[5:], model.predict(np.append(X, first)), atol=1e-4)
    with pytest.raises(ParameterError, match="5 times, got horizon=6"):
        model.predict_quantiles(X, horizon=6)


def test_recursive_forecasts_are_one_step_again_and_again():
    X = wave()
    model = Forecaster(**{**QUICK, "strategy": "recursive"}).fit(X)
    rest = X.copy()
    for value in model.predict():
        step = model.predict(rest, horizon=1)[0]
        assert value == pytest.approx(step, abs=1e-4)
        rest = np.append(rest, step)
    assert model.module_.H == 1
    assert model.shift_.shape == (5, 3)
    assert (np.diff(model.predict_quantiles(), axis=1) >= 0).all()


@pytest.mark.parametrize("network", ["linear", "lstm", "tcn", "transformer"])
def test_units_and_levels_do_not_matter(network):
    settings = {**QUICK, "network": network, "max_epochs": 1, "units": 8, "layers": 1}
    X = np.stack([wave(), wave(seed=1) ** 2], 1)
    one = Forecaster(**settings).fit(X)
    other = Forecaster(**settings).fit(X * [1e6, 1e-6] + [1e9, 5])
    assert np.allclose(one.predict() * [1e6, 1e-6] + [1e9, 5], other.predict(), rtol=1e-4)


def test_auto_keeps_the_network_that_is_best_on_validation():
    settings = {**QUICK, "units": 8, "layers": 1, "max_epochs": 2}
    model = Forecaster(**{**settings, "network": "auto"}).fit(wave())
    assert set(model.candidates_) == {"linear", "lstm", "tcn", "transformer"}
    assert model.network_ == min(model.candidates_, key=model.candidates_.get)
    alone = Forecaster(**{**settings, "network": model.network_}).fit(wave())
    assert (alone.predict() == model.predict()).all()
    assert model.record_.scores["validation"]["mse"] == pytest.approx(model.candidates_[model.network_])
    assert Forecaster(**{**settings, "network": "auto"}).fit(wave(18)).candidates_ == {}


# --- covariates and tables ----------------------------------------------------------------------------------


def table(T=T):
    """A load that follows a promotion at once, and another yesterday."""
    rng = np.random.default_rng(0)
    promo, rain = rng.integers(2, size=(2, T)).astype(float)
    load = wave(T, 0.05) + 3 * promo + 2 * np.roll(rain, 1)
    days = pd.date_range("2024-01-01", periods=T, freq="D")
    return pd.DataFrame({"day": days, "load": load, "promo": promo, "rain": rain})


def test_known_covariates_help_and_are_asked_for(tmp_path):
    settings = {
        **QUICK,
        "horizon": 1,
        "max_epochs": 20,
        "batch_size": 32,
        "lr": 0.02,
        "time": "day",
        "targets": "load",
    }
    frame = table()
    model = Forecaster(**settings, covariates=("promo",)).fit(frame)
    low, high = (model.predict(future=[[value]])[0, 0] for value in (0.0, 1.0))
    assert high - low == pytest.approx(3, abs=0.7)
    assert model.predict(future=pd.DataFrame({"promo": [1.0]}))[0, 0] == high
    back = load(model.save(tmp_path / "m.ganglion"))
    assert back.predict(frame, future=[[1.0]])[0, 0] == high
    with pytest.raises(DataError, match="1 known covariates"):
        model.predict()
    with pytest.raises(DataError, match="finite"):
        model.predict(future=[[np.nan]])
    alone = Forecaster(**settings, covariates=()).fit(frame[["day", "load"]])
    assert model.record_.scores["validation"]["mse"] < 0.8 * alone.record_.scores["validation"]["mse"]


def test_lagged_covariates_help_and_are_not_asked_for():
    settings = {
        **QUICK,
        "horizon": 1,
        "max_epochs": 25,
        "lr": 0.01,
        "time": "day",
        "targets": "load",
        "known": False,
    }
    frame = table()
    model = Forecaster(**settings, covariates=("rain",)).fit(frame)
    other = frame.copy()
    other.loc[T - 1, "rain"] = 1 - other.loc[T - 1, "rain"]
    assert abs(model.predict(frame)[0, 0] - model.predict(other)[0, 0]) > 1
    with pytest.raises(ParameterError, match="allow 1 times, got 2"):
        model.predict(horizon=2)


def test_times_and_the_calendar(tmp_path):
    frame = table()[["day", "load"]]
    model = Forecaster(**QUICK, time="day", calendar=True).fit(frame)
    assert model.known_ == 4
    assert str(model.times_ahead()[0])[:10] == "2024-06-09"
    assert model.predict().shape == (5, 1)
    assert (model.predict() == model.predict(frame.sample(frac=1, random_state=0))).all()  # sorted by time
    assert (model.predict() == model.predict(read_series(frame, "day"))).all()
    assert (load(model.save(tmp_path / "m.ganglion")).predict() == model.predict()).all()
    with pytest.raises(DataError, match="calendar"):
        Forecaster(**QUICK, calendar=True).fit(wave())


# --- intervals and backtests --------------------------------------------------------------------------------


def test_widths_cover_what_was_kept_aside():
    rng = np.random.default_rng(0)
    y = torch.tensor(rng.normal(size=(500, 4, 2)))
    told = torch.zeros(500, 4, 2, 4)
    told[..., 1], told[..., 3] = -0.2, 0.2  # much too narrow
    shift = widths(told, y, torch.full((500, 1, 2), 0.5), (0.1, 0.5, 0.9), by_step=False, n=500)
    low, high = -0.2 + 0.5 * shift[0, 0], 0.2 + 0.5 * shift[0, 2]
    assert float(((low <= y) & (y <= high)).double().mean()) == pytest.approx(0.8, abs=1e-3)
    assert shift[0, 1] == 0
    by_step = widths(
        told, y * torch.tensor([1.0, 2, 3, 4])[:, None], torch.ones(500, 1, 2), (0.9,), by_step=True, n=500
    )
    assert by_step[:, 0] == pytest.approx(1.28 * np.arange(1, 5), rel=0.1)


def test_windows_that_overlap_are_worth_fewer_and_widen_intervals():
    """Ten windows worth five errors: new errors are covered more often than by the plain level."""
    rng, covered = np.random.default_rng(0), {5: [], 10**6: []}
    told, spread = torch.zeros(10, 4, 1, 4), torch.ones(10, 1, 1)
    for _ in range(400):
        errors = torch.tensor(rng.normal(size=5)).repeat_interleave(2)[:, None, None].expand(-1, 4, -1)
        for n, found in covered.items():
            high = widths(told, errors, spread, (0.1, 0.5, 0.9), False, n)[0, 2]
            found.append(2 * norm.cdf(high) - 1)
    plain, widened = np.mean(covered[10**6]), np.mean(covered[5])
    assert plain + 0.02 < 0.8 < widened < 0.8 + 0.04
    assert apart(torch.tensor([40, 1, 5, 6, 9, 0]), 5) == 3
    assert [apart(torch.arange(s, s + 24), 12) for s in (0, 7)] == [2, 2]
    assert from_few(0.1, 2) == pytest.approx(norm.cdf(t.ppf(0.1, 2)))
    assert from_few(0.1, 10**6) == pytest.approx(0.1, abs=1e-5)


def test_a_backtest_forecasts_from_what_was_known_then():
    X = wave()
    model = Forecaster(**QUICK)
    found = model.backtest(X, start=120, stride=3)
    assert found.origins.tolist() == list(range(120, 156, 3))
    alone = Forecaster(**QUICK).fit(X[:120])
    assert np.allclose(found.forecasts["Forecaster"][2, :, 0], alone.predict(X[:126]), atol=1e-4)
    assert np.allclose(found.quantiles[2, :, 0], alone.predict_quantiles(X[:126]), atol=1e-4)
    assert (found.truth[2, :, 0] == X[126:131]).all()
    assert set(found.forecasts) == {"Forecaster", "last value", "seasonal naive", "drift", "linear"}
    assert "Forecaster" in found.beats_last_value
    changed = X.copy()
    changed[140:] += 50
    assert np.allclose(
        model.backtest(changed, start=120, stride=3).forecasts["Forecaster"][:6],
        found.forecasts["Forecaster"][:6],
    )
    again = model.backtest(X, start=120, stride=3, refit=6)
    assert np.allclose(again.forecasts["Forecaster"][:6], found.forecasts["Forecaster"][:6])
    assert not np.allclose(again.forecasts["Forecaster"][6:], found.forecasts["Forecaster"][6:])


def test_nothing_beats_the_last_value_of_a_random_walk():
    walk = np.cumsum(np.random.default_rng(0).normal(size=400))
    found = Forecaster(**{**QUICK, "max_epochs": 6}).backtest(walk, start=200)
    assert found.beats_last_value == []
    assert found.verdict.startswith("Nothing beats the last value")
    assert found.scores["Forecaster"]["mse"] < 1.5 * found.scores["last value"]["mse"]


# --- refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X",
    [
        [], np.zeros((5, 0)), "no such file.csv", ["a", "b"], np.full(50, np.inf), [1, 2], np.zeros((1, 2, 3, 4)), None,
        3.0, np.full(50, np.nan), pd.DataFrame({"day": pd.date_range("2024", periods=50)}), {"a": [1, 2]},
        np.zeros(50, complex), np.where(np.arange(50) % 5, 1.0, np.nan), [[1], [2, 3]], np.full(50, 1e200),
    ],
    ids=range(16),
)  # fmt: skip
def test_what_is_no_series_is_refused_in_one_sentence(X):
    with pytest.raises(GanglionError) as error:
        Forecaster(**QUICK).fit(X)
    assert "\n" not in str(error.value)


def test_settings_that_do_not_fit_are_refused():
    for settings, word in (
        ({"quantiles": (0.9, 0.1)}, "rise"), ({"quantiles": (0.5, 1.0)}, "quantiles"), ({"horizon": 0}, "horizon"),
        ({"start": "season", "season": 30}, "season"),
    ):  # fmt: skip
        with pytest.raises(ParameterError, match=word):
            Forecaster(**{**QUICK, **settings}).fit(wave())
    with pytest.raises(DataError, match="sample_weight"):
        Forecaster(**QUICK).fit(wave(), sample_weight=np.ones(T))


def test_histories_that_do_not_fit_are_refused(model):
    for X in (wave(11), np.append(wave(20), np.nan), np.zeros((20, 2)), np.zeros((2, 5, 1))):
        with pytest.raises(DataError):
            model.predict(X)
    with pytest.raises(DataError, match="leave it out"):
        model.predict(future=[[1.0]])
    with pytest.raises(DataError, match="times ahead"):
        model.times_ahead()
    with pytest.raises(ParameterError, match="horizon"):
        model.predict(horizon=0)


def test_flat_series_and_series_that_end_in_a_gap():
    model = Forecaster(**QUICK).fit(np.full(60, 7.0))
    assert model.predict() == pytest.approx(np.full(5, 7.0), abs=1e-3)
    X = wave()
    X[-1] = np.nan
    model = Forecaster(**QUICK).fit(X)
    assert model.predict(X[:-1]).shape == (5,)
    with pytest.raises(DataError, match="without gaps"):
        model.predict()


def test_a_further_fit_goes_on_and_wants_the_same_columns():
    model = Forecaster(**QUICK, warm_start=True).fit(wave())
    before = model.predict()
    assert (model.fit(wave()).predict() != before).any()
    with pytest.raises(DataError, match="as in training"):
        model.fit(np.zeros((T, 2)))
