"""Losses for classes: output (n, k) logits or margins, y (n,) class numbers.

``cross_entropy`` also takes target distributions (n, k), and ``kl`` only them.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Between
from ganglion.objectives.loss import Loss, checked

SHARE = Between(0, 1, open_high=True)


def cross_entropy(smoothing: float = 0.0) -> Loss:
    """``-sum_c q_c log softmax(output)_c`` with q = (1 - s) p + s / k (Szegedy et al. 2016).

    p is one-hot at the class number y (n,), or a distribution y (n, k); s, the smoothing, is at least 0 and
    below 1. The slope is ``softmax(output) - q``.

    >>> cross_entropy().value(torch.zeros(1, 2), torch.tensor([1]))
    tensor([0.6931])
    """
    smoothing = checked("smoothing of cross_entropy", smoothing, SHARE)

    def value(output: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(output, y, reduction="none", label_smoothing=smoothing)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logs = torch.log_softmax(output, 1)
        if y.dim() == 2:
            wanted = y * (1 - smoothing) + smoothing / y.shape[1]
            return -(wanted * logs).sum(1), logs.exp() * wanted.sum(1, keepdim=True) - wanted
        losses = F.nll_loss(logs, y, reduction="none")
        slope = logs.exp()
        if smoothing:
            losses = losses.mul_(1 - smoothing).sub_(logs.mean(1), alpha=smoothing)
            slope.sub_(smoothing / output.shape[1])
        at = y.unsqueeze(1)
        slope.scatter_add_(1, at, slope.new_full((1, 1), smoothing - 1.0).expand(at.shape))
        return losses, slope

    return Loss(value, by_hand)


def binary_cross_entropy(smoothing: float = 0.0) -> Loss:
    """Cross-entropy of two classes with one logit z: ``log(1 + exp(z)) - t z``, slope ``sigmoid(z) - t``.

    t = (1 - s) y + s / 2 for y (n,) of 0 and 1, or shares between them. Equal to ``cross_entropy`` of the logits
    (0, z), with one row of output weights less.

    >>> binary_cross_entropy().value(torch.zeros(1, 1), torch.tensor([1]))
    tensor([0.6931])
    """
    smoothing = checked("smoothing of binary_cross_entropy", smoothing, SHARE)

    def wanted(output: Tensor, y: Tensor) -> Tensor:
        return y.to(output.dtype) * (1 - smoothing) + smoothing / 2

    def value(output: Tensor, y: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(output[:, 0], wanted(output, y), reduction="none")

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        slope = output[:, 0].sigmoid().sub_(wanted(output, y))
        return value(output, y), slope.unsqueeze(1)

    def units(k: int) -> int:
        if k != 2:
            raise DataError(
                f"loss='binary_cross_entropy' tells 2 classes apart, got {k}; use loss='cross_entropy'."
            )
        return 1

    return Loss(value, by_hand, units=units, answer=lambda z: torch.cat([torch.zeros_like(z), z], 1))


def focal(gamma: float = 2.0) -> Loss:
    """Cross-entropy that passes over rows that are right already: ``-(1 - p)^gamma log p``.

    Lin et al. 2017, arXiv:1708.02002. p is the probability of the true class and ``gamma`` at least 0;
    ``focal(0)`` is ``cross_entropy``. The paper's alpha is ``class_weight``. It does not ask for true
    probabilities: those that it leads to are too careful.

    >>> focal(1).value(torch.zeros(1, 2), torch.tensor([1]))
    tensor([0.3466])
    """
    gamma = checked("gamma of focal", gamma, AtLeast(0))

    def parts(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        logs = torch.log_softmax(output, 1)
        log_p = logs.gather(1, y.unsqueeze(1)).squeeze(1)
        # 1 - p without cancellation, and never 0, whose powers below 1 have no slope
        return logs, log_p, (-torch.expm1(log_p)).clamp(min=torch.finfo(output.dtype).tiny)

    def value(output: Tensor, y: Tensor) -> Tensor:
        _, log_p, miss = parts(output, y)
        return -(miss**gamma) * log_p

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logs, log_p, miss = parts(output, y)
        # dvalue/dp times p, and dp/dz_j = p (1[j = y] - p_j)
        outer = gamma * miss ** (gamma - 1) * log_p * log_p.exp() - miss**gamma
        slope = logs.exp_().mul_(-outer.unsqueeze(1))
        return -(miss**gamma) * log_p, slope.scatter_add_(1, y.unsqueeze(1), outer.unsqueeze(1))

    return Loss(value, by_hand)


def hinge() -> Loss:
    """The multi-class hinge ``max(0, 1 + max_(j != y) z_j - z_y)`` (Crammer and Singer 2001).

    With two classes it is the binary hinge of ``z_1 - z_0``. The outputs are margins, not log-probabilities.

    >>> hinge().value(torch.tensor([[0.0, 0.25]]), torch.tensor([1]))
    tensor([0.7500])
    """

    def rival(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        others = output.scatter(1, y.unsqueeze(1), -torch.inf)
        return others.max(1)

    def value(output: Tensor, y: Tensor) -> Tensor:
        return (1 + rival(output, y)[0] - output.gather(1, y.unsqueeze(1)).squeeze(1)).clamp(min=0)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        best, at = rival(output, y)
        own = y.unsqueeze(1)
        losses = (1 + best - output.gather(1, own).squeeze(1)).clamp_(min=0)
        push = (losses > 0).to(output.dtype).unsqueeze(1)
        return losses, torch.zeros_like(output).scatter_(1, at.unsqueeze(1), push).scatter_(1, own, -push)

    return Loss(value, by_hand)


def kl() -> Loss:
    """The Kullback-Leibler divergence ``sum_c y_c (log y_c - log softmax(output)_c)`` from a distribution y (n, k).

    Its slope is that of cross-entropy with the same targets; 0 where the output says exactly y.

    >>> kl().value(torch.zeros(1, 2), torch.tensor([[0.5, 0.5]]))
    tensor([0.])
    """

    def value(output: Tensor, y: Tensor) -> Tensor:
        return F.kl_div(torch.log_softmax(output, 1), y, reduction="none").sum(1)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return value(output, y), torch.softmax(output, 1) * y.sum(1, keepdim=True) - y

    return Loss(value, by_hand)
