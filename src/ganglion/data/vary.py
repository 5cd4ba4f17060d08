"""Waves as they might also have been recorded: sooner, later, faster, louder, in noise."""

from dataclasses import dataclass

import torch
from torch import Tensor

OF_NO_SOUND = 1e-4  # the least amplitude that noise is measured by


@dataclass(frozen=True)
class Vary:
    """Draws a variation of each wave of a batch (n, T), in which NaN stands behind a wave's end.

    ``x'_t = g x_((t - d) s) + sigma a e_t``: read faster by s (between samples by the line, so pitch and pace change
    together), begun later by d, louder by g, and white noise e as strong as a share a of the wave's own root mean
    square sigma. Silence of another random length follows. s is uniform in ``[1 - speed, 1 + speed]``, a in
    ``[0, noise]``, each silence in ``[0, shift]``, and g is uniform in decibels in ``[-gain, gain]``.

    Arguments:
        rate: samples a second.
        noise: amplitude of the noise at most, as a share of the wave's.
        shift: seconds of silence before and behind at most.
        speed: share by which a wave gets faster or slower at most, below 1.
        gain: decibels by which it gets louder or softer at most.

    >>> waves = torch.tensor([[0.5, 0.5, float("nan")]])
    >>> torch.equal(Vary(8000)(waves, torch.Generator())[:, :2], waves[:, :2])
    True
    """

    rate: int
    noise: float = 0.0
    shift: float = 0.0
    speed: float = 0.0
    gain: float = 0.0

    def __call__(self, waves: Tensor, generator: torch.Generator) -> Tensor:
        """(n, T) -> (n, T'), with T' from ``speed`` and ``shift`` alone."""
        n, T = waves.shape
        draws = torch.rand(5, n, 1, generator=generator, device=waves.device)
        silence = self.shift * self.rate
        before, behind = (draws[:2] * silence).long()
        pace = 1 + self.speed * (2 * draws[2] - 1)
        lengths = (~waves.isnan()).sum(1, keepdim=True)
        total = before + ((lengths - 1) / pace).long() + 1 + behind
        longest = 2 * int(silence) + int((T - 1) / (1 - self.speed)) + 1
        place = torch.arange(longest, device=waves.device)
        heard = waves.nan_to_num(0.0)
        level = (heard.square().sum(1, keepdim=True) / lengths.clamp(min=1)).sqrt()
        louder = 10 ** (self.gain * (2 * draws[4] - 1) / 20)
        found = louder * _read(heard, (place - before) * pace, lengths)
        if self.noise:
            strength = self.noise * draws[3] * (louder * level).clamp(min=OF_NO_SOUND)
            white = torch.randn(n, longest, generator=generator, device=waves.device)
            found = found + strength * white
        return found.masked_fill(place >= total, float("nan"))


def _read(waves: Tensor, place: Tensor, lengths: Tensor) -> Tensor:
    """Waves (n, T) at places (n, m) between their samples by the line, 0 outside of their lengths (n, 1)."""
    last = (lengths - 1).clamp(min=0)
    inside = (place >= 0) & (place <= last)
    place = place.clamp(min=0).minimum(last)
    below = place.floor()
    first = below.long()
    a, b = waves.gather(1, first), waves.gather(1, (first + 1).minimum(last))
    return torch.where(inside, a + (place - below) * (b - a), 0.0)
