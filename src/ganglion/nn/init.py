"""Weight initialisation by name."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name


def _fan(gain: float, mode: str) -> Callable[[Tensor], None]:
    """Normal with variance ``gain / fan``; fan_in, or the mean of fan_in and fan_out."""

    def fill(w: Tensor) -> None:
        fan_out, fan_in = w.shape[0], w[0].numel()
        fan = fan_in if mode == "in" else (fan_in + fan_out) / 2
        nn.init.normal_(w, 0.0, math.sqrt(gain / fan))

    return fill


INITS: dict[str, Callable[[Tensor], object]] = {
    "he": _fan(2.0, "in"),  # variance 2 / fan_in (He et al. 2015, arXiv:1502.01852)
    "glorot": _fan(1.0, "mean"),  # variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)
    "lecun": _fan(1.0, "in"),  # variance 1 / fan_in (LeCun et al. 1998)
    "orthogonal": nn.init.orthogonal_,
    "normal": lambda w: nn.init.normal_(w, 0.0, 1.0),
    "zeros": nn.init.zeros_,
}


def init_named(name: str) -> Callable[[Tensor], object]:
    """The initialiser of a name; raises ``ParameterError`` with the nearest known one."""
    if name not in INITS:
        raise ParameterError(unknown_name("init", name, list(INITS)))
    return INITS[name]


@torch.no_grad()
def initialise(module: nn.Module, name: str) -> None:
    """Fill every dense weight by the named rule and every bias with zero."""
    fill = init_named(name)
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            fill(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
