"""ROUGE: how much of what people wrote stands in a text, and how much of the text in what they wrote."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ganglion.base.errors import DataError, ParameterError
from ganglion.metrics.edits import longest_common


class Overlap(NamedTuple):
    """The shares of the text, of the reference, and their harmonic mean, from 0 to 1."""

    precision: float
    recall: float
    f1: float


def rouge(texts: Sequence[str], references: Sequence[str | Sequence[str]], kind: str = "1") -> Overlap:
    """ROUGE-N or ROUGE-L of texts against one or several references each, mean over the texts.

    ROUGE-N counts the runs of N words that text and reference share (each as often as the rarer side has it), ROUGE-L
    the words of the longest sequence that stands in both, gaps allowed; divided by all of the text it is the precision
    P, by all of the reference the recall R, and ``F1 = 2 P R / (P + R)``, where what has no words has 0 (Lin 2004). Of
    several references the one of highest F1 counts. Words are what stands between white space, as ``bleu`` has it, so
    take off capitals and points first where they should not matter.

    Arguments:
        texts: (m,) to be judged.
        references: (m,), each a text or several.
        kind: "1", "2", ... or "l".

    Raises ``DataError`` where the numbers differ, without any text, or for a text without reference;
    ``ParameterError`` for another kind.

    >>> rouge(["police killed the gunman"], ["the gunman killed police"], "2").f1
    0.3333333333333333
    >>> rouge(["police kill the gunman"], ["police killed the gunman"], "l").recall
    0.75
    """
    if not re.fullmatch("[1-9][0-9]{0,2}|l", str(kind)):
        raise ParameterError(
            f"kind of ROUGE must be '1', '2', ... or 'l', got {kind!r}; '1', '2' and 'l' are usual."
        )
    if len(texts) != len(references) or not len(texts):
        raise DataError(
            f"references for each of one or more texts are expected, got {len(references)} for {len(texts)} texts; "
            "give as many."
        )
    best = []
    for i, (text, given) in enumerate(zip(texts, references)):
        words, others = text.split(), [one.split() for one in ([given] if isinstance(given, str) else given)]
        if not others:
            raise DataError(f"a reference for every text is expected, but text {i} has none; give one.")
        best.append(max((_overlap(words, other, kind) for other in others), key=lambda found: found.f1))
    return Overlap(*(sum(values) / len(best) for values in zip(*best)))


def _overlap(words: list[str], other: list[str], kind: str) -> Overlap:
    if kind == "l":
        return _ratios(longest_common(words, other), len(words), len(other))
    own, theirs = (Counter(zip(*(side[i:] for i in range(int(kind))))) for side in (words, other))
    return _ratios((own & theirs).total(), own.total(), theirs.total())


def _ratios(shared: int, own: int, theirs: int) -> Overlap:
    if not shared:
        return Overlap(0.0, 0.0, 0.0)
    return Overlap(shared / own, shared / theirs, 2 * shared / (own + theirs))
