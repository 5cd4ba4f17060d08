"""A look at activations: what enters each layer and what its activation gives, for some training rows."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

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


@dataclass
class Spread:
    """Mean and variance of each unit of a layer's input, each (units,)."""

    mean: Tensor
    variance: Tensor

    @classmethod
    def of(cls, units: Tensor) -> "Spread":
        """From values (rows, units)."""
        mean = units.mean(0)  # torch's own var_mean over rows takes 15 times as long on a CPU
        return cls(mean, (units - mean).square().mean(0))

    def shift_to(self, later: "Spread") -> float:
        """How far the means moved, over all units, in standard deviations: ``|mu' - mu| / sqrt(sum var)``."""
        size = self.variance.sum().sqrt()
        return float((later.mean - self.mean).norm() / size) if size > 0 else 0.0

    def spread_to(self, later: "Spread") -> float:
        """How much the standard deviations changed: ``|s' - s| / |s|``."""
        size = self.variance.sum().sqrt()
        return float((later.variance.sqrt() - self.variance.sqrt()).norm() / size) if size > 0 else 0.0

    def overall(self) -> tuple[float, float]:
        """Mean and standard deviation over all units."""
        variance = self.variance.mean() + self.mean.var(correction=0)
        return float(self.mean.mean()), float(variance.sqrt())


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


@torch.no_grad()
def look(
    layers: dict[str, nn.Module], forward: Callable[[], Any]
) -> tuple[dict[str, dict[str, Any]], dict[str, Spread]]:
    """Per layer, a row of statistics of a forward pass, and the spread of its input.

    Nothing for a model of the user's own whose pass fails.
    """
    rows: dict[str, dict[str, Any]] = {}
    spreads: dict[str, Spread] = {}
    last: list[tuple[str, nn.Module]] = []

    def enter(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any) -> None:
            rows.setdefault(name, {})  # in the order of the calls
            if inputs and isinstance(inputs[0], Tensor) and inputs[0].is_floating_point():
                spreads[name] = Spread.of(units_of(inputs[0].float(), module))
                mean, std = spreads[name].overall()
                rows[name].update(input_mean=mean, input_std=std)

        return hook

    def leave(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, out: Any) -> None:
            last[:] = [(name, module)]
            if isinstance(module, nn.RNNBase) and isinstance(out[0], Tensor):
                kind = {"RNN_TANH": "Tanh", "RNN_RELU": "ReLU"}.get(module.mode, module.mode)
                row = unit_row(kind, out[0].float(), module)
                if module.mode in GATED and isinstance(inputs[0], Tensor):
                    row["saturated"] = max(row["saturated"], closed_gates(module, inputs[0]))
                rows.setdefault(name, {}).update(row)

        return hook

    def hear(activation: str, out: Tensor) -> None:
        if last:
            name, module = last[0]
            rows.setdefault(name, {}).update(unit_row(activation, out.float(), module))

    with ExitStack() as stack:
        for name, m in layers.items():
            stack.callback(m.register_forward_pre_hook(enter(name)).remove)
            stack.callback(m.register_forward_hook(leave(name)).remove)
        stack.enter_context(Calls(hear))
        try:
            forward()
        except Exception:  # a model of the user's own that cannot be probed is not watched
            return {}, {}
    return rows, spreads


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


def closed_gates(module: nn.RNNBase, x: Tensor) -> float:
    """The share of an LSTM's or GRU's first gates that the step's input alone (..., inputs) drives to a bound.

    Their outputs would not tell: a closed gate keeps them away from the bounds of the hyperbolic tangent.
    """
    weight, _, *biases = module.all_weights[0]
    sums = F.linear(x, weight, biases[0] + biases[1] if module.bias else None)
    return float((sums.abs() > math.log(1 / NEAR - 1)).float().mean())  # a sigmoid within 1 % of 0 or 1


def unit_row(activation: str, values: Tensor, layer: nn.Module) -> dict[str, Any]:
    """What an activation gives: its spread, and the shares of dead units and of saturated outputs."""
    units = units_of(values, layer)
    mean, std = Spread.of(units).overall()
    dead = saturated = 0.0
    if activation in RESTING:
        dead = float((units.abs().amax(0) == 0).float().mean())
    if activation in BOUNDS:
        low, high = BOUNDS[activation]
        inside = (values - (low + high) / 2).abs() < (0.5 - NEAR) * (high - low)
        saturated = 1.0 - float(inside.float().mean())
    return {
        "activation": activation,
        "mean": mean,
        "std": std,
        "dead": dead,
        "saturated": saturated,
    }
