"""Boxes in the forms of VOC and COCO: the convention, what is clipped, what is refused."""

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganglion.base.errors import DataError
from ganglion.data.boxes import read_coco, read_voc
from ganglion.data.decode import ORIENTATION

DATA = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[3] / "shared" / "data"))


def voc(
    folder: Path, name: str, objects: list[tuple], size: tuple[int, int] | None = (48, 64), **more: str
) -> None:
    """A picture 48 x 64 and its XML file."""
    Image.new("L", (64, 48)).save(folder / f"{name}.png")
    lines = [f"<filename>{more.get('filename', name + '.png')}</filename>"]
    lines += [f"<size><width>{size[1]}</width><height>{size[0]}</height></size>"] if size else []
    for label, x0, y0, x1, y1, *hard in objects:
        box = f"<xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax>"
        difficult = f"<difficult>{hard[0]}</difficult>" if hard else ""
        lines.append(f"<object><name>{label}</name>{difficult}<bndbox>{box}</bndbox></object>")
    (folder / f"{name}.xml").write_text(f"<annotation>{''.join(lines)}</annotation>")


def test_voc_counts_from_one_and_its_corners_belong_to_the_box(tmp_path: Path) -> None:
    voc(tmp_path, "a", [("dog", 1, 1, 64, 48), ("cat", 5, 7, 5, 7, 1)])
    voc(tmp_path, "b", [], size=None)
    found = read_voc(tmp_path)
    assert found.classes == ["cat", "dog"]
    assert [Path(path).name for path in found.paths] == ["a.png", "b.png"]
    assert found.boxes[0].tolist() == [[0, 0, 64, 48], [4, 6, 5, 7]]  # the whole picture, and one pixel
    assert found.labels[0].tolist() == [1, 0]
    assert found.hard[0].tolist() == [False, True]
    assert (found.boxes[1].shape, found.boxes[1].dtype) == ((0, 4), np.float32)
    assert found.sizes.tolist() == [[48, 64]] * 2
    assert len(found) == 2
    assert not found.notes


def test_voc_boxes_beyond_the_picture_are_clipped_and_told(tmp_path: Path) -> None:
    voc(tmp_path, "a", [("cat", 0, -5, 70, 20), ("cat", 2, 3, 4, 5)])
    found = read_voc(tmp_path)
    assert found.boxes[0].tolist() == [[0, 0, 64, 20], [1, 2, 4, 5]]
    assert found.notes[0].startswith("1 boxes reached beyond")
    assert "a.xml" in found.notes[0]


def test_the_devkit_s_folders_and_stale_names(tmp_path: Path) -> None:
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    voc(tmp_path / "Annotations", "a", [("cat", 1, 1, 2, 2)], filename="/somewhere/else\\b.jpg")
    (tmp_path / "Annotations/a.png").rename(tmp_path / "JPEGImages/b.png")
    assert read_voc(tmp_path).paths == [str(tmp_path / "JPEGImages/b.png")]
    (tmp_path / "JPEGImages/b.png").rename(tmp_path / "JPEGImages/a.png")
    assert read_voc(tmp_path / "Annotations").paths == [str(tmp_path / "JPEGImages/a.png")]
    assert read_voc(tmp_path / "Annotations", tmp_path / "JPEGImages").paths == [
        str(tmp_path / "JPEGImages/a.png")
    ]
    with pytest.raises(DataError, match=r"a picture for .*a\.xml' is expected"):
        read_voc(tmp_path / "Annotations", tmp_path / "Annotations")


@pytest.mark.parametrize(
    ("objects", "options", "words"),
    [
        ([("cat", 10, 1, 5, 9)], {}, "box 0 .*'cat'.*a.xml' has x0, y0, x1, y1 = 9, 0, 5, 9"),
        ([("cat", 1, 9, 5, 8)], {}, "enclose"),
        ([("cat", 65, 1, 70, 9)], {}, "enclose pixels"),
        ([("cat", -9, 1, 0, 9)], {}, "enclose pixels"),
        ([("cat", "nan", 1, 5, 9)], {}, "four finite numbers"),
        ([("cat", "1e999", 1, 5, 9)], {}, "four finite numbers"),
        ([("cat", "", 1, 5, 9)], {}, "four finite numbers"),
        ([("", 1, 1, 5, 9)], {}, "a name is expected"),
        ([], {}, "at least one box"),
        ([("cat", 1, 1, 5, 9)], {"size": (64, 48)}, "announces 64 x 48 .*a.png' is 48 x 64 upright"),
    ],
)
def test_voc_refuses(tmp_path: Path, objects: list, options: dict, words: str) -> None:
    voc(tmp_path, "a", objects, **options)
    with pytest.raises(DataError, match=words) as caught:
        read_voc(tmp_path)
    assert str(caught.value).endswith(".")
    assert "a.xml" in str(caught.value) or not objects


def test_sizes_are_those_of_the_upright_picture(tmp_path: Path) -> None:
    voc(tmp_path, "a", [("cat", 1, 1, 5, 9)])
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("L", (64, 48)).save(tmp_path / "a.png", exif=exif)
    with pytest.raises(DataError, match=r"48 x 64 .* is 64 x 48 upright"):
        read_voc(tmp_path)


def test_voc_needs_its_folder(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="a folder with XML files"):
            read_voc(path)
    voc(tmp_path, "a", [("cat", 1, 1, 5, 9)])
    with pytest.raises(DataError, match="a folder of pictures"):
        read_voc(tmp_path, tmp_path / "none")
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"a\.png' is none or has a broken beginning"):
        read_voc(tmp_path)


def coco(folder: Path, **changes: Any) -> Path:
    """Two pictures 48 x 64, three objects, in COCO's form; ``changes`` replace a list."""
    for name in ("a", "b"):
        Image.new("L", (64, 48)).save(folder / f"{name}.png")
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "height": 48, "width": 64},
            {"id": 3, "file_name": "b.png"},
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 2, "name": "owl"}, {"id": 17, "name": "cat"}],
        "annotations": [
            {"image_id": 7, "category_id": 17, "bbox": [1.5, 2, 10, 20.25]},
            {"image_id": 3, "category_id": 18, "bbox": [0, 0, 64, 48], "iscrowd": 1},
            {"image_id": 7, "category_id": 18, "bbox": [60, 40, 10, 4]},
        ],
        **changes,
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return folder / "coco.json"


def test_coco_gives_corner_and_size_from_zero(tmp_path: Path) -> None:
    found = read_coco(coco(tmp_path))
    assert found.classes == ["owl", "cat", "dog"]  # in the order of their ids
    assert found.paths == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    assert found.boxes[0].tolist() == [[1.5, 2, 11.5, 22.25], [60, 40, 64, 44]]
    assert [x.tolist() for x in found.labels] == [[1, 2], [2]]
    assert [x.tolist() for x in found.hard] == [[False, False], [True]]
    assert "1 boxes reached beyond" in found.notes[0]
    assert read_coco(tmp_path / "coco.json", tmp_path).paths == found.paths


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"images": None}, "a list named 'images'"),
        ({"images": [{"id": 7}]}, r"'file_name' \(str\), but number 0"),
        ({"annotations": [[]]}, r"'image_id' \(int\), but number 0"),
        ({"images": [{"id": 7, "file_name": "../a.png"}]}, "names '../a.png'"),
        ({"images": [{"id": 7, "file_name": "/etc/hostname"}]}, "names '/etc/hostname'"),
        ({"images": [{"id": 7, "file_name": "c:\\a.png"}]}, "file names below"),
        ({"annotations": [{"image_id": 1, "category_id": 17, "bbox": [0, 0, 1, 1]}]}, "image_id 1 and category_id 17"),
        ({"annotations": [{"image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]}]}, "category_id 1"),
        ({"annotations": [{"image_id": 7, "category_id": 17, "bbox": [0, 0, 1]}]}, "four finite numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 17, "bbox": [0, 0, 1, None]}]}, "four finite numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 17, "bbox": [0, 0, 1, 10**400]}]}, "four finite numbers"),
        ({"annotations": [{"image_id": 7, "category_id": 17, "bbox": [3, 3, 0, 1]}]}, r"box 0 .*coco\.json"),
        ({"annotations": [{"image_id": 7, "category_id": 17, "bbox": [3, 3, 2, -1]}]}, r"box 0 .*coco\.json"),
        ({"annotations": []}, "at least one box"),
        ({"images": [{"id": 7, "file_name": "none.png"}], "annotations": [
            {"image_id": 7, "category_id": 17, "bbox": [3, 3, 2, 1]}]}, r"none\.png' does not exist"),
    ],
)  # fmt: skip
def test_coco_refuses(tmp_path: Path, changes: dict, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read_coco(coco(tmp_path, **changes))
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "content", ["", "[1, 2]", "{", "[" * 100_000, "\0", '{"images": ' + "9" * 5000 + "}"]
)
def test_no_json_of_this_form(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=r"a\.json"):
        read_coco(tmp_path / "a.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_coco(tmp_path / "none.json")


def test_a_real_set(tmp_path: Path) -> None:
    """BCCD: its own page counts 4,155 red cells, 372 white cells and 361 platelets in 364 pictures."""
    archive = DATA / "bccd" / "bccd.tar.gz"
    if not archive.exists():
        pytest.skip("bccd is not here: set GANGLION_DATA to the folder of the measuring data")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path, filter="data")
    found = read_voc(tmp_path / "BCCD")
    count = np.bincount(np.concatenate(found.labels))
    assert dict(zip(found.classes, count.tolist())) == {"RBC": 4155, "WBC": 372, "Platelets": 361}
    assert len(found) == 364
    assert (found.sizes == [480, 640]).all()
    everything = np.concatenate(found.boxes)
    assert (everything[:, :2] < everything[:, 2:]).all()
    assert (everything >= 0).all()
    assert (everything <= [640, 480, 640, 480]).all()
