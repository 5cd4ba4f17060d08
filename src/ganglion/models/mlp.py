"""The multilayer perceptron for tables."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.nn.activations import activation_named
from ganglion.nn.dense import DenseStack
from ganglion.nn.init import initialise, scale_outputs
from ganglion.nn.tabular import TableInput

OF_ACTIVATION = ("auto", "zero_residual")  # starts that leave the hidden layers' rule to the activation


class MLP(nn.Module):
    """Embedded categories beside real columns, then a stack of dense layers.

    Arguments:
        n_real, cardinalities, edges: the columns of the input, see ``nn.tabular.TableInput``.
        hidden_layer_sizes: units of each hidden layer; empty gives a linear model.
        n_outputs: logits or values.
        activation and what follows ``edges``: see ``nn.dense.DenseStack``.
        init: a name in ``nn.init``. ``"auto"`` is the activation's own with a last layer of zeros, so that training
            starts from ``output_bias``; it and ``"zero_residual"`` let each residual branch start at zero.
        output_bias: (n_outputs,) start of the last bias: class log-odds, or the mean target.

    Raises ``ParameterError`` for parts that do not go together.

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
        init: str = "auto",
        output_bias: Tensor | None = None,
        edges: Sequence[np.ndarray] = (),
        **parts: Any,
    ) -> None:
        super().__init__()
        self.inputs = TableInput(n_real, cardinalities, edges)
        self.stack = DenseStack([self.inputs.width, *hidden_layer_sizes, n_outputs], activation, **parts)
        self._initialise(init, activation)
        if output_bias is not None:
            with torch.no_grad():
                self.stack.linears[-1].bias.copy_(output_bias)  # type: ignore[operator, union-attr]

    def _initialise(self, init: str, activation: str) -> None:
        if init == "zero_residual" and not self.stack.shortcuts:
            raise ParameterError(
                "init 'zero_residual' sets the ends of residual branches to zero, and this network has none; set "
                "residual=True or take init='auto'."
            )
        of_activation = init in OF_ACTIVATION
        initialise(self.stack, activation_named(activation).init if of_activation else init)
        if of_activation:
            self.stack.open_skips()
        if init == "auto":
            nn.init.zeros_(self.stack.linears[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(n, columns) -> (n, n_outputs)."""
        return self.stack(self.inputs(x))

    def start_from(self, rows: Tensor) -> None:
        """Scale every layer's outputs on some training rows (n, columns) to variance 1: the second half of LSUV."""
        with torch.no_grad():
            scale_outputs(self.stack, self.inputs(rows))

    @property
    def goes_by_hand(self) -> bool:
        """Whether the parts of the stack have a backward pass that is written out."""
        return self.stack.goes_by_hand

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
