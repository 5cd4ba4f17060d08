"""Keywords in long streams: where, how surely, and above which confidence there are few enough false alarms.

Axes: S steps, k symbols, m labels of the keyword.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.models.ctc import BLANK

NEAR = 0.25  # seconds that a spotted moment may lie outside of the word: CTC's peaks stand where they please


class Spotted(NamedTuple):
    """Where a keyword was spotted: times (n, 2) of first and last label in seconds, and confidences (n,)."""

    times: NDArray[np.float64]
    confidences: NDArray[np.float64]


def keyword_confidence(
    log_probs: NDArray[np.float64], labels: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """How surely a keyword ends at each step (S,), and the step at which its best alignment begins (S,).

    ``max_a (prod_t p_t(a_t))^(1 / m)`` over the alignments a from the keyword's first label to its last, blanks and
    lasting labels between them: for a single label, its probability at the step.

    Arguments: ``log_probs`` (S, k), labels (m,) from 1 on.

    >>> log_probs = np.log([[0.1, 0.9, 0.001], [0.8, 0.1, 0.1], [0.5, 0.001, 0.5]])
    >>> confidence, begin = keyword_confidence(log_probs, [1, 2])
    >>> confidence.round(2).tolist(), begin.tolist()  # (0.9 * 0.8 * 0.5)^0.5 = 0.6
    ([0.0, 0.3, 0.6], [0, 0, 0])
    """
    symbols = np.full(2 * len(labels) - 1, BLANK)
    symbols[::2] = labels
    jump = np.zeros(len(symbols), dtype=bool)  # from label to label, without a blank where they differ
    jump[2::2] = symbols[2::2] != symbols[:-2:2]
    value = np.full(len(symbols), -np.inf)
    start = np.zeros(len(symbols), dtype=np.int64)
    last, begin = np.empty(len(log_probs)), np.empty(len(log_probs), np.int64)
    for t, row in enumerate(log_probs):
        ways = np.full((3, len(symbols)), -np.inf)
        ways[0], ways[1, 1:], ways[2, 2:] = value, value[:-1], value[:-2]
        ways[2, ~jump] = -np.inf
        best = ways.argmax(0)
        value = ways[best, np.arange(len(symbols))] + row[symbols]
        start = start[np.arange(len(symbols)) - best]
        value[0], start[0] = row[symbols[0]], t  # a new beginning is never worse than a label that lasts
        last[t], begin[t] = value[-1], start[-1]
    return np.exp(last / len(labels)), begin


def peaks(confidence: NDArray[np.float64], reach: int) -> NDArray[np.int64]:
    """The steps where a confidence (S,) above 0 is the highest among ``reach`` on either side, the first of equals.

    >>> peaks(np.array([0.1, 0.9, 0.2, 0.0, 0.4, 0.4]), 2).tolist()
    [1, 4]
    """
    if not len(confidence) or reach < 1:
        return np.flatnonzero(confidence > 0)
    around = np.concatenate([np.full(reach, -1.0), confidence, np.full(reach, -1.0)])
    highest = np.lib.stride_tricks.sliding_window_view(around, reach).max(1)
    before, behind = highest[: len(confidence)], highest[reach + 1 :]
    return np.flatnonzero((confidence > before) & (confidence >= behind) & (confidence > 0))


def hits_and_alarms(
    spotted: Spotted, times: ArrayLike, near: float = NEAR
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of the true times (m, 2) were hit, and which of the spotted (n,) are false alarms.

    A spotted moment, the middle of its times, belongs to a true one that begins at most ``near`` seconds after it
    and ends at most so long before it.

    >>> hits, alarms = hits_and_alarms(Spotted(np.array([[1.0, 1.2], [9, 9]]), np.ones(2)), [[0.9, 1.3], [4, 5]])
    >>> hits.tolist(), alarms.tolist()
    ([True, False], [False, True])
    """
    true = np.asarray(times, dtype=np.float64).reshape(-1, 2)
    moment = spotted.times.mean(1)[:, None]
    belongs = (moment >= true[:, 0] - near) & (moment <= true[:, 1] + near)
    return belongs.any(0), ~belongs.any(1)


def threshold_for(confidences: ArrayLike, minutes: float, false_alarms: float) -> float:
    """The lowest threshold that confidences (n,) of false alarms exceed at most ``false_alarms`` times a minute.

    >>> threshold_for([0.2, 0.9, 0.5], minutes=2.0, false_alarms=0.5)
    0.5
    """
    falling = np.sort(np.asarray(confidences, dtype=np.float64))[::-1]
    allowed = math.floor(false_alarms * minutes + 1e-9)  # a product of rounded numbers
    return float(falling[allowed]) if allowed < len(falling) else 0.0
