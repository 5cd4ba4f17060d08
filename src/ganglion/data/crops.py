"""Batches of crops, cut from pictures of any sizes and their masks at places that follow from a batch's place."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.data.batches import OrderedBatches, batch_sizes, order
from ganglion.data.masks import NOT_JUDGED
from ganglion.data.pictures import place


class CropBatches(OrderedBatches):
    """Crops of pictures and masks, as many an epoch as cover all pixels once; the face of ``data.batches``.

    A picture is drawn as often as its area holds the crop's, each time at another place. What of a crop lies beyond
    a small picture is mirrored, and not judged.

    Arguments:
        pictures: (c, h, w) each, of any sizes.
        masks: (h, w) each, codes of classes, -1 where not judged.
        size: (height, width) of a crop.
        batch_size: crops per batch; the last batch may be smaller.
        least: crops that the last batch must hold, else they join the batch before it; an epoch has so many at least.
        weight: (n,) of the pictures.

    Raises ``DataError`` where pictures and masks do not belong together.

    >>> batches = CropBatches([torch.zeros(1, 9, 8)], [torch.zeros(9, 8).long()], (4, 4), batch_size=2)
    >>> [(b["x"].shape, b["masks"].shape) for b in batches.epoch(0, 0)][:1], len(batches)
    ([(torch.Size([2, 1, 4, 4]), torch.Size([2, 4, 4]))], 2)
    """

    def __init__(
        self,
        pictures: Sequence[Tensor],
        masks: Sequence[Tensor],
        size: tuple[int, int],
        batch_size: int,
        *,
        least: int = 1,
        weight: Tensor | None = None,
    ) -> None:
        sides = [tuple(p.shape[1:]) for p in pictures]
        if not sides or sides != [tuple(m.shape) for m in masks]:
            raise DataError(
                "crops need at least one picture, and a mask of its size for each; check X and masks."
            )
        self.pictures, self.masks, self.crop, self.weight = pictures, masks, size, weight
        shares = [max(1, round(h * w / (size[0] * size[1]))) for h, w in sides]
        rows = np.repeat(np.arange(len(sides)), shares)
        self.rows = np.resize(rows, max(len(rows), least))
        self.sides = np.array(sides)
        self.sizes = batch_sizes(len(self.rows), batch_size, least)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return len(self.sizes)

    def size(self, batch: dict[str, Any]) -> int:
        """How many crops the batch holds."""
        return len(batch["x"])

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on."""
        rows = self.rows[order(seed, epoch, len(self.rows)).numpy()]
        cuts = [rows[stop - size : stop] for stop, size in zip(accumulate(self.sizes), self.sizes)]
        for number, cut in enumerate(cuts[start:], start):
            room = np.maximum(self.sides[cut] - self.crop, 0)
            corners = np.random.default_rng([seed, place(0, epoch, number)]).integers(room + 1)
            yield self._batch(cut, corners)

    def _batch(self, rows: np.ndarray, corners: np.ndarray) -> dict[str, Tensor]:
        """The crops of these pictures from these upper left corners."""
        places = list(zip(rows.tolist(), corners.tolist()))
        batch = {
            "x": torch.stack([self._cut(self.pictures[i], corner, mirror=True) for i, corner in places]),
            "masks": torch.stack(
                [self._cut(self.masks[i], corner, mirror=False) for i, corner in places]
            ).long(),
        }
        return batch if self.weight is None else batch | {"weight": self.weight[torch.as_tensor(rows)]}

    def _cut(self, whole: Tensor, corner: list[int], *, mirror: bool) -> Tensor:
        """The crop (..., height, width) at a corner."""
        (top, left), (height, width) = corner, self.crop
        cut = whole[..., top : top + height, left : left + width]
        below, right = height - cut.shape[-2], width - cut.shape[-1]
        if not below and not right:
            return cut
        return (
            mirrored(cut, below, right)
            if mirror
            else torch.nn.functional.pad(cut, (0, right, 0, below), value=NOT_JUDGED)
        )


def mirrored(x: Tensor, below: int, right: int) -> Tensor:
    """A picture (..., h, w) with its mirror image below and to the right, the border pixel twice.

    >>> mirrored(torch.tensor([[[1, 2]]]), 0, 3).tolist()
    [[[1, 2, 2, 1, 1]]]
    """
    for axis, more in ((-2, below), (-1, right)):
        if more:
            side = x.shape[axis]
            index = torch.arange(side + more, device=x.device) % (2 * side)
            x = x.index_select(axis, torch.minimum(index, 2 * side - 1 - index))
    return x
