"""What simple models tell about rows and targets: against scikit-learn, brute force and counting by hand."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from ganglion.diagnose.directions import direction_facts
from ganglion.diagnose.doubt import confident_errors, gross_errors
from ganglion.diagnose.kernel import RIDGES, kernel_ridge
from ganglion.diagnose.yardstick import kernel_yardstick, linear_left_out


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_the_kernel_model_is_that_of_scikit_learn(rng):
    X, V = rng.normal(size=(60, 4)), rng.normal(size=(20, 4))
    y = np.sin(X[:, :1]) + X[:, 1:2] ** 2
    fitted = kernel_ridge(X, y, V)
    A, B = ((part - X.mean(0)) / X.std(0) for part in (X, V))
    ours = fitted.held
    theirs = {
        r: KernelRidge(alpha=r, kernel="rbf", gamma=1 / 8).fit(A, y - y.mean()).predict(B) + y.mean()
        for r in RIDGES
    }
    assert min(np.abs(ours - p).max() for p in theirs.values()) < 1e-8


def test_left_out_answers_are_those_of_models_without_the_row(rng):
    X, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 1))
    fitted = kernel_ridge(X, y, X[:0])
    A, goal = (X - X.mean(0)) / X.std(0), y - y.mean()
    scaled, start, found = A[fitted.rows], goal[fitted.rows], []
    for ridge in RIDGES:
        answers = []
        for i in range(30):
            rest = np.arange(30) != i
            model = KernelRidge(alpha=ridge, kernel="rbf", gamma=1 / 6).fit(scaled[rest], start[rest])
            answers.append(model.predict(scaled[i : i + 1])[0] + y.mean())
        found.append(np.abs(np.array(answers) - fitted.left_out).max())
    assert min(found) < 1e-8


def test_too_few_rows_or_nothing_that_varies_give_no_kernel_model():
    assert kernel_ridge(np.ones((30, 2)), np.ones((30, 1)), np.ones((3, 2))) is None
    assert kernel_ridge(np.eye(5), np.ones((5, 1)), np.eye(5)) is None


def test_wrong_labels_are_counted_where_the_model_is_sure(rng):
    # rows 0..49 are answered surely, ten of them against their label; the others are doubtful, all wrong
    codes = np.zeros(200, dtype=int)
    answers = np.tile([[5.0, 0.0]], (200, 1))
    answers[:10] = [0.0, 5.0]
    answers[50:] = [0.0, 0.1]
    found = confident_errors(codes, answers)
    assert (found["share"], found["rows"], found["all"]) == (0.2, 50, 0.8)
    assert confident_errors(codes, answers, part=2)["share"] == 0.6
    assert confident_errors(codes[:79], answers[:79]) == {}


def test_left_out_answers_of_the_linear_model(rng):
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    A = np.column_stack([(X - X.mean(0)) / X.std(0), np.ones(40)])
    for i, answer in enumerate(linear_left_out(X, y)):
        rest = np.arange(40) != i
        weights = np.linalg.solve(A[rest].T @ A[rest] + np.eye(4), A[rest].T @ y[rest])
        assert answer == pytest.approx(A[i] @ weights, abs=1e-10)


def test_overlapping_classes_are_clear_where_a_model_is_sure_and_wrong_labels_are_not(rng):
    x = rng.normal(size=(4000, 1)) * 2
    overlap = (rng.random(4000) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(int)
    clean = (x[:, 0] > 0).astype(int)
    flipped = np.where(rng.random(4000) < 0.2, 1 - clean, clean)
    answers = np.column_stack([-x[:, 0], x[:, 0]])
    overlapping, wrong = confident_errors(overlap, answers), confident_errors(flipped, answers)
    assert overlapping["share"] < 0.3 * overlapping["all"]
    assert wrong["share"] == pytest.approx(0.2, abs=0.03)
    assert wrong["share"] > 0.8 * wrong["all"]


def test_gross_errors_are_those_beyond_five_robust_deviations(rng):
    residuals = rng.normal(size=1000)
    assert gross_errors(residuals)["share"] == 0.0
    residuals[:70] += 30.0
    assert gross_errors(residuals)["share"] == pytest.approx(0.07)
    assert gross_errors(np.zeros(50)) == {}


@pytest.mark.parametrize(("scale", "expected"), [(1.0, 1.0), (0.01, 1e4)])
def test_the_condition_is_that_of_the_direction_which_tells_the_target(rng, scale, expected):
    Q = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    own = rng.normal(size=(2000, 3)) * [1.0, 1.0, scale]
    found = direction_facts(own @ Q, own[:, 2:])["condition"]
    assert found == pytest.approx(expected, rel=0.25)
    # the weak direction does no harm where the target does not lie in it
    assert direction_facts(own @ Q, own[:, :1])["condition"] < 1.3


def test_a_target_of_chance_has_no_condition(rng):
    found = direction_facts(rng.normal(size=(500, 4)), rng.normal(size=(500, 1)))
    assert list(found) == ["largest_share"]
    assert found["largest_share"] == pytest.approx(0.25, abs=0.06)


def test_facts_of_the_yardstick(rng):
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    scores, facts = kernel_yardstick(X[:200], y[:200], X[200:], y[200:], classes=2)
    assert scores["score"] > 0.85  # exclusive or, which no linear model finds
    assert scores["left_out"] == pytest.approx(scores["score"], abs=0.1)
    assert facts["doubtful_labels"]["share"] < 0.05
    assert kernel_yardstick(X[:200], y[:200], X[:0], y[:0], classes=2)[0] == {}
