"""Connectionist temporal classification: the probability of labels whose places in a sequence are not known."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.objectives.base import Batch, Objective, Step

BLANK = 0


class CTC(Objective):
    """``-log P(labels | x)`` in nats, for each sequence per label (per sequence where it has none).

    ``P(labels | x)`` is the sum over all alignments of ``prod_t p_t(symbol)`` (Graves et al. 2006), see
    ``models.ctc``. A sequence that a variation has made too short for its labels costs nothing in that batch.

    Arguments:
        model: x -> logits (n, S, k), with ``steps(lengths)``; x has NaN behind the ends of (n, T).

    Batches have ``x`` (n, T) and ``y`` (n, L), labels from 1 on and 0 behind them.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.net = model

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss (n,) of each sequence."""
        x, y = batch["x"], batch["y"]
        steps = self.net.steps((~x.isnan()).sum(1))  # type: ignore[operator]
        losses = ctc_losses(self.net(x), steps, y)
        return Step(losses / (y > 0).sum(1).clamp(min=1))


def ctc_losses(logits: Tensor, steps: Tensor, y: Tensor) -> Tensor:
    """``-log P`` (n,) of labels y (n, L), 0 behind them, by logits (n, S, k) of which ``steps`` (n,) count.

    0 where no alignment leads to the labels, see ``steps_needed``.

    >>> ctc_losses(torch.zeros(1, 2, 2), torch.tensor([2]), torch.tensor([[1]])).exp()  # 3 of 4 alignments
    tensor([1.3333])
    """
    log_probs = logits.float().log_softmax(2).transpose(0, 1)
    return F.ctc_loss(log_probs, y, steps, (y > 0).sum(1), BLANK, reduction="none", zero_infinity=True)


def steps_needed(y: Tensor) -> Tensor:
    """The fewest steps (n,) that labels y (n, L), 0 behind them, fit into: one each and a blank between equal ones.

    >>> steps_needed(torch.tensor([[1, 1, 2], [2, 0, 0]])).tolist()
    [4, 1]
    """
    again = torch.eq(y[:, 1:], y[:, :-1]) & (y[:, 1:] > 0)
    return (y > 0).sum(1) + again.sum(1)
