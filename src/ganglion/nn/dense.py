"""A stack of dense layers that can also go forwards and backwards by hand, without autograd's bookkeeping.

Shapes: n examples, widths d_0 (inputs), d_1 .. d_L (d_L outputs).
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.nn.activations import activation_named
from ganglion.nn.noise import DROPOUTS, DropPath, GaussianNoise, keep_mask
from ganglion.nn.norms import norm_named
from ganglion.nn.quick import product, quick_from


class Shortcut(nn.Module):
    """The end of a residual branch: ``x + drop_path(V h + c)`` for x before the branch and h inside it.

    The branch ends with a linear map, so that it can add and subtract, and so that V = 0 makes the block an identity
    which still learns (He et al. 2016, arXiv:1603.05027).

    >>> Shortcut(3)(torch.zeros(2, 3), torch.ones(2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, width: int, drop_path: float = 0.0) -> None:
        super().__init__()
        self.linear, self.path = nn.Linear(width, width), DropPath(drop_path)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """(n, d), (n, d) -> (n, d)."""
        return x + self.path(self.linear(h))


class DenseStack(nn.Module):
    """Dense layers with normalisation, activation and dropout after each but the last.

    ``h_l = dropout(f(norm(h_{l-1} W_l^T + b_l)))``, and the last layer is ``h_{L-1} W_L^T + b_L`` alone. With
    ``residual``, hidden layers as wide as their input become ``h_l = h_{l-1} + V_l dropout(f(norm(...))) + c_l``.

    Arguments:
        widths: d_0, ..., d_L.
        activation: a name in ``nn.activations``.
        dropout: probability of zeroing a unit, a fresh mask for every example and pass
            (Srivastava et al. 2014); survivors are divided by ``1 - dropout``.
        norm: a name in ``nn.norms``.
        residual: whether layers that keep the width have a skip.
        drop_path: probability of leaving out the last residual branch for an example, rising linearly from the first
            one's (Huang et al. 2016).
        noise: standard deviation of normal numbers added to the inputs in training.
        dropout_kind: ``"units"``, or ``"alpha"`` for SELU networks.

    Raises ``ParameterError`` for parts that do not go together.

    >>> DenseStack([3, 4, 2], "relu")(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        widths: Sequence[int],
        activation: str = "relu",
        dropout: float = 0.0,
        *,
        norm: str | None = None,
        residual: bool = False,
        drop_path: float = 0.0,
        noise: float = 0.0,
        dropout_kind: str = "units",
    ) -> None:
        super().__init__()
        f, normalise, (*sizes, outputs) = activation_named(activation), norm_named(norm), widths
        hidden = list(itertools.pairwise(sizes))
        skipping = [i for i, (a, b) in enumerate(hidden) if residual and a == b]
        _check(sizes, residual and not skipping, drop_path and not residual, dropout_kind)
        self.activation, self.dropout = activation, dropout
        self.linears = nn.ModuleList(normalise.dense(a, b * f.pieces) for a, b in hidden)
        self.linears.append(nn.Linear(sizes[-1], outputs))
        after = normalise.after
        self.norms = nn.ModuleList(after(b * f.pieces, 0) for _, b in hidden if after is not None)
        self.activations = nn.ModuleList(f.module() for _ in hidden)
        self.drop, self.noise = DROPOUTS[dropout_kind](dropout), GaussianNoise(noise)
        self.shortcuts = nn.ModuleDict(
            {str(i): Shortcut(sizes[i], drop_path * k / len(skipping)) for k, i in enumerate(skipping, 1)}
        )
        self.normed, self.skipping = after is not None, set(skipping)
        plain = not (after or skipping or noise) and normalise.dense is nn.Linear
        self.goes_by_hand = plain and f.backward is not None and dropout_kind == "units"

    def forward(self, x: Tensor) -> Tensor:
        """(n, d_0) -> (n, d_L)."""
        random = (
            self.training
        )  # else the random parts are empty, and each call costs as much as an activation
        x = self.noise(x) if random else x
        for i, (linear, f) in enumerate(zip(self.linears, self.activations)):
            z = linear(x)
            h = f(self.norms[i](z) if self.normed else z)
            h = self.drop(h) if random else h
            x = self.shortcuts[str(i)](x, h) if i in self.skipping else h
        return self.linears[-1](x)

    @torch.no_grad()
    def open_skips(self) -> None:
        """Set the last weights of every residual branch to zero: each block starts as the identity."""
        for shortcut in self.shortcuts.values():
            nn.init.zeros_(shortcut.linear.weight)  # type: ignore[union-attr, arg-type]

    def by_hand(self) -> "DensePass":
        """A training pass without autograd, over the weights as they lie now; only where ``goes_by_hand``."""
        return DensePass(self)


def _check(sizes: list[int], no_skips: bool, no_paths: Any, dropout_kind: str) -> None:
    """Refuse parts of a dense stack that do not go together."""
    if dropout_kind == "spatial":
        raise ParameterError(
            "spatial dropout drops channels over all their positions, and a dense layer's units have none; take "
            "dropout_kind='units'."
        )
    if no_skips:
        raise ParameterError(
            f"residual=True needs a hidden layer that is as wide as its input, got the widths {tuple(sizes)}; give two "
            "hidden layers of one width, as in hidden_layer_sizes=(64, 64)."
        )
    if no_paths:
        raise ParameterError(
            "drop_path leaves out residual branches, and this network has none; set residual=True or drop_path=0."
        )


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
        activation: Any = activation_named(stack.activation)
        self.function, self.slope = activation.function, activation.backward
        self.activation = next((type(f).__name__ for f in stack.activations), None)  # its class
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
