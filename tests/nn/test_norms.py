"""Normalisations against their formulas in NumPy, forwards and backwards, and what they refuse."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from ganglion.base.errors import ParameterError
from ganglion.nn.norms import NORMS, SpectralNormLinear, WeightNormLinear, norm_named

EPS = 1e-5

# name, positions, shape -> the view in which a group lies on the last axes, and how many axes that are
CASES = [
    ("batch", 0, (6, 4), lambda x: x.T, 1),
    ("batch", 1, (6, 4, 5), lambda x: x.transpose(1, 0, 2), 2),
    ("batch", 2, (6, 4, 5, 3), lambda x: x.transpose(1, 0, 2, 3), 3),
    ("layer", 0, (6, 4), lambda x: x, 1),
    ("layer", 2, (6, 4, 5, 3), lambda x: x, 3),
    ("instance", 1, (6, 4, 5), lambda x: x, 1),
    ("instance", 2, (6, 4, 5, 3), lambda x: x, 2),
    ("group(2)", 0, (6, 4), lambda x: x.reshape(6, 2, 2), 1),
    ("group(2)", 2, (6, 4, 5, 3), lambda x: x.reshape(6, 2, 2, 5, 3), 3),
    ("group(4)", 2, (6, 4, 5, 3), lambda x: x, 2),  # as many groups as channels: instance normalisation
]


def by_formula(x, g, gain, shift, view, axes):
    """Output and gradient at the input: mean and spread of each group are taken out of what flows back."""
    put = np.arange(x.size).reshape(x.shape)
    groups, where = view(x), view(put)
    over = tuple(range(groups.ndim - axes, groups.ndim))
    spread = np.sqrt(groups.var(over, keepdims=True) + EPS)
    normal = np.empty(x.size)
    normal[where] = (groups - groups.mean(over, keepdims=True)) / spread
    normal = normal.reshape(x.shape)
    flow, n = view(g * gain), view(normal)
    back = np.empty(x.size)
    back[where] = (flow - flow.mean(over, keepdims=True) - n * (flow * n).mean(over, keepdims=True)) / spread
    return normal * gain + shift, back.reshape(x.shape), (g * normal)


@pytest.mark.parametrize(("name", "positions", "shape", "view", "axes"), CASES)
def test_forward_and_backward(name, positions, shape, view, axes, rng):
    x, g = 3 * rng.normal(size=shape) + 2, rng.normal(size=shape)
    gain, shift = rng.normal(size=4), rng.normal(size=4)
    per_unit = (slice(None), *[None] * positions)
    layer = norm_named(name).after(4, positions).double()
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(gain))
        layer.bias.copy_(torch.as_tensor(shift))
    tensor = torch.as_tensor(x).requires_grad_()
    out = layer(tensor)
    out.backward(torch.as_tensor(g))
    value, back, for_gain = by_formula(x, g, gain[per_unit], shift[per_unit], view, axes)
    others = tuple(i for i in range(x.ndim) if i != 1)
    np.testing.assert_allclose(out.detach(), value, rtol=0, atol=1e-10)
    np.testing.assert_allclose(tensor.grad, back, rtol=0, atol=1e-10)
    np.testing.assert_allclose(layer.weight.grad, for_gain.sum(others), rtol=0, atol=1e-10)
    np.testing.assert_allclose(layer.bias.grad, g.sum(others), rtol=0, atol=1e-10)


def test_rms(rng):
    """``x / sqrt(mean x^2 + eps)``, without a mean that is taken out."""
    x, g, gain = rng.normal(size=(6, 4)) + 1, rng.normal(size=(6, 4)), rng.normal(size=4)
    layer = norm_named("rms").after(4, 0).double()
    layer.weight.data = torch.as_tensor(gain)
    tensor = torch.as_tensor(x).requires_grad_()
    out = layer(tensor)
    out.backward(torch.as_tensor(g))
    size = np.sqrt((x**2).mean(1, keepdims=True) + torch.finfo(torch.float64).eps)
    flow, normal = g * gain, x / size
    np.testing.assert_allclose(out.detach(), normal * gain, rtol=0, atol=1e-10)
    back = (flow - normal * (flow * normal).mean(1, keepdims=True)) / size
    np.testing.assert_allclose(tensor.grad, back, rtol=0, atol=1e-10)
    np.testing.assert_allclose(layer.weight.grad, (g * normal).sum(0), rtol=0, atol=1e-10)


def test_batch_norm_remembers_and_uses_running_statistics(rng):
    """0.9 of the old, 0.1 of the new mean and (n - 1) variance; in use they stand in for the batch's."""
    layer, mean, variance = norm_named("batch").after(4, 0).double(), np.zeros(4), np.ones(4)
    for _ in range(5):
        x = 2 * rng.normal(size=(8, 4)) + 1
        layer(torch.as_tensor(x))
        mean, variance = 0.9 * mean + 0.1 * x.mean(0), 0.9 * variance + 0.1 * x.var(0, ddof=1)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=0, atol=1e-10)
    np.testing.assert_allclose(layer.running_var, variance, rtol=0, atol=1e-10)
    layer.eval()
    x = rng.normal(size=(3, 4))
    expected = (x - mean) / np.sqrt(variance + EPS)
    np.testing.assert_allclose(layer(torch.as_tensor(x)).detach(), expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(layer(torch.as_tensor(x[:1])).detach(), expected[:1], rtol=0, atol=1e-10)


# --- dense layers of our own --------------------------------------------------------------------------------


def passed(layer, rng):
    x, g = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    layer.zero_grad()
    tensor = torch.as_tensor(x).requires_grad_()
    out = layer(tensor)
    out.backward(torch.as_tensor(g))
    return x, g, out.detach().numpy(), tensor.grad.numpy()


def test_weight_norm(rng):
    layer = WeightNormLinear(4, 3).double()
    layer.gain.data = torch.as_tensor(gain := rng.normal(size=3))
    v, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    length = np.linalg.norm(v, axis=1, keepdims=True)
    w = gain[:, None] * v / length
    x, g, out, back = passed(layer, rng)
    np.testing.assert_allclose(out, x @ w.T + b, rtol=0, atol=1e-10)
    np.testing.assert_allclose(back, g @ w, rtol=0, atol=1e-10)
    for_w = g.T @ x
    along = (for_w * v / length).sum(1, keepdims=True)
    np.testing.assert_allclose(layer.gain.grad, along[:, 0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        layer.weight.grad, gain[:, None] / length * (for_w - along * v / length), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(layer.bias.grad, g.sum(0), rtol=0, atol=1e-10)


def test_weight_norm_starts_as_the_layer_that_it_takes(rng):
    layer = WeightNormLinear(4, 3).double()
    layer.settle()
    x = torch.as_tensor(rng.normal(size=(6, 4)))
    torch.testing.assert_close(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


def test_spectral_norm(rng):
    """Against the singular values by NumPy; the slope holds the first singular vectors still, as is exact there."""
    layer = SpectralNormLinear(4, 3).double()
    for _ in range(200):
        layer(torch.zeros(1, 4, dtype=torch.float64))
    w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    left, values, right = np.linalg.svd(w)
    x, g, out, back = passed(layer, rng)
    np.testing.assert_allclose(out, x @ w.T / values[0] + b, rtol=0, atol=1e-10)
    np.testing.assert_allclose(back, g @ w / values[0], rtol=0, atol=1e-10)
    for_w = g.T @ x
    stretched = (for_w * w).sum() / values[0] * np.outer(left[:, 0], right[0])
    np.testing.assert_allclose(layer.weight.grad, (for_w - stretched) / values[0], rtol=0, atol=1e-10)


def test_spectral_norm_turns_once_in_each_training_pass_and_never_in_use():
    layer = SpectralNormLinear(5, 4)
    layer.settle()
    theirs = parametrizations.spectral_norm(nn.Linear(5, 4), n_power_iterations=1)
    with torch.no_grad():
        theirs.parametrizations.weight.original.copy_(layer.weight)
        theirs.bias.copy_(layer.bias)
        theirs.parametrizations.weight[0]._u.copy_(layer.u)
        theirs.parametrizations.weight[0]._v.copy_(layer.v)
        for m in (layer, theirs):  # a weight that has moved on
            (m.weight if m is layer else m.parametrizations.weight.original).add_(0.3)
    x = torch.randn(6, 5)
    for training in (True, True, False, False):
        layer.train(training)
        theirs.train(training)
        before = layer.u.clone()
        torch.testing.assert_close(layer(x), theirs(x), atol=1e-6, rtol=0)
        assert torch.equal(before, layer.u) is not training


@pytest.mark.parametrize("make", [WeightNormLinear, SpectralNormLinear])
def test_gradcheck_and_copies(make):
    layer = make(4, 3).double().eval()
    x = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    for back in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert torch.equal(back(x), layer(x))
    nn.init.zeros_(layer.weight)
    assert torch.isfinite(layer(x)).all()


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "units", "sentence"),
    [
        ("instance", 8, "'instance' normalises each unit over its positions.* take norm='layer'"),
        ("group", 12, "cannot divide 12 units into 8 groups.* out of 1, 2, 3, 4, 6"),
        ("group(12)", 12, "each stands alone.*take fewer groups than the 12 units"),
        ("group(0)", 12, "groups must be a whole number at least 1, got 0"),
        ("group(2.0)", 12, "groups must be a whole number at least 1, got 2.0"),
        ("layer", 1, "each stands alone.*norm='batch'"),
        ("batch(3)", 8, "takes"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence(name, units, sentence):
    with pytest.raises(ParameterError, match=sentence):
        norm_named(name).after(units, 0)


def test_every_name_is_known_by_a_test():
    tried = {case[0].partition("(")[0] for case in CASES} | {"rms", "weight", "spectral"}
    assert tried == set(NORMS)
    assert norm_named(None).after is None
    assert norm_named(None).dense is nn.Linear
