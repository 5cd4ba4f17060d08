"""Where a result comes from: a name for its data, and the versions that decide its numbers."""

import hashlib
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganglion.data.columns import Frame


def table_hash(frame: Frame, y: np.ndarray) -> str:
    """A short name for a table's content: SHA-256 over names, cells and target."""
    digest = hashlib.sha256("\x1f".join(frame.names).encode())
    for name in frame.names:
        column = frame.column(name)
        digest.update(column.tobytes() if column.dtype != object else "\x1f".join(map(str, column)).encode())
    digest.update(y.tobytes() if y.dtype != object else "\x1f".join(map(str, y)).encode())
    return digest.hexdigest()[:16]


def picture_hash(names: Sequence[str], paths: Sequence[str], labels: Sequence[Any]) -> str:
    """A short name for pictures and their labels: SHA-256 over names, labels and the bytes of the files."""
    digest = hashlib.sha256()
    for name, path, label in zip(names, paths, labels):
        digest.update(f"{name}\x1f{label}\x1f".encode(errors="surrogateescape"))
        with open(path, "rb", buffering=0) as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import sklearn
    import torch

    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
            "scikit-learn": sklearn.__version__}  # fmt: skip


def text_hash(*columns: Sequence[Any]) -> str:
    """A short name for columns of texts and what is to be told of them: SHA-256 over all cells."""
    digest = hashlib.sha256()
    for column in columns:
        digest.update(f"{len(column)}\x1e".encode())
        digest.update("\x1f".join(map(str, column)).encode(errors="surrogatepass"))
    return digest.hexdigest()[:16]
