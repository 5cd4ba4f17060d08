"""The loss around a network's weights, and the way that led there."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.ticker import MaxNLocator

from ganglion.plot.style import BLUE, GREEN, ORANGE, SIZE, new_axes, note, quiet, short, short_numbers

LEVELS = 14  # contour lines
WIDE_RANGE = 10  # of the loss: from this ratio on, lines stand at equal ratios


def plot_landscape(found: Any, ax: Axes | None = None) -> Axes:
    """Draw a landscape: one axis as a curve, two as contour lines, with the path and the network itself.

    Arguments: ``found`` from ``diagnose.landscape.landscape``. Returns the axes.

    >>> from ganglion.diagnose.landscape import Landscape
    >>> plot_landscape(Landscape([-1.0, 0.0, 1.0], [1.0, 0.0, 1.0], 0.0, "filter")).get_ylabel()
    'loss'
    """
    ax = new_axes(4.4, 3.6) if ax is None else ax
    grid, at = np.array(found.loss, dtype=float), np.array(found.at)
    words = "first direction", "second direction"
    if found.directions == "path":
        words = "main direction of the path", "second direction of the path"
    if grid.ndim == 1:
        ax.plot(at, grid, color=BLUE, linewidth=1.8)
        ax.plot([0], [found.centre], color=ORANGE, marker="o", markersize=5)
        quiet(ax, x=words[0], y="loss")
        short_numbers(ax, "y")
        return ax
    _contours(ax, at, grid)
    if found.path:
        way = np.array(found.path)
        ax.plot(way[:, 0], way[:, 1], color=GREEN, linewidth=1.6, marker="o", markersize=2.5)
    ax.plot([0], [0], color=ORANGE, marker="o", markersize=6)
    note(ax, 0, 0, short(found.centre), beside=6, color=ORANGE, va="bottom")
    quiet(ax, grid="", x=words[0], y=words[1])
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    reach = float(at[-1])
    ax.set_xlim(-reach, reach)
    ax.set_ylim(-reach, reach)
    return ax


def _contours(ax: Axes, at: np.ndarray, grid: np.ndarray) -> None:
    """Lines of equal loss, at equal ratios where the range is wide; the first direction runs to the right."""
    sound = np.where(np.isfinite(grid), grid, np.nan)
    low, high = float(np.nanmin(sound)), float(np.nanmax(sound))
    if not high > low:
        return
    by_ratio = low > 0 and high / low > WIDE_RANGE
    levels = np.geomspace(low, high, LEVELS) if by_ratio else np.linspace(low, high, LEVELS)
    colours = LinearSegmentedColormap.from_list("depth", [BLUE, BLUE])
    lines = ax.contour(at, at, sound.T, levels=levels[1:-1], cmap=colours, linewidths=1.0,
                       norm=LogNorm(low, high) if by_ratio else None)  # fmt: skip
    for text in ax.clabel(lines, lines.levels[::3], fmt=lambda v: f"{v:.2g}", fontsize=SIZE - 1.5):
        text.set_color(BLUE)
