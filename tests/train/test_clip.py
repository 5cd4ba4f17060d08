"""Clipping against torch's own, for one network and for several in a stack."""

import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.data.batches import ResidentBatches
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.train.clip import Clip, clip_, global_norm
from ganglion.train.hooks import Hook
from ganglion.train.loop import fit


def gradients(scale=1.0):
    g = torch.Generator().manual_seed(0)
    return [scale * torch.randn(s, generator=g, dtype=torch.float64) for s in ((4, 3), (4,), (2, 4), (2,))]


def params_with(grads):
    params = [nn.Parameter(torch.zeros_like(g)) for g in grads]
    for p, g in zip(params, grads):
        p.grad = g.clone()
    return params


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_by_norm_as_torch(scale):
    theirs = params_with(gradients(scale))
    total = nn.utils.clip_grad_norm_(theirs, 0.7)
    ours = gradients(scale)
    norm = global_norm(ours)
    clip_(ours, norm, Clip(norm=0.7))
    assert norm == pytest.approx(float(total))
    for a, p in zip(ours, theirs):
        assert torch.allclose(a, p.grad, rtol=1e-5)
    assert global_norm(ours) <= 0.7 + 1e-9


def test_below_the_bound_not_a_bit_changes():
    ours = gradients(1e-3)
    clip_(ours, global_norm(ours), Clip(norm=1.0, value=1.0))
    assert all(torch.equal(a, b) for a, b in zip(ours, gradients(1e-3)))


def test_by_value_as_torch_and_after_the_norm():
    theirs, ours = params_with(gradients()), gradients()
    nn.utils.clip_grad_value_(theirs, 0.5)
    clip_(ours, global_norm(ours), Clip(value=0.5))
    assert all(torch.equal(a, p.grad) for a, p in zip(ours, theirs))
    both, then = gradients(), params_with(gradients())
    clip_(both, global_norm(both), Clip(norm=1.0, value=0.3))
    nn.utils.clip_grad_norm_(then, 1.0)
    nn.utils.clip_grad_value_(then, 0.3)
    assert all(torch.allclose(a, p.grad, rtol=1e-5) for a, p in zip(both, then))


def test_members_of_a_stack_are_clipped_one_by_one():
    members = [gradients(scale) for scale in (0.01, 1.0, 100.0)]
    stacked = [torch.stack(column) for column in zip(*members)]
    norms = global_norm(stacked, members=3)
    clip_(stacked, norms, Clip(norm=0.5), members=3)
    for i, alone in enumerate(members):
        norm = global_norm(alone)
        assert norms[i] == pytest.approx(float(norm))
        clip_(alone, norm, Clip(norm=0.5))
        assert all(torch.allclose(s[i], a) for s, a in zip(stacked, alone))


def test_the_norm_of_nothing_is_zero():
    assert float(global_norm([])) == 0.0


class Norms(Hook):
    def __init__(self):
        self.told, self.true = [], []

    def backward(self, run):
        self.told.append(float(run.grad_norm))
        self.true.append(float(global_norm([p.grad for p in run.objective.parameters()])))


def test_the_loop_clips_after_measuring():
    torch.manual_seed(0)
    net, hook = nn.Linear(3, 1), Norms()
    data = ResidentBatches({"x": torch.randn(40, 3), "y": 5 * torch.randn(40, 1)}, 8)
    rule = torch.optim.SGD(net.parameters(), lr=1e-3)
    objective = Supervised(net, loss_named("squared_error"))
    settings = {"optimizers": {"train": rule}, "epochs": 3, "hooks": (hook,)}
    run = fit(objective, data, **settings, clip=Clip(norm=2.0))
    assert max(hook.told) > 2.0  # before
    assert max(hook.true) <= 2.0 + 1e-5  # after
    first = hook.told[:5]
    assert run.history[0]["grad_norm"] == pytest.approx(sum(first) / 5)
    assert run.history[0]["grad_norm_max"] == pytest.approx(max(first))
    assert run.history[0]["clipped"] == sum(n > 2.0 for n in first) / 5


def test_a_search_is_not_clipped():
    net = nn.Linear(3, 1)
    data = ResidentBatches({"x": torch.ones(4, 3), "y": torch.ones(4, 1)}, 4)
    rule = torch.optim.LBFGS(net.parameters())
    with pytest.raises(ParameterError, match="L-BFGS"):
        fit(
            Supervised(net, loss_named("squared_error")),
            data,
            optimizers={"train": rule},
            epochs=1,
            clip=Clip(norm=1.0),
        )
