"""Attention: each query takes a weighted mean of values, by how well their keys fit it.

Axes: n sequences, t queries, s keys and values, d numbers, h heads, e = d / h numbers of a head. ``there`` (n, s) is
true for keys that are no padding. A query that may see nothing takes zeros.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.base.errors import ParameterError
from ganglion.nn.noise import Dropout
from ganglion.nn.positions import Positions, distances

FUSED_FROM = 256  # keys; below, products are as quick on a CPU, and may drop weights


class Cache(NamedTuple):
    """Keys and values (n, h, s, e) of the places that were seen before."""

    keys: Tensor
    values: Tensor


def visible(
    there: Tensor | None,
    queries: int,
    keys: int,
    *,
    causal: bool = False,
    window: int | None = None,
    device: torch.device | None = None,
) -> Tensor | None:
    """Which keys each query may see, broadcast to (n, 1, queries, keys), or nothing where it may see all.

    Arguments:
        there: (n, keys), true for what is no padding.
        queries, keys: their numbers; the last of both stand at the same place.
        causal: whether keys behind the query are hidden.
        window: how far from the query a key may lie (local attention).
        device: of the result where ``there`` is not given.

    >>> visible(None, 2, 3, causal=True)[0, 0].tolist()
    [[True, True, False], [True, True, True]]
    """  # fmt: skip
    seen = None if there is None else there[:, None, None]
    if (causal and queries > 1) or (window is not None and keys > window):
        far = distances(queries, keys, there.device if there is not None else device or torch.device("cpu"))
        near = torch.ones_like(far, dtype=torch.bool) if window is None else far.abs() < window
        shape = (near & (far <= 0) if causal else near)[None, None]
        seen = shape if seen is None else seen & shape
    return seen


def weights(q: Tensor, k: Tensor, seen: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """``softmax_s(q_t . k_s / sqrt(e) + b_ts)`` over the keys that are seen: (n, h, t, s).

    Vaswani et al. 2017, arXiv:1706.03762, equation 1. Rows that see nothing are 0.

    Arguments: q (n, h, t, e), k (n, h, s, e); ``seen`` and ``bias`` broadcast to (n, h, t, s).

    >>> weights(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 4, 2)).tolist()
    [[[[0.25, 0.25, 0.25, 0.25]]]]
    """
    shares = _shares(q, k, _added(seen, bias, q.dtype))
    return shares if seen is None else shares * seen.any(-1, keepdim=True)


def _shares(q: Tensor, k: Tensor, added: Tensor | None) -> Tensor:
    logits = (q * (1 / math.sqrt(q.shape[-1]))) @ k.mT
    return torch.softmax(logits if added is None else logits + added, -1)


def _added(seen: Tensor | None, bias: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """What is added to the logits: the bias, and the lowest number for what is not seen.

    Minus infinity would make a row that sees nothing NaN; with it added once, masking costs one pass less than filling
    the logits and the weights.
    """
    bias = None if bias is None else bias.to(dtype)
    if seen is None:
        return bias
    hidden = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
    hidden.masked_fill_(~seen, torch.finfo(dtype).min / 2)
    return hidden if bias is None else bias + hidden


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    seen: Tensor | None = None,
    bias: Tensor | None = None,
    drop: nn.Module | None = None,
) -> Tensor:
    """Dot-product attention, ``weights(q, k) v``: (n, h, t, e).

    Long sequences go through torch's fused kernel, which never holds the weights; short ones are quicker as products.

    >>> attend(torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 2, 2), torch.tensor([[[[1.0], [3.0]]]])).item()
    2.0
    """  # fmt: skip
    added = _added(seen, bias, q.dtype)
    if not dropped(drop) and (k.shape[2] >= FUSED_FROM or q.device.type != "cpu"):
        if slow_backwards(q):
            q, k, v = (part.float() for part in (q, k, v))
            added = None if added is None else added.float()
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=added)
    else:
        shares = _shares(q, k, added)
        out = (shares if drop is None else drop(shares)).to(v.dtype) @ v
    return out if seen is None else out * seen.any(-1, keepdim=True)


def dropped(drop: nn.Module | None) -> bool:
    """Whether a module that drops weights would drop some now."""
    return drop is not None and drop.training and bool(getattr(drop, "p", 0.0))


def slow_backwards(q: Tensor) -> bool:
    """Whether torch's fused kernel takes too long backwards: in bf16 on a CPU four times as long as in float32."""
    return q.device.type == "cpu" and q.dtype == torch.bfloat16 and torch.is_grad_enabled()


class MultiHeadAttention(nn.Module):
    """``concat_h(attend(x W_q^h, m W_k^h, m W_v^h)) W_o``, over the sequence itself or over a memory.

    Vaswani et al. 2017, arXiv:1706.03762, section 3.2.2.

    Arguments:
        d: width of queries, of the memory unless ``memory_width`` is given, and of the answer.
        heads: number of heads; it divides d.
        causal: whether a place sees only itself and what is before it.
        window: how far from itself it sees; all where nothing.
        cross: whether it looks at a memory; without, at the sequence itself.
        dropout: share of the weights that is dropped.
        positions: turns and biases, see ``nn.positions``; not for cross attention.

    Raises ``ParameterError`` for heads that do not divide d.

    >>> MultiHeadAttention(8, 2)(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self,
        d: int,
        heads: int,
        *,
        causal: bool = False,
        window: int | None = None,
        cross: bool = False,
        dropout: float = 0.0,
        positions: Positions | None = None,
        memory_width: int | None = None,
    ) -> None:
        super().__init__()
        if d % heads:
            raise ParameterError(
                f"heads must divide the width, got {heads} heads for a width of {d}; take a number that divides it."
            )
        self.heads, self.causal, self.window, self.cross = heads, causal, window, cross
        self.query = nn.Linear(d, d if cross else 3 * d)
        if cross:
            self.memory = nn.Linear(memory_width or d, 2 * d)
        self.out = nn.Linear(d, d)
        self.drop = Dropout(dropout)
        self.positions = Positions() if positions is None else positions

    def forward(
        self, x: Tensor, there: Tensor | None = None, memory: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """(n, t, d) -> (n, t, d); ``there`` (n, s) and ``memory`` (n, s, d) for cross attention."""
        return self.step(x, there, memory, cache)[0]

    def step(
        self, x: Tensor, there: Tensor | None = None, memory: Tensor | None = None, cache: Cache | None = None
    ) -> tuple[Tensor, Cache]:
        """The same, and the keys and values with those of x added: what the next step needs.

        For cross attention the cache holds the memory's, which then need not be given again.
        """
        q, cache = self._compared(x, memory, cache)
        t, s = q.shape[2], cache.keys.shape[2]
        bias = None if self.cross else self.positions.bias(t, s)
        plain = there is None and self.window is None and bias is None and not dropped(self.drop)
        if (
            self.causal and plain and t in (1, s) and not slow_backwards(q)
        ):  # the kernel leaves out the future, and of one place there is none
            taken = F.scaled_dot_product_attention(q, *cache, is_causal=bool(t > 1))
        else:
            seen = visible(there, t, s, causal=self.causal, window=self.window, device=x.device)
            taken = attend(q, *cache, seen, bias, self.drop)
        return self.out(taken.transpose(1, 2).flatten(2)), cache

    def weights(self, x: Tensor, there: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """How much each place counts for each query, (n, h, t, s): what is drawn."""
        q, (keys, _) = self._compared(x, memory, None)
        t, s = q.shape[2], keys.shape[2]
        seen = visible(there, t, s, causal=self.causal, window=self.window, device=x.device)
        return weights(q, keys, seen, None if self.cross else self.positions.bias(t, s))

    def remember(self, memory: Tensor | None) -> Cache:
        """The keys and values of a memory (n, s, d), of cross attention."""
        return Cache(*self._heads(self.memory(memory), 2))

    def _compared(self, x: Tensor, memory: Tensor | None, cache: Cache | None) -> tuple[Tensor, Cache]:
        """Queries (n, h, t, e), and all keys and values."""
        if self.cross:
            cache = self.remember(memory) if cache is None else cache
            return self._heads(self.query(x), 1)[0], cache
        start = 0 if cache is None else cache.keys.shape[2]
        compared, v = self.query(x).split((2 * x.shape[2], x.shape[2]), 2)
        compared, v = compared.unflatten(2, (2 * self.heads, -1)), v.unflatten(2, (self.heads, -1))
        (q, k), v = self.positions.turn(compared.transpose(1, 2), start).chunk(2, 1), v.transpose(1, 2)
        if cache is not None:
            k, v = torch.cat([cache.keys, k], 2), torch.cat([cache.values, v], 2)
        return q, Cache(k, v)

    def _heads(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """(n, t, parts d) -> parts of (n, h, t, e)."""
        return tuple(part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in x.chunk(parts, 2))


class AdditiveAttention(nn.Module):
    """A mean of values by ``softmax_s(v . tanh(W q + U k_s))``, as recurrent translators use it.

    Bahdanau et al. 2015, arXiv:1409.0473. Unlike a product it compares vectors of different widths.

    Arguments: widths of query and keys, and of the layer that compares them.

    >>> AdditiveAttention(3, 4, 5)(torch.zeros(2, 3), torch.zeros(2, 6, 4))[0].shape
    torch.Size([2, 4])
    """

    def __init__(self, query: int, keys: int, width: int) -> None:
        super().__init__()
        self.query, self.keys = nn.Linear(query, width, bias=False), nn.Linear(keys, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(
        self, query: Tensor, values: Tensor, there: Tensor | None = None, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Queries (n, q) and values (n, s, k) -> their mean (n, k) and weights (n, s).

        ``keys``, ``self.keys(values)``, may be given where several queries ask the same values.
        """
        compared = torch.tanh((self.keys(values) if keys is None else keys) + self.query(query)[:, None])
        logits = self.score(compared).squeeze(2).float()
        if there is not None:
            logits = logits.masked_fill(~there, torch.finfo(logits.dtype).min)
        shares = torch.softmax(logits, 1)
        return (shares.to(values.dtype)[:, None] @ values).squeeze(1), shares


class AttentionPool(nn.Module):
    """One vector for a sequence: the mean of its vectors by learned weights ``softmax_t(w . x_t)``.

    Soft attention with one query that is learned.

    >>> AttentionPool(4)(torch.ones(2, 3, 4), torch.ones(2, 3, dtype=torch.bool)).shape
    torch.Size([2, 4])
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.score = nn.Linear(d, 1, bias=False)
        nn.init.zeros_(self.score.weight)  # begins as the mean

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """(n, t, d), (n, t) -> (n, d)."""
        logits = self.score(x).squeeze(2).masked_fill(~there, torch.finfo(x.dtype).min)
        return (torch.softmax(logits, 1)[:, None] @ x).squeeze(1)
