"""Forecasts beside what came true, and how far off they are by how far they look ahead."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, date2num, num2date
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError
from ganglion.plot.style import BLUE, GREY, INK, SIZE, new_axes, note, nothing, quiet, short_numbers
from ganglion.plot.text import label, without_math

Forecast = tuple[int, ArrayLike, ArrayLike | None, ArrayLike | None]
DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
LINE = 0.075  # of the figure's height that a name at the end of a line needs


def plot_forecast(
    times: ArrayLike,
    truth: ArrayLike,
    forecasts: Sequence[Forecast],
    *,
    ax: Axes | None = None,
    name: str = "",
) -> Axes:
    """Draw the last part of a series as a line, with each forecast and its interval in colour.

    A dot marks where a forecast was made: the last value that it knew.

    Arguments:
        times: (T,) dates or numbers, in order.
        truth: (T,) or fewer, where forecasts go beyond what is known; NaN is a gap.
        forecasts: for each the place in ``times`` of its first value, its values (H,), and the ends (H,) of its
            interval or None.
        name: of the series.

    Raises ``DataError`` where a forecast or the truth goes beyond ``times``.

    >>> ax = plot_forecast(range(5), [1.0, 2.0, 3.0], [(3, [4.0, 5.0], [3.0, 3.5], [5.0, 6.5])])
    >>> ax.lines[1].get_ydata().tolist()
    [4.0, 5.0]
    """
    ax = new_axes(9.4, 3.2) if ax is None else ax
    moments, known = np.asarray(times), np.asarray(truth, dtype=float)
    if not len(moments):
        return nothing(ax, "no time to show")
    dated = moments.dtype.kind == "M"
    x = np.asarray(date2num(moments) if dated else moments, dtype=float)
    ends = [start + len(np.asarray(said)) for start, said, _, _ in forecasts]
    if max([len(known), *ends]) > len(x):
        raise DataError(
            f"a time for every value is expected, got {len(x)} for {max([len(known), *ends])}; give those of the "
            "forecasts too."
        )
    ax.plot(x[: len(known)], known, color=INK, linewidth=1.3, label="true")
    for place, one in enumerate(forecasts):
        _one(ax, x, known, one, label="" if place else "forecast")
    quiet(ax, y=label(name, 40))
    _dates(ax, x) if dated else ax.xaxis.set_major_locator(MaxNLocator(8))
    ax.margins(x=0.02)
    short_numbers(ax, "y")
    ax.locator_params(axis="y", nbins=5)
    without_math(ax.yaxis.label)
    ax.legend(frameon=False, fontsize=SIZE - 0.5, labelcolor="linecolor", handlelength=1.2, ncols=2, loc="lower left",
              bbox_to_anchor=(-0.01, 1), borderaxespad=0.2)  # fmt: skip
    return ax


def _one(ax: Axes, x: NDArray, known: NDArray, forecast: Forecast, **options: Any) -> None:
    """One forecast: line, band, and the dot of the last value that it knew."""
    start, said, low, high = forecast
    said = np.asarray(said, dtype=float)
    at = x[start : start + len(said)]
    if low is not None and high is not None:
        band = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
        ax.fill_between(at, *band, color=BLUE, alpha=0.2, linewidth=0)
    dots = "o" if len(said) == 1 else ""
    ax.plot(at, said, color=BLUE, linewidth=1.8, marker=dots, markersize=3.5, **options)
    origin = start - 1
    if 0 <= origin < len(known) and np.isfinite(known[origin]):
        ax.plot(x[origin], known[origin], "o", color=BLUE, markersize=4.5)


def _dates(ax: Axes, x: NDArray) -> None:
    """Dates as people write them; what all of them share stands once, below."""
    first, last = num2date(x[0]), num2date(x[-1])
    days = x[-1] - x[0]
    years = f"{first:%Y}" if first.year == last.year else f"{first:%Y} to {last:%Y}"
    ax.xaxis.set_major_locator(AutoDateLocator(minticks=4, maxticks=9))

    def written(value: float, _: Any) -> str:
        date = num2date(value)
        if days > 300:
            return f"{date:%Y}" if days > 3000 else f"{date:%b}\n{date:%Y}"
        day = f"{date.day} {date:%b}"
        return day if days > 8 else f"{date:%H:%M}\n{day}"

    ax.xaxis.set_major_formatter(FuncFormatter(written))
    if days <= 300:
        quiet(ax, x=years)


def plot_horizon(errors: Mapping[str, ArrayLike], *, ax: Axes | None = None) -> Axes:
    """Draw how far off forecasts are by how many steps they look ahead; the first model stands out.

    Arguments: ``errors`` model -> (H,) mean absolute error of each step. Returns the axes.

    >>> ax = plot_horizon({"network": [1.0, 1.5], "last value": [2.0, 3.0]})
    >>> [text.get_text() for text in ax.texts]
    ['network', 'last value']
    """
    ax = new_axes(4.8, 3.2) if ax is None else ax
    lines = {name: np.asarray(values, dtype=float) for name, values in errors.items()}
    lines = {name: values for name, values in lines.items() if np.isfinite(values).any()}
    if not lines:
        return nothing(ax, "no error to show")
    for place, values in enumerate(lines.values()):
        ax.plot(
            np.arange(1, len(values) + 1),
            values,
            color=GREY if place else BLUE,
            linewidth=1.3 if place else 2.2,
            linestyle=DASHES[place % len(DASHES)],
            marker="o" if len(values) == 1 else "",
            zorder=2 if place else 3,
        )
    quiet(ax, x="steps ahead", y="mean absolute error")
    ax.set_ylim(0, 1.08 * max(np.nanmax(values) for values in lines.values()) or 1.0)
    far = max(map(len, lines.values()))
    beside = 0.02 * far if far > 1 else 0.5
    ax.set_xlim(1 - beside, far + beside)
    _names(ax, lines, far)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    short_numbers(ax, "y")
    ax.locator_params(axis="y", nbins=5)
    return ax


def _names(ax: Axes, lines: dict[str, NDArray], far: int) -> None:
    """Each name at the end of its line, moved up where it would stand on another."""
    line, below = LINE * ax.get_ylim()[1], -np.inf
    last = {name: values[np.isfinite(values)][-1] for name, values in lines.items()}
    heights = {}
    for name in sorted(last, key=lambda one: last[one]):
        below = heights[name] = max(last[name], below + line)
    for place, name in enumerate(lines):
        note(ax, far, heights[name], label(name, 20), beside=7, va="center", parse_math=False,
             color=GREY if place else BLUE, fontweight="normal" if place else "bold")  # fmt: skip
