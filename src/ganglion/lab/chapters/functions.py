"""What networks can express: one wide layer, many narrow ones, and feedforward networks of other kinds."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars, curves
from ganglion.lab.tools import accuracy, train
from ganglion.nn.activations import activation_named


@experiment(
    "universal-approximation",
    topic="building blocks",
    claim="One hidden layer with enough units approximates any continuous function.",
    method="sin(2 pi x) on [0, 1] by one hidden layer of 2 to 50 units with random inner weights and the best "
    "outer ones (least squares); the best of 20 draws, by its largest error on 2,001 points. Activations: tanh, "
    "sigmoid, ReLU, and the powers z^2 and z^3.",
    verdict="holds when",
    reading="It holds when the activation is no polynomial: the error falls with the width. With z^2 or z^3 every "
    "network is a polynomial of that degree, and width does not help. That a good network exists says nothing about "
    "its size for harder functions, nor whether training finds it.",
    concepts=("universal-approximation", "hidden-layer", "activation-function"),
    corrects=("W66",),
    sources=("Cybenko 1989", "Leshno et al. 1993"),
)
def universal_approximation(lab: Setting) -> Shown:
    """Width and activation."""
    widths, seeds = (2, 5, 10, 20, 50), lab.seeds(6, 2)
    activations = {name: activation_named(name).function for name in ("tanh", "sigmoid", "relu")}
    activations |= {"square": torch.square, "cube": lambda z: z**3}
    found = {
        name: [[best_error(seed, width, f) for seed in seeds] for width in widths]
        for name, f in activations.items()
    }
    table = {name: {f"{w} units": v for w, v in zip(widths, values)} for name, values in found.items()}

    def draw(ax):
        lines = {name: np.array(values).T for name, values in found.items()}
        curves(ax, widths, lines, names=("hidden units", "largest error"), log="xy", legend="lower left")
        ax.set_xticks(widths, [str(w) for w in widths])

    fixed = [v for name in ("square", "cube") for values in found[name] for v in values]
    return Shown(
        table,
        [
            Check.below("tanh, 50 units", table["tanh"]["50 units"], 0.01),
            Check.below("sigmoid, 50 units", table["sigmoid"]["50 units"], 0.01),
            Check.more(
                "tanh: 2 units against 10", table["tanh"]["2 units"], table["tanh"]["10 units"], times=3
            ),
            Check.more(
                "tanh: 10 units against 50", table["tanh"]["10 units"], table["tanh"]["50 units"], times=3
            ),
            Check.more(
                "ReLU: 5 units against 50", table["relu"]["5 units"], table["relu"]["50 units"], times=3
            ),
            Check.above("fixed powers, any width", fixed, 0.05),
        ],
        draw,
    )


def best_error(seed: int, width: int, f) -> float:
    """The smallest largest error of 20 networks whose hidden units bend at random places of [-0.1, 1.1]."""
    generator = torch.Generator().manual_seed(seed)
    draw = {"generator": generator, "dtype": torch.float64}
    slope = 6 * torch.randn(20, width, 1, **draw)
    place = 1.2 * torch.rand(20, width, 1, **draw) - 0.1

    def features(x: Tensor) -> Tensor:
        hidden = f(slope * (x - place)).transpose(1, 2)
        return torch.cat([hidden, torch.ones(20, len(x), 1, dtype=torch.float64)], 2)

    x, fine = torch.linspace(0, 1, 201, dtype=torch.float64), torch.linspace(0, 1, 2001, dtype=torch.float64)
    goal = torch.sin(2 * torch.pi * x).expand(20, -1).unsqueeze(2)
    outer = torch.linalg.lstsq(features(x), goal, driver="gelsd").solution
    gaps = (features(fine) @ outer).squeeze(2) - torch.sin(2 * torch.pi * fine)
    return float(gaps.abs().amax(1).min())


@experiment(
    "depth-against-width",
    topic="building blocks",
    claim="Deep networks need far fewer units than shallow ones.",
    method="The tent map applied k times, a zigzag of 2^(k-1) teeth. A network of k ReLU layers with 2 units each is "
    "written down; one hidden layer gets the same 2k units at the best of 50 random placings, fitted by least "
    "squares, and then as many as it needs. The same two budgets on one period of a sine.",
    verdict="holds when",
    reading="It holds for functions that repeat a fold: each layer doubles the teeth, while a shallow network buys "
    "every corner with a unit. A smooth function without that structure is fitted as well by one layer.",
    concepts=("deep-neural-network", "shallow-neural-network", "universal-approximation"),
    sources=("Telgarsky 2016, arXiv:1602.04485", "Montufar et al. 2014, arXiv:1402.1869"),
)
def depth_against_width(lab: Setting) -> Shown:
    """Two units a layer against all units in one."""
    x = torch.linspace(0, 1, 2801, dtype=torch.float64)
    seeds, folds, table = lab.seeds(4, 1), (2, 3, 4, 6, 8), {}
    for k in folds:
        goal = tent(x, k)
        table[f"{k} folds"] = {
            "units, deep": 2 * k,
            "error, deep": float((deep_tent(x, k) - goal).abs().mean()),
            "error, shallow with as many": [shallow_error(seed, x, goal, 2 * k) for seed in seeds],
            "units that shallow needs": corners(tent(torch.linspace(0, 1, 4097), k)) + 1,
        }
    sine = 0.5 + 0.5 * torch.sin(2 * torch.pi * x)
    table["one sine"] = {"error, shallow with as many": [shallow_error(seed, x, sine, 16) for seed in seeds]}

    def draw(ax):
        rows = [table[f"{k} folds"] for k in folds]
        lines = {
            "deep": [r["units, deep"] for r in rows],
            "shallow": [r["units that shallow needs"] for r in rows],
        }
        curves(ax, folds, lines, names=("folds", "units for an exact answer"), log="y")

    needed = table["8 folds"]["units that shallow needs"]
    return Shown(
        table,
        [
            Check.below(
                "error of the deep network", [table[f"{k} folds"]["error, deep"] for k in folds], 1e-9
            ),
            Check.above(
                "shallow error with 16 units, 8 folds", table["8 folds"]["error, shallow with as many"], 0.15
            ),
            Check.below(
                "shallow error with 16 units, one sine",
                table["one sine"]["error, shallow with as many"],
                0.05,
            ),
            Check.above("units that shallow needs for 8 folds", needed, 200),
        ],
        draw,
        {"error": "mean absolute error on [0, 1]; a constant 1/2 has 0.25 on the zigzag"},
    )


def tent(x: Tensor, k: int) -> Tensor:
    """The tent map min(2x, 2 - 2x), k times."""
    for _ in range(k):
        x = torch.minimum(2 * x, 2 - 2 * x)
    return x


def deep_tent(x: Tensor, k: int) -> Tensor:
    """The same by k layers of two ReLU units: 2 relu(x) - 4 relu(x - 1/2)."""
    inner = torch.tensor([[1.0], [1.0]], dtype=x.dtype), torch.tensor([0.0, -0.5], dtype=x.dtype)
    outer = torch.tensor([[2.0, -4.0]], dtype=x.dtype)
    h = x.unsqueeze(1)
    for _ in range(k):
        h = F.linear(torch.relu(F.linear(h, *inner)), outer)
    return h.squeeze(1)


def corners(y: Tensor) -> int:
    """At how many places inside a piecewise linear function changes its slope."""
    slopes = y.diff().sign()
    return int((slopes[1:] != slopes[:-1]).sum())


def shallow_error(seed: int, x: Tensor, goal: Tensor, units: int) -> float:
    """The smallest mean error of 50 networks of one ReLU layer with random corners and fitted outer weights."""
    places = torch.rand(50, 1, units, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))
    one = torch.ones(50, len(x), 1, dtype=x.dtype)
    features = torch.cat([torch.relu(x[None, :, None] - places), x[None, :, None] * one, one], 2)
    outer = torch.linalg.lstsq(features, goal.expand(50, -1).unsqueeze(2), driver="gelsd").solution
    return float(((features @ outer).squeeze(2) - goal).abs().mean(1).min())


@experiment(
    "feedforward-kinds",
    topic="building blocks",
    claim="Feedforward networks are multilayer perceptrons: they connect neighbouring layers only, and take inputs of "
    "one length only.",
    method="Does a series of numbers hold three large ones in a row? A convolution and an attention network, both "
    "without any loop, are trained on series of 20 (the better of two starts) and asked about series of 20, 60 and "
    "200; a multilayer perceptron beside them. And a network with links past its layers, whose layers are then cut.",
    verdict="does not hold",
    reading="Feedforward only means that nothing runs in a circle. Convolutions and attention take series of any "
    "length, and links may skip layers; the multilayer perceptron is one kind.",
    concepts=("feedforward-neural-network", "multilayer-perceptron"),
    corrects=("W62", "W63"),
    sources=(
        "Bai et al. 2018, arXiv:1803.01271",
        "Vaswani et al. 2017, arXiv:1706.03762",
        "He et al. 2016, arXiv:1512.03385",
    ),
)
def feedforward_kinds(lab: Setting) -> Shown:
    """Convolution and attention at lengths never seen; a network with its layers cut."""
    seeds, table = lab.seeds(4, 1), {}
    lengths = (20, 60, 200)
    for name, make in (("convolution", Convolved), ("attention", Attending), ("multilayer perceptron", Flat)):
        table[name] = {f"length {n}": [] for n in lengths}
        for seed in seeds:
            net = learned(seed, make, lab.pick(300, 80))
            for n in lengths if name != "multilayer perceptron" else lengths[:1]:
                table[name][f"length {n}"].append(accuracy(net, *series(200, n)))
        table[name] = {column: values for column, values in table[name].items() if values}
    for name, linked in (("links past the layers", True), ("no links", False)):
        table[name] = {"output's spread, layers cut": [spread_when_cut(seed, linked) for seed in seeds]}

    def draw(ax):
        shown = {
            f"{name}, {column.split()[1]} steps": v
            for name, cells in table.items()
            for column, v in cells.items()
            if "length" in column
        }
        bars(
            ax,
            shown,
            x="accuracy (trained on 20 steps)",
            mark=[n for n in shown if "20 steps" not in n],
            line=0.5,
        )

    long = [*table["convolution"]["length 200"], *table["attention"]["length 200"]]
    return Shown(
        table,
        [
            Check.above("accuracy at ten times the length", long, 0.75),
            Check.above(
                "output's spread through links alone",
                table["links past the layers"]["output's spread, layers cut"],
                0.01,
            ),
            Check.below("without links", table["no links"]["output's spread, layers cut"], 1e-9),
        ],
        draw,
    )


def learned(seed: int, make: type[nn.Module], steps: int) -> nn.Module:
    """The better of two starts, by its last training loss."""
    torch.manual_seed(seed)
    runs = []
    for _ in range(2):
        net = make()
        runs.append(
            (train(net, torch.optim.Adam(net.parameters(), lr=0.01), *series(200, 20), steps=steps)[-1], net)
        )
    return min(runs, key=lambda run: run[0])[1]


def series(n: int, length: int) -> tuple[Tensor, Tensor]:
    """Noise with three large values, side by side in half of the series (class 1), apart in the others."""
    x, y = torch.rand(n, length) * 2 - 1, torch.arange(n) % 2
    for i in range(n):
        at = int(torch.randint(0, length - 8, ()))
        x[i, [at, at + 1, at + 2] if y[i] else [at, at + 3, at + 7]] = 2.0
    return x, y


class Convolved(nn.Module):
    """A convolution over time, then the largest value of each map: (n, any length) -> (n, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv1d(1, 8, 3), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, steps) -> (n, 2)."""
        return self.out(torch.relu(self.conv(x.unsqueeze(1))).amax(2))


class Attending(nn.Module):
    """Attention of every step to those at most two away, then the largest values: (n, any length) -> (n, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.mix, self.out = nn.Linear(1, 16), nn.Linear(16, 16), nn.Linear(16, 2)
        self.near = nn.Parameter(torch.zeros(5))  # a score for each distance from -2 to 2

    def forward(self, x: Tensor) -> Tensor:
        """(n, steps) -> (n, 2)."""
        h = torch.relu(self.into(x.unsqueeze(2)))
        apart = torch.arange(x.shape[1])[:, None] - torch.arange(x.shape[1])
        bias = torch.where(apart.abs() <= 2, self.near[apart.clamp(-2, 2) + 2], -torch.inf)
        h = F.scaled_dot_product_attention(h, h, h, attn_mask=bias)
        return self.out(torch.relu(self.mix(h)).amax(1))


class Flat(nn.Module):
    """A multilayer perceptron: (n, 20) -> (n, 2), and no other length."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, x: Tensor) -> Tensor:
        """(n, 20) -> (n, 2)."""
        return self.layers(x)


@torch.no_grad()
def spread_when_cut(seed: int, linked: bool) -> float:
    """Standard deviation of a network's output over inputs, once the weights between its layers are 0."""
    torch.manual_seed(seed)
    layers, past = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)), nn.Linear(8, 4)
    for p in layers.parameters():
        p.zero_()
    x = torch.randn(100, 8)
    return float((layers(x) + (past(x) if linked else 0.0)).std())
