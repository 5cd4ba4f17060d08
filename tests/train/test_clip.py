"""Clipping against torch's own and by hand, for one network and for several in a stack."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.data.batches import ResidentBatches
from ganglion.estimators.mlp import MLPRegressor
from ganglion.models.mlp import MLP
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised, SupervisedByHand
from ganglion.optim.flat import Flat, FlatAdamW
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


def units(p):
    """The units of a parameter: rows of a weight or a kernel; a bias is one."""
    return [p] if p.ndim == 1 else list(p)


@pytest.mark.parametrize("shapes", [((4, 3), (4,)), ((5, 2, 3, 3), (5,))])
def test_adaptive_clipping_by_hand(shapes):
    """Brock et al. 2021, equation 3, unit by unit."""
    g = torch.Generator().manual_seed(0)
    params = [nn.Parameter(torch.randn(s, generator=g, dtype=torch.float64)) for s in shapes]
    params[0].data[0], params[0].data[1] = 1e-6, 100.0  # one unit near zero, one far too long to be clipped
    for p in params:
        p.grad = torch.randn(p.shape, generator=g, dtype=torch.float64)
    raw = [p.grad.clone() for p in params]
    clip_([p.grad for p in params], None, Clip(adaptive=0.02), params=params)
    for p, before in zip(params, raw):
        for w, slope, old in zip(units(p.detach()), units(p.grad), units(before)):
            bound = 0.02 * max(float(w.square().sum()) ** 0.5, 1e-3)
            size = float(old.square().sum()) ** 0.5
            expected = old * bound / size if size > bound else old
            torch.testing.assert_close(slope, expected, atol=1e-15, rtol=1e-12)
    assert torch.equal(params[0].grad[1], raw[0][1])


def test_adaptive_clipping_of_a_stack_is_that_of_each_member():
    weights = [torch.randn(3, 4, 2), torch.randn(3, 4)]
    stacked, alone = [nn.Parameter(w) for w in weights], []
    for p in stacked:
        p.grad = torch.randn(p.shape)
    for i in range(3):
        alone.append([nn.Parameter(w[i].clone()) for w in weights])
        for p, s in zip(alone[-1], stacked):
            p.grad = s.grad[i].clone()
        clip_([p.grad for p in alone[-1]], None, Clip(adaptive=0.1), params=alone[-1])
    clip_([p.grad for p in stacked], None, Clip(adaptive=0.1), members=3, params=stacked)
    for i, member in enumerate(alone):
        assert all(torch.allclose(p.grad, s.grad[i]) for p, s in zip(member, stacked))


def test_a_zero_gradient_cannot_be_scaled():
    ours = [torch.zeros(2, 2), torch.zeros(2)]
    clip_(ours, global_norm(ours), Clip(scale=1.0))
    assert all((g == 0).all() for g in ours)


def test_members_of_a_stack_are_scaled_one_by_one():
    stacked = [torch.stack(column) for column in zip(*(gradients(s) for s in (0.01, 1.0, 100.0)))]
    clip_(stacked, global_norm(stacked, members=3), Clip(scale=0.5), members=3)
    assert global_norm(stacked, members=3).tolist() == pytest.approx([0.5] * 3)


def test_a_norm_is_bounded_or_set():
    with pytest.raises(ParameterError, match="give one of the two"):
        Clip(norm=1.0, scale=1.0)


def test_one_buffer_has_no_layers_to_compare():
    net = MLP(3, (), (4,), 1)
    flat = Flat(net)
    objective = SupervisedByHand(net, loss_named("squared_error"), flat=flat)
    data = ResidentBatches({"x": torch.ones(4, 3), "y": torch.ones(4, 1)}, 4)
    with pytest.raises(ParameterError, match="layer by layer"):
        fit(objective, data, optimizers={"train": FlatAdamW(flat, 0.1)}, epochs=1, clip=Clip(adaptive=0.1))


@pytest.mark.parametrize("field", ["clip_norm", "clip_value", "clip_adaptive", "scale_norm"])
def test_each_field_of_an_estimator_reaches_the_gradient(field):
    X = np.random.default_rng(0).normal(size=(40, 3))
    settings = {"max_epochs": 2, "hidden_layer_sizes": (4,), "optimizer": "sgd", "validation_fraction": 0}
    models = [MLPRegressor(**settings, **extra).fit(X, 9 * X[:, 0]) for extra in ({}, {field: 1e-3})]
    moves = [m.module_.stack.linears[-1].weight.norm().item() for m in models]  # it starts at zero
    assert moves[1] < 0.2 * moves[0]
    by_hand = MLPRegressor(**{**settings, "optimizer": "adamw"}, **{field: 1e-3}).fit(X, 9 * X[:, 0])
    assert by_hand.record_.plan["backward"] == ("autograd" if field == "clip_adaptive" else "by hand")
