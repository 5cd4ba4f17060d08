"""The chain rule of normalisations: batch, instance, layer, group and RMS, all from one formula.

``y = gamma x^ + beta`` with ``x^ = (x - mean) / sqrt(var + eps)``, mean and variance over some axes. With
``d = gamma dL/dy``: ``dL/dx = (d - mean(d) - x^ mean(d x^)) / sqrt(var + eps)``, the means over the same axes
(Ioffe and Szegedy 2015, arXiv:1502.03167): mean and variance depend on x too, and that is what the two means take
away.
"""

from typing import Any

import torch
from torch import Tensor

from ganglion.diagnose.tracing.rules import Gradients, fold, rule


def normalised(x: Tensor, axes: Any, eps: float, centred: bool = True) -> tuple[Tensor, Tensor]:
    """x^ and 1 / sqrt(var + eps) over ``axes``."""
    centre = x - x.mean(axes, keepdim=True) if centred else x
    scale = torch.rsqrt((centre * centre).mean(axes, keepdim=True) + eps)
    return centre * scale, scale


def through(d: Tensor, hat: Tensor, scale: Tensor, axes: Any, centred: bool = True) -> Tensor:
    """dL/dx from d = dL/dx^, where mean and variance were taken from x itself."""
    rest = d - hat * (d * hat).mean(axes, keepdim=True)
    return scale * (rest - d.mean(axes, keepdim=True) if centred else rest)


def per_channel(weight: Any, x: Tensor) -> Any:
    """A channel's factor (C,) in the shape that meets x (N, C, ...)."""
    return 1.0 if weight is None else weight.reshape(1, -1, *[1] * (x.dim() - 2))


def channel_sum(t: Tensor) -> Tensor:
    """The sum over everything but the channels (N, C, ...) -> (C,)."""
    return t.transpose(0, 1).flatten(1).sum(1)


@rule("batch_norm")
def batch_norm(
    g: Tensor, out: Tensor, input: Tensor, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Gradients:  # fmt: skip
    """y = gamma x^ + beta:  dL/dx = (d - mean d - x^ mean(d x^)) / s with d = gamma dL/dy; d / s with fixed s."""
    axes = [0, *range(2, input.dim())]
    d = g * per_channel(weight, input)
    if training or running_mean is None:
        hat, scale = normalised(input, axes, eps)
        to_x = through(d, hat, scale, axes)
    else:
        scale = torch.rsqrt(per_channel(running_var, input) + eps)
        hat = (input - per_channel(running_mean, input)) * scale
        to_x = d * scale
    return {"input": to_x, "weight": channel_sum(g * hat), "bias": channel_sum(g)}


@rule("instance_norm")
def instance_norm(
    g: Tensor, out: Tensor, input: Tensor, running_mean: Any = None, running_var: Any = None, weight: Any = None,
    bias: Any = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Gradients:  # fmt: skip
    """y = gamma x^ + beta per example and channel:  dL/dx = (d - mean d - x^ mean(d x^)) / s."""
    if not use_input_stats:
        return batch_norm(g, out, input, running_mean, running_var, weight, bias, False, momentum, eps)
    axes = list(range(2, input.dim()))
    hat, scale = normalised(input, axes, eps)
    to_x = through(g * per_channel(weight, input), hat, scale, axes)
    return {"input": to_x, "weight": channel_sum(g * hat), "bias": channel_sum(g)}


@rule("group_norm")
def group_norm(
    g: Tensor,
    out: Tensor,
    input: Tensor,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Gradients:
    """y = gamma x^ + beta per example and group:  dL/dx = (d - mean d - x^ mean(d x^)) / s."""
    shape = (len(input), num_groups, -1)
    hat, scale = normalised(input.reshape(shape), [2], eps)
    d = (g * per_channel(weight, input)).reshape(shape)
    to_x = through(d, hat, scale, [2]).reshape(input.shape)
    return {"input": to_x, "weight": channel_sum(g * hat.reshape(input.shape)), "bias": channel_sum(g)}


@rule("layer_norm")
def layer_norm(
    g: Tensor, out: Tensor, input: Tensor, normalized_shape: Any, weight: Any = None, bias: Any = None,
    eps: float = 1e-5,
) -> Gradients:  # fmt: skip
    """y = gamma x^ + beta per example:  dL/dx = (d - mean d - x^ mean(d x^)) / s with d = gamma dL/dy."""
    axes = list(range(input.dim() - len(normalized_shape), input.dim()))
    hat, scale = normalised(input, axes, eps)
    to_x = through(g if weight is None else g * weight, hat, scale, axes)
    return {"input": to_x, "weight": fold(g * hat, weight), "bias": fold(g, bias)}


@rule("rms_norm")
def rms_norm(
    g: Tensor, out: Tensor, input: Tensor, normalized_shape: Any, weight: Any = None, eps: Any = None
) -> Gradients:
    """y = gamma x / rms(x):  dL/dx = (d - x^ mean(d x^)) / rms with d = gamma dL/dy."""
    axes = list(range(input.dim() - len(normalized_shape), input.dim()))
    small = torch.finfo(input.dtype).eps if eps is None else eps
    hat, scale = normalised(input, axes, small, centred=False)
    to_x = through(g if weight is None else g * weight, hat, scale, axes, centred=False)
    return {"input": to_x, "weight": fold(g * hat, weight)}
