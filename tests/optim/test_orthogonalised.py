"""Muon's matrices against the iteration as it is written in its source, one by one and in double precision."""

import copy

import pytest
import torch

from ganglion.optim.muon import QUINTIC, RMS, Muon, orthogonalised
from ganglion.optim.optimizers import make_optimizer

SHAPES = [(8, 8), (8, 12), (8, 16), (8, 40), (40, 8), (1, 9), (9, 1)]


def as_written(g, rounds):
    """x <- a x + (b s + c s^2) x with s = x x^T, from g over its length."""
    a, b, c = QUINTIC
    x = g.double() if g.shape[0] <= g.shape[1] else g.double().T
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x if g.shape[0] <= g.shape[1] else x.T


@pytest.mark.parametrize("rounds", [1, 2, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_iteration(shape, rounds):
    torch.manual_seed(0)
    many = torch.randn(3, *shape, dtype=torch.double)
    found = orthogonalised(many, rounds)
    for one, turned in zip(many, found):
        torch.testing.assert_close(turned, as_written(one, rounds), rtol=0, atol=1e-9)
        torch.testing.assert_close(orthogonalised(one, rounds), turned, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(32, 32), (32, 128)])
def test_single_precision_of_a_matrix_of_low_rank(shape):
    torch.manual_seed(0)
    low = torch.randn(shape[0], 2) @ torch.randn(2, shape[1])
    torch.testing.assert_close(orthogonalised(low).double(), as_written(low, 5), rtol=0, atol=1e-4)


def test_matrices_of_one_shape_are_updated_as_each_alone():
    torch.manual_seed(0)
    shapes = [(6, 4), (6, 4), (3, 2, 2), (6, 4)]
    together = [torch.nn.Parameter(torch.randn(s)) for s in shapes]
    alone = [torch.nn.Parameter(p.detach().clone()) for p in together]
    rate = {"lr": 0.1, "weight_decay": 0.2}
    one = Muon([{"params": together, "orthogonal": True, **rate}])
    many = [Muon([{"params": [p], "orthogonal": True, **rate}]) for p in alone]
    moments = [torch.zeros_like(p) for p in alone]
    by_hand = [p.detach().clone() for p in alone]
    for _ in range(3):
        for p, q in zip(together, alone):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        for m, p, w in zip(moments, together, by_hand):
            m.mul_(0.95).add_(p.grad)
            turned = as_written((p.grad + 0.95 * m).flatten(1), 5).float().view_as(p)
            w.mul_(1 - 0.1 * 0.2).sub_(0.1 * RMS * max(p.flatten(1).shape) ** 0.5 * turned)
        one.step()
        for optimizer in many:
            optimizer.step()
    for p, q, w in zip(together, alone, by_hand):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-5)
        torch.testing.assert_close(p.detach(), w, rtol=0, atol=1e-5)


def test_a_matrix_of_zeros_stays():
    assert orthogonalised(torch.zeros(2, 3, 9)).abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_saved_state_goes_on(dtype):
    """Vectors go by one kernel, which counts steps in single precision also where weights are double."""

    def start():
        torch.manual_seed(0)
        net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).to(dtype)
        return net, make_optimizer("muon", net, 0.01, 0.1)

    def step(net, optimizer):
        optimizer.zero_grad()
        net(torch.ones(3, 4, dtype=dtype)).square().sum().backward()
        optimizer.step()

    (net, optimizer), (again, other) = start(), start()
    for _ in range(3):
        step(net, optimizer)
    again.load_state_dict(net.state_dict())
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(net, optimizer), step(again, other)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), again.parameters()))


def test_vectors_go_by_adamw():
    """Biases and the last layer move as torch's AdamW moves them."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
    known = copy.deepcopy(net)
    mine = make_optimizer("muon", net, 0.01, 0.1)
    theirs = torch.optim.AdamW(
        [{"params": [known[2].weight], "weight_decay": 0.1}, {"params": [known[0].bias, known[2].bias]}],
        0.01, (0.9, 0.95), 1e-8, 0.0,
    )  # fmt: skip
    x = torch.randn(6, 4, dtype=torch.double)
    for _ in range(4):
        for own, optimizer in ((net, mine), (known, theirs)):
            optimizer.zero_grad()
            own(x).square().sum().backward()
            optimizer.step()
        known[0].weight.data.copy_(net[0].weight.data)
    for name in ("0.bias", "2.weight", "2.bias"):
        a, b = net.get_parameter(name), known.get_parameter(name)
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def test_half_precision_does_not_explode():
    """In 16 bits too singular values come near 1, also of gradients of nearly no rank."""
    torch.manual_seed(0)
    for rank in (2, 64):
        g = torch.randn(3, 64, 256)[:, :, :rank] @ torch.randn(3, rank, 256)
        values = torch.linalg.svdvals(orthogonalised(g.bfloat16()).float())
        assert values.max() < 1.3
        assert (values[:, : rank // 2] > 0.5).all()
