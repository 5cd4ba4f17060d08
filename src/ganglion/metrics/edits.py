"""How far one sequence is from another: the fewest edits, and the longest sequence that both contain."""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError


def edit_distance(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The fewest insertions, deletions and replacements of one entry that make one sequence the other.

    ``d[i, j] = min(d[i-1, j] + 1, d[i, j-1] + 1, d[i-1, j-1] + (a_i != b_j))`` (Levenshtein 1966), a row of d at once:
    time is the product of the lengths, memory the shorter one.

    >>> edit_distance("kitten", "sitting")
    3
    """
    (short, long), places = _coded(one, other), np.arange(min(len(one), len(other)) + 1)
    row = places
    for i, code in enumerate(long, 1):
        new = np.empty_like(row)
        new[0] = i
        np.minimum(row[1:] + 1, row[:-1] + (short != code), out=new[1:])
        # insertions cost 1 for each place from the cheapest one before
        row = np.minimum.accumulate(new - places) + places
    return int(row[-1])


def longest_common(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The length of the longest sequence that stands in both, in order but not necessarily without gaps.

    ``l[i, j] = max(l[i-1, j], l[i, j-1], l[i-1, j-1] + (a_i == b_j))``, a row of l at once.

    >>> longest_common("kitten", "sitting")
    4
    """
    short, long = _coded(one, other)
    row = np.zeros(len(short) + 1, dtype=np.int64)
    for code in long:
        row[1:] = np.maximum(row[1:], row[:-1] + (short == code))
        np.maximum.accumulate(row, out=row)
    return int(row[-1])


def word_error_rate(texts: Sequence[str], references: Sequence[str]) -> float:
    """The fewest edits of words that make texts their references, per word of the references; above 1 if very wrong.

    Summed over all texts before dividing. Words are what stands between white space, capitals and points included.

    Arguments: ``texts`` (m,) to be judged, ``references`` (m,). Raises ``DataError`` where the numbers differ, and for
    references without a word.

    >>> word_error_rate(["the cat sat", "no"], ["the cat sat down", "no no"])
    0.3333333333333333
    """
    return _rate([text.split() for text in texts], [text.split() for text in references], "word")


def character_error_rate(texts: Sequence[str], references: Sequence[str]) -> float:
    """As ``word_error_rate`` with characters (code points) in the place of words, white space included.

    >>> character_error_rate(["cat"], ["cart"])
    0.25
    """
    return _rate(texts, references, "character")


def _rate(texts: Sequence[Sequence[str]], references: Sequence[Sequence[str]], unit: str) -> float:
    if len(texts) != len(references):
        raise DataError(
            f"a reference for each text is expected, got {len(references)} for {len(texts)} texts; give as many."
        )
    length = sum(map(len, references))
    if not length:
        raise DataError(
            f"references with at least one {unit} are expected, got none; give what was to be said."
        )
    return sum(map(edit_distance, texts, references)) / length


def _coded(one: Sequence[Hashable], other: Sequence[Hashable]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Both as whole numbers, equal ones for equal entries, the shorter first."""
    codes: dict[Hashable, int] = {}
    first, second = (
        np.array([codes.setdefault(entry, len(codes)) for entry in part], dtype=np.int64)
        for part in (one, other)
    )
    return (first, second) if len(first) <= len(second) else (second, first)
