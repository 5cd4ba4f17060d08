"""A loop of one's own: the same rows as the loop's, and a record that a diagnosis judges."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import ganglion
from ganglion.base.errors import ParameterError
from ganglion.data.batches import ResidentBatches
from ganglion.diagnose import diagnose
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.loop import fit
from ganglion.train.panel import Panel
from ganglion.train.recorder import Recorder

SIZE = 16


def data():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(96, 3, generator=g)
    return x, (x[:, 0] > 0).long()


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


def by_hand(net, *, watch="default", lr=0.1, epochs=6, record=True):
    """A loop as its author would write it."""
    x, y = data()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    recorder = Recorder(net, optimizer, loss=F.cross_entropy, watch=watch) if record else None
    for _ in range(epochs):
        for a, b in zip(x.split(SIZE), y.split(SIZE)):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(a), b)
            loss.backward()
            if record and not recorder.step(loss, a, b):
                return recorder
            optimizer.step()
        if record:
            recorder.epoch(val_loss=0.5, val_score=0.9)
    return recorder


@pytest.mark.parametrize("watch", ["off", "default", "full"])
def test_nothing_changes(watch):
    by_hand(plain := network(), record=False)
    recorder = by_hand(watched := network(), watch=watch)
    after = torch.get_rng_state()
    recorder.record()
    assert torch.equal(after, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(*(n.state_dict().values() for n in (plain, watched))))
    assert all(m.training for m in watched.modules())


def test_the_rows_are_those_of_the_loop():
    """The same training by ``train.fit``: history, norms, updates and noise agree."""
    net = network()
    ours = by_hand(net).record()
    x, y = data()
    again, panel = network(), Panel("default")
    run = fit(
        Supervised(again, loss_named("cross_entropy")),
        ResidentBatches({"x": x, "y": y}, SIZE, shuffle=False),
        optimizers={"train": torch.optim.SGD(again.parameters(), lr=0.1)},
        epochs=6,
        hooks=panel.hooks,
    )
    for mine, loops in zip(ours.history, run.history, strict=True):
        for key in ("epoch", "step", "lr", "loss", "grad_norm", "grad_norm_max"):
            assert mine[key] == pytest.approx(loops[key], rel=1e-5)
        assert mine["val_score"] == 0.9
    for mine, loops in zip(ours.layers, panel.layers, strict=True):
        for key in ("step", "epoch", "layer", "kind", "weight_norm", "grad_norm", "update_ratio"):
            assert mine[key] == (
                loops[key] if isinstance(loops[key], str) else pytest.approx(loops[key], rel=1e-4)
            )
    assert [r["step"] for r in ours.probes] == [r["step"] for r in panel.probes]
    for mine, loops in zip(ours.probes, panel.probes):
        assert mine["noise_scale"] == pytest.approx(loops["noise_scale"], rel=1e-3)


def test_the_full_panel_fills_every_kind():
    record = by_hand(network(), watch="full").record(task="binary", data={"n_train": 96})
    assert {r["kind"] for r in record.probes} == {"noise", "curvature", "line", "shift"}
    assert record.settings["optimizer"] == "sgd"
    assert (record.settings["lr"], record.settings["batch_size"]) == (0.1, SIZE)
    assert record.data == {"n_parameters": 66, "n_train": 96}
    assert ganglion.TrainingRecord.from_dict(record.to_dict()) == record


def test_a_step_that_is_not_finite_is_named_and_judged():
    net = network()
    with torch.no_grad():
        net[4].weight[0, 0] = float("inf")
    recorder = by_hand(net)
    record = recorder.record()
    assert record.stopped == "non_finite"
    assert record.non_finite["step"] == 1
    assert record.non_finite["layer"] == "4"
    assert diagnose(record)[0].name == "non_finite_step"


def test_a_planted_fault_is_found():
    """Dead units from the start."""
    net = network()
    with torch.no_grad():
        net[1].bias.fill_(-100.0)
    record = by_hand(net, epochs=4).record(task="binary")
    assert "dead_units" in [f.name for f in diagnose(record)][:2]


def test_wrong_use_is_refused():
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(ParameterError, match="give loss="):
        Recorder(net, optimizer, watch="full")
    with pytest.raises(ParameterError, match="call step"):
        Recorder(net, optimizer).epoch()
