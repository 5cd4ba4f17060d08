"""Supervised learning: one network, one loss per example, a penalty on the weights."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.objectives.base import Batch, Objective, Step, has_batch_norm, soft_threshold_
from ganglion.objectives.losses import Loss


class Supervised(Objective):
    """``loss(model(x), y)`` for each example.

    Arguments:
        model: (n, ...) -> (n, k).
        loss: from ``objectives.losses``.
        l1: weight of ``|w|_1`` over dense and convolution weights, applied as a proximal step after each
            update, so that weights become exactly zero.
    """

    def __init__(self, model: nn.Module, loss: Loss, l1: float = 0.0) -> None:
        super().__init__()
        self.net, self.loss, self.l1 = model, loss, l1
        self.couples_batch = has_batch_norm(model)

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """Losses (n,) and output (n, k)."""
        output = self.net(batch["x"])
        return Step(self.loss.value(output, batch["y"]), output)

    @property
    def acts_after_update(self) -> bool:
        """With an l1 penalty."""
        return bool(self.l1)

    def after_update(self, phase: str, lr: float) -> None:
        """The proximal step of the l1 penalty."""
        if self.l1:
            soft_threshold_([p for p in self.net.parameters() if p.dim() > 1], lr * self.l1)


class SupervisedByHand(Supervised):
    """The same objective for a model whose backward pass is written out.

    ``model.by_hand()`` gives a pass with ``forward(x) -> output`` and ``backward(slope)``, which adds to every
    ``.grad``; the loss offers ``by_hand``. ``flat`` (``optim.flat.Flat`` of the model) holds all parameters in
    one buffer, so the loop sees one parameter instead of two per layer.
    """

    def __init__(self, model: nn.Module, loss: Loss, l1: float = 0.0, *, flat: Any) -> None:
        super().__init__(model, loss, l1)
        # in tuples: buffer and pass are the model's own weights, not more parts
        self._flat, self._pass = (flat.value,), (model.by_hand(),)  # type: ignore[operator]

    def parameters_of(self, phase: str) -> Iterator[nn.Parameter]:
        """The one buffer."""
        return iter(self._flat)

    @torch.no_grad()
    def gradients(self, batch: Batch, phase: str, divisor: float) -> tuple[Tensor, Step]:
        """Gradient of (weighted loss sum / ``divisor``), without autograd."""
        by_hand, weight = self._pass[0], batch.get("weight")
        output = by_hand.forward(batch["x"])
        losses, slope = self.loss.by_hand(output, batch["y"])  # type: ignore[misc]
        if weight is None:
            total = losses.sum()
            slope.mul_(1.0 / divisor)
        else:
            total = losses.dot(weight)
            slope.mul_((weight / divisor).unsqueeze(1))
        by_hand.backward(slope)
        return total, Step(losses, output)


def goes_by_hand(model: nn.Module, loss: Loss) -> bool:
    """Whether model and loss both know their own backward pass."""
    return hasattr(model, "by_hand") and loss.by_hand is not None
