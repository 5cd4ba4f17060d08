"""Losses for numbers: output and y (n, k), the mean over the k targets of an example.

Inside ``MLPRegressor`` targets are standardised, so that a ``delta`` counts standard deviations of the target.
``g`` is output minus y; each slope is written out, and torch computes the values where it has the loss.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.base.fields import Above, Between, Bound
from ganglion.objectives.loss import Loss, checked

VARIANCE_FLOOR = (
    1e-6  # of a target of spread 1: a row that is met exactly must not make the loss fall for ever
)
RATE_FLOOR = 1e-6  # counts that are all 0 still have a logarithm to start from


def squared() -> Loss:
    """The squared error, lowest at the mean: ``mean_k g^2``.

    >>> squared().value(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([2.])
    """

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        gap = output - y
        return gap.square().mean(1), gap.mul(2.0 / gap.shape[1])

    return Loss(lambda output, y: (output - y).square().mean(1), by_hand)


def absolute() -> Loss:
    """The absolute error, lowest at the median: ``mean_k |g|``.

    >>> absolute().value(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([1.])
    """

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        gap = output - y
        return gap.abs().mean(1), gap.sign().div_(gap.shape[1])

    return Loss(lambda output, y: (output - y).abs().mean(1), by_hand)


def huber(delta: float = 1.0) -> Loss:
    """Squares of small errors, sizes of large ones (Huber 1964).

    ``mean_k`` of ``g^2 / 2`` where ``|g| < delta``, else ``delta (|g| - delta / 2)``; ``delta`` above 0.

    >>> huber(2.0).value(torch.tensor([[1.0], [5.0]]), torch.zeros(2, 1))
    tensor([0.5000, 8.0000])
    """
    delta = checked("delta of huber", delta, Above(0))

    def value(output: Tensor, y: Tensor) -> Tensor:
        return F.huber_loss(output, y, reduction="none", delta=delta).mean(1)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        gap = output - y
        return value(output, y), gap.clamp(-delta, delta).div_(gap.shape[1])

    return Loss(value, by_hand)


def quantile(q: float = 0.5) -> Loss:
    """The pinball loss, lowest at the q-quantile: ``mean_k max(q (y - o), (q - 1) (y - o))``.

    Koenker and Bassett 1978. ``q`` lies above 0 and below 1; a network that is trained with it predicts the
    q-quantile and no mean.

    >>> quantile(0.9).value(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [0.0]]))
    tensor([0.9000, 0.1000])
    """
    q = checked("q of quantile", q, Bound(0, 1, open_low=True, open_high=True))

    def value(output: Tensor, y: Tensor) -> Tensor:
        under = y - output
        return torch.maximum(q * under, (q - 1) * under).mean(1)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        # at a kink autograd shares between both sides, and so does this: 1/2 - q
        gap = output - y
        return value(output, y), gap.sign_().div_(2).add_(0.5 - q).div_(output.shape[1])

    def constant(goal: np.ndarray, weight: np.ndarray) -> np.ndarray:
        order = np.argsort(goal, axis=0)
        mass = np.cumsum(weight[order], axis=0)  # (n, k), each target in its own order
        return np.array(
            [goal[i[np.searchsorted(m, q * m[-1])], c] for c, (i, m) in enumerate(zip(order.T, mass.T))]
        )

    return Loss(value, by_hand, constant=constant, mean=False)


def log_cosh() -> Loss:
    """``mean_k log cosh g``: ``g^2 / 2`` for small errors, ``|g| - log 2`` for large ones, smooth between.

    >>> log_cosh().value(torch.tensor([[1e4]]), torch.zeros(1, 1))
    tensor([9999.3066])
    """

    def value(output: Tensor, y: Tensor) -> Tensor:
        gap = (output - y).abs()  # log cosh g = |g| + log(1 + exp(-2 |g|)) - log 2, which cannot overflow
        return (gap + F.softplus(-2 * gap) - math.log(2)).mean(1)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return value(output, y), (output - y).tanh_().div_(y.shape[1])

    return Loss(value, by_hand)


def gaussian_nll(beta: float = 0.5) -> Loss:
    """The negative log-likelihood of a normal distribution whose spread the network predicts too.

    Nix and Weigend 1994: ``mean_k (log(2 pi v) + (m - y)^2 / v) / 2`` with the means ``m`` in the first k of the
    2k output units and ``v = exp(s) + 1e-6`` from the others. ``beta`` from 0 to 1 multiplies each target's
    *slope*, and not its value, by ``v^beta`` (Seitzer et al. 2022, arXiv:2203.09168): with 0, the likelihood's own
    slope, rows that are badly predicted are soon held for noise and hardly learned any more; with 1 means are
    learned as by squared errors.

    >>> gaussian_nll().value(torch.zeros(1, 2), torch.zeros(1, 1))
    tensor([0.9189])
    """
    beta = checked("beta of gaussian_nll", beta, Between(0, 1))

    def variance(output: Tensor) -> Tensor:
        return output[:, output.shape[1] // 2 :].exp() + VARIANCE_FLOOR

    def means(output: Tensor) -> Tensor:
        return output[:, : output.shape[1] // 2]

    def value(output: Tensor, y: Tensor) -> Tensor:
        v = variance(output)
        nll = F.gaussian_nll_loss(means(output), y, v, full=True, reduction="none")
        if beta:
            fixed = nll.detach()
            nll = fixed + v.detach() ** beta * (nll - fixed)  # the value stays the likelihood's
        return nll.mean(1)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        v, gap = variance(output), means(output) - y
        ratio = gap.square() / v
        losses = (v.log() + ratio + math.log(2 * math.pi)).mean(1) / 2
        factor = v**beta / y.shape[1]
        slope = torch.cat([gap / v * factor, (1 - ratio) / 2 * (1 - VARIANCE_FLOOR / v) * factor], 1)
        return losses, slope

    def constant(goal: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return np.zeros(2 * goal.shape[1])  # mean 0 and spread 1, as standardised targets have

    return Loss(
        value,
        by_hand,
        units=lambda k: 2 * k,
        answer=means,
        noise=lambda output: variance(output).sqrt(),
        constant=constant,
    )


def poisson() -> Loss:
    """The negative log-likelihood of counts whose rate is ``exp(output)``: ``mean_k exp(o) - y o + log y!``.

    Targets are at least 0 and stay in their own unit; the prediction is the rate.

    >>> poisson().value(torch.zeros(1, 1), torch.tensor([[2.0]]))
    tensor([1.6931])
    """

    def value(output: Tensor, y: Tensor) -> Tensor:
        return (F.poisson_nll_loss(output, y, reduction="none") + torch.lgamma(y + 1)).mean(1)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return value(output, y), (output.exp() - y).div_(y.shape[1])

    def constant(goal: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(np.average(goal, axis=0, weights=weight), RATE_FLOOR))

    return Loss(value, by_hand, answer=torch.exp, constant=constant, least=0.0, standardised=False)
