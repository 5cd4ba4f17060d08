"""Texts that describe pictures, read from what people give, and as codes of words."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import DataError

END, UNKNOWN, SPECIAL = 0, 1, 2  # codes of the end and of words outside the vocabulary; its own begin with 2


def read_captions(y: Any, n: int | None = None) -> list[list[str]]:
    """The captions of each picture: y (n,) holds a text or several for each, as a list, an array or a column.

    White space between words becomes one blank each; all else stays as it is. Raises ``DataError`` for what is no
    text, for a picture without any, and where there are not ``n``.

    >>> read_captions(["a  red disc", ["one", "another"]])
    [['a red disc'], ['one', 'another']]
    """
    listed = y.to_list() if hasattr(y, "to_list") else y.tolist() if hasattr(y, "tolist") else y
    if isinstance(listed, str | bytes) or not isinstance(listed, list | tuple):
        raise DataError(
            f"a list with a caption, or a list of captions, for each picture is expected, got {type(y).__name__}; "
            "give one entry per picture."
        )
    if n is not None and len(listed) != n:
        raise DataError(f"X and y must have the same number of rows, got {n} and {len(listed)}.")
    captions = [[one] if isinstance(one, str) else one for one in listed]
    for i, several in enumerate(captions):
        if not isinstance(several, list | tuple) or not all(isinstance(text, str) for text in several):
            raise DataError(f"captions are texts, got {listed[i]!r} for picture {i}; give a text or several.")
        if not several:
            raise DataError(f"picture {i} has no caption; give one, or leave the picture out.")
    return [[" ".join(text.split()) for text in several] for several in captions]


def vocabulary(captions: Sequence[Sequence[str]], min_count: int = 1) -> list[str]:
    """The words that stand at least ``min_count`` times in captions, the most frequent first.

    >>> vocabulary([["a red disc", "a disc"], ["a cross"]], min_count=2)
    ['a', 'disc']
    """
    counts = Counter(word for several in captions for text in several for word in text.split())
    return [
        word for word, k in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if k >= min_count
    ]


def coded(captions: Sequence[Sequence[str]], words: Sequence[str]) -> NDArray[np.int64]:
    """Captions as codes (n, R, T): words of the vocabulary from 2 on, others 1, the end 0, and -1 behind it.

    R and T are those of the most and of the longest captions, the end included; missing captions are -1 throughout.

    >>> coded([["a disc"], ["a", "blue disc"]], ["a", "disc"]).tolist()
    [[[2, 3, 0], [-1, -1, -1]], [[2, 0, -1], [1, 3, 0]]]
    """
    code = {word: i for i, word in enumerate(words, SPECIAL)}
    lists = [[[code.get(word, UNKNOWN) for word in text.split()] for text in several] for several in captions]
    longest = 1 + max((len(text) for several in lists for text in several), default=0)
    codes = np.full((len(lists), max(map(len, lists), default=1), longest), -1)
    for row, several in zip(codes, lists):
        for place, text in zip(row, several):
            place[: len(text) + 1] = [*text, END]
    return codes


def texts_of(codes: NDArray[np.int64], words: Sequence[str]) -> list[str]:
    """The texts of codes (n, T), up to the end of each.

    >>> texts_of(np.array([[2, 3, 0, -1]]), ["a", "disc"])
    ['a disc']
    """
    return [" ".join(words[code - SPECIAL] for code in row if code >= SPECIAL) for row in codes.tolist()]
