"""Augmentations that move points: flip, crop, turn, affine.

Those of one text are composed to one map for each picture. Where all of them bring whole pixels to whole pixels, the
pixels are copied; otherwise there is one interpolation for all of them together.
"""

import math

import torch

from ganglion.base.errors import ParameterError
from ganglion.base.fields import AtLeast, Between
from ganglion.base.numbers import number
from ganglion.data.augment.matrices import affine as affine_maps
from ganglion.data.augment.matrices import identity
from ganglion.data.augment.parts import Drawn, Draws, Part

SHARE = Between(0, 1)


def flip(p: float = 0.5) -> Part:
    """Left and right change places with probability ``p``."""
    return _mirror(0, number("flip's p", p, SHARE))


def flip_up_down(p: float = 0.5) -> Part:
    """Top and bottom change places with probability ``p``."""
    return _mirror(1, number("flip_up_down's p", p, SHARE))


def _mirror(axis: int, p: float) -> Part:
    def draw(draws: Draws) -> Drawn:
        maps = identity(draws.n, draws.device)
        maps[:, axis, axis] = 1 - 2 * draws.chance(p).float()
        return Drawn(maps)

    return Part(draw)


def crop(pixels: int = 2) -> Part:
    """The picture moves by up to ``pixels`` whole pixels along each axis.

    The same as a random crop out of the picture with a border of so many mirrored pixels.
    """
    pixels = number("crop's pixels", pixels, AtLeast(0), whole=True)

    def draw(draws: Draws) -> Drawn:
        if pixels >= min(draws.height, draws.width):
            raise ParameterError(
                f"crop({pixels}) moves pictures of {draws.height} x {draws.width} pixels out of sight; "
                f"give less than {min(draws.height, draws.width)}."
            )
        maps = identity(draws.n, draws.device)
        maps[:, 0, 2], maps[:, 1, 2] = draws.whole(-pixels, pixels), draws.whole(-pixels, pixels)
        return Drawn(maps)

    return Part(draw)


def turn() -> Part:
    """A random number of quarter turns; of half turns, where pictures are not square."""

    def draw(draws: Draws) -> Drawn:
        square = draws.height == draws.width
        angle = draws.whole(0, 3 if square else 1) * (math.pi / 2 if square else math.pi)
        cos, sin = torch.cos(angle).round(), torch.sin(angle).round()
        none = torch.zeros_like(cos)
        return Drawn(torch.stack([cos, -sin, none, sin, cos, none], 1).view(-1, 2, 3))

    return Part(draw, turns=True)


def affine(rotate: float = 0, scale: float = 0, shear: float = 0, shift: float = 0) -> Part:
    """A small turn, change of size, slant and shift, each drawn uniformly up to its bound.

    Arguments:
        rotate: degrees to either side.
        scale: 0.1 draws the logarithm of the factor between those of 1 / 1.1 and 1.1.
        shear: degrees by which upright lines slant, to either side.
        shift: share of the side, along each axis.
    """
    rotate = math.radians(number("affine's rotate", rotate, Between(0, 180)))
    scale = math.log1p(number("affine's scale", scale, Between(0, 10)))
    shear = math.tan(math.radians(number("affine's shear", shear, Between(0, 60))))
    shift = number("affine's shift", shift, SHARE)
    if not (rotate or scale or shear or shift):
        raise ParameterError(
            "affine needs at least one of rotate, scale, shear and shift, got none; write affine(rotate=10)."
        )

    def draw(draws: Draws) -> Drawn:
        slant = torch.stack([draws.uniform(-shear, shear), torch.zeros(draws.n, device=draws.device)], 1)
        right = draws.uniform(-shift, shift) * draws.width
        down = draws.uniform(-shift, shift) * draws.height
        angle, factor = draws.uniform(-rotate, rotate), draws.uniform(-scale, scale).exp()
        return Drawn(affine_maps(angle, factor, slant, torch.stack([right, down], 1)))

    return Part(draw, interpolates=True)
