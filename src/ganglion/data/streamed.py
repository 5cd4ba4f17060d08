"""Pictures decoded ahead of training, for collections that do not fit into memory.

Threads decode while the step runs: Pillow and torch both free the interpreter while they work, so processes would only
add copies (measured in docs/images.md). Each batch is cut into as many pieces as there are threads.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import accumulate, chain, islice, repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.data.batches import OrderedBatches, ResidentBatches, batch_sizes, order
from ganglion.data.decode import quiet
from ganglion.data.images import Images, cores

AHEAD = 4  # batches that are decoded or being decoded while a step runs
RESIDENT_BELOW = 512 * 2**20  # bytes of decoded pictures


class StreamedImages(OrderedBatches):
    """Batches of pictures and their targets, decoded ahead by threads; the face of ``data/batches.py``.

    Arguments:
        images: the pictures; they become ``"x"``, (batch, c, h, w) of ``images.kind``.
        tensors: name -> tensor with a row per picture.
        batch_size: pictures per batch; the last batch may be smaller.
        shuffle: a new order each epoch, from (seed, epoch).
        least: pictures that the last batch must hold, else they join the batch before it.

    A file that cannot be decoded raises ``DataError`` with its name where its batch is due. The threads end with the
    iterator, also when it is left early.

    >>> from ganglion.data.images import read_images
    >>> images = read_images(np.arange(5)[:, None, None] * np.ones((2, 3), int))
    >>> batches = StreamedImages(images, {"y": torch.arange(5)}, batch_size=2, shuffle=False)
    >>> [(b["x"][:, 0, 0, 0].tolist(), b["y"].tolist()) for b in batches.epoch(0, 0)]
    [([0, 1], [0, 1]), ([2, 3], [2, 3]), ([4], [4])]
    """

    def __init__(
        self,
        images: Images,
        tensors: dict[str, Tensor],
        batch_size: int,
        *,
        shuffle: bool = True,
        least: int = 1,
    ) -> None:
        lengths = {"x": images.n, **{name: len(t) for name, t in tensors.items()}}
        if len(set(lengths.values())) != 1:
            raise DataError(f"batches need pictures and tensors of one length, got {lengths}; check X and y.")
        self.images, self.tensors, self.batch_size, self.shuffle = images, tensors, batch_size, shuffle
        self.n = images.n
        self.sizes = batch_sizes(self.n, batch_size, least)

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return len(self.sizes)

    def size(self, batch: dict[str, Any]) -> int:
        """How many pictures the batch holds."""
        return len(batch["x"])

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on."""
        rows = order(seed, epoch, self.n) if self.shuffle else torch.arange(self.n)
        ends = islice(zip(accumulate(self.sizes), self.sizes), start, None)
        cuts = chain((rows[stop - size : stop] for stop, size in ends), repeat(None, AHEAD))
        pool = ThreadPoolExecutor(cores(), thread_name_prefix="ganglion-decode")
        due: deque[tuple[Tensor, Tensor, list[Future[None]]]] = deque()
        try:
            with quiet():
                for cut in cuts:
                    if cut is not None:
                        due.append(self._begin(pool, cut))
                    if due and (cut is None or len(due) > AHEAD):
                        yield self._end(*due.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _begin(self, pool: ThreadPoolExecutor, cut: Tensor) -> tuple[Tensor, Tensor, list[Future[None]]]:
        """Memory for a batch, and the pieces of work that fill it."""
        out = self.images.empty(len(cut))
        pieces = zip(out.tensor_split(cores()), np.array_split(cut.numpy(), cores()))
        return cut, out, [pool.submit(self.images.fill, *piece) for piece in pieces]

    def _end(self, cut: Tensor, out: Tensor, work: list[Future[None]]) -> dict[str, Tensor]:
        """The batch, once its pieces are done."""
        for piece in work:
            piece.result()
        return {"x": out, **{name: t[cut] for name, t in self.tensors.items()}}


def batches_of_images(
    images: Images,
    tensors: dict[str, Tensor],
    batch_size: int,
    *,
    shuffle: bool = True,
    least: int = 1,
    memory: int = RESIDENT_BELOW,
) -> ResidentBatches | StreamedImages:
    """Batches of pictures: decoded once and kept where they take at most ``memory`` bytes, else streamed.

    Both give the same batches in the same order.

    >>> from ganglion.data.images import read_images
    >>> images = read_images(np.zeros((10, 4, 4), np.uint8))
    >>> [type(batches_of_images(images, {}, 5, memory=m)).__name__ for m in (160, 159)]
    ['ResidentBatches', 'StreamedImages']
    """
    if images.nbytes <= memory:
        return ResidentBatches({"x": images.tensor(), **tensors}, batch_size, shuffle=shuffle, least=least)
    return StreamedImages(images, tensors, batch_size, shuffle=shuffle, least=least)
