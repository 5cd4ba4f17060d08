"""What is said to help against vanishing and exploding gradients: smaller rates, gates, residual links."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.lab.depth import rows, signals, stack
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars
from ganglion.lab.tools import accuracy, digits, train
from ganglion.plot.style import BLUE, ORANGE, quiet
from ganglion.train.clip import Clip, clip_, global_norm


@experiment(
    "smaller-rate",
    topic="signals and starts",
    claim="A smaller learning rate keeps gradients from becoming too large.",
    method="The digits through 20 ReLU layers whose weights start too large. The first step from the same weights at "
    "rates from 0.1 to 1e-9, plain, and with the gradient's norm clipped at 1.",
    verdict="does not hold",
    reading="At given weights the gradient does not depend on the rate; only the step gets shorter, in proportion "
    "(a short step may keep out of a steeper region). Clipping bounds the step at any rate.",
    concepts=("exploding-gradient", "learning-rate", "gradient-clipping"),
    corrects=("W6",),
    sources=("Pascanu et al. 2013, arXiv:1211.5063",),
)
def smaller_rate(lab: Setting) -> Shown:
    """Rates from 0.1 to 1e-9 at one point."""
    rates, seeds = (1e-1, 1e-3, 1e-5, 1e-7, 1e-9), lab.seeds(5, 2)
    plain = {rate: [first_step(seed, rate, None) for seed in seeds] for rate in rates}
    clipped = {rate: [first_step(seed, rate, 1.0) for seed in seeds] for rate in rates}

    def draw(ax):
        for found, name, color in ((plain, "plain", ORANGE), (clipped, "clipped at 1", BLUE)):
            ax.loglog(rates, [found[r][0][1] for r in rates], "o-", color=color, label=f"step, {name}")
        ax.loglog(rates, [plain[r][0][0] for r in rates], "--", color=ORANGE, label="gradient")
        ax.minorticks_off()
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="learning rate", y="norm")

    table = {
        f"rate {rate:g}": {
            "gradient's norm": [g for g, _ in plain[rate]],
            "step": [s for _, s in plain[rate]],
            "step, clipped": [s for _, s in clipped[rate]],
        }
        for rate in rates
    }
    largest = [[plain[r][i][0] for r in rates] for i in range(len(seeds))]
    return Shown(
        table,
        [
            Check.above("gradient's norm at the smallest rate", table["rate 1e-09"]["gradient's norm"], 300),
            Check.below(
                "gradient's largest norm over smallest, minus 1", [max(v) / min(v) - 1 for v in largest], 1e-3
            ),
            Check.above("plain step at rate 0.1", table["rate 0.1"]["step"], 30),
            Check.below("clipped step at rate 0.1", table["rate 0.1"]["step, clipped"], 0.11),
        ],
        draw,
    )


def first_step(seed: int, rate: float, clip: float | None) -> tuple[float, float]:
    """Norm of the gradient and length of the step that plain gradient descent takes first."""
    torch.manual_seed(seed)
    X, y, *_ = digits(200, seed)
    net = nn.Sequential(*stack(20, 64, "relu", "normal(0.3)"), nn.Linear(64, 10).double())
    F.cross_entropy(net(X.double()), y).backward()
    params = list(net.parameters())
    before = [p.detach().clone() for p in params]
    norm = global_norm([p.grad for p in params])
    clip_([p.grad for p in params], norm, Clip(norm=clip))
    torch.optim.SGD(params, lr=rate).step()
    return float(norm), float(global_norm([p.detach() - old for p, old in zip(params, before)]))


@experiment(
    "lstm-gradients",
    topic="signals and starts",
    claim="The gates of an LSTM prevent gradients from vanishing or exploding.",
    method="Recurrent networks of 32 units at their start over 60 steps: the gradient of the last state with respect "
    "to the first input, over that to the last input.",
    verdict="does not hold",
    reading="Gates lessen vanishing, if the forget gate starts open (bias 3 here); with bias 0 an LSTM loses ten "
    "powers of ten, like a plain network. Nothing in them prevents exploding: with large weights gradients grow, and "
    "clipping is standard.",
    concepts=(
        "long-short-term-memory",
        "recurrent-neural-network",
        "vanishing-gradient",
        "exploding-gradient",
    ),
    corrects=("W9",),
    sources=(
        "Gers et al. 2000",
        "Pascanu et al. 2013, arXiv:1211.5063",
        "Sutskever et al. 2014, arXiv:1409.3215",
    ),
)
def lstm_gradients(lab: Setting) -> Shown:
    """Plain and gated, at several scales."""
    cells = {
        "plain tanh, scale 1": (nn.RNN, 1.0, 0.0),
        "LSTM, scale 1, forget bias 0": (nn.LSTM, 1.0, 0.0),
        "LSTM, scale 1, forget bias 1": (nn.LSTM, 1.0, 1.0),
        "LSTM, scale 1, forget bias 3": (nn.LSTM, 1.0, 3.0),
        "LSTM, scale 20, forget bias 0": (nn.LSTM, 20.0, 0.0),
    }
    seeds = lab.seeds(20, 6)
    found = {name: [through_time(seed, *cell) for seed in seeds] for name, cell in cells.items()}
    plain, closed, _, opened, large = found.values()

    def draw(ax):
        marked = [name for name in found if name.startswith("LSTM")]
        bars(ax, found, x="log10 of gradient, first input / last input", mark=marked)

    return Shown(
        {name: {"log10 of gradient, first / last": values} for name, values in found.items()},
        [
            Check.below("plain network", plain, -3),
            Check.below("LSTM with forget bias 0", closed, -3),
            Check.between("LSTM with forget bias 3", opened, -3, 3),
            Check.more("forget bias 3 against 0", opened, closed, by=5),
            Check.above("LSTM at scale 20", large, 1.5),
        ],
        draw,
        {"steps": 60, "units": 32, "scale": "of normal weights with standard deviation scale / sqrt(inputs)"},
    )


def through_time(seed: int, kind: type[nn.RNN | nn.LSTM], scale: float, forget: float) -> float:
    """log10 of the gradient's norm at the first of 60 inputs over that at the last."""
    torch.manual_seed(seed)
    units, inputs = 32, 8
    net = kind(inputs, units, batch_first=True).double()
    for name, p in net.named_parameters():
        nn.init.zeros_(p) if "bias" in name else nn.init.normal_(p, 0, scale / p.shape[1] ** 0.5)
    if forget:
        net.bias_hh_l0.data[units : 2 * units] = (
            forget  # gates stand in the order input, forget, cell, output
        )
    x = torch.randn(16, 60, inputs, dtype=torch.float64, requires_grad=True)
    last = net(x)[0][:, -1]
    last.backward(torch.randn_like(last))
    norms = x.grad.norm(dim=(0, 2))  # type: ignore[union-attr]
    return math.log10(norms[0] / norms[-1])


@experiment(
    "residual-depth",
    topic="signals and starts",
    claim="Residual links let deep networks train because they keep gradients from vanishing.",
    method="40 ReLU layers of 32 units on the digits, with and without links, at small weights (0.02) and at He's: the "
    "gradient's ratio and its likeness at neighbouring inputs before training, and the accuracy after 70 steps of "
    "Adam.",
    verdict="holds when",
    reading="At small weights vanishing is the fault and links cure it. But at He's start the plain network's gradient "
    "has a sound size, and it still learns far worse: its gradients point elsewhere at every input. And links alone "
    "are no cure: with branches of full size (He) the gradient explodes.",
    concepts=("residual-connection", "vanishing-gradient", "residual-network"),
    corrects=("W72",),
    sources=("He et al. 2016, arXiv:1512.03385", "Balduzzi et al. 2017, arXiv:1702.08591"),
)
def residual_depth(lab: Setting) -> Shown:
    """With and without links, small and usual weights."""
    nets = {
        "plain, small weights": ("normal(0.02)", False),
        "plain, He": ("he", False),
        "residual, small weights": ("normal(0.02)", True),
        "residual, He": ("he", True),
    }
    seeds, table = lab.seeds(4, 1), {}
    looks = lab.seeds(12, 8)
    for name, (init, skip) in nets.items():
        ratio, likeness = zip(*(deep_gradients(seed, init, skip) for seed in looks))
        learned = [] if name == "residual, He" else [learned_by(seed, init, skip) for seed in seeds]
        table[name] = {"log10 of gradient, first / last": ratio, "likeness": likeness}
        table[name] |= {"accuracy": learned} if learned else {}
    small, he, linked, large = table.values()

    def draw(ax):
        scores = {name: cells["accuracy"] for name, cells in table.items() if "accuracy" in cells}
        bars(ax, scores, x="accuracy after 70 steps", mark=["residual, small weights"], line=0.1)

    return Shown(
        table,
        [
            Check.below("plain, small weights", small["log10 of gradient, first / last"], -20),
            Check.between("plain, He", he["log10 of gradient, first / last"], -3.5, 2),
            Check.between("residual, small weights", linked["log10 of gradient, first / last"], -1, 1),
            Check.above("residual, He", large["log10 of gradient, first / last"], 5),
            Check.more(
                "accuracy, residual against plain at small weights",
                linked["accuracy"],
                small["accuracy"],
                by=0.3,
            ),
            Check.more(
                "accuracy, residual against plain at He's", linked["accuracy"], he["accuracy"], by=0.15
            ),
            Check.more("likeness of neighbours' gradients", linked["likeness"], he["likeness"], by=0.1),
        ],
        draw,
        {"likeness": "cosine between the input gradients at x and at x + 0.1 noise"},
    )


def deep_gradients(seed: int, init: str, skip: bool) -> tuple[float, float]:
    """The gradient's ratio through 40 layers, and its cosine between neighbouring inputs."""
    torch.manual_seed(seed)
    blocks = stack(40, 32, "relu", init, skip=skip)
    x, back = rows(64, 32), rows(64, 32)

    def gradient(at: Tensor) -> Tensor:
        at = at.clone().requires_grad_()
        return torch.autograd.grad(nn.Sequential(*blocks)(at), at, back)[0]

    near = gradient(x + 0.1 * rows(64, 32))
    return signals(blocks, x).ratio, float(F.cosine_similarity(gradient(x), near, eps=1e-300).mean())


def learned_by(seed: int, init: str, skip: bool) -> float:
    """Accuracy on the digits after 70 steps."""
    torch.manual_seed(seed)
    X, y, X_test, y_test = digits(1000, seed)
    entrance = [nn.Linear(64, 32), nn.ReLU()]
    net = nn.Sequential(*entrance, *stack(40, 32, "relu", init, skip=skip), nn.Linear(32, 10)).float()
    train(net, torch.optim.Adam(net.parameters(), lr=1e-3), X, y, steps=70, batch=64)
    return accuracy(net, X_test, y_test)
