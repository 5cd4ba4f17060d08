"""Residual networks: sizes as published, the forward pass against NumPy, a start as a shallow network."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.models.resnet import Parts, ResidualBlock, ResNet, blocks_of


def size(net):
    return sum(p.numel() for p in net.parameters())


def lively(net, seed=0):
    """A network whose every weight and statistic says something, in double precision and evaluation mode."""
    g = torch.Generator().manual_seed(seed)
    for name, value in net.state_dict().items():
        if value.is_floating_point() and not name.startswith("standardise"):
            fan = value[0].numel() if value.dim() > 1 else 10
            value.copy_(torch.randn(value.shape, generator=g) * fan**-0.5)
        if name.endswith("running_var"):
            value.abs_().add_(0.5)
    return net.double().eval()


# --- an oracle in NumPy -------------------------------------------------------------------------------------


def convolved(x, w, stride):
    """(n, c, h, w) by (out, c, k, k), with as many zeros around as keep the size at stride 1."""
    k, p = w.shape[-1], w.shape[-1] // 2
    x = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
    patches = np.lib.stride_tricks.sliding_window_view(x, (k, k), (2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", patches, w)


def normed(x, s, name):
    mean, var, gain, shift = (
        s[f"{name}.{k}"][:, None, None] for k in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / np.sqrt(var + 1e-5) * gain + shift


def relu(x):
    return np.maximum(x, 0)


def pooled(x):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    return np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))[:, :, ::2, ::2].max((-1, -2))


def block_of_2015(x, s, at, stride, bottleneck):
    # layers of the branch: convolution, norm, activation, convolution, norm (, activation, convolution, norm)
    strides = [1, stride, 1] if bottleneck else [stride, 1]
    h = x
    for i, step in enumerate(strides):
        h = normed(convolved(h, s[f"{at}.branch.{3 * i}.weight"], step), s, f"{at}.branch.{3 * i + 1}")
        h = relu(h) if i < len(strides) - 1 else h
    if f"{at}.shortcut.0.weight" in s:
        x = normed(convolved(x, s[f"{at}.shortcut.0.weight"], stride), s, f"{at}.shortcut.1")
    return relu(x + h)


def block_of_2016(x, s, at, stride, bottleneck):
    # norm, activation; then convolution, norm, activation, convolution (, norm, activation, convolution)
    strides = [1, stride, 1] if bottleneck else [stride, 1]
    inner = h = relu(normed(x, s, f"{at}.before.0"))
    for i, step in enumerate(strides):
        if i:
            h = relu(normed(h, s, f"{at}.branch.{3 * i - 2}"))
        h = convolved(h, s[f"{at}.branch.{3 * i}.weight"], step)
    if f"{at}.shortcut.0.weight" in s:
        x = convolved(inner, s[f"{at}.shortcut.0.weight"], stride)
    return x + h


def by_numpy(net, x, counts, *, large=False, pre=False, bottleneck=False):
    s = {k: v.numpy() for k, v in net.state_dict().items()}
    h = convolved(x, s["stem.0.weight"], 2 if large else 1)
    h = h if pre else relu(normed(h, s, "stem.1"))
    h = pooled(h) if large else h
    for stage, n in enumerate(counts):
        for i in range(n):
            block = block_of_2016 if pre else block_of_2015
            h = block(h, s, f"stages.{stage}.{i}", 2 if stage and not i else 1, bottleneck)
    h = relu(normed(h, s, "last.0")) if pre else h
    return h.mean((2, 3)) @ s["head.linears.0.weight"].T + s["head.linears.0.bias"]


FORMS = {
    "20 layers": ({"depth": 20, "width": 4}, (3, 3, 3), {}),
    "29 layers of bottlenecks": ({"depth": 29, "width": 2, "block": "bottleneck"}, (3, 3, 3), {"bottleneck": True}),
    "14 layers as in 2016": ({"depth": 14, "width": 4, "pre_activation": True}, (2, 2, 2), {"pre": True}),
    "bottlenecks as in 2016": (
        {"depth": 11, "width": 2, "block": "bottleneck", "pre_activation": True},
        (1, 1, 1),
        {"pre": True, "bottleneck": True},
    ),
    "18 large": ({"depth": 18, "width": 3, "stem": "large"}, (2, 2, 2, 2), {"large": True}),
    "50 large": (
        {"depth": 50, "width": 2, "stem": "large"}, (3, 4, 6, 3), {"large": True, "bottleneck": True}
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_the_forward_pass_is_the_formula(form):
    settings, counts, how = FORMS[form]
    net = lively(ResNet((3, 21, 18), 5, **settings))
    x = np.random.default_rng(0).random((2, 3, 21, 18))
    got = net(torch.as_tensor(x)).detach().numpy()
    expected = by_numpy(net, x, counts, **how)
    assert np.abs(got).min() > 1e-6
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


# --- as published -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "weights"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032), (101, 44_549_160)]
)
def test_large_networks_have_the_published_sizes(depth, weights):
    assert size(ResNet((3, 224, 224), 1000, depth=depth)) == weights


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_small_networks_have_the_published_sizes(depth, millions):
    """He et al. 2015, table 6; theirs have shortcuts without weights, ours two 1x1 convolutions with norms."""
    projections = 16 * 32 + 32 * 64 + 2 * (32 + 64)
    n = (depth - 2) // 6
    convs = 3 * 16 * 9 + 9 * (2 * n * 16**2 + (2 * n - 1) * 32**2 + 16 * 32 + (2 * n - 1) * 64**2 + 32 * 64)
    norms = 2 * (16 + 2 * n * (16 + 32 + 64))
    own = size(ResNet((3, 32, 32), 10, depth=depth, width=16))
    assert own == convs + norms + 64 * 10 + 10 + projections
    assert (own - projections) / 1e6 == pytest.approx(millions, rel=0.03)


def test_a_bottleneck_network_of_164_layers():
    net = ResNet((3, 32, 32), 10, depth=164, width=16, block="bottleneck", pre_activation=True)
    assert round(size(net) / 1e6, 1) == 1.7  # He et al. 2016


@pytest.mark.parametrize(
    ("depth", "block", "layers"), [(20, "basic", 20), (56, "basic", 56), (29, "bottleneck", 29)]
)
def test_the_depth_counts_the_layers_with_weights(depth, block, layers):
    net = ResNet((1, 8, 8), 2, depth=depth, width=1, block=block)
    weighted = [
        name
        for name, m in net.named_modules()
        if isinstance(m, torch.nn.Conv2d | torch.nn.Linear) and "shortcut" not in name
    ]
    assert len(weighted) == layers


# --- the start ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["batch", "group(2)", None])
@pytest.mark.parametrize("pre", [False, True])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_each_block_starts_as_its_shortcut(norm, pre, block):
    width = 8 if block == "basic" else 2
    made = ResidualBlock(8, width, 1, block, Parts.named("relu", norm), pre_activation=pre)
    made.silence()
    x = torch.rand(3, 8, 6, 6)  # 0 and more, so that the activation behind the sum changes nothing
    assert torch.equal(made(x), x)


def test_a_network_starts_blocks_silent_and_logits_at_the_bias():
    torch.manual_seed(0)
    net = ResNet((1, 12, 12), 3, depth=14, width=4, output_bias=torch.tensor([1.0, 2.0, 3.0]))
    assert torch.equal(net(torch.rand(5, 1, 12, 12)), torch.tensor([[1.0, 2.0, 3.0]]).expand(5, 3))
    x = net.stem(net.standardise(torch.rand(5, 1, 12, 12)))
    assert torch.equal(net.stages[0](x), x)


def test_dropped_paths_rise_along_the_blocks():
    net = ResNet((1, 8, 8), 2, depth=20, width=2, drop_path=0.4)
    shares = [m.drop_path.p for m in net.modules() if isinstance(m, ResidualBlock)]
    np.testing.assert_allclose(shares, np.linspace(0, 0.4, 9))


# --- what there is not --------------------------------------------------------------------------------------


def test_forms_by_the_size_of_pictures():
    assert len(ResNet((3, 64, 200), 2, width=2).stages) == 3
    assert len(ResNet((3, 65, 65), 2, width=2).stages) == 4
    assert len(ResNet((3, 65, 65), 2, width=2, stem="small").stages) == 3
    assert blocks_of(34, "basic", True) == ("basic", (3, 4, 6, 3))


@pytest.mark.parametrize(("shape", "stem"), [((1, 2, 28), "auto"), ((1, 16, 16), "large")])
def test_a_map_of_one_pixel_is_not_halved(shape, stem):
    """oneDNN's gradient of such a convolution in bf16 is not that of the formula (torch 2.13)."""
    with pytest.raises(ParameterError, match="too small"):
        ResNet(shape, 2, depth="auto", stem=stem)
    _, h, w = shape
    assert ResNet((1, h + 1, w + 1), 2, stem=stem, width=2)(torch.rand(2, 1, h + 1, w + 1)).shape == (2, 2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"depth": 19}, r"6n \+ 2.*depth=19; take 14 or 20"),
        ({"depth": 21, "block": "bottleneck"}, r"9n \+ 2.*take 20 or 29"),
        ({"depth": 2}, "take 8 or 14"),
        ({"depth": 10**9}, "take 1196 or 1202"),
        ({"depth": 20, "stem": "large"}, "18: basic.*depth=20"),
        ({"depth": 50, "block": "basic", "stem": "large"}, "50: bottleneck.*'basic'"),
        ({"norm": "rms"}, "norm of channels, got 'rms'"),
        ({"norm": "weight"}, "norm of channels, got 'weight'"),
        ({"activation": "maxout"}, "number of channels, got 'maxout'"),
    ],
)
def test_what_there_is_not_is_said(settings, words):
    with pytest.raises(ParameterError, match=words) as error:
        ResNet((1, 28, 28), 10, **settings)
    assert "\n" not in str(error.value)
