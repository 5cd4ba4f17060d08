"""Judging a trained network: baselines, comparison, importance of columns, worst mistakes."""

from ganglion.evaluate.baselines import Baseline, baselines
from ganglion.evaluate.compare import Compared, compare_scores
from ganglion.evaluate.importance import Importance, permutation_importance
from ganglion.evaluate.mistakes import Mistake, worst_mistakes

__all__ = [
    "Baseline",
    "Compared",
    "Importance",
    "Mistake",
    "baselines",
    "compare_scores",
    "permutation_importance",
    "worst_mistakes",
]
