"""Byte-pair encoding against the package ``tokenizers``, against the paper's algorithm, and by hand."""

import random
from collections import Counter
from pathlib import Path

import pytest

from ganglion.data.tokens import BPE, Bytes
from ganglion.data.tokens.bpe import split_pieces
from ganglion.data.tokens.bytes import to_bytes
from ganglion.data.tokens.merges import FIRST, apply_merges, learn_merges, merged

DOCS = sorted((Path(__file__).parents[3] / "docs").glob("*.md"))


def many_ties(seed):
    """Counted words of few letters with long runs, so that counts are equal and pairs overlap."""
    rng = random.Random(seed)
    letters = rng.choice([b"ab", b"aab", b"abcd", bytes(range(256))])
    words = [bytes(rng.choices(letters, k=rng.randrange(1, 12))) for _ in range(60)]
    return Counter({word: rng.randrange(1, 5) for word in words})


def by_the_paper(counts, most, least):
    """Everything counted anew before each merge; of equal counts the smallest codes."""
    words, pairs = {word: [4 + byte for byte in word] for word in counts}, []
    while len(pairs) < most:
        found = Counter()
        for word, k in counts.items():
            for i in range(len(words[word]) - 1):
                found[tuple(words[word][i : i + 2])] += k
        best = min(found, key=lambda pair: (-found[pair], pair), default=None)
        if best is None or found[best] < least:
            break
        pairs.append(best)
        words = {word: merged(codes, best, FIRST + len(pairs) - 1) for word, codes in words.items()}
    return pairs, words


@pytest.mark.parametrize("seed", range(30))
def test_learning_is_the_papers(seed):
    counts, least = many_ties(seed), 1 + seed % 3
    pairs, words = by_the_paper(counts, 40, least)
    assert learn_merges(counts, 40, least, own=True) == pairs
    codes = {pair: code for code, pair in enumerate(pairs, FIRST)}
    assert {word: apply_merges(word, codes) for word in counts} == words


@pytest.mark.parametrize("seed", range(30))
def test_the_package_learns_the_same_in_spite_of_ties(seed):
    pytest.importorskip("tokenizers")
    counts, least = many_ties(seed), 1 + seed % 3
    mine = learn_merges(counts, 200, least, own=True)
    assert mine == learn_merges(counts, 200, least, own=False)
    tokens = [bytes([b]) for b in range(256)]
    for left, right in mine:
        tokens.append(tokens[left - 4] + tokens[right - 4])
    assert len(set(tokens)) == len(tokens)  # no two merges give the same bytes


@pytest.fixture(scope="module")
def texts():
    return [path.read_text(encoding="utf-8")[:8000] for path in DOCS]


def test_the_package_learns_and_encodes_the_same_text(texts):
    models = pytest.importorskip("tokenizers").models
    counts = Counter(to_bytes(piece) for text in texts for piece in split_pieces(text))
    mine = learn_merges(counts, 1000, own=True)
    assert len(mine) == 1000
    assert mine == learn_merges(counts, 1000, own=False)
    tokens = [chr(b) for b in range(256)]
    for left, right in mine:
        tokens.append(tokens[left - 4] + tokens[right - 4])
    package = models.BPE(
        {token: i for i, token in enumerate(tokens)}, [(tokens[a - 4], tokens[b - 4]) for a, b in mine]
    )
    codes = {pair: code for code, pair in enumerate(mine, FIRST)}
    rng = random.Random(0)
    for word in [*counts, *(bytes(rng.choices(b"the and", k=40)) for _ in range(200)), bytes(range(256))]:
        theirs = [4 + token.id for token in package.tokenize(word.decode("latin-1"))]
        assert apply_merges(word, codes) == theirs


def test_nothing_to_learn_from():
    for own in (True, False):
        if not own:
            pytest.importorskip("tokenizers")
        assert learn_merges({}, 9, own=own) == learn_merges({b"ab": 9}, 0, own=own) == []
        assert learn_merges({b"a": 9}, 9, own=own) == learn_merges({b"ab": 1}, 9, own=own) == []


def test_merges_by_hand():
    # Sennrich et al. 2016, figure 1, without the end of words: e s, es t, l o, lo w
    counts = {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}
    pairs = learn_merges(counts, 4, own=True)
    bpe = BPE(4).restore({"merges": [code for pair in pairs for code in pair]})
    assert bpe.tokens[FIRST:] == [b"es", b"est", b"lo", b"low"]
    assert [bpe.tokens[code] for code in bpe.encode("lowest").tolist()] == [b"low", b"est"]


def test_pieces_are_those_of_gpt_2_in_plain_text(texts):
    tokenizers = pytest.importorskip("tokenizers")
    theirs = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    rng = random.Random(0)
    made = ["".join(rng.choices('abZ 19_.-\n\t  "#', k=60)) for _ in range(300)]
    for text in [
        *(text.encode("ascii", "ignore").decode() for text in texts),
        *made,
        "it's I'll we've  ",
        "\n\n a",
    ]:
        pieces = [text[a:b] for _, (a, b) in theirs.pre_tokenize_str(text)]
        assert split_pieces(text) == [p[i : i + 64] for p in pieces for i in range(0, len(p), 64)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [("", []), ("cafe\u0301s là", ["cafe\u0301s", " là"]), ("it’s", ["it", "’s"]), ("'sound", ["'", "sound"]),
     ("हिन्दी में", ["हिन्दी", " में"]), ("a   b", ["a", "  ", " b"]), (" \n", [" \n"]), ("m² 3½", ["m²", " 3", "½"])],
)  # fmt: skip
def test_pieces_by_hand(text, pieces):
    assert split_pieces(text) == pieces


def test_pieces_leave_nothing_out():
    rng = random.Random(0)
    for _ in range(300):
        top = rng.choice([0x80, 0x250, 0x3000, 0x110000])
        text = "".join(chr(rng.randrange(top)) for _ in range(rng.randrange(200)))
        assert "".join(split_pieces(text)) == text
        assert max(map(len, split_pieces(text)), default=0) <= 64


def test_without_merges_it_is_bytes():
    bpe = BPE(0).learn(["ab ab ab"])
    assert bpe.size == Bytes().size == 260
    assert bpe.encode("añ 👍").tolist() == Bytes().encode("añ 👍").tolist()


@pytest.mark.parametrize("text", ["", "a", "ñ", "👍", "\ud800", "\ud83d\ude00", "\x00\x7f\x80\xff"])
def test_bytes_are_utf_8(text):
    expected = b"".join(c.encode("utf-8", "surrogatepass") for c in text)
    assert Bytes().encode(text).tolist() == [4 + byte for byte in expected]
    assert Bytes().decode([4 + byte for byte in expected]) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"a\xff", "a\ufffd"), (b"\xc3", "\ufffd"), (b"\xed\xa0", "\ufffd\ufffd"), (b"\xf0\x9f\x91b", "\ufffd" * 3 + "b"),
     (b"\xc0\x80", "\ufffd\ufffd"), (b"\xed\xb3\xad\xed\xb2\xa0", "\udced\udca0"), (b"\xf4\x90\x80\x80", "\ufffd" * 4)],
)  # fmt: skip
def test_codes_that_are_no_text(raw, text):
    assert Bytes().decode([4 + byte for byte in raw]) == text


def test_unknown_stands_where_it_was_said():
    assert Bytes().decode([101, 1, 2, 102, 0, 3]) == "a\ufffdb"
    assert Bytes().decode([4 + 0xC3, 1, 4 + 0xA9]) == "\ufffd" * 3
