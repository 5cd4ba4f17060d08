"""The loss of captions: how improbable the network finds the words that people wrote, with teacher forcing."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.objectives.base import Batch, Objective, Step, has_batch_norm

BASELINE = 0.9  # share of the old baseline that stays with each batch
REWARD, ENTROPY = 1.0, 0.01  # weights of the two terms that hard attention adds


class Captioning(Objective):
    """``-log P(caption | picture)`` in nats, for each picture the mean over its captions.

    All words of a caption are given at once, and each is predicted from the true ones before it. Where attention
    is hard, a sampled place has no derivative; its choice is taught by ``log P`` itself as a reward (REINFORCE; Xu et
    al. 2015, arXiv:1502.03044, section 4.1):

        d(-log P) - REWARD (log P - b) d sum_t log alpha_{t, s_t} - ENTROPY d sum_t H(alpha_t)

    with the moving mean b of log P over batches. Only their gradients are added: the loss stays the one above.

    Arguments:
        model: with ``look(x)``, ``tell(memory, words)`` and ``hard`` as of ``models.captioner.CaptionNet``.

    Batches have ``x`` (n, c, h, w) and ``words`` (n, R, T): R captions of T codes, -1 behind the end and throughout
    where a picture has fewer captions.
    """

    baseline: Tensor

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.net, self.couples_batch = model, has_batch_norm(model)
        self.register_buffer("baseline", torch.zeros(()))

    @property
    def model(self) -> nn.Module:
        """The captioner."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss (n,) of each picture."""
        words = batch["words"]
        n, captions, _ = words.shape
        memory, flat = self.net.look(batch["x"]), words.flatten(0, 1)  # type: ignore[operator]
        told = self.net.tell(type(memory)(*(part.repeat_interleave(captions, 0) for part in memory)), flat)  # type: ignore[operator]
        there = flat >= 0
        loss = -log_likelihood(told.logits, flat)
        if self.net.hard and self.training:
            loss = loss + _only_gradient(self._taught(loss, told, there))
        real = there.any(1).view(n, captions)
        return Step((loss.view(n, captions) * real).sum(1) / real.sum(1).clamp(min=1))

    def _taught(self, loss: Tensor, told: Any, there: Tensor) -> Tensor:
        """What hard attention adds for each caption: the reward of the places drawn, and their entropy."""
        reward, real = -loss.detach(), there.any(1)
        surprise = REWARD * (reward - self.baseline) * (told.drawn * there).sum(1)
        entropy = -(told.weights * told.weights.clamp(min=1e-12).log()).sum(2)
        with torch.no_grad():
            mean = (reward * real).sum() / real.sum().clamp(min=1)
            self.baseline.mul_(BASELINE).add_((1 - BASELINE) * mean)
        return -surprise - ENTROPY * (entropy * there).sum(1)


def log_likelihood(logits: Tensor, words: Tensor) -> Tensor:
    """``log P`` (n,) of captions (n, T), codes with -1 behind the end, by logits (n, T, k).

    >>> log_likelihood(torch.zeros(1, 3, 2), torch.tensor([[1, 0, -1]])).exp()
    tensor([0.2500])
    """
    return -F.cross_entropy(logits.float().transpose(1, 2), words, ignore_index=-1, reduction="none").sum(1)


def _only_gradient(value: Tensor) -> Tensor:
    """Zero, with the gradient of a value."""
    return value - value.detach()
