"""Healing: the remedy is applied, the better network kept, and nothing else changed."""

import math

import numpy as np
import pytest

from ganglion.estimators.mlp import MLPClassifier
from ganglion.search.heal import Healed, better, first_remedy, heal, in_words


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    return X, (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture
def slow(data):
    return MLPClassifier(hidden_layer_sizes=(16,), lr=1e-7, max_epochs=10, schedule="constant").fit(*data)


def test_a_step_size_that_is_too_small_is_raised(slow, data):
    said = []
    healed = heal(slow, *data, say=said.append)
    assert healed.finding.name == "lr_too_low"
    assert healed.kept
    assert healed.after > healed.before
    assert healed.estimator.lr == healed.changed["lr"][1] > 1e-7
    assert slow.lr == 1e-7
    assert said == [f"found lr too low; training again with {healed.in_words}"]


def test_nothing_to_heal_is_said(data):
    sound = MLPClassifier(hidden_layer_sizes=(16,), max_epochs=30).fit(*data)
    if first_remedy(sound)[0] is None:
        healed = heal(sound, *data)
        assert healed.estimator is sound
        assert healed.finding is None
        assert not healed.kept


def test_the_first_network_stays_if_the_second_is_no_better(slow, data):
    healed = heal(slow, *data, judge=lambda fitted: -fitted.lr)
    assert healed.estimator is slow
    assert not healed.kept


def test_settings_of_the_caller_stand_whatever_the_remedy_says(slow, data):
    finding, change = first_remedy(slow)
    assert "lr" in change
    healed = heal(slow, *data, settings={"time_limit": 5.0, "lr": 1e-7})
    assert healed.finding is None or "lr" not in healed.changed
    assert finding.name == "lr_too_low"


def test_checkpoints_are_not_mixed(data, tmp_path):
    first = MLPClassifier(hidden_layer_sizes=(16,), lr=1e-7, max_epochs=5, checkpoint=str(tmp_path)).fit(
        *data
    )
    before = sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir())
    heal(first, *data)
    assert sorted((path.name, path.read_bytes()) for path in tmp_path.iterdir()) == before


def test_a_score_that_is_no_number_is_never_better():
    assert better(0.1, math.nan)
    assert not better(math.nan, 0.1)
    assert not better(math.nan, math.nan)
    assert not Healed(None, None, {}, "score", 0.1, 0.2).kept


def test_changes_in_words():
    changed = {
        "lr": (0.1, 0.0123456),
        "hidden_layer_sizes": ((8, 8), (32, 32)),
        "class_weight": (None, "balanced"),
    }
    assert (
        in_words(changed)
        == "lr 0.1 -> 0.01235, hidden_layer_sizes 8,8 -> 32,32, class_weight none -> balanced"
    )
