"""Training regimes: passes and batches, early stopping, streams, class weights, settings."""

import copy
import functools
import json
import operator
import pickle

import numpy as np
import pytest
import torch
from scipy.special import xlogy
from sklearn.metrics import log_loss, recall_score
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

import ganglion
from ganglion import MLPClassifier
from ganglion.data.batches import ResidentBatches
from ganglion.nn.dense import DenseStack
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit
from ganglion.train.run import Keep

RULE = {"preprocess": "none", "validation_fraction": 0.0, "weight_decay": 0.0, "dropout": 0.0}


class Weights(Hook):
    """The weights after every epoch."""

    def __init__(self) -> None:
        self.of: dict[int, dict] = {}

    def epoch(self, run, row) -> None:
        self.of[row["epoch"]] = copy.deepcopy(run.objective.model.state_dict())


@pytest.mark.parametrize("patience", [1, 4])
def test_early_stopping(patience):
    """Stops ``patience`` passes after the best one, with that pass's weights to the bit."""
    model, watch = DenseStack([6, 40, 1], "tanh"), Weights()
    x, y = torch.randn(40, 6), torch.randn(40, 1)
    held_x, held_y = torch.randn(40, 6), torch.randn(40, 1)  # noise: there is nothing to learn but the rows
    objective = Supervised(model, loss_named("squared_error"))

    @torch.no_grad()
    def validate():
        return {"val_loss": float((model(held_x) - held_y).square().mean())}

    rule = {"train": make_optimizer("adam", model, 3e-3)}
    batches, keep = ResidentBatches({"x": x, "y": y}, 8), Keep(patience=patience)
    run = fit(objective, batches, optimizers=rule, epochs=300, validate=validate, keep=keep, hooks=(watch,))
    losses = [row["val_loss"] for row in run.history]
    best = 1 + int(np.argmin(losses))
    assert run.stopped == "early"
    assert len(losses) == best + patience
    assert all(torch.equal(v, watch.of[best][k]) for k, v in model.state_dict().items())


def test_early_stopping_generalises_no_worse():
    """On few rows with noisy labels its test loss is at most that of all epochs on the same rows, 9 times of 10."""
    better = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(1100, 10))
        y = ((X[:, 0] + X[:, 1] + rng.normal(size=1100)) > 0).astype(int)
        net = MLPClassifier(hidden_layer_sizes=(64,), lr=1e-2, max_epochs=40, schedule="constant", patience=5)
        net.set_params(**RULE | {"validation_fraction": 0.4}, batch_size=16, random_state=seed).fit(
            X[:100], y[:100]
        )
        assert net.record_.stopped == "early"
        stopped = log_loss(y[100:], net.predict_proba(X[100:]))
        net.set_params(validation_fraction=0.0).fit(X[:100], y[:100])  # even with the validation rows added
        better += stopped <= log_loss(y[100:], net.predict_proba(X[100:]).clip(1e-12))
    assert better >= 9


def test_training_loop(digits, tmp_path):
    """One seed, one result; half the epochs and a resume make the whole; 32 rows are learned by heart."""
    X, _, y, _ = digits
    settings = {"hidden_layer_sizes": (16,), "max_epochs": 4, "schedule": "constant"}

    def bits(net) -> list[bytes]:
        return [v.numpy().tobytes() for v in net.module_.state_dict().values()]

    whole = bits(MLPClassifier(**settings).fit(X[:300], y[:300]))
    assert bits(MLPClassifier(**settings).fit(X[:300], y[:300])) == whole
    assert bits(MLPClassifier(**settings, random_state=1).fit(X[:300], y[:300])) != whole
    some = MLPClassifier(**RULE, hidden_layer_sizes=(64,), batch_size=32, lr=0.01, max_epochs=60)
    assert some.fit(X[:32], y[:32]).score(X[:32], y[:32]) == 1


def test_epoch():
    """100 passes with batches of 1, 7 and 32: every row once in each, in an order from (seed, epoch) alone."""
    rows, everything = torch.arange(75), list(range(75))
    for size in (1, 7, 32):
        batches, orders = ResidentBatches({"row": rows}, size), set()
        for epoch in range(100):
            drawn = [b["row"].tolist() for b in batches.epoch(3, epoch)]
            assert [len(b) for b in drawn] == [size] * (75 // size) + [75 % size] * (75 % size > 0)
            seen = functools.reduce(operator.iadd, drawn, [])
            assert sorted(seen) == everything
            orders.add(tuple(seen))
            again = ResidentBatches({"row": rows}, size).epoch(3, epoch)
            assert [b["row"].tolist() for b in again] == drawn
        assert len(orders) == 100


def test_hyperparameter(digits, tmp_path):
    """The five named ones come from one JSON file, are logged with the result, and the log repeats the score."""
    X, X_held, y, y_held = digits
    given = {"lr": 0.004, "hidden_layer_sizes": [24, 12], "batch_size": 48, "dropout": 0.15, "max_epochs": 5}
    (tmp_path / "net.json").write_text(json.dumps(given))
    net = MLPClassifier(**json.loads((tmp_path / "net.json").read_text())).fit(X, y)
    net.save(tmp_path / "net.ganglion")
    log = json.loads(json.dumps(ganglion.load(tmp_path / "net.ganglion").record_.to_dict()))["settings"]
    assert {k: log[k] for k in given} == given
    assert [m.out_features for m in net.module_.stack.linears] == [24, 12, 10]
    again = MLPClassifier(**log).fit(X, y)
    assert again.score(X_held, y_held) == net.score(X_held, y_held)
    assert np.array_equal(again.predict_proba(X_held), net.predict_proba(X_held))


def test_supervised_learning(digits, digit_net):
    """At least 97 % on held-out digits, and chance (10 +- 3 %) after training on shuffled labels (mean of 4)."""
    X, X_held, y, y_held = digits
    assert digit_net.score(X_held, y_held) >= 0.97
    net = MLPClassifier(**RULE, hidden_layer_sizes=(64,), max_epochs=10)
    shuffled = [
        net.fit(X, np.random.default_rng(seed).permutation(y)).score(X_held, y_held) for seed in range(4)
    ]
    assert np.mean(shuffled) == pytest.approx(0.1, abs=0.03)


def test_online_learning():
    """One pass over a stream: regret against the best fixed line falls like 1/sqrt(T), in constant memory.

    Steps of 1/sqrt(T) as in Zinkevich's theorem; each row is answered before it is learned from.
    """
    rng = np.random.default_rng(0)
    lengths, regrets, sizes = [30, 120, 480], [], []
    w = rng.normal(size=3)
    for T in lengths:
        X = rng.normal(size=(T, 3))
        p = 1 / (1 + np.exp(-X @ w))
        y = (rng.random(T) < p).astype(int)
        net = MLPClassifier(hidden_layer_sizes=(), **RULE, optimizer="sgd", momentum=0.0, lr=2 / np.sqrt(T))
        net.set_params(batch_size=1, init="zeros")
        loss = 0.0
        for t in range(T):
            q = 0.5 if t == 0 else net.predict_proba(X[t : t + 1])[0, 1]
            loss -= xlogy(y[t], q) + xlogy(1 - y[t], 1 - q)
            net.partial_fit(X[t : t + 1], y[t : t + 1], classes=[0, 1])
        sizes.append(len(pickle.dumps(net)))
        best = MLPClassifier(hidden_layer_sizes=(), **RULE, optimizer="lbfgs", lr=1.0, batch_size="full").fit(
            X, y
        )
        regrets.append(loss / T - log_loss(y, best.predict_proba(X)))
    assert min(regrets) > 0
    assert np.polyfit(np.log(lengths), np.log(regrets), 1)[0] <= -0.4
    assert max(sizes) - min(sizes) < 64


def test_batch_learning(rng):
    """With all rows in one update their order does not matter, and the update is the mean gradient's."""
    X, y = rng.normal(size=(50, 3)), rng.normal(size=(50, 1))
    start = rng.normal(size=(1, 3))

    def learned(rows, epochs: int) -> np.ndarray:
        model = nn.Linear(3, 1, bias=False).double()
        model.weight.data = torch.as_tensor(start.copy())
        batches = ResidentBatches({"x": torch.as_tensor(X[rows]), "y": torch.as_tensor(y[rows])}, 50)
        rule = {"train": make_optimizer("sgd", model, 0.1, momentum=0.0)}
        fit(Supervised(model, loss_named("squared_error")), batches, optimizers=rule, epochs=epochs)
        return model.weight.detach().numpy()

    once = start - 0.1 * (2 * (X @ start.T - y) * X).mean(0)
    np.testing.assert_allclose(learned(np.arange(50), 1), once, rtol=0, atol=1e-12)
    expected = learned(np.arange(50), 100)
    np.testing.assert_allclose(learned(rng.permutation(50), 100), expected, rtol=0, atol=1e-12)


def test_cost_sensitive_learning(rng):
    """Weight w is w copies; "balanced" is scikit-learn's; at 3 % rare rows recall rises from 0 to above a half."""
    z, y = torch.as_tensor(rng.normal(size=(30, 3))), torch.as_tensor(rng.integers(0, 3, 30))
    times = torch.as_tensor(rng.integers(1, 5, 30))
    model = nn.Linear(3, 3, bias=False).double()
    objective, found = Supervised(model, loss_named("cross_entropy")), []
    for batch in (
        {"x": z, "y": y, "weight": times.double()},
        {"x": z.repeat_interleave(times, 0), "y": y.repeat_interleave(times)},
    ):
        model.zero_grad()
        loss, _ = objective.gradients(batch, "train", 1.0)
        found.append(torch.cat([loss.reshape(1), model.weight.grad.flatten()]))
    torch.testing.assert_close(*found, atol=1e-10, rtol=0)

    X, rare = rng.normal(size=(4000, 2)), rng.random(4000) < 0.03
    X[rare] += 1.0
    net = MLPClassifier(hidden_layer_sizes=(16,), max_epochs=15, class_weight="balanced")
    codes = net._read_target(rare, np.ones(4000), classes=None, keep=False)
    weight = net._class_weighted(codes, np.ones(4000))
    theirs = compute_class_weight("balanced", classes=np.array([0, 1]), y=codes)
    np.testing.assert_allclose(weight, theirs[codes], rtol=1e-12)
    train, held = slice(2000), slice(2000, None)
    recalls = [
        recall_score(rare[held], net.set_params(class_weight=how).fit(X[train], rare[train]).predict(X[held]))
        for how in (None, "balanced")
    ]
    assert recalls[0] < 0.1
    assert recalls[1] >= 0.5
