"""What comes next in a text, told and written: against a source whose entropy is known, and against counts."""

import gzip
from collections import Counter, defaultdict

import numpy as np
import pytest

from ganglion import LanguageModel
from ganglion.evaluate.text_baselines import Trigrams


@pytest.fixture(scope="module")
def plays(measuring):
    """The first nine tenths of Tiny Shakespeare, the rest, and a model of 3,500 steps."""
    with gzip.open(measuring("tiny_shakespeare", "input.txt.gz"), "rt", encoding="utf-8") as file:
        text = file.read()
    known, rest = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    model = LanguageModel(context=64, batch_size=12, max_steps=3_500, validation_fraction=0, random_state=0)
    return known, rest, model.fit(known)


def kneser_ney(text, n=5, discount=0.75):
    """The loss of texts by counts of n characters, of which lower orders count how many characters stand before."""
    seen = [{text[i : i + k + 1] for i in range(len(text) - k)} for k in range(n)]
    tables = [defaultdict(Counter) for _ in range(n)]
    for i in range(len(text) - n + 1):
        tables[-1][text[i : i + n - 1]][text[i + n - 1]] += 1
    for k in range(n - 1):
        for longer in seen[k + 1]:
            tables[k][longer[1:-1]][longer[-1]] += 1
    totals = [{before: own.total() for before, own in table.items()} for table in tables]

    def chance(before, c):
        p = 1 / (len(seen[0]) + 1)
        for k, table in enumerate(tables):
            behind = before[len(before) - k :]
            own = table.get(behind)
            if own is None:
                break
            p = (max(own[c] - discount, 0) + discount * len(own) * p) / totals[k][behind]
        return p

    return lambda new: -np.mean([np.log(chance(new[i - n + 1 : i], new[i])) for i in range(n - 1, len(new))])


def test_language_modeling_of_a_known_source():
    """Within 2 % of the entropy rate of a Markov chain of six letters."""
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.full(6, 0.5), 6)

    def walk(n):
        at, said = 0, []
        for u in rng.random(n):
            at = min(int(np.searchsorted(P[at].cumsum(), u)), 5)
            said.append("abcdef"[at])
        return "".join(said)

    share = np.linalg.matrix_power(P, 200)[0]  # of each letter in the long run
    entropy = -(share[:, None] * P * np.log(P)).sum()
    model = LanguageModel(units=32, layers=1, context=32, batch_size=32, max_epochs=3, random_state=0)
    found = -model.fit(walk(50_000)).score(walk(50_000))
    assert 0.98 * entropy < found <= 1.02 * entropy


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_language_modeling(plays):
    """Fewer bits a character than counts of five, on the last tenth of Tiny Shakespeare."""
    known, rest, model = plays
    assert -model.score(rest) < Trigrams([known], 5).loss(rest)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_text_generation(plays):
    """Fewer nats a character than Kneser and Ney's counts of five, and of fifty written characters none was read so."""
    known, rest, model = plays
    assert -model.score(rest) < kneser_ney(known)(rest)
    written = model.generate(length=50, n=60, random_state=0)
    assert np.mean([text in known for text in written]) <= 0.05
    assert len(set(written)) == 60
