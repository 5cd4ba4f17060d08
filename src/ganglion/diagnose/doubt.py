"""Signs that targets are wrong: models that are sure of another class, errors far outside of the others."""

import numpy as np
from numpy.typing import NDArray

GROSS = (
    5.0  # robust standard deviations; of Gaussian errors one in a million lies beyond, of Laplace ones 0.6 %
)
LEAST = 20  # rows; a share of fewer is chance


def confident_errors(codes: NDArray, answers: NDArray, part: int = 4) -> dict[str, float]:
    """How often a model contradicts the labels in the quarter of the rows where it is surest.

    Where classes merely overlap, a sound model is right where it is sure; labels that are wrong anywhere
    contradict it there as often as elsewhere (the idea of confident learning: Northcutt et al. 2021,
    arXiv:1911.00068). Sureness is the distance of the two largest answers, of which only the order counts.

    Arguments:
        codes: (n,) class codes, of rows that the model has not learned from.
        answers: (n, k) logits, probabilities or other evidence for the classes.
        part: the surest 1 / part of the rows; 2 where rows are few.

    Returns ``share`` of contradicted rows, ``rows`` it is taken from, and ``all``, the share among all rows; empty
    below 20 such rows.

    >>> answers = np.eye(2)[np.arange(80) % 2]
    >>> confident_errors(np.arange(80) % 2, answers)["share"]
    0.0
    """
    surest = len(codes) // part
    if surest < LEAST or answers.shape[1] < 2 or not np.isfinite(answers).all():
        return {}
    ranked = np.sort(answers, axis=1)
    order = np.argsort(ranked[:, -2] - ranked[:, -1], kind="stable")
    wrong = answers.argmax(1)[order] != codes[order]
    return {"share": float(wrong[:surest].mean()), "rows": surest, "all": float(wrong.mean())}


def gross_errors(residuals: NDArray) -> dict[str, float]:
    """The share of residuals beyond five robust standard deviations (1.4826 times the median distance).

    Arguments:
        residuals: (n,) of rows that the model has not learned from.

    Returns ``share`` and ``rows``; empty below 20 rows or without spread.

    >>> errors = np.concatenate([np.linspace(-1, 1, 90), np.full(10, 50.0)])
    >>> gross_errors(errors)["share"]
    0.1
    """
    if len(residuals) < LEAST or not np.isfinite(residuals).all():
        return {}
    apart = np.abs(residuals - np.median(residuals))
    spread = 1.4826 * float(np.median(apart))
    if spread <= 0:
        return {}
    return {"share": float((apart > GROSS * spread).mean()), "rows": len(residuals)}
