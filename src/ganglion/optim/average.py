"""Averages of the weights along a run: they answer, while the run goes on from its own weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganglion.base.named import named
from ganglion.optim.bounded import BELOW_ONE, bounded


@dataclass(frozen=True)
class AverageRule:
    """When a run's weights enter the average, and how much the n-th ones (from 0) count against the others."""

    every: Literal["step", "epoch"]
    weight: Callable[[int], float]
    start: float = 0.0  # share of the run before which nothing enters


@bounded(decay=BELOW_ONE)
def ema(decay: float = 0.999) -> AverageRule:
    """``mean <- d mean + (1 - d) w`` after every step, with ``d = min(decay, n / (n + 9))``.

    The smaller d of the first steps lets the start be forgotten, also in a run shorter than ``1 / (1 - decay)``
    steps.

    >>> ema(0.9).weight(0), round(ema(0.9).weight(1000), 3)
    (1.0, 0.1)
    """
    return AverageRule("step", lambda n: max(1.0 - decay, 9.0 / (n + 9.0)))


@bounded(start=BELOW_ONE)
def swa(start: float = 0.75) -> AverageRule:
    """The plain mean of the weights after each epoch from the share ``start`` of the run on.

    Izmailov et al. 2018 (arXiv:1803.05407), who let the step size stay high or go in cycles meanwhile.

    >>> [round(swa().weight(n), 2) for n in (0, 1, 3)]
    [1.0, 0.5, 0.25]
    """
    return AverageRule("epoch", lambda n: 1.0 / (n + 1.0), start)


AVERAGES: dict[str, Callable[..., AverageRule]] = {"ema": ema, "swa": swa}


def average_named(text: str) -> AverageRule:
    """The rule of a name with its arguments, ``"ema(0.99)"``; raises ``ParameterError``."""
    return named("average", text, AVERAGES)


class Average:
    """The averaged weights and running statistics of a model.

    Statistics are averaged like weights, so nothing is run over the data again; whole numbers and constants
    are the model's own. Until something enters, the model stands for itself.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> mean = Average(model, swa(0.0))
    >>> for value in (1.0, 2.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     mean.take("epoch", 1.0)
    >>> with mean.in_place():
    ...     print(model.weight.item())
    1.5
    >>> model.weight.item()
    2.0
    """

    def __init__(self, model: nn.Module, rule: AverageRule) -> None:
        self.rule, self.n = rule, 0
        self.live: list[Tensor] = [
            *model.parameters(),
            *(b for b in model.buffers() if b.is_floating_point()),
        ]
        self.mean: list[Tensor] = []

    @torch.no_grad()
    def take(self, moment: str, progress: float, flag: Tensor | None = None) -> None:
        """Take the weights in, if it is their moment; nothing of them where ``flag`` is 1 on the device."""
        if moment != self.rule.every or progress < self.rule.start:
            return
        if not self.mean:
            self.mean = [v.detach().clone() for v in self.live]
        weight: Any = self.rule.weight(self.n)
        if flag is not None:
            weight = [(weight * (1.0 - flag)).to(v.dtype) for v in self.live]
        torch._foreach_lerp_(self.mean, self.live, weight)
        self.n += 1

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside the block the model holds the average, after it its own weights to the bit."""
        own = [v.detach().clone() for v in self.live]
        self.settle()
        try:
            yield
        finally:
            _put(self.live, own)

    def settle(self) -> None:
        """The average becomes the model's own weights."""
        _put(self.live, self.mean)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"n": self.n, "mean": self.mean}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to what a checkpoint held."""
        self.n, self.mean = state["n"], list(state["mean"])


@torch.no_grad()
def _put(values: list[Tensor], saved: list[Tensor]) -> None:
    for value, old in zip(values, saved):
        value.copy_(old)
