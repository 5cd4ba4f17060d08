"""Two examples become one: mixup and cutmix, pictures and targets in the same shares."""

from functools import cache

import torch
from scipy.special import betaincinv
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.base.fields import Between
from ganglion.base.numbers import number
from ganglion.data.augment.erase import rectangle
from ganglion.data.augment.parts import Batch, Drawn, Draws, Part

STEPS = 4096  # of the quantile table
ALPHA = Between(0.05, 100)


def mixup(alpha: float = 0.2, p: float = 1.0) -> Part:
    """``s x_i + (1 - s) x_j`` with s from Beta(alpha, alpha) (Zhang et al. 2017, arXiv:1710.09412).

    Targets are mixed in the same shares, with probability ``p``; j is drawn from the batch.
    """
    alpha, p = number("mixup's alpha", alpha, ALPHA), number("mixup's p", p, Between(0, 1))

    def draw(draws: Draws) -> Drawn:
        share = torch.where(draws.chance(p), beta(draws, alpha), 1)
        partner = draws.uniform(0, 1).argsort()
        return Drawn(touch=lambda batch: blend(batch, partner, share))

    return Part(draw, mixes=True, refuses=("boxes", "masks"))


def cutmix(alpha: float = 1.0, p: float = 1.0) -> Part:
    """A rectangle of another picture is pasted in (Yun et al. 2019, arXiv:1905.04899).

    It has the picture's shape and the share 1 - s of its area, s from Beta(alpha, alpha); its centre is anywhere, and
    what sticks out is cut off. Targets are mixed by the areas as they are then, with probability ``p``. Masks are
    pasted along.
    """
    alpha, p = number("cutmix's alpha", alpha, ALPHA), number("cutmix's p", p, Between(0, 1))

    def draw(draws: Draws) -> Drawn:
        side = (1 - torch.where(draws.chance(p), beta(draws, alpha), 1)).sqrt()
        width, height = (side * draws.width).round(), (side * draws.height).round()
        left = (draws.uniform(0, 1) * draws.width - width / 2).round()
        top = (draws.uniform(0, 1) * draws.height - height / 2).round()
        pasted = rectangle(left, top, width, height, draws.height, draws.width)
        partner = draws.uniform(0, 1).argsort()
        return Drawn(touch=lambda batch: paste(batch, partner, pasted))

    return Part(draw, mixes=True, refuses=("boxes",))


def blend(batch: Batch, partner: Tensor, share: Tensor) -> Batch:
    """Mixup itself: ``share`` (n,) of each picture, the rest of its ``partner`` (n,), a permutation.

    >>> batch = {"x": torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), "y": torch.eye(2)}
    >>> done = blend(batch, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]))
    >>> done["x"].flatten().tolist(), done["y"].tolist()
    ([0.25, 1.0], [[0.75, 0.25], [0.0, 1.0]])
    """
    part = share.view(-1, 1, 1, 1)
    x = batch["x"] * part + batch["x"][partner] * (1 - part)
    return batch | {"x": x} | _mixed_targets(batch, partner, share)


def paste(batch: Batch, partner: Tensor, pasted: Tensor) -> Batch:
    """Cutmix itself: where ``pasted`` (n, h, w), the partner's pixels.

    >>> batch = {"x": torch.tensor([0.0, 1.0]).view(2, 1, 1, 1), "y": torch.eye(2)}
    >>> done = paste(batch, torch.tensor([1, 0]), torch.tensor([True, False]).view(2, 1, 1))
    >>> done["x"].flatten().tolist(), done["y"].tolist()
    ([1.0, 1.0], [[0.0, 1.0], [0.0, 1.0]])
    """
    done = {"x": torch.where(pasted[:, None], batch["x"][partner], batch["x"])}
    if "masks" in batch:
        done["masks"] = torch.where(pasted, batch["masks"][partner], batch["masks"])
    return batch | done | _mixed_targets(batch, partner, 1 - pasted.float().mean((1, 2)))


def soft(y: Tensor, classes: int | None) -> Tensor:
    """Targets that can be mixed: class numbers (n,) as rows of 0 and 1 (n, classes); numbers stay as they are.

    >>> soft(torch.tensor([1, 0]), 3).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    """
    if y.is_floating_point():
        return y
    if classes is None:
        raise DataError(
            "mixed class numbers become shares of the classes, got no number of classes; set Augment.classes."
        )
    return torch.zeros(len(y), classes, device=y.device).scatter_(1, y[:, None], 1.0)


def beta(draws: Draws, alpha: float) -> Tensor:
    """Numbers from Beta(alpha, alpha), (n,): the quantile function at uniform numbers, read from a table."""
    table = _quantiles(alpha, draws.device)
    place = draws.uniform(0, STEPS)
    below = place.long().clamp(max=STEPS - 1)
    return torch.lerp(table[below], table[below + 1], place - below)


@cache
def _quantiles(alpha: float, device: torch.device) -> Tensor:
    table = betaincinv(alpha, alpha, torch.linspace(0, 1, STEPS + 1, dtype=torch.float64).numpy())
    return torch.from_numpy(table).float().to(device)


def _mixed_targets(batch: Batch, partner: Tensor, share: Tensor) -> Batch:
    """Targets so that the weighted loss is ``s w_i loss(y_i) + (1 - s) w_j loss(y_j)``, where it is linear in y."""
    done = {}
    own, other = share, 1 - share
    if "weight" in batch:
        weight = batch["weight"]
        own, other = own * weight, other * weight[partner]
        done["weight"] = own + other
        own = torch.where(done["weight"] > 0, own / done["weight"], 1.0)
        other = 1 - own
    if "y" in batch:
        y = batch["y"]
        shape = (-1, *[1] * (y.dim() - 1))
        done["y"] = own.view(shape) * y + other.view(shape) * y[partner]
    return done
