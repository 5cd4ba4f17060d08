"""Words as tokens, and for bags of words also runs of words."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganglion.base.errors import ModelFileError
from ganglion.base.fields import Between
from ganglion.base.numbers import number
from ganglion.data.tokens.ngrams import add_ngrams, learn_ngrams
from ganglion.data.tokens.repeated import Numbered, numbered, spread
from ganglion.data.tokens.splitting import join_words, word_pattern
from ganglion.data.tokens.tokenizer import (
    SPECIALS,
    STRANGE,
    TIMES,
    UNKNOWN,
    Tokenizer,
    part_of,
    truth,
    whole_numbers,
)

MOST = 500_000  # words, and runs of words: two codes fit into one number, and a state into a model file
LONGEST = 100  # characters of a word; what is longer is no word of any language


class Words(Tokenizer):
    """The most frequent words, as ``split_words`` cuts texts, the most frequent first.

    Others are unknown, and so is what has more than 100 characters. With ``ngrams`` n > 1 runs of 2 to n learned words
    are tokens as well, and a text's codes are those of its words in order and then those of its runs: made for bags of
    words. Decoding reads the words alone and joins them as ``join_words`` does, so white space may differ.

    Arguments:
        most: words at most.
        lower: whether texts are made lower case first.
        ngrams: words of the longest runs.
        min_count: how often a word or a run must stand in the texts.
        most_ngrams: runs at most, all lengths together.

    >>> words = Words(lower=True, ngrams=2).learn(["Not good, not good at all.", "Good!"])
    >>> words.words[:2], words.encode("not good").tolist()
    (['good', 'not'], [5, 4, 11])
    """

    kind = "words"

    def __init__(
        self,
        most: int = 20_000,
        lower: bool = False,
        ngrams: int = 1,
        min_count: int = 1,
        most_ngrams: int = 200_000,
    ) -> None:
        super().__init__(
            most=number("words' most", most, Between(1, MOST), whole=True),
            lower=truth("words' lower", lower),
            ngrams=number("words' ngrams", ngrams, Between(1, 10), whole=True),
            min_count=number("words' min_count", min_count, TIMES, whole=True),
            most_ngrams=number("words' most_ngrams", most_ngrams, Between(0, MOST), whole=True),
        )
        self.words: list[str] = []
        self.pairs: NDArray[np.int64] = np.empty((0, 2), np.int64)
        self._code: dict[str, int] = {}

    def _own(self) -> int:
        return len(self.words) + len(self.pairs)

    def _learn(self, texts: list[str]) -> None:
        pieces = self._pieces(texts)
        words = numbered(self._split(pieces))
        times = np.bincount(pieces.numbers, minlength=len(pieces.distinct))
        counts = np.bincount(
            words.numbers, np.repeat(times, words.lengths), minlength=len(words.distinct)
        ).astype(int)
        often = [
            (-count, word)
            for word, count in zip(words.distinct, counts.tolist())
            if count >= self.settings["min_count"] and len(word) <= LONGEST
        ]
        self._take([word for _, word in sorted(often)[: self.settings["most"]]])
        self.pairs = self.pairs[:0]
        if self.settings["ngrams"] > 1:
            n, most, least = (self.settings[name] for name in ("ngrams", "most_ngrams", "min_count"))
            self.pairs = learn_ngrams(
                *self._coded(pieces), n, first=SPECIALS + len(self.words), most=most, min_count=least
            )

    def _encode(self, texts: list[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        codes, offsets = self._coded(self._pieces(texts))
        if self.settings["ngrams"] == 1:
            return codes, offsets
        return add_ngrams(codes, offsets, self.settings["ngrams"], self.pairs, SPECIALS + len(self.words))

    def _decode(self, codes: NDArray[np.int64]) -> str:
        kept = codes[((codes >= SPECIALS) | (codes == UNKNOWN)) & (codes < SPECIALS + len(self.words))]
        return join_words([STRANGE if i == UNKNOWN else self.words[i - SPECIALS] for i in kept.tolist()])

    def _pieces(self, texts: list[str]) -> Numbered:
        """What stands between white space, in which no word ends or begins."""
        return numbered((text.lower() if self.settings["lower"] else text).split() for text in texts)

    def _split(self, pieces: Numbered) -> Iterator[list[str]]:
        return map(word_pattern().findall, pieces.distinct)

    def _coded(self, pieces: Numbered) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        code = self._code.get
        return spread(pieces, [[code(word, UNKNOWN) for word in words] for words in self._split(pieces)])

    def _take(self, words: list[str]) -> None:
        self.words = words
        self._code = {word: code for code, word in enumerate(words, SPECIALS)}

    def _state(self) -> dict[str, Any]:
        return {"words": list(self.words), "ngrams": self.pairs.ravel().tolist()}

    def _restore(self, learned: Any) -> None:
        words, flat = part_of(learned, "words", "ngrams")
        self._take(_sound_words(words, self.settings["most"]))
        first = SPECIALS + len(self.words)
        most = self.settings["most_ngrams"] if self.settings["ngrams"] > 1 else 0
        numbers = whole_numbers("n-grams", flat, SPECIALS, first + most, 2 * most)
        self.pairs = _sound_pairs(numbers, first, self.settings["ngrams"])


def _sound_words(words: Any, most: int) -> list[str]:
    """A state's words, if they are different ones that could have been learned."""
    if not isinstance(words, list) or len(words) > most:
        got = len(words) if isinstance(words, list) else type(words).__name__
        raise ModelFileError(
            f"words of a tokenizer are a list of at most {most} texts, got {got}; save the tokenizer again."
        )
    for i, word in enumerate(words):
        if not isinstance(word, str) or len(word) > LONGEST or word.split() != [word]:
            raise ModelFileError(
                f"words of a tokenizer are texts of 1 to {LONGEST} characters without white space, "
                f"word {i} is not; save the tokenizer again."
            )
    if len(set(words)) < len(words):
        raise ModelFileError(
            "words of a tokenizer differ, one stands twice in this; save the tokenizer again."
        )
    return list(words)


def _sound_pairs(numbers: NDArray[np.int64], first: int, ngrams: int) -> NDArray[np.int64]:
    """A state's runs, if each begins with a word or an earlier run, ends with a word, and stands once."""
    if len(numbers) % 2:
        raise ModelFileError("n-grams of a tokenizer are pairs, one is half; save the tokenizer again.")
    pairs = numbers.reshape(-1, 2)
    own = first + np.arange(len(pairs))
    length = [1] * first
    if (pairs[:, 0] < own).all() and (pairs[:, 1] < first).all():
        for begin in pairs[:, 0].tolist():
            length.append(length[begin] + 1)
        if max(length) <= ngrams and len(np.unique(pairs, axis=0)) == len(pairs):
            return pairs
    raise ModelFileError(
        f"n-grams of a tokenizer are different runs of at most {ngrams} words, each behind its own beginning, "
        "these are not; save the tokenizer again."
    )
