"""Collections of pictures: what arrays, lists and files become."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.images import MIXED_PIXELS, Images, read_images, spread


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Five colour pictures 6 x 8, whose red channel is 10 times the number."""
    paths = []
    for i in range(5):
        pixels = np.full((6, 8, 3), 7, np.uint8)
        pixels[..., 0] = 10 * i
        paths.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(pixels).save(paths[-1])
    return paths


def test_an_array_stays_as_it_is() -> None:
    X = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), dtype=np.uint8)
    images = read_images(X)
    assert (images.n, len(images), images.size, images.channels, images.kind) == (7, 7, (5, 4), 3, "uint8")
    assert images.nbytes == X.nbytes
    assert torch.equal(images.tensor(), torch.from_numpy(X.transpose(0, 3, 1, 2).copy()))
    assert torch.equal(images.picture(-1), images.tensor()[6])
    assert images.names is None
    assert images.kept.tolist() == list(range(7))
    assert not images.notes


@pytest.mark.parametrize(
    ("X", "kind", "span", "first"),
    [
        (np.array([[[True, False]]]), "uint8", (0, 255), 255),
        (np.array([[[1, 0]]]), "uint8", (0, 255), 1),
        (np.array([[[255.0, 0.0]]]), "uint8", (0, 255), 255),
        (np.array([[[1.0, 0.0]]]), "float32", (0, 1), 1),  # floats from 0 to 1 that happen to be whole
        (np.array([[[0.5, 0.25]]]), "float32", (0.25, 0.5), 0.5),
        (np.array([[[256, 0]]]), "float32", (0, 256), 256),
        (np.array([[[-1, 0]]]), "float32", (-1, 0), -1),
        (np.array([[[0.5, 0.25]]], np.float16), "float32", (0.25, 0.5), 0.5),
    ],
)
def test_numbers_are_kept_in_8_bits_where_they_fit(X, kind, span, first) -> None:
    images = read_images(X)
    assert (images.kind, images.range) == (kind, span)
    assert images.tensor()[0, 0, 0, 0] == first
    assert images.tensor().dtype == getattr(torch, kind)


def test_files_are_decoded_in_order(photos: list[str]) -> None:
    images = read_images(photos)
    assert (images.n, images.size, images.channels, images.kind, images.names) == (
        5,
        (6, 8),
        3,
        "uint8",
        photos,
    )
    assert images.tensor()[:, 0, 3, 3].tolist() == [0, 10, 20, 30, 40]
    assert images.tensor([4, 0])[:, 0, 0, 0].tolist() == [40, 0]
    assert images.tensor(slice(1, 3)).shape == (2, 3, 6, 8)
    assert images.tensor([]).shape == (0, 3, 6, 8)
    assert images.tensor(2).shape == (1, 3, 6, 8)
    assert not images.take([]).mixed
    few = images.take(np.array([False, True, False, True, False]))
    assert few.names == [photos[1], photos[3]]
    assert few.kept.tolist() == [1, 3]
    assert few.take([1]).picture(0)[0, 0, 0] == 30


def test_columns_of_paths(photos: list[str]) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = [
        pandas.Series(photos),
        polars.Series(photos),
        pandas.DataFrame({"p": photos}),
        np.array(photos),
    ]
    for column in [*columns, tuple(photos), [Path(p) for p in photos], np.array(photos, dtype=object)]:
        assert read_images(column).tensor()[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40]
    with pytest.raises(DataError, match="one column of paths is expected, got 2"):
        read_images(pandas.DataFrame({"p": photos, "q": photos}))


def test_mixed_sizes_come_near_the_median_and_it_is_told() -> None:
    images = read_images([np.full((h, h + 2), 9.5) for h in (4, 6, 20)])
    assert images.size == (6, 8)
    assert images.mixed
    assert images.tensor().shape == (3, 1, 6, 8)
    assert (images.tensor() == 9.5).all()
    assert images.picture(2).shape == (1, 20, 22)
    assert "differ in size (4 x 6 to 20 x 22)" in images.notes[0]
    assert "6 x 8" in images.notes[0]
    assert read_images([np.ones((4, 4)), np.ones((6, 4))], size=(3, 5)).tensor().shape == (2, 1, 3, 5)
    high, wide = read_images([np.zeros((1000, 2000), bool), np.zeros((1002, 2000), bool)]).size
    assert high * wide <= MIXED_PIXELS * 1.01
    assert wide / high == pytest.approx(2, rel=0.02)


def test_resizing_weighs_areas() -> None:
    """To half the size a pixel becomes the triangle-weighted mean, so the mean of all is kept and stripes vanish."""
    stripes = np.tile([0.0, 1.0], (8, 8))[None]
    assert read_images(stripes, size=(4, 8)).tensor()[0, 0, :, 4].unique().numel() == 1
    inner = read_images(stripes, size=(4, 8)).tensor()[0, 0, :, 2:-2]
    assert torch.allclose(inner, torch.full_like(inner, 0.5), atol=0.13)
    X = np.random.default_rng(0).random((1, 16, 16))
    assert read_images(X, size=(4, 4)).tensor().mean().item() == pytest.approx(X.mean(), abs=0.02)


@pytest.mark.parametrize(("channels", "expected"), [(1, [76]), (3, [255, 0, 0]), (4, [255, 0, 0, 255])])
def test_channels_of_arrays(channels: int, expected: list[int]) -> None:
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert read_images(red, channels=channels).tensor()[0, :, 0, 0].tolist() == expected


def test_alpha_of_arrays_lies_on_white() -> None:
    half = np.array([[[[200, 100, 0, 51]]]], np.uint8)
    assert read_images(half).tensor().flatten().tolist() == [244, 224, 204]  # 0.2 c + 0.8 * 255
    assert read_images(half, channels=4).tensor().flatten().tolist() == [200, 100, 0, 51]
    assert read_images(half / 255).tensor().flatten().tolist() == pytest.approx([244 / 255, 224 / 255, 0.8])


def test_skipping_tells_which(photos: list[str], tmp_path: Path) -> None:
    Path(photos[1]).write_bytes(Path(photos[1]).read_bytes()[:45])  # header whole, body cut
    (tmp_path / "text.jpg").write_text("hello")
    given = [*photos, str(tmp_path / "text.jpg"), None]
    images = read_images(given, corrupt="skip")
    assert images.kept.tolist() == [0, 2, 3, 4]
    assert [name for name, _ in images.refused] == [given[5], "row 6", given[1]]
    assert "broken or cut off" in images.refused[2][1]
    assert "3 pictures" in images.notes[0]
    assert images.tensor()[:, 0, 0, 0].tolist() == [0, 20, 30, 40]
    with pytest.raises(DataError, match=r"text\.jpg.*2 of 7 pictures cannot be used; corrupt='skip'"):
        read_images(given)
    with pytest.raises(DataError, match=r"1\.png' is broken or cut off"):
        read_images(photos).tensor()
    with pytest.raises(DataError, match="2 of 2"):
        read_images(given[5:], corrupt="skip")


def test_arrays_with_nan_are_refused_or_skipped() -> None:
    X = np.random.default_rng(0).random((3, 4, 5))
    X[1, 2, 2] = np.nan
    with pytest.raises(DataError, match=r"picture 1 .*NaN or infinity.*1 of 3"):
        read_images(X)
    sound = read_images(X + 3, corrupt="skip")
    assert sound.kept.tolist() == [0, 2]
    assert sound.range == (np.nanmin(X[[0, 2]]) + 3, np.nanmax(X[[0, 2]]) + 3)
    assert read_images(list(X), corrupt="skip").n == 2
    with pytest.raises(DataError, match="infinity"):
        read_images(np.full((1, 2, 2), 1e200))  # not a float32


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (np.zeros((60000, 784), np.uint8), r"X\.reshape\(-1, 28, 28\)"),
        (np.zeros((480, 640)), r"X\[None\]"),
        (np.zeros((480, 640, 3)), r"one colour picture give X\[None\]"),
        (np.zeros((2, 3, 8, 8)), r"X\.transpose\(0, 2, 3, 1\)"),
        (np.zeros((2, 8, 8, 2)), "1, 3 or 4 channels"),
        (np.zeros((1, 2, 3, 4, 5)), "1, 3 or 4 channels"),
        (np.zeros(3), "1, 3 or 4 channels"),
        (np.zeros((0, 8, 8)), "got none"),
        (np.zeros((2, 0, 8)), "pixels are expected"),
        (np.zeros((2, 2, 2), complex), "complex128"),
        (np.zeros((2, 2, 2), object), "object"),
        (np.array([[["a"]]]), "<U1"),
        ([np.zeros((2, 2)), "a.png"], r"picture 1 .*is an array"),
        ([[[1, 2], [3]]], "different lengths"),
        ([], "got none"),
        ({}, "got dict"),
        (None, "got NoneType"),
        (7, "got int"),
        ("photos", "the one path 'photos'"),
        (Path("photos"), "the one path 'photos'"),
        (iter([]), "got list_iterator"),
    ],
)
def test_what_is_no_picture_gets_one_sentence(X, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_images(X)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"size": 5}, {"size": (0, 5)}, {"size": (5.0, 5)}, {"channels": 2}, {"corrupt": "skp"}]
)
def test_wrong_parameters(wrong: dict) -> None:
    with pytest.raises(ParameterError):
        read_images(np.zeros((1, 2, 2)), **wrong)


def test_spread_gives_the_first_error_in_order() -> None:
    def work(start: int, stop: int) -> int:
        if start >= 128:
            raise DataError(f"piece {start}")
        return stop - start

    assert spread(work, 100) == [64, 36]
    assert spread(work, 0) == []
    with pytest.raises(DataError, match="piece 128"):
        spread(work, 1000)


def test_no_filter_stays_behind(photos: list[str]) -> None:
    before = list(warnings.filters)
    images = read_images(photos)
    assert isinstance(images, Images)
    images.tensor(), images.picture(0)
    assert warnings.filters == before
