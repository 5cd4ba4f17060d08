"""Byte-pair encoding: frequent runs of bytes become tokens, and nothing is unknown."""

import re
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import ModelFileError
from ganglion.base.fields import Between
from ganglion.base.numbers import number
from ganglion.data.tokens.bytes import BY_CODE, text_of, to_bytes
from ganglion.data.tokens.merges import FIRST, Pair, apply_merges, learn_merges
from ganglion.data.tokens.repeated import numbered, spread
from ganglion.data.tokens.splitting import marks
from ganglion.data.tokens.tokenizer import SPECIALS, TIMES, Tokenizer, part_of, whole_numbers

MOST = 200_000  # merges
LONGEST = 64  # characters of a piece


class BPE(Tokenizer):
    """Byte-pair encoding on the bytes of UTF-8: the most frequent pairs of neighbours, merged again and again.

    Texts are cut into pieces first (``split_pieces``), over whose ends nothing is merged. Every text comes back
    exactly, as of ``Bytes``, whose 256 codes are the first. With the package ``tokenizers`` installed (it comes with
    ``ganglion[text]``) learning takes two thirds of the time, and gives the same.

    Sennrich et al. 2016, arXiv:1508.07909; on bytes as in Radford et al. 2019 (GPT-2).

    Arguments:
        merges: tokens beyond the bytes, at most.
        min_count: how often a pair must stand in the texts to become one.

    >>> bpe = BPE(merges=3).learn(["low lower lowest"])
    >>> [bpe.tokens[code] for code in bpe.encode("lowly").tolist()], bpe.decode(bpe.encode("lowly"))
    ([b'low', b'l', b'y'], 'lowly')
    """

    kind = "bpe"

    def __init__(self, merges: int = 8000, min_count: int = 2) -> None:
        super().__init__(
            merges=number("bpe's merges", merges, Between(0, MOST), whole=True),
            min_count=number("bpe's min_count", min_count, TIMES, whole=True),
        )
        self._take([])

    def _own(self) -> int:
        return len(self.tokens) - SPECIALS

    def _learn(self, texts: list[str]) -> None:
        pieces = numbered(map(split_pieces, texts))
        times = np.bincount(pieces.numbers, minlength=len(pieces.distinct)).tolist()
        counts = Counter({to_bytes(piece): count for piece, count in zip(pieces.distinct, times)})
        self._take(learn_merges(counts, self.settings["merges"], self.settings["min_count"]))

    def _encode(self, texts: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        pieces = numbered(map(split_pieces, texts))
        return spread(pieces, [apply_merges(to_bytes(piece), self._codes) for piece in pieces.distinct])

    def _decode(self, codes: NDArray[np.int64]) -> str:
        return text_of(codes, self.tokens)

    def _take(self, pairs: list[Pair]) -> None:
        self._codes = {pair: code for code, pair in enumerate(pairs, FIRST)}
        self.tokens = list(BY_CODE)
        for left, right in pairs:
            self.tokens.append(self.tokens[left] + self.tokens[right])

    def _state(self) -> dict[str, Any]:
        return {"merges": [code for pair in self._codes for code in pair]}

    def _restore(self, learned: Any) -> None:
        (flat,) = part_of(learned, "merges")
        most = self.settings["merges"]
        codes = whole_numbers("merges", flat, SPECIALS, FIRST + most, 2 * most)
        self._take(_sound_merges(codes))


def _sound_merges(codes: NDArray[np.int64]) -> list[Pair]:
    """A state's merges, if each is of earlier tokens, none is longer than a piece, and all are different bytes."""
    if len(codes) % 2:
        raise ModelFileError("merges of a tokenizer are pairs, one is half; save the tokenizer again.")
    pairs: list[Pair] = list(zip(codes[::2].tolist(), codes[1::2].tolist()))
    tokens = list(
        BY_CODE
    )  # lengths are looked at before anything is joined: 40 doublings would fill the memory
    for left, right in pairs:
        if max(left, right) >= len(tokens) or len(tokens[left]) + len(tokens[right]) > 4 * LONGEST:
            raise ModelFileError(
                f"merges of a tokenizer join earlier tokens to at most {4 * LONGEST} bytes, "
                f"merge {len(tokens) - FIRST} does not; save the tokenizer again."
            )
        tokens.append(tokens[left] + tokens[right])
    if len(set(tokens[SPECIALS:])) < len(tokens) - SPECIALS:
        raise ModelFileError(
            "tokens of a tokenizer differ, one stands twice in this; save the tokenizer again."
        )
    return pairs


def split_pieces(text: str) -> list[str]:
    """A text cut into words with the blank before them, numbers, runs of other signs and of white space.

    Nothing is left out. English endings such as ``'s`` are pieces of their own, as for GPT-2 (Radford et al. 2019);
    marks, such as accents and vowel signs, belong to their word, and what has more than 64 characters is cut, so that
    the time grows as the text does.

    >>> split_pieces("It's  3 days.")
    ['It', "'s", ' ', ' 3', ' days', '.']
    """
    pieces = _pattern(text.isascii()).findall(text)
    if max(map(len, pieces), default=0) <= LONGEST:
        return pieces
    return [piece[at : at + LONGEST] for piece in pieces for at in range(0, len(piece), LONGEST)]


@cache
def _pattern(ascii_only: bool) -> re.Pattern[str]:
    # without the marks, of which ASCII has none, it takes half the time
    letters = "[^\\W\\d_]++" if ascii_only else f"[^\\W\\d_]++(?:[{marks()}]++[^\\W\\d_]*+)*+"
    return re.compile(
        f"['’](?:[sdmt]|ll|ve|re)(?!\\w)| ?{letters}| ?\\d++| ?(?:[^\\s\\w]|_)++|\\s+(?!\\S)|\\s"
    )
