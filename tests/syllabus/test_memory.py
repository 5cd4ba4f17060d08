"""What recurrent cells keep in mind: sums of two marked numbers among a hundred (Hochreiter and Schmidhuber 1997)."""

import numpy as np
import pytest
import torch

from ganglion import SequenceRegressor
from ganglion.nn.recurrent import Recurrent

CONSTANT = 1 / 6  # the squared error of always telling 1


def adding(n, seed, length=100):
    rng = np.random.default_rng(seed)
    X = np.zeros((n, length, 2), np.float32)
    X[..., 0] = rng.random((n, length))
    places = np.stack([rng.integers(0, length // 2, n), rng.integers(length // 2, length, n)], 1)
    np.put_along_axis(X[..., 1], places, 1.0, 1)
    return X, np.take_along_axis(X[..., 0], places, 1).sum(1)


def error_of(cell):
    """The squared error on new series of 64 units that read forwards; all cells get the same settings."""
    X, y = adding(6_000, 0)
    model = SequenceRegressor(
        cell=cell, pool="last", bidirectional=False, units=64, layers=1, dropout=0.0, batch_size=64, clip_norm=1.0,
        lr=5e-3, max_epochs=8, patience=99, random_state=0, watch="off",
    ).fit(X, y)  # fmt: skip
    X, y = adding(1_000, 1)
    return float(np.mean((model.predict(X) - y) ** 2))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_long_short_term_memory():
    """The LSTM solves the adding problem at length 100, and a plain RNN of its size does not."""
    assert error_of("lstm") <= 0.01
    assert error_of("rnn") > 0.5 * CONSTANT


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_gated_recurrent_unit():
    """The GRU solves it too, with three quarters of an LSTM's weights."""
    sizes = [sum(p.numel() for p in Recurrent(kind, 5, 7).parameters()) for kind in ("gru", "lstm")]
    assert 4 * sizes[0] == 3 * sizes[1]
    assert error_of("gru") <= 0.01


def test_cells_are_torchs():
    """Recurrent layers with copied weights are torch's, to 1e-10."""
    for kind, theirs in (("rnn", torch.nn.RNN), ("lstm", torch.nn.LSTM), ("gru", torch.nn.GRU)):
        mine, other = Recurrent(kind, 3, 4).double(), theirs(3, 4, batch_first=True).double()
        other.load_state_dict(dict(mine.forwards[0].named_parameters()))
        x = torch.randn(2, 9, 3, dtype=torch.double)
        found = mine(x, torch.ones(2, 9, dtype=torch.bool))[0]
        torch.testing.assert_close(found, other(x)[0], rtol=0, atol=1e-10)
