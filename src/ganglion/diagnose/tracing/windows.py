"""The chain rule of convolutions and poolings in any number of dimensions, from the formula.

All of them slide a window: kernel place k (an offset per axis) meets the input entries ``k d + s o`` for all output
places o. So each rule is a sum over kernel places, with one strided slice per place.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.diagnose.tracing.rules import Gradients, NoFormula, rule
from ganglion.nn.convolution import each, sides

Slices = tuple[Any, ...]


def places(kernel: Any, stride: Any, dilation: Any, outputs: Any) -> Iterator[tuple[tuple[int, ...], Slices]]:
    """Every kernel place with the slices of the input that it meets."""
    for k in itertools.product(*map(range, kernel)):
        yield k, (
            ...,
            *(
                slice(i * d, i * d + s * (o - 1) + 1, s)
                for i, d, s, o in zip(k, dilation, stride, outputs)
            ),
        )  # fmt: skip


def at(place: Any) -> Slices:
    """An index on the last axes."""
    return (..., *place)


def pad(x: Tensor, around: list[tuple[int, int]], value: float = 0.0) -> Tensor:
    """x with a border on its last axes."""
    return F.pad(x, [n for pair in reversed(around) for n in pair], value=value)


def inside(shape: Any, around: list[tuple[int, int]]) -> Slices:
    """The slices that take the border away again."""
    return (..., *(slice(a, a + n) for n, (a, _) in zip(shape[-len(around) :], around)))


def grouped(x: Tensor, groups: int, axes: int) -> Tensor:
    """(N, channels, ...) or (channels, ...) -> (N, groups, channels / groups, ...)."""
    x = x if x.dim() == axes + 2 else x[None]
    return x.reshape(len(x), groups, -1, *x.shape[2:])


@rule("conv1d", "conv2d", "conv3d")
def convolution(
    g: Tensor, out: Tensor, input: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Gradients:  # fmt: skip
    """z_o = sum_k W_k x_(s o + d k) + b:  dL/dx_(s o + d k) += W_k^T dL/dz_o,  dL/dW_k = sum_o dL/dz_o x^T."""
    kernel = weight.shape[2:]
    axes = len(kernel)
    stride, dilation = each(stride, axes), each(dilation, axes)
    around = sides(padding, kernel, dilation)
    x = grouped(pad(input, around), groups, axes)
    slope = grouped(g, groups, axes)
    w = weight.reshape(groups, -1, *weight.shape[1:])  # (groups, outputs, inputs, kernel ...)
    to_x, to_w = torch.zeros_like(x), torch.zeros_like(w)
    for k, met in places(kernel, stride, dilation, slope.shape[3:]):
        to_x[met] += torch.einsum("ngo...,goi->ngi...", slope, w[at(k)])
        to_w[at(k)] = torch.einsum("ngox,ngix->goi", slope.flatten(3), x[met].flatten(3))
    whole = to_x.reshape(input.shape[: input.dim() - axes] + to_x.shape[3:])
    return {"input": whole[inside(input.shape, around)], "weight": to_w.reshape(weight.shape),
            "bias": slope.transpose(0, 2).flatten(2).sum(2).t().flatten()}  # fmt: skip


@rule("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed(
    g: Tensor, out: Tensor, input: Tensor, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Gradients:  # fmt: skip
    """z_(s i + d k) += W_k^T x_i:  dL/dx_i = sum_k W_k dL/dz_(s i + d k),  dL/dW_k = sum_i x_i dL/dz^T."""
    kernel = weight.shape[2:]
    axes = len(kernel)
    stride, dilation = each(stride, axes), each(dilation, axes)
    around = sides(padding, kernel, dilation)
    x, slope = grouped(input, groups, axes), grouped(pad(g, around), groups, axes)
    sizes = [d * (k - 1) + s * (n - 1) + 1 for d, k, s, n in zip(dilation, kernel, stride, x.shape[3:])]
    lacking = [(0, max(0, size - have)) for size, have in zip(sizes, slope.shape[3:])]
    slope = pad(slope, lacking)
    w = weight.reshape(groups, -1, *weight.shape[1:])  # (groups, inputs, outputs, kernel ...)
    to_x, to_w = torch.zeros_like(x), torch.zeros_like(w)
    for k, met in places(kernel, stride, dilation, x.shape[3:]):
        to_x += torch.einsum("ngo...,gio->ngi...", slope[met], w[at(k)])
        to_w[at(k)] = torch.einsum("ngix,ngox->gio", x.flatten(3), slope[met].flatten(3))
    summed = grouped(g, groups, axes).transpose(0, 2).flatten(2).sum(2).t().flatten()
    return {"input": to_x.reshape(input.shape), "weight": to_w.reshape(weight.shape), "bias": summed}


@rule("avg_pool1d", "avg_pool2d", "avg_pool3d")
def average_pool(
    g: Tensor, out: Tensor, input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Any = None, *, axes: int,
) -> Gradients:  # fmt: skip
    """h_o = mean of its window:  every entry of the window gets dL/dh_o / (size of the window)."""
    kernel = each(kernel_size, axes)
    step = each(kernel_size if stride in (None, ()) else stride, axes)
    around = sides(padding, kernel, (1,) * axes)
    if ceil_mode or (divisor_override is None and not count_include_pad and any(map(any, around))):
        raise NoFormula
    size = divisor_override or torch.Size(kernel).numel()
    whole = torch.zeros_like(pad(input, around))
    for _, met in places(kernel, step, (1,) * axes, g.shape[-axes:]):
        whole[met] += g / size
    return {"input": whole[inside(input.shape, around)]}


@rule("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def adaptive_average(g: Tensor, out: Tensor, input: Tensor, output_size: Any, *, axes: int) -> Gradients:
    """h_o = mean over entries floor(o n / m) .. ceil((o + 1) n / m):  each of them gets dL/dh_o / their number."""
    to_x = torch.zeros_like(input)
    n, m = input.shape[-axes:], g.shape[-axes:]
    for o in itertools.product(*map(range, m)):
        window = tuple(slice(i * b // c, -(-(i + 1) * b // c)) for i, b, c in zip(o, n, m))
        part = to_x[at(window)]
        size = torch.Size(part.shape[-axes:]).numel()
        part += (g[at(o)] / size).reshape(*g.shape[:-axes], *[1] * axes)
    return {"input": to_x}


@rule("max_pool1d", "max_pool2d", "max_pool3d")
def max_pool(g: Tensor, out: Any, input: Tensor, *how: Any, axes: int, **options: Any) -> Gradients:
    """h_o = max of its window:  the largest entry gets dL/dh_o, the others nothing."""
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[axes - 1]
    return {
        "input": to_largest(g, input, pool(input, *how[:5], **{**options, "return_indices": True})[1], axes)
    }


@rule("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max(
    g: Tensor, out: Any, input: Tensor, output_size: Any, return_indices: bool = False, *, axes: int
) -> Gradients:
    """h_o = max of its window:  the largest entry gets dL/dh_o, the others nothing."""
    pool = (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)[axes - 1]
    return {"input": to_largest(g, input, pool(input, output_size, True)[1], axes)}


def to_largest(g: Tensor, input: Tensor, chosen: Tensor, axes: int) -> Tensor:
    """Each g sent to the entry that its window chose (its place in the flattened last axes)."""
    flat = torch.zeros_like(input).flatten(-axes)
    return flat.scatter_add_(-1, chosen.flatten(-axes), g.flatten(-axes)).reshape(input.shape)
