"""Networks from one text to another: an encoder reads, a decoder writes token by token and looks back.

Axes: n pairs, s source tokens, t target tokens, d numbers, k codes of the target. Code 0 stands behind an end.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.data.tokens import BEGIN, END, PAD, UNKNOWN
from ganglion.models.beam import beam_search
from ganglion.models.encoder import Encoder
from ganglion.nn.attention import AdditiveAttention, Cache
from ganglion.nn.noise import Dropout
from ganglion.nn.positions import positions_named
from ganglion.nn.recurrent import CELLS, LAYERS
from ganglion.nn.transformer import BlockCache, Transformer, initialise_blocks

NEVER = (PAD, UNKNOWN, BEGIN)  # are not written


class Memory(NamedTuple):
    """What the decoder looks back at: vectors (n, s, d), which of them are there (n, s), and the whole (n, d)."""

    vectors: Tensor
    there: Tensor
    whole: Tensor


def tied_head(table: nn.Embedding) -> nn.Linear:
    """``logits = E h + b`` with the table E of the tokens' vectors (Press and Wolf 2017, arXiv:1608.05859)."""
    head = nn.Linear(table.embedding_dim, table.num_embeddings)
    head.weight = table.weight
    return head


class Reader(nn.Module):
    """Tokens (n, s) as vectors that know what stands around them.

    >>> Reader(9, "gru", 4)(torch.tensor([[4, 5, 0]])).vectors.shape
    torch.Size([1, 3, 4])
    """

    def __init__(self, size: int, cell: str, units: int, *, dropout: float = 0.0, **encoder: Any) -> None:
        super().__init__()
        self.embed, self.drop = nn.Embedding(size, units, padding_idx=0), Dropout(dropout)
        half = units if cell == "transformer" else units // 2  # of each direction
        self.encoder = Encoder(cell, units, half, bidirectional=True, dropout=dropout, **encoder)

    def forward(self, codes: Tensor) -> Memory:
        """(n, s) -> the memory."""
        there = codes > 0
        vectors, last = self.encoder(self.drop(self.embed(codes)), there)
        if self.encoder.cell == "transformer":
            keep = there[..., None]
            last = (vectors * keep).sum(1) / keep.sum(1).clamp(min=1)
        return Memory(vectors, there, last)


class TransformerWriter(nn.Module):
    """The decoder of Vaswani et al. 2017, arXiv:1706.03762: it attends to what is written and to the memory.

    >>> memory = Reader(9, "transformer", 8, heads=2)(torch.tensor([[4, 5]]))
    >>> TransformerWriter(7, 8, heads=2, layers=1, positions="rotary")(memory, torch.tensor([[2, 4, 5]])).shape
    torch.Size([1, 3, 7])
    """

    def __init__(
        self, size: int, units: int, *, heads: int, layers: int, positions: str, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embed, self.heads = nn.Embedding(size, units, padding_idx=0), heads
        self.body = Transformer(
            units, heads, layers, causal=True, cross=True, dropout=dropout,
            positions=positions_named(positions)(units, heads),
        )  # fmt: skip
        self.head = tied_head(self.embed)

    def forward(self, memory: Memory, before: Tensor, asked: Tensor | None = None) -> Tensor:
        """Logits (n, t, k) of what follows the codes (n, t), or (m, k) of the m places that are asked for (n, t)."""
        h = self.body(self.embed(before), None, memory.vectors, memory.there)
        return self.head(h if asked is None else h[asked])

    def begin(self, memory: Memory) -> Any:
        """The state of a search: keys and values of nothing yet and of the memory, for each block."""
        n, _, d = memory.vectors.shape
        nothing = memory.vectors.new_zeros(n, self.heads, 0, d // self.heads)
        caches = []
        for block in self.body.blocks:
            seen = block.cross.remember(memory.vectors)  # type: ignore[union-attr, operator]
            caches.append(((nothing, nothing), tuple(seen)))
        return tuple(caches), memory.there

    def step(self, state: Any, last: Tensor) -> tuple[Tensor, Any]:
        """Logits (n, k) behind the last codes (n,), and the state after."""
        caches, there = state
        known = tuple(BlockCache(Cache(*own), Cache(*seen)) for own, seen in caches)
        h, after = self.body.step(self.embed(last[:, None]), known, memory_there=there)
        return self.head(h[:, 0]), (tuple((tuple(c.own), tuple(c.memory)) for c in after), there)  # type: ignore[arg-type]


class RecurrentWriter(nn.Module):
    """A recurrent decoder that begins with the whole and looks at the memory for each token, or at the whole alone.

    ``c_t = attention(h_{t-1})``, ``h_t = cell([E y_{t-1}, c_t], h_{t-1})``, logits from ``[h_t, c_t, E y_{t-1}]``
    (Bahdanau et al. 2015, arXiv:1409.0473). Without attention c_t is the whole, always the same (Cho et al. 2014,
    arXiv:1406.1078).

    >>> memory = Reader(9, "gru", 4)(torch.tensor([[4, 5]]))
    >>> RecurrentWriter(7, "gru", 4)(memory, torch.tensor([[2, 4, 5]])).shape
    torch.Size([1, 3, 7])
    """

    def __init__(
        self, size: int, cell: str, units: int, *, attention: bool = True, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.embed, self.drop = nn.Embedding(size, units, padding_idx=0), Dropout(dropout)
        self.cell = CELLS[cell](2 * units, units)
        self.start = nn.Linear(units, units * self.cell.states)
        self.attention = AdditiveAttention(units, units, units) if attention else None
        self.deep, self.head = nn.Linear(3 * units, units), tied_head(self.embed)

    def _take(self, hidden: Tensor, memory: Memory, keys: Tensor | None) -> Tensor:
        """What is looked at, (n, d)."""
        if self.attention is None:
            return memory.whole
        return self.attention(hidden, memory.vectors, memory.there, keys)[0]

    def _told(self, word: Tensor, hidden: Tensor, seen: Tensor) -> Tensor:
        return self.head(self.drop(torch.tanh(self.deep(torch.cat([word, hidden, seen], -1)))))

    def _keys(self, memory: Memory) -> Tensor | None:
        return None if self.attention is None else self.attention.keys(memory.vectors)

    def _first(self, memory: Memory) -> tuple[Tensor, ...]:
        return torch.tanh(self.start(memory.whole)).chunk(self.cell.states, 1)

    def forward(self, memory: Memory, before: Tensor, asked: Tensor | None = None) -> Tensor:
        """Logits (n, t, k) of what follows the codes (n, t), or (m, k) of the m places that are asked for (n, t)."""
        words, keys, state = self.drop(self.embed(before)), self._keys(memory), self._first(memory)
        hidden, looked = [], []
        for word in words.unbind(1):
            seen = self._take(state[0], memory, keys)
            state = self.cell(torch.cat([word, seen], 1), state)
            hidden.append(state[0])
            looked.append(seen)
        told = words, torch.stack(hidden, 1), torch.stack(looked, 1)
        return self._told(*(told if asked is None else (part[asked] for part in told)))

    def begin(self, memory: Memory) -> Any:
        """The state of a search: the cell's, the memory, and what attention compares it by."""
        keys = self._keys(memory)
        return self._first(memory), tuple(memory), () if keys is None else (keys,)

    def step(self, state: Any, last: Tensor) -> tuple[Tensor, Any]:
        """Logits (n, k) behind the last codes (n,), and the state after."""
        cell, kept, keys = state
        memory, word = Memory(*kept), self.embed(last)
        seen = self._take(cell[0], memory, keys[0] if keys else None)
        cell = self.cell(torch.cat([word, seen], 1), cell)
        return self._told(word, cell[0], seen), (cell, kept, keys)


class TranslatorNet(nn.Module):
    """A reader and a writer.

    Arguments:
        sizes: codes of the source and of the target.
        cell: "transformer", "gru", "lstm" or "rnn".
        units: width d of both; even.
        layers: of the reader, and of a transformer's writer.
        heads, positions: of a transformer.
        attention: whether a recurrent writer looks at each place of the source.
        dropout: share of what layers hand on.

    Raises ``ParameterError`` for an unknown cell or an odd width of recurrent cells.

    >>> net = TranslatorNet((9, 7), cell="gru", units=4)
    >>> net(torch.tensor([[4, 5, 0]]), torch.tensor([[2, 4]])).shape
    torch.Size([1, 2, 7])
    """

    def __init__(
        self, sizes: tuple[int, int], *, cell: str = "transformer", units: int = 128, layers: int = 1, heads: int = 4,
        positions: str = "rotary", attention: bool = True, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        if cell not in ("transformer", *LAYERS):
            raise ParameterError(unknown_name("cell", cell, ["transformer", *LAYERS]))
        if cell != "transformer" and units % 2:
            raise ParameterError(
                f"units are shared by two directions and must be even, got {units}; add one."
            )
        shared: dict[str, Any] = {
            "layers": layers,
            "heads": heads,
            "positions": positions,
            "dropout": dropout,
        }
        self.reader = Reader(sizes[0], cell, units, **shared)
        if cell == "transformer":
            self.writer: nn.Module = TransformerWriter(sizes[1], units, **shared)
            initialise_blocks(self)
        else:
            self.writer = RecurrentWriter(sizes[1], cell, units, attention=attention, dropout=dropout)
        nn.init.zeros_(self.writer.head.bias)  # type: ignore[union-attr, arg-type]
        for table in (self.reader.embed, self.writer.embed):
            nn.init.normal_(table.weight, std=units**-0.5)  # type: ignore[union-attr, arg-type]

    def forward(self, source: Tensor, before: Tensor | None = None, asked: Tensor | None = None) -> Tensor:
        """Codes (n, s) and what is written before (n, t), a begin first -> logits (n, t, k).

        With ``asked`` (n, t) only the logits (m, k) of the m places where it is true: much of the work of a short text
        is in its logits, and padding needs none. Without ``before``, a begin and the network's own first token stand
        before.
        """
        if before is None:
            own = self.write(source, steps=1, beam=1, length_power=0.0)[0]
            before = torch.cat([torch.full_like(own, BEGIN), own], 1)
        return self.writer(self.reader(source), before, asked)

    @torch.no_grad()
    def write(self, source: Tensor, *, steps: int, beam: int, length_power: float) -> tuple[Tensor, Tensor]:
        """Codes (n, steps), -1 behind their end, and their log P (n,), by beam search."""

        def ask(state: Any, last: Tensor) -> tuple[Tensor, Any]:
            logits, state = self.writer.step(state, last)  # type: ignore[operator]
            logits = logits.float()
            logits[:, list(NEVER)] = -torch.inf
            return torch.log_softmax(logits, 1), state

        first = torch.full((len(source),), BEGIN, device=source.device)
        state = self.writer.begin(self.reader(source))  # type: ignore[operator]
        return beam_search(ask, state, first, end=END, steps=steps, beam=beam, length_power=length_power)
