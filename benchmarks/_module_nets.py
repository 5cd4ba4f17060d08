"""Five architectures from torch modules, as makers ``(n_features, n_outputs) -> nn.Module``, sound or damaged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ARCHITECTURES = ("dense", "deep", "conv", "recurrent", "residual")
AS_MODULE: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU, "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU, "sigmoid": nn.Sigmoid, "none": nn.Identity,
}  # fmt: skip
AS_FUNCTION: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu, "tanh": torch.tanh, "gelu": F.gelu, "silu": F.silu, "leaky_relu": F.leaky_relu,
    "elu": F.elu, "sigmoid": torch.sigmoid, "none": lambda x: x,
}  # fmt: skip


@dataclass
class Net:
    """A network to be: shape, parts, and what is done to it before training.

    ``channels`` x ``length`` is how a convolution or a recurrent layer reads a row; ``inside`` is put behind
    the first layer; ``damage`` changes the weights of the finished module.
    """

    arch: str
    width: int = 64
    depth: int = 2
    activation: str = "relu"
    norm: str = "none"
    dropout: float = 0.0
    functional: bool = False
    cell: str = "LSTM"
    image: bool = False
    shape: tuple[int, int] = (1, 16)
    he: bool = False
    inside: Callable[[int], nn.Module] | None = None
    damage: Callable[[nn.Module], Any] | None = None
    bottleneck: int = 0
    norm_momentum: float = 0.1
    skip: float = 1.0

    def __call__(self, n_features: int, n_outputs: int) -> nn.Module:
        """The module, for an estimator's ``module=``."""
        module = BUILDERS[self.arch](self, n_features, n_outputs)
        if self.he:
            start_well(module, self.activation)
        if self.damage is not None:
            with torch.no_grad():
                self.damage(module)
        return module

    def act(self) -> nn.Module:
        """The activation, as a module or as a function inside one."""
        return Lambda(AS_FUNCTION[self.activation]) if self.functional else AS_MODULE[self.activation]()

    def normalise(self, width: int, dims: int = 1) -> nn.Module:
        """The normalisation behind a layer, if there is one."""
        if self.norm == "batch":
            kind = nn.BatchNorm2d if dims == 3 else nn.BatchNorm1d
            return kind(width, momentum=self.norm_momentum)
        if self.norm == "layer":
            return nn.LayerNorm(width) if dims == 1 else nn.GroupNorm(1, width)
        return nn.Identity()

    def tail(self, width: int, n_outputs: int) -> list[nn.Module]:
        """From the last hidden layer to the outputs, through a bottleneck where there is one."""
        drop: list[nn.Module] = [nn.Dropout(self.dropout)] if self.dropout else []
        if self.bottleneck:
            return [*drop, nn.Linear(width, self.bottleneck), nn.Linear(self.bottleneck, n_outputs)]
        return [*drop, nn.Linear(width, n_outputs)]

    def put_inside(self, width: int) -> list[nn.Module]:
        """What is put behind the first layer."""
        return [self.inside(width)] if self.inside else []


class Lambda(nn.Module):
    """A function in a chain; it calls ``torch`` as a hand-written forward would."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """The function of x."""
        return self.function(x)


def start_well(module: nn.Module, activation: str) -> None:
    """He's start for rectifiers, Glorot's for bounded activations, biases 0."""
    layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    for m in layers:
        if activation in ("tanh", "sigmoid", "none"):
            nn.init.xavier_uniform_(m.weight, gain=1.0 if activation != "tanh" else 5 / 3)
        else:
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
        if m.bias is not None:
            nn.init.zeros_(m.bias)
    with torch.no_grad():
        layers[-1].weight.mul_(0.3)


def dense(net: Net, n_features: int, n_outputs: int) -> nn.Module:
    """Linear, norm, activation, dropout, ``depth`` times; also the deep one."""
    layers: list[nn.Module] = []
    size = n_features
    for i in range(net.depth):
        layers += [nn.Linear(size, net.width), net.normalise(net.width), net.act()]
        layers += net.put_inside(net.width) if i == 0 else []
        layers += [nn.Dropout(net.dropout)] if net.dropout and i < net.depth - 1 else []
        size = net.width
    return nn.Sequential(*layers, *net.tail(size, n_outputs))


def conv(net: Net, n_features: int, n_outputs: int) -> nn.Module:
    """Convolutions of width 3 over images or series, one pooling in the middle, a dense end."""
    dims = 3 if net.image else 2
    shape = (1, 8, 8) if net.image else net.shape
    make = nn.Conv2d if net.image else nn.Conv1d
    # without an activation the whole network is to be linear, and a maximum is not
    pool = getattr(nn, f"{'Avg' if net.activation == 'none' else 'Max'}Pool{dims - 1}d")
    layers: list[nn.Module] = [nn.Unflatten(1, shape)]
    size, length = shape[0], shape[-1]
    for i in range(net.depth):
        layers += [make(size, net.width, 3, padding=1), net.normalise(net.width, dims), net.act()]
        layers += net.put_inside(net.width) if i == 0 else []
        if i == 0:
            layers.append(pool(2))
            length //= 2
        size = net.width
    flat = size * length ** (2 if net.image else 1)
    hidden = [nn.Linear(flat, 64), net.act()]
    return nn.Sequential(*layers, nn.Flatten(), *hidden, *net.tail(64, n_outputs))


class LinearCell(nn.Module):
    """A recurrent layer without gates or bounds: ``h_t = V x_t + U h_{t-1} + b``."""

    def __init__(self, channels: int, width: int, **_: Any) -> None:
        super().__init__()
        self.read, self.keep = nn.Linear(channels, width), nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, steps, channels) -> all states (n, steps, width) and the last one, as ``nn.RNN`` gives them."""
        states = [self.read(x[:, 0])]
        for t in range(1, x.shape[1]):
            states.append(self.read(x[:, t]) + self.keep(states[-1]))
        return torch.stack(states, 1), states[-1]


class Recurrent(nn.Module):
    """A recurrent layer over the steps of a row; its last or mean state goes to a dense end."""

    def __init__(self, net: Net, n_features: int, n_outputs: int) -> None:
        super().__init__()
        channels, self.length = net.shape
        self.channels = channels
        more = {"nonlinearity": "relu" if net.activation == "relu" else "tanh"} if net.cell == "RNN" else {}
        kind = LinearCell if net.activation == "none" else getattr(nn, net.cell)
        self.cell = kind(channels, net.width, num_layers=net.depth, batch_first=True, **more)
        self.mean = net.norm == "layer"
        self.inside = nn.Sequential(*net.put_inside(net.width))
        self.head = nn.Sequential(*net.tail(net.width, n_outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels * length) -> (n, outputs)."""
        states, _ = self.cell(x.reshape(len(x), self.length, self.channels))
        return self.head(self.inside(states.mean(1) if self.mean else states[:, -1]))


class Block(nn.Module):
    """``skip * x + W2 act(norm(W1 x))``; ``skip`` is 1 in a sound one."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.norm = net.normalise(net.width)
        self.first, self.second = nn.Linear(net.width, net.width), nn.Linear(net.width, net.width)
        self.act, self.skip = net.act(), net.skip

    def forward(self, x: Tensor) -> Tensor:
        """(n, width) -> (n, width)."""
        return self.skip * x + self.second(self.act(self.first(self.norm(x))))


def residual(net: Net, n_features: int, n_outputs: int) -> nn.Module:
    """A dense stem, ``depth`` blocks, a dense end."""
    stem = [nn.Linear(n_features, net.width), *net.put_inside(net.width)]
    blocks = [Block(net) for _ in range(net.depth)]
    return nn.Sequential(*stem, *blocks, net.act(), *net.tail(net.width, n_outputs))


BUILDERS: dict[str, Callable[[Net, int, int], nn.Module]] = {
    "dense": dense, "deep": dense, "conv": conv, "recurrent": Recurrent, "residual": residual,
}  # fmt: skip


# --- what is put inside -----------------------------------------------------------------------------------


class Overflow(nn.Module):
    """Computes something that is not finite for some inputs, or only after some steps."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, 0

    def forward(self, x: Tensor) -> Tensor:
        """Log, exponential, root or quotient of what may be zero or large."""
        if self.how == "log":
            return torch.log(torch.relu(x))
        if self.how == "exp":
            return torch.exp(200.0 * x)
        if self.how == "root":
            return torch.sqrt(torch.abs(x) - x)  # above 0 the slope is infinite times 0
        self.calls += self.training
        return x / 0.0 if self.calls > 20 else x


class Drift(nn.Module):
    """Every training step moves or stretches what the next layer sees; answers use the present state."""

    def __init__(self, how: str, rate: float) -> None:
        super().__init__()
        self.how, self.rate = how, rate
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """x stretched by ``exp(rate t)``, or moved by ``rate t``."""
        if self.training:
            self.steps += 1
        return x * torch.exp(self.rate * self.steps) if self.how == "stretch" else x + self.rate * self.steps


def sigmoids(count: int) -> Callable[[int], nn.Module]:
    """A maker of that many square sigmoid layers."""

    def make(width: int) -> nn.Module:
        return nn.Sequential(*[m for _ in range(count) for m in (nn.Linear(width, width), nn.Sigmoid())])

    return make


# --- what is done to weights ------------------------------------------------------------------------------


def matrices(module: nn.Module) -> list[Tensor]:
    """All weights with two or more axes, nearest to the input first."""
    return [p for p in module.parameters() if p.dim() > 1]


def scaled(factor: float, *, but_last: bool = True) -> Callable[[nn.Module], None]:
    """All weights but those of the last layer times a factor."""

    def damage(module: nn.Module) -> None:
        for p in matrices(module)[: -1 if but_last else None]:
            p.mul_(factor)

    return damage


def shifted(bias: float) -> Callable[[nn.Module], None]:
    """The biases of all layers but the last one moved."""

    def damage(module: nn.Module) -> None:
        layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
        for m in layers[:-1]:
            m.bias.add_(bias)
        for name, p in module.named_parameters():
            if name.startswith("cell.bias_ih"):
                p.add_(bias)

    return damage


def constant(value: float) -> Callable[[nn.Module], None]:
    """All weights equal, biases 0."""

    def damage(module: nn.Module) -> None:
        for p in module.parameters():
            p.fill_(value if p.dim() > 1 else 0.0)

    return damage
