"""An encoder that sees both sides: what is missing in a text, and classes that hang on the order of words."""

import itertools

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from ganglion import MaskedLanguageModel, TextClassifier

LETTERS, LENGTH = "abcdef", 8


@pytest.fixture(scope="module")
def grammar():
    """A Markov chain's start and steps, and a function that writes n texts of eight of its letters as words."""
    rng = np.random.default_rng(0)
    start, P = rng.dirichlet(np.ones(6)), rng.dirichlet(np.full(6, 0.3), 6)

    def write(n, seed):
        rng, texts = np.random.default_rng(seed), []
        for _ in range(n):
            at = [rng.choice(6, p=start)]
            for _ in range(LENGTH - 1):
                at.append(rng.choice(6, p=P[at[-1]]))
            texts.append(" ".join(LETTERS[i] for i in at))
        return texts

    return start, P, write


def likeliest(start, P, words, gap):
    """The most probable letter in a gap, by trying all of them."""
    chances = []
    for letter in LETTERS:
        at = [LETTERS.index(w) for w in [*words[:gap], letter, *words[gap + 1 :]]]
        chances.append(start[at[0]] * np.prod([P[a, b] for a, b in itertools.pairwise(at)]))
    return LETTERS[int(np.argmax(chances))]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_encoder_only_transformer(grammar):
    """Gaps are filled as well as by exact enumeration, to 2 points; from there on, order is learned from few texts.

    The classes are whether a text runs forwards or from its end on: bags of words cannot tell.
    """
    start, P, write = grammar
    shape = {"units": 64, "layers": 2, "random_state": 0}
    model = MaskedLanguageModel(tokens="words", context=40, batch_size=64, max_epochs=30, **shape).fit(
        write(8_000, 1)
    )
    right = {"model": 0, "bayes": 0}
    texts, rng = write(2_000, 2), np.random.default_rng(3)
    asked = []
    for text in texts:
        words, gap = text.split(), rng.integers(LENGTH)
        right["bayes"] += likeliest(start, P, words, gap) == words[gap]
        asked.append((" ".join([*words[:gap], "[MASK]", *words[gap + 1 :]]), text))
    right["model"] = sum(a == b for a, (_, b) in zip(model.fill([one for one, _ in asked]), asked))
    assert right["model"] >= right["bayes"] - 0.02 * len(texts), right

    def turned(n, seed):
        texts, y = write(n, seed), np.arange(n) % 2
        return [text[::-1] if back else text for text, back in zip(texts, y)], y

    X, y = turned(600, 4)
    X_test, y_test = turned(1_000, 5)
    bag = make_pipeline(CountVectorizer(token_pattern=r"\S"), LogisticRegression()).fit(X, y)
    tuned = TextClassifier(cell="transformer", pool="mean", dropout=0.1, lr=1e-3, max_epochs=15, **shape)
    tuned.fit(X, y, start=model)
    assert tuned.score(X_test, y_test) >= bag.score(X_test, y_test) + 0.2
