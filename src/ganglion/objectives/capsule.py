"""What capsules are trained for: long where their class is there, short where not, and able to draw the picture."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.base.fields import AtLeast, Between
from ganglion.base.named import named
from ganglion.nn.activity import hidden_values, mean_size
from ganglion.objectives.base import Batch, Step
from ganglion.objectives.loss import Loss, checked
from ganglion.objectives.supervised import Supervised

LEAST = 1e-12  # of a length whose logarithm is taken


def margin(present: float = 0.9, absent: float = 0.1, down: float = 0.5) -> Loss:
    """``sum_k T_k max(0, m+ - |v_k|)^2 + lambda (1 - T_k) max(0, |v_k| - m-)^2`` of lengths (n, k).

    Sabour et al. 2017, arXiv:1710.09829, equation 4. T is 1 for the class y (n,), or shares y (n, k); ``present`` m+,
    ``absent`` m- and ``down`` lambda start as the paper's. The answer is the logarithm of the lengths, so that its
    softmax is the lengths divided by their sum.

    >>> margin().value(torch.tensor([[0.5, 0.3]]), torch.tensor([0]))
    tensor([0.1800])
    """
    present = checked("present of margin", present, Between(0, 1))
    absent = checked("absent of margin", absent, Between(0, 1))
    down = checked("down of margin", down, AtLeast(0))
    if present <= absent:
        raise ParameterError(
            f"margin expects present above absent, got {present:g} and {absent:g}; take 0.9 and 0.1."
        )

    def value(lengths: Tensor, y: Tensor) -> Tensor:
        there = shares(y, lengths)
        short, long = (present - lengths).clamp(min=0).square(), (lengths - absent).clamp(min=0).square()
        return (there * short + down * (1 - there) * long).sum(1)

    def constant(goal: np.ndarray, weight: np.ndarray) -> np.ndarray:
        there = np.average(goal, axis=0, weights=weight)
        pull = np.maximum(there + down * (1 - there), LEAST)
        return (there * present + down * (1 - there) * absent) / pull

    return Loss(value, answer=lambda lengths: lengths.clamp(min=LEAST).log(), constant=constant)


CAPSULE_LOSSES: dict[str, Callable[..., Loss]] = {"margin": margin}


def capsule_loss_named(text: str) -> Loss:
    """The loss of capsules' lengths that a text names, as in ``"margin(0.9, 0.1, 0.5)"``; raises ``ParameterError``."""
    return named("loss", text, CAPSULE_LOSSES)


def shares(y: Tensor, like: Tensor) -> Tensor:
    """Class numbers (n,) as rows of 0 and 1 (n, k), of the kind of ``like``; shares (n, k) stay.

    >>> shares(torch.tensor([1]), torch.zeros(1, 2))
    tensor([[0., 1.]])
    """
    if y.is_floating_point():
        return y
    return torch.zeros_like(like).scatter_(1, y.unsqueeze(1), 1.0)


class CapsuleObjective(Supervised):
    """The loss of the lengths, plus the summed square error of the picture drawn from the true class's capsule.

    Sabour et al. 2017, arXiv:1710.09829, section 4.1.

    Arguments:
        model: offers ``encode(x) -> (n, k, d)`` and ``draw(capsules, shares) -> (n, c, h, w)``.
        loss: from ``capsule_loss_named``.
        reconstruction: weight of the error of each pixel.
        l1, max_norm, activity: as of ``Supervised``.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        reconstruction: float = 0.0005,
        l1: float = 0.0,
        max_norm: float | None = None,
        activity: float = 0.0,
    ) -> None:
        super().__init__(model, loss, l1, max_norm, activity)
        self.reconstruction = reconstruction

    def compared(
        self, x: Tensor, y: Tensor, lengths: Tensor, drawn: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses (n,) and their terms, from lengths (n, k) and what the true class's capsule draws (n, c, h, w)."""
        wanted = x if x.is_floating_point() else x / 255
        terms = {
            "margin": self.loss.value(lengths, y),
            "reconstruction": (drawn - wanted).square().sum((1, 2, 3)),
        }
        return terms["margin"] + self.reconstruction * terms["reconstruction"], terms

    def forward(self, batch: Batch, phase: str) -> Step:
        """Losses (n,), lengths (n, k), and the terms of the loss, (n,) each."""
        x, y = batch["x"], batch["y"]
        watched: Any = hidden_values(self.net) if self.activity else nullcontext()
        with watched as values:
            capsules = self.net.encode(x)  # type: ignore[operator]
            lengths = capsules.norm(dim=2)
            drawn = self.net.draw(capsules, shares(y, lengths))  # type: ignore[operator]
        loss, terms = self.compared(x, y, lengths, drawn)
        if self.activity:
            terms["activity"] = mean_size(values)
            loss = loss + self.activity * terms["activity"]
        return Step(loss, lengths, terms)
