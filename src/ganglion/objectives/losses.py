"""Losses by name: a value for each example, and the gradient at the output for networks that go by hand.

Shapes: output (n, k); y (n,) of class numbers for ``cross_entropy``, else (n, k).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.base.errors import ParameterError, unknown_name


@dataclass(frozen=True)
class Loss:
    """A loss: ``value(output, y) -> (n,)``, and ``by_hand(output, y) -> ((n,), dvalue/doutput (n, k))``."""

    value: Callable[[Tensor, Tensor], Tensor]
    by_hand: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None


def cross_entropy(smoothing: float = 0.0) -> Loss:
    """``-sum_c q_c log softmax(output)_c`` with q = (1 - s) onehot(y) + s / k (Szegedy et al. 2016)."""

    def value(output: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(output, y, reduction="none", label_smoothing=smoothing)

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logs = torch.log_softmax(output, 1)
        losses = F.nll_loss(logs, y, reduction="none")
        slope = logs.exp()
        if smoothing:
            losses = losses.mul_(1 - smoothing).sub_(logs.mean(1), alpha=smoothing)
            slope.sub_(smoothing / output.shape[1])
        at = y.unsqueeze(1)
        slope.scatter_add_(1, at, slope.new_full((1, 1), smoothing - 1.0).expand(at.shape))
        return losses, slope

    return Loss(value, by_hand)


def squared() -> Loss:
    """``mean_k (output - y)^2``."""

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        gap = output - y
        return gap.square().mean(1), gap.mul(2.0 / gap.shape[1])

    return Loss(lambda output, y: (output - y).square().mean(1), by_hand)


def absolute() -> Loss:
    """``mean_k |output - y|``."""

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        gap = output - y
        return gap.abs().mean(1), gap.sign().div_(gap.shape[1])

    return Loss(lambda output, y: (output - y).abs().mean(1), by_hand)


def huber() -> Loss:
    """``mean_k`` of ``g^2 / 2`` where |g| < 1, else ``|g| - 1/2`` (Huber 1964)."""

    def by_hand(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        gap = output - y
        losses = F.huber_loss(output, y, reduction="none").mean(1)
        return losses, gap.clamp(-1.0, 1.0).div_(gap.shape[1])

    return Loss(lambda output, y: F.huber_loss(output, y, reduction="none").mean(1), by_hand)


CLASS_LOSSES: dict[str, Callable[..., Loss]] = {"cross_entropy": cross_entropy}
VALUE_LOSSES: dict[str, Callable[..., Loss]] = {
    "squared_error": squared,
    "absolute_error": absolute,
    "huber": huber,
}


def loss_named(name: str, **options: float) -> Loss:
    """The loss of a name; raises ``ParameterError`` with the nearest known one."""
    table = CLASS_LOSSES | VALUE_LOSSES
    if name not in table:
        raise ParameterError(unknown_name("loss", name, list(table)))
    return table[name](**options)
