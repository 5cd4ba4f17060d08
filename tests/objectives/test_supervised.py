"""What joins the loss and what follows an update: sparse activity and bounded weights."""

import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.models.mlp import MLP
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised, SupervisedByHand, goes_by_hand
from ganglion.optim.flat import Flat


def made(**options):
    torch.manual_seed(0)
    net = MLP(4, (), (9, 9), 3, activation="tanh", init="glorot").double()
    batch = {"x": torch.randn(12, 4).double(), "y": torch.randint(0, 3, (12,))}
    return Supervised(net, loss_named("cross_entropy"), **options), batch


@pytest.mark.parametrize("weight", [1e-3, 0.5, 7.0])
def test_the_terms_add_up_to_the_bit(weight):
    objective, batch = made(activity=weight)
    step = objective(batch, "train")
    assert torch.equal(step.loss, step.parts["data"] + weight * step.parts["activity"])
    assert torch.equal(step.parts["data"], made()[0](batch, "train").loss)


def test_the_gradient_is_the_sum_of_both():
    objective, batch = made(activity=0.5)
    objective.gradients(batch, "train", 12)
    both = [p.grad.clone() for p in objective.parameters()]
    objective.zero_grad()
    parts = objective(batch, "train").parts
    (parts["data"].mean() + 0.5 * parts["activity"].mean()).backward()
    for p, g in zip(objective.parameters(), both):
        torch.testing.assert_close(p.grad, g, atol=1e-14, rtol=0)
    assert objective.net.stack.linears[0].weight.grad.any()


def test_activity_needs_hidden_activations():
    with pytest.raises(ParameterError, match=r"this network has none; set activity=0"):
        Supervised(nn.Linear(3, 2), loss_named("cross_entropy"), activity=0.1)


@pytest.mark.parametrize("by_hand", [False, True])
def test_after_an_update_no_row_is_too_long(by_hand):
    objective, _ = made(max_norm=0.7)
    if by_hand:
        flat = Flat(objective.net)
        objective = SupervisedByHand(objective.net, objective.loss, max_norm=0.7, flat=flat)
    assert objective.acts_after_update
    lengths = [m.weight.detach().norm(dim=1) for m in objective.net.stack.linears]
    assert max(float(n.max()) for n in lengths) > 0.8
    objective.after_update("train", 0.1)
    for m, before in zip(objective.net.stack.linears, lengths):
        torch.testing.assert_close(m.weight.detach().norm(dim=1), before.clamp(max=0.7), atol=1e-12, rtol=0)
    assert not made()[0].acts_after_update


def test_a_model_says_whether_it_goes_by_hand():
    loss = loss_named("cross_entropy")
    assert goes_by_hand(MLP(4, (), (9,), 3), loss)
    assert not goes_by_hand(MLP(4, (), (9,), 3, norm="layer"), loss)
    assert not goes_by_hand(MLP(4, (), (9,), 3, activation="prelu"), loss)
    assert not goes_by_hand(nn.Linear(4, 3), loss)
