"""The few scores that every fit keeps of itself, cheap enough for the smallest one."""

import numpy as np


def fit_scores(goal: np.ndarray, answer: np.ndarray, classes: int | None = None) -> dict[str, float]:
    """Accuracy and balanced accuracy of class codes, or R^2 (mean over outputs) of numbers, as ``score`` too.

    Arguments:
        goal: (n,) codes, or (n, k) numbers.
        answer: predictions of the same shape.
        classes: number of classes; ``None`` for numbers.

    >>> fit_scores(np.array([0, 0, 1]), np.array([0, 0, 0]), classes=2)["balanced_accuracy"]
    0.5
    """
    if classes is None:
        rest = ((goal - answer) ** 2).mean(0)
        spread = ((goal - goal.mean(0)) ** 2).mean(0)
        r2 = float(np.mean(1.0 - rest / np.maximum(spread, 1e-12)))
        return {"score": r2, "r2": r2}
    hits = goal == answer
    totals = np.bincount(goal, minlength=classes)
    right = np.bincount(goal[hits], minlength=classes)
    seen = totals > 0
    accuracy = float(hits.mean())
    return {
        "score": accuracy,
        "accuracy": accuracy,
        "balanced_accuracy": float((right[seen] / totals[seen]).mean()),
    }
