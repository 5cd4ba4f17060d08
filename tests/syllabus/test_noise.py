"""What a network can say about the noise of its data."""

import numpy as np
import pytest

from ganglion import MLPRegressor

SETTINGS = {"hidden_layer_sizes": (64, 64), "dropout": 0.0, "bins": 0, "lr": 3e-3, "early_stopping": False}
GRID = np.linspace(-1.8, 1.8, 37)


def noise(x):
    """From 0.1 on the left to 0.5 on the right."""
    return 0.1 + 0.4 / (1 + np.exp(-3 * x))


def learned(n, epochs, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, n)
    y = 1000 * (np.sin(2 * x) + noise(x) * rng.normal(size=n))  # in a unit of its own
    net = MLPRegressor(loss="gaussian_nll", max_epochs=epochs, random_state=seed, **SETTINGS)
    mean, spread = net.fit(x[:, None], y).predict(GRID[:, None], return_std=True)
    assert np.sqrt(np.mean((mean / 1000 - np.sin(2 * GRID)) ** 2)) < 0.1
    return spread / 1000


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_aleatoric_uncertainty(seed):
    """Learned noise within 15 % of the true one at every place, and at most 10 % apart with 16 times the data."""
    few, many = learned(4000, 30, seed), learned(64_000, 5, seed)
    assert np.abs(few / noise(GRID) - 1).max() < 0.15
    assert np.abs(many / noise(GRID) - 1).max() < 0.15
    assert np.abs(many / few - 1).max() < 0.10


def test_bad_rows_are_not_given_up_as_noise():
    """The likelihood's own slope calls a hard part of the curve noise; scaled by the spread it learns the curve."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 12, 1000)
    y = x * np.sin(x) + 0.05 * rng.normal(size=1000)
    off = {}
    for text in ("gaussian_nll(0)", "gaussian_nll"):
        net = MLPRegressor(loss=text, max_epochs=60, **SETTINGS).fit(x[:, None], y)
        grid = np.linspace(0.2, 11.8, 400)
        off[text] = np.sqrt(np.mean((net.predict(grid[:, None]) - grid * np.sin(grid)) ** 2))
    assert off["gaussian_nll"] < 0.2
    assert off["gaussian_nll(0)"] > 4 * off["gaussian_nll"]
