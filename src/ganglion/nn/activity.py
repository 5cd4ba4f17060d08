"""How active the hidden units of a network are, for a penalty that makes activations (not weights) sparse."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ganglion.nn.activations import ACTIVATIONS

TYPES = tuple({type(make().module()) for make in ACTIVATIONS.values()})


def activations_of(model: nn.Module) -> list[nn.Module]:
    """The modules of a network that are activations.

    >>> activations_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    [ReLU()]
    """
    return [m for m in model.modules() if isinstance(m, TYPES)]


@contextmanager
def hidden_values(model: nn.Module) -> Iterator[list[Tensor]]:
    """Inside the block, what every activation gives, with its gradient; the list fills as the network computes."""
    values: list[Tensor] = []
    handles = [
        m.register_forward_hook(lambda _m, _inputs, out: values.append(out)) for m in activations_of(model)
    ]
    try:
        yield values
    finally:
        for handle in handles:
            handle.remove()


def mean_size(values: list[Tensor]) -> Tensor:
    """The mean absolute value over all units of all layers, for each example (n,), of values (n, ...).

    Its weight in the loss is the penalty of a sparse code (Olshausen and Field 1996).

    >>> mean_size([torch.tensor([[1.0, -3.0]]), torch.tensor([[0.0, 0.0]])])
    tensor([1.])
    """
    return torch.cat([v.flatten(1) for v in values], 1).abs().mean(1)
