"""Pooling by name: one number out of every window of a map, or out of a whole map. No pooling has parameters.

Shapes: n pictures, c channels, h x w places.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.base.fields import AtLeast
from ganglion.base.named import named
from ganglion.base.numbers import number

EDGES = ("replicate", "reflect", "circular")


class Blur(nn.Module):
    """A binomial blur of every channel, of which every ``stride``-th place is kept.

    ``h_o = sum_k b_k x_(s o + k)`` with the binomial coefficients ``b = (1, 2, 1) / 4`` of 3 taps in either
    direction. Leaving out places alone folds fine patterns into coarse ones, so that a shift of the picture by one
    place changes the map; blurring first damps them (Zhang 2019, arXiv:1904.11486).

    Arguments:
        stride: of the places that are kept.
        taps: places over which is blurred, odd, so that the middle stays where it is.
        edges: how the map goes on beyond its edge: "replicate", which fits maps of any size, "reflect", "circular".

    Raises ``ParameterError`` for other numbers and words.

    >>> Blur(2)(torch.ones(1, 1, 5, 5)).tolist()
    [[[[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]]]
    """

    kernel: Tensor

    def __init__(self, stride: int = 2, taps: int = 3, edges: str = "replicate") -> None:
        super().__init__()
        self.stride = number("a blur's stride", stride, AtLeast(1), whole=True)
        if number("a blur's taps", taps, AtLeast(3), whole=True) % 2 == 0:
            raise ParameterError(f"a blur's taps must be odd, got {taps}; take {taps + 1}.")
        if edges not in EDGES:
            raise ParameterError(unknown_name("edges", edges, EDGES))
        self.edges = edges
        row = torch.ones(1, dtype=torch.float64)
        for _ in range(taps - 1):
            row = (F.pad(row, (1, 0)) + F.pad(row, (0, 1))) / 2
        self.register_buffer("kernel", row.outer(row).float()[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, ceil(h / s), ceil(w / s))."""
        reach = self.kernel.shape[-1] // 2
        channels = x.shape[1]
        x = F.pad(x, (reach,) * 4, mode=self.edges)
        kernel = self.kernel.to(x.dtype).expand(channels, -1, -1, -1)
        return F.conv2d(x, kernel, stride=self.stride, groups=channels)

    def extra_repr(self) -> str:
        """Its numbers."""
        return f"stride={self.stride}, taps={self.kernel.shape[-1]}, edges={self.edges!r}"


class GlobalPool(nn.Module):
    """One number a channel out of all places: their mean, their maximum, or both one behind the other.

    With it a network takes pictures of any size, and a stack of stride 1 with circular padding before it does not
    notice a shift at all (Lin et al. 2014, arXiv:1312.4400).

    Arguments: ``parts`` are "average" and "max", in the order of the output; ``times`` is their number, by which the
    channels grow.

    >>> GlobalPool("average", "max")(torch.tensor([[[[0.0, 4.0]]]])).tolist()
    [[2.0, 4.0]]
    """

    def __init__(self, *parts: str) -> None:
        super().__init__()
        self.parts, self.times = parts, len(parts)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, times c)."""
        places = tuple(range(2, x.dim()))
        found = [x.mean(places) if part == "average" else x.amax(places) for part in self.parts]
        return torch.cat(found, 1) if len(found) > 1 else found[0]

    def extra_repr(self) -> str:
        """Its parts."""
        return ", ".join(self.parts)


def _whole(**numbers: Any) -> None:
    for what, value in numbers.items():
        number(f"a pooling's {what}", value, AtLeast(0 if what in ("stride", "padding") else 1), whole=True)


def _max(size: int = 2, stride: int = 0, padding: int = 0) -> nn.Module:
    _whole(size=size, stride=stride, padding=padding)
    if padding > size // 2:
        raise ParameterError(
            f"a pooling's padding must be at most half its size {size}, got {padding}; take less."
        )
    return nn.MaxPool2d(size, stride or size, padding)


def _average(size: int = 2, stride: int = 0) -> nn.Module:
    _whole(size=size, stride=stride)
    return nn.AvgPool2d(size, stride or size)


def _sum(size: int = 2, stride: int = 0) -> nn.Module:
    _whole(size=size, stride=stride)
    return nn.AvgPool2d(size, stride or size, divisor_override=1)


def _max_blur(size: int = 2, stride: int = 2, taps: int = 3, edges: str = "replicate") -> nn.Module:
    """The maximum at every place, and only then a blur with the stride, as Zhang 2019 replaces max pooling."""
    return nn.Sequential(_max(size, 1), Blur(stride, taps, edges))


# name -> what makes the pooling from the numbers in its brackets; a stride of 0 is the window's size
POOLINGS: dict[str, Callable[..., nn.Module]] = {
    "max": _max,
    "average": _average,
    "sum": _sum,
    "blur": Blur,
    "max_blur": _max_blur,
    "global_average": lambda: GlobalPool("average"),
    "global_max": lambda: GlobalPool("max"),
    "global_both": lambda: GlobalPool("average", "max"),
}


def pool_named(text: str) -> nn.Module:
    """The pooling of a name, which may carry numbers in brackets.

    Raises ``ParameterError`` with the nearest known name, or for numbers that it does not take.

    >>> pool_named("max(3, 2, 1)")(torch.zeros(1, 4, 9, 9)).shape
    torch.Size([1, 4, 5, 5])
    """
    return named("pool", text, POOLINGS)
