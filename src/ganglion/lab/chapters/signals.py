"""Signals through many layers: gradients that vanish, gradients that explode, and what does not help."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganglion.lab.depth import rows, signals, stack
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars, curves
from ganglion.plot.style import BLUE, GREY, ORANGE, quiet
from ganglion.train.clip import Clip, clip_, global_norm

WIDTH = 128
BATCH = 32
LOG_RATIO = "log10 of gradient at first layer / at last"


def ratios(seeds: Sequence[int], depth: int, activation: str, init: str) -> list[float]:
    """log10 of the gradient's norm at a stack's input over that at its output, seed by seed."""
    found = []
    for seed in seeds:
        torch.manual_seed(seed)
        found.append(signals(stack(depth, WIDTH, activation, init), rows(BATCH, WIDTH)).ratio)
    return found


def times(scale: float) -> str:
    """Normal weights of standard deviation ``scale / sqrt(WIDTH)``, as an initialiser's name."""
    return f"normal({scale / WIDTH**0.5})"


@experiment(
    "vanishing-gradients",
    topic="signals and starts",
    claim="Gradients vanish exponentially with depth.",
    method="Stacks of 5 to 30 dense layers at their start; a random gradient is sent backwards, and its norm at the "
    "first layer is compared with that at the last.",
    verdict="holds when",
    reading="They vanish when each layer multiplies by less than 1: always with sigmoid at a usual start (its slope "
    "is at most 1/4), but also with ReLU when weights have variance 1/n. ReLU with He's start (variance 2/n) keeps "
    "them: the activation alone does not prevent vanishing.",
    concepts=("vanishing-gradient", "sigmoid", "relu"),
    corrects=("W10",),
    sources=("Bengio et al. 1994", "Glorot et al. 2011", "He et al. 2015, arXiv:1502.01852"),
)
def vanishing_gradients(lab: Setting) -> Shown:
    """Depth times activation times start."""
    depths, seeds = [5, 10, 20, 30], lab.seeds(10, 4)
    nets = {
        "sigmoid, variance 1/n": ("sigmoid", "lecun"),
        "tanh, variance 1/n": ("tanh", "lecun"),
        "ReLU, variance 1/n": ("relu", "lecun"),
        "ReLU, variance 2/n (He)": ("relu", "he"),
    }
    found = {name: [ratios(seeds, depth, *net) for depth in depths] for name, net in nets.items()}

    def draw(ax):
        lines = {name: torch.tensor(values).t().numpy() for name, values in found.items()}
        curves(ax, depths, lines, names=("layers", "log10 of gradient, first / last"))

    at_10, at_30 = ({name: values[i] for name, values in found.items()} for i in (1, 3))
    sigmoid, _, relu, he = nets
    return Shown(
        {name: {f"{d} layers": v for d, v in zip(depths, values)} for name, values in found.items()},
        [
            Check.below("sigmoid, 30 layers", at_30[sigmoid], -15),
            Check.below("ReLU at variance 1/n, 30 layers", at_30[relu], -2.5),
            Check.between("ReLU with He's start, 30 layers", at_30[he], -1.5, 1.5),
            Check.between(
                "sigmoid: powers of ten lost in 30 layers over those in 10",
                [a / b for a, b in zip(at_30[sigmoid], at_10[sigmoid])],
                2.8,
                3.3,
            ),
        ],
        draw,
        {"width": WIDTH, "numbers": LOG_RATIO},
    )


@experiment(
    "vanishing-is-not-exploding",
    topic="signals and starts",
    claim="'Vanishing gradients' is the word for gradients that shrink or grow exponentially.",
    method="The same 30 ReLU layers at three scales of the weights. Two cures are tried on each: larger weights, and "
    "clipping the gradient's norm at 1.",
    verdict="does not hold",
    reading="They are opposite problems with opposite cures: larger weights cure vanishing and make exploding worse; "
    "clipping bounds an exploding step and leaves a vanished gradient as it is.",
    concepts=("vanishing-gradient", "exploding-gradient", "gradient-clipping"),
    corrects=("W8",),
    sources=("Bengio et al. 1994", "Pascanu et al. 2013, arXiv:1211.5063"),
)
def vanishing_is_not_exploding(lab: Setting) -> Shown:
    """One cure each."""
    seeds, table = lab.seeds(10, 4), {}
    for name, scale in (
        ("vanishing: variance 1/n", 1.0),
        ("sound: variance 2/n", 2**0.5),
        ("exploding: 4/n", 2.0),
    ):
        table[name] = {
            "log10 ratio": ratios(seeds, 30, "relu", times(scale)),
            "with weights x 1.41": ratios(seeds, 30, "relu", times(scale * 2**0.5)),
            "with weights / 1.41": ratios(seeds, 30, "relu", times(scale / 2**0.5)),
            "clipping divides step by": [clipped_by(seed, scale) for seed in seeds],
        }
    vanishing, _, exploding = table.values()

    def draw(ax):
        shown = {
            f"{name.split(':')[0]}{cure}": cells[column]
            for name, cells in table.items()
            for cure, column in (("", "log10 ratio"), (", larger weights", "with weights x 1.41"))
        }
        bars(ax, shown, x="log10 of gradient, first layer / last", mark=[n for n in shown if "larger" in n])

    return Shown(
        table,
        [
            Check.below("vanishing", vanishing["log10 ratio"], -2.5),
            Check.between("vanishing, larger weights", vanishing["with weights x 1.41"], -1.5, 1.5),
            Check.above("exploding, larger weights", exploding["with weights x 1.41"], 6),
            Check.between("exploding, smaller weights", exploding["with weights / 1.41"], -1.5, 1.5),
            Check.below(
                "what clipping divides a vanished gradient's step by",
                vanishing["clipping divides step by"],
                3,
            ),
            Check.above("an exploding one's", exploding["clipping divides step by"], 100),
        ],
        draw,
    )


def clipped_by(seed: int, scale: float) -> float:
    """By what clipping at 1 divides the step, when the gradient that comes in at the end has norm 1."""
    torch.manual_seed(seed)
    blocks = stack(30, WIDTH, "relu", times(scale))
    last = signals(blocks, rows(BATCH, WIDTH)).gradient[-1]
    grads = [block[0].weight.grad / last for block in blocks]
    before = global_norm(grads)
    clip_(grads, before, Clip(norm=1.0))
    return float(before / global_norm(grads))


@experiment(
    "sigmoid-does-not-explode",
    topic="signals and starts",
    claim="Sigmoid units are more prone to exploding gradients than other units.",
    method="30 dense layers with normal weights of standard deviation s / sqrt(n), for s from 1 to 8.",
    verdict="does not hold",
    reading="Sigmoid explodes last: its slope is at most 1/4 and falls with the size of the sum, so it promotes "
    "vanishing. Where tanh and ReLU explode, sigmoid still loses powers of ten.",
    concepts=("exploding-gradient", "vanishing-gradient", "sigmoid"),
    corrects=("W5",),
    sources=("Glorot and Bengio 2010", "Pascanu et al. 2013, arXiv:1211.5063"),
)
def sigmoid_does_not_explode(lab: Setting) -> Shown:
    """Activation times scale of the weights."""
    scales, seeds = [1, 2, 4, 8], lab.seeds(8, 3)
    found = {
        name: [ratios(seeds, 30, name, times(s)) for s in scales] for name in ("sigmoid", "tanh", "relu")
    }
    means = {name: [sum(v) / len(v) for v in values] for name, values in found.items()}

    def draw(ax):
        lines = {name: torch.tensor(values).t().numpy() for name, values in found.items()}
        curves(
            ax,
            scales,
            lines,
            names=("weights' standard deviation x sqrt(n)", "log10 of gradient, first / last"),
        )
        ax.axhline(0, linewidth=0.8, color="grey")

    return Shown(
        {name: {f"s = {s}": v for s, v in zip(scales, values)} for name, values in found.items()},
        [
            Check.below("sigmoid at 2 / sqrt(n)", found["sigmoid"][1], -8),
            Check.above("tanh at 2 / sqrt(n)", found["tanh"][1], 0.5),
            Check.above("ReLU at 2 / sqrt(n)", found["relu"][1], 2.5),
            Check.above("least lead of tanh over sigmoid", lead(means, "tanh", "sigmoid"), 6),
            Check.above("least lead of ReLU over sigmoid", lead(means, "relu", "sigmoid"), 6),
        ],
        draw,
        {"layers": 30, "width": WIDTH, "numbers": LOG_RATIO},
    )


def lead(means: dict[str, list[float]], one: str, other: str) -> list[float]:
    """By how much one row lies above another, column by column."""
    return [a - b for a, b in zip(means[one], means[other])]


@experiment(
    "exploding-gradients",
    topic="signals and starts",
    claim="Gradients explode when every layer or time step multiplies by more than 1; clipping lets such a network "
    "train all the same.",
    method="30 ReLU layers at two scales; and a recurrent linear network whose recurrent matrix stretches by 1.1, "
    "trained to give the mean of 30 numbers, with and without clipping the gradient's norm at 1.",
    verdict="holds",
    reading="The first steps of the unclipped network overflow; the clipped one learns.",
    concepts=("exploding-gradient", "gradient-clipping", "recurrent-neural-network"),
    sources=("Pascanu et al. 2013, arXiv:1211.5063",),
)
def exploding_gradients(lab: Setting) -> Shown:
    """By depth, and through time."""
    deep = {
        name: ratios(lab.seeds(10, 4), 30, "relu", times(scale))
        for name, scale in (("30 layers, variance 2/n", 2**0.5), ("30 layers, variance 4/n", 2.0))
    }
    seeds, steps = lab.seeds(6, 2), lab.pick(400, 150)
    runs = {
        "recurrent x 0.9": [added_up(seed, steps // 3, None, 0.9) for seed in seeds],
        "recurrent x 1.1": [added_up(seed, steps // 3, None, 1.1) for seed in seeds],
        "recurrent x 1.1, clipped": [added_up(seed, steps, 1.0, 1.1) for seed in seeds],
    }
    table: dict = {name: {"log10 ratio": values} for name, values in deep.items()}
    for name, losses in runs.items():
        table[name] = {"finite steps": [sum(map(math.isfinite, run)) for run in losses]}
        table[name]["last loss / first"] = [run[-1] / run[0] for run in losses]

    def draw(ax):
        for (name, losses), color in zip(runs.items(), (GREY, ORANGE, BLUE)):
            for i, run in enumerate(losses):
                shown = [min(v, 1e9) if math.isfinite(v) else 1e9 for v in run]
                ax.plot(shown, color=color, linewidth=1.2, label="" if i else name)
        ax.set_yscale("log")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="step", y="loss (cut at 1e9)")

    return Shown(
        table,
        [
            Check.above("30 layers at variance 4/n", deep["30 layers, variance 4/n"], 2.5),
            Check.between("at variance 2/n", deep["30 layers, variance 2/n"], -1.5, 1.5),
            Check.below("finite steps at stretch 1.1", table["recurrent x 1.1"]["finite steps"], 20),
            Check.below(
                "last loss over first, clipped", table["recurrent x 1.1, clipped"]["last loss / first"], 0.5
            ),
            Check.above("at stretch 0.9", table["recurrent x 0.9"]["finite steps"], steps // 3 - 1),
        ],
        draw,
        {"numbers": LOG_RATIO},
    )


class Adder(nn.Module):
    """A linear recurrent network (n, steps) -> (n,) whose recurrent matrix stretches every state."""

    def __init__(self, stretch: float, width: int = 24) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(1, width, bias=False), nn.Linear(width, 1)
        self.again = nn.Linear(width, width)
        nn.init.orthogonal_(self.again.weight, gain=stretch)

    def forward(self, x: Tensor) -> Tensor:
        """The last state's answer."""
        state = self.into(x[:, :1])
        for t in range(1, x.shape[1]):
            state = self.again(state) + self.into(x[:, t : t + 1])
        return self.out(state).squeeze(1)


def added_up(seed: int, steps: int, clip: float | None, stretch: float) -> list[float]:
    """The loss of every step of learning the mean of 30 numbers."""
    torch.manual_seed(seed)
    net = Adder(stretch)
    losses = []
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    for _ in range(steps):
        x = torch.rand(32, 30)
        loss = (net(x) - x.mean(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        grads = [p.grad for p in net.parameters()]
        clip_(grads, global_norm(grads), Clip(norm=clip))
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses
