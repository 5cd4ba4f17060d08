"""Named kernels against scipy.ndimage and published entries."""

import numpy as np
import pytest
from scipy import ndimage

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.filters import EDGES, FILTERS, filter_image, kernel_named

SCIPY = {name: name for name in EDGES} | {"zero": "constant"}


@pytest.fixture
def picture():
    return np.random.default_rng(0).normal(size=(17, 23))


@pytest.mark.parametrize("edges", EDGES)
def test_slopes_and_blurs_are_those_of_scipy(picture, edges):
    mode = SCIPY[edges]
    for name, expected in {
        "sobel_x": ndimage.sobel(picture, 1, mode=mode),
        "sobel_y": ndimage.sobel(picture, 0, mode=mode),
        "prewitt_x": ndimage.prewitt(picture, 1, mode=mode),
        "prewitt_y": ndimage.prewitt(picture, 0, mode=mode),
        "edge": ndimage.generic_gradient_magnitude(picture, ndimage.sobel, mode=mode),
        "laplacian": ndimage.laplace(picture, mode=mode),
        "gaussian(1.5)": ndimage.gaussian_filter(picture, 1.5, mode=mode),
        "gaussian(3)": ndimage.gaussian_filter(picture, 3, mode=mode),
        "box(5)": ndimage.uniform_filter(picture, 5, mode=mode),
        "sharpen": picture - ndimage.laplace(picture, mode=mode),
        "outline": 9 * (picture - ndimage.uniform_filter(picture, 3, mode=mode)),
        "box(4)": ndimage.uniform_filter(picture, 4, mode=mode, origin=-1),
    }.items():
        np.testing.assert_allclose(
            filter_image(picture, name, edges), expected, rtol=0, atol=1e-12, err_msg=name
        )


def test_own_kernels_of_any_size_are_correlated(picture):
    for shape in ((3, 3), (1, 5), (4, 2), (7, 6), (40, 3)):
        kernel = np.random.default_rng(1).normal(size=shape)
        origin = [(n - 1) // 2 - n // 2 for n in shape]  # scipy's middle of an even kernel is one further
        expected = ndimage.correlate(picture, kernel, mode="mirror", origin=origin)
        np.testing.assert_allclose(filter_image(picture, kernel, "mirror"), expected, rtol=0, atol=1e-12)


def test_scharr_and_emboss_have_the_published_entries():
    assert kernel_named("scharr_x").tolist() == [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]]
    assert kernel_named("scharr_y").tolist() == [[-3, -10, -3], [0, 0, 0], [3, 10, 3]]
    assert kernel_named("emboss").tolist() == [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]


def test_sums_say_what_a_plain_surface_becomes():
    """Slopes and stripes make it 0, means and sharpening leave it as it is."""
    plain = np.full((9, 9), 7.0)
    kept = {"sharpen", "emboss", "box", "gaussian"}
    for name in FILTERS:
        expected = plain if name in kept else 0 * plain
        np.testing.assert_allclose(filter_image(plain, name), expected, atol=1e-12, err_msg=name)


def test_a_gabor_kernel_finds_its_stripes():
    """The formula at some places, and the largest answer to stripes of its own width and direction."""
    y, x = np.mgrid[:64, :64]
    for angle in (0, 45, 90, 150):
        u = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
        stripes = np.cos(2 * np.pi * u / 8)
        answers = {
            (wave, turn): filter_image(stripes, f"gabor({wave}, {turn})")[20:44, 20:44].std()
            for wave in (4, 8, 16) for turn in (0, 45, 90, 150)
        }  # fmt: skip
        assert max(answers, key=answers.get) == (8, angle)
    kernel = kernel_named("gabor(8, 0, 2, 90)")  # odd, so its mean is 0 already
    bell = np.exp(-0.5 * (np.mgrid[-6:7, -6:7] ** 2).sum(0) / 4)
    assert kernel.shape == (13, 13)
    assert kernel[6, 8] == pytest.approx(-np.exp(-0.5) / bell.sum())
    assert kernel[8, 6] == pytest.approx(0, abs=1e-12)


def test_shapes_and_kinds():
    """Every channel and picture by itself; 8-bit numbers do not overflow."""
    batch = np.random.default_rng(0).integers(0, 256, (3, 8, 9, 4), dtype=np.uint8)
    for name in ("sobel_x", "edge", "gaussian"):
        found = filter_image(batch, name)
        assert found.dtype == np.float64
        for i in range(3):
            np.testing.assert_array_equal(found[i], filter_image(batch[i], name))
            for c in range(4):
                np.testing.assert_array_equal(found[i, ..., c], filter_image(batch[i, ..., c], name))
    assert filter_image(batch[0, ..., 0], "sobel_x").min() < 0
    assert filter_image(np.eye(5, dtype=bool), "box")[2, 2] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("image", "kernel", "edges", "words"),
    [
        (np.eye(3), "sobelx", "reflect", "did you mean 'sobel_x'"),
        (np.eye(3), "gaussian(0)", "reflect", "std"),
        (np.eye(3), "box(1.5)", "reflect", "size"),
        (np.eye(3), "gabor(-2)", "reflect", "wavelength"),
        (np.eye(3), np.zeros(3), "reflect", r"\(kh, kw\)"),
        (np.eye(3), np.full((1, 1), np.nan), "reflect", "a kernel must be finite"),
        (np.eye(3), [["a"]], "reflect", "a kernel must be an array of real numbers"),
        (np.eye(3), "box", "reflected", "did you mean 'reflect'"),
    ],
)
def test_other_kernels_are_refused(image, kernel, edges, words):
    with pytest.raises(ParameterError, match=words):
        filter_image(image, kernel, edges)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros(3), r"got \(3,\)"),
        (np.zeros((5, 28, 28)), r"pictures\[..., None\]"),
        (np.zeros((0, 3)), r"\(0, 3\)"),
        (np.array([[np.inf]]), "a picture must be finite"),
        ("photo.png", "got str"),
        ([[1], [2, 3]], "real numbers"),
        (np.zeros((2, 2), complex), "real numbers"),
    ],
)
def test_other_pictures_are_refused(image, words):
    with pytest.raises(DataError, match=words):
        filter_image(image, "box")
