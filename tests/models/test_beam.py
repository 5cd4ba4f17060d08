"""Beam search against the enumeration of every sentence."""

import itertools
import math

import pytest
import torch

from ganglion.models.beam import beam_search

END, K, STEPS = 0, 4, 4


@pytest.fixture(scope="module")
def tables():
    """For three rows and each two words before: log-probabilities of the next of four words."""
    logits = 1.5 * torch.randn(
        3, K + 1, K + 1, K, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return logits.log_softmax(3)


def asker(tables):
    """The network of the tables: its state is the row and the word before last."""

    def ask(state, words):
        row, before = state
        return tables[row, before, words], (row, words)

    return ask


def search(tables, **settings):
    n = len(tables)
    state = torch.arange(n), torch.full((n,), K)
    return beam_search(asker(tables), state, torch.full((n,), K), end=END, steps=STEPS, **settings)


def sentences():
    """All sentences of at most four words, those cut without an end too."""
    for size in range(STEPS + 1):
        for words in itertools.product(range(1, K), repeat=size):
            yield (*words, END)[:STEPS]


def log_p(table, words):
    before = (K, K, *words)
    return math.fsum(float(table[before[i], before[i + 1], word]) for i, word in enumerate(words))


@pytest.mark.parametrize("power", [0.0, 0.7, 1.0])
def test_a_wide_beam_finds_the_best_of_all(tables, power):
    found, scores = search(tables, beam=K**STEPS, length_power=power)
    for table, words, score in zip(tables, found, scores):
        best = max(set(sentences()), key=lambda one: log_p(table, one) / len(one) ** power)
        assert tuple(w for w in words.tolist() if w >= 0) == best
        assert float(score) == pytest.approx(log_p(table, best), abs=1e-5)


def test_nothing_is_asked_once_all_have_ended():
    asked = []

    def ask(state, words):
        asked.append(len(words))
        return torch.tensor([[0.0, -torch.inf]]).expand(len(words), -1), state

    found, _ = beam_search(
        ask, torch.zeros(2, 1), torch.ones(2, dtype=torch.int64), end=END, steps=STEPS, beam=1
    )
    assert asked == [2]
    assert found.tolist() == [[END, -1, -1, -1]] * 2


def test_a_beam_of_one_is_greedy(tables):
    found, scores = search(tables, beam=1)
    for table, words, score in zip(tables, found.tolist(), scores):
        said = [K, K]
        while len(said) < STEPS + 2 and (len(said) == 2 or said[-1] != END):
            said.append(int(table[said[-2], said[-1]].argmax()))
        assert [w for w in words if w >= 0] == said[2:]
        assert float(score) == pytest.approx(log_p(table, said[2:]), abs=1e-5)


def test_each_step_keeps_the_best_beginnings(tables):
    """A beam of three, written with lists."""
    for row, table in enumerate(tables):
        kept = [()]
        for _ in range(STEPS):
            grown = [one for one in kept if one and one[-1] == END]
            grown += [(*one, w) for one in kept if not one or one[-1] != END for w in range(K)]
            kept = sorted(grown, key=lambda one: -log_p(table, one))[:3]
        found, _ = search(tables[row : row + 1], beam=3)
        assert tuple(w for w in found[0].tolist() if w >= 0) == kept[0]


def test_rows_do_not_meet(tables):
    whole, scores = search(tables, beam=3)
    for i in range(len(tables)):
        words, score = search(tables[i : i + 1], beam=3)
        assert torch.equal(words[0], whole[i])
        assert score[0] == scores[i]
