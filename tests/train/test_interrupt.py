"""Ctrl-C ends training cleanly, with the best weights kept."""

import os
import signal
import threading

import numpy as np
import pytest

from ganglion.estimators.mlp import MLPClassifier


def table(n=150):
    X = np.random.default_rng(1).normal(size=(n, 4))
    return X, (X[:, 0] > X[:, 1]).astype(int)


@pytest.fixture
def interrupts():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_ends_cleanly_with_the_best_weights():
    X, y = table(400)
    model = MLPClassifier(hidden_layer_sizes=(8,), max_epochs=10**6, early_stopping=False, batch_size=16)
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, y)
    assert model.record_.stopped == "interrupt"
    best = min(model.history_, key=lambda row: row["val_loss"])
    assert model.best_epoch_ == best["epoch"]
    assert model.record_.scores["validation"]["loss"] == pytest.approx(best["val_loss"], abs=1e-5)
    assert model.score(X, y) > 0.8


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("call", [1, 3])
def test_an_interrupt_while_validating(call, monkeypatch):
    """Also in the first epoch, before there is any row of the history."""
    calls, score = [], MLPClassifier._score

    def interrupted(self, *args):
        calls.append(1)
        if len(calls) == call:
            signal.raise_signal(signal.SIGINT)
        return score(self, *args)

    monkeypatch.setattr(MLPClassifier, "_score", interrupted)
    X, y = table(200)
    with pytest.warns(UserWarning, match="interrupted"):
        model = MLPClassifier(hidden_layer_sizes=(8,), max_epochs=9).fit(X, y)
    assert len(model.history_) == call - 1
    assert not model.module_.training
    assert model.predict(X).shape == y.shape
    assert model.summary()
