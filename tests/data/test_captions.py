"""Captions as people give them, and as codes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ganglion.base.errors import DataError
from ganglion.data.captions import coded, read_captions, texts_of, vocabulary

ODD = ["<end> <start> <unk> -1", "naïve  café\n☕ \x00null", "", "100% {x} %s \\n 'quoted\"", "日本語　全角"]


@pytest.mark.parametrize("make", [list, tuple, np.array, pd.Series, pl.Series, lambda y: np.array(y, object)])
def test_collections_of_every_kind(make):
    assert read_captions(make(["a disc", "two  discs"]), 2) == [["a disc"], ["two discs"]]


def test_several_captions_of_a_picture():
    assert read_captions([["a", "b"], "c"]) == [["a", "b"], ["c"]]
    assert read_captions(pd.Series([("a", "b"), ["c"]])) == [["a", "b"], ["c"]]


@pytest.mark.parametrize(
    ("y", "words"),
    [("a text", "got str"), (3, "got int"), ([["a"], 3], "got 3 for picture 1"), ([["a", None], "b"], "picture 0"),
     ([[], "b"], "picture 0 has no caption"), (["a", "b", "c"], "got 2 and 3")],
)  # fmt: skip
def test_what_is_no_caption_is_refused(y, words):
    with pytest.raises(DataError, match=words) as error:
        read_captions(y, 2)
    assert "\n" not in str(error.value)


def test_codes_come_back_as_the_texts():
    captions = read_captions([[text] for text in ODD])
    words = vocabulary(captions)
    codes = coded(captions, words)
    assert texts_of(codes[:, 0], words) == [several[0] for several in captions]
    assert (codes[2, 0] == [0] + [-1] * (codes.shape[2] - 1)).all()  # an empty caption is only its end


def test_rare_words_are_unknown():
    captions = [["a red disc", "a disc"], ["a blue square"]]
    words = vocabulary(captions, min_count=2)
    assert words == ["a", "disc"]
    assert coded(captions, words).tolist() == [
        [[2, 1, 3, 0], [2, 3, 0, -1]],
        [[2, 1, 1, 0], [-1, -1, -1, -1]],
    ]
