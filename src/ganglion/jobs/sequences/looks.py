"""Attention between words, as the pages of texts draw it."""

from typing import Any

from torch import Tensor

from ganglion.plot import plot_word_attention
from ganglion.report import Drawing, Part

SHOWN = 24  # words at most on either side


def look_part(rows: list[str], columns: list[str], weights: Tensor, lead: str) -> Part:
    """The section of a page that draws weights (t, s) between words, no more than can be read."""
    axes = plot_word_attention(rows[:SHOWN], columns[:SHOWN], weights[:SHOWN, :SHOWN].numpy())
    drawn = Drawing(axes=axes, title="Attention", caption="The darkest of each row is what it looks at most.")
    return Part(id="attention", name="Attention", title="Where it looks", lead=lead, figures=[drawn])


def words_of(tokenizer: Any, codes: Any) -> list[str]:
    """What each code stands for, a sign where that is no text, as at an end."""
    return [tokenizer.decode([int(code)]) or "■" for code in codes]
