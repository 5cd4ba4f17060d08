"""Optimisers around another one: SAM and Lookahead. The loop sees groups and state of the one inside."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Around:
    """What both share: the inner optimiser's groups and gradients are theirs."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Of the inner optimiser."""
        return self.inner.param_groups

    @property
    def params(self) -> list[Tensor]:
        """All parameters that have a gradient."""
        return [p for g in self.param_groups for p in g["params"] if p.grad is not None]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients."""
        self.inner.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Of the inner optimiser."""
        return self.inner.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Back to a saved state."""
        self.inner.load_state_dict(state_dict)


class Sam(Around):
    """Sharpness-aware minimisation: the gradient where the loss is worst within a radius around the weights.

    ``e = rho g / |g|``; the inner optimiser steps from w by the gradient at ``w + e`` (Foret et al. 2021,
    arXiv:2010.01412). Two forward and backward passes a step.

    Arguments:
        inner: the optimiser that makes the step.
        rho: radius, in the 2-norm over all parameters.
    """

    asks_again = True  # ``step`` needs a closure, and the guard looks at what it brings

    def __init__(self, inner: Any, rho: float = 0.05) -> None:
        super().__init__(inner)
        self.rho = rho

    @torch.no_grad()
    def step(self, closure: Callable[[], Any]) -> None:
        """One update; ``closure`` leaves fresh gradients at the weights as they stand."""
        params = self.params
        here = [p.clone() for p in params]
        grads: list[Any] = [p.grad for p in params]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads))).clamp(min=1e-30)
        for p, g in zip(params, grads):
            p.add_(g * (self.rho / norm))
        with torch.enable_grad():
            closure()
        for p, old in zip(params, here):
            p.copy_(old)
        self.inner.step()


class Lookahead(Around):
    """Slow weights that follow the inner optimiser's fast ones, every few steps a part of the way.

    Every ``k`` steps ``slow <- slow + alpha (fast - slow)`` and the fast weights go back to the slow ones
    (Zhang et al. 2019, arXiv:1907.08610).

    Arguments:
        inner: the optimiser of the fast weights.
        k: steps between two looks.
        alpha: the part of the way, from 0 to 1.
    """

    def __init__(self, inner: Any, k: int = 5, alpha: float = 0.5) -> None:
        super().__init__(inner)
        self.k, self.alpha, self.steps = k, alpha, 0
        self.slow = [p.detach().clone() for g in inner.param_groups for p in g["params"]]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One fast update, and every ``k`` of them a slow one."""
        self.inner.step()
        self.steps += 1
        if self.steps % self.k == 0:
            for slow, p in zip(self.slow, (p for g in self.param_groups for p in g["params"])):
                slow.lerp_(p, self.alpha)
                p.copy_(slow)

    def state_dict(self) -> dict[str, Any]:
        """The inner state, the slow weights, and how many steps were made."""
        inner = self.inner.state_dict()
        return {**inner, "state": {"inner": inner["state"], "slow": self.slow, "steps": self.steps}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Back to a saved state."""
        saved = state_dict["state"]
        self.inner.load_state_dict({**state_dict, "state": saved["inner"]})
        self.steps = saved["steps"]
        for slow, s in zip(self.slow, saved["slow"], strict=True):
            slow.copy_(s)
