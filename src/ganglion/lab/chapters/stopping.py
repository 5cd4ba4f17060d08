"""Ending and softening a training: early stopping, smoothed labels, decay, warm-up, batch size."""

import numpy as np
import torch
from sklearn.datasets import make_moons
from torch import Tensor
from torch.nn import functional as F

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, PURPLE, quiet


@experiment(
    "early-stopping",
    topic="regularisation",
    claim="Stop when the validation loss starts to rise.",
    method="200 noisy moons, two layers of 64 units, 60 validation rows looked at every 5 steps: test loss "
    "of the weights at the first rise, with patience 20 and the best weights restored, and at the end; and how "
    "often the curve rises.",
    verdict="holds when",
    reading="With patience and the best weights restored: the curve is noisy and rises many times before "
    "its minimum, so the first rise stops too soon; not stopping at all is worst.",
    concepts=("early-stopping", "validation-set"),
    corrects=("W45",),
    sources=("Prechelt 1998",),
)
def early_stopping(lab: Setting) -> Shown:
    """First rise, patience, no stop."""
    rules = ("at the first rise", "patience 20, best restored", "at the end")
    table: dict[str, dict[str, list[float]]] = {name: {"test loss": []} for name in rules}
    rises, curve = [], np.empty(0)
    for seed in lab.seeds(10, 6):
        curve, test = moons_course(seed, lab.pick(1200, 500))
        first = int(np.argmax(np.diff(curve) > 0)) if (np.diff(curve) > 0).any() else len(curve) - 1
        stops = dict(zip(rules, (first, best_with_patience(curve, 20), len(curve) - 1)))
        for name, at in stops.items():
            table[name]["test loss"].append(float(test[at]))
        rises.append(float((np.diff(curve[: curve.argmin() + 1]) > 0).sum()))
    table["rises before the minimum"] = {"number": rises}

    def draw(ax):
        ax.plot(np.arange(len(curve)) * 5, curve, color=GREY)
        for (name, at), colour in zip(stops.items(), (ORANGE, BLUE, GREEN)):
            ax.plot([at * 5], [curve[at]], "o", color=colour, label=name)
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="step", y="validation loss")

    loss = {name: table[name]["test loss"] for name in rules}
    checks = [
        Check.more(
            "test loss at the first rise against patience", loss[rules[0]], loss[rules[1]], times=1.01
        ),
        Check.more("test loss at the end against patience", loss[rules[2]], loss[rules[1]], times=1.05),
        Check.above("mean number of rises before the minimum", float(np.mean(rises)), 1.5),
    ]
    return Shown(table, checks, draw)


def moons_course(seed: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Validation and test loss every 5 steps of a long training on few noisy rows."""
    X, y = make_moons(1260, noise=0.35, random_state=seed % 2**32)
    X_, y_ = torch.from_numpy(X).float(), torch.from_numpy(y)
    parts = (slice(0, 200), slice(200, 260), slice(260, None))
    torch.manual_seed(seed)
    net = dense([2, 64, 64, 2])
    courses: tuple[list[float], list[float]] = ([], [])

    def watch(step: int, _: float) -> None:
        if step % 5 == 0:
            with torch.no_grad():
                for course, part in zip(courses, parts[1:]):
                    course.append(float(F.cross_entropy(net(X_[part]), y_[part])))

    train(
        net,
        torch.optim.Adam(net.parameters(), lr=0.01),
        X_[parts[0]],
        y_[parts[0]],
        steps=steps,
        batch=20,
        watch=watch,
    )
    return np.array(courses[0]), np.array(courses[1])


def best_with_patience(curve: np.ndarray, patience: int) -> int:
    """Where the best value stood when no better one came for ``patience`` looks."""
    best = 0
    for at, value in enumerate(curve):
        if value < curve[best]:
            best = at
        elif at - best >= patience:
            break
    return best


@experiment(
    "stopping-is-l2",
    topic="regularisation",
    claim="Early stopping acts like an L2 penalty.",
    method="Linear regression, 50 columns and 80 rows: descent from zero stopped after t steps, against "
    "ridge with penalty 1 / (step size x t); cosine of the two solutions and their sizes, along the way.",
    verdict="holds when",
    reading="For linear models started at zero the two paths run side by side, few steps being a strong "
    "penalty; they are close, not equal.",
    concepts=("early-stopping", "l2-regularization"),
    corrects=("W41",),
    sources=("Bishop 1995, Neural Networks for Pattern Recognition", "Ali et al. 2019, arXiv:1810.10082"),
)
def stopping_is_l2(lab: Setting) -> Shown:
    """The path of descent and the path of ridge."""
    times = (3, 10, 30, 100, 300)
    table: dict[str, dict[str, list[float]]] = {
        f"{t} steps": {"cosine": [], "size / free": [], "ridge's size / free": []} for t in times
    }
    for seed in lab.seeds(10, 5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(80, 50))
        y = X @ rng.normal(size=50) + 2 * rng.normal(size=80)
        A, b = X.T @ X / 80, X.T @ y / 80
        free, lr = np.linalg.norm(np.linalg.solve(A, b)), 0.1
        for t, row in zip(times, table.values()):
            w = np.zeros(50)
            for _ in range(t):
                w -= lr * (A @ w - b)
            ridge = np.linalg.solve(A + np.eye(50) / (lr * t), b)
            sizes = np.linalg.norm(w), np.linalg.norm(ridge)
            row["cosine"].append(float(w @ ridge / sizes[0] / sizes[1]))
            row["size / free"].append(float(sizes[0] / free))
            row["ridge's size / free"].append(float(sizes[1] / free))

    def draw(ax):
        for column, colour in (("size / free", BLUE), ("ridge's size / free", ORANGE)):
            ax.plot(
                times,
                [np.mean(row[column]) for row in table.values()],
                color=colour,
                marker="o",
                label=column,
            )
        ax.set_xscale("log")
        ax.legend(
            frameon=False,
            labels=["stopped after t steps", "ridge with 1 / (step x t)"],
            labelcolor="linecolor",
        )
        quiet(ax, x="t", y="size of the weights / unpenalised")

    ratio = [a / b for row in table.values() for a, b in zip(row["size / free"], row["ridge's size / free"])]
    checks = [
        Check.above(
            "cosine of the two solutions", [v for row in table.values() for v in row["cosine"]], 0.97
        ),
        Check.between("size of one over the other", ratio, 0.8, 1.4),
        Check.below("size after 3 steps", table["3 steps"]["size / free"], 0.5),
    ]
    return Shown(table, checks, draw)


@experiment(
    "label-smoothing",
    topic="regularisation",
    claim="Smoothed labels keep a network from being too sure.",
    method="300 digits, a fifth of the labels random, trained to the end with smoothing 0, 0.1 and 0.2: mean "
    "confidence minus accuracy on other digits, their loss, and accuracy.",
    verdict="holds",
    reading="Over-confidence falls and with it the loss on other rows, while accuracy stays about the same; "
    "too much smoothing makes a network less sure than it is right.",
    concepts=("categorical-cross-entropy", "softmax", "regularization"),
    corrects=("W56",),
    sources=("Szegedy et al. 2016, arXiv:1512.00567", "Guo et al. 2017, arXiv:1706.04599"),
)
def label_smoothing(lab: Setting) -> Shown:
    """Confidence minus accuracy."""
    amounts = (0.0, 0.1, 0.2)
    columns = ("confidence - accuracy", "loss", "accuracy")
    table: dict[str, dict[str, list[float]]] = {f"smoothing {a:g}": {c: [] for c in columns} for a in amounts}
    for seed in lab.seeds(8, 4):
        for amount, row in zip(amounts, table.values()):
            X, y, X_test, y_test = digits(300, seed)
            torch.manual_seed(seed)
            given = torch.where(torch.rand(300) < 0.2, torch.randint(0, 10, (300,)), y)
            net = dense([64, 64, 10])

            def loss(out: Tensor, goal: Tensor, amount=amount) -> Tensor:
                return F.cross_entropy(out, goal, label_smoothing=amount)

            train(
                net,
                torch.optim.Adam(net.parameters(), lr=0.01),
                X,
                given,
                steps=lab.pick(500, 300),
                loss=loss,
            )
            with torch.no_grad():
                out = net(X_test)
            right = accuracy(net, X_test, y_test)
            values = (
                float(out.softmax(1).max(1).values.mean()) - right,
                float(F.cross_entropy(out, y_test)),
                right,
            )
            for column, value in zip(columns, values):
                row[column].append(value)

    def draw(ax):
        ax.bar(
            [str(a) for a in amounts],
            [np.mean(r["confidence - accuracy"]) for r in table.values()],
            color=[ORANGE, BLUE, GREEN],
        )
        ax.axhline(0, color=GREY, linewidth=1)
        quiet(ax, x="label smoothing", y="mean confidence - accuracy")

    none, some, much = table.values()
    checks = [
        Check.above("over-confidence without smoothing", float(np.mean(none["confidence - accuracy"])), 0.03),
        Check.more(
            "over-confidence, 0 against 0.1",
            none["confidence - accuracy"],
            some["confidence - accuracy"],
            by=0.05,
        ),
        Check.more("loss, 0 against 0.1", none["loss"], some["loss"], times=1.1),
        Check.more("accuracy, 0.1 against 0 less three points", some["accuracy"], none["accuracy"], by=-0.03),
        Check.below("confidence minus accuracy at 0.2", float(np.mean(much["confidence - accuracy"])), 0.0),
    ]
    return Shown(table, checks, draw)


@experiment(
    "warm-up",
    topic="optimisation",
    claim="Warm-up makes training better.",
    method="A network of three tanh layers from a large start, 400 digits, momentum at three step sizes, "
    "with and without a linear rise over the first third of 150 steps; loss at the end.",
    verdict="holds when",
    reading="The step is too large for the steep ground at the start: there warm-up saves the run. At "
    "moderate rates it changes next to nothing.",
    concepts=("learning-rate-schedule",),
    corrects=("W76",),
    sources=("Goyal et al. 2017, arXiv:1706.02677",),
)
def warm_up(lab: Setting) -> Shown:
    """With and without a rise at the start."""
    rates = (0.02, 0.1, 0.5)
    table: dict[str, dict[str, list[float]]] = {
        f"rate {lr:g}": {"at once": [], "with warm-up": []} for lr in rates
    }
    for seed in lab.seeds(10, 3):
        X, y, *_ = digits(400, seed)
        for lr, row in zip(rates, table.values()):
            for name, found in row.items():
                torch.manual_seed(seed)
                net = dense([64, 32, 32, 32, 10], torch.nn.Tanh)
                for weight in (p for p in net.parameters() if p.dim() > 1):
                    torch.nn.init.orthogonal_(weight, 2.0)
                optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
                rise = (lambda p: min(1.0, (p + 0.01) / 0.3)) if name == "with warm-up" else None
                losses = train(net, optimizer, X, y, steps=150, batch=64, rate=rise)
                found.append(float(np.mean(losses[-20:])))

    def draw(ax):
        places = np.arange(len(rates))
        for shift, name, colour in ((-0.2, "at once", ORANGE), (0.2, "with warm-up", BLUE)):
            ax.bar(
                places + shift, [np.mean(row[name]) for row in table.values()], 0.38, color=colour, label=name
            )
        ax.set_xticks(places, [f"{lr:g}" for lr in rates])
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left")
        quiet(ax, x="step size", y="training loss after 150 steps")

    low, _, high = table.values()
    checks = [
        Check.more(
            "largest rate: loss at once against warm-up", high["at once"], high["with warm-up"], times=3
        ),
        Check.between(
            "smallest rate: warm-up minus at once",
            float(np.mean(low["with warm-up"]) - np.mean(low["at once"])),
            -0.1,
            0.1,
        ),
    ]
    return Shown(table, checks, draw)


@experiment(
    "batch-size-generalisation",
    topic="generalisation",
    claim="Large batches overfit and small batches generalise better.",
    method="One network on 600 digits at batch sizes 8 to 512, three ways: the same passes over the data, "
    "the same number of updates, and the same updates with the best of three step sizes; accuracy on other "
    "digits with 95 % intervals.",
    verdict="holds when",
    reading="Only at equal passes, where large batches get fewer updates: at equal updates the gap is gone "
    "or turned round, and a tuned step size leaves nothing to explain.",
    concepts=("batch-size-generalization-effect", "batch-size"),
    corrects=("W46",),
    sources=(
        "Keskar et al. 2017, arXiv:1609.04836",
        "Hoffer et al. 2017, arXiv:1705.08741",
        "Shallue et al. 2019, arXiv:1811.03600",
    ),
)
def batch_size_generalisation(lab: Setting) -> Shown:
    """Equal passes, equal updates, tuned rates."""
    sizes, updates = lab.pick((8, 32, 128, 512), (8, 512)), 400
    ways = ("equal passes", "equal updates", "equal updates, tuned")
    table: dict[str, dict[str, list[float]]] = {f"batch {b}": {way: [] for way in ways} for b in sizes}
    for seed in lab.seeds(4, 2):
        for b, row in zip(sizes, table.values()):
            steps = max(1, round(updates * 8 / b))
            row["equal passes"].append(run_at(b, 0.1, steps, seed))
            tuned = [run_at(b, lr, updates, seed) for lr in lab.pick((0.1, 0.3, 1.0), (0.1, 0.5))]
            row["equal updates"].append(tuned[0])
            row["equal updates, tuned"].append(max(tuned))
    n = len(next(iter(table.values()))["equal passes"])

    def draw(ax):
        for way, colour in zip(ways, (ORANGE, BLUE, PURPLE)):
            means = np.array([np.mean(row[way]) for row in table.values()])
            half = 1.96 * np.array([np.std(row[way], ddof=1) for row in table.values()]) / n**0.5
            ax.errorbar(sizes, means, half, color=colour, marker="o", capsize=3, label=way)
        ax.set_xscale("log", base=2)
        ax.legend(frameon=False, labelcolor="linecolor", loc="lower left")
        quiet(ax, x="batch size", y="accuracy on other digits")

    small, large = table["batch 8"], table["batch 512"]
    gaps = {way: float(np.mean(small[way]) - np.mean(large[way])) for way in ways}
    shown = table | {"gap, 8 minus 512": {way: [gap] for way, gap in gaps.items()}}
    checks = [
        Check.above("gap at equal passes", gaps["equal passes"], 0.1),
        Check.between("gap at equal updates", gaps["equal updates"], -0.1, 0.05),
        Check.between("gap at tuned rates", gaps["equal updates, tuned"], -0.1, 0.05),
    ]
    return Shown(shown, checks, draw)


def run_at(batch: int, lr: float, steps: int, seed: int) -> float:
    """Accuracy on other digits after some steps."""
    X, y, X_test, y_test = digits(600, seed)
    torch.manual_seed(seed)
    net = dense([64, 64, 10])
    train(net, torch.optim.SGD(net.parameters(), lr=lr), X, y, steps=steps, batch=min(batch, len(X)))
    return accuracy(net, X_test, y_test)
