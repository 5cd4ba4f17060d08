"""What a table shall predict, as the parts of the preprocessing see it that learn from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.base.errors import DataError


@dataclass(frozen=True)
class Goal:
    """A target as numbers.

    * ``columns``: (n, k) numbers; of two classes one column, 1 for the second; of more a column of 0 and 1 each.
    * ``codes``: (n,) place of each row's class in ``labels``, ``None`` for numbers.
    * ``labels``: the classes in order, ``None`` for numbers.
    """

    columns: np.ndarray
    codes: np.ndarray | None = None
    labels: list[Any] | None = None

    @classmethod
    def of(cls, y: Any, n: int, labels: list[Any] | None = None) -> "Goal":
        """A target (n,) or (n, k) of floating-point numbers, or (n,) of classes of any other type.

        ``labels`` are the classes of an earlier target. Raises ``DataError`` for another number of rows, for
        numbers that are not finite, and for classes that are not among ``labels``.

        >>> Goal.of(["no", "yes", "no"], 3).columns.tolist(), Goal.of([0.5, 2.0], 2).columns.tolist()
        ([[0.0], [1.0], [0.0]], [[0.5], [2.0]])
        """
        y = np.asarray(y)
        if len(y) != n:
            raise DataError(f"a target for each of {n} rows is expected, got {len(y)}: give one per row.")
        if y.dtype.kind == "f":
            columns = y.reshape(n, -1).astype(np.float64)
            if not np.isfinite(columns).all():
                raise DataError(
                    "finite targets are expected, but y holds NaN or infinity: leave such rows out."
                )
            return cls(columns)
        if y.ndim != 1:
            raise DataError(f"one class per row is expected, got y of shape {y.shape}: give one column.")
        known = np.unique(y) if labels is None else np.asarray(labels)
        codes = np.searchsorted(known, y).clip(max=len(known) - 1)
        if (known[codes] != y).any():
            raise DataError(
                f"y holds the class {y[known[codes] != y].tolist()[0]!r}, expected are {known.tolist()[:5]}: "
                "give rows of these classes."
            )
        columns = (codes[:, None] == np.arange(len(known))).astype(np.float64)
        return cls(columns[:, 1:] if len(known) == 2 else columns, codes, known.tolist())

    def take(self, rows: np.ndarray) -> "Goal":
        """Some of the rows."""
        return Goal(self.columns[rows], None if self.codes is None else self.codes[rows], self.labels)
