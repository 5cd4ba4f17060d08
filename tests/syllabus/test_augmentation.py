"""Data augmentation: what it may not change, where it stops, and what it gains."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from ganglion.data.augment import augment_named
from ganglion.data.augment.matrices import compose
from ganglion.data.augment.parts import Draws
from ganglion.data.augment.resample import copy_pixels, sources
from ganglion.data.batches import ResidentBatches
from ganglion.data.pictures import PictureBatches
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.loop import fit

AUGMENT = "affine(rotate=10, shift=0.06)"


@pytest.fixture(scope="module")
def pictures():
    digits = load_digits()
    return torch.tensor(digits.images[:, None] / 16, dtype=torch.float32), torch.tensor(digits.target)


def learned(x: torch.Tensor, y: torch.Tensor, augment: str | None, seed: int, epochs: int = 300) -> nn.Module:
    """A network of 256 units trained on all rows, without any other regularisation."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    batches = PictureBatches(
        ResidentBatches({"x": x, "y": y}, 20), augment_named(augment) if augment else None
    )
    rules = {"train": make_optimizer("adam", model, 2e-3)}
    fit(Supervised(model, loss_named("cross_entropy")), batches, optimizers=rules, epochs=epochs, seed=seed)
    return model.eval()


def test_data_augmentation(pictures):
    """Four quarter turns are the identity, as maps and as pictures; stored pictures and answers are never augmented."""
    x, y = pictures[0][:64], pictures[1][:64]
    drawn = Draws(64, 1, 8, 8, torch.device("cpu"), torch.Generator().manual_seed(0))
    once = augment_named("turn").parts[0][1].draw(drawn).matrix
    turned, maps = x, torch.eye(2, 3).repeat(64, 1, 1)
    for _ in range(4):
        turned, maps = copy_pixels(turned, *sources(once, 8, 8)), compose(once, maps)
    assert torch.equal(turned, x)
    assert torch.equal(maps, torch.eye(2, 3).repeat(64, 1, 1))
    assert not torch.equal(copy_pixels(x, *sources(once, 8, 8)), x)
    before = x.clone()
    model = learned(x, y, AUGMENT, 0, epochs=2)
    assert torch.equal(x, before)
    assert torch.equal(model(x), model(x))


@pytest.mark.slow
def test_small_shifts_and_turns_help_on_a_hundred_digits(pictures):
    """Mean accuracy over 5 seeds on the digits that were not trained on rises by at least 1.5 points."""
    x, y = pictures
    gains = []
    for seed in range(5):
        rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        train, test = rows[:100], rows[100:]
        right = {
            text: float(
                (learned(x[train], y[train], text, seed)(x[test]).argmax(1) == y[test]).float().mean()
            )
            for text in (None, AUGMENT)
        }
        gains.append(right[AUGMENT] - right[None])
    assert sum(gains) / 5 >= 0.015
