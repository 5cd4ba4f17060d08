"""Moves against PIL, NumPy and matrix algebra; whole pixels against interpolation; boxes against masks."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.augment import augment_named
from ganglion.data.augment.boxes import move_boxes
from ganglion.data.augment.matrices import affine, compose, identity, inverse
from ganglion.data.augment.moves import crop, flip, flip_up_down, turn
from ganglion.data.augment.parts import Draws
from ganglion.data.augment.resample import copy_mask, copy_pixels, interpolate, sources

CPU = torch.device("cpu")
HALF = math.pi / 2


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def maps(angle=0.0, scale=1.0, shear=(0.0, 0.0), shift=(0.0, 0.0)) -> torch.Tensor:
    numbers = torch.tensor([[angle, scale, *shear, *shift]])
    return affine(numbers[:, 0], numbers[:, 1], numbers[:, 2:4], numbers[:, 4:6])


def copied(x: torch.Tensor, moved: torch.Tensor, **options) -> np.ndarray:
    return copy_pixels(x, *sources(moved, *x.shape[2:]), **options)[0, 0].numpy()


def between(x: torch.Tensor, moved: torch.Tensor, **options) -> np.ndarray:
    return interpolate(x, *sources(moved, *x.shape[2:]), **options)[0, 0].numpy()


@pytest.fixture
def picture():
    return torch.rand(1, 1, 5, 7, generator=generator())


@pytest.fixture
def square():
    return torch.rand(1, 1, 6, 6, generator=generator())


def test_flips_are_those_of_numpy(picture):
    plane = picture[0, 0].numpy()
    draws = Draws(1, 1, 5, 7, CPU, generator())
    np.testing.assert_array_equal(copied(picture, flip(1.0).draw(draws).matrix), plane[:, ::-1])
    np.testing.assert_array_equal(copied(picture, flip_up_down(1.0).draw(draws).matrix), plane[::-1])
    np.testing.assert_array_equal(copied(picture, flip(0.0).draw(draws).matrix), plane)


@pytest.mark.parametrize("quarters", range(4))
def test_quarter_turns_are_those_of_numpy_and_pil(square, quarters):
    plane = square[0, 0].numpy()
    moved = maps(angle=quarters * HALF).round()
    np.testing.assert_array_equal(copied(square, moved), np.rot90(plane, -quarters))  # ours turns clockwise
    rotated = Image.fromarray(plane).rotate(-90 * quarters)
    np.testing.assert_array_equal(copied(square, moved), np.asarray(rotated))
    np.testing.assert_allclose(
        between(square, maps(angle=quarters * HALF)), np.rot90(plane, -quarters), atol=1e-5
    )


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, -3), (-1, 2), (4, 4)])
def test_a_shift_is_a_cut_out_of_the_mirrored_border(picture, right, down):
    padded = np.pad(picture[0, 0].numpy(), 4, mode="symmetric")
    expected = padded[4 - down : 9 - down, 4 - right : 11 - right]
    moved = maps(shift=(right, down))
    np.testing.assert_array_equal(copied(picture, moved), expected)
    np.testing.assert_allclose(between(picture, moved), expected, atol=1e-5)


def test_with_boxes_the_mean_comes_into_sight(picture):
    mean, moved = picture.mean().item(), maps(shift=(2, 0))
    for read in (copied, between):
        got = read(picture, moved, mirror=False)
        np.testing.assert_allclose(got[:, 2:], picture[0, 0, :, :-2], atol=1e-5)
        np.testing.assert_allclose(got[:, :2], mean, atol=1e-6)


def test_interpolation_is_pillows(square):
    """Pillow wants the map from new to old places, in pixels from the upper left corner."""
    moved = maps(0.3, 1.2, (0.2, -0.1), (0.4, -0.3))
    back = np.linalg.inv(np.vstack([moved[0].double().numpy(), [0, 0, 1]]))
    centre = np.array([[1, 0, 3], [0, 1, 3], [0, 0, 1]], dtype=float)
    numbers = (centre @ back @ np.linalg.inv(centre))[:2].ravel()
    plane = Image.fromarray(square[0, 0].numpy())
    theirs = np.asarray(plane.transform((6, 6), Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR))
    ours = between(square, moved)
    seen = np.zeros((6, 6), bool)
    for y, x in np.ndindex(6, 6):  # Pillow has no border to mirror: compare where all four neighbours exist
        u, v, _ = centre @ back @ np.linalg.inv(centre) @ [x + 0.5, y + 0.5, 1]
        seen[y, x] = 0.5 < u < 5.5 and 0.5 < v < 5.5
    assert seen.sum() > 12
    np.testing.assert_allclose(ours[seen], theirs[seen], atol=1e-5)


def test_interpolation_by_hand():
    x = torch.tensor([[[[0.0, 1.0], [0.5, 0.25]]]])
    got = between(x, maps(shift=(0.25, 0.5)))
    # new pixel (0, 1) reads x = 0.75, y = 0.5 -> columns 0.25 and 0.75 of it, rows halves
    assert got[1, 1] == pytest.approx(
        0.5 * (0.25 * 0 + 0.75 * 1) + 0.5 * (0.25 * 0.5 + 0.75 * 0.25), abs=1e-6
    )


def test_composition_is_matrix_algebra():
    numbers = torch.rand(9, 2, 3, generator=generator(), dtype=torch.float64)
    first, second = numbers + torch.eye(2, 3), numbers.flip(0) - torch.eye(2, 3)
    below = torch.tensor([[[0.0, 0, 1]]], dtype=torch.float64).expand(9, 1, 3)
    whole = [np.concatenate([m, below], 1) for m in (first, second)]
    np.testing.assert_allclose(compose(second, first), (whole[1] @ whole[0])[:, :2], atol=1e-12)
    np.testing.assert_allclose(inverse(first), np.linalg.inv(whole[0])[:, :2], atol=1e-12)


def test_affine_is_the_product_of_its_factors():
    a, s, p, q, x, y = 0.4, 1.3, 0.2, -0.3, 5.0, -2.0
    turn_ = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    linear = turn_ @ np.array([[1, 0], [q, 1]]) @ np.array([[1, p], [0, 1]]) * s
    np.testing.assert_allclose(maps(a, s, (p, q), (x, y))[0, :, :2], linear, atol=1e-6)
    assert maps(a, s, (p, q), (x, y))[0, :, 2].tolist() == [x, y]


@pytest.mark.parametrize("seed", range(8))
def test_order_of_the_text_is_the_order_of_the_moves(square, seed):
    """A flip and a quarter turn do not commute; the augmentation does what NumPy does in the order of the text."""
    plane, quarters = square[0, 0].numpy(), {}
    for text, drawn_before in (("flip(1)+turn", 1), ("turn+flip(1)", 0)):
        draws = Draws(1, 1, 6, 6, CPU, generator(seed))
        for _ in range(drawn_before):
            draws.chance(1.0)
        quarters[text] = -int(draws.whole(0, 3).item())
    done = {text: augment_named(text)({"x": square}, generator(seed))["x"][0, 0] for text in quarters}
    np.testing.assert_array_equal(done["flip(1)+turn"], np.rot90(np.fliplr(plane), quarters["flip(1)+turn"]))
    np.testing.assert_array_equal(done["turn+flip(1)"], np.fliplr(np.rot90(plane, quarters["turn+flip(1)"])))


@pytest.mark.parametrize("seed", range(6))
def test_boxes_are_those_of_the_moved_mask(seed):
    """A filled rectangle drawn large, so that the pixels of the moved mask tell its bounding box to a pixel."""
    rng = np.random.default_rng(seed)
    x0, y0 = rng.integers(5, 40, 2)
    x1, y1 = x0 + rng.integers(20, 50), y0 + rng.integers(20, 40)
    mask = torch.zeros(1, 90, 120, dtype=torch.int64)
    mask[0, y0:y1, x0:x1] = 1
    moved = maps(
        rng.uniform(-3, 3), rng.uniform(0.7, 1.3), rng.uniform(-0.3, 0.3, 2), rng.uniform(-20, 20, 2)
    )
    found = copy_mask(mask, *sources(moved, 90, 120))[0].numpy() == 1
    boxes = torch.tensor([[[x0, y0, x1, y1]]], dtype=torch.float32)
    got, labels = move_boxes(boxes, torch.tensor([[3]]), moved, 90, 120, 0.0)
    rows, columns = np.nonzero(found)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(got[0, 0], expected, atol=1.5)
    assert labels.item() == 3


def test_boxes_are_dropped_by_the_share_that_remains():
    boxes = torch.tensor([[[0.0, 0, 4, 4], [6, 0, 8, 2], [0, 0, 0, 0]]])
    labels = torch.tensor([[1, 2, -1]])
    moved = maps(shift=(-3, 0))  # a quarter of the first remains, all of the second
    for least, expected in ((0.25, [1, 2, -1]), (0.26, [-1, 2, -1])):
        got, kept = move_boxes(boxes, labels, moved, 8, 8, least)
        assert kept[0].tolist() == expected
        assert got[0, 1].tolist() == [3, 0, 5, 2]
        assert got[0, 2].tolist() == [0, 0, 0, 0]
    assert move_boxes(boxes, labels, moved, 8, 8, 0.25)[0][0, 0].tolist() == [0, 0, 1, 4]


def test_flipped_boxes_and_masks_by_hand():
    x = torch.rand(1, 3, 4, 6, generator=generator())
    batch = {"x": x, "boxes": torch.tensor([[[1.0, 0, 3, 2]]]), "labels": torch.tensor([[5]])}
    done = augment_named("flip(1)")(batch, generator())
    assert done["boxes"].tolist() == [[[3, 0, 5, 2]]]
    assert torch.equal(done["x"], x.flip(3))
    masks = torch.arange(24).view(1, 4, 6)
    done = augment_named("flip_up_down(1)")({"x": x, "masks": masks}, generator())
    assert torch.equal(done["masks"], masks.flip(1))


def test_unknown_area_of_masks():
    mask = torch.arange(12).view(1, 3, 4)
    got = copy_mask(mask, *sources(maps(shift=(1, -1)), 3, 4))
    assert got[0].tolist() == [[-1, 4, 5, 6], [-1, 8, 9, 10], [-1, -1, -1, -1]]


def test_masks_move_with_pictures():
    """A mask that is the picture's brightness in halves stays so wherever both are known."""
    x = torch.zeros(2, 1, 40, 30)
    x[:, :, 10:25, 8:20] = 1
    batch = {"x": x, "masks": x[:, 0].long()}
    done = augment_named("affine(rotate=40, shift=0.1)+elastic(20, 3)")(batch, generator(1))
    sure = (done["masks"] >= 0) & ((done["x"][:, 0] < 0.05) | (done["x"][:, 0] > 0.95))
    assert sure.float().mean() > 0.7
    assert torch.equal(done["x"][:, 0][sure].round().long(), done["masks"][sure])
    assert not torch.equal(done["masks"], batch["masks"])


def test_parameters_are_drawn_as_stated():
    draws = Draws(20_000, 1, 20, 20, CPU, generator())
    flipped = flip(0.3).draw(draws).matrix[:, 0, 0]
    assert (flipped == -1).float().mean() == pytest.approx(0.3, abs=0.015)
    shifts = crop(2).draw(draws).matrix[:, :, 2]
    for axis in (0, 1):
        values, counts = shifts[:, axis].unique(return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        np.testing.assert_allclose(counts / 20_000, 0.2, atol=0.015)
    turned = turn().draw(draws).matrix
    corner, counts = turned[:, 0, :2].unique(dim=0, return_counts=True)
    assert len(corner) == 4
    np.testing.assert_allclose(counts / 20_000, 0.25, atol=0.015)
    one = augment_named("affine(rotate=30, scale=0.5, shear=20, shift=0.2)").parts[0][1].draw(draws).matrix
    assert one[:, :, 2].abs().max() == pytest.approx(4, abs=0.01)
    angle = torch.rad2deg(torch.atan2(one[:, 1, 0], one[:, 0, 0]))
    assert angle.abs().max() == pytest.approx(30, abs=0.05)
    assert angle.mean().abs() < 0.5
    scale = (one[:, 0, 0] ** 2 + one[:, 1, 0] ** 2).sqrt()
    assert scale.max() == pytest.approx(1.5, abs=0.01)
    assert scale.log().mean().abs() < 0.01
    assert len(one[:, 0, 0].unique()) > 19_000  # each picture its own


def test_half_turns_where_pictures_are_not_square():
    x = torch.rand(16, 1, 3, 5, generator=generator())
    done = augment_named("turn")({"x": x}, generator())["x"]
    same = (done == x).flatten(1).all(1)
    assert ((done == x.rot90(2, (2, 3))).flatten(1).all(1) | same).all()
    assert 0 < same.sum() < 16


def test_identity_moves_nothing(picture):
    assert torch.equal(copy_pixels(picture, *sources(identity(1, CPU), 5, 7, turns=False)), picture)


def test_a_crop_beyond_the_picture_is_refused():
    with pytest.raises(ParameterError, match=r"crop\(5\).*3 x 9.*less than 3"):
        augment_named("crop(5)")({"x": torch.rand(1, 1, 3, 9)}, generator())


def test_elastic_refuses_boxes():
    batch = {"x": torch.rand(1, 1, 8, 8), "boxes": torch.zeros(1, 1, 4), "labels": torch.zeros(1, 1).long()}
    with pytest.raises(DataError, match="'elastic' cannot carry boxes"):
        augment_named("flip+elastic")(batch, generator())
