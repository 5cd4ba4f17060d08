"""Sequences of unequal lengths on a device: behind one another, and padded batch by batch.

What is no part of a sequence is marked in the numbers themselves, so that a network takes one tensor: NaN stands
behind the end of a series of numbers, code 0 behind the end of a text.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.data.batches import OrderedBatches
from ganglion.data.ragged import Sequences, buckets

ANSWER_PLACES = 2**16  # of all sequences that go through a network together outside training


class Ragged:
    """n sequences as one tensor (total, ...) and where each begins; ``pad`` is what stands behind an end.

    >>> ragged = Ragged(torch.tensor([3, 4, 5]), np.array([0, 1, 3]), pad=0)
    >>> ragged.padded().tolist()
    [[3, 0], [4, 5]]
    """

    def __init__(self, values: Tensor, offsets: NDArray[np.int64], pad: float) -> None:
        self.values, self.offsets, self.pad = values, offsets, pad

    @classmethod
    def of(cls, sequences: Sequences, device: torch.device) -> "Ragged":
        """Series of numbers on a device, NaN behind their ends."""
        return cls(torch.from_numpy(sequences.values).to(device), sequences.offsets, float("nan"))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, part: slice) -> "Ragged":
        """A part without gaps, a view."""
        start, stop, step = part.indices(len(self))
        if step != 1:
            raise IndexError("a part of ragged sequences has no gaps; take padded(rows).")
        offsets = self.offsets[start : max(start, stop) + 1]
        return Ragged(self.values[offsets[0] : offsets[-1]], offsets - offsets[0], self.pad)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Places of each sequence, (n,)."""
        return np.diff(self.offsets)

    def padded(self, rows: NDArray[np.int64] | None = None) -> Tensor:
        """Sequences of these rows, or of all, as one tensor (m, T, ...), T the longest of them (at least 1)."""
        starts, lengths = self.offsets[:-1], self.lengths
        if rows is not None:
            starts, lengths = starts[rows], lengths[rows]
        longest = int(max(lengths.max(initial=0), 1))
        if not len(self.values):  # nothing but empty sequences
            return self.values.new_full((len(lengths), longest, *self.values.shape[1:]), self.pad)
        if (
            len(lengths)
            and lengths.min() == longest
            and (len(lengths) == 1 or (np.diff(starts) == longest).all())
        ):
            whole = self.values[starts[0] : starts[0] + longest * len(lengths)]
            return whole.view(len(lengths), longest, *self.values.shape[1:])
        begin, size = torch.from_numpy(np.stack([starts, lengths])).to(self.values.device)[..., None]
        places = torch.arange(longest, device=self.values.device)
        found = self.values[(begin + places).clamp_(max=max(len(self.values) - 1, 0))]
        behind = places >= size
        return found.masked_fill_(behind.view(*behind.shape, *[1] * (found.dim() - 2)), self.pad)

    def blocks(self, places: int = ANSWER_PLACES) -> Iterator[NDArray[np.int64]]:
        """Rows that go through a network together, about as long as each other, at most so many places in all."""
        order = np.argsort(self.lengths, kind="stable")
        lengths = np.maximum(self.lengths[order], 1)
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and lengths[stop] * (stop + 1 - start) <= places:
                stop += 1
            yield order[start:stop]
            start = stop

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Everything as bytes: what a checkpoint of a run on it is named by."""
        yield f"values {tuple(self.values.shape)}", self.values.cpu().numpy().tobytes()
        yield "offsets", self.offsets.tobytes()


class RaggedBatches(OrderedBatches):
    """Batches of sequences that are about as long, padded to the longest of each batch.

    Arguments:
        x: the sequences.
        tensors: what else a batch carries, by name: tensors (n, ...), or other sequences, which are padded too.
        batch_size: sequences per batch.
        by: (n,) what is about alike in a batch; the lengths of x where nothing.

    Raises ``DataError`` if the parts differ in length or are empty.

    >>> ragged = Ragged(torch.tensor([3, 4, 5]), np.array([0, 1, 3]), pad=0)
    >>> batches = RaggedBatches(ragged, {"y": torch.tensor([0, 1])}, batch_size=2)
    >>> next(batches.epoch(seed=0, epoch=0))["x"].shape
    torch.Size([2, 2])
    """

    def __init__(
        self, x: Ragged, tensors: dict[str, Any], batch_size: int, by: NDArray[np.int64] | None = None
    ) -> None:
        lengths = {"x": len(x)} | {name: len(t) for name, t in tensors.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise DataError(f"batches need parts of one length above 0, got {lengths}; check X and y.")
        self.x, self.tensors, self.batch_size, self.n = x, tensors, batch_size, len(x)
        self.by = x.lengths if by is None else by

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return math.ceil(self.n / self.batch_size)

    def size(self, batch: dict[str, Any]) -> int:
        """How many sequences the batch holds."""
        return len(batch["x"])

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on; the order follows from (seed, epoch)."""
        device = self.x.values.device
        for rows in buckets(self.by, self.batch_size, seed, epoch)[start:]:
            chosen = torch.from_numpy(rows).to(device)
            others = {
                name: t.padded(rows) if isinstance(t, Ragged) else t[chosen]
                for name, t in self.tensors.items()
            }
            yield {"x": self.x.padded(rows), **others}
