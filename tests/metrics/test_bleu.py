"""BLEU by hand, and against sacrebleu."""

import math
import random

import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.metrics.bleu import SMOOTHINGS, bleu


def test_words_count_as_often_as_a_reference_has_them():
    """Papineni et al. 2002, example 2: seven times "the" against two of them gives 2 / 7."""
    references = [["the cat is on the mat", "there is a cat on the mat"]]
    assert bleu(["the the the the the the the"], references, n=1) == pytest.approx(2 / 7)


def test_short_texts_are_punished():
    assert bleu(["a b"], ["a b c d"], n=1) == pytest.approx(math.exp(1 - 4 / 2))
    assert bleu(["a b c d e"], ["a b c d"], n=1) == pytest.approx(4 / 5)
    # of references with 1 and 3 words the shorter is taken, as near as the other
    assert bleu(["a b"], [["a b c", "a"]], n=1) == pytest.approx(1.0)


def test_shares_are_summed_over_the_corpus_before_they_are_divided():
    texts, references = ["a b c", "x y"], ["a b d", "x y"]
    assert bleu(texts, references, n=2) == pytest.approx(math.sqrt(4 / 5 * 2 / 3))


@pytest.mark.parametrize(
    ("smooth", "shares"),
    [("exp", (3 / 5, 1 / 4, 1 / 2 / 3, 1 / 4 / 2)), ("floor", (3 / 5, 1 / 4, 0.1 / 3, 0.1 / 2)),
     ("add-k", (3 / 5, 2 / 5, 1 / 4, 1 / 3)), ("none", (0.0,))],
)  # fmt: skip
def test_what_stands_for_no_match(smooth, shares):
    found = bleu(["a b x c y"], ["a b q c r"], smooth=smooth)
    assert found == pytest.approx(math.prod(shares) ** 0.25)


def test_as_sacrebleu():
    sacrebleu = pytest.importorskip("sacrebleu")
    rng, words = random.Random(0), ["a", "b", "c", "d", "e", "é", "'f", "."]

    def text(least, most):
        return " ".join(rng.choices(words, k=rng.randint(least, most)))

    for _ in range(100):
        m, several = rng.randint(1, 5), rng.randint(1, 3)
        texts = [text(0, 9) for _ in range(m)]
        references = [[text(1, 9) for _ in range(several)] for _ in range(m)]
        for smooth in SMOOTHINGS:
            theirs = sacrebleu.corpus_bleu(
                texts, list(map(list, zip(*references))), tokenize="none", smooth_method=smooth, force=True
            )
            assert bleu(texts, references, smooth=smooth) == pytest.approx(theirs.score / 100, abs=1e-12)


def test_nothing_said_and_wrong_requests():
    assert bleu([""], ["a"]) == 0.0
    assert bleu(["x"], ["a"]) == 0.0
    assert bleu(["a b c d e"], ["a b c d e"]) == 1.0
    with pytest.raises(ParameterError, match="did you mean 'floor'"):
        bleu(["a"], ["a"], smooth="flor")
    with pytest.raises(ParameterError, match="at least 1"):
        bleu(["a"], ["a"], n=0)
    with pytest.raises(DataError, match="got 2 for 1 texts"):
        bleu(["a"], ["a", "b"])
    with pytest.raises(DataError, match="text 0 has none"):
        bleu(["a"], [[]])
