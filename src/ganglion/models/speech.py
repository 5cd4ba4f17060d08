"""From waves to a symbol's log-probability at each step: what is trained by CTC.

Axes: n waves, T samples, F frames, B bands, S steps, k symbols, of which 0 is the blank.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.models.encoder import Encoder
from ganglion.nn.mel import LogMel
from ganglion.nn.noise import Dropout
from ganglion.nn.padding import Scale
from ganglion.nn.spec_augment import SpecAugment

STRIDES = {1: (1, 1), 2: (2, 1), 4: (2, 2)}  # along time, of the two convolutions
CHANNELS = 16
NEPERS_A_DECIBEL = math.log(10) / 10  # of power


class Subsample(nn.Module):
    """Two convolutions over time and pitch that leave every ``stride``-th frame: (n, F, B) -> (n, S, units).

    Both halve the bands, so that the same sound a little higher is nearly the same.

    Arguments: bands B, units of the answer, stride 1, 2 or 4.

    >>> Subsample(20, 8, 4)(torch.zeros(1, 9, 20), torch.tensor([9]))[0].shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, bands: int, units: int, stride: int) -> None:
        super().__init__()
        self.strides = STRIDES[stride]
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, CHANNELS, 3, (along, 2), padding=1)
            for inputs, along in zip((1, CHANNELS), self.strides)
        )
        self.out = nn.Linear(CHANNELS * -(-bands // 4), units)
        self.norm = nn.LayerNorm(units)

    def steps(self, frames: Tensor) -> Tensor:
        """How many steps sequences of so many frames have."""
        for stride in self.strides:
            frames = -(-frames // stride)
        return frames

    def forward(self, x: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(n, F, B), frames (n,) -> (n, S, units) and which steps are there (n, S)."""
        x = x[:, None]
        for conv, stride in zip(self.convs, self.strides):
            frames = -(-frames // stride)
            x = torch.relu(conv(x))
            there = torch.arange(x.shape[2], device=x.device) < frames[:, None]
            x = x * there[:, None, :, None]  # as the zeros around a sequence are
        x = self.norm(self.out(x.transpose(1, 2).flatten(2)))
        return x * there[..., None], there


class SpeechNet(nn.Module):
    """``W encoder(subsample(scale(log-mel(x)))) + b``: logits (n, S, k) of waves (n, T) with NaN behind their ends.

    Arguments:
        size: k symbols.
        rate: samples a second.
        bands: of pitch.
        stride: 10 ms frames that make a step.
        normalise: "recording" takes each band's mean over a recording away, "data" that over all of training.
        range_db: decibels below a recording's loudest moment that are heard; what is softer counts as so loud.
        units: of the subsampled features and of the encoder.
        mask_bands, mask_frames: see ``nn.spec_augment.SpecAugment``.
        dropout: inside the encoder and before the outputs.
        encoder: further arguments of ``models.encoder.Encoder``.

    >>> net = SpeechNet(5, rate=8000, units=8, cell="gru")
    >>> net(torch.zeros(2, 1600)).shape, net.steps(torch.tensor([1600, 800])).tolist()
    (torch.Size([2, 6, 5]), [6, 3])
    """

    def __init__(
        self,
        size: int,
        *,
        rate: int,
        bands: int = 40,
        stride: int = 4,
        normalise: str = "data",
        range_db: float | None = None,
        units: int = 64,
        mask_bands: int = 0,
        mask_frames: int = 0,
        dropout: float = 0.0,
        **encoder: Any,
    ) -> None:
        super().__init__()
        with torch.device("cpu"):  # its filters are compared as they are made, which shapes alone cannot be
            self.mel = LogMel(rate, bands)
        self.scale, self.by_recording = Scale(bands), normalise == "recording"
        self.range = None if range_db is None else range_db * NEPERS_A_DECIBEL
        self.hide = SpecAugment(mask_bands, mask_frames)
        self.subsample = Subsample(bands, units, stride)
        self.encoder = Encoder(inputs=units, units=units, dropout=dropout, **encoder)
        self.drop = Dropout(dropout)
        self.answer = nn.Linear(self.encoder.width, size)

    def steps(self, lengths: Tensor) -> Tensor:
        """How many steps waves of so many samples have."""
        return self.subsample.steps(self.mel.frames(lengths))

    @property
    def seconds(self) -> float:
        """From a step to the next."""
        first, second = self.subsample.strides
        return first * second * self.mel.hop / self.mel.rate

    def features(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel features (n, F, B), NaN behind the ends, and the frames (n,) of waves (n, T)."""
        heard = ~waves.isnan()
        x, frames = self.mel(waves, heard.sum(1))
        there = torch.arange(x.shape[1], device=x.device) < frames[:, None]
        x = x.masked_fill(~there[..., None], float("nan"))
        if self.range is not None:
            loudest = x.nan_to_num(nan=-torch.inf).amax((1, 2), keepdim=True)
            x = torch.maximum(x, loudest - self.range)
        return x - x.nanmean(1, keepdim=True) if self.by_recording else x, frames

    def forward(self, waves: Tensor) -> Tensor:
        """(n, T) -> logits (n, S, k); what stands behind a wave's ``steps`` means nothing."""
        x, frames = self.features(waves)
        x, _ = self.scale(x)
        x, there = self.subsample(self.hide(x, frames), frames)
        h, _ = self.encoder(x, there)
        return self.answer(self.drop(h))
