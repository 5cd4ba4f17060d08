"""Every hook that ships is found by itself and leaves not a bit of the weights changed."""

import importlib
import pkgutil

import pytest
import torch
from torch import nn

import ganglion
from ganglion.data.batches import ResidentBatches
from ganglion.models.mlp import MLP
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised, SupervisedByHand
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit

ROOMS = ("train", "diagnose", "estimators", "evaluate", "search")
for room in ROOMS:  # a hook is found wherever it stands
    for found in pkgutil.walk_packages([f"{ganglion.__path__[0]}/{room}"], f"ganglion.{room}."):
        importlib.import_module(found.name)


def subclasses(cls):
    return {s for direct in cls.__subclasses__() for s in {direct, *subclasses(direct)}}


SHIPPED = sorted(
    (h for h in subclasses(Hook) if h.__module__.startswith("ganglion.")), key=lambda h: h.__name__
)
MOMENTS = ("start", "backward", "step", "epoch", "end")


def by_hand():
    net = MLP(3, (), (8, 8), 2, dropout=0.3, init="he")
    flat = Flat(net)
    objective = SupervisedByHand(net, loss_named("cross_entropy"), flat=flat)
    return objective, FlatAdamW(flat, lr=1e-2)


def by_autograd():
    norm, dropout = nn.BatchNorm1d(8), nn.Dropout(0.3)
    net = nn.Sequential(nn.Linear(3, 8), norm, nn.ReLU(), dropout, nn.Linear(8, 2))
    return Supervised(net, loss_named("cross_entropy")), make_optimizer("adamw", net, 1e-2)


def bits(make, *hooks):
    torch.manual_seed(0)
    objective, optimizer = make()
    g = torch.Generator().manual_seed(1)
    data = {"x": torch.randn(60, 3, generator=g), "y": torch.randint(0, 2, (60,), generator=g)}
    run = fit(objective, ResidentBatches(data, 8), optimizers={"train": optimizer}, epochs=7, hooks=hooks)
    assert not any(m._forward_hooks or m._backward_hooks for m in objective.modules())
    course = [{k: v for k, v in row.items() if k != "seconds"} for row in run.history]
    return [t.clone() for t in objective.state_dict().values()], course, torch.get_rng_state()


def same(a, b):
    return (
        all(torch.equal(x, y) for x, y in zip(a[0], b[0], strict=True)) and a[1] == b[1] and a[2].equal(b[2])
    )


def test_the_shipped_hooks_are_found():
    assert {"LayerWatch", "Progress"} <= {h.__name__ for h in SHIPPED}


@pytest.mark.parametrize("make", [by_hand, by_autograd])
@pytest.mark.parametrize("hook", SHIPPED)
@pytest.mark.usefixtures("capsys")
def test_a_hook_only_watches(hook, make):
    assert any(getattr(hook, m) is not getattr(Hook, m) for m in MOMENTS)
    assert same(bits(make), bits(make, hook()))


@pytest.mark.parametrize("make", [by_hand, by_autograd])
@pytest.mark.usefixtures("capsys")
def test_all_hooks_together_only_watch(make):
    assert same(bits(make), bits(make, *(hook() for hook in SHIPPED)))


class Draws(Hook):
    def step(self, run):
        torch.rand(1)


class DrawsAside(Hook):
    def step(self, run):
        with run.aside():
            torch.rand(1)


class Writes(Hook):
    def backward(self, run):
        next(iter(run.objective.parameters_of("train"))).grad.mul_(1.001)


class Forgets(Hook):
    def epoch(self, run, row):
        run.objective.eval()


@pytest.mark.parametrize(
    ("hook", "harmless"), [(Draws, False), (Writes, False), (Forgets, False), (DrawsAside, True)]
)
def test_a_hook_that_does_more_is_caught(hook, harmless):
    """The comparison above can fail."""
    assert same(bits(by_autograd), bits(by_autograd, hook())) is harmless


class Moments(Hook):
    def __init__(self):
        self.said = []

    def start(self, run):
        self.said.append("start")

    def backward(self, run):
        self.said.append("backward")

    def step(self, run):
        self.said.append("step")

    def epoch(self, run, row):
        assert row is run.history[-1]
        self.said.append("epoch")

    def end(self, run):
        assert not run.objective.training
        assert run.stopped
        self.said.append("end")


def test_the_five_moments_come_in_their_order():
    hook = Moments()
    bits(by_hand, hook)
    assert hook.said == ["start", *(["backward", "step"] * 8 + ["epoch"]) * 7, "end"]
