"""Healing: apply the first remedy that parameters can carry, train again, keep the better network."""

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

    @property
    def kept(self) -> bool:
        """Whether the second network was better, and is the one in ``estimator``."""
        return self.finding is not None and self.after > self.before


def heal(
    estimator: Any, X: Any, y: Any, *, sample_weight: Any = None, judge: Callable[[Any], float] | None = None
) -> Healed:
    """Apply the first finding's remedy to a fitted estimator, train it again, and keep the better of the two.

    Arguments:
        estimator: fitted; it is not changed.
        X, y, sample_weight: what it was fitted on.
        judge: ``judge(estimator) -> score``, higher is better; by default the score of the validation part
            that the fit kept aside (balanced accuracy where classes were out of balance).

    >>> from sklearn.datasets import load_iris
    >>> from ganglion.estimators.mlp import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> healed = heal(MLPClassifier(lr=1e-6, max_epochs=20).fit(X, y), X, y)
    >>> healed.changed["lr"][1] > 1e-6
    True
    """
    finding, change = first_remedy(estimator)
    metric = "balanced_accuracy" if finding is not None and finding.name in BALANCED else "score"
    score = judge or (lambda fitted: validation_score(fitted, metric))
    before = score(estimator)
    if finding is None:
        return Healed(estimator, None, {}, metric, before, before)
    second = clone(estimator).set_params(**change).fit(X, y, sample_weight=sample_weight)
    after = score(second)
    changed = {k: (getattr(estimator, k), v) for k, v in change.items()}
    return Healed(second if after > before else estimator, finding, changed, metric, before, after)


def first_remedy(estimator: Any) -> tuple[Finding | None, dict[str, Any]]:
    """The first finding that parameters can follow, and those parameters."""
    for finding in estimator.diagnosis_:
        if finding.severity in ("error", "warning") and (change := estimator.remedy(finding)):
            return finding, change
    return None, {}


def validation_score(estimator: Any, metric: str) -> float:
    """The score of the rows kept aside while fitting, else of the training rows."""
    scores = estimator.record_.scores
    part = scores.get("validation") or scores["train"]
    return part.get(metric, part["score"])
