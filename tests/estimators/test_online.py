"""Learning in pieces: partial_fit, warm_start, and what they refuse."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from ganglion.base.errors import DataError, GanglionError, ParameterError
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor

SMALL = {"hidden_layer_sizes": (16,), "dropout": 0.0, "batch_size": 16}


def rows(n, seed=0):
    X = np.random.default_rng(seed).normal(size=(n, 3))
    return X, X @ [1.0, -2.0, 0.5]


# --- partial_fit --------------------------------------------------------------------------------------------


def test_a_stream_of_batches_approaches_the_batch_solution():
    X, y = rows(3000)
    test, truth = rows(1000, 1)
    whole = MLPRegressor(max_epochs=20, **SMALL).fit(X, y)
    online, errors = MLPRegressor(**SMALL), []
    for _ in range(4):
        for at in range(0, 3000, 100):
            online.partial_fit(X[at : at + 100], y[at : at + 100])
            errors.append(1 - online.score(test, truth))
    assert errors[-1] < 0.02
    assert errors[-1] < 0.3 * errors[3]
    assert whole.score(test, truth) - online.score(test, truth) < 0.02


def test_a_stream_of_classes():
    X, score = rows(2000)
    y = np.where(score > 0, "up", "down")
    online = MLPClassifier(lr=1e-2, **SMALL)
    for at in range(0, 2000, 50):
        online.partial_fit(X[at : at + 50], y[at : at + 50], classes=["up", "down"])
    assert online.classes_.tolist() == ["down", "up"]
    assert online.score(X, y) > LogisticRegression().fit(X, y).score(X, y) - 0.03


def test_a_batch_may_lack_classes_or_hold_one_row():
    X, score = rows(300)
    y = np.digitize(score, [-1, 1])
    online = MLPClassifier(**SMALL)
    online.partial_fit(X[y == 1], y[y == 1], classes=[0, 1, 2])
    for i in range(20):
        online.partial_fit(X[i : i + 1], y[i : i + 1])
    assert online.predict_proba(X).shape == (300, 3)


def test_one_call_is_one_pass_at_a_constant_rate():
    X, y = rows(160)
    model = MLPRegressor(max_epochs=50, **SMALL).partial_fit(X, y)
    assert model.n_iter_ == 1
    assert model.history_[0]["step"] == 10
    assert model.history_[0]["lr"] == model.lr
    assert model.get_params()["max_epochs"] == 50  # untouched


def test_the_moments_of_the_optimiser_carry_on():
    """Two calls on halves make the weights of one optimiser, not of two that start cold."""
    X, y = rows(64)
    settings = {**SMALL, "batch_size": "full", "lr": 1e-2, "weight_decay": 0.0, "preprocess": "none"}
    model, cold = MLPRegressor(**settings), MLPRegressor(**settings)
    for _ in range(5):
        model.partial_fit(X, y)
        cold.partial_fit(X, y)
        cold._moments = None
    t = model._moments[0]["t"]
    assert float(t) == 5
    assert not np.allclose(model.predict(X), cold.predict(X), atol=1e-3)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
def test_every_optimiser_goes_on(optimizer):
    X, y = rows(500)
    model = MLPRegressor(optimizer=optimizer, lr=2e-3 if optimizer == "rmsprop" else 1e-2, **SMALL)
    scores = [model.partial_fit(X, y).score(X, y) for _ in range(8)]
    assert scores[-1] > 0.8
    assert scores[-1] > scores[0]


def test_an_unknown_label_is_refused_by_name():
    X, y = rows(60)
    model = MLPClassifier(**SMALL).partial_fit(X, np.where(y > 0, "a", "b"), classes=["a", "b"])
    before = model.predict_proba(X)
    with pytest.raises(DataError, match=r"unknown label 'c'.*'a', 'b'"):
        model.partial_fit(X, np.full(60, "c"))
    with pytest.raises(DataError, match="classes="):
        model.partial_fit(X, np.where(y > 0, "a", "b"), classes=["a", "b", "c"])
    assert (model.predict_proba(X) == before).all()


def test_the_first_batch_must_not_guess_the_classes():
    X, _ = rows(20)
    with pytest.raises(DataError, match="class"):
        MLPClassifier(**SMALL).partial_fit(X, np.zeros(20))


def test_other_columns_are_refused():
    X, y = rows(60)
    model = MLPRegressor(**SMALL).partial_fit(X, y)
    with pytest.raises(ValueError, match="2 features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(DataError, match="1 outputs"):
        model.partial_fit(X, np.c_[y, y])


def test_the_columns_are_those_of_the_first_call():
    """Later batches are scaled as the first one, whatever they hold."""
    X, y = rows(200)
    model = MLPRegressor(**SMALL).partial_fit(X, y)
    one = model._matrix(X[:5])
    model.partial_fit(X * 100 + 3, y)
    assert (model._matrix(X[:5]) == one).all()


def test_a_fit_after_a_stream_starts_anew():
    X, y = rows(200)
    fresh = MLPRegressor(max_epochs=3, **SMALL).fit(X, y).predict(X)
    model = MLPRegressor(max_epochs=3, **SMALL).partial_fit(X, 5 - y).fit(X, y)
    assert (model.predict(X) == fresh).all()


def test_weights_count_in_a_stream():
    X, y = rows(400)
    heavy = np.where(X[:, 0] > 0, 1.0, 0.0)
    model = MLPRegressor(lr=1e-2, **SMALL)
    for _ in range(20):
        model.partial_fit(X, np.where(heavy > 0, y, -50.0), sample_weight=heavy)
    used = heavy > 0
    assert model.score(X[used], y[used]) > 0.9


# --- warm_start ---------------------------------------------------------------------------------------------


def test_warm_start_goes_on_from_the_present_weights():
    X, y = rows(400)
    settings = {**SMALL, "max_epochs": 3, "schedule": "constant", "early_stopping": False}
    warm, cold = MLPRegressor(warm_start=True, **settings), MLPRegressor(**settings)
    first, again = [], []
    for _ in range(4):
        first.append(warm.fit(X, y).history_[0]["loss"])
        again.append(cold.fit(X, y).history_[0]["loss"])
    assert len(set(again)) == 1
    assert first == sorted(first, reverse=True)
    assert first[-1] < 0.2 * first[0]


def test_warm_start_keeps_the_classes():
    X, y = rows(100)
    model = MLPClassifier(warm_start=True, max_epochs=2, **SMALL).fit(X, y > 0)
    with pytest.raises(DataError, match="unknown label"):
        model.fit(X, np.where(y > 0, 5, 6))
    with pytest.raises(ValueError, match="2 features"):
        model.fit(X[:, :2], y > 0)


def test_a_loaded_model_goes_on(tmp_path):
    from ganglion.estimators.persist import load

    X, y = rows(300)
    model = MLPRegressor(max_epochs=2, warm_start=True, lr=1e-2, **SMALL).fit(X, y)
    back = load(model.save(tmp_path / "m.ganglion"))
    before = back.score(X, y)
    assert back.fit(X, y).score(X, y) > before
    other = load(tmp_path / "m.ganglion")
    assert other.partial_fit(X, y).score(X, y) > before


def test_a_search_with_clipping_is_refused():
    X, y = rows(60)
    settings = {**SMALL, "optimizer": "lbfgs", "weight_decay": 0.0, "batch_size": "full"}
    for field in ("clip_norm", "clip_value", "clip_adaptive", "scale_norm"):
        with pytest.raises(GanglionError, match="cannot be clipped"):
            MLPRegressor(**{**settings, field: 1.0}).fit(X, y)


def test_a_search_over_mini_batches_is_warned_of():
    X, y = rows(60)
    with pytest.warns(UserWarning, match="lbfgs compares gradients.*batch_size='full'"):
        MLPRegressor(**{**SMALL, "optimizer": "lbfgs", "weight_decay": 0.0, "batch_size": 20}).fit(X, y)


def test_online_learning_has_no_average():
    X, y = rows(60)
    with pytest.raises(ParameterError, match="average=None"):
        MLPRegressor(average="ema", **SMALL).partial_fit(X, y)


def test_each_call_has_its_own_order(monkeypatch):
    """With one and the same seed, dropout would drop the same units of the same places in every call."""
    from ganglion.data.batches import ResidentBatches

    seeds, epoch = [], ResidentBatches.epoch
    monkeypatch.setattr(
        ResidentBatches, "epoch", lambda self, seed, *rest: (seeds.append(seed), epoch(self, seed, *rest))[1]
    )
    X, y = rows(64)
    for _ in range(2):
        model = MLPRegressor(random_state=2**32 - 2, **SMALL)
        for _ in range(4):
            model.partial_fit(X, y)
    assert len(set(seeds[:4])) == 4
    assert seeds[:4] == seeds[4:]
    model.fit(X, y).partial_fit(X, y)
    assert seeds[-1] == seeds[1]
