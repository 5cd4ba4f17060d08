"""Activations by name, each with its derivative where it has one, so that a dense stack can go backwards by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ganglion.base.fields import Above, Between, Bound
from ganglion.base.named import named
from ganglion.base.numbers import number

aten = torch.ops.aten
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017, arXiv:1706.02515
MOST_PIECES = 100  # of a maxout unit: every one costs as much as a layer

Function = Callable[[Tensor], Tensor]
Backward = Callable[[Tensor, Tensor, Tensor], Tensor]


class Heaviside(nn.Module):
    """The threshold unit: 1 where the weighted sum is at least 0, else 0 (McCulloch and Pitts 1943).

    ``h = [z >= 0]``: exactly at the threshold the unit fires. The slope is 0 everywhere, so no gradient passes.

    >>> Heaviside()(torch.tensor([-0.1, 0.0, 2.0])).tolist()
    [0.0, 1.0, 1.0]
    """

    def forward(self, z: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return heaviside(z)


class Maxout(nn.Module):
    """The largest of ``pieces`` weighted sums (Goodfellow et al. 2013, arXiv:1302.4389).

    ``h_j = max_i z_(j pieces + i)``: a convex function, learned as the upper hull of planes.

    Input (..., units * pieces), output (..., units); ``axis`` is that of the units, the last one or 1 for maps.

    >>> Maxout(2)(torch.tensor([[1.0, 3.0, -2.0, -5.0]])).tolist()
    [[3.0, -2.0]]
    """

    def __init__(self, pieces: int, axis: int = -1) -> None:
        super().__init__()
        self.pieces, self.axis = pieces, axis

    def forward(self, z: Tensor) -> Tensor:
        """(..., units * pieces) -> (..., units)."""
        axis = self.axis % z.dim()
        return z.unflatten(axis, (-1, self.pieces)).amax(axis + 1)


@dataclass(frozen=True)
class Activation:
    """An activation: its module, and by hand ``function(z)`` with ``backward(g, z, h)`` for z before, h after it.

    Those that learn something, or change the number of units, have no ``backward`` and go by autograd. ``init`` is
    the initialisation that keeps variances, ``pieces`` the number of weighted sums that a unit takes.
    """

    module: Callable[[], nn.Module]
    function: Function | None = None
    backward: Backward | None = None
    init: str = "he"
    pieces: int = 1

    def of_maps(self) -> nn.Module:
        """The module for maps (n, channels, ...): what goes over units goes over channels."""
        made = self.module()
        if isinstance(made, Maxout):
            made.axis = 1
        elif isinstance(made, nn.Softmax):
            made.dim = 1
        return made


def heaviside(z: Tensor) -> Tensor:
    """``[z >= 0]``, made of ``sign``, whose derivative autograd knows to be 0."""
    return (z.sign() + 1).clamp(max=1)


def softmax(z: Tensor) -> Tensor:
    """``exp(z_j) / sum_k exp(z_k)`` over the units of the last axis."""
    return z.softmax(-1)


def _leaky_relu(slope: float = 0.01) -> Activation:
    number("leaky_relu's slope", slope, Bound())
    return Activation(
        partial(nn.LeakyReLU, slope),
        partial(nn.functional.leaky_relu, negative_slope=slope),
        lambda g, z, h: aten.leaky_relu_backward(g, z, slope, False),
    )


def _prelu(slope: float = 0.25) -> Activation:
    number("prelu's first slope", slope, Bound())
    return Activation(partial(nn.PReLU, init=slope))


def _elu(alpha: float = 1.0) -> Activation:
    number("elu's alpha", alpha, Above(0))
    return Activation(
        partial(nn.ELU, alpha),
        partial(nn.functional.elu, alpha=alpha),
        lambda g, z, h: aten.elu_backward(g, alpha, 1, 1, False, z),
    )


def _maxout(pieces: int = 2) -> Activation:
    number("maxout's pieces", pieces, Between(2, MOST_PIECES), whole=True)
    return Activation(partial(Maxout, pieces), init="lecun", pieces=pieces)


IDENTITY = Activation(nn.Identity, lambda z: z, lambda g, z, h: g, "glorot")
SIGMOID = Activation(nn.Sigmoid, torch.sigmoid, lambda g, z, h: aten.sigmoid_backward(g, h), "glorot")
TANH = Activation(nn.Tanh, torch.tanh, lambda g, z, h: aten.tanh_backward(g, h), "glorot")
RELU = Activation(nn.ReLU, torch.relu, lambda g, z, h: aten.threshold_backward(g, h, 0))
SELU = Activation(
    nn.SELU, torch.selu, lambda g, z, h: aten.elu_backward(g, SELU_ALPHA, SELU_SCALE, 1, False, z), "lecun"
)
GELU = Activation(nn.GELU, nn.functional.gelu, lambda g, z, h: aten.gelu_backward(g, z))
SILU = Activation(nn.SiLU, nn.functional.silu, lambda g, z, h: aten.silu_backward(g, z))
MISH = Activation(nn.Mish, nn.functional.mish, lambda g, z, h: aten.mish_backward(g, z))
SOFTPLUS = Activation(
    nn.Softplus, nn.functional.softplus, lambda g, z, h: aten.softplus_backward(g, z, 1, 20)
)
SOFTMAX = Activation(
    partial(nn.Softmax, -1),
    softmax,
    lambda g, z, h: aten._softmax_backward_data(g, h, -1, h.dtype),
    "glorot",
)
THRESHOLD = Activation(Heaviside, heaviside, lambda g, z, h: torch.zeros_like(g), "glorot")

# name -> what makes the activation from the numbers in its brackets
ACTIVATIONS: dict[str, Callable[..., Activation]] = {
    "identity": lambda: IDENTITY,
    "linear": lambda: IDENTITY,
    "threshold": lambda: THRESHOLD,
    "sigmoid": lambda: SIGMOID,
    "logistic": lambda: SIGMOID,  # scikit-learn's word for it
    "tanh": lambda: TANH,
    "relu": lambda: RELU,
    "leaky_relu": _leaky_relu,
    "prelu": _prelu,
    "elu": _elu,
    "selu": lambda: SELU,
    "gelu": lambda: GELU,
    "silu": lambda: SILU,
    "mish": lambda: MISH,
    "softplus": lambda: SOFTPLUS,
    "softmax": lambda: SOFTMAX,
    "maxout": _maxout,
}


def activation_named(name: str) -> Activation:
    """The activation of a name, which may carry numbers in brackets.

    Raises ``ParameterError`` with the nearest known name, or for numbers that the activation does not take.

    >>> activation_named("leaky_relu(0.5)").function(torch.tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """
    return named("activation", name, ACTIVATIONS)
