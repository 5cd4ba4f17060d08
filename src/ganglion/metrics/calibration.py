"""Does "90 % sure" mean right nine times out of ten? The curve, its summary, and a temperature that mends it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from ganglion.base.errors import DataError

COLDEST, HOTTEST = 0.05, 20.0  # temperatures that are looked at


class CalibrationCurve(NamedTuple):
    """Points of a calibration curve, from the least to the most confident rows."""

    promised: NDArray[np.float64]
    """Mean predicted probability per group, ``(g,)``."""
    observed: NDArray[np.float64]
    """Share of the group for which it came true, ``(g,)``."""
    rows: NDArray[np.intp]
    """Rows per group, ``(g,)``."""


def calibration_curve(outcome: ArrayLike, probability: ArrayLike, groups: int = 10) -> CalibrationCurve:
    """Rows sorted by predicted probability, cut into equal groups: what was promised, what came true.

    Groups of equal size keep every point equally certain; equal probabilities stay in one group.

    Arguments: ``outcome`` 0/1 or booleans ``(n,)``; ``probability`` in [0, 1] ``(n,)``; ``groups`` at most
    this many points. Raises ``DataError`` where the lengths differ or nothing is given.

    >>> curve = calibration_curve([0, 0, 1, 1], [0.1, 0.1, 0.9, 0.9], groups=2)
    >>> curve.promised.tolist(), curve.observed.tolist()
    ([0.1, 0.9], [0.0, 1.0])
    """
    came_true, promised = np.asarray(outcome, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    if came_true.shape != promised.shape or promised.ndim != 1 or not len(promised):
        raise DataError(
            f"outcome and probability must be columns of one length, got {came_true.shape} and "
            f"{promised.shape}: give one of each per row."
        )
    edges = np.unique(np.quantile(promised, np.linspace(0, 1, groups + 1)))
    group = np.searchsorted(edges[1:-1], promised, side="right")
    rows = np.bincount(group)
    some = rows > 0
    mean_of = lambda values: np.bincount(group, weights=values)[some] / rows[some]  # noqa: E731
    return CalibrationCurve(mean_of(promised), mean_of(came_true), rows[some])


def expected_calibration_error(
    codes: ArrayLike, proba: ArrayLike, bins: int = 15, sample_weight: ArrayLike | None = None
) -> float:
    r"""How far the confidence in the predicted class is from being right, on average over ``bins``.

    :math:`\sum_b \frac{n_b}{n} |\mathrm{accuracy}_b - \mathrm{confidence}_b|` with bins of equal width
    (Guo et al., *On calibration of modern neural networks*, ICML 2017). It is biased upwards on few rows.

    Arguments: ``codes`` true classes 0..k-1 ``(n,)``; ``proba`` ``(n, k)``; ``sample_weight`` ``(n,)``.

    >>> round(expected_calibration_error([0, 1], [[0.8, 0.2], [0.2, 0.8]]), 3)
    0.2
    """
    matrix = np.asarray(proba, dtype=np.float64)
    confidence = matrix.max(axis=1)
    right = matrix.argmax(axis=1) == np.asarray(codes)
    weight = np.ones(len(matrix)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    group = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    gap = np.bincount(group, weights=weight * (right - confidence))
    return float(np.abs(gap).sum() / weight.sum())


class Temperature(NamedTuple):
    """By what logits are divided, and the mean cross-entropy that is left then, in nats."""

    value: float
    loss: float


def best_temperature(
    logits: ArrayLike, codes: ArrayLike, sample_weight: ArrayLike | None = None
) -> Temperature:
    r"""The T, from 0.05 to 20, whose :math:`\mathrm{softmax}(\mathrm{logits} / T)` has the least cross-entropy.

    One number for all rows and classes (Guo et al. 2017): confidence changes, the order of the classes does not. The
    loss that is left says how well the classes are told apart, whatever the confidence ("refinement"; Berta,
    Holzmüller, Jordan and Bach 2025, arXiv:2501.19195).

    Arguments: ``logits`` (n, k); ``codes`` true classes 0..k-1 (n,); ``sample_weight`` (n,).

    >>> T = best_temperature([[4.0, 0], [4, 0], [4, 0], [0, 4]], [0, 0, 1, 1])  # 3 of 4 right at odds of e^4
    >>> round(math.exp(4 / T.value), 1)
    3.0
    """
    z, rows = np.asarray(logits, dtype=np.float64), np.arange(len(codes))  # type: ignore[arg-type]
    z = z - z[rows, np.asarray(codes)][:, None]
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)

    def loss(log_sharpness: float) -> float:
        return float(np.average(logsumexp(math.exp(log_sharpness) * z, axis=1), weights=weight))

    bounds = (-math.log(HOTTEST), -math.log(COLDEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return Temperature(math.exp(-found.x), float(found.fun))
