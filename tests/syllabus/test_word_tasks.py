"""What people do with texts: tell words' parts of speech, find names, write headlines."""

import re

import numpy as np
import pytest

from ganglion import TokenTagger, Translator
from ganglion.data.tags import read_conllu
from ganglion.estimators.sequences.sentences import judged, most_frequent
from ganglion.metrics.rouge import rouge


def simple(X, y, X_test):
    """The tag that each word has most often, and for new words the most frequent one."""
    most, own = most_frequent(X, y)
    return [[own.get(word, most) for word in words] for words in X_test]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_part_of_speech_tagging(measuring):
    """3 points and more above each word's most frequent tag, on the test part of the English Web Treebank."""
    folder = measuring("ud_english_ewt")
    train, test = (read_conllu(folder / f"en_ewt-ud-{part}.conllu.gz") for part in ("train", "test"))
    model = TokenTagger(max_epochs=4, random_state=0).fit(train.words, train.tags)
    known = simple(train.words, train.tags, test.words)
    right = np.mean([a == b for one, two in zip(known, test.tags) for a, b in zip(one, two)])
    assert model.score(test.words, test.tags) >= right + 0.03


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_named_entity_recognition(benchmark):
    """Names that were never seen, 5 points and more above each word's most frequent tag; F1 is seqeval's."""
    (X, y), held, (X_test, y_test) = benchmark("tagging").names(0)
    model = TokenTagger(random_state=0).fit(
        X + held[0], y + held[1], validation=np.arange(len(X) + len(held[0])) >= len(X)
    )
    f1 = model.scores(X_test, y_test)["f1"]
    assert f1 >= judged(y_test, simple(X, y, X_test), spans=True, weight=np.ones(len(y_test)))["f1"] + 0.05
    assert f1 >= 0.97
    seqeval = pytest.importorskip("seqeval.metrics")  # last: what is found right needs no peer to be judged
    assert f1 == pytest.approx(seqeval.f1_score(y_test, model.predict(X_test)), abs=1e-12)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_text_summarization(benchmark):
    """Headlines of made news, whose first sentence tells little; ROUGE is rouge-score's."""
    documents = benchmark("_headlines").documents
    X, y = documents(4_000, 0, odd=False)
    X_test, y_test = documents(300, 0, odd=True)
    model = Translator(cell="gru", layers=1, batch_size=32, random_state=0).fit(X, y)
    written = model.predict(X_test)
    first = [text.split(" .")[0] for text in X_test]
    for kind in ("1", "2", "l"):
        assert rouge(written, y_test, kind).f1 >= max(rouge(first, y_test, kind).f1 + 0.2, 0.9)
    scorer = pytest.importorskip("rouge_score.rouge_scorer")  # last: what is right needs no peer to be judged
    kinds = {"1": "rouge1", "2": "rouge2", "l": "rougeL"}
    theirs = scorer.RougeScorer(list(kinds.values()))
    for texts in (written, first):
        plain, wanted = (
            [" ".join(re.findall("[a-z0-9]+", one.lower())) for one in part] for part in (texts, y_test)
        )
        for kind, name in kinds.items():
            told = np.mean([theirs.score(b, a)[name].fmeasure for a, b in zip(plain, wanted)])
            assert rouge(plain, wanted, kind).f1 == pytest.approx(told, abs=1e-6)
