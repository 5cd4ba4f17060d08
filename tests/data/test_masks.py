"""Masks: numbers are kept, sizes must be the pictures', strangers are named."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.base.errors import DataError
from ganglion.data.images import read_images
from ganglion.data.masks import nearest, read_masks

DATA = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[3] / "shared" / "data"))
CODES = np.array([[0, 0, 3], [3, 1, 255]], np.uint8)


def palette(folder: Path, name: str, codes: np.ndarray = CODES) -> str:
    image = Image.frombytes("P", codes.shape[::-1], codes.tobytes())
    image.putpalette(np.random.default_rng(0).permutation(768) % 256)
    image.save(folder / name)
    return str(folder / name)


def test_indices_of_a_palette_are_kept(tmp_path: Path) -> None:
    masks = read_masks([palette(tmp_path, "a.png"), palette(tmp_path, "b.bmp")], ignore=255)
    assert masks.values == [0, 1, 3]
    assert len(masks) == 2
    for i in (0, 1):
        assert masks.mask(i).tolist() == [[0, 0, 2], [2, 1, -1]]
    assert masks.tensor().dtype == masks.mask(0).dtype == torch.int64
    assert masks.tensor([1]).shape == (1, 2, 3)


@pytest.mark.parametrize("mode", ["1", "L", "I;16"])
def test_grey_files(tmp_path: Path, mode: str) -> None:
    high = {"1": True, "L": 200, "I;16": 60_000}[mode]
    numbers = np.array([[0, high], [high, 0]], {"1": bool, "L": np.uint8, "I;16": np.uint16}[mode])
    Image.fromarray(numbers).save(tmp_path / "a.png")
    masks = read_masks([tmp_path / "a.png"])
    assert masks.values == [0, {"1": 1, "L": 200, "I;16": 60_000}[mode]]
    assert masks.mask(0).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int64, np.float32, np.float64])
def test_arrays(kind: type) -> None:
    Y = np.array([[[0, 1, 1]], [[1, 1, 0]]]).astype(kind)
    for given in (Y, list(Y), torch.from_numpy(Y), Y.tolist()):
        masks = read_masks(given)
        assert masks.values == [0, 1]
        assert masks.tensor().tolist() == [[[0, 1, 1]], [[1, 1, 0]]]


def test_minus_one_is_not_judged_and_values_can_be_given() -> None:
    masks = read_masks(np.array([[[-1, 5], [2, 5]]]), values=[5, 2, 9])
    assert masks.values == [2, 5, 9]
    assert masks.mask(0).tolist() == [[-1, 1], [0, 1]]
    with pytest.raises(DataError, match=r"classes 0, 1 are expected, but mask 1 .* has 7"):
        read_masks(np.array([[[0, 1]], [[7, 1]]]), values=[0, 1])


def test_sizes_are_those_of_the_pictures(tmp_path: Path) -> None:
    images = read_images([np.zeros((2, 3)), np.zeros((4, 4))], size=(4, 6))
    masks = read_masks([np.eye(2, 3), np.eye(4)], images)
    assert masks.tensor().shape == (2, 4, 6)
    assert masks.mask(1).shape == (4, 4)
    assert masks.tensor()[0].tolist() == np.eye(2, 3).repeat(2, 0).repeat(2, 1).tolist()
    with pytest.raises(DataError, match=r"mask 1 .* is 3 x 3 and picture 1 is 4 x 4"):
        read_masks([np.eye(2, 3), np.eye(3)], images)
    with pytest.raises(DataError, match="each of 2 pictures is expected, got 1"):
        read_masks([np.eye(2)], images)
    Image.new("L", (5, 5)).save(tmp_path / "picture.png")
    with pytest.raises(DataError, match=r"mask\.png' is 2 x 3 and .*picture\.png' is 5 x 5"):
        read_masks([palette(tmp_path, "mask.png")], read_images([str(tmp_path / "picture.png")]))


def test_nearest_against_a_loop() -> None:
    codes = np.random.default_rng(0).integers(0, 9, (7, 10))
    for size in [(7, 10), (3, 4), (14, 30), (5, 25)]:
        by_hand = [
            [codes[int((i + 0.5) * 7 / size[0]), int((j + 0.5) * 10 / size[1])] for j in range(size[1])]
            for i in range(size[0])
        ]
        assert nearest(codes, size).tolist() == np.array(by_hand).tolist()


@pytest.mark.parametrize(
    ("Y", "words"),
    [
        (np.zeros((2, 3, 3)), "2 to 256 classes are expected, got 1 different numbers .0."),
        (np.arange(400).reshape(1, 20, 20), "got 400 different numbers .0, 1, 2, 3, 4, 5, 6, 7, ...."),
        (np.full((1, 2, 2), 0.5), "mask 0 .* has fractions"),
        (np.full((1, 2, 2), np.nan), "mask 0 .* has fractions"),
        (np.full((1, 2, 2), 1e30), "below 2.31"),
        (np.zeros((1, 2, 2, 3)), r"mask 0 .* is \(2, 2, 3\) of float64.*argmax"),
        (np.zeros((1, 0, 2)), r"is \(0, 2\)"),
        (np.array([[["a"]]]), "of <U1"),
        ([[[1, 2], [3]]], "different lengths"),
        ([], "got list"),
        (None, "got NoneType"),
        ("masks", "got str"),
        (["none.png"], "'none.png' does not exist"),
    ],
)
def test_what_is_refused(Y: object, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_masks(Y)
    assert str(caught.value).endswith(".")


def test_colour_and_jpeg_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png")
    Image.new("L", (3, 3)).save(tmp_path / "b.jpg")
    for name, words in [("a.png", "a PNG of mode RGB"), ("b.jpg", "a JPEG of mode L")]:
        with pytest.raises(DataError, match=f"{name}' is {words}"):
            read_masks([tmp_path / name])


def test_a_real_set() -> None:
    """The membranes of ISBI 2012: 78.04 % of the pixels are cell, by the set's own page."""
    file = DATA / "isbi2012_em" / "isbi_em_train.npz"
    if not file.exists():
        pytest.skip("isbi2012_em is not here: set GANGLION_DATA to the folder of the measuring data")
    with np.load(file) as arrays:
        pictures, labels = arrays["image"], np.unpackbits(arrays["label_packed"], axis=-1)
    images = read_images(pictures)
    masks = read_masks(labels, images)
    assert masks.values == [0, 1]
    assert masks.tensor().shape == (30, 512, 512)
    assert masks.tensor().float().mean().item() == pytest.approx(0.7804, abs=1e-4)
