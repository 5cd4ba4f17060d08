"""Scores against hand-computed values, and against scikit-learn where it has them."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from ganglion.base.errors import DataError
from ganglion.metrics import (
    bootstrap_interval,
    calibration_curve,
    class_table,
    classification_scores,
    confusion_table,
    difference_interval,
    expected_calibration_error,
    output_table,
    regression_scores,
    wilson_interval,
    with_interval,
)
from ganglion.metrics.calibration import best_temperature
from ganglion.metrics.resampled import score_of_rows


def test_two_classes_by_hand():
    # truth n n n p; said n n p p: accuracy 3/4, recalls 2/3 and 1, F1 0.8 and 2/3
    p = np.array([0.1, 0.4, 0.6, 0.8])
    s = classification_scores(["n", "n", "n", "p"], p, ["n", "p"])
    assert s["accuracy"] == pytest.approx(0.75)
    assert s["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert s["f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert s["auc"] == pytest.approx(1.0)
    assert s["log_loss"] == pytest.approx(-np.log([0.9, 0.6, 0.4, 0.8]).mean())
    assert s["brier"] == pytest.approx(np.mean([0.01, 0.16, 0.36, 0.04]))
    # Confidences 0.9, 0.6, 0.6, 0.8 with 1, 1, 0, 1 right; 0.6 opens bin 9 of 15 for both rows
    assert s["ece"] == pytest.approx((0.1 + abs(1 - 1.2) + 0.2) / 4)


def test_many_classes_against_scikit_learn(rng):
    k, n = 4, 300
    y = rng.integers(0, k, n)
    proba = rng.dirichlet(np.ones(k), n)
    s = classification_scores(y, proba, range(k))
    assert s["auc"] == pytest.approx(roc_auc_score(y, proba, multi_class="ovr"))
    assert s["brier"] == pytest.approx(brier_score_loss(y, proba, scale_by_half=False))


def test_a_weight_of_two_is_a_row_twice(rng):
    y = rng.integers(0, 3, 60)
    proba = rng.dirichlet(np.ones(3), 60)
    w = rng.integers(1, 4, 60)
    twice = np.repeat(np.arange(60), w)
    one = classification_scores(y, proba, range(3), sample_weight=w)
    assert one == pytest.approx(classification_scores(y[twice], proba[twice], range(3)))
    x, z = rng.normal(size=(2, 60, 2))
    assert regression_scores(x, z, w) == pytest.approx(regression_scores(x[twice], z[twice]))


def test_one_class_alone_gives_what_is_left_and_no_warning():
    s = classification_scores(["a", "a"], [[0.7, 0.3], [0.4, 0.6]], ["a", "b"])
    assert "auc" not in s
    assert s["accuracy"] == s["balanced_accuracy"] == 0.5
    assert s["log_loss"] == pytest.approx(-np.log([0.7, 0.4]).mean())


def test_a_class_missing_from_the_part_and_a_label_never_seen():
    proba = np.eye(3)[[0, 1, 1]]
    s = classification_scores([0, 1, 1], proba, [0, 1, 2])
    assert s["accuracy"] == s["auc"] == s["balanced_accuracy"] == 1.0
    s = classification_scores([0, 1, 9], proba, [0, 1, 2])
    assert s["accuracy"] == pytest.approx(2 / 3)
    assert "log_loss" not in s


@pytest.mark.parametrize(
    ("y", "proba", "classes"),
    [
        ([0, 1], [[0.5, 0.5]], [0, 1]),
        ([0, 1], [[0.5, np.nan], [1, 0]], [0, 1]),
        ([0, 1], [[-1, 2], [1, 0]], [0, 1]),
        ([0, 1], [[1], [1]], [0, 1, 2]),
        ([], np.zeros((0, 2)), [0, 1]),
        ([[0], [1]], [[1, 0], [1, 0]], [0, 1]),
    ],
)
def test_wrong_shapes_get_one_sentence(y, proba, classes):
    with pytest.raises(DataError):
        classification_scores(y, proba, classes)


def test_confusion_and_class_table():
    y, said = ["a", "a", "b", "z"], ["a", "b", "b", "a"]
    assert confusion_table(y, said, ["a", "b", "c"]).tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]
    a, b, c = class_table(y, said, ["a", "b", "c"])
    assert (a["rows"], a["predicted"], a["recall"], a["precision"]) == (2, 2, 0.5, 0.5)
    assert (b["recall"], b["precision"]) == (1.0, 0.5)
    assert c["recall"] is c["precision"] is None
    assert confusion_table([], [], ["a"]).tolist() == [[0]]


def test_regression_by_hand():
    s = regression_scores([1.0, 2.0, 6.0], [1.0, 4.0, 6.0])
    assert s["mae"] == pytest.approx(2 / 3)
    assert s["rmse"] == pytest.approx(np.sqrt(4 / 3))
    assert s["bias"] == pytest.approx(2 / 3)
    assert s["median_error"] == 0
    assert s["r2"] == pytest.approx(1 - 4 / 14)
    assert "r2" not in regression_scores([1.0, 1.0], [1.0, 2.0])
    assert "r2" not in regression_scores([1.0], [2.0])
    with pytest.raises(DataError):
        regression_scores([1.0], [1.0, 2.0])
    with pytest.raises(DataError):
        regression_scores([np.nan], [1.0])


def test_several_outputs_are_averaged_and_listed():
    y, p = np.array([[0.0, 0.0], [1.0, 10.0]]), np.array([[0.0, 4.0], [1.0, 10.0]])
    assert regression_scores(y, p)["mae"] == 1.0
    rows = output_table(y, p, ["a", "b"])
    assert [row["mae"] for row in rows] == [0.0, 2.0]


def test_wilson_by_hand():
    # 0 of 10: low 0, high z^2 / (n + z^2)
    z2 = 1.959963984540054**2
    assert wilson_interval(0, 10)[:3] == pytest.approx((0, 0, z2 / (10 + z2)))
    assert wilson_interval(10, 10).high == 1.0
    with pytest.raises(DataError):
        wilson_interval(3, 2)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "log_loss", "auc", "f1", "brier", "ece"])
def test_quick_scores_equal_the_long_way(metric, rng):
    y, proba = rng.integers(0, 2, 80), rng.dirichlet(np.ones(2), 80).round(1)
    rows = rng.integers(0, 80, 80)
    score, _ = score_of_rows(metric, y, proba, [0, 1])
    full = classification_scores(y[rows], np.clip(proba[rows], 0, None), [0, 1])
    assert score(rows) == pytest.approx(full[metric])


@pytest.mark.parametrize("metric", ["rmse", "mae", "bias", "r2", "median_error"])
def test_quick_regression_scores_equal_the_long_way(metric, rng):
    y, p = rng.normal(size=(2, 50, 3))
    rows = rng.integers(0, 50, 50)
    score, _ = score_of_rows(metric, y, p)
    assert score(rows) == pytest.approx(regression_scores(y[rows], p[rows])[metric])


def test_intervals_are_seeded_and_hold_the_truth(rng):
    held = 0
    for seed in range(100):
        x = np.random.default_rng(seed).normal(size=60)
        one = bootstrap_interval(lambda rows, x=x: x[rows].mean(), 60, resamples=200, random_state=seed)
        held += one.low <= 0 <= one.high
    assert 88 <= held <= 99  # 95 within its own error; the bootstrap of 60 rows is a little short
    y, p = rng.integers(0, 2, 100), rng.random(100)
    assert with_interval("auc", y, p, [0, 1]) == with_interval("auc", y, p, [0, 1])
    assert with_interval("auc", y, p, [0, 1]) != with_interval("auc", y, p, [0, 1], random_state=1)
    with pytest.raises(DataError):
        with_interval("auc", [1, 1], [0.5, 0.5], [0, 1])


def test_difference_sees_what_two_intervals_hide(rng):
    y = rng.normal(size=200)
    noise = rng.normal(size=200)
    one, two = y + noise, y + 1.05 * noise
    apart = [with_interval("mae", y, p) for p in (one, two)]
    assert apart[0].high > apart[1].low
    assert difference_interval("mae", y, one, two).high < 0


def test_the_best_temperature_is_the_least_of_a_fine_grid(rng):
    logits, y = 3 * rng.normal(size=(400, 5)), rng.integers(0, 5, 400)
    logits[np.arange(400), y] += 2.0
    weight = rng.integers(1, 4, 400)
    found = best_temperature(logits, y, weight)
    grid = np.geomspace(0.05, 20, 20_001)
    losses = [log_loss(y, softmax(logits / T, axis=1), sample_weight=weight) for T in grid[::50]]
    near = grid[max(0, 50 * int(np.argmin(losses)) - 50) :][:101]
    least = min(near, key=lambda T: log_loss(y, softmax(logits / T, axis=1), sample_weight=weight))
    assert found.value == pytest.approx(least, rel=1e-3)
    assert found.loss == pytest.approx(
        log_loss(y, softmax(logits / least, axis=1), sample_weight=weight), rel=1e-6
    )
    repeated = best_temperature(np.repeat(logits, weight, axis=0), np.repeat(y, weight))
    assert repeated == pytest.approx(found, rel=1e-6)


def test_calibration_curve_groups_and_ties():
    curve = calibration_curve([0, 1] * 50, [0.5] * 100)
    assert curve.promised.tolist() == [0.5]
    assert curve.observed.tolist() == [0.5]
    assert curve.rows.sum() == 100
    p = np.linspace(0, 1, 101)
    curve = calibration_curve(p > 0.5, p, groups=4)
    assert len(curve.rows) == 4
    assert curve.observed.tolist()[0] == 0
    assert expected_calibration_error([0, 0], [[1.0, 0.0], [1.0, 0.0]]) == 0
