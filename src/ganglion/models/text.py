"""Networks from texts to one answer each: a bag of tokens, or something that reads them in order.

Axes: n texts, t tokens, k outputs. Code 0 stands behind a text's end.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.models.encoder import Answer, Encoder, Pool
from ganglion.nn.noise import Dropout

BEGIN = 0.2  # of the naive-Bayes weights: they were counted in the very texts that are learned from
STEP = 50.0  # how much faster a token's weight moves than the parameter behind it


class BagNet(nn.Module):
    """``b + g sum_j r_j w_j / sqrt(t)`` over the tokens j of a text, with naive-Bayes log-ratios r and learned w.

    ``r_jc = log P(j | c)`` less its mean over classes c. Wang and Manning 2012 ("Baselines and bigrams") fit w by a
    support vector machine; here it is learned by gradient from one small value, with tokens left out at random. A
    token that tells nothing cannot be learned by heart, as its r is 0.

    Arguments:
        size: codes.
        start: (k,) the outputs' best constant answer.
        dropout: share of the tokens that is left out in training.

    >>> BagNet(9, torch.zeros(2))(torch.tensor([[4, 5, 0]])).shape
    torch.Size([1, 2])
    """

    ratio: Tensor

    def __init__(self, size: int, start: Tensor, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("ratio", torch.zeros(size, len(start)))
        self.weight = nn.Parameter(torch.zeros(size, len(start)))
        self.gain, self.bias = nn.Parameter(torch.ones(())), nn.Parameter(start.clone())
        self.dropout = dropout

    def forward(self, codes: Tensor) -> Tensor:
        """(n, t) -> (n, k)."""
        length = (codes > 0).sum(1, keepdim=True).clamp(min=1)
        scale = self.gain / length.sqrt()
        if self.training and self.dropout:
            codes = codes * (torch.rand(codes.shape, device=codes.device) >= self.dropout)
            scale = scale / (1 - self.dropout)
        table = self.ratio * (BEGIN + STEP * self.weight)
        return self.bias + scale * F.embedding_bag(codes, table, mode="sum", padding_idx=0)


def log_ratios(
    codes: NDArray[np.int64], y: NDArray[np.int64], weight: NDArray[np.float64], size: int, classes: int
) -> NDArray[np.float64]:
    """``r_jc`` (size, classes) of ``BagNet``, one added to each count.

    Arguments: tokens (total,), the class and the weight of the text that each stands in.

    >>> log_ratios(np.array([4, 4, 5]), np.array([0, 0, 1]), np.ones(3), 6, 2).round(2)[4:].tolist()
    [[0.48, -0.48], [-0.41, 0.41]]
    """
    counts = (
        np.bincount(codes * classes + y, weights=weight, minlength=size * classes).reshape(size, classes) + 1
    )
    logs = np.log(counts / counts.sum(0))
    logs[0] = 0.0
    return logs - logs.mean(1, keepdims=True)


class TextNet(nn.Module):
    """``answer(pool(encoder(E x)))`` of codes (n, t).

    Arguments:
        size: codes.
        start: (k,) the outputs' best constant answer.
        units: of the tokens' vectors and of the encoder.
        pool, encoder: see ``models.encoder``.
        dropout: share dropped of the vectors, inside the encoder and before the outputs.

    >>> TextNet(9, torch.zeros(2), cell="gru", units=4)(torch.tensor([[4, 5, 0]])).shape
    torch.Size([1, 2])
    """

    def __init__(
        self,
        size: int,
        start: Tensor,
        *,
        units: int,
        pool: str = "both",
        dropout: float = 0.0,
        **encoder: Any,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(size, units, padding_idx=0)
        self.drop = Dropout(dropout)
        self.encoder = Encoder(inputs=units, units=units, dropout=dropout, **encoder)
        self.pool = Pool(pool, self.encoder.width)
        self.answer = Answer(self.pool.width, start, dropout)

    @torch.no_grad()
    def begin_from(self, other: nn.Module) -> None:
        """Take the vectors and the body of a language model of the same shape, ``models.language.LanguageNet``."""
        self.embed.load_state_dict(other.embed.state_dict())  # type: ignore[union-attr, operator]
        self.encoder.body.load_state_dict(other.body.state_dict())  # type: ignore[union-attr, operator]
        if self.encoder.cell == "transformer":  # whose vectors enter as they are
            nn.init.eye_(self.encoder.enter.weight)
            nn.init.zeros_(self.encoder.enter.bias)

    def forward(self, codes: Tensor) -> Tensor:
        """(n, t) -> (n, k)."""
        there = codes > 0
        h, last = self.encoder(self.drop(self.embed(codes)), there)
        return self.answer(self.pool(h, last, there))
