"""A look by hand finds what the general look finds, which goes through hooks and hears every call."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.data.batches import ResidentBatches
from ganglion.models.mlp import MLP
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised, SupervisedByHand
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.train import look as looking
from ganglion.train import watch as watching
from ganglion.train.look import BOUNDS, HEARD, Spread, numbers
from ganglion.train.loop import fit
from ganglion.train.watch import LayerWatch

BY_HAND = sorted(name for name in ACTIVATIONS if activation_named(name).backward)
COLUMNS = 5
# what else a network may be: hidden layers, loss, and the parts of an MLP
NETS = {
    "linear": ((), "cross_entropy", {}),
    "one": ((9,), "squared_error", {}),
    "five": ((9, 8, 7, 6, 5), "cross_entropy", {}),
    "dropout": ((9, 8), "squared_error", {"dropout": 0.4}),
    "embeddings": ((9, 8), "cross_entropy", {"cardinalities": (4, 3)}),
    "bins": ((9,), "squared_error", {"edges": [np.linspace(-1, 1, 4)] * COLUMNS}),
}
CASES = [("five", name) for name in BY_HAND] + [(name, "tanh") for name in NETS] + [("dropout", "relu")]


def rows_of(kind, activation, monkeypatch, *, by_hand):
    """The rows of a run on the same data from the same start, by either look."""
    torch.manual_seed(0)
    hidden, loss, parts = NETS[kind]
    cardinalities = parts.get("cardinalities", ())
    x = torch.randn(64, COLUMNS)
    x = torch.cat([x, *(torch.randint(0, k, (64, 1)).float() for k in cardinalities)], 1)
    y = torch.randint(0, 3, (64,)) if loss == "cross_entropy" else torch.randn(64, 3)
    net = MLP(COLUMNS, cardinalities, hidden, 3, activation=activation, init="glorot", **{
        k: v for k, v in parts.items() if k != "cardinalities"
    })  # fmt: skip
    if hidden:
        with torch.no_grad():
            net.stack.linears[0].bias[:3] = -50.0  # dead, or at a bound
    flat = Flat(net)
    objective = SupervisedByHand(net, loss_named(loss), flat=flat)
    watch, called = LayerWatch(), []
    with monkeypatch.context() as patch:
        if not by_hand:
            patch.setattr(watching, "dense_pass", lambda objective: None)
        patch.setattr(watching, "look", lambda *args: called.append(1) or looking.look(*args))
        batches = ResidentBatches({"x": x, "y": y}, 8)
        fit(objective, batches, optimizers={"train": FlatAdamW(flat, lr=0.02)}, epochs=6, hooks=(watch,))
    assert bool(called) is not by_hand
    return watch.rows


@pytest.mark.parametrize(("kind", "activation"), CASES)
def test_both_looks_give_the_same_rows(kind, activation, monkeypatch):
    general = rows_of(kind, activation, monkeypatch, by_hand=False)
    short = rows_of(kind, activation, monkeypatch, by_hand=True)
    layers = len(NETS[kind][0]) + 1 + len(NETS[kind][2].get("cardinalities", ()))
    assert len(general) == len(short) == 7 * layers
    for a, b in zip(general, short):
        assert list(a) == list(b)
        for key, value in a.items():
            assert b[key] == (
                pytest.approx(value, rel=1e-4, abs=1e-6) if isinstance(value, float) else value
            ), key
    hidden = [row for row in short if row["index"] == layers - len(NETS[kind][0]) - 1]
    name = type(activation_named(activation).module()).__name__
    if NETS[kind][0]:
        assert all(("activation" in row) is (name in HEARD) for row in hidden)
        assert name not in ("ReLU", *BOUNDS) or max(hidden[0]["dead"], hidden[0]["saturated"]) > 0.2


def test_a_unit_rests_where_it_is_zero_in_every_row():
    values = torch.randn(50, 5).relu()
    values[:, 1] = 0.0
    values[:, 2] = 3.0  # one value, but not 0
    values[1:, 3] = 0.0
    values[0, 3] = 1e-6
    values[:, 4] = torch.tensor([1.0, -1.0]).repeat(25)  # 0 on average
    assert float(Spread.of(values).resting()) == pytest.approx(0.2)


def test_spreads_against_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3.0, 2.0, (70, 6)), rng.normal(1.0, 0.5, (70, 6))
    one, two = (Spread.of(torch.tensor(v, dtype=torch.float32)) for v in (a, b))
    mean, std = one.overall
    assert float(mean) == pytest.approx(a.mean(), rel=1e-5)
    assert float(std) == pytest.approx(a.std(), rel=1e-5)
    moved = np.linalg.norm(b.mean(0) - a.mean(0)) / np.sqrt(a.var(0).sum())
    assert float(one.shift_to(two)) == pytest.approx(moved, rel=1e-5)
    turned = np.linalg.norm(b.std(0) - a.std(0)) / np.linalg.norm(a.std(0))
    assert float(one.spread_to(two)) == pytest.approx(turned, rel=1e-5)
    still = Spread.of(torch.ones(5, 2))
    assert float(still.shift_to(Spread.of(torch.zeros(5, 2)))) == 0.0  # no standard deviation to measure in


def test_numbers_are_read_in_their_places():
    rows = [{"a": torch.tensor(2.0), "b": "word"}, {"a": 1, "c": torch.tensor(0.5, dtype=torch.float64)}, {}]
    assert numbers(rows) == [{"a": 2.0, "b": "word"}, {"a": 1, "c": 0.5}, {}]
    assert numbers([]) == []


def test_a_stack_that_does_not_train_by_hand_is_looked_at_by_hooks():
    assert looking.dense_pass(Supervised(nn.Linear(3, 2), loss_named("cross_entropy"))) is None
