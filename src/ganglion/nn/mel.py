"""Waves as log-mel features: how much of each band of pitch sounds at each moment.

Shapes: n waves, T samples, F frames, B bands, W samples of a window, N of its Fourier transform.
"""

import math
from contextlib import nullcontext
from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.base.fields import Above, AtLeast
from ganglion.base.numbers import number

SCALES = ("htk", "slaney")
REACH = 2  # frames on either side of a delta
LINEAR_BELOW, HERTZ_A_MEL, LOG_STEP = 1000.0, 200 / 3, math.log(6.4) / 27  # of Slaney's scale


def to_mel(hertz: Tensor, scale: str = "htk") -> Tensor:
    """Frequencies on a mel scale, where equal steps sound equally far apart.

    ``"htk"``: ``2595 log10(1 + f / 700)`` (O'Shaughnessy 1987; Young et al., The HTK Book). ``"slaney"``: ``3 f / 200``
    up to 1,000 Hz, above it ``15 + 27 ln(f / 1000) / ln 6.4`` (Slaney 1998, Auditory Toolbox).

    >>> to_mel(torch.tensor([1000.0, 6400.0]), "slaney").tolist()
    [15.0, 42.0]
    """
    if scale == "htk":
        return 2595 * torch.log10(1 + hertz / 700)
    high = LINEAR_BELOW / HERTZ_A_MEL + torch.log(hertz.clamp(min=LINEAR_BELOW) / LINEAR_BELOW) / LOG_STEP
    return torch.where(hertz < LINEAR_BELOW, hertz / HERTZ_A_MEL, high)


def from_mel(mel: Tensor, scale: str = "htk") -> Tensor:
    """The frequencies that ``to_mel`` maps to these.

    >>> round(from_mel(to_mel(torch.tensor(440.0))).item(), 3)
    440.0
    """
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    above = mel - LINEAR_BELOW / HERTZ_A_MEL
    return torch.where(above < 0, mel * HERTZ_A_MEL, LINEAR_BELOW * torch.exp(LOG_STEP * above.clamp(min=0)))


def mel_filters(
    rate: int, n_fft: int, bands: int, low: float = 0.0, high: float | None = None,
    scale: Literal["htk", "slaney"] = "htk",
) -> Tensor:  # fmt: skip
    """Triangles over the frequencies of a Fourier transform, (n_fft // 2 + 1, bands), their corners evenly in mel.

    Band b rises from 0 at corner b to its peak at corner b + 1 and falls to 0 at corner b + 2, of B + 2 corners from
    ``low`` to ``high``. Peaks are 1 with ``"htk"``, so that neighbours add up to 1; with ``"slaney"`` areas are 1
    (peaks ``2 / width`` in 1 / Hz).

    Arguments:
        rate: samples a second.
        n_fft: samples of the transform.
        bands: B.
        low: Hz, where the first band begins.
        high: Hz, where the last one ends (``None``: half of the rate).
        scale: of pitch, see ``to_mel``.

    Raises ``ParameterError`` for numbers out of range, and for a band so narrow that no frequency falls into it.

    >>> mel_filters(8000, 256, 20).shape
    torch.Size([129, 20])
    """
    if scale not in SCALES:
        raise ParameterError(unknown_name("scale", scale, list(SCALES)))
    for what, value in {"rate": rate, "n_fft": n_fft, "bands": bands}.items():
        number(f"mel filters' {what}", value, AtLeast(1), whole=True)
    top = rate / 2 if high is None else high
    number("mel filters' low", low, AtLeast(0))
    number("mel filters' high", top, Above(low))
    if top > rate / 2:
        raise ParameterError(
            f"mel filters' high must be at most half of the rate, {rate / 2:g} Hz, got {top:g}."
        )
    ends = to_mel(torch.tensor([low, top], dtype=torch.float64), scale)
    corners = from_mel(torch.linspace(ends[0].item(), ends[1].item(), bands + 2, dtype=torch.float64), scale)
    hertz = torch.arange(n_fft // 2 + 1, dtype=torch.float64)[:, None] * rate / n_fft
    widths = corners.diff()
    filters = torch.minimum((hertz - corners[:-2]) / widths[:-1], (corners[2:] - hertz) / widths[1:]).clamp(
        min=0
    )
    if not (filters > 0).any(0).all():
        empty = int((filters > 0).any(0).int().argmin())
        raise ParameterError(
            f"mel filters' bands must be wide enough for a frequency each, but band {empty} of {bands} lies between "
            f"{corners[empty]:.0f} and {corners[empty + 2]:.0f} Hz and {rate / n_fft:.0f} Hz are told apart; take "
            "fewer bands or longer windows."
        )
    return filters if scale == "htk" else filters * 2 / (corners[2:] - corners[:-2])


class LogMel(nn.Module):
    """The logarithm of the power of waves in mel bands, frame by frame: ``log(P M + eps)``.

    ``P_(f,k) = |sum_t h_t x_(f hop + t - N / 2) exp(-2 pi i k t / N)|^2``: a Hann window of ``window`` seconds, in the
    middle of N samples, is moved by ``hop`` seconds; M are ``mel_filters``. Before and behind a wave stand zeros, so
    that frame f is centred at sample ``f hop`` and a wave of T samples has ``T // hop + 1`` frames. A wave gives the
    same numbers alone and padded in a batch. Differentiable everywhere, with slopes of at most ``1 / sqrt(eps)`` of the
    amplitude's. With ``delta`` follow the slopes ``sum_n n (c_(t+n) - c_(t-n)) / (2 sum_n n^2)``, n = 1, 2, the ends
    repeated (Furui 1986).

    Arguments:
        rate: samples a second.
        bands: B.
        window: seconds.
        hop: seconds.
        n_fft: N (``None``: the least power of 2 that holds a window).
        low, high, scale: as of ``mel_filters``.
        eps: power that is added; below it is silence.
        delta: whether the slopes of all bands follow them.

    Raises ``ParameterError`` for numbers out of range; in ``forward`` ``DataError`` for other shapes and lengths.

    >>> features, frames = LogMel(8000, bands=20)(torch.zeros(2, 800), torch.tensor([800, 400]))
    >>> features.shape, frames.tolist()
    (torch.Size([2, 11, 20]), [11, 6])
    """

    hann: Tensor
    filters: Tensor

    def __init__(
        self, rate: int, bands: int = 40, window: float = 0.025, hop: float = 0.01, n_fft: int | None = None,
        low: float = 0.0, high: float | None = None, scale: Literal["htk", "slaney"] = "htk", eps: float = 1e-6,
        delta: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        number("LogMel's rate", rate, AtLeast(1), whole=True)
        number("LogMel's eps", eps, Above(0))
        self.width, self.hop = (
            max(1, round(number(f"LogMel's {what}", seconds, Above(0)) * rate))
            for what, seconds in (("window", window), ("hop", hop))
        )
        self.n_fft = 2 ** math.ceil(math.log2(self.width)) if n_fft is None else n_fft
        number("LogMel's n_fft", self.n_fft, AtLeast(self.width), whole=True)
        self.rate, self.bands, self.eps, self.delta = rate, bands, eps, delta
        filters = mel_filters(rate, self.n_fft, bands, low, high, scale)
        self.register_buffer("hann", torch.hann_window(self.width), persistent=False)
        self.register_buffer("filters", filters.float(), persistent=False)

    @property
    def outputs(self) -> int:
        """Numbers a frame."""
        return self.bands * (2 if self.delta else 1)

    def frames(self, lengths: Tensor) -> Tensor:
        """How many frames waves of these lengths have."""
        return lengths // self.hop + 1

    def forward(self, waves: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Waves (n, T) in [-1, 1], of which ``lengths`` (n,) samples count -> (n, F, B), 0 behind each; frames (n,)."""
        if waves.dim() != 2 or not waves.is_floating_point() or not waves.numel():
            raise DataError(
                f"waves (n, T) of floats are expected, got {tuple(waves.shape)} of {waves.dtype}; give a batch of them."
            )
        n, T = waves.shape
        if lengths is None:
            lengths = torch.full((n,), T)
        elif (
            lengths.shape != (n,)
            or lengths.is_floating_point()
            or not 1 <= lengths.min() <= lengths.max() <= T
        ):
            raise DataError(
                f"lengths of {n} waves from 1 to {T} samples are expected, got {lengths.tolist()[:8]}; give one a wave."
            )
        lengths = lengths.to(waves.device, torch.int64)
        kind = waves.device.type
        single = (
            torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext()
        )
        with single:  # a logarithm of small powers needs the digits
            return self._features(waves if waves.dtype == torch.float64 else waves.float(), lengths)

    def _features(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        heard = torch.arange(waves.shape[1], device=waves.device) < lengths[:, None]
        spectrum = torch.stft(
            torch.where(heard, waves, 0), self.n_fft, self.hop, self.width, self.hann.to(waves), center=True,
            pad_mode="constant", return_complex=True,
        )  # fmt: skip
        power = torch.view_as_real(spectrum).square().sum(-1)  # (n, N / 2 + 1, F)
        features = torch.log(power.transpose(1, 2) @ self.filters.to(waves) + self.eps)
        frames = self.frames(lengths)
        if self.delta:
            features = torch.cat([features, _slopes(features, frames)], -1)
        there = torch.arange(features.shape[1], device=waves.device) < frames[:, None]
        return torch.where(there[..., None], features, 0), frames

    def extra_repr(self) -> str:
        """What is not the default of every wave."""
        return f"rate={self.rate}, bands={self.bands}, n_fft={self.n_fft}, hop={self.hop}, delta={self.delta}"


def _slopes(features: Tensor, frames: Tensor) -> Tensor:
    """The slopes of features (n, F, B) over frames; those beyond a wave's ends count as its last."""
    places = torch.arange(features.shape[1], device=features.device)
    total = torch.zeros_like(features)
    for n in range(1, REACH + 1):
        later, earlier = (
            torch.minimum((places + step).clamp(min=0)[None], frames[:, None] - 1)[..., None].expand_as(
                features
            )
            for step in (n, -n)
        )
        total = total + n * (features.gather(1, later) - features.gather(1, earlier))
    return total / (2 * sum(n * n for n in range(1, REACH + 1)))
