"""``ganglion.landscape``: the loss around an estimator's or a module's weights, from raw rows."""

from collections.abc import Sequence
from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.diagnose.landscape import Landscape
from ganglion.diagnose.landscape import landscape as slice_of
from ganglion.estimators.network import DenseNetwork
from ganglion.estimators.table import read_rows, read_weight
from ganglion.estimators.trace import CODED, as_input, cost_of


def landscape(
    estimator_or_module: Any,
    x: Any,
    y: Any,
    loss: Any = None,
    *,
    dims: int = 2,
    size: int = 51,
    span: float = 1.0,
    directions: str = "filter",
    path: Sequence[dict[str, torch.Tensor]] = (),
    seed: int = 0,
    curvature: bool = True,
) -> Landscape:
    """The loss on a line or a plane through a network's weights; nothing of the network changes.

    See ``diagnose.landscape.landscape`` for the directions (Li et al. 2018, arXiv:1712.09913), the path and what
    comes back; ``plot.plot_landscape`` draws it.

    Arguments:
        estimator_or_module: a fitted estimator, with its preprocessing and its loss; or any ``nn.Module``.
        x: for an estimator raw rows as for ``predict``; for a module a tensor or array, or a tuple of several.
        y: the truth.
        loss: for a module, a name in ``objectives.losses`` or a function ``(output, y)`` of one number or one per
            row. An estimator has its own.
        dims, size, span, directions, path, seed, curvature: as there.

    Raises ``ParameterError`` or ``DataError``.

    >>> line = nn.Linear(1, 1)
    >>> found = landscape(line, [[1.0], [2.0]], [[2.0], [4.0]], "squared_error", size=5)
    >>> len(found.loss), len(found.loss[0])
    (5, 5)
    """
    if isinstance(estimator_or_module, nn.Module):
        module = estimator_or_module
        if loss is None:
            raise ParameterError("a module's landscape needs a loss; give loss=, such as 'cross_entropy'.")
        like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
        coded = any(isinstance(m, CODED) for m in module.modules())
        parts = tuple(as_input(part, like, coded) for part in (x if isinstance(x, tuple) else (x,)))
        inputs: Any = parts if isinstance(x, tuple) else parts[0]
        cost = cost_of(loss, y, like)
    elif isinstance(estimator_or_module, DenseNetwork):
        if loss is not None:
            raise ParameterError("an estimator's landscape is that of its own loss; leave loss out.")
        inputs, cost = _of_estimator(estimator_or_module, x, y)
        module = estimator_or_module.module_
    else:
        raise ParameterError(
            f"landscape takes a fitted network or an nn.Module, got {type(estimator_or_module).__name__}; fit an "
            "MLPClassifier or MLPRegressor, or give the module."
        )
    return slice_of(
        module,
        inputs,
        cost,
        dims=dims,
        size=size,
        span=span,
        directions=directions,
        path=path,
        seed=seed,
        curvature=curvature,
    )


def _of_estimator(estimator: DenseNetwork, x: Any, y: Any) -> tuple[Any, Any]:
    """A fitted estimator's matrix and the cost of its module's outputs, from raw rows."""
    check_is_fitted(estimator, ["module_"])
    rows = read_rows(estimator, x, reset=False)
    n = rows.shape[0]
    target = estimator._read_target(y, read_weight(None, rows, n), classes=None, keep=True)
    if len(target) != n:
        raise DataError(f"x and y must have the same number of rows, got {n} and {len(target)}.")
    goal = estimator._goal(target)
    truth = torch.as_tensor(goal, dtype=torch.int64 if goal.dtype.kind in "iu" else torch.float32)
    value = estimator._loss(smooth=True).value
    inputs = torch.as_tensor(estimator._matrix(rows), dtype=torch.float32)
    return inputs, lambda output: value(output, truth).mean()
