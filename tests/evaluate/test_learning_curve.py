"""Learning curves: the parts are nested, the power law is found, the verdict is the curve's."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from ganglion.base.errors import DataError, ParameterError
from ganglion.estimators.mlp import MLPClassifier
from ganglion.evaluate.learning_curve import PowerLaw, fit_power_law, learning_curve


@pytest.mark.parametrize("law", [PowerLaw(0.05, 3.0, 0.5), PowerLaw(0.0, 1.0, 0.2), PowerLaw(0.3, 0.0, 1.0)])
def test_a_power_law_is_found_again(law):
    n = np.array([50, 100, 200, 400, 800])
    found = fit_power_law(n, [law(k) for k in n])
    assert found(1600) == pytest.approx(law(1600), rel=0.01)


def test_a_noisy_power_law_tells_the_error_at_twice_the_rows():
    rng = np.random.default_rng(0)
    n = np.array([50, 100, 200, 400, 800, 1600])
    missed = []
    for _ in range(20):
        noisy = (0.05 + 2.0 * n**-0.6) * np.exp(0.02 * rng.normal(size=len(n)))
        missed.append(abs(fit_power_law(n, noisy)(3200) / (0.05 + 2.0 * 3200**-0.6) - 1))
    assert np.median(missed) < 0.1


def test_the_error_of_least_squares_falls_as_the_theory_says():
    # excess risk of d columns: noise^2 d / (n - d - 1), beside the noise itself
    rng = np.random.default_rng(1)
    X, noise = rng.normal(size=(6000, 10)), 1.0
    y = X.sum(1) + noise * rng.normal(size=6000)
    rows = learning_curve(LinearRegression(), X, y, sizes=(0.02, 0.04, 0.5), held_out=0.5).rows
    for row in rows:
        expected = (noise + 10 / (row["n_train"] - 11)) / (10 + noise)
        assert 1 - row["val_score"] == pytest.approx(expected, rel=0.2)


def test_the_record_holds_the_curve_and_the_verdict_speaks_of_it():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 60))
    y = (X[:, 0] + rng.normal(size=400) > 0).astype(int)
    net = MLPClassifier(validation_fraction=0.0, weight_decay=0.0, dropout=0.0, max_epochs=30)
    curve = learning_curve(net, X, y, sizes=(0.4, 1.0))
    assert [row["n_train"] for row in curve.rows] == [120, 300]
    assert curve.estimator.record_.curve == curve.rows
    assert curve.findings[0].name == "high_variance"
    assert not hasattr(net, "record_")


def test_wrong_sizes_and_too_few_rows_are_refused():
    X = np.zeros((12, 2))
    with pytest.raises(ParameterError, match="shares above 0"):
        learning_curve(LinearRegression(), X, X[:, 0], sizes=(0.5, 2.0))
    with pytest.raises(DataError, match="at least 4 rows"):
        learning_curve(LinearRegression(), X, X[:, 0])
    with pytest.raises(DataError, match="two sizes"):
        fit_power_law([100], [0.1])
