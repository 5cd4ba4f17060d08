"""A table with a target, ready to be learned from: read, typed, cleaned of rows without a target."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.data.columns import Frame, as_frame, missing_column
from ganglion.data.read import read_table
from ganglion.data.schema import Column, describe, infer_schema
from ganglion.data.target import Task, infer_task
from ganglion.jobs.job import Inputs, Job

TARGET_WORDS = (
    "target",
    "label",
    "class",
    "y",
    "outcome",
    "result",
    "price",
    "income",
    "churn",
    "survived",
    "quality",
)
MOST_LOOKED_AT = 2000  # rows and columns, to suggest a target
STEP_SECONDS = 7e-5  # calls of one small step, measured on one core
FLOPS_PER_SECOND = 5e10  # of one core's dense products, forwards and backwards


@dataclass(kw_only=True)
class TableJob(Job):
    """What is to be learned from a table's columns."""

    frame: Frame

    @cached_property
    def schema(self) -> list[Column]:
        """The columns as they look over all rows: for words only, what is learned comes from training rows."""
        return infer_schema(self.frame)

    def take(self, rows: np.ndarray) -> Frame:
        """Some rows of the table."""
        return self.frame.take(rows)

    def columns(self) -> Frame:
        """The table itself."""
        return self.frame

    def without(self, name: str) -> None:
        """Drop the column that keeps rows together."""
        self.frame = self.frame.drop([name])
        self.notes.append(f"{name!r} keeps rows together and is no input")

    def networks(self) -> dict[str, type]:
        """A dense network for classes or for numbers."""
        from ganglion.estimators.mlp import MLPClassifier, MLPRegressor

        return {"mlp": MLPClassifier if self.task.classification else MLPRegressor}

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Steps and products of a dense network."""
        from ganglion.train.plan import auto_batch_size  # brings torch

        sizes = estimator.hidden_layer_sizes
        inputs = 4 * sum(c.used for c in self.schema)
        widths = [inputs, *((sizes,) if isinstance(sizes, int) else sizes), 4]
        flops = 6.0 * n_train * sum(a * b for a, b in itertools.pairwise(widths))
        batch = auto_batch_size(n_train) if estimator.batch_size == "auto" else n_train
        batch = estimator.batch_size if isinstance(estimator.batch_size, int) else batch
        return estimator.max_epochs * (n_train / batch * STEP_SECONDS + flops / FLOPS_PER_SECOND) + 1.0

    def baseline_inputs(self, estimator: Any, train: np.ndarray, test: np.ndarray) -> Inputs:
        """The numbers that the network sees."""
        parts = [self.take(train), self.take(test)]
        columns = estimator.preprocessor_
        if columns is None:
            plain = [np.asarray(part.matrix, dtype=np.float64) for part in parts]
            return Inputs(plain[0], plain[1], train)
        goal = self.y[train]
        classify = self.task.classification
        goal = np.searchsorted(estimator.classes_, goal) if classify else np.asarray(goal, np.float64)
        made = columns.transform_training(parts[0], goal)
        return Inputs(made, columns.transform(parts[1]), train, columns.cardinalities_)

    def facts(self) -> str:
        """Rows, columns, and what kinds they are of."""
        facts = describe(self.schema, len(self))
        return f"{len(self):,} rows × {len(self.schema)} columns" + (f", {facts}" if facts else "")

    def doubts(self) -> list[list[str]]:
        """Columns that are left out or were read with a doubt."""
        out = [(c.name, c.note.removesuffix(", so it is left out")) for c in self.schema if not c.used]
        left = [f"column {name!r} is left out: {note}" for name, note in out if note]
        return [left, [f"column {c.name!r}: {c.note}" for c in self.schema if c.used and c.note]]

    def card(self, estimator: Any) -> dict[str, Any]:
        """The columns as they were learned."""
        schema = [] if estimator.preprocessor_ is None else estimator.preprocessor_.schema_
        return {"columns": [c.to_dict() for c in schema]}

    def page(self, result: Any) -> dict[str, Any]:
        """Columns, what mattered, and the cells of the worst rows."""
        from ganglion.jobs.page_table import page_parts

        return page_parts(result)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over names, cells and target."""
        from ganglion.jobs.origin import table_hash

        return table_hash(self.frame, self.y)

    def known(self, estimator: Any, source: Any) -> Frame:
        """A table or file that has the columns of training, in any order."""
        from ganglion.jobs.inputs import inputs_of

        return inputs_of(estimator, open_frame(source))[0]


def open_frame(source: Any, header: bool | None = None) -> Frame:
    """A table from a path or from any table library."""
    if isinstance(source, str) or hasattr(source, "__fspath__"):
        return read_table(source, header=header)
    return as_frame(source)


def open_job(
    source: Any,
    target: str | Sequence[str] | None,
    *,
    task: str | None = None,
    ignore: Sequence[str] = (),
    header: bool | None = None,
) -> TableJob:
    """Read a table and take its target apart.

    Raises ``DataError`` when the target is missing (with suggestions), unusable, or leaves no inputs.
    """
    started = time.monotonic()
    if task not in (None, "classification", "regression"):
        raise ParameterError(unknown_name("task", task, ["classification", "regression"]))
    table = open_frame(source, header)
    targets = given_targets(table, target)
    for name in ignore:
        check_column(name, table)
    found = infer_task(target_columns(table, targets), task)
    frame = table.drop([*targets, *ignore])
    if not frame.names:
        raise DataError(
            f"the table has no column but the target {', '.join(targets)}; give at least one input."
        )
    rows = np.flatnonzero(found.kept)
    y = found.encode(target_columns(table.take(rows), targets))
    if found.classification:
        y = found.decode(y)
    asked = {"task": task, "ignore": list(ignore), "header": header}
    return TableJob(
        frame=frame.take(rows),
        y=y,
        task=found,
        targets=targets,
        n_read=len(table),
        notes=[*table.notes, *missing_note(found)],
        settings={k: v for k, v in asked.items() if v not in (None, [])},
        started=started,
        rows=rows,
    )


def given_targets(table: Frame, target: str | Sequence[str] | None) -> list[str]:
    """The target columns that were asked for; raises ``DataError``, with suggestions where none was."""
    if target is None or not target:
        best = ", ".join(suggest_targets(table))
        raise DataError(f"--target names the column to predict, none was given; likely here: {best}.")
    targets = named_targets(table, target)
    for name in targets:
        check_column(name, table)
    return targets


def named_targets(table: Frame, target: str | Sequence[str]) -> list[str]:
    """The target columns: one name, several, or several in one text with commas between them."""
    targets = [target] if isinstance(target, str) else list(target)
    if len(targets) == 1 and targets[0] not in table.names and "," in targets[0]:
        targets = [name.strip() for name in targets[0].split(",") if name.strip()]
    return list(dict.fromkeys(targets))


def check_column(name: Any, table: Frame) -> None:
    """Refuse a column that the table does not have, with the nearest names."""
    if name not in table.names:
        raise DataError(missing_column(name, table.names))


def target_columns(table: Frame, targets: list[str]) -> Any:
    """The target as one column, or as a table of several."""
    return table.stored(targets[0]) if len(targets) == 1 else table.select(targets)


def missing_note(task: Task) -> list[str]:
    """A sentence on rows without a target."""
    return [f"{task.n_missing:,} rows without a target were left out"] if task.n_missing else []


def suggest_targets(table: Frame) -> list[str]:
    """Up to four columns that look like targets: by name, then few-valued last columns."""

    def likeness(i: int) -> tuple[bool, bool, int]:
        name = table.names[i].lower()
        named = any(word == name or word in name.replace("-", "_").split("_") for word in TARGET_WORDS)
        return (not named, schema[table.names[i]] not in ("category", "boolean", "number"), -i)

    names, schema = table.names[:MOST_LOOKED_AT], {}
    for column in infer_schema(table.select(names).take(np.arange(min(len(table), MOST_LOOKED_AT)))):
        schema[column.name] = column.kind
    order = sorted(range(len(names)), key=likeness)
    return [table.names[i] for i in order[:4]]
