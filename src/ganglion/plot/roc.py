"""How well are the rows of a class ranked above the others?"""

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from sklearn.metrics import auc, roc_curve

from ganglion.plot.style import BLUE, GREY, MUTED, new_axes, note, nothing, quiet


def plot_roc(outcome: ArrayLike, probability: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw the ROC curve: rows of the class that are found against other rows that are taken for it.

    Every threshold is a point; the area under the curve is the share of pairs in the right order.

    Arguments: ``outcome`` 0/1 ``(n,)`` whether a row is of the class; ``probability`` ``(n,)``, or any score that
    is higher for it. Rows of one kind only have no curve, and the figure says so. Returns the axes.

    >>> plot_roc([0, 1, 1], [0.2, 0.7, 0.9]).get_xlabel()
    'others taken for it'
    """
    ax = new_axes() if ax is None else ax
    truth = np.asarray(outcome, dtype=bool)
    if not 0 < truth.sum() < len(truth):
        return nothing(ax, "one class alone has no ROC curve")
    wrong, found, _ = roc_curve(truth, np.asarray(probability, dtype=float))
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    ax.fill_between(wrong, found, color=BLUE, alpha=0.12, linewidth=0)
    ax.plot(wrong, found, color=BLUE, linewidth=1.8)
    note(ax, 0.97, 0.05, f"area {auc(wrong, found):.3f}", color=MUTED, ha="right")
    quiet(ax, x="others taken for it", y="rows of the class found")
    percent = [0, 0.25, 0.5, 0.75, 1.0]
    ax.set_xticks(percent, [f"{p:.0%}" for p in percent])
    ax.set_yticks(percent, [f"{p:.0%}" for p in percent])
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    return ax
