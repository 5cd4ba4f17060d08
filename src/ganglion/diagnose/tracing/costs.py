"""The chain rule of losses: dL/d(output) from the output and the target."""

import math
from typing import Any

import torch
from torch import Tensor

from ganglion.diagnose.tracing.rules import Gradients, NoFormula, fold, rule


def each_of(g: Tensor, like: Tensor, reduction: str) -> Tensor:
    """What arrives at the loss of each entry, when they were summed, averaged or left alone."""
    if reduction == "none":
        return g
    return (g / like.numel() if reduction == "mean" else g).expand(like.shape)


def plain(*old: Any) -> None:
    """Refuse options that torch itself has given up, and weights."""
    if any(option is not None for option in old):
        raise NoFormula


@rule("mse_loss")
def squared(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", weight: Any = None,
) -> Gradients:  # fmt: skip
    """l = (y^ - y)^2:  dl/dy^ = 2 (y^ - y)."""
    plain(size_average, reduce, weight)
    gap = input - target
    slope = 2 * gap * each_of(g, gap, reduction)
    return {"input": fold(slope, input), "target": fold(-slope, target)}


@rule("l1_loss")
def absolute(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", weight: Any = None,
) -> Gradients:  # fmt: skip
    """l = |y^ - y|:  dl/dy^ = sign(y^ - y)."""
    plain(size_average, reduce, weight)
    gap = input - target
    slope = gap.sign() * each_of(g, gap, reduction)
    return {"input": fold(slope, input), "target": fold(-slope, target)}


@rule("huber_loss")
def huber(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
    weight: Any = None,
) -> Gradients:  # fmt: skip
    """l = gap^2 / 2 near, delta (|gap| - delta / 2) far:  dl/dy^ = the gap, cut at delta (Huber 1964)."""
    plain(weight)
    gap = input - target
    slope = gap.clamp(-delta, delta) * each_of(g, gap, reduction)
    return {"input": fold(slope, input), "target": fold(-slope, target)}


@rule("smooth_l1_loss")
def smooth(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Gradients:  # fmt: skip
    """l = gap^2 / (2 beta) near, |gap| - beta / 2 far:  dl/dy^ = gap / beta, cut at 1."""
    plain(size_average, reduce)
    gap = input - target
    near = (gap / beta).clamp(-1, 1) if beta else gap.sign()
    slope = near * each_of(g, gap, reduction)
    return {"input": fold(slope, input), "target": fold(-slope, target)}


@rule("binary_cross_entropy_with_logits")
def logistic(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean", pos_weight: Any = None,
) -> Gradients:  # fmt: skip
    """l = -y log p - (1 - y) log(1 - p), p = sigmoid(z):  dl/dz = p - y."""
    plain(size_average, reduce, weight, pos_weight)
    at = each_of(g, input, reduction)
    return {"input": (torch.sigmoid(input) - target) * at, "target": -input * at}


@rule("binary_cross_entropy")
def bernoulli(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None,
    reduce: Any = None, reduction: str = "mean",
) -> Gradients:  # fmt: skip
    """l = -y log p - (1 - y) log(1 - p):  dl/dp = (p - y) / (p (1 - p))."""
    plain(size_average, reduce, weight)
    at = each_of(g, input, reduction)
    return {"input": (input - target) / (input * (1 - input)).clamp(min=1e-12) * at,
            "target": (torch.log1p(-input).clamp(min=-100) - input.log().clamp(min=-100)) * at}  # fmt: skip


@rule("kl_div")
def divergence(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, size_average: Any = None, reduce: Any = None,
    reduction: str = "mean", log_target: bool = False,
) -> Gradients:  # fmt: skip
    """l = y (log y - z), z a log-probability:  dl/dz = -y."""
    plain(size_average, reduce)
    if log_target or target.requires_grad:
        raise NoFormula
    at = g / len(input) * torch.ones_like(input) if reduction == "batchmean" else each_of(g, input, reduction)
    return {"input": fold(-target * at, input)}


@rule("cross_entropy")
def cross_entropy(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None,
    ignore_index: int = -100, reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Gradients:  # fmt: skip
    """l = -sum q log softmax(z):  dl/dz = softmax(z) - q, q one at the true class (smoothed: s/k more for all)."""
    plain(size_average, reduce, weight)
    axis = 0 if input.dim() == 1 else 1
    k = input.shape[axis]
    if target.is_floating_point():
        q, counted = target, torch.ones_like(target.sum(axis))
    else:
        counted = (target != ignore_index).to(input.dtype)
        codes = target.where(target != ignore_index, 0)
        q = torch.zeros_like(input).scatter_(axis, codes.unsqueeze(axis), 1.0)
    q = q * (1 - label_smoothing) + label_smoothing / k
    at = g.expand(counted.shape) if reduction != "mean" else g / counted.sum() * torch.ones_like(counted)
    p = torch.softmax(input, axis)
    mass = q.sum(axis, keepdim=True)
    to_q = -torch.log_softmax(input, axis) * at.unsqueeze(axis) * (1 - label_smoothing)
    return {"input": (p * mass - q) * (at * counted).unsqueeze(axis),
            "target": to_q if target.is_floating_point() else None}  # fmt: skip


@rule("nll_loss")
def picked(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, weight: Any = None, size_average: Any = None,
    ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
) -> Gradients:  # fmt: skip
    """l = -z[y], z a log-probability:  dl/dz = -1 at the true class."""
    plain(size_average, reduce, weight)
    if input.dim() < 2:
        raise NoFormula
    counted = (target != ignore_index).to(input.dtype)
    at = g.expand(counted.shape) if reduction != "mean" else g / counted.sum() * torch.ones_like(counted)
    codes = target.where(target != ignore_index, 0).unsqueeze(1)
    return {"input": torch.zeros_like(input).scatter_(1, codes, -(at * counted).unsqueeze(1))}


@rule("gaussian_nll_loss")
def gaussian(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, var: Tensor, full: bool = False, eps: float = 1e-6,
    reduction: str = "mean",
) -> Gradients:  # fmt: skip
    """l = (log v + gap^2 / v) / 2:  dl/dy^ = gap / v,  dl/dv = (1 - gap^2 / v) / (2 v)."""
    if not isinstance(var, Tensor) or var.shape != input.shape:
        raise NoFormula
    v, gap = var.clamp(min=eps), input - target
    at = each_of(g, gap, reduction)
    slope = gap / v * at
    return {"input": slope, "target": -slope, "var": (1 - gap * gap / v) / (2 * v) * at}


@rule("poisson_nll_loss")
def poisson(
    g: Tensor, out: Tensor, input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
    size_average: Any = None, eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
) -> Gradients:  # fmt: skip
    """l = e^z - y z:  dl/dz = e^z - y."""
    plain(size_average, reduce)
    if not log_input or full or math.isinf(float(input.max())):
        raise NoFormula
    return {"input": (input.exp() - target) * each_of(g, input, reduction)}
