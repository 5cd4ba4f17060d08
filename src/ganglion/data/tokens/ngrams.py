"""Runs of two words and more as codes of their own, which a bag of words needs: "not good" is not "good".

A run is known by the code of the run without its last word and by that of the last word; so runs of any length are
found by one search for each length.
"""

import numpy as np
from numpy.typing import NDArray

from ganglion.data.tokens.tokenizer import SPECIALS, UNKNOWN

BITS = 20
"""Codes have at most so many, so that two make one number."""

Codes = NDArray[np.int64]


def learn_ngrams(
    words: NDArray[np.int32], offsets: Codes, n: int, *, first: int, most: int, min_count: int
) -> Codes:
    """The most frequent runs of 2 to n words, the most frequent first, as (k, 2): codes of the beginning and last word.

    Row i gets the code ``first + i``. A beginning stands at least as often as what it begins, so it comes before; of
    runs equally frequent the shorter comes first.

    Arguments:
        words: (total,) codes of the words of all texts; runs with an unknown word do not count.
        offsets: (texts + 1,) where the texts begin in ``words``.
        first: the first free code.
        most: runs at most.
        min_count: how often one must stand in the texts.

    >>> learn_ngrams(np.array([4, 5, 4, 5]), np.array([0, 4]), 2, first=6, most=9, min_count=1).tolist()
    [[4, 5], [5, 4]]
    """
    line = _one_line(words, offsets)
    at = np.flatnonzero(line >= SPECIALS)
    begin, found, counts, lengths = line[at].astype(np.int64), [], [], []
    for length in range(2, n + 1):
        at, key = _longer(line, at, begin, length)
        keys, times = np.unique(key, return_counts=True)
        often = np.flatnonzero(times >= min_count)
        often = np.sort(often[np.argsort(-times[often], kind="stable")[:most]])
        found.append(keys[often])
        counts.append(times[often])
        lengths.append(np.full(len(often), length))
        if length < n:  # runs get numbers of their length, to be made codes when all are known
            there, begin = look_up(key, found[-1])
            at = at[there]
    return _ranked(found, np.concatenate(counts), np.concatenate(lengths), first, most)


def _ranked(found: list[Codes], counts: Codes, lengths: Codes, first: int, most: int) -> Codes:
    order = np.lexsort((lengths, -counts))[:most]
    code = np.full(len(counts), -1)
    code[order] = first + np.arange(len(order))
    pairs, start = [], 0
    for i, keys in enumerate(found):
        begin, last = keys >> BITS, keys & ((1 << BITS) - 1)
        if i:
            begin = code[start - len(found[i - 1]) + begin]
        pairs.append(np.stack([begin, last], 1))
        start += len(keys)
    return np.concatenate(pairs)[order]


def add_ngrams(
    words: NDArray[np.int32], offsets: Codes, n: int, pairs: Codes, first: int
) -> tuple[NDArray[np.int32], Codes]:
    """The codes of each text's words, and behind them those of its runs of 2 words, of 3 ... that are known.

    >>> add_ngrams(np.array([4, 5, 4, 5]), np.array([0, 3, 4]), 2, np.array([[4, 5]]), 6)
    (array([4, 5, 4, 6, 5], dtype=int32), array([0, 4, 5]))
    """
    line = _one_line(words, offsets)
    text_of = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets) + 1)
    table = (pairs[:, 0] << BITS) | pairs[:, 1]
    order = np.argsort(table)
    table = table[order]
    at = np.flatnonzero(line >= SPECIALS)
    begin, levels, counts = line[at].astype(np.int64), [words], [np.diff(offsets)]
    for length in range(2, n + 1):
        at, key = _longer(line, at, begin, length)
        there, place = look_up(key, table)
        at, begin = at[there], first + order[place]
        levels.append(begin.astype(np.int32))
        counts.append(np.bincount(text_of[at], minlength=len(offsets) - 1))
    return _side_by_side(levels, counts)


def look_up(keys: Codes, table: Codes) -> tuple[NDArray[np.bool_], Codes]:
    """Which of the keys stand in an ascending table, and where those do.

    >>> look_up(np.array([7, 8]), np.array([5, 8]))
    (array([False,  True]), array([1]))
    """
    if not len(table):
        return np.zeros(len(keys), bool), np.empty(0, np.int64)
    place = np.searchsorted(table, keys)
    place[place == len(table)] = 0
    there = table[place] == keys
    return there, place[there]


def _one_line(words: NDArray[np.int32], offsets: Codes) -> NDArray[np.int32]:
    """All texts' words with an unknown one behind each text, so that no run goes over the end."""
    return np.insert(words, offsets[1:], UNKNOWN)


def _longer(line: NDArray[np.int32], at: Codes, begin: Codes, length: int) -> tuple[Codes, Codes]:
    """Where beginnings are followed by a known word, and the number of both."""
    # a run ends at the latest at the unknown word behind its text, so the place behind a beginning exists
    behind = line[at + length - 1]
    known = behind >= SPECIALS
    return at[known], (begin[known] << BITS) | behind[known]


def _side_by_side(levels: list[NDArray[np.int32]], counts: list[Codes]) -> tuple[NDArray[np.int32], Codes]:
    """Parts that each hold a piece of every text, put together text by text."""
    offsets = np.concatenate([[0], np.cumsum(np.sum(counts, axis=0))])
    codes, begin = np.empty(offsets[-1], np.int32), offsets[:-1].copy()
    for level, count in zip(levels, counts):
        codes[np.repeat(begin - (np.cumsum(count) - count), count) + np.arange(len(level))] = level
        begin += count
    return codes, offsets
