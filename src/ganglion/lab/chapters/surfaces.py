"""The shape of the loss: plateaus, saddles, minima that are good enough, and how sharp they are."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.tools import dense, digits, train
from ganglion.optim.curvature import hessian_product, start_vector, top_eigenvalues
from ganglion.plot.style import BLUE, GREEN, GREY, ORANGE, note, quiet


@experiment(
    "plateau",
    topic="optimisation",
    claim="Where the loss stands still, descent has found a minimum.",
    method="A two-layer tanh network on two clouds, started from smaller and smaller weights, "
    "full-batch descent: steps until the loss leaves the level of a guess, and at the start the size of the "
    "slope and the lowest eigenvalue of the Hessian.",
    verdict="does not hold",
    reading="Near zero weights (where all units are alike) the slope is tiny and the loss flat, yet one "
    "direction curves downwards: a saddle. The smaller the start, the longer the plateau; in the end all "
    "leave it.",
    concepts=("ill-conditioning", "local-and-global-minima"),
    corrects=("W34",),
    sources=("Saxe et al. 2014, arXiv:1312.6120", "Dauphin et al. 2014, arXiv:1406.2572"),
)
def plateau(lab: Setting) -> Shown:
    """Small starts and the time they stand still."""
    scales, most = (1.0, 0.1, 0.01, 0.001), lab.pick(1000, 300)
    table: dict[str, dict[str, list[float]]] = {}
    curves = {}
    for scale in scales:
        row: dict[str, list[float]] = {
            "steps on the plateau": [],
            "slope at the start": [],
            "lowest curvature": [],
        }
        for seed in lab.seeds(5, 2):
            losses, slope, lowest = plateau_run(scale, seed, most)
            left = np.array([*losses, 0.0]) < 0.65  # a run that never leaves counts in full
            row["steps on the plateau"].append(float(np.argmax(left)))
            row["slope at the start"].append(slope)
            row["lowest curvature"].append(lowest)
        table[f"start x {scale:g}"], curves[scale] = row, losses

    def draw(ax):
        for (scale, losses), colour in zip(curves.items(), (GREY, GREEN, BLUE, ORANGE)):
            ax.plot(np.arange(1, most + 1), losses, color=colour, label=f"start x {scale:g}")
        ax.set_xscale("log")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="step", y="loss")

    smallest, largest = table["start x 0.001"], table["start x 1"]
    checks = [
        Check.below("slope at the smallest start", smallest["slope at the start"], 0.02),
        Check.below("lowest curvature there", smallest["lowest curvature"], -0.01),
        Check.more(
            "steps on the plateau, smallest start against largest",
            smallest["steps on the plateau"],
            largest["steps on the plateau"],
            times=2,
        ),
        Check.below("steps until the smallest start has left", smallest["steps on the plateau"], most - 0.5),
    ]
    return Shown(table, checks, draw)


def clouds(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two clouds of equally many points and mean 0 together: X (n, 2), y (n,) of 0 and 1."""
    y = np.arange(n) % 2
    X = np.random.default_rng(seed).normal(scale=0.5, size=(n, 2)) + (2 * y[:, None] - 1) * [0.7, 0.7]
    return torch.from_numpy(X - X.mean(0)), torch.from_numpy(y.astype(float))


def plateau_run(scale: float, seed: int, steps: int) -> tuple[list[float], float, float]:
    """Losses of a run from weights of a given scale, with the slope and the lowest curvature at its start."""
    torch.manual_seed(seed)
    X, y = clouds(200, seed)
    shapes = [(8, 2), (8,), (1, 8), (1,)]
    w = [torch.randn(s, dtype=torch.float64) * scale * (len(s) > 1) for s in shapes]
    flat = torch.cat([p.reshape(-1) for p in w]).requires_grad_()

    def loss(flat: Tensor) -> Tensor:
        a, b, c, d = (p.reshape(s) for p, s in zip(flat.split([16, 8, 8, 1]), shapes))
        return F.binary_cross_entropy_with_logits((torch.tanh(X @ a.t() + b) @ c.t() + d)[:, 0], y)

    slope = float(torch.autograd.grad(loss(flat), flat)[0].norm())
    hessian = torch.autograd.functional.hessian(loss, flat.detach())
    optimizer, losses = torch.optim.SGD([flat], lr=0.1), []
    for _ in range(steps):
        optimizer.zero_grad()
        value = loss(flat)
        value.backward()
        losses.append(float(value.detach()))
        optimizer.step()
    return losses, slope, float(torch.linalg.eigvalsh(hessian)[0])


@experiment(
    "caught-in-minima",
    topic="optimisation",
    claim="Training gets stuck in bad local minima.",
    method="Networks of 2, 3, 4, 8 and 16 tanh units learn exclusive or from many random starts, all starts "
    "of a width as one batched network under plain descent: share of starts that end above a tenth of the "
    "loss of a guess.",
    verdict="holds when",
    reading="With as few units as the task needs a large share is caught; a few times as many units and "
    "hardly any start is. Whether there are bad minima is a question of room.",
    concepts=("local-and-global-minima", "hidden-layer"),
    corrects=("W34",),
    sources=("Choromanska et al. 2015, arXiv:1412.0233", "Goodfellow et al. 2015, arXiv:1412.6544"),
)
def caught_in_minima(lab: Setting) -> Shown:
    """Exclusive or at growing widths."""
    widths, starts, steps = (2, 3, 4, 8, 16), lab.pick(1000, 200), lab.pick(4000, 1500)
    ends = {w: xor_losses(w, starts, lab.seed, steps) for w in widths}
    bound = 0.1 * np.log(2)
    table = {
        f"{w} units": {"share caught": float((loss > bound).mean()), "median loss": float(np.median(loss))}
        for w, loss in ends.items()
    }

    def draw(ax):
        for place, loss in enumerate(ends.values()):
            spread = np.random.default_rng(0).uniform(-0.3, 0.3, len(loss))
            ax.plot(place + spread, loss, ".", color=BLUE, alpha=0.4, markersize=3)
        ax.axhline(bound, color=GREY, linestyle=(0, (4, 3)))
        ax.set_yscale("log")
        ax.set_xticks(range(len(widths)), [f"{w} units" for w in widths])
        quiet(ax, y="final loss, one dot a start")

    checks = [
        Check.above("share caught with 2 units", table["2 units"]["share caught"], 0.15),
        Check.below("share caught with 16 units", table["16 units"]["share caught"], 0.03),
    ]
    return Shown(table, checks, draw, {"starts": starts, "steps": steps})


def xor_losses(width: int, starts: int, seed: int, steps: int) -> np.ndarray:
    """Final losses of ``starts`` networks on exclusive or that train as one batched network."""
    torch.manual_seed(seed)
    X = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]).expand(starts, -1, -1)
    y = torch.tensor([0.0, 1.0, 1.0, 0.0]).reshape(1, 4, 1).expand(starts, -1, -1)
    a = torch.randn(starts, 2, width).requires_grad_()
    c = (torch.randn(starts, width, 1) / width**0.5).requires_grad_()
    b, d = torch.zeros(starts, 1, width, requires_grad=True), torch.zeros(starts, 1, 1, requires_grad=True)
    optimizer = torch.optim.SGD([a, b, c, d], lr=0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        out = torch.baddbmm(d, torch.tanh(torch.baddbmm(b, X, a)), c)
        loss = F.binary_cross_entropy_with_logits(out, y, reduction="none").mean((1, 2))
        loss.sum().backward()
        optimizer.step()
    return loss.detach().numpy()


@experiment(
    "edge-of-stability",
    topic="optimisation",
    claim="Full-batch descent goes to ever flatter regions.",
    method="A tanh network of two hidden layers on 100 digits under full-batch descent at two step sizes: "
    "the largest eigenvalue of the Hessian during training, by Lanczos, against 2 / step size.",
    verdict="does not hold",
    reading="Sharpness grows until it stands at about 2 / step size, the limit of stability, and hovers "
    "there: the step size decides how sharp a region may be.",
    concepts=("loss-landscape", "learning-rate"),
    sources=("Cohen et al. 2021, arXiv:2103.00065",),
)
def edge_of_stability(lab: Setting) -> Shown:
    """Sharpness under full-batch descent at two step sizes."""
    rates, steps = {"step 0.15": 0.15, "step 0.25": 0.25}, lab.pick(2000, 1200)
    table: dict[str, dict[str, list[float]]] = {
        n: {"at the start": [], "at the end": [], "end x step / 2": []} for n in rates
    }
    curves: dict[str, list[float]] = {}
    for seed in lab.seeds(3, 1):
        for name, lr in rates.items():
            curves[name] = sharpness_course(lr, seed, steps)
            end = float(np.mean(curves[name][-5:]))
            table[name]["at the start"].append(curves[name][0])
            table[name]["at the end"].append(end)
            table[name]["end x step / 2"].append(end * lr / 2)

    def draw(ax):
        for (name, lr), colour in zip(rates.items(), (BLUE, ORANGE)):
            ax.plot(np.linspace(0, steps, len(curves[name])), curves[name], color=colour)
            ax.axhline(2 / lr, color=colour, linestyle=(0, (4, 3)), linewidth=1)
            note(ax, 0, 2 / lr, f"2 / {lr:g}", color=colour, va="bottom")
        quiet(ax, x="step", y="largest eigenvalue of the Hessian")

    ends = [v for row in table.values() for v in row["end x step / 2"]]
    starts = [v for row in table.values() for v in row["at the start"]]
    checks = [
        Check.between("sharpness at the end, in units of 2 / step", ends, 0.8, 1.3),
        Check.more("at the end against the start", table["step 0.15"]["at the end"], starts, times=1.5),
    ]
    return Shown(table, checks, draw)


def sharpness_course(lr: float, seed: int, steps: int) -> list[float]:
    """The top Hessian eigenvalue every 50 steps of full-batch descent."""
    torch.manual_seed(seed)
    X, y, *_ = digits(100, seed)
    X = 0.5 * (X - X.mean(0)) / (X.std(0) + 0.1)
    net = dense([64, 20, 20, 10], nn.Tanh)
    goal = F.one_hot(y, 10).float()
    course: list[float] = []
    params = list(net.parameters())
    start = start_vector(params[0], sum(p.numel() for p in params))

    def loss(out: Tensor, _: Tensor) -> Tensor:
        return (out - goal).square().sum(1).mean()

    def watch(step: int, _: float) -> None:
        if step % 50 == 0:
            product = hessian_product(lambda: loss(net(X), y), params)
            course.append(float(top_eigenvalues(product, start)[0]))

    train(net, torch.optim.SGD(net.parameters(), lr=lr), X, y, steps=steps, loss=loss, watch=watch)
    return course
