"""Where a captioner looks for each word that it says."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ganglion.plot.pictures import as_rgb
from ganglion.plot.style import INK, new_axes, note, nothing, quiet
from ganglion.plot.text import label

INCHES = 0.95  # of a picture's side
GAP, WORD = 0.06, 0.28  # between pictures and for the word above, in sides
DARK = 0.25  # brightness of a place that is not looked at
MOST = 14  # words of a caption that are drawn


def plot_attention(
    pictures: Sequence[ArrayLike],
    captions: Sequence[str],
    weights: ArrayLike,
    *,
    most: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Draw each picture once as it is and once for each word of its caption, lit where the attention lies.

    A place is as bright as its share of the word's largest weight, the rest is dark. At most ``most`` pictures.

    Arguments:
        pictures: (h, w) or (h, w, c) each, uint8 or floats in [0, 1].
        captions: the text of each, as of ``ImageCaptioner.predict``.
        weights: (n, steps, rows, columns), as of ``ImageCaptioner.attend``; the steps are the words.

    >>> ax = plot_attention([np.ones((4, 4))], ["a disc"], np.ones((1, 3, 2, 2)) / 4)
    >>> [text.get_text() for text in ax.texts]
    ['a', 'disc']
    """
    n, step = min(len(pictures), most), 1 + GAP
    if not n:
        return nothing(new_axes() if ax is None else ax, "no picture to show")
    lines = [text.split()[:MOST] for text in captions[:n]]
    columns = 1 + max(map(len, lines))
    ax = new_axes(INCHES * columns * step, INCHES * n * (step + WORD)) if ax is None else ax
    for row, (words, over_time) in enumerate(zip(lines, np.asarray(weights))):
        pixels = as_rgb(np.asarray(pictures[row]))[..., :3] / 255
        high, wide = (side / max(pixels.shape[:2]) for side in pixels.shape[:2])
        top = row * (step + WORD) + WORD
        for column, grid in enumerate([None, *over_time[: len(words)]]):
            left = column * step
            lit = pixels if grid is None else pixels * _light(grid, pixels.shape[:2])[..., None]
            ax.imshow(lit, extent=(left, left + wide, top + high, top), interpolation="nearest")
            if column:
                word = label(words[column - 1], 10)
                note(ax, left + wide / 2, top - 0.05, word, color=INK, ha="center", va="bottom")
    quiet(ax, grid="")
    ax.set_xlim(0, columns * step - GAP)
    ax.set_ylim(n * (step + WORD), 0)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _light(grid: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """How bright each pixel is drawn, (h, w): between the middles of the places, weights go over linearly."""
    for axis, side in enumerate(size):
        places = (np.arange(side) + 0.5) * grid.shape[axis] / side - 0.5
        low = np.clip(np.floor(places), 0, grid.shape[axis] - 1).astype(int)
        share = np.clip(places - low, 0, 1).reshape((-1, 1) if axis == 0 else (1, -1))
        above = np.minimum(low + 1, grid.shape[axis] - 1)
        grid = np.take(grid, low, axis) * (1 - share) + np.take(grid, above, axis) * share
    return DARK + (1 - DARK) * grid / max(float(grid.max()), 1e-12)
