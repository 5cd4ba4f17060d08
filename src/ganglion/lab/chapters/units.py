"""What goes wrong in single units and single steps: saturation, dead ReLUs, inputs out of scale, not-a-number."""

import math
from collections.abc import Callable

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.data.batches import ResidentBatches
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.nn.init import initialise
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.loop import fit


@experiment(
    "saturation",
    topic="signals and starts",
    claim="Units at a bound of their activation pass hardly any gradient and learn slowly; weights or inputs that are "
    "too large drive them there.",
    method="Two hidden layers of tanh units on the digits: the mean slope of the first layer's units at the start and "
    "the training loss after some steps, at the usual scale, with weights ten times larger, and with inputs a hundred "
    "times larger.",
    verdict="holds",
    reading="The slope of tanh is 1 - tanh^2, so at |tanh| above 0.99 less than 2 % of the gradient comes through. "
    "Usual weights and scaled inputs keep units away from the bounds.",
    concepts=("tanh", "sigmoid", "vanishing-gradient", "feature-scaling"),
    sources=("Glorot and Bengio 2010", "LeCun et al. 1998, Efficient BackProp"),
)
def saturation(lab: Setting) -> Shown:
    """Large weights, large inputs."""
    nets = {
        "usual": (1, 1),
        "weights x 10": (10, 1),
        "inputs x 100": (1, 100),
        "inputs x 100, scaled": (1, 1),
    }
    seeds, table = lab.seeds(6, 3), {}
    for name, (weights, inputs) in nets.items():
        at_bound, slope, loss = zip(*(saturated(seed, weights, inputs, lab.pick(300, 60)) for seed in seeds))
        table[name] = {"at a bound": at_bound, "mean slope": slope, "loss": loss}
    usual, heavy, loud, scaled = table.values()

    def draw(ax):
        bars(
            ax,
            {n: c["loss"] for n, c in table.items()},
            x="training loss",
            mark=["usual", "inputs x 100, scaled"],
        )

    return Shown(
        table,
        [
            Check.below("units at a bound, usual", [*usual["at a bound"], *scaled["at a bound"]], 0.05),
            Check.above(
                "units at a bound, large weights or inputs", [*heavy["at a bound"], *loud["at a bound"]], 0.6
            ),
            Check.below("their mean slope", [*heavy["mean slope"], *loud["mean slope"]], 0.25),
            Check.more("loss, large weights", heavy["loss"], usual["loss"], times=1.5),
            Check.more("loss, large inputs", loud["loss"], usual["loss"], times=1.5),
        ],
        draw,
        {"at a bound": "|tanh| above 0.99"},
    )


def saturated(seed: int, weights: float, inputs: float, steps: int) -> tuple[float, float, float]:
    """Share of first-layer values at a bound, their mean slope, and the loss after training."""
    torch.manual_seed(seed)
    X, y, *_ = digits(600, seed)
    X = (X - X.mean()) / X.std() * inputs
    net = dense([64, 64, 64, 10], nn.Tanh)
    initialise(net, "glorot")
    with torch.no_grad():
        for layer in (net[0], net[2]):
            layer.weight *= weights
        h = net[:2](X)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = train(net, optimizer, X, y, steps=steps, batch=100)
    return float((h.abs() > 0.99).float().mean()), float((1 - h**2).mean()), sum(losses[-12:]) / 12


@experiment(
    "dead-relu",
    topic="signals and starts",
    claim="A ReLU that is off for every example gets no gradient and stays off; leaky ReLU cannot die.",
    method="Two hidden layers on the digits, whose first layer's units are switched off by biases of -5, or which took "
    "one step at a rate of 30: the share of first-layer units without any gradient, before and after training.",
    verdict="holds",
    reading="ReLU's slope is exactly 0 below 0, so 'ReLU has no vanishing gradient' is true of its positive side only. "
    "A slope of 0.01 there lets the same units come back from the shifted biases.",
    concepts=("relu", "leaky-relu"),
    corrects=("W10",),
    sources=("Lu et al. 2019, arXiv:1903.06733", "Maas et al. 2013"),
)
def dead_relu(lab: Setting) -> Shown:
    """Forced off by biases, and by one step that is too long."""
    nets: dict[str, tuple[Callable[[], nn.Module], float, float]] = {
        "ReLU": (nn.ReLU, 0.0, 0.0),
        "ReLU, biases -5": (nn.ReLU, -5.0, 0.0),
        "leaky, biases -5": (nn.LeakyReLU, -5.0, 0.0),
        "ReLU, one long step": (nn.ReLU, 0.0, 30.0),
        "leaky, one long step": (nn.LeakyReLU, 0.0, 30.0),
    }
    seeds, table = lab.seeds(6, 3), {}
    for name, (activation, bias, rate) in nets.items():
        before, after, right = zip(*(switched_off(seed, activation, bias, rate) for seed in seeds))
        table[name] = {"without gradient": before, "after training": after, "accuracy": right}
    usual, shifted, leaky, stepped, leaky_stepped = table.values()

    def draw(ax):
        shown = {name: cells["after training"] for name, cells in table.items()}
        bars(ax, shown, x="units without gradient after training", mark=[n for n in shown if "leaky" in n])
        ax.set_xlim(0, 1.02)

    return Shown(
        table,
        [
            Check.below("ReLU, usual start", usual["without gradient"], 0.2),
            Check.above("ReLU, biases -5: before training", shifted["without gradient"], 0.5),
            Check.above("ReLU, biases -5: after", shifted["after training"], 0.5),
            Check.more(
                "ReLU, after one long step", stepped["without gradient"], usual["without gradient"], by=0.2
            ),
            Check.below(
                "leaky ReLU", [*leaky["without gradient"], *leaky_stepped["without gradient"]], 0.001
            ),
            Check.more(
                "accuracy from biases -5, leaky against ReLU", leaky["accuracy"], shifted["accuracy"], by=0.3
            ),
        ],
        draw,
    )


def switched_off(
    seed: int, activation: Callable[[], nn.Module], bias: float, rate: float
) -> tuple[float, float, float]:
    """Share of first-layer units without gradient before and after training, and the accuracy."""
    torch.manual_seed(seed)
    X, y, X_test, y_test = digits(600, seed)
    net = dense([64, 64, 64, 10], activation)
    initialise(net, "he")
    nn.init.constant_(net[0].bias, bias)
    if rate:
        train(net, torch.optim.SGD(net.parameters(), lr=rate), X, y, steps=1)
    before = without_gradient(net, X, y)
    train(net, torch.optim.Adam(net.parameters(), lr=1e-2), X, y, steps=150, batch=100)
    return before, without_gradient(net, X, y), accuracy(net, X_test, y_test)


def without_gradient(net: nn.Sequential, X: Tensor, y: Tensor) -> float:
    """Share of the first layer's units of which no weight has a gradient on any of the rows."""
    net.zero_grad()
    F.cross_entropy(net(X), y).backward()
    return float((net[0].weight.grad == 0).all(1).float().mean())


@experiment(
    "input-scaling",
    topic="signals and starts",
    claim="Features must be brought to one scale before training.",
    method="A network and a decision tree on the breast cancer table (30 features of very different size), raw and "
    "standardised by the training rows. The network takes 100 steps at the best of five rates.",
    verdict="holds when",
    reading="It holds for what is trained by gradients: unequal scales make the problem ill-conditioned. A tree "
    "answers the same either way. The gain comes through optimisation; scaling does not itself make a model "
    "generalise.",
    concepts=("feature-scaling", "ill-conditioning"),
    corrects=("W17",),
    sources=("LeCun et al. 1998, Efficient BackProp",),
)
def input_scaling(lab: Setting) -> Shown:
    """Gradient descent and a tree, raw and scaled."""
    seeds = lab.seeds(12, 5)
    table: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        X, y = load_breast_cancer(return_X_y=True)
        order = np.random.default_rng(seed).permutation(len(X))
        part, rest = order[:400], order[400:]
        mean, std = X[part].mean(0), X[part].std(0)
        for name, rows in (("raw", X), ("scaled", (X - mean) / std)):
            tree = DecisionTreeClassifier(random_state=0).fit(rows[part], y[part])
            loss, right = best_of_rates(seed, rows, y, part, rest)
            network = {"training loss": loss, "accuracy": right}
            network["log10 condition number"] = math.log10(np.linalg.cond(np.cov(rows[part].T)))
            for row, cells in (
                (f"network, {name}", network),
                (f"tree, {name}", {"accuracy": tree.score(rows[rest], y[rest])}),
            ):
                for column, value in cells.items():
                    table.setdefault(row, {}).setdefault(column, []).append(value)
    raw, scaled = table["network, raw"], table["network, scaled"]
    tree_gap = [abs(a - b) for a, b in zip(table["tree, raw"]["accuracy"], table["tree, scaled"]["accuracy"])]

    def draw(ax):
        shown = {name: cells["accuracy"] for name, cells in table.items()}
        bars(ax, shown, x="accuracy on other rows", mark=["network, scaled", "tree, scaled"])
        ax.set_xlim(0, 1)

    return Shown(
        table,
        [
            Check.more(
                "training loss, raw against scaled", raw["training loss"], scaled["training loss"], times=2
            ),
            Check.more("accuracy, scaled against raw", scaled["accuracy"], raw["accuracy"]),
            Check.below("what scaling changes for a tree", tree_gap, 0.03),
            Check.above(
                "powers of ten off the condition number",
                [a - b for a, b in zip(raw["log10 condition number"], scaled["log10 condition number"])],
                2,
            ),
        ],
        draw,
    )


def best_of_rates(
    seed: int, X: np.ndarray, y: np.ndarray, part: np.ndarray, rest: np.ndarray
) -> tuple[float, float]:
    """Training loss and accuracy on other rows, at the rate with the lowest loss."""
    rows, labels = torch.tensor(X, dtype=torch.float32), torch.tensor(y)
    found = []
    for rate in (1e-6, 1e-5, 1e-4, 1e-2, 1e-1):
        torch.manual_seed(seed)
        net = dense([30, 16, 2])
        optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
        losses = train(net, optimizer, rows[part], labels[part], steps=100)
        if math.isfinite(losses[-1]):
            found.append((losses[-1], accuracy(net, rows[rest], labels[rest])))
    return min(found)


@experiment(
    "non-finite",
    topic="signals and starts",
    claim="One step whose loss or gradient is not a finite number destroys a network; left out, it does not, and the "
    "layer where the numbers broke can be named.",
    method="Networks on the digits with a layer that takes log(0), one that divides 0 by 0, and one whose steps are "
    "too long: a plain loop against Ganglion's, which judges every step before it is applied.",
    verdict="holds",
    reading="A single not-a-number spreads through the update into every weight that it meets. The guard keeps the "
    "weights of before and searches the step again for the first layer that is not finite.",
    concepts=("training-loop", "exploding-gradient"),
    sources=("Goodfellow et al. 2016, Deep Learning, ch. 4 and 8",),
)
def non_finite(lab: Setting) -> Shown:
    """Plain loop against guarded loop."""
    faults: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
        "none": (torch.relu, 0.1),
        "log of 0": (lambda x: torch.relu(x).log(), 0.1),
        "0 divided by 0": (lambda x: torch.relu(x) / torch.relu(x), 0.1),
        "steps too long": (torch.relu, 1e25),
    }
    seeds, table = lab.seeds(8, 3), {}
    for name, fault in faults.items():
        plain, guarded, named = zip(*(broken(seed, *fault) for seed in seeds))
        table[name] = {
            "finite weights, plain": plain,
            "finite weights, guarded": guarded,
            "layer named": named,
        }
    sound, log, division, long = table.values()

    def draw(ax):
        names = [name for name in table if name != "none"]
        shown = {
            f"{name}, {loop}": table[name][f"finite weights, {loop}"]
            for name in names
            for loop in ("plain", "guarded")
        }
        bars(
            ax,
            shown,
            x="share of weights that are finite after 20 steps",
            mark=[n for n in shown if "guarded" in n],
        )

    return Shown(
        table,
        [
            Check.below(
                "finite weights of the plain loop",
                [v for c in (log, division, long) for v in c["finite weights, plain"]],
                0.99,
            ),
            Check.above(
                "finite weights of the guarded loop",
                [v for c in (log, division, long) for v in c["finite weights, guarded"]],
                0.999,
            ),
            Check.above(
                "seeds in which the planted layer is named",
                [*log["layer named"], *division["layer named"]],
                0.5,
            ),
            Check.below("layers named in sound runs", sound["layer named"], 0.5),
            Check.above(
                "finite weights of sound runs",
                [*sound["finite weights, plain"], *sound["finite weights, guarded"]],
                0.999,
            ),
        ],
        draw,
        {"layer named": "1 where the run ended and the faulty layer was named"},
    )


class Function(nn.Module):
    """A function as a layer."""

    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        """(n, k) -> (n, k)."""
        return self.f(x)


def broken(seed: int, f: Callable[[Tensor], Tensor], rate: float) -> tuple[float, float, float]:
    """Share of finite weights after 20 steps of a plain and of a guarded loop, and whether layer "1" was named."""
    X, y, *_ = digits(300, seed)
    nets = []
    for _ in range(2):
        torch.manual_seed(seed)
        nets.append(nn.Sequential(nn.Linear(64, 32), Function(f), nn.Linear(32, 10)))
    plain, guarded = nets
    train(plain, torch.optim.SGD(plain.parameters(), lr=rate), X, y, steps=20, batch=50)
    objective, batches = (
        Supervised(guarded, loss_named("cross_entropy")),
        ResidentBatches({"x": X, "y": y}, 50),
    )
    optimizers = {"train": torch.optim.SGD(guarded.parameters(), lr=rate)}
    run = fit(objective, batches, optimizers=optimizers, max_steps=20)
    return finite_share(plain), finite_share(guarded), float((run.non_finite or {}).get("layer") == "1")


def finite_share(net: nn.Module) -> float:
    """Share of a network's parameters that are finite."""
    return float(torch.cat([p.detach().flatten() for p in net.parameters()]).isfinite().float().mean())
