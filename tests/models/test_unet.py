"""The U-Net: sizes, skips, what a pixel sees, and tiles that add up to the whole."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.models.tiles import in_tiles, over_symmetries
from ganglion.models.unet import UNet
from ganglion.nn.receptive import gradient_map


def net(**options):
    """A network in evaluation mode whose answer depends on everything it sees."""
    torch.manual_seed(0)
    made = UNet(1, 2, **{"widths": (4, 6, 8), **options})
    torch.nn.init.normal_(made.output.weight)
    with torch.no_grad():
        made.train()(torch.rand(8, 1, 32, 32))  # running means
    return made.eval()


@pytest.mark.parametrize("size", [(32, 32), (30, 41), (7, 5), (1, 1), (4, 64)])
def test_the_answer_has_the_pictures_size(size):
    assert net()(torch.rand(2, 1, *size)).shape == (2, 2, *size)


def test_an_odd_size_is_mirrored_below_and_to_the_right():
    x = torch.rand(1, 1, 30, 41)
    larger = torch.from_numpy(np.pad(x.numpy(), ((0, 0), (0, 0), (0, 2), (0, 3)), "symmetric"))
    with torch.no_grad():
        assert torch.allclose(net()(x), net()(larger)[..., :30, :41], atol=1e-6)


def test_by_hand_with_one_halving():
    """Kernels of 1 x 1 and no norm: every level can be written down."""
    made = net(widths=(1, 1), convolutions=1, kernel=1, norm=None, activation="identity")
    weights = [p.detach().double().numpy() for p in made.parameters()]
    (a, b), (c, d), (up, e), (mix, f), (last, g) = zip(weights[::2], weights[1::2])
    x = np.random.default_rng(0).random((6, 4))
    fine = a.item() * x + b.item()
    coarse = c.item() * fine.reshape(3, 2, 2, 2).max((1, 3)) + d.item()
    raised = np.kron(coarse, up[0, 0]) + e.item()
    mixed = mix[0, 0, 0, 0] * fine + mix[0, 1, 0, 0] * raised + f.item()
    wanted = last[:, 0] * mixed + g[:, None, None]
    found = made(torch.as_tensor(x).float()[None, None])[0].detach().numpy()
    assert np.allclose(found, wanted, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{}, {"up": "nearest"}, {"kernel": 5, "convolutions": 1}, {"widths": (4,)}]
)
def test_a_pixel_sees_no_further_than_reach(options):
    made = net(**options, norm=None, activation="softplus")
    side, seen = 4 * made.reach + 8, torch.zeros(1)
    for at in range(side // 2, side // 2 + made.multiple):  # each place within the coarsest step
        rows = gradient_map(made, torch.rand(1, 1, side, side), (at, at)).sum(1).nonzero()
        seen = torch.maximum(seen, (rows - at).abs().max())
    assert made.reach - made.multiple < seen <= made.reach


@pytest.mark.parametrize("options", [{}, {"up": "nearest"}, {"norm": None}])
@pytest.mark.parametrize("size", [(150, 97), (64, 200)])
def test_tiles_add_up_to_the_whole(options, size):
    made, x = net(**options), torch.rand(1, 1, *size)
    with torch.no_grad():
        whole = made(x)
        for tile in (32, 50):
            assert (in_tiles(made, x, tile, made.reach, made.multiple) - whole).abs().max() < 1e-5
        short = in_tiles(made, x, 32, 0, made.multiple)  # without a margin they do not
    assert (short - whole).abs().max() > 1e-2


def test_without_skips_the_encoder_is_seen_only_through_the_coarsest_map():
    made = net(skips=False, norm=None)
    seen = []
    made.encoder[-1].register_forward_hook(lambda layer, args, out: out * 0)
    for x in torch.rand(2, 1, 1, 16, 16):
        seen.append(made(x))
    assert torch.equal(*seen)
    skipping = net(norm=None)
    skipping.encoder[-1].register_forward_hook(lambda layer, args, out: out * 0)
    assert not torch.equal(*(skipping(x) for x in torch.rand(2, 1, 1, 16, 16)))


def test_it_starts_from_the_frequencies():
    made = UNet(3, 2, widths=(4, 8), output_bias=torch.tensor([0.5, -0.5]))
    out = made(torch.rand(2, 3, 9, 9))
    assert torch.equal(out, torch.tensor([0.5, -0.5]).view(1, 2, 1, 1).expand(2, 2, 9, 9))


@pytest.mark.parametrize("up", ["transposed", "nearest"])
def test_the_start_keeps_variances(up):
    """He's start: what goes into the last layer varies about as much as at one level."""
    torch.manual_seed(0)
    made, seen = UNet(1, 2, widths=(32, 64, 128), norm=None, up=up), []
    made.output.register_forward_hook(lambda layer, args, out: seen.append(args[0].square().mean()))
    made(torch.randn(2, 1, 32, 32))
    assert 0.2 < seen[0] < 5


def test_symmetries_are_eight_and_turned_back():
    weight = torch.arange(9.0).view(1, 1, 3, 3)
    asked = []

    def answer(x):
        asked.append(x)
        return torch.nn.functional.conv2d(x, weight, padding=1)

    x = torch.rand(1, 1, 5, 7)
    found = over_symmetries(answer, x)
    turned = [k.rot90(i, (2, 3)) for i in range(4) for k in (weight, weight.flip(3))]
    wanted = torch.nn.functional.conv2d(x, torch.stack(turned).mean(0), padding=1)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert len({tuple(a.flatten().tolist()) for a in asked}) == 8


def test_an_unknown_way_up_is_named():
    with pytest.raises(ParameterError, match="nearest"):
        UNet(1, 2, up="neares")
