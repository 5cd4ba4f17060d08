"""Whole tasks: classes, numbers, and two of the syllabus's own on real tables."""

import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

from ganglion import MLPClassifier, MLPRegressor
from ganglion.evaluate import baselines
from ganglion.metrics import classification_scores


def test_multi_class_classification(digits, digit_net):
    """At least 97 % of a held-out quarter of the digits; probabilities of a row sum to 1."""
    _, X_held, _, y_held = digits
    assert digit_net.score(X_held, y_held) >= 0.97
    np.testing.assert_allclose(digit_net.predict_proba(X_held).sum(1), 1, rtol=0, atol=1e-12)


def test_regression():
    """Friedman's function with noise of variance 1: mean squared error of at most 1.7 on new rows."""
    X, y = make_friedman1(8000, noise=1.0, random_state=0)
    net = MLPRegressor(hidden_layer_sizes=(64, 64), max_epochs=15).fit(X[:4000], y[:4000])
    assert 1.0 < np.mean((net.predict(X[4000:]) - y[4000:]) ** 2) <= 1.7


def test_house_price_prediction(real_table):
    """California housing: R^2 of at least 0.75 on held-out districts (reduced: trained on 8,000 rows)."""
    frame = real_table("california_housing")
    X, y = frame.drop(columns="median_house_value"), frame["median_house_value"].to_numpy()
    X, X_held, y, y_held = train_test_split(X, y, test_size=0.2, random_state=0)
    net = MLPRegressor(hidden_layer_sizes=(128, 128), max_epochs=15).fit(X[:8000], y[:8000])
    assert net.score(X_held, y_held) >= 0.75


def test_customer_churn_prediction(real_table):
    """Telco churn, two classes: AUC within 0.01 of logistic regression or above, calibrated to 0.05."""
    frame = real_table("telco_churn")
    X, y = frame.drop(columns=["Churn", "customerID"]), frame["Churn"].to_numpy()
    X, X_held, y, y_held = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    net = MLPClassifier(hidden_layer_sizes=(64,), max_epochs=15).fit(X, y)
    scores = classification_scores(y_held, net.predict_proba(X_held), net.classes_)
    columns = net.preprocessor_
    matrices = columns.transform(X), y, columns.transform(X_held), y_held
    linear = baselines(*matrices, "binary", cardinalities=columns.cardinalities_)["linear"].scores
    assert scores["auc"] >= max(linear["auc"] - 0.01, 0.83)
    assert scores["ece"] <= 0.05
