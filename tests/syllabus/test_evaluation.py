"""Scores by counting, and deep beside classical models on the same rows."""

from itertools import product

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ganglion import MLPClassifier, MLPRegressor, metrics
from ganglion.evaluate import compare_scores
from ganglion.metrics import classification_scores
from ganglion.plot import plot_roc


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


def counted(y, said, k):
    """Hits, times said, rows of each class, counted one by one."""
    hits = [sum(int(a == b == c) for a, b in zip(y, said)) for c in range(k)]
    return hits, [said.tolist().count(c) for c in range(k)], [y.tolist().count(c) for c in range(k)]


def share(part, whole, otherwise):
    return part / whole if whole else otherwise


def averaged(kind, y, said, k, of, otherwise):
    """A score of (hits, said, rows) under an average, from the counts alone."""
    hits, told, there = counted(y, said, k)
    each = [of(h, t, r, otherwise) for h, t, r in zip(hits, told, there)]
    present = [c for c in range(k) if told[c] or there[c]]
    if kind == "binary":
        return each[1]
    if kind == "micro":
        return of(sum(hits), sum(told), sum(there), otherwise)
    if kind == "macro":
        return sum(each[c] for c in present) / len(present)
    return sum(each[c] * there[c] for c in present) / len(y)


def some_labels(rng):
    """1,000 cases: two to four classes, ties in size, some without the second class, some where nobody says it."""
    for i in range(1000):
        n = int(rng.integers(1, 25))
        k = 2 if i % 2 else int(rng.integers(2, 5))
        y, said = rng.integers(0, k, n), rng.integers(0, k, n)
        yield (
            k,
            y * (i % 7 > 0),
            said * (i % 5 > 0),
            ("binary", "micro", "macro", "weighted")[i % 4],
            i % 3 > 1,
        )


def check_scores(rng, score, of):
    for k, y, said, kind, otherwise in some_labels(rng):
        kind = "macro" if kind == "binary" and k > 2 else kind
        found = score(y, said, average=kind, zero_division=float(otherwise))
        assert found == pytest.approx(averaged(kind, y, said, k, of, float(otherwise)), abs=1e-15), (
            y,
            said,
            kind,
        )


def test_precision(rng):
    """Right among those said, for every average, with nobody said; scikit-learn's is the implementation."""
    check_scores(rng, metrics.precision_score, lambda hits, told, rows, other: share(hits, told, other))
    with pytest.warns(UndefinedMetricWarning):
        assert metrics.precision_score([1, 0], [0, 0]) == 0.0


def test_recall(rng):
    """Found among those there, for every average, also with none there."""
    check_scores(rng, metrics.recall_score, lambda hits, told, rows, other: share(hits, rows, other))


def test_f1_score(rng):
    """2 P R / (P + R), which is 2 hits / (said + there)."""

    def f1(hits, told, rows, other):
        p, r = share(hits, told, 0.0), share(hits, rows, 0.0)
        if p + r:
            assert 2 * p * r / (p + r) == pytest.approx(2 * hits / (told + rows), abs=1e-15)
        return share(2 * hits, told + rows, other)

    check_scores(rng, metrics.f1_score, f1)


def test_roc_curve(rng):
    """1,000 cases with ties: both rates at every threshold, from (0, 0) to (1, 1), never back; and drawn so."""
    for _ in range(1000):
        n = int(rng.integers(2, 30))
        y, p = rng.integers(0, 2, n), np.round(rng.random(n), 1)
        y[:2] = 0, 1
        wrong, found, thresholds = metrics.roc_curve(y, p, drop_intermediate=False)
        assert (wrong[0], found[0], wrong[-1], found[-1]) == (0, 0, 1, 1)
        assert (np.diff(wrong) >= 0).all()
        assert (np.diff(found) >= 0).all()
        assert thresholds.tolist() == [np.inf, *sorted(set(p.tolist()), reverse=True)]
        said = p[:, None] >= thresholds
        np.testing.assert_array_equal(found, said[y == 1].sum(0) / y.sum())
        np.testing.assert_array_equal(wrong, said[y == 0].sum(0) / (n - y.sum()))
    drawn = plot_roc(y, p).lines[1].get_xydata()
    assert {tuple(point) for point in drawn} <= set(zip(wrong, found))
