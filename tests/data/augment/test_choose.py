"""Augmentation chosen from pictures: allowed where it leaves the classes alone, refused where it changes them."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from ganglion.data.augment import augment_for, augment_named
from ganglion.data.augment.glance import Glance, class_glance, features, ridge, told_apart

DATA = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[4] / "shared" / "data"))


def parts(text: str) -> set[str]:
    return {name for name, _ in augment_named(text).parts} if text else set()


def arrows(n: int = 600, *, up: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Arrows to the left and to the right (or up and down), anywhere, on noise."""
    rng = np.random.default_rng(0)
    x, y = rng.random((n, 1, 20, 20)) * 0.2, rng.integers(0, 2, n)
    shape = np.zeros((7, 9), bool)
    shape[3] = True
    for k in range(4):
        shape[3 - k, k] = shape[3 + k, k] = True
    for one, code in zip(x, y):
        drawn = shape[:, ::-1] if code else shape
        drawn = drawn.T if up else drawn
        r, c = rng.integers(0, 20 - drawn.shape[0]), rng.integers(0, 20 - drawn.shape[1])
        one[0, r : r + drawn.shape[0], c : c + drawn.shape[1]][drawn] = 1
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def cells(n: int = 700) -> tuple[torch.Tensor, torch.Tensor]:
    """Discs and rings of any direction."""
    rng = np.random.default_rng(0)
    x, y = rng.random((n, 1, 20, 20)) * 0.2, rng.integers(0, 2, n)
    rows, columns = np.mgrid[:20, :20]
    for one, code in zip(x, y):
        r, c = rng.uniform(7, 13, 2)
        angle, size, ratio = rng.uniform(0, np.pi), rng.uniform(4, 6), rng.uniform(0.8, 1.25)
        u = (columns - c) * np.cos(angle) + (rows - r) * np.sin(angle)
        v = (rows - r) * np.cos(angle) - (columns - c) * np.sin(angle)
        away = np.hypot(u * ratio, v / ratio)
        one[0][(away < size) & ((away > 0.6 * size) | (code == 0))] = 1
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y)


def test_arrows_keep_their_side():
    text, reasons = augment_for(*arrows())
    assert "flip" not in parts(text)
    assert "turn" not in parts(text)
    assert "flip_up_down" in parts(text)
    assert reasons[0].startswith("Not flipped left to right: of 200 held-out pictures a quick model names ")
    assert reasons[0].endswith("Too little of the classes is left.")
    assert len(reasons) == 4


def test_arrows_up_and_down_may_change_sides():
    text = augment_for(*arrows(up=True))[0]
    assert "flip" in parts(text)
    assert not {"flip_up_down", "turn"} & parts(text)


def test_cells_may_be_turned():
    text, reasons = augment_for(*cells())
    assert {"flip", "turn"} <= parts(text)
    assert "flip_up_down" not in parts(text)  # a flip and turns are all eight
    assert reasons[2].startswith("Turned by a quarter: ")


def test_digits_are_not_flipped():
    digits = load_digits()
    x = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    text, reasons = augment_for(x, torch.tensor(digits.target))
    assert not {"flip", "flip_up_down", "turn", "colour"} & parts(text)
    as_bytes = (x * 255).round().to(torch.uint8)
    assert augment_for(as_bytes, torch.tensor(digits.target))[0] == text
    assert augment_for(x, torch.tensor(digits.target)) == (text, reasons)  # nothing random in it


def test_light_changes_only_where_there_is_colour():
    x, y = cells()
    colours = x * torch.rand(len(x), 3, 1, 1, generator=torch.Generator().manual_seed(0)).clamp(min=0.4)
    grey = x.expand(-1, 3, -1, -1)
    assert "in other light" in " ".join(augment_for(colours, y)[1])
    assert "light" not in " ".join(augment_for(grey, y)[1])
    by_colour = torch.where(
        y.view(-1, 1, 1, 1) == 0, *torch.tensor([[0.6, 0.4, 0.4], [0.5, 0.4, 0.4]]).view(2, 3, 1, 1)
    )
    flat = (
        by_colour + 0.005 * torch.randn(len(x), 3, 20, 20, generator=torch.Generator().manual_seed(0))
    ).clamp(0, 1)
    assert "colour" not in parts(augment_for(flat, y)[0])  # where light is the class


@pytest.mark.parametrize(("margin", "pixels"), [(1, 1), (2, 2), (9, 3)])
def test_shifts_follow_the_margin(margin, pixels):
    """A square with a margin on plain ground moves by the margin, at most by an eighth of the side."""
    x = torch.full((400, 1, 24, 24), 0.1)
    x[:, :, margin:-margin, margin:-margin] = 0.9
    text, reasons = augment_for(x, torch.arange(400) % 2)
    assert text == f"crop({pixels})"
    assert f"margin of at least {margin}" in reasons[-1]


def test_pictures_that_fill_their_frame_move_by_a_sixteenth():
    x = torch.rand(400, 3, 48, 32, generator=torch.Generator().manual_seed(0))
    text, reasons = augment_for(x, torch.arange(400) % 2)
    assert "crop(2)" in text
    assert "a sixteenth" in reasons[-1]
    assert not any("quarter" in reason for reason in reasons)  # not square


def test_too_little_to_tell():
    x, y = arrows(100)
    text, reasons = augment_for(x, y)
    assert "flip" not in parts(text)
    assert "100 pictures are too few" in reasons[0]
    noise = torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    assert "cannot tell what a change costs" in augment_for(noise, torch.arange(300) % 2)[1][0]


def test_without_classes_flips_must_not_show():
    x = arrows(600)[0]
    right = torch.where((arrows(600)[1] == 1).view(-1, 1, 1, 1), x.flip(3), x)  # all point the same way
    text, reasons = augment_for(right, None)
    assert "flip" not in parts(text)
    assert "flip_up_down" in parts(text)
    assert reasons[0].startswith("Not flipped left to right: a quick model tells ")
    large = torch.rand(6, 1, 256, 256, generator=torch.Generator().manual_seed(0))  # few: looked at in pieces
    assert {"flip", "turn"} <= parts(augment_for(large, None)[0])


def test_ridge_is_its_normal_equations():
    rng = np.random.default_rng(0)
    rows, wanted = rng.normal(size=(50, 4)) * [1, 5, 0.2, 3] + 2, rng.normal(size=(50, 2))
    mean, std = rows.mean(0), rows.std(0, ddof=1) + 0.1 * rows.std(ddof=1) + 1e-6
    z = (rows - mean) / std
    weights = np.linalg.solve(z.T @ z + 0.1 * 50 * np.eye(4), z.T @ (wanted - wanted.mean(0)))
    ours = ridge(torch.tensor(rows, dtype=torch.float32), torch.tensor(wanted, dtype=torch.float32))
    got = ours(torch.tensor(rows, dtype=torch.float32))
    np.testing.assert_allclose(got, z @ weights + wanted.mean(0), atol=1e-3)


def test_a_glance_counts():
    """No change costs nothing, and turning every class into the other leaves nothing."""
    x, y = arrows()
    plain, mirrored = features(x), features(x.flip(3))
    same = class_glance(plain, plain, y)
    assert same.upright == same.changed
    assert same.n == 200
    assert same.chance == np.bincount(y[400:]).max() / 200
    swapped = class_glance(plain, mirrored, y)
    assert swapped.changed < 0.1
    assert swapped.both < 0.65
    assert told_apart(plain, plain, torch.arange(600)) == 0.5
    assert told_apart(plain, mirrored, torch.arange(600)) == pytest.approx(0.5, abs=0.1)
    assert told_apart(plain, plain + 1, torch.arange(600)) == 1


@pytest.mark.parametrize(
    ("seen", "apart", "verdict"),
    [
        (Glance(0.9, 0.9, 0.9, 0.1, 1000), 0.5, ""),
        (Glance(0.9, 0.52, 0.9, 0.1, 1000), 0.89, ""),
        (Glance(0.9, 0.48, 0.9, 0.1, 1000), 0.5, "Too little of the classes is left."),
        (Glance(0.9, 0.9, 0.85, 0.1, 1000), 0.5, "Training on both costs too much."),
        (Glance(0.9, 0.9, 0.85, 0.1, 100), 0.5, ""),  # which may be chance
        (Glance(0.9, 0.9, 0.9, 0.1, 1000), 0.91, "There are no such pictures."),
        (Glance(0.25, 0.25, 0.25, 0.1, 100), 0.5, "so it cannot tell what a change costs."),
    ],
)
def test_the_three_conditions(seen, apart, verdict, monkeypatch):
    monkeypatch.setattr("ganglion.data.augment.choose.class_glance", lambda *_: seen)
    monkeypatch.setattr("ganglion.data.augment.choose.told_apart", lambda *_: apart)
    text, reasons = augment_for(torch.rand(300, 1, 8, 8), torch.arange(300) % 2)
    assert parts(text) == (set() if verdict else {"flip", "turn"})
    assert all(reason.endswith(verdict or "of cases.") for reason in reasons[:3])
    assert all(reason.startswith("Not ") == bool(verdict) for reason in reasons[:3])


def read(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    raw = {}
    for kind, head in (("images-idx3", 16), ("labels-idx1", 8)):
        path = DATA / name / f"train-{kind}-ubyte.gz"
        if not path.exists():
            pytest.skip(f"{path.name} is not here: set GANGLION_DATA to the folder of the measuring data")
        raw[head] = np.frombuffer(gzip.decompress(path.read_bytes())[head:], np.uint8).copy()
    return torch.from_numpy(raw[16]).view(-1, 1, 28, 28), torch.from_numpy(raw[8]).long()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "chosen"), [("mnist", "crop(2)"), ("fashion_mnist", "flip+crop(2)")])
@pytest.mark.parametrize("n", [500, 60_000])
def test_known_sets(name, chosen, n):
    x, y = read(name)
    assert augment_for(x[:n], y[:n])[0] == chosen


@pytest.mark.slow
def test_photographs_are_flipped_and_glyphs_are_not():
    image = pytest.importorskip("PIL.Image")
    if not (DATA / "cifar10_jpeg_subset").exists():
        pytest.skip("cifar10_jpeg_subset is not here: set GANGLION_DATA to the folder of the measuring data")
    import io

    with np.load(DATA / "cifar10_jpeg_subset" / "test.npz") as file:
        raw, at, y = file["jpeg"].tobytes(), file["offset"], file["label"][::3]
    x = np.stack([np.asarray(image.open(io.BytesIO(raw[at[i] : at[i + 1]]))) for i in range(0, 10_000, 3)])
    chosen = augment_for(torch.from_numpy(x).permute(0, 3, 1, 2), torch.tensor(y, dtype=torch.int64))[0]
    assert parts(chosen) == {"flip", "crop", "colour"}
    with np.load(DATA / "omniglot28" / "omniglot28.npz") as file:
        kept = file["char"] < 100
        ink, codes = np.unpackbits(file["ink_packed"][kept], axis=1), file["char"][kept]
    glyphs = torch.from_numpy(ink[:, :784].reshape(-1, 1, 28, 28) * np.uint8(255))
    assert parts(augment_for(glyphs, torch.tensor(codes, dtype=torch.int64))[0]) == {"crop"}
