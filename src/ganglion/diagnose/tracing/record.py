"""What a trace is: the layers of one forward and one backward pass with all their numbers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ganglion.diagnose.tracing.rules import STILL
from ganglion.diagnose.tracing.tape import Row, Value
from ganglion.nn.receptive import Field


@dataclass(eq=False, repr=False)
class Layer:
    """One call of a module, or one operation between modules.

    ``name`` is the module's path (with the operation, where it stands between modules), ``kind`` the module's
    class, ``operation`` what it computes. ``flops`` counts a multiplication with its addition as 2.
    ``arriving`` is the norm of dL/d(output), ``leaving`` that of this layer's share of dL/d(input), ``gain``
    their ratio; ``local_max`` the largest local derivative where that is a table of numbers (f'(z), or W).
    ``sees`` is the receptive field of an output entry. ``steps`` holds, for a recurrent layer, dL/dh of every step.
    """

    index: int
    name: str
    kind: str
    operation: str
    rows: list[Row]
    inputs: list[Value]
    outputs: list[Value]
    parameters: dict[str, Value]
    flops: int
    sees: Field | None = None
    steps: list[tuple[str, Value]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Layer({self.index}, {self.title}, {self.in_shape} > {self.out_shape})"

    @property
    def title(self) -> str:
        """The path of a module with its kind; an operation between modules has its name already."""
        return self.name if ":" in self.name or self.name == self.kind else f"{self.name} {self.kind}"

    @property
    def main(self) -> Row:
        """The row that says most of what the layer computes."""
        weighed = [row for row in self.rows if row.local is not None]
        moving = [row for row in self.rows if row.name not in STILL] or self.rows
        return weighed[0] if weighed else max(moving, key=lambda row: bool(row.rule) and row.by_formula)

    @property
    def output(self) -> Value:
        """The (largest) output."""
        return max(self.outputs, key=lambda value: value.tensor.numel())

    @property
    def in_shape(self) -> tuple[int, ...]:
        """The shape of the (first) input."""
        return tuple(self.inputs[0].tensor.shape) if self.inputs else ()

    @property
    def out_shape(self) -> tuple[int, ...]:
        """The shape of the output."""
        return tuple(self.output.tensor.shape)

    @property
    def n_parameters(self) -> int:
        """The number of weights and biases that the layer uses."""
        return sum(value.tensor.numel() for value in self.parameters.values())

    @property
    def has_matrix(self) -> bool:
        """Whether a matrix or kernels are among its parameters."""
        return any(value.tensor.dim() > 1 for value in self.parameters.values())

    @property
    def arriving(self) -> float:
        """The norm of the gradient that arrives at the output."""
        return together(value.grad for value in self.outputs)

    @property
    def leaving(self) -> float:
        """The norm of this layer's share of the gradient at its input."""
        return together(self.shares())

    def shares(self) -> list[Tensor]:
        """What leaves the layer at each of its inputs, a tensor for each."""
        found: dict[int, Tensor] = {}
        for row in self.rows:
            for value, share in row.leaving:
                if value in self.inputs:
                    found[id(value)] = found[id(value)] + share if id(value) in found else share
        return list(found.values())

    @property
    def gain(self) -> float:
        """Leaving by arriving: below 1 the gradient shrinks here, above 1 it grows."""
        return self.leaving / self.arriving if self.arriving else 0.0

    @property
    def local_max(self) -> float | None:
        """The largest local derivative in absolute value, where it is a table of numbers."""
        local = [row.local for row in self.rows if row.local is not None and row.local.numel()]
        return max(float(t.abs().max()) for t in local) if local else None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and words."""
        out = self.output.tensor
        grads = {name: norm(v.grad) if v.grad is not None else None for name, v in self.parameters.items()}
        shape = None
        if self.sees is not None:
            shape = {"size": self.sees.size, "jump": self.sees.jump, "centre": self.sees.centre}
        return {
            "index": self.index, "name": self.name, "kind": self.kind, "operation": self.operation,
            "in_shape": self.in_shape, "out_shape": self.out_shape, "parameters": self.n_parameters,
            "flops": self.flops, "receptive_field": shape, "mean": float(out.mean()),
            "std": float(out.std(correction=0)), "zeros": float((out == 0).double().mean()),
            "arriving": self.arriving, "leaving": self.leaving, "gain": self.gain, "local_max": self.local_max,
            "rule": self.main.rule, "by_formula": all(row.by_formula for row in self.rows),
            "gradient_norms": grads, "steps": [{"step": s, "gradient": norm(v.grad)} for s, v in self.steps],
        }  # fmt: skip


def norm(gradient: Tensor | None) -> float:
    """The Euclidean norm, 0 where nothing arrives."""
    return 0.0 if gradient is None else float(gradient.norm())


def together(gradients: Iterable[Tensor | None]) -> float:
    """The norm of several tensors as one."""
    return math.hypot(*map(norm, gradients))


@dataclass(eq=False, repr=False)
class Trace:
    """One forward and one backward pass laid open; print it to read it.

    Arguments:
        loss, loss_name, mode: the number, how it was made, and ``"training"`` or ``"evaluation"``.
        output: the module's (first) output.
        layers: from the input to the loss; ``layers[i].rows`` are their single operations.
        rows: all operations in order, each with ``arriving``, ``local``, ``leaving`` and its formula.
        gradients: dL/d(parameter) by name, ``None`` for those that the loss does not depend on.
        input_gradients: dL/d(input) for every input of floating-point numbers.
        deviation: how far the products of the table are from autograd's gradients, relative to the largest
            entry of each tensor.
    """

    loss: float
    loss_name: str
    mode: str
    output: Tensor
    layers: list[Layer]
    rows: list[Row]
    gradients: dict[str, Tensor | None]
    input_gradients: list[Tensor]
    sizes: dict[str, int]
    deviation: float

    @property
    def shown(self) -> list[Layer]:
        """The layers without what computes nothing between modules."""
        return [
            layer
            for layer in self.layers
            if layer.rows[0].call.leaf or any(row.name not in STILL for row in layer.rows)
        ]

    def chief(self, most: int) -> list[Layer]:
        """The layers shown; where they are more than ``most``, those with matrices or kernels, and the loss."""
        shown = self.shown
        chosen = [layer for layer in shown if layer.kind == "loss" or layer.has_matrix]
        return chosen if len(shown) > most and any(layer.has_matrix for layer in chosen) else shown

    @property
    def flops(self) -> int:
        """Operations of the forward pass."""
        return sum(layer.flops for layer in self.layers)

    @property
    def n_parameters(self) -> int:
        """Weights and biases of the module."""
        return sum(self.sizes.values())

    @property
    def gradient_norm(self) -> float:
        """The norm of all parameter gradients together."""
        return together(self.gradients.values())

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers: the summary of every layer, no tensors."""
        return {
            "loss": self.loss, "loss_name": self.loss_name, "mode": self.mode, "output_shape": list(self.output.shape),
            "parameters": self.n_parameters, "flops": self.flops, "gradient_norm": self.gradient_norm,
            "deviation_from_autograd": self.deviation,
            "gradient_norms": {n: None if g is None else norm(g) for n, g in self.gradients.items()},
            "layers": [layer.to_dict() for layer in self.layers],
        }  # fmt: skip

    def table(self) -> str:
        """The pass as text that fits 110 columns: forwards, backwards, and what an optimiser would do."""
        from ganglion.diagnose.tracing.table import table

        return table(self)

    __str__ = table

    def __repr__(self) -> str:
        return f"Trace(loss {self.loss:.4g}, {len(self.layers)} layers, {len(self.rows)} operations)"

    def neurons(self, row: int = 0) -> list[Any]:
        """Every neuron of a small dense network for one row of the data; see ``neurons.Neuron``."""
        from ganglion.diagnose.tracing.neurons import neurons

        return neurons(self, row)

    def neuron_table(self, row: int = 0) -> str:
        """The same as text."""
        from ganglion.diagnose.tracing.neurons import neuron_table

        return neuron_table(self, row)
