"""Adaptive steps: what Adam is made of, where it fails, and what decay means beside it."""

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.optim.optimizers import make_optimizer
from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, note, quiet


def weights(count: int, start: float = 0.0) -> nn.Linear:
    """Some weights in double precision as a layer, so that decay reaches them as it reaches any layer's."""
    layer = nn.Linear(count, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.fill_(start)
    return layer


def moved(optimizer: torch.optim.Optimizer, layer: nn.Linear, gradients: Tensor) -> np.ndarray:
    """Feed a sequence of gradients (steps, count); the weights after each step, (steps, count)."""
    path = []
    for gradient in gradients:
        layer.weight.grad = gradient.reshape(1, -1).clone()
        optimizer.step()
        path.append(layer.weight.detach()[0].numpy().copy())
    return np.array(path)


@experiment(
    "adam-parts",
    topic="optimisation",
    claim="Adam combines the advantages of SGD and momentum.",
    method="The same noisy gradients, and a thousand times the same, are given to four optimisers: by what factor the "
    "distance travelled in 200 steps grows, and the length of the very first step in units of the step size.",
    verdict="does not hold",
    reading="Adam is momentum divided by RMSprop's running size of the gradient, with a correction of the start: like "
    "RMSprop it does not see the gradient's scale, which SGD and momentum follow, and its first step is one step size.",
    concepts=("adam", "rmsprop", "momentum"),
    corrects=("W37",),
    sources=("Kingma and Ba 2015, arXiv:1412.6980",),
)
def adam_parts(lab: Setting) -> Shown:
    """Which scale each optimiser sees."""
    names = {"sgd": 0.0, "momentum": 0.9, "rmsprop": 0.9, "adam": 0.9}
    table: dict[str, dict[str, list[float]]] = {
        n: {"growth of the way": [], "first step, large gradients": []} for n in names
    }
    for seed in lab.seeds(10, 4):
        torch.manual_seed(seed)
        gradients = 0.5 + torch.randn(200, 5, dtype=torch.float64)
        for name, momentum in names.items():
            ways = []
            for scale in (1.0, 1000.0):
                layer = weights(5)
                kind = "sgd" if name == "momentum" else name
                optimizer = make_optimizer(kind, layer, lr=0.01, momentum=momentum)
                path = moved(optimizer, layer, gradients * scale)
                ways.append(np.abs(path[-1]).sum())
            table[name]["growth of the way"].append(float(ways[1] / ways[0]))
            table[name]["first step, large gradients"].append(float(np.abs(path[0]).mean() / 0.01))

    def draw(ax):
        growth = [np.mean(row["growth of the way"]) for row in table.values()]
        ax.bar(list(table), growth, color=[GREY, GREY, BLUE, BLUE])
        ax.set_yscale("log")
        ax.set_ylim(0.5, None)
        quiet(ax, x="gradients a thousand times as large", y="growth of the way")

    def growth(name: str) -> list[float]:
        return table[name]["growth of the way"]

    checks = [
        Check.between("sgd and momentum follow the scale", growth("sgd") + growth("momentum"), 990, 1010),
        Check.between("rmsprop and adam do not see it", growth("rmsprop") + growth("adam"), 0.99, 1.01),
        Check.between(
            "adam's first step in step sizes", table["adam"]["first step, large gradients"], 0.99, 1.01
        ),
        Check.above(
            "rmsprop's, which lacks the correction", table["rmsprop"]["first step, large gradients"], 2.0
        ),
    ]
    return Shown(table, checks, draw)


@experiment(
    "decay-or-l2",
    topic="optimisation",
    claim="Weight decay is the same as an L2 penalty.",
    method="Two weights start at 1 with no slope of their own: one hears loud noise, one faint noise. What is left "
    "after 2,000 steps under plain SGD and under Adam, with the penalty in the gradient and with decoupled decay.",
    verdict="holds when",
    reading="For plain SGD the two are one. Adam divides the penalty by the size of the gradient, so the noisy weight "
    "hardly decays and the quiet one vanishes; decoupled decay (AdamW) treats both alike.",
    concepts=("weight-decay", "l2-regularization", "adam"),
    corrects=("W39",),
    sources=("Loshchilov and Hutter 2019, arXiv:1711.05101",),
)
def decay_or_l2(lab: Setting) -> Shown:
    """A noisy and a quiet weight under both kinds of decay."""
    steps, lr, decay = 2000, 1e-3, 1.0
    rows = {"sgd + L2": "sgd", "adam + L2": "adam", "adamw (decoupled)": "adamw"}
    table: dict[str, dict[str, list[float]]] = {n: {"noisy weight": [], "quiet weight": []} for n in rows}
    for seed in lab.seeds(10, 3):
        torch.manual_seed(seed)
        noise = torch.randn(steps, 2, dtype=torch.float64) * torch.tensor([10.0, 0.01], dtype=torch.float64)
        noise -= noise.mean(0)  # no drift of its own
        for name, kind in rows.items():
            layer = weights(2, 1.0)
            optimizer = make_optimizer(
                kind, layer, lr=lr, weight_decay=decay, momentum=0.0 if kind == "sgd" else 0.9
            )
            for row in noise:  # the penalty's share of the gradient is the optimiser's business
                layer.weight.grad = row.reshape(1, -1).clone()
                optimizer.step()
            left = layer.weight.detach()[0].tolist()
            table[name]["noisy weight"].append(left[0])
            table[name]["quiet weight"].append(left[1])

    def draw(ax):
        places = np.arange(len(table))
        for shift, column, colour in ((-0.2, "noisy weight", ORANGE), (0.2, "quiet weight", BLUE)):
            ax.bar(
                places + shift, [np.mean(r[column]) for r in table.values()], 0.38, color=colour, label=column
            )
        ax.set_xticks(places, list(table))
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, y="what is left of a weight of 1")

    l2, decoupled, sgd = table["adam + L2"], table["adamw (decoupled)"], table["sgd + L2"]
    checks = [
        Check.more(
            "adam + L2: noisy weight above the quiet one", l2["noisy weight"], l2["quiet weight"], by=0.4
        ),
        Check.between("adamw: noisy weight", float(np.mean(decoupled["noisy weight"])), 0.0, 0.3),
        Check.between("adamw: quiet weight", float(np.mean(decoupled["quiet weight"])), 0.0, 0.3),
        Check.between("sgd: quiet weight, as (1 - lr decay)^steps", sgd["quiet weight"], 0.13, 0.14),
    ]
    return Shown(table, checks, draw, {"lr": lr, "decay": decay})


@experiment(
    "adam-counterexample",
    topic="optimisation",
    claim="Adam converges on convex problems.",
    method="Reddi's example: every third gradient is 4, the others -1 and the weight lies between -1 and 1, so that "
    "descent on the sum must go to -1; Adam with and without the maximum of AMSGrad, and SGD, from random starts.",
    verdict="does not hold",
    reading="Adam divides the rare large gradient by itself and follows the small ones to the worst point; keeping the "
    "maximum of the squares (AMSGrad) mends it.",
    concepts=("adam",),
    corrects=("W38",),
    sources=("Reddi et al. 2018, arXiv:1904.09237",),
)
def adam_counterexample(lab: Setting) -> Shown:
    """Reddi's convex example."""
    steps, C = lab.pick(15_000, 4_000), 4.0
    makers = {
        "adam": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.0, 1 / (1 + C**2))),
        "amsgrad": lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.0, 1 / (1 + C**2)), amsgrad=True),
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    }
    starts = np.random.default_rng(lab.seed).uniform(-1, 1, 5)
    paths = {name: walk(make, starts, steps, C) for name, make in makers.items()}
    table = {name: {"where it ends": path[-1].tolist()} for name, path in paths.items()}

    def draw(ax):
        for (name, path), colour in zip(paths.items(), (ORANGE, BLUE, GREY)):
            ax.plot(np.arange(1, steps + 1), path.mean(1), color=colour, label=name)
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left")
        ax.axhline(-1, color=GREEN, linestyle=(0, (4, 3)))
        ax.set_xscale("log")
        ax.set_ylim(-1.15, 1.25)
        quiet(ax, x="step", y="weight (the best place is -1)")

    checks = [
        Check.above("adam ends at", table["adam"]["where it ends"], 0.8),
        Check.below("amsgrad ends at", table["amsgrad"]["where it ends"], -0.8),
        Check.below("sgd ends at", table["sgd"]["where it ends"], -0.8),
    ]
    return Shown(table, checks, draw, {"steps": steps})


def walk(make, starts: np.ndarray, steps: int, C: float) -> np.ndarray:
    """Weights (steps, starts) under gradients C, -1, -1, C, ..., a step size falling as 1 / sqrt(t)."""
    w = nn.Parameter(torch.from_numpy(starts.copy()))
    optimizer = make([w])
    first, path = optimizer.param_groups[0]["lr"], np.empty((steps, len(starts)))
    w.grad = torch.empty_like(w)
    for step in range(steps):
        w.grad.fill_(C if step % 3 == 0 else -1.0)
        optimizer.param_groups[0]["lr"] = first / (step + 1) ** 0.5
        optimizer.step()
        w.data.clamp_(-1, 1)
        path[step] = w.detach().numpy()
    return path


@experiment(
    "adagrad-slows",
    topic="optimisation",
    claim="Adagrad's step keeps shrinking, whatever the gradients do; RMSprop's does not.",
    method="A gradient that stays the same for 1,000 steps, its size drawn at random: length of the step over time.",
    verdict="holds",
    reading="Adagrad divides by the root of the sum of all squares, so its step falls as 1 / sqrt(t); RMSprop forgets.",
    concepts=("adagrad", "rmsprop"),
    sources=("Duchi et al. 2011",),
)
def adagrad_slows(lab: Setting) -> Shown:
    """The length of the step under a steady gradient."""
    rng = np.random.default_rng(lab.seed)
    sizes = np.exp(rng.uniform(np.log(1e-2), np.log(1e2), 6))
    gradients = torch.from_numpy(np.tile(sizes, (1000, 1)))
    steps = {}
    for name in ("adagrad", "rmsprop"):
        layer = weights(len(sizes))
        path = moved(make_optimizer(name, layer, lr=0.01), layer, gradients)
        steps[name] = np.abs(np.diff(path, axis=0, prepend=0.0)) / 0.01
    table = {
        name: {f"step at t = {t:,}": values[t - 1].tolist() for t in (1, 10, 100, 1000)}
        for name, values in steps.items()
    }
    slope = float(np.polyfit(np.log(np.arange(10, 1001)), np.log(steps["adagrad"][9:].mean(1)), 1)[0])

    def draw(ax):
        for (name, values), colour in zip(steps.items(), (ORANGE, BLUE)):
            ax.plot(np.arange(1, 1001), values.mean(1), color=colour)
            note(ax, 1000, values[-1].mean(), name, beside=-4, color=colour, ha="right", va="bottom")
        ax.set_xscale("log")
        ax.set_yscale("log")
        quiet(ax, x="step", y="length of the step / step size")

    checks = [
        Check.between("adagrad: slope of log step over log t", slope, -0.51, -0.49),
        Check.above("rmsprop: step at t = 1,000", steps["rmsprop"][-1].tolist(), 0.95),
    ]
    return Shown(table, checks, draw)
