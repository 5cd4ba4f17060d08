"""Splits: complete, disjoint, deterministic, and true to their promise."""

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.data.split import group_split, permutation, plain_split, stratified_split, time_split

RNG = np.random.default_rng(0)
LABELS = RNG.choice(["a", "b", "c"], 200, p=[0.7, 0.25, 0.05])
SPLITS = {
    "plain": lambda seed: plain_split(200, 0.2, seed),
    "stratified": lambda seed: stratified_split(LABELS, 0.2, seed),
    "group": lambda seed: group_split(np.arange(200) // 7, 0.2, seed),
    "time": lambda seed: time_split(RNG.permutation(200) if seed < 0 else np.arange(200)[::-1], 0.2),
}


@pytest.mark.parametrize("name", SPLITS)
def test_complete_disjoint_and_the_same_again(name):
    train, held = SPLITS[name](3)
    assert sorted([*train, *held]) == list(range(200))
    again = SPLITS[name](3)
    np.testing.assert_array_equal(train, again[0])
    np.testing.assert_array_equal(held, again[1])
    assert abs(len(held) - 40) <= 7


def test_the_order_is_the_agreed_one():
    np.testing.assert_array_equal(permutation(5, 9), np.random.default_rng(5).permutation(9))
    train, held = plain_split(10, 0.3, seed=5)
    order = np.random.default_rng(5).permutation(10)
    assert set(held) == set(order[-3:])
    assert set(train) == set(order[:7])


def test_classes_keep_their_shares():
    held = stratified_split(LABELS, 0.2, 0)[1]
    assert len(held) == 40
    for label in "abc":
        share = np.mean(label == LABELS)
        assert abs(np.sum(LABELS[held] == label) - 40 * share) < 1


@pytest.mark.parametrize("seed", range(20))
def test_rare_classes_stay_in_training(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 12, 40)
    train, held = stratified_split(labels, rng.uniform(0.05, 0.9), seed)
    assert set(labels[train]) == set(labels)
    assert len(held)


def test_groups_stay_together():
    groups = RNG.integers(0, 9, 200)
    train, held = group_split(groups, 0.3, 1)
    assert not set(groups[train]) & set(groups[held])


def test_time_runs_forward():
    times = RNG.integers(0, 30, 200)
    train, held = time_split(times, 0.25)
    assert times[train].max() < times[held].min()
    dates = times.astype("datetime64[D]")
    np.testing.assert_array_equal(time_split(dates, 0.25)[1], held)


@pytest.mark.parametrize(
    "call",
    [
        lambda: plain_split(1, 0.1, 0),
        lambda: plain_split(10, 1.5, 0),
        lambda: stratified_split(np.arange(5), 0.2, 0),
        lambda: group_split(np.zeros(9), 0.2, 0),
        lambda: time_split(np.zeros(9), 0.2),
        lambda: time_split(np.array([1.0, np.nan]), 0.5),
    ],
)
def test_impossible_splits_say_why(call):
    with pytest.raises(DataError, match="expected"):
        call()
