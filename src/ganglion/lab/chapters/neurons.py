"""What single neurons and small stacks of them can and cannot compute."""

import itertools

import numpy as np
import torch
from torch import nn

from ganglion.estimators.mlp import MLPClassifier
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.nn.dense import DenseStack
from ganglion.plot.style import BLUE, GREY, ORANGE, quiet

CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=2)))
XOR = np.array([0, 1, 1, 0])


@experiment(
    "xor",
    topic="building blocks",
    claim="One neuron cannot compute exclusive or; one hidden layer of four units can.",
    method="The best of many random perceptrons on the four corners, and networks with four tanh units trained "
    "from different starts.",
    verdict="holds",
    reading="No line separates the corners: three of four is the most that one neuron gets.",
    concepts=("perceptron", "hidden-layer", "nonlinear-separability"),
    sources=("Minsky and Papert 1969",),
)
def xor(lab: Setting) -> Shown:
    """The XOR problem."""
    rng = np.random.default_rng(lab.seed)
    planes = rng.normal(size=(lab.pick(200_000, 20_000), 3))
    right = ((CORNERS @ planes[:, :2].T + planes[:, 2] > 0) == XOR[:, None]).mean(0)
    settings = {"hidden_layer_sizes": (4,), "activation": "tanh", "preprocess": "none", "lr": 0.05}
    settings |= {"max_epochs": 400, "weight_decay": 0.0, "dropout": 0.0, "schedule": "constant"}
    seeds = lab.seeds(20, 4)
    nets = [
        MLPClassifier(**settings, init="glorot", random_state=seed).fit(CORNERS, XOR).score(CORNERS, XOR)
        for seed in seeds
    ]

    def draw(ax):
        ax.hist(
            right,
            bins=np.linspace(-0.125, 1.125, 6),
            color=GREY,
            rwidth=0.9,
            weights=np.full(len(right), 1 / len(right)),
        )
        ax.axvline(0.75, color=ORANGE, linewidth=1.4, label="best perceptron")
        ax.axvline(float(np.median(nets)), color=BLUE, linewidth=1.4, label="four hidden units (median)")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="corners answered rightly", y="share of random perceptrons")

    return Shown(
        {
            "perceptron, best of many": {"accuracy": float(right.max())},
            "4 hidden tanh units": {"accuracy": nets},
        },
        [
            Check.between("the best perceptron", float(right.max()), 0.75, 0.75),
            Check.above("share of networks that solve it", float(np.mean(np.array(nets) == 1)), 0.7),
        ],
        draw,
        {"perceptrons": len(planes)},
    )


@experiment(
    "linear-collapse",
    topic="building blocks",
    claim="Without activations a deep network is one linear map, however many layers it has.",
    method="A stack of five layers against the product of its matrices, for 1,000 inputs in double precision; "
    "the same product fails as soon as an activation stands between the layers.",
    verdict="holds",
    reading="Depth without non-linearity adds no function that one layer lacks (it does change how it trains).",
    concepts=("activation-function",),
    sources=("Goodfellow et al. 2016, Deep Learning, ch. 6",),
)
def linear_collapse(lab: Setting) -> Shown:
    """Five linear layers are one."""
    rows = {}
    for name in ("identity", "relu", "tanh", "sigmoid", "leaky_relu"):
        gaps = []
        for seed in lab.seeds(10, 3):
            torch.manual_seed(seed)
            stack = DenseStack([8, 16, 16, 16, 16, 3], name).double()
            x = torch.randn(1000, 8, dtype=torch.float64)
            with torch.no_grad():
                out = stack(x)
            gaps.append(float((out - collapsed(stack, x)).abs().max() / out.std()))
        rows[name] = {"largest gap / std": gaps}

    def draw(ax):
        means = [max(np.mean(cells["largest gap / std"]), 1e-16) for cells in rows.values()]
        ax.barh(list(rows), means, color=[BLUE, *[GREY] * 4])
        ax.set_xscale("log")
        quiet(ax, grid="x", x="gap between the stack and one linear map")

    others = [v for name in rows if name != "identity" for v in rows[name]["largest gap / std"]]
    checks = [
        Check.below("gap without activations", rows["identity"]["largest gap / std"], 1e-10),
        Check.above("gap with an activation", others, 1e-3),
    ]
    return Shown(rows, checks, draw)


@torch.no_grad()
def collapsed(stack: DenseStack, x: torch.Tensor) -> torch.Tensor:
    """What one linear map with the stack's multiplied matrices gives."""
    weight, bias = torch.eye(x.shape[1], dtype=x.dtype), torch.zeros(x.shape[1], dtype=x.dtype)
    for linear in stack.linears:
        if isinstance(linear, nn.Linear):
            weight, bias = linear.weight @ weight, linear.weight @ bias + linear.bias
    return x @ weight.t() + bias
