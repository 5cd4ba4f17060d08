"""CTC against enumeration of all alignments, and what does not fit."""

import itertools

import numpy as np
import pytest
import torch

from ganglion.objectives.ctc import ctc_losses, steps_needed


def merged(alignment):
    """The labels that an alignment stands for."""
    return tuple(s for i, s in enumerate(alignment) if s and (i == 0 or alignment[i - 1] != s))


def enumerated(log_probs, labels):
    """``log P`` of labels as the sum over all alignments of (S, k)."""
    steps, k = log_probs.shape
    total = 0.0
    for alignment in itertools.product(range(k), repeat=steps):
        if merged(alignment) == labels:
            total += np.exp(log_probs[np.arange(steps), alignment].sum())
    return np.log(total) if total else -np.inf


LABELS = [(), (1,), (2, 1), (1, 1), (1, 2, 1), (2, 2, 2)]


@pytest.mark.parametrize("labels", LABELS, ids=str)
def test_equal_to_all_alignments(labels):
    logits = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(len(labels)), dtype=torch.float64)
    y = torch.tensor([[*labels, 0, 0][:5]])
    told = ctc_losses(logits, torch.tensor([5]), y)
    assert told.item() == pytest.approx(-enumerated(logits[0].log_softmax(1).numpy(), labels), abs=2e-6)


def test_in_a_batch_as_alone_and_without_what_stands_behind():
    logits = torch.randn(len(LABELS), 6, 3, generator=torch.Generator().manual_seed(0))
    steps = torch.tensor([1, 2, 4, 3, 6, 5])
    y = torch.tensor([[*labels, 0, 0, 0][:3] for labels in LABELS])
    told = ctc_losses(logits, steps, y)
    for i, (n, labels) in enumerate(zip(steps.tolist(), LABELS)):
        alone = enumerated(logits[i, :n].log_softmax(1).double().numpy(), labels)
        assert told[i].item() == pytest.approx(-alone, abs=1e-5)


def test_steps_needed_are_the_fewest_that_have_an_alignment():
    for labels in LABELS:
        needed = int(steps_needed(torch.tensor([[*labels, 0]])))
        fits = [
            n for n in range(6) if any(merged(a) == labels for a in itertools.product(range(3), repeat=n))
        ]
        assert needed == min(fits)


def test_what_does_not_fit_costs_nothing_and_has_no_slope():
    logits = torch.zeros(2, 2, 3, requires_grad=True)
    losses = ctc_losses(logits, torch.tensor([2, 2]), torch.tensor([[1, 1], [1, 2]]))
    losses.sum().backward()
    assert losses[0] == 0.0
    assert losses[1] > 0.0
    assert not logits.grad[0].any()
    assert logits.grad[1].any()
    assert torch.isfinite(logits.grad).all()
