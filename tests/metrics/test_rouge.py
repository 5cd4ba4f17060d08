"""ROUGE by hand, by enumeration, and against rouge-score where it is installed."""

import itertools
import random

import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.metrics.rouge import rouge

KINDS = ("1", "2", "3", "l")


def text(rng, least=0, most=8):
    return " ".join(rng.choices("abcd", k=rng.randint(least, most)))


def slow(words, other, kind):
    """Precision, recall and F1 by taking runs off a list one by one, or by trying every choice of words."""
    if kind == "l":
        own, theirs = words, other
        shared = max(
            size
            for size in range(len(words) + 1)
            for part in itertools.combinations(words, size)
            if part in set(itertools.combinations(other, size))
        )
    else:
        n = int(kind)
        own, theirs = ([tuple(one[i : i + n]) for i in range(len(one) - n + 1)] for one in (words, other))
        rest, shared = list(theirs), 0
        for run in own:
            if run in rest:
                rest.remove(run)
                shared += 1
    p, r = (shared / len(side) if side else 0.0 for side in (own, theirs))
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_against_enumeration(kind):
    rng = random.Random(0)
    for _ in range(60):
        one, other = text(rng), text(rng)
        assert rouge([one], [other], kind) == pytest.approx(slow(one.split(), other.split(), kind), abs=1e-12)


def test_lins_example():
    """Lin 2004, section 3.1: ROUGE-2 takes both for equally good, ROUGE-L prefers the order of the reference."""
    reference = "police killed the gunman"
    near, far = "police kill the gunman", "the gunman kill police"
    assert (
        rouge([near], [reference], "2").recall
        == rouge([far], [reference], "2").recall
        == pytest.approx(1 / 3)
    )
    assert rouge([near], [reference], "l").f1 == pytest.approx(3 / 4)
    assert rouge([far], [reference], "l").f1 == pytest.approx(2 / 4)


def test_the_best_of_several_references_and_the_mean_over_texts():
    several = ["x y", "a b c d"]
    assert rouge(["a b"], [several]) == rouge(["a b"], ["a b c d"])
    assert rouge(["a b c d"], [["a", "a b c d e f"]]).f1 == pytest.approx(
        0.8
    )  # though the first has recall 1
    found = rouge(["a b", "x"], [several, "x y z w"])
    assert found == pytest.approx(((1 + 1) / 2, (2 / 4 + 1 / 4) / 2, (2 / 3 + 2 / 5) / 2))


def test_words_count_as_often_as_the_other_has_them():
    assert rouge(["the the the"], ["the cat the"]) == pytest.approx((2 / 3, 2 / 3, 2 / 3))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_said_and_everything(kind):
    assert (
        rouge([""], ["a b"], kind) == rouge(["a"], [""], kind) == rouge([""], [""], kind) == (0.0, 0.0, 0.0)
    )
    assert rouge(["a b c"], ["a b c"], kind) == (1.0, 1.0, 1.0)


def test_as_rouge_score():
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer(
        ["rouge1", "rouge2", "rouge3", "rougeL"]
    )
    rng = random.Random(1)
    for _ in range(200):
        one, several = text(rng, 0, 30), [text(rng, 0, 30) for _ in range(rng.randint(1, 3))]
        theirs = scorer.score_multi(several, one)
        for kind in KINDS:
            found, wanted = rouge([one], [several], kind), theirs[f"rouge{kind.upper()}"]
            assert found.f1 == pytest.approx(wanted.fmeasure, abs=1e-12)
            if len(several) == 1:
                assert found == pytest.approx(tuple(wanted), abs=1e-12)


@pytest.mark.parametrize("kind", ["0", "L", "-1", "", "1.5", "l2", "1\n", None])
def test_wrong_kinds(kind):
    with pytest.raises(ParameterError, match="kind of ROUGE must be"):
        rouge(["a"], ["a"], kind)


@pytest.mark.parametrize(
    ("texts", "references", "words"),
    [(["a"], [], "got 0 for 1"), ([], [], "0 texts"), (["a"], [[]], "text 0 has none")],
)
def test_wrong_texts(texts, references, words):
    with pytest.raises(DataError, match=words):
        rouge(texts, references)
