"""Weight initialisation by name.

A rule fills a weight (out, in, ...): fan_in is the number of inputs of a unit, fan_out the number of units.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ganglion.base.fields import Above, Between
from ganglion.base.named import named
from ganglion.base.numbers import number
from ganglion.nn.norms import DENSE

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
Fill = Callable[[Tensor], object]
Kept = Callable[[float, float], float]  # the variance of a weight from fan_in and fan_out


def _glorot(fan_in: float, fan_out: float) -> float:
    """Between what keeps the values' and what keeps the gradients' variance (Glorot and Bengio 2010)."""
    return 1 / ((fan_in + fan_out) / 2)


def _he(fan_in: float, fan_out: float) -> float:
    """ReLU passes half of the second moment, hence 2 (He et al. 2015, arXiv:1502.01852)."""
    return 2 / fan_in


def _lecun(fan_in: float, fan_out: float) -> float:
    """A weighted sum keeps the variance of its inputs (LeCun et al. 1998)."""
    return 1 / fan_in


def _normal_of(variance: Kept) -> Fill:
    return lambda w: nn.init.normal_(w, 0.0, math.sqrt(variance(*_fans(w))))


def _uniform_of(variance: Kept) -> Fill:
    def fill(w: Tensor) -> None:
        bound = math.sqrt(3 * variance(*_fans(w)))
        nn.init.uniform_(w, -bound, bound)

    return fill


def _fans(w: Tensor) -> tuple[int, int]:
    return w[0].numel(), w.shape[0] * w[0, 0].numel()


def _normal(std: float = 1.0) -> Fill:
    number("normal's std", std, Above(0))
    return partial(nn.init.normal_, mean=0.0, std=std)


def _uniform(bound: float = 1.0) -> Fill:
    number("uniform's bound", bound, Above(0))
    return partial(nn.init.uniform_, a=-bound, b=bound)


def _orthogonal(gain: float = 1.0) -> Fill:
    number("orthogonal's gain", gain, Above(0))
    return partial(nn.init.orthogonal_, gain=gain)


def _sparse(share: float = 0.9) -> Fill:
    """A fixed share of each unit's weights is 0, the others keep the variance of the inputs (Martens 2010)."""
    number("sparse's share of zeros", share, Between(0, 1, open_high=True))

    def fill(w: Tensor) -> None:
        rows = torch.zeros_like(w.flatten(1))
        kept = max(1, round((1 - share) * rows.shape[1]))
        chosen = torch.rand_like(rows).topk(kept, 1).indices
        drawn = torch.randn_like(chosen, dtype=w.dtype) * kept**-0.5
        w.copy_(rows.scatter_(1, chosen, drawn).view_as(w))

    return fill


# name -> what makes the rule from the numbers in its brackets
INITS: dict[str, Callable[..., Fill]] = {
    "he": lambda: _normal_of(_he),
    "he_normal": lambda: _normal_of(_he),
    "he_uniform": lambda: _uniform_of(_he),
    "kaiming_normal": lambda: _normal_of(_he),
    "kaiming_uniform": lambda: _uniform_of(_he),
    "glorot": lambda: _normal_of(_glorot),
    "glorot_normal": lambda: _normal_of(_glorot),
    "glorot_uniform": lambda: _uniform_of(_glorot),
    "xavier_normal": lambda: _normal_of(_glorot),
    "xavier_uniform": lambda: _uniform_of(_glorot),
    "lecun": lambda: _normal_of(_lecun),
    "lecun_normal": lambda: _normal_of(_lecun),
    "lecun_uniform": lambda: _uniform_of(_lecun),
    "normal": _normal,
    "uniform": _uniform,
    "orthogonal": _orthogonal,
    "sparse": _sparse,
    "lsuv": _orthogonal,  # and then ``scale_outputs``, once there are rows
    "zeros": lambda: nn.init.zeros_,
}
HE = ("he", "he_normal", "he_uniform", "kaiming_normal", "kaiming_uniform")


def init_named(name: str) -> Fill:
    """The initialiser of a name, which may carry numbers in brackets.

    Raises ``ParameterError`` with the nearest known name, or for numbers that it does not take.

    >>> w = torch.empty(2, 4)
    >>> _ = init_named("sparse(0.75)")(w)
    >>> (w != 0).sum(1).tolist()
    [1, 1]
    """
    return named("init", name, INITS)


@torch.no_grad()
def initialise(module: nn.Module, name: str) -> None:
    """Fill every dense and convolution weight by the named rule and every bias with zero."""
    fill = init_named(name)
    for layer in module.modules():
        if isinstance(layer, (*DENSE, *CONVOLUTIONS)):
            fill(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            if hasattr(layer, "settle"):
                layer.settle()  # type: ignore[operator, union-attr]


@torch.no_grad()
def scale_outputs(module: nn.Module, rows: Tensor) -> None:
    """Divide every dense weight by the standard deviation of its layer's outputs on rows, layer after layer.

    The second half of LSUV, after an orthogonal start: each weighted sum then has variance 1 (Mishkin and Matas 2016,
    arXiv:1511.06422). One pass does it exactly, since a layer is linear in its weight while its bias is 0. Layers
    whose sums do not vary are left alone.

    Arguments:
        module: dense layers with biases of 0, whatever stands between them.
        rows: what the module takes, (n, ...).

    >>> layer = nn.Linear(3, 200, bias=False)
    >>> x = 5 * torch.randn(100, 3)
    >>> scale_outputs(layer, x)
    >>> round(layer(x).std().item(), 4)
    1.0
    """

    def scale(layer: nn.Module, inputs: tuple[Tensor], out: Tensor) -> Tensor:
        spread = float(out.std())
        if spread > 0 and math.isfinite(spread):
            getattr(layer, "gain", layer.weight).div_(spread)  # type: ignore[operator, union-attr, arg-type]
        return layer.forward(*inputs)

    handles = [m.register_forward_hook(scale) for m in module.modules() if isinstance(m, DENSE)]
    was_training = module.training
    try:
        module.eval()(rows)
    finally:
        module.train(was_training)
        for handle in handles:
            handle.remove()
