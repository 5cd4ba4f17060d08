"""The L1 path: linear models with ever smaller penalty, which let in one column after another.

    numbers   (1 / 2n) sum w (y - x b - a)^2 + penalty sum |b|                     (Lasso, Tibshirani 1996)
    classes   (1 / n) sum w log loss(y, softmax(x b + a)) + penalty sum |b|        (two classes: one column b)

solved by the accelerated proximal gradient (FISTA, Beck & Teboulle 2009) with restarts, each from the last; the
proximal step ``sign(b) max(|b| - step penalty, 0)`` makes exact zeros.
"""

from collections.abc import Iterator
from functools import reduce

import numpy as np
from scipy.special import expit

PENALTIES = 40
LEAST = 1e-2  # the path's last penalty, as a share of the first
MOST_STEPS = 1_000
TOLERANCE = 1e-6
ROUGH = 1e-4  # enough to compare penalties
FOLDS = 5
RELAXED = 0.1


class L1Problem:
    """The smooth half of the problem on columns X (n, d) and targets y (n, k) with weights (n,).

    Columns and numeric targets should be centred and of deviation 1, so that one penalty is fair to all.

    Args:
        classes: y holds 0 and 1: one column of two classes, or one for each of more.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, counts: np.ndarray, *, classes: bool) -> None:
        self.X, self.y, self.classes = X, y, classes
        self.share = (counts / counts.sum())[:, None]
        self.gram = X.T @ (self.share * X)
        self.cross = X.T @ (self.share * y)
        self.mean, self.y_mean = (self.share * X).sum(axis=0), (self.share * y).sum(axis=0)
        # a bound on the loss's second derivative, and on the curvature of columns and offset together
        bend = 1.0 if not classes else 0.25 if y.shape[1] == 1 else 0.5
        whole = np.block([[self.gram, self.mean[:, None]], [self.mean[None], np.ones((1, 1))]])
        self.step = 1.0 / (bend * np.linalg.eigvalsh(whole)[-1])

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        """No column, and the offset (k,) that is best then."""
        blank, p = np.zeros((self.X.shape[1], self.y.shape[1])), np.clip(self.y_mean, 1e-9, 1 - 1e-9)
        if not self.classes:
            return blank, self.y_mean
        return blank, np.log(p / (1 - p)) if len(p) == 1 else np.log(p)

    def answer(self, b: np.ndarray, a: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Predicted numbers or probabilities (n, k)."""
        eta = X @ b + a
        return eta if not self.classes else expit(eta) if eta.shape[1] == 1 else _softmax(eta)

    def slope(self, b: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The gradient by the coefficients (d, k) and by the offset (k,)."""
        if not self.classes:
            return self.gram @ b + np.outer(self.mean, a) - self.cross, self.mean @ b + a - self.y_mean
        used = np.flatnonzero(b.any(axis=1))  # most columns are out on most of the path
        rest = self.share * (self.answer(b[used], a, self.X[:, used]) - self.y)
        return self.X.T @ rest, rest.sum(axis=0)

    def largest(self) -> float:
        """The penalty from which on no column is in."""
        return float(np.abs(self.slope(*self.start())[0]).max(initial=0.0))

    def solve(
        self, penalty: float, b: np.ndarray, a: np.ndarray, tolerance: float = TOLERANCE
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best coefficients and offset for a penalty, from a start."""
        at, at_a, speed = b, a, 1.0
        for _ in range(MOST_STEPS):
            gb, ga = self.slope(at, at_a)
            moved = at - self.step * gb
            new = np.sign(moved) * np.maximum(np.abs(moved) - self.step * penalty, 0.0)
            new_a = at_a - self.step * ga
            if ((at - new) * (new - b)).sum() > 0:  # it ran past the valley: without speed from here
                speed = 1.0
            faster = (1 + np.sqrt(1 + 4 * speed**2)) / 2
            push = (speed - 1) / faster
            change = max(np.abs(new - b).max(initial=0.0), np.abs(new_a - a).max(initial=0.0))
            at, at_a = new + push * (new - b), new_a + push * (new_a - a)
            b, a, speed = new, new_a, faster
            if change <= tolerance * max(np.abs(b).max(initial=0.0), 1e-3):
                break
        return b, a

    def loss(self, b: np.ndarray, a: np.ndarray, X: np.ndarray, y: np.ndarray, counts: np.ndarray) -> float:
        """Mean squared error, or log loss, of other rows."""
        answer = self.answer(b, a, X)
        if not self.classes:
            return float(np.average(((y - answer) ** 2).sum(axis=1), weights=counts))
        if y.shape[1] == 1:
            answer, y = np.column_stack([1 - answer, answer]), np.column_stack([1 - y, y])
        return float(np.average(-np.log((answer * y).sum(axis=1).clip(1e-12)), weights=counts))


def _softmax(eta: np.ndarray) -> np.ndarray:
    e = np.exp(
        eta - reduce(np.maximum, eta.T)[:, None]
    )  # along few columns this is five times as fast as by rows
    return e / (e @ np.ones(eta.shape[1]))[:, None]


def l1_path(
    X: np.ndarray,
    y: np.ndarray,
    counts: np.ndarray,
    penalties: np.ndarray,
    *,
    classes: bool = False,
    tolerance: float = TOLERANCE,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Coefficients (d, k) and offset (k,) for each penalty, best given in falling order.

    Args:
        X: (n, d) centred columns of deviation 1.
        y: (n, k) numbers, or 0 and 1 for ``classes`` (two classes: k = 1).
        counts: (n,) weights.
        penalties: of ``sum |b|``.
        tolerance: the change of a coefficient, as a share of the largest, that ends a solution.

    >>> X = np.array([[-1.0, 0.5], [1.0, 0.5], [-1.0, -0.5], [1.0, -0.5]])
    >>> [b[:, 0].round(3).tolist() for b, _ in l1_path(X, 2 * X[:, :1], np.ones(4), np.array([1.0, 0.5]))]
    [[1.0, 0.0], [1.5, 0.0]]
    """
    problem = L1Problem(X, y, counts, classes=classes)
    b, a = problem.start()
    for penalty in penalties:
        b, a = problem.solve(float(penalty), b, a, tolerance)
        yield b, a


def falling_penalties(
    X: np.ndarray, y: np.ndarray, counts: np.ndarray, *, classes: bool = False
) -> np.ndarray:
    """40 penalties, each the same share of the one before, from where the first column enters to a hundredth."""
    largest = L1Problem(X, y, counts, classes=classes).largest()
    return max(largest, 1e-300) * np.geomspace(1.0, LEAST, PENALTIES)


def best_penalty(
    X: np.ndarray,
    y: np.ndarray,
    counts: np.ndarray,
    penalties: np.ndarray,
    fold: np.ndarray,
    *,
    classes: bool = False,
) -> float:
    """The largest penalty whose columns do, over folds, within a standard error as well as the best penalty's.

    The columns that a penalty lets in are fitted again with a tenth of it, and the error of that fit counts (the
    relaxed Lasso, Meinshausen 2007): else small penalties win because they shrink less, and let in idle columns.
    Arguments are those of ``l1_path``; ``fold`` (n,) tells which rows are held out together.
    """
    errors = []
    for held in (fold == f for f in np.unique(fold)):
        path = l1_path(X[~held], y[~held], counts[~held], penalties, classes=classes, tolerance=ROUGH)
        losses = []
        for penalty, (b, a) in zip(penalties, path):
            used = np.flatnonzero(b.any(axis=1))
            problem = L1Problem(X[~held][:, used], y[~held], counts[~held], classes=classes)
            again = problem.solve(RELAXED * float(penalty), b[used], a, ROUGH)
            losses.append(problem.loss(*again, X[held][:, used], y[held], counts[held]))
        errors.append(losses)
    mean, spread = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1) / np.sqrt(len(errors))
    least = int(mean.argmin())
    return float(penalties[np.flatnonzero(mean <= mean[least] + spread[least])[0]])
