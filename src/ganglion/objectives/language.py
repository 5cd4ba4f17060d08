"""The loss of a language model: how improbable it finds each next token."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.objectives.base import Batch, Objective, Step

NOTHING = -1  # what stands for a token that is not asked for


class NextToken(Objective):
    """``-log P(y_t | x_1 ... x_t)`` in nats, for each window the mean over its places.

    Arguments:
        model: codes (n, t) -> logits (n, t, k).
        smoothing: share of the target that is spread over all tokens.

    Batches have ``x`` (n, t) and ``y`` (n, t), codes; -1 in y is not asked for.
    """

    def __init__(self, model: nn.Module, smoothing: float = 0.0) -> None:
        super().__init__()
        self.net, self.smoothing = model, smoothing

    @property
    def model(self) -> nn.Module:
        """The language model."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss (n,) of each window."""
        losses = token_losses(self.net(batch["x"]), batch["y"], self.smoothing if self.training else 0.0)
        asked = (batch["y"] != NOTHING).sum(1).clamp(min=1)
        return Step(losses.sum(1) / asked)


def token_losses(logits: Tensor, y: Tensor, smoothing: float = 0.0) -> Tensor:
    """``-log P`` (n, t) of tokens y (n, t) by logits (n, t, k); 0 where y is -1.

    >>> token_losses(torch.zeros(1, 2, 4), torch.tensor([[3, -1]])).exp()
    tensor([[4., 1.]])
    """
    flat = F.cross_entropy(
        logits.flatten(0, 1).float(), y.flatten().long(), ignore_index=NOTHING, reduction="none",
        label_smoothing=smoothing,
    )  # fmt: skip
    return flat.view(y.shape)


@torch.no_grad()
def total_loss(model: nn.Module, blocks: Iterable[tuple[Tensor, Tensor]]) -> tuple[float, int]:
    """The sum of ``-log P`` over all tokens that are asked for in blocks of x (n, t) and y (n, t), and their number."""
    total, asked = 0.0, 0
    for x, y in blocks:
        total += float(token_losses(model(x), y).double().sum())
        asked += int((y != NOTHING).sum())
    return total, asked
