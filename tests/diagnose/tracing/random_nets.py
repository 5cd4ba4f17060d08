"""Random small networks in double precision, and central differences that know how far a kink is.

``make(seed)`` gives a network, its input and a loss; the seed decides everything. As usual no bias stands before a
normalisation, which would take it away again: its gradient is 0 but for rounding. ``difference`` moves an entry of a
parameter or of the input.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

KINDS = ("dense", "convolution in 1-D", "convolution in 2-D", "recurrent")
AWAY = 1e-3  # an entry this far from a kink can be moved so far either way and no unit switches
STEPS = (
    (3, AWAY / 3),
    *((5, h) for h in (0.001, 0.002, 0.004, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32)),
)  # points, step
WEIGHTS = {
    2: (2 / 3, -1 / 12),
    3: (3 / 4, -3 / 20, 1 / 60),
    4: (4 / 5, -1 / 5, 4 / 105, -1 / 280),
    5: (5 / 6, -5 / 21, 5 / 84, -5 / 504, 1 / 1260),
}  # of f(k h) - f(-k h) in the central difference of order 2 m (Fornberg 1988)
STEADY = 0.1  # a normalisation of entries that hardly differ bends within thousandths
INSTANCE, BATCH = nn.modules.instancenorm._InstanceNorm, nn.modules.batchnorm._BatchNorm
NORMS = (INSTANCE, BATCH, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm)
ACTIVATIONS = (
    nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, lambda: nn.GELU("tanh"), nn.SiLU, nn.Mish,
    nn.Softplus, nn.Tanh, nn.Sigmoid, nn.LogSigmoid, nn.Softsign, nn.Tanhshrink, nn.Hardtanh, nn.Hardswish, nn.ReLU6,
)  # fmt: skip


@dataclass
class Case:
    """A network with what it is fed and what it is judged by."""

    kind: str
    module: nn.Module
    x: Tensor
    cost: Callable[[Tensor], Tensor]

    def losses(self) -> Tensor:
        """The loss of each example as it is now; what is drawn at random in the pass is drawn from seed 0."""
        if any(isinstance(m, nn.Dropout) for m in self.module):
            torch.manual_seed(0)
        return self.cost(self.module(self.x))


class Skip(nn.Module):
    """A way round a part: added, or put beside it, by a function and not by a module."""

    def __init__(self, part: nn.Module, beside: bool) -> None:
        super().__init__()
        self.part, self.beside = part, beside

    def forward(self, x: Tensor) -> Tensor:
        y = self.part(x)
        return torch.cat([x, torch.tanh(y)], 1) if self.beside else x + 0.5 * y


class Last(nn.Module):
    """A recurrent layer, and the states of its last step or the mean over all steps."""

    def __init__(self, layer: nn.Module, mean: bool) -> None:
        super().__init__()
        self.layer, self.mean = layer, mean

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.layer(x)
        return states.mean(1) if self.mean else states[:, -1]


def make(seed: int) -> Case:
    """The network of a seed: its kind is ``KINDS[seed % 4]``; drawn again until its normalisations are steady."""
    kind = KINDS[seed % 4]
    for attempt in range(100):
        draw = random.Random(f"{seed} {attempt}")
        torch.manual_seed(seed + 1000 * attempt)
        module, x = {"dense": dense, "recurrent": recurrent}.get(kind, convolutional)(draw, seed % 4)
        module = module.double()
        for p in module.parameters():  # away from the plain starts: biases 0, norms 1
            nn.init.normal_(p, 0.3 if p.dim() == 1 else 0.0, 0.5)
        outputs, spread = spreads(module, x)
        if spread > STEADY:
            break
    if draw.random() < 0.5:
        y = torch.randint(0, outputs, (len(x),))
        return Case(
            kind, module, x, lambda output: F.cross_entropy(output, y, label_smoothing=0.1, reduction="none")
        )
    goal = torch.randn(len(x), outputs, dtype=torch.float64)
    return Case(kind, module, x, lambda output: (output - goal).square().mean(1))


@torch.no_grad()
def spreads(module: nn.Module, x: Tensor) -> tuple[int, float]:
    """The number of outputs, and the smallest standard deviation that a normalisation divides by."""
    found = [math.inf]

    def look(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        x = inputs[0]
        if isinstance(norm, INSTANCE):
            rows = x.flatten(0, 1).flatten(1)
        elif isinstance(norm, BATCH):
            rows = x.transpose(0, 1).flatten(1)
        else:
            rows = x.reshape(len(x) * norm.num_groups, -1) if isinstance(norm, nn.GroupNorm) else x
        found.append(float(rows.std(1, correction=0).min()))

    norms = [m for m in module.modules() if isinstance(m, NORMS)]
    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    torch.manual_seed(0)
    outputs = module(x).shape[1]
    for hook in hooks:
        hook.remove()
    return outputs, min(found)


def dense(draw: random.Random, _: int) -> tuple[nn.Module, Tensor]:
    """One to four dense layers with norms, skips and dropout between them."""
    width, parts = draw.randint(2, 4), []
    n, x = draw.randint(4, 5), width
    for _ in range(draw.randint(1, 4)):
        out = draw.randint(2, 5)
        norm = draw.choice([None, None, nn.BatchNorm1d, nn.LayerNorm, nn.RMSNorm]) if out > 2 else None
        parts += [nn.Linear(width, out, bias=norm is None)]
        parts += [norm(out)] if norm else []
        parts += [draw.choice(ACTIVATIONS)()]
        parts += [nn.Dropout(0.3)] if draw.random() < 0.2 else []
        width = out
        if draw.random() < 0.5:
            beside = draw.random() < 0.4
            parts.append(Skip(nn.Sequential(nn.Linear(width, width), draw.choice(ACTIVATIONS)()), beside))
            width *= 1 + beside
    return nn.Sequential(*parts, nn.Linear(width, draw.randint(2, 3))), torch.randn(n, x, dtype=torch.float64)


def convolutional(draw: random.Random, axes: int) -> tuple[nn.Module, Tensor]:
    """One to three convolutions with norms, pools and skips, then a dense layer."""
    conv, batch, instance = (getattr(nn, f"{name}{axes}d") for name in ("Conv", "BatchNorm", "InstanceNorm"))
    channels, size, parts = 2, (8 if axes == 1 else 5), []
    x = torch.randn(2, channels, *[size] * axes, dtype=torch.float64)
    for i in range(draw.randint(1, 3 if axes == 1 else 2)):
        out, dilation = draw.choice([2, 4]), draw.choice([1, 1, 2])
        options = {"stride": draw.choice([1, 2]) if i == 0 else 1, "padding": dilation, "dilation": dilation,
                   "groups": draw.choice([1, 2]), "padding_mode": draw.choice(["zeros", "circular"])}  # fmt: skip
        norm = draw.choice([None, batch, lambda c: instance(c, affine=True), lambda c: nn.GroupNorm(2, c)])
        parts.append(conv(channels, out, draw.choice([2, 3]), bias=norm is None, **options))
        parts += [norm(out)] if norm else []
        parts += [draw.choice(ACTIVATIONS)()]
        channels = out
        if draw.random() < 0.5:
            inner = nn.Sequential(
                conv(channels, channels, 3, padding=1, groups=2, bias=False), draw.choice(ACTIVATIONS)()
            )
            beside = draw.random() < 0.4
            parts.append(Skip(inner, beside))
            channels *= 1 + beside
    pool = draw.choice(["MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool"])
    parts += [getattr(nn, f"{pool}{axes}d")(2), nn.Flatten()]
    with torch.no_grad():
        width = nn.Sequential(*parts).double()(x).shape[1]
    return nn.Sequential(*parts, nn.Linear(width, 2)), x


def recurrent(draw: random.Random, _: int) -> tuple[nn.Module, Tensor]:
    """A plain, LSTM or GRU layer or two, one way or both, and a dense head."""
    kind, features, units = draw.choice(["tanh", "relu", "lstm", "gru"]), 2, draw.randint(2, 3)
    layers = (
        1 if kind == "relu" else draw.randint(1, 2)
    )  # so that its output shows every unit that can switch
    options = {"num_layers": layers, "batch_first": True, "bias": draw.random() < 0.8,
               "bidirectional": draw.random() < 0.3}  # fmt: skip
    cell = {"lstm": nn.LSTM, "gru": nn.GRU}.get(kind, nn.RNN)
    options |= {"nonlinearity": kind} if kind in ("tanh", "relu") else {}
    body = Last(cell(features, units, **options), draw.random() < 0.5)
    width = units * (1 + options["bidirectional"])
    head = [nn.LayerNorm(width)] if width > 2 and draw.random() < 0.5 else []
    head += [draw.choice(ACTIVATIONS)(), nn.Linear(width, 2)]
    steps = draw.randint(3, 6)
    return nn.Sequential(body, *head), torch.randn(2, steps, features, dtype=torch.float64)


BENDS = {"relu": (0.0,), "leaky_relu": (0.0,), "prelu": (0.0,), "elu": (0.0,), "selu": (0.0,), "celu": (0.0,),
         "softsign": (0.0,), "hardswish": (-3.0, 3.0)}  # fmt: skip


class Pattern(TorchFunctionMode):
    """On which side of its bends every pre-activation of a pass lies, and which entry every maximum took."""

    def __init__(self) -> None:
        super().__init__()
        self.sides: list[Tensor] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result, name = func(*args, **(kwargs or {})), getattr(func, "__name__", "")
        if name in BENDS:
            self.sides += [args[0] > bend for bend in BENDS[name]]
        elif name == "hardtanh":  # ReLU6 too
            self.sides += [args[0] > kwargs["min_val"], args[0] > kwargs["max_val"]]
        elif "max_pool" in name:
            _, index = getattr(F, name)(*args, **{**(kwargs or {}), "return_indices": True})
            self.sides.append(index)
        elif name == "rnn_relu":
            self.sides.append(result[0] > 0)
        return result


def side(case: Case) -> bytes:
    """The pattern of a pass."""
    with torch.no_grad(), Pattern() as seen:
        case.losses()
    return b"".join(side.numpy().tobytes() for side in seen.sides)


def entries(case: Case) -> Iterator[tuple[str, Tensor]]:
    """Everything that can be moved."""
    yield "input", case.x
    for name, p in case.module.named_parameters():
        yield name, p.data


@torch.no_grad()
def difference(case: Case, flat: Tensor, i: int, pattern: bytes) -> float | None:
    """The central difference in entry ``i``; ``None`` if a kink is nearer than ``AWAY``.

    ``sum_k w_k (f(k h) - f(-k h)) / h`` over m points has a truncation error that grows with h^2m and a rounding
    error of about 1e-16 |f| / h. Where the two, estimated from the differences alone, are too large for the
    entry's size, larger steps with more points are tried as long as no unit switches on the way.
    """
    start, best, least = float(flat[i]), 0.0, math.inf

    def at(place: float, what: Callable[[], Any]) -> Any:
        flat[i] = start + place
        found = what()
        flat[i] = start
        return found

    for m, h in STEPS:
        if any(at(end, lambda: side(case)) != pattern for end in (m * h, -m * h)):
            break
        gaps = [at(k * h, case.losses) - at(-k * h, case.losses) for k in range(1, m + 1)]
        rises = [math.fsum(gap.tolist()) / len(gap) for gap in gaps]  # no rounding from examples that stay
        fine, coarse = (sum(w * rise for w, rise in zip(WEIGHTS[points], rises)) / h for points in (m, m - 1))
        error = abs(fine - coarse) * (0.01 if m == 3 else 1) + 1e-16 / h
        if error < least:
            best, least = fine, error
        if error < 1e-7 * max(abs(fine), 1e-8):
            break
    return None if least == math.inf else best
