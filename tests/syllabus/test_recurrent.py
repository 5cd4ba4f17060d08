"""Recurrent networks and what they remember: an echo, and the adding problem at length 100."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion import SequenceRegressor
from ganglion.nn.recurrent import CELLS, LAYERS, unrolled

T = 100


def adding(n, seed):
    """Numbers and two marks, and the sum of what is marked; always telling 1 has an error of 1/6."""
    rng = np.random.default_rng(seed)
    X = np.zeros((n, T, 2), np.float32)
    X[..., 0] = rng.random((n, T))
    places = np.stack([rng.integers(0, T // 2, n), rng.integers(T // 2, T, n)], 1)
    np.put_along_axis(X[..., 1], places, 1.0, 1)
    return X, np.take_along_axis(X[..., 0], places, 1).sum(1)


def adding_error(cell, epochs=4):
    """The squared error on new series of a network that is the same but for its cell."""
    model = SequenceRegressor(
        cell=cell, units=48, layers=1, bidirectional=False, pool="last", dropout=0.0, lr=0.01, batch_size=64,
        max_epochs=epochs, clip_norm=1.0, schedule="constant", random_state=0, watch="off",
    ).fit(*adding(6_000, 0))  # fmt: skip
    X, y = adding(500, 1)
    return float(np.square(model.predict(X) - y).mean())


def equals_torchs(kind):
    """Whether a cell that is written out is torch's layer with the same weights, and so are its gradients."""
    layer, x = LAYERS[kind](3, 5, batch_first=True).double(), torch.randn(4, 50, 3).double().requires_grad_()
    found = [unrolled(CELLS[kind](3, 5).double().copy_from(layer), x)[0], layer(x)[0]]
    slopes = [torch.autograd.grad(out.square().sum(), x)[0] for out in found]
    return all(torch.allclose(*pair, rtol=0, atol=1e-10) for pair in (found, slopes))


@pytest.mark.slow
def test_recurrent_neural_network():
    """It echoes what came five places before, and does not learn to add over a hundred."""
    torch.manual_seed(0)
    assert equals_torchs("rnn")
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (2_000, 20)).astype(float)
    model = SequenceRegressor(
        cell="rnn",
        units=32,
        layers=1,
        bidirectional=False,
        pool="last",
        random_state=0,
        max_epochs=15,
        lr=5e-3,
    ).fit(X[:1500], X[:1500, -6])
    assert (model.predict(X[1500:]).round() == X[1500:, -6]).mean() >= 0.99
    assert adding_error("rnn") > 0.1


def test_long_short_term_memory():
    """Torch's, and it adds over a hundred places where the plain network of the same size does not."""
    assert equals_torchs("lstm")
    assert adding_error("lstm") <= 0.01


@pytest.mark.slow
def test_gated_recurrent_unit():
    """Torch's, three quarters of an LSTM's parameters, and it adds over a hundred places."""
    assert equals_torchs("gru")
    sizes = [sum(p.numel() for p in layer(7, 16).parameters()) for layer in (nn.GRU, nn.LSTM)]
    assert sizes[0] * 4 == sizes[1] * 3
    assert adding_error("gru", epochs=2) <= 0.01
