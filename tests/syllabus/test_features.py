"""Features and their choice: what products and rings do for a linear model, and columns that the L1 path keeps."""

import numpy as np
import pytest
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import Lasso, LogisticRegression

from ganglion import MLPClassifier
from ganglion.data.features import products, radius
from ganglion.data.l1path import best_penalty, falling_penalties, l1_path
from ganglion.data.preprocess import TablePreprocessor

LINEAR = {"hidden_layer_sizes": (), "bins": 0, "dropout": 0.0, "lr": 0.03, "max_epochs": 60}


def xor(rng, n=800):
    X = rng.normal(size=(n, 2))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def circles(rng, n=800):
    angle, y = rng.uniform(0, 2 * np.pi, n), rng.integers(0, 2, n)
    distance = 1.0 + y + rng.normal(0, 0.15, n)
    return np.column_stack([distance * np.cos(angle), distance * np.sin(angle)]), y


@pytest.mark.parametrize(
    ("draw", "make", "option"),
    [(xor, products, "products"), (circles, radius, "radius")],
    ids=["xor", "circles"],
)
def test_feature_engineering(rng, draw, make, option):
    """A product or the radius lifts logistic regression from at most 60 % to at least 97 %; so does the option."""
    X, y = draw(rng)
    train, test = slice(0, 400), slice(400, 800)
    raw = LogisticRegression().fit(X[train], y[train]).score(X[test], y[test])
    made = np.column_stack([X, make(X)])
    helped = LogisticRegression(C=100).fit(made[train], y[train]).score(made[test], y[test])
    assert raw <= 0.60
    assert helped >= 0.97
    blind = MLPClassifier(**LINEAR).fit(X[train], y[train])
    seeing = MLPClassifier(**LINEAR, interactions=option, scale="standard").fit(X[train], y[train])
    assert blind.score(X[test], y[test]) <= 0.60
    assert seeing.score(X[test], y[test]) >= 0.97


@pytest.mark.parametrize("seed", range(3))
def test_feature_selection(seed):
    """Of 100 columns the L1 path keeps the 10 that matter and at most 5 others; Lasso keeps the same ones."""
    rng = np.random.default_rng(seed)
    X, weights = rng.normal(size=(400, 100)), np.zeros(100)
    true = rng.permutation(100)[:10]
    weights[true] = rng.choice([-1, 1], 10) * rng.uniform(0.5, 2.0, 10)
    y = X @ weights + rng.normal(size=400)
    pre = TablePreprocessor(select="l1", scale="standard").fit(X, y)
    kept = {int(name[1:]) for name in pre.names_out_}
    assert kept >= set(true)
    assert len(kept) <= 15
    assert len(pre.unselected_) == 100 - len(kept)

    # the same penalty, by scikit-learn's coordinate descent
    Z, t = (X - X.mean(0)) / X.std(0), ((y - y.mean()) / y.std())[:, None]
    penalties = falling_penalties(Z, t, np.ones(400))
    chosen = best_penalty(Z, t, np.ones(400), penalties, np.arange(400) % 5)
    for penalty in (chosen, penalties[10], penalties[-1]):
        ours = next(l1_path(Z, t, np.ones(400), np.array([penalty])))[0][:, 0]
        theirs = SelectFromModel(Lasso(alpha=penalty, tol=1e-10, max_iter=100_000), threshold=1e-10).fit(
            Z, t[:, 0]
        )
        np.testing.assert_array_equal(ours != 0, theirs.get_support())
        np.testing.assert_allclose(ours, theirs.estimator_.coef_, atol=1e-5)


def test_means_of_the_target_do_not_leak():
    """A word of its own for nearly each row: naive means look well and predict badly, means by folds do no harm."""
    rng = np.random.default_rng(1)
    n = 1200
    words = np.array([f"w{i}" for i in rng.integers(0, 500, n)], dtype=object)
    x = rng.normal(size=n)
    y = (x + rng.normal(size=n) > 0).astype(int)
    train, test = slice(0, 800), slice(800, n)
    pre = TablePreprocessor(encode="target", scale="standard")
    parts = [{"word": words[part].tolist(), "x": x[part]} for part in (train, test)]
    folded = pre.fit_transform(parts[0], y[train])
    naive, held = (pre.transform(part) for part in parts)
    found = {}
    for name, matrix in (("naive", naive), ("folded", folded), ("x alone", naive[:, :1])):
        model = LogisticRegression(C=100).fit(matrix, y[train])
        columns = held[:, : matrix.shape[1]]
        found[name] = model.score(matrix, y[train]), model.score(columns, y[test])
    alone = found["x alone"][1]
    assert found["naive"][0] > alone + 0.1
    assert found["naive"][1] < alone - 0.05
    assert abs(found["folded"][1] - alone) < 0.02
    assert abs(found["folded"][0] - found["x alone"][0]) < 0.02
    pandas = pytest.importorskip("pandas")
    net = MLPClassifier(**LINEAR, encode="target", validation_fraction=0)
    net.fit(pandas.DataFrame(parts[0]), y[train])
    assert abs(net.score(pandas.DataFrame(parts[1]), y[test]) - alone) < 0.03
