"""What is wanted of a detector, place by place from the formulas, and what its errors cost."""

import numpy as np
import pytest
import torch

from ganglion.models.detector import Detector
from ganglion.objectives.detection import LEAST, Detection, focal, wanted


def wanted_by_loops(boxes, labels, k, size, stride):
    """Bells, goals and weights in double precision, one box and one place at a time."""
    n, (high, wide) = len(boxes), size
    heat, goal, weight = np.zeros((n, k, high, wide)), np.zeros((n, high, wide, 4)), np.zeros((n, high, wide))
    owner = np.full((n, high, wide), -1)
    for i in range(n):
        for m, (x0, y0, x1, y1) in enumerate(boxes[i]):
            if labels[i, m] < 0:
                continue
            cx, cy = np.floor((x0 + x1) / 2 / stride), np.floor((y0 + y1) / 2 / stride)
            sx, sy = (max(0.5, 0.09 * side / stride) for side in (x1 - x0, y1 - y0))
            for y in range(high):
                for x in range(wide):
                    bell = np.exp(-((x - cx) ** 2 / sx**2 + (y - cy) ** 2 / sy**2) / 2)
                    heat[i, labels[i, m], y, x] = max(heat[i, labels[i, m], y, x], bell)
                    if bell >= LEAST and bell > weight[i, y, x]:
                        weight[i, y, x], owner[i, y, x], goal[i, y, x] = bell, m, boxes[i, m]
        for m in range(len(boxes[i])):
            mine = owner[i] == m
            weight[i][mine] /= max(weight[i][mine].sum(), 1e-12)
    return heat, goal, weight


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_what_is_wanted_is_that_of_the_loops(stride):
    rng = np.random.default_rng(stride)
    low, side = rng.uniform(0, 40, (5, 6, 2)), rng.uniform(2, 22, (5, 6, 2))
    boxes, labels = np.concatenate([low, low + side], 2), rng.integers(-1, 3, (5, 6))
    labels[4] = -1  # a picture without any object
    size = (-(-62 // stride), -(-64 // stride))
    found = wanted(torch.from_numpy(boxes), torch.from_numpy(labels), 3, size, stride)
    heat, goal, weight = wanted_by_loops(boxes, labels, 3, size, stride)
    np.testing.assert_allclose(found.heat, heat, atol=1e-12)
    np.testing.assert_allclose(found.weight, weight, atol=1e-12)
    np.testing.assert_allclose(found.boxes[found.weight > 0], goal[weight > 0])
    assert found.judged.all()
    assert ((found.heat == 1).sum((1, 2, 3)) > 0).tolist() == [True] * 4 + [False]


def test_the_focal_loss_follows_its_formula():
    rng = np.random.default_rng(0)
    z, heat = rng.normal(size=200) * 4, np.where(rng.random(200) < 0.3, 1.0, rng.random(200))
    p = 1 / (1 + np.exp(-z))
    rest = -((1 - heat) ** 4) * p**2 * np.log(1 - p)
    expected = np.where(heat == 1, -((1 - p) ** 2) * np.log(p), rest)
    np.testing.assert_allclose(focal(torch.from_numpy(z), torch.from_numpy(heat)), expected, rtol=1e-9)


@pytest.fixture
def objective():
    torch.manual_seed(0)
    return Detection(
        Detector((1, 24, 32), 2, widths=(4, 8), stride=4, side=10.0, norm="group(2)"), objects=2.0
    )


def batch(n=3):
    boxes = torch.tensor([[[2.0, 3, 12, 11], [20, 5, 30, 20]], [[0, 0, 9, 9], [0, 0, 0, 0]], [[0.0] * 4] * 2])
    return {
        "x": torch.rand(3, 1, 24, 32),
        "boxes": boxes,
        "labels": torch.tensor([[0, 1], [1, -1], [-1, -1]]),
    }


def test_a_pictures_loss_depends_on_no_other(objective):
    whole = batch()
    together = objective(whole, "train").loss
    for i in range(3):
        alone = objective({k: v[i : i + 1] for k, v in whole.items()}, "train")
        torch.testing.assert_close(alone.loss[0], together[i])
    assert objective(whole, "train").parts["boxes"][2] == 0  # there is no box to err on


def test_padding_changes_nothing(objective):
    whole = batch()
    padded = whole | {
        "boxes": torch.cat([whole["boxes"], torch.full((3, 4, 4), 7.0)], 1),
        "labels": torch.cat([whole["labels"], torch.full((3, 4), -1)], 1),
    }
    torch.testing.assert_close(objective(whole, "train").loss, objective(padded, "train").loss)


def test_nothing_is_said_about_what_is_not_judged(objective):
    """Inside of a hard box no score costs anything, outside of it all of them do."""
    k, output = 2, torch.zeros(1, 6, 6, 8, requires_grad=True)
    boxes, labels = torch.tensor([[[8.0, 4, 20, 16]]]), torch.tensor([[-2]])
    objective.losses(output, boxes, labels)["scores"].sum().backward()
    inside = torch.zeros(6, 8, dtype=torch.bool)
    inside[1:4, 2:5] = True  # places whose middle 4 i + 2 lies in it
    slope = output.grad[0, :k]
    assert (slope[:, inside] == 0).all()
    assert (slope[:, ~inside] > 0).all()
    assert (output.grad[:, k:] == 0).all()


def test_the_right_answer_costs_nothing(objective):
    whole = batch() | {
        "boxes": torch.tensor([[[2.0, 3, 15, 15], [18, 8, 31, 22]]]),
        "labels": torch.tensor([[0, 1]]),
    }
    net, stride = objective.net, objective.net.stride
    aim = wanted(whole["boxes"], whole["labels"], 2, (6, 8), stride)
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) * stride for n in (6, 8)), indexing="ij")
    reach = torch.stack(
        [x - aim.boxes[..., 0], y - aim.boxes[..., 1], aim.boxes[..., 2] - x, aim.boxes[..., 3] - y], 1
    )
    logits = torch.where(aim.heat == 1, 20.0, -20.0)
    parts = objective.losses(
        torch.cat([logits, (reach.clamp(min=1e-6) / net.side).log()], 1), whole["boxes"], whole["labels"]
    )
    assert parts["scores"].max() < 1e-6
    assert parts["boxes"].max() < 1e-4


def test_the_loss_learns_in_the_same_way_in_whatever_picture_an_object_is(objective):
    """Two pictures with an object each cost what one with both and an empty one cost, apart from the ground."""
    output = torch.zeros(2, 6, 6, 8)
    one, other = [2.0, 2, 10, 10], [22.0, 12, 30, 20]
    apart = objective.losses(output, torch.tensor([[one], [other]]), torch.tensor([[0], [0]]))
    both = objective.losses(
        output, torch.tensor([[one, other], [one, other]]), torch.tensor([[0, 0], [-1, -1]])
    )
    torch.testing.assert_close(apart["boxes"].sum(), both["boxes"].sum())
