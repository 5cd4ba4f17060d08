"""Healing: apply the first remedy that parameters can carry, train again, keep the better network."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from ganglion.diagnose.finding import Finding

BALANCED = ("ignored_imbalance",)


@dataclass
class Healed:
    """What was tried: the finding, the parameters before and after, and the score before and after."""

    estimator: Any
    finding: Finding | None
    changed: dict[str, tuple[Any, Any]]
    metric: str
    before: float
    after: float
    stopped: str = ""  # why the second training ended

    @property
    def kept(self) -> bool:
        """Whether the second network was better, and is the one in ``estimator``."""
        return self.finding is not None and better(self.after, self.before)

    @property
    def in_words(self) -> str:
        """The changed parameters: ``lr 0.1 -> 0.01, dropout 0.1 -> 0.3``."""
        return in_words(self.changed)


def heal(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    validation: Any = None,
    judge: Callable[[Any], float] | None = None,
    settings: dict[str, Any] | None = None,
    say: Callable[[str], None] | None = None,
) -> Healed:
    """Apply the first finding's remedy to a fitted estimator, train it again, and keep the better of the two.

    Arguments:
        estimator: fitted; it is not changed.
        X, y, sample_weight, validation: what it was fitted on.
        judge: ``judge(estimator) -> score``, higher is better; by default the score of the validation part
            that the fit kept aside (balanced accuracy where classes were out of balance).
        settings: parameters of the second training that stand whatever the remedy says.
        say: called with one sentence before the second training.

    >>> from sklearn.datasets import load_iris
    >>> from ganglion.estimators.mlp import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> healed = heal(MLPClassifier(lr=1e-6, max_epochs=20).fit(X, y), X, y)
    >>> healed.changed["lr"][1] > 1e-6
    True
    """
    finding, change = first_remedy(estimator, kept=settings or {})
    metric = "balanced_accuracy" if finding is not None and finding.name in BALANCED else "score"
    score = judge or (lambda fitted: validation_score(fitted, metric))
    before = score(estimator)
    if finding is None:
        return Healed(estimator, None, {}, metric, before, before)
    changed = {k: (getattr(estimator, k), v) for k, v in change.items()}
    if say is not None:
        say(f"found {finding.name.replace('_', ' ')}; training again with {in_words(changed)}")
    apart = {
        k: None if k == "checkpoint" else False for k in ("checkpoint", "resume") if hasattr(estimator, k)
    }
    second = clone(estimator).set_params(**{**change, **apart, **(settings or {})})
    second.fit(
        X, y, sample_weight=sample_weight, **({} if validation is None else {"validation": validation})
    )
    after = score(second)
    kept = second if better(after, before) else estimator
    return Healed(kept, finding, changed, metric, before, after, second.record_.stopped)


def better(after: float, before: float) -> bool:
    """Whether a score is higher than another, which may be no number at all."""
    return after > before or (math.isnan(before) and not math.isnan(after))


def first_remedy(estimator: Any, kept: Any = ()) -> tuple[Finding | None, dict[str, Any]]:
    """The first finding that parameters can follow, and those parameters, without the ``kept`` ones."""
    for finding in estimator.diagnosis_:
        if finding.severity in ("error", "warning"):
            change = {k: v for k, v in estimator.remedy(finding).items() if k not in kept}
            if change:
                return finding, change
    return None, {}


def in_words(changed: dict[str, tuple[Any, Any]]) -> str:
    """Changed parameters in words: ``lr 0.1 -> 0.01, dropout 0.1 -> 0.3``."""
    return ", ".join(f"{k} {shown(a)} -> {shown(b)}" for k, (a, b) in changed.items())


def shown(value: Any) -> str:
    """A parameter in a sentence."""
    if isinstance(value, tuple | list):
        return ",".join(map(shown, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower() if value is None else str(value)


def validation_score(estimator: Any, metric: str) -> float:
    """The score of the rows kept aside while fitting, else of the training rows."""
    scores = estimator.record_.scores
    part = scores.get("validation") or scores["train"]
    return part.get(metric, part["score"])
