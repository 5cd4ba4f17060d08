"""Filling gaps in numeric columns: mean, median, most frequent, nearest neighbours, Bayesian regression."""

from typing import Any

import numpy as np

from ganglion.data import weighted
from ganglion.data.bayes import bayesian_ridge

METHODS = ("mean", "median", "most_frequent", "knn", "iterative")
MAX_DONORS = 2_000
MAX_ROWS = 20_000
MAX_REGRESSED = 100
ROUNDS = 10
TOLERANCE = 1e-3


class Imputer:
    """Learns how to fill gaps; what it learned is plain arrays.

    * ``mean``, ``median``, ``most_frequent``: one number per column.
    * ``knn``: the mean of the column over the nearest rows that have it, by the Euclidean distance over
      the shared, standardised columns (Troyanskaya et al. 2001), from at most 2,000 stored donor rows.
    * ``iterative``: each column regressed on the others by Bayesian ridge regression, in rounds
      (van Buuren & Groothuis-Oudshoorn 2011), at most 10, learned from at most 20,000 rows.

    Args:
        method: one of ``METHODS``.
        neighbors: rows (by weight) that ``knn`` averages.

    Example:
        >>> X = np.array([[1.0], [3.0], [np.nan]])
        >>> Imputer("mean").fit(X, np.ones(3)).transform(X).tolist()
        [[1.0], [3.0], [2.0]]
    """

    def __init__(self, method: str = "median", neighbors: int = 5) -> None:
        self.method = method
        self.neighbors = neighbors
        self.arrays: dict[str, np.ndarray] = {}

    def fit(self, matrix: np.ndarray, counts: np.ndarray) -> "Imputer":
        """Learn from the training rows.

        Args:
            matrix: (n, d), NaN = missing, each column with at least one number.
            counts: (n,) how often each row counts.
        """
        middle = {"median": _medians, "most_frequent": weighted.modes}.get(self.method, weighted.means)
        self.arrays = {"fill": middle(matrix, counts)}
        if self.method == "knn":
            self._keep_donors(matrix, counts)
        if self.method == "iterative":
            self._regress(matrix, counts)
        return self

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """The rows (n, d) with their gaps filled (the same array where there are none)."""
        gap = np.isnan(matrix)
        if not gap.any():
            return matrix
        if self.method == "knn":
            return self._from_neighbors(matrix, gap)
        if self.method == "iterative":
            return self._from_regressions(matrix, gap)
        return np.where(gap, self.arrays["fill"], matrix)

    # nearest neighbours

    def _keep_donors(self, matrix: np.ndarray, counts: np.ndarray) -> None:
        mean = weighted.means(matrix, counts)
        std = weighted.deviations(matrix, counts, mean)
        rows = _spread(len(matrix), MAX_DONORS)
        std[std == 0] = 1.0
        self.arrays |= {"donors": matrix[rows], "donor_counts": counts[rows], "mean": mean, "std": std}

    def _from_neighbors(self, matrix: np.ndarray, gap: np.ndarray) -> np.ndarray:
        result = np.where(gap, self.arrays["fill"], matrix)
        rows = np.flatnonzero(gap.any(axis=1))
        donors = self.arrays["donors"]
        scaled = (donors - self.arrays["mean"]) / self.arrays["std"]
        for start in range(0, len(rows), 1024):
            part = rows[start : start + 1024]
            near = _distances((matrix[part] - self.arrays["mean"]) / self.arrays["std"], scaled)
            for j in np.flatnonzero(gap[part].any(axis=0)):
                takers = np.flatnonzero(gap[part, j])
                givers = np.flatnonzero(~np.isnan(donors[:, j]))
                values = self._average(near[np.ix_(takers, givers)], donors[givers, j], givers)
                known = ~np.isnan(values)
                result[part[takers[known]], j] = values[known]
        return result

    def _average(self, near: np.ndarray, values: np.ndarray, givers: np.ndarray) -> np.ndarray:
        """Mean value of the nearest donors until their weight reaches ``neighbors``; NaN if none is near."""
        k = min(self.neighbors, near.shape[1])  # a donor weighs 1 or more wherever weights are whole numbers
        counts = self.arrays["donor_counts"][givers]
        if k < near.shape[1] and counts.min() >= 1:
            chosen = np.argpartition(near, k - 1, axis=1)[:, :k]
            inner = np.argsort(np.take_along_axis(near, chosen, axis=1), axis=1, kind="stable")
            order = np.take_along_axis(chosen, inner, axis=1)
        else:
            order = np.argsort(near, axis=1, kind="stable")
        reachable = np.isfinite(np.take_along_axis(near, order, axis=1))
        weight = np.where(reachable, counts[order], 0.0)
        before = np.cumsum(weight, axis=1) - weight
        weight = np.clip(self.neighbors - before, 0.0, weight)
        total = weight.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, (weight * values[order]).sum(axis=1) / total, np.nan)

    # regressions

    def _regress(self, matrix: np.ndarray, counts: np.ndarray) -> None:
        rows = _spread(len(matrix), MAX_ROWS)
        matrix, counts = matrix[rows], counts[rows]
        gap = np.isnan(matrix)
        filled = np.where(gap, self.arrays["fill"], matrix)
        share = weighted.totals(matrix, counts)
        order = np.argsort(-share, kind="stable")  # the fullest first
        gappy = [int(j) for j in order if gap[:, j].any()]
        limit = TOLERANCE * np.nanmax(np.abs(matrix)) if matrix.size else 0.0
        steps: list[tuple[int, np.ndarray]] = []
        for _ in range(ROUNDS):
            before = filled.copy()
            for j in gappy:
                line = _line(filled, matrix[:, j], j, counts)
                filled[gap[:, j], j] = filled[gap[:, j]] @ line[:-1] + line[-1]
                steps.append((j, line))
            if not gappy or np.max(np.abs(filled - before)) < limit:
                break
        # Columns that were full in training may have gaps later: one regression each, applied last.
        steps += [(int(j), _line(filled, matrix[:, j], int(j), counts)) for j in order if j not in gappy]
        self.arrays["columns"] = np.array([j for j, _ in steps], dtype=np.int64)
        self.arrays["lines"] = np.array([line for _, line in steps]).reshape(len(steps), matrix.shape[1] + 1)

    def _from_regressions(self, matrix: np.ndarray, gap: np.ndarray) -> np.ndarray:
        result = np.where(gap, self.arrays["fill"], matrix)
        rows_of = {int(j): np.flatnonzero(gap[:, j]) for j in np.unique(self.arrays["columns"])}
        for j, line in zip(self.arrays["columns"].tolist(), self.arrays["lines"]):
            rows = rows_of[j]
            if len(rows):
                result[rows, j] = result[rows] @ line[:-1] + line[-1]
        return result

    # state

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Settings for JSON and the learned arrays."""
        return {"method": self.method, "neighbors": self.neighbors}, dict(self.arrays)

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Imputer":
        """The imputer from ``state``."""
        imputer = cls(str(settings["method"]), int(settings["neighbors"]))
        imputer.arrays = dict(arrays)
        return imputer


def variance_ratio(missing: float, mean: float, std: float, fill: float) -> float:
    """Variance after a share of cells got one ``fill``, over the variance of the present cells.

    ``(1 - m) + m (1 - m) ((fill - mean) / std)^2``: filling with the mean leaves 1 - m of it.

    >>> variance_ratio(0.3, 5.0, 2.0, 5.0), round(variance_ratio(0.5, 0.0, 1.0, 2.0), 3)
    (0.7, 1.5)
    """
    away = (fill - mean) / std if std > 0 else 0.0
    return (1.0 - missing) * (1.0 + missing * away * away)


def _medians(matrix: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return weighted.quantiles(matrix, counts, np.array([0.5]))[0]


def _spread(n: int, limit: int) -> np.ndarray:
    """At most ``limit`` of n rows, evenly spaced."""
    return np.arange(n) if n <= limit else np.linspace(0, n - 1, limit).astype(np.int64)


def _distances(rows: np.ndarray, donors: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances over shared columns, scaled up to all columns; inf where none is shared."""
    a, b = ~np.isnan(rows), ~np.isnan(donors)
    x, y = np.where(a, rows, 0.0), np.where(b, donors, 0.0)
    shared = a.astype(float) @ b.T.astype(float)
    squared = (x * x) @ b.T + a @ (y * y).T - 2.0 * (x @ y.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(shared > 0, np.maximum(squared, 0.0) * rows.shape[1] / shared, np.inf)


def _line(filled: np.ndarray, column: np.ndarray, j: int, counts: np.ndarray) -> np.ndarray:
    """Coefficients (0 for the column itself) and intercept that predict column j from the others."""
    seen = ~np.isnan(column)
    others = np.delete(filled[seen], j, axis=1)
    coefficients, intercept = bayesian_ridge(others, column[seen], counts[seen])
    return np.append(np.insert(coefficients, j, 0.0), intercept)
