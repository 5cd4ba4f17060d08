"""Muon: momentum whose matrices are brought near to orthogonal, and AdamW for everything else."""

from typing import Any

import torch
from torch import Tensor, nn

from ganglion.base.errors import ParameterError
from ganglion.optim.vector import VectorAdam

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024: steep at zero, so small singular values grow fast
RMS = 0.2  # of an update's entries, as AdamW's usually have (Liu et al. 2025)


class Muon(VectorAdam):
    """Updates of hidden weight matrices with all singular values near 1; biases and the rest go by AdamW.

    ``m <- mu m + g``, ``w <- w - lr (0.2 sqrt(max(rows, columns)) orthogonal(g + mu m) + decay w)`` (Jordan et
    al. 2024, "Muon: an optimizer for hidden layers in neural networks"). The factor gives the step the size of
    AdamW's (Liu et al. 2025, arXiv:2502.16982), so both take the same learning rate and decay. torch's own
    Muon rounds to bfloat16 inside; this one keeps the parameter's precision unless ``bf16`` is set.

    Arguments:
        params: groups; those with ``"orthogonal": True`` hold matrices, or kernels (out, ...) seen as matrices.
        mu: momentum of the matrices.
        rounds: of the Newton-Schulz iteration.
        bf16: whether its products are rounded to bfloat16, as in a network that computes so.

    The others are those of ``VectorAdam``, which serves the rest.
    """

    def __init__(
        self, params: Any, mu: float = 0.95, rounds: int = 5, bf16: bool = False, **adam: Any
    ) -> None:
        super().__init__(params, **adam)
        self.mu, self.rounds, self.bf16 = mu, rounds, bf16

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient; matrices of one shape are turned together."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not group.get("orthogonal"):
                self._together(params, group)
                continue
            alike: dict[tuple[int, ...], list[Tensor]] = {}
            for p in params:
                alike.setdefault(tuple(p.shape), []).append(p)
            for some in alike.values():
                self._turn(some, group)

    def _together(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """AdamW on all of these in one kernel: for many short vectors calls cost more than arithmetic."""
        states = [self.state[p] for p in params]
        for p, state in zip(params, states):
            if not state:
                state.update(m=torch.zeros_like(p), v=torch.zeros_like(p), t=torch.zeros((), device=p.device))
        times = [state["t"] for state in states]
        torch._foreach_add_(times, 1)
        beta1, beta2 = group["betas"]
        torch._fused_adamw_(
            params, [p.grad for p in params], [s["m"] for s in states], [s["v"] for s in states], [], times,
            lr=group["lr"], beta1=beta1, beta2=beta2, weight_decay=group["weight_decay"], eps=group["eps"],
            amsgrad=False, maximize=False,
        )  # fmt: skip

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Back to a saved state; the kernel counts steps in single precision, whatever the parameters have."""
        super().load_state_dict(state_dict)
        for state in self.state.values():
            if "t" in state:
                state["t"] = state["t"].float()

    def _turn(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """The update of matrices of one shape."""
        for p in params:
            if not self.state[p]:
                self.state[p]["m"] = torch.zeros_like(p)
        moments, slopes = [self.state[p]["m"] for p in params], [p.grad for p in params]
        torch._foreach_mul_(moments, self.mu)
        torch._foreach_add_(moments, slopes)
        ahead = torch._foreach_add(slopes, moments, alpha=self.mu)
        together = torch.stack([a.flatten(1) for a in ahead])
        turned = orthogonalised(together.bfloat16() if self.bf16 else together, self.rounds).to(
            together.dtype
        )
        step = group["lr"] * RMS * max(turned.shape[1:]) ** 0.5
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_sub_(params, [t.view_as(p) for t, p in zip(turned * step, params)])


def orthogonalised(g: Tensor, rounds: int = 5) -> Tensor:
    """Matrices (..., rows, columns) with the singular vectors of g and singular values between 0.7 and 1.2.

    ``x <- p x`` with ``p = a + b s + c s^2, s = x x^T``, from ``x = g / |g|`` (Newton-Schulz, fifth order). Of long
    matrices only the short ``s <- p s p`` and the product of all p are carried, and x is multiplied once: the same in
    two thirds of the time, but not in 16 bits, whose rounding of s grows with each round until the answer explodes.

    >>> torch.linalg.svdvals(orthogonalised(torch.diag(torch.tensor([3.0, 1.0])))).gt(0.6).all().item()
    True
    """
    if g.dim() == 2:
        return orthogonalised(g[None], rounds)[0]
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    a, b, c = QUINTIC
    if x.shape[-1] < 2 * x.shape[-2] or x.dtype == torch.bfloat16:
        for _ in range(rounds):
            s = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=b, alpha=c), x, beta=a)
        return x.mT if tall else x
    s, q = x @ x.mT, None
    for i in range(rounds):
        p = torch.baddbmm(s, s, s, beta=b, alpha=c)
        p.diagonal(dim1=-2, dim2=-1).add_(a)
        q = p if q is None else p @ q
        s = p @ s @ p if i < rounds - 1 else s
    x = x if q is None else q @ x
    return x.mT if tall else x


def hidden_matrices(module: nn.Module) -> set[nn.Parameter]:
    """The weights that Muon turns: of two dimensions and more, without embeddings and the last layer.

    Raises ``ParameterError`` where a module has none.
    """
    layers = [m for m in module.modules() if isinstance(getattr(m, "weight", None), nn.Parameter)]
    last = next((m for m in reversed(layers) if m.weight.dim() > 1), None)  # type: ignore[union-attr, operator]
    apart = [m for m in layers if m is last or isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    kept = {p for m in apart for p in m.parameters(recurse=False)}
    found = {p for p in module.parameters() if p.requires_grad and p.dim() > 1} - kept
    if not found:
        raise ParameterError(
            "optimizer 'muon' turns the weight matrices of hidden layers, and this network has none; "
            "add a hidden layer, or take 'adamw'."
        )
    return found
