"""Colours: brightness, contrast, saturation and hue as one matrix and one offset for each picture."""

import math
from functools import cache

import torch
from torch import Tensor

from ganglion.base.fields import Between
from ganglion.base.numbers import number
from ganglion.data.augment.parts import Batch, Drawn, Draws, Part

LUMA = (0.299, 0.587, 0.114)  # how much red, green and blue count for lightness (ITU-R BT.601)
IN_PHASE, QUADRATURE = (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)  # the two axes of colour in YIQ


def colour(strength: float = 0.2, hue: float = 0.05) -> Part:
    """Other light: brightness, contrast, saturation change by factors between ``1 - strength`` and ``1 + strength``.

    ``hue`` is the largest turn of the colour circle to either side, as a share of the circle. Pictures that have not
    three channels get brightness and contrast only.
    """
    strength = number("colour's strength", strength, Between(0, 1))
    hue = number("colour's hue", hue, Between(0, 0.5))

    def draw(draws: Draws) -> Drawn:
        brightness, contrast, saturation = (draws.uniform(1 - strength, 1 + strength) for _ in range(3))
        turn = draws.uniform(-hue, hue)

        def touch(batch: Batch) -> Batch:
            return batch | {"x": recolour(batch["x"], brightness, contrast, saturation, turn)}

        return Drawn(touch=touch)

    return Part(draw)


def recolour(x: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """The pictures in other light, cut off to [0, 1] once, at the end.

    ``c b (luma + s R(hue) (x - luma)) + (1 - c) b mean luma``; R turns the two colour axes of YIQ and so leaves
    lightness alone.

    Arguments: ``x`` (n, c, h, w) in [0, 1]; the others (n,), ``hue`` in shares of the circle. Returns (n, c, h, w).

    >>> one = torch.ones(1)
    >>> recolour(torch.tensor([0.2, 0.4]).view(1, 1, 1, 2), 2 * one, one, one, 0 * one).flatten().tolist()
    [0.4000000059604645, 0.800000011920929]
    """
    gain, light = (
        (contrast * brightness).view(-1, 1, 1, 1),
        (brightness - contrast * brightness).view(-1, 1, 1, 1),
    )
    if x.shape[1] != 3:
        return (gain * x + light * x.mean((1, 2, 3), keepdim=True)).clamp_(0, 1)
    luma, chroma, across = _planes(x.device)
    turn = (2 * math.pi * hue).view(-1, 1, 1)
    matrix = luma + saturation.view(-1, 1, 1) * (torch.cos(turn) * chroma + torch.sin(turn) * across)
    rows = (gain[..., 0] * matrix)[..., None, None]  # (n, 3, 3, 1, 1)
    offset = light * (x.mean((2, 3), keepdim=True) * luma[0].view(1, 3, 1, 1)).sum(1, keepdim=True)
    red, green, blue = x.split(1, 1)
    return (rows[:, :, 0] * red + rows[:, :, 1] * green + rows[:, :, 2] * blue + offset).clamp_(0, 1)


@cache
def _planes(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices (3, 3) in RGB: to lightness, to what is left, and that turned by a quarter of the colour circle."""
    to_yiq = torch.tensor([LUMA, IN_PHASE, QUADRATURE], dtype=torch.float64)
    back = torch.linalg.inv(to_yiq)
    quarter = torch.tensor([[0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    keep = torch.diag(torch.tensor([1.0, 0, 0], dtype=torch.float64))
    luma = back @ keep @ to_yiq
    planes = (luma, torch.eye(3, dtype=torch.float64) - luma, back @ quarter @ to_yiq)
    return tuple(p.float().to(device) for p in planes)  # type: ignore[return-value]
