"""A stream of codes cut into windows: what a language model learns from."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.data.batches import OrderedBatches


def windows(codes: Tensor, context: int, start: int = 0) -> Tensor:
    """Windows of ``context + 1`` codes that overlap by one, (w, context + 1): the last code of each is only told.

    What is left over at the end is a window only where there is no other; it is then shorter.

    >>> windows(torch.arange(7), 3).tolist()
    [[0, 1, 2, 3], [3, 4, 5, 6]]
    """
    rest = codes[start:]
    if len(rest) <= context:
        return rest[None]
    return rest.unfold(0, context + 1, context)


class StreamBatches(OrderedBatches):
    """Batches of windows: in every epoch each code is asked for once, in windows cut at new places, in a new order.

    Arguments:
        codes: (total,) on the device.
        context: codes that a window holds.
        batch_size: windows per batch.

    Batches have ``x`` (n, context) and ``y`` (n, context), the codes that follow. The cuts and the order follow from
    (seed, epoch). Raises ``DataError`` for fewer than two codes.

    >>> batch = next(StreamBatches(torch.arange(9), 4, 2).epoch(seed=0, epoch=0))
    >>> torch.equal(batch["x"] + 1, batch["y"])
    True
    """

    def __init__(self, codes: Tensor, context: int, batch_size: int) -> None:
        if len(codes) < 2:
            raise DataError(f"a text of at least 2 tokens is expected, got {len(codes)}; give more text.")
        self.codes, self.context, self.batch_size = codes, context, batch_size
        self.n = self._windows(0)

    def _windows(self, start: int) -> int:
        return max(1, (len(self.codes) - start - 1) // self.context)

    def __len__(self) -> int:
        """The number of batches in an epoch; of epochs that begin later one window may be less."""
        return math.ceil(self.n / self.batch_size)

    def size(self, batch: dict[str, Any]) -> int:
        """How many windows the batch holds."""
        return len(batch["x"])

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on."""
        rng = np.random.default_rng([seed, epoch])
        spare = max(1, min(self.context, len(self.codes) - self.context))
        cut = windows(self.codes, self.context, int(rng.integers(spare)))
        order = torch.from_numpy(rng.permutation(len(cut))).to(self.codes.device)
        for rows in order.split(self.batch_size)[start:]:
            found = cut[rows]
            yield {"x": found[:, :-1], "y": found[:, 1:]}
