"""A quick look at pictures: small features, a ridge model of them, and what either says about a change of pictures."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 32  # pixels that a larger picture is averaged down to
CELLS, PLACES = 7, 14  # places of strokes and of levels along each side
DIRECTIONS = 8
RIDGE = 0.1

Change = Callable[[Tensor], Tensor]


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
        """The standard error of a share of ``n``, at most."""
        return 0.5 / self.n**0.5


def class_glance(x: Tensor, codes: Tensor, change: Change) -> Glance:
    """How well classes are told apart before and after a change, and after training on both.

    Arguments: ``x`` (n, c, h, w) in [0, 1], in random order; ``codes`` (n,); ``change`` keeps the number of pictures.
    """
    n, k = len(x) * 2 // 3, int(codes.max()) + 1
    plain, changed = features(x), features(change(x))
    train, test = codes[:n], codes[n:]
    wanted = torch.eye(k)
    one = ridge(plain[:n], wanted[train])
    two = ridge(torch.cat([plain[:n], changed[:n]]), wanted[train].repeat(2, 1))

    def right(model: Change, rows: Tensor) -> float:
        return float((model(rows[n:]).argmax(1) == test).float().mean())

    chance = torch.bincount(test, minlength=k).max().item() / len(test)
    return Glance(right(one, plain), right(one, changed), right(two, plain), chance, len(test))


def tell_apart(x: Tensor, groups: Tensor, change: Change) -> Glance:
    """How well changed pictures are told from those that are as they were.

    Pictures of one group (pieces of one large picture) are all trained on or all held out. ``upright`` and the rest
    but ``changed`` say nothing here; ``changed`` is the share told apart, of which a half is chance.
    """
    held = groups * 3 >= 2 * (groups.max() + 1)
    plain, changed = features(x), features(change(x))
    wanted = torch.eye(2).repeat_interleave(int((~held).sum()), 0)
    model = ridge(torch.cat([plain[~held], changed[~held]]), wanted)
    right = [(model(rows[held]).argmax(1) == i).float().mean() for i, rows in enumerate((plain, changed))]
    return Glance(1.0, float(sum(right) / 2), 1.0, 0.5, 2 * int(held.sum()))


def features(x: Tensor) -> Tensor:
    """Mean levels of each channel, and strokes of eight directions, on a coarse grid: (n, features).

    A stroke is the part of the lightness gradient along a direction, where it is positive.
    """
    if max(x.shape[2:]) > SIDE:
        x = F.adaptive_avg_pool2d(x, [min(side, SIDE) for side in x.shape[2:]])
    levels = F.adaptive_avg_pool2d(
        x, [min(side, PLACES if x.shape[1] == 1 else CELLS) for side in x.shape[2:]]
    )
    light = x.mean(1, keepdim=True)
    across = F.pad(light[..., 2:] - light[..., :-2], (1, 1))
    down = F.pad(light[..., 2:, :] - light[..., :-2, :], (0, 0, 1, 1))
    angles = torch.arange(DIRECTIONS) * (2 * torch.pi / DIRECTIONS)
    strokes = F.relu(across * torch.cos(angles).view(-1, 1, 1) + down * torch.sin(angles).view(-1, 1, 1))
    strokes = F.adaptive_avg_pool2d(strokes, [min(side, CELLS) for side in x.shape[2:]])
    strokes = strokes / (strokes.square().sum((1, 2, 3), keepdim=True).sqrt() + 1e-6)
    return torch.cat([levels.flatten(1), strokes.flatten(1)], 1)


def ridge(rows: Tensor, wanted: Tensor) -> Change:
    """Least squares of standardised rows (n, d) with a penalty: a function from rows to (n, outputs)."""
    mean, std = rows.mean(0), rows.std(0) + 1e-3 * rows.std() + 1e-6
    z, middle = (rows - mean) / std, wanted.mean(0)
    system = z.T @ z + RIDGE * len(z) * torch.eye(z.shape[1])
    weights = torch.linalg.solve(system, z.T @ (wanted - middle))
    return lambda new: (new - mean) / std @ weights + middle
