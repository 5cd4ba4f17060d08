"""The parts of a report that only tables have: columns, what mattered, and the cells of the worst rows."""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from ganglion.data.columns import Frame, as_frame
from ganglion.data.encode import choose
from ganglion.evaluate import permutation_importance, worst_mistakes
from ganglion.evaluate.importance import Importance
from ganglion.evaluate.mistakes import Mistake
from ganglion.report import ColumnRow

IMPORTANCE_SECONDS = 3.0
SCALED = {
    "auto": "centred and scaled by quartiles, outliers bent in",
    "none": "as it is",
    "standard": "mean 0, deviation 1",
    "robust": "median 0, quartile distance 1",
    "minmax": "brought to 0..1",
    "quantile": "by rank to a normal shape",
}
FILLED = {
    "mean": "filled with the mean",
    "median": "filled with the median",
    "most_frequent": "filled with the most frequent value",
    "knn": "filled from the nearest rows",
    "iterative": "predicted from the other columns",
}
ENCODED = {
    "sign": "two levels as -1 and 1",
    "onehot": "one input per level",
    "ordinal": "levels in their order",
    "embedding": "a learned vector per level",
    "target": "the mean target of each level, by folds that do not hold the row",
}
DATED = {
    "parts": "year, day, season, weekday and hour",
    "cyclic": "season, weekday and hour",
    "elapsed": "days since 1970",
}


def page_parts(result: Any) -> dict[str, Any]:
    """Fields of ``ReportInput`` that a table fills."""
    job = result.job
    rows, truth = job.take(result.test), job.y[result.test]
    table = columns_of(rows)
    importance, metric = importance_of(result, rows, table, truth)
    return {
        "columns": column_rows(result.estimator),
        "facts": facts_of(result),
        "importances": [(i.name, i.mean, i.std) for i in importance],
        "importance_metric": metric,
        "mistakes": mistakes_of(result, truth, table),
    }


def importance_of(
    result: Any, rows: Frame, table: dict[str, np.ndarray], truth: np.ndarray
) -> tuple[list[Importance], str]:
    """How much of the score each column carries, and which score that is."""
    estimator = result.estimator

    def predict(part: Any) -> np.ndarray:
        frame = as_frame({name: part[name] for name in rows.names})
        return estimator.predict_proba(frame)[:, 1] if metric == "auc" else estimator.predict(frame)

    if not result.job.task.classification:
        metric, score = "r2", r2_score
    elif result.metric == "auc" and len(np.unique(truth)) == 2:
        metric, score = "auc", roc_auc_score
        truth = truth == estimator.classes_[1]
    else:
        metric, score = "accuracy", accuracy_score
    limit = result.settings.get("time_limit")
    seconds = min(IMPORTANCE_SECONDS, 0.1 * limit) if limit else IMPORTANCE_SECONDS
    return permutation_importance(predict, table, truth, score, time_limit=seconds), metric


def mistakes_of(result: Any, truth: np.ndarray, table: dict[str, np.ndarray]) -> list[Mistake]:
    """The worst rows, by their number in the file (the first row of data is 1)."""
    classes = result.estimator.classes_.tolist() if result.job.task.classification else None
    found = worst_mistakes(truth, result.answer, classes=classes, table=table)
    rows = result.test if result.job.rows is None else result.job.rows[result.test]
    for one in found:
        one.row = int(rows[one.row]) + 1
    return found


def columns_of(frame: Frame) -> dict[str, np.ndarray]:
    """A frame as name -> column."""
    return {name: frame.column(name) for name in frame.names}


def column_rows(estimator: Any) -> list[ColumnRow]:
    """The data section's table."""
    columns = estimator.preprocessor_
    if columns is None:
        return []
    return [
        ColumnRow(
            name=c.name,
            kind=c.kind,
            missing=c.missing,
            summary=column_summary(c),
            treatment=treatment(c, columns),
        )
        for c in columns.schema_
    ]


def column_summary(column: Any) -> str:
    """Levels, or the range of numbers."""
    if column.kind in ("category", "boolean") and column.levels:
        shown = ", ".join(column.levels[:4])
        return f"{len(column.levels)} levels: {shown}" + (" ..." if len(column.levels) > 4 else "")
    if column.kind == "date" and column.min is not None:
        first, last = (np.datetime64(int(v), "D") for v in (column.min, column.max))
        return f"{first} to {last}"
    if column.min is not None and column.max is not None:
        return f"{plain(column.min)} to {plain(column.max)}, mean {plain(column.mean, 4)}"
    return ""


def plain(value: float, digits: int = 6) -> str:
    """A number of the data as people write it.

    >>> plain(1484705.0), plain(0.00012345678), plain(38.6456789, 4)
    ('1,484,705', '0.000123457', '38.65')
    """
    return f"{value:,.0f}" if 10 ** (digits - 1) <= abs(value) < 1e15 else f"{value:,.{digits}g}"


def treatment(column: Any, columns: Any) -> str:
    """What was done with a column before the network saw it."""
    if not column.used:
        return f"left out: {column.note.removesuffix(', so it is left out')}"
    if column.kind in ("category", "boolean"):
        done = ENCODED[choose(columns.encode, len(column.levels), columns.max_onehot)]
    else:
        done = SCALED[columns.scale] if column.kind == "number" else DATED[columns.dates]
        if column.missing > 0:
            done += f"; gaps {FILLED[columns.impute]}" + (" and marked" if columns.indicators else "")
            shrunk = columns.variance_ratio(column)
            done += "" if shrunk is None else f" (variance × {shrunk:.2f})"
    if column.name in columns.unused_:
        done = f"dropped by select={columns.select}"
    return f"{done}; {column.note}" if column.note else done


def facts_of(result: Any) -> dict[str, Any]:
    """Facts of the data in words."""
    job, data = result.job, result.estimator.record_.data
    facts: dict[str, Any] = {"rows read": f"{job.n_read:,}", "columns": len(job.frame.names)}
    facts["rows for training"], facts["rows for the test"] = f"{len(result.train):,}", f"{len(result.test):,}"
    counts = list(zip(job.task.classes, job.task.counts))
    if 0 < len(counts) <= 3:
        facts["classes"] = ", ".join(f"{str(c)[:20]}: {k:,}" for c, k in counts)
    elif counts:
        facts["classes"] = f"{len(counts)}, of {min(job.task.counts):,} to {max(job.task.counts):,} rows"
    if data.get("duplicates"):
        facts["repeated rows"] = f"{data['duplicates']:.1%}"
    columns = result.estimator.preprocessor_
    return facts if columns is None else facts | columns.changes()
