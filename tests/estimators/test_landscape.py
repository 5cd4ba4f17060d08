"""``ganglion.landscape`` and the field ``watch``: from raw rows, through the estimators."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import ganglion
from ganglion.base.errors import DataError, ParameterError


def table(n=120):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(50, 20, n), "colour": rng.choice(["red", "green"], n)})
    return frame, np.where(frame["size"] > 50, "yes", "no")


def fitted(**settings):
    X, y = table()
    return ganglion.MLPClassifier(hidden_layer_sizes=(8,), max_epochs=5, **settings).fit(X, y), X, y


def test_the_middle_is_the_estimators_own_loss():
    network, X, y = fitted(validation_fraction=0.0)
    found = ganglion.landscape(network, X, y, size=5)
    p = network.predict_proba(X)[np.arange(len(y)), (y == network.classes_[1]).astype(int)]
    assert found.centre == pytest.approx(-np.log(p).mean(), rel=1e-5)
    assert np.asarray(found.loss).shape == (5, 5)


def test_a_regressors_loss_is_in_standardised_units():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = 100 + 5 * X[:, 0]
    network = ganglion.MLPRegressor(hidden_layer_sizes=(8,), max_epochs=5, validation_fraction=0.0).fit(X, y)
    found = ganglion.landscape(network, X, y, dims=1, size=3)
    assert found.centre == pytest.approx(((network.predict(X) - y) ** 2).mean() / y.var(), rel=1e-4)


def test_wrong_use_is_refused():
    network, X, y = fitted()
    with pytest.raises(ParameterError, match="leave loss out"):
        ganglion.landscape(network, X, y, "cross_entropy")
    with pytest.raises(ParameterError, match="needs a loss"):
        ganglion.landscape(nn.Linear(2, 1), [[1.0, 2.0]], [[1.0]])
    with pytest.raises(ParameterError, match="got dict"):
        ganglion.landscape({}, X, y)
    with pytest.raises(DataError, match="same number of rows"):
        ganglion.landscape(network, X, y[:5])


def test_levels_of_watching_leave_the_weights_alone():
    ends, records = [], []
    for watch in ("off", "default", "full"):
        network, _, _ = fitted(watch=watch, dropout=0.2)
        ends.append(list(network.module_.state_dict().values()))
        records.append(network.record_)
    for end in ends[1:]:
        assert all(torch.equal(a, b) for a, b in zip(ends[0], end, strict=True))
    assert records[0].layers == records[0].probes == []
    assert {r["kind"] for r in records[1].probes} <= {"noise"}
    assert {r["kind"] for r in records[2].probes} == {"noise", "curvature", "line", "shift"}
    with pytest.raises(ParameterError, match="watch"):
        fitted(watch="all")
