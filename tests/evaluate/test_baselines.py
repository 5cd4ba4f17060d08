"""Baselines: honest, silent, bounded, the same every time."""

import sys
import warnings

import numpy as np
import pytest

from ganglion.base.errors import DataError
from ganglion.evaluate.baselines import baselines

room = sys.modules["ganglion.evaluate.baselines"]  # the function of the same name hides the module


def split(X, y, at):
    return X[:at], y[:at], X[at:], y[at:]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_dummy_is_the_majority_share_and_others_beat_it(rng):
    X = rng.normal(size=(600, 4)).astype("float32")
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=600) > 0.6, "yes", "no")
    parts = split(X, y, 400)
    found = baselines(*parts, "binary")
    assert list(found) == ["dummy", "linear", "trees"]
    assert found["dummy"].scores["accuracy"] == pytest.approx((parts[3] == "no").mean())
    assert found["dummy"].scores["auc"] == 0.5
    assert found["dummy"].scores["balanced_accuracy"] == 0.5
    for name in ("linear", "trees"):
        b = found[name]
        assert b.scores["accuracy"] > found["dummy"].scores["accuracy"]
        assert b.scores["score"] == b.scores["accuracy"] == (b.prediction == parts[3]).mean()
        assert b.scores["loss"] == b.scores["log_loss"]
        assert b.rows == 400
        assert b.note == ""
    assert np.allclose(found["linear"].proba.sum(axis=1), 1)


def test_codes_are_categories_and_not_numbers(rng):
    codes = rng.integers(0, 6, 800)
    y = np.isin(codes, [1, 4]).astype(int)  # no threshold and no straight line tells these apart
    X = np.column_stack([rng.normal(size=800), codes]).astype("float32")
    told = baselines(*split(X, y, 500), "binary", cardinalities=[6])
    untold = baselines(*split(X, y, 500), "binary")
    assert told["linear"].scores["accuracy"] == 1.0
    assert told["trees"].scores["accuracy"] == 1.0
    assert untold["linear"].scores["accuracy"] < 0.8


def test_a_category_of_many_levels_and_a_level_not_trained_on(rng):
    codes = rng.integers(0, 600, 900)
    X = np.column_stack([rng.normal(size=900), codes]).astype("float32")
    X[-1, 1] = 700
    found = baselines(*split(X, X[:, 0] * 2, 600), "regression", cardinalities=[701])
    assert found["linear"].scores["r2"] > 0.9


def test_regression_by_hand(rng):
    X = rng.normal(size=(300, 3))
    y = X @ [1.0, 2.0, -1.0] + 3
    parts = split(X, y, 200)
    found = baselines(*parts, "regression")
    assert found["dummy"].scores["loss"] == pytest.approx(((parts[3] - parts[1].mean()) ** 2).mean())
    assert found["linear"].scores["r2"] > 0.999
    assert found["trees"].scores["score"] == found["trees"].scores["r2"] > 0.8
    assert found["linear"].prediction.shape == (100,)


def test_several_outputs(rng):
    X = rng.normal(size=(200, 3))
    y = np.column_stack([X[:, 0], 100 * X[:, 1]])
    found = baselines(*split(X, y, 150), "regression")
    assert found["trees"].prediction.shape == (50, 2)
    assert found["linear"].scores["r2"] > 0.99
    column = baselines(*split(X, y[:, :1], 150), "regression")
    assert column["trees"].prediction.shape == (50, 1)


def test_a_class_on_one_side_only(rng):
    X = rng.normal(size=(100, 2))
    y = np.array(["a", "b"] * 40 + ["c"] * 20)
    found = baselines(*split(X, y, 80), "multiclass")
    assert found["trees"].proba.shape == (20, 3)
    assert found["trees"].scores["accuracy"] == 0
    assert list(baselines(X[:40], np.ones(40), X, np.ones(100), "binary")) == ["dummy"]


def test_weights_count(rng):
    X = rng.normal(size=(200, 2))
    y = (np.arange(200) % 4 == 0).astype(int)
    found = baselines(*split(X, y, 160), "binary", sample_weight=np.where(y[:160] == 1, 9.0, 1.0))
    assert found["dummy"].proba[0, 1] == pytest.approx(0.75)
    assert found["linear"].proba[:, 1].mean() > 0.5


def test_silent_seeded_and_sampled_by_rule(rng, monkeypatch):
    X = 1e4 * rng.normal(size=(3000, 5))
    y = np.r_[2, rng.integers(0, 2, 2999)]
    monkeypatch.setattr(room, "CELLS_PER_SECOND", {"dummy": 1e9, "linear": 1000, "trees": 1000})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = baselines(*split(X, y, 2500), "multiclass", time_limit=3)
        two = baselines(*split(X, y, 2500), "multiclass", time_limit=3)
    assert 1000 <= one["trees"].rows <= 1001
    assert "sample of" in one["trees"].note
    assert one["trees"].proba.shape == (500, 3)
    assert np.array_equal(one["trees"].proba, two["trees"].proba)


def test_wrong_input_gets_one_sentence(rng):
    X, y = np.ones((4, 2)), np.array([0, 1, 0, 1])
    with pytest.raises(DataError, match="task"):
        baselines(X, y, X, y, "ranking")
    with pytest.raises(DataError, match="X_valid"):
        baselines(X, y, X * np.nan, y, "binary")
    with pytest.raises(DataError, match="X_train"):
        baselines(np.array([["a"]]), y, X, y, "binary")
