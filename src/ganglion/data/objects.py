"""The objects in pictures as people give them, checked and made arrays and padded tensors."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.base.errors import DataError

NONE, NOT_JUDGED = -1, -2  # codes of boxes that are not there, and of hard ones
FORMS = "(boxes (m, 4), labels (m,)), a dict with 'boxes' and 'labels', or what read_voc and read_coco give"


class Objects(NamedTuple):
    """What is in one picture: ``boxes`` (m, 4) as x0, y0, x1, y1 in pixels, ``labels`` (m,), ``hard`` (m,)."""

    boxes: NDArray[np.float32]
    labels: NDArray[Any]
    hard: NDArray[np.bool_]


def read_objects(given: Any, sizes: NDArray[np.int64] | None = None) -> list[Objects]:
    """The objects of each picture.

    Arguments:
        given: a list with, for each picture, (boxes, labels) or (boxes, labels, hard) or a dict or record of those
            names; or one record of lists, as ``data.boxes`` reads them. No boxes: ``([], [])``.
        sizes: (n, 2) heights and widths of the pictures; boxes are cut off at their edges.

    Raises ``DataError`` naming the picture: no such form, boxes that are not (m, 4), not finite, inverted or outside.

    >>> read_objects([([[1, 1, 3, 4]], ["cat"]), ([], [])])[0].labels.tolist()
    ['cat']
    """
    rows = _rows(given)
    if sizes is not None and len(rows) != len(sizes):
        raise DataError(
            f"X and y must have the same number of pictures, got {len(sizes)} and {len(rows)}; give boxes for each, "
            "([], []) where there are none."
        )
    return [_one(i, row, None if sizes is None else sizes[i]) for i, row in enumerate(rows)]


def _rows(given: Any) -> list[Any]:
    if all(hasattr(given, name) for name in ("boxes", "labels", "classes")):
        names = np.asarray(given.classes)
        return list(zip(given.boxes, (names[codes] for codes in given.labels), given.hard))
    if isinstance(given, str | bytes | Mapping) or not hasattr(given, "__len__"):
        raise DataError(
            f"a list is expected that has for each picture {FORMS}, got {type(given).__name__}; give such a list."
        )
    return list(given)


def _one(i: int, row: Any, size: Any) -> Objects:
    """One picture's objects; ``size`` is its height and width."""
    try:
        parts = [row["boxes"], row["labels"], row.get("hard")] if isinstance(row, Mapping) else [*row, None]
        given, labels, hard = parts[:3]
        boxes = np.asarray(given, np.float64)
        names = np.asarray(labels)
        never = np.zeros(len(names), bool) if hard is None else np.asarray(hard, bool)
    except (TypeError, ValueError, KeyError, AttributeError):
        raise DataError(f"{FORMS} is expected for each picture, picture {i} has {str(row)[:60]!r}.") from None
    boxes = boxes.reshape(-1, 4) if boxes.size == 0 else boxes
    if boxes.ndim != 2 or boxes.shape[1] != 4 or names.shape != never.shape or names.shape != boxes.shape[:1]:
        raise DataError(
            f"boxes (m, 4) with labels (m,) are expected, picture {i} (counted from 0) has boxes {boxes.shape} and "
            f"labels {names.shape}; give a label for each box."
        )
    edges = boxes if size is None else boxes.clip(0, [size[1], size[0]] * 2)
    wrong = ~np.isfinite(boxes).all(1) | ~(edges[:, :2] < edges[:, 2:]).all(1)
    if wrong.any():
        j = int(np.flatnonzero(wrong)[0])
        where = "" if size is None else f" in its {size[0]} x {size[1]} pixels (height x width)"
        raise DataError(
            f"boxes x0, y0, x1, y1 with x0 < x1 and y0 < y1 are expected{where}, box {j} of picture {i} is "
            f"{', '.join(f'{v:g}' for v in boxes[j])}; mend it or leave it out."
        )
    return Objects(edges.astype(np.float32), names, never)


def padded(
    objects: list[Objects], classes: NDArray[Any], scale: NDArray[np.float64]
) -> tuple[Tensor, Tensor]:
    """Boxes (n, M, 4) and codes (n, M) of pictures together, with M of the fullest, at least 1.

    Arguments: ``classes`` sorted, ``scale`` (n, 2) factors on heights and widths. Codes are positions in ``classes``,
    -1 where there is no box and -2 for hard ones.

    >>> objects = read_objects([([[1, 1, 3, 4]], ["b"]), ([], [])])
    >>> padded(objects, np.array(["a", "b"]), np.ones((2, 2)))[1]
    tensor([[ 1],
            [-1]])
    """
    most = max([1, *(len(one.labels) for one in objects)])
    boxes = np.zeros((len(objects), most, 4), np.float32)
    codes = np.full((len(objects), most), NONE)
    for i, one in enumerate(objects):
        m = len(one.labels)
        boxes[i, :m] = one.boxes * np.tile(scale[i][::-1], 2)
        if m:
            codes[i, :m] = np.where(one.hard, NOT_JUDGED, np.searchsorted(classes, one.labels))
    return torch.from_numpy(boxes), torch.from_numpy(codes)
