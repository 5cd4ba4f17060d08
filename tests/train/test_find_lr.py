"""The learning-rate finder: rates grow by equal ratios, the suggestion lies before the burst, nothing changes."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from ganglion.estimators.mlp import MLPClassifier
from ganglion.train.find_lr import a_tenth_of_the_lowest, smoothed


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)


def test_rates_grow_by_equal_ratios_and_the_estimator_stays_unfitted(digits):
    net = MLPClassifier()
    found = net.find_lr(*digits, lowest=1e-5, highest=1.0, steps=60)
    ratios = np.diff(np.log(found.rates))
    assert np.allclose(ratios, ratios[0])
    assert found.rates[0] == pytest.approx(1e-5)
    assert not hasattr(net, "module_")
    assert net.lr == MLPClassifier().lr


def test_the_suggestion_trains_well_where_ten_times_the_bursting_rate_does_not(digits):
    X, y = digits[0][:1200], digits[1][:1200]
    found = MLPClassifier().find_lr(X, y)
    assert 1e-4 < found.suggestion < 1e-2
    settings = {"max_epochs": 8, "early_stopping": False}
    good = MLPClassifier(lr=found.suggestion, **settings).fit(X, y)
    wild = MLPClassifier(lr=found.suggestion * 1000, **settings).fit(X, y)
    held = digits[0][1200:], digits[1][1200:]
    assert good.score(*held) > 0.85 > wild.score(*held)


def test_the_same_twice(digits):
    assert MLPClassifier().find_lr(*digits, steps=30) == MLPClassifier().find_lr(*digits, steps=30)


def test_by_hand():
    assert a_tenth_of_the_lowest([1.0, 2.0, 4.0], [3.0, 1.0, float("nan")]) == 0.2
    # m1 = .1*1/.1 = 1; m2 = (.9*.1 + .1*3) / .19
    assert smoothed([1.0, 3.0]) == pytest.approx([1.0, 0.39 / 0.19])
