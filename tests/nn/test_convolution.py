"""Convolutions against loops in NumPy (float64), transposed ones as adjoints."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.nn.convolution import Up, conv, dirac_, each, separable, sides


def by_loop(x, weight, bias, stride, dilation, groups, around):
    """Every output entry as the sum that the formula says, over all entries of the kernel."""
    (above, below), (left, right) = around
    x = np.pad(x, ((0, 0), (0, 0), (above, below), (left, right)))
    n, outputs, (kh, kw) = len(x), len(weight), weight.shape[2:]
    height = (x.shape[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    width = (x.shape[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((n, outputs, height, width))
    inputs = weight.shape[1]
    for o, i, j in itertools.product(range(outputs), range(height), range(width)):
        first = o // (outputs // groups) * inputs
        rows = i * stride[0] + dilation[0] * np.arange(kh)
        columns = j * stride[1] + dilation[1] * np.arange(kw)
        met = x[:, first : first + inputs][:, :, rows][:, :, :, columns]
        out[:, o, i, j] = (met * weight[o]).sum((1, 2, 3)) + bias[o]
    return out


KERNELS = [1, 2, 3, (3, 2), 5]
PADDINGS = ["same", "valid", 2, (0, 3)]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_a_convolution_is_the_loop_over_its_formula(rng, kernel, padding):
    """Every stride, dilation and number of groups, on pictures of odd and of even size."""
    x = rng.normal(size=(2, 4, 9, 12))
    for stride, dilation, groups in itertools.product((1, 2, (3, 1)), (1, 2), (1, 2, 4)):
        layer = conv(4, 8, kernel, stride, padding, dilation, groups).double()
        k, s, d = each(kernel, 2), each(stride, 2), each(dilation, 2)
        weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
        expected = by_loop(x, weight, bias, s, d, groups, around(padding, k, d))
        out = layer(torch.as_tensor(x)).detach().numpy()
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


def around(padding, kernel, dilation):
    """Zeros before and behind, by hand."""
    if padding == "same":
        whole = [d * (k - 1) for k, d in zip(kernel, dilation)]
        return [(n // 2, n - n // 2) for n in whole]
    many = (0, 0) if padding == "valid" else each(padding, 2)
    return [(p, p) for p in many]


def test_same_padding_gives_the_size_divided_by_the_stride_and_rounded_up():
    for n, k, s, d in itertools.product(range(5, 24), (1, 2, 3, 5, 6), (1, 2, 3), (1, 2)):
        assert conv(1, 1, k, s, dilation=d)(torch.zeros(1, 1, n, n)).shape[2:] == (-(-n // s),) * 2


def test_the_place_of_an_output_does_not_depend_on_the_size(rng):
    """A longer picture only adds outputs."""
    x = torch.as_tensor(rng.normal(size=(1, 1, 21, 21)))
    for kernel in (2, 3, 4):
        layer = conv(1, 1, kernel, 2).double()
        np.testing.assert_allclose(
            layer(x)[..., :8, :8].detach(), layer(x[..., :20, :20])[..., :8, :8].detach()
        )


def test_odd_kernels_need_no_padded_copy():
    assert type(conv(1, 1, 3, 2)) is nn.Conv2d
    assert conv(1, 1, (3, 5), dilation=(1, 2)).padding == (1, 4)


def test_a_separable_convolution_is_the_one_whose_kernels_factorise(rng):
    layer = separable(3, 5, 3, stride=2).double()
    depthwise, mixing = layer[0].weight.detach().numpy(), layer[1].weight.detach().numpy()
    weight = mixing[:, :, 0, 0, None, None] * depthwise[None, :, 0]
    x = rng.normal(size=(2, 3, 8, 7))
    expected = by_loop(x, weight, layer[1].bias.detach().numpy(), (2, 2), (1, 1), 1, [(1, 1), (1, 1)])
    np.testing.assert_allclose(layer(torch.as_tensor(x)).detach(), expected, rtol=0, atol=1e-12)
    assert sum(p.numel() for p in layer.parameters()) == 3 * 9 + 3 * 5 + 5


SHARED = [(k, s) for k in range(1, 7) for s in range(1, 4) if k >= s]


@pytest.mark.parametrize(("kernel", "stride"), SHARED)
def test_a_transposed_convolution_is_the_adjoint(rng, kernel, stride):
    """<A x, y> = <x, A' y> with one weight in both, for every size that comes into question."""
    up = Up(2, 3, kernel, stride, bias=False).double()
    down = conv(3, 2, kernel, stride, bias=False).double()
    down.weight = up.weight
    for m, more in itertools.product(range(1, 5), range(stride)):
        size = (stride * m - more, stride * (m + 1) - more)
        x = torch.as_tensor(rng.normal(size=(2, 3, *size)))
        y = torch.as_tensor(rng.normal(size=(2, 2, m, m + 1)))
        back = up(y, size)
        assert back.shape == x.shape
        left, right = ((down(x) * y).sum().item(), (x * back).sum().item())
        assert left == pytest.approx(right, rel=1e-10, abs=1e-12)
    assert up(y).shape[2:] == (stride * m, stride * (m + 1))


def test_a_transposed_convolution_restores_the_size_and_not_the_values():
    down = conv(1, 1, 3, 2, bias=False).double()
    up = Up(1, 1, 3, 2, bias=False).double()
    up.weight = down.weight
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    assert up(down(x), (8, 8)).shape == x.shape
    assert (up(down(x), (8, 8)) - x).norm() > 0.1 * x.norm()


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (3, 2)])
@pytest.mark.parametrize("groups", [1, 2])
def test_a_dirac_start_passes_channels_on(kernel, groups):
    """Also for more and fewer outputs than inputs; further outputs keep the start that they had."""
    x = torch.randn(2, 4, 6, 5)
    for outputs in (2, 4, 6):
        layer = conv(4, outputs, kernel, groups=groups, bias=False)
        before = layer.weight.clone()
        out, per = dirac_(layer)(x), min(outputs, 4) // groups
        for g in range(groups):
            mine, theirs = g * outputs // groups, g * 4 // groups
            assert torch.equal(out[:, mine : mine + per], x[:, theirs : theirs + per])
            rest = slice(mine + per, (g + 1) * outputs // groups)
            assert torch.equal(layer.weight[rest], before[rest])


def test_sides_of_the_three_paddings():
    assert sides("same", (3, 4), (2, 1)) == [(2, 2), (1, 2)]
    assert sides("valid", (3,), (1,)) == [(0, 0)]
    assert sides(2, (3, 3), (1, 1)) == [(2, 2), (2, 2)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: conv(4, 6, 3, groups=4), "groups must divide"),
        (lambda: conv(4, 6, 0), "kernel must be a whole number at least 1, got 0"),
        (lambda: conv(4, 6, (3, 3, 3)), r"\(height, width\)"),
        (lambda: conv(4, 6, 3, padding="sane"), "did you mean 'same'"),
        (lambda: conv(4, 6, 3, padding=-1), "padding"),
        (lambda: conv(4, 6.0, 3), "outputs"),
        (lambda: Up(1, 1, 2, 3), "kernel of at least the stride"),
        (lambda: Up(1, 1, 2, 2)(torch.zeros(1, 1, 3, 3), (7, 6)), "from 5x5 to 6x6 of a 3x3 one, got 7x6"),
        (lambda: Up(1, 1, 2, 2)(torch.zeros(1, 1, 3, 3), (4, 6)), "from 5x5 to 6x6"),
    ],
)
def test_what_is_no_convolution_is_refused(make, words):
    with pytest.raises((ParameterError, DataError), match=words):
        make()


@pytest.mark.parametrize("channels", [(4, 8), (5, 10), (8, 16)])
def test_a_strided_pointwise_convolution_stays_in_its_memory(channels):
    """oneDNN's own would overwrite the heap on some processors; here it is taken over the places that it meets."""
    mine = conv(*channels, 1, stride=2)
    theirs = nn.Conv2d(*channels, 1, stride=2).double()
    theirs.load_state_dict(mine.state_dict())
    mine.to(memory_format=torch.channels_last)
    for size in (7, 8) * 10:
        x = (
            torch.rand(32, channels[0], size, size)
            .contiguous(memory_format=torch.channels_last)
            .requires_grad_()
        )
        wide = x.detach().double().requires_grad_()
        found, known = mine(x), theirs(wide)
        torch.testing.assert_close(found.double(), known, rtol=0, atol=1e-5)
        slopes = [torch.autograd.grad(out.square().sum(), (v, *net.parameters()))
                  for out, v, net in ((found, x, mine), (known, wide, theirs))]  # fmt: skip
        for a, b in zip(*slopes):
            torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)
