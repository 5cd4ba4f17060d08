"""Sizes along the layers, and the sentences where a kernel does not fit."""

import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.nn.convolution import Up, conv
from ganglion.nn.shapes import check_shapes


def layers():
    return [conv(1, 4, 3, padding="valid"), nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), nn.MaxPool2d(2),
            conv(4, 4, 5, padding="valid"), Up(4, 2, 2), nn.Flatten()]  # fmt: skip


def test_sizes_are_those_of_the_tensors():
    x, found = torch.zeros(2, 1, 20, 17), []
    parts = layers()
    flat = [*parts[:1], *parts[1], *parts[2:]]
    for layer in flat:
        x = layer(x)
        found.append(tuple(x.shape[2:]))
    assert check_shapes(parts, (20, 17)) == found
    assert check_shapes(nn.Sequential(*parts), (20, 17)) == found


def test_a_kernel_that_does_not_fit_is_named_with_its_place_and_the_size_that_would_do():
    """12 - 2 = 10, halved 5: the least that a kernel of 5 fits into."""
    with pytest.raises(ParameterError) as error:
        check_shapes(layers(), (9, 30))
    assert str(error.value) == (
        "kernel 5 does not fit into a 3x14 map after layer 4 (MaxPool2d): take a smaller kernel, padding='same' or "
        "less pooling and stride before it, or pictures of at least 12x30."
    )
    assert check_shapes(layers(), (12, 30))[3] == (5, 14)
    with pytest.raises(ParameterError, match="12x30"):
        check_shapes(layers(), (11, 30))


@pytest.mark.parametrize(
    ("parts", "size", "words"),
    [
        ([nn.Conv2d(1, 1, 5)], (3, 9), "kernel 5 does not fit into the 3x9 pictures: .* at least 5x9"),
        ([nn.Conv2d(1, 1, (1, 3), dilation=(1, 4))], (3, 6), "kernel 1x3 with dilation 1x4 does not fit"),
        ([nn.MaxPool2d(4)], (3, 3), "kernel 4"),
        ([conv(3, 8, 3), conv(4, 4, 3)], (9, 9), r"layer 2 \(Conv2d\) cannot take .* layer 1 .* shape 8x9x9"),
        ([conv(3, 8, 3), nn.Flatten(), nn.Linear(70, 2)], (9, 9), r"layer 3 \(Linear\) .* 648"),
        ([nn.Linear(70, 2)], (9, 9), "at the beginning"),
    ],
)
def test_other_misfits(parts, size, words):
    with pytest.raises(ParameterError, match=words):
        check_shapes(parts, size)


def test_padding_makes_a_kernel_fit():
    assert check_shapes([conv(1, 1, 5), conv(1, 1, 4, 2), nn.MaxPool2d(3, 1, 1)], (2, 1)) == [
        (2, 1),
        (1, 1),
        (1, 1),
    ]


def test_the_layers_are_left_as_they_were():
    parts = nn.Sequential(conv(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout()).train()
    parts[2].eval()
    before = parts[1].running_var.clone()
    check_shapes(parts, (8, 8))
    assert [layer.training for layer in parts] == [True, True, False]
    assert torch.equal(parts[1].running_var, before)
