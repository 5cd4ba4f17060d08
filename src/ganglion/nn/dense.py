"""A stack of dense layers that can also go forwards and backwards by hand, without autograd's bookkeeping.

Shapes: n examples, widths d_0 (inputs), d_1 .. d_L (d_L outputs).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.nn.activations import activation_named
from ganglion.nn.quick import product, quick_from

BITS = 2**16  # values of the number that decides over a unit
DRAWN_IN_FOURS_FROM = 8192  # units in a mask; below, the calls cost more than the drawing


class DenseStack(nn.Module):
    """Dense layers with an activation and dropout after each but the last.

    ``h_l = dropout(f(h_{l-1} W_l^T + b_l))``, and the last layer without ``f`` and dropout.

    Arguments:
        widths: d_0, ..., d_L.
        activation: a name in ``nn.activations``.
        dropout: probability of zeroing a unit, a fresh mask for every example and pass
            (Srivastava et al. 2014); survivors are divided by ``1 - dropout``.

    >>> DenseStack([3, 4, 2], "relu")(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(self, widths: Sequence[int], activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        self.activation = activation
        self.linears = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.activations = nn.ModuleList(activation_named(activation).module() for _ in widths[2:])
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_0) -> (n, d_L)."""
        for linear, f in zip(self.linears, self.activations):
            x = f(linear(x))
            if self.dropout and self.training:
                x = x * keep_mask(x, self.dropout)
        return self.linears[-1](x)

    def by_hand(self) -> "DensePass":
        """A training pass without autograd, over the weights as they lie now."""
        return DensePass(self)


class DensePass:
    """A training pass through a ``DenseStack`` by hand; it holds the weights' memory, so make it after moving them.

    Every parameter needs a ``.grad``; ``backward`` adds to it.
    """

    def __init__(self, stack: DenseStack) -> None:
        layers = [(m.weight.detach(), m.bias.detach(), m.weight.grad, m.bias.grad) for m in stack.linears]
        self.layers: Any = layers
        self.transposed = [weight.t() for weight, *_ in layers]
        self.quick = [quick_from(weight) for weight, *_ in layers]
        self.dropout = stack.dropout
        activation = activation_named(stack.activation)
        self.function, self.slope = activation.function, activation.backward
        self.tape: list[tuple[Tensor, Tensor, Tensor, Tensor | None]] = []

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_0) -> (n, d_L), remembering each layer's input, sum, value and dropout mask."""
        tape, last, n = [], len(self.layers) - 1, len(x)
        for i, (weight, bias, _, _) in enumerate(self.layers):
            if n < self.quick[i][0]:
                z = torch.addmm(bias, x, self.transposed[i])
            else:
                z = product(x, weight, bias)
            if i == last:
                tape.append((x, z, z, None))
                break
            h = self.function(z)
            mask = keep_mask(h, self.dropout) if self.dropout else None
            tape.append((x, z, h, mask))
            x = h if mask is None else h * mask
        self.tape = tape
        return z

    def backward(self, g: Tensor, *, to_input: bool = False) -> Tensor | None:
        """Add all gradients, given dLoss/dOutput (n, d_L); with ``to_input`` return dLoss/dInput (n, d_0).

        ``dW_l = g_l^T h_{l-1}``, ``db_l = sum_n g_l``, ``g_{l-1} = (g_l W_l) * f'(z_{l-1})``: backpropagation
        (Rumelhart et al. 1986).
        """
        last, n = len(self.layers) - 1, len(g)
        for i in range(last, -1, -1):
            (weight, _, weight_grad, bias_grad), (x, z, h, mask) = self.layers[i], self.tape[i]
            if i < last:  # through dropout and activation
                g = self.slope(g if mask is None else g * mask, z, h)
            if n < self.quick[i][1]:
                weight_grad.addmm_(g.t(), x)
            else:
                weight_grad.add_(product(g.t(), x.t()))
            bias_grad.add_(g.sum(0))
            if i or to_input:
                g = g.mm(weight) if n < self.quick[i][0] else product(g, self.transposed[i])
        self.tape = []
        return g if to_input else None


def keep_mask(like: Tensor, dropout: float) -> Tensor:
    """A dropout mask: 0 with probability ``dropout``, else ``1 / (1 - dropout)``.

    Compared with uniform numbers, which is several times quicker on a CPU than ``bernoulli``; large masks
    there are compared with 16 random bits per unit (four units a draw), which halves the time once more. The
    probability is then rounded to a 65,536th, and the survivors are divided by the rounded one.
    """
    keep, n = 1.0 - dropout, like.numel()
    level = round(keep * BITS)
    if n < DRAWN_IN_FOURS_FROM or like.device.type != "cpu" or not 0 < level < BITS:
        return torch.rand_like(like).lt_(keep).div_(keep)
    drawn = torch.empty(-(-n // 4), dtype=torch.int64).random_(-(2**63), None)
    units = drawn.view(torch.int16)[:n].view(like.shape)  # uniform on -32768 .. 32767
    return (units < level - BITS // 2).to(like.dtype).mul_(BITS / level)
