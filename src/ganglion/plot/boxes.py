"""Which objects are found, and how reliable that is: boxes drawn on pictures, precision against recall."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike, NDArray

from ganglion.metrics.detection import Curve
from ganglion.plot.style import MUTED, SERIES, SIZE, new_axes, note, nothing, quiet
from ganglion.plot.text import label as short_label

DASHES = (0, (3, 2))
INCHES = 4.8  # of a picture's width


def plot_boxes(
    picture: ArrayLike,
    found: Any = None,
    truth: Any = None,
    *,
    classes: Sequence[Any] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a picture with the boxes that were found, and dashed the true ones.

    Each class has its colour; the score stands at the corner of a box. Hard true boxes are not drawn.

    Arguments:
        picture: (h, w) or (h, w, c), whole numbers to 255 or floats to 1.
        found: ``boxes`` (k, 4), ``labels`` (k,), ``scores`` (k,), as ``ObjectDetector.predict`` gives them.
        truth: ``boxes`` (m, 4), ``labels`` (m,), as ``data.objects.read_objects`` gives them.
        classes: in the order of their colours; by default the labels that are here, sorted.

    >>> from ganglion.metrics.detection import Detections
    >>> found = Detections(np.array([[2, 2, 9, 9]]), np.array(["cell"]), np.array([0.9]))
    >>> len(plot_boxes(np.zeros((20, 30)), found).patches)
    1
    """
    pixels = np.asarray(picture)
    pixels = pixels / 255 if pixels.dtype.kind in "iu" else pixels
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    pixels = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, 2)
    height, width = pixels.shape[:2]
    ax = new_axes(INCHES, INCHES * height / width) if ax is None else ax
    ax.imshow(pixels, extent=(0, width, height, 0), interpolation="nearest" if width < 100 else "auto")
    if classes is None:
        classes = sorted(
            {name for one in (found, truth) if one is not None for name in np.asarray(one.labels).tolist()}
        )
    for name, box in _listed(truth):
        _outline(ax, box, classes.index(name), linestyle=DASHES, alpha=0.9)
    scores = [] if found is None else np.asarray(found.scores).tolist()
    for (name, box), score in zip(_listed(found), scores):
        colour = _outline(ax, box, classes.index(name))
        around = [withStroke(linewidth=1.6, foreground="#fefefe")]
        words = f"{short_label(name, 10)} {score:.0%}"
        note(ax, box[0], box[1] - 0.006 * height, words, color=colour, fontsize=SIZE - 3, path_effects=around)
    quiet(ax, grid="")
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def _listed(one: Any) -> list[tuple[Any, list[float]]]:
    """Labels and boxes of a record, without the hard ones."""
    if one is None:
        return []
    hard = getattr(one, "hard", None)
    shown = np.ones(len(one.labels), bool) if hard is None else ~np.asarray(hard, bool)
    boxes = np.asarray(one.boxes, float).reshape(-1, 4)
    return list(zip(np.asarray(one.labels)[shown].tolist(), boxes[shown].tolist()))


def _outline(ax: Axes, box: list[float], code: int, **style: Any) -> str:
    """The box in the colour of its class, which is returned."""
    x0, y0, x1, y1 = box
    colour = SERIES[code % len(SERIES)]
    ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, color=colour, lw=1.3, **style))
    return colour


def plot_precision_recall(curves: Mapping[Any, Curve], ax: Axes | None = None) -> Axes:
    """Draw precision against recall of each class as the score that a detection needs falls.

    The steps are the best precision at a recall or beyond, whose mean is the average precision beside the name.

    Arguments: ``curves`` class -> curve, as ``metrics.detection.precision_recall`` gives it.

    >>> from ganglion.metrics.detection import Curve
    >>> curve = Curve(np.array([1.0, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0]), np.array([0.9, 0.8, 0.7]))
    >>> plot_precision_recall({"cell": curve}).get_ylabel()
    'precision: right of what is found'
    """
    ax = new_axes() if ax is None else ax
    if not curves:
        return nothing(ax, "no class to show")
    for (name, curve), colour in zip(curves.items(), SERIES * len(curves)):
        recall, best = steps(curve)
        words = f"{short_label(name, 14)} {curve.average:.3f}"
        ax.plot(recall, best, color=colour, linewidth=1.8, drawstyle="steps-pre", label=words)
    quiet(
        ax,
        x="recall: found of what is there",
        y="precision: right of what is found",
    )
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.04)
    ticks = [0, 0.25, 0.5, 0.75, 1.0]
    for set_ticks in (ax.set_xticks, ax.set_yticks):
        set_ticks(ticks, [f"{tick:.0%}" for tick in ticks])
    legend = ax.legend(frameon=False, loc="lower left", fontsize=SIZE - 0.5, title="average precision")
    legend.get_title().set(color=MUTED, fontsize=SIZE - 0.5)
    for text in legend.get_texts():
        text.set_color(MUTED)
    return ax


def steps(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Recalls from 0 on, and the best precision at each or beyond; it ends on the ground.

    >>> curve = Curve(np.array([1.0, 0.5, 2 / 3]), np.array([0.5, 0.5, 1.0]), np.array([0.9, 0.8, 0.7]))
    >>> steps(curve)[1].round(2).tolist()
    [1.0, 1.0, 0.67, 0.67, 0.0]
    """
    best = np.maximum.accumulate(curve.precision[::-1])[::-1]
    first, last = (best[:1], curve.recall[-1:]) if len(best) else (np.ones(1), np.zeros(1))
    return np.concatenate([[0], curve.recall, last]), np.concatenate([first, best, [0]])
