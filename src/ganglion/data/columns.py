"""One small table for everything: ordered names, and a column or one numeric matrix behind them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ganglion.base.errors import DataError
from ganglion.data.arrow import TEXT, from_arrow
from ganglion.data.cells import number_text


class CellTypeError(DataError, TypeError):
    """A cell holds something that is neither a number, a text, a boolean nor a date."""


class Frame:
    """An ordered table of named columns, each of one plain kind.

    A column is float64 (NaN = missing), bool, datetime64[us] (NaT = missing) or text (an Arrow string
    array; ``column`` gives it as objects of str and None). A purely numeric input stays one ``matrix``
    and is not copied.

    Args:
        names: a name per column.
        columns: the stored columns, or ``None`` when ``matrix`` is given.
        matrix: numbers (n, d), as they came.
        named: whether the names came with the data (else ``x0``, ``x1`` ... and order counts).
        notes: sentences on what was noticed while reading.
        categorical: names of the columns whose library called them categories, whatever their cells.
    """

    def __init__(
        self,
        names: Sequence[str],
        columns: Sequence[Any] | None = None,
        matrix: np.ndarray | None = None,
        *,
        named: bool = True,
        notes: Iterable[str] = (),
        categorical: Iterable[str] = (),
    ) -> None:
        self.names = list(names)
        self.columns = None if columns is None else list(columns)
        self.matrix = matrix
        self.named = named
        self.notes = list(notes)
        self.categorical = frozenset(categorical)
        self._where = {name: i for i, name in enumerate(self.names)}
        if len(self._where) < len(self.names):
            raise DataError(_duplicate(self.names))
        if columns is not None and len({len(c) for c in columns}) > 1:
            sizes = ", ".join(f"{n!r} {len(c)}" for n, c in list(zip(self.names, columns))[:5])
            raise DataError(f"columns of one length are expected, got {sizes}: make them equally long.")

    def __len__(self) -> int:
        if self.matrix is not None:
            return len(self.matrix)
        return len(self.columns[0]) if self.columns else 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self.names)

    def stored(self, name: str | int) -> Any:
        """A column as it is stored (text as an Arrow array)."""
        index = name if isinstance(name, int) else self.index(name)
        if self.matrix is not None:
            return np.asarray(self.matrix[:, index], dtype=np.float64)
        return (self.columns or [])[index]

    def column(self, name: str | int) -> np.ndarray:
        """A column as a NumPy array (n,): float64, bool, datetime64 or objects of str and None."""
        values = self.stored(name)
        return values.to_numpy(zero_copy_only=False) if isinstance(values, pa.Array) else values

    def index(self, name: str) -> int:
        """The position of a column; a ``DataError`` names the nearest one."""
        if name not in self._where:
            raise DataError(missing_column(name, self.names))
        return self._where[name]

    def take(self, rows: np.ndarray) -> "Frame":
        """The table of these rows (positions or a boolean mask)."""
        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows, dtype=np.int64)
        if self.matrix is not None:
            return self._like(self.names, matrix=self.matrix[rows])
        chosen = pa.array(rows)
        columns = [c.take(chosen) if isinstance(c, pa.Array) else c[rows] for c in self.columns or []]
        return self._like(self.names, columns)

    def select(self, names: Sequence[str]) -> "Frame":
        """The table of these columns, in this order."""
        if list(names) == self.names:
            return self
        kept = [self.index(name) for name in names]
        if self.matrix is not None:
            return self._like(names, matrix=self.matrix[:, kept])
        stored = self.columns or []
        return self._like(names, [stored[i] for i in kept])

    def renamed(self, names: Sequence[str]) -> "Frame":
        """The same columns under other names."""
        of_old = dict(zip(self.names, names))
        return Frame(
            names,
            self.columns,
            self.matrix,
            named=self.named,
            notes=self.notes,
            categorical=[of_old[name] for name in self.categorical],
        )

    def _like(self, names: Sequence[str], columns: Any = None, matrix: Any = None) -> "Frame":
        """Other cells with what is known of this table."""
        kept = self.categorical.intersection(names)
        return Frame(names, columns, matrix, named=self.named, notes=self.notes, categorical=kept)

    def drop(self, names: Iterable[str]) -> "Frame":
        """The table without these columns."""
        gone = set(names)
        for name in gone - set(self.names):
            raise DataError(missing_column(name, self.names))
        return self.select([name for name in self.names if name not in gone])


def missing_column(name: str, known: Sequence[str]) -> str:
    """The sentence for a column that is not there, with the nearest name."""
    near = get_close_matches(str(name), list(known)[:2000], n=1, cutoff=0.5)
    listed = ", ".join(map(repr, list(known)[:8])) + (" ..." if len(known) > 8 else "")
    hint = f"did you mean {near[0]!r}?" if near else "give the table that has it."
    return f"column {name!r} is expected, but the table has {listed or 'no columns'}: {hint}"


def _duplicate(names: list[str]) -> str:
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in seen:
            return (
                f"column names must differ, but {name!r} stands at columns {seen[name] + 1} "
                f"and {place + 1}: rename one of them."
            )
        seen[name] = place
    return "column names must differ: rename one of them."


def as_frame(X: Any, names: Sequence[str] | None = None) -> Frame:
    """Any table as a ``Frame``.

    Args:
        X: (n, d) NumPy array, list of rows, list of dicts, dict of columns, pandas, polars or pyarrow
            table, or a ``Frame``.
        names: d column names for inputs that bring none.

    Raises:
        DataError: not a table, ragged, nested cells, duplicate names.

    Example:
        >>> as_frame({"age": [30, None], "job": ["cook", "nurse"]}).shape
        (2, 2)
    """
    if isinstance(X, Frame):
        return X
    if isinstance(X, pa.RecordBatch):
        X = pa.Table.from_batches([X])
    if isinstance(X, dict):
        return Frame([str(k) for k in X], [as_column(v, str(k)) for k, v in X.items()])
    if nw.dependencies.is_into_dataframe(X):
        return _from_dataframe(X)
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise DataError("a dense table is expected, got a sparse matrix: call .toarray() on it first.")
    if isinstance(X, (list, tuple)) and X and all(isinstance(row, dict) for row in X):
        keys = list(dict.fromkeys(str(key) for row in X for key in row))
        return Frame(keys, [as_column([row.get(key) for row in X], key) for key in keys])
    return _from_array(_to_array(X), names)


def _to_array(X: Any) -> np.ndarray:
    if isinstance(X, (str, bytes)) or X is None or not hasattr(X, "__len__"):
        raise DataError(f"a table of rows and columns is expected, got {type(X).__name__}: give an array.")
    if isinstance(X, (list, tuple)):
        rows = [row for row in X if isinstance(row, (list, tuple, np.ndarray))]
        lengths = {len(row) for row in rows}
        if rows and (len(lengths) > 1 or len(rows) < len(X)):
            sizes = ", ".join(map(str, sorted(lengths)[:5]))
            raise DataError(f"rows of one length are expected, got lengths {sizes}: make the rows equal.")
        plain = all(isinstance(v, (int, float, bool, np.number)) for row in rows for v in row)
        return np.asarray(X) if plain or not rows else _object_rows(rows)
    return np.asarray(X)


def _object_rows(rows: list[Any]) -> np.ndarray:
    table = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            table[i, j] = value
    return table


def _from_array(array: np.ndarray, names: Sequence[str] | None) -> Frame:
    if array.dtype.names:
        return Frame(list(array.dtype.names), [as_column(array[n], n) for n in array.dtype.names])
    if array.ndim != 2:
        raise DataError(
            f"a table with 2 dimensions is expected, got {array.ndim}: Reshape your data, "
            "for one column with X.reshape(-1, 1)."
        )
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: give real and imaginary parts as two columns.")
    named = names is not None
    labels = [str(name) for name in names] if names is not None else [f"x{j}" for j in range(array.shape[1])]
    if len(labels) != array.shape[1]:
        raise DataError(f"{array.shape[1]} column names are expected, got {len(labels)}: name each column.")
    if array.dtype.kind in "fiub":
        return Frame(labels, matrix=array, named=named)
    columns = [as_column(array[:, j], label) for j, label in enumerate(labels)]
    if columns and all(isinstance(c, np.ndarray) and c.dtype == np.float64 for c in columns):
        return Frame(labels, matrix=np.column_stack(columns), named=named)
    return Frame(labels, columns, named=named)


def _from_dataframe(X: Any) -> Frame:
    labels = list(X.column_names if hasattr(X, "column_names") else X.columns)
    names = [str(label) for label in labels]
    if len(set(names)) < len(names):
        raise DataError(_duplicate(names))
    named = all(isinstance(label, str) for label in labels)
    if not named and hasattr(X, "set_axis"):
        X = X.set_axis(names, axis=1)
    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError:
        raise DataError("a table in memory is expected, got a lazy one: call .collect() first.") from None
    kinds = list(frame.schema.values())
    if kinds and all(kind.is_numeric() and kind != nw.Decimal for kind in kinds):
        matrix = frame.to_numpy()
        if matrix.dtype.kind in "fiu":
            return Frame(names, matrix=matrix, named=named)
    columns = [_from_series(frame[name], name) for name in names]
    called = [name for name, kind in frame.schema.items() if kind in (nw.Categorical, nw.Enum)]
    return Frame(names, columns, named=named, categorical=called)


def _from_series(series: Any, name: str) -> Any:
    try:
        return from_arrow(_combined(series.to_arrow()), name)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeError):
        return _from_objects(series.to_list(), name)


def _combined(array: Any) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def as_column(values: Any, name: str = "target") -> Any:
    """One column of anything as it is stored in a ``Frame`` (see there).

    Raises:
        DataError: more than one dimension, complex numbers, nested cells.
    """
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return from_arrow(_combined(values), name)
    if nw.dependencies.is_into_series(values):
        return _from_series(nw.from_native(values, series_only=True), name)
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise DataError(f"column {name!r} is expected to be a list of values, got {type(values).__name__}.")
    if not isinstance(values, np.ndarray):
        return _from_objects(list(values), name)
    if values.ndim != 1:
        raise DataError(f"column {name!r} is expected to have 1 dimension, got {values.ndim}: flatten it.")
    if values.dtype.kind == "c":
        raise DataError(f"Complex data not supported, in column {name!r}: give two real columns.")
    if values.dtype.kind == "b":
        return values
    if values.dtype.kind in "fiu":
        return values.astype(np.float64)
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]")
    if values.dtype.kind == "m":
        return values / np.timedelta64(1, "s")
    return _from_objects(values.tolist(), name)


def _from_objects(values: list[Any], name: str) -> Any:
    """Python objects as a column: by Arrow where they agree, else cell by cell."""
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, OverflowError, UnicodeError, TypeError, ValueError):
        return _from_mixed(values, name)
    if pa.types.is_nested(array.type):
        raise CellTypeError(_nested_cell(name, next(v for v in values if v is not None)))
    return from_arrow(array, name)


def _from_mixed(values: list[Any], name: str) -> Any:
    cells = [_plain(value, name) for value in values]
    if all(cell is None or isinstance(cell, (bool, float)) for cell in cells):
        return np.array([np.nan if cell is None else float(cell) for cell in cells])
    text = [cell if cell is None or isinstance(cell, str) else _written(cell) for cell in cells]
    return pa.array(text, TEXT)


def _plain(value: Any, name: str) -> str | float | bool | None:
    if value is None or isinstance(value, (bool, np.bool_)):
        return value if value is None else bool(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (int, float, np.number, Decimal, Fraction)):
        try:
            number = float(value)  # type: ignore[arg-type]
        except OverflowError:
            return float("inf")
        return None if number != number else number
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    raise CellTypeError(_nested_cell(name, value))


def _written(cell: float | bool) -> str:
    if isinstance(cell, bool):
        return str(cell)
    return str(int(cell)) if cell == cell and abs(cell) < 1e15 and cell == int(cell) else repr(cell)


def _nested_cell(name: str, value: Any) -> str:
    return (
        f"column {name!r} holds a {type(value).__name__}, but a cell's argument must be a string or a number "
        "(or a date): spread nested values over columns of their own."
    )


def is_text(column: Any) -> bool:
    """Whether a stored column is text."""
    return isinstance(column, pa.Array)


def as_text(column: Any) -> pa.Array:
    """A stored column as text cells, so that a level reads the same from any kind of storage."""
    if isinstance(column, pa.Array):
        return column
    if column.dtype == bool:
        return pc.if_else(pa.array(column), pa.scalar("True", TEXT), pa.scalar("False", TEXT))
    if column.dtype.kind == "M":
        return pa.array(column).cast(TEXT)
    return number_text(column)
