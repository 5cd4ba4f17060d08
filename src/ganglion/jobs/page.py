"""From a result of the main job to the report's input, and to a file."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from ganglion.base.files import write_atomically
from ganglion.data.columns import Frame, as_frame
from ganglion.data.encode import choose
from ganglion.evaluate import permutation_importance, worst_mistakes
from ganglion.evaluate.importance import Importance
from ganglion.evaluate.mistakes import Mistake
from ganglion.jobs.origin import data_hash, versions
from ganglion.jobs.words import flags, quoted, stem
from ganglion.report import ColumnRow, Healing, ReportInput, Reproduce, render

IMPORTANCE_SECONDS = 3.0
SEEN = "These rows were kept aside before anything was learned."
GIVEN = "These rows were given for this report; if the network was trained on them, the scores flatter it."
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


def write_report(result: Any, path: Any) -> Path:
    """Write the offline HTML report to ``path`` atomically."""
    write_atomically(path, render(report_input(result)).encode())
    return Path(path)


def report_input(result: Any) -> ReportInput:
    """Everything the page shows."""
    job, estimator = result.job, result.estimator
    rows = job.frame.take(result.test)
    truth = job.y[result.test]
    classify = job.task.classification
    proba = estimator.predict_proba(rows) if classify else None
    prediction = estimator.predict(rows)
    classes = estimator.classes_.tolist() if classify else []
    table = columns_of(rows)
    name = Path(result.source).name or "the table"
    importance, importance_metric = importance_of(result, rows, table, truth)
    return ReportInput(
        title=f"{job.target} from {name}",
        target=job.targets if len(job.targets) > 1 else job.targets[0],
        task="regression" if job.task.kind == "multioutput" else job.task.kind,
        record=estimator.record_,
        created=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        source=name,
        plan=result.plan,
        split="test rows",
        split_note=SEEN if len(result.train) else GIVEN,
        columns=column_rows(estimator),
        facts=facts_of(result),
        notes=result.job.notes,
        findings=result.diagnosis,
        models=result.models,
        metric=result.metric,
        classes=classes,
        y_true=truth,
        prediction=prediction,
        proba=proba,
        importances=[(i.name, i.mean, i.std) for i in importance],
        importance_metric=importance_metric,
        mistakes=mistakes_of(result, truth, proba if classify else prediction, classes or None, table),
        healing=healing_of(result),
        reproduce=reproduce_of(result),
        deploy=deploy_of(result),
    )


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


def mistakes_of(
    result: Any, truth: np.ndarray, answer: Any, classes: list[Any] | None, table: dict[str, np.ndarray]
) -> list[Mistake]:
    """The worst rows, by their number in the file (the first row of data is 1)."""
    found = worst_mistakes(truth, answer, classes=classes, table=table)
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


def healing_of(result: Any) -> Healing | None:
    """What healing tried, if it was asked for and found something to try."""
    healed = result.healed
    if healed is None or healed.finding is None:
        return None
    return Healing(
        finding=healed.finding.name,
        changed=healed.changed,
        metric=result.healed_metric,
        before=healed.before,
        after=healed.after,
        kept=healed.kept,
    )


def reproduce_of(result: Any) -> Reproduce:
    """The command and the call that give the same network again."""
    name = Path(result.origin.get("source") or result.source).name or "data.csv"
    chosen = result.origin.get("settings", result.settings)
    command = f"ganglion fit {quoted(name)} --target {quoted(','.join(result.job.targets))} {flags(chosen)}"
    settings = "".join(f", {k}={v!r}" for k, v in chosen.items())
    target = result.job.targets if len(result.job.targets) > 1 else result.job.targets[0]
    python = f"import ganglion\nresult = ganglion.fit({name!r}, target={target!r}{settings})"
    seed = result.estimator.random_state
    return Reproduce(
        command=command.strip(),
        python=python,
        versions=versions(),
        seeds={"random_state": seed} if isinstance(seed, int) else {},
        data_hash=result.origin.get("data_hash") or data_hash(result.job.frame, result.job.y),
    )


def deploy_of(result: Any) -> dict[str, str]:
    """Snippets that use the model file."""
    model = model_name(result)
    return {
        "Python": f"import ganglion\nmodel = ganglion.load({model!r})\nmodel.predict(rows)",
        "Command line": f"ganglion predict {quoted(model)} new.csv --output predictions.csv",
    }


def model_name(result: Any) -> str:
    """The model file's name: where it was written, or what the command would choose."""
    return Path(result.path).name if result.path else stem(result.source or "model") + ".ganglion"
