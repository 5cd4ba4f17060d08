"""New examples for a model that is there: as it takes them, with their truth, and what is to be noted."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame
from ganglion.data.target import MISSING_LABELS, encode_labels, infer_task, label_array
from ganglion.jobs.inputs import inputs_of
from ganglion.jobs.job import Job
from ganglion.jobs.opened import Opened
from ganglion.jobs.table import TableJob, named_targets, open_frame, target_columns

NO_IMAGE = "--image belongs to a model of pictures, but this one sees none; leave it out."


@dataclass
class Given:
    """Examples as the estimator takes them."""

    inputs: Any
    truth: np.ndarray | None  # in the model's own labels, if it was asked for
    notes: list[str]
    job: Callable[..., Job]  # makes the job of these examples from ``y``, ``task``, ``targets`` ...
    unit: str = "rows"  # what they are called
    names: dict[str, list[str]] = field(
        default_factory=dict
    )  # a column that names each example, broken ones too
    broken: dict[int, str] = field(default_factory=dict)  # place among the names -> why there is no answer

    def spread(self, answers: Sequence[Any]) -> list[Any]:
        """A column of answers with nothing where an example is broken."""
        if not self.broken:
            return list(answers)
        left, n = iter(answers), len(answers) + len(self.broken)
        return [None if i in self.broken else next(left) for i in range(n)]


def given(
    opened: Opened, source: Any, *, image: str | None = None, target: str | None = None, truth: bool = False
) -> Given:
    """Examples for a model from whatever a person gives.

    Arguments: ``image`` the column of paths, if ``source`` is a table of pictures; ``target`` the column of the truth
    if it is called otherwise; ``truth`` whether it is needed. Raises ``DataError``.
    """
    if opened.takes == "pictures":
        from ganglion.jobs.given_pictures import given_pictures

        return given_pictures(opened, source, image=image, target=target, truth=truth)
    if image is not None:
        raise DataError(NO_IMAGE)
    if opened.takes in ("texts", "sentences"):
        from ganglion.jobs.sequences.given import given_words

        return given_words(opened, source, target=target, truth=truth)
    if isinstance(source, list) and len(source) > 1:
        raise DataError(f"one table is expected, got {len(source)} files; give them one after another.")
    source = source[0] if isinstance(source, list) else source
    table, y = open_like(opened, source), None
    if truth:
        table, y = truth_of(opened, table, target)
    inputs, notes = inputs_of(opened.estimator, table)
    return Given(inputs, y, notes, partial(TableJob, frame=inputs))


def open_like(opened: Opened, source: Any) -> Frame:
    """A table for a model: whether a file's first row holds names is judged by the names that the model knows."""
    names = getattr(opened.estimator, "feature_names_in_", None)
    if names is None or not (isinstance(source, str) or hasattr(source, "__fspath__")):
        return open_frame(source)
    if all(re.fullmatch(r"column_\d+", name) for name in names):
        return open_frame(source, header=False)
    table = open_frame(source)
    if set(names).isdisjoint(table.names) and all(n.startswith("column_") for n in table.names):
        first = [str(table.column(n)[0]) for n in table.names]
        return table if set(names).isdisjoint(first) else open_frame(source, header=True)
    return table


def truth_of(opened: Opened, table: Frame, target: str | None) -> tuple[Frame, np.ndarray]:
    """Rows that have a target, and the target in the model's own labels."""
    targets = named_targets(table, target or opened.targets)
    if target and len(targets) != len(opened.targets):
        raise DataError(
            f"the model predicts {len(opened.targets)} columns, got {len(targets)} names for them."
        )
    missing = [t for t in targets if t not in table.names]
    if missing:
        raise DataError(
            f"the table has no column {missing[0]!r} to compare with; name the one it has with --target."
        )
    y = target_columns(table, targets)
    if opened.classes is None:
        task = infer_task(y, "regression")
        rows = np.flatnonzero(task.kept)
        return table.take(rows), task.encode(target_columns(table.take(rows), targets))
    kept, labels = read_labels(y, opened.classes)
    return table.take(kept), labels


def read_labels(y: Any, classes: list[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Rows with a label, and the labels as the model knows them; raises ``DataError`` for a strange one."""
    cells = [None if v is None or v != v else v for v in np.asarray(y, dtype=object).tolist()]
    gone = {None, *MISSING_LABELS}
    kept = np.array([i for i, v in enumerate(cells) if v not in gone], dtype=np.int64)
    if not len(kept):
        raise DataError("no row of the table has a target to compare with; give rows that have one.")
    codes = encode_labels(np.array([cells[i] for i in kept], dtype=object), classes)
    return kept, label_array(classes)[codes]
