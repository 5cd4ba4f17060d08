"""How sure a score is: an interval beside the number."""

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError
from ganglion.metrics.labels import label_codes, probability_matrix
from ganglion.metrics.resampled import score_of_rows

ROWS_RESAMPLED = 4_000_000
"""Rows drawn over all resamples: many resamples of small parts, at least 100 of large ones."""


class Interval(NamedTuple):
    """A score with the range that holds its true value with the probability ``level``."""

    value: float
    low: float
    high: float
    level: float = 0.95
    method: str = "bootstrap"


def wilson_interval(right: float, n: int, level: float = 0.95) -> Interval:
    r"""The interval of a share: ``right`` of ``n`` rows (Wilson 1927); it stays inside [0, 1].

    :math:`\frac{p + z^2/2n \pm z\sqrt{p(1-p)/n + z^2/4n^2}}{1 + z^2/n}`

    >>> interval = wilson_interval(8, 10)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.49, 0.943)
    """
    if not 0 <= right <= n or n < 1:
        raise DataError(f"a share needs 0 <= right <= n and n >= 1, got {right} of {n}.")
    z, share = NormalDist().inv_cdf(0.5 + level / 2), right / n
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)
    return Interval(share, float(min(low, share)), float(max(high, share)), level, "wilson")


def bootstrap_interval(
    statistic: Callable[[NDArray], float | None],
    n: int,
    *,
    level: float = 0.95,
    resamples: int = 1000,
    random_state: int = 0,
) -> Interval:
    """The percentile bootstrap (Efron 1979) of anything that can be computed from row numbers.

    Arguments: ``statistic`` takes row numbers ``(n,)`` and gives a number, or ``None`` where it has no
    meaning for these rows; ``n`` rows; ``resamples`` at most (fewer where ``n`` is large).

    >>> x = np.arange(100.0)
    >>> interval = bootstrap_interval(lambda rows: x[rows].mean(), 100)
    >>> interval.value, 42 < interval.low < 46, 53 < interval.high < 57
    (49.5, True, True)
    """
    value = statistic(np.arange(n))
    if value is None:
        raise DataError("the score cannot be computed on these rows, so it has no interval.")
    rng = np.random.default_rng(random_state)
    times = int(np.clip(ROWS_RESAMPLED // max(n, 1), min(100, resamples), resamples))
    draws = (statistic(rng.integers(0, n, n)) for _ in range(times))
    values = [draw for draw in draws if draw is not None]
    if not values:
        return Interval(float(value), float(value), float(value), level)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high), level)


def with_interval(
    metric: str,
    y: ArrayLike,
    prediction: ArrayLike,
    classes: Sequence[Any] | None = None,
    *,
    level: float = 0.95,
    random_state: int = 0,
) -> Interval:
    """One score with its interval: Wilson for ``accuracy``, the seeded bootstrap for every other score.

    Arguments: ``metric`` a key of ``classification_scores`` or ``regression_scores``; ``y`` ``(n,)`` (or
    ``(n, outputs)``); ``prediction`` probabilities ``(n, k)`` where ``classes`` are given, else numbers.
    Raises ``DataError`` where the score cannot be computed.

    >>> with_interval("accuracy", [0, 1, 1], [0.1, 0.9, 0.2], [0, 1]).method
    'wilson'
    """
    truth = np.asarray(y)
    if metric == "accuracy" and classes is not None:
        guess = probability_matrix(prediction, len(classes)).argmax(axis=1)
        return wilson_interval(int((guess == label_codes(truth, classes)).sum()), len(truth), level)
    score, quick = score_of_rows(metric, truth, prediction, classes)
    times = 1000 if quick else 200
    return bootstrap_interval(score, len(truth), level=level, resamples=times, random_state=random_state)


def difference_interval(
    metric: str,
    y: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    classes: Sequence[Any] | None = None,
    *,
    level: float = 0.95,
    random_state: int = 0,
) -> Interval:
    """Score of ``first`` minus score of ``second`` on the same rows, resampled together.

    Two intervals may overlap although one model is clearly better, because both are wrong on the same rows;
    this interval is the one to look at: without 0 in it the difference is real.

    >>> y = np.arange(50.0)
    >>> difference_interval("mae", y, y + 1, y + 2).high < 0
    True
    """
    truth = np.asarray(y)
    one, quick = score_of_rows(metric, truth, first, classes)
    two, _ = score_of_rows(metric, truth, second, classes)

    def difference(rows: NDArray) -> float | None:
        a, b = one(rows), two(rows)
        return None if a is None or b is None else a - b

    times = 1000 if quick else 200
    return bootstrap_interval(difference, len(truth), level=level, resamples=times, random_state=random_state)
