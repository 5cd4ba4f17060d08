"""Average precision against numbers worked out by hand, a second way to compute it, and COCO's own code."""

from collections import namedtuple

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.metrics.detection import (
    THRESHOLDS,
    Curve,
    Detections,
    average_precisions,
    box_iou,
    match,
    mean_average_precision,
    precision_recall,
)

Truth = namedtuple("Truth", "boxes labels hard", defaults=[None])


def test_overlaps_by_hand():
    # 2 x 2 beside 2 x 2, shifted by one: 2 of 6. Inside 4 x 4: 4 of 16, and of a hard one 4 of its own 4
    found = box_iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [0, 0, 4, 4], [0, 0, 4, 4], [5, 5, 6, 6]], [0, 0, 1, 0])
    np.testing.assert_allclose(found, [[1 / 3, 1 / 4, 1, 0]])


def test_one_class_by_hand():
    """Two objects; right, wrong, right by score: precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1.

    The best precision at a recall or beyond is 1 up to 0.5 (51 of the 101 recalls) and 2/3 above (50 of them).
    """
    truth = [Truth([[0, 0, 10, 10], [20, 20, 30, 30]], ["a", "a"])]
    found = [Detections([[0, 0, 10, 9], [50, 0, 60, 9], [20, 20, 30, 30]], ["a"] * 3, [0.9, 0.8, 0.7])]
    curve = precision_recall(truth, found, "a")
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(curve.recall, [1 / 2, 1 / 2, 1])
    assert curve.scores.tolist() == [0.9, 0.8, 0.7]
    assert curve.average == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_thresholds_by_hand():
    """An IoU of 0.72 is right at 0.5, 0.55 ... 0.7, so at five of ten."""
    truth, found = [Truth([[0, 0, 100, 100]], [4])], [Detections([[0, 0, 100, 72]], [4], [0.5])]
    assert mean_average_precision(truth, found) == {"map50": 1.0, "map": 0.5}
    assert average_precisions(truth, found)[4].tolist() == [1.0] * 5 + [0.0] * 5


def test_a_second_box_on_the_same_object_is_wrong():
    truth = [Truth([[0, 0, 10, 10]], [0])]
    found = [
        Detections([[0, 0, 10, 8], [0, 0, 10, 10]], [0, 0], [0.9, 0.8])
    ]  # the better box has the lower score
    curve = precision_recall(truth, found, 0)
    assert curve.precision.tolist() == [1, 0.5]


def test_hard_boxes_are_neither_right_nor_wrong():
    truth = [Truth([[0, 0, 10, 10], [20, 0, 60, 40]], [0, 0], [False, True])]
    on_hard = [
        [20, 0, 30, 10],
        [30, 0, 40, 10],
    ]  # parts of it, as crowds have them: IoU over the own area is 1
    found = [Detections([*on_hard, [0, 0, 10, 10]], [0] * 3, [0.9, 0.8, 0.7])]
    assert average_precisions(truth, found, ious=[0.5]) == {0: [1.0]}
    hard_alone = [Truth([[0, 0, 9, 9]], [0], [True])]
    assert average_precisions(hard_alone, [Detections([], [], [])]) == {}


def test_each_takes_the_best_that_is_free():
    ious = np.array([[0.6, 0.9, 0.0], [0.7, 0.8, 0.0], [0.9, 0.9, 0.55]])
    assert match(ious, np.zeros(3, bool), 0.5).tolist() == [1, 0, 2]
    assert match(ious, np.zeros(3, bool), 0.75).tolist() == [1, -1, 0]
    assert match(ious, np.array([False, True, False]), 0.5).tolist() == [0, 1, 2]  # a hard one only in need
    assert match(np.array([[0.5, 0.5]]), np.zeros(2, bool), 0.5).tolist() == [1]  # of equal ones the last


def test_only_a_hundred_of_a_class_count():
    truth = [Truth([[0, 0, 10, 10]], [0])]
    wrong = [[50, 50, 60, 60]] * 100
    found = [Detections([*wrong, [0, 0, 10, 10]], [0] * 101, [0.9] * 100 + [0.1])]
    assert mean_average_precision(truth, found)["map50"] == 0
    found = [Detections([*wrong[1:], [0, 0, 10, 10]], [0] * 100, [0.9] * 99 + [0.1])]
    assert mean_average_precision(truth, found)["map50"] == pytest.approx(0.01)


def test_nothing_there_and_nothing_found():
    nothing, one = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0)), Truth([[0, 0, 2, 2]], [1.0])
    assert np.isnan(mean_average_precision([nothing], [nothing])["map50"])
    assert mean_average_precision([one], [nothing]) == {"map50": 0, "map": 0}
    assert mean_average_precision([], []).keys() == {"map50", "map"}
    with pytest.raises(DataError, match=r"one record for each picture is expected, got 1 .* and 2"):
        mean_average_precision([one], [nothing, nothing])


def test_a_curve_that_never_begins_has_area_nothing():
    assert Curve(np.zeros(0), np.zeros(0), np.zeros(0)).average == 0


# --- a random world, a second way, and COCO's own code ------------------------------------------------------


def scenes(seed, hard):
    """Pictures with objects, found with errors: moved, doubled, misnamed, invented; scores with ties."""
    rng = np.random.default_rng(seed)
    truth, found = [], []
    for _ in range(8):
        m = rng.integers(0, 9)
        low, side = rng.integers(0, 60, (m, 2)), rng.integers(6, 30, (m, 2))
        boxes, labels = np.concatenate([low, low + side], 1).astype(float), rng.integers(3, size=m)
        truth.append(Truth(boxes, labels, (rng.random(m) < 0.25) & hard))
        some = np.concatenate([boxes, boxes[: m // 2], rng.integers(0, 40, (3, 4)) + [0, 0, 41, 41]])
        some = some + np.round(rng.normal(size=some.shape) * rng.choice([0, 1, 3], (len(some), 1)))
        some[:, 2:] = np.maximum(some[:, 2:], some[:, :2] + 1)
        names = np.concatenate([labels, labels[: m // 2], rng.integers(3, size=3)])
        names = np.where(rng.random(len(names)) < 0.1, rng.integers(3, size=len(names)), names)
        found.append(Detections(some, names, rng.integers(1, 12, len(names)) / 12))
    return truth, found


def by_definition(truth, found, label, iou):
    """Average precision in plain Python: every threshold of the score tried, no cumulated sums."""
    ranked, there = [], 0
    for i, (one, other) in enumerate(zip(truth, found)):
        rows = sorted(
            (r for r in range(len(other.labels)) if other.labels[r] == label), key=lambda r: -other.scores[r]
        )
        goals = [g for g in range(len(one.labels)) if one.labels[g] == label]
        hard = one.hard if one.hard is not None else [False] * len(one.labels)
        there += sum(not hard[g] for g in goals)
        free = {g for g in goals if not hard[g]}
        for place, r in enumerate(rows[:100]):
            overlap = {g: box_iou([other.boxes[r]], [one.boxes[g]], [hard[g]])[0, 0] for g in goals}
            good = [g for g in goals if g in free and overlap[g] >= iou]
            if good:
                best = max(good, key=lambda g: (overlap[g], g))
                free.discard(best)
                ranked.append((-other.scores[r], i, place, "right"))
            elif any(hard[g] and overlap[g] >= iou for g in goals):
                continue
            else:
                ranked.append((-other.scores[r], i, place, "wrong"))
    marks = [mark for *_, mark in sorted(ranked)]
    points = [
        (marks[:k].count("right") / there, marks[:k].count("right") / k) for k in range(1, len(marks) + 1)
    ]
    reached = ([p for r, p in points if r >= q] for q in np.linspace(0, 1, 101))  # rounded as COCO rounds
    return sum(max(part, default=0.0) for part in reached) / 101


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_the_definition_says(seed, hard):
    truth, found = scenes(seed, hard)
    parts = average_precisions(truth, found)
    assert len(parts) == 3
    for label, values in parts.items():
        for iou, value in list(zip(THRESHOLDS, values))[::3]:
            assert value == pytest.approx(by_definition(truth, found, label, iou), abs=1e-9)
    assert mean_average_precision(truth, found)["map"] == pytest.approx(np.mean(list(parts.values())))


def coco_scores(truth, found):
    """mAP@0.5 and @[.5:.95] by pycocotools."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(records, more):
        out = []
        for i, one in enumerate(records):
            for j, (x0, y0, x1, y1) in enumerate(np.asarray(one.boxes, float).reshape(-1, 4)):
                row = {"id": len(out) + 1, "image_id": i + 1, "category_id": int(one.labels[j]) + 1,
                       "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0)}  # fmt: skip
                out.append(row | more(one, j))
        return out

    pictures = [{"id": i + 1} for i in range(len(truth))]
    names = [{"id": k + 1} for k in range(3)]
    gold, said = COCO(), COCO()
    gold.dataset = {"images": pictures, "categories": names, "annotations": rows(
        truth, lambda one, j: {"iscrowd": int(one.hard is not None and one.hard[j])})}  # fmt: skip
    said.dataset = {"images": pictures, "categories": names, "annotations": rows(
        found, lambda one, j: {"score": float(one.scores[j]), "iscrowd": 0})}  # fmt: skip
    gold.createIndex(), said.createIndex()
    run = COCOeval(gold, said, "bbox")
    run.evaluate(), run.accumulate(), run.summarize()
    return run.stats[1], run.stats[0]


@pytest.mark.parametrize("hard", [False, True])
def test_it_is_what_coco_computes(hard):
    pytest.importorskip("pycocotools")
    for seed in range(15):
        truth, found = scenes(seed, hard)
        mine = mean_average_precision(truth, found)
        np.testing.assert_allclose((mine["map50"], mine["map"]), coco_scores(truth, found), atol=1e-6)
