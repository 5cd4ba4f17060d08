"""A network that describes a picture word by word and looks at a place of it for each word."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.data.captions import END, UNKNOWN
from ganglion.models.beam import beam_search
from ganglion.models.cnn import ConvBlock
from ganglion.nn.activations import activation_named
from ganglion.nn.init import initialise
from ganglion.nn.noise import Dropout
from ganglion.nn.pictures import Standardise
from ganglion.nn.pooling import GlobalPool
from ganglion.nn.shapes import check_shapes

EXPECTED = 0.5  # share of captions whose places are not drawn while hard attention trains


class Memory(NamedTuple):
    """What the decoder sees: features (n, places, d), what attention compares them by (n, places, a), and the whole.

    ``whole`` (n, 2 d) is each feature's mean over all places and its maximum.
    """

    features: Tensor
    keys: Tensor
    whole: Tensor


class Told(NamedTuple):
    """Given captions, told: logits (n, T, k), the places' weights (n, T, places), log P of those drawn (n, T)."""

    logits: Tensor
    weights: Tensor
    drawn: Tensor


class Attention(nn.Module):
    """How much each place of a picture counts for the next word: ``softmax_i(v . tanh(W a_i + U h))``.

    Bahdanau et al. 2015, arXiv:1409.0473, over places of a picture as Xu et al. 2015, arXiv:1502.03044.

    >>> Attention(5, 4)(torch.zeros(2, 9, 4), torch.zeros(2, 5)).shape
    torch.Size([2, 9])
    """

    def __init__(self, state: int, units: int) -> None:
        super().__init__()
        self.query = nn.Linear(state, units, bias=False)
        self.energy = nn.Linear(units, 1, bias=False)

    def forward(self, keys: Tensor, state: Tensor) -> Tensor:
        """Keys ``W a_i`` (n, places, units), states h (n, state) -> weights (n, places) that sum to 1."""
        odds = self.energy(torch.tanh(keys + self.query(state)[:, None])).squeeze(2)
        return torch.softmax(odds.float(), 1)


class CaptionNet(nn.Module):
    """Convolutions give a grid of features; an LSTM reads one mixture of them per word and says the next word.

    ``h_t = LSTM([E y_{t-1}, z_t], h_{t-1})`` and ``p(y_t) = softmax(L tanh(E y_{t-1} + M [h_t, z_t]))``, where z_t is
    what the attention takes from the grid (Xu et al. 2015, arXiv:1502.03044). Soft attention takes the mean
    ``sum_i alpha_i a_i``. Hard attention takes one place: drawn from alpha while it trains (for every other caption;
    the rest take the mean, as there, against the variance), the most probable one when it answers. The grid's places
    have a learned vector each, so that words can speak of left and right; it begins as a plane, ``y u + x v`` with
    random u and v, so that what holds between two places holds between their neighbours too.

    The LSTM begins with what the whole picture shows, ``[h_0, c_0] = tanh(S [mean_i f_i, max_i f_i])``, where f are the
    features before the places' vectors. The mean says how much there is, which attention cannot, since its weights sum
    to 1; the maximum says whether a thing is there at all (Oquab et al. 2015, CVPR; both side by side: Woo et al. 2018,
    arXiv:1807.06521). From the mean alone, as Xu et al. begin, "two alike" is no weighted sum of colours and shapes and
    is learned for each colour and shape by heart; with the maxima it is: much there, and no second colour or shape.

    Arguments:
        shape: (channels, height, width) of a picture.
        n_words: words that can be said: the end, the unknown word, and the vocabulary.
        widths: channels of each stage of convolutions; each halves the map.
        convolutions, kernel: of each stage, and their height and width.
        units: of the LSTM; words and the attention have half as many.
        attention: ``"soft"`` or ``"hard"``.
        activation, norm: names in ``nn.activations`` and ``nn.norms``.
        dropout: of the inputs of the last layer.

    Raises ``ParameterError`` where a picture is too small for the stages.

    >>> net = CaptionNet((3, 16, 16), 7, widths=(8, 8), units=8)
    >>> net(torch.zeros(2, 3, 16, 16), torch.tensor([[3, 4, 0], [2, 0, -1]])).shape
    torch.Size([2, 3, 7])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_words: int,
        *,
        widths: Sequence[int] = (32, 64),
        convolutions: int = 2,
        kernel: int = 3,
        units: int = 256,
        attention: str = "soft",
        activation: str = "gelu",
        norm: str | None = "batch",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        channels, *size = shape
        half = max(1, units // 2)
        self.n_words, self.hard = n_words, attention == "hard"
        self.standardise = Standardise([0.0] * channels, [1.0] * channels)
        self.features = nn.Sequential(
            *(
                ConvBlock(b if i else a, b, kernel, "same", activation, norm, None if i else "max")
                for a, b in itertools.pairwise([channels, *widths])
                for i in range(convolutions)
            )
        )
        self.grid = tuple(check_shapes(self.features, tuple(size), channels)[-1])
        d = widths[-1]
        self.places = nn.Parameter(coordinates(*self.grid) @ torch.randn(2, d))
        self.keys = nn.Linear(d, half)
        self.attention = Attention(units, half)
        self.words = nn.Embedding(n_words + 1, half)  # the last stands before the first word
        self.whole = GlobalPool("average", "max")
        self.start = nn.Linear(2 * d, 2 * units)
        self.cell = nn.LSTMCell(half + d, units)
        self.deep = nn.Linear(units + d, half)
        self.drop = Dropout(dropout)
        self.output = nn.Linear(half, n_words)
        initialise(self.features, activation_named(activation).init)
        nn.init.normal_(self.words.weight, std=half**-0.5)

    # --- seeing -------------------------------------------------------------------------------------------

    def look(self, x: Tensor) -> Memory:
        """Pictures (n, c, h, w), whole numbers to 255 or floats to 1, as the decoder sees them."""
        x = self.standardise(x).contiguous(memory_format=torch.channels_last)
        maps = self.features(x)
        # the whole is taken before the places are added: a maximum behind them would depend on where a thing lies
        features = maps.flatten(2).transpose(1, 2) + self.places
        return Memory(features, self.keys(features), self.whole(maps))

    def begin(self, memory: Memory) -> tuple[Tensor, Tensor]:
        """The LSTM's state before the first word."""
        hidden, cell = torch.tanh(self.start(memory.whole)).chunk(2, 1)
        return hidden, cell

    def take(self, weights: Tensor, features: Tensor, mean: Tensor | None) -> tuple[Tensor, Tensor]:
        """What attention takes from the grid, (n, d), and log P of the places drawn, (n,).

        ``mean`` (n, 1) says which rows take the mean of all places; none is drawn where it is nothing.
        """
        drawn = weights.new_zeros(len(weights))
        if self.hard and mean is None:
            weights = F.one_hot(weights.argmax(1), weights.shape[1]).to(weights.dtype)
        elif self.hard:
            race = (
                weights.detach() / torch.empty_like(weights).exponential_()
            )  # i wins with probability alpha_i
            place = race.argmax(1, keepdim=True)
            drawn = torch.where(mean, 0.0, weights.gather(1, place).clamp(min=1e-12).log()).squeeze(1)
            weights = torch.where(mean, weights, torch.zeros_like(weights).scatter(1, place, 1.0))
        return (weights.to(features.dtype)[:, None] @ features).squeeze(1), drawn

    # --- saying -------------------------------------------------------------------------------------------

    def tell(self, memory: Memory, words: Tensor) -> Told:
        """The captions (n, T), codes with -1 behind the end, as the network would tell them word by word."""
        first = torch.full_like(words[:, :1], self.n_words)
        before = self.words(torch.cat([first, words[:, :-1].clamp(min=0)], 1))
        mean = (
            torch.rand(len(words), 1, device=words.device) < EXPECTED if self.hard and self.training else None
        )
        state, steps = self.begin(memory), []
        for word in before.unbind(1):
            weights = self.attention(memory.keys, state[0])
            seen, drawn = self.take(weights, memory.features, mean)
            state = self.cell(torch.cat([word, seen], 1), state)
            steps.append((torch.cat([state[0], seen], 1), weights, drawn))
        deep, weights, drawn = (torch.stack(part, 1) for part in zip(*steps))
        return Told(self.say(before, deep), weights, drawn)

    def say(self, word: Tensor, deep: Tensor) -> Tensor:
        """Logits of the next word from the word before (..., e) and ``[h, z]`` (..., units + d)."""
        return self.output(self.drop(torch.tanh(word + self.deep(deep))))

    def forward(self, x: Tensor, words: Tensor | None = None) -> Tensor:
        """Logits (n, T, k) for pictures (n, c, h, w) and captions (n, T), or two words of the network's own."""
        memory = self.look(x)
        if words is None:
            words = self.search(memory, steps=2, beam=1)[0]
        return self.tell(memory, words).logits

    @torch.no_grad()
    def search(
        self, memory: Memory, *, steps: int, beam: int, length_power: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Words (n, steps) and their log P (n,) by beam search; the unknown word is never said."""

        def ask(state: tuple[Memory, tuple[Tensor, Tensor]], last: Tensor) -> tuple[Tensor, object]:
            (features, keys), lstm = state
            seen, _ = self.take(self.attention(keys, lstm[0]), features, None)
            word = self.words(last)
            lstm = self.cell(torch.cat([word, seen], 1), lstm)
            logits = self.say(word, torch.cat([lstm[0], seen], 1)).float()
            logits[:, UNKNOWN] = -torch.inf
            return torch.log_softmax(logits, 1), ((features, keys), lstm)

        first = torch.full((len(memory.features),), self.n_words, device=memory.features.device)
        state = ((memory.features, memory.keys), self.begin(memory))
        return beam_search(ask, state, first, end=END, steps=steps, beam=beam, length_power=length_power)


def coordinates(height: int, width: int) -> Tensor:
    """Where the places of a grid lie, (height * width, 2), from -1 to 1 downwards and to the right.

    >>> coordinates(1, 3).tolist()
    [[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]]
    """
    down, right = (torch.linspace(-1, 1, n) if n > 1 else torch.zeros(1) for n in (height, width))
    return torch.cartesian_prod(down, right)
