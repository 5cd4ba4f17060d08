"""Optimisers whose learning rate may be a vector: one rate per network of a stack that trains as one."""

from typing import Any

import torch
from torch import Tensor

from ganglion.optim.light import Light


class VectorAdam(Light):
    """Adam with decoupled weight decay over parameters whose first axis counts networks.

    ``w <- w - lr (m / (sqrt(v) + eps) + decay w)`` with bias-corrected moments (Kingma and Ba 2015,
    arXiv:1412.6980; Loshchilov and Hutter 2019, arXiv:1711.05101). torch's own Adam takes one rate for all.

    Arguments:
        params: tensors of shape (members, ...).
        lr: a number, or a tensor (members,).
        weight_decay: a number, or a tensor (members,).

    >>> w = torch.nn.Parameter(torch.zeros(2, 3))
    >>> w.grad = torch.ones(2, 3)
    >>> VectorAdam([w], lr=torch.tensor([0.1, 0.2])).step()
    >>> [round(v, 4) for v in w[:, 0].tolist()]
    [-0.1, -0.2]
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float | Tensor = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                self._update(p, self.state[p], group)

    def _update(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not state:
            state.update(step=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        lr, decay = (_per_member(group[k], p) for k in ("lr", "weight_decay"))
        state["m"].lerp_(p.grad, 1 - beta1)  # type: ignore[arg-type]
        state["v"].mul_(beta2).addcmul_(p.grad, p.grad, value=1 - beta2)  # type: ignore[arg-type]
        root = (state["v"] / (1 - beta2 ** state["step"])).sqrt_().add_(group["eps"])
        p.mul_(1 - lr * decay)
        p.sub_(lr * (state["m"] / (1 - beta1 ** state["step"])) / root)


def _per_member(value: float | Tensor, p: Tensor) -> float | Tensor:
    return value.reshape(-1, *[1] * (p.dim() - 1)) if isinstance(value, Tensor) and value.dim() else value
