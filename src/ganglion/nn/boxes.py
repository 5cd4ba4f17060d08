"""Upright boxes as tensors (..., 4): x0, y0, x1, y1, with area (x1 - x0) (y1 - y0); how they overlap, which stay."""

import torch
from torch import Tensor

TINY = 1e-9  # area that keeps a quotient finite


def area(boxes: Tensor) -> Tensor:
    """Areas (...) of boxes (..., 4); 0 where a box is inverted.

    >>> area(torch.tensor([1.0, 1.0, 3.0, 4.0])).item()
    6.0
    """
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)


def overlap(a: Tensor, b: Tensor) -> Tensor:
    """Areas (...) that boxes a and b (..., 4) have in common; their leading shapes broadcast."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    return (high - low).clamp(min=0).prod(-1)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union (...) of boxes (..., 4); 0 where both are empty.

    >>> iou(torch.tensor([0.0, 0.0, 2.0, 2.0]), torch.tensor([1.0, 0.0, 3.0, 2.0])).item()  # 2 / 6
    0.3333333432674408
    """
    both = overlap(a, b)
    return both / (area(a) + area(b) - both).clamp(min=TINY)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union ``IoU - |C without A and B| / |C|``, C the smallest box around both.

    Unlike IoU it has a slope where boxes do not meet (Rezatofighi et al. 2019, arXiv:1902.09630). From -1 to 1.

    >>> giou(torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([3.0, 0.0, 4.0, 1.0])).item()  # 0 - 2 / 4
    -0.5
    """
    both = overlap(a, b)
    union = area(a) + area(b) - both
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    around = (high - low).clamp(min=0).prod(-1).clamp(min=TINY)
    return both / union.clamp(min=TINY) - (around - union) / around


def suppress(boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Greedy non-maximum suppression within each class and picture: which boxes stay, bool (n, k).

    From the highest score down, a box goes if its IoU with one that stays, of its class and of a higher score, is
    above ``threshold``; of equal scores the first counts as higher. One turn per box and all pictures at once, so
    nothing waits for the device.

    Arguments:
        boxes: (n, k, 4).
        scores: (n, k).
        labels: (n, k).
        threshold: IoU that two boxes of a class may have.

    >>> boxes = torch.tensor([[[0.0, 0, 4, 4], [0, 0, 4, 3], [9, 9, 10, 10]]])
    >>> suppress(boxes, torch.tensor([[0.5, 0.9, 0.1]]), torch.zeros(1, 3), 0.5).tolist()
    [[False, True, True]]
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    boxes, labels = boxes.gather(1, order[..., None].expand_as(boxes)), labels.gather(1, order)
    alike = labels[:, :, None] == labels[:, None]
    covers = (alike & (iou(boxes[:, :, None], boxes[:, None]) > threshold)).triu(1)  # (n, higher, lower)
    stays = torch.ones_like(labels, dtype=torch.bool)
    for i in range(boxes.shape[1] - 1):
        stays &= ~(covers[:, i] & stays[:, i, None])
    return torch.empty_like(stays).scatter_(1, order, stays)
