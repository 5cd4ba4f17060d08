"""The page of a network that reads sequences: texts and series, with sections of the task's own."""

import math
from typing import Any

from ganglion.base.errors import GanglionError
from ganglion.plot.text import label
from ganglion.report.drawing import drawing
from ganglion.report.inputs import Part, Passage, Piece, ReportInput
from ganglion.report.parts import parts

TEMPLATE = "sequence.html"
TAKEN = {"scores", "diagnosis", "data", "training", "quality", "layers", "reproduce", "deploy"}
LETTERS, PIECES = 20_000, 4_000  # of a passage that are shown


def context(result: ReportInput) -> dict[str, Any]:
    """What the template of this family needs beside the parts that every page has.

    Arguments: ``result`` with ``parts``. Raises ``GanglionError`` where two sections have one id.
    """
    ids = [one.id for one in result.parts]
    twice = [name for name in ids if name in TAKEN or ids.count(name) > 1]
    if twice:
        raise GanglionError(
            f"an id of its own for each part is expected, got {twice[0]!r} twice; rename one."
        )
    contents = [(one.id, label(one.name, 40), True) for one in result.parts]
    return {**parts(result), "contents": contents, "own": [section(one) for one in result.parts]}


def section(part: Part) -> dict[str, Any]:
    """A section as the template shows it."""
    return {
        "part": part,
        "figures": [
            drawing(one.axes, one.title, one.caption, f"{part.id}-{i}") for i, one in enumerate(part.figures)
        ],
        "passages": [passage(one) for one in part.passages],
    }


def passage(one: Passage) -> dict[str, Any]:
    """A text in pieces; ``words`` tells whether they stand apart, each above what is said of it.

    >>> passage(Passage(pieces="one line", name="b"))["pieces"]
    [{'text': 'one line', 'shade': '', 'mark': '', 'under': ''}]
    """
    given = [Piece(text=one.pieces)] if isinstance(one.pieces, str) else list(one.pieces)
    shown, letters = [], 0
    for piece in given[:PIECES]:
        if letters >= LETTERS:
            break
        shown.append(_piece(piece, LETTERS - letters))
        letters += len(piece.text)
    cut = len(shown) < len(given) or letters > LETTERS
    words = any(piece.under for piece in given)
    return {"name": one.name, "note": one.note, "pieces": shown, "words": words, "cut": cut}


def _piece(piece: Piece, letters: int) -> dict[str, str]:
    weight = min(max(piece.weight, 0.0), 1.0) if math.isfinite(piece.weight) else 0.0
    return {
        "text": piece.text[:letters],
        "shade": f"{weight:.2f}" if weight >= 0.005 else "",
        "mark": piece.mark if piece.mark in ("good", "poor") else "",
        "under": piece.under,
    }
