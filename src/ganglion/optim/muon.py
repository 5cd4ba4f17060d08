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
    Muon rounds to bfloat16 inside; this one keeps the parameter's precision.

    Arguments:
        params: groups; those with ``"orthogonal": True`` hold matrices, or kernels (out, ...) seen as matrices.
        mu: momentum of the matrices.
        rounds: of the Newton-Schulz iteration.

    The others are those of ``VectorAdam``, which serves the rest.
    """

    def __init__(self, params: Any, mu: float = 0.95, rounds: int = 5, **adam: Any) -> None:
        super().__init__(params, **adam)
        self.mu, self.rounds = mu, rounds

    def _update(self, p: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        if not group.get("orthogonal"):
            super()._update(p, state, group)
            return
        if not state:
            state["m"] = torch.zeros_like(p)
        state["m"].mul_(self.mu).add_(p.grad)  # type: ignore[arg-type]
        ahead = p.grad.add(state["m"], alpha=self.mu)  # type: ignore[union-attr]
        turned = orthogonalised(ahead.flatten(1), self.rounds)
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.sub_(turned.view_as(p), alpha=group["lr"] * RMS * max(turned.shape) ** 0.5)


def orthogonalised(g: Tensor, rounds: int = 5) -> Tensor:
    """A matrix (rows, columns) with the singular vectors of g and singular values between 0.7 and 1.2.

    ``x <- a x + (b s + c s^2) x`` with ``s = x x^T``, from ``x = g / |g|`` (Newton-Schulz, fifth order).

    >>> torch.linalg.svdvals(orthogonalised(torch.diag(torch.tensor([3.0, 1.0])))).gt(0.6).all().item()
    True
    """
    a, b, c = QUINTIC
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / (torch.linalg.matrix_norm(x) + 1e-7)
    for _ in range(rounds):
        s = x @ x.T
        x = a * x + (b * s + c * (s @ s)) @ x
    return x.T if tall else x


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
