"""The instrument panel of a training run."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ganglion.base.record import TrainingRecord
from ganglion.plot.history import plot_history
from ganglion.plot.layers import log_ticks, plot_layers
from ganglion.plot.style import (
    BLUE,
    GREY,
    INK,
    PURPLE,
    SERIES,
    SIZE,
    note,
    nothing,
    quiet,
    short_numbers,
)

WIDE = 3  # panels in a row
CELL = (3.6, 2.7)  # inches
WORTH_SHOWING = 0.005  # a share of dead or saturated units below this in every row is no news


def plot_training(record: TrainingRecord) -> Figure:
    """Draw all instruments that a run has readings for, as one figure.

    Loss and score per epoch, learning rate; per layer gradient norm, change per step, dead and saturated shares and
    how far inputs drift; gradient noise scale against batch size; sharpness against 2 / lr; the loss along steps.

    >>> rows = [{"epoch": e, "step": e, "loss": 1 / e, "lr": 0.1} for e in (1, 2)]
    >>> len(plot_training(TrainingRecord(history=rows)).axes)
    2
    """
    drawn = [draw for shown, draw in INSTRUMENTS if shown(record)]
    wide = min(WIDE, max(len(drawn), 1))
    high = max(1, math.ceil(len(drawn) / wide))
    figure = Figure(figsize=(CELL[0] * wide, CELL[1] * high), layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor("none")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    for place, draw in enumerate(drawn):
        draw(record, figure.add_subplot(high, wide, place + 1))
    if not drawn:
        nothing(figure.add_subplot(), "nothing was recorded")
    return figure


def plot_noise(record: TrainingRecord, ax: Axes) -> Axes:
    """Gradient noise scale and batch size, in examples: far below it a larger batch is worth its work."""
    steps, scale, batch = readings(record, "noise", "step", "noise_scale", "batch_size")
    ax.plot(steps, batch, color=GREY, linewidth=1.4, linestyle=(0, (4, 3)), label="batch size")
    ax.plot(
        steps,
        np.maximum(scale, 1.0),
        color=BLUE,
        linewidth=1.8,
        marker="o",
        markersize=3.5,
        label="noise scale",
    )
    return finish(ax, "examples", log=True)


def plot_sharpness(record: TrainingRecord, ax: Axes) -> Axes:
    """The top eigenvalue of the Hessian and 2 / lr, above which plain gradient descent is thrown out."""
    steps, top, at_rate = readings(record, "curvature", "step", "top", "lr_top")
    good = top > 0
    ax.plot(steps[good], top[good], color=BLUE, linewidth=1.8, marker="o", markersize=3.5, label="sharpness")
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = 2 * top / at_rate
    near = good & (at_rate > 0) & (limit < 1e4 * max(top.max(initial=0.0), 1e-12))
    if near.any():
        ax.plot(steps[near], limit[near], color=GREY, linewidth=1.4, linestyle=(0, (4, 3)), marker="_",
                label="2 / lr")  # fmt: skip
    return finish(ax, "largest curvature", log=True)


def plot_lines(record: TrainingRecord, ax: Axes) -> Axes:
    """The loss along watched steps, relative to before the step: 1 is where the step ended."""
    rows = [r for r in record.probes if r.get("kind") == "line"]
    chosen = rows if len(rows) <= 3 else [rows[0], rows[len(rows) // 2], rows[-1]]
    for colour, row in zip(SERIES, chosen):
        at, loss = np.array(row["at"], float), np.array(row["loss"], float)
        ax.plot(at, loss - loss[np.argmin(np.abs(at))], color=colour, linewidth=1.8, marker="o", markersize=3.5,
                label=f"step {row['step']:,}")  # fmt: skip
    ax.axvline(1, color=INK, linewidth=0.9, alpha=0.4, linestyle=(0, (4, 3)))
    note(ax, 1, 0.97, "step", beside=3, va="top", transform=ax.get_xaxis_transform())
    return finish(ax, "change of the loss", x="steps along the update")


def plot_shift(record: TrainingRecord, ax: Axes) -> Axes:
    """How much a layer's gradient is changed by the step of the layers before it."""
    rows = [r for r in record.probes if r.get("kind") == "shift" and r.get("index")]
    steps = [r["step"] for r in rows]
    values = [[v for v in r["gradient_change"] if v is not None] for r in rows]
    ax.plot(steps, [np.median(v) if v else np.nan for v in values], color=BLUE, linewidth=1.8, marker="o",
            markersize=3.5, label="median layer")  # fmt: skip
    ax.plot(steps, [max(v, default=np.nan) for v in values], color=PURPLE, linewidth=1.2, label="largest")
    return finish(ax, "gradient change by earlier layers", log=True)


def readings(record: TrainingRecord, kind: str, *keys: str) -> list[np.ndarray]:
    """Columns of the probes of a kind, without rows that lack a number."""
    rows = [[r.get(k) for k in keys] for r in record.probes if r.get("kind") == kind]
    sound = [row for row in rows if all(v is not None and math.isfinite(v) for v in row)]
    return list(np.array(sound, dtype=float).reshape(-1, len(keys)).T)


def finish(ax: Axes, y: str, *, x: str = "step", log: bool = False) -> Axes:
    """Axes, ticks and legend in the style of the house."""
    quiet(ax, x=x, y=y)
    if log:
        ax.set_yscale("log")
        log_ticks(ax)
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5))
        short_numbers(ax, "y")
    ax.xaxis.set_major_locator(MaxNLocator(5))
    short_numbers(ax, "x")
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(frameon=False, fontsize=SIZE - 0.5, labelcolor="linecolor", handlelength=1.4, ncols=3,
                  columnspacing=1.2, loc="lower left", bbox_to_anchor=(-0.02, 1), borderaxespad=0.2)  # fmt: skip
    return ax


def _history(key: str) -> Callable[[TrainingRecord], bool]:
    return lambda record: any(row.get(key) is not None for row in record.history)


def _layers(key: str, least: float = 0.0) -> Callable[[TrainingRecord], bool]:
    return lambda record: any((row.get(key) or 0.0) > least for row in record.layers)


def _probes(kind: str, *keys: str, least: int = 1) -> Callable[[TrainingRecord], bool]:
    return lambda record: len(readings(record, kind, "step", *keys)[0]) >= least


def _of_layers(key: str) -> Callable[[TrainingRecord, Axes], Axes]:
    return lambda record, ax: plot_layers(record, ax, quantity=key)


def _of_history(key: str) -> Callable[[TrainingRecord, Axes], Axes]:
    return lambda record, ax: plot_history(record, ax, quantity=key)


INSTRUMENTS: list[tuple[Callable[[TrainingRecord], bool], Callable[[TrainingRecord, Axes], Any]]] = [
    (_history("loss"), _of_history("loss")),
    (_history("val_score"), _of_history("score")),
    (_history("lr"), _of_history("lr")),
    (_layers("grad_norm"), _of_layers("grad_norm")),
    (_layers("update_ratio"), _of_layers("update_ratio")),
    (_layers("input_shift"), _of_layers("input_shift")),
    (_layers("dead", WORTH_SHOWING), _of_layers("dead")),
    (_layers("saturated", WORTH_SHOWING), _of_layers("saturated")),
    (_probes("noise", "noise_scale", "batch_size"), plot_noise),
    (_probes("curvature", "top", "lr_top"), plot_sharpness),
    (_probes("line"), plot_lines),
    (_probes("shift", least=2), plot_shift),
]
"""Whether a record has the readings, and who draws them."""
