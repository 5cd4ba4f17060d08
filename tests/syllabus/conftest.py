"""Data and small helpers that several concepts share."""

import gzip
import importlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

from ganglion import MLPClassifier

DATA = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(autouse=True)
def _one_thread_and_one_seed():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def benchmark(monkeypatch):
    """A function from the name of a script in ``benchmarks/`` to its module, for the data that it makes."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "benchmarks")
    return importlib.import_module


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def digits():
    """1,797 pictures of 8 x 8: rows to train on, a held-out quarter, and the labels of both."""
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, test_size=0.25, random_state=0, stratify=y)


@pytest.fixture(scope="session")
def digit_net(digits):
    """Two hidden layers of 128, trained on the digits."""
    net = MLPClassifier(hidden_layer_sizes=(128, 128), preprocess="none", validation_fraction=0, lr=3e-3)
    return net.set_params(max_epochs=30).fit(digits[0], digits[2])


@pytest.fixture(scope="session")
def cancer():
    """569 rows of 30 columns on very different scales, two classes."""
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="session")
def measuring():
    """A function from the parts of a path to that of a file or folder of the measuring data; it skips without it."""

    def path(*parts: str) -> Path:
        found = DATA.joinpath(*parts)
        if not found.exists():
            pytest.skip(
                f"{'/'.join(parts)} is not here: set GANGLION_DATA to the folder of the measuring data"
            )
        return found

    return path


@pytest.fixture(scope="session")
def real_table(measuring):
    """A function from a name to a real table as pandas reads it; it skips the test where there is none."""
    pandas = pytest.importorskip("pandas")

    def read(name: str):
        return pandas.read_csv(measuring("tables", f"{name}.csv.gz"))

    return read


@pytest.fixture(scope="session")
def mnist(measuring):
    """Pictures (n, 784) in [0, 1] and labels, of the training and of the test part."""
    parts = []
    for part in ("train", "t10k"):
        for kind, head in (("images-idx3", 16), ("labels-idx1", 8)):
            path = measuring("mnist", f"{part}-{kind}-ubyte.gz")
            raw = np.frombuffer(gzip.decompress(path.read_bytes())[head:], np.uint8)
            parts.append(raw.reshape(-1, 784) / np.float32(255) if head == 16 else raw.astype(int))
    return parts


@pytest.fixture(scope="session")
def central():
    """Central differences of a function of one float64 array, entry by entry."""

    def differences(function, x: np.ndarray, h: float = 1e-6) -> np.ndarray:
        slope = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            up, down = x.copy(), x.copy()
            up[i] += h
            down[i] -= h
            slope[i] = (function(up) - function(down)) / (2 * h)
        return slope

    return differences
