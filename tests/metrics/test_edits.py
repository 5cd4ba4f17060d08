"""Edits and common sequences by recursion over every way, by hand and by their axioms."""

import itertools
import random
from functools import cache

import pytest

from ganglion.base.errors import DataError
from ganglion.metrics.edits import character_error_rate, edit_distance, longest_common, word_error_rate


def slow_distance(a, b):
    """By recursion over what the last entries become."""

    @cache
    def d(i, j):
        if not i or not j:
            return i + j
        return min(d(i - 1, j) + 1, d(i, j - 1) + 1, d(i - 1, j - 1) + (a[i - 1] != b[j - 1]))

    return d(len(a), len(b))


def slow_common(a, b):
    """By trying every choice of entries of the first."""
    best = 0
    for choice in range(2 ** len(a)):
        part, rest = [x for i, x in enumerate(a) if choice >> i & 1], iter(b)
        if len(part) > best and all(x in rest for x in part):
            best = len(part)
    return best


@pytest.fixture(scope="module")
def pairs():
    rng = random.Random(0)
    return [tuple("".join(rng.choices("abc", k=rng.randint(0, 9))) for _ in range(2)) for _ in range(150)]


def test_every_way_of_editing(pairs):
    for a, b in pairs:
        assert edit_distance(a, b) == slow_distance(a, b)
        assert longest_common(a, b) == slow_common(a, b)


def test_known_distances():
    assert edit_distance("intention", "execution") == 5  # Jurafsky and Martin, Speech and Language Processing
    assert edit_distance("saturday", "sunday") == 3
    assert edit_distance("", "abc") == 3
    assert edit_distance("abc", "") == 3
    assert edit_distance("", "") == longest_common("", "ab") == 0
    assert edit_distance([1, (2,), None], [1, None]) == 1
    assert longest_common("nematode knowledge", "empty bottle") == 7


def test_the_distance_is_a_metric(pairs):
    for (a, b), (c, _) in itertools.pairwise(pairs):
        assert edit_distance(a, b) == edit_distance(b, a) == edit_distance(a[::-1], b[::-1])
        assert edit_distance(a, b) <= edit_distance(a, c) + edit_distance(c, b)
        assert (edit_distance(a, b) == 0) == (a == b)
        assert edit_distance(a, b) >= max(len(a), len(b)) - longest_common(a, b)


def test_long_sequences():
    a = list(range(2000))
    assert edit_distance(a, a[500:] + a[:500]) == 1000
    assert longest_common(a, a[500:] + a[:500]) == 1500


def test_error_rates():
    texts, references = ["the cat  sat", "a b c d", ""], ["the cat sat down", "a", "x"]
    assert word_error_rate(texts, references) == pytest.approx((1 + 3 + 1) / 6)
    assert word_error_rate(["a b c"], ["x"]) == 3.0
    assert character_error_rate(["ab c", "é"], ["abc", "e"]) == pytest.approx(2 / 4)
    assert word_error_rate(["a"], ["a"]) == character_error_rate(["a"], ["a"]) == 0.0


@pytest.mark.parametrize("rate", [word_error_rate, character_error_rate])
@pytest.mark.parametrize(
    ("texts", "references", "words"),
    [(["a"], [], "got 0 for 1"), ([], [], "at least one"), (["a"], [""], "at least one")],
)
def test_wrong_requests(rate, texts, references, words):
    with pytest.raises(DataError, match=words):
        rate(texts, references)
