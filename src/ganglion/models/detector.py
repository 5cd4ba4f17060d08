"""A one-stage detector without anchors: one map of class scores and box sides, as in CenterNet and TTFNet."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.base.errors import ParameterError
from ganglion.models.resnet import Parts, ResidualBlock
from ganglion.nn.activations import activation_named
from ganglion.nn.boxes import suppress
from ganglion.nn.convolution import conv
from ganglion.nn.init import initialise
from ganglion.nn.pictures import Standardise

PRIOR = 0.01  # probability of an object that every place starts with
LARGEST = 8.0  # of the exponent of a side, in units of the start: e^8 times the mean box is no box any more


class Detector(nn.Module):
    """Stages that halve the map, a way back up to ``stride``, and two heads at every place of that map.

    The scores say where objects of each class have their centres (Zhou et al. 2019, arXiv:1904.07850), the other
    four numbers how far the box reaches from the place to the left, up, right and down (Tian et al. 2019,
    arXiv:1904.01355), as logarithms in units of the mean side. One map is enough, and with it no rule is needed that
    gives objects to levels (Liu et al. 2020, arXiv:1909.00700). The score's bias starts at the log-odds of
    ``PRIOR``, so that the many empty places do not rule the first steps (Lin et al. 2017, arXiv:1708.02002).

    Arguments:
        shape: (channels, height, width) of a picture; sides of more than 2^len(widths), multiples of nothing.
        n_classes: kinds of objects.
        widths: channels of each stage; stage i works at stride 2^(i + 1).
        blocks: residual blocks of each stage from the second on; the first is one convolution.
        stride: pixels between the places of the map, 2 to 2^len(widths).
        side: mean side of a box in pixels, where the sides start.
        activation, norm: names in ``nn.activations`` and ``nn.norms``.

    Raises ``ParameterError`` for pictures that are too small.

    >>> Detector((3, 50, 70), 2, widths=(8, 8, 16), stride=4)(torch.zeros(1, 3, 50, 70)).shape
    torch.Size([1, 6, 13, 18])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_classes: int,
        *,
        widths: Sequence[int] = (16, 32, 64, 128, 128),
        blocks: int = 1,
        stride: int = 4,
        side: float = 32.0,
        activation: str = "gelu",
        norm: str | None = "batch",
    ) -> None:
        super().__init__()
        if min(shape[1:]) <= 2 ** len(widths):  # a map of one pixel has nothing to convolve
            raise ParameterError(
                f"pictures of {shape[1]} x {shape[2]} pixels are too small for {len(widths)} widths, which need more "
                f"than {2 ** len(widths)}; take fewer widths, or a larger image_size."
            )
        self.n_classes, self.stride, self.size = n_classes, stride, shape[1:]
        self.register_buffer("side", torch.tensor(float(side)))
        self.standardise = Standardise([0.0] * shape[0], [1.0] * shape[0])
        parts = Parts.named(activation, norm)
        self.stages = nn.ModuleList([_convolution(shape[0], widths[0], 2, parts)])
        for a, b in itertools.pairwise(widths):
            more = (ResidualBlock(b, b, 1, "basic", parts) for _ in range(blocks - 1))
            self.stages.append(nn.Sequential(ResidualBlock(a, b, 2, "basic", parts), *more))
        self.level = int(math.log2(stride)) - 1  # the stage whose map the heads work on
        wide = max(widths[self.level : self.level + 2])
        self.across = nn.ModuleList(conv(width, wide, 1) for width in widths[self.level :])
        self.mix = nn.ModuleList(_convolution(wide, wide, 1, parts) for _ in widths[self.level :])
        self.score, self.sides = (
            nn.Sequential(_convolution(wide, wide, 1, parts), conv(wide, outputs, 1))
            for outputs in (n_classes, 4)
        )
        self._initialise(activation)

    def _initialise(self, activation: str) -> None:
        initialise(self, activation_named(activation).init)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.silence()
        with torch.no_grad():
            for head, start in ((self.score, -math.log(1 / PRIOR - 1)), (self.sides, -math.log(2))):
                head[-1].weight.mul_(0.1)  # type: ignore[operator, union-attr]
                head[-1].bias.fill_(start)  # type: ignore[operator, union-attr]

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w), whole numbers to 255 or floats to 1 -> (n, n_classes + 4, h / stride, w / stride)."""
        x = self.standardise(x).contiguous(memory_format=torch.channels_last)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        maps = maps[self.level :]
        x = self.mix[-1](self.across[-1](maps[-1]))
        for i in reversed(range(len(maps) - 1)):
            height, width = maps[i].shape[2:]
            up = F.interpolate(x, scale_factor=2.0)[..., :height, :width]
            x = self.mix[i](self.across[i](maps[i]) + up)
        return torch.cat([self.score(x), self.sides(x)], 1)

    def boxes(self, output: Tensor) -> Tensor:
        """The box that each place speaks of, in pixels: (n, n_classes + 4, h, w) -> (n, h, w, 4).

        ``(x, y) -+ side e^o`` around the middle (x, y) of the place.
        """
        reach = self.side * output[:, self.n_classes :].float().clamp(max=LARGEST).exp()
        left, up, right, down = reach.unbind(1)
        x, y = (
            self.stride * (torch.arange(n, device=output.device) + 0.5) for n in output.shape[:1:-1]
        )  # (w,), (h,)
        y = y[:, None]
        return torch.stack([x - left, y - up, x + right, y + down], -1)

    def detect(self, output: Tensor, most: int, threshold: float) -> tuple[Tensor, Tensor, Tensor]:
        """The objects that an output speaks of: boxes (n, k, 4), labels (n, k), scores (n, k), best first.

        Places whose score is the highest of the 3 x 3 around them, the best ``most`` of those in all, then
        ``nn.boxes.suppress`` with ``threshold``. What is suppressed has score 0.
        """
        scores = output[:, : self.n_classes].float().sigmoid()
        peaks = torch.where(scores == F.max_pool2d(scores, 3, 1, 1), scores, 0)
        most = min(most, peaks[0].numel())
        found, place = peaks.flatten(1).topk(most, 1)
        places = peaks.shape[2] * peaks.shape[3]
        high, wide = self.size
        edges = torch.tensor([wide, high, wide, high], device=output.device, dtype=torch.float32)
        every = self.boxes(output).flatten(1, 2).clamp(min=0).minimum(edges)
        boxes = every.gather(1, (place % places)[..., None].expand(-1, -1, 4))
        labels = place // places
        stays = suppress(boxes, found, labels, threshold)
        found, order = torch.where(stays, found, 0).sort(dim=1, descending=True, stable=True)
        return boxes.gather(1, order[..., None].expand_as(boxes)), labels.gather(1, order), found


def _convolution(inputs: int, outputs: int, stride: int, parts: Parts) -> nn.Sequential:
    """``f(norm(W * x))``."""
    return nn.Sequential(parts.conv(inputs, outputs, 3, stride), *parts.normed(outputs))
