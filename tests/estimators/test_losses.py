"""Losses inside the estimators: what is predicted; weights, several targets, warm starts, files; refusals."""

import numpy as np
import pytest

import ganglion
from ganglion import MLPClassifier, MLPRegressor
from ganglion.base.errors import DataError, ParameterError
from ganglion.estimators.persist import load
from ganglion.objectives.losses import CLASS_LOSSES, VALUE_LOSSES, loss_named

SMALL = {"hidden_layer_sizes": (16,), "max_epochs": 8, "lr": 1e-2, "batch_size": 32}
EVERY = dict.fromkeys(CLASS_LOSSES, MLPClassifier) | dict.fromkeys(VALUE_LOSSES, MLPRegressor)
EVERY |= {"focal(1)": MLPClassifier, "quantile(0.9)": MLPRegressor, "gaussian_nll(0)": MLPRegressor}


def numbers(n=300, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.exp(0.5 * X[:, 0]) + 0.1 * rng.exponential(size=n)


def data_for(text):
    X, y = numbers()
    return (X, np.where(y > 1, "high", "low")) if EVERY[text] is MLPClassifier else (X, y)


def told(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.mark.parametrize("text", EVERY)
def test_saved_weighted_and_warm(text, tmp_path):
    """A file says the same; weights of the rows change what is learned; a warm start goes on."""
    X, y = data_for(text)
    model = EVERY[text](loss=text, **SMALL).fit(X, y)
    assert (told(load(model.save(tmp_path / "m.ganglion")), X) == told(model, X)).all()
    weight = np.where(X[:, 1] > 0, 3.0, 0.2)
    assert (told(EVERY[text](loss=text, **SMALL).fit(X, y, sample_weight=weight), X) != told(model, X)).any()
    first, n = model.history_[0]["loss"], len(model.history_)
    warm = model.set_params(warm_start=True).fit(X, y)
    assert warm.history_[0]["loss"] < first
    assert len(warm.history_) <= n
    assert np.isfinite(told(warm, X)).all()


@pytest.mark.parametrize("text", ["quantile(0.8)", "gaussian_nll", "poisson", "log_cosh"])
def test_several_targets(text, tmp_path):
    X, y = numbers()
    Y = np.c_[y, 100 * y]
    model = MLPRegressor(loss=text, **SMALL).fit(X, Y)
    assert model.predict(X).shape == (300, 2)
    assert model.score(X, Y) > -1
    back = load(model.save(tmp_path / "m.ganglion"))
    if text == "gaussian_nll":
        mean, noise = back.predict(X, return_std=True)
        assert (mean == model.predict(X)).all()
        assert noise.shape == (300, 2)
        assert 50 < (noise[:, 1] / noise[:, 0]).mean() < 200  # each in its own unit


@pytest.mark.parametrize("text", list(CLASS_LOSSES))
def test_classifiers_rank_with_every_loss_and_take_class_weights(text):
    rng = np.random.default_rng(0)
    y = (rng.random(400) < 0.15).astype(int)
    X = rng.normal(size=(400, 2)) + y[:, None]
    plain = MLPClassifier(loss=text, **SMALL).fit(X, y)
    heavy = MLPClassifier(loss=text, class_weight="balanced", **SMALL).fit(X, y)
    assert heavy.predict(X).mean() > plain.predict(X).mean()
    proba = plain.predict_proba(X)
    assert np.allclose(proba.sum(1), 1)
    assert (plain.predict(X) == proba.argmax(1)).all()
    assert ((plain.decision_function(X) > 0) == (plain.predict(X) == 1)).all()
    if text != "binary_cross_entropy":
        three = MLPClassifier(loss=text, **SMALL).fit(X, np.where(X[:, 0] > 1, 2, y))
        assert three.decision_function(X).shape == (400, 3)


def test_one_logit_learns_what_two_learn():
    X, y = data_for("binary_cross_entropy")
    settings = {**SMALL, "dropout": 0.0, "label_smoothing": 0.1, "max_epochs": 60}
    one, two = (MLPClassifier(loss=f"{kind}cross_entropy", **settings).fit(X, y) for kind in ("binary_", ""))
    assert one.module_.state_dict()["stack.linears.1.weight"].shape[0] == 1
    assert abs(one.predict_proba(X) - two.predict_proba(X)).mean() < 0.03


def test_a_quantile_is_exceeded_as_often_as_it_says():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(2000, 1))
    y = X[:, 0] + (1 + X[:, 0]) * rng.exponential(size=2000)
    shares = []
    for q in (0.1, 0.5, 0.9):
        model = MLPRegressor(loss=f"quantile({q})", hidden_layer_sizes=(32,), bins=0, max_epochs=12, lr=5e-3)
        shares.append((y < model.fit(X, y).predict(X)).mean())
    assert shares == pytest.approx([0.1, 0.5, 0.9], abs=0.03)


def test_poisson_predicts_rates_of_counts():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(3000, 1))
    rate = np.exp(1 + 1.5 * X[:, 0])
    model = MLPRegressor(loss="poisson", hidden_layer_sizes=(32,), bins=0, max_epochs=15, lr=5e-3)
    found = model.fit(X, rng.poisson(rate)).predict(X)
    assert found.min() > 0
    assert abs(found / rate - 1).mean() < 0.1


@pytest.mark.parametrize("text", EVERY)
def test_the_dummy_is_the_loss_of_the_best_constant_answer(text):
    X, y = data_for(text)
    model = EVERY[text](loss=text, **{**SMALL, "validation_fraction": 0.0}).fit(X, y)
    dummy = model.record_.baselines["dummy"]
    assert min(row["loss"] for row in model.history_) < dummy["loss"]
    if text.startswith("quantile"):
        q = {"quantile": 0.5}.get(text, 0.9)
        gap = y - np.quantile(y, q)
        assert dummy["loss"] == pytest.approx(np.maximum(q * gap, (q - 1) * gap).mean() / y.std(), rel=1e-3)
    if text.endswith("cross_entropy"):
        share = np.unique(y, return_counts=True)[1] / len(y)
        assert dummy["loss"] == pytest.approx(-(share * np.log(share)).sum(), abs=1e-12)
    if text == "gaussian_nll":
        assert dummy["loss"] == pytest.approx(0.5 * np.log(2 * np.pi * np.e), abs=1e-5)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda X, y: MLPRegressor(loss="poisson").fit(X, y - 9), "targets of at least 0, got -"),
        (lambda X, y: MLPRegressor(loss="quantile(1.5)").fit(X, y), "above 0 and below 1, got 1.5"),
        (lambda X, y: MLPRegressor(loss="hubber").fit(X, y), "did you mean 'huber'"),
        (lambda X, y: MLPRegressor(loss="hinge").fit(X, y), "hinge"),
        (lambda X, y: MLPClassifier(loss="huber").fit(X, y > 1), "huber"),
        (
            lambda X, y: MLPClassifier(loss="hinge", label_smoothing=0.1).fit(X, y > 1),
            "label_smoothing is expected with loss='cross_entropy' or 'binary_cross_entropy', got loss='hinge'",
        ),
        (
            lambda X, y: MLPClassifier(loss="cross_entropy(0.1)", label_smoothing=0.1).fit(X, y > 1),
            "smoothing is given twice",
        ),
        (
            lambda X, y: MLPClassifier(loss="binary_cross_entropy").fit(X, np.digitize(y, [0.8, 1.2])),
            "tells 2 classes apart, got 3",
        ),
        (
            lambda X, y: MLPRegressor(max_epochs=1).fit(X, y).predict(X, return_std=True),
            "fit with loss='gaussian_nll'",
        ),
        (
            lambda X, y: (
                MLPRegressor(max_epochs=1, warm_start=True)
                .fit(X, y)
                .set_params(loss="gaussian_nll")
                .fit(X, y)
            ),
            "got 'gaussian_nll' after 'squared_error'",
        ),
    ],
)
def test_wrong_combinations_get_one_sentence(make, sentence):
    with pytest.raises((ParameterError, DataError)) as caught:
        make(*numbers())
    assert sentence in str(caught.value)


def test_a_warm_start_may_change_to_a_loss_with_the_same_outputs():
    X, y = numbers()
    model = MLPRegressor(warm_start=True, **SMALL).fit(X, y)
    assert model.set_params(loss="huber(0.5)").fit(X, y).score(X, y) > 0.5


@pytest.mark.parametrize("text", ["hinge", "focal(1)", "binary_cross_entropy"])
def test_the_job_takes_losses_of_classes(text, tmp_path):
    """Scores, baselines, verdict and report, with the loss's own numbers in the record."""
    X, y = numbers()
    table = {f"c{i}": X[:, i] for i in range(3)} | {"y": np.where(y > 1, "high", "low")}
    result = ganglion.fit(table, "y", loss=text, max_epochs=8, lr=1e-2)
    assert result.scores["accuracy"] > 0.8
    dummy, kept = result.estimator.record_.baselines["dummy"], result.estimator.record_.scores["validation"]
    assert "loss" in dummy
    assert ("loss" in kept) is text.endswith("cross_entropy")
    assert loss_named(text).units(2) in (1, 2)


def test_a_quantile_is_judged_by_its_loss_and_not_by_means():
    """R^2 of a good 0.95-quantile is below 0; score, dummy, diagnosis and job go by the pinball loss."""
    X, y = numbers(600)
    y = X[:, 0] + 5 * np.random.default_rng(1).exponential(size=600)
    result = ganglion.fit({"a": X[:, 0], "y": y}, "y", loss="quantile(0.95)", max_epochs=10, lr=1e-2)
    record = result.estimator.record_
    assert record.scores["train"]["r2"] < 0 < record.scores["train"]["score"]
    assert set(record.baselines) == {"dummy"}
    assert record.baselines["dummy"]["score"] == pytest.approx(0, abs=1e-6)
    assert [one.name for one in result.models] == ["network"]
    assert any("predict a quantile" in note for note in result.job.notes)


@pytest.mark.parametrize("text", ["gaussian_nll", "poisson"])
def test_the_job_takes_losses_of_numbers(text):
    X, y = numbers()
    table = {f"c{i}": X[:, i] for i in range(3)} | {"y": y}
    result = ganglion.fit(table, "y", loss=text, max_epochs=8, lr=1e-2, compare=False)
    assert result.scores["r2"] > 0
    assert "loss" not in result.estimator.record_.scores["validation"]
