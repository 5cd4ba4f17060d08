"""Which columns of the matrix a network gets: ``select="l1"``, ``"mutual_information(20)"``, ``"permutation(20)"``.

Learned from training rows alone, at most 5,000 of them. A category with learned vectors is one column here: the L1
path sees it as its means of the target over other rows, the other two by its codes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from ganglion.base.errors import ParameterError
from ganglion.base.fields import LARGEST, why_not
from ganglion.base.named import named
from ganglion.data import weighted
from ganglion.data.goal import Goal
from ganglion.data.l1path import FOLDS, best_penalty, falling_penalties, l1_path
from ganglion.data.level_means import out_of_fold
from ganglion.data.split import permutation

MAX_ROWS = 5_000
BINS = 16  # of a number, and of a numeric target, for mutual information
BY_CHANCE = 0.01  # share of idle columns that mutual information may keep
REPEATS = 5
TREES = 50
HELD = 0.25  # share of rows on which columns are shuffled
MOST_LEVELS = 255  # of a category that the trees take as one


@dataclass(frozen=True)
class Sample:
    """Training rows for a choice: matrix (n, d), weights (n,), target, and how many real columns come first."""

    matrix: np.ndarray
    counts: np.ndarray
    goal: Goal
    n_real: int


Choice = Callable[[Sample], np.ndarray]
"""From a sample to one truth value per column (d,)."""


def l1(most: int | None = None, penalty: float | None = None) -> Choice:
    """Columns with a weight other than 0 in a linear model with L1 penalty (see ``l1path``).

    The penalty is the given one; or the least on the path with at most ``most`` columns; or the largest whose
    cross-validated error is within one standard error of the least.
    """
    _check_most(most)
    if penalty is not None and (
        isinstance(penalty, bool | str) or not 0 < penalty <= LARGEST or most is not None
    ):
        raise ParameterError(
            f"select: l1 takes a number of columns or a penalty above 0, got most={most!r}, penalty={penalty!r}."
        )

    def choose(sample: Sample) -> np.ndarray:
        X, owner = _linear_columns(sample)
        classes = sample.goal.codes is not None
        y = sample.goal.columns if classes else _standard(sample.goal.columns, sample.counts)
        task = X, y, sample.counts
        penalties = falling_penalties(*task, classes=classes)
        if most is None:
            fold = np.empty(len(X), dtype=np.int64)
            fold[permutation(0, len(X))] = np.arange(len(X)) % min(FOLDS, len(X))
            last = penalty
            if last is None:
                last = best_penalty(*task, penalties, fold, classes=classes) if len(X) > 1 else 0.0
            penalties = np.append(penalties[penalties > last], last)
        chosen = np.zeros(sample.matrix.shape[1], bool)
        for b, _ in l1_path(*task, penalties, classes=classes):
            now = np.zeros(len(chosen), bool)
            now[owner[b.any(axis=1)]] = True
            if most is not None and now.sum() > most:
                break
            chosen = now
        return chosen

    return choose


def mutual_information(most: int | None = None) -> Choice:
    """Columns that say most about the target, or, without a number, more than chance would make them say.

    ``I = sum p(x, y) log(p(x, y) / (p(x) p(y)))`` over 16 quantile bins of each number; 2 n I of an idle column is
    chi-squared with (rows - 1)(columns - 1) degrees of freedom (Wilks 1938), the limit is its 99 % quantile.
    """
    _check_most(most)

    def choose(sample: Sample) -> np.ndarray:
        goals = [sample.goal.codes] if sample.goal.codes is not None else [
            _binned(column, sample.counts) for column in sample.goal.columns.T
        ]  # fmt: skip
        gains = np.zeros(sample.matrix.shape[1])
        for j, column in enumerate(sample.matrix.T):
            codes = _binned(column, sample.counts) if j < sample.n_real else column.astype(np.int64)
            found = [information(codes, y, sample.counts) for y in goals]
            free = [max(len(np.unique(codes)) - 1, 1) * max(len(np.unique(y)) - 1, 1) for y in goals]
            limits = chi2.ppf(1 - BY_CHANCE, free) / (2 * sample.counts.sum())
            # without a number: by how much it is beyond chance
            gains[j] = max(f - (limit if most is None else 0.0) for f, limit in zip(found, limits))
        return _best(gains, most)

    return choose


def permutation_scores(most: int | None = None) -> Choice:
    """Columns whose shuffling costs boosted trees most on a quarter of the rows (Breiman 2001).

    Without a number those that cost more than twice their own spread over 5 shuffles.
    """
    _check_most(most)

    def choose(sample: Sample) -> np.ndarray:
        gains = np.zeros(sample.matrix.shape[1])
        targets = sample.goal.columns.T if sample.goal.codes is None else [sample.goal.codes]
        for y in targets:
            mean, spread = _shuffled(sample, y)
            gains = np.maximum(gains, mean if most is not None else mean - 2 * spread)
        return _best(gains, most)

    return choose


SELECTIONS: dict[str, Callable[..., Choice]] = {
    "l1": l1,
    "mutual_information": mutual_information,
    "permutation": permutation_scores,
}


def selection(text: str) -> Choice:
    """The choice that a text such as ``"l1(20)"`` names; raises ``ParameterError``."""
    return named("select", text, SELECTIONS)


def _check_most(most: object) -> None:
    if most is not None and (
        not isinstance(most, int) or isinstance(most, bool) or most < 1 or why_not(most)
    ):
        raise ParameterError(
            f"select: the number of columns is expected to be whole and above 0, got {most!r}."
        )


def select_columns(text: str, sample: Sample) -> np.ndarray:
    """Places (ascending) of the columns that a text such as ``"l1(20)"`` keeps; one at least.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(300, 4))
        >>> goal = Goal.of(X[:, 2] + 0.1 * X[:, 0], 300)
        >>> select_columns("mutual_information(1)", Sample(X, np.ones(300), goal, 4)).tolist()
        [2]
    """
    rows = np.linspace(0, len(sample.matrix) - 1, min(len(sample.matrix), MAX_ROWS)).astype(np.int64)
    part = Sample(
        sample.matrix[rows].astype(np.float64), sample.counts[rows], sample.goal.take(rows), sample.n_real
    )
    kept = np.flatnonzero(selection(text)(part))
    if not len(kept):
        kept = np.flatnonzero(mutual_information(1)(part))
    return kept if len(kept) else np.arange(1)


def information(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> float:
    """Mutual information of two codings (n,) in nats, with weights (n,).

    >>> round(information(np.array([0, 0, 1, 1]), np.array([1, 1, 0, 0]), np.ones(4)), 4)  # log 2
    0.6931
    """
    a, b = (np.unique(codes, return_inverse=True)[1] for codes in (a, b))
    width = b.max() + 1
    joint = np.bincount(a * width + b, counts, minlength=(a.max() + 1) * width).reshape(-1, width)
    joint = joint / joint.sum()
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    met = joint > 0
    return float((joint[met] * np.log(joint[met] / apart[met])).sum())


def _best(gains: np.ndarray, most: int | None) -> np.ndarray:
    chosen = gains > 0
    if most is not None:
        chosen[np.argsort(-gains, kind="stable")[most:]] = False
    return chosen


def _binned(column: np.ndarray, counts: np.ndarray) -> np.ndarray:
    levels = np.unique(column)
    if len(levels) <= BINS:
        return np.searchsorted(levels, column)
    edges = weighted.quantiles(column[:, None], counts, np.linspace(0, 1, BINS + 1)[1:-1])[:, 0]
    return np.searchsorted(np.unique(edges), column, side="right")


def _standard(block: np.ndarray, counts: np.ndarray) -> np.ndarray:
    mean = weighted.means(block, counts)
    spread = weighted.deviations(block, counts, mean)
    return (block - mean) / np.where(spread > 1e-12 * (1 + np.abs(mean)), spread, np.inf)


def _linear_columns(sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Columns for a linear model, and which column of the matrix each belongs to."""
    blocks, owner = [sample.matrix[:, : sample.n_real]], list(range(sample.n_real))
    for j in range(sample.n_real, sample.matrix.shape[1]):
        codes = sample.matrix[:, j].astype(np.int64)
        blocks.append(out_of_fold(codes, sample.goal.columns, sample.counts, int(codes.max()) + 1))
        owner += [j] * blocks[-1].shape[1]
    return _standard(np.hstack(blocks), sample.counts), np.array(owner)


def _shuffled(sample: Sample, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of what trees lose (in R^2 or log loss) by the shuffling of each column."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.inspection import permutation_importance

    classes = sample.goal.codes is not None
    order = permutation(0, len(y))
    held, rest = np.split(order, [max(1, round(HELD * len(y)))])
    nothing = np.zeros(sample.matrix.shape[1])
    if classes:  # the trees can only be asked for classes that they have met
        held = held[np.isin(y[held], y[rest])]
    if min(len(rest), len(held)) < 2 or (classes and len(np.unique(y[rest])) < 2):
        return nothing, nothing
    few = [j for j in range(sample.n_real, len(nothing)) if sample.matrix[:, j].max() < MOST_LEVELS]
    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    trees = kind(max_iter=TREES, early_stopping=False, categorical_features=few or None, random_state=0)
    trees.fit(sample.matrix[rest], y[rest], sample_weight=sample.counts[rest])
    found = permutation_importance(
        trees, sample.matrix[held], y[held], scoring=_log_loss if classes else "r2", n_repeats=REPEATS,
        random_state=0, sample_weight=sample.counts[held],
    )  # fmt: skip
    return found.importances_mean, found.importances_std


def _log_loss(trees: object, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray) -> float:
    proba = trees.predict_proba(X)  # type: ignore[attr-defined]
    right = proba[np.arange(len(y)), np.searchsorted(trees.classes_, y)]  # type: ignore[attr-defined]
    return float(np.average(np.log(right.clip(1e-12)), weights=sample_weight))
