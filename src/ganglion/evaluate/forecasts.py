"""What a forecaster must beat: the last value, the last season, the line through both ends, and a linear model.

Shapes: n windows, L times that are seen, H that are forecast, k columns.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import Above, AtLeast
from ganglion.base.numbers import number
from ganglion.data.windows import whole_windows

Array = NDArray[np.float64]
RIDGE = 0.01
AT_ONCE = 2**22  # numbers of windows that are laid out together


@dataclass
class ForecastBaseline:
    """One baseline: what it forecast for the windows that judge, and how good that was."""

    name: str
    scores: dict[str, float]
    """``mse`` and ``mae`` over all windows, times and columns, in the units of the values."""
    seconds: float
    prediction: NDArray[np.float32] = field(repr=False)
    """(n, H, k)."""


def last_value(past: ArrayLike, H: int) -> Array:
    """The last value again and again, (n, L, k) -> (n, H, k): the best that can be done about a random walk.

    >>> last_value([[[1.0], [3.0]]], 2).ravel().tolist()
    [3.0, 3.0]
    """
    return np.repeat(_windows(past, H)[:, -1:], H, axis=1)


def seasonal_naive(past: ArrayLike, H: int, season: int) -> Array:
    """The last season again and again, ``y_(L + h) = y_(L - m + h mod m)``, h from 0: (n, L, k) -> (n, H, k).

    Raises ``DataError`` where the season m is longer than L.

    >>> seasonal_naive([[[1.0], [2.0], [3.0]]], 3, season=2).ravel().tolist()
    [2.0, 3.0, 2.0]
    """
    past = _windows(past, H)
    number("seasonal_naive's season", season, AtLeast(1), whole=True)
    if season > past.shape[1]:
        raise DataError(
            f"windows of at least one season of {season} times are expected, got {past.shape[1]}; take a longer "
            "lookback."
        )
    return past[:, past.shape[1] - season + np.arange(H) % season]


def drift(past: ArrayLike, H: int) -> Array:
    """The line through the first and the last value, ``y_L + h (y_L - y_1) / (L - 1)``: (n, L, k) -> (n, H, k).

    Hyndman and Athanasopoulos 2021, Forecasting: Principles and Practice, section 5.2. One time alone has no slope.

    >>> drift([[[1.0], [2.0], [5.0]]], 2).ravel().tolist()
    [7.0, 9.0]
    """
    past = _windows(past, H)
    slope = (past[:, -1:] - past[:, :1]) / max(past.shape[1] - 1, 1)
    return past[:, -1:] + slope * np.arange(1, H + 1)[:, None]


@dataclass
class LinearForecaster:
    """One linear map from what is seen of a column to what follows, the same for all columns.

    Columns are scaled by ``mean`` and ``std``; of each window its own mean m is taken away before and added after:
    ``y_h = m + b_h + sum_t W_(t,h) (x_t - m)``.
    """

    weights: Array
    """(L, H)."""
    bias: Array
    """(H,)."""
    mean: Array
    """(k,) of the columns."""
    std: Array
    """(k,), 0 for a constant column, which gets no bias."""

    def predict(self, past: ArrayLike) -> Array:
        """(n, L, k) -> (n, H, k)."""
        L, H = self.weights.shape
        past = _windows(past, H)
        if past.shape[1:] != (L, len(self.mean)):
            raise DataError(
                f"windows (n, {L}, {len(self.mean)}) are expected, as in training, got {past.shape}."
            )
        spread = np.where(self.std > 0, self.std, 1.0)
        z = (past - self.mean) / spread
        level = z.mean(axis=1, keepdims=True)
        answer = np.einsum("nlk,lh->nhk", z - level, self.weights, optimize=True)
        return (answer + self.bias[:, None] * (self.std > 0) + level) * spread + self.mean


def fit_linear(values: ArrayLike, starts: Any, L: int, H: int, alpha: float = RIDGE) -> LinearForecaster:
    """The ridge regression of each time of the horizon on the whole lookback, by the normal equations.

    ``W = (X^T X + alpha l I)^-1 X^T Y`` over the windows of all columns, with l the mean of the diagonal of ``X^T X``;
    the bias is free. On the usual split of ETTh1 (L = 336, H = 96) the error is 0.370, where linear networks of several
    kinds reach 0.375 (Zeng et al. 2023, arXiv:2205.13504).

    Arguments:
        values: (T, k).
        starts: (n,) of the windows to learn from, as ``data.windows`` gives them.
        L: times that are seen.
        H: times that are forecast.
        alpha: penalty of the weights, in parts of the mean square of what is seen.

    Raises ``DataError`` for windows outside of the series or with gaps, ``ParameterError`` for the numbers.

    >>> line = np.arange(20.0)[:, None]
    >>> fit_linear(line, np.arange(10), 3, 2, alpha=1e-9).predict([[[1.0], [2.0], [3.0]]]).round(3).ravel().tolist()
    [4.0, 5.0]
    """
    series, starts = _checked(values, starts, L, H)
    number("fit_linear's alpha", alpha, Above(0))
    seen = series[starts.min() : starts.max() + L + H]
    mean, std = np.nanmean(seen, axis=0), np.nanstd(seen, axis=0)
    std = np.where(std > 1e-12 * np.abs(mean), std, 0.0).astype(np.float64)
    moving = (series - mean)[:, std > 0] / std[std > 0]
    gram, cross, x_sum, y_sum, n = np.zeros((L, L)), np.zeros((L, H)), np.zeros(L), np.zeros(H), 0
    for window in _laid_out(moving, starts, L + H):
        window -= window[:, :L].mean(axis=1, keepdims=True)
        x, y = window[:, :L], window[:, L:]
        gram += x.T @ x
        cross += x.T @ y
        x_sum, y_sum, n = x_sum + x.sum(axis=0), y_sum + y.sum(axis=0), n + len(x)
    n = max(n, 1)
    gram -= np.outer(x_sum, x_sum) / n
    cross -= np.outer(x_sum, y_sum) / n
    penalty = alpha * np.trace(gram) / L or 1.0
    weights: Array = np.asarray(np.linalg.solve(gram + penalty * np.eye(L), cross), np.float64)
    return LinearForecaster(weights, (y_sum - x_sum @ weights) / n, mean, std)


def forecast_baselines(
    values: ArrayLike, train: Any, judged: Any, L: int, H: int, season: int = 1, alpha: float = RIDGE
) -> dict[str, ForecastBaseline]:
    """Forecast the same windows with each baseline, and score them.

    ``last value``, ``seasonal naive`` (where ``1 < season <= L``), ``drift`` and ``linear``.

    Arguments:
        values: (T, k), in the units in which the errors shall be (scaled by the training part in the literature).
        train: (n,) starts of windows to learn from; only ``linear`` does.
        judged: (m,) starts of windows to forecast.
        L: times that are seen.
        H: times that are forecast.
        season: times until the series repeats itself, see ``data.grid.season_of``.
        alpha: of ``fit_linear``.

    Raises ``DataError`` for windows outside of the series or with gaps, ``ParameterError`` for the numbers.

    >>> wave = np.sin(np.arange(90) * 2 * np.pi / 9)[:, None]
    >>> found = forecast_baselines(wave, np.arange(40), np.arange(60, 70), 12, 6, season=9)
    >>> {name: round(one.scores["mse"], 2) for name, one in found.items()}
    {'last value': 1.33, 'seasonal naive': 0.0, 'drift': 1.78, 'linear': 0.0}
    """
    series, judged = _checked(values, judged, L, H)
    number("forecast_baselines' season", season, AtLeast(1), whole=True)
    start = time.perf_counter()
    linear = fit_linear(series, train, L, H, alpha)
    learning = time.perf_counter() - start
    ways: dict[str, Callable[[Array], Array]] = {"last value": lambda past: last_value(past, H)}
    if 1 < season <= L:
        ways["seasonal naive"] = lambda past: seasonal_naive(past, H, season)
    ways |= {"drift": lambda past: drift(past, H), "linear": linear.predict}
    found = {name: _scored(name, way, series, judged, L, H) for name, way in ways.items()}
    found["linear"].seconds += learning
    return found


def _scored(
    name: str, way: Callable[[Array], Array], series: Array, judged: NDArray[np.int64], L: int, H: int
) -> ForecastBaseline:
    """A baseline's forecasts of windows, some at a time."""
    start = time.perf_counter()
    k = series.shape[1]
    windows = sliding_window_view(series, L + H, axis=0)  # (T - L - H + 1, k, L + H)
    prediction = np.empty((len(judged), H, k), np.float32)
    square = absolute = 0.0
    size = max(1, AT_ONCE // ((L + H) * k))
    for at in range(0, len(judged), size):
        part = windows[judged[at : at + size]].swapaxes(1, 2)
        answer = way(part[:, :L])
        prediction[at : at + size] = answer
        gap = answer - part[:, L:]
        square, absolute = square + float(np.square(gap).sum()), absolute + float(np.abs(gap).sum())
    scores = {"mse": square / prediction.size, "mae": absolute / prediction.size}
    return ForecastBaseline(name, scores, time.perf_counter() - start, prediction)


def _windows(past: ArrayLike, H: int) -> Array:
    number("a forecast's H", H, AtLeast(1), whole=True)
    array = np.asarray(past, np.float64)
    if array.ndim != 3 or not array.shape[1]:
        raise DataError(
            f"windows (n, L, k) are expected, got {array.shape}; give past[None, :, None] for one series."
        )
    return array


def _checked(values: ArrayLike, starts: Any, L: int, H: int) -> tuple[Array, NDArray[np.int64]]:
    """Values (T, k) and starts (n,), all windows inside and without gaps."""
    for what, size in {"L": L, "H": H}.items():
        number(f"a forecast's {what}", size, AtLeast(1), whole=True)
    series = np.asarray(values, np.float64)
    series = series[:, None] if series.ndim == 1 else series
    places = torch.as_tensor(starts, device="cpu")
    if series.ndim != 2 or places.dim() != 1 or not len(places) or places.is_floating_point():
        raise DataError(
            f"values (T, k) and starts (n,) of windows are expected, got {series.shape} and {tuple(places.shape)} of "
            f"{places.dtype}; take them of data.windows."
        )
    there = torch.from_numpy(np.where(np.isfinite(series), series, np.nan))
    if (whole := len(whole_windows(there, places, L + H))) < len(places):
        raise DataError(
            f"windows without gaps are expected, but {len(places) - whole} of {len(places)} have some; take those of "
            "data.windows.whole_windows."
        )
    return series, places.numpy()


def _laid_out(series: Array, starts: NDArray[np.int64], length: int) -> Iterator[Array]:
    """Windows (b, length) of one column after another, some at a time."""
    size = max(1, AT_ONCE // length)
    for column in series.T:
        windows = sliding_window_view(column, length)
        for at in range(0, len(starts), size):
            yield windows[starts[at : at + size]]


def scaled(values: ArrayLike, end: int) -> Array:
    """Values (T, k) with mean 0 and spread 1 over the times before ``end``, as errors of forecasts are usually told.

    Raises ``ParameterError`` where no time is before it.

    >>> scaled([[1.0], [3.0], [5.0]], 2).ravel().tolist()
    [-1.0, 1.0, 3.0]
    """
    series = np.asarray(values, np.float64)
    if not 1 <= end <= len(series):
        raise ParameterError(f"end must be from 1 to {len(series)}, the number of times, got {end!r}.")
    std = np.nanstd(series[:end], axis=0)
    return (series - np.nanmean(series[:end], axis=0)) / np.where(std > 0, std, 1.0)
