"""``ganglion.trace``: one forward and one backward pass of an estimator or a module laid open."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.diagnose.tracing import Trace, traced
from ganglion.diagnose.tracing.nest import every
from ganglion.estimators.supervised import SupervisedLearner
from ganglion.objectives.losses import CLASS_LOSSES, loss_named

CODED = (nn.Embedding, nn.EmbeddingBag)


def trace(estimator_or_module: Any, x: Any, y: Any = None, loss: Any = None) -> Trace:
    """Lay one forward and one backward pass open: every operation, what arrives, the local derivative, what leaves.

    The chain rule as a table: ``dL/d(input) = dL/d(output) x local derivative`` for each operation between the
    input and the loss, by formulas of our own, summed where ways meet; its products are compared with autograd's
    gradients (``deviation``). Recurrent layers are taken apart into their steps of time. Nothing is changed: no
    weight, gradient, buffer, mode, hook or random state (Rumelhart et al. 1986; Baydin et al. 2018,
    arXiv:1502.05767).

    Arguments:
        estimator_or_module: a fitted estimator, traced in double precision, in evaluation mode, with its
            preprocessing, its loss and its scaling of the target; or any ``nn.Module`` as it stands.
        x: for an estimator raw rows or pictures as for ``predict``; for a module a tensor or array, or a tuple
            of several, which get the type of its parameters (whole numbers stay codes where it has an embedding).
        y: the truth; without it the sum of the outputs takes the place of the loss.
        loss: a name in ``objectives.losses``, averaged over the rows, or a function ``(output, y)``, without
            y ``(output)``, of one number or one per row. A name takes the first of several outputs. An estimator
            has its own.

    Returns a ``Trace``: ``print(trace)`` shows it, ``trace.layers`` and ``trace.rows`` hold the numbers,
    ``trace.neurons()`` every unit of a small dense network, ``plot.plot_trace(trace)`` draws it.
    Raises ``ParameterError`` or ``DataError``.

    >>> double = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(double.weight, 2.0)
    >>> found = trace(double, [[3.0]], [[5.0]], loss="squared_error")
    >>> found.loss, found.gradients["weight"].tolist(), found.input_gradients[0].tolist()
    (1.0, [[6.0]], [[4.0]])
    """
    if isinstance(estimator_or_module, nn.Module):
        return of_module(estimator_or_module, x, y, loss)
    check_taken("trace", estimator_or_module)
    if loss is not None:
        raise ParameterError(
            "an estimator is traced with its own loss; leave loss out, or trace estimator.module_."
        )
    of_rows = estimator_or_module._pass(x, y, torch.float64)
    module = copy.deepcopy(estimator_or_module.module_).double().eval()
    return traced(module, of_rows.inputs, of_rows.cost or summed, of_rows.words)


def check_taken(what: str, estimator: Any) -> None:
    """Refuse what is no network whose answer is compared with a target, with what to give instead."""
    if isinstance(estimator, SupervisedLearner):
        return
    instead = "; fit an MLPClassifier, an MLPRegressor or a CNNClassifier, or give the module"
    if hasattr(estimator, "module_"):
        instead = ", which compares no answer with one target a row; give its module_ and a loss of your own"
    raise ParameterError(
        f"{what} takes a fitted network or an nn.Module, got {type(estimator).__name__}{instead}."
    )


def of_module(module: nn.Module, x: Any, y: Any, loss: Any) -> Trace:
    """The pass of a module as it stands."""
    like = next((p for p in module.parameters() if p.is_floating_point()), torch.empty(0))
    coded = any(isinstance(m, CODED) for m in module.modules())
    given = x if isinstance(x, tuple) else (x,)
    inputs = tuple(as_input(part, like, coded) for part in given)
    if loss is None:
        if y is not None:
            raise ParameterError("y needs a loss to be compared by; give loss=, such as 'squared_error'.")
        return traced(module, inputs, summed, "sum of the outputs, no loss was given")
    if not isinstance(loss, str) and not callable(loss):
        raise ParameterError(f"loss must be a name or a function, got {type(loss).__name__}.")
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return traced(module, inputs, cost_of(loss, y, like), name)


def cost_of(loss: Any, y: Any, like: Tensor) -> Callable[[Any], Tensor]:
    """One number from a module's output, by a loss's name or function."""
    if not isinstance(loss, str):
        if y is None:
            return lambda output: averaged(loss(output))
        truth = y if isinstance(y, Tensor) else torch.as_tensor(np.asarray(y), device=like.device)
        truth = truth.to(like.dtype) if truth.is_floating_point() else truth
        return lambda output: averaged(loss(output, truth))
    if y is None:
        raise ParameterError(f"the loss {loss!r} compares with a truth; give y.")
    value = loss_named(loss).value
    dtype = torch.int64 if loss in CLASS_LOSSES else like.dtype
    goal = torch.as_tensor(y if isinstance(y, Tensor) else np.asarray(y), dtype=dtype, device=like.device)

    def cost(output: Any) -> Tensor:
        first = next(every(output, Tensor))
        if dtype != torch.int64 and goal.shape != first.shape:
            raise DataError(f"y must be {tuple(first.shape)} as the output is, got {tuple(goal.shape)}.")
        return value(first, goal).mean()

    return cost


def as_input(part: Any, like: Tensor, coded: bool) -> Tensor:
    """One input as a tensor where the module computes; raises ``DataError`` for what holds no numbers."""
    try:
        tensor = part if isinstance(part, Tensor) else torch.as_tensor(np.asarray(part))
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"x must hold numbers, got {type(part).__name__}; give a tensor or an array."
        ) from error
    if coded and not tensor.is_floating_point():
        return tensor.to(like.device)
    return tensor.to(like.device, like.dtype)


def averaged(value: Any) -> Any:
    """A loss of one number, or the mean of one per row."""
    return value.mean() if isinstance(value, Tensor) and value.dim() == 1 else value


def summed(output: Any) -> Tensor:
    """The sum of all outputs of floating-point numbers."""
    parts = [part.sum() for part in every(output, Tensor) if part.is_floating_point()]
    return sum(parts[1:], parts[0])
