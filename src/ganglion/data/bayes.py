"""Bayesian ridge regression by its weighted Gram matrix."""

import numpy as np

ROUNDS = 300
TOLERANCE = 1e-3
PRIOR = 1e-6


def bayesian_ridge(X: np.ndarray, y: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, float]:
    """Coefficients and intercept of the ridge regression whose strength maximises the evidence.

    With noise precision a and weight precision l, gamma = sum(a s_i / (l + a s_i)) over the eigenvalues
    s_i of X'X, and l = (gamma + 2e-6) / (|w|^2 + 2e-6), a = (n - gamma + 2e-6) / (|y - Xw|^2 + 2e-6) are
    repeated until w stands still (MacKay 1992; the update rules of Tipping 2001).

    Args:
        X: (n, d) without gaps.
        y: (n,) numbers.
        counts: (n,) how often each row counts.

    Returns:
        Coefficients (d,) and the intercept.

    Example:
        >>> X = np.arange(20.0)[:, None]
        >>> w, b = bayesian_ridge(X, 3 * X[:, 0] + 1, np.ones(20))
        >>> round(float(w[0]), 4), round(b, 4)
        (3.0, 1.0)
    """
    total = counts.sum()
    centre, middle = counts @ X / total, float(counts @ y / total)
    if X.shape[1] == 0:
        return np.zeros(0), middle
    centred, rest = X - centre, y - middle
    gram = (centred * counts[:, None]).T @ centred
    along = (centred * counts[:, None]).T @ rest
    power = float(counts @ (rest * rest))
    values, vectors = np.linalg.eigh(gram)
    values, turned = np.maximum(values, 0.0), vectors.T @ along
    noise, shrink = 1.0 / (power / total + np.finfo(float).eps), 1.0
    old: np.ndarray | None = None
    for _ in range(ROUNDS):
        weights = turned / (values + shrink / noise)
        # |y - Xw|^2 in the turned coordinates
        error = max(power - 2.0 * weights @ turned + weights @ (values * weights), 0.0)
        effective = float(np.sum(noise * values / (shrink + noise * values)))
        shrink = (effective + 2 * PRIOR) / (float(weights @ weights) + 2 * PRIOR)
        noise = (total - effective + 2 * PRIOR) / (error + 2 * PRIOR)
        if old is not None and np.sum(np.abs(vectors @ (weights - old))) < TOLERANCE:
            break
        old = weights
    coefficients = vectors @ (turned / (values + shrink / noise))
    return coefficients, middle - float(centre @ coefficients)
