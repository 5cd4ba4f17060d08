"""Regularisation: a term in the loss, and what each method does for a hundred labelled digits."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ganglion import MLPClassifier
from ganglion.data.batches import ResidentBatches
from ganglion.models.mlp import MLP
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.loop import fit


def test_regularization_term(rng):
    """Loss = data term + weight x penalty to the bit; weight 0 is the run without; larger weights, smaller penalty."""
    x, y = torch.as_tensor(rng.normal(size=(64, 5))), torch.as_tensor(rng.integers(0, 3, 64))

    def trained(weight):
        torch.manual_seed(0)
        net = MLP(5, (), (16,), 3, activation="tanh", init="glorot").double()
        objective = Supervised(net, loss_named("cross_entropy"), activity=weight)
        rule = make_optimizer("sgd", net, 0.5, momentum=0.0)
        batches = ResidentBatches({"x": x, "y": y}, 64, shuffle=False)
        fit(objective, batches, optimizers={"train": rule}, epochs=60)
        return net, objective

    penalties = []
    for weight in (0.01, 0.1, 0.3, 1.0, 3.0):
        net, objective = trained(weight)
        step = objective({"x": x, "y": y}, "train")
        hidden = net.stack.activations[0](net.stack.linears[0](x))
        data, penalty = F.cross_entropy(net(x), y, reduction="none"), hidden.abs().mean(1)
        assert torch.equal(step.loss, data + weight * penalty)
        penalties.append(penalty.mean().item())
    assert penalties == sorted(penalties, reverse=True)
    assert len(set(penalties)) == 5

    torch.manual_seed(0)
    plain = MLP(5, (), (16,), 3, activation="tanh", init="glorot").double()
    for _ in range(60):  # a loop that has never heard of penalties
        plain.zero_grad()
        (F.cross_entropy(plain(x), y, reduction="sum") / 64).backward()
        with torch.no_grad():
            for p in plain.parameters():
                p.sub_(p.grad, alpha=0.5)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), trained(0.0)[0].parameters()))


# each method's setting, chosen on other hundreds of digits (seeds 10 to 14) than those of the test
METHODS = {
    "noise": {"noise": 0.35},
    "label smoothing": {"label_smoothing": 0.3},
    "dropout": {"dropout": 0.5},
    "weight decay": {"weight_decay": 1.0},
}


@pytest.mark.slow
def test_regularization(digits):
    """A hundred labelled digits, five seeds: each method narrows the gap, and the best gains a point and more.

    Measured: 90.2 % without, 92.3 with label smoothing, 91.6 with noise, 91.2 with dropout, 90.4 with decay. An L1
    penalty and a bound on the weights changed less than the spread of seeds, so they do not stand here.
    """
    X, held, y, y_held = digits

    def scores(**method):
        net = MLPClassifier(
            hidden_layer_sizes=(256, 256), preprocess="none", activation="relu", batch_size=20
        )
        net.set_params(dropout=0.0, weight_decay=0.0, max_epochs=60, validation_fraction=0, lr=5e-3)
        net.set_params(**method)
        found = []
        for seed in range(5):
            few = np.random.default_rng(seed).permutation(len(X))[:100]
            net.set_params(random_state=seed).fit(X[few], y[few])
            found.append((net.score(X[few], y[few]), net.score(held, y_held)))
        return np.mean(found, axis=0)

    train, test = scores()
    assert train == 1.0
    results = {name: scores(**method) for name, method in METHODS.items()}
    for name, (on_train, on_test) in results.items():
        assert on_train - on_test < train - test, name
    assert max(on_test for _, on_test in results.values()) >= test + 0.01
