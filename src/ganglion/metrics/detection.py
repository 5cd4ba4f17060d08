"""How well objects are found: average precision as COCO defines it (Lin et al. 2014, arXiv:1405.0312).

A box is x0, y0, x1, y1 with area (x1 - x0) (y1 - y0). Every function takes one record for each picture: what is
there with ``boxes`` (m, 4), ``labels`` (m,) and, if known, ``hard`` (m,); what was found with ``boxes`` (k, 4),
``labels`` (k,), ``scores`` (k,).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError

THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10))  # of IoU
RECALLS = np.linspace(0, 1, 101)
MOST = 100  # detections that count, for each picture and class


class Detections(NamedTuple):
    """What was found in one picture, best first: ``boxes`` (k, 4) in pixels, ``labels`` (k,), ``scores`` (k,)."""

    boxes: NDArray[np.float32]
    labels: NDArray[Any]
    scores: NDArray[np.float32]


class Curve(NamedTuple):
    """Precision and recall of one class as the score falls: ``precision``, ``recall``, ``scores`` (d,)."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def average(self) -> float:
        """The mean, over 101 recalls from 0 to 1, of the best precision at that recall or beyond; 0 if never."""
        best = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.append(best, 0.0)[np.searchsorted(self.recall, RECALLS)].mean())


def box_iou(found: Any, truth: Any, hard: Any = None) -> NDArray[np.float64]:
    """Intersection over union of boxes (d, 4) and (g, 4), as (d, g); over the first's area for hard ones (g,).

    >>> box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [0, 0, 4, 4]], [False, True]).round(3).tolist()
    [[0.333, 1.0]]
    """
    a, b = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (found, truth))
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(2)
    area, other = ((boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (a, b))
    union = area[:, None] + other - both
    whole = union if hard is None else np.where(np.asarray(hard, bool), area[:, None], union)
    return np.divide(both, whole, out=np.zeros_like(both), where=whole > 0)


def match(ious: NDArray[np.float64], hard: NDArray[np.bool_], least: float) -> NDArray[np.int64]:
    """Which true box each detection, best first, belongs to: its number, or -1 (d,).

    Each takes the box with the highest IoU of those that are free, at least ``least``; of equal ones the last. A
    hard box is taken only where no other can be, and stays free.

    >>> match(np.array([[0.6, 0.9], [0.7, 0.8]]), np.array([False, False]), 0.5).tolist()
    [1, 0]
    """
    taken = np.zeros(len(hard), bool)
    out = np.full(len(ious), -1)
    enough = ious >= min(least, 1 - 1e-10)
    for d in np.flatnonzero(enough.any(1)):
        for kind in (~hard, hard):
            able = kind & ~taken & enough[d]
            if able.any():
                best = np.flatnonzero(able & (ious[d] == ious[d][able].max()))[-1]
                taken[best], out[d] = not hard[best], best
                break
    return out


def precision_recall(truth: Sequence[Any], found: Sequence[Any], label: Any, iou: float = 0.5) -> Curve:
    """Precision and recall of one class over all pictures, as more detections are taken, best first.

    Hard boxes need not be found, and what lies on them is neither right nor wrong. Raises ``DataError`` for lists of
    different lengths.

    >>> class One(NamedTuple): boxes: list; labels: list; scores: list = [1.0]
    >>> precision_recall([One([[0, 0, 9, 9]], ["cat"])], [One([[0, 0, 9, 8]], ["cat"])], "cat").average
    1.0
    """
    return _curves(truth, found, label, (iou,))[0]


def average_precisions(
    truth: Sequence[Any], found: Sequence[Any], *, ious: Sequence[float] = THRESHOLDS
) -> dict[Any, NDArray[np.float64]]:
    """The average precision of each class that is there, at each IoU: label -> (len(ious),).

    >>> class One(NamedTuple): boxes: list; labels: list; scores: list = [1.0]
    >>> average_precisions([One([[0, 0, 9, 9]], [7])], [One([[0, 0, 9, 5]], [7])], ious=[0.5, 0.6])
    {7: array([1., 0.])}
    """
    labels = sorted({label for one in truth for label in np.asarray(one.labels)[~_hard(one)].tolist()})
    curves = {label: _curves(truth, found, label, ious) for label in labels}
    return {label: np.array([curve.average for curve in row]) for label, row in curves.items()}


def mean_average_precision(truth: Sequence[Any], found: Sequence[Any]) -> dict[str, float]:
    """``map50``, the mean over classes of the average precision at IoU 0.5, and ``map``, over 0.5 to 0.95 too.

    Classes that are not there do not count; both are NaN where nothing is there at all. ``average_precisions`` tells
    the classes apart, and is quicker for one IoU.

    >>> class One(NamedTuple): boxes: list; labels: list; scores: list = [1.0]
    >>> mean_average_precision([One([[0, 0, 9, 9]], [7])], [One([[0, 0, 9, 9]], [7])])
    {'map50': 1.0, 'map': 1.0}
    """
    parts = list(average_precisions(truth, found).values())
    if not parts:
        return {"map50": float("nan"), "map": float("nan")}
    return {"map50": float(np.mean([part[0] for part in parts])), "map": float(np.mean(parts))}


def _hard(one: Any) -> NDArray[np.bool_]:
    hard = getattr(one, "hard", None)
    return np.zeros(len(one.labels), bool) if hard is None else np.asarray(hard, bool)


def _curves(truth: Sequence[Any], found: Sequence[Any], label: Any, ious: Sequence[float]) -> list[Curve]:
    """One class at several IoUs."""
    if len(truth) != len(found):
        raise DataError(
            f"one record for each picture is expected, got {len(truth)} of what is there and {len(found)} of what was "
            "found; give both for the same pictures."
        )
    scores, right, counted, there = [], [], [], 0
    for one, other in zip(truth, found):
        of, by = np.asarray(one.labels) == label, np.asarray(other.labels) == label
        rows = np.flatnonzero(by)
        rank = np.asarray(other.scores, np.float64)[rows]
        rows = rows[np.argsort(-rank, kind="stable")][:MOST]
        hard = _hard(one)[of]
        overlaps = box_iou(
            np.asarray(other.boxes).reshape(-1, 4)[rows], np.asarray(one.boxes).reshape(-1, 4)[of], hard
        )
        matched = np.array([match(overlaps, hard, iou) for iou in ious]).reshape(len(ious), -1)
        scores.append(np.asarray(other.scores, np.float64)[rows])
        right.append(matched >= 0)
        counted.append(~(right[-1] & np.append(hard, False)[matched]))
        there += int((~hard).sum())
    order = np.argsort(-np.concatenate(scores), kind="stable") if scores else np.zeros(0, int)
    ranked = np.concatenate(scores)[order] if scores else np.zeros(0)
    return [
        _curve(ranked, *(np.concatenate([p[i] for p in part])[order] for part in (right, counted)), there)
        for i in range(len(ious))
    ]


def _curve(
    scores: NDArray[np.float64], right: NDArray[np.bool_], counted: NDArray[np.bool_], there: int
) -> Curve:
    hits, misses = np.cumsum(right & counted), np.cumsum(~right & counted)
    return Curve(hits / np.maximum(hits + misses, 1), hits / max(there, 1), scores)
