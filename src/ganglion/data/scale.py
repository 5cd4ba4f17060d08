"""Bringing numeric columns to one scale: standard, robust, min-max, quantile, and the shipped choice."""

from typing import Any

import numpy as np
from scipy.special import ndtri

from ganglion.data import weighted

METHODS = ("auto", "none", "standard", "robust", "minmax", "quantile")
REFERENCES = 257  # quantiles i/256 are exact in binary, so that weights and repeated rows agree
MAX_ROWS = 200_000
_EDGE = 1e-7


class Scaler:
    """Learns the scale of each column; what it learned is plain arrays.

    * ``standard``: (x - mean) / standard deviation.
    * ``robust``: (x - median) / (third - first quartile).
    * ``minmax``: to [0, 1] over the training rows.
    * ``quantile``: by the distribution function to a normal distribution (257 references).
    * ``auto``: robust, then x / sqrt(1 + (x/3)^2), which leaves the middle as it is and bends outliers
      smoothly below 3 (Holzmüller et al. 2024, RealMLP). Where the quartiles meet, half the range
      stands for their distance. Measured with a plain network of 64-64 units (3 seeds), ``quantile`` was
      better on California housing (R^2 0.800 against 0.788), worse on Adult (accuracy 0.844 against 0.847).

    A column without spread becomes 0.

    Args:
        method: one of ``METHODS``.

    Example:
        >>> X = np.array([[0.0], [5.0], [10.0]])
        >>> Scaler("minmax").fit(X, np.ones(3)).transform(X)[:, 0].tolist()
        [0.0, 0.5, 1.0]
    """

    def __init__(self, method: str = "auto") -> None:
        self.method = method
        self.arrays: dict[str, np.ndarray] = {}

    def fit(self, matrix: np.ndarray, counts: np.ndarray) -> "Scaler":
        """Learn from the training rows.

        Args:
            matrix: (n, d), NaN = missing (not counted).
            counts: (n,) how often each row counts.
        """
        if self.method == "quantile":
            self.arrays = {"references": _references(matrix, counts)}
        elif self.method != "none":
            centre, width = getattr(self, f"_{self.method}")(matrix, counts)
            factor = np.zeros_like(width)
            np.divide(1.0, width, out=factor, where=width > 1e-10 * np.abs(centre) + 1e-300)
            factor[~np.isfinite(factor)] = 0.0
            self.arrays = {"centre": centre, "factor": factor}
        return self

    def _standard(self, matrix: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean = weighted.means(matrix, counts)
        return mean, weighted.deviations(matrix, counts, mean)

    def _minmax(self, matrix: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low = np.fmin.reduce(matrix, axis=0)
        return low, np.fmax.reduce(matrix, axis=0) - low

    def _robust(self, matrix: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        matrix, counts = _some_rows(matrix, counts)
        low, middle, high = weighted.quantiles(matrix, counts, np.array([0.25, 0.5, 0.75]))
        return middle, high - low

    def _auto(self, matrix: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        centre, width = self._robust(matrix, counts)
        spread = np.fmax.reduce(matrix, axis=0) - np.fmin.reduce(matrix, axis=0)
        return centre, np.where(width > 0, width, spread / 2)

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """The rows (n, d) on the learned scale, as float64 (a new array)."""
        if self.method == "none":
            return matrix.astype(np.float64)
        if self.method == "quantile":
            return _to_normal(matrix, self.arrays["references"])
        result = matrix - self.arrays["centre"]
        result *= self.arrays["factor"]
        if self.method == "auto":
            # hypot does not overflow where the square would
            result /= np.hypot(1.0, result / 3.0)
        return result

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Settings for JSON and the learned arrays."""
        return {"method": self.method}, dict(self.arrays)

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Scaler":
        """The scaler from ``state``."""
        scaler = cls(str(settings["method"]))
        scaler.arrays = dict(arrays)
        return scaler


def _some_rows(matrix: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most 200,000 evenly spaced rows: quantiles gain nothing from more."""
    if len(matrix) <= MAX_ROWS:
        return matrix, counts
    rows = np.linspace(0, len(matrix) - 1, MAX_ROWS).astype(np.int64)
    return matrix[rows], counts[rows]


def _references(matrix: np.ndarray, counts: np.ndarray) -> np.ndarray:
    matrix, counts = _some_rows(matrix, counts)
    return weighted.quantiles(matrix, counts, np.linspace(0.0, 1.0, REFERENCES))


def _to_normal(matrix: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Share of the training rows below (ties: the middle), as the quantile of a normal distribution."""
    levels = np.linspace(0.0, 1.0, len(references))
    result = np.zeros(matrix.shape)
    for j in range(matrix.shape[1]):
        known = references[:, j]
        if known[0] < known[-1]:
            below = np.interp(matrix[:, j], known, levels)
            above = np.interp(-matrix[:, j], -known[::-1], -levels[::-1])
            result[:, j] = ndtri(np.clip((below - above) / 2, _EDGE, 1 - _EDGE))
    return result
