"""Rows for training and for the test: by class, by a group, by time, or as the data come."""

import numpy as np

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.columns import missing_column
from ganglion.data.schema import infer_schema, numbers_of
from ganglion.data.split import group_split, plain_split, stratified_split, time_split
from ganglion.jobs.job import Job, Split


def split_job(
    job: Job, fraction: float, seed: int, *, group: str | None = None, time: str | None = None
) -> tuple[np.ndarray, np.ndarray, Split | None]:
    """Rows for training and for the test: by group or time where given, else stratified for classes.

    The third value splits some of the rows again by the same rule, ``None`` where that is chance.
    Raises ``DataError`` for a column that is not there or too few rows.
    """
    n = len(job)
    if n < 10:
        raise DataError(
            f"at least 10 {job.unit} with a target are needed to train and to test, got {n}; give more {job.unit}."
        )
    rule = split_rule(job, group, time)
    if rule is not None:
        return *rule(np.arange(n), fraction, seed), rule
    if (parts := job.parts(fraction, seed)) is not None:
        return parts
    if job.task.classification:
        return *stratified_split(np.unique(job.y, return_inverse=True)[1], fraction, seed), None
    return *plain_split(n, fraction, seed), None


def split_rule(job: Job, group: str | None, time: str | None) -> Split | None:
    """How rows are split by a column: groups stay together, or the last ones are kept aside."""
    if group is not None and time is not None:
        raise ParameterError("rows are split by group or by time, got both; give one of them.")
    for name in (group, time):
        if name is not None and name not in job.columns().names:
            raise DataError(missing_column(name, job.columns().names))
    if group is not None:
        codes = np.unique(job.columns().column(group).astype(str), return_inverse=True)[1]
        return lambda rows, fraction, seed: group_split(codes[rows], fraction, seed)
    if time is not None:
        when = moments(job, time)
        return lambda rows, fraction, seed: tuple(map(np.sort, time_split(when[rows], fraction)))  # type: ignore
    return None


def moments(job: Job, name: str) -> np.ndarray:
    """A column as moments in time, (n,) numbers; raises ``DataError`` for words that are neither."""
    frame = job.columns()
    column = next(c for c in infer_schema(frame.select([name])))
    if column.kind not in ("number", "date", "constant", "identifier"):
        raise DataError(f"a column of dates or numbers is expected to split by time, but {name!r} is a "
                        f"{column.kind} column; name another.")  # fmt: skip
    return numbers_of(frame, column)
