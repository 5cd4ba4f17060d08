"""What the predictions rest on, column by column."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes

from ganglion.plot.style import BLUE, INK, SIZE, new_axes, nothing, quiet, short_numbers
from ganglion.plot.text import label, without_math


def plot_importance(
    importances: Sequence[tuple[Any, float, float]],
    ax: Axes | None = None,
    *,
    most: int = 12,
    metric: str = "",
) -> Axes:
    """Draw the most important columns as bars, with a line of one standard deviation to both sides.

    Arguments: ``importances`` (name, mean, std) in any order; ``most`` bars at most; ``metric`` whose loss is
    shown. Returns the axes.

    >>> len(plot_importance([("age", 0.2, 0.01), ("noise", 0.0, 0.01)]).patches)
    2
    """
    rows = sorted(importances, key=lambda one: -one[1])[:most]
    ax = new_axes(4.8, 0.8 + 0.27 * max(len(rows), 2)) if ax is None else ax
    if not rows:
        return nothing(ax, "no column was judged")
    places = list(range(len(rows) - 1, -1, -1))
    means = [float(mean) for _, mean, _ in rows]
    ax.barh(places, means, height=0.62, color=BLUE, alpha=0.85)
    for place, (_, mean, std) in zip(places, rows):
        ax.plot([mean - std, mean + std], [place, place], color=INK, linewidth=1.2)
    quiet(ax, grid="x", x=f"{metric} lost when shuffled".strip())
    ax.set_yticks(places, [label(name, 24) for name, _, _ in rows], fontsize=SIZE)
    without_math(*ax.get_yticklabels())
    short_numbers(ax, "x")
    ax.locator_params(axis="x", nbins=5)
    return ax
