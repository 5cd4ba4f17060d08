"""What augmentation costs: milliseconds a batch, and as a share of a training step of a small convolutional network.

    python benchmarks/augment.py             # the table of docs/augmentation.md
    python benchmarks/augment.py pictures    # and the pictures of that page, from one of scikit-learn's photographs

Every augmentation and the step take turns on one thread, and processor time counts, not the clock, so that other work
on the machine matters little.
"""

import sys
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import torch
from _shared import ROOT, interleave, machine, table, timed
from torch import Tensor, nn

from ganglion.data.augment import augment_named
from ganglion.plot.augmented import plot_augmented

TEXTS = {
    "flip+crop": "flip+crop(2)",
    "turn": "turn",
    "affine": "affine(rotate=20, scale=0.2, shift=0.1)",
    "elastic": "elastic(34, 4)",
    "colour": "colour(0.3)",
    "erase": "erase(0.9)",
    "mixup": "mixup(0.4)",
    "cutmix": "cutmix(1)",
    "randaugment": "randaugment(2, 9)",
    "trivial": "trivial",
}
SHAPES = ((128, 1, 28), (512, 1, 28), (128, 3, 32), (512, 3, 32))
ROUNDS, REPEATS = 5, 3


def step(x: Tensor, y: Tensor) -> Callable[[], None]:
    """A training step of 32, 64 and 128 channels of 3 x 3, with SGD."""
    channels, layers = [x.shape[1], 32, 64, 128], []
    for a, b in pairwise(channels):
        layers += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    model = model.to(memory_format=torch.channels_last)
    rule = torch.optim.SGD(model.parameters(), 0.01)

    def work() -> None:
        rule.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        rule.step()

    return work


def repeated(work: Callable[[], object]) -> Callable[[], tuple[float, float]]:
    return lambda: timed(lambda: [work() for _ in range(REPEATS)])


def measure(n: int, c: int, side: int) -> dict[str, float]:
    """Processor milliseconds of each augmentation and of a step, medians of interleaved rounds."""
    x = torch.rand(n, c, side, side).to(memory_format=torch.channels_last)
    y = torch.randint(0, 10, (n,))
    generator = torch.Generator().manual_seed(0)
    contestants = {"step": repeated(step(x, y))}
    for name, text in TEXTS.items():
        augment = augment_named(text, classes=10)
        contestants[name] = repeated(lambda augment=augment: augment({"x": x, "y": y}, generator))
    taken, _ = interleave(contestants, ROUNDS)
    return {name: 1e3 * median(t[1] for t in times) / REPEATS for name, times in taken.items()}


def pictures() -> None:
    """One picture of each augmentation, for the page."""
    from sklearn.datasets import load_sample_images

    photographs = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images])
    x = nn.functional.interpolate(photographs.permute(0, 3, 1, 2) / 255, (107, 160), mode="area")
    y = torch.arange(2)
    folder = ROOT / "docs" / "images" / "augmentation"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in TEXTS.items():
        augment = augment_named(text, classes=2)
        batch = {"x": x, "y": y} if augment.mixes else {"x": x}
        ax = plot_augmented(batch, augment, versions=4, pictures=2, names=["temple", "flower"])
        ax.figure.savefig(folder / f"{name}.jpg", dpi=90, facecolor="white", pil_kwargs={"quality": 80})


def main() -> None:
    torch.set_num_threads(1)
    results = [measure(*shape) for shape in SHAPES]
    rows = []
    for name in ("step", *TEXTS):
        cells = [
            f"{r[name]:.2f}" + (f" ({r[name] / r['step']:.1%})" if name != "step" else "") for r in results
        ]
        rows.append([f"`{TEXTS[name]}`" if name != "step" else "training step", *cells])
    print(machine() + "; one thread, processor milliseconds a batch (share of the step)\n")
    print(table(["", *(f"{n} of {c} x {s} x {s}" for n, c, s in SHAPES)], rows))


if __name__ == "__main__":
    pictures() if "pictures" in sys.argv[1:] else main()
