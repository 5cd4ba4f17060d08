"""A table with a target, ready to be learned from: read, typed, cleaned of rows without a target, split."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.data.columns import Frame, as_frame, missing_column
from ganglion.data.read import read_table
from ganglion.data.schema import Column, infer_schema, numbers_of
from ganglion.data.split import group_split, plain_split, stratified_split, time_split
from ganglion.data.target import Task, infer_task

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


@dataclass
class Job:
    """What is to be learned: inputs, target and what was found out about both."""

    frame: Frame
    y: np.ndarray
    task: Task
    targets: list[str]
    n_read: int
    notes: list[str]
    settings: dict[str, Any] = field(default_factory=dict)  # what was asked for beyond the default
    started: float = field(default_factory=time.monotonic)
    rows: np.ndarray | None = None  # places in the table of the rows that have a target

    @cached_property
    def schema(self) -> list[Column]:
        """The columns as they look over all rows: for words only, what is learned comes from training rows."""
        return infer_schema(self.frame)

    @property
    def target(self) -> str:
        """The names of the target columns."""
        return ", ".join(self.targets)


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
) -> Job:
    """Read a table and take its target apart.

    Raises ``DataError`` when the target is missing (with suggestions), unusable, or leaves no inputs.
    """
    started = time.monotonic()
    if task not in (None, "classification", "regression"):
        raise ParameterError(unknown_name("task", task, ["classification", "regression"]))
    table = open_frame(source, header)
    if target is None or not target:
        best = ", ".join(suggest_targets(table))
        raise DataError(f"--target names the column to predict, none was given; likely here: {best}.")
    targets = named_targets(table, target)
    for name in [*targets, *ignore]:
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
    settings = {k: v for k, v in asked.items() if v not in (None, [])}
    notes = [*table.notes, *missing_note(found)]
    return Job(frame.take(rows), y, found, targets, len(table), notes, settings, started, rows)


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


Split = Callable[[np.ndarray, float, int], tuple[np.ndarray, np.ndarray]]


def split_job(
    job: Job, fraction: float, seed: int, *, group: str | None = None, time: str | None = None
) -> tuple[np.ndarray, np.ndarray, Split | None]:
    """Rows for training and for the test: by group or time where given, else stratified for classes.

    The third value splits some of the rows again by the same rule, ``None`` where that is chance.
    Raises ``DataError`` for a column that is not there or too few rows.
    """
    n = len(job.frame)
    if n < 10:
        raise DataError(
            f"at least 10 rows with a target are needed to train and to test, got {n}; give more rows."
        )
    rule = split_rule(job, group, time)
    if rule is not None:
        return *rule(np.arange(n), fraction, seed), rule
    if job.task.classification:
        return *stratified_split(np.unique(job.y, return_inverse=True)[1], fraction, seed), None
    return *plain_split(n, fraction, seed), None


def split_rule(job: Job, group: str | None, time: str | None) -> Split | None:
    """How rows are split by a column: groups stay together, or the last ones are kept aside."""
    if group is not None and time is not None:
        raise ParameterError("rows are split by group or by time, got both; give one of them.")
    for name in (group, time):
        if name is not None:
            check_column(name, job.frame)
    if group is not None:
        codes = np.unique(job.frame.column(group).astype(str), return_inverse=True)[1]
        return lambda rows, fraction, seed: group_split(codes[rows], fraction, seed)
    if time is not None:
        when = moments(job, time)
        return lambda rows, fraction, seed: tuple(map(np.sort, time_split(when[rows], fraction)))  # type: ignore
    return None


def moments(job: Job, name: str) -> np.ndarray:
    """A column as moments in time, (n,) numbers; raises ``DataError`` for words that are neither."""
    column = next(c for c in infer_schema(job.frame.select([name])))
    if column.kind not in ("number", "date", "constant", "identifier"):
        raise DataError(f"a column of dates or numbers is expected to split by time, but {name!r} is a "
                        f"{column.kind} column; name another.")  # fmt: skip
    return numbers_of(job.frame, column)
