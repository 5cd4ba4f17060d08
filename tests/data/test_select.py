"""Choosing columns: the L1 path against scikit-learn's solvers, information and shuffling against what is known."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LogisticRegression, lasso_path
from sklearn.metrics import mutual_info_score

from ganglion.data.goal import Goal
from ganglion.data.l1path import L1Problem, falling_penalties, l1_path
from ganglion.data.preprocess import TablePreprocessor
from ganglion.data.select import SELECTIONS, Sample, information, select_columns


def problem(n=300, d=20, classes=None, seed=0):
    """Columns of which the first four matter, on one scale, and a target."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    X = (X - X.mean(0)) / X.std(0)
    score = X[:, :4] @ [2.0, -1.5, 1.2, 0.3] + 1.0 * rng.normal(size=n)
    if classes is None:
        return X, (score - score.mean()) / score.std()
    return X, np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score)


def test_the_path_of_numbers_is_scikit_learns():
    X, y = problem()
    penalties = falling_penalties(X, y[:, None], np.ones(300))
    _, theirs, _ = lasso_path(X, y, alphas=penalties, tol=1e-12)
    ours = np.array([b[:, 0] for b, _ in l1_path(X, y[:, None], np.ones(300), penalties)]).T
    np.testing.assert_allclose(ours, theirs, atol=2e-6)
    np.testing.assert_array_equal(ours != 0, np.abs(theirs) > 1e-12)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_path_of_classes_is_scikit_learns(classes):
    X, y = problem(classes=classes)
    columns = Goal.of(y, 300).columns
    penalties = falling_penalties(X, columns, np.ones(300), classes=True)[5:30:8]
    for penalty, (b, _) in zip(penalties, l1_path(X, columns, np.ones(300), penalties, classes=True)):
        theirs = LogisticRegression(
            l1_ratio=1, C=1 / (300 * penalty), solver="saga", tol=1e-7, max_iter=5000
        ).fit(X, y).coef_  # fmt: skip
        np.testing.assert_allclose(b.T, theirs, atol=2e-3)
        np.testing.assert_array_equal((np.abs(b) > 1e-3).any(axis=1), (np.abs(theirs) > 1e-3).any(axis=0))


def test_weights_count_as_repeated_rows():
    X, y = problem(n=60)
    counts = np.random.default_rng(1).integers(1, 4, 60)
    repeated = np.repeat(np.arange(60), counts)
    theirs = Lasso(alpha=0.05, tol=1e-12).fit(X, y, sample_weight=counts)
    one, offset = L1Problem(X, y[:, None], counts * 1.0, classes=False).solve(
        0.05, np.zeros((20, 1)), np.zeros(1)
    )
    two, _ = L1Problem(X[repeated], y[repeated, None], np.ones(len(repeated)), classes=False).solve(
        0.05, np.zeros((20, 1)), np.zeros(1)
    )
    np.testing.assert_allclose(one, two, atol=1e-6)
    np.testing.assert_allclose(one[:, 0], theirs.coef_, atol=1e-5)
    assert offset[0] == pytest.approx(theirs.intercept_, abs=1e-5)


def test_information_is_scikit_learns():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 200), rng.integers(0, 3, 200)
    assert information(a, b, np.ones(200)) == pytest.approx(mutual_info_score(a, b), rel=1e-12)
    counts = rng.integers(1, 4, 200)
    assert information(a, b, counts) == pytest.approx(
        mutual_info_score(a.repeat(counts), b.repeat(counts)), rel=1e-12
    )


@pytest.mark.parametrize("text", ["l1", "mutual_information", "permutation"])
@pytest.mark.parametrize("classes", [None, 2, 3])
def test_the_columns_that_matter_are_kept(text, classes):
    d = 20 if text == "mutual_information" else 7  # the others take their time
    X, y = problem(n=600, d=d, classes=classes)
    sample = Sample(X, np.ones(600), Goal.of(y, 600), d)
    kept = select_columns(text, sample)
    assert set(kept) >= {0, 1, 2}
    assert len(kept) <= 0.75 * d
    assert select_columns(f"{text}(3)", sample).tolist() == [0, 1, 2]


def test_idle_columns_pass_rarely():
    """Of 400 columns of noise, about one in a hundred looks like more than chance."""
    rng = np.random.default_rng(0)
    sample = Sample(rng.normal(size=(2000, 400)), np.ones(2000), Goal.of(rng.integers(0, 3, 2000), 2000), 400)
    assert len(select_columns("mutual_information", sample)) <= 12


@pytest.mark.parametrize("text", sorted(SELECTIONS))
def test_embedded_categories_are_chosen_as_one_column(text):
    rng = np.random.default_rng(1)
    towns = np.array([f"town {i}" for i in range(30)], dtype=object)
    place, other = rng.integers(0, 30, 900), rng.integers(0, 30, 900)
    table = {"x": rng.normal(size=900), "idle": towns[other], "town": towns[place], "z": rng.normal(size=900)}
    y = (place % 3 == 0) * 2.0 + 0.1 * rng.normal(size=900)
    pre = TablePreprocessor(select=f"{text}(1)").fit(table, y)
    assert (pre.n_real_, pre.cardinalities_, pre.names_out_) == (0, (31,), ["town"])
    assert pre.unused_ == ["x", "idle", "z"]
    assert pre.transform(table).tobytes() == pre.transform_training(table, y).tobytes()
    assert "inputs dropped" in next(iter(pre.changes()))


def test_what_an_interaction_is_made_of_is_used():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(500, 3))
    pre = TablePreprocessor(interactions="products", select="l1(1)").fit(X, X[:, 0] * X[:, 2])
    assert pre.names_out_ == ["x0 * x2"]
    assert pre.unused_ == ["x1"]
    assert pre.n_features_in_ == 3


def test_permutation_has_nothing_to_say_where_no_held_class_was_met():
    rng = np.random.default_rng(0)
    y = np.arange(7) % 5  # two rows are held, and with so many classes none of theirs may be among the others
    for seed in range(20):
        goal = Goal.of(np.random.default_rng(seed).permutation(y), 7)
        kept = select_columns("permutation(2)", Sample(rng.normal(size=(7, 4)), np.ones(7), goal, 4))
        assert 1 <= len(kept) <= 2
