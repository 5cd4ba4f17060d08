"""Supervised learning: one network, one loss per example, a penalty on the weights."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.base.fields import LARGEST
from ganglion.nn.activity import activations_of, hidden_values, mean_size
from ganglion.nn.max_norm import bound_rows_, incoming_weights
from ganglion.objectives.base import Batch, Objective, Step, has_batch_norm, soft_threshold_
from ganglion.objectives.losses import Loss


class Supervised(Objective):
    """``loss(model(x), y)`` for each example.

    Arguments:
        model: (n, ...) -> (n, k).
        loss: from ``objectives.losses``.
        l1: weight of ``|w|_1`` over dense and convolution weights, applied as a proximal step after each
            update, so that weights become exactly zero.
        max_norm: the longest that a unit's incoming weights may be after an update.
        activity: weight of the mean absolute hidden activation, which joins each example's loss.

    Raises ``ParameterError`` for ``activity`` without hidden activations.
    """

    target = "y"  # what of a batch the loss compares the output with

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        l1: float = 0.0,
        max_norm: float | None = None,
        activity: float = 0.0,
    ) -> None:
        super().__init__()
        self.net, self.loss, self.l1, self.max_norm, self.activity = model, loss, l1, max_norm, activity
        if activity and not activations_of(model):
            raise ParameterError(
                "activity is a penalty on hidden activations, and this network has none; set activity=0."
            )
        self.couples_batch = loss.couples_batch or has_batch_norm(model)

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """Losses (n,) and output (n, k); with ``activity`` also their two terms, (n,) each."""
        if not self.activity:
            output = self.net(batch["x"])
            return Step(self.loss.value(output, batch[self.target]), output)
        with hidden_values(self.net) as values:
            output = self.net(batch["x"])
        terms = {"data": self.loss.value(output, batch[self.target]), "activity": mean_size(values)}
        return Step(terms["data"] + self.activity * terms["activity"], output, terms)

    @property
    def acts_after_update(self) -> bool:
        """With an l1 penalty or a bound on the weights' length."""
        return bool(self.l1 or self.max_norm)

    def after_update(self, phase: str, lr: float) -> None:
        """The proximal step of the l1 penalty, and the bound on the weights' length."""
        if self.l1:
            soft_threshold_([p for p in self.net.parameters() if p.dim() > 1], min(lr * self.l1, LARGEST))
        if self.max_norm:
            bound_rows_(incoming_weights(self.net), self.max_norm)


class SupervisedByHand(Supervised):
    """The same objective for a model whose backward pass is written out.

    ``model.by_hand()`` gives a pass with ``forward(x) -> output`` and ``backward(slope)``, which adds to every
    ``.grad``; the loss offers ``by_hand``. ``flat`` (``optim.flat.Flat`` of the model) holds all parameters in
    one buffer, so the loop sees one parameter instead of two per layer.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, l1: float = 0.0, max_norm: float | None = None, *, flat: Any
    ) -> None:
        super().__init__(model, loss, l1, max_norm)
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
    return getattr(model, "goes_by_hand", False) and loss.by_hand is not None
