"""The detector's shapes and starts, and that from a perfect map exactly the boxes come out."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.models.detector import PRIOR, Detector
from ganglion.objectives.detection import wanted


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (50, 70), (9, 100)])
@pytest.mark.parametrize("stride", [2, 4, 8])
def test_any_size_gives_a_place_every_stride_pixels(size, stride):
    out = Detector((3, *size), 5, widths=(4, 4, 8), stride=stride)(torch.rand(2, 3, *size))
    assert out.shape == (2, 9, *(-(-n // stride) for n in size))


def test_pictures_that_are_too_small_are_refused():
    with pytest.raises(
        ParameterError, match="8 x 90 pixels are too small for 3 widths, which need more than 8"
    ):
        Detector((1, 8, 90), 1, widths=(4, 4, 4), stride=4)


def test_every_place_starts_at_the_prior_with_boxes_of_the_mean_side():
    torch.manual_seed(0)
    net = Detector((1, 64, 64), 2, widths=(8, 8, 8), stride=8, side=20.0).eval()
    out = net(torch.zeros(1, 1, 64, 64))
    assert out[:, :2].sigmoid().mean().item() == pytest.approx(PRIOR, rel=0.2)
    boxes = net.boxes(out)
    assert (boxes[..., 2:] - boxes[..., :2]).mean().item() == pytest.approx(20, rel=0.1)


def perfect(net, boxes, labels, size):
    """The output that says what is wanted."""
    aim = wanted(boxes, labels, net.n_classes, size, net.stride)
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) * net.stride for n in size), indexing="ij")
    goal = aim.boxes
    reach = torch.stack([x - goal[..., 0], y - goal[..., 1], goal[..., 2] - x, goal[..., 3] - y], 1)
    return torch.cat([aim.heat.clamp(1e-6, 1 - 1e-6).logit(), (reach.clamp(min=1e-3) / net.side).log()], 1)


def test_a_perfect_map_gives_exactly_the_boxes():
    rng = np.random.default_rng(0)
    net = Detector((1, 96, 128), 3, widths=(4, 4, 4), stride=8)
    cells = rng.permutation(12)[:7]  # of 32 x 32 pixels, so that no two objects share a place
    low = np.c_[cells % 4 * 32, cells // 4 * 32] + rng.uniform(0, 8, (7, 2))
    boxes = torch.tensor(np.c_[low, low + rng.uniform(12, 24, (7, 2))], dtype=torch.float32)[None]
    labels = torch.tensor(rng.integers(3, size=(1, 7)))
    found, codes, scores = net.detect(perfect(net, boxes, labels, (12, 16)), 50, 0.5)
    assert found.shape == (1, 50, 4)
    assert (scores[0].diff() <= 0).all()
    assert (scores[0] > 0.9).sum() == 7
    for box, code in zip(boxes[0], labels[0]):
        gaps = (found[0, :7] - box).abs().amax(1)
        assert gaps.min() < 1e-3
        assert codes[0, gaps.argmin()] == code


def test_what_reaches_beyond_the_picture_is_cut_off():
    net = Detector((1, 30, 50), 1, widths=(4, 4), stride=4)
    out = torch.full((1, 5, 8, 13), 5.0)
    boxes, _, _ = net.detect(out, 10, 0.5)
    assert boxes.amin() == 0
    assert boxes[..., [0, 2]].amax() == 50
    assert boxes[..., [1, 3]].amax() == 30


def test_of_one_blob_one_box_is_left():
    net = Detector((1, 32, 32), 1, widths=(4, 4), stride=4)
    y, x = torch.meshgrid(torch.arange(8), torch.arange(8), indexing="ij")
    blob = 3 - (x - 3.0) ** 2 - (y - 4.0) ** 2
    _, _, scores = net.detect(torch.cat([blob[None, None], torch.ones(1, 4, 8, 8)], 1), 64, 0.5)
    assert (scores > 0).sum() == 1


def test_the_places_beside_a_peak_crowd_nobody_out():
    """Among the two best places is the second object, though all places of the first have higher scores."""
    net = Detector((1, 32, 64), 1, widths=(4, 4), stride=4)
    y, x = torch.meshgrid(torch.arange(8), torch.arange(16), indexing="ij")
    first = 5 - 0.1 * ((x - 3.0) ** 2 + (y - 4.0) ** 2)
    logits = torch.where((y == 4) & (x == 13), -4.0, torch.where(x < 7, first, -6.0))
    sides = torch.full((1, 4, 8, 16), -2.0)
    boxes, _, scores = net.detect(torch.cat([logits[None, None], sides], 1), 2, 0.5)
    centres = (boxes[0, :, :2] + boxes[0, :, 2:]) / 2
    assert centres.tolist() == [[14, 18], [54, 18]]
    assert (scores > 0).all()
