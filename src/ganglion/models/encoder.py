"""What reads sequences, whatever they are made of: recurrent, convolutional or with attention, by one name.

Axes: n sequences, t places, c numbers in, d numbers out.
"""

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.nn.attention import AttentionPool
from ganglion.nn.noise import Dropout
from ganglion.nn.positions import positions_named
from ganglion.nn.recurrent import LAYERS, Recurrent
from ganglion.nn.temporal import ParallelConvs, TemporalStack, ends
from ganglion.nn.transformer import Transformer

READERS = (*LAYERS, "cnn", "tcn", "transformer")
POOLS = ("last", "mean", "max", "both", "attention")


class Encoder(nn.Module):
    """A vector at each place of a sequence that knows what stands around it; ``width`` is its size d.

    Arguments:
        cell: "rnn", "lstm", "gru" (each place sees what is before it, or all with ``bidirectional``), "cnn"
            (convolutions of three widths; d is then 3 units), "tcn" (dilated convolutions) or "transformer".
        inputs: numbers c at each place.
        units: u of each direction, channels, or width.
        layers: layers that are stacked.
        bidirectional: whether places see what is behind them; d is then 2 u of recurrent cells.
        heads, positions: of a transformer.
        kernel: of temporal convolutions.
        dropout: share of what layers hand on.

    Raises ``ParameterError`` for an unknown cell or sizes that do not fit.

    >>> Encoder("lstm", 3, 4, bidirectional=True)(torch.zeros(2, 5, 3))[0].shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        cell: str,
        inputs: int,
        units: int,
        *,
        layers: int = 1,
        bidirectional: bool = False,
        heads: int = 4,
        positions: str = "rotary",
        kernel: int = 3,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if cell not in READERS:
            raise ParameterError(unknown_name("cell", cell, list(READERS)))
        self.cell, self.width = cell, units
        if cell in LAYERS:
            options = {"layers": layers, "bidirectional": bidirectional, "dropout": dropout}
            self.body: nn.Module = Recurrent(cell, inputs, units, **options)  # type: ignore[arg-type]
            self.width = units * (1 + bidirectional)
        elif cell == "cnn":
            self.body, self.width = ParallelConvs(inputs, units), 3 * units
        elif cell == "tcn":
            self.body = TemporalStack(
                inputs, (units,) * layers, kernel, causal=not bidirectional, dropout=dropout
            )
        else:
            self.enter = nn.Linear(inputs, units)
            self.body = Transformer(
                units, heads, layers, causal=not bidirectional, dropout=dropout,
                positions=positions_named(positions)(units, heads),
            )  # fmt: skip

    def forward(self, x: Tensor, there: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(n, t, c), there (n, t) -> vectors (n, t, d), and the last (n, d): of recurrent cells of each direction."""
        if isinstance(self.body, Recurrent):
            return self.body(x, there)
        h = self.body(self.enter(x) if self.cell == "transformer" else x, there)
        return h, ends(h, there)


class Pool(nn.Module):
    """One vector for a sequence: the last, the mean or maximum over places, both, or a mean by learned weights.

    Arguments: name, and width d of the vectors; ``width`` is that of the answer.

    Raises ``ParameterError`` for an unknown name.

    >>> Pool("both", 4)(torch.zeros(2, 3, 4), torch.zeros(2, 4), torch.ones(2, 3, dtype=torch.bool)).shape
    torch.Size([2, 8])
    """

    def __init__(self, name: str, d: int) -> None:
        super().__init__()
        if name not in POOLS:
            raise ParameterError(unknown_name("pool", name, list(POOLS)))
        self.name, self.width = name, 2 * d if name == "both" else d
        self.learned = AttentionPool(d) if name == "attention" else None

    def forward(self, x: Tensor, last: Tensor, there: Tensor) -> Tensor:
        """(n, t, d), (n, d), (n, t) -> (n, width)."""
        if self.learned is not None:
            return self.learned(x, there)
        if self.name == "last":
            return last
        keep = there[..., None]
        mean = (x * keep).sum(1) / keep.sum(1).clamp(min=1)
        if self.name == "mean":
            return mean
        highest = x.masked_fill(~keep, torch.finfo(x.dtype).min).amax(1)
        highest = highest * there.any(1, keepdim=True)  # nothing has no maximum
        return highest if self.name == "max" else torch.cat([mean, highest], 1)


class Answer(nn.Sequential):
    """From a vector to outputs: dropout and a dense layer that begins with the best constant answer.

    >>> Answer(4, torch.tensor([1.0, 2.0]))(torch.zeros(1, 4)).tolist()
    [[1.0, 2.0]]
    """

    def __init__(self, d: int, start: Tensor, dropout: float = 0.0) -> None:
        super().__init__(Dropout(dropout), nn.Linear(d, len(start)))
        with torch.no_grad():
            self[1].bias.copy_(start)
