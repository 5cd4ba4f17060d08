"""What a gradient is, what backpropagation does with it, and what the cross-entropy averages."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.lab.figures import bars
from ganglion.lab.tools import dense, digits, train
from ganglion.metrics.calibration import calibration_curve, expected_calibration_error
from ganglion.objectives.losses import loss_named
from ganglion.plot.style import BLUE, GREY, ORANGE, quiet


def flat(parts) -> Tensor:
    """Tensors as one long vector."""
    return torch.cat([part.detach().flatten() for part in parts])


@experiment(
    "gradient-direction",
    topic="building blocks",
    claim="The gradient is the partial derivative and points in the direction that lowers the loss.",
    method="A small network on the digits, in double precision: the change of the loss over a tiny step of one length "
    "along the gradient, against it, against the largest single partial derivative, and in 200 random directions, "
    "as a share of the gradient's norm.",
    verdict="does not hold",
    reading="It is the vector of all partial derivatives and points to the steepest rise; its negative descends, and "
    "no other direction falls as fast. A single partial derivative is one of its entries.",
    concepts=("gradient-descent", "chain-rule"),
    corrects=("W32",),
    sources=("Boyd and Vandenberghe 2004, Convex Optimization, ch. 9",),
)
def gradient_direction(lab: Setting) -> Shown:
    """Up, down, along one axis, anywhere."""
    table: dict[str, dict[str, list[float]]] = {}
    for seed in lab.seeds(8, 3):
        torch.manual_seed(seed)
        X, y, *_ = digits(200, seed)
        net, X = dense([64, 16, 10], nn.Tanh).double(), X.double()
        params = list(net.parameters())

        def loss(net=net, X=X, y=y) -> Tensor:
            return F.cross_entropy(net(X), y)

        gradient = flat(torch.autograd.grad(loss(), params))
        axis = torch.zeros_like(gradient)
        axis[gradient.abs().argmax()] = gradient[gradient.abs().argmax()].sign()
        anywhere = torch.randn(200, len(gradient), dtype=gradient.dtype)
        changes = [change(loss, params, d) / float(gradient.norm()) for d in (gradient, -gradient, -axis)]
        rowwise = [change(loss, params, d) / float(gradient.norm()) for d in anywhere]
        names = (
            "along the gradient",
            "against the gradient",
            "against the largest entry alone",
            "steepest of 200 random ones",
        )
        for name, value in zip(names, [*changes, min(rowwise)]):
            table.setdefault(name, {}).setdefault("change of loss", []).append(value)
    values = {name: cells["change of loss"] for name, cells in table.items()}

    def draw(ax):
        bars(ax, values, x="change of loss / norm of gradient", mark=["against the gradient"])

    up, down, single, random = values.values()
    return Shown(
        table,
        [
            Check.between("along the gradient", up, 0.98, 1.02),
            Check.between("against it", down, -1.02, -0.98),
            Check.between("against its largest entry alone", single, -0.9, 0),
            Check.above("steepest of the random directions", random, -0.5),
        ],
        draw,
    )


@torch.no_grad()
def change(loss, params: list[nn.Parameter], direction: Tensor, step: float = 1e-5) -> float:
    """Change of a loss per length of a tiny step in a direction."""
    before, direction = loss(), direction / direction.norm()
    parts = torch.split(direction, [p.numel() for p in params])
    for p, part in zip(params, parts):
        p.add_(part.view_as(p), alpha=step)
    after = loss()
    for p, part in zip(params, parts):
        p.sub_(part.view_as(p), alpha=step)
    return float(after - before) / step


@experiment(
    "backpropagation-only-computes",
    topic="building blocks",
    claim="Backpropagation updates the weights.",
    method="Equal small networks: how far the weights move in a backward pass, in the optimiser's step after it (plain "
    "descent and Adam, on the same gradients), and when central differences stand in for backpropagation.",
    verdict="does not hold",
    reading="It computes gradients and leaves the weights as they are. The optimiser updates: another one makes "
    "another step of the same gradients, and gradients from anywhere else give the same step.",
    concepts=("backpropagation", "optimizer"),
    corrects=("W29",),
    sources=("Rumelhart et al. 1986", "Goodfellow et al. 2016, Deep Learning, sec. 6.5"),
)
def backpropagation_only_computes(lab: Setting) -> Shown:
    """The backward pass, two optimisers, and no backpropagation at all."""
    rows = ("backward pass", "then plain descent", "then Adam", "central differences, then plain descent")
    table: dict[str, dict[str, list[float]]] = {row: {"weights moved": []} for row in rows}
    alike: dict[str, list[float]] = {rows[2]: [], rows[3]: []}
    for seed in lab.seeds(5, 2):
        X, y, *_ = digits(50, seed)
        moves = []
        for row in rows:
            torch.manual_seed(seed)
            net = dense([64, 4, 10], nn.Tanh).double()
            params = list(net.parameters())
            before = flat(params)
            by_backward = row != rows[3]
            if by_backward:
                F.cross_entropy(net(X.double()), y).backward()
            else:
                by_differences(net, X.double(), y)
            if row != rows[0]:
                rule = torch.optim.Adam if row == rows[2] else torch.optim.SGD
                rule(params, lr=0.01).step()
            moves.append(flat(params) - before)
            table[row]["weights moved"].append(float(moves[-1].norm()))
        for row, move in zip(rows[2:], moves[2:]):
            alike[row].append(float(F.cosine_similarity(move, moves[1], dim=0)))
    for row, values in alike.items():
        table[row]["cosine to plain descent"] = values

    def draw(ax):
        bars(
            ax,
            {row: cells["weights moved"] for row, cells in table.items()},
            x="how far the weights moved",
            mark=rows[:1],
        )

    return Shown(
        table,
        [
            Check.below("weights moved by the backward pass", table[rows[0]]["weights moved"], 1e-300),
            Check.above(
                "by the optimisers", [v for row in rows[1:] for v in table[row]["weights moved"]], 1e-4
            ),
            Check.below("cosine between the two optimisers' steps", alike[rows[2]], 0.95),
            Check.above("cosine of the step without backpropagation", alike[rows[3]], 0.999999),
        ],
        draw,
    )


def by_differences(net: nn.Module, X: Tensor, y: Tensor, h: float = 1e-5) -> None:
    """Fill every gradient by central differences of the loss, one weight at a time."""
    with torch.no_grad():
        for p in net.parameters():
            slope = torch.empty_like(p)
            for entry, out in zip(p.view(-1).unbind(), range(p.numel())):
                entry += h
                high = F.cross_entropy(net(X), y)
                entry -= 2 * h
                slope.view(-1)[out] = (high - F.cross_entropy(net(X), y)) / (2 * h)
                entry += h
            p.grad = slope


@experiment(
    "cross-entropy-average",
    topic="building blocks",
    claim="Categorical cross-entropy averages the log loss over all classes.",
    method="Random outputs for 2, 10 and 100 classes: the loss against the mean over rows of -log p of the true class, "
    "against a mean over rows and classes, and after the other classes' outputs changed places.",
    verdict="does not hold",
    reading="With one true class only its log probability counts; the mean is over rows. The others matter only "
    "through what they leave for it, so exchanging them changes nothing.",
    concepts=("categorical-cross-entropy",),
    corrects=("W55",),
    sources=("Bishop 2006, Pattern Recognition and Machine Learning, sec. 4.3.4",),
)
def cross_entropy_average(lab: Setting) -> Shown:
    """Two to a hundred classes."""
    table: dict[str, dict[str, list[float]]] = {}
    loss = loss_named("cross_entropy").value
    for classes in (2, 10, 100):
        cells: dict[str, list[float]] = {
            "loss": [],
            "true class": [],
            "over all classes": [],
            "exchanged": [],
        }
        for seed in lab.seeds(20, 5):
            torch.manual_seed(seed)
            z, y = 2 * torch.randn(500, classes, dtype=torch.float64), torch.randint(0, classes, (500,))
            p = torch.exp(z) / torch.exp(z).sum(1, keepdim=True)
            true = torch.zeros_like(p).scatter_(1, y[:, None], 1.0)
            each = -(true * p.log() + (1 - true) * (1 - p).log())
            turned = (
                z.scatter(1, y[:, None], torch.inf).sort(1).values
            )  # the true class last, the others in order
            turned[:, -1] = z[torch.arange(500), y]
            exchanged = loss(turned, torch.full_like(y, classes - 1))
            values = loss(z, y), -p[torch.arange(500), y].log(), each.mean(1), exchanged
            for column, value in zip(cells, values):
                cells[column].append(float(value.mean()))
        table[f"{classes} classes"] = cells

    def draw(ax):
        shown = {
            f"{name}, {column}": cells[column]
            for name, cells in table.items()
            for column in ("loss", "true class", "over all classes")
        }
        bars(ax, shown, x="mean loss", log=True, mark=[n for n in shown if n.endswith("loss")])

    def gap(column: str) -> list[float]:
        return [abs(a - b) for cells in table.values() for a, b in zip(cells["loss"], cells[column])]

    hundred = table["100 classes"]
    return Shown(
        table,
        [
            Check.below("gap to the true class's -log p", gap("true class"), 1e-12),
            Check.below("gap after the others changed places", gap("exchanged"), 1e-12),
            Check.more(
                "100 classes: the loss over a mean of all classes",
                hundred["loss"],
                hundred["over all classes"],
                times=20,
            ),
        ],
        draw,
    )


@experiment(
    "softmax-as-probability",
    topic="building blocks",
    claim="The outputs of a softmax are the probabilities of the classes.",
    method="Five overlapping classes in ten dimensions. A linear network and a large one that is trained until it "
    "knows its few rows by heart: the expected calibration error on new rows, as trained and with the outputs divided "
    "by a temperature fitted on other rows.",
    verdict="holds when",
    reading="It holds when the network is calibrated, which must be measured. Outputs of a softmax always sum to 1, "
    "but a network that fits its rows by heart is far too sure; one number, the temperature, mends most of it.",
    concepts=("softmax", "multi-class-classification"),
    corrects=("W56",),
    sources=("Guo et al. 2017, arXiv:1706.04599",),
)
def softmax_as_probability(lab: Setting) -> Shown:
    """A linear network on much data, a large one on little."""
    table: dict[str, dict[str, list[float]]] = {}
    curve = {}
    for seed in lab.seeds(6, 2):
        torch.manual_seed(seed)
        centres = torch.randn(5, 10)
        for name, widths, n, rate in (
            ("linear, 4,000 rows", [10, 5], 4000, 0.05),
            ("large, 200 rows", [10, 128, 128, 5], 200, 0.01),
        ):
            net = dense(widths)
            optimizer = torch.optim.Adam(net.parameters(), lr=rate)
            train(net, optimizer, *drawn(centres, n), steps=lab.pick(300, 120))
            X, y = drawn(centres, 4000)
            rest, labels = drawn(centres, 1000)
            with torch.no_grad():
                z, held = net(X), net(rest)
            heat = min(
                (2.0 ** (k / 4) for k in range(-8, 29)),
                key=lambda t: float(F.cross_entropy(held / t, labels)),
            )
            cells = table.setdefault(
                name, {"calibration error": [], "temperature": [], "with temperature": []}
            )
            cells["calibration error"].append(expected_calibration_error(y, z.softmax(1)))
            cells["with temperature"].append(expected_calibration_error(y, (z / heat).softmax(1)))
            cells["temperature"].append(heat)
            sure, said = z.softmax(1).max(1)
            curve[name] = calibration_curve((said == y).numpy(), sure.numpy())

    def draw(ax):
        for (name, points), color in zip(curve.items(), (BLUE, ORANGE)):
            ax.plot(points.promised, points.observed, "o-", color=color, label=name)
        ax.plot([0.2, 1], [0.2, 1], "--", color=GREY, linewidth=1)
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="probability of the chosen class", y="share that is right")

    linear, large = table.values()
    return Shown(
        table,
        [
            Check.below("linear network", linear["calibration error"], 0.06),
            Check.above("large network", large["calibration error"], 0.1),
            Check.more(
                "large network, as trained over with temperature",
                large["calibration error"],
                large["with temperature"],
                times=2,
            ),
        ],
        draw,
    )


def drawn(centres: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Rows around the centres of five classes, with a spread that lets them overlap."""
    y = torch.randint(0, len(centres), (n,))
    return centres[y] + 1.5 * torch.randn(n, centres.shape[1]), y
