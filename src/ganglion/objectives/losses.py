"""Losses by name, with their numbers in brackets: ``"huber(2)"``, ``"quantile(0.9)"``, ``"focal(2)"``."""

from collections.abc import Callable
from functools import partial
from typing import Any

from ganglion.base.named import named
from ganglion.objectives.class_losses import binary_cross_entropy, cross_entropy, focal, hinge, kl
from ganglion.objectives.embedding_losses import cosine, info_nce, triplet
from ganglion.objectives.loss import Loss
from ganglion.objectives.sequence_losses import ctc
from ganglion.objectives.value_losses import (
    absolute,
    gaussian_nll,
    huber,
    log_cosh,
    poisson,
    quantile,
    squared,
)

__all__ = ["CLASS_LOSSES", "OTHER_LOSSES", "VALUE_LOSSES", "Loss", "loss_named"]

CLASS_LOSSES: dict[str, Callable[..., Loss]] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "focal": focal,
    "hinge": hinge,
}
VALUE_LOSSES: dict[str, Callable[..., Loss]] = {
    "squared_error": squared,
    "mse": squared,
    "absolute_error": absolute,
    "mae": absolute,
    "huber": huber,
    "quantile": quantile,
    "log_cosh": log_cosh,
    "gaussian_nll": gaussian_nll,
    "poisson": poisson,
}
OTHER_LOSSES: dict[str, Callable[..., Loss]] = {
    "kl": kl,
    "ctc": ctc,
    "cosine": cosine,
    "triplet": triplet,
    "info_nce": info_nce,
}


def loss_named(text: str, **options: Any) -> Loss:
    """The loss that a text names; ``options`` are arguments that do not stand in the text.

    Raises ``ParameterError`` for an unknown name, with the nearest known one, and for arguments that the loss
    does not take.

    >>> import torch
    >>> loss_named("huber(2)").value(torch.tensor([[5.0]]), torch.zeros(1, 1))
    tensor([8.])
    """
    table = CLASS_LOSSES | VALUE_LOSSES | OTHER_LOSSES
    return named("loss", text, {name: partial(make, **options) for name, make in table.items()})
