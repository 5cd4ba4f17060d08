"""Penalties and noise: what shrinks, what becomes zero, and what is the same thing in two forms."""

import numpy as np
import torch
from sklearn.linear_model import Lasso
from torch import nn
from torch.nn import functional as F

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.tools import accuracy, dense, digits, train
from ganglion.nn.dense import DenseStack
from ganglion.objectives.base import soft_threshold_
from ganglion.plot.style import BLUE, GREY, ORANGE, note, quiet

COLUMNS, RELEVANT = 100, 10


def sparse_task(seed: int, n: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (n, 100), y (n,), the true weights: ten of a hundred columns matter."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(COLUMNS)
    truth[:RELEVANT] = rng.choice([-1, 1], RELEVANT) * rng.uniform(1, 2, RELEVANT)
    X = rng.normal(size=(n, COLUMNS))
    return X, X @ truth + 0.5 * rng.normal(size=n), truth


@experiment(
    "l1-zeros",
    topic="regularisation",
    claim="An L1 penalty makes weights exactly zero.",
    method="Linear regression on 100 columns of which ten matter, the same penalty added to the gradient "
    "and applied as a proximal step, 2,000 steps of descent; weights that are exactly zero, and those of "
    "scikit-learn's Lasso.",
    verdict="holds when",
    reading="Only the proximal step arrives at zero, and at the same zeros as Lasso; a (sub)gradient hops "
    "around zero and never meets it.",
    concepts=("l1-regularization", "feature-selection"),
    corrects=("W40",),
    sources=("Tibshirani 1996", "Beck and Teboulle 2009"),
)
def l1_zeros(lab: Setting) -> Shown:
    """Zeros by subgradient, by proximal step, by Lasso."""
    table: dict[str, dict[str, list[float]]] = {
        name: {"exact zeros": [], "same support as Lasso": []}
        for name in ("in the gradient", "proximal step", "Lasso")
    }
    for seed in lab.seeds(10, 3):
        X, y, _ = sparse_task(seed)
        lasso = Lasso(alpha=0.2, fit_intercept=False, tol=1e-8, max_iter=100_000).fit(X, y).coef_
        found = {
            "in the gradient": descent_l1(X, y, 0.2, False),
            "proximal step": descent_l1(X, y, 0.2, True),
        }
        for name, w in (found | {"Lasso": lasso}).items():
            table[name]["exact zeros"].append(float((w == 0).sum()))
            table[name]["same support as Lasso"].append(float(((w == 0) == (lasso == 0)).mean()))

    def draw(ax):
        for place, (name, colour) in enumerate((("in the gradient", ORANGE), ("proximal step", BLUE))):
            size = np.sort(np.abs(found[name]))[::-1]
            ax.plot(np.arange(1, COLUMNS + 1), np.maximum(size, 1e-9), ".", color=colour, label=name)
            if place:
                note(ax, 60, 1.5e-9, "exactly zero", color=colour, va="bottom")
        ax.set_yscale("log")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="weights by size", y="|weight|")

    checks = [
        Check.below("zeros by the gradient", table["in the gradient"]["exact zeros"], 0.5),
        Check.above("zeros by the proximal step", table["proximal step"]["exact zeros"], 60),
        Check.above(
            "its support agrees with Lasso's", table["proximal step"]["same support as Lasso"], 0.985
        ),
    ]
    return Shown(table, checks, draw)


def descent_l1(X: np.ndarray, y: np.ndarray, amount: float, proximal: bool) -> np.ndarray:
    """Weights after 2,000 steps on ``|Xw - y|^2 / 2n + amount |w|_1``."""
    w = torch.zeros(X.shape[1], dtype=torch.float64)
    X_, y_ = torch.from_numpy(X), torch.from_numpy(y)
    lr = float(0.9 / torch.linalg.eigvalsh(X_.t() @ X_ / len(y))[-1])
    for _ in range(2000):
        slope = X_.t() @ (X_ @ w - y_) / len(y)
        w -= lr * (slope if proximal else slope + amount * w.sign())
        if proximal:
            soft_threshold_([w], lr * amount)
        else:
            w += 1e-12  # a start at exactly zero would make the sign's value there decide
    return w.numpy()


@experiment(
    "sparse-what",
    topic="regularisation",
    claim="A sparsity constraint makes most weights zero.",
    method="A network of 64 ReLU units on 500 digits: no constraint, a penalty on the activations, a "
    "proximal L1 step on the weights; share of zero weights, share of silent activations, accuracy.",
    verdict="does not hold",
    reading="The word stands for two things: a penalty on activations silences units for most inputs and "
    "leaves the weights as they are; L1 on the weights empties weights. Ganglion has both (activity, l1).",
    concepts=("sparsity-constraint", "l1-regularization"),
    corrects=("W42",),
    sources=("Olshausen and Field 1996",),
)
def sparse_what(lab: Setting) -> Shown:
    """Sparse activations and sparse weights."""
    forms = {"no constraint": (0.0, 0.0), "on activations": (0.3, 0.0), "on weights": (0.0, 1e-3)}
    columns = ("zero weights", "silent activations", "accuracy")
    table: dict[str, dict[str, list[float]]] = {name: {c: [] for c in columns} for name in forms}
    for seed in lab.seeds(3, 1):
        X, y, X_test, y_test = digits(500, seed)
        for name, (activity, l1) in forms.items():
            torch.manual_seed(seed)
            net = dense([64, 64, 10])
            found = train_sparse(net, X, y, activity, l1, lab.pick(1500, 500))
            for column, value in zip(columns, (*found, accuracy(net, X_test, y_test))):
                table[name][column].append(value)

    def draw(ax):
        places = np.arange(len(forms))
        for shift, column, colour in ((-0.2, "zero weights", ORANGE), (0.2, "silent activations", BLUE)):
            ax.bar(
                places + shift, [np.mean(r[column]) for r in table.values()], 0.38, color=colour, label=column
            )
        ax.set_xticks(places, list(forms))
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left")
        quiet(ax, y="share")

    plain, active, weight = table.values()
    checks = [
        Check.below("zero weights with a penalty on activations", active["zero weights"], 0.01),
        Check.more(
            "silent activations with and without it",
            active["silent activations"],
            plain["silent activations"],
            by=0.15,
        ),
        Check.above("zero weights with L1 on the weights", weight["zero weights"], 0.4),
        Check.above("accuracy", [v for row in table.values() for v in row["accuracy"]], 0.8),
    ]
    return Shown(table, checks, draw)


def train_sparse(net, X, y, activity: float, l1: float, steps: int) -> tuple[float, float]:
    """Train with either constraint; the shares of zero weights and of silent activations."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    matrices = [net[0].weight, net[2].weight]
    for step in range(steps):
        pick = torch.randint(len(X), (64,))
        hidden = torch.relu(net[0](X[pick]))
        loss = F.cross_entropy(net[2](hidden), y[pick]) + activity * hidden.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / steps)
        optimizer.step()
        if l1:
            soft_threshold_(
                matrices, optimizer.param_groups[0]["lr"] * 10 * l1
            )  # momentum steps are 10 times as long
    with torch.no_grad():
        silent = float((torch.relu(net[0](X)) == 0).float().mean())
        zeros = sum(int((w == 0).sum()) for w in matrices) / sum(w.numel() for w in matrices)
    return zeros, silent


@experiment(
    "dropout-mask",
    topic="regularisation",
    claim="Dropout drops a set of units in each training epoch.",
    method="A wide layer with dropout 0.3 gets one row many times: how often two rows of a batch, and two "
    "passes, agree on whether a unit is dropped, against the agreement of independent draws; and the same "
    "layer in evaluation.",
    verdict="does not hold",
    reading="A fresh mask is drawn for every example and every pass: agreement is that of independent coins, "
    "0.3 x 0.3 + 0.7 x 0.7. In evaluation nothing is dropped.",
    concepts=("dropout",),
    corrects=("W43",),
    sources=("Srivastava et al. 2014",),
)
def dropout_mask(lab: Setting) -> Shown:
    """How far masks agree."""
    p, rows = 0.3, lab.pick(400, 100)
    stack = DenseStack([4, 2000, 2000], "sigmoid", dropout=p)
    with torch.no_grad():
        stack.linears[1].weight.copy_(torch.eye(2000))
        stack.linears[1].bias.zero_()
        x = torch.ones(rows, 4)
        first, second = (stack(x) == 0 for _ in range(2))
        stack.eval()
        still = stack(x) == 0
    pairs = {
        "two rows of a batch": (first[:-1] == first[1:]).float().mean(1),
        "two passes, same row": (first == second).float().mean(1),
    }
    table = {name: {"masks agree": values.tolist()} for name, values in pairs.items()}
    table |= {
        "dropped in training": {"share": float(first.float().mean())},
        "dropped in evaluation": {"share": float(still.float().mean())},
    }

    def draw(ax):
        ax.imshow(first[:24, :48].numpy(), cmap="Greys", aspect="auto", vmax=1.6)
        quiet(ax, grid="", x="unit (dark: dropped)", y="example of the batch")

    chance = p * p + (1 - p) ** 2
    means = [float(values.mean()) for values in pairs.values()]
    checks = [
        Check.between("mean agreement, independent coins give 0.58", means, chance - 0.01, chance + 0.01),
        Check.between("share dropped in training", float(first.float().mean()), p - 0.01, p + 0.01),
        Check.below("share dropped in evaluation", float(still.float().mean()), 1e-9),
    ]
    return Shown(table, checks, draw)


@experiment(
    "dropout-scale",
    topic="regularisation",
    claim="Dropout needs nothing else than dropping units in training.",
    method="A network of two layers of 128 units on 600 digits, half of the units dropped in training: "
    "accuracy with the survivors divided by 0.5 and nothing dropped in the test, with dropping left on in "
    "the test, and without the division; and the mean size of a unit's input in the test over that in "
    "training.",
    verdict="does not hold",
    reading="Survivors must be divided by 1 - p in training (or all multiplied by it in the test), or units "
    "get twice the input that they were trained for; left on in the test, dropout costs accuracy.",
    concepts=("dropout",),
    corrects=("W44",),
    sources=("Srivastava et al. 2014", "Hinton et al. 2012, arXiv:1207.0580"),
)
def dropout_scale(lab: Setting) -> Shown:
    """With and without the division, on and off in the test."""
    rows = ("divided, off in the test", "divided, left on in the test", "not divided, off in the test")
    table: dict[str, dict[str, list[float]]] = {
        name: {"accuracy": [], "loss": [], "input, test / training": []} for name in rows
    }
    del table[rows[1]]["input, test / training"]
    for seed in lab.seeds(5, 2):
        X, y, X_test, y_test = digits(600, seed)
        for divided in (True, False):
            torch.manual_seed(seed)
            hidden = [
                nn.Linear(64, 128),
                nn.ReLU(),
                Drop(divided),
                nn.Linear(128, 128),
                nn.ReLU(),
                Drop(divided),
            ]
            net = nn.Sequential(*hidden, nn.Linear(128, 10))
            train(net, torch.optim.SGD(net.parameters(), lr=0.2), X, y, steps=lab.pick(800, 400), batch=32)
            for name in rows[:2] if divided else rows[2:]:
                net.train(name == rows[1])
                with torch.no_grad():
                    out = net(X_test)
                    size = [float(net.train(mode)[:3](X_test).mean()) for mode in (True, False)]
                table[name]["accuracy"].append(float((out.argmax(1) == y_test).float().mean()))
                table[name]["loss"].append(float(F.cross_entropy(out, y_test)))
                if name != rows[1]:
                    table[name]["input, test / training"].append(size[1] / size[0])

    def draw(ax):
        ax.barh(list(rows)[::-1], [np.mean(table[n]["loss"]) for n in rows[::-1]], color=[ORANGE, GREY, BLUE])
        quiet(ax, grid="x", x="loss on other digits")

    good, on, bare = (table[n] for n in rows)
    checks = [
        Check.between("input in the test over training, divided", good["input, test / training"], 0.97, 1.03),
        Check.between("the same, not divided", bare["input, test / training"], 1.9, 2.1),
        Check.more("loss, left on against off", on["loss"], good["loss"], times=1.3),
        Check.more("loss, not divided against divided", bare["loss"], good["loss"], times=1.1),
    ]
    return Shown(table, checks, draw)


class Drop(nn.Module):
    """Half of the units dropped in training, the others doubled or not."""

    def __init__(self, divided: bool) -> None:
        super().__init__()
        self.divided = divided

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, units) -> (n, units)."""
        if not self.training:
            return x
        mask = (torch.rand_like(x) < 0.5).to(x.dtype)
        return x * mask * (2.0 if self.divided else 1.0)


@experiment(
    "noise-is-l2",
    topic="regularisation",
    claim="Noise on the inputs regularises like an L2 penalty.",
    method="Linear regression on 40 columns from 60 rows: ridge with penalty n sigma^2 against least "
    "squares on 3,000 noisy copies of every row; distance between the two solutions, and the size of the "
    "weights against no noise.",
    verdict="holds",
    reading="For linear models it is the same penalty, exactly in expectation: noise shrinks the weights "
    "like ridge. In deep networks the correspondence is approximate.",
    concepts=("regularization", "l2-regularization"),
    corrects=("W41",),
    sources=("Bishop 1995, Training with noise is equivalent to Tikhonov regularization",),
)
def noise_is_l2(lab: Setting) -> Shown:
    """Ridge against noisy copies."""
    n, k, copies = 60, 40, lab.pick(3000, 600)
    table: dict[str, dict[str, list[float]]] = {
        f"noise {s:g}": {"distance to ridge / size": [], "size against no noise": []} for s in (0.3, 1.0)
    }
    last = {}
    for seed in lab.seeds(5, 3):
        rng = np.random.default_rng(seed)
        X, truth = rng.normal(size=(n, k)), rng.normal(size=k)
        y = X @ truth + rng.normal(size=n)
        free = np.linalg.lstsq(X, y, rcond=None)[0]
        for sigma in (0.3, 1.0):
            A, b = np.zeros((k, k)), np.zeros(k)
            for _ in range(copies):
                noisy = X + sigma * rng.normal(size=(n, k))
                A += noisy.T @ noisy
                b += noisy.T @ y
            w = np.linalg.solve(A, b)
            ridge = np.linalg.solve(X.T @ X + n * sigma**2 * np.eye(k), X.T @ y)
            row = table[f"noise {sigma:g}"]
            row["distance to ridge / size"].append(float(np.linalg.norm(w - ridge) / np.linalg.norm(ridge)))
            row["size against no noise"].append(float(np.linalg.norm(w) / np.linalg.norm(free)))
            last[sigma] = (ridge, w)

    def draw(ax):
        for (sigma, (ridge, w)), colour in zip(last.items(), (BLUE, ORANGE)):
            ax.plot(ridge, w, ".", color=colour, label=f"noise {sigma:g}")
        ends = [min(last[0.3][0]), max(last[0.3][0])]
        ax.plot(ends, ends, color=GREY, linewidth=1)
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, grid="", x="weight by ridge", y="weight from noisy copies")

    distances = [v for row in table.values() for v in row["distance to ridge / size"]]
    checks = [
        Check.below("distance to ridge", distances, 0.1),
        Check.below("size of the weights under noise 1", table["noise 1"]["size against no noise"], 0.9),
    ]
    return Shown(table, checks, draw, {"copies": copies})
