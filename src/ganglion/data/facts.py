"""Facts of a training table for the record: scales, balance, duplicates, what one column alone predicts."""

from typing import Any

import numpy as np

from ganglion.data.cells import words
from ganglion.data.columns import Frame, is_text
from ganglion.data.schema import days
from ganglion.data.split import permutation

MAX_ROWS = 5_000
MAX_CELLS = 2_000_000
MAX_SCALES = 200
BINS = 64


def table_facts(
    matrix: np.ndarray,
    names: list[str],
    y: np.ndarray,
    task: str | None,
    *,
    frame: Frame | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """What ``TrainingRecord.data`` says of a table, as plain numbers.

    ``single_column_scores`` tell how well one column alone predicts: for classes the mean one-against-rest
    area under the ROC curve, for numbers R^2. They come from the order of the values and from target means
    per bin or level that are learned on one half of the rows and judged on the other, so that a column of
    unique codes does not look like a leak. At most 5,000 rows are used.

    Args:
        matrix: (n, d) what the network sees.
        names: d names.
        y: (n,) labels or numbers, or (n, k) numbers.
        task: ``"binary"``, ``"multiclass"``, ``"regression"`` or ``"multioutput"``.
        frame: the raw table with the same rows; its columns are scored instead of those of ``matrix``.
        seed: of the halves.

    Example:
        >>> X = np.arange(40.0)[:, None]
        >>> facts = table_facts(X, ["x"], (X[:, 0] > 20).astype(int), "binary")
        >>> facts["single_column_scores"], facts["classes"]
        ({'x': 1.0}, {'0': 21, '1': 19})
    """
    y = np.asarray(y)
    facts: dict[str, Any] = {
        "n_rows": len(matrix),
        "n_features": int(matrix.shape[1]),
        "n_columns": len(frame.names) if frame is not None else int(matrix.shape[1]),
        "scales": scales(matrix, names),
        "duplicates": duplicate_share(matrix),
        "classes": {},
    }
    classes = task in ("binary", "multiclass")
    if classes:
        labels, counts = np.unique(y, return_counts=True)
        facts["classes"] = {str(label): int(count) for label, count in zip(labels, counts)}
    source = frame if frame is not None else Frame(names, matrix=matrix)
    facts["single_column_scores"] = column_scores(source, y, classes, seed)
    return facts


def scales(matrix: np.ndarray, names: list[str]) -> dict[str, dict[str, float]]:
    """Mean, standard deviation and range of the first 200 columns (gaps left out).

    Example:
        >>> scales(np.array([[1.0], [3.0]]), ["a"])
        {'a': {'mean': 2.0, 'std': 1.0, 'min': 1.0, 'max': 3.0}}
    """
    part = np.asarray(matrix[:, :MAX_SCALES])
    if not len(part):
        return {}
    gap = np.isnan(part)
    if gap.any():
        part = np.where(gap, np.nanmean(np.where(gap.all(axis=0), 0.0, part), axis=0), part)
    mean, std = part.mean(axis=0, dtype=np.float64), part.std(axis=0, dtype=np.float64)
    rows = np.column_stack([mean, std, part.min(axis=0), part.max(axis=0)]).tolist()
    keys = ("mean", "std", "min", "max")
    return {name: dict(zip(keys, row)) for name, row in zip(names, rows)}


def duplicate_share(matrix: np.ndarray) -> float:
    """Share of rows that repeat an earlier one, by a 64-bit hash of each row.

    Example:
        >>> duplicate_share(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 1.0], [1.0, 0.0]]))
        0.25
    """
    if not matrix.size:
        return 0.0
    plain = np.ascontiguousarray(matrix, dtype=np.float64) + 0.0  # -0.0 becomes 0.0
    drawn = np.random.default_rng(0).integers(1, 2**63, size=(plain.shape[1],), dtype=np.uint64)
    mixers: np.ndarray = drawn | np.uint64(1)
    keys = np.zeros(len(plain), dtype=np.uint64)
    for column, mixer in zip(plain.T, mixers):
        bits = np.ascontiguousarray(column).view(np.uint64) * mixer
        keys += (bits ^ (bits >> np.uint64(29))) * mixer
    return 1.0 - len(np.unique(keys)) / len(keys)


def column_scores(frame: Frame, y: np.ndarray, classes: bool, seed: int = 0) -> dict[str, float]:
    """How well each column alone predicts: AUC from 0.5 to 1 for classes, R^2 from 0 to 1 for numbers.

    Args:
        frame: (n, d) raw columns or numbers.
        y: (n,) labels, or numbers (n,) or (n, k).
        classes: whether ``y`` holds labels.
        seed: of the halves.
    """
    limit = max(min(MAX_ROWS, MAX_CELLS // max(len(frame.names), 1)), 200)
    order = permutation(seed, len(frame))[:limit]
    if len(order) < 4:
        return {}
    frame, y = frame.take(order), y[order]
    half = np.arange(len(order)) % 2 == 0
    if classes:
        codes = np.unique(y, return_inverse=True)[1]
        goals = np.eye(int(codes.max()) + 1)[codes]
        goals = goals[:, 1:] if goals.shape[1] == 2 else goals
    else:
        goals = np.asarray(y, dtype=np.float64).reshape(len(order), -1)
    judge = _auc_score if classes else _r2_score
    return {name: round(judge(frame.stored(i), goals, half), 6) for i, name in enumerate(frame.names)}


def _groups(column: Any) -> tuple[np.ndarray, np.ndarray]:
    """Ordered group of each row: by value (fine) and by bin or level (coarse); 0 = missing."""
    if is_text(column):
        level = words(column).codes + 1
        return level, level
    values = days(column) if column.dtype.kind == "M" else column.astype(np.float64)
    distinct, fine = np.unique(values, return_inverse=True)
    fine = np.where(np.isnan(values), 0, fine.ravel() + 1)
    if len(distinct) <= BINS:
        return fine, fine
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS)) if len(present) else np.zeros(0)
    coarse = np.searchsorted(edges, values, side="right") + 1
    return fine, np.where(np.isnan(values), 0, coarse)


def _sums(group: np.ndarray, goals: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows (size,) and sums of the goals (size, k) of each group."""
    rows = np.bincount(group, minlength=size).astype(float)
    return rows, np.stack([np.bincount(group, goal, minlength=size) for goal in goals.T], axis=1)


def _auc_score(column: Any, goals: np.ndarray, half: np.ndarray) -> float:
    fine, coarse = _groups(column)
    best = np.full(goals.shape[1], 0.5)
    if not is_text(column):
        rows, ones = _sums(fine, goals, int(fine.max()) + 1)
        for k in range(goals.shape[1]):
            area = _area(ones[:, k], rows - ones[:, k])
            best[k] = max(best[k], area, 1.0 - area)
    size = int(coarse.max()) + 1
    parts = [_sums(coarse[side], goals[side], size) for side in (half, ~half)]
    for k in range(goals.shape[1]):
        areas = []
        for (rows, ones), (seen_rows, seen_ones) in (parts, parts[::-1]):
            overall = seen_ones[:, k].sum() / max(seen_rows.sum(), 1.0)
            order = np.argsort((seen_ones[:, k] + overall) / (seen_rows + 1.0), kind="stable")
            areas.append(_area(ones[order, k], (rows - ones[:, k])[order]))
        best[k] = max(best[k], float(np.mean(areas)))
    return float(best.mean())  # a column that tells one class of several does not tell the target


def _area(ones: np.ndarray, zeros: np.ndarray) -> float:
    """Area under the ROC curve of ordered groups; ties within a group count half."""
    pairs = ones.sum() * zeros.sum()
    if not pairs:
        return 0.5
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + zeros / 2)).sum() / pairs)


def _r2_score(column: Any, goals: np.ndarray, half: np.ndarray) -> float:
    _, coarse = _groups(column)
    size = int(coarse.max()) + 1
    spread = ((goals - goals.mean(axis=0)) ** 2).sum(axis=0)
    wrong = np.zeros(goals.shape[1])
    for learn, judge in ((half, ~half), (~half, half)):
        rows, sums = _sums(coarse[learn], goals[learn], size)
        overall = goals[learn].mean(axis=0)
        means = (sums + overall) / (rows[:, None] + 1.0)
        wrong += ((goals[judge] - means[coarse[judge]]) ** 2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        best = float(np.max(np.where(spread > 0, 1.0 - wrong / spread, 0.0)))
    if not is_text(column) and column.dtype.kind != "M":
        best = max(best, _linear(column.astype(np.float64), goals))
    return max(best, 0.0)


def _linear(values: np.ndarray, goals: np.ndarray) -> float:
    """The largest squared correlation with a goal, over the rows that have the value."""
    seen = ~np.isnan(values)
    if seen.sum() < 3:
        return 0.0
    x, g = values[seen] - values[seen].mean(), goals[seen] - goals[seen].mean(axis=0)
    scale = (x @ x) * (g * g).sum(axis=0)
    share = seen.mean()
    return float(share * np.max(np.where(scale > 0, (x @ g) ** 2 / np.where(scale > 0, scale, 1.0), 0.0)))
