"""Learning-rate schedules: pure functions of how far the run is, so that a resumed run needs no state.

A schedule maps ``(progress, history)`` to a factor on the learning rate: ``progress`` runs from 0 to 1 over
the planned steps, ``history`` holds the finished epochs' rows.
"""

import math
from collections.abc import Callable
from typing import Any

from ganglion.base.errors import ParameterError, unknown_name

History = list[dict[str, Any]]
Schedule = Callable[[float, History], float]


def constant(progress: float, history: History) -> float:
    """Always 1."""
    return 1.0


def step(progress: float, history: History) -> float:
    """Divided by 10 at one half and again at three quarters of the run."""
    return 0.1 ** ((progress >= 0.5) + (progress >= 0.75))


def exponential(progress: float, history: History) -> float:
    """``0.01 ** progress``: the same ratio each step, a hundredth at the end."""
    return 0.01**progress


def cosine(progress: float, history: History) -> float:
    """``(1 + cos(pi progress)) / 2``, from 1 to 0 (Loshchilov and Hutter 2017, without restarts)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float, history: History) -> float:
    """Cosine from 1/25 up to 1 over the first 30 %, then cosine down to 1e-4 (Smith 2018)."""
    if progress < 0.3:
        low, high, t = 0.04, 1.0, progress / 0.3
    else:
        low, high, t = 1.0, 1e-4, (progress - 0.3) / 0.7
    return low + (high - low) * 0.5 * (1.0 - math.cos(math.pi * t))


def flat_cosine(progress: float, history: History) -> float:
    """1 for the first half, then cosine down to 0."""
    return 1.0 if progress < 0.5 else cosine(2.0 * progress - 1.0, history)


def warm_up(schedule: Schedule, share: float = 0.05) -> Schedule:
    """Rise linearly from 0 to ``schedule`` over the first ``share`` of the run.

    >>> warm_up(constant, 0.1)(0.05, [])
    0.5
    """

    def warmed(progress: float, history: History) -> float:
        return schedule(progress, history) * min(1.0, progress / share)

    return warmed


class Plateau:
    """Multiplied by ``factor`` whenever the validation loss (else the loss) stood still for ``wait`` epochs.

    >>> Plateau(factor=0.5, wait=1)(0.5, [{"loss": 1.0}, {"loss": 1.0}])
    0.5
    """

    def __init__(self, factor: float = 0.5, wait: int = 5) -> None:
        self.factor, self.wait = factor, wait
        self._known: tuple[Any, int, float] = (None, 0, 1.0)  # (history, its length, factor): only a cache

    def __call__(self, progress: float, history: History) -> float:
        """The factor after these epochs."""
        known = self._known  # read once: runs in other threads share this object
        if known[0] is not history or known[1] != len(history):
            known = self._known = (history, len(history), self.factor ** self._cuts(history))
        return known[2]

    def _cuts(self, history: History) -> int:
        best, since, cuts = math.inf, 0, 0
        for row in history:
            value = row.get("val_loss", row["loss"])
            if value < best - 1e-4 * abs(best) or best == math.inf:
                best, since = value, 0
            elif (since := since + 1) >= self.wait:
                cuts, since = cuts + 1, 0
        return cuts


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "step": step,
    "exponential": exponential,
    "cosine": cosine,
    "flat_cosine": flat_cosine,
    "one_cycle": one_cycle,
    "warm_up": warm_up(constant),
    "warm_up_cosine": warm_up(cosine),
    "plateau": Plateau(),
}


def schedule_named(name: str) -> Schedule:
    """The schedule of a name; raises ``ParameterError`` with the nearest known one."""
    if name not in SCHEDULES:
        raise ParameterError(unknown_name("schedule", name, list(SCHEDULES)))
    return SCHEDULES[name]
