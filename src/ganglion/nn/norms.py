"""Normalisation by name: layers that stand behind a dense layer, and dense layers whose weights are normalised.

Shapes: n examples, C units or channels, then any number of positions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.base.fields import AtLeast
from ganglion.base.named import name_in, named
from ganglion.base.numbers import number

FIRST_TURNS = 15  # power iterations before the first pass, as in torch
SMALLEST = 1e-12  # singular value that a weight is divided by


class WeightNormLinear(nn.Module):
    """A dense layer whose weight rows have a length of their own: ``w_j = g_j v_j / |v_j|``.

    Length and direction are learned apart (Salimans and Kingma 2016, arXiv:1602.07868). torch's parametrisation of
    the same name cannot be pickled, so this one is written out. ``weight`` is v, ``gain`` is g.

    >>> WeightNormLinear(3, 2)(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        plain = nn.Linear(in_features, out_features)
        self.weight, self.bias = plain.weight, plain.bias
        self.gain = nn.Parameter(torch.empty(out_features))
        self.settle()

    @torch.no_grad()
    def settle(self) -> None:
        """Take each row's present length as its gain, so that the layer is what ``weight`` says."""
        self.gain.copy_(self.weight.norm(dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) -> (n, out)."""
        direction = nn.functional.normalize(self.weight, dim=1)
        return nn.functional.linear(x, self.gain.unsqueeze(1) * direction, self.bias)


class SpectralNormLinear(nn.Module):
    """A dense layer whose weight is divided by its largest singular value: it stretches no input.

    ``w = W / sigma, sigma = u^T W v``, where u and v take one turn of power iteration in each training pass (Miyato
    et al. 2018, arXiv:1802.05957). torch's parametrisation of the same name cannot be pickled, so this one is
    written out.

    >>> SpectralNormLinear(3, 2)(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    u: Tensor
    v: Tensor

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        plain = nn.Linear(in_features, out_features)
        self.weight, self.bias = plain.weight, plain.bias
        self.register_buffer("u", nn.functional.normalize(torch.randn(out_features), dim=0))
        self.register_buffer("v", nn.functional.normalize(torch.randn(in_features), dim=0))
        self.settle()

    def settle(self) -> None:
        """Turn u and v towards the first singular vectors of the present ``weight``."""
        self._turn(FIRST_TURNS)

    @torch.no_grad()
    def _turn(self, turns: int) -> None:
        for _ in range(turns):
            self.u.copy_(nn.functional.normalize(self.weight.mv(self.v), dim=0))
            self.v.copy_(nn.functional.normalize(self.weight.t().mv(self.u), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """(n, in) -> (n, out)."""
        if self.training:
            self._turn(1)
        u, v = self.u.clone(), self.v.clone()  # autograd keeps them, and the next pass turns them in place
        largest = u.dot(self.weight.mv(v)).clamp(min=SMALLEST)
        return nn.functional.linear(x, self.weight / largest, self.bias)


class RMSNorm(nn.RMSNorm):
    """torch's, in the precision of its weight: under autocast torch's own would warn of two precisions.

    >>> RMSNorm(2)(torch.tensor([[3.0, 3.0]])).round(decimals=3).tolist()
    [[1.0, 1.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return super().forward(x.to(self.weight.dtype))


DENSE = (nn.Linear, WeightNormLinear, SpectralNormLinear)
"""The dense layers: each has ``weight`` (out, in) and ``bias`` (out,)."""


@dataclass(frozen=True)
class Norm:
    """A normalisation: a layer ``after(units, positions)`` behind the weighted sums, or a dense layer of its own."""

    after: Callable[[int, int], nn.Module] | None = None
    dense: Callable[[int, int], nn.Module] = nn.Linear


def _batch(units: int, positions: int) -> nn.Module:
    return (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[positions](units)


def _layer(units: int, positions: int) -> nn.Module:
    if positions:
        return nn.GroupNorm(1, units)  # over channels and positions, whatever their number
    _needs_company("layer", units, "take norm='batch', or more units")
    return nn.LayerNorm(units)


def _instance(units: int, positions: int) -> nn.Module:
    if not positions:
        raise ParameterError(
            "norm 'instance' normalises each unit over its positions, and a dense layer's unit has one, so that every "
            "value would become 0; take norm='layer', or 'instance' in a network for series or pictures."
        )
    return (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[positions - 1](units, affine=True)


def _group(groups: int = 8) -> Norm:
    number("group's groups", groups, AtLeast(1), whole=True)

    def after(units: int, positions: int) -> nn.Module:
        if units % groups:
            fit = [str(k) for k in range(1, units + 1) if units % k == 0 and (positions or k < units)]
            raise ParameterError(
                f"norm 'group' cannot divide {units} units into {groups} groups of one size; take as many units as a "
                f"multiple of {groups}, or a number of groups out of {', '.join(fit)}."
            )
        if not positions:
            _needs_company("group", units // groups, f"take fewer groups than the {units} units")
        return nn.GroupNorm(groups, units)

    return Norm(after)


def _needs_company(name: str, together: int, remedy: str) -> None:
    if together < 2:
        raise ParameterError(
            f"norm {name!r} takes the mean from the units that it normalises together, and here each stands alone, so "
            f"that every value would become 0; {remedy}."
        )


# name -> what makes the normalisation from the numbers in its brackets
NORMS: dict[str, Callable[..., Norm]] = {
    "batch": lambda: Norm(_batch),
    "layer": lambda: Norm(_layer),
    "instance": lambda: Norm(_instance),
    "group": _group,
    "rms": lambda: Norm(lambda units, positions: RMSNorm(units)),
    "weight": lambda: Norm(dense=WeightNormLinear),
    "spectral": lambda: Norm(dense=SpectralNormLinear),
}


def norm_named(name: str | None) -> Norm:
    """The normalisation of a name, which may carry numbers in brackets; ``None`` is none.

    Raises ``ParameterError`` with the nearest known name, or for numbers that it does not take.

    >>> norm_named("group(2)").after(6, 0).num_groups
    2
    """
    return Norm() if name is None else named("norm", name, NORMS)


OF_MAPS = ("batch", "layer", "instance", "group")


def norm_of_maps(name: str | None) -> Callable[[int], nn.Module] | None:
    """What makes the normalisation of maps (n, channels, h, w) from their channels; ``None`` is none.

    Raises ``ParameterError`` for a normalisation of dense layers' units or weights.

    >>> norm_of_maps("batch")(3)(torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """
    if name is None:
        return None
    after = norm_named(name).after
    if after is None or name_in(name) not in OF_MAPS:
        raise ParameterError(
            f"norm {name!r} is made for dense layers, and here are maps of channels; take one of {', '.join(OF_MAPS)}."
        )
    return lambda channels: after(channels, 2)
