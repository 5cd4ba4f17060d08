"""How answers that are neither classes nor numbers are judged: scores of each model, and how sure they are."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.metrics.intervals import Interval, bootstrap_interval


@dataclass
class Judged:
    """What one model is worth on the test part."""

    scores: dict[str, float]
    part: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    """(n,) what each example adds to the main score, which is ``sum(part) / sum(whole)``, where it is such a share."""
    whole: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    """(n,)."""
    block: int = 1
    """Neighbouring examples that belong together, such as overlapping windows of a series."""
    seconds: float | None = None
    note: str = ""


def tell(result: Any, found: dict[str, Judged], *, lower: bool = False) -> None:
    """Put the models into a result, the network first, with intervals where the main score is a share.

    ``lower``: whether less is better.
    """
    from ganglion.report.inputs import ModelScore

    first = next(iter(found.values()))
    result.models = []
    for name, one in found.items():
        row = ModelScore(name=name, scores=one.scores, seconds=one.seconds, note=one.note)
        if name == "network":
            row.seconds = result.estimator.record_.seconds
        if len(one.part):
            row.interval = ends(share_interval(one, None))
        if one is not first and len(one.part):
            low, high = ends(share_interval(first, one))
            row.behind = (-high, -low) if lower else (low, high)
        result.models.append(row)


def share_interval(one: Judged, other: Judged | None) -> Interval:
    """The bootstrap interval of ``sum(part) / sum(whole)``, or of its difference to another model's."""
    n = len(one.part)
    blocks = np.arange(n) // one.block

    def score(chosen: NDArray[np.int64]) -> float:
        rows = chosen if one.block == 1 else rows_of(chosen, n, one.block)
        return ratio(one, rows) - (0.0 if other is None else ratio(other, rows))

    return bootstrap_interval(score, int(blocks[-1]) + 1)


def rows_of(blocks: NDArray[np.int64], n: int, block: int) -> NDArray[np.int64]:
    """The examples of blocks.

    >>> rows_of(np.array([1, 0]), 5, 3).tolist()
    [3, 4, 0, 1, 2]
    """
    rows = (blocks[:, None] * block + np.arange(block)).ravel()
    return rows[rows < n]


def ratio(one: Judged, rows: NDArray[np.int64]) -> float:
    """``sum(part) / sum(whole)`` of some examples."""
    return float(one.part[rows].sum() / max(one.whole[rows].sum(), 1e-12))


def ends(interval: Interval) -> tuple[float, float]:
    """Both ends."""
    return float(interval.low), float(interval.high)


def share(right: Iterable[bool]) -> float:
    """The share that is true.

    >>> share([True, False])
    0.5
    """
    return float(np.mean(list(right)))
