"""Activations by name, each with its derivative, so that a dense stack can go backwards by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name

aten = torch.ops.aten
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017, arXiv:1706.02515


@dataclass(frozen=True)
class Activation:
    """An activation: its module, its function, and ``backward(g, z, h)`` for z before and h after it."""

    module: Callable[[], nn.Module]
    function: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor, Tensor], Tensor]
    init: str = "he"  # the initialisation that keeps variances, unless one is named


ACTIVATIONS: dict[str, Activation] = {
    "identity": Activation(nn.Identity, lambda z: z, lambda g, z, h: g, "glorot"),
    "relu": Activation(nn.ReLU, torch.relu, lambda g, z, h: aten.threshold_backward(g, h, 0)),
    "leaky_relu": Activation(
        nn.LeakyReLU,
        nn.functional.leaky_relu,
        lambda g, z, h: aten.leaky_relu_backward(g, z, 0.01, False),
    ),
    "elu": Activation(nn.ELU, nn.functional.elu, lambda g, z, h: aten.elu_backward(g, 1.0, 1, 1, False, z)),
    "selu": Activation(
        nn.SELU,
        torch.selu,
        lambda g, z, h: aten.elu_backward(g, SELU_ALPHA, SELU_SCALE, 1, False, z),
        "lecun",
    ),
    "gelu": Activation(nn.GELU, nn.functional.gelu, lambda g, z, h: aten.gelu_backward(g, z)),
    "silu": Activation(nn.SiLU, nn.functional.silu, lambda g, z, h: aten.silu_backward(g, z)),
    "mish": Activation(nn.Mish, nn.functional.mish, lambda g, z, h: aten.mish_backward(g, z)),
    "softplus": Activation(
        nn.Softplus, nn.functional.softplus, lambda g, z, h: aten.softplus_backward(g, z, 1, 20)
    ),
    "tanh": Activation(nn.Tanh, torch.tanh, lambda g, z, h: aten.tanh_backward(g, h), "glorot"),
    "sigmoid": Activation(nn.Sigmoid, torch.sigmoid, lambda g, z, h: aten.sigmoid_backward(g, h), "glorot"),
}
ACTIVATIONS["logistic"] = ACTIVATIONS["sigmoid"]  # scikit-learn's word for it


def activation_named(name: str) -> Activation:
    """The activation of a name; raises ``ParameterError`` with the nearest known one.

    >>> activation_named("relu").function(torch.tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    if name not in ACTIVATIONS:
        raise ParameterError(unknown_name("activation", name, list(ACTIVATIONS)))
    return ACTIVATIONS[name]
