"""Gradient clipping, by global norm, by value and unit by unit, scaling to a norm, and the norm itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganglion.base.errors import ParameterError

LEAST_WEIGHT = 1e-3  # norm that a unit's weights count for at least, so that zeros can leave zero


@dataclass(frozen=True)
class Clip:
    """Bounds on the gradient; ``None`` is no bound.

    Arguments:
        norm: on the global 2-norm.
        value: on the absolute value of each entry.
        adaptive: on a unit's gradient norm, as a multiple of the norm of its weights.
        scale: no bound but the global 2-norm itself, which every gradient is given.

    Raises ``ParameterError`` for ``norm`` and ``scale`` together.
    """

    norm: float | None = None
    value: float | None = None
    adaptive: float | None = None
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.norm is not None and self.scale is not None:
            raise ParameterError(
                f"a gradient's norm is either bounded (clip_norm={self.norm:g}) or set (scale_norm="
                f"{self.scale:g}); give one of the two."
            )


def global_norm(grads: list[Tensor], members: int | None = None) -> Tensor:
    """The 2-norm over all gradients: a scalar, or (members,) when the first axis counts networks."""
    if members:
        return torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0).sqrt()
    if len(grads) == 1:
        return torch.linalg.vector_norm(grads[0])
    if not grads:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))


def clip_(
    grads: list[Tensor], norm: Any, clip: Clip, members: int | None = None, params: Sequence[Tensor] = ()
) -> None:
    """Change gradients in place, without waiting for the device.

    By ``clip.scale`` to ``g c / |g|``; by ``clip.norm`` to ``g min(1, c / |g|)`` (Pascanu et al. 2013); then unit
    by unit, then entry by entry.

    Arguments:
        grads: the gradients.
        norm: their global norm, (members,) when the first axis counts networks.
        params: the parameters that hold them; adaptive clipping compares the two.
    """
    if clip.norm is not None or clip.scale is not None:
        factor = _factor(torch.as_tensor(norm), clip)
        for g in grads:
            g.mul_(factor.reshape(-1, *[1] * (g.dim() - 1)) if members else factor)
    if clip.adaptive is not None:
        for p in params:
            if p.grad is not None:
                _clip_units(p.detach(), p.grad, clip.adaptive, 1 if members else 0)
    if clip.value is not None:
        for g in grads:
            g.clamp_(-clip.value, clip.value)


def _factor(norm: Tensor, clip: Clip) -> Tensor:
    if clip.scale is not None:
        return torch.where(norm > 0, clip.scale / norm, 0.0)
    return (float(clip.norm or 0.0) / (norm + 1e-12)).clamp(max=1.0)


def _clip_units(p: Tensor, g: Tensor, bound: float, first: int) -> None:
    """``g <- g min(1, c max(|w|, 1e-3) / |g|)`` for the incoming weights of each unit.

    Adaptive clipping (Brock et al. 2021, arXiv:2102.06171): a unit is a row of a weight (axis ``first``), and a
    bias vector is one unit.
    """
    axes = tuple(range(first + 1, p.dim())) or tuple(range(first, p.dim()))
    size, slope = (torch.linalg.vector_norm(t, dim=axes, keepdim=True) for t in (p, g))
    g.mul_((bound * size.clamp(min=LEAST_WEIGHT) / slope.clamp(min=1e-12)).clamp(max=1.0))
