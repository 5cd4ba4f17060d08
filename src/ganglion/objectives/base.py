"""The objective: a module that owns its models and says what is wanted of them, phase by phase."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

Batch = dict[str, Any]
"""What a batch carries, by name: ``x`` (n, ...), ``y`` (n, ...), ``weight`` (n,) with mean 1, or your own."""


class Phase(NamedTuple):
    """One kind of update: its name, how often it runs in a cycle, and whether each run draws a new batch."""

    name: str = "train"
    repeat: int = 1
    batch: Literal["new", "same"] = "new"


class Step(NamedTuple):
    """What a forward pass hands to the loop: the loss of each example, the output, named extras."""

    loss: Tensor  # (n,), or (members, n) when several networks train as one
    output: Tensor | None = None
    parts: dict[str, Tensor] = {}


class Objective(nn.Module):
    """Base of all objectives: what is computed from a batch, and which parameters each phase may change.

    A subclass gives ``phases`` if there is more than one, ``forward(batch, phase) -> Step``, and where it
    needs them ``parameters_of`` and ``after_update``. ``forward`` must not wait for the device nor branch on
    data. ``couples_batch`` says that an example's loss depends on the rest of its batch (batch
    normalisation, contrast), so that a batch cannot be cut into micro-batches.
    """

    phases: tuple[Phase, ...] = (Phase(),)
    couples_batch: bool = False

    @property
    def model(self) -> nn.Module:
        """The part that is kept after training."""
        raise NotImplementedError

    def parameters_of(self, phase: str) -> Iterator[nn.Parameter]:
        """The parameters that a phase updates; by default all of them."""
        return self.parameters()

    def forward(self, batch: Batch, phase: str) -> Step:
        """The losses of a batch in a phase."""
        raise NotImplementedError

    def gradients(self, batch: Batch, phase: str, divisor: float) -> tuple[Tensor, Step]:
        """Add the gradient of (weighted loss sum / ``divisor``) to ``.grad``; return that sum and the step.

        A subclass may write its backward pass by hand; this one leaves it to autograd.
        """
        step = self(batch, phase)
        weight = batch.get("weight")
        total = (step.loss if weight is None else step.loss * weight).sum()
        (total / divisor).backward()
        return total.detach(), step

    @property
    def acts_after_update(self) -> bool:
        """Whether ``after_update`` does anything."""
        return type(self).after_update is not Objective.after_update

    def after_update(self, phase: str, lr: float) -> None:
        """What changes weights after a step: clipping, max-norm, a proximal step, target networks."""


def has_batch_norm(module: nn.Module) -> bool:
    """Whether a norm inside makes the examples of a batch depend on each other."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())


def soft_threshold_(weights: list[Tensor], amount: float) -> None:
    """The proximal step of ``amount * |w|_1``: shrink towards zero, and exactly to zero inside.

    ``w <- sign(w) max(|w| - amount, 0)`` (Daubechies et al. 2004; ISTA).
    """
    with torch.no_grad():
        for w in weights:
            w.copy_(nn.functional.softshrink(w, amount))
