"""Learning-rate schedules: pure functions of how far the run is, so that a resumed run needs no state.

A schedule maps ``(progress, history)`` to a factor on the learning rate: ``progress`` runs from 0 to 1 over
the planned steps, ``history`` holds the finished epochs' rows, so its length is the epoch.
"""

import math
from collections.abc import Callable
from typing import Any

from ganglion.base.fields import Above, AtLeast
from ganglion.base.named import named
from ganglion.base.record import watched
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


@bounded(factor=INSIDE, wait=AtLeast(1))
def plateau(factor: float = 0.5, wait: int = 5) -> Schedule:
    """Multiplied by ``factor`` whenever the validation loss (else the loss) stood still for ``wait`` epochs.

    >>> plateau(factor=0.5, wait=1)(0.5, [{"loss": 1.0}, {"loss": 1.0}])
    0.5
    """
    known = once_an_epoch(lambda history: factor ** len(stood_still(history, wait)))
    return lambda progress, history: known(history)


@bounded(wait=AtLeast(1), fall=AtLeast(1), flat=BELOW_ONE)
def cool_down(wait: int = 6, fall: int = 6, flat: float = 0.5) -> Schedule:
    """``flat_cosine``, or sooner: ``fall`` epochs along a cosine to 0 once the loss stood still for ``wait`` epochs.

    Early stopping by itself ends a run at its full step size, without the gain of a small one (as the decay of
    ``warm_up_stable_decay``, begun when it is time). The loss is that of the validation part where there is one.

    >>> still = [{"loss": 1.0}] * 5
    >>> [round(cool_down(wait=4, fall=2)(0.1, still + [{"loss": 1.0}] * n), 2) for n in range(3)]
    [0.85, 0.15, 0.0]
    """

    def cooled(history: History) -> float:
        begun = stood_still(history, wait)[:1]
        return _bend(1.0, 0.0, min(1.0, (len(history) - begun[0] + 0.5) / fall)) if begun else 1.0

    planned, known = flat_cosine(flat), once_an_epoch(cooled)
    return lambda progress, history: min(planned(progress, history), known(history))


def stood_still(history: History, wait: int) -> list[int]:
    """The epochs, from 1, at which the validation loss (else the loss) had stood still for ``wait`` epochs.

    >>> stood_still([{"loss": v} for v in (3.0, 2.0, 2.0, 2.5, 2.0, 1.0)], wait=2)
    [4]
    """
    best, since, found = math.inf, 0, []
    for epoch, row in enumerate(history, 1):
        value = watched(row)
        if value < best - 1e-4 * abs(best) or best == math.inf:
            best, since = value, 0
        elif (since := since + 1) >= wait:
            found, since = [*found, epoch], 0
    return found


def once_an_epoch(find: Callable[[History], float]) -> Callable[[History], float]:
    """A function of the history that is asked at every step and computes only when an epoch has come to it."""
    known: list[tuple[Any, int, float]] = [(None, 0, 1.0)]  # (history, its length, value): only a cache

    def found(history: History) -> float:
        last = known[0]  # read once: runs in other threads share it
        if last[0] is not history or last[1] != len(history):
            last = known[0] = (history, len(history), find(history))
        return last[2]

    return found


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
    "plateau": plateau,
    "cool_down": cool_down,
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
