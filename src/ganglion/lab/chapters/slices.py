"""Slices of the loss and its curvature: what they show, and what flattens them."""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.diagnose.landscape import landscape
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.optim.average import Average, average_named
from ganglion.optim.curvature import hessian_product, top_eigenvalues
from ganglion.optim.optimizers import make_optimizer
from ganglion.plot.style import BLUE, GREY, ORANGE, quiet


@experiment(
    "slices-mislead",
    topic="optimisation",
    claim="The loss landscape is a picture of the loss, and a network in a wider valley is the flatter one.",
    method="A trained ReLU network and its twin, one layer times 5 and the next divided by 5: the same "
    "function. Loss on a line through each in the same random direction, plain and filter-normalised: how "
    "much it rises at distance 1.",
    verdict="does not hold",
    reading="The landscape is a function of all weights; a picture is a slice of it. In a plain slice the "
    "twin's valley has another width although it computes the same; filter-normalised slices agree.",
    concepts=("loss-landscape",),
    corrects=("W78",),
    sources=("Dinh et al. 2017, arXiv:1703.04933", "Li et al. 2018, arXiv:1712.09913"),
)
def slices_mislead(lab: Setting) -> Shown:
    """The same function, two widths of valley."""
    table: dict[str, dict[str, list[float]]] = {
        n: {"network": [], "twin": []} for n in ("plain slice", "filter-normalised")
    }
    lines: dict[str, list[float]] = {}
    for seed in lab.seeds(6, 3):
        X, y, *_ = digits(300, seed)
        torch.manual_seed(seed)
        net = dense([64, 32, 10])
        train(net, torch.optim.Adam(net.parameters(), lr=0.01), X, y, steps=150)
        twin = copy.deepcopy(net)
        with torch.no_grad():
            twin[0].weight.mul_(5)
            twin[0].bias.mul_(5)
            twin[2].weight.div_(5)
        for name, module in (("network", net), ("twin", twin)):
            found = landscape(
                module, X, lambda out, y=y: F.cross_entropy(out, y), dims=1, size=21, seed=seed % 2**31
            )
            plain = plain_slice(module, X, y, seed, np.linspace(-1, 1, 21))
            table["filter-normalised"][name].append(rise(found.loss))
            table["plain slice"][name].append(rise(plain))
            lines[f"{name}, plain"], lines[f"{name}, normalised"] = plain, found.loss

    def draw(ax):
        at = np.linspace(-1, 1, 21)
        for (name, line), colour, dashes in zip(
            lines.items(), (GREY, GREY, ORANGE, ORANGE), ("--", "-", "--", "-")
        ):
            ax.plot(
                at,
                line,
                color=colour,
                linestyle=dashes,
                label=name,
                linewidth=2.6 if name.startswith("network") else 1.3,
            )
        ax.set_yscale("log")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="distance along the direction", y="loss")

    def ratio(name: str) -> list[float]:
        return [b / a for a, b in zip(table[name]["network"], table[name]["twin"])]

    off = [max(r, 1 / r) for r in ratio("plain slice")]
    checks = [
        Check.between(
            "rise of the twin over the network, filter-normalised", ratio("filter-normalised"), 0.98, 1.02
        ),
        Check.above("the same in a plain slice, the larger over the smaller, mean", float(np.mean(off)), 1.5),
    ]
    return Shown(table, checks, draw)


def rise(line: list[float]) -> float:
    """The mean of both ends above the middle."""
    return (line[0] + line[-1]) / 2 - line[len(line) // 2]


@torch.no_grad()
def plain_slice(module: nn.Module, X: Tensor, y: Tensor, seed: int, at: np.ndarray) -> list[float]:
    """Losses along one random direction of length 1 per layer, whatever the layers' sizes are."""
    draw = torch.Generator().manual_seed(seed)
    before = [p.clone() for p in module.parameters()]
    ways = [torch.randn(p.shape, generator=draw) for p in before]
    ways = [w / w.norm() * 5 if w.dim() > 1 else torch.zeros_like(w) for w in ways]
    losses = []
    for a in at:
        for p, start, way in zip(module.parameters(), before, ways):
            p.copy_(start + float(a) * way)
        losses.append(float(F.cross_entropy(module(X), y)))
    for p, start in zip(module.parameters(), before):
        p.copy_(start)
    return losses


@experiment(
    "flat-minima",
    topic="optimisation",
    claim="Sharpness-aware steps end where the loss is flatter.",
    method="A network of 32 units on 300 digits, momentum with and without SAM around it (the same updates, "
    "so twice the gradients), trained to a low loss: largest eigenvalue of the Hessian, training loss, "
    "accuracy on other digits.",
    verdict="holds",
    reading="The end is several times flatter at the same number of updates; whether flat ends answer "
    "better is another question (here: hardly a difference), and each update costs two gradients.",
    concepts=("loss-landscape", "optimizer"),
    sources=("Foret et al. 2021, arXiv:2010.01412", "Keskar et al. 2017, arXiv:1609.04836"),
)
def flat_minima(lab: Setting) -> Shown:
    """Curvature at the end with and without SAM."""
    rows = {"momentum": "sgd", "SAM around momentum": "sam(0.1)"}
    columns = ("largest curvature", "training loss", "accuracy")
    table: dict[str, dict[str, list[float]]] = {name: {c: [] for c in columns} for name in rows}
    for seed in lab.seeds(5, 2):
        X, y, X_test, y_test = digits(300, seed)
        for name, kind in rows.items():
            torch.manual_seed(seed)
            net = dense([64, 32, 10])
            optimizer = make_optimizer(kind, net, lr=0.05, momentum=0.9)
            updates(net, optimizer, X, y, lab.pick(1000, 500))
            curvature, loss = sharpness(net, X, y)
            for column, value in zip(columns, (curvature, loss, accuracy(net, X_test, y_test))):
                table[name][column].append(value)

    def draw(ax):
        ax.bar(list(rows), [np.mean(row["largest curvature"]) for row in table.values()], color=[GREY, BLUE])
        quiet(ax, y="largest eigenvalue of the Hessian")

    plain, aware = table.values()
    checks = [
        Check.more(
            "largest curvature, momentum against SAM",
            plain["largest curvature"],
            aware["largest curvature"],
            times=1.5,
        ),
        Check.below("training loss", [v for row in table.values() for v in row["training loss"]], 0.2),
    ]
    return Shown(table, checks, draw)


def updates(net: nn.Module, optimizer, X: Tensor, y: Tensor, steps: int) -> None:
    """Updates on batches of 50 for optimisers that may ask for the gradient again."""
    for _ in range(steps):
        pick = torch.randint(len(X), (50,))

        def ask(pick: Tensor = pick) -> Tensor:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(X[pick]), y[pick])
            loss.backward()
            return loss

        ask()
        optimizer.step(ask)


def sharpness(net: nn.Module, X: Tensor, y: Tensor) -> tuple[float, float]:
    """The largest eigenvalue of the Hessian of the mean loss, and that loss."""
    params = list(net.parameters())
    product = hessian_product(lambda: F.cross_entropy(net(X), y), params)
    start = torch.randn(sum(p.numel() for p in params))
    with torch.no_grad():
        loss = float(F.cross_entropy(net(X), y))
    return float(top_eigenvalues(product, start)[0]), loss


@experiment(
    "averaged-weights",
    topic="optimisation",
    claim="The last weights of a run are its best.",
    method="Softmax regression on 500 digits, a fifth with a random label, descent at a constant, rather "
    "large rate and batches of 4; loss on other digits of the last weights, of their exponential average "
    "and of the plain average of the last quarter of the epochs.",
    verdict="does not hold",
    reading="Under a constant rate the weights circle around; their average lies lower than any of them. A "
    "rate that falls to zero does the same job in another way.",
    concepts=("stochastic-gradient-descent", "optimizer"),
    sources=("Polyak and Juditsky 1992", "Izmailov et al. 2018, arXiv:1803.05407"),
)
def averaged_weights(lab: Setting) -> Shown:
    """Last, EMA, SWA."""
    names = ("last weights", "ema(0.99)", "swa(0.75)")
    table: dict[str, dict[str, list[float]]] = {name: {"loss": [], "accuracy": []} for name in names}
    for seed in lab.seeds(8, 4):
        X, y, X_test, y_test = digits(500, seed)
        torch.manual_seed(seed)
        net = dense([64, 10])
        given = torch.where(torch.rand(len(y)) < 0.2, torch.randint(0, 10, (len(y),)), y)
        optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
        averages = {name: Average(net, average_named(name)) for name in names[1:]}
        epochs = lab.pick(12, 8)
        for epoch in range(epochs):
            for _ in range(len(X) // 4):
                train(net, optimizer, X, given, steps=1, batch=4)
                averages["ema(0.99)"].take("step", epoch / epochs)
            averages["swa(0.75)"].take("epoch", (epoch + 1) / epochs)
        measure(table["last weights"], net, X_test, y_test)
        for name, average in averages.items():
            with average.in_place():
                measure(table[name], net, X_test, y_test)

    def draw(ax):
        ax.bar(list(names), [np.mean(row["loss"]) for row in table.values()], color=[GREY, BLUE, ORANGE])
        quiet(ax, y="loss on other digits")

    loss = {name: row["loss"] for name, row in table.items()}
    checks = [
        Check.more(
            "loss of the last weights against the exponential average",
            loss[names[0]],
            loss[names[1]],
            times=1.1,
        ),
        Check.more("against the plain average", loss[names[0]], loss[names[2]], times=1.1),
    ]
    return Shown(table, checks, draw)


@torch.no_grad()
def measure(row: dict[str, list[float]], net: nn.Module, X: Tensor, y: Tensor) -> None:
    """Write loss and accuracy into a row."""
    row["loss"].append(float(F.cross_entropy(net(X), y)))
    row["accuracy"].append(accuracy(net, X, y))


@experiment(
    "second-order",
    topic="optimisation",
    claim="Knowing the curvature saves most of the steps.",
    method="Logistic regression on ten columns whose scales span a factor of 100: gradients that L-BFGS and "
    "plain descent (the best of eight step sizes) need until the loss is within a millionth of its minimum.",
    verdict="holds when",
    reading="On smooth full-batch problems, the worse conditioned the more. With noisy batches the estimate "
    "of curvature is noise too, and mini-batch training goes without.",
    concepts=("optimizer", "ill-conditioning"),
    sources=("Liu and Nocedal 1989",),
)
def second_order(lab: Setting) -> Shown:
    """Gradients to a millionth."""
    most = lab.pick(20_000, 6_000)
    table: dict[str, dict[str, list[float]]] = {
        "plain descent": {"gradients": []},
        "L-BFGS": {"gradients": []},
    }
    for seed in lab.seeds(5, 2):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(300, 10)) * np.geomspace(0.1, 10, 10)
        y = (rng.random(300) < 0.5).astype(float)
        gradients, least = lbfgs_gradients(torch.from_numpy(X), torch.from_numpy(y))
        table["L-BFGS"]["gradients"].append(gradients)
        table["plain descent"]["gradients"].append(descent_gradients(X, y, least + 1e-6, most))

    def draw(ax):
        ax.barh(list(table), [np.mean(row["gradients"]) for row in table.values()], color=[GREY, BLUE])
        ax.set_xscale("log")
        quiet(ax, grid="x", x="gradients until the loss is within a millionth")

    plain, curved = (row["gradients"] for row in table.values())
    checks = [
        Check.below("gradients that L-BFGS needs", curved, 150),
        Check.more("plain descent against L-BFGS", plain, curved, times=10),
    ]
    return Shown(table, checks, draw, {"at most": most})


def lbfgs_gradients(X: Tensor, y: Tensor) -> tuple[int, float]:
    """Gradients that L-BFGS needs for the logistic loss (with a little ridge), to a millionth, and its minimum."""
    w = torch.zeros(X.shape[1], dtype=torch.float64, requires_grad=True)
    losses: list[float] = []

    def ask() -> Tensor:
        w.grad = None
        loss = F.binary_cross_entropy_with_logits(X @ w, y) + 1e-4 * (w * w).sum()
        loss.backward()
        losses.append(float(loss.detach()))
        return loss

    torch.optim.LBFGS([w], max_iter=300, line_search_fn="strong_wolfe", tolerance_grad=1e-12).step(ask)
    return int(np.argmax(np.array(losses) <= min(losses) + 1e-6)) + 1, min(losses)


def descent_gradients(X: np.ndarray, y: np.ndarray, goal: float, most: int) -> int:
    """The same for plain descent, the best of eight step sizes, which run side by side."""
    rates = 2.0 ** np.arange(-7, 1)
    w = np.zeros((X.shape[1], len(rates)))
    for count in range(1, most):
        z = np.clip(X @ w, -500, 500)
        if (
            count % 20 == 0
            and ((np.logaddexp(0, z) - y[:, None] * z).mean(0) + 1e-4 * (w * w).sum(0)).min() <= goal
        ):
            return count
        w -= rates * (X.T @ (1 / (1 + np.exp(-z)) - y[:, None]) / len(y) + 2e-4 * w)
    return most
