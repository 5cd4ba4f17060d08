"""The operations of learned and random policies that change pixels, each with a strength for every picture.

They do what Pillow's ``ImageOps`` and ``ImageEnhance`` do to pictures of 256 levels, without rounding to them.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

LEVELS = 256


def autocontrast(x: Tensor) -> Tensor:
    """Each channel stretched to [0, 1]; one of a single level stays.

    >>> autocontrast(torch.tensor([0.25, 0.5]).view(1, 1, 1, 2)).flatten().tolist()
    [0.0, 1.0]
    """
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low), x)


def equalise(x: Tensor) -> Tensor:
    """Each channel's levels spread so that about as many pixels have each: the cumulative histogram.

    With H(v) pixels below level v and H all but those of the highest level there, v becomes ``H(v) / H`` (in whole
    levels, as Pillow rounds); a channel of a single level stays.
    """
    n, c, h, w = x.shape
    level = (x * (LEVELS - 1)).round().long().clamp_(0, LEVELS - 1).flatten(2)
    counts = torch.zeros(n, c, LEVELS, device=x.device).scatter_add_(
        2, level, torch.ones_like(level, dtype=x.dtype)
    )
    below = counts.cumsum(2) - counts
    top = level.amax(2, keepdim=True)
    step = ((h * w - counts.gather(2, top)) / (LEVELS - 1)).floor()
    table = ((below + (step / 2).floor()) / step.clamp(min=1)).floor().clamp(0, LEVELS - 1) / (LEVELS - 1)
    return torch.where(step[..., None] > 0, table.gather(2, level).view(n, c, h, w), x)


def posterise(x: Tensor, bits: Tensor) -> Tensor:
    """Only the first ``bits`` (n,) of the eight of each level are kept.

    >>> (255 * posterise(torch.tensor(200 / 255).view(1, 1, 1, 1), torch.tensor([1.0]))).round().item()
    128.0
    """
    step = torch.exp2((8 - bits).round()).view(-1, 1, 1, 1)
    return ((x * (LEVELS - 1)).round() / step).floor() * step / (LEVELS - 1)


def solarise(x: Tensor, threshold: Tensor) -> Tensor:
    """Pixels at or above the threshold (n,) are inverted.

    >>> solarise(torch.tensor([0.25, 0.75]).view(1, 1, 1, 2), torch.tensor([0.5])).flatten().tolist()
    [0.25, 0.25]
    """
    return torch.where(x >= threshold.view(-1, 1, 1, 1), 1 - x, x)


def sharpen(x: Tensor, factor: Tensor) -> Tensor:
    """``smooth + factor (x - smooth)``: 0 is smoothed, 1 as it was, 2 sharper; border pixels stay.

    The smoothing is Pillow's: weights 5 in the middle and 1 around it.
    """
    if min(x.shape[2:]) < 3:
        return x
    c = x.shape[1]
    kernel = torch.ones(3, 3, device=x.device, dtype=x.dtype)
    kernel[1, 1] = 5
    inner = F.conv2d(x, (kernel / 13).expand(c, 1, 3, 3), groups=c)
    smooth = x.clone()
    smooth[:, :, 1:-1, 1:-1] = inner
    return torch.lerp(smooth, x, factor.view(-1, 1, 1, 1)).clamp_(0, 1)


def where_chosen(x: Tensor, chosen: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The changed pictures where ``chosen`` (n,), the others as they were."""
    return torch.where(chosen.view(-1, 1, 1, 1), change(x), x)
