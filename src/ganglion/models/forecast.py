"""Networks that forecast the next times of a series from the last ones, each window in its own scale.

Axes: n windows, L times that are seen, H that are forecast, k targets, m covariates, o numbers told of each time.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.models.encoder import Encoder

NETWORKS = ("linear", "lstm", "tcn", "transformer")
NAIVES = ("mean", "last", "repeat", "season")
AVERAGED = 25  # times that the trend is the mean of, as in Zeng et al. 2022
HIDDEN = 32  # units between covariates and what they add
FLAT = 1e-4  # joins a window's variance, in units of the series' own: a flat window has a scale too


def window_scale(past: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread (n, 1, k) of windows (n, L, k); the spread of a flat one is 0.01.

    >>> [part.flatten().tolist() for part in window_scale(torch.tensor([[[1.0], [1.0]]]))]
    [[1.0], [0.009999999776482582]]
    """
    return past.mean(1, keepdim=True), (past.var(1, correction=0, keepdim=True) + FLAT).sqrt()


def naive_forecast(past: Tensor, H: int, kind: str, season: int = 1) -> Tensor:
    """The window's mean, its last value, its last season again, or its mean season: (n, L, k) -> (n, H, k).

    The mean season is that of all whole seasons in the window, each around its own mean, at the level of the last one.

    >>> past = torch.tensor([[[1.0], [2.0], [5.0], [8.0]]])
    >>> [naive_forecast(past, 2, kind, season=2).flatten().tolist() for kind in NAIVES]
    [[4.0, 4.0], [8.0, 8.0], [5.0, 8.0], [5.5, 7.5]]
    """
    if kind == "mean":
        return past.mean(1, keepdim=True).expand(-1, H, -1)
    if kind == "last":
        return past[:, -1:].expand(-1, H, -1)
    turn = torch.arange(H, device=past.device) % season
    if kind == "repeat":
        return past[:, past.shape[1] - season + turn]
    n, L, k = past.shape
    seasons = past[:, L % season :].reshape(n, -1, season, k)
    level = seasons.mean(2, keepdim=True)
    return ((seasons - level).mean(1) + level[:, -1])[:, turn]


class Decomposed(nn.Module):
    """``W_1 trend + W_2 (x - trend)``, the trend being a moving mean over 25 times: DLinear.

    Zeng et al. 2022, arXiv:2205.13504. Both maps start at zero.

    Arguments: places L, channels c, outputs.

    >>> Decomposed(30, 2, 5)(torch.zeros(3, 30, 2)).shape
    torch.Size([3, 5])
    """

    def __init__(self, places: int, channels: int, outputs: int) -> None:
        super().__init__()
        self.kernel = min(AVERAGED, places - 1 + places % 2)
        self.trend, self.rest = (nn.Linear(places * channels, outputs) for _ in range(2))
        for layer in (self.trend, self.rest):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, L, c) -> (n, outputs)."""
        x = x.transpose(1, 2)
        around = F.pad(x, (self.kernel // 2, self.kernel // 2), mode="replicate")
        trend = F.avg_pool1d(around, self.kernel, 1)
        return self.trend(trend.flatten(1)) + self.rest((x - trend).flatten(1))


class Patched(nn.Module):
    """``W encoder(patches of x)``: pieces of a series are read as places of a sequence.

    With the transformer that is PatchTST (Nie et al. 2022, arXiv:2211.14730), with pieces that do not overlap; with the
    LSTM nearly SegRNN (Lin et al. 2023, arXiv:2308.11200). W sees all places, of the LSTM the last; it starts at zero.

    Arguments:
        cell: "lstm", "tcn" or "transformer".
        places: L; the first value is repeated in front until pieces fit.
        channels: c numbers at each place.
        outputs: numbers told.
        patch: places of a piece.
        units, layers, heads, dropout: see ``models.encoder.Encoder``.

    >>> Patched("tcn", 30, 2, 5, patch=8, units=4)(torch.zeros(3, 30, 2)).shape
    torch.Size([3, 5])
    """

    def __init__(
        self, cell: str, places: int, channels: int, outputs: int, *, patch: int, units: int, layers: int = 1,
        heads: int = 4, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        pieces = -(-places // patch)
        self.patch, self.before, self.last = patch, pieces * patch - places, cell == "lstm"
        self.encoder = Encoder(
            cell, patch * channels, units, layers=layers, bidirectional=not self.last, heads=heads, dropout=dropout
        )  # fmt: skip
        self.head = nn.Linear(units * (1 if self.last else pieces), outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, L, c) -> (n, outputs)."""
        if self.before:
            x = torch.cat([x[:, :1].expand(-1, self.before, -1), x], 1)
        h, last = self.encoder(x.reshape(len(x), -1, self.patch * x.shape[2]))
        return self.head(last if self.last else h.flatten(1))


class ForecastNet(nn.Module):
    """A naive forecast and what a network adds to it, in each window's own scale.

    ``y = naive(e) + s body((e - m) / s) + g(c_future)`` with ``e = past - g(c_past)``, the window's mean m and spread s
    (Kim et al. 2022, RevIN), and what known covariates add, g. The untrained network tells the naive forecast. Without
    ``mixed`` one body reads each target by itself (channel independence).

    Arguments:
        network: "linear", "lstm", "tcn" or "transformer".
        lookback, horizon: L and H.
        targets: k.
        known: covariates that are known ahead; g is a small dense network at each time.
        lagged: covariates that are not; the body reads their past beside each target.
        outputs: o, numbers told of each time and target; the first is the forecast.
        naive, season: see ``naive_forecast``.
        mixed: whether one body reads all targets together.
        patch, units, layers, heads, dropout: see ``Patched``; the linear network has none of them.

    Raises ``ParameterError`` for an unknown network or naive forecast, and for sizes that do not fit.

    >>> ForecastNet("linear", 12, 3, targets=2, known=1)(torch.zeros(5, 15, 3)).shape
    torch.Size([5, 3, 2, 1])
    """

    def __init__(
        self, network: str, lookback: int, horizon: int, *, targets: int = 1, known: int = 0, lagged: int = 0,
        outputs: int = 1, naive: str = "mean", season: int = 1, mixed: bool = False, patch: int = 16, units: int = 32,
        layers: int = 1, heads: int = 4, dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        for kind, name, names in (("network", network, NETWORKS), ("naive", naive, NAIVES)):
            if name not in names:
                raise ParameterError(unknown_name(kind, name, list(names)))
        if naive in ("repeat", "season") and season > lookback:
            raise ParameterError(f"season must be at most lookback={lookback}, got {season}.")
        self.L, self.H, self.k, self.known, self.lagged = lookback, horizon, targets, known, lagged
        self.outputs, self.naive, self.season, self.mixed = outputs, naive, season, mixed
        channels = (targets if mixed else 1) + lagged
        told = horizon * outputs * (targets if mixed else 1)
        if network == "linear":
            self.body: nn.Module = Decomposed(lookback, channels, told)
        else:
            self.body = Patched(
                network, lookback, channels, told, patch=min(patch, lookback), units=units, layers=layers, heads=heads,
                dropout=dropout,
            )  # fmt: skip
        self.effect = None
        if known:
            self.effect = nn.Sequential(nn.Linear(known, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, targets))
            nn.init.zeros_(self.effect[2].weight)
            nn.init.zeros_(self.effect[2].bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, L, c), or (n, L + H, c) with known covariates -> (n, H, k, o).

        Columns are the targets, the known covariates, the lagged ones; what stands ahead of the others is not read.
        """
        past, ahead = x[:, : self.L, : self.k], None
        if self.effect is not None:
            added = self.effect(x[..., self.k : self.k + self.known])
            past, ahead = past - added[:, : self.L], added[:, self.L :]
        mean, spread = window_scale(past)
        z = (past - mean) / spread
        answer = self._told(z, x[:, : self.L, self.k + self.known :])
        answer = answer + naive_forecast(z, self.H, self.naive, self.season)[..., None]
        answer = answer * spread[..., None] + mean[..., None]
        return answer if ahead is None else answer + ahead[..., None]

    def _told(self, z: Tensor, lagged: Tensor) -> Tensor:
        """The body's numbers for windows in their own scale, (n, L, k) -> (n, H, k, o)."""
        n = len(z)
        if self.mixed:
            return self.body(torch.cat([z, lagged], 2)).reshape(n, self.H, self.k, self.outputs)
        rows = z.transpose(1, 2).reshape(n * self.k, self.L, 1)  # a row for each window and target
        if self.lagged:
            rows = torch.cat([rows, lagged.repeat_interleave(self.k, 0)], 2)
        return self.body(rows).reshape(n, self.k, self.H, self.outputs).transpose(1, 2)
