"""Erasing: a rectangle of noise hides a part of the picture."""

import math

import torch
from torch import Tensor

from ganglion.base.errors import ParameterError
from ganglion.base.fields import Above, Between
from ganglion.base.numbers import number
from ganglion.data.augment.parts import Batch, Drawn, Draws, Part
from ganglion.data.augment.resample import UNKNOWN

ASPECT = 3.3  # of the rectangle, to either side, as in the paper


def erase(p: float = 0.25, low: float = 0.02, high: float = 0.4) -> Part:
    """With probability ``p`` a rectangle is filled with uniform noise (Zhong et al. 2017, arXiv:1708.04896).

    Its area is a share of the picture between ``low`` and ``high``, its ratio of height to width between 0.3 and 3.3;
    a side that would be longer than the picture's is cut off. Masks are not judged inside, boxes stay.
    """
    p = number("erase's p", p, Between(0, 1))
    low, high = number("erase's low", low, Above(0)), number("erase's high", high, Between(0, 1))
    if low > high:
        raise ParameterError(f"erase's low must be at most its high, got {low} and {high}; swap them.")

    def draw(draws: Draws) -> Drawn:
        area = draws.uniform(low, high) * (draws.height * draws.width)
        ratio = draws.uniform(-math.log(ASPECT), math.log(ASPECT)).exp()
        height = (area * ratio).sqrt().round().clamp(1, draws.height)
        width = (area / ratio).sqrt().round().clamp(1, draws.width)
        top = (draws.uniform(0, 1) * (draws.height - height + 1)).floor()
        left = (draws.uniform(0, 1) * (draws.width - width + 1)).floor()
        size = draws.chance(p) * height  # nothing is inside a rectangle without height
        inside = rectangle(left, top, width, size, draws.height, draws.width)
        noise = draws.uniform(0, 1, draws.channels, draws.height, draws.width)

        def touch(batch: Batch) -> Batch:
            hidden = {"x": torch.where(inside[:, None], noise, batch["x"])}
            if "masks" in batch:
                hidden["masks"] = torch.where(inside, UNKNOWN, batch["masks"])
            return batch | hidden

        return Drawn(touch=touch)

    return Part(draw)


def rectangle(left: Tensor, top: Tensor, width: Tensor, height: Tensor, rows: int, columns: int) -> Tensor:
    """Which pixels lie inside a rectangle for each picture: (n, rows, columns).

    >>> one = torch.ones(1)
    >>> rectangle(one, 0 * one, 2 * one, one, 2, 3).int().tolist()
    [[[0, 1, 1], [0, 0, 0]]]
    """
    x = torch.arange(columns, device=left.device)
    y = torch.arange(rows, device=left.device)[:, None]
    left, top, width, height = (side.view(-1, 1, 1) for side in (left, top, width, height))
    return (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
