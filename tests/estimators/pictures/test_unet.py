"""UNetSegmenter: masks of every kind, pictures of mixed sizes, answers that hold in tiles and after a break."""

import numpy as np
import pytest
import torch

from ganglion import UNetSegmenter, load
from ganglion.base.errors import DataError, ParameterError
from ganglion.estimators.pictures import unet
from ganglion.train import checkpoint

QUICK = {"widths": (4, 8), "max_epochs": 8, "augment": None, "lr": 1e-2}


def cells(n, height=32, width=32, seed=0):
    """Pictures (n, h, w) of bright discs under noise, and where they are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    masks = np.zeros((n, height, width), bool)
    for mask in masks:
        for a, b, r in rng.uniform((0, 0, 4), (height, width, 7), (3, 3)):
            mask |= (y - a) ** 2 + (x - b) ** 2 < r * r
    return np.clip(80 + 50 * masks + rng.normal(0, 40, masks.shape), 0, 255).astype(np.uint8), masks


@pytest.fixture(scope="module")
def problem():
    return cells(40)


@pytest.fixture(scope="module")
def model(problem):
    return UNetSegmenter(**QUICK | {"max_epochs": 16}).fit(*problem)


def test_it_finds_the_cells(model):
    X, masks = cells(20, seed=1)
    said = model.predict(X)
    dice = 2 * (said & masks).sum() / (said.sum() + masks.sum())
    assert dice > 0.9
    assert model.score(X, masks) == pytest.approx(dice)
    assert model.record_.scores["validation"]["score"] > 0.9
    assert model.record_.baselines["dummy"]["score"] == 0.0
    assert 0.3 < model.record_.baselines["linear"]["score"] < 1.0


def test_it_answers_in_the_pictures_own_sizes(model):
    pictures = [cells(1, h, w, seed=h)[0][0] for h, w in ((20, 33), (47, 31), (9, 8))]
    assert [mask.shape for mask in model.predict(pictures)] == [(20, 33), (47, 31), (9, 8)]
    shares = model.predict_proba(pictures)
    assert [share.shape for share in shares] == [(2, 20, 33), (2, 47, 31), (2, 9, 8)]
    assert all(np.allclose(share.sum(0), 1, atol=1e-5) for share in shares)
    assert all((share.argmax(0) == mask).all() for share, mask in zip(shares, model.predict(pictures)))


def test_mixed_sizes_are_learned_from_in_crops():
    parts = [cells(6, h, w, seed=h) for h, w in ((40, 30), (70, 52), (24, 80))]
    X, y = ([one for part in parts for one in part[i]] for i in (0, 1))
    model = UNetSegmenter(**QUICK, patch_size=24).fit(X, y)
    assert model.image_shape_ == (1, 24, 24)
    assert model.score(X, y) > 0.85


@pytest.mark.parametrize("labels", [[0, 1], [7, 3, 200], ["cell", "other"], [False, True], [-5, 9]])
def test_labels_of_every_kind_come_back(labels, problem, tmp_path):
    X, masks = problem
    names = np.array(labels)
    third = np.arange(32) >= 16  # the right half is another class
    y = names[np.where(masks, 1, 0 if len(labels) == 2 else 2 * third)]
    for given in (y, list(y), [mask.astype(object) for mask in y] if names.dtype.kind == "U" else y.tolist()):
        model = UNetSegmenter(**QUICK | {"max_epochs": 2}).fit(X, given)
        assert model.classes_.tolist() == sorted(labels)
    back = load(model.save(tmp_path / "m.ganglion"))
    assert back.predict(X).dtype.kind == names.dtype.kind
    assert (back.predict(X) == model.predict(X)).all()
    assert set(np.unique(back.predict(X)).tolist()) <= set(labels)


def test_what_is_not_judged_is_not_learned(problem):
    X, masks = problem
    y = masks.astype(int)
    y[:, :, 16:] = -1
    fitted = UNetSegmenter(**QUICK).fit(X, y)
    assert fitted.classes_.tolist() == [0, 1]
    wrong = np.where(y < 0, 255, y)
    again = UNetSegmenter(**QUICK, ignore=255).fit(X, wrong)
    assert (fitted.predict_proba(X) == again.predict_proba(X)).all()
    assert fitted.score(X, y) == again.score(X, wrong) > 0.7


def test_a_broken_run_resumed_gives_the_same_bits(problem, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 1e-9)  # after every step
    settings = QUICK | {"augment": "flip+turn+elastic", "patch_size": 24, "max_epochs": 3}
    whole = UNetSegmenter(**settings).fit(*problem)
    folder = tmp_path / "run"
    with pytest.warns(UserWarning, match="interrupted"):
        broken(UNetSegmenter(**settings, checkpoint=folder), problem)
    resumed = UNetSegmenter(**settings, checkpoint=folder, resume=True).fit(*problem)
    assert resumed.record_.plan["resumed"]
    assert all(
        torch.equal(a, b)
        for a, b in zip(whole.module_.state_dict().values(), resumed.module_.state_dict().values())
    )


def broken(model, problem):
    """Fit, interrupted in the third epoch."""
    counted = iter(range(100))

    def stop(*args):
        if next(counted) == 11:
            raise KeyboardInterrupt
        return forward(*args)

    forward = unet.Segmentation.forward
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unet.Segmentation, "forward", stop)
        model.fit(*problem)


def test_tiles_and_whole_pictures_agree(model, monkeypatch):
    X, _ = cells(1, 150, 90, seed=5)
    whole = model.predict_proba(X)
    monkeypatch.setattr(unet, "TILE", 32)
    assert np.abs(model.predict_proba(X) - whole).max() < 1e-5


def test_symmetries_answer_the_same_for_a_turned_picture(model):
    X, _ = cells(2, 32, 24, seed=6)
    one = UNetSegmenter(**QUICK, test_time="symmetries")
    vars(one).update({k: v for k, v in vars(model).items() if k.endswith("_")})
    shares = one.predict_proba(X)
    assert np.abs(one.predict_proba(np.rot90(X, axes=(1, 2))) - np.rot90(shares, axes=(2, 3))).max() < 1e-5
    assert (
        np.abs(
            model.predict_proba(np.rot90(X, axes=(1, 2))) - np.rot90(model.predict_proba(X), axes=(2, 3))
        ).max()
        > 1e-3
    )


def test_class_weights_move_the_border(problem):
    X, masks = problem
    found = {
        w: UNetSegmenter(**QUICK, class_weight=w).fit(X, masks).predict(X).mean() for w in (None, "balanced")
    }
    assert found["balanced"] > found[None]
    none = UNetSegmenter(**QUICK, class_weight={True: 0.0}).fit(X, masks)
    assert none.predict(X).mean() < 0.01


def test_pictures_are_scaled_where_asked(problem):
    X, masks = problem
    model = UNetSegmenter(**QUICK | {"max_epochs": 16}, image_size=24).fit(X, masks)
    assert model.image_shape_ == (1, 24, 24)
    assert model.predict(X).shape == masks.shape
    assert model.score(X, masks) > 0.85


def test_pictures_without_weight_teach_nothing(problem):
    X, masks = problem
    wrong = np.concatenate([masks, ~masks[:20]])
    weight = np.r_[np.ones(40), np.zeros(20)]
    fitted = UNetSegmenter(**QUICK).fit(np.concatenate([X, X[:20]]), wrong, sample_weight=weight)
    assert fitted.score(X, masks) > 0.8
    assert fitted.score(np.concatenate([X, X[:20]]), wrong, weight) == pytest.approx(fitted.score(X, masks))


def test_flips_and_turns_are_found_where_nothing_has_a_direction():
    X, masks = cells(6, 192, 192)
    settings = QUICK | {"max_epochs": 1, "augment": "auto", "patch_size": 32}
    assert UNetSegmenter(**settings).fit(X, masks).augment_.startswith("flip+turn")
    lit = np.clip(X * np.linspace(0.3, 1.3, 192)[:, None], 0, 255).astype(np.uint8)  # brighter below
    assert "flip_up_down" not in UNetSegmenter(**settings).fit(lit, masks).augment_


def test_one_picture_is_enough(problem):
    X, masks = problem
    model = UNetSegmenter(**QUICK | {"max_epochs": 100}).fit(X[:1], masks[:1])
    assert model.score(X[:1], masks[:1]) > 0.8
    assert "validation" not in model.record_.scores


def test_a_norm_over_the_whole_map_is_never_tiled(problem, monkeypatch):
    X, masks = problem
    model = UNetSegmenter(**QUICK | {"max_epochs": 2}, norm="layer").fit(X, masks)
    whole = model.predict_proba(X[:2])
    monkeypatch.setattr(unet, "TILE", 8)
    assert (model.predict_proba(X[:2]) == whole).all()


def test_colours_and_files(tmp_path):
    from PIL import Image

    X, masks = cells(10)
    colours = np.stack([X, 255 - X, np.full_like(X, 9)], -1)
    for i in range(10):
        Image.fromarray(colours[i]).save(tmp_path / f"{i}.png")
        Image.fromarray(masks[i].astype(np.uint8)).save(tmp_path / f"mask{i}.png")
    paths, named = ([str(tmp_path / f"{kind}{i}.png") for i in range(10)] for kind in ("", "mask"))
    by_file = UNetSegmenter(**QUICK | {"max_epochs": 2}).fit(paths, named)
    by_array = UNetSegmenter(**QUICK | {"max_epochs": 2}).fit(colours, masks.astype(np.uint8))
    assert (by_file.predict_proba(paths) == by_array.predict_proba(colours)).all()


def test_what_does_not_fit_is_said(model, problem):
    X, masks = problem
    for ask, words in (
        (lambda: UNetSegmenter(**QUICK).fit(X, masks[:5]), "40 and 5"),
        (lambda: UNetSegmenter(**QUICK).fit(X, masks[:, 1:]), "size of its picture"),
        (lambda: UNetSegmenter(**QUICK).fit(X, None), "y is None"),
        (lambda: UNetSegmenter(**QUICK).fit(X, np.zeros(X.shape, int)), "2 to 256 classes"),
        (lambda: UNetSegmenter(**QUICK, class_weight={"x": 1.0}).fit(X, masks), "'x'"),
        (lambda: model.score(X, masks + 1), "are expected"),
        (lambda: model.score(X, np.where(masks, "a", "b")), "got texts"),
        (lambda: model.predict(X / 255), "multiply them by 255"),
    ):
        with pytest.raises((DataError, ParameterError), match=words):
            ask()
