"""Scores of masks by hand and by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, f1_score, jaccard_score

from ganglion.base.errors import DataError
from ganglion.metrics.segmentation import mask_confusion, mask_scores, mask_table


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    true = [rng.integers(-1, 3, size) for size in ((5, 6), (9, 4))]
    said = [np.where(rng.random(t.shape) < 0.7, t.clip(0), rng.integers(0, 3, t.shape)) for t in true]
    return true, said


def test_against_scikit_learn(masks):
    true, said = (np.concatenate([m.ravel() for m in part]) for part in masks)
    true, said = true[true >= 0], said[true >= 0]
    table = mask_confusion(*masks, [0, 1, 2])
    assert (table == confusion_matrix(true, said)).all()
    rows, scores = mask_table(table, [0, 1, 2]), mask_scores(table)
    assert np.allclose([row["iou"] for row in rows], jaccard_score(true, said, average=None))
    assert np.allclose([row["dice"] for row in rows], f1_score(true, said, average=None))
    assert np.isclose(scores["accuracy"], accuracy_score(true, said))
    assert np.isclose(scores["balanced_accuracy"], balanced_accuracy_score(true, said))
    assert np.isclose(scores["score"], f1_score(true, said, average="macro"))
    assert np.isclose(scores["iou"], jaccard_score(true, said, average="macro"))


def test_by_hand_with_names():
    true, said = [[["cell", "cell", "membrane"]]], [[["cell", "membrane", "membrane"]]]
    table = mask_confusion(true, said, ["membrane", "cell"])  # in an order of one's own
    assert table.tolist() == [[1, 0], [1, 1]]
    cell = mask_table(table, ["membrane", "cell"])[1]
    assert cell == {"label": "cell", "pixels": 2, "predicted": 1, "dice": 2 / 3, "iou": 0.5, "recall": 0.5,
                    "precision": 1.0}  # fmt: skip
    assert mask_scores(table)["score"] == cell["dice"]  # the second of two is what is looked for


def test_a_class_that_is_nowhere_is_left_out():
    table = mask_confusion([[[0, 1]]], [[[0, 1]]], [0, 1, 2])
    assert mask_table(table, [0, 1, 2])[2]["dice"] is None
    assert mask_scores(table)["dice"] == 1.0


def test_what_does_not_fit_is_said():
    for true, said, words in (
        ([[[0]]], [], "got 0 for 1"),
        ([[[0, 1]]], [[[0]]], r"\(1, 1\) for \(1, 2\)"),
        ([[[0, 1]]], [[[0, 7]]], "no class"),
    ):
        with pytest.raises(DataError, match=words):
            mask_confusion(true, said, [0, 1])
