"""The instrument panel and the landscape: what they draw is what the records hold."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from ganglion.base.record import TrainingRecord
from ganglion.diagnose.landscape import Landscape
from ganglion.plot import plot_landscape, plot_training, to_svg
from ganglion.plot.style import new_axes
from ganglion.plot.training import plot_noise, plot_sharpness

ODD = "<b>$x$\x00 &"


def full_record():
    """A record with every reading."""
    steps = (17, 129, 400)
    history = [{"epoch": e, "step": 20 * e, "loss": 1 / e, "val_loss": 2 / e, "val_score": 0.5, "lr": 0.1}
               for e in range(1, 21)]  # fmt: skip
    layers = [
        {"step": s, "epoch": 1, "layer": f"{ODD}{i}", "index": i, "grad_norm": 0.1, "update_ratio": 1e-3,
         "input_shift": 0.1 * i, "dead": 0.2, "saturated": 0.1}
        for s in steps for i in range(3)
    ]  # fmt: skip
    probes = []
    for s in steps:
        at = {"step": s, "epoch": 1}
        probes += [
            at | {"kind": "noise", "noise_scale": 10.0 * s, "batch_size": 32},
            at | {"kind": "curvature", "top": 4.0, "bottom": -1.0, "condition": 9.0, "lr_top": 0.4},
            at | {"kind": "line", "at": [-1.0, 0.0, 1.0], "loss": [2.0, 1.0, 0.5]},
            at | {"kind": "shift", "index": [1, 2], "gradient_change": [0.1, None], "cosine": [1.0, None],
                  "mean_shift": [0.1, 0.2], "spread_shift": [0.1, 0.2]},
        ]  # fmt: skip
    return TrainingRecord(history=history, layers=layers, probes=probes)


def test_only_what_is_there_is_drawn():
    record = full_record()
    assert len(plot_training(record).axes) == 12
    assert len(plot_training(TrainingRecord(history=record.history)).axes) == 3
    assert len(plot_training(TrainingRecord(layers=record.layers)).axes) == 5
    assert len(plot_training(TrainingRecord(probes=record.probes)).axes) == 4
    empty = plot_training(TrainingRecord())
    assert "nothing was recorded" in to_svg(empty, "x")
    holes = TrainingRecord(probes=[{"step": 1, "kind": "noise", "noise_scale": None}, {"kind": "curvature"}])
    assert len(plot_training(holes).axes) == 1


def test_the_panel_is_a_clean_svg():
    svg = to_svg(plot_training(full_record()), ODD, name="panel")
    texts = {
        "".join(t.itertext()).strip() for t in ElementTree.fromstring(svg).iter() if t.tag.endswith("text")
    }
    assert {
        "loss",
        "learning rate",
        "gradient norm",
        "examples",
        "noise scale",
        "sharpness",
        "2 / lr",
    } <= texts


def test_noise_and_sharpness_are_the_records():
    record = full_record()
    batch, scale = plot_noise(record, new_axes()).lines
    assert batch.get_ydata().tolist() == [32] * 3
    assert scale.get_ydata().tolist() == [170, 1290, 4000]
    top, limit = plot_sharpness(record, new_axes()).lines
    assert top.get_ydata().tolist() == [4] * 3
    assert limit.get_ydata().tolist() == pytest.approx([2 / 0.1] * 3)


def valley(path=()):
    at = np.linspace(-1, 1, 21)
    grid = at[:, None] ** 2 + 4 * at**2 + 0.01
    return Landscape(
        at.tolist(), grid.tolist(), 0.01, "path" if path else "filter", path=[list(p) for p in path]
    )


def test_the_first_direction_runs_to_the_right():
    """The valley is four times as steep upwards, so its contours are wider than high."""
    ax = plot_landscape(valley())
    line = next(p for c in ax.collections for p in c.get_paths() if len(p.vertices) > 20)
    wide, high = np.ptp(line.vertices, axis=0)
    assert wide > 1.5 * high


def test_paths_and_lines():
    ax = plot_landscape(valley([(1.0, 0.5), (0.2, 0.1), (0.0, 0.0)]))
    assert ax.lines[0].get_xdata().tolist() == [1.0, 0.2, 0.0]
    assert ax.get_xlabel() == "main direction of the path"
    one = Landscape([-1.0, 0.0, 1.0], [2.0, 0.5, 2.0], 0.5, "filter")
    assert plot_landscape(one).lines[0].get_ydata().tolist() == [2, 0.5, 2]


@pytest.mark.parametrize("fill", [1.0, float("nan"), float("inf"), -3.0])
def test_odd_landscapes_are_drawn(fill):
    grid = np.ones((5, 5))
    grid[0] = fill
    found = Landscape([-1.0, -0.5, 0.0, 0.5, 1.0], grid.tolist(), 1.0, "filter")
    assert "<svg" in to_svg(plot_landscape(found), "x")
