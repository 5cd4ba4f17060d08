"""The linear model of pixels against scikit-learn, its columns against the named filters."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from ganglion.data.filters import filter_image
from ganglion.diagnose import pixels
from ganglion.diagnose.pixels import COLUMNS, linear_masks, pixel_columns


@pytest.fixture
def scenes():
    rng = np.random.default_rng(0)
    pictures = [rng.random((2, 12, 15)), rng.random((2, 9, 11))]
    return pictures, [rng.integers(-1, 3, p.shape[1:]) for p in pictures]


def test_columns_are_levels_blurs_and_slopes(scenes):
    picture = scenes[0][0]
    columns = pixel_columns(picture).reshape(12, 15, -1)
    assert columns.shape[2] == 2 * COLUMNS
    assert np.array_equal(columns[..., 0], picture[0])
    assert np.array_equal(columns[..., COLUMNS], picture[1])
    inside = (slice(6, -6), slice(6, -6))  # of the border, about which the two may differ
    slope = np.hypot(*(np.asarray(filter_image(picture[0], f"sobel_{axis}")) for axis in "xy"))
    assert np.allclose(columns[..., 1][1:-1, 1:-1], slope[1:-1, 1:-1], atol=1e-5)
    blur = np.asarray(filter_image(picture[0], "gaussian(1)"))
    assert np.allclose(columns[..., 2][inside], blur[inside], atol=1e-5)


def test_answers_are_those_of_ridge_regression(scenes, monkeypatch):
    pictures, masks = scenes
    monkeypatch.setattr(pixels, "PIXELS", 10_000)  # all of them
    A = np.concatenate([pixel_columns(p)[m.ravel() >= 0] for p, m in zip(pictures, masks)])
    y = np.concatenate([m[m >= 0] for m in masks])
    mean, std = A.mean(0), A.std(0)
    model = Ridge(alpha=1.0).fit((A - mean) / std, np.eye(3)[y])
    said = linear_masks(pictures, masks, pictures, 3)
    for picture, mask in zip(pictures, said):
        wanted = model.predict((pixel_columns(picture) - mean) / std).argmax(1)
        assert (mask.ravel() == wanted).all()
