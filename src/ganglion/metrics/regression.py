"""Scores for numbers, one output or several."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    mean_absolute_error,
    median_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from ganglion.base.errors import DataError


def regression_scores(
    y: ArrayLike, predicted: ArrayLike, sample_weight: ArrayLike | None = None
) -> dict[str, float]:
    """Every usual score of a regression at once; several outputs are averaged with equal weight.

    ``rmse``, ``mae`` and ``median_error`` (typical errors in the target's own unit), ``bias`` (mean of
    predicted minus true) and ``r2`` (share of the variance explained; absent where the target does not vary).

    Arguments: ``y`` and ``predicted`` ``(n,)`` or ``(n, outputs)``; ``sample_weight`` ``(n,)``.
    Raises ``DataError`` where shapes differ or a value is not finite.

    >>> scores = regression_scores([0.0, 2.0], [1.0, 2.0])
    >>> scores["mae"], scores["r2"]
    (0.5, 0.5)
    """
    truth, guess = _checked(y, predicted)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    scores = {
        "rmse": root_mean_squared_error(truth, guess, sample_weight=weight),
        "mae": mean_absolute_error(truth, guess, sample_weight=weight),
        "median_error": median_absolute_error(truth, guess, sample_weight=weight),
        "bias": np.average(guess - truth, axis=0, weights=weight).mean(),
    }
    if len(truth) > 1 and np.ptp(truth, axis=0).all():
        scores["r2"] = r2_score(truth, guess, sample_weight=weight)
    return {name: float(value) for name, value in scores.items() if np.isfinite(value)}


def output_table(
    y: ArrayLike, predicted: ArrayLike, names: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """A row per output with its ``output`` name, mean ``target`` and the scores of that output alone.

    >>> rows = output_table([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.0], [2.0, 5.0]], ["length", "width"])
    >>> [(row["output"], row["mae"]) for row in rows]
    [('length', 0.0), ('width', 1.0)]
    """
    truth, guess = _checked(y, predicted)
    names = names or [f"output {i + 1}" for i in range(truth.shape[1])]
    return [
        {"output": name, "target": float(truth[:, i].mean()), **regression_scores(truth[:, i], guess[:, i])}
        for i, name in enumerate(names)
    ]


def _checked(y: ArrayLike, predicted: ArrayLike) -> tuple[NDArray, NDArray]:
    truth, guess = np.asarray(y, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    truth = truth.reshape(len(truth), -1)
    guess = guess.reshape(len(guess), -1)
    if truth.shape != guess.shape:
        raise DataError(
            f"target and prediction must have one shape, got {truth.shape} and {guess.shape}: "
            "give a prediction for every row and output."
        )
    if len(truth) == 0:
        raise DataError("there is no row to score: give at least one.")
    if not (np.isfinite(truth).all() and np.isfinite(guess).all()):
        raise DataError("target and prediction must be finite: leave out rows without a target.")
    return truth, guess
