"""What the network is shown: pictures as they are, and beside them as augmentation changes them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

from ganglion.plot.style import INK, MUTED, SERIES, SIZE, new_axes, note, nothing, quiet
from ganglion.plot.text import label

Batch = dict[str, Tensor]

INCHES, MORE = 0.95, 1.6  # of a picture's longer side, small and from 64 pixels on
GAP, CAPTION = 0.06, 0.24  # between pictures and for a line of text below them, in sides of a picture
VEIL = 0.4  # how strongly a mask colours its picture


def plot_augmented(
    batch: Batch,
    augment: Callable[[Batch, torch.Generator], Batch],
    *,
    versions: int = 5,
    pictures: int = 6,
    seed: int = 0,
    names: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the first pictures of a batch, each in a row of its own with several augmented versions.

    Boxes are outlined in the colour of their label. Masks are laid over the picture (class 0 stays as it is, what is
    not judged is grey). Where targets are mixed, their two largest shares stand below.

    Arguments:
        batch: ``x`` (n, c, h, w), uint8 or floats in [0, 1], with ``y``, ``boxes`` and ``labels``, ``masks`` where
            they are there.
        augment: as in ``data.augment``.
        versions: beside each picture.
        pictures: at most so many.
        seed: of the random numbers.
        names: of the classes.

    >>> from ganglion.data.augment import augment_named
    >>> ax = plot_augmented({"x": torch.rand(2, 1, 8, 8)}, augment_named("flip+erase"), versions=3)
    >>> [text.get_text() for text in ax.texts]
    ['original', 'augmented']
    """
    head = {name: values[:pictures] for name, values in batch.items()}
    x = head["x"]
    head["x"] = (x if x.is_floating_point() else x / 255).cpu()
    head = {name: values.cpu() for name, values in head.items()}
    if not len(x):
        return nothing(new_axes() if ax is None else ax, "no picture to show")
    shown = [head] + [augment(head, torch.Generator().manual_seed(seed + i)) for i in range(versions)]
    mixed = any(one["y"].dim() == 2 for one in shown if "y" in one)
    height, width = x.shape[2:]
    side = max(height, width)
    down, across = height + side * (GAP + CAPTION * mixed), width + side * GAP
    total = (len(x) * down, len(shown) * across + side * GAP)  # the original stands a little apart
    if ax is None:
        scale = (INCHES if side < 64 else MORE) / side
        ax = new_axes(total[1] * scale + 1.1 * ("y" in head), total[0] * scale + 0.3)
    for column, one in enumerate(shown):
        for row in range(len(x)):
            left, top = column * across + side * GAP * (column > 0), row * down
            _draw(ax, one, row, left, top)
            if mixed and column:
                note(ax, left + width / 2, top + height + side * 0.03, _shares(one["y"][row], names),
                     ha="center", va="top", fontsize=SIZE - 3)  # fmt: skip
    quiet(ax, grid="")
    ax.set_xlim(-side * GAP, total[1])
    ax.set_ylim(total[0], -side * 0.35)
    ax.set_aspect("equal")
    ax.set_xticks([])
    rows = _names(head, names)
    ax.set_yticks([row * down + height / 2 for row in range(len(rows))], rows)
    for left, text in ((0, "original"), (across + side * GAP, "augmented")):
        note(ax, left, -side * 0.1, text, color=MUTED, va="bottom")
    return ax


def _draw(ax: Axes, batch: Batch, row: int, left: float, top: float) -> None:
    pixels = batch["x"][row].permute(1, 2, 0).float().numpy()
    pixels = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, 2)
    if "masks" in batch:
        pixels = veiled(pixels, batch["masks"][row].numpy())
    height, width = pixels.shape[:2]
    smooth = "nearest" if max(height, width) < 64 else "auto"
    ax.imshow(pixels, extent=(left, left + width, top + height, top), interpolation=smooth)
    if "boxes" in batch:
        for box, code in zip(batch["boxes"][row].tolist(), batch["labels"][row].tolist()):
            if code >= 0:
                x0, y0, x1, y1 = box
                place = (left + x0, top + y0)
                colour = SERIES[code % len(SERIES)]
                ax.add_patch(Rectangle(place, x1 - x0, y1 - y0, fill=False, color=colour, lw=1))


def veiled(pixels: NDArray, codes: NDArray) -> NDArray:
    """Pixels with the colour of their class laid over them."""
    colours = np.array([to_rgb(colour) for colour in (*SERIES, INK)])
    veil = colours[np.where(codes < 0, len(SERIES), (codes - 1) % len(SERIES))]
    strength = np.where(codes == 0, 0, np.where(codes < 0, 0.85, VEIL))[..., None]
    return (1 - strength) * pixels + strength * veil


def _names(batch: Batch, names: Sequence[Any] | None) -> list[str]:
    if "y" not in batch or batch["y"].dim() != 1 or batch["y"].is_floating_point():
        return []
    return [_name(code, names) for code in batch["y"].tolist()]


def _name(code: int, names: Sequence[Any] | None) -> str:
    return label(code if names is None else names[code], 14)


def _shares(target: Tensor, names: Sequence[Any] | None) -> str:
    shares, codes = target.topk(min(2, len(target)))
    words = [(f"{share:.0%} ", _name(code, names)) for share, code in zip(shares.tolist(), codes.tolist())]
    return "\n".join(share + name[:10] for share, name in words if share != "0% ")
