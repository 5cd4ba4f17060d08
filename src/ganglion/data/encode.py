"""Categories as numbers: one-hot, ordinal, or codes for a learned embedding or for means of the target."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ganglion.data.arrow import TEXT
from ganglion.data.cells import Words, parse_numbers, words
from ganglion.data.columns import as_text, is_text
from ganglion.data.schema import Column

METHODS = ("auto", "onehot", "ordinal", "embedding", "target")
MAX_LEVELS = 10_000


def choose(method: str, n_levels: int, max_onehot: int) -> str:
    """How a category is encoded: ``"sign"``, ``"onehot"``, ``"ordinal"``, ``"embedding"`` or ``"target"``.

    Two levels or fewer are one column of -1 and 1 whatever the method; ``auto`` is one-hot up to
    ``max_onehot`` levels and an embedding beyond.

    Example:
        >>> choose("auto", 2, 16), choose("auto", 5, 16), choose("auto", 500, 16)
        ('sign', 'onehot', 'embedding')
    """
    if n_levels <= 2:
        return "sign"
    if method == "auto":
        return "onehot" if n_levels <= max_onehot else "embedding"
    return method


def kept_levels(column: Column, rows: float, method: str) -> list[str]:
    """The levels that get a code: all, or for an embedding those met twice; the 10,000 most frequent.

    Args:
        column: with ``levels`` and ``shares``.
        rows: weight of its present cells.
        method: as from ``choose``.
    """
    shares = np.array(column.shares)
    keep = np.ones(len(shares), bool)
    if method == "embedding":
        keep = shares * rows > 1.5
        keep = keep if keep.sum() >= 2 else np.ones(len(shares), bool)
    if keep.sum() > MAX_LEVELS:
        least = np.sort(shares[keep])[-MAX_LEVELS]
        keep &= shares >= least
    return [level for level, kept in zip(column.levels, keep) if kept][:MAX_LEVELS]


def codes(column: "np.ndarray | pa.Array", levels: pa.Array, kind: str = "category") -> np.ndarray:
    """The code of each row: 1 + the place of its level, 0 for a missing or never seen one.

    Args:
        column: stored column of a ``Frame`` (n,).
        levels: Arrow array of the k known levels.
        kind: ``"boolean"`` also reads 0 and 1, true and false, yes and no.

    Example:
        >>> codes(pa.array(["b", "?", "c"]), pa.array(["a", "b"])).tolist()
        [2, 0, 0]
    """
    found = words(as_text(column))
    known = _place(found.values, levels)
    if kind == "boolean" and len(levels) == 2:
        known = np.where(known > 0, known, _truth(found))
    if not is_text(column) and column.dtype == np.float64 and not known.all():
        known = np.where(known > 0, known, _as_decimals(found.values, levels))
    return found.spread(known, 0)


def _place(values: pa.Array, levels: pa.Array) -> np.ndarray:
    place = pc.index_in(values.cast(TEXT), value_set=levels.cast(TEXT))
    return place.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64) + 1


def _truth(found: Words) -> np.ndarray:
    lowered = pc.utf8_lower(found.values)
    no = pc.is_in(lowered, value_set=pa.array(["0", "false", "no", "n", "f"], lowered.type))
    yes = pc.is_in(lowered, value_set=pa.array(["1", "true", "yes", "y", "t"], lowered.type))
    return no.to_numpy(zero_copy_only=False) * 1 + yes.to_numpy(zero_copy_only=False) * 2


def _as_decimals(values: pa.Array, levels: pa.Array) -> np.ndarray:
    """Levels that training read as text such as "1.50" or "007", met now as the numbers 1.5 and 7."""
    known, met = parse_numbers(levels), parse_numbers(values)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known[order], met), max(len(known) - 1, 0))
    return np.where(known[order][place] == met, order[place] + 1, 0)


def one_hot(code: np.ndarray, width: int, out: np.ndarray) -> None:
    """Write the one-hot rows of codes 1..width into ``out`` (n, width), all zero for code 0."""
    rows = np.flatnonzero(code)
    out[rows, code[rows] - 1] = 1.0


def signs(code: np.ndarray) -> np.ndarray:
    """Codes 1 and 2 as -1 and 1; 0 for code 0."""
    return np.array([0.0, -1.0, 1.0])[code]


def ordinal(code: np.ndarray, n_levels: int) -> np.ndarray:
    """Codes 1..k spread evenly over [-1, 1]; 0 for code 0."""
    place = 2.0 * (code - 1) / max(n_levels - 1, 1) - 1.0
    return np.where(code > 0, place, 0.0)


def level_array(levels: Sequence[str]) -> pa.Array:
    """Levels as an Arrow array."""
    return pa.array(list(levels), TEXT)
