"""What rows can mislead by: wrong labels, outliers, units of measure, too many dimensions."""

from itertools import pairwise

import numpy as np
import torch
from scipy.spatial import cKDTree

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.objectives.losses import Loss, loss_named
from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, note, quiet


@experiment(
    "label-noise",
    topic="generalisation",
    claim="A network that fits its training labels better predicts better.",
    method="400 digits of which none or 40 % got a random label; 256 hidden units trained to the end: "
    "accuracy on the given labels and on clean test digits over time.",
    verdict="holds when",
    reading="With clean labels. With wrong ones the network first learns the digits and then memorises the "
    "noise: test accuracy peaks early and falls while the fit goes on improving.",
    concepts=("overfitting", "early-stopping", "regularization"),
    corrects=("W41",),
    sources=("Zhang et al. 2017, arXiv:1611.03530", "Arpit et al. 2017, arXiv:1706.05394"),
)
def label_noise(lab: Setting) -> Shown:
    """Test accuracy while labels are memorised."""
    steps, every = lab.pick(1200, 600), 20
    table: dict[str, dict[str, list[float]]] = {
        n: {"best on the way": [], "at the end": [], "fit at the end": []}
        for n in ("clean labels", "40 % random")
    }
    curves: dict[str, list[float]] = {}
    for seed in lab.seeds(4, 2):
        for name, share in (("clean labels", 0.0), ("40 % random", 0.4)):
            X, y, X_test, y_test = digits(400, seed)
            torch.manual_seed(seed)
            given = torch.where(torch.rand(400) < share, torch.randint(0, 10, (400,)), y)
            net, curve = dense([64, 256, 10]), []

            def watch(step: int, _: float, net=net, curve=curve, X=X_test, y=y_test) -> None:
                if step % every == 0:
                    curve.append(accuracy(net, X, y))

            train(
                net,
                torch.optim.Adam(net.parameters(), lr=0.01),
                X,
                given,
                steps=steps,
                batch=100,
                watch=watch,
            )
            curves[name] = [*curve, accuracy(net, X_test, y_test)]
            for column, value in zip(
                table[name], (max(curves[name]), curves[name][-1], accuracy(net, X, given))
            ):
                table[name][column].append(value)

    def draw(ax):
        for (name, curve), colour in zip(curves.items(), (BLUE, ORANGE)):
            ax.plot(np.arange(len(curve)) * every, curve, color=colour)
            note(ax, steps, curve[-1], name, beside=-4, color=colour, ha="right", va="bottom")
        quiet(ax, x="step", y="accuracy on clean test digits")

    clean, noisy = table.values()
    checks = [
        Check.more(
            "40 % random: best on the way against the end",
            noisy["best on the way"],
            noisy["at the end"],
            by=0.08,
        ),
        Check.more(
            "clean: the end against best on the way, less 2 points",
            clean["at the end"],
            clean["best on the way"],
            by=-0.03,
        ),
        Check.above("fit of the random labels at the end", noisy["fit at the end"], 0.97),
    ]
    return Shown(table, checks, draw)


@experiment(
    "curse-of-dimensionality",
    topic="generalisation",
    claim="In many dimensions all points are about equally far from each other.",
    method="500 points drawn uniformly in a cube: how much farther the farthest is than the nearest, "
    "averaged over 20 of them; and the rows (doubled from 25) with which the nearest neighbour predicts a smooth "
    "function to a fifth of its variance.",
    verdict="holds when",
    reading="When coordinates are independent: the contrast falls from about 70-fold in two dimensions to a "
    "tenth in a thousand. Real data lie near fewer dimensions than they have columns.",
    concepts=("curse-of-dimensionality",),
    sources=("Beyer et al. 1999, When is nearest neighbor meaningful?",),
)
def curse(lab: Setting) -> Shown:
    """The contrast of distances."""
    dimensions = (2, 4, 6, 20, 100, 1000)
    table: dict[str, dict[str, list[float]]] = {
        f"{d:,} dimensions": {"(far - near) / near": []} for d in dimensions
    }
    for seed in lab.seeds(8, 3):
        rng = np.random.default_rng(seed)
        for d, row in zip(dimensions, table.values()):
            X = rng.uniform(size=(500, d))
            asked = X[:20]
            gaps = np.sqrt(np.maximum((asked**2).sum(1)[:, None] + (X**2).sum(1) - 2 * asked @ X.T, 0))
            gaps[np.arange(20), np.arange(20)] = np.nan
            near, far = np.nanmin(gaps, 1), np.nanmax(gaps, 1)
            row["(far - near) / near"].append(float(((far - near) / near).mean()))

    def draw(ax):
        ax.plot(dimensions, contrast, color=BLUE, marker="o")
        ax.set_xscale("log")
        ax.set_yscale("log")
        quiet(ax, x="dimensions", y="(farthest - nearest) / nearest")

    contrast = [float(np.mean(row["(far - near) / near"])) for row in table.values()]
    needed = {d: [float(rows_needed(d, seed)) for seed in lab.seeds(6, 3)] for d in (2, 4, 6)}
    for d, rows in needed.items():
        table[f"{d} dimensions"]["rows for error 0.2"] = rows
    checks = [
        Check.above("contrast in 2 dimensions", contrast[0], 20),
        Check.between("contrast in 1,000 dimensions", contrast[-1], 0.05, 0.2),
        Check.above("each step down over the next", [a / b for a, b in pairwise(contrast)], 1.5),
        Check.more(
            "rows that the nearest neighbour needs, 6 and 2 dimensions", needed[6], needed[2], times=10
        ),
    ]
    return Shown(table, checks, draw)


def rows_needed(d: int, seed: int) -> int:
    """Rows (doubled from 25) at which the nearest neighbour's squared error is a fifth of the variance."""
    rng = np.random.default_rng(seed)
    X, asked = rng.uniform(size=(2**12 * 25, d)), rng.uniform(size=(500, d))
    values, truth = (np.sin(3 * points).sum(1) for points in (X, asked))
    for n in 25 * 2 ** np.arange(13):
        nearest = cKDTree(X[:n]).query(asked)[1]
        if ((values[nearest] - truth) ** 2).mean() < 0.2 * truth.var():
            return int(n)
    return len(X)


@experiment(
    "outliers-and-loss",
    topic="generalisation",
    claim="Squared error suits problems in which outliers matter, so it is the robust choice.",
    method="100 numbers around 0, of which none, one or five lie near 50: the value that minimises squared, "
    "Huber and absolute error, by the losses' own gradients.",
    verdict="does not hold",
    reading="Five outliers drag the minimiser of squared error by 2.5 units and that of absolute error "
    "hardly at all; Huber lies between. If outliers are noise, do not square.",
    concepts=("mean-squared-error", "loss-function"),
    corrects=("W53",),
    sources=("Huber 1964",),
)
def outliers_and_loss(lab: Setting) -> Shown:
    """Where each loss puts the centre."""
    names = {"squared error": "squared_error", "huber": "huber", "absolute error": "absolute_error"}
    table: dict[str, dict[str, list[float]]] = {n: {f"{k} outliers": [] for k in (0, 1, 5)} for n in names}
    for seed in lab.seeds(20, 8):
        rng = np.random.default_rng(seed)
        for k in (0, 1, 5):
            y = torch.from_numpy(np.concatenate([rng.normal(size=100 - k), 50 + rng.normal(size=k)]))
            for name, known in names.items():
                table[name][f"{k} outliers"].append(centre(y, loss_named(known)))

    def draw(ax):
        places = np.arange(3)
        for shift, (name, row), colour in zip((-0.27, 0, 0.27), table.items(), (ORANGE, GREEN, BLUE)):
            ax.bar(places + shift, [np.mean(np.abs(v)) for v in row.values()], 0.25, color=colour, label=name)
        ax.set_xticks(places, ["none", "one of 100", "five of 100"])
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left")
        quiet(ax, x="outliers near 50", y="distance of the minimiser from 0")

    five = {n: float(np.mean(row["5 outliers"])) for n, row in table.items()}
    checks = [
        Check.between("squared error, five outliers", five["squared error"], 2.2, 2.8),
        Check.between("absolute error, five outliers", five["absolute error"], -0.25, 0.3),
        Check.more("squared against Huber", five["squared error"], five["huber"], times=5),
    ]
    return Shown(table, checks, draw)


def centre(y: torch.Tensor, loss: Loss) -> float:
    """The number that minimises the mean loss to ``y`` (n,), by bisection on the sign of its slope."""
    low, high = float(y.min()), float(y.max())
    for _ in range(60):
        at = torch.full((len(y), 1), (low + high) / 2, dtype=y.dtype, requires_grad=True)
        slope = torch.autograd.grad(loss.value(at, y[:, None]).sum(), at)[0].sum()
        low, high = ((low + high) / 2, high) if slope < 0 else (low, (low + high) / 2)
    return (low + high) / 2


@experiment(
    "weights-are-not-importance",
    topic="generalisation",
    claim="A weight is the importance of its input.",
    method="Linear regression on five columns that matter equally, as they come and with one of them in "
    "thousandths of its unit; the share of that column's weight, and of the error when it is shuffled.",
    verdict="does not hold",
    reading="The weight follows the unit of the column, importance does not: shuffling costs the same in "
    "any unit. Weights tell importance only in linear models with comparable scales.",
    concepts=("weights-and-biases", "feature-importance"),
    corrects=("W107",),
    sources=("Olden et al. 2004",),
)
def weights_are_not_importance(lab: Setting) -> Shown:
    """The weight and the importance of a column in two units."""
    table: dict[str, dict[str, list[float]]] = {
        n: {"share of weight": [], "share of shuffled error": []} for n in ("in its unit", "in thousandths")
    }
    for seed in lab.seeds(10, 4):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400, 5))
        y = X.sum(1) + 0.5 * rng.normal(size=400)
        for name, scale in (("in its unit", 1.0), ("in thousandths", 1000.0)):
            columns = X * np.array([scale, 1, 1, 1, 1])
            w = np.linalg.lstsq(columns, y, rcond=None)[0]
            cost = []
            for j in range(5):
                mixed = columns.copy()
                mixed[:, j] = rng.permutation(mixed[:, j])
                cost.append(((mixed @ w - y) ** 2).mean() - ((columns @ w - y) ** 2).mean())
            table[name]["share of weight"].append(float(abs(w[0]) / np.abs(w).sum()))
            table[name]["share of shuffled error"].append(float(cost[0] / sum(cost)))

    def draw(ax):
        places = np.arange(2)
        for shift, column, colour in (
            (-0.2, "share of weight", ORANGE),
            (0.2, "share of shuffled error", BLUE),
        ):
            ax.bar(
                places + shift,
                [np.mean(row[column]) for row in table.values()],
                0.38,
                color=colour,
                label=column,
            )
        ax.axhline(0.2, color=GREY, linestyle=(0, (4, 3)))
        ax.set_xticks(places, list(table))
        ax.set_ylim(0, 0.3)
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper center", ncols=2)
        quiet(ax, x="the same column", y="share (a fifth is fair)")

    shares = [v for row in table.values() for v in row["share of shuffled error"]]
    checks = [
        Check.between("share of the shuffled error, in both units", shares, 0.12, 0.28),
        Check.between("share of weight in its unit", table["in its unit"]["share of weight"], 0.15, 0.25),
        Check.below("share of weight in thousandths", table["in thousandths"]["share of weight"], 0.001),
    ]
    return Shown(table, checks, draw)
