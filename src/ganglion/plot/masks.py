"""What a network says of every pixel: masks over their pictures, and where they are wrong."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from ganglion.metrics.segmentation import mask_confusion, mask_scores
from ganglion.plot.augmented import veiled
from ganglion.plot.style import BLUE, INK, MUTED, ORANGE, SIZE, new_axes, note, nothing, quiet
from ganglion.plot.text import label

INCHES = 1.9  # of a picture's side
GAP = 0.05  # between pictures, in sides
STRENGTH = 0.85  # how strongly an error covers its pixel
COLUMNS = ("picture", "prediction", "errors")


def plot_masks(
    pictures: Sequence[ArrayLike],
    masks: Sequence[ArrayLike],
    predicted: Sequence[ArrayLike],
    classes: Sequence[Any],
    *,
    most: int = 4,
    ax: Axes | None = None,
) -> Axes:
    """Draw pictures, what is predicted of them, and the errors; with the score of each.

    The prediction is laid over the picture (the first class stays as it is). Of two classes, pixels of the second that
    were missed are orange and those too many blue; of more classes all wrong ones are orange.

    Arguments:
        pictures: (h, w) or (h, w, c) each, uint8 or floats in [0, 1]; they may differ in size.
        masks, predicted: (h, w) labels each; what is no class is not judged.
        classes: the labels, two at least.
        most: pictures at most.

    >>> truth = np.arange(12).reshape(1, 3, 4) % 2
    >>> ax = plot_masks([np.zeros((3, 4))], truth, truth, [0, 1])
    >>> [text.get_text() for text in ax.texts]
    ['picture', 'prediction', 'errors', 'Dice 1.000']
    """
    n = min(len(pictures), most)
    if not n:
        return nothing(new_axes() if ax is None else ax, "no picture to show")
    step = 1 + GAP
    ax = new_axes(INCHES * (3 * step + 0.5), INCHES * n * step + 0.6) if ax is None else ax
    for column, text in enumerate(COLUMNS):
        note(ax, column * step, -0.03, text, color=MUTED, va="bottom")
    for row in range(n):
        truth, said = np.asarray(masks[row]), np.asarray(predicted[row])
        pixels = _coloured(np.asarray(pictures[row]))
        codes, guess = (_codes(part, classes) for part in (truth, said))
        shown = (pixels, veiled(pixels, guess), _errors(pixels, codes, guess, len(classes)))
        high, wide = (side / max(truth.shape) for side in truth.shape)
        for column, image in enumerate(shown):
            left, top = column * step, row * step
            smooth = "nearest" if max(truth.shape) < 64 else "auto"
            ax.imshow(np.clip(image, 0, 1), extent=(left, left + wide, top + high, top), interpolation=smooth)
        score = mask_scores(mask_confusion([codes], [guess], range(len(classes))))["score"]
        note(ax, 3 * step, row * step + high / 2, f"Dice {score:.3f}", va="center", fontsize=SIZE - 1)
    quiet(ax, grid="")
    ax.set_xlim(-GAP, 3 * step + 0.45)
    ax.set_ylim(n * step, -0.15)
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    named = label(classes[1], 14)
    colours = (
        {f"{named} missed": ORANGE, f"{named} too many": BLUE} if len(classes) == 2 else {"wrong": ORANGE}
    )
    keys = [Patch(color=colour, label=text) for text, colour in colours.items()]
    ax.legend(handles=keys, loc="upper center", bbox_to_anchor=(0.45, 0.01), ncols=2, frameon=False, labelcolor=INK,
              fontsize=SIZE - 1)  # fmt: skip
    return ax


def _coloured(picture: NDArray) -> NDArray[np.float64]:
    """Pixels (h, w, 3) in [0, 1]."""
    pixels = picture / 255 if picture.dtype == np.uint8 else picture.astype(float)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    return pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, 2)


def _codes(mask: NDArray, classes: Sequence[Any]) -> NDArray[np.int64]:
    """Positions in the classes, -1 where a label is none of them."""
    codes = np.full(mask.shape, -1)
    for code, name in enumerate(classes):
        codes[mask == name] = code
    return codes


def _errors(pixels: NDArray, codes: NDArray, guess: NDArray, k: int) -> NDArray[np.float64]:
    """The picture in pale grey, with its wrong pixels in colour."""
    pale = 0.5 + 0.5 * pixels.mean(2, keepdims=True).repeat(3, 2)
    wrong = (codes >= 0) & (codes != guess)
    colour = np.where((k == 2) & (codes == 0), 1, 0)[..., None]
    veil = np.where(colour == 1, to_rgb(BLUE), to_rgb(ORANGE))
    return np.where(wrong[..., None], (1 - STRENGTH) * pale + STRENGTH * veil, pale)
