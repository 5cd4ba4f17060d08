"""Features by layer, and the picture that learns."""

import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.models.style import Features, Picture, convolutions


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Flatten(), nn.Linear(7, 2)
    )


def test_features_are_what_the_layers_answer():
    net, x = network(), torch.rand(1, 3, 9, 11)
    seen = Features(net, ["3", "0", "2"])(x)
    wanted = net[:1].eval()(x), net[:3](x), net[:4](x)
    assert all(torch.equal(seen[name], one) for name, one in zip(("0", "2", "3"), wanted))
    assert not any(module._forward_hooks for module in net.modules())


def test_what_lies_behind_is_not_computed():
    """The dense layer does not fit to these pictures, and is not met."""
    with pytest.raises(RuntimeError):
        network()(torch.rand(1, 3, 20, 20))
    assert Features(network(), ["3"])(torch.rand(1, 3, 20, 20))["3"].shape == (1, 5, 16, 16)


def test_the_weights_stay_and_the_pixels_get_a_gradient():
    net, picture = network(), Picture(torch.rand(1, 3, 9, 9))
    before = {k: v.clone() for k, v in net.state_dict().items()}
    Features(net, ["2"])(picture())["2"].sum().backward()
    assert picture.pixels.grad.abs().sum() > 0
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())


def test_a_picture_is_what_it_was_made_from_and_keeps_its_range():
    pixels = torch.rand(1, 3, 4, 5) * 0.9 + 0.05
    picture = Picture(pixels)
    assert torch.allclose(picture(), pixels, atol=1e-6)
    with torch.no_grad():
        picture.pixels.mul_(1e3)
    assert 0 <= picture().min() <= picture().max() <= 1
    assert torch.isfinite(Picture(torch.tensor([[[[0.0, 1.0]]]])).pixels).all()


def test_names_of_convolutions():
    assert convolutions(network()) == ["0", "3"]


@pytest.mark.parametrize(
    ("layers", "words"), [(["9"], "layer '9'"), ([""], "layer ''"), (["4"], r"maps \(n, d, h, w\)")]
)
def test_what_is_no_layer_is_refused(layers, words):
    with pytest.raises(ParameterError, match=words):
        Features(network(), layers)(torch.rand(1, 3, 9, 9))
