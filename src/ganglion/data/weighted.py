"""Weighted statistics of columns with gaps, where a weight of k counts exactly as k repeated rows."""

import numpy as np


def as_counts(sample_weight: np.ndarray | None, n_rows: int) -> np.ndarray:
    """Weights as counts of rows: whole numbers stay, others are scaled to a mean of one.

    Rows of weight 0 are expected to be removed before.

    Args:
        sample_weight: (n,) positive weights or ``None``.
        n_rows: n.

    Example:
        >>> as_counts(np.array([2.0, 1.0]), 2).tolist(), as_counts(np.array([0.5, 1.5]), 2).tolist()
        ([2.0, 1.0], [0.5, 1.5])
    """
    if sample_weight is None:
        return np.ones(n_rows)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if np.all(weights == np.round(weights)):
        return weights
    return weights / weights.mean()


def totals(matrix: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The weight of the present cells of each column, shape (d,)."""
    return np.where(np.isnan(matrix), 0.0, counts[:, None]).sum(axis=0)


def means(matrix: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of each column over its present cells, NaN where there is none; shape (d,)."""
    weight = totals(matrix, counts)
    present = np.where(np.isnan(matrix), 0.0, matrix)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weight > 0, counts @ present / weight, np.nan)


def deviations(matrix: np.ndarray, counts: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Standard deviation (of the population) of each column over its present cells; shape (d,)."""
    return np.sqrt(means((matrix - mean) ** 2, counts))


def quantiles(matrix: np.ndarray, counts: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Quantiles of each column by the averaged inverted distribution function.

    The quantile q is the smallest value whose cumulative weight reaches q times the total; where it is
    reached exactly, the mean of that value and the next. With unit weights the median is NumPy's.
    (Hyndman & Fan 1996, definition 2.)

    Args:
        matrix: (n, d), NaN = missing.
        counts: (n,) positive weights.
        levels: (m,) between 0 and 1.

    Returns:
        (m, d), NaN for a column without cells.

    Example:
        >>> quantiles(np.array([[1.0], [5.0]]), np.array([3.0, 1.0]), np.array([0.5])).tolist()
        [[1.0]]
    """
    result = np.full((len(levels), matrix.shape[1]), np.nan)
    full = ~np.isnan(matrix).any(axis=0)
    if len(matrix) and full.any() and (counts == counts[0]).all():
        result[:, full] = _of_sorted(np.sort(matrix[:, full], axis=0), np.cumsum(counts), levels)
        rest = np.flatnonzero(~full)
    else:
        rest = np.arange(matrix.shape[1])
    for j in rest:
        present = ~np.isnan(matrix[:, j])
        values = matrix[present, j]
        if len(values):
            order = np.argsort(values, kind="stable")
            result[:, j] = _of_sorted(values[order], np.cumsum(counts[present][order]), levels)
    return result


def _of_sorted(values: np.ndarray, reached: np.ndarray, levels: np.ndarray) -> np.ndarray:
    wanted = levels * reached[-1]
    low = np.minimum(np.searchsorted(reached, wanted, side="left"), len(values) - 1)
    # values (n,) or (n, d) in ascending order, reached (n,) their cumulative weight
    exact = (reached[low] == wanted) & (low + 1 < len(values))
    high = np.where(exact, low + 1, low)
    return (values[low] + values[high]) / 2


def modes(matrix: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The value of each column with the greatest weight (the smallest on a tie); shape (d,)."""
    result = np.full(matrix.shape[1], np.nan)
    for j in range(matrix.shape[1]):
        present = ~np.isnan(matrix[:, j])
        if present.any():
            values, codes = np.unique(matrix[present, j], return_inverse=True)
            result[j] = values[np.argmax(np.bincount(codes, counts[present]))]
    return result
