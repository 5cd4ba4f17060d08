"""Learning curves: how the loss or the score went, epoch by epoch."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ganglion.base.record import TrainingRecord
from ganglion.plot.style import BLUE, GREY, ORANGE, SIZE, new_axes, note, nothing, quiet, short_numbers

WIDE_RANGE = 30
"""From this ratio on a logarithmic axis shows more."""


def plot_history(record: TrainingRecord, ax: Axes | None = None, *, quantity: str = "loss") -> Axes:
    """Draw one quantity of the history, training and validation, with the epoch whose weights were kept.

    Arguments: ``record`` a training record; ``ax`` where to draw (default: a figure of its own); ``quantity``
    ``"loss"``, ``"score"``, ``"lr"`` or ``"grad_norm"``. Returns the axes.

    >>> rows = [{"epoch": 1, "loss": 2.0, "val_loss": 2.1}, {"epoch": 2, "loss": 1.0, "val_loss": 1.4}]
    >>> len(plot_history(TrainingRecord(history=rows)).lines)
    2
    """
    ax = new_axes() if ax is None else ax
    epochs = np.array([row["epoch"] for row in record.history], dtype=float)
    names = {"training": (quantity, GREY), "validation": (f"val_{quantity}", BLUE)}
    curves = {name: (_column(record, key), colour) for name, (key, colour) in names.items()}
    curves = {name: curve for name, curve in curves.items() if np.isfinite(curve[0]).any()}
    if not curves:
        return nothing(ax, "nothing was recorded")
    few = len(epochs) <= 12
    for name, (values, colour) in curves.items():
        ax.plot(
            epochs, values, color=colour, linewidth=1.8, marker="o" if few else "", markersize=4, label=name
        )
    _scale(ax, [values for values, _ in curves.values()], quantity != "lr")
    quiet(ax, x="epoch", y=_WORDS.get(quantity, quantity.replace("_", " ")))
    _mark_kept(ax, record.best_epoch, epochs)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if len(curves) > 1:
        ax.legend(frameon=False, fontsize=SIZE - 0.5, labelcolor="linecolor", handlelength=1.4)
    return ax


_WORDS = {"lr": "learning rate", "grad_norm": "gradient norm"}


def _column(record: TrainingRecord, key: str) -> NDArray[np.float64]:
    cells = [row.get(key) for row in record.history]
    return np.array([np.nan if cell is None else cell for cell in cells], dtype=float)


def _scale(ax: Axes, columns: list[NDArray], may_be_log: bool) -> None:
    values = np.concatenate([column[np.isfinite(column)] for column in columns])
    if may_be_log and values.min() > 0 and values.max() / values.min() > WIDE_RANGE:
        ax.set_yscale("log")
        ax.minorticks_off()
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5))
    short_numbers(ax, "y")
    ax.margins(x=0.02, y=0.08)


def _mark_kept(ax: Axes, best: int | None, epochs: NDArray) -> None:
    if best is None or not len(epochs):
        return
    ax.axvline(best, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 3)))
    left = best > epochs.mean()
    note(ax, best, 0.02, "kept", beside=-4 if left else 4, color=ORANGE, ha="right" if left else "left",
         transform=ax.get_xaxis_transform())  # fmt: skip
