"""Features by hand: products, ratios, powers, radius, points on a circle, bins; plain functions of a matrix.

The table pipeline uses them through ``interactions=`` and ``dates=``; each also stands alone.
"""

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

Pair = tuple[int, int]


def all_pairs(width: int) -> list[Pair]:
    """Every pair of different columns, (0, 1) first.

    >>> all_pairs(3)
    [(0, 1), (0, 2), (1, 2)]
    """
    return list(itertools.combinations(range(width), 2))


def products(X: np.ndarray, pairs: Iterable[Pair] | None = None) -> np.ndarray:
    """``x_i x_j`` for each pair of columns (all pairs if none are given), shape (n, pairs).

    >>> products(np.array([[2.0, 3.0, 5.0]])).tolist()
    [[6.0, 10.0, 15.0]]
    """
    left, right = _columns(X, pairs)
    return left * right


def ratios(X: np.ndarray, pairs: Iterable[Pair] | None = None) -> np.ndarray:
    """``x_i / x_j`` for each pair of columns, 0 where ``x_j`` is 0, shape (n, pairs).

    >>> ratios(np.array([[6.0, 3.0], [1.0, 0.0]])).tolist()
    [[2.0], [0.0]]
    """
    above, below = _columns(X, pairs)
    with np.errstate(over="ignore"):
        found = np.divide(above, below, out=np.where(np.isnan(below), np.nan, 0.0), where=below != 0)
    return np.clip(found, -1e100, 1e100)  # further out it would count as infinite


def polynomial(X: np.ndarray, degree: int = 2) -> np.ndarray:
    """All products of 1 to ``degree`` columns, a column as often as one likes, lower degrees first.

    For d columns and degree 2: the columns, then ``x_i x_j`` for i <= j; shape (n, d (d + 3) / 2).

    >>> polynomial(np.array([[2.0, 3.0]])).tolist()
    [[2.0, 3.0, 4.0, 6.0, 9.0]]
    """
    X = np.asarray(X, dtype=np.float64)
    terms = [
        list(term)
        for size in range(1, degree + 1)
        for term in itertools.combinations_with_replacement(range(X.shape[1]), size)
    ]
    return np.column_stack([X[:, term].prod(axis=1) for term in terms])


def radius(X: np.ndarray, centre: Sequence[float] | float = 0.0) -> np.ndarray:
    """Euclidean distance of each row to ``centre``, shape (n, 1): makes a ring a threshold.

    >>> radius(np.array([[3.0, 4.0]])).tolist()
    [[5.0]]
    """
    apart = np.asarray(X, dtype=np.float64) - np.asarray(centre, dtype=np.float64)
    return np.sqrt((apart * apart).sum(axis=1, keepdims=True))


def cyclic(values: np.ndarray, period: float) -> np.ndarray:
    """What turns (hours of 24, months of 12, degrees of 360) as a point on a circle, shape (n, 2).

    ``sin(2 pi v / period), cos(2 pi v / period)``: the last hour stands beside the first.

    >>> cyclic(np.array([6.0, 12.0]), 24).round(3).tolist()
    [[1.0, 0.0], [0.0, -1.0]]
    """
    angle = 2 * np.pi * (np.asarray(values, dtype=np.float64) / period)
    return np.column_stack([np.sin(angle), np.cos(angle)])


def equal_width_edges(column: np.ndarray, bins: int) -> np.ndarray:
    """The ``bins - 1`` inner edges of intervals of one width from the least to the greatest number.

    >>> equal_width_edges(np.array([0.0, 10.0, np.nan]), 4).tolist()
    [2.5, 5.0, 7.5]
    """
    return np.linspace(np.nanmin(column), np.nanmax(column), bins + 1)[1:-1]


def quantile_edges(column: np.ndarray, bins: int) -> np.ndarray:
    """The inner edges of at most ``bins`` intervals with equally many numbers each; equal edges are one.

    >>> quantile_edges(np.arange(9.0), 2).tolist()
    [4.0]
    """
    return np.unique(np.nanquantile(column, np.linspace(0.0, 1.0, bins + 1)[1:-1]))


def bin_codes(column: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The number of each cell's interval (n,): 1 below the first edge, 0 for a gap; an edge opens its interval.

    >>> bin_codes(np.array([1.0, 2.5, 9.0, np.nan]), np.array([2.5, 5.0])).tolist()
    [1, 2, 3, 0]
    """
    column = np.asarray(column, dtype=np.float64)
    return np.where(np.isnan(column), 0, np.searchsorted(edges, column, side="right") + 1)


def _columns(X: np.ndarray, pairs: Iterable[Pair] | None) -> tuple[np.ndarray, np.ndarray]:
    X = np.asarray(X, dtype=np.float64)
    chosen = np.array(list(all_pairs(X.shape[1]) if pairs is None else pairs), dtype=np.int64).reshape(-1, 2)
    return X[:, chosen[:, 0]], X[:, chosen[:, 1]]
