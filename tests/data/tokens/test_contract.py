"""What holds for every tokenizer, whatever its tokens are."""

import copy
import json
import pickle
import random
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

from ganglion.base.errors import DataError, GanglionError, ParameterError
from ganglion.data.tokens import BEGIN, END, PAD, TOKENIZERS, UNKNOWN, tokenizer_from, tokenizer_named

SPEC = spec_from_file_location("texts", Path(__file__).with_name("texts.py"))
texts = module_from_spec(SPEC)
SPEC.loader.exec_module(texts)

NAMES = [
    "characters",
    "characters(2)",
    "bytes",
    "words",
    "words(9, lower=True, ngrams=2)",
    "words(ngrams=3, most_ngrams=20)",
    "bpe(50)",
    "bpe(300, min_count=1)",
]
EXACT = ["characters", "bytes", "bpe(50)", "bpe(300, min_count=1)"]
LENGTH = 300_000  # characters of a long text


@pytest.fixture(params=NAMES)
def learned(request):
    return tokenizer_named(request.param).learn(texts.ODD)


def test_special_codes():
    assert (PAD, UNKNOWN, BEGIN, END) == (0, 1, 2, 3)


def test_codes_of_one_are_those_of_all(learned):
    codes, offsets = learned.encode_all(texts.ODD)
    assert codes.dtype == np.int32
    assert offsets.dtype == np.int64
    assert len(offsets) == len(texts.ODD) + 1
    assert (offsets[0], offsets[-1]) == (0, len(codes))
    for i, text in enumerate(texts.ODD):
        one = learned.encode(text)
        assert one.dtype == np.int32
        assert one.ndim == 1
        assert codes[offsets[i] : offsets[i + 1]].tolist() == one.tolist()
    assert set(np.unique(codes)) <= {UNKNOWN, *range(4, learned.size)}


def test_nothing_at_all(learned):
    codes, offsets = learned.encode_all([])
    assert codes.dtype == np.int32
    assert len(codes) == 0
    assert offsets.tolist() == [0]
    assert learned.encode("").tolist() == []
    assert learned.decode([]) == learned.decode([PAD, BEGIN, END, PAD]) == ""
    for corpus in ([], [""], ["", ""]):
        again = tokenizer_named(repr(learned)).learn(corpus)
        assert again.size in (4, 260)
        assert set(again.encode("a text").tolist()) <= {UNKNOWN, *range(4, 260)}


@pytest.mark.parametrize("name", EXACT)
def test_texts_come_back_exactly(name):
    tokenizer = tokenizer_named(name).learn(texts.ODD)
    for text in texts.ODD:
        codes = tokenizer.encode(text)
        assert tokenizer.decode(codes) == text
        assert tokenizer.decode([BEGIN, *codes, END, PAD, PAD]) == text


@pytest.mark.parametrize("name", ["bytes", "bpe(40)"])
def test_any_text_comes_back_exactly(name):
    rng = random.Random(0)
    tokenizer = tokenizer_named(name).learn(["plain words, and a 👍"])
    for _ in range(50):
        top = rng.choice([0x80, 0x800, 0x10000, 0x110000])
        text = "".join(chr(rng.randrange(top)) for _ in range(200))
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_state_is_all_of_it(learned):
    state = json.loads(json.dumps(learned.state()))
    others = [tokenizer_from(state), pickle.loads(pickle.dumps(learned)), copy.deepcopy(learned)]
    codes, offsets = learned.encode_all(texts.ODD)
    for other in others:
        assert repr(other) == repr(learned)
        assert other.size == learned.size
        assert other.state() == state
        for mine, its in zip((codes, offsets), other.encode_all(texts.ODD)):
            assert (mine == its).all()
        assert other.decode(codes) == learned.decode(codes)


def test_all_codes_can_be_decoded(learned):
    codes = np.random.default_rng(0).integers(0, learned.size, 2000)
    text = learned.decode(codes)
    assert isinstance(text, str)
    assert learned.decode(torch.from_numpy(codes)) == learned.decode(codes.tolist()) == text
    assert learned.decode([UNKNOWN]) == "\ufffd"


NO_CODES = [[[4]], 4, None, [0.5], ["a"], "a", [True], [-1], [10**6], [2**70], [None], [[1], [1, 2]]]
NO_CODES += [np.array([2**64 - 1], np.uint64)]


@pytest.mark.parametrize("codes", NO_CODES)
def test_what_is_no_code_is_refused(learned, codes):
    with pytest.raises(DataError, match="codes") as error:
        learned.decode(codes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("wrong", [None, 3, b"bytes", 0.5])
def test_rows_that_are_no_texts_are_named(learned, wrong):
    for use in (learned.learn, learned.encode_all):
        with pytest.raises(DataError, match="in row 2"):
            use(["a", "b", wrong])
        with pytest.raises(DataError, match="list of texts"):
            use("a text")
    with pytest.raises(DataError, match="a text is expected"):
        learned.encode(wrong)
    assert learned.encode("").tolist() == []


def test_learning_again_forgets(learned):
    fresh = tokenizer_named(repr(learned)).learn(["entirely other words"])
    learned.learn(["entirely other words"])
    assert learned.state() == fresh.state()


def test_the_order_of_texts_does_not_matter(learned):
    other = tokenizer_named(repr(learned)).learn(texts.ODD[::-1])
    assert other.state() == learned.state()


@pytest.mark.parametrize("name", ["characters", "words", "bpe"])
def test_who_has_not_learned_says_so(name):
    tokenizer = tokenizer_named(name)
    for use in (lambda: tokenizer.encode("a"), lambda: tokenizer.encode_all(["a"]), lambda: tokenizer.decode([4]),
                lambda: tokenizer.size, tokenizer.state):  # fmt: skip
        with pytest.raises(GanglionError, match="call learn"):
            use()


@pytest.mark.parametrize(
    ("name", "words"),
    [("word", "did you mean 'words'"), ("bpe(0.5)", "whole number"), ("bpe(-1)", "merges"), ("bpe(10**9)", "bpe"),
     ("bpe(999999999)", "at most"), ("words(0)", "most"), ("words(lower=1)", "True or False"), ("words(True)", "most"),
     ("words(5, ngrams=99)", "ngrams"), ("bytes(3)", "takes"), ("characters(min_count=0)", "min_count"),
     ("words(most='a')", "most"), ("", "not known"), ("words(20000", "words"), (None, "NoneType"), (3, "int")],
)  # fmt: skip
def test_names_that_cannot_be(name, words):
    with pytest.raises(ParameterError, match=words) as error:
        tokenizer_named(name)
    assert "\n" not in str(error.value)


def test_a_name_makes_the_same_again():
    assert sorted(TOKENIZERS) == ["bpe", "bytes", "characters", "words"]
    for name in NAMES:
        made = tokenizer_named(name)
        assert tokenizer_named(repr(made)).settings == made.settings


@pytest.mark.alone
@pytest.mark.parametrize("name", ["characters", "bytes", "words(ngrams=2)", "bpe(100)"])
def test_a_long_text_takes_the_time_of_its_parts(name):
    rng = random.Random(1)
    long = {
        "one letter": "a" * LENGTH,
        "blanks": " " * LENGTH,
        "marks": "\u0301" * LENGTH,
        "joiners": "👩\u200d" * (LENGTH // 2),
        "bytes": rng.randbytes(LENGTH).decode("latin-1"),
    }
    tokenizer = tokenizer_named(name).learn(["the cat sat on the mat"])
    for what, text in long.items():
        before = time.process_time()
        back = tokenizer.decode(tokenizer.encode(text))
        assert time.process_time() - before < 10, what  # below 1; were it quadratic, minutes to hours
        assert back == text or not name.startswith("b")
