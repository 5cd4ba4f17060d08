"""Batches: where the loop gets its data from, always with the same face.

    epoch(seed, epoch, start=0)   yields dicts of tensors from batch number ``start`` on
    size(batch)                   how many examples a batch counts as
    state_dict / load_state_dict  what must survive a kill (nothing, where order is a pure function)
    feedback(step)                what a step says back (replay priorities)

The order is a pure function of (seed, epoch), so a resumed run needs only a batch number.
"""

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import DataError

GATHER_ALL_BELOW = 256 * 2**20  # bytes; a shuffled copy of more than this would crowd the device


def order(seed: int, epoch: int, n: int) -> Tensor:
    """The order of ``n`` examples in an epoch: a permutation from ``(seed, epoch)`` alone, shape (n,)."""
    return torch.from_numpy(np.random.default_rng([seed, epoch]).permutation(n))


def batch_sizes(n: int, size: int, least: int = 1) -> list[int]:
    """How many of ``n`` examples each batch of an epoch takes; a last one below ``least`` joins the one before it.

    >>> batch_sizes(65, 32), batch_sizes(65, 32, least=2)
    ([32, 32, 1], [32, 33])
    """
    sizes = [size] * (n // size) + [n % size] * (n % size > 0)
    return [*sizes[:-2], sum(sizes[-2:])] if sizes[-1] < least else sizes


class OrderedBatches:
    """Base of batches whose order is a pure function of (seed, epoch): nothing must survive a kill, and none listen."""

    def state_dict(self) -> dict[str, Tensor]:
        """Nothing: the order is a pure function of (seed, epoch)."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Nothing to restore."""

    def feedback(self, step: Any) -> None:
        """What was learned changes nothing of what comes."""


class ResidentBatches(OrderedBatches):
    """Tensors that live on the device and are sliced there: one gather an epoch, then views.

    Arguments:
        tensors: name -> tensor, all with the same first dimension n.
        batch_size: examples per batch; the last batch may be smaller.
        least: examples that the last batch must hold, else they join the batch before it.
        shuffle: a new order each epoch, from (seed, epoch).
        members: seeds of networks that train as one; batches then have shape (members, batch, ...).

    Raises ``DataError`` if the tensors differ in length or are empty.

    >>> batches = ResidentBatches({"x": torch.arange(5.0)}, batch_size=2, shuffle=False)
    >>> [b["x"].tolist() for b in batches.epoch(0, 0)]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    """

    def __init__(
        self,
        tensors: dict[str, Tensor],
        batch_size: int,
        *,
        shuffle: bool = True,
        least: int = 1,
        members: tuple[int, ...] | None = None,
    ) -> None:
        lengths = {name: len(t) for name, t in tensors.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise DataError(f"batches need tensors of one length above 0, got {lengths}; check X and y.")
        self.tensors, self.batch_size, self.shuffle, self.members = tensors, batch_size, shuffle, members
        self.n = next(iter(lengths.values()))
        self.sizes = batch_sizes(self.n, batch_size, least)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return len(self.sizes)

    def size(self, batch: dict[str, Any]) -> int:
        """How many examples the batch holds (for each member, where there are members)."""
        first = next(iter(batch.values()))
        return first.shape[1] if self.members else len(first)

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on."""
        indices = self._indices(seed, epoch)
        if indices is None or self._bytes() <= GATHER_ALL_BELOW:
            whole = self.tensors if indices is None else self._gathered(indices)
            yield from self._slices(whole, start)
            return
        for stop, size in list(zip(accumulate(self.sizes), self.sizes))[start:]:
            cut = indices[..., stop - size : stop]
            yield {k: t[cut] for k, t in self.tensors.items()}

    def _gathered(self, indices: Tensor) -> dict[str, Tensor]:
        if self.members:
            return {k: t[indices] for k, t in self.tensors.items()}
        return {k: t.index_select(0, indices) for k, t in self.tensors.items()}  # quicker for wide rows

    def _slices(self, whole: dict[str, Tensor], start: int) -> Iterator[dict[str, Tensor]]:
        parts = [t.split(self.sizes, dim=1 if self.members else 0) for t in whole.values()]
        for i in range(start, len(self)):
            yield dict(zip(whole, (p[i] for p in parts)))

    def _indices(self, seed: int, epoch: int) -> Tensor | None:
        if not self.shuffle:
            return None
        device = next(iter(self.tensors.values())).device
        if self.members:
            return torch.stack([order(member, epoch, self.n) for member in self.members]).to(device)
        return order(seed, epoch, self.n).to(device)

    def _bytes(self) -> int:
        copies = len(self.members or (0,))
        return copies * sum(t.numel() * t.element_size() for t in self.tensors.values())
