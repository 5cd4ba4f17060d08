"""The backward pass written by hand against autograd, alone and through the loop."""

import copy

import pytest
import torch

from ganglion.data.batches import ResidentBatches
from ganglion.models.mlp import MLP
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.noise import keep_mask
from ganglion.objectives.losses import CLASS_LOSSES, VALUE_LOSSES, loss_named
from ganglion.objectives.supervised import Supervised, SupervisedByHand, goes_by_hand
from ganglion.optim.flat import Flat, FlatAdamW
from ganglion.train.clip import Clip
from ganglion.train.loop import fit


def problem(n, loss, cardinalities=()):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=g, dtype=torch.float64)
    codes = [torch.randint(0, k, (n, 1), generator=g).double() for k in cardinalities]
    x = torch.cat([x, *codes], 1)
    k = 2 if loss == "binary_cross_entropy" else 3
    y = (
        torch.randint(0, k, (n,), generator=g)
        if loss in CLASS_LOSSES
        else torch.randn(n, 3, generator=g).double()
    )
    return x, y


LOSSES = [*sorted(CLASS_LOSSES | VALUE_LOSSES), "gaussian_nll(0)"]
BY_HAND = sorted(a for a in ACTIVATIONS if activation_named(a).backward)
PAIRS = [(a, "cross_entropy") for a in BY_HAND] + [("silu", loss) for loss in LOSSES]


@pytest.mark.parametrize(("activation", "loss"), PAIRS)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_equal_autograd(activation, loss, weighted):
    torch.manual_seed(1)
    x, y = problem(17, loss, (5,))
    options = {"smoothing": 0.1} if loss.endswith("cross_entropy") else {}
    wanted = loss_named(loss, **options)
    outputs = wanted.units(2 if loss == "binary_cross_entropy" else 3)
    net = MLP(4, (5,), (7, 6), outputs, activation=activation, init="glorot").double()
    assert goes_by_hand(net, wanted)
    batch = {"x": x, "y": y} | ({"weight": torch.rand(17).double()} if weighted else {})
    by_hand, auto = copy.deepcopy(net), copy.deepcopy(net)
    flat = Flat(by_hand)
    total_a, step_a = Supervised(auto, wanted).gradients(batch, "train", 17)
    total_h, step_h = SupervisedByHand(by_hand, wanted, flat=flat).gradients(batch, "train", 17)
    assert torch.allclose(total_a, total_h, atol=1e-12)
    assert torch.allclose(step_a.loss, step_h.loss, atol=1e-12)
    for a, h in zip(auto.parameters(), by_hand.parameters()):
        assert torch.allclose(a.grad, h.grad, atol=1e-12), activation


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_run_on_a_flat_buffer_equals_autograd_with_adamw(dropout, accumulate):
    x, y = problem(64, "cross_entropy", (4,))
    ends = []
    for by_hand in (False, True):
        torch.manual_seed(2)
        net = MLP(4, (4,), (8, 8), 3, dropout=dropout, init="he").double()
        if by_hand:
            flat = Flat(net)
            objective = SupervisedByHand(net, loss_named("cross_entropy"), l1=1e-3, flat=flat)
            optimizer = FlatAdamW(flat, lr=1e-2, weight_decay=0.1)
        else:
            objective = Supervised(net, loss_named("cross_entropy"), l1=1e-3)
            groups = [
                {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": 0.1},
                {"params": [p for p in net.parameters() if p.dim() == 1], "weight_decay": 0.0},
            ]
            optimizer = torch.optim.AdamW(groups, lr=1e-2)
        batches = ResidentBatches({"x": x, "y": y, "weight": torch.linspace(0.5, 1.5, 64).double()}, 8)
        fit(
            objective,
            batches,
            optimizers={"train": optimizer},
            epochs=4,
            clip=Clip(norm=0.5),
            accumulate=accumulate,
        )
        if by_hand:
            flat.release()
        ends.append(torch.cat([p.detach().ravel() for p in net.parameters()]))
    assert (ends[0] - ends[1]).abs().max() < 1e-10


@pytest.mark.parametrize("shape", [(50, 40), (301, 333)])  # drawn one by one, and four at a time
@pytest.mark.parametrize("dropout", [0.1, 0.5])
def test_dropout_keeps_the_mean_and_drops_its_share(shape, dropout):
    torch.manual_seed(3)
    mask = keep_mask(torch.zeros(shape), dropout)
    share, n = float((mask == 0).double().mean()), mask.numel()
    assert mask.shape == shape
    assert len(mask.unique()) == 2
    assert abs(share - dropout) < 4 * (dropout * (1 - dropout) / n) ** 0.5
    assert abs(float(mask.max()) * (1 - dropout) - 1) < 1e-4
    dropped = (mask.ravel() == 0).double() - dropout
    for gap in range(1, 9):  # neighbours, also those from one draw, know nothing of each other
        assert abs(float((dropped[gap:] * dropped[:-gap]).mean())) < 4 * dropout * (1 - dropout) / n**0.5
