"""Colours and policies against Pillow and formulas; erasing and mixing against their papers' statements."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from scipy.stats import beta as beta_distribution
from scipy.stats import kstest

from ganglion.base.errors import DataError
from ganglion.data.augment import augment_named
from ganglion.data.augment.colour import recolour
from ganglion.data.augment.mix import beta, blend, paste
from ganglion.data.augment.operations import autocontrast, equalise, posterise, sharpen, solarise
from ganglion.data.augment.parts import Draws
from ganglion.data.augment.policy import OPERATIONS, STANDARD, operate

CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(*values: float) -> list[torch.Tensor]:
    return [torch.tensor([v]) for v in values]


@pytest.fixture(params=["RGB", "L"])
def photograph(request):
    """A picture of 12 x 17 pixels with middling levels, and the same as a batch of one."""
    shape = (12, 17, 3) if request.param == "RGB" else (12, 17)
    levels = np.random.default_rng(0).integers(70, 170, shape).astype(np.uint8)
    batch = torch.from_numpy(levels.reshape(12, 17, -1)).permute(2, 0, 1)[None] / 255
    return Image.fromarray(levels), batch


def as_levels(x: torch.Tensor) -> np.ndarray:
    return (255 * x[0].permute(1, 2, 0)).squeeze().numpy()


@pytest.mark.parametrize(
    ("enhance", "place"),
    [(ImageEnhance.Brightness, 0), (ImageEnhance.Contrast, 1), (ImageEnhance.Color, 2)],
    ids=["brightness", "contrast", "saturation"],
)
@pytest.mark.parametrize("factor", [0.0, 0.6, 1.4])
def test_light_is_pillows(photograph, enhance, place, factor):
    picture, batch = photograph
    factors = [1.0, 1.0, 1.0]
    factors[place] = factor
    ours = as_levels(recolour(batch, *numbers(*factors, 0.0)))
    theirs = np.asarray(enhance(picture).enhance(factor), dtype=float)
    assert np.abs(ours - theirs).max() <= 1.5  # theirs is rounded, and so is the grey that it mixes with


def test_hue_by_formula():
    """A turn of the two colour axes by a third of the circle, in float64; three of them are none."""
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
    rgb = np.array([0.5, 0.45, 0.55])
    y, i, q = to_yiq @ rgb
    a = 2 * np.pi / 3
    expected = np.linalg.solve(to_yiq, [y, np.cos(a) * i - np.sin(a) * q, np.sin(a) * i + np.cos(a) * q])
    x = torch.tensor(rgb, dtype=torch.float32).view(1, 3, 1, 1)
    turned = recolour(x, *numbers(1, 1, 1, 1 / 3))
    np.testing.assert_allclose(turned.flatten(), expected, atol=1e-6)
    for _ in range(2):
        turned = recolour(turned, *numbers(1, 1, 1, 1 / 3))
    np.testing.assert_allclose(turned.flatten(), rgb, atol=1e-5)


def test_operations_are_pillows(photograph):
    picture, batch = photograph
    pairs = {
        "autocontrast": (autocontrast(batch), ImageOps.autocontrast(picture), 1.0),
        "equalise": (equalise(batch), ImageOps.equalize(picture), 0.01),
        "posterise": (posterise(batch, *numbers(3)), ImageOps.posterize(picture, 3), 0.01),
        "solarise": (solarise(batch, *numbers(128 / 255)), ImageOps.solarize(picture, 128), 0.01),
        "sharper": (sharpen(batch, *numbers(1.7)), ImageEnhance.Sharpness(picture).enhance(1.7), 1.5),
        "smoother": (sharpen(batch, *numbers(0.2)), ImageEnhance.Sharpness(picture).enhance(0.2), 1.5),
    }
    for name, (ours, theirs, most) in pairs.items():
        assert np.abs(as_levels(ours) - np.asarray(theirs, dtype=float)).max() <= most, name


def test_equalising_is_pillows_where_levels_have_many_pixels():
    levels = np.random.default_rng(0).normal(120, 20, (60, 80)).clip(0, 255).astype(np.uint8)
    ours = equalise(torch.from_numpy(levels)[None, None] / 255)
    theirs = np.asarray(ImageOps.equalize(Image.fromarray(levels)), dtype=float)
    assert np.ptp(theirs) > 240
    np.testing.assert_allclose(255 * ours[0, 0].numpy(), theirs, atol=0.01)


def test_operations_leave_a_flat_picture():
    flat = torch.full((2, 3, 5, 5), 0.3)
    for change in (autocontrast, equalise):
        assert torch.equal(change(flat), flat)


def test_policies_choose_for_each_picture():
    """Every operation about equally often, never one twice, and its own strength of either sign."""
    seen = {}

    def watch(chosen, strength, signed, reach, draws):
        seen.update(chosen=torch.stack(list(chosen.values()), 1), strength=strength, signed=signed)
        return operate(chosen, strength, signed, reach, draws)

    draws = Draws(14_000, 1, 4, 4, CPU, generator())
    for text, slots in (("randaugment(3, 5)", 3), ("trivial", 1)):
        part = augment_named(text).parts[0][1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ganglion.data.augment.policy.operate", watch)
            part.draw(draws)
        assert (seen["chosen"].sum(1) == slots).all()
        np.testing.assert_allclose(seen["chosen"].float().mean(0), slots / 14, atol=0.02)
        assert seen["signed"].sign().mean().abs() < 0.03
        assert torch.equal(seen["signed"].abs(), seen["strength"])
        if text == "trivial":
            assert kstest(seen["strength"].numpy(), "uniform").pvalue > 1e-3
        else:
            assert (seen["strength"] == 0.5).all()


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_not_chosen_does_nothing(name):
    """One picture has the operation, the other has none: only the first changes (identity changes neither)."""
    x = torch.rand(2, 3, 18, 18, generator=generator()) * 0.8 + 0.1
    draws = Draws(2, 3, 18, 18, CPU, generator())
    chosen = {one: torch.tensor([one == name, False]) for one in OPERATIONS}
    drawn = operate(chosen, torch.full((2,), 0.9), torch.full((2,), 0.9), STANDARD, draws)
    done = drawn.touch({"x": x})["x"]
    np.testing.assert_allclose(done[1], x[1], atol=1e-6)
    moves = not torch.allclose(drawn.matrix[0], drawn.matrix[1])
    assert moves or name == "identity" or not torch.allclose(done[0], x[0], atol=1e-3)
    assert moves == (name in ("rotate", "shear_x", "shear_y", "shift_x", "shift_y"))


def test_erasing():
    x = torch.full((4000, 1, 20, 30), 2.0)  # no noise is 2, so what is hidden shows
    part = augment_named("erase(0.3, low=0.1, high=0.2)").parts[0][1]
    batch = {"x": x, "masks": torch.zeros(4000, 20, 30).long()}
    done = part.draw(Draws(4000, 1, 20, 30, CPU, generator())).touch(batch)
    hidden = done["x"][:, 0] < 2
    share = hidden.float().mean((1, 2))
    assert (share > 0).float().mean() == pytest.approx(0.3, abs=0.03)
    assert share[share > 0].min() > 0.08
    assert share.max() < 0.22
    assert share[share > 0].mean() == pytest.approx(0.15, abs=0.006)
    assert torch.equal(done["masks"], torch.where(hidden, -1, 0))
    rows, columns = hidden.any(2).sum(1), hidden.any(1).sum(1)
    assert torch.equal(rows * columns, hidden.sum((1, 2)))  # a rectangle
    ratio = (rows / columns)[share > 0]
    assert 0.25 < ratio.min() < 0.4
    assert 2.5 < ratio.max() < 4
    assert kstest(done["x"][:, 0][hidden][:5000].numpy(), "uniform").pvalue > 1e-3
    assert (hidden.float().mean(0) > 0).all()  # corners too


def test_mixup_is_its_formula():
    rng = np.random.default_rng(0)
    x, y, weight = rng.random((5, 2, 3, 4)), np.eye(3)[rng.integers(0, 3, 5)], rng.random(5) * 2
    partner, share = rng.permutation(5), rng.random(5)
    batch = {"x": torch.tensor(x), "y": torch.tensor(y), "weight": torch.tensor(weight)}
    done = blend(batch, torch.tensor(partner), torch.tensor(share))
    part = share[:, None, None, None]
    np.testing.assert_allclose(done["x"], part * x + (1 - part) * x[partner], atol=1e-12)
    own, other = share * weight, (1 - share) * weight[partner]
    logs = np.log(rng.dirichlet(np.ones(3), 5))  # of any model
    both = own * -(y * logs).sum(1) + other * -(y[partner] * logs).sum(1)
    mixed = done["weight"].numpy() * -(done["y"].numpy() * logs).sum(1)
    np.testing.assert_allclose(mixed, both, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_beta(alpha):
    drawn = beta(Draws(20_000, 1, 1, 1, CPU, generator()), alpha).numpy()
    low = drawn[drawn < 0.5]  # near 1 single precision rounds to it
    assert len(low) / 20_000 == pytest.approx(0.5, abs=0.012)
    assert kstest(low, lambda s: 2 * beta_distribution(alpha, alpha).cdf(s)).pvalue > 1e-3
    assert 0 <= drawn.min() <= drawn.max() <= 1


def test_cutmix_counts_pixels():
    """Pictures of one level each: what was pasted shows, and the targets are its share of the pixels."""
    n = 400
    x = (torch.arange(n) / n).view(n, 1, 1, 1).expand(n, 1, 12, 17)
    batch = {"x": x, "y": torch.arange(n), "masks": torch.arange(n).view(n, 1, 1).expand(n, 12, 17)}
    done = augment_named("cutmix(1, p=0.75)", classes=n)(batch, generator())
    source = (done["x"][:, 0] * n).round().long()
    shares = torch.zeros(n, n).scatter_add_(1, source.flatten(1), torch.full((n, 12 * 17), 1 / (12 * 17)))
    np.testing.assert_allclose(done["y"], shares, atol=1e-5)
    assert torch.equal(done["masks"], source)
    assert (done["y"].amax(1) == 1).float().mean() == pytest.approx(0.25, abs=0.08)
    side = torch.tensor([[True, False], [False, False]])
    both = {"x": torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 2, 2), "y": torch.tensor([0.0, 4.0])}
    numbers_ = paste(both, torch.tensor([1, 0]), side.expand(2, 2, 2))["y"]
    assert numbers_.tolist() == [1.0, 3.0]  # numbers, not classes, are mixed as they are


def test_mixing_refuses_what_it_cannot_mix():
    batch = {"x": torch.rand(2, 1, 4, 4), "y": torch.tensor([0, 1])}
    with pytest.raises(DataError, match=r"set Augment\.classes"):
        augment_named("mixup")(batch, generator())
    boxes = {"boxes": torch.zeros(2, 1, 4), "labels": torch.zeros(2, 1).long()}
    for text, extra in (
        ("mixup", boxes),
        ("cutmix", boxes),
        ("mixup", {"masks": torch.zeros(2, 4, 4).long()}),
    ):
        with pytest.raises(DataError, match=f"'{text}' cannot carry"):
            augment_named(text, classes=2)(batch | extra, generator())
