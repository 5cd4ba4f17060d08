"""Transformer blocks: attention mixes places, a small dense network works on each; both beside a skip.

Axes: n sequences, t places, s places of a memory, d numbers.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ganglion.nn.activations import activation_named
from ganglion.nn.attention import Cache, MultiHeadAttention
from ganglion.nn.noise import Dropout
from ganglion.nn.positions import Positions


class BlockCache(NamedTuple):
    """What a block saw before: of the sequence itself, and of the memory where there is one."""

    own: Cache
    memory: Cache | None = None


class FeedForward(nn.Sequential):
    """``W_2 f(W_1 x + b_1) + b_2`` at each place, with dropout inside.

    >>> FeedForward(4, 16, "gelu")(torch.zeros(2, 3, 4)).shape
    torch.Size([2, 3, 4])
    """

    def __init__(self, d: int, hidden: int, activation: str, dropout: float = 0.0) -> None:
        f = activation_named(activation)
        super().__init__(nn.Linear(d, hidden * f.pieces), f.module(), Dropout(dropout), nn.Linear(hidden, d))


class TransformerBlock(nn.Module):
    """Self attention, cross attention where it is asked for, and a dense part, each as ``x + dropout(part(norm(x)))``.

    That is the block of a transformer's encoder, of its decoder (``causal`` and ``cross``) and of a language model
    (``causal``). With ``norm_first=False`` it is ``norm(x + dropout(part(x)))`` as in Vaswani et al. 2017,
    arXiv:1706.03762; norms in front leave the skip free and train without warm-up (Xiong et al. 2020,
    arXiv:2002.04745).

    Arguments:
        d: width.
        heads: heads of each attention.
        hidden: units of the dense part; 4 d where nothing.
        causal, window, positions: see ``nn.attention.MultiHeadAttention``.
        cross: whether it looks at a memory too.
        dropout: share dropped of weights, hidden units and each part's answer.
        activation: of the dense part.
        norm_first: see above.

    >>> TransformerBlock(8, 2, causal=True)(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        hidden: int | None = None,
        causal: bool = False,
        window: int | None = None,
        cross: bool = False,
        dropout: float = 0.0,
        activation: str = "gelu",
        norm_first: bool = True,
        positions: Positions | None = None,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = MultiHeadAttention(
            d, heads, causal=causal, window=window, dropout=dropout, positions=positions
        )
        self.norm_attention = nn.LayerNorm(d)
        self.cross = MultiHeadAttention(d, heads, cross=True, dropout=dropout) if cross else None
        self.norm_cross = nn.LayerNorm(d) if cross else None
        self.dense, self.norm_dense = FeedForward(d, hidden or 4 * d, activation, dropout), nn.LayerNorm(d)
        self.drop = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        there: Tensor | None = None,
        memory: Tensor | None = None,
        memory_there: Tensor | None = None,
    ) -> Tensor:
        """(n, t, d) -> (n, t, d); ``there`` (n, t) and ``memory_there`` (n, s) are true for what is no padding."""
        return self.step(x, None, there, memory, memory_there)[0]

    def step(
        self,
        x: Tensor,
        cache: BlockCache | None = None,
        there: Tensor | None = None,
        memory: Tensor | None = None,
        memory_there: Tensor | None = None,
    ) -> tuple[Tensor, BlockCache]:
        """The same for the places x behind those in the cache, and the cache with them added."""
        own, seen = cache if cache is not None else (None, None)
        x, own = self._beside(x, self.norm_attention, self.attention, there, None, own)
        if self.cross is not None and self.norm_cross is not None:
            x, seen = self._beside(x, self.norm_cross, self.cross, memory_there, memory, seen)
        inner = self.norm_dense(x) if self.norm_first else x
        x = x + self.drop(self.dense(inner))
        return (x if self.norm_first else self.norm_dense(x)), BlockCache(own, seen)

    def _beside(
        self,
        x: Tensor,
        norm: nn.Module,
        attention: MultiHeadAttention,
        there: Tensor | None,
        memory: Tensor | None,
        cache: Cache | None,
    ) -> tuple[Tensor, Cache]:
        """x with what an attention takes added to it."""
        taken, cache = attention.step(norm(x) if self.norm_first else x, there, memory, cache)
        x = x + self.drop(taken)
        return (x if self.norm_first else norm(x)), cache


class Transformer(nn.Module):
    """A stack of blocks, and a norm behind them where the norms stand in front inside.

    Arguments: how many layers, and those of ``TransformerBlock``; all blocks share ``positions``, which are also told
    to the vectors before the first.

    >>> Transformer(8, 2, 3)(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        d: int,
        heads: int,
        layers: int,
        *,
        positions: Positions | None = None,
        dropout: float = 0.0,
        norm_first: bool = True,
        **block: Any,
    ) -> None:
        super().__init__()
        self.positions = Positions() if positions is None else positions
        block |= {"positions": self.positions, "dropout": dropout, "norm_first": norm_first}
        self.blocks = nn.ModuleList(TransformerBlock(d, heads, **block) for _ in range(layers))
        self.norm = nn.LayerNorm(d) if norm_first else nn.Identity()
        self.drop = Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        there: Tensor | None = None,
        memory: Tensor | None = None,
        memory_there: Tensor | None = None,
    ) -> Tensor:
        """(n, t, d) -> (n, t, d); masks as of ``TransformerBlock``."""
        return self.step(x, None, there, memory, memory_there)[0]

    def step(
        self,
        x: Tensor,
        caches: tuple[BlockCache, ...] | None = None,
        there: Tensor | None = None,
        memory: Tensor | None = None,
        memory_there: Tensor | None = None,
    ) -> tuple[Tensor, tuple[BlockCache, ...]]:
        """The same for the places x behind those in the caches, and the caches with them added."""
        start = 0 if caches is None else caches[0].own.keys.shape[2]
        x, after = self.drop(self.positions.add(x, start)), []
        for i, block in enumerate(self.blocks):
            cache = None if caches is None else caches[i]
            x, cache = block.step(x, cache, there, memory, memory_there)
            after.append(cache)
        return self.norm(x), tuple(after)


def initialise_blocks(module: nn.Module, spread: float = 0.02) -> None:
    """Start a transformer as GPT-2 does: normal weights of one spread, those that end a branch smaller by depth.

    ``W ~ N(0, spread^2)``, and ``spread / sqrt(2 layers)`` for the last map of each branch, so that the sum over all
    branches starts at one size whatever the depth (Radford et al. 2019, section 2.3).
    """
    blocks = [m for m in module.modules() if isinstance(m, TransformerBlock)]
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=spread)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Embedding):
                nn.init.normal_(layer.weight, std=spread)
        for block in blocks:
            for last in (block.attention.out, block.dense[-1], *([block.cross.out] if block.cross else [])):
                last.weight.div_((2 * len(blocks)) ** 0.5)  # type: ignore[union-attr, operator]
