"""BLEU: how many runs of words a text shares with texts that people wrote for the same thing."""

import math
from collections import Counter
from collections.abc import Sequence

from ganglion.base.errors import DataError, ParameterError, unknown_name

SMOOTHINGS = ("exp", "floor", "add-k", "none")
FLOOR, K = (
    0.1,
    1,
)  # what "floor" puts for 0 matches, what "add-k" adds to matches and runs of two words and more


def bleu(
    texts: Sequence[str], references: Sequence[str | Sequence[str]], *, n: int = 4, smooth: str = "exp"
) -> float:
    """The corpus-level BLEU of texts against one or several references each, from 0 to 1.

    ``BP exp(mean_{i <= n} log p_i)``, where p_i is the share of the texts' runs of i words that stand in a reference
    (each at most as often as in the reference that has it most often), summed over all texts before dividing; and
    ``BP = min(1, exp(1 - r / c))`` of the texts' length c and that of the references of nearest length r (Papineni et
    al. 2002). Words are what stands between white space. Times 100 it is sacrebleu's number with ``tokenize="none"``.

    Arguments:
        texts: (m,) to be judged.
        references: (m,), each a text or several.
        n: words of the longest runs.
        smooth: what stands for a p_i without a match, as sacrebleu names it: ``"exp"`` halves 1 / runs with every such
            i, ``"floor"`` puts 0.1 matches, ``"add-k"`` counts one match and one run more for i > 1, ``"none"``
            leaves 0.

    Raises ``DataError`` where the numbers differ or a text has no reference, ``ParameterError`` for an unknown
    ``smooth`` or n below 1.

    >>> round(bleu(["the cat sat on the mat"], [["the cat sat on a mat", "there is a cat"]], n=2), 6)
    0.707107
    """
    if smooth not in SMOOTHINGS:
        raise ParameterError(unknown_name("smooth", smooth, list(SMOOTHINGS)))
    if n < 1:
        raise ParameterError(f"n of BLEU must be at least 1, got {n}; 4 is usual.")
    if len(texts) != len(references):
        raise DataError(
            f"references for each text are expected, got {len(references)} for {len(texts)} texts."
        )
    matches, runs, length, nearest = [0] * n, [0] * n, 0, 0
    for number, (text, given) in enumerate(zip(texts, references)):
        words, others = text.split(), [one.split() for one in ([given] if isinstance(given, str) else given)]
        if not others:
            raise DataError(f"a reference for every text is expected, but text {number} has none; give one.")
        length += len(words)
        nearest += min((len(other) for other in others), key=lambda size: (abs(size - len(words)), size))
        for i in range(n):
            said, most = _runs(words, i + 1), Counter[tuple[str, ...]]()
            for other in others:
                most |= _runs(other, i + 1)
            matches[i] += (said & most).total()
            runs[i] += said.total()
    shares = _shares(matches, runs, smooth)
    if not length or min(shares) == 0:
        return 0.0
    brevity = min(1.0, math.exp(1 - nearest / length))
    return brevity * math.exp(math.fsum(map(math.log, shares)) / n)


def _runs(words: list[str], i: int) -> Counter[tuple[str, ...]]:
    """How often each run of i words is there."""
    return Counter(tuple(words[at : at + i]) for at in range(len(words) - i + 1))


def _shares(matches: list[int], runs: list[int], smooth: str) -> list[float]:
    """The share of runs that matched for each length, with something in the place of 0."""
    if not any(matches):
        return [0.0]
    shares, empty = [], 0
    for i, (found, all_) in enumerate(zip(matches, runs)):
        if smooth == "add-k" and i > 0:
            found, all_ = found + K, all_ + K
        if not all_:  # no text has so many words
            return [0.0]
        empty += not found
        rest = {"exp": 0.5**empty, "floor": FLOOR}.get(smooth, 0.0)
        shares.append((found or rest) / all_)
    return shares
