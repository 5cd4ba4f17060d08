"""One quiet style for every figure: transparent, colour-blind safe, legible on light and on dark."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

# Mid-tones with at least 4:1 against white and against near-black, so that a saved PNG works on both. In a
# page `plot.svg` turns each of them into a CSS variable of the theme, so no two roles may share a value.
INK = "#717983"
MUTED = "#7b828c"
GRID = "#8a919b"
BLUE = "#3a7fd5"
ORANGE = "#c96a1b"
GREEN = "#1f8f6b"
PURPLE = "#a05fc4"
GREY = "#838b95"
ON_BLUE = "#fefefe"

ROLES = {
    INK: "--plot-ink",
    MUTED: "--plot-muted",
    GRID: "--plot-grid",
    BLUE: "--plot-blue",
    ORANGE: "--plot-orange",
    GREEN: "--plot-green",
    PURPLE: "--plot-purple",
    GREY: "--plot-grey",
    ON_BLUE: "--plot-on-blue",
}
"""Colour -> name of the CSS variable that may replace it."""

SERIES = (BLUE, ORANGE, GREEN, PURPLE)
"""Colours of several lines, in order; they differ in lightness too."""

SIZE = 9.5
"""Font size in points."""


def new_axes(width: float = 4.8, height: float = 3.0) -> Axes:
    """Axes on a figure of their own, without pyplot and without a window.

    >>> new_axes().figure.get_facecolor()
    (0.0, 0.0, 0.0, 0.0)
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor("none")
    return figure.add_subplot()


def quiet(ax: Axes, *, grid: str = "y", x: str = "", y: str = "") -> Axes:
    """Take away what is not data: no box, no ticks, a faint grid on ``grid`` (``"x"``, ``"y"``, ``""``)."""
    ax.set_facecolor("none")
    for side in ax.spines.values():
        side.set_visible(False)
    ax.tick_params(length=0, labelsize=SIZE - 0.5, labelcolor=INK)
    ax.set_axisbelow(True)
    ax.grid(False)
    if grid:
        ax.grid(True, axis=grid, color=GRID, linewidth=0.7, alpha=0.35)
    if x:
        ax.set_xlabel(x, color=MUTED, fontsize=SIZE)
    if y:
        ax.set_ylabel(y, color=MUTED, fontsize=SIZE)
    return ax


def note(ax: Axes, x: float, y: float, text: str, *, beside: float = 0, **options: Any) -> None:
    """A short text in the figure, ``beside`` points to the right of a place given in data coordinates.

    Another ``transform`` changes what the coordinates mean, as in matplotlib.
    """
    place = options.pop("transform", ax.transData)
    style = {"color": INK, "fontsize": SIZE - 0.5, **options}
    ax.annotate(text, (x, y), (beside, 0), xycoords=place, textcoords="offset points", **style)


def nothing(ax: Axes, sentence: str) -> Axes:
    """An empty figure that says why it is empty."""
    quiet(ax, grid="")
    ax.set_xticks([])
    ax.set_yticks([])
    note(ax, 0.5, 0.5, sentence, ha="center", va="center", transform=ax.transAxes, color=MUTED)
    return ax


def short_numbers(ax: Axes, axis: str) -> None:
    """Tick labels as people write them: 0.01, 1,000, 25k, and never an offset in the corner."""
    chosen = ax.xaxis if axis == "x" else ax.yaxis
    chosen.set_major_formatter(FuncFormatter(lambda value, _: short(value)))


def short(value: float) -> str:
    """A number in at most about six characters.

    >>> [short(v) for v in (0, 0.1234567, 1234, 56789, 2.5e6, 1e-7)]
    ['0', '0.1235', '1,234', '56.8k', '2.5M', '1e-07']
    """
    size = abs(value)
    if size >= 1e12 or 0 < size < 1e-4:
        return f"{value:.3g}"
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if size >= unit:
            return f"{value / (1e3 if letter == 'k' else unit):.3g}{letter}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.4g}"
