"""Capsules on MNIST: accuracy over seeds, what each number of a capsule changes in its drawing, and what a step costs.

    python benchmarks/capsules.py accuracy [--seeds 3] [--quick] [--sets mnist fashion_mnist]
    python benchmarks/capsules.py dimensions [--quick] [--load FILE] [--save FILE]   # figure and table of the page
    python benchmarks/capsules.py step                                               # milliseconds of each part

``--quick`` takes 10,000 training pictures and 4 epochs, ``--epochs`` another number of them.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from _pictures import four_files
from _shared import ROOT, machine, table, timed
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from ganglion import CapsuleClassifier, load
from ganglion.models.capsule import CapsuleNet
from ganglion.nn.routing import turns
from ganglion.objectives.capsule import CapsuleObjective, capsule_loss_named
from ganglion.optim.optimizers import make_optimizer
from ganglion.plot.style import INK

VALUES = np.linspace(-0.25, 0.25, 11)
QUICK = 10_000  # training pictures
SHOWN = 500  # test pictures whose drawings are changed
BATCH = 256


def main() -> None:
    """Do the part that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["accuracy", "dimensions", "step"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=["mnist"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--load", type=Path)
    parser.add_argument("--save", type=Path)
    asked = parser.parse_args()
    print(machine(), "\n")
    {"accuracy": accuracy, "dimensions": dimensions, "step": step}[asked.part](asked)


def fitted(asked: Any, data: tuple[np.ndarray, ...], seed: int) -> CapsuleClassifier:
    """A classifier with its defaults, fitted on the training part."""
    epochs = asked.epochs or (4 if asked.quick else None)
    model = CapsuleClassifier(random_state=seed, **({"max_epochs": epochs} if epochs else {}))
    rows = slice(QUICK if asked.quick else None)
    return model.fit(data[0][rows], data[1][rows])


def accuracy(asked: Any) -> None:
    """Test accuracy of each seed and their mean; the last epoch or that chosen on the validation part."""
    rows = []
    for name in asked.sets:
        data, found = four_files(name), []
        for seed in range(asked.seeds):
            clock = time.perf_counter()
            model = fitted(asked, data, seed)
            seconds = time.perf_counter() - clock
            found.append(100 * model.score(data[2], data[3]))
            rows.append((name, seed, f"{found[-1]:.2f}", f"{seconds:.0f}", f"{model.best_epoch_} of {model.n_iter_}",
                         f"{model.record_size():,}", model.augment_))  # fmt: skip
            print(*rows[-1], flush=True)
        rows.append((name, "mean", f"{mean(found):.2f}", "", "", "", ""))
    print(table(("set", "seed", "test accuracy, %", "seconds", "epoch", "weights", "augmentation"), rows))


def dimensions(asked: Any) -> None:
    """The figure of one digit's capsule changed number by number, and how far each number moves the drawings."""
    data = four_files("mnist")
    model = load(asked.load) if asked.load else fitted(asked, data, 0)
    if asked.save:
        model.save(asked.save)
    print(f"test accuracy {100 * model.score(data[2], data[3]):.2f} %")
    X = data[2][:SHOWN]
    changes = np.array([
        np.abs(np.diff(model.perturb(X, d, VALUES[[0, -1]]), axis=1)).mean() for d in range(model.class_size)
    ])  # fmt: skip
    drawn = model.reconstruct(X)[..., 0]
    print(f"pixels of reconstructions are wrong by {np.abs(drawn - X).mean():.1f} of 255 in the mean; the mean picture "
          f"is by {np.abs(X - X.mean(0)).mean():.1f}\n")  # fmt: skip
    print(table(("number", "mean change of a pixel from -0.25 to 0.25, of 255"),
                [(d, f"{changes[d]:.1f}") for d in range(len(changes))]))  # fmt: skip
    digit = data[2][np.flatnonzero(data[3] == 4)[:1]]
    sheet = np.stack([model.perturb(digit, d, VALUES)[0, ..., 0] for d in range(model.class_size)])
    picture(sheet, changes).savefig(ROOT / "docs" / "images" / "capsules.png", dpi=70)


def picture(sheet: np.ndarray, changes: np.ndarray) -> Figure:
    """One row for each number, one column for each value that was added to it."""
    rows, columns, *_ = sheet.shape
    figure = Figure(figsize=(0.62 * columns + 1.1, 0.62 * rows + 0.4), facecolor="white")
    FigureCanvasAgg(figure)
    for (row, column), ax in np.ndenumerate(figure.subplots(rows, columns)):
        ax.imshow(255 - sheet[row, column], "gray", vmin=0, vmax=255)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if row == 0:
            ax.set_title(f"{VALUES[column]:+.2f}", color=INK, fontsize=8)
        if column == 0:
            ax.set_ylabel(
                f"{row}: {changes[row]:.0f}", color=INK, fontsize=9, rotation=0, ha="right", va="center"
            )
    figure.subplots_adjust(0.1, 0.005, 0.995, 0.965, 0.04, 0.04)
    return figure


def step(asked: Any) -> None:
    """Milliseconds of processor time on one thread, for a batch of 256 digits: medians of interleaved rounds."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = CapsuleNet((1, 28, 28), 10).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    objective = CapsuleObjective(net, capsule_loss_named("margin"))
    settings = CapsuleClassifier()
    optimizer = make_optimizer(settings.optimizer, objective, settings.lr)
    batch = {"x": torch.rand(BATCH, 1, 28, 28), "y": torch.randint(0, 10, (BATCH,))}
    below = torch.rand(BATCH, len(net.capsules.weight), net.primary_size).requires_grad_()
    above = torch.rand(BATCH, 10, settings.class_size).requires_grad_()

    def maps() -> Tensor:
        return net.primary(
            net.features(net.standardise(batch["x"]).contiguous(memory_format=torch.channels_last))
        )

    def plainly() -> Tensor:
        votes = net.capsules.votes(below)
        return turns(votes, settings.routing).capsules[-1]

    parts: dict[str, Callable[[], object]] = {
        "the whole step": lambda: whole(objective, optimizer, batch),
        "convolutions": lambda: maps().float().square().sum().backward(),
        "votes": lambda: net.capsules.votes(below).sum().backward(),
        "votes and routing": lambda: net.capsules(below).square().sum().backward(),
        "votes and routing, whole batch, by autograd": lambda: plainly().square().sum().backward(),
        "decoder": lambda: net.draw(above, torch.ones(BATCH, 10)).square().sum().backward(),
        "optimiser": optimizer.step,
    }
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for turn in range(8):
        for name, part in parts.items():
            with torch.autocast("cpu", torch.bfloat16, enabled="votes" not in name):
                seconds = timed(part)[1]
            taken[name] += [seconds] if turn else []
    print(
        table(("part, forward and backward", "ms"), [(k, f"{1e3 * median(v):.0f}") for k, v in taken.items()])
    )


def whole(objective: CapsuleObjective, optimizer: Any, batch: dict[str, Tensor]) -> None:
    """One step of training."""
    optimizer.zero_grad()
    objective.gradients(batch, "train", BATCH)
    optimizer.step()


if __name__ == "__main__":
    main()
