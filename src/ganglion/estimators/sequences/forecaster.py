"""A forecaster: learns from a series what comes next, with intervals, and is tried out at many origins."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.grid import Frequency, moments
from ganglion.data.histories import History
from ganglion.data.windows import whole_windows, window_starts
from ganglion.estimators.sequences.forecast_reading import Array, ForecastReading
from ganglion.estimators.sequences.forecast_training import Windows
from ganglion.estimators.sequences.windowed import forecasts, rolled, spread_out
from ganglion.evaluate.backtest import Backtest, judged
from ganglion.evaluate.forecasts import forecast_baselines
from ganglion.models.forecast import window_scale
from ganglion.train.plan import numpy_on_one_thread

ANSWER_WINDOWS = 256  # that are forecast together


class Forecaster(ForecastReading):
    """Forecasts a series, or many, with intervals: a linear network, LSTM, TCN or patch transformer.

    ``y_(T+1) ... y_(T+H) = naive + network(y_(T-L+1) ... y_T)`` in each window's own scale, see
    ``models.forecast``. The latest ``validation_fraction`` of the times chooses the epoch, the network and the width of
    intervals. Learned:
    ``network_``, ``lookback_``, ``season_``, ``start_``, and ``candidates_`` with each network's squared error on
    validation in units of the series' spread.

    >>> wave = np.sin(np.arange(200) * 2 * np.pi / 12)
    >>> model = Forecaster(network="linear", horizon=6, max_epochs=5).fit(wave)
    >>> model.season_, bool(abs(model.predict() - np.sin(np.arange(200, 206) * 2 * np.pi / 12)).max() < 0.1)
    (12, True)
    """

    max_epochs, lr, patience, validation_fraction = 30, 2e-3, 5, 0.2
    preprocessor_ = None

    def _task(self) -> str:
        return "forecast"

    def _check(self) -> None:
        super()._check()
        if list(self.quantiles) != sorted(set(self.quantiles)):
            raise ParameterError(f"Forecaster: quantiles must rise, got {self.quantiles}; sort them.")

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> "Forecaster":
        """Learn from a series; the targets are in X, and y is not looked at.

        X is an array (T,), (T, k) of k targets or (n, T, k) of n series, a ``data.series.Series``, or a table or file
        with ``time``, ``targets`` and ``covariates``. NaN is not known: windows with any are left out. Raises
        ``DataError`` or ``ParameterError``.
        """
        self._check()
        if sample_weight is not None:
            raise DataError("windows are learned without weights, got sample_weight; leave it out.")
        again = self.warm_start and hasattr(self, "module_")
        history = self._read(X)
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            columns = self._columns(history, again)
            if not again:
                self._learn(history, columns)
            train, held = self._parts(columns)
            if not again:
                self.start_ = self._naive_start(train) if self.start == "auto" else self.start
            self._end(history, columns)
            self._learned_from(train, held, seed, again, self._facts(history))
        return self

    # --- answering ----------------------------------------------------------------------------------------

    def predict(self, X: Any = None, horizon: int | None = None, future: Any = None) -> Array:
        """Forecasts behind the end of the training series, or of the histories given.

        Arguments:
            X: as of ``fit``, at least ``lookback_`` times; nothing goes on from the training series.
            horizon: times, ``self.horizon`` where nothing. More are forecast from what was forecast.
            future: known covariates behind the end: (H, m), (n, H, m), or a table with their columns.

        Returns (H,), (H, k) or (n, H, k) as the histories are (T,), (T, k) or (n, T, k). Raises ``DataError`` and
        ``ParameterError``.
        """
        told, axes = self._forecast(X, horizon, future)
        return shaped(told[..., 0], axes)

    def predict_quantiles(self, X: Any = None, horizon: int | None = None, future: Any = None) -> Array:
        """Quantiles of the levels ``quantiles``, as ``predict`` with an axis (Q,) more; they never cross.

        Raises ``ParameterError`` without levels, and for more times than ``self.horizon``, for which none are learned.
        """
        check_is_fitted(self, ["module_"])
        if not len(self.quantiles) or (horizon or 0) > self.horizon:
            raise ParameterError(
                f"quantiles are learned for levels {self.quantiles} and {self.horizon} times, got horizon={horizon}; "
                "fit with others."
            )
        told, axes = self._forecast(X, horizon, future)
        return shaped(told[..., 1:], axes)

    def times_ahead(self, horizon: int | None = None) -> NDArray[Any]:
        """The times (H,) that ``predict()`` forecasts; raises ``DataError`` where the series had none."""
        check_is_fitted(self, ["module_"])
        if self.last_time_ is None or self.frequency_ is None:
            raise DataError("times ahead need a series with times, got an array; give a table with time=.")
        return self._following(self._moment(self.last_time_), horizon or self.horizon)

    def _moment(self, last: int) -> Any:
        return np.int64(last) if self.frequency_[0] == "number" else np.datetime64(last, "ns")

    def _following(self, last: Any, steps: int) -> NDArray[Any]:
        return moments(last, Frequency(*self.frequency_), steps + 1)[1:]

    def _forecast(self, X: Any, horizon: int | None, future: Any) -> tuple[Array, int]:
        """(n, H, k, 1 + Q) in the series' own units, and the axes of what was given."""
        check_is_fitted(self, ["module_"])
        steps = self.horizon if horizon is None else int(number("horizon", horizon, AtLeast(1), whole=True))
        if steps > self.module_.H and self.lagged_:
            raise ParameterError(
                f"covariates that are not known ahead allow {self.module_.H} times, got {steps}."
            )
        if X is None:
            past, axes, last = self.tail_, self.axes_, self.last_time_
            last = None if last is None else self._moment(last)
        else:
            history = self._read(X)
            past, axes = self._columns(history, True)[:, -self.lookback_ :], history.axes
            last, future = (
                None if history.times is None else history.times[-1],
                history.future if future is None else future,
            )
        if past.shape[1] < self.lookback_ or not np.isfinite(past).all():
            raise DataError(
                f"the last {self.lookback_} times are expected without gaps, got {past.shape[1]} with "
                f"{int(np.isnan(past).sum())} gaps; fill them or give a longer history."
            )
        known = self._ahead(future, last, len(past), steps)
        return self._told(past, known, steps), axes

    def _ahead(self, future: Any, last: Any, n: int, steps: int) -> Array:
        """(n, H, m) standardised: what is known ahead."""
        found = np.zeros((n, steps, 0))
        if self.given_:
            found = self._given_ahead(future, n, steps)
        elif future is not None and np.size(future):
            raise DataError("this forecaster learned without known covariates, got future; leave it out.")
        if self.calendar:
            turns = self._turns(self._following(last, steps), Frequency(*self.frequency_))
            found = np.concatenate([found, np.broadcast_to(turns, (n, *turns.shape))], 2)
        k, m = self.n_features_in_, self.known_
        return (found - self.column_mean_[k : k + m]) / self.column_scale_[k : k + m]

    def _given_ahead(self, future: Any, n: int, steps: int) -> Array:
        names = [self.covariates] if isinstance(self.covariates, str) else list(self.covariates)
        try:
            if hasattr(future, "columns") or isinstance(future, dict):
                future = np.column_stack([np.asarray(future[name], np.float64) for name in names])
            found = np.asarray(future, np.float64)
        except (TypeError, ValueError, KeyError):
            found = np.zeros(0)
        found = np.broadcast_to(found, (n, *found.shape)) if found.ndim == 2 else found
        if found.ndim != 3 or len(found) != n or found.shape[1] < steps or found.shape[2] != self.given_:
            raise DataError(
                f"future is expected to hold the {self.given_} known covariates {names} of the {steps} times ahead, "
                f"got {'nothing' if future is None else found.shape}; give an array (H, m) or a table."
            )
        if not np.isfinite(found[:, :steps]).all():
            raise DataError("finite numbers are expected in future, got NaN or infinity; mend them.")
        return found[:, :steps]

    @torch.inference_mode()
    def _told(self, past: Array, known: Array, steps: int) -> Array:
        """(n, H, k, 1 + Q) from histories (n, L, c), some at a time."""
        x, ahead = self._standardised(past), torch.as_tensor(known, dtype=torch.float32)
        found = []
        for rows in torch.arange(len(x)).split(ANSWER_WINDOWS):
            told = rolled(self.module_, x[rows], ahead[rows], steps)
            spread = window_scale(x[rows][..., : self.n_features_in_])[1]
            found.append(self._in_units(told.double().numpy(), spread.double().numpy()))
        return np.concatenate(found)

    def _in_units(self, told: Array, spread: Array) -> Array:
        """The forecast, and with their widths and in order the quantiles, in the series' own units."""
        k, steps = self.n_features_in_, told.shape[1]
        point, levels = told[..., :1], len(self.quantiles)
        if steps <= self.horizon:
            ends = told[..., 1:] if told.shape[-1] > 1 else np.repeat(point, levels, -1)
            shift = self.shift_[:steps] if len(self.shift_) > 1 else self.shift_
            ends = np.sort(ends + shift[:, None] * spread[..., None], axis=-1)
            told = np.concatenate([point, ends], -1)
        return told * self.column_scale_[:k, None] + self.column_mean_[:k, None]

    def score(self, X: Any, y: Any = None) -> float:
        """``1 - MSE / MSE of the naive forecast`` over all windows of a series; there is no y.

        Naive is the last season again, or the last value where there is no season. 0 is as good as that, 1 is perfect.
        """
        check_is_fitted(self, ["module_"])
        columns = self._columns(self._read(X), True)
        n, T = columns.shape[:2]
        starts = (torch.arange(n)[:, None] * T + window_starts(T, self.lookback_, self.horizon)).flatten()
        laid = self._standardised(columns.reshape(n * T, -1))
        part = Windows(laid, spread_out(whole_windows(laid, starts, self.lookback_ + self.horizon)), n)
        if not len(part.starts):
            raise DataError("windows without gaps are expected, got none; fill gaps or give more.")
        return self._errors(part)["score"]

    def go_on_from(self, X: Any) -> "Forecaster":
        """Take the end of X, as of ``fit``, as where ``predict()`` goes on; nothing is learned. Raises ``DataError``.

        >>> model = Forecaster(network="linear", horizon=2, lookback=4, max_epochs=2).fit(np.arange(40.0))
        >>> bool(model.go_on_from(np.arange(90.0)).predict()[0] > 60)
        True
        """
        check_is_fitted(self, ["module_"])
        history = self._read(X)
        self._end(history, self._columns(history, True))
        return self

    # --- trying out ---------------------------------------------------------------------------------------

    def backtest(self, X: Any, *, start: float = 0.7, stride: int = 1, refit: int | None = None) -> Backtest:
        """Forecast a series from many origins, each time from what was known then, beside naive rules.

        A copy of this estimator learns from the first ``start`` times; so does the linear regression beside it.

        Arguments:
            X: one series, as of ``fit``.
            start: times that are learned from at first, or a share of them below 1.
            stride: times between origins.
            refit: origins after which all learn again, from the beginning to there; nothing never does, and 0 takes
                this fitted estimator as it is, which must not have seen the times behind ``start``.

        Raises ``DataError`` and ``ParameterError``.
        """
        self._check()
        history = self._read(X)
        T, H = history.values.shape[1], self.horizon
        number("backtest's stride", stride, AtLeast(1), whole=True)
        begin = (
            round(start * T)
            if 0 < start < 1
            else int(number("backtest's start", start, AtLeast(1), whole=True))
        )
        if len(history.values) > 1 or begin + H > T:
            raise DataError(
                f"one series of at least {begin + H} times is expected, got {len(history.values)} of {T}; give one, or "
                "a smaller start."
            )
        origins = np.arange(begin, T - H + 1, stride)
        size = len(origins) if not refit else int(number("backtest's refit", refit, AtLeast(1), whole=True))
        if refit == 0:
            check_is_fitted(self, ["module_"])
        found = [
            (self if refit == 0 else clone(self).fit(history.until(int(part[0]))))._tried(history, part)
            for part in (origins[i : i + size] for i in range(0, len(origins), size))
        ]
        whole = [np.concatenate([one[i] for one in found]) for i in (0, 1, 3)]
        names = [name for name in found[0][2] if all(name in one[2] for one in found)]
        told = {name: np.concatenate([one[2][name] for one in found]) for name in names}
        levels = tuple(map(float, self.quantiles))
        season = clone(self)._season(history.until(begin)) if self.season == "auto" else int(self.season)
        return judged(
            told, whole[1], whole[0], history.values[0, :begin], season=season, stride=stride,
            quantiles=whole[2], levels=levels,
        )  # fmt: skip

    def _tried(self, history: History, origins: NDArray[np.int64]) -> tuple[Any, ...]:
        """Origins whose windows are whole, the truth, forecasts by name, and quantiles."""
        L, H, k = self.lookback_, self.horizon, self.n_features_in_
        laid = self._standardised(self._columns(history, True)[0])
        starts = whole_windows(laid, torch.as_tensor(origins - L), L + H)
        if not len(starts):
            raise DataError("windows without gaps are expected at the origins, got none; fill gaps.")
        told, _, spread = forecasts(self.module_, laid, starts, H)
        mine = self._in_units(told.double().numpy(), spread.double().numpy())
        train = whole_windows(laid, window_starts(int(origins[0]), L, H), L + H)
        values, mean, scale = history.values[0], self.column_mean_[:k], self.column_scale_[:k]
        beside = forecast_baselines((values - mean) / scale, train, starts, L, H, self.season_)
        said = {name: one.prediction * scale + mean for name, one in beside.items()}
        said = {type(self).__name__: mine[..., 0]} | said
        ahead = starts.numpy()[:, None] + L + np.arange(H)
        return starts.numpy() + L, values[ahead], said, mine[..., 1:]

    def _blank(self) -> History:
        """A history of zeros."""
        n, m = self.n_features_in_, self.given_ or self.lagged_
        L, H = self.lookback_, self.horizon
        times = freq = None
        if self.frequency_ is not None:
            freq = Frequency(*self.frequency_)
            times = moments(self._moment(0), freq, L)
        values, given = np.zeros((1, L, n)), np.zeros((1, L, m))
        return History(values, given, 3, times, freq, future=np.zeros((1, H, self.given_)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = False
        return tags


def shaped(told: Array, axes: int) -> Array:
    """(n, H, k, ...) as the histories were: (H, ...) of (T,), (H, k, ...) of (T, k).

    >>> shaped(np.zeros((1, 5, 1)), 1).shape
    (5,)
    """
    if axes == 3:
        return told
    return told[0] if axes == 2 else told[0, :, 0]
