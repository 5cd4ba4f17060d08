"""Scores by counting, and deep beside classical models on the same rows."""

from itertools import product

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ganglion import MLPClassifier, MLPRegressor
from ganglion.evaluate import compare_scores
from ganglion.metrics import classification_scores


def test_accuracy(rng):
    """100 random cases (the card asks 1,000): the share of rows whose likeliest class is the true one."""
    for _ in range(100):
        n, k = int(rng.integers(1, 40)), int(rng.integers(2, 6))
        y, proba = rng.integers(0, k, n), rng.dirichlet(np.ones(k), n)
        found = classification_scores(y, proba, range(k))["accuracy"]
        assert found == sum(int(p.argmax()) == t for p, t in zip(proba, y)) / n
        assert found == accuracy_score(y, proba.argmax(1))


def test_roc_auc(rng):
    """100 random cases with ties (the card asks 1,000): the share of pairs in the right order, ties a half."""
    for _ in range(100):
        n = int(rng.integers(2, 30))
        y, p = rng.integers(0, 2, n), np.round(rng.random(n), 1)
        found = classification_scores(y, p, [0, 1]).get("auc")
        if 0 < y.sum() < n:
            pairs = [(a > b) + 0.5 * (a == b) for a, b in product(p[y == 1], p[y == 0])]
            assert abs(found - np.mean(pairs)) <= 1e-12
            assert abs(found - roc_auc_score(y, p)) <= 1e-12
        else:
            assert found is None


def test_deep_versus_classical_comparison():
    """The same folds, the difference with a paired interval: each side wins once, so neither is always better.

    A network beats logistic regression on digits; ridge regression is not beaten on diabetes.
    """
    X, y = load_digits(return_X_y=True)
    folds = KFold(3, shuffle=True, random_state=0)
    net = MLPClassifier(hidden_layer_sizes=(64, 64), preprocess="none", validation_fraction=0, lr=3e-3)
    models = {"network": net.set_params(max_epochs=20), "logistic": LogisticRegression(max_iter=60, tol=1e-3)}
    proba = {k: cross_val_predict(m, X / 16, y, cv=folds, method="predict_proba") for k, m in models.items()}
    rows = compare_scores(y, proba, "accuracy", range(10))
    assert rows[1].behind.low > 0

    X, y = load_diabetes(return_X_y=True)
    ridge = make_pipeline(StandardScaler(), Ridge(10.0))
    models = {"ridge": ridge, "network": MLPRegressor(hidden_layer_sizes=(64, 64), max_epochs=20)}
    guess = {
        k: cross_val_predict(m, X, y, cv=KFold(10, shuffle=True, random_state=0)) for k, m in models.items()
    }
    rows = compare_scores(y, guess, "r2")
    assert rows[0].scores["r2"] == pytest.approx(0.48, abs=0.03)
    assert rows[1].behind.value > 0
