"""Texts cut into words and joined again."""

import random
import re
import unicodedata

import pytest

from ganglion.base.errors import DataError
from ganglion.data.tokens.splitting import join_words, marks, split_words

CUT = [
    ("", []),
    (" \t\n ", []),
    ("Don't stop.", ["Don't", "stop", "."]),
    ("l’homme d'O'Brien", ["l’homme", "d'O'Brien"]),
    ("'tis dogs' x''y", ["'", "tis", "dogs", "'", "x", "'", "'", "y"]),
    ("3.50 1,000 v2 4ever", ["3", ".", "50", "1", ",", "000", "v2", "4ever"]),
    ("a_b-c...", ["a", "_", "b", "-", "c", ".", ".", "."]),
    ("cafe\u0301s", ["cafe\u0301s"]),
    ("हिन्दी में", ["हिन्दी", "में"]),
    ("حالُك؟", ["حالُك", "؟"]),
    ("می\u200cروم", ["می\u200cروم"]),
    ("שָׁלוֹם!", ["שָׁלוֹם", "!"]),
    ("中文，x中", ["中", "文", "，", "x", "中"]),
    ("カタカナの日", ["カタカナの", "日"]),
    ("한국어 문장", ["한국어", "문장"]),
    ("👩\u200d👩\u200d👧👍🏽❤\ufe0f!", ["👩\u200d👩\u200d👧", "👍🏽", "❤\ufe0f", "!"]),
    ("\ud800\ud800a", ["\ud800", "\ud800", "a"]),
    ("a\x00b", ["a", "\x00", "b"]),
]
JOINED = [
    'He said: "Is it (really) 3.5 %?"',
    "Well-known, isn't it? Yes! No; maybe...",
    "It costs $5, or 1,000.50 in 1999, 2000 and 2001.",
    "at 3:30 in and/or out",
    "¿Qué? «Oui», “no” ‘so’",
    "'One', she said, 'or two'.",
    "中文，没有空格。Yes",
    "カタカナの日本語、です",
    "한국어 문장.",
]


@pytest.mark.parametrize(("text", "words"), CUT)
def test_words_by_hand(text, words):
    assert split_words(text) == words


@pytest.mark.parametrize("text", JOINED)
def test_usual_texts_come_back(text):
    assert join_words(split_words(text)) == text.replace(" %", "%").replace("。Y", "。 Y")


@pytest.mark.parametrize("top", [0x80, 0x250, 0x3000, 0x110000])
def test_nothing_but_white_space_is_lost(top):
    rng = random.Random(top)
    for _ in range(200):
        kinds = [lambda: chr(rng.randrange(top)), lambda: rng.choice(" .,'\"-(’a1\u0301\u200d中カ👍")]
        text = "".join(rng.choice(kinds)() for _ in range(rng.randrange(40)))
        words = split_words(text)
        assert "".join(words) == "".join(text.split())
        assert "".join(join_words(words).split()) == "".join(words)


def test_joined_words_are_split_into_the_same():
    rng = random.Random(0)
    parts = [
        "don't",
        "a",
        "cafe\u0301",
        "12",
        "1999",
        "中",
        "カタ",
        "👍🏽",
        *".,!?;:()[]{}%-/_\"'’“”«»€#@。（",
    ]
    for _ in range(2000):
        words = rng.choices(parts, k=rng.randrange(12))
        words = split_words(" ".join(words))
        assert split_words(join_words(words)) == words


def test_marks_are_all_that_unicode_has():
    every = [chr(point) for point in range(0x110000)]
    known = {sign for sign in every if unicodedata.category(sign).startswith("M")}
    assert set(re.findall(f"[{marks()}]", "".join(every))) == known | {"\u200c", "\u200d"}


@pytest.mark.parametrize("text", [None, b"a", 3, ["a"]])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(DataError):
        split_words(text)
    with pytest.raises(DataError):
        join_words([text] if text != ["a"] else "a")
