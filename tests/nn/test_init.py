"""Initialisers: the moments that they promise, the same bits for a seed, and what LSUV does to a stack."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.models.mlp import MLP
from ganglion.nn.activations import activation_named
from ganglion.nn.dense import DenseStack
from ganglion.nn.init import HE, INITS, init_named, initialise, scale_outputs
from ganglion.nn.norms import SpectralNormLinear, WeightNormLinear

SHAPE = (800, 1250)  # a million weights
FAN_OUT, FAN_IN = SHAPE
# name -> its variance and its kurtosis (3 of a normal, 9/5 of a uniform distribution)
DRAWN = {
    "he": (2 / FAN_IN, 3),
    "he_normal": (2 / FAN_IN, 3),
    "he_uniform": (2 / FAN_IN, 1.8),
    "glorot": (2 / (FAN_IN + FAN_OUT), 3),
    "glorot_normal": (2 / (FAN_IN + FAN_OUT), 3),
    "glorot_uniform": (2 / (FAN_IN + FAN_OUT), 1.8),
    "lecun": (1 / FAN_IN, 3),
    "lecun_normal": (1 / FAN_IN, 3),
    "lecun_uniform": (1 / FAN_IN, 1.8),
    "normal": (1, 3),
    "normal(0.3)": (0.09, 3),
    "uniform": (1 / 3, 1.8),
    "uniform(0.5)": (0.25 / 3, 1.8),
    "sparse": (1 / FAN_IN, 30),  # a tenth of the weights has ten times the variance
    "sparse(0.5)": (1 / FAN_IN, 6),
}
ALIASES = {"kaiming_normal": "he", "kaiming_uniform": "he_uniform", "xavier_normal": "glorot",
           "xavier_uniform": "glorot_uniform", "lsuv": "orthogonal"}  # fmt: skip


def filled(name, shape=SHAPE, seed=0):
    torch.manual_seed(seed)
    w = torch.empty(shape, dtype=torch.float64)
    init_named(name)(w)
    return w.numpy()


def test_none_is_forgotten():
    assert {n for n in DRAWN if "(" not in n} | set(ALIASES) | {"orthogonal", "zeros"} == set(INITS)
    assert set(HE) < set(INITS)


@pytest.mark.parametrize("name", DRAWN)
def test_moments_of_a_million_draws(name):
    """Mean and variance within three standard errors; uniform draws inside their bound."""
    w, (variance, kurtosis) = filled(name).ravel(), DRAWN[name]
    assert abs(w.mean()) <= 3 * (variance / w.size) ** 0.5
    assert abs((w**2).mean() - variance) <= 3 * variance * ((kurtosis - 1) / w.size) ** 0.5
    assert abs((w**4).mean() / variance**2 - kurtosis) < 0.02 * kurtosis
    if kurtosis == 1.8:
        assert 0.999 * (3 * variance) ** 0.5 < np.abs(w).max() <= (3 * variance) ** 0.5


@pytest.mark.parametrize("name", [*INITS, "sparse(0.5)"])
def test_a_seed_gives_the_same_bits(name):
    first, second, other = (filled(name, (20, 30), seed) for seed in (3, 3, 4))
    assert np.array_equal(first, second)
    assert np.array_equal(first, other) is (name == "zeros")


@pytest.mark.parametrize("name", ALIASES)
def test_aliases(name):
    assert np.array_equal(filled(name, (20, 30)), filled(ALIASES[name], (20, 30)))


@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (16, 4, 3, 3)])
def test_orthogonal(shape):
    w = filled("orthogonal", shape).reshape(shape[0], -1)
    product = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-10)
    np.testing.assert_allclose(filled("orthogonal(2)", shape).reshape(w.shape), 2 * w, atol=1e-12)


def test_fans_of_kernels_count_positions():
    """A kernel (out, in, 3, 3): each output sees 9 in inputs, each input is seen by 9 out outputs."""
    shape = (64, 32, 3, 3)
    assert filled("he", shape).var() == pytest.approx(2 / (32 * 9), rel=0.03)
    assert filled("glorot", shape).var() == pytest.approx(2 / (32 * 9 + 64 * 9), rel=0.03)


@pytest.mark.parametrize(("name", "kept"), [("sparse", 10), ("sparse(0.25)", 75), ("sparse(0.999)", 1)])
def test_sparse_keeps_as_many_weights_in_each_unit(name, kept):
    assert ((filled(name, (50, 100)) != 0).sum(1) == kept).all()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("sparse(1)", "share of zeros must be a number at least 0 and below 1, got 1"),
        ("normal(0)", "std must be a number above 0, got 0"),
        ("uniform(-1)", "bound must be a number above 0"),
        ("orthogonal('x')", "gain must be a number above 0"),
        ("xavier", "xavier_normal"),
    ],
)
def test_wrong_numbers_get_a_sentence(text, sentence):
    with pytest.raises(ParameterError, match=sentence):
        init_named(text)


# --- LSUV ---------------------------------------------------------------------------------------------------


def sums(stack, x):
    """Standard deviation of every dense layer's outputs, in evaluation mode."""
    found = []
    handles = [
        m.register_forward_hook(lambda _m, _i, out: found.append(out.std().item()))
        for m in stack.modules()
        if isinstance(m, nn.Linear | WeightNormLinear | SpectralNormLinear)
    ]
    with torch.no_grad():
        stack.eval()(x)
    for handle in handles:
        handle.remove()
    return np.array(found)


@pytest.mark.parametrize("parts", [{}, {"residual": True}, {"norm": "layer"}, {"norm": "weight"}])
@pytest.mark.parametrize("activation", ["relu", "tanh", "maxout(3)"])
def test_lsuv_gives_every_sum_the_variance_one(activation, parts):
    stack = DenseStack([20, *[32] * 8, 5], activation, dropout=0.3, **parts).double()
    initialise(stack, "lsuv")
    x = 7 * torch.randn(200, 20, dtype=torch.float64)
    before = sums(stack, x)
    stack.train()
    scale_outputs(stack, x)
    assert stack.training
    np.testing.assert_allclose(sums(stack, x), 1, atol=1e-10)
    assert np.abs(before - 1).max() > 0.1
    for linear in stack.linears:  # each row stays orthogonal to the others: only lengths changed
        if isinstance(linear, nn.Linear) and linear.out_features <= linear.in_features:
            product = (linear.weight @ linear.weight.t()).detach().numpy()
            np.testing.assert_allclose(product / product[0, 0], np.eye(len(product)), atol=1e-10)


def test_lsuv_leaves_alone_what_does_not_vary():
    stack = DenseStack([3, 4, 2])
    initialise(stack, "lsuv")
    before = [p.clone() for p in stack.parameters()]
    scale_outputs(stack, torch.zeros(9, 3))
    assert all(torch.equal(a, b) for a, b in zip(before, stack.parameters()))


# --- the start of a whole network ---------------------------------------------------------------------------


def test_auto_is_the_activations_own():
    for name in ("relu", "tanh", "selu", "maxout(2)"):
        torch.manual_seed(0)
        auto = MLP(30, (), (40,), 3, activation=name)
        torch.manual_seed(0)
        named = MLP(30, (), (40,), 3, activation=name, init=activation_named(name).init)
        assert torch.equal(auto.stack.linears[0].weight, named.stack.linears[0].weight)
        assert not auto.stack.linears[1].weight.any()
        assert named.stack.linears[1].weight.any()


def test_zero_residual_starts_as_the_layer_before_the_blocks():
    """Two blocks that hand on what they get: the stack is its first layer and its last."""
    net = MLP(6, (), (8, 8, 8), 3, init="zero_residual", residual=True, activation="relu").double()
    x = torch.randn(5, 6, dtype=torch.float64)
    first, _, _, last = net.stack.linears
    torch.testing.assert_close(net(x), last(first(x).relu()), atol=1e-12, rtol=0)
    net(x).square().sum().backward()
    assert all(s.linear.weight.grad.any() for s in net.stack.shortcuts.values())  # and yet they learn


@pytest.mark.parametrize("norm", ["weight", "spectral"])
def test_normalised_layers_start_as_their_rule_says(norm):
    stack = DenseStack([300, 400, 2], norm=norm)
    initialise(stack, "he")
    x = torch.eye(300)
    layer = stack.linears[0]
    w = (layer(x) - layer.bias).t()
    expected = layer.weight if norm == "weight" else layer.weight / torch.linalg.matrix_norm(layer.weight, 2)
    torch.testing.assert_close(w, expected, atol=1e-6, rtol=0.02)
