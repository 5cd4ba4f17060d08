"""Learning curves: scores by number of rows, the power law behind them, and whether bias or variance rules."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.split import plain_split, stratified_split
from ganglion.diagnose import Finding, diagnose

SIZES = (0.125, 0.25, 0.5, 1.0)
EXPONENTS = np.linspace(
    0.05, 2.0, 79
)  # slopes seen in practice lie between 0.07 and 1 (Hestness et al. 2017)


@dataclass
class PowerLaw:
    """``error(n) = floor + scale * n ** -exponent``.

    >>> round(PowerLaw(0.1, 1.0, 0.5)(100), 3)
    0.2
    """

    floor: float
    scale: float
    exponent: float

    def __call__(self, n: float) -> float:
        """The error expected from n rows."""
        return self.floor + self.scale * float(n) ** -self.exponent


@dataclass
class LearningCurve:
    """Scores by number of rows, and the estimator that was trained on all of them.

    ``rows`` has ``n_train``, ``train_score``, ``val_score``; they also stand in ``estimator.record_.curve``, and
    ``findings`` is the verdict with them.
    """

    rows: list[dict[str, float]]
    estimator: Any
    findings: list[Finding]

    def law(self) -> PowerLaw:
        """The power law of the held-out error, 1 - score."""
        return fit_power_law([r["n_train"] for r in self.rows], [1.0 - r["val_score"] for r in self.rows])


def learning_curve(
    estimator: Any, X: Any, y: Any, *, sizes: tuple[float, ...] = SIZES, held_out: float = 0.25, seed: int = 0
) -> LearningCurve:
    """Train copies of an estimator on ever more rows and score each on the same rows kept aside.

    Where training and held-out score meet far below what other models reach, bias rules: more rows do not help, a
    larger network does. Where they stay apart and the held-out score rises, variance rules: more rows help.

    Arguments:
        estimator: any estimator with ``fit`` and ``score``; it is not changed.
        X, y: (n, columns) rows and (n,) targets as arrays.
        sizes: shares of the rows that are not kept aside, each in (0, 1]; smaller parts lie within larger ones.
        held_out: share of rows to score on.
        seed: of the parts.

    Raises ``ParameterError`` for sizes outside (0, 1], ``DataError`` for too few rows.

    >>> from ganglion.estimators.mlp import MLPRegressor
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> curve = learning_curve(MLPRegressor(max_epochs=5), X, X[:, 0], sizes=(0.5, 1.0))
    >>> [r["n_train"] for r in curve.rows]
    [75, 150]
    """
    if not sizes or min(sizes) <= 0 or max(sizes) > 1:
        raise ParameterError(
            f"sizes expects shares above 0 and at most 1, got {tuple(sizes)}; give e.g. (0.5, 1)."
        )
    X, y = np.asarray(X), np.asarray(y)
    classes = is_classifier(estimator)
    codes = np.unique(y, return_inverse=True)[1] if classes else y
    train, held = stratified_split(codes, held_out, seed) if classes else plain_split(len(y), held_out, seed)
    order = np.random.default_rng(seed).permutation(train)
    if len(order) * min(sizes) < 4 or len(held) < 2:
        raise DataError(
            f"a learning curve expects at least 4 rows in its smallest part, got {len(y)} in all; give more."
        )
    rows: list[dict[str, float]] = []
    fitted = estimator
    for share in sorted(sizes):
        part = order[: round(len(order) * share)]
        if classes and len(np.unique(codes[part])) < 2:
            continue
        fitted = clone(estimator).fit(X[part], y[part])
        scores = {"train_score": fitted.score(X[part], y[part]), "val_score": fitted.score(X[held], y[held])}
        rows.append({"n_train": len(part), **{k: float(v) for k, v in scores.items()}})
    findings: list[Finding] = []
    if hasattr(fitted, "record_"):
        fitted.record_.curve = rows
        fitted.record_.data["n_curve"] = len(held)
        findings = fitted.diagnosis_ = diagnose(fitted.record_)
    return LearningCurve(rows, fitted, findings)


def fit_power_law(sizes: Any, errors: Any) -> PowerLaw:
    """The least-squares fit of ``floor + scale * n ** -exponent`` in relative error, floor and scale not below 0.

    Arguments:
        sizes: (m,) numbers of rows, at least two different ones.
        errors: (m,) errors above 0.

    Raises ``DataError`` for fewer than two sizes.

    >>> n = np.array([100, 200, 400, 800])
    >>> law = fit_power_law(n, 0.05 + 3.0 * n**-0.5)
    >>> bool(abs(law(1600) - 0.125) < 0.002)
    True
    """
    n, error = np.asarray(sizes, dtype=np.float64), np.maximum(np.asarray(errors, dtype=np.float64), 1e-9)
    if len(np.unique(n)) < 2:
        raise DataError(
            f"a power law expects errors at two sizes or more, got {len(np.unique(n))}; give more sizes."
        )
    best = (np.inf, PowerLaw(float(error.mean()), 0.0, 1.0))
    for exponent in EXPONENTS:
        fall = n**-exponent
        columns = np.column_stack([np.ones_like(n), fall]) / error[:, None]
        for use in ([0, 1], [1], [0]):  # the bounds at 0 by leaving parts out
            found = np.zeros(2)
            found[use] = np.linalg.lstsq(columns[:, use], np.ones(len(n)), rcond=None)[0]
            rest = float(((columns @ found - 1.0) ** 2).sum())
            if found.min() >= 0 and rest < best[0]:
                best = rest, PowerLaw(float(found[0]), float(found[1]), float(exponent))
    return best[1]
