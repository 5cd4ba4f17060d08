"""Sequences of unequal lengths behind one another in one array, and batches of sequences that are about as long."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v1 as nw
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number
from ganglion.data.batches import order
from ganglion.data.columns import Frame

WINDOW = 50  # batches that are sorted together: more pad less, fewer mix more
FORMS = "an array (n, T) or (n, T, c), or a list of n arrays (T_i,) or (T_i, c)"


@dataclass(frozen=True)
class Sequences:
    """n sequences without padding: sequence i is ``values[offsets[i] : offsets[i + 1]]``, of shape (T_i, c).

    >>> sequences = read_sequences([[1, 2, 3], [4, 5]])
    >>> sequences.lengths.tolist(), sequences[1].tolist()
    ([3, 2], [[4.0], [5.0]])
    """

    values: NDArray[np.float32]
    """(total, c), NaN where a number is missing."""
    offsets: NDArray[np.int64]
    """(n + 1,), from 0 to total."""

    def __len__(self) -> int:
        """The number of sequences."""
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> NDArray[np.float32]:
        """Sequence i, (T_i, c), a view."""
        first, last = self.offsets[:-1][i], self.offsets[1:][i]
        return self.values[first:last]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each sequence, (n,)."""
        return np.diff(self.offsets)

    def take(self, rows: ArrayLike) -> "Sequences":
        """The sequences of these rows (positions or a boolean mask), in this order."""
        rows = np.arange(len(self))[np.asarray(rows) if np.size(rows) else slice(0)]
        lengths = self.lengths[rows]
        offsets = np.append(0, np.cumsum(lengths))
        steps = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return Sequences(self.values[steps], offsets)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """All that is in it as named bytes, by which a checkpoint tells these data from others."""
        yield "values", str(self.values.shape).encode() + self.values.tobytes()
        yield "offsets", self.offsets.tobytes()


def read_sequences(X: Any, n_channels: int | None = None) -> Sequences:
    """Sequences in the forms that people give them, as single-precision numbers in one block.

    NaN is a gap and stays; numbers keep about 7 digits.

    Arguments:
        X: an array (n, T) or (n, T, c), or n arrays (T_i,) or (T_i, c) in a list, a tuple, an array of objects or a
            column; T steps, c channels.
        n_channels: the c that is expected (``None``: any).

    Raises ``DataError``, naming the sequence, for a table, nothing, no steps, no numbers, infinities, other
    dimensions, and channels that differ.

    >>> read_sequences(np.zeros((2, 5, 3))).values.shape
    (10, 3)
    """
    parts = [part[:, None] if part.ndim == 1 else part for part in _parts(X)]
    channels = n_channels or parts[0].shape[1]
    for wrong, said in (
        (lambda p: not p.shape[1], "has no channels, but at least 1 is"),
        (lambda p: p.shape[1] != channels, f"has {{c}} channels, but {channels} are"),
        (lambda p: not len(p), "has no steps, but at least 1 is"),
    ):
        bad = next((i for i, part in enumerate(parts) if wrong(part)), None)
        if bad is not None:
            said = said.format(c=parts[bad].shape[1])
            raise DataError(f"sequence {bad} (counted from 0) {said} expected; mend it or leave it out.")
    offsets = np.append(0, np.cumsum([len(part) for part in parts]))
    with np.errstate(over="ignore"):
        values = np.concatenate(parts, dtype=np.float32, casting="unsafe")
    endless = np.isinf(values).any(axis=1)
    if endless.any():
        step = int(endless.argmax())
        i = int(np.searchsorted(offsets, step, side="right")) - 1
        raise DataError(
            "finite numbers are expected (NaN for a gap), but one is infinite or beyond 3.4e38 in sequence "
            f"{i} at step {step - offsets[i]} (counted from 0); mend it or put NaN."
        )
    return Sequences(values, offsets)


def _parts(X: Any) -> list[NDArray[Any]]:
    """Each sequence as an array of numbers (T_i,) or (T_i, c)."""
    if nw.dependencies.is_into_dataframe(X) or isinstance(X, dict | Frame):
        raise DataError(
            f"sequences are expected as {FORMS}, got a table ({type(X).__name__}); "
            "give X.to_numpy() where each row is one sequence, or a list of one array per sequence."
        )
    if isinstance(X, str | bytes) or not hasattr(X, "__len__") or getattr(X, "ndim", 1) == 0:
        raise DataError(f"sequences are expected as {FORMS}, got {type(X).__name__}; give one of these.")
    if not len(X):
        raise DataError(f"at least one sequence is expected, got an empty {type(X).__name__}; give {FORMS}.")
    if hasattr(X, "ndim") and X.ndim > 1:
        whole = _numbers(X, "X")
        if whole.ndim > 3:
            raise DataError(
                f"sequences are expected as {FORMS}, got {whole.ndim} dimensions; flatten the last."
            )
        return list(whole)
    parts = [_numbers(part, f"sequence {i} (counted from 0)") for i, part in enumerate(X)]
    bad = next((i for i, part in enumerate(parts) if part.ndim not in (1, 2)), None)
    if bad is not None:
        hint = " (for a single sequence give [X])" if not parts[bad].ndim else ""
        raise DataError(
            f"each sequence is expected to be an array (T_i,) or (T_i, c), but sequence {bad} (counted from 0) has "
            f"{parts[bad].ndim} dimensions{hint}; give {FORMS}."
        )
    return parts


def _numbers(part: Any, what: str) -> NDArray[Any]:
    """An array of real numbers, or a sentence."""
    try:
        array = (
            np.ma.filled(part.astype(np.float64), np.nan) if np.ma.isMaskedArray(part) else np.asarray(part)
        )
        array = array.astype(np.float64) if array.dtype == object and not _has_text(array) else array
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:80]
        raise DataError(f"{what} is expected to be an array of numbers, but is not ({reason}).") from None
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what} is expected to hold real numbers, got {array.dtype}; turn its entries into numbers."
        )
    return array


def _has_text(array: NDArray[Any]) -> bool:
    return any(isinstance(cell, str | bytes) for cell in array.flat)


def buckets(
    lengths: ArrayLike, batch_size: int, seed: int, epoch: int, window: int = WINDOW
) -> list[NDArray[np.int64]]:
    """Batches of sequences that are about as long, in an order that follows from ``(seed, epoch)`` alone.

    The rows are shuffled, sorted by length inside windows of ``window`` batches, cut into batches, and the batches are
    shuffled: little is padded, and the company of a sequence still changes with every epoch.

    Arguments:
        lengths: (n,) steps of each sequence.
        batch_size: rows a batch; one of them may be smaller.
        seed: of the shuffling, 0 or more, with
        epoch: the number of the epoch.
        window: batches that are sorted together.

    Returns the rows of each batch; every row is in one. Raises ``ParameterError`` for the numbers.

    >>> [rows.tolist() for rows in buckets([9, 1, 8, 2], 2, seed=0, epoch=0)]
    [[2, 0], [1, 3]]
    """
    number("buckets' batch_size", batch_size, AtLeast(1), whole=True)
    number("buckets' window", window, AtLeast(1), whole=True)
    lengths = np.asarray(lengths)
    rows = order(seed, epoch, len(lengths)).numpy()
    for start in range(0, len(rows), window * batch_size):
        part = rows[start : start + window * batch_size]
        part[:] = part[np.argsort(lengths[part], kind="stable")]
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    turns = np.random.default_rng([seed, epoch, 1]).permutation(len(batches))
    return [batches[i] for i in turns]


def padding_share(lengths: ArrayLike, batches: list[NDArray[np.int64]]) -> float:
    """The share of padding where each batch is as long as the longest sequence in it.

    >>> padding_share([2, 6, 4], [np.array([0, 1]), np.array([2])])
    0.25
    """
    lengths = np.asarray(lengths)
    room = sum(len(rows) * int(lengths[rows].max()) for rows in batches)
    return 1 - sum(int(lengths[rows].sum()) for rows in batches) / max(room, 1)
