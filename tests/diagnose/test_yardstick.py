"""The linear yardstick against scikit-learn's ridge regression."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from ganglion.diagnose.yardstick import linear_yardstick


def test_it_is_ridge_regression_on_standardised_columns():
    rng = np.random.default_rng(0)
    X, V = rng.normal(3, [1, 10, 0.1], (80, 3)), rng.normal(3, [1, 10, 0.1], (40, 3))
    y, w = X @ [1, 0.1, 5] + rng.normal(size=80), V @ [1, 0.1, 5] + rng.normal(size=40)
    scale = StandardScaler().fit(X)
    expected = Ridge(alpha=1.0).fit(scale.transform(X), y).score(scale.transform(V), w)
    assert linear_yardstick(X, y, V, w)["score"] == pytest.approx(expected, abs=1e-10)


def test_classes_take_the_largest_column():
    X = np.array([[0.0], [0.1], [1.0], [1.1], [2.0], [2.1]])
    y = np.array([0, 0, 0, 1, 1, 1])
    scores = linear_yardstick(X, y, X, y, classes=2)
    assert scores["accuracy"] == scores["balanced_accuracy"] == 1.0


def test_useless_columns_and_few_rows():
    X = np.column_stack([np.arange(10.0), np.ones(10), np.full(10, np.nan)])
    assert linear_yardstick(X, X[:, 0], X, X[:, 0])["score"] > 0.95
    assert linear_yardstick(X[:2], X[:2, 0], X, X[:, 0]) == {}
