"""What a network that reads must beat: weighted words, the nearest known text, three characters back."""

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from ganglion.evaluate.baselines import SECONDS, Baseline, aligned, scores_of

LETTERS_PER_SECOND = 2e6  # that weighted words learn from, by count and not by the clock
WORD = r"(?u)\w+|[^\w\s]"
TOGETHER = 1_000  # texts that are compared with the known ones at a time


def text_baselines(
    train: Sequence[str],
    y_train: NDArray[Any],
    test: Sequence[str],
    y_test: NDArray[Any],
    *,
    classes: Sequence[Any],
    time_limit: float | None = None,
    random_state: int = 0,
) -> dict[str, Baseline]:
    """Score two simple models of texts and their classes.

    * ``dummy``: always the most frequent class, with the classes' shares as probabilities;
    * ``words``: logistic regression on TF-IDF of words and pairs of words.

    Arguments: texts (n,) and (m,) with their classes; ``classes`` the order of probabilities; ``time_limit`` seconds,
    kept by a sample of the training texts, which ``note`` then tells.

    >>> texts, y = ["good film", "bad film"] * 20, np.array(["+", "-"] * 20)
    >>> text_baselines(texts, y, texts, y, classes=["+", "-"])["words"].scores["accuracy"]
    1.0
    """
    rows, note = _sample(train, time_limit or SECONDS, random_state)
    found = {}
    for name, model in (("dummy", _dummy()), ("words", _words())):
        own = rows if name == "words" and len(np.unique(y_train[rows])) > 1 else np.arange(len(train))
        start = time.perf_counter()
        model.fit([train[i] for i in own], y_train[own])
        proba = aligned(model, test, classes)
        took, said = time.perf_counter() - start, np.asarray(classes)[proba.argmax(axis=1)]
        scores = scores_of(y_test, said, proba, classes)
        found[name] = Baseline(name, scores, took, len(own), note if name == "words" else "", said, proba)
    return found


def _sample(train: Sequence[str], seconds: float, seed: int) -> tuple[NDArray[np.int64], str]:
    """Rows that a time limit allows, by the number of their letters."""
    letters, n = sum(map(len, train)), len(train)
    most = max(1_000, int(n * seconds * LETTERS_PER_SECOND / max(letters, 1)))
    if n <= most:
        return np.arange(n), ""
    rows = np.sort(np.random.default_rng(seed).permutation(n)[:most])
    return rows, f"trained on a random sample of {most:,} of {n:,} texts to save time"


def _dummy() -> Any:
    return DummyClassifier(strategy="prior")


def _words() -> Pipeline:
    counts = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=WORD)
    return make_pipeline(counts, LogisticRegression(C=10, max_iter=300))


def nearest_texts(train: Sequence[str], answers: Sequence[str], test: Sequence[str]) -> list[str]:
    """For each text the answer of the known text that shares most words with it, by the cosine of TF-IDF.

    >>> nearest_texts(["a red cat", "the dog"], ["chat", "chien"], ["one red cat"])
    ['chat']
    """
    counts = TfidfVectorizer(token_pattern=WORD)
    try:
        known = counts.fit_transform(train)
    except ValueError:  # no text has a word
        return [answers[0]] * len(test)
    found: list[int] = []
    for at in range(0, len(test), TOGETHER):
        near = counts.transform(test[at : at + TOGETHER]) @ known.T
        found += np.asarray(near.argmax(axis=1)).ravel().tolist()
    return [answers[i] for i in found]


class Trigrams:
    """``P(c | a b)`` of characters, each order mixed with the next lower one by Witten and Bell's rule.

    ``P_n = (count + T P_(n-1)) / (N + T)`` with T different characters seen N times behind the same ones before (Witten
    and Bell 1991). The lowest order is one chance in ``characters + 1``.

    Arguments: ``texts`` to count in; ``n`` characters that are counted together; ``size`` different ones that may come
    (those of the texts and one more); ``skip`` characters at each text's beginning that are only looked back at.

    >>> round(float(np.exp(-Trigrams(["abababababab"]).loss("ababab"))), 1)
    0.9
    """

    def __init__(self, texts: Sequence[str], n: int = 3, *, size: int | None = None, skip: int = 0) -> None:
        self.n, self.skip = n, skip
        self.size = len(set().union(*texts)) + 1 if size is None else size
        self.counts: list[dict[str, Counter[str]]] = [defaultdict(Counter) for _ in range(n)]
        for text in texts:
            for i in range(skip, len(text)):
                for order in range(min(n, i + 1)):
                    self.counts[order][text[i - order : i]][text[i]] += 1
        self.totals = [{k: own.total() for k, own in table.items()} for table in self.counts]
        self.known: dict[str, float] = {}

    def probability(self, before: str, c: str) -> float:
        """``P(c | before)``; only the last characters count."""
        key = before[len(before) - min(self.n - 1, len(before)) :] + c
        if key not in self.known:
            p = 1.0 / self.size
            for order in range(len(key)):
                own = self.counts[order].get(key[len(key) - 1 - order : -1])
                if own is None:
                    break
                total = self.totals[order][key[len(key) - 1 - order : -1]]
                p = (own.get(c, 0) + len(own) * p) / (total + len(own))
            self.known[key] = p
        return self.known[key]

    def loss(self, text: str) -> float:
        """The mean ``-log P`` of a character in nats."""
        places = range(self.skip, len(text))
        chances = (self.probability(text[max(0, i - self.n + 1) : i], text[i]) for i in places)
        return float(-np.mean(np.log(np.fromiter(chances, np.float64, len(places)))))
