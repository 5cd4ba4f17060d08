"""ObjectDetector on small worlds: what it learns, in whose pixels it answers, what it refuses."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.boxes import read_voc
from ganglion.data.objects import read_objects
from ganglion.data.split import plain_split
from ganglion.estimators.persist import load
from ganglion.estimators.pictures.detector import ObjectDetector
from ganglion.metrics.detection import box_iou
from ganglion.train.checkpoint import Checkpoint

DATA = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[3] / "shared" / "data"))
SMALL = {"widths": (8, 16), "stride": 4, "lr": 0.01, "max_epochs": 8, "batch_size": 8, "augment": "flip"}


def bright_squares(n, size=(24, 32), seed=0):
    """Pictures with a bright square each, and its box."""
    rng = np.random.default_rng(seed)
    X, objects = rng.integers(0, 60, (n, *size), dtype=np.uint8), []
    for picture in X:
        side = int(rng.integers(9, 13))
        x, y = (int(rng.integers(0, extent - side + 1)) for extent in size[::-1])
        picture[y : y + side, x : x + side] += 150
        objects.append(([[x, y, x + side, y + side]], ["square"]))
    return X, objects


@pytest.fixture(scope="module")
def trained():
    return ObjectDetector(**SMALL, score_threshold=0.1).fit(*bright_squares(80))


def overlaps(found, truth):
    """IoU of each picture's best find and its one true box."""
    return np.array([box_iou(one.boxes[:1], boxes)[0, 0] for one, (boxes, _) in zip(found, truth)])


def test_it_finds_what_is_there(trained):
    X, objects = bright_squares(40, seed=1)
    found = trained.predict(X)
    assert all(len(one.boxes) == len(one.labels) == len(one.scores) for one in found)
    assert {label for one in found for label in one.labels} == {"square"}
    assert all((np.diff(one.scores) <= 0).all() and (one.scores >= 0.1).all() for one in found)
    assert overlaps(found, objects).mean() > 0.7
    assert trained.score(X, objects) > 0.9
    assert trained.record_.task == "detection"
    assert trained.record_.data["objects"] == {"square": 80}
    assert trained.record_.scores["train"]["map50"] > 0.9


def test_pictures_of_other_sizes_are_answered_in_their_own_pixels(trained):
    X, objects = bright_squares(20, seed=2)
    large = [
        np.kron(picture, np.ones((2, 3), np.uint8)) for picture in X
    ]  # twice as high, three times as wide
    for one, other in zip(trained.predict(X), trained.predict(large)):
        np.testing.assert_allclose(other.boxes[0], one.boxes[0] * [3, 2, 3, 2], atol=3)
    scaled = [(np.array(boxes) * [3, 2, 3, 2], labels) for boxes, labels in objects]
    assert trained.score([X[0], *large[1:]], [objects[0], *scaled[1:]]) > 0.8


def test_training_on_mixed_sizes_moves_the_boxes_along():
    X, objects = bright_squares(80)
    mixed = [np.kron(x, np.ones((1 + i % 2, 1 + i % 2), np.uint8)) for i, x in enumerate(X)]
    scaled = [(np.array(boxes) * (1 + i % 2), labels) for i, (boxes, labels) in enumerate(objects)]
    model = ObjectDetector(**SMALL, image_size=(24, 32)).fit(mixed, scaled)
    assert overlaps(model.predict(mixed), scaled).mean() > 0.7


def test_large_pictures_are_made_smaller_as_far_as_their_boxes_allow():
    X = np.zeros((4, 200, 300), np.uint8)
    objects = [([[10, 10, 90, 60], [100, 100, 180, 160]], [0, 0])] * 4  # the shorter sides are 50 and 60
    model = ObjectDetector(**SMALL | {"max_epochs": 1}).fit(X, objects)
    high = 200 * 20 / np.quantile([50, 60] * 4, 0.05)
    assert model.image_shape_ == (1, round(high), round(high * 1.5))
    small = ObjectDetector(**SMALL | {"max_epochs": 1}).fit(X[:, :40, :60], [([[1, 1, 9, 9]], [0])] * 4)
    assert small.image_shape_ == (1, 40, 60)


def test_pictures_without_objects_are_fine():
    X, objects = bright_squares(60)
    X[::3] = X[::3] % 60
    objects = [([], []) if i % 3 == 0 else one for i, one in enumerate(objects)]
    model = ObjectDetector(**SMALL).fit(X, objects)
    assert model.score(X, objects) > 0.9
    assert np.mean([len(one.labels) for one in model.predict(X[::3])]) < 0.5


def test_a_resumed_run_has_the_same_bits(tmp_path, monkeypatch):
    X, objects = bright_squares(48)
    settings = SMALL | {"max_epochs": 4, "augment": "flip+affine(scale=0.2)", "validation_fraction": 0.25}
    whole = ObjectDetector(**settings).fit(X, objects)
    validation, seen = ObjectDetector._validation, []

    def interrupted(self, *parts):
        seen.append(len(seen))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return validation(self, *parts)

    monkeypatch.setattr(Checkpoint, "due", lambda self: True)
    monkeypatch.setattr(ObjectDetector, "_validation", interrupted)
    with pytest.warns(UserWarning, match="interrupted"):
        ObjectDetector(**settings, checkpoint=tmp_path).fit(X, objects)
    resumed = ObjectDetector(**settings, checkpoint=tmp_path, resume=True).fit(X, objects)
    assert resumed.record_.plan["resumed"] == "on the same plan"
    assert seen == [0, 1, 2, 3, 4]  # the third was in vain
    for a, b in zip(whole.predict(X), resumed.predict(X)):
        assert all((p == q).all() for p, q in zip(a, b))


def test_weights_of_pictures_count():
    X, objects = bright_squares(60)
    lies = [([[0, 0, 31, 5]], ["line"]) if i % 2 else one for i, one in enumerate(objects)]
    weight = np.where(np.arange(60) % 2, 0.0, 1.0)
    model = ObjectDetector(**SMALL, validation_fraction=0).fit(X, lies, sample_weight=weight)
    assert {label for one in model.predict(X) for label in one.labels} == {"square"}


def test_hard_objects_are_neither_right_nor_wrong():
    X, objects = bright_squares(40)
    hard = [(boxes, labels, [i % 2 == 0]) for i, (boxes, labels) in enumerate(objects)]
    model = ObjectDetector(**SMALL, validation_fraction=0).fit(X, hard)
    assert model.record_.data["objects"] == {"square": 20}
    found = [one.scores.max() if len(one.scores) else 0 for one in model.predict(X)]
    assert np.mean(found[::2]) > 0.4  # not taught to be ground
    with pytest.raises(DataError, match="at least one object"):
        ObjectDetector(**SMALL).fit(X, [(b, n, [True]) for b, n, _ in hard])


def test_it_goes_on_from_where_it_was():
    X, objects = bright_squares(40)
    model = ObjectDetector(**SMALL | {"max_epochs": 3}, warm_start=True).fit(X, objects)
    before = model.history_[-1]["loss"]
    assert model.fit(X, objects).history_[0]["loss"] < before * 1.5
    with pytest.raises(DataError, match="classes of the first"):
        model.fit(X, [(boxes, ["round"]) for boxes, _ in objects])


@pytest.mark.parametrize("labels", [[3, 7], ["b", "a"], [True, False]])
def test_labels_of_every_kind_come_back(labels, tmp_path):
    X, objects = bright_squares(30)
    named = [(boxes, [labels[i % 2]]) for i, (boxes, _) in enumerate(objects)]
    model = ObjectDetector(**SMALL | {"max_epochs": 1}, score_threshold=0).fit(X, named)
    back = load(model.save(tmp_path / "m.ganglion"))
    assert back.object_classes_.tolist() == sorted(labels)
    for a, b in zip(model.predict(X[:5]), back.predict(X[:5])):
        assert all((p == q).all() for p, q in zip(a, b))
        assert type(b.labels.tolist()[0]) is type(labels[0])


def test_from_files(tmp_path):
    X, objects = bright_squares(12)
    for i, (picture, (boxes, labels)) in enumerate(zip(X, objects)):
        Image.fromarray(picture).save(tmp_path / f"{i:02}.png")
        x0, y0, x1, y1 = boxes[0]
        (tmp_path / f"{i:02}.xml").write_text(
            f"<annotation><filename>{i:02}.png</filename><object><name>{labels[0]}</name><bndbox><xmin>{x0 + 1}</xmin>"
            f"<ymin>{y0 + 1}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object></annotation>"
        )
    found = read_voc(tmp_path)
    settings = SMALL | {"max_epochs": 2, "image_channels": 1}
    of_files = ObjectDetector(**settings).fit(found.paths, found)
    of_arrays = ObjectDetector(**settings).fit(X, objects)
    for a, b in zip(of_files.predict(found.paths), of_arrays.predict(X)):
        assert all((p == q).all() for p, q in zip(a, b))


def test_what_it_refuses():
    X, objects = bright_squares(10)
    for settings, error, sentence in [
        ({"stride": 16}, ParameterError, r"stride must be one of \[2, 4\] with 2 widths, got 16"),
        ({"l1": 0.1}, ParameterError, "has no l1"),
        ({"augment": "elastic"}, DataError, "boxes"),
    ]:
        with pytest.raises(error, match=sentence):
            ObjectDetector(**SMALL | settings).fit(X, objects)
    with pytest.raises(DataError, match="got 10 and 9"):
        ObjectDetector(**SMALL).fit(X, objects[:9])
    with pytest.raises(DataError, match="one kind"):
        ObjectDetector(**SMALL).fit(X, [*objects[:9], (objects[9][0], [1])])
    with pytest.raises(DataError, match="the target y is None"):
        ObjectDetector(**SMALL).fit(X, None)


@pytest.mark.slow  # a minute
def test_blood_cells(tmp_path):
    """At least 0.75 mAP@0.5 on BCCD's held-out fifth; six epochs on a sixth of the pixels are enough."""
    packed = DATA / "bccd" / "bccd.tar.gz"
    if not packed.exists():
        pytest.skip("bccd is not here: set GANGLION_DATA to the folder of the measuring data")
    with tarfile.open(packed) as file:
        file.extractall(tmp_path, filter="data")
    cells = read_voc(tmp_path / "BCCD")
    objects = read_objects(cells)
    train, test = plain_split(len(cells), 0.2, seed=0)
    model = ObjectDetector(max_epochs=6, image_size=(192, 256))
    model.fit([cells.paths[i] for i in train], [objects[i] for i in train])
    assert model.score([cells.paths[i] for i in test], [objects[i] for i in test]) >= 0.75
