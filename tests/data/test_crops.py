"""Crops: where they are cut, what lies beyond, and that they follow from their place in the run alone."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import DataError
from ganglion.data.crops import CropBatches, mirrored


def scenes(*sizes):
    """Pictures whose pixels all differ, and masks that are equal to them."""
    pictures = [
        torch.arange(1000 * i, 1000 * i + h * w).view(1, h, w).float() for i, (h, w) in enumerate(sizes)
    ]
    return pictures, [p[0].to(torch.int16) for p in pictures]


def test_a_crop_is_a_part_of_its_picture_and_mask():
    pictures, masks = scenes((20, 30), (16, 16))
    batches = CropBatches(pictures, masks, (8, 8), 4)
    seen = [batch for epoch in range(20) for batch in batches.epoch(0, epoch)]
    corners = set()
    for crop, mask in ((x, m) for b in seen for x, m in zip(b["x"], b["masks"])):
        number = int(crop[0, 0, 0]) // 1000
        top, left = divmod(int(crop[0, 0, 0]) % 1000, pictures[number].shape[2])
        assert torch.equal(crop, pictures[number][:, top : top + 8, left : left + 8])
        assert torch.equal(mask, crop[0].long())
        corners.add((number, top, left))
    assert {left for i, _, left in corners if i == 0} == set(range(23))  # every place is met, also the last
    assert {top for i, top, _ in corners if i == 1} == set(range(9))


def test_an_epoch_takes_each_picture_by_its_area():
    pictures, masks = scenes((16, 16), (16, 32), (4, 4))
    batches = CropBatches(pictures, masks, (8, 8), 5)
    firsts = torch.cat([b["x"][:, 0, 0, 0] for b in batches.epoch(0, 0)])
    assert torch.bincount((firsts // 1000).long()).tolist() == [4, 8, 1]
    assert len(batches) == 3


def test_an_epoch_has_as_many_crops_as_a_batch_needs():
    batches = CropBatches(*scenes((8, 8)), (8, 8), 32, least=2)
    assert [len(b["x"]) for b in batches.epoch(0, 0)] == [2]


def test_what_lies_beyond_is_mirrored_and_not_judged():
    pictures, masks = scenes((3, 4))
    (batch,) = CropBatches(pictures, masks, (5, 6), 1).epoch(0, 0)
    assert np.array_equal(batch["x"][0, 0], np.pad(pictures[0][0], ((0, 2), (0, 2)), "symmetric"))
    assert (batch["masks"][0, :3, :4] == masks[0]).all()
    assert (batch["masks"][0, 3:] == -1).all()
    assert (batch["masks"][0, :, 4:] == -1).all()


def test_mirrored_as_numpy_does():
    x = torch.rand(2, 3, 4)
    assert np.array_equal(mirrored(x, 9, 5), np.pad(x, ((0, 0), (0, 9), (0, 5)), "symmetric"))


def test_batches_follow_from_their_place_alone():
    pictures, masks = scenes((40, 40))
    batches = CropBatches(pictures, masks, (8, 8), 4, weight=torch.ones(1))
    whole, rest = list(batches.epoch(3, 2)), list(batches.epoch(3, 2, 4))
    assert len(whole) == len(batches)
    for a, b in zip(whole[4:], rest, strict=True):
        assert all(torch.equal(a[k], b[k]) for k in ("x", "masks", "weight"))
    for other in (batches.epoch(3, 1), batches.epoch(4, 2)):
        assert not torch.equal(next(other)["x"], whole[0]["x"])


def test_weights_are_those_of_the_pictures():
    pictures, masks = scenes((8, 8), (8, 16))
    (batch,) = CropBatches(pictures, masks, (8, 8), 3, weight=torch.tensor([0.5, 2.0])).epoch(0, 0)
    assert torch.equal(batch["weight"], torch.tensor([0.5, 2.0])[(batch["x"][:, 0, 0, 0] // 1000).long()])


def test_masks_of_another_size_are_refused():
    pictures, _ = scenes((8, 8))
    with pytest.raises(DataError, match="mask of its size"):
        CropBatches(pictures, [torch.zeros(8, 9)], (4, 4), 2)
