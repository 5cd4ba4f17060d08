"""Routing by agreement: the paper's pseudo-code by hand, both gradients of the pass by hand, lengths and shares."""

import numpy as np
import pytest
import torch

from ganglion.nn.routing import Capsules, route, squash, squash_slope, turns


def by_hand(u, iterations):
    """Procedure 1 of Sabour et al. 2017 for one picture, u[i, j] the vote of capsule i for j, in NumPy loops."""
    below, above, _ = u.shape
    b = np.zeros((below, above))
    for _ in range(iterations):
        c = np.array([np.exp(row) / np.exp(row).sum() for row in b])
        v = []
        for j in range(above):
            s = sum(c[i, j] * u[i, j] for i in range(below))
            length = np.sqrt((s**2).sum())
            v.append(length**2 / (1 + length**2) * s / length)
        for i in range(below):
            for j in range(above):
                b[i, j] += u[i, j] @ v[j]
    return np.array(v), c


@pytest.mark.parametrize("iterations", [1, 2, 3, 5])
def test_the_papers_pseudo_code(iterations):
    rng = np.random.default_rng(0)
    u = rng.normal(size=(3, 7, 4, 5))  # pictures, below, above, numbers
    votes = torch.from_numpy(u.transpose(0, 2, 1, 3).copy())
    found, shares = route(votes, iterations), turns(votes, iterations).shares[-1]
    for picture in range(3):
        v, c = by_hand(u[picture], iterations)
        assert np.abs(found[picture].numpy() - v).max() < 1e-10
        assert np.abs(shares[picture].numpy().T - c).max() < 1e-10


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_the_backward_pass_by_hand(iterations):
    torch.manual_seed(0)
    votes = torch.randn(2, 3, 4, 2, dtype=torch.double, requires_grad=True)
    g = torch.randn(2, 3, 2, dtype=torch.double)
    (hand,) = torch.autograd.grad(route(votes, iterations), votes, g)
    (plain,) = torch.autograd.grad(turns(votes, iterations).capsules[-1].view(2, 3, 2), votes, g)
    assert torch.allclose(hand, plain, rtol=0, atol=1e-14)
    assert torch.autograd.gradcheck(lambda u: route(u, iterations), votes)
    assert torch.autograd.gradgradcheck(lambda u: route(u, iterations), votes)


def test_squash_keeps_the_direction_and_bounds_the_length():
    s = torch.randn(50, 6, dtype=torch.double) * torch.logspace(-6, 6, 50, dtype=torch.double)[:, None]
    v, lengths = squash(s), s.norm(dim=1)
    assert (v.norm(dim=1) < 1).all()
    assert torch.allclose(v.norm(dim=1), lengths**2 / (1 + lengths**2), rtol=1e-12)
    assert torch.allclose(v / v.norm(dim=1, keepdim=True), s / lengths[:, None], atol=1e-12)


def test_squash_has_a_slope_at_zero():
    s = torch.zeros(2, 3, dtype=torch.double, requires_grad=True)
    squash(s).sum().backward()
    assert torch.equal(s.grad, torch.zeros_like(s))
    assert torch.equal(squash_slope(torch.zeros(2, 3), torch.ones(2, 3)), torch.zeros(2, 3))
    s = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    g = torch.randn(4, 3, dtype=torch.double)
    assert torch.allclose(squash_slope(s, g), torch.autograd.grad(squash(s), s, g)[0], atol=1e-14)


def test_votes_and_groups_of_pictures(monkeypatch):
    torch.manual_seed(0)
    layer, u = Capsules(6, 4, 3, 5).double(), torch.randn(10, 6, 4, dtype=torch.double)
    weight = layer.weight.detach().numpy().reshape(6, 4, 3, 5)
    wanted = np.einsum("nik,ikjd->njid", u.numpy(), weight)
    assert np.abs(layer.votes(u).detach().numpy() - wanted).max() < 1e-12
    whole = layer(u)
    (slope,) = torch.autograd.grad(whole.square().sum(), layer.weight)
    monkeypatch.setattr("ganglion.nn.routing.AT_ONCE", 3 * 6 * 3 * 5)  # three pictures at a time
    parts = layer(u)
    assert torch.allclose(parts, whole, atol=1e-13)
    assert torch.allclose(torch.autograd.grad(parts.square().sum(), layer.weight)[0], slope, atol=1e-12)


def test_routing_stays_in_single_precision_under_autocast():
    layer, u = Capsules(6, 4, 3, 5), torch.randn(10, 6, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(u.bfloat16())
    assert found.dtype == torch.float32
    assert torch.equal(found, layer(u.bfloat16().float()))
