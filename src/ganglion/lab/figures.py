"""The two figures that most experiments draw: bars side by side, and curves over a common axis."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE, quiet

CYCLE = (BLUE, ORANGE, GREEN, PURPLE, GREY)


def bars(
    ax: Axes,
    values: Mapping[str, Sequence[float] | float],
    *,
    x: str,
    mark: Sequence[str] = (),
    log: bool = False,
    line: float | None = None,
) -> Axes:
    """A horizontal bar per row, its mean; dots are the single seeds, the rows of ``mark`` are blue.

    Arguments: ``x`` names the axis; ``log`` makes it logarithmic; ``line`` draws a dashed line at a value.
    """
    names = list(values)
    runs = [np.atleast_1d(np.asarray(values[name], dtype=float)) for name in names]
    colors = [BLUE if name in mark else GREY for name in names]
    places = np.arange(len(names))
    ax.barh(places, [r.mean() for r in runs], color=colors, height=0.62)
    for place, run in zip(places, runs):
        if len(run) > 1:
            ax.plot(
                run,
                np.full(len(run), place),
                "o",
                markersize=3,
                color=ORANGE,
                markeredgewidth=0,
                clip_on=False,
            )
    ax.set_yticks(places, names)
    ax.invert_yaxis()
    if log:
        ax.set_xscale("log")
        ax.minorticks_off()
    if line is not None:
        ax.axvline(line, color=ORANGE, linewidth=1.1, linestyle="--")
    return quiet(ax, grid="x", x=x)


def curves(
    ax: Axes,
    x: Sequence[float],
    lines: Mapping[str, Any],
    *,
    names: tuple[str, str],
    log: str = "",
    legend: str = "best",
) -> Axes:
    """A line per name over x: the mean of its runs with their whole range behind it.

    Arguments: ``lines`` name -> values (len(x),) or (seeds, len(x)); ``names`` of the two axes; ``log`` which of
    them are logarithmic (``"x"``, ``"y"``, ``"xy"``).
    """
    for (name, values), color in zip(lines.items(), CYCLE):
        runs = np.atleast_2d(np.asarray(values, dtype=float))
        ax.plot(x, runs.mean(0), color=color, linewidth=1.7, label=name)
        if len(runs) > 1:
            ax.fill_between(x, runs.min(0), runs.max(0), color=color, alpha=0.18, linewidth=0)
    if "x" in log:
        ax.set_xscale("log")
    if "y" in log:
        ax.set_yscale("log")
    ax.minorticks_off()
    ax.legend(frameon=False, labelcolor="linecolor", loc=legend, fontsize=8.5)
    return quiet(ax, x=names[0], y=names[1])
