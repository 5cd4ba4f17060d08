"""Splits of the main job: stratified, by group, by time, for the test rows and for those that choose the epoch."""

import pickle

import numpy as np
import pytest

import ganglion
from ganglion.base.errors import DataError
from ganglion.estimators.network import DenseNetwork

QUICK = {"max_epochs": 4, "hidden_layer_sizes": (8,), "compare": False}
N = 400


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return {
        "x": rng.normal(size=N),
        "patient": np.array([f"p{i}" for i in rng.integers(0, 40, N)], dtype=object),
        "day": rng.permutation(N) + 0.5,
        "when": (np.datetime64("2021-03-01") + rng.permutation(N)).astype(str).astype(object),
        "y": np.where(rng.random(N) < 0.3, "a", "b").astype(object),
    }


@pytest.fixture
def inner(monkeypatch):
    """The rows that each fit trains on and keeps aside, as places among its own rows."""
    seen = []
    real = DenseNetwork._prepare

    def watched(self, *arguments):
        made = real(self, *arguments)
        seen.append((made.train_rows, made.held_rows))
        return made

    monkeypatch.setattr(DenseNetwork, "_prepare", watched)
    return seen


def test_classes_keep_their_shares(table):
    result = ganglion.fit(table, "y", **QUICK)
    shares = [np.mean(result.job.y[rows] == "a") for rows in (result.train, result.test)]
    assert abs(shares[0] - shares[1]) < 0.01


def test_groups_are_never_parted_and_are_no_input(table, inner):
    result = ganglion.fit(table, "y", group="patient", **QUICK)
    patient = table["patient"]
    train, held = (patient[result.train[rows]] for rows in inner[0])
    for one, other in ((train, held), (patient[result.train], patient[result.test])):
        assert len(one)
        assert len(other)
        assert not set(one) & set(other)
    assert "patient" not in result.estimator.feature_names_in_
    assert any("'patient' keeps rows together" in note for note in result.job.notes)


@pytest.mark.parametrize("column", ["day", "when"])
def test_the_last_rows_are_the_test_and_the_last_before_them_choose_the_epoch(table, inner, column):
    result = ganglion.fit(table, "y", time_column=column, **QUICK)
    time = table[column]
    train, held = (time[result.train[rows]] for rows in inner[0])
    assert train.max() < held.min()
    assert held.max() < time[result.test].min()
    assert len(result.test) == 80


def test_healing_keeps_to_the_rule(table, inner):
    result = ganglion.fit(
        table, "y", time_column="day", heal_first=True, lr=1e-7, **{**QUICK, "max_epochs": 10}
    )
    assert len(inner) == 2
    assert np.array_equal(inner[0][1], inner[1][1])
    kept = vars(pickle.loads(pickle.dumps(result.estimator)))
    assert not [name for name, value in kept.items() if isinstance(value, np.ndarray) and value.dtype == bool]


def test_healing_splits_by_no_other_rule_where_no_rows_are_kept_aside(table, inner):
    quick = {**QUICK, "max_epochs": 10, "validation_fraction": 0.0, "lr": 1e-7}
    ganglion.fit(table, "y", time_column="day", heal_first=True, **quick)
    assert [len(held) for _, held in inner] == [0, 0]


def test_one_group_in_training_falls_back_on_chance(table):
    table["two"] = np.array(["a"] * 350 + ["b"] * 50, dtype=object)
    result = ganglion.fit(table, "y", group="two", **QUICK)
    assert len(result.test) in (50, 350)


def test_a_word_is_no_time(table):
    with pytest.raises(DataError, match="'patient' is a category column"):
        ganglion.fit(table, "y", time_column="patient", **QUICK)


def test_classes_that_only_the_future_holds(table):
    table["y"] = np.array([*["a"] * 200, *["b"] * 150, *["c"] * 50], dtype=object)
    table["day"] = np.arange(N)
    result = ganglion.fit(table, "y", time_column="day", **QUICK)
    assert "only the test rows hold the class 'c', so the network cannot know it" in result.job.notes
    table["y"] = np.array([*["a"] * 350, *["b"] * 50], dtype=object)
    with pytest.raises(DataError, match="the rows to train on hold only the class 'a'"):
        ganglion.fit(table, "y", time_column="day", **QUICK)
