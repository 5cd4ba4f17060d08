"""Using a model file on tables: predict, evaluate, and the result that a report is made from."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.base.files import read_model, write_atomically
from ganglion.data.columns import Frame
from ganglion.data.target import infer_task, label_array
from ganglion.estimators.persist import load
from ganglion.evaluate import compare_scores
from ganglion.jobs.fit import Result
from ganglion.jobs.table import Job, open_frame, target_columns
from ganglion.report.inputs import ModelScore

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass
class Opened:
    """A model file: the estimator and what its card says."""

    estimator: Any
    card: dict[str, Any]
    path: Path

    @property
    def targets(self) -> list[str]:
        """The columns that it predicts."""
        return list(self.card.get("target") or ["prediction"])

    @property
    def target(self) -> str:
        """Their names."""
        return ", ".join(self.targets)

    @property
    def classes(self) -> list[Any] | None:
        """The labels, if it predicts classes."""
        return self.estimator.classes_.tolist() if hasattr(self.estimator, "classes_") else None


def open_model(path: Any) -> Opened:
    """The estimator and the card in a model file; raises ``ModelFileError``."""
    return Opened(load(path), read_model(path).card, Path(path))


@dataclass
class Predictions:
    """What a model says of each row of a table."""

    names: list[str]
    columns: list[Sequence[Any]]
    differences: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.columns[0])

    def records(self) -> list[dict[str, Any]]:
        """A dict per row."""
        return [dict(zip(self.names, row)) for row in zip(*self.columns)]

    def csv(self) -> str:
        """As CSV; a text that a spreadsheet would run as a formula is quoted with an apostrophe."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([safe_cell(n) for n in self.names])
        writer.writerows([safe_cell(v) for v in row] for row in zip(*self.columns))
        return out.getvalue()

    def write(self, path: Path) -> None:
        """Write the CSV atomically."""
        write_atomically(path, self.csv().encode())


def safe_cell(value: Any) -> Any:
    """A cell that no spreadsheet runs: texts that start like a formula get an apostrophe in front."""
    return "'" + value if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def inputs_of(opened: Opened, table: Frame) -> tuple[Frame, list[str]]:
    """The model's columns of a table in its own order, and what is different from training.

    Raises ``DataError`` for a column that is missing.
    """
    names = getattr(opened.estimator, "feature_names_in_", None)
    columns = opened.estimator.preprocessor_
    if names is not None:
        missing = [n for n in names if n not in table.names]
        if missing:
            raise DataError(
                f"the model needs the column {missing[0]!r}, which the table does not have "
                f"(its columns are {', '.join(map(repr, table.names[:12]))}); rename or add it."
            )
        table = table.select(list(names))
    return table, [] if columns is None else columns.schema_differences(table)


def predicted(opened: Opened, source: Any, *, proba: bool = False) -> Predictions:
    """Predictions for the rows of a table or file."""
    table, differences = inputs_of(opened, open_frame(source))
    estimator, names = opened.estimator, [f"predicted {t}" for t in opened.targets]
    answer = estimator.predict(table)
    columns = [answer.tolist()] if answer.ndim == 1 else [c.tolist() for c in answer.T]
    if proba and opened.classes is not None:
        chances = estimator.predict_proba(table)
        names += [f"probability of {c}" for c in opened.classes]
        columns += [c.round(6).tolist() for c in chances.T]
    elif proba:
        raise DataError("--proba needs a model that predicts classes; this one predicts numbers.")
    return Predictions(names, columns, differences)


@dataclass
class Evaluation:
    """Scores of a model on rows whose truth is known."""

    n: int
    metric: str
    scores: dict[str, float]
    interval: tuple[float, float] | None
    differences: list[str]


def truth_of(opened: Opened, table: Frame, target: str | None) -> tuple[Frame, np.ndarray]:
    """Rows that have a target, and the target in the model's own labels."""
    targets = [target] if target else opened.targets
    missing = [t for t in targets if t not in table.names]
    if missing:
        raise DataError(f"the table has no column {missing[0]!r} to compare with; name it with --target.")
    y = target_columns(table, targets)
    if opened.classes is None:
        task = infer_task(y, "regression")
        rows = np.flatnonzero(task.kept)
        return table.take(rows), task.encode(target_columns(table.take(rows), targets))
    kept, labels = read_labels(y, opened.classes)
    return table.take(kept), labels


def read_labels(y: Any, classes: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a label, and the labels as the model knows them; raises ``DataError`` for a strange one."""
    from ganglion.data.target import encode_labels

    known = label_array(classes)
    column = [None if v is None or v != v else v for v in np.asarray(y, dtype=object).tolist()]
    kept = np.array([i for i, v in enumerate(column) if v not in (None, "", "?")], dtype=np.int64)
    if not len(kept):
        raise DataError("no row of the table has a target to compare with; give rows that have one.")
    codes = encode_labels(np.array([column[i] for i in kept], dtype=object), classes)
    return kept, known[codes]


def evaluated(opened: Opened, source: Any, target: str | None = None) -> Evaluation:
    """Scores on a table or file that holds the truth."""
    table, y = truth_of(opened, open_frame(source), target)
    inputs, differences = inputs_of(opened, table)
    classes = opened.classes
    answer = opened.estimator.predict_proba(inputs) if classes else opened.estimator.predict(inputs)
    metric = opened.card.get("metric") or ("accuracy" if classes else "r2")
    row = compare_scores(y, {"network": answer}, metric, classes)[0]
    span = None if row.interval is None else (float(row.interval.low), float(row.interval.high))
    return Evaluation(len(y), metric, dict(row.scores), span, differences)


def result_on(opened: Opened, source: Any) -> Result:
    """A result as the main job leaves it, for a model that is already there; all rows are test rows."""
    table, y = truth_of(opened, open_frame(source), None)
    inputs, differences = inputs_of(opened, table)
    task = infer_task(y, "classification" if opened.classes else "regression")
    job = Job(inputs, y, task, opened.targets, len(table), differences)
    rows = np.arange(len(y))
    found = evaluated(opened, source)
    result = Result(opened.estimator, job, opened.card.get("plan", ""), rows[:0], rows, [], found.metric)
    result.models = [ModelScore(name="network", scores=found.scores, interval=found.interval)]
    result.source = str(source)
    return result
