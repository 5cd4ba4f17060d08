"""Activations against their formulas, and the slopes that go by hand against differences."""

import numpy as np
import pytest
import torch
from scipy.special import erf, expit, softmax

from ganglion.base.errors import ParameterError
from ganglion.nn.activations import ACTIVATIONS, activation_named

ALPHA, SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


def _normal(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _softplus(z):
    return np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0)


def _mish_slope(z):
    t = np.tanh(_softplus(z))
    return t + z * (1 - t**2) * expit(z)


# name -> value and derivative of one number, in NumPy
FORMULAS = {
    "identity": (lambda z: z, np.ones_like),
    "linear": (lambda z: z, np.ones_like),
    "threshold": (lambda z: (z >= 0) * 1.0, np.zeros_like),
    "sigmoid": (expit, lambda z: expit(z) * expit(-z)),
    "logistic": (expit, lambda z: expit(z) * expit(-z)),
    "tanh": (np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "leaky_relu": (lambda z: np.where(z > 0, z, 0.01 * z), lambda z: np.where(z > 0, 1, 0.01)),
    "leaky_relu(0.3)": (lambda z: np.where(z > 0, z, 0.3 * z), lambda z: np.where(z > 0, 1, 0.3)),
    "prelu": (lambda z: np.where(z > 0, z, 0.25 * z), lambda z: np.where(z > 0, 1, 0.25)),
    "prelu(slope=0.5)": (lambda z: np.where(z > 0, z, z / 2), lambda z: np.where(z > 0, 1, 0.5)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(z)), lambda z: np.where(z > 0, 1, np.exp(z))),
    "elu(0.5)": (lambda z: np.where(z > 0, z, np.expm1(z) / 2), lambda z: np.where(z > 0, 1, np.exp(z) / 2)),
    "selu": (
        lambda z: SCALE * np.where(z > 0, z, ALPHA * np.expm1(z)),
        lambda z: SCALE * np.where(z > 0, 1, ALPHA * np.exp(z)),
    ),
    "gelu": (
        lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
        lambda z: (1 + erf(z / np.sqrt(2))) / 2 + z * _normal(z),
    ),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
    "mish": (lambda z: z * np.tanh(_softplus(z)), _mish_slope),
    "softplus": (_softplus, expit),
}
WITHOUT_FORMULA = {"softmax", "maxout"}  # of several numbers: tested by themselves


def points():
    z = torch.cat([torch.linspace(-6, 6, 241), torch.tensor([-30.0, 30.0, 1e-3, -1e-3])]).double()
    return z[z != 0].requires_grad_()


def test_every_activation_has_a_formula():
    assert set(ACTIVATIONS) == {n for n in FORMULAS if "(" not in n} | WITHOUT_FORMULA


@pytest.mark.parametrize("name", FORMULAS)
def test_value_and_slope(name):
    value, slope = FORMULAS[name]
    z, made = points(), activation_named(name)
    numbers = z.detach().numpy()
    h = made.module().double()(z)
    np.testing.assert_allclose(h.detach(), value(numbers), rtol=0, atol=1e-10)
    (by_autograd,) = torch.autograd.grad(h.sum(), z)
    np.testing.assert_allclose(by_autograd, slope(numbers), rtol=0, atol=1e-10)
    if made.backward is not None:
        z = z.detach()
        h = made.function(z)
        by_hand = made.backward(torch.ones_like(z), z, h)
        np.testing.assert_allclose(h, value(numbers), rtol=0, atol=1e-10)
        np.testing.assert_allclose(by_hand, slope(numbers), rtol=0, atol=1e-10)


def in_autograd(made):
    class Written(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            h = made.function(z)
            ctx.save_for_backward(z, h)
            return h

        @staticmethod
        def backward(ctx, g):
            return made.backward(g, *ctx.saved_tensors)

    return Written.apply


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if activation_named(n).backward])
def test_gradcheck(name):
    z = torch.randn(6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = torch.where(z.abs() < 1e-3, 0.1, z).requires_grad_()  # away from kinks
    assert torch.autograd.gradcheck(in_autograd(activation_named(name)), z)


def test_what_learns_or_changes_the_width_goes_by_autograd():
    assert {n for n in ACTIVATIONS if activation_named(n).backward is None} == {"prelu", "maxout"}


def test_the_threshold_fires_at_zero():
    made = activation_named("threshold")
    z = torch.tensor([-np.inf, -1e-300, -0.0, 0.0, 1e-300, np.inf], dtype=torch.float64)
    assert made.function(z).tolist() == made.module()(z).tolist() == [0, 0, 1, 1, 1, 1]


def test_the_learned_slope_gets_its_gradient():
    module, z = activation_named("prelu(0.1)").module().double(), points()
    g = torch.randn(len(z), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    module(z).backward(g)
    numbers = z.detach().numpy()
    assert module.weight.item() == pytest.approx(0.1)
    np.testing.assert_allclose(module.weight.grad, (g.numpy() * numbers)[numbers < 0].sum(), atol=1e-10)


def test_softmax(rng):
    made, z = activation_named("softmax"), rng.normal(size=(7, 4)) * 3
    g, tensor = rng.normal(size=(7, 4)), torch.as_tensor(z).requires_grad_()
    p = softmax(z, axis=1)
    back = p * (g - (g * p).sum(1, keepdims=True))
    h = made.module()(tensor)
    np.testing.assert_allclose(h.detach(), p, rtol=0, atol=1e-10)
    np.testing.assert_allclose(torch.autograd.grad(h, tensor, torch.as_tensor(g))[0], back, atol=1e-10)
    by_hand = made.backward(torch.as_tensor(g), tensor.detach(), made.function(tensor.detach()))
    np.testing.assert_allclose(by_hand, back, rtol=0, atol=1e-10)


@pytest.mark.parametrize("pieces", [2, 3])
def test_maxout(pieces, rng):
    z, g = rng.normal(size=(7, 4 * pieces)), rng.normal(size=(7, 4))
    groups, tensor = z.reshape(7, 4, pieces), torch.as_tensor(z).requires_grad_()
    h = activation_named(f"maxout({pieces})").module()(tensor)
    np.testing.assert_array_equal(h.detach(), groups.max(2))
    back = (groups == groups.max(2, keepdims=True)) * g[..., None]
    np.testing.assert_array_equal(
        torch.autograd.grad(h, tensor, torch.as_tensor(g))[0], back.reshape(z.shape)
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("leaky_relu('a')", "slope must be a number, got 'a'"),
        ("leaky_relu(1e999)", "slope must be a number, got inf"),
        ("prelu(True)", "first slope must be a number, got True"),
        ("elu(0)", "alpha must be a number above 0, got 0"),
        ("maxout(1)", "pieces must be a whole number at least 2 and at most 100, got 1"),
        ("maxout(2.5)", "pieces must be a whole number at least 2 and at most 100, got 2.5"),
        ("relu(3)", "takes"),
        ("leeky_relu(0.1)", "leaky_relu"),
    ],
)
def test_wrong_numbers_get_a_sentence(text, sentence):
    with pytest.raises(ParameterError, match=sentence):
        activation_named(text)
