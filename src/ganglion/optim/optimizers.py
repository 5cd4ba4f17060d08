"""Optimisers by name, over torch's own."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ganglion.base.errors import ParameterError, unknown_name

Maker = Callable[..., torch.optim.Optimizer]


def _sgd(groups: list[dict[str, Any]], lr: float, momentum: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=lr, momentum=momentum)


def _nesterov(groups: list[dict[str, Any]], lr: float, momentum: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0)


def _lbfgs(groups: list[dict[str, Any]], lr: float, momentum: float) -> torch.optim.Optimizer:
    params = [p for g in groups for p in g["params"]]
    if any(g["weight_decay"] for g in groups):
        raise ParameterError("optimizer 'lbfgs' has no weight decay; set weight_decay=0 or take 'adamw'.")
    return torch.optim.LBFGS(params, lr=lr, line_search_fn="strong_wolfe")


OPTIMIZERS: dict[str, Maker] = {
    "adamw": lambda groups, lr, momentum: torch.optim.AdamW(groups, lr=lr, betas=(momentum, ADAM_BETA2)),
    "adam": lambda groups, lr, momentum: torch.optim.Adam(groups, lr=lr, betas=(momentum, ADAM_BETA2)),
    "sgd": _sgd,
    "nesterov": _nesterov,
    "rmsprop": lambda groups, lr, momentum: torch.optim.RMSprop(groups, lr=lr),
    "adagrad": lambda groups, lr, momentum: torch.optim.Adagrad(groups, lr=lr),
    "adadelta": lambda groups, lr, momentum: torch.optim.Adadelta(groups, lr=lr),
    "nadam": lambda groups, lr, momentum: torch.optim.NAdam(groups, lr=lr, decoupled_weight_decay=True),
    "lbfgs": _lbfgs,
}
ADAM_BETA2 = 0.95  # reacts sooner than 0.999 when a run is a few thousand steps


def make_optimizer(
    name: str, module: nn.Module, lr: float, weight_decay: float = 0.0, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """The named optimiser over a module; weights are decayed, biases and norms are not.

    Arguments:
        name: a key of ``OPTIMIZERS``.
        lr: step size.
        weight_decay: decoupled for ``adamw`` and ``nadam``, else an L2 term in the gradient.
        momentum: of ``sgd`` and ``nesterov``; beta_1 of ``adam`` and ``adamw``.

    Raises ``ParameterError`` for an unknown name.

    >>> type(make_optimizer("sgd", nn.Linear(2, 1), 0.1)).__name__
    'SGD'
    """
    if name not in OPTIMIZERS:
        raise ParameterError(unknown_name("optimizer", name, list(OPTIMIZERS)))
    params = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in params if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in params if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return OPTIMIZERS[name]([g for g in groups if g["params"]], lr, momentum)
