"""The loss of a translator: how improbable it finds the text that people wrote, with teacher forcing."""

import torch
from torch import Tensor, nn

from ganglion.data.tokens import BEGIN, PAD
from ganglion.objectives.base import Batch, Objective, Step
from ganglion.objectives.smoothed import SmoothedCrossEntropy


class Translation(Objective):
    """``-log P(y | x) / length`` in nats, where ``length`` is that of a mean target.

    So every token counts alike, and a loss is about that of a token. All tokens are given at once, and each is
    predicted from the true ones before it. With ``sampled`` above 0 (scheduled sampling, Bengio et al. 2015,
    arXiv:1506.03099) that share of them is replaced by what the network found most probable in a first pass.

    Arguments:
        model: ``(source (n, s), before (n, t)) -> logits (n, t, k)``, or those (m, k) of the places where a third
            argument (n, t) is true.
        length: mean number of tokens of a target, its end included.
        smoothing: share of each target that is spread over all tokens.
        sampled: see above.

    Batches have ``x`` (n, s) and ``y`` (n, t), codes with 0 behind the ends; an end is a token of y.
    """

    def __init__(self, model: nn.Module, length: float, smoothing: float = 0.0, sampled: float = 0.0) -> None:
        super().__init__()
        self.net, self.length, self.smoothing, self.sampled = model, length, smoothing, sampled

    @property
    def model(self) -> nn.Module:
        """The translator."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss (n,) of each pair."""
        x, y = batch["x"], batch["y"]
        before = torch.cat([torch.full_like(y[:, :1], BEGIN), y[:, :-1]], 1)
        if self.sampled and self.training:
            before = self._mixed(x, y, before)
        asked = y != PAD
        logits = self.net(x, before, asked).float()
        losses = SmoothedCrossEntropy.apply(logits, y[asked], self.smoothing if self.training else 0.0)
        rows = asked.nonzero()[:, 0]
        return Step(losses.new_zeros(len(y)).index_add(0, rows, losses) / self.length)

    @torch.no_grad()
    def _mixed(self, x: Tensor, y: Tensor, before: Tensor) -> Tensor:
        """What is written before, some of it as the network would have written it."""
        own = self.net(x, before).argmax(2)
        own = torch.cat([before[:, :1], own[:, :-1]], 1)
        chosen = (torch.rand(y.shape, device=y.device) < self.sampled) & (before > BEGIN)
        return torch.where(chosen, own, before)
