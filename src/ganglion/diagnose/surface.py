"""The loss at many points of a plane through a network's weights.

Shapes: n rows, m points along an axis. A direction has a tensor for every parameter, by its name.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.models.mlp import MLP
from ganglion.nn.dense import DenseStack
from ganglion.nn.quick import product, quick_from

Weights = dict[str, Tensor]
Cost = Callable[[Any], Tensor]
Output = Callable[[float], Any]  # a coordinate -> the network's output there


@torch.no_grad()
def losses(
    module: nn.Module, x: Any, cost: Cost, first: Weights, second: Weights | None, at: Tensor
) -> Tensor:
    """``cost(module(x))`` at the weights ``w + a first + b second`` for all a and b in ``at`` (m,): (m, m), or (m,).

    Stacks of dense layers multiply the rows by their first layer only three times, since that product is linear in
    (a, b); everything else goes point by point.
    """
    chain = parts_of(module) if isinstance(x, Tensor) else None
    along = dense_rows if chain and any(isinstance(m, nn.Linear) for m in chain) else any_rows
    if second is None:  # the only axis takes the inner place
        (output,) = along(module, x, None, first, torch.zeros(1, dtype=at.dtype))
        return torch.stack([cost(output(a)).to(torch.float64) for a in at.tolist()])
    rows = along(module, x, first, second, at)
    return torch.stack(
        [torch.stack([cost(output(b)).to(torch.float64) for b in at.tolist()]) for output in rows]
    )


def any_rows(
    module: nn.Module, x: Any, first: Weights | None, second: Weights, at: Tensor
) -> Iterator[Output]:
    """For every a a function of b, for a module of any kind, through a copy that takes on the weights."""
    twin, given = copy.deepcopy(module), x if isinstance(x, tuple) else (x,)
    names, centre = zip(*((k, p.detach()) for k, p in module.named_parameters()))
    places, outward = [p.detach() for p in twin.parameters()], [second[k] for k in names]
    for a in at.tolist():
        base = centre if first is None else torch._foreach_add(centre, [first[k] for k in names], alpha=a)

        def output(b: float, base: Any = base) -> Any:
            for place, start, way in zip(places, base, outward):
                torch.add(start, way, alpha=b, out=place)  # half of the time of a sum and a copy
            return twin(*given)

        yield output


def dense_rows(
    module: nn.Module, x: Tensor, first: Weights | None, second: Weights, at: Tensor
) -> Iterator[Output]:
    """For every a a function of b, for a stack of dense layers."""
    chain = parts_of(module) or []
    names = {id(p): k for k, p in module.named_parameters()}
    start = next(i for i, m in enumerate(chain) if isinstance(m, nn.Linear))
    for before in chain[:start]:
        x = before(x)
    enter, *rest = (_Layer(m, names, first, second) if isinstance(m, nn.Linear) else m for m in chain[start:])
    centre, sideways, outward = (enter.through(x, *part) for part in enter.parts)  # type: ignore[union-attr, operator]
    for a in at.tolist():
        base = centre if first is None else torch.add(centre, sideways, alpha=a)
        for m in rest:
            if isinstance(m, _Layer):
                m.move(a)

        def output(b: float, base: Tensor = base) -> Tensor:
            h = torch.add(base, outward, alpha=b)
            for m in rest:
                if isinstance(m, _Layer):
                    h = m.at(h, b)
                else:
                    h = h.relu_() if type(m) is nn.ReLU else m(h)
            return h

        yield output


class _Layer:
    """A dense layer with its two directions; ``parts`` holds (weight, bias) of the centre and of both."""

    def __init__(
        self, layer: nn.Linear, names: dict[int, str], first: Weights | None, second: Weights
    ) -> None:
        weight, bias = layer.weight.detach(), layer.bias
        self.quick = quick_from(weight)[0]
        zeros = {k: torch.zeros_like(v) for k, v in second.items()} if first is None else first
        self.parts: list[tuple[Tensor, Tensor | None]] = [
            (d[names[id(layer.weight)]], None if bias is None else d[names[id(bias)]])
            for d in (zeros, second)
        ]
        self.parts.insert(0, (weight, None if bias is None else bias.detach()))
        self.base = self.parts[0]

    def move(self, a: float) -> None:
        """Go to the coordinate a on the first axis."""
        self.base = _sum(self.parts[0], self.parts[1], a)

    def at(self, h: Tensor, b: float) -> Tensor:
        """The layer's sums at (a, b)."""
        return self.through(h, *_sum(self.base, self.parts[2], b))

    def through(self, h: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """``h weight^T + bias``, by the quicker kernels where there are any."""
        if h.dim() == 2 and len(h) >= self.quick:
            return product(h, weight, bias)
        return nn.functional.linear(h, weight, bias)


def _sum(base: Any, direction: Any, by: float) -> tuple[Tensor, Tensor | None]:
    weight, bias = (None if p is None else torch.add(p, d, alpha=by) for p, d in zip(base, direction))
    return weight, bias  # type: ignore[return-value]


def parts_of(module: nn.Module) -> list[nn.Module] | None:
    """A stack of dense layers as the list of what happens to x, or ``None`` for any other module."""
    if module._forward_hooks or module._forward_pre_hooks:
        return None
    if type(module) is nn.Linear or (not module.training and not any(True for _ in module.parameters())):
        return [module]
    inside: list[nn.Module] | None = None
    if type(module) is nn.Sequential:
        inside = list(module)
    elif type(module) is MLP:
        inside = [module.inputs, module.stack]
    elif type(module) is DenseStack and not (module.norms or module.shortcuts):
        between = [m for pair in zip(module.linears, module.activations) for m in pair]
        inside = [*between, module.linears[-1]]
    if inside is None:
        return None
    parts = [parts_of(m) for m in inside]
    return None if None in parts else [m for part in parts for m in part or []]
