"""SpecAugment: bands of pitch and stretches of time of a spectrogram are hidden in training."""

import torch
from torch import Tensor, nn

MOST_TIME = 0.2  # share of a sequence that a mask may hide


class SpecAugment(nn.Module):
    """Masks of features (n, F, B): runs of bands and of frames become 0, drawn anew for each sequence and pass.

    A run's width is uniform from 0 to ``bands``, or to ``frames`` but at most a fifth of the sequence, and its start is
    uniform (Park et al. 2019, arXiv:1904.08779, without the time warp, which they found to help least). Out of training
    nothing happens. The features should have mean 0.

    Arguments:
        bands: widest run of bands.
        frames: longest run of frames.
        masks: how many of each.

    >>> SpecAugment(2, 3).eval()(torch.ones(1, 4, 5), torch.tensor([4])).sum().item()
    20.0
    """

    def __init__(self, bands: int, frames: int, masks: int = 2) -> None:
        super().__init__()
        self.bands, self.frames, self.masks = bands, frames, masks

    def forward(self, x: Tensor, frames: Tensor) -> Tensor:
        """(n, F, B), of which ``frames`` (n,) count -> the same with masks."""
        if not self.training or not self.masks:
            return x
        n, F, B = x.shape
        if self.bands:
            width = torch.full((n, 1), float(min(self.bands, B)), device=x.device)
            x = x.masked_fill(self._hidden(width, torch.full_like(width, B), B)[:, None], 0.0)
        if self.frames:
            length = frames[:, None].float()
            width = (MOST_TIME * length).clamp(max=float(self.frames))
            x = x.masked_fill(self._hidden(width, length, F)[..., None], 0.0)
        return x

    def _hidden(self, most: Tensor, length: Tensor, size: int) -> Tensor:
        """Which of ``size`` places masks of width up to ``most`` (n, 1) hide, among the first ``length`` (n, 1)."""
        draws = torch.rand(2, len(most), self.masks, device=most.device)
        width = (draws[0] * (most + 1)).floor().minimum(most.floor())  # (n, masks)
        start = (draws[1] * (length - width + 1)).floor()
        place = torch.arange(size, device=most.device)
        inside = (place >= start[..., None]) & (place < (start + width)[..., None])
        return inside.any(1)

    def extra_repr(self) -> str:
        """The widths and the number."""
        return f"bands={self.bands}, frames={self.frames}, masks={self.masks}"
