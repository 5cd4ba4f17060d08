"""Which classes are taken for which."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike, NDArray

from ganglion.plot.style import BLUE, INK, ON_BLUE, SIZE, new_axes, nothing, quiet, short
from ganglion.plot.text import label, without_math

MOST_CLASSES = 15
"""More are summed up as "other", so that the figure stays legible."""


def plot_confusion(table: ArrayLike, classes: Sequence[Any], ax: Axes | None = None) -> Axes:
    """Draw a confusion table: true classes down, predicted across, shaded by the share of the true class.

    Only one hue in several strengths is used, with the number in every cell.

    Arguments: ``table`` counts ``(k, k)``; ``classes`` ``k`` labels. Returns the axes.

    >>> plot_confusion([[8, 2], [1, 9]], ["no", "yes"]).get_ylabel()
    'true class'
    """
    counts, names = _folded(np.asarray(table, dtype=float), [label(one, 14) for one in classes])
    k = len(names)
    ax = new_axes(4.8, confusion_height(k)) if ax is None else ax
    if not counts.sum():
        return nothing(ax, "no row to show")
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    size = SIZE if k <= 6 else SIZE - 2 if k <= 10 else SIZE - 3.5
    for (row, column), part in np.ndenumerate(share):
        ax.add_patch(Rectangle((column - 0.48, row - 0.47), 0.96, 0.94, color=BLUE, alpha=_shade(part), lw=0))
        text = _cell_text(counts[row, column], part, k)
        colour = ON_BLUE if part > 0.5 else INK
        ax.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)
    quiet(ax, grid="", x="predicted class", y="true class")
    ax.set_xlim(-0.5, k - 0.5)
    ax.set_ylim(k - 0.5, -0.5)
    turned = k > 4 and max(map(len, names)) > 3
    ax.set_xticks(range(k), names, rotation=40 if turned else 0, ha="right" if turned else "center")
    ax.set_yticks(range(k), names)
    without_math(*ax.get_xticklabels(), *ax.get_yticklabels())
    return ax


def confusion_height(k: int) -> float:
    """Inches that a table of ``k`` classes needs, for a figure that is to stand beside it."""
    return min(max(3.2, 1.2 + 0.42 * k), 5.2)


def _shade(share: float) -> float:
    """Strength of a cell: never nothing, and with a step at one half, where the text changes its colour."""
    return 0.06 + 0.6 * share if share <= 0.5 else 0.6 + 0.4 * share


def _cell_text(count: float, share: float, k: int) -> str:
    if not count:
        return ""
    number = short(float(f"{count:.4g}"))
    return f"{number}\n{share:.0%}" if k <= 4 else number


def _folded(counts: NDArray, names: list[str]) -> tuple[NDArray, list[str]]:
    """The most frequent classes, and one row and column for the rest."""
    if len(names) <= MOST_CLASSES:
        return counts, names
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    kept = np.sort(order[: MOST_CLASSES - 1])
    place = np.full(len(names), MOST_CLASSES - 1)
    place[kept] = np.arange(len(kept))
    small = np.zeros((MOST_CLASSES, MOST_CLASSES))
    np.add.at(small, (place[:, None], place[None, :]), counts)
    return small, [names[i] for i in kept] + ["other"]
