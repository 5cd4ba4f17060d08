"""Pieces, their tokens there and back, and their picture."""

import numpy as np
import pandas as pd
import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.music import Events, piano_roll, read_piece, read_pieces, transposed
from ganglion.data.tokens import split_words

GIVEN = [[60, 64, -1], [60, 65, -1], [0, 65, 48]]
READ = [[60, 64, -1], [60, 65, -1], [-1, 65, 48]]


def random_piece(rng, voices=4, steps=None):
    """Notes that are held for a while, with rests."""
    parts = []
    for _ in range(voices):
        lengths = rng.integers(1, 40, 30)
        notes = np.where(rng.random(30) < 0.2, -1, rng.integers(0, 128, 30))
        parts.append(np.repeat(notes, lengths)[: steps or int(rng.integers(1, 30))])
    return np.stack([part[: min(map(len, parts))] for part in parts], 1).astype(np.int16)


@pytest.mark.parametrize(
    "X",
    [
        GIVEN,
        np.array(GIVEN),
        np.array(GIVEN, float),
        np.array(GIVEN, object),
        pd.DataFrame(GIVEN),
        tuple(GIVEN),
    ],
)
def test_every_form_means_the_same(X):
    piece = read_piece(X)
    assert piece.tolist() == READ
    assert piece.dtype == np.int16


def test_one_voice_and_another_silence():
    assert read_piece([60, 0, 62]).tolist() == [[60], [-1], [62]]
    assert read_piece([60, 0, -1], silence=[-1]).tolist() == [[60], [0], [-1]]
    assert read_piece([60, 99, 62], silence=[99]).tolist() == [[60], [-1], [62]]


@pytest.mark.parametrize(
    ("X", "words"),
    [
        ([[60, 128]], r"voice 1 of the piece at step 0 .* is 128"),
        ([[60, 1], [60, -2]], r"voice 1 .* at step 1 .* is -2"),
        ([[60.5]], "is 60.5"),
        ([[np.nan]], "is nan"),
        ([[np.inf]], "is inf"),
        ([["C4"]], "is none"),
        ([["60"]], "is none"),
        ([], "is none"),
        ([[], []], "is none"),
        (np.zeros((2, 2, 2)), "is none"),
        ([[60, 61], [60]], "is none"),
        ("music", "is none"),
        (60, "is none"),
        ([[True]], "is none"),
        (np.full((4, 16), 60), "16 columns"),
        ([[10**400]], "is none"),
    ],
)
def test_one_sentence_for_what_is_no_piece(X, words):
    with pytest.raises(DataError, match=words) as error:
        read_piece(X)
    assert "\n" not in str(error.value)


def test_several_pieces():
    assert [piece.shape for piece in read_pieces([GIVEN, GIVEN[:1]])] == [(3, 3), (1, 3)]
    assert len(read_pieces(np.array([GIVEN, GIVEN]))) == 2
    for X, words in [
        ([GIVEN, [[60]]], "piece 1 .* has 1"),
        ([], "list without any"),
        ("x", "got str"),
        (np.array(60), "got ndarray"),
        ([GIVEN, None], "piece 1 .* is none"),
    ]:
        with pytest.raises(DataError, match=words):
            read_pieces(X)
    with pytest.raises(DataError, match=r"pieces of 4 voices .* piece 0 .* has 3"):
        read_pieces([GIVEN], voices=4)


def test_tokens_by_hand():
    events = Events(voices=2, low=60, high=62, longest=3)
    assert events.size == 1 + 3 + 2 * 4
    piece = read_piece([[-1, -1], [60, -1], [60, 62], [60, 62], [60, 62], [60, 62], [-1, 61]])
    first, second = 4, 8  # silence of either voice; its notes follow
    expected = [1, first + 1, 1, second + 3, 3, 1, first, second + 2, 1, 0]
    assert events.encode(piece).tolist() == expected
    assert [events.name(t) for t in expected[-3:]] == ["b61", "w1", "end"]
    assert events.to_text(piece) == "w1 a60 w1 b62 w3 w1 ax b61 w1"


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back(seed):
    rng = np.random.default_rng(seed)
    piece = random_piece(rng, voices=int(rng.integers(1, 6)), steps=int(rng.integers(1, 300)))
    for events in (Events(piece.shape[1]), Events.fitting([piece], longest=int(rng.integers(1, 50)))):
        tokens = events.encode(piece)
        assert tokens.min() >= 0
        assert tokens.max() < events.size
        assert (events.decode(tokens) == piece).all()
        assert (tokens == 0).sum() == 1
        assert len({events.name(token) for token in range(events.size)}) == events.size
        assert split_words(events.to_text(piece)) == [events.name(token) for token in tokens[:-1]]
        assert (events.from_text(events.to_text(piece)) == piece).all()


@pytest.mark.parametrize("seed", range(20))
def test_any_tokens_are_a_piece(seed):
    """And that piece's own tokens say it again."""
    events = Events(3, 50, 70)
    piece = events.decode(np.random.default_rng(seed).integers(1, events.size, 200))
    assert len(piece) > 0
    assert (events.decode(events.encode(piece)) == piece).all()


def test_the_end_and_what_is_never_heard():
    events = Events(1, 60, 62, longest=4)
    assert events.decode([5 + 1, 2, 0, 5 + 2, 4]).tolist() == [[60], [60]]
    assert events.decode([5 + 1, 5 + 3, 1, 5 + 2]).tolist() == [[62]]
    assert events.decode([]).shape == (0, 1)
    assert Events.fitting([read_piece([-1, -1])]).high == 127


@pytest.mark.parametrize("tokens", [[-1], [10**9], [1.5], [[1]], ["a"], [10]])
def test_what_is_no_token(tokens):
    with pytest.raises(DataError, match="tokens"):
        Events(1, 60, 62, longest=4).decode(tokens)


def test_pieces_that_do_not_fit():
    with pytest.raises(DataError, match="from 60 to 62 are expected, got 63"):
        Events(1, 60, 62).encode(read_piece([63]))
    with pytest.raises(DataError, match=r"\(T, 2\) is expected"):
        Events(2).encode(read_piece([63]))
    with pytest.raises(DataError, match="at most 10,000,000 steps"):
        Events(1, longest=10**6).decode([10**6] * 11)
    for options in (
        {"voices": 0},
        {"voices": 16},
        {"low": -1},
        {"low": 60, "high": 59},
        {"high": 128},
        {"longest": 0},
    ):
        with pytest.raises(ParameterError, match="Events'"):
            Events(**options)


def test_words_of_others():
    for text in ("a60 b64 w9", "a60 hello", "a59", "60"):
        with pytest.raises(DataError, match=r"words such as 'w1' and 'b62' are expected, got"):
            Events(2, 60, 62, longest=8).from_text(text)
    assert Events(1).from_text("").shape == (0, 1)


def test_transposed_keeps_to_each_voices_range():
    pieces = [read_piece([[60, 40], [-1, 41]]), read_piece([[64, 41], [62, -1]]), read_piece([[-1, -1]])]
    found = transposed(pieces, 3)
    assert [p.tolist() for p in found] == [
        [[60, 40], [-1, 41]],
        [[63, 40], [61, -1]],
        [[64, 41], [62, -1]],
        [[-1, -1]],
    ]
    assert all(np.array_equal(p, q) for p, q in zip(transposed(pieces, 0), pieces))
    assert all(p.dtype == np.int16 for p in found)
    with pytest.raises(ParameterError, match="transposed's most"):
        transposed(pieces, -1)


def test_the_picture_by_enumeration():
    piece = random_piece(np.random.default_rng(0), steps=100)
    roll = piano_roll(piece)
    assert roll.shape == (128, 100)
    for note in range(128):
        for step in range(100):
            singers = [v for v in range(4) if piece[step, v] == note]
            assert roll[note, step] == (singers[0] + 1 if singers else 0)
