"""The gradient noise scale from the steps that a run makes anyway."""

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
        self.rows: list[dict[str, Any]] = []
        self._epoch = 0  # the last one that was seen to open
        self._sum: list[Tensor] | None = None
        self._squares: Any = 0.0
        self._examples = self._steps = 0
        self._means: tuple[float, float] | None = None  # signal, noise

    def start(self, run: "Run") -> None:
        """Find out whether gradients are noisy at all: with one batch an epoch they are not."""
        plain = len(run.objective.phases) == 1 and not getattr(run.objective, "members", None)
        sampled = not hasattr(run.batches, "__len__") or len(run.batches) > 1
        self._on = plain and sampled

    def backward(self, run: "Run") -> None:
        """Take in a gradient while a window is open."""
        if self._sum is None and run.epoch == self._epoch and run.step != FIRST:
            return
        if self._sum is None and not self._opens(run):
            return
        grads = [p.grad for p in run.objective.parameters_of(run.phase) if p.grad is not None]
        if self._sum is None:
            self._sum, self._squares, self._steps, self._examples = [g.clone() for g in grads], 0.0, 0, 0
        else:
            torch._foreach_add_(self._sum, grads)
        self._squares = self._squares + squared(grads)
        self._steps += 1
        self._examples += run.size
        if self._steps == WINDOW:
            self._close(run)

    def _opens(self, run: "Run") -> bool:
        self._epoch = run.epoch
        return self._on and run.step >= FIRST and run.epoch & (run.epoch - 1) == 0

    def _close(self, run: "Run") -> None:
        k, b = self._steps, self._examples / self._steps
        whole, single = float(squared(self._sum)) / k**2, float(self._squares) / k
        self._sum = None
        noise = max((single - whole) * k / (k - 1), 0.0)  # tr(Sigma) / b
        now = (whole - noise / k, noise * b)
        before = self._means or now
        signal, spread = (FORGET * old + (1 - FORGET) * new for old, new in zip(before, now))
        self._means = signal, spread
        least = spread / (b * FURTHEST)
        self.rows.append(
            {
                "step": run.step + 1,
                "epoch": run.epoch + 1,
                "kind": "noise",
                "noise_scale": spread / max(signal, least) if spread > 0 else 0.0,
                "batch_size": b,
                "signal": now[0],
                "noise": now[1],
            }
        )


def squared(values: Any) -> Tensor:
    """The sum of squares over tensors."""
    if len(values) == 1:  # the buffer of a network that goes by hand
        return values[0].flatten().dot(values[0].flatten())
    return torch.stack([v.flatten().dot(v.flatten()) for v in values]).sum()
