"""The rows that the model gets most wrong: the quickest way to see bad labels and missing columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ganglion.base.errors import DataError
from ganglion.evaluate.columns import Columns
from ganglion.metrics.labels import label_codes, probability_matrix


@dataclass
class Mistake:
    """One row that was predicted wrongly."""

    row: int
    """Its number in the part that was looked at, from 0."""
    true: Any
    predicted: Any
    confidence: float | None
    """Probability given to the wrong class; ``None`` for numbers."""
    error: float
    """How wrong: the confidence, or the distance in units of the target."""
    values: dict[str, Any] = field(default_factory=dict)
    """The row's cells by column name, where a table was given."""


def worst_mistakes(
    y: ArrayLike,
    prediction: ArrayLike,
    *,
    classes: Sequence[Any] | None = None,
    table: Any = None,
    n: int = 10,
) -> list[Mistake]:
    """The most confident wrong classes, or the largest errors of numbers, worst first.

    Arguments: ``y`` true labels ``(m,)`` or numbers ``(m,)`` / ``(m, outputs)``; ``prediction``
    probabilities ``(m, k)`` where ``classes`` are given, else numbers like ``y``; ``table`` the raw rows
    (frame, dictionary or matrix). Several outputs are compared in units of each output's spread.
    Raises ``DataError`` where the numbers of rows differ.

    >>> worst = worst_mistakes(["a", "b"], [[0.1, 0.9], [0.2, 0.8]], classes=["a", "b"])
    >>> [(m.row, m.true, m.predicted, m.confidence) for m in worst]
    [(0, 'a', 'b', 0.9)]
    """
    truth = np.asarray(y)
    found = _wrong_numbers(truth, prediction, n) if classes is None else _wrong_classes(
        truth, prediction, classes, n
    )  # fmt: skip
    if table is not None:
        columns = Columns(table)
        if len(columns) != len(truth):
            raise DataError(f"{len(columns)} rows but {len(truth)} targets: give the same rows.")
        for mistake in found:
            mistake.values = columns.row(mistake.row)
    return found


def _wrong_classes(y: Any, proba: ArrayLike, classes: Sequence[Any], n: int) -> list[Mistake]:
    codes, matrix = label_codes(y, classes), probability_matrix(proba, len(classes))
    if len(codes) != len(matrix):
        raise DataError(f"{len(codes)} labels but {len(matrix)} predictions: give one per row.")
    guess = matrix.argmax(axis=1)
    wrong = np.flatnonzero(guess != codes)
    confidence = matrix[wrong, guess[wrong]]
    order = np.argsort(-confidence, kind="stable")[:n]
    labels = y.tolist()
    return [
        Mistake(int(row), labels[row], classes[guess[row]], float(sure), float(sure))
        for row, sure in zip(wrong[order], confidence[order])
    ]


def _wrong_numbers(y: Any, prediction: ArrayLike, n: int) -> list[Mistake]:
    guess = np.asarray(prediction, dtype=np.float64)
    if guess.shape != y.shape:
        raise DataError(f"targets have shape {y.shape}, predictions {guess.shape}: give one per row.")
    miss = np.abs(guess - y).reshape(len(y), -1)
    if miss.shape[1] > 1:
        spread = np.asarray(y, dtype=np.float64).std(axis=0)
        miss = miss / np.where(spread > 0, spread, 1.0)
    size = miss.max(axis=1)
    order = np.argsort(-size, kind="stable")[:n]
    truth, said = y.tolist(), guess.tolist()
    return [
        Mistake(int(row), truth[row], said[row], None, float(size[row])) for row in order if size[row] > 0
    ]
