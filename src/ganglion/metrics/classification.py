"""Scores for classes, with what cannot be computed left out instead of warned about."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    recall_score,
    roc_auc_score,
)

from ganglion.base.errors import DataError
from ganglion.metrics.calibration import expected_calibration_error
from ganglion.metrics.labels import label_codes, probability_matrix


def classification_scores(
    y: ArrayLike, proba: ArrayLike, classes: Sequence[Any], sample_weight: ArrayLike | None = None
) -> dict[str, float]:
    """Every usual score of a classifier at once; a score that has no meaning here is absent.

    * ``accuracy``, ``balanced_accuracy`` (mean recall of the classes present), ``f1`` (macro);
    * ``log_loss`` (nats per row), ``brier`` (squared distance; halved for two classes, as usual),
      ``ece`` (expected calibration error of the predicted class);
    * ``auc``: area under the ROC curve; for more classes the mean over "this class against the rest".

    One class in ``y`` has no ``auc``. Labels outside ``classes`` count as mistakes, and the scores that need
    a probability for them are absent.

    Arguments: ``y`` labels ``(n,)``; ``proba`` ``(n, k)``, or ``(n,)`` of the second of two classes;
    ``classes`` the ``k`` labels in the order of the columns; ``sample_weight`` ``(n,)``.
    Raises ``DataError`` where shapes do not fit.

    >>> scores = classification_scores(["a", "b", "b"], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], ["a", "b"])
    >>> round(scores["accuracy"], 3), scores["balanced_accuracy"], scores["auc"]
    (0.667, 0.75, 1.0)
    """
    codes, matrix = _checked(y, proba, classes)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    guess = matrix.argmax(axis=1)
    scores = {
        "accuracy": accuracy_score(codes, guess, sample_weight=weight),
        "balanced_accuracy": recall_score(
            codes,
            guess,
            labels=np.unique(codes),
            average="macro",
            sample_weight=weight,
            zero_division=0,
        ),
        "f1": f1_score(codes, guess, average="macro", sample_weight=weight, zero_division=0),
    }
    if (codes >= 0).all():
        scores |= _probability_scores(codes, matrix, weight)
    return {name: float(value) for name, value in scores.items() if np.isfinite(value)}


def confusion_table(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[Any], sample_weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Rows (or their weight) counted by true class (down) and predicted class (across), ``(k, k)``.

    Rows whose label is not in ``classes`` are left out.

    >>> confusion_table(["a", "b", "b"], ["a", "b", "a"], ["a", "b"]).tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    codes, guess = label_codes(y, classes), label_codes(predicted, classes)
    known = (codes >= 0) & (guess >= 0)
    k = len(classes)
    if not known.any():
        return np.zeros((k, k))
    weight = None if sample_weight is None else np.asarray(sample_weight)[known]
    table = confusion_matrix(codes[known], guess[known], labels=range(k), sample_weight=weight)
    return table.astype(np.float64)


def class_table(y: ArrayLike, predicted: ArrayLike, classes: Sequence[Any]) -> list[dict[str, Any]]:
    """A row per class: ``label``, ``rows``, ``predicted`` (times said), ``precision``, ``recall``, ``f1``.

    A class that is never predicted has no precision and one that never occurs no recall: ``None``.

    >>> class_table(["a", "b", "b"], ["a", "b", "a"], ["a", "b"])[1]["recall"]
    0.5
    """
    codes, guess = label_codes(y, classes), label_codes(predicted, classes)
    labels = np.arange(len(classes))
    precision, recall, f1, rows = precision_recall_fscore_support(
        codes, guess, labels=labels, zero_division=np.nan
    )
    said = np.bincount(guess[guess >= 0], minlength=len(classes))
    return [
        {
            "label": classes[i],
            "rows": int(rows[i]),
            "predicted": int(said[i]),
            "precision": _or_none(precision[i]),
            "recall": _or_none(recall[i]),
            "f1": _or_none(f1[i]),
        }
        for i in labels
    ]


def _checked(y: ArrayLike, proba: ArrayLike, classes: Sequence[Any]) -> tuple[NDArray, NDArray]:
    codes, matrix = label_codes(y, classes), probability_matrix(proba, len(classes))
    if len(codes) != len(matrix):
        raise DataError(f"{len(codes)} labels but {len(matrix)} rows of probabilities: give one per row.")
    if len(codes) == 0:
        raise DataError("there is no row to score: give at least one.")
    return codes, matrix


def _probability_scores(codes: NDArray, matrix: NDArray, weight: NDArray | None) -> dict[str, float]:
    k = matrix.shape[1]
    truth = np.eye(k)[codes]
    distance = ((matrix - truth) ** 2).sum(axis=1) * (0.5 if k == 2 else 1.0)
    scores = {
        "brier": np.average(distance, weights=weight),
        "ece": expected_calibration_error(codes, matrix, sample_weight=weight),
    }
    if k > 1:
        scores["log_loss"] = log_loss(codes, matrix, labels=range(k), sample_weight=weight)
    # One class against the rest needs rows on both sides.
    sides = [c for c in ([1] if k == 2 else range(k)) if 0 < truth[:, c].sum() < len(codes)]
    if sides:
        areas = [roc_auc_score(truth[:, c], matrix[:, c], sample_weight=weight) for c in sides]
        scores["auc"] = np.mean(areas)
    return scores


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
