"""Gradient clipping, by global norm and by value, and the norm itself."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clip:
    """Bounds on the gradient: ``norm`` on the global 2-norm, ``value`` on each entry; ``None`` is no bound."""

    norm: float | None = None
    value: float | None = None


def global_norm(grads: list[Tensor], members: int | None = None) -> Tensor:
    """The 2-norm over all gradients: a scalar, or (members,) when the first axis counts networks."""
    if members:
        return torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0).sqrt()
    if len(grads) == 1:
        return torch.linalg.vector_norm(grads[0])
    if not grads:
        return torch.zeros(())
    return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))


def clip_(grads: list[Tensor], norm: Any, clip: Clip, members: int | None = None) -> None:
    """Scale the gradients down to ``clip.norm`` and cut their entries at ``clip.value``, in place.

    ``g <- g min(1, c / |g|)`` (Pascanu et al. 2013); without waiting for the device.
    """
    if clip.norm is not None:
        factor = torch.as_tensor(clip.norm / (norm + 1e-12)).clamp(max=1.0)
        for g in grads:
            g.mul_(factor.reshape(-1, *[1] * (g.dim() - 1)) if members else factor)
    if clip.value is not None:
        for g in grads:
            g.clamp_(-clip.value, clip.value)
