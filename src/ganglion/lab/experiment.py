"""An experiment: a claim of the syllabus, how it is measured, and what the numbers must show."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ganglion.base.errors import GanglionError, unknown_name

Verdict = Literal["holds", "holds when", "does not hold"]
Topic = Literal["building blocks", "signals and starts", "optimisation", "regularisation", "generalisation"]

NOT_SHOWN = "not shown"
"""The verdict of a run whose numbers do not bear the experiment's own verdict."""


@dataclass(frozen=True)
class Setting:
    """How much an experiment may do: the base seed, and whether the reduced form is asked for."""

    seed: int = 0
    quick: bool = False

    def pick(self, full: Any, quick: Any) -> Any:
        """The one value in full, the other in the reduced form."""
        return quick if self.quick else full

    def seeds(self, full: int, quick: int) -> list[int]:
        """That many different seeds that follow from the base seed.

        >>> Setting(seed=3).seeds(2, 1)
        [30000, 30001]
        """
        start = self.seed * 10_000 % 2**31
        return [start + i for i in range(self.pick(full, quick))]


@dataclass(frozen=True)
class Check:
    """A sentence about measured numbers, and whether they bear it out."""

    sentence: str
    holds: bool

    @classmethod
    def below(cls, what: str, values: Sequence[float] | float, limit: float) -> "Check":
        """Every value lies below a limit.

        >>> Check.below("the error", [0.1, 0.2], 0.5)
        Check(sentence='the error: at most 0.2, below 0.5', holds=True)
        """
        worst = max(_listed(values))
        return cls(f"{what}: at most {worst:.3g}, below {limit:g}", worst < limit)

    @classmethod
    def above(cls, what: str, values: Sequence[float] | float, limit: float) -> "Check":
        """Every value lies above a limit."""
        worst = min(_listed(values))
        return cls(f"{what}: at least {worst:.3g}, above {limit:g}", worst > limit)

    @classmethod
    def between(cls, what: str, values: Sequence[float] | float, low: float, high: float) -> "Check":
        """Every value lies in an interval."""
        lowest, highest = min(_listed(values)), max(_listed(values))
        sentence = f"{what}: {lowest:.3g} to {highest:.3g}, between {low:g} and {high:g}"
        return cls(sentence, low <= lowest and highest <= high)

    @classmethod
    def more(
        cls,
        what: str,
        large: Sequence[float] | float,
        small: Sequence[float] | float,
        *,
        by: float = 0.0,
        times: float = 1.0,
    ) -> "Check":
        """The mean of ``large`` exceeds ``times`` the mean of ``small`` by more than ``by``.

        >>> Check.more("accuracy with and without", [0.9, 0.8], [0.6], by=0.1).holds
        True
        """
        a, b = _mean(large), _mean(small)
        margin = f" times {times:g}" if times != 1 else f", by more than {by:g}" if by else ""
        return cls(f"{what}: {a:.3g} against {b:.3g}{margin}", a > b * times + by)

    @classmethod
    def more_often(
        cls, what: str, large: Sequence[float], small: Sequence[float], *, share: float = 1.0
    ) -> "Check":
        """Seed by seed, ``large`` exceeds ``small`` in at least a share of the seeds."""
        won = sum(a > b for a, b in zip(large, small))
        return cls(f"{what}: in {won} of {len(large)} seeds", won >= share * len(large))


def _listed(values: Sequence[float] | float) -> list[float]:
    """The values as floats; a value that is not finite fails every comparison."""
    found = [values] if isinstance(values, int | float) else list(values)
    numbers = [float(v) for v in found]
    return numbers if numbers and all(map(math.isfinite, numbers)) else [math.nan]


def _mean(values: Sequence[float] | float) -> float:
    found = _listed(values)
    return sum(found) / len(found)


@dataclass
class Shown:
    """What an experiment's body hands back.

    Arguments:
        table: row -> column -> the values over the seeds (or one number, where nothing is random).
        checks: what the numbers must bear out.
        draw: draws the figure into matplotlib Axes.
        settings: what else is worth knowing about the run, as short words.
    """

    table: dict[str, dict[str, Sequence[float] | float]]
    checks: list[Check]
    draw: Callable[[Any], Any]
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Experiment:
    """A statement of the syllabus as something that runs; see ``experiment`` for the arguments."""

    name: str
    body: Callable[[Setting], Shown]
    topic: Topic
    claim: str
    method: str
    verdict: Verdict
    reading: str
    concepts: tuple[str, ...]
    corrects: tuple[str, ...]
    sources: tuple[str, ...]


EXPERIMENTS: dict[str, Experiment] = {}
"""Every experiment by name, filled by ``experiment``; ``ganglion.lab.experiments()`` imports all chapters first."""


def experiment(
    name: str,
    *,
    topic: Topic,
    claim: str,
    method: str,
    verdict: Verdict,
    reading: str,
    concepts: Sequence[str] = (),
    corrects: Sequence[str] = (),
    sources: Sequence[str] = (),
) -> Callable[[Callable[[Setting], Shown]], Callable[[Setting], Shown]]:
    """Put a function into the lab as an experiment.

    Arguments:
        name: words with hyphens; findings and the syllabus's table refer to it.
        topic: the chapter in which it stands.
        claim: the statement under test, in our own words; for a wrong statement the wrong one.
        method: how it is measured, one or two sentences.
        verdict: what the numbers show: the claim ``"holds"``, ``"holds when"`` or ``"does not hold"``.
        reading: one or two sentences: when it holds, or what is true instead.
        concepts: ids of the syllabus's concepts that it shows.
        corrects: ids (``"W3"``) of wrong or contested statements that it puts right.
        sources: author, year, identifier.

    Raises ``GanglionError`` for a name that is taken and for an unknown topic or verdict.
    """
    for kind, value, known in (("topic", topic, Topic), ("verdict", verdict, Verdict)):
        if value not in get_args(known):
            raise GanglionError(unknown_name(kind, value, list(get_args(known))))

    def put(body: Callable[[Setting], Shown]) -> Callable[[Setting], Shown]:
        known = EXPERIMENTS.get(name)
        if known is not None and known.body.__qualname__ != body.__qualname__:
            raise GanglionError(f"the experiment {name!r} is there already; give the new one another name.")
        EXPERIMENTS[name] = Experiment(
            name,
            body,
            topic,
            claim,
            method,
            verdict,
            reading,
            tuple(concepts),
            tuple(corrects),
            tuple(sources),
        )
        return body

    return put
