"""Objects in the forms that people give them, and one sentence for anything else."""

from types import SimpleNamespace

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.data.boxes import Boxes
from ganglion.data.objects import Objects, padded, read_objects

BOX = [1.0, 2.0, 5.0, 8.0]
SIZES = np.array([[10, 20], [10, 20]])


@pytest.mark.parametrize(
    "row",
    [
        ([BOX], ["cat"]),
        (np.array([BOX]), np.array(["cat"])),
        {"boxes": [BOX], "labels": ["cat"]},
        Objects(np.array([BOX]), np.array(["cat"]), np.array([False])),
        [[BOX], ["cat"], [False]],
    ],
)
def test_every_form_means_the_same(row):
    first, second = read_objects([row, ([], [])], SIZES)
    assert first.boxes.tolist() == [BOX]
    assert first.boxes.dtype == np.float32
    assert (first.labels.tolist(), first.hard.tolist()) == (["cat"], [False])
    assert (second.boxes.shape, len(second.labels)) == ((0, 4), 0)


def test_what_files_give():
    given = Boxes(
        paths=["a.png", "b.png"],
        boxes=[np.array([BOX], np.float32), np.zeros((0, 4), np.float32)],
        labels=[np.array([1]), np.zeros(0, int)],
        hard=[np.array([True]), np.zeros(0, bool)],
        classes=["cat", "dog"],
        sizes=SIZES,
    )
    first, second = read_objects(given, SIZES)
    assert (first.labels.tolist(), first.hard.tolist()) == (["dog"], [True])
    assert len(second.labels) == 0


def test_boxes_are_cut_off_at_the_pictures_edge():
    one = read_objects([([[-3, 2, 30, 12]], [0])], SIZES[:1])[0]
    assert one.boxes.tolist() == [[0, 2, 20, 10]]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("boxes.xml", "got str"),
        ({"boxes": [BOX]}, "got dict"),
        (7, "got int"),
        ([([BOX], ["cat"])], "same number of pictures, got 2 and 1"),
        ([{"boxes": [BOX]}, ([], [])], "picture 0 has"),
        ([3, ([], [])], "picture 0 has '3'"),
        ([([BOX], ["cat", "dog"]), ([], [])], r"boxes \(1, 4\) and labels \(2,\)"),
        ([([BOX[:3]], ["cat"]), ([], [])], r"boxes \(1, 3\)"),
        ([([], []), ([[5, 2, 1, 8]], ["cat"])], "box 0 of picture 1 is 5, 2, 1, 8"),
        ([([], []), ([[5, 2, np.nan, 8]], ["cat"])], "box 0 of picture 1 is 5, 2, nan, 8"),
        ([([], []), ([[25, 2, 30, 8]], ["cat"])], "in its 10 x 20 pixels"),
        ([([["a"] * 4], ["cat"]), ([], [])], "picture 0 has"),
    ],
)
def test_anything_else_gets_one_sentence(given, sentence):
    with pytest.raises(DataError, match=sentence) as error:
        read_objects(given, SIZES)
    assert "\n" not in str(error.value)


def test_padded_with_scale_and_codes():
    rows = [
        Objects(np.array([BOX, BOX]), np.array(["dog", "cat"]), np.array([False, True])),
        Objects(np.zeros((0, 4)), np.zeros(0), np.zeros(0, bool)),
    ]
    boxes, codes = padded(rows, np.array(["cat", "dog"]), np.array([[0.5, 2.0], [1, 1]]))
    assert boxes[0, 0].tolist() == [2, 1, 10, 4]  # x is scaled by the factor on widths, y by that on heights
    assert codes.tolist() == [[1, -2], [-1, -1]]
    assert not boxes[1].any()


def test_a_record_of_anything_with_the_three_names():
    given = SimpleNamespace(boxes=[[BOX]], labels=[[0]], hard=[[False]], classes=["cat"])
    assert read_objects(given)[0].labels.tolist() == ["cat"]
