"""Where a result comes from: a name for its data, and the versions that decide its numbers."""

import hashlib
import platform

import numpy as np

from ganglion.data.columns import Frame


def data_hash(frame: Frame, y: np.ndarray) -> str:
    """A short name for a table's content: SHA-256 over names, cells and target."""
    digest = hashlib.sha256("\x1f".join(frame.names).encode())
    for name in frame.names:
        column = frame.column(name)
        digest.update(column.tobytes() if column.dtype != object else "\x1f".join(map(str, column)).encode())
    digest.update(y.tobytes() if y.dtype != object else "\x1f".join(map(str, y)).encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    import sklearn
    import torch

    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__,
            "scikit-learn": sklearn.__version__}  # fmt: skip
