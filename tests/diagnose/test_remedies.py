"""Every remedy that parameters can carry becomes parameters that ``set_params`` takes, and helps where it is due."""

import numpy as np
import pytest
from torch import nn

from ganglion.diagnose import ACTIONS, Finding, Remedy
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.estimators.remedies import REMEDIES


def asked(estimator, action, amount=None):
    return estimator.remedy(Finding("healthy", "warning", remedy=Remedy(action, amount)))


def test_every_action_by_parameters_has_a_remedy():
    assert {action for action, (by_parameters, _) in ACTIONS.items() if by_parameters} == set(REMEDIES)


@pytest.mark.parametrize(
    ("settings", "action", "amount", "expected"),
    [
        ({"batch_size": 1}, "larger_batch", 32.0, {"batch_size": 32}),
        ({"batch_size": "full"}, "smaller_batch", 32.0, {"batch_size": 32}),
        ({"optimizer": "sgd", "lr": 0.05}, "change_optimizer", "adamw", {"optimizer": "adamw", "lr": 1e-3}),
        ({}, "normalise", "layer", {"norm": "layer"}),
        ({}, "shortcuts", None, {"residual": True, "norm": "layer"}),
        ({"early_stopping": False}, "soften_labels", 0.1, {"label_smoothing": 0.1, "early_stopping": True}),
        ({}, "weigh_classes", None, {"class_weight": "balanced"}),
    ],
)
def test_what_an_action_changes(settings, action, amount, expected):
    estimator = MLPClassifier(**settings)
    assert asked(estimator, action, amount) == expected
    estimator.set_params(**expected)
    assert asked(estimator, action, amount) == {}  # followed once, there is nothing left to change


def test_actions_that_an_estimator_cannot_follow_change_nothing():
    assert asked(MLPRegressor(), "soften_labels", 0.1) == {}
    assert asked(MLPRegressor(), "robust_loss", "huber") == {"loss": "huber"}
    assert asked(MLPClassifier(loss="hinge"), "soften_labels", 0.1) == {}  # which has no smoothing
    own = MLPClassifier(module=lambda d, k: nn.Linear(d, k))
    assert asked(own, "normalise", "layer") == asked(own, "shortcuts") == {}
    assert asked(own, "larger_batch", 32.0) == {"batch_size": 32}


def test_a_robust_loss_helps_against_gross_errors():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5))
    clean = np.sin(X[:, 0]) + X[:, 1]
    y = clean.copy()
    wrong = rng.random(300) < 0.2
    y[:300][wrong] += rng.choice([-1, 1], wrong.sum()) * rng.uniform(8, 15, wrong.sum())
    net = MLPRegressor(max_epochs=25, hidden_layer_sizes=(32,)).fit(X[:300], y[:300])
    assert net.diagnosis_[0].name == "label_noise"
    better = MLPRegressor(**{**net.get_params(), **net.remedy(net.diagnosis_[0])}).fit(X[:300], y[:300])
    assert better.loss == "huber"
    assert better.score(X[300:], clean[300:]) > net.score(X[300:], clean[300:])
