"""Losses for sequences whose alignment is not known."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ganglion.base.fields import AtLeast
from ganglion.objectives.loss import Loss, checked

PADDING = -1


def ctc(blank: int = 0) -> Loss:
    """Connectionist temporal classification (Graves et al. 2006): ``-log`` of the summed probability of all alignments.

    An alignment names a symbol per time step; repeats are merged, then blanks dropped, and what remains must be
    the labels.

    Arguments of the value: output (n, steps, symbols) logits; y (n, labels) symbols, shorter ones padded with
    -1, or a pair of those and the number of steps of each output (n,). Infinite where the labels do not fit
    into the steps. ``blank`` is the number of the symbol that stands for nothing.

    >>> ctc().value(torch.zeros(1, 1, 2), torch.tensor([[1]]))
    tensor([0.6931])
    """
    blank = int(checked("blank of ctc", blank, AtLeast(0)))

    def value(output: Tensor, y: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        labels, steps = (y, None) if isinstance(y, Tensor) else y
        if steps is None:
            steps = torch.full((len(labels),), output.shape[1], dtype=torch.long)
        logs = torch.log_softmax(output, 2).transpose(0, 1)  # (steps, n, symbols)
        lengths = (labels != PADDING).sum(1)
        return F.ctc_loss(logs, labels, steps, lengths, blank=blank, reduction="none")

    return Loss(value)
