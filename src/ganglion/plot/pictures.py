"""Pictures with what is said of them, in a figure or as PNG for a page."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from PIL import Image

from ganglion.plot.style import MUTED, SIZE, new_axes, note, nothing, quiet
from ganglion.plot.text import label

INCHES = 0.95  # of a picture's side
GAP, LINE = 0.1, 0.17  # between pictures, and for a line of text, in sides of a picture
SMALL = 64  # pixels of a side below which each pixel is shown as a square


def plot_pictures(
    pictures: Sequence[NDArray[Any]],
    captions: Sequence[str] = (),
    *,
    columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Draw pictures side by side, each with a caption below it; all get a square of one size.

    Arguments:
        pictures: each (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), uint8 or floats in [0, 1].
        captions: of each; lines are parted by line breaks.
        columns: at most so many in a row.

    >>> ax = plot_pictures([np.zeros((8, 8)), np.ones((4, 6, 3))], ["dark", "light"])
    >>> [text.get_text() for text in ax.texts]
    ['dark', 'light']
    """
    if not len(pictures):
        return nothing(new_axes() if ax is None else ax, "no picture to show")
    lines = max((caption.count("\n") + 1 for caption in captions), default=0)
    across, down = 1 + GAP, 1 + GAP + lines * LINE
    wide, high = min(columns, len(pictures)) * across, -(-len(pictures) // columns) * down
    if ax is None:
        ax = new_axes(wide * INCHES, high * INCHES)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        pixels = as_rgb(picture)
        height, width = (side / max(pixels.shape[:2]) for side in pixels.shape[:2])
        left, top = column * across + (1 - width) / 2, row * down + (1 - height) / 2
        smooth = "nearest" if max(pixels.shape[:2]) < SMALL else "auto"
        ax.imshow(pixels, extent=(left, left + width, top + height, top), interpolation=smooth)
        if place < len(captions):
            text = "\n".join(label(line, 16) for line in captions[place].split("\n"))
            middle = column * across + 0.5
            note(ax, middle, row * down + 1.04, text, ha="center", va="top", color=MUTED, fontsize=SIZE - 2)
    quiet(ax, grid="")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlim(-GAP, wide)
    ax.set_ylim(high, -GAP)
    ax.set_aspect("equal")
    return ax


def as_rgb(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture (h, w) or (h, w, c), uint8 or floats in [0, 1], as uint8 (h, w, 3), or (h, w, 4) with transparency.

    >>> as_rgb(np.ones((2, 2))).shape, int(as_rgb(np.ones((2, 2))).max())
    ((2, 2, 3), 255)
    """
    pixels = np.asarray(picture)
    if pixels.dtype != np.uint8:
        pixels = np.rint(np.clip(np.nan_to_num(pixels.astype(np.float64)), 0, 1) * 255).astype(np.uint8)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels


def data_uri(picture: NDArray[Any], side: int = 96) -> str:
    """A picture as PNG that stands in a page's text, its longer side at most ``side`` pixels.

    >>> data_uri(np.zeros((2, 2)))[:22]
    'data:image/png;base64,'
    """
    image = Image.fromarray(as_rgb(picture))
    if max(image.size) > side:
        image.thumbnail((side, side), Image.Resampling.BOX)
    out = io.BytesIO()
    image.save(out, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
