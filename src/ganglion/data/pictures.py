"""Batches of pictures, augmented on their device with random numbers that follow from a batch's place in the run."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

Augment = Callable[[dict[str, Tensor], torch.Generator], dict[str, Tensor]]
PLACES = (2**20, 2**21)  # batches an epoch and epochs that have numbers of their own


def unit(x: Tensor) -> Tensor:
    """Pictures as floats in [0, 1]: 8-bit ones are divided by 255, others stay.

    >>> unit(torch.tensor([255], dtype=torch.uint8)).item()
    1.0
    """
    return x if x.is_floating_point() else x / 255


class PictureBatches:
    """Batches of another source, augmented; the face of ``data.batches``.

    Arguments:
        batches: give dicts with pictures ``x`` (n, c, h, w).
        augment: ``(batch with x in [0, 1], generator) -> batch``, or nothing. Its generator is seeded by (seed, epoch,
            batch number) alone, so that a resumed run draws what the whole one would have drawn.
        enter: what brings decoded pictures to the network's range and device, where they are not there yet.

    >>> from ganglion.data.batches import ResidentBatches
    >>> batches = ResidentBatches({"x": torch.zeros(4, 1, 2, 2, dtype=torch.uint8)}, 2)
    >>> noisy = PictureBatches(batches, lambda batch, g: {"x": batch["x"] + torch.rand(2, 1, 2, 2, generator=g)})
    >>> a, b = (list(noisy.epoch(0, 0, start)) for start in (0, 1))
    >>> torch.equal(a[1]["x"], b[0]["x"])
    True
    """

    def __init__(
        self, batches: Any, augment: Augment | None = None, enter: Callable[[Tensor], Tensor] | None = None
    ) -> None:
        self.batches, self.augment, self.enter = batches, augment, enter
        self.size, self.feedback = batches.size, batches.feedback
        self.state_dict, self.load_state_dict = batches.state_dict, batches.load_state_dict

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return len(self.batches)

    @property
    def tensors(self) -> dict[str, Tensor] | None:
        """The examples that lie on the device, not augmented, if they do."""
        return getattr(self.batches, "tensors", None)

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, from batch number ``start`` on."""
        for number, batch in enumerate(self.batches.epoch(seed, epoch, start), start):
            if self.enter is not None:
                batch = batch | {"x": self.enter(batch["x"])}
            if self.augment is None:
                yield batch
                continue
            generator = torch.Generator(batch["x"].device).manual_seed(place(seed, epoch, number))
            yield self.augment(batch | {"x": unit(batch["x"])}, generator)


def place(seed: int, epoch: int, number: int) -> int:
    """A generator's seed for a batch, another one for each."""
    return ((seed % 2**22) * PLACES[1] + epoch % PLACES[1]) * PLACES[0] + number % PLACES[0]
