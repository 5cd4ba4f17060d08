"""Can the probabilities be taken at their word?"""

from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ganglion.metrics.calibration import calibration_curve
from ganglion.plot.style import BLUE, GREY, MUTED, new_axes, note, quiet


def plot_calibration(
    outcome: ArrayLike, probability: ArrayLike, ax: Axes | None = None, *, groups: int = 10
) -> Axes:
    """Draw promised probability against observed share; on the diagonal the promise is kept.

    Arguments: ``outcome`` 0/1 ``(n,)`` whether it came true; ``probability`` ``(n,)`` what was promised;
    ``groups`` of equally many rows, one dot each. Returns the axes.

    >>> plot_calibration([0, 1, 1], [0.2, 0.7, 0.9]).get_xlabel()
    'predicted probability'
    """
    ax = new_axes() if ax is None else ax
    curve = calibration_curve(outcome, probability, groups)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    ax.plot(curve.promised, curve.observed, "o-", color=BLUE, linewidth=1.8, markersize=5)
    note(ax, 0.98, 0.02, "too sure", color=MUTED, ha="right")
    note(ax, 0.02, 0.98, "too careful", color=MUTED, va="top")
    quiet(ax, x="predicted probability", y="share that came true")
    percent = [0, 0.25, 0.5, 0.75, 1.0]
    ax.set_xticks(percent, [f"{p:.0%}" for p in percent])
    ax.set_yticks(percent, [f"{p:.0%}" for p in percent])
    ax.set_xlim(-0.03, 1.03)
    ax.set_ylim(-0.03, 1.03)
    return ax
