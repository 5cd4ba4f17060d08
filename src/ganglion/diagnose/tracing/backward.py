"""The way back: from the loss through every row of the tape, each by its own formula."""

import inspect
from typing import Any

import torch
from torch import Tensor

from ganglion.diagnose.tracing.nest import swap
from ganglion.diagnose.tracing.rules import COPIES, RULES, NoFormula
from ganglion.diagnose.tracing.slopes import SLOPES
from ganglion.diagnose.tracing.tape import Row, Value

BY_AUTOGRAD = "no formula of ours for this operation: autograd's derivative of it alone"
COPIED = "entries only change their place: each gradient goes back to where its entry came from."
WEIGHTED = {"linear": "weight", "conv1d": "weight", "conv2d": "weight", "conv3d": "weight"} | {
    f"conv_transpose{n}d": "weight" for n in (1, 2, 3)
}
ENTRYWISE = "h = f(z):  dL/dz = dL/dh f'(z)."


def backward(rows: list[Row], loss: Value) -> None:
    """Fill ``arriving``, ``leaving`` and ``grad`` of everything that the loss depends on.

    ``dL/d(loss) = 1``; then in reverse order each row turns what arrives at its outputs into what leaves at
    its inputs, and shares that meet at one value are added (Rumelhart et al. 1986).
    """
    loss.grad = torch.ones_like(loss.tensor)
    for row in reversed(rows):
        row.arriving = [value.grad for value in row.outputs]
        if all(g is None for g in row.arriving):
            continue
        row.leaving = leaving(row)
        for value, share in row.leaving:
            value.grad = share.clone() if value.grad is None else value.grad + share


def leaving(row: Row) -> list[tuple[Value, Tensor]]:
    """What leaves a row at each of its inputs; ``row.rule`` says by which formula."""
    try:
        if row.function is None and row.name != "dropout":
            raise NoFormula
        if row.name in COPIES:
            row.rule = COPIED
            return by_place(row)
        if row.name in SLOPES:
            return by_slope(row)
        if row.name in RULES:
            return by_rule(row)
    except (NoFormula, TypeError):  # a TypeError: the arguments do not fit the formula's
        pass
    row.rule, row.by_formula = BY_AUTOGRAD, False
    return by_autograd(row)


def bound(formula: Any, row: Row) -> inspect.BoundArguments:
    """The row's arguments by the names that a formula gives them; ``axes`` is the 2 of ``conv2d``."""
    signature = inspect.signature(formula)
    axes = {"axes": int(row.name[-2])} if "axes" in signature.parameters else {}
    return signature.bind(arrived(row)[0], row.outputs[0].tensor, *row.args, **row.options, **axes)


def numbers(tree: Any) -> Any:
    """Values as the tensors that they were."""
    return swap(tree, {Value: lambda value: value.tensor})


def arrived(row: Row) -> list[Tensor]:
    """What arrives, zero where nothing does."""
    return [torch.zeros_like(v.tensor) if g is None else g for g, v in zip(row.arriving, row.outputs)]


def by_slope(row: Row) -> list[tuple[Value, Tensor]]:
    """``leaving = arriving x f'(z)``, entry by entry."""
    out = row.outputs[0].tensor
    row.local = SLOPES[row.name](out, *numbers(row.args), **numbers(row.options))
    row.rule = ENTRYWISE
    return [(row.inputs[0], arrived(row)[0] * row.local)]


def by_rule(row: Row) -> list[tuple[Value, Tensor]]:
    """The gradients that a formula names, for those arguments that lead back to an input or a parameter."""
    formula = RULES[row.name]
    given = bound(formula, row)
    found = formula(*numbers(given.args), **numbers(given.kwargs))
    row.rule = (formula.__doc__ or "").strip().split("\n")[0]
    if row.name in WEIGHTED:
        row.local = numbers(given.arguments[WEIGHTED[row.name]])
    shares = [(given.arguments.get(name), share) for name, share in found.items()]
    kept = [(value, share) for value, share in shares if isinstance(value, Value)]
    if {id(value) for value, _ in kept} != {id(value) for value in row.inputs}:
        raise NoFormula
    return [(value, share.to(value.tensor.dtype)) for value, share in kept]


def by_place(row: Row) -> list[tuple[Value, Tensor]]:
    """Of an operation that only moves, repeats or picks entries: ask it where they go.

    All input entries are numbered from 1 and sent through it; a 0 in the result is a constant's.
    """
    if row.name == "pad" and (row.options.get("value") or (*row.args, None, None, None, None)[3]):
        raise NoFormula  # the border would be taken for the number of an entry
    starts, count = {}, 1
    for value in row.inputs:
        starts[id(value)] = count
        count += value.tensor.numel()

    def numbered(value: Value) -> Tensor:
        tensor, start = value.tensor, starts[id(value)]
        order = torch.arange(start, start + tensor.numel(), dtype=torch.float64, device=tensor.device)
        return order.reshape(tensor.shape)

    def constant(tensor: Tensor) -> Tensor:
        return torch.zeros_like(tensor, dtype=torch.float64) if tensor.is_floating_point() else tensor

    args, options = swap((row.args, row.options), {Value: numbered, Tensor: constant})
    result = row.function(*args, **options)  # type: ignore[misc]
    parts = [result] if isinstance(result, Tensor) else list(result)
    total = torch.zeros(count, dtype=row.outputs[0].tensor.dtype, device=row.outputs[0].tensor.device)
    for where, g in zip(parts, arrived(row)):
        total.index_add_(0, where.long().flatten(), g.flatten())
    return [
        (v, total[starts[id(v)] : starts[id(v)] + v.tensor.numel()].reshape(v.tensor.shape))
        for v in row.inputs
    ]


@torch.enable_grad()
def by_autograd(row: Row) -> list[tuple[Value, Tensor]]:
    """Autograd's derivative of this stretch alone: what would flow on past its inputs is stopped there."""
    pairs = [(v.edge, g) for v, g in zip(row.outputs, row.arriving) if g is not None]
    stops = [v.edge.node.register_prehook(_nothing) for v in row.inputs]
    try:
        found = torch.autograd.grad(
            [edge for edge, _ in pairs], [v.edge for v in row.inputs], [g for _, g in pairs],
            retain_graph=True, allow_unused=True,
        )  # fmt: skip
    finally:
        for stop in stops:
            stop.remove()
    return [(v, torch.zeros_like(v.tensor) if g is None else g) for v, g in zip(row.inputs, found)]


def _nothing(gradients: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(None if g is None else torch.zeros_like(g) for g in gradients)
