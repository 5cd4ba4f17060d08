"""Whole networks: perceptron, multilayer perceptrons, deep stacks, and their description in a file."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from sklearn.datasets import make_circles, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.linear_model import Perceptron as TheirPerceptron
from sklearn.naive_bayes import GaussianNB

import ganglion
from ganglion import MLPClassifier, MLPRegressor, Perceptron
from ganglion.base.errors import ModelFileError
from ganglion.base.files import read_model, write_model
from ganglion.estimators.perceptron import separability

XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])


def separable(rng, n=80, d=3, gap=0.3):
    """Rows (exact in float32) on two sides of a plane, none nearer than ``gap``, and Novikoff's (R / gamma)^2."""
    w, b = rng.normal(size=d), rng.normal() * 0.3
    X = np.round(rng.normal(size=(20 * n, d)) * 64) / 64
    distance = (X @ w + b) / np.linalg.norm(w)
    X, distance = X[np.abs(distance) > gap][:n], distance[np.abs(distance) > gap][:n]
    gamma = np.abs(X @ w + b).min() / np.linalg.norm([*w, b])  # the constant 1 is an input like the others
    return X, (distance > 0).astype(int), ((X**2).sum(1).max() + 1) / gamma**2


def test_perceptron(rng):
    """Separable rows are learned without error within (R / gamma)^2 mistakes; XOR stays at 3 of 4."""
    for _ in range(10):
        X, y, most = separable(rng)
        net = Perceptron(preprocess="none", max_epochs=5000).fit(X, y)
        assert net.score(X, y) == 1
        assert net.separable_
        assert 0 < net.n_updates_ <= most
    with pytest.warns(ConvergenceWarning, match="not linearly separable"):
        net = Perceptron(preprocess="none", max_epochs=200).fit(*XOR)
    assert net.score(*XOR) <= 0.75
    assert net.separable_ is False


def test_perceptron_learning_rule(rng):
    """The same steps as scikit-learn's perceptron; never at rest on XOR, where the errors go in a circle.

    One weight vector per class moves by x, so their difference is exactly twice scikit-learn's. The first row
    is of the second class: at a tie of zero weights scikit-learn corrects either class and Ganglion only it.
    """
    for _ in range(10):
        X, y, most = separable(rng)
        first = np.argmax(y)
        X[[0, first]], y[[0, first]] = X[[first, 0]], y[[first, 0]]
        ours = Perceptron(preprocess="none", shuffle=False, max_epochs=2000).fit(X, y)
        theirs = TheirPerceptron(shuffle=False, tol=None, max_iter=2000).fit(X, y)
        np.testing.assert_array_equal(ours.coef_, 2 * theirs.coef_)
        np.testing.assert_array_equal(ours.intercept_, 2 * theirs.intercept_)
        assert ours.n_updates_ <= most
    with pytest.warns(ConvergenceWarning):
        circling = Perceptron(preprocess="none", shuffle=False, max_epochs=60).fit(*XOR)
    wrong = [row["loss"] for row in circling.history_]
    assert min(wrong) > 0
    assert any(wrong[30:45] == wrong[30 + period : 45 + period] for period in range(1, 15))


def test_multilayer_perceptron(digits, digit_net):
    """At least 97 % on held-out digits, and 95 % on two moons where a plane gets about 86 %."""
    assert digit_net.score(digits[1], digits[3]) >= 0.97
    M, m = make_moons(2000, noise=0.2, random_state=0)
    assert LogisticRegression().fit(M[:1000], m[:1000]).score(M[1000:], m[1000:]) < 0.9
    assert (
        MLPClassifier(hidden_layer_sizes=(64, 64)).fit(M[:1000], m[:1000]).score(M[1000:], m[1000:]) >= 0.95
    )


@pytest.mark.parametrize("depth", [2, 8, 20])
def test_deep_neural_network(depth, digits):
    """ReLU stacks with He's start reach 99 % on their training rows, and a linear probe sees layers improve.

    Reduced: depths 2, 8 and 20 of 64 units; probes are fitted on the training rows, judged on held-out ones.
    """
    X, X_held, y, y_held = digits
    net = MLPClassifier(hidden_layer_sizes=(64,) * depth, activation="relu", init="he", dropout=0.0)
    net.set_params(preprocess="none", validation_fraction=0, max_epochs=40, batch_size=64, clip_norm=1.0)
    net.fit(X, y)
    assert net.score(X, y) >= 0.99
    hidden = {}
    for place in (0, depth - 1):
        net.module_.stack.activations[place].register_forward_hook(
            lambda module, x, out, place=place: hidden.setdefault(place, []).append(out.numpy())
        )
    with torch.no_grad():
        for rows in (X, X_held):
            net.module_(torch.as_tensor(rows, dtype=torch.float32))
    probed = {p: RidgeClassifier().fit(seen / seen.std(), y).score(held / seen.std(), y_held)
              for p, (seen, held) in hidden.items()}  # fmt: skip
    assert probed[depth - 1] > probed[0]


def test_network_architecture_specification(rng, tmp_path):
    """A description is plain settings; saved and loaded it gives the same bits; one that lies is refused by layer.

    Reduced to 40 random descriptions (the card asks 100).
    """
    X, y = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)
    path = tmp_path / "net.ganglion"
    for i in range(40):
        sizes = tuple(int(w) for w in rng.integers(1, 30, rng.integers(0, 4)))
        kind = (MLPClassifier, MLPRegressor)[i % 2]
        spec = {"hidden_layer_sizes": sizes, "activation": str(rng.choice(["relu", "tanh", "gelu"]))}
        net = kind(**spec, max_epochs=1, bins=int(rng.integers(0, 5))).fit(X, y)
        net.save(path)
        again = ganglion.load(path)
        assert again.get_params()["hidden_layer_sizes"] == sizes
        assert sum(p.numel() for p in again.module_.parameters()) == net.record_size()
        answer = "predict_proba" if i % 2 == 0 else "predict"
        assert np.array_equal(getattr(net, answer)(X), getattr(again, answer)(X))

    MLPClassifier(hidden_layer_sizes=(8, 6), max_epochs=1).fit(X, y).save(path)
    file = read_model(path)
    file.config["parameters"]["hidden_layer_sizes"] = [8, 7]
    parts = {"card": file.card, "preprocess": file.preprocess, "arrays": file.arrays, "weights": file.weights}
    write_model(path, config=file.config, **parts)
    with pytest.raises(ModelFileError, match=r"linears\.1\.weight should be \(7, 8\)"):
        ganglion.load(path)


def test_nonlinear_separability(rng):
    """A network solves XOR and circles; the linear program decides 100 random sets as a second program does."""
    corners = np.repeat(XOR[0] * 2 - 1, 25, axis=0)
    labels = np.repeat(XOR[1], 25)
    assert (
        MLPClassifier(hidden_layer_sizes=(16,), max_epochs=60).fit(corners, labels).score(corners, labels)
        == 1
    )
    C, c = make_circles(2000, noise=0.05, factor=0.5, random_state=0)
    net = MLPClassifier(hidden_layer_sizes=(64,), max_epochs=60).fit(C[:1000], c[:1000])
    assert net.score(C[1000:], c[1000:]) >= 0.98

    verdicts = []
    for _ in range(100):
        n = int(rng.integers(4, 12))
        X, y = rng.normal(size=(n, 2)), np.arange(n) % 2
        verdicts.append(separability(np.c_[X, np.ones(n)], y) is not False)
        assert verdicts[-1] == hulls_are_apart(X[y == 0], X[y == 1])
    assert 10 < sum(verdicts) < 90


def hulls_are_apart(A, B) -> bool:
    """The other side of the theorem: no point is a convex mixture of both sets."""
    sums = np.zeros((2, len(A) + len(B)))
    sums[0, : len(A)] = sums[1, len(A) :] = 1
    mixtures = np.vstack([np.c_[A.T, -B.T], sums])
    return linprog(np.zeros(len(A) + len(B)), A_eq=mixtures, b_eq=[0, 0, 1, 1]).status == 2


def test_discriminative_model(rng):
    """A network without hidden layers is logistic regression: it finds the posterior of two Gaussians.

    Where naive Bayes' assumption is broken (correlated columns) its error is lower.
    """
    n = 100_000
    y = rng.integers(0, 2, n)
    mean = np.array([0.8, -0.5, 0.3])
    X = rng.normal(size=(n, 3)) + np.outer(2 * y - 1, mean)
    net = MLPClassifier(hidden_layer_sizes=(), preprocess="none", weight_decay=0, validation_fraction=0)
    net.set_params(lr=0.1, batch_size=5000, max_epochs=15).fit(X, y)
    weight = net.module_.stack.linears[0].weight.detach().numpy()
    np.testing.assert_allclose(weight[1] - weight[0], 2 * mean, rtol=0.05)  # log-odds of unit Gaussians

    mixed = (X - np.outer(2 * y - 1, mean)) @ np.array([[1, 0.9, 0], [0, 0.45, 0], [0, 0, 1]])
    mixed = mixed + np.outer(2 * y - 1, mean)
    half = n // 2
    net.fit(mixed[:half], y[:half])
    naive = GaussianNB().fit(mixed[:half], y[:half])
    assert net.score(mixed[half:], y[half:]) >= naive.score(mixed[half:], y[half:]) + 0.01
