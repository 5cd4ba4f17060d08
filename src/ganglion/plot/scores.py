"""A network's score beside the baselines', with how sure each number is."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from ganglion.plot.style import BLUE, GREY, INK, SIZE, new_axes, note, nothing, quiet, short
from ganglion.plot.text import label, without_math


def plot_scores(
    scores: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]] | None = None,
    ax: Axes | None = None,
    *,
    metric: str = "score",
    own: str | None = None,
    percent: bool = False,
    hundreds: bool = False,
) -> Axes:
    """Draw a dot per model and a line for its interval; the first model (or ``own``) stands out.

    Arguments: ``scores`` model -> score, from the top down; ``intervals`` model -> (low, high); ``metric``
    the word under the axis; ``percent`` writes shares as percent, ``hundreds`` without the sign. Returns the axes.

    >>> plot_scores({"network": 0.9, "dummy": 0.5}, {"network": (0.88, 0.92)}).get_xlabel()
    'score'
    """
    ax = new_axes(4.8, 0.8 + 0.36 * max(len(scores), 1)) if ax is None else ax
    if not scores:
        return nothing(ax, "no score to show")
    own = next(iter(scores)) if own is None else own
    written = _percent if percent else _hundreds if hundreds else _number
    places = range(len(scores) - 1, -1, -1)
    for place, (name, value) in zip(places, scores.items()):
        colour = BLUE if name == own else GREY
        low, high = (intervals or {}).get(name, (value, value))
        ax.plot([low, high], [place, place], color=colour, linewidth=3, alpha=0.45, solid_capstyle="round")
        ax.plot([value], [place], "o", color=colour, markersize=7)
        note(ax, 1.02, place, written(value), va="center", transform=ax.get_yaxis_transform(),
             color=INK, fontweight="bold" if name == own else "normal")  # fmt: skip
    quiet(ax, grid="x", x=metric)
    ax.set_yticks(list(places), [label(name, 30) for name in scores], fontsize=SIZE)
    without_math(*ax.get_yticklabels())
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: _percent(value, 0) if percent else short(100**hundreds * value))
    )
    ax.locator_params(axis="x", nbins=5)
    ax.set_ylim(-0.6, len(scores) - 0.4)
    return ax


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f}%"


def _hundreds(value: float) -> str:
    return f"{100 * value:.1f}"


def _number(value: float) -> str:
    return f"{round(value, 3) + 0:.3f}" if abs(value) < 10 else short(value)
