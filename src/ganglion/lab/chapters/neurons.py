"""What single neurons and small stacks of them can and cannot compute."""

import itertools
import warnings

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import nn

from ganglion.estimators.mlp import MLPClassifier
from ganglion.estimators.perceptron import Perceptron
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars
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


@experiment(
    "perceptron-inputs",
    topic="building blocks",
    claim="Each neuron of a perceptron has a single input.",
    method="Rows of ten numbers whose class is the sign of a weighted sum of all. A perceptron on all columns against "
    "the best of ten perceptrons with one column each; and for how many columns a change of the input changes a "
    "neuron's weighted sum.",
    verdict="does not hold",
    reading="A neuron has one weight per feature and a bias, and thresholds the weighted sum of all its inputs.",
    concepts=("perceptron", "artificial-neuron"),
    corrects=("W1",),
    sources=("Rosenblatt 1958",),
)
def perceptron_inputs(lab: Setting) -> Shown:
    """All columns against the best single one."""
    every, single, weights = [], [], []
    for seed in lab.seeds(20, 3):
        rng = np.random.default_rng(seed)
        X, true = rng.normal(size=(200, 10)), rng.choice((-1.0, 1.0), 10)
        margin = X @ true
        X, y = X[abs(margin) > 1], (margin > 0)[abs(margin) > 1].astype(int)
        fits = {"preprocess": "none", "random_state": seed % 2**31}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one column does not separate the classes
            whole = Perceptron(max_epochs=100, **fits).fit(X, y)
            every.append(whole.score(X, y))
            single.append(
                max(
                    Perceptron(max_epochs=10, **fits).fit(X[:, [j]], y).score(X[:, [j]], y) for j in range(10)
                )
            )
        weights.append(int((whole.coef_ != 0).sum()))

    def draw(ax):
        bars(
            ax,
            {"all ten columns": every, "best single column": single},
            x="accuracy",
            mark=["all ten columns"],
        )
        ax.set_xlim(0, 1)

    return Shown(
        {
            "all columns": {"accuracy": every, "inputs that count": weights},
            "best single column": {"accuracy": single},
        },
        [
            Check.above("inputs that count", weights, 9.5),
            Check.above("accuracy from all columns", every, 0.99),
            Check.below("accuracy from the best single one", single, 0.9),
        ],
        draw,
    )


@experiment(
    "bias-before-activation",
    topic="building blocks",
    claim="The bias is a constant that is added to a neuron's output.",
    method="One neuron fitted to a step at places from -3 to 3, with its bias before the activation (sigmoid), and "
    "with the constant after it; the outputs at zero input of Ganglion's layers beside f(b) and f(0) + b.",
    verdict="does not hold",
    reading="It is a learned term of the weighted sum, before the activation: it moves where the neuron switches. A "
    "constant after the activation only lifts the output.",
    concepts=("weights-and-biases", "artificial-neuron"),
    corrects=("W57",),
    sources=("Goodfellow et al. 2016, Deep Learning, ch. 6",),
)
def bias_before_activation(lab: Setting) -> Shown:
    """A step elsewhere than at 0."""
    places = (-3, -1, 0, 1, 3)
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)
    steps = lab.pick(600, 150)
    before = {c: step_error(x, c, steps, inside=True) for c in places}
    after = {c: step_error(x, c, steps, inside=False) for c in places}
    torch.manual_seed(lab.seed)
    stack = DenseStack([3, 50, 50], "sigmoid").double()
    stack.linears[1].weight.data, stack.linears[1].bias.data = (
        torch.eye(50).double(),
        torch.zeros(50).double(),
    )
    with torch.no_grad():
        out, b = stack(torch.zeros(1, 3, dtype=torch.float64))[0], stack.linears[0].bias
        inside, outside = float((out - torch.sigmoid(b)).abs().max()), float((out - 0.5 - b).abs().max())

    def draw(ax):
        for found, color, name in (
            (before, BLUE, "before the activation"),
            (after, ORANGE, "added to the output"),
        ):
            ax.plot(places, [found[c] for c in places], "o-", color=color, label=name)
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="place of the step", y="error that is left")

    moved = [c for c in places if c]
    return Shown(
        {f"step at {c}": {"before the activation": before[c], "after it": after[c]} for c in places}
        | {"layer at zero input": {"gap to f(b)": inside, "gap to f(0) + b": outside}},
        [
            Check.below("error with the bias before", list(before.values()), 0.08),
            Check.above("error with it after, step elsewhere than at 0", [after[c] for c in moved], 0.12),
            Check.below("layer's gap to f(b)", inside, 1e-12),
            Check.above("layer's gap to f(0) + b", outside, 1e-3),
        ],
        draw,
        {"error": "root of the mean squared error"},
    )


def step_error(x: torch.Tensor, place: float, steps: int, *, inside: bool) -> float:
    """What is left after fitting sigmoid(4 (x - place)) by one neuron with its bias inside or outside."""
    goal = torch.sigmoid(4 * (x - place))
    w, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (1.0, 0.0))
    optimizer = torch.optim.Adam([w, b], lr=0.3)
    for _ in range(steps):
        out = torch.sigmoid(w * x + b) if inside else torch.sigmoid(w * x) + b
        loss = (out - goal).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach().sqrt())


@experiment(
    "bias-is-an-offset",
    topic="building blocks",
    claim="The bias term captures prior knowledge about the data, or a bias in them.",
    method="A logistic neuron on the breast cancer table, with the same columns measured from another zero: weights, "
    "bias and answers.",
    verdict="does not hold",
    reading="It is the intercept: when the columns' zero moves by c it moves by -w c, while weights and answers stay. "
    "The same data and the same knowledge have any bias, depending on where zero is.",
    concepts=("weights-and-biases",),
    corrects=("W58",),
    sources=("Bishop 2006, Pattern Recognition and Machine Learning, sec. 3.1",),
)
def bias_is_an_offset(lab: Setting) -> Shown:
    """Another zero, another bias."""
    X, y = load_breast_cancer(return_X_y=True)
    X = (X - X.mean(0)) / X.std(0)
    rng, table = np.random.default_rng(lab.seed), {}
    # scikit-learn does not penalise the intercept, so that it is free to follow
    fits = {"C": 1.0, "tol": 1e-8, "max_iter": 5000}
    first = LogisticRegression(**fits).fit(X, y)
    shift = np.sign(first.coef_[0]) * rng.uniform(0.5, 1.5, 30)
    for size in (0.0, 1.0, 3.0):
        moved = X + size * shift
        model = LogisticRegression(**fits).fit(moved, y)
        expected = float(first.intercept_[0] - size * first.coef_[0] @ shift)
        table[f"zero moved by {size:g}"] = {
            "bias": float(model.intercept_[0]),
            "first bias - w c": expected,
            "weights moved": float(abs(model.coef_ - first.coef_).max()),
            "answers moved": float(abs(model.predict_proba(moved) - first.predict_proba(X)).max()),
        }

    def draw(ax):
        bars(ax, {name: cells["bias"] for name, cells in table.items()}, x="bias of the same neuron")

    rows = list(table.values())
    return Shown(
        table,
        [
            Check.below(
                "gap to the bias that an offset would have",
                [abs(c["bias"] - c["first bias - w c"]) for c in rows],
                0.02,
            ),
            Check.above("how far the bias moved", abs(rows[2]["bias"] - rows[0]["bias"]), 0.05),
            Check.below("how far the answers moved", [c["answers moved"] for c in rows], 0.01),
        ],
        draw,
    )


@experiment(
    "dense-connections",
    topic="building blocks",
    claim="A dense layer connects each of its neurons to all neurons of the previous and of the next layer.",
    method="The same dense layer of 24 units in front of four layers: dense, in four groups, a convolution over "
    "neighbours, and an activation alone. From the Jacobians: the share of pairs that are connected before and behind.",
    verdict="does not hold",
    reading="It defines its connections to the previous layer only: all of them. What stands behind is up to the next "
    "layer.",
    concepts=("dense-layer",),
    corrects=("W18",),
    sources=("Goodfellow et al. 2016, Deep Learning, ch. 6",),
)
def dense_connections(lab: Setting) -> Shown:
    """Connections before and behind, by Jacobians."""
    torch.manual_seed(lab.seed)
    layer = nn.Linear(16, 24)
    behind = {
        "dense": nn.Linear(24, 24),
        "four groups": nn.Sequential(nn.Unflatten(0, (24, 1)), nn.Conv1d(24, 24, 1, groups=4), nn.Flatten(0)),
        "neighbours": nn.Sequential(nn.Unflatten(0, (1, 24)), nn.Conv1d(1, 1, 3, padding=1), nn.Flatten(0)),
        "activation": nn.Tanh(),
    }
    table = {}
    for name, following in behind.items():
        x = torch.randn(16)
        table[f"followed by: {name}"] = {
            "connected before": connected(layer, x),
            "connected behind": connected(following, layer(x).detach()),
            "parameters of the dense layer": sum(p.numel() for p in layer.parameters()),
        }

    def draw(ax):
        bars(
            ax,
            {name: cells["connected behind"] for name, cells in table.items()},
            x="share of pairs connected behind",
            mark=["followed by: dense"],
        )

    after = [cells["connected behind"] for cells in table.values()]
    return Shown(
        table,
        [
            Check.between(
                "pairs connected before", [cells["connected before"] for cells in table.values()], 1, 1
            ),
            Check.between("behind, followed by a dense layer", after[0], 1, 1),
            Check.below("behind, followed by another", after[1:], 0.3),
        ],
        draw,
    )


def connected(module: nn.Module, x: torch.Tensor) -> float:
    """The share of (output, input) pairs where the input changes the output."""
    jacobian = torch.autograd.functional.jacobian(module, x)
    return float((jacobian != 0).double().mean())
