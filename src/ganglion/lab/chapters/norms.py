"""What batch normalisation does and does not do, and what the word normalisation stands for."""

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn

from ganglion.lab.depth import rows, signals, stack
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars, curves
from ganglion.lab.tools import accuracy, digits, train
from ganglion.nn.init import initialise
from ganglion.nn.norms import norm_named
from ganglion.plot.style import BLUE, GREY, quiet

WIDTH = 128


@experiment(
    "batch-norm-at-depth",
    topic="signals and starts",
    claim="Batch normalisation cures vanishing and exploding gradients.",
    method="Dense ReLU layers at their start, 10 to 50 of them: the gradient's norm at the first over that at the last "
    "layer, with usual and with far too small weights, with and without batch normalisation and residual links.",
    verdict="holds when",
    reading="It makes the gradient independent of the scale of the weights, so it cures badly scaled starts. But by "
    "itself it multiplies the gradient by about 1.2 in every layer: 50 layers explode at a start (He's) that needs no "
    "cure. Deep networks keep sound gradients with it when they also have residual links.",
    concepts=("batch-normalization", "exploding-gradient", "vanishing-gradient", "residual-connection"),
    corrects=("W11",),
    sources=("Yang et al. 2019, arXiv:1902.08129", "Ioffe and Szegedy 2015, arXiv:1502.03167"),
)
def batch_norm_at_depth(lab: Setting) -> Shown:
    """Depth, scale of the weights, links."""
    nets = {
        "He": ("he", None, False),
        "weights / 10": (f"normal({0.1 * (2 / WIDTH) ** 0.5})", None, False),
        "weights / 10, batch norm": (f"normal({0.1 * (2 / WIDTH) ** 0.5})", "batch", False),
        "He, batch norm": ("he", "batch", False),
        "He, batch norm, links": ("he", "batch", True),
    }
    depths, seeds, found = (10, 20, 30, 50), lab.seeds(6, 2), {}
    for name, (init, norm, skip) in nets.items():
        found[name] = [[at_depth(seed, depth, init, norm, skip) for seed in seeds] for depth in depths]

    def draw(ax):
        lines = {name: torch.tensor(v).t().numpy() for name, v in found.items() if name != "weights / 10"}
        curves(ax, depths, lines, names=("layers", "log10 of gradient, first / last"))

    he, small, mended, normed, linked = found.values()
    per_layer = [10 ** ((deep - shallow) / 40) for deep, shallow in zip(normed[3], normed[0])]
    return Shown(
        {name: {f"{d} layers": v for d, v in zip(depths, values)} for name, values in found.items()},
        [
            Check.between("50 layers, He without normalisation", he[3], -1.5, 1.5),
            Check.above("50 layers, He with batch normalisation", normed[3], 3),
            Check.between("growth per layer", per_layer, 1.1, 1.3),
            Check.below("50 layers, small weights without it", small[3], -30),
            Check.between("10 layers, small weights with it", mended[0], -1, 1.5),
            Check.between("50 layers with residual links", linked[3], 0, 2),
        ],
        draw,
        {"numbers": "log10 of gradient at first layer / at last", "width": WIDTH, "rows": 64},
    )


def at_depth(seed: int, depth: int, init: str, norm: str | None, skip: bool) -> float:
    """log10 of the gradient's ratio through a stack."""
    torch.manual_seed(seed)
    return signals(stack(depth, WIDTH, "relu", init, norm=norm, skip=skip), rows(64, WIDTH)).ratio


def hidden(depth: int, activation: type[nn.Module], norm: str | None, noise: float = 0.0) -> nn.Sequential:
    """A network for the digits with a normalisation, and perhaps noise after it, before every activation."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        made = norm_named(norm).after
        layers += [
            nn.Linear(64, 64),
            *([made(64, 0)] if made else []),
            *([Jump(noise)] if noise else []),
            activation(),
        ]
    net = nn.Sequential(*layers, nn.Linear(64, 10))
    initialise(net, "he" if activation is nn.ReLU else "glorot")
    return net


class Jump(nn.Module):
    """Another scale and shift for every unit in every training pass: distributions that never stand still."""

    def __init__(self, size: float) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """(n, units) -> (n, units)."""
        if not self.training:
            return x
        scale, shift = torch.randn(2, x.shape[1])
        return x * (1 + self.size * scale) + self.size * shift


@experiment(
    "internal-shift",
    topic="signals and starts",
    claim="Batch normalisation speeds training by keeping the distributions inside the network from shifting.",
    method="8 sigmoid layers on the digits, plain (better of two rates), with batch normalisation, and with noise that "
    "gives every unit another scale and shift after its normalisation in every step. Shift is by how much of its "
    "standard deviation a unit's mean moves per step.",
    verdict="does not hold",
    reading="Batch normalisation does keep the units' means still. But with the noise they jump from step to step, far "
    "more than without normalisation, and the network still learns where the plain one does not. The gain has another "
    "cause: sums stay in the steep part and the loss is smoother. The shift was the inventors' own hypothesis, and the "
    "matter is not settled.",
    concepts=("batch-normalization", "internal-covariate-shift"),
    corrects=("W12",),
    sources=("Santurkar et al. 2018, arXiv:1805.11604", "Ioffe and Szegedy 2015, arXiv:1502.03167"),
)
def internal_shift(lab: Setting) -> Shown:
    """Plain, normalised, normalised and shaken."""
    nets = {"plain": (None, 0.0), "batch norm": ("batch", 0.0), "batch norm, shaken": ("batch", 0.5)}
    rates = {"plain": (0.02, 0.1)}
    seeds, steps, table, lines = lab.seeds(4, 2), lab.pick(200, 50), {}, {}
    for name, net in nets.items():
        runs = [
            min(
                (shaken(seed, steps, rate, *net) for rate in rates.get(name, (0.1,))),
                key=lambda run: run[0][-1],
            )
            for seed in seeds
        ]
        table[name] = {
            "shift per step": [moved for _, moved in runs],
            "loss": [sum(r[-10:]) / 10 for r, _ in runs],
        }
        lines[name] = [losses for losses, _ in runs]
    plain, normed, noisy = table.values()

    def draw(ax):
        curves(ax, range(steps), lines, names=("step", "training loss"))

    return Shown(
        table,
        [
            Check.more(
                "shift, shaken against plain", noisy["shift per step"], plain["shift per step"], times=3
            ),
            Check.more(
                "shift, shaken against batch norm", noisy["shift per step"], normed["shift per step"], times=3
            ),
            Check.more("loss, plain against shaken", plain["loss"], noisy["loss"], by=0.7),
            Check.more("loss, plain against batch norm", plain["loss"], normed["loss"], by=0.7),
        ],
        draw,
    )


def shaken(seed: int, steps: int, rate: float, norm: str | None, noise: float) -> tuple[list[float], float]:
    """The losses of a run, and how far the units' means moved per step."""
    torch.manual_seed(seed)
    X, y, *_ = digits(300, seed)
    net = hidden(8, nn.Sigmoid, norm, noise)
    moments: list[tuple[Tensor, Tensor]] = []

    def look(_layer: nn.Module, inputs: tuple[Tensor]) -> None:
        moments.append((inputs[0].detach().mean(0), inputs[0].detach().std(0)))

    handles = [layer.register_forward_pre_hook(look) for layer in net if isinstance(layer, nn.Sigmoid)]
    train(net, torch.optim.SGD(net.parameters(), lr=0.0), X, y, steps=1)  # one look before the first step
    losses = train(net, torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9), X, y, steps=steps)
    for handle in handles:
        handle.remove()
    mean = torch.stack([m for m, _ in moments]).view(steps + 1, 8, 64)
    std = torch.stack([s for _, s in moments]).view(steps + 1, 8, 64)
    return losses, float(((mean[1:] - mean[:-1]).abs() / std[:-1].clamp(min=1e-6)).median())


@experiment(
    "batch-norm-small-batches",
    topic="signals and starts",
    claim="Batch normalisation needs batches of some size; group normalisation works with any.",
    method="Two hidden layers on the digits, trained with batches of 2 and of 32 rows at a rate in proportion to the "
    "batch, for the same number of epochs.",
    verdict="holds",
    reading="The mean and spread of two rows say little: every normalised value is near -1 or 1. Group normalisation "
    "takes its statistics within a row.",
    concepts=("batch-normalization", "group-normalization"),
    sources=("Wu and He 2018, arXiv:1803.08494",),
)
def batch_norm_small_batches(lab: Setting) -> Shown:
    """Batches of 2 and 32 under two normalisations."""
    seeds, table = lab.seeds(4, 2), {}
    for name, norm in (("batch", "batch"), ("group", "group(8)"), ("none", None)):
        for batch in (32, 2):
            right, gap = zip(*(small_batch(seed, norm, batch, lab.pick(3, 1)) for seed in seeds))
            table[f"{name}, {batch} rows"] = {
                "accuracy": right,
                "accuracy by the batch's own statistics": gap,
            }
    large, small, group_large, group_small, *_ = (cells["accuracy"] for cells in table.values())

    def draw(ax):
        shown = {name: cells["accuracy"] for name, cells in table.items()}
        bars(ax, shown, x="accuracy", mark=[name for name in shown if "group" in name])

    return Shown(
        table,
        [
            Check.more("batch norm, 32 rows against 2", large, small, by=0.05),
            Check.more("2 rows, group against batch norm", group_small, small, by=0.05),
            Check.more(
                "drop from 32 to 2 rows, batch against group norm",
                [a - b for a, b in zip(large, small)],
                [a - b for a, b in zip(group_large, group_small)],
                by=0.05,
            ),
        ],
        draw,
    )


def small_batch(seed: int, norm: str | None, batch: int, epochs: int) -> tuple[float, float]:
    """Accuracy of a network trained in small batches, in evaluation mode and as its training pass sees it."""
    torch.manual_seed(seed)
    X, y, X_test, y_test = digits(640, seed, 640)
    net = hidden(2, nn.ReLU, norm)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2 * batch / 32)
    train(net, optimizer, X, y, steps=epochs * 640 // batch, batch=batch)
    with torch.no_grad():
        seen = torch.cat([net(part).argmax(1) for part in X_test.split(batch)])
    return accuracy(net, X_test, y_test), float((seen == y_test).float().mean())


@experiment(
    "normalisation-words",
    topic="signals and starts",
    claim="Normalisation means bringing values to mean 0 and standard deviation 1, and there are two kinds: feature "
    "and batch normalisation.",
    method="Pictures (rows, channels, positions) with a scale per row and channel go through seven things of that "
    "name. The largest mean that is left per column, per channel, per row, and per map (a "
    "channel of a row), and how far other rows change a row's result.",
    verdict="does not hold",
    reading="One word stands for different things: scaling of columns before training (to mean 0 and spread 1, or "
    "to an interval) and layers inside a network, which differ in what they average over. RMS normalisation and "
    "min-max scaling do not even make a mean 0.",
    concepts=("feature-scaling", "batch-normalization", "layer-normalization", "instance-normalization"),
    corrects=("W16",),
    sources=("Wu and He 2018, arXiv:1803.08494", "Zhang and Sennrich 2019, arXiv:1910.07467"),
)
def normalisation_words(lab: Setting) -> Shown:
    """Over what each of them averages."""
    torch.manual_seed(lab.seed)
    n, channels = lab.pick(256, 64), 8
    scale = 1 + torch.rand(n, channels, 1, 1)
    x = (torch.randn(n, channels, 6, 6) + 2 * torch.randn(n, channels, 1, 1) + 3) * scale
    low, high = x.amin(0, keepdim=True), x.amax(0, keepdim=True)
    kinds = {
        "standard scaling": lambda t: (t - x.mean(0)) / x.std(0),
        "min-max scaling": lambda t: (t - low) / (high - low),
        "batch": nn.BatchNorm2d(channels),
        "layer": nn.GroupNorm(1, channels),
        "instance": nn.InstanceNorm2d(channels),
        "group of 4": nn.GroupNorm(2, channels),
        "RMS": lambda t: t / t.square().mean((1, 2, 3), keepdim=True).sqrt(),
    }
    axes = {"per column": 0, "per channel": (0, 2, 3), "per row": (1, 2, 3), "per map": (2, 3)}
    table = {}
    for name, kind in kinds.items():
        with torch.no_grad():
            out, alone = kind(x), kind(x[:2])
        table[name] = {f"mean {place}": float(out.mean(over).abs().max()) for place, over in axes.items()}
        table[name]["by other rows"] = float((out[:2] - alone).abs().max())

    column, channel, row, both = (f"mean {place}" for place in axes)
    zeros = [
        table["standard scaling"][column],
        table["batch"][channel],
        table["layer"][row],
        table["instance"][both],
    ]
    others = [table["batch"][column], table["batch"][row], table["layer"][channel], table["group of 4"][both]]
    others += [
        value
        for name in ("RMS", "min-max scaling")
        for k, value in table[name].items()
        if k != "by other rows"
    ]
    return Shown(
        table,
        [
            Check.below("the mean over what each normalises", zeros, 1e-3),
            Check.above("means over something else, and those of RMS and min-max", others, 0.02),
            Check.above(
                "what other rows change in batch normalisation",
                table["batch"]["by other rows"],
                0.05,
            ),
            Check.below("in layer normalisation", table["layer"]["by other rows"], 1e-5),
        ],
        lambda ax: dots(ax, table, list(axes)),
    )


def dots(ax: Axes, table: dict[str, dict[str, float]], places: list[str]) -> None:
    """A large dot wherever a mean is 0."""
    for i, cells in enumerate(table.values()):
        for j, place in enumerate(places):
            zero = cells[f"mean {place}"] < 1e-3
            ax.plot(j, i, "o", color=BLUE if zero else GREY, markersize=13 if zero else 3)
    ax.set_xticks(range(len(places)), places)
    ax.set_yticks(range(len(table)), list(table))
    ax.invert_yaxis()
    ax.margins(0.15)
    quiet(ax, grid="", x="large dot: this mean is 0")
