"""A network and its baselines on the same rows: scores, intervals, and whether it is really better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from ganglion.metrics.classification import classification_scores
from ganglion.metrics.intervals import Interval, difference_interval, with_interval
from ganglion.metrics.regression import regression_scores

LOWER_IS_BETTER = frozenset({"log_loss", "brier", "ece", "rmse", "mae", "median_error", "loss"})


@dataclass
class Compared:
    """One model's scores beside the first model's."""

    name: str
    scores: dict[str, float]
    interval: Interval | None
    """Of the main score; ``None`` where it cannot be computed on these rows."""
    behind: Interval | None
    """First model minus this one in the main score, turned so that above 0 the first is better; ``None`` for
    the first itself. An interval without 0 is a real difference."""


def compare_scores(
    y: ArrayLike,
    predictions: Mapping[str, ArrayLike],
    metric: str,
    classes: Sequence[Any] | None = None,
    *,
    random_state: int = 0,
) -> list[Compared]:
    """Score several models on the same rows; the first is the one that the others are measured against.

    Arguments: ``y`` ``(n,)`` or ``(n, outputs)``; ``predictions`` name -> probabilities ``(n, k)`` where
    ``classes`` are given, else numbers like ``y``; ``metric`` the main score.

    >>> y = [0, 1, 1, 0] * 20
    >>> rows = compare_scores(y, {"network": y, "dummy": [0.4] * 80}, "accuracy", [0, 1])
    >>> rows[1].scores["accuracy"], rows[1].behind.low > 0
    (0.5, True)
    """
    first = next(iter(predictions.values()))
    rows = []
    for place, (name, prediction) in enumerate(predictions.items()):
        scores = (
            regression_scores(y, prediction)
            if classes is None
            else classification_scores(y, prediction, classes)
        )
        interval = behind = None
        if metric in scores:
            interval = with_interval(metric, y, prediction, classes, random_state=random_state)
            if place:
                behind = difference_interval(metric, y, first, prediction, classes, random_state=random_state)
                behind = _turned(behind) if metric in LOWER_IS_BETTER else behind
        rows.append(Compared(name, scores, interval, behind))
    return rows


def _turned(interval: Interval) -> Interval:
    return interval._replace(value=-interval.value, low=-interval.high, high=-interval.low)
