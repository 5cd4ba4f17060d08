"""Simple models of texts: by hand, by scikit-learn, and as a distribution."""

import math

import numpy as np

from ganglion.evaluate.text_baselines import Trigrams, nearest_texts, text_baselines


def test_weighted_words_and_the_dummy_are_scored_on_the_same_texts():
    train, y = ["good film", "bad film", "good plot"] * 10, np.array(["+", "-", "+"] * 10)
    found = text_baselines(train, y, ["a good one", "a bad one"], np.array(["+", "-"]), classes=["-", "+"])
    assert found["words"].scores["accuracy"] == 1.0
    assert found["dummy"].scores["accuracy"] == 0.5
    np.testing.assert_allclose(found["dummy"].proba, [[1 / 3, 2 / 3]] * 2)


def test_a_time_limit_takes_a_sample_and_says_so():
    train, y = [f"word{i % 7} and more of it" for i in range(3000)], np.arange(3000) % 2
    found = text_baselines(train, y, train[:9], y[:9], classes=[0, 1], time_limit=0.001)
    assert found["words"].rows == 1000
    assert "sample of 1,000" in found["words"].note


def test_the_nearest_text_lends_its_answer_and_texts_without_words_get_one_too():
    assert nearest_texts(["a red cat", "the dog"], ["chat", "chien"], ["one red cat", "my dog"]) == [
        "chat",
        "chien",
    ]
    assert nearest_texts(["", " "], ["a", "b"], ["c"]) == ["a"]


def test_trigrams_by_hand():
    model = Trigrams(["ab"], n=2)  # a and b once each; behind a only b
    lowest = 1 / 3
    one = (1 + 2 * lowest) / (2 + 2)
    assert math.isclose(model.probability("", "a"), one)
    assert math.isclose(model.probability("a", "b"), (1 + 1 * one) / (1 + 1))
    assert math.isclose(model.loss("ab"), -(math.log(one) + math.log((1 + one) / 2)) / 2)


def test_trigrams_sum_to_one_with_all_unknown_characters_as_one():
    model = Trigrams(["hello world, hello"])
    for before in ("", "h", "he", "zz"):
        total = sum(model.probability(before, c) for c in set("hello world, hello")) + model.probability(
            before, "Z"
        )
        assert math.isclose(total, 1.0)


def test_trigrams_of_several_texts_know_their_edges():
    model = Trigrams(
        ["\n\nab\n", "\n\nac\n"], size=4, skip=2
    )  # each begins with a, behind which b or c comes
    assert model.counts[2] == {"\n\n": {"a": 2}, "\na": {"b": 1, "c": 1}, "ab": {"\n": 1}, "ac": {"\n": 1}}
    assert sum(model.counts[0][""].values()) == 6
    assert math.isclose(sum(model.probability("\na", c) for c in "\nabc"), 1.0)
