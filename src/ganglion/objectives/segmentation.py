"""Losses of masks: one number per picture, from a logit for each class and pixel."""

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.base.fields import AtLeast
from ganglion.base.named import named
from ganglion.base.numbers import number
from ganglion.objectives.loss import Loss
from ganglion.objectives.supervised import Supervised

PixelLoss = Callable[[Tensor, Tensor, Tensor | None], Tensor]


def cross_entropy() -> PixelLoss:
    """The mean over judged pixels of ``-w_y log softmax(z)_y``."""
    return lambda logits, codes, weight: _judged_mean(-_log_p(logits, codes), codes, weight)


def focal(gamma: float = 2.0) -> PixelLoss:
    """The mean over judged pixels of ``-w_y (1 - p_y)^gamma log p_y`` (Lin et al. 2017, arXiv:1708.02002)."""
    gamma = float(number("gamma of focal", gamma, AtLeast(0)))

    def value(logits: Tensor, codes: Tensor, weight: Tensor | None) -> Tensor:
        log_p = _log_p(logits, codes)
        miss = (-torch.expm1(log_p)).clamp(min=torch.finfo(log_p.dtype).tiny)
        return _judged_mean(-(miss**gamma) * log_p, codes, weight)

    return value


def dice(smooth: float = 1.0) -> PixelLoss:
    """``1 - mean_c (2 sum p_c t_c + s) / (sum p_c + sum t_c + s)``, sums over judged pixels.

    p are the softmax of the logits and t the true classes, 1 or 0 (after Milletari et al. 2016, arXiv:1606.04797, with
    sums instead of sums of squares below). The mean over classes takes their weights; ``smooth`` s, in pixels, rules
    where a class is neither there nor said.
    """
    smooth = float(number("smooth of dice", smooth, AtLeast(0)))

    def value(logits: Tensor, codes: Tensor, weight: Tensor | None) -> Tensor:
        judged = (codes >= 0).unsqueeze(1)
        p = torch.softmax(logits.float(), 1) * judged
        t = torch.zeros_like(p).scatter_(1, codes.clamp(min=0).unsqueeze(1), 1.0) * judged
        both, each = (p * t).sum((2, 3)), p.sum((2, 3)) + t.sum((2, 3))
        share = (2 * both + smooth) / (each + smooth).clamp(min=1e-6)
        return 1 - (share.mean(1) if weight is None else share @ (weight / weight.sum()))

    return value


PIXEL_LOSSES: dict[str, Callable[..., PixelLoss]] = {
    "cross_entropy": cross_entropy,
    "dice": dice,
    "focal": focal,
}


def pixel_loss_named(text: str, class_weight: Tensor | None = None) -> Loss:
    """The loss of masks that a text names: one of ``PIXEL_LOSSES``, or several joined by ``+``, which are added.

    Its value goes from logits (n, k, h, w) and codes (n, h, w), -1 where not judged, to (n,); a picture without any
    judged pixel costs 0 by cross-entropy.

    Arguments: ``class_weight`` (k,) of the classes, on the device of the logits. Raises ``ParameterError`` for unknown
    names or numbers.

    >>> logits, codes = torch.zeros(1, 2, 1, 2), torch.tensor([[[1, -1]]])
    >>> pixel_loss_named("cross_entropy").value(logits, codes)
    tensor([0.6931])
    """
    terms = [named("loss", word.strip(), PIXEL_LOSSES) for word in text.split("+")]

    def value(output: Tensor, codes: Tensor) -> Tensor:
        return reduce(torch.add, [term(output, codes, class_weight) for term in terms])

    return Loss(value)


class Segmentation(Supervised):
    """``loss(model(x), masks)`` for each picture; arguments as of ``Supervised``, the loss from above."""

    target = "masks"


def _log_p(logits: Tensor, codes: Tensor) -> Tensor:
    """Log-probability (n, h, w) of the true class; 0 where not judged."""
    return -F.cross_entropy(logits.float(), codes, ignore_index=-1, reduction="none")


def _judged_mean(losses: Tensor, codes: Tensor, weight: Tensor | None) -> Tensor:
    """The mean (n,) over the judged pixels of losses (n, h, w), times their classes' weights."""
    judged = codes >= 0
    if weight is not None:
        losses = losses * weight[codes.clamp(min=0)]
    return (losses * judged).sum((1, 2)) / judged.sum((1, 2)).clamp(min=1)
