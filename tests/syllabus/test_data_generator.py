"""Data that are produced batch by batch while training runs."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganglion.data.images import read_images
from ganglion.data.pictures import PictureBatches
from ganglion.data.streamed import batches_of_images
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.loop import fit


def plant(folder: Path, n: int) -> list[str]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = [str(folder / f"{i}.bmp") for i in range(n)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
    return paths


class Net(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Conv2d(3, 4, 5, stride=4), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 49, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x / 255)


@pytest.mark.alone  # how many batches threads hold at the peak depends on who else works
def test_data_generator(tmp_path: Path) -> None:
    """Weights as from memory, each picture once an epoch, and memory that does not grow with what lies on disk."""
    images = read_images(plant(tmp_path / "small", 200))
    y = torch.arange(200) % 3
    weights = []
    for memory in (0, images.nbytes):
        torch.manual_seed(0)
        net = Net()
        batches = PictureBatches(batches_of_images(images, {"y": y}, 24, memory=memory))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        fit(
            Supervised(net, loss_named("cross_entropy")),
            batches,
            optimizers={"train": optimizer},
            epochs=3,
            seed=5,
        )
        weights.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.equal(*weights)

    peaks = {}
    for folder, n in (("small", 200), ("large", 2000)):
        paths = images.source if n == 200 else plant(tmp_path / folder, n)
        larger = read_images(paths, size=(96, 96))  # of which a batch is much larger than all row numbers
        batches = batches_of_images(larger, {"row": torch.arange(n)}, 20, memory=0)
        seen = np.zeros(n, int)
        tracemalloc.start()
        for batch in batches.epoch(0, 0):
            seen[batch["row"]] += 1
        peaks[n] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (seen == 1).all()
    assert peaks[200] > 20 * 3 * 96 * 96  # a batch of pictures at least, so they are really counted
    assert abs(peaks[2000] / peaks[200] - 1) < 0.1
