"""How good forecasts are: scaled errors, quantiles, intervals, and whether one forecaster beats another."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr
from sklearn.metrics import mean_absolute_error, mean_squared_error

from ganglion.base.errors import DataError
from ganglion.base.fields import Above, AtLeast
from ganglion.base.numbers import number


class Comparison(NamedTuple):
    """A test of equal accuracy: below 0 the first forecaster is the better one."""

    statistic: float
    p_value: float


def forecast_scores(
    y: ArrayLike, predicted: ArrayLike, history: ArrayLike | None = None, season: int = 1
) -> dict[str, float]:
    """``mae``, ``mse``, ``smape`` and, with the ``history`` before the forecasts, ``mase``; see the functions.

    Arguments as ``mase``'s. Raises ``DataError`` as these do, except that ``mase`` is absent where it has no meaning.

    >>> forecast_scores([3.0, 5.0], [3.0, 3.0], [1.0, 2.0, 4.0])
    {'mae': 1.0, 'mse': 2.0, 'smape': 0.25, 'mase': 0.6666666666666666}
    """
    true, said = _pair(y, predicted)
    scores = {
        "mae": float(mean_absolute_error(true.ravel(), said.ravel())),
        "mse": float(mean_squared_error(true.ravel(), said.ravel())),
        "smape": smape(true, said),
    }
    if history is not None:
        scale = _naive_error(history, season)
        scores |= {"mase": scores["mae"] / scale} if scale else {}
    return scores


def mase(y: ArrayLike, predicted: ArrayLike, history: ArrayLike, season: int = 1) -> float:
    """The mean absolute scaled error: that of the forecasts per that of repeating the last season on the history.

    ``mean |y_t - f_t| / mean_{t > m} |h_t - h_(t-m)|`` with season m (Hyndman and Koehler 2006). Below 1 the forecasts
    are closer than the naive one is a step ahead, whatever the unit.

    Arguments:
        y: the values, of any shape, of one series.
        predicted: their forecasts, of the same shape.
        history: (t,) the values that came before all of ``y``.
        season: m, steps after which the series repeats itself; 1 repeats the last value.

    Raises ``DataError`` where shapes differ or values are not finite, for a history of m values or fewer, and for
    one that the naive forecast meets exactly; ``ParameterError`` for a season below 1.

    >>> mase([4.0, 6.0], [5.0, 5.0], [1.0, 3.0, 2.0, 4.0])
    0.6
    """
    true, said = _pair(y, predicted)
    scale = _naive_error(history, season)
    if not scale:
        raise DataError(
            f"a history that changes from one season of {season} to the next is expected, got one that does not, so "
            "there is nothing to scale by; use the absolute error."
        )
    return float(np.abs(true - said).mean() / scale)


def smape(y: ArrayLike, predicted: ArrayLike) -> float:
    """The symmetric mean absolute percentage error as a share from 0 to 2: ``mean 2 |y - f| / (|y| + |f|)``.

    As the M competitions have it, there times 100 (Makridakis et al. 2020); where both are 0 the error is 0. It
    punishes forecasts that are too low more, and says little for values near 0.

    Arguments: ``y`` and ``predicted`` of one shape. Raises ``DataError`` where shapes differ or values are not finite.

    >>> smape([1.0, 0.0, 2.0], [3.0, 0.0, 2.0])
    0.3333333333333333
    """
    true, said = _pair(y, predicted)
    size = np.abs(true) + np.abs(said)
    return float((2 * np.abs(true - said) / np.where(size, size, 1.0)).mean())


def pinball_loss(y: ArrayLike, quantiles: ArrayLike, levels: ArrayLike) -> NDArray[np.float64]:
    """The pinball loss of forecast quantiles, one number per level: ``mean max(q (y - f), (q - 1) (y - f))``.

    Its expectation is least at the quantile of level q (Koenker and Bassett 1978); at 0.5 it is half the absolute
    error. Of a single level it is scikit-learn's ``mean_pinball_loss``.

    Arguments:
        y: (n,) the values.
        quantiles: (n, k) their forecasts.
        levels: (k,) the levels, between 0 and 1.

    Raises ``DataError`` where shapes do not fit, values are not finite or a level is not between 0 and 1.

    >>> pinball_loss([1.0, 2.0], [[0.0, 2.0], [0.0, 2.0]], [0.1, 0.9]).round(3).tolist()
    [0.15, 0.05]
    """
    true, said, q = (_numbers(part) for part in (y, quantiles, levels))
    if true.ndim != 1 or said.shape != (len(true), q.size) or q.ndim != 1:
        raise DataError(
            f"values (n,), quantiles (n, k) and levels (k,) are expected, got {true.shape}, {said.shape} and "
            f"{q.shape}; give a column per level."
        )
    if not ((q > 0) & (q < 1)).all():
        raise DataError(
            f"levels between 0 and 1 are expected, got {q.tolist()}; 0.9 is the quantile 90 % lie below."
        )
    above = true[:, None] - said
    losses: NDArray[np.float64] = np.maximum(q * above, (q - 1) * above).mean(0)
    return losses


def interval_coverage(y: ArrayLike, low: ArrayLike, high: ArrayLike) -> float:
    """The share of values that lie in their forecast interval, its ends included.

    Arguments: ``y``, ``low`` and ``high`` of one shape; ends may be infinite. Raises ``DataError`` where shapes differ,
    for NaN, and for an interval whose low end is above the high one.

    >>> interval_coverage([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 5.0, 5.0])
    0.5
    """
    true, below, above = _numbers(y), _numbers(low, ends=True), _numbers(high, ends=True)
    if not true.shape == below.shape == above.shape:
        raise DataError(
            f"a low and a high end for each value are expected, got {below.shape} and {above.shape} for {true.shape}; "
            "give one shape."
        )
    if (below > above).any():
        raise DataError(
            f"low ends at most as large as the high ones are expected, but {int((below > above).sum())} are larger; "
            "exchange them."
        )
    return float(((below <= true) & (true <= above)).mean())


def diebold_mariano(
    errors: ArrayLike, other_errors: ArrayLike, *, horizon: int = 1, power: float = 2.0
) -> Comparison:
    """Whether one forecaster's errors are smaller than another's, by the Diebold-Mariano test with its correction.

    Of ``d_t = |e_t|^power - |e'_t|^power`` the statistic is ``mean d / sqrt(v / n)`` with
    ``v = c_0 + 2 sum_{0 < k < h} c_k`` of the autocovariances ``c_k = sum_t (d_t - mean d) (d_(t-k) - mean d) / n``
    (Diebold and Mariano 1995), times ``sqrt((n + 1 - 2 h + h (h - 1) / n) / n)``; p is two-sided by the t distribution
    of n - 1 degrees (Harvey, Leybourne and Newbold 1997). Where v is not above 0, which can happen for h > 1, the c_k
    are weighted by ``1 - k / h`` (Newey and West 1987). Errors of the same sizes everywhere differ by 0 with p = 1.

    Arguments:
        errors: (n,) of the first forecaster, in the order of time.
        other_errors: (n,) of the second on the same values.
        horizon: h, steps ahead that both forecast, below n; errors of h steps are correlated over h - 1.
        power: 2 compares squared errors, 1 absolute ones.

    Raises ``DataError`` where shapes differ, values are not finite, n is not above 1 and ``horizon``, or the losses
    differ by one constant; ``ParameterError`` for a horizon below 1 or a power that is not above 0.

    >>> found = diebold_mariano([1.0, -1.0, 2.0, 0.5], [2.0, 1.0, 2.5, -2.0])
    >>> round(found.statistic, 3), round(found.p_value, 3)
    (-2.777, 0.069)
    """
    h = number("the Diebold-Mariano test's horizon", horizon, AtLeast(1), whole=True)
    number("the Diebold-Mariano test's power", power, Above(0))
    one, other = _pair(errors, other_errors)
    n = one.size
    if one.ndim != 1 or n <= max(h, 1):
        raise DataError(
            f"more errors (n,) than the horizon {h}, and at least 2, are expected, got shape {one.shape}; give those "
            "of all forecasts."
        )
    one, other = np.abs(one), np.abs(other)
    unit = max(one.max(), other.max()) or 1.0  # the statistic has none, and large errors would overflow
    d = (one / unit) ** power - (other / unit) ** power
    if not d.any():
        return Comparison(0.0, 1.0)
    rest = d - d.mean()
    if np.ptp(d) <= 1e-12 * np.abs(d).max():
        raise DataError(
            "losses whose difference changes are expected, got one constant difference, which no test can judge; "
            "give forecasts of more values."
        )
    c = np.array([rest[k:] @ rest[: n - k] for k in range(h)]) / n
    v = c[0] + 2 * c[1:].sum()
    if v <= 0:
        v = c[0] + 2 * (c[1:] * (1 - np.arange(1, h) / h)).sum()
    correction = (n + 1 - 2 * h + h * (h - 1) / n) / n
    statistic = float(d.mean() / math.sqrt(v / n) * math.sqrt(correction))
    return Comparison(statistic, float(2 * stdtr(n - 1, -abs(statistic))))


def _naive_error(history: ArrayLike, season: int) -> float:
    """The mean absolute error of repeating what was ``season`` steps before."""
    number("a season", season, AtLeast(1), whole=True)
    past = _numbers(history)
    if past.ndim != 1 or len(past) <= season:
        raise DataError(
            f"a history (t,) of more values than the season {season} is expected, got shape {past.shape}; "
            "give more of it."
        )
    return float(np.abs(past[season:] - past[:-season]).mean())


def _pair(y: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    true, said = _numbers(y), _numbers(predicted)
    if true.shape != said.shape:
        raise DataError(
            f"two arrays of one shape are expected, got {true.shape} and {said.shape}; give a number for every value."
        )
    return true, said


def _numbers(values: Any, *, ends: bool = False) -> NDArray[np.float64]:
    """At least one number, all finite; with ``ends`` infinite ones too."""
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"an array of numbers is expected, got {type(values).__name__} ({error}).") from None
    if not found.size:
        raise DataError("there is no value to score; give at least one.")
    if np.isnan(found).any() or not (ends or np.isfinite(found).all()):
        raise DataError("finite numbers are expected, got NaN or infinity; leave out what is not known.")
    return found
