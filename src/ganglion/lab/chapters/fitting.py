"""Fitting too little and too much: bias and variance, size of model and data, memory and noise."""

import numpy as np
import torch

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, note, quiet

NOISE = 0.3


def truth(x: np.ndarray) -> np.ndarray:
    """The curve that polynomials are fitted to."""
    return np.sin(np.pi * x) + 0.5 * x


@experiment(
    "bias-variance",
    topic="generalisation",
    claim="The bias-variance trade-off is fitting the training data (low bias) against generalising (low "
    "variance).",
    method="Polynomials of degree 1 to 9 fitted to many training sets of 25 noisy points: squared gap of "
    "the average fit to the truth, spread of the fits, and the error on new points, each measured on its own.",
    verdict="does not hold",
    reading="Bias is the error of the average predictor against the truth, variance its spread over "
    "training sets, and bias^2 + variance + noise is the expected error on new data: both belong to "
    "generalising.",
    concepts=("bias-variance-tradeoff",),
    corrects=("W49",),
    sources=("Geman et al. 1992",),
)
def bias_variance(lab: Setting) -> Shown:
    """The decomposition, measured."""
    degrees, sets = (1, 3, 5, 7, 9), lab.pick(4000, 1000)
    rng = np.random.default_rng(lab.seed)
    x, grid = np.linspace(-1, 1, 25), np.linspace(-1, 1, 200)
    y = truth(x) + NOISE * rng.normal(size=(sets, 25))
    fresh = truth(grid) + NOISE * rng.normal(size=(sets, 200))
    table: dict[str, dict[str, float]] = {}
    for degree in degrees:
        known, wanted = (np.polynomial.legendre.legvander(places, degree) for places in (x, grid))
        fits = wanted @ np.linalg.lstsq(known, y.T, rcond=None)[0]
        bias2 = float(((fits.mean(1) - truth(grid)) ** 2).mean())
        variance = float(fits.var(1).mean())
        table[f"degree {degree}"] = {
            "bias^2": bias2,
            "variance": variance,
            "noise": NOISE**2,
            "sum": bias2 + variance + NOISE**2,
            "error on new points": float(((fits.T - fresh) ** 2).mean()),
        }

    def draw(ax):
        bottom = np.zeros(len(degrees))
        for part, colour in (("noise", GREY), ("bias^2", ORANGE), ("variance", BLUE)):
            values = np.array([row[part] for row in table.values()])
            ax.bar([str(d) for d in degrees], values, bottom=bottom, color=colour, label=part)
            bottom += values
        ax.plot(
            range(len(degrees)),
            [row["error on new points"] for row in table.values()],
            "k.",
            label="measured error",
        )
        ax.legend(frameon=False)
        quiet(ax, x="degree", y="squared error")

    def column(name: str) -> list[float]:
        return [row[name] for row in table.values()]

    gaps = [abs(row["sum"] / row["error on new points"] - 1) for row in table.values()]
    checks = [
        Check.below("gap between the sum and the measured error", gaps, 0.02),
        Check.below("change of bias^2 from degree to degree", np.diff(column("bias^2")).max(), 1e-4),
        Check.above("change of variance from degree to degree", np.diff(column("variance")).min(), 0.0),
    ]
    return Shown(table, checks, draw, {"training sets": sets})


@experiment(
    "double-descent",
    topic="generalisation",
    claim="More parameters overfit more.",
    method="Least squares on random ReLU features of 40 noisy rows (the solution of least norm where there "
    "are many): error on new rows as the number of features goes from 5 to 2,000; and training error.",
    verdict="does not hold",
    reading="Test error falls, rises to a peak where features equal rows, and falls again far beyond: the "
    "number of parameters alone says little.",
    concepts=("model-complexity-tradeoff", "overfitting"),
    corrects=("W48",),
    sources=("Belkin et al. 2019, arXiv:1812.11118", "Nakkiran et al. 2020, arXiv:1912.02292"),
)
def double_descent(lab: Setting) -> Shown:
    """Random features past interpolation."""
    n, sizes = 40, (5, 10, 20, 30, 40, 50, 80, 200, 2000)
    seeds = lab.seeds(60, 25)
    test: dict[int, list[float]] = {p: [] for p in sizes}
    fit: dict[int, list[float]] = {p: [] for p in sizes}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        X, beta = rng.normal(size=(n + 300, 10)), rng.normal(size=10) / 10**0.5
        y = X @ beta + 0.3 * rng.normal(size=n + 300)
        directions = rng.normal(size=(10, max(sizes))) / 10**0.5
        features = np.maximum(X @ directions, 0)
        for p in sizes:
            w = np.linalg.lstsq(features[:n, :p], y[:n], rcond=None)[0]
            gap = features[:, :p] @ w - y
            fit[p].append(float((gap[:n] ** 2).mean()))
            test[p].append(float((gap[n:] ** 2).mean()))
    middle = {p: float(np.median(test[p])) for p in sizes}
    peak = max(middle, key=lambda p: middle[p])
    table = {
        f"{p:,} features": {"training error": float(np.median(fit[p])), "test error (median)": middle[p]}
        for p in sizes
    }

    def draw(ax):
        ax.plot(sizes, list(middle.values()), color=BLUE, marker="o", label="test")
        ax.plot(
            sizes,
            [max(float(np.median(fit[p])), 1e-3) for p in sizes],
            color=GREY,
            marker="o",
            label="training",
        )
        ax.axvline(n, color=ORANGE, linestyle=(0, (4, 3)))
        note(
            ax,
            n,
            0.95,
            "features = rows",
            beside=4,
            color=ORANGE,
            transform=ax.get_xaxis_transform(),
            va="top",
        )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.legend(frameon=False, labelcolor="linecolor", loc="lower left")
        quiet(ax, x="random features", y="squared error")

    checks = [
        Check(f"the peak stands at features = rows: {peak} features", peak == n),
        Check.more("test error at the peak against 10 features", middle[n], middle[10], times=3),
        Check.more("test error at the peak against 2,000 features", middle[n], middle[2000], times=5),
        Check.more("10 features against 2,000", middle[10], middle[2000]),
        Check.below("training error past the peak", float(np.median(fit[200])), 1e-10),
    ]
    return Shown(table, checks, draw, {"seeds": len(seeds)})


@experiment(
    "data-against-overfitting",
    topic="generalisation",
    claim="Overfitting is a challenge of large data sets.",
    method="One network (64 hidden units, trained to the end, no penalty) on 30 to 960 digits: accuracy on "
    "its own rows minus accuracy on others.",
    verdict="does not hold",
    reading="For a fixed model the gap shrinks as rows are added: overfitting is a challenge of small data. "
    "Large data bring cost and label noise instead.",
    concepts=("overfitting", "large-dataset-training"),
    corrects=("W47",),
    sources=("Banko and Brill 2001", "Hestness et al. 2017, arXiv:1712.00409"),
)
def data_against_overfitting(lab: Setting) -> Shown:
    """The gap against the number of rows."""
    sizes = (30, 120, 480, 960)
    table: dict[str, dict[str, list[float]]] = {
        f"{n} rows": {"own rows": [], "others": [], "gap": []} for n in sizes
    }
    for seed in lab.seeds(5, 2):
        for n, row in zip(sizes, table.values()):
            X, y, X_test, y_test = digits(n, seed)
            torch.manual_seed(seed)
            net = dense([64, 64, 10])
            train(net, torch.optim.Adam(net.parameters(), lr=0.01), X, y, steps=lab.pick(600, 300), batch=30)
            row["own rows"].append(accuracy(net, X, y))
            row["others"].append(accuracy(net, X_test, y_test))
            row["gap"].append(row["own rows"][-1] - row["others"][-1])

    def draw(ax):
        for name, colour in (("own rows", GREY), ("others", BLUE)):
            ax.plot(
                sizes, [np.mean(row[name]) for row in table.values()], color=colour, marker="o", label=name
            )
        ax.set_xscale("log", base=2)
        ax.set_xticks(sizes, [str(n) for n in sizes])
        ax.legend(frameon=False, labelcolor="linecolor", loc="lower right")
        quiet(ax, x="training rows", y="accuracy")

    gap = {n: row["gap"] for n, row in zip(sizes, table.values())}
    checks = [
        Check.more("gap at 30 rows against 120", gap[30], gap[120], by=0.05),
        Check.more("gap at 120 rows against 960", gap[120], gap[960], by=0.015),
        Check.above("accuracy on its own rows", [v for row in table.values() for v in row["own rows"]], 0.95),
    ]
    return Shown(table, checks, draw)


@experiment(
    "overfitting",
    topic="generalisation",
    claim="Overfitting comes from backpropagation.",
    method="Labels drawn at random for 200 rows of 50 columns: training and test accuracy of a network with "
    "256 units, of one nearest neighbour, and of kernel ridge regression solved in closed form; and of the "
    "network on true labels.",
    verdict="does not hold",
    reading="Whatever finds the weights, a model with enough room memorises labels that mean nothing (and "
    "answers new rows like a coin); backpropagation only computes gradients.",
    concepts=("overfitting",),
    corrects=("W117",),
    sources=("Zhang et al. 2017, arXiv:1611.03530",),
)
def overfitting(lab: Setting) -> Shown:
    """Memorising labels that mean nothing, with and without gradients."""
    names = (
        "network, random labels",
        "nearest neighbour, random labels",
        "kernel ridge, random labels",
        "network, true labels",
    )
    table: dict[str, dict[str, list[float]]] = {name: {"own rows": [], "new rows": []} for name in names}
    for seed in lab.seeds(8, 3):
        rng = np.random.default_rng(seed)
        X, w = rng.normal(size=(700, 50)), rng.normal(size=50)
        random, true = rng.integers(0, 2, 700), (X @ w > 0).astype(int)
        gaps = ((X[:, None] - X[None, :200]) ** 2).sum(2)
        kernel = np.exp(-gaps / 100)
        answers = {
            names[0]: network_answers(X, random, seed, lab.pick(300, 120)),
            names[1]: random[gaps.argmin(1)],
            names[2]: (
                kernel @ np.linalg.solve(kernel[:200] + 1e-3 * np.eye(200), random[:200] - 0.5) > 0
            ).astype(int),
            names[3]: network_answers(X, true, seed, lab.pick(300, 120)),
        }
        for name, answer in answers.items():
            right = answer == (true if name == names[3] else random)
            table[name]["own rows"].append(float(right[:200].mean()))
            table[name]["new rows"].append(float(right[200:].mean()))

    def draw(ax):
        places = np.arange(len(names))[::-1]
        ax.barh(
            places + 0.2, [np.mean(r["own rows"]) for r in table.values()], 0.38, color=GREY, label="own rows"
        )
        ax.barh(
            places - 0.2, [np.mean(r["new rows"]) for r in table.values()], 0.38, color=BLUE, label="new rows"
        )
        ax.set_yticks(places, [n.replace(", ", ",\n") for n in names])
        ax.axvline(0.5, color=ORANGE, linestyle=(0, (4, 3)))
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left", bbox_to_anchor=(0, 1.15), ncols=2)
        quiet(ax, grid="x", x="accuracy")

    memorised = [v for n in names[:3] for v in table[n]["own rows"]]
    guessed = [float(np.mean(table[n]["new rows"])) for n in names[:3]]
    checks = [
        Check.above("random labels on their own rows", memorised, 0.97),
        Check.between("random labels on new rows, means", guessed, 0.44, 0.56),
        Check.above("true labels on new rows", float(np.mean(table[names[3]]["new rows"])), 0.75),
    ]
    return Shown(table, checks, draw)


def network_answers(X: np.ndarray, y: np.ndarray, seed: int, steps: int) -> np.ndarray:
    """What a network trained on the first 200 rows answers for all of them."""
    torch.manual_seed(seed)
    rows, labels = torch.from_numpy(X).float(), torch.from_numpy(y)
    net = dense([X.shape[1], 256, 2])
    train(net, torch.optim.Adam(net.parameters(), lr=0.01), rows[:200], labels[:200], steps=steps)
    with torch.no_grad():
        return net(rows).argmax(1).numpy()


@experiment(
    "underfitting",
    topic="generalisation",
    claim="A model that is poor on new rows has overfitted.",
    method="Two rings of points: a linear model and a network with 16 units; accuracy on their own rows and "
    "on new ones.",
    verdict="does not hold",
    reading="The linear model is as poor on its own rows as on new ones: it underfits. Only the gap between "
    "the two scores tells which it is, and more room (not more data) mends underfitting.",
    concepts=("underfitting", "hidden-layer"),
)
def underfitting(lab: Setting) -> Shown:
    """Rings that no line parts."""
    names = {"linear model": [2, 2], "linear, 10 times the rows": [2, 2], "16 hidden units": [2, 16, 2]}
    table: dict[str, dict[str, list[float]]] = {name: {"own rows": [], "new rows": []} for name in names}
    for seed in lab.seeds(6, 3):
        for name, widths in names.items():
            n = 2000 if "times" in name else 200
            X, y = rings(n + 500, seed)
            torch.manual_seed(seed)
            net = dense(widths)
            train(net, torch.optim.Adam(net.parameters(), lr=0.03), X[:n], y[:n], steps=lab.pick(400, 250))
            table[name]["own rows"].append(accuracy(net, X[:n], y[:n]))
            table[name]["new rows"].append(accuracy(net, X[n:], y[n:]))

    def draw(ax):
        places = np.arange(len(names))
        for shift, column, colour in ((-0.2, "own rows", GREY), (0.2, "new rows", BLUE)):
            ax.bar(
                places + shift, [np.mean(r[column]) for r in table.values()], 0.38, color=colour, label=column
            )
        ax.set_xticks(places, [n.replace(", ", ",\n") for n in names])
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left")
        quiet(ax, y="accuracy")

    poor = [v for n in list(names)[:2] for v in table[n]["own rows"]]
    checks = [
        Check.below("linear models on their own rows", poor, 0.75),
        Check.above("16 hidden units on new rows", table["16 hidden units"]["new rows"], 0.9),
    ]
    return Shown(table, checks, draw)


def rings(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points on two rings: X (n, 2), y (n,)."""
    rng = np.random.default_rng(seed)
    y, angle = rng.integers(0, 2, n), rng.uniform(0, 2 * np.pi, n)
    radius = 1 + y + 0.15 * rng.normal(size=n)
    X = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return torch.from_numpy(X).float(), torch.from_numpy(y)


@experiment(
    "learning-curves",
    topic="generalisation",
    claim="The error falls with the number of rows like a power, so a learning curve tells what more rows "
    "will bring.",
    method="A network of 32 units on 50 to 400 digits; a power law through the mean errors, extended to 800 "
    "rows, against the error that is measured there.",
    verdict="holds when",
    reading="Within the range measured here it predicts the error at twice the rows; far beyond, or near "
    "the noise floor, a power without a floor promises too much.",
    concepts=("training-cost-and-data-hunger",),
    sources=("Hestness et al. 2017, arXiv:1712.00409",),
)
def learning_curves(lab: Setting) -> Shown:
    """A power law through measured errors."""
    sizes = (50, 100, 200, 400, 800)
    table: dict[str, dict[str, list[float]]] = {f"{n} rows": {"error": []} for n in sizes}
    for seed in lab.seeds(8, 3):
        for n, row in zip(sizes, table.values()):
            X, y, X_test, y_test = digits(n, seed)
            torch.manual_seed(seed)
            net = dense([64, 32, 10])
            train(net, torch.optim.Adam(net.parameters(), lr=0.02), X, y, steps=lab.pick(600, 350), batch=50)
            row["error"].append(1 - accuracy(net, X_test, y_test))
    error = np.array([np.mean(row["error"]) for row in table.values()])
    slope, start = np.polyfit(np.log(sizes[:4]), np.log(error[:4]), 1)
    predicted = float(np.exp(start + slope * np.log(800)))
    table["power law at 800 rows"] = {"error": [predicted]}

    def draw(ax):
        line = np.array([40.0, 1000.0])
        ax.plot(line, np.exp(start + slope * np.log(line)), color=GREY, linestyle=(0, (4, 3)))
        ax.plot(sizes[:4], error[:4], "o", color=BLUE, label="measured")
        ax.plot(sizes[4:], error[4:], "o", color=GREEN, label="measured, not used for the line")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="training rows", y="error on other digits")

    checks = [
        Check.between("exponent", float(slope), -1.0, -0.25),
        Check.between("predicted over measured error at 800 rows", predicted / error[4], 0.5, 2.0),
    ]
    return Shown(table, checks, draw)
