"""The sheet of augmented pictures shows what augmentation makes, with boxes, masks and shares of targets."""

import numpy as np
import torch
from matplotlib.patches import Rectangle

from ganglion.data.augment import augment_named
from ganglion.plot.augmented import plot_augmented


def pictures(n: int = 3, c: int = 3, h: int = 8, w: int = 10) -> torch.Tensor:
    return torch.randint(0, 256, (n, c, h, w), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_each_row_is_a_picture_and_its_versions():
    x = pictures()
    ax = plot_augmented({"x": x}, augment_named("flip(1)"), versions=2, pictures=2)
    assert len(ax.images) == 2 * 3
    for column in range(3):
        for row in range(2):
            expected = (x[row] if column == 0 else x[row].flip(2)).permute(1, 2, 0).numpy() / 255
            np.testing.assert_allclose(ax.images[column * 2 + row].get_array(), expected, atol=1e-6)
    left, right, bottom, top = ax.images[3].get_extent()
    np.testing.assert_allclose((right - left, bottom - top), (10, 8))


def test_boxes_are_drawn_where_they_are():
    boxes = torch.tensor([[[1.0, 2, 4, 7], [0, 0, 0, 0]]])
    batch = {"x": pictures(1), "boxes": boxes, "labels": torch.tensor([[3, -1]])}
    ax = plot_augmented(batch, augment_named("flip(1)"), versions=1)
    first, second = (patch for patch in ax.patches if isinstance(patch, Rectangle))
    assert (*first.get_xy(), first.get_width(), first.get_height()) == (1, 2, 3, 5)
    left = ax.images[1].get_extent()[0]
    np.testing.assert_allclose(second.get_x() - left, 10 - 4)


def test_masks_colour_what_is_not_class_0():
    masks = torch.zeros(1, 8, 10, dtype=torch.int64)
    masks[0, 2:5, 3:6], masks[0, 7] = 1, -1
    ax = plot_augmented({"x": pictures(1, 1), "masks": masks}, augment_named("flip(0)"), versions=1)
    shown = ax.images[0].get_array()
    grey = np.ptp(shown, axis=2) < 1e-6
    np.testing.assert_array_equal(grey, masks[0].numpy() == 0)


def test_mixed_targets_are_named():
    batch = {"x": pictures(2), "y": torch.tensor([0, 1])}
    ax = plot_augmented(batch, augment_named("cutmix", classes=2), versions=3, names=["cat", "dog$x$"])
    captions = [text.get_text() for text in ax.texts[:-2]]
    assert len(captions) == 6
    assert all("%" in text for text in captions)
    assert any("cat" in text and "dog" in text for text in captions)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["cat", "dog$x$"]
    ax.figure.savefig("/dev/null", format="png")


def test_nothing_to_show_is_said():
    ax = plot_augmented({"x": pictures(0)}, augment_named("flip"))
    assert ax.texts[0].get_text() == "no picture to show"


def test_the_same_seed_draws_the_same_sheet():
    sheets = [plot_augmented({"x": pictures()}, augment_named("crop(2)+erase(1)"), seed=s) for s in (0, 0, 1)]
    first, again, other = (np.stack([image.get_array() for image in ax.images]) for ax in sheets)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
