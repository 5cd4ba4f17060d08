"""Modules of one's own inside an estimator, and their way into a file and back."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import GanglionError, ParameterError
from ganglion.base.registry import register_module
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.estimators.persist import load

QUICK = {"max_epochs": 20, "batch_size": 16, "lr": 1e-2}


class Own(nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.inside = nn.Sequential(nn.Linear(n_features, 12), nn.Tanh(), nn.Linear(12, n_outputs))

    def forward(self, x):
        return self.inside(x)


@register_module
class Known(Own):
    """Registered, so that a file may name it."""


def make(n_features, n_outputs):
    return Own(n_features, n_outputs)


@pytest.fixture
def data():
    X = np.random.default_rng(0).normal(size=(200, 3))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def inputs(data):
    """Columns as the network sees them."""
    return MLPClassifier(max_epochs=1).fit(*data)._matrix(data[0]).shape[1]


@pytest.mark.parametrize("given", [Own, make, Known, "Known", "instance"])
def test_every_way_to_give_one(given, data):
    module = Own(inputs(data), 2) if given == "instance" else given
    model = MLPClassifier(module=module, **QUICK).fit(*data)
    assert isinstance(model.module_, Own)
    assert model.score(*data) > 0.8
    assert model.record_.plan["backward"] == "autograd"
    assert model.predict_proba(data[0]).shape == (200, 2)


def test_an_instance_is_copied(data):
    own = Own(inputs(data), 2)
    before = [p.clone() for p in own.parameters()]
    a, b = (MLPClassifier(module=own, **QUICK).fit(*data) for _ in range(2))
    assert all(torch.equal(p, q) for p, q in zip(own.parameters(), before))
    assert a.module_ is not own
    assert (a.predict_proba(data[0]) == b.predict_proba(data[0])).all()


def test_a_class_is_made_anew_with_the_seed(data):
    a, b, c = (
        MLPClassifier(module=Own, random_state=s, **QUICK).fit(*data).predict_proba(data[0])
        for s in (0, 0, 1)
    )
    assert (a == b).all()
    assert (a != c).any()


def test_several_outputs(data):
    X, _ = data
    model = MLPRegressor(module=Own, **QUICK).fit(X, X[:, :2])
    assert model.predict(X).shape == (200, 2)
    assert model.score(X, X[:, :2]) > 0.8


@pytest.mark.parametrize("given", [Known, "Known", Known(3, 2)])
def test_a_registered_one_goes_into_a_file(given, data, tmp_path):
    model = MLPClassifier(module=given, preprocess="none", **QUICK).fit(*data)
    back = load(model.save(tmp_path / "m.ganglion"))
    assert isinstance(back.module_, Known)
    assert (back.predict_proba(data[0]) == model.predict_proba(data[0])).all()


@pytest.mark.parametrize("given", [Own, make, Own(3, 2)])
def test_an_unregistered_one_cannot_be_saved(given, data, tmp_path):
    model = MLPClassifier(module=given, preprocess="none", **QUICK).fit(*data)
    with pytest.raises(GanglionError, match=r"not registered.*register_module") as error:
        model.save(tmp_path / "m.ganglion")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_the_module_may_be_given_at_loading(data, tmp_path):
    @register_module(name="Passing")
    class Passing(Own):
        pass

    model = MLPClassifier(module=Passing, **QUICK).fit(*data)
    path = model.save(tmp_path / "m.ganglion")
    for given in (Own, make, Own(inputs(data), 2)):
        back = load(path, module=given)
        assert type(back.module_) is Own
        assert (back.predict_proba(data[0]) == model.predict_proba(data[0])).all()
    with pytest.raises(GanglionError, match="does not fit"):
        load(path, module=lambda n, k: nn.Linear(n, k))


def test_a_file_of_an_unknown_module_is_refused(data, tmp_path, monkeypatch):
    from ganglion.base import registry

    model = MLPClassifier(module=Known, **QUICK).fit(*data)
    path = model.save(tmp_path / "m.ganglion")
    monkeypatch.setitem(registry._registered, "module", {})
    with pytest.raises(GanglionError, match=r"'Known' is not known.*register_module") as error:
        load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [3, [1], "NoSuchName", lambda n, k: "text", object()])
def test_what_gives_no_module_is_refused(given, data):
    with pytest.raises(GanglionError, match="module") as error:
        MLPClassifier(module=given, **QUICK).fit(*data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("module", [nn.Linear(1, 2), nn.Linear(99, 2), lambda n, k: nn.Linear(n, k + 1)])
def test_a_module_of_another_shape_is_refused_in_a_sentence(module, data):
    with pytest.raises(ParameterError, match="module") as error:
        MLPClassifier(module=module, **QUICK).fit(*data)
    assert "\n" not in str(error.value)
