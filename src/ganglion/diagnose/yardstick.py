"""The yardsticks: simple models in milliseconds, so that every record can tell whether there is something to find."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.data.facts import table_facts
from ganglion.diagnose.directions import direction_facts
from ganglion.diagnose.doubt import confident_errors, gross_errors
from ganglion.diagnose.kernel import kernel_ridge
from ganglion.metrics.tasks import fit_scores

ROWS = 2000  # more rows hardly move a linear model's score
COLUMNS = 300  # the normal equations of so many columns take milliseconds; of more, the first are used
RIDGE = 1.0  # on standardised columns: as strong as one row
WEAK_RIDGE = 1e-4  # leaves directions a hundred times weaker than the columns as they are


def linear_yardstick(
    X_train: NDArray, y_train: NDArray, X_valid: NDArray, y_valid: NDArray, *, classes: int | None = None
) -> dict[str, float]:
    """Scores of ridge regression (of one-hot targets for classes) on held-out rows, in closed form.

    ``W = (X'X + I)^-1 X'Y`` over standardised columns; for classes the largest column of ``X W`` wins.

    Arguments:
        X_train, X_valid: (n, d) and (m, d) numbers; columns that are not finite are left out.
        y_train, y_valid: codes (n,), or numbers (n,) or (n, k).
        classes: the number of classes; ``None`` for numbers.

    Returns the keys that a record's baselines have; empty where there are too few rows to fit or to judge.

    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> linear_yardstick(X, 3 * X[:, 0], X, 3 * X[:, 0])["score"] > 0.99
    True
    """
    if len(X_train) < 3 or len(X_valid) < 2:
        return {}
    pick = np.random.default_rng(0).permutation(len(X_train))[:ROWS]
    A, B = (np.asarray(X[:, :COLUMNS], dtype=np.float64) for X in (X_train[pick], X_valid))
    use = np.isfinite(A).all(0) & np.isfinite(B).all(0) & (A.std(0) > 0)
    mean, std = A[:, use].mean(0), A[:, use].std(0)
    A, B = (A[:, use] - mean) / std, (B[:, use] - mean) / std
    y = np.asarray(y_train)[pick]
    goal = np.eye(classes)[y] if classes is not None else np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    start = goal.mean(0)
    weights = np.linalg.solve(A.T @ A + RIDGE * np.eye(A.shape[1]), A.T @ (goal - start))
    answer = B @ weights + start
    if classes is not None:
        return fit_scores(np.asarray(y_valid), answer.argmax(1), classes)
    held = np.asarray(y_valid, dtype=np.float64).reshape(len(answer), -1)
    return {**fit_scores(held, answer), "loss": float(((held - answer) ** 2).mean())}


def linear_left_out(X: NDArray, goal: NDArray, ridge: float = RIDGE) -> NDArray:
    """The answers (n, k) of ridge regression for its own rows, each without itself.

    With the hat matrix ``H`` of the fit: ``y_i - (y - H y)_i / (1 - H_ii)`` (Allen 1974).

    >>> X = np.arange(90.0)[:, None]
    >>> bool(np.abs(linear_left_out(X, 2 * X) - 2 * X).max() < 10.0)
    True
    """
    A = np.asarray(X[:, :COLUMNS], dtype=np.float64)
    A = A[:, np.isfinite(A).all(0) & (A.std(0) > 0)]
    A = np.column_stack([(A - A.mean(0)) / A.std(0), np.ones(len(A))])
    half = np.linalg.solve(A.T @ A + ridge * np.eye(A.shape[1]), A.T)  # H = A half
    own = (A * half.T).sum(1)  # its diagonal
    return goal - (goal - A @ (half @ goal)) / np.maximum(1.0 - own, 1e-9)[:, None]


def kernel_yardstick(
    X_train: NDArray, y_train: NDArray, X_valid: NDArray, y_valid: NDArray, *, classes: int | None = None
) -> tuple[dict[str, float], dict[str, Any]]:
    """Scores of kernel ridge regression on held-out rows, and what its left-out answers tell about the targets.

    Arguments:
        X_train, y_train, X_valid, y_valid, classes: as for ``linear_yardstick``.

    Returns the scores, with ``left_out`` that of its own rows, each answered without itself; and facts for a
    record's ``data``: ``doubtful_labels`` or ``gross_errors``.

    >>> X = np.linspace(-3, 3, 90)[:, None]
    >>> kernel_yardstick(X, X[:, 0] ** 2, X, X[:, 0] ** 2)[0]["score"] > 0.99
    True
    """
    y = np.asarray(y_train)
    goal = np.eye(classes)[y] if classes is not None else np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    fitted = kernel_ridge(X_train, goal, X_valid)
    if fitted is None:
        return {}, {}
    own, judged = goal[fitted.rows], len(y_valid) > 1
    scores: dict[str, float] = {}
    if classes is not None:
        found = [
            confident_errors(y[fitted.rows], left_out)
            for left_out in (fitted.left_out, linear_left_out(X_train[fitted.rows], own))
        ]  # a label is doubtful if every model that is sure of itself contradicts it
        facts = {"doubtful_labels": min(found, key=lambda f: f.get("share", 1.0))}
        left_out = fit_scores(y[fitted.rows], fitted.left_out.argmax(1), classes)
        if judged:
            scores = fit_scores(np.asarray(y_valid), fitted.held.argmax(1), classes)
    else:
        facts = {"gross_errors": gross_errors((own - fitted.left_out)[:, 0])}
        left_out = fit_scores(own, fitted.left_out)
        if judged:
            truth = np.asarray(y_valid, dtype=np.float64).reshape(len(y_valid), -1)
            scores = {**fit_scores(truth, fitted.held), "loss": float(((truth - fitted.held) ** 2).mean())}
    if scores:
        scores["left_out"] = left_out["score"]
    return scores, {k: v for k, v in facts.items() if v}


def yardsticks(
    X_train: NDArray, y_train: NDArray, X_valid: NDArray, y_valid: NDArray, *, classes: int | None = None
) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """All simple models: scores for a record's ``baselines``, and facts for its ``data``.

    Arguments:
        X_train, y_train, X_valid, y_valid, classes: as for ``linear_yardstick``.

    >>> X = np.linspace(-3, 3, 90)[:, None]
    >>> sorted(yardsticks(X, X[:, 0], X, X[:, 0])[0])
    ['kernel', 'linear']
    """
    linear = linear_yardstick(X_train, y_train, X_valid, y_valid, classes=classes)
    kernel, facts = kernel_yardstick(X_train, y_train, X_valid, y_valid, classes=classes)
    y = np.asarray(y_train)
    goal = np.eye(classes)[y] if classes is not None else np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    facts["directions"] = direction_facts(X_train, goal)
    if len(y) >= 2 * X_train.shape[1] + 10 and facts["directions"]:
        some = np.random.default_rng(0).permutation(len(y))[:ROWS]
        answer = linear_left_out(X_train[some], goal[some], ridge=WEAK_RIDGE)
        score = fit_scores(
            *((goal[some], answer) if classes is None else (y[some], answer.argmax(1), classes))
        )
        facts["directions"]["score"] = score["score"]
    return {k: v for k, v in {"linear": linear, "kernel": kernel}.items() if v}, facts


def known(
    X_train: NDArray, y_train: NDArray, X_valid: NDArray, y_valid: NDArray, *, classes: int | None = None
) -> dict[str, dict[str, Any]]:
    """What a loop of one's own can tell of its data: ``recorder.record(task=..., **known(...))``.

    Arguments:
        X_train, y_train, X_valid, y_valid, classes: as for ``linear_yardstick``.

    Returns ``data`` and ``baselines`` as a record has them, so that all rules have what they ask for.

    >>> X = np.linspace(-3, 3, 90)[:, None]
    >>> sorted(known(X, X[:, 0] ** 2, X, X[:, 0] ** 2)["baselines"])
    ['dummy', 'kernel', 'linear']
    """
    X_train, X_valid = (np.asarray(X).reshape(len(X), -1) for X in (X_train, X_valid))
    baselines, facts = yardsticks(X_train, y_train, X_valid, y_valid, classes=classes)
    y, held = np.asarray(y_train), np.asarray(y_valid)
    if classes is not None:
        share = np.bincount(y, minlength=classes) / len(y)
        guess = np.full(len(held), share.argmax())
        loss = float(-np.log(np.maximum(share[held], 1e-6)).mean()) if len(held) else 0.0
        dummy = {**fit_scores(held, guess, classes), "loss": loss}
        task = "binary" if classes == 2 else "multiclass"
    else:
        y, held = (np.asarray(part, dtype=np.float64).reshape(len(part), -1) for part in (y, held))
        mean = np.broadcast_to(y.mean(0), held.shape)
        dummy, task = {**fit_scores(held, mean), "loss": float(((held - mean) ** 2).mean())}, "regression"
    names = [f"x{i}" for i in range(X_train.shape[1])]
    sizes = {"n_train": len(X_train), "n_validation": len(X_valid)}
    data = table_facts(X_train, names, np.asarray(y_train), task) | facts | sizes
    return {"data": data, "baselines": {"dummy": dummy, **baselines}}
