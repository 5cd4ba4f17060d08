"""The perceptron: its rule against a plain loop, Novikoff's bound, and what it says where it cannot converge."""

import warnings

import numpy as np
import pytest
from sklearn import datasets, linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC, LinearSVC

from ganglion.base.errors import DataError, ParameterError
from ganglion.estimators.perceptron import Perceptron


def separable(n, columns, gap, seed, classes=2):
    """Rows on the right side of planes through their middle, at least ``gap`` away from them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(20 * n, columns))
    w = rng.normal(size=(classes, columns + 1)) if classes > 2 else rng.normal(size=(1, columns + 1))
    values = (X @ w[:, :-1].T + w[:, -1]) / np.linalg.norm(w, axis=1)
    if classes == 2:
        y, clear = (values[:, 0] > 0).astype(int), np.abs(values[:, 0]) > gap
    else:
        first, second = np.sort(values, 1)[:, [-1, -2]].T
        y, clear = values.argmax(1), first - second > gap
    return X[clear][:n], y[clear][:n]


def augmented(x):
    return np.c_[x, np.ones(len(x))]


# --- the rule -----------------------------------------------------------------------------------------------


def plain_loop(X, y, weight, epochs):
    """Rosenblatt's rule row by row, one weight vector per class."""
    x, k, made = augmented(X), y.max() + 1, 0
    w = np.zeros((k, x.shape[1]))
    for _ in range(epochs):
        for row, true, s in zip(x, y, weight):
            chosen = int((w @ row).argmax())
            if chosen != true:
                w[true] += s * row
                w[chosen] -= s * row
                made += 1
        if ((x @ w.T).argmax(1) == y).all():
            break
    return w, made


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_rule_is_that_of_a_plain_loop(classes, weighted):
    X, y = separable(700, 3, 0.05, seed=classes, classes=classes)
    X = X.astype(np.float32).astype(float)
    weight = np.random.default_rng(0).integers(1, 4, len(y)) / 2.0 if weighted else np.ones(len(y))
    w, made = plain_loop(X, y, weight, 500)
    model = Perceptron(preprocess="none", shuffle=False, max_epochs=500)
    model.fit(X, y, sample_weight=weight if weighted else None)
    if classes == 2:
        w = w[1:] - w[:1]
    assert model.n_updates_ == made
    assert np.allclose(np.c_[model.coef_, model.intercept_], w, atol=1e-9)
    assert model.score(X, y) == 1.0


def test_all_mistakes_of_a_pass_together():
    X, y = separable(60, 2, 0.1, seed=3)
    X = X.astype(np.float32).astype(float)
    w, x = np.zeros((2, 3)), augmented(X)
    for _ in range(5):
        chosen = (x @ w.T).argmax(1)
        for i in np.flatnonzero(chosen != y):
            w[y[i]] += x[i]
            w[chosen[i]] -= x[i]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Perceptron(preprocess="none", batch_size="full", max_epochs=5).fit(X, y)
    wrong = [((x @ v.T > 0)[:, 0] != y).mean() for v in (np.c_[model.coef_, model.intercept_],)]
    assert wrong[0] <= ((x @ w.T).argmax(1) != y).mean()  # the best of the five passes, the last one included


# --- convergence --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("preprocess", ["auto", "none"])
def test_novikoffs_bound(seed, preprocess):
    """At most (R / gamma)^2 mistakes, for the margin gamma of any plane that separates the rows."""
    X, y = separable(120, 2 + seed % 3, 0.1 + 0.05 * seed, seed)
    model = Perceptron(preprocess=preprocess, max_epochs=10**5).fit(X, y)
    x = augmented(model._one_hot(model._matrix(X)))
    plane = SVC(kernel="linear", C=1e9).fit(x[:, :-1], y)
    u = np.append(plane.coef_, plane.intercept_)
    margin = ((2 * y - 1) * (x @ u)).min() / np.linalg.norm(u)
    assert margin > 0
    bound = (np.linalg.norm(x, axis=1).max() / margin) ** 2
    assert 0 < model.n_updates_ <= bound
    assert model.separable_ is True
    assert model.score(X, y) == 1.0
    assert model.record_.stopped == "converged"


@pytest.mark.parametrize("seed", range(1, 5))
def test_the_bound_of_several_classes(seed):
    """Kesler's construction: a mistake moves two blocks, so R^2 counts twice."""
    X, y = separable(120, 2, 0.3, seed, classes=3)
    assert set(y) == {0, 1, 2}
    model = Perceptron(max_epochs=10**5).fit(X, y)
    x = augmented(model._one_hot(model._matrix(X)))
    machine = LinearSVC(multi_class="crammer_singer", C=1e4, fit_intercept=False, max_iter=10**6)
    u = machine.fit(x, y).coef_
    values = x @ u.T
    own = values[np.arange(len(y)), y]
    values[np.arange(len(y)), y] = -np.inf
    margin = (own - values.max(1)).min() / np.linalg.norm(u)
    assert margin > 0
    assert 0 < model.n_updates_ <= 2 * (np.linalg.norm(x, axis=1).max() / margin) ** 2
    assert model.separable_ is True
    assert model.score(X, y) == 1.0


def test_xor_is_not_separable_and_says_so():
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    with pytest.warns(ConvergenceWarning, match=r"not linearly separable.*MLPClassifier") as warned:
        model = Perceptron(max_epochs=50).fit(X, [0, 1, 1, 0])
    assert len(warned) == 1
    assert "\n" not in str(warned[0].message)
    assert model.separable_ is False
    assert model.score(X, [0, 1, 1, 0]) == 0.75  # the best that a line can do
    assert model.record_.stopped == "epochs"


def test_several_classes_that_no_planes_separate():
    X = np.array([[0.0], [1], [2], [3], [4], [5]])
    with pytest.warns(ConvergenceWarning, match="not linearly separable"):
        model = Perceptron(max_epochs=50).fit(X, [0, 1, 2, 0, 1, 2])
    assert model.separable_ is False


def test_too_few_passes_are_no_proof():
    X, y = separable(200, 3, 0.01, seed=5)
    with pytest.warns(ConvergenceWarning, match="more max_epochs"):
        model = Perceptron(max_epochs=1).fit(X, y)
    assert model.separable_ is None
    assert Perceptron(max_epochs=10**5).fit(X, y).separable_ is True


def test_rows_that_contradict_each_other_are_not_separable():
    X = np.array([[1.0, 2], [1, 2], [0, 0], [3, 1]])
    with pytest.warns(ConvergenceWarning, match="not linearly separable"):
        assert Perceptron(max_epochs=20).fit(X, [0, 1, 0, 1]).separable_ is False


# --- quality ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [datasets.load_breast_cancer, datasets.load_iris, datasets.load_wine])
def test_not_worse_than_scikit_learns(load):
    X, y = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y, cut = X[order], y[order], len(y) * 2 // 3
    scaled = (X - X[:cut].mean(0)) / X[:cut].std(0)
    theirs = linear_model.Perceptron().fit(scaled[:cut], y[:cut]).score(scaled[cut:], y[cut:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ours = Perceptron().fit(X[:cut], y[:cut])
    assert ours.score(X[cut:], y[cut:]) > theirs - 0.03
    assert ours.score(X[:cut], y[:cut]) > 0.95


def test_the_pocket_keeps_the_fewest_mistakes():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = np.where(rng.random(300) < 0.1, X[:, 0] < 0, X[:, 0] > 0)
    with pytest.warns(ConvergenceWarning):
        model = Perceptron(max_epochs=60).fit(X, y)
    losses = [row["loss"] for row in model.history_]
    assert 1 - model.score(X, y) == pytest.approx(min(losses), abs=1e-9)
    assert losses[-1] > min(losses)


# --- weights, inputs ----------------------------------------------------------------------------------------


def test_weight_zero_leaves_a_row_out():
    X, y = separable(80, 2, 0.2, seed=1)
    weight = np.ones(80)
    weight[::4] = 0
    spoiled = np.where(weight > 0, y, 1 - y)
    model = Perceptron(shuffle=False).fit(X, spoiled, sample_weight=weight)
    other = Perceptron(shuffle=False).fit(X[weight > 0], y[weight > 0])
    assert np.allclose(model.coef_, other.coef_)
    assert np.allclose(model.decision_function(X), other.decision_function(X))


def test_heavy_rows_are_kept_right():
    """Where something must be wrong, it is what weighs little."""
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    for heavy in range(4):
        weight = np.ones(4)
        weight[heavy] = 10
        with pytest.warns(ConvergenceWarning):
            model = Perceptron(max_epochs=200).fit(X, [0, 1, 1, 0], sample_weight=weight)
        assert model.predict(X)[heavy] == [0, 1, 1, 0][heavy]


def test_a_class_without_weight():
    X, y = separable(90, 2, 0.3, seed=2, classes=3)
    model = Perceptron(max_epochs=10**4).fit(X, y, sample_weight=(y != 1).astype(float))
    assert model.score(X[y != 1], y[y != 1]) == 1.0
    with pytest.raises(DataError, match="one class"):
        Perceptron().fit(X, y, sample_weight=(y == 1).astype(float))


def test_the_order_follows_the_seed():
    X, y = separable(100, 3, 0.02, seed=4)
    runs = [Perceptron(max_epochs=10**4, random_state=s).fit(X, y).coef_ for s in (0, 0, 1)]
    assert (runs[0] == runs[1]).all()
    assert (runs[0] != runs[2]).any()


def test_what_is_refused():
    X, y = separable(20, 2, 0.1, seed=0)
    for settings in ({"batch_size": 7}, {"batch_size": "some"}, {"max_epochs": 0}, {"shuffle": "yes"}):
        with pytest.raises(ParameterError, match=next(iter(settings))):
            Perceptron(**settings).fit(X, y)
    with pytest.raises(DataError, match="one class"):
        Perceptron().fit(X, np.zeros(20))
    with pytest.raises(DataError, match="same number"):
        Perceptron().fit(X, y[:-1])
