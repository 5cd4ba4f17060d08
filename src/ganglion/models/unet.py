"""U-Net: a class for every pixel, from a picture seen coarsely and finely at once."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.data.crops import mirrored
from ganglion.models.cnn import ConvBlock
from ganglion.nn.activations import activation_named
from ganglion.nn.convolution import Up, conv
from ganglion.nn.init import initialise
from ganglion.nn.pictures import Standardise

UPS = ("transposed", "nearest")
ACROSS = ("layer", "instance", "group")  # norms whose mean is taken over the whole map


class UNet(nn.Module):
    """An encoder that halves the map, a decoder that doubles it, and skips between maps of one size.

    ``d_l = blocks([up(d_(l+1)), e_l])`` with ``e_(l+1) = blocks(pool(e_l))`` (Ronneberger et al. 2015,
    arXiv:1505.04597). Unlike in the paper convolutions keep the map's size, so that the output has the picture's.
    A picture of any size is mirrored below and to the right up to the next multiple of the halvings, and what was
    added is cut off.

    Arguments:
        channels: of a picture.
        n_outputs: logits of a pixel.
        widths: channels of each level, the finest first; the map is halved between them.
        convolutions: in each block.
        kernel: height and width of the kernels.
        activation, norm: names in ``nn.activations`` and ``nn.norms``.
        up: ``"transposed"``, a transposed convolution of 2 x 2, or ``"nearest"``, repeated pixels and a convolution.
        skips: whether the decoder sees the encoder's maps of its own size.
        output_bias: (n_outputs,) start of the last bias.

    Raises ``ParameterError`` for an unknown ``up``.

    >>> UNet(1, 2, widths=(8, 16, 32))(torch.zeros(3, 1, 30, 41)).shape
    torch.Size([3, 2, 30, 41])
    """

    def __init__(
        self,
        channels: int,
        n_outputs: int,
        *,
        widths: Sequence[int] = (32, 64, 128, 256),
        convolutions: int = 2,
        kernel: int = 3,
        activation: str = "relu",
        norm: str | None = "batch",
        up: str = "transposed",
        skips: bool = True,
        output_bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        if up not in UPS:
            raise ParameterError(unknown_name("up", up, list(UPS)))

        def blocks(inputs: int, outputs: int) -> nn.Sequential:
            sizes = [inputs, *[outputs] * convolutions]
            made = (ConvBlock(a, b, kernel, "same", activation, norm) for a, b in itertools.pairwise(sizes))
            return nn.Sequential(*made)

        self.standardise = Standardise([0.0] * channels, [1.0] * channels)
        self.encoder = nn.ModuleList(blocks(a, b) for a, b in itertools.pairwise([channels, *widths]))
        levels = list(itertools.pairwise(widths))[::-1]
        self.ups = nn.ModuleList(_up(coarse, fine, kernel, up) for fine, coarse in levels)
        self.decoder = nn.ModuleList(blocks(fine * (1 + skips), fine) for fine, _ in levels)
        self.output = nn.Conv2d(widths[0], n_outputs, 1)
        self.skips, self.multiple = skips, 2 ** (len(widths) - 1)
        self.reach = _reach(len(widths), convolutions, kernel, up)
        self.local = norm is None or norm.partition("(")[0] not in ACROSS
        self._initialise(activation, output_bias)

    def _initialise(self, activation: str, output_bias: Tensor | None) -> None:
        initialise(self, activation_named(activation).init)
        for up in self.ups:  # no activation follows them
            layer = up if isinstance(up, Up) else up[1]  # type: ignore[index]
            # an entry of a transposed convolution's output sees one place of each channel
            inputs = layer.in_channels if isinstance(up, Up) else layer.weight[0].numel()
            nn.init.normal_(layer.weight, std=inputs**-0.5)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        with torch.no_grad():
            nn.init.zeros_(self.output.weight)
            if output_bias is not None:
                self.output.bias.copy_(output_bias)  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w), whole numbers to 255 or floats to 1 -> (n, n_outputs, h, w)."""
        height, width = x.shape[2:]
        x = mirrored(self.standardise(x), *(-side % self.multiple for side in (height, width)))
        x = x.contiguous(memory_format=torch.channels_last)
        seen = []
        for level, blocks in enumerate(self.encoder):
            x = blocks(nn.functional.max_pool2d(x, 2) if level else x)
            seen.append(x)
        for up, blocks, skip in zip(self.ups, self.decoder, seen[-2::-1]):
            x = up(x)
            x = blocks(torch.cat([skip, x], 1) if self.skips else x)
        return self.output(x)[..., :height, :width]


def _up(coarse: int, fine: int, kernel: int, kind: str) -> nn.Module:
    if kind == "transposed":
        return Up(coarse, fine, 2, 2)
    return nn.Sequential(nn.Upsample(scale_factor=2), conv(coarse, fine, kernel))


def _reach(levels: int, convolutions: int, kernel: int, up: str) -> int:
    """How many pixels away a pixel's logits look at most, to either side."""
    half, reach = kernel // 2, 0
    for level in range(levels):
        blocks = 1 if level == levels - 1 else 2
        reach += blocks * convolutions * half * 2**level  # its convolutions
        reach += 2**level if level < levels - 1 else 0  # the halving's partner
        reach += half * 2**level if up == "nearest" and level < levels - 1 else 0
    return reach
