"""The main job on pictures from Python: frames of paths, splits that come with the data, baselines, reading once."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import ganglion
from ganglion.base.errors import DataError
from ganglion.jobs.page_pictures import page_parts
from ganglion.jobs.pictures import open_folder
from ganglion.jobs.source import open_source
from ganglion.jobs.splits import split_job

QUICK = {"widths": (4,), "convolutions": 1, "max_epochs": 4, "augment": None, "compare": False}


def make(top, labels=("a", "b"), each=20, size=(8, 8), apart=120):
    rng = np.random.default_rng(0)
    for code, label in enumerate(labels):
        (top / label).mkdir(parents=True)
        for i in range(each):
            pixels = rng.integers(0, 100, (*size, 3), dtype=np.uint8) + np.uint8(apart * code)
            Image.fromarray(pixels).save(top / label / f"{i}.png")
    return top


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make(tmp_path_factory.mktemp("pictures") / "set")


@pytest.fixture(scope="module")
def frame(folder):
    rows = [
        (str(folder / label / f"{i}.png"), label, i % 4)
        for label in "ab"
        for i in sorted(range(20), key=lambda i: f"{i}.png")
    ]
    return pd.DataFrame(rows, columns=["path", "label", "day"])


def test_a_frame_of_paths_and_a_folder_give_the_same_network(folder, frame):
    of_folder = ganglion.fit(folder, **QUICK)
    of_frame = ganglion.fit(frame, target="label", image="path", **QUICK)
    assert of_folder.scores == of_frame.scores
    assert of_folder.estimator.classes_.tolist() == ["a", "b"]
    path = str(folder / "b" / "3.png")
    assert of_folder.predict(path).tolist() == of_frame.predict([path]).tolist() == ["b"]
    assert of_folder.predict(folder / "a").tolist() == ["a"] * 20
    assert of_frame.settings["image"] == "path"


def test_folders_named_by_numbers_keep_their_names(tmp_path):
    result = ganglion.fit(make(tmp_path / "set", ("01", "02")), **QUICK)
    assert result.estimator.classes_.tolist() == ["01", "02"]


def test_the_last_days_are_the_test(frame):
    job = open_source(frame, "label", image="path")
    train, test, rule = split_job(job, 0.25, 0, time="day")
    assert set(frame["day"][test]) == {3}
    assert set(frame["day"][train]) == {0, 1, 2}
    inner, held = rule(train, 0.3, 0)
    assert set(frame["day"][train[held]]) == {2}
    assert sorted([*inner, *held]) == list(range(len(train)))


def test_validation_pictures_are_those_of_the_rule(frame):
    result = ganglion.fit(frame, "label", image="path", group="day", validation_fraction=0.4, **QUICK)
    test = set(frame["day"][result.test])
    assert len(test) == 1
    data = result.estimator.record_.data
    assert data["n_train"] in (10, 20)  # whole days of ten pictures
    assert data["n_train"] + 10 * len(test) < 40
    assert not {"validation", "parts"} & set(vars(result.estimator))


def test_parts_are_split_as_they_come(tmp_path):
    for part, each in (("train", 12), ("val", 6), ("test", 5)):
        make(tmp_path / part, each=each)
    job = open_folder(tmp_path)
    train, test, rule = split_job(job, 0.2, 0)
    parts = np.array([name.split("/")[0] for name in job.names])
    assert set(parts[test]) == {"test"}
    assert set(parts[train]) == {"train", "val"}
    inner, held = rule(train, 0.1, 0)
    assert set(parts[train[held]]) == {"val"}
    assert set(parts[train[inner]]) == {"train"}


def test_baselines_see_means_of_areas(tmp_path):
    result = ganglion.fit(make(tmp_path / "set", size=(40, 40)), **QUICK)
    inputs = result.job.baseline_inputs(result.estimator, result.train[:3], result.test)
    pixels = np.asarray(Image.open(result.job.paths[result.train[1]])) / 255
    side = int((256 / 3) ** 0.5)
    assert inputs.train.shape == (3, 3 * side**2)
    edges = [(i * 40 // side, -(-(i + 1) * 40 // side)) for i in range(side)]
    means = [[pixels[a:b, c:d].mean((0, 1)) for c, d in edges] for a, b in edges]
    assert np.allclose(inputs.train[1], np.array(means).transpose(2, 0, 1).ravel(), atol=1e-6)


def test_the_page_shows_what_is_true_and_what_was_said(tmp_path):
    folder = make(tmp_path / "set", apart=0)  # noise: about half of the answers are wrong
    result = ganglion.fit(folder, **QUICK)
    shown = page_parts(result)["pictures"]
    assert shown.mistakes
    for one in (*shown.mistakes, *shown.examples, shown.maps_of):
        path = folder / one.name
        assert np.array_equal(one.pixels, np.asarray(Image.open(path)))
        assert one.true == path.parent.name
        assert one.predicted == result.predict(path)[0]
    assert all(one.true != one.predicted for one in shown.mistakes)
    assert shown.maps_of.true == shown.maps_of.predicted
    assert len(shown.filters) == 4
    assert [len(maps) for _, maps in shown.maps] == [4, 4]


def test_the_page_tells_how_steady_answers_are(tmp_path):
    """One pixel at a time by hand: edges repeat, and an answer counts as kept if it is the one without the shift."""
    result = ganglion.fit(make(tmp_path / "set", apart=10), **QUICK)
    share, n = page_parts(result)["pictures"].steady
    assert n == len(result.test) == 8
    X = np.stack([np.asarray(Image.open(result.job.paths[row])) for row in sorted(result.test)])
    padded = np.pad(X, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    moved = [padded[:, i : i + 8, j : j + 8] for i, j in ((0, 1), (2, 1), (1, 0), (1, 2))]
    kept = [result.estimator.predict(pictures) == result.estimator.predict(X) for pictures in moved]
    assert share == np.mean(kept)
    assert (
        f"keep their answer in {100 * share:.1f}% of 32 trials"
        in result.report(tmp_path / "r.html").read_text()
    )


def test_a_broken_file_leaves_every_label_with_its_picture(tmp_path):
    top = make(tmp_path / "set")
    whole = ganglion.fit(top, **QUICK)
    (top / "a" / "0a.png").write_bytes(b"")  # sorts between others
    result = ganglion.fit(top, **QUICK)
    assert result.job.refused[0][0] == "a/0a.png"
    assert result.job.task.counts == [20, 20]
    assert result.job.y.tolist() == [name.split("/")[0] for name in result.job.names]
    assert result.scores == whole.scores


def test_one_class_of_sound_pictures_is_not_enough(tmp_path):
    top = make(tmp_path / "set", each=12)
    for path in (top / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="at least 2 classes"):
        ganglion.fit(top, **QUICK)


def test_the_hash_is_of_names_labels_and_bytes(tmp_path):
    first, second = make(tmp_path / "one"), make(tmp_path / "two")
    assert open_folder(first).data_hash == open_folder(second).data_hash
    (second / "a" / "0.png").write_bytes((second / "a" / "1.png").read_bytes())
    changed = open_folder(second)
    assert changed.data_hash != open_folder(first).data_hash
    assert changed.duplicates == [[0, 1]]


def test_healing_trains_again_on_the_same_pictures(folder):
    result = ganglion.fit(folder, **QUICK | {"lr": 1e-7}, heal_first=True)
    assert result.healed is not None
    assert result.healed.after >= result.healed.before or not result.healed.kept
