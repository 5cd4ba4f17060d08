"""What words look like, by hand; batches of words and tags; words that are awkward."""

import time

import numpy as np
import pytest
import torch

from ganglion.base.errors import DataError
from ganglion.data.forms import FIRST, PAD, SIGNS, UNKNOWN, Forms, plainly, shape_of, signs_of
from ganglion.data.padded import Ragged
from ganglion.data.tagged import TaggedBatches

SENTENCES = [["The", "walker", "walked", "2", "miles"], ["the", "talker", "talked"]]
AWKWARD = ["\ud800", "\u200b", "\0", "İ", "ß", "e\u0301", "👩‍👩‍👧", "ﬁ", "שלום", "١٢", " ", "\n", "²", "Ǆ"]


def test_the_signs_of_a_word():
    assert signs_of("U-235b") == [
        "=X-0x", "<u", "<u-", "<u-0", "<u-00", "b>", "0b>", "00b>", "000b>", "=X-0x<u", "=X-0x>b",
    ]  # fmt: skip
    assert [shape_of(word) for word in ("iPhone", "USA", "Ann", "''", "a.m.", "")] == [
        "xXx", "X", "Xx", "'", "x.x.", "",
    ]  # fmt: skip
    assert plainly("B2B-٣") == "b0b-0"


def test_words_and_signs_are_learned_and_looked_up():
    forms = Forms.learn(SENTENCES)
    assert forms.words[0] == "the"  # twice, in lower case
    assert sorted(forms.words) == ["0", "miles", "talked", "talker", "the", "walked", "walker"]
    assert {"ker>", "<wal", "ed>"} <= set(forms.signs)
    assert "iles>" not in forms.signs  # only one word has it
    rows, offsets = forms.encode([*SENTENCES, ["Stalker", "THE"]])
    assert offsets.tolist() == [0, 5, 8, 10]
    assert rows.shape == (10, 1 + SIGNS)
    assert rows[0, 0] == rows[5, 0] == rows[9, 0] == FIRST
    assert rows[8, 0] == UNKNOWN
    # the oracle: each word by itself, sign by sign
    for row, word in zip(rows, [*SENTENCES[0], *SENTENCES[1], "Stalker", "THE"]):
        known = [forms.signs.index(sign) + 1 if sign in forms.signs else 0 for sign in signs_of(word)]
        assert row[1:].tolist() == known
    assert Forms.learn(SENTENCES, min_count=2).words == ["the"]


@pytest.mark.parametrize("word", AWKWARD)
def test_awkward_words(word):
    assert len(signs_of(word)) == SIGNS
    forms = Forms.learn([[word, "a"]])
    rows, _ = forms.encode([[word]])
    assert rows[0, 0] == FIRST + forms.words.index(plainly(word))


def test_words_of_a_megabyte_are_not_learned_and_cost_nothing():
    huge = "A1" + "x" * 1_000_000 + "tion"
    start = time.perf_counter()
    forms = Forms.learn([[huge, huge + "s", "nation"]])
    rows, _ = forms.encode([[huge]])
    assert time.perf_counter() - start < 1
    assert forms.words == ["nation"]
    assert max(map(len, forms.signs)) < 50
    assert rows[0, 0] == UNKNOWN
    assert rows[0, 1 + 8] == forms.signs.index("tion>") + 1


def ragged(lengths):
    """Words that are numbered through, and tags that are a hundred more."""
    offsets = np.append(0, np.cumsum(lengths))
    codes = torch.arange(1, offsets[-1] + 1)
    return Ragged(codes[:, None].int(), offsets, PAD), Ragged(codes + 100, offsets, -1)


def test_batches_keep_words_and_tags_together():
    lengths = np.random.default_rng(0).integers(1, 9, 50)
    x, y = ragged(lengths)
    batches = TaggedBatches(x, y, {"weight": torch.arange(50.0)}, 8)
    seen = []
    for batch in batches.epoch(seed=1, epoch=2):
        there = batch["x"][..., 0] > 0
        assert (batch["y"][there] == batch["x"][..., 0][there] + 100).all()
        assert (batch["y"][~there] == -1).all()
        assert (there.sum(1).numpy() == lengths[batch["weight"].int().numpy()]).all()
        seen += batch["weight"].tolist()
    assert sorted(seen) == list(range(50))
    again = [batch["weight"].tolist() for batch in batches.epoch(1, 2, start=3)]
    assert again == [batch["weight"].tolist() for batch in batches.epoch(1, 2)][3:]


def test_other_lengths_are_refused():
    with pytest.raises(DataError, match="a tag for each word"):
        TaggedBatches(ragged([2, 3])[0], ragged([3, 2])[1], {}, 2)
