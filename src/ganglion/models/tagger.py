"""A network that says of each word of a sentence what it is.

Axes: n sentences, t words, f numbers of a word (its code and the codes of its signs), k tags.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.data.forms import UNKNOWN
from ganglion.models.encoder import Answer, Encoder
from ganglion.nn.crf import CRF
from ganglion.nn.noise import Dropout

SPREAD = 0.1  # of a vector's numbers at the start: eleven signs are added up


class TagNet(nn.Module):
    """``P(y | x)`` of the tags of a sentence, by an encoder of its words and, where wanted, a CRF over its answers.

    A word's vector is ``[E x_0; sum_j S x_j]``, what it is beside what it looks like: its beginnings, ends and shape
    (the sum over parts is Bojanowski et al. 2017, arXiv:1607.04606). ``e_t = W h_t + b`` with the encoder's h; then
    ``P = prod_t softmax(e_t)``, or that of ``nn.crf.CRF`` (Huang et al. 2015, arXiv:1508.01991). In training words
    become unknown at random, and half of these keep no sign but the first, their shape: so what is learned also serves
    for words, and for letters, that are met later.

    Arguments:
        words, signs: how many codes of each there are; the first sign of a word is its shape.
        start: (k,) the best constant answer.
        width: numbers of E's and of S's vectors.
        units: of the encoder.
        crf: whether the tags of neighbours are judged together.
        allowed: which tag may follow which, see ``nn.crf``.
        dropout: share dropped of the words' vectors, inside the encoder and before the outputs.
        unknown: share of the words that become unknown in training.
        encoder: see ``models.encoder.Encoder``.

    >>> net = TagNet(9, 5, torch.zeros(3), width=4, units=4, cell="gru")
    >>> net(torch.tensor([[[4, 1, 2], [0, 0, 0]]])).shape
    torch.Size([1, 2, 3])
    """

    def __init__(
        self,
        words: int,
        signs: int,
        start: Tensor,
        *,
        width: int,
        units: int,
        crf: bool = False,
        allowed: Tensor | None = None,
        dropout: float = 0.0,
        unknown: float = 0.0,
        **encoder: Any,
    ) -> None:
        super().__init__()
        self.word = nn.Embedding(words, width, padding_idx=0)
        self.sign = nn.EmbeddingBag(signs, width, mode="sum", padding_idx=0)
        for table in (self.word, self.sign):
            nn.init.normal_(table.weight, std=SPREAD)
            nn.init.zeros_(table.weight[0])
        self.unknown, self.drop = unknown, Dropout(dropout)
        self.encoder = Encoder(inputs=2 * width, units=units, dropout=dropout, **encoder)
        self.answer = Answer(self.encoder.width, start, dropout)
        self.crf = CRF(len(start), allowed) if crf else None

    def forward(self, x: Tensor) -> Tensor:
        """The probability of each tag of each word: (n, t, f) -> (n, t, k), 0 behind a sentence's end."""
        emissions, there = self.emissions(x)
        if self.crf is not None:
            return self.crf.marginals(emissions, there)
        return torch.softmax(emissions, 2) * there[..., None]

    def emissions(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, t, f) -> the tags' scores (n, t, k) at each place, and what is there (n, t)."""
        codes = x[..., 0]
        there = codes > 0
        signs = x[..., 1:]
        if self.training and self.unknown:
            drawn = torch.rand(codes.shape, device=codes.device)
            codes = torch.where((drawn < self.unknown) & there, UNKNOWN, codes)
            strange = drawn < self.unknown / 2
            signs = torch.cat([signs[..., :1], signs[..., 1:].masked_fill(strange[..., None], 0)], 2)
        looks = self.sign(signs.flatten(0, 1)).view(*codes.shape, -1)
        vectors = torch.cat([self.word(codes), looks], 2)
        return self.answer(self.encoder(self.drop(vectors), there)[0]), there

    def log_likelihood(self, emissions: Tensor, there: Tensor, y: Tensor) -> Tensor:
        """``log P(y | x)`` (n,) in nats, from ``emissions``' answers; tags y (n, t), anything where no word is."""
        if self.crf is not None:
            return self.crf(emissions, y, there)
        flat = F.cross_entropy(
            emissions.float().flatten(0, 1),
            y.masked_fill(~there, -1).flatten(),
            ignore_index=-1,
            reduction="none",
        )
        return -flat.view(y.shape).sum(1)

    def decode(self, emissions: Tensor, there: Tensor) -> Tensor:
        """The most probable tags (n, t), from ``emissions``' answers; -1 where no word is."""
        if self.crf is not None:
            return self.crf.decode(emissions, there)
        return torch.where(there, emissions.argmax(2), -1)
