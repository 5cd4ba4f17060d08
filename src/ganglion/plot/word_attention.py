"""Which words a network looks at while it reads or writes a word."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from ganglion.plot.style import BLUE, GREY, SIZE, new_axes, nothing, quiet
from ganglion.plot.text import label, without_math

MOST = 40  # words of a side that are drawn
SHADES = 10
CELL = 0.27  # inches


def plot_word_attention(
    rows: Sequence[Any], columns: Sequence[Any], weights: ArrayLike, *, ax: Axes | None = None
) -> Axes:
    """Draw how much each word (row) looks at each other one (column), as squares of ten shades.

    The darkest of a row is its largest weight: a word that looks at many would else be pale beside one that can only
    look at itself. The first 40 words of both sides are drawn.

    Arguments:
        rows: m words, in a translation those written.
        columns: n words that are looked at.
        weights: (m, n), not below 0.

    >>> ax = plot_word_attention(["a", "dog"], ["ein", "Hund"], [[0.9, 0.1], [0.2, 0.8]])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['a', 'dog']
    """
    down, across = ([_name(word) for word in words[:MOST]] for words in (rows, columns))
    m, n = len(down), len(across)
    ax = new_axes(max(2.6, 1.3 + CELL * n), max(1.9, 1.2 + CELL * m)) if ax is None else ax
    if not m or not n:
        return nothing(ax, "no word to show")
    grid = np.nan_to_num(np.asarray(weights, dtype=float)[:m, :n])
    ax.add_patch(Rectangle((-0.5, -0.5), n, m, color=GREY, alpha=0.08, lw=0))
    _squares(ax, grid / np.maximum(grid.max(axis=1, keepdims=True), 1e-12))
    quiet(ax, grid="")
    ax.set_xlim(-0.5, n - 0.5)
    ax.set_ylim(m - 0.5, -0.5)
    ax.set_aspect("equal")
    size = SIZE if max(m, n) <= 20 else SIZE - 1.5
    turned: dict[str, Any] = (
        {"rotation": 55, "ha": "left", "rotation_mode": "anchor"} if max(map(len, across)) > 2 else {}
    )
    ax.set_xticks(range(n), across, fontsize=size, **turned)
    ax.set_yticks(range(m), down, fontsize=size)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    without_math(*ax.get_xticklabels(), *ax.get_yticklabels())
    return ax


def _name(word: Any) -> str:
    """A word short enough to stand at an axis; one that cannot be seen as the sign of a space."""
    return label(word, 14).strip() or "␣"


def _squares(ax: Axes, share: NDArray) -> None:
    """Squares of one shade are one path: a page with many figures stays small."""
    shades = np.rint(SHADES * share).astype(int)
    for shade in range(1, SHADES + 1):
        corners = [(column - 0.46, row - 0.46) for row, column in np.argwhere(shades == shade)]
        if corners:
            path = Path.make_compound_path(*(_square(*corner) for corner in corners))
            ax.add_patch(PathPatch(path, color=BLUE, alpha=shade / SHADES, lw=0))


def _square(x: float, y: float, side: float = 0.92) -> Path:
    return Path([(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)], closed=True)
