"""What a detector shall say at each place of its map, and what it costs to say something else."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.nn.boxes import giou
from ganglion.objectives.base import Batch, Objective, Step, has_batch_norm

NONE, NOT_JUDGED = -1, -2  # labels of boxes that are not there, and of places where nothing is right or wrong
SPREAD = 0.54 / 6  # standard deviation of a box's bell in sides of the box
LEAST = 0.05  # height of a bell below which a place does not speak of its box
SHARP, MILD = 2.0, 4.0  # exponents of the focal loss: of the error, and of the distance from a bell's top


class Wanted(NamedTuple):
    """What is wanted at each place: ``heat`` (n, k, h, w), ``boxes`` (n, h, w, 4), their ``weight`` (n, h, w).

    ``judged`` (n, 1, h, w) is 0 where the scores do not count.
    """

    heat: Tensor
    boxes: Tensor
    weight: Tensor
    judged: Tensor


def wanted(boxes: Tensor, labels: Tensor, n_classes: int, size: tuple[int, int], stride: int) -> Wanted:
    """Bells around the centres of boxes, the box that each place speaks of, and how much that counts.

    The bell of a box is ``exp(-(dx / (a w))^2 / 2 - (dy / (a h))^2 / 2)`` with a = 0.54 / 6 (Liu et al. 2020,
    arXiv:1909.00700), but at least half a place wide; its top lies on the place that holds the centre. ``heat`` is
    the highest bell of a class. A place speaks of the box whose bell is highest there, and the places of a box share
    a weight of 1 in proportion to the bell. All of it is a fixed sequence of operations on padded boxes.

    Arguments: ``boxes`` (n, M, 4) in pixels, ``labels`` (n, M), ``size`` (h, w) of the map.

    >>> one = wanted(torch.tensor([[[0.0, 0, 8, 8]]]), torch.tensor([[0]]), 1, (2, 2), 4)
    >>> one.heat[0, 0, 1, 1].item(), one.weight.sum().item()
    (1.0, 1.0)
    """
    present, (high, wide) = labels >= 0, size
    bells = []
    for axis, n in ((1, high), (0, wide)):
        low, top = boxes[..., axis] / stride, boxes[..., axis + 2] / stride
        centre = ((low + top) / 2).floor().clamp(0, n - 1)[..., None]
        spread = (SPREAD * (top - low)).clamp(min=0.5)[..., None]
        steps = (torch.arange(n, device=boxes.device) - centre) / spread
        bells.append(torch.exp(-0.5 * steps.square()))
    bell = bells[0][..., None] * bells[1][..., None, :] * present[..., None, None]  # (n, M, h, w)
    heat = bell.new_zeros(len(boxes), n_classes, high, wide)
    heat = heat.scatter_reduce(1, labels.clamp(min=0)[..., None, None].expand_as(bell), bell, "amax")
    best, owner = bell.max(1)
    best = torch.where(best >= LEAST, best, 0).flatten(1)  # (n, h w)
    owner = owner.flatten(1)
    total = best.new_zeros(labels.shape).scatter_add(1, owner, best)
    weight = best / total.gather(1, owner).clamp(min=LEAST)
    goal = boxes.gather(1, owner[..., None].expand(-1, -1, 4))
    judged = 1 - _inside(boxes, labels == NOT_JUDGED, size, stride).float()
    return Wanted(heat, goal.view(-1, high, wide, 4), weight.view(-1, high, wide), judged)


def _inside(boxes: Tensor, chosen: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """Whether places lie in one of the chosen boxes, (n, 1, h, w)."""
    y, x = ((torch.arange(n, device=boxes.device) + 0.5) * stride for n in size)
    x0, y0, x1, y1 = boxes[..., None].unbind(2)
    across, down = (x0 <= x) & (x < x1), (y0 <= y) & (y < y1)  # (n, M, w), (n, M, h)
    return (across[:, :, None] & down[..., None] & chosen[..., None, None]).any(1, keepdim=True)


def focal(logits: Tensor, heat: Tensor) -> Tensor:
    """The focal loss of scores against bells, at each place (Law and Deng 2018, arXiv:1808.01244).

    ``-(1 - p)^2 log p`` at a bell's top, elsewhere ``-(1 - heat)^4 p^2 log(1 - p)``, with p the sigmoid of the logit.

    >>> round(focal(torch.zeros(1), torch.ones(1)).item(), 4)  # 0.25 log 2
    0.1733
    """
    p = logits.sigmoid()
    top = (1 - p).pow(SHARP) * F.softplus(-logits)
    rest = (1 - heat).pow(MILD) * p.pow(SHARP) * F.softplus(logits)
    return torch.where(heat == 1, top, rest)


class Detection(Objective):
    """Focal loss of the scores plus ``box_weight`` times (1 - GIoU) of the boxes, summed over a picture.

    Both are divided by ``objects``, the mean number of objects in a picture, so that every object counts alike in
    whatever picture it is and a picture's loss does not depend on the others of its batch.

    Arguments:
        model: gives ``n_classes``, ``stride`` and ``boxes(output)``, as ``models.detector.Detector``.
        objects: mean number of objects in a picture.
        box_weight: of the boxes' part.
    """

    def __init__(self, model: Any, objects: float, box_weight: float = 5.0) -> None:
        super().__init__()
        self.net, self.objects, self.box_weight = model, max(objects, 1.0), box_weight
        self.couples_batch = has_batch_norm(model)

    @property
    def model(self) -> Any:
        """The network."""
        return self.net

    def losses(self, output: Tensor, boxes: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """The two parts of the loss of each picture (n,), from an output of the network."""
        k, output = self.net.n_classes, output.float()
        aim = wanted(boxes, labels, k, output.shape[2:], self.net.stride)  # type: ignore[arg-type]
        scores = (focal(output[:, :k], aim.heat) * aim.judged).sum((1, 2, 3))
        places = ((1 - giou(self.net.boxes(output), aim.boxes)) * aim.weight).sum((1, 2))
        return {"scores": scores / self.objects, "boxes": self.box_weight * places / self.objects}

    def forward(self, batch: Batch, phase: str) -> Step:
        """Losses (n,) of pictures ``x`` with ``boxes`` (n, M, 4) in pixels and ``labels`` (n, M)."""
        output = self.net(batch["x"])
        parts = self.losses(output, batch["boxes"], batch["labels"])
        return Step(parts["scores"] + parts["boxes"], output, parts)
