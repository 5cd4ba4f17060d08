"""Every name in the tables of parts trains, on a problem that tells a network from a guess."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.base.registry import BUILT_IN, lookup, names
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.init import INITS
from ganglion.nn.norms import NORMS
from ganglion.objectives.losses import CLASS_LOSSES, VALUE_LOSSES
from ganglion.optim.optimizers import OPTIMIZERS
from ganglion.optim.schedules import SCHEDULES

QUICK = {"hidden_layer_sizes": (16,), "max_epochs": 25, "batch_size": 16, "early_stopping": False}
# the step size that suits a rule
RATES = {
    "sgd": 0.05,
    "momentum": 0.05,
    "sam": 0.05,
    "lion": 3e-3,
    "nesterov": 0.05,
    "adagrad": 0.05,
    "adadelta": 1.0,
    "rmsprop": 3e-3,
    "lbfgs": 0.5,
}


@pytest.fixture(scope="module")
def moons():
    """Two half circles inside each other."""
    rng = np.random.default_rng(0)
    t, y = rng.uniform(0, np.pi, 240), np.repeat([0, 1], 120)
    X = np.c_[np.cos(t) + y, np.where(y, 0.3 - np.sin(t), np.sin(t))]
    return X + 0.1 * rng.normal(size=X.shape), y


def falls(model):
    losses = [row["loss"] for row in model.history_]
    assert np.isfinite(losses).all()
    return min(losses) < 0.9 * losses[0]


@pytest.mark.filterwarnings("ignore:activation='threshold'")
@pytest.mark.parametrize("name", [*ACTIVATIONS, "leaky_relu(0.3)", "prelu(0.1)", "elu(0.5)", "maxout(3)"])
def test_activations(name, moons):
    lr = 0.1 if name == "softmax" else 1e-2  # sixteen units share a sum of 1, so their signals are small
    model = MLPClassifier(activation=name, lr=lr, **QUICK).fit(*moons)
    assert falls(model)
    assert model.score(*moons) > 0.8


@pytest.mark.parametrize(
    "name",
    [
        "auto",
        *(n for n in INITS if n != "zeros"),
        "normal(0.3)",
        "uniform(0.5)",
        "orthogonal(2)",
        "sparse(0.5)",
    ],
)
def test_inits(name, moons):
    assert MLPClassifier(init=name, lr=1e-2, **QUICK).fit(*moons).score(*moons) > 0.8


@pytest.mark.parametrize("name", [*(n for n in NORMS if n != "instance"), "group(4)"])
def test_norms(name, moons):
    model = MLPClassifier(norm=name, lr=1e-2, **QUICK).fit(*moons)
    assert falls(model)
    assert model.score(*moons) > 0.8


def test_zeros_keep_all_hidden_units_alike(moons):
    """Without a broken symmetry there is nothing for the units to differ by, nor for relu to pass."""
    model = MLPClassifier(init="zeros", **QUICK).fit(*moons)
    weights = model.module_.stack.linears[0].weight
    assert (weights == weights[0]).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name, moons):
    settings = {"weight_decay": 0.0} if name == "lbfgs" else {}
    size = {"batch_size": "full", "dropout": 0.0} if name == "lbfgs" else {}
    settings |= {"optimizer": name, "lr": RATES.get(name, 1e-2)}
    model = MLPClassifier(**{**QUICK, **settings, **size}).fit(*moons)
    assert falls(model)
    assert model.score(*moons) > 0.8


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name, moons):
    model = MLPClassifier(schedule=name, lr=2e-2, **QUICK).fit(*moons)
    assert falls(model)
    assert model.score(*moons) > 0.8


@pytest.mark.parametrize("name", VALUE_LOSSES)
@pytest.mark.parametrize("outputs", [1, 2])
def test_losses_of_values(name, outputs, moons):
    X, _ = moons
    goal = np.sin(2 * X[:, :outputs]) + X[:, 1:] if outputs > 1 else np.sin(2 * X[:, 0])
    goal = goal - goal.min() if name == "poisson" else goal  # rates are not negative
    model = MLPRegressor(loss=name, lr=1e-2, **QUICK).fit(X, goal)
    assert falls(model)
    assert model.score(X, goal) > 0.6


@pytest.mark.parametrize("name", CLASS_LOSSES)
def test_losses_of_classes(name, moons):
    model = MLPClassifier(loss=name, lr=1e-2, **QUICK).fit(*moons)
    assert falls(model)
    assert model.score(*moons) > 0.8


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if activation_named(n).backward])
def test_slopes_are_right(name):
    """The derivative that goes by hand, against autograd, away from kinks."""
    a = activation_named(name)
    z = torch.linspace(-4, 4, 80, dtype=torch.float64).requires_grad_()
    h = a.module()(z)
    g = torch.randn(80, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (wanted,) = torch.autograd.grad(h, z, g)
    with torch.no_grad():
        assert torch.allclose(a.function(z), h)
        assert torch.allclose(a.backward(g, z, a.function(z)), wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("field", "near", "meant"),
    [
        ("activation", "rellu", "relu"),
        ("init", "xavier_he", "he"),
        ("norm", "lyer", "layer"),
        ("optimizer", "adamW", "adamw"),
        ("schedule", "cosin", "cosine"),
    ],
)
def test_a_wrong_name_gets_the_nearest(field, near, meant, moons):
    with pytest.raises(ParameterError, match=rf"{field} '{near}' is not known.*{meant}"):
        MLPClassifier(**{field: near}).fit(*moons)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_each_name_of_the_registry_stands_where_it_says(kind):
    for name in BUILT_IN[kind]:
        assert lookup(kind, name).__name__ == name
        assert name in names(kind)
