"""SpecAugment: what it hides, how much at most, and that it does nothing out of training."""

import torch

from ganglion.nn.spec_augment import MOST_TIME, SpecAugment


def hidden(bands, frames, masks=1, n=300, lengths=40):
    torch.manual_seed(0)
    x = SpecAugment(bands, frames, masks)(torch.ones(n, 50, 20), torch.full((n,), lengths))
    return x == 0


def runs(mask):
    """How many runs of hidden places each row has."""
    edges = torch.diff(mask.int(), dim=1, prepend=torch.zeros(len(mask), 1))
    return (edges == 1).sum(1)


def test_bands_are_hidden_in_one_run_for_all_frames():
    mask = hidden(5, 0)
    assert torch.equal(mask.any(1), mask.all(1))
    width = mask[:, 0].sum(1)
    assert sorted(set(width.tolist())) == [0, 1, 2, 3, 4, 5]
    assert runs(mask[:, 0]).max() == 1
    assert mask[:, 0].any(0).all()  # each band somewhere


def test_frames_are_hidden_inside_of_the_sequence_and_few():
    mask = hidden(0, 30)
    assert torch.equal(mask.any(2), mask.all(2))
    width = mask[:, :, 0].sum(1)
    assert width.max() == MOST_TIME * 40
    assert not mask[:, 40:].any()
    assert mask[:, :40, 0].any(0).all()
    assert hidden(0, 3)[:, :, 0].sum(1).max() == 3


def test_several_masks():
    mask = hidden(3, 0, masks=2)[:, 0]
    assert mask.sum(1).max() == 6
    assert runs(mask).max() == 2


def test_widths_are_uniform():
    width = hidden(3, 0, n=4000)[:, 0].sum(1)
    assert ((torch.bincount(width).float() / 4000 - 0.25).abs() < 0.03).all()


def test_nothing_out_of_training_and_nothing_without_masks():
    x, frames = torch.ones(2, 9, 5), torch.tensor([9, 4])
    assert torch.equal(SpecAugment(3, 3).eval()(x, frames), x)
    assert torch.equal(SpecAugment(0, 0)(x, frames), x)
    assert torch.equal(SpecAugment(3, 3, masks=0)(x, frames), x)
    assert (SpecAugment(50, 50)(x, frames) == 0).sum() < x.numel() + 1  # wider than there is
