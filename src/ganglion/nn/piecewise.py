"""Piecewise-linear encoding of numbers: a thermometer of quantile bins beside the number itself."""

import numpy as np
import torch
from torch import Tensor, nn

GAIN = 0.5  # of the encoding; at 1 its many columns outweigh the rest at the start


class PiecewiseLinear(nn.Module):
    """Each number x of a column as how far it fills each bin ``[e_t, e_t+1]``, from 0 (below) to 1 (above).

    ``clip((x - e_t) / (e_t+1 - e_t), 0, 1)`` for all bins t, times 1/2; the edges are fixed (Gorishniy et al.
    2022, arXiv:2203.05556). A dense layer after it can bend at every edge.

    Arguments:
        edges: per column its ascending edges (k+1,); fewer than three edges leave the column as it is.

    Input (n, columns), output (n, columns + bins of all columns).

    >>> PiecewiseLinear([np.array([0.0, 1.0, 3.0])])(torch.tensor([[2.0]])).tolist()
    [[2.0, 0.5, 0.25]]
    """

    source: Tensor
    low: Tensor
    slope: Tensor

    def __init__(self, edges: list[np.ndarray]) -> None:
        super().__init__()
        bins = [(j, e) for j, e in enumerate(edges) if len(e) > 2]
        column = [np.full(len(e) - 1, j) for j, e in bins]
        low, width = [e[:-1] for _, e in bins], [np.diff(e) for _, e in bins]
        self.register_buffer("source", torch.as_tensor(_joined(column).astype(np.int64)))
        self.register_buffer("low", torch.as_tensor(_joined(low), dtype=torch.get_default_dtype()))
        self.register_buffer("slope", torch.as_tensor(1.0 / _joined(width), dtype=torch.get_default_dtype()))

    @property
    def width(self) -> int:
        """Columns that are added."""
        return len(self.low)

    def forward(self, x: Tensor) -> Tensor:
        """(n, columns) -> (n, columns + bins)."""
        if not self.width:
            return x
        filled = x.index_select(1, self.source).sub_(self.low).mul_(self.slope).clamp_(0.0, 1.0).mul_(GAIN)
        return torch.cat([x, filled], 1)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)
