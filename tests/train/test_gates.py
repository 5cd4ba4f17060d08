"""Gates of recurrent layers that their input alone drives to a bound, against NumPy."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.train.look import closed_gates


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("bias", [True, False])
def test_closed_gates(kind, bias):
    torch.manual_seed(0)
    layer, x = kind(4, 6, bias=bias, batch_first=True), torch.randn(50, 7, 4)
    assert closed_gates(layer, x) == 0.0
    with torch.no_grad():
        for p in layer.parameters():
            p.mul_(20.0)
    sums = x.numpy() @ layer.weight_ih_l0.detach().numpy().T
    if bias:
        sums = sums + (layer.bias_ih_l0 + layer.bias_hh_l0).detach().numpy()
    gates = 1.0 / (1.0 + np.exp(-sums.astype(np.float64)))
    expected = ((gates < 0.01) | (gates > 0.99)).mean()
    assert 0.2 < expected < 0.9
    assert closed_gates(layer, x) == pytest.approx(expected, abs=2e-3)
