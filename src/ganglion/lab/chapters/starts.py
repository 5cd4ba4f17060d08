"""How weights start: which variance, why not zeros, and what orthogonal and data-driven starts add."""

import math

import torch
from torch import Tensor, nn

from ganglion.lab.depth import rows, signals, stack
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.nn.activations import activation_named
from ganglion.nn.dense import DenseStack
from ganglion.nn.init import init_named, initialise, scale_outputs
from ganglion.plot.style import BLUE, GREY, ORANGE, quiet

WIDTH = 128
RATES = (1.0, 4.0, 16.0)  # of learning a deep map: from too small to too large


@experiment(
    "xavier-formula",
    topic="signals and starts",
    claim="Xavier's start has mean 0 and standard deviation 2 / sqrt(n).",
    method="Two rules for normal weights, 2 / sqrt(n) and sqrt(2 / (fan_in + fan_out)), in stacks of equal layers: "
    "values after 30 linear layers, gradients through 30 ReLU layers, saturated tanh units in layer 10.",
    verdict="does not hold",
    reading="The variance is 2 / (fan_in + fan_out), so the standard deviation is the root of that: half as large as "
    "the wrong formula for equal widths. At 2 / sqrt(n) every layer doubles the signal.",
    concepts=("xavier-initialization", "weight-initialization", "random-initialization"),
    corrects=("W3",),
    sources=("Glorot and Bengio 2010",),
)
def xavier_formula(lab: Setting) -> Shown:
    """The wrong formula against the right one."""
    seeds, table = lab.seeds(8, 3), {}
    for name, init in (("2 / sqrt(n)", f"normal({2 / WIDTH**0.5})"), ("sqrt(2 / (in + out))", "glorot")):
        cells: dict[str, list[float]] = {"linear: output's std": [], "ReLU: log10 gradient ratio": []}
        cells |= {"tanh: saturated units": []}
        for seed in seeds:
            torch.manual_seed(seed)
            x = rows(64, WIDTH)
            cells["linear: output's std"].append(signals(stack(30, WIDTH, "identity", init), x).std[-1])
            cells["ReLU: log10 gradient ratio"].append(signals(stack(30, WIDTH, "relu", init), x).ratio)
            with torch.no_grad():
                h = nn.Sequential(*stack(10, WIDTH, "tanh", init))(x)
            cells["tanh: saturated units"].append(float((h.abs() > 0.99).double().mean()))
        table[name] = cells
    wrong, right = table.values()
    drawn = init_named("glorot_normal")
    spread = []
    for fan_out, fan_in in ((100, 300), (400, 200), (1000, 50)):
        drawn(weight := torch.empty(fan_out, fan_in))
        spread.append(float(weight.std()) / math.sqrt(2 / (fan_in + fan_out)))

    def draw(ax):
        shown = {name: cells["linear: output's std"] for name, cells in table.items()}
        bars(ax, shown, x="standard deviation after 30 linear layers", log=True, mark=list(shown)[1:])

    return Shown(
        table,
        [
            Check.above("linear output's std at 2 / sqrt(n)", wrong["linear: output's std"], 1e6),
            Check.between("at the right formula", right["linear: output's std"], 0.02, 50),
            Check.above("gradient's growth at 2 / sqrt(n)", wrong["ReLU: log10 gradient ratio"], 2.5),
            Check.above("saturated share at 2 / sqrt(n)", wrong["tanh: saturated units"], 0.03),
            Check.below("saturated share at the right formula", right["tanh: saturated units"], 0.005),
            Check.between("drawn std / sqrt(2 / (fan_in + fan_out))", spread, 0.97, 1.03),
        ],
        draw,
        {"width": WIDTH, "saturated": "|tanh| above 0.99"},
    )


@experiment(
    "he-or-xavier",
    topic="signals and starts",
    claim="ReLU networks need He's start; Xavier's is too small for them.",
    method="2 and 20 hidden layers of ReLU, and 20 of tanh, on the digits under both starts: the last layer's values "
    "over the first's, and the training loss after some steps of gradient descent.",
    verdict="holds when",
    reading="It holds for deep ReLU networks without normalisation: ReLU halves the second moment in each layer, a "
    "thousandth of the values' size is left after 20, and the first steps learn nothing. Two ReLU layers learn under "
    "either start, and so do 20 tanh layers (which He's start even suits a little better here).",
    concepts=("he-initialization", "xavier-initialization", "relu"),
    sources=("He et al. 2015, arXiv:1502.01852", "Glorot and Bengio 2010"),
)
def he_or_xavier(lab: Setting) -> Shown:
    """Two starts in deep and shallow networks."""
    seeds, steps, table = lab.seeds(12, 4), 60, {}
    for depth, activation in ((2, "relu"), (20, "relu"), (20, "tanh")):
        for init in ("he", "glorot"):
            chosen = seeds if (depth, activation) == (20, "relu") else seeds[: len(seeds) // 2]
            passed, lost = zip(*(started(seed, depth, activation, init, steps) for seed in chosen))
            table[f"{depth} {activation} layers, {init}"] = {"last values / first": passed, "loss": lost}

    def draw(ax):
        shown = {name: cells["loss"] for name, cells in table.items()}
        marked = [name for name in shown if "he" in name]
        bars(ax, shown, x="training loss (dashed: guessing)", mark=marked, line=math.log(10))

    either = [
        v
        for kind in ("2 relu", "20 tanh")
        for init in ("he", "glorot")
        for v in table[f"{kind} layers, {init}"]["loss"]
    ]
    he, xavier = table["20 relu layers, he"], table["20 relu layers, glorot"]
    return Shown(
        table,
        [
            Check.between("20 ReLU layers, He: values kept", he["last values / first"], 0.02, 50),
            Check.below("20 ReLU layers, Xavier: values kept", xavier["last values / first"], 0.02),
            Check.between(
                "20 ReLU layers, Xavier: loss, where guessing gives 2.30", xavier["loss"], 2.2, 2.4
            ),
            Check.more("20 ReLU layers: mean loss under Xavier over He", xavier["loss"], he["loss"], by=0.02),
            Check.below("loss of the others under either start", either, 1.9),
        ],
        draw,
        {"steps": steps, "units": 64},
    )


def started(seed: int, depth: int, activation: str, init: str, steps: int) -> tuple[float, float]:
    """How the start passes values on, and the training loss after some steps."""
    torch.manual_seed(seed)
    X, y, *_ = digits(600, seed)
    X = (X - X.mean()) / X.std()
    net = DenseStack([64] * (depth + 1) + [10], activation)
    initialise(net, init)
    with torch.no_grad():
        h, first = X, 0.0
        for i, linear in enumerate(net.linears[:-1]):
            h = net.activations[i](linear(h))
            first = first or float(h.std())
    losses = train(
        net, torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9), X, y, steps=steps, batch=100
    )
    return float(h.std()) / first, sum(losses[-6:]) / 6


@experiment(
    "symmetry",
    topic="signals and starts",
    claim="If all weights start equal, the units of a layer stay copies of each other.",
    method="A hidden layer of 16 tanh units on the digits, trained by gradient descent from zeros, from a constant, "
    "and from random numbers down to a hundredth of the constant's size.",
    verdict="holds",
    reading="Equal units get equal gradients. Small random numbers are enough to part them; zeros stop even the "
    "hidden layer's gradient.",
    concepts=("weight-initialization", "random-initialization"),
    sources=("Goodfellow et al. 2016, Deep Learning, sec. 8.4",),
)
def symmetry(lab: Setting) -> Shown:
    """Zeros, a constant, small random numbers."""
    starts = {
        "zeros": "zeros",
        "all 0.01": None,
        "normal, std 0.1": "normal(0.1)",
        "normal, std 1e-4": "normal(1e-4)",
    }
    seeds, table = lab.seeds(5, 2), {}
    for name, init in starts.items():
        different, right = zip(*(parted(seed, init) for seed in seeds))
        table[name] = {"different units": different, "accuracy": right}

    def draw(ax):
        units = {name: round(sum(cells["different units"]) / len(seeds)) for name, cells in table.items()}
        scores = {f"{name}\n({units[name]} different)": cells["accuracy"] for name, cells in table.items()}
        bars(ax, scores, x="accuracy", mark=list(scores)[2:])

    constant, small = table["all 0.01"], table["normal, std 1e-4"]
    return Shown(
        table,
        [
            Check.below("different units from zeros", table["zeros"]["different units"], 1.5),
            Check.below("different units from a constant", constant["different units"], 1.5),
            Check.above("different units from small random numbers", small["different units"], 15.5),
            Check.more(
                "accuracy, small random numbers against a constant",
                small["accuracy"],
                constant["accuracy"],
                by=0.3,
            ),
            Check.more(
                "accuracy, small random numbers against zeros",
                small["accuracy"],
                table["zeros"]["accuracy"],
                by=0.3,
            ),
        ],
        draw,
    )


def parted(seed: int, init: str | None) -> tuple[int, float]:
    """How many units of the hidden layer differ after training, and the accuracy; ``None`` starts at 0.01."""
    torch.manual_seed(seed)
    X, y, X_test, y_test = (part.double() if part.is_floating_point() else part for part in digits(800, seed))
    net = dense([64, 16, 10], nn.Tanh).double()
    if init is None:
        for p in net.parameters():
            nn.init.constant_(p, 0.01)
    else:
        initialise(net, init)
    train(net, torch.optim.SGD(net.parameters(), lr=0.5, momentum=0.9), X, y, steps=60)
    weight = net[0].weight.detach()
    apart = torch.cdist(weight, weight) > 1e-3 * weight.norm(dim=1).max().clamp(min=1e-12)
    different = 1 + sum(bool(apart[i, :i].all()) for i in range(1, len(weight)))
    return different, accuracy(net, X_test, y_test)


@experiment(
    "orthogonal-or-random",
    topic="signals and starts",
    claim="Orthogonal starts train very deep networks faster than random ones of the same variance.",
    method="40 layers of 32 linear, tanh or ReLU units: how many of 32 directions of the input reach the output "
    "with at least a hundredth of the strongest one's size; and what is left of the loss after learning a rotation, "
    "each start at the best of three rates.",
    verdict="holds when",
    reading="In linear and nearly linear (tanh) networks an orthogonal start keeps every direction, where a random one "
    "keeps the mean length and loses nearly all directions. ReLU breaks the isometry: there orthogonal weights lose "
    "directions too, and gain little.",
    concepts=("weight-initialization", "random-initialization"),
    sources=("Saxe et al. 2014, arXiv:1312.6120", "Pennington et al. 2017, arXiv:1711.04735"),
)
def orthogonal_or_random(lab: Setting) -> Shown:
    """Linear, tanh and ReLU."""
    seeds, steps, table = lab.seeds(4, 2), lab.pick(80, 30), {}
    for activation, gain in (("identity", 1.0), ("tanh", 1.0), ("relu", 2**0.5)):
        for name, init in (("orthogonal", f"orthogonal({gain})"), ("random", f"normal({gain / 32**0.5})")):
            kept, left = deep_maps(seeds, activation, init, steps)
            table[f"{activation}, {name}"] = {"directions kept": kept, "loss left": left}

    def draw(ax):
        shown = {name: cells["directions kept"] for name, cells in table.items()}
        bars(
            ax,
            shown,
            x="directions of 32 that reach the output",
            mark=[n for n in shown if "orthogonal" in n],
        )

    kept = {name: cells["directions kept"] for name, cells in table.items()}
    left = {name: cells["loss left"] for name, cells in table.items()}
    return Shown(
        table,
        [
            Check.above("linear, orthogonal", kept["identity, orthogonal"], 31.5),
            Check.above("tanh, orthogonal", kept["tanh, orthogonal"], 28),
            Check.below("linear, random", kept["identity, random"], 16),
            Check.below("ReLU, orthogonal", kept["relu, orthogonal"], 20),
            Check.more("linear: loss left", left["identity, random"], left["identity, orthogonal"], times=2),
            Check.more("tanh: loss left", left["tanh, random"], left["tanh, orthogonal"], times=1.3),
        ],
        draw,
        {"steps": steps, "rates": "1 to 16"},
    )


def deep_maps(seeds: list[int], activation: str, init: str, steps: int) -> tuple[list[int], list[float]]:
    """Per seed: directions that 40 layers keep at the start, and the share of the loss left at the best rate.

    Networks of all seeds and rates are trained side by side: weights (layers, networks, 32, 32).
    """
    f, fill, drawn = activation_named(activation).function, init_named(init), []
    for seed in seeds:
        torch.manual_seed(seed)
        drawn.append([fill(torch.empty(32, 32, dtype=torch.float64)) for _ in range(40)])
    rates = torch.tensor(RATES, dtype=torch.float64).repeat(len(seeds))
    weights = torch.stack([torch.stack(layers) for layers in drawn], 1).repeat_interleave(len(RATES), 1)

    def forward(h: Tensor) -> Tensor:
        for w in weights:
            h = f(h @ w)
        return h

    X, turn = 0.1 * rows(64, 32), torch.linalg.qr(rows(32, 32))[0]
    at = X[:1].repeat(len(rates), 1, 1)
    jacobian = torch.autograd.functional.jacobian(lambda x: forward(x).sum((0, 1)), at)[:, :, 0].transpose(
        0, 1
    )
    strength = torch.linalg.svdvals(jacobian)[:: len(RATES)]
    kept = (strength > 0.01 * strength[:, :1]).sum(1).tolist()
    weights.requires_grad_()
    losses: list[Tensor] = []
    for _ in range(steps):
        loss = (forward(X) - X @ turn).square().mean((1, 2))
        losses.append(loss.detach())
        (slope,) = torch.autograd.grad(loss.sum(), weights)
        with torch.no_grad():
            weights -= rates[:, None, None] * slope.nan_to_num(0, 0, 0).clamp(-1, 1)
    left = (losses[-1] / losses[0]).nan_to_num(1.0).clamp(max=1.0).view(len(seeds), -1)
    return kept, left.min(1).values.tolist()


@experiment(
    "lsuv",
    topic="signals and starts",
    claim="Scaling each layer by its outputs on data (LSUV) gives a sound start for any activation.",
    method="30 layers of five activations: the values' standard deviation in the last layer under Xavier's start, "
    "He's, and LSUV (orthogonal, then each layer divided by its outputs' standard deviation on 256 rows).",
    verdict="holds",
    reading="No formula is needed: what each layer gives is measured. The formulas fit one activation each.",
    concepts=("weight-initialization",),
    sources=("Mishkin and Matas 2016, arXiv:1511.06422",),
)
def lsuv(lab: Setting) -> Shown:
    """Formulas against measuring."""
    activations, seeds = ("identity", "tanh", "relu", "gelu", "softplus"), lab.seeds(6, 2)
    table = {
        activation: {
            init: [last_sums(seed, activation, init) for seed in seeds] for init in ("glorot", "he", "lsuv")
        }
        for activation in activations
    }

    def draw(ax):
        for init, color in (("glorot", ORANGE), ("he", GREY), ("lsuv", BLUE)):
            means = [sum(cells[init]) / len(seeds) for cells in table.values()]
            ax.semilogy(range(len(activations)), means, "o", color=color, label=init, markersize=7)
        ax.set_xticks(range(len(activations)), activations)
        ax.minorticks_off()
        ax.legend(frameon=False, labelcolor="linecolor", loc="lower left")
        quiet(ax, y="std of the last weighted sums")

    measured = [v for cells in table.values() for v in cells["lsuv"]]
    return Shown(
        table,
        [
            Check.between("LSUV, on rows that it has not seen", measured, 0.3, 3),
            Check.below("Xavier's start, ReLU", table["relu"]["glorot"], 0.01),
            Check.above("He's start, no activation", table["identity"]["he"], 100),
        ],
        draw,
        {"layers": 30, "units": WIDTH},
    )


def last_sums(seed: int, activation: str, init: str) -> float:
    """Standard deviation of the last layer's weighted sums on rows that the start has not seen."""
    torch.manual_seed(seed)
    net = DenseStack([WIDTH] * 31, activation).double()
    initialise(net, init)
    if init == "lsuv":
        scale_outputs(net, rows(256, WIDTH))
    with torch.no_grad():
        return float(net(rows(256, WIDTH)).std())
