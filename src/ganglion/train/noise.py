"""The gradient noise scale from the steps that a run makes anyway."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganglion.train.hooks import Hook

if TYPE_CHECKING:
    from ganglion.train.run import Run

WINDOW = 16  # consecutive steps that one reading takes together
FIRST = 8  # the step at which the first window opens
FURTHEST = 10 * WINDOW  # batches: a larger noise scale cannot be told from an infinite one
FORGET = 0.5  # of the readings before, as weights move on


@dataclass
class Window:
    """What a window found: squares of its gradients' sum and of each gradient, per parameter, still on the device."""

    step: int
    epoch: int
    examples: int
    whole: list[Tensor]
    each: list[Tensor]

    def read(self) -> tuple[float, float, float]:
        """Signal, noise and the examples of a batch."""
        k, b = WINDOW, self.examples / WINDOW
        squares = torch.stack([*self.whole, *self.each]).tolist()  # one wait for the device
        whole, single = sum(squares[: len(self.whole)]) / k**2, sum(squares[len(self.whole) :]) / k
        noise = max((single - whole) * k / (k - 1), 0.0)  # tr(Sigma) / b
        return whole - noise / k, noise * b, b


class NoiseWatch(Hook):
    """Reads the simple noise scale ``B = tr(Sigma) / |G|^2`` (McCandlish et al. 2018, arXiv:1812.06162).

    Over k consecutive steps with gradients g_i of batches of b examples, while weights hardly move,

        E |mean g|^2 = |G|^2 + tr(Sigma) / (b k),    E mean |g|^2 = |G|^2 + tr(Sigma) / b,

    so that both unknowns follow without bias, as in the paper's appendix A but from the run's own gradients:
    dropout's noise is in them, and no further pass is made. Their running means over readings are divided,
    since a ratio of means is steadier than a mean of ratios. A window opens at step 8 and where ever rarer
    epochs start. ``rows`` holds the readings: ``noise_scale`` and ``batch_size`` in examples, ``signal`` =
    |G|^2, ``noise`` = tr(Sigma). From batches much smaller than ``noise_scale`` a step learns little; much
    larger ones cost more examples and save few steps.
    """

    def __init__(self) -> None:
        self._epoch = 0  # the last one that was seen to open
        self._sum: list[Tensor] | None = None
        self._squares: list[Tensor] = []
        self._examples = self._steps = 0
        self._windows: list[Window] = []

    def start(self, run: "Run") -> None:
        """Find out whether gradients are noisy at all: with one batch an epoch they are not."""
        plain = len(run.objective.phases) == 1 and not getattr(run.objective, "members", None)
        sampled = not hasattr(run.batches, "__len__") or len(run.batches) > 1
        self._on = plain and sampled

    def rests(self, run: "Run") -> bool:
        """Where no window is open, and none opens."""
        return self._sum is None and run.step > FIRST and not self._opens(run)

    def backward(self, run: "Run") -> None:
        """Take in a gradient while a window is open."""
        if self._sum is None:
            if run.epoch == self._epoch and run.step != FIRST:
                return
            self._epoch = run.epoch
            if not self._opens(run):
                return
        grads = [p.grad.flatten() for p in run.objective.parameters_of(run.phase) if p.grad is not None]
        if self._sum is None:
            self._sum, self._squares, self._steps, self._examples = [g.clone() for g in grads], [], 0, 0
        else:
            for total, g in zip(self._sum, grads):
                total.add_(g)
        self._squares += [g.dot(g) for g in grads]
        self._steps += 1
        self._examples += run.size
        if self._steps == WINDOW:
            whole = [total.dot(total) for total in self._sum]
            self._windows.append(Window(run.step + 1, run.epoch + 1, self._examples, whole, self._squares))
            self._sum = None

    def _opens(self, run: "Run") -> bool:
        return self._on and run.step >= FIRST and run.epoch & (run.epoch - 1) == 0

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row per window so far."""
        rows: list[dict[str, Any]] = []
        mean_signal = mean_noise = 0.0
        for window in self._windows:
            signal, noise, b = window.read()
            old = FORGET if rows else 0.0
            mean_signal = old * mean_signal + (1 - old) * signal
            mean_noise = old * mean_noise + (1 - old) * noise
            least = mean_noise / (b * FURTHEST)
            rows.append(
                {
                    "step": window.step,
                    "epoch": window.epoch,
                    "kind": "noise",
                    "noise_scale": mean_noise / max(mean_signal, least) if mean_noise > 0 else 0.0,
                    "batch_size": b,
                    "signal": signal,
                    "noise": noise,
                }
            )
        return rows
