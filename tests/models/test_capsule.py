"""The capsule network: its places at any size of picture, what is drawn, what is refused."""

import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.models.capsule import CapsuleNet


@pytest.mark.parametrize(
    ("side", "widths", "places", "kernel"),
    [(28, (32, 64), 6, 4), (8, (8,), 6, 3), (8, (4, 8), 2, 3), (32, (4, 8), 6, 6), (100, (4, 8), 6, 10)],
)
def test_places_follow_from_the_size(side, widths, places, kernel):
    net = CapsuleNet((1, side, side), 2, widths=widths, types=1)
    assert len(net.capsules.weight) == places**2
    assert net.primary.kernel_size == (kernel, kernel)
    assert net(torch.rand(2, 1, side, side))[1].shape == (2, 1, side, side)
    last = net.features(net.standardise(torch.rand(1, 1, side, side)))
    assert (last.shape[2] - kernel) % net.primary.stride[
        0
    ] == 0  # the kernels cover the map to its last pixel


def test_oblong_pictures_with_colours():
    lengths, drawn = CapsuleNet((3, 12, 20), 4, widths=(4, 4), types=2)(torch.rand(5, 3, 12, 20))
    assert lengths.shape == (5, 4)
    assert drawn.shape == (5, 3, 12, 20)
    assert 0 < drawn.min() < drawn.max() < 1


def test_pictures_too_small():
    with pytest.raises(
        ParameterError, match=r"pictures of 4 x 9 pixels are too small .* got 2 x 4; take fewer widths"
    ):
        CapsuleNet((1, 4, 9), 2, widths=(4, 4))


def test_at_most_three_million_weights_for_digits():
    assert sum(p.numel() for p in CapsuleNet((1, 28, 28), 10).parameters()) < 3_000_000


def test_lengths_start_between_their_bounds():
    torch.manual_seed(0)
    for classes in (2, 10):
        lengths, _ = CapsuleNet((1, 28, 28), classes)(torch.rand(20, 1, 28, 28))
        assert 0.1 < lengths.mean() < 0.9


def test_only_the_shared_capsules_are_drawn():
    net = CapsuleNet((1, 8, 8), 3, widths=(4,), types=1)
    x = torch.rand(4, 1, 8, 8)
    capsules, (lengths, drawn) = net.encode(x), net(x)
    assert torch.equal(lengths, capsules.norm(dim=2))
    shares = torch.eye(3)[lengths.argmax(1)]
    assert torch.equal(drawn, net.draw(capsules, shares))
    other = torch.where(shares[..., None] > 0, capsules, 5.0)  # what is masked does not count
    assert torch.equal(drawn, net.draw(other, shares))
