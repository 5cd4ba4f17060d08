"""Scores as functions of row numbers, quick enough to be computed a thousand times for an interval."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from ganglion.metrics.classification import classification_scores
from ganglion.metrics.labels import label_codes, probability_matrix
from ganglion.metrics.regression import regression_scores

RowScore = Callable[[NDArray], float | None]


def score_of_rows(
    metric: str, y: NDArray, prediction: ArrayLike, classes: Sequence[Any] | None = None
) -> tuple[RowScore, bool]:
    """The score ``metric`` of any choice of rows, and whether it is a quick one.

    What scikit-learn computes in milliseconds of checks is one NumPy line here; a test holds both equal.
    Scores without a quick form go the long way.

    >>> score, quick = score_of_rows("mae", np.array([1.0, 2.0]), [1.0, 3.0])
    >>> float(score(np.array([1, 1]))), quick
    (1.0, True)
    """
    if classes is None:
        return _of_numbers(metric, y, np.asarray(prediction, dtype=np.float64))
    codes, matrix = label_codes(y, classes), probability_matrix(prediction, len(classes))
    return _of_classes(metric, codes, matrix)


def _of_numbers(metric: str, y: NDArray, guess: NDArray) -> tuple[RowScore, bool]:
    truth = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    guess = guess.reshape(len(guess), -1)
    miss = guess - truth
    if metric in ("mae", "bias"):
        size = (np.abs(miss) if metric == "mae" else miss).mean(axis=1)
        return lambda rows: size[rows].mean(), True
    if metric == "rmse":
        square = miss**2
        return lambda rows: np.sqrt(square[rows].mean(axis=0)).mean(), True
    if metric == "r2":
        square = miss**2

        def r2(rows: NDArray) -> float | None:
            spread = truth[rows].var(axis=0)
            return float((1 - square[rows].mean(axis=0) / spread).mean()) if spread.all() else None

        return r2, True
    return lambda rows: regression_scores(truth[rows], guess[rows]).get(metric), False


def _of_classes(metric: str, codes: NDArray, matrix: NDArray) -> tuple[RowScore, bool]:
    k = matrix.shape[1]
    right = matrix.argmax(axis=1) == codes
    known = bool((codes >= 0).all())
    if metric == "accuracy":
        return lambda rows: right[rows].mean(), True
    if metric == "balanced_accuracy" and known:
        return lambda rows: _mean_recall(codes[rows], right[rows], k), True
    if metric == "log_loss" and known and k > 1:
        surprise = -np.log(np.maximum(matrix[np.arange(len(codes)), codes], np.finfo(float).eps))
        return lambda rows: surprise[rows].mean(), True
    if metric == "auc" and known and k == 2:
        return lambda rows: _area(codes[rows] == 1, matrix[rows, 1]), True
    return lambda rows: classification_scores(codes[rows], matrix[rows], range(k)).get(metric), False


def _mean_recall(codes: NDArray, right: NDArray, k: int) -> float:
    rows = np.bincount(codes, minlength=k)
    hits = np.bincount(codes, weights=right, minlength=k)
    return float((hits[rows > 0] / rows[rows > 0]).mean())


def _area(positive: NDArray, probability: NDArray) -> float | None:
    """Area under the ROC curve as the rank sum of Mann and Whitney."""
    n = int(positive.sum())
    if n == 0 or n == len(positive):
        return None
    ranks = rankdata(probability)[positive].sum()
    return float((ranks - n * (n + 1) / 2) / (n * (len(positive) - n)))
