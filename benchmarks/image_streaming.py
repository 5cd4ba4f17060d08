"""A folder of 200,000 small pictures trains a residual network of 20 layers: memory, and waiting for data.

    python benchmarks/image_streaming.py [--pictures 200000] [--steps 60] [--batch 128]

The pictures (64 x 64 JPEG in 10 class folders) are written into a temporary folder and removed afterwards. Waiting is
the time that the loop stands still for its next batch, as a share of the whole step. Memory is the peak of the process.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from _shared import machine, table
from PIL import Image
from torch import Tensor, nn

from ganglion.data.folders import read_folder
from ganglion.data.images import CHUNK, cores, read_images
from ganglion.data.pictures import PictureBatches
from ganglion.data.streamed import StreamedImages
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit

SIDE, CLASSES = 64, 10


def main() -> None:
    """Write the folder, read it, train, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=128)
    asked = parser.parse_args()
    print(machine(), "\n")
    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        plant(Path(folder), asked.pictures)
        print(f"wrote {asked.pictures:,} pictures in {time.perf_counter() - clock:.0f} s\n")
        measure(Path(folder), asked.steps, asked.batch)


def plant(folder: Path, n: int) -> None:
    """``n`` pictures of coloured clouds; the class is the hue, so there is something to learn."""
    for label in range(CLASSES):
        (folder / f"hue{label}").mkdir()
    rng = np.random.default_rng(0)
    bases = [
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((SIDE, SIDE))
        for _ in range(997)
    ]
    for i in range(n):
        label = i % CLASSES
        tint = Image.new("RGB", (SIDE, SIDE), f"hsl({label * 36}, 100%, 50%)")
        picture = Image.blend(bases[i % len(bases)], tint, 0.2 + 0.2 * rng.random())
        picture.save(folder / f"hue{label}" / f"{i}.jpg", quality=85)


def measure(folder: Path, steps: int, size: int) -> None:
    """Read and train; print what each part takes."""
    clock = time.perf_counter()
    paths, labels = read_folder(folder)
    listed = time.perf_counter()
    images = read_images(paths)
    headed = time.perf_counter()
    classes = sorted(set(labels))
    targets = torch.tensor([classes.index(label) for label in labels])
    waiting = Waiting(StreamedImages(images, {"y": targets}, size))
    model = nn.Sequential(Unit(), ResNet20())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    steps_taken = Steps()
    before = peak()
    run = fit(
        Supervised(model, loss_named("cross_entropy")), PictureBatches(waiting), optimizers={"train": optimizer},
        max_steps=steps, hooks=(steps_taken,),
    )  # fmt: skip
    took = np.diff(steps_taken.clock)
    waited = np.array(waiting.seconds[1 : len(took) + 1])
    decode = alone(images, size)
    rows = [
        ("list the folder, compare bytes", f"{listed - clock:.1f} s"),
        ("read all headers", f"{headed - listed:.1f} s"),
        ("first batch", f"{waiting.seconds[0]:.2f} s"),
        (f"step of {size}, median", f"{1e3 * median(took):.0f} ms"),
        ("waiting for data, median", f"{1e3 * median(waited):.2f} ms"),
        ("waiting, share of all steps", f"{waited.sum() / took.sum():.1%}"),
        (f"decoding a batch of {size} with nothing beside it", f"{1e3 * decode:.0f} ms"),
        ("decoded pictures would take", f"{images.nbytes / 2**30:.2f} GiB"),
        ("peak memory before training", f"{before:.2f} GiB"),
        ("peak memory of the process", f"{peak():.2f} GiB"),
        ("loss, first and last fifth", f"{np.mean(steps_taken.loss[: steps // 5]):.2f}, "
                                       f"{np.mean(steps_taken.loss[-steps // 5 :]):.2f}"),
    ]  # fmt: skip
    print(table(("what", "measured"), rows))
    print(f"{len(images):,} pictures, {run.step} steps, {cores()} threads decode")


def peak() -> float:
    """The most memory that this process has had, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def alone(images: Any, size: int) -> float:
    """Seconds that a batch takes to decode by all threads, when nothing else runs."""
    clock = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        rows = np.random.default_rng(1).permutation(len(images))[: 20 * size]
        out = images.empty(len(rows))
        starts = range(0, len(rows), CHUNK)
        list(pool.map(lambda s: images.fill(out[s : s + CHUNK], rows[s : s + CHUNK]), starts))
    return (time.perf_counter() - clock) / (len(rows) / size)


class Waiting:
    """Batches with the seconds until each was there."""

    def __init__(self, batches: StreamedImages) -> None:
        self.batches, self.seconds = batches, [0.0][:0]
        self.size, self.feedback = batches.size, batches.feedback
        self.state_dict, self.load_state_dict = batches.state_dict, batches.load_state_dict

    def __len__(self) -> int:
        return len(self.batches)

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        stream = self.batches.epoch(seed, epoch, start)
        while True:
            clock = time.perf_counter()
            batch = next(stream, None)
            self.seconds.append(time.perf_counter() - clock)
            if batch is None:
                return
            yield batch


class Steps(Hook):
    """The clock and the loss after each step."""

    def __init__(self) -> None:
        self.clock: list[float] = []
        self.loss: list[float] = []

    def step(self, run: Any) -> None:
        self.clock.append(time.perf_counter())
        self.loss.append(float(run.loss) / run.size)


class Unit(nn.Module):
    """8-bit pictures as floats in [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return (x / 255).contiguous(memory_format=torch.channels_last)


class Block(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut (He and others 2015, arXiv:1512.03385)."""

    def __init__(self, c: int, k: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(c, k, 3, stride, 1, bias=False), nn.BatchNorm2d(k), nn.ReLU(),
            nn.Conv2d(k, k, 3, 1, 1, bias=False), nn.BatchNorm2d(k),
        )  # fmt: skip
        self.short = (
            nn.Identity()
            if c == k
            else nn.Sequential(nn.Conv2d(c, k, 1, stride, bias=False), nn.BatchNorm2d(k))
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


class ResNet20(nn.Sequential):
    """3 stages of 3 blocks, 16, 32 and 64 channels wide."""

    def __init__(self) -> None:
        widths = [16, 16, 16, 16, 32, 32, 32, 64, 64, 64]
        blocks = [Block(c, k, 1 if c == k else 2) for c, k in pairwise(widths)]
        super().__init__(
            nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks,
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES),
        )  # fmt: skip


if __name__ == "__main__":
    main()
