"""Several networks of one shape as one module: their weights on a first axis, their products batched."""

import copy

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError


class StackedLinear(nn.Module):
    """Dense layers of ``m`` networks at once: ``y_i = x_i W_i^T + b_i`` (``baddbmm``).

    Arguments:
        layers: the members' ``nn.Linear``, all of one shape.

    Input (m, n, in), output (m, n, out).
    """

    def __init__(self, layers: list[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))  # (m, out, in)
        self.bias = nn.Parameter(
            torch.stack([layer.bias.detach() for layer in layers]).unsqueeze(1)
        )  # (m, 1, out)

    def forward(self, x: Tensor) -> Tensor:
        """(m, n, in) -> (m, n, out)."""
        return torch.baddbmm(self.bias, x, self.weight.transpose(1, 2))


class StackedMLP(nn.Module):
    """``m`` dense networks of one shape that train as one.

    >>> nets = [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)) for _ in range(2)]
    >>> x = torch.randn(2, 5, 3)
    >>> bool(torch.allclose(StackedMLP.of(nets)(x)[1], nets[1](x[1]), atol=1e-6))
    True
    """

    def __init__(self, layers: nn.Sequential, template: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        self._template = [template]  # in a list: not a part of this module

    @classmethod
    def of(cls, members: list[nn.Sequential]) -> "StackedMLP":
        """Stack networks made of ``nn.Linear`` and layers without weights.

        Raises ``ParameterError`` for other layers with weights.
        """
        layers = []
        for column in zip(*members):
            if isinstance(column[0], nn.Linear):
                layers.append(StackedLinear(list(column)))
            elif any(True for _ in column[0].parameters()):
                raise ParameterError(
                    f"a stack takes dense layers, got {type(column[0]).__name__}; train these alone."
                )
            else:
                layers.append(copy.deepcopy(column[0]))
        return cls(nn.Sequential(*layers), copy.deepcopy(members[0]))

    def forward(self, x: Tensor) -> Tensor:
        """(m, n, in) -> (m, n, out)."""
        return self.layers(x)

    def member(self, i: int) -> nn.Sequential:
        """Network ``i`` alone, with its present weights."""
        net = copy.deepcopy(self._template[0])
        with torch.no_grad():
            for alone, stacked in zip(net, self.layers):
                if isinstance(stacked, StackedLinear):
                    alone.weight.copy_(stacked.weight[i])  # type: ignore[operator, union-attr]
                    alone.bias.copy_(stacked.bias[i, 0])  # type: ignore[operator, union-attr]
        return net
