"""The multilayer perceptron for tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.nn.activations import activation_named
from ganglion.nn.dense import DenseStack
from ganglion.nn.init import initialise
from ganglion.nn.tabular import TableInput


class MLP(nn.Module):
    """Embedded categories beside real columns, then a stack of dense layers.

    Arguments:
        n_real, cardinalities, edges: the columns of the input, see ``nn.tabular.TableInput``.
        hidden_layer_sizes: units of each hidden layer; empty gives a linear model.
        n_outputs: logits or values.
        activation, dropout: see ``nn.dense.DenseStack``.
        init: a name in ``nn.init``; ``"auto"`` is the activation's own. The last layer starts at zero, so
            that training starts from ``output_bias``.
        output_bias: (n_outputs,) start of the last bias: class log-odds, or the mean target.

    >>> MLP(3, (), (8,), 2)(torch.zeros(4, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(
        self,
        n_real: int,
        cardinalities: tuple[int, ...],
        hidden_layer_sizes: tuple[int, ...],
        n_outputs: int,
        *,
        activation: str = "relu",
        dropout: float = 0.0,
        init: str = "auto",
        output_bias: Tensor | None = None,
        edges: Sequence[np.ndarray] = (),
    ) -> None:
        super().__init__()
        self.inputs = TableInput(n_real, cardinalities, edges)
        self.stack = DenseStack([self.inputs.width, *hidden_layer_sizes, n_outputs], activation, dropout)
        initialise(self.stack, activation_named(activation).init if init == "auto" else init)
        if init == "auto":
            nn.init.zeros_(self.stack.linears[-1].weight)  # type: ignore[arg-type]
        if output_bias is not None:
            with torch.no_grad():
                self.stack.linears[-1].bias.copy_(output_bias)  # type: ignore[operator, union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """(n, columns) -> (n, n_outputs)."""
        return self.stack(self.inputs(x))

    def by_hand(self) -> Any:
        """A training pass without autograd's bookkeeping, over the weights as they lie now."""
        plain = not self.inputs.embeddings and not self.inputs.bins.width
        return self.stack.by_hand() if plain else MLPPass(self)


class MLPPass:
    """By hand through the dense stack, by autograd through the embeddings before it, if there are any."""

    def __init__(self, model: MLP) -> None:
        self.inputs, self.dense = model.inputs, model.stack.by_hand()
        self.learns = len(model.inputs.embeddings) > 0
        self.entered = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """(n, columns) -> (n, n_outputs)."""
        with torch.set_grad_enabled(self.learns):
            self.entered = self.inputs(x)
        return self.dense.forward(self.entered.detach())

    def backward(self, slope: Tensor) -> None:
        """Add all gradients, given dLoss/dOutput (n, n_outputs)."""
        to_input = self.dense.backward(slope, to_input=self.learns)
        if self.learns:
            self.entered.backward(to_input)
