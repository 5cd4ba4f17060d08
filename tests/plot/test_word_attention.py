"""The figure of attention between words: the right square is dark, names are text, large ones stay small."""

import numpy as np

from ganglion.plot import plot_word_attention, to_svg
from ganglion.plot.word_attention import MOST

HOSTILE = "<script>$\\frac{$\x00\u202e"


def middles(path):
    """(column, row) of each square of a path."""
    corners = path.get_path().vertices.reshape(-1, 5, 2)
    return corners[:, :4].mean(axis=1).round().astype(int).tolist()


def test_a_square_is_as_dark_as_its_share_of_the_largest_weight_of_its_row():
    ax = plot_word_attention(["a", "dog"], ["ein", "Hund", "."], [[0.8, 0.0, 0.0], [0.2, 0.4, 0.01]])
    ground, half, full = ax.patches
    assert ground.get_width() == 3
    assert middles(half) == [[0, 1]]
    assert half.get_alpha() == 0.5
    assert middles(full) == [[0, 0], [1, 1]]
    assert full.get_alpha() == 1
    assert ax.get_ylim() == (1.5, -0.5)  # the first word on top


def test_words_are_only_text_and_blank_ones_can_be_seen():
    ax = plot_word_attention([HOSTILE, " "], ["\n", "x"], np.ones((2, 2)))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["␣", "x"]
    svg = to_svg(ax, "Attention")
    assert "&lt;script" in svg
    assert "<script" not in svg


def test_many_words_are_cut():
    words = [f"word{i}" for i in range(60)]
    ax = plot_word_attention(words, words, np.random.default_rng(0).random((60, 60)))
    assert len(ax.get_yticklabels()) == MOST
    assert ax.get_xlim() == (-0.5, MOST - 0.5)
    assert len(to_svg(ax, "Attention")) < 200_000


def test_nothing_to_show():
    assert "no word" in plot_word_attention([], ["a"], np.zeros((0, 1))).texts[0].get_text()
    assert len(plot_word_attention(["a"], ["b"], [[0.0]]).patches) == 1
