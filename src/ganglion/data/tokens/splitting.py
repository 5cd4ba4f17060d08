"""Texts cut into words, and words joined to a text.

A word is a run of letters and digits with the marks on them (accents, vowel signs) and with apostrophes inside; an
ideograph is a word of its own, since Chinese and Japanese put no blanks between words. Everything else but white space
is a word of one sign, with what modifies it: so a family of emoji is one.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import chain

from ganglion.data.tokens.clean import checked_text, checked_texts

IDEOGRAPHS = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
KANA = "\u3040-\u30ff"
WIDE = IDEOGRAPHS + "\u3001\u3002\u3008-\u301f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
SKIN = "\U0001f3fb-\U0001f3ff"
JOINERS = "\u200c\u200d"  # inside Persian and Indian words, and between emoji that are shown as one

CLOSING = frozenset(".,!?;:)]}%…»”’、。，！？；：）」』】》")
OPENING = frozenset("([{$£€#@¿¡«“‘（「『【《")
INSIDE = frozenset("-/_")
QUOTES = frozenset("\"'")
NUMBER = re.compile(r"(?<=\d)([.:]) (?=\d)|(?<=\d)(,) (?=\d{3}(?!\d))")
UNSPACED = re.compile(f"(?<=[{WIDE}]) (?=[{WIDE}{KANA}])|(?<=[{KANA}]) (?=[{WIDE}])")


def split_words(text: str) -> list[str]:
    """The words of a text, punctuation included, without the white space.

    Raises ``DataError`` for what is no text.

    >>> split_words("Don't pay 3.50€, she said.")
    ["Don't", 'pay', '3', '.', '50', '€', ',', 'she', 'said', '.']
    """
    return word_pattern().findall(checked_text(text))


def join_words(words: Sequence[str]) -> str:
    """A text of words as ``split_words`` cuts them, with white space where it is usual.

    None stands before a full stop or comma and the like, inside brackets and quotation marks, at a hyphen, in a
    number, and between ideographs. ``split_words`` of the text gives the words again; what white space there once was
    cannot be known. Raises ``DataError`` for words that are no texts.

    >>> join_words(["Is", "it", "(", "by", '"', "me", '"', ")", "3", ".", "5", "?"])
    'Is it (by "me") 3.5?'
    """
    parts: list[str] = []
    opened: set[str] = set()
    tied = True  # to the word before
    for word in checked_texts(words):
        ends = word in CLOSING or word in INSIDE or word in opened
        parts.append(word if tied or ends else f" {word}")
        tied = word in OPENING or word in INSIDE or (word in QUOTES and word not in opened)
        opened ^= {word} & QUOTES
    return UNSPACED.sub("", NUMBER.sub(r"\1\2", "".join(parts)))


@cache
def marks() -> str:
    """Unicode's marks and the joiners, as the inside of a regular expression's brackets."""
    points = [
        point
        for point in chain(range(0x300, 0x20000), range(0xE0100, 0xE01F0))  # there are none elsewhere
        if unicodedata.category(chr(point))[0] == "M"
    ]
    first = [p for p, before in zip(points, [-1, *points]) if p != before + 1]
    last = [p for p, behind in zip(points, [*points[1:], -1]) if p != behind - 1]
    return JOINERS + "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(first, last))


@cache
def word_pattern() -> re.Pattern[str]:
    """What ``split_words`` looks for."""
    letter, mark = f"[^\\W_{IDEOGRAPHS}]", f"[{marks()}]"
    run = f"{letter}++(?:{mark}++{letter}*+)*+"
    sign = f"\\S[{SKIN}{marks()}]*+"
    return re.compile(f"{run}(?:['’]{run})*+|{sign}(?:(?<=\u200d)(?![\\w]){sign})*+")
