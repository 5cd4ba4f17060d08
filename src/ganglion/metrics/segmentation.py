"""Scores of masks: overlap of what is said with what is true, class by class, from one confusion table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError


def mask_confusion(
    masks: Sequence[ArrayLike], predicted: Sequence[ArrayLike], classes: Sequence[Any]
) -> NDArray[np.int64]:
    """Pixels counted by true class (down) and predicted class (across), (k, k).

    Pixels whose true label is not among the classes (-1, "not judged") are left out.

    Arguments: ``masks`` and ``predicted``, n of (h, w) labels each, also of mixed sizes; ``classes`` k labels. Raises
    ``DataError`` where masks differ in number or size, or a predicted label is no class.

    >>> mask_confusion([[[0, 1, 1, -1]]], [[[0, 1, 0, 0]]], [0, 1]).tolist()
    [[1, 0], [1, 1]]
    """
    if len(masks) != len(predicted):
        raise DataError(
            f"a predicted mask for each true one is expected, got {len(predicted)} for {len(masks)}."
        )
    known = np.asarray(classes)
    by_name, k = np.argsort(known), len(known)
    table = np.zeros((k, k), np.int64)
    for i, (true, said) in enumerate(zip(map(np.asarray, masks), map(np.asarray, predicted))):
        if true.shape != said.shape:
            raise DataError(
                f"masks of one size are expected, got {said.shape} for {true.shape} as number {i}; bring them together."
            )
        codes, guess = (_codes(part, known, by_name) for part in (true, said))
        judged = codes >= 0
        if (guess[judged] < 0).any():
            raise DataError(
                f"the predicted mask number {i} holds a label that is no class of {known.tolist()}."
            )
        table += np.bincount(codes[judged] * k + guess[judged], minlength=k * k).reshape(k, k)
    return table


def mask_table(table: ArrayLike, classes: Sequence[Any]) -> list[dict[str, Any]]:
    """A row per class: ``label``, ``pixels``, ``predicted``, ``dice``, ``iou``, ``recall``, ``precision``.

    ``dice = 2 |A & B| / (|A| + |B|)`` and ``iou = |A & B| / |A | B|`` of the true pixels A and the predicted ones B;
    so ``dice = 2 iou / (1 + iou)``. What would be 0 / 0 is ``None``.

    Arguments: ``table`` of ``mask_confusion``; ``classes`` its labels.

    >>> [row["dice"] for row in mask_table([[1, 0], [1, 1]], ["cell", "membrane"])]
    [0.6666666666666666, 0.6666666666666666]
    """
    counts = np.asarray(table, dtype=np.float64)
    both, true, said = counts.diagonal(), counts.sum(1), counts.sum(0)
    return [
        {
            "label": label,
            "pixels": int(true[i]),
            "predicted": int(said[i]),
            "dice": _ratio(2 * both[i], true[i] + said[i]),
            "iou": _ratio(both[i], true[i] + said[i] - both[i]),
            "recall": _ratio(both[i], true[i]),
            "precision": _ratio(both[i], said[i]),
        }
        for i, label in enumerate(classes)
    ]


def mask_scores(table: ArrayLike) -> dict[str, float]:
    """``accuracy`` of a whole confusion table, and ``dice``, ``iou``, ``balanced_accuracy`` as means over classes.

    ``score`` is the Dice of the second of two classes, which is what is looked for, and of more classes the mean.
    Classes that are neither there nor predicted are left out.

    >>> mask_scores([[2, 0], [1, 1]])["score"], mask_scores([[2, 0], [1, 1]])["accuracy"]
    (0.6666666666666666, 0.75)
    """
    counts = np.asarray(table, dtype=np.float64)
    rows = mask_table(counts, range(len(counts)))
    found = {
        name: _mean([row[key] for row in rows])
        for name, key in (("dice", "dice"), ("iou", "iou"), ("balanced_accuracy", "recall"))
    }
    wanted = rows[1]["dice"] if len(rows) == 2 else None
    accuracy = _ratio(counts.trace(), counts.sum()) or 0.0
    return {"score": found["dice"] if wanted is None else wanted, "accuracy": accuracy, **found}


def _codes(labels: NDArray, known: NDArray, by_name: NDArray) -> NDArray[np.int64]:
    """Positions in ``known``, -1 where a label is not there."""
    places = by_name[np.searchsorted(known, labels.ravel(), sorter=by_name).clip(max=len(known) - 1)]
    return np.where(known[places] == labels.ravel(), places, -1)


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None


def _mean(values: list[float | None]) -> float:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else 0.0
