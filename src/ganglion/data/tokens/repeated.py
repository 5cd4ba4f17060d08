"""Lists of strings in which most stand many times: numbered once, worked on once, spread over all places.

Of six million words of a corpus some hundred thousand differ. So whatever Python does word by word, it does to those,
and numpy does the rest.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Numbered(NamedTuple):
    """Strings by number: ``numbers`` (m,) into ``distinct``, and how many each of the n lists had."""

    numbers: NDArray[np.int32]
    lengths: NDArray[np.int64]
    distinct: list[str]


def numbered(lists: Iterable[Sequence[str]]) -> Numbered:
    """The strings of n lists as numbers, in the order of their first appearance.

    >>> numbered([["a", "b"], [], ["b"]]).numbers.tolist()
    [0, 1, 1]
    """
    number: defaultdict[str, int] = defaultdict()
    number.default_factory = number.__len__
    parts = [np.fromiter(map(number.__getitem__, one), np.int32, len(one)) for one in lists]
    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    number.default_factory = None  # it refers to the table itself
    return Numbered(np.concatenate([np.empty(0, np.int32), *parts]), lengths, list(number))


def spread(strings: Numbered, codes: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The codes (total,) of all strings and the offsets (n + 1,) of the lists, from the codes of each distinct string.

    >>> spread(numbered([["a", "b"], [], ["b"]]), [[7], [8, 9]])
    (array([7, 8, 9, 8, 9], dtype=int32), array([0, 3, 3, 5]))
    """
    sizes = np.fromiter(map(len, codes), np.int64, len(codes))
    flat = np.fromiter(chain.from_iterable(codes), np.int32, int(sizes.sum()))
    each = sizes[strings.numbers]
    ends = np.concatenate([[0], np.cumsum(each)])
    shift = (np.cumsum(sizes) - sizes)[strings.numbers] - ends[:-1]
    offsets = ends[np.concatenate([[0], np.cumsum(strings.lengths)])]
    return flat[np.repeat(shift, each) + np.arange(ends[-1])], offsets
