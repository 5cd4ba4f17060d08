"""What a network must beat: a dummy, a linear model and boosted trees on the same split."""

import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder
from threadpoolctl import threadpool_limits

from ganglion.base.errors import DataError
from ganglion.metrics.classification import classification_scores
from ganglion.metrics.regression import regression_scores

NAMES = ("dummy", "linear", "trees")
SECONDS = 60.0
"""Time for all baselines together where no limit is given."""
CELLS_PER_SECOND = {"dummy": 1e9, "linear": 5e5, "trees": 8e5}
"""Table cells (times classes or outputs) that a baseline gets through in a second on one slow core. The rows
are chosen from this rule and not by the clock, so that the same data always give the same baseline."""
TREES_PER_SECOND = 500
LEAST_ROWS = 1_000
ROUNDS = 100
TREE_CODES = 255
CELLS_PER_THREAD = 2_000_000


@dataclass
class Baseline:
    """One baseline: what it predicted for the validation part, and how good that was."""

    name: str
    scores: dict[str, float]
    """``score`` (accuracy or R^2), ``loss`` (log loss or mean square) and every other score of the task."""
    seconds: float
    rows: int
    """Rows that it was trained on."""
    note: str
    """Empty, or one sentence on what was done differently (a sample of the rows)."""
    prediction: NDArray[Any] = field(repr=False)
    """Labels or numbers for the validation part, ``(n,)`` or ``(n, outputs)``."""
    proba: NDArray[np.float64] | None = field(default=None, repr=False)
    """Probabilities ``(n, k)`` in the order of ``classes``; ``None`` for numbers."""


def baselines(
    X_train: ArrayLike,
    y_train: ArrayLike,
    X_valid: ArrayLike,
    y_valid: ArrayLike,
    task: str,
    *,
    cardinalities: Sequence[int] = (),
    classes: Sequence[Any] | None = None,
    sample_weight: ArrayLike | None = None,
    time_limit: float | None = None,
    random_state: int = 0,
) -> dict[str, Baseline]:
    """Train the three baselines on the numbers that the network sees, and score them on the same rows.

    * ``dummy``: always the most frequent class (with the classes' shares as probabilities), or the mean;
    * ``linear``: logistic or ridge regression, coded columns one-hot encoded;
    * ``trees``: histogram gradient boosting, coded columns as categories.

    Arguments: ``X_train`` ``(n, d)`` and ``X_valid`` ``(m, d)`` finite numbers whose last columns are codes,
    one per entry of ``cardinalities`` (codes 0..cardinality-1); ``y_*`` labels or numbers ``(n,)``, numbers
    also ``(n, outputs)``; ``task`` ``"binary"``, ``"multiclass"`` or ``"regression"``; ``classes`` the order
    of probabilities (default: sorted labels); ``time_limit`` seconds for all three, kept by training on a
    sample of a large table, which ``note`` then says.
    Raises ``DataError`` for another task or numbers that are not finite. With one class in ``y_train`` there
    is only the dummy.

    >>> X = np.linspace(-1, 1, 80).reshape(-1, 1)
    >>> found = baselines(X, X[:, 0] > 0.5, X, X[:, 0] > 0.5, "binary")
    >>> [(name, round(b.scores["accuracy"], 2)) for name, b in found.items()][0]
    ('dummy', 0.75)
    """
    X_train, X_valid = _matrix(X_train, "X_train"), _matrix(X_valid, "X_valid")
    y_train, y_valid = np.asarray(y_train), np.asarray(y_valid)
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if task not in ("binary", "multiclass", "regression"):
        raise DataError(f"task must be 'binary', 'multiclass' or 'regression', got {task!r}.")
    classify = task != "regression"
    if classify and classes is None:
        classes = np.unique(np.concatenate([y_train, y_valid])).tolist()
    names = NAMES[:1] if classify and len(np.unique(y_train)) < 2 else NAMES
    seconds = (time_limit or SECONDS) / len(NAMES)
    found = {}
    for name in names:
        effort = _effort(name, X_train, y_train, seconds, len(classes) if classify else 0, random_state)
        model = _model(name, classify, X_train.shape[1], tuple(cardinalities), y_train, effort, random_state)
        start = time.perf_counter()
        with warnings.catch_warnings(), threadpool_limits(effort.threads, user_api="openmp"):
            warnings.simplefilter("ignore")  # a baseline that stops early is still a baseline
            given = {} if weight is None else {_weight_name(model): weight[effort.rows]}
            model.fit(X_train[effort.rows], y_train[effort.rows], **given)
            prediction, proba = _predict(model, X_valid, y_valid, classes)
        took, rows = time.perf_counter() - start, len(y_train[effort.rows])
        scores = scores_of(y_valid, prediction, proba, classes)
        found[name] = Baseline(name, scores, took, rows, effort.note, prediction, proba)
    return found


@dataclass
class _Effort:
    """How much of the work is done: which rows, how many rounds of boosting, on how many threads."""

    rows: Any
    rounds: int
    threads: int
    note: str


def _matrix(X: ArrayLike, name: str) -> NDArray:
    matrix = np.asarray(X)
    if matrix.ndim != 2 or not np.issubdtype(matrix.dtype, np.number) or not np.isfinite(matrix).all():
        raise DataError(f"{name} must be a matrix of finite numbers: give what the preprocessor returns.")
    return matrix


def _effort(name: str, X: NDArray, y: NDArray, seconds: float, n_classes: int, seed: int) -> _Effort:
    n, width = X.shape
    # Boosting and the softmax do their work once per class (two classes need one) or output.
    times = (n_classes if n_classes > 2 else 1) if n_classes else (y.shape[1] if y.ndim == 2 else 1)
    most = max(LEAST_ROWS, int(seconds * CELLS_PER_SECOND[name] / (max(width, 1) * times)))
    rounds = int(np.clip(seconds * TREES_PER_SECOND / times, 10, ROUNDS))
    # Threads of a small job wait for each other: two busy cores took 200 times as long as one thread.
    cores = max(1, (os.cpu_count() or 1) // 2)
    threads = int(np.clip(min(n, most) * width * times // CELLS_PER_THREAD, 1, cores))
    if n <= most:
        return _Effort(slice(None), rounds, threads, "")
    order = np.random.default_rng(seed).permutation(n)
    rows = order[:most]
    if n_classes:
        # A rare class must not vanish from the sample.
        rows = np.union1d(rows, order[np.unique(y[order], return_index=True)[1]])
    note = f"trained on a random sample of {len(rows):,} of {n:,} rows to save time"
    return _Effort(np.sort(rows), rounds, threads, note)


def _model(
    name: str,
    classify: bool,
    width: int,
    cardinalities: tuple[int, ...],
    y: NDArray,
    effort: _Effort,
    seed: int,
) -> Any:
    codes = list(range(width - len(cardinalities), width))
    if name == "dummy":
        return DummyClassifier(strategy="prior") if classify else DummyRegressor()
    if name == "linear":
        one_hot = ColumnTransformer(
            [("codes", OneHotEncoder(handle_unknown="ignore"), codes)], remainder="passthrough"
        )
        last = LogisticRegression(max_iter=300) if classify else Ridge()
        return Pipeline([("one_hot", one_hot), ("model", last)] if codes else [("model", last)])
    # The trees know categories of up to 255 levels; longer ones are read as numbers.
    known = [column for column, size in zip(codes, cardinalities) if size <= TREE_CODES]
    settings = {"categorical_features": known or None, "max_iter": effort.rounds, "random_state": seed}
    if classify:
        return HistGradientBoostingClassifier(**settings)
    trees = HistGradientBoostingRegressor(**settings)
    return MultiOutputRegressor(trees) if y.ndim == 2 else trees


def _predict(
    model: Any, X: NDArray, y: NDArray, classes: Sequence[Any] | None
) -> tuple[NDArray, NDArray | None]:
    if classes is None:
        return model.predict(X).reshape(y.shape), None
    proba = aligned(model, X, classes)
    return np.asarray(classes)[proba.argmax(axis=1)], proba


def scores_of(
    y: NDArray, prediction: NDArray, proba: NDArray | None, classes: Sequence[Any] | None
) -> dict[str, float]:
    """Every score, with the two that a ``TrainingRecord`` keeps of a network under the same names."""
    if proba is None or classes is None:
        scores = regression_scores(y, prediction)
        loss, main = float(((y - prediction) ** 2).mean()), scores.get("r2")
    else:
        scores = classification_scores(y, proba, classes)
        loss, main = scores.get("log_loss"), scores["accuracy"]
    named = {"loss": loss, "score": main}
    return scores | {name: value for name, value in named.items() if value is not None}


def _weight_name(model: Any) -> str:
    return "model__sample_weight" if isinstance(model, Pipeline) else "sample_weight"


def aligned(model: Any, X: Any, classes: Sequence[Any]) -> NDArray[np.float64]:
    """The model's probabilities with a column per entry of ``classes``; 0 for one it has not seen."""
    place = {label: i for i, label in enumerate(np.asarray(classes).tolist())}
    proba = np.zeros((len(X), len(classes)))
    columns = [place[label] for label in model.classes_.tolist()]
    proba[:, columns] = model.predict_proba(X)
    return proba
