"""Words and runs of words, against scikit-learn's bags of words; characters against a sorted set."""

import random
from collections import Counter

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from ganglion.data.tokens import SPECIALS, UNKNOWN, Characters, Words, split_words

TEXTS = ["The cat sat. The cat ran!", "a cat", "", "ran the Dog, the dog ran", "sat"]


def corpus(n=60, seed=0):
    rng = random.Random(seed)
    words = ["the", "Cat", "cat", "don't", "ran", ".", "中", "é", "👍", "!"]
    weights = [9, 3, 5, 2, 4, 6, 1, 1, 1, 2]
    return [" ".join(rng.choices(words, weights, k=rng.randrange(15))) for _ in range(n)]


def names_of(words):
    """Code -> the text of its word or run, by the definition."""
    name = dict(enumerate(words.words, SPECIALS))
    for code, (begin, last) in enumerate(words.pairs.tolist(), SPECIALS + len(words.words)):
        name[code] = f"{name[begin]} {name[last]}"
    return name


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("lower", [False, True])
def test_bags_are_those_of_scikit_learn(n, lower):
    texts = corpus()
    words = Words(lower=lower, ngrams=n).learn(texts)
    other = CountVectorizer(tokenizer=split_words, token_pattern=None, lowercase=lower, ngram_range=(1, n))
    theirs = other.fit_transform(texts)
    name = names_of(words)
    assert sorted(name.values()) == sorted(other.vocabulary_)
    codes, offsets = words.encode_all(texts)
    for i in range(len(texts)):
        bag = Counter(name[code] for code in codes[offsets[i] : offsets[i + 1]].tolist())
        row = theirs[i].toarray()[0]
        assert bag == {run: row[j] for run, j in other.vocabulary_.items() if row[j]}


@pytest.mark.parametrize(("most", "least"), [(9, 1), (7, 2), (40, 3), (0, 1)])
def test_the_most_frequent_runs_are_kept(most, least):
    texts = corpus(seed=1)
    words = Words(6, ngrams=3, most_ngrams=most, min_count=least).learn(texts)
    known, counts = set(words.words), Counter()
    assert words.words == [w for w, _ in sorted(Counter(w for t in texts for w in split_words(t)).items(),
                                                key=lambda item: (-item[1], item[0]))][:6]  # fmt: skip
    for text in texts:
        split = split_words(text)
        for n in (2, 3):
            runs = [split[i : i + n] for i in range(len(split) - n + 1)]
            counts.update((n, " ".join(run)) for run in runs if known.issuperset(run))
    ranked = sorted(((-k, n) for (n, _), k in counts.items() if k >= least))[:most]
    names = [names_of(words)[SPECIALS + len(words.words) + i] for i in range(len(words.pairs))]
    assert [(-counts[len(name.split()), name], len(name.split())) for name in names] == ranked
    assert len(set(names)) == len(names)


def test_by_hand():
    words = Words(3, lower=True, ngrams=2, min_count=2).learn(TEXTS)
    assert words.words == ["the", "cat", "ran"]
    assert words.encode("The cat ran, the end").tolist() == [4, 5, 6, 1, 4, 1, 7]
    assert words.pairs.tolist() == [[4, 5]]
    assert words.decode(words.encode("The CAT ran, the end")) == "the cat ran \ufffd the \ufffd"
    assert words.size == 8


def test_runs_do_not_cross_unknown_words_or_texts():
    words = Words(ngrams=2).learn(["a b", "b a"])
    codes, offsets = words.encode_all(["a", "b", "a x b", "", "b a"])
    assert offsets.tolist() == [0, 1, 2, 5, 5, 8]
    assert codes.tolist() == [4, 5, 4, UNKNOWN, 5, 5, 4, 7]


def test_words_of_equal_counts_come_by_the_alphabet():
    assert Words(2).learn(["c b a"]).words == ["a", "b"]


def test_too_long_is_no_word():
    words = Words().learn(["a" * 100 + " " + "b" * 101])
    assert words.words == ["a" * 100]
    assert words.encode("b" * 101).tolist() == [UNKNOWN]


@pytest.mark.parametrize("least", [1, 3])
def test_characters_are_a_sorted_set(least):
    texts = [*corpus(), "\ud83d", "\ude00", "a" * (1 << 20), "z"]
    characters = Characters(least).learn(texts)
    counts = Counter("".join(texts[:-2])) + Counter({"a": 1 << 20, "z": 1})
    known = sorted(character for character, k in counts.items() if k >= least)
    text = "".join(sorted(counts)) + "?"
    expected = [SPECIALS + known.index(c) if c in known else UNKNOWN for c in text]
    assert characters.encode(text).tolist() == expected
    assert characters.decode(np.array(expected)) == "".join(c if c in known else "\ufffd" for c in text)
