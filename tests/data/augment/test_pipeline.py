"""Every augmentation by name: shapes, types, memory, one picture at a time, nothing but the generator."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.augment import AUGMENTS, Augment, augment_named, parts
from ganglion.data.augment.parts import Drawn, Draws

TEXTS = {name: name for name in AUGMENTS} | {
    "affine": "affine(rotate=20, scale=0.2, shear=10, shift=0.1)",
    "erase": "erase(0.9)",
    "all": "flip+crop(2)+turn+affine(rotate=10)+elastic(8, 2)+colour(0.2)+randaugment(2, 9)+erase(0.25)+cutmix(1)",
}
SHAPES = [(1, 1, 9, 13), (5, 3, 12, 8), (4, 3, 10, 10), (3, 4, 7, 7)]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch_of(shape, dtype=torch.float32) -> dict[str, torch.Tensor]:
    rng = generator(1)
    return {"x": torch.rand(shape, generator=rng).to(dtype), "y": torch.arange(shape[0]) % 3}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_shapes_types_and_values_stay(text, shape, dtype):
    batch = batch_of(shape, dtype)
    batch["x"] = batch["x"].to(memory_format=torch.channels_last)
    before = batch["x"].clone()
    done = augment_named(text, classes=3)(batch, generator())
    x = done["x"]
    assert x.shape == shape
    assert x.dtype == dtype
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert x.isfinite().all()
    assert x.min() >= 0
    assert x.max() <= 1
    assert torch.equal(batch["x"], before)  # the stored pictures are never changed
    assert batch["y"].shape == (shape[0],)
    plain = augment_named(text, classes=3)(batch | {"x": batch["x"].contiguous()}, generator())["x"]
    assert plain.is_contiguous()
    torch.testing.assert_close(plain, x, atol=1e-5 if dtype == torch.float32 else 1e-2, rtol=0)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_same_generator_gives_the_same_bits(text):
    augment, batch = augment_named(text, classes=3), batch_of((6, 3, 12, 12))
    first, again, other = (augment(batch, generator(seed)) for seed in (0, 0, 1))
    torch.manual_seed(5)  # the global source is neither read nor moved on
    state = torch.get_rng_state()
    augment(batch, generator())
    assert torch.equal(torch.get_rng_state(), state)
    for name in first:
        assert torch.equal(first[name], again[name])
    assert not torch.equal(first["x"], other["x"])


@pytest.mark.parametrize("text", [t for n, t in TEXTS.items() if n not in ("mixup", "cutmix", "all")])
def test_a_batch_is_its_pictures_one_by_one(text, monkeypatch):
    """The numbers drawn for a batch, handed out picture by picture, give the same pictures."""
    batch, tape, turn = batch_of((5, 3, 12, 12)), [], [None]
    rand, randint = torch.rand, torch.randint

    def recorded(draw):
        def drawn(*args, **options):
            if turn[0] is None:
                tape.append(draw(*args, **options))
                return tape[-1].clone()
            return next(turn[0]).clone()

        return drawn

    monkeypatch.setattr(parts.torch, "rand", recorded(rand))
    monkeypatch.setattr(parts.torch, "randint", recorded(randint))
    augment = augment_named(text)
    whole = augment(batch, generator())["x"]
    for i in range(5):
        turn[0] = iter([numbers[i : i + 1] for numbers in tape])
        alone = augment({"x": batch["x"][i : i + 1]}, generator())["x"]
        torch.testing.assert_close(alone[0], whole[i], atol=1e-6, rtol=0)


def test_all_moves_are_one_interpolation(monkeypatch):
    calls = []
    for name in ("interpolate", "copy_pixels"):
        inner = getattr(__import__("ganglion.data.augment.pipeline", fromlist=[name]), name)
        monkeypatch.setattr(
            f"ganglion.data.augment.pipeline.{name}",
            lambda *a, _inner=inner, _name=name, **k: (calls.append(_name), _inner(*a, **k))[1],
        )
    batch = batch_of((4, 3, 12, 12))
    augment_named("flip+crop(2)+affine(rotate=10)+elastic+trivial")(batch, generator())
    assert calls == ["interpolate"]
    augment_named("flip+crop(2)+colour+turn")(batch, generator())
    assert calls[1:] == ["copy_pixels"]
    augment_named("colour+erase")(batch, generator())
    assert len(calls) == 2


def test_the_quick_path_is_the_long_one():
    """Whole pixels copied, and the same maps read by interpolation."""
    batch = batch_of((20, 3, 11, 11))
    quick = augment_named("flip+turn+crop(3)")
    slow = Augment(tuple((name, part._replace(interpolates=True, turns=True)) for name, part in quick.parts))
    for extra in ({}, {"boxes": torch.zeros(20, 1, 4), "labels": torch.zeros(20, 1).long()}):
        one, other = (augment(batch | extra, generator())["x"] for augment in (quick, slow))
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
        assert not torch.equal(one, batch["x"])


def test_soft_targets_and_numbers_pass_through():
    augment, batch = augment_named("mixup(1)", classes=3), batch_of((6, 1, 4, 4))
    from_codes = augment(batch, generator())["y"]
    one_hot = torch.eye(3)[batch["y"]]
    assert torch.equal(from_codes, augment(batch | {"y": one_hot}, generator())["y"])
    np.testing.assert_allclose(from_codes.sum(1), 1, atol=1e-6)
    assert augment.mixes
    assert not augment_named("flip+erase").mixes
    done = augment_named("flip")(batch | {"names": torch.arange(6)}, generator())
    assert done["y"] is batch["y"]
    assert done["names"].tolist() == list(range(6))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("flop", "'flip'"),
        ("flip+", "augment '' is not known"),
        ("crop(1.5)", "crop's pixels must be a whole number"),
        ("crop(-1)", "at least 0"),
        ("flip(2)", "flip's p must be"),
        ("affine", "at least one of rotate"),
        ("affine(rotate=1e3)", "affine's rotate"),
        ("erase(0.5, low=0.5, high=0.1)", "swap them"),
        ("mixup(0)", "mixup's alpha"),
        ("randaugment(20)", "randaugment's n"),
        ("colour(0.2", "not known"),
        ("flip(" + "1" * 500 + ")", "at most 400 characters"),
    ],
)
def test_wrong_words_get_a_sentence(text, sentence):
    with pytest.raises(ParameterError, match=sentence):
        augment_named(text)


def test_plus_signs_inside_brackets_are_numbers():
    assert [name for name, _ in augment_named("affine(rotate=+1.5e+1) + flip").parts] == ["affine", "flip"]


def test_pictures_of_another_kind_are_refused():
    for x in (torch.rand(3, 4, 4), torch.zeros(1, 1, 4, 4, dtype=torch.uint8)):
        with pytest.raises(DataError, match=r"divide whole numbers by 255"):
            augment_named("flip")({"x": x}, generator())


def test_draws():
    draws = Draws(30_000, 1, 1, 1, torch.device("cpu"), generator())
    assert draws.uniform(2, 4).mean().item() == pytest.approx(3, abs=0.02)
    assert draws.whole(-1, 1).unique().tolist() == [-1, 0, 1]
    assert draws.chance(0.2).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert sorted(draws.sign().unique().tolist()) == [-1, 1]
    assert Drawn() == (None, None, None)
