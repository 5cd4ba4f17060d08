"""Edges of quantile bins, for the piecewise-linear encoding of numbers."""

import numpy as np

ROWS_PER_BIN = 64  # distinct values that a bin needs, so that small tables are not cut into noise
MOST_BINS = 512  # over all columns, so that a table of many columns does not make a first layer of thousands


def bin_edges(matrix: np.ndarray, weight: np.ndarray, bins: int) -> list[np.ndarray]:
    """Per column the edges of its bins: quantiles of the rows together with quantiles of the distinct values.

    The first follow where the rows are, the second reach into long tails. The number of bins falls with the
    number of distinct values. Rows of weight 0 do not count, and whole weights count as repeated rows.

    Arguments:
        matrix: (n, columns) numbers.
        weight: (n,) of the rows.
        bins: of either kind at most; 0 gives no edges.

    >>> [e.tolist() for e in bin_edges(np.arange(256.0)[:, None], np.ones(256), 4)]
    [[0.0, 63.0, 127.0, 191.0, 255.0]]
    """
    used = weight > 0
    matrix, weight = np.asarray(matrix[used], dtype=np.float64), weight[used]
    columns = [np.unique(c) for c in matrix.T]
    sizes = [len(c) for c in columns if len(c) > 2]
    bins = min(bins, max(sizes, default=0) // ROWS_PER_BIN, MOST_BINS // (2 * max(len(sizes), 1)))
    if bins < 2:
        return [np.zeros(0)] * matrix.shape[1]
    return [_edges(c, levels, weight, bins) for c, levels in zip(matrix.T, columns)]


def _edges(column: np.ndarray, levels: np.ndarray, weight: np.ndarray, bins: int) -> np.ndarray:
    if len(levels) < 3:
        return np.zeros(0)
    shares = np.linspace(0.0, 1.0, bins + 1)
    order = np.argsort(column, kind="stable")
    total = np.cumsum(weight[order])
    # the smallest value whose cumulated weight reaches the share; a hair less, against rounding
    at = np.searchsorted(total, shares * total[-1] * (1 - 1e-12)).clip(max=len(order) - 1)
    spread = np.quantile(levels, shares, method="inverted_cdf")
    return np.unique(np.concatenate([column[order][at], spread]))
