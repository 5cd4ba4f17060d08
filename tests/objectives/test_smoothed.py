"""The cross-entropy with smoothed targets against torch's, and its derivatives against differences."""

import pytest
import torch
from torch.nn import functional as F

from ganglion.objectives.smoothed import SmoothedCrossEntropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_values_and_gradients_are_those_of_torch(smoothing):
    generator = torch.Generator().manual_seed(0)
    logits = (30 * torch.randn(6, 9, generator=generator)).requires_grad_()
    y = torch.randint(9, (6,), generator=generator)
    ours = SmoothedCrossEntropy.apply(logits, y, smoothing)
    theirs = F.cross_entropy(logits, y, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(ours, theirs)
    weight = torch.arange(1.0, 7.0)
    gradients = [torch.autograd.grad((losses * weight).sum(), logits)[0] for losses in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_first_and_second_derivatives():
    logits = torch.randn(3, 5, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    arguments = logits.requires_grad_(), torch.tensor([0, 4, 4]), 0.1
    assert torch.autograd.gradcheck(SmoothedCrossEntropy.apply, arguments)
    assert torch.autograd.gradgradcheck(SmoothedCrossEntropy.apply, arguments)


def test_no_rows():
    assert SmoothedCrossEntropy.apply(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 0.1).shape == (0,)
