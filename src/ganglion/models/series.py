"""A network from series of numbers to one answer each."""

from typing import Any

from torch import Tensor, nn

from ganglion.models.encoder import Answer, Encoder, Pool
from ganglion.nn.padding import Scale


class SeriesNet(nn.Module):
    """``answer(pool(encoder(scale(x))))`` for series (n, t, c) with NaN behind their ends.

    Arguments:
        channels: c numbers at each place.
        start: (k,) the outputs' best constant answer.
        pool: see ``models.encoder.Pool``.
        dropout: before the outputs, and inside the encoder.
        encoder: arguments of ``models.encoder.Encoder``.

    >>> import torch
    >>> SeriesNet(2, torch.zeros(3), pool="last", cell="gru", units=4)(torch.zeros(5, 7, 2)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self, channels: int, start: Tensor, *, pool: str = "both", dropout: float = 0.0, **encoder: Any
    ) -> None:
        super().__init__()
        self.scale = Scale(channels)
        self.encoder = Encoder(inputs=channels, dropout=dropout, **encoder)
        self.pool = Pool(pool, self.encoder.width)
        self.answer = Answer(self.pool.width, start, dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(n, t, c) -> (n, k)."""
        x, there = self.scale(x)
        h, last = self.encoder(x, there)
        return self.answer(self.pool(h, last, there))
