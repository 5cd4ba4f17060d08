"""What is to be predicted: the task, its classes, and the rows that have a target."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ganglion.base.errors import DataError
from ganglion.data.cells import number_text, parse_numbers
from ganglion.data.columns import Frame, as_column, as_frame, as_text, is_text

KINDS = ("binary", "multiclass", "regression", "multioutput")
MISSING_LABELS = ("", "?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "<NA>")
MAX_CLASSES = 20
"""Whole numbers with more different values than this are quantities unless told otherwise."""


@dataclass
class Task:
    """What a target asks for.

    * ``kind``: ``"binary"``, ``"multiclass"``, ``"regression"`` or ``"multioutput"`` (several numbers); of what has no
      such target ``"forecast"``, ``"language"``, ``"tagging"`` or ``"translation"``.
    * ``classes``: labels in code order (empty for numbers); ``counts`` their rows.
    * ``n_outputs``: columns of the target.
    * ``kept``: (n,) mask of rows that have a target; ``n_missing`` how many have none.
    * ``reason``: why this kind was chosen.
    """

    kind: str
    classes: list[Any] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    n_outputs: int = 1
    kept: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    n_missing: int = 0
    reason: str = ""

    @property
    def classification(self) -> bool:
        """Whether classes are predicted."""
        return self.kind in ("binary", "multiclass")

    @property
    def labels(self) -> bool:
        """Whether each example has one class, or numbers; else it has a text, tags or nothing at all."""
        return self.kind in KINDS

    def encode(self, y: Any) -> np.ndarray:
        """A target as int64 codes (n,), or as float64 numbers (n,) or (n, k).

        Raises:
            DataError: a label that is not among the classes, or a value that is no number.
        """
        if not self.classification:
            return numbers(y, self.n_outputs)
        return encode_labels(y, self.classes)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Codes (n,) as labels."""
        return label_array(self.classes)[np.asarray(codes, dtype=np.int64)]


def infer_task(y: Any, task: str | None = None) -> Task:
    """Find out what a target asks for.

    Words and truth values are classes. Numbers with fractions are quantities. Whole numbers are classes
    when there are two values, or at most 20 that each occur twice or more on average.

    Args:
        y: (n,) labels or numbers of any table library, or (n, k) numbers.
        task: ``"classification"`` or ``"regression"`` to decide it yourself.

    Raises:
        DataError: no target present, one class, a class per row, dates, infinities.

    Example:
        >>> infer_task(["no", "yes", "no", None]).kind
        'binary'
    """
    if task not in (None, "classification", "regression"):
        raise DataError(f"task is expected to be 'classification' or 'regression', got {task!r}.")
    table = _table(y)
    if table is not None:
        return _several(table, task)
    column = as_column(_flat(y))
    if len(column) == 0:
        raise DataError("a target with rows is expected, got 0 rows (0 samples): give at least two.")
    if not is_text(column) and column.dtype.kind == "M":
        raise DataError("a target of numbers or labels is expected, got dates: predict a number of days.")
    labels = _labels(column)
    if labels is None:
        return _from_numbers(np.asarray(column, dtype=np.float64), task, column.dtype == bool)
    values = parse_numbers(labels.values)
    if len(values) and not np.isnan(values).any():
        return _from_numbers(labels.spread(values, np.nan), task, False)
    if task == "regression":
        example = labels.values[int(np.flatnonzero(np.isnan(values))[0])].as_py() if len(values) else ""
        raise DataError(
            f"numbers are expected for regression, but the target holds {example[:40]!r}: clean it."
        )
    return _from_words(column)


def _flat(y: Any) -> Any:
    if isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] == 1:
        return y[:, 0]
    return y


def _table(y: Any) -> Frame | None:
    """A target of several columns as a table; a table of one column as that column's task."""
    if isinstance(y, Frame):
        return y
    rows = isinstance(y, (list, tuple)) and len(y) and isinstance(y[0], (list, tuple, np.ndarray))
    framed = hasattr(y, "columns") or hasattr(y, "column_names") or isinstance(y, dict)
    if rows or framed or (isinstance(y, np.ndarray) and y.ndim == 2 and y.shape[1] != 1):
        return as_frame(y)
    return None


def _several(table: Frame, task: str | None) -> Task:
    if len(table.names) == 1:
        return infer_task(_stored(table, 0), task)
    if not table.names:
        raise DataError("a target is expected, got a table without columns: name at least one.")
    numeric = []
    for i, name in enumerate(table.names):
        try:
            numeric.append(infer_task(_stored(table, i), "regression"))
        except DataError as error:
            raise DataError(
                f"several targets must be columns of numbers, and {name!r} is not: train one network per column."
            ) from error
    if task == "classification":
        raise DataError(
            f"one target column is expected for classification, got {len(table.names)}: train one per column."
        )
    kept = np.all([part.kept for part in numeric], axis=0)
    if not kept.any():
        raise DataError("rows with all targets are expected, but each row lacks one: fill some in.")
    reason = f"{len(table.names)} columns of numbers"
    return Task("multioutput", [], [], len(table.names), kept, int(np.sum(~kept)), reason)


def _stored(table: Frame, index: int) -> Any:
    return table.stored(index)


class _Labels:
    """Distinct target words and a code per row (-1 = missing)."""

    def __init__(self, column: pa.Array) -> None:
        trimmed = pc.utf8_trim_whitespace(column)
        gone = pc.is_in(trimmed, value_set=pa.array(MISSING_LABELS, trimmed.type))
        coded = pc.if_else(gone, pa.scalar(None, trimmed.type), trimmed).dictionary_encode()
        self.values = coded.dictionary
        self.codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)

    def spread(self, per_value: np.ndarray, missing: float) -> np.ndarray:
        return np.append(per_value, missing)[self.codes]


def _labels(column: Any) -> _Labels | None:
    return _Labels(column) if is_text(column) else None


def _from_words(column: pa.Array) -> Task:
    found = _Labels(column)
    kept = found.codes >= 0
    if not kept.any():
        raise DataError("a target is expected, but all its cells are missing: give labels or numbers.")
    names = found.values.to_pylist()
    merged = _without_dots(names)
    classes = sorted(set(merged))
    _check_classes(classes, int(kept.sum()))
    code_of = {label: i for i, label in enumerate(classes)}
    codes = np.array([code_of[label] for label in merged])[found.codes[kept]]
    counts = np.bincount(codes, minlength=len(classes)).tolist()
    kind = "binary" if len(classes) == 2 else "multiclass"
    return Task(kind, classes, counts, 1, kept, int(np.sum(~kept)), f"{len(classes)} different labels")


def _without_dots(names: list[str]) -> list[str]:
    """Labels without the final dot that one of two otherwise equal files has (the Adult test file)."""
    bare = {name.rstrip(".") for name in names}
    every = all(name.endswith(".") for name in names)
    if all(name.rstrip(".") for name in names) and (every or len(bare) < len(set(names))):
        return [name.rstrip(".") for name in names]
    return names


def _from_numbers(values: np.ndarray, task: str | None, truth: bool) -> Task:
    kept = ~np.isnan(values)
    present = values[kept]
    if not len(present):
        raise DataError("a target is expected, but all its cells are missing: give labels or numbers.")
    if np.isinf(present).any():
        raise DataError("finite targets are expected, but one is infinite or too large: clean that row.")
    distinct, counts = np.unique(present, return_counts=True)
    whole = bool(np.all(distinct == np.round(distinct)))
    few = whole and len(distinct) <= MAX_CLASSES and 2 * len(distinct) <= len(present)
    as_classes = task == "classification" or (
        task is None and (truth or (whole and len(distinct) == 2) or few)
    )
    missing = int(np.sum(~kept))
    if as_classes and np.abs(distinct).max() >= 2**53:
        raise DataError(
            "labels below 2**53 are expected, larger numbers cannot be told apart: give them as words."
        )
    if as_classes:
        labels = [_plain_number(v, truth, whole) for v in distinct]
        _check_classes(labels, len(present))
        kind = "binary" if len(labels) == 2 else "multiclass"
        reason = "truth values" if truth else f"{len(labels)} different whole numbers"
        return Task(kind, labels, counts.tolist(), 1, kept, missing, reason)
    if task is None and len(distinct) == 1:
        raise DataError(
            f"a target that varies is expected, but it is always {distinct[0]:g}: choose another."
        )
    return Task("regression", [], [], 1, kept, missing, f"{len(distinct):,} different numbers")


def _plain_number(value: float, truth: bool, whole: bool) -> Any:
    """A label for a number: a truth value, a whole number, or the number in words where there are fractions."""
    if truth:
        return bool(value)
    return int(value) if whole else number_text(np.array([value]))[0].as_py()


def _check_classes(classes: list[Any], n: int) -> None:
    if len(classes) == 1:
        raise DataError(
            f"at least 2 classes are expected, but the target holds only one class, {repr(classes[0])[:42]}: "
            "give rows of another class."
        )
    if len(classes) > 50 and len(classes) > 0.5 * n:
        raise DataError(
            f"labels that repeat are expected, but the target has {len(classes):,} different ones in {n:,} "
            "rows: it looks like an identifier or free text, so choose another column."
        )


def label_array(classes: list[Any]) -> np.ndarray:
    """Labels as a NumPy array of their own kind (text as objects)."""
    if classes and all(isinstance(label, str) for label in classes):
        return np.array(classes, dtype=object)
    return np.array(classes)


def encode_labels(y: Any, classes: list[Any]) -> np.ndarray:
    """Labels (n,) as int64 codes by their place among the classes.

    A final dot that only this file has is overlooked; numbers and their text are the same label.

    Raises:
        DataError: a label that is not among the classes (with its row).

    Example:
        >>> encode_labels(["b", "a"], ["a", "b"]).tolist()
        [1, 0]
    """
    labels = _Labels(as_text(as_column(_flat(y))))
    codes = _label_codes(labels.values, classes)
    result = np.array(codes + [-1], dtype=np.int64)[labels.codes]
    if np.any(result < 0):
        row = int(np.flatnonzero(result < 0)[0])
        seen = repr(labels.values[int(labels.codes[row])].as_py()) if labels.codes[row] >= 0 else "missing"
        known = ", ".join(repr(c)[:42] for c in classes[:8]) + (" ..." if len(classes) > 8 else "")
        raise DataError(
            f"a label among {known} is expected, but row {row + 1} is {seen[:42]}: drop or mend it."
        )
    return result


def _label_codes(values: pa.Array, classes: list[Any]) -> list[int]:
    """The class code of each distinct word, -1 for none: by the word, without final dot, or by the number."""
    worded = {str(label): i for i, label in enumerate(classes)}
    for label, code in list(worded.items()):
        worded.setdefault(label.rstrip("."), code)
    numbered = {
        float(label): i for i, label in enumerate(classes) if not isinstance(label, (str, bool, np.bool_))
    }
    return [
        worded.get(word, worded.get(word.rstrip("."), numbered.get(number, -1)))
        for word, number in zip(values.to_pylist(), parse_numbers(values).tolist())
    ]


def numbers(y: Any, n_outputs: int = 1) -> np.ndarray:
    """A target as float64, (n,) or (n, k).

    Raises:
        DataError: cells that are no finite numbers, or another number of columns.
    """
    table = _table(y)
    columns = [as_column(_flat(y))] if table is None else [table.stored(i) for i in range(len(table.names))]
    if len(columns) != n_outputs:
        raise DataError(f"{n_outputs} target columns are expected, got {len(columns)}: name those of fit.")
    parts = []
    for column in columns:
        if is_text(column):
            found = _Labels(column)
            column = found.spread(parse_numbers(found.values), np.nan)
        parts.append(np.asarray(column, dtype=np.float64))
    result = np.column_stack(parts)
    if not np.isfinite(result).all():
        row = int(np.flatnonzero(~np.isfinite(result).all(axis=1))[0])
        raise DataError(
            f"finite numbers are expected as target, but row {row + 1} has none: drop or mend it."
        )
    return result[:, 0] if n_outputs == 1 else result
