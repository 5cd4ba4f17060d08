"""Categories as means of the target, without telling a row its own answer (target encoding).

    code(level) = (sum of w y over the level + m prior) / (weight of the level + m),   m = 10 rows

shrinks rare levels to the prior, the mean of all rows (Micci-Barreca 2001). A mapping that saw a row's own target
leaks it: of a column of unique words it makes a copy of the target. So the rows that it is learned from get codes
from the four fifths of them that do not hold the row; other rows get those of all.
"""

import numpy as np

from ganglion.data.split import permutation

SMOOTHING = 10.0
FOLDS = 5


def level_means(
    codes: np.ndarray, values: np.ndarray, counts: np.ndarray, n_levels: int, smoothing: float = SMOOTHING
) -> np.ndarray:
    """Shrunken means of each level, shape (n_levels, k); also means of a number by a category.

    Args:
        codes: (n,) levels, 0 to n_levels - 1.
        values: (n, k) numbers to average.
        counts: (n,) weights.
        n_levels: number of rows of the result; a level that is not met gets the prior.
        smoothing: rows that the prior counts as.

    >>> level_means(np.array([0, 0, 1]), np.array([[1.0], [1.0], [0.0]]), np.ones(3), 3, 1.0).round(3).tolist()
    [[0.889], [0.333], [0.667]]
    """
    prior = np.average(values, axis=0, weights=counts)
    weight = np.bincount(codes, counts, minlength=n_levels)[:, None]
    sums = np.column_stack([np.bincount(codes, counts * v, minlength=n_levels) for v in values.T])
    return (sums + smoothing * prior) / (weight + smoothing)


def out_of_fold(
    codes: np.ndarray, values: np.ndarray, counts: np.ndarray, n_levels: int, smoothing: float = SMOOTHING
) -> np.ndarray:
    """For each row the mean of its level over the folds that do not hold it, shape (n, k).

    Arguments are those of ``level_means``. The rows go to 5 folds by a fixed shuffle; a single row, which has no
    others, gets its own mean.

    >>> y = np.array([[0.0], [1.0], [0.0], [1.0]])
    >>> out_of_fold(np.arange(4), y, np.ones(4), 4).round(2).ravel().tolist()  # never a row's own answer
    [0.67, 0.33, 0.67, 0.33]
    """
    if len(codes) < 2:
        return level_means(codes, values, counts, n_levels, smoothing)[codes]
    fold = np.empty(len(codes), dtype=np.int64)
    fold[permutation(0, len(codes))] = np.arange(len(codes)) % FOLDS
    found = np.empty((len(codes), values.shape[1]))
    for held in (fold == f for f in range(FOLDS)):
        rest = ~held
        found[held] = level_means(codes[rest], values[rest], counts[rest], n_levels, smoothing)[codes[held]]
    return found
