"""A step that is not finite leaves everything as it was, and is named: at once, or without waiting for a device."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from ganglion.data.batches import ResidentBatches
from ganglion.estimators.mlp import MLPRegressor
from ganglion.objectives.base import Objective, Phase, Step
from ganglion.optim.average import ema
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.optim.optimizers import make_optimizer
from ganglion.train import checkpoint, loop
from ganglion.train.checkpoint import Checkpoint
from ganglion.train.clip import Clip
from ganglion.train.guard import READ_EVERY, Guard
from ganglion.train.hooks import Hook
from ganglion.train.meter import Meter

PER_EPOCH = 60  # batches
BAD = 85  # the step that goes wrong, counted from 0: in the second epoch


class InfiniteSlope(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, flag):
        ctx.save_for_backward(flag)
        return h.clone()

    @staticmethod
    def backward(ctx, g):
        (flag,) = ctx.saved_tensors
        return g * (200 * flag).exp(), None


class Fault(nn.Module):
    """Passes on, but overflows in rows with the flag."""

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, h, flag):
        if self.kind == "activation":
            return h * (200 * flag).exp()
        return InfiniteSlope.apply(h, flag) if self.kind == "gradient" else h


class Net(nn.Module):
    def __init__(self, kind, norm=False):
        super().__init__()
        self.first, self.norm = nn.Linear(2, 6), nn.BatchNorm1d(6) if norm else nn.Identity()
        self.fault, self.last = Fault(kind), nn.Linear(6, 1)

    def forward(self, x):
        h = self.norm(self.first(x[:, :2])).tanh()
        return self.last(self.fault(h, x[:, 2:]))


class Watched(Objective):
    """Squared error; the weights stand in one buffer if ``flat``; what moves after an update can be had too."""

    def __init__(self, kind, flat=False, decay=0.0, norm=False):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.kind, self.decay = Net(kind, norm), kind, decay
        self._flat = (Flat(self.net),) if flat else ()

    @property
    def model(self):
        return self.net

    def parameters_of(self, phase):
        return iter((self._flat[0].value,)) if self._flat else self.net.parameters()

    def forward(self, batch, phase):
        out = self.net(batch["x"])
        loss = (out - batch["y"]).square().squeeze(1)
        return Step(loss * (200 * batch["x"][:, 2]).exp() if self.kind == "loss" else loss, out)

    def after_update(self, phase, lr):
        with torch.no_grad():
            for p in self.net.parameters():
                p.mul_(1 - self.decay)


class Diary(Hook):
    """The weights after every step."""

    def __init__(self):
        self.pages = []

    def start(self, run):
        self.pages.append(snapshot(run.objective))

    def step(self, run):
        self.pages.append(snapshot(run.objective))


def snapshot(objective):
    return [v.detach().clone() for v in objective.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


class NoShuffle(ResidentBatches):
    def __init__(self, tensors, size):
        super().__init__(tensors, size, shuffle=False)


def batches(kind, size=4, bad_row=(BAD % PER_EPOCH) * 4):
    """The first epoch is sound; from the second on one row is bad."""
    g = torch.Generator().manual_seed(1)
    n = PER_EPOCH * 4
    x = torch.cat([torch.randn(n, 2, generator=g), torch.zeros(n, 1)], 1)
    sound = {"x": x, "y": x[:, :1].sin()}
    x = x.clone()
    x[bad_row, 0 if kind == "input" else 2] = torch.inf if kind == "input" else 1.0

    class Spoiled(NoShuffle):
        def epoch(self, seed, epoch, start=0):
            self.tensors = sound if epoch == 0 else sound | {"x": x}
            return super().epoch(seed, epoch, start)

    return Spoiled(sound, size)


class DeviceMeter(Meter):
    """Keeps its sums as tensors, as on an accelerator."""

    def __init__(self, device):
        super().__init__(device)
        self.on_host = False


@pytest.fixture(params=["at once", "without waiting"])
def path(request, monkeypatch):
    if request.param == "without waiting":
        monkeypatch.setattr(loop, "Guard", lambda device, **rest: Guard(device, True, **rest))
        monkeypatch.setattr(loop, "Meter", DeviceMeter)
    return request.param


OPTIMIZERS = {
    "flat adamw": lambda o: FlatAdamW(o._flat[0], lr=1e-2, weight_decay=0.1),
    "adamw fused": lambda o: torch.optim.AdamW(o.parameters(), lr=1e-2, fused=True),
    "adamw": lambda o: torch.optim.AdamW(o.parameters(), lr=1e-2),
    "sgd": lambda o: torch.optim.SGD(o.parameters(), lr=1e-2, momentum=0.9, weight_decay=0.01),
    "rmsprop": lambda o: torch.optim.RMSprop(o.parameters(), lr=1e-3),
    "lbfgs": lambda o: torch.optim.LBFGS(o.parameters(), lr=0.1, max_iter=3),
    **{
        name: lambda o, name=name: make_optimizer(name, o.net, 1e-3, weight_decay=0.01)
        for name in ("lion", "muon", "sam", "sam+lion", "lookahead(k=3)")
    },
}
PLACES = {
    "input": ("input", "x", "the batch's x is not finite"),
    "activation": ("fault", "activation", "activations overflow"),
    "loss": ("loss", "loss", "the loss overflows for finite outputs"),
    "gradient": ("first", "gradient", "gradients overflow"),
}


def train(objective, optimizer, data, **settings):
    diary = Diary()
    run = loop.fit(objective, data, optimizers={"train": optimizer}, epochs=4, hooks=(diary,), **settings)
    return run, diary.pages


@pytest.mark.parametrize("rule", OPTIMIZERS)
@pytest.mark.parametrize("kind", PLACES)
def test_a_bad_step_is_not_applied_and_is_named(kind, rule, path):
    objective = Watched(kind, flat=rule.startswith("flat"))
    run, pages = train(objective, OPTIMIZERS[rule](objective), batches(kind))
    assert run.stopped == "non_finite"
    assert same(snapshot(objective), pages[BAD])
    assert not same(pages[BAD], pages[BAD - 1])
    layer, quantity, cause = PLACES[kind]
    named = {"epoch": 2, "step": BAD + 1, "phase": "train"}
    assert run.non_finite == {**named, "layer": layer, "quantity": quantity, "cause": cause}
    assert len(run.history) == 1
    late = run.step - BAD
    assert late == 0 if path == "at once" or rule == "lbfgs" else 0 < late <= READ_EVERY
    assert all(p.isfinite().all() for p in objective.parameters())


@pytest.mark.parametrize("rule", ["flat adamw", "adamw fused"])
@pytest.mark.usefixtures("path")
def test_the_moments_stay_sound_too(rule):
    """Where the optimiser heeds the flag, nothing at all of a bad step remains."""
    ends = []
    for kind in ("gradient", None):
        objective = Watched(kind, flat=rule.startswith("flat"))
        optimizer = OPTIMIZERS[rule](objective)
        stop = {"max_steps": BAD} if kind is None else {"epochs": 4}
        loop.fit(objective, batches(kind), optimizers={"train": optimizer}, **stop)
        state = optimizer.state_dict()["state"]
        ends.append([v for one in state.values() for v in one.values()])
    assert same(*ends)


@pytest.mark.usefixtures("path")
def test_what_follows_an_update_is_held_back_as_well():
    objective = Watched("gradient", decay=0.01)
    _, pages = train(objective, torch.optim.SGD(objective.parameters(), lr=0.01), batches("gradient"))
    assert same(snapshot(objective), pages[BAD])


@pytest.mark.usefixtures("path")
def test_running_statistics_stay_sound():
    objective = Watched("input", norm=True)
    _, pages = train(objective, torch.optim.SGD(objective.parameters(), lr=0.01), batches("input"))
    assert same(snapshot(objective), pages[BAD])
    assert objective.net.norm.running_mean.isfinite().all()
    assert int(objective.net.norm.num_batches_tracked) == BAD


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("first", [True, False])
def test_the_micro_batch_is_found(first):
    """Four micro-batches an update: the bad row stands in the first or the last of them."""
    step = 70  # 0.. ; an epoch has 15 updates of 4 micro-batches
    row = (step % 60) * 4 + (0 if first else 3)
    objective = Watched("activation")
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.01)
    data = batches("activation", size=1, bad_row=row)
    run, pages = train(objective, optimizer, data, accumulate=4)
    assert run.non_finite["step"] == step + 1
    assert run.non_finite["layer"] == "fault"
    assert same(snapshot(objective), pages[step])


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("clip", [Clip(norm=1.0), Clip(value=0.1), Clip(norm=1.0, value=0.1)])
def test_clipping_does_not_hide_an_infinite_gradient(clip):
    objective = Watched("gradient")
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.01)
    run, pages = train(objective, optimizer, batches("gradient"), clip=clip)
    assert run.non_finite["step"] == BAD + 1
    assert same(snapshot(objective), pages[BAD])


@pytest.mark.usefixtures("path")
def test_no_checkpoint_is_written_after_a_bad_step(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SAVE_EVERY", 1e-9)
    objective = Watched("gradient")
    optimizer = torch.optim.SGD(objective.parameters(), lr=0.01, momentum=0.9)
    _, pages = train(objective, optimizer, batches("gradient"), checkpoint=Checkpoint(tmp_path))
    head, tensors = checkpoint.read(tmp_path / checkpoint.NAME)
    state = checkpoint.unpack(head["state"], tensors)
    assert state["step"] == BAD
    assert same(state["objective"].values(), pages[BAD])
    assert all(t.isfinite().all() for t in tensors.values())


class Pair(Objective):
    phases = (Phase("left"), Phase("right", batch="same"))

    def __init__(self, bad):
        super().__init__()
        torch.manual_seed(0)
        self.left, self.right, self.bad = Net(None, norm=True), Net(None, norm=True), bad

    @property
    def model(self):
        return self.left

    def parameters_of(self, phase):
        return getattr(self, phase).parameters()

    def forward(self, batch, phase):
        x = batch["x"]
        loss = (getattr(self, phase)(x) - batch["y"]).square().squeeze(1)
        return Step(loss * (200 * x[:, 2]).exp() if phase == self.bad else loss)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("bad", ["left", "right"])
def test_the_phase_is_named(bad):
    objective = Pair(bad)
    rules = {p.name: torch.optim.SGD(objective.parameters_of(p.name), lr=0.01) for p in objective.phases}
    diary = Diary()
    run = loop.fit(objective, batches("loss"), optimizers=rules, epochs=3, hooks=(diary,))
    step = 2 * BAD + (bad == "right")
    assert (run.non_finite["phase"], run.non_finite["step"]) == (bad, step + 1)
    assert run.non_finite["layer"] == "loss"
    assert same(snapshot(objective), diary.pages[step])


@pytest.mark.usefixtures("path")
def test_a_search_that_runs_away_is_taken_back():
    objective = Watched(None)
    optimizer = torch.optim.LBFGS(objective.parameters(), lr=1e38, max_iter=4)
    run, pages = train(objective, optimizer, batches(None))
    assert run.stopped == "non_finite"
    assert same(snapshot(objective), pages[-1])
    assert all(p.isfinite().all() for p in objective.parameters())


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("rule", ["sam(0.5)", "sam(0.5, 'lion')"])
@pytest.mark.parametrize("clip", [Clip(), Clip(value=1.0)])
def test_the_second_gradient_of_a_step_is_judged_too(rule, clip):
    """All is well at the weights, and infinite uphill of them from one step on; a sign would hide it."""

    class Cliff(Watched):
        def forward(self, batch, phase):
            if torch.is_grad_enabled():
                self.asked += 1
            step = super().forward(batch, phase)
            beyond = self.asked > 2 * BAD and self.asked % 2 == 0
            return step._replace(loss=step.loss * torch.inf) if beyond else step

    objective = Cliff(None, norm=True)
    objective.asked = 0
    run, pages = train(objective, make_optimizer(rule, objective.net, 1e-3), batches(None), clip=clip)
    assert run.stopped == "non_finite"
    assert run.non_finite["step"] == BAD + 1
    assert same(snapshot(objective), pages[BAD])


def test_a_step_that_asks_twice_counts_its_batch_once():
    """Running statistics belong to the weights, not to those that are only tried."""
    ends = []
    for rule in ("sgd", "sam(1e-9)"):
        objective = Watched(None, norm=True)
        train(objective, make_optimizer(rule, objective.net, 1e-3), batches(None))
        ends.append(snapshot(objective))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*ends, strict=True))


@pytest.mark.usefixtures("path")
def test_an_average_takes_in_nothing_of_a_bad_step():
    ends = []
    for kind in ("gradient", None):
        objective = Watched(kind)
        stop = {"max_steps": BAD} if kind is None else {"epochs": 4}
        rule = {"train": torch.optim.SGD(objective.parameters(), lr=0.01)}
        loop.fit(objective, batches(kind), optimizers=rule, average=ema(0.9), **stop)
        ends.append(snapshot(objective))
    assert same(*ends)


def test_the_flag_is_read_every_fifty_steps():
    assert READ_EVERY <= 50
    guard, one = Guard(torch.device("cpu"), waits=True), torch.ones(())
    for step in range(2 * READ_EVERY):
        guard.open(step, "train", [{}])
        assert guard.judge(one if step != READ_EVERY else one * torch.nan, one, step)
        found = guard.read()
        assert found == (READ_EVERY if step == 2 * READ_EVERY - 1 else None)
    assert guard.bad_step()[0] == READ_EVERY


def test_big_step_numbers_are_exact():
    guard, far = Guard(torch.device("cpu"), waits=True), 2**24 + 1
    guard.judge(torch.tensor(torch.nan), torch.ones(()), far)
    assert guard.read(force=True) == far


@pytest.mark.parametrize("fraction", [0.0, 0.2])
def test_an_estimator_says_it_and_keeps_the_last_good_weights(fraction):
    X = np.random.default_rng(0).normal(size=(120, 3))
    settings = {"optimizer": "sgd", "lr": 1e6, "max_epochs": 20, "validation_fraction": fraction}
    model = MLPRegressor(hidden_layer_sizes=(8, 8), init="he", **settings)
    with pytest.warns(ConvergenceWarning, match=r"not finite at epoch 1, step \d+, layer") as warned:
        model.fit(X, X[:, 0])
    assert len(warned) == 1
    assert "\n" not in str(warned[0].message)
    assert model.record_.stopped == "non_finite"
    assert {"epoch", "step", "phase", "layer", "quantity", "cause"} == set(model.record_.non_finite)
    assert all(p.isfinite().all() for p in model.module_.parameters())
