"""A quick look at pictures: small features, a ridge model of them, and what either says about a change of pictures."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 32  # pixels that a larger picture is averaged down to
CELLS, PLACES = 7, 14  # places of strokes and of levels along each side
DIRECTIONS = 8
RIDGE, FLOOR = 0.1, 0.1  # of the variance; of the spread of all features, so that a constant one says little

Model = Callable[[Tensor], Tensor]


class Glance(NamedTuple):
    """Shares of held-out pictures that a quick model names rightly.

    ``upright``: as they are; ``changed``: the same pictures changed; ``both``: as they are, by a model that was also
    trained on changed ones; ``chance``: by the most frequent class; ``n`` such pictures.
    """

    upright: float
    changed: float
    both: float
    chance: float
    n: int

    @property
    def spread(self) -> float:
        """The largest standard error of a share of ``n``."""
        return 0.5 / self.n**0.5


def class_glance(plain: Tensor, changed: Tensor, codes: Tensor) -> Glance:
    """How well classes are told apart before and after a change, and after training on both.

    Arguments: features (n, d) of pictures in random order, as they are and changed; ``codes`` (n,). The last third is
    held out.
    """
    n, k = len(plain) * 2 // 3, int(codes.max()) + 1
    wanted, test = torch.eye(k)[codes[:n]], codes[n:]
    one = ridge(plain[:n], wanted)
    two = ridge(torch.cat([plain[:n], changed[:n]]), wanted.repeat(2, 1))

    def right(model: Model, rows: Tensor) -> float:
        return float((model(rows[n:]).argmax(1) == test).float().mean())

    chance = torch.bincount(test, minlength=k).max().item() / len(test)
    return Glance(right(one, plain), right(one, changed), right(two, plain), chance, len(test))


def told_apart(plain: Tensor, changed: Tensor, groups: Tensor) -> float:
    """The share of held-out pictures of which a quick model knows whether they were changed; chance is a half.

    Arguments: features (n, d); ``groups`` (n,), numbers from 0 on: pictures of one group (pieces of one picture) are
    all trained on, or all held out, as the last third of the groups is.
    """
    held = groups * 3 >= 2 * (groups.max() + 1)
    wanted = torch.eye(2).repeat_interleave(int((~held).sum()), 0)
    model = ridge(torch.cat([plain[~held], changed[~held]]), wanted)
    right = [
        (model(rows[held]).argmax(1) == code).float().mean() for code, rows in enumerate((plain, changed))
    ]
    return float(sum(right) / 2)


def features(x: Tensor) -> Tensor:
    """Mean levels of each channel, and strokes of eight directions, on a coarse grid: (n, features).

    A stroke is the part of the lightness gradient along a direction, where it is positive.
    """
    if max(x.shape[2:]) > SIDE:
        x = _averaged(x, SIDE)
    levels = _averaged(x, PLACES if x.shape[1] == 1 else CELLS)
    light = x.mean(1, keepdim=True)
    across = F.pad(light[..., 2:] - light[..., :-2], (1, 1))
    down = F.pad(light[..., 2:, :] - light[..., :-2, :], (0, 0, 1, 1))
    angles = torch.arange(DIRECTIONS) * (2 * torch.pi / DIRECTIONS)
    strokes = F.relu(across * torch.cos(angles).view(-1, 1, 1) + down * torch.sin(angles).view(-1, 1, 1))
    strokes = _averaged(strokes, CELLS)
    strokes = strokes / (strokes.square().sum((1, 2, 3), keepdim=True).sqrt() + 1e-6)
    return torch.cat([levels.flatten(1), strokes.flatten(1)], 1)


def _averaged(x: Tensor, most: int) -> Tensor:
    """Averaged down to at most so many places along each side."""
    return F.adaptive_avg_pool2d(x, (min(x.shape[2], most), min(x.shape[3], most)))


def ridge(rows: Tensor, wanted: Tensor) -> Model:
    """Least squares of standardised rows (n, d) with a penalty: a function from rows to (n, outputs)."""
    mean, std = rows.mean(0), rows.std(0) + FLOOR * rows.std() + 1e-6
    z, middle = (rows - mean) / std, wanted.mean(0)
    system = z.T @ z + RIDGE * len(z) * torch.eye(z.shape[1])
    weights = torch.linalg.solve(system, z.T @ (wanted - middle))
    return lambda new: (new - mean) / std @ weights + middle
