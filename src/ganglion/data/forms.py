"""What words look like, as whole numbers: which word it is, how it begins and ends, what signs it is made of.

A tagger that knows words alone knows nothing of those it never met. Their ends ("-ness", "-ed"), beginnings and
capitals tell much, and cost little: they are looked up once for each distinct word, whatever its length.
"""

import re
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ganglion.data.tokens.repeated import numbered

PAD, UNKNOWN, FIRST = (
    0,
    1,
    2,
)  # codes of a word: behind a sentence's end, not learned, the first that is learned
AFFIXES = 4  # characters of the longest beginnings and ends
SIGNS = 2 * AFFIXES + 3  # of each word
LONGEST = 100  # characters; what is longer is no word of any language, and is not learned
SEEN = 40  # characters whose kinds make up a shape
DIGIT = re.compile(r"\d")


class Forms:
    """Words as rows of whole numbers: the word's code, then the codes of its 11 signs, 0 for one that is not known.

    A word counts in lower case with 0 for each digit. Its signs are its shape (capitals X, others x, digits 0, each
    run once: "McDonald's" is ``XxXx'x``), its beginnings and its ends of 1 to 4 characters, and the shape with the
    word's first and with its last character. Signs are taken from at least two different words, or they would only say
    which word it is.

    Arguments: the words and the signs that are known, from code 2 and code 1 on.

    >>> forms = Forms.learn([["A", "dog", "barks", "at", "dogs"]])
    >>> forms.words[:2], forms.encode([["dogs", "sing"], ["Bark"]])[0][:, 0].tolist()
    (['a', 'at'], [6, 1, 1])
    """

    def __init__(self, words: list[str], signs: list[str]) -> None:
        self.words, self.signs = words, signs
        self._word = {word: code for code, word in enumerate(words, FIRST)}
        self._sign = {sign: code for code, sign in enumerate(signs, 1)}

    @classmethod
    def learn(cls, sentences: Iterable[list[str]], min_count: int = 1) -> "Forms":
        """The forms of sentences; words stand at least ``min_count`` times, the most frequent first."""
        times = Counter(word for words in sentences for word in words)
        plain: Counter[str] = Counter()
        for word, count in times.items():
            plain[plainly(word)] += count
        often = [(-n, word) for word, n in plain.items() if n >= min_count and len(word) <= LONGEST]
        within = Counter(sign for word in times for sign in set(signs_of(word)))
        shared = [(-n, sign) for sign, n in within.items() if n > 1 and len(sign) <= LONGEST]
        return cls([word for _, word in sorted(often)], [sign for _, sign in sorted(shared)])

    def encode(self, sentences: list[list[str]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Rows (total, 12) of all words one behind the other, and the offsets (n + 1,) of the n sentences."""
        found = numbered(sentences)
        rows = np.zeros((len(found.distinct), 1 + SIGNS), np.int32)
        for row, word in zip(rows, found.distinct):
            row[0] = self._word.get(plainly(word), UNKNOWN)
            row[1:] = [self._sign.get(sign, 0) for sign in signs_of(word)]
        return rows[found.numbers], np.append(0, np.cumsum(found.lengths))


def plainly(word: str) -> str:
    """A word in lower case, each digit 0.

    >>> plainly("B2B")
    'b0b'
    """
    return DIGIT.sub("0", word.lower())


def shape_of(word: str) -> str:
    """The kinds of a word's first 40 characters, each run of a kind once.

    >>> shape_of("McDonald's"), shape_of("3,000"), shape_of("...")
    ("XxXx'x", '0,0', '.')
    """
    kinds = "".join(
        "0" if c.isdecimal() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word[:SEEN]
    )
    return "".join(kind for kind, before in zip(kinds, "\0" + kinds) if kind != before)


def signs_of(word: str) -> list[str]:
    """The 11 signs of a word; the beginnings and ends of a short one stand several times.

    >>> signs_of("Up")[:6]
    ['=Xx', '<u', '<up', '<up', '<up', 'p>']
    """
    low, shape = plainly(word[:LONGEST] + word[-AFFIXES:] if len(word) > LONGEST else word), shape_of(word)
    begins = ["<" + low[:size] for size in range(1, AFFIXES + 1)]
    ends = [low[-size:] + ">" for size in range(1, AFFIXES + 1)]
    return ["=" + shape, *begins, *ends, f"={shape}<{low[:1]}", f"={shape}>{low[-1:]}"]
