"""What a recogniser does with streams: it spots keywords, above a confidence learned for few false alarms."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Between
from ganglion.base.numbers import number
from ganglion.data.padded import Ragged
from ganglion.data.sound import read_sounds
from ganglion.models.spotting import Spotted, hits_and_alarms, keyword_confidence, peaks, threshold_for

APART = 0.3  # seconds, below which two peaks are one word
NOT_LEARNED = 1  # the label of all such words
LEAST_WINDOW = 1.0  # seconds that the network hears at a time at least


class Spotting:
    """Keyword spotting of an estimator with ``module_``, ``tokenizer_``, ``longest_`` and ``_heard``."""

    module_: Any
    tokenizer_: Any
    thresholds_: dict[str, float]
    longest_: int
    rate: int

    def spot(self, X: Any, keyword: str, *, threshold: float | None = None) -> list[Spotted]:
        """Where in each stream the keyword is said: times (m, 2) in seconds, and confidences (m,).

        The confidence is that of ``models.spotting.keyword_confidence``; moments less than 0.3 s apart are one.
        Streams are heard through windows as long as the longest recording that was learned from, which overlap by half.

        Arguments:
            X: recordings of any length, as of ``fit``.
            keyword: a learned word, or several.
            threshold: confidence from 0 to 1 that must be exceeded; by default that of ``learn_threshold``.

        Raises ``DataError`` for a keyword that was not learned, or without a threshold; ``ParameterError`` for a
        threshold out of range.
        """
        check_is_fitted(self, ["module_"])
        labels = self._keyword(keyword)
        if threshold is None:
            threshold = self.thresholds_.get(keyword)
            if threshold is None:
                raise DataError(
                    f"no threshold was learned for {keyword!r}; call learn_threshold with streams in which it is not "
                    "said, or give threshold= from 0 to 1."
                )
        number("spot's threshold", threshold, Between(0, 1))
        return [_above(found, threshold) for found in self._candidates(X, labels)]

    def learn_threshold(self, X: Any, keyword: str, *, times: Any = None, false_alarms: float = 1.0) -> float:
        """Learn the lowest confidence above which the keyword is falsely spotted so seldom; it is kept for ``spot``.

        Arguments:
            X: streams, not those that were learned from.
            keyword: as of ``spot``.
            times: for each stream where the keyword is said, (m_i, 2) seconds; by default nowhere.
            false_alarms: a minute at most, in all streams together. New streams have as many on average, so ask for
                fewer than can be borne.

        Raises ``DataError`` as ``spot``, and for times that are none; ``ParameterError`` for ``false_alarms`` below 0.
        """
        check_is_fitted(self, ["module_"])
        number("learn_threshold's false_alarms", false_alarms, AtLeast(0))
        labels = self._keyword(keyword)
        waves = read_sounds(X, self.rate)[0]
        true = [np.zeros((0, 2))] * len(waves) if times is None else _times(times, len(waves))
        found = self._candidates(waves, labels)
        alarms = [one.confidences[hits_and_alarms(one, own)[1]] for one, own in zip(found, true)]
        minutes = sum(map(len, waves)) / self.rate / 60
        learned = threshold_for(np.concatenate(alarms), minutes, false_alarms)
        self.thresholds_ = {**self.thresholds_, keyword: learned}
        return learned

    def _keyword(self, keyword: Any) -> list[int]:
        """The labels of a keyword."""
        labels = self._labels([keyword])[0].tolist() if isinstance(keyword, str) else []  # type: ignore[attr-defined]
        labels = [label for label in labels if label]
        if not labels or NOT_LEARNED in labels:
            raise DataError(
                f"a keyword of learned words is expected, got {keyword!r}; give one from the texts of fit."
            )
        return labels

    def _candidates(self, X: Any, labels: list[int]) -> Iterator[Spotted]:
        """Of each stream all moments that are surer than those around them."""
        reach, step = max(1, round(APART / self.module_.seconds)), self.module_.seconds
        for wave in read_sounds(X, self.rate)[0]:
            confidence, begin = keyword_confidence(self._streamed(wave), labels)
            at = peaks(confidence, reach)
            yield Spotted(np.stack([begin[at], at], 1) * step, np.minimum(confidence[at], 1.0))

    def _streamed(self, wave: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-probabilities (S, k) of a stream, heard through windows of which the middle half counts."""
        unit = round(self.module_.seconds * self.rate)  # samples a step
        margin = max(1, int(max(self.longest_, LEAST_WINDOW * self.rate)) // unit // 4)
        steps = int(self.module_.steps(torch.tensor(len(wave))))
        starts = np.arange(0, steps, 2 * margin)
        first = np.maximum(starts - margin, 0)
        windows = [wave[a * unit : (s + 3 * margin) * unit] for a, s in zip(first, starts)]
        offsets = np.append(0, np.cumsum([len(window) for window in windows])).astype(np.int64)
        x = Ragged(torch.from_numpy(np.concatenate(windows)), offsets, float("nan"))
        parts: list[Any] = [None] * len(windows)
        for rows, logits, _ in self._heard(x):  # type: ignore[attr-defined]
            for row, own in zip(rows, logits.double().log_softmax(2).numpy()):
                skip = starts[row] - first[row]
                parts[row] = own[skip : skip + min(2 * margin, steps - starts[row])]
        return np.concatenate(parts)


def _above(found: Spotted, threshold: float) -> Spotted:
    kept = found.confidences > threshold
    return Spotted(found.times[kept], found.confidences[kept])


def _times(times: Any, n: int) -> list[NDArray[np.float64]]:
    """For each of n streams its times (m_i, 2); raises ``DataError``."""
    if not hasattr(times, "__len__") or len(times) != n:
        got = len(times) if hasattr(times, "__len__") else type(times).__name__
        raise DataError(f"times are expected for each of {n} streams, got {got}; give one list a stream.")
    found = []
    for i, own in enumerate(times):
        try:
            array = np.asarray(own, dtype=np.float64).reshape(-1, 2)
        except (TypeError, ValueError):
            array = np.full((1, 2), np.nan)
        if not (array[:, 0] <= array[:, 1]).all():
            raise DataError(
                f"times (m, 2) of beginnings and ends in seconds are expected, those of stream {i} (counted from 0) "
                "are not; give such an array."
            )
        found.append(array)
    return found
