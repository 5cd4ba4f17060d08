"""The dense stack with all its parts, against NumPy; what goes by hand; bounds on weights; active units."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.nn.activity import activations_of, hidden_values, mean_size
from ganglion.nn.dense import DenseStack
from ganglion.nn.max_norm import bound_rows_, incoming_weights


def numbers(stack):
    return {k: v.detach().numpy() for k, v in stack.state_dict().items()}


@pytest.mark.parametrize("residual", [False, True])
def test_linear_then_norm_then_activation_then_skip(residual, rng):
    """Widths 5-4-4-4-2: the first hidden layer changes the width and has no skip, the two others have one."""
    stack = DenseStack([5, 4, 4, 4, 2], "tanh", dropout=0.4, norm="layer", residual=residual, noise=0.5)
    stack.double().eval()
    for p in stack.parameters():
        p.data = torch.as_tensor(rng.normal(size=p.shape))
    x, w = rng.normal(size=(7, 5)), numbers(stack)
    h = x
    for i in range(3):
        z = h @ w[f"linears.{i}.weight"].T + w[f"linears.{i}.bias"]
        z = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)
        inner = np.tanh(z * w[f"norms.{i}.weight"] + w[f"norms.{i}.bias"])
        if residual and i:
            h = h + inner @ w[f"shortcuts.{i}.linear.weight"].T + w[f"shortcuts.{i}.linear.bias"]
        else:
            h = inner
    expected = h @ w["linears.3.weight"].T + w["linears.3.bias"]
    np.testing.assert_allclose(stack(torch.as_tensor(x)).detach(), expected, rtol=0, atol=1e-10)
    assert ("shortcuts.1.linear.weight" in w) is residual
    assert "shortcuts.0.linear.weight" not in w


@pytest.mark.parametrize(
    "parts", [{"norm": "batch"}, {"norm": "rms", "residual": True}, {"norm": "spectral"}]
)
def test_slopes_of_the_whole_stack(parts, rng):
    stack = DenseStack([3, 6, 6, 2], "silu", **parts).double()
    stack(torch.as_tensor(rng.normal(size=(9, 3))))
    x = torch.as_tensor(rng.normal(size=(5, 3))).requires_grad_()
    stack.eval()
    assert torch.autograd.gradcheck(stack, x)


def test_maxout_takes_more_sums_and_gives_the_same_width(rng):
    stack = DenseStack([3, 4, 2], "maxout(3)").double()
    assert stack.linears[0].weight.shape == (12, 3)
    x, w = rng.normal(size=(7, 3)), numbers(stack)
    h = (x @ w["linears.0.weight"].T + w["linears.0.bias"]).reshape(7, 4, 3).max(2)
    expected = h @ w["linears.1.weight"].T + w["linears.1.bias"]
    np.testing.assert_allclose(stack(torch.as_tensor(x)).detach(), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    "parts",
    [
        {"activation": "prelu"},
        {"activation": "maxout"},
        {"norm": "layer"},
        {"norm": "weight"},
        {"residual": True},
        {"noise": 0.1},
        {"dropout": 0.1, "dropout_kind": "alpha"},
    ],
)
def test_only_plain_stacks_go_by_hand(parts):
    assert DenseStack([3, 4, 4, 2], dropout=0.2).goes_by_hand
    assert not DenseStack([3, 4, 4, 2], **parts).goes_by_hand


@pytest.mark.parametrize(
    ("widths", "parts", "sentence"),
    [
        ([3, 4, 5, 2], {"residual": True}, r"got the widths \(3, 4, 5\)"),
        ([3, 2], {"residual": True}, "two hidden layers of one width"),
        ([3, 4, 4, 2], {"drop_path": 0.1}, "set residual=True or drop_path=0"),
        ([3, 4, 4, 2], {"norm": "instance"}, "take norm='layer'"),
    ],
)
def test_what_does_not_go_together_gets_a_sentence(widths, parts, sentence):
    with pytest.raises(ParameterError, match=sentence):
        DenseStack(widths, **parts)


# --- bounds on weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 5), (4, 3, 2, 2)])
def test_long_rows_are_cut_and_short_ones_stay_to_the_bit(shape, rng):
    w = rng.normal(size=shape)
    w *= np.linspace(0.1, 2, len(w)).reshape(-1, *[1] * (len(shape) - 1))
    tensor = nn.Parameter(torch.as_tensor(w.copy()))
    bound_rows_([tensor], 2.0)
    rows, found = w.reshape(len(w), -1), tensor.detach().numpy().reshape(len(w), -1)
    length = np.linalg.norm(rows, axis=1)
    assert 0 < (length > 2).sum() < len(w)
    np.testing.assert_allclose(found, rows * np.minimum(1, 2 / length)[:, None], rtol=0, atol=1e-12)
    assert np.array_equal(found[length <= 2], rows[length <= 2])


def test_the_bound_leaves_embeddings_and_biases_out():
    net = nn.ModuleList([nn.Embedding(5, 3), nn.Linear(3, 4), nn.Conv1d(2, 3, 2), nn.LayerNorm(3)])
    assert incoming_weights(net) == [net[1].weight, net[2].weight]


# --- active units -------------------------------------------------------------------------------------------


def test_hidden_values_are_all_units_of_all_layers(rng):
    """Their mean size for each row, once more in NumPy, and the slope of its sum at the first weights."""
    stack = DenseStack([3, 5, 4, 2], "tanh").double()
    x, w = rng.normal(size=(7, 3)), numbers(stack)
    with hidden_values(stack) as values:
        stack(torch.as_tensor(x))
    first = np.tanh(x @ w["linears.0.weight"].T + w["linears.0.bias"])
    second = np.tanh(first @ w["linears.1.weight"].T + w["linears.1.bias"])
    expected = np.abs(np.c_[first, second]).mean(1)
    np.testing.assert_allclose(mean_size(values).detach(), expected, rtol=0, atol=1e-12)
    mean_size(values).sum().backward()
    flow = np.sign(second) / 9 * (1 - second**2) @ w["linears.1.weight"] + np.sign(first) / 9
    np.testing.assert_allclose(
        stack.linears[0].weight.grad, (flow * (1 - first**2)).T @ x, rtol=0, atol=1e-12
    )
    with hidden_values(stack) as again:
        pass
    stack(torch.as_tensor(x))
    assert again == []  # nothing listens any more


def test_activations_of_a_users_own_module_are_found():
    net = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Sequential(nn.PReLU(), nn.Dropout()), nn.LayerNorm(2))
    assert activations_of(net) == [net[1], net[2][0]]
