"""Five data sets for modules: images, two kinds of series, two tables; rows to learn from and to judge by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from sklearn import datasets

DATA = ("digits", "waves", "forecast", "friedman", "table")
# what each architecture can take
TAKES = {
    "dense": DATA,
    "deep": DATA,
    "residual": DATA,
    "conv": ("digits", "waves", "forecast"),
    "recurrent": ("digits", "waves", "forecast"),
}
# channels, steps: for convolutions, and for recurrent layers, which get several values a step
SHAPES = (
    {"digits": (8, 8), "waves": (1, 24), "forecast": (1, 16)},
    {"digits": (8, 8), "waves": (4, 6), "forecast": (2, 8)},
)
TEST = 500


@dataclass
class Rows:
    """Rows to learn from, and rows of the same kind that nothing is done to."""

    X: NDArray
    y: NDArray
    X_test: NDArray
    y_test: NDArray
    regression: bool


def load(name: str, n: int, rng: np.random.Generator) -> Rows:
    """n rows and ``TEST`` more of a data set."""
    seed = int(rng.integers(2**31))
    total = n + TEST
    regression = name in ("forecast", "friedman")
    if name == "digits":
        X, y = datasets.load_digits(return_X_y=True)
        X = X + rng.normal(
            0, 0.5, X.shape
        )  # some pixels never change, and columns without change are left out
    elif name == "waves":
        X, y = waves(total, rng)
    elif name == "forecast":
        X, y = forecast(total, rng)
    elif name == "friedman":
        noise = float(rng.choice([0.3, 1.0, 2.0]))
        X, y = datasets.make_friedman1(total, 10, noise=noise, random_state=seed)
    else:
        flip = float(rng.choice([0.0, 0.02]))
        X, y = datasets.make_classification(
            total, 16, n_informative=6, n_redundant=3, n_clusters_per_class=2,
            class_sep=float(rng.uniform(1.0, 1.8)), flip_y=flip, random_state=seed,
        )  # fmt: skip
    order = rng.permutation(len(X))
    X, y = X[order[:total]], y[order[:total]]
    return Rows(X[:n], y[:n], X[n:total], y[n:total], regression)


def waves(n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Four classes of series of 24 steps: slow and fast sines, saw teeth and pulses, of any phase, with noise."""
    y = rng.integers(0, 4, n)
    t = np.arange(24)[None] + rng.uniform(0, 24, (n, 1))
    period = np.where(y == 1, 5.0, 12.0)[:, None] * rng.uniform(0.9, 1.1, (n, 1))
    phase = (t / period) % 1.0
    shapes = [np.sin(2 * np.pi * phase)] * 2 + [2 * phase - 1, np.where(phase < 0.25, 1.5, -0.5)]
    clean = np.choose(y[:, None], shapes)
    size = rng.uniform(0.7, 1.4, (n, 1))
    return size * clean + rng.normal(0, float(rng.uniform(0.15, 0.35)), (n, 24)), y


def forecast(n: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """The value after 16 steps of an oscillating autoregression, with a bend in it."""
    a, noise = float(rng.uniform(1.5, 1.75)), float(rng.uniform(0.2, 0.4))
    paths = lfilter([1.0], [1.0, -a, 0.9], rng.normal(size=(n, 80)), axis=1)[:, -17:]
    paths = np.tanh(paths / paths.std())
    return paths[:, :16], paths[:, 16] + noise * 0.3 * rng.normal(size=n)
