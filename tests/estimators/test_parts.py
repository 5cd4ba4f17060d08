"""The parts of a network through an estimator: files, copies, going on, words about poor pairs."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from ganglion import MLPClassifier, MLPRegressor, load
from ganglion.base.errors import ModelFileError, ParameterError
from ganglion.base.files import read_model, write_model
from ganglion.train import checkpoint

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (12, 12), "max_epochs": 4, "batch_size": 16, "bins": 4}
# one of each kind, and all together
PARTS = {
    "maxout": {"activation": "maxout(3)"},
    "prelu": {"activation": "prelu(0.1)"},
    "softmax": {"activation": "softmax"},
    "batch": {"norm": "batch"},
    "layer": {"norm": "layer"},
    "group": {"norm": "group(4)"},
    "rms": {"norm": "rms"},
    "weight": {"norm": "weight", "init": "lsuv"},
    "spectral": {"norm": "spectral"},
    "residual": {"residual": True, "drop_path": 0.3},
    "zero residual": {"residual": True, "init": "zero_residual"},
    "noise": {"noise": 0.2},
    "alpha": {"activation": "selu", "dropout_kind": "alpha"},
    "bounded": {"max_norm": 0.5},
    "active": {"activity": 0.1},
    "sparse": {"init": "sparse(0.5)"},
    "all": {
        "activation": "maxout(2)", "norm": "batch", "residual": True, "drop_path": 0.1, "noise": 0.1,
        "max_norm": 2.0, "activity": 0.01, "init": "lsuv", "dropout": 0.2,
    },
}  # fmt: skip
each_part = pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)


def same(a, b):
    return np.array_equal(a.predict_proba(X), b.predict_proba(X))


@each_part
def test_saved_pickled_copied_cloned(parts, tmp_path):
    model = MLPClassifier(**SMALL | parts).fit(X, Y)
    back = load(model.save(tmp_path / "m.ganglion"))
    assert {k: back.get_params()[k] for k in parts} == parts
    for other in (back, pickle.loads(pickle.dumps(model)), copy.deepcopy(model), clone(model).fit(X, Y)):
        assert same(other, model)
    assert np.isfinite(model.predict_proba(X)).all()
    row = model.predict_proba(X[:1])
    assert np.abs(row - model.predict_proba(X)[:1]).max() < 1e-9


@each_part
def test_going_on(parts):
    """A warm start and rows that come in parts change the weights that are there, and keep the network."""
    model = MLPClassifier(**SMALL | parts, warm_start=True).fit(X, Y)
    before, shapes = model.predict_proba(X), [p.shape for p in model.module_.parameters()]
    model.fit(X, Y)
    assert not np.array_equal(model.predict_proba(X), before)
    assert [p.shape for p in model.module_.parameters()] == shapes
    online = MLPClassifier(**SMALL | parts).partial_fit(X[:70], Y[:70], classes=[0, 1])
    online.partial_fit(X[70:], Y[70:])
    assert np.isfinite(online.predict_proba(X)).all()


@each_part
def test_a_resumed_run_ends_in_the_same_bits(parts, tmp_path, monkeypatch):
    """Stopped after two of four epochs and continued, or in one go."""
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 0)  # after each epoch
    whole = MLPClassifier(**SMALL | parts).fit(X, Y)
    score, calls = MLPClassifier._score, []

    def stopping(self, output, part):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return score(self, output, part)

    model = MLPClassifier(**SMALL | parts, checkpoint=tmp_path)
    with monkeypatch.context() as now:
        now.setattr(MLPClassifier, "_score", stopping)
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X, Y)
    resumed = model.set_params(resume=True).fit(X, Y)
    assert resumed.record_.plan["resumed"]
    assert same(resumed, whole)


@pytest.mark.parametrize("name", ["batch", "layer", "all"])
def test_double_precision(name):
    model = MLPClassifier(**SMALL | PARTS[name] | {"batch_size": "full"}).fit(X, Y)
    assert model.record_.plan["precision"] == "float64"
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("rows", [65, 129])
def test_a_last_batch_of_one_row_does_not_stop_batch_normalisation(rows):
    model = MLPClassifier(**SMALL | {"batch_size": 64, "norm": "batch", "validation_fraction": 0})
    assert np.isfinite(model.fit(X[:rows], Y[:rows]).predict_proba(X)).all()
    with pytest.raises(ParameterError, match="batch_size of at least 2, got 1; set batch_size=32"):
        model.set_params(batch_size=1).fit(X, Y)


def test_everything_is_reachable_from_the_regressor_too():
    for parts in PARTS.values():
        assert np.isfinite(MLPRegressor(**SMALL | parts | {"max_epochs": 1}).fit(X, X[:, 0]).predict(X)).all()


# --- what the parts do --------------------------------------------------------------------------------------


def test_the_bound_holds_after_training():
    model = MLPClassifier(**SMALL, max_norm=0.5).fit(X, Y)
    assert model.record_.plan["backward"] == "by hand"
    for linear in model.module_.stack.linears:
        assert linear.weight.detach().norm(dim=1).max() <= 0.5 + 1e-6


def test_activity_makes_activations_small_and_not_weights():
    def sizes(weight):
        model = MLPClassifier(**SMALL | {"max_epochs": 40, "activation": "relu"}, activity=weight).fit(X, Y)
        hidden = []
        for f in model._answering.stack.activations:
            f.register_forward_hook(lambda _m, _i, out: hidden.append(out.abs().mean().item()))
        model.predict(X)
        return sum(hidden), sum(float(m.weight.detach().norm()) for m in model.module_.stack.linears[:1])

    free, sparse = sizes(0.0), sizes(0.3)
    assert sparse[0] < 0.7 * free[0]
    assert sparse[1] > 0.7 * free[1]


def test_lsuv_starts_from_training_rows():
    """Before the first step, sums over the rows have variance 1: seen after one step of nearly no size."""
    settings = SMALL | {"max_epochs": 1, "batch_size": "full", "validation_fraction": 0, "bins": 0}
    model = MLPClassifier(**settings, init="lsuv", lr=1e-12, preprocess="none", dropout=0.0).fit(20 * X, Y)
    first = model._answering.stack.linears[0]
    sums = first(torch.as_tensor(20 * X, dtype=torch.float64))
    assert sums.detach().std().item() == pytest.approx(1, abs=1e-4)


def test_thirty_residual_layers_train_where_thirty_plain_ones_do_not():
    """He's start, ReLU, no normalisation, 8 epochs: 0.90 against 0.37 of the held-out digits."""
    images, y = load_digits(return_X_y=True)
    settings = {"hidden_layer_sizes": (32,) * 30, "preprocess": "none", "activation": "relu", "max_epochs": 8}
    settings |= {"validation_fraction": 0, "batch_size": 64, "lr": 2e-3, "dropout": 0.0}
    scores = []
    for skips in (True, False):
        model = MLPClassifier(**settings, residual=skips).fit(images[:1300] / 16, y[:1300])
        scores.append(model.score(images[1300:] / 16, y[1300:]))
    assert scores[0] > 0.85
    assert scores[1] < 0.6


# --- words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"init": "he", "activation": "tanh"}, "init='he' doubles the variance .* tanh cuts nothing off"),
        ({"init": "kaiming_uniform", "activation": "sigmoid"}, "init='glorot_normal' or 'auto' suits it"),
        ({"activation": "threshold"}, "no gradient reaches the layers before the last"),
        ({"dropout_kind": "alpha"}, "for silu is just noise; take activation='selu'"),
    ],
)
def test_poor_pairs_get_a_word(parts, sentence):
    with pytest.warns(UserWarning, match=sentence) as told:
        MLPClassifier(**SMALL | parts).fit(X, Y)
    assert [str(w.filename) for w in told] == [__file__]


@pytest.mark.parametrize(
    "parts",
    [
        {"init": "he", "activation": "relu"},
        {"init": "glorot", "activation": "tanh"},
        {"dropout_kind": "alpha", "dropout": 0.0},
        {"init": "he", "activation": "tanh", "hidden_layer_sizes": ()},
    ],
)
def test_good_pairs_get_none(parts):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier(**SMALL | parts).fit(X, Y)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"norm": "instance"}, "every value would become 0; take norm='layer'"),
        ({"norm": "group(5)"}, "12 units into 5 groups .* out of 1, 2, 3, 4, 6"),
        ({"drop_path": 0.1}, "set residual=True or drop_path=0"),
        ({"init": "zero_residual"}, "set residual=True or take init='auto'"),
        ({"residual": True, "hidden_layer_sizes": (13,)}, r"hidden_layer_sizes=\(64, 64\)"),
        ({"max_norm": 1.0, "norm": "weight"}, "divides that length away; set max_norm=None"),
        ({"activity": 0.1, "hidden_layer_sizes": ()}, "this network has none; set activity=0"),
        ({"activation": "maxout(1)"}, "at least 2 and at most 100, got 1"),
        ({"norm": "lyer"}, "did you mean 'layer'"),
        ({"dropout_kind": "spatial"}, "dropout_kind must be 'units' or 'alpha', got 'spatial'"),
        ({"norm": "batch", "accumulate": 2}, "use accumulate=1"),
    ],
)
def test_impossible_pairs_get_one_sentence(parts, sentence):
    with pytest.raises(ParameterError, match=sentence) as error:
        MLPClassifier(**SMALL | parts).fit(X, Y)
    assert "\n" not in str(error.value)


# --- files of strangers -------------------------------------------------------------------------------------


def changed(path, parts=None, arrays=None):
    """The same file with other settings or weights."""
    file = read_model(path)
    config = {**file.config, "parameters": file.config["parameters"] | (parts or {})}
    weights = {k: v for k, v in {**file.weights, **(arrays or {})}.items() if v is not None}
    other = path.with_name("other.ganglion")
    write_model(
        other, config=config, card=file.card, preprocess=file.preprocess, arrays=file.arrays, weights=weights
    )
    return other


@pytest.mark.parametrize(
    "parts",
    [
        {"activation": "maxout(1000000000)"}, {"activation": "maxout(2)"}, {"activation": "prelu"},
        {"norm": "group(1000000000)"}, {"norm": "layer"}, {"norm": None}, {"norm": "spectral"}, {"residual": True},
        {"norm": "batch(" + "(" * 10_000}, {"activation": "relu.__class__"}, {"activation": "leaky_relu(9e999)"},
        {"dropout_kind": "spatial"}, {"noise": float("nan")}, {"drop_path": 1.5}, {"max_norm": -1},
    ],
)  # fmt: skip
def test_settings_that_do_not_fit_the_arrays_are_refused(parts, tmp_path):
    path = MLPClassifier(**SMALL | {"norm": "batch"}).fit(X, Y).save(tmp_path / "m.ganglion")
    with pytest.raises(ModelFileError):
        load(changed(path, parts))


@pytest.mark.parametrize(
    "arrays",
    [
        {"stack.norms.0.running_var": -np.ones(12, np.float32)},
        {"stack.norms.0.running_mean": np.full(12, np.nan, np.float32)},
        {"stack.norms.0.weight": np.ones(1_000_000, np.float32)},
        {"stack.norms.1.bias": None},
    ],
)
def test_arrays_that_no_network_has_are_refused(arrays, tmp_path):
    path = MLPClassifier(**SMALL | {"norm": "batch"}).fit(X, Y).save(tmp_path / "m.ganglion")
    with pytest.raises(ModelFileError):
        load(changed(path, arrays=arrays))


@pytest.mark.parametrize("sizes", [(10**9,), (200_000, 200_000)])
def test_a_network_that_no_memory_holds_is_refused_at_once(sizes):
    X, y = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2
    with pytest.raises(ParameterError, match=r"GiB while it trains .* take smaller hidden_layer_sizes"):
        MLPClassifier(hidden_layer_sizes=sizes).fit(X, y)


# --- the temperature that many validation rows ask for ------------------------------------------------------


def winding(n=14_000, seed=0):
    """Three classes that wind around each other in noise: networks grow too sure of them."""
    Z = np.random.default_rng(seed).normal(size=(n, 20))
    return Z.astype(np.float32), (np.sin(3 * Z[:, :3]) + Z[:, 3:6] * Z[:, 6:9]).argmax(1)


def test_many_validation_rows_choose_the_epoch_at_the_best_temperature(tmp_path):
    X, y = winding()
    settings = {"hidden_layer_sizes": (128,), "dropout": 0.0, "bins": 0, "lr": 1e-2, "max_epochs": 20}
    model = MLPClassifier(**settings, watch="off").fit(X[:12_000], y[:12_000])
    refined = [row["val_refined"] for row in model.history_]
    kept = model.history_[model.best_epoch_ - 1]
    assert kept["val_refined"] == min(refined)
    assert model.temperature_ == kept["temperature"] > 1.05  # too sure
    assert all(row["val_refined"] <= row["val_loss"] + 1e-6 for row in model.history_)

    X, y = X[12_000:], y[12_000:]
    proba, logits = model.predict_proba(X), torch.as_tensor(model._outputs(X))
    np.testing.assert_allclose(proba, torch.softmax(logits / model.temperature_, 1), rtol=1e-6)
    raw = torch.softmax(logits, 1).numpy()
    rows = np.arange(len(y))
    assert -np.log(proba[rows, y]).mean() < -np.log(raw[rows, y]).mean()
    model.save(tmp_path / "m.ganglion")
    assert np.array_equal(load(tmp_path / "m.ganglion").predict_proba(X), proba)
    temperature = model.temperature_
    assert model.partial_fit(X, y).temperature_ == temperature  # weights go on from where they were
    assert model.set_params(validation_fraction=0.0).fit(X, y).temperature_ == 1.0


def test_few_validation_rows_leave_the_outputs_as_they_are():
    X, y = winding(2_000)
    model = MLPClassifier(hidden_layer_sizes=(8,), max_epochs=2, watch="off").fit(X, y)
    assert model.temperature_ == 1.0
    assert "val_refined" not in model.history_[0]
