"""A new table in the form that a fitted estimator expects."""

from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame, missing_column


def inputs_of(estimator: Any, table: Frame) -> tuple[Frame, list[str]]:
    """The model's columns of a table in its own order, and what is different from training.

    A column that the network does not use may be missing; ``DataError`` names the others.
    """
    names = getattr(estimator, "feature_names_in_", None)
    columns = estimator.preprocessor_
    if names is not None:
        idle = set() if columns is None else {c.name for c in columns.schema_ if not c.used}
        missing = [n for n in names if n not in table.names]
        needed = [n for n in missing if n not in idle]
        if needed:
            more = f" and {len(needed) - 1} more of those it learned from" if len(needed) > 1 else ""
            raise DataError(
                missing_column(needed[0], table.names).replace("is expected", f"is needed{more}", 1)
            )
        table = filled(table, missing).select(list(names))
    return table, [] if columns is None else columns.schema_differences(table)


def filled(table: Frame, names: list[str]) -> Frame:
    """The table with empty columns of these names."""
    if not names:
        return table
    empty = np.full(len(table), np.nan)
    stored = [table.stored(name) for name in table.names]
    return Frame([*table.names, *names], [*stored, *[empty] * len(names)], notes=table.notes)
