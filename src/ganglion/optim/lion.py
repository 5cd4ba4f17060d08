"""Lion: the sign of a momentum as the step."""

from typing import Any

import torch

from ganglion.optim.light import Light


class Lion(Light):
    """Every entry moves by the step size, in the direction that momentum and gradient agree on.

    ``c = beta1 m + (1 - beta1) g``, ``w <- w - lr (sign(c) + decay w)``, ``m <- beta2 m + (1 - beta2) g``
    (Chen et al. 2023, arXiv:2302.06675). The steps are larger than Adam's, so the authors take a learning
    rate three to ten times smaller, and a decay as many times larger.

    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> w.grad = torch.tensor([0.001, -5.0])
    >>> Lion([w], lr=0.1).step()
    >>> [round(v, 3) for v in w.tolist()]
    [-0.1, 0.1]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if not state:
                    state["m"] = torch.zeros_like(p)
                m = state["m"]
                direction = m.lerp(p.grad, 1 - beta1).sign_()
                p.mul_(1 - group["lr"] * group["weight_decay"]).sub_(direction, alpha=group["lr"])
                m.lerp_(p.grad, 1 - beta2)
