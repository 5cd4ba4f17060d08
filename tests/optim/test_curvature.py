"""Curvature without matrices against explicit Hessians and NumPy's eigenvalues."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import functional_call

from ganglion.base.errors import ParameterError
from ganglion.optim.curvature import (
    condition_number,
    hessian_product,
    kind_of_point,
    lanczos,
    power_iteration,
    start_vector,
    top_eigenvalues,
)

D = torch.float64


def symmetric(n, seed, eigenvalues=None):
    """A matrix with known eigenvalues in a random basis."""
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.normal(size=(n, n)))
    values = rng.normal(size=n) if eigenvalues is None else np.asarray(eigenvalues, float)
    return torch.tensor(basis @ np.diag(values) @ basis.T, dtype=D), np.sort(values)


def small_net(seed, *, smooth=True):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh() if smooth else nn.ReLU(), nn.Linear(5, 2)).double()
    x, y = torch.randn(20, 3, dtype=D), torch.randint(0, 2, (20,))
    return net, lambda: nn.functional.cross_entropy(net(x), y), (x, y)


def explicit(net, x, y):
    """The Hessian by torch's own way, as a matrix, and the parameters' order."""
    names, values = zip(*net.named_parameters())
    sizes = [v.numel() for v in values]

    def loss(flat):
        parts = {k: c.view(v.shape) for k, v, c in zip(names, values, flat.split(sizes))}
        return nn.functional.cross_entropy(functional_call(net, parts, (x,)), y)

    return torch.autograd.functional.hessian(loss, torch.cat([v.detach().reshape(-1) for v in values]))


@pytest.mark.parametrize("smooth", [True, False])
def test_products_are_those_of_the_explicit_hessian(smooth):
    net, loss, (x, y) = small_net(0, smooth=smooth)
    matrix = explicit(net, x, y)
    product = hessian_product(loss, list(net.parameters()))
    v = torch.randn(len(matrix), dtype=D)
    torch.testing.assert_close(product(v), matrix @ v, rtol=1e-10, atol=1e-12)
    central = []  # a second source without double backward: differences of the gradient
    flat = torch.nn.utils.parameters_to_vector(net.parameters()).detach()
    for sign in (1, -1):
        torch.nn.utils.vector_to_parameters(flat + sign * 1e-6 * v, net.parameters())
        central.append(torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss(), net.parameters())]))
    torch.testing.assert_close(matrix @ v, (central[0] - central[1]) / 2e-6, rtol=1e-4, atol=1e-6)


def test_all_ritz_values_are_the_eigenvalues_of_a_networks_hessian():
    net, loss, (x, y) = small_net(1)
    values = np.linalg.eigvalsh(explicit(net, x, y).numpy())
    product = hessian_product(loss, list(net.parameters()))
    found = lanczos(product, start_vector(torch.zeros(1, dtype=D), len(values)), len(values))
    assert abs(found.values[-1] - values[-1]) < 1e-10
    assert abs(found.values[0] - values[0]) < 1e-10


@pytest.mark.parametrize("n", [2, 30, 200])
def test_lanczos_keeps_its_basis_orthogonal(n):
    """Without the second orthogonalisation large eigenvalues come twice."""
    matrix, values = symmetric(n, n, np.geomspace(1e-6, 1e6, n))
    found = lanczos(lambda v: matrix @ v, start_vector(matrix, n), n)
    np.testing.assert_allclose(found.values.numpy()[-n // 2 :], values[-n // 2 :], rtol=1e-8)


def test_error_bounds_hold():
    matrix, values = symmetric(80, 3)
    found = lanczos(lambda v: matrix @ v, start_vector(matrix, 80), 12)
    nearest = np.abs(found.values.numpy()[:, None] - values).min(1)
    assert (nearest <= found.errors.numpy() + 1e-12).all()
    assert found.errors[-1] > 1e-6  # 12 steps are not exact, and it says so


def test_a_closed_space_ends_early_and_is_exact():
    matrix, _ = symmetric(40, 4, [1.0] * 30 + [7.0] * 10)
    found = lanczos(lambda v: matrix @ v, start_vector(matrix, 40), 40)
    np.testing.assert_allclose(found.values.numpy(), [1.0, 7.0], rtol=1e-10)
    assert found.errors.max() == 0


def test_power_iteration_finds_the_largest_in_size():
    matrix, values = symmetric(20, 5, [*np.linspace(0, 3, 19), -5.0])
    value, vector = power_iteration(lambda v: matrix @ v, start_vector(matrix, 20))
    assert abs(value - values[0]) < 1e-6
    assert float((matrix @ vector - value * vector).norm()) < 1e-5


def test_top_eigenvalues():
    matrix, values = symmetric(100, 6)
    found = top_eigenvalues(lambda v: matrix @ v, start_vector(matrix, 100), 3, tolerance=1e-8)
    np.testing.assert_allclose(found.numpy(), values[::-1][:3], rtol=1e-7)


def test_condition_number():
    matrix, _ = symmetric(15, 7)
    found = condition_number(lambda v: matrix @ v, start_vector(matrix, 15))
    assert abs(found / np.linalg.cond(matrix.numpy()) - 1) < 1e-8
    flat = torch.diag(torch.tensor([1.0, 0.0], dtype=D))
    assert condition_number(lambda v: flat @ v, start_vector(flat, 2)) == float("inf")


def test_global_random_state_and_weights_stay():
    net, loss, _ = small_net(8)
    state, before = torch.get_rng_state(), [p.detach().clone() for p in net.parameters()]
    product = hessian_product(loss, list(net.parameters()))
    lanczos(product, start_vector(torch.zeros(1, dtype=D), sum(p.numel() for p in net.parameters())), 5)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters()))
    assert all(p.grad is None for p in net.parameters())


def test_losses_without_curvature_and_without_parameters():
    w = torch.ones(3, requires_grad=True)
    assert hessian_product(lambda: w.sum(), [w])(torch.ones(3)).tolist() == [0, 0, 0]
    with pytest.raises(ParameterError, match="does not depend on any"):
        hessian_product(lambda: torch.zeros(()), [w])
    with pytest.raises(ParameterError, match="at least 1"):
        lanczos(lambda v: v, torch.ones(2), 0)


@pytest.mark.parametrize(
    ("bottom", "top", "kind"),
    [
        (1, 2, "minimum"),
        (-2, -1, "maximum"),
        (-1, 1, "saddle"),
        (0, 1, "flat"),
        (-1, 0, "flat"),
        (0, 0, "flat"),
    ],
)
def test_kinds_of_points(bottom, top, kind):
    assert kind_of_point(bottom, top) == kind
