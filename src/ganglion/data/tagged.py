"""Batches of sentences together with what is said of each of their words."""

from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.data.padded import Ragged, RaggedBatches


class TaggedBatches(RaggedBatches):
    """Batches of sentences that are about as long, and of the tags of their words, both padded to the longest.

    Arguments:
        x: n sentences.
        y: the codes of their tags, as many for each as it has words.
        tensors: what else a batch carries, by name, each (n, ...).
        batch_size: sentences per batch.

    Raises ``DataError`` if sentences and tags differ in length, or there are none.

    >>> import numpy as np
    >>> import torch
    >>> x, y = (Ragged(torch.tensor([3, 4, 5]), np.array([0, 1, 3]), pad) for pad in (0, -1))
    >>> batch = next(TaggedBatches(x, y, {}, batch_size=2).epoch(seed=0, epoch=0))
    >>> (batch["x"] > 0).equal(batch["y"] > 0)
    True
    """

    def __init__(self, x: Ragged, y: Ragged, tensors: dict[str, Tensor], batch_size: int) -> None:
        super().__init__(x, {"y": y, **tensors}, batch_size)
        if x.lengths.tolist() != y.lengths.tolist():
            raise DataError(
                f"a tag for each word is expected, got {len(y.values)} tags of {len(y)} sentences for "
                f"{len(x.values)} words of {len(x)}; give as many."
            )
