"""States of tokenizers that a stranger made."""

import json

import pytest

from ganglion.base.errors import ModelFileError
from ganglion.data.tokens import tokenizer_from, tokenizer_named


def state(name, **learned):
    """A sound state, with something else in its learned part."""
    sound = tokenizer_named(name).learn(["the cat the cat the cat"]).state()
    return sound | {"learned": sound["learned"] | learned}


def refused(bad):
    with pytest.raises(ModelFileError) as error:
        tokenizer_from(bad)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]


WRONG = [
    None,
    3,
    "words",
    [],
    [4],
    {},
    {"a": 1},
    True,
    -1,
    2**70,
    10**5000,
    0.5,
    float("nan"),
    "\ud800",
    DEEP,
]
FITS = [("lower", True), ("points", []), ("points", [4]), ("ngrams", []), ("merges", []), ("min_count", 3)]
FITS += [("most", 3), ("most_ngrams", 3), ("ngrams", 3), ("merges", 3), ("most_ngrams", 4)]


@pytest.mark.parametrize("name", ["characters", "words(ngrams=2)", "bytes", "bpe(9)"])
def test_every_part_is_checked(name):
    sound = state(name)
    for value in WRONG:
        refused(value)
        refused(sound | {"more": value})
        for key in sound:
            refused({k: v for k, v in sound.items() if k != key})
            if value != sound[key]:
                refused(sound | {key: value})
        for part in ("settings", "learned"):
            refused(sound | {part: sound[part] | {"more": value}})
            for key in sound[part]:
                if not any(key == k and type(value) is type(v) and value == v for k, v in FITS):
                    refused(sound | {part: sound[part] | {key: value}})


@pytest.mark.parametrize(
    "bad",
    [state("characters", points=[97, 97]), state("characters", points=[98, 97]), state("characters", points=[-1]),
     state("characters", points=[0x110000]), state("characters", points=[True]), state("characters", points=[97.0]),
     state("words(1)", words=["a", "b"]), state("words", words=["a", "a"]), state("words", words=[""]),
     state("words", words=["a b"]), state("words", words=[3]), state("words", words=["a" * 101]),
     state("words", words=["a", None]), state("words", words="ab"), state("words", ngrams=[4, 4]),
     state("words(ngrams=2)", ngrams=[4]), state("words(ngrams=2)", ngrams=[4, 5, 4, 5]),
     state("words(ngrams=2)", ngrams=[4, 6]), state("words(ngrams=2)", ngrams=[6, 4]),
     state("words(ngrams=2)", ngrams=[4, 5, 6, 4]), state("words(ngrams=2)", ngrams=[3, 4]),
     state("words(ngrams=2, most_ngrams=1)", ngrams=[4, 5, 5, 4]), state("words(ngrams=2)", words=[]),
     state("bpe(9)", merges=[101]), state("bpe(9)", merges=[260, 101]), state("bpe(9)", merges=[3, 101]),
     state("bpe(9)", merges=[101, 102, 101, 102]), state("bpe(1)", merges=[101, 102, 103, 104]),
     state("bpe(9)", merges=[101, 102, 260, 103, 102, 103, 101, 262]),
     state("bpe(99)", merges=[101, 101, *(260 + i // 2 for i in range(80))])],
)  # fmt: skip
def test_what_no_tokenizer_learns_is_refused(bad):
    refused(bad)


def doublings(n):
    """Merges of a token with itself, to 2^n letters."""
    return [101, 101, *(260 + i // 2 for i in range(2 * n - 2))]


def test_tokens_are_no_longer_than_pieces():
    refused(state("bpe(9)", merges=doublings(9)))  # 512 bytes, where 64 characters have at most 256
    assert tokenizer_from(state("bpe(9)", merges=doublings(8))).tokens[-1] == b"a" * 256


def test_the_sound_ones_pass():
    for name, learned in [
        ("words(ngrams=3)", {"ngrams": [4, 5, 6, 4]}),
        ("bpe(9)", {"merges": [101, 102, 260, 103]}),
        ("bpe(9)", {"merges": []}),
        ("characters", {"points": [0xD800, 0xDC00]}),
    ]:
        sound = json.loads(json.dumps(state(name, **learned)))
        assert tokenizer_from(sound).state() == sound
