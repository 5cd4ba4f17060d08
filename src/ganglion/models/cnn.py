"""The convolutional network for pictures, from LeNet to VGG by width and depth."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganglion.nn.activations import activation_named
from ganglion.nn.convolution import conv
from ganglion.nn.init import initialise
from ganglion.nn.noise import Dropout
from ganglion.nn.norms import norm_of_maps
from ganglion.nn.pictures import Standardise
from ganglion.nn.pooling import pool_named
from ganglion.nn.shapes import check_shapes


class ConvBlock(nn.Sequential):
    """``f(norm(pool(W * x + b)))``; behind a normalisation, which has an offset of its own, there is no b.

    Pooling first gives norm and activation a quarter of the work; a maximum may change places with anything that
    rises, so there it changes nothing but the sums that the norm is taken from.

    >>> ConvBlock(1, 4, 3, "same", "relu", "batch", "max")(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 4, 4, 4])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        padding: str,
        activation: str,
        norm: str | None,
        pool: str | None = None,
    ) -> None:
        f, normalise = activation_named(activation), norm_of_maps(norm)
        units = outputs * f.pieces
        super().__init__(conv(inputs, units, kernel, padding=padding, bias=normalise is None))  # type: ignore[arg-type]
        if pool is not None:
            self.append(pool_named(pool))
        if normalise is not None:
            self.append(normalise(units))
        self.append(f.of_maps())


class CNN(nn.Module):
    """Stages of convolutions with a halving of the map in each, and a dense head.

    Arguments:
        shape: (channels, height, width) of a picture.
        n_outputs: logits.
        widths: channels of each stage.
        convolutions: of each stage.
        kernel: height and width of the kernels.
        padding: ``"same"`` keeps the map's size, ``"valid"`` adds nothing.
        activation, norm, pool: names in ``nn.activations``, ``nn.norms`` and ``nn.pooling``; a stage pools behind its
            first convolution.
        head: what the last maps become: a global pooling's name without ``global_``, or all of them (``"flatten"``).
        hidden: units of dense layers before the output.
        dropout: of the inputs of the head's layers.
        output_bias: (n_outputs,) start of the last bias.

    Raises ``ParameterError`` where a picture is too small for the stages.

    >>> CNN((1, 28, 28), 10, widths=(8, 16))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_outputs: int,
        *,
        widths: Sequence[int] = (32, 64, 128),
        convolutions: int = 2,
        kernel: int = 3,
        padding: str = "same",
        activation: str = "gelu",
        norm: str | None = "batch",
        pool: str = "max",
        head: str = "max",
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        output_bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        channels, *size = shape
        self.standardise = Standardise([0.0] * channels, [1.0] * channels)
        self.features = nn.Sequential(
            *(
                ConvBlock(b if i else a, b, kernel, padding, activation, norm, None if i else pool)
                for a, b in itertools.pairwise([channels, *widths])
                for i in range(convolutions)
            )
        )
        last = check_shapes(self.features, tuple(size), channels)[-1]
        self.head = Head(head, widths[-1], last, hidden, n_outputs, activation, dropout)
        self._initialise(activation, output_bias)

    def _initialise(self, activation: str, output_bias: Tensor | None) -> None:
        initialise(self, activation_named(activation).init)
        self.head.start_from(output_bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w), whole numbers to 255 or floats to 1 -> (n, n_outputs)."""
        x = self.standardise(x).contiguous(memory_format=torch.channels_last)
        return self.head(self.features(x))


class Head(nn.Module):
    """From the last maps (n, c, h, w) to logits (n, k): pooled or flattened, through dense layers.

    >>> Head("average", 8, [3, 3], (16,), 2, "relu", 0.1)(torch.zeros(4, 8, 3, 3)).shape
    torch.Size([4, 2])
    """

    def __init__(
        self,
        kind: str,
        channels: int,
        size: Sequence[int],
        hidden: Sequence[int],
        n_outputs: int,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        f = activation_named(activation)
        self.pool = nn.Flatten() if kind == "flatten" else pool_named(f"global_{kind}")
        first = channels * (math.prod(size) if kind == "flatten" else self.pool.times)  # type: ignore[operator]
        sizes = list(itertools.pairwise([first, *hidden]))
        self.linears = nn.ModuleList(nn.Linear(a, b * f.pieces) for a, b in sizes)
        self.linears.append(nn.Linear(sizes[-1][1] if sizes else first, n_outputs))
        self.activations = nn.ModuleList(f.module() for _ in hidden)
        self.drop = Dropout(dropout)

    @torch.no_grad()
    def start_from(self, output_bias: Tensor | None) -> None:
        """Let the last layer answer with a bias (k,) alone, or with nothing, whatever it sees."""
        last = self.linears[-1]
        nn.init.zeros_(last.weight)  # type: ignore[arg-type]
        if output_bias is not None:
            last.bias.copy_(output_bias)  # type: ignore[operator, union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, k)."""
        x = self.pool(x)
        for linear, f in zip(self.linears, self.activations):
            x = f(linear(self.drop(x)))
        return self.linears[-1](self.drop(x))
