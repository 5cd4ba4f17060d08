"""One backward pass as a picture: what arrives at every layer, what leaves, and every neuron of a small network."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from ganglion.plot.style import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    SIZE,
    new_axes,
    note,
    nothing,
    quiet,
    short,
    short_numbers,
)
from ganglion.plot.text import label, without_math

MOST_LAYERS = 24  # lines that can still be read
MOST_UNITS = 12  # circles above one another


def plot_trace(trace: Any, ax: Axes | None = None) -> Axes:
    """Draw the gradient on its way back: for every layer what arrives, what leaves, and their ratio.

    Read from the loss at the top down to the input. A filled dot is the norm of dL/d(output), a ring that of
    dL/d(input), the line between them what the layer's local derivative does; the axis is logarithmic. Of more
    than 24 layers those with weights are drawn, of more than 24 such ones 24, evenly chosen.

    Arguments: ``trace`` from ``ganglion.trace``. Returns the axes.

    >>> import torch
    >>> from ganglion.estimators.trace import trace
    >>> plot_trace(trace(torch.nn.Linear(2, 1), torch.ones(3, 2))).get_xscale()
    'log'
    """
    layers = [layer for layer in trace.chief(MOST_LAYERS) if layer.arriving > 0][::-1]
    ax = new_axes(6.4, 0.9 + 0.27 * min(len(layers), MOST_LAYERS)) if ax is None else ax
    if not layers:
        return nothing(ax, "no gradient reaches any layer")
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(MOST_LAYERS, len(layers))).round().astype(int))
    layers = [layers[i] for i in chosen]
    for place, layer in zip(range(len(layers) - 1, -1, -1), layers):
        leaves = layer.leaving > 0
        if leaves:
            ax.plot([layer.leaving, layer.arriving], [place] * 2, color=BLUE, linewidth=2, alpha=0.45)
            ax.plot(
                [layer.leaving], [place], "o", markersize=7.5, markerfacecolor="none", markeredgecolor=ORANGE
            )
        ax.plot([layer.arriving], [place], "o", color=BLUE, markersize=5)
        said = f"x {short(float(f'{layer.gain:.3g}'))}" if leaves else ""
        note(ax, 1.02, place, said, va="center", transform=ax.get_yaxis_transform(), color=MUTED)
    quiet(ax, grid="x", x="norm of the gradient")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    ax.xaxis.set_minor_locator(NullLocator())
    short_numbers(ax, "x")
    ax.set_yticks(range(len(layers) - 1, -1, -1), [label(layer.title, 30) for layer in layers])
    without_math(*ax.get_yticklabels())
    ax.set_ylim(-0.7, len(layers) - 0.3)
    handles = [
        Line2D([], [], marker="o", color=BLUE, linestyle="", markersize=5, label="arriving, dL/d(output)"),
        Line2D([], [], marker="o", markerfacecolor="none", markeredgecolor=ORANGE, linestyle="", markersize=7.5,
               label="leaving, dL/d(input)"),
    ]  # fmt: skip
    ax.legend(handles=handles, frameon=False, fontsize=SIZE - 0.5, labelcolor=INK, ncols=2, loc="lower left",
              bbox_to_anchor=(-0.02, 1), borderaxespad=0.1, handletextpad=0.2, columnspacing=1.2)  # fmt: skip
    return ax


def plot_neurons(trace: Any, row: int = 0, ax: Axes | None = None) -> Axes:
    """Draw a small dense network for one row of the data: every unit's value, and where its gradient flows.

    A unit is filled by its value h (blue above 0, orange below, the stronger the larger) and ringed by how
    strong the gradient dL/dz there is; a line between two units is the gradient dL/dw of its weight, the
    stronger the larger, blue where descent would raise the weight, orange where it would lower it. Every layer
    has a scale of its own; of more than 12 units the first 12 are drawn.

    Arguments: ``trace`` of a dense network; ``row`` of its data. Returns the axes. Raises ``DataError``.

    >>> import torch
    >>> from ganglion.estimators.trace import trace
    >>> len(plot_neurons(trace(torch.nn.Linear(2, 1), torch.ones(3, 2))).get_xticks())
    0
    """
    layers: dict[int, list[Any]] = {}
    for neuron in trace.neurons(row):
        layers.setdefault(len(layers) - (neuron.unit > 0), []).append(neuron)
    columns = list(layers.values())
    tallest = max(min(MOST_UNITS, n) for n in [len(columns[0][0].x), *map(len, columns)])
    ax = new_axes(1.6 + 1.5 * len(columns), 1.1 + 0.5 * tallest) if ax is None else ax
    heights = _column(ax, 0, columns[0][0].x.numpy(), None, [f"x{i}" for i in range(len(columns[0][0].x))])
    for x, neurons in enumerate(columns, start=1):
        before = heights
        slopes = np.array([n.dw.numpy() for n in neurons])
        heights = _heights(len(neurons))
        largest = np.abs(slopes).max() or 1.0
        for j, top in enumerate(heights):
            for i, low in enumerate(before):
                g = slopes[j, i]
                ax.plot([x - 1, x], [low, top], color=ORANGE if g > 0 else BLUE, linewidth=0.4 + 2 * abs(g) / largest,
                        alpha=0.12 + 0.7 * abs(g) / largest, zorder=1)  # fmt: skip
        values, back = np.array([n.h for n in neurons]), np.array([n.dz for n in neurons])
        _column(ax, x, values, back, [])
        names = [
            label(neurons[0].layer, 20),
            "" if neurons[0].activation == "identity" else neurons[0].activation,
        ]
        note(
            ax,
            x,
            -0.02,
            "\n".join(names),
            ha="center",
            va="top",
            transform=ax.get_xaxis_transform(),
            color=MUTED,
        )
    note(ax, 0, -0.02, "input", ha="center", va="top", transform=ax.get_xaxis_transform(), color=MUTED)
    said = (
        "fill: value h (blue above 0)   ring: gradient dL/dz\nlines: dL/dw (blue: descent raises the weight)"
    )
    note(ax, 0, 1.01, said, va="bottom", transform=ax.transAxes, color=MUTED, fontsize=SIZE - 1.5)
    quiet(ax, grid="")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlim(-0.45, len(columns) + 0.45)
    ax.set_ylim(-tallest / 2 - 0.4, tallest / 2)
    return ax


def _heights(n: int) -> np.ndarray:
    """The places of the circles of a column, from the top, around 0."""
    shown = min(n, MOST_UNITS)
    return (shown - 1) / 2 - np.arange(shown)


def _column(ax: Axes, x: int, values: np.ndarray, back: np.ndarray | None, names: list[str]) -> np.ndarray:
    """The units of a layer as circles with their numbers; returns their heights."""
    heights = _heights(len(values))
    largest = np.abs(values).max() or 1.0
    for i, y in enumerate(heights):
        strong = 0.08 + 0.8 * abs(values[i]) / largest
        ring = 0.8 if back is None else 0.8 + 3 * abs(back[i]) / (np.abs(back).max() or 1.0)
        ax.plot([x], [y], "o", markersize=17, color=BLUE if values[i] >= 0 else ORANGE, alpha=strong, zorder=2,
                markeredgewidth=0)  # fmt: skip
        ax.plot([x], [y], "o", markersize=17, markerfacecolor="none", markeredgecolor=GREY, markeredgewidth=ring,
                zorder=3)  # fmt: skip
        note(ax, x, y - 0.42, f"{values[i]:.2g}", ha="center", va="center", fontsize=SIZE - 3, zorder=4)
        if names:
            note(ax, x, y, names[i], ha="right", va="center", beside=-13, color=MUTED)
    if len(values) > MOST_UNITS:
        note(
            ax,
            x,
            heights[-1] - 0.75,
            f"and {len(values) - MOST_UNITS} more",
            ha="center",
            va="top",
            color=MUTED,
        )
    return heights
