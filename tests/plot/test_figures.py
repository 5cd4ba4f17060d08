"""Every figure returns its axes, stands empty or hostile data, and becomes a clean SVG."""

import sys
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import matplotlib
import numpy as np
import pytest

from ganglion.base.record import TrainingRecord
from ganglion.plot import (
    plot_calibration,
    plot_confusion,
    plot_forecast,
    plot_history,
    plot_horizon,
    plot_importance,
    plot_layers,
    plot_residuals,
    plot_roc,
    plot_scores,
    plot_word_attention,
    to_svg,
)
from ganglion.plot.style import ROLES, new_axes
from ganglion.plot.text import clean, label

HOSTILE = "<script>alert(1)</script>\"' onload=x $\\frac{$ \x00\x1b\u202e\ud800 漢字 &amp; ]]> url(http://x)"


def record(n_layers=3, epochs=5):
    history = [
        {"epoch": e, "step": 10 * e, "loss": 1 / e, "val_loss": 1.2 / e, "val_score": 1 - 0.5 / e, "lr": 0.1}
        for e in range(1, epochs + 1)
    ]
    layers = [
        {
            "step": 10 * e,
            "epoch": e,
            "layer": f"{i}.{HOSTILE}",
            "index": i,
            "grad_norm": 10.0**-i,
            "dead": 0.1,
        }
        for e in range(1, epochs + 1)
        for i in range(n_layers)
    ]
    return TrainingRecord(history=history, layers=layers, best_epoch=4)


FIGURES = {
    "history": lambda ax: plot_history(record(), ax),
    "history of scores": lambda ax: plot_history(record(), ax, quantity="score"),
    "no history": lambda ax: plot_history(TrainingRecord(), ax),
    "scores": lambda ax: plot_scores({HOSTILE: 0.9, "dummy": 0.5}, {HOSTILE: (0.8, 1.0)}, ax),
    "no scores": lambda ax: plot_scores({}, ax=ax),
    "confusion": lambda ax: plot_confusion([[3, 1], [0, 2]], ["a", HOSTILE], ax),
    "large confusion": lambda ax: plot_confusion(np.ones((40, 40)), [f"{HOSTILE}{i}" for i in range(40)], ax),
    "empty confusion": lambda ax: plot_confusion(np.zeros((2, 2)), ["a", "b"], ax),
    "roc": lambda ax: plot_roc([0, 1, 1, 0], [0.2, 0.4, 0.9, 0.4], ax),
    "roc of one class": lambda ax: plot_roc([1, 1], [0.2, 0.4], ax),
    "calibration": lambda ax: plot_calibration([0, 1, 1], [0.2, 0.4, 0.9], ax),
    "values": lambda ax: plot_residuals(np.arange(2000.0), np.arange(2000.0) + 1, ax),
    "residuals": lambda ax: plot_residuals([1.0, 2.0], [2.0, 1.0], ax, kind="residuals"),
    "sizes": lambda ax: plot_residuals([1.0, 2.0], [1.0, 2.0], ax, kind="sizes"),
    "importance": lambda ax: plot_importance([(HOSTILE, 0.1, 0.1)] * 200, ax),
    "no importance": lambda ax: plot_importance([], ax),
    "layers": lambda ax: plot_layers(record(), ax),
    "many layers": lambda ax: plot_layers(record(30), ax),
    "dead": lambda ax: plot_layers(record(), ax, quantity="dead"),
    "forecast": lambda ax: plot_forecast(
        range(5), [1.0, np.nan, 3.0], [(3, [4.0, 5.0], [3.0, 3.0], [5.0, 7.0])], ax=ax, name=HOSTILE
    ),
    "no forecast": lambda ax: plot_forecast([], [], [], ax=ax),
    "horizon": lambda ax: plot_horizon({HOSTILE: [1.0, 2.0], "drift": [1.0, 3.0]}, ax=ax),
    "no horizon": lambda ax: plot_horizon({}, ax=ax),
    "word attention": lambda ax: plot_word_attention([HOSTILE, "b"], [HOSTILE], [[1.0], [0.5]], ax=ax),
    "no word attention": lambda ax: plot_word_attention([], [], [], ax=ax),
    "no layers": lambda ax: plot_layers(TrainingRecord(), ax),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figure_returns_its_axes_and_is_a_clean_svg(name):
    ax = new_axes()
    assert FIGURES[name](ax) is ax
    assert FIGURES[name](None) is not ax
    svg = to_svg(ax, HOSTILE, HOSTILE, name=name)
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        assert element.tag.split("}")[1] in {
            "svg",
            "g",
            "path",
            "rect",
            "text",
            "tspan",
            "use",
            "defs",
            "clipPath",
        }
        for key, value in element.attrib.items():
            assert not key.lower().startswith("on")
            if key.endswith("href"):
                assert value.startswith("#")
            if key == "style":
                assert "http" not in value
    assert "<script" not in svg
    assert "metadata" not in svg


def test_nothing_global_is_touched():
    before = dict(matplotlib.rcParams)
    to_svg(plot_history(record()), "x")
    assert dict(matplotlib.rcParams) == before
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_svg_is_the_same_twice_and_ids_do_not_meet():
    one, again, other = (to_svg(plot_scores({"a": 1.0, "b": 2.0}), "x", name=n) for n in ("p", "p", "q"))
    assert one == again
    ids = [{e.get("id") for e in ElementTree.fromstring(s).iter() if e.get("id")} for s in (one, other)]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert "var(--plot-blue, #3a7fd5)" in one


def test_hostile_words_are_drawn_as_they_are():
    svg = to_svg(plot_importance([("a$b$c", 1, 0), ("<b>&", 0.5, 0)]), "x")
    texts = [
        "".join(t.itertext()).strip()
        for t in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "a$b$c" in texts
    assert "<b>&" in texts


def test_history_draws_the_numbers_of_the_record():
    train, valid, kept = plot_history(record()).lines
    assert valid.get_ydata().tolist() == pytest.approx([1.2 / e for e in range(1, 6)])
    assert kept.get_xdata()[0] == 4
    assert train.get_xdata().tolist() == [1, 2, 3, 4, 5]


def test_missing_epochs_and_non_finite_losses():
    rows = [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": float("nan")}, {"epoch": 3, "loss": None}]
    assert plot_history(TrainingRecord(history=rows)).lines[0].get_ydata()[0] == 1


def test_a_wide_range_gets_a_logarithmic_axis():
    rows = [{"epoch": e, "loss": 10.0**-e} for e in range(4)]
    assert plot_history(TrainingRecord(history=rows)).get_yscale() == "log"
    assert plot_history(record()).get_yscale() == "linear"


def test_other_classes_are_summed_up():
    table = np.diag(np.arange(1.0, 21.0))
    ax = plot_confusion(table, range(20))
    names = [t.get_text() for t in ax.get_yticklabels()]
    assert names == [str(i) for i in range(6, 20)] + ["other"]
    assert "21" in [t.get_text() for t in ax.texts]  # 1 + 2 + ... + 6


def test_importance_is_sorted():
    ax = plot_importance([("a", 0.1, 0), ("b", 0.3, 0), ("c", 0.2, 0)])
    widths = [bar.get_width() for bar in ax.patches]
    assert all(a > b for a, b in pairwise(widths))


def luminance(colour):
    c = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in c]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("background", ["#ffffff", "#14171a"])
def test_colours_can_be_seen_on_light_and_dark(background):
    for colour, role in ROLES.items():
        if role not in ("--plot-on-blue", "--plot-grid"):
            a, b = sorted([luminance(colour), luminance(background)])
            assert (b + 0.05) / (a + 0.05) >= 3.4, (role, background)


def test_texts():
    assert clean("a\nb\x7f") == "a b"
    assert len(label("x" * 500, 20)) == 20
    assert label("short") == "short"


def test_the_roc_curve_goes_through_every_threshold_and_ties_are_one_step():
    line = plot_roc([0, 1, 1, 0], [0.2, 0.4, 0.9, 0.4]).lines[1]
    assert line.get_xydata().tolist() == [[0, 0], [0, 0.5], [0.5, 1], [1, 1]]
