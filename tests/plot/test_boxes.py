"""Boxes are drawn where they are, and the curve is the one whose area is the average precision."""

import numpy as np
import pytest

from ganglion.data.objects import Objects
from ganglion.metrics.detection import Curve, Detections
from ganglion.plot.boxes import plot_boxes, plot_precision_recall, steps
from ganglion.plot.style import SERIES
from ganglion.plot.svg import to_svg


def test_boxes_are_drawn_where_they_are_in_the_colour_of_their_class():
    found = Detections(np.array([[2.0, 3, 9, 8], [0, 0, 4, 4]]), np.array(["b", "a"]), np.array([0.91, 0.5]))
    truth = Objects(np.array([[1.0, 3, 9, 8], [9, 9, 12, 12]]), np.array(["b", "c"]), np.array([False, True]))
    ax = plot_boxes(np.zeros((20, 30, 3), np.uint8), found, truth)
    places = [(*p.get_xy(), p.get_width(), p.get_height(), p.get_linestyle() != "solid") for p in ax.patches]
    assert places == [(1, 3, 8, 5, True), (2, 3, 7, 5, False), (0, 0, 4, 4, False)]  # a hard one is not drawn
    assert [text.get_text() for text in ax.texts] == ["b 91%", "a 50%"]
    assert [text.get_color() for text in ax.texts] == [SERIES[1], SERIES[0]]
    assert ax.get_ylim() == (20, 0)


@pytest.mark.parametrize("shape", [(6, 8), (6, 8, 1), (6, 8, 3), (6, 8, 4)])
def test_pictures_of_any_kind(shape):
    whole = np.full(shape, 51, np.uint8)
    for picture in (whole, whole / 255):
        shown = plot_boxes(picture).images[0].get_array()
        assert shown.shape == (6, 8, 3)
        np.testing.assert_allclose(shown, 0.2)


def test_the_area_below_the_steps_is_the_average_precision():
    rng = np.random.default_rng(0)
    right = rng.random(400) < np.linspace(0.95, 0.1, 400)
    hits = right.cumsum()
    curve = Curve(hits / np.arange(1, 401), hits / 300, np.linspace(1, 0, 400))
    recall, best = steps(curve)
    area = (np.diff(recall) * best[1:]).sum()
    assert area == pytest.approx(curve.average, abs=0.01)
    ax = plot_precision_recall({"cell": curve, "none": Curve(*[np.zeros(0)] * 3)})
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [f"cell {curve.average:.3f}", "none 0.000"]
    assert to_svg(ax, "curve").startswith("<svg")


def test_nothing_to_show():
    assert plot_precision_recall({}).texts[0].get_text() == "no class to show"
