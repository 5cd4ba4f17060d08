"""Directions of the inputs: how much weaker those are that tell the target than the strongest one."""

import numpy as np
from numpy.typing import NDArray

ROWS = 2000
COLUMNS = 128  # the eigenvalues of a matrix of that size take some milliseconds
BY_CHANCE = 9.0  # a direction counts if its share of the target is beyond three standard errors of 0


def direction_facts(X: NDArray, goal: NDArray) -> dict[str, float]:
    """How badly conditioned a linear fit of the target is for steps along the gradient.

    With the eigenvalues ``l_1 >= l_2 >= ...`` of the columns' covariance, gradient descent at the largest stable
    rate learns direction j in about ``l_1 / l_j`` steps. So the number that matters is the one of the direction
    by which half of what is linear in the target is found, and not that of the weakest direction.

    Arguments:
        X: (n, d) inputs as the network sees them; 2,000 rows and 128 columns are used.
        goal: (n, k) numbers.

    Returns ``largest_share`` (of the variance, in the strongest direction) and, where a linear signal is beyond
    chance, ``condition``: ``l_1 / l_j`` of that direction; empty where nothing varies.

    >>> X = np.random.default_rng(0).normal(size=(500, 2)) * [1.0, 0.01]
    >>> 5e3 < direction_facts(X, X[:, 1:])["condition"] < 2e4
    True
    """
    A = np.asarray(X[:ROWS, :COLUMNS], dtype=np.float64)
    A = A[:, np.isfinite(A).all(0)]
    n = len(A)
    if n < 10 or not A.size:
        return {}
    A = A - A.mean(0)
    values, vectors = np.linalg.eigh(A.T @ A / n)
    values, vectors = values[::-1], vectors[:, ::-1]
    if values[0] <= 0:
        return {}
    facts = {"largest_share": float(values[0] / values.sum())}
    real = values > 1e-10 * values[0]
    y = np.asarray(goal, dtype=np.float64)[:ROWS]
    y = y - y.mean(0)
    parts = (vectors[:, real].T @ (A.T @ y)) / np.sqrt(n * values[real])[:, None]  # (directions, outputs)
    shares = parts**2 / np.maximum((y**2).sum(0), 1e-300)
    found = np.where(shares > BY_CHANCE / n, shares, 0.0).sum(1)
    if found.sum() > 0.05 * y.shape[1]:
        half = int(np.searchsorted(np.cumsum(found), found.sum() / 2))
        facts["condition"] = float(values[0] / values[real][half])
    return facts
