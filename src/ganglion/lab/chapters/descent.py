"""Descent on functions whose answers are known: what curvature, momentum and step size do."""

import numpy as np
import torch

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.optim.optimizers import make_optimizer
from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, quiet

CLOSE = 1e-6  # distance to the minimum at which a descent has arrived


def quadratic_steps(curvatures: np.ndarray, lr: float, momentum: float, start: np.ndarray, most: int) -> int:
    """Steps of ``v <- beta v + g; w <- w - lr v`` on ``sum c w^2 / 2`` until the relative distance is ``CLOSE``."""
    w, v = start.copy(), np.zeros_like(start)
    for step in range(most):
        if np.linalg.norm(w) < CLOSE * np.linalg.norm(start):
            return step
        v = momentum * v + curvatures * w
        w = w - lr * v
    return most


@experiment(
    "momentum-curvature",
    topic="optimisation",
    claim="Momentum speeds up descent along directions of low curvature: it needs about the square root of the "
    "condition number in steps where plain descent needs the condition number.",
    method="Quadratic bowls in 20 dimensions with curvatures from 1 to the condition number, each rule with its best "
    "constants (Polyak's); steps until the distance has fallen a million times.",
    verdict="holds",
    reading="It is persistent, gentle slopes that gain, and steep directions that stop swinging; nothing here is about "
    "steep gradients or about leaving minima.",
    concepts=("momentum", "ill-conditioning"),
    corrects=("W36",),
    sources=("Polyak 1964", "Goh 2017, Why Momentum Really Works"),
)
def momentum_curvature(lab: Setting) -> Shown:
    """Plain descent against heavy ball at growing condition numbers."""
    conditions, seeds = [10, 100, 1000], lab.seeds(10, 4)
    table: dict[str, dict[str, list[float]]] = {
        f"condition {k:,}": {"plain": [], "momentum": []} for k in conditions
    }
    for k in conditions:
        curvatures, root = np.geomspace(1.0, k, 20), np.sqrt(k)
        for seed in seeds:
            start = np.random.default_rng(seed).normal(size=20)
            row = table[f"condition {k:,}"]
            row["plain"].append(quadratic_steps(curvatures, 2 / (1 + k), 0.0, start, 50_000))
            beta, lr = ((root - 1) / (root + 1)) ** 2, (2 / (1 + root)) ** 2
            row["momentum"].append(quadratic_steps(curvatures, lr, beta, start, 50_000))
    plain, heavy = ([np.mean(row[name]) for row in table.values()] for name in ("plain", "momentum"))
    growth = {
        name: np.log10(means[2] / means[0]) / 2 for name, means in (("plain", plain), ("momentum", heavy))
    }

    def draw(ax):
        for means, colour, name in ((plain, GREY, "plain descent"), (heavy, BLUE, "with momentum")):
            ax.plot(conditions, means, color=colour, marker="o", label=name)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="condition number", y="steps to a millionth")

    checks = [
        Check.between("plain: steps grow as condition to the power", growth["plain"], 0.85, 1.15),
        Check.between("momentum: steps grow as condition to the power", growth["momentum"], 0.35, 0.65),
        Check.more("steps at condition 1,000, plain and momentum", plain[2], heavy[2], times=10),
    ]
    return Shown(table, checks, draw)


@experiment(
    "momentum-step",
    topic="optimisation",
    claim="Momentum keeps updates from becoming too large.",
    method="One weight under a gradient that stays 1 (and, for contrast, one that changes sign each step): size of the "
    "update after 200 steps, in units of the step size.",
    verdict="does not hold",
    reading="Along a steady slope momentum enlarges updates up to 1 / (1 - beta) times, ten times at 0.9; it shrinks "
    "only what changes sign. Only the form scaled by 1 - beta is an average.",
    concepts=("momentum",),
    corrects=("W35",),
    sources=("Polyak 1964", "Sutskever et al. 2013"),
)
def momentum_step(lab: Setting) -> Shown:
    """How far momentum stretches a step."""
    betas = (0.0, 0.5, 0.9, 0.99)
    table = {
        f"beta {b:g}": {"steady slope": update_size(b, 1), "changing sign": update_size(b, -1)} for b in betas
    }

    def draw(ax):
        places = np.arange(len(betas))
        steady = [row["steady slope"] for row in table.values()]
        ax.bar(places - 0.2, steady, 0.38, color=BLUE, label="steady slope")
        ax.bar(
            places + 0.2,
            [row["changing sign"] for row in table.values()],
            0.38,
            color=GREY,
            label="changing sign",
        )
        ax.set_yscale("log")
        ax.set_xticks(places, [f"{b:g}" for b in betas])
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="momentum beta", y="update / (step size x gradient)")

    ratios = [table[f"beta {b:g}"]["steady slope"] * (1 - b) for b in (0.5, 0.9)]
    checks = [
        Check.between("steady slope: update times (1 - beta)", ratios, 0.99, 1.01),
        Check.below("changing sign: update at beta 0.9", table["beta 0.9"]["changing sign"], 0.6),
    ]
    return Shown(table, checks, draw)


def update_size(beta: float, sign: int) -> float:
    """The size of the 200th update under a gradient of 1 that is multiplied by ``sign`` each step."""
    layer = torch.nn.Linear(1, 1, bias=False).double()
    optimizer = make_optimizer("sgd", layer, lr=1.0, momentum=beta)
    before = 0.0
    for step in range(200):
        before = float(layer.weight.detach())
        layer.weight.grad = torch.full_like(layer.weight, float(sign**step))
        optimizer.step()
    return abs(float(layer.weight.detach()) - before)


@experiment(
    "step-limit",
    topic="optimisation",
    claim="Gradient descent converges for every step size below two over the largest curvature, and for none above.",
    method="Quadratic bowls with random curvatures in 10 dimensions; step sizes 1 % below and 1 % above the limit, a "
    "fiftieth of it, and the best one; distance to the minimum after 2,000 steps.",
    verdict="holds",
    reading="The steepest direction alone sets the limit; far below it, all directions are merely slow.",
    concepts=("learning-rate", "gradient-descent", "ill-conditioning"),
    sources=("Boyd and Vandenberghe 2004, ch. 9",),
)
def step_limit(lab: Setting) -> Shown:
    """Below and above 2 / L."""
    shares = {"1/50 of the limit": 0.02, "best constant step": None, "1 % below": 0.99, "1 % above": 1.01}
    table: dict[str, dict[str, list[float]]] = {name: {"distance left": []} for name in shares}
    for seed in lab.seeds(20, 8):
        rng = np.random.default_rng(seed)
        curvatures, start = np.exp(rng.uniform(0, np.log(50), 10)), rng.normal(size=10)
        start[curvatures.argmax()] = 1.0
        best = 2 / (curvatures.min() + curvatures.max())
        for name, share in shares.items():
            lr = best if share is None else share * 2 / curvatures.max()
            left = np.abs((1 - lr * curvatures) ** 2000 * start)
            table[name]["distance left"].append(float(np.linalg.norm(left) / np.linalg.norm(start)))

    def draw(ax):
        means = [
            max(float(np.mean(np.log10(np.array(row["distance left"]) + 1e-40))), -40)
            for row in table.values()
        ]
        ax.barh(list(table), means, color=[GREY, GREEN, BLUE, ORANGE])
        ax.axvline(0, color=GREY, linewidth=1)
        quiet(ax, grid="x", x="log10 of the distance left after 2,000 steps")

    checks = [
        Check.below("1 % below the limit", table["1 % below"]["distance left"], 1e-2),
        Check.above("1 % above the limit", table["1 % above"]["distance left"], 1e3),
        Check.below("best step", table["best constant step"]["distance left"], 1e-10),
    ]
    return Shown(table, checks, draw)


@experiment(
    "conditioning",
    topic="optimisation",
    claim="Features on different scales make the loss ill-conditioned, and descent slow; standardising mends it.",
    method="Least squares on two features with spreads 1 and 100: condition number of the Hessian, and steps of "
    "descent with the best constant step until the loss is within 0.1 % of its minimum.",
    verdict="holds",
    reading="The condition number falls from about 10,000 to about 1, and the steps with it; the model is the same.",
    concepts=("ill-conditioning", "feature-scaling"),
    corrects=("W17",),
    sources=("LeCun et al. 1998, Efficient BackProp",),
)
def conditioning(lab: Setting) -> Shown:
    """Scales 1 and 100, as they come and standardised."""
    table: dict[str, dict[str, list[float]]] = {
        name: {"condition": [], "steps": []} for name in ("as they come", "standardised")
    }
    for seed in lab.seeds(10, 5):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(500, 2)) * [1.0, 100.0]
        y = X @ [1.0, 0.01] + rng.normal(scale=0.1, size=500)
        for name, columns in (("as they come", X), ("standardised", (X - X.mean(0)) / X.std(0))):
            curvature = np.linalg.eigvalsh(columns.T @ columns / len(y))
            table[name]["condition"].append(float(curvature[-1] / curvature[0]))
            table[name]["steps"].append(
                least_squares_steps(columns, y - y.mean(), curvature, lab.pick(50_000, 20_000))
            )

    def draw(ax):
        steps = [np.mean(row["steps"]) for row in table.values()]
        ax.barh([0, 1], steps, color=[ORANGE, BLUE])
        words = [f"{name}\ncondition {np.mean(row['condition']):,.3g}" for name, row in table.items()]
        ax.set_yticks([0, 1], words)
        ax.set_xscale("log")
        ax.set_xlim(1, None)
        quiet(ax, grid="x", x="steps until the loss is within 0.1 %")

    raw, even = table["as they come"], table["standardised"]
    checks = [
        Check.above("condition as they come", raw["condition"], 5_000),
        Check.below("condition standardised", even["condition"], 1.5),
        Check.more("steps before and after", raw["steps"], even["steps"], times=100),
    ]
    return Shown(table, checks, draw)


def least_squares_steps(X: np.ndarray, y: np.ndarray, curvature: np.ndarray, most: int) -> int:
    """Steps of descent, with the best constant step, until the loss is within 0.1 % of its minimum."""
    n, lr, w = len(y), 2 / (curvature[0] + curvature[-1]), np.zeros(X.shape[1])
    A, b, c = X.T @ X / n, X.T @ y / n, y @ y / n
    least = c - b @ np.linalg.solve(A, b)
    for step in range(most):
        if w @ A @ w - 2 * w @ b + c <= 1.001 * least:
            return step
        w = w - lr * (A @ w - b)
    return most


@experiment(
    "clipping",
    topic="optimisation",
    claim="Clipping limits the largest entries of a gradient and keeps its direction.",
    method="Random gradients of 50 entries with heavy tails, clipped to norm 1 and entry by entry at 0.1 by the loop's "
    "own function: cosine between the gradient before and after.",
    verdict="holds when",
    reading="Clipping by norm keeps the direction to the last digit; clipping by value bends it. A norm bound and "
    "'gradient norm scaling above a threshold' are the same thing.",
    concepts=("gradient-clipping", "gradient-norm-scaling"),
    corrects=("W77",),
    sources=("Pascanu et al. 2013, arXiv:1211.5063",),
)
def clipping(lab: Setting) -> Shown:
    """By norm and by value."""
    from ganglion.train.clip import Clip, clip_, global_norm

    table: dict[str, dict[str, list[float]]] = {}
    for name, clip in (("by norm 1", Clip(norm=1.0)), ("by value 0.1", Clip(value=0.1))):
        cosines, norms = [], []
        for seed in lab.seeds(200, 50):
            g = torch.from_numpy(np.random.default_rng(seed).standard_t(1.5, size=50))
            clipped = g.clone()
            clip_([clipped], global_norm([g]), clip)
            cosines.append(float(torch.dot(g, clipped) / g.norm() / clipped.norm()))
            norms.append(float(clipped.norm()))
        table[name] = {"cosine to the raw gradient": cosines, "norm after": norms}

    def draw(ax):
        for (name, row), colour in zip(table.items(), (BLUE, ORANGE)):
            ax.hist(
                row["cosine to the raw gradient"],
                bins=np.linspace(0, 1.02, 52),
                color=colour,
                alpha=0.8,
                label=name,
            )
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left")
        quiet(ax, x="cosine between the gradient before and after", y="gradients")

    by_norm, by_value = (row["cosine to the raw gradient"] for row in table.values())
    checks = [
        Check.above("cosine by norm", by_norm, 1 - 1e-9),
        Check.below("cosine by value, mean", float(np.mean(by_value)), 0.95),
        Check.between("norm after clipping by norm", table["by norm 1"]["norm after"], 1 - 1e-6, 1 + 1e-6),
    ]
    return Shown(table, checks, draw)


@experiment(
    "four-minima",
    topic="optimisation",
    claim="Where descent ends depends on where it starts; enough starts find every minimum.",
    method="Himmelblau's function, which has four minima of value 0, four saddles and one maximum: descent from random "
    "starts, and the signs of the Hessian's eigenvalues at all nine stationary points.",
    verdict="holds",
    reading="All four minima are found and none else: descent never ends in a saddle or the maximum, whose curvature "
    "has a negative direction.",
    concepts=("local-and-global-minima", "gradient-descent"),
    sources=("Himmelblau 1972",),
)
def four_minima(lab: Setting) -> Shown:
    """Multi-start descent on Himmelblau's function."""
    minima = np.array([[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]])
    starts = np.random.default_rng(lab.seed).uniform(-5, 5, (lab.pick(2000, 400), 2))
    ends = starts.copy()
    for _ in range(4000):
        ends -= 0.002 * himmelblau_slope(ends)
    distance = np.linalg.norm(ends[:, None] - minima, axis=2)
    share = np.bincount(distance.argmin(1), minlength=4) / len(ends)
    saddles = np.array(
        [[-3.073026, -0.081353], [0.086678, 2.884255], [3.385154, 0.073852], [-0.127961, -1.953715]]
    )
    lowest = {
        "minima": [himmelblau_curvature(p)[0] for p in minima],
        "saddles": [himmelblau_curvature(p)[0] for p in saddles],
    }
    table = {
        f"minimum at ({a:.2f}, {b:.2f})": {"share of starts": float(s)} for (a, b), s in zip(minima, share)
    }
    table |= {f"lowest curvature of the {name}": {"mean": values} for name, values in lowest.items()}

    def draw(ax):
        for i, colour in enumerate((BLUE, ORANGE, GREEN, GREY)):
            mine = starts[distance.argmin(1) == i]
            ax.plot(mine[:, 0], mine[:, 1], ".", color=colour, markersize=4, alpha=0.7)
        ax.plot(minima[:, 0], minima[:, 1], "k*", markersize=11)
        ax.plot(saddles[:, 0], saddles[:, 1], "kx", markersize=7)
        quiet(ax, grid="", x="start, coloured by where descent ended", y="")

    checks = [
        Check.below("distance of every end to its nearest minimum", distance.min(1).max(), 1e-3),
        Check.above("share of starts that find each minimum", share, 0.1),
        Check.above("lowest curvature of the minima", lowest["minima"], 0.0),
        Check.below("lowest curvature of the saddles", lowest["saddles"], 0.0),
    ]
    return Shown(table, checks, draw)


def himmelblau_slope(p: np.ndarray) -> np.ndarray:
    """The gradient of ``(x^2 + y - 11)^2 + (x + y^2 - 7)^2`` at points (n, 2)."""
    x, y = p[:, 0], p[:, 1]
    a, b = x**2 + y - 11, x + y**2 - 7
    return np.stack([4 * x * a + 2 * b, 2 * a + 4 * y * b], 1)


def himmelblau_curvature(p: np.ndarray) -> np.ndarray:
    """Eigenvalues of the Hessian at a point, smallest first."""
    x, y = p
    mixed = 4 * x + 4 * y
    return np.linalg.eigvalsh([[12 * x**2 + 4 * y - 42, mixed], [mixed, 12 * y**2 + 4 * x - 26]])
