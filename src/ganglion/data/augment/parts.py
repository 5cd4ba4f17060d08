"""What an augmentation is made of: parts that draw their random numbers for a whole batch and say what to do."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

Batch = dict[str, Tensor]


class Draws(NamedTuple):
    """The shape of a batch of pictures, and the source of its random numbers, one set for each picture.

    >>> draws = Draws(4, 1, 28, 28, torch.device("cpu"), torch.Generator().manual_seed(0))
    >>> draws.uniform(-1, 1).shape, draws.chance(1.0).tolist()
    (torch.Size([4]), [True, True, True, True])
    """

    n: int
    channels: int
    height: int
    width: int
    device: torch.device
    generator: torch.Generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers between ``low`` and ``high``, (n, *shape)."""
        unit = torch.rand(self.n, *shape, generator=self.generator, device=self.device)
        return unit.mul_(high - low).add_(low)

    def whole(self, low: int, high: int) -> Tensor:
        """Whole numbers from ``low`` to ``high``, both included, as floats (n,)."""
        drawn = torch.randint(low, high + 1, (self.n,), generator=self.generator, device=self.device)
        return drawn.float()

    def chance(self, p: float) -> Tensor:
        """True with probability ``p``, (n,)."""
        return self.uniform(0, 1) < p

    def sign(self) -> Tensor:
        """-1 or 1, (n,)."""
        return 2 * self.whole(0, 1) - 1


class Drawn(NamedTuple):
    """What a part has drawn for a batch; whatever it leaves alone is ``None``.

    ``matrix`` (n, 2, 3) says where points go, in pixels from the centre of the picture; ``field`` (n, 2, h, w) adds
    pixels to the place that each new pixel is read from; ``touch`` changes the batch after all that has moved.
    """

    matrix: Tensor | None = None
    field: Tensor | None = None
    touch: Callable[[Batch], Batch] | None = None


class Part(NamedTuple):
    """One augmentation: how it is drawn, and what it asks of the batch.

    ``interpolates``: its moves end between pixels. ``turns``: it swaps rows and columns. ``mixes``: it makes one
    example of two, so that y becomes (n, classes). ``refuses``: what it cannot move along.
    """

    draw: Callable[[Draws], Drawn]
    interpolates: bool = False
    turns: bool = False
    mixes: bool = False
    refuses: tuple[str, ...] = ()
