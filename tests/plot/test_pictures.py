"""Pictures in figures and pages, kernels and maps: checked against NumPy by the formula."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.plot.filters import kernel_pictures, map_pictures, plot_filters, plot_maps, stage_maps
from ganglion.plot.pictures import as_rgb, data_uri, plot_pictures


def opened(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def test_a_page_holds_the_pixels_themselves():
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert np.array_equal(opened(data_uri(pixels)), pixels)
    assert np.array_equal(opened(data_uri(pixels[:, :, 0] / 255.0)), pixels[:, :, :1].repeat(3, 2))
    large = np.kron(pixels, np.ones((40, 40, 1), np.uint8))  # 360 x 280, in blocks
    assert opened(data_uri(large, 90)).shape == (90, 70, 3)
    assert np.array_equal(opened(data_uri(large, 9)), pixels)  # a pixel is the mean of its area


def test_numbers_that_are_none_are_black_and_too_large_ones_white():
    assert as_rgb(np.array([[np.nan, 7.0, -1.0]]))[0, :, 0].tolist() == [0, 255, 0]


def test_kernels_keep_their_signs_and_colours():
    layer = nn.Conv2d(3, 2, 3)
    weight = layer.weight.detach().double().numpy()
    for kernel, picture in zip(weight, kernel_pictures(nn.Sequential(nn.ReLU(), layer))):
        assert np.allclose(picture, (1 + kernel.transpose(1, 2, 0) / np.abs(kernel).max()) / 2)
    many = nn.Conv2d(8, 2, 3)
    mean = many.weight.detach().double().numpy().mean(1)
    assert np.allclose(kernel_pictures(many)[1], (1 + mean[1] / np.abs(mean[1]).max()) / 2)
    assert len(plot_filters(layer, most=1).images) == 1
    with pytest.raises(ParameterError, match="Conv2d is expected, got Linear"):
        kernel_pictures(nn.Linear(2, 2))


def test_maps_are_the_last_of_each_size_and_nothing_is_left_behind():
    net = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.5))
    net.train()
    x = torch.rand(1, 1, 6, 6)
    first, second = stage_maps(net, x)
    assert torch.equal(first, net[:2](x)[0].detach())
    assert torch.equal(second, net[:3](x)[0].detach())  # the dropout was not at work
    assert net.training
    assert not any(m._forward_hooks for m in net.modules())
    with pytest.raises(RuntimeError):
        stage_maps(net, torch.rand(1, 2, 6, 6))
    assert not any(m._forward_hooks for m in net.modules())
    assert len(plot_maps(net, x).images) == 6


def test_maps_that_vary_most_come_first_each_from_0_to_1():
    maps = torch.tensor([[[0.0, 1.0]], [[-5.0, 5.0]], [[2.0, 2.0]]])
    shown = map_pictures(maps, most=3)
    assert [picture.tolist() for picture in shown] == [[[0.0, 1.0]], [[0.0, 1.0]], [[0.0, 0.0]]]
    assert len(map_pictures(maps, most=1)) == 1


def test_a_sheet_has_every_picture_and_its_words():
    ax = plot_pictures([np.zeros((4, 8))] * 5, ["cat\n<b>", "dog"], columns=2)
    assert len(ax.images) == 5
    assert [text.get_text() for text in ax.texts] == ["cat\n<b>", "dog"]
    left, right, bottom, top = ax.images[3].get_extent()
    assert (right - left, bottom - top) == pytest.approx((1.0, 0.5))  # the shape stays
    assert [text.get_text() for text in plot_pictures([]).texts] == ["no picture to show"]
