"""Noise in the gradient: what batch size, a falling step size and averaging do about it."""

import numpy as np
import torch

from ganglion.estimators.mlp import MLPClassifier
from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.optim.schedules import SCHEDULES
from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, note, quiet

Noise = np.random.Generator


def noisy_descent(
    rng: Noise,
    lr: np.ndarray,
    *,
    batch: int = 1,
    walkers: int = 50,
    curvature: float = 1.0,
    start: float = 1.0,
) -> np.ndarray:
    """Weights (steps, walkers) of ``w <- w - lr (c w + noise / sqrt(batch))``: descent in a noisy bowl."""
    w, path = np.full(walkers, start), np.empty((len(lr), walkers))
    for step, rate in enumerate(lr):
        w = w - rate * (curvature * w + rng.normal(size=walkers) / batch**0.5)
        path[step] = w
    return path


@experiment(
    "falling-rate",
    topic="optimisation",
    claim="Learning-rate schedules only lower the rate, and a falling rate ends nearer to the minimum than "
    "a constant one.",
    method="Descent in a noisy bowl for 2,000 steps with a large and a small constant step size, with "
    "cosine decay and with averaging the second half of the large one; mean squared distance at the end. "
    "And: which of Ganglion's schedules ever rise.",
    verdict="holds when",
    reading="Under gradient noise a falling rate (or an average of the weights) ends far nearer than either "
    "constant; but warm-up, cycles and restarts raise the rate, so a schedule is more than decay.",
    concepts=("learning-rate-schedule", "step-decay"),
    corrects=("W76",),
    sources=(
        "Robbins and Monro 1951",
        "Polyak and Juditsky 1992",
        "Loshchilov and Hutter 2017, arXiv:1608.03983",
    ),
)
def falling_rate(lab: Setting) -> Shown:
    """Constant, falling, averaged."""
    steps = 2000
    progress = np.arange(steps) / steps
    rates = {
        "constant 0.3": np.full(steps, 0.3),
        "constant 0.0003": np.full(steps, 0.0003),
        "cosine from 0.3": 0.15 * (1 + np.cos(np.pi * progress)),
    }
    table: dict[str, dict[str, list[float]]] = {
        name: {"squared distance": []} for name in [*rates, "average of 0.3"]
    }
    paths = {}
    for seed in lab.seeds(10, 4):
        for name, lr in rates.items():
            path = paths[name] = noisy_descent(np.random.default_rng(seed), lr)
            table[name]["squared distance"].append(float((path[-1] ** 2).mean()))
        average = paths["constant 0.3"][steps // 2 :].mean(0)
        table["average of 0.3"]["squared distance"].append(float((average**2).mean()))
    points = np.linspace(0, 1, 201)[:-1]
    rising = [
        n for n, make in SCHEDULES.items() if n != "plateau" and rises([factor(make, p) for p in points])
    ]

    def draw(ax):
        for (name, path), colour in zip(paths.items(), (ORANGE, GREY, BLUE)):
            ax.plot(np.arange(1, steps + 1), (path**2).mean(1), color=colour, linewidth=1.2, label=name)
        ax.set_yscale("log")
        ax.legend(frameon=False, labelcolor="linecolor", loc="lower left")
        quiet(ax, x="step", y="squared distance to the minimum")

    end = {name: row["squared distance"] for name, row in table.items()}
    checks = [
        Check.more(
            "large constant rate against cosine", end["constant 0.3"], end["cosine from 0.3"], times=20
        ),
        Check.more(
            "small constant rate against cosine", end["constant 0.0003"], end["cosine from 0.3"], times=1.5
        ),
        Check.more(
            "large constant rate against its average", end["constant 0.3"], end["average of 0.3"], times=20
        ),
        Check.above("schedules that rise somewhere", float(len(rising)), 1.5),
    ]
    return Shown(table, checks, draw, {"rise somewhere": ", ".join(rising)})


def factor(make, progress: float) -> float:
    """A schedule's factor at a share of the run; tables hold schedules or functions that make them."""
    try:
        return float(make(progress, []))
    except TypeError:
        return float(make()(progress, []))


def rises(values: list[float]) -> bool:
    """Whether a course ever goes up."""
    return bool(np.any(np.diff(values) > 1e-9))


@experiment(
    "batch-noise",
    topic="optimisation",
    claim="Twice the batch halves the steps that training needs.",
    method="Descent in a noisy bowl of 30 directions at ten batch sizes, the best of many constant step "
    "sizes for each: steps until the loss has fallen a thousandfold, averaged over walkers.",
    verdict="holds when",
    reading="Below the noise scale (where noise outweighs the slope) steps fall in proportion; above it, a "
    "larger batch brings nothing but cost.",
    concepts=("batch-size", "mini-batch-gradient-descent"),
    corrects=("W46",),
    sources=("McCandlish et al. 2018, arXiv:1812.06162", "Shallue et al. 2019, arXiv:1811.03600"),
)
def batch_noise(lab: Setting) -> Shown:
    """Steps to a target against the batch size."""
    sizes = 2 ** np.arange(0, 19, 2)
    seeds = lab.seeds(5, 2)
    table: dict[str, dict[str, list[float]]] = {
        f"batch {b:,}": {"steps": [float(steps_to_target(b, seed, lab.pick(64, 24))) for seed in seeds]}
        for b in sizes
    }
    mean = np.array([np.mean(row["steps"]) for row in table.values()])

    def draw(ax):
        ax.plot(sizes, mean, color=BLUE, marker="o")
        ax.plot(sizes, mean[0] / sizes, color=GREY, linestyle=(0, (4, 3)))
        note(ax, sizes[-3], mean[0] / sizes[-3], "in proportion", beside=-6, color=GREY, ha="right", va="top")
        ax.set_xscale("log", base=4)
        ax.set_yscale("log")
        quiet(ax, x="batch size", y="steps to a thousandth of the loss")

    checks = [
        Check.between("steps at batch 1 over batch 4 (4 is proportion)", float(mean[0] / mean[1]), 2.8, 5.2),
        Check.between(
            "steps at batch 65,536 over 262,144 (1 is no gain)", float(mean[-2] / mean[-1]), 0.9, 1.15
        ),
    ]
    return Shown(table, checks, draw)


def steps_to_target(batch: int, seed: int, walkers: int) -> float:
    """The fewest steps to a thousandth of the loss, over constant step sizes; noise 2 in every direction."""
    curvatures = np.linspace(0.05, 1.0, 30)[:, None, None]
    rates = np.geomspace(2e-5, 1.6, 60)[None, :, None]
    rng, noise = np.random.default_rng(seed), 2.0 / batch**0.5
    # the mean loss over walkers follows from mean and spread of each direction, so only their start is drawn
    start = rng.normal(size=(30, 1, walkers)) ** 2
    shrink = (1 - rates * curvatures) ** 2
    rest = np.where(shrink < 1, rates**2 * noise**2 / np.maximum(1 - shrink, 1e-12), np.inf)
    first = float((curvatures * start).sum(0).mean())
    best = np.inf
    for steps in np.unique(np.geomspace(1, 3e6, 400).astype(int)):
        spread = shrink**steps
        loss = (curvatures * (spread * start + (1 - spread) * rest)).sum(0).mean(1)
        if np.nanmin(loss) < 0.001 * first:
            best = float(steps)
            break
    return best


QUICK = {"hidden_layer_sizes": (32,), "max_epochs": 15, "bins": 0, "init": "he", "schedule": "constant"}
QUICK |= {"early_stopping": False, "validation_fraction": 0.0}


@experiment(
    "learning-rate",
    topic="optimisation",
    claim="A learning rate that is too low learns too slowly, one that is too high not at all; in between "
    "lies a range of a few powers of ten.",
    method="A network of 32 units on 1,000 digits, 15 epochs at nine rates: accuracy on the rows kept aside.",
    verdict="holds",
    reading="Rates within ten points of the best span one to three powers of ten; below and above, accuracy "
    "falls to a guess.",
    concepts=("learning-rate",),
)
def learning_rate(lab: Setting) -> Shown:
    """Accuracy against the learning rate."""
    rates = 10.0 ** np.arange(-6, 2.1, lab.pick(0.5, 1.0))
    table: dict[str, dict[str, list[float]]] = {f"lr {lr:.0e}": {"accuracy": []} for lr in rates}
    for seed in lab.seeds(3, 1):
        X, y, X_test, y_test = (part.numpy() for part in digits(1000, seed))
        for lr, row in zip(rates, table.values()):
            net = MLPClassifier(lr=float(lr), random_state=seed, **QUICK)
            row["accuracy"].append(float(net.fit(X, y).score(X_test, y_test)))
    means = np.array([np.mean(row["accuracy"]) for row in table.values()])

    def draw(ax):
        ax.plot(rates, means, color=BLUE, marker="o")
        ax.axhline(0.1, color=GREY, linestyle=(0, (4, 3)))
        note(ax, rates[0], 0.11, "a guess", color=GREY, va="bottom")
        ax.set_xscale("log")
        quiet(ax, x="learning rate", y="accuracy on other digits")

    good = rates[means > means.max() - 0.1]
    checks = [
        Check.above("the best rate", float(means.max()), 0.85),
        Check.below("the lowest rate", table["lr 1e-06"]["accuracy"], 0.5),
        Check.below("the highest rate", table["lr 1e+02"]["accuracy"], 0.5),
        Check.between(
            "powers of ten within 10 points of the best", float(np.log10(good.max() / good.min())), 0.4, 3.5
        ),
    ]
    return Shown(table, checks, draw)


@experiment(
    "batch-minibatch-online",
    topic="optimisation",
    claim="Stochastic descent means one example per update, and it is the small updates that make it fast.",
    method="The same network passes eight times over 1,000 digits: all rows per update, 32, and one, each "
    "at the best of several step sizes; accuracy on other digits.",
    verdict="holds when",
    reading="Many small updates beat few exact ones for the same passes; but mini-batches are stochastic "
    "descent too, reach the same in a thirtieth of the updates, and online learning is about a stream, not "
    "about batch size.",
    concepts=(
        "stochastic-gradient-descent",
        "mini-batch-gradient-descent",
        "gradient-descent",
        "batch-learning",
    ),
    corrects=("W75",),
    sources=("Bottou et al. 2018, arXiv:1606.04838",),
)
def batch_minibatch_online(lab: Setting) -> Shown:
    """Batch, mini-batch and online form at equal passes."""
    n, passes = lab.pick(1000, 400), lab.pick(8, 6)
    forms = {"all rows": (n, (0.5, 2.0)), "32 rows": (32, (0.3, 1.0)), "one row": (1, (0.02, 0.06))}
    table: dict[str, dict[str, list[float]]] = {
        name: {"accuracy": [], "updates": [passes * (n // batch)]} for name, (batch, _) in forms.items()
    }
    for seed in lab.seeds(4, 2):
        X, y, X_test, y_test = digits(n, seed)
        for name, (batch, rates) in forms.items():
            found = []
            for lr in rates:
                torch.manual_seed(seed)
                net = dense([64, 32, 10])
                steps = passes * (n // batch)
                train(net, torch.optim.SGD(net.parameters(), lr=lr), X, y, steps=steps, batch=batch)
                found.append(accuracy(net, X_test, y_test))
            table[name]["accuracy"].append(max(found))

    def draw(ax):
        means = [np.mean(row["accuracy"]) for row in table.values()]
        ax.bar(list(table), means, color=[GREY, BLUE, GREEN])
        for place, (mean, row) in enumerate(zip(means, table.values())):
            note(ax, place, mean, f"{row['updates'][0]:,} updates", ha="center", va="bottom")
        ax.set_ylim(0, 1.05)
        quiet(ax, y=f"accuracy after {passes} passes")

    score = {name: row["accuracy"] for name, row in table.items()}
    checks = [
        Check.more("32 rows against all rows", score["32 rows"], score["all rows"], by=0.1),
        Check.more("one row against all rows", score["one row"], score["all rows"], by=0.1),
        Check.between(
            "32 rows minus one row", float(np.mean(score["32 rows"]) - np.mean(score["one row"])), -0.25, 0.15
        ),
    ]
    return Shown(table, checks, draw)
