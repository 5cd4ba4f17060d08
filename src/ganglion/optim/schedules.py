"""Learning-rate schedules: pure functions of how far the run is, so that a resumed run needs no state.

A schedule maps ``(progress, history)`` to a factor on the learning rate: ``progress`` runs from 0 to 1 over
the planned steps, ``history`` holds the finished epochs' rows, so its length is the epoch.
"""

import math
from collections.abc import Callable
from typing import Any

from ganglion.base.fields import Above, AtLeast
from ganglion.base.named import named
from ganglion.optim.bounded import BELOW_ONE, INSIDE, SHARE, bounded

History = list[dict[str, Any]]
Schedule = Callable[[float, History], float]


def constant() -> Schedule:
    """Always 1."""
    return lambda progress, history: 1.0


@bounded(final=SHARE)
def linear(final: float = 0.0) -> Schedule:
    """``1 - (1 - final) progress``: a straight line.

    >>> linear()(0.25, [])
    0.75
    """
    return lambda progress, history: 1.0 - (1.0 - final) * progress


@bounded(power=Above(0))
def polynomial(power: float = 2.0) -> Schedule:
    """``(1 - progress)^power``, from 1 to 0."""
    return lambda progress, history: (1.0 - progress) ** power


@bounded(final=Above(0))
def exponential(final: float = 0.01) -> Schedule:
    """``final^progress``: the same ratio each step, ``final`` at the end."""
    return lambda progress, history: final**progress


@bounded(every=AtLeast(1), factor=Above(0))
def step(every: float | None = None, factor: float = 0.1) -> Schedule:
    """``factor^floor(epoch / every)``; without ``every`` the rate falls at one half and at three quarters.

    >>> step(30)(0.0, [{}] * 65)
    0.010000000000000002
    """
    if every is None:
        return multi_step(factor=factor)
    return lambda progress, history: factor ** (len(history) // every)


@bounded(at=Above(0), factor=Above(0))
def multi_step(*at: float, factor: float = 0.1) -> Schedule:
    """Times ``factor`` at each of the epochs ``at``, or, below 1, at that share of the run (0.5 and 0.75).

    >>> multi_step(30, 0.9, factor=0.5)(0.4, [{}] * 30)
    0.5
    """
    cuts = at or (0.5, 0.75)

    def stepped(progress: float, history: History) -> float:
        return factor ** sum((progress if cut < 1 else len(history)) >= cut for cut in cuts)

    return stepped


@bounded(warm=INSIDE)
def inverse_sqrt(warm: float = 0.05) -> Schedule:
    """A line up to 1 at the share ``warm`` of the run, then ``sqrt(warm / progress)``.

    As the step size of Vaswani et al. 2017 (arXiv:1706.03762), measured from its peak.

    >>> inverse_sqrt(0.1)(0.4, [])
    0.5
    """
    return lambda progress, history: progress / warm if progress < warm else math.sqrt(warm / progress)


@bounded(final=SHARE)
def cosine(final: float = 0.0) -> Schedule:
    """``(1 + cos(pi progress)) / 2``, from 1 to ``final`` (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    return lambda progress, history: _bend(1.0, final, progress)


@bounded(cycles=AtLeast(1), final=SHARE)
def cosine_restarts(cycles: int = 4, final: float = 0.0) -> Schedule:
    """As many equal falls along a cosine as ``cycles``, each from 1 again (Loshchilov and Hutter 2017)."""
    return lambda progress, history: _bend(1.0, final, _within(progress, cycles))


@bounded(flat=BELOW_ONE, final=SHARE)
def flat_cosine(flat: float = 0.5, final: float = 0.0) -> Schedule:
    """1 for the share ``flat`` of the run, then along a cosine to ``final``."""
    return lambda p, history: 1.0 if p < flat else _bend(1.0, final, (p - flat) / (1.0 - flat))


@bounded(peak=INSIDE, start=SHARE, final=SHARE)
def one_cycle(peak: float = 0.3, start: float = 0.04, final: float = 1e-4) -> Schedule:
    """Along a cosine from ``start`` up to 1 at the share ``peak``, then down to ``final`` (Smith 2018)."""
    return lambda p, history: (
        _bend(start, 1.0, p / peak) if p < peak else _bend(1.0, final, (p - peak) / (1 - peak))
    )


@bounded(cycles=AtLeast(1), low=SHARE)
def cyclic(cycles: int = 4, low: float = 0.1) -> Schedule:
    """Triangles from ``low`` up to 1 and back, ``cycles`` times (Smith 2017, arXiv:1506.01186).

    >>> [round(cyclic(1, 0.5)(p, []), 2) for p in (0.0, 0.25, 0.5, 1.0)]
    [0.5, 0.75, 1.0, 0.5]
    """
    return lambda p, history: low + (1.0 - low) * (1.0 - abs(2.0 * _within(p, cycles) - 1.0))


@bounded(share=INSIDE)
def warm_up(share: float = 0.05, then: str | Schedule = "constant") -> Schedule:
    """Rise linearly from 0 to the schedule ``then`` over the first ``share`` of the run.

    >>> warm_up(0.1, "linear")(0.05, [])
    0.475
    """
    after = then if callable(then) else schedule_named(str(then))
    return lambda progress, history: after(progress, history) * min(1.0, progress / share)


def warm_up_cosine(share: float = 0.05) -> Schedule:
    """``warm_up(share, "cosine")``."""
    return warm_up(share, "cosine")


@bounded(warm=INSIDE, decay=INSIDE)
def warm_up_stable_decay(warm: float = 0.05, decay: float = 0.2) -> Schedule:
    """A line up to 1 over the share ``warm``, then 1, then a line down to 0 over the last ``decay``.

    Hu et al. 2024 (arXiv:2404.06395), who let the end fall exponentially.

    >>> [round(warm_up_stable_decay(0.1, 0.2)(p, []), 2) for p in (0.05, 0.1, 0.8, 0.9, 1.0)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    return lambda progress, history: min(1.0, progress / warm, (1.0 - progress) / decay)


class Plateau:
    """Multiplied by ``factor`` whenever the validation loss (else the loss) stood still for ``wait`` epochs.

    >>> Plateau(factor=0.5, wait=1)(0.5, [{"loss": 1.0}, {"loss": 1.0}])
    0.5
    """

    @bounded(factor=INSIDE, wait=AtLeast(1))
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
            value: float = row["val_loss"] if "val_loss" in row else row["loss"]
            if value < best - 1e-4 * abs(best) or best == math.inf:
                best, since = value, 0
            elif (since := since + 1) >= self.wait:
                cuts, since = cuts + 1, 0
        return cuts


SCHEDULES: dict[str, Callable[..., Schedule]] = {
    "constant": constant,
    "linear": linear,
    "polynomial": polynomial,
    "step": step,
    "multi_step": multi_step,
    "exponential": exponential,
    "inverse_sqrt": inverse_sqrt,
    "cosine": cosine,
    "cosine_restarts": cosine_restarts,
    "flat_cosine": flat_cosine,
    "one_cycle": one_cycle,
    "cyclic": cyclic,
    "warm_up": warm_up,
    "warm_up_cosine": warm_up_cosine,
    "warm_up_stable_decay": warm_up_stable_decay,
    "plateau": Plateau,
}


def schedule_named(text: str) -> Schedule:
    """The schedule of a name with its arguments; raises ``ParameterError`` with the nearest known one.

    >>> schedule_named("step(every=30, factor=0.5)")(0.0, [{}] * 30)
    0.5
    """
    return named("schedule", text, SCHEDULES)


def _bend(start: float, end: float, t: float) -> float:
    """Half a cosine wave from ``start`` at t = 0 to ``end`` at t = 1."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * t))


def _within(progress: float, cycles: int) -> float:
    """How far the cycle under way is; the run's last moment still belongs to the last cycle."""
    return progress * cycles - min(math.floor(progress * cycles), math.ceil(cycles) - 1)
