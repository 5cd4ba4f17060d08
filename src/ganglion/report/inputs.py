"""What a report is made from: plain values, so that any loop, and not only an estimator, can have one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganglion.base.record import TrainingRecord

MAIN = {
    "binary": "accuracy",
    "multiclass": "accuracy",
    "regression": "r2",
    "forecast": "mase",
    "language": "nats",
    "translation": "bleu",
    "tagging": "tags",
}
"""Task -> the score that its page leads with where none is named."""


@dataclass(kw_only=True)
class ModelScore:
    """One model's line in the comparison; the network is the first of them."""

    name: str
    scores: Mapping[str, float]
    """Score name -> value, as in ``metrics``."""
    interval: tuple[float, float] | None = None
    """Low and high of the main score."""
    behind: tuple[float, float] | None = None
    """Low and high of "network minus this model" in the main score, turned so that above 0 is better."""
    seconds: float | None = None
    note: str = ""

    @classmethod
    def of(cls, compared: Any, *, seconds: float | None = None, note: str = "") -> "ModelScore":
        """The line of an ``evaluate.Compared``; ``seconds`` and ``note`` as in ``evaluate.Baseline``.

        >>> from types import SimpleNamespace as Thing
        >>> row = Thing(name="linear", scores={"r2": 0.5}, interval=Thing(low=0.4, high=0.6), behind=None)
        >>> ModelScore.of(row).interval
        (0.4, 0.6)
        """

        def ends(interval: Any) -> tuple[float, float] | None:
            return None if interval is None else (float(interval.low), float(interval.high))

        return cls(
            name=compared.name,
            scores=compared.scores,
            interval=ends(compared.interval),
            behind=ends(compared.behind),
            seconds=seconds,
            note=note,
        )


@dataclass(kw_only=True)
class ColumnRow:
    """One input column in the table of the data section."""

    name: str
    kind: str
    missing: float = 0.0
    """Share of cells without a value, 0..1."""
    summary: str = ""
    """Levels or the range, in a few words."""
    treatment: str = ""
    """What was done with it before the network saw it."""


@dataclass(kw_only=True)
class Shown:
    """A picture of the test part with what is true and what was said of it."""

    pixels: Any
    """(h, w), (h, w, 1) or (h, w, 3), uint8 or floats in [0, 1]."""
    name: str
    """Of the file."""
    true: Any
    predicted: Any
    confidence: float
    """Probability given to the predicted class."""


@dataclass(kw_only=True)
class Pictures:
    """What only the page of a network for pictures shows."""

    mistakes: Sequence[Shown] = ()
    """Wrong answers, the surest first."""
    examples: Sequence[Shown] = ()
    """Some test pictures, not chosen by what was said of them."""
    augment: str = ""
    reasons: Sequence[str] = ()
    """Why the training pictures are varied as they are, in sentences."""
    augmented: Sequence[tuple[Any, Sequence[Any]]] = ()
    """Class -> a picture and varied versions of it, in floats from 0 to 1."""
    filters: Sequence[Any] = ()
    """Kernels of the first convolution as pictures."""
    maps_of: Shown | None = None
    maps: Sequence[tuple[str, Sequence[Any]]] = ()
    """Stage in words -> some of the maps that it makes of ``maps_of``."""
    steady: tuple[float, int] | None = None
    """Share of answers that stay when test pictures move by one pixel to each of four sides, and how many pictures."""
    refused: Sequence[tuple[str, str]] = ()
    """Name and sentence of files that are no sound pictures."""


@dataclass(kw_only=True)
class Piece:
    """A piece of a text, for example a character, a word or a token."""

    text: str
    """With the spaces and line breaks around it; where pieces have something under them, they stand apart anyway."""
    weight: float = 0.0
    """From 0 to 1, shades the background: how surprising it is, how much it counts."""
    mark: str = ""
    """``""``, ``"good"`` or ``"poor"``."""
    under: str = ""
    """Small text beneath it, for example a tag."""


@dataclass(kw_only=True)
class Passage:
    """A text as it stands in a page."""

    pieces: Sequence[Piece] | str
    """Pieces in the order of reading, or plain text whose line breaks are kept."""
    name: str = ""
    note: str = ""


@dataclass(kw_only=True)
class Drawing:
    """A figure with its heading and how to read it."""

    axes: Any
    title: str
    caption: str = ""


@dataclass(kw_only=True)
class Part:
    """One section of a page; what is empty in it is left out.

    >>> Part(id="examples", name="Examples", title="Some sentences", heads=["word", "tag"], rows=[("a", "DET")]).id
    'examples'
    """

    id: str
    """Where the contents lead to; differs between the sections of a page."""
    name: str
    """In the contents."""
    title: str
    lead: str = ""
    figures: Sequence[Drawing] = ()
    heads: Sequence[str] = ()
    """Of the columns of ``rows``."""
    rows: Sequence[Sequence[Any]] = ()
    passages: Sequence[Passage] = ()
    numbers: Sequence[int] = ()
    """Places of the columns that hold numbers and stand to the right."""


@dataclass(kw_only=True)
class Healing:
    """What ``--heal`` tried and what came of it."""

    finding: str
    changed: Mapping[str, tuple[Any, Any]]
    """Parameter -> (before, after)."""
    metric: str
    before: float
    after: float
    kept: bool = True
    """Whether the second network was the better one and was kept."""


@dataclass(kw_only=True)
class Reproduce:
    """What somebody needs to get the same network again."""

    command: str = ""
    python: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    data_hash: str = ""


@dataclass(kw_only=True)
class ReportInput:
    """Everything a page shows; what is empty is left out of the page.

    Arrays describe the rows that the scores were measured on (``split`` names them): ``y_true`` labels
    ``(n,)`` or numbers ``(n,)`` / ``(n, outputs)``; ``prediction`` the same shape; ``proba`` ``(n, k)`` for
    classes. Findings are objects or dictionaries with ``name``, ``severity``, ``where``, ``evidence``,
    ``meaning`` and ``remedy`` (with a ``sentence``, or a sentence); mistakes as ``evaluate.Mistake``.

    >>> ReportInput(title="Churn", target="left", task="binary", record=TrainingRecord()).family
    'table'
    """

    title: str
    target: str | Sequence[str]
    task: str
    """One of ``MAIN``; in ``"tagging"`` the arrays hold one label per word."""
    record: TrainingRecord
    family: str = "table"
    """Which file of ``report/sections`` builds the page."""
    created: str = ""
    source: str = ""
    """Where the data came from, for example the file name."""
    plan: str = ""
    """The plan line that the command printed."""
    unit: str = "rows"
    """What the examples are called."""
    split: str = "validation rows"
    split_note: str = ""
    """One sentence on what the scores may hide, for example that these rows also chose the best epoch."""
    columns: Sequence[ColumnRow | Mapping[str, Any]] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the data in words -> value."""
    notes: Sequence[str] = ()
    """Sentences on what was noticed in the data."""
    findings: Sequence[Any] = ()
    models: Sequence[ModelScore] = ()
    """The network first, then the baselines, all on the same rows."""
    metric: str | None = None
    """The main score; that of the task in ``MAIN`` where none is given."""
    classes: Sequence[Any] = ()
    positive: Any = None
    """The class that ``proba`` means in a binary task; the second where none is given."""
    outputs: Sequence[str] = ()
    """Names of several targets."""
    y_true: Any = None
    prediction: Any = None
    proba: Any = None
    importances: Sequence[tuple[str, float, float]] = ()
    importance_metric: str = ""
    mistakes: Sequence[Any] = ()
    pictures: Pictures | None = None
    parts: Sequence[Part] = ()
    """Sections that only this family has, in their order."""
    said: Sequence[tuple[str, bool]] = ()
    """The first screen's sentence in pieces, each with whether it stands out; made from the scores where empty."""
    healing: Healing | None = None
    reproduce: Reproduce = field(default_factory=Reproduce)
    deploy: Mapping[str, str] = field(default_factory=dict)
    """Heading -> snippet of code, in the order shown."""

    @property
    def main_metric(self) -> str:
        """The score that the page leads with."""
        return self.metric or MAIN[self.task]

    @property
    def targets(self) -> list[str]:
        """The names of what is predicted."""
        named = [self.target] if isinstance(self.target, str) else list(self.target)
        return list(self.outputs) or named
