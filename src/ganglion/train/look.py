"""A look at activations: what enters each layer and what its activation gives, for some training rows.

All that a look finds stays on the device as tensors, until ``numbers`` reads it with one wait.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ganglion.nn.dense import DensePass
from ganglion.objectives.base import Objective
from ganglion.objectives.supervised import SupervisedByHand

if TYPE_CHECKING:
    from ganglion.train.run import Run

PROBE_ROWS = 256
LEAST_ROWS = 64
MULTIPLICATIONS = 2**26  # of a look, about: large networks are looked at with fewer rows
NEAR = 0.01  # of a bounded activation's range: so close to a bound is saturated
# activation -> (lowest, highest) value, for those that have both
BOUNDS = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "Hardtanh": (-1.0, 1.0), "Hardsigmoid": (0.0, 1.0),
          "Softsign": (-1.0, 1.0), "LSTM": (-1.0, 1.0), "GRU": (-1.0, 1.0)}  # fmt: skip
GATED = ("LSTM", "GRU")
# those that are exactly 0 over a whole half line, so that a unit can rest there for all rows: dead
RESTING = {"ReLU", "ReLU6", "Threshold"}
# a function, as a module or as a call in ``forward``, -> its module's name
FUNCTIONS: dict[Any, str] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), "ReLU"),
    **dict.fromkeys((torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_, F.tanh), "Tanh"),
    **dict.fromkeys((torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_, F.sigmoid), "Sigmoid"),
    F.hardtanh: "Hardtanh", F.hardsigmoid: "Hardsigmoid", F.softsign: "Softsign", F.relu6: "ReLU6",
    F.threshold: "Threshold", F.leaky_relu: "LeakyReLU", F.prelu: "PReLU", torch.prelu: "PReLU",
    F.rrelu: "RReLU", F.elu: "ELU", F.selu: "SELU", torch.selu: "SELU", F.celu: "CELU", F.gelu: "GELU",
    F.silu: "SiLU", F.mish: "Mish", F.softplus: "Softplus", F.hardswish: "Hardswish",
}  # fmt: skip
HEARD = frozenset(FUNCTIONS.values())


@dataclass
class Spread:
    """Mean and variance of each of a layer's units, each (units,)."""

    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, units: Tensor) -> "Spread":
        """From values (rows, units)."""
        mean = units.mean(0)  # torch's own var_mean over rows takes 15 times as long on a CPU
        return cls(mean, (units - mean).square().mean(0))

    def shift_to(self, later: "Spread") -> Tensor:
        """How far the means moved, over all units, in standard deviations: ``|mu' - mu| / sqrt(sum var)``."""
        return ratio((later.mean - self.mean).norm(), self.variance.sum().sqrt())

    def spread_to(self, later: "Spread") -> Tensor:
        """How much the standard deviations changed: ``|s' - s| / |s|``."""
        return ratio((later.variance.sqrt() - self.variance.sqrt()).norm(), self.variance.sum().sqrt())

    @cached_property
    def overall(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation over all units."""
        variance = self.variance.mean() + self.mean.var(correction=0)
        return self.mean.mean(), variance.sqrt()

    def resting(self) -> Tensor:
        """The share of units that are 0 in every row."""
        return ((self.mean == 0) & (self.variance == 0)).float().mean()


@dataclass
class Sight:
    """What a look saw of a layer: the spread of what enters, and what an activation after it gives."""

    enters: Spread | None = None
    activation: str | None = None
    gives: Spread | None = None
    saturated: Any = 0.0  # share of outputs

    def hear(self, activation: str, values: Tensor, gives: Spread) -> None:
        """Take in an activation's values and their spread."""
        self.activation, self.gives, self.saturated = activation, gives, 0.0
        if activation in BOUNDS:
            low, high = BOUNDS[activation]
            inside = (values - (low + high) / 2).abs() < (0.5 - NEAR) * (high - low)
            self.saturated = 1.0 - inside.float().mean()

    def row(self, before: "Sight | None") -> dict[str, Any]:
        """The statistics by name, and the shift since the sight ``before``."""
        row: dict[str, Any] = {}
        if self.enters is not None:
            row["input_mean"], row["input_std"] = self.enters.overall
        if self.gives is not None:
            row["activation"], (row["mean"], row["std"]) = self.activation, self.gives.overall
            row["dead"] = self.gives.resting() if self.activation in RESTING else 0.0
            row["saturated"] = self.saturated
        if self.enters is not None and before is not None and before.enters is not None:
            row["input_shift"] = before.enters.shift_to(self.enters)
        return row


class Calls(TorchFunctionMode):
    """Hears every activation that is computed while it is on."""

    def __init__(self, hear: Callable[[str, Tensor], None]) -> None:
        super().__init__()
        self.hear = hear

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call itself, and a word about it."""
        out = func(*args, **(kwargs or {}))
        if func in FUNCTIONS:
            self.hear(FUNCTIONS[func], out)
        return out


def probe_rows(run: "Run") -> Tensor | None:
    """Up to ``PROBE_ROWS`` rows from all over the training part: in a batch of 8 half of the units look dead."""
    weights = sum(p.numel() for p in run.objective.model.parameters())
    most = int(min(PROBE_ROWS, max(LEAST_ROWS, MULTIPLICATIONS / max(weights, 1))))
    members = getattr(run.objective, "members", None)
    resident = getattr(run.batches, "tensors", None)
    if isinstance(resident, dict) and isinstance(resident.get("x"), Tensor) and not members:
        x = resident["x"]
        return x[:: max(1, len(x) // most)][:most]
    x = run.batch.get("x") if isinstance(run.batch, dict) else None
    if not isinstance(x, Tensor):
        return None
    return (x[:, :most] if members else x[:most]).clone()


def dense_pass(objective: Objective) -> tuple[Callable[[Tensor], Tensor], DensePass] | None:
    """What stands before the dense layers of a network that trains by hand, and a pass through them without dropout."""
    made: Any = objective.model.by_hand() if isinstance(objective, SupervisedByHand) else None  # type: ignore[operator]
    dense = getattr(made, "dense", made)
    if not isinstance(dense, DensePass):
        return None
    dense.dropout = 0.0
    return getattr(made, "inputs", lambda x: x), dense


@torch.no_grad()
def look_by_hand(layers: dict[str, nn.Module], dense: DensePass, entering: Tensor) -> dict[str, Sight]:
    """What ``look`` finds, for what enters dense layers (n, d_0), the last of ``layers``; no module is called."""
    dense.forward(entering)
    tape, dense.tape = dense.tape, []
    spreads = [Spread.of(x.float()) for x, *_ in tape]
    found = [Sight(spread) for spread in spreads]
    if dense.activation in HEARD:
        for sight, after, (_, _, h, _) in zip(found, spreads[1:], tape):
            sight.hear(dense.activation, h, after)
    embedded = len(layers) - len(tape)
    return dict(zip(layers, [Sight()] * embedded + found))


@torch.no_grad()
def look(layers: dict[str, nn.Module], forward: Callable[[], Any]) -> dict[str, Sight]:
    """What a forward pass shows of each layer, in the order of the calls.

    Nothing for a model of the user's own whose pass fails.
    """
    found: dict[str, Sight] = {}
    last: list[tuple[Sight, nn.Module]] = []

    def enter(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any) -> None:
            sight = found.setdefault(name, Sight())
            if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
                sight.enters = Spread.of(units_of(inputs[0].float(), module))

        return hook

    def leave(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, out: Any) -> None:
            last[:] = [(found[name], module)]
            if isinstance(module, nn.RNNBase) and isinstance(out[0], Tensor):
                hear({"RNN_TANH": "Tanh", "RNN_RELU": "ReLU"}.get(module.mode, module.mode), out[0])
                if module.mode in GATED and isinstance(inputs[0], Tensor):
                    found[name].saturated = torch.maximum(
                        found[name].saturated, closed_gates(module, inputs[0])
                    )

        return hook

    def hear(activation: str, out: Tensor) -> None:
        if last:
            sight, module = last[0]
            sight.hear(activation, out.float(), Spread.of(units_of(out.float(), module)))

    with ExitStack() as stack:
        for name, m in layers.items():
            stack.callback(m.register_forward_pre_hook(enter(name)).remove)
            stack.callback(m.register_forward_hook(leave(name)).remove)
        stack.enter_context(Calls(hear))
        try:
            forward()
        except Exception:  # a model of the user's own that cannot be probed is not watched
            return {}
    return found


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """``a / b``, and 0 where b is 0."""
    return torch.where(b > 0, a / b, 0.0)


def numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a number for each tensor of one number, read with one wait for the device."""
    places = [(row, key) for row in rows for key, value in row.items() if isinstance(value, Tensor)]
    if places:
        values = torch.stack([row[key] for row, key in places]).tolist()
        for (row, key), value in zip(places, values):
            row[key] = value
    return rows


@contextmanager
def answering(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block, and after it each part in the mode it had."""
    training = [m for m in module.modules() if m.training]
    if all(type(m).train is nn.Module.train for m in training):
        for m in training:
            m.training = False
    else:  # a module of the user's own does more than note its mode
        module.eval()
    try:
        yield
    finally:
        for m in training:
            m.training = True


def units_of(values: Tensor, layer: nn.Module) -> Tensor:
    """Values of or around a layer as (rows, units); the units of a convolution are its channels."""
    channels = 1 if isinstance(layer, nn.modules.conv._ConvNd) and values.dim() > 2 else -1
    return values.reshape(-1, values.shape[-1]) if channels < 0 else values.transpose(1, -1).flatten(0, -2)


def closed_gates(module: nn.RNNBase, x: Tensor) -> Tensor:
    """The share of an LSTM's or GRU's first gates that the step's input alone (..., inputs) drives to a bound.

    Their outputs would not tell: a closed gate keeps them away from the bounds of the hyperbolic tangent.
    """
    weight, _, *biases = module.all_weights[0]
    sums = F.linear(x, weight, biases[0] + biases[1] if module.bias else None)
    return (sums.abs() > math.log(1 / NEAR - 1)).float().mean()  # a sigmoid within 1 % of 0 or 1
