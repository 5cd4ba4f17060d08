"""Convolutions: with padding that means what the textbooks say, depthwise separable, transposed to an exact size.

A convolution slides a kernel over a map and sums the products over all input channels; the kernel is not flipped
(a cross-correlation, as in all of the field). Shapes: n pictures, c channels, h x w places; k kernel, s stride,
d dilation; ``d (k - 1) + 1`` is what a kernel covers.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number

Pair = int | tuple[int, int]


def each(value: Any, axes: int) -> tuple[int, ...]:
    """One number per axis.

    >>> each(3, 2), each((1, 2), 2)
    ((3, 3), (1, 2))
    """
    many = tuple(value) if isinstance(value, tuple | list) else (value,)
    return many * axes if len(many) == 1 else many


def sides(padding: Any, kernel: Any, dilation: Any) -> list[tuple[int, int]]:
    """Zeros before and after, per axis; with ``"same"`` ``d (k - 1)`` in all, an odd one behind.

    >>> sides("same", (3, 4), (1, 1))
    [(1, 1), (1, 2)]
    """
    if padding == "same":
        return [(d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2) for k, d in zip(kernel, dilation)]
    many = each(0 if padding == "valid" else padding, len(kernel))
    return [(p, p) for p in many]


class UnevenConv2d(nn.Conv2d):
    """A convolution with one zero more behind than before, as "same" padding of an even kernel needs it.

    >>> UnevenConv2d(1, 1, 2, stride=2, around=(0, 1, 0, 1))(torch.zeros(1, 1, 5, 5)).shape[2:]
    torch.Size([3, 3])
    """

    def __init__(self, *args: Any, around: tuple[int, int, int, int], **options: Any) -> None:
        super().__init__(*args, **options)
        self.around = around  # left, right, above, below

    def forward(self, x: Tensor) -> Tensor:
        """(n, in, h, w) -> (n, out, h', w')."""
        return super().forward(F.pad(x, self.around))

    def extra_repr(self) -> str:
        """With the zeros around the picture."""
        return f"{super().extra_repr()}, around={self.around}"


class Conv1x1(nn.Conv2d):
    """A 1x1 convolution that steps over places, as one over the places that it meets.

    The sums are the same. oneDNN's gradient of the weight for the strided form writes beyond its memory on processors
    with AVX2 where channels are last and their number is no multiple of 8 (torch 2.13; it ends the process).

    >>> Conv1x1(2, 3, 1, stride=2)(torch.zeros(1, 2, 5, 5)).shape
    torch.Size([1, 3, 3, 3])
    """

    def forward(self, x: Tensor) -> Tensor:
        """(n, in, h, w) -> (n, out, h', w')."""
        met = F.avg_pool2d(
            x, 1, self.stride
        )  # each the mean of itself: a step that receptive fields are told by
        return F.conv2d(met, self.weight, self.bias, groups=self.groups)


def conv(
    inputs: int, outputs: int, kernel: Pair, stride: Pair = 1,
    padding: Literal["same", "valid"] | Pair = "same", dilation: Pair = 1, groups: int = 1, bias: bool = True,
) -> nn.Conv2d:  # fmt: skip
    """A convolution ``z_o = b + sum_k W_k x_(s o + d k - p)``, summed over the channels of its group.

    The size becomes ``floor((n + padding - d (k - 1) - 1) / s) + 1``: ``floor((n - d (k - 1) - 1) / s) + 1`` with
    "valid" padding, which is none, and ``ceil(n / s)`` with "same": ``d (k - 1)`` zeros, half of them on either
    side (Dumoulin and Visin 2016, arXiv:1603.07285). "Same" padding thus keeps the size at stride 1 only. The zeros
    do not depend on the size, so that every output lies over the same place in pictures of all sizes; TensorFlow
    leaves out those that a stride skips, which moves the outputs by a part of the stride.

    Arguments:
        inputs: channels of the input.
        outputs: channels of the output, that is the number of kernels.
        kernel: size of the kernel in places, one number or (height, width); so are stride and dilation.
        stride: places between neighbouring outputs.
        padding: "same", "valid", or zeros on every side.
        dilation: places between neighbouring entries of the kernel.
        groups: parts into which the channels are cut, each with kernels of its own.
        bias: whether a number is added per output channel.

    Raises ``ParameterError`` for numbers that no convolution has.

    >>> conv(3, 8, 5, stride=2)(torch.zeros(1, 3, 7, 10)).shape
    torch.Size([1, 8, 4, 5])
    """
    for what, value in {"inputs": inputs, "outputs": outputs, "groups": groups}.items():
        number(f"a convolution's {what}", value, AtLeast(1), whole=True)
    k, s, d = (_pair(*part) for part in (("kernel", kernel), ("stride", stride), ("dilation", dilation)))
    if inputs % groups or outputs % groups:
        raise ParameterError(
            f"a convolution's groups must divide its channels, got {groups} groups for {inputs} inputs and {outputs} "
            "outputs; take a number that divides both."
        )
    if isinstance(padding, str) and padding not in ("same", "valid"):
        raise ParameterError(unknown_name("padding", padding, ["same", "valid"]))
    if not isinstance(padding, str):
        padding = _pair("padding", padding, least=0)
    around = sides(padding, k, d)
    options: dict[str, Any] = {"stride": s, "dilation": d, "groups": groups, "bias": bias}
    if k == (1, 1) and s != (1, 1) and set(around) == {(0, 0)}:
        return Conv1x1(inputs, outputs, k, **options)
    if all(before == after for before, after in around):
        return nn.Conv2d(inputs, outputs, k, padding=tuple(before for before, _ in around), **options)
    return UnevenConv2d(inputs, outputs, k, around=(*around[1], *around[0]), **options)


def _pair(what: str, value: Any, least: int = 1) -> tuple[int, int]:
    pair = each(value, 2)
    if len(pair) != 2:
        raise ParameterError(
            f"a convolution's {what} must be one number or (height, width), got {value!r}; give such a one."
        )
    for part in pair:
        number(f"a convolution's {what}", part, AtLeast(least), whole=True)
    return pair  # type: ignore[return-value]


def separable(
    inputs: int, outputs: int, kernel: Pair, stride: Pair = 1,
    padding: Literal["same", "valid"] | Pair = "same", dilation: Pair = 1, bias: bool = True,
) -> nn.Sequential:  # fmt: skip
    """A depthwise separable convolution: one kernel per channel, then a 1x1 convolution that mixes the channels.

    ``W_(o,i,k) = P_(o,i) D_(i,k)``: of all convolutions those whose kernels factorise so, with ``k^2 c + c c'``
    weights instead of ``k^2 c c'`` (Chollet 2017, arXiv:1610.02357). Arguments and errors as of ``conv``.

    >>> sum(p.numel() for p in separable(64, 128, 3, bias=False).parameters()), 3 * 3 * 64 * 128
    (8768, 73728)
    """
    depthwise = conv(inputs, inputs, kernel, stride, padding, dilation, groups=inputs, bias=False)
    return nn.Sequential(depthwise, conv(inputs, outputs, 1, bias=bias))


class Up(nn.ConvTranspose2d):
    """A transposed convolution: the adjoint of ``conv(outputs, inputs, kernel, stride)`` with "same" padding.

    ``<conv(y), x> = <y, up(x)>`` without the biases, with one weight tensor in both (Dumoulin and Visin 2016,
    arXiv:1603.07285, chapter 4). It gives a map its former size back, not its former values: it is no inverse.
    From n places come ``s n``, or, if asked for, any size that such a convolution makes n of: more than s (n - 1).
    Uneven counts of contributions leave a chequered pattern unless the stride divides the kernel (Odena et al. 2016,
    Distill).

    Arguments:
        inputs: channels of the input.
        outputs: channels of the output.
        kernel: size of the kernel in places; at least the stride, or places are left empty.
        stride: how many times larger the map becomes.
        bias: whether a number is added per output channel.

    Raises ``ParameterError`` for numbers that no convolution has, ``DataError`` for a size that cannot come out.

    >>> up = Up(8, 4, kernel=2, stride=2)
    >>> up(torch.zeros(1, 8, 3, 3)).shape[2:], up(torch.zeros(1, 8, 3, 3), (5, 6)).shape[2:]
    (torch.Size([6, 6]), torch.Size([5, 6]))
    """

    def __init__(self, inputs: int, outputs: int, kernel: Pair, stride: Pair = 2, bias: bool = True) -> None:
        for what, value in {"inputs": inputs, "outputs": outputs}.items():
            number(f"a convolution's {what}", value, AtLeast(1), whole=True)
        k, s = _pair("kernel", kernel), _pair("stride", stride)
        if any(a < b for a, b in zip(k, s)):
            raise ParameterError(
                f"a transposed convolution of kernel {kernel} and stride {stride} would leave places empty; "
                "take a kernel of at least the stride."
            )
        before = tuple(p for p, _ in sides("same", k, (1, 1)))
        super().__init__(inputs, outputs, k, s, before, bias=bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, output_size: Any = None) -> Tensor:
        """(n, in, h, w) -> (n, out, s h, s w), or (n, out, *output_size)."""
        most = [s * n for s, n in zip(self.stride, x.shape[2:])]
        size = most if output_size is None else [int(n) for n in output_size]
        least = [m - s + 1 for m, s in zip(most, self.stride)]
        if len(size) != 2 or not all(a <= n <= b for a, n, b in zip(least, size, most)):
            raise DataError(
                f"a transposed convolution of stride {self.stride[0]}x{self.stride[1]} makes maps from "
                f"{least[0]}x{least[1]} to {most[0]}x{most[1]} of a {x.shape[2]}x{x.shape[3]} one, got "
                f"{'x'.join(map(str, size))}; ask for a size in between."
            )
        shape = zip(size, x.shape[2:], self.stride, self.kernel_size, self.padding)
        lacking = [n - ((m - 1) * s + k - 2 * int(p)) for n, m, s, k, p in shape]
        added = [max(0, n) for n in lacking]
        out = F.conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding, added)  # type: ignore[arg-type]
        return out[..., : size[0], : size[1]] if min(lacking) < 0 else out


@torch.no_grad()
def dirac_(layer: nn.Conv2d) -> nn.Conv2d:
    """Start a convolution with kernels that pass channels on unchanged: ``W_(i,i,centre) = 1``, else 0.

    In each group the first outputs take one input channel each; outputs beyond the inputs keep their start. With
    "same" padding at stride 1 these outputs equal the inputs, so that a deep stack begins as a shallow one
    (Zagoruyko and Komodakis 2017, arXiv:1706.00388). Returns the layer.

    >>> x = torch.randn(1, 2, 4, 4)
    >>> torch.equal(dirac_(conv(2, 3, 3, bias=False))(x)[:, :2], x)
    True
    """
    first, inputs = layer.out_channels // layer.groups, layer.in_channels // layer.groups
    weight = layer.weight.view(layer.groups, first, inputs, *layer.kernel_size)
    kept = range(min(first, inputs))
    weight[:, : len(kept)] = 0
    high, wide = ((k - 1) // 2 for k in layer.kernel_size)
    weight[:, kept, kept, high, wide] = 1
    return layer
