"""Spans of words, such as names, found from tags, and how well they are found.

A tag is O or a letter, a hyphen and the kind of span: B begins, I goes on, E (or L) ends, S (or U) is a whole span.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from ganglion.base.errors import DataError

BEGINS, ENDS, LETTERS = "BSU", "ELSU", "BIELSU"


class Span(NamedTuple):
    """The words from ``start`` to ``stop`` of a sentence, ``stop`` not included, and what they are."""

    kind: str
    start: int
    stop: int


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of one sentence by the rules of CoNLL's ``conlleval``, which read BIO, IOB1 and IOBES alike.

    Words that are not O belong to spans. A new one begins at B and S, behind O, behind E and S, and where the kind is
    another; so what is malformed is read as well: an I without B begins a span, and one of another kind the next
    (Tjong Kim Sang and De Meulder 2003, arXiv:cs/0306050).

    Arguments: ``tags`` (T,) of one sentence. Raises ``DataError`` for what is no such tag.

    >>> spans_of(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [Span(kind='PER', start=0, stop=2), Span(kind='LOC', start=3, stop=4), Span(kind='LOC', start=4, stop=5)]
    """
    found: list[Span] = []
    before, kind = "O", ""
    for i, tag in enumerate(tags):
        letter, own = _parts(tag, i)
        if letter != "O":
            if letter in BEGINS or before == "O" or before in ENDS or own != kind:
                found.append(Span(own, i, i + 1))
            else:
                found[-1] = found[-1]._replace(stop=i + 1)
        before, kind = letter, own
    return found


def span_table(tags: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """A row per kind of span: ``label``, ``spans``, ``predicted``, ``right``, ``precision``, ``recall``, ``f1``.

    A span is right where one of the same kind with the same first and last word is there. Kinds stand in the order of
    the alphabet. One never predicted has no precision and one that never occurs no recall: ``None``.

    Arguments: ``tags`` and ``predicted``, for each of n sentences its tags. Raises ``DataError`` where they differ in
    number or length, or for what is no tag.

    >>> span_table([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]])[1]
    {'label': 'PER', 'spans': 1, 'predicted': 1, 'right': 0, 'precision': 0.0, 'recall': 0.0, 'f1': 0.0}
    """
    true, said, right = _counted(tags, predicted)
    return [
        {"label": kind, "spans": true[kind], "predicted": said[kind], "right": right[kind]}
        | _ratios(true[kind], said[kind], right[kind])
        for kind in sorted({*true, *said})
    ]


def span_scores(tags: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """``precision``, ``recall`` and ``f1`` of all spans together, ``accuracy`` of the single tags.

    With true spans A and predicted ones B: ``|A & B| / |B|``, ``|A & B| / |A|``, ``2 |A & B| / (|A| + |B|)``. What
    has no meaning, since nothing is there or nothing predicted, is absent.

    Arguments and errors as ``span_table``'s.

    >>> scores = span_scores([["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]])
    >>> scores["f1"], scores["accuracy"]
    (0.5, 0.75)
    """
    counts = [count.total() for count in _counted(tags, predicted)]
    same = [one == other for own, guess in zip(tags, predicted) for one, other in zip(own, guess)]
    scores = _ratios(*counts) | {"accuracy": _ratio(sum(same), len(same))}
    return {name: value for name, value in scores.items() if value is not None}


def _counted(
    tags: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """For each kind, how many spans there are, are predicted, and are right."""
    if len(tags) != len(predicted):
        raise DataError(
            f"predicted tags for each sentence are expected, got {len(predicted)} for {len(tags)}; give as many."
        )
    true, said, right = Counter[str](), Counter[str](), Counter[str]()
    for i, (own, guess) in enumerate(zip(tags, predicted)):
        if len(own) != len(guess):
            raise DataError(
                f"a predicted tag for each word is expected, got {len(guess)} for the {len(own)} of sentence {i}; give "
                "as many."
            )
        there, found = set(spans_of(own)), set(spans_of(guess))
        for count, spans in ((true, there), (said, found), (right, there & found)):
            count.update(span.kind for span in spans)
    return true, said, right


def _parts(tag: Any, place: int) -> tuple[str, str]:
    """The letter and the kind of a tag."""
    if tag == "O":
        return "O", ""
    if not isinstance(tag, str) or tag[:1] not in (*LETTERS,) or tag[1:2] not in ("", "-"):
        raise DataError(
            f"tags are O or begin with one of {', '.join(LETTERS)} and a hyphen, got {tag!r} for word {place}; tags "
            "of single words have no spans."
        )
    return tag[0], tag[2:]


def _ratios(true: int, said: int, right: int) -> dict[str, float | None]:
    return {
        "precision": _ratio(right, said),
        "recall": _ratio(right, true),
        "f1": _ratio(2 * right, true + said),
    }


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
