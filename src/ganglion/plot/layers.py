"""Does the learning signal reach every layer?"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

from ganglion.base.record import TrainingRecord
from ganglion.plot.style import INK, SERIES, SIZE, new_axes, nothing, quiet, short_numbers
from ganglion.plot.text import label, without_math


def plot_layers(record: TrainingRecord, ax: Axes | None = None, *, quantity: str = "grad_norm") -> Axes:
    """Draw a quantity of every layer over time, on a logarithmic axis.

    Up to four layers have a colour each; of more the first, the last and two between are named and the others
    drawn faintly. Lines that lie far apart mean that some layers learn and others do not.

    Arguments: ``record`` with ``layers`` rows; ``quantity`` ``"grad_norm"``, ``"update_ratio"``,
    ``"weight_norm"``, ``"input_shift"``, ``"dead"`` or ``"saturated"``. Returns the axes.

    >>> rows = [{"layer": "0", "index": 0, "epoch": e, "step": e, "grad_norm": 1 / e} for e in (1, 2)]
    >>> plot_layers(TrainingRecord(layers=rows)).get_yscale()
    'log'
    """
    ax = new_axes() if ax is None else ax
    lines = _lines(record.layers, quantity)
    if quantity == "input_shift":
        lines = [line for line in lines if line[2].any()]  # the first layer's input is the data
    if not lines:
        return nothing(ax, "no layer was watched")
    share = quantity in ("dead", "saturated")
    named = np.unique(np.linspace(0, len(lines) - 1, min(4, len(lines))).round().astype(int)).tolist()
    above = [values[values > 1e-12].min() for _, _, values in lines if np.any(values > 1e-12)]
    floor = max(min(above, default=1e-11) / 10, 1e-12)  # where a logarithmic axis has a zero stand
    for place, (name, steps, values) in enumerate(lines):
        values = values if share else np.maximum(values, floor)
        if place in named:
            colour = SERIES[named.index(place)]
            ax.plot(steps, values, color=colour, linewidth=1.8, label=label(name, 18),
                    marker="o" if len(steps) <= 12 else "", markersize=3.5)  # fmt: skip
        else:
            ax.plot(steps, values, color=INK, linewidth=0.9, alpha=0.3)
    quiet(ax, x="step", y=_WORDS.get(quantity, quantity.replace("_", " ")))
    if share:
        ax.set_ylim(-0.03, 1.03)
    else:
        ax.set_yscale("log")
        log_ticks(ax)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    letters = sum(len(label(lines[place][0], 18)) for place in named)
    legend = ax.legend(frameon=False, fontsize=SIZE - 0.5, labelcolor="linecolor", handlelength=1.2,
                       ncols=len(named) if letters <= 32 else 2, columnspacing=1.2, handletextpad=0.5,
                       loc="lower left", bbox_to_anchor=(-0.02, 1), borderaxespad=0.2)  # fmt: skip
    without_math(*legend.get_texts())
    return ax


def log_ticks(ax: Axes) -> None:
    """Powers of ten, and 2 and 5 between them where the range is small."""
    low, high = ax.get_ylim()
    small = high / max(low, 1e-300) < 100
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if small else (1,), numticks=7))
    ax.yaxis.set_minor_locator(NullLocator())
    short_numbers(ax, "y")


_WORDS = {
    "grad_norm": "gradient norm",
    "update_ratio": "change per step / weight",
    "weight_norm": "weight norm",
    "dead": "share of dead units",
    "saturated": "share of saturated outputs",
    "input_shift": "drift of the input (std)",
}


def _lines(rows: list[dict[str, Any]], quantity: str) -> list[tuple[str, NDArray, NDArray]]:
    """Name, steps and values of every layer that has the quantity, from the input to the output."""
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for row in rows:
        value = row.get(quantity)
        if value is not None and np.isfinite(value):
            key = (int(row.get("index", 0)), str(row.get("layer", "")))
            found.setdefault(key, []).append((float(row.get("step", row.get("epoch", 0))), float(value)))
    lines = []
    for (_, name), points in sorted(found.items()):
        steps, values = np.array(sorted(points)).T
        lines.append((name, steps, values))
    return lines
