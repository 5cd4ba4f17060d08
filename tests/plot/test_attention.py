"""The figure of attention lights the places that a word was read from."""

import numpy as np

from ganglion.plot import plot_attention, to_svg
from ganglion.plot.attention import DARK


def test_a_place_is_as_bright_as_its_weight():
    weights = np.zeros((1, 3, 2, 2))
    weights[0, 0, 0, 1] = 1.0  # the first word looks up to the right
    weights[0, 1] = 0.25  # the second everywhere
    ax = plot_attention([np.ones((8, 8))], ["a disc"], weights)
    whole, first, second = (np.asarray(image.get_array()) for image in ax.images)
    assert (whole == 1).all()
    assert np.allclose(second, 1)
    assert np.allclose(first[:2, 6:], 1)  # beyond the middle of its place
    assert np.allclose(first[6:], DARK)
    assert np.allclose(first[:2, :2], DARK)
    assert (np.diff(first[0, :, 0]) >= 0).all()  # in between it goes over
    assert [text.get_text() for text in ax.texts] == ["a", "disc"]


def test_colours_sizes_and_rows():
    pictures = [np.full((6, 9, 3), 128, np.uint8), np.zeros((4, 4, 1)), np.zeros((4, 4))]
    ax = plot_attention(pictures, ["one", "two words", ""], np.full((3, 3, 3, 3), 1 / 9), most=2)
    assert len(ax.images) == 2 + 3
    assert np.allclose(ax.images[0].get_array(), 128 / 255)
    left, right, bottom, top = ax.images[0].get_extent()
    assert (bottom - top) / (right - left) == 6 / 9
    assert to_svg(ax, "Attention").startswith("<svg")


def test_nothing_to_show():
    assert "no picture" in plot_attention([], [], np.zeros((0, 1, 1, 1))).texts[0].get_text()
