"""Residual networks for pictures: 6n + 2 layers in three stages for small ones, 18 to 152 in four for large ones."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.models.cnn import Head
from ganglion.nn.activations import activation_named
from ganglion.nn.convolution import conv
from ganglion.nn.init import initialise
from ganglion.nn.noise import DropPath
from ganglion.nn.norms import norm_named
from ganglion.nn.pictures import Standardise

Block = Literal["basic", "bottleneck"]
LARGE: dict[int, tuple[Block, tuple[int, ...]]] = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}
"""Depth -> block and blocks of each stage, for pictures of some hundred pixels (He et al. 2015, table 1)."""
LAYERS_PER_N = {"basic": 6, "bottleneck": 9}  # of small networks: three stages of n blocks
EXPANSION = {"basic": 1, "bottleneck": 4}  # a block's outputs for each channel inside
SMALL_UP_TO = 64  # pixels of the shorter side that the small stem is for
DEEPEST = 1202  # of He et al. 2015
HALVED = {
    False: 1,
    True: 4,
}  # times that a picture is halved before the last time, by the small and the large form


@dataclass(frozen=True)
class Parts:
    """What blocks are made of: a module for a norm of k channels (if there is one), and one for an activation."""

    norm: Callable[[int], nn.Module] | None
    activation: Callable[[], nn.Module]

    @classmethod
    def named(cls, activation: str, norm: str | None) -> "Parts":
        """From names in ``nn.activations`` and ``nn.norms``; raises ``ParameterError`` for those not made for maps."""
        f, after = activation_named(activation), norm_named(norm).after
        if f.pieces > 1:
            raise ParameterError(
                f"residual blocks need an activation that keeps the number of channels, got {activation!r}; "
                "take 'relu'."
            )
        if norm is not None and (after is None or norm.startswith("rms")):
            raise ParameterError(
                f"residual blocks take a norm of channels, got {norm!r}; take 'batch', 'group', 'layer' or 'instance'."
            )
        return cls(None if after is None else lambda units: after(units, 2), f.module)

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
        """A convolution that keeps the size, or divides it by the stride; a norm beside it has the offset."""
        return conv(inputs, outputs, kernel, stride, bias=self.norm is None)

    def normed(self, units: int, *, active: bool = True) -> list[nn.Module]:
        """The norm, and the activation if ``active``."""
        return [*([self.norm(units)] if self.norm else []), *([self.activation()] if active else [])]


class ResidualBlock(nn.Module):
    """``f(s(x) + F(x))``: a branch F of convolutions that learns what is missing from the shortcut s.

    F is conv3-norm-f-conv3-norm (``"basic"``), or conv1-norm-f-conv3-norm-f-conv1-norm with a quarter of the outputs
    inside (``"bottleneck"``); s is the identity where the shape stays, else a 1x1 convolution and a norm (He et al.
    2015, arXiv:1512.03385). With ``pre_activation`` norm and activation stand before each convolution, and the sum is
    left alone: ``s(x) + F(x)`` (He et al. 2016, arXiv:1603.05027). A ``ResNet`` silences F at its start, so that a deep
    network starts as a shallow one (Goyal et al. 2017, arXiv:1706.02677). The stride of a
    bottleneck is that of its 3x3 convolution.

    Arguments:
        inputs: channels of x.
        width: channels of the convolutions inside; outputs are 4 times as many for ``"bottleneck"``.
        stride: 2 halves the map.
        block: ``"basic"`` or ``"bottleneck"``.
        parts: norm and activation.
        drop_path: probability that an example skips F in training.
        pre_activation: order of 2016.

    >>> block = ResidualBlock(4, 4, 1, "basic", Parts.named("relu", "batch"))
    >>> block.silence()
    >>> x = torch.rand(2, 4, 5, 5)
    >>> torch.equal(block(x), x)
    True
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        block: Block,
        parts: Parts,
        drop_path: float = 0.0,
        pre_activation: bool = False,
    ) -> None:
        super().__init__()
        outputs = width * EXPANSION[block]
        if block == "basic":
            convs = [parts.conv(inputs, width, 3, stride), parts.conv(width, width, 3)]
        else:
            convs = [
                parts.conv(inputs, width, 1),
                parts.conv(width, width, 3, stride),
                parts.conv(width, outputs, 1),
            ]
        layers: list[nn.Module] = []
        for one in convs:
            around = [] if pre_activation else parts.normed(one.out_channels, active=one is not convs[-1])
            between = parts.normed(one.in_channels) if pre_activation and layers else []
            layers += [*between, one, *around]
        self.before = nn.Sequential(*(parts.normed(inputs) if pre_activation else []))
        self.branch = nn.Sequential(*layers)
        self.drop_path = DropPath(drop_path)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut.append(parts.conv(inputs, outputs, 1, stride))
            self.shortcut.extend([] if pre_activation else parts.normed(outputs, active=False))
        self.activation = nn.Identity() if pre_activation else parts.activation()

    @torch.no_grad()
    def silence(self) -> None:
        """Let the branch give 0, by the weight of its last norm or convolution."""
        for p in self.branch[-1].parameters():
            nn.init.zeros_(p)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, h / stride, w / stride), sizes rounded up."""
        inner = self.before(x)
        skip = self.shortcut(inner) if len(self.shortcut) else x
        return self.activation(skip + self.drop_path(self.branch(inner)))


class ResNet(nn.Module):
    """A residual network: a stem, stages of residual blocks, the mean of the last maps, a dense layer.

    The small form (3x3 stem, three stages of n blocks, ``6 n + 2`` layers, ``9 n + 2`` with bottlenecks) is for
    pictures of about 32 pixels, the large one (7x7 stem with stride 2 and a pool, four stages) for those of about 224
    (He et al. 2015, arXiv:1512.03385). The first block of each later stage halves the map and doubles the channels.

    Arguments:
        shape: (channels, height, width) of a picture.
        n_outputs: logits.
        depth: layers with weights, shortcuts not counted; ``"auto"`` is 20 or 18.
        width: channels inside the first stage's blocks; ``"auto"`` is 32 or 64; published
            are 16 and 64, and from 32 on convolutions compute at full rate.
        block: ``"basic"``, ``"bottleneck"``, or ``"auto"``: the table's in the large form, basic in the small one.
        stem: ``"small"``, ``"large"`` (more than 64 pixels), or ``"auto"`` by the picture's shorter side.
        activation, norm: names in ``nn.activations`` and ``nn.norms``.
        pre_activation: norm and activation before each convolution.
        drop_path: probability that an example skips the last branch; it rises from 0 along the blocks.
        dropout: of the dense layer's inputs.
        output_bias: (n_outputs,) start of the dense layer's bias.

    Raises ``ParameterError`` for a depth that the form does not have, and for pictures that it halves to nothing.

    >>> ResNet((1, 28, 28), 10, depth=8, width=4)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        n_outputs: int,
        *,
        depth: int | Literal["auto"] = "auto",
        width: int | Literal["auto"] = "auto",
        block: Block | Literal["auto"] = "auto",
        stem: Literal["auto", "small", "large"] = "auto",
        activation: str = "relu",
        norm: str | None = "batch",
        pre_activation: bool = False,
        drop_path: float = 0.0,
        dropout: float = 0.0,
        output_bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        large = stem == "large" or (stem == "auto" and min(shape[1:]) > SMALL_UP_TO)
        kind, counts = blocks_of(depth, block, large)
        if min(shape[1:]) <= (least := 2 ** HALVED[large]):  # a map of one pixel cannot be halved
            raise ParameterError(
                f"pictures of {shape[1]} x {shape[2]} pixels are too small for a residual network of the "
                f"{'large' if large else 'small'} form, which needs more than {least}; give a larger image_size"
                f"{' or stem=' + repr('small') if large else ''}."
            )
        first: int = (64 if large else 32) if width == "auto" else width
        parts = Parts.named(activation, norm)
        self.standardise = Standardise([0.0] * shape[0], [1.0] * shape[0])
        self.stem = _stem(shape[0], first, large, parts, pre_activation)
        widths = [first * 2**i for i in range(len(counts))]
        inputs = [first, *(w * EXPANSION[kind] for w in widths)]
        shares = itertools.count()  # of drop_path, block by block
        self.stages = nn.Sequential()
        for stage, (n, inside) in enumerate(zip(counts, widths)):
            blocks = nn.Sequential()
            for i in range(n):
                p = drop_path * next(shares) / max(1, sum(counts) - 1)
                enters, stride = (inputs[stage], 1 + (stage > 0)) if i == 0 else (inputs[stage + 1], 1)
                blocks.append(ResidualBlock(enters, inside, stride, kind, parts, p, pre_activation))
            self.stages.append(blocks)
        self.last = nn.Sequential(*(parts.normed(inputs[-1]) if pre_activation else []))
        self.head = Head("average", inputs[-1], (1, 1), (), n_outputs, activation, dropout)
        self._initialise(activation, output_bias)

    def _initialise(self, activation: str, output_bias: Tensor | None) -> None:
        initialise(self, activation_named(activation).init)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.silence()
        self.head.start_from(output_bias)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w), whole numbers to 255 or floats to 1 -> (n, n_outputs)."""
        x = self.standardise(x).contiguous(memory_format=torch.channels_last)
        return self.head(self.last(self.stages(self.stem(x))))


def _stem(channels: int, width: int, large: bool, parts: Parts, bare: bool) -> nn.Sequential:
    """The layers before the first block; ``bare`` leaves norm and activation to the blocks."""
    conv = parts.conv(channels, width, *((7, 2) if large else (3, 1)))
    pool = [nn.MaxPool2d(3, 2, 1)] if large else []
    return nn.Sequential(conv, *([] if bare else parts.normed(width)), *pool)


def blocks_of(depth: int | str, block: str, large: bool) -> tuple[Block, tuple[int, ...]]:
    """The kind of block, and how many blocks each stage has; raises ``ParameterError``.

    >>> blocks_of(20, "auto", large=False), blocks_of(50, "auto", large=True)
    (('basic', (3, 3, 3)), ('bottleneck', (3, 4, 6, 3)))
    """
    if large:
        kind, counts = LARGE.get(18 if depth == "auto" else int(depth), ("", ()))
        if not counts or block not in ("auto", kind):
            table = "; ".join(f"{d}: {b}" for d, (b, _) in LARGE.items())
            raise ParameterError(
                f"a residual network for large pictures has one of the depths and blocks {table}; got depth={depth} "
                f"and block={block!r}: change them, or take stem='small' or a smaller image_size."
            )
        return kind, counts  # type: ignore[return-value]
    kind = "basic" if block == "auto" else block
    layers, depth = LAYERS_PER_N[kind], 20 if depth == "auto" else int(depth)
    n, rest = divmod(depth - 2, layers)
    if rest or n < 1 or depth > DEEPEST:
        n = min(max(n, 1), DEEPEST // layers - 1)
        near = [layers * k + 2 for k in (n, n + 1)]
        raise ParameterError(
            f"a residual network of {kind} blocks for small pictures has {layers}n + 2 layers, got depth={depth}; "
            f"take {near[0]} or {near[1]}."
        )
    return kind, (n, n, n)  # type: ignore[return-value]
