"""Watchers: rows against NumPy, every kind of layer and activation, and not a bit of the weights changed."""

import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganglion.base.errors import GanglionError, ParameterError
from ganglion.base.record import TrainingRecord
from ganglion.data.batches import ResidentBatches
from ganglion.estimators.mlp import MLPClassifier
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.loop import fit
from ganglion.train.noise import WINDOW, NoiseWatch
from ganglion.train.panel import Panel
from ganglion.train.watch import LayerWatch, layers_of


class Functional(nn.Module):
    def __init__(self, act=F.relu):
        super().__init__()
        self.a, self.b, self.act = nn.Linear(4, 6), nn.Linear(6, 3), act

    def forward(self, x):
        return self.b(self.act(self.a(x)))


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.head = kind(2, 5, batch_first=True), nn.Linear(5, 3)

    def forward(self, x):
        return self.head(self.cell(x.unflatten(1, (2, 2)))[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        x = x.unsqueeze(1)
        return self.head(self.mix(x, x, x)[0][:, 0])


class Own(nn.Module):
    """Parameters by its own names, in a module that has children too."""

    def __init__(self):
        super().__init__()
        self.mixing = nn.Parameter(torch.randn(4, 4) / 2)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.tanh(x @ self.mixing))


def conv():
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 5, 2), nn.ReLU(), nn.Flatten(), nn.Linear(5, 3)
    )


NETS = {
    "modules": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)),
    "in place": lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)),
    "functional": Functional,
    "convolution": conv,
    "rnn": lambda: Recurrent(nn.RNN),
    "lstm": lambda: Recurrent(nn.LSTM),
    "gru": lambda: Recurrent(nn.GRU),
    "attention": Attention,
    "own names": Own,
    "batch norm": lambda: nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3)),
    "weight norm": lambda: nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(4, 6)), nn.ReLU(), nn.Linear(6, 3)
    ),
    "dropout": lambda: nn.Sequential(nn.Linear(4, 6), nn.SiLU(), nn.Dropout(0.5), nn.Linear(6, 3)),
}


def data(n=90, seed=0):
    g = torch.Generator().manual_seed(seed)
    return {"x": torch.randn(n, 4, generator=g), "y": torch.randint(0, 3, (n,), generator=g)}


def train(net, hooks, *, epochs=6, lr=0.1, batch=30, rows=None, optimizer=None):
    objective = Supervised(net, loss_named("cross_entropy"))
    optimizer = optimizer or torch.optim.SGD(net.parameters(), lr=lr)
    return fit(
        objective,
        ResidentBatches(rows or data(), batch),
        optimizers={"train": optimizer},
        epochs=epochs,
        hooks=tuple(hooks),
    )


@pytest.mark.parametrize("name", NETS)
def test_no_level_changes_a_bit_and_rows_repeat(name):
    ends, rows = [], []
    for level in ("off", "default", "full", "full"):
        torch.manual_seed(0)
        net, panel = NETS[name](), Panel(level)
        run = train(net, panel.hooks, epochs=10)
        course = [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]
        ends.append((net.state_dict(), course, torch.get_rng_state()))
        rows.append((panel.layers, panel.probes))
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())
    for state, course, rng in ends[1:]:
        assert all(torch.equal(a, b) for a, b in zip(state.values(), ends[0][0].values(), strict=True))
        assert course == ends[0][1]
        assert rng.equal(ends[0][2])
    assert rows[0] == ([], [])
    assert rows[1][0] == rows[2][0]
    assert repr(rows[2]) == repr(rows[3])  # the same run, the same rows
    assert {r["layer"] for r in rows[1][0]} == set(layers_of(NETS[name]()))
    kinds = {r["kind"] for r in rows[2][1]}
    assert kinds >= {"noise", "line", "shift"}
    again = TrainingRecord.from_dict(json.loads(json.dumps(TrainingRecord(probes=rows[2][1]).to_dict())))
    assert again.probes == rows[2][1]


def test_a_row_against_numpy():
    """Weights, gradient, update, inputs and activation of the second step, from the formula."""
    torch.manual_seed(0)
    net, rows = NETS["modules"](), data(40)
    watch = LayerWatch()
    objective = Supervised(net, loss_named("cross_entropy"))
    batches = ResidentBatches(rows, 40, shuffle=False)
    w = [p.detach().double().numpy().copy() for p in net.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    fit(objective, batches, optimizers={"train": optimizer}, epochs=1, hooks=(watch,))
    x, y = rows["x"].double().numpy(), rows["y"].numpy()
    z = x @ w[0].T + w[1]
    h = np.maximum(z, 0)
    out = h @ w[2].T + w[3]
    p = np.exp(out - out.max(1, keepdims=True))
    p = p / p.sum(1, keepdims=True)
    p[np.arange(40), y] -= 1
    g2 = p.T @ h / 40
    g1 = ((p @ w[2]) * (z > 0)).T @ x / 40
    first, second = watch.rows
    for row, weight, gradient in ((first, w[0], g1), (second, w[2], g2)):
        new = weight - 0.5 * gradient
        assert row["grad_norm"] == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
        assert row["weight_norm"] == pytest.approx(np.linalg.norm(new), rel=1e-5)
        ratio = 0.5 * np.linalg.norm(gradient) / np.linalg.norm(weight)
        assert row["update_ratio"] == pytest.approx(ratio, rel=1e-4)
    assert first["input_mean"] == pytest.approx(x.mean(), rel=1e-5)
    assert first["input_std"] == pytest.approx(x.std(), rel=1e-5)
    after = np.maximum(x @ (w[0] - 0.5 * g1).T + w[1] - 0.5 * ((p @ w[2]) * (z > 0)).mean(0), 0)
    assert first["mean"] == pytest.approx(after.mean(), rel=1e-4)
    assert second["input_std"] == first["std"] == pytest.approx(after.std(), rel=1e-4)


@pytest.mark.parametrize("name", ["modules", "in place", "functional", "convolution"])
def test_dead_units_are_counted(name):
    torch.manual_seed(0)
    net = NETS[name]()
    layer = next(iter(layers_of(net).values()))
    with torch.no_grad():
        layer.bias[:2] = -100.0
        layer.bias[2:] = 0.0
    watch = LayerWatch()
    train(net, [watch], epochs=1, lr=0.0)
    row = watch.rows[0]
    assert row["activation"] == "ReLU"
    assert row["dead"] == pytest.approx(2 / len(layer.bias))
    assert "activation" not in watch.rows[1]


@pytest.mark.parametrize(("act", "bias"), [(torch.tanh, 10.0), (torch.sigmoid, -20.0), (F.hardtanh, 5.0)])
def test_saturated_outputs_are_counted_without_modules(act, bias):
    torch.manual_seed(0)
    net = Functional(act)
    with torch.no_grad():
        net.a.weight.mul_(0.01)
        net.a.bias.zero_()[:3] = bias
    watch = LayerWatch()
    train(net, [watch], epochs=1, lr=0.0)
    assert watch.rows[0]["saturated"] == pytest.approx(0.5)


def test_recurrent_outputs_saturate():
    torch.manual_seed(0)
    net = Recurrent(nn.RNN)
    with torch.no_grad():
        net.cell.bias_ih_l0.fill_(20.0)
    watch = LayerWatch()
    train(net, [watch], epochs=1, lr=0.0)
    assert watch.rows[0]["kind"] == "RNN"
    assert watch.rows[0]["activation"] == "Tanh"
    assert watch.rows[0]["saturated"] == 1
    both = [p.detach().numpy() for p in (net.cell.weight_ih_l0, net.cell.weight_hh_l0)]
    assert watch.rows[0]["weight_norm"] == pytest.approx(np.sqrt(sum((b**2).sum() for b in both)), rel=1e-5)


def test_drift_is_measured_in_standard_deviations():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.Identity(), nn.Linear(6, 3))
    watch = LayerWatch()
    moved = nn.Parameter(torch.zeros(()))
    seen = []

    class Push(torch.optim.SGD):
        def step(self, closure=None):
            with torch.no_grad():
                h = net[0](data(40)["x"])
                seen.append((h.mean(0), h.var(0, correction=0)))
                net[0].bias.add_(1.0)

    train(net, [watch], epochs=1, batch=10, rows=data(40), optimizer=Push([*net.parameters(), moved], lr=0.1))
    rows = [r for r in watch.rows if r["index"] == 1]
    assert "input_shift" not in rows[0]
    expected = np.sqrt(6) / float(seen[0][1].sum().sqrt())
    assert rows[1]["input_shift"] == pytest.approx(expected, rel=1e-4)
    assert all(r["input_shift"] == 0 for r in watch.rows if r["index"] == 0 and "input_shift" in r)


def test_frozen_batch_norm_stays_frozen():
    torch.manual_seed(0)
    net = NETS["batch norm"]()

    class Freezing(Supervised):
        def train(self, mode=True):
            super().train(mode)
            self.net[1].training = False
            return self

    objective = Freezing(net, loss_named("cross_entropy"))
    before = net[1].running_mean.clone()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    hooks = Panel("full").hooks
    fit(objective, ResidentBatches(data(), 30), optimizers={"train": optimizer}, epochs=8, hooks=hooks)
    assert torch.equal(before, net[1].running_mean)


def test_moments_are_rare_in_long_runs_and_early_at_the_start():
    watch = LayerWatch()
    train(NETS["modules"](), [watch], epochs=200, lr=0.0)
    steps = sorted({r["step"] for r in watch.rows})
    assert {1, 2, 4, 8} <= set(steps)
    assert 10 <= len(steps) <= 18
    assert {3 * e + 1 for e in (4, 8, 16, 32, 64, 128)} <= set(steps)


def test_noise_scale_of_known_gradients():
    """A linear loss: the gradient of an example is its input, so G and Sigma are known; 200 windows agree."""
    rng = np.random.default_rng(0)
    true, spread = np.array([0.3, -0.2, 0.1, 0.0]), np.array([1.0, 2.0, 0.5, 0.1])
    signal, noise = [], []
    for i in range(40):
        x = torch.tensor(rng.normal(true, spread, size=(WINDOW * 8 * 4, 4)), dtype=torch.float32)
        net = nn.Linear(4, 1, bias=False)
        watch = NoiseWatch()

        class Sum(Supervised):
            def forward(self, batch, phase):
                step = super().forward(batch, phase)
                return step._replace(loss=step.output[:, 0])

        objective = Sum(net, loss_named("squared_error"))
        batches = ResidentBatches({"x": x, "y": torch.zeros(len(x), 1)}, 8)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        fit(objective, batches, optimizers={"train": optimizer}, epochs=1, hooks=(watch,), seed=i)
        signal.append(watch.rows[0]["signal"])
        noise.append(watch.rows[0]["noise"])
        assert watch.rows[0]["batch_size"] == 8
    for found, wanted in ((signal, (true**2).sum()), (noise, (spread**2).sum())):
        error = np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - wanted) < 3 * error
        assert error < 0.2 * wanted


def test_one_batch_an_epoch_has_no_noise():
    watch = NoiseWatch()
    train(NETS["modules"](), [watch], batch=90, epochs=40)
    assert watch.rows == []


def test_unknown_level():
    with pytest.raises(ParameterError, match="default"):
        Panel("defualt")


@pytest.mark.parametrize(
    "row", [{"kind": 3}, {"kind": "noise", "step": "a"}, {"kind": "line", "at": [[1]]}, 7]
)
def test_damaged_probes_are_refused(row):
    with pytest.raises(GanglionError, match="probes"):
        TrainingRecord.from_dict({"probes": [row]})


def test_layers_stand_in_the_order_in_which_they_are_called():
    class HeadFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.head, self.body = nn.Linear(8, 2), nn.Linear(4, 8)

        def forward(self, x):
            return self.head(torch.relu(self.body(x)))

    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4)).astype(np.float32)
    net = MLPClassifier(module=lambda n, k: HeadFirst(), preprocess="none", max_epochs=1).fit(X, X[:, 0] > 0)
    assert {row["layer"]: row["index"] for row in net.record_.layers} == {"body": 0, "head": 1}


@pytest.mark.parametrize("batch", [90, 45, 10, 3])  # 1, 2, 9 and 30 steps an epoch
@pytest.mark.parametrize("kind", [LayerWatch, NoiseWatch])
def test_a_watcher_that_rests_misses_nothing(kind, batch):
    class Awake(kind):
        calls = 0

        def rests(self, run):
            return False

        def backward(self, run):
            self.calls += 1
            super().backward(run)

    class Counted(Awake):
        rests = kind.rests

    watchers = Awake(), Counted()
    for watch in watchers:
        torch.manual_seed(0)
        train(NETS["modules"](), [watch], batch=batch, epochs=40)
    assert watchers[0].rows == watchers[1].rows
    assert watchers[1].calls < 0.8 * watchers[0].calls
