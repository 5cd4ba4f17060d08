"""Optimisers by name through the loop and the estimators: files, streams, batches of every size, refusals."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from ganglion.base.errors import ParameterError
from ganglion.data.batches import ResidentBatches
from ganglion.estimators.mlp import MLPClassifier, MLPRegressor
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import COMBINED, OPTIMIZERS, make_optimizer, optimizer_names
from ganglion.train.clip import Clip
from ganglion.train.loop import fit

TINY = {"hidden_layer_sizes": (6,), "max_epochs": 3, "validation_fraction": 0.0, "preprocess": "none"}


@pytest.fixture(scope="module")
def table():
    X = np.random.default_rng(0).normal(size=(60, 3))
    return X, X[:, 0] * X[:, 1]


def test_every_name_makes_an_optimizer_that_moves_the_weights():
    for name in optimizer_names():
        net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
        before = net[0].weight.detach().clone()
        optimizer = make_optimizer(name, net, 0.1)

        def closure(net=net, optimizer=optimizer):
            optimizer.zero_grad()
            loss = net(torch.ones(5, 3)).square().sum()
            loss.backward()
            return loss

        closure()
        optimizer.step(closure)
        assert not torch.equal(net[0].weight, before), name
    assert len(optimizer_names()) == len(OPTIMIZERS) + len(COMBINED)


@pytest.mark.parametrize(
    "text", ["rmsprop(alpha=0.9)", "adamw(beta2=0.999)", "sam('adamw')", "sam+lion(rho=0.1)"]
)
def test_a_name_with_numbers_goes_through_parameters_and_files(text, table, tmp_path):
    text = text.replace("sam('adamw')", "sam(base='adamw')")
    model = MLPRegressor(optimizer=text, **TINY).fit(*table)
    model.save(tmp_path / "m.ganglion")
    again = ganglion.load(tmp_path / "m.ganglion")
    assert again.get_params()["optimizer"] == text
    assert np.array_equal(again.predict(table[0]), model.predict(table[0]))
    other = MLPRegressor(optimizer=text.split("(")[0].split("+")[0], **TINY).fit(*table)
    assert not np.array_equal(other.predict(table[0]), model.predict(table[0]))


def test_numbers_of_adamw_count_by_hand_and_by_autograd(table):
    """The form over one buffer takes the same arguments as torch's."""
    answers = {}
    for text in ("adamw", "adamw(beta2=0.5)"):
        for extra in ({}, {"clip_adaptive": 1e9}):  # which needs autograd and bounds nothing
            model = MLPRegressor(optimizer=text, lr=0.01, precision="float64", **TINY, **extra).fit(*table)
            answers[text, model.record_.plan["backward"]] = model.predict(table[0])
    assert len(answers) == 4
    np.testing.assert_allclose(answers["adamw", "by hand"], answers["adamw", "autograd"], atol=1e-6)
    np.testing.assert_allclose(
        answers["adamw(beta2=0.5)", "by hand"], answers["adamw(beta2=0.5)", "autograd"], atol=1e-6
    )
    assert np.abs(answers["adamw", "by hand"] - answers["adamw(beta2=0.5)", "by hand"]).max() > 1e-4


@pytest.mark.parametrize(("batch_size", "steps"), [("full", 1), (25, 3), (1, 60)])
def test_batch_mini_batch_and_online_descent_are_batch_sizes(batch_size, steps, table):
    model = MLPRegressor(optimizer="sgd", momentum=0.0, batch_size=batch_size, **TINY).fit(*table)
    assert [row["step"] for row in model.history_] == [steps, 2 * steps, 3 * steps]


@pytest.mark.parametrize("name", ["radam", "lion", "muon", "sam", "sam+adamw", "lookahead"])
def test_two_halves_of_a_stream_are_one_stream(name, table):
    """Moments, slow weights and the place in the cycle of steps carry on from call to call."""
    X, y = table
    settings = {
        **TINY,
        "optimizer": name,
        "lr": 0.01,
        "batch_size": 60,
        "precision": "float64",
        "dropout": 0.0,
    }

    def stream(forget):
        model = MLPRegressor(**settings).partial_fit(X, y)
        for _ in range(6):
            if forget:
                model._moments = None
            model.partial_fit(X, y)
        return model.predict(X)

    def alone():
        net = MLPRegressor(**settings).partial_fit(X, y)
        start = MLPRegressor(**{**settings, "max_epochs": 7, "schedule": "constant", "early_stopping": False})
        return net, start.fit(X, y).predict(X)

    expected = alone()[1]
    np.testing.assert_allclose(stream(False), expected, atol=2e-5)
    if name != "sam":
        assert np.abs(stream(True) - expected).max() > 1e-4


def objective():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    return Supervised(net, loss_named("squared_error"))


def trained(size, accumulate=1, **how):
    """Weights after ten steps of SAM over the same twelve rows, in micro-batches."""
    x = torch.randn(12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    aim, data = objective(), ResidentBatches({"x": x, "y": x[:, :1]}, size)
    rule = make_optimizer("sam(0.2)", aim.net, 0.1)
    fit(aim, data, optimizers={"train": rule}, epochs=10, accumulate=accumulate, **how)
    return torch.cat([p.detach().ravel() for p in aim.parameters()])


def test_sam_over_micro_batches_is_sam_over_the_whole_batch():
    torch.testing.assert_close(trained(3, accumulate=4), trained(12), atol=1e-10, rtol=0)


def test_sam_steps_by_the_clipped_gradient():
    """One step with momentum from rest is lr times the gradient uphill, which is what is bounded."""
    aim = objective()
    start = torch.cat([p.detach().ravel() for p in aim.parameters()])
    x = torch.ones(4, 3, dtype=torch.float64)
    batches = ResidentBatches({"x": x, "y": 50 * x[:, :1]}, 4)
    rule = make_optimizer("sam(0.2)", aim.net, 0.1)
    fit(aim, batches, optimizers={"train": rule}, epochs=1, clip=Clip(norm=0.5))
    moved = torch.cat([p.detach().ravel() for p in aim.parameters()]) - start
    assert float(moved.norm()) == pytest.approx(0.1 * 0.5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"optimizer": "lbfgs", "batch_size": "full"}, "'lbfgs' has no weight decay; set weight_decay=0"),
        ({"optimizer": "muon", "hidden_layer_sizes": ()}, "add a hidden layer, or take 'adamw'"),
        ({"optimizer": "lookahead+muon", "hidden_layer_sizes": ()}, "add a hidden layer, or take 'adamw'"),
        ({"optimizer": "sam(base='lbfgs')"}, "optimizer 'lbfgs' is not known"),
        ({"optimizer": "sam+adamm"}, "did you mean 'sam+adam"),
        ({"optimizer": "sam('adamw')"}, "sam: rho must be a number above 0, got 'adamw'"),
        ({"optimizer": "adam(beta2=1)"}, "adam: beta2 must be a number at least 0 and below 1, got 1"),
        ({"optimizer": "adamw(amsgrad=True)"}, "takes"),
        ({"optimizer": "lookahead(k=2.5)"}, "lookahead: k must be a whole number at least 1, got 2.5"),
        (
            {"optimizer": "muon(rounds=0)"},
            "muon: rounds must be a whole number at least 1 and at most 1000, got 0",
        ),
        ({"clip_norm": 1.0, "scale_norm": 1.0}, "give one of the two"),
        ({"average": "mean"}, "average 'mean' is not known"),
    ],
)
def test_what_cannot_be_is_one_sentence(settings, said, table):
    with pytest.raises(ParameterError) as refused:
        MLPRegressor(**{**TINY, **settings}).fit(*table)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert str(refused.value).count(". ") == 0


def test_muon_leaves_embeddings_and_the_last_layer_alone():
    net = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(8, 6), nn.Linear(6, 2))
    groups = make_optimizer("muon", net, 0.1, weight_decay=0.1).param_groups
    turned = [p for g in groups if g["orthogonal"] for p in g["params"]]
    assert len(turned) == 1
    assert turned[0] is net[2].weight
    assert sum(len(g["params"]) for g in groups) == len(list(net.parameters()))


def test_muon_turns_kernels_as_matrices():
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.Linear(4, 2)).double()
    before = net[0].weight.detach().clone()
    optimizer = make_optimizer("muon(mu=0)", net, 1.0)
    for p in net.parameters():
        p.grad = torch.randn(p.shape, dtype=torch.float64)
    optimizer.step()
    step = (before - net[0].weight.detach()).reshape(4, 18) / (0.2 * 18**0.5)
    values = torch.linalg.svdvals(step)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_a_finished_fit_warns_of_nothing(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MLPClassifier(optimizer="lookahead+lion", average="swa(0.5)", **TINY).fit(table[0], table[1] > 0)
