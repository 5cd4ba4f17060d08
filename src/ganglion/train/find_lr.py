"""The learning-rate finder: let the rate grow over a short run and see where the loss bursts."""

import math
from dataclasses import dataclass
from typing import Any

from ganglion.objectives.base import Objective
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit
from ganglion.train.run import Run

SMOOTHING = 0.9  # of the running mean over steps: single batches jump


@dataclass
class LrSearch:
    """What the finder saw: rates, smoothed losses, and the suggested rate."""

    rates: list[float]
    losses: list[float]
    suggestion: float


class StepLosses(Hook):
    """The mean loss and the learning rate of every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.losses: list[float] = []

    def step(self, run: Run) -> None:
        """Note one step."""
        self.rates.append(float(run.lr))
        self.losses.append(float(run.loss) / run.batches.size(run.batch))


def find_lr(
    objective: Objective,
    batches: Any,
    optimizer: Any,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    steps: int = 100,
    seed: int = 0,
) -> LrSearch:
    """Train ``steps`` steps while the learning rate grows from ``lowest`` to ``highest`` by equal ratios.

    The suggestion is a tenth of the rate at which the smoothed loss is lowest (after Smith 2017,
    arXiv:1506.01186; the rate of the steepest fall, also in use, was too high on the digits: see the log).
    The objective's weights are changed: give a copy.
    """
    for group in optimizer.param_groups:
        group["lr"] = lowest
    watch = StepLosses()
    fit(
        objective,
        batches,
        optimizers={"train": optimizer},
        max_steps=steps,
        seed=seed,
        schedule=lambda progress, history: (highest / lowest) ** progress,
        hooks=(watch,),
    )
    losses = smoothed(watch.losses)
    return LrSearch(watch.rates, losses, a_tenth_of_the_lowest(watch.rates, losses))


def smoothed(losses: list[float]) -> list[float]:
    """The running mean with its start corrected: ``m / (1 - b^t)``.

    >>> smoothed([2.0, 2.0])
    [2.0, 2.0]
    """
    mean, out = 0.0, []
    for t, loss in enumerate(losses, 1):
        mean = SMOOTHING * mean + (1 - SMOOTHING) * loss
        out.append(mean / (1 - SMOOTHING**t))
    return out


def a_tenth_of_the_lowest(rates: list[float], losses: list[float]) -> float:
    """A tenth of the rate at which the loss was lowest: there it is about to burst."""
    lowest = min((loss, i) for i, loss in enumerate(losses) if math.isfinite(loss))[1]
    return rates[lowest] / 10
