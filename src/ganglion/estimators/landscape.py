"""``ganglion.landscape``: the loss around an estimator's or a module's weights, from raw rows."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.diagnose.landscape import Landscape
from ganglion.diagnose.landscape import landscape as slice_of
from ganglion.estimators.trace import CODED, as_input, check_taken, cost_of


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
        x: for an estimator raw rows or pictures as for ``predict``; for a module a tensor or array, or a tuple of
            several.
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
    else:
        check_taken("landscape", estimator_or_module)
        if loss is not None:
            raise ParameterError("an estimator's landscape is that of its own loss; leave loss out.")
        if y is None:
            raise ParameterError("an estimator's landscape needs the truth, got none; give y.")
        module = estimator_or_module.module_
        inputs, cost, _ = estimator_or_module._pass(x, y, torch.float32)
        inputs = inputs if len(inputs) > 1 else inputs[0]
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
