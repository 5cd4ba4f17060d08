"""How a new table differs from the training table: missing columns, unseen categories, drift."""

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.cells import words
from ganglion.data.columns import Frame, as_text, is_text, missing_column
from ganglion.data.encode import codes, level_array
from ganglion.data.schema import Column, numbers_of

MIN_ROWS = 30
"""Below this many rows a shift says nothing."""
SHIFT = 0.5
"""Standard deviations that a mean may move."""
DISTANCE = 0.2
"""Share of rows that may change category (total variation)."""


def differences(frame: Frame, schema: list[Column], named: bool, n_columns: int) -> list[str]:
    """One sentence per difference, in the order of the columns.

    Args:
        frame: the new table.
        schema: of the training table.
        named: whether that had names.
        n_columns: how many columns it had.
    """
    if not (named and frame.named):
        if len(frame.names) != n_columns:
            return [f"the table has {len(frame.names)} columns where training had {n_columns}"]
        frame = frame.renamed([column.name for column in schema])
    found: list[str] = []
    for column in schema:
        if not column.used:
            continue
        if column.name not in frame.names:
            found.append(missing_column(column.name, frame.names))
        elif len(frame):
            check = _of_number if column.kind in ("number", "date") else _of_category
            try:
                found += check(frame, column)
            except DataError as error:
                found.append(str(error))
    return found


def _of_number(frame: Frame, column: Column) -> list[str]:
    values = numbers_of(frame, column)
    gap = np.isnan(values)
    found = _of_gaps(column, float(gap.mean()), len(values))
    stored = frame.stored(column.name)
    if is_text(stored):
        present = words(stored).codes >= 0
        unread = int(np.sum(present & gap))
        if unread and not column.note:
            found.append(f"column {column.name!r} holds {unread:,} cells that are no {column.kind}")
    present = values[~gap & np.isfinite(values)]
    if len(present) < MIN_ROWS or column.mean is None or not column.std:
        return found
    shift = (present.mean() - column.mean) / column.std
    noise = 4.0 / np.sqrt(len(present))
    if abs(shift) > max(SHIFT, noise):
        moved = f"from {column.mean:.4g} to {present.mean():.4g}"
        if column.kind == "date":
            moved = f"by {present.mean() - column.mean:.0f} days"
        found.append(f"the mean of column {column.name!r} moved {moved} ({shift:+.1f} standard deviations)")
    outside = float(np.mean((present < column.min) | (present > column.max)))
    if outside > 0.05 and abs(shift) <= max(SHIFT, noise):
        found.append(f"{outside:.0%} of column {column.name!r} lies outside the range of training")
    return found


def _of_gaps(column: Column, missing: float, n_rows: int) -> list[str]:
    noise = 4.0 * np.sqrt(max(column.missing * (1 - column.missing), 0.01) / n_rows)
    if n_rows >= MIN_ROWS and missing - column.missing > max(0.1, noise):
        shares = f"{missing:.0%} of the rows, {column.missing:.0%} in training"
        return [f"column {column.name!r} is missing in {shares}"]
    return []


def _of_category(frame: Frame, column: Column) -> list[str]:
    stored = frame.stored(column.name)
    code = codes(stored, level_array(column.levels), column.kind)
    met = words(as_text(stored))
    unseen = (code == 0) & (met.codes >= 0)
    found = _of_gaps(column, float(np.mean(met.codes < 0)), len(code))
    if unseen.any():
        kinds = np.unique(met.codes[unseen])
        shown = ", ".join(repr(met.values[int(k)].as_py()[:40]) for k in kinds[:3])
        more = f" and {len(kinds) - 3} more" if len(kinds) > 3 else ""
        rows = f"{int(unseen.sum()):,} rows"
        found.append(f"column {column.name!r} holds {shown}{more} in {rows}, never seen in training")
    known = code[code > 0]
    if len(known) >= MIN_ROWS and not unseen.mean() > DISTANCE:
        shares = np.bincount(known - 1, minlength=len(column.levels)) / len(known)
        distance = 0.5 * np.abs(shares - np.array(column.shares)).sum()
        noise = 1.5 * np.sqrt(len(column.levels) / len(known))
        if distance > max(DISTANCE, noise):
            k = int(np.argmax(np.abs(shares - np.array(column.shares))))
            found.append(
                f"the categories of column {column.name!r} shifted: {column.levels[k][:40]!r} went from "
                f"{column.shares[k]:.0%} to {shares[k]:.0%}"
            )
    return found
