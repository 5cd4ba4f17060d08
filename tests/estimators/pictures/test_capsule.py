"""The capsule classifier: its answers, what it draws, what is refused, resuming, weights."""

from functools import partial

import numpy as np
import pytest
import torch

from ganglion import CapsuleClassifier, load
from ganglion.base.errors import DataError, ParameterError

SMALL = {"widths": (8,), "convolutions": 1, "types": 2, "primary_size": 4, "class_size": 6, "decoder": (24,),
         "augment": None, "watch": "off", "batch_size": 16}  # fmt: skip


def spots(n=160, seed=0):
    """Pictures of 8 x 8, dark or with a bright spot."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.integers(0, 60, (n, 8, 8), dtype=np.uint8)
    X[:, 2:6, 2:6] += (150 * y[:, None, None]).astype(np.uint8)
    return X, np.array(["dark", "spot"])[y]


@pytest.fixture(scope="module")
def fitted():
    X, y = spots()
    return CapsuleClassifier(**SMALL, max_epochs=12).fit(X, y)


def test_the_longest_capsule_answers(fitted):
    X, y = spots(seed=1)
    lengths = np.linalg.norm(fitted.capsules(X), axis=2)
    assert (lengths < 1).all()
    assert (fitted.predict(X) == fitted.classes_[lengths.argmax(1)]).all()
    assert np.allclose(fitted.predict_proba(X), lengths / lengths.sum(1, keepdims=True), atol=1e-6)
    assert fitted.score(X, y) > 0.95


def test_reconstructions_are_near_the_pictures(fitted):
    X, y = spots(seed=1)
    drawn = fitted.reconstruct(X)
    assert drawn.shape == (len(X), 8, 8, 1)
    grey = np.abs(X - X.mean(0)).mean()
    assert np.abs(drawn[..., 0] - X).mean() < 0.6 * grey
    other = np.where(y == "dark", "spot", "dark")
    of_others = fitted.reconstruct(X, other)[..., 0]  # as the other class would remember it
    assert np.abs(of_others - X).mean() > 1.5 * np.abs(drawn[..., 0] - X).mean()


def test_numbers_of_the_training_pictures_come_back():
    X, y = spots()
    model = CapsuleClassifier(**SMALL, max_epochs=1).fit(X / 100.0 - 1, y)
    drawn = model.reconstruct(X[:5] / 100.0 - 1)
    assert (model.pixel_range_[0] <= drawn).all()
    assert (drawn <= model.pixel_range_[1]).all()
    assert drawn.min() < 0  # a half of the range, at first


def test_perturbations_start_from_the_reconstruction(fitted):
    X, y = spots(20, seed=1)
    values = np.array([-0.25, 0.0, 0.25])
    drawn = np.stack([fitted.perturb(X, d, values) for d in range(6)])
    assert drawn.shape == (6, 20, 3, 8, 8, 1)
    assert np.allclose(drawn[:, :, 1], fitted.reconstruct(X), atol=1e-4)
    assert (np.abs(drawn[:, :, 0] - drawn[:, :, 2]).mean((1, 2, 3, 4)) > 0).all()
    named = fitted.perturb(X, 2, values, y=["spot"] * 20)
    assert np.allclose(named[:, 1], fitted.reconstruct(X, ["spot"] * 20), atol=1e-4)
    assert np.abs(named - drawn[2])[y == "dark"].mean() > 1


def test_it_keeps_what_it_draws_when_saved(fitted, tmp_path):
    X, _ = spots(9, seed=2)
    back = load(fitted.save(tmp_path / "m.ganglion"))
    assert (back.reconstruct(X) == fitted.reconstruct(X)).all()
    assert (back.perturb(X, 1, [0.1]) == fitted.perturb(X, 1, [0.1])).all()


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda m, X: m.perturb(X, 6, [0.1]), "whole number from 0 to 5, got 6"),
        (lambda m, X: m.perturb(X, True, [0.1]), "whole number from 0 to 5, got True"),
        (lambda m, X: m.perturb(X, 0, [[0.1]]), "a list of finite numbers"),
        (lambda m, X: m.perturb(X, 0, [np.nan]), "a list of finite numbers"),
        (lambda m, X: m.perturb(X, 0, "much"), "a list of finite numbers"),
        (lambda m, X: m.reconstruct(X, ["dark"]), "same number of rows, got 4 and 1"),
        (lambda m, X: m.reconstruct(X, ["moon"] * 4), "unknown label 'moon'"),
    ],
)
def test_what_is_refused(fitted, ask, sentence):
    with pytest.raises((ParameterError, DataError), match=sentence):
        ask(fitted, spots(4)[0])


def test_too_small_pictures_and_smoothing_are_refused():
    X, y = spots(20)
    with pytest.raises(ParameterError, match="pictures of 8 x 8 pixels are too small"):
        CapsuleClassifier(widths=(4, 4, 4), augment=None).fit(X, y)
    with pytest.raises(ParameterError, match="label_smoothing"):
        CapsuleClassifier(label_smoothing=0.1).fit(X, y)


def test_killed_and_resumed_it_ends_in_the_same_bits(after_a_kill):
    X, y = spots(80)
    settings = SMALL | {"augment": "crop(1)", "max_epochs": 3}
    whole = CapsuleClassifier(**settings).fit(X, y)
    back = after_a_kill(partial(CapsuleClassifier, **settings), X, y)
    assert all(map(torch.equal, whole.module_.state_dict().values(), back.module_.state_dict().values()))


def test_weights_of_rows_and_classes_count():
    X, y = spots()
    strange = np.where(
        np.arange(len(y)) % 2, y, np.where(y == "dark", "spot", "dark")
    )  # every second one is wrong
    model = CapsuleClassifier(**SMALL, max_epochs=12).fit(X, strange, sample_weight=np.arange(len(y)) % 2)
    assert model.score(X, y) > 0.95
    heavy = CapsuleClassifier(**SMALL, max_epochs=12, class_weight={"dark": 50.0}).fit(X, strange)
    assert (heavy.predict(X) == "dark").mean() > 0.8


def test_mixed_pictures_have_mixed_targets():
    X, y = spots()
    model = CapsuleClassifier(**SMALL | {"augment": "mixup"}, max_epochs=10).fit(X, y)
    assert model.score(X, y) > 0.9
