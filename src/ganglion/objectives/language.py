"""The losses of language models: how improbable they find each next token, or each that is hidden."""

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


class HiddenToken(Objective):
    """``-log P(x_t | all that is not hidden)`` in nats, for each window the mean over its hidden places.

    Of the ``share`` of tokens that are asked for, 8 of 10 are hidden behind ``mark``, one is replaced by a token drawn
    at random and one left as it is, so that vectors of what is seen are of use too (Devlin et al. 2019,
    arXiv:1810.04805).

    Arguments:
        model: codes (n, t) -> logits (n, t, k).
        mark: the code that stands for what is hidden.
        first, size: codes of tokens are ``first <= x < size``.
        share: of the tokens, that are asked for.

    Batches have ``x`` (n, t), codes.
    """

    def __init__(self, model: nn.Module, mark: int, first: int, size: int, share: float = 0.15) -> None:
        super().__init__()
        self.net, self.mark, self.first, self.size, self.share = model, mark, first, size, share

    @property
    def model(self) -> nn.Module:
        """The language model."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss (n,) of each window."""
        x, told = hidden(batch["x"], self.mark, self.share)
        drawn, other = torch.rand(x.shape, device=x.device), torch.randint_like(x, self.first, self.size)
        asked = told != NOTHING
        x = torch.where(asked & (drawn < 0.1), told, x)
        losses = token_losses(self.net(torch.where(asked & (drawn > 0.9), other, x)), told)
        return Step(losses.sum(1) / asked.sum(1).clamp(min=1))


def hidden(
    x: Tensor, mark: int, share: float, generator: torch.Generator | None = None
) -> tuple[Tensor, Tensor]:
    """Codes (n, t) with a share of them hidden behind ``mark``, and those (n, t) that are, -1 elsewhere.

    >>> hidden(torch.tensor([[4, 5]]), 2, 1.0)
    (tensor([[2, 2]]), tensor([[4, 5]]))
    """
    chosen = torch.rand(x.shape, generator=generator, device=x.device) < share
    return x.masked_fill(chosen, mark), x.masked_fill(~chosen, NOTHING)


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
