"""Curvature of a loss without its matrix: Hessian-vector products, power iteration, Lanczos.

A product is a function ``v (n,) -> H v (n,)``; n is the number of parameters.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ganglion.base.errors import ParameterError

Product = Callable[[Tensor], Tensor]


class Spectrum(NamedTuple):
    """Ritz values (k,), ascending, and for each a bound on its distance from a true eigenvalue."""

    values: Tensor
    errors: Tensor


def hessian_product(loss: Callable[[], Tensor], params: Sequence[Tensor]) -> Product:
    """``v -> H v`` for the Hessian of ``loss()`` in ``params``, laid one after the other.

    ``H v = d(g . v)/dw`` with g = dloss/dw kept as a graph, so a product costs one more backward pass and no
    matrix is made (Pearlmutter 1994). The product holds for the parameters as they stand now.

    Arguments:
        loss: gives the loss, a scalar, from the parameters.
        params: tensors that require gradients, n numbers in all.

    Raises ``ParameterError`` if no parameter influences the loss.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> product = hessian_product(lambda: (w[0] ** 2 + 3 * w[0] * w[1]), [w])
    >>> product(torch.tensor([1.0, 0.0])).tolist()
    [2.0, 3.0]
    """
    params = [p for p in params if p.requires_grad]
    with torch.enable_grad():
        value = loss()
        if not params or not value.requires_grad:
            raise ParameterError(
                "the loss does not depend on any of the parameters; give those that it is computed from, with "
                "requires_grad."
            )
        grads = torch.autograd.grad(value, params, create_graph=True, materialize_grads=True)
        slope = torch.cat([g.reshape(-1) for g in grads])

    def product(v: Tensor) -> Tensor:
        if not slope.requires_grad:  # a linear loss has no curvature
            return torch.zeros_like(v)
        # a scalar, because handing v over as the outer gradient makes torch import its symbolic shapes (0.3 s)
        found = torch.autograd.grad(slope.dot(v), params, retain_graph=True, materialize_grads=True)
        return torch.cat([f.reshape(-1) for f in found])

    return product


def start_vector(like: Tensor, n: int, seed: int = 0) -> Tensor:
    """A random direction (n,) of length 1 in the type and place of ``like``; no global stream is touched."""
    drawn = torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (drawn / drawn.norm()).to(like)


def power_iteration(
    product: Product, start: Tensor, *, steps: int = 1000, tolerance: float = 1e-6
) -> tuple[float, Tensor]:
    """The eigenvalue of largest size and its vector (n,): ``v <- H v / |H v|`` (von Mises iteration).

    It ends when the residual ``|H v - lambda v|`` is at most ``tolerance |lambda|``, or after ``steps``.

    >>> value, vector = power_iteration(lambda v: torch.tensor([-3.0, 1.0]) * v, torch.tensor([0.6, 0.8]))
    >>> round(value, 4), [round(abs(x), 2) for x in vector.tolist()]
    (-3.0, [1.0, 0.0])
    """
    vector, value = start / start.norm(), 0.0
    for _ in range(steps):
        image = product(vector)
        value = float(vector.dot(image))
        residual, size = float((image - value * vector).norm()), float(image.norm())
        if residual <= tolerance * abs(value) or size == 0.0:
            break
        vector = image / size
    return value, vector


def lanczos(product: Product, start: Tensor, steps: int) -> Spectrum:
    """Ritz values after ``steps`` products: the eigenvalues of the symmetric matrix on a Krylov space.

    Both ends of the spectrum are found first. Every new vector is made orthogonal to all before, twice, since
    in finite precision the short recurrence of Lanczos (1950) loses orthogonality and repeats eigenvalues. The
    error of a Ritz value is at most ``beta_k |s_k|``, s its vector's last entry (Parlett 1980). After as many
    steps as the matrix has different eigenvalues they are exact.

    Arguments: ``product`` of a symmetric matrix; ``start`` (n,), not 0; ``steps`` at least 1.

    >>> diagonal = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64)
    >>> lanczos(lambda v: diagonal * v, torch.ones(3, dtype=torch.float64), 3).values.round(decimals=8).tolist()
    [1.0, 2.0, 5.0]
    """
    if steps < 1:
        raise ParameterError(f"steps must be at least 1, got {steps}; give the number of products.")
    n = len(start)
    basis = [start / start.norm()]
    alphas: list[float] = []
    betas: list[float] = []
    largest, tiny = 0.0, torch.finfo(start.dtype).eps
    for _ in range(min(steps, n)):
        image = product(basis[-1])
        alphas.append(float(basis[-1].dot(image)))
        largest = max(largest, float(image.norm()))
        known = torch.stack(basis)  # (k, n)
        for _ in range(2):
            image = image - known.T @ (known @ image)
        beta = float(image.norm())
        betas.append(beta)
        if beta <= 10 * tiny * n**0.5 * largest:  # the space is closed: what was found is exact
            betas[-1] = 0.0
            break
        basis.append(image / beta)
    below = torch.tensor(betas[:-1], dtype=torch.float64)
    small = (
        torch.diag(torch.tensor(alphas, dtype=torch.float64)) + torch.diag(below, 1) + torch.diag(below, -1)
    )
    values, vectors = torch.linalg.eigh(small)
    return Spectrum(values, betas[-1] * vectors[-1].abs())


def top_eigenvalues(
    product: Product, start: Tensor, k: int = 1, *, steps: int = 100, tolerance: float = 1e-4
) -> Tensor:
    """The ``k`` largest eigenvalues (k,), largest first, by Lanczos to a relative ``tolerance`` or ``steps``.

    >>> top_eigenvalues(lambda v: torch.tensor([1.0, 4.0, 9.0]) * v, torch.ones(3), 2).round().tolist()
    [9.0, 4.0]
    """
    tried = max(2 * k, 8)
    while True:
        found = lanczos(product, start, min(tried, steps))
        values, errors = found.values.flip(0)[:k], found.errors.flip(0)[:k]
        if tried >= min(steps, len(start)) or bool((errors <= tolerance * values.abs()).all()):
            return values
        tried *= 2


def condition_number(product: Product, start: Tensor, *, steps: int | None = None) -> float:
    """``max |lambda| / min |lambda|`` over the Ritz values of ``steps`` products (n by default: all of them).

    Gradient descent needs about so many steps for one digit. With fewer steps than the matrix has different
    eigenvalues this is a lower bound for definite matrices; infinite where an eigenvalue is 0 to rounding.

    >>> round(condition_number(lambda v: torch.tensor([1.0, 4.0]) * v, torch.ones(2)), 3)
    4.0
    """
    sizes = lanczos(product, start, steps or len(start)).values.abs()
    smallest, largest = float(sizes.min()), float(sizes.max())
    rounding = torch.finfo(start.dtype).eps * len(start) * largest
    return largest / smallest if smallest > rounding else float("inf")


def kind_of_point(bottom: float, top: float, tolerance: float = 1e-6) -> str:
    """What a stationary point is by the signs of the Hessian's extreme eigenvalues.

    ``"minimum"`` (all above 0), ``"maximum"`` (all below), ``"saddle"`` (both signs), or ``"flat"`` where an
    extreme eigenvalue is within ``tolerance`` of the larger one's size from 0 and no opposite sign decides, so
    that the second order does not tell.

    >>> kind_of_point(0.5, 2.0), kind_of_point(-1.0, 2.0), kind_of_point(0.0, 2.0)
    ('minimum', 'saddle', 'flat')
    """
    near = tolerance * max(abs(bottom), abs(top))
    if bottom < -near and top > near:
        return "saddle"
    if bottom > near:
        return "minimum"
    return "maximum" if top < -near else "flat"
