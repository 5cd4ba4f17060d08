"""What each setting of a network does, seen from outside."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.columns import as_frame
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.estimators.persist import load

SMALL = {"hidden_layer_sizes": (16,), "max_epochs": 15, "batch_size": 16}


def numbers(n=300, seed=0, noise=0.0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, np.sin(X[:, 0]) + X[:, 1] + noise * rng.normal(size=n)


def classes(n=400, share=0.1, seed=0):
    """Two overlapping classes, the second one rare."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return rng.normal(size=(n, 3)) + y[:, None], y


def weights_of(model):
    return torch.cat([p.detach().ravel() for p in model.module_.parameters()])


# --- weights of rows and classes ----------------------------------------------------------------------------


def test_weight_zero_leaves_a_row_out():
    X, y = numbers()
    plain = {"dropout": 0.0, "validation_fraction": 0.0, "batch_size": "full", "hidden_layer_sizes": (8,)}
    used = np.arange(300) % 3 > 0
    spoiled = np.where(used, y, 1e3)
    a = MLPRegressor(max_epochs=20, **plain).fit(X, spoiled, sample_weight=used.astype(float))
    b = MLPRegressor(max_epochs=20, **plain).fit(X[used], y[used])
    assert np.abs(a.predict(X) - b.predict(X)).max() < 1e-6


def test_only_the_proportions_of_weights_count():
    X, y = numbers()
    weight = np.random.default_rng(1).uniform(0.5, 2, 300)
    a, b = (MLPRegressor(**SMALL).fit(X, y, sample_weight=c * weight) for c in (1.0, 4.0))
    assert np.allclose(a.predict(X), b.predict(X), atol=1e-5)
    ones, none = (
        MLPRegressor(**SMALL).fit(X, y, sample_weight=np.full(300, 3.0)),
        MLPRegressor(**SMALL).fit(X, y),
    )
    assert np.allclose(ones.predict(X), none.predict(X), atol=1e-5)


@pytest.mark.parametrize("wrong", [-np.ones(300), np.zeros(300), np.ones(299), np.full(300, np.nan)])
def test_wrong_weights_are_refused(wrong):
    with pytest.raises(ValueError):
        MLPRegressor(**SMALL).fit(*numbers(), sample_weight=wrong)


def test_balanced_equals_the_explicit_weights():
    X, y = classes()
    counts = np.bincount(y)
    explicit = {int(c): 400 / (2 * counts[c]) for c in (0, 1)}
    by_rows = np.array([explicit[c] for c in y])
    models = [
        MLPClassifier(class_weight="balanced", **SMALL).fit(X, y),
        MLPClassifier(class_weight=explicit, **SMALL).fit(X, y),
        MLPClassifier(**SMALL).fit(X, y, sample_weight=by_rows),
    ]
    told = [m.predict_proba(X) for m in models]
    assert (told[0] == told[1]).all()
    assert (told[0] == told[2]).all()


def test_balanced_finds_more_of_the_rare_class():
    X, y = classes()
    plain, balanced = (MLPClassifier(class_weight=w, **SMALL).fit(X, y) for w in (None, "balanced"))
    found = [m.predict(X)[y == 1].mean() for m in (plain, balanced)]
    assert found[1] > found[0] + 0.2


def test_class_weights_by_label():
    X, y = classes()
    names = np.array(["no", "yes"])[y]
    a = MLPClassifier(class_weight={"yes": 5.0}, **SMALL).fit(X, names)
    b = MLPClassifier(class_weight={1: 5.0, 0: 1.0}, **SMALL).fit(X, y)
    assert (a.predict_proba(X) == b.predict_proba(X)).all()
    with pytest.raises(DataError, match="'maybe'"):
        MLPClassifier(class_weight={"maybe": 5.0}, **SMALL).fit(X, names)
    with pytest.raises(ParameterError, match="class_weight"):
        MLPClassifier(class_weight={"yes": "a lot"}, **SMALL).fit(X, names)


def test_label_smoothing_makes_answers_less_sure():
    X, y = classes(share=0.5)
    X = X + 6 * y[:, None]
    sure, unsure = (MLPClassifier(label_smoothing=s, **SMALL).fit(X, y) for s in (0.0, 0.2))
    assert sure.predict_proba(X).max(1).mean() > unsure.predict_proba(X).max(1).mean() + 0.02
    assert unsure.predict_proba(X).max(1).mean() == pytest.approx(0.9, abs=0.05)


# --- outputs ------------------------------------------------------------------------------------------------


def test_several_outputs_keep_their_own_scales():
    X, y = numbers()
    goal = np.c_[y, 1000 * X[:, 2] + 5000, 1e-3 * X[:, 3]]
    model = MLPRegressor(lr=1e-2, **{**SMALL, "max_epochs": 40}).fit(X, goal)
    told = model.predict(X)
    assert told.shape == (300, 3)
    for i in range(3):
        assert 1 - ((told[:, i] - goal[:, i]) ** 2).mean() / goal[:, i].var() > 0.9


def test_one_column_is_one_output():
    X, y = numbers()
    flat = MLPRegressor(**SMALL).fit(X, y).predict(X)
    with pytest.warns(UserWarning, match="1d array"):
        column = MLPRegressor(**SMALL).fit(X, y[:, None]).predict(X)
    assert flat.shape == column.shape == (300,)
    assert (flat == column).all()


def test_a_constant_target_is_told():
    X, _ = numbers()
    assert np.allclose(MLPRegressor(**SMALL).fit(X, np.full(300, 7.0)).predict(X), 7.0, atol=0.2)


def test_probabilities_are_probabilities():
    X, y = numbers()
    model = MLPClassifier(**SMALL).fit(X, np.digitize(y, [-1, 0, 1]))
    p = model.predict_proba(X)
    assert p.shape == (300, 4)
    assert np.allclose(p.sum(1), 1)
    assert (p.argmax(1) == model.predict(X)).all()
    assert (model.decision_function(X).argmax(1) == p.argmax(1)).all()


def test_two_classes_have_one_decision():
    X, y = classes()
    model = MLPClassifier(**SMALL).fit(X, y)
    decided = model.decision_function(X)
    assert decided.shape == (400,)
    assert ((decided > 0) == model.predict(X)).all()
    assert np.allclose(1 / (1 + np.exp(-decided)), model.predict_proba(X)[:, 1])


# --- how long -----------------------------------------------------------------------------------------------


def test_a_time_limit_is_kept_and_the_best_weights_too():
    X, y = numbers()
    started = time.monotonic()
    model = MLPRegressor(**{**SMALL, "max_epochs": 10**6}, time_limit=0.5, early_stopping=False).fit(X, y)
    assert time.monotonic() - started < 3
    assert model.record_.stopped == "time"
    assert len(model.history_) > 2
    best = min(model.history_, key=lambda row: row["val_loss"])
    assert model.best_epoch_ == best["epoch"]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_early_stopping_restores_the_best_weights(optimizer):
    X, y = numbers(120, noise=1.0)
    settings = {"hidden_layer_sizes": (64,), "batch_size": 8, "dropout": 0.0, "weight_decay": 0.0}
    model = MLPRegressor(
        max_epochs=200, patience=5, lr=1e-2, optimizer=optimizer, schedule="constant", **settings
    ).fit(X, y)
    losses = [row["val_loss"] for row in model.history_]
    assert model.record_.stopped == "early"
    assert model.n_iter_ == len(losses) < 200
    assert model.best_epoch_ == 1 + int(np.argmin(losses)) == len(losses) - 5
    assert model.record_.scores["validation"]["loss"] == pytest.approx(min(losses), rel=1e-4)


def test_without_early_stopping_all_epochs_are_made_and_the_best_still_kept():
    X, y = numbers(120, noise=1.0)
    model = MLPRegressor(**SMALL, early_stopping=False, patience=1, lr=3e-2).fit(X, y)
    losses = [row["val_loss"] for row in model.history_]
    assert len(losses) == 15
    assert model.record_.scores["validation"]["loss"] == pytest.approx(min(losses), rel=1e-4)


def test_without_a_validation_part_everything_trains():
    X, y = numbers()
    model = MLPRegressor(validation_fraction=0.0, **SMALL).fit(X, y)
    assert model.record_.data["n_train"] == 300
    assert model.record_.data["n_validation"] == 0
    assert "val_loss" not in model.history_[0]
    assert model.best_epoch_ is None
    assert list(model.record_.scores) == ["train"]


def test_few_rows_have_no_validation_part():
    X, y = numbers(40)
    assert MLPRegressor(**SMALL).fit(X, y).record_.data["n_validation"] == 0


# --- numbers that change the course -------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_l1_makes_exact_zeros(optimizer):
    X, y = numbers()
    X = np.c_[X, np.random.default_rng(2).normal(size=(300, 20))]  # most columns tell nothing
    rate, l1 = {"adamw": (1e-2, 0.3), "sgd": (5e-2, 0.05)}[optimizer]
    settings = {
        **SMALL,
        "max_epochs": 40,
        "lr": rate,
        "optimizer": optimizer,
        "dropout": 0.0,
        "weight_decay": 0.0,
    }
    dense = MLPRegressor(**settings)
    sparse = MLPRegressor(**settings, l1=l1)
    share = [float((weights_of(m.fit(X, y)) == 0).float().mean()) for m in (dense, sparse)]
    assert share[0] < 0.05
    assert share[1] > 0.5
    assert sparse.score(X, y) > 0.5


def test_clipping_bounds_the_steps():
    X, y = numbers(noise=0.5)
    model = MLPRegressor(clip_norm=0.1, **SMALL).fit(X, 1 + 3 * y)
    assert model.history_[0]["clipped"] > 0.5
    assert model.history_[0]["grad_norm_max"] > 0.1  # as measured before
    free = MLPRegressor(**SMALL).fit(X, 1 + 3 * y)
    assert free.history_[0]["clipped"] == 0
    assert not torch.equal(weights_of(model), weights_of(free))
    by_value = MLPRegressor(clip_value=1e-3, **SMALL).fit(X, 1 + 3 * y)
    assert not torch.equal(weights_of(by_value), weights_of(free))


def test_accumulated_batches_equal_the_large_batch():
    X, y = numbers()
    settings = {"dropout": 0.0, "precision": "float64", "hidden_layer_sizes": (8,), "max_epochs": 5}
    large = MLPRegressor(batch_size=32, **settings).fit(X, y)
    small = MLPRegressor(batch_size=8, accumulate=4, **settings).fit(X, y)
    assert large.history_[-1]["step"] == small.history_[-1]["step"]
    assert np.abs(large.predict(X) - small.predict(X)).max() < 1e-6


def test_weight_decay_shrinks_the_weights():
    X, y = numbers()
    norms = [
        float(weights_of(MLPRegressor(weight_decay=d, lr=1e-2, **SMALL).fit(X, y)).norm()) for d in (0.0, 2.0)
    ]
    assert norms[1] < 0.9 * norms[0]


@pytest.mark.parametrize("precision", ["float32", "float64", "bf16"])
def test_every_precision_learns(precision):
    X, y = numbers()
    model = MLPRegressor(precision=precision, lr=1e-2, **SMALL).fit(X, y)
    assert model.score(X, y) > 0.8
    assert model.record_.plan["precision"] == precision
    assert next(model.module_.parameters()).dtype is torch.float32


@pytest.mark.parametrize("size", [1, 7, 1000, "full", "auto"])
def test_every_batch_size_learns(size):
    X, y = numbers(120)
    model = MLPRegressor(**{**SMALL, "batch_size": size, "max_epochs": 5}).fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert 1 <= model.record_.plan["batch_size"] <= 120


@pytest.mark.parametrize("sizes", [(), 8, (8,), [8, 8], (4, 4, 4)])
def test_every_shape_learns(sizes):
    X, y = numbers()
    model = MLPRegressor(**{**SMALL, "hidden_layer_sizes": sizes}, lr=1e-2).fit(X, y)
    assert model.score(X, y) > 0.5
    widths = [layer.out_features for layer in model.module_.modules() if isinstance(layer, nn.Linear)]
    assert widths[-1] == 1


@pytest.mark.parametrize("seed", [None, np.random.default_rng(0), np.random.RandomState(0), 2**32 - 1])
def test_every_kind_of_seed(seed):
    assert np.isfinite(MLPRegressor(random_state=seed, **SMALL).fit(*numbers()).predict(numbers()[0])).all()


def test_batch_norm_and_single_rows():
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    X, y = numbers()
    assert MLPRegressor(module=net, **SMALL).fit(X, y).score(X, y) > 0
    with pytest.raises(ParameterError, match="batch_size"):
        MLPRegressor(module=net, **{**SMALL, "batch_size": 1}).fit(X, y)
    with pytest.raises(ParameterError, match="accumulate"):
        MLPRegressor(module=net, accumulate=2, **SMALL).fit(X, y)


def test_a_fit_that_broke_off_is_no_fit(monkeypatch):
    from sklearn.exceptions import NotFittedError

    monkeypatch.setattr(MLPRegressor, "_finish", lambda *_: (_ for _ in ()).throw(MemoryError))
    model = MLPRegressor(**SMALL)
    with pytest.raises(MemoryError):
        model.fit(*numbers())
    with pytest.raises(NotFittedError):
        model.predict(numbers()[0])


# --- the edges ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wild", [{"weight_decay": 1e30}, {"l1": 1e30}, {"optimizer": "sgd"}])
def test_a_last_step_that_overflows_is_undone_with_a_warning(wild, tmp_path):
    X, y = classes(60, share=0.5)
    once = {"hidden_layer_sizes": (4,), "max_epochs": 1, "batch_size": "full", "validation_fraction": 0.0}
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        model = MLPClassifier(**once, lr=1e30, **wild).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    assert all(issubclass(one.category, ConvergenceWarning) for one in heard)
    assert bool(heard) is (model.record_.stopped == "non_finite") is ("weight_decay" in wild)
    assert (load(model.save(tmp_path / "m.ganglion")).predict(X) == model.predict(X)).all()


@pytest.mark.parametrize("table", [pd.DataFrame, lambda X: as_frame(pd.DataFrame(X))])
def test_numbers_that_pass_through_keep_their_names(table, tmp_path):
    X, y = classes(60, share=0.5)
    named = table(pd.DataFrame(X, columns=list("abc")))
    model = MLPClassifier(preprocess="none", **SMALL).fit(named, y)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    assert (load(model.save(tmp_path / "m.ganglion")).predict(named) == model.predict(named)).all()
    with pytest.raises(DataError, match="preprocess='none' expects a table of finite numbers"):
        model.fit(table(pd.DataFrame({"a": ["x"] * 60})), y)


def test_half_precision_and_rms_norm_go_together_in_silence():
    X, y = classes(60, share=0.5)
    MLPClassifier(norm="rms", precision="bf16", **SMALL).fit(X, y)


def test_smoothing_is_given_once():
    with pytest.raises(ParameterError, match="smoothing is given twice"):
        MLPClassifier(label_smoothing=0.1, loss="cross_entropy(smoothing=0.2)").fit(*classes())


def test_a_cell_of_a_megabyte_is_not_repeated_whole():
    X = pd.DataFrame({"a": ["x" * 10**6] * 30, "b": range(30)})
    with pytest.raises(DataError) as caught:
        MLPClassifier(preprocess="none").fit(X, [0, 1] * 15)
    assert len(str(caught.value)) < 500
