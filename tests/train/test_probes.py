"""Costly probes against explicit Hessians, true losses and the definition of the gradient change."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

from ganglion.data.batches import ResidentBatches
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit
from ganglion.train.probes import Probes, fixed_rows


class Keeper(Hook):
    """Weights before and after the seventeenth step, and the rows that are probed."""

    def backward(self, run):
        if run.step == 16:
            self.old = {k: p.detach().clone() for k, p in run.objective.model.named_parameters()}

    def step(self, run):
        if run.step == 17:
            self.new = {k: p.detach().clone() for k, p in run.objective.model.named_parameters()}
            self.batch, self.lr = fixed_rows(run), run.lr


@pytest.fixture(scope="module")
def watched():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(3, 5), nn.Tanh(), nn.Dropout(0.2), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 2)
    )
    net = net.double()
    rows = {"x": torch.randn(200, 3, dtype=torch.float64), "y": torch.randint(0, 2, (200,))}
    probes, keeper = Probes(), Keeper()
    objective = Supervised(net, loss_named("cross_entropy"))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    fit(
        objective,
        ResidentBatches(rows, 10),
        optimizers={"train": optimizer},
        epochs=1,
        hooks=(probes, keeper),
    )
    found = {r["kind"]: r for r in probes.rows if r["step"] == 17}
    return net.eval(), keeper, found


def loss(net, weights, batch):
    return F.cross_entropy(functional_call(net, weights, (batch["x"],)), batch["y"])


def test_rows_are_fixed_and_few(watched):
    _, keeper, _ = watched
    assert len(keeper.batch["x"]) == 64


def test_curvature_is_the_hessians(watched):
    net, keeper, found = watched
    names, sizes = zip(*((k, v.numel()) for k, v in keeper.new.items()))

    def flat(vector):
        parts = {k: c.view(keeper.new[k].shape) for k, c in zip(names, vector.split(sizes))}
        return loss(net, parts, keeper.batch)

    start = torch.cat([v.reshape(-1) for v in keeper.new.values()])
    values = np.linalg.eigvalsh(torch.autograd.functional.hessian(flat, start).numpy())
    row = found["curvature"]
    assert row["top"] == pytest.approx(values[-1], rel=1e-3)
    assert values[0] - 1e-9 <= row["bottom"] <= 0.5 * values[0]
    assert row["lr_top"] == pytest.approx(0.3 * row["top"])
    assert 1 <= row["condition"] <= np.abs(values).max() / np.abs(values).min()


def test_the_line_is_the_loss_along_the_step(watched):
    net, keeper, found = watched
    for at, value in zip(found["line"]["at"], found["line"]["loss"]):
        there = {k: keeper.old[k] + at * (keeper.new[k] - keeper.old[k]) for k in keeper.old}
        assert value == pytest.approx(float(loss(net, there, keeper.batch)), abs=1e-12)


def test_gradient_change_is_that_of_santurkar(watched):
    """G: all layers before the step. G': those before the layer after it."""
    net, keeper, found = watched
    row = found["shift"]
    assert row["index"] == [1, 2]
    for index, name, ahead in ((1, "3", ("0",)), (2, "5", ("0", "3"))):
        slopes = []
        for moved in ((), ahead):
            at = {
                k: (keeper.new if k[0] in moved else keeper.old)[k].clone().requires_grad_()
                for k in keeper.old
            }
            own = [v for k, v in at.items() if k[0] == name]
            slopes.append(
                torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss(net, at, keeper.batch), own)])
            )
        g, h = (s.numpy() for s in slopes)
        place = row["index"].index(index)
        assert row["gradient_change"][place] == pytest.approx(
            np.linalg.norm(h - g) / np.linalg.norm(g), rel=1e-8
        )
        assert row["cosine"][place] == pytest.approx(g @ h / np.linalg.norm(g) / np.linalg.norm(h), rel=1e-8)


def test_the_shift_is_that_of_the_inputs(watched):
    _, keeper, found = watched
    inputs = []
    for weights in (keeper.old, keeper.new):
        h = torch.tanh(F.linear(keeper.batch["x"], weights["0.weight"], weights["0.bias"])).numpy()
        inputs.append((h.mean(0), h.std(0)))
    (m0, s0), (m1, s1) = inputs
    size = np.sqrt((s0**2).sum())
    assert found["shift"]["mean_shift"][0] == pytest.approx(np.linalg.norm(m1 - m0) / size, rel=1e-5)
    assert found["shift"]["spread_shift"][0] == pytest.approx(np.linalg.norm(s1 - s0) / size, rel=1e-4)


def test_readings_are_rationed_by_steps():
    """At most one part in sixteen of the steps, beyond the first readings."""
    torch.manual_seed(0)
    net = nn.Linear(2, 2)
    probes = Probes()
    rows = {"x": torch.randn(64, 2), "y": torch.randint(0, 2, (64,))}
    objective = Supervised(net, loss_named("cross_entropy"))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    fit(objective, ResidentBatches(rows, 4), optimizers={"train": optimizer}, epochs=250, hooks=(probes,))
    steps = [r["step"] for r in probes.rows if r["kind"] == "curvature"]
    assert steps[0] == 17
    assert steps[-1] == 4000
    assert 4 <= len(steps) <= 7
