"""A bound on the length of each unit's incoming weights."""

import torch
from torch import Tensor, nn


def incoming_weights(model: nn.Module) -> list[nn.Parameter]:
    """Every weight (units, ...) of a network that multiplies inputs: all matrices but the embeddings'."""
    looked_up = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    return [p for p in model.parameters() if p.dim() > 1 and id(p) not in looked_up]


@torch.no_grad()
def bound_rows_(weights: list[nn.Parameter], longest: float) -> None:
    """Scale each unit's weights back to the length ``longest`` where they are longer.

    ``w_j <- w_j min(1, c / |w_j|)``, after each update (Srebro and Shraibman 2005; Srivastava et al. 2014, who use it
    with dropout and high step sizes).

    >>> w = nn.Parameter(torch.tensor([[3.0, 4.0], [0.3, 0.4]]))
    >>> bound_rows_([w], 1.0)
    >>> [[round(v, 4) for v in row] for row in w.tolist()]
    [[0.6, 0.8], [0.3, 0.4]]
    """
    for w in weights:
        length: Tensor = w.flatten(1).norm(dim=1).clamp(min=longest)
        w.mul_((longest / length).view(-1, *[1] * (w.dim() - 1)))
