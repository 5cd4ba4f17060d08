"""Elastic deformation: every pixel is displaced, and neighbours nearly alike."""

import math

import torch
from torch import Tensor

from ganglion.base.fields import Above, AtLeast
from ganglion.base.numbers import number
from ganglion.data.augment.parts import Drawn, Draws, Part


def elastic(alpha: float = 34.0, sigma: float = 4.0) -> Part:
    """Displacements drawn uniformly from -1 to 1, smoothed by a Gaussian and multiplied (Simard et al. 2003).

    Their standard deviation is about ``0.16 alpha / sigma`` pixels away from the border, so the default moves a pixel
    by 1.4. ``alpha`` is in pixels, ``sigma`` is the Gaussian's standard deviation in pixels.
    """
    alpha = number("elastic's alpha", alpha, AtLeast(0))
    sigma = number("elastic's sigma", sigma, Above(0))

    def draw(draws: Draws) -> Drawn:
        return Drawn(field=alpha * smooth(draws.uniform(-1, 1, 2, draws.height, draws.width), sigma))

    return Part(draw, interpolates=True, refuses=("boxes",))


def smooth(field: Tensor, sigma: float) -> Tensor:
    """Each plane of (n, c, h, w) convolved with a Gaussian that reaches three standard deviations; 0 outside.

    >>> smooth(torch.ones(1, 1, 99, 1), 2.0)[0, 0, 49].round(decimals=4).item() < 1  # the columns beside are 0
    True
    """
    rows, columns = (_gaussian(side, sigma, field.device) for side in field.shape[-2:])
    return (
        rows @ field @ columns
    )  # both are symmetric; one product is quicker than convolutions of one channel


def _gaussian(side: int, sigma: float, device: torch.device) -> Tensor:
    places = torch.arange(side, device=device, dtype=torch.float32)
    distance = (places - places[:, None]).abs()
    reach = math.ceil(3 * sigma)
    total = sum(math.exp(-0.5 * (i / sigma) ** 2) for i in range(-reach, reach + 1))
    return torch.where(distance <= reach, torch.exp(-0.5 * (distance / sigma) ** 2) / total, 0)
