"""The capsule network: convolutions, capsules of parts, capsules of classes, and a decoder that draws one of them."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.models.cnn import ConvBlock
from ganglion.nn.activations import activation_named
from ganglion.nn.init import initialise
from ganglion.nn.pictures import Standardise
from ganglion.nn.routing import Capsules, squash

GRID = 6  # places a side that have primary capsules, as in the paper
LEAST = 3  # pixels a side of their kernel


class CapsuleNet(nn.Module):
    """Convolutions, primary capsules, class capsules, and a decoder that draws the picture from one of them.

    Sabour et al. 2017, arXiv:1710.09829. The length of a class capsule says whether the class is there, its direction
    how. Primary capsules stand at 6 x 6 places at most, whatever the picture's size: the kernel and stride of their
    convolution follow from it.

    Arguments:
        shape: (channels, height, width) of a picture.
        classes: how many.
        widths: channels of each stage of convolutions; between stages the map is halved.
        convolutions: of each stage, 3 x 3.
        types: primary capsules at each place.
        primary_size, class_size: numbers in a primary and in a class capsule.
        routing: iterations.
        decoder: units of the decoder's hidden layers.
        activation, norm: names in ``nn.activations`` and ``nn.norms``, of the convolutions.

    Raises ``ParameterError`` where a picture is too small.

    >>> net = CapsuleNet((1, 28, 28), 10, widths=(8,), types=2)
    >>> lengths, drawn = net(torch.zeros(2, 1, 28, 28))
    >>> lengths.shape, drawn.shape
    (torch.Size([2, 10]), torch.Size([2, 1, 28, 28]))
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        *,
        widths: Sequence[int] = (32, 64),
        convolutions: int = 2,
        types: int = 8,
        primary_size: int = 8,
        class_size: int = 16,
        routing: int = 3,
        decoder: Sequence[int] = (256, 512),
        activation: str = "relu",
        norm: str | None = "batch",
    ) -> None:
        super().__init__()
        channels, *sides = shape
        self.shape, self.primary_size = tuple(shape), primary_size
        self.standardise = Standardise([0.0] * channels, [1.0] * channels)
        self.features = nn.Sequential()
        for stage, outputs in enumerate(widths):
            for i in range(convolutions):
                halve = i == 0 and stage < len(widths) - 1
                self.features.append(
                    ConvBlock(channels, outputs, 3, "same", activation, norm, "max" if halve else None)
                )
                channels, sides = outputs, [side // 2 for side in sides] if halve else sides
        if min(sides) < LEAST:
            raise ParameterError(
                f"pictures of {shape[1]} x {shape[2]} pixels are too small for capsules behind {len(widths)} stages: a "
                f"map of at least {LEAST} x {LEAST} is expected, got {sides[0]} x {sides[1]}; take fewer widths, or a "
                "larger image_size."
            )
        strides = [max(1, side // GRID) for side in sides]
        places = [min(GRID, side - LEAST + 1) for side in sides]
        kernels = [side - stride * (n - 1) for side, stride, n in zip(sides, strides, places)]
        self.primary = nn.Conv2d(channels, types * primary_size, kernels, strides)  # type: ignore[arg-type]
        self.capsules = Capsules(places[0] * places[1] * types, primary_size, classes, class_size, routing)
        units = [classes * class_size, *decoder]
        hidden = [part for a, b in itertools.pairwise(units) for part in (nn.Linear(a, b), nn.ReLU())]
        self.decoder = nn.Sequential(*hidden, nn.Linear(units[-1], math.prod(shape)))
        initialise(self, activation_named(activation).init)
        with torch.no_grad():
            self.primary.weight.div_(
                primary_size**0.5
            )  # numbers of a length near 1 together, where squash is steep

    def encode(self, x: Tensor) -> Tensor:
        """Class capsules (n, classes, class_size) of pictures (n, c, h, w), whole numbers to 255 or floats to 1."""
        x = self.standardise(x).contiguous(memory_format=torch.channels_last)
        maps = single(self.primary(self.features(x)))
        u = squash(maps.permute(0, 2, 3, 1).reshape(len(x), -1, self.primary_size))
        return self.capsules(u)

    def draw(self, capsules: Tensor, share: Tensor) -> Tensor:
        """Pictures (n, c, h, w) in [0, 1] from class capsules, each times its share (n, classes)."""
        drawn = self.decoder((capsules * share.unsqueeze(2)).flatten(1))
        return torch.sigmoid(single(drawn)).view(-1, *self.shape)

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Lengths of the class capsules (n, classes), and the picture drawn from the longest, or from class y (n,)."""
        capsules = self.encode(x)
        lengths = capsules.norm(dim=2)
        one = nn.functional.one_hot(lengths.argmax(1) if y is None else y, lengths.shape[1])
        return lengths, self.draw(capsules, one.to(capsules.dtype))


def single(x: Tensor) -> Tensor:
    """In single precision at least.

    >>> single(torch.ones(1, dtype=torch.bfloat16)).dtype, single(torch.ones(1, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))
