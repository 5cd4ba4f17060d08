"""The command on pictures: folders, tables of paths, broken files, and what it refuses."""

import csv
import io
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganglion.cli.main import main

CLASSES = ("bright", "=dark")  # a name that a spreadsheet would run
QUICK = ["--widths", "4", "--convolutions", "1", "--max-epochs", "6", "--augment", "none"]


def picture(label: str, rng: np.random.Generator) -> np.ndarray:
    """(12, 12, 3): bright or dark with noise."""
    return rng.integers(0, 120, (12, 12, 3), dtype=np.uint8) + np.uint8(110 * (label == "bright"))


def make_photos(top: Path, each: int = 30, seed: int = 0) -> Path:
    """``top/bright/00.png`` ... and ``top/=dark/00.png`` ..."""
    rng = np.random.default_rng(seed)
    for label in CLASSES:
        (top / label).mkdir(parents=True)
        for i in range(each):
            Image.fromarray(picture(label, rng)).save(top / label / f"{i:02d}.png")
    return top


def spoil(top: Path) -> list[str]:
    """Three files that are no sound pictures; returns their names."""
    (top / "bright" / "00-empty.png").write_bytes(b"")
    (top / "bright" / "words.png").write_text("no picture")
    whole = (top / "=dark" / "00.png").read_bytes()
    (top / "=dark" / "00-half.png").write_bytes(whole[: len(whole) // 2])
    return ["bright/00-empty.png", "bright/words.png", "=dark/00-half.png"]


BARE = [*QUICK, "--no-baselines", "--no-report"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return make_photos(tmp_path_factory.mktemp("pictures") / "photos")


@pytest.fixture(scope="module")
def model(photos):
    path = photos.parent / "kept.ganglion"
    assert main(["fit", str(photos), "-o", str(path), "-q", *BARE]) == 0
    return path


@pytest.fixture(scope="module")
def table(photos):
    """A table beside the folder: paths from there on, labels as numbers, a group, one gap."""
    path = photos.parent / "list.csv"
    rows = ["path,label,camera"]
    for code, label in enumerate(("bright", "=dark")):
        rows += [f"photos/{label}/{i:02d}.png,{code},c{i % 5}" for i in range(30)]
    rows += [",1,c0", "photos/nowhere.png,0,c1"]
    path.write_text("\n".join(rows) + "\n")
    return path


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_folder_is_learned_with_its_broken_files_named(run, photos, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    broken = spoil(folder)
    said = run("fit", folder, *QUICK)
    assert said.code == 0, said.err
    plan = " ".join(said.out.split("\n\n")[0].split())
    assert re.match(r"60 pictures of 12 × 12, colour, 3 left out -> binary classification, classes 1:1 -> CNN, "
                    r"about \d+ s", plan)  # fmt: skip
    for name in ("network", "dummy", "linear", "trees"):
        assert re.search(rf"^  {name} +\d\.\d{{4}}  \(\d\.\d+ to \d\.\d+\)$", said.out, re.M)
    assert "on 12 test pictures" in said.out
    told = " ".join(said.err.split())
    assert all(f"{folder}/{name}" in told for name in broken)
    assert said.out.endswith(f"wrote {folder}.ganglion\nwrote {folder}.html\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "photos.ganglion", "photos.html"]
    page = (tmp_path / "photos.html").read_text()
    assert "3 files left out" in page
    assert all(name in page for name in broken)


def test_broken_files_are_refused_if_asked(run, photos, tmp_path):
    folder = tmp_path / "photos"
    shutil.copytree(photos, folder)
    spoil(folder)
    said = run("fit", folder, *BARE, "--corrupt", "refuse")
    assert said.code == 2
    assert "(3 of 63 pictures cannot be used; --corrupt skip leaves them out)" in said.err
    assert said.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_parts_of_a_folder_are_its_split(run, tmp_path):
    for part, each in (("train", 20), ("val", 12), ("test", 7)):
        make_photos(tmp_path / "set" / part, each, seed=each)
    said = run("fit", tmp_path / "set", *BARE, "--json")
    answer = json.loads(said.out)
    assert answer["rows"] == {"train": 64, "test": 14}
    said = run("evaluate", tmp_path / "set.ganglion", tmp_path / "set")
    assert said.out.startswith("14 pictures of set, target class")


def test_a_table_of_paths_is_read_from_its_own_folder(run, table, tmp_path):
    out = tmp_path / "m.ganglion"
    said = run(
        "fit", table, "--image", "path", "-t", "label", "-o", out, *BARE, "--group", "camera", "--json"
    )
    answer = json.loads(said.out)
    assert answer["target"] == ["label"]
    assert answer["rows"] == {"train": 48, "test": 12}
    said = run("predict", out, table, "--proba")  # the card knows the column
    rows = rows_of(said.out)
    assert list(rows[0]) == ["file", "predicted label", "probability of 0", "probability of 1", "problem"]
    assert [row["file"] for row in rows][:2] == ["photos/bright/00.png", "photos/bright/01.png"]
    assert rows[-1]["predicted label"] == ""
    assert "nowhere.png" in rows[-1]["problem"]
    assert "row 60" in rows[-2]["problem"]
    assert run("evaluate", out, table).code == 0


def test_predictions_name_every_file_and_broken_ones_stop_nothing(run, model, photos, tmp_path):
    folder = tmp_path / "new"
    shutil.copytree(photos, folder)
    broken = spoil(folder)
    said = run("predict", model, folder)
    assert said.code == 0
    rows = rows_of(said.out)
    assert len(rows) == 63
    assert all((row["predicted class"] == "") == bool(row["problem"]) for row in rows)
    assert {row["file"] for row in rows if row["problem"]} == {f"{folder}/{name}" for name in broken}
    right = [
        row["predicted class"].lstrip("'") == row["file"].split("/")[-2] for row in rows if not row["problem"]
    ]
    assert sum(right) >= 57
    assert "'=dark" in said.out  # no formula for a spreadsheet
    assert said.err.count("note: not used:") == 3
    said = run("predict", model, folder / "bright" / "00.png", folder / "=dark" / "01.png")
    assert [row["predicted class"] for row in rows_of(said.out)] == ["bright", "'=dark"]
    assert "problem" not in said.out
    assert run("predict", model, folder / "bright" / "00-empty.png").code == 2
    scores = [json.loads(run("evaluate", model, one, "--json").out)["scores"] for one in (photos, folder)]
    assert scores[0] == scores[1]


def test_what_else_a_model_of_pictures_does(run, model, photos, tmp_path):
    said = run("evaluate", model, photos, "--json")
    assert json.loads(said.out)["scores"]["accuracy"] > 0.9
    said = run("report", model, photos, "-o", tmp_path / "r.html")
    assert said.code == 0
    page = (tmp_path / "r.html").read_text()
    assert "These pictures were given for this report" in page
    assert run("diagnose", model).out.startswith("kept.ganglion: CNNClassifier with")
    assert "class" in run("list", model.parent).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "{photos}", "-t", "y"], "--target belongs to a table"),
        (["fit", "{photos}", "--image", "path"], "--image belongs to a table"),
        (["fit", "{photos}", "--task", "regression"], "pictures are sorted into classes"),
        (["fit", "{photos}/bright/00.png"], "is one picture; to learn from pictures, give a folder"),
        (["fit", "{photos}/bright"], "folders of at least 2 classes are expected"),
        (["fit", "{table}", "--image", "path"], "--target names the column to predict, none was given"),
        (["fit", "{table}", "--image", "pth", "-t", "label"], "did you mean 'path'?"),
        (["fit", "{table}", "--image", "label", "-t", "camera"], "it holds no texts"),
        (["fit", "{table}", "--image", "path", "-t", "path"], "name another"),
    ],
)
def test_refused_before_torch_is_needed(run, photos, table, arguments, words, monkeypatch):
    monkeypatch.setitem(sys.modules, "ganglion.jobs.fit", None)  # importing it would fail
    said = run(*(a.format(photos=photos, table=table) for a in arguments))
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1


def test_a_pass_over_pictures_is_laid_open(run, photos, model, tmp_path):
    said = run("trace", model, photos, "--rows", 20, "-o", tmp_path / "page.html")
    assert said.code == 0
    assert said.out.startswith("output 20x2, loss ")
    assert max(map(len, said.out.splitlines())) <= 110
    assert "20 of 60 pictures are looked at" in said.err
    assert (tmp_path / "page.html").read_text().count("<svg") == 1
    found = json.loads(run("trace", model, photos, "--json").out)
    assert found["output_shape"] == [32, 2]
    assert found["deviation_from_autograd"] < 1e-10
    one = run("trace", model, photos, "--row", 60, "--neurons", "--json")
    assert json.loads(one.out)["neurons"][0]["layer"] == "head.linears.0"
    assert not one.err


def test_the_pass_over_a_folder_is_of_all_classes_and_has_the_networks_loss(run, photos, model):
    """Log-loss of evenly chosen pictures, smoothed by 0.1 as in training, from the probabilities of ``predict``."""
    rows = json.loads(run("predict", model, photos, "--proba", "--json").out)["rows"][::2]
    logs = np.log([[row[f"probability of {name}"] for name in sorted(CLASSES)] for row in rows])
    true = np.array([sorted(CLASSES).index(Path(row["file"]).parent.name) for row in rows])
    assert set(true) == {0, 1}
    expected = -(0.9 * logs[np.arange(30), true] + 0.1 * logs.mean(1)).mean()
    found = json.loads(run("trace", model, photos, "--rows", 30, "--json").out)
    assert found["loss"] == pytest.approx(expected, abs=1e-5)


def test_pictures_of_a_table_and_pictures_without_a_truth_are_traced(run, photos, table, model):
    listed = ["--image", "path", "--rows", 5, "--json"]
    shorter = json.loads(run("trace", model, photos / "bright" / "00.png", "--json").out)
    assert "sum of the outputs" in shorter["loss_name"]
    assert shorter["output_shape"] == [1, 2]
    alone = run("trace", model, photos / "bright", "--json")
    assert json.loads(alone.out)["output_shape"] == [30, 2]
    assert "no classes are told" in alone.err
    told = run("trace", model, table, *listed)
    assert "sum of the outputs" in json.loads(told.out)["loss_name"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "{photos}", "--model", "cn"], "did you mean 'cnn'?"),
        (["fit", "{photos}", "--bins", "3"], "CNNClassifier: parameter 'bins' is not known"),
        (["fit", "{photos}", "--group", "camera"], "a folder of pictures has none"),
        (["fit", "{photos}", "--widths", "8,16,32,64,128"], "does not fit into a 1x1 map"),
        (["predict", "{model}", "{table}"], "--image names the column"),
        (["evaluate", "{model}", "{photos}/bright/00.png"], "is expected to hold the truth"),
        (["evaluate", "{model}", "{photos}", "-t", "y"], "is a folder; leave them out"),
        (["trace", "{model}", "{photos}", "--row", "61"], "has 60 pictures, got number 61"),
        (["trace", "{model}", "{photos}", "-t", "y"], "is a folder; leave them out"),
        (["trace", "{model}", "{table}"], "--image names the column"),
        (["trace", "{model}", "{model}"], "expected"),
    ],
)
def test_refused_in_one_sentence(run, photos, table, model, arguments, words):
    said = run(*(a.format(photos=photos, table=table, model=model) for a in arguments))
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1


def test_flags_of_pictures_are_read(run, photos, tmp_path):
    flags = [
        "--image-size",
        "10,8",
        "--image-channels",
        "1",
        "--widths",
        "3",
        "--convolutions",
        "1",
        "--norm",
        "none",
    ]
    out = tmp_path / "m.ganglion"
    said = run("fit", photos, "-o", out, *flags, "--max-epochs", "1", "--no-baselines", "--no-report")
    assert "brought to 10 × 8, grey" in said.out, said.err
    from ganglion import load

    model = load(out)
    assert model.image_shape_ == (1, 10, 8)
    assert (model.widths, model.norm) == ((3,), None)


def test_the_other_network(run, photos, tmp_path):
    out = tmp_path / "m.ganglion"
    flags = ["--model", "resnet", "--depth", "8", "--width", "4", "--max-epochs", "1", "--augment", "none"]
    said = run("fit", photos, "-o", out, *flags, "--no-baselines")
    assert said.code == 0, said.err
    assert "-> ResNet, about" in " ".join(said.out.split())
    assert "--model resnet" in out.with_suffix(".html").read_text()
