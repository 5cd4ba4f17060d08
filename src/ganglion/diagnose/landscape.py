"""Loss landscapes: slices of the loss through a network's weights, and the way that training took."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.diagnose.surface import Cost, Weights, losses
from ganglion.optim.curvature import hessian_product, kind_of_point, lanczos, start_vector

DIRECTIONS = ("filter", "path")
PRODUCTS = 20  # of the Hessian with a vector, for the curvature at the centre
NOT_FLAT = 1e-3  # of the larger extreme eigenvalue: a smaller one counts as 0
MARGIN = 1.2  # how much wider than the path a plane through it is


@dataclass
class Landscape:
    """A slice of the loss through the weights that a network has, as plain numbers.

    * ``at``: the m coordinates of each axis; the middle one is 0, the network as it is.
    * ``loss``: m losses, or m rows of m, ``loss[i][j]`` at ``at[i]`` on the first axis and ``at[j]`` on the second.
    * ``centre``: the loss in the middle. ``directions``: how they were chosen.
    * ``path``: coordinates of weights on the way, one or two each; ``path_loss``: their true losses, which differ
      from the slice's where the way left it; ``explained``: the share of the way's squared length that lies in it.
    * ``top``, ``bottom``: extreme eigenvalues of the Hessian in the middle (Ritz values of 20 products), and
      ``kind``: ``"minimum"``, ``"saddle"``, ``"maximum"`` or ``"flat"`` by their signs, as far as those tell;
      ``slope``: the gradient's norm there, which is 0 where the middle is stationary. ``None`` where the
      network has no second derivative.
    """

    at: list[float]
    loss: list[Any]
    centre: float
    directions: str
    slope: float | None = None
    top: float | None = None
    bottom: float | None = None
    kind: str | None = None
    path: list[list[float]] = field(default_factory=list)
    path_loss: list[float] = field(default_factory=list)
    explained: float | None = None

    @property
    def roughness(self) -> float:
        """The share of the slice's bending that is concave: 0 for a convex slice, 1/2 for waves on a plane.

        From second differences d along all rows through the grid, ``sum max(-d, 0) / sum |d|``, as Li et al.
        (2018) look for directions of negative curvature.
        """
        grid = torch.tensor(self.loss, dtype=torch.float64)
        bends = [grid.diff(n=2, dim=axis).flatten() for axis in range(grid.dim())]
        bend = torch.cat(bends)
        whole = float(bend.abs().sum())
        return float((-bend).clamp(min=0).sum()) / whole if whole else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The landscape as nested plain containers (for JSON)."""
        return asdict(self)


def landscape(
    module: nn.Module,
    x: Any,
    cost: Cost,
    *,
    dims: int = 2,
    size: int = 51,
    span: float = 1.0,
    directions: str = "filter",
    path: Sequence[Weights] = (),
    seed: int = 0,
    curvature: bool = True,
) -> Landscape:
    """The loss on a line or a plane through a network's weights, in evaluation mode.

    ``"filter"`` takes normal random directions, each filter (a unit's incoming weights) scaled to the length of the
    network's own one, biases and scales left as they are (Li et al. 2018, arXiv:1712.09913); without that scaling
    two networks that compute the same look differently sharp (Dinh et al. 2017, arXiv:1703.04933). ``"path"`` takes
    the principal directions of a path's weights around the last ones, scaled so that the whole path lies within
    -1 .. 1: in random directions a path hardly moves at all. A slice shows two of very many dimensions.

    Arguments:
        module: any module; its weights are the middle and stay as they are.
        x: the module's input, a tensor or a tuple of them.
        cost: from the output to one number, the loss.
        dims: 1 or 2.
        size: points along an axis, odd, so that the middle is one of them.
        span: the axes reach from -span to span.
        path: weights on the way (name -> tensor), as ``train.path.WeightPath`` keeps them.
        seed: of random directions.
        curvature: also read slope and Hessian in the middle, which costs some twenty gradients.

    Raises ``ParameterError``.

    >>> line = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(line.weight, 2.0)
    >>> found = landscape(line, torch.ones(1, 1), lambda out: (out - 2).square().mean(), dims=1, size=3)
    >>> found.at, [round(value, 6) for value in found.loss], found.kind
    ([-1.0, 0.0, 1.0], [4.0, 0.0, 4.0], 'minimum')
    """
    check(module, dims, size, span, directions, path)
    with as_it_answers(module):
        ways = path_ways(module, path, dims) if directions == "path" else filter_ways(module, dims, seed)
        at = span * (torch.arange(size, dtype=torch.float64) - size // 2) / max(size // 2, 1)
        grid = losses(module, x, cost, ways[0], ways[1] if dims == 2 else None, at)
        centre = grid[(size // 2,) * dims]
        found = Landscape(at.tolist(), grid.tolist(), float(centre), directions)
        if path:
            found.path, found.explained = project(module, path, ways)
            found.path_loss = [loss_of(module, x, cost, weights) for weights in path]
        if curvature:
            vars(found).update(at_centre(module, x, cost))
    return found


def check(
    module: nn.Module, dims: int, size: int, span: float, directions: str, path: Sequence[Weights]
) -> None:
    """Refuse what cannot be drawn, with the reason."""
    if directions not in DIRECTIONS:
        raise ParameterError(unknown_name("directions", directions, list(DIRECTIONS)))
    if dims not in (1, 2):
        raise ParameterError(f"dims must be 1 or 2, got {dims}; a slice has one or two axes.")
    if size < 3 or size % 2 == 0:
        raise ParameterError(f"size must be odd and at least 3, so that the middle is a point, got {size}.")
    if not span > 0:
        raise ParameterError(f"span must be above 0, got {span}; give how far the axes reach.")
    if directions == "path" and len(path) <= dims:
        raise ParameterError(
            f"directions='path' needs more than {dims} sets of weights on the way, got {len(path)}; give path=."
        )
    known = {k: p.shape for k, p in module.named_parameters()}
    if not known:
        raise ParameterError("a landscape needs a module with parameters, got one without; give a network.")
    for weights in path:
        if {k: v.shape for k, v in weights.items() if k in known} != known:
            raise ParameterError(
                "path must hold this module's parameters by name; give weights of the same network."
            )


@contextmanager
def as_it_answers(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block, then each part as it was; random numbers are forked."""
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for m in training:
            m.training = True


def filter_ways(module: nn.Module, dims: int, seed: int) -> list[Weights]:
    """Random directions with the lengths of the network's own filters; 0 for parameters of one dimension."""
    source = torch.Generator().manual_seed(seed)
    ways: list[Weights] = [{} for _ in range(dims)]
    for way in ways:
        for name, p in module.named_parameters():
            drawn = torch.randn(p.shape, generator=source, dtype=torch.float64).to(p)
            if p.dim() < 2:
                way[name] = torch.zeros_like(drawn)
                continue
            own, other = (v.detach().flatten(1).norm(dim=1) for v in (p, drawn))
            way[name] = drawn * (own / other).view(-1, *[1] * (p.dim() - 1))
    return ways


def path_ways(module: nn.Module, path: Sequence[Weights], dims: int) -> list[Weights]:
    """The principal directions of a path's distances from the present weights, as long as the path is wide."""
    away = torch.stack([flat(module, weights) for weights in path]) - flat(module)  # (k, parameters)
    _, _, rows = torch.linalg.svd(away, full_matrices=False)
    reach = MARGIN * (away @ rows[:dims].T).abs().amax(0)  # (dims,)
    if float(reach.min()) <= 1e-12 * max(float(reach.max()), 1e-300):
        raise ParameterError(f"the path does not move in {dims} directions; give more of the way, or dims=1.")
    return [unflat(module, row * length) for row, length in zip(rows, reach)]


def project(
    module: nn.Module, path: Sequence[Weights], ways: list[Weights]
) -> tuple[list[list[float]], float]:
    """Coordinates (k, dims) of the points of the slice that are nearest to a path's weights, and their share."""
    axes = torch.stack([flat(module, way) for way in ways], 1)  # (parameters, dims)
    away = torch.stack([flat(module, weights) for weights in path], 1) - flat(module)[:, None]
    places = torch.linalg.lstsq(axes, away).solution  # (dims, k)
    total = float(away.square().sum())
    inside = float((axes @ places).square().sum())
    return places.T.tolist(), inside / total if total else 1.0


def flat(module: nn.Module, weights: Weights | None = None) -> Tensor:
    """Weights by name as one vector in double precision, in the order of the module's parameters."""
    own = dict(module.named_parameters())
    values = own if weights is None else weights
    return torch.cat([values[k].detach().reshape(-1).cpu().double() for k in own])


def unflat(module: nn.Module, vector: Tensor) -> Weights:
    """A vector as a direction."""
    found, at = {}, 0
    for name, p in module.named_parameters():
        found[name] = vector[at : at + p.numel()].view(p.shape).to(p)
        at += p.numel()
    return found


@torch.no_grad()
def loss_of(module: nn.Module, x: Any, cost: Cost, weights: Weights) -> float:
    """The loss at other weights."""
    own = {k: weights[k].to(p) for k, p in module.named_parameters()}
    return float(cost(functional_call(module, own, x if isinstance(x, tuple) else (x,))))


def at_centre(module: nn.Module, x: Any, cost: Cost) -> dict[str, Any]:
    """Slope and curvature of the loss at the present weights; nothing where the network has no second derivative."""
    leaves = {k: p.detach().requires_grad_() for k, p in module.named_parameters()}
    given, params = x if isinstance(x, tuple) else (x,), list(leaves.values())

    def loss() -> Tensor:
        return cost(functional_call(module, leaves, given))

    try:
        grads = torch.autograd.grad(loss(), params, materialize_grads=True)
        start = start_vector(params[0], sum(p.numel() for p in params))
        values = lanczos(hessian_product(loss, params), start, PRODUCTS).values.tolist()
    except RuntimeError:
        return {}
    slope = float(torch.cat([g.reshape(-1) for g in grads]).norm())
    kind = kind_of_point(values[0], values[-1], NOT_FLAT)
    return {"slope": slope, "top": values[-1], "bottom": values[0], "kind": kind}
