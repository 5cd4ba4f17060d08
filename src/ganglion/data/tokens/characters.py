"""Characters as tokens: one code for each Unicode code point that was learned."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import ModelFileError
from ganglion.base.numbers import number
from ganglion.data.tokens.tokenizer import (
    SPECIALS,
    STRANGE,
    TIMES,
    UNKNOWN,
    Tokenizer,
    part_of,
    whole_numbers,
)

POINTS = 0x110000  # Unicode's code points end below
BLOCK = 1 << 20  # characters that are counted at once


class Characters(Tokenizer):
    """One code for each code point that stands at least ``min_count`` times in the texts, ascending.

    A text of learned characters comes back exactly; others are unknown. What a reader sees as one character may be
    several code points: a letter with a combining accent, or a family of emoji.

    >>> characters = Characters().learn(["abba"])
    >>> characters.encode("bac").tolist(), characters.decode([5, 4])
    ([5, 4, 1], 'ba')
    """

    kind = "characters"

    def __init__(self, min_count: int = 1) -> None:
        super().__init__(min_count=number("characters' min_count", min_count, TIMES, whole=True))
        self.points: NDArray[np.int64] = np.empty(0, np.int64)

    def _own(self) -> int:
        return len(self.points)

    def _learn(self, texts: list[str]) -> None:
        counts = np.zeros(POINTS, np.int64)
        for block in _blocks(texts):
            few = np.bincount(_points(block))
            counts[: len(few)] += few
        self.points = np.flatnonzero(counts >= self.settings["min_count"])

    def _encode(self, texts: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        offsets = np.concatenate([[0], np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))])
        code = np.full(POINTS, UNKNOWN, np.int32)
        code[self.points] = np.arange(SPECIALS, self.size, dtype=np.int32)
        blocks = [code[_points(block)] for block in _blocks(texts)]
        return np.concatenate([np.empty(0, np.int32), *blocks]), offsets

    def _decode(self, codes: NDArray[np.int64]) -> str:
        table = np.concatenate([np.full(SPECIALS, ord(STRANGE)), self.points]).astype("<u4")
        shown = codes[(codes >= SPECIALS) | (codes == UNKNOWN)]
        return table[shown].tobytes().decode("utf-32-le", "surrogatepass")

    def _state(self) -> dict[str, Any]:
        # numbers and no text: in a text, JSON would take two surrogates side by side for one character
        return {"points": self.points.tolist()}

    def _restore(self, learned: Any) -> None:
        (points,) = part_of(learned, "points")
        array = whole_numbers("characters", points, 0, POINTS - 1, POINTS)
        if (np.diff(array) <= 0).any():
            raise ModelFileError(
                "characters of a tokenizer ascend, these do not or stand twice; save the tokenizer again."
            )
        self.points = array


def _blocks(texts: list[str]) -> Iterator[str]:
    """The texts joined, in blocks of some size."""
    waiting, length = [], 0
    for text in texts:
        waiting.append(text)
        length += len(text)
        if length >= BLOCK:
            yield "".join(waiting)
            waiting, length = [], 0
    yield "".join(waiting)


def _points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
