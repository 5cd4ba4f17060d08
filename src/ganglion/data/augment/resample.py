"""Pictures and masks read at other places: whole pixels are copied, others interpolated once."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.data.augment.matrices import inverse

UNKNOWN = -1  # the code of mask pixels that are not judged


def sources(maps: Tensor, height: int, width: int, *, turns: bool = True) -> tuple[Tensor, Tensor]:
    """Where each pixel of the moved picture is read from: x (n, h, w) and y (n, h, w), pixels from the centre.

    With ``turns=False`` rows stay rows, and the two have the shapes (n, 1, w) and (n, h, 1).

    >>> x, y = sources(torch.tensor([[[1.0, 0, 1], [0, 1, 0]]]), 2, 2, turns=False)  # moved right by one
    >>> x.tolist(), y.tolist()
    ([[[-1.5, -0.5]]], [[[-0.5], [0.5]]])
    """
    back = inverse(maps)[..., None, None]  # (n, 2, 3, 1, 1)
    x = torch.arange(width, device=maps.device) + (1 - width) / 2
    y = (torch.arange(height, device=maps.device) + (1 - height) / 2)[:, None]
    across, down = back[:, 0, 0] * x + back[:, 0, 2], back[:, 1, 1] * y + back[:, 1, 2]
    if turns:
        across, down = across + back[:, 0, 1] * y, down + back[:, 1, 0] * x
    return across, down


def copy_pixels(x: Tensor, across: Tensor, down: Tensor, *, mirror: bool = True) -> Tensor:
    """A picture (n, c, h, w) of any type whose pixels are copied from whole places.

    Beyond the border stands the mirrored picture (the border pixel twice), or each channel's mean.

    >>> x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> copy_pixels(x, *sources(torch.tensor([[[1.0, 0, 1], [0, 1, 0]]]), 1, 3)).tolist()
    [[[[1.0, 1.0, 2.0]]]]
    """
    n, c, h, w = x.shape
    columns, rows = _indices(across, w), _indices(down, h)
    flat = (_folded(rows, h) * w + _folded(columns, w)).view(n, h * w)
    if x.is_contiguous(memory_format=torch.channels_last) and c > 1:
        flat = flat + torch.arange(n, device=x.device)[:, None] * (h * w)
        values = x.permute(0, 2, 3, 1).reshape(n * h * w, c)
        moved = values.index_select(0, flat.view(-1)).view(n, h, w, c).permute(0, 3, 1, 2)
    else:
        moved = x.flatten(2).gather(2, flat[:, None].expand(n, c, h * w)).view(n, c, h, w)
    if mirror:
        return moved
    return torch.where(_inside(columns, rows, h, w)[:, None], moved, x.mean((2, 3), keepdim=True))


def copy_mask(mask: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """A mask (n, h, w) whose codes are copied from the nearest places; -1 beyond the border."""
    n, h, w = mask.shape
    columns, rows = _indices(across, w), _indices(down, h)
    flat = (rows.clamp(0, h - 1) * w + columns.clamp(0, w - 1)).view(n, h * w)
    return torch.where(_inside(columns, rows, h, w), mask.flatten(1).gather(1, flat).view(n, h, w), UNKNOWN)


def interpolate(x: Tensor, across: Tensor, down: Tensor, *, mirror: bool = True) -> Tensor:
    """A picture (n, c, h, w) read between its pixels, bilinearly, with the same borders as ``copy_pixels``.

    >>> x = torch.tensor([[[[0.0, 1.0, 1.0]]]])
    >>> interpolate(x, *sources(torch.tensor([[[1.0, 0, 0.5], [0, 1, 0]]]), 1, 3)).round(decimals=3)
    tensor([[[[0.0000, 0.5000, 1.0000]]]])
    """
    h, w = x.shape[2:]
    grid = torch.stack([across * (2 / w), down * (2 / h)], 3)  # -1 and 1 are the outer edges
    if mirror:
        return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False).clamp_(0, 1)
    mean = x.mean((2, 3), keepdim=True)
    return F.grid_sample(x - mean, grid, align_corners=False).add_(mean).clamp_(0, 1)


def _indices(places: Tensor, side: int) -> Tensor:
    return (places + (side - 1) / 2).round().long()


def _folded(index: Tensor, side: int) -> Tensor:
    """Indices mirrored at the edges: -1 is 0, ``side`` is ``side - 1``."""
    index = index % (2 * side)
    return torch.minimum(index, 2 * side - 1 - index)


def _inside(columns: Tensor, rows: Tensor, h: int, w: int) -> Tensor:
    return (columns >= 0) & (columns < w) & (rows >= 0) & (rows < h)
