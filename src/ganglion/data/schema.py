"""What each column is: a number, a category, a date, or something to leave out, with the reason."""

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa

from ganglion.base.errors import DataError
from ganglion.data.cells import (
    DATE_FORMATS,
    NUMBER_FORMATS,
    Words,
    date_format,
    number_format,
    parse_dates,
    parse_numbers,
    words,
)
from ganglion.data.columns import Frame, as_text, is_text

KINDS = ("number", "category", "boolean", "date", "constant", "identifier", "text", "empty")
USED = ("number", "category", "boolean", "date")

LARGEST = 1e150
"""Numbers beyond this have no square in float64, so they count as infinite."""

_ID_NAME = re.compile(r"(^|[\s_.-])(id|uid|uuid|guid|key|index|idx|rownum|row_?id)$|[a-z](Id|ID|UUID)$", re.I)
_TRUTH = [("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t")]


@dataclass
class Column:
    """What was learned about one column; plain values that go through JSON.

    * ``kind``: one of ``KINDS``; only those in ``USED`` reach the network.
    * ``missing``: share of missing cells; ``n_unique``: distinct words (text only).
    * ``levels``, ``shares``: of a category, in code order (code = position + 1), and their frequency.
    * ``mean``, ``std``, ``min``, ``max``: of numbers (dates: days since 1970).
    * ``form``: number or date format of text; ``note``: why it is left out, or what to know.
    """

    name: str
    kind: str
    missing: float = 0.0
    n_unique: int | None = None
    levels: list[str] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    mean: float | None = None
    std: float | None = None
    min: float | None = None
    max: float | None = None
    form: str = "plain"
    note: str = ""

    @property
    def used(self) -> bool:
        """Whether the network sees it."""
        return self.kind in USED

    def to_dict(self) -> dict[str, Any]:
        """The column as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Column":
        """The column from ``to_dict``, checked against what is allowed."""
        known = {f.name for f in fields(cls)}
        column = cls(**{k: v for k, v in values.items() if k in known})
        if column.kind not in KINDS or column.form not in NUMBER_FORMATS + DATE_FORMATS or not _sound(column):
            raise DataError(f"column {column.name!r} of a stored schema is damaged: fit again.")
        return column


def _sound(column: Column) -> bool:
    """Whether texts are texts and numbers numbers, in a column that comes from a file."""
    texts = [column.name, column.note, *column.levels]
    maybe = [column.mean, column.std, column.min, column.max, column.n_unique]
    numbers = [column.missing, *column.shares, *(value for value in maybe if value is not None)]
    of_number = column.kind not in ("number", "date") or None not in (column.min, column.max)
    return (
        of_number
        and len(column.shares) == len(column.levels)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(value, int | float) and abs(value) < 1e300 for value in numbers)
    )


def infer_schema(frame: Frame, counts: np.ndarray | None = None, integer_levels: int = 0) -> list[Column]:
    """The kind and statistics of each column of the training rows.

    Args:
        frame: the table.
        counts: (n,) how often each row counts (``None``: once).
        integer_levels: columns of whole numbers with at most this many values become categories.

    Example:
        >>> from ganglion.data.columns import as_frame
        >>> [c.kind for c in infer_schema(as_frame({"a": [1.5, 2.0], "b": ["x", "y"], "c": [1, 1]}))]
        ['number', 'category', 'constant']
    """
    counts = np.ones(len(frame)) if counts is None else counts
    if frame.matrix is not None:
        columns = _matrix_schema(frame, counts)
    else:
        columns = [
            _called_category(name, frame.stored(name), counts)
            if name in frame.categorical
            else _text_column(name, frame.stored(name), counts)
            if is_text(frame.stored(name))
            else _plain_column(name, frame.stored(name), counts)
            for name in frame.names
        ]
    for i, column in enumerate(columns):
        if column.kind == "number":
            columns[i] = _number_or_else(column, frame, counts, integer_levels)
    return columns


def _matrix_schema(frame: Frame, counts: np.ndarray) -> list[Column]:
    matrix = np.asarray(frame.matrix, dtype=np.float64)
    return _number_columns(frame.names, matrix, counts)


def _number_columns(names: list[str], matrix: np.ndarray, counts: np.ndarray) -> list[Column]:
    """Statistics of many numeric columns at once."""
    gap = np.isnan(matrix)
    some_gap = bool(gap.any())
    lowest = np.fmin.reduce(matrix, axis=0)
    highest = np.fmax.reduce(matrix, axis=0)
    weight = (counts @ ~gap) if some_gap else np.full(matrix.shape[1], counts.sum())
    filled = np.where(gap, 0.0, matrix) if some_gap else matrix
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        mean = counts @ filled / weight
        apart = np.where(gap, 0.0, matrix - mean) if some_gap else matrix - mean
        std = np.sqrt(counts @ (apart * apart) / weight)
    missing = 1.0 - weight / counts.sum()
    rows = zip(names, missing, mean, std, lowest, highest)
    return [_number_column(name, *map(float, numbers)) for name, *numbers in rows]


def _number_column(name: str, missing: float, mean: float, std: float, low: float, high: float) -> Column:
    if low < -LARGEST or high > LARGEST:
        raise DataError(infinite(name))
    if np.isnan(low):
        return Column(name, "empty", 1.0, note="all its cells are missing")
    kind = "constant" if low == high and missing <= 0 else "number"
    note = f"it is always {low:g}" if kind == "constant" else ""
    std = std if np.isfinite(std) else 0.0
    return Column(name, kind, max(missing, 0.0), mean=mean, std=std, min=low, max=high, note=note)


def infinite(name: str) -> str:
    """The sentence for a column with an infinite cell."""
    return (
        f"finite numbers are expected, but column {name!r} holds infinity or a value too large: "
        "replace it, or leave it missing (NaN)."
    )


def _plain_column(name: str, values: np.ndarray, counts: np.ndarray) -> Column:
    if values.dtype == bool:
        return _category(name, words(as_text(values)), counts, 0.0)
    if values.dtype.kind == "M":
        return _date(name, values, counts, "iso")
    return _number_columns([name], values[:, None], counts)[0]


def days(moments: np.ndarray) -> np.ndarray:
    """Moments as days since 1970-01-01, NaN for none."""
    number = moments.astype("datetime64[us]").astype(np.int64) / 86_400_000_000
    return np.where(np.isnat(moments), np.nan, number)


def _date(name: str, moments: np.ndarray, counts: np.ndarray, form: str) -> Column:
    column = _number_columns([name], days(moments)[:, None], counts)[0]
    column.form = form
    if column.kind == "number":
        column.kind = "date"
    if column.kind == "constant":
        column.note = f"it is always {str(moments[0])[:10]}"
    return column


def _called_category(name: str, values: Any, counts: np.ndarray) -> Column:
    """A column that its library calls a category stays one, also where its cells are numbers."""
    found = words(as_text(values))
    missing = float(1.0 - counts[found.codes >= 0].sum() / counts.sum())
    if not len(found.values):
        return Column(name, "empty", 1.0, note="all its cells are missing")
    return _left_out(name, found, counts, missing) or _category(name, found, counts, missing)


def _text_column(name: str, values: pa.Array, counts: np.ndarray) -> Column:
    found = words(values)
    weight = counts[found.codes >= 0].sum()
    missing = float(1.0 - weight / counts.sum())
    if not len(found.values):
        return Column(name, "empty", 1.0, note="all its cells are missing")
    return (
        _as_number(name, found, counts)
        or _as_date(name, found, counts)
        or _left_out(name, found, counts, missing)
        or _category(name, found, counts, missing)
    )


def _as_number(name: str, found: Words, counts: np.ndarray) -> Column | None:
    """A number if every word is one, or if there are many and at most 5 % of the cells are none."""
    form = number_format(found.values)
    if form is None:
        return None
    numbers = parse_numbers(found.values, form)
    bad = np.isnan(numbers)
    if bad.all():
        return None
    often = found.counts(counts)
    if bad.any() and (often[bad].sum() > 0.05 * often.sum() or np.sum(~bad) < 20):
        return None
    column = _number_columns([name], found.spread(numbers, np.nan)[:, None], counts)[0]
    column.form = form
    if bad.any():
        example = found.values[int(np.flatnonzero(bad)[0])].as_py()[:30]
        column.note = f"{int(often[bad].sum()):,} cells that are no numbers (as {example!r}) count as missing"
    return column


def _as_date(name: str, found: Words, counts: np.ndarray) -> Column | None:
    form = date_format(found.values)
    if form is None:
        return None
    moments = parse_dates(found.values, form)
    column = _date(name, found.spread(moments, np.datetime64("NaT")), counts, form)
    if (
        form.startswith("%m/%d")
        and not np.isnat(parse_dates(found.values, "%d" + form[2:3] + "%m" + form[5:])).any()
    ):
        column.note = "read as month/day/year, but day/month/year is possible too"
    return column


def _left_out(name: str, found: Words, counts: np.ndarray, missing: float) -> Column | None:
    """Unique text: sentences are free text, short codes are identifiers."""
    n_cells, n_unique = found.counts(counts).sum(), len(found.values)
    if n_unique < 20 or n_unique < 0.5 * n_cells:
        return None
    sample = found.values.slice(0, 300).to_pylist()
    spaces = np.mean([word.count(" ") for word in sample])
    length = np.mean([len(word) for word in sample])
    if spaces >= 2 and length >= 15:
        note = f"free text ({n_unique:,} different texts) is not supported in tables yet, so it is left out"
        return Column(name, "text", missing, n_unique, note=note)
    if n_unique >= 0.9 * n_cells:
        note = f"an identifier ({n_unique:,} different values in {int(n_cells):,} cells) predicts nothing new"
        return Column(name, "identifier", missing, n_unique, note=note)
    return None


def _category(name: str, found: Words, counts: np.ndarray, missing: float) -> Column:
    often = found.counts(counts)
    order = _natural_order(found.values.to_pylist())
    levels = [found.values[int(i)].as_py() for i in order]
    shares = [float(often[i] / often.sum()) for i in order]
    lowered = tuple(level.lower() for level in levels)
    kind = "boolean" if lowered in _TRUTH else "category"
    note = ""
    if len(levels) == 1 and missing <= 0:
        kind, note = "constant", f"it is always {levels[0][:40]!r}"
    return Column(name, kind, max(missing, 0.0), len(levels), levels, shares, note=note)


def _natural_order(levels: list[str]) -> list[int]:
    """Numbers by value, then words by letter."""
    numbers = parse_numbers(pa.array(levels, pa.large_string()))

    def key(i: int) -> tuple[bool, float, str]:
        worded = bool(np.isnan(numbers[i]))
        return worded, 0.0 if worded else float(numbers[i]), levels[i]

    return sorted(range(len(levels)), key=key)


def _number_or_else(column: Column, frame: Frame, counts: np.ndarray, integer_levels: int) -> Column:
    """Whole numbers that only number the rows are identifiers; few of them are categories on request."""
    named_id = frame.named and _ID_NAME.search(column.name) is not None
    if not (named_id or integer_levels) or column.min is None or column.max is None:
        return column
    values = numbers_of(frame, column)
    present = values[~np.isnan(values)]
    if np.any(present != np.round(present)):
        return column
    n_unique = len(np.unique(present))
    total = counts[~np.isnan(values)].sum()
    if named_id and n_unique >= 20 and n_unique == total:
        note = f"an identifier ({n_unique:,} different numbers, named {column.name!r}) predicts nothing new"
        return Column(column.name, "identifier", column.missing, n_unique, note=note)
    if n_unique <= integer_levels:
        return _category(column.name, words(as_text(values)), counts, column.missing)
    return column


def numbers_of(frame: Frame, column: Column) -> np.ndarray:
    """The cells of a number or date column (n,) as float64 (dates: days since 1970), NaN = missing.

    Text is read by the column's format; booleans count 0 and 1.
    """
    values = frame.stored(column.name)
    if not is_text(values):
        return days(values) if values.dtype.kind == "M" else values.astype(np.float64)
    found = words(values)
    if column.kind == "date":
        return found.spread(days(parse_dates(found.values, column.form)), np.nan)
    return found.spread(parse_numbers(found.values, column.form), np.nan)


def describe(schema: list[Column], n_rows: float) -> str:
    """A few words on a table for the line that announces a run, such as "8 categorical, 6,465 missing".

    Args:
        schema: from ``infer_schema``.
        n_rows: rows (or their weight) that it was inferred from.

    Example:
        >>> describe([Column("a", "number", missing=0.5), Column("b", "category")], 10)
        '1 categorical, 5 missing'
    """
    groups = {
        "categorical": sum(column.kind in ("category", "boolean") for column in schema),
        "dates" if sum(c.kind == "date" for c in schema) > 1 else "date": sum(
            c.kind == "date" for c in schema
        ),
        "missing": sum(round(column.missing * n_rows) for column in schema if column.used),
        "left out": sum(not column.used for column in schema),
    }
    return ", ".join(f"{count:,} {what}" for what, count in groups.items() if count) or "all numbers"
