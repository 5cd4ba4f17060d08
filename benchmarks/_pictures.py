"""The picture sets for measuring, read from where ``GANGLION_DATA`` says."""

import gzip
from pathlib import Path

import numpy as np
from _shared import data_folder


def idx(path: Path) -> np.ndarray:
    """An array in the IDX format of MNIST and its kin."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    sides = content[3]
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(sides)]
    return np.frombuffer(content, np.uint8, offset=4 + 4 * sides).reshape(shape)


def four_files(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures and labels for training, and those of the test."""
    files = sorted((data_folder() / name).iterdir())
    found = [
        next(f for f in files if word in f.name)
        for word in ("train-images", "train-labels", "t10k-i", "t10k-l")
    ]
    return tuple(map(idx, found))  # type: ignore[return-value]


def fashion_mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """60,000 and 10,000 grey pictures of clothes, 28 x 28, in ten classes."""
    return four_files("fashion_mnist")


def mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """60,000 and 10,000 grey pictures of digits, 28 x 28."""
    return four_files("mnist")
