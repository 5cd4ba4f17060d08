"""Numbers behind the ends of series: told from their own, and kept out of sums."""

import torch
from torch import Tensor, nn


class Scale(nn.Module):
    """Series (n, t, c) with NaN behind their ends as ``(x - mean) / spread`` per channel, 0 behind, and a mask.

    A channel that never varies only loses its mean.

    >>> x, there = Scale(1)(torch.tensor([[[2.0], [float("nan")]]]))
    >>> x.flatten().tolist(), there.tolist()
    ([2.0, 0.0], [[True, False]])
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("spread", torch.ones(channels))

    def learn(self, values: Tensor) -> None:
        """Take mean and spread of values (total, c), in double precision."""
        numbers = values.double()
        spread = numbers.std(0, correction=0)
        self.mean.copy_(numbers.mean(0))
        self.spread.copy_(torch.where(spread > 0, spread, 1.0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, t, c) -> the same without NaN, and what is there (n, t)."""
        there = ~x[..., 0].isnan()
        return torch.where(there[..., None], (x - self.mean) / self.spread, 0.0), there
