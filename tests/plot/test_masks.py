"""The figure of masks shows what was said and where it is wrong."""

import numpy as np
from matplotlib.colors import to_rgb

from ganglion.plot import plot_masks, to_svg
from ganglion.plot.style import BLUE, ORANGE

TRUE = np.array([["cell", "membrane", "void"], ["cell", "membrane", "cell"]])
SAID = np.array([["membrane", "membrane", "cell"], ["cell", "cell", "cell"]])


def nearest(pixel):
    """Which of the colours a pixel shows."""
    colours = {"missed": to_rgb(ORANGE), "too many": to_rgb(BLUE), "right": (1, 1, 1)}
    return min(colours, key=lambda name: np.abs(np.subtract(colours[name], pixel)).sum())


def test_errors_have_the_colour_of_their_kind():
    ax = plot_masks([np.ones((2, 3))], [TRUE], [SAID], ["cell", "membrane"])
    picture, prediction, errors = (np.asarray(image.get_array()) for image in ax.images)
    assert (picture == 1).all()
    assert (prediction != 1).any(2).tolist() == (SAID == "membrane").tolist()
    found = [[nearest(pixel) for pixel in row] for row in errors]
    assert found == [["too many", "right", "right"], ["right", "missed", "right"]]  # void is not judged
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "membrane missed",
        "membrane too many",
    ]
    assert [text.get_text() for text in ax.texts][3:] == ["Dice 0.500"]


def test_more_classes_and_colours_and_sizes():
    pictures = [np.zeros((4, 6, 3), np.uint8), np.zeros((9, 5, 3), np.uint8)]
    masks = [np.arange(p[..., 0].size).reshape(p.shape[:2]) % 3 for p in pictures]
    ax = plot_masks(pictures, masks, [(m + 1) % 3 for m in masks], [0, 1, 2], most=1)
    assert len(ax.images) == 3
    assert {nearest(pixel) for row in ax.images[2].get_array() for pixel in row} == {"missed"}
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["wrong"]
    assert len(plot_masks(pictures, masks, masks, [0, 1, 2]).images) == 6


def test_it_can_stand_in_a_page():
    ax = plot_masks([np.ones((2, 3))], [TRUE], [SAID], ["cell", "membrane"])
    assert to_svg(ax, "Masks").startswith("<svg")
    assert plot_masks([], [], [], [0, 1]).texts[0].get_text() == "no picture to show"
