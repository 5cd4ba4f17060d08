"""A finding: what a training record shows, by which numbers, what it means and what to do about it."""

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from ganglion.base.errors import GanglionError, unknown_name

Severity = Literal["error", "warning", "note", "ok"]

PAGE = "diagnosis.md"

# what a remedy may ask for: action -> (can it be done by parameters alone, what ``amount`` means)
ACTIONS: dict[str, tuple[bool, str]] = {
    "lower_lr": (True, "factor on the learning rate, below 1"),
    "raise_lr": (True, "factor on the learning rate, above 1"),
    "keep_lr": (True, "name of a schedule that does not fall early"),
    "scale_inputs": (True, "nothing: let the estimator scale its columns"),
    "clip_norm": (True, "bound on the gradient's norm"),
    "reset_init": (True, "nothing: the usual initialisation for the activation"),
    "change_activation": (True, "name of the activation"),
    "regularise": (True, "share of units to drop"),
    "regularise_less": (True, "factor on dropout and penalties"),
    "earlier_stop": (True, "patience in epochs"),
    "smaller_network": (True, "factor on the widths, below 1"),
    "grow": (True, "factor on the widths, above 1"),
    "more_epochs": (True, "factor on the number of epochs"),
    "larger_batch": (True, "examples per step to have at least"),
    "smaller_batch": (True, "examples per step to have at most"),
    "change_optimizer": (True, "name of the optimiser"),
    "normalise": (True, "name of the normalisation of the hidden units"),
    "shortcuts": (True, "nothing: skips around the hidden layers"),
    "soften_labels": (True, "share of the label to spread over all classes"),
    "robust_loss": (True, "name of a loss that outliers do not rule"),
    "weigh_classes": (True, "nothing: weigh classes by their inverse frequency"),
    "drop_column": (False, "name of the column"),
    "more_rows": (False, "number of training rows to have at least"),
    "check_data": (False, "nothing: look at the target and the columns"),
    "check_layer": (False, "name of the layer whose computation overflows"),
}


@dataclass(frozen=True)
class Remedy:
    """What to do about a finding, said without any estimator's words.

    Arguments:
        action: one of ``ACTIONS``.
        amount: how much, as ``ACTIONS`` says for the action.
        sentence: the same for a person.

    Raises ``GanglionError`` for an action that is not known.

    >>> Remedy("lower_lr", 0.1, "Divide the learning rate by 10.").by_parameters
    True
    """

    action: str
    amount: float | str | None = None
    sentence: str = ""

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise GanglionError(unknown_name("remedy", self.action, list(ACTIONS)))

    @property
    def by_parameters(self) -> bool:
        """Whether an estimator can follow it by changing hyper-parameters alone."""
        return ACTIONS[self.action][0]

    def to_dict(self) -> dict[str, Any]:
        """The remedy as a plain dict (for JSON)."""
        return {"action": self.action, "amount": self.amount, "sentence": self.sentence}


@dataclass(frozen=True)
class Finding:
    """One thing that a record shows.

    Arguments:
        name: what it is called, e.g. ``"overfitting"``; ``"healthy"`` when nothing is wrong.
        severity: ``"error"`` (the result cannot be used), ``"warning"``, ``"note"`` or ``"ok"``.
        where: the layer, column or part of the data concerned, or ``""`` for the whole run.
        evidence: the numbers that led to it, each beside its threshold.
        meaning: one or two plain sentences.
        remedy: what to do, or ``None``.
        docs: page and anchor that explain it.
        lab: the experiment that shows it, or ``None``.

    Raises ``GanglionError`` for an unknown severity.

    >>> Finding("healthy", "ok", meaning="Nothing stands out.").docs
    'diagnosis.md#healthy'
    """

    name: str
    severity: Severity
    where: str = ""
    evidence: dict[str, float] = field(default_factory=dict)
    meaning: str = ""
    remedy: Remedy | None = None
    docs: str = ""
    lab: str | None = None

    def __post_init__(self) -> None:
        if self.severity not in get_args(Severity):
            raise GanglionError(unknown_name("severity", self.severity, list(get_args(Severity))))
        if not self.docs:
            object.__setattr__(self, "docs", f"{PAGE}#{self.name.replace('_', '-')}")

    @property
    def is_warning(self) -> bool:
        """Whether it asks for something to be done (an error or a warning)."""
        return self.severity in ("error", "warning")

    def to_dict(self) -> dict[str, Any]:
        """The finding as nested plain containers (for JSON).

        >>> Finding.from_dict(Finding("plateau", "warning").to_dict()) == Finding("plateau", "warning")
        True
        """
        remedy = None if self.remedy is None else self.remedy.to_dict()
        return {**self.__dict__, "evidence": dict(self.evidence), "remedy": remedy}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Finding":
        """The finding from ``to_dict``; keys of a later version are left out.

        Raises ``GanglionError`` for an unknown severity or action.
        """
        known = {k: v for k, v in values.items() if k in cls.__dataclass_fields__}
        remedy = known.get("remedy")
        if isinstance(remedy, dict):
            known["remedy"] = Remedy(**{k: v for k, v in remedy.items() if k in Remedy.__dataclass_fields__})
        return cls(**known)
