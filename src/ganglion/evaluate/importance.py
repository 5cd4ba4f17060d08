"""Which columns the predictions rest on: what is lost when one column is shuffled."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError
from ganglion.evaluate.columns import Columns


class Importance(NamedTuple):
    """How much of the score one column carries."""

    name: str
    mean: float
    """Score lost, on average over the shuffles; about 0 or below for a column that is not used."""
    std: float
    """Standard deviation over the shuffles."""


def permutation_importance(
    predict: Callable[[Any], NDArray],
    table: Any,
    y: ArrayLike,
    score: Callable[[NDArray, NDArray], float],
    *,
    repeats: int = 5,
    max_rows: int = 2_000,
    time_limit: float | None = None,
    random_state: int = 0,
) -> list[Importance]:
    """Shuffle one raw column at a time and see how far the score falls (Breiman 2001), largest first.

    The model is not trained again. Columns that say the same thing share their importance: each alone may
    look useless. Use rows that were not trained on.

    Arguments: ``predict`` takes a table like ``table`` and gives a prediction per row; ``table`` raw columns
    (frame, dictionary or matrix, ``n`` rows); ``y`` ``(n,)`` or ``(n, outputs)``; ``score`` of true values
    and predictions, higher is better; ``max_rows`` drawn from a larger table; ``time_limit`` seconds: the
    repeats go over all columns in turn, so a short time gives rougher numbers (or, below one round, only the
    first columns). Raises ``DataError`` where rows and targets differ in number.

    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> found = permutation_importance(lambda t: t[:, 1], X, X[:, 1], lambda y, p: -np.abs(y - p).mean())
    >>> [(one.name, one.mean > 0.5) for one in found]
    [('column 2', True), ('column 1', False)]
    """
    columns, truth = Columns(table), np.asarray(y)
    if len(columns) != len(truth) or len(truth) == 0:
        raise DataError(f"{len(columns)} rows but {len(truth)} targets: give a target for every row.")
    rng = np.random.default_rng(random_state)
    if len(columns) > max_rows:
        rows = np.sort(rng.permutation(len(columns))[:max_rows])
        columns, truth = columns.take(rows), truth[rows]
    start = time.perf_counter()
    whole = score(truth, predict(columns.native))
    losses: list[list[float]] = [[] for _ in columns.names]
    for repeat in range(repeats):
        for index in range(len(columns.names)):
            late = time_limit is not None and time.perf_counter() - start > time_limit
            if late and (repeat or index):
                break
            mixed = columns.shuffled(index, rng.permutation(len(columns)))
            losses[index].append(whole - score(truth, predict(mixed)))
    found = [
        Importance(name, float(np.mean(lost)), float(np.std(lost)))
        for name, lost in zip(columns.names, losses)
        if lost
    ]
    return sorted(found, key=lambda one: -one.mean)
