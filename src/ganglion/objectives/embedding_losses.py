"""Losses for embeddings, output (n, d): near what belongs to it, far from what does not.

``triplet`` and ``info_nce`` draw what does not belong from the rest of the batch, so they couple it.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.base.fields import Above
from ganglion.objectives.loss import Loss, checked


def cosine() -> Loss:
    """One minus the cosine of the angle between an output and its target y (n, d), 0 to 2.

    >>> cosine().value(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    tensor([1.])
    """
    return Loss(lambda output, y: 1 - F.cosine_similarity(output, y, dim=1))


def triplet(margin: float = 1.0) -> Loss:
    """The triplet loss with the hardest triplet of each example in its batch (Hermans et al. 2017, arXiv:1703.07737).

    ``max(0, margin + max_p |o - o_p| - min_q |o - o_q|)`` over the other rows p of the same class y (n,) and
    the rows q of other classes; 0 for a row that lacks one of the two. ``margin`` above 0, in the unit of the
    embeddings.

    >>> triplet().value(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0, 0, 1]))
    tensor([0., 0., 0.])
    >>> triplet(3).value(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0, 0, 1]))
    tensor([1., 2., 0.])
    """
    margin = checked("margin of triplet", margin, Above(0))

    def value(output: Tensor, y: Tensor) -> Tensor:
        # not by products of rows, which lose half of the digits of small distances
        apart = torch.cdist(output, output, compute_mode="donot_use_mm_for_euclid_dist")  # (n, n)
        alike = y[:, None] == y[None, :]
        friend = alike & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
        far = apart.masked_fill(~friend, -torch.inf).amax(1)
        near = apart.masked_fill(alike, torch.inf).amin(1)
        return (margin + far - near).clamp(min=0)

    return Loss(value, couples_batch=True)


def info_nce(temperature: float = 0.1) -> Loss:
    """InfoNCE: which of the batch's y (n, d) belongs to an output? (van den Oord et al. 2018, arXiv:1807.03748).

    ``-log softmax_j(cos(o_i, y_j) / temperature)_i``: row i of y is another view of row i, the others are
    the negatives, so a larger batch asks a harder question. ``temperature`` above 0.

    >>> info_nce(1).value(torch.eye(2), torch.eye(2))
    tensor([0.3133, 0.3133])
    """
    temperature = checked("temperature of info_nce", temperature, Above(0))

    def value(output: Tensor, y: Tensor) -> Tensor:
        similar = F.normalize(output, dim=1) @ F.normalize(y, dim=1).T / temperature  # (n, n)
        return F.cross_entropy(similar, torch.arange(len(y), device=y.device), reduction="none")

    return Loss(value, couples_batch=True)
