"""How often a classifier of pictures keeps its answer when the picture moves by a few places."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number

WAYS = ((0, 1), (0, -1), (1, 0), (-1, 0))


def shifted(pictures: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Pictures (n, h, w, ...) moved downwards and to the right; what becomes free repeats the edge.

    >>> shifted(np.array([[[1, 2, 3]]]), 0, 1).tolist(), shifted(np.array([[[1, 2, 3]]]), 0, -2).tolist()
    ([[[1, 1, 2]]], [[[3, 3, 3]]])
    """
    height, width = pictures.shape[1:3]
    down = np.clip(np.arange(height) - rows, 0, height - 1)
    right = np.clip(np.arange(width) - columns, 0, width - 1)
    return pictures[:, down][:, :, right]


def shift_agreement(
    predict: Callable[[Any], ArrayLike], pictures: ArrayLike, furthest: int = 4
) -> dict[int, float]:
    """The share of answers that stay when pictures move by 1, 2, ... places, over all four directions.

    ``agreement_k = mean over pictures and directions of [predict(moved by k) = predict(as they are)]``. A network of
    convolutions is not invariant: strides and pooling fold fine patterns, so that the answer depends on where the
    picture lies within a stride (Azulay and Weiss 2019, arXiv:1805.12177; Zhang 2019, arXiv:1904.11486).

    Arguments:
        predict: from pictures to one answer each, for instance an estimator's method.
        pictures: (n, h, w) or (n, h, w, c); true labels are not needed.
        furthest: the longest way in places.

    Returns the agreement by the number of places. Raises ``DataError`` for anything but pictures.

    >>> def is_bright_left(x):
    ...     return x[:, 0, 0] > 0
    >>> shift_agreement(is_bright_left, np.eye(4)[None], furthest=2)
    {1: 0.5, 2: 0.5}
    """
    x = np.asarray(pictures)
    if x.ndim not in (3, 4) or not x.size:
        raise DataError(
            f"pictures (n, h, w) or (n, h, w, c) are expected, got {x.shape}; reshape them first."
        )
    number("furthest", furthest, AtLeast(1), whole=True)
    answers = np.asarray(predict(x))
    return {
        k: float(
            np.mean([np.asarray(predict(shifted(x, k * down, k * right))) == answers for down, right in WAYS])
        )
        for k in range(1, furthest + 1)
    }
