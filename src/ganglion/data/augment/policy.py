"""Random policies: each picture gets a few operations out of fourteen, without a search for the best.

The moves among them are composed with all others to one interpolation. The operations on pixels are done for the whole
batch and kept where they were chosen, in one fixed order; no operation is drawn twice for a picture.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ganglion.base.fields import Between, Bound
from ganglion.base.numbers import number
from ganglion.data.augment.colour import recolour
from ganglion.data.augment.matrices import affine
from ganglion.data.augment.operations import (
    autocontrast,
    equalise,
    posterise,
    sharpen,
    solarise,
    where_chosen,
)
from ganglion.data.augment.parts import Batch, Drawn, Draws, Part

OPERATIONS = ("identity", "rotate", "shear_x", "shear_y", "shift_x", "shift_y", "brightness", "contrast",
              "saturation", "sharpness", "posterise", "solarise", "autocontrast", "equalise")  # fmt: skip


class Reach(NamedTuple):
    """What the largest strength means: degrees, slope, share of the side, distance of factors from 1, bits."""

    rotate: float
    shear: float
    shift: float
    factor: float
    bits: float


STANDARD = Reach(rotate=30, shear=0.3, shift=0.45, factor=0.9, bits=4)
WIDE = Reach(rotate=135, shear=0.99, shift=0.45, factor=0.99, bits=6)


def randaugment(n: int = 2, magnitude: float = 9) -> Part:
    """``n`` operations for each picture, all of one strength between 0 and 10 (Cubuk et al. 2019, arXiv:1909.13719).

    At 10: 30 degrees, a slope of 0.3, 45 % of the side, factors of 0.1 or 1.9, 4 bits fewer, all pixels inverted.
    """
    n = number("randaugment's n", n, Bound(1, len(OPERATIONS)), whole=True)
    strength = number("randaugment's magnitude", magnitude, Between(0, 10)) / 10
    return _policy(n, strength, strength, STANDARD)


def trivial() -> Part:
    """One operation for each picture, of a strength drawn uniformly (Müller and Hutter 2021, arXiv:2103.10158).

    With the wide ranges: up to 135 degrees, a slope of 0.99, factors of 0.01 to 1.99, 6 bits fewer.
    """
    return _policy(1, 0.0, 1.0, WIDE)


def _policy(slots: int, low: float, high: float, reach: Reach) -> Part:
    def draw(draws: Draws) -> Drawn:
        ranks = draws.uniform(0, 1, len(OPERATIONS)).argsort(1)  # a random order of the operations
        chosen = dict(zip(OPERATIONS, (ranks < slots).unbind(1)))
        strength = draws.uniform(low, high)
        return operate(chosen, strength, strength * draws.sign(), reach, draws)

    return Part(draw, interpolates=True)


def operate(chosen: dict[str, Tensor], strength: Tensor, signed: Tensor, reach: Reach, draws: Draws) -> Drawn:
    """The operations that each picture has ``chosen``, name -> (n,), at its ``strength`` (n,) of 0 to 1."""

    def at(name: str, amount: float) -> Tensor:
        return torch.where(chosen[name], amount * signed, 0)

    shear = torch.stack([at("shear_x", reach.shear), at("shear_y", reach.shear)], 1)
    shift = [at("shift_x", reach.shift * draws.width), at("shift_y", reach.shift * draws.height)]
    angle = at("rotate", math.radians(reach.rotate))
    maps = affine(angle, torch.ones_like(angle), shear, torch.stack(shift, 1))
    light, contrast, saturation, sharpness = (
        1 + at(name, reach.factor) for name in ("brightness", "contrast", "saturation", "sharpness")
    )

    def touch(batch: Batch) -> Batch:
        x = recolour(batch["x"], light, contrast, saturation, torch.zeros_like(light))
        x = where_chosen(x, chosen["sharpness"], lambda x: sharpen(x, sharpness))
        x = where_chosen(x, chosen["posterise"], lambda x: posterise(x, 8 - reach.bits * strength))
        x = where_chosen(x, chosen["solarise"], lambda x: solarise(x, 1 - strength))
        x = where_chosen(x, chosen["autocontrast"], autocontrast)
        return batch | {"x": where_chosen(x, chosen["equalise"], equalise)}

    return Drawn(maps, touch=touch)
