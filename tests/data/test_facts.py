"""Facts of a table against plain computations."""

import time

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ganglion.data.columns import as_frame
from ganglion.data.facts import column_scores, duplicate_share, scales, table_facts
from ganglion.data.preprocess import TablePreprocessor
from ganglion.data.read import read_table
from ganglion.data.target import infer_task

RNG = np.random.default_rng(0)


def test_a_number_scores_its_auc():
    y = RNG.integers(0, 2, 1000)
    x = y + RNG.normal(size=1000)
    scores = column_scores(as_frame({"x": x, "minus": -x, "noise": RNG.normal(size=1000)}), y, True)
    assert scores["x"] == pytest.approx(roc_auc_score(y, x), abs=0.01)
    assert scores["minus"] == pytest.approx(scores["x"], abs=1e-6)
    assert scores["noise"] < 0.56


def test_leaks_of_every_form_are_seen_and_identifiers_are_not():
    y = RNG.integers(0, 3, 900)
    table = {
        "label": np.array(["p", "q", "r"], dtype=object)[y],
        "hidden": np.array([5.0, -1.0, 2.0])[y],
        "gap": np.where(y == 1, np.nan, RNG.normal(size=900)),
        "id": [f"id{i}" for i in range(900)],
        "number": RNG.permutation(900),
    }
    scores = column_scores(as_frame(table), y, True)
    assert min(scores[name] for name in ("label", "hidden")) > 0.99
    assert 0.8 < scores["gap"] < 0.9  # tells one class of three, which is not the target
    assert max(scores[name] for name in ("id", "number")) < 0.6


def test_regression_scores():
    x = RNG.normal(size=2000)
    y = x**2 + 0.1 * RNG.normal(size=2000)
    table = {
        "x": x,
        "y": 3 * y,
        "word": np.where(y > 1, "big", "small"),
        "id": [str(i) + "n" for i in range(2000)],
    }
    scores = column_scores(as_frame(table | {"noise": RNG.normal(size=2000)}), y, False)
    assert scores["y"] == pytest.approx(1.0, abs=1e-6)
    assert scores["x"] > 0.9
    assert 0.3 < scores["word"] < 0.9
    assert max(scores["id"], scores["noise"]) < 0.02
    several = column_scores(as_frame(table), np.column_stack([y, -x]), False)
    assert several["x"] > 0.99


def test_duplicates_are_counted():
    X = RNG.integers(0, 3, (500, 4)).astype(float)
    expected = 1 - len(np.unique(X, axis=0)) / 500
    assert duplicate_share(X) == pytest.approx(expected)
    assert duplicate_share(X.astype(np.float32)) == pytest.approx(expected)
    assert duplicate_share(np.array([[0.0], [-0.0]])) == 0.5
    assert duplicate_share(np.zeros((0, 2))) == 0


def test_scales():
    X = RNG.normal(size=(50, 300))
    found = scales(X, [str(i) for i in range(300)])
    assert len(found) == 200
    assert found["7"]["std"] == pytest.approx(X[:, 7].std())
    gaps = scales(np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]]), ["a", "b"])
    assert gaps["a"]["mean"] == 2


def test_facts_are_plain_and_the_same_again():
    X = RNG.normal(size=(100, 2)).astype(np.float32)
    y = np.array(["a", "b"])[(X[:, 0] > 0).astype(int)]
    facts = table_facts(X, ["u", "v"], y, "binary")
    assert facts == table_facts(X, ["u", "v"], y, "binary")
    assert facts["classes"] == {"a": int(np.sum(y == "a")), "b": int(np.sum(y == "b"))}
    assert facts["single_column_scores"]["u"] == 1.0
    assert table_facts(X, ["u", "v"], X[:, 0], "regression")["classes"] == {}
    assert table_facts(X[:2], ["u", "v"], y[:2], "binary")["single_column_scores"] == {}


@pytest.mark.alone
def test_adult_is_quick(real_table):
    frame = read_table(real_table("adult_train"))
    task = infer_task(frame.stored("column_15"))
    y, frame = task.encode(frame.stored("column_15")), frame.drop(["column_15"])
    pre = TablePreprocessor().fit(frame)
    matrix = pre.transform(frame)
    start = time.perf_counter()
    facts = table_facts(matrix, pre.names_out_, y, task.kind, frame=frame)
    assert time.perf_counter() - start < 0.3
    assert 0.7 < max(facts["single_column_scores"].values()) < 0.85
