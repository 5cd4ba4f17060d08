"""Batches of windows of a series: only their starts are kept and shuffled, values are gathered a batch at a time."""

from collections.abc import Iterator

import torch
from torch import Tensor

from ganglion.data.batches import ResidentBatches
from ganglion.data.windows import gather


class WindowBatches(ResidentBatches):
    """Windows in a new order each epoch: ``x`` (n, L, c) or with ``ahead`` (n, L + H, c), ``y`` (n, H, k).

    What ``x`` holds ahead of the k targets is 0: a network that must not see them has nothing to see.

    Arguments:
        values: (T, c) on the device, the first k columns are to be forecast.
        starts: (w,) of the windows, see ``data.windows``.
        L: times that are seen.
        H: times that are forecast.
        k: targets.
        ahead: whether the other columns are known ahead.
        batch_size: windows per batch.

    >>> batches = WindowBatches(torch.arange(12.0).reshape(6, 2), torch.tensor([1]), 2, 1, 1, True, 8)
    >>> {name: part.tolist() for name, part in next(batches.epoch(0, 0)).items()}
    {'x': [[[2.0, 3.0], [4.0, 5.0], [0.0, 7.0]]], 'y': [[[6.0]]]}
    """

    def __init__(
        self, values: Tensor, starts: Tensor, L: int, H: int, k: int, ahead: bool, batch_size: int
    ) -> None:
        super().__init__({"starts": starts.to(values.device)}, batch_size)
        self.values, self.L, self.H, self.k, self.ahead = values, L, H, k, ahead

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on."""
        for batch in super().epoch(seed, epoch, start):
            yield self.made(batch["starts"])

    def made(self, starts: Tensor) -> dict[str, Tensor]:
        """The windows that begin there."""
        past, future = gather(self.values, starts, self.L, self.H)
        y = future[..., : self.k]
        if not self.ahead:
            return {"x": past, "y": y}
        future = torch.cat([torch.zeros_like(y), future[..., self.k :]], 2)
        return {"x": torch.cat([past, future], 1), "y": y}
