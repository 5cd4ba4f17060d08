"""Labels and probabilities in one form: codes 0..k-1 and a matrix with a column per class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganglion.base.errors import DataError


def label_codes(y: ArrayLike, classes: Sequence[Any] | NDArray) -> NDArray[np.intp]:
    """The position of every label in ``classes``; -1 for a label that is not among them.

    Arguments: ``y`` labels ``(n,)``; ``classes`` the known labels, ``k`` of them.

    >>> label_codes(["b", "a", "z"], ["a", "b"]).tolist()
    [1, 0, -1]
    """
    place = {label: code for code, label in enumerate(np.asarray(classes).tolist())}
    labels = np.asarray(y)
    if labels.ndim != 1:
        raise DataError(f"labels must be one column, got shape {labels.shape}: give one label per row.")
    return np.array([place.get(label, -1) for label in labels.tolist()], dtype=np.intp)


def probability_matrix(proba: ArrayLike, n_classes: int) -> NDArray[np.float64]:
    """Probabilities ``(n, k)`` whose rows sum to one; two classes may come as one column.

    Raises ``DataError`` for a wrong number of columns, negative values or values that are not finite.

    >>> probability_matrix([0.25, 1.0], 2).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    matrix = np.asarray(proba, dtype=np.float64)
    if n_classes == 2 and (matrix.ndim == 1 or matrix.shape[1:] == (1,)):
        positive = matrix.reshape(-1)
        matrix = np.column_stack([1.0 - positive, positive])
    if matrix.ndim != 2 or matrix.shape[1] != n_classes:
        raise DataError(
            f"probabilities must have shape (n, {n_classes}), got {matrix.shape}: give a column per class."
        )
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise DataError("probabilities must be finite and not negative: apply softmax to the outputs first.")
    # float32 rows miss one by 1e-7, which scikit-learn answers with a warning.
    total = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, total, out=np.full_like(matrix, 1.0 / n_classes), where=total > 0)
