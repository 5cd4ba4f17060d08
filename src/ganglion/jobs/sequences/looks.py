"""Attention between words, as the pages of texts draw it."""

from typing import Any

from torch import Tensor

from ganglion.plot import plot_word_attention
from ganglion.plot.style import new_axes

SHOWN = 24  # words at most on either side


def look_figure(rows: list[str], columns: list[str], weights: Tensor) -> Any:
    """The figure of weights (t, s) between words, no larger than can be read."""
    rows, columns = rows[:SHOWN], columns[:SHOWN]
    size = (1.6 + 0.24 * len(columns), 1.2 + 0.22 * len(rows))
    return plot_word_attention(
        rows, columns, weights[: len(rows), : len(columns)].numpy(), ax=new_axes(*size)
    )
