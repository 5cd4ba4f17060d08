"""A network that tells tokens of a text: from what was before them, or with ``causal=False`` from what is around."""

from typing import Any

from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.models.one_by_one import OneByOne
from ganglion.nn.noise import Dropout
from ganglion.nn.positions import positions_named
from ganglion.nn.recurrent import LAYERS, Recurrent
from ganglion.nn.transformer import Transformer, initialise_blocks

CELLS = ("transformer", *LAYERS)
SPREAD = 0.02  # of a vector's numbers at the start


class LanguageNet(nn.Module):
    """``logits_t = W body(E x_1 ... E x_t)`` over all tokens.

    The transformer is decoder-only: causal attention, norms in front (Radford et al. 2019); with ``causal=False`` it
    is encoder-only, and each place sees all others (Devlin et al. 2019, arXiv:1810.04805). W starts at zero, so that
    training starts from equal probabilities.

    Arguments:
        size: k codes.
        cell: "transformer", "lstm", "gru" or "rnn".
        units: width d.
        layers: blocks or recurrent layers.
        heads, positions: of the transformer.
        dropout: share of what layers hand on.
        memory: places that the gates of "lstm" and "gru" remember at the start, see ``nn.recurrent.Recurrent``.
        causal: whether a transformer's places see only what is before them; recurrent cells always do.
        tied: whether W is the table of the tokens' vectors (Press and Wolf 2017, arXiv:1608.05859).

    Raises ``ParameterError`` for an unknown cell, and for a memory of cells without gates.

    >>> import torch
    >>> LanguageNet(10, units=8, heads=2, layers=1)(torch.zeros(2, 5, dtype=torch.int64)).shape
    torch.Size([2, 5, 10])
    """

    def __init__(
        self,
        size: int,
        *,
        cell: str = "transformer",
        units: int = 128,
        layers: int = 4,
        heads: int = 4,
        positions: str = "rotary",
        dropout: float = 0.0,
        memory: int | None = None,
        tied: bool = False,
        causal: bool = True,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ParameterError(unknown_name("cell", cell, list(CELLS)))
        self.embed = nn.Embedding(size, units)
        if cell == "transformer" and memory is not None:
            raise ParameterError(
                f"memory sets gates, and a transformer has none, got memory={memory}; take cell='lstm' or 'gru'."
            )
        if cell == "transformer":
            self.body: nn.Module = Transformer(
                units, heads, layers, causal=causal, dropout=dropout, positions=positions_named(positions)(units, heads)
            )  # fmt: skip
            initialise_blocks(self.body)
        else:
            self.body = Recurrent(cell, units, units, layers=layers, dropout=dropout, memory=memory)
        nn.init.normal_(self.embed.weight, std=SPREAD if cell == "transformer" else 1.0)
        self.drop = Dropout(dropout if cell != "transformer" else 0.0)
        self.head = nn.Linear(units, size, bias=not tied)
        if tied:
            self.head.weight = self.embed.weight
        else:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, codes: Tensor) -> Tensor:
        """(n, t) -> logits (n, t, k)."""
        return self.step(codes)[0]

    def writing(self) -> Any:
        """``step``, or where texts are only written on what a transformer takes half the time with."""
        return OneByOne(self) if OneByOne.serves(self.body) else self.step

    def step(self, codes: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """The logits of codes (n, t) behind those that led to a state, and the state after: a cache, or the cells'."""
        h, state = self.body.step(self.embed(codes), state)  # type: ignore[operator]
        return self.head(self.drop(h)), state
