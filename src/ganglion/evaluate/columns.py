"""A table of raw columns under one face: a frame of any library, a dictionary of columns or an array."""

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError


class Columns:
    """Names, cells and shuffled copies of a table; the table itself is never changed.

    Arguments: ``table`` a frame that narwhals knows (pandas, polars, pyarrow), a dictionary name -> column
    ``(n,)``, or an array ``(n, d)`` (columns are then called ``column 1`` ...). Raises ``DataError`` for
    anything else and for columns of different length.

    >>> columns = Columns({"age": [30, 40], "city": ["Rome", "Oslo"]})
    >>> columns.names, len(columns), columns.row(1)
    (['age', 'city'], 2, {'age': 40, 'city': 'Oslo'})
    """

    def __init__(self, table: Any) -> None:
        self._table = table
        if isinstance(table, dict):
            self._kind, self.names = "dict", list(table)
            lengths = {len(column) for column in table.values()}
            if len(lengths) > 1:
                raise DataError(f"columns have different lengths {sorted(lengths)}: give one cell per row.")
            self._length = lengths.pop() if lengths else 0
        elif isinstance(table, np.ndarray) and table.ndim == 2:
            self._kind, self._length = "array", len(table)
            self.names = [f"column {i + 1}" for i in range(table.shape[1])]
        else:
            try:
                self._frame = nw.from_native(table, eager_only=True)
            except TypeError as error:
                raise DataError(
                    f"the table must be a frame, a dictionary of columns or a matrix, got "
                    f"{type(table).__name__}: give one of these."
                ) from error
            self._kind, self.names, self._length = "frame", self._frame.columns, len(self._frame)

    def __len__(self) -> int:
        return self._length

    def row(self, index: int) -> dict[str, Any]:
        """The cells of one row by column name."""
        if self._kind == "frame":
            return dict(zip(self.names, self._frame.row(index)))
        if self._kind == "dict":
            return {name: column[index] for name, column in self._table.items()}
        return dict(zip(self.names, self._table[index].tolist()))

    def take(self, rows: NDArray[np.intp]) -> "Columns":
        """These rows, as the same kind of table."""
        if self._kind == "frame":
            return Columns(self._frame[rows].to_native())
        if self._kind == "dict":
            return Columns({name: np.asarray(column)[rows] for name, column in self._table.items()})
        return Columns(self._table[rows])

    def shuffled(self, index: int, order: NDArray[np.intp]) -> Any:
        """The table with the cells of column ``index`` in another order, for a model to predict."""
        name = self.names[index]
        if self._kind == "frame":
            cells = self._frame[name]
            # Rebuilt by position, because a pandas column that keeps its labels would fall back into place.
            mixed = nw.new_series(name, cells[order].to_native(), cells.dtype, backend=cells.implementation)
            return self._frame.with_columns(mixed).to_native()
        if self._kind == "dict":
            return {**self._table, name: np.asarray(self._table[name])[order]}
        copy = self._table.copy()
        copy[:, index] = copy[order, index]
        return copy

    @property
    def native(self) -> Any:
        """The table as it was given."""
        return self._table
