"""Deep stacks of equal layers, and how signals go through them: values forwards, gradients backwards."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganglion.nn.activations import activation_named
from ganglion.nn.init import initialise
from ganglion.nn.norms import norm_named


class Residual(nn.Module):
    """A block and its input: ``x + f(x)`` (He et al. 2016, arXiv:1512.03385)."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) -> (n, width)."""
        return x + self.block(x)


def stack(
    depth: int, width: int, activation: str, init: str, *, norm: str | None = None, skip: bool = False
) -> list[nn.Module]:
    """Blocks of a dense layer, perhaps a normalisation, and an activation, in double precision.

    Arguments: ``activation``, ``init`` and ``norm`` are names as in the estimators; every bias starts at 0; ``skip``
    adds each block's input to its output.

    >>> len(stack(3, 8, "relu", "he"))
    3
    """
    made = norm_named(norm)
    blocks: list[nn.Module] = []
    for _ in range(depth):
        after = [made.after(width, 0)] if made.after else []
        block = nn.Sequential(nn.Linear(width, width), *after, activation_named(activation).module())
        initialise(block, init)
        blocks.append((Residual(block) if skip else block).double())
    return blocks


def rows(n: int, width: int) -> Tensor:
    """Standard normal rows (n, width) in double precision."""
    return torch.randn(n, width, dtype=torch.float64)


class Signals(NamedTuple):
    """Per block what it hands on and what comes back; index 0 is the stack's input."""

    std: list[float]
    """Standard deviation of the values before and after each block."""
    gradient: list[float]
    """Norm of the gradient at the same places."""

    @property
    def ratio(self) -> float:
        """log10 of the gradient's norm at the stack's input over that at its output; below 0 it shrinks."""
        first, last = self.gradient[0], self.gradient[-1]
        return math.log10(max(first, 1e-300) / last)


def signals(blocks: Sequence[nn.Module], x: Tensor, each: Callable[[Tensor], None] | None = None) -> Signals:
    """Send rows x (n, width) forwards and a random gradient backwards; ``each`` looks at what each block gives."""
    values = [x.detach().clone().requires_grad_()]
    for block in blocks:
        values.append(block(values[-1]))
        values[-1].retain_grad()
        if each is not None:
            each(values[-1].detach())
    values[-1].backward(torch.randn_like(values[-1]))
    return Signals([float(h.detach().std()) for h in values], [float(h.grad.norm()) for h in values])  # type: ignore[union-attr]
