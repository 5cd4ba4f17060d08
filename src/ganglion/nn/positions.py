"""Where in a sequence a vector stands, told to networks that would not know: positional encodings by name.

Axes: n sequences, t places, d numbers, h heads, e numbers of a head.

    sinusoidal, learned   are added to the vectors before the first block
    rotary                turns queries and keys, so that their product sees the distance alone
    relative, alibi       add a number per head and distance to the attention's logits
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import Above, AtLeast
from ganglion.base.named import named
from ganglion.base.numbers import number


def sinusoidal(places: Tensor, d: int) -> Tensor:
    """``p_{2i} = sin(t w_i), p_{2i+1} = cos(t w_i)`` with ``w_i = 10000^(-2i/d)`` for places (...): (..., d).

    Vaswani et al. 2017, arXiv:1706.03762, section 3.5: a shift is a turn of each pair, the same at every place.

    >>> sinusoidal(torch.tensor([0.0]), 4).tolist()
    [[0.0, 1.0, 0.0, 1.0]]
    """
    i = torch.arange(0, d, 2, device=places.device, dtype=places.dtype)
    turns = torch.exp(i * (-math.log(10000.0) / d))
    angles = places[..., None] * turns
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(-2)[..., :d]


class Positions(nn.Module):
    """Base: a way to tell places. What it does not do, it leaves as it is; ``forward`` is what it does."""

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Vectors with their places."""
        return self.add(x, start)

    def add(self, x: Tensor, start: int = 0) -> Tensor:
        """Vectors (n, t, d), the first at place ``start``, with their places."""
        return x

    def turn(self, x: Tensor, start: int = 0) -> Tensor:
        """Queries or keys (n, h, t, e), the first at place ``start``, with their places."""
        return x

    def bias(self, queries: int, keys: int) -> Tensor | None:
        """What is added to the logits (h, queries, keys), where the last query stands at the last key."""
        return None


class Sinusoidal(Positions):
    """``x_t + p_t`` with the waves of ``sinusoidal``.

    >>> Sinusoidal().add(torch.zeros(1, 3, 4)).shape
    torch.Size([1, 3, 4])
    """

    def add(self, x: Tensor, start: int = 0) -> Tensor:
        """(n, t, d) -> the same."""
        places = torch.arange(start, start + x.shape[1], device=x.device, dtype=torch.float32)
        return x + sinusoidal(places, x.shape[2]).to(x.dtype)


class Learned(Positions):
    """``x_t + P_t`` with a learned vector for each of ``longest`` places.

    >>> Learned(4, longest=3).add(torch.zeros(1, 3, 4)).shape
    torch.Size([1, 3, 4])
    """

    def __init__(self, d: int, longest: int = 512) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(longest, d) * 0.02)

    def add(self, x: Tensor, start: int = 0) -> Tensor:
        """(n, t, d) -> the same; raises ``DataError`` behind the last place that was learned."""
        if start + x.shape[1] > len(self.table):
            raise DataError(
                f"sequences of at most {len(self.table)} places are expected, as learned positions have so many, got "
                f"{start + x.shape[1]}; cut them, or take positions='sinusoidal' or 'rotary'."
            )
        return x + self.table[start : start + x.shape[1]]


class Rotary(Positions):
    """Each pair of numbers ``(x_i, x_{i+e/2})`` of a query or key at place t is turned by ``t base^(-2i/e)``.

    The product of a turned query and key depends on their distance and not on their places (Su et al. 2021,
    arXiv:2104.09864).

    >>> q = torch.randn(1, 1, 5, 4)
    >>> a, b = Rotary(4).turn(q), Rotary(4).turn(q, start=7)
    >>> torch.allclose(a @ a.mT, b @ b.mT, atol=1e-5)
    True
    """

    rates: Tensor
    turns: Tensor

    def __init__(self, e: int, base: float = 10000.0) -> None:
        super().__init__()
        if e % 2:
            raise ParameterError(
                f"rotary positions turn pairs of numbers, so that a head must have an even number, got {e}; "
                "take another width or number of heads."
            )
        rates = base ** (-torch.arange(0, e, 2, dtype=torch.float32) / e)
        self.register_buffer("rates", rates, persistent=False)
        self.register_buffer("turns", torch.zeros(2, 0, e), persistent=False)  # of all places that were met

    def forward(self, x: Tensor, start: int = 0) -> Tensor:
        """Queries or keys with their places."""
        return self.turn(x, start)

    def turn(self, x: Tensor, start: int = 0) -> Tensor:
        """(..., t, e) -> the same."""
        cos, sin = self.at(start, x.shape[-2]).to(x.dtype)
        return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)

    def at(self, start: int, places: int = 1) -> Tensor:
        """What numbers are multiplied by, and those that stand half a head away: (2, places, e)."""
        stop = start + places
        if stop > self.turns.shape[1]:
            self.turns = self._turns(max(stop, 2 * self.turns.shape[1]))
        return self.turns[:, start:stop]

    @torch.inference_mode(False)  # what is made while answering is used in training too
    @torch.no_grad()
    def _turns(self, places: int) -> Tensor:
        """Cosines and sines (2, t, e) of all places; the sines of first halves negated, as what they take is b."""
        at = torch.arange(places, device=self.rates.device, dtype=self.rates.dtype)
        angles = at[:, None] * self.rates
        return torch.stack([angles.cos().repeat(1, 2), torch.cat([-angles.sin(), angles.sin()], 1)])


class Relative(Positions):
    """A learned number for each head and distance, those beyond ``farthest`` sharing one: ``b_{h, s - t}``.

    Shaw et al. 2018, arXiv:1803.02155, clip distances so; a number instead of a vector as in Raffel et al. 2020,
    arXiv:1910.10683.

    >>> Relative(2, farthest=3).bias(4, 4).shape
    torch.Size([2, 4, 4])
    """

    def __init__(self, heads: int, farthest: int = 64) -> None:
        super().__init__()
        self.table, self.farthest = nn.Parameter(torch.zeros(heads, 2 * farthest + 1)), farthest

    def forward(self, queries: int, keys: int) -> Tensor:  # type: ignore[override]
        """What is added to the logits."""
        return self.bias(queries, keys)

    def bias(self, queries: int, keys: int) -> Tensor:
        """(h, queries, keys)."""
        far = distances(queries, keys, self.table.device).clamp(-self.farthest, self.farthest)
        return self.table[:, far + self.farthest]


class Alibi(Positions):
    """``-m_h |s - t|`` is added to the logits, with ``m_h = 2^(-8 h / heads)``: what is far counts less.

    Press et al. 2021, arXiv:2108.12409. Nothing is learned, and sequences may be longer than in training.

    >>> Alibi(2).bias(1, 3).tolist()
    [[[-0.125, -0.0625, -0.0]], [[-0.0078125, -0.00390625, -0.0]]]
    """

    slopes: Tensor

    def __init__(self, heads: int) -> None:
        super().__init__()
        slopes = 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads)
        self.register_buffer("slopes", slopes, persistent=False)

    def forward(self, queries: int, keys: int) -> Tensor:  # type: ignore[override]
        """What is added to the logits."""
        return self.bias(queries, keys)

    def bias(self, queries: int, keys: int) -> Tensor:
        """(h, queries, keys)."""
        return -self.slopes[:, None, None] * distances(queries, keys, self.slopes.device).abs()


def distances(queries: int, keys: int, device: torch.device) -> Tensor:
    """``s - t`` for keys s and queries t, of which the last of both stand at one place: (queries, keys).

    >>> distances(2, 3, torch.device("cpu")).tolist()
    [[-1, 0, 1], [-2, -1, 0]]
    """
    s, t = torch.arange(keys, device=device), torch.arange(keys - queries, keys, device=device)
    return s - t[:, None]


def _learned(longest: int = 512) -> Callable[[int, int], Positions]:
    number("learned's longest", longest, AtLeast(1), whole=True)
    return lambda d, heads: Learned(d, longest)


def _rotary(base: float = 10000.0) -> Callable[[int, int], Positions]:
    number("rotary's base", base, Above(1))
    return lambda d, heads: Rotary(d // heads, base)


def _relative(farthest: int = 64) -> Callable[[int, int], Positions]:
    number("relative's farthest", farthest, AtLeast(1), whole=True)
    return lambda d, heads: Relative(heads, farthest)


# name -> what makes, from the numbers in brackets, the encoding for d numbers in so many heads
POSITIONS: dict[str, Callable[..., Callable[[int, int], Positions]]] = {
    "none": lambda: lambda d, heads: Positions(),
    "sinusoidal": lambda: lambda d, heads: Sinusoidal(),
    "learned": _learned,
    "rotary": _rotary,
    "relative": _relative,
    "alibi": lambda: lambda d, heads: Alibi(heads),
}


def positions_named(text: str) -> Callable[[int, int], Positions]:
    """What makes the encoding of a name for (width, heads); raises ``ParameterError``.

    >>> positions_named("rotary")(8, 2).turn(torch.zeros(1, 2, 3, 4)).shape
    torch.Size([1, 2, 3, 4])
    """
    return named("positions", text, POSITIONS)
