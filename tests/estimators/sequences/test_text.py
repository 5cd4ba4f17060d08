"""Texts to classes: naive Bayes by hand, lengths, what is refused, what is awkward."""

import itertools

import numpy as np
import pytest
import torch

from ganglion import TextClassifier, load
from ganglion.base.errors import DataError
from ganglion.estimators.sequences.text import both_ends, by_length, each_once
from ganglion.models.text import BEGIN, BagNet, log_ratios

WORDS = {"spam": ["win", "cash", "now", "free", "call"], "ham": ["see", "you", "home", "late", "ok"]}


def messages(n=200, seed=0):
    """Messages of three to eight words, most of them of their class, and what they are."""
    rng = np.random.default_rng(seed)
    y = rng.choice(["ham", "spam"], n)
    texts = []
    for kind in y:
        own, other = WORDS[kind], WORDS["ham" if kind == "spam" else "spam"]
        size = rng.integers(3, 9)
        texts.append(" ".join(rng.choice(own if rng.random() < 0.85 else other) for _ in range(size)))
    return texts, y


@pytest.mark.parametrize("cell", ["bag", "cnn", "rnn", "lstm", "gru", "tcn", "transformer"])
def test_every_cell_learns_and_is_saved(cell, tmp_path):
    texts, y = messages()
    model = TextClassifier(cell=cell, units=16, max_epochs=15, dropout=0.2, lr=0.005).fit(texts, y)
    assert model.score(*messages(seed=1)) > 0.85
    back = load(model.save(tmp_path / "m.ganglion"))
    assert (back.predict_proba(texts) == model.predict_proba(texts)).all()


def test_a_bag_starts_as_naive_bayes():
    """Before a step its scores are the sums of naive Bayes' log-ratios, scaled: the same order of texts."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    texts, y = messages()
    vectorizer = CountVectorizer(binary=True)
    counts = vectorizer.fit_transform(texts)
    bayes = MultinomialNB(alpha=1.0, fit_prior=False).fit(counts, y)
    known = bayes.feature_log_prob_ - bayes.feature_log_prob_.mean(0)
    codes, rows = counts.indices, np.repeat(np.arange(len(y)), np.diff(counts.indptr))
    ratios = log_ratios(
        codes + 4, (y == "spam").astype(int)[rows], np.ones(len(codes)), counts.shape[1] + 4, 2
    )
    # four special codes are counted once each, which moves all by the same
    moved = ratios[4:].T - known
    np.testing.assert_allclose(moved - moved[:, :1], 0, atol=1e-12)
    net = BagNet(len(ratios), torch.zeros(2))
    net.ratio.copy_(torch.from_numpy(ratios))
    one = codes[rows == 0] + 4
    found = net(torch.from_numpy(one.astype(np.int64))[None])[0]
    expected = BEGIN * ratios[one].sum(0) / len(one) ** 0.5
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("cell", ["bag", "cnn", "lstm", "transformer"])
def test_the_texts_beside_change_nothing(cell):
    texts, y = messages(60)
    model = TextClassifier(cell=cell, units=8, max_epochs=1).fit(texts, y)
    alone = np.concatenate([model._outputs([text]) for text in texts])
    np.testing.assert_allclose(model._outputs(texts), alone, atol=2e-6)


def test_weights_and_classes_count():
    texts, y = messages()
    weight = np.where(y == "spam", 20.0, 1.0)
    plain, heavy = (TextClassifier(random_state=0).fit(texts, y, w) for w in (None, weight))
    assert heavy.predict_proba([""])[0, 1] > plain.predict_proba([""])[0, 1] + 0.2
    balanced = TextClassifier(class_weight="balanced").fit(texts[:40], y[:40])
    assert balanced.predict(texts).shape == (200,)


def test_awkward_texts():
    texts, y = messages()
    strange = ["", None, " \n\t", "\ud800 lone", "😀👩‍👩‍👧", "שלום עולם", "a" * 1_000_000, "win " * 250_000]
    for cell in ("bag", "cnn"):
        model = TextClassifier(cell=cell, units=8, max_epochs=1).fit(
            [*texts, *strange[:6]], [*y, *["ham"] * 6]
        )
        p = model.predict_proba(strange)
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(1), 1)


def test_what_is_refused():
    texts, y = messages(20)
    with pytest.raises(DataError, match="row 3"):
        TextClassifier().fit([*texts[:3], 7, *texts[4:]], y)
    with pytest.raises(DataError, match="same number"):
        TextClassifier().fit(texts, y[:-1])
    with pytest.raises(DataError, match="got none"):
        TextClassifier().fit([], [])
    with pytest.raises(DataError, match="output for each class"):
        TextClassifier(loss="binary_cross_entropy").fit(texts, y)


def test_each_once_as_sets():
    rng = np.random.default_rng(0)
    lists = [rng.integers(4, 9, rng.integers(0, 12)) for _ in range(50)]
    offsets = np.append(0, np.cumsum([len(c) for c in lists]))
    codes, found = each_once(np.concatenate(lists), offsets)
    assert [codes[a:b].tolist() for a, b in itertools.pairwise(found)] == [
        sorted(set(c.tolist())) for c in lists
    ]


@pytest.mark.parametrize("longest", [2, 5, 8])
def test_both_ends_as_slices(longest):
    lists = [np.arange(n) + 4 for n in (0, 1, 5, 9, 30)]
    offsets = np.append(0, np.cumsum([len(c) for c in lists]))
    codes, found = both_ends(np.concatenate(lists), offsets, longest)
    for c, a, b in zip(lists, found, found[1:]):
        tail = longest // 2
        known = c if len(c) <= longest else np.concatenate([c[: longest - tail], c[-tail:]])
        assert codes[a:b].tolist() == known.tolist()


def test_numbers_by_their_length():
    assert by_length("10/10 in 1999, call 0871-2460324") == "10/10 in 0000, call 0000-0000000"
