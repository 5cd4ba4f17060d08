"""What a loss is: a cost for each example, and how the outputs that it asks for are read."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ganglion.base.fields import Bound
from ganglion.base.numbers import number


def same(thing: Any) -> Any:
    """Itself."""
    return thing


def zeros(goal: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Zero for each target: the mean of standardised numbers."""
    return np.zeros(goal.shape[1])


@dataclass(frozen=True)
class Loss:
    """A loss per example, and what a network that is trained with it tells.

    Arguments:
        value: ``(output (n, units), y) -> (n,)``.
        by_hand: ``(output, y) -> ((n,), dvalue/doutput (n, units))``, where the slope is written out.
        units: output units for k targets or classes; mostly k.
        answer: ``output (n, units) -> (n, k)``: the predicted numbers, or logits of the classes.
        noise: ``output -> (n, k)``: the standard deviation that the network predicts of itself, if it does.
        constant: ``(goal (n, k), weight (n,)) -> (units,)``: where an output that ignores its input starts.
        least: the smallest target that has a meaning.
        standardised: whether targets are brought to mean 0 and spread 1 first.
        mean: whether the answer is an average of targets, which R^2 and models of means can judge.
        couples_batch: whether an example's loss depends on the other examples of its batch.
    """

    value: Callable[..., Tensor]
    by_hand: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    units: Callable[[int], int] = same
    answer: Callable[[Tensor], Tensor] = same
    noise: Callable[[Tensor], Tensor] | None = None
    constant: Callable[[np.ndarray, np.ndarray], np.ndarray] = zeros
    least: float = -math.inf
    standardised: bool = True
    mean: bool = True
    couples_batch: bool = False


def checked(what: str, value: Any, bound: Bound) -> float:
    """A loss's own number, if it lies where it may; raises ``ParameterError``.

    >>> checked("delta of huber", 2, Bound(low=0, open_low=True))
    2.0
    """
    return float(number(what, value, bound))
