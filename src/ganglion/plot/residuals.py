"""Where a regression is wrong, and by how much."""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from ganglion.plot.style import BLUE, GREY, ORANGE, new_axes, note, quiet, short_numbers

MOST_POINTS = 800
"""More points hide each other and make a heavy page; a seeded sample is drawn instead."""


def plot_residuals(
    y: ArrayLike, predicted: ArrayLike, ax: Axes | None = None, *, kind: str = "values"
) -> Axes:
    """Draw true values against predicted ones, or what is left over (``kind="residuals"``).

    Arguments: ``y`` and ``predicted`` ``(n,)``; ``kind`` ``"values"`` (on the diagonal all is right),
    ``"residuals"`` (true minus predicted; a pattern means that something is missing) or ``"sizes"`` (how
    often which error occurs). Returns the axes.

    >>> plot_residuals([1.0, 2.0, 3.0], [1.1, 1.9, 3.0]).get_xlabel()
    'predicted'
    """
    ax = new_axes() if ax is None else ax
    truth, guess = np.asarray(y, dtype=float).ravel(), np.asarray(predicted, dtype=float).ravel()
    if kind == "sizes":
        return _sizes(ax, truth - guess)
    shown = np.arange(len(truth))
    if len(truth) > MOST_POINTS:
        shown = np.random.default_rng(0).permutation(len(truth))[:MOST_POINTS]
    left = truth - guess if kind == "residuals" else truth
    ax.plot(guess[shown], left[shown], "o", color=BLUE, markersize=3.6, alpha=0.4, markeredgewidth=0)
    if kind == "residuals":
        ax.axhline(0, color=GREY, linewidth=1.2)
        quiet(ax, x="predicted", y="true minus predicted")
    else:
        ends = [min(truth.min(), guess.min()), max(truth.max(), guess.max())]
        ax.plot(ends, ends, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)))
        quiet(ax, x="predicted", y="true")
    for axis in "xy":
        short_numbers(ax, axis)
        ax.locator_params(axis=axis, nbins=5)
    return ax


def _sizes(ax: Axes, error: NDArray) -> Axes:
    """A histogram of the middle 98 % of errors: a few far ones would flatten all the others."""
    low, high = np.quantile(error, [0.01, 0.99])
    edges = np.linspace(low, high, 31) if high > low else np.array([low - 0.5, low + 0.5])
    counts, _ = np.histogram(np.clip(error, low, high), edges)
    width = edges[1] - edges[0]
    ax.bar(edges[:-1] + width / 2, 100 * counts / len(error), 0.9 * width, color=BLUE, alpha=0.75)
    ax.axvline(0, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 3)))
    note(ax, 0, 0.97, "no error", beside=4, color=ORANGE, transform=ax.get_xaxis_transform(), va="top")
    quiet(ax, x="true minus predicted", y="% of rows")
    short_numbers(ax, "x")
    ax.locator_params(axis="x", nbins=5)
    return ax
