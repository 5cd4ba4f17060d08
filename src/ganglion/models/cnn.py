"""The convolutional network for pictures, from LeNet to VGG by width and depth."""

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.nn.activations import activation_named
from ganglion.nn.init import initialise
from ganglion.nn.noise import Dropout
from ganglion.nn.norms import norm_named
from ganglion.nn.pictures import Standardise

HEADS = ("max", "average", "flatten")


POOLS: dict[str, Callable[[int], nn.Module]] = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


class ConvBlock(nn.Sequential):
    """``f(norm(pool(W * x + b)))``; behind a normalisation, which has an offset of its own, there is no b.

    Pooling first gives norm and activation a quarter of the work; a maximum may change places with anything that
    rises, so there it changes nothing but the sums that the norm is taken from.

    >>> ConvBlock(1, 4, 3, 1, "relu", "batch", "max")(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 4, 4, 4])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        padding: int,
        activation: str,
        norm: str | None,
        pool: str | None = None,
    ) -> None:
        f, after = activation_named(activation), norm_named(norm).after
        units = outputs * f.pieces
        super().__init__(nn.Conv2d(inputs, units, kernel, padding=padding, bias=after is None))
        if pool is not None:
            self.append(POOLS[pool](2))
        if after is not None:
            self.append(after(units, 2))
        self.append(f.module())


class CNN(nn.Module):
    """Stages of convolutions with a halving of the map between them, and a dense head.

    Arguments:
        shape: (channels, height, width) of a picture.
        n_outputs: logits.
        widths: channels of each stage.
        convolutions: of each stage.
        kernel: height and width of the kernels, odd for ``padding="same"``.
        padding: ``"same"`` keeps the map's size, ``"valid"`` adds nothing.
        activation, norm: names in ``nn.activations`` and ``nn.norms``.
        pool: ``"max"`` or ``"average"`` of 2 x 2 after the first convolution of a stage.
        head: what the last maps become: their ``"max"`` or ``"average"``, or all of them (``"flatten"``).
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
        around = kernel // 2 if padding == "same" else 0
        self.standardise = Standardise([0.0] * channels, [1.0] * channels)
        layers: list[nn.Module] = []
        for stage, (a, b) in enumerate(itertools.pairwise([channels, *widths])):
            for i in range(convolutions):
                inputs, halve = (b, None) if i else (a, pool)
                layers.append(ConvBlock(inputs, b, kernel, around, activation, norm, halve))
                size = [(s + 2 * around - kernel + 1) // (2 if halve else 1) for s in size]
                if min(size) < 1:
                    raise ParameterError(
                        f"pictures of {shape[1]} x {shape[2]} pixels are too small for {len(widths)} stages of "
                        f"{convolutions} convolutions with kernel {kernel}: nothing is left in stage {stage + 1}; "
                        "take fewer widths, or a larger image_size."
                    )
        self.features = nn.Sequential(*layers)
        self.head = Head(head, widths[-1], size, hidden, n_outputs, activation, dropout)
        self._initialise(activation, output_bias)

    def _initialise(self, activation: str, output_bias: Tensor | None) -> None:
        initialise(self, activation_named(activation).init)
        last = self.head.linears[-1]
        with torch.no_grad():
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]
            if output_bias is not None:
                last.bias.copy_(output_bias)  # type: ignore[operator, union-attr]

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
        first = channels * (size[0] * size[1] if kind == "flatten" else 1)
        sizes = list(itertools.pairwise([first, *hidden]))
        self.kind = kind
        self.linears = nn.ModuleList(nn.Linear(a, b * f.pieces) for a, b in sizes)
        self.linears.append(nn.Linear(sizes[-1][1] if sizes else first, n_outputs))
        self.activations = nn.ModuleList(f.module() for _ in hidden)
        self.drop = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, k)."""
        if self.kind == "flatten":
            x = x.flatten(1)
        else:
            x = x.amax((2, 3)) if self.kind == "max" else x.mean((2, 3))
        for linear, f in zip(self.linears, self.activations):
            x = f(linear(self.drop(x)))
        return self.linears[-1](self.drop(x))
