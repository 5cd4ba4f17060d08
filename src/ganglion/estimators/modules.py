"""Modules of the user's own inside an estimator, and how they find their way into a file and back."""

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.base.registry import lookup


def build_module(given: Any, n_features: int, n_outputs: int) -> nn.Module:
    """A module of one's own from an instance (copied), a class or function, or a registered name.

    A class or function is called with ``(n_features, n_outputs)``. Raises ``ParameterError`` for anything else.
    """
    if isinstance(given, nn.Module):
        return copy.deepcopy(given)
    maker = lookup("module", given) if isinstance(given, str) else given
    if not callable(maker):
        raise ParameterError(
            f"module must be an nn.Module, a class or function (n_features, n_outputs) -> module, or a registered "
            f"name; got {type(given).__name__}."
        )
    module = maker(n_features, n_outputs)
    if not isinstance(module, nn.Module):
        raise ParameterError(f"module={given!r} must give an nn.Module, got {type(module).__name__}.")
    return module


@torch.no_grad()
def tried(module: nn.Module, rows: np.ndarray, n_outputs: int) -> nn.Module:
    """The module, if it takes these rows (n, columns) and answers (n, n_outputs); raises ``ParameterError`` if not."""
    n, k = rows.shape
    like = next(module.parameters(), torch.empty(0))
    was_training = module.training
    module.eval()
    try:
        output = module(torch.as_tensor(rows, dtype=like.dtype, device=like.device))
    except Exception as error:  # whatever a module of the user's own may raise
        reason = str(error).split("\n")[0][:120]
        raise ParameterError(
            f"module must take rows of {k} numbers, (n, {k}) -> (n, {n_outputs}), and fails on them ({reason})."
        ) from error
    finally:
        module.train(was_training)
    shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
    if shape != (n, n_outputs):
        raise ParameterError(f"module must answer (n, {n_outputs}) for n rows, got {shape} for {n} rows.")
    return module
