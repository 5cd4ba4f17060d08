"""The entrance of a table: numbers beside their bins, category codes as learned vectors."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.nn.piecewise import PiecewiseLinear


def embedding_width(levels: int) -> int:
    """The width of a category's learned vector: ``min(50, ceil(1.6 levels^0.56))``.

    A rule of thumb from the fastai library (Howard and Gugger 2020).
    """
    return min(50, -int(-1.6 * levels**0.56 // 1))


class TableInput(nn.Module):
    """Real columns, their piecewise-linear encoding, and embedded categories side by side.

    Arguments:
        n_real: leading real-valued columns of the input.
        cardinalities: number of codes of each trailing column; code 0 is missing or never seen.
        edges: per real column the edges of its bins (see ``nn.piecewise``).

    Input (n, n_real + len(cardinalities)) float, output (n, width).

    >>> TableInput(2, (5,))(torch.tensor([[0.1, 0.2, 3.0]])).shape[1] == 2 + embedding_width(5)
    True
    """

    def __init__(self, n_real: int, cardinalities: tuple[int, ...], edges: Sequence[np.ndarray] = ()) -> None:
        super().__init__()
        self.n_real = n_real
        self.bins = PiecewiseLinear(list(edges))
        self.embeddings = nn.ModuleList(nn.Embedding(k, embedding_width(k)) for k in cardinalities)
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, 0.0, embedding.embedding_dim**-0.5)  # type: ignore[arg-type]

    @property
    def width(self) -> int:
        """Columns of the output."""
        return self.n_real + self.bins.width + sum(e.embedding_dim for e in self.embeddings)  # type: ignore[misc]

    def forward(self, x: Tensor) -> Tensor:
        """(n, columns) -> (n, width)."""
        if not self.embeddings:
            return self.bins(x)
        codes = x[:, self.n_real :].long()
        learned = (e(codes[:, i]) for i, e in enumerate(self.embeddings))
        return torch.cat([self.bins(x[:, : self.n_real]), *learned], 1)
