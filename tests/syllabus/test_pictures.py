"""Networks for pictures do what the syllabus says of them: digits, features of a frozen network, a camera, a lane."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ganglion

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return train_test_split(
        X.reshape(-1, 8, 8).astype(np.uint8), y, test_size=0.25, random_state=0, stratify=y
    )


@pytest.fixture(scope="module")
def network(digits):
    X, _, y, _ = digits
    return ganglion.CNNClassifier(widths=(32, 64), max_epochs=15).fit(X, y)


@pytest.mark.slow
def test_convolutional_neural_network(digits, network):
    X, X_test, y, y_test = digits
    assert network.score(X_test, y_test) >= 0.985
    dense = ganglion.MLPClassifier(hidden_layer_sizes=(256, 256), max_epochs=40).fit(X.reshape(len(X), -1), y)
    assert dense.record_.data["n_parameters"] >= network.record_size()
    assert network.score(X_test, y_test) > dense.score(X_test.reshape(len(X_test), -1), y_test)


@pytest.mark.slow
def test_feature_extraction(digits, network):
    X, X_test, y, y_test = digits

    @torch.no_grad()
    def features(pictures):
        x = network.module_.standardise(torch.from_numpy(pictures)[:, None])
        return network.module_.head.pool(network.module_.features(x)).numpy()

    def linear():
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))

    raw = linear().fit(X.reshape(len(X), -1), y).score(X_test.reshape(len(X_test), -1), y_test)
    assert linear().fit(features(X), y).score(features(X_test), y_test) >= raw
    assert (features(X_test) == features(X_test)).all()


@pytest.mark.slow
def test_a_confusion_matrix_comes_with_the_answers(digits, network):
    _, X_test, _, y_test = digits
    table = confusion_matrix(y_test, network.predict(X_test))
    assert np.trace(table) / table.sum() == network.score(X_test, y_test) >= 0.985


@pytest.mark.slow
def test_residual_network(digits):
    """56 dense layers without shortcuts train worse than 20, with them no worse: the training error tells."""
    X, _, y, _ = digits
    X = X.reshape(len(X), -1)

    def loss(depth, residual):
        settings = {
            "hidden_layer_sizes": (32,) * depth,
            "residual": residual,
            "activation": "relu",
            "dropout": 0.0,
        }
        net = ganglion.MLPClassifier(**settings, norm="batch", bins=0, max_epochs=10, early_stopping=False)
        return net.fit(X, y).history_[-1]["loss"]

    plain, deep = loss(20, False), loss(56, False)
    assert deep > plain + 0.05
    assert loss(56, True) < loss(20, True) + 0.02 < plain + 0.02


@pytest.mark.slow
def test_security_camera_classification():
    found = runpy.run_path(str(EXAMPLES / "plot_camera_stream.py"))["main"](train=2500, test=300)
    assert found["accuracy"] >= 0.97
    assert found["frames a second, one thread"] >= 30


@pytest.mark.slow
def test_autonomous_driving():
    found = runpy.run_path(str(EXAMPLES / "plot_lane_keeping.py"))["main"](tracks=100)
    assert found["kept the lane"] == found["controller kept the lane"] == 100
