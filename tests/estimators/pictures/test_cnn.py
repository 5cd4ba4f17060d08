"""Convolutional classifiers: LeNet, pictures in every form, the same bits from memory, files and resumed runs."""

from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from ganglion.base.errors import DataError, ModelFileError, ParameterError
from ganglion.estimators.persist import load
from ganglion.estimators.pictures import classes
from ganglion.estimators.pictures.cnn import CNNClassifier

QUICK = {"widths": (8,), "max_epochs": 4, "augment": "crop(1)", "batch_size": 32}


def toy(n=240, shape=(8, 8), seed=0):
    """Pictures with a bright spot, or without."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.integers(0, 60, (n, *shape), dtype=np.uint8)
    X[:, 2:6, 2:6] += (90 * y.reshape(-1, *[1] * len(shape))).astype(np.uint8)
    return X, np.array(["dark", "spot"])[y]


def weights(model):
    return [t.clone() for t in model.module_.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_lenet_has_the_published_number_of_weights():
    """61,706: LeNet-5 as it is taught, with full connections in the second convolution."""
    X = np.random.default_rng(0).integers(0, 255, (40, 32, 32), dtype=np.uint8)
    lenet = CNNClassifier(
        widths=(6, 16), convolutions=1, kernel=5, padding="valid", activation="tanh", norm=None, pool="average",
        head="flatten", hidden=(120, 84), max_epochs=1, augment=None, validation_fraction=0.0,
    )  # fmt: skip
    assert lenet.fit(X, np.arange(40) % 10).record_size() == 61_706


def test_arrays_lists_and_files_are_the_same_pictures(tmp_path):
    X, y = toy()
    whole = CNNClassifier(**QUICK).fit(X, y)
    paths = []
    for i, picture in enumerate(X):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        paths.append(str(tmp_path / f"{i}.png"))
    for other in (X[..., None], list(X), paths, X.astype(int)):
        model = CNNClassifier(**QUICK).fit(other, y)
        assert same(model, whole)
        assert (model.predict_proba(other) == whole.predict_proba(X)).all()


def test_floats_of_any_range_are_the_same_pictures():
    X, y = toy()
    answers = []
    for low, high in ((0, 1), (-3.0, 5.0), (0, 1000)):
        scaled = low + (high - low) * (X.astype(float) / X.max())
        answers.append(CNNClassifier(**QUICK, precision="float32").fit(scaled, y).predict_proba(scaled))
    for other in answers[1:]:
        assert np.abs(other - answers[0]).max() < 0.01


def test_pictures_in_another_range_are_refused():
    X, y = toy()
    model = CNNClassifier(**QUICK).fit(X, y)
    with pytest.raises(DataError, match="multiply them by 255"):
        model.predict(X / 255)


def test_broken_files_are_skipped_with_their_labels(tmp_path):
    X, y = toy(60)
    paths = []
    for i, picture in enumerate(X):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(picture).save(paths[-1])
    paths[7].write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"7\.png"):
        CNNClassifier(**QUICK).fit(paths, y)
    left = CNNClassifier(**QUICK, corrupt="skip").fit(paths, y)
    assert left.record_.data["refused"] == 1
    assert same(left, CNNClassifier(**QUICK).fit(np.delete(X, 7, 0), np.delete(y, 7)))


@pytest.mark.parametrize("augment", [None, "flip+crop(1)+erase(0.5)"])
def test_a_run_cut_short_and_resumed_has_the_same_bits(augment, after_a_kill):
    X, y = toy(seed=3)
    settings = QUICK | {"augment": augment, "dropout": 0.3, "max_epochs": 6}
    whole = CNNClassifier(**settings).fit(X, y)

    back = after_a_kill(partial(CNNClassifier, **settings), X, y, saves=20)
    assert same(back, whole)


def test_pictures_decoded_ahead_train_as_those_in_memory(tmp_path, monkeypatch):
    X, y = toy(200)
    settings = QUICK | {"validation_fraction": 0.0, "augment": "flip+crop(1)"}
    whole = CNNClassifier(**settings).fit(X, y)
    monkeypatch.setattr(classes, "RESIDENT_BELOW", 199 * 64)
    monkeypatch.setattr(classes, "spaced", lambda rows, most: rows)  # the same statistics for both
    assert same(CNNClassifier(**settings).fit(X, y), whole)


def test_of_many_pictures_only_some_are_kept_for_validation(monkeypatch):
    monkeypatch.setattr(classes, "RESIDENT_BELOW", 160 * 64)
    X, y = toy(400)
    model = CNNClassifier(**QUICK).fit(X, y)
    assert model.record_.data["n_validation"] <= 40
    assert model.record_.data["n_train"] + model.record_.data["n_validation"] == 400
    assert model.score(X, y) > 0.95


def test_mirrors_are_asked_where_training_mirrored():
    X, y = toy()
    plain = CNNClassifier(**QUICK | {"augment": "flip"}, test_time="off").fit(X, y)
    both = CNNClassifier(**QUICK | {"augment": "flip"}).fit(X, y)
    assert np.allclose(both.decision_function(X), both.decision_function(X[:, :, ::-1]), atol=1e-5)
    assert not np.allclose(plain.decision_function(X), plain.decision_function(X[:, :, ::-1]), atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"widths": (8, 8, 8, 8)}, "does not fit|smaller kernel"),
        ({"norm": "spectral"}, "norm"),
        ({"pool": "global_max"}, "pool"),
        ({"augment": "cutmix(1)", "loss": "focal"}, "mixes classes"),
        ({"image_size": (0, 3)}, "image_size"),
        ({"batch_size": 1}, "batch_size"),
    ],
)
def test_what_does_not_go_together_is_said_in_a_sentence(settings, words):
    X, y = toy(40)
    with pytest.raises(ParameterError, match=words) as error:
        CNNClassifier(**QUICK | settings).fit(X, y)
    assert "\n" not in str(error.value)


def test_weights_and_warm_starts():
    X, y = toy()
    wrong = y.copy()
    wrong[::2] = np.where(y[::2] == "spot", "dark", "spot")
    weight = np.where(np.arange(len(y)) % 2, 1.0, 0.0)
    model = CNNClassifier(**QUICK | {"max_epochs": 8}, warm_start=True).fit(X, wrong, sample_weight=weight)
    assert model.score(X, y) > 0.95
    before = model.record_.history[-1]["loss"]
    assert model.fit(X, y).record_.history[0]["loss"] < before + 0.5
    assert CNNClassifier(**QUICK | {"max_epochs": 8}, class_weight="balanced").fit(X, y).score(X, y) > 0.95


def test_a_file_that_promises_another_network_is_refused_before_memory_is_taken(tmp_path):
    X, y = toy(60)
    model = CNNClassifier(**QUICK | {"max_epochs": 1}).fit(X, y)
    model.widths = (10**7,)  # the weights of such a network would take 3.6 terabytes
    with pytest.raises(ModelFileError, match="another network"):
        load(model.save(tmp_path / "m.ganglion"))


def test_wrong_labels_of_pictures_are_seen_by_the_network_itself():
    X, y = toy(1500)
    sound = CNNClassifier(**QUICK).fit(X, y)
    assert sound.diagnosis_[0].name == "healthy"
    rng = np.random.default_rng(0)
    noisy = np.where(rng.random(len(y)) < 0.25, np.where(y == "spot", "dark", "spot"), y)
    found = CNNClassifier(**QUICK).fit(X, noisy).diagnosis_
    assert "label_noise" in [f.name for f in found]
    assert "the network is surest" in next(f for f in found if f.name == "label_noise").meaning


def test_validation_rows_that_do_not_fit_never_train_where_groups_keep_them_apart(monkeypatch):
    monkeypatch.setattr(classes, "RESIDENT_BELOW", 160 * 64)
    X, y = toy(400)
    model = CNNClassifier(**QUICK)
    assert model.fit(X, y, validation=np.arange(400) >= 300).record_.data["n_train"] == 300
    assert model.record_.data["n_validation"] <= 40
