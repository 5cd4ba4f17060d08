"""One forward and one backward pass through any module, laid open."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.base.errors import DataError
from ganglion.base.seeds import seeded
from ganglion.diagnose.tracing.backward import backward
from ganglion.diagnose.tracing.flops import flops
from ganglion.diagnose.tracing.nest import every
from ganglion.diagnose.tracing.receptive import receptive_fields
from ganglion.diagnose.tracing.record import Layer, Trace
from ganglion.diagnose.tracing.rules import STILL
from ganglion.diagnose.tracing.tape import Row, Tape, Value


def traced(
    module: nn.Module, inputs: tuple[Tensor, ...], cost: Callable[[Any], Tensor], loss_name: str
) -> Trace:
    """Run ``cost(module(*inputs))`` once forwards and once backwards and keep everything.

    The module, its gradients, buffers, flags, hooks and all random states are left as they were, also after an
    exception; whatever is drawn at random in the pass comes from seed 0, so that a trace repeats.

    Arguments: ``cost`` gives one number from the module's output; ``loss_name`` says what it is.
    Raises ``DataError`` where the loss is not one number or depends on nothing.
    """
    names = {id(p): name for name, p in module.named_parameters()}
    tape = Tape(module, names)
    with untouched(module), seeded(0), torch.enable_grad():
        for p in module.parameters():
            p.requires_grad_(p.is_floating_point())
        given = [x.detach().clone().requires_grad_().clone() if x.is_floating_point() else x for x in inputs]
        words = ["input"] if len(given) == 1 else [f"input {i}" for i in range(len(given))]
        leaves = [tape.know(x, word) for x, word in zip(given, words) if x.is_floating_point()]
        with tape.watching():
            output = module(*given)
            with tape.called("loss", "loss"):
                loss = cost(output)
        if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
            shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise DataError(
                f"the loss must be one number that depends on the inputs or the parameters, got {shape}; "
                "average it over the rows."
            )
        end = tape.seen(loss)
        backward(tape.rows, end)
        deviation = from_autograd(tape, end)
    found = {v.name: v.grad for v in tape.leaves}
    first = next(every(output, Tensor))
    return Trace(
        loss=float(loss.detach()),
        loss_name=loss_name,
        mode="training" if module.training else "evaluation",
        output=first.detach(),
        layers=layers_of(tape),
        rows=tape.rows,
        gradients={name: found.get(name) for name in names.values()},
        input_gradients=[torch.zeros_like(v.tensor) if v.grad is None else v.grad for v in leaves],
        sizes={name: p.numel() for name, p in module.named_parameters()},
        deviation=deviation,
    )


@contextmanager
def untouched(module: nn.Module) -> Iterator[None]:
    """Put a module's buffers, modes and ``requires_grad`` back after the block."""
    modes = [(m, m.training) for m in module.modules()]
    wanted = [(p, p.requires_grad) for p in module.parameters()]
    buffers = [(m, dict(m._buffers)) for m in module.modules()]
    copies = [(b, b.detach().clone()) for b in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, copy in copies:
                if not torch.equal(buffer, copy):
                    buffer.copy_(copy)
        for m, own in buffers:
            m._buffers.clear()
            m._buffers.update(own)
        for m, training in modes:
            m.training = training
        for p, requires_grad in wanted:
            p.requires_grad_(requires_grad)


def from_autograd(tape: Tape, loss: Value) -> float:
    """The largest deviation of the table's products from autograd's gradients.

    Relative to the largest entry of each tensor; a tensor that is 0 but for rounding (a bias before a
    normalisation) is measured by the largest entry of all.
    """
    edges, ones = [v.edge for v in tape.leaves], [torch.ones_like(loss.tensor)]
    theirs = torch.autograd.grad([loss.edge], edges, ones, allow_unused=True)
    pairs = [
        [torch.zeros_like(v.tensor) if g is None else g for g in (v.grad, other)]
        for v, other in zip(tape.leaves, theirs)
        if v.tensor.numel()
    ]
    sizes = [float(b.abs().max()) for _, b in pairs]
    largest, least = max(sizes, default=0.0) or 1.0, torch.finfo(loss.tensor.dtype).eps ** 0.5
    scales = [size if size > least * largest else largest for size in sizes]
    return max((float((a - b).abs().max()) / scale for (a, b), scale in zip(pairs, scales)), default=0.0)


def layers_of(tape: Tape) -> list[Layer]:
    """The rows gathered by calls of modules; operations between modules stand by themselves."""
    fields = receptive_fields(tape.rows)
    groups: list[list[Row]] = []
    for row in tape.rows:
        if groups and row.call.leaf and groups[-1][0].call is row.call:
            groups[-1].append(row)
        else:
            groups.append([row])
    users: dict[int, set[int]] = {}
    for row in tape.rows:
        for value in row.inputs:
            users.setdefault(id(value), set()).add(id(row))
    return [layer_of(i, rows, tape, fields, users) for i, rows in enumerate(groups)]


def layer_of(
    index: int, rows: list[Row], tape: Tape, fields: dict[int, Any], users: dict[int, set[int]]
) -> Layer:
    """One layer from its rows."""
    call, own = rows[0].call, {id(row) for row in rows}
    outside = [v for row in rows for v in row.inputs if v.row is None or id(v.row) not in own]
    outside = list(dict.fromkeys(outside))
    parameters = {v.name: v for v in outside if v.row is None and not v.name.startswith("input")}
    made = [v for row in rows for v in row.outputs]
    leaving = [v for v in made if users.get(id(v), set()) - own]
    words = list(dict.fromkeys(row.name for row in rows if row.name not in STILL)) or [rows[0].name]
    return Layer(
        index=index,
        name=(call.path or call.kind) if call.leaf else f"{call.path or call.kind}: {words[0]}",
        kind=call.kind,
        operation=", ".join(words),
        rows=rows,
        inputs=[v for v in outside if v.name not in parameters],
        outputs=leaving or made[-1:],
        parameters=parameters,
        flops=sum(map(flops, rows)),
        sees=fields.get(id((leaving or made)[-1])),
        steps=[(step, v) for owner, step, v in tape.hidden if owner is call],
    )
