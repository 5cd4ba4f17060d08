"""Overlaps from their formulas, and suppression against the textbook's loop over sorted lists."""

import itertools

import numpy as np
import pytest
import torch

from ganglion.nn.boxes import area, giou, iou, suppress


def iou_of(a, b):
    """IoU of two boxes, from the formula, in plain Python."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def by_lists(boxes, scores, labels, threshold):
    """Greedy suppression as the textbooks tell it: take the best, strike what it covers, again."""
    left = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    stays = []
    while left:
        best = left.pop(0)
        stays.append(best)
        left = [i for i in left if labels[i] != labels[best] or iou_of(boxes[best], boxes[i]) <= threshold]
    return stays


def some_boxes(rng, n, k, *, whole):
    """Boxes (n, k, 4) close to each other; whole corners make equal overlaps and twins."""
    low, side = rng.uniform(0, 6, (n, k, 2)), rng.uniform(1, 6, (n, k, 2))
    if whole:
        low, side = low.round(), side.round().clip(1)
    return np.concatenate([low, low + side], 2)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("whole", [False, True], ids=["anywhere", "ties"])
def test_suppression_is_that_of_the_loop(seed, whole):
    rng = np.random.default_rng(seed)
    n, k = 50, [0, 1, 2, 5, 12, 30][seed % 6]  # 12 x 2 x 50 pictures
    threshold = rng.choice([0.0, 0.25, 0.5, 0.6, 1.0])
    boxes, labels = some_boxes(rng, n, k, whole=whole), rng.integers(3, size=(n, k))
    scores = rng.integers(4, size=(n, k)) / 4 if whole else rng.random((n, k))
    stays = suppress(*(torch.from_numpy(part) for part in (boxes, scores, labels)), threshold)
    assert stays.shape == (n, k)
    for row in range(n):
        expected = by_lists(boxes[row].tolist(), scores[row].tolist(), labels[row].tolist(), threshold)
        assert np.flatnonzero(stays[row]).tolist() == sorted(expected)


def test_overlaps_follow_the_formula():
    rng = np.random.default_rng(0)
    a, b = some_boxes(rng, 1, 30, whole=False)[0], some_boxes(rng, 1, 30, whole=True)[0]
    found = iou(torch.from_numpy(a)[:, None], torch.from_numpy(b)[None]).numpy()
    generalised = giou(torch.from_numpy(a)[:, None], torch.from_numpy(b)[None]).numpy()
    for i, j in itertools.product(range(30), range(30)):
        assert found[i, j] == pytest.approx(iou_of(a[i], b[j]), abs=1e-12)
        around = (max(a[i, 2], b[j, 2]) - min(a[i, 0], b[j, 0])) * (
            max(a[i, 3], b[j, 3]) - min(a[i, 1], b[j, 1])
        )
        areas = (a[i, 2] - a[i, 0]) * (a[i, 3] - a[i, 1]) + (b[j, 2] - b[j, 0]) * (b[j, 3] - b[j, 1])
        union = areas / (1 + iou_of(a[i], b[j]))
        assert generalised[i, j] == pytest.approx(iou_of(a[i], b[j]) - (around - union) / around, abs=1e-12)


def test_generalised_overlap_has_a_slope_where_boxes_do_not_meet():
    far = torch.tensor([10.0, 0, 12, 2], requires_grad=True)
    here = torch.tensor([0.0, 0, 2, 2])
    giou(far, here).backward()
    assert far.grad[0] < 0  # nearer is better
    far.grad = None
    iou(far, here).backward()
    assert not far.grad.any()


def test_empty_boxes_overlap_nothing():
    point, box = torch.zeros(4), torch.tensor([0.0, 0, 1, 1])
    assert iou(point, point) == iou(point, box) == area(torch.tensor([3.0, 3, 1, 1])) == 0
    assert torch.isfinite(giou(point, point))
