"""Boxes that move with their picture."""

import torch
from torch import Tensor

ABSENT = -1  # the label of boxes that are not there


def move_boxes(
    boxes: Tensor, labels: Tensor, maps: Tensor, height: int, width: int, least: float
) -> tuple[Tensor, Tensor]:
    """The smallest upright boxes around the moved ones, cut off at the picture's border.

    A box of which less than the share ``least`` of its moved area remains inside is dropped: its label becomes -1 and
    its corners 0.

    Arguments: ``boxes`` (n, M, 4) as x0, y0, x1, y1 in pixels; ``labels`` (n, M), -1 where there is none; ``maps``
    (n, 2, 3) in pixels from the centre. Returns both, moved.

    >>> boxes, labels = torch.tensor([[[1.0, 1.0, 3.0, 3.0]]]), torch.tensor([[7]])
    >>> move_boxes(boxes, labels, torch.tensor([[[1.0, 0, 2], [0, 1, 0]]]), 4, 4, 0.25)
    (tensor([[[3., 1., 4., 3.]]]), tensor([[7]]))
    """
    x = boxes[..., [0, 2, 0, 2]] - width / 2  # (n, M, 4): the four corners
    y = boxes[..., [1, 1, 3, 3]] - height / 2
    m = maps.to(boxes.dtype)[..., None, None]
    across = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2] + width / 2
    down = m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2] + height / 2
    whole = torch.stack([across.amin(2), down.amin(2), across.amax(2), down.amax(2)], 2)
    edges = [side.clamp(0, most) for side, most in zip(whole.unbind(2), (width, height) * 2)]
    cut = torch.stack(edges, 2)
    stays = (labels != ABSENT) & (_area(cut) >= least * _area(whole)) & (_area(cut) > 0)
    return torch.where(stays[..., None], cut, 0), torch.where(stays, labels, ABSENT)


def _area(boxes: Tensor) -> Tensor:
    x0, y0, x1, y1 = boxes.unbind(-1)
    return (x1 - x0) * (y1 - y0)
