"""Modules of the user's own inside an estimator, and how they find their way into a file and back."""

import copy
from typing import Any

from torch import nn

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
