"""Spans by hand, by the pairs of tags as conlleval lists them, and against seqeval where it is installed."""

import itertools

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.metrics.spans import span_scores, span_table, spans_of

TAGS = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in "XY")]


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("B-X I-X O B-Y", [("X", 0, 2), ("Y", 3, 4)]),
        ("B-X B-X I-X", [("X", 0, 1), ("X", 1, 3)]),
        ("I-X I-X O I-X B-X", [("X", 0, 2), ("X", 3, 4), ("X", 4, 5)]),  # IOB1
        ("S-X B-X I-X E-X S-Y O", [("X", 0, 1), ("X", 1, 4), ("Y", 4, 5)]),  # IOBES
        ("U-X B-X I-X L-X U-Y", [("X", 0, 1), ("X", 1, 4), ("Y", 4, 5)]),  # BILOU
        ("I-X I-Y", [("X", 0, 1), ("Y", 1, 2)]),  # the kind changes inside
        ("B-X I-Y I-Y", [("X", 0, 1), ("Y", 1, 3)]),
        ("O I-X", [("X", 1, 2)]),  # no beginning
        ("E-X E-X I-X", [("X", 0, 1), ("X", 1, 2), ("X", 2, 3)]),  # behind an end
        ("S-X I-X", [("X", 0, 1), ("X", 1, 2)]),
        ("B-X E-X O E-X", [("X", 0, 2), ("X", 3, 4)]),
        ("B I O B", [("", 0, 2), ("", 3, 4)]),  # without kinds
        ("B-a-b I-a-b I-a", [("a-b", 0, 2), ("a", 2, 3)]),
        ("O O", []),
        ("", []),
    ],
)
def test_spans(tags, wanted):
    assert spans_of(tags.split()) == wanted


def starts(before, tag):
    """Whether a chunk starts here, as the case list of conlleval's startOfChunk has it, S as a B that ends."""
    (a, x), (b, y) = (
        before.split("-") if before != "O" else ("O", ""),
        tag.split("-") if tag != "O" else ("O", ""),
    )
    return b in ("B", "S") or (a in ("E", "S", "O") and b in ("E", "I")) or (b != "O" and x != y)


def ends(before, tag):
    """Whether a chunk ended before here, as endOfChunk has it."""
    (a, x), (b, y) = (
        before.split("-") if before != "O" else ("O", ""),
        tag.split("-") if tag != "O" else ("O", ""),
    )
    return a in ("E", "S") or (a in ("B", "I") and b in ("B", "S", "O")) or (a != "O" and x != y)


def test_every_sequence_of_four_tags():
    for tags in itertools.product(TAGS, repeat=4):
        around, wanted, begun = ["O", *tags, "O"], [], 0
        for i, (before, tag) in enumerate(itertools.pairwise(around)):
            if ends(before, tag):
                wanted.append((before[2:], begun, i))
            if starts(before, tag):
                begun = i
        assert spans_of(tags) == wanted, tags


def test_scores_by_hand():
    """Three spans, four predicted, two right: one with its kind wrong, one too short."""
    tags = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-LOC", "O"], ["O"]]
    predicted = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "B-LOC", "O"], ["O"]]
    scores = span_scores(tags, predicted)
    assert scores == pytest.approx({"precision": 2 / 4, "recall": 2 / 3, "f1": 4 / 7, "accuracy": 6 / 8})
    loc, per = span_table(tags, predicted)
    assert loc == {
        "label": "LOC",
        "spans": 2,
        "predicted": 3,
        "right": 2,
        "precision": 2 / 3,
        "recall": 1.0,
        "f1": 0.8,
    }
    assert per["f1"] == per["recall"] == per["precision"] == 0.0


def test_what_has_no_meaning_is_absent():
    assert span_scores([["O", "O"]], [["O", "O"]]) == {"accuracy": 1.0}
    assert span_scores([["O"]], [["B-X"]]) == {"precision": 0.0, "f1": 0.0, "accuracy": 0.0}
    assert span_scores([], []) == {}
    assert span_table([["O", "B-Y"]], [["B-X", "O"]]) == [
        {"label": "X", "spans": 0, "predicted": 1, "right": 0, "precision": 0.0, "recall": None, "f1": 0.0},
        {"label": "Y", "spans": 1, "predicted": 0, "right": 0, "precision": None, "recall": 0.0, "f1": 0.0},
    ]


def test_as_seqeval():
    metrics = pytest.importorskip("seqeval.metrics")
    rng = np.random.default_rng(0)
    for _ in range(100):
        tags, predicted = ([list(rng.choice(TAGS, n)) for n in (1, 5, 9, 4)] for _ in range(2))
        predicted = [[a if rng.random() < 0.6 else b for a, b in zip(*rows)] for rows in zip(tags, predicted)]
        scores = span_scores(tags, predicted)
        for name in ("precision", "recall", "f1"):
            theirs = getattr(metrics, f"{name}_score")(tags, predicted, zero_division=0)
            assert scores.get(name, 0.0) == pytest.approx(theirs, abs=1e-12)
        report = metrics.classification_report(tags, predicted, output_dict=True, zero_division=0)
        for row in span_table(tags, predicted):
            theirs = report[row["label"]]
            assert (row["f1"], row["spans"]) == (pytest.approx(theirs["f1-score"]), theirs["support"])


@pytest.mark.parametrize(
    ("tags", "predicted", "words"),
    [([["O"]], [], "got 0 for 1"), ([["O"], ["O", "O"]], [["O"], ["O"]], "got 1 for the 2 of sentence 1"),
     ([["NOUN"]], [["O"]], "'NOUN' for word 0"), ([["O", ""]], [["O", "O"]], "'' for word 1"),
     ([[None]], [["O"]], "None"), ([["b-X"]], [["O"]], "'b-X'"), ([["B_X"]], [["O"]], "'B_X'")],
)  # fmt: skip
def test_wrong_tags_are_refused(tags, predicted, words):
    with pytest.raises(DataError, match=words):
        span_scores(tags, predicted)
