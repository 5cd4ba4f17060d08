"""A large picture through a convolutional network in tiles, and the mean over its eight symmetries."""

from collections.abc import Callable

import torch
from torch import Tensor

Answer = Callable[[Tensor], Tensor]


def in_tiles(answer: Answer, x: Tensor, tile: int, reach: int, multiple: int) -> Tensor:
    """What ``answer`` gives for a whole picture, computed in overlapping tiles.

    Each tile is seen with a margin as wide as a pixel's view, of which nothing is kept (the overlap-tile strategy of
    Ronneberger et al. 2015, arXiv:1505.04597). Where a margin would reach beyond the picture it ends there, as the
    picture does for the whole network, so that the result is the whole picture's up to rounding.

    Arguments:
        answer: (n, c, h, w) -> (n, k, h, w), the same everywhere up to shifts by ``multiple``.
        x: pictures (n, c, h, w).
        tile: pixels of a tile's side that are kept, rounded up to a multiple of ``multiple``.
        reach: how far away a pixel's answer looks at most.
        multiple: the step of the coarsest map.

    >>> blur = torch.nn.AvgPool2d(3, 1, 1)
    >>> x = torch.rand(1, 1, 20, 17)
    >>> torch.allclose(in_tiles(blur, x, 8, 1, 1), blur(x))
    True
    """
    side, margin = (-(-pixels // multiple) * multiple for pixels in (tile, reach))
    rows = []
    for top in range(0, x.shape[2], side):
        above = min(margin, top)
        row = []
        for left in range(0, x.shape[3], side):
            before = min(margin, left)
            seen = x[..., top - above : top + side + margin, left - before : left + side + margin]
            row.append(answer(seen)[..., above : above + side, before : before + side])
        rows.append(torch.cat(row, 3))
    return torch.cat(rows, 2)


def over_symmetries(answer: Answer, x: Tensor) -> Tensor:
    """The mean of the answers (n, k, h, w) for the four turns of a picture and of its mirror image, turned back.

    >>> x = torch.rand(2, 1, 3, 5)
    >>> torch.allclose(over_symmetries(torch.square, x), x.square())
    True
    """
    total = torch.zeros(())
    for mirrored in (False, True):
        for quarters in range(4):
            seen = (x.flip(3) if mirrored else x).rot90(quarters, (2, 3))
            back = answer(seen).rot90(-quarters, (2, 3))
            total = total + (back.flip(3) if mirrored else back)
    return total / 8
